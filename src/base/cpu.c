/* How many cores this process may use: as many as the scheduler allows, limited by the CPU quota of
 * its control group and of every group above it (containers and batch systems set these). */
#include "base/base.h"

#include <limits.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#else
#include <sys/auxv.h>
#endif

/* Without memory of the heap: where that is short, the number must not change, nor what depends on
 * it. */
static int allowed_cores(void)
{
    cpu_set_t set[16] = {0}; /* the kernel refuses a set smaller than its own: this is for 16384 */
    int count = sched_getaffinity(0, sizeof(set), set) ? 0 : CPU_COUNT_S(sizeof(set), set);

    if (!count)
        count = (int) sysconf(_SC_NPROCESSORS_ONLN);
    return RP_MAX(count, 1);
}

/* The first line of DIR/NAME. */
static bool read_line(const char *dir, const char *name, char *line, int size)
{
    char path[PATH_MAX];
    bool found = false;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int) sizeof(path))
        return false;
    FILE *const f = fopen(path, "re");
    if (f) {
        found = fgets(line, size, f) != NULL;
        fclose(f);
    }
    return found;
}

/* Cores of one group, INT_MAX when it has no quota. */
static int group_cores(const char *dir)
{
    char line[64];
    long long quota = 0, period = 0;

    if (read_line(dir, "cpu.max", line, sizeof(line))) { /* version 2: "200000 100000" */
        char *end;
        quota = strtoll(line, &end, 10);
        period = strtoll(end, NULL, 10);
    } else if (read_line(dir, "cpu.cfs_quota_us", line, sizeof(line))) {
        quota = strtoll(line, NULL, 10);
        if (read_line(dir, "cpu.cfs_period_us", line, sizeof(line)))
            period = strtoll(line, NULL, 10);
    }
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    const long long cores = quota / period + !!(quota % period);
    return cores < INT_MAX ? (int) cores : INT_MAX;
}

/* The smallest number of the group MOUNT/GROUP and those above it. */
static int tree_cores(const char *mount, const char *group)
{
    char dir[PATH_MAX];
    const size_t mount_len = strlen(mount);
    int cores = INT_MAX;

    if (snprintf(dir, sizeof(dir), "%s%s", mount, group) >= (int) sizeof(dir))
        return INT_MAX;
    for (;;) {
        const int here = group_cores(dir);
        cores = RP_MIN(cores, here);
        char *const slash = strrchr(dir, '/');
        if (!slash || slash < dir + mount_len)
            return cores;
        *slash = '\0';
    }
}

static int quota_cores(void)
{
    char line[PATH_MAX];
    int cores = INT_MAX;
    FILE *const f = fopen("/proc/self/cgroup", "re");

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0'; /* "0::/GROUP" or "4:cpu,cpuacct:/GROUP" */
        char *const kinds = strchr(line, ':');
        char *const group = kinds ? strchr(kinds + 1, ':') : NULL;
        if (!group || group[1] != '/')
            continue;
        *group = '\0';
        int here = INT_MAX;
        if (!kinds[1])
            here = tree_cores("/sys/fs/cgroup", group + 1);
        else if (!strcmp(kinds + 1, "cpu") || !strncmp(kinds + 1, "cpu,", 4))
            here = tree_cores("/sys/fs/cgroup/cpu", group + 1);
        cores = RP_MIN(cores, here);
    }
    if (f)
        fclose(f);
    return cores;
}

int rp_cpu_count(void)
{
    const int allowed = allowed_cores(), quota = quota_cores();

    return RP_MAX(RP_MIN(allowed, quota), 1);
}

static void add(char *text, size_t size, const char *word)
{
    const size_t n = strlen(text);

    snprintf(text + n, size - n, " %s", word);
}

#if defined(__x86_64__)

/* Vector units that libraries have code of their own for. */
static void add_features(char *text, size_t size)
{
    unsigned a, b, c, d;

    __builtin_cpu_init();
    add(text, size,
        __builtin_cpu_is("intel") ? "Intel"
        : __builtin_cpu_is("amd") ? "AMD"
                                  : "other");
    if (__builtin_cpu_supports("avx"))
        add(text, size, "avx");
    if (__builtin_cpu_supports("avx2"))
        add(text, size, "avx2");
    if (__builtin_cpu_supports("fma"))
        add(text, size, "fma");
    if (__builtin_cpu_supports("avx512f"))
        add(text, size, "avx512f");
    if (__builtin_cpu_supports("avx512bw"))
        add(text, size, "avx512bw");
    if (__builtin_cpu_supports("avx512vnni"))
        add(text, size, "avx512vnni");
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 24 & 1)
        add(text, size, "amx");
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1)
        add(text, size, "avxvnni");
}

#else

static void add_features(char *text, size_t size)
{
    char word[64];

    snprintf(word, sizeof(word), "%lx %lx", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
    add(text, size, word);
}

#endif

void rp_cpu_kind(char *text, size_t size)
{
    struct utsname name;

    snprintf(text, size, "%s", uname(&name) ? "processor" : name.machine);
    add_features(text, size);
}
