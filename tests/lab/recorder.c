/* Times the guests' beats from outside: their own clocks stand still while they are paused.
 *
 * recorder SERIAL_DIR LOG   follows SERIAL_DIR/NAME.log and appends "monotonic_ms NAME line" to LOG. One per lab. A QEMU
 * writes its serial file byte by byte, so it wakes at most every 3 ms and takes what is there. Ends by itself when
 * SERIAL_DIR is removed. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#define MAX_GUESTS 1024 /* far above what one machine can run under TCG */
#define NAME_BYTES 80
#define LINE_BYTES 120
#define SUFFIX ".log"

struct source {
    char name[NAME_BYTES];
    int fd;
    char line[LINE_BYTES];
    size_t used;
};

static struct source sources[MAX_GUESTS];
static size_t source_count;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct source *source_of(const char *directory, const char *file, int skip_old)
{
    size_t length = strlen(file), i;
    char path[4096];

    if (length <= strlen(SUFFIX) || length - strlen(SUFFIX) >= NAME_BYTES || strcmp(file + length - strlen(SUFFIX), SUFFIX))
        return NULL;
    length -= strlen(SUFFIX);
    for (i = 0; i < source_count; i++)
        if (strlen(sources[i].name) == length && !strncmp(sources[i].name, file, length))
            return &sources[i];
    if (source_count == MAX_GUESTS)
        return NULL;
    snprintf(path, sizeof path, "%s/%s", directory, file);
    sources[i].fd = open(path, O_RDONLY | O_CLOEXEC);
    if (sources[i].fd < 0)
        return NULL;
    if (skip_old)
        lseek(sources[i].fd, 0, SEEK_END);
    memcpy(sources[i].name, file, length);
    source_count++;
    return &sources[i];
}

static void take(struct source *source, FILE *log)
{
    char buffer[4096];
    ssize_t got, i;
    long long now = now_ms();

    while ((got = read(source->fd, buffer, sizeof buffer)) > 0) {
        for (i = 0; i < got; i++) {
            if (buffer[i] == '\n' || source->used == LINE_BYTES - 1) {
                fprintf(log, "%lld %s %.*s\n", now, source->name, (int)source->used, source->line);
                source->used = 0;
            } else if (buffer[i] != '\r') {
                source->line[source->used++] = buffer[i] ? buffer[i] : '?';
            }
        }
    }
}

/* A guest was removed; a later one of that name is another guest, with another file. */
static void forget(const char *directory, const char *file, FILE *log)
{
    struct source *source;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, file);
    source = source_of(directory, file, 0);
    if (!source)
        return;
    fprintf(log, "%lld %s removed\n", now_ms(), source->name);
    close(source->fd);
    *source = sources[--source_count];
    if (access(path, F_OK) == 0) /* made anew before we looked */
        source_of(directory, file, 0);
}

int main(int argc, char **argv)
{
    static char events[1 << 16] __attribute__((aligned(8)));
    struct timespec pause = {0, 3000000};
    struct dirent *entry;
    FILE *log;
    DIR *directory;
    int watch, skip_old;

    if (argc != 3)
        return 64;
    skip_old = access(argv[2], F_OK) == 0; /* a restarted recorder cannot time what it did not see */
    log = fopen(argv[2], "ae");
    watch = inotify_init1(IN_CLOEXEC);
    if (!log || watch < 0 || inotify_add_watch(watch, argv[1], IN_MODIFY | IN_CREATE | IN_DELETE | IN_DELETE_SELF) < 0) {
        perror("recorder");
        return 1;
    }
    directory = opendir(argv[1]);
    while (directory && (entry = readdir(directory)))
        source_of(argv[1], entry->d_name, skip_old);
    for (;;) {
        ssize_t got = read(watch, events, sizeof events);
        char *at = events;
        size_t i;

        if (got <= 0)
            return 1;
        while (at < events + got) {
            struct inotify_event *event = (struct inotify_event *)(void *)at;
            if (event->mask & (IN_DELETE_SELF | IN_IGNORED))
                return 0;
            if (event->len && event->mask & IN_DELETE)
                forget(argv[1], event->name, log);
            else if (event->len)
                source_of(argv[1], event->name, 0);
            at += sizeof *event + event->len;
        }
        for (i = 0; i < source_count; i++)
            take(&sources[i], log);
        fflush(log);
        nanosleep(&pause, NULL);
    }
}
