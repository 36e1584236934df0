/* What the recorded beats say about each guest.
 *
 * beats report LOG   one line per guest, tab separated: name, beats, longest gap in ms, beat number before that gap, lost,
 *                    doubled or backwards, garbled lines, restarts, the guest's own complaints, last beat, last disk
 *                    acknowledgement, ms since the last beat. Counted since the last reset.
 * beats reset LOG    appends the mark that "since" refers to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_GUESTS 1024
#define NAME_BYTES 80

struct guest {
    char name[NAME_BYTES];
    long long beats, gap_ms, gap_beat, lost, doubled, garbled, restarts, complaints;
    long long started, last_beat, last_ack, last_ms;
};

static struct guest guests[MAX_GUESTS];
static size_t guest_count;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct guest *guest_of(const char *name)
{
    static size_t last;
    size_t i;

    if (last < guest_count && !strcmp(guests[last].name, name))
        return &guests[last];
    for (i = 0; i < guest_count; i++)
        if (!strcmp(guests[i].name, name))
            return &guests[last = i];
    if (guest_count == MAX_GUESTS) {
        fprintf(stderr, "beats: more than %d guests\n", MAX_GUESTS);
        exit(1);
    }
    snprintf(guests[guest_count].name, NAME_BYTES, "%s", name);
    guests[guest_count].last_ms = -1;
    return &guests[last = guest_count++];
}

static void reset_all(long long at)
{
    size_t i;
    for (i = 0; i < guest_count; i++) {
        struct guest *guest = &guests[i];
        guest->beats = guest->gap_ms = guest->gap_beat = guest->lost = guest->doubled = 0;
        guest->garbled = guest->restarts = guest->complaints = 0;
        guest->last_ms = at; /* silence is counted from here on */
    }
}

static void see_gap(struct guest *guest, long long at)
{
    if (guest->last_ms >= 0 && at - guest->last_ms > guest->gap_ms) {
        guest->gap_ms = at - guest->last_ms;
        guest->gap_beat = guest->last_beat;
    }
}

static void see_beat(struct guest *guest, long long at, long long number)
{
    see_gap(guest, at);
    if (number <= guest->last_beat)
        guest->doubled++;
    else if (guest->last_beat && number > guest->last_beat + 1)
        guest->lost += number - guest->last_beat - 1;
    if (number > guest->last_beat)
        guest->last_beat = number;
    guest->beats++;
    guest->last_ms = at;
}

static void see_line(struct guest *guest, long long at, const char *line)
{
    long long number;
    char rest;

    if (!strcmp(line, "removed")) {
        guest->beats = guest->started = guest->last_beat = guest->last_ack = 0;
        guest->gap_ms = guest->gap_beat = guest->lost = guest->doubled = guest->garbled = guest->restarts = guest->complaints = 0;
        guest->last_ms = -1;
    } else if (sscanf(line, "B %6lld%c", &number, &rest) == 1 && strlen(line) == 8) {
        see_beat(guest, at, number);
    } else if (sscanf(line, "D %6lld%c", &number, &rest) == 1 && strlen(line) == 8) {
        if (number <= guest->last_ack)
            guest->doubled++;
        else
            guest->last_ack = number;
    } else if (line[0] == 'S' && line[1] == ' ') {
        if (guest->started++)
            guest->restarts++;
        guest->last_beat = guest->last_ack = 0;
        if (guest->last_ms < 0)
            guest->last_ms = at;
    } else if (line[0] == 'E' && line[1] == ' ') {
        if (!guest->complaints++) /* the first says enough */
            fprintf(stderr, "beats: %s at %lld: %s\n", guest->name, at, line);
    } else {
        guest->garbled++;
    }
}

static int report(FILE *log)
{
    char text[512], name[NAME_BYTES];
    long long at, now = now_ms();
    size_t i;
    int skip;

    while (fgets(text, sizeof text, log)) {
        text[strcspn(text, "\n")] = 0;
        if (sscanf(text, "%lld %79s %n", &at, name, &skip) != 2)
            continue;
        if (!strcmp(name, "*"))
            reset_all(at);
        else
            see_line(guest_of(name), at, text + skip);
    }
    for (i = 0; i < guest_count; i++) {
        struct guest *guest = &guests[i];
        long long silent = guest->last_ms < 0 ? 0 : now - guest->last_ms;
        see_gap(guest, now);
        printf("%s\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\n", guest->name, guest->beats, guest->gap_ms,
               guest->gap_beat, guest->lost, guest->doubled, guest->garbled, guest->restarts, guest->complaints,
               guest->last_beat, guest->last_ack, silent);
    }
    return 0;
}

int main(int argc, char **argv)
{
    int reset = argc == 3 && !strcmp(argv[1], "reset");
    FILE *log;

    if (argc != 3 || (!reset && strcmp(argv[1], "report")))
        return 64;
    log = fopen(argv[2], reset ? "a" : "r");
    if (!log) {
        perror(argv[2]);
        return 1;
    }
    if (reset) {
        fprintf(log, "%lld * reset\n", now_ms());
        return fclose(log) ? 1 : 0;
    }
    return report(log);
}
