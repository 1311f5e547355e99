/* Plain structs that live in device memory and are shared by C and CUDA: no pointers to the host,
 * no bool, fixed sizes. Compiled by both compilers. */
#ifndef RP_OPS_TYPES_H
#define RP_OPS_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Capacities. If a frame has more faces, the best ones by score are kept and `overflow` is set, so
 * that the frame can be reported. */
#define RP_MAX_FACES 128
#define RP_MAX_CANDIDATES 4096
#define RP_MAX_REFERENCES 64

/* Side of a tile of the "changed" map, in pixels. */
#define RP_TILE 16

/* 8-bit interleaved pixels, BGR order. */
struct rp_img {
    uint8_t *data;
    int stride; /* bytes */
    int w, h;
    int ch;     /* 1, 3 or 4 */
};

/* A 2x3 affine map from the frame to a crop, row by row: [m0 m1 m2; m3 m4 m5], and its inverse. */
struct rp_affine {
    double m[6];
    double inv[6];
};

/* The frame being worked on. `changed` has one byte per tile, not 0 where a processor wrote. */
struct rp_canvas {
    struct rp_img img;
    uint8_t *changed;
    int tiles_w, tiles_h;
    struct rp_img alpha; /* 1 channel; data is NULL unless a processor of the job makes alpha */
};

/* Tiles of an upscaler: squares whose cores (all but `overlap` pixels at each edge) lie side by
 * side. The first core begins `pad` pixels left of and above the picture. */
struct rp_tile_grid {
    int size, pad, overlap;
    int across; /* tiles in a row */
};

/* Planes as the decoder made them (formats and their numbers as in media/media.h). */
struct rp_planes {
    uint8_t *plane[4];
    int stride[4]; /* bytes */
    int w, h;
    int sub_x, sub_y;   /* log2 of the chroma subsampling: 0 or 1 */
    int depth;          /* 8 or 10 (10 bit little endian in 16) */
    int matrix;         /* enum rp_matrix of media.h: 0 bt709, 1 bt601, 2 bt2020 */
    int full_range;
};

/* A face as the analysis fills it in. The fields mean the same as in struct rp_face of the public
 * header; FaceFusion's four landmark sets and the raw embedding are added. Coordinates in frame
 * pixels. */
struct rp_dface {
    float box[4];
    float score;
    float landmark_score;
    float lm5[10];    /* "5": the detector's points */
    float lm5_68[10]; /* "5/68": the points that crops use */
    float lm68[136];
    float lm68_5[136]; /* "68/5" */
    float embedding[512];
    float embedding_norm[512];
    int32_t angle;
    int32_t gender, age_from, age_to, race; /* enum values of the public header */
    uint32_t has;                           /* enum rp_face_has bits */
    int32_t origin;                         /* enum rp_face_origin */
};

enum rp_face_origin {
    RP_FACE_FOUND = 0, /* by the detector */
    RP_FACE_FILLED,    /* by the tracker, between two frames that show it */
    RP_FACE_HELD,      /* where it may be, for a processor that must not miss it */
};

struct rp_dfaces {
    int32_t count;
    int32_t overflow;
    struct rp_dface face[RP_MAX_FACES];
};

/* A face proposed by a detector, before non-maximum suppression; in frame pixels. */
struct rp_candidate {
    float box[4];
    float score;
    int32_t index; /* position in the detector's output: breaks ties of the score */
    int32_t angle; /* rotation of the frame when it was found, in degrees */
    float lm5[10];
};

struct rp_candidates {
    int32_t count; /* may exceed the capacity: then overflow */
    int32_t has_landmarks;
    struct rp_candidate c[RP_MAX_CANDIDATES];
};

/* Indices into rp_dfaces, in the order in which they are processed. */
struct rp_selection {
    int32_t count;
    int32_t index[RP_MAX_FACES];
};

/* The selected faces that have a source, and which source. */
struct rp_face_map {
    struct rp_selection chosen; /* a part of the selection, in its order */
    int32_t source[RP_MAX_FACES]; /* by place in `chosen` */
};

/* Reference identities for selector mode "reference". */
struct rp_references {
    int32_t count;
    int32_t pad[3];
    float embedding_norm[RP_MAX_REFERENCES][512];
};

/* The position of a loop over groups of rows: see struct rp_op_rows. */
struct rp_rows {
    int32_t groups; /* of them */
    int32_t group;  /* this one */
    int32_t rows;   /* in it */
    int32_t row;    /* this one */
    int32_t bucket; /* smallest b with 2^b >= rows; -1 without rows */
};

/* Running result of the content check. */
struct rp_verdict {
    int32_t checked, positive;
    float last_score;
    int32_t last_positive;
    int32_t votes; /* against the frame, so far */
};

/* Tables for 8-bit colours to Lab and back without powers and roots: rp_lab_tables(). Words, which
 * vector code can gather. */
#define RP_LAB_ROOTS 2048 /* 0..2040 is used */

struct rp_lab_tables {
    int32_t linear[256];        /* sRGB to linear light, 2040 is 1 */
    int32_t root[RP_LAB_ROOTS]; /* Lab's root of light / 2040, 32768 is 1 */
    int32_t light[256];         /* L to Y, 16384 is 1 */
    int32_t light_root[256];    /* L to Lab's root of Y, 16384 is 1 */
    int32_t gamma[4096];        /* linear light to sRGB, 4096 is 1 */
};

/* OpenCV's floating point Lab: rp_colour_tables(). */
#define RP_LIGHT_CELLS 32   /* along each side of the cube of colours */
#define RP_GAMMA_STEPS 1024

struct rp_colour_tables {
    /* L at the corners of the cells, by red, green, blue; 16384 is 100. Each holds two: its own,
     * and 65536 times that of the next blue. */
    int32_t light[RP_LIGHT_CELLS + 1][RP_LIGHT_CELLS + 1][RP_LIGHT_CELLS];
    float gamma[RP_GAMMA_STEPS][4]; /* linear light to sRGB: a cubic from each step to the next */
};

/* What the first step of rp_op_contrast leaves for the second. */
#define RP_CONTRAST_TILES 8 /* per side */

struct rp_contrast_work {
    int32_t sum[RP_CONTRAST_TILES * RP_CONTRAST_TILES];             /* of L */
    uint8_t level[RP_CONTRAST_TILES][RP_CONTRAST_TILES][256];       /* new for old L */
};

/* Scratch of rp_op_colour_likeness: runs of RP_COLOUR_RUN pixels are counted in turn by each of the
 * parts, which do not know of each other. */
#define RP_COLOUR_BINS (50 * 60) /* hue and saturation */
#define RP_COLOUR_PARTS 16
#define RP_COLOUR_RUN 512

struct rp_colour_work {
    int32_t count[RP_COLOUR_PARTS][2][RP_COLOUR_BINS];
};

#endif /* RP_OPS_TYPES_H */
