/* See memory.h. If two processes write at once, each replaces the whole file: a line may be lost,
 * and is then computed again, but never damaged. */
#include "models/memory.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"

#define MAX_BYTES (1 << 20) /* of the memory; a folder with all models takes about 40 kB */
#define FRESH_SECONDS 2     /* a file this new may change again without a new time */

/* How the line of a file begins as long as that is unchanged, and the path with which it ends. */
struct key {
    char state[64];
    char *path;
    time_t changed;
};

static bool make_key(struct key *key, const char *path)
{
    struct stat st;

    key->path = realpath(path, NULL);
    if (!key->path)
        return false;
    if (stat(key->path, &st)) {
        free(key->path);
        return false;
    }
    key->changed = st.st_mtime;
    snprintf(key->state, sizeof(key->state), "%lld %lld.%09ld", (long long) st.st_size,
             (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return true;
}

/* The whole memory as text, "" if there is none; NULL when out of memory. */
static char *read_memory(char **name)
{
    size_t size;
    uint8_t *text = NULL;

    *name = rp_path_user_cache("model-sums.txt");
    if (!*name)
        return NULL;
    if (!rp_path_is_file(*name))
        return strdup("");
    rp_log_hold(true);
    const int ret = rp_file_read(*name, MAX_BYTES, &text, &size);
    rp_log_hold(false);
    return ret < 0 ? strdup("") : (char *) text;
}

/* The path at the end of a line of `len` bytes, after four words; NULL if it is not a line of
 * ours. */
static const char *path_of(const char *line, size_t len, size_t *path_len)
{
    const char *p = line;

    for (int word = 0; word < 4; word++) {
        p = memchr(p, ' ', len - (size_t) (p - line));
        if (!p)
            return NULL;
        p++;
    }
    *path_len = len - (size_t) (p - line);
    return p;
}

static bool is_of(const struct key *key, const char *line, size_t len)
{
    size_t n = 0;
    const char *const path = path_of(line, len, &n);

    return path && n == strlen(key->path) && !memcmp(path, key->path, n);
}

static bool parse_line(const struct key *key, const char *line, struct rp_sums *sums)
{
    const size_t n = strlen(key->state);
    unsigned crc;

    if (strncmp(line, key->state, n) != 0 || line[n] != ' ' ||
        sscanf(line + n + 1, "%8x %64s", &crc, sums->sha256) != 2)
        return false;
    sums->crc32 = crc;
    return strspn(sums->sha256, "0123456789abcdef") == RP_SHA256_HEX - 1;
}

static bool recall(const struct key *key, struct rp_sums *sums)
{
    char *name;
    char *const text = read_memory(&name);
    bool found = false;

    for (const char *line = text; line && *line && !found;) {
        const size_t len = strcspn(line, "\n");
        found = is_of(key, line, len) && parse_line(key, line, sums);
        line += len + (line[len] == '\n');
    }
    free(text);
    free(name);
    return found;
}

/* Copy all lines but those of this file. */
static void copy_others(FILE *f, const struct key *key, const char *text)
{
    while (*text) {
        const size_t len = strcspn(text, "\n");
        if (len && !is_of(key, text, len))
            fprintf(f, "%.*s\n", (int) len, text);
        text += len + (text[len] == '\n');
    }
}

static void keep(const struct key *key, const struct rp_sums *sums)
{
    size_t size = 0;
    char *name = NULL, *made = NULL, *dir = NULL;
    char *const text = read_memory(&name);
    FILE *const f = text && !strchr(key->path, '\n') ? open_memstream(&made, &size) : NULL;

    if (f) {
        copy_others(f, key, text);
        fprintf(f, "%s %08x %s %s\n", key->state, sums->crc32, sums->sha256, key->path);
        dir = fclose(f) ? NULL : rp_path_dir(name);
    }
    if (dir && size <= MAX_BYTES) {
        rp_log_hold(true);
        if (rp_path_mkdirs(dir) >= 0)
            rp_file_write(name, made, size);
        rp_log_hold(false);
    }
    free(dir);
    free(made);
    free(text);
    free(name);
}

int rp_memory_sums(const char *path, bool anew, struct rp_sums *sums)
{
    struct key key;
    int ret = 0;

    if (!make_key(&key, path))
        return rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
    if (anew || !recall(&key, sums)) {
        ret = rp_sums_file(path, sums);
        if (ret >= 0 && time(NULL) - key.changed > FRESH_SECONDS)
            keep(&key, sums);
    }
    free(key.path);
    return ret;
}

void rp_memory_keep(const char *path, const struct rp_sums *sums)
{
    struct key key;

    if (!make_key(&key, path))
        return;
    keep(&key, sums);
    free(key.path);
}
