#include "audio/kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

#define SUFFIX ".speech"
#define VERSION 1u
#define COUNT_MAX ((int64_t) RP_SPEECH_RATE * 86400) /* a day */

/* In the machine's own order of bytes: with another one the version is another. */
struct header {
    char magic[8];
    uint32_t version, bands;
    int64_t count;
    char key[64];
    uint32_t crc; /* of the columns */
    uint32_t zero;
};

static const char magic[8] = {'R', 'P', 'S', 'P', 'E', 'E', 'C', 'H'};

static size_t bytes_of(int64_t count)
{
    return (size_t) count * RP_SPEECH_BANDS * sizeof(float);
}

static char *path_of(const char *folder, const char *key)
{
    return rp_asprintf("%s/%.32s" SUFFIX, folder, key);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Magnitudes are finite and not negative. */
static bool is_sound(const float *mel, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(mel[i]) || mel[i] < 0)
            return false;
    return true;
}

/* NULL if it is not whole, or not of this key. */
static struct rp_speech *parse(const uint8_t *data, size_t size, const char *key)
{
    struct header h;

    if (size < sizeof(h))
        return NULL;
    memcpy(&h, data, sizeof(h));
    if (memcmp(h.magic, magic, sizeof(magic)) != 0 || h.version != VERSION ||
        h.bands != RP_SPEECH_BANDS || h.count < 0 || h.count > COUNT_MAX ||
        memcmp(h.key, key, sizeof(h.key)) != 0 || size - sizeof(h) != bytes_of(h.count) ||
        h.crc != rp_crc32(0, data + sizeof(h), size - sizeof(h)))
        return NULL;
    struct rp_speech *speech = calloc(1, sizeof(*speech));
    if (!speech || !(speech->mel = malloc(bytes_of(h.count) + 1))) {
        rp_speech_free(&speech);
        return NULL;
    }
    speech->count = h.count;
    memcpy(speech->mel, data + sizeof(h), bytes_of(h.count));
    if (!is_sound(speech->mel, (size_t) h.count * RP_SPEECH_BANDS))
        rp_speech_free(&speech);
    return speech;
}

struct rp_speech *rp_speech_load(const char *folder, const char key[RP_SHA256_HEX])
{
    size_t size = 0;
    uint8_t *data = NULL;
    struct rp_speech *speech = NULL;
    char *const path = path_of(folder, key);

    if (path && rp_path_is_file(path)) {
        rp_log_hold(true);
        const int ret =
            rp_file_read(path, sizeof(struct header) + bytes_of(COUNT_MAX), &data, &size);
        rp_log_hold(false);
        speech = ret < 0 ? NULL : parse(data, size, key);
        if (!speech) {
            rp_log(RP_LOG_INFO, "cache: %s is broken; it is made again", path);
            unlink(path);
        }
    }
    if (speech)
        utimensat(AT_FDCWD, path, NULL, 0); /* the last one to go */
    free(data);
    free(path);
    return speech;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool is_ours(const char *name)
{
    const size_t n = strlen(name), end = strlen(SUFFIX);

    return name[0] != '.' && n > end && !strcmp(name + n - end, SUFFIX);
}

/* The size of all files, and the one that was used least recently (heap string, or NULL). */
static int64_t look_around(const char *folder, char **oldest)
{
    int64_t sum = 0;
    struct stat st;
    struct timespec least = {0};
    DIR *const dir = opendir(folder);

    *oldest = NULL;
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        char *const path = is_ours(e->d_name) ? rp_path_join(folder, e->d_name) : NULL;

        if (!path || stat(path, &st) < 0) {
            free(path);
            continue;
        }
        sum += st.st_size;
        if (!*oldest || st.st_mtim.tv_sec < least.tv_sec ||
            (st.st_mtim.tv_sec == least.tv_sec && st.st_mtim.tv_nsec < least.tv_nsec)) {
            free(*oldest);
            *oldest = path;
            least = st.st_mtim;
        } else {
            free(path);
        }
    }
    if (dir)
        closedir(dir);
    return sum;
}

/* Room for a file of this size. */
static void make_room(const char *folder, int64_t size, int64_t limit)
{
    for (;;) {
        char *oldest;
        const int64_t sum = look_around(folder, &oldest);
        const bool gone = sum + size > limit && oldest && unlink(oldest) == 0;

        free(oldest);
        if (!gone)
            return;
    }
}

void rp_speech_keep(const char *folder, const char key[RP_SHA256_HEX],
                    const struct rp_speech *speech, int64_t limit)
{
    const size_t columns = bytes_of(speech->count);
    struct header h = {.version = VERSION, .bands = RP_SPEECH_BANDS, .count = speech->count};
    const size_t size = sizeof(h) + columns;

    if ((int64_t) size > limit)
        return;
    char *const path = path_of(folder, key);
    uint8_t *const data = malloc(size);
    if (path && data) {
        h.crc = rp_crc32(0, speech->mel, columns);
        memcpy(h.magic, magic, sizeof(magic));
        memcpy(h.key, key, sizeof(h.key));
        memcpy(data, &h, sizeof(h));
        memcpy(data + sizeof(h), speech->mel, columns);
        rp_log_hold(true);
        const bool made = rp_path_mkdirs(folder) >= 0;
        if (made)
            make_room(folder, (int64_t) size, limit);
        if (!made || rp_file_write(path, data, size) < 0)
            rp_log(RP_LOG_WARN, "cache: %s", rp_last_error());
        rp_log_hold(false);
    }
    free(data);
    free(path);
}
