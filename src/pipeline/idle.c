#include "pipeline/idle.h"

#include <pthread.h>

struct item {
    struct item *next;
    struct rp_idle_thing thing;
};

struct rp_idle {
    pthread_mutex_t lock;
    struct item *first; /* most recently used first */
    bool keep;
};

int rp_idle_create(struct rp_idle **out, bool keep)
{
    struct rp_idle *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    s->keep = keep;
    return 0;
}

static void destroy_all(struct item *item)
{
    while (item) {
        struct item *const next = item->next;

        item->thing.destroy(item->thing.object);
        free(item->thing.key);
        free(item);
        item = next;
    }
}

void rp_idle_destroy(struct rp_idle **idle)
{
    if (!*idle)
        return;
    destroy_all((*idle)->first);
    pthread_mutex_destroy(&(*idle)->lock);
    free(*idle);
    *idle = NULL;
}

void *rp_idle_take(struct rp_idle *s, const struct rp_device *device, const char *key)
{
    void *object = NULL;
    struct item *found = NULL;

    pthread_mutex_lock(&s->lock);
    for (struct item **at = &s->first; *at && !found; at = &(*at)->next) {
        if ((*at)->thing.device != device || strcmp((*at)->thing.key, key) != 0)
            continue;
        found = *at;
        *at = found->next;
        break;
    }
    pthread_mutex_unlock(&s->lock);
    if (found) {
        object = found->thing.object;
        free(found->thing.key);
        free(found);
    }
    return object;
}

/* Take items of this device out of the list: all of them, or those over the limits. */
static struct item *cut(struct rp_idle *s, const struct rp_device *device, bool all)
{
    int n = 0;
    size_t sum = 0;
    struct item *gone = NULL, **at = &s->first;

    while (*at) {
        struct item *const it = *at;

        if (it->thing.device == device) {
            n++;
            sum += it->thing.bytes;
        }
        if (it->thing.device != device || (!all && n <= RP_IDLE_MOST && sum <= it->thing.limit)) {
            at = &it->next;
            continue;
        }
        *at = it->next;
        it->next = gone;
        gone = it;
    }
    return gone;
}

static void clear(struct rp_idle *s, const struct rp_device *device, bool all)
{
    pthread_mutex_lock(&s->lock);
    struct item *const gone = cut(s, device, all);
    pthread_mutex_unlock(&s->lock);
    destroy_all(gone);
}

void rp_idle_give(struct rp_idle *s, const struct rp_idle_thing *thing)
{
    struct item *const it = !s->keep || !thing->key ? NULL : calloc(1, sizeof(*it));

    if (!it) {
        thing->destroy(thing->object);
        free(thing->key);
        return;
    }
    it->thing = *thing;
    pthread_mutex_lock(&s->lock);
    it->next = s->first;
    s->first = it;
    pthread_mutex_unlock(&s->lock);
    clear(s, thing->device, false);
}

void rp_idle_clear(struct rp_idle *s, const struct rp_device *device)
{
    clear(s, device, true);
}
