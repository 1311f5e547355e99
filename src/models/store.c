#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/path.h"
#include "models/store.h"

#define GITHUB_URL "https://github.com/facefusion/facefusion-assets/releases/download"
#define HUGGINGFACE_URL "https://huggingface.co/facefusion"
#define SETUP_COMMAND "scripts/setup.sh"

struct rp_store {
    char *path;
    bool is_default; /* the folder that set-up fills when not told otherwise */
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
    if (!s->path) {
        rp_store_destroy(&s);
        return rp_fail(RP_ERR_IO, "no model folder: there is no home folder; set REPRISE_MODELS");
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
    free((*store)->path);
    free(*store);
    *store = NULL;
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

char *rp_store_file(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char *path = rp_path_join(store->path, entry->file);
    if (path && file_size(path) > 0)
        return path;
    free(path);
    return NULL;
}

/* "face_detector yolo_face" as a person says it, into text. */
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

/* One word for a POSIX shell, in single quotes. */
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

char *rp_store_fetch_command(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char *command = NULL;
    if (entry->flags & RP_MODEL_LITE) {
        if (store->is_default)
            return strdup(SETUP_COMMAND);
        char *dir = shell_quote(store->path);
        if (dir)
            command = rp_asprintf("REPRISE_MODELS=%s " SETUP_COMMAND, dir);
        free(dir);
        return command;
    }

    char *path = rp_path_join(store->path, entry->file);
    char *quoted = path ? shell_quote(path) : NULL;
    const char *name = rp_path_base(entry->file);
    /* -f: an error page is not a model. Deep swappers are at Hugging Face only. */
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

/* Neither `wanted` nor `instead` (may be NULL) is there. */
static int fail_missing(const struct rp_store *store, const struct rp_model_entry *wanted,
                        const struct rp_model_entry *instead)
{
    char text[128];
    int ret;
    char *command = rp_store_fetch_command(store, instead ? instead : wanted);
    if (!command)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    spoken(wanted, text, sizeof(text));
    if (instead)
        ret = rp_fail(RP_ERR_MISSING, "neither %s nor %s is installed in %s; get %s with: %s", text,
                      instead->name, store->path, instead->name, command);
    else
        ret = rp_fail(RP_ERR_MISSING, "%s is not installed in %s; get it with: %s", text,
                      store->path, command);
    free(command);
    return ret;
}

int rp_store_resolve(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                     bool named, const struct rp_model_entry **entry, char **path)
{
    static atomic_bool told[RP_KIND_COUNT];

    *entry = NULL;
    *path = NULL;
    const struct rp_model_entry *wanted = rp_catalogue_find(kind, name);
    if (!wanted)
        return rp_fail(RP_ERR_USAGE, "%s: there is no model %s", rp_model_kind_name(kind),
                       name ? name : "without a name");
    const struct rp_model_entry *lite = NULL;
    char *file = rp_store_file(store, wanted);
    if (!file && !named && !(wanted->flags & (RP_MODEL_LITE | RP_MODEL_PART))) {
        lite = rp_catalogue_lite(kind);
        file = lite ? rp_store_file(store, lite) : NULL;
    }
    if (!file)
        return fail_missing(store, wanted, lite);
    if (lite && !atomic_exchange(&told[kind], true)) {
        char text[128];
        rp_log(RP_LOG_INFO, "%s is not installed; using %s", spoken(wanted, text, sizeof(text)),
               lite->name);
    }
    *entry = lite ? lite : wanted;
    *path = file;
    return RP_OK;
}

/* ---- content -------------------------------------------------------------------------------- */

static int fail_content(const struct rp_store *store, const struct rp_model_entry *entry,
                        const char *path, const char *what)
{
    char *command = rp_store_fetch_command(store, entry);
    if (!command)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    int ret =
        rp_fail(RP_ERR_MODEL, "%s: %s, the file is incomplete or another one; get it with: %s",
                path, what, command);
    free(command);
    return ret;
}

/* FaceFusion's "x.hash" beside "x.onnx" or "x.dfm". RP_ERR_UNSUPPORTED if there is none. */
static int read_hash_file(const char *model, uint32_t *crc)
{
    char text[9]; /* one more than the digits, to see that they are all */
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
                              : rp_fail(RP_ERR_IO, "%s: %s", path, strerror(errno));
    }
    free(path);
    return ret;
}

static int check_content(const struct rp_store *store, const struct rp_model_entry *entry,
                         const char *path)
{
    char what[128];
    int64_t size = file_size(path);
    if (entry->size && size != entry->size) {
        snprintf(what, sizeof(what), "%lld bytes instead of %lld", (long long) size,
                 (long long) entry->size);
        return fail_content(store, entry, path, what);
    }
    if (entry->sha256) {
        char hex[RP_SHA256_HEX];
        int ret = rp_sha256_file(path, hex);
        if (ret < 0)
            return ret;
        return strcmp(hex, entry->sha256) ? fail_content(store, entry, path, "wrong SHA-256")
                                          : RP_OK;
    }
    uint32_t want = entry->crc32, crc;
    int ret = want ? RP_OK : read_hash_file(path, &want);
    if (ret == RP_OK)
        ret = rp_crc32_file(path, &crc);
    if (ret == RP_OK && crc != want) {
        snprintf(what, sizeof(what), "CRC-32 %08x instead of %08x", crc, want);
        ret = fail_content(store, entry, path, what);
    }
    return ret;
}

int rp_store_verify(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char *path = rp_store_file(store, entry);
    if (!path)
        return fail_missing(store, entry, NULL);
    int ret = check_content(store, entry, path);
    free(path);
    return ret;
}

/* ---- list ----------------------------------------------------------------------------------- */

int rp_store_each(const struct rp_store *store, void (*fn)(void *priv, const rp_model_info *info),
                  void *priv)
{
    int count;
    const struct rp_model_entry *entries = rp_catalogue(&count);
    for (int i = 0; i < count; i++) {
        const struct rp_model_entry *e = &entries[i];
        char *path = rp_store_file(store, e);
        char *fetch = rp_store_fetch_command(store, e);
        if (!fetch) {
            free(path);
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        }
        fn(priv, &(rp_model_info){
                     .kind = rp_model_kind_name(e->kind),
                     .name = e->name,
                     .file = e->file,
                     .vendor = e->vendor,
                     .licence = e->licence,
                     .year = e->year,
                     .lite = e->flags & RP_MODEL_LITE,
                     .is_default = e->flags & RP_MODEL_DEFAULT,
                     .installed = path != NULL,
                     .size = path ? file_size(path) : e->size,
                     .path = path,
                     .fetch = fetch,
                 });
        free(fetch);
        free(path);
    }
    return RP_OK;
}
