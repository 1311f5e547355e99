/* What the machine has and what it lacks: the library side of `reprise doctor`. It must work where
 * nothing else does, so findings do not depend on each other, and a failure becomes a sentence. */
#include "media/media.h"
#include "models/standins.h"
#include "pipeline/doctor_network.h"
#include "pipeline/runtime.h"

struct lite_count {
    int installed, all;
    char missing[256];
};

static void count_lite(void *priv, const rp_model_info *info)
{
    struct lite_count *const c = priv;
    const size_t n = strlen(c->missing);

    if (!info->lite)
        return;
    c->all++;
    c->installed += info->installed;
    if (!info->installed)
        snprintf(c->missing + n, sizeof(c->missing) - n, "%s%s", n ? ", " : "", info->name);
}

/* No finding of what the machine lacks: there it ends. The sentence was held back. */
static int memory_is_out(int status)
{
    return status == RP_ERR_NOMEM ? rp_fail(status, "%s", rp_last_error()) : 0;
}

static int find_engine(rp_runtime *rt, rp_finding *f, char *detail, size_t size)
{
    struct rp_engine *engine;
    rp_log_hold(true);
    int ret = rp_runtime_engine(rt, &engine);
    if (ret >= 0)
        ret = rp_engine_load(engine);
    const bool ok = ret >= 0;
    rp_log_hold(false);

    *f = (rp_finding){.name = "ONNX Runtime", .needed = true, .detail = detail, .ok = ok};
    if (ok)
        snprintf(detail, size, "%s, %s", rp_engine_version(engine), rp_engine_library(engine));
    else
        snprintf(detail, size, "%s", rp_last_error());
    f->advice = ok ? NULL : "run scripts/setup.sh, or set ORT_HOME to a folder with "
                            "lib/libonnxruntime.so of version 1.29 or newer; without it: "
                            "--network-engine native";
    return memory_is_out(ret);
}

static int find_models(rp_runtime *rt, rp_finding *f, char *detail, size_t size)
{
    struct lite_count c = {0};
    const char *const shared = rp_store_shared(rt->store);

    RP_CHECK(rp_models_each(rt, count_lite, &c));
    *f = (rp_finding){.name = "models", .needed = true, .detail = detail,
                      .ok = c.installed == c.all};
    f->advice =
        f->ok ? NULL : "run reprise force-download lite, or give another folder with --models-path";
    snprintf(detail, size, "%d of %d files of the lite set in %s%s%s%s%s", c.installed, c.all,
             rp_store_path(rt->store), shared ? " and " : "", shared ? shared : "",
             c.missing[0] ? "; missing: " : "", c.missing);
    return 0;
}

static void find_check(rp_finding *f)
{
    *f = (rp_finding){.name = "content check", .ok = true, .needed = true,
                      .detail = "uses the published networks only"};
    if (rp_standins_allowed()) {
        f->detail = "accepts stand-ins for its networks, as every output's mark says";
        f->advice = "this is a build for tests; build without -Dcheck_standins=true";
    }
}

/* Record one operation and replay it: does the GPU give the CPU's result? */
static int try_graph(struct rp_device *dev, bool *same)
{
    int ret;
    uint8_t src[48 * 3], cpu[24 * 3], gpu[24 * 3];
    struct rp_slot *slot = NULL;
    struct rp_recording *recording = NULL;
    struct rp_img big, small;

    for (size_t i = 0; i < sizeof(src); i++)
        src[i] = (uint8_t) (i * 37);
    RP_TRY(rp_slot_create(&slot, dev));
    RP_TRY(rp_slot_image(slot, 48, 1, 3, &big));
    RP_TRY(rp_slot_image(slot, 24, 1, 3, &small));
    RP_TRY(rp_slot_upload(slot, big.data, src, sizeof(src)));
    RP_TRY(RP_OP_NOW(slot, resize, .src = big, .dst = small)); /* loads the kernel */
    RP_TRY(rp_slot_zero(slot, small.data, sizeof(gpu)));
    RP_TRY(dev->fns->record_begin(dev, slot->stream));
    RP_TRY(RP_OP_NOW(slot, resize, .src = big, .dst = small));
    RP_TRY(dev->fns->record_end(dev, slot->stream, &recording));
    RP_TRY(dev->fns->replay(dev, slot->stream, recording, true));
    RP_TRY(rp_slot_download(slot, gpu, small.data, sizeof(gpu)));
    RP_TRY(rp_slot_sync(slot));
    big.data = src;
    small.data = cpu;
    rp_c_resize(NULL, &(struct rp_op_resize){big, small});
    *same = memcmp(cpu, gpu, sizeof(gpu)) == 0;

fail:
    if (slot && ret < 0 && dev->fns->record_drop)
        dev->fns->record_drop(dev, slot->stream);
    if (recording)
        dev->fns->recording_free(dev, &recording);
    rp_slot_destroy(&slot);
    return ret;
}

/* The GPU is optional: a missing part is reported with where to get it. */
struct gpu_check {
    rp_runtime *runtime;
    rp_finding *finding;
    char *detail;
    size_t size;
    bool networks; /* it runs those of our own */
};

/* On the GPU's thread. */
static int check_gpu(void *priv)
{
    bool same = false, right = false;
    size_t free_bytes = 0, total = 0;
    struct rp_device *dev;
    struct gpu_check *const c = priv;

    RP_CHECK(rp_runtime_gpu(c->runtime, 0, &dev));
    RP_CHECK(try_graph(dev, &same));
    c->networks = rp_doctor_network(dev, &right) >= 0 && right;
    if (dev->fns->memory(dev, &free_bytes, &total) < 0)
        return rp_fail(RP_ERR_DEVICE, "GPU: it does not say how much memory is free");
    c->finding->ok = same;
    c->finding->advice =
        same ? NULL : "update the driver; if it stays, use --execution-providers cpu";
    snprintf(c->detail, c->size, "%s, %.1f of %.1f GiB free, %s", dev->title,
             (double) free_bytes / (1 << 30), (double) total / (1 << 30),
             same ? "a recorded graph equals the CPU" : "A RECORDED GRAPH DIFFERS FROM THE CPU");
    return 0;
}

static int find_gpu(rp_runtime *rt, rp_finding *f, char *detail, size_t size, bool *networks)
{
    int ret;
    struct rp_executor *executor;
    struct gpu_check check = {rt, f, detail, size, false};

    *f = (rp_finding){.name = "GPU", .detail = detail,
                      .advice = "for an NVIDIA GPU: driver 580 or newer, then make gpu"};
    rp_log_hold(true);
    if ((ret = rp_runtime_executor(rt, 0, &executor)) < 0 ||
        (ret = rp_executor_run(executor, check_gpu, &check)) < 0)
        snprintf(detail, size, "%s", rp_last_error());
    rp_log_hold(false);
    *networks = check.networks;
    return memory_is_out(ret);
}

/* The network that is run on each device must give the numbers that are known.
 * @param on_gpu  it did there */
static int find_networks(rp_runtime *rt, rp_finding *f, char *detail, size_t size, bool gpu,
                         bool on_gpu)
{
    bool right;

    rp_log_hold(true);
    const int ret = rp_doctor_network(rt->device, &right);
    rp_log_hold(false);
    *f = (rp_finding){.name = "native networks", .needed = true, .detail = detail,
                      .ok = ret >= 0 && right && (!gpu || on_gpu)};
    snprintf(detail, size, "a network of our own %s on the processor%s",
             ret >= 0 && right ? "is right" : "IS WRONG",
             !gpu     ? ""
             : on_gpu ? ", and right on the GPU"
                      : ", and WRONG ON THE GPU");
    if (!f->ok)
        f->advice = "give --network-engine onnxruntime; if the GPU is wrong, update its driver";
    return memory_is_out(ret);
}

static void find_provider(rp_runtime *rt, rp_finding *f, char *detail, size_t size, bool gpu)
{
    struct rp_engine *engine;
    const bool cuda = rp_runtime_engine(rt, &engine) >= 0 && rp_engine_has_cuda(engine);

    *f = (rp_finding){.name = "provider", .ok = true, .needed = true, .detail = detail};
    snprintf(detail, size, "cpu%s", cuda && gpu ? "; cuda with --execution-providers cuda" : "");
    if (gpu && !cuda)
        f->advice = "no CUDA provider in this ONNX Runtime: make gpu brings it; --network-engine native "
                    "does without (reprise models --networks)";
}

static void find_video(rp_finding *f, char *detail, size_t size)
{
    const char *const *const encoders = rp_video_encoders();
    size_t n = (size_t) snprintf(detail, size, encoders[0] ? "encoders:" : "no encoder");

    for (int i = 0; encoders[i] && n < size; i++)
        if (!rp_encoder_hardware(encoders[i]))
            n += (size_t) snprintf(detail + n, size - n, " %s", encoders[i]);
    *f = (rp_finding){.name = "video", .ok = encoders[0] != NULL, .needed = true, .detail = detail,
                      .advice = encoders[0] ? NULL : "install FFmpeg's libraries and build again"};
}

/* That FFmpeg was built with an encoder does not mean that it works here: each is opened.
 * @param first  index of the first encoder of its brand */
static int find_hardware(int first, rp_finding *f, char text[3][256])
{
    int ret;
    size_t n = 0, bad = 0;
    char why[128] = "";
    const char *const *const encoders = rp_video_encoders();
    const struct rp_hardware *const hardware = rp_encoder_hardware(encoders[first]);

    *f = (rp_finding){.name = text[0], .detail = text[1], .ok = true};
    snprintf(text[0], sizeof(text[0]), "%s encoders", hardware->brand);
    for (int i = first; encoders[i] && n < sizeof(text[1]); i++) {
        if (rp_encoder_hardware(encoders[i]) != hardware)
            continue;
        n += (size_t) snprintf(text[1] + n, sizeof(text[1]) - n, "%s%s", n ? " " : "", encoders[i]);
        if ((ret = rp_encoder_opens(encoders[i], why, sizeof(why))) < 0)
            return ret;
        bad += !ret;
    }
    f->ok = !bad;
    if (f->ok)
        return 0;
    if (n < sizeof(text[1]))
        snprintf(text[1] + n, sizeof(text[1]) - n, " cannot be opened: %s", why);
    f->advice = text[2];
    snprintf(text[2], sizeof(text[2]), "for these: %s; libx264 and libx265 need nothing of that",
             hardware->needs);
    return 0;
}

static int tell_hardware(void (*fn)(void *priv, const rp_finding *finding), void *priv)
{
    char text[3][256];
    rp_finding f;
    const struct rp_hardware *last = NULL;
    const char *const *const encoders = rp_video_encoders();

    for (int i = 0; encoders[i]; i++) {
        const struct rp_hardware *const hardware = rp_encoder_hardware(encoders[i]);

        if (!hardware || hardware == last)
            continue;
        rp_log_hold(true);
        const int ret = find_hardware(i, &f, text);
        rp_log_hold(false);
        if (ret < 0)
            return rp_fail(ret, "%s", rp_last_error());
        fn(priv, &f);
        last = hardware;
    }
    return 0;
}

int rp_doctor(rp_runtime *runtime, void (*fn)(void *priv, const rp_finding *finding), void *priv)
{
    rp_finding f;
    char detail[1024];
    bool ok, gpu, on_gpu;

    if (!runtime)
        return rp_fail(RP_ERR_INVALID, "no runtime");
    f = (rp_finding){.name = "processor", .ok = true, .needed = true, .detail = detail};
    snprintf(detail, sizeof(detail), "%d core%s", rp_cpu_count(), rp_cpu_count() == 1 ? "" : "s");
    fn(priv, &f);
    RP_CHECK(find_engine(runtime, &f, detail, sizeof(detail)));
    ok = f.ok;
    fn(priv, &f);
    RP_CHECK(find_models(runtime, &f, detail, sizeof(detail)));
    ok &= f.ok;
    fn(priv, &f);
    find_check(&f);
    fn(priv, &f);
    find_video(&f, detail, sizeof(detail));
    ok &= f.ok;
    fn(priv, &f);
    RP_CHECK(tell_hardware(fn, priv));
    RP_CHECK(find_gpu(runtime, &f, detail, sizeof(detail), &on_gpu));
    gpu = f.ok;
    fn(priv, &f);
    RP_CHECK(find_networks(runtime, &f, detail, sizeof(detail), gpu, on_gpu));
    ok &= f.ok;
    fn(priv, &f);
    rp_log_hold(true);
    find_provider(runtime, &f, detail, sizeof(detail), gpu);
    rp_log_hold(false);
    fn(priv, &f);
    return ok ? 0 : RP_ERR_UNSUPPORTED;
}
