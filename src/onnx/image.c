/* A file in memory: read, not mapped, since a mapped file that another process makes shorter ends
 * this one by a signal. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/onnx.h"
#include "onnx/wire.h"

#define FILE_MAX INT32_MAX /* more is more than protobuf reads */

static int read_whole(int fd, const char *path, uint8_t *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(fd, to + done, size - done);

        if (n > 0)
            done += (size_t) n;
        else if (n == 0)
            return rp_fail(RP_ERR_IO, "%s: ends after %zu of %zu bytes", path, done, size);
        else if (errno != EINTR)
            return rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
    }
    return 0;
}

int rp_onnx_copy(struct rp_onnx_image *out, const char *path, int64_t size)
{
    int ret;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody may write to a pipe */

    *out = (struct rp_onnx_image){0};
    if (fd < 0)
        return rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
    void *const memory =
        size > 0 ? mmap(NULL, (size_t) size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0)
                 : MAP_FAILED;
    if (memory == MAP_FAILED) {
        ret = rp_fail(RP_ERR_NOMEM, "%s: no memory for %lld bytes", path, (long long) size);
    } else {
        *out = (struct rp_onnx_image){memory, (size_t) size};
        if ((ret = read_whole(fd, path, memory, (size_t) size)) < 0)
            rp_onnx_unmap(out);
    }
    close(fd);
    return ret;
}

/* ---- the outline ----------------------------------------------------------------------------- */

#define WEIGHT 5   /* field of a graph: a tensor with its values */
#define KEPT 65536 /* bytes of a weight that are read all the same */

struct outline {
    int fd;
    uint8_t *data;
    size_t size;
};

static bool fetch(const struct outline *o, size_t at, size_t n)
{
    return pread(o->fd, o->data + at, n, (off_t) at) == (ssize_t) n;
}

/* A number of at most ten bytes that lie in memory; how many, 0 if it does not end. */
static size_t number_at(const struct outline *o, size_t at, size_t end, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 10 && at + i < end; i++) {
        *value |= (uint64_t) (o->data[at + i] & 127) << (7 * i);
        if (o->data[at + i] < 128)
            return i + 1;
    }
    return 0;
}

/* Bytes of a field after its key: of a text with those of its length, which *text gets too. */
static uint64_t field_size(const struct outline *o, size_t at, size_t end, int wire, uint64_t *text)
{
    uint64_t value;
    const size_t n = number_at(o, at, end, &value);

    *text = 0;
    switch (wire) {
    case RP_WIRE_VARINT:
        return n;
    case RP_WIRE_64:
        return 8;
    case RP_WIRE_BYTES:
        *text = value;
        return n && value <= end - at - n ? n + value : 0;
    default:
        return wire == RP_WIRE_32 ? 4 : 0;
    }
}

enum level { FILE_FIELDS, GRAPH_FIELDS, TENSOR_FIELDS };

/* Is this field a message that is read field by field? */
static bool is_opened(enum level level, uint64_t key, uint64_t text)
{
    return level == FILE_FIELDS    ? key == RP_WIRE_KEY(RP_ONNX_GRAPH, RP_WIRE_BYTES)
           : level == GRAPH_FIELDS ? key == RP_WIRE_KEY(WEIGHT, RP_WIRE_BYTES) && text > KEPT
                                   : false;
}

/* The fields of a message, but not the elements of large weights. False where it is broken: what
 * follows stays zero, which no reader takes for anything. */
static bool read_fields(const struct outline *o, size_t at, size_t end, enum level level)
{
    while (at < end) {
        uint64_t key, text;
        if (!fetch(o, at, end - at < 20 ? end - at : 20))
            return false;
        const size_t n = number_at(o, at, end, &key);
        const uint64_t size = n ? field_size(o, at + n, end, key & 7, &text) : 0;
        if (!size || size > end - at - n)
            return false;
        const size_t next = at + n + (size_t) size, begin = next - (size_t) text;
        if (is_opened(level, key, text)) {
            if (!read_fields(o, begin, next, level + 1)) // NOLINT(misc-no-recursion): two levels
                return false;
        } else if (!(level == TENSOR_FIELDS && text > KEPT) && !fetch(o, at, next - at)) {
            return false;
        }
        at = next;
    }
    return true;
}

int rp_onnx_outline(struct rp_onnx_image *out, const char *path)
{
    struct stat st;
    struct outline o = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};

    *out = (struct rp_onnx_image){0};
    if (o.fd < 0)
        return rp_fail(rp_io_status(errno), "%s: cannot be read as a file: %s", path,
                       strerror(errno));
    if (fstat(o.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > FILE_MAX) {
        close(o.fd);
        return rp_fail(RP_ERR_IO, "%s: cannot be read as a file", path);
    }
    o.size = (size_t) st.st_size;
    void *const memory = mmap(NULL, o.size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) {
        o.data = memory;
        read_fields(&o, 0, o.size, FILE_FIELDS);
        *out = (struct rp_onnx_image){memory, o.size};
    }
    close(o.fd);
    return memory != MAP_FAILED ? 0 : rp_fail(RP_ERR_NOMEM, "%s: no memory", path);
}

/* ---------------------------------------------------------------------------------------------- */

int rp_onnx_load(struct rp_onnx_image *out, const char *path)
{
    struct stat st;

    *out = (struct rp_onnx_image){0};
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return rp_fail(RP_ERR_IO, "%s: cannot be read as a file", path);
    if (st.st_size > FILE_MAX)
        return rp_fail(RP_ERR_MODEL, "%s: %lld bytes, and ONNX files have less than 2^31", path,
                       (long long) st.st_size);
    return rp_onnx_copy(out, path, st.st_size);
}

void rp_onnx_unmap(struct rp_onnx_image *image)
{
    if (image->data)
        munmap(image->data, image->size);
    *image = (struct rp_onnx_image){0};
}
