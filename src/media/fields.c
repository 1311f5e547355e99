/* Interlaced video: two fields woven into each frame. Frames are worked on as they are; the output
 * says again that they are interlaced, so that a player still takes them apart. */
#include "media/keep.h"

#include <string.h>

#include <libavutil/pixdesc.h>

/* In FFmpeg's words the first letter is that of the field shown first, in frames that are woven. */
static bool is_top(enum AVFieldOrder order)
{
    return order == AV_FIELD_TT || order == AV_FIELD_TB;
}

/* Frames and stream may contradict each other, and both are kept as they are. */
struct rp_fields rp_fields_find(const AVFrame *f, const AVStream *st)
{
    const enum AVFieldOrder order = st->codecpar->field_order;
    const bool told = order > AV_FIELD_PROGRESSIVE;
    const bool top = f->interlaced_frame ? f->top_field_first : is_top(order);

    if (!f->interlaced_frame && !told)
        return (struct rp_fields){.order = AV_FIELD_UNKNOWN};
    return (struct rp_fields){
        .interlaced = true,
        .top_first = top,
        .order = told  ? order
                 : top ? AV_FIELD_TT
                       : AV_FIELD_BB,
    };
}

void rp_fields_flip(struct rp_fields *fields)
{
    static const enum AVFieldOrder flipped[] = {
        [AV_FIELD_UNKNOWN] = AV_FIELD_UNKNOWN, [AV_FIELD_PROGRESSIVE] = AV_FIELD_PROGRESSIVE,
        [AV_FIELD_TT] = AV_FIELD_BB,           [AV_FIELD_BB] = AV_FIELD_TT,
        [AV_FIELD_TB] = AV_FIELD_BT,           [AV_FIELD_BT] = AV_FIELD_TB,
    };

    fields->top_first = !fields->top_first;
    fields->order = flipped[fields->order];
}

bool rp_fields_to_encoder(const struct rp_fields *fields, AVCodecContext *enc, AVDictionary **opts)
{
    static const char *const coded[] = {"libx264",    "libx264rgb", "h264_nvenc", "h264_qsv",
                                        "mpeg2video", "mpeg4",      "prores_ks"};
    const char *const name = enc->codec->name;
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(enc->pix_fmt);
    const bool x264 = !strncmp(name, "libx264", 7);

    enc->field_order = fields->order;
    if (!strcmp(name, "libx265")) { /* coded whole, with a message that they are two fields */
        rp_dict_set(opts, "x265-params", fields->top_first ? ":pic-struct=3" : ":pic-struct=4",
                    AV_DICT_APPEND);
        return true;
    }
    if (x264 && enc->height % (2 << d->log2_chroma_h) != 0)
        return false;                   /* each field must have whole lines of chroma */
    if (x264 && !is_top(fields->order)) /* frames cannot tell it in time */
        rp_dict_set(opts, "x264-params", ":bff=1", AV_DICT_APPEND);
    for (size_t i = 0; i < RP_ARRAY_LEN(coded); i++)
        if (!strcmp(coded[i], name)) {
            enc->flags |= AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME;
            return true;
        }
    return false;
}

void rp_fields_mark(const struct rp_fields *fields, AVFrame *f, const AVFrame *from)
{
    const bool own = from && from->interlaced_frame;

    f->interlaced_frame = fields->interlaced;
    f->top_field_first = fields->interlaced && (own ? from->top_field_first : fields->top_first);
}

bool rp_fields_split(const AVFrame *f, AVFrame field[2])
{
    const AVPixFmtDescriptor *const d = av_pix_fmt_desc_get(f->format);

    if (f->height % (2 << d->log2_chroma_h) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        field[i].format = f->format;
        field[i].width = f->width;
        field[i].height = f->height / 2;
        for (int p = 0; p < 4; p++) {
            field[i].data[p] = f->data[p] ? f->data[p] + (ptrdiff_t) i * f->linesize[p] : NULL;
            field[i].linesize[p] = 2 * f->linesize[p];
        }
    }
    return true;
}
