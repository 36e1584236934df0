/* The lab's guest: a freestanding 32-bit multiboot kernel whose whole purpose is to show what a move did to it.
 *
 * It fills memory, keeps dirtying a working set at a stated rate, and beats ten times a second on COM1 and on its IDE
 * disks. Time comes from the ACPI PM timer, which stands still while the guest is paused: that is why gaps are timed by
 * the recorder outside. Between ticks it halts, so that a dozen of them fit on two cores under TCG.
 *
 * Lines on COM1:  S <id>     started (a second one means it was started again, not moved)
 *                 B <n>      beat
 *                 D <n>      beat n was acknowledged by every disk
 *                 E <what>   it found its own memory or disk wrong; never printed by a sound guest
 * Command line:   id= fill= ws= dirty= (MiB, MiB/s), hda=SECTORS[:WRITE_MIB_PER_S] ... hdd=, and ip= to answer there (guestnet.h)
 * The power button switches it off, once its disks have the last beat. */
#include "diskformat.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define PM_HZ 3579545u
#define PM_PORT 0x608
#define PM_STATUS_PORT 0x600
#define PM_ENABLE_PORT 0x602
#define PM_CONTROL_PORT 0x604
#define TICK_HZ 100u
#define BEAT_TICKS (PM_HZ / 10)
#define MEMORY_START (4u << 20) /* above this kernel and its buffers */
#define PAGE_WORDS 1024u
#define PAGES_PER_MIB 256u
#define VERIFY_PAGES_PER_BEAT 8u
#define FLUSH_EVERY_BEATS 50u /* a flush also puts qcow2 tables on disk, which the checker reads from outside */
#define LOAD_SECTORS 128u

__asm__(".section .multiboot, \"a\"\n"
        ".align 4\n"
        ".long 0x1BADB002, 3, -(0x1BADB002 + 3)\n"
        ".text\n"
        ".globl start\n"
        "start:\n"
        "  cli\n"
        "  movl $stack_top, %esp\n"
        "  lgdt gdt_pointer\n"
        "  ljmp $8, $1f\n"
        "1: movw $16, %cx\n"
        "  movw %cx, %ds\n  movw %cx, %es\n  movw %cx, %ss\n  movw %cx, %fs\n  movw %cx, %gs\n"
        "  pushl %ebx\n"
        "  call guest_main\n"
        "2: hlt\n  jmp 2b\n"
        /* An interrupt only has to end the halt: the main loop looks at every device itself. */
        ".globl on_irq_low\non_irq_low:\n"
        "  pushl %eax\n  movb $0x20, %al\n  outb %al, $0x20\n  popl %eax\n  iret\n"
        ".globl on_irq_high\non_irq_high:\n"
        "  pushl %eax\n  movb $0x20, %al\n  outb %al, $0xA0\n  outb %al, $0x20\n  popl %eax\n  iret\n"
        ".align 8\n"
        "gdt: .quad 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF\n"
        "gdt_pointer: .word 23\n  .long gdt\n"
        ".bss\n.align 16\n.skip 16384\nstack_top:\n"
        ".text\n");
extern void on_irq_low(void);
extern void on_irq_high(void);

struct disk {
    u32 index;
    u32 sectors; /* 0: no such disk */
    u32 load_mib_per_s;
    u64 load_credit; /* PM ticks times bytes per second not yet written */
    u32 load_next;   /* next sector of the extra writes */
    u32 beat_wanted; /* newest beat to put on this disk */
    u32 beat_now;    /* being written */
    u32 beat_done;
    u32 beat_flushed;
    u32 first_done;
};

enum channel_state { IDLE, JOURNAL, HEADER, LOAD, FLUSH };

struct channel {
    u16 base;
    u16 control;
    u16 bus_master;
    enum channel_state state;
    struct disk *disk; /* whose request is running */
    u32 turn;          /* the drive asked last, so that neither starves */
};

struct prd {
    u32 address;
    u16 bytes;
    u16 flags;
};

static struct disk disks[4];
static struct channel channels[2] = {{0x1F0, 0x3F6, 0, IDLE, 0, 0}, {0x170, 0x376, 0, IDLE, 0, 0}};
/* 64 KiB aligned: a DMA region must not cross such a boundary. */
static u32 dma_buffer[2][LOAD_SECTORS * SECTOR_WORDS] __attribute__((aligned(65536)));
static struct prd prd_table[2] __attribute__((aligned(16)));
static u64 idt[256] __attribute__((aligned(8)));

static u32 guest_id, fill_mib, set_mib, dirty_mib_per_s;
static u64 now_ticks;
static u32 last_pm;

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
static inline u16 inw(u16 port)
{
    u16 value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline u8 inb(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline u32 inl(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* gcc may emit calls to this even in freestanding code. */
void *memset(void *target, int value, unsigned long length);
void *memset(void *target, int value, unsigned long length)
{
    u8 *bytes = target;
    while (length--)
        *bytes++ = (u8)value;
    return target;
}

static void serial_text(const char *text)
{
    for (; *text; text++) {
        while (!(inb(0x3FD) & 0x20))
            ;
        outb(0x3F8, (u8)*text);
    }
}

static void serial_line(const char *kind, u32 number)
{
    char line[24];
    char digits[12];
    u32 used = 0, count = 0;

    while (*kind)
        line[used++] = *kind++;
    line[used++] = ' ';
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number || count < 6);
    while (count)
        line[used++] = digits[--count];
    line[used++] = '\n';
    line[used] = 0;
    serial_text(line);
}

static u32 pci_address(u32 function, u32 offset) { return 0x80000000u | 1u << 11 | function << 8 | offset; }
static u32 pci_read(u32 function, u32 offset)
{
    outl(0xCF8, pci_address(function, offset));
    return inl(0xCFC);
}
static void pci_write(u32 function, u32 offset, u32 value)
{
    outl(0xCF8, pci_address(function, offset));
    outl(0xCFC, value);
}

static void set_gate(u32 vector, void (*handler)(void))
{
    u32 address = (u32)handler;
    idt[vector] = (u64)(address & 0xFFFF0000u) << 32 | 0x8E00ull << 32 | 8u << 16 | (address & 0xFFFFu);
}

static void interrupts_init(void)
{
    struct {
        u16 limit;
        u32 base;
    } __attribute__((packed)) pointer = {sizeof idt - 1, (u32)idt};
    u32 vector, divisor = 1193182u / TICK_HZ;

    for (vector = 0x20; vector < 0x28; vector++)
        set_gate(vector, on_irq_low);
    for (; vector < 0x30; vector++)
        set_gate(vector, on_irq_high);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    outb(0x20, 0x11), outb(0xA0, 0x11);
    outb(0x21, 0x20), outb(0xA1, 0x28);
    outb(0x21, 4), outb(0xA1, 2);
    outb(0x21, 1), outb(0xA1, 1);
    outb(0x21, 0xFA); /* timer and cascade */
    outb(0xA1, 0x3F); /* both IDE channels */
    outb(0x43, 0x34);
    outb(0x40, (u8)divisor), outb(0x40, (u8)(divisor >> 8));
}

static void devices_init(void)
{
    u32 master;

    pci_write(3, 0x40, 0x601);                       /* PIIX4 power management at 0x600 */
    pci_write(3, 0x80, pci_read(3, 0x80) | 1);       /* and enabled, for the PM timer */
    outw(PM_ENABLE_PORT, 1u << 8);                   /* the power button */
    pci_write(1, 0x04, pci_read(1, 0x04) | 5);       /* IDE: ports and bus mastering */
    master = pci_read(1, 0x20) & 0xFFF0u;
    channels[0].bus_master = (u16)master;
    channels[1].bus_master = (u16)(master + 8);
    outb(channels[0].control, 0), outb(channels[1].control, 0);
    last_pm = inl(PM_PORT) & 0xFFFFFFu;
}

static const char *find_option(const char *line, const char *name)
{
    for (; *line; line++) {
        u32 i = 0;
        while (name[i] && line[i] == name[i])
            i++;
        if (!name[i])
            return line + i;
    }
    return 0;
}

static u32 parse_number(const char **text)
{
    u32 value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (u32)(*(*text)++ - '0');
    return value;
}

#include "guestnet.h"

static u32 option(const char *line, const char *name)
{
    const char *text = find_option(line, name);
    return text ? parse_number(&text) : 0;
}

static void options_read(const char *line)
{
    static const char *const names[4] = {" hda=", " hdb=", " hdc=", " hdd="};
    u32 i;

    guest_id = option(line, " id=");
    fill_mib = option(line, " fill=");
    set_mib = option(line, " ws=");
    dirty_mib_per_s = option(line, " dirty=");
    if (fill_mib < set_mib)
        fill_mib = set_mib;
    for (i = 0; i < 4; i++) {
        const char *text = find_option(line, names[i]);
        disks[i].index = i;
        if (!text)
            continue;
        disks[i].sectors = parse_number(&text);
        if (*text == ':') {
            text++;
            disks[i].load_mib_per_s = parse_number(&text);
        }
        disks[i].load_next = disks[i].sectors / 2;
    }
}

/* Random words: nothing on the way can compress them, and each page can be told from every other. */
static u32 page_seed(u32 page) { return (page + 1) * 2654435761u ^ guest_id ^ 0x5bd1e995u; }
static u32 next_random(u32 x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static u32 *page_at(u32 page) { return (u32 *)(MEMORY_START + page * 4096u); }

static void memory_fill(void)
{
    u32 page, word;
    for (page = 0; page < fill_mib * PAGES_PER_MIB; page++) {
        u32 *words = page_at(page), x = page_seed(page) | 1;
        for (word = 0; word < PAGE_WORDS; word++)
            words[word] = x = next_random(x);
    }
}

/* The working set is the head of the filled memory; the rest never changes and is verified round and round. */
static void memory_verify_some(void)
{
    static u32 page;
    u32 first = set_mib * PAGES_PER_MIB, end = fill_mib * PAGES_PER_MIB, count, word;

    for (count = 0; count < VERIFY_PAGES_PER_BEAT && first < end; count++) {
        u32 *words, x;
        if (page < first || page >= end)
            page = first;
        words = page_at(page);
        x = page_seed(page) | 1;
        for (word = 0; word < PAGE_WORDS; word++) {
            x = next_random(x);
            if (words[word] != x) {
                serial_line("E fill", page);
                break;
            }
        }
        page++;
    }
}

/* Pages are touched in turn, so each must still hold the number of the turn before: a page that came over stale shows. */
static void memory_dirty(u64 elapsed)
{
    static u64 credit;
    static u32 sequence, page;
    u32 pages = set_mib * PAGES_PER_MIB, rate = dirty_mib_per_s * PAGES_PER_MIB, word;

    if (!pages || !rate)
        return;
    credit += elapsed * rate;
    if (credit > (u64)PM_HZ * rate)
        credit = (u64)PM_HZ * rate;
    while (credit >= PM_HZ) {
        u32 *words = page_at(page);
        credit -= PM_HZ;
        if (sequence >= pages && words[0] != sequence - pages)
            serial_line("E stale", page);
        words[0] = sequence;
        for (word = 64; word < PAGE_WORDS; word += 64)
            words[word] = words[word] * 1664525u + sequence;
        sequence++;
        if (++page == pages)
            page = 0;
    }
}

static void command(struct channel *channel, u32 sector, u32 count, u8 opcode)
{
    u32 number = channel == &channels[1];
    u8 drive = (u8)(channel->disk->index & 1);

    outb((u16)(channel->base + 6), (u8)(0xE0 | drive << 4 | sector >> 24)); /* select before asking its status */
    while (inb((u16)(channel->base + 7)) & 0x80)
        ;
    if (count) {
        prd_table[number].address = (u32)dma_buffer[number];
        prd_table[number].bytes = (u16)(count * 512); /* 0 means 64 KiB */
        prd_table[number].flags = 0x8000;
        outb(channel->bus_master, 0);
        outl((u16)(channel->bus_master + 4), (u32)&prd_table[number]);
        outb((u16)(channel->bus_master + 2), 6);
        outb((u16)(channel->base + 2), (u8)count);
        outb((u16)(channel->base + 3), (u8)sector);
        outb((u16)(channel->base + 4), (u8)(sector >> 8));
        outb((u16)(channel->base + 5), (u8)(sector >> 16));
    }
    __asm__ volatile("" : : : "memory");
    outb((u16)(channel->base + 7), opcode);
    if (count)
        outb(channel->bus_master, 1);
}

static void write_stamped(struct channel *channel, u32 sector, u32 count, u32 kind, u32 beat)
{
    u32 *words = dma_buffer[channel == &channels[1]], i;
    for (i = 0; i < count; i++)
        sector_stamp(words + i * SECTOR_WORDS, guest_id, channel->disk->index, sector + i, kind, beat);
    command(channel, sector, count, 0xCA);
}

static int disk_start(struct channel *channel, struct disk *disk)
{
    u64 chunk = (u64)PM_HZ * LOAD_SECTORS * 512;

    if (!disk->sectors)
        return 0;
    channel->disk = disk;
    if (disk->beat_wanted != disk->beat_done) {
        disk->beat_now = disk->beat_wanted;
        channel->state = JOURNAL;
        write_stamped(channel, 1 + disk->beat_now % JOURNAL_SLOTS, 1, KIND_JOURNAL, disk->beat_now);
    } else if (disk->beat_done && (!disk->first_done || disk->beat_done - disk->beat_flushed >= FLUSH_EVERY_BEATS)) {
        disk->first_done = 1;
        disk->beat_flushed = disk->beat_done;
        channel->state = FLUSH;
        command(channel, 0, 0, 0xE7);
    } else if (disk->load_credit >= chunk) {
        disk->load_credit -= chunk;
        if (disk->load_next + LOAD_SECTORS > disk->sectors)
            disk->load_next = disk->sectors / 2;
        channel->state = LOAD;
        write_stamped(channel, disk->load_next, LOAD_SECTORS, KIND_LOAD, disk->beat_done);
        disk->load_next += LOAD_SECTORS;
    } else {
        return 0;
    }
    return 1;
}

/* Whether the running request ended; its status is read, which also withdraws the interrupt. */
static int channel_ended(struct channel *channel)
{
    u8 status;

    if (channel->state == FLUSH) {
        if (inb(channel->control) & 0x80)
            return 0;
    } else {
        if (!(inb((u16)(channel->bus_master + 2)) & 4))
            return 0;
        outb(channel->bus_master, 0);
        outb((u16)(channel->bus_master + 2), 4);
    }
    status = inb((u16)(channel->base + 7));
    if (status & 0x21)
        serial_line("E disk", channel->disk->index);
    return 1;
}

static void channel_step(struct channel *channel)
{
    u32 first = channel == &channels[1] ? 2 : 0;

    if (channel->state != IDLE) {
        if (!channel_ended(channel))
            return;
        if (channel->state == JOURNAL) {
            channel->state = HEADER;
            write_stamped(channel, 0, 1, KIND_HEADER, channel->disk->beat_now);
            return;
        }
        if (channel->state == HEADER)
            channel->disk->beat_done = channel->disk->beat_now;
        channel->state = IDLE;
    }
    channel->turn ^= 1;
    if (!disk_start(channel, &disks[first + channel->turn])) {
        channel->turn ^= 1;
        disk_start(channel, &disks[first + channel->turn]);
    }
}

/* One number stands for all disks: what the slowest has. Disks that are still busy with an older beat skip to the newest. */
static void disks_step(u32 beat, u64 elapsed)
{
    static u32 reported, asked;
    u32 i, known = 0, settled = 1;

    for (i = 0; i < 4; i++) {
        struct disk *disk = &disks[i];
        u64 rate = (u64)disk->load_mib_per_s << 20;
        if (!disk->sectors)
            continue;
        known = 1;
        disk->load_credit += elapsed * rate;
        if (disk->load_credit > (u64)PM_HZ * rate)
            disk->load_credit = (u64)PM_HZ * rate;
        if (disk->beat_done != asked)
            settled = 0;
    }
    if (!known)
        return;
    if (settled && asked != reported) {
        reported = asked;
        serial_line("D", reported);
    }
    if (settled && asked != beat) {
        asked = beat;
        for (i = 0; i < 4; i++)
            if (disks[i].sectors)
                disks[i].beat_wanted = beat;
    }
    channel_step(&channels[0]);
    channel_step(&channels[1]);
}

/* What an operating system does when it is told to shut down: it stops, flushes, and switches off. */
static void power_off(u32 beat)
{
    u32 i;

    serial_line("B", ++beat);
    for (i = 0; i < 4; i++)
        while (disks[i].sectors && disks[i].beat_done != beat)
            disks_step(beat, 0);
    for (i = 0; i < 4; i++) {
        struct channel *channel = &channels[i / 2];

        if (!disks[i].sectors)
            continue;
        while (channel->state != IDLE)
            channel_step(channel);
        channel->disk = &disks[i];
        channel->state = FLUSH;
        command(channel, 0, 0, 0xE7);
        while (!channel_ended(channel))
            ;
        channel->state = IDLE;
    }
    outw(PM_CONTROL_PORT, 0x2000);
}

void guest_main(const u32 *multiboot);
void guest_main(const u32 *multiboot)
{
    u32 beat = 0, i, word;
    u64 next_beat;

    options_read(multiboot[0] & 4 ? (const char *)multiboot[4] : "");
    outb(0x3F9, 0);
    outb(0x3FB, 3);
    outb(0x3FA, 1); /* FIFO on */
    interrupts_init();
    devices_init();
    memory_fill();
    for (i = 0; i < 2; i++)
        for (word = 0; word < LOAD_SECTORS * SECTOR_WORDS; word++)
            dma_buffer[i][word] = page_seed(word);
    net_init(multiboot[0] & 4 ? (const char *)multiboot[4] : "");
    serial_line("S", guest_id);
    last_pm = inl(PM_PORT) & 0xFFFFFFu;
    next_beat = BEAT_TICKS;
    for (;;) {
        u32 pm = inl(PM_PORT) & 0xFFFFFFu, elapsed = (pm - last_pm) & 0xFFFFFFu;
        last_pm = pm;
        now_ticks += elapsed;
        if (now_ticks >= next_beat) {
            next_beat += BEAT_TICKS;
            serial_line("B", ++beat);
            memory_verify_some();
        }
        memory_dirty(elapsed);
        disks_step(beat, elapsed);
        net_step();
        if (inw(PM_STATUS_PORT) & 1u << 8)
            power_off(beat);
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    }
}
