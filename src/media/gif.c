/* What libav does not tell about a GIF, or does not let one say: how often it is played, and what
 * becomes of a frame before the next. All sizes come from the file. */
#include "media/keep.h"

#include <stdio.h>
#include <string.h>

#define HEAD 13 /* signature, size, flags, background, aspect */
#define COLOUR_TABLE(flags) ((flags) &0x80 ? (size_t) 3 << (((flags) &7) + 1) : 0)

static bool skip(FILE *f, size_t n)
{
    return fseek(f, (long) n, SEEK_CUR) == 0;
}

/* Sub-blocks up to the empty one. */
static bool skip_blocks(FILE *f)
{
    for (int n; (n = getc(f)) != EOF;) {
        if (n == 0)
            return true;
        if (!skip(f, (size_t) n))
            return false;
    }
    return false;
}

/* An application's extension, after its label. True if it tells the number. */
static bool read_application(FILE *f, int *loop)
{
    uint8_t name[12], body[4];

    if (fread(name, 1, sizeof(name), f) != sizeof(name) || name[0] != 11)
        return false;
    if (memcmp(name + 1, "NETSCAPE2.0", 11) != 0 && memcmp(name + 1, "ANIMEXTS1.0", 11) != 0)
        return false;
    if (fread(body, 1, sizeof(body), f) != sizeof(body) || body[0] != 3 || (body[1] & 7) != 1)
        return false;
    *loop = body[2] | body[3] << 8;
    return true;
}

static bool skip_picture(FILE *f)
{
    uint8_t head[9];

    return fread(head, 1, sizeof(head), f) == sizeof(head) &&
           skip(f, COLOUR_TABLE(head[8]) + 1 /* bits of a code */) && skip_blocks(f);
}

/* The next block; false when there is no more to be looked at. */
static bool read_block(FILE *f, int *loop)
{
    switch (getc(f)) {
    case 0x21: { /* extension */
        if (getc(f) != 0xff)
            return skip_blocks(f);
        const long at = ftell(f);
        if (read_application(f, loop))
            return false;
        return at >= 0 && fseek(f, at, SEEK_SET) == 0 && skip_blocks(f);
    }
    case 0x2c:
        return skip_picture(f);
    default: /* the end, or damage */
        return false;
    }
}

int rp_gif_loop(const char *path)
{
    uint8_t head[HEAD];
    int loop = RP_LOOP_UNKNOWN;
    FILE *const f = fopen(path, "rbe");

    if (!f)
        return loop;
    if (fread(head, 1, HEAD, f) == HEAD && !memcmp(head, "GIF8", 4)) {
        loop = -1;
        if (skip(f, COLOUR_TABLE(head[10])))
            while (read_block(f, &loop))
                ;
    }
    fclose(f);
    return loop;
}

void rp_gif_dispose(uint8_t *data, size_t size)
{
    const bool first = size >= HEAD && !memcmp(data, "GIF8", 4);
    const size_t at = first ? HEAD + COLOUR_TABLE(data[10]) : 0;

    if (at < size && size - at >= 8 && data[at] == 0x21 && data[at + 1] == 0xf9) {
        if (!(data[at + 3] & 1)) /* an opaque frame: its colours are 0 to 254 at most */
            data[at + 6] = 255;
        data[at + 3] = (uint8_t) ((data[at + 3] & ~0x1c) | 2 << 2 | 1);
    }
}
