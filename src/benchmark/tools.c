#include "benchmark/benchmark.h"

#include <dlfcn.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#include "rp_commit.h"

#define MAX_SAMPLES 20000

/* ---- time ------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static int sample(const struct rp_bench *b, rp_record_fn *fn, void *priv, double *t, int *n)
{
    int ret = 0;
    const int least = b->o->quick ? 10 : 50;
    const double budget = b->o->quick ? 0.3 : 0.8, start = rp_now();
    double now = start;

    for (*n = 0; *n < MAX_SAMPLES; ++*n) {
        if (now - start > budget && (*n >= least || (now - start > 4 * budget && *n >= 3)))
            break;
        if ((ret = fn(priv)) < 0)
            return ret;
        const double end = rp_now();
        t[*n] = end - now;
        now = end;
    }
    return 0;
}

int rp_bench_time(const struct rp_bench *b, rp_record_fn *fn, void *priv, struct rp_times *out)
{
    int ret = 0;
    const double start = rp_now();
    double *const t = malloc(MAX_SAMPLES * sizeof(*t));

    *out = (struct rp_times){0};
    if (!t)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < 5 && (i < 1 || rp_now() - start < 1); i++)
        RP_TRY(fn(priv));
    RP_TRY(sample(b, fn, priv, t, &out->n));
    for (int i = 0; i < out->n; i++)
        out->mean += t[i] / out->n;
    qsort(t, (size_t) out->n, sizeof(*t), by_size);
    out->median = out->n % 2 ? t[out->n / 2] : (t[out->n / 2 - 1] + t[out->n / 2]) / 2;
    out->p95 = t[RP_MIN(out->n - 1, (int) ceil(0.95 * out->n))];

fail:
    free(t);
    return ret;
}

double rp_bench_cpu(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* ---- memory ---------------------------------------------------------------------------------- */

double rp_bench_rss(void)
{
    long pages = 0;
    FILE *const f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(f);
    return (double) pages * (double) sysconf(_SC_PAGESIZE);
}

double rp_bench_free(const struct rp_bench *b)
{
    size_t free_bytes = 0, total = 0;

    if (!b->device->fns->memory || b->device->fns->memory(b->device, &free_bytes, &total) < 0)
        return 0;
    return (double) free_bytes;
}

void rp_bench_soak(const struct rp_bench *b, json_t *o, int n, rp_record_fn *fn, void *priv)
{
    int ret = 0;
    double rss, free_bytes;

    for (int i = 0; i < 100 && ret >= 0; i++)
        ret = fn(priv);
    rss = rp_bench_rss();
    free_bytes = rp_bench_free(b);
    for (int i = 0; i < n && ret >= 0; i++)
        ret = fn(priv);
    rp_bench_put(o, "replays", json_integer(n));
    rp_bench_number(o, "device_free_before", free_bytes);
    rp_bench_number(o, "device_free_after", rp_bench_free(b));
    rp_bench_number(o, "rss_before", rss);
    rp_bench_number(o, "rss_after", rp_bench_rss());
    if (ret < 0)
        rp_bench_reason(o, "reason");
}

bool rp_bench_room(const struct rp_bench *b, double before)
{
    const double now = rp_bench_free(b), used = RP_MAX(before - now, 0);

    return now > 1.2 * used + 512e6;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

void rp_bench_put(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value ? value : json_null());
}

void rp_bench_number(json_t *o, const char *key, double v)
{
    rp_bench_put(o, key, isfinite(v) ? json_real(v) : json_null());
}

/* Bytes that are not UTF-8 become U+FFFD. */
void rp_bench_text(json_t *o, const char *key, const char *v)
{
    char *const copy = v ? rp_utf8(v) : NULL;

    rp_bench_put(o, key, copy ? json_string(copy) : NULL);
    free(copy);
}

void rp_bench_times(json_t *o, const char *key, const struct rp_times *t)
{
    char p95[64];

    snprintf(p95, sizeof(p95), "%s_p95", key);
    rp_bench_number(o, key, t ? 1e3 * t->median : NAN);
    rp_bench_number(o, p95, t ? 1e3 * t->p95 : NAN);
}

void rp_bench_reason(json_t *o, const char *key)
{
    rp_bench_text(o, key, rp_last_error());
}

/* ---- the machine ----------------------------------------------------------------------------- */

/* The rest of a file's first line that begins with `begins`. */
static bool line_of(const char *path, const char *begins, char *out, size_t size)
{
    char line[512];
    bool found = false;
    FILE *const f = fopen(path, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f)) {
        if (strncmp(line, begins, strlen(begins)) != 0)
            continue;
        const char *const rest = line + strlen(begins) + strspn(line + strlen(begins), " \t:");
        snprintf(out, size, "%.*s", (int) strcspn(rest, "\n"), rest);
        found = true;
    }
    fclose(f);
    return found;
}

/* Version of the NVIDIA driver: from NVML, else from the kernel module's line. */
static bool driver_version(char *out, size_t size)
{
    int (*init)(void), (*version)(char *, unsigned), (*end)(void);
    char line[512];
    bool ok = false;
    void *const lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);

    if (lib) {
        *(void **) &init = dlsym(lib, "nvmlInit_v2");
        *(void **) &version = dlsym(lib, "nvmlSystemGetDriverVersion");
        *(void **) &end = dlsym(lib, "nvmlShutdown");
        if (init && version && end && init() == 0) {
            ok = version(out, (unsigned) size) == 0;
            end();
        }
        dlclose(lib);
    }
    if (ok || !line_of("/proc/driver/nvidia/version", "NVRM version:", line, sizeof(line)))
        return ok;
    for (char *save = NULL, *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (w[0] < '1' || w[0] > '9' || !strchr(w, '.'))
            continue;
        snprintf(out, size, "%s", w);
        return true;
    }
    return false;
}

/* Version of the CUDA runtime, else of the CUDA that the driver supports. */
static bool cuda_version(char *out, size_t size)
{
    static const char *const from[][2] = {{"libcudart.so.13", "cudaRuntimeGetVersion"},
                                          {"libcudart.so.12", "cudaRuntimeGetVersion"},
                                          {"libcuda.so.1", "cuDriverGetVersion"}};
    int v = 0;

    for (size_t i = 0; i < RP_ARRAY_LEN(from) && !v; i++) {
        int (*get)(int *);
        void *const lib = dlopen(from[i][0], RTLD_NOW | RTLD_NOLOAD);

        if (!lib)
            continue;
        *(void **) &get = dlsym(lib, from[i][1]);
        if (get && get(&v) != 0)
            v = 0;
        dlclose(lib);
    }
    if (v)
        snprintf(out, size, "%d.%d", v / 1000, v % 1000 / 10);
    return v != 0;
}

static const char *commit(void)
{
    static const char made_from[] = RP_COMMIT;
    const char *const told = getenv("REPRISE_COMMIT"); /* for a copy without its history */

    return told && *told ? told : made_from;
}

json_t *rp_bench_environment(const struct rp_bench *b)
{
    char text[512];
    const time_t now = time(NULL);
    struct tm tm;
    json_t *const o = json_object();

    rp_bench_text(o, "gpu", b->gpu ? b->device->title : NULL);
    rp_bench_text(o, "driver", b->gpu && driver_version(text, sizeof(text)) ? text : NULL);
    rp_bench_text(o, "cuda", b->gpu && cuda_version(text, sizeof(text)) ? text : NULL);
    rp_bench_text(o, "onnxruntime", rp_engine_version(b->engine));
    rp_bench_text(o, "reprise", rp_version());
    rp_bench_text(o, "commit", commit());
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
    rp_bench_text(o, "date", text);
    rp_bench_text(o, "cpu",
                  line_of("/proc/cpuinfo", "model name", text, sizeof(text)) ? text : NULL);
    rp_bench_put(o, "cores", json_integer(rp_cpu_count()));
    return o;
}
