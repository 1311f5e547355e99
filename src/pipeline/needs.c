/* Which models a job needs, from its options alone: nothing is opened, and no target is looked at.
 * The rules are those by which the parts of a pipeline open their models; tests/test_words.py holds
 * them against the networks of `reprise plan`. */
#include "audio/voice.h"
#include "face/content.h"
#include "face/mask.h"
#include "face/selector.h"
#include "pipeline/pipeline.h"

enum { MOST = 64 };

struct need {
    enum rp_model_kind kind;
    const char *name;
    bool named; /* asked for by name: nothing stands in for it */
};

struct needs {
    const struct rp_settings *settings;
    char *kept[MOST]; /* names to be freed */
    struct need need[MOST];
    int n, n_kept;
};

static void add(struct needs *s, enum rp_model_kind kind, const char *name, bool named)
{
    if (s->n < MOST)
        s->need[s->n++] = (struct need){kind, name, named};
}

/* The model that an option names; of "many" all that the choices list after it. */
static int add_chosen(struct needs *s, enum rp_model_kind kind, const char *option)
{
    char *name;
    const bool named = rp_settings_is_set(s->settings, option);
    const char *const *const choices = rp_catalogue_choices(kind);

    RP_CHECK(rp_settings_get_text(s->settings, option, &name));
    if (!name || s->n_kept == MOST) {
        free(name);
        return 0;
    }
    s->kept[s->n_kept++] = name;
    for (int i = 1; !strcmp(name, "many") && choices[i]; i++) {
        const struct rp_model_entry *const e = rp_catalogue_find(kind, choices[i]);

        if (e && !(e->flags & RP_MODEL_LITE))
            add(s, kind, e->name, kind == RP_KIND_FACE_OCCLUDER || named);
    }
    if (strcmp(name, "many") != 0)
        add(s, kind, name, named);
    return 0;
}

static int add_faces(struct needs *s, unsigned needs)
{
    RP_CHECK(add_chosen(s, RP_KIND_FACE_DETECTOR, "face-detector-model"));
    if (needs)
        RP_CHECK(add_chosen(s, RP_KIND_FACE_LANDMARKER, "face-landmarker-model"));
    if (needs & RP_NEED_EMBEDDING)
        add(s, RP_KIND_FACE_RECOGNIZER, "arcface", false);
    if (needs & RP_NEED_CLASSES)
        add(s, RP_KIND_FACE_CLASSIFIER, "fairface", false);
    return 0;
}

static int add_masks(struct needs *s)
{
    const struct rp_mask_options *const o = rp_settings_get(s->settings, &rp_mask_group);

    for (int i = 0; i < o->types.n; i++) {
        if (RP_MASK_BIT(OCCLUSION) == 1u << o->types.v[i])
            RP_CHECK(add_chosen(s, RP_KIND_FACE_OCCLUDER, "face-occluder-model"));
        if (RP_MASK_BIT(REGION) == 1u << o->types.v[i])
            RP_CHECK(add_chosen(s, RP_KIND_FACE_PARSER, "face-parser-model"));
    }
    return 0;
}

/* Files that come with a choice. */
static void add_parts(struct needs *s, const char *processor, enum rp_model_kind kind,
                      const char *name)
{
    static const char *const converters[] = {"ghost", "hififace", "simswap"};
    static const char *const parts[] = {"crossface_ghost", "crossface_hififace",
                                        "crossface_simswap"};
    const bool edits = !strcmp(processor, "face_editor");

    for (size_t i = 0; kind == RP_KIND_FACE_SWAPPER && i < RP_ARRAY_LEN(parts); i++)
        if (!strncmp(name, converters[i], strlen(converters[i])))
            add(s, RP_KIND_EMBEDDING_CONVERTER, parts[i], true);
    if (kind != RP_KIND_LIVE_PORTRAIT)
        return;
    add(s, kind, "live_portrait_feature_extractor", true);
    add(s, kind, "live_portrait_generator", true);
    if (edits) {
        add(s, kind, "live_portrait_eye_retargeter", true);
        add(s, kind, "live_portrait_lip_retargeter", true);
        add(s, kind, "live_portrait_stitcher", true);
    }
}

static int add_processor(struct needs *s, const struct rp_processor *def)
{
    char option[80];
    enum rp_model_kind kind = 0;
    const bool portrait =
        !strcmp(def->name, "face_editor") || !strcmp(def->name, "expression_restorer");
    const char *const name = portrait ? "live_portrait" : def->name;

    snprintf(option, sizeof(option), "%s-model", def->name);
    for (char *c = option; *c; c++)
        *c = (char) (*c == '_' ? '-' : *c);
    while (kind < RP_KIND_COUNT && strcmp(rp_model_kind_name(kind), name) != 0)
        kind++;
    if (kind == RP_KIND_COUNT)
        return 0; /* it has no networks of its own */
    RP_CHECK(add_chosen(s, kind, option));
    if (s->n)
        add_parts(s, def->name, kind, s->need[s->n - 1].name);
    return 0;
}

/* Do all processors take every face unless told otherwise? (take_care() of pipeline.c) */
static bool takes_every_face(const struct rp_settings *settings)
{
    const struct rp_processors_options *const o = rp_settings_get(settings, &rp_processors_group);

    for (int i = 0; i < o->processors.n; i++)
        if (!rp_processors[o->processors.v[i]]->hold)
            return false;
    return !rp_settings_is_set(settings, "reference-face-paths") &&
           !rp_settings_is_set(settings, "face-selector-mode");
}

static int collect(struct needs *s)
{
    unsigned needs = rp_selector_needs(s->settings);
    bool faces = false, speech = false;
    const struct rp_processors_options *const o =
        rp_settings_get(s->settings, &rp_processors_group);

    if (takes_every_face(s->settings))
        needs &= ~(unsigned) RP_NEED_EMBEDDING; /* which only references need */
    for (int i = 0; i < o->processors.n; i++) {
        const struct rp_processor *const def = rp_processors[o->processors.v[i]];

        needs |= rp_processor_needs(def, s->settings);
        needs |= def->source_needs ? def->source_needs(s->settings) : 0;
        faces |= !def->whole_frame;
        speech |= def->wants_speech;
    }
    if (faces)
        RP_CHECK(add_faces(s, needs));
    if (faces)
        RP_CHECK(add_masks(s));
    RP_CHECK(add_chosen(s, RP_KIND_CONTENT_ANALYSER, "content-analyser-model"));
    if (speech)
        RP_CHECK(add_chosen(s, RP_KIND_VOICE_EXTRACTOR, "voice-extractor-model"));
    for (int i = 0; i < o->processors.n; i++)
        RP_CHECK(add_processor(s, rp_processors[o->processors.v[i]]));
    return 0;
}

static void free_kept(struct needs *s)
{
    for (int i = 0; i < s->n_kept; i++)
        free(s->kept[i]);
}

json_t *rp_needs_list(const struct rp_settings *settings)
{
    struct needs s = {.settings = settings};
    json_t *const list = json_array();

    rp_log_hold(true);
    if (collect(&s) >= 0)
        for (int i = 0; i < s.n; i++)
            json_array_append_new(list, json_pack("{s:i, s:s}", "kind", (int) s.need[i].kind,
                                                  "name", s.need[i].name));
    rp_log_hold(false);
    free_kept(&s);
    return list;
}

/* ---- telling --------------------------------------------------------------------------------- */

struct tell {
    const struct needs *needs;
    bool absent[RP_KIND_COUNT]; /* a default of this kind is not installed */
    void (*fn)(void *priv, const rp_model_info *info, bool stands_in);
    void *priv;
};

static const struct need *find(const struct needs *s, const rp_model_info *info)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(rp_model_kind_name(s->need[i].kind), info->kind) &&
            !strcmp(s->need[i].name, info->name))
            return &s->need[i];
    return NULL;
}

static void look(void *priv, const rp_model_info *info)
{
    struct tell *const t = priv;
    const struct need *const need = find(t->needs, info);

    if (need && !need->named && !info->installed)
        t->absent[need->kind] = true;
}

static void tell(void *priv, const rp_model_info *info)
{
    const struct tell *const t = priv;

    if (find(t->needs, info)) {
        t->fn(t->priv, info, false);
        return;
    }
    for (int k = 0; k < RP_KIND_COUNT && info->lite; k++)
        if (t->absent[k] && !strcmp(rp_model_kind_name(k), info->kind))
            t->fn(t->priv, info, true);
}

int rp_models_needed(rp_runtime *runtime, const rp_options *options,
                     void (*fn)(void *priv, const rp_model_info *info, bool stands_in), void *priv)
{
    int ret;
    struct needs s = {.settings = rp_options_settings(options)};
    struct tell t = {.needs = &s, .fn = fn, .priv = priv};

    RP_TRY(collect(&s));
    RP_TRY(rp_models_each(runtime, look, &t));
    RP_TRY(rp_models_each(runtime, tell, &t));

fail:
    free_kept(&s);
    return ret;
}
