/* NVDEC through libav: its H.264 and HEVC decoders read the headers and hand the slices to the
 * driver.
 *
 * Such frames lie in surfaces of the driver, of which there are few; so each is copied at once,
 * into planes like those of the codec's own decoder. */
#include "media/gpu.h"

/* libav's header wants these two types of cuda.h, and nothing else of it. */
#define CUDA_VERSION 13000
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream;
#include <libavutil/hwcontext.h>
#include <libavutil/hwcontext_cuda.h>

#define ALIGN 256

static char mark; /* its address is in `opaque` of frames on the GPU */

bool rp_gpu_takes(const AVCodecParameters *p)
{
    const bool eight = p->format == AV_PIX_FMT_YUV420P || p->format == AV_PIX_FMT_YUVJ420P;

    return (p->codec_id == AV_CODEC_ID_H264 && eight) ||
           (p->codec_id == AV_CODEC_ID_HEVC && (eight || p->format == AV_PIX_FMT_YUV420P10LE));
}

static enum AVPixelFormat choose(AVCodecContext *dec, const enum AVPixelFormat *formats)
{
    for (const enum AVPixelFormat *f = formats; *f != AV_PIX_FMT_NONE; f++)
        if (*f == AV_PIX_FMT_CUDA)
            return *f;
    return avcodec_default_get_format(dec, formats);
}

int rp_gpu_begin(AVCodecContext *dec, const struct rp_gpu_decoder *gpu)
{
    AVBufferRef *device = av_hwdevice_ctx_alloc(AV_HWDEVICE_TYPE_CUDA);

    if (!device)
        return rp_fail(RP_ERR_UNSUPPORTED, "this FFmpeg has no decoder on a GPU");
    AVCUDADeviceContext *const cuda = ((AVHWDeviceContext *) (void *) device->data)->hwctx;
    cuda->cuda_ctx = gpu->context;
    cuda->stream = gpu->queue;
    const int ret = av_hwdevice_ctx_init(device);
    if (ret < 0) {
        av_buffer_unref(&device);
        return rp_fail(RP_ERR_UNSUPPORTED, "the GPU's decoder: %s", av_err2str(ret));
    }
    dec->hw_device_ctx = device;
    dec->get_format = choose;
    dec->thread_count = 1; /* the driver decodes; each thread would hold surfaces */
    return 0;
}

/* Planes of these sizes in one block of the GPU. */
static int make_planes(AVFrame **out, const AVFrame *from, bool deep, struct rp_frame_store *store)
{
    AVFrame *const f = *out = av_frame_alloc();
    const int cw = (from->width + 1) / 2, ch = (from->height + 1) / 2;

    if (!f)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    f->format = deep ? AV_PIX_FMT_YUV420P10LE : AV_PIX_FMT_YUV420P;
    f->width = from->width;
    f->height = from->height;
    f->linesize[0] = FFALIGN(from->width << deep, ALIGN);
    f->linesize[1] = f->linesize[2] = FFALIGN(cw << deep, ALIGN);
    const size_t luma = (size_t) f->linesize[0] * (size_t) f->height;
    const size_t chroma = (size_t) f->linesize[1] * (size_t) ch;
    struct rp_pool *const pool = rp_frame_store_enter(store);
    f->buf[0] = rp_pool_buffer(pool, luma + 2 * chroma);
    rp_frame_store_leave(store);
    if (!f->buf[0] || av_frame_copy_props(f, from) < 0) {
        av_frame_free(out);
        return rp_fail(RP_ERR_DEVICE_MEM, "the GPU has no memory for a frame");
    }
    f->data[0] = f->buf[0]->data;
    f->data[1] = f->data[0] + luma;
    f->data[2] = f->data[1] + chroma;
    f->extended_data = f->data;
    f->opaque = &mark;
    return 0;
}

int rp_gpu_import(AVFrame **f, const struct rp_gpu_decoder *gpu, struct rp_frame_store *store)
{
    AVFrame *to = NULL;
    const AVFrame *const from = *f;

    if (from->format != AV_PIX_FMT_CUDA || !from->hw_frames_ctx)
        return rp_fail(RP_ERR_UNSUPPORTED, "the GPU has no decoder for this");
    const enum AVPixelFormat inside =
        ((const AVHWFramesContext *) (const void *) from->hw_frames_ctx->data)->sw_format;
    if ((inside != AV_PIX_FMT_NV12 && inside != AV_PIX_FMT_P010LE) || from->crop_left ||
        from->crop_top)
        return rp_fail(RP_ERR_UNSUPPORTED, "the GPU's decoder gives another form of frames");
    const bool deep = inside == AV_PIX_FMT_P010LE;
    RP_CHECK(make_planes(&to, from, deep, store));
    const struct rp_surface surface = {.y = from->data[0],
                                       .uv = from->data[1],
                                       .y_stride = from->linesize[0],
                                       .uv_stride = from->linesize[1],
                                       .w = from->width,
                                       .h = from->height,
                                       .deep = deep};
    const int ret = gpu->read(gpu->priv, &surface, to->data, to->linesize);
    if (ret < 0) {
        av_frame_free(&to);
        return ret;
    }
    av_frame_free(f);
    *f = to;
    return 0;
}

bool rp_gpu_has(const AVFrame *f)
{
    return f->opaque == &mark;
}
