/* checkdecode: a GPU's decoder gives the same frames as the processor's.
 *
 *     checkdecode CLIP...
 *
 * Each clip is read twice; planes, times and numbers are compared, and speed and processor time are
 * shown. Frames of a clip that the GPU does not decode come from the processor and are equal: the
 * line says how many were on the GPU. A clip whose name begins with "hurt" is damaged: both must
 * refuse it.
 *
 * Exit: 0 all equal, 1 a difference, 77 no GPU. Last line: N passed, N failed. */
#include <time.h>

#include "pipeline/port.h"
#include "pipeline/surface.h"

static struct {
    struct rp_device *device;
    struct rp_surfaces *surfaces;
    uint8_t *row; /* pinned */
    size_t room;
} gpu;

struct tally {
    int frames, on_gpu, different, status;
    double seconds, processor;
};

static double processor_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static struct rp_reader_params params_for(bool on_gpu)
{
    return (struct rp_reader_params){.refuse = true,
                                     .memory = rp_port_memory(gpu.device),
                                     .gpu = on_gpu ? &gpu.surfaces->decoder : NULL};
}

static void plane_size(const struct rp_media_frame *f, int p, size_t *bytes, int *rows)
{
    const bool half = p > 0, deep = f->fmt == RP_FMT_YUV420P10;

    *bytes = (size_t) (half ? (f->w + 1) / 2 : f->w) << deep;
    *rows = half ? (f->h + 1) / 2 : f->h;
}

/* A plane's rows on the host, one after the other. */
static int fetch(const struct rp_media_frame *f, int p, size_t bytes, int rows)
{
    struct rp_stream *const s = gpu.surfaces->stream;
    const struct rp_device_fns *const fns = gpu.device->fns;

    if (bytes * (size_t) rows > gpu.room) {
        if (gpu.row)
            fns->free_host(gpu.device, gpu.row);
        gpu.row = NULL;
        gpu.room = bytes * (size_t) rows;
        RP_CHECK(fns->alloc_host(gpu.device, gpu.room, (void **) &gpu.row));
    }
    RP_CHECK(fns->transfer(gpu.device, s,
                           &(const struct rp_transfer){.dst = gpu.row,
                                                       .src = f->plane[p],
                                                       .dst_stride = bytes,
                                                       .src_stride = (size_t) f->stride[p],
                                                       .bytes = bytes,
                                                       .n = rows},
                           false));
    return fns->sync(gpu.device, s);
}

static int compare(const struct rp_media_frame *a, const struct rp_media_frame *b, bool *same)
{
    *same = a->w == b->w && a->h == b->h && a->fmt == b->fmt && a->pts == b->pts &&
            a->index == b->index && a->key == b->key;
    for (int p = 0; p < 3 && *same; p++) {
        int rows;
        size_t bytes;

        plane_size(a, p, &bytes, &rows);
        RP_CHECK(fetch(b, p, bytes, rows));
        for (int y = 0; y < rows; y++)
            *same &= !memcmp(a->plane[p] + (ptrdiff_t) y * a->stride[p],
                             gpu.row + (size_t) y * bytes, bytes);
    }
    return 0;
}

static int read_both(const char *path, struct tally *t)
{
    int ret;
    bool same;
    struct rp_reader *a = NULL, *b = NULL;
    struct rp_media_frame *f = NULL, *g = NULL;
    const struct rp_reader_params here = params_for(false), there = params_for(true);

    RP_TRY(rp_reader_open(&a, path, &here));
    RP_TRY(rp_reader_open(&b, path, &there));
    for (;;) {
        rp_media_frame_free(&f);
        rp_media_frame_free(&g);
        RP_TRY(rp_reader_next(a, &f));
        RP_TRY(rp_reader_next(b, &g));
        if (!f || !g)
            break;
        RP_TRY(compare(f, g, &same));
        t->frames++;
        t->on_gpu += g->on_gpu;
        t->different += !same;
    }
    t->different += f || g;

fail:
    rp_media_frame_free(&f);
    rp_media_frame_free(&g);
    rp_reader_close(&a);
    rp_reader_close(&b);
    return ret;
}

static void read_one(const char *path, bool on_gpu, struct tally *t)
{
    struct rp_reader *r = NULL;
    struct rp_media_frame *f = NULL;
    const struct rp_reader_params params = params_for(on_gpu);
    const double begun = rp_now(), used = processor_time();

    t->status = rp_reader_open(&r, path, &params);
    while (t->status >= 0 && (t->status = rp_reader_next(r, &f)) >= 0 && f) {
        t->frames++;
        t->on_gpu += f->on_gpu;
        rp_media_frame_free(&f);
    }
    rp_reader_close(&r);
    t->seconds = rp_now() - begun;
    t->processor = processor_time() - used;
}

static const char *name_of(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool check(const char *path)
{
    bool good;
    const bool hurt = !strncmp(name_of(path), "hurt", 4);
    struct tally both = {0}, here = {0}, there = {0};

    if (!hurt)
        both.status = read_both(path, &both);
    read_one(path, false, &here);
    read_one(path, true, &there);
    good = here.status == there.status && (hurt || (both.status >= 0 && both.different == 0));
    printf("%-6s %-28s %4d frames, %4d on the GPU, %d differ; status %d and %d; processor %.0f/s "
           "(%.2f s of it), GPU %.0f/s (%.2f s)\n",
           good ? "ok" : "BAD", name_of(path), there.frames, there.on_gpu, both.different,
           here.status, there.status, here.frames / here.seconds, here.processor,
           there.frames / there.seconds, there.processor);
    fflush(stdout);
    return good;
}

int main(int argc, char **argv)
{
    int passed = 0;

    if (rp_device_cuda(&gpu.device, 0) < 0 || rp_surfaces_open(&gpu.surfaces, gpu.device) < 0) {
        printf("skipped: %s\n", rp_last_error());
        return 77;
    }
    for (int i = 1; i < argc; i++)
        passed += check(argv[i]);
    if (gpu.row)
        gpu.device->fns->free_host(gpu.device, gpu.row);
    rp_surfaces_close(&gpu.surfaces);
    rp_device_destroy(&gpu.device);
    printf("%d passed, %d failed\n", passed, argc - 1 - passed);
    return passed < argc - 1;
}
