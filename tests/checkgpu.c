#include "checkgpu.h"

#include <dlfcn.h>
#include <stddef.h>
#include <time.h>

#include "device/cuda/module.h"
#include "ops/half_core.h"

#define GUARD 256 /* bytes, keeps alignment */
#define GUARD_BYTE 0xA5
#define SKIPPED 77    /* what Meson and Automake take for "skipped" */
#define MAX_REPORTS 3 /* failing cases of an operation that are printed */
#define FLUSH ((size_t) 256 << 20)

#define CALL(name)                                                                          \
    static int call_##name(const struct rp_ops *ops, struct rp_stream *s, const void *args) \
    {                                                                                       \
        return ops->name(s, args);                                                          \
    }
RP_OPS(CALL)
#undef CALL

static const struct {
    const char *name;
    void (*check)(struct cg *c);
    cg_call *call;
} ops[] = {
#define ENTRY(name) {#name, check_##name, call_##name},
    RP_OPS(ENTRY)
#undef ENTRY
};

#define N_OPS ((int) RP_ARRAY_LEN(ops))

/* ---- random numbers -------------------------------------------------------------------------- */

static void seed_case(struct cg *c, uint64_t seed)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15u;

    for (const char *p = c->op; *p; p++)
        z = (z ^ (uint8_t) *p) * 0x100000001B3u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z ^= z >> 27;
    c->seed = seed;
    c->rng = z ? z : 1;
}

uint32_t cg_rand(struct cg *c)
{
    c->rng ^= c->rng << 13;
    c->rng ^= c->rng >> 7;
    c->rng ^= c->rng << 17;
    return (uint32_t) (c->rng >> 32);
}

int cg_range(struct cg *c, int lo, int hi)
{
    return lo + (int) (cg_rand(c) % ((uint32_t) hi - (uint32_t) lo + 1));
}

bool cg_chance(struct cg *c, int percent)
{
    return cg_range(c, 0, 99) < percent;
}

float cg_between(struct cg *c, float lo, float hi)
{
    return lo + (hi - lo) * (float) (cg_rand(c) >> 8) / 16777216.0f;
}

float cg_odd_float(struct cg *c)
{
    static const uint32_t odd[] = {0x7fc00000, 0xffc00000, 0x7f800000, 0xff800000, 0x80000000,
                                   0x00000000, 0x7f7fffff, 0xff7fffff, 0x00000001, 0x7fa00001};
    const uint32_t bits = odd[cg_range(c, 0, RP_ARRAY_LEN(odd) - 1)];
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

int cg_size(struct cg *c, int hi, int typical)
{
    if (c->bench)
        return typical;
    switch (cg_range(c, 0, 3)) {
    case 0:
        return cg_range(c, 1, RP_MIN(hi, 9));
    case 1:
        return hi >= 16 ? 16 * cg_range(c, 1, hi / 16) : hi;
    default:
        return cg_range(c, 1, hi);
    }
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void die(const char *what)
{
    fprintf(stderr, "checkgpu: %s\n", what);
    exit(1);
}

static void *checked(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static size_t total(const struct cg_buf *b)
{
    return GUARD + b->skew + b->size + GUARD;
}

void *cg_buf(struct cg *c, const char *name, size_t size, enum cg_kind kind, size_t skew)
{
    struct cg_buf *const b = &c->buf[c->n++];

    if (c->n > CG_MAX_BUFS)
        die("too many buffers");
    b->name = name;
    b->kind = kind;
    b->size = size;
    b->skew = skew;
    b->block = checked(aligned_alloc(64, (total(b) + 63) & ~(size_t) 63));
    b->initial = checked(malloc(total(b)));
    memset(b->block, GUARD_BYTE, total(b));
    b->ref = b->block + GUARD + skew;
    memset(b->ref, 0, size);
    return b->ref;
}

void *cg_zeros(struct cg *c, const char *name, size_t size, enum cg_kind kind)
{
    return cg_buf(c, name, size, kind, 0);
}

uint8_t *cg_bytes(struct cg *c, const char *name, size_t size, size_t skew)
{
    uint8_t *const p = cg_buf(c, name, size, CG_BYTES, skew);
    const bool extremes = !c->bench && cg_chance(c, 33);

    for (size_t i = 0; i < size; i++) {
        const uint32_t r = cg_rand(c);

        p[i] = extremes ? (r & 1 ? 255 : 0) : (uint8_t) r;
    }
    return p;
}

float *cg_floats(struct cg *c, const char *name, size_t n, float lo, float hi)
{
    float *const p =
        cg_buf(c, name, n * sizeof(float), CG_FLOATS, c->bench || cg_chance(c, 50) ? 0 : 4);

    for (size_t i = 0; i < n; i++)
        p[i] = cg_between(c, lo, hi);
    return p;
}

void cg_storm(struct cg *c, float *v, size_t n)
{
    if (c->bench || !n || !cg_chance(c, 10))
        return;
    for (int i = cg_range(c, 1, 1 + (int) RP_MIN(n, 300) / 4); i > 0; i--)
        v[cg_rand(c) % n] = cg_odd_float(c);
}

struct rp_img cg_img(struct cg *c, const char *name, int w, int h, int ch)
{
    struct rp_img img = {.w = w, .h = h, .ch = ch, .stride = w * ch};
    size_t skew = 0;

    if (c->bench) {
        img.stride = (img.stride + 255) & ~255;
    } else if (cg_chance(c, 50)) { /* as allocated pictures are */
        img.stride = (img.stride + 15) & ~15;
        img.stride += 16 * cg_range(c, 0, 2);
    } else {
        img.stride += cg_range(c, 0, 9);
        skew = (size_t) cg_range(c, 0, 7);
    }
    img.data = cg_bytes(c, name, (size_t) img.stride * (size_t) (h - 1) + (size_t) (w * ch), skew);
    return img;
}

struct rp_canvas cg_canvas(struct cg *c, int w, int h, int ch)
{
    struct rp_canvas v = {
        .img = cg_img(c, "frame", w, h, ch), .tiles_w = rp_tiles(w), .tiles_h = rp_tiles(h)};

    v.changed = cg_zeros(c, "changed", (size_t) v.tiles_w * (size_t) v.tiles_h, CG_BYTES);
    for (int i = 0; i < v.tiles_w * v.tiles_h; i++)
        v.changed[i] = cg_chance(c, 20);
    return v;
}

static void end_case(struct cg *c)
{
    for (int i = 0; i < c->n; i++) {
        struct cg_buf *const b = &c->buf[i];

        free(b->block);
        free(b->initial);
        if (c->fresh && b->cut) {
            c->dev->fns->free(c->dev, b->cut);
            b->cut = NULL;
            b->room = 0;
        }
    }
    c->n = 0;
}

/* ---- one case -------------------------------------------------------------------------------- */

void cg_note(struct cg *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(c->what, sizeof(c->what), fmt, ap);
    va_end(ap);
}

static void fail(struct cg *c, const char *fmt, ...) RP_PRINTF(2, 3);
static void fail(struct cg *c, const char *fmt, ...)
{
    va_list ap;

    if (c->failures++ >= MAX_REPORTS)
        return;
    fflush(stdout);
    fprintf(stderr, "%s: ", c->op);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\n    %s\n    again: checkgpu %s --seed %llu --count 1\n", c->what, c->op,
            (unsigned long long) c->seed);
}

/* Stop if the device itself fails: no later result could be trusted. */
static void need(struct cg *c, int ret)
{
    if (ret < 0) {
        fprintf(stderr, "%s: %s\n    %s\n    again: checkgpu %s --seed %llu --count 1\n", c->op,
                rp_last_error(), c->what, c->op, (unsigned long long) c->seed);
        exit(1);
    }
}

static bool word_is_float(enum cg_kind kind, size_t word)
{
    static const size_t face = sizeof(struct rp_dface) / 4,
                        ints = offsetof(struct rp_dface, angle) / 4;
    static const size_t candidate = sizeof(struct rp_candidate) / 4, /* index, then angle */
                        index = offsetof(struct rp_candidate, index) / 4;

    switch (kind) {
    case CG_FLOATS:
        return true;
    case CG_FACES: /* one face, or the whole list: seven whole numbers end each */
        return word % face < ints;
    case CG_CANDIDATES:
        return word >= 2 && (word - 2) % candidate != index && (word - 2) % candidate != index + 1;
    case CG_VERDICT:
        return word == 2;
    default:
        return false;
    }
}

static bool is_nan(uint32_t bits)
{
    return (bits & 0x7fffffff) > 0x7f800000;
}

static bool is_nan_64(uint64_t bits)
{
    return (bits & 0x7fffffffffffffffu) > 0x7ff0000000000000u;
}

/* May these four (eight) bytes differ? */
static bool same_word(const struct cg_buf *b, const uint8_t *want, const uint8_t *got, size_t at)
{
    uint32_t p, q;
    uint64_t r, s;

    if (b->kind == CG_DOUBLES) {
        memcpy(&r, want + at / 8 * 8, 8);
        memcpy(&s, got + at / 8 * 8, 8);
        return is_nan_64(r) && is_nan_64(s);
    }
    size_t word = at / 4;
    if (b->kind == CG_FACES && b->size == sizeof(struct rp_dfaces)) {
        if (word < 2)
            return false;
        word -= 2;
    }
    if (!word_is_float(b->kind, word))
        return false;
    memcpy(&p, want + at / 4 * 4, 4);
    memcpy(&q, got + at / 4 * 4, 4);
    return is_nan(p) && is_nan(q);
}

static float near_number(const struct cg_buf *b, const uint8_t *data, size_t i)
{
    uint16_t h;
    float f;

    if (b->kind == CG_NEAR_HALVES) {
        memcpy(&h, data + i * sizeof(h), sizeof(h));
        return rp_half_to_float(h);
    }
    memcpy(&f, data + i * sizeof(f), sizeof(f));
    return f;
}

static void compare_near(struct cg *c, const struct cg_buf *b, const uint8_t *got)
{
    const size_t n = b->size / (b->kind == CG_NEAR_HALVES ? 2 : 4);
    float largest = 0;

    for (size_t i = 0; i < n; i++)
        if (fabsf(near_number(b, b->ref, i)) < INFINITY)
            largest = RP_MAX(largest, fabsf(near_number(b, b->ref, i)));
    for (size_t i = 0; i < n; i++) {
        const float want = near_number(b, b->ref, i), have = near_number(b, got, i);

        if (want == have || (isnan(want) && isnan(have)) ||
            fabsf(want - have) <= b->tolerance * largest)
            continue;
        fail(c, "%s differs at number %zu of %zu: want %.9g, got %.9g, largest %.9g", b->name, i, n,
             (double) want, (double) have, (double) largest);
        return;
    }
}

static void compare(struct cg *c, const struct cg_buf *b, const uint8_t *got)
{
    const size_t before = GUARD + b->skew;

    for (size_t i = 0; i < total(b); i++) {
        const bool guard = i < before || i >= before + b->size;

        if (guard && b->block[i] != GUARD_BYTE) {
            fail(c, "the C version wrote outside of %s, at %td", b->name, (ptrdiff_t) (i - before));
            return;
        }
        if (guard && got[i] != GUARD_BYTE) {
            fail(c, "wrote outside of %s, at %td of %zu", b->name, (ptrdiff_t) (i - before),
                 b->size);
            return;
        }
    }
    if (b->kind == CG_SCRATCH || !memcmp(b->ref, got + before, b->size))
        return;
    if (b->kind == CG_NEAR_FLOATS || b->kind == CG_NEAR_HALVES) {
        compare_near(c, b, got + before);
        return;
    }
    for (size_t i = 0; i < b->size; i++) {
        if (b->ref[i] == got[before + i] || same_word(b, b->ref, got + before, i))
            continue;
        const size_t at = b->kind == CG_BYTES ? i : i / 4 * 4;
        uint32_t want = b->ref[i], have = got[before + i];
        float fw = 0, fh = 0;

        if (b->kind != CG_BYTES) {
            memcpy(&want, b->ref + at, 4);
            memcpy(&have, got + before + at, 4);
            memcpy(&fw, &want, 4);
            memcpy(&fh, &have, 4);
        }
        fail(c, "%s differs at byte %zu of %zu: want %x, got %x (%.9g, %.9g)", b->name, at, b->size,
             want, have, fw, fh);
        return;
    }
}

static void spoil(const struct cg_buf *b, uint8_t *got, bool *done)
{
    const size_t before = GUARD + b->skew;

    for (size_t i = 0; i < b->size && !*done; i++)
        if (b->ref[i] != b->initial[before + i]) {
            got[before + i] ^= b->kind == CG_NEAR_FLOATS || b->kind == CG_NEAR_HALVES ? 0xff : 1;
            *done = true;
        }
}

static void upload(struct cg *c)
{
    for (int i = 0; i < c->n; i++) {
        struct cg_buf *const b = &c->buf[i];

        if (b->room < total(b)) {
            c->dev->fns->free(c->dev, b->cut);
            b->cut = NULL;
            b->room = c->fresh ? total(b) : total(b) + total(b) / 2;
            need(c, c->dev->fns->alloc(c->dev, b->room, &b->cut));
        }
        memcpy(b->initial, b->block, total(b));
        need(c, c->dev->fns->upload(c->dev, c->stream, b->cut, b->block, total(b)));
    }
    need(c, c->dev->fns->sync(c->dev, c->stream));
}

const struct rp_planes *cg_planes(struct cg *c, struct rp_planes planes)
{
    c->planes = planes;
    return &c->planes;
}

/* Pointers into host buffers become pointers into the device's; also those in the planes that the
 * arguments point to, which stay on the host. */
static void translate(struct cg *c, void *args, size_t size)
{
    for (size_t at = 0; at + sizeof(uintptr_t) <= size; at += sizeof(uintptr_t)) {
        uintptr_t v;

        memcpy(&v, (char *) args + at, sizeof(v));
        if (v == (uintptr_t) &c->planes) {
            c->device_planes = c->planes;
            translate(c, c->device_planes.plane, sizeof(c->device_planes.plane));
            v = (uintptr_t) &c->device_planes;
            memcpy((char *) args + at, &v, sizeof(v));
            continue;
        }
        for (int i = 0; i < c->n; i++) {
            const struct cg_buf *const b = &c->buf[i];

            if (v >= (uintptr_t) b->ref && v < (uintptr_t) b->ref + RP_MAX(b->size, 1)) {
                v = v - (uintptr_t) b->block + (uintptr_t) b->cut;
                memcpy((char *) args + at, &v, sizeof(v));
                break;
            }
        }
    }
}

/* ---- times ----------------------------------------------------------------------------------- */

struct work {
    const struct cg *c;
    const struct rp_ops *ops;
    struct rp_stream *stream;
    const void *args;
    void *copy_to, *copy_from; /* instead of an operation: copy FLUSH bytes */
};

static int do_work(void *priv)
{
    const struct work *const w = priv;

    if (w->copy_to)
        return w->c->dev->fns->copy(w->c->dev, w->stream, w->copy_to, w->copy_from, FLUSH);
    return w->c->call(w->ops, w->stream, w->args);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static void *flush; /* device memory, larger than any cache */

static double once(struct cg *c, struct work *w, bool on_device)
{
    rp_module_time_fn *clock = NULL;
    float us = 0;

    if (on_device && !c->dev->fns->host_memory)
        *(void **) &clock = dlsym(RTLD_DEFAULT, "rp_module_time");
    if (clock) {
        need(c, clock(c->stream, do_work, w, flush, FLUSH, &us));
        return us;
    }
    const double begin = rp_now();
    need(c, do_work(w));
    return (rp_now() - begin) * 1e6;
}

/* Median of up to 100 runs, or of what half a second allows. */
static double median_us(struct cg *c, struct work *w, bool on_device)
{
    enum { WARM = 5, RUNS = 100 };
    double t[RUNS];
    int n = 0;
    const double begin = rp_now();

    for (int i = 0; i < WARM && rp_now() - begin < 0.2; i++)
        once(c, w, on_device);
    while (n < RUNS && (n < 3 || rp_now() - begin < 0.5))
        t[n++] = once(c, w, on_device);
    qsort(t, (size_t) n, sizeof(*t), by_value);
    return t[n / 2];
}

static double copy_rate(struct cg *c)
{
    struct work w = {.c = c, .stream = c->stream, .copy_from = flush};

    c->op = "copy";
    need(c, c->dev->fns->alloc(c->dev, FLUSH, &w.copy_to));
    const double us = median_us(c, &w, true);
    c->dev->fns->free(c->dev, w.copy_to);
    return 2.0 * FLUSH / us * 1e-3;
}

/* ---- run ------------------------------------------------------------------------------------- */

/* A second run on the same input: its bytes are the first one's. */
static void run_again(struct cg *c, const struct cg_buf *b, const void *args, const uint8_t *first)
{
    uint8_t *const again = checked(malloc(total(b)));

    for (int i = 0; i < c->n; i++)
        need(c, c->dev->fns->upload(c->dev, c->stream, c->buf[i].cut, c->buf[i].initial,
                                    total(&c->buf[i])));
    need(c, c->call(c->dev->ops, c->stream, args));
    need(c, c->dev->fns->download(c->dev, c->stream, again, b->cut, total(b)));
    need(c, c->dev->fns->sync(c->dev, c->stream));
    if (memcmp(first, again, total(b)) != 0)
        fail(c, "%s: two runs give different bytes", b->name);
    free(again);
}

void cg_run(struct cg *c, const void *args, size_t size)
{
    bool done = false;
    void *const own = checked(malloc(size));

    memcpy(own, args, size);
    upload(c);
    translate(c, own, size);
    need(c, c->call(&rp_ops_c, NULL, args));
    need(c, c->call(c->dev->ops, c->stream, own));
    need(c, c->dev->fns->sync(c->dev, c->stream));
    for (int i = 0; i < c->n; i++) {
        const struct cg_buf *const b = &c->buf[i];
        uint8_t *const got = checked(malloc(total(b)));

        need(c, c->dev->fns->download(c->dev, c->stream, got, b->cut, total(b)));
        need(c, c->dev->fns->sync(c->dev, c->stream));
        if ((b->kind == CG_NEAR_FLOATS || b->kind == CG_NEAR_HALVES) && !c->broken &&
            memcmp(got, b->initial, total(b)) != 0)
            run_again(c, b, own, got);
        if (c->broken)
            spoil(b, got, &done);
        compare(c, b, got);
        free(got);
    }
    if (c->bench) {
        struct work device = {.c = c, .ops = c->dev->ops, .stream = c->stream, .args = own};
        struct work plain = {.c = c, .ops = &rp_ops_c, .args = args};

        c->us = median_us(c, &device, true);
        c->c_us = median_us(c, &plain, false);
    }
    free(own);
}

struct settings {
    uint64_t seed;
    int count;
    bool self, bench;
    const char *module, *broken, *json;
    const char *want[RP_ARRAY_LEN(ops)];
    int n_want, gpu;
};

static const char usage[] =
    "checkgpu [OPERATION...] [--seed N] [--count N] [--bench] [--json FILE] [--gpu N]\n"
    "         [--module FILE] [--fresh] [--self] [--break OPERATION]\n";

static bool known(const char *name)
{
    for (int i = 0; i < N_OPS; i++)
        if (!strcmp(name, ops[i].name))
            return true;
    return false;
}

static void parse(struct settings *s, struct cg *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *const a = argv[i], *const v = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(a, "--bench"))
            s->bench = true;
        else if (!strcmp(a, "--self"))
            s->self = true;
        else if (!strcmp(a, "--fresh"))
            c->fresh = true;
        else if (!strcmp(a, "--help")) {
            fputs(usage, stdout);
            exit(0);
        } else if (a[0] != '-' && known(a) && s->n_want < N_OPS)
            s->want[s->n_want++] = a;
        else if (!v || a[0] != '-')
            goto bad;
        else if (!strcmp(a, "--seed"))
            s->seed = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(a, "--count"))
            s->count = atoi(argv[++i]);
        else if (!strcmp(a, "--gpu"))
            s->gpu = atoi(argv[++i]);
        else if (!strcmp(a, "--module"))
            s->module = argv[++i];
        else if (!strcmp(a, "--json"))
            s->json = argv[++i];
        else if (!strcmp(a, "--break") && known(v))
            s->broken = argv[++i];
        else
            goto bad;
        continue;
    bad:
        fprintf(stderr, "checkgpu: %s is not understood\n%s", a, usage);
        exit(2);
    }
}

static bool wanted(const struct settings *s, const char *name)
{
    for (int i = 0; i < s->n_want; i++)
        if (!strcmp(name, s->want[i]))
            return true;
    return s->n_want == 0;
}

static void quiet(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    (void) level;
    (void) line;
}

static void open_device(struct settings *s, struct cg *c)
{
    int ret;

    if (s->module)
        setenv("REPRISE_CUDA_MODULE", s->module, 1);
    rp_set_log(RP_LOG_ERROR, quiet, NULL);
    ret = s->self ? rp_device_cpu(&c->dev) : rp_device_cuda(&c->dev, s->gpu);
    if (ret < 0) {
        printf("skipped: %s\ncheckgpu: 0 passed, 0 failed, %d skipped\n", rp_last_error(), N_OPS);
        exit(SKIPPED);
    }
    need(c, c->dev->fns->stream_create(c->dev, &c->stream));
}

static void check_op(struct cg *c, const struct settings *s, int op)
{
    c->op = ops[op].name;
    c->call = ops[op].call;
    c->failures = 0;
    c->broken = s->broken && !strcmp(s->broken, c->op);
    c->bench = false;
    for (int k = 0; k < s->count; k++) {
        seed_case(c, s->seed + (uint64_t) k);
        c->what[0] = 0;
        ops[op].check(c);
        end_case(c);
    }
    if (!s->bench || c->failures)
        return;
    c->bench = true;
    c->bytes = c->us = c->c_us = 0;
    seed_case(c, s->seed);
    ops[op].check(c);
    end_case(c);
    c->bench = false;
}

int main(int argc, char **argv)
{
    static struct cg c;
    struct settings s = {.seed = 1, .count = 200};
    int passed = 0, failed = 0, skipped = 0;
    double rate = 0;
    FILE *json = NULL;
    const char *comma = "";

    c.op = "device";
    parse(&s, &c, argc, argv);
    open_device(&s, &c);
    if (s.json && !(json = fopen(s.json, "w")))
        die("the JSON file cannot be written");
    if (s.bench) {
        need(&c, c.dev->fns->alloc(c.dev, FLUSH, &flush));
        rate = copy_rate(&c);
    }
    printf("%s", c.dev->title);
    if (rate > 0)
        printf(", copies at %.0f GB/s", rate);
    printf("\n");
    if (json)
        fprintf(json, "{\"device\": \"%s\", \"seed\": %llu, \"copy_gb_s\": %.1f, \"operations\": [",
                c.dev->title, (unsigned long long) s.seed, rate);
    for (int i = 0; i < N_OPS; i++) {
        if (!wanted(&s, ops[i].name)) {
            skipped++;
            continue;
        }
        check_op(&c, &s, i);
        *(c.failures ? &failed : &passed) += 1;
        printf("%-14s %5d cases %s", ops[i].name, s.count, c.failures ? "FAILED" : "equal");
        const double gb_s = c.us > 0 ? c.bytes / c.us * 1e-3 : 0;
        if (s.bench && !c.failures)
            printf("  %9.1f us %7.1f GB/s %3.0f %%   C %9.1f us   %s", c.us, gb_s,
                   rate > 0 ? 100 * gb_s / rate : 0.0, c.c_us, c.what);
        printf("\n");
        fflush(stdout);
        if (json) {
            fprintf(json,
                    "%s\n {\"name\": \"%s\", \"cases\": %d, \"failed\": %d, \"us\": %.2f, "
                    "\"gb_s\": %.1f, \"c_us\": %.1f}",
                    comma, ops[i].name, s.count, c.failures, s.bench ? c.us : 0.0,
                    s.bench ? gb_s : 0.0, s.bench ? c.c_us : 0.0);
            comma = ",";
        }
    }
    if (json) {
        fprintf(json, "\n]}\n");
        if (fclose(json))
            die("the JSON file cannot be written");
    }
    for (int i = 0; i < CG_MAX_BUFS; i++)
        c.dev->fns->free(c.dev, c.buf[i].cut);
    c.dev->fns->free(c.dev, flush);
    c.dev->fns->stream_destroy(c.dev, c.stream);
    rp_device_destroy(&c.dev);
    printf("checkgpu: %d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : passed ? 0 : SKIPPED;
}
