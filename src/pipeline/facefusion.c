/* What of FaceFusion's command lines is taken here and has no effect, and names that earlier
 * versions had.
 *
 * The job commands and batch-run of the command line (src/app) do use some of them: the library has no
 * part in that. Scripts and config files written for FaceFusion then run as they are. Values are checked as they
 * are there. docs/facefusion.md lists all of FaceFusion's options; tests/test_dropin.py holds that
 * list and these tables against each other. */
#include "pipeline/options.h"

/* Values of one group, which nothing reads. */
struct ignored {
    char *text[3];
    int number[2];
    bool flag;
    struct rp_opt_choices list;
};

static const char *const frame_formats[] = {"bmp", "jpeg", "png", "tiff", NULL};
static const char *const pixel_formats[] = {"bgr24", "bgra", NULL};
static const char *const workflow_modes[] = {"auto", "image-to-image", "image-to-video", NULL};
static const char *const strategies[] = {"disk", "memory", NULL};
static const char *const layouts[] = {"benchmark", "default", "jobs", "webcam", NULL};
static const char *const ui_workflows[] = {"instant_runner", "job_runner", "job_manager", NULL};
static const char *const memory_strategies[] = {"strict", "moderate", "tolerant", NULL};
static const char *const resolutions[] = {"240p",  "360p",  "540p",  "720p",
                                          "1080p", "1440p", "2160p", NULL};

/* clang-format off */
#define AT(field) offsetof(struct ignored, field)
static const struct rp_opt paths[] = {
    {"temp-path", 0, RP_OPT_STRING, AT(text[0]), .meta = "DIR", .no_effect = true,
     .help = "no temporary files are made"},
    {"jobs-path", 0, RP_OPT_STRING, AT(text[1]), .meta = "DIR", .no_effect = true,
     .help = "job commands and batch-run keep their files there; default: .jobs"},
    {0},
};
static const struct rp_opt patterns[] = {
    {"source-pattern", 0, RP_OPT_STRING, AT(text[0]), .meta = "GLOB", .no_effect = true,
     .help = "sources of batch-run: a pattern such as 'in/*.jpg', or a folder"},
    {"target-pattern", 0, RP_OPT_STRING, AT(text[1]), .meta = "GLOB", .no_effect = true,
     .help = "targets of batch-run: a pattern such as 'in/*.jpg', or a folder"},
    {"output-pattern", 0, RP_OPT_STRING, AT(text[2]), .meta = "TEMPLATE", .no_effect = true,
     .help = "outputs of batch-run: a name with {index}, {source_name}, {target_name}, {target_extension}"},
    {0},
};
static const struct rp_opt extraction[] = {
    {"temp-frame-format", 0, RP_OPT_CHOICE, AT(number[0]), .choices = frame_formats, .no_effect = true,
     .help = "frames are not written to files"},
    {"temp-pixel-format", 0, RP_OPT_CHOICE, AT(number[1]), .choices = pixel_formats, .no_effect = true,
     .help = "frames keep the target's own pixel format"},
    {"keep-temp", 0, RP_OPT_FLAG, AT(flag), .no_effect = true,
     .help = "before FaceFusion 3.8; no temporary files are made"},
    {0},
};
static const struct rp_opt workflow[] = {
    {"workflow-mode", 0, RP_OPT_CHOICE, AT(number[0]), .choices = workflow_modes, .no_effect = true,
     .help = "the target's content says whether it is a picture or a video"},
    {"workflow-strategy", 0, RP_OPT_CHOICE, AT(number[1]), .choices = strategies, .no_effect = true,
     .help = "frames stay in memory, a few at a time"},
    {0},
};
static const struct rp_opt uis[] = {
    {"open-browser", 0, RP_OPT_FLAG, AT(flag), .no_effect = true,
     .help = "run opens the page, serve does not"},
    {"ui-layouts", 0, RP_OPT_CHOICES, AT(list), .choices = layouts, .no_effect = true,
     .help = "the page has one layout"},
    {"ui-workflow", 0, RP_OPT_CHOICE, AT(number[0]), .choices = ui_workflows, .no_effect = true,
     .help = "the page has one way to work"},
    {0},
};
static const struct rp_opt benchmark[] = {
    {"benchmark-resolutions", 0, RP_OPT_CHOICES, AT(list), .choices = resolutions, .no_effect = true,
     .help = "the target and --benchmark-frame say what is measured"},
    {0},
};
static const struct rp_opt execution[] = {
    {"execution-queue-count", 0, RP_OPT_INT, AT(number[0]), 1, 32, 1, .meta = "N", .no_effect = true,
     .help = "before FaceFusion 3.5; each core works on one frame"},
    {0},
};
static const struct rp_opt memory[] = {
    {"video-memory-strategy", 0, RP_OPT_CHOICE, AT(number[0]), .choices = memory_strategies, .no_effect = true,
     .help = "models stay open while there is room for them"},
    {"system-memory-limit", 0, RP_OPT_INT, AT(number[1]), 0, 128, 1, .meta = "N", .no_effect = true,
     .help = "before FaceFusion 3.7; the number of frames in memory is bounded"},
    {0},
};
static const struct rp_opt misc[] = {
    {"halt-on-error", 0, RP_OPT_FLAG, AT(flag), .no_effect = true,
     .help = "commands for all jobs and batch-run end at the first failure"},
    {0},
};
#undef AT
/* clang-format on */

#define GROUP(section, opts)                                           \
    &(const struct rp_opt_group)                                       \
    {                                                                  \
        section, "Taken, without effect", sizeof(struct ignored), opts \
    }

const struct rp_opt_group *const rp_facefusion_groups[] = {
    GROUP("paths", paths),
    GROUP("patterns", patterns),
    GROUP("frame_extraction", extraction),
    GROUP("workflow", workflow),
    GROUP("uis", uis),
    GROUP("benchmark", benchmark),
    GROUP("execution", execution),
    GROUP("memory", memory),
    GROUP("misc", misc),
    NULL,
};

/* ---- choices and names ------------------------------------------------------------------------
 */

const struct rp_opt_elsewhere rp_elsewhere_providers[] = {
    {"rocm", "AMD's ROCm"},
    {"migraphx", "AMD's MIGraphX"},
    {"coreml", "Apple's Core ML"},
    {"openvino", "Intel's OpenVINO"},
    {"qnn", "Qualcomm's QNN"},
    {"directml", "DirectML of Windows"},
    {0},
};

/* Those of them that FFmpeg has are choices. */
const struct rp_opt_elsewhere rp_elsewhere_encoders[] = {
    {"h264_amf", "AMD's AMF"},
    {"hevc_amf", "AMD's AMF"},
    {"h264_qsv", "Intel's Quick Sync"},
    {"hevc_qsv", "Intel's Quick Sync"},
    {"h264_videotoolbox", "Apple's VideoToolbox"},
    {"hevc_videotoolbox", "Apple's VideoToolbox"},
    {"h264_nvenc", "NVIDIA's encoder"},
    {"hevc_nvenc", "NVIDIA's encoder"},
    {"libx264", "an encoder that this FFmpeg was built without"},
    {"libx264rgb", "an encoder that this FFmpeg was built without"},
    {"libx265", "an encoder that this FFmpeg was built without"},
    {"libvpx-vp9", "an encoder that this FFmpeg was built without"},
    {0},
};

const struct rp_opt_former rp_former_output[] = {
    {"output-image-resolution", NULL, "--output-image-scale"},
    {"output-video-resolution", NULL, "--output-video-scale"},
    {0},
};
