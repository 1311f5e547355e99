/* What a client wants done: sources, a target, options and a map of faces, as JSON. Only what is
 * listed here as harmless can be set: no client names a file, a folder, a host or a library. */
#include "web/server.h"

#include <stdlib.h>

enum { SOURCES = 64, PAIRS = 32, WORDS = 64, WORD = 256 };

/* ---- values ---- */

/* One word of a value. Empty if it is none. */
static void write_word(const json_t *value, char out[WORD])
{
    *out = '\0';
    if (json_is_integer(value))
        snprintf(out, WORD, "%lld", (long long) json_integer_value(value));
    else if (json_is_real(value))
        snprintf(out, WORD, "%.9g", json_real_value(value));
    else if (json_is_string(value) && json_string_length(value) < WORD &&
             strlen(json_string_value(value)) == json_string_length(value))
        snprintf(out, WORD, "%s", json_string_value(value));
}

static int set_list(rp_options *options, const char *name, const json_t *value)
{
    char words[WORDS][WORD];
    const char *list[WORDS];
    const size_t n = json_array_size(value);

    if (n > WORDS)
        return RP_ERR_INVALID;
    for (size_t i = 0; i < n; i++) {
        write_word(json_array_get(value, i), words[i]);
        if (!*words[i])
            return RP_ERR_INVALID;
        list[i] = words[i];
    }
    return rp_options_set_words(options, name, (int) n, list);
}

/* RP_ERR_INVALID: the JSON is no value of an option at all; else as rp_options_set(). */
static int set_option(rp_options *options, const rp_option_info *info, const json_t *value)
{
    char word[WORD];

    if (json_is_null(value))
        return 0;
    if (info->is_flag) {
        if (!json_is_boolean(value))
            return RP_ERR_INVALID;
        return json_is_true(value) ? rp_options_set_words(options, info->name, 0, NULL) : 0;
    }
    if (json_is_array(value))
        return info->is_list ? set_list(options, info->name, value) : RP_ERR_INVALID;
    write_word(value, word);
    return *word ? rp_options_set(options, info->name, word) : RP_ERR_INVALID;
}

/* ---- checking ---- */

static bool refuse_option(struct web_request *r, const char *name, const char *why)
{
    web_refuse(r, 422, "wrong_option", "%.64s: %s", name, why);
    return false;
}

static bool check_option(struct web_request *r, rp_options *scratch, const char *name,
                         const json_t *value)
{
    const rp_option_info *const info = web_option_find(r->server, name);

    if (!info)
        return refuse_option(r, name, "there is no such option; /v1/capabilities lists them");
    if (!web_option_is_settable(info))
        return refuse_option(r, name, "this option is for the command line of the server only");
    const int ret = set_option(scratch, info, value);
    if (ret == RP_ERR_INVALID)
        return refuse_option(r, name, "the value is of a wrong kind");
    if (ret < 0)
        web_fail(r, ret);
    return ret >= 0;
}

static bool check_options(struct web_request *r, json_t *options)
{
    const char *name;
    json_t *value;
    rp_options *scratch = NULL;
    bool right = true;

    if (!options)
        return true;
    if (!json_is_object(options))
        return refuse_option(r, "options", "not an object of names and values");
    if (web_options_base(r->server, &scratch) < 0) {
        web_fail(r, RP_ERR_NOMEM);
        return false;
    }
    json_object_foreach(options, name, value)
    {
        right = right && check_option(r, scratch, name, value);
    }
    rp_options_destroy(&scratch);
    return right;
}

static bool is_medium(struct web_request *r, const json_t *id, const char *what,
                      struct web_medium *m)
{
    if (json_is_string(id) && web_store_find(r->server, json_string_value(id), m))
        return true;
    web_refuse(r, 422, "no_medium", "The %s is not the id of a medium that is here", what);
    return false;
}

static bool check_sources(struct web_request *r, json_t *sources)
{
    struct web_medium m;
    json_t *id;
    size_t i;

    if (!sources)
        return true;
    if (!json_is_array(sources) || json_array_size(sources) > SOURCES) {
        web_refuse(r, 422, "wrong_value", "The sources are not an array of at most %d ids",
                   SOURCES);
        return false;
    }
    json_array_foreach(sources, i, id) if (!is_medium(r, id, "source", &m)) return false;
    return true;
}

static bool is_small_number(const json_t *value, json_int_t most)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 &&
           json_integer_value(value) <= most;
}

static bool check_map(struct web_request *r, json_t *map)
{
    struct web_medium m;
    json_t *pair;
    size_t i;

    if (!map)
        return true;
    if (!json_is_array(map) || json_array_size(map) > PAIRS) {
        web_refuse(r, 422, "wrong_value", "The map is not an array of at most %d pairs", PAIRS);
        return false;
    }
    json_array_foreach(map, i, pair)
    {
        const json_t *const frame = json_object_get(pair, "frame");

        if (!is_medium(r, json_object_get(pair, "source"), "source of a pair", &m))
            return false;
        if (!is_small_number(json_object_get(pair, "face"), 4095) ||
            (frame && !is_small_number(frame, INT32_MAX - 1))) {
            web_refuse(r, 422, "wrong_value",
                       "A pair of the map has a source, the number of a face and a frame");
            return false;
        }
    }
    return true;
}

bool web_wish_check(struct web_request *r)
{
    struct web_medium target;

    if (!is_medium(r, json_object_get(r->json, "target"), "target", &target))
        return false;
    if (!strcmp(target.kind, "sound")) {
        web_refuse(r, 422, "no_picture", "The target is sound without pictures");
        return false;
    }
    return check_sources(r, json_object_get(r->json, "sources")) &&
           check_map(r, json_object_get(r->json, "map")) &&
           check_options(r, json_object_get(r->json, "options"));
}

bool web_wish_check_sources(struct web_request *r)
{
    if (json_object_get(r->json, "map")) {
        web_refuse(r, 422, "wrong_value", "A map needs a target, whose faces it names");
        return false;
    }
    return check_sources(r, json_object_get(r->json, "sources")) &&
           check_options(r, json_object_get(r->json, "options"));
}

bool web_wish_uses(const json_t *wish, const char *id)
{
    const json_t *item;
    size_t i;
    const char *const target = json_string_value(json_object_get(wish, "target"));

    if (target && !strcmp(target, id))
        return true;
    json_array_foreach(json_object_get(wish, "sources"), i, item)
    {
        const char *const source = json_string_value(item);
        if (source && !strcmp(source, id))
            return true;
    }
    json_array_foreach(json_object_get(wish, "map"), i, item)
    {
        const char *const source = json_string_value(json_object_get(item, "source"));
        if (source && !strcmp(source, id))
            return true;
    }
    return false;
}

/* ---- to options ---- */

static int path_of(struct web_server *s, const json_t *id, char path[WEB_PATH],
                   struct web_medium *m)
{
    if (!json_is_string(id) || !web_store_find(s, json_string_value(id), m)) {
        return WEB_GONE;
    }
    web_store_path(s, m, path);
    return 0;
}

static int set_paths(rp_options *options, const char *name, char **paths, int n)
{
    const int ret = n ? rp_options_set_words(options, name, n, (const char *const *) paths) : 0;

    for (int i = 0; i < n; i++)
        free(paths[i]);
    return ret;
}

static int set_sources(struct web_server *s, const json_t *sources, rp_options *options)
{
    char *paths[SOURCES], path[WEB_PATH];
    struct web_medium m;
    const size_t size = json_array_size(sources);
    int n = 0, ret = 0;

    for (size_t i = 0; i < size && n < SOURCES && ret >= 0; i++) {
        ret = path_of(s, json_array_get(sources, i), path, &m);
        if (ret >= 0 && !(paths[n] = strdup(path)))
            ret = RP_ERR_NOMEM;
        n += ret >= 0;
    }
    if (ret >= 0)
        return set_paths(options, "source-paths", paths, n);
    while (n)
        free(paths[--n]);
    return ret;
}

/* "SOURCE=CROP" of one pair, on the heap. */
static int make_pair(struct web_server *s, const json_t *pair, const struct web_medium *target,
                     const char *references, size_t number, char **out)
{
    struct web_medium source;
    char path[WEB_PATH], crop[WEB_PATH], kept[WEB_PATH];
    const int face = (int) json_integer_value(json_object_get(pair, "face"));
    int ret = path_of(s, json_object_get(pair, "source"), path, &source);

    if (ret < 0)
        return ret;
    snprintf(kept, sizeof(kept), "%s-%zu.jpg", references ? references : "", number);
    if (!references || !web_is_file(kept)) {
        ret = web_face_crop(s, target, json_integer_value(json_object_get(pair, "frame")), face,
                            crop);
        if (ret >= 0 && references)
            ret = web_copy_file(s, crop, kept);
        if (ret < 0)
            return ret;
    }
    return asprintf(out, "%s=%s", path, references ? kept : crop) < 0 ? RP_ERR_NOMEM : 0;
}

static int set_map(struct web_server *s, const json_t *map, const struct web_medium *target,
                   const char *references, rp_options *options)
{
    char *pairs[PAIRS];
    const size_t size = json_array_size(map);
    int n = 0, ret = 0;

    for (size_t i = 0; i < size && n < PAIRS && ret >= 0; i++) {
        ret = make_pair(s, json_array_get(map, i), target, references, i, &pairs[n]);
        n += ret >= 0;
    }
    if (ret < 0) {
        while (n)
            free(pairs[--n]);
        return ret;
    }
    return set_paths(options, "face-map", pairs, n);
}

/* Target and map, but for a camera, which has neither. */
static int set_target(struct web_server *s, const json_t *wish, const char *references,
                      rp_options *options)
{
    struct web_medium target;
    char path[WEB_PATH];
    int ret;

    if (json_object_get(wish, "input"))
        return 0;
    if ((ret = path_of(s, json_object_get(wish, "target"), path, &target)) < 0 ||
        (ret = rp_options_set(options, "target-path", path)) < 0)
        return ret;
    return set_map(s, json_object_get(wish, "map"), &target, references, options);
}

int web_wish_options(struct web_server *s, const json_t *wish, const char *references,
                     rp_options **out)
{
    const char *name;
    json_t *value;
    json_t *const options = json_object_get(wish, "options");
    int ret = web_options_base(s, out);

    if (ret < 0 || (ret = set_target(s, wish, references, *out)) < 0 ||
        (ret = set_sources(s, json_object_get(wish, "sources"), *out)) < 0)
        return ret;
    json_object_foreach(options, name, value)
    {
        const rp_option_info *const info = web_option_find(s, name);

        if (!info || !web_option_is_settable(info))
            return WEB_STALE; /* a file of the queue that something else has written */
        if ((ret = set_option(*out, info, value)) < 0)
            return ret;
    }
    return 0;
}
