/* checkgraph: replay equals eager, byte for byte, on real pictures and clips.
 *
 *     checkgraph [--device cuda|cpu] --source FACE.jpg [--source2 FACE.jpg] [--frames N]
 *                [--disturb N] [--quick] [--set OPTION=VALUE]... MEDIA...
 *
 * Every frame of every medium goes through the whole pipeline (detect, landmark, embed, select,
 * swap): eagerly; as a recorded frame with 1, 2, 4 and 8 slots; with recorded models; as four
 * frames in lockstep with 1 and 2 slots (compared with eager lockstep); and again with another
 * source and with another option. The CRC of each frame's pixels must be the same. A picture
 * becomes a slow pan of 1600x1080, and all pictures together a mosaic of eight or more faces.
 * Between replays the analysing stage runs eagerly with bindings of its own, N times a clip (20).
 * --quick: only one and four slots. --set: an option for all of these, as on the command line. On
 * the CPU results with 1 slot are compared with those of k slots.
 *
 * Exit: 0 no difference, 1 a difference, 77 no such device. Last line: N passed, N failed. */
#include <getopt.h>

#include "base/hash.h"
#include "base/path.h"
#include "pipeline/alpha.h"
#include "pipeline/pipeline.h"
#include "pipeline/program.h"

#define MAX_FRAMES 512
#define MAX_SLOTS 8
#define MAX_SET 16
#define PAN_W 1600
#define PAN_H 1080

struct clip {
    const char *name;
    int n;
    struct rp_media_frame *frame[MAX_FRAMES]; /* as read; never changed */
};

static struct {
    const char *device, *source, *source2;
    int max_frames, disturb, passed, failed;
    bool quick;
    char *set[MAX_SET]; /* OPTION=VALUE */
    int nset;
    rp_runtime *rt;
} opt = {.device = "cuda", .max_frames = MAX_FRAMES, .disturb = 20};

/* ---- frames ---------------------------------------------------------------------------------- */

static size_t row_bytes(const struct rp_media_frame *f, int plane)
{
    const bool wide = f->fmt >= RP_FMT_YUV420P10 && f->fmt <= RP_FMT_YUV444P10;
    const int w = f->fmt == RP_FMT_BGR24 || f->fmt == RP_FMT_BGR24_ALPHA ? 3 * f->w
                  : plane && (f->fmt == RP_FMT_YUV420P || f->fmt == RP_FMT_YUV422P ||
                              f->fmt == RP_FMT_YUV420P10 || f->fmt == RP_FMT_YUV422P10)
                      ? (f->w + 1) / 2
                      : f->w;

    return (size_t) w * (wide ? 2 : 1);
}

static int plane_count(const struct rp_media_frame *f)
{
    return f->fmt == RP_FMT_BGR24 || f->fmt == RP_FMT_BGR24_ALPHA ? 1 : 3;
}

static int plane_height(const struct rp_media_frame *f, int plane)
{
    return plane && (f->fmt == RP_FMT_YUV420P || f->fmt == RP_FMT_YUV420P10) ? (f->h + 1) / 2
                                                                             : f->h;
}

static uint32_t crc_of(const struct rp_media_frame *f)
{
    uint32_t crc = 0;

    for (int i = 0; i < plane_count(f); i++)
        for (int y = 0; y < plane_height(f, i); y++)
            crc = rp_crc32(crc, f->plane[i] + (ptrdiff_t) y * f->stride[i], row_bytes(f, i));
    return crc;
}

/* A deep copy that needs no decoder. */
static struct rp_media_frame *copy_frame(const struct rp_media_frame *f)
{
    size_t total = 0;
    struct rp_media_frame *const c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    *c = *f;
    c->ref = NULL;
    for (int i = 0; i < plane_count(f); i++)
        total += row_bytes(f, i) * (size_t) plane_height(f, i);
    uint8_t *at = malloc(total + 1);
    if (!at)
        abort();
    c->plane[0] = at;
    for (int i = 0; i < plane_count(f); i++) {
        c->plane[i] = at;
        c->stride[i] = (int) row_bytes(f, i);
        for (int y = 0; y < plane_height(f, i); y++, at += row_bytes(f, i))
            memcpy(at, f->plane[i] + (ptrdiff_t) y * f->stride[i], row_bytes(f, i));
    }
    return c;
}

static void free_copy(struct rp_media_frame *f)
{
    if (f)
        free(f->plane[0]);
    free(f);
}

static void add(struct clip *c, const struct rp_media_frame *f)
{
    if (c->n < opt.max_frames && c->n < MAX_FRAMES) {
        c->frame[c->n] = copy_frame(f);
        c->frame[c->n]->index = c->n;
        c->n++;
    }
}

static int read_clip(struct clip *c, const char *path)
{
    struct rp_reader *reader = NULL;
    struct rp_media_frame *f = NULL;
    int ret = rp_reader_open(&reader, path, &(struct rp_reader_params){0});

    while (ret >= 0 && (ret = rp_reader_next(reader, &f)) >= 0 && f) {
        add(c, f);
        rp_media_frame_free(&f);
    }
    rp_reader_close(&reader);
    return ret;
}

/* A window that moves over the picture. */
static int pan(struct clip *c, const char *path, int frames)
{
    rp_image image = {0}, big = {0};
    int ret = rp_image_read(&image, path);

    if (ret < 0)
        return ret;
    rp_image_drop_alpha(&image);
    const double scale = RP_MAX(PAN_W * 1.2 / image.w, PAN_H * 1.2 / image.h);
    if (scale > 1 && rp_image_scale(&big, &image, (int) (image.w * scale),
                                    (int) (image.h * scale)) >= 0) {
        rp_image_free(&image);
        image = big;
    }
    for (int i = 0; i < frames; i++) {
        rp_image window = image;
        struct rp_media_frame f;
        const int x = (image.w - PAN_W) * i / RP_MAX(frames - 1, 1);
        const int y = (image.h - PAN_H) * i / RP_MAX(frames - 1, 1);

        window.data += y * image.stride + 3 * (ptrdiff_t) x;
        window.w = PAN_W;
        window.h = PAN_H;
        rp_frame_over_image(&f, &window);
        add(c, &f);
    }
    rp_image_free(&image);
    return 0;
}

/* Eight or more small pictures side by side, shifted from frame to frame. */
static void mosaic(struct clip *c, char **paths, int n, int frames)
{
    enum { COLS = 4, ROWS = 2, W = PAN_W / COLS, H = PAN_H / ROWS };
    rp_image canvas = {.w = PAN_W, .h = PAN_H, .stride = 3 * PAN_W};

    canvas.data = calloc(PAN_H, 3 * PAN_W);
    for (int i = 0; n && i < COLS * ROWS; i++) {
        rp_image image = {0}, cell = {0};

        if (rp_image_read(&image, paths[i % n]) < 0)
            continue;
        rp_image_drop_alpha(&image);
        const double s = RP_MIN((double) W / image.w, (double) H / image.h);
        if (rp_image_scale(&cell, &image, RP_MAX((int) (image.w * s), 1),
                           RP_MAX((int) (image.h * s), 1)) >= 0)
            for (int y = 0; y < cell.h; y++)
                memcpy(canvas.data + (i / COLS * H + y) * canvas.stride + 3 * (i % COLS) * W,
                       cell.data + y * cell.stride, (size_t) cell.w * 3);
        rp_image_free(&cell);
        rp_image_free(&image);
    }
    for (int i = 0; i < frames; i++) {
        struct rp_media_frame f;

        rp_frame_over_image(&f, &canvas);
        add(c, &f);
        memmove(canvas.data + 3, canvas.data, (size_t) canvas.stride * PAN_H - 3);
    }
    free(canvas.data);
}

/* ---- one way of running ---------------------------------------------------------------------- */

struct way {
    const char *graph; /* frame, model, off */
    int slots;
    const char *source;
    bool disturb;      /* other networks run eagerly in between */
    const char *option, *value; /* one more; NULL: none */
    int frames;        /* in lockstep; 0: 1 */
};

struct outcome {
    uint32_t crc[MAX_FRAMES];
    int faces[MAX_FRAMES];
    bool recorded;
};

static int set_option(rp_options *o, const char *words)
{
    char name[64];
    const char *const value = strchr(words, '=');

    if (!value || value - words >= (ptrdiff_t) sizeof(name))
        return rp_fail(RP_ERR_USAGE, "--set %s: want OPTION=VALUE", words);
    snprintf(name, sizeof(name), "%.*s", (int) (value - words), words);
    return rp_options_set(o, name, value + 1);
}

static int open_pipeline(struct rp_pipeline **p, rp_options **o, const struct way *way)
{
    int ret;

    RP_TRY(rp_options_create(o));
    RP_TRY(rp_options_set(*o, "execution-providers", opt.device));
    RP_TRY(rp_options_set(*o, "cuda-graph", way->graph));
    RP_TRY(rp_options_set(*o, "face-selector-mode", "many"));
    RP_TRY(rp_options_set(*o, "source-paths", way->source));
    for (int i = 0; i < opt.nset; i++)
        RP_TRY(set_option(*o, opt.set[i]));
    if (way->option)
        RP_TRY(rp_options_set(*o, way->option, way->value));
    RP_TRY(rp_pipeline_open(p, opt.rt, rp_options_settings(*o),
                            &(const struct rp_pipeline_params){.use = RP_USE_PROCESS, .threads = 1}));
    return 0;

fail:
    return ret;
}

/* Eager runs of the whole analysing stage after frame i of n: opt.disturb of them in all. */
static int disturbances(int n, int i)
{
    return opt.disturb * (i + 1) / n - opt.disturb * i / n;
}

/* A launch: this many frames of the clip, beginning with `first`. */
struct launch {
    struct rp_program *program;
    struct rp_media_frame *frame[RP_MAX_LANES];
    int first, n; /* n 0: nothing is in flight */
};

static int land(struct launch *l, struct outcome *out)
{
    int ret;
    struct rp_frame_result result[RP_MAX_LANES];

    if (!l->n)
        return 0;
    RP_TRY(rp_program_finish(l->program, result));
    for (int i = 0; i < l->n; i++) {
        out->crc[l->first + i] = crc_of(l->frame[i]);
        out->faces[l->first + i] = result[i].selected;
        free_copy(l->frame[i]);
        l->frame[i] = NULL;
    }
    l->n = 0;
    return 0;

fail:
    return ret;
}

static int take_off(struct launch *l, const struct clip *c, int first)
{
    struct rp_frame_in frame[RP_MAX_LANES];

    l->first = first;
    l->n = RP_MIN(rp_program_frames(l->program), c->n - first);
    for (int i = 0; i < l->n; i++) {
        l->frame[i] = copy_frame(c->frame[first + i]);
        frame[i] = (struct rp_frame_in){.frame = l->frame[i]};
    }
    return rp_program_submit(l->program, frame, l->n, RP_PASS_WHOLE);
}

static int run_frames(struct rp_pipeline *p, const struct clip *c, const struct way *way,
                      struct outcome *out)
{
    int ret = 0, k = 0;
    const int frames = RP_MAX(way->frames, 1);
    struct launch launch[MAX_SLOTS] = {0};
    struct rp_program_params params = rp_program_params_for(c->frame[0]);
    struct rp_dfaces *const faces = malloc(sizeof(*faces));

    params.frames = frames;
    for (int i = 0; i < way->slots; i++) // NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
        RP_TRY(rp_program_create(&launch[i].program, &p->plan, &params));
    for (int i = 0; i < c->n; i += frames, k = (k + 1) % way->slots) {
        RP_TRY(land(&launch[k], out));
        RP_TRY(take_off(&launch[k], c, i));
        for (int n = way->disturb ? disturbances(c->n, i) : 0; n > 0; n--)
            RP_TRY(rp_pipeline_faces(p, c->frame[(i * 5 + n) % c->n], faces));
    }
    for (int i = 0; i < way->slots; i++)
        RP_TRY(land(&launch[i], out));
    const struct rp_graph *const g = rp_program_graph(launch[0].program);
    out->recorded = g && rp_graph_recorded(g);

fail:
    for (int i = 0; i < way->slots; i++) {
        rp_program_destroy(&launch[i].program);
        for (int f = 0; f < RP_MAX_LANES; f++)
            free_copy(launch[i].frame[f]);
    }
    free(faces);
    return ret;
}

static int run_way(const struct clip *c, const struct way *way, struct outcome *out)
{
    int ret;
    rp_options *o = NULL;
    struct rp_pipeline *p = NULL;

    memset(out, 0, sizeof(*out));
    RP_TRY(open_pipeline(&p, &o, way));
    RP_TRY(run_frames(p, c, way, out));

fail:
    rp_pipeline_destroy(&p);
    rp_options_destroy(&o);
    return ret;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void compare(const struct clip *c, const struct way *way, const struct outcome *want,
                    const struct outcome *got, double seconds)
{
    int differ = 0, first = -1;

    for (int i = 0; i < c->n; i++) {
        if (want->crc[i] == got->crc[i] && want->faces[i] == got->faces[i])
            continue;
        differ++;
        if (first < 0)
            first = i;
    }
    const bool expect = !strcmp(way->graph, "frame") && strcmp(opt.device, "cpu") != 0;
    const bool ok = !differ && (!expect || got->recorded);
    printf("%s %-40s graph %-5s slots %d x %d%s%s: %d frames, %d differ%s, %.1f s\n",
           ok ? "ok    " : "FAILED", c->name, way->graph, way->slots, RP_MAX(way->frames, 1),
           way->disturb ? " disturbed" : "",
           way->option                 ? " other options"
           : way->source != opt.source ? " other source"
                                       : "",
           c->n, differ, expect && !got->recorded ? " NOT RECORDED" : "", seconds);
    if (first >= 0)
        printf("       first difference: frame %d, %d faces against %d\n", first, got->faces[first],
               want->faces[first]);
    fflush(stdout);
    *(ok ? &opt.passed : &opt.failed) += 1;
}

/* Sources and options with which the ways are compared: first the given ones, then others, with
 * which everything is recorded again. */
static int check_group(const struct clip *c, const struct way *base, const struct way *ways, int n)
{
    int ret = 0, most = 0, least = RP_MAX_FACES;
    static struct outcome want, got;

    RP_TRY(run_way(c, base, &want));
    for (int i = 0; i < c->n; i++) {
        most = RP_MAX(most, want.faces[i]);
        least = RP_MIN(least, want.faces[i]);
    }
    printf("       %s: %d frames, %d to %d faces\n", c->name, c->n, least, most);
    for (int w = 0; w < n; w++) {
        const double start = rp_now();
        struct way way = ways[w];

        way.source = base->source;
        way.option = base->option;
        way.value = base->value;
        RP_TRY(run_way(c, &way, &got));
        compare(c, &way, &want, &got, rp_now() - start);
    }
fail:
    return ret;
}

static int check_clip(const struct clip *c)
{
    int ret;
    static const struct way ways[] = {
        {.graph = "frame", .slots = 1, .disturb = true}, {.graph = "frame", .slots = 4, .disturb = true},
        {.graph = "frame", .slots = 2}, {.graph = "frame", .slots = 8}, {.graph = "model", .slots = 1},
    };
    static const struct way lockstep[] = {
        {.graph = "frame", .slots = 1, .frames = 4, .disturb = true},
        {.graph = "frame", .slots = 2, .frames = 4},
    };
    const struct way step = {.graph = "off", .slots = 1, .source = opt.source, .frames = 4};
    const struct way eager[] = {
        {.graph = "off", .slots = 1, .source = opt.source},
        {.graph = "off", .slots = 1, .source = opt.source2},
        {.graph = "off", .slots = 1, .source = opt.source, .option = "face-mask-blur", .value = "0.7"},
    };

    RP_TRY(check_group(c, &eager[0], ways, opt.quick ? 2 : (int) RP_ARRAY_LEN(ways)));
    RP_TRY(check_group(c, &step, lockstep, (int) RP_ARRAY_LEN(lockstep)));
    if (opt.source2 && !opt.quick)
        RP_TRY(check_group(c, &eager[1], ways, 1));
    if (!opt.quick)
        RP_TRY(check_group(c, &eager[2], ways, 1));
fail:
    return ret;
}

static void free_clip(struct clip *c)
{
    for (int i = 0; i < c->n; i++)
        free_copy(c->frame[i]);
    memset(c, 0, sizeof(*c));
}

static int check_media(char **paths, int n)
{
    int ret = 0, npictures = 0;
    char *pictures[64];
    static struct clip c;

    for (int i = 0; i < n; i++) {
        enum rp_media_kind kind;

        RP_TRY(rp_media_probe(paths[i], &kind));
        c.name = rp_path_base(paths[i]);
        if (kind == RP_MEDIA_IMAGE && npictures < 64) {
            pictures[npictures++] = paths[i];
            RP_TRY(pan(&c, paths[i], 150));
        } else {
            RP_TRY(read_clip(&c, paths[i]));
        }
        RP_TRY(check_clip(&c));
        free_clip(&c);
    }
    if (npictures) {
        c.name = "mosaic";
        mosaic(&c, pictures, npictures, 50);
        RP_TRY(check_clip(&c));
    }

fail:
    free_clip(&c);
    return ret;
}

int main(int argc, char **argv)
{
    int ret, c;
    struct rp_device *dev = NULL;
    static const struct option longs[] = {{"device", 1, NULL, 'd'}, {"source", 1, NULL, 's'},
                                          {"source2", 1, NULL, '2'}, {"frames", 1, NULL, 'n'},
                                          {"disturb", 1, NULL, 'e'}, {"quick", 0, NULL, 'q'},
                                          {"set", 1, NULL, 'o'}, {0}};

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'd')
            opt.device = optarg;
        else if (c == 's')
            opt.source = optarg;
        else if (c == '2')
            opt.source2 = optarg;
        else if (c == 'n')
            opt.max_frames = atoi(optarg);
        else if (c == 'e')
            opt.disturb = atoi(optarg);
        else if (c == 'q')
            opt.quick = true;
        else if (c == 'o' && opt.nset < MAX_SET)
            opt.set[opt.nset++] = optarg;
        else
            return 2;
    }
    if (!opt.source || optind == argc) {
        fprintf(stderr,
                "usage: checkgraph [--device D] --source FACE [--source2 FACE] [--frames N] "
                "[--disturb N] [--quick] [--set OPTION=VALUE]... MEDIA...\n");
        return 2;
    }
    rp_set_log(getenv("CHECKGRAPH_DEBUG") ? RP_LOG_DEBUG : RP_LOG_WARN, NULL, NULL);
    if (!strcmp(opt.device, "cuda")) {
        rp_log_hold(true);
        ret = rp_device_cuda(&dev, 0);
        rp_log_hold(false);
        if (ret < 0) {
            printf("skipped: %s\n0 passed, 0 failed, 1 skipped\n", rp_last_error());
            return 77;
        }
        rp_device_destroy(&dev);
    }
    RP_TRY(rp_runtime_create(&opt.rt, NULL));
    RP_TRY(check_media(argv + optind, argc - optind));

fail:
    rp_runtime_destroy(&opt.rt);
    if (ret < 0)
        opt.failed++;
    printf("%d passed, %d failed\n", opt.passed, opt.failed);
    return opt.failed ? 1 : 0;
}
