#include "media/expect.h"

#define HELD_MAX 64 /* frames that a codec may hold back to put them in order */
#define TINY 256    /* bytes of a packet that may hold no picture: only a delimiter, or messages */

static bool is_one_each(const AVFormatContext *ic, const AVCodecParameters *par)
{
    static const enum AVCodecID known[] = {AV_CODEC_ID_H264, AV_CODEC_ID_HEVC,   AV_CODEC_ID_VP9,
                                           AV_CODEC_ID_AV1,  AV_CODEC_ID_PRORES, AV_CODEC_ID_MJPEG};
    const bool fields = par->field_order > AV_FIELD_PROGRESSIVE;

    if (fields || (strncmp(ic->iformat->name, "mov,", 4) != 0 &&
                   strncmp(ic->iformat->name, "matroska", 8) != 0))
        return false;
    for (size_t i = 0; i < RP_ARRAY_LEN(known); i++)
        if (known[i] == par->codec_id)
            return true;
    return false;
}

/* From the head of MP4 and Matroska. */
static int length_size(const AVCodecParameters *par)
{
    const uint8_t *const x = par->extradata;

    if (par->codec_id == AV_CODEC_ID_H264 && par->extradata_size > 6 && x[0] == 1)
        return (x[4] & 3) + 1;
    return par->codec_id == AV_CODEC_ID_HEVC && par->extradata_size > 22 && x[0] == 1
               ? (x[21] & 3) + 1
               : 0;
}

/* Has a tiny packet a part of a picture in it? */
static bool has_picture(const struct rp_expect *e, const AVPacket *p)
{
    const bool hevc = e->codec == AV_CODEC_ID_HEVC;

    for (int at = 0; e->length && p->size - at > e->length;) {
        uint32_t size = 0;
        for (int i = 0; i < e->length; i++)
            size = size << 8 | p->data[at++];
        const int type = hevc ? p->data[at] >> 1 & 63 : p->data[at] & 31;
        if (hevc ? type <= 21 : type == 1 || type == 5)
            return true;
        if (size > (uint32_t) (p->size - at))
            break;
        at += (int) size;
    }
    return false;
}

void rp_expect_begin(struct rp_expect *e, const AVFormatContext *ic, const AVStream *st,
                     int threads)
{
    *e = (struct rp_expect){
        .patience = HELD_MAX + 2 * threads, .key = AV_NOPTS_VALUE, .first = AV_NOPTS_VALUE};
    e->codec = st->codecpar->codec_id;
    e->length = length_size(st->codecpar);
    e->on = e->patience < RP_EXPECT_ROOM / 2 && is_one_each(ic, st->codecpar);
}

static void drop(struct rp_expect *e, int i)
{
    e->count--;
    memmove(e->pts + i, e->pts + i + 1, sizeof(*e->pts) * (size_t) (e->count - i));
    memmove(e->sent + i, e->sent + i + 1, sizeof(*e->sent) * (size_t) (e->count - i));
    memmove(e->begins + i, e->begins + i + 1, sizeof(*e->begins) * (size_t) (e->count - i));
}

void rp_expect_packet(struct rp_expect *e, const AVPacket *p)
{
    const bool first = !e->begun;

    e->begun = true;
    if (!e->on || (p->flags & AV_PKT_FLAG_DISCARD) || p->size == 0)
        return;
    if (p->pts == AV_NOPTS_VALUE || e->count == RP_EXPECT_ROOM) {
        e->on = false;
        return;
    }
    if (p->flags & AV_PKT_FLAG_KEY)
        e->key = p->pts;
    else if (e->key == AV_NOPTS_VALUE || p->pts < e->key)
        return;
    if (p->size < TINY && !has_picture(e, p))
        return;
    e->pts[e->count] = p->pts;
    e->begins[e->count] = first && (p->flags & AV_PKT_FLAG_KEY);
    e->sent[e->count++] = e->came;
}

void rp_expect_frame(struct rp_expect *e, const AVFrame *f)
{
    if (!e->on)
        return;
    if (f->interlaced_frame || f->pts == AV_NOPTS_VALUE) {
        e->on = false;
        return;
    }
    if (e->came++ == 0)
        e->first = f->pts;
    for (int i = 0; i < e->count; i++)
        if (e->pts[i] == f->pts) {
            drop(e, i);
            break;
        }
    while (e->count && e->came - e->sent[0] > e->patience) {
        e->lost += e->pts[0] > e->first || e->begins[0];
        drop(e, 0);
    }
}

int64_t rp_expect_end(struct rp_expect *e)
{
    if (!e->on)
        return 0;
    for (int i = 0; i < e->count; i++)
        e->lost += e->came == 0 || e->pts[i] > e->first || e->begins[i];
    e->count = 0;
    return e->lost;
}
