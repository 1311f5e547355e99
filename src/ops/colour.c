/* grey_tensor, colour_ab and colour_rgb, and the tables that they need. */
#include "ops/colour_core.h"
#include "ops/math_core.h"

#include <string.h>

int rp_c_grey_tensor(struct rp_stream *stream, const struct rp_op_grey_tensor *a)
{
    const double sx = rp_resize_scale(a->src.w, a->w), sy = rp_resize_scale(a->src.h, a->h);
    const size_t plane = (size_t) a->w * (size_t) a->h;
    float *out = a->dst;

    (void) stream;
    if (a->src.w < 1 || a->src.h < 1)
        return 0;
    for (int y = 0; y < a->h; y++)
        for (int x = 0; x < a->w; x++, out++) {
            float v[3];

            rp_grey_tensor(a, x, y, sx, sy, v);
            out[0] = v[0];
            out[plane] = v[1];
            out[2 * plane] = v[2];
        }
    return 0;
}

/* ---- joining --------------------------------------------------------------------------------- */

#define CHUNK 512 /* pixels done at once */

/* Some pixels of all rows: where the network's values around them are. */
struct columns {
    int x, n;
    int left[CHUNK], right[CHUNK];
    float across[CHUNK];
};

static void make_columns(struct columns *c, int x, int width, int w)
{
    const double scale = rp_resize_scale(w, width);

    c->x = x;
    c->n = rp_mini(CHUNK, width - x);
    for (int i = 0; i < c->n; i++) {
        c->left[i] = rp_resize_column(x + i, scale, w, &c->across[i]);
        c->right[i] = rp_mini(c->left[i] + 1, w - 1);
    }
}

/* The network's rows above and below a row of the frame, of plane 0. */
struct rows {
    const float *upper, *lower;
    float down;
};

static struct rows rows_of(const float *src, int y, int height, int w, int h)
{
    struct rows r;
    const int top = rp_resize_at(y, rp_resize_scale(h, height), &r.down);

    r.upper = src + (size_t) w * (size_t) rp_clampi(top, 0, h - 1);
    r.lower = src + (size_t) w * (size_t) rp_clampi(top + 1, 0, h - 1);
    return r;
}

RP_HOT static void between(float *restrict v, const float *restrict upper,
                           const float *restrict lower, const int *restrict left,
                           const int *restrict right, const float *restrict across, float down,
                           int n)
{
    for (int i = 0; i < n; i++)
        v[i] = rp_colour_between(upper, lower, left[i], right[i], across[i], down);
}

static void enlarge(float *v, const struct rows *r, size_t at, const struct columns *c)
{
    between(v, r->upper + at, r->lower + at, c->left, c->right, c->across, r->down, c->n);
}

RP_HOT_FMA static void blend_row(uint8_t *restrict dst, const uint8_t *restrict src, float keep,
                                 float blend, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] = rp_blend(dst[i], src[i], keep, blend);
}

static void blend_in(uint8_t *dst, const uint8_t *src, float keep, float blend, int n)
{
    if (keep == 0.0f && blend == 1.0f)
        memcpy(dst, src, (size_t) n);
    else
        blend_row(dst, src, keep, blend, n);
}

static void mark_all(const struct rp_canvas *c)
{
    if (c->changed)
        memset(c->changed, 1, (size_t) c->tiles_w * (size_t) c->tiles_h);
}

static uint8_t *pixel(const struct rp_canvas *c, int x, int y)
{
    return c->img.data + (ptrdiff_t) y * c->img.stride + 3 * (ptrdiff_t) x;
}

RP_HOT static void light_row(float *restrict l, const struct rp_colour_tables *restrict t,
                             const uint8_t *restrict bgr, int n)
{
    for (int i = 0; i < n; i++)
        l[i] = rp_light(t, bgr[3 * i], bgr[3 * i + 1], bgr[3 * i + 2]);
}

/* Linear light, planes of red, green, blue, from L, a and b. */
RP_HOT static void linear_row(float *restrict rgb, const float *restrict l, const float *restrict a,
                              const float *restrict b, int n)
{
    for (int i = 0; i < n; i++) {
        float v[3];

        rp_lab_linear(l[i], a[i], b[i], v);
        rgb[i] = v[0];
        rgb[CHUNK + i] = v[1];
        rgb[2 * CHUNK + i] = v[2];
    }
}

RP_HOT static void gamma_row(uint8_t *restrict v, const struct rp_colour_tables *restrict t,
                             const float *restrict linear, int n)
{
    for (int i = 0; i < n; i++)
        v[i] = rp_gamma_u8(t, linear[i]);
}

/* Planes of red, green, blue to pixels. */
static void interleave(uint8_t *restrict bgr, const uint8_t *restrict rgb, int n)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 3; k++)
            bgr[3 * i + k] = rgb[(2 - k) * CHUNK + i];
}

/* Some pixels of row y. */
typedef void join_fn(const void *op, const struct columns *c, int y);

/* All pixels of the frame, from a network's output of w x h. */
static int join(const struct rp_canvas *dst, int w, int h, join_fn *row, const void *op)
{
    struct columns c;

    if (w < 1 || h < 1)
        return 0;
    for (int x = 0; x < dst->img.w; x += CHUNK) {
        make_columns(&c, x, dst->img.w, w);
        for (int y = 0; y < dst->img.h; y++)
            row(op, &c, y);
    }
    mark_all(dst);
    return 0;
}

static void join_ab(const void *op, const struct columns *c, int y)
{
    const struct rp_op_colour_ab *const o = op;
    float l[CHUNK], a[CHUNK], b[CHUNK], linear[3 * CHUNK];
    uint8_t rgb[3 * CHUNK], bgr[3 * CHUNK] = {0}, *const p = pixel(&o->dst, c->x, y);
    const struct rows r = rows_of(o->src, y, o->dst.img.h, o->w, o->h);

    enlarge(a, &r, 0, c);
    enlarge(b, &r, (size_t) o->w * (size_t) o->h, c);
    light_row(l, o->tables, p, c->n);
    linear_row(linear, l, a, b, c->n);
    for (int k = 0; k < 3; k++)
        gamma_row(rgb + k * CHUNK, o->tables, linear + k * CHUNK, c->n);
    interleave(bgr, rgb, c->n);
    blend_in(p, bgr, o->keep, o->blend, 3 * c->n);
}

int rp_c_colour_ab(struct rp_stream *stream, const struct rp_op_colour_ab *a)
{
    (void) stream;
    return join(&a->dst, a->w, a->h, join_ab, a);
}

/* Planes of red, green, blue; light: of every third byte. */
RP_HOT static void byte_row(uint8_t *restrict rgb, const struct rp_lab_tables *restrict t,
                            const uint8_t *restrict light, const float *restrict v, int n)
{
    for (int i = 0; i < n; i++) {
        const float in[3] = {v[i], v[CHUNK + i], v[2 * CHUNK + i]};
        uint8_t bgr[3];

        rp_colour_rgb(t, light[3 * i], in, bgr);
        rgb[i] = bgr[2];
        rgb[CHUNK + i] = bgr[1];
        rgb[2 * CHUNK + i] = bgr[0];
    }
}

static void join_rgb(const void *op, const struct columns *c, int y)
{
    const struct rp_op_colour_rgb *const o = op;
    float v[3 * CHUNK];
    uint8_t rgb[3 * CHUNK], bgr[3 * CHUNK] = {0}, *const p = pixel(&o->dst, c->x, y);
    const struct rows r = rows_of(o->src, y, o->dst.img.h, o->w, o->h);

    for (size_t k = 0; k < 3; k++)
        enlarge(v + k * CHUNK, &r, k * (size_t) o->w * (size_t) o->h, c);
    byte_row(rgb, o->tables, p, v, c->n);
    interleave(bgr, rgb, c->n);
    blend_in(p, bgr, o->keep, o->blend, 3 * c->n);
}

int rp_c_colour_rgb(struct rp_stream *stream, const struct rp_op_colour_rgb *a)
{
    (void) stream;
    return join(&a->dst, a->w, a->h, join_rgb, a);
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* L of linear light, 0..1, in 16384ths of 100. */
static int light_of(double y)
{
    const double l = y > 216.0 / 24389 ? 116 * rp_cbrt(y) - 16 : y * 24389 / 27;

    return rp_round_d(16384 * l / 100);
}

static void make_light(struct rp_colour_tables *t)
{
    double linear[RP_LIGHT_CELLS + 1];

    for (int i = 0; i <= RP_LIGHT_CELLS; i++)
        linear[i] = rp_srgb_to_linear((double) i / RP_LIGHT_CELLS);
    for (int r = 0; r <= RP_LIGHT_CELLS; r++)
        for (int g = 0; g <= RP_LIGHT_CELLS; g++)
            for (int b = 0; b < RP_LIGHT_CELLS; b++) {
                const double y = 0.212671 * linear[r] + 0.715160 * linear[g];

                t->light[r][g][b] = light_of(y + 0.072169 * linear[b]) |
                                    light_of(y + 0.072169 * linear[b + 1]) << 16;
            }
}

/* The natural cubic spline through the curve's points: from point i on it is v + b x + c x^2 +
 * d x^3, where c solves c[i - 1] + 4 c[i] + c[i + 1] = 3 (v[i + 1] - 2 v[i] + v[i - 1]), and is 0
 * at both ends. */
static void make_gamma(struct rp_colour_tables *t)
{
    enum { N = RP_GAMMA_STEPS };
    double v[N + 1], part[N], c[N + 1] = {0};

    for (int i = 0; i <= N; i++)
        v[i] = rp_srgb_from_linear((double) i / N);
    part[0] = 0;
    for (int i = 1; i < N; i++) { /* part c[i + 1] + c[i] = the right side, kept in c */
        const double scale = 1 / (4 - part[i - 1]);

        part[i] = scale;
        c[i] = (3 * (v[i + 1] - 2 * v[i] + v[i - 1]) - c[i - 1]) * scale;
    }
    for (int i = N - 1; i >= 0; i--)
        c[i] -= part[i] * c[i + 1];
    for (int i = 0; i < N; i++) {
        t->gamma[i][0] = (float) v[i];
        t->gamma[i][1] = (float) (v[i + 1] - v[i] - (c[i + 1] + 2 * c[i]) / 3);
        t->gamma[i][2] = (float) c[i];
        t->gamma[i][3] = (float) ((c[i + 1] - c[i]) / 3);
    }
}

void rp_colour_tables(struct rp_colour_tables *t)
{
    memset(t, 0, sizeof(*t));
    make_light(t);
    make_gamma(t);
}

void rp_colour_grey_lut(float lut[3][256], const struct rp_colour_tables *t)
{
    for (int i = 0; i < 256; i++) {
        float rgb[3];

        rp_lab_linear(rp_light(t, i, i, i), 0, 0, rgb);
        for (int c = 0; c < 3; c++)
            lut[c][i] = rp_gamma(t, rgb[c]);
    }
}
