/* One table describes an option for the command line, the config file, --help, the man page and
 * the web page, so that they cannot disagree.
 *
 * Options come in groups. A module (detector, masks, a processor, the encoder ...) owns one group:
 * a plain struct with its values and a table that points into it. struct rp_settings holds one
 * struct of every group in the list it was made from:
 *
 *     const struct rp_swapper_options *o = rp_settings_get(settings, &rp_swapper_group);
 *
 * The list of all groups is src/pipeline/options.c. */
#ifndef RP_OPTION_H
#define RP_OPTION_H

#include "base/base.h"

enum rp_opt_type {
    RP_OPT_FLAG,    /* bool; no value on the command line, yes/no/true/false/1/0 in a file */
    RP_OPT_INT,     /* int */
    RP_OPT_FLOAT,   /* double; with .step > 0 the value must be min + k*step (FaceFusion's rule) */
    RP_OPT_STRING,  /* char *, NULL when unset; with choices one of them, or see .beginning */
    RP_OPT_CHOICE,  /* int, an index into the choices; -1 when unset and def_text is NULL */
    RP_OPT_SIZE,    /* struct rp_opt_size, "640x640"; only these if it has choices */
    RP_OPT_STRINGS, /* struct rp_opt_strings: one or more words */
    RP_OPT_CHOICES, /* struct rp_opt_choices: indices in the given order, none twice */
    RP_OPT_INTS,    /* struct rp_opt_ints: 1 to 8 integers in min..max */
    RP_OPT_BYTES,   /* int64_t: "512M", "2G", plain bytes */
};

#define RP_OPT_MAX_LIST 64

struct rp_opt_size { int w, h; };
struct rp_opt_strings { int n; char **v; };
struct rp_opt_choices { int n; int v[RP_OPT_MAX_LIST]; };
struct rp_opt_ints { int n; int v[8]; };

/* A choice that FaceFusion has and this program has not. */
struct rp_opt_elsewhere {
    const char *word, *what; /* "coreml", "Apple's Core ML" */
};

/* A name from an earlier FaceFusion. */
struct rp_opt_former {
    const char *name;
    const char *now;     /* the option that takes its values today; NULL: none does */
    const char *instead; /* without .now: what to use, the end of a sentence */
};

struct rp_opt {
    const char *name;     /* without dashes: "face-detector-model" */
    char letter;          /* short form, 0 for none */
    enum rp_opt_type type;
    size_t offset;        /* into the group's struct */
    double min, max, step; /* min = max = 0: no limit but the type's */
    int most;             /* most numbers of RP_OPT_INTS; 0: 8 */
    const char *def_text; /* default as a person would type it; NULL = unset (0, NULL, -1, empty) */
    const char *const *choices;               /* NULL-terminated */
    const char *const *(*choices_fn)(void);   /* instead of choices: made from a table */
    const char *beginning; /* RP_OPT_STRING: words that begin so are taken besides the choices */
    const char *meta;     /* placeholder in --help: "FILE", "N" */
    const char *help;     /* one line, lower case, no full stop */
    const struct rp_opt_elsewhere *elsewhere; /* ends with {0}; NULL: none */
    bool ours;                                /* FaceFusion has no such option */
    bool no_effect; /* a value is checked, and nothing reads it: .help says why */
};

struct rp_opt_group {
    const char *name;    /* section of the config file and heading of --help: "face_detector" */
    const char *title;   /* "Face detector" */
    size_t size;         /* of the struct */
    const struct rp_opt *opts; /* ends with {0} */
    const char *also;    /* another section of the config file that may hold its keys, or NULL */
    const struct rp_opt_former *former; /* ends with {0}; NULL: none */
};

struct rp_settings;

/* @param groups  NULL-terminated; must outlive the settings. All values are set to defaults. */
int rp_settings_create(struct rp_settings **out, const struct rp_opt_group *const *groups);
void rp_settings_destroy(struct rp_settings **settings);
/* A copy that may outlive the original; which options were given is copied too. */
int rp_settings_copy(struct rp_settings **out, const struct rp_settings *settings);

/* The group's struct. Valid until the settings are changed or destroyed. */
const void *rp_settings_get(const struct rp_settings *settings, const struct rp_opt_group *group);

/* True if the option was given (command line, file, job), false if it has its default. */
bool rp_settings_is_set(const struct rp_settings *settings, const char *name);

/* The option of this name ("face-detector-model" or "face_detector_model") or with this unambiguous
 * prefix, else NULL. *ambiguous (may be NULL) says whether several begin with it. */
const struct rp_opt *rp_settings_find(const struct rp_settings *settings, const char *name,
                                      bool *ambiguous);

/* Set one option from words. On failure nothing changes. Messages name the option, the value and
 * what would be right:
 *     --face-detector-score: 1.01 is outside 0.00 to 1.00
 * @return 0 or RP_ERR_USAGE (RP_ERR_NOMEM). */
int rp_settings_set(struct rp_settings *settings, const char *name, int n,
                    const char *const *words);

/* The same from one text: split at blanks for a list, else taken whole. NULL means no words. */
int rp_settings_set_text(struct rp_settings *settings, const char *name, const char *text);

/* The value as text ("640x640", "0 0 0 0"), a heap string; NULL when unset.
 * @return 0 or RP_ERR_NOMEM */
int rp_settings_get_text(const struct rp_settings *settings, const char *name, char **text);

/* The same as words, of which paths may contain blanks: one heap block with all of them, NULL-terminated;
 * NULL when unset.
 * @return how many, or RP_ERR_NOMEM */
int rp_settings_get_words(const struct rp_settings *settings, const char *name, char ***words);

/* The same where it does not matter whether it is unset or memory is out: NULL. */
char *rp_settings_text(const struct rp_settings *settings, const char *name);

/* Read an ini file (inih). Keys without a value are skipped, known or not (FaceFusion's own file
 * lists all of its keys that way). Any other unknown key or section is an error that names file,
 * line and key. Values read count as given; options given before keep their values (the command
 * line comes first). On failure nothing changes. */
int rp_settings_read_ini(struct rp_settings *settings, const char *path);
int rp_settings_read_ini_text(struct rp_settings *settings, const char *name, const char *text);

/* Call fn for every option of every group. */
void rp_settings_each(const struct rp_settings *settings,
                      void (*fn)(void *priv, const struct rp_opt_group *, const struct rp_opt *),
                      void *priv);

/* Top, right, bottom and left from 1 to 4 numbers as in CSS: one for all; vertical, horizontal;
 * top, horizontal, bottom; or each. No numbers: zeros. */
void rp_opt_sides(const struct rp_opt_ints *ints, int side[4]);

/* The choices of an option, from .choices or .choices_fn; NULL if it has none. */
const char *const *rp_opt_choices(const struct rp_opt *opt);

#endif /* RP_OPTION_H */
