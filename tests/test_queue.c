/* The queue between threads. Worth a run under ThreadSanitizer after each change. */
#include "base/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <unistd.h>

#include <cmocka.h>

enum { ITEMS = 5000, THREADS = 4 };

static int numbers[ITEMS * THREADS];

static void test_order(void **state)
{
    struct rp_queue *q;
    void *item = NULL;

    (void) state;
    assert_int_equal(rp_queue_create(&q, 3), 0);
    for (int round = 0; round < 5; round++) { /* the ring wraps */
        for (int i = 0; i < 2; i++)
            assert_int_equal(rp_queue_push(q, &numbers[i]), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rp_queue_pop(q, &item), 0);
            assert_ptr_equal(item, &numbers[i]);
        }
    }
    assert_int_equal(rp_queue_push(q, NULL), 0); /* NULL is an item like another */
    assert_int_equal(rp_queue_pop(q, &item), 0);
    assert_null(item);
    rp_queue_destroy(&q);
    assert_null(q);
    rp_queue_destroy(&q);
}

static void test_close_keeps_what_is_inside(void **state)
{
    struct rp_queue *q;
    void *item = NULL;

    (void) state;
    assert_int_equal(rp_queue_create(&q, 2), 0);
    assert_int_equal(rp_queue_push(q, &numbers[7]), 0);
    rp_queue_close(q);
    rp_queue_close(q);
    assert_int_equal(rp_queue_push(q, &numbers[8]), RP_ERR_CLOSED);
    assert_int_equal(rp_queue_pop(q, &item), 0);
    assert_ptr_equal(item, &numbers[7]);
    assert_int_equal(rp_queue_pop(q, &item), RP_ERR_CLOSED);
    rp_queue_destroy(&q);
}

static void test_capacity(void **state)
{
    struct rp_queue *q;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    assert_int_equal(rp_queue_create(&q, 0), RP_ERR_INVALID);
    assert_null(q);
    assert_int_equal(rp_queue_create(&q, -1), RP_ERR_INVALID);
}

struct worker {
    struct rp_queue *q;
    int first, taken, ret;
    bool in_order;
};

static void *push_items(void *priv)
{
    struct worker *const w = priv;

    for (int i = 0; i < ITEMS && w->ret == 0; i++)
        w->ret = rp_queue_push(w->q, &numbers[w->first + i]);
    return NULL;
}

/* Marks what comes; of one pusher, items come in its order. */
static void *pop_items(void *priv)
{
    struct worker *const w = priv;
    int last[THREADS];
    void *item;

    memset(last, -1, sizeof(last));
    w->in_order = true;
    while ((w->ret = rp_queue_pop(w->q, &item)) == 0) {
        const int i = (int) ((int *) item - numbers);
        numbers[i]++;
        w->taken++;
        w->in_order = w->in_order && i > last[i / ITEMS];
        last[i / ITEMS] = i;
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct rp_queue *q;
    struct worker push[THREADS], pop[THREADS];
    pthread_t pushers[THREADS], poppers[THREADS];
    int taken = 0;

    (void) state;
    assert_int_equal(rp_queue_create(&q, 3), 0);
    for (int i = 0; i < THREADS; i++) {
        push[i] = pop[i] = (struct worker){.q = q, .first = i * ITEMS};
        assert_int_equal(pthread_create(&pushers[i], NULL, push_items, &push[i]), 0);
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_items, &pop[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(pushers[i], NULL);
    rp_queue_close(q);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(poppers[i], NULL);
        assert_int_equal(push[i].ret, 0);
        assert_int_equal(pop[i].ret, RP_ERR_CLOSED);
        assert_true(pop[i].in_order);
        taken += pop[i].taken;
    }
    assert_int_equal(taken, ITEMS * THREADS);
    for (int i = 0; i < ITEMS * THREADS; i++)
        assert_int_equal(numbers[i], 1);
    rp_queue_destroy(&q);
}

/* Closing wakes all threads that wait. */
static void test_close_wakes(void **state)
{
    struct rp_queue *full, *empty;
    struct worker push, pop;
    pthread_t pusher, popper;

    (void) state;
    assert_int_equal(rp_queue_create(&full, 1), 0);
    assert_int_equal(rp_queue_create(&empty, 1), 0);
    push = (struct worker){.q = full};
    pop = (struct worker){.q = empty};
    assert_int_equal(pthread_create(&pusher, NULL, push_items, &push), 0);
    assert_int_equal(pthread_create(&popper, NULL, pop_items, &pop), 0);
    usleep(20000);
    rp_queue_close(full);
    rp_queue_close(empty);
    pthread_join(pusher, NULL);
    pthread_join(popper, NULL);
    assert_int_equal(push.ret, RP_ERR_CLOSED);
    assert_int_equal(pop.ret, RP_ERR_CLOSED);
    rp_queue_destroy(&full);
    rp_queue_destroy(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),   cmocka_unit_test(test_close_keeps_what_is_inside),
        cmocka_unit_test(test_capacity), cmocka_unit_test(test_threads),
        cmocka_unit_test(test_close_wakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
