/* checkdevice: pictures whose pixels are on the device give the same results as from the host, and
 * their pixels do not come to the host.
 *
 *     checkdevice [--device cuda|cpu] [--set OPTION=VALUE]... [--source FACE PICTURE...]
 *
 * Without pictures set-up's sample is used; with the lite models that is enough. Each picture is
 * tried as BGR, as BGRA and with wider rows, through the processors of the options, one that makes
 * frames larger and one that makes them transparent. On the CPU the device seems to the pipeline to
 * have memory of its own. Bytes copied between host and device are counted by a table of functions
 * that wraps the device's.
 *
 * Exit: 0 no difference, 1 a difference, 77 no such device or no models. Last line: N passed, N
 * failed. */
#include <getopt.h>

#include "base/path.h"
#include "pipeline/pipeline.h"

#define ROUNDS 6      /* eager, recorded, replayed */
#define SMALL 4096    /* bytes of counts and verdicts at most */
#define MAX_FACES 64
#define MAX_SET 16

static struct {
    const char *device, *source;
    const char *set[MAX_SET];
    int nset, passed, failed;
    rp_runtime *rt;
} opt = {.device = "cuda"};

/* ---- copies, counted ------------------------------------------------------------------------- */

static const struct rp_device_fns *real;
static struct rp_device_fns counting;
static size_t copied;

static int count_upload(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                        size_t n)
{
    copied += n;
    return real->upload(dev, s, dst, src, n);
}

static int count_download(struct rp_device *dev, struct rp_stream *s, void *dst, const void *src,
                          size_t n)
{
    copied += n;
    return real->download(dev, s, dst, src, n);
}

static int count_transfer(struct rp_device *dev, struct rp_stream *s, const struct rp_transfer *t,
                          bool replayed)
{
    copied += t->bytes * (size_t) t->n;
    return real->transfer(dev, s, t, replayed);
}

/* On the CPU only the frames' memory is separate: the models were opened on the real device. */
static int count_from_here(void *priv)
{
    static struct rp_device apart;
    struct rp_pipeline *const p = priv;

    real = p->device->fns;
    counting = *real;
    counting.upload = count_upload;
    counting.download = count_download;
    counting.transfer = count_transfer;
    counting.host_memory = false;
    apart = *p->device;
    if (real->host_memory)
        p->device = &apart;
    p->device->fns = &counting;
    rp_programs_clear(&p->programs); /* sources were analysed */
    p->spoiled = true;                /* not for another job */
    p->plan.device = p->analyse_plan.device = p->device;
    if (real->host_memory)
        p->plan.graph = NULL;
    return 0;
}

static int count_no_more(void *priv)
{
    const struct rp_pipeline *const p = priv;

    p->device->fns = real;
    return 0;
}

/* ---- processors of our own ------------------------------------------------------------------- */

static void twice(const void *self, int w, int h, int *out_w, int *out_h)
{
    (void) self;
    *out_w = 2 * w;
    *out_h = 2 * h;
}

static void record_larger(void *at, const struct rp_frame *frame)
{
    (void) at;
    RP_OP(frame->slot, resize, .src = frame->canvas.img, .dst = frame->into.img);
}

/* The upper half. */
static void record_clear(void *at, const struct rp_frame *frame)
{
    const struct rp_img *const alpha = &frame->canvas.alpha;

    (void) at;
    rp_record_zero(frame->slot, alpha->data, (size_t) alpha->stride * (size_t) (alpha->h / 2));
}

static const struct rp_processor larger = {
    .name = "larger", .size = twice, .record = record_larger};
static const struct rp_processor clear = {.name = "clear", .record = record_clear};

struct swap {
    struct rp_pipeline *p;
    const struct rp_processor *def; /* NULL: the pipeline's own */
};

/* On the device's thread. */
static int put_processor(void *priv)
{
    static struct rp_plan plan;
    const struct swap *const s = priv;

    if (!plan.device || plan.device != s->p->plan.device)
        plan = s->p->plan;
    rp_programs_clear(&s->p->programs);
    s->p->plan = plan;
    if (s->def) {
        s->p->plan.nprocessors = 1;
        s->p->plan.processor[0].def = s->def;
        s->p->plan.processor[0].self = NULL;
        s->p->plan.whole_frame = true;
        s->p->plan.alpha = s->def == &clear;
    }
    return 0;
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* A copy of format and width, with something in its alpha. */
static int copy_image(rp_image *out, const rp_image *from, enum rp_pixel format)
{
    const int ch = format == RP_PIXEL_BGRA ? 4 : 3, has = from->format == RP_PIXEL_BGRA ? 4 : 3;

    *out = (rp_image){.w = from->w, .h = from->h, .format = format, .owned = true};
    out->stride = (ptrdiff_t) out->w * ch;
    if (!(out->data = malloc((size_t) out->stride * (size_t) out->h)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int y = 0; y < out->h; y++)
        for (int x = 0; x < out->w; x++) {
            uint8_t *const to = out->data + y * out->stride + x * ch;

            memcpy(to, from->data + y * from->stride + x * has, 3);
            if (ch == 4)
                to[3] = (uint8_t) (x + 3 * y);
        }
    return 0;
}

static bool same_pixels(const rp_image *a, const rp_image *b)
{
    const size_t n = (size_t) a->w * (a->format == RP_PIXEL_BGRA ? 4 : 3);

    if (a->w != b->w || a->h != b->h || a->format != b->format || a->on_device || b->on_device)
        return false;
    for (int y = 0; y < a->h; y++)
        if (memcmp(a->data + y * a->stride, b->data + y * b->stride, n) != 0)
            return false;
    return true;
}

static void tell(bool ok, const char *picture, const char *what, enum rp_pixel format, int cut)
{
    printf("%s %-30s %-12s %s%s, %zu bytes copied\n", ok ? "ok    " : "FAILED", picture, what,
           format == RP_PIXEL_BGRA ? "BGRA" : "BGR", cut ? ", wider rows" : "", copied);
    fflush(stdout);
    *(ok ? &opt.passed : &opt.failed) += 1;
}

/* The same work on the device gives the bytes of `want`, whoever does it. */
static int check_round(rp_pipeline *p, const rp_image *whole, const rp_image *want, int cut,
                       bool *ok)
{
    int ret;
    rp_image there = {0}, back = {0};

    RP_TRY(rp_image_to_device(p, whole, &there));
    there.w -= cut; /* the stride stays */
    copied = 0;
    RP_TRY(rp_pipeline_process(p, &there));
    *ok = there.on_device && there.owned;
    const size_t was = copied;
    RP_TRY(rp_image_to_host(p, &there, &back));
    *ok = *ok && same_pixels(&back, want);
    copied = was;

fail:
    rp_image_free(&back);
    rp_image_free_on(p, &there);
    return ret;
}

static int check_process(rp_pipeline *p, const char *name, const rp_image *image,
                         const struct rp_processor *def, enum rp_pixel format, int cut)
{
    int ret;
    bool ok = true, all = true;
    rp_image whole = {0}, host = {0};

    RP_TRY(rp_executor_run(p->executor, put_processor, &(struct swap){p, def}));
    RP_TRY(copy_image(&whole, image, format));
    RP_TRY(copy_image(&host, image, format));
    host.w -= cut;
    RP_TRY(rp_pipeline_process(p, &host));
    for (int i = 0; i < ROUNDS; i++) {
        RP_TRY(check_round(p, &whole, &host, cut, &ok));
        all = all && ok;
    }
    all = all && !same_pixels(&whole, &host);
    tell(all && copied < SMALL, name, def ? def->name : "processors", format, cut);

fail:
    rp_image_free(&whole);
    rp_image_free(&host);
    return ret;
}

/* Every byte, including differences that comparing floats would not show. */
static bool same_bytes(const void *a, const void *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static int check_analyse(rp_pipeline *p, const char *name, const rp_image *image,
                         enum rp_pixel format)
{
    int ret, n = 0, m = 0;
    rp_image host = {0}, there = {0};
    rp_face *const a = calloc(2 * MAX_FACES, sizeof(*a)), *const b = a + MAX_FACES;

    RP_TRY(copy_image(&host, image, format));
    RP_TRY(rp_image_to_device(p, &host, &there));
    for (int i = 0; i < ROUNDS; i++) {
        RP_TRY(n = rp_pipeline_analyse(p, &host, a, MAX_FACES));
        copied = 0;
        RP_TRY(m = rp_pipeline_analyse(p, &there, b, MAX_FACES));
    }
    tell(n == m && same_bytes(a, b, MAX_FACES * sizeof(*a)) &&
             copied < SMALL + sizeof(struct rp_dfaces),
         name, "faces", format, 0);
    ret = 0;

fail:
    rp_image_free(&host);
    rp_image_free_on(p, &there);
    free(a);
    return ret;
}

/* What cannot be done is an error, and changes nothing. */
static int check_refused(rp_pipeline *p, const char *name, const rp_image *image)
{
    int ret;
    rp_image host = {0}, there = {0}, back = {0};

    RP_TRY(rp_executor_run(p->executor, put_processor, &(struct swap){p, &clear}));
    RP_TRY(copy_image(&host, image, RP_PIXEL_BGR));
    RP_TRY(rp_image_to_device(p, &host, &there));
    rp_log_hold(true);
    bool ok = rp_pipeline_process(p, &there) == RP_ERR_UNSUPPORTED;
    ok = ok && strstr(rp_last_error(), "BGRA");
    ok = ok && rp_image_to_device(p, &there, &back) == RP_ERR_INVALID && !back.data;
    ok = ok && rp_image_to_host(p, &host, &back) == RP_ERR_INVALID && !back.data;
    ok = ok && rp_image_write(&there, "never.png", 90) == RP_ERR_INVALID;
    rp_log_hold(false);
    RP_TRY(rp_image_to_host(p, &there, &back));
    tell(ok && same_pixels(&host, &back), name, "refused", RP_PIXEL_BGR, 0);

fail:
    rp_image_free(&host);
    rp_image_free(&back);
    rp_image_free_on(p, &there);
    return ret;
}

static int check_picture(rp_pipeline *p, const char *path)
{
    int ret;
    rp_image image = {0};
    const char *const name = rp_path_base(path);

    RP_TRY(rp_image_read(&image, path));
    for (enum rp_pixel format = RP_PIXEL_BGR; format <= RP_PIXEL_BGRA; format++) {
        RP_TRY(check_process(p, name, &image, NULL, format, 0));
        RP_TRY(check_process(p, name, &image, NULL, format, 3));
        RP_TRY(check_process(p, name, &image, &larger, format, 0));
        RP_TRY(check_analyse(p, name, &image, format));
    }
    RP_TRY(check_process(p, name, &image, &clear, RP_PIXEL_BGRA, 5));
    RP_TRY(check_refused(p, name, &image));

fail:
    rp_image_free(&image);
    return ret;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int set_option(rp_options *o, const char *text)
{
    char name[64];
    const char *const value = strchr(text, '=');

    if (!value || value - text >= (int) sizeof(name))
        return rp_fail(RP_ERR_USAGE, "--set %s: must be OPTION=VALUE", text);
    snprintf(name, sizeof(name), "%.*s", (int) (value - text), text);
    return rp_options_set(o, name, value + 1);
}

static int check_pictures(char **paths, int n)
{
    int ret;
    rp_options *o = NULL;
    rp_pipeline *p = NULL;

    RP_TRY(rp_options_create(&o));
    RP_TRY(rp_options_set(o, "execution-providers", opt.device));
    RP_TRY(rp_options_set(o, "face-selector-mode", "many"));
    RP_TRY(rp_options_set_words(o, "source-paths", 1, &opt.source));
    for (int i = 0; i < opt.nset; i++)
        RP_TRY(set_option(o, opt.set[i]));
    if ((ret = rp_pipeline_create(&p, opt.rt, o)) < 0) {
        if (ret == RP_ERR_MISSING || ret == RP_ERR_UNSUPPORTED)
            ret = 77;
        goto fail;
    }
    RP_TRY(rp_executor_run(p->executor, count_from_here, p));
    for (int i = 0; i < n; i++)
        RP_TRY(check_picture(p, paths[i]));

fail:
    if (p && counting.name) {
        rp_executor_run(p->executor, put_processor, &(struct swap){p, NULL});
        rp_executor_run(p->executor, count_no_more, p);
    }
    rp_pipeline_destroy(&p);
    rp_options_destroy(&o);
    return ret;
}

/* The pictures named, or the sample: 77 if that is missing. */
static int check(char **paths, int n)
{
    int ret;
    char *sample = n ? NULL : rp_path_user_cache("media/astronaut.png");

    if (!n && (!sample || !rp_path_is_file(sample))) {
        free(sample);
        rp_fail(RP_ERR_MISSING, "no sample picture; run scripts/setup.sh --tests");
        return 77;
    }
    opt.source = n ? opt.source : sample;
    RP_TRY(rp_runtime_create(&opt.rt, NULL));
    RP_TRY(check_pictures(n ? paths : &sample, n ? n : 1));

fail:
    free(sample);
    return ret;
}

int main(int argc, char **argv)
{
    int ret, c;
    static const struct option longs[] = {
        {"device", 1, NULL, 'd'}, {"source", 1, NULL, 's'}, {"set", 1, NULL, 'o'}, {0}};

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'd')
            opt.device = optarg;
        else if (c == 's')
            opt.source = optarg;
        else if (c == 'o' && opt.nset < MAX_SET)
            opt.set[opt.nset++] = optarg;
        else
            return 2;
    }
    if (!opt.source != (optind == argc)) {
        fprintf(stderr, "usage: checkdevice [--device cuda|cpu] [--set OPTION=VALUE]... "
                "[--source FACE PICTURE...]\n");
        return 2;
    }
    rp_set_log(RP_LOG_WARN, NULL, NULL);
    ret = check(argv + optind, argc - optind);
    rp_runtime_destroy(&opt.rt);
    if (ret == 77) {
        printf("skipped: %s\n0 passed, 0 failed, 1 skipped\n", rp_last_error());
        return 77;
    }
    if (ret < 0)
        opt.failed++;
    printf("%d passed, %d failed\n", opt.passed, opt.failed);
    return opt.failed ? 1 : 0;
}
