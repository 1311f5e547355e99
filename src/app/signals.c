/* SIGINT, SIGTERM and SIGHUP: the first asks the work to stop, the second ends the process.
 *
 * The handler may run on any thread, including those of the library; all that it uses is lock-free,
 * and it calls only what reprise.h allows in a handler. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "app/app.h"

static _Atomic(rp_job *) running;
static atomic_int handlers_inside;
static atomic_int signals_seen;
static atomic_bool deferring;

static void end_now(void)
{
    rp_emergency_cleanup();
    if (app_bar_is_drawn())
        (void) !write(STDERR_FILENO, "\n", 1);
    _exit(rp_exit_code(RP_ERR_CANCELLED));
}

static void on_signal(int number)
{
    int error = errno;
    int before = atomic_fetch_add(&signals_seen, 1);
    rp_job *job;

    (void) number;
    atomic_fetch_add(&handlers_inside, 1);
    job = atomic_load(&running);
    if (before > 0 || (!job && !atomic_load(&deferring)))
        end_now();
    if (job)
        rp_job_cancel(job);
    atomic_fetch_sub(&handlers_inside, 1);
    errno = error;
}

void app_signals_install(void)
{
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;

    sigemptyset(&stop.sa_mask);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN) /* nohup stays */
        sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL); /* a write fails with EPIPE instead */
    sigaction(SIGXFSZ, &ignore, NULL); /* and EFBIG */
}

void app_signals_job(rp_job *job)
{
    atomic_store(&running, job);
    while (!job && atomic_load(&handlers_inside) > 0)
        sched_yield();
}

void app_signals_defer(bool on)
{
    atomic_store(&deferring, on);
}

bool app_interrupted(void)
{
    return atomic_load(&signals_seen) > 0;
}
