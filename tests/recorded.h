/* What the tests of operations share: recorded data, which lies beside the checkout, and random
 * numbers. Comes after cmocka.h. */
#ifndef TEST_RECORDED_H
#define TEST_RECORDED_H

#include <stdint.h>

#include "npy.h"

static inline void recorded_path(const char *name, char *path, size_t size)
{
    const char *const shared = getenv("REPRISE_SHARED"), *const source = getenv("REPRISE_SOURCE");

    if (shared)
        snprintf(path, size, "%s/fixtures/%s", shared, name);
    else
        snprintf(path, size, "%s/../shared/fixtures/%s", source ? source : ".", name);
}

/* 0, or -1 if it is not there. */
static inline int recorded_open(const char *name, struct npy *out)
{
    char path[1024];

    recorded_path(name, path, sizeof(path));
    return npy_read(path, out);
}

/* Without it the test is skipped. */
static inline struct npy recorded(const char *name)
{
    struct npy a;

    if (recorded_open(name, &a) < 0) {
        print_message("skipped: no %s\n", name);
        skip();
    }
    return a;
}

/* The same numbers in every run: Marsaglia's xorshift. */
static inline uint32_t rnd(void)
{
    static uint32_t seed = 1;

    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

#endif /* TEST_RECORDED_H */
