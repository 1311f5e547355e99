#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/path.h"
#include "models/custom.h"
#include "models/memory.h"
#include "models/store.h"

#define GITHUB_URL "https://github.com/facefusion/facefusion-assets/releases/download"
#define HUGGINGFACE_URL "https://huggingface.co/facefusion"
#define LITE_COMMAND "reprise force-download"

struct rp_store {
    struct rp_downloads *downloads; /* NULL: never fetch */
    struct rp_customs *customs;
    char *path;
    char *shared;    /* the lite set that was installed with the program; NULL: not installed */
    bool is_default; /* the folder that set-up fills by default */
};

int rp_store_create(struct rp_store **out, const char *path)
{
    *out = NULL;
    struct rp_store *s = calloc(1, sizeof(*s));
    if (!s)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (!path || !*path)
        path = getenv("REPRISE_MODELS");
    s->is_default = !path || !*path;
    s->path = s->is_default ? rp_path_user_cache("models") : strdup(path);
    if (rp_customs_create(&s->customs) < 0 ||
        rp_path_installed(RP_PATH_SHARE, "models", &s->shared) < 0) {
        rp_store_destroy(&s);
        return RP_ERR_NOMEM;
    }
    if (!s->path) {
        rp_store_destroy(&s);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    for (size_t n = strlen(s->path); n > 1 && s->path[n - 1] == '/'; n--)
        s->path[n - 1] = '\0';
    *out = s;
    return RP_OK;
}

void rp_store_destroy(struct rp_store **store)
{
    if (!*store)
        return;
    rp_downloads_destroy(&(*store)->downloads);
    rp_customs_destroy(&(*store)->customs);
    free((*store)->path);
    free((*store)->shared);
    free(*store);
    *store = NULL;
}

int rp_store_downloads(struct rp_store *store, const struct rp_download_options *options,
                       rp_download_fn *fn, void *priv)
{
    rp_downloads_destroy(&store->downloads);
    return rp_downloads_create(&store->downloads, options, fn, priv);
}

const char *rp_store_path(const struct rp_store *store)
{
    return store->path;
}

/* Size of a regular file, 0 if there is none. */
static int64_t file_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

const char *rp_store_shared(const struct rp_store *store)
{
    return store->shared && rp_path_is_dir(store->shared) ? store->shared : NULL;
}

/* The file in one of the two folders; *path is NULL if it is not there. */
static int file_in(const char *folder, const struct rp_model_entry *entry, char **path)
{
    *path = rp_path_join(folder, entry->file);
    if (!*path)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (file_size(*path) > 0)
        return 0;
    free(*path);
    *path = NULL;
    return 0;
}

int rp_store_file(const struct rp_store *store, const struct rp_model_entry *entry, char **path)
{
    RP_CHECK(file_in(store->path, entry, path));
    return *path || !store->shared ? 0 : file_in(store->shared, entry, path);
}

/* Kind and name in words for messages, written to `text`. */
static const char *spoken(const struct rp_model_entry *entry, char *text, size_t size)
{
    const char *kind = rp_model_kind_name(entry->kind);
    size_t n = strlen(kind);
    snprintf(text, size, "%s %s", kind, entry->name);
    for (size_t i = 0; i < n && i < size; i++) {
        if (text[i] == '_')
            text[i] = ' ';
    }
    return text;
}

/* The text as one word for a POSIX shell, in single quotes. */
static char *shell_quote(const char *text)
{
    char *quoted = malloc(4 * strlen(text) + 3);
    char *q = quoted;
    if (!q)
        return NULL;
    *q++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            q = stpcpy(q, "'\\''");
        else
            *q++ = *text;
    }
    memcpy(q, "'", 2);
    return quoted;
}

int rp_store_find(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                  const struct rp_model_entry **entry)
{
    if (rp_custom_is(kind, name))
        return rp_customs_find(store->customs, store->path, name, entry);
    *entry = rp_catalogue_find(kind, name);
    return *entry ? 0
                  : rp_fail(RP_ERR_USAGE, "%s: there is no model %s", rp_model_kind_name(kind),
                            name ? name : "without a name");
}

char *rp_store_fetch_command(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char *command = NULL;
    if (entry->flags & RP_MODEL_LITE) {
        if (store->is_default)
            return strdup(LITE_COMMAND " lite");
        char *dir = shell_quote(store->path);
        if (dir)
            command = rp_asprintf(LITE_COMMAND " --models-path %s lite", dir);
        free(dir);
        return command;
    }

    char *path = rp_path_join(store->path, entry->file);
    char *quoted = path ? shell_quote(path) : NULL;
    const char *name = rp_path_base(entry->file);
    /* -f: an error page is not a model. Only Hugging Face has deep swappers. */
    if (quoted && entry->kind == RP_KIND_DEEP_SWAPPER)
        command = rp_asprintf("curl -fL --create-dirs -o %s %s/%s/resolve/main/%s", quoted,
                              HUGGINGFACE_URL, entry->base, name);
    else if (quoted)
        command = rp_asprintf("curl -fL --create-dirs -o %s %s/%s/%s", quoted, GITHUB_URL,
                              entry->base, name);
    free(quoted);
    free(path);
    return command;
}

/* Report that neither `wanted` nor `instead` (may be NULL) is installed. why: why it could not be
 * fetched, or "". passes: that may work later. */
static int fail_missing(const struct rp_store *store, const struct rp_model_entry *wanted,
                        const struct rp_model_entry *instead, const char *why, bool passes)
{
    const int status = passes ? RP_ERR_AGAIN : RP_ERR_MISSING;
    char text[160];
    int ret;

    if (rp_custom_is(wanted->kind, wanted->name))
        return rp_fail(RP_ERR_MISSING, "%s/%s: an empty file, not a model", store->path,
                       wanted->file);
    char *command = rp_store_fetch_command(store, instead ? instead : wanted);
    if (!command)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    spoken(wanted, text, sizeof(text));
    if (instead)
        ret = rp_fail(status, "neither %s nor %s is installed in %s; get %s with: %s", text,
                      instead->name, store->path, instead->name, command);
    else
        ret = rp_fail(status, "%s is not installed in %s%s%s; get it with: %s", text, store->path,
                      *why ? " and cannot be fetched: " : "", why, command);
    free(command);
    return ret;
}

/* ---- fetching ------------------------------------------------------------------------------- */

enum { WHY = 400 };

/* Fetch a missing file. *path is NULL if that is not possible, with a reason if there is one worth
 * showing. Fails only if memory is out. */
static int fetch_missing(const struct rp_store *store, const struct rp_model_entry *entry,
                         char why[WHY], int *status, char **path)
{
    const char *const refusal = rp_downloads_refuse(store->downloads, entry);

    why[0] = '\0';
    *path = NULL;
    *status = RP_ERR_MISSING;
    if (refusal && store->downloads && entry->base)
        snprintf(why, WHY, "%s", refusal);
    if (refusal ||
        !entry->base) /* no run fetches the lite set: packages for the sake of one file */
        return 0;
    if (!(*path = rp_path_join(store->path, entry->file)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    *status = rp_downloads_get(store->downloads, entry, *path, false, why, WHY);
    if (*status >= 0)
        return 0;
    free(*path);
    *path = NULL;
    return *status == RP_ERR_NOMEM ? rp_fail(RP_ERR_NOMEM, "out of memory") : 0;
}

int rp_store_bring(const struct rp_store *store, const struct rp_model_entry *entry, char **path)
{
    char why[WHY];
    int status;

    RP_CHECK(rp_store_file(store, entry, path));
    if (*path)
        return 0;
    RP_CHECK(fetch_missing(store, entry, why, &status, path));
    if (!*path && *why)
        rp_log(RP_LOG_DEBUG, "%s is not there: %s", entry->name, why);
    return 0;
}

/* Log that `lite` replaces a default: one line per process for whoever runs the program, with the
 * reason if no host could be reached, and the names, once per kind, for whoever looks closer. A
 * model that could not be fetched for a reason of its own is a line for everybody. */
static void say_instead(const struct rp_model_entry *wanted, const struct rp_model_entry *lite,
                        const char *why, int status)
{
    static atomic_bool told[RP_KIND_COUNT], told_all;
    const bool away = *why && (status == RP_ERR_MISSING || status == RP_ERR_CLOSED),
               failed = *why && !away;
    char text[128];

    if (!failed && !atomic_exchange(&told_all, true))
        rp_log(RP_LOG_INFO,
               "using the lite models where FaceFusion's are not installed (reprise "
               "force-download fetches those)%s%s",
               away ? "; " : "", away ? why : "");
    if (atomic_exchange(&told[wanted->kind], true))
        return;
    spoken(wanted, text, sizeof(text));
    if (failed)
        rp_log(RP_LOG_INFO, "%s cannot be fetched: %s; using %s", text, why, lite->name);
    else
        rp_log(RP_LOG_DEBUG, "%s is not installed; using %s", text, lite->name);
}

int rp_store_resolve(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                     bool named, const struct rp_model_entry **entry, char **path)
{
    char why[WHY] = "";
    int status = 0;

    *entry = NULL;
    *path = NULL;
    const struct rp_model_entry *wanted, *lite = NULL;
    bool off; /* nothing is to be fetched: whoever said so need not be told */
    char *file;
    RP_CHECK(rp_store_find(store, kind, name, &wanted));
    RP_CHECK(rp_store_file(store, wanted, &file));
    off = rp_downloads_refuse(store->downloads, wanted) != NULL;
    if (!file && !rp_custom_is(kind, name))
        RP_CHECK(fetch_missing(store, wanted, why, &status, &file));
    if (status == RP_ERR_CANCELLED)
        return rp_fail(status, "interrupted while fetching %s", wanted->name);
    if (!file && !named && !(wanted->flags & (RP_MODEL_LITE | RP_MODEL_PART))) {
        lite = rp_catalogue_lite(kind);
        if (lite)
            RP_CHECK(rp_store_file(store, lite, &file));
    }
    if (!file)
        return fail_missing(store, wanted, lite, why,
                            status == RP_ERR_CLOSED || status == RP_ERR_AGAIN);
    if (lite)
        say_instead(wanted, lite, off ? "" : why, status);
    *entry = lite ? lite : wanted;
    *path = file;
    return RP_OK;
}

int rp_store_instead(const struct rp_store *store, bool named, const char *why,
                     const struct rp_model_entry **entry, char **path)
{
    const struct rp_model_entry *const wanted = *entry;
    char *const command = rp_store_fetch_command(store, wanted);
    int ret = RP_OK;

    *path = NULL;
    if (!command)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (named || wanted->flags & RP_MODEL_LITE) {
        ret = rp_fail(RP_ERR_MISSING, "%s, so it is not used; get it with: %s", why, command);
    } else {
        rp_log(RP_LOG_WARN, "%s, so it is not used; get it with: %s", why, command);
        *entry = rp_catalogue_lite(wanted->kind);
        if (*entry)
            ret = rp_store_file(store, *entry, path);
        if (ret >= 0 && !*path)
            ret = fail_missing(store, wanted, *entry, "", false);
    }
    free(command);
    return ret;
}

/* ---- content -------------------------------------------------------------------------------- */

static int fail_content(const struct rp_store *store, const struct rp_model_entry *entry,
                        const char *path, const char *what)
{
    char *command = rp_store_fetch_command(store, entry);
    if (!command)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    int ret =
        rp_fail(RP_ERR_MODEL, "%s: %s, the file is incomplete or a different one; get it with: %s",
                path, what, command);
    free(command);
    return ret;
}

/* Read FaceFusion's "x.hash" next to "x.onnx" or "x.dfm". RP_ERR_UNSUPPORTED if there is none. */
static int read_hash_file(const char *model, uint32_t *crc)
{
    char text[9]; /* one byte more than the digits, to see that there are no more */
    char *path = rp_asprintf("%.*shash", (int) (rp_path_ext(model) - model), model);
    FILE *f = path ? fopen(path, "rb") : NULL;
    int ret = RP_OK;
    if (!path) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    } else if (f) {
        size_t n = fread(text, 1, sizeof(text), f);
        text[8] = '\0';
        if (n == 8 && strspn(text, "0123456789abcdefABCDEF") == 8)
            *crc = (uint32_t) strtoul(text, NULL, 16);
        else
            ret = rp_fail(RP_ERR_MODEL, "%s: not 8 hex digits", path);
        fclose(f);
    } else {
        ret = errno == ENOENT ? RP_ERR_UNSUPPORTED
                              : rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
    }
    free(path);
    return ret;
}

/* What is wrong with a file, or ""; RP_ERR_UNSUPPORTED when nothing is known about it.
 * @param anew  read the bytes even if the sums are remembered */
static int check_content(const struct rp_model_entry *entry, const char *path, bool anew,
                         char *what, size_t n)
{
    struct rp_sums sums;
    uint32_t want = entry->crc32;
    const int64_t size = file_size(path);

    what[0] = '\0';
    if (rp_custom_is(entry->kind, entry->name))
        return RP_ERR_UNSUPPORTED;
    if (entry->size && size != entry->size) {
        snprintf(what, n, "%lld bytes instead of %lld", (long long) size, (long long) entry->size);
        return RP_OK;
    }
    int ret = want || entry->sha256 ? RP_OK : read_hash_file(path, &want);
    if (ret == RP_OK)
        ret = rp_memory_sums(path, anew, &sums);
    if (ret != RP_OK)
        return ret;
    if (entry->sha256 && strcmp(sums.sha256, entry->sha256) != 0)
        snprintf(what, n, "wrong SHA-256");
    else if (!entry->sha256 && sums.crc32 != want)
        snprintf(what, n, "CRC-32 %08x instead of %08x", sums.crc32, want);
    return RP_OK;
}

int rp_store_verify(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char what[128];
    char *path;
    RP_CHECK(rp_store_file(store, entry, &path));
    if (!path)
        return fail_missing(store, entry, NULL, "", false);
    int ret = check_content(entry, path, true, what, sizeof(what));
    if (ret == RP_OK && *what)
        ret = fail_content(store, entry, path, what);
    free(path);
    return ret;
}

void rp_store_look(const struct rp_store *store, const struct rp_model_entry *entry,
                   const char *path)
{
    static atomic_bool told[512]; /* by place in the catalogue */
    char what[128] = "";

    (void) store;
    if (rp_custom_is(entry->kind, entry->name))
        return;
    const size_t place = (size_t) (entry - rp_catalogue(NULL));
    rp_log_hold(true);
    const int ret = check_content(entry, path, false, what, sizeof(what));
    if (ret < 0 && ret != RP_ERR_UNSUPPORTED)
        snprintf(what, sizeof(what), "%s", rp_last_error());
    rp_log_hold(false);
    if (*what && (place >= RP_ARRAY_LEN(told) || !atomic_exchange(&told[place], true)))
        rp_log(RP_LOG_WARN, "%s is not the published file: %s; it is used as it is", path, what);
}

static bool starts_with(const char *text, const char *beginning)
{
    return !strncmp(text, beginning, strlen(beginning));
}

int rp_store_fetch(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char what[128] = "", why[WHY], text[128];
    char *path;
    RP_CHECK(rp_store_file(store, entry, &path));
    const char *const refusal = rp_downloads_refuse(store->downloads, entry);
    const bool there = path != NULL, own = there && starts_with(path, store->path);
    int ret = RP_ERR_MISSING;

    rp_log_hold(true); /* a broken .hash file is just another reason to fetch */
    if (there)
        ret = check_content(entry, path, false, what, sizeof(what));
    rp_log_hold(false);
    if ((ret == RP_OK && !*what) || (ret == RP_ERR_UNSUPPORTED && refusal)) {
        free(path);
        return rp_downloads_brought(store->downloads, entry);
    }
    spoken(entry, text, sizeof(text));
    if (*what)
        rp_log(RP_LOG_INFO, "%s: %s", path, what);
    if (!own) { /* a wrong one that was installed with the program stays, behind the right one */
        free(path);
        path = rp_path_join(store->path, entry->file);
    }
    if (!path)
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    else if (refusal)
        ret = rp_fail(RP_ERR_MISSING, "%s cannot be fetched: %s", text, refusal);
    else if ((ret = rp_downloads_get(store->downloads, entry, path, own, why, WHY)) < 0)
        ret = rp_fail(ret, "%s cannot be fetched: %s", text, why);
    free(path);
    rp_downloads_brought(store->downloads, entry); /* it is told now */
    return ret < 0 ? ret : 1;
}

/* ---- list ----------------------------------------------------------------------------------- */

struct lister {
    const struct rp_store *store;
    void (*fn)(void *priv, const rp_model_info *info);
    void *priv;
};

static int list_one(void *priv, const struct rp_model_entry *e)
{
    const struct lister *const l = priv;
    const bool custom = rp_custom_is(e->kind, e->name);
    char *path;
    RP_CHECK(rp_store_file(l->store, e, &path));
    char *fetch = custom ? NULL : rp_store_fetch_command(l->store, e);

    if (!fetch && !custom) {
        free(path);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    l->fn(l->priv, &(rp_model_info){
                       .kind = rp_model_kind_name(e->kind),
                       .name = e->name,
                       .file = e->file,
                       .vendor = e->vendor,
                       .licence = e->licence,
                       .year = e->year,
                       .lite = e->flags & RP_MODEL_LITE,
                       .is_default = e->flags & RP_MODEL_DEFAULT,
                       .installed = path != NULL,
                       .full_scope = e->kind == RP_KIND_DEEP_SWAPPER &&
                                     strcmp(e->vendor, "iperov") != 0,
                       .size = path ? file_size(path) : e->size,
                       .sha256 = e->sha256,
                       .path = path,
                       .fetch = fetch,
                   });
    free(fetch);
    free(path);
    return RP_OK;
}

int rp_store_each(const struct rp_store *store, void (*fn)(void *priv, const rp_model_info *info),
                  void *priv)
{
    int count, ret = RP_OK;
    struct lister l = {store, fn, priv};
    const struct rp_model_entry *entries = rp_catalogue(&count);

    for (int i = 0; i < count && ret >= 0; i++)
        ret = list_one(&l, &entries[i]);
    return ret < 0 ? ret : rp_customs_each(store->customs, store->path, list_one, &l);
}
