#include "models/classic.h"

#include "models/graph_file.h"

enum {
    SIDE = 256,
    PIXELS = SIDE * SIDE,
    COARSE = 32,
    STEP = SIDE / COARSE,
    REACH = 10,
    KERNEL = 2 * REACH + 1
};
enum { NODES = 1 << 16, WEIGHTS = 1 << 20, MAX_NAMES = 160, MAX_CONSTANTS = 40, MAX_TYPES = 20 };

#define SIGMA 4.0
#define LEAST 1e-6
#define DARK 0.05
#define FLAT 1e-4

/* Centre, half axes, where the weight begins to fall from 1 and where it reaches 0. */
struct ellipse {
    double cx, cy, rx, ry, begin, end;
};
static const struct ellipse face = {0.5, 0.62, 0.22, 0.28, 0.80, 1.10},
                            blend = {0.5, 0.635, 0.275, 0.325, 0.70, 1.05},
                            skin = {0.5, 0.63, 0.25, 0.32, 0.75, 1.10};

static const double rgb_to_lms[9] = {0.4122214708, 0.5363325363, 0.0514459929,
                                     0.2119034982, 0.6806995451, 0.1073969566,
                                     0.0883024619, 0.2817188376, 0.6299787005};
static const double lms_to_lab[9] = {0.2104542553, 0.7936177850,  -0.0040720468,
                                     1.9779984951, -2.4285922050, 0.4505937099,
                                     0.0259040371, 0.7827717662,  -0.8086757660};
static const double spread_lightness[9] = {0, 0, 0, 1, 0, 0, 1, 0, 0};

/* ---- numbers: + - * / alone, so that they are the same everywhere ------------------------------
 */

static double weight_at(const struct ellipse *e, int x, int y)
{
    const double v = ((y + 0.5) / SIDE - e->cy) / e->ry, u = ((x + 0.5) / SIDE - e->cx) / e->rx;
    double t = (e->end * e->end - (u * u + v * v)) / (e->end * e->end - e->begin * e->begin);

    t = RP_MIN(RP_MAX(t, 0.0), 1.0);
    return t * t * (3 - 2 * t);
}

/* Weights row by row; their sum. */
static double draw(const struct ellipse *e, double out[PIXELS])
{
    double total = 0;

    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++)
            total += out[y * SIDE + x] = weight_at(e, x, y);
    }
    return total;
}

static double exponential(double x)
{
    double term = 1, total = 1;

    for (int n = 1; n < 60; n++) {
        term *= x / n;
        total += term;
    }
    return total;
}

static void gaussian(double out[KERNEL * KERNEL])
{
    double line[KERNEL], sum = 0;

    for (int i = 0; i < KERNEL; i++) {
        const int k = i - REACH;
        sum += line[i] = 1 / exponential(k * k / (2 * SIGMA * SIGMA));
    }
    for (int i = 0; i < KERNEL * KERNEL; i++)
        out[i] = line[i / KERNEL] * line[i % KERNEL] / (sum * sum);
}

static double mean_of_step(const double *weights, int x, int y)
{
    double sum = 0;

    for (int j = 0; j < STEP; j++) {
        for (int i = 0; i < STEP; i++)
            sum += weights[(y * STEP + j) * SIDE + x * STEP + i];
    }
    return sum / (STEP * STEP);
}

/* One over what the gaussian makes of a map, on COARSE x COARSE. */
static void coarse_weights(const double *weights, const double *kernel, float *out)
{
    double small[COARSE * COARSE];

    for (int i = 0; i < COARSE * COARSE; i++)
        small[i] = mean_of_step(weights, i % COARSE, i / COARSE);
    for (int at = 0; at < COARSE * COARSE; at++) {
        double sum = 0;

        for (int i = 0; i < KERNEL * KERNEL; i++) {
            const int y = at / COARSE + i / KERNEL - REACH, x = at % COARSE + i % KERNEL - REACH;
            if (y >= 0 && y < COARSE && x >= 0 && x < COARSE)
                sum += kernel[i] * small[y * COARSE + x];
        }
        out[at] = (float) (1 / RP_MAX(sum, 1e-3));
    }
}

/* The determinant without row r and column c, with its sign. */
static double minor(const double m[9], int r, int c)
{
    double v[4] = {0};
    int n = 0;

    for (int i = 0; i < 9; i++) {
        if (i / 3 != r && i % 3 != c)
            v[n++] = m[i];
    }
    return (v[0] * v[3] - v[1] * v[2]) * ((r + c) % 2 ? -1 : 1);
}

static void inverse(const double m[9], double out[9])
{
    double det = 0;

    for (int c = 0; c < 3; c++)
        det += m[c] * minor(m, 0, c);
    for (int i = 0; i < 9; i++)
        out[i] = minor(m, i % 3, i / 3) / det;
}

/* ---- the graph ---------------------------------------------------------------------------------
 */

struct builder {
    struct rp_graph_file file;
    char names[MAX_NAMES][24], known[MAX_CONSTANTS][24];
    const char *types[MAX_TYPES];
    int of_type[MAX_TYPES], n_names, n_known;
};

static void floats(struct builder *b, const char *name, int rank, const int64_t *dim,
                   const double *values, int n)
{
    float *const rounded = malloc((size_t) n * sizeof(*rounded));

    b->file.weights.full |= !rounded;
    for (int i = 0; rounded && i < n; i++)
        rounded[i] = (float) values[i];
    if (rounded)
        rp_graph_file_floats(&b->file, name, rank, dim, rounded);
    free(rounded);
}

/* Is there a weight of this name? If not, there is one from now on. */
static bool is_known(struct builder *b, const char *name)
{
    for (int i = 0; i < b->n_known; i++) {
        if (!strcmp(b->known[i], name))
            return true;
    }
    snprintf(b->known[b->n_known], sizeof(b->known[0]), "%s", name);
    b->n_known += b->n_known < MAX_CONSTANTS - 1;
    return false;
}

/* "Conv_3", the third of its type. */
static const char *new_name(struct builder *b, const char *type)
{
    char *const name = b->names[b->n_names];
    int i = 0;

    b->n_names += b->n_names < MAX_NAMES - 1;
    while (i < MAX_TYPES - 1 && b->types[i] && strcmp(b->types[i], type) != 0)
        i++;
    b->types[i] = type;
    snprintf(name, sizeof(b->names[0]), "%s_%d", type, ++b->of_type[i]);
    return name;
}

static const char *node(struct builder *b, const char *type, const char *inputs,
                        const struct rp_graph_attribute *attributes, int n)
{
    char text[128];
    const char *const name = new_name(b, type);

    snprintf(text, sizeof(text), "%s %s", type, inputs);
    rp_graph_file_node(&b->file, text, name, name, attributes, n);
    return name;
}

static const char *one(struct builder *b, const char *type, const char *x)
{
    return node(b, type, x, NULL, 0);
}

static const char *two(struct builder *b, const char *type, const char *x, const char *y)
{
    char inputs[64];

    snprintf(inputs, sizeof(inputs), "%s %s", x, y);
    return node(b, type, inputs, NULL, 0);
}

/* A number as an input: "c0.5". */
static void constant(struct builder *b, double value, char name[24])
{
    snprintf(name, 24, "c%g", value);
    if (!is_known(b, name))
        floats(b, name, 0, NULL, &value, 1);
}

static const char *by(struct builder *b, const char *type, const char *x, double value)
{
    char name[24];

    constant(b, value, name);
    return two(b, type, x, name);
}

static const char *clip(struct builder *b, const char *x, double low, double high)
{
    char inputs[96], least[24], most[24];

    constant(b, low, least);
    constant(b, high, most);
    snprintf(inputs, sizeof(inputs), "%s %s %s", x, least, most);
    return node(b, "Clip", inputs, NULL, 0);
}

/* A 3x3 matrix on the channels. */
static const char *matrix(struct builder *b, const char *x, const char *name, const double m[9])
{
    char inputs[64];

    if (!is_known(b, name))
        floats(b, name, 4, (int64_t[]){3, 3, 1, 1}, m, 9);
    snprintf(inputs, sizeof(inputs), "%s %s", x, name);
    return node(b, "Conv", inputs, &(struct rp_graph_attribute){"kernel_shape", NULL, 2, {1, 1}},
                1);
}

/* x to a power, for x > 0. */
static const char *power(struct builder *b, const char *x, double exponent)
{
    return one(b, "Exp", by(b, "Mul", one(b, "Log", x), exponent));
}

/* sRGB to linear light: the curve above its knee plus, below it, the straight piece. */
static const char *linear(struct builder *b, const char *x)
{
    const double knee = 0.04045;
    const char *const above = by(b, "Mul", by(b, "Add", by(b, "Max", x, knee), 0.055), 1 / 1.055);
    const char *const below = by(b, "Mul", by(b, "Min", by(b, "Sub", x, knee), 0), 1 / 12.92);

    return two(b, "Add", power(b, above, 2.4), below);
}

static const char *encoded(struct builder *b, const char *x)
{
    const double knee = 0.0031308;
    const char *const curve = power(b, by(b, "Max", x, knee), 1 / 2.4);
    const char *const above = by(b, "Sub", by(b, "Mul", curve, 1.055), 0.055);
    const char *const below = by(b, "Mul", by(b, "Min", by(b, "Sub", x, knee), 0), 12.92);

    return two(b, "Add", above, below);
}

/* [1, L, L] of each pixel, L kept above DARK. */
static const char *shade(struct builder *b, const char *lab)
{
    const char *const spread = matrix(b, lab, "shade", spread_lightness);

    return by(b, "Max", two(b, "Add", spread, "white"), DARK);
}

static const char *to_lab(struct builder *b, const char *rgb)
{
    const char *const lms = matrix(b, linear(b, rgb), "rgb_to_lms", rgb_to_lms);
    const char *const root = power(b, by(b, "Max", lms, LEAST), 1.0 / 3);
    const char *const lab = matrix(b, root, "lms_to_lab", lms_to_lab);

    return two(b, "Div", lab, shade(b, lab));
}

static const char *from_lab(struct builder *b, const char *shaded)
{
    double to_root[9], to_rgb[9];

    inverse(lms_to_lab, to_root);
    inverse(rgb_to_lms, to_rgb);
    const char *const lab = two(b, "Mul", shaded, shade(b, shaded));
    const char *const root = matrix(b, lab, "lab_to_lms", to_root);
    const char *const lms = two(b, "Mul", two(b, "Mul", root, root), root);
    const char *const rgb = clip(b, matrix(b, lms, "lms_to_rgb", to_rgb), 0, 1);
    return clip(b, encoded(b, rgb), 0, 1);
}

/* Weighted by "face". */
static const char *mean(struct builder *b, const char *x)
{
    char inputs[64];

    snprintf(inputs, sizeof(inputs), "%s axes", two(b, "Mul", x, "face"));
    return node(b, "ReduceSum", inputs, &(struct rp_graph_attribute){"keepdims", NULL, 0, {1}}, 1);
}

/* What varies slowly: the mean under a Gaussian, weighted by "skin". */
static const char *low(struct builder *b, const char *x)
{
    char inputs[64];
    const struct rp_graph_attribute pool[] = {{"kernel_shape", NULL, 2, {STEP, STEP}},
                                              {"strides", NULL, 2, {STEP, STEP}}};
    const struct rp_graph_attribute smooth[] = {{"group", NULL, 0, {3}},
                                                {"kernel_shape", NULL, 2, {KERNEL, KERNEL}},
                                                {"pads", NULL, 4, {REACH, REACH, REACH, REACH}}};

    const char *at = node(b, "AveragePool", two(b, "Mul", x, "skin"), pool, 2);
    snprintf(inputs, sizeof(inputs), "%s gaussian", at);
    at = node(b, "Conv", inputs, smooth, 3);
    snprintf(inputs, sizeof(inputs), "%s - up", two(b, "Mul", at, "per_skin"));
    return node(b, "Resize", inputs, &(struct rp_graph_attribute){"mode", "linear", 0, {0}}, 1);
}

struct colours {
    const char *centred, *mean, *deviation;
};

static struct colours colours_of(struct builder *b, const char *lab)
{
    const char *const middle = mean(b, lab), *const centred = two(b, "Sub", lab, middle);
    const char *const var = mean(b, two(b, "Mul", centred, centred));

    return (struct colours){centred, middle, by(b, "Max", one(b, "Sqrt", var), FLAT)};
}

static void put_graph(struct builder *b)
{
    const char *const source = clip(b, "source", 0, 1);
    const char *const target = clip(b, by(b, "Add", by(b, "Mul", "target", 0.5), 0.5), 0, 1);
    const struct colours of_source = colours_of(b, to_lab(b, source));
    const char *const target_lab = to_lab(b, target);
    const struct colours of_target = colours_of(b, target_lab);
    const char *const gain =
        clip(b, two(b, "Div", of_target.deviation, of_source.deviation), 0.6, 1.6);
    const char *const lab = two(b, "Add", two(b, "Mul", of_source.centred, gain), of_target.mean);
    const char *const light = low(b, two(b, "Sub", target_lab, lab));
    const char *const matched = from_lab(b, two(b, "Add", lab, light));
    const char *const change = two(b, "Mul", two(b, "Sub", matched, target), "blend");
    char text[64], last[24];

    snprintf(text, sizeof(text), "Sub %s", by(b, "Mul", two(b, "Add", target, change), 2));
    constant(b, 1, last);
    snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", last);
    rp_graph_file_node(&b->file, text, "output", "output", NULL, 0);
}

/* map: room for PIXELS. */
static void put_weights(struct builder *b, double *map)
{
    static const int64_t whole[] = {1, 1, SIDE, SIDE}, coarse[] = {1, 1, COARSE, COARSE};
    double kernels[3 * KERNEL * KERNEL];
    float per_skin[COARSE * COARSE];

    const double total = draw(&face, map);
    for (int i = 0; i < PIXELS; i++)
        map[i] /= total;
    floats(b, "face", 4, whole, map, PIXELS);
    draw(&blend, map);
    floats(b, "blend", 4, whole, map, PIXELS);
    rp_graph_file_ints(&b->file, "axes", 2, (int64_t[]){2, 3});
    floats(b, "white", 4, (int64_t[]){1, 3, 1, 1}, (double[]){1, 0, 0}, 3);
    draw(&skin, map);
    floats(b, "skin", 4, whole, map, PIXELS);
    for (int i = 0; i < 3; i++)
        gaussian(kernels + i * KERNEL * KERNEL);
    coarse_weights(map, kernels, per_skin);
    rp_graph_file_floats(&b->file, "per_skin", 4, coarse, per_skin);
    floats(b, "gaussian", 4, (int64_t[]){3, 1, KERNEL, KERNEL}, kernels, 3 * KERNEL * KERNEL);
    floats(b, "up", 1, (int64_t[]){4}, (double[]){1, 1, STEP, STEP}, 4);
}

int rp_classic_make(uint8_t **data, size_t *size)
{
    static const struct rp_graph_facts facts = {
        .name = "classic_256",
        .doc = "classic_256 of reprise: colour-matched overlay, no trained weights",
        .n_inputs = 2,
        .inputs = {{"source", 4, {1, 3, SIDE, SIDE}}, {"target", 4, {1, 3, SIDE, SIDE}}},
        .output = {"output", 4, {1, 3, SIDE, SIDE}},
        .metadata = {{"template", "ffhq_512"}},
    };
    struct builder *const b = calloc(1, sizeof(*b));
    double *const map = malloc(PIXELS * sizeof(*map));
    int ret = b && map ? rp_graph_file_init(&b->file, NODES, WEIGHTS)
                       : rp_fail(RP_ERR_NOMEM, "out of memory");

    if (b && map && ret >= 0) {
        put_weights(b, map);
        put_graph(b);
        ret = rp_graph_file_make(&b->file, &facts, data, size);
    }
    if (b)
        rp_graph_file_free(&b->file);
    free(map);
    free(b);
    return ret;
}
