/**
 * @file reprise.h
 * Faces in pictures and video: find them, swap them, restore them; enlarge what they are in, or
 * remove its background. This is the whole public interface: the command line uses nothing else.
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
 * Each GPU has a thread in the runtime that does all the work on it. Calls that need it wait until
 * earlier ones are done, whatever thread they come from: jobs on one GPU run one after the other.
 * So a callback must not start work on the GPU that it is called for.
 *
 * A runtime keeps open what it has opened: GPUs, and models as long as there is room for them
 * (rp_runtime_params). Nothing may be using it when it is destroyed.
 *
 * Errors: a function that can fail returns 0 (or a count) on success and a negative rp_status on
 * failure. The sentence for a person goes to the log, and rp_last_error() keeps the last one of the
 * calling thread.
 *
 * Parameters: every *_params struct may be zero-initialised; zero in a field means its default, and
 * NULL instead of the struct means all defaults. Destroy functions take the address of the pointer,
 * accept NULL inside and set it to NULL.
 *
 * Versions: an application keeps working with a newer library of the same soname without being
 * recompiled. Fields are only added at the end of a struct. Structs in the application's memory are
 * passed with their size, by the inline functions below, which call the exported ones ending in
 * _sized and _api: nothing is written past that size, and fields the application does not have
 * count as zero. A struct that only the library makes, for a callback, just grows: read it through
 * the pointer, and copy no more than sizeof. An application compiled with a newer header than the
 * library's is refused with RP_ERR_UNSUPPORTED and a sentence. Bindings for other languages call
 * the exported functions with the sizes and the RP_API_VERSION they know.
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
    RP_ERR_AGAIN = -15,      ///< no room on a disk, a disk or network that fails, a host that does
                             ///< not answer: the same may succeed later (since API 5)
};

/** The exit code of the command line for a status: 0 done, 1 failed, 2 wrong usage or a named model
 *  missing, 3 blocked by the content check, 4 interrupted; 75 what may succeed if it is tried again
 *  (RP_ERR_AGAIN, RP_ERR_NOMEM, RP_ERR_DEVICE, RP_ERR_DEVICE_MEM): EX_TEMPFAIL of sysexits.h. */
RP_API int rp_exit_code(int status);

/** "0.1.0" */
RP_API const char *rp_version(void);

/* ---- log ------------------------------------------------------------------------------------- */

enum rp_log_level {
    RP_LOG_QUIET = -1,
    RP_LOG_ERROR = 0, ///< what failed
    RP_LOG_WARN = 1,  ///< work goes on, but not as asked
    RP_LOG_INFO = 2,  ///< what a user wants to know
    RP_LOG_DEBUG = 3, ///< what a developer wants to know
};

/** Write to the same log, printf-like. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
RP_API void rp_log(enum rp_log_level level, const char *format, ...);

/** Receives one line without its newline. Calls do not overlap. */
typedef void rp_log_fn(void *priv, enum rp_log_level level, const char *line);

/** Set where log lines go (NULL: to stderr) and which are shown, for the whole process. The default
 *  level is info. */
RP_API void rp_set_log(enum rp_log_level level, rp_log_fn *fn, void *priv);

/** The sentence of the last failure on this thread; "" if there was none. Valid until the next. */
RP_API const char *rp_last_error(void);

/** What must not stay in a text from outside, such as the name of a file. */
enum rp_text_form {
    RP_TEXT_TERMINAL, ///< what could command a terminal: controls, overrides of the direction of
                      ///< writing, bytes that are not UTF-8; shown as \x1b (a byte below 0x20 or
                      ///< not UTF-8) or \u009b (a character)
    RP_TEXT_UTF8,     ///< only bytes that are not UTF-8; each becomes U+FFFD
};

/** A copy of a text that is fit to be shown. Log lines and rp_last_error() already are, for a
 *  terminal; other texts of this library are as they came.
 *  @param out  at most `size` bytes with the zero at the end, cut at a whole character; may be NULL
 *              if size is 0
 *  @return  bytes of the whole result, without the zero */
RP_API size_t rp_text_clean(enum rp_text_form form, const char *text, char *out, size_t size);

/* ---- runtime --------------------------------------------------------------------------------- */

typedef struct rp_runtime rp_runtime;
typedef struct rp_options rp_options;

/** Progress of the download of a model file. */
typedef struct rp_download {
    const char *kind, *name; ///< as in rp_model_info
    const char *host;        ///< "github.com", NULL at the end
    int64_t bytes_done;
    int64_t bytes_total;     ///< 0 when unknown
    double seconds, bytes_per_second;
    bool ended;              ///< the last call for this file, whether it was fetched or not
} rp_download;

/** Called at least about once a second, by the thread that needs the model. Return non-zero to
 *  stop: what needs the model then fails with RP_ERR_CANCELLED. */
typedef int rp_download_fn(void *priv, const rp_download *download);

typedef struct rp_runtime_params {
    const char *models_path; ///< default: $REPRISE_MODELS, else ~/.cache/reprise/models; what is
                             ///< not there is looked for in what was installed with the library
    const char *onnxruntime; ///< library file; default: $REPRISE_ONNXRUNTIME, $ORT_HOME, the one
                             ///< installed with the library, set-up's, the system's
    const rp_options *download; ///< fetch missing models as these options say; NULL: never
    rp_download_fn *on_download;
    void *download_priv;
    /** Bytes of model files kept open while no pipeline uses them, for each device; 0: a quarter of
     *  its memory. Pipelines and jobs that ended leave their networks and recorded work to the next
     *  one with the same options, within a quarter of that memory. Negative: nothing is kept. */
    int64_t kept_models;
} rp_runtime_params;

RP_API int rp_runtime_create_api(rp_runtime **out, int api, const rp_runtime_params *params,
                                 size_t params_size);

/** Find the model folder and the devices. ONNX Runtime is loaded when a pipeline first needs it; if
 *  it is not installed, that call fails with RP_ERR_UNSUPPORTED and a sentence. */
static inline int rp_runtime_create(rp_runtime **out, const rp_runtime_params *params)
{
    return rp_runtime_create_api(out, RP_API_VERSION, params, sizeof(*params));
}

RP_API void rp_runtime_destroy(rp_runtime **runtime);

/* ---- options --------------------------------------------------------------------------------- */

RP_API int rp_options_create_api(rp_options **out, int api);

/** All settings at their defaults. */
static inline int rp_options_create(rp_options **out)
{
    return rp_options_create_api(out, RP_API_VERSION);
}

RP_API void rp_options_destroy(rp_options **options);

/** Set one option from text, as after --NAME on the command line; words of a list are separated by
 *  blanks. After RP_ERR_USAGE the sentence names the option, the value and what would be right. */
RP_API int rp_options_set(rp_options *options, const char *name, const char *value);

/** The same from separate words, which may contain blanks (paths). A flag takes n = 0. */
RP_API int rp_options_set_words(rp_options *options, const char *name, int n,
                                const char *const *words);

/** Read an ini file with FaceFusion's sections and keys. Options already set are not changed. */
RP_API int rp_options_read_config(rp_options *options, const char *path);

/** The value as text, to be freed with rp_free(); NULL if unset. RP_ERR_NOMEM if memory is out. */
RP_API int rp_options_get_text(const rp_options *options, const char *name, char **text);

/** The value as words, of which paths may contain blanks: NULL-terminated, to be freed as one with
 *  rp_free(); NULL if unset. (Since API 5.)
 *  @return how many, or RP_ERR_NOMEM */
RP_API int rp_options_get_words(const rp_options *options, const char *name, char ***words);

/** Was it given, by the command line or a file, or does it have its default? (Since API 5.) */
RP_API bool rp_options_is_given(const rp_options *options, const char *name);

/** rp_options_get_text(), but NULL also if memory is out. */
RP_API char *rp_options_text(const rp_options *options, const char *name);

/** What help, completion and forms need of an option. Strings live as long as the library. */
typedef struct rp_option_info {
    const char *group;       ///< section of the config file
    const char *title;       ///< heading
    const char *name;        ///< without dashes
    char letter;             ///< short form or 0
    const char *help;        ///< one line
    const char *meta;        ///< placeholder for the value, NULL for a flag
    const char *def_text;    ///< default as typed, NULL if there is none
    const char *const *choices; ///< NULL-terminated or NULL
    double min, max, step;   ///< numbers only
    bool is_number, is_flag, is_list;
    bool is_ours;   ///< FaceFusion has no such option (since API 4)
    bool no_effect; ///< FaceFusion's, taken and ignored by this library; the help says why (since API 4)
} rp_option_info;

/** Call fn for each option in the order of the manual. */
RP_API void rp_options_each(const rp_options *options,
                            void (*fn)(void *priv, const rp_option_info *info), void *priv);

RP_API int rp_options_find_sized(const rp_options *options, const char *name, rp_option_info *out,
                                 size_t size);

/** Look one up by name, letter ("o") or unambiguous beginning. Else RP_ERR_USAGE. */
static inline int rp_options_find(const rp_options *options, const char *name, rp_option_info *out)
{
    return rp_options_find_sized(options, name, out, sizeof(*out));
}

RP_API void rp_free(void *p);

/* ---- pictures -------------------------------------------------------------------------------- */

enum rp_pixel {
    RP_PIXEL_BGR = 0,  ///< 3 bytes a pixel: blue, green, red
    RP_PIXEL_BGRA = 1, ///< 4 bytes a pixel, alpha not premultiplied
};

/** Pixels. If `owned` is set, the library allocated them: free them with rp_image_free(), or with
 *  rp_image_free_on() if they are on a device. */
typedef struct rp_image {
    uint8_t *data;
    ptrdiff_t stride; ///< bytes from one row to the next, >= w * bytes a pixel
    int w, h;         ///< 1 to 32768 each, at most 2^28 pixels
    enum rp_pixel format;
    bool on_device;   ///< data points to memory of the pipeline's device: rp_image_to_device()
    bool owned;
    const char *mark; ///< XMP packet of the synthetic-media mark; NULL: nothing was done to the
                      ///< picture. Set by rp_pipeline_process(), written by rp_image_write().
                      ///< Valid as long as the process lives, not to be freed
} rp_image;

RP_API int rp_image_read_sized(rp_image *out, size_t size, const char *path);
RP_API int rp_image_write_sized(const rp_image *image, size_t size, const char *path, int quality);
RP_API void rp_image_free_sized(rp_image *image, size_t size);
RP_API int rp_image_encode_sized(const rp_image *image, size_t size, const char *name, int quality,
                                 uint8_t **data, size_t *bytes);

/** Read a JPEG, PNG, WebP, TIFF (all turned upright by their EXIF tag), BMP or GIF (first frame).
 *  BGR, or BGRA when the file has alpha. */
static inline int rp_image_read(rp_image *out, const char *path)
{
    return rp_image_read_sized(out, sizeof(*out), path);
}

/** Write in the format of the extension, completely or not at all, with the picture's mark. Pixels
 *  that an application writes by itself need it too: embed `mark` as the file's XMP packet.
 *  @param quality  0 to 100, for lossy formats */
static inline int rp_image_write(const rp_image *image, const char *path, int quality)
{
    return rp_image_write_sized(image, sizeof(*image), path, quality);
}

/** What rp_image_write() would put into a file, in memory (since API 7).
 *  @param name  its extension says the format: "x.jpg"
 *  @param data  to be freed with rp_free() */
static inline int rp_image_encode(const rp_image *image, const char *name, int quality,
                                  uint8_t **data, size_t *bytes)
{
    return rp_image_encode_sized(image, sizeof(*image), name, quality, data, bytes);
}

/** Free the pixels if they are owned, and zero the struct. An owned picture on a device is left as
 *  it is, with a warning: see rp_image_free_on(). */
static inline void rp_image_free(rp_image *image)
{
    rp_image_free_sized(image, sizeof(*image));
}

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

/** One face. Coordinates are in pixels of the picture, with pixel centres at whole numbers. */
typedef struct rp_face {
    uint32_t has;               ///< rp_face_has bits
    float box[4];               ///< x1, y1, x2, y2
    float score;                ///< of the detector, 0 to 1
    float landmark_score;       ///< of the 68-point model, 0 to 1
    float landmark_5[5][2];     ///< eyes, nose, corners of the mouth; left before right, as seen
    float landmark_68[68][2];   ///< iBUG order
    float embedding[512];       ///< unit length
    int angle;                  ///< 0, 90, 180 or 270
    enum rp_gender gender;
    int age_from, age_to;       ///< range, end excluded
    enum rp_race race;
} rp_face;

/* ---- pipeline -------------------------------------------------------------------------------- */

typedef struct rp_pipeline rp_pipeline;

/** Open the models and prepare the sources that the options name. Fails with RP_ERR_MISSING if a
 *  model asked for by name is not installed; a missing default is replaced by the lite model. */
RP_API int rp_pipeline_create(rp_pipeline **out, rp_runtime *runtime, const rp_options *options);
RP_API void rp_pipeline_destroy(rp_pipeline **pipeline);

RP_API int rp_pipeline_analyse_sized(rp_pipeline *pipeline, const rp_image *image,
                                     size_t image_size, rp_face *faces, size_t face_size,
                                     int max);
RP_API int rp_pipeline_process_sized(rp_pipeline *pipeline, rp_image *image, size_t image_size);

/** Find the faces of a picture, best detector score first.
 *  @param faces  the array to fill
 *  @param max    its length
 *  @return the number of faces found; if that is more than max, only max are stored */
static inline int rp_pipeline_analyse(rp_pipeline *pipeline, const rp_image *image, rp_face *faces,
                                      int max)
{
    return rp_pipeline_analyse_sized(pipeline, image, sizeof(*image), faces, sizeof(*faces), max);
}

/** Run the processors on a picture, in place. RP_ERR_BLOCKED if the content check refuses it; the
 *  pixels are then unchanged. A BGR picture becomes BGRA if a processor makes part of it
 *  transparent, and an upscaler changes the size: the data is then new and owned (data that was not
 *  owned stays the caller's). */
static inline int rp_pipeline_process(rp_pipeline *pipeline, rp_image *image)
{
    return rp_pipeline_process_sized(pipeline, image, sizeof(*image));
}

RP_API int rp_image_to_device_sized(rp_pipeline *pipeline, const rp_image *image, rp_image *out,
                                    size_t image_size);
RP_API int rp_image_to_host_sized(rp_pipeline *pipeline, const rp_image *image, rp_image *out,
                                  size_t image_size);
RP_API void rp_image_free_on_sized(rp_pipeline *pipeline, rp_image *image, size_t image_size);

/** Copy a picture into the memory of the pipeline's device: for applications that make or use their
 *  pixels there. rp_pipeline_process() and rp_pipeline_analyse() also take pictures with
 *  `on_device` set. They leave the pixels where they are; only counts, faces and the content
 *  check's verdict come to the host.
 *
 *  The pixels may also be the application's own: on a GPU, memory from cudaMalloc() in rows of
 *  `stride` bytes. Any work on them that the application started on streams of its own must be done
 *  before a call; the call's own work is done when it returns. All pipelines on one device may use
 *  them, one call at a time. On the CPU device memory is host memory, and such a picture is like
 *  any other.
 *
 *  On a GPU a picture keeps its format: if the processors make part of it transparent it must be
 *  BGRA. If a processor changes its size it gets new pixels on the device, owned.
 *  @param out  becomes the copy, owned, to be freed with rp_image_free_on() before the runtime is
 *              destroyed; all zero after a failure. Must not be `image`. */
static inline int rp_image_to_device(rp_pipeline *pipeline, const rp_image *image, rp_image *out)
{
    return rp_image_to_device_sized(pipeline, image, out, sizeof(*image));
}

/** Copy a picture from the pipeline's device to host memory; free it with rp_image_free(). */
static inline int rp_image_to_host(rp_pipeline *pipeline, const rp_image *image, rp_image *out)
{
    return rp_image_to_host_sized(pipeline, image, out, sizeof(*image));
}

/** Free the pixels if they are owned, and zero the struct. The picture may be on the host, or on
 *  the device of this pipeline or of another one of the same runtime and device. */
static inline void rp_image_free_on(rp_pipeline *pipeline, rp_image *image)
{
    rp_image_free_on_sized(pipeline, image, sizeof(*image));
}

/* ---- jobs ------------------------------------------------------------------------------------ */

typedef struct rp_job rp_job;

/** Parts of the work that are timed separately. */
enum rp_stage {
    RP_STAGE_DECODE = 0, ///< demux and decode
    RP_STAGE_CONVERT,    ///< pixels in and out of the working format
    RP_STAGE_CONTENT_CHECK,
    RP_STAGE_DETECT,
    RP_STAGE_LANDMARK,
    RP_STAGE_EMBED,
    RP_STAGE_CLASSIFY,
    RP_STAGE_SELECT,
    RP_STAGE_PROCESS, ///< the processors
    RP_STAGE_ENCODE,  ///< encode and mux
    RP_STAGE_COUNT,
    RP_STAGE_MAX = 16 ///< room for more: the layout of a report does not change
};

RP_API const char *rp_stage_name(enum rp_stage stage);

/** How far a job is. */
typedef struct rp_progress {
    int64_t frames_done;
    int64_t frames_total; ///< an estimate for video, 1 for a picture, 0 when unknown
    double seconds;       ///< since rp_job_run() began
    double fps;           ///< over the last seconds
    int64_t faces_found, faces_changed;
} rp_progress;

/** What a job took; times are sums over all threads. */
typedef struct rp_report {
    union {
        rp_progress progress;
        int64_t room[16]; ///< rp_progress may grow without moving what follows
    };
    double model_seconds[RP_STAGE_MAX]; ///< inside ONNX Runtime
    double own_seconds[RP_STAGE_MAX];   ///< everything else
    int64_t content_checked;            ///< frames that the content check has seen
    int64_t content_positive;           ///< those of them that it found positive
    int slots;                          ///< frames in flight
} rp_report;

/** Called a few times a second and once at the end. */
typedef void rp_progress_fn(void *priv, const rp_progress *progress);

/** Check options, open models, sources and target. Nothing is written yet. */
RP_API int rp_job_create(rp_job **out, rp_runtime *runtime, const rp_options *options);

/** Run the job. The output appears under its name only when complete.
 *  @return 0, RP_ERR_BLOCKED, RP_ERR_CANCELLED or another failure. */
RP_API int rp_job_run(rp_job *job, rp_progress_fn *fn, void *priv);

/** Instead of rp_job_run(), after all segments (option "segment") of the output have been made with
 *  the same options: check that all pieces are there and of one job, sum up what the content check
 *  found, and write the output (since API 5).
 *  @return as rp_job_run(); RP_ERR_AGAIN if pieces are missing. */
RP_API int rp_job_join(rp_job *job, rp_progress_fn *fn, void *priv);

/** Set the options that the segments of an output were made with (since API 5). A job of them can only
 *  be joined, which needs neither the GPU nor the models that made the segments.
 *  @param path    the output, or the hidden folder of its pieces
 *  @param folder  becomes the folder in which they were run, against which paths are to be read; to
 *                 be freed with rp_free() */
RP_API int rp_options_read_job(rp_options *options, const char *path, char **folder);

/** Make rp_job_run() return RP_ERR_CANCELLED soon. From any thread or signal handler. */
RP_API void rp_job_cancel(rp_job *job);

RP_API void rp_job_report_sized(const rp_job *job, rp_report *out, size_t size);

/** What the job took so far. Not while rp_job_run() is running. */
static inline void rp_job_report(const rp_job *job, rp_report *out)
{
    rp_job_report_sized(job, out, sizeof(*out));
}

RP_API void rp_job_destroy(rp_job **job);

/** Remove this process's temporary output files. For the handler of a second signal. */
RP_API void rp_emergency_cleanup(void);

/** What a run that was killed has left, or a running one uses (since API 5). */
typedef struct rp_leftover {
    const char *path;
    int64_t bytes;
    bool is_folder; ///< pieces of a video, from which the same job would go on; else a file
    bool live;      ///< a process works on it: it stays
    bool removed;
} rp_leftover;

/** Find the hidden folders of jobs in pieces and the temporary files that are left in a folder, and
 *  with `remove` remove those that no process uses. Folders in it are not entered. A process of
 *  another machine that holds no lock here counts as running until its files are a day old. */
RP_API int rp_clean(const char *folder, bool remove,
                    void (*fn)(void *priv, const rp_leftover *leftover), void *priv);

/** Measure networks, the work on a frame and whole jobs, as the options under "Benchmark" say, on
 *  the device of --execution-providers. Takes minutes.
 *  @param options  the source may be filled in; all else is unchanged on return
 *  @param json     one object as text, to be freed with rp_free(). What could not be measured is
 *                  null, with the reason next to it; docs/benchmark.md lists the fields. */
RP_API int rp_benchmark(rp_runtime *runtime, rp_options *options, char **json);

/* ---- files, models, machine ------------------------------------------------------------------ */

enum rp_file_kind { RP_FILE_UNKNOWN = 0, RP_FILE_IMAGE, RP_FILE_VIDEO, RP_FILE_SOUND };

/** What a file is (since API 6). What a kind of file does not have is 0. */
typedef struct rp_file_info {
    enum rp_file_kind kind;
    int w, h;        ///< upright
    double fps;      ///< of a video: its nominal rate
    int64_t frames;  ///< 1 for a picture, an estimate for a video
    double seconds;
} rp_file_info;

RP_API int rp_file_look_sized(const char *path, rp_file_info *out, size_t size);

/** Find out what a file is, by its content. RP_ERR_FORMAT if it is neither a picture nor video or
 *  sound. */
static inline int rp_file_look(const char *path, rp_file_info *out)
{
    return rp_file_look_sized(path, out, sizeof(*out));
}

RP_API int rp_frame_read_sized(rp_image *out, size_t size, const char *path, int64_t index,
                               int width);

/** Read one frame of a video, or a picture, upright, 8 bits, BGR or BGRA; to be freed with
 *  rp_image_free() (since API 6).
 *  @param index  from 0; beyond the end it means the last frame
 *  @param width  most pixels of a row: a larger frame is made smaller in its shape. 0: as it is */
static inline int rp_frame_read(rp_image *out, const char *path, int64_t index, int width)
{
    return rp_frame_read_sized(out, sizeof(*out), path, index, width);
}

typedef struct rp_frames rp_frames;

/** Open a video, or a picture, to read several of its frames (since API 8): what is decoded once
 *  serves the next, as long as they come in rising order and not far apart. For one thread at a
 *  time. Nothing is opened if this fails. */
RP_API int rp_frames_open(rp_frames **out, const char *path);
RP_API void rp_frames_close(rp_frames **frames);

RP_API int rp_frames_read_sized(rp_frames *frames, rp_image *out, size_t size, int64_t index,
                                int width);

/** A frame as rp_frame_read() gives it (since API 8). */
static inline int rp_frames_read(rp_frames *frames, rp_image *out, int64_t index, int width)
{
    return rp_frames_read_sized(frames, out, sizeof(*out), index, width);
}

typedef struct rp_live rp_live;

/** A source of frames in real time (since API 7). */
typedef struct rp_live_params {
    const char *source; ///< a video file, whose frames come at their times, or the address of a
                        ///< camera's stream: rtsp://..., rtsps://... (over TCP)
    const char *name;   ///< what sentences about it call it; NULL: the source without its password
    bool repeat;        ///< a file begins again at its end
    int width;          ///< most pixels of a row: larger frames are made smaller. 0: as they are
} rp_live_params;

/** What is known of a frame of it. */
typedef struct rp_live_frame {
    int64_t number; ///< of those that have come, from 0
    int64_t lost;   ///< how many came in all while nobody took them
    double age;     ///< seconds since it came, or was due in the file
} rp_live_frame;

RP_API int rp_live_open_sized(rp_live **out, const rp_live_params *params, size_t size);
RP_API int rp_live_next_sized(rp_live *live, rp_image *image, size_t image_size,
                              rp_live_frame *frame, size_t frame_size);

/** Begin to receive and decode, in a thread of its own (since API 7). What is wrong with the source
 *  is said by rp_live_next(). */
static inline int rp_live_open(rp_live **out, const rp_live_params *params)
{
    return rp_live_open_sized(out, params, sizeof(*params));
}

/** Wait for a frame that was not taken before, and take the newest (since API 7). The picture is
 *  upright, 8 bits, BGR or BGRA, to be freed with rp_image_free().
 *  @return 1; 0 when the source has ended or was stopped: there is no picture */
static inline int rp_live_next(rp_live *live, rp_image *image, rp_live_frame *frame)
{
    return rp_live_next_sized(live, image, sizeof(*image), frame, sizeof(*frame));
}

/** From any thread: rp_live_next() returns 0 from now on (since API 7). */
RP_API void rp_live_stop(rp_live *live);

/** Stop and free; not while another thread is in rp_live_next() (since API 7). */
RP_API void rp_live_close(rp_live **live);

/** The faces of one frame of a file. */
typedef struct rp_frame_faces {
    const char *path;
    int64_t frame; ///< from 0
    double time;   ///< seconds from the start
    int w, h;
    int count;
    const rp_face *faces; ///< each as large as the application's rp_face; in the order of
                          ///< --face-selector-order, those that the selector's filters of age,
                          ///< gender and race leave out last
    const int *positions; ///< of each face: its --reference-face-position if this is the reference
                          ///< frame; -1 for one that the filters leave out
    const struct rp_frame_pixels *pixels; ///< for rp_frame_image()
} rp_frame_faces;

RP_API int rp_frame_image_sized(const rp_frame_faces *frame, rp_image *out, size_t size);

/** The frame as a picture, upright, 8 bits, BGR or BGRA; to be freed with rp_image_free(). Only
 *  while the callback that got `frame` runs. */
static inline int rp_frame_image(const rp_frame_faces *frame, rp_image *out)
{
    return rp_frame_image_sized(frame, out, sizeof(*out));
}

/** Return non-zero to stop. */
typedef int rp_frame_faces_fn(void *priv, const rp_frame_faces *frame);

RP_API int rp_analyse_file_sized(rp_runtime *runtime, const rp_options *options, const char *path,
                                 size_t face_size, rp_frame_faces_fn *fn, void *priv);

/** Find the faces in every frame of a picture or video (trim options respected). */
static inline int rp_analyse_file(rp_runtime *runtime, const rp_options *options, const char *path,
                                  rp_frame_faces_fn *fn, void *priv)
{
    return rp_analyse_file_sized(runtime, options, path, sizeof(rp_face), fn, priv);
}

/** What is done with a frame of the target: the operations, networks, copies and loops that are
 *  recorded once for all frames, the buffers they work on, totals and a hash. Models and sources
 *  are opened as for a job; nothing is written.
 *  @param json  true: one JSON object as text; false: lines for people
 *  @param out   to be freed with rp_free(); NULL after a failure */
RP_API int rp_plan_show(rp_runtime *runtime, const rp_options *options, bool json, char **out);

/** Put videos one after the other into one file, without decoding them: parts of one target, made with
 *  the same options. The mark of the new file names what was done to any of them. (Since API 5.)
 *  @return 0, or RP_ERR_UNSUPPORTED if they differ in what a file has only one of: tracks, codecs,
 *          sizes. The output appears under its name only when complete. */
RP_API int rp_join_videos(int n, const char *const *paths, const char *output);

/** The synthetic-media mark of a file. Strings are empty when absent. */
typedef struct rp_mark {
    bool present;
    char source_type[128]; ///< IPTC digital source type, a URI
    char software[64];     ///< "reprise 0.1.0"
    char processors[256];  ///< "face_swapper"
    char models[512];      ///< "face_swapper=classic_256 ..."
    char damage[256];      ///< what was wrong with the input: "video: 156 of 277 frames, cut short"
} rp_mark;

RP_API int rp_inspect_sized(const char *path, rp_mark *out, size_t size);

/** Read the mark of a picture or video. Without one, `present` is false and 0 is returned. */
static inline int rp_inspect(const char *path, rp_mark *out)
{
    return rp_inspect_sized(path, out, sizeof(*out));
}

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
    int64_t size;        ///< of the installed file, else as published; 0 if unknown
    const char *sha256;  ///< as published, NULL if unknown
    const char *path;    ///< NULL if not installed
    const char *fetch;   ///< a command that installs it; NULL: it is the user's own
} rp_model_info;

RP_API int rp_models_each(rp_runtime *runtime,
                          void (*fn)(void *priv, const rp_model_info *info), void *priv);

/** The models that a job with these options needs, whether they are installed or not. A default that
 *  is not installed is fetched by the job; the lite models of its kind follow with `stands_in` set,
 *  which are used if that is impossible. Nothing is opened. */
RP_API int rp_models_needed(rp_runtime *runtime, const rp_options *options,
                            void (*fn)(void *priv, const rp_model_info *info, bool stands_in),
                            void *priv);

/** Fetch a model unless it is installed and agrees with the catalogue or its .hash file. A wrong
 *  file is replaced once the right one is complete. The runtime must have been made with
 * `download`.
 *  @return 0 if it was installed, 1 if it was fetched, else a failure: RP_ERR_MISSING if downloads
 *          are off, RP_ERR_CLOSED if no host can be reached, RP_ERR_MODEL if the host's file is
 *          wrong, RP_ERR_AGAIN or RP_ERR_IO */
RP_API int rp_model_fetch(rp_runtime *runtime, const char *kind, const char *name);

/** Read an installed model file and compare it with its published size and SHA-256 or CRC-32, else
 *  with the CRC-32 in the .hash file next to it.
 *  @return 0 if it is right, RP_ERR_MODEL if not, RP_ERR_MISSING if it is not installed, and,
 *          without a message, RP_ERR_UNSUPPORTED if there is nothing to compare it with */
RP_API int rp_model_verify(rp_runtime *runtime, const char *kind, const char *name);

/** Can an installed model be run without ONNX Runtime ("network-engine native")? Takes up to seconds
 *  for a large file. `why` gets what is missing, else "".
 *  @return 1: yes, 0: no, RP_ERR_MISSING if it is not installed, RP_ERR_MODEL if it is not a model */
RP_API int rp_model_native(rp_runtime *runtime, const char *kind, const char *name, char *why,
                           size_t size);

/** How far an installed model's results were found to move when GPUs of this machine run it without
 *  ONNX Runtime ("precision auto"), and what follows from that: "NVIDIA H200: fp16 (TF32 1.8e-04,
 *  float16 2.1e-04)", with one more such part for each further kind of GPU; "" if it was not
 *  measured, as small networks never are, which are float32. The numbers are root mean squares over
 *  those of the result, against float32.
 *  @return 0, or RP_ERR_MISSING if it is not installed */
RP_API int rp_model_measured(rp_runtime *runtime, const rp_options *options, const char *kind,
                             const char *name, char *text, size_t size);

/** One finding about the machine. */
typedef struct rp_finding {
    const char *name;   ///< "ONNX Runtime"
    bool ok;
    bool needed;        ///< without it nothing works
    const char *detail; ///< what was found
    const char *advice; ///< what to do, NULL if nothing
} rp_finding;

/** Report what the machine has and what it lacks.
 *  @return 0 if everything needed is there, else RP_ERR_UNSUPPORTED. */
RP_API int rp_doctor(rp_runtime *runtime, void (*fn)(void *priv, const rp_finding *finding),
                     void *priv);

#ifdef __cplusplus
}
#endif

#endif /* REPRISE_H */
