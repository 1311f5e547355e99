/* The fuzzers share one program; each is a function that takes any bytes, and ends the process
 * where a promise is broken. */
#ifndef FUZZ_H
#define FUZZ_H

#include "base/base.h"

typedef void fuzz_fn(const uint8_t *data, size_t size);

fuzz_fn fuzz_options, fuzz_config, fuzz_args, fuzz_text;            /* text.c */
fuzz_fn fuzz_job, fuzz_template;                                   /* job.c */
fuzz_fn fuzz_web;                                                    /* web.c */
fuzz_fn fuzz_onnx, fuzz_rows, fuzz_nets, fuzz_kept;                           /* onnx.c */
fuzz_fn fuzz_cache, fuzz_sums, fuzz_hash, fuzz_headers, fuzz_names,
    fuzz_journal; /* store.c */
fuzz_fn fuzz_metadata, fuzz_profile, fuzz_picture, fuzz_video, fuzz_sound, fuzz_inspect,
    fuzz_tracks, fuzz_piece; /* media.c */

/* A path in the process's own folder, which is in memory where possible and goes away with it.
 * Valid until 15 more are asked for. */
const char *fuzz_path(const char *name);

/* A file there with these bytes; its path. */
const char *fuzz_file(const char *name, const void *data, size_t size);

static inline void fuzz_must(bool ok)
{
    if (!ok)
        abort();
}

#endif /* FUZZ_H */
