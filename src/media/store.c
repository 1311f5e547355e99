/* Planes in memory that the reader was given, for a device that copies from there at once and
 * without the host's help: a decoder writes its frames into it, and what they become is put there
 * too.
 *
 * A decoder holds its frames as references, and frames are still on their way when a reader is
 * closed: so buffers come from pools of libav, which go when the last buffer has come back, and
 * then let the store go. */
#include "media/av.h"

#include <errno.h>
#include <pthread.h>

#include <libavutil/imgutils.h>

#define ALIGN 64
#define PAD (16 + ALIGN) /* bytes after a plane that decoders may touch, as libavcodec has it */

struct rp_frame_store {
    atomic_int users;   /* reader and frames; without any the store's own pools are closed */
    atomic_int holders; /* all users together, and each pool */
    struct rp_frame_memory memory;
    bool (*stays)(enum AVPixelFormat fmt);
    pthread_mutex_t lock; /* guards the pools: a decoder's threads take buffers, and others */
    struct rp_pool decoded, made;
    atomic_bool warned;
};

int rp_frame_store_create(struct rp_frame_store **out, const struct rp_frame_memory *memory,
                          bool (*stays)(enum AVPixelFormat fmt))
{
    struct rp_frame_store *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    atomic_init(&s->users, 1);
    atomic_init(&s->holders, 1);
    s->memory = *memory;
    s->stays = stays;
    s->decoded.store = s->made.store = s;
    pthread_mutex_init(&s->lock, NULL);
    return 0;
}

struct rp_frame_store *rp_frame_store_hold(struct rp_frame_store *s)
{
    if (s)
        atomic_fetch_add(&s->users, 1);
    return s;
}

static void let_go(void *store)
{
    struct rp_frame_store *const s = store;

    if (atomic_fetch_sub(&s->holders, 1) > 1)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void rp_frame_store_release(struct rp_frame_store **store)
{
    struct rp_frame_store *const s = *store;

    *store = NULL;
    if (!s || atomic_fetch_sub(&s->users, 1) > 1)
        return;
    av_buffer_pool_uninit(&s->decoded.buffers);
    av_buffer_pool_uninit(&s->made.buffers);
    let_go(s);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void free_buffer(void *store, uint8_t *data)
{
    const struct rp_frame_store *const s = store;

    s->memory.free(s->memory.priv, data);
}

/* Without more of this memory the heap's will do: what copies from there sees the difference. */
static AVBufferRef *new_buffer(void *store, size_t size)
{
    void *data;
    AVBufferRef *buffer;
    struct rp_frame_store *const s = store;

    if (s->memory.alloc(s->memory.priv, size, &data) < 0) {
        if (s->memory.only)
            return NULL;
        if (!atomic_exchange(&s->warned, true))
            rp_log(RP_LOG_DEBUG, "frames are in ordinary memory: %s", rp_last_error());
        return av_buffer_allocz(size);
    }
    if (!(buffer = av_buffer_create(data, size, free_buffer, s, 0)))
        s->memory.free(s->memory.priv, data);
    return buffer;
}

static AVBufferPool *new_pool(struct rp_frame_store *s, size_t size)
{
    AVBufferPool *const pool = av_buffer_pool_init2(size, s, new_buffer, let_go);

    if (pool)
        atomic_fetch_add(&s->holders, 1);
    return pool;
}

AVBufferRef *rp_pool_buffer(struct rp_pool *pool, size_t size)
{
    if (pool->size != size) {
        av_buffer_pool_uninit(&pool->buffers);
        pool->buffers = pool->store ? new_pool(pool->store, size) : av_buffer_pool_init(size, NULL);
        pool->size = size;
    }
    return pool->buffers ? av_buffer_pool_get(pool->buffers) : NULL;
}

struct rp_pool *rp_frame_store_enter(struct rp_frame_store *s)
{
    pthread_mutex_lock(&s->lock);
    return &s->made;
}

void rp_frame_store_leave(struct rp_frame_store *s)
{
    pthread_mutex_unlock(&s->lock);
}

/* ---- what decoders write --------------------------------------------------------------------- */

bool rp_frame_store_takes(const struct rp_frame_store *s, const AVCodecContext *dec,
                          const AVFrame *f)
{
    return dec->codec_type == AVMEDIA_TYPE_VIDEO && !f->hw_frames_ctx &&
           dec->codec->capabilities & AV_CODEC_CAP_DR1 && s->stays(f->format);
}

/* Rows as wide and as many as this decoder writes; strides as libavcodec's own allocator has them.
 */
static int lay_out(AVCodecContext *dec, AVFrame *f, size_t size[4])
{
    ptrdiff_t stride[4];
    int align[AV_NUM_DATA_POINTERS], w = f->width, h = f->height, ret, unaligned;

    avcodec_align_dimensions2(dec, &w, &h, align);
    do {
        if ((ret = av_image_fill_linesizes(f->linesize, f->format, w)) < 0)
            return ret;
        w += w & ~(w - 1);
        unaligned = 0;
        for (int i = 0; i < 4; i++)
            unaligned |= f->linesize[i] % ALIGN || (align[i] && f->linesize[i] % align[i]);
    } while (unaligned);
    for (int i = 0; i < 4; i++)
        stride[i] = f->linesize[i];
    return av_image_fill_plane_sizes(size, f->format, h, stride);
}

static uint8_t *aligned(uint8_t *p)
{
    return p + (-(uintptr_t) p & (ALIGN - 1));
}

int rp_frame_store_decode(struct rp_frame_store *s, AVCodecContext *dec, AVFrame *f)
{
    size_t size[4], all = ALIGN;
    const int ret = lay_out(dec, f, size);

    if (ret < 0)
        return ret;
    for (int i = 0; i < 4; i++)
        all += size[i] ? size[i] + PAD + ALIGN : 0;
    pthread_mutex_lock(&s->lock);
    f->buf[0] = rp_pool_buffer(&s->decoded, all);
    pthread_mutex_unlock(&s->lock);
    if (!f->buf[0]) {
        errno = ENOMEM;
        return AVERROR(ENOMEM);
    }
    uint8_t *at = f->buf[0]->data;
    for (int i = 0; i < 4; i++) {
        f->data[i] = size[i] ? aligned(at) : NULL;
        at = size[i] ? f->data[i] + size[i] + PAD : at;
    }
    f->extended_data = f->data;
    return 0;
}
