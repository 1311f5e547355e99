#include "pipeline/programs.h"

static size_t bytes_of(const struct rp_program *p)
{
    return rp_program_buffers(p) + rp_program_pool(p);
}

size_t rp_programs_bytes(const struct rp_programs *s)
{
    size_t sum = 0;

    for (int i = 0; i < s->n; i++)
        sum += bytes_of(s->idle[i]);
    return sum;
}

static void drop_last(struct rp_programs *s)
{
    rp_program_destroy(&s->idle[--s->n]);
    s->evictions++;
}

static int count_kinds(const struct rp_programs *s)
{
    int kinds = 0;

    for (int i = 0; i < s->n; i++) {
        int k = 0;

        while (k < i && !rp_program_is(s->idle[k], rp_program_plan(s->idle[i]),
                                       rp_program_kind(s->idle[i])))
            k++;
        kinds += k == i;
    }
    return kinds;
}

static bool too_many(const struct rp_programs *s, const struct rp_plan *plan)
{
    const size_t limit = plan->graph ? (size_t) plan->graph->memory : 0;

    return s->n == RP_IDLE_PROGRAMS || count_kinds(s) > RP_IDLE_KINDS ||
           (limit && rp_programs_bytes(s) > limit);
}

int rp_programs_take(struct rp_programs *s, const struct rp_plan *plan,
                     const struct rp_program_params *params, struct rp_program **out)
{
    int i = 0;

    while (i < s->n && !rp_program_is(s->idle[i], plan, params))
        i++;
    if (i == s->n) {
        s->misses++;
        return rp_program_create(out, plan, params);
    }
    *out = s->idle[i];
    for (s->n--; i < s->n; i++)
        s->idle[i] = s->idle[i + 1];
    s->hits++;
    return rp_program_refresh(*out);
}

int rp_programs_take_for(struct rp_programs *s, const struct rp_plan *plan,
                         const struct rp_media_frame *frame, struct rp_program **out)
{
    const struct rp_program_params params = rp_program_params_for(frame);

    return rp_programs_take(s, plan, &params, out);
}

void rp_programs_give(struct rp_programs *s, struct rp_program **program)
{
    if (!*program)
        return;
    if (s->n == RP_IDLE_PROGRAMS)
        drop_last(s);
    for (int i = s->n++; i > 0; i--)
        s->idle[i] = s->idle[i - 1];
    s->idle[0] = *program;
    *program = NULL;
    while (s->n > 1 && too_many(s, rp_program_plan(s->idle[0])))
        drop_last(s);
}

void rp_programs_each(const struct rp_programs *s,
                      void (*fn)(void *priv, const struct rp_slot *slot), void *priv)
{
    for (int i = 0; i < s->n; i++)
        rp_program_each(s->idle[i], fn, priv);
}

void rp_programs_reset_clocks(struct rp_programs *s)
{
    for (int i = 0; i < s->n; i++)
        rp_program_reset_clocks(s->idle[i]);
}

void rp_programs_clear(struct rp_programs *s)
{
    if (s->hits + s->misses > 1)
        rp_log(RP_LOG_DEBUG, "programs: %lld found, %lld made, %lld dropped for room",
               (long long) s->hits, (long long) s->misses, (long long) s->evictions);
    while (s->n)
        rp_program_destroy(&s->idle[--s->n]);
    s->hits = s->misses = s->evictions = 0;
}
