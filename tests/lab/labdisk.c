/* Makes and verifies the lab's raw disk images (qcow2 goes through qemu-img).
 *
 * labdisk fill FILE MIB GUEST_ID DISK         writes a disk whose every sector tells where it belongs
 * labdisk verify FILE GUEST_ID DISK LOG BYTES GUEST [deep]
 *   LOG's first BYTES bytes were recorded before FILE was read, so each write acknowledged there must be in FILE:
 *   every journal slot must hold the acknowledged beat or a newer one of that slot, the header the newest or newer.
 *   A sector that says another guest, disk or number than its own is foreign; deep looks at all of them.
 *   Prints: number on disk, number acknowledged, slots proven, slots lost, sectors foreign. Exit 1 if any is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diskformat.h"

#define CHUNK_SECTORS 2048u

static unsigned acknowledged[JOURNAL_SLOTS]; /* newest acknowledged beat of each slot */

static unsigned number_of(const char *text) { return (unsigned)strtoul(text, NULL, 10); }

static int fill(const char *path, unsigned mib, unsigned guest, unsigned disk)
{
    static unsigned words[CHUNK_SECTORS * SECTOR_WORDS];
    FILE *file = fopen(path, "wb");
    unsigned sector = 0, random = (guest ^ disk << 8) | 1, chunk, i;

    if (!file)
        return 1;
    for (chunk = 0; chunk < mib; chunk++) {
        memset(words, 0, sizeof words);
        for (i = 0; i < CHUNK_SECTORS; i++, sector++) {
            unsigned word;
            /* The places of the beats exist from the start: a qcow2 cluster that is new to the guest is found from outside
             * only after its next flush. */
            if (sector <= JOURNAL_SLOTS)
                sector_stamp(words + i * SECTOR_WORDS, guest, disk, sector, sector ? KIND_JOURNAL : KIND_HEADER, 0);
            if (sector < FILL_START)
                continue;
            for (word = 0; word < SECTOR_WORDS; word++) {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                words[i * SECTOR_WORDS + word] = random;
            }
            sector_stamp(words + i * SECTOR_WORDS, guest, disk, sector, KIND_FILL, 0);
        }
        if (fwrite(words, sizeof words, 1, file) != 1)
            return 1;
    }
    return fclose(file) ? 1 : 0;
}

static unsigned read_log(const char *path, long long bytes, const char *guest)
{
    FILE *log = fopen(path, "r");
    char text[512], name[80], kind;
    unsigned beat, newest = 0;
    long long at;

    while (log && fgets(text, sizeof text, log) && (bytes -= (long long)strlen(text)) >= 0) {
        if (sscanf(text, "%lld %79s %c %u", &at, name, &kind, &beat) != 4 || strcmp(name, guest))
            continue;
        if (kind == 'S') {
            memset(acknowledged, 0, sizeof acknowledged);
            newest = 0;
        } else if (kind == 'D') {
            if (beat > acknowledged[beat % JOURNAL_SLOTS])
                acknowledged[beat % JOURNAL_SLOTS] = beat;
            if (beat > newest)
                newest = beat;
        }
    }
    if (log)
        fclose(log);
    return newest;
}

static int is_own(const unsigned *words, unsigned guest, unsigned disk, unsigned sector)
{
    unsigned expected[SECTOR_WORDS];
    sector_stamp(expected, guest, disk, sector, words[WORD_KIND], words[WORD_BEAT]);
    return !memcmp(words, expected, 6 * sizeof *words) && words[WORD_CHECK] == expected[WORD_CHECK];
}

static int verify(char **argv, int deep)
{
    unsigned guest = number_of(argv[3]), disk = number_of(argv[4]), newest, sector, on_disk = 0;
    unsigned proven = 0, lost = 0, foreign = 0, words[SECTOR_WORDS];
    FILE *file = fopen(argv[2], "rb");

    newest = read_log(argv[5], strtoll(argv[6], NULL, 10), argv[7]);
    if (!file) {
        perror(argv[2]);
        return 1;
    }
    for (sector = 0; fread(words, sizeof words, 1, file) == 1; sector++) {
        if (sector > JOURNAL_SLOTS && sector < FILL_START)
            continue;
        if (sector >= FILL_START) {
            if (!deep)
                break;
            foreign += !is_own(words, guest, disk, sector);
        } else if (sector == 0) {
            if (is_own(words, guest, disk, 0))
                on_disk = words[WORD_BEAT];
            else
                foreign++;
        } else {
            unsigned wanted = acknowledged[sector - 1];
            if (!is_own(words, guest, disk, sector))
                foreign++;
            else if (wanted && (words[WORD_BEAT] < wanted || words[WORD_BEAT] % JOURNAL_SLOTS != sector - 1))
                lost++;
            else if (wanted)
                proven++;
        }
    }
    fclose(file);
    printf("%u\t%u\t%u\t%u\t%u\n", on_disk, newest, proven, lost, foreign);
    return sector < FILL_START || on_disk < newest || lost || foreign;
}

int main(int argc, char **argv)
{
    if (argc == 6 && !strcmp(argv[1], "fill"))
        return fill(argv[2], number_of(argv[3]), number_of(argv[4]), number_of(argv[5]));
    if ((argc == 8 || argc == 9) && !strcmp(argv[1], "verify"))
        return verify(argv, argc == 9);
    fprintf(stderr, "usage: see the head of labdisk.c\n");
    return 64;
}
