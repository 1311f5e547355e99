/* Settings from an ini file in FaceFusion's sections and keys, read as Python's configparser reads
 * it: comments take whole lines, and indented lines below a key continue its value.
 *
 * inih reports key and value without a line number, and each continuation line as the same key
 * again. Our reader, which feeds it the lines, counts them and sees which are indented. A value is
 * complete, and only then checked, at the next key or the end of the file.
 *
 * A file is taken whole or not at all: it is read into separate settings, whose values are moved to
 * the real ones at the end. */
#include "base/option_impl.h"
#include "base/path.h"

#include <limits.h>
#include <pthread.h>

#include <ini.h>

enum { MAX_FILE = 1 << 20 };

struct ini {
    const char *file, *text; /* text: the part still to be read */
    struct rp_settings *settings;
    int ret;      /* the first failure; everything after it is skipped */
    int line;     /* the line last given to inih, from 1 */
    bool in_line; /* inih has only a part of it, as its buffer was too short */
    bool indented;
    struct rp_entry *entry; /* the key whose value is being collected */
    char *value;
    size_t len;
};

/* ---- what inih calls ----------------------------------------------------------------------- */

#if RP_INIH_OPTIONS
static void set_up_inih(void)
{
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = MAX_FILE + 8;
    ini_allow_inline_comments = false; /* ';' may be part of a path */
    ini_allow_multiline = true;
    ini_allow_bom = true;
    ini_stop_on_first_error = true;
}
#endif

/* Like fgets(). */
static char *next_part(char *buffer, int size, void *stream)
{
    struct ini *const ini = stream;

    if (!*ini->text || size < 2 || ini->ret < 0)
        return NULL;
    if (!ini->in_line) {
        ini->line++;
        ini->indented = *ini->text == ' ' || *ini->text == '\t';
    }
    const size_t line = strcspn(ini->text, "\n");
    const size_t all = line + (ini->text[line] == '\n');
    const size_t len = RP_MIN(all, (size_t) size - 1);
    memcpy(buffer, ini->text, len);
    buffer[len] = '\0';
    ini->text += len;
    ini->in_line = len < all;
#if !RP_INIH_OPTIONS
    if (ini->in_line)
        ini->ret = rp_fail(RP_ERR_LIMIT, "%s:%d: longer than %d bytes, the limit of this inih",
                           ini->file, ini->line, size - 2);
#endif
    return buffer;
}

/* "face_detector_score"; to be freed. */
static char *name_in_files(const char *name)
{
    char *const copy = strdup(name);

    for (char *c = copy; c && *c; c++)
        *c = (char) (*c == '-' ? '_' : *c);
    return copy;
}

static void fail_section(struct ini *ini, const char *section, const char *key)
{
    const char *nearest = NULL;
    int distance = INT_MAX;

    for (int i = 0; i < ini->settings->n_groups; i++) {
        const char *const name = ini->settings->groups[i]->name;
        if (rp_opt_is_near(section, name, &distance))
            nearest = name;
    }
    if (!*section)
        rp_fail(RP_ERR_USAGE, "%s:%d: %s stands before the first [section]", ini->file, ini->line,
                key);
    else if (nearest)
        rp_fail(RP_ERR_USAGE, "%s:%d: unknown section [%s] at %s; did you mean [%s]?", ini->file,
                ini->line, section, key, nearest);
    else
        rp_fail(RP_ERR_USAGE, "%s:%d: unknown section [%s] at %s", ini->file, ini->line, section,
                key);
    ini->ret = RP_ERR_USAGE;
}

static void fail_key(struct ini *ini, const char *section, const char *key)
{
    const char *nearest = NULL, *home = NULL;
    const struct rp_opt_former *former = NULL;
    int distance = INT_MAX;

    for (int i = 0; i < ini->settings->n; i++) {
        const struct rp_entry *const e = &ini->settings->entries[i];
        const struct rp_opt_former *const f = rp_opt_former(e->group, key);
        if (rp_opt_name_is(e->opt->name, key) || (f && f->now))
            home = e->group->name;
        else if (f)
            former = f;
        if (rp_opt_is_near(key, e->opt->name, &distance))
            nearest = e->opt->name;
    }
    if (home) {
        ini->ret = rp_fail(RP_ERR_USAGE, "%s:%d: %s belongs into [%s], not [%s]", ini->file,
                           ini->line, key, home, section);
        return;
    }
    if (former) {
        ini->ret =
            rp_fail(RP_ERR_USAGE, "%s:%d: %s is a key of earlier versions of FaceFusion; use %s",
                    ini->file, ini->line, key, former->instead);
        return;
    }
    char *const name = nearest ? name_in_files(nearest) : NULL;
    ini->ret = rp_fail(RP_ERR_USAGE, "%s:%d: unknown key %s in [%s]%s%s%s", ini->file, ini->line,
                       key, section, name ? "; did you mean " : "", name ? name : "",
                       name ? "?" : "");
    free(name);
}

/* FaceFusion's file keeps the keys of all processors in one section. */
static bool is_section(const struct rp_opt_group *group, const char *section)
{
    return !strcmp(group->name, section) || (group->also && !strcmp(group->also, section));
}

static struct rp_entry *find_key(const struct ini *ini, const char *section, const char *key)
{
    for (int i = 0; i < ini->settings->n; i++) {
        struct rp_entry *const e = &ini->settings->entries[i];
        const struct rp_opt_former *const former = rp_opt_former(e->group, key);
        const char *const name = former && former->now ? former->now : key;
        if (is_section(e->group, section) && rp_opt_name_is(e->opt->name, name))
            return e;
    }
    return NULL;
}

static void fail_unknown(struct ini *ini, const char *section, const char *key)
{
    for (int i = 0; i < ini->settings->n_groups; i++) {
        if (is_section(ini->settings->groups[i], section)) {
            fail_key(ini, section, key);
            return;
        }
    }
    fail_section(ini, section, key);
}

/* Check and store the value, which is now complete. */
static void finish_value(struct ini *ini)
{
    if (ini->ret < 0 || !ini->entry || !ini->len)
        return;

    char *const name = name_in_files(ini->entry->opt->name);
    char *const label = rp_asprintf("%s:%d: %s", ini->file, ini->entry->line, name ? name : "");
    if (name && label)
        ini->ret = rp_entry_set_text(ini->entry, label, ini->value);
    else
        ini->ret = rp_fail(RP_ERR_NOMEM, "%s: out of memory", ini->file);
    free(label);
    free(name);
}

static void add_to_value(struct ini *ini, const char *more)
{
    const size_t len = strlen(more);
    char *const value = realloc(ini->value, ini->len + len + 2);

    if (!value) {
        ini->ret = rp_fail(RP_ERR_NOMEM, "%s: out of memory", ini->file);
        return;
    }
    ini->value = value;
    if (ini->len && len)
        value[ini->len++] = '\n';
    memcpy(value + ini->len, more, len + 1);
    ini->len += len;
}

static void begin_value(struct ini *ini, const char *section, const char *key, const char *value)
{
    ini->entry = find_key(ini, section, key);
    if (!ini->entry) {
        if (*value) /* FaceFusion's own file lists all its keys, without values */
            fail_unknown(ini, section, key);
        return;
    }
    if (ini->entry->line) {
        ini->ret = rp_fail(RP_ERR_USAGE, "%s:%d: %s stands in line %d already", ini->file,
                           ini->line, key, ini->entry->line);
        return;
    }
    ini->entry->line = ini->line;
    ini->len = 0;
    add_to_value(ini, value);
}

/* Returns non-zero to continue, as inih expects. */
static int on_key(void *user, const char *section, const char *key, const char *value)
{
    struct ini *const ini = user;

    if (ini->ret < 0)
        return 0;
    if (!value)
        value = "";
    if (ini->indented && ini->entry) {
        add_to_value(ini, value);
        return ini->ret == 0;
    }
    finish_value(ini);
    ini->entry = NULL;
    if (ini->ret == 0)
        begin_value(ini, section, key, value);
    return ini->ret == 0;
}

/* ---- whole files --------------------------------------------------------------------------- */

static int parse(struct ini *ini)
{
#if RP_INIH_OPTIONS
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up_inih);
#endif
    const int bad_line = ini_parse_stream(next_part, ini, on_key, ini);

    if (ini->ret == 0 && bad_line > 0)
        ini->ret = rp_fail(RP_ERR_USAGE, "%s:%d: neither a [section] nor key = value", ini->file,
                           bad_line);
    if (ini->ret == 0 && bad_line < 0)
        ini->ret = rp_fail(RP_ERR_NOMEM, "%s: out of memory", ini->file);
    finish_value(ini);
    return ini->ret;
}

/* Values are swapped, so that what they point to always has one owner. */
static void take_values(struct rp_settings *to, struct rp_settings *from)
{
    union rp_opt_value old;

    for (int i = 0; i < to->n; i++) {
        struct rp_entry *const t = &to->entries[i], *const f = &from->entries[i];
        const size_t size = rp_opt_value_size(t->opt->type);
        if (t->given || !f->given)
            continue;
        memcpy(&old, t->at, size);
        memcpy(t->at, f->at, size);
        memcpy(f->at, &old, size);
        t->has_value = t->given = true;
    }
}

int rp_settings_read_ini_text(struct rp_settings *settings, const char *name, const char *text)
{
    int ret;
    struct ini ini = {.file = name, .text = text};

    if (strlen(text) > MAX_FILE)
        return rp_fail(RP_ERR_LIMIT, "%s: larger than %d bytes", name, MAX_FILE);
    RP_TRY(rp_settings_create(&ini.settings, settings->groups));
    RP_TRY(parse(&ini));
    take_values(settings, ini.settings);
fail:
    rp_settings_destroy(&ini.settings);
    free(ini.value);
    return ret;
}

int rp_settings_read_ini(struct rp_settings *settings, const char *path)
{
    int ret;
    uint8_t *data;
    size_t size;

    RP_TRY(rp_file_read(path, MAX_FILE, &data, &size));
    if (memchr(data, 0, size))
        ret = rp_fail(RP_ERR_FORMAT, "%s: not a text file", path);
    else
        ret = rp_settings_read_ini_text(settings, path, (const char *) data);
fail:
    free(data);
    return ret;
}
