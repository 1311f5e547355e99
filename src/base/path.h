/* Paths and whole files. Strings returned are heap strings that the caller frees. */
#ifndef RP_PATH_H
#define RP_PATH_H

#include "base/base.h"

/* "dir/name"; NULL when out of memory. An empty dir gives name. */
char *rp_path_join(const char *dir, const char *name);

/* The part after the last dot of the last component; "" if there is none. Not a copy. */
const char *rp_path_ext(const char *path);

/* The last component. Not a copy. */
const char *rp_path_base(const char *path);

/* The folder part, "." if there is none. */
char *rp_path_dir(const char *path);

bool rp_path_is_file(const char *path);
bool rp_path_is_dir(const char *path);

/* Bytes of a file; 0 if there is none. */
int64_t rp_path_size(const char *path);

/* True if both name the same file on disk (device and inode), even through links. */
bool rp_path_same(const char *a, const char *b);

/* Make a folder and its parents. */
int rp_path_mkdirs(const char *path);

/* $XDG_CACHE_HOME/reprise or ~/.cache/reprise, with `sub` appended when not NULL. */
char *rp_path_user_cache(const char *sub);

/* A file beside the one that this code was loaded from: the program, or the library if that is what
 * an application uses. *path is NULL if the folder is not known; only RP_ERR_NOMEM is a failure. */
int rp_path_here(const char *name, char **path);

/* A file that was installed with this code: in "lib/reprise" or "share/reprise" of the prefix,
 * found from where the program or the library is. *path is NULL if neither is in a folder as after
 * `make install` (a build folder); else the file need not be there. Only RP_ERR_NOMEM is a
 * failure. */
enum rp_path_kind { RP_PATH_LIB, RP_PATH_SHARE };
int rp_path_installed(enum rp_path_kind kind, const char *name, char **path);

/* Read a whole file into memory, with a zero byte after it. RP_ERR_IO, RP_ERR_NOMEM, or
 * RP_ERR_LIMIT if it is larger than max. */
int rp_file_read(const char *path, size_t max, uint8_t **data, size_t *size);

/* An output file that gets its name only when complete.
 *
 * begin:  picks a hidden temporary name in the same folder with the same extension,
 *         ".NAME.PID-N.part.EXT", and checks that the folder exists and can be written to. abort
 *         removes that file, and so does exit by a signal as far as a process can (see
 *         rp_partial_cleanup). It is locked, so that what a killed process left can be told from
 *         what is being written; that is removed (rp_partial_sweep).
 * commit: fsync, then rename to `path`. On failure (RP_ERR_IO) the temporary file is removed.
 *
 * A file that is replaced gives its permissions to the new one and, as far as the process may, its
 * owner and group; until then the temporary file is never open to more people than it. */
struct rp_partial {
    char *path; /* final */
    char *temp; /* write here */
    int lock;   /* descriptor of the temporary file; valid while there is one */
    int mode;   /* permissions of the file that will be replaced; -1: there is none */
};
int rp_partial_begin(struct rp_partial *p, const char *path);
int rp_partial_commit(struct rp_partial *p);
void rp_partial_abort(struct rp_partial *p); /* also after commit: frees only */

/* Unlink the temporary files of all outputs in progress. Async-signal-safe: for the handler of a
 * second Ctrl-C or SIGTERM. */
void rp_partial_cleanup(void);

/* Remove the temporary files in `dir` that no process is writing, each with a log line. Looks at
 * the same folder once in a row. Called by rp_partial_begin(). */
void rp_partial_sweep(const char *dir);

/* Each temporary file in `dir` that no process is writing; with `remove` it is removed first. */
typedef void rp_partial_left_fn(void *priv, const char *path, int64_t bytes, bool removed);
int rp_partial_left(const char *dir, bool remove, rp_partial_left_fn *fn, void *priv);

/* Write a whole file through rp_partial. */
int rp_file_write(const char *path, const void *data, size_t size);

#endif /* RP_PATH_H */
