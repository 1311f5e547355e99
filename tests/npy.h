/* Reads NumPy's .npy files, plain or compressed by gzip: for recorded test data. */
#ifndef TEST_NPY_H
#define TEST_NPY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

struct npy {
    int rank;
    long dim[6];
    char type;  /* f float, d double, B uint8, h int16, i int32, q int64 */
    size_t n;   /* numbers */
    void *data; /* free() it */
};

/* 0, or -1 if the file is missing or of an unknown kind. */
static inline int npy_read(const char *path, struct npy *out)
{
    static const char *const types[][2] = {{"<f4", "f"}, {"<f8", "d"}, {"|u1", "B"},
                                           {"<i2", "h"}, {"<i4", "i"}, {"<i8", "q"}};
    static const size_t sizes[] = {4, 8, 1, 2, 4, 8};
    unsigned char head[12];
    char text[4096] = "";
    const char *p;
    size_t size = 0;

    memset(out, 0, sizeof(*out));
    gzFile f = gzopen(path, "rb");
    if (!f)
        return -1;
    if (gzread(f, head, 10) != 10 || memcmp(head, "\x93NUMPY\x01", 7) != 0)
        goto fail;
    const unsigned length = head[8] | (unsigned) head[9] << 8;
    if (length >= sizeof(text) || gzread(f, text, length) != (int) length)
        goto fail;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (strstr(text, types[i][0])) {
            out->type = types[i][1][0];
            size = sizes[i];
        }
    p = strstr(text, "'shape': (");
    if (!size || !p || strstr(text, "'fortran_order': True"))
        goto fail;
    out->n = 1;
    for (p += strlen("'shape': ("); *p && *p != ')' && out->rank < 6;) {
        char *end;
        out->dim[out->rank] = strtol(p, &end, 10);
        if (end == p)
            goto fail;
        out->n *= (size_t) out->dim[out->rank++];
        p = end + strspn(end, ", ");
    }
    out->data = malloc(out->n * size + 1);
    if (!out->data || out->n * size > 1u << 30 ||
        gzread(f, out->data, (unsigned) (out->n * size)) != (int) (out->n * size))
        goto fail;
    gzclose(f);
    return 0;

fail:
    gzclose(f);
    free(out->data);
    out->data = NULL;
    return -1;
}

/* Number i, of any type. */
static inline double npy_at(const struct npy *a, size_t i)
{
    if (!a->data || i >= a->n)
        return 0;
    switch (a->type) {
    case 'f':
        return ((const float *) a->data)[i];
    case 'd':
        return ((const double *) a->data)[i];
    case 'B':
        return ((const unsigned char *) a->data)[i];
    case 'h':
        return ((const short *) a->data)[i];
    case 'i':
        return ((const int *) a->data)[i];
    default:
        return (double) ((const long long *) a->data)[i];
    }
}

#endif /* TEST_NPY_H */
