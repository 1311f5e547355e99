/* FFmpeg's palettegen and paletteuse, with a palette for each frame: a common one would need the
 * whole video first. */
#include "media/palette.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

struct rp_palette {
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    int64_t count;
};

static int make_graph(struct rp_palette *p, int w, int h, bool transparent)
{
    char text[512];
    AVFilterInOut *ins = NULL, *outs = NULL;
    int ret;

    if (!(p->graph = avfilter_graph_alloc()))
        return AVERROR(ENOMEM);
    p->graph->nb_threads = 1;
    snprintf(text, sizeof(text),
             "buffer@in=video_size=%dx%d:pix_fmt=%s:time_base=1/100,split[a][b];"
             "[a]palettegen=stats_mode=single:reserve_transparent=%d[p];"
             "[b][p]paletteuse=new=1,buffersink@out",
             w, h, transparent ? "bgra" : "bgr24", transparent);
    ret = avfilter_graph_parse2(p->graph, text, &ins, &outs);
    avfilter_inout_free(&ins);
    avfilter_inout_free(&outs);
    if (ret < 0 || (ret = avfilter_graph_config(p->graph, NULL)) < 0)
        return ret;
    p->source = avfilter_graph_get_filter(p->graph, "buffer@in");
    p->sink = avfilter_graph_get_filter(p->graph, "buffersink@out");
    return p->source && p->sink ? 0 : AVERROR_BUG;
}

int rp_palette_open(struct rp_palette **out, int w, int h, bool transparent)
{
    struct rp_palette *const p = *out = calloc(1, sizeof(*p));
    const int ret = p ? make_graph(p, w, h, transparent) : AVERROR(ENOMEM);

    if (ret >= 0)
        return 0;
    rp_palette_close(out);
    return rp_fail(rp_av_status(ret), "making a GIF palette: %s", av_err2str(ret));
}

void rp_palette_close(struct rp_palette **palette)
{
    if (!*palette)
        return;
    avfilter_graph_free(&(*palette)->graph);
    free(*palette);
    *palette = NULL;
}

int rp_palette_apply(struct rp_palette *p, AVFrame **frame)
{
    AVFrame *out = av_frame_alloc();
    int ret = out ? 0 : AVERROR(ENOMEM);

    (*frame)->pts = p->count++;
    if (ret >= 0)
        ret = av_buffersrc_add_frame(p->source, *frame);
    if (ret >= 0)
        ret = av_buffersink_get_frame(p->sink, out);
    av_frame_free(frame);
    if (ret < 0) {
        av_frame_free(&out);
        return rp_fail(rp_av_status(ret), "making a GIF palette: %s", av_err2str(ret));
    }
    *frame = out;
    return 0;
}
