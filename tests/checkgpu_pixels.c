/* Cases for the operations on pictures and masks. */
#include "checkgpu.h"

#include <math.h>

#define SIDE 150 /* of most random pictures */
#define RUN(args) cg_run(c, &(args), sizeof(args))

static double area(int w, int h)
{
    return (double) w * h;
}

/* ---- matrices -------------------------------------------------------------------------------- */

static void invert(struct rp_affine *a)
{
    const double *m = a->m, d = 1 / (m[0] * m[4] - m[1] * m[3]);

    a->inv[0] = m[4] * d;
    a->inv[1] = -m[1] * d;
    a->inv[3] = -m[3] * d;
    a->inv[4] = m[0] * d;
    a->inv[2] = -a->inv[0] * m[2] - a->inv[1] * m[5];
    a->inv[5] = -a->inv[3] * m[2] - a->inv[4] * m[5];
}

/* Frame to crop. Mostly a turned and scaled square somewhere in or near the frame, at times with
 * shear or with numbers that no face gives. */
static const struct rp_affine *affine(struct cg *c, int frame_w, int frame_h, int w, int h)
{
    struct rp_affine *const a = cg_zeros(c, "affine", sizeof(*a), CG_DOUBLES);
    const double turn = c->bench ? 0.1 : cg_between(c, -3.2f, 3.2f);
    const double side =
        c->bench ? 0.3 * frame_w : exp((double) cg_between(c, 0, logf(3.0f * (float) frame_w)));
    const double s = (w > h ? w : h) / side;
    const double x = c->bench ? 0.5 * frame_w : cg_between(c, -0.3f, 1.3f) * frame_w;
    const double y = c->bench ? 0.5 * frame_h : cg_between(c, -0.3f, 1.3f) * frame_h;

    a->m[0] = a->m[4] = s * cos(turn);
    a->m[1] = -s * sin(turn);
    a->m[3] = -a->m[1];
    if (!c->bench && cg_chance(c, 20)) { /* shear, or whole steps */
        if (cg_chance(c, 50)) {
            for (int i = 0; i < 6; i++)
                a->m[i] += s * cg_between(c, -0.5f, 0.5f);
        } else {
            a->m[0] = a->m[4] = cg_range(c, 1, 8) * 0.5;
            a->m[1] = a->m[3] = 0;
        }
    }
    a->m[2] = 0.5 * w - a->m[0] * x - a->m[1] * y;
    a->m[5] = 0.5 * h - a->m[3] * x - a->m[4] * y;
    if (!c->bench && cg_chance(c, 15)) {
        a->m[2] = rint(a->m[2]);
        a->m[5] = rint(a->m[5]);
    }
    invert(a);
    if (!c->bench && cg_chance(c, 10))
        for (int i = cg_range(c, 1, 6); i > 0; i--) {
            double *const v = cg_chance(c, 50) ? a->m : a->inv;

            v[cg_range(c, 0, 5)] = cg_chance(c, 50) ? (double) cg_odd_float(c)
                                                    : (double) cg_between(c, -1e9f, 1e9f) * 1e6;
        }
    return a;
}

/* ---- conversion ------------------------------------------------------------------------------ */

static struct rp_planes planes(struct cg *c, int w, int h)
{
    struct rp_planes p = {.w = w, .h = h, .depth = 8, .sub_x = 1, .sub_y = 1};
    static const char *const names[] = {"plane 0", "plane 1", "plane 2"};

    if (!c->bench) {
        p.depth = cg_chance(c, 50) ? 8 : 10;
        p.sub_x = cg_range(c, 0, 1);
        p.sub_y = cg_range(c, 0, 1);
        p.matrix = cg_range(c, 0, 2);
        p.full_range = cg_range(c, 0, 1);
    }
    const bool wide = p.depth > 8, plain = c->bench || cg_chance(c, 50), wild = cg_chance(c, 10);
    for (int i = 0; i < 3; i++) {
        const int pw = i ? (w + p.sub_x) >> p.sub_x : w, ph = i ? (h + p.sub_y) >> p.sub_y : h;
        const int bytes = pw << wide;
        const size_t skew = plain ? 0 : (size_t) cg_range(c, 0, 7) << wide;

        p.stride[i] = plain ? (bytes + 31) & ~31 : bytes + (cg_range(c, 0, 9) << wide);
        p.plane[i] =
            cg_bytes(c, names[i], (size_t) p.stride[i] * (size_t) (ph - 1) + (size_t) bytes, skew);
        for (int y = 0; wide && !wild && y < ph; y++)
            for (int x = 0; x < pw; x++)
                p.plane[i][(size_t) y * p.stride[i] + 2 * x + 1] &= 3;
    }
    cg_note(c, "%dx%d, chroma %d %d, %d bit, matrix %d, range %d", w, h, p.sub_x, p.sub_y, p.depth,
            p.matrix, p.full_range);
    return p;
}

static double planes_bytes(const struct rp_planes *p)
{
    return area(p->w, p->h) * (1 + 2.0 / (1 << (p->sub_x + p->sub_y))) * (p->depth > 8 ? 2 : 1);
}

void check_yuv_to_bgr(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, planes(c, w, h));
    struct rp_op_yuv_to_bgr a = {.src = p};

    a.dst = cg_img(c, "dst", cg_chance(c, 80) || c->bench ? w : cg_size(c, SIDE, w), h, 3);
    c->bytes = planes_bytes(p) + 3 * area(w, h);
    RUN(a);
}

void check_bgr_to_yuv(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, planes(c, w, h));
    struct rp_op_bgr_to_yuv a = {.dst = p};

    a.src = cg_canvas(c, w, h, 3);
    if (c->bench) { /* all of the frame is new */
        memset(a.src.changed, 1, (size_t) a.src.tiles_w * (size_t) a.src.tiles_h);
        c->bytes = 2 * planes_bytes(p) + 3 * area(w, h);
    } else if (cg_chance(c, 80)) { /* the frame as decoded, with some pixels changed */
        const struct rp_op_yuv_to_bgr had = {a.dst, a.src.img};

        rp_c_yuv_to_bgr(NULL, &had);
        for (int i = cg_range(c, 0, w * h / 2 + 1); i > 0; i--)
            a.src.img.data[(size_t) cg_range(c, 0, h - 1) * a.src.img.stride +
                           cg_range(c, 0, 3 * w - 1)] ^= (uint8_t) cg_rand(c);
        if (cg_chance(c, 20))
            a.src.tiles_w = RP_MAX(a.src.tiles_w - 1, 0);
    }
    RUN(a);
}

static struct rp_planes packed(struct cg *c, int w, int h)
{
    struct rp_planes p = {.w = w, .h = h, .depth = 8};

    p.stride[0] = 3 * w + (c->bench ? 0 : cg_range(c, 0, 9));
    p.plane[0] = cg_bytes(c, "rows", (size_t) p.stride[0] * (size_t) (h - 1) + 3 * (size_t) w,
                          (size_t) cg_range(c, 0, 7));
    cg_note(c, "%dx%d", w, h);
    return p;
}

void check_bgr_read(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, packed(c, w, h));
    const struct rp_op_bgr_read a = {.src = p, .dst = cg_img(c, "dst", w, h, 3)};

    c->bytes = 6 * area(w, h);
    RUN(a);
}

void check_bgr_write(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, packed(c, w, h));
    const struct rp_op_bgr_write a = {.src = cg_img(c, "src", w, h, 3), .dst = p};

    c->bytes = 6 * area(w, h);
    RUN(a);
}

static struct rp_img samples(struct cg *c, const char *name, int w, int h, int wide)
{
    struct rp_img img = {.stride = (w << wide) + (cg_range(c, 0, 9) << wide), .w = w, .h = h, .ch = 1};

    img.data = cg_bytes(c, name, (size_t) img.stride * (size_t) (h - 1) + ((size_t) w << wide),
                        (size_t) cg_range(c, 0, 7) << wide);
    return img;
}

void check_semi_read(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    struct rp_planes p = planes(c, w, h);

    p.sub_x = p.sub_y = 0; /* room for more than what is written */
    const struct rp_planes *const to = cg_planes(c, p);
    const int wide = to->depth > 8;
    struct rp_op_semi_read a = {.dst = to};

    a.y = samples(c, "y", w, h, wide);
    a.uv = samples(c, "uv", (w + 1) / 2 * 2, (h + 1) / 2, wide);
    c->bytes = 2 * planes_bytes(to);
    RUN(a);
}

/* ---- resize, warp ---------------------------------------------------------------------------- */

static int channels(struct cg *c)
{
    return c->bench || cg_chance(c, 50) ? 3 : cg_chance(c, 50) ? 4 : 1;
}

void check_resize(struct cg *c)
{
    const int ch = channels(c);
    int w = cg_size(c, SIDE, 640), h = cg_size(c, SIDE, 360), sw, sh;

    switch (c->bench ? 4 : cg_range(c, 0, 4)) {
    case 0: /* the same */
        sw = w;
        sh = h;
        break;
    case 1:
        sw = 2 * w;
        sh = 2 * h;
        break;
    case 2: /* whole steps */
        sw = w * cg_range(c, 1, 4);
        sh = h * cg_range(c, 1, 4);
        break;
    default:
        sw = cg_size(c, SIDE, 1920);
        sh = cg_size(c, SIDE, 1080);
        break;
    }
    struct rp_op_resize a = {cg_img(c, "src", sw, sh, ch), cg_img(c, "dst", w, h, ch)};
    cg_note(c, "%dx%d to %dx%d, %d channels", sw, sh, w, h, ch);
    c->bytes = 3 * (area(sw, sh) + area(w, h));
    RUN(a);
}

void check_resize_cubic(struct cg *c)
{
    const int ch = channels(c), w = cg_size(c, SIDE, 512), h = cg_size(c, SIDE, 512);
    const int sw = c->bench ? 256 : cg_chance(c, 20) ? w : cg_size(c, SIDE, 256);
    const int sh = c->bench ? 256 : cg_chance(c, 20) ? h : cg_size(c, SIDE, 256);
    struct rp_op_resize_cubic a = {cg_img(c, "src", sw, sh, ch), cg_img(c, "dst", w, h, ch)};

    cg_note(c, "%dx%d to %dx%d, %d channels", sw, sh, w, h, ch);
    c->bytes = 3 * (area(sw, sh) + area(w, h));
    RUN(a);
}

void check_resize_float(struct cg *c)
{
    struct rp_op_resize_float a = {.sw = cg_size(c, SIDE, 256),
                                   .sh = cg_size(c, SIDE, 256),
                                   .dw = cg_size(c, SIDE, 512),
                                   .dh = cg_size(c, SIDE, 512),
                                   .ch = c->bench ? 1 : cg_range(c, 1, 4)};
    const size_t n = (size_t) a.sw * (size_t) a.sh * (size_t) a.ch;
    float *const src = cg_floats(c, "src", n, -1, 256);

    cg_storm(c, src, n);
    a.src = src;
    a.dst = cg_floats(c, "dst", (size_t) a.dw * (size_t) a.dh * (size_t) a.ch, 0, 1);
    cg_note(c, "%dx%d to %dx%d, %d channels", a.sw, a.sh, a.dw, a.dh, a.ch);
    c->bytes = 4 * a.ch * (area(a.sw, a.sh) + area(a.dw, a.dh));
    RUN(a);
}

void check_warp(struct cg *c)
{
    const int ch = channels(c), sw = cg_size(c, SIDE, 1920), sh = cg_size(c, SIDE, 1080);
    const int w = cg_size(c, SIDE, 512), h = cg_size(c, SIDE, 512);
    struct rp_op_warp a = {.src = cg_img(c, "src", sw, sh, ch), .dst = cg_img(c, "dst", w, h, ch)};

    a.affine = affine(c, sw, sh, w, h);
    if (!c->bench) {
        a.border = cg_range(c, 0, 1);
        a.area = cg_chance(c, 30);
    }
    cg_note(c, "%dx%d to %dx%d, %d channels, border %d, area %d", sw, sh, w, h, ch, a.border,
            a.area);
    c->bytes = 3 * (0.09 * sw * sw + area(w, h));
    RUN(a);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* Sometimes several tiles at once, which are small then, and a turn that may be past the last. */
static const int32_t *some_tiles(struct cg *c, int *tiles, int step, int *w, int *h)
{
    int32_t *turn;

    if (!cg_chance(c, 30))
        return NULL;
    *tiles = cg_range(c, 1, step * step);
    *w = RP_MIN(*w, 64);
    *h = RP_MIN(*h, 64);
    if (cg_chance(c, 40))
        return NULL;
    turn = cg_zeros(c, "turn", sizeof(*turn), CG_BYTES);
    *turn = cg_range(c, -1, step * step / *tiles);
    return turn;
}

static size_t tensors(int tiles, int w, int h)
{
    return (size_t) RP_MAX(tiles, 1) * 3 * (size_t) w * (size_t) h;
}

void check_to_tensor(struct cg *c)
{
    struct rp_op_to_tensor a = {.w = cg_size(c, SIDE, 640), .h = cg_size(c, SIDE, 640), .step = 1};
    int sw = a.w, sh = a.h;

    if (!c->bench) {
        a.rgb = cg_range(c, 0, 1);
        a.nhwc = cg_chance(c, 30);
        if (cg_chance(c, 40)) {
            a.step = cg_range(c, 1, 4);
            a.off_x = cg_range(c, 0, a.step - 1);
            a.off_y = cg_range(c, 0, a.step - 1);
        }
        a.turn = some_tiles(c, &a.tiles, a.step, &a.w, &a.h);
        sw = cg_chance(c, 60) ? a.w * a.step : cg_size(c, SIDE, 0);
        sh = cg_chance(c, 60) ? a.h * a.step : cg_size(c, SIDE, 0);
    }
    a.src = cg_img(c, "src", sw, sh, c->bench || cg_chance(c, 80) ? 3 : 4);
    a.lut = cg_floats(c, "lut", (size_t) 3 * 256, -3, 3);
    a.dst = cg_floats(c, "dst", tensors(a.tiles, a.w, a.h), 0, 1);
    cg_note(c, "%dx%dx%d to %dx%d, step %d at %d %d, %d tiles, rgb %d, nhwc %d", sw, sh, a.src.ch,
            a.w, a.h, a.step, a.off_x, a.off_y, a.tiles, a.rgb, a.nhwc);
    c->bytes = 3 * area(sw, sh) + 12 * area(a.w, a.h);
    RUN(a);
}

void check_to_gray(struct cg *c)
{
    const int w = cg_size(c, SIDE, 640), h = cg_size(c, SIDE, 640);
    struct rp_op_to_gray a = {.src = cg_img(c, "src", w, h, cg_chance(c, 80) || c->bench ? 3 : 4)};

    a.scale = cg_chance(c, 50) ? 1.0f / 255.0f : cg_between(c, -2, 2);
    a.dst = cg_floats(c, "dst", (size_t) w * (size_t) h, 0, 1);
    cg_note(c, "%dx%dx%d, scale %g", w, h, a.src.ch, a.scale);
    c->bytes = 7 * area(w, h);
    RUN(a);
}

/* Dark and bright pictures about equally often; sometimes in place. */
void check_contrast(struct cg *c)
{
    const int w = c->bench ? 256 : 8 * cg_range(c, 1, 40),
              h = c->bench ? 256 : 8 * cg_range(c, 1, 40);
    struct rp_op_contrast a = {.src = cg_img(c, "src", w, h, 3)};
    struct rp_lab_tables *const t = cg_zeros(c, "tables", sizeof(*t), CG_BYTES);
    const int top = cg_chance(c, 40) ? 255 : cg_range(c, 0, 160);
    const bool same = cg_chance(c, 30);

    rp_lab_tables(t);
    for (int y = 0; y < h; y++)
        for (int i = 0; i < 3 * w; i++) {
            uint8_t *const p = a.src.data + (ptrdiff_t) y * a.src.stride + i;

            *p = (uint8_t) (*p * top / 255);
        }
    a.dst = same ? a.src : cg_img(c, "dst", w, h, 3);
    a.tables = t;
    a.work = cg_zeros(c, "work", sizeof(*a.work), CG_BYTES);
    cg_note(c, "%dx%d, up to %d%s", w, h, top, same ? ", in place" : "");
    c->bytes = 6 * area(w, h);
    RUN(a);
}

void check_from_tensor(struct cg *c)
{
    struct rp_op_from_tensor a = {
        .w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512), .step = 1};
    const float range = cg_chance(c, 50) ? 1.2f : 300.0f;

    for (int i = 0; i < 3; i++) {
        a.mul[i] = c->bench || cg_chance(c, 40) ? 0.5f : cg_between(c, -1, 2);
        a.add[i] = c->bench || cg_chance(c, 40) ? 0.5f : cg_between(c, -1, 1);
    }
    if (!c->bench) {
        a.rgb = cg_range(c, 0, 1);
        a.round = cg_range(c, 0, 2);
        if (cg_chance(c, 40)) {
            a.step = cg_range(c, 1, 4);
            a.off_x = cg_range(c, 0, a.step - 1);
            a.off_y = cg_range(c, 0, a.step - 1);
        }
        a.turn = some_tiles(c, &a.tiles, a.step, &a.w, &a.h);
    }
    const size_t n = tensors(0, a.w, a.h), all = tensors(a.tiles, a.w, a.h);
    float *const src = cg_floats(c, "src", all, -range, range);

    cg_storm(c, src, all);
    a.src = src;
    a.dst = cg_floats(c, "dst", n * (size_t) a.step * (size_t) a.step, 0, 255);
    cg_note(c, "%dx%d, step %d at %d %d, %d tiles, rgb %d, round %d", a.w, a.h, a.step, a.off_x,
            a.off_y, a.tiles, a.rgb, a.round);
    c->bytes = 24 * area(a.w, a.h);
    RUN(a);
}

void check_u8_to_float(struct cg *c)
{
    const int w = cg_size(c, SIDE, 512), h = cg_size(c, SIDE, 512), ch = channels(c);
    struct rp_op_u8_to_float a = {.src = cg_img(c, "src", w, h, ch)};

    a.dst = cg_floats(c, "dst", (size_t) w * (size_t) h * (size_t) ch, 0, 1);
    cg_note(c, "%dx%dx%d", w, h, ch);
    c->bytes = 5 * ch * area(w, h);
    RUN(a);
}

void check_float_to_u8(struct cg *c)
{
    const int w = cg_size(c, SIDE, 512), h = cg_size(c, SIDE, 512), ch = channels(c);
    const size_t n = (size_t) w * (size_t) h * (size_t) ch;
    struct rp_op_float_to_u8 a = {.dst = cg_img(c, "dst", w, h, ch)};
    float *const src = cg_floats(c, "src", n, -20, 280);

    cg_storm(c, src, n);
    a.src = src;
    cg_note(c, "%dx%dx%d", w, h, ch);
    c->bytes = 5 * ch * area(w, h);
    RUN(a);
}

/* ---- paste, blend ---------------------------------------------------------------------------- */

/* A soft disc, noise, all, or nothing. */
static float *mask(struct cg *c, int w, int h)
{
    float *const m = cg_floats(c, "mask", (size_t) w * (size_t) h, -0.2f, 1.2f);
    const int shape = c->bench ? 0 : cg_range(c, 0, 4);
    const float r = 0.5f * (float) RP_MIN(w, h);

    for (int y = 0; y < h && shape != 1; y++)
        for (int x = 0; x < w; x++) {
            const float dx = (float) x - 0.5f * (float) w, dy = (float) y - 0.5f * (float) h;
            const float edge = (r - sqrtf(dx * dx + dy * dy)) / (0.2f * r + 1);

            m[(size_t) y * (size_t) w + (size_t) x] = shape == 2   ? 1
                                                      : shape == 3 ? 0
                                                                   : RP_CLAMP(edge, 0, 1);
        }
    cg_storm(c, m, (size_t) w * (size_t) h);
    return m;
}

void check_float_to_tensor(struct cg *c)
{
    struct rp_op_float_to_tensor a = {.w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512)};
    const size_t n = 3 * (size_t) a.w * (size_t) a.h;
    float *const src = cg_floats(c, "src", n, -5, 260);

    cg_storm(c, src, n);
    a.src = src;
    a.div = cg_chance(c, 70) ? 255.0f : cg_between(c, 0.5f, 300);
    for (int i = 0; i < 3; i++) {
        a.mean[i] = cg_between(c, -1, 1);
        a.std[i] = cg_chance(c, 5) ? 0 : cg_between(c, 0.1f, 2);
    }
    a.rgb = cg_chance(c, 50);
    a.dst = cg_floats(c, "dst", n, 5, 6);
    cg_note(c, "%dx%d, rgb %d", a.w, a.h, a.rgb);
    c->bytes = 24 * area(a.w, a.h);
    RUN(a);
}

void check_paste(struct cg *c)
{
    const int fw = cg_size(c, 2 * SIDE, 1920), fh = cg_size(c, 2 * SIDE, 1080);
    struct rp_op_paste a = {
        .dst = cg_canvas(c, fw, fh, 3), .w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512)};
    const size_t n = (size_t) a.w * (size_t) a.h;
    float *const crop = cg_floats(c, "crop", 3 * n, -5, 260);

    cg_storm(c, crop, 3 * n);
    a.crop = crop;
    a.mask = mask(c, a.w, a.h);
    a.affine = affine(c, fw, fh, a.w, a.h);
    if (!c->bench && cg_chance(c, 20))
        a.dst.changed = NULL;
    if (!c->bench && cg_chance(c, 40))
        a.keep = cg_chance(c, 20) ? 1 : cg_between(c, -0.1f, 1.1f);
    a.blend = cg_chance(c, 80) ? 1 - a.keep : cg_between(c, -0.1f, 1.1f);
    a.bytes = cg_chance(c, 50);
    cg_note(c, "%dx%d into %dx%d, keep %g, bytes %d", a.w, a.h, fw, fh, a.keep, a.bytes);
    c->bytes = 6 * 0.09 * fw * fw + 16 * area(a.w, a.h);
    RUN(a);
}

void check_blend(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080), ch = channels(c);
    struct rp_op_blend a = {.a = cg_img(c, "a", w, h, ch), .b = cg_img(c, "b", w, h, ch)};

    a.dst = cg_canvas(c, w, h, ch);
    a.f = cg_chance(c, 20) ? (float) cg_range(c, 0, 1) : cg_between(c, -0.1f, 1.1f);
    if (!c->bench && cg_chance(c, 30))
        a.a = a.dst.img;
    if (!c->bench && cg_chance(c, 20))
        a.dst.changed = NULL;
    cg_note(c, "%dx%dx%d, %g", w, h, ch, a.f);
    c->bytes = 9 * area(w, h);
    RUN(a);
}

/* ---- masks ----------------------------------------------------------------------------------- */

void check_box_mask(struct cg *c)
{
    struct rp_op_box_mask a = {
        .w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512), .blur = 0.3f};

    if (!c->bench)
        a.blur = cg_chance(c, 30) ? (float) cg_range(c, 0, 10) * 0.1f : cg_between(c, -0.1f, 1.1f);
    for (int i = 0; i < 4; i++)
        a.padding[i] = cg_chance(c, 50) ? 0 : cg_range(c, 0, 100);
    a.dst = cg_floats(c, "dst", (size_t) a.w * (size_t) a.h, 2, 3);
    cg_note(c, "%dx%d, blur %g, padding %d %d %d %d", a.w, a.h, a.blur, a.padding[0], a.padding[1],
            a.padding[2], a.padding[3]);
    c->bytes = 4 * area(a.w, a.h);
    RUN(a);
}

void check_gaussian(struct cg *c)
{
    enum { MAX = 13001 };
    static float kernel[MAX];
    const bool huge = !c->bench && cg_chance(c, 2); /* does not fit shared memory */
    struct rp_op_gaussian a = {.w = cg_size(c, huge ? 12 : SIDE, 512),
                               .h = cg_size(c, huge ? 12 : SIDE, 512)};
    const size_t n = (size_t) a.w * (size_t) a.h;
    const double sigma = c->bench           ? 9.5
                         : cg_chance(c, 80) ? cg_between(c, 0.1f, 12)
                                            : cg_between(c, 12, 60);
    float *const src = cg_floats(c, "src", n, 0, 1);

    a.size = huge
                 ? 12501
                 : rp_gaussian_kernel(sigma,
                                      cg_chance(c, 20) && !c->bench ? 2 * cg_range(c, 0, 9) + 1 : 0,
                                      kernel, MAX);
    float *const k = cg_floats(c, "kernel", (size_t) a.size, -0.01f, 0.01f);
    if (!huge)
        memcpy(k, kernel, (size_t) a.size * sizeof(*k));
    cg_storm(c, src, n);
    a.src = src;
    a.kernel = k;
    a.tmp = cg_floats(c, "tmp", n, 5, 6);
    a.dst = c->bench || cg_chance(c, 60) ? cg_floats(c, "dst", n, 5, 6) : src;
    cg_note(c, "%dx%d, %d weights%s", a.w, a.h, a.size, a.dst == src ? ", in place" : "");
    c->bytes = 16 * area(a.w, a.h);
    RUN(a);
}

void check_mask_min(struct cg *c)
{
    struct rp_op_mask_min a = {.n = cg_size(c, 5000, 512 * 512)};
    float *const p = cg_floats(c, "a", (size_t) a.n, -0.5f, 1.5f);
    float *const q = cg_floats(c, "b", (size_t) a.n, -0.5f, 1.5f);

    cg_storm(c, p, (size_t) a.n);
    cg_storm(c, q, (size_t) a.n);
    a.a = p;
    a.b = c->bench || cg_chance(c, 80) ? q : NULL;
    a.dst = c->bench || cg_chance(c, 50) ? cg_floats(c, "dst", (size_t) a.n, 0, 1) : p;
    cg_note(c, "%d", a.n);
    c->bytes = 12.0 * a.n;
    RUN(a);
}

void check_mask_ramp(struct cg *c)
{
    struct rp_op_mask_ramp a = {.n = cg_size(c, 5000, 512 * 512)};
    float *const p = cg_floats(c, "src", (size_t) a.n, -0.5f, 1.5f);

    cg_storm(c, p, (size_t) a.n);
    a.src = p;
    a.dst = c->bench || cg_chance(c, 50) ? cg_floats(c, "dst", (size_t) a.n, 0, 1) : p;
    cg_note(c, "%d", a.n);
    c->bytes = 8.0 * a.n;
    RUN(a);
}

/* Numbers, many of them equal. */
void check_class_mask(struct cg *c)
{
    struct rp_op_class_mask a = {.n = cg_size(c, 5000, 512 * 512),
                                 .classes = c->bench ? 19 : cg_range(c, 1, 32),
                                 .use = c->bench ? 0x3c7e : cg_rand(c)};
    const size_t n = (size_t) a.n * (size_t) a.classes;
    float *const p = cg_floats(c, "src", n, -9, 9);

    for (size_t i = 0; i < n && cg_chance(c, 99); i++)
        p[i] = rintf(p[i]);
    cg_storm(c, p, n);
    a.src = p;
    a.dst = cg_floats(c, "dst", (size_t) a.n, 2, 3);
    cg_note(c, "%d of %d classes, %x", a.n, a.classes, (unsigned) a.use);
    c->bytes = 4.0 * a.n * (a.classes + 1);
    RUN(a);
}

/* Points around an ellipse and inside it, now and then far away. */
static struct rp_dface *face_with_points(struct cg *c, int w, int h)
{
    struct rp_dface *const f = cg_zeros(c, "face", sizeof(*f), CG_FACES);
    const float x = cg_between(c, 0, (float) w), y = cg_between(c, 0, (float) h);
    const float r = cg_chance(c, 10) ? 0 : cg_between(c, 1, 0.7f * (float) h);

    for (int i = 0; i < 68; i++) {
        const float turn = cg_between(c, 0, 6.3f), k = i < 27 ? r : r * cg_between(c, 0, 1);

        f->lm68[2 * i] = x + k * cosf(turn);
        f->lm68[2 * i + 1] = y + 1.2f * k * sinf(turn);
        if (cg_chance(c, 20)) {
            f->lm68[2 * i] = rintf(f->lm68[2 * i]);
            f->lm68[2 * i + 1] = rintf(f->lm68[2 * i + 1]);
        }
    }
    if (!c->bench && cg_chance(c, 10))
        for (int i = cg_range(c, 1, 9); i > 0; i--)
            f->lm68[cg_range(c, 0, 135)] =
                cg_chance(c, 50) ? cg_odd_float(c) : cg_between(c, -1e7f, 1e7f);
    return f;
}

void check_hull_mask(struct cg *c)
{
    const int fw = c->bench ? 1920 : 300, fh = c->bench ? 1080 : 200;
    struct rp_op_hull_mask a = {.w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512)};
    uint8_t *const use = cg_zeros(c, "use", 68, CG_BYTES);
    const int percent = c->bench ? 100 : cg_chance(c, 30) ? cg_range(c, 0, 5) : cg_range(c, 5, 100);

    for (int i = 0; i < 68; i++)
        use[i] = cg_chance(c, percent);
    a.use = use;
    a.face = face_with_points(c, fw, fh);
    a.affine = affine(c, fw, fh, a.w, a.h);
    a.dst = cg_floats(c, "dst", (size_t) a.w * (size_t) a.h, 2, 3);
    cg_note(c, "%dx%d, %d %% of the points", a.w, a.h, percent);
    c->bytes = 4 * area(a.w, a.h);
    RUN(a);
}

void check_mask_warp(struct cg *c)
{
    const int fw = c->bench ? 1920 : 300, fh = c->bench ? 1080 : 200;
    struct rp_op_mask_warp a = {.sw = cg_size(c, SIDE, 512), .sh = cg_size(c, SIDE, 512),
                                .dw = cg_size(c, SIDE, 512), .dh = cg_size(c, SIDE, 512)};

    a.src = mask(c, a.sw, a.sh);
    a.src_affine = affine(c, fw, fh, a.sw, a.sh);
    a.dst_affine = cg_chance(c, 20) ? a.src_affine : affine(c, fw, fh, a.dw, a.dh);
    a.dst = cg_floats(c, "dst", (size_t) a.dw * (size_t) a.dh, 2, 3);
    cg_note(c, "%dx%d to %dx%d", a.sw, a.sh, a.dw, a.dh);
    c->bytes = 4 * (area(a.sw, a.sh) + area(a.dw, a.dh));
    RUN(a);
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Lines are as thick as the frame is high. */
static struct rp_canvas tall_canvas(struct cg *c)
{
    const bool tall = !c->bench && cg_chance(c, 50);
    const int w = tall ? cg_range(c, 20, 60) : cg_size(c, SIDE, 1920);
    struct rp_canvas v = cg_canvas(c, w, tall ? cg_range(c, 300, 2900) : cg_size(c, SIDE, 1080), 3);

    if (!c->bench && cg_chance(c, 20))
        v.changed = NULL;
    return v;
}

void check_draw_face(struct cg *c)
{
    struct rp_op_draw_face a = {.dst = tall_canvas(c),
                                .items = c->bench ? 31 : (unsigned) cg_range(c, 0, 63)};
    const int w = a.dst.img.w, h = a.dst.img.h;
    struct rp_dface *const f = face_with_points(c, w, h);
    static const int angles[] = {0, 90, 180, 270, 0, 45};

    for (int i = 0; i < 4; i++)
        f->box[i] = cg_between(c, -0.3f, 1.3f) * (float) (i & 1 ? h : w);
    if (c->bench) {
        f->box[0] = f->box[1] = 300;
        f->box[2] = f->box[3] = 800;
    } else if (cg_chance(c, 10)) {
        f->box[cg_range(c, 0, 3)] = cg_odd_float(c);
    }
    for (int i = 0; i < 10; i++)
        f->lm5[i] = f->lm5_68[i] = cg_between(c, -0.1f, 1.1f) * (float) (i & 1 ? h : w);
    if (cg_chance(c, 50))
        f->lm5_68[cg_range(c, 0, 9)] += 3;
    memcpy(f->lm68_5, f->lm68, sizeof(f->lm68));
    if (cg_chance(c, 50))
        f->lm68_5[cg_range(c, 0, 135)] += 3;
    if (cg_chance(c, 10))
        memset(f->lm68, 0, sizeof(f->lm68));
    f->angle = angles[cg_range(c, 0, 5)];
    f->origin = cg_chance(c, 20);
    a.face = f;
    cg_note(c, "%dx%d, items %u", w, h, a.items);
    RUN(a);
}

void check_draw_mask(struct cg *c)
{
    struct rp_op_draw_mask a = {
        .dst = tall_canvas(c), .w = cg_size(c, SIDE, 512), .h = cg_size(c, SIDE, 512)};
    const int w = a.dst.img.w, h = a.dst.img.h;
    struct rp_dface *const f = face_with_points(c, w, h);

    f->origin = cg_chance(c, 20);
    if (cg_chance(c, 50))
        f->lm5[3] = 1;
    a.face = f;
    a.mask = mask(c, a.w, a.h);
    a.affine = affine(c, w, h, a.w, a.h);
    a.tmp = cg_bytes(c, "tmp", (size_t) w * (size_t) h, 0);
    cg_note(c, "%dx%d into %dx%d", a.w, a.h, w, h);
    RUN(a);
}

/* ---- alpha and mattes ------------------------------------------------------------------------ */

static struct rp_planes alpha_plane(struct cg *c, int w, int h)
{
    struct rp_planes p = {.w = w, .h = h, .depth = c->bench || cg_chance(c, 50) ? 8 : 10};
    const bool wide = p.depth > 8, wild = cg_chance(c, 10);
    const int bytes = w << wide;

    p.stride[3] = bytes + (cg_range(c, 0, 9) << wide);
    p.plane[3] = cg_bytes(c, "alpha", (size_t) p.stride[3] * (size_t) (h - 1) + (size_t) bytes,
                          (size_t) cg_range(c, 0, 7) << wide);
    for (int y = 0; wide && !wild && y < h; y++)
        for (int x = 0; x < w; x++)
            p.plane[3][(size_t) y * p.stride[3] + 2 * x + 1] &= 3;
    cg_note(c, "%dx%d, %d bit", w, h, p.depth);
    return p;
}

void check_alpha_read(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, alpha_plane(c, w, h));
    struct rp_op_alpha_read a = {.src = p};

    a.dst = cg_img(c, "dst", w, h, 1);
    if (!c->bench && cg_chance(c, 30))
        c->planes.plane[3] = NULL;
    c->bytes = 2 * area(w, h);
    RUN(a);
}

void check_alpha_write(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const struct rp_planes *const p = cg_planes(c, alpha_plane(c, w, h));
    struct rp_op_alpha_write a = {.dst = p};

    a.src = cg_img(c, "src", w, h, 1);
    a.fresh = cg_chance(c, 30);
    if (!c->bench && cg_chance(c, 70)) { /* as it was read, with some values changed */
        const struct rp_op_alpha_read had = {a.dst, a.src};

        rp_c_alpha_read(NULL, &had);
        for (int i = cg_range(c, 0, w * h / 2 + 1); i > 0; i--)
            a.src.data[(size_t) cg_range(c, 0, h - 1) * a.src.stride + cg_range(c, 0, w - 1)] ^=
                (uint8_t) cg_rand(c);
    }
    c->bytes = 2 * area(w, h);
    RUN(a);
}

/* BGR and alpha of a picture; at most one of them is left out. */
static void take_apart(struct cg *c, int w, int h, struct rp_img *bgr, struct rp_img *alpha)
{
    const int left_out = c->bench ? 0 : cg_range(c, 0, 3);

    if (left_out != 1)
        *bgr = cg_img(c, "bgr", w, h, 3);
    if (left_out != 2)
        *alpha = cg_img(c, "alpha", w, h, 1);
    cg_note(c, "%dx%d, %d", w, h, left_out);
}

void check_alpha_split(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const int ch = c->bench || cg_chance(c, 70) ? 4 : 3;
    struct rp_op_alpha_split a = {.src = cg_img(c, "src", w, h, ch)};

    take_apart(c, w, h, &a.bgr, &a.alpha);
    c->bytes = 8 * area(w, h);
    RUN(a);
}

void check_alpha_join(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    const int ch = c->bench || cg_chance(c, 70) ? 4 : 3;
    struct rp_op_alpha_join a = {.dst = cg_img(c, "dst", w, h, ch)};

    take_apart(c, w, h, &a.bgr, &a.alpha);
    c->bytes = 8 * area(w, h);
    RUN(a);
}

void check_key_matte(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    struct rp_op_key_matte a = {.src = cg_img(c, "src", w, h, 3)};

    a.dst = cg_floats(c, "dst", (size_t) w * (size_t) h, 2, 3);
    cg_note(c, "%dx%d", w, h);
    c->bytes = 7 * area(w, h);
    RUN(a);
}

void check_matte_u8(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1024), h = cg_size(c, SIDE, 1024);
    struct rp_op_matte_u8 a = {.classes = c->bench || cg_chance(c, 50) ? 1 : cg_range(c, 2, 5)};
    const size_t n = (size_t) w * (size_t) h * (size_t) a.classes;
    float *const src = cg_floats(c, "src", n, -0.3f, 1.3f);

    for (size_t i = 0; i < n && cg_chance(c, 99); i++) /* classes that are equal */
        src[i] = cg_chance(c, 30) ? 0.5f : src[i];
    cg_storm(c, src, n);
    a.src = src;
    a.dst = cg_img(c, "dst", w, h, 1);
    cg_note(c, "%dx%d, %d classes", w, h, a.classes);
    c->bytes = 5 * area(w, h);
    RUN(a);
}

void check_backdrop(struct cg *c)
{
    const int w = cg_size(c, SIDE, 1920), h = cg_size(c, SIDE, 1080);
    struct rp_op_backdrop a = {.dst = cg_canvas(c, w, h, 3)};

    if (c->bench || cg_chance(c, 60))
        a.dst.alpha = cg_img(c, "canvas alpha", w, h, 1);
    if (!c->bench && cg_chance(c, 40))
        a.front = cg_img(c, "front", w, h, 3);
    a.matte = cg_img(c, "matte", w, h, 1);
    for (int i = 0; i < 3; i++)
        a.despill[i] = cg_chance(c, 50) ? (float) cg_range(c, 0, 1) : cg_between(c, 0, 1);
    for (int i = 0; i < 4; i++)
        a.fill[i] = cg_chance(c, 50) ? 255 * cg_range(c, 0, 1) : cg_range(c, 0, 255);
    cg_note(c, "%dx%d, %s, alpha %d, fill %d %d %d %d", w, h, a.front.data ? "front" : "in place",
            a.dst.alpha.data != NULL, a.fill[0], a.fill[1], a.fill[2], a.fill[3]);
    c->bytes = 8 * area(w, h);
    RUN(a);
}
