/* checkgpu: every operation of a device against the C one, bit for bit.
 *
 *     checkgpu                      all operations on GPU 0
 *     checkgpu warp paste           these
 *     checkgpu warp --seed 7 --count 1
 *                                   one case again, as a failure prints it
 *     checkgpu --bench              also time them
 *     checkgpu --self               C against C: checks this program
 *
 * Operations of networks are compared to a tolerance (ops/net.h), and with themselves bit for bit.
 *
 * A case draws sizes, strides and contents at random, runs both versions on the same input and
 * compares all their buffers byte by byte: those that are not an operation's output must be
 * unchanged. Every buffer has guard bytes on both sides, which must be unchanged too.
 *
 * Case functions fill in the argument struct with pointers to host buffers. For the device, every
 * word of the struct that points into one of the buffers is translated. */
#ifndef CHECKGPU_H
#define CHECKGPU_H

#include "device/device.h"

/* How a buffer is compared. All NaNs count as equal. NEAR: to the buffer's tolerance, relative to
 * its largest number; and a second run must give the same bytes. SCRATCH: not at all. */
enum cg_kind {
    CG_BYTES,
    CG_FLOATS,
    CG_DOUBLES,
    CG_FACES,
    CG_CANDIDATES,
    CG_VERDICT,
    CG_NEAR_FLOATS,
    CG_NEAR_HALVES,
    CG_SCRATCH,
};

struct cg_buf {
    const char *name;
    enum cg_kind kind;
    size_t size, skew;
    uint8_t *ref;     /* the C version's, GUARD + skew bytes into its block */
    uint8_t *block;   /* the host's block with guards */
    uint8_t *initial; /* copy of the block before both ran */
    void *cut;        /* device block, of `room` bytes; kept for the next case */
    size_t room;
    float tolerance;
};

#define CG_MAX_BUFS 24

typedef int cg_call(const struct rp_ops *ops, struct rp_stream *s, const void *args);

struct cg {
    const char *op;
    cg_call *call;
    struct rp_device *dev;
    struct rp_stream *stream;
    uint64_t seed, rng;
    bool broken; /* test of the test: spoil one byte */
    bool fresh;  /* device memory for each case by itself, for compute-sanitizer */
    int failures;
    char what[160];

    struct cg_buf buf[CG_MAX_BUFS];
    int n;
    struct rp_planes planes, device_planes; /* that the arguments point to, of the host and the device */

    bool bench;
    double bytes; /* that the operation has to move; set by the case */
    double us, c_us;
};

uint32_t cg_rand(struct cg *c);
int cg_range(struct cg *c, int lo, int hi); /* lo and hi included */
bool cg_chance(struct cg *c, int percent);
float cg_between(struct cg *c, float lo, float hi);
float cg_odd_float(struct cg *c); /* NaN, infinities, zeros, very large and very small */

/* A size between 1 and hi, small ones and multiples of 16 more often; `typical` when timing. */
int cg_size(struct cg *c, int hi, int typical);

/* Planes for the arguments to point to. */
const struct rp_planes *cg_planes(struct cg *c, struct rp_planes planes);

/* Buffers: zeros, random bytes (a third: only extremes), random floats. */
void *cg_buf(struct cg *c, const char *name, size_t size, enum cg_kind kind, size_t skew);
void *cg_zeros(struct cg *c, const char *name, size_t size, enum cg_kind kind);
uint8_t *cg_bytes(struct cg *c, const char *name, size_t size, size_t skew);
float *cg_floats(struct cg *c, const char *name, size_t n, float lo, float hi);

/* Make some of them odd, in a tenth of the cases. */
void cg_storm(struct cg *c, float *v, size_t n);

/* Packed or padded rows, aligned or not; random pixels. */
struct rp_img cg_img(struct cg *c, const char *name, int w, int h, int ch);
struct rp_canvas cg_canvas(struct cg *c, int w, int h, int ch);

void cg_note(struct cg *c, const char *fmt, ...) RP_PRINTF(2, 3);
void cg_run(struct cg *c, const void *args, size_t size);

#define CG_DECLARE(name) void check_##name(struct cg *c);
RP_OPS(CG_DECLARE)
#undef CG_DECLARE

#endif /* CHECKGPU_H */
