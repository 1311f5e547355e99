/* What cannot be read or written here is made as if it had never been kept. */
#include "engine/kept.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include "base/path.h"

#define MAGIC "rp consts"
#define MOST_PLAN ((int64_t) 64 << 20) /* bytes of a plan's file */
#define PART ((size_t) 8 << 20)        /* of what is on its way to the device */

struct head {
    char magic[16];
    uint64_t bytes;
    struct rp_nn_sum sum;
};

/* ---- keys ------------------------------------------------------------------------------------ */

struct build {
    char text[64];
};

/* The build that this code is of: the linker's note in the library or program that it is in. */
static int look_for_note(struct dl_phdr_info *info, size_t size, void *priv)
{
    bool ours = false;
    struct build *const b = priv;
    const ElfW(Addr) here = (ElfW(Addr)) (uintptr_t) &rp_kept_key;

    (void) size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *const p = &info->dlpi_phdr[i];

        ours |= p->p_type == PT_LOAD && here >= info->dlpi_addr + p->p_vaddr &&
                here - (info->dlpi_addr + p->p_vaddr) < p->p_memsz;
    }
    for (int i = 0; ours && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *const p = &info->dlpi_phdr[i];
        // NOLINTNEXTLINE(performance-no-int-to-ptr): where the loader put it
        const uint8_t *at = (const uint8_t *) (uintptr_t) (info->dlpi_addr + p->p_vaddr);
        size_t left = p->p_type == PT_NOTE ? p->p_memsz : 0;

        for (ElfW(Nhdr) n; left >= sizeof(n);) {
            memcpy(&n, at, sizeof(n));
            const size_t name = ((size_t) n.n_namesz + 3) / 4 * 4,
                         all = sizeof(n) + name + ((size_t) n.n_descsz + 3) / 4 * 4;

            if (all > left)
                break;
            for (size_t k = 0; n.n_type == NT_GNU_BUILD_ID && k < RP_MIN(n.n_descsz, 20); k++)
                snprintf(b->text + 2 * k, 3, "%02x", at[sizeof(n) + name + k]);
            at += all;
            left -= all;
        }
    }
    return ours;
}

void rp_kept_key(const char *stamp, int inputs, const int *ranks, const int64_t *const *dims,
                 enum rp_act_type storage, char key[RP_KEPT_KEY])
{
    struct build build = {""};
    size_t n = (size_t) snprintf(key, RP_KEPT_KEY, "native plan of %s for", stamp);

    dl_iterate_phdr(look_for_note, &build);
    for (int i = 0; i < inputs; i++)
        for (int d = 0; d < ranks[i] && n < RP_KEPT_KEY; d++)
            n += (size_t) snprintf(key + n, RP_KEPT_KEY - n, "%s%lld", d ? "x" : " ",
                                   (long long) dims[i][d]);
    if (n < RP_KEPT_KEY)
        snprintf(key + n, RP_KEPT_KEY - n, " | storage %d | reprise %s %s", (int) storage,
                 rp_version(), build.text);
}

static void constants_key(const struct rp_nn_sum *sum, size_t bytes, char key[128])
{
    char text[33];

    rp_nn_sum_text(sum, text);
    snprintf(key, 128, "native constants %s of %zu bytes", text, bytes);
}

/* ---- on their way to the device -------------------------------------------------------------- */

struct way {
    struct rp_device *device;
    struct rp_stream *stream;
    uint8_t *part; /* host memory that the device copies from */
    size_t size, used, done;
    uint8_t *to;
};

static int begin(struct way *w, struct rp_device *device, void *to, size_t bytes)
{
    *w = (struct way){.device = device, .to = to, .size = RP_CLAMP(bytes, 64, PART)};
    RP_CHECK(device->fns->stream_create(device, &w->stream));
    return device->fns->alloc_host(device, w->size, (void **) &w->part);
}

static int flush(struct way *w)
{
    const struct rp_device_fns *const fns = w->device->fns;

    if (!w->used)
        return 0;
    RP_CHECK(fns->upload(w->device, w->stream, w->to + w->done, w->part, w->used));
    RP_CHECK(fns->sync(w->device, w->stream));
    w->done += w->used;
    w->used = 0;
    return 0;
}

static int add(void *priv, size_t offset, const void *data, size_t bytes)
{
    struct way *const w = priv;
    const uint8_t *p = data;

    (void) offset;
    while (bytes) {
        const size_t n = RP_MIN(w->size - w->used, bytes);

        memcpy(w->part + w->used, p, n);
        w->used += n;
        p += n;
        bytes -= n;
        if (w->used == w->size)
            RP_CHECK(flush(w));
    }
    return 0;
}

static void end(struct way *w)
{
    if (!w->device) /* it was not begun */
        return;
    if (w->part)
        w->device->fns->free_host(w->device, w->part);
    w->device->fns->stream_destroy(w->device, w->stream);
}

int rp_kept_upload(const struct rp_nn_plan *plan, struct rp_device *device, void *to)
{
    struct way w;
    int ret = begin(&w, device, to, plan->weights);

    if (ret >= 0)
        ret = rp_nn_plan_parts(plan, add, &w);
    if (ret >= 0)
        ret = flush(&w);
    end(&w);
    return ret;
}

/* ---- from files ------------------------------------------------------------------------------ */

static bool read_all(int fd, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(fd, (uint8_t *) to + done, size - done);

        if (n > 0)
            done += (size_t) n;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

/* 1, or 0 if the file is not what it should be, or a failure of the device. */
static int read_constants(int fd, const struct rp_nn_sum *sum, size_t bytes, struct way *w)
{
    struct head h;
    struct rp_nn_sum got = {{0}};

    if (!read_all(fd, &h, sizeof(h)) || memcmp(h.magic, MAGIC, sizeof(MAGIC)) != 0 ||
        h.bytes != bytes || !rp_nn_sum_same(&h.sum, sum))
        return 0;
    for (size_t left = bytes; left; left -= w->used) {
        RP_CHECK(flush(w));
        const size_t n = RP_MIN(w->size, left);
        if (!read_all(fd, w->part, n))
            return 0;
        w->used = n;
        rp_nn_sum_add(&got, w->part, n);
    }
    RP_CHECK(flush(w));
    return rp_nn_sum_same(&got, sum);
}

int rp_kept_constants(struct rp_cache *cache, const struct rp_nn_sum *sum, size_t bytes,
                      struct rp_device *device, void *to)
{
    int ret;
    char key[128];
    struct way w = {0};

    constants_key(sum, bytes, key);
    char *const path = rp_cache_file(cache, key);
    if (!path)
        return 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    ret = fd < 0 ? 0 : begin(&w, device, to, bytes);
    if (fd >= 0 && ret >= 0)
        ret = read_constants(fd, sum, bytes, &w);
    end(&w);
    if (fd >= 0)
        close(fd);
    if (!ret)
        rp_cache_file_bad(cache, key);
    return ret;
}

int rp_kept_plan(struct rp_cache *cache, const char *key, struct rp_nn_plan **out,
                 struct rp_nn_sum *sum)
{
    int ret;
    size_t size;
    uint8_t *data = NULL;
    char *const path = rp_cache_file(cache, key);

    *out = NULL;
    if (!path)
        return 0;
    rp_log_hold(true);
    ret = rp_file_read(path, MOST_PLAN, &data, &size);
    rp_log_hold(false);
    if (ret >= 0)
        ret = rp_nn_kept(out, sum, data, size);
    free(data);
    free(path);
    if (ret < 0 && ret != RP_ERR_NOMEM)
        rp_cache_file_bad(cache, key);
    return ret == RP_ERR_NOMEM ? ret : ret >= 0;
}

/* ---- to files -------------------------------------------------------------------------------- */

static int write_part(void *priv, size_t offset, const void *data, size_t bytes)
{
    (void) offset;
    return fwrite(data, 1, bytes, priv) == bytes ? 0 : RP_ERR_IO;
}

/* @param plan  with its constants, which are written; NULL: `data` is */
static void write_file(struct rp_cache *cache, const char *key, const void *data, size_t size,
                       const struct rp_nn_plan *plan)
{
    char *const temp = rp_cache_file_begin(cache, key);
    FILE *const f = temp ? fopen(temp, "wbe") : NULL;
    bool good = f && fwrite(data, 1, size, f) == size;

    if (good && plan)
        good = rp_nn_plan_parts(plan, write_part, f) >= 0;
    if (f && fclose(f))
        good = false;
    if (f)
        rp_cache_file_done(cache, key, temp, good);
    free(temp);
}

void rp_kept_put(struct rp_cache *cache, const char *key, const struct rp_nn_plan *plan,
                 const struct rp_nn_sum *sum)
{
    size_t size;
    void *data;
    char constants[128];
    const struct head h = {.magic = MAGIC, .bytes = plan->weights, .sum = *sum};

    if (rp_nn_keep(plan, sum, &data, &size) < 0)
        return;
    constants_key(sum, plan->weights, constants);
    char *const there = rp_cache_file(cache, constants);
    if (!there)
        write_file(cache, constants, &h, sizeof(h), plan);
    write_file(cache, key, data, size, NULL);
    free(there);
    free(data);
}
