#include "engine/cache.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/path.h"

#define MAX_ENTRY (1 << 20)
#define ENDS (64 << 10) /* bytes at either end that the checksum of a large file covers */

struct rp_cache {
    char *folder;     /* NULL: nothing is kept */
    atomic_bool told; /* logged that it cannot be written */
};

int rp_cache_open(struct rp_cache **out, const char *folder)
{
    struct rp_cache *const p = *out = calloc(1, sizeof(*p));

    if (!p)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (folder && !strcmp(folder, "off"))
        return 0;
    p->folder = folder ? strdup(folder) : rp_path_user_cache("cache");
    if (p->folder && rp_path_mkdirs(p->folder) < 0) {
        rp_log(RP_LOG_WARN, "cache: %s cannot be made; nothing is kept", p->folder);
        free(p->folder);
        p->folder = NULL;
    }
    return 0;
}

void rp_cache_close(struct rp_cache **cache)
{
    if (!*cache)
        return;
    free((*cache)->folder);
    free(*cache);
    *cache = NULL;
}

char *rp_cache_folder(const struct rp_cache *p, const char *name)
{
    return p->folder ? rp_asprintf("%s/%s", p->folder, name) : NULL;
}

/* The file of a key, named by the key's hash, so that keys may contain anything. */
static char *path_of(const struct rp_cache *p, const char *key, const char *ext)
{
    char hex[RP_SHA256_HEX];

    if (!p || !p->folder || rp_sha256_data(key, strlen(key), hex) < 0)
        return NULL;
    hex[32] = 0;
    return rp_asprintf("%s/%s.%s", p->folder, hex, ext);
}

static void drop(const char *path, const char *why)
{
    rp_log(RP_LOG_INFO, "cache: %s %s; it is made again", path, why);
    unlink(path);
}

/* An entry is {"key": the whole key, "value": ...}, so that neither a colliding hash nor a file of
 * another version is taken for ours. */
json_t *rp_cache_get(struct rp_cache *p, const char *key)
{
    json_t *value = NULL;
    uint8_t *data = NULL;
    size_t size;
    char *const path = path_of(p, key, "json");

    if (!path || !rp_path_is_file(path))
        goto end;
    rp_log_hold(true);
    const int ret = rp_file_read(path, MAX_ENTRY, &data, &size);
    rp_log_hold(false);
    json_t *const entry = ret < 0 ? NULL : json_loadb((const char *) data, size, 0, NULL);
    const char *const stored = json_string_value(json_object_get(entry, "key"));
    if (stored && !strcmp(stored, key))
        value = json_incref(json_object_get(entry, "value"));
    else
        drop(path, entry ? "has another key" : "is broken");
    json_decref(entry);

end:
    free(data);
    free(path);
    return value;
}

void rp_cache_put(struct rp_cache *p, const char *key, json_t *value)
{
    char *const path = path_of(p, key, "json");
    json_t *const entry = path ? json_pack("{s:s, s:O}", "key", key, "value", value) : NULL;
    char *const text = entry ? rp_json_text(entry, JSON_INDENT(1)) : NULL;

    rp_log_hold(true);
    if (text && rp_file_write(path, text, strlen(text)) < 0 && !atomic_exchange(&p->told, true))
        rp_log(RP_LOG_WARN, "cache: %s", rp_last_error());
    rp_log_hold(false);
    free(text);
    json_decref(entry);
    free(path);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* CRC of the first and the last bytes: enough to notice a truncated or foreign file without reading
 * half a gigabyte at every start. */
static int ends_crc(const char *path, int64_t *size, uint32_t *crc)
{
    struct stat st;
    int ret = RP_ERR_IO;
    uint8_t *const buf = malloc(ENDS);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (!buf || fd < 0 || fstat(fd, &st) < 0)
        goto end;
    *size = st.st_size;
    *crc = 0;
    for (int i = 0; i < 2; i++) {
        const off_t at = i ? RP_MAX(st.st_size - ENDS, 0) : 0;
        const ssize_t n = pread(fd, buf, ENDS, at);

        if (n < 0)
            goto end;
        *crc = rp_crc32(*crc, buf, (size_t) n);
    }
    ret = 0;

end:
    if (fd >= 0)
        close(fd);
    free(buf);
    return ret;
}

int rp_cache_stamp(const char *path, char *text, size_t size)
{
    struct stat st;
    int64_t bytes;
    uint32_t crc;

    if (stat(path, &st) < 0 || ends_crc(path, &bytes, &crc) < 0)
        return rp_fail(RP_ERR_IO, "%s: cannot be read", path);
    snprintf(text, size, "%s %lld %lld.%09ld %08x", rp_path_base(path), (long long) bytes,
             (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec, crc);
    return 0;
}

static char *file_key(const char *key)
{
    return rp_asprintf("file %s", key);
}

char *rp_cache_file(struct rp_cache *p, const char *key)
{
    int64_t size = 0;
    uint32_t crc = 0;
    char *path = path_of(p, key, "onnx"), *const note = file_key(key);
    json_t *const v = path && note && rp_path_is_file(path) ? rp_cache_get(p, note) : NULL;

    if (v && (ends_crc(path, &size, &crc) < 0 ||
              size != json_integer_value(json_object_get(v, "size")) ||
              crc != (uint32_t) json_integer_value(json_object_get(v, "crc"))))
        drop(path, "has changed since it was written");
    else if (v)
        goto end;
    free(path);
    path = NULL;

end:
    json_decref(v);
    free(note);
    return path;
}

char *rp_cache_file_begin(struct rp_cache *p, const char *key)
{
    static atomic_uint number; /* threads may make the same file at the same time */
    char *const path = path_of(p, key, "onnx");
    char *const temp = path ? rp_asprintf("%s.%d-%u.part.onnx", path, (int) getpid(),
                                          atomic_fetch_add(&number, 1))
                            : NULL;

    free(path);
    return temp;
}

void rp_cache_file_done(struct rp_cache *p, const char *key, const char *temp, bool good)
{
    int64_t size;
    uint32_t crc;
    json_t *value;
    char *const path = path_of(p, key, "onnx"), *const note = file_key(key);

    if (!good || !path || !note || ends_crc(temp, &size, &crc) < 0 || rename(temp, path) < 0) {
        unlink(temp);
    } else if ((value = json_pack("{s:I, s:I}", "size", (json_int_t) size, "crc",
                                  (json_int_t) crc))) {
        rp_cache_put(p, note, value);
        json_decref(value);
    }
    free(note);
    free(path);
}

void rp_cache_file_bad(struct rp_cache *p, const char *key)
{
    char *const path = path_of(p, key, "onnx");

    if (path)
        drop(path, "does not load");
    free(path);
}
