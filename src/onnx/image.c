/* A file in memory: pages are read when they are needed, and copied when they are changed. */
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

void rp_onnx_unmap(struct rp_onnx_image *image)
{
    if (image->data)
        munmap(image->data, image->size);
    *image = (struct rp_onnx_image){0};
}
