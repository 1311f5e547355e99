/* All fuzzers in one program.
 *
 *     fuzz --list                     name, runs of a smoke test, largest input, its dictionary or
 *                                     a dash; one a line
 *     fuzz --NAME [FLAG...] CORPUS    libFuzzer's flags
 *
 * Everything that a fuzzer says is the library's log, which is off, and what other libraries write
 * to stderr, which -close_fd_mask=3 takes away. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rp_config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* clang-format off */
static const struct fuzzer {
    const char *name;
    fuzz_fn *fn;
    int smoke, max_len;
    const char *dict; /* beside this file, without its ending; or NULL */
} fuzzers[] = {
    {"options", fuzz_options, 4000, 120},
    {"config", fuzz_config, 8000, 1000},
    {"args", fuzz_args, 4000, 160, "args"},
    {"text", fuzz_text, 30000, 100},
    {"job", fuzz_job, 4000, 4000, "job"},
    {"template", fuzz_template, 20000, 200},
    {"web", fuzz_web, 4000, 4000, "web"},
    {"onnx", fuzz_onnx, 20000, 4000},
    {"rows", fuzz_rows, 10000, 4000},
    {"nets", fuzz_nets, 10000, 4000},
    {"kept", fuzz_kept, 10000, 4000},
    {"cache", fuzz_cache, 4000, 500},
    {"sums", fuzz_sums, 2000, 500},
    {"hash", fuzz_hash, 5000, 20},
    {"headers", fuzz_headers, 30000, 500},
    {"names", fuzz_names, 8000, 100},
    {"journal", fuzz_journal, 20000, 2000, "journal"},
#if RP_HAVE_MEDIA
    {"metadata", fuzz_metadata, 8000, 4000},
    {"profile", fuzz_profile, 4000, 2000, "profile"},
    {"picture", fuzz_picture, 3000, 20000},
    {"video", fuzz_video, 1500, 4000, "media"},
    {"sound", fuzz_sound, 1500, 4000, "media"},
    {"inspect", fuzz_inspect, 2000, 4000, "media"},
    {"tracks", fuzz_tracks, 600, 4000, "media"},
    {"piece", fuzz_piece, 20000, 2000},
#endif
};
/* clang-format on */

static const struct fuzzer *chosen;
static char folder[64];

static void remove_folder(void)
{
    char path[400];
    DIR *const dir = opendir(folder);

    for (const struct dirent *e; dir && (e = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(path))
            rmdir(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

const char *fuzz_path(const char *name)
{
    static char paths[16][400];
    static int at;
    char *const path = paths[at++ % 16];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    const char *const path = fuzz_path(name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    fuzz_must(fd >= 0 && write(fd, data, size) == (ssize_t) size && !close(fd));
    return path;
}

static void list(void)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(fuzzers); i++)
        printf("%s %d %d %s\n", fuzzers[i].name, fuzzers[i].smoke, fuzzers[i].max_len,
               fuzzers[i].dict ? fuzzers[i].dict : "-");
}

/* libFuzzer ignores words that begin with two signs. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *const name = *argc > 1 && !strncmp((*argv)[1], "--", 2) ? (*argv)[1] + 2 : "";

    if (!strcmp(name, "list")) {
        list();
        exit(0);
    }
    for (size_t i = 0; i < RP_ARRAY_LEN(fuzzers); i++)
        if (!strcmp(name, fuzzers[i].name))
            chosen = &fuzzers[i];
    if (!chosen) {
        fprintf(stderr, "usage: fuzz --NAME [FLAG...] CORPUS, or fuzz --list\n");
        exit(2);
    }
    snprintf(folder, sizeof(folder), "%s/reprise-fuzz-XXXXXX",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    fuzz_must(mkdtemp(folder));
    atexit(remove_folder);
    setenv("XDG_CACHE_HOME", folder, 1);
    mkdir(fuzz_path("reprise"), 0700);
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chosen->fn(data, size);
    return 0;
}
