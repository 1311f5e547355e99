/* The work of a slot as a list: recorded once, played as often as wanted.
 *
 * A record function never reads device memory, so one call of it determines all that is ever done
 * on frames of this kind: which operations with which arguments, which networks, copies, loops and
 * choices. Between rp_list_begin() and rp_list_end() all of this is written into the list in order;
 * the players then do it:
 *
 *   play.c       on the slot's device: at once on the CPU, eagerly on a GPU, or into a capture,
 *                which gives the CUDA graph (graph.c)
 *   lockstep.c   makes one list from the lists of several frames, each network once for all of them
 *
 * What changes from frame to frame is read from memory whose address stays the same: host blocks
 * that are uploaded, or struct rp_planes, which a launch reads.
 *
 * Recording functions return nothing: the list remembers the first failure, and rp_list_end()
 * returns it. Threads: a list belongs to its slot. */
#ifndef RP_LIST_H
#define RP_LIST_H

#include "engine/engine.h"

#define RP_LIST_DEPTH 8 /* loops and choices inside each other */
#define RP_MAX_BRANCHES 8

enum rp_item_kind {
    RP_ITEM_OP = 0,
    RP_ITEM_UPLOAD,
    RP_ITEM_DOWNLOAD,
    RP_ITEM_COPY,
    RP_ITEM_ZERO,
    RP_ITEM_STAGE,
    RP_ITEM_RUN,
    RP_ITEM_LOOP,   /* its body follows, up to .end */
    RP_ITEM_CHOICE, /* its branches follow */
    RP_ITEM_BRANCH, /* its body follows */
};

struct rp_item {
    enum rp_item_kind kind;
    int number;      /* enum rp_op_number, enum rp_stage, or number of branches */
    int end;         /* loop, choice, branch: number of the first item after it */
    size_t args;     /* operation: offset of its arguments in `store` */
    void *dst;       /* copies; loop: index */
    const void *src; /* copies; loop: count; choice: which */
    size_t bytes;
    struct rp_net *net;
};

struct rp_list {
    struct rp_item *item;
    int n, cap;
    uint8_t *store;
    size_t used, room;
    /* while recording */
    int open[RP_LIST_DEPTH], depth;
    int status; /* the first failure */
    enum rp_stage stage;
};

/* From here on what is recorded on this slot goes into the list, which is emptied first. None of it
 * is done yet. A slot records one list at a time. */
void rp_list_begin(struct rp_list *list, struct rp_slot *slot);
/* 0 or the first failure: RP_ERR_NOMEM, RP_ERR_LIMIT, or RP_ERR_INVALID if a loop or choice was
 * left open. */
int rp_list_end(struct rp_slot *slot);
void rp_list_clear(struct rp_list *list);

/* Number of the item after this one and all that is inside it. */
int rp_list_next(const struct rp_list *list, int i);
/* The arguments of an operation: a struct rp_op_NAME. */
const void *rp_list_args(const struct rp_list *list, int i);

/* ---- recording ------------------------------------------------------------------------------- */

/* An operation of ops.h:
 *     RP_OP(slot, resize, .src = *frame, .dst = small); */
#define RP_OP(slot, op, ...)                                                                       \
    rp_list_op((slot)->list, RP_OP_NUMBER_##op, &(const struct rp_op_##op){__VA_ARGS__},           \
               sizeof(struct rp_op_##op))
/* The same with its arguments in a variable. */
#define RP_OP_FROM(slot, op, args)                                                                 \
    rp_list_op((slot)->list, RP_OP_NUMBER_##op, (args), sizeof(struct rp_op_##op))
void rp_list_op(struct rp_list *list, enum rp_op_number op, const void *args, size_t size);

/* Copies. Host memory must stay where it is: it is read or written whenever the list is played. */
void rp_record_upload(struct rp_slot *slot, void *dst, const void *src, size_t n);
void rp_record_download(struct rp_slot *slot, void *dst, const void *src, size_t n);
void rp_record_copy(struct rp_slot *slot, void *dst, const void *src, size_t n);
void rp_record_zero(struct rp_slot *slot, void *dst, size_t n);

/* A network: reads its in[], writes its out[]. */
void rp_record_run(struct rp_net *net);

/* for (*index = 0; *index < *count; ++*index), both in device memory, over all that is recorded up
 * to rp_record_loop_end(). */
void rp_record_loop(struct rp_slot *slot, const int32_t *count, int32_t *index);
void rp_record_loop_end(struct rp_slot *slot);

/* Does branch number *which (in device memory) of those up to rp_record_choice_end(), or none if no
 * branch has that number. rp_record_branch() begins each branch. At most RP_MAX_BRANCHES. */
void rp_record_choice(struct rp_slot *slot, const int32_t *which);
void rp_record_branch(struct rp_slot *slot);
void rp_record_choice_end(struct rp_slot *slot);

/* From here on time counts for this stage. Returns the previous stage, to go back to it. */
enum rp_stage rp_record_stage(struct rp_slot *slot, enum rp_stage stage);

/* For lists made from others (lockstep.c): copies items first to end - 1 of another list, which
 * must contain whole loops and choices only. */
void rp_record_items(struct rp_slot *slot, const struct rp_list *from, int first, int end);

#endif /* RP_LIST_H */
