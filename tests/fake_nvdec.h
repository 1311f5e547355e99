/* A GPU's decoder that is none: the codec's own decoder works, and its frames are given the form of
 * a driver's surfaces, in host memory. For programs linked with
 * -Wl,--wrap=rp_gpu_begin,--wrap=rp_gpu_import; all else is the product's. */
#ifndef FAKE_NVDEC_H
#define FAKE_NVDEC_H

#include <libavutil/hwcontext.h>

#include "media/gpu.h"

static struct {
    int begun, taken; /* decoders opened, frames taken from them */
    int last;         /* frames after which it fails; 0: it does not */
} nvdec;

int __wrap_rp_gpu_begin(AVCodecContext *dec, const struct rp_gpu_decoder *gpu);
int __wrap_rp_gpu_begin(AVCodecContext *dec, const struct rp_gpu_decoder *gpu)
{
    (void) gpu;
    dec->thread_count = 1;
    nvdec.begun++;
    return 0;
}

/* Samples of three planes as two, 10 bits in the upper bits of 16. */
static void interleave_chroma(AVFrame *to, const AVFrame *from, bool deep)
{
    const int w = from->width, h = from->height;

    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            if (deep)
                ((uint16_t *) (void *) (to->data[0] + y * to->linesize[0]))[x] =
                    (uint16_t) (((const uint16_t *) (const void *) (from->data[0] +
                                                                    y * from->linesize[0]))[x]
                                << 6);
            else
                to->data[0][y * to->linesize[0] + x] = from->data[0][y * from->linesize[0] + x];
    for (int y = 0; y < (h + 1) / 2; y++)
        for (int x = 0; x < (w + 1) / 2 * 2; x++) {
            const uint8_t *const row = from->data[1 + x % 2] + y * from->linesize[1 + x % 2];

            if (deep)
                ((uint16_t *) (void *) (to->data[1] + y * to->linesize[1]))[x] =
                    (uint16_t) (((const uint16_t *) (const void *) row)[x / 2] << 6);
            else
                to->data[1][y * to->linesize[1] + x] = row[x / 2];
        }
}

int __real_rp_gpu_import(AVFrame **f, const struct rp_gpu_decoder *gpu,
                         struct rp_frame_store *store);
int __wrap_rp_gpu_import(AVFrame **f, const struct rp_gpu_decoder *gpu,
                         struct rp_frame_store *store);
int __wrap_rp_gpu_import(AVFrame **f, const struct rp_gpu_decoder *gpu,
                         struct rp_frame_store *store)
{
    const AVFrame *const from = *f;
    const bool deep = from->format == AV_PIX_FMT_YUV420P10LE;
    AVFrame *const to = av_frame_alloc();

    if (nvdec.last && nvdec.taken >= nvdec.last) {
        av_frame_free(&(AVFrame *){to});
        return rp_fail(RP_ERR_DEVICE, "the decoder is gone");
    }
    nvdec.taken++;
    to->format = deep ? AV_PIX_FMT_P010LE : AV_PIX_FMT_NV12;
    to->width = from->width;
    to->height = from->height;
    if (av_frame_get_buffer(to, 0) < 0 || av_frame_copy_props(to, from) < 0)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    interleave_chroma(to, from, deep);
    to->hw_frames_ctx = av_buffer_allocz(sizeof(AVHWFramesContext));
    ((AVHWFramesContext *) (void *) to->hw_frames_ctx->data)->sw_format = to->format;
    to->format = AV_PIX_FMT_CUDA;
    av_frame_free(f);
    *f = to;
    return __real_rp_gpu_import(f, gpu, store);
}

#endif /* FAKE_NVDEC_H */
