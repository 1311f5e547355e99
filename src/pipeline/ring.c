#include "pipeline/ring.h"

#include <pthread.h>

#include "media/media.h"

enum state { FREE, READ, ANALYSING, ANALYSED, TAKEN, DONE }; /* the middle two only if split */

struct place {
    enum state state;
    struct rp_media_frame *frame;
};

struct rp_ring {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n;
    bool split;
    int ahead;
    int64_t piece;                /* frames of one; 0: the video is not cut */
    int64_t read, taken, written; /* frames so far; place = number % n */
    int64_t analysed, processed;  /* split: frames analysed without a gap, taken for processing */
    bool ended;
    int status;
    char why[1024]; /* the sentence of the first failure */
    struct place place[];
};

int rp_ring_create(struct rp_ring **out, int places)
{
    struct rp_ring *const r = *out = calloc(1, sizeof(*r) + (size_t) places * sizeof(r->place[0]));

    if (!r)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    r->n = places;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    return 0;
}

void rp_ring_split(struct rp_ring *r, int ahead)
{
    r->split = true;
    r->ahead = ahead;
}

void rp_ring_cut(struct rp_ring *r, int64_t piece)
{
    r->piece = piece;
}

void rp_ring_destroy(struct rp_ring **ring)
{
    struct rp_ring *const r = *ring;

    if (!r)
        return;
    for (int i = 0; i < r->n; i++)
        rp_media_frame_free(&r->place[i].frame);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
    *ring = NULL;
}

int rp_ring_put(struct rp_ring *r, struct rp_media_frame *frame)
{
    int ret = RP_ERR_CLOSED;

    pthread_mutex_lock(&r->lock);
    while (!r->status && r->read - r->written >= r->n)
        pthread_cond_wait(&r->changed, &r->lock);
    if (!r->status) {
        r->place[r->read++ % r->n] = (struct place){READ, frame};
        pthread_cond_broadcast(&r->changed);
        ret = 0;
    }
    pthread_mutex_unlock(&r->lock);
    return ret;
}

void rp_ring_end(struct rp_ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->ended = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static struct rp_ticket take(struct rp_ring *r, int64_t number, enum rp_pass pass)
{
    const int at = (int) (number % r->n);

    r->place[at].state = pass == RP_PASS_ANALYSE ? ANALYSING : TAKEN;
    return (struct rp_ticket){r->place[at].frame, number, at, pass, r->place[at].frame->aside};
}

/* Are all frames analysed that count for the processing of the next one? */
static bool window_is_analysed(const struct rp_ring *r)
{
    return r->analysed > r->processed + r->ahead || (r->ended && r->analysed == r->read);
}

/* Frames that are aside are done when their turn to be processed comes. */
static void pass_aside(struct rp_ring *r)
{
    struct place *next;

    while (r->split && r->processed < r->analysed &&
           (next = &r->place[r->processed % r->n])->frame->aside) {
        next->state = DONE;
        r->processed++;
        pthread_cond_broadcast(&r->changed);
    }
}

/* Frames that go together from the next one on. */
static int together(const struct rp_ring *r, int most)
{
    if (!r->piece || r->taken == r->read)
        return most;
    const int64_t index = r->place[r->taken % r->n].frame->index;
    return (int) RP_MIN(most, r->piece - index % r->piece);
}

/* The next frames: as many as were asked for, or the last ones. */
static int take_several(struct rp_ring *r, struct rp_ticket *ticket, int most)
{
    int n = 0;

    most = together(r, most);
    if (r->read - r->taken < most && !r->ended)
        return 0;
    while (n < most && r->taken < r->read)
        ticket[n++] = take(r, r->taken++, RP_PASS_WHOLE);
    return n;
}

/* Processing comes first: it lets frames leave the ring. */
static int take_next(struct rp_ring *r, struct rp_ticket *ticket, int most)
{
    if (!r->split)
        return take_several(r, ticket, most);
    if (r->processed < r->read && window_is_analysed(r)) {
        *ticket = take(r, r->processed++, RP_PASS_PROCESS);
        pass_aside(r);
    } else if (r->taken < r->read) {
        *ticket = take(r, r->taken++, RP_PASS_ANALYSE);
    } else {
        return 0;
    }
    return 1;
}

static bool all_taken(const struct rp_ring *r)
{
    return r->ended && r->taken == r->read && (!r->split || r->processed == r->read);
}

int rp_ring_take(struct rp_ring *r, struct rp_ticket *ticket, int most, bool wait)
{
    int got = 0;

    pthread_mutex_lock(&r->lock);
    while (!r->status && !(got = take_next(r, ticket, most)) && !all_taken(r) && wait)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return got ? got : RP_ERR_CLOSED;
}

void rp_ring_done(struct rp_ring *r, int place)
{
    enum state *const state = &r->place[place].state;

    pthread_mutex_lock(&r->lock);
    *state = *state == ANALYSING ? ANALYSED : DONE;
    while (r->analysed < r->taken && r->place[r->analysed % r->n].state == ANALYSED)
        r->analysed++;
    pass_aside(r);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static int get_next(struct rp_ring *r, struct rp_media_frame **frame)
{
    int ret = 0;

    *frame = NULL;
    pthread_mutex_lock(&r->lock);
    struct place *next = &r->place[r->written % r->n];
    while (!r->status && !(r->ended && r->written == r->read) &&
           (r->written == r->read || next->state != DONE))
        pthread_cond_wait(&r->changed, &r->lock);
    if (r->status) {
        ret = RP_ERR_CLOSED;
    } else if (r->written < r->read) {
        *frame = next->frame;
        *next = (struct place){FREE, NULL};
        r->written++;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return ret;
}

int rp_ring_get(struct rp_ring *r, struct rp_media_frame **frame)
{
    int ret;

    while ((ret = get_next(r, frame)) >= 0 && *frame && (*frame)->aside)
        rp_media_frame_free(frame);
    return ret;
}

void rp_ring_fail(struct rp_ring *r, int status)
{
    pthread_mutex_lock(&r->lock);
    if (!r->status) {
        r->status = status;
        snprintf(r->why, sizeof(r->why), "%s", rp_last_error());
    }
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

int rp_ring_status(struct rp_ring *r)
{
    pthread_mutex_lock(&r->lock);
    const int status = r->status;
    if (status)
        rp_take_error(r->why);
    pthread_mutex_unlock(&r->lock);
    return status;
}
