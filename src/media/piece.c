/* Pieces of a video: cutting, and encoding one. */
#include "media/piece.h"

#include <errno.h>
#include <math.h>

#include "base/path.h"
#include "media/piece_file.h"

enum { THREADS = 4 };

struct rp_pieces {
    struct rp_encode_params params;
    char *path, *target, *preset;
    struct rp_encode_said said;
};

struct rp_piece {
    const struct rp_pieces *pieces;
    struct rp_partial partial;
    struct rp_piece_out out;
    struct rp_encode *encode;
    int64_t origin; /* pts of the job's first frame */
    bool begun, finished;
    struct rp_piece_info info;
    struct rp_watch watch; /* of the encoder too */
};

/* ---- cutting --------------------------------------------------------------------------------- */

int64_t rp_piece_frames(const struct rp_video_info *info, double seconds)
{
    const double fps = info->fps_den > 0 ? (double) info->fps_num / info->fps_den : 0;

    if (!(seconds > 0))
        return 0;
    return (int64_t) RP_CLAMP(rint(seconds * RP_CLAMP(fps, 1, 1000)), 2, 1e9);
}

bool rp_piece_several(int64_t frames, int64_t first, int64_t end)
{
    return frames > 0 && end > first && first / frames != (end - 1) / frames;
}

int rp_piece_threads(void)
{
    return THREADS;
}

/* ---- what pieces share ----------------------------------------------------------------------- */

static bool is_exact(const AVCodec *codec)
{
    static const char *const names[] = {"libx264", "libx264rgb", "libx265", "libvpx-vp9"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (!strcmp(codec->name, names[i]))
            return true;
    return false;
}

static int copy_text(const char *text, char **to)
{
    *to = text && text[0] ? strdup(text) : NULL;
    return *to || !text || !text[0] ? 0 : RP_NOMEM(text);
}

static void fill(struct rp_pieces *p, const struct rp_reader *reader,
                 const struct rp_writer_params *params)
{
    p->params = (struct rp_encode_params){
        .format = p->params.format,
        .codec = p->params.codec,
        .path = p->path,
        .target = p->target,
        .preset = p->preset,
        .quality = params->video_quality,
        .out_w = params->out_w,
        .out_h = params->out_h,
        .fps = params->fps,
        .alpha = params->alpha,
        .threads = THREADS,
        .piece = true,
        .quiet = true, /* the writer tells what is lost */
        .info = *rp_reader_info(reader),
        .tags = *rp_reader_tags(reader),
        .range = *rp_reader_range(reader),
        .said = &p->said,
    };
    p->params.tags.metadata = NULL;
}

int rp_pieces_open(struct rp_pieces **out, const char *output, const char *target,
                   const struct rp_reader *reader, const struct rp_writer_params *params)
{
    int ret;
    struct rp_pieces *const p = *out = calloc(1, sizeof(*p));
    const char *const name = params->name ? params->name : output;

    rp_av_begin();
    if (!p)
        return RP_NOMEM(name);
    RP_TRY(copy_text(name, &p->path));
    RP_TRY(copy_text(target, &p->target));
    RP_TRY(copy_text(params->video_preset, &p->preset));
    if (!(p->params.format = rp_guess_format(output))) {
        ret = rp_fail(RP_ERR_USAGE, "%s: no video container has this extension", name);
        goto fail;
    }
    p->params.codec = rp_find_encoder(p->params.format, params->video_encoder, params->alpha);
    if (p->params.codec && is_exact(p->params.codec)) {
        fill(p, reader, params);
        return 0;
    }
    ret = 0;
fail:
    rp_pieces_close(out);
    return ret;
}

void rp_pieces_close(struct rp_pieces **pieces)
{
    struct rp_pieces *const p = *pieces;

    if (!p)
        return;
    free(p->path);
    free(p->target);
    free(p->preset);
    free(p);
    *pieces = NULL;
}

/* ---- one piece ------------------------------------------------------------------------------- */

static int take_packet(void *priv, AVPacket *packet)
{
    struct rp_piece *const p = priv;

    rp_piece_out_packet(&p->out, packet);
    return p->out.error ? rp_fail(rp_io_status(p->out.error), "%s: writing: %s", p->out.path,
                                  strerror(p->out.error))
                        : 0;
}

int rp_piece_begin(struct rp_piece **out, const struct rp_pieces *pieces, const char *path,
                   int64_t first)
{
    int ret;
    struct rp_piece *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return RP_NOMEM(path);
    rp_watch_begin(&p->watch);
    p->pieces = pieces;
    p->origin = first;
    struct rp_encode_params params = pieces->params;
    params.fn = take_packet;
    params.priv = p;
    params.watch = &p->watch;
    RP_TRY(rp_encode_create(&p->encode, &params));
    RP_TRY(rp_partial_begin(&p->partial, path));
    p->out.path = pieces->path; /* the output means more than the piece */
    if (!(p->out.file = fopen(p->partial.temp, "wbe"))) {
        ret = rp_fail(rp_io_status(errno), "%s: cannot be written: %s", path, strerror(errno));
        goto fail;
    }
    if (!rp_watch_lacks(&p->watch))
        return 0;
    ret = RP_NOMEM(path);
fail:
    rp_piece_end(out);
    return ret;
}

/* The head: what the encoder gave for these frames. */
static int begin(struct rp_piece *p, const struct rp_media_frame *frame)
{
    struct rp_piece_head head = {.origin = p->origin};
    const struct rp_encode_params *const job = &p->pieces->params;

    rp_encode_shape_of(p->encode, frame, &head.shape);
    if (frame->fmt != RP_FMT_BGR24 && frame->fmt != RP_FMT_BGR24_ALPHA)
        head.shape.colour = job->info.colour; /* whatever the piece begins with */
    else
        head.shape.colour = (struct rp_colour){RP_MATRIX_BT709, false}; /* has none */
    RP_CHECK(rp_encode_open(p->encode, &head.shape, p->origin));
    rp_piece_settings(p->encode, head.settings);
    const AVCodecContext *const c = rp_encode_codec(p->encode);
    rp_piece_out_head(&p->out, &head, c->extradata, (size_t) c->extradata_size);
    p->info.first = frame->index;
    p->begun = true;
    return 0;
}

int rp_piece_write(struct rp_piece *p, const struct rp_media_frame *frame)
{
    rp_watch_begin(&p->watch);
    if (!p->begun)
        RP_CHECK(begin(p, frame));
    p->info.last = frame->index;
    p->info.end = rp_encode_end(&p->pieces->params.info, frame);
    RP_CHECK(rp_encode_write(p->encode, frame));
    return rp_watch_lacks(&p->watch) ? RP_NOMEM(p->out.path) : 0;
}

static int close_file(struct rp_piece *p)
{
    FILE *const file = p->out.file;

    p->out.file = NULL;
    return fclose(file) == 0
               ? 0
               : rp_fail(rp_io_status(errno), "%s: writing: %s", p->out.path, strerror(errno));
}

int rp_piece_finish(struct rp_piece *p, int64_t next)
{
    int64_t frames, packets;
    const bool last = next == RP_PIECE_LAST;

    rp_watch_begin(&p->watch);
    if (!p->begun)
        return rp_fail(RP_ERR_INVALID, "%s: a piece without a frame", p->out.path);
    RP_CHECK(rp_encode_finish(p->encode, last ? p->info.end : next,
                              last && rp_encode_is_empty(p->encode, p->origin, p->info.end)));
    rp_encode_counts(p->encode, &frames, &packets);
    RP_CHECK(rp_encode_check(p->encode, frames, packets));
    if (rp_watch_lacks(&p->watch))
        return RP_NOMEM(p->out.path);
    RP_CHECK(rp_piece_out_end(&p->out, &p->info));
    RP_CHECK(close_file(p));
    RP_CHECK(rp_partial_commit(&p->partial));
    p->finished = true;
    return 0;
}

void rp_piece_end(struct rp_piece **piece)
{
    struct rp_piece *const p = *piece;

    if (!p)
        return;
    rp_encode_free(&p->encode);
    if (p->out.file)
        fclose(p->out.file);
    rp_partial_abort(&p->partial);
    free(p);
    *piece = NULL;
}

/* ---- files ----------------------------------------------------------------------------------- */

int rp_piece_check(const char *path, struct rp_piece_info *info)
{
    struct rp_piece_file *file;

    RP_CHECK(rp_piece_file_open(&file, path));
    *info = *rp_piece_file_info(file);
    rp_piece_file_close(&file);
    return 0;
}
