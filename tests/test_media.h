/* What the media tests share: a temporary folder, and clips that the ffmpeg program makes. */
#ifndef TEST_MEDIA_H
#define TEST_MEDIA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <unistd.h>

#include "base/base.h"
#include "base/path.h"
#include "media/media.h"

static char test_dir[256];

/* libx265 3.5 keeps a little memory of every encoder that it closes, libheif 1.15 what libdav1d has of
 * a broken AVIF, and a little where colours are given by wrong numbers. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libx265\nleak:libdav1d\nleak:libheif\n";
}

static inline int make_dir(void **state)
{
    const char *const base = getenv("TMPDIR");

    (void) state;
    snprintf(test_dir, sizeof(test_dir), "%s/reprise-media-XXXXXX", base ? base : "/tmp");
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return mkdtemp(test_dir) ? 0 : -1;
}

static inline int remove_dir(void **state)
{
    DIR *const d = opendir(test_dir);

    (void) state;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", test_dir, e->d_name);
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
            unlink(path);
    }
    if (d)
        closedir(d);
    return rmdir(test_dir);
}

/* Name in the temporary folder; eight are valid at a time. */
static inline const char *in_dir(const char *name)
{
    static char paths[8][600];
    static unsigned next;
    char *const p = paths[next++ % 8];

    snprintf(p, sizeof(paths[0]), "%s/%s", test_dir, name);
    return p;
}

/* Run a command in the temporary folder; its exit status. */
static inline int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline int shell(const char *fmt, ...)
{
    char command[4096];
    int n = snprintf(command, sizeof(command), "cd '%s' && ", test_dir);
    va_list args;

    va_start(args, fmt);
    vsnprintf(command + n, sizeof(command) - (size_t) n, fmt, args);
    va_end(args);
    return system(command); // NOLINT(cert-env33-c): commands of the test itself
}

/* What a command prints, without the last newline; static memory. */
static inline const char *output_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline const char *output_of(const char *fmt, ...)
{
    static char text[2][65536];
    static unsigned next;
    char *const out = text[next++ % 2];
    char command[4096];
    int n = snprintf(command, sizeof(command), "cd '%s' && ", test_dir);
    va_list args;

    va_start(args, fmt);
    vsnprintf(command + n, sizeof(command) - (size_t) n, fmt, args);
    va_end(args);
    FILE *const p = popen(command, "r"); // NOLINT(cert-env33-c)
    assert_non_null(p);
    size_t size = fread(out, 1, sizeof(text[0]) - 1, p);
    pclose(p);
    while (size > 0 && out[size - 1] == '\n')
        size--;
    out[size] = 0;
    return out;
}

/* Copy a video through reader and writer; returns the number of frames, or a status. */
static inline int copy_video(const char *in, const char *out, const struct rp_writer_params *params,
                             const struct rp_reader_params *range)
{
    struct rp_reader *r = NULL;
    struct rp_writer *w = NULL;
    struct rp_media_frame *f = NULL;
    int n = 0, ret;

    if ((ret = rp_reader_open(&r, in, range)) >= 0)
        ret = rp_writer_open(&w, out, in, r, params);
    while (ret >= 0 && (ret = rp_reader_next(r, &f)) >= 0 && f) {
        ret = rp_writer_write(w, f);
        rp_media_frame_free(&f);
        n++;
    }
    if (ret >= 0)
        ret = rp_writer_finish(w);
    rp_writer_close(&w);
    rp_reader_close(&r);
    return ret < 0 ? ret : n;
}

static inline bool have_ffmpeg(void)
{
    return system("ffmpeg -version >/dev/null 2>&1 && ffprobe -version >/dev/null 2>&1") == 0;
}

#endif /* TEST_MEDIA_H */
