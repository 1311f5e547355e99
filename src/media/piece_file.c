#include "media/piece_file.h"

#include <errno.h>

#include "base/hash.h"

static const char magic[8] = {'R', 'P', 'P', 'I', 'E', 'C', 'E', '1'};

enum {
    TAG_PACKET = 1,
    TAG_END = 2,
    SIDE_MAX = 16,
    TAIL = 4 /* bytes of the CRC */,
    DELAY_MAX = 16
};

void rp_piece_settings(const struct rp_encode *encode, char text[RP_PIECE_SETTINGS])
{
    const AVCodecContext *const c = rp_encode_codec(encode);

    rp_encode_settings(encode, text, RP_PIECE_SETTINGS);
    const size_t n = strlen(text);
    snprintf(text + n, RP_PIECE_SETTINGS - n, " %dx%d %s %d/%d %d/%d libavcodec %u", c->width,
             c->height, av_get_pix_fmt_name(c->pix_fmt), c->time_base.num, c->time_base.den,
             c->framerate.num, c->framerate.den, avcodec_version());
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put(struct rp_piece_out *o, const void *data, size_t size)
{
    if (o->error || !size)
        return;
    o->crc = rp_crc32(o->crc, data, size);
    if (fwrite(data, 1, size, o->file) != size)
        o->error = errno ? errno : EIO;
}

static void put_number(struct rp_piece_out *o, uint64_t v, int bytes)
{
    uint8_t b[8];

    for (int i = 0; i < bytes; i++)
        b[i] = (uint8_t) (v >> 8 * i);
    put(o, b, (size_t) bytes);
}

static void put32(struct rp_piece_out *o, int64_t v)
{
    put_number(o, (uint64_t) v, 4);
}

static void put64(struct rp_piece_out *o, int64_t v)
{
    put_number(o, (uint64_t) v, 8);
}

void rp_piece_out_head(struct rp_piece_out *o, const struct rp_piece_head *head,
                       const uint8_t *extradata, size_t size)
{
    put(o, magic, sizeof(magic));
    put32(o, head->shape.w);
    put32(o, head->shape.h);
    put32(o, head->shape.fmt);
    put32(o, head->shape.colour.matrix);
    put32(o, head->shape.colour.full_range);
    put64(o, head->origin);
    put(o, head->settings, sizeof(head->settings));
    put32(o, (int64_t) size);
    put(o, extradata, size);
}

void rp_piece_out_packet(struct rp_piece_out *o, const AVPacket *p)
{
    int sides = 0;

    for (int i = 0; i < p->side_data_elems; i++)
        sides += p->side_data[i].type != AV_PKT_DATA_QUALITY_STATS;
    put_number(o, TAG_PACKET, 1);
    put64(o, p->pts);
    put64(o, p->dts);
    put64(o, p->duration);
    put32(o, p->flags);
    put32(o, sides);
    put32(o, p->size);
    for (int i = 0; i < p->side_data_elems; i++) {
        const AVPacketSideData *const s = &p->side_data[i];

        if (s->type == AV_PKT_DATA_QUALITY_STATS) /* for encoders of several passes */
            continue;
        put32(o, s->type);
        put32(o, (int64_t) s->size);
        put(o, s->data, s->size);
    }
    put(o, p->data, (size_t) p->size);
    o->packets++;
}

int rp_piece_out_end(struct rp_piece_out *o, const struct rp_piece_info *info)
{
    put_number(o, TAG_END, 1);
    put64(o, info->first);
    put64(o, info->last);
    put64(o, info->end);
    put64(o, o->packets);
    put32(o, o->crc);
    if (!o->error && fflush(o->file) != 0)
        o->error = errno ? errno : EIO;
    return o->error
               ? rp_fail(rp_io_status(o->error), "%s: writing: %s", o->path, strerror(o->error))
               : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Sums of a few such times stay numbers. */
static bool is_sane(int64_t time)
{
    return time > -(INT64_MAX >> 8) && time < INT64_MAX >> 8;
}

struct rp_piece_file {
    FILE *file;
    char *path;
    int64_t size, left; /* bytes; left up to the CRC */
    bool bad;
    struct rp_piece_head head;
    struct rp_piece_info info;
    uint8_t *extradata;
    uint32_t extradata_size;
    int64_t *times;  /* of all packets, rising */
    int64_t packets; /* at the beginning of which it is */
    long begin;      /* of the packets */
};

static int fail(const struct rp_piece_file *f, const char *what)
{
    return rp_fail(RP_ERR_FORMAT, "%s: %s; delete it, so that it is made again", f->path, what);
}

static void get(struct rp_piece_file *f, void *to, size_t size)
{
    memset(to, 0, size);
    if (f->bad || (uint64_t) f->left < size || fread(to, 1, size, f->file) != size)
        f->bad = true;
    else
        f->left -= (int64_t) size;
}

static uint64_t get_number(struct rp_piece_file *f, int bytes)
{
    uint8_t b[8];
    uint64_t v = 0;

    get(f, b, (size_t) bytes);
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t) b[i] << 8 * i;
    return v;
}

static uint32_t get32(struct rp_piece_file *f)
{
    return (uint32_t) get_number(f, 4);
}

static int64_t get64(struct rp_piece_file *f)
{
    return (int64_t) get_number(f, 8);
}

/* So many bytes, if the file has them. */
static bool has(struct rp_piece_file *f, uint32_t size)
{
    if (f->bad || size > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE || size > f->left)
        f->bad = true;
    return !f->bad;
}

static void skip(struct rp_piece_file *f, uint32_t size)
{
    if (!has(f, size))
        return;
    f->bad = fseeko(f->file, size, SEEK_CUR) != 0;
    f->left -= size;
}

static int check_sum(struct rp_piece_file *f)
{
    uint8_t buffer[1 << 14];
    uint32_t crc = 0;

    while (f->left > 0 && !f->bad) {
        const size_t n = (size_t) RP_MIN(f->left, (int64_t) sizeof(buffer));
        get(f, buffer, n);
        crc = rp_crc32(crc, buffer, n);
    }
    f->left = TAIL;
    if (get32(f) != crc || f->bad)
        return fail(f, "the piece is cut short or damaged");
    rewind(f->file);
    f->left = f->size - TAIL;
    return 0;
}

static int read_head(struct rp_piece_file *f)
{
    char found[sizeof(magic)];
    struct rp_piece_head *const h = &f->head;

    get(f, found, sizeof(found));
    const uint32_t w = get32(f), height = get32(f), fmt = get32(f), matrix = get32(f);
    const uint32_t full = get32(f);
    h->origin = get64(f);
    get(f, h->settings, sizeof(h->settings));
    h->settings[sizeof(h->settings) - 1] = 0;
    f->extradata_size = get32(f);
    if (f->bad || memcmp(found, magic, sizeof(magic)) != 0)
        return fail(f, "this is no piece of a video");
    RP_CHECK(rp_size_check(f->path, w, height));
    if (fmt >= RP_FMT_COUNT || matrix > RP_MATRIX_BT2020 || full > 1 || !has(f, f->extradata_size))
        return fail(f, "the head of the piece is damaged");
    h->shape = (struct rp_encode_shape){
        (int) w, (int) height, (enum rp_pixfmt) fmt, {(enum rp_matrix) matrix, full}};
    if (!(f->extradata = malloc(f->extradata_size + 1)))
        return RP_NOMEM(f->path);
    get(f, f->extradata, f->extradata_size);
    return 0;
}

/* What stands before side data and data. */
struct record {
    int64_t pts, dts, duration;
    uint32_t flags, sides, size;
};

static struct record get_record(struct rp_piece_file *f)
{
    struct record r = {0};

    r.pts = get64(f);
    r.dts = get64(f);
    r.duration = get64(f);
    r.flags = get32(f);
    r.sides = get32(f);
    r.size = get32(f);
    /* times that sums cannot overflow with */
    f->bad |= r.sides > SIDE_MAX || !is_sane(r.pts) || !is_sane(r.duration) || r.duration < 0;
    return r;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}

static int add_time(struct rp_piece_file *f, int64_t pts)
{
    const int64_t n = f->info.packets++;

    if (!(n & (n - 1))) { /* a power of two */
        int64_t *const more = realloc(f->times, (size_t) RP_MAX(2 * n, 1) * sizeof(*more));
        if (!more)
            return RP_NOMEM(f->path);
        f->times = more;
    }
    f->times[n] = pts;
    return 0;
}

static int look_through(struct rp_piece_file *f)
{
    uint32_t tag;

    while ((tag = (uint32_t) get_number(f, 1)) == TAG_PACKET && !f->bad) {
        const struct record r = get_record(f);

        for (uint32_t i = 0; i < r.sides && !f->bad; i++) {
            f->bad |= get32(f) >= AV_PKT_DATA_NB;
            skip(f, get32(f));
        }
        skip(f, r.size);
        if (!f->bad)
            RP_CHECK(add_time(f, r.pts));
    }
    f->info.first = get64(f);
    f->info.last = get64(f);
    f->info.end = get64(f);
    f->info.bytes = f->size;
    const int64_t packets = get64(f);
    if (f->bad || tag != TAG_END || f->left || packets != f->info.packets || f->info.first < 0 ||
        f->info.last < f->info.first || !is_sane(f->info.end) || !is_sane(f->head.origin))
        return fail(f, "the packets of the piece are damaged");
    if (f->times)
        qsort(f->times, (size_t) packets, sizeof(*f->times), compare);
    for (int64_t i = 1; f->times && i < packets; i++)
        if (f->times[i] == f->times[i - 1])
            return fail(f, "two frames of the piece have one time");
    return 0;
}

int rp_piece_file_take(struct rp_piece_file **out, FILE *file, const char *path)
{
    int ret;
    struct rp_piece_file *const f = *out = calloc(1, sizeof(*f));

    if (!f || !(f->path = strdup(path))) {
        fclose(file);
        ret = RP_NOMEM(path);
        goto fail;
    }
    f->file = file;
    if (fseeko(file, 0, SEEK_END) || (f->size = ftello(file)) < 0) {
        ret = rp_fail(rp_io_status(errno), "%s: reading: %s", path, strerror(errno));
        goto fail;
    }
    rewind(file);
    f->left = RP_MAX(f->size - TAIL, 0);
    RP_TRY(check_sum(f));
    RP_TRY(read_head(f));
    f->begin = ftell(file);
    const int64_t left = f->left;
    RP_TRY(look_through(f));
    if (fseek(file, f->begin, SEEK_SET)) {
        ret = rp_fail(rp_io_status(errno), "%s: reading: %s", path, strerror(errno));
        goto fail;
    }
    f->left = left;
    return 0;
fail:
    rp_piece_file_close(out);
    return ret;
}

int rp_piece_file_open(struct rp_piece_file **out, const char *path)
{
    FILE *const file = fopen(path, "rbe");

    *out = NULL;
    return file ? rp_piece_file_take(out, file, path)
                : rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
}

void rp_piece_file_close(struct rp_piece_file **file)
{
    struct rp_piece_file *const f = *file;

    if (!f)
        return;
    if (f->file)
        fclose(f->file);
    free(f->path);
    free(f->extradata);
    free(f->times);
    free(f);
    *file = NULL;
}

const struct rp_piece_head *rp_piece_file_head(const struct rp_piece_file *f)
{
    return &f->head;
}

const struct rp_piece_info *rp_piece_file_info(const struct rp_piece_file *f)
{
    return &f->info;
}

/* Side data of one kind and the bytes of it. */
static int read_side(struct rp_piece_file *f, AVPacket *p)
{
    const uint32_t type = get32(f), size = get32(f);

    if (!has(f, size) || type >= AV_PKT_DATA_NB)
        return fail(f, "it changed while it was read");
    uint8_t *const to = av_packet_new_side_data(p, (enum AVPacketSideDataType) type, size);
    if (!to)
        return RP_NOMEM(f->path);
    get(f, to, size);
    return 0;
}

int rp_piece_file_next(struct rp_piece_file *f, AVPacket *p)
{
    if (f->packets == f->info.packets)
        return 0;
    f->packets++;
    get_number(f, 1);
    const struct record r = get_record(f);
    for (uint32_t i = 0; i < r.sides && !f->bad; i++)
        RP_CHECK(read_side(f, p));
    AVBufferRef *const data =
        has(f, r.size) ? av_buffer_allocz(r.size + AV_INPUT_BUFFER_PADDING_SIZE) : NULL;
    if (!f->bad && !data)
        return RP_NOMEM(f->path);
    if (data) {
        p->buf = data;
        p->data = data->data;
        p->size = (int) r.size;
        get(f, p->data, r.size);
    }
    p->pts = r.pts;
    p->dts = r.dts;
    p->duration = r.duration;
    p->flags = (int) r.flags;
    return f->bad ? fail(f, "it changed while it was read") : 1;
}

static bool same_shape(const struct rp_encode_shape *a, const struct rp_encode_shape *b)
{
    return a->w == b->w && a->h == b->h && a->fmt == b->fmt &&
           a->colour.matrix == b->colour.matrix && a->colour.full_range == b->colour.full_range;
}

int rp_piece_file_fits(const struct rp_piece_file *f, const struct rp_encode *encode,
                       const struct rp_piece_head *head)
{
    char settings[RP_PIECE_SETTINGS];
    const AVCodecContext *const c = rp_encode_codec(encode);

    rp_piece_settings(encode, settings);
    if (strcmp(settings, f->head.settings) != 0)
        return rp_fail(RP_ERR_FORMAT,
                       "%s: the piece was encoded as '%s', the video is '%s'; make "
                       "it again with the settings of the others",
                       f->path, f->head.settings, settings);
    if (!same_shape(&f->head.shape, &head->shape) || f->head.origin != head->origin)
        return rp_fail(RP_ERR_FORMAT,
                       "%s: the piece is of another video, or of another part of it, "
                       "than the first piece",
                       f->path);
    if ((uint32_t) c->extradata_size != f->extradata_size ||
        (f->extradata_size && memcmp(c->extradata, f->extradata, f->extradata_size) != 0))
        return rp_fail(RP_ERR_FORMAT,
                       "%s: the headers of the piece differ from those that %s makes "
                       "here; use the same version of it for all pieces",
                       f->path, c->codec->name);
    return 0;
}

/* ---- times ----------------------------------------------------------------------------------- */

int rp_piece_clock_begin(struct rp_piece_clock *clock, const struct rp_encode *encode)
{
    const AVCodecContext *const c = rp_encode_codec(encode);

    *clock = (struct rp_piece_clock){
        .step = RP_MAX(av_rescale_q(1, av_inv_q(c->framerate), c->time_base), 1),
        .newest = INT64_MIN,
    };
    return rp_encode_delay(encode, &clock->delay);
}

/* Of the frames before the first is shown: the distances of the frames are theirs too. */
static int64_t before_first(const struct rp_piece_clock *k, const struct rp_piece_file *f)
{
    const int64_t i = k->count;

    if (f->packets == i + 1 && f->info.packets > k->delay) /* in the first piece */
        return f->times[i] - (f->times[k->delay] - f->times[0]);
    return k->first - (k->delay - i) * k->step;
}

int rp_piece_clock_set(struct rp_piece_clock *k, const struct rp_piece_file *f, AVPacket *p)
{
    const int64_t time = f->times[f->packets - 1];

    if (k->count == 0)
        k->first = time;
    p->dts = k->delay == 0         ? p->pts
             : k->count < k->delay ? before_first(k, f)
                                   : k->last[(k->count - k->delay) % RP_PIECE_DELAY_MAX];
    k->last[k->count++ % RP_PIECE_DELAY_MAX] = time;
    if (f->packets == 1 && time <= k->newest)
        return fail(f, "the piece begins before the one before it ends");
    k->newest = RP_MAX(k->newest, time);
    return p->dts <= p->pts ? 0 : fail(f, "the packets of the piece are in an impossible order");
}
