#include "face/options.h"

#include "face/mask.h"
#include "models/catalogue.h"

static const char *const *detectors(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_DETECTOR);
}

static const char *const *landmarkers(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_LANDMARKER);
}

/* clang-format off */
static const char *const quarters[] = {"0", "90", "180", "270", NULL};

static const struct rp_opt detector_opts[] = {
    {"face-detector-model", 0, RP_OPT_CHOICE, offsetof(struct rp_detector_options, model),
     .def_text = "yolo_face", .choices_fn = detectors, .help = "model that finds faces"},
    {"face-detector-size", 0, RP_OPT_SIZE, offsetof(struct rp_detector_options, size),
     .meta = "WxH", .help = "size of the frame given to the detector; each model has its own choices"},
    {"face-detector-margin", 0, RP_OPT_INTS, offsetof(struct rp_detector_options, margin), 0, 100, 1,
     .most = 4, .def_text = "0", .meta = "PERCENT...", .help = "black border for the detector: top right bottom left; 100 is half a frame"},
    {"face-detector-angles", 0, RP_OPT_CHOICES, offsetof(struct rp_detector_options, angles),
     .def_text = "0", .choices = quarters, .help = "angles to which the frame is turned for the detector"},
    {"face-detector-score", 0, RP_OPT_FLOAT, offsetof(struct rp_detector_options, score), 0, 1, 0.05,
     .def_text = "0.5", .meta = "SCORE", .help = "confidence that a face must exceed; 0 finds none"},
    {0},
};

const struct rp_opt_group rp_detector_group = {
    "face_detector", "Face detector", sizeof(struct rp_detector_options), detector_opts,
};

static const struct rp_opt landmarker_opts[] = {
    {"face-landmarker-model", 0, RP_OPT_CHOICE, offsetof(struct rp_landmarker_options, model),
     .def_text = "2dfan4", .choices_fn = landmarkers, .help = "model that finds the 68 points"},
    {"face-landmarker-score", 0, RP_OPT_FLOAT, offsetof(struct rp_landmarker_options, score), 0, 1, 0.05,
     .def_text = "0.5", .meta = "SCORE",
     .help = "lowest score at which the 68 points replace the detector's 5; 0 skips the landmarker"},
    {0},
};

const struct rp_opt_group rp_landmarker_group = {
    "face_landmarker", "Face landmarker", sizeof(struct rp_landmarker_options), landmarker_opts,
};

static const char *const modes[] = {"many", "one", "reference", "all-but-reference", NULL};
static const char *const orders[] = {"left-right", "right-left", "top-bottom", "bottom-top",
    "small-large", "large-small", "best-worst", "worst-best", NULL};
static const char *const genders[] = {"auto", "female", "male", NULL};
static const char *const races[] = {"auto", "white", "black", "latino", "asian", "indian", "arabic", NULL};

static const struct rp_opt selector_opts[] = {
    {"face-selector-mode", 0, RP_OPT_CHOICE, offsetof(struct rp_selector_options, mode),
     .def_text = "reference", .choices = modes,
     .help = "every face, the first, those like a reference face, or all but those"},
    {"face-selector-order", 0, RP_OPT_CHOICE, offsetof(struct rp_selector_options, order),
     .def_text = "large-small", .choices = orders, .help = "order in which faces are counted"},
    {"face-selector-age-start", 0, RP_OPT_INT, offsetof(struct rp_selector_options, age_start), 0, 100, 1,
     .meta = "YEARS", .help = "lowest age"},
    {"face-selector-age-end", 0, RP_OPT_INT, offsetof(struct rp_selector_options, age_end), 0, 100, 1,
     .meta = "YEARS", .help = "first age that is too old"},
    {"face-selector-gender", 0, RP_OPT_CHOICE, offsetof(struct rp_selector_options, gender),
     .choices = genders, .help = "only this gender; auto: that of the source"},
    {"face-selector-race", 0, RP_OPT_CHOICE, offsetof(struct rp_selector_options, race),
     .choices = races, .help = "only this race; auto: that of the source"},
    {"reference-face-position", 0, RP_OPT_INT, offsetof(struct rp_selector_options, reference_position),
     0, 127, 1, .def_text = "0", .meta = "N", .help = "which face of the reference frame, in the chosen order"},
    {"reference-face-paths", 0, RP_OPT_STRINGS, offsetof(struct rp_selector_options, reference_paths),
     .meta = "FILE...", .ours = true, .help = "pictures of reference faces, instead of a frame of the target"},
    {"reference-face-distance", 0, RP_OPT_FLOAT, offsetof(struct rp_selector_options, reference_distance),
     0, 1, 0.05, .def_text = "0.3", .meta = "DISTANCE", .help = "how far a face may differ from the reference"},
    {"reference-frame-number", 0, RP_OPT_INTS, offsetof(struct rp_selector_options, reference_frames),
     0, 2147483647, 1, .def_text = "0", .meta = "N...", .help = "frames of the target that show the reference face"},
    {0},
};

const struct rp_opt_group rp_selector_group = {
    "face_selector", "Face selector", sizeof(struct rp_selector_options), selector_opts,
};

static const struct rp_opt tracker_opts[] = {
    {"face-tracker-score", 0, RP_OPT_FLOAT, offsetof(struct rp_tracker_options, score), 0, 0.5, 0.05,
     .def_text = "0.0", .meta = "SCORE",
     .help = "overlap above which faces of near frames are one; fills gaps of a video; 0: off"},
    {"face-landmark-smoothing", 0, RP_OPT_FLOAT, offsetof(struct rp_tracker_options, smoothing), 0, 1, 0.05,
     .def_text = "0.0", .meta = "AMOUNT",
     .ours = true, .help = "steadier landmarks in a video: how much the frames around a frame count; 0: off"},
    {0},
};

const struct rp_opt_group rp_tracker_group = {
    "face_tracker", "Face tracker", sizeof(struct rp_tracker_options), tracker_opts,
};

static const struct rp_opt distribution_opts[] = {
    {"target-frame-amount", 0, RP_OPT_INT, offsetof(struct rp_distribution_options, amount), 0, 10, 1,
     .def_text = "2", .meta = "N", .help = "frames before and after each frame that the tracker uses"},
    {0},
};

const struct rp_opt_group rp_distribution_group = {
    "frame_distribution", "Frame distribution", sizeof(struct rp_distribution_options), distribution_opts,
};

static const char *const mask_types[] = {"box", "occlusion", "area", "region", NULL};
static const char *const mask_areas[] = {"upper-face", "lower-face", "mouth", NULL};
static const char *const mask_regions[] = {"skin", "left-eyebrow", "right-eyebrow", "left-eye", "right-eye",
    "glasses", "nose", "mouth", "upper-lip", "lower-lip", NULL};

static const char *const *occluders(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_OCCLUDER);
}

static const char *const *parsers(void)
{
    return rp_catalogue_choices(RP_KIND_FACE_PARSER);
}

static const struct rp_opt mask_opts[] = {
    {"face-occluder-model", 0, RP_OPT_CHOICE, offsetof(struct rp_mask_options, occluder),
     .def_text = "xseg_1", .choices_fn = occluders, .help = "model of the occlusion mask"},
    {"face-parser-model", 0, RP_OPT_CHOICE, offsetof(struct rp_mask_options, parser),
     .def_text = "bisenet_resnet_34", .choices_fn = parsers, .help = "model of the region mask"},
    {"face-mask-types", 0, RP_OPT_CHOICES, offsetof(struct rp_mask_options, types),
     .def_text = "box", .choices = mask_types, .help = "masks to combine"},
    {"face-mask-areas", 0, RP_OPT_CHOICES, offsetof(struct rp_mask_options, areas),
     .def_text = "upper-face lower-face mouth", .choices = mask_areas, .help = "parts of the area mask"},
    {"face-mask-regions", 0, RP_OPT_CHOICES, offsetof(struct rp_mask_options, regions),
     .def_text = "skin left-eyebrow right-eyebrow left-eye right-eye glasses nose mouth upper-lip lower-lip",
     .choices = mask_regions, .help = "parts of the region mask"},
    {"face-mask-blur", 0, RP_OPT_FLOAT, offsetof(struct rp_mask_options, blur), 0, 1, 0.05,
     .def_text = "0.3", .meta = "BLUR", .help = "softness of the box mask"},
    {"face-mask-padding", 0, RP_OPT_INTS, offsetof(struct rp_mask_options, padding), 0, 100, 1,
     .most = 4, .def_text = "0", .meta = "PERCENT...", .help = "padding of the box mask: top right bottom left"},
    {0},
};

const struct rp_opt_group rp_mask_group = {
    "face_masker", "Face masks", sizeof(struct rp_mask_options), mask_opts,
};
/* clang-format on */
