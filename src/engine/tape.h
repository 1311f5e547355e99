/* What a record function does, as a list instead of as work.
 *
 * A record function never looks at what is in device memory, so one call of it says all: while it is
 * taped, a slot's operations, copies, runs of networks, loops and choices are noted in order, and can
 * be played afterwards, in parts, as often as wanted. That is what lets several frames be worked on
 * in step (gang.h).
 *
 * Items lie in one flat array. A loop's or choice's body follows it, up to its `end`; each body of a
 * choice is headed by a branch. */
#ifndef RP_TAPE_H
#define RP_TAPE_H

#include "engine/engine.h"

enum rp_tape_kind {
    RP_TAPE_OP = 0,
    RP_TAPE_UPLOAD,
    RP_TAPE_DOWNLOAD,
    RP_TAPE_COPY,
    RP_TAPE_ZERO,
    RP_TAPE_STAGE,
    RP_TAPE_RUN,
    RP_TAPE_LOOP,
    RP_TAPE_CHOOSE,
    RP_TAPE_BRANCH,
};

struct rp_tape_item {
    enum rp_tape_kind kind;
    int number;           /* operation, stage, or how many branches */
    int end;              /* loop, choice, branch: the item behind it */
    size_t args;          /* operation: where its arguments begin in the tape's store */
    void *dst;            /* copies; loop: index */
    const void *src;      /* copies; loop: count; choice: which */
    size_t bytes;
    struct rp_net *net;
};

struct rp_tape {
    struct rp_tape_item *item;
    int n, cap;
    uint8_t *store;
    size_t used, room;
};

/* Note all that fn(priv) does on this slot. The tape is emptied first. */
int rp_tape_record(struct rp_tape *tape, struct rp_slot *slot, rp_record_fn *fn, void *priv);
void rp_tape_clear(struct rp_tape *tape);

/* Do items first to end - 1 on a slot: the one that was taped. */
int rp_tape_play(const struct rp_tape *tape, struct rp_slot *slot, int first, int end);

/* The item behind this one and its body. */
int rp_tape_next(const struct rp_tape *tape, int i);

/* For slot.c and net.c, while slot->tape is set. */
extern const struct rp_ops rp_tape_ops;
int rp_tape_note(struct rp_tape *tape, const struct rp_tape_item *item);
int rp_tape_loop(struct rp_tape *tape, const int32_t *count, int32_t *index, rp_record_fn *body,
                 void *priv);
int rp_tape_choose(struct rp_tape *tape, const int32_t *which, int n, rp_record_fn *body,
                   void *const *priv);

#endif /* RP_TAPE_H */
