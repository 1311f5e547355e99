#include "pipeline/cache.h"

/* Device memory of a program: its buffers and what its recordings keep. */
static size_t bytes_of(const struct rp_program *p)
{
    const struct rp_slot *const slot = rp_program_slot(p);
    const struct rp_device_fns *const fns = slot->device->fns;

    return slot->bytes + (fns->pool_bytes ? fns->pool_bytes(slot->stream) : 0);
}

static void drop_last(struct rp_program_cache *c)
{
    rp_program_destroy(&c->program[--c->n]);
    c->evictions++;
}

/* Room for one more: never more than fit in number, nor, with a limit, in bytes. */
static void make_room(struct rp_program_cache *c, const struct rp_plan *plan)
{
    size_t sum = 0;
    const size_t limit = plan->graph ? (size_t) plan->graph->memory : 0;

    for (int i = 0; i < c->n; i++)
        sum += bytes_of(c->program[i]);
    while (c->n && (c->n == RP_CACHED_PROGRAMS || (limit && sum > limit))) {
        sum -= bytes_of(c->program[c->n - 1]);
        drop_last(c);
    }
}

static void move_to_front(struct rp_program_cache *c, int i)
{
    struct rp_program *const p = c->program[i];

    for (; i > 0; i--)
        c->program[i] = c->program[i - 1];
    c->program[0] = p;
}

int rp_program_cache_get(struct rp_program_cache *c, const struct rp_plan *plan,
                         const struct rp_media_frame *frame, struct rp_program **out)
{
    int ret;

    for (int i = 0; i < c->n; i++) {
        if (!rp_program_fits(c->program[i], frame))
            continue;
        c->hits++;
        move_to_front(c, i);
        *out = c->program[0];
        return 0;
    }
    c->misses++;
    make_room(c, plan);
    if ((ret = rp_program_create(out, plan, frame->w, frame->h, frame->fmt)) < 0)
        return ret;
    c->program[c->n++] = *out;
    move_to_front(c, c->n - 1);
    return 0;
}

void rp_program_cache_clear(struct rp_program_cache *c)
{
    if (c->hits + c->misses > 1)
        rp_log(RP_LOG_DEBUG, "programs for pictures: %lld found, %lld made, %lld dropped for room",
               (long long) c->hits, (long long) c->misses, (long long) c->evictions);
    while (c->n)
        rp_program_destroy(&c->program[--c->n]);
}
