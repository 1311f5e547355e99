/* Device memory for ONNX Runtime, in pools.
 *
 * Pool 0 is for weights and eager runs. While a slot's work is recorded, the thread takes memory
 * from that slot's own pool: a recorded graph keeps the addresses of its scratch memory, so no
 * other slot may ever get them, or graphs running at once would overwrite each other. A block goes
 * back only to its own pool. ONNX Runtime's own arena keeps no such distinction: with it concurrent
 * replays give garbage. */
#include "device/cuda/cuda.h"

#include <pthread.h>

struct block {
    void *p;
    size_t size;
    int id, pool;
    bool used, pinned;
};

static struct {
    pthread_mutex_t lock;
    struct block *block;
    size_t n, cap;
    int pools;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local int current;

void rp_pool_use(int pool)
{
    current = pool;
}

int rp_pool_new(void)
{
    pthread_mutex_lock(&all.lock);
    const int pool = ++all.pools;
    pthread_mutex_unlock(&all.lock);
    return pool;
}

/* The smallest free block that is large enough and at most twice as large.
 *
 * Pinned blocks of a slot's pool are used only once: a recorded copy reads its staging block at
 * every replay, although ONNX Runtime returns the block at the end of a later eager run (its
 * pointer tables for Concat and Split are there). */
static struct block *find_free(int id, size_t size, bool pinned)
{
    struct block *best = NULL;

    for (size_t i = 0; i < all.n; i++) {
        struct block *const b = &all.block[i];

        if (pinned && current != 0)
            break;
        if (!b->used && b->id == id && b->pool == current && b->pinned == pinned &&
            b->size >= size && b->size / 2 <= size && (!best || b->size < best->size))
            best = b;
    }
    return best;
}

static struct block *add_block(void)
{
    if (all.n == all.cap) {
        const size_t cap = all.cap ? 2 * all.cap : 256;
        struct block *const grown = realloc(all.block, cap * sizeof(*grown));

        if (!grown)
            return NULL;
        all.block = grown;
        all.cap = cap;
    }
    return &all.block[all.n];
}

static void *take(int id, size_t size, bool pinned)
{
    void *p = NULL;
    struct block *b = find_free(id, size, pinned);

    if (b) {
        b->used = true;
        return b->p;
    }
    if (!(b = add_block()))
        return NULL;
    if ((pinned ? cudaHostAlloc(&p, size, cudaHostAllocDefault) : cudaMalloc(&p, size)) !=
        cudaSuccess) {
        cudaGetLastError(); /* the caller reports it; clear it */
        return NULL;
    }
    *b = (struct block){p, size, id, current, true, pinned};
    all.n++;
    return p;
}

void *rp_pool_alloc(int id, size_t size, bool pinned)
{
    void *p;

    if (size == 0)
        return NULL;
    pthread_mutex_lock(&all.lock);
    p = take(id, (size + 255) & ~(size_t) 255, pinned);
    pthread_mutex_unlock(&all.lock);
    return p;
}

void rp_pool_free(int id, void *p, bool pinned)
{
    (void) pinned;
    if (!p)
        return;
    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.n; i++)
        if (all.block[i].p == p && all.block[i].id == id)
            all.block[i].used = false;
    pthread_mutex_unlock(&all.lock);
}

/* A block that is still in use was taken for good by a session during recording (a workspace, a
 * constant). The session outlives the slot, so the block moves to pool 0. */
void rp_pool_release(int id, int pool)
{
    size_t kept = 0;

    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.n; i++) {
        struct block *const b = &all.block[i];

        if (b->id == id && b->pool == pool && b->used)
            b->pool = 0;
        if (b->id != id || b->pool != pool)
            all.block[kept++] = *b;
        else if (b->pinned)
            cudaFreeHost(b->p);
        else
            cudaFree(b->p);
    }
    all.n = kept;
    pthread_mutex_unlock(&all.lock);
}

size_t rp_pool_bytes(int pool)
{
    size_t sum = 0;

    pthread_mutex_lock(&all.lock);
    for (size_t i = 0; i < all.n; i++)
        if (all.block[i].pool == pool && !all.block[i].pinned)
            sum += all.block[i].size;
    pthread_mutex_unlock(&all.lock);
    return sum;
}
