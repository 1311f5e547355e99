#include "media/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/intreadwrite.h>

#define BOXES_MAX 1000000    /* of one level: a file that has more is not walked to its end */
#define HEAD_MAX 4096        /* bytes in which the fields of FLV and ASF are looked for */
#define STREAMED 0x7fff0000u /* and more: sizes that writers to a pipe put in */

struct file {
    int fd;
    int64_t size;
};

/* All n bytes at a place, or false. */
static bool get(const struct file *f, int64_t at, void *to, size_t n)
{
    return at >= 0 && at <= f->size && (int64_t) n <= f->size - at &&
           pread(f->fd, to, n, at) == (ssize_t) n;
}

static void promise(struct rp_whole *w, int64_t end)
{
    w->promises = true;
    if (end > w->size) {
        w->cut = true;
        w->should = end;
    }
}

/* ---- MP4, MOV -------------------------------------------------------------------------------- */

/* The end of the box at `at`, or -1 if it is none. */
static int64_t box_end(const struct file *f, int64_t at, char type[4])
{
    uint8_t head[16] = {0};

    if (!get(f, at, head, 8))
        return -1;
    memcpy(type, head + 4, 4);
    uint64_t size = AV_RB32(head);
    if (size == 1)
        size = get(f, at, head, 16) ? AV_RB64(head + 8) : 0;
    if (size == 0) /* up to the end, whatever that is */
        return f->size;
    return size < 8 || size > INT64_MAX - (uint64_t) at ? -1 : at + (int64_t) size;
}

/* Only what holds samples or says where they are; what follows it may be anything. */
static void look_at_boxes(struct rp_whole *w, const struct file *f)
{
    static const char *const known[] = {"mdat", "moof", "moov"};
    char type[4];

    w->promises = true;
    for (int64_t at = 0, n = 0, end; n < BOXES_MAX && (end = box_end(f, at, type)) > at; n++) {
        for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
            if (!memcmp(type, known[i], 4))
                promise(w, end);
        at = end;
    }
}

static bool is_mov(const AVFormatContext *ic)
{
    return !strncmp(ic->iformat->name, "mov,", 4);
}

/* Has it boxes "moof"? Then the index grows while it is read. */
static bool has_fragments(const struct file *f)
{
    char type[4];

    for (int64_t at = 0, n = 0, end; n < BOXES_MAX && (end = box_end(f, at, type)) > at; n++) {
        if (!memcmp(type, "moof", 4))
            return true;
        at = end;
    }
    return false;
}

void rp_whole_samples(const struct rp_whole *whole, const AVFormatContext *ic, const AVStream *st,
                      int64_t *promised, int64_t *there)
{
    AVStream *const any = (AVStream *) st; /* asking changes nothing */
    const int n = is_mov(ic) ? avformat_index_get_entries_count(any) : 0;

    *promised = *there = 0;
    for (int i = 0; i < n; i++) {
        const AVIndexEntry *const e = avformat_index_get_entry(any, i);
        if (!e || (e->flags & AVINDEX_DISCARD_FRAME))
            continue;
        ++*promised;
        *there += e->pos <= whole->size && e->size <= whole->size - e->pos;
    }
}

static void look_at_mov(struct rp_whole *w, const struct file *f, const AVFormatContext *ic)
{
    int64_t promised, there;

    w->promises = true;
    if (has_fragments(f)) {
        look_at_boxes(w, f);
        return;
    }
    for (unsigned i = 0; i < ic->nb_streams; i++) {
        rp_whole_samples(w, ic, ic->streams[i], &promised, &there);
        w->cut |= there < promised;
    }
    if (w->cut) /* the box says how long it should be; at least one byte is missing */
        look_at_boxes(w, f);
    w->should = w->cut ? RP_MAX(w->should, w->size + 1) : 0;
}

/* ---- Matroska -------------------------------------------------------------------------------- */

/* A number of 1 to 8 bytes; its length, or 0. `keep`: with the mark, as in an ID. All bits set, an
 * unknown size, give -1. */
static int ebml(const struct file *f, int64_t at, bool keep, int64_t *value)
{
    uint8_t b[8];
    int n = 1;

    if (!get(f, at, b, 1) || !b[0])
        return 0;
    while (!(b[0] & (0x80 >> (n - 1))))
        n++;
    if (!get(f, at, b, (size_t) n))
        return 0;
    uint64_t v = keep ? b[0] : b[0] & (0x7f >> (n - 1));
    for (int i = 1; i < n; i++)
        v = v << 8 | b[i];
    *value = !keep && v == (UINT64_C(1) << 7 * n) - 1 ? -1 : (int64_t) v;
    return n;
}

static void look_at_matroska(struct rp_whole *w, const struct file *f)
{
    int64_t id, size, at = 0;

    for (int i = 0; i < 8; i++) { /* the head, perhaps something void, the segment */
        const int a = ebml(f, at, true, &id);
        const int b = a ? ebml(f, at + a, false, &size) : 0;
        if (!b)
            return;
        at += a + b;
        if (id == 0x18538067) {
            if (size >= 0 && size <= INT64_MAX - at)
                promise(w, at + size);
            return;
        }
        if (size < 0 || size > f->size - at)
            return;
        at += size;
    }
}

/* ---- RIFF: AVI, WAV -------------------------------------------------------------------------- */

/* The chunk `id` (of a list: its kind), wherever it lies in the file's RIFF chunks. */
static void look_at_riff(struct rp_whole *w, const struct file *f, const char *id)
{
    uint8_t head[12];
    int64_t at = 0;

    for (int n = 0; n < BOXES_MAX && get(f, at, head, 8); n++) {
        const uint32_t size = AV_RL32(head + 4);
        const bool list = !memcmp(head, "LIST", 4), riff = !memcmp(head, "RIFF", 4);
        if ((list || riff) && !get(f, at, head, 12))
            return;
        if (riff) {
            at += 12;
            continue;
        }
        if (!memcmp(list ? head + 8 : head, id, 4)) {
            if (size > 4 && size < STREAMED)
                promise(w, at + 8 + size);
            else
                return; /* it was never filled in */
        }
        at += 8 + (int64_t) size + (size & 1);
    }
}

/* ---- fields of FLV and ASF ------------------------------------------------------------------- */

/* Each is followed by its size. */
static void look_at_last_tag(struct rp_whole *w, const struct file *f)
{
    uint8_t b[4];

    w->torn = true;
    if (!get(f, f->size - 4, b, 4))
        return;
    const int64_t size = AV_RB32(b);
    w->torn = size < 11 || !get(f, f->size - 4 - size, b, 4) || AV_RB24(b + 1) + 11 != size;
}

static void look_at_flv(struct rp_whole *w, const struct file *f)
{
    static const char key[] = "\0\10filesize"; /* its length, and then a number */
    uint8_t head[HEAD_MAX];
    const size_t n = (size_t) RP_MIN(f->size, HEAD_MAX), len = sizeof(key) - 1;

    if (!get(f, 0, head, n))
        return;
    const uint8_t *const p = memmem(head, n, key, len);
    if (!p || (size_t) (head + n - p) < len + 9 || p[len] != 0) {
        look_at_last_tag(w, f);
        return;
    }
    const double size = av_int2double(AV_RB64(p + len + 1));
    if (size >= 1 && size < 1e15)
        promise(w, (int64_t) size);
}

static void look_at_asf(struct rp_whole *w, const struct file *f)
{
    static const uint8_t guid[16] = {0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11,
                                     0x8e, 0xe4, 0x00, 0xc0, 0x0c, 0x20, 0x53, 0x65};
    uint8_t head[HEAD_MAX];
    const size_t n = (size_t) RP_MIN(f->size, HEAD_MAX);

    if (!get(f, 0, head, n))
        return;
    const uint8_t *const p = memmem(head, n, guid, sizeof(guid));
    if (!p || head + n - p < 92 || (AV_RL32(p + 88) & 1))
        return;
    const uint64_t size = AV_RL64(p + 40);
    if (size > 0 && size < INT64_MAX)
        promise(w, (int64_t) size);
}

/* ---- what promises nothing ------------------------------------------------------------------- */

/* Blocks up to the trailer. One that lacks only the trailer has lost no picture that began. */
static void look_at_gif(struct rp_whole *w, const struct file *f)
{
    uint8_t b[13];
    int64_t at = 13;

#define TABLE(flags) ((flags) &0x80 ? INT64_C(3) << (((flags) &7) + 1) : 0)
    if (!get(f, 0, b, 13))
        return;
    w->promises = true;
    at += TABLE(b[10]);
    while (get(f, at, b, 1)) {
        if (b[0] == 0x2c && get(f, at, b, 10))
            at += 11 + TABLE(b[9]);
        else if (b[0] == 0x21)
            at += 2;
        else if (b[0] == 0) { /* some put zeros between blocks */
            at++;
            continue;
        } else {
            if (b[0] != 0x3b) /* no GIF any more */
                promise(w, w->size + 1);
            return;
        }
        while (get(f, at, b, 1) && b[0])
            at += 1 + b[0];
        promise(w, ++at);
    }
    w->torn = !w->cut;
#undef TABLE
}

/* Nothing says where it should end, but it ends within something of a stated length. */
static void cut_within(struct rp_whole *w)
{
    w->cut = true;
    w->should = w->size + 1;
}

/* The last page. A stream that was stopped has none that says it is the last. */
static void look_at_ogg(struct rp_whole *w, const struct file *f)
{
    uint8_t tail[65536 + 300];
    const size_t n = (size_t) RP_MIN(f->size, (int64_t) sizeof(tail));

    if (!get(f, f->size - (int64_t) n, tail, n))
        return;
    for (size_t i = n < 28 ? 0 : n - 27; i-- > 0;)
        if (!memcmp(tail + i, "OggS", 4)) {
            size_t end = i + 27 + tail[i + 26];
            for (size_t k = i + 27; k < RP_MIN(i + 27 + tail[i + 26], n); k++)
                end += tail[k];
            const bool last = tail[i + 5] & 4;
            w->torn = !last;
            if (end > n || (!last && end < n)) /* within it, or within the head of the next */
                cut_within(w);
            return;
        }
    w->torn = true;
}

/* The first frame of most encoders tells the bytes from itself on. Tags at the end may be missing
 * or not, and errors there mean nothing. */
static void look_at_mp3(struct rp_whole *w, const struct file *f)
{
    uint8_t head[HEAD_MAX];
    int64_t at = 0;

    if (get(f, 0, head, 10) && !memcmp(head, "ID3", 3))
        at = 10 + ((head[6] & 127) << 21 | (head[7] & 127) << 14 | (head[8] & 127) << 7 |
                   (head[9] & 127));
    const size_t n = (size_t) RP_CLAMP(f->size - at, 0, 64);
    if (n < 64 || !get(f, at, head, n) || head[0] != 0xff || (head[1] & 0xe0) != 0xe0)
        return;
    const uint8_t *p = memmem(head, n - 16, "Xing", 4);
    p = p ? p : memmem(head, n - 16, "Info", 4);
    if (!p || (p[7] & 3) != 3 || at + (int64_t) AV_RB32(p + 12) <= w->size)
        return;
    w->cut = true;
    w->should = at + (int64_t) AV_RB32(p + 12);
}

/* Packets of 188, 192 or 204 bytes. */
static void look_at_ts(struct rp_whole *w, const struct file *f)
{
    static const int sizes[] = {188, 192, 204};
    uint8_t b;

    for (size_t i = 0; i < RP_ARRAY_LEN(sizes); i++) {
        bool fits = true;
        for (int64_t k = 0; k < 8 && fits && k * sizes[i] < f->size; k++)
            fits = get(f, k * sizes[i] + (sizes[i] == 192 ? 4 : 0), &b, 1) && b == 0x47;
        if (fits) {
            if (f->size % sizes[i] != 0)
                cut_within(w);
            return;
        }
    }
}

/* The packets of an MPEG program stream after its last pack header. */
static void look_at_ps(struct rp_whole *w, const struct file *f)
{
    static const uint8_t pack[4] = {0, 0, 1, 0xba};
    uint8_t tail[65536 + 14], b[14];
    const size_t n = (size_t) RP_MIN(f->size, (int64_t) sizeof(tail));
    const uint8_t *last = NULL;

    if (!get(f, f->size - (int64_t) n, tail, n))
        return;
    for (const uint8_t *p = tail; (p = memmem(p, (size_t) (tail + n - p), pack, 4)); p++)
        last = p;
    int64_t at = last ? f->size - (tail + n - last) : f->size;
    while (at < f->size) {
        const size_t head = (size_t) RP_MIN(f->size - at, 14);
        if (!get(f, at, b, head) || memcmp(b, pack, RP_MIN(head, 3)) != 0 ||
            (head > 3 && (b[3] < 0xba || (b[3] != 0xba && head > 5 && !AV_RB16(b + 4)))))
            return; /* something else, the code of the end, or no length */
        at += head < 6              ? 6
              : b[3] != 0xba        ? 6 + AV_RB16(b + 4)
              : (b[4] & 0xc0) != 64 ? 12
                                    : 14 + (head > 13 ? b[13] & 7 : 0);
    }
    if (at > f->size)
        cut_within(w);
}

/* ---------------------------------------------------------------------------------------------- */

int rp_whole_look(struct rp_whole *out, const char *path, const AVFormatContext *ic)
{
    struct stat st;
    const char *const format = ic->iformat->name;
    struct file f = {.fd = open(path, O_RDONLY | O_CLOEXEC)};

    *out = (struct rp_whole){0};
    if (f.fd < 0)
        return rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
    if (fstat(f.fd, &st) == 0) {
        out->size = f.size = st.st_size;
        if (is_mov(ic))
            look_at_mov(out, &f, ic);
        else if (!strncmp(format, "matroska", 8))
            look_at_matroska(out, &f);
        else if (!strcmp(format, "avi"))
            look_at_riff(out, &f, "movi");
        else if (!strcmp(format, "wav"))
            look_at_riff(out, &f, "data");
        else if (!strcmp(format, "flv"))
            look_at_flv(out, &f);
        else if (!strcmp(format, "asf"))
            look_at_asf(out, &f);
        else if (!strcmp(format, "gif"))
            look_at_gif(out, &f);
        else if (!strcmp(format, "ogg"))
            look_at_ogg(out, &f);
        else if (!strcmp(format, "mp3"))
            look_at_mp3(out, &f);
        else if (!strcmp(format, "mpegts"))
            look_at_ts(out, &f);
        else if (!strcmp(format, "mpeg"))
            look_at_ps(out, &f);
    }
    close(f.fd);
    return 0;
}
