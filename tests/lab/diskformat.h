/* What every sector of a lab disk looks like. Shared by the guest kernel that writes disks and by labdisk that fills
 * and verifies them: each sector names its guest, its disk and itself, so that a swapped, shifted, stale or foreign
 * block shows. All words are 32-bit little-endian. */
#ifndef LAB_DISKFORMAT_H
#define LAB_DISKFORMAT_H

#define DISK_MAGIC 0x52565244u /* "DRVR" */
#define SECTOR_WORDS 128u
#define WORD_MAGIC 0u
#define WORD_GUEST 1u  /* the id= of the guest's command line */
#define WORD_DISK 2u   /* 0 = hda, 1 = hdb ... */
#define WORD_SECTOR 3u /* its own number */
#define WORD_KIND 4u
#define WORD_BEAT 5u
#define WORD_CHECK 127u /* exclusive or of the other five, so that a torn sector shows */

#define KIND_FILL 1u    /* written when the disk was made */
#define KIND_HEADER 2u  /* sector 0: the newest beat */
#define KIND_JOURNAL 3u /* sectors 1..2048: beat n in slot 1 + n % 2048, so the last 200 s of writes can be proven */
#define KIND_LOAD 4u    /* the optional extra writes, in the second half of the disk */

#define JOURNAL_SLOTS 2048u
#define FILL_START 4096u /* sectors between the journal and this stay zero */

static inline void sector_stamp(unsigned *words, unsigned guest, unsigned disk, unsigned sector, unsigned kind,
                                unsigned beat)
{
    words[WORD_MAGIC] = DISK_MAGIC;
    words[WORD_GUEST] = guest;
    words[WORD_DISK] = disk;
    words[WORD_SECTOR] = sector;
    words[WORD_KIND] = kind;
    words[WORD_BEAT] = beat;
    words[WORD_CHECK] = DISK_MAGIC ^ guest ^ disk ^ sector ^ kind ^ beat;
}

#endif
