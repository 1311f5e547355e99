/* Frame negative: each channel of each pixel becomes what it lacks of 255. */
#include "processors/processor.h"

struct negative {
    float *table;      /* [3][256]: of a pixel's value to a tensor's */
    float *tensor;     /* [3][h][w] */
    float *pixels;     /* [h][w][3] */
    struct rp_img out;
};

static int attach(void *at, const void *self, struct rp_slot *slot, int w, int h)
{
    float table[3][256];
    const size_t bytes = 3 * (size_t) w * (size_t) h * sizeof(float);
    struct negative *const n = at;

    (void) self;
    for (int i = 0; i < 3 * 256; i++)
        table[i / 256][i % 256] = (float) (255 - i % 256) / 255;
    RP_CHECK(rp_slot_constant(slot, table, sizeof(table), (void **) &n->table));
    RP_CHECK(rp_slot_alloc(slot, bytes, (void **) &n->tensor));
    RP_CHECK(rp_slot_alloc(slot, bytes, (void **) &n->pixels));
    RP_CHECK(rp_slot_image(slot, w, h, 3, &n->out));
    return 0;
}

/* A network would run between the first operation and the second. The last one marks the tiles that
 * it changes: pixels that are written without do not reach the output. */
static void record(void *at, const struct rp_frame *frame)
{
    const struct negative *const n = at;
    const struct rp_img *const img = &frame->canvas.img;

    RP_OP(frame->slot, to_tensor, .src = *img, .lut = n->table, .dst = n->tensor, .w = img->w,
          .h = img->h, .step = 1);
    RP_OP(frame->slot, from_tensor, .src = n->tensor, .w = img->w, .h = img->h, .mul = {1, 1, 1},
          .round = 2, .dst = n->pixels, .step = 1);
    RP_OP(frame->slot, float_to_u8, .src = n->pixels, .dst = n->out);
    RP_OP(frame->slot, blend, .a = *img, .b = n->out, .f = 1, .dst = frame->canvas);
}

const struct rp_processor rp_frame_negative = {
    .name = "frame_negative",
    .help = "turn the colours of the frame round",
    .whole_frame = true,
    .at_size = sizeof(struct negative),
    .attach = attach,
    .record = record,
};
