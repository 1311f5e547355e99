#include "engine/list.h"

#include <assert.h>

static void fail(struct rp_list *l, int status)
{
    if (l->status >= 0)
        l->status = status;
}

static void out_of_memory(struct rp_list *l)
{
    fail(l, rp_fail(RP_ERR_NOMEM, "out of memory"));
}

static void add(struct rp_list *l, const struct rp_item *item)
{
    if (l->n == l->cap) {
        const int cap = l->cap ? 2 * l->cap : 128;
        struct rp_item *const grown = realloc(l->item, (size_t) cap * sizeof(*grown));

        if (!grown) {
            out_of_memory(l);
            return;
        }
        l->item = grown;
        l->cap = cap;
    }
    l->item[l->n++] = *item;
}

/* ---- a list as a whole ----------------------------------------------------------------------- */

void rp_list_begin(struct rp_list *l, struct rp_slot *slot)
{
    assert(!slot->list);
    l->n = l->depth = l->status = 0;
    l->used = 0;
    l->stage = RP_STAGE_CONVERT;
    slot->list = l;
}

int rp_list_end(struct rp_slot *slot)
{
    struct rp_list *const l = slot->list;

    slot->list = NULL;
    if (l->status >= 0 && l->depth)
        l->status = rp_fail(RP_ERR_INVALID, "a loop or choice of recorded work has no end");
    return l->status;
}

void rp_list_clear(struct rp_list *l)
{
    free(l->item);
    free(l->store);
    *l = (struct rp_list){0};
}

int rp_list_next(const struct rp_list *l, int i)
{
    return l->item[i].end ? l->item[i].end : i + 1;
}

const void *rp_list_args(const struct rp_list *l, int i)
{
    return l->store + l->item[i].args;
}

/* ---- recording ------------------------------------------------------------------------------- */

void rp_list_op(struct rp_list *l, enum rp_op_number op, const void *args, size_t size)
{
    const size_t aligned = (size + 15) & ~(size_t) 15;

    assert(l); /* only between rp_list_begin() and rp_list_end() work can be recorded */
    if (l->used + aligned > l->room) {
        const size_t room = 2 * (l->used + aligned) + 4096;
        uint8_t *const grown = realloc(l->store, room);

        if (!grown) {
            out_of_memory(l);
            return;
        }
        l->store = grown;
        l->room = room;
    }
    memcpy(l->store + l->used, args, size);
    add(l,
        &(struct rp_item){.kind = RP_ITEM_OP, .number = (int) op, .args = l->used, .bytes = size});
    l->used += aligned;
}

void rp_record_upload(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    add(slot->list, &(struct rp_item){.kind = RP_ITEM_UPLOAD, .dst = dst, .src = src, .bytes = n});
}

void rp_record_download(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    add(slot->list,
        &(struct rp_item){.kind = RP_ITEM_DOWNLOAD, .dst = dst, .src = src, .bytes = n});
}

void rp_record_copy(struct rp_slot *slot, void *dst, const void *src, size_t n)
{
    add(slot->list, &(struct rp_item){.kind = RP_ITEM_COPY, .dst = dst, .src = src, .bytes = n});
}

void rp_record_zero(struct rp_slot *slot, void *dst, size_t n)
{
    add(slot->list, &(struct rp_item){.kind = RP_ITEM_ZERO, .dst = dst, .bytes = n});
}

void rp_record_run(struct rp_net *net)
{
    add(net->slot->list, &(struct rp_item){.kind = RP_ITEM_RUN, .net = net});
}

enum rp_stage rp_record_stage(struct rp_slot *slot, enum rp_stage stage)
{
    struct rp_list *const l = slot->list;
    const enum rp_stage before = l->stage;

    add(l, &(struct rp_item){.kind = RP_ITEM_STAGE, .number = (int) stage});
    l->stage = stage;
    return before;
}

void rp_record_items(struct rp_slot *slot, const struct rp_list *from, int first, int end)
{
    struct rp_list *const l = slot->list;
    const int shift = l->n - first;

    for (int i = first; i < end; i++) {
        struct rp_item item = from->item[i];

        if (item.kind == RP_ITEM_OP) {
            rp_list_op(l, (enum rp_op_number) item.number, rp_list_args(from, i), item.bytes);
            continue;
        }
        item.end += item.end ? shift : 0;
        add(l, &item);
    }
}

/* ---- what has a body ------------------------------------------------------------------------- */

static void open_item(struct rp_list *l, const struct rp_item *item)
{
    if (l->depth == RP_LIST_DEPTH) {
        fail(l, rp_fail(RP_ERR_LIMIT,
                        "recorded work has more than %d loops and choices inside each "
                        "other",
                        RP_LIST_DEPTH));
        return;
    }
    l->open[l->depth++] = l->n;
    add(l, item);
}

static void close_item(struct rp_list *l, enum rp_item_kind kind)
{
    if (l->status < 0)
        return;
    if (!l->depth || l->item[l->open[l->depth - 1]].kind != kind) {
        fail(l,
             rp_fail(RP_ERR_INVALID, "a loop or choice of recorded work ends that did not begin"));
        return;
    }
    l->item[l->open[--l->depth]].end = l->n;
}

void rp_record_loop(struct rp_slot *slot, const int32_t *count, int32_t *index)
{
    open_item(slot->list, &(struct rp_item){.kind = RP_ITEM_LOOP, .src = count, .dst = index});
}

void rp_record_loop_end(struct rp_slot *slot)
{
    close_item(slot->list, RP_ITEM_LOOP);
}

void rp_record_choice(struct rp_slot *slot, const int32_t *which)
{
    open_item(slot->list, &(struct rp_item){.kind = RP_ITEM_CHOICE, .src = which});
}

static bool in_branch(const struct rp_list *l)
{
    return l->depth && l->item[l->open[l->depth - 1]].kind == RP_ITEM_BRANCH;
}

void rp_record_branch(struct rp_slot *slot)
{
    struct rp_list *const l = slot->list;

    if (l->status < 0)
        return;
    if (in_branch(l))
        close_item(l, RP_ITEM_BRANCH);
    if (!l->depth || l->item[l->open[l->depth - 1]].kind != RP_ITEM_CHOICE)
        fail(l, rp_fail(RP_ERR_INVALID, "a branch of recorded work is outside a choice"));
    else if (++l->item[l->open[l->depth - 1]].number > RP_MAX_BRANCHES)
        fail(l, rp_fail(RP_ERR_LIMIT, "a choice of recorded work has more than %d branches",
                        RP_MAX_BRANCHES));
    else
        open_item(l, &(struct rp_item){.kind = RP_ITEM_BRANCH});
}

void rp_record_choice_end(struct rp_slot *slot)
{
    if (slot->list->status >= 0 && in_branch(slot->list))
        close_item(slot->list, RP_ITEM_BRANCH);
    close_item(slot->list, RP_ITEM_CHOICE);
}
