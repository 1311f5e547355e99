#include "models/pool.h"

#include <pthread.h>

#include "models/standins.h"

#define MAX_MODELS 64

/* A model that is opened ahead. */
struct ahead {
    struct rp_pool *pool;
    pthread_t thread;
    const struct rp_model_entry *entry;
    char *path;
    int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK];
};

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
    int nahead;
    struct ahead *ahead[MAX_MODELS];
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
    rp_pool_ahead_end(pool);
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

bool rp_pool_is_native(const struct rp_pool *pool)
{
    const struct rp_model *model;

    for (int i = 0; (model = rp_pool_model(pool, i)); i++)
        if (!rp_model_is_native(model))
            return false;
    return true;
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

/* Nor is it worth measuring whether these may be float16. */
static enum rp_precision precision_of(const struct rp_pool *pool,
                                      const struct rp_model_entry *entry)
{
    return entry->kind == RP_KIND_CONTENT_ANALYSER && pool->p.precision == RP_PRECISION_AUTO
               ? RP_PRECISION_TF32
               : pool->p.precision;
}

/* The networks of the content check must be the published ones. */
static struct rp_model_sum sum_of(const struct rp_model_entry *entry)
{
    return entry->kind == RP_KIND_CONTENT_ANALYSER && !rp_standins_allowed()
               ? (struct rp_model_sum){entry->size, entry->sha256}
               : (struct rp_model_sum){0};
}

static struct rp_shelf_wish wish_for(const struct rp_pool *pool, const struct rp_model_entry *entry,
                                     const char *path)
{
    return (struct rp_shelf_wish){.model = {.path = path,
                                            .name = entry->name,
                                            .threads = pool->p.threads,
                                            .cache = pool->p.cache,
                                            .layout = layout_of(pool, entry),
                                            .tensorrt = pool->p.tensorrt,
                                            .by = pool->p.by,
                                            .precision = precision_of(pool, entry),
                                            .sum = sum_of(entry),
                                            .most = entry->flags & RP_MODEL_BYTES ? 255 : 1},
                                  .measure = pool->p.measure};
}

static int get(struct rp_pool *pool, const struct rp_model_entry *entry, const char *path,
               struct rp_model **model)
{
    int ret;
    const struct rp_shelf_wish wish = wish_for(pool, entry, path);

    for (int i = 0; i < pool->n; i++) {
        if (pool->open[i].entry == entry) {
            *model = pool->open[i].model;
            return 0;
        }
    }
    if (!wish.model.sum.sha256)
        rp_store_look(pool->store, entry, path);
    if (pool->n == MAX_MODELS)
        return rp_fail(RP_ERR_LIMIT, "more than %d models in one pipeline", MAX_MODELS);
    ret = rp_shelf_take(pool->p.shelf, pool->engine, pool->device, &wish, model);
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

/* ---- ahead ----------------------------------------------------------------------------------- */

/* The sizes it was used with, or those of its file with one row where it leaves the rows open. */
static json_t *list_dims(const struct rp_model *model)
{
    const struct rp_tensor_info *info;
    const int inputs = rp_model_inputs(model, &info);
    json_t *const dims = json_array();

    for (int k = 0; k < inputs; k++) {
        const int64_t *const used = rp_model_used_dim(model, k);
        json_t *const dim = json_array();

        for (int d = 0; d < info[k].rank; d++) {
            const int64_t n = used ? used[d] : info[k].dim[d];

            json_array_append_new(dim, json_integer(d == 0 && n < 0 ? 1 : n));
        }
        json_array_append_new(dims, dim);
    }
    return dims;
}

json_t *rp_pool_list(const struct rp_pool *pool)
{
    json_t *const list = json_array();

    for (int i = 0; i < pool->n; i++)
        json_array_append_new(list, json_pack("{s:i, s:s, s:o}", "kind",
                                              (int) pool->open[i].entry->kind, "name",
                                              pool->open[i].entry->name, "dims",
                                              list_dims(pool->open[i].model)));
    return list;
}

/* Sizes of the inputs; whatever the cache says, they are only tried. */
static void read_dims(const json_t *model, int64_t dim[RP_MAX_TENSORS][RP_MAX_RANK])
{
    const json_t *const dims = json_object_get(model, "dims");

    for (size_t k = 0; k < json_array_size(dims) && k < RP_MAX_TENSORS; k++) {
        const json_t *const one = json_array_get(dims, k);

        for (size_t d = 0; d < json_array_size(one) && d < RP_MAX_RANK; d++)
            dim[k][d] = json_integer_value(json_array_get(one, d));
    }
}

static void *open_ahead(void *priv)
{
    struct ahead *const a = priv;
    struct rp_model *model = NULL;
    struct rp_pool *const pool = a->pool;
    struct rp_shelf_wish wish = wish_for(pool, a->entry, a->path);

    wish.warm = a->dim;
    rp_log_hold(true);
    if (pool->device->fns->enter(pool->device) >= 0 &&
        rp_shelf_take(pool->p.shelf, pool->engine, pool->device, &wish, &model) >= 0)
        rp_shelf_give(pool->p.shelf, &model);
    rp_log_hold(false);
    return NULL;
}

static void free_ahead(struct ahead *a)
{
    free(a->path);
    free(a);
}

static void start_ahead(struct rp_pool *pool, const json_t *model)
{
    struct rp_shelf_wish wish;
    struct ahead *const a = calloc(1, sizeof(*a));
    const json_int_t kind = json_integer_value(json_object_get(model, "kind"));
    const char *const name = json_string_value(json_object_get(model, "name"));

    if (!a || !name || kind < 0 || kind >= RP_KIND_COUNT || pool->nahead == MAX_MODELS)
        goto fail;
    a->pool = pool;
    a->entry = rp_catalogue_find((enum rp_model_kind) kind, name);
    if (!a->entry || rp_store_file(pool->store, a->entry, &a->path) < 0 || !a->path)
        goto fail;
    read_dims(model, a->dim);
    wish = wish_for(pool, a->entry, a->path);
    if ((wish.measure == RP_MEASURE_ALL &&
         !rp_form_is_known(pool->engine, pool->device, &wish.model)) ||
        pthread_create(&a->thread, NULL, open_ahead, a))
        goto fail;
    pool->ahead[pool->nahead++] = a;
    return;

fail:
    if (a)
        free_ahead(a);
}

void rp_pool_ahead(struct rp_pool *pool, const json_t *list)
{
    if (!pool->device->fns->enter || pool->p.tensorrt)
        return;
    for (size_t i = 0; i < json_array_size(list); i++)
        start_ahead(pool, json_array_get(list, i));
}

void rp_pool_ahead_end(struct rp_pool *pool)
{
    for (int i = 0; i < pool->nahead; i++) {
        pthread_join(pool->ahead[i]->thread, NULL);
        free_ahead(pool->ahead[i]);
    }
    pool->nahead = 0;
}
