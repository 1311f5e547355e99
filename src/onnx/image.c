/* A file in memory: pages are read when they are needed, and copied when they are changed. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "onnx/onnx.h"

int rp_onnx_map(struct rp_onnx_image *out, const char *path, bool edit)
{
    int ret = 0;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    *out = (struct rp_onnx_image){0};
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0) {
        ret = rp_fail(RP_ERR_IO, "%s: cannot be read as a file", path);
        goto fail;
    }
    void *const map = mmap(NULL, (size_t) st.st_size, edit ? PROT_READ | PROT_WRITE : PROT_READ,
                           MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        ret = rp_fail(RP_ERR_IO, "%s: cannot be mapped", path);
    else
        *out = (struct rp_onnx_image){map, (size_t) st.st_size};

fail:
    if (fd >= 0)
        close(fd);
    return ret;
}

static int read_whole(int fd, const char *path, uint8_t *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(fd, to + done, size - done);

        if (n > 0)
            done += (size_t) n;
        else if (n == 0)
            return rp_fail(RP_ERR_IO, "%s: ends after %zu of %zu bytes", path, done, size);
        else if (errno != EINTR)
            return rp_fail(RP_ERR_IO, "%s: %s", path, strerror(errno));
    }
    return 0;
}

int rp_onnx_copy(struct rp_onnx_image *out, const char *path, int64_t size)
{
    int ret;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody may write to a pipe */

    *out = (struct rp_onnx_image){0};
    if (fd < 0)
        return rp_fail(RP_ERR_IO, "%s: %s", path, strerror(errno));
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

void rp_onnx_unmap(struct rp_onnx_image *image)
{
    if (image->data)
        munmap(image->data, image->size);
    *image = (struct rp_onnx_image){0};
}
