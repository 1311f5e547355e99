#include "pipeline/cutter.h"

#include <pthread.h>

#include "media/piece.h"

enum { MAX_ENCODERS = 64 };

struct waiting {
    struct waiting *next;
    struct rp_media_frame *frame;
    int64_t bytes;
};

/* From its first frame until it is handed out. */
struct piece {
    struct piece *next;
    int64_t number;
    struct waiting *first, **last;
    bool taken, ended, done;
    int64_t after; /* pts of the frame after it, once it has ended */
    char *path;
};

struct rp_cutter {
    struct rp_cutter_params p;
    int64_t coming; /* number of the piece that frames are put into; -1: none yet */

    pthread_mutex_t lock; /* guards what follows, and the pieces */
    pthread_cond_t changed;
    struct piece *first, **last; /* in order */
    int64_t bytes;               /* of the frames that wait */
    bool closed;
    int status;
    char why[RP_MAX_SENTENCE];

    int threads;
    pthread_t thread[MAX_ENCODERS];
};

/* ---- encoders -------------------------------------------------------------------------------- */

static int64_t bytes_of(const struct rp_media_frame *f)
{
    int64_t sum = 0;

    for (int i = 0; i < 4; i++)
        if (f->plane[i])
            sum += (int64_t) RP_MAX(f->stride[i], 0) * f->h;
    return sum;
}

static void set_failure(struct rp_cutter *c, int status)
{
    pthread_mutex_lock(&c->lock);
    if (!c->status) {
        c->status = status;
        snprintf(c->why, sizeof(c->why), "%s", rp_last_error());
    }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* The sentence of the failure becomes the calling thread's. */
static int failure_of(struct rp_cutter *c)
{
    pthread_mutex_lock(&c->lock);
    const int status = c->status;
    if (status)
        rp_take_error(c->why);
    pthread_mutex_unlock(&c->lock);
    return status;
}

/* The first piece that no encoder has. */
static struct piece *next_piece(const struct rp_cutter *c)
{
    struct piece *p = c->first;

    while (p && p->taken)
        p = p->next;
    return p;
}

/* Wait for a piece; NULL at the end. */
static struct piece *take_piece(struct rp_cutter *c)
{
    struct piece *p = NULL;

    pthread_mutex_lock(&c->lock);
    while (!c->status && !(p = next_piece(c)) && !c->closed)
        pthread_cond_wait(&c->changed, &c->lock);
    if (c->status)
        p = NULL;
    if (p)
        p->taken = true;
    pthread_mutex_unlock(&c->lock);
    return p;
}

/* Wait for a frame of a piece; NULL at its end, or after a failure. */
static struct rp_media_frame *take_frame(struct rp_cutter *c, struct piece *p)
{
    struct rp_media_frame *frame = NULL;

    pthread_mutex_lock(&c->lock);
    while (!c->status && !p->first && !p->ended)
        pthread_cond_wait(&c->changed, &c->lock);
    struct waiting *const w = c->status ? NULL : p->first;
    if (w) {
        frame = w->frame;
        c->bytes -= w->bytes;
        if (!(p->first = w->next))
            p->last = &p->first;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    free(w);
    return frame;
}

static int encode(struct rp_cutter *c, struct piece *p)
{
    int ret;
    struct rp_piece *piece = NULL;
    struct rp_media_frame *frame = NULL;

    if (!(p->path = c->p.name(c->p.priv, p->number)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_piece_begin(&piece, c->p.pieces, p->path, c->p.origin));
    while ((frame = take_frame(c, p))) {
        RP_TRY(rp_piece_write(piece, frame));
        rp_media_frame_free(&frame);
    }
    ret = failure_of(c) < 0 ? RP_ERR_CLOSED : rp_piece_finish(piece, p->after);
fail:
    rp_media_frame_free(&frame);
    rp_piece_end(&piece);
    return ret;
}

static void *work(void *priv)
{
    struct piece *p;
    struct rp_cutter *const c = priv;

    rp_log_hold(true); /* whoever puts frames shows the first failure */
    while ((p = take_piece(c))) {
        const int ret = encode(c, p);

        if (ret < 0) {
            set_failure(c, ret);
            break;
        }
        pthread_mutex_lock(&c->lock);
        p->done = true;
        pthread_cond_broadcast(&c->changed);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* ---- the thread that puts frames ------------------------------------------------------------- */

static void free_piece(struct piece *p)
{
    while (p->first) {
        struct waiting *const w = p->first;
        p->first = w->next;
        rp_media_frame_free(&w->frame);
        free(w);
    }
    free(p->path);
    free(p);
}

/* The first piece, if it is done, leaves the list. */
static struct piece *take_done(struct rp_cutter *c)
{
    pthread_mutex_lock(&c->lock);
    struct piece *const p = c->first && c->first->done ? c->first : NULL;
    if (p && !(c->first = p->next))
        c->last = &c->first;
    pthread_mutex_unlock(&c->lock);
    return p;
}

static int hand_out(struct rp_cutter *c)
{
    struct piece *p;

    while ((p = take_done(c))) {
        const int ret = c->p.done(c->p.priv, p->number, p->path);

        free_piece(p);
        if (ret < 0)
            set_failure(c, ret);
        if (ret < 0)
            return ret;
    }
    return failure_of(c);
}

static void end_piece(struct rp_cutter *c, int64_t after)
{
    pthread_mutex_lock(&c->lock);
    for (struct piece *p = c->first; p; p = p->next)
        if (p->number == c->coming) {
            p->ended = true;
            p->after = after;
        }
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static int begin_piece(struct rp_cutter *c, int64_t number)
{
    struct piece *const p = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->number = c->coming = number;
    p->last = &p->first;
    pthread_mutex_lock(&c->lock);
    *c->last = p;
    c->last = &p->next;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/* The newest piece, at the end of the list; it stays there as long as frames are put into it. */
static struct piece *newest(const struct rp_cutter *c)
{
    struct piece *p = c->first;

    while (p && p->next)
        p = p->next;
    return p;
}

int rp_cutter_put(struct rp_cutter *c, struct rp_media_frame **frame)
{
    const int64_t number = (*frame)->index / c->p.frames;
    struct waiting *const w = calloc(1, sizeof(*w));

    if (!w)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    w->frame = *frame;
    w->bytes = bytes_of(*frame);
    *frame = NULL;
    if (c->coming >= 0 && number != c->coming)
        end_piece(c, w->frame->pts);
    if (number != c->coming && begin_piece(c, number) < 0) {
        rp_media_frame_free(&w->frame);
        free(w);
        return RP_ERR_NOMEM;
    }
    pthread_mutex_lock(&c->lock);
    while (!c->status && c->bytes && c->bytes + w->bytes > c->p.waiting)
        pthread_cond_wait(&c->changed, &c->lock);
    struct piece *const p = newest(c);
    *p->last = w;
    p->last = &w->next;
    c->bytes += w->bytes;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return hand_out(c);
}

/* Wait until the first piece is done, all are, or something failed. */
static bool wait_done(struct rp_cutter *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->status && c->first && !c->first->done)
        pthread_cond_wait(&c->changed, &c->lock);
    const bool more = !c->status && c->first;
    pthread_mutex_unlock(&c->lock);
    return more;
}

int rp_cutter_finish(struct rp_cutter *c, int64_t after)
{
    if (c->coming >= 0)
        end_piece(c, after);
    while (wait_done(c))
        RP_CHECK(hand_out(c));
    return failure_of(c);
}

int rp_cutter_create(struct rp_cutter **out, const struct rp_cutter_params *params)
{
    struct rp_cutter *const c = *out = calloc(1, sizeof(*c));

    if (!c)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    c->p = *params;
    c->coming = -1;
    c->last = &c->first;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    for (int i = 0; i < RP_CLAMP(params->encoders, 1, MAX_ENCODERS); i++) {
        if (pthread_create(&c->thread[i], NULL, work, c)) {
            rp_cutter_destroy(out);
            return rp_fail(RP_ERR_NOMEM, "no thread could be started");
        }
        c->threads++;
    }
    return 0;
}

void rp_cutter_destroy(struct rp_cutter **cutter)
{
    struct rp_cutter *const c = *cutter;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closed = true;
    if (!c->status && c->first) /* given up: encoders leave their pieces */
        c->status = RP_ERR_CLOSED;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->threads; i++)
        pthread_join(c->thread[i], NULL);
    while (c->first) {
        struct piece *const p = c->first;
        c->first = p->next;
        free_piece(p);
    }
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
    *cutter = NULL;
}

int rp_cutter_encoders(int cores, int64_t frames, int64_t bytes, int64_t memory, int64_t *waiting)
{
    const int64_t most = memory / 4;
    int n = RP_CLAMP((cores + 2) / 3, 2, MAX_ENCODERS);

    while (n > 2 && frames * (n - 1) / 2 * bytes > most)
        n--;
    *waiting = RP_MIN(frames * n / 2 * bytes, most);
    return n;
}
