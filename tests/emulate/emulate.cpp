/* Runs kernels on the CPU, and is the device that checkgpu opens. */
#include "emulate.h"

#include <ucontext.h>
#include <vector>

#include "device/cuda/cuda.h"

#define STACK (128 * 1024)
#define MAX_THREADS 1024
#define SHARED (160 * 1024)

dim3 threadIdx, blockIdx, blockDim, gridDim;
alignas(16) float emulate_shared[SHARED / sizeof(float)];
struct rp_module_host rp_host;

namespace
{

enum state { RUNS, WAITS_BLOCK, WAITS_WARP, DONE };

/* Runs threads until one of them has to wait. */
struct fiber {
    ucontext_t context;
    std::vector<char> stack;
    state st;
    int thread;
};

struct {
    const std::function<void()> *kernel;
    std::vector<fiber *> fibers;
    int used; /* fibers of this block */
    int current;
    ucontext_t scheduler;
    bool backwards;
    int threads, next, finished;
    int arrived, sum, result;
    int warp_arrived[MAX_THREADS / 32];
    uint64_t lane[MAX_THREADS / 32][32];
} b;

void set_thread(int t)
{
    b.fibers[b.current]->thread = t;
    threadIdx = dim3((unsigned) t % blockDim.x, (unsigned) t / blockDim.x);
}

void release_block(void)
{
    if (b.arrived == 0 || b.arrived < b.threads - b.finished)
        return;
    b.result = b.sum;
    b.sum = b.arrived = 0;
    for (int i = 0; i < b.used; i++)
        if (b.fibers[i]->st == WAITS_BLOCK)
            b.fibers[i]->st = RUNS;
}

void give_way(state st)
{
    fiber *const f = b.fibers[b.current];

    f->st = st;
    if (st == WAITS_BLOCK)
        release_block();
    if (f->st != RUNS)
        swapcontext(&f->context, &b.scheduler);
    set_thread(f->thread);
}

void wait_warp(void)
{
    const int warp = b.fibers[b.current]->thread / 32;

    if (++b.warp_arrived[warp] < 32) {
        give_way(WAITS_WARP);
        return;
    }
    b.warp_arrived[warp] = 0;
    for (int i = 0; i < b.used; i++)
        if (b.fibers[i]->st == WAITS_WARP && b.fibers[i]->thread / 32 == warp)
            b.fibers[i]->st = RUNS;
}

void run_threads(void)
{
    while (b.next < b.threads) {
        const int t = b.next++;

        set_thread(b.backwards ? b.threads - 1 - t : t);
        (*b.kernel)();
        b.finished++;
        release_block();
    }
    b.fibers[b.current]->st = DONE;
    swapcontext(&b.fibers[b.current]->context, &b.scheduler);
}

void new_fiber(void)
{
    if (b.used == (int) b.fibers.size()) {
        b.fibers.push_back(new fiber);
        b.fibers.back()->stack.resize(STACK);
    }
    fiber *const f = b.fibers[b.used++];
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack.data();
    f->context.uc_stack.ss_size = f->stack.size();
    f->context.uc_link = NULL;
    makecontext(&f->context, run_threads, 0);
    f->st = RUNS;
}

void run_block(void)
{
    b.used = b.next = b.finished = b.arrived = b.sum = 0;
    memset(b.warp_arrived, 0, sizeof(b.warp_arrived));
    for (;;) {
        bool ran = false;

        for (int i = 0; i < b.used; i++) {
            if (b.fibers[i]->st != RUNS)
                continue;
            ran = true;
            b.current = i;
            swapcontext(&b.scheduler, &b.fibers[i]->context);
        }
        if (!ran && b.next < b.threads)
            new_fiber();
        else if (!ran)
            break;
    }
    if (b.finished < b.threads) {
        fprintf(stderr, "emulate: %d of %d threads wait for ever\n", b.threads - b.finished,
                b.threads);
        abort();
    }
}

} // namespace

int emulate_block_wait(int v)
{
    b.sum += v;
    b.arrived++;
    give_way(WAITS_BLOCK);
    return b.result;
}

uint64_t *emulate_warp_wait(uint64_t v)
{
    const int t = b.fibers[b.current]->thread;

    b.lane[t / 32][t % 32] = v;
    wait_warp();
    return b.lane[t / 32];
}

void emulate_warp_done(void)
{
    wait_warp();
}

void emulate_launch(dim3 grid, dim3 block, const std::function<void()> &thread)
{
    const unsigned n = grid.x * grid.y * grid.z;

    if (!n || !block.x || !block.y || block.x * block.y > MAX_THREADS || grid.y > 65535) {
        fprintf(stderr, "emulate: a launch of %ux%u blocks of %ux%u threads\n", grid.x, grid.y,
                block.x, block.y);
        abort();
    }
    b.kernel = &thread;
    b.backwards = !b.backwards;
    b.threads = (int) (block.x * block.y);
    gridDim = grid;
    blockDim = block;
    for (unsigned i = 0; i < n; i++) {
        const unsigned k = b.backwards ? n - 1 - i : i;

        blockIdx = dim3(k % grid.x, k / grid.x % grid.y, k / grid.x / grid.y);
        memset(emulate_shared, 0xA5, sizeof(emulate_shared));
        run_block();
    }
}

/* ---- the device ------------------------------------------------------------------------------ */

int rp_cuda_launched(const char *op)
{
    (void) op;
    return 0;
}

static void emulated_destroy(struct rp_device *dev)
{
    delete dev;
}

static int emulated_alloc(struct rp_device *, size_t size, void **out)
{
    *out = calloc(1, size + !size);
    return *out ? 0 : rp_host.fail(RP_ERR_NOMEM, "out of memory");
}

static void emulated_free(struct rp_device *, void *p)
{
    free(p);
}

static int emulated_stream_create(struct rp_device *, struct rp_stream **out)
{
    *out = new rp_stream();
    return 0;
}

static void emulated_stream_destroy(struct rp_device *, struct rp_stream *s)
{
    delete s;
}

static int emulated_copy(struct rp_device *, struct rp_stream *, void *dst, const void *src,
                         size_t n)
{
    memcpy(dst, src, n);
    return 0;
}

static int emulated_zero(struct rp_device *, struct rp_stream *, void *dst, size_t n)
{
    memset(dst, 0, n);
    return 0;
}

static int emulated_sync(struct rp_device *, struct rp_stream *)
{
    return 0;
}

extern "C" __attribute__((visibility("default"))) rp_module_abi_fn rp_module_abi;
extern "C" __attribute__((visibility("default"))) rp_module_open_fn rp_module_open;

void rp_module_abi(struct rp_module_abi *out)
{
    *out = rp_module_abi_here();
}

int rp_module_open(struct rp_device **out, int id, const struct rp_module_host *host)
{
    static struct rp_device_fns fns;

    rp_host = *host;
    fns.name = "emulated";
    fns.destroy = emulated_destroy;
    fns.alloc = emulated_alloc;
    fns.free = emulated_free;
    fns.stream_create = emulated_stream_create;
    fns.stream_destroy = emulated_stream_destroy;
    fns.upload = fns.download = fns.copy = emulated_copy;
    fns.zero = emulated_zero;
    fns.sync = emulated_sync;
    *out = new rp_device();
    (*out)->fns = &fns;
    (*out)->ops = &rp_ops_cuda;
    (*out)->id = id;
    snprintf((*out)->title, sizeof((*out)->title), "kernels on the CPU");
    return 0;
}
