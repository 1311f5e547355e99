#include "pipeline/speech.h"

#include <math.h>

#include "audio/kept.h"
#include "audio/mel.h"
#include "audio/resample.h"
#include "audio/voice.h"
#include "engine/graph.h"
#include "models/memory.h"
#include "models/pool.h"

#define PIECE 8192         /* samples at a time */
#define KEEP (512LL << 20) /* bytes of the cache for speech */
#define SAY_EVERY 5.0      /* seconds */
#define METHOD 1           /* to be raised when the same sound gives other columns */

struct ears {
    const struct rp_hearing *h;
    struct rp_sound *sound;
    struct rp_pool *pool;
    struct rp_voice *voice; /* NULL: the sound is taken as it is */
    struct rp_resampler *resampler;
    struct rp_mel *mel;
    char *model;     /* path of the voice extractor, or NULL */
    int64_t samples; /* of the whole sound, if it was counted */
    double said;
    int16_t piece[PIECE][2];
    float mono[PIECE];
};

static bool is_cancelled(const struct rp_hearing *h)
{
    return h->cancelled && atomic_load(h->cancelled);
}

/* ---- from the sound to the columns ----------------------------------------------------------- */

static int take_16k(void *priv, const float *x, int n)
{
    struct ears *const e = priv;

    return rp_mel_put(e->mel, x, n);
}

/* To mono. What is not finite would spread over all that is resampled with it. */
static int take_voice(void *priv, const float (*x)[2], int n)
{
    struct ears *const e = priv;

    while (n > 0) {
        const int now = RP_MIN(n, PIECE);

        for (int i = 0; i < now; i++) {
            const float mean = (x[i][0] + x[i][1]) / 2;

            e->mono[i] = isfinite(mean) ? RP_CLAMP(mean, -1e6f, 1e6f) : 0;
        }
        RP_CHECK(rp_resampler_put(e->resampler, e->mono, now));
        x += now;
        n -= now;
    }
    return 0;
}

static int take_sound(struct ears *e, int n)
{
    for (int i = 0; i < n; i++)
        e->mono[i] = ((float) e->piece[i][0] + (float) e->piece[i][1]) / 2 / 32767;
    return rp_resampler_put(e->resampler, e->mono, n);
}

static void say_progress(struct ears *e)
{
    const double now = rp_now();

    if (!e->voice || now - e->said < SAY_EVERY)
        return;
    e->said = now;
    rp_log(RP_LOG_INFO, "extracting the voice: %lld of %lld parts",
           (long long) rp_voice_done(e->voice), (long long) rp_voice_runs(e->voice, e->samples));
}

static void note_damage(const struct ears *e)
{
    if (e->h->damage && e->sound)
        rp_sound_damage(e->sound, e->h->damage, e->h->damage_size);
}

static int open_sound(struct ears *e)
{
    rp_sound_close(&e->sound);
    return rp_sound_open(&e->sound, e->h->path, &e->h->sound);
}

/* A video with sound that cannot be decoded is worked on like one without. */
static int try_sound(struct ears *e)
{
    rp_log_hold(e->h->sound.in_place);
    const int ret = open_sound(e);
    rp_log_hold(false);
    if (!e->h->sound.in_place || (ret != RP_ERR_FORMAT && ret != RP_ERR_UNSUPPORTED))
        return ret;
    rp_log(RP_LOG_WARN, "%s", rp_last_error());
    return 0;
}

/* All of the sound, from the beginning. */
static int listen(struct ears *e, struct rp_speech **out)
{
    int n;

    RP_CHECK(open_sound(e));
    if (!e->sound)
        return rp_fail(RP_ERR_FORMAT, "%s: its sound is gone", e->h->path);
    RP_CHECK(rp_mel_create(&e->mel));
    RP_CHECK(rp_resampler_create(&e->resampler, take_16k, e));
    e->said = rp_now();
    while ((n = rp_sound_read(e->sound, e->piece, PIECE)) > 0) {
        if (is_cancelled(e->h))
            return RP_ERR_CANCELLED;
        if (e->voice)
            RP_CHECK(rp_voice_put(e->voice, (const int16_t(*)[2]) e->piece, n));
        else
            RP_CHECK(take_sound(e, n));
        say_progress(e);
    }
    RP_CHECK(n);
    note_damage(e);
    if (e->voice)
        RP_CHECK(rp_voice_end(e->voice));
    RP_CHECK(rp_resampler_end(e->resampler));
    return rp_mel_end(e->mel, out);
}

/* ---- the voice extractor --------------------------------------------------------------------- */

/* Its file; NULL if the sound is to be taken as it is. */
static int find_model(struct ears *e)
{
    const struct rp_hearing *const h = e->h;
    const struct rp_model_entry *entry;
    const char *const name = rp_voice_model_name(h->settings);

    if (rp_settings_is_set(h->settings, "voice-extractor-model"))
        return rp_store_resolve(h->runtime->store, RP_KIND_VOICE_EXTRACTOR, name, true, &entry,
                                &e->model);
    entry = rp_catalogue_find(RP_KIND_VOICE_EXTRACTOR, name);
    if (entry)
        RP_CHECK(rp_store_bring(h->runtime->store, entry, &e->model));
    if (!e->model && is_cancelled(h))
        return RP_ERR_CANCELLED;
    if (!e->model)
        rp_log(RP_LOG_INFO,
               "voice extractor %s is not installed; the sound is taken as it is, "
               "with whatever else is heard",
               name);
    return 0;
}

static int note_model(struct ears *e)
{
    struct rp_sums sums;

    if (!e->h->model || !e->model)
        return 0;
    RP_CHECK(rp_memory_sums(e->model, false, &sums));
    memcpy(e->h->model, sums.sha256, sizeof(sums.sha256));
    return 0;
}

/* A pool of its own, so that nothing of it stays when the frames begin; it runs alone, so on all
 * cores. */
static int open_voice(struct ears *e)
{
    struct rp_engine *engine;
    struct rp_model *model;
    const struct rp_model_entry *entry;
    const struct rp_hearing *const h = e->h;

    RP_CHECK(rp_runtime_engine(h->runtime, &engine));
    RP_CHECK(rp_pool_create(&e->pool, engine, h->device, h->runtime->store,
                            &(struct rp_pool_params){0}));
    RP_CHECK(rp_pool_get(e->pool, RP_KIND_VOICE_EXTRACTOR, rp_voice_model_name(h->settings), true,
                         &entry, &model));
    return rp_voice_create(&e->voice, model, h->device, take_voice, e);
}

/* ---- the cache ------------------------------------------------------------------------------- */

/* A chain of hashes over the samples, so that the sound need not be in memory; counts them. */
static int hash_sound(struct ears *e, char hex[RP_SHA256_HEX])
{
    int n;
    static const size_t room = RP_SHA256_HEX - 1;
    uint8_t *const text = malloc(room + sizeof(e->piece));
    int ret = 0;

    if (!text)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    while ((n = ret = rp_sound_read(e->sound, e->piece, PIECE)) > 0) {
        memcpy(text, hex, room);
        memcpy(text + room, e->piece, (size_t) n * sizeof(e->piece[0]));
        RP_TRY(rp_sha256_data(text, room + (size_t) n * sizeof(e->piece[0]), hex));
        e->samples += n;
        if (is_cancelled(e->h)) {
            ret = RP_ERR_CANCELLED;
            break;
        }
    }

fail:
    note_damage(e);
    free(text);
    return ret;
}

/* What the columns depend on: sound, model, device. */
static int make_key(struct ears *e, char key[RP_SHA256_HEX])
{
    char stamp[512], text[1024];

    RP_CHECK(rp_cache_stamp(e->model, stamp, sizeof(stamp)));
    snprintf(text, sizeof(text), "speech %d | %s | %s %s", METHOD, stamp, e->h->device->title,
             e->h->device->version);
    RP_CHECK(rp_sha256_data(text, strlen(text), key));
    return hash_sound(e, key);
}

/* The folder for speech in the cache, or NULL. */
static int find_folder(const struct rp_hearing *h, char **folder)
{
    struct rp_cache *cache;
    const struct rp_graph_options *const o = rp_settings_get(h->settings, &rp_graph_group);

    *folder = NULL;
    RP_CHECK(rp_runtime_cache(h->runtime, o->cache, &cache));
    *folder = rp_cache_folder(cache, "speech");
    return 0;
}

static int hear_voice(struct ears *e, struct rp_speech **out)
{
    int ret;
    char key[RP_SHA256_HEX], *folder = NULL;

    RP_TRY(make_key(e, key));
    RP_TRY(find_folder(e->h, &folder));
    if (folder && (*out = rp_speech_load(folder, key))) {
        rp_log(RP_LOG_DEBUG, "%s: its voice was extracted before", e->h->path);
        goto fail;
    }
    RP_TRY(open_voice(e));
    RP_TRY(listen(e, out));
    if (folder)
        rp_speech_keep(folder, key, *out, KEEP);

fail:
    free(folder);
    return ret;
}

/* ---------------------------------------------------------------------------------------------- */

static void close_ears(struct ears *e)
{
    rp_voice_destroy(&e->voice);
    rp_pool_destroy(&e->pool);
    rp_resampler_destroy(&e->resampler);
    rp_mel_destroy(&e->mel);
    rp_sound_close(&e->sound);
    free(e->model);
    free(e);
}

int rp_hear(struct rp_speech **out, const struct rp_hearing *hearing)
{
    int ret;
    double start;
    struct ears *const e = calloc(1, sizeof(*e));

    *out = NULL;
    if (!e)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    e->h = hearing;
    RP_TRY(try_sound(e));
    if (!e->sound)
        goto fail;
    start = rp_sound_start(e->sound);
    RP_TRY(find_model(e));
    RP_TRY(note_model(e));
    RP_TRY(e->model ? hear_voice(e, out) : listen(e, out));
    if (*out)
        (*out)->start = start;
    ret = 0;

fail:
    if (ret < 0)
        rp_speech_free(out);
    close_ears(e);
    return ret;
}
