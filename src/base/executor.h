/* A thread that does tasks for other threads, one after the other. Each GPU has one, because all
 * work on a GPU must come from the thread that opened it.
 *
 * A task is the caller's memory, so that submitting it cannot fail; it must stay in place until it
 * has been waited for or withdrawn. */
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
    char sentence[RP_MAX_SENTENCE]; /* of a failure, for the thread that waits */
};

/* RP_ERR_NOMEM if no thread can be started. */
int rp_executor_create(struct rp_executor **out);

/* All tasks submitted before are done first. Must not be called from one of its own tasks. */
void rp_executor_destroy(struct rp_executor **executor);

/* Call fn on the executor's thread, after all tasks submitted before, and wait for it. Returns its
 * status; after a failure rp_last_error() has its sentence. If this thread holds the log
 * (rp_log_hold()), so does fn. On the executor's own thread, or with no executor (NULL), fn is
 * called at once. */
int rp_executor_run(struct rp_executor *executor, int (*fn)(void *priv), void *priv);

/* The same without waiting: rp_executor_wait() or rp_executor_withdraw() must follow, on a thread
 * other than the executor's. */
void rp_executor_submit(struct rp_executor *executor, struct rp_task *task);
int rp_executor_wait(struct rp_executor *executor, struct rp_task *task);

/* Take the task back if it has not begun (then the status is 0), else wait for it. For callers that
 * run on an executor themselves: two executors that wait for each other would wait for ever. */
int rp_executor_withdraw(struct rp_executor *executor, struct rp_task *task);

#endif /* RP_EXECUTOR_H */
