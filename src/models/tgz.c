#include "models/tgz.h"

#include <errno.h>
#include <zlib.h>

#define UNPACKED (INT64_C(1) << 29) /* bytes of an archive */

enum {
    BLOCK = 512,
    NAME = 100,
    SIZE = 124,
    SIZE_DIGITS = 12,
    TYPE = 156,
    MAGIC = 257,
    PREFIX = 345,
    PREFIX_LENGTH = 155
};

struct archive {
    const char *path;
    gzFile gz;
    int64_t left; /* bytes that may still come */
};

static int broken(const struct archive *a, const char *what)
{
    return rp_fail(RP_ERR_MODEL, "%s: not the expected archive: %s", a->path, what);
}

/* All of `size` bytes; 1 at the archive's end. */
static int read_all(struct archive *a, void *to, size_t size)
{
    const int got = gzread(a->gz, to, (unsigned) size);

    if (got == 0 && gzeof(a->gz))
        return 1;
    if (got < 0 || (size_t) got != size)
        return broken(a, "it cannot be unpacked to its end");
    a->left -= (int64_t) size;
    return a->left < 0 ? broken(a, "it unpacks to more than 512 MB") : 0;
}

static int skip(struct archive *a, int64_t size)
{
    uint8_t block[BLOCK * 16];

    while (size > 0) {
        const size_t part = (size_t) RP_MIN(size, (int64_t) sizeof(block));
        const int ret = read_all(a, block, part);
        if (ret)
            return ret < 0 ? ret : broken(a, "it ends within a file");
        size -= (int64_t) part;
    }
    return 0;
}

/* Octal digits; -1 if there are others, or none. */
static int64_t number(const uint8_t *at)
{
    int64_t value = 0;
    int n = 0;

    while (n < SIZE_DIGITS && at[n] == ' ')
        n++;
    if (n == SIZE_DIGITS || at[n] < '0' || at[n] > '7')
        return -1;
    for (; n < SIZE_DIGITS && at[n] >= '0' && at[n] <= '7'; n++)
        value = value * 8 + (at[n] - '0');
    return n == SIZE_DIGITS || at[n] == '\0' || at[n] == ' ' ? value : -1;
}

static void name_of(const uint8_t *head, char name[NAME + PREFIX_LENGTH + 2])
{
    const bool long_name = !memcmp(head + MAGIC, "ustar", 5) && head[PREFIX];

    snprintf(name, NAME + PREFIX_LENGTH + 2, "%.*s%s%.*s", long_name ? PREFIX_LENGTH : 0,
             (const char *) head + PREFIX, long_name ? "/" : "", NAME, (const char *) head);
}

static struct rp_tgz_file *wanted(struct rp_tgz_file *files, int n, const uint8_t *head)
{
    char name[NAME + PREFIX_LENGTH + 2];

    name_of(head, name);
    for (int i = 0; i < n; i++) {
        if (!files[i].data && !strcmp(files[i].name, name) &&
            (head[TYPE] == '0' || head[TYPE] == '\0'))
            return &files[i];
    }
    return NULL;
}

static int take(struct archive *a, struct rp_tgz_file *file, int64_t size)
{
    if (size > (int64_t) file->most)
        return rp_fail(RP_ERR_MODEL, "%s: %s in it has %lld bytes, and may have %zu", a->path,
                       file->name, (long long) size, file->most);
    file->size = (size_t) size;
    file->data = calloc(file->size + 1, 1);
    if (!file->data)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    const int ret = file->size ? read_all(a, file->data, file->size) : 0;
    return ret > 0 ? broken(a, "it ends within a file") : ret;
}

static int read_files(struct archive *a, struct rp_tgz_file *files, int n)
{
    for (int found = 0; found < n;) {
        uint8_t head[BLOCK];
        int ret = read_all(a, head, BLOCK);

        if (ret)
            return RP_MIN(ret, 0); /* at its end */
        if (!head[0])
            continue; /* the two empty blocks at the end */
        const int64_t size = number(head + SIZE);
        if (size < 0 || size > UNPACKED)
            return broken(a, "a file in it has no size");
        struct rp_tgz_file *const file = wanted(files, n, head);
        RP_CHECK(file ? take(a, file, size) : skip(a, size));
        RP_CHECK(skip(a, (BLOCK - size % BLOCK) % BLOCK));
        found += file != NULL;
    }
    return 0;
}

int rp_tgz_read(const char *path, struct rp_tgz_file *files, int n)
{
    struct archive a = {.path = path, .left = UNPACKED};

    errno = 0;
    a.gz = gzopen(path, "rbe");
    if (!a.gz)
        return rp_fail(errno == ENOMEM || !errno ? RP_ERR_NOMEM : RP_ERR_IO, "%s: %s", path,
                       errno ? strerror(errno) : "out of memory");
    const int ret = read_files(&a, files, n);
    gzclose(a.gz);
    return ret;
}

void rp_tgz_free(struct rp_tgz_file *files, int n)
{
    for (int i = 0; i < n; i++) {
        free(files[i].data);
        files[i].data = NULL;
    }
}
