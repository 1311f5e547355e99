/* The ring of frames between reader, workers and writer. Worth a run under ThreadSanitizer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/media.h"
#include "pipeline/ring.h"

enum { FRAMES = 3000, WORKERS = 3, PLACES = 5 };

static struct rp_media_frame *new_frame(int64_t index)
{
    struct rp_media_frame *f;

    if (rp_media_frame_alloc(&f, RP_FMT_BGR24, 2, 2) < 0)
        abort();
    f->index = index;
    f->plane[0][0] = f->plane[0][1] = 0;
    return f;
}

/* ---- one thread ------------------------------------------------------------------------------ */

/* Frames finished in any order come out in the order in which they were read. */
static void test_order(void **state)
{
    struct rp_ring *r;
    struct rp_media_frame *f;
    struct rp_ticket ticket[3];

    (void) state;
    assert_int_equal(rp_ring_create(&r, 3), 0);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(rp_ring_put(r, new_frame(3 * round + i)), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(rp_ring_take(r, &ticket[i], 1, true), 1);
            assert_int_equal(ticket[i].pass, RP_PASS_WHOLE);
            assert_int_equal(ticket[i].number, 3 * round + i);
            assert_int_equal(ticket[i].frame->index, 3 * round + i);
        }
        assert_int_equal(rp_ring_take(r, &(struct rp_ticket){0}, 1, false), RP_ERR_CLOSED);
        rp_ring_done(r, ticket[2].place);
        rp_ring_done(r, ticket[0].place);
        rp_ring_done(r, ticket[1].place);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(rp_ring_get(r, &f), 0);
            assert_ptr_equal(f, ticket[i].frame);
            rp_media_frame_free(&f);
        }
    }
    rp_ring_end(r);
    assert_int_equal(rp_ring_take(r, &ticket[0], 1, true), RP_ERR_CLOSED);
    assert_int_equal(rp_ring_get(r, &f), 0);
    assert_null(f);
    assert_int_equal(rp_ring_get(r, &f), 0); /* the end stays the end */
    assert_null(f);
    assert_int_equal(rp_ring_status(r), 0);
    rp_ring_destroy(&r);
    assert_null(r);
    rp_ring_destroy(&r);
}

static enum rp_pass take_done(struct rp_ring *r, int64_t number)
{
    struct rp_ticket ticket;

    assert_int_equal(rp_ring_take(r, &ticket, 1, false), 1);
    assert_int_equal(ticket.number, number);
    assert_int_equal(ticket.frame->index, number);
    rp_ring_done(r, ticket.place);
    return ticket.pass;
}

/* One worker, two frames ahead: analyse 0 1 2, process 0, analyse 3, process 1, and at the end what
 * is left. */
static void test_split_order(void **state)
{
    struct rp_ring *r;
    struct rp_media_frame *f;
    struct rp_ticket late;

    (void) state;
    assert_int_equal(rp_ring_create(&r, 4), 0);
    rp_ring_split(r, 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rp_ring_put(r, new_frame(i)), 0);
    assert_int_equal(take_done(r, 0), RP_PASS_ANALYSE);
    assert_int_equal(rp_ring_take(r, &late, 1, false), 1); /* frame 1 takes long */
    assert_int_equal(take_done(r, 2), RP_PASS_ANALYSE);
    assert_int_equal(take_done(r, 3), RP_PASS_ANALYSE);
    assert_int_equal(rp_ring_take(r, &(struct rp_ticket){0}, 1, false), RP_ERR_CLOSED);
    rp_ring_done(r, late.place);
    assert_int_equal(take_done(r, 0), RP_PASS_PROCESS);
    assert_int_equal(take_done(r, 1), RP_PASS_PROCESS);
    assert_int_equal(rp_ring_take(r, &(struct rp_ticket){0}, 1, false), RP_ERR_CLOSED); /* 4 may come */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rp_ring_get(r, &f), 0);
        assert_int_equal(f->index, i);
        rp_media_frame_free(&f);
    }
    assert_int_equal(rp_ring_put(r, new_frame(4)), 0);
    rp_ring_end(r);
    assert_int_equal(take_done(r, 4), RP_PASS_ANALYSE);
    for (int i = 2; i < 5; i++)
        assert_int_equal(take_done(r, i), RP_PASS_PROCESS);
    assert_int_equal(rp_ring_take(r, &late, 1, true), RP_ERR_CLOSED);
    rp_ring_destroy(&r);
}

/* Frames 0, 1 and 4 lie outside the range: they are analysed, and that is all. */
static void test_aside(void **state)
{
    struct rp_ring *r;
    struct rp_media_frame *f;
    struct rp_ticket ticket;

    (void) state;
    assert_int_equal(rp_ring_create(&r, 5), 0);
    rp_ring_split(r, 2);
    for (int i = 0; i < 5; i++) {
        f = new_frame(i);
        f->aside = i < 2 || i == 4;
        assert_int_equal(rp_ring_put(r, f), 0);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(take_done(r, i), RP_PASS_ANALYSE);
    assert_int_equal(rp_ring_take(r, &ticket, 1, false), 1);
    assert_int_equal(ticket.number, 4);
    assert_true(ticket.aside);
    assert_int_equal(rp_ring_take(r, &(struct rp_ticket){0}, 1, false), RP_ERR_CLOSED);
    rp_ring_done(r, ticket.place);
    assert_int_equal(take_done(r, 2), RP_PASS_PROCESS);
    assert_int_equal(rp_ring_take(r, &(struct rp_ticket){0}, 1, false),
                     RP_ERR_CLOSED); /* 5 may come */
    rp_ring_end(r);
    assert_int_equal(take_done(r, 3), RP_PASS_PROCESS);
    assert_int_equal(rp_ring_take(r, &ticket, 1, true), RP_ERR_CLOSED);
    for (int i = 2; i < 4; i++) {
        assert_int_equal(rp_ring_get(r, &f), 0);
        assert_int_equal(f->index, i);
        rp_media_frame_free(&f);
    }
    assert_int_equal(rp_ring_get(r, &f), 0);
    assert_null(f);
    rp_ring_destroy(&r);
}

static void test_nothing_read(void **state)
{
    struct rp_ring *r;
    struct rp_media_frame *f;

    (void) state;
    assert_int_equal(rp_ring_create(&r, 1), 0);
    rp_ring_end(r);
    assert_int_equal(rp_ring_get(r, &f), 0);
    assert_null(f);
    rp_ring_destroy(&r);
}

/* Frames that go together: as many as asked for, in order; fewer only at the end. */
static void test_groups(void **state)
{
    struct rp_ring *r;
    struct rp_ticket ticket[4];

    (void) state;
    assert_int_equal(rp_ring_create(&r, 8), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rp_ring_put(r, new_frame(i)), 0);
    assert_int_equal(rp_ring_take(r, ticket, 4, false), RP_ERR_CLOSED); /* the fourth may come */
    for (int i = 3; i < 6; i++)
        assert_int_equal(rp_ring_put(r, new_frame(i)), 0);
    assert_int_equal(rp_ring_take(r, ticket, 4, true), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ticket[i].frame->index, i);
    assert_int_equal(rp_ring_take(r, ticket, 4, false), RP_ERR_CLOSED);
    rp_ring_end(r);
    assert_int_equal(rp_ring_take(r, ticket, 4, true), 2);
    assert_int_equal(ticket[0].frame->index, 4);
    assert_int_equal(ticket[1].frame->index, 5);
    assert_int_equal(rp_ring_take(r, ticket, 4, true), RP_ERR_CLOSED);
    rp_ring_destroy(&r);
}

/* Of a video in pieces of 6: no group has frames of two, wherever the first one lies. */
static void test_groups_of_pieces(void **state)
{
    static const int want[] = {2, 4, 2, 4, 1}; /* 4 5 | 6 7 8 9, 10 11 | 12 13 14 15, 16 */
    struct rp_ring *r;
    struct rp_ticket ticket[4];
    int at = 4;

    (void) state;
    assert_int_equal(rp_ring_create(&r, 16), 0);
    rp_ring_cut(r, 6);
    for (int i = 4; i < 17; i++)
        assert_int_equal(rp_ring_put(r, new_frame(i)), 0);
    for (size_t k = 0; k < RP_ARRAY_LEN(want); k++) {
        if (k == 4)
            assert_int_equal(rp_ring_take(r, ticket, 4, false), RP_ERR_CLOSED); /* 17 may come */
        if (k == 4)
            rp_ring_end(r);
        assert_int_equal(rp_ring_take(r, ticket, 4, false), want[k]);
        for (int i = 0; i < want[k]; i++)
            assert_int_equal(ticket[i].frame->index, at++);
    }
    assert_int_equal(rp_ring_take(r, ticket, 4, true), RP_ERR_CLOSED);
    rp_ring_destroy(&r);
}

static void *fail_there(void *ring)
{
    rp_ring_fail(ring, rp_fail(RP_ERR_FORMAT, "on another thread"));
    return NULL;
}

/* After a failure every side gets it, the first status and its sentence are kept, frames inside are
 * freed. */
static void test_failure(void **state)
{
    struct rp_ring *r;
    struct rp_media_frame *f;
    struct rp_ticket ticket;
    pthread_t thread;

    (void) state;
    assert_int_equal(rp_ring_create(&r, 4), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rp_ring_put(r, new_frame(i)), 0);
    assert_int_equal(rp_ring_take(r, &ticket, 1, true), 1);
    rp_ring_done(r, ticket.place);
    assert_int_equal(rp_ring_take(r, &ticket, 1, true), 1);
    assert_int_equal(pthread_create(&thread, NULL, fail_there, r), 0);
    pthread_join(thread, NULL);
    rp_ring_fail(r, rp_fail(RP_ERR_IO, "here, later"));
    assert_int_equal(rp_ring_status(r), RP_ERR_FORMAT);
    assert_string_equal(rp_last_error(), "on another thread");
    assert_int_equal(rp_ring_take(r, &ticket, 1, true), RP_ERR_CLOSED);
    assert_int_equal(rp_ring_get(r, &f), RP_ERR_CLOSED);
    assert_null(f);

    struct rp_media_frame *mine = new_frame(4);
    assert_int_equal(rp_ring_put(r, mine), RP_ERR_CLOSED);
    rp_media_frame_free(&mine); /* it stayed the caller's */
    rp_ring_destroy(&r);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct run {
    struct rp_ring *ring;
    int fail_at;    /* frame at which a worker fails, or -1 */
    int64_t read;   /* frames that the reader could add */
    int64_t worked[WORKERS];
    int ahead;      /* -1: not split */
    int aside;      /* so many frames at both ends */
    int analysed[FRAMES];
    atomic_int early; /* frames that were processed before all around them were analysed */
};

struct worker {
    struct run *run;
    int number;
};

static void *read_all(void *priv)
{
    struct run *const run = priv;

    for (int i = 0; i < FRAMES; i++) {
        struct rp_media_frame *f = new_frame(i);

        f->aside = i < run->aside || i >= FRAMES - run->aside;
        if (rp_ring_put(run->ring, f) < 0) {
            rp_media_frame_free(&f);
            break;
        }
        run->read++;
    }
    rp_ring_end(run->ring);
    return NULL;
}

/* Does the work of a ticket without a lock of its own: ThreadSanitizer checks that the ring hands
 * frames over. In a split ring a frame is processed after all frames around it were analysed. */
static void do_turn(struct run *run, const struct rp_ticket *ticket)
{
    uint8_t *const pixel = ticket->frame->plane[0];
    const int64_t to = RP_MIN(ticket->number + run->ahead, FRAMES - 1);

    if (ticket->pass == RP_PASS_ANALYSE) {
        run->analysed[ticket->number] = (int) ticket->number + 1;
        pixel[1]++;
        return;
    }
    for (int64_t i = RP_MAX(ticket->number - run->ahead, 0); run->ahead >= 0 && i <= to; i++)
        run->early += run->analysed[i] != i + 1;
    run->early += pixel[1] != (run->ahead >= 0);
    pixel[0]++;
}

static void *work(void *priv)
{
    struct rp_ticket ticket;
    const struct worker *const w = priv;
    struct run *const run = w->run;

    while (rp_ring_take(run->ring, &ticket, 1, true) > 0) {
        if (ticket.frame->index == run->fail_at) {
            rp_ring_fail(run->ring, RP_ERR_DEVICE);
            break;
        }
        do_turn(run, &ticket);
        if (ticket.frame->index % 701 == 0)
            usleep(2000); /* the others overtake */
        run->worked[w->number]++;
        rp_ring_done(run->ring, ticket.place);
    }
    return NULL;
}

/* Frames that came out in order, each worked on once. */
static int64_t run_all(struct run *run, int stop_at)
{
    struct worker worker[WORKERS];
    pthread_t reader, thread[WORKERS];
    struct rp_media_frame *f;
    int64_t n = 0;

    assert_int_equal(rp_ring_create(&run->ring, PLACES), 0);
    if (run->ahead >= 0)
        rp_ring_split(run->ring, run->ahead);
    assert_int_equal(pthread_create(&reader, NULL, read_all, run), 0);
    for (int i = 0; i < WORKERS; i++) {
        worker[i] = (struct worker){run, i};
        assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
    }
    while (rp_ring_get(run->ring, &f) == 0 && f) {
        assert_int_equal(f->index, n + run->aside);
        assert_int_equal(f->plane[0][0], 1);
        rp_media_frame_free(&f);
        if (++n == stop_at)
            rp_ring_fail(run->ring, RP_ERR_CANCELLED);
    }
    pthread_join(reader, NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(thread[i], NULL);
    return n;
}

static void test_threads(void **state)
{
    struct run run = {.fail_at = -1, .ahead = -1};
    int64_t worked = 0;

    (void) state;
    assert_int_equal(run_all(&run, -1), FRAMES);
    for (int i = 0; i < WORKERS; i++)
        worked += run.worked[i];
    assert_int_equal(worked, FRAMES);
    assert_int_equal(rp_ring_status(run.ring), 0);
    rp_ring_destroy(&run.ring);
}

/* Every frame twice, those aside once; also with the least possible room, or no frames ahead. */
static void test_split_threads(void **state)
{
    static const int ahead[] = {0, 2, PLACES - 1};

    (void) state;
    for (size_t k = 0; k < RP_ARRAY_LEN(ahead); k++) {
        int64_t worked = 0;
        struct run *const run = calloc(1, sizeof(*run));

        run->fail_at = -1;
        run->ahead = run->aside = ahead[k];
        assert_int_equal(run_all(run, -1), FRAMES - 2 * run->aside);
        for (int i = 0; i < WORKERS; i++)
            worked += run->worked[i];
        assert_int_equal(worked, 2 * FRAMES - 2 * run->aside);
        assert_int_equal(run->early, 0);
        assert_int_equal(rp_ring_status(run->ring), 0);
        rp_ring_destroy(&run->ring);
        free(run);
    }
}

/* All that wait are woken, and the reader was never further ahead than the ring's size. */
static void test_worker_fails(void **state)
{
    struct run run = {.fail_at = FRAMES / 2, .ahead = -1};

    (void) state;
    const int64_t n = run_all(&run, -1);
    assert_true(n <= FRAMES / 2);
    assert_true(run.read <= FRAMES / 2 + PLACES);
    assert_int_equal(rp_ring_status(run.ring), RP_ERR_DEVICE);
    rp_ring_destroy(&run.ring);
}

static void test_writer_stops(void **state)
{
    struct run run = {.fail_at = -1, .ahead = -1};

    (void) state;
    assert_int_equal(run_all(&run, 100), 100);
    assert_true(run.read <= 100 + PLACES);
    assert_int_equal(rp_ring_status(run.ring), RP_ERR_CANCELLED);
    rp_ring_destroy(&run.ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_nothing_read),
        cmocka_unit_test(test_split_order),
        cmocka_unit_test(test_split_threads),
        cmocka_unit_test(test_aside),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_groups_of_pieces),
        cmocka_unit_test(test_worker_fails),
        cmocka_unit_test(test_writer_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
