/* A function for each operation, which writes down its scalar arguments and lists its addresses. An
 * argument added to an operation must be added here: tests/test_describe.c changes each word of the
 * arguments and finds those that were forgotten. */
#include "ops/describe.h"

#include "base/base.h"

#include <stdarg.h>

/* Floating point operations per pixel: of a sample between four values, of a position through a
 * matrix, of a sample between 16 values. */
#define BILINEAR 9
#define POSITION 6
#define CUBIC 40

/* ---- words and addresses ----------------------------------------------------------------------
 */

static void say(struct rp_op_facts *f, const char *format, ...) RP_PRINTF(2, 3);

/* Appends, after a blank. */
static void say(struct rp_op_facts *f, const char *format, ...)
{
    size_t n = strlen(f->text);
    va_list ap;

    if (n && n + 1 < sizeof(f->text))
        f->text[n++] = ' ';
    va_start(ap, format);
    vsnprintf(f->text + n, sizeof(f->text) - n, format, ap);
    va_end(ap);
}

static void add(struct rp_op_facts *f, const char *name, const void *at, double read,
                double written)
{
    if (f->addresses == RP_OP_ADDRESSES)
        return;
    f->address[f->addresses++] = (struct rp_op_address){
        .name = name, .at = at, .read = at ? read : 0, .written = at ? written : 0};
}

static void in(struct rp_op_facts *f, const char *name, const void *at, double bytes)
{
    add(f, name, at, bytes, 0);
}

static void out(struct rp_op_facts *f, const char *name, const void *at, double bytes)
{
    add(f, name, at, 0, bytes);
}

static void in_out(struct rp_op_facts *f, const char *name, const void *at, double bytes)
{
    add(f, name, at, bytes, bytes);
}

static double area(int w, int h)
{
    return w > 0 && h > 0 ? (double) w * h : 0;
}

static double floats(double n)
{
    return n * sizeof(float);
}

static void say_floats(struct rp_op_facts *f, const char *name, const float *v, int n)
{
    say(f, "%s %.9g", name, (double) v[0]);
    for (int i = 1; i < n; i++)
        say(f, "%.9g", (double) v[i]);
}

static void say_number(struct rp_op_facts *f, const char *name, double v)
{
    say(f, "%s %.9g", name, v);
}

/* The name of a number, or the number. */
static void say_name(struct rp_op_facts *f, const char *const *names, int n, int i)
{
    if (i >= 0 && i < n && names[i])
        say(f, "%s", names[i]);
    else
        say(f, "%d", i);
}

#define SAY_NAME(f, names, i) say_name(f, names, (int) (sizeof(names) / sizeof(*(names))), i)

/* ---- pictures -------------------------------------------------------------------------------- */

static double img_bytes(const struct rp_img *img)
{
    return area(img->w, img->h) * img->ch;
}

/* "1920x1080x3", and the length of its rows if they are not packed. */
static void say_img(struct rp_op_facts *f, const struct rp_img *img)
{
    say(f, "%dx%dx%d", img->w, img->h, img->ch);
    if (img->stride != (int64_t) img->w * img->ch)
        say(f, "rows of %d", img->stride);
}

static void img_in(struct rp_op_facts *f, const char *name, const struct rp_img *img)
{
    say_img(f, img);
    in(f, name, img->data, img_bytes(img));
}

static void img_out(struct rp_op_facts *f, const char *name, const struct rp_img *img)
{
    say_img(f, img);
    out(f, name, img->data, img_bytes(img));
}

static void say_arrow(struct rp_op_facts *f)
{
    say(f, "->");
}

/* The canvas, its map of tiles, its alpha. `seen`: its pixels are read; `written`: they are
 * written. */
static void canvas(struct rp_op_facts *f, const struct rp_canvas *c, bool seen, bool written)
{
    const double bytes = img_bytes(&c->img), tiles = area(c->tiles_w, c->tiles_h);

    say_img(f, &c->img);
    say(f, "of %dx%d tiles", c->tiles_w, c->tiles_h);
    if (c->alpha.w || c->alpha.h || c->alpha.ch || c->alpha.stride) {
        say(f, "alpha");
        say_img(f, &c->alpha);
    }
    add(f, "canvas", c->img.data, seen ? bytes : 0, written ? bytes : 0);
    add(f, "changed", c->changed, written ? 0 : tiles, written ? tiles : 0);
    add(f, "alpha", c->alpha.data, seen ? img_bytes(&c->alpha) : 0,
        written ? img_bytes(&c->alpha) : 0);
}

static double planes_bytes(const struct rp_planes *p)
{
    const double sample = p->depth > 8 ? 2 : 1;
    const int sx = RP_CLAMP(p->sub_x, 0, 1), sy = RP_CLAMP(p->sub_y, 0, 1);

    return sample * (area(p->w, p->h) + 2 * area((p->w + sx) >> sx, (p->h + sy) >> sy));
}

static void say_planes(struct rp_op_facts *f, const struct rp_planes *p)
{
    if (p)
        say(f, "planes %dx%d subsampled %d %d, %d bit, matrix %d, %s range", p->w, p->h, p->sub_x,
            p->sub_y, p->depth, p->matrix, p->full_range ? "full" : "limited");
    else
        say(f, "planes");
}

static double alpha_bytes(const struct rp_planes *p)
{
    return p ? area(p->w, p->h) * (p->depth > 8 ? 2 : 1) : 0;
}

static void describe_yuv_to_bgr(struct rp_op_facts *f, const struct rp_op_yuv_to_bgr *a)
{
    say_planes(f, a->src);
    say_arrow(f);
    in(f, "src", a->src, a->src ? planes_bytes(a->src) : 0);
    img_out(f, "dst", &a->dst);
    f->flop = 9 * area(a->dst.w, a->dst.h);
}

static void describe_bgr_to_yuv(struct rp_op_facts *f, const struct rp_op_bgr_to_yuv *a)
{
    const double bytes = a->dst ? planes_bytes(a->dst) : 0;

    canvas(f, &a->src, true, false);
    say_arrow(f);
    say_planes(f, a->dst);
    in_out(f, "dst", a->dst, bytes);
    f->flop = 18 * area(a->src.img.w, a->src.img.h);
}

static void describe_bgr_read(struct rp_op_facts *f, const struct rp_op_bgr_read *a)
{
    say_planes(f, a->src);
    say_arrow(f);
    in(f, "src", a->src, img_bytes(&a->dst));
    img_out(f, "dst", &a->dst);
}

static void describe_bgr_write(struct rp_op_facts *f, const struct rp_op_bgr_write *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    say_planes(f, a->dst);
    out(f, "dst", a->dst, img_bytes(&a->src));
}

static void describe_semi_read(struct rp_op_facts *f, const struct rp_op_semi_read *a)
{
    const double bytes = a->dst ? planes_bytes(a->dst) : 0;

    say_img(f, &a->y);
    say_img(f, &a->uv);
    in(f, "y", a->y.data, bytes / 1.5);
    in(f, "uv", a->uv.data, bytes / 3);
    say_arrow(f);
    say_planes(f, a->dst);
    out(f, "dst", a->dst, bytes);
}

static void describe_alpha_read(struct rp_op_facts *f, const struct rp_op_alpha_read *a)
{
    say_planes(f, a->src);
    say_arrow(f);
    in(f, "src", a->src, alpha_bytes(a->src));
    img_out(f, "dst", &a->dst);
}

static void describe_alpha_write(struct rp_op_facts *f, const struct rp_op_alpha_write *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    say_planes(f, a->dst);
    say(f, "fresh %d", a->fresh);
    in_out(f, "dst", a->dst, alpha_bytes(a->dst));
}

static void describe_alpha_split(struct rp_op_facts *f, const struct rp_op_alpha_split *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "bgr", &a->bgr);
    img_out(f, "alpha", &a->alpha);
}

static void describe_alpha_join(struct rp_op_facts *f, const struct rp_op_alpha_join *a)
{
    img_in(f, "bgr", &a->bgr);
    img_in(f, "alpha", &a->alpha);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
}

static void describe_resize(struct rp_op_facts *f, const struct rp_op_resize *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    f->flop = BILINEAR * img_bytes(&a->dst);
}

static void describe_resize_cubic(struct rp_op_facts *f, const struct rp_op_resize_cubic *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    f->flop = CUBIC * img_bytes(&a->dst);
}

static void describe_warp(struct rp_op_facts *f, const struct rp_op_warp *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    in(f, "affine", a->affine, sizeof(*a->affine));
    img_out(f, "dst", &a->dst);
    say(f, "border %d area %d", a->border, a->area);
    f->flop = BILINEAR * img_bytes(&a->dst) + POSITION * area(a->dst.w, a->dst.h);
}

static void describe_blend(struct rp_op_facts *f, const struct rp_op_blend *a)
{
    img_in(f, "a", &a->a);
    say(f, "with");
    img_in(f, "b", &a->b);
    say_arrow(f);
    canvas(f, &a->dst, false, true);
    say_number(f, "by", (double) a->f);
    f->flop = 3 * img_bytes(&a->dst.img);
}

static void describe_contrast(struct rp_op_facts *f, const struct rp_op_contrast *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    in(f, "tables", a->tables, sizeof(*a->tables));
    in_out(f, "work", a->work, sizeof(*a->work));
    f->flop = 40 * area(a->dst.w, a->dst.h);
}

/* ---- tensors --------------------------------------------------------------------------------- */

#define LUT_BYTES (3.0 * 256 * sizeof(float))

static void describe_to_tensor(struct rp_op_facts *f, const struct rp_op_to_tensor *a)
{
    const double values = 3 * area(a->w, a->h) * (a->tiles > 0 ? a->tiles : 1);

    img_in(f, "src", &a->src);
    say_arrow(f);
    say(f, "%dx%d rgb %d nhwc %d step %d at %d,%d tiles %d", a->w, a->h, a->rgb, a->nhwc, a->step,
        a->off_x, a->off_y, a->tiles);
    in(f, "lut", a->lut, LUT_BYTES);
    out(f, "dst", a->dst, floats(values));
    in(f, "turn", a->turn, sizeof(*a->turn));
}

static void describe_to_gray(struct rp_op_facts *f, const struct rp_op_to_gray *a)
{
    img_in(f, "src", &a->src);
    say_number(f, "scale", (double) a->scale);
    out(f, "dst", a->dst, floats(area(a->src.w, a->src.h)));
    f->flop = 6 * area(a->src.w, a->src.h);
}

static void describe_from_tensor(struct rp_op_facts *f, const struct rp_op_from_tensor *a)
{
    const double values = 3 * area(a->w, a->h) * (a->tiles > 0 ? a->tiles : 1);

    say(f, "%dx%d", a->w, a->h);
    say_floats(f, "mul", a->mul, 3);
    say_floats(f, "add", a->add, 3);
    say(f, "rgb %d round %d step %d at %d,%d tiles %d", a->rgb, a->round, a->step, a->off_x,
        a->off_y, a->tiles);
    in(f, "src", a->src, floats(values));
    out(f, "dst", a->dst, floats(values));
    in(f, "turn", a->turn, sizeof(*a->turn));
    f->flop = 3 * values;
}

static void describe_u8_to_float(struct rp_op_facts *f, const struct rp_op_u8_to_float *a)
{
    img_in(f, "src", &a->src);
    out(f, "dst", a->dst, floats(img_bytes(&a->src)));
}

static void describe_float_to_u8(struct rp_op_facts *f, const struct rp_op_float_to_u8 *a)
{
    in(f, "src", a->src, floats(img_bytes(&a->dst)));
    img_out(f, "dst", &a->dst);
}

static void describe_float_to_tensor(struct rp_op_facts *f, const struct rp_op_float_to_tensor *a)
{
    const double values = 3 * area(a->w, a->h);

    say(f, "%dx%d", a->w, a->h);
    say_number(f, "div", (double) a->div);
    say_floats(f, "mean", a->mean, 3);
    say_floats(f, "std", a->std, 3);
    say(f, "rgb %d", a->rgb);
    in(f, "src", a->src, floats(values));
    out(f, "dst", a->dst, floats(values));
    f->flop = 3 * values;
}

/* ---- paste and tiles ------------------------------------------------------------------------- */

static void describe_paste(struct rp_op_facts *f, const struct rp_op_paste *a)
{
    say(f, "%dx%d", a->w, a->h);
    say_arrow(f);
    in(f, "crop", a->crop, floats(3 * area(a->w, a->h)));
    in(f, "mask", a->mask, floats(area(a->w, a->h)));
    in(f, "affine", a->affine, sizeof(*a->affine));
    canvas(f, &a->dst, true, true);
    say_number(f, "keep", (double) a->keep);
    say_number(f, "blend", (double) a->blend);
    say(f, "bytes %d", a->bytes);
    f->flop = (4.0 * BILINEAR + POSITION + 12) * area(a->dst.img.w, a->dst.img.h);
}

static void say_grid(struct rp_op_facts *f, const struct rp_tile_grid *g)
{
    say(f, "tiles of %d pad %d overlap %d, %d across", g->size, g->pad, g->overlap, g->across);
}

static void describe_tile_cut(struct rp_op_facts *f, const struct rp_op_tile_cut *a)
{
    const double pixels = area(a->grid.size, a->grid.size);

    say_img(f, &a->src);
    say_arrow(f);
    say_grid(f, &a->grid);
    in(f, "src", a->src.data, 3 * pixels);
    in(f, "index", a->index, sizeof(*a->index));
    in(f, "lut", a->lut, LUT_BYTES);
    out(f, "dst", a->dst, floats(3 * pixels));
}

static void describe_tile_put(struct rp_op_facts *f, const struct rp_op_tile_put *a)
{
    const double core = (double) a->grid.size - 2.0 * a->grid.overlap;
    const double pixels = core * core * a->scale * a->scale;

    say_grid(f, &a->grid);
    say(f, "scale %d before", a->scale);
    say_img(f, &a->before);
    say_arrow(f);
    say_img(f, &a->dst.img);
    say(f, "of %dx%d tiles alpha", a->dst.tiles_w, a->dst.tiles_h);
    say_img(f, &a->dst.alpha);
    say_number(f, "keep", (double) a->keep);
    say_number(f, "blend", (double) a->blend);
    in(f, "src", a->src, floats(3 * pixels));
    in(f, "index", a->index, sizeof(*a->index));
    in(f, "before", a->before.data, 3 * core * core);
    out(f, "canvas", a->dst.img.data, 3 * pixels);
    out(f, "changed", a->dst.changed, pixels / (RP_TILE * RP_TILE));
    add(f, "alpha", a->dst.alpha.data, 0, 0);
    f->flop = (BILINEAR + 4) * 3 * pixels;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static void describe_box_mask(struct rp_op_facts *f, const struct rp_op_box_mask *a)
{
    say(f, "%dx%d", a->w, a->h);
    say_number(f, "blur", (double) a->blur);
    say(f, "padding %d %d %d %d", a->padding[0], a->padding[1], a->padding[2], a->padding[3]);
    out(f, "dst", a->dst, floats(area(a->w, a->h)));
}

static void describe_gaussian(struct rp_op_facts *f, const struct rp_op_gaussian *a)
{
    const double bytes = floats(area(a->w, a->h));

    say(f, "%dx%d kernel of %d", a->w, a->h, a->size);
    in(f, "src", a->src, bytes);
    out(f, "dst", a->dst, bytes);
    in_out(f, "tmp", a->tmp, bytes);
    in(f, "kernel", a->kernel, floats(a->size));
    f->flop = 3.5 * a->size * area(a->w, a->h);
}

static void describe_mask_min(struct rp_op_facts *f, const struct rp_op_mask_min *a)
{
    say(f, "%d", a->n);
    in(f, "a", a->a, floats(a->n));
    in(f, "b", a->b, floats(a->n));
    out(f, "dst", a->dst, floats(a->n));
    f->flop = 3.0 * a->n;
}

static void describe_mask_ramp(struct rp_op_facts *f, const struct rp_op_mask_ramp *a)
{
    say(f, "%d", a->n);
    in(f, "src", a->src, floats(a->n));
    out(f, "dst", a->dst, floats(a->n));
    f->flop = 4.0 * a->n;
}

static void describe_class_mask(struct rp_op_facts *f, const struct rp_op_class_mask *a)
{
    say(f, "%d of %d classes, use %x", a->n, a->classes, (unsigned) a->use);
    in(f, "src", a->src, floats((double) a->n * a->classes));
    out(f, "dst", a->dst, floats(a->n));
    f->flop = (double) a->n * a->classes;
}

static void describe_resize_float(struct rp_op_facts *f, const struct rp_op_resize_float *a)
{
    say(f, "%dx%dx%d -> %dx%d", a->sw, a->sh, a->ch, a->dw, a->dh);
    in(f, "src", a->src, floats(area(a->sw, a->sh) * a->ch));
    out(f, "dst", a->dst, floats(area(a->dw, a->dh) * a->ch));
    f->flop = BILINEAR * area(a->dw, a->dh) * a->ch;
}

static void describe_hull_mask(struct rp_op_facts *f, const struct rp_op_hull_mask *a)
{
    say(f, "%dx%d", a->w, a->h);
    in(f, "face", a->face, sizeof(a->face->lm68));
    in(f, "affine", a->affine, sizeof(*a->affine));
    in(f, "use", a->use, 68);
    out(f, "dst", a->dst, floats(area(a->w, a->h)));
}

static void describe_mask_warp(struct rp_op_facts *f, const struct rp_op_mask_warp *a)
{
    say(f, "%dx%d -> %dx%d", a->sw, a->sh, a->dw, a->dh);
    in(f, "src", a->src, floats(area(a->sw, a->sh)));
    in(f, "src_affine", a->src_affine, sizeof(*a->src_affine));
    in(f, "dst_affine", a->dst_affine, sizeof(*a->dst_affine));
    out(f, "dst", a->dst, floats(area(a->dw, a->dh)));
    f->flop = (BILINEAR + POSITION) * area(a->dw, a->dh);
}

/* ---- colour matching ------------------------------------------------------------------------- */

static void describe_resize_area(struct rp_op_facts *f, const struct rp_op_resize_area *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    f->flop = 2 * img_bytes(&a->src);
}

static void describe_colour_gap(struct rp_op_facts *f, const struct rp_op_colour_gap *a)
{
    img_in(f, "a", &a->a);
    say(f, "less");
    img_in(f, "b", &a->b);
    say(f, "-> %dx%d", a->size, a->size);
    out(f, "dst", a->dst, floats(3 * area(a->size, a->size)));
    f->flop = 2 * (img_bytes(&a->a) + img_bytes(&a->b));
}

static void describe_colour_shift(struct rp_op_facts *f, const struct rp_op_colour_shift *a)
{
    img_in(f, "src", &a->src);
    say(f, "by %dx%d", a->size, a->size);
    in(f, "gap", a->gap, floats(3 * area(a->size, a->size)));
    in(f, "factor", a->factor, sizeof(*a->factor));
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    out(f, "pixels", a->pixels, floats(img_bytes(&a->src)));
    f->flop = 38 * img_bytes(&a->src);
}

static void describe_colour_likeness(struct rp_op_facts *f, const struct rp_op_colour_likeness *a)
{
    img_in(f, "a", &a->a);
    say(f, "and");
    img_in(f, "b", &a->b);
    in_out(f, "work", a->work, sizeof(*a->work));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_sharpen(struct rp_op_facts *f, const struct rp_op_sharpen *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    img_out(f, "dst", &a->dst);
    f->flop = 42 * img_bytes(&a->dst);
}

static void describe_mask_erode(struct rp_op_facts *f, const struct rp_op_mask_erode *a)
{
    const double bytes = floats(area(a->w, a->h));

    say(f, "%dx%d", a->w, a->h);
    in(f, "a", a->a, bytes);
    in(f, "b", a->b, bytes);
    out(f, "dst", a->dst, bytes);
    f->flop = 26 * area(a->w, a->h);
}

static void describe_affine_scale(struct rp_op_facts *f, const struct rp_op_affine_scale *a)
{
    say_number(f, "by", a->factor);
    in(f, "src", a->src, sizeof(*a->src));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_age_pair(struct rp_op_facts *f, const struct rp_op_age_pair *a)
{
    say_number(f, "years", (double) a->years);
    in(f, "face", a->face, 2 * sizeof(a->face->age_from));
    out(f, "dst", a->dst, floats(2));
}

/* ---- mattes ---------------------------------------------------------------------------------- */

static void describe_key_matte(struct rp_op_facts *f, const struct rp_op_key_matte *a)
{
    img_in(f, "src", &a->src);
    out(f, "dst", a->dst, floats(area(a->src.w, a->src.h)));
    f->flop = 20 * area(a->src.w, a->src.h);
}

static void describe_matte_u8(struct rp_op_facts *f, const struct rp_op_matte_u8 *a)
{
    const double n = area(a->dst.w, a->dst.h);

    say(f, "classes %d ->", a->classes);
    in(f, "src", a->src, floats(n * RP_MAX(a->classes, 1)));
    img_out(f, "dst", &a->dst);
    f->flop = n * RP_MAX(a->classes, 2);
}

static void describe_backdrop(struct rp_op_facts *f, const struct rp_op_backdrop *a)
{
    say(f, "front");
    img_in(f, "front", &a->front);
    say(f, "matte");
    img_in(f, "matte", &a->matte);
    say_arrow(f);
    canvas(f, &a->dst, true, true);
    say_floats(f, "despill", a->despill, 3);
    say(f, "fill %d %d %d %d", a->fill[0], a->fill[1], a->fill[2], a->fill[3]);
    f->flop = 20 * area(a->dst.img.w, a->dst.img.h);
}

/* ---- colouring ------------------------------------------------------------------------------- */

static void describe_grey_tensor(struct rp_op_facts *f, const struct rp_op_grey_tensor *a)
{
    img_in(f, "src", &a->src);
    say_arrow(f);
    say(f, "%dx%d bytes %d", a->w, a->h, a->bytes);
    in(f, "lut", a->lut, LUT_BYTES);
    out(f, "dst", a->dst, floats(3 * area(a->w, a->h)));
    f->flop = (4 * 6 + 3 * BILINEAR) * area(a->w, a->h);
}

static void say_blend(struct rp_op_facts *f, float keep, float blend)
{
    say_number(f, "keep", (double) keep);
    say_number(f, "blend", (double) blend);
}

static void describe_colour_ab(struct rp_op_facts *f, const struct rp_op_colour_ab *a)
{
    say(f, "%dx%d", a->w, a->h);
    in(f, "src", a->src, floats(2 * area(a->w, a->h)));
    in(f, "tables", a->tables, sizeof(*a->tables));
    say_arrow(f);
    canvas(f, &a->dst, true, true);
    say_blend(f, a->keep, a->blend);
    f->flop = (2 * BILINEAR + 90) * area(a->dst.img.w, a->dst.img.h);
}

static void describe_colour_rgb(struct rp_op_facts *f, const struct rp_op_colour_rgb *a)
{
    say(f, "%dx%d", a->w, a->h);
    in(f, "src", a->src, floats(3 * area(a->w, a->h)));
    in(f, "tables", a->tables, sizeof(*a->tables));
    say_arrow(f);
    canvas(f, &a->dst, true, true);
    say_blend(f, a->keep, a->blend);
    f->flop = (3 * BILINEAR + 70) * area(a->dst.img.w, a->dst.img.h);
}

/* ---- geometry -------------------------------------------------------------------------------- */

static void describe_align(struct rp_op_facts *f, const struct rp_op_align *a)
{
    static const char *const names[RP_TEMPLATE_COUNT] = {
        [RP_TEMPLATE_ARCFACE_112_V1] = "arcface_112_v1",
        [RP_TEMPLATE_ARCFACE_112_V2] = "arcface_112_v2",
        [RP_TEMPLATE_ARCFACE_128] = "arcface_128",
        [RP_TEMPLATE_DFL_WHOLE_FACE] = "dfl_whole_face",
        [RP_TEMPLATE_FFHQ_512] = "ffhq_512",
        [RP_TEMPLATE_MTCNN_512] = "mtcnn_512",
        [RP_TEMPLATE_STYLEGANEX_384] = "styleganex_384",
    };

    say(f, "template");
    SAY_NAME(f, names, a->template_id);
    say(f, "%dx%d points %d", a->w, a->h, a->points);
    say_number(f, "scale", (double) a->scale);
    in(f, "face", a->face, sizeof(a->face->lm5));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_box_affine(struct rp_op_facts *f, const struct rp_op_box_affine *a)
{
    static const char *const names[] = {
        [RP_BOX_STRETCH] = "stretch", [RP_BOX_LANDMARKER] = "landmarker",
        [RP_BOX_SQUARE] = "square",   [RP_BOX_UPRIGHT] = "upright",
        [RP_BOX_ROTATE] = "rotate",
    };

    SAY_NAME(f, names, a->fit);
    say(f, "%dx%d", a->w, a->h);
    say_number(f, "factor", (double) a->factor);
    in(f, "face", a->face, sizeof(a->face->box) + sizeof(a->face->angle));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_landmark_box(struct rp_op_facts *f, const struct rp_op_landmark_box *a)
{
    say(f, "of 68 points onto %dx%d", a->w, a->h);
    in(f, "face", a->face, sizeof(a->face->lm68));
    in(f, "affine", a->affine, sizeof(*a->affine));
    out(f, "dst", a->dst, sizeof(*a->dst));
    out(f, "back", a->back, sizeof(*a->back));
}

static void describe_points_tensor(struct rp_op_facts *f, const struct rp_op_points_tensor *a)
{
    say(f, "[5][2]");
    in(f, "face", a->face, sizeof(a->face->lm5));
    in(f, "affine", a->affine, sizeof(*a->affine));
    out(f, "dst", a->dst, floats(10));
}

static void describe_points_angle(struct rp_op_facts *f, const struct rp_op_points_angle *a)
{
    say(f, "from 5 points");
    add(f, "face", a->face, sizeof(a->face->lm5), sizeof(a->face->angle));
}

/* ---- detection ------------------------------------------------------------------------------- */

static void describe_decode(struct rp_op_facts *f, const struct rp_op_decode *a)
{
    static const char *const names[] = {
        [RP_DECODE_ULTRAFACE] = "ultraface", [RP_DECODE_YUNET] = "yunet",
        [RP_DECODE_RETINAFACE] = "retinaface", [RP_DECODE_YOLO] = "yolo",
    };
    static const char *const tensors[] = {"t0", "t1", "t2", "t3", "t4",  "t5",
                                          "t6", "t7", "t8", "t9", "t10", "t11"};

    SAY_NAME(f, names, a->decoder);
    say(f, "%dx%d rows %d", a->w, a->h, a->count);
    say_number(f, "threshold", (double) a->threshold);
    say(f, "ratio %.17g %.17g", a->ratio_x, a->ratio_y);
    say(f, "shift %.9g %.9g angle %d", (double) a->shift_x, (double) a->shift_y, a->angle);
    say(f, "frame %.9gx%.9g first %d", (double) a->frame_w, (double) a->frame_h, a->first);
    for (int i = 0; i < 12; i++)
        in(f, tensors[i], a->t[i], 0);
    in_out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_nms(struct rp_op_facts *f, const struct rp_op_nms *a)
{
    say_number(f, "threshold", (double) a->threshold);
    say_number(f, "iou", (double) a->iou);
    in(f, "src", a->src, sizeof(*a->src));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

/* ---- faces ----------------------------------------------------------------------------------- */

static void describe_face_load(struct rp_op_facts *f, const struct rp_op_face_load *a)
{
    say(f, "one");
    in(f, "faces", a->faces, sizeof(*a->cur));
    in(f, "index", a->index, sizeof(*a->index));
    out(f, "cur", a->cur, sizeof(*a->cur));
}

static void describe_face_store(struct rp_op_facts *f, const struct rp_op_face_store *a)
{
    say(f, "one");
    out(f, "faces", a->faces, sizeof(*a->cur));
    in(f, "index", a->index, sizeof(*a->index));
    in(f, "cur", a->cur, sizeof(*a->cur));
}

static void describe_face_scale(struct rp_op_facts *f, const struct rp_op_face_scale *a)
{
    say(f, "by %.9g, %.9g", (double) a->x, (double) a->y);
    in(f, "src", a->src, sizeof(*a->src));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_face_pick(struct rp_op_facts *f, const struct rp_op_face_pick *a)
{
    say(f, "one");
    in(f, "faces", a->faces, sizeof(*a->cur));
    in(f, "selection", a->selection, sizeof(*a->selection));
    in(f, "index", a->index, sizeof(*a->index));
    out(f, "cur", a->cur, sizeof(*a->cur));
}

static void describe_landmarks(struct rp_op_facts *f, const struct rp_op_landmarks *a)
{
    static const char *const names[] = {
        [RP_LANDMARK_BOX_68] = "box_68", [RP_LANDMARK_2DFAN4] = "2dfan4",
        [RP_LANDMARK_PEPPA] = "peppa",   [RP_LANDMARK_FAN_68_5] = "fan_68_5",
    };
    const double heat = a->kind == RP_LANDMARK_2DFAN4 ? 68.0 * 64 * 64 : 0;

    SAY_NAME(f, names, a->kind);
    say(f, "%dx%d second %d", a->w, a->h, a->second);
    in(f, "t0", a->t[0], floats(68 * 2));
    in(f, "t1", a->t[1], floats(heat));
    in(f, "affine", a->affine, sizeof(*a->affine));
    in_out(f, "face", a->face, sizeof(a->face->lm68));
}

static void describe_face_points(struct rp_op_facts *f, const struct rp_op_face_points *a)
{
    say_number(f, "threshold", (double) a->threshold);
    say(f, "no detector points %d", a->no_detector_points);
    in_out(f, "face", a->face, sizeof(a->face->lm68));
}

static void describe_embedding(struct rp_op_facts *f, const struct rp_op_embedding *a)
{
    say(f, "of 512");
    in(f, "src", a->src, floats(512));
    out(f, "face", a->face, floats(2 * 512));
    f->flop = 3 * 512;
}

static void describe_classify(struct rp_op_facts *f, const struct rp_op_classify *a)
{
    static const char *const names[] = {
        [RP_CLASSIFY_FAIRFACE] = "fairface",
        [RP_CLASSIFY_SSR_GENDER] = "ssr gender",
        [RP_CLASSIFY_SSR_AGE] = "ssr age",
    };
    static const char *const tensors[] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"};

    SAY_NAME(f, names, a->kind);
    for (int i = 0; i < 9; i++)
        in(f, tensors[i], a->t[i], 0);
    out(f, "face", a->face, 4 * sizeof(int32_t));
}

/* ---- selection ------------------------------------------------------------------------------- */

static void describe_select(struct rp_op_facts *f, const struct rp_op_select *a)
{
    static const char *const modes[] = {
        [RP_SELECT_MANY] = "many",
        [RP_SELECT_ONE] = "one",
        [RP_SELECT_REFERENCE] = "reference",
        [RP_SELECT_ALL_BUT] = "all-but-reference",
    };
    static const char *const orders[] = {
        [RP_ORDER_LEFT_RIGHT] = "left-right",   [RP_ORDER_RIGHT_LEFT] = "right-left",
        [RP_ORDER_TOP_BOTTOM] = "top-bottom",   [RP_ORDER_BOTTOM_TOP] = "bottom-top",
        [RP_ORDER_SMALL_LARGE] = "small-large", [RP_ORDER_LARGE_SMALL] = "large-small",
        [RP_ORDER_BEST_WORST] = "best-worst",   [RP_ORDER_WORST_BEST] = "worst-best",
    };

    SAY_NAME(f, modes, a->mode);
    SAY_NAME(f, orders, a->order);
    say(f, "held %d", a->held);
    say(f, "gender %d race %d age %d to %d", a->gender, a->race, a->age_from, a->age_to);
    say_number(f, "distance", (double) a->distance);
    in(f, "faces", a->faces, sizeof(*a->faces));
    in(f, "references", a->references, sizeof(*a->references));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_map_faces(struct rp_op_facts *f, const struct rp_op_map_faces *a)
{
    say_number(f, "distance", (double) a->distance);
    say(f, "other %d", a->other);
    in(f, "faces", a->faces, sizeof(*a->faces));
    in(f, "selection", a->selection, sizeof(*a->selection));
    in(f, "references", a->references, sizeof(*a->references));
    out(f, "dst", a->dst, sizeof(*a->dst));
}

static void describe_source_mix(struct rp_op_facts *f, const struct rp_op_source_mix *a)
{
    say(f, "%d of %d rows, copies %d raw %d", a->n, a->rows, a->copies, a->raw);
    say_number(f, "mix", (double) a->mix);
    in(f, "sources", a->sources, floats(a->n));
    in(f, "map", a->map, sizeof(*a->map));
    in(f, "index", a->index, sizeof(*a->index));
    in(f, "face", a->face, sizeof(a->face->embedding));
    out(f, "dst", a->dst, floats((double) a->n * a->copies));
    f->flop = 3.0 * a->n;
}

static void describe_content_vote(struct rp_op_facts *f, const struct rp_op_content_vote *a)
{
    static const char *const names[] = {
        [RP_CONTENT_NSFWJS] = "nsfwjs", [RP_CONTENT_NSFW_1] = "nsfw_1",
        [RP_CONTENT_NSFW_2] = "nsfw_2", [RP_CONTENT_NSFW_3] = "nsfw_3",
    };

    SAY_NAME(f, names, a->kind);
    say(f, "%d rows of %d, votes %d", a->n, a->row, a->votes);
    in(f, "src", a->src, floats(a->n));
    in_out(f, "dst", a->dst, sizeof(*a->dst));
}

/* ---- rows of a batch, lockstep --------------------------------------------------------------- */

static void describe_rows(struct rp_op_facts *f, const struct rp_op_rows *a)
{
    static const char *const names[] = {
        [RP_ROWS_COUNT] = "count", [RP_ROWS_GROUP] = "group", [RP_ROWS_INDEX] = "index"};

    SAY_NAME(f, names, a->step);
    say(f, "at most %d", a->most);
    in(f, "count", a->count, sizeof(*a->count));
    in_out(f, "at", a->at, sizeof(*a->at));
    out(f, "index", a->index, sizeof(*a->index));
}

static void describe_row_copy(struct rp_op_facts *f, const struct rp_op_row_copy *a)
{
    say(f, "%s %zu bytes, at most %d", a->put == 1 ? "put" : "take", a->bytes, a->most);
    if (a->put != 0 && a->put != 1)
        say(f, "(%d)", a->put);
    in(f, "src", a->src, (double) a->bytes);
    out(f, "dst", a->dst, (double) a->bytes);
    in(f, "at", a->at, sizeof(*a->at));
}

static void describe_lockstep(struct rp_op_facts *f, const struct rp_op_lockstep *a)
{
    static const char *const names[] = {
        [RP_LOCKSTEP_MOST] = "most", [RP_LOCKSTEP_TURN] = "turn"};
    static const char *const counts[RP_MAX_LANES] = {"count0", "count1", "count2", "count3",
                                                     "count4", "count5", "count6", "count7"};
    static const char *const indices[RP_MAX_LANES] = {"index0", "index1", "index2", "index3",
                                                      "index4", "index5", "index6", "index7"};
    const double all = a->n * (double) sizeof(int32_t);

    SAY_NAME(f, names, a->step);
    say(f, "of %d", a->n);
    for (int i = 0; i < RP_MAX_LANES; i++)
        in(f, counts[i], a->count[i], sizeof(int32_t));
    for (int i = 0; i < RP_MAX_LANES; i++)
        out(f, indices[i], a->index[i], sizeof(int32_t));
    in(f, "live", a->live, all);
    out(f, "most", a->most, sizeof(int32_t));
    in(f, "turn", a->turn, sizeof(int32_t));
    out(f, "go", a->go, all);
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void describe_draw_face(struct rp_op_facts *f, const struct rp_op_draw_face *a)
{
    canvas(f, &a->dst, false, true);
    say(f, "items %x", a->items);
    in(f, "face", a->face, sizeof(*a->face));
}

static void say_cover(struct rp_op_facts *f, const struct rp_cover *c)
{
    say_number(f, "margin", (double) c->margin);
    say_number(f, "feather", (double) c->feather);
    say(f, "cells %d", c->cells);
}

static void describe_cover_cells(struct rp_op_facts *f, const struct rp_op_cover_cells *a)
{
    img_in(f, "src", &a->src);
    in(f, "face", a->face, sizeof(a->face->box));
    say_cover(f, &a->cover);
    out(f, "dst", a->dst, 3 * area(a->cover.cells, a->cover.cells));
    f->flop = 3 * area(a->src.w, a->src.h);
}

static void describe_cover(struct rp_op_facts *f, const struct rp_op_cover *a)
{
    static const char *const modes[] = {
        [RP_COVER_BLUR] = "blur", [RP_COVER_PIXELATE] = "pixelate", [RP_COVER_COLOUR] = "colour"};

    SAY_NAME(f, modes, a->mode);
    say_cover(f, &a->cover);
    say(f, "colour %d %d %d mask %dx%d", a->colour[0], a->colour[1], a->colour[2], a->w, a->h);
    in(f, "face", a->face, sizeof(a->face->box));
    in(f, "cells", a->cells, 3 * area(a->cover.cells, a->cover.cells));
    in(f, "mask", a->mask, floats(area(a->w, a->h)));
    in(f, "affine", a->affine, sizeof(*a->affine));
    canvas(f, &a->dst, true, true);
    f->flop = 30 * area(a->dst.img.w, a->dst.img.h);
}

static void describe_draw_mask(struct rp_op_facts *f, const struct rp_op_draw_mask *a)
{
    const double bytes = area(a->dst.img.w, a->dst.img.h);

    say(f, "%dx%d ->", a->w, a->h);
    canvas(f, &a->dst, false, true);
    in(f, "face", a->face, sizeof(*a->face));
    in(f, "mask", a->mask, floats(area(a->w, a->h)));
    in(f, "affine", a->affine, sizeof(*a->affine));
    in_out(f, "tmp", a->tmp, bytes);
    f->flop = (BILINEAR + POSITION) * bytes;
}

/* ---- LivePortrait ---------------------------------------------------------------------------- */

#define POINTS (3 * RP_PORTRAIT_POINTS)

static void motion_in(struct rp_op_facts *f, const struct rp_motion *m)
{
    in(f, "pitch", m->pitch, floats(1));
    in(f, "yaw", m->yaw, floats(1));
    in(f, "roll", m->roll, floats(1));
    in(f, "scale", m->scale, floats(1));
    in(f, "translation", m->translation, floats(3));
    in(f, "expression", m->expression, floats(POINTS));
    in(f, "canonical", m->canonical, floats(POINTS));
}

static void describe_portrait_restore(struct rp_op_facts *f,
                                      const struct rp_op_portrait_restore *a)
{
    say(f, "keep %x", a->keep);
    say(f, "shares %.9g %.9g", (double) a->share, (double) a->rest);
    motion_in(f, &a->face);
    in(f, "wanted", a->wanted, floats(POINTS));
    out(f, "from", a->from, floats(POINTS));
    out(f, "to", a->to, floats(POINTS));
}

static void describe_portrait_edit(struct rp_op_facts *f, const struct rp_op_portrait_edit *a)
{
    say_floats(f, "turn", a->turn, 3);
    say(f, "wishes %.9g %.9g", (double) a->eye_wish, (double) a->lip_wish);
    motion_in(f, &a->face);
    in(f, "move", a->move, POINTS * sizeof(*a->move));
    in(f, "points", a->points, sizeof(a->points->lm68));
    out(f, "from", a->from, floats(POINTS));
    out(f, "to", a->to, floats(POINTS));
    out(f, "eye", a->eye, floats(POINTS + 3));
    out(f, "lip", a->lip, floats(POINTS + 2));
}

static void describe_portrait_add(struct rp_op_facts *f, const struct rp_op_portrait_add *a)
{
    say(f, "shares %.9g %.9g", (double) a->eye_share, (double) a->lip_share);
    in_out(f, "points", a->points, floats(POINTS));
    in(f, "eye", a->eye, floats(POINTS));
    in(f, "lip", a->lip, floats(POINTS));
}

/* ---- networks ---------------------------------------------------------------------------------- */

static double numbers_of(const struct rp_act *t)
{
    return (double) t->n * (double) t->h * (double) t->w * (double) t->c;
}

static double size_of_type(int type)
{
    switch (type) {
    case RP_ACT_F16:
        return 2;
    case RP_ACT_F64:
    case RP_ACT_I64:
        return 8;
    case RP_ACT_BOOL:
        return 1;
    default:
        return 4;
    }
}

static void say_act(struct rp_op_facts *f, const char *name, const struct rp_act *t)
{
    say(f, "%s %s %dx%dx%dx%d/%d", name,
        t->type == RP_ACT_F16   ? "f16"
        : t->type == RP_ACT_F32 ? "f32"
                                : "?",
        t->n, t->h, t->w, t->c, t->ld);
    if (t->type != RP_ACT_F16 && t->type != RP_ACT_F32)
        say(f, "type %d", t->type);
}

static void act_in(struct rp_op_facts *f, const char *name, const struct rp_act *t)
{
    say_act(f, name, t);
    in(f, name, t->data, numbers_of(t) * size_of_type(t->type));
}

static void act_out(struct rp_op_facts *f, const char *name, const struct rp_act *t)
{
    say_act(f, name, t);
    out(f, name, t->data, numbers_of(t) * size_of_type(t->type));
}

static void say_then(struct rp_op_facts *f, const struct rp_net_then *t, int channels)
{
    say(f, "then %d %.9g %.9g %.9g", t->fn, (double) t->alpha, (double) t->beta, (double) t->gain);
    in(f, "slope", t->slope, floats(channels));
}

static void say_also(struct rp_op_facts *f, const struct rp_net_also *a, int channels)
{
    act_out(f, "also", &a->to);
    in(f, "also_scale", a->scale, floats(channels));
    in(f, "also_shift", a->shift, floats(channels));
    say_then(f, &a->then, channels);
}

static void describe_net_conv(struct rp_op_facts *f, const struct rp_op_net_conv *a)
{
    const double out_ = (double) a->dst.c * a->shuffle * a->shuffle;
    const double pixels = a->shuffle ? numbers_of(&a->dst) / out_ : 0;
    const double row = (double) a->kh * a->kw * (a->groups ? a->src.c / a->groups : 0);

    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    act_in(f, "add", &a->add);
    say(f, "last %d, window %dx%d, steps %dx%d, spread %dx%d, pads %d %d mode %d", a->add_last, a->kh,
        a->kw, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w, a->pad_top, a->pad_left,
        a->pad_mode);
    say(f, "groups %d, up %d, shuffle %d %d, product %d", a->groups, a->up, a->shuffle,
        a->shuffle_order, a->product);
    in(f, "weights", a->weights, out_ * row * size_of_type(a->src.type));
    in(f, "bias", a->bias, floats(out_));
    in(f, "in_scale", a->in_scale, floats((double) a->src.n * a->src.c));
    in(f, "out_scale", a->out_scale, floats(a->src.n * out_));
    in(f, "post_scale", a->post_scale, floats(a->src.n * out_));
    say_then(f, &a->then, a->dst.c);
    say_also(f, &a->also, a->dst.c);
    in_out(f, "work", a->work, 0);
    f->flop = 2 * pixels * out_ * row;
}

static void describe_net_linear(struct rp_op_facts *f, const struct rp_op_net_linear *a)
{
    const double parts = a->src.n > 0 ? (double) a->dst.n / a->src.n : 0;
    const double weights = parts * a->dst.c * a->src.c;

    say_act(f, "src", &a->src);
    in(f, "src", a->src.data, floats(a->from ? a->span : numbers_of(&a->src)));
    act_out(f, "dst", &a->dst);
    say(f, "span %d, squares %d", a->span, a->squares);
    in(f, "weights", a->weights, floats(weights));
    in(f, "bias", a->bias, floats(parts * a->dst.c));
    in(f, "from", a->from, floats(parts * a->dst.c / 8));
    say_then(f, &a->then, a->dst.c);
    f->flop = 2 * weights * a->src.n;
}

static void say_matrix(struct rp_op_facts *f, const char *name, const struct rp_net_matrix *m)
{
    say(f, "%s /%d %lld %lld", name, m->ld, (long long) m->by_batch, (long long) m->by_head);
}

static void describe_net_matmul(struct rp_op_facts *f, const struct rp_op_net_matmul *a)
{
    const double each = size_of_type(a->type) * a->batch * a->heads;

    say(f, "type %d, %d x %d times %dx%dx%d", a->type, a->batch, a->heads, a->rows, a->columns,
        a->depth);
    say(f, "b_rows %d, scale %.9g", a->b_rows, (double) a->scale);
    say_matrix(f, "a", &a->a);
    say_matrix(f, "b", &a->b);
    say_matrix(f, "dst", &a->dst);
    in(f, "a", a->a.data, each * a->rows * a->depth);
    in(f, "b", a->b.data, each * a->depth * a->columns);
    out(f, "dst", a->dst.data, each * a->rows * a->columns);
    say_then(f, &a->then, 0);
    f->flop = 2.0 * a->batch * a->heads * a->rows * (double) a->columns * a->depth;
}

static void describe_net_softmax(struct rp_op_facts *f, const struct rp_op_net_softmax *a)
{
    const double bytes = size_of_type(a->type) * a->rows * (double) a->count;

    say(f, "type %d, %d x %d, /%d /%d", a->type, a->rows, a->count, a->src_ld, a->dst_ld);
    in(f, "src", a->src, bytes);
    out(f, "dst", a->dst, bytes);
}

static void describe_net_norm(struct rp_op_facts *f, const struct rp_op_net_norm *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    act_in(f, "add", &a->add);
    say(f, "kind %d, groups %d, eps %.9g, style /%d", a->kind, a->groups, (double) a->eps,
        a->style_ld);
    in(f, "gamma", a->gamma, floats(a->src.c));
    in(f, "beta", a->beta, floats(a->src.c));
    in(f, "scale", a->scale, floats((double) a->src.n * a->src.c));
    in(f, "shift", a->shift, floats((double) a->src.n * a->src.c));
    say_then(f, &a->then, a->src.c);
    say_also(f, &a->also, a->dst.c);
    in_out(f, "work", a->work, 0);
}

static void describe_net_pool(struct rp_op_facts *f, const struct rp_op_net_pool *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    say(f, "kind %d, window %dx%d, steps %dx%d, spread %dx%d, pads %d %d %d %d counted %d", a->kind,
        a->kh, a->kw, a->stride_h, a->stride_w, a->dilation_h, a->dilation_w, a->pad_top,
        a->pad_left, a->pad_bottom, a->pad_right, a->count_pads);
    say_also(f, &a->also, a->dst.c);
}

static void describe_net_resize(struct rp_op_facts *f, const struct rp_op_net_resize *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    say(f, "mode %d, coordinates %d, nearest %d, scale %.9g %.9g, cubic %.9g", a->mode,
        a->coordinates, a->nearest, (double) a->scale_h, (double) a->scale_w, (double) a->cubic_a);
}

static void describe_net_eltwise(struct rp_op_facts *f, const struct rp_op_net_eltwise *a)
{
    act_in(f, "a", &a->a);
    act_in(f, "b", &a->b);
    act_in(f, "low", &a->low);
    act_out(f, "dst", &a->dst);
    say(f, "op %d, turned %d, scalar %.9g", a->op, a->turned, (double) a->scalar);
    say_then(f, &a->then, a->dst.c);
    say_also(f, &a->also, a->dst.c);
}

static void describe_net_copy(struct rp_op_facts *f, const struct rp_op_net_copy *a)
{
    double count = 1;

    say(f, "type %d -> %d, zeros %d", a->src_type, a->dst_type, a->zeros);
    for (int i = 0; i < RP_NET_AXES; i++) {
        count *= a->size[i];
        say(f, "%d:%lld:%lld", a->size[i], (long long) a->src_step[i], (long long) a->dst_step[i]);
    }
    in(f, "src", a->src, count * size_of_type(a->src_type));
    out(f, "dst", a->dst, count * size_of_type(a->dst_type));
}

static void describe_net_pad(struct rp_op_facts *f, const struct rp_op_net_pad *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    say(f, "at %d %d %d, mode %d, value %.9g", a->top, a->left, a->front, a->mode,
        (double) a->value);
}

static void describe_net_reduce(struct rp_op_facts *f, const struct rp_op_net_reduce *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    say(f, "kind %d", a->kind);
    say_then(f, &a->then, a->dst.c);
}

static void describe_net_sample(struct rp_op_facts *f, const struct rp_op_net_sample *a)
{
    act_in(f, "src", &a->src);
    act_in(f, "grid", &a->grid);
    act_out(f, "dst", &a->dst);
    say(f, "dims %d, depth %d, mode %d, outside %d, corners %d", a->dims, a->depth, a->mode,
        a->outside, a->corners);
}

static void describe_net_gather(struct rp_op_facts *f, const struct rp_op_net_gather *a)
{
    act_in(f, "src", &a->src);
    act_in(f, "index", &a->index);
    act_out(f, "dst", &a->dst);
}

static void describe_net_columns(struct rp_op_facts *f, const struct rp_op_net_columns *a)
{
    act_in(f, "src", &a->src);
    act_out(f, "dst", &a->dst);
    act_in(f, "add", &a->add);
    say(f, "last %d, columns %d, spread %d, pad %d mode %d", a->add_last, a->kw, a->dilation,
        a->pad_left, a->pad_mode);
    in(f, "bias", a->bias, floats(a->dst.c));
    say_then(f, &a->then, a->dst.c);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* If an operation has no function above, this does not compile. */
#define DESCRIBE(name)                                                                             \
    static void any_##name(struct rp_op_facts *f, const void *args)                                \
    {                                                                                              \
        describe_##name(f, args);                                                                  \
    }
RP_OPS(DESCRIBE)
#undef DESCRIBE

static const struct {
    const char *name;
    void (*describe)(struct rp_op_facts *f, const void *args);
} table[] = {
#define ENTRY(op) [RP_OP_NUMBER_##op] = {#op, any_##op},
    RP_OPS(ENTRY)
#undef ENTRY
};

_Static_assert(sizeof(table) / sizeof(*table) == RP_OP_COUNT, "an operation has no description");

const char *rp_op_name(enum rp_op_number op)
{
    return (unsigned) op < RP_OP_COUNT ? table[op].name : "?";
}

void rp_op_describe(enum rp_op_number op, const void *args, struct rp_op_facts *f)
{
    f->text[0] = 0;
    f->addresses = 0;
    f->read = f->written = f->flop = 0;
    if ((unsigned) op >= RP_OP_COUNT)
        return;
    table[op].describe(f, args);
    for (int i = 0; i < f->addresses; i++) {
        f->read += f->address[i].read;
        f->written += f->address[i].written;
    }
}
