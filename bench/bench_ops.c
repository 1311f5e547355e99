/* The pixel operations at the sizes of a 1080p frame with one face: microseconds and GB/s (bytes
 * read and written once), median of RUNS.
 *
 *   bench_ops [NAME]     only operations whose name contains NAME */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/ops.h"

#define RUNS 61
#define W 1920
#define H 1080
#define TW ((W + RP_TILE - 1) / RP_TILE)
#define TH ((H + RP_TILE - 1) / RP_TILE)

struct bench {
    struct rp_planes p420, p444, p10;
    uint8_t *planes[3], *wide[3];
    struct rp_img frame, half, third, odd, square, crop, crop112, crop512, other;
    uint8_t changed[TW * TH];
    struct rp_affine affine, shrink;
    float lut[3][256], *tensor, *floats, *mask, *tmp, *mask512, kernel[512];
    int kernel_size;
    struct rp_dface face;
};

static struct bench b;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec * 1e-3;
}

static void *bytes(size_t n)
{
    uint8_t *p = malloc(n);

    if (!p)
        abort();
    for (size_t i = 0; i < n; i++) /* smooth with some noise, like a picture */
        p[i] = (uint8_t) (128 + (i >> 9 & 63) + (i * 2654435761u >> 27 & 7));
    return p;
}

static struct rp_img image(int w, int h)
{
    return (struct rp_img){bytes((size_t) w * h * 3), w * 3, w, h, 3};
}

/* A face `size` pixels wide in the frame, turned by about 6 degrees, to a crop of `crop` pixels. */
static struct rp_affine face_to_crop(double size, double crop)
{
    const double s = crop / size, c = s * 0.9945, d = s * 0.1045, q = c * c + d * d;
    struct rp_affine a = {.m = {c, d, 0, -d, c, 0}, .inv = {c / q, -d / q, 700, d / q, c / q, 300}};

    a.m[2] = -(a.m[0] * 700 + a.m[1] * 300);
    a.m[5] = -(a.m[3] * 700 + a.m[4] * 300);
    return a;
}

static int by_value(const void *x, const void *y)
{
    const double a = *(const double *) x, c = *(const double *) y;

    return (a > c) - (a < c);
}

static const char *wanted = "";

static void report(const char *name, double *us, double moved)
{
    qsort(us, RUNS, sizeof(*us), by_value);
    printf("%-34s %9.1f us %8.2f GB/s\n", name, us[RUNS / 2], moved / us[RUNS / 2] / 1e3);
}

/* before: done outside the clock. moved: bytes. */
#define BENCH(name, moved, before, op, ...)                     \
    do {                                                        \
        double us[RUNS];                                        \
        if (!strstr(name, wanted))                              \
            break;                                              \
        for (int i = 0; i < RUNS; i++) {                        \
            before;                                             \
            const double start = now();                         \
            rp_c_##op(NULL, &(struct rp_op_##op){__VA_ARGS__}); \
            us[i] = now() - start;                              \
        }                                                       \
        report(name, us, moved);                                \
    } while (0)

static void prepare(void)
{
    static const double zero[3], one[3] = {1, 1, 1};

    for (int i = 0; i < 3; i++) {
        b.planes[i] = bytes((size_t) W * H);
        b.wide[i] = bytes((size_t) W * H * 2);
        for (size_t k = 1; k < (size_t) W * H * 2; k += 2)
            b.wide[i][k] &= 3;
    }
    b.p420 = (struct rp_planes){
        {b.planes[0], b.planes[1], b.planes[2]}, {W, W / 2, W / 2}, W, H, 1, 1, 8, 0, 0};
    b.p444 =
        (struct rp_planes){{b.planes[0], b.planes[1], b.planes[2]}, {W, W, W}, W, H, 0, 0, 8, 0, 0};
    b.p10 =
        (struct rp_planes){{b.wide[0], b.wide[1], b.wide[2]}, {2 * W, W, W}, W, H, 1, 1, 10, 0, 0};
    b.frame = image(W, H);
    b.other = image(W, H);
    b.half = image(W / 2, H / 2);
    b.third = image(W / 3, H / 3);
    b.odd = image(500, 281);
    b.square = image(640, 640);
    b.crop = image(256, 256);
    b.crop512 = image(512, 512);
    b.crop112 = image(112, 112);
    b.affine = face_to_crop(400, 256);
    b.shrink = face_to_crop(400, 112);
    rp_tensor_lut(b.lut, 255, zero, one);
    b.tensor = calloc((size_t) 3 * 640 * 640, sizeof(float));
    b.floats = calloc((size_t) 3 * 512 * 512, sizeof(float));
    b.mask = calloc((size_t) 512 * 512, sizeof(float));
    b.mask512 = calloc((size_t) 512 * 512, sizeof(float));
    b.tmp = calloc((size_t) W * H, sizeof(float));
    if (!b.tensor || !b.floats || !b.mask || !b.mask512 || !b.tmp)
        abort();
    b.kernel_size = rp_gaussian_kernel(9.5, 0, b.kernel, 512);
    b.face.lm68[0] = 1;
    for (int i = 0; i < 136; i++)
        b.face.lm68[i] = 400.0f + (float) i;
    b.face.box[0] = b.face.box[1] = 300;
    b.face.box[2] = b.face.box[3] = 700;
}

/* Changes every pixel of the marked tiles. */
static void repaint(void)
{
    for (size_t i = 0; i < (size_t) W * H * 3; i++)
        b.frame.data[i] ^= (uint8_t) (i & 4);
}

int main(int argc, char **argv)
{
    const double px = (double) W * H;
    struct rp_canvas c = {.changed = b.changed, .tiles_w = TW, .tiles_h = TH};
    int marked = 0;

    if (argc > 1)
        wanted = argv[1];
    prepare();
    c.img = b.frame;

    BENCH("yuv_to_bgr 420 1080p", px * 4.5, , yuv_to_bgr, &b.p420, b.frame);
    BENCH("yuv_to_bgr 444 1080p", px * 6, , yuv_to_bgr, &b.p444, b.frame);
    BENCH("yuv_to_bgr 420 10-bit 1080p", px * 6, , yuv_to_bgr, &b.p10, b.frame);
    BENCH("resize 1080p to 640x360", px * 3 + 640 * 360 * 3, , resize, b.frame, b.third);
    BENCH("resize 1080p to 960x540 (2:1)", px * 3.75, , resize, b.frame, b.half);
    BENCH("resize 1080p to 500x281", px * 3 + 500 * 281 * 3, , resize, b.frame, b.odd);
    BENCH("resize 960x540 to 1080p", px * 3.75, , resize, b.half, b.frame);
    BENCH("resize_cubic 256 to 512", 327680 * 3.0, , resize_cubic, b.crop, b.crop512);
    BENCH("to_tensor 640x640", 640 * 640 * 15.0, , to_tensor, .src = b.square, .lut = b.lut[0],
          .dst = b.tensor, .w = 640, .h = 640, .step = 1);
    BENCH("warp 256x256", 65536 * 6.0, , warp, b.frame, &b.affine, b.crop, 1, 0);
    BENCH("warp 112x112 area 4x4", 400 * 400 * 3.0, , warp, b.frame, &b.shrink, b.crop112, 1, 1);
    BENCH("from_tensor 256x256", 65536 * 24.0, , from_tensor, .src = b.tensor, .w = 256, .h = 256,
          .mul = {1, 1, 1}, .rgb = 1, .dst = b.floats, .step = 1);
    BENCH("box_mask 256x256", 65536 * 4.0, , box_mask, .dst = b.mask, .w = 256, .h = 256,
          .blur = 0.3f);
    BENCH("gaussian 256x256, 77 taps", 65536 * 16.0, , gaussian, b.mask, b.mask, b.tmp, 256, 256,
          b.kernel, b.kernel_size);
    BENCH("mask_min 256x256", 65536 * 12.0, , mask_min, b.mask, b.mask, b.tmp, 65536);
    BENCH("class_mask 256x256, 19 classes", 65536 * 80.0, , class_mask, b.tmp, 19, 65536, 0x3c7e,
          b.mask);
    BENCH("float_to_tensor 512x512", 262144 * 24.0, , float_to_tensor, .src = b.floats, .w = 512,
          .h = 512, .div = 255, .std = {1, 1, 1}, .rgb = 1, .dst = b.tensor);
    BENCH("resize_float 256 to 512", 65536 * 20.0, , resize_float, b.mask, 256, 256, b.mask512, 512,
          512, 1);
    memset(b.changed, 0, sizeof(b.changed));
    BENCH("paste 256x256 to 400x400", 400 * 400 * 6 + 65536 * 16.0, , paste, c, b.floats, b.mask,
          256, 256, &b.affine);
    for (int i = 0; i < TW * TH; i++)
        marked += b.changed[i];
    if (!marked) /* paste was not asked for */
        memset(b.changed, 1, (marked = 676));
    printf("%d tiles are marked: %.0f thousand pixels\n", marked,
           marked * (double) (RP_TILE * RP_TILE) / 1e3);
    rp_c_yuv_to_bgr(NULL, &(struct rp_op_yuv_to_bgr){&b.p420, b.frame});
    BENCH("bgr_to_yuv 420, nothing differs", marked * 256 * 4.5, , bgr_to_yuv, c, &b.p420);
    BENCH("bgr_to_yuv 420, all differs", marked * 256 * 6.0, repaint(), bgr_to_yuv, c, &b.p420);
    BENCH("blend 1080p", px * 9, , blend, b.frame, b.other, 0.3f, c);
    BENCH("draw_face 1080p, all items", 400 * 400 * 3.0, , draw_face, c, &b.face, 31);
    BENCH("draw_mask 1080p", 400 * 400 * 3.0, , draw_mask, c, &b.face, b.mask, 256, 256, &b.affine,
          (uint8_t *) b.tmp);
    return 0;
}
