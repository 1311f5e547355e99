/* The options of a job in segments, kept in its folder, so that `reprise join` needs only its name.
 */
#include <ctype.h>
#include <dirent.h>
#include <unistd.h>

#include "base/path.h"
#include "pipeline/job.h"
#include "pipeline/job_folder.h"

#define FIRST_LINE "reprise-options 2"
enum { OPTIONS_MAX = 1 << 20 };

/* ---- writing --------------------------------------------------------------------------------- */

struct writer {
    const struct rp_settings *settings;
    FILE *to;
    int ret;
};

/* One line, whatever is in it. */
static void write_line(FILE *to, const char *name, const char *value)
{
    fprintf(to, "%s ", name);
    for (; *value; value++)
        if ((unsigned char) *value < ' ' || *value == '%')
            fprintf(to, "%%%02x", (unsigned char) *value);
        else
            putc(*value, to);
    putc('\n', to);
}

static void write_option(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    static const char *const others[] = {"config-path", "segment", "resume", "log-level"};
    char *text;
    struct writer *const w = priv;

    (void) group;
    for (size_t i = 0; i < RP_ARRAY_LEN(others); i++)
        if (!strcmp(opt->name, others[i]))
            return;
    if (w->ret < 0 || !rp_settings_is_set(w->settings, opt->name))
        return;
    w->ret = rp_settings_get_text(w->settings, opt->name, &text);
    if (w->ret >= 0 && text)
        write_line(w->to, opt->name, text);
    if (w->ret >= 0)
        free(text);
}

/* Names that no option has. */
#define FACT "job."

static void write_facts(FILE *to, const struct rp_job_facts *f)
{
    fprintf(to, FACT "lockstep %lld\n", (long long) f->lockstep);
    write_line(to, FACT "models", f->models);
    write_line(to, FACT "device", f->device);
    write_line(to, FACT "mark-processors", f->mark.processors);
    write_line(to, FACT "mark-models", f->mark.models);
    write_line(to, FACT "mark-damage", f->mark.damage);
    write_line(to, FACT "heard", f->heard);
    write_line(to, FACT "alpha", f->alpha ? "1" : "0");
}

int rp_job_options_write(const struct rp_job *job, const struct rp_job_facts *facts,
                         const char *folder, const char *id)
{
    size_t size = 0;
    char *text = NULL, *const path = rp_job_folder_options(folder, id);
    char *const here = getcwd(NULL, 0);
    struct writer w = {job->settings, open_memstream(&text, &size), 0};

    if (!w.to || !path || !here) {
        w.ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    } else {
        fprintf(w.to, FIRST_LINE "\n");
        write_line(w.to, "folder", here);
        write_facts(w.to, facts);
        rp_settings_each(job->settings, write_option, &w);
    }
    if (w.to && (ferror(w.to) | fclose(w.to)) && w.ret >= 0)
        w.ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    if (w.ret >= 0)
        w.ret = rp_file_write(path, text, size);
    free(text);
    free(path);
    free(here);
    return w.ret;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool undo(char *value)
{
    char *to = value;

    for (; *value; value++) {
        unsigned byte;

        if (*value != '%') {
            *to++ = *value;
        } else if (isxdigit((unsigned char) value[1]) && isxdigit((unsigned char) value[2]) &&
                   sscanf(value + 1, "%2x", &byte) == 1 && byte) {
            *to++ = (char) byte;
            value += 2;
        } else {
            return false;
        }
    }
    *to = '\0';
    return true;
}

static int bad(const char *path)
{
    return rp_fail(RP_ERR_FORMAT, "%s: not the options of a job", path);
}

static void take_fact(struct rp_job_facts *f, const char *name, const char *value)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {{"models", f->models, sizeof(f->models)},
                 {"device", f->device, sizeof(f->device)},
                 {"mark-processors", f->mark.processors, sizeof(f->mark.processors)},
                 {"mark-models", f->mark.models, sizeof(f->mark.models)},
                 {"mark-damage", f->mark.damage, sizeof(f->mark.damage)},
                 {"heard", f->heard, sizeof(f->heard)}};

    for (size_t i = 0; i < RP_ARRAY_LEN(texts); i++)
        if (!strcmp(name, texts[i].name))
            snprintf(texts[i].to, texts[i].size, "%s", value);
    if (!strcmp(name, "lockstep"))
        f->lockstep = strtoll(value, NULL, 10);
    if (!strcmp(name, "alpha"))
        f->alpha = !strcmp(value, "1");
}

/* Into options or facts, one of which is NULL. */
static int read_lines(rp_options *options, struct rp_job_facts *facts, const char *path, char *text,
                      char **folder)
{
    static const size_t fact = sizeof(FACT) - 1;
    int number = 0;
    char *state = NULL;

    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *const value = strchr(line, ' ');

        if (!number++ && strcmp(line, FIRST_LINE) != 0)
            return bad(path);
        if (number == 1)
            continue;
        if (!value || !undo(value + 1))
            return bad(path);
        *value = '\0';
        if (number == 2 && (strcmp(line, "folder") != 0 || !(*folder = strdup(value + 1))))
            return bad(path);
        if (number > 2 && facts && !strncmp(line, FACT, fact))
            take_fact(facts, line + fact, value + 1);
        if (number > 2 && options && strncmp(line, FACT, fact) != 0)
            RP_CHECK(rp_options_set(options, line, value + 1));
    }
    return *folder ? 0 : bad(path);
}

static int read_file(rp_options *options, struct rp_job_facts *facts, const char *path,
                     char **folder)
{
    size_t size;
    uint8_t *text = NULL;
    int ret = rp_file_read(path, OPTIONS_MAX, &text, &size);

    if (ret >= 0)
        ret = strlen((char *) text) == size
                  ? read_lines(options, facts, path, (char *) text, folder)
                  : bad(path);
    free(text);
    return ret;
}

int rp_job_facts_read(const char *path, struct rp_job_facts *facts)
{
    char *folder = NULL;

    *facts = (struct rp_job_facts){0};
    const int ret = read_file(NULL, facts, path, &folder);
    free(folder);
    return ret >= 0 && facts->lockstep < 1 ? bad(path) : ret;
}

struct found {
    const char *folder;
    char *path;
    int n;
};

static int find_options(void *priv, const char *name, int64_t bytes)
{
    struct found *const f = priv;

    (void) bytes;
    free(f->path);
    f->path = rp_path_join(f->folder, name);
    f->n++;
    return f->path ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

static bool is_job_folder(const char *path)
{
    const char *const base = rp_path_base(path);
    const size_t n = strlen(base), k = strlen(RP_FOLDER_EXT);

    return *base == '.' && n > k + 1 && !strcmp(base + n - k, RP_FOLDER_EXT) &&
           rp_path_is_dir(path);
}

int rp_options_read_job(rp_options *options, const char *path, char **folder)
{
    int ret;
    char *const plain = path && *path ? strdup(path) : NULL;

    *folder = NULL;
    if (!plain)
        return rp_fail(RP_ERR_INVALID, "rp_options_read_job: give the output or its folder");
    for (size_t n = strlen(plain); n > 1 && plain[n - 1] == '/'; n--)
        plain[n - 1] = '\0';
    char *const at = is_job_folder(plain) ? strdup(plain) : rp_job_folder_path(plain);
    struct found f = {.folder = at};

    ret = at ? rp_job_folder_each(at, RP_OPTIONS_EXT, find_options, &f)
             : rp_fail(RP_ERR_NOMEM, "out of memory");
    if (ret >= 0 && f.n != 1)
        ret = f.n ? rp_fail(RP_ERR_USAGE,
                            "%s: there are segments of jobs with different options; "
                            "remove them with 'reprise clean' and make them anew",
                            path)
                  : rp_fail(RP_ERR_USAGE,
                            "%s: there are no segments of this output; make them with "
                            "--segment",
                            path);
    if (ret >= 0)
        ret = read_file(options, NULL, f.path, folder);
    if (ret >= 0)
        rp_options_set_job_file(options, realpath(f.path, NULL));
    free(f.path);
    free(at);
    free(plain);
    if (ret < 0) {
        free(*folder);
        *folder = NULL;
    }
    return ret;
}
