/* Every pixel and box operation of the pipeline, as one table of function pointers.
 *
 * The C versions (rp_ops_c) define the right result; a CUDA device has its own table and must give
 * the same bytes. The arithmetic of one element is written once, in the *_core.h files of this
 * folder, which both compilers compile with -ffp-contract=off and which use no transcendental
 * functions of a library.
 *
 * Rules for every operation, so that it can be recorded into a CUDA graph:
 *   - all pointers are to device memory (host memory on the CPU device), at addresses that are
 *     fixed when the work is recorded, and so are the sizes in the argument struct;
 *   - whatever depends on pixels (boxes, matrices, counts) is read from device memory;
 *   - struct rp_planes is the one argument in host memory that may change between two launches (the
 *     planes of a decoder): it is read when the work is launched, and a recording keeps what was
 *     read then;
 *   - no allocation, no host synchronisation, no result returned to the host.
 * They return 0, or a negative status when a launch fails; the C versions cannot fail.
 *
 * Pixels are 8-bit BGR interleaved unless said otherwise. Coordinates: pixel centres at whole
 * numbers. "Truncate" is towards zero. Where a method comes from FaceFusion the comment says so. */
#ifndef RP_OPS_H
#define RP_OPS_H

#include "ops/net.h"
#include "ops/types.h"

struct rp_stream; /* a device's queue of work; NULL on the CPU */

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Planes to BGR; chroma is replicated (nearest), as FFmpeg's default converter does for BGR output.
 * 10-bit input is rounded to 8 bits in the same step. */
struct rp_op_yuv_to_bgr { const struct rp_planes *src; struct rp_img dst; };

/* BGR back into the planes, only in tiles marked as changed, and there only in chroma blocks (1x1,
 * 2x1 or 2x2 pixels) whose BGR is no longer what yuv_to_bgr() gives for the planes. All other
 * samples keep the decoder's values. Chroma is the mean over the block. */
struct rp_op_bgr_to_yuv { struct rp_canvas src; const struct rp_planes *dst; };

/* Rows of packed BGR (plane[0]) to and from an image. */
struct rp_op_bgr_read { const struct rp_planes *src; struct rp_img dst; };
struct rp_op_bgr_write { struct rp_img src; const struct rp_planes *dst; };

/* What a GPU's decoder gives, luma and chroma whose U and V alternate (NV12; P010, where the samples
 * are the upper 10 of 16 bits), into three planes with chroma halved both ways. y: w x h samples as
 * bytes or pairs of bytes, as dst->depth says; uv: half of that, rounded up, in pairs. No sample
 * changes. y.ch and uv.ch do not count. */
struct rp_op_semi_read { struct rp_img y, uv; const struct rp_planes *dst; };

/* The alpha plane (plane[3], 8 or 10 bits, always full range) to 8 bits; opaque if plane[3] is
 * NULL. */
struct rp_op_alpha_read { const struct rp_planes *src; struct rp_img dst; };

/* 8-bit alpha into plane[3]. A sample that alpha_read() would read as the same value stays, unless
 * fresh: then the plane holds nothing yet. */
struct rp_op_alpha_write { struct rp_img src; const struct rp_planes *dst; int fresh; };

/* alpha_split: a picture's pixels, BGR or BGRA (ch 3 or 4), into BGR and alpha, which is opaque if
 * it has none. alpha_join: the reverse. All have the same size; bgr or alpha may be left out (data
 * NULL), and then dst keeps what it has of it. */
struct rp_op_alpha_split { struct rp_img src, bgr, alpha; };
struct rp_op_alpha_join { struct rp_img bgr, alpha, dst; };

/* Bilinear, half-pixel centres, edges clamped, 11-bit fixed-point weights: equal to OpenCV's 8-bit
 * INTER_LINEAR, including its exact 2:1 shrink as 2x2 mean. src and dst have equal ch. */
struct rp_op_resize { struct rp_img src, dst; };

/* Bicubic (a = -0.75), half-pixel centres, edges clamped, nothing averaged where it shrinks: equal to
 * OpenCV's 8-bit INTER_CUBIC, whose weights have 11 bits, whose sums across are whole numbers and
 * whose sums down are floats. (OpenCV rounds the last few values of a row, where its vectors do not
 * fill, in another way.) src and dst have equal ch. */
struct rp_op_resize_cubic { struct rp_img src, dst; };

/* 2x3 affine sample, bilinear at true float coordinates (OpenCV >= 4.11), result rounded. border: 0
 * = constant black, 1 = replicate. area: 1 = average n x n samples per pixel, where n is the shrink
 * of the matrix (at most 8), for the small inputs of the lite models; 0 = FaceFusion's plain
 * sample. */
struct rp_op_warp {
    struct rp_img src;
    const struct rp_affine *affine;
    struct rp_img dst;
    int border, area;
};

/* Tensor from pixels: dst[c][y][x] = lut[c][src pixel], c counted in tensor order. src is placed in
 * the top left corner; the rest is lut[c][0] (zero padding before normalisation). With step > 1
 * only pixels (x * step + off_x, y * step + off_y) are read: one polyphase tile of pixel boost.
 *
 * With tiles > 0 several such tiles at once (off_x, off_y unused): dst is [tiles] tensors, and
 * tensor k is tile number *turn * tiles + k (turn NULL: k). Tile t begins at row t / step, column t
 * % step; a number outside 0..step * step - 1 leaves its tensor unchanged. */
struct rp_op_to_tensor {
    struct rp_img src;
    const float *lut; /* [3][256], in tensor channel order */
    float *dst;       /* [3][h][w], or [h][w][3] when nhwc */
    int w, h;         /* of the tensor */
    int rgb;          /* 1: tensor channel 0 is red; 0: blue */
    int nhwc;
    int step, off_x, off_y; /* 1, 0, 0 for the whole picture */
    int tiles;
    const int32_t *turn;
};

/* Grey tensor [1][h][w] = (0.114 B + 0.587 G + 0.299 R, rounded to 8 bits as OpenCV) * scale. */
struct rp_op_to_gray { struct rp_img src; float *dst; float scale; };

/* "Optimise contrast": always a round trip through 8-bit Lab, with blue taken for red; if the mean
 * of L is below 30, L is equalised on the way (CLAHE, clip 2, 8x8 tiles). 3 channels, sizes are
 * multiples of 8; src may be dst. tables: made by rp_lab_tables(). */
struct rp_op_contrast {
    struct rp_img src, dst;
    const struct rp_lab_tables *tables;
    struct rp_contrast_work *work;
};

/* Float BGR crop (interleaved, 0..255) from a tensor: v * mul + add, clip 0..1, * 255. Tensor
 * channel 0 is red when rgb. round: 0 = keep the float, 1 = truncate, 2 = round half to even (to
 * whole numbers, still stored as float). step, off, tiles and turn as in to_tensor, but here they
 * say where tiles are written. */
struct rp_op_from_tensor {
    const float *src; /* [3][h][w] */
    int w, h;
    float mul[3], add[3]; /* in tensor channel order */
    int rgb, round;
    float *dst;           /* [h * step][w * step][3] */
    int step, off_x, off_y;
    int tiles;
    const int32_t *turn;
};

/* 8-bit pixels to float 0..255 interleaved, and back with truncation after a clip. */
struct rp_op_u8_to_float { struct rp_img src; float *dst; };
struct rp_op_float_to_u8 { const float *src; struct rp_img dst; };

/* Tensor [3][h][w] from float pixels (BGR, interleaved): (v / div - mean) / std, each step rounded
 * to a float; mean and std in tensor channel order. */
struct rp_op_float_to_tensor {
    const float *src; /* [h][w][3] */
    int w, h;
    float div, mean[3], std[3];
    int rgb;          /* 1: tensor channel 0 is red; 0: blue */
    float *dst;
};

/* Paste a float BGR crop through a mask (FaceFusion's paste-back): region = hull of the warped crop
 * corners, mask border 0, crop border replicate, both bilinear; out = truncate(frame * (1 - m) +
 * crop * m). Marks the tiles of the region as changed. An empty region does nothing. keep, blend:
 * weights of the old pixel and of the pasted one in a (rounded) blend, which the face enhancer does
 * with whole frames; keep 0 is a plain paste. bytes: the crop holds 8-bit pixels, so samples of it
 * are rounded. */
struct rp_op_paste {
    struct rp_canvas dst;
    const float *crop; /* [h][w][3] */
    const float *mask; /* [h][w] */
    int w, h;
    const struct rp_affine *affine;
    float keep, blend;
    int bytes;
};

/* dst = round(a * (1 - f) + b * f) over whole frames; marks all tiles. */
struct rp_op_blend { struct rp_img a, b; float f; struct rp_canvas dst; };

/* Tile number *index of a picture as a tensor, RGB, lut[c][pixel]; black outside. */
struct rp_op_tile_cut {
    struct rp_img src;
    struct rp_tile_grid grid;
    const int32_t *index;
    const float *lut; /* [3][256], in tensor channel order */
    float *dst;       /* [3][size][size] */
};

/* The core of that tile, `scale` times as large, into the enlarged picture: truncate(src * 255)
 * after a clip, blended with the original picture enlarged as by resize(): round(before * keep +
 * tile * blend). Marks the 16-pixel tiles that it touches. */
struct rp_op_tile_put {
    const float *src; /* [3][size * scale][size * scale], RGB */
    struct rp_tile_grid grid;
    const int32_t *index;
    int scale;
    struct rp_img before;
    float keep, blend;
    struct rp_canvas dst;
};

/* ---- colouring ------------------------------------------------------------------------------- */

/* Input of a colorizer, [3][h][w]: the grey of to_gray() (8 bits) through a table for each channel,
 * resized bilinearly. bytes: the greys are resized as resize() does it and then looked up; else the
 * numbers of the table are resized as resize_float() does it. */
struct rp_op_grey_tensor {
    struct rp_img src;
    const float *lut; /* [3][256], in tensor channel order */
    float *dst;
    int w, h;         /* of the tensor */
    int bytes;
};

/* Colours of a network, enlarged bilinearly to the frame and joined with its lightness; then
 * round(old * keep + new * blend). Mark all tiles. Numbers that are not finite give some colour.
 *
 * colour_ab: src is a and b of OpenCV's floating point Lab, [2][h][w]. L is the frame's. tables:
 * made by rp_colour_tables().
 *
 * colour_rgb: src is red, green and blue, 0..255, [3][h][w]. They are clipped, truncated and turned
 * to 8-bit Lab, of which L becomes the frame's blue, as FaceFusion does it. tables: made by
 * rp_lab_tables(). */
struct rp_op_colour_ab {
    struct rp_canvas dst;
    const float *src;
    int w, h; /* of src */
    const struct rp_colour_tables *tables;
    float keep, blend;
};
struct rp_op_colour_rgb {
    struct rp_canvas dst;
    const float *src;
    int w, h;
    const struct rp_lab_tables *tables;
    float keep, blend;
};

/* ---- masks (float, packed [h][w], 0..1) ------------------------------------------------------ */

/* The box mask before its blur: ones with edges of zeros. padding in percent: top, right, bottom,
 * left. border = max(int(w * 0.5 * blur) / 2, 1). */
struct rp_op_box_mask { float *dst; int w, h; float blur; int padding[4]; };

/* Separable Gaussian, border reflect-101, sums in OpenCV's order. kernel: `size` weights (odd) in
 * device memory, made by rp_gaussian_kernel(). tmp: w * h floats. src may equal dst. */
struct rp_op_gaussian {
    const float *src;
    float *dst, *tmp;
    int w, h;
    const float *kernel;
    int size;
};

/* dst = clip(min(a, b), 0, 1); b may be NULL. */
struct rp_op_mask_min { const float *a, *b; float *dst; int n; };

/* dst = (clip(src, 0.5, 1) - 0.5) * 2: second half of the "soft threshold". */
struct rp_op_mask_ramp { const float *src; float *dst; int n; };

/* Region mask: 1 where the class with the largest number (the first of equals) is in the set `use`
 * (bit = class), else 0. At most 32 classes. */
struct rp_op_class_mask {
    const float *src; /* [classes][n] */
    int classes, n;
    uint32_t use;
    float *dst;
};

/* Bilinear resize of floats, half-pixel centres (OpenCV's float INTER_LINEAR). ch interleaved. */
struct rp_op_resize_float { const float *src; int sw, sh; float *dst; int dw, dh; int ch; };

/* Filled convex hull of landmarks in crop space, truncated to whole pixels; 1 inside, else 0.
 * use: 68 bytes in device memory, 1 = point belongs to a chosen area. */
struct rp_op_hull_mask {
    const struct rp_dface *face;
    const struct rp_affine *affine;
    const uint8_t *use;
    float *dst;
    int w, h;
};

/* A mask of one crop of a face turned into a mask of another crop of that face: dst = src at
 * src_affine.m * dst_affine.inv, bilinear at true float coordinates as in warp, black outside. Not
 * in place. */
struct rp_op_mask_warp {
    const float *src;
    int sw, sh;
    const struct rp_affine *src_affine, *dst_affine;
    float *dst;
    int dw, dh;
};

/* ---- mattes (background remover) ------------------------------------------------ */

/* Coarse matte of a picture with a green screen: packed floats, 1 = subject. */
struct rp_op_key_matte { struct rp_img src; float *dst; };

/* Matte tensor to bytes: clip 0..1, * 255, truncate. classes > 1: [classes][h][w], foreground where
 * the largest is not the first. dst: 1 channel, of the tensor's size. */
struct rp_op_matte_u8 { const float *src; int classes; struct rp_img dst; };

/* A frame with its background replaced. Every pixel is taken from front (data NULL: from the canvas
 * itself), despilled, and mixed with the fill colour where the matte is not 255. The canvas's
 * alpha, if it has one, is limited to the matte. Marks the tiles that changed. */
struct rp_op_backdrop {
    struct rp_canvas dst;
    struct rp_img front, matte; /* of the canvas's size; 3 and 1 channels */
    float despill[3];           /* strength, BGR order, 0..1 */
    int fill[4];                /* BGR and alpha */
};

/* ---- colour matching (deep swapper, age modifier) ------------------------------- */

/* OpenCV's 8-bit INTER_AREA; dst is not larger than src, in neither direction. Equal ch. */
struct rp_op_resize_area { struct rp_img src, dst; };

/* dst = a - b, [size][size][3], of two pictures shrunk to size x size as by resize_area. Neither
 * may be smaller than that. 3 channels. */
struct rp_op_colour_gap { struct rp_img a, b; int size; float *dst; };

/* target + gap enlarged to its size as by OpenCV's INTER_CUBIC; clipped, truncated. With factor
 * (device memory, 0..1) it is then mixed with the target, round(target * (1 - factor) + it *
 * factor). The result goes to dst (data NULL: nowhere), pixels (NULL: nowhere), or both. */
struct rp_op_colour_shift {
    struct rp_img src; /* the target, 3 channels */
    const float *gap;  /* [size][size][3] */
    int size;
    const double *factor; /* NULL: not mixed */
    struct rp_img dst;
    float *pixels; /* [h][w][3], whole numbers */
};

/* How alike two pictures are in hue and saturation, 0..1: Pearson's correlation of two histograms
 * of OpenCV's 8-bit HSV, with (r + 1) / 2. 3 channels. work: scratch. */
struct rp_op_colour_likeness {
    struct rp_img a, b;
    struct rp_colour_work *work;
    double *dst;
};

/* Unsharp mask: round(1.75 * src - 0.75 * src blurred as by OpenCV's 8-bit Gaussian of sigma 2).
 * 3 channels; src is not dst. */
struct rp_op_sharpen { struct rp_img src, dst; };

/* dst = clip(min(a, b), 0, 1), eroded twice by OpenCV's 3x3 cross. What is not a number counts as
 * 0. Not in place. */
struct rp_op_mask_erode { const float *a, *b; float *dst; int w, h; };

/* dst = all of src.m times factor: the map to a crop that is enlarged as FaceFusion does it. */
struct rp_op_affine_scale { const struct rp_affine *src; double factor; struct rp_affine *dst; };

/* [2]: the face's age, and that plus `years`, as shares of 100 years, 0..1. The age is the middle
 * of the face's range; if it is unknown, RP_AGE_UNKNOWN. */
#define RP_AGE_UNKNOWN 34.0
struct rp_op_age_pair { const struct rp_dface *face; float years; float *dst; };

/* ---- geometry -------------------------------------------------------------------------------- */

enum rp_template {
    RP_TEMPLATE_ARCFACE_112_V1 = 0,
    RP_TEMPLATE_ARCFACE_112_V2,
    RP_TEMPLATE_ARCFACE_128,
    RP_TEMPLATE_DFL_WHOLE_FACE,
    RP_TEMPLATE_FFHQ_512,
    RP_TEMPLATE_MTCNN_512,
    RP_TEMPLATE_STYLEGANEX_384,
    RP_TEMPLATE_COUNT
};

/* Similarity from the face's "5/68" points to template * size, by OpenCV's RANSAC. scale:
 * nose-centred factor on the points first (1 = none). points: 0 = lm5_68, 1 = lm5. A degenerate set
 * gives the identity. */
struct rp_op_align {
    const struct rp_dface *face;
    int points;
    int template_id;
    int w, h;
    float scale;
    struct rp_affine *dst;
};

enum rp_box_fit {
    RP_BOX_STRETCH = 0,    /* box * factor (about its centre) onto w x h, each axis scaled by
                              itself, rotated so that the face stands upright */
    RP_BOX_LANDMARKER = 1, /* scale 195 / max(1, longest side), centred, then rotated by the face's
                              angle about the crop's centre */
    RP_BOX_SQUARE = 2,     /* square of side longest side * factor about the centre, onto w x h */
    RP_BOX_UPRIGHT = 3,    /* the first step of RP_BOX_LANDMARKER, without the rotation */
    RP_BOX_ROTATE = 4,       /* the second step, from crop to crop, which ignores the box */
};

/* Map from the face's box to a crop. */
struct rp_op_box_affine {
    const struct rp_dface *face;
    int fit;
    float factor;
    int w, h;
    struct rp_affine *dst;
};

/* Map from a face's crop to the box around its 68 points there (lm68 through affine->m), stretched
 * onto w x h. back: the same the other way round, from w x h to the crop. A box without area gives
 * identities. */
struct rp_op_landmark_box {
    const struct rp_dface *face;
    const struct rp_affine *affine; /* frame to crop */
    int w, h;
    struct rp_affine *dst, *back;
};

/* Input of fan_68_5: the detector's points (lm5) through the map, [5][2]. */
struct rp_op_points_tensor {
    const struct rp_dface *face;
    const struct rp_affine *affine;
    float *dst;
};

/* Rotation of the head to the nearest quarter, from the detector's eyes and mouth: for jobs without
 * fan_68_5. Sets the face's angle. */
struct rp_op_points_angle { struct rp_dface *face; };

/* ---- detection ------------------------------------------------------------------------------- */

enum rp_decoder {
    RP_DECODE_ULTRAFACE = 0, /* t[0] scores [n][2], t[1] corner boxes [n][4] in 0..1 of the input */
    RP_DECODE_YUNET,         /* 12 tensors: cls, obj, box, landmarks; strides 8, 16, 32 */
    RP_DECODE_RETINAFACE,    /* 9 tensors; also scrfd */
    RP_DECODE_YOLO,          /* t[0] [20][n] */
};

/* Detector output to candidates, appended to dst (.first = 1 empties it before: for the first
 * detector of a frame). ratio: frame pixels per detector pixel; shift: subtracted after scaling
 * (margins); then rotated back if the detector saw the frame rotated. A score must be >= threshold,
 * for yolo > threshold. */
struct rp_op_decode {
    int decoder;
    const float *t[12];
    int w, h;    /* detector input */
    int count;   /* rows of t[0]: ultraface, yolo */
    float threshold;
    double ratio_x, ratio_y;
    float shift_x, shift_y;
    int angle;              /* rotation of what it saw: 0, 90, 180, 270 counter-clockwise */
    float frame_w, frame_h; /* size of the unrotated frame; read only if angle is not 0 */
    int first;
    struct rp_candidates *dst;
};

/* Non-maximum suppression: score > threshold strictly, best first, drop IoU > iou. Fills count
 * and, for each face, box, score, lm5 and the angle (from the rotation at which it was found);
 * the rest of a face is zeroed. Boxes get x1 <= x2, y1 <= y2. Order: score descending, then
 * candidate index. */
struct rp_op_nms { const struct rp_candidates *src; float threshold, iou; struct rp_dfaces *dst; };

/* ---- one face -------------------------------------------------------------------------------- */

/* cur = faces.face[*index], and back. */
struct rp_op_face_load {
    const struct rp_dfaces *faces;
    const int32_t *index;
    struct rp_dface *cur;
};
struct rp_op_face_store {
    struct rp_dfaces *faces;
    const int32_t *index;
    const struct rp_dface *cur;
};

/* A copy of all faces with coordinates multiplied by x and y, for a frame of another size. */
struct rp_op_face_scale { const struct rp_dfaces *src; float x, y; struct rp_dfaces *dst; };

/* cur = faces.face[selection.index[*index]]. */
struct rp_op_face_pick {
    const struct rp_dfaces *faces;
    const struct rp_selection *selection;
    const int32_t *index;
    struct rp_dface *cur;
};

enum rp_landmark_kind {
    RP_LANDMARK_BOX_68 = 0, /* fr_landmark: t[0] [68][2] in 0..1 of the crop, no score (set to 1) */
    RP_LANDMARK_2DFAN4,     /* t[0] [68][3] in 64-pixel units, t[1] heat maps [68][64][64] */
    RP_LANDMARK_PEPPA,      /* t[0] [68][3] */
    RP_LANDMARK_FAN_68_5,   /* t[0] [68][2] in the unit square: fills lm68_5 and the angle */
};

/* Landmark network output to the face: points through affine->inv into the frame, score by the rule
 * of the model. Fills lm68 and landmark_score (fan_68_5: lm68_5, angle, and lm68 = lm68_5, lm5_68 =
 * lm5). second: another landmarker has filled them before, and its result stays if its score is
 * greater than this one's minus 0.2. */
struct rp_op_landmarks {
    int kind;
    const float *t[2];
    int w, h;
    const struct rp_affine *affine;
    struct rp_dface *face;
    int second;
};

/* Choose the points that crops use: if landmark_score > threshold, lm5_68 = 68-to-5 of lm68, else
 * lm5. no_detector_points: 1 if the detector gives none (ultraface): lm5_68, lm5 and the angle come
 * from lm68, and lm68_5 = lm68. Sets bits of `has`. */
struct rp_op_face_points { struct rp_dface *face; float threshold; int no_detector_points; };

/* 512 numbers to embedding and its L2-normalised copy (sum in double, fixed order). */
struct rp_op_embedding { const float *src; struct rp_dface *face; };

enum rp_classify_kind {
    RP_CLASSIFY_FAIRFACE = 0, /* t[0] race id, t[1] gender id, t[2] age id: int64 [1] each */
    RP_CLASSIFY_SSR_GENDER,   /* SSR-Net, 9 outputs of 3 stages: > 0.5 male */
    RP_CLASSIFY_SSR_AGE,      /* the same * 101 is the age: its range is FairFace's */
};
struct rp_op_classify { int kind; const void *t[9]; struct rp_dface *face; };

/* ---- selection ------------------------------------------------------------------------------- */

enum rp_select_mode {
    RP_SELECT_MANY = 0,
    RP_SELECT_ONE,
    RP_SELECT_REFERENCE,
    RP_SELECT_ALL_BUT, /* all but the references */
};
enum rp_select_order {
    RP_ORDER_LEFT_RIGHT = 0,
    RP_ORDER_RIGHT_LEFT,
    RP_ORDER_TOP_BOTTOM,
    RP_ORDER_BOTTOM_TOP,
    RP_ORDER_SMALL_LARGE,
    RP_ORDER_LARGE_SMALL,
    RP_ORDER_BEST_WORST,
    RP_ORDER_WORST_BEST,
};

/* Which faces are worked on, and in which order. gender, race: 0 = no filter. The age filter is on
 * if age_from or age_to is > 0: it keeps faces whose range overlaps [from, to). Mode reference:
 * faces (unsorted, unfiltered) with (1 - dot) / 2 < distance to any reference; mode all but: all
 * others, among them those without an embedding. Faces that are only held (RP_FACE_HELD) count if
 * `held` is not 0. */
struct rp_op_select {
    const struct rp_dfaces *faces;
    int mode, order, held;
    int gender, race, age_from, age_to;
    const struct rp_references *references; /* for modes reference, all but */
    float distance;
    struct rp_selection *dst;
};

/* A source for each selected face: the one whose reference is nearest (largest cosine, the first of
 * equals) among those within the distance of select; if there is none, source number `other`, or
 * with other < 0 the face is left out. */
struct rp_op_map_faces {
    const struct rp_dfaces *faces;
    const struct rp_selection *selection;
    const struct rp_references *references; /* one per source */
    float distance;
    int other;
    struct rp_face_map *dst;
};

/* Input of a swapper: row map.source[*index] of `sources` (map NULL: row 0), written `copies`
 * times. With face: its own embedding e (raw, or of length 1) is mixed in, which gives
 * source * (1 - mix) + e * mix, and n is 512; a face without one gets the plain source. Missing
 * rows are zeros. */
struct rp_op_source_mix {
    const float *sources; /* [rows][n] */
    int rows, n;
    const struct rp_face_map *map;
    const int32_t *index;
    const struct rp_dface *face; /* NULL: nothing is mixed in */
    int raw;
    float mix;
    float *dst; /* [copies][n] */
    int copies;
};

/* ---- content check --------------------------------------------------------------------------- */

enum rp_content_kind {
    RP_CONTENT_NSFWJS = 0, /* [5] probabilities: hentai + porn > 0.5 */
    RP_CONTENT_NSFW_1,     /* [4 + classes][cells]: any score > 0.2 */
    RP_CONTENT_NSFW_2,     /* [2]: the first over the second by > 0.25 */
    RP_CONTENT_NSFW_3,     /* [4]: the last two over the first two by > 10.5 */
};
/* One network's vote on a frame. votes is 0 for all networks but the last, whose operation counts:
 * with at least `votes` votes against it the frame is positive. n: numbers in the tensor; row:
 * numbers in a row (nsfw_1). */
struct rp_op_content_vote {
    int kind;
    const float *src;
    int n, row, votes;
    struct rp_verdict *dst;
};

/* ---- rows of a batch ------------------------------------------------------------------------- */

/* Splits *count things into groups of at most `most` rows, for networks that take several at once.
 * COUNT: how many groups; GROUP: rows and bucket of this group; INDEX: *index = number of the thing
 * in this row. */
enum rp_rows_step { RP_ROWS_COUNT = 0, RP_ROWS_GROUP, RP_ROWS_INDEX };
struct rp_op_rows { int step; const int32_t *count; int most; struct rp_rows *at; int32_t *index; };

/* Copies one row of `bytes` into the batch at dst (put), or out of the batch at src; both are
 * aligned to words. A row outside 0 to most - 1 is not copied. */
struct rp_op_row_copy {
    const void *src;
    void *dst;
    size_t bytes;
    const struct rp_rows *at;
    int most;
    int put;
};

/* ---- LivePortrait (expression restorer, face editor) -------------------------------------------
 * A face is 21 points, [21][3] (x, y, z): a head, turned, plus what its expression adds:
 *
 *     points = scale * (canonical * R^T + expression) + translation
 *
 * R = Rz(roll) * Ry(yaw) * Rx(pitch). An expression that is changed is limited to what a face can
 * do, number by number (FaceFusion's table). A head of which an angle is not a number, or above
 * 10^6 radians, is not turned about that axis. */

#define RP_PORTRAIT_POINTS 21

/* Outputs of the motion extractor. */
struct rp_motion {
    const float *pitch, *yaw, *roll; /* degrees, one number each */
    const float *scale;              /* one number */
    const float *translation;        /* [3] */
    const float *expression, *canonical; /* [21][3] */
};

/* from: the face's points; to: those with the expression wanted * share + own * rest, limited.
 * Points in `keep` (bit = point) want their own. */
struct rp_op_portrait_restore {
    struct rp_motion face;
    const float *wanted; /* [21][3], an expression */
    uint32_t keep;
    float share, rest;
    float *from, *to; /* [21][3] */
};

/* from: the face's points; to: those with the expression + move, limited, and with angles + turn,
 * limited to FaceFusion's ranges or, if it was beyond, to what the face's angle was. eye, lip:
 * inputs of the retargeters, or NULL: the 63 numbers of `from`, how far the face's eyes (left,
 * right) or lips are open by its 68 points, and how far they should be. */
struct rp_op_portrait_edit {
    struct rp_motion face;
    const double *move; /* [21][3] */
    float turn[3];      /* degrees: pitch, yaw, roll */
    const struct rp_dface *points;
    float eye_wish, lip_wish;
    float *from, *to;   /* [21][3] */
    float *eye;         /* [66] */
    float *lip;         /* [65] */
};

/* points += eye * eye_share, then + lip * lip_share: outputs of the retargeters, or NULL. */
struct rp_op_portrait_add {
    float *points;          /* [21][3] */
    const float *eye, *lip; /* [63] */
    float eye_share, lip_share;
};

/* ---- drawing (face debugger) ---------------------------------------------------- */

enum rp_debug_item {
    RP_DEBUG_BOX = 1,
    RP_DEBUG_LANDMARK_5 = 2,
    RP_DEBUG_LANDMARK_5_68 = 4,
    RP_DEBUG_LANDMARK_68 = 8,
    RP_DEBUG_LANDMARK_68_5 = 16,
    RP_DEBUG_MASK = 32,
};

/* Box, points; items other than the mask. Line and point scale from the frame's height. */
struct rp_op_draw_face { struct rp_canvas dst; const struct rp_dface *face; unsigned items; };

/* Contour of a crop mask: mask * 255 truncated, warped to the frame, > 100, all borders drawn. tmp:
 * one byte per pixel of the frame. */
struct rp_op_draw_mask {
    struct rp_canvas dst;
    const struct rp_dface *face;
    const float *mask;
    int w, h;
    const struct rp_affine *affine;
    uint8_t *tmp;
};

/* ---- covering faces (face blur) -------------------------------------------------------------- */

#define RP_MAX_CELLS 32

/* What is covered of a face, seen from its box in the frame, and in how many cells a side that is
 * divided. margin: the box grows on each side by this part of its longer side, 0 to 16. feather:
 * beyond that the cover fades over this part of its size, 0 to 4. Cells are never smaller than two
 * pixels. The box may lie outside of the frame. */
struct rp_cover { float margin, feather; int cells; /* 1 to RP_MAX_CELLS */ };

/* The mean of each cell over its pixels inside of the frame, row by row; a cell without any is not
 * defined. */
struct rp_op_cover_cells {
    struct rp_img src;
    const struct rp_dface *face;
    struct rp_cover cover;
    uint8_t *dst; /* [cells][cells][3] */
};

/* Covers the face. BLUR: a smooth surface through the means; PIXELATE: the cells themselves;
 * COLOUR: one colour, and no cells are needed. mask: where it is less the cover is too, if the face
 * was found (a face that is only held is covered as a whole); black outside. Marks the tiles that
 * it touches. */
enum rp_cover_mode { RP_COVER_BLUR = 0, RP_COVER_PIXELATE, RP_COVER_COLOUR };
struct rp_op_cover {
    struct rp_canvas dst;
    const struct rp_dface *face;
    struct rp_cover cover;
    int mode;
    const uint8_t *cells;          /* of cover_cells() with the same face and cover */
    int colour[3];                 /* BGR, 0..255 */
    const float *mask;             /* [h][w], 0..1, or NULL */
    const struct rp_affine *affine; /* frame to mask */
    int w, h;
};

/* ---- the table ------------------------------------------------------------------------------- */

/* Loops of n frames in lockstep, each with its own count and index; frames whose live is not 0 do
 * not take part (NULL: all do). MOST: *most = the largest count, at least 0. TURN, at turn *turn of
 * the loop: index[i] = *turn, and go[i] = 0 where there is something to do, else -1. */
#define RP_MAX_LANES 8
enum rp_lockstep_step { RP_LOCKSTEP_MOST = 0, RP_LOCKSTEP_TURN };
struct rp_op_lockstep {
    int step, n;
    const int32_t *count[RP_MAX_LANES];
    int32_t *index[RP_MAX_LANES];
    const int32_t *live; /* [n] or NULL */
    int32_t *most;
    const int32_t *turn;
    int32_t *go; /* [n] */
};

/* All operations. A name here adds an entry to the table, to rp_ops_c and to the tests of
 * kernels. */
#define RP_OPS(X)                                                                                 \
    X(yuv_to_bgr) X(cover_cells) X(cover)                                                         \
    X(bgr_to_yuv) X(bgr_read) X(bgr_write) X(semi_read)                                           \
    X(resize) X(warp) X(to_tensor) X(to_gray) X(contrast)                                         \
        X(from_tensor) X(u8_to_float) X(float_to_u8) X(float_to_tensor) X(paste) X(blend)         \
            X(alpha_read) X(alpha_write) X(alpha_split) X(alpha_join) X(key_matte) X(matte_u8)    \
                X(backdrop) X(tile_cut) X(tile_put) X(box_mask) X(gaussian) X(mask_min)           \
                    X(mask_ramp) X(class_mask) X(resize_float) X(hull_mask) X(mask_warp) X(align) \
                        X(box_affine) X(points_tensor) X(points_angle) X(decode) X(nms)           \
                            X(face_scale) X(face_load) X(face_store) X(face_pick) X(landmarks)    \
                                X(face_points) X(embedding) X(classify) X(select) X(map_faces)    \
                                    X(source_mix) X(content_vote) X(rows) X(row_copy) X(lockstep) \
                                        X(draw_face) X(draw_mask) X(resize_cubic)                 \
    X(landmark_box) X(grey_tensor) X(colour_ab) X(colour_rgb) X(portrait_restore)                 \
    X(portrait_edit) X(portrait_add) X(resize_area) X(colour_gap) X(colour_shift)                 \
    X(colour_likeness) X(sharpen) X(mask_erode) X(affine_scale) X(age_pair) RP_NET_OPS(X)

/* Operations by number, for lists of them. */
enum rp_op_number {
#define RP_OP_NUMBER(name) RP_OP_NUMBER_##name,
    RP_OPS(RP_OP_NUMBER)
#undef RP_OP_NUMBER
    RP_OP_COUNT
};

struct rp_ops {
#define RP_OP_ENTRY(name) int (*(name))(struct rp_stream *stream, const struct rp_op_##name *a);
    RP_OPS(RP_OP_ENTRY)
#undef RP_OP_ENTRY
};

extern const struct rp_ops rp_ops_c;

/* The C functions by name, for the table and for tests: rp_c_warp(NULL, &args). */
#define RP_OP_PROTO(name) int rp_c_##name(struct rp_stream *stream, const struct rp_op_##name *a);
RP_OPS(RP_OP_PROTO)
#undef RP_OP_PROTO

/* ---- host helpers (for preparation, not recorded) --------------------------------------- */

/* OpenCV's Gaussian kernel: size = 0 chooses odd(round(8 sigma + 1)) for float images. Writes at
 * most max weights, returns the size (odd). */
int rp_gaussian_kernel(double sigma, int size, float *kernel, int max);

/* lut[c][v] = ((v / div) - mean[c]) / std[c] in double, cast to float; c in tensor order. */
void rp_tensor_lut(float lut[3][256], double div, const double mean[3], const double std[3]);

/* For rp_op_contrast. */
void rp_lab_tables(struct rp_lab_tables *tables);

/* For rp_op_colour_ab. */
void rp_colour_tables(struct rp_colour_tables *tables);

/* For rp_op_grey_tensor: a grey as ddcolor wants it, which is through Lab and back, 0..1. */
void rp_colour_grey_lut(float lut[3][256], const struct rp_colour_tables *tables);

/* The points of each template, in crop sizes: times the crop's size they are pixels. */
extern const float rp_templates[RP_TEMPLATE_COUNT][5][2];

/* Tiles of the "changed" map along a side. */
static inline int rp_tiles(int pixels)
{
    return (pixels + RP_TILE - 1) / RP_TILE;
}

#endif /* RP_OPS_H */
