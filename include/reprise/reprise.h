/**
 * @file reprise.h
 * Faces in pictures and video: find, swap, draw (and, version by version, restore, edit, age,
 * lip-sync, colour, upscale). The whole public interface; the command line and the web page use
 * nothing else.
 *
 * Objects, longest-lived first:
 *
 *   rp_runtime    the process: ONNX Runtime, the model folder, the devices, the open models
 *   rp_options    every setting by name, as on the command line
 *   rp_pipeline   the chosen models and processors, ready for pictures
 *   rp_job        one target file to one output file: reader, pipeline, writer
 *
 * A whole job:
 *
 *     rp_runtime *rt = NULL; rp_options *o = NULL; rp_job *job = NULL;
 *     rp_runtime_create(&rt, NULL);
 *     rp_options_create(&o);
 *     rp_options_set(o, "source-paths", "me.jpg");
 *     rp_options_set(o, "target-path", "clip.mp4");
 *     rp_options_set(o, "output-path", "out.mp4");
 *     int ret = rp_job_create(&job, rt, o);
 *     if (ret == RP_OK)
 *         ret = rp_job_run(job, NULL, NULL);
 *     if (ret < 0)
 *         fprintf(stderr, "%s\n", rp_last_error());
 *     rp_job_destroy(&job); rp_options_destroy(&o); rp_runtime_destroy(&rt);
 *
 * Threads: a runtime may be used from any thread. Options, a pipeline and a job belong to one
 * thread at a time, except rp_job_cancel(), which may be called from any thread and from a signal
 * handler. Callbacks run on threads of the library, one at a time.
 *
 * A GPU has a thread in the runtime that does all the work on it. Calls that need it wait until
 * those before them are done, whatever thread they come from: jobs on one GPU run one after the
 * other. So a callback must not begin work on the GPU that it is called for.
 *
 * A runtime keeps open what it once opened: GPUs, and models as long as there is room for them
 * (rp_runtime_params). Nobody may use it any more, in whatever way, when it is destroyed.
 *
 * Errors: a function that can fail returns 0 (or a count) on success and a negative rp_status on
 * failure. The sentence for a person goes to the log, and rp_last_error() keeps the last one of the
 * calling thread.
 *
 * Parameters: every *_params struct may be zero-initialised; zero in a field means its default, and
 * NULL instead of the struct means all defaults. Destroy functions take the address of the pointer,
 * accept NULL inside and set it to NULL.
 */
#ifndef REPRISE_H
#define REPRISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reprise/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RP_API __attribute__((visibility("default")))
#else
#define RP_API
#endif

/** What a call returned. Negative values are failures. */
enum rp_status {
    RP_OK = 0,
    RP_ERR_INVALID = -1,     ///< an argument breaks a documented rule
    RP_ERR_NOMEM = -2,       ///< host memory ran out
    RP_ERR_IO = -3,          ///< a file could not be read or written
    RP_ERR_FORMAT = -4,      ///< a file's content is broken or of an unknown kind
    RP_ERR_UNSUPPORTED = -5, ///< understood, but this build or machine cannot do it
    RP_ERR_MODEL = -6,       ///< a model file does not load or breaks its contract
    RP_ERR_MISSING = -7,     ///< a model asked for by name is not installed
    RP_ERR_USAGE = -8,       ///< an option is unknown or its value is wrong
    RP_ERR_BLOCKED = -9,     ///< the content check refused the target
    RP_ERR_CANCELLED = -10,  ///< rp_job_cancel() was called
    RP_ERR_DEVICE = -11,     ///< a call to the GPU failed
    RP_ERR_DEVICE_MEM = -12, ///< device memory ran out
    RP_ERR_LIMIT = -13,      ///< larger than a documented limit
    RP_ERR_CLOSED = -14,     ///< the other side is gone (internal)
};

/** The exit code of the command line for a status: 0 done, 1 failed, 2 wrong usage or a named model
 *  missing, 3 blocked by the content check, 4 interrupted. */
RP_API int rp_exit_code(int status);

/** "0.1.0" */
RP_API const char *rp_version(void);

/* ---- log ------------------------------------------------------------------------------------- */

enum rp_log_level {
    RP_LOG_QUIET = -1,
    RP_LOG_ERROR = 0, ///< what failed
    RP_LOG_WARN = 1,  ///< it goes on, but not as asked
    RP_LOG_INFO = 2,  ///< what a person wants to follow
    RP_LOG_DEBUG = 3, ///< what a developer wants to follow
};

/** Say something through the same log, printf-like. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
RP_API void rp_log(enum rp_log_level level, const char *format, ...);

/** Receives one line without its newline. Calls do not overlap. */
typedef void rp_log_fn(void *priv, enum rp_log_level level, const char *line);

/** Set where lines go and which are shown, for the whole process. NULL: to stderr. Default: info. */
RP_API void rp_set_log(enum rp_log_level level, rp_log_fn *fn, void *priv);

/** The sentence of the last failure on this thread; "" if there was none. Valid until the next. */
RP_API const char *rp_last_error(void);

/* ---- runtime --------------------------------------------------------------------------------- */

typedef struct rp_runtime rp_runtime;
typedef struct rp_options rp_options;

/** A model file on its way. */
typedef struct rp_download {
    const char *kind, *name; ///< as in rp_model_info
    const char *host;        ///< "github.com", NULL at the end
    int64_t bytes_done;
    int64_t bytes_total;     ///< 0 when unknown
    double seconds, bytes_per_second;
    bool ended;              ///< the last call for this file, whether it came or not
} rp_download;

/** Called about once a second or more often, by the thread that needs the model. Return non-zero to
 *  stop: what needs the model then fails with RP_ERR_CANCELLED. */
typedef int rp_download_fn(void *priv, const rp_download *download);

typedef struct rp_runtime_params {
    const char *models_path; ///< default: $REPRISE_MODELS, else ~/.cache/reprise/models
    const char *onnxruntime; ///< library file; default: $REPRISE_ONNXRUNTIME, $ORT_HOME, set-up's
    const rp_options *download; ///< fetch missing models as these options say; NULL: never
    rp_download_fn *on_download;
    void *download_priv;
    int64_t kept_models; ///< bytes of model files kept open while no pipeline uses them, for each
                         ///< device; 0: as many as a quarter of its memory, negative: none
} rp_runtime_params;

/** Find the model folder and the devices. ONNX Runtime is loaded when a pipeline first needs it: that
 *  call then fails with RP_ERR_UNSUPPORTED and a sentence if it is not there. */
RP_API int rp_runtime_create(rp_runtime **out, const rp_runtime_params *params);
RP_API void rp_runtime_destroy(rp_runtime **runtime);

/* ---- options --------------------------------------------------------------------------------- */

/** All settings at their defaults. */
RP_API int rp_options_create(rp_options **out);
RP_API void rp_options_destroy(rp_options **options);

/** Set one option from text, as after --NAME on the command line; words of lists are separated by
 *  blanks. RP_ERR_USAGE names the option, the value and what would be right. */
RP_API int rp_options_set(rp_options *options, const char *name, const char *value);

/** The same from separate words, so that a word may hold blanks (paths). A flag takes n = 0. */
RP_API int rp_options_set_words(rp_options *options, const char *name, int n,
                                const char *const *words);

/** Read an ini file in FaceFusion's sections and keys. Options already set are not changed. */
RP_API int rp_options_read_config(rp_options *options, const char *path);

/** The value as text, to be freed with rp_free(); NULL if unset. */
RP_API char *rp_options_text(const rp_options *options, const char *name);

/** One option as help, completion and forms need it. Strings live as long as the library. */
typedef struct rp_option_info {
    const char *group;       ///< section of the config file
    const char *title;       ///< heading
    const char *name;        ///< without dashes
    char letter;             ///< short form or 0
    const char *help;        ///< one line
    const char *meta;        ///< placeholder of the value, NULL for a flag
    const char *def_text;    ///< default as typed, NULL when unset
    const char *const *choices; ///< NULL-terminated or NULL
    double min, max, step;   ///< numbers only
    bool is_number, is_flag, is_list;
} rp_option_info;

/** Call fn for each option in the order of the manual. */
RP_API void rp_options_each(const rp_options *options,
                            void (*fn)(void *priv, const rp_option_info *info), void *priv);

/** Look one up by name, letter ("o") or unambiguous beginning. RP_ERR_USAGE with a sentence. */
RP_API int rp_options_find(const rp_options *options, const char *name, rp_option_info *out);

RP_API void rp_free(void *p);

/* ---- pictures -------------------------------------------------------------------------------- */

enum rp_pixel {
    RP_PIXEL_BGR = 0,  ///< 3 bytes a pixel: blue, green, red
    RP_PIXEL_BGRA = 1, ///< 4 bytes a pixel, alpha not premultiplied
};

/** Pixels. With `owned` set they were allocated by the library: free with rp_image_free(). */
typedef struct rp_image {
    uint8_t *data;
    ptrdiff_t stride; ///< bytes from one row to the next, >= w * bytes a pixel
    int w, h;         ///< 1 to 32768 each, at most 2^28 pixels
    enum rp_pixel format;
    bool on_device;   ///< data is a device pointer of the pipeline's device
    bool owned;
} rp_image;

/** Read a JPEG (turned upright by its EXIF tag), PNG, WebP, BMP, TIFF or GIF (first frame). BGR, or
 *  BGRA when the file has alpha. */
RP_API int rp_image_read(rp_image *out, const char *path);

/** Write by extension, whole or not at all. @param quality 0 to 100; for the lossy formats. */
RP_API int rp_image_write(const rp_image *image, const char *path, int quality);

RP_API void rp_image_free(rp_image *image);

/* ---- faces ----------------------------------------------------------------------------------- */

enum rp_gender { RP_GENDER_UNKNOWN = 0, RP_FEMALE, RP_MALE };
enum rp_race {
    RP_RACE_UNKNOWN = 0,
    RP_WHITE,
    RP_BLACK,
    RP_LATINO,
    RP_ASIAN,
    RP_INDIAN,
    RP_ARABIC,
};

/** Which fields of rp_face were computed. */
enum rp_face_has {
    RP_HAS_LANDMARK_5 = 1,
    RP_HAS_LANDMARK_68 = 2,
    RP_HAS_EMBEDDING = 4,
    RP_HAS_GENDER = 8,
    RP_HAS_AGE = 16,
    RP_HAS_RACE = 32,
};

/** One face; coordinates in pixels of the picture, pixel centres at whole numbers. */
typedef struct rp_face {
    uint32_t has;               ///< rp_face_has bits
    float box[4];               ///< x1, y1, x2, y2
    float score;                ///< of the detector, 0 to 1
    float landmark_score;       ///< of the 68-point model, 0 to 1
    float landmark_5[5][2];     ///< left eye, right eye, nose, mouth left, mouth right (image)
    float landmark_68[68][2];   ///< iBUG order
    float embedding[512];       ///< unit length
    int angle;                  ///< 0, 90, 180 or 270
    enum rp_gender gender;
    int age_from, age_to;       ///< range, end excluded
    enum rp_race race;
} rp_face;

/* ---- pipeline -------------------------------------------------------------------------------- */

typedef struct rp_pipeline rp_pipeline;

/** Open the models and prepare the sources that the options name. Fails with RP_ERR_MISSING when a
 *  model asked for by name is not installed; a missing default is replaced by the lite one. */
RP_API int rp_pipeline_create(rp_pipeline **out, rp_runtime *runtime, const rp_options *options);
RP_API void rp_pipeline_destroy(rp_pipeline **pipeline);

/** Find the faces of a picture, best detector score first.
 *  @param faces  the array to fill, @param max its length.
 *  @return number of faces found (may be larger than max; only max are stored). */
RP_API int rp_pipeline_analyse(rp_pipeline *pipeline, const rp_image *image, rp_face *faces,
                               int max);

/** Run the processors on a picture, in place. RP_ERR_BLOCKED when the content check refuses it:
 *  then the pixels are unchanged. A BGR picture of which a processor makes a part transparent becomes
 *  BGRA, and an upscaler changes its size: its data is then new and owned (what was not owned stays the
 *  caller's). */
RP_API int rp_pipeline_process(rp_pipeline *pipeline, rp_image *image);

/* ---- jobs ------------------------------------------------------------------------------------ */

typedef struct rp_job rp_job;

/** Parts of the work that are timed apart. */
enum rp_stage {
    RP_STAGE_DECODE = 0, ///< demux and decode
    RP_STAGE_CONVERT,    ///< pixels in and out of the working format
    RP_STAGE_GATE,       ///< content check
    RP_STAGE_DETECT,
    RP_STAGE_LANDMARK,
    RP_STAGE_EMBED,
    RP_STAGE_CLASSIFY,
    RP_STAGE_SELECT,
    RP_STAGE_PROCESS, ///< the processors
    RP_STAGE_ENCODE,  ///< encode and mux
    RP_STAGE_COUNT
};

RP_API const char *rp_stage_name(enum rp_stage stage);

/** Where a job stands. */
typedef struct rp_progress {
    int64_t frames_done;
    int64_t frames_total; ///< an estimate for video, 1 for a picture, 0 when unknown
    double seconds;       ///< since rp_job_run() began
    double fps;           ///< over the last seconds
    int64_t faces_found, faces_changed;
} rp_progress;

/** What a job took; times are sums over all threads. */
typedef struct rp_report {
    rp_progress progress;
    double model_seconds[RP_STAGE_COUNT]; ///< inside ONNX Runtime
    double own_seconds[RP_STAGE_COUNT];   ///< everything else
    int64_t gate_checked, gate_positive;
    int slots;                            ///< frames in flight
} rp_report;

/** Called a few times a second and once at the end. */
typedef void rp_progress_fn(void *priv, const rp_progress *progress);

/** Check options, open models, sources and target. Nothing is written yet. */
RP_API int rp_job_create(rp_job **out, rp_runtime *runtime, const rp_options *options);

/** Do it. The output appears under its name only when complete.
 *  @return 0, RP_ERR_BLOCKED, RP_ERR_CANCELLED or another failure. */
RP_API int rp_job_run(rp_job *job, rp_progress_fn *fn, void *priv);

/** Stop soon; rp_job_run() returns RP_ERR_CANCELLED. Any thread, any signal handler. */
RP_API void rp_job_cancel(rp_job *job);

RP_API void rp_job_report(const rp_job *job, rp_report *out);
RP_API void rp_job_destroy(rp_job **job);

/** Remove temporary output names of this process. For a handler of a second signal. */
RP_API void rp_emergency_cleanup(void);

/** Measure networks, the work on a frame and whole jobs, as the options under "Benchmark" say, on the
 *  device of --execution-providers. Takes minutes.
 *  @param options  the source may be filled in; all else is as before on return.
 *  @param json     one object as text, to be freed with rp_free(). What could not be measured is null
 *                  in it, with the reason beside it; docs/benchmark.md lists the fields. */
RP_API int rp_benchmark(rp_runtime *runtime, rp_options *options, char **json);

/* ---- looking --------------------------------------------------------------------------------- */

/** The faces of one frame of a file. */
typedef struct rp_frame_faces {
    const char *path;
    int64_t frame; ///< from 0
    double time;   ///< seconds from the start
    int w, h;
    int count;
    const rp_face *faces;
} rp_frame_faces;

/** Return non-zero to stop. */
typedef int rp_frame_faces_fn(void *priv, const rp_frame_faces *frame);

/** Find the faces in every frame of a picture or video (trim options respected). */
RP_API int rp_analyse_file(rp_runtime *runtime, const rp_options *options, const char *path,
                           rp_frame_faces_fn *fn, void *priv);

/** The synthetic-media mark of a file. Strings are empty when absent. */
typedef struct rp_mark {
    bool present;
    char source_type[128]; ///< IPTC digital source type, a URI
    char software[64];     ///< "reprise 0.1.0"
    char processors[256];  ///< "face_swapper"
    char models[512];      ///< "face_swapper=classic_256 ..."
} rp_mark;

/** Read the mark of a picture or video. A file without one gives present = false and 0. */
RP_API int rp_inspect(const char *path, rp_mark *out);

/** A model of the catalogue. Strings live as long as the call. */
typedef struct rp_model_info {
    const char *kind;    ///< "face_detector"
    const char *name;    ///< as in options: "yolo_face"
    const char *file;    ///< "yoloface_8n.onnx"
    const char *vendor, *licence;
    int year;
    bool lite;           ///< installed by set-up
    bool is_default;
    bool installed;
    bool full_scope;     ///< force-download fetches it only with --download-scope full
    int64_t size;        ///< of the installed file, else as published, 0 if unknown
    const char *sha256;  ///< as published, NULL if unknown
    const char *path;    ///< NULL if not installed
    const char *fetch;   ///< a command that installs it
} rp_model_info;

RP_API int rp_models_each(rp_runtime *runtime,
                          void (*fn)(void *priv, const rp_model_info *info), void *priv);

/** Fetch a model, unless it is installed and what the catalogue or its .hash file says. A file that is
 *  not is replaced once the right one is whole. The runtime must have been made with `download`.
 *  @return 0 if it was there, 1 if it was fetched, else a failure: RP_ERR_MISSING when no host can be
 *          reached or downloads are off, RP_ERR_MODEL when the file there was wrong, RP_ERR_IO. */
RP_API int rp_model_fetch(rp_runtime *runtime, const char *kind, const char *name);

/** Read an installed model file and compare it with what is known of it: its size and SHA-256 or CRC-32,
 *  else the CRC-32 in the .hash file beside it.
 *  @return 0 if it is right, RP_ERR_MODEL if not, RP_ERR_MISSING if it is not installed, and, without a
 *          message, RP_ERR_UNSUPPORTED if nothing is known of it. */
RP_API int rp_model_verify(rp_runtime *runtime, const char *kind, const char *name);

/** One finding about the machine. */
typedef struct rp_finding {
    const char *name;   ///< "ONNX Runtime"
    bool ok;
    bool needed;        ///< without it nothing works
    const char *detail; ///< what was found
    const char *advice; ///< what to do, NULL if nothing
} rp_finding;

/** Look at the machine.
 *  @return 0 if everything needed is there, else RP_ERR_UNSUPPORTED. */
RP_API int rp_doctor(rp_runtime *runtime, void (*fn)(void *priv, const rp_finding *finding),
                     void *priv);

#ifdef __cplusplus
}
#endif

#endif /* REPRISE_H */
