#include "engine/tape.h"

#define MOST_BRANCHES 8

static int no_memory(void)
{
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* ---- noting ---------------------------------------------------------------------------------- */

int rp_tape_note(struct rp_tape *t, const struct rp_tape_item *item)
{
    if (t->n == t->cap) {
        const int cap = t->cap ? 2 * t->cap : 128;
        struct rp_tape_item *const grown = realloc(t->item, (size_t) cap * sizeof(*grown));

        if (!grown)
            return no_memory();
        t->item = grown;
        t->cap = cap;
    }
    t->item[t->n++] = *item;
    return 0;
}

static int note_op(struct rp_tape *t, int number, const void *args, size_t size)
{
    const size_t aligned = (size + 15) & ~(size_t) 15;

    if (t->used + aligned > t->room) {
        const size_t room = 2 * (t->used + aligned) + 4096;
        uint8_t *const grown = realloc(t->store, room);

        if (!grown)
            return no_memory();
        t->store = grown;
        t->room = room;
    }
    memcpy(t->store + t->used, args, size);
    const struct rp_tape_item item = {.kind = RP_TAPE_OP, .number = number, .args = t->used};
    t->used += aligned;
    return rp_tape_note(t, &item);
}

/* Operations by number; a table that notes them; and how to do one that was noted. */
enum {
#define NUMBER(name) OP_##name,
    RP_OPS(NUMBER)
#undef NUMBER
};

#define NOTE(name)                                                                                 \
    static int note_##name(struct rp_stream *tape, const struct rp_op_##name *a)                   \
    {                                                                                              \
        return note_op((struct rp_tape *) tape, OP_##name, a, sizeof(*a));                         \
    }                                                                                              \
    static int do_##name(const struct rp_ops *ops, struct rp_stream *s, const void *args)          \
    {                                                                                              \
        return ops->name(s, args);                                                                 \
    }
RP_OPS(NOTE)
#undef NOTE

const struct rp_ops rp_tape_ops = {
#define ENTRY(name) .name = note_##name,
    RP_OPS(ENTRY)
#undef ENTRY
};

static int (*const do_op[])(const struct rp_ops *ops, struct rp_stream *s, const void *args) = {
#define ENTRY(name) [OP_##name] = do_##name,
    RP_OPS(ENTRY)
#undef ENTRY
};

int rp_tape_loop(struct rp_tape *t, const int32_t *count, int32_t *index, rp_record_fn *body,
                 void *priv)
{
    const int at = t->n;

    RP_CHECK(rp_tape_note(t, &(struct rp_tape_item){.kind = RP_TAPE_LOOP, .src = count, .dst = index}));
    RP_CHECK(body(priv));
    t->item[at].end = t->n;
    return 0;
}

int rp_tape_choose(struct rp_tape *t, const int32_t *which, int n, rp_record_fn *body,
                   void *const *priv)
{
    const int at = t->n;

    if (n > MOST_BRANCHES)
        return rp_fail(RP_ERR_LIMIT, "a choice of %d; at most %d can be taped", n, MOST_BRANCHES);
    RP_CHECK(rp_tape_note(t, &(struct rp_tape_item){.kind = RP_TAPE_CHOOSE, .number = n, .src = which}));
    for (int i = 0; i < n; i++) {
        const int branch = t->n;

        RP_CHECK(rp_tape_note(t, &(struct rp_tape_item){.kind = RP_TAPE_BRANCH}));
        RP_CHECK(body(priv[i]));
        t->item[branch].end = t->n;
    }
    t->item[at].end = t->n;
    return 0;
}

int rp_tape_record(struct rp_tape *t, struct rp_slot *slot, rp_record_fn *fn, void *priv)
{
    const struct rp_ops *const ops = slot->ops;
    struct rp_stream *const stream = slot->stream;
    const enum rp_stage stage = slot->stage;

    t->n = 0;
    t->used = 0;
    slot->tape = t;
    slot->ops = &rp_tape_ops;
    slot->stream = (struct rp_stream *) t; /* what the noting operations get */
    const int ret = fn(priv);
    slot->tape = NULL;
    slot->ops = ops;
    slot->stream = stream;
    slot->stage = stage;
    return ret;
}

void rp_tape_clear(struct rp_tape *t)
{
    free(t->item);
    free(t->store);
    *t = (struct rp_tape){0};
}

/* ---- playing --------------------------------------------------------------------------------- */

struct part {
    const struct rp_tape *tape;
    struct rp_slot *slot;
    int first, end;
};

static int play_part(void *priv)
{
    const struct part *const p = priv;

    return rp_tape_play(p->tape, p->slot, p->first, p->end);
}

static int play_choice(const struct rp_tape *t, struct rp_slot *slot, int i)
{
    const struct rp_tape_item *const item = &t->item[i];
    struct part part[MOST_BRANCHES];
    void *priv[MOST_BRANCHES];
    int at = i + 1;

    for (int k = 0; k < item->number; k++) {
        part[k] = (struct part){t, slot, at + 1, t->item[at].end};
        priv[k] = &part[k];
        at = t->item[at].end;
    }
    return rp_slot_choose(slot, item->src, item->number, play_part, priv);
}

static int play_item(const struct rp_tape *t, struct rp_slot *slot, int i)
{
    const struct rp_tape_item *const a = &t->item[i];

    switch (a->kind) {
    case RP_TAPE_OP: return do_op[a->number](slot->ops, slot->stream, t->store + a->args);
    case RP_TAPE_UPLOAD: return rp_slot_upload(slot, a->dst, a->src, a->bytes);
    case RP_TAPE_DOWNLOAD: return rp_slot_download(slot, a->dst, a->src, a->bytes);
    case RP_TAPE_COPY: return rp_slot_copy(slot, a->dst, a->src, a->bytes);
    case RP_TAPE_ZERO: return rp_slot_zero(slot, a->dst, a->bytes);
    case RP_TAPE_STAGE: rp_slot_stage(slot, (enum rp_stage) a->number); return 0;
    case RP_TAPE_RUN: return rp_run(a->net);
    case RP_TAPE_LOOP:
        return rp_slot_loop(slot, a->src, a->dst, play_part,
                            &(struct part){t, slot, i + 1, a->end});
    case RP_TAPE_CHOOSE: return play_choice(t, slot, i);
    case RP_TAPE_BRANCH: break;
    }
    return rp_fail(RP_ERR_INVALID, "a branch stands outside of its choice");
}

int rp_tape_next(const struct rp_tape *t, int i)
{
    return t->item[i].end ? t->item[i].end : i + 1;
}

int rp_tape_play(const struct rp_tape *t, struct rp_slot *slot, int first, int end)
{
    int ret = 0;

    for (int i = first; i < end && ret >= 0; i = rp_tape_next(t, i))
        ret = play_item(t, slot, i);
    return ret;
}
