/* Settings of the analysing stage; names, values and defaults are FaceFusion's. */
#ifndef RP_FACE_OPTIONS_H
#define RP_FACE_OPTIONS_H

#include "base/option.h"

struct rp_detector_options {
    int model; /* index into rp_catalogue_choices() of the kind */
    struct rp_opt_size size;
    struct rp_opt_ints margin;    /* percent: 1 to 4 numbers as in CSS */
    struct rp_opt_choices angles; /* quarters, counter-clockwise */
    double score;
};
extern const struct rp_opt_group rp_detector_group;

struct rp_landmarker_options {
    int model; /* index into rp_catalogue_choices() of the kind */
    double score;
};
extern const struct rp_opt_group rp_landmarker_group;

struct rp_selector_options {
    int mode, order;          /* enum rp_select_mode, rp_select_order */
    int age_start, age_end;
    int gender, race;         /* -1 unset, 0 auto, else enum value */
    int reference_position;
    double reference_distance;
    struct rp_opt_ints reference_frames;
    struct rp_opt_strings reference_paths;
};
extern const struct rp_opt_group rp_selector_group;

struct rp_tracker_options {
    double score;     /* 0: off */
    double smoothing; /* of landmarks; 0: off */
};
extern const struct rp_opt_group rp_tracker_group;

struct rp_distribution_options {
    int amount; /* frames before and after a frame that count for it */
};
extern const struct rp_opt_group rp_distribution_group;

struct rp_mask_options {
    int occluder, parser;          /* index into rp_catalogue_choices() of the kind */
    struct rp_opt_choices types;   /* enum rp_mask_type */
    struct rp_opt_choices areas;   /* enum rp_mask_area */
    struct rp_opt_choices regions; /* in the order of the list in options.c */
    double blur;
    struct rp_opt_ints padding;  /* percent: 1 to 4 numbers as in CSS */
};
extern const struct rp_opt_group rp_mask_group;

#endif /* RP_FACE_OPTIONS_H */
