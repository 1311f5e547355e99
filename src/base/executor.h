/* A thread that does what others ask of it, one thing after the other. A GPU has one, because all
 * work on it must come from the thread that opened it.
 *
 * A task is memory of whoever asks and stays where it is until it is waited for or taken back, so
 * that asking cannot fail. */
#ifndef RP_EXECUTOR_H
#define RP_EXECUTOR_H

#include "base/base.h"

struct rp_executor;

struct rp_task {
    int (*fn)(void *priv);
    void *priv;
    /* the executor's own */
    struct rp_task *next;
    bool begun, done, held;
    int status;
    char sentence[RP_MAX_SENTENCE]; /* of a failure; belongs to the thread that waits */
};

/* RP_ERR_NOMEM when no thread can be started. */
int rp_executor_create(struct rp_executor **out);

/* What was asked for before is done first. Not from a task of its own. */
void rp_executor_destroy(struct rp_executor **executor);

/* Do it on the executor's thread, behind all that was asked for before, and wait: its status, and
 * on a failure its sentence for rp_last_error(). rp_log_hold() counts there as here. From that
 * thread, or with no executor at all (NULL), it is done at once by the caller. */
int rp_executor_run(struct rp_executor *executor, int (*fn)(void *priv), void *priv);

/* The same without waiting: one of the two below must follow, from another thread than its own. */
void rp_executor_submit(struct rp_executor *executor, struct rp_task *task);
int rp_executor_wait(struct rp_executor *executor, struct rp_task *task);

/* Take the task back if it has not begun (then the status is 0), else wait for it. For those who
 * have a thread that others wait for: two that wait for each other's would wait for ever. */
int rp_executor_withdraw(struct rp_executor *executor, struct rp_task *task);

#endif /* RP_EXECUTOR_H */
