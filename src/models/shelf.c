#include "models/shelf.h"

#include <pthread.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/timeline.h"

/* Distinguishes states of a file. */
struct stamp {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
};

struct item {
    struct item *next;
    struct rp_model *model; /* NULL while it is being opened */
    struct rp_device *device;
    struct rp_shelf_wish wish; /* owns its strings */
    struct stamp stamp;
    int users;   /* including those who wait for it to be opened */
    bool failed; /* could not be opened: out of the list, freed by the last who waited */
};

struct rp_shelf {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    struct item *first; /* the most recently used one */
    int64_t limit;
};

/* ---- items ----------------------------------------------------------------------------------- */

static void free_item(struct item *it)
{
    rp_model_close(&it->model);
    free((char *) it->wish.model.path);
    free((char *) it->wish.model.name);
    free(it);
}

static void free_items(struct item *first)
{
    while (first) {
        struct item *const next = first->next;

        free_item(first);
        first = next;
    }
}

static struct item *new_item(struct rp_device *device, const struct rp_shelf_wish *wish,
                             const struct stamp *stamp)
{
    struct item *const it = calloc(1, sizeof(*it));

    if (!it)
        return NULL;
    it->device = device;
    it->stamp = *stamp;
    it->wish = *wish;
    it->wish.model.path = strdup(wish->model.path);
    it->wish.model.name = wish->model.name ? strdup(wish->model.name) : NULL;
    if (it->wish.model.path && (it->wish.model.name || !wish->model.name))
        return it;
    free_item(it);
    return NULL;
}

/* A missing file has an empty stamp: opening it will report what is wrong. */
static struct stamp stamp_of(const char *path)
{
    struct stat st;
    struct stamp stamp;

    memset(&stamp, 0, sizeof(stamp)); /* padding too: stamps are compared as bytes */
    if (!stat(path, &st)) {
        stamp.device = st.st_dev;
        stamp.number = st.st_ino;
        stamp.size = st.st_size;
        stamp.changed = st.st_mtim;
    }
    return stamp;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* On the CPU ways of opening differ only in their threads. On a GPU a measured form is also right
 * for those who did not ask to measure. */
static bool same_way(const struct item *it, const struct rp_shelf_wish *wish)
{
    const struct rp_model_params *const have = &it->wish.model, *const p = &wish->model;

    if (have->threads != p->threads || have->sum.sha256 != p->sum.sha256 || have->by != p->by ||
        have->precision != p->precision || !same_text(have->name, p->name))
        return false;
    return !it->device->fns->record_begin ||
           (have->cache == p->cache && have->layout == p->layout &&
            (p->layout != RP_LAYOUT_AUTO || it->wish.measure >= wish->measure) &&
            have->tensorrt == p->tensorrt &&
            have->deterministic == p->deterministic);
}

static bool is_of(const struct item *it, const struct rp_device *device, const char *path)
{
    return it->device == device && !strcmp(it->wish.model.path, path);
}

/* ---- the list; with the lock held ------------------------------------------------------------ */

/* Move an item out of the list to the front of `gone`, because its model must be closed without the
 * lock. */
static void move_to(struct item **at, struct item **gone)
{
    struct item *const it = *at;

    *at = it->next;
    it->next = *gone;
    *gone = it;
}

static void move_to_front(struct rp_shelf *s, struct item **at)
{
    move_to(at, &s->first);
}

/* How many bytes unused models may take on this device; now they take `idle`. */
static int64_t limit_of(const struct rp_shelf *s, struct rp_device *device, int64_t idle)
{
    size_t left = 0, total = 0;

    if (s->limit)
        return RP_MAX(s->limit, 0);
    if (!device->fns->memory)
        return (int64_t) (rp_memory_total() / 4);
    if (device->fns->memory(device, &left, &total) < 0)
        return 0;
    return ((int64_t) left + idle) / 4;
}

static struct item **last_idle(struct rp_shelf *s, const struct rp_device *device)
{
    struct item **found = NULL;

    for (struct item **at = &s->first; *at; at = &(*at)->next)
        if ((*at)->device == device && !(*at)->users)
            found = at;
    return found;
}

static void trim(struct rp_shelf *s, struct rp_device *device, struct item **gone)
{
    int64_t idle = 0;

    for (const struct item *it = s->first; it; it = it->next)
        idle += it->device == device && !it->users ? (int64_t) it->stamp.size : 0;
    for (const int64_t limit = idle ? limit_of(s, device, idle) : 0; idle > limit;) {
        struct item **const at = last_idle(s, device);

        rp_log(RP_LOG_DEBUG, "model %s is closed: no room to keep it",
               rp_model_name((*at)->model));
        idle -= (*at)->stamp.size;
        move_to(at, gone);
    }
}

/* Close unused models of older states of a file: nobody will ask for them again. */
static void drop_old(struct rp_shelf *s, const struct rp_device *device, const char *path,
                     const struct stamp *stamp, struct item **gone)
{
    for (struct item **at = &s->first; *at;) {
        struct item *const it = *at;

        if (!it->users && is_of(it, device, path) && memcmp(&it->stamp, stamp, sizeof(*stamp)) != 0)
            move_to(at, gone);
        else
            at = &it->next;
    }
}

static struct item **find(struct rp_shelf *s, const struct rp_device *device,
                          const struct rp_shelf_wish *wish, const struct stamp *stamp)
{
    for (struct item **at = &s->first; *at; at = &(*at)->next)
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what failed is out of the list
        if (is_of(*at, device, wish->model.path) && same_way(*at, wish) &&
            !memcmp(&(*at)->stamp, stamp, sizeof(*stamp)))
            return at;
    return NULL;
}

static struct item **place_of(struct rp_shelf *s, const struct rp_model *model)
{
    struct item **at = &s->first;

    while ((*at)->model != model)
        at = &(*at)->next;
    return at;
}

/* One user fewer of an item that could not be opened; the last one frees it. */
static void leave_failed(struct item *it)
{
    if (!--it->users)
        free_item(it);
}

/* True if it is open, perhaps after waiting for another thread to open it. */
static bool wait_until_open(struct rp_shelf *s, struct item *it)
{
    it->users++;
    while (!it->model && !it->failed)
        pthread_cond_wait(&s->opened, &s->lock);
    if (!it->failed)
        return true;
    leave_failed(it);
    return false;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Opens the model without the lock, so that others wait only if they want the same one. */
static int open_item(struct rp_shelf *s, struct rp_engine *engine, struct item *it)
{
    struct rp_model *model = NULL;

    pthread_mutex_unlock(&s->lock);
    const int ret = rp_form_open(&model, engine, it->device, &it->wish.model, it->wish.measure);
    if (ret >= 0)
        rp_timeline_add("%s is open", it->wish.model.name);
    if (ret >= 0 && it->wish.warm && rp_model_warm(model, it->wish.warm) >= 0)
        rp_timeline_add("%s has run once", it->wish.model.name); /* else whoever runs it says why */
    it->wish.warm = NULL;
    pthread_mutex_lock(&s->lock);
    it->model = ret < 0 ? NULL : model;
    if (ret < 0) {
        struct item **at = &s->first;

        while (*at != it)
            at = &(*at)->next;
        *at = it->next;
        it->failed = true;
        leave_failed(it);
    }
    pthread_cond_broadcast(&s->opened);
    return ret;
}

static int take(struct rp_shelf *s, struct rp_engine *engine, struct rp_device *device,
                const struct rp_shelf_wish *wish, const struct stamp *stamp,
                struct rp_model **out)
{
    int ret;
    struct item **at, *it = NULL;

    while ((at = find(s, device, wish, stamp))) {
        it = *at;
        move_to_front(s, at);
        if (wait_until_open(s, it)) {
            *out = it->model;
            return 0;
        }
    }
    if (!(it = new_item(device, wish, stamp)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    it->users = 1;
    it->next = s->first;
    s->first = it;
    if ((ret = open_item(s, engine, it)) >= 0)
        *out = it->model;
    return ret;
}

int rp_shelf_take(struct rp_shelf *s, struct rp_engine *engine, struct rp_device *device,
                  const struct rp_shelf_wish *wish, struct rp_model **out)
{
    struct item *gone = NULL;
    const struct stamp stamp = stamp_of(wish->model.path);

    *out = NULL;
    pthread_mutex_lock(&s->lock);
    drop_old(s, device, wish->model.path, &stamp, &gone);
    if (!find(s, device, wish, &stamp))
        trim(s, device, &gone); /* on a GPU less memory may be free now */
    pthread_mutex_unlock(&s->lock);
    free_items(gone);
    pthread_mutex_lock(&s->lock);
    const int ret = take(s, engine, device, wish, &stamp, out);
    pthread_mutex_unlock(&s->lock);
    return ret;
}

void rp_shelf_give(struct rp_shelf *s, struct rp_model **model)
{
    struct item *gone = NULL;

    if (!*model)
        return;
    pthread_mutex_lock(&s->lock);
    struct item **const at = place_of(s, *model);
    struct item *const it = *at;
    move_to_front(s, at);
    if (!--it->users)
        trim(s, it->device, &gone);
    pthread_mutex_unlock(&s->lock);
    free_items(gone);
    *model = NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

int rp_shelf_create(struct rp_shelf **out, int64_t limit)
{
    struct rp_shelf *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->opened, NULL);
    s->limit = limit;
    return 0;
}

bool rp_shelf_current(struct rp_shelf *s, const struct rp_model *model)
{
    bool same = false;
    const struct stamp stamp = stamp_of(rp_model_path(model));

    pthread_mutex_lock(&s->lock);
    for (const struct item *it = s->first; it; it = it->next)
        same |= it->model == model && !memcmp(&it->stamp, &stamp, sizeof(stamp));
    pthread_mutex_unlock(&s->lock);
    return same;
}

void rp_shelf_clear(struct rp_shelf *s, const struct rp_device *device)
{
    struct item **at, *gone = NULL;

    pthread_mutex_lock(&s->lock);
    while ((at = last_idle(s, device)))
        move_to(at, &gone);
    pthread_mutex_unlock(&s->lock);
    free_items(gone);
}

void rp_shelf_destroy(struct rp_shelf **out)
{
    struct rp_shelf *const s = *out;

    if (!s)
        return;
    free_items(s->first);
    pthread_cond_destroy(&s->opened);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *out = NULL;
}
