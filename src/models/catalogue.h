/* Every model the program knows, as facts without code: FaceFusion 3.8.1's 252 files and our lite
 * set.
 *
 * What a network expects of its tensors (size, template, mean ...) is kept with the code that feeds
 * it (src/face, src/processors). Here is what a file is, where it comes from and under which
 * licence. */
#ifndef RP_CATALOGUE_H
#define RP_CATALOGUE_H

#include "base/base.h"

enum rp_model_kind {
    RP_KIND_FACE_DETECTOR = 0,
    RP_KIND_FACE_LANDMARKER,
    RP_KIND_FACE_LANDMARKER_5_68, /* fan_68_5 */
    RP_KIND_FACE_RECOGNIZER,
    RP_KIND_FACE_CLASSIFIER,
    RP_KIND_FACE_OCCLUDER,
    RP_KIND_FACE_PARSER,
    RP_KIND_CONTENT_ANALYSER,
    RP_KIND_VOICE_EXTRACTOR,
    RP_KIND_FACE_SWAPPER,
    RP_KIND_EMBEDDING_CONVERTER,
    RP_KIND_DEEP_SWAPPER,
    RP_KIND_FACE_ENHANCER,
    RP_KIND_LIVE_PORTRAIT, /* files of expression_restorer and face_editor */
    RP_KIND_AGE_MODIFIER,
    RP_KIND_LIP_SYNCER,
    RP_KIND_FRAME_ENHANCER,
    RP_KIND_FRAME_COLORIZER,
    RP_KIND_BACKGROUND_REMOVER,
    RP_KIND_COUNT
};

enum rp_model_flag {
    RP_MODEL_LITE = 1,    /* installed by set-up, or by force-download lite */
    RP_MODEL_DEFAULT = 2, /* FaceFusion's default of its kind */
    RP_MODEL_PART = 4,    /* a file that is not a choice of its own (converter, second file) */
    RP_MODEL_BYTES = 8,   /* takes pictures as numbers from 0 to 255 */
};

struct rp_model_entry {
    enum rp_model_kind kind;
    const char *name; /* as in options; for a part the file's name without extension */
    const char *file; /* "yoloface_8n.onnx"; deep swappers "iperov/elon_musk_224.dfm" */
    const char *vendor, *licence;
    int year;           /* 0 = not stated */
    const char *base;   /* release folder at the download providers; NULL for the lite set */
    const char *origin; /* npm package of a lite model; NULL if made by us, or not lite */
    unsigned flags;
    int64_t size;       /* bytes, 0 = unknown */
    uint32_t crc32;     /* 0 = unknown */
    const char *sha256; /* NULL = unknown */
};

/* The most bytes that a file of this model may have: its size or, where that is not known, well over
 * the largest of its kind. */
int64_t rp_model_most(const struct rp_model_entry *entry);

/* All models, grouped by kind, FaceFusion's first. count may be NULL. */
const struct rp_model_entry *rp_catalogue(int *count);

/* A model by name, parts included; NULL if there is none. "many" is not a model: whoever offers
 * that choice knows which models it stands for. */
const struct rp_model_entry *rp_catalogue_find(enum rp_model_kind kind, const char *name);

/* The choice of this kind with the flag (default, lite); NULL if there is none. The default content
 * analyser is the first of the three that FaceFusion always runs together. */
const struct rp_model_entry *rp_catalogue_default(enum rp_model_kind kind);
const struct rp_model_entry *rp_catalogue_lite(enum rp_model_kind kind);

const char *rp_model_kind_name(enum rp_model_kind kind); /* "face_detector" */

/* Names of one kind as choices of an option (without parts), NULL-terminated: `many` if
 * FaceFusion has it, FaceFusion's models in its order, then the lite ones. Valid as long as the
 * process lives. */
const char *const *rp_catalogue_choices(enum rp_model_kind kind);

/* Finds the row of a model in a table of facts about networks, whose first column is the model's
 * name. Every choice in the catalogue has a row; NULL for other names. */
#define RP_FACTS(table, name)                                                                      \
    rp_facts_find((table), RP_ARRAY_LEN(table), sizeof((table)[0]), (name))
const void *rp_facts_find(const void *table, size_t n, size_t size, const char *name);

#endif /* RP_CATALOGUE_H */
