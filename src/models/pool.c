#include "models/pool.h"

#include "models/standins.h"

#define MAX_MODELS 64

struct rp_pool {
    struct rp_engine *engine;
    struct rp_device *device;
    const struct rp_store *store;
    struct rp_pool_params p;
    struct rp_shelf *own; /* the pool's own shelf, or NULL */
    int n;
    struct {
        const struct rp_model_entry *entry;
        struct rp_model *model;
    } open[MAX_MODELS];
};

int rp_pool_create(struct rp_pool **out, struct rp_engine *engine, struct rp_device *device,
                   const struct rp_store *store, const struct rp_pool_params *params)
{
    int ret = 0;
    struct rp_pool *const pool = *out = calloc(1, sizeof(*pool));

    if (!pool)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pool->engine = engine;
    pool->device = device;
    pool->store = store;
    pool->p = *params;
    if (!params->shelf && (ret = rp_shelf_create(&pool->own, -1)) < 0)
        rp_pool_destroy(out);
    else if (!params->shelf)
        pool->p.shelf = pool->own;
    return ret;
}

void rp_pool_destroy(struct rp_pool **out)
{
    struct rp_pool *const pool = *out;

    if (!pool)
        return;
    for (int i = 0; i < pool->n; i++)
        rp_shelf_give(pool->p.shelf, &pool->open[i].model);
    rp_shelf_destroy(&pool->own);
    free(pool);
    *out = NULL;
}

struct rp_device *rp_pool_device(const struct rp_pool *pool)
{
    return pool->device;
}

bool rp_pool_current(const struct rp_pool *pool)
{
    for (int i = 0; i < pool->n; i++)
        if (!rp_shelf_current(pool->p.shelf, pool->open[i].model))
            return false;
    return true;
}

const struct rp_model *rp_pool_model(const struct rp_pool *pool, int index)
{
    return index >= 0 && index < pool->n ? pool->open[index].model : NULL;
}

/* The content check's networks, which see one frame per second, are not worth measuring; and with
 * channels last cuDNN would search for seconds, at every start, for algorithms for the depthwise
 * layers of nsfwjs. */
static enum rp_layout layout_of(const struct rp_pool *pool, const struct rp_model_entry *entry)
{
    return entry->kind == RP_KIND_CONTENT_ANALYSER && pool->p.layout == RP_LAYOUT_AUTO
               ? RP_LAYOUT_NCHW
               : pool->p.layout;
}

/* The networks of the content check must be the published ones. */
static struct rp_model_sum sum_of(const struct rp_model_entry *entry)
{
    return entry->kind == RP_KIND_CONTENT_ANALYSER && !rp_standins_allowed()
               ? (struct rp_model_sum){entry->size, entry->sha256}
               : (struct rp_model_sum){0};
}

static int get(struct rp_pool *pool, const struct rp_model_entry *entry, const char *path,
               struct rp_model **model)
{
    int ret;

    for (int i = 0; i < pool->n; i++) {
        if (pool->open[i].entry == entry) {
            *model = pool->open[i].model;
            return 0;
        }
    }
    const struct rp_model_sum sum = sum_of(entry);
    if (!sum.sha256)
        rp_store_look(pool->store, entry, path);
    if (pool->n == MAX_MODELS)
        return rp_fail(RP_ERR_LIMIT, "more than %d models in one pipeline", MAX_MODELS);
    ret = rp_shelf_take(pool->p.shelf, pool->engine, pool->device,
                        &(const struct rp_shelf_wish){
                            .model = {.path = path, .name = entry->name,
                                      .threads = pool->p.threads, .cache = pool->p.cache,
                                      .layout = layout_of(pool, entry),
                                      .tensorrt = pool->p.tensorrt, .sum = sum},
                            .measure = pool->p.measure}, model);
    if (ret < 0)
        return ret;
    pool->open[pool->n].entry = entry;
    pool->open[pool->n++].model = *model;
    return 0;
}

int rp_pool_get(struct rp_pool *pool, enum rp_model_kind kind, const char *name, bool named,
                const struct rp_model_entry **entry, struct rp_model **model)
{
    char *path = NULL;
    int ret = rp_store_resolve(pool->store, kind, name, named, entry, &path);

    while (ret >= 0 && (ret = get(pool, *entry, path, model)) == RP_ERR_MISSING) {
        free(path);
        ret = rp_store_instead(pool->store, named, rp_last_error(), entry, &path);
    }
    free(path);
    return ret;
}

int rp_pool_get_exact(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                      struct rp_model **model)
{
    const struct rp_model_entry *entry;

    return rp_pool_get(pool, kind, name, true, &entry, model);
}

int rp_pool_get_optional(struct rp_pool *pool, enum rp_model_kind kind, const char *name,
                         struct rp_model **model)
{
    const struct rp_model_entry *const entry = rp_catalogue_find(kind, name);
    char *path = NULL;
    int ret = entry ? rp_store_bring(pool->store, entry, &path) : 0;

    if (path)
        ret = get(pool, entry, path, model);
    else
        *model = NULL;
    free(path);
    return ret;
}
