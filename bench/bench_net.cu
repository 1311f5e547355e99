/* The convolutions of the hot networks on a GPU: that every tile and every batch gives the same
 * bytes, microseconds, TFLOP/s, and the sum of each network.
 *
 *   bench_net [--all] [NETWORK]     --all: every tile and number of parts, not only the rule's
 *
 * Layers are those of the networks' files (tools/twins). A time is that of one of LAYERS launches
 * of a graph, each of which waits for the one before it: what it takes within a network, with the
 * data in the cache as it is there. The file is all of the program: the kernels are compiled into
 * it. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <cuda_runtime.h>

#include "device/cuda/net_conv.cuh"

struct rp_module_host rp_host;

#define LAYERS 20
#define RUNS 9

static void need(cudaError_t error, const char *what)
{
    if (error != cudaSuccess) {
        fprintf(stderr, "bench_net: %s: %s\n", what, cudaGetErrorString(error));
        exit(1);
    }
}

int rp_cuda_launched(const char *op)
{
    need(cudaGetLastError(), op);
    return 0;
}

static int told(int status, const char *format, ...)
{
    fprintf(stderr, "bench_net: %s\n", format);
    return status;
}

/* ---- layers
 * -------------------------------------------------------------------------------------- */

struct layer {
    int count, size, in, out, k, stride; /* size: of the source */
    int mode;                            /* what is around it */
};

struct network {
    const char *name;
    double aim; /* milliseconds for all of it */
    std::vector<layer> layers;
};

static void fan_block(std::vector<layer> &l, int count, int size, int in, int out)
{
    l.push_back({count, size, in, out / 2, 3, 1});
    l.push_back({count, size, out / 2, out / 4, 3, 1});
    l.push_back({count, size, out / 4, out / 4, 3, 1});
    if (in != out)
        l.push_back({count, size, in, out, 1, 1});
}

static void c2f(std::vector<layer> &l, int size, int in, int out, int n)
{
    l.push_back({1, size, in, out, 1, 1});
    l.push_back({2 * n, size, out / 2, out / 2, 3, 1});
    l.push_back({1, size, out / 2 * (2 + n), out, 1, 1});
}

static network arcface(void)
{
    network n = {"arcface", 0.10, {{1, 112, 3, 64, 3, 1}}};
    int size = 112, in = 64;
    const int count[] = {3, 4, 14, 3};

    for (int i = 0; i < 4; i++, size /= 2) {
        const int width = 64 << i;

        n.layers.push_back({1, size, in, width, 3, 1});
        n.layers.push_back({1, size, width, width, 3, 2});
        n.layers.push_back({1, size, in, width, 1, 2});
        n.layers.push_back({2 * (count[i] - 1), size / 2, width, width, 3, 1});
        in = width;
    }
    n.layers.push_back({1, 1, 25088, 512, 1, 1});
    return n;
}

static network fan(void)
{
    network n = {"2dfan4", 0.45, {{1, 256, 3, 64, 7, 2}}};

    fan_block(n.layers, 1, 128, 64, 128);
    fan_block(n.layers, 1, 64, 128, 128);
    fan_block(n.layers, 1, 64, 128, 256);
    fan_block(n.layers, 8, 64, 256, 256);
    for (int size = 32; size >= 4; size /= 2)
        fan_block(n.layers, 12, size, 256, 256);
    n.layers.push_back({7, 64, 256, 256, 1, 1});
    n.layers.push_back({4, 64, 256, 68, 1, 1});
    n.layers.push_back({3, 64, 68, 256, 1, 1});
    return n;
}

static network yoloface(void)
{
    network n = {"yoloface", 0.15, {{1, 640, 3, 16, 3, 2}, {1, 320, 16, 32, 3, 2}}};
    std::vector<layer> &l = n.layers;

    c2f(l, 160, 32, 32, 1);
    for (int i = 0; i < 3; i++) {
        l.push_back({1, 160 >> i, 32 << i, 64 << i, 3, 2});
        c2f(l, 80 >> i, 64 << i, 64 << i, i == 2 ? 1 : 2);
    }
    l.push_back({1, 20, 256, 128, 1, 1});
    l.push_back({1, 20, 512, 256, 1, 1});
    c2f(l, 40, 384, 128, 1);
    c2f(l, 80, 192, 64, 1);
    l.push_back({1, 80, 64, 64, 3, 2});
    c2f(l, 40, 192, 128, 1);
    l.push_back({1, 40, 128, 128, 3, 2});
    c2f(l, 20, 384, 256, 1);
    for (int i = 0; i < 3; i++) {
        const int size = 80 >> i, in = 64 << i;

        l.push_back({2, size, in, 64, 3, 1});
        l.push_back({2, size, 64, 64, 3, 1});
        l.push_back({1, size, in, 16, 3, 1});
        l.push_back({1, size, 16, 16, 3, 1});
        l.push_back({1, size, 64, 64, 1, 1});
        l.push_back({1, size, 64, 1, 1, 1});
        l.push_back({1, size, 16, 15, 1, 1});
    }
    return n;
}

static network inswapper(void)
{
    return {"inswapper",
            0.85,
            {{1, 128, 3, 128, 7, 1, RP_PAD_REFLECT},
             {1, 128, 128, 256, 3, 1},
             {1, 128, 256, 512, 3, 2},
             {1, 64, 512, 1024, 3, 2},
             {12, 32, 1024, 1024, 3, 1, RP_PAD_REFLECT},
             {1, 64, 1024, 512, 3, 1},
             {1, 128, 512, 256, 3, 1},
             {1, 128, 256, 128, 3, 1},
             {1, 128, 128, 3, 7, 1, RP_PAD_REFLECT}}};
}

static network hyperswap(void)
{
    return {"hyperswap",
            0.60,
            {{1, 256, 3, 64, 7, 1},
             {1, 256, 64, 128, 3, 2},
             {1, 128, 128, 256, 3, 2},
             {1, 64, 256, 512, 3, 2},
             {34, 32, 512, 512, 3, 1, RP_PAD_REFLECT},
             {1, 64, 512, 256, 3, 1},
             {1, 128, 256, 128, 3, 1},
             {1, 256, 128, 64, 3, 1},
             {1, 256, 64, 3, 7, 1},
             {1, 256, 64, 1, 3, 1}}};
}

static network gfpgan(void)
{
    static const int unet[] = {256, 256, 256, 256, 256, 128, 64, 32}; /* 4, 8 to 512 */
    static const int style[] = {512, 512, 512, 512, 512, 256, 128, 64};
    network n = {
        "gfpgan", 1.7, {{1, 512, 3, 32, 1, 1}, {1, 4, 256, 256, 3, 1}, {1, 4, 512, 512, 3, 1}}};

    for (int i = 7; i > 0; i--) {
        const int size = 4 << i, c = unet[i], to = unet[i - 1];

        n.layers.push_back({1, size, c, c, 3, 1});
        n.layers.push_back({1, size / 2, c, to, 3, 1});
        n.layers.push_back({1, size / 2, c, to, 1, 1});
        n.layers.push_back({1, size / 2, to, to, 3, 1});
        n.layers.push_back({1, size, to, c, 3, 1});
        n.layers.push_back({1, size, to, c, 1, 1});
        n.layers.push_back({4, size, c, c, 3, 1});
        n.layers.push_back({1, size, style[i - 1], style[i], 3, 1});
        n.layers.push_back({1, size, style[i], style[i], 3, 1});
        n.layers.push_back({1, size, style[i], 3, 1, 1});
    }
    return n;
}

/* ---- memory -------------------------------------------------------------------------------------
 */

static uint32_t state = 2463534242u;

static float draw(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (float) (int) (state >> 8 & 0xffff) / 32768 - 1;
}

static void *device(size_t bytes)
{
    void *p;

    need(cudaMalloc(&p, bytes), "memory");
    need(cudaMemset(p, 0, bytes), "memory");
    return p;
}

static void fill(void *data, int type, size_t n, float scale)
{
    const size_t each = type == RP_ACT_F16 ? 2 : 4;
    std::vector<uint8_t> host(n * each);

    for (size_t i = 0; i < n; i++)
        rp_number_put(host.data(), type, (int64_t) i, draw() * scale);
    need(cudaMemcpy(data, host.data(), n * each, cudaMemcpyHostToDevice), "copy");
}

static void *arena[4]; /* source, result, weights, scratch */
static const size_t room[4] = {640u << 20, 640u << 20, 256u << 20, 512u << 20};

static size_t bytes_of(const struct rp_act &t)
{
    return (size_t) t.n * t.h * t.w * t.ld * (t.type == RP_ACT_F16 ? 2 : 4);
}

static struct rp_op_net_conv conv_of(const layer &l, int type, int n)
{
    struct rp_op_net_conv a = {};
    const int size = (l.size - 1) / l.stride + 1;

    a.src = {arena[0], type, n, l.size, l.size, l.in, RP_ACT_ROUND(l.in)};
    a.dst = {arena[1], type, n, size, size, l.out, RP_ACT_ROUND(l.out)};
    a.weights = arena[2];
    a.kh = a.kw = l.k;
    a.stride_h = a.stride_w = l.stride;
    a.dilation_h = a.dilation_w = a.groups = a.up = a.shuffle = 1;
    a.pad_top = a.pad_left = l.k / 2;
    a.pad_mode = l.mode;
    a.then.fn = RP_FN_LEAKY;
    a.then.alpha = 0.2f;
    a.work = arena[3];
    return a;
}

/* ---- the same bytes
 * ------------------------------------------------------------------------------- */

static std::vector<uint8_t> result(struct rp_stream *s, const struct rp_op_net_conv &a, int tile)
{
    std::vector<uint8_t> out(bytes_of(a.dst));

    need(cudaMemset(a.dst.data, 0xa5, out.size()), "memory");
    if (tile < 0)
        rp_conv_one_by_one(s, &a);
    else
        rp_conv_kernels_for(&a)->launch(s, &a, make_plan(&a), tile);
    need(cudaDeviceSynchronize(), "convolution");
    need(cudaMemcpy(out.data(), a.dst.data, out.size(), cudaMemcpyDeviceToHost), "copy");
    return out;
}

static double difference(const struct rp_act &t, const std::vector<uint8_t> &p,
                         const std::vector<uint8_t> &q)
{
    double sum = 0, all = 0;
    const size_t n = bytes_of(t) / (t.type == RP_ACT_F16 ? 2 : 4);

    for (size_t i = 0; i < n; i++) {
        const double x = rp_number_get(p.data(), t.type, (int64_t) i);
        const double y = rp_number_get(q.data(), t.type, (int64_t) i);

        sum += (x - y) * (x - y);
        all += x * x;
    }
    return all > 0 && sum == sum ? sqrt(sum / all) : 9;
}

static int check(struct rp_stream *s, const layer &l, int type)
{
    struct rp_op_net_conv a = conv_of(l, type, 3), one = conv_of(l, type, 1);
    const struct conv_kernels &k = *rp_conv_kernels_for(&a);
    const conv_plan p = make_plan(&a);
    int bad = 0;

    fill(arena[0], type, bytes_of(a.src) / (type ? 2 : 4), 1);
    fill(arena[2], type, rp_conv_pack_bytes(type, l.out, l.in, 1, l.k, l.k) / (type ? 2 : 4), 0.1f);
    const int rule = k.choose(&a, p);
    const std::vector<uint8_t> plain = result(s, a, -1), first = result(s, a, rule);
    const double d = difference(a.dst, plain, first);
    const bool wrong = !(d < (type ? 2e-3 : 1e-3));
    for (int t = 0; t < k.tiles; t++) {
        if (!k.can(&a, p, t))
            continue;
        const std::vector<uint8_t> again = result(s, a, t), alone = result(s, one, t);

        if (again != first) /* pieces above the channels are zeros in all */
            printf("tile %d differs from tile %d\n", t, rule), bad++;
        if (memcmp(alone.data(), first.data(), alone.size()))
            printf("tile %d: one row alone differs\n", t), bad++;
    }
    if (wrong || bad)
        printf("FAILED: type %d, %dx%d %d -> %d, window %d, around it %d: relative difference "
               "%.2g\n",
               type, l.size, l.size, l.in, l.out, l.k, l.mode, d);
    return wrong || bad;
}

/* ---- times
 * --------------------------------------------------------------------------------------- */

static double time_of(struct rp_stream *s, const struct conv_kernels &k,
                      const struct rp_op_net_conv &a, const conv_plan &p, int tile)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaEvent_t begin, end;
    std::vector<float> ms(RUNS);

    need(cudaStreamBeginCapture(s->record, cudaStreamCaptureModeGlobal), "capture");
    for (int i = 0; i < LAYERS; i++)
        k.launch(s, &a, p, tile);
    need(cudaStreamEndCapture(s->record, &graph), "capture");
    need(cudaGraphInstantiate(&exec, graph, 0), "graph");
    need(cudaEventCreate(&begin), "event");
    need(cudaEventCreate(&end), "event");
    for (int i = -2; i < RUNS; i++) {
        need(cudaEventRecord(begin, s->record), "event");
        need(cudaGraphLaunch(exec, s->record), "graph");
        need(cudaEventRecord(end, s->record), "event");
        need(cudaEventSynchronize(end), "event");
        if (i >= 0)
            need(cudaEventElapsedTime(&ms[(size_t) i], begin, end), "event");
    }
    need(cudaGraphExecDestroy(exec), "graph");
    need(cudaGraphDestroy(graph), "graph");
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    std::sort(ms.begin(), ms.end());
    return (double) ms[RUNS / 2] * 1e3 / LAYERS;
}

struct sums {
    double rule, best, single, flop; /* microseconds; single: TF32 */
};

/* Every tile and number of parts: as text, and the best. */
static std::string all_of(struct rp_stream *s, const struct conv_kernels &k,
                          const struct rp_op_net_conv &a, conv_plan p, double *best)
{
    std::string table;

    for (int t = 0; t < k.tiles; t++)
        for (p.splits = 1; p.splits <= 32 && p.splits <= p.steps; p.splits *= 2) {
            int m, n;
            char text[40];

            k.size(t, &m, &n);
            const int64_t tiles = (int64_t) rp_div_up(p.pixels, m) * rp_div_up(p.out, n);
            if (!k.can(&a, p, t) ||
                (p.splits > 1 &&
                 (&k == &rp_conv_patch || tiles * p.splits > 600 || p.steps / p.splits < 4)))
                continue;
            const double now = time_of(s, k, a, p, t);

            snprintf(text, sizeof(text), " %d/%d:%.1f", t, p.splits, now);
            table += text;
            *best = std::min(*best, now);
        }
    return table;
}

static void bench_layer(struct rp_stream *s, const layer &l, int n, bool all, sums *sum)
{
    const struct rp_op_net_conv a = conv_of(l, RP_ACT_F16, n), f = conv_of(l, RP_ACT_F32, n);
    const struct conv_kernels &k = *rp_conv_kernels_for(&a), &kf = *rp_conv_kernels_for(&f);
    const conv_plan p = make_plan(&a), pf = make_plan(&f);
    const int tile = k.choose(&a, p);
    const double flop = 2.0 * p.pixels * l.out * l.in * l.k * l.k;

    rp_conv_early = false;
    const double us = time_of(s, k, a, p, tile);
    const double single = time_of(s, kf, f, pf, kf.choose(&f, pf));
    double best = us;
    printf("%3d x %3d %4d -> %4d k%d s%d | tile %d/%d %7.2f us %6.1f TFLOP/s | tf32 %7.2f", l.count,
           l.size, l.in, l.out, l.k, l.stride, tile, p.splits, us, flop / us * 1e-6, single);
    if (&k == &rp_conv_patch)
        printf(" | without patches %7.2f",
               time_of(s, rp_conv_hopper, a, p, rp_conv_hopper.choose(&a, p)));
    if (all) {
        const std::string table = all_of(s, k, a, p, &best);

        printf(" | best %7.2f%s", best, table.c_str());
    }
    printf("\n");
    sum->rule += l.count * us;
    sum->best += l.count * best;
    sum->single += l.count * single;
    sum->flop += l.count * flop;
}

static void bench(struct rp_stream *s, const network &net, int n, bool all)
{
    sums sum = {};

    printf("\n%s, batch %d\n", net.name, n);
    for (const layer &l : net.layers)
        bench_layer(s, l, n, all, &sum);
    printf("SUM %s batch %d: %.1f GFLOP, fp16 %.3f ms (%.1f TFLOP/s), best of all %.3f, tf32 %.3f, "
           "aim of the whole network %.2f\n",
           net.name, n, sum.flop * 1e-9, sum.rule * 1e-3, sum.flop / sum.rule * 1e-6,
           sum.best * 1e-3, sum.single * 1e-3, net.aim * n);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const network nets[] = {arcface(), fan(), yoloface(), inswapper(), hyperswap(), gfpgan()};
    static const layer odd[] = {
        {1, 9, 8, 5, 3, 1},      {1, 14, 256, 256, 3, 1}, {1, 7, 512, 512, 3, 1},
        {1, 33, 40, 72, 3, 2},   {1, 17, 72, 200, 1, 1},  {1, 1, 2000, 130, 1, 1},
        {1, 64, 128, 128, 3, 1}, {1, 21, 8, 17, 7, 1},    {1, 4, 512, 512, 3, 1},
        {1, 80, 64, 64, 3, 1},   {1, 40, 72, 40, 3, 1},   {1, 60, 16, 21, 7, 1},
        {1, 48, 200, 136, 5, 1}, {1, 32, 512, 512, 3, 1}, {1, 46, 136, 8, 2, 1},
        {1, 112, 32, 40, 3, 1},  {1, 96, 64, 3, 1, 1},    {1, 64, 8, 32, 1, 1}};
    struct rp_stream s = {};
    bool all = false, fast = false;
    int failed = 0;
    const char *wanted = "";

    rp_host.fail = told;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--all"))
            all = true;
        else if (!strcmp(argv[i], "--fast"))
            fast = true;
        else
            wanted = argv[i];
    need(cudaStreamCreate(&s.record), "stream");
    for (int i = 0; i < 4; i++)
        arena[i] = device(room[i]);
    for (layer l : odd)
        for (int i = 0; i < 4; i++) {
            l.mode = i / 2 && l.k > 1 ? RP_PAD_REFLECT : RP_PAD_ZERO;
            failed += check(&s, l, i % 2);
        }
    printf("checks: %d failed of %d\n", failed, (int) (4 * sizeof(odd) / sizeof(*odd)));
    fill(arena[0], RP_ACT_F16, 64 << 20, 1);
    fill(arena[2], RP_ACT_F16, 16 << 20, 0.1f);
    for (const network &n : nets)
        if (strstr(n.name, wanted)) {
            bench(&s, n, 1, all);
            if (!fast)
                bench(&s, n, 8, all);
        }
    return failed != 0;
}
