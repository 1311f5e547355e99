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

void rp_expect_begin(struct rp_expect *e, const AVFormatContext *ic, const AVStream *st,
                     int threads)
{
    *e = (struct rp_expect){
        .patience = HELD_MAX + 2 * threads, .key = AV_NOPTS_VALUE, .first = AV_NOPTS_VALUE};
    e->on = e->patience < RP_EXPECT_ROOM / 2 && is_one_each(ic, st->codecpar);
}

static void drop(struct rp_expect *e, int i)
{
    e->count--;
    memmove(e->pts + i, e->pts + i + 1, sizeof(*e->pts) * (size_t) (e->count - i));
    memmove(e->sent + i, e->sent + i + 1, sizeof(*e->sent) * (size_t) (e->count - i));
}

void rp_expect_packet(struct rp_expect *e, const AVPacket *p)
{
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
    if (p->size < TINY)
        return;
    e->pts[e->count] = p->pts;
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
        e->lost += e->pts[0] > e->first;
        drop(e, 0);
    }
}

int64_t rp_expect_end(struct rp_expect *e)
{
    if (!e->on)
        return 0;
    for (int i = 0; i < e->count; i++)
        e->lost += e->came == 0 || e->pts[i] > e->first;
    e->count = 0;
    return e->lost;
}
