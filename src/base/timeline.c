#include "base/timeline.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rp_moment moment[RP_MOMENTS];
static int moments;

void rp_timeline_add(const char *fmt, ...)
{
    va_list args;

    pthread_mutex_lock(&lock);
    if (moments < RP_MOMENTS) {
        struct rp_moment *const m = &moment[moments++];

        m->at = rp_now();
        va_start(args, fmt);
        vsnprintf(m->what, sizeof(m->what), fmt, args);
        va_end(args);
    }
    pthread_mutex_unlock(&lock);
}

int rp_timeline_get(struct rp_moment *out, int most, double since)
{
    int n = 0;

    pthread_mutex_lock(&lock);
    for (int i = 0; i < moments && n < most; i++)
        if (moment[i].at >= since)
            out[n++] = moment[i];
    pthread_mutex_unlock(&lock);
    return n;
}

/* Field 22 of /proc/self/stat: when it began, in ticks since the system did; the name in field 2
 * may hold anything but ends at the last bracket. Below 0: not known. */
static double age(void)
{
    char text[1024];
    const char *at;
    struct timespec t;
    unsigned long long ticks;
    const int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[RP_MAX(n, 0)] = '\0';
    if (!(at = strrchr(text, ')')) || clock_gettime(CLOCK_BOOTTIME, &t))
        return -1;
    for (int field = 2; field < 22; field++)
        if (!(at = strchr(at + 1, ' ')))
            return -1;
    if (sscanf(at, "%llu", &ticks) != 1)
        return -1;
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9 -
           (double) ticks / (double) sysconf(_SC_CLK_TCK);
}

static double start;

static void find_start(void)
{
    start = rp_now() - RP_MAX(age(), 0);
}

double rp_process_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_start);
    return start;
}
