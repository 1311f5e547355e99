/* Turns by multiples of 90 degrees and flips: EXIF orientation and display matrices. */
#include "media/av.h"

struct rp_orient rp_orient_exif(int orientation)
{
    static const struct rp_orient table[9] = {
        [2] = {.flip_x = true},
        [3] = {.flip_x = true, .flip_y = true},
        [4] = {.flip_y = true},
        [5] = {.swap = true},
        [6] = {.swap = true, .flip_x = true},
        [7] = {.swap = true, .flip_x = true, .flip_y = true},
        [8] = {.swap = true, .flip_y = true},
    };

    return table[orientation >= 1 && orientation <= 8 ? orientation : 1];
}

/* (x', y') = (a x + c y, b x + d y) with a, b, c, d at 0, 1, 3, 4. */
struct rp_orient rp_orient_matrix(const int32_t matrix[9])
{
    const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
    const bool swap = llabs(b) + llabs(c) > llabs(a) + llabs(d);

    return swap ? (struct rp_orient){true, c < 0, b < 0} : (struct rp_orient){false, a < 0, d < 0};
}

bool rp_orient_none(struct rp_orient o)
{
    return !o.swap && !o.flip_x && !o.flip_y;
}

int rp_orient_degrees(struct rp_orient o)
{
    if (o.swap)
        return o.flip_x ? 90 : 270;
    return o.flip_x && o.flip_y ? 180 : 0;
}

/* One row of the result: every source pixel `step` bytes apart. Constant sizes let the compiler
 * turn memcpy into single moves. */
static void gather(uint8_t *dst, const uint8_t *src, ptrdiff_t step, int n, int bytes)
{
    switch (bytes) {
    case 1:
        for (int i = 0; i < n; i++)
            dst[i] = src[i * step];
        break;
    case 2:
        for (int i = 0; i < n; i++)
            memcpy(dst + (size_t) i * 2, src + i * step, 2);
        break;
    case 3:
        for (int i = 0; i < n; i++)
            memcpy(dst + (size_t) i * 3, src + i * step, 3);
        break;
    default:
        for (int i = 0; i < n; i++)
            memcpy(dst + (size_t) i * 4, src + i * step, 4);
        break;
    }
}

void rp_orient_plane(struct rp_orient o, uint8_t *dst, ptrdiff_t dst_stride, const uint8_t *src,
                     ptrdiff_t src_stride, int w, int h, int bytes)
{
    const int out_w = o.swap ? h : w, out_h = o.swap ? w : h;
    const ptrdiff_t along_x = o.swap ? src_stride : bytes, along_y = o.swap ? bytes : src_stride;

    for (int y = 0; y < out_h; y++) {
        const int sy = o.flip_y ? out_h - 1 - y : y;
        const uint8_t *const row = src + sy * along_y + (o.flip_x ? (out_w - 1) * along_x : 0);
        gather(dst + y * dst_stride, row, o.flip_x ? -along_x : along_x, out_w, bytes);
    }
}
