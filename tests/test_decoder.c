/* A video whose decoder is a GPU's gives the same frames, times and verdicts as with the
 * processor's: for whole and damaged files, parts of them, and whenever that decoder fails. */
#include "test_media.h"

#include "fake_nvdec.h"
#include "ops/ops.h"

#define MOST 128

static bool ready;

static int make_clips(void **state)
{
#define BEFORE "ffmpeg -v quiet -nostdin -y -f lavfi -i testsrc2=s=98x66:r=25:d=%d "
    if (make_dir(state) != 0)
        return -1;
    ready =
        have_ffmpeg() && shell(BEFORE "-c:v libx264 -preset veryfast -bf 3 -g 40 -pix_fmt yuv420p "
                                      "-movflags +faststart h264.mp4",
                               5) == 0;
    if (!ready)
        return 0;
    shell(BEFORE "-c:v libx265 -x265-params log-level=none -preset ultrafast -pix_fmt yuv420p10le "
                 "hevc.mp4",
          1);
    shell("ffmpeg -v quiet -nostdin -y -i h264.mp4 -c copy -metadata:s:v rotate=90 turned.mp4");
    shell("head -c 30000 h264.mp4 > cut.mp4; ffmpeg -v quiet -nostdin -y -i h264.mp4 -c copy -f "
          "h264 - | "
          "head -c 40000 > cut.h264");
    shell("cp h264.mp4 hurt.mp4; for at in 9000 20001 20500 31007; do "
          "printf '\\377\\377\\377\\377' | dd of=hurt.mp4 bs=1 seek=$at conv=notrunc 2>/dev/null; "
          "done");
    shell("ffmpeg -v quiet -nostdin -y -i h264.mp4 -c copy -bsf:v "
          "noise=drop=not\\(mod\\(n+1\\\\,31\\)\\) "
          "lost.mp4");
    return 0;
}

/* ---- what came ------------------------------------------------------------------------------- */

struct got {
    int n, status;
    int on_gpu;
    int64_t pts[MOST], index[MOST], duration[MOST];
    uint32_t sum[MOST];
    bool aside[MOST];
    char damage[320];
};

static uint32_t sum_of(const struct rp_media_frame *f)
{
    uint32_t sum = 2166136261u;
    const int wide = rp_pixfmt_depth(f->fmt) > 8;

    for (int p = 0; p < 3; p++) {
        const int w = p ? (f->w + 1) / 2 : f->w, h = p ? (f->h + 1) / 2 : f->h;

        for (int y = 0; y < h; y++)
            for (int x = 0; x < w << wide; x++)
                sum = (sum ^ f->plane[p][(ptrdiff_t) y * f->stride[p] + x]) * 16777619u;
    }
    return sum;
}

static void read_all(const char *name, const struct rp_reader_params *params, struct got *g)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;

    memset(g, 0, sizeof(*g));
    g->status = rp_reader_open(&r, in_dir(name), params);
    while (g->status >= 0 && (g->status = rp_reader_next(r, &f)) >= 0 && f) {
        assert_true(g->n < MOST);
        g->on_gpu += f->on_gpu;
        g->pts[g->n] = f->pts;
        g->index[g->n] = f->index;
        g->duration[g->n] = f->duration;
        g->aside[g->n] = f->aside;
        g->sum[g->n++] = sum_of(f);
        rp_media_frame_free(&f);
    }
    if (r)
        rp_reader_damage(r, g->damage, sizeof(g->damage));
    rp_reader_close(&r);
}

static void assert_same(const struct got *a, const struct got *b)
{
    assert_int_equal(a->status, b->status);
    assert_string_equal(a->damage, b->damage);
    if (a->status < 0)
        return; /* how far the decoder looks ahead decides how many frames came before */
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->pts, b->pts, sizeof(a->pts));
    assert_memory_equal(a->index, b->index, sizeof(a->index));
    assert_memory_equal(a->duration, b->duration, sizeof(a->duration));
    assert_memory_equal(a->aside, b->aside, sizeof(a->aside));
    assert_memory_equal(a->sum, b->sum, sizeof(a->sum));
}

/* ---- a GPU whose memory is the host's -------------------------------------------------------- */

static int held;

static int alloc_block(void *priv, size_t size, void **out)
{
    (void) priv;
    held++;
    return (*out = calloc(1, size)) ? 0 : RP_ERR_NOMEM;
}

static void free_block(void *priv, void *p)
{
    (void) priv;
    held--;
    free(p);
}

static int read_surface(void *priv, const struct rp_surface *s, uint8_t *const *plane,
                        const int *stride)
{
    const struct rp_planes to = {.plane = {plane[0], plane[1], plane[2]},
                                 .stride = {stride[0], stride[1], stride[2]},
                                 .w = s->w,
                                 .h = s->h,
                                 .depth = s->deep ? 10 : 8};

    (void) priv;
    return rp_c_semi_read(NULL, &(const struct rp_op_semi_read){
                                    {s->y, s->y_stride, s->w, s->h, 1},
                                    {s->uv, s->uv_stride, (s->w + 1) / 2 * 2, (s->h + 1) / 2, 1},
                                    &to});
}

static const struct rp_gpu_decoder gpu = {.memory = {alloc_block, free_block, .only = true},
                                          .read = read_surface};

/* ---- tests ----------------------------------------------------------------------------------- */

static void compare(const char *name, struct rp_reader_params params, int last, int on_gpu)
{
    static struct got here, there;

    params.threads = 1;
    params.memory = (struct rp_frame_memory){alloc_block, free_block};
    read_all(name, &params, &here);
    nvdec.begun = nvdec.taken = 0;
    nvdec.last = last;
    params.gpu = &gpu;
    read_all(name, &params, &there);
    assert_int_equal(nvdec.begun, 1);
    assert_same(&there, &here);
    if (on_gpu >= 0)
        assert_int_equal(there.on_gpu, on_gpu);
    assert_int_equal(held, 0);
}

static void test_same(void **state)
{
    (void) state;
    if (!ready)
        skip();
    for (int refuse = 0; refuse < 2; refuse++) {
        compare("h264.mp4", (struct rp_reader_params){.refuse = refuse}, 0, 125);
        compare("hevc.mp4", (struct rp_reader_params){.refuse = refuse}, 0, 25);
        compare("h264.mp4", (struct rp_reader_params){.start = 7, .end = 31, .refuse = refuse}, 0,
                24);
        compare("h264.mp4",
                (struct rp_reader_params){.start = 103, .end = 110, .around = 2, .refuse = refuse},
                0, 11);
    }
}

/* The frames that have come are from the GPU, the rest from the processor. */
static void test_ends(void **state)
{
    static const int last[] = {1, 2, 3, 17, 39, 40, 41, 124};

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(last); i++) {
        compare("h264.mp4", (struct rp_reader_params){.refuse = true}, last[i], last[i]);
        compare("h264.mp4", (struct rp_reader_params){.start = 7, .end = 50, .around = 3}, last[i],
                -1);
        compare("h264.mp4", (struct rp_reader_params){.start = 104, .end = 120}, last[i], -1);
    }
    compare("hevc.mp4", (struct rp_reader_params){0}, 20, 20);
}

static void test_damaged(void **state)
{
    static const char *const names[] = {"hurt.mp4", "cut.mp4", "cut.h264", "lost.mp4"};

    (void) state;
    if (!ready)
        skip();
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        for (int refuse = 0; refuse < 2; refuse++) {
            print_message("           %s\n", names[i]);
            compare(names[i], (struct rp_reader_params){.refuse = refuse}, 0, -1);
            compare(names[i], (struct rp_reader_params){.refuse = refuse}, 10, -1);
        }
}

/* What only the processor's frames can be made into. */
static void test_unfit(void **state)
{
    (void) state;
    if (!ready)
        skip();
    compare("turned.mp4", (struct rp_reader_params){0}, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_unfit),
    };

    return cmocka_run_group_tests(tests, make_clips, remove_dir);
}
