/* The guest's network: an NE2000 (PCI) that answers ARP and ping for one address, so that others can see on the wire where the guest
 * is. Included by guest.c, whose ports and memory helpers it uses. Polled with every tick; nothing is sent unasked: what tells the
 * switches of a move is QEMU's own announcement. */

#define NET_FIRST_PAGE 0x46u /* of 256 bytes; the six before are the transmit buffer */
#define NET_END_PAGE 0x80u
#define NET_SEND_PAGE 0x40u
#define NET_FRAME_MAX 1514u
#define NET_FRAMES_PER_TICK 8u

static u16 net_port; /* 0: no card */
static u32 net_next;
static u8 net_mac[6], net_address[4];
static u8 net_frame[NET_FRAME_MAX + 2];

static void net_transfer_begin(u32 address, u32 length, u8 command)
{
    outb(net_port, 0x22);
    outb((u16)(net_port + 0xA), (u8)length), outb((u16)(net_port + 0xB), (u8)(length >> 8));
    outb((u16)(net_port + 8), (u8)address), outb((u16)(net_port + 9), (u8)(address >> 8));
    outb(net_port, command);
}

static void net_read(u32 address, u8 *bytes, u32 length)
{
    net_transfer_begin(address, length, 0x0A);
    while (length--)
        *bytes++ = inb((u16)(net_port + 0x10));
    outb((u16)(net_port + 7), 0x40);
}

static void net_send(const u8 *bytes, u32 length)
{
    u32 i;

    if (length < 60)
        length = 60;
    net_transfer_begin(NET_SEND_PAGE << 8, length, 0x12);
    for (i = 0; i < length; i++)
        outb((u16)(net_port + 0x10), bytes[i]);
    outb((u16)(net_port + 7), 0x40);
    outb((u16)(net_port + 4), NET_SEND_PAGE);
    outb((u16)(net_port + 5), (u8)length), outb((u16)(net_port + 6), (u8)(length >> 8));
    outb(net_port, 0x26);
}

static void net_start(void)
{
    u8 prom[12];
    u32 i;

    outb((u16)(net_port + 0x1F), inb((u16)(net_port + 0x1F)));
    outb(net_port, 0x21);
    outb((u16)(net_port + 0xE), 0x48); /* byte by byte */
    net_read(0, prom, sizeof prom);    /* each byte stands there twice */
    outb(net_port, 0x21);
    outb((u16)(net_port + 0xC), 0x04); /* its own frames and broadcasts */
    outb((u16)(net_port + 0xD), 0);
    outb((u16)(net_port + 1), NET_FIRST_PAGE), outb((u16)(net_port + 2), NET_END_PAGE), outb((u16)(net_port + 3), NET_FIRST_PAGE);
    outb((u16)(net_port + 7), 0xFF), outb((u16)(net_port + 0xF), 0);
    outb(net_port, 0x61);
    for (i = 0; i < 6; i++) {
        net_mac[i] = prom[2 * i];
        outb((u16)(net_port + 1 + i), net_mac[i]);
    }
    net_next = NET_FIRST_PAGE + 1;
    outb((u16)(net_port + 7), (u8)net_next);
    outb(net_port, 0x22);
}

static void net_init(const char *line)
{
    const char *text = find_option(line, " ip=");
    u32 device, i;

    for (i = 0; text && i < 4; i++, text += *text == '.')
        net_address[i] = (u8)parse_number(&text);
    for (device = 0; text && device < 32; device++) {
        u32 base = 0x80000000u | device << 11;
        outl(0xCF8, base);
        if (inl(0xCFC) != 0x802910ECu)
            continue;
        outl(0xCF8, base | 4);
        i = inl(0xCFC) | 1; /* its ports */
        outl(0xCF8, base | 4);
        outl(0xCFC, i);
        outl(0xCF8, base | 0x10);
        net_port = (u16)(inl(0xCFC) & 0xFFF0u);
        net_start();
        return;
    }
}

static int is_ours(const u8 *address)
{
    return address[0] == net_address[0] && address[1] == net_address[1] && address[2] == net_address[2] && address[3] == net_address[3];
}

static void copy(u8 *to, const u8 *from, u32 length)
{
    while (length--)
        *to++ = *from++;
}

static void net_answer(u8 *frame, u32 length)
{
    u32 sum;

    if (frame[12] == 8 && frame[13] == 6 && frame[21] == 1 && is_ours(frame + 38)) { /* who has our address? */
        frame[21] = 2;
        copy(frame + 32, frame + 22, 10);
        copy(frame + 22, net_mac, 6);
        copy(frame + 28, net_address, 4);
    } else if (frame[12] == 8 && frame[13] == 0 && frame[14] == 0x45 && frame[23] == 1 && is_ours(frame + 30) && frame[34] == 8) { /* ping */
        copy(frame + 30, frame + 26, 4);
        copy(frame + 26, net_address, 4);
        frame[34] = 0;
        sum = (u32)(frame[36] << 8 | frame[37]) + 0x0800u;
        sum += sum >> 16;
        frame[36] = (u8)(sum >> 8), frame[37] = (u8)sum;
    } else {
        return;
    }
    copy(frame, frame + 6, 6);
    copy(frame + 6, net_mac, 6);
    net_send(frame, length);
}

static void net_step(void)
{
    u32 count;

    for (count = 0; net_port && count < NET_FRAMES_PER_TICK; count++) {
        u8 header[4];
        u32 current, length;

        outb(net_port, 0x62);
        current = inb((u16)(net_port + 7));
        outb(net_port, 0x22);
        if (current == net_next)
            return;
        net_read(net_next << 8, header, 4);
        length = (u32)(header[2] | header[3] << 8) - 4;
        if (length <= NET_FRAME_MAX && header[1] >= NET_FIRST_PAGE && header[1] < NET_END_PAGE) {
            net_read((net_next << 8) + 4, net_frame, length);
            net_next = header[1];
            net_answer(net_frame, length);
        } else {
            net_next = current; /* the ring ran over: what is in it is lost */
        }
        outb((u16)(net_port + 3), (u8)(net_next == NET_FIRST_PAGE ? NET_END_PAGE - 1 : net_next - 1));
    }
}
