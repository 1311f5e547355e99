/* The thread to which others hand work. Worth a run under ThreadSanitizer after each change. */
#include "base/executor.h"

#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, CALLS = 500 };

/* ---- order and threads ----------------------------------------------------------------------- */

struct counter {
    struct rp_executor *executor;
    pthread_t thread;      /* that does the work */
    int sum, inside, last[THREADS];
    bool right;
};

struct caller {
    struct counter *counter;
    int number, call;
};

/* No lock: all work is done by one thread. */
static int count(void *priv)
{
    struct caller *const c = priv;
    struct counter *const n = c->counter;

    n->right &= pthread_equal(n->thread, pthread_self()) && n->inside++ == 0;
    n->right &= n->last[c->number]++ == c->call;
    n->sum++;
    n->inside--;
    return c->call;
}

static int note_thread(void *priv)
{
    *(pthread_t *) priv = pthread_self();
    return 0;
}

static void *call_often(void *priv)
{
    struct caller *const c = priv;

    for (c->call = 0; c->call < CALLS; c->call++)
        if (rp_executor_run(c->counter->executor, count, c) != c->call)
            c->counter->right = false;
    return NULL;
}

static void test_one_thread(void **state)
{
    pthread_t thread[THREADS];
    struct counter n = {.right = true};
    struct caller c[THREADS];

    (void) state;
    assert_int_equal(rp_executor_create(&n.executor), 0);
    assert_int_equal(rp_executor_run(n.executor, note_thread, &n.thread), 0);
    assert_false(pthread_equal(n.thread, pthread_self()));
    for (int i = 0; i < THREADS; i++) {
        c[i] = (struct caller){&n, i, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, call_often, &c[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_true(n.right);
    assert_int_equal(n.sum, THREADS * CALLS);
    rp_executor_destroy(&n.executor);
    assert_null(n.executor);
    rp_executor_destroy(&n.executor);
}

/* From its own thread, and without a thread, work is done at once. */
static int run_inside(void *priv)
{
    pthread_t here;
    struct rp_executor *const e = priv;

    if (rp_executor_run(e, note_thread, &here) < 0 || !pthread_equal(here, pthread_self()))
        return -1;
    return 7;
}

static void test_at_once(void **state)
{
    struct rp_executor *e;

    (void) state;
    assert_int_equal(rp_executor_create(&e), 0);
    assert_int_equal(rp_executor_run(e, run_inside, e), 7);
    assert_int_equal(rp_executor_run(NULL, run_inside, NULL), 7);
    rp_executor_destroy(&e);
}

/* ---- failures -------------------------------------------------------------------------------- */

static int break_down(void *priv)
{
    return rp_fail(RP_ERR_DEVICE, "%s: broken", (const char *) priv);
}

static char cable[] = "cable", fan[] = "fan";
static int lines;

static void count_line(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    (void) line;
    lines += level == RP_LOG_ERROR;
}

/* The caller gets status and sentence; it is logged once, or not while the caller holds the log. */
static void test_failure(void **state)
{
    struct rp_executor *e;

    (void) state;
    rp_set_log(RP_LOG_INFO, count_line, NULL);
    assert_int_equal(rp_executor_create(&e), 0);
    rp_take_error("");
    assert_int_equal(rp_executor_run(e, break_down, cable), RP_ERR_DEVICE);
    assert_string_equal(rp_last_error(), "cable: broken");
    assert_int_equal(lines, 1);
    rp_log_hold(true);
    assert_int_equal(rp_executor_run(e, break_down, fan), RP_ERR_DEVICE);
    rp_log_hold(false);
    assert_string_equal(rp_last_error(), "fan: broken");
    assert_int_equal(lines, 1);
    assert_int_equal(rp_executor_run(e, break_down, cable), RP_ERR_DEVICE);
    assert_int_equal(lines, 2);
    rp_executor_destroy(&e);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
}

/* ---- without waiting ------------------------------------------------------------------------- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool begun, open;
    int after;
};

static int wait_at_gate(void *priv)
{
    struct gate *const g = priv;

    pthread_mutex_lock(&g->lock);
    g->begun = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return 3;
}

static int go_after(void *priv)
{
    struct gate *const g = priv;

    return ++g->after;
}

static void open_gate(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (!g->begun)
        pthread_cond_wait(&g->changed, &g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* Work that has not begun can be cancelled, wherever it is in the queue; else it is waited for. */
static void test_withdraw(void **state)
{
    struct rp_executor *e;
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct rp_task first = {.fn = wait_at_gate, .priv = &g}, task[4];

    (void) state;
    assert_int_equal(rp_executor_create(&e), 0);
    rp_executor_submit(e, &first);
    for (int i = 0; i < 4; i++) {
        task[i] = (struct rp_task){.fn = go_after, .priv = &g};
        rp_executor_submit(e, &task[i]);
    }
    assert_int_equal(rp_executor_withdraw(e, &task[1]), 0);
    assert_int_equal(rp_executor_withdraw(e, &task[3]), 0);
    task[3] = (struct rp_task){.fn = go_after, .priv = &g}; /* the end of the line was kept */
    rp_executor_submit(e, &task[3]);
    open_gate(&g);
    assert_int_equal(rp_executor_withdraw(e, &first), 3);
    assert_int_equal(rp_executor_wait(e, &task[0]), 1);
    assert_int_equal(rp_executor_wait(e, &task[2]), 2);
    assert_int_equal(rp_executor_wait(e, &task[3]), 3);
    rp_executor_destroy(&e);
    assert_int_equal(g.after, 3);
}

/* Work that was submitted before the end is done. */
static void test_end(void **state)
{
    struct rp_executor *e;
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct rp_task task[3];

    (void) state;
    assert_int_equal(rp_executor_create(&e), 0);
    for (int i = 0; i < 3; i++) {
        task[i] = (struct rp_task){.fn = go_after, .priv = &g};
        rp_executor_submit(e, &task[i]);
    }
    rp_executor_destroy(&e);
    assert_int_equal(g.after, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread), cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_failure),    cmocka_unit_test(test_withdraw),
        cmocka_unit_test(test_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
