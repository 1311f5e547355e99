#include "engine/play.h"

#define DO(name)                                                                                   \
    static int do_##name(const struct rp_ops *ops, struct rp_stream *s, const void *args)          \
    {                                                                                              \
        return ops->name(s, args);                                                                 \
    }
RP_OPS(DO)
#undef DO

static int (*const do_op[])(const struct rp_ops *ops, struct rp_stream *s, const void *args) = {
#define ENTRY(name) [RP_OP_NUMBER_##name] = do_##name,
    RP_OPS(ENTRY)
#undef ENTRY
};

/* Items first to end - 1. */
struct part {
    const struct rp_list *list;
    struct rp_slot *slot;
    int first, end;
};

static int play_part(void *priv);

static int play_loop(const struct part *p, int i)
{
    const struct rp_item *const item = &p->list->item[i];
    const struct rp_slot *const slot = p->slot;
    struct part body = {p->list, p->slot, i + 1, item->end};

    return slot->device->fns->loop(slot->device, slot->stream, item->src, item->dst, play_part,
                                   &body);
}

static int play_choice(const struct part *p, int i)
{
    int at = i + 1;
    struct part branch[RP_MAX_BRANCHES];
    void *priv[RP_MAX_BRANCHES];
    const struct rp_slot *const slot = p->slot;
    const struct rp_item *const item = &p->list->item[i];

    for (int k = 0; k < item->number; k++) {
        branch[k] = (struct part){p->list, p->slot, at + 1, p->list->item[at].end};
        priv[k] = &branch[k];
        at = p->list->item[at].end;
    }
    return slot->device->fns->choose(slot->device, slot->stream, item->src, item->number, play_part,
                                     priv);
}

static int play_run(struct rp_slot *slot, struct rp_net *net)
{
    rp_slot_stage(slot, slot->stage);
    const int ret = rp_net_run(net);
    rp_slot_stage_model(slot);
    return ret;
}

static int play_item(const struct part *p, int i)
{
    struct rp_slot *const slot = p->slot;
    const struct rp_item *const a = &p->list->item[i];

    switch (a->kind) {
    case RP_ITEM_OP:
        return do_op[a->number](slot->device->ops, slot->stream, rp_list_args(p->list, i));
    case RP_ITEM_UPLOAD: return rp_slot_upload(slot, a->dst, a->src, a->bytes);
    case RP_ITEM_DOWNLOAD: return rp_slot_download(slot, a->dst, a->src, a->bytes);
    case RP_ITEM_COPY: return rp_slot_copy(slot, a->dst, a->src, a->bytes);
    case RP_ITEM_ZERO: return rp_slot_zero(slot, a->dst, a->bytes);
    case RP_ITEM_STAGE: rp_slot_stage(slot, (enum rp_stage) a->number); return 0;
    case RP_ITEM_RUN: return play_run(slot, a->net);
    case RP_ITEM_LOOP: return play_loop(p, i);
    case RP_ITEM_CHOICE: return play_choice(p, i);
    case RP_ITEM_BRANCH: break;
    }
    return rp_fail(RP_ERR_INVALID, "a branch of recorded work is outside its choice");
}

static int play_part(void *priv)
{
    int ret = 0;
    const struct part *const p = priv;

    for (int i = p->first; i < p->end && ret >= 0; i = rp_list_next(p->list, i))
        ret = play_item(p, i);
    return ret;
}

int rp_play(const struct rp_list *list, struct rp_slot *slot)
{
    struct part all = {list, slot, 0, list->n};

    return play_part(&all);
}

int rp_play_back(void *priv)
{
    const struct rp_playback *const p = priv;

    return rp_play(p->list, p->slot);
}
