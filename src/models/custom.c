#include "models/custom.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>

#include "base/path.h"

static const char *const extensions[] = {"dfm", "onnx"}; /* the first one that is there */

struct custom {
    struct rp_model_entry entry; /* its strings follow the struct */
    struct custom *next;
};

struct rp_customs {
    pthread_mutex_t lock;
    struct custom *first;
};

int rp_customs_create(struct rp_customs **out)
{
    struct rp_customs *const c = *out = calloc(1, sizeof(*c));

    if (!c)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&c->lock, NULL);
    return 0;
}

void rp_customs_destroy(struct rp_customs **customs)
{
    struct rp_customs *const c = *customs;

    if (!c)
        return;
    while (c->first) {
        struct custom *const one = c->first;

        c->first = one->next;
        free(one);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
    *customs = NULL;
}

bool rp_custom_is(enum rp_model_kind kind, const char *name)
{
    return kind == RP_KIND_DEEP_SWAPPER && name &&
           !strncmp(name, RP_CUSTOM_BEGINNING, strlen(RP_CUSTOM_BEGINNING));
}

/* NAME alone. */
static bool is_name(const char *name, size_t n)
{
    static const char signs[] = " _-+.()";

    if (n < 1 || n > RP_CUSTOM_NAME || strchr(" .-", name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!(name[i] >= 'a' && name[i] <= 'z') && !(name[i] >= 'A' && name[i] <= 'Z') &&
            !(name[i] >= '0' && name[i] <= '9') && !strchr(signs, name[i]))
            return false;
    return true;
}

/* The entry of a file, made when it is first asked for. */
static const struct rp_model_entry *entry_of(struct rp_customs *c, const char *name,
                                             const char *extension)
{
    const size_t size = strlen(RP_CUSTOM_BEGINNING) + strlen(name) + 8;
    char file[sizeof(RP_CUSTOM_BEGINNING) + RP_CUSTOM_NAME + 8];
    struct custom *one;

    snprintf(file, sizeof(file), RP_CUSTOM_BEGINNING "%s.%s", name, extension);
    pthread_mutex_lock(&c->lock);
    for (one = c->first; one && strcmp(one->entry.file, file) != 0;)
        one = one->next;
    if (!one && (one = calloc(1, sizeof(*one) + 2 * size))) {
        char *const strings = (char *) (one + 1);

        snprintf(strings, size, RP_CUSTOM_BEGINNING "%s", name);
        snprintf(strings + size, size, "%s", file);
        one->entry = (struct rp_model_entry){.kind = RP_KIND_DEEP_SWAPPER,
                                             .name = strings,
                                             .file = strings + size,
                                             .vendor = "custom",
                                             .licence = "your own"};
        one->next = c->first;
        c->first = one;
    }
    pthread_mutex_unlock(&c->lock);
    return one ? &one->entry : NULL;
}

/* The extension of the file of this name, NULL if there is none. */
static int extension_of(const char *folder, const char *name, const char **extension)
{
    *extension = NULL;
    for (size_t i = 0; i < RP_ARRAY_LEN(extensions); i++) {
        char *const path =
            rp_asprintf("%s/" RP_CUSTOM_BEGINNING "%s.%s", folder, name, extensions[i]);
        if (!path)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        if (rp_path_is_file(path))
            *extension = extensions[i];
        free(path);
        if (*extension)
            break;
    }
    return 0;
}

int rp_customs_find(struct rp_customs *c, const char *folder, const char *name,
                    const struct rp_model_entry **entry)
{
    const char *const stem = name + strlen(RP_CUSTOM_BEGINNING);

    *entry = NULL;
    if (!is_name(stem, strlen(stem)))
        return rp_fail(RP_ERR_USAGE,
                       "deep swapper '%s': after custom/ comes the name of a file without its "
                       "extension, of at most %d letters, digits, blanks and _ - + . ( )",
                       name, RP_CUSTOM_NAME);

    const char *extension;
    RP_CHECK(extension_of(folder, stem, &extension));
    if (!extension)
        return rp_fail(RP_ERR_MISSING,
                       "deep swapper %s: there is no file %s.dfm or %s.onnx in %s/custom", name,
                       stem, stem, folder);
    *entry = entry_of(c, stem, extension);
    return *entry ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Length of the name before one of the extensions, 0 if it has none. */
static size_t stem_of(const char *file)
{
    const size_t n = strlen(file);

    for (size_t i = 0; i < RP_ARRAY_LEN(extensions); i++) {
        const size_t m = strlen(extensions[i]) + 1;

        if (n > m && file[n - m] == '.' && !strcmp(file + n - m + 1, extensions[i]))
            return n - m;
    }
    return 0;
}

static int is_custom(const struct dirent *d)
{
    return is_name(d->d_name, stem_of(d->d_name));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* A file of the folder; that of an extension which is not used counts as none. */
static int one_file(struct rp_customs *c, const char *folder, char *file,
                    const struct rp_model_entry **entry)
{
    const size_t n = stem_of(file);
    const char *const extension = file + n + 1;

    *entry = NULL;
    file[n] = '\0';
    const char *used;
    RP_CHECK(extension_of(folder, file, &used));
    if (!used || strcmp(used, extension) != 0)
        return 0;
    *entry = entry_of(c, file, used);
    return *entry ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

int rp_customs_each(struct rp_customs *c, const char *folder,
                    int (*fn)(void *priv, const struct rp_model_entry *entry), void *priv)
{
    struct dirent **found = NULL;
    int ret = 0;
    char *const path = rp_path_join(folder, "custom");
    const int n = path ? scandir(path, &found, is_custom, by_name) : -1;

    if (!path || (n < 0 && errno == ENOMEM))
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    free(path);
    for (int i = 0; i < n; i++) {
        const struct rp_model_entry *entry = NULL;

        if (ret >= 0)
            ret = one_file(c, folder, found[i]->d_name, &entry);
        if (ret >= 0 && entry)
            ret = fn(priv, entry);
        free(found[i]);
    }
    free(found);
    return ret;
}
