/* Frames in real time, and pictures in memory. */
#include "test_media.h"

#include <pthread.h>

static bool ready;

static int make_clip(void **state)
{
    if (make_dir(state) < 0 || !have_ffmpeg())
        return 0;
    ready = shell("ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=64x48:rate=25:d=0.4 "
                  "-c:v libx264 -preset ultrafast a.mp4") == 0;
    return 0;
}

static rp_live *open_live(const char *source, bool repeat, int width)
{
    rp_live *live = NULL;
    const rp_live_params params = {.source = source, .repeat = repeat, .width = width};

    assert_int_equal(rp_live_open(&live, &params), 0);
    assert_non_null(live);
    return live;
}

/* Each frame at its time, so whoever is quick gets all ten. */
static void test_all(void **state)
{
    rp_image image;
    rp_live_frame about;
    int n = 0, ret;

    (void) state;
    if (!ready)
        skip();
    const double begin = rp_now();
    rp_live *live = open_live(in_dir("a.mp4"), false, 0);
    while ((ret = rp_live_next(live, &image, &about)) > 0) {
        assert_int_equal(image.w, 64);
        assert_int_equal(image.h, 48);
        assert_true(about.age >= 0);
        assert_int_equal(about.number, n + about.lost);
        rp_image_free(&image);
        n++;
    }
    assert_int_equal(ret, 0);
    assert_null(image.data);
    assert_true(n >= 1 && n <= 10);
    assert_true(rp_now() - begin > 0.39); /* the last one is shown as long as the others */
    assert_int_equal(rp_live_next(live, &image, &about), 0);
    rp_live_close(&live);
    assert_null(live);
}

/* Who is slow gets the newest, and is told what was lost. */
static void test_newest(void **state)
{
    rp_image image;
    rp_live_frame about;

    (void) state;
    if (!ready)
        skip();
    rp_live *live = open_live(in_dir("a.mp4"), true, 32);
    assert_int_equal(rp_live_next(live, &image, &about), 1);
    assert_int_equal(image.w, 32);
    assert_int_equal(image.h, 24);
    rp_image_free(&image);
    usleep(1000 * 1000);
    assert_int_equal(rp_live_next(live, &image, &about), 1);
    rp_image_free(&image);
    assert_true(about.lost > 10); /* it has begun again meanwhile */
    assert_true(about.number > about.lost);
    assert_true(about.age < 0.9);
    rp_live_close(&live);
}

static void *stop_soon(void *live)
{
    usleep(200 * 1000);
    rp_live_stop(live);
    return NULL;
}

static void test_stop(void **state)
{
    rp_image image;
    rp_live_frame about;
    pthread_t thread;
    int ret;

    (void) state;
    if (!ready)
        skip();
    rp_live *live = open_live(in_dir("a.mp4"), true, 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, live), 0);
    while ((ret = rp_live_next(live, &image, &about)) > 0)
        rp_image_free(&image);
    assert_int_equal(ret, 0);
    pthread_join(thread, NULL);
    rp_live_close(&live);
}

/* What is wrong is said when a frame is asked for, without the password. */
static void test_wrong(void **state)
{
    rp_image image;
    rp_live_frame about;
    rp_live *live = NULL;

    (void) state;
    assert_int_equal(rp_live_open(&live, &(rp_live_params){.source = ""}), RP_ERR_INVALID);
    assert_int_equal(rp_live_open(&live, &(rp_live_params){0}), RP_ERR_INVALID);
    assert_int_equal(rp_live_open(&live, &(rp_live_params){.source = "a", .width = -1}),
                     RP_ERR_INVALID);
    assert_null(live);
    live = open_live(in_dir("none.mp4"), true, 0);
    assert_int_equal(rp_live_next(live, &image, &about), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "none.mp4"));
    rp_live_close(&live);
    if (!ready) /* FFmpeg may be missing altogether */
        return;
    live = open_live("rtsp://me:se@cret@127.0.0.1:1/x", false, 0);
    assert_true(rp_live_next(live, &image, &about) < 0);
    assert_non_null(strstr(rp_last_error(), "rtsp://127.0.0.1:1/x: connecting"));
    assert_null(strstr(rp_last_error(), "cret"));
    rp_live_close(&live);
}

/* In memory as in the file. */
static void test_encode(void **state)
{
    uint8_t pixels[12 * 8 * 3], *data = NULL, *file = NULL;
    size_t bytes = 0, size = 0;
    const rp_image image = {.data = pixels, .stride = 36, .w = 12, .h = 8};

    (void) state;
    for (size_t i = 0; i < sizeof(pixels); i++)
        pixels[i] = (uint8_t) (i * 7);
    for (size_t i = 0; i < 2; i++) {
        const char *const name = i ? "e.png" : "e.jpg";

        assert_int_equal(rp_image_write(&image, in_dir(name), 90), 0);
        assert_int_equal(rp_file_read(in_dir(name), 1 << 20, &file, &size), 0);
        assert_int_equal(rp_image_encode(&image, name, 90, &data, &bytes), 0);
        assert_int_equal(bytes, size);
        assert_memory_equal(data, file, size);
        rp_free(data);
        free(file);
    }
    assert_int_equal(rp_image_encode(&image, "e.exe", 90, &data, &bytes), RP_ERR_USAGE);
    assert_null(data);
    assert_int_equal(rp_image_encode(&(rp_image){0}, "e.jpg", 90, &data, &bytes), RP_ERR_INVALID);
    assert_null(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),   cmocka_unit_test(test_newest), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_wrong), cmocka_unit_test(test_encode),
    };

    return cmocka_run_group_tests(tests, make_clip, remove_dir);
}
