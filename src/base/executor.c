#include "base/executor.h"

#include <pthread.h>

struct rp_executor {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked, done;
    struct rp_task *first, **last; /* not begun, oldest first */
    bool ending;
};

static void do_task(struct rp_task *task)
{
    if (task->held)
        rp_log_hold(true);
    task->status = task->fn(task->priv);
    if (task->held)
        rp_log_hold(false);
    if (task->status < 0)
        snprintf(task->sentence, sizeof(task->sentence), "%s", rp_last_error());
}

static void *work(void *priv)
{
    struct rp_executor *const e = priv;

    pthread_mutex_lock(&e->lock);
    for (;;) {
        struct rp_task *const task = e->first;

        if (!task && e->ending)
            break;
        if (!task) {
            pthread_cond_wait(&e->asked, &e->lock);
            continue;
        }
        if (!(e->first = task->next))
            e->last = &e->first;
        task->begun = true;
        pthread_mutex_unlock(&e->lock);
        do_task(task);
        pthread_mutex_lock(&e->lock);
        task->done = true;
        pthread_cond_broadcast(&e->done);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

int rp_executor_create(struct rp_executor **out)
{
    struct rp_executor *const e = *out = calloc(1, sizeof(*e));

    if (!e)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->asked, NULL);
    pthread_cond_init(&e->done, NULL);
    if (!pthread_create(&e->thread, NULL, work, e))
        return 0;
    pthread_cond_destroy(&e->done);
    pthread_cond_destroy(&e->asked);
    pthread_mutex_destroy(&e->lock);
    free(e);
    *out = NULL;
    return rp_fail(RP_ERR_NOMEM, "no thread could be started");
}

void rp_executor_destroy(struct rp_executor **out)
{
    struct rp_executor *const e = *out;

    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->ending = true;
    pthread_cond_signal(&e->asked);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->done);
    pthread_cond_destroy(&e->asked);
    pthread_mutex_destroy(&e->lock);
    free(e);
    *out = NULL;
}

void rp_executor_submit(struct rp_executor *e, struct rp_task *task)
{
    task->next = NULL;
    task->begun = task->done = false;
    task->held = rp_log_held();
    pthread_mutex_lock(&e->lock);
    *e->last = task;
    e->last = &task->next;
    pthread_cond_signal(&e->asked);
    pthread_mutex_unlock(&e->lock);
}

int rp_executor_wait(struct rp_executor *e, struct rp_task *task)
{
    pthread_mutex_lock(&e->lock);
    while (!task->done)
        pthread_cond_wait(&e->done, &e->lock);
    pthread_mutex_unlock(&e->lock);
    if (task->status < 0)
        rp_take_error(task->sentence);
    return task->status;
}

int rp_executor_withdraw(struct rp_executor *e, struct rp_task *task)
{
    pthread_mutex_lock(&e->lock);
    for (struct rp_task **at = &e->first; *at && !task->begun; at = &(*at)->next) {
        if (*at != task)
            continue;
        if (!(*at = task->next))
            e->last = at;
        task->begun = task->done = true;
        task->status = 0;
        break;
    }
    pthread_mutex_unlock(&e->lock);
    return rp_executor_wait(e, task);
}

int rp_executor_run(struct rp_executor *e, int (*fn)(void *priv), void *priv)
{
    struct rp_task task = {.fn = fn, .priv = priv};

    if (!e || pthread_equal(pthread_self(), e->thread))
        return fn(priv);
    rp_executor_submit(e, &task);
    return rp_executor_wait(e, &task);
}
