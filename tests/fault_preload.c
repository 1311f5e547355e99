/* Makes the n-th call of some kinds fail: a library for LD_PRELOAD, driven by test_faults.py.
 *
 *     REPRISE_FAULT=KIND[,KIND...]:N   the N-th such call fails; 0: none, they are only counted
 *     REPRISE_FAULT=KIND[,KIND...]:N+  that one and all after it
 *     REPRISE_FAULT_COUNT=FILE         where "KIND CALLS" lines are written when main() returns
 *     REPRISE_FAULT_WHO=FILE           where the stacks of the call that failed, and of a crash,
 * are written
 *
 * Only calls between main()'s begin and its end count, of any code but the dynamic loader and ONNX
 * Runtime, which ends the process of its own accord when memory is out. Calls from the C and C++
 * libraries belong to who called those.
 *
 * With REPRISE_FAULT_SERVER set, main() is not run: each line of standard input holds words between
 * tabs, the first two a fault as above and a folder, the others arguments of main(). It is run with
 * them in that folder in a child, whose output goes to the files stdout and stderr there; its
 * process id and, at its end, its status are printed. Loading and linking is thus done once. */
/* open() and open64() are two functions here. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define TLS __attribute__((tls_model("initial-exec"))) _Thread_local

enum kind {
    MALLOC,
    CALLOC,
    REALLOC,
    MEMALIGN,
    THREAD,
    OPEN,
    READ,
    WRITE,
    FSYNC,
    RENAME,
    MMAP,
    KINDS
};
enum { FRAMES = 24, WORDS = 64 };

static const char *const names[KINDS] = {
    "malloc", "calloc", "realloc", "memalign", "thread", "open",
    "read",   "write",  "fsync",   "rename",   "mmap",
};

static atomic_bool armed; /* between begin and end of main() */
static TLS int inside;    /* calls of this file's own do not count */
static unsigned kinds;    /* bits: those that fail */
static long nth;          /* of their calls */
static bool onwards;      /* and all after it */
static atomic_long calls, count[KINDS];

/* ---- whose call it is ------------------------------------------------------------------------ */

enum owner { THROUGH, ALONE, COUNTS };

static enum owner owner_by_name(const char *name)
{
    static const char *const through[] = {"/libc.so", "/libstdc++.so", "/libgcc_s.so",
                                          "fault_preload"};
    static const char *const alone[] = {"/ld-linux", "/libonnxruntime", "linux-vdso"};

    for (size_t i = 0; i < sizeof(through) / sizeof(*through); i++) {
        if (strstr(name, through[i]))
            return THROUGH;
    }
    for (size_t i = 0; i < sizeof(alone) / sizeof(*alone); i++) {
        if (strstr(name, alone[i]))
            return ALONE;
    }
    return COUNTS;
}

/* Names are compared once: the low bits of a library's entry keep its owner. */
static enum owner owner_of(void *at)
{
    static _Atomic uintptr_t known[256];
    struct dl_find_object found;

    if (_dl_find_object(at, &found) < 0)
        return ALONE;
    const uintptr_t map = (uintptr_t) found.dlfo_link_map;
    _Atomic uintptr_t *const place = &known[map / 64 % 256];
    uintptr_t entry = atomic_load_explicit(place, memory_order_relaxed);
    if ((entry & ~(uintptr_t) 3) != map) {
        entry = map | owner_by_name(found.dlfo_link_map->l_name);
        atomic_store_explicit(place, entry, memory_order_relaxed);
    }
    return entry & 3;
}

static bool counts(void *caller)
{
    void *frame[FRAMES];
    enum owner owner = owner_of(caller);

    if (owner != THROUGH)
        return owner == COUNTS;
    for (int most = 8, i = 0; owner == THROUGH && most <= FRAMES; most += FRAMES - 8) {
        const int n = backtrace(frame, most);
        while (i < n && owner == THROUGH)
            owner = owner_of(frame[i++]);
    }
    return owner == COUNTS;
}

static void say_stack(const char *what)
{
    void *frame[FRAMES * 2];
    const char *const path = getenv("REPRISE_FAULT_WHO");
    const int flags = O_WRONLY | O_CREAT | O_APPEND;
    const int fd = path ? (int) syscall(SYS_openat, AT_FDCWD, path, flags, 0666) : -1;

    if (fd < 0)
        return;
    dprintf(fd, "%s\n", what);
    backtrace_symbols_fd(frame, backtrace(frame, FRAMES * 2), fd);
    close(fd);
}

/* Is this call the one that fails? */
static bool fails(enum kind kind, void *caller)
{
    bool bad = false;

    if (inside || !atomic_load_explicit(&armed, memory_order_acquire))
        return false;
    inside++;
    const int error = errno;
    if (counts(caller)) {
        atomic_fetch_add(&count[kind], 1);
        if (kinds & 1U << kind) {
            const long n = atomic_fetch_add(&calls, 1) + 1;
            bad = nth && (n == nth || (onwards && n > nth));
        }
        if (bad)
            say_stack(names[kind]);
    }
    errno = error;
    inside--;
    return bad;
}

#define FAILS(kind, error) (fails(kind, __builtin_return_address(0)) && ((errno = (error)), true))

/* The function that this one stands before. */
#define NEXT(name)                                         \
    static __typeof__(name) *next_##name;                  \
    if (!next_##name) {                                    \
        inside++;                                          \
        *(void **) &next_##name = dlsym(RTLD_NEXT, #name); \
        inside--;                                          \
    }

/* ---- memory ---------------------------------------------------------------------------------- */

/* dlsym() may allocate, so the next ones are called by the C library's other names. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

PUBLIC void *malloc(size_t size)
{
    return FAILS(MALLOC, ENOMEM) ? NULL : __libc_malloc(size);
}

PUBLIC void *calloc(size_t n, size_t size)
{
    return FAILS(CALLOC, ENOMEM) ? NULL : __libc_calloc(n, size);
}

PUBLIC void *realloc(void *p, size_t size)
{
    return FAILS(REALLOC, ENOMEM) ? NULL : __libc_realloc(p, size);
}

PUBLIC void *memalign(size_t step, size_t size)
{
    return FAILS(MEMALIGN, ENOMEM) ? NULL : __libc_memalign(step, size);
}

PUBLIC void *aligned_alloc(size_t step, size_t size)
{
    return FAILS(MEMALIGN, ENOMEM) ? NULL : __libc_memalign(step, size);
}

PUBLIC int posix_memalign(void **out, size_t step, size_t size)
{
    if (FAILS(MEMALIGN, ENOMEM))
        return ENOMEM;
    void *const p = __libc_memalign(step, size);
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

/* C++'s operators, of which ONNX Runtime calls so many that a look at the stack for each takes
 * long. */
#define OPERATOR(name, parameters, arguments)                              \
    PUBLIC void *name parameters                                           \
    {                                                                      \
        NEXT(name);                                                        \
        const bool alone = owner_of(__builtin_return_address(0)) == ALONE; \
        inside += alone;                                                   \
        void *const p = next_##name arguments;                             \
        inside -= alone;                                                   \
        return p;                                                          \
    }

extern void *_Znwm(size_t), *_Znam(size_t);
extern void *_ZnwmRKSt9nothrow_t(size_t, const void *), *_ZnamRKSt9nothrow_t(size_t, const void *);
extern void *_ZnwmSt11align_val_t(size_t, size_t);
OPERATOR(_Znwm, (size_t size), (size))
OPERATOR(_Znam, (size_t size), (size))
OPERATOR(_ZnwmRKSt9nothrow_t, (size_t size, const void *tag), (size, tag))
OPERATOR(_ZnamRKSt9nothrow_t, (size_t size, const void *tag), (size, tag))
OPERATOR(_ZnwmSt11align_val_t, (size_t size, size_t step), (size, step))

PUBLIC void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    NEXT(mmap);
    return FAILS(MMAP, ENOMEM) ? MAP_FAILED : next_mmap(at, size, prot, flags, fd, offset);
}

PUBLIC void *mmap64(void *at, size_t size, int prot, int flags, int fd, off64_t offset)
{
    NEXT(mmap64);
    return FAILS(MMAP, ENOMEM) ? MAP_FAILED : next_mmap64(at, size, prot, flags, fd, offset);
}

PUBLIC int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    NEXT(pthread_create);
    return FAILS(THREAD, EAGAIN) ? EAGAIN : next_pthread_create(thread, attr, fn, arg);
}

/* ---- files ----------------------------------------------------------------------------------- */

static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define OPENS(name, parameters, arguments)                    \
    PUBLIC int name parameters                                \
    {                                                         \
        va_list args;                                         \
        NEXT(name);                                           \
        va_start(args, flags);                                \
        const mode_t mode = mode_of(flags, args);             \
        va_end(args);                                         \
        return FAILS(OPEN, EIO) ? -1 : next_##name arguments; \
    }

OPENS(open, (const char *path, int flags, ...), (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), (path, flags, mode))
OPENS(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPENS(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

// NOLINTBEGIN(bugprone-macro-parentheses): parameters and arguments are whole lists

/* (name) is no macro of the C library, which may have one. */
#define WRAP(type, name, parameters, arguments, kind, error, bad)  \
    PUBLIC type(name) parameters                                   \
    {                                                              \
        NEXT(name);                                                \
        return FAILS(kind, error) ? (bad) : next_##name arguments; \
    }

WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), OPEN, EIO, NULL)
WRAP(FILE *, fopen64, (const char *path, const char *mode), (path, mode), OPEN, EIO, NULL)
WRAP(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n), READ, EIO, -1)
WRAP(ssize_t, pread, (int fd, void *to, size_t n, off_t at), (fd, to, n, at), READ, EIO, -1)
WRAP(ssize_t, pread64, (int fd, void *to, size_t n, off64_t at), (fd, to, n, at), READ, EIO, -1)
WRAP(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), WRITE, ENOSPC, -1)
WRAP(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at), WRITE,
     ENOSPC, -1)
WRAP(ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at), WRITE,
     ENOSPC, -1)
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), WRITE, ENOSPC, -1)
WRAP(int, fsync, (int fd), (fd), FSYNC, EIO, -1)
WRAP(int, fdatasync, (int fd), (fd), FSYNC, EIO, -1)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), WRITE, ENOSPC, -1)
WRAP(int, rename, (const char *from, const char *to), (from, to), RENAME, ENOSPC, -1)

/* A stream remembers that it failed. What is printed is not meant: test_load.py closes that. */
static bool stream_fails(enum kind kind, void *caller, int error, FILE *f)
{
    if (f == stdout || f == stderr || !fails(kind, caller))
        return false;
    f->_flags |= _IO_ERR_SEEN;
    errno = error;
    return true;
}

#define STREAM(type, name, parameters, arguments, kind, error, bad)                               \
    PUBLIC type(name) parameters                                                                  \
    {                                                                                             \
        NEXT(name);                                                                               \
        return stream_fails(kind, __builtin_return_address(0), error, f) ? (bad)                  \
                                                                         : next_##name arguments; \
    }

STREAM(size_t, fread, (void *to, size_t size, size_t n, FILE *f), (to, size, n, f), READ, EIO, 0)
STREAM(char *, fgets, (char *to, int n, FILE *f), (to, n, f), READ, EIO, NULL)
STREAM(size_t, fwrite, (const void *from, size_t size, size_t n, FILE *f), (from, size, n, f),
       WRITE, ENOSPC, 0)
STREAM(int, fputs, (const char *text, FILE *f), (text, f), WRITE, ENOSPC, EOF)

// NOLINTEND(bugprone-macro-parentheses)

PUBLIC int fflush(FILE *f)
{
    NEXT(fflush);
    return f && stream_fails(WRITE, __builtin_return_address(0), ENOSPC, f) ? EOF : next_fflush(f);
}

/* The stream is gone in any case. */
PUBLIC int fclose(FILE *f)
{
    NEXT(fclose);
    const bool writes = f && (fcntl(fileno(f), F_GETFL) & O_ACCMODE) != O_RDONLY;
    const bool bad = writes && fails(WRITE, __builtin_return_address(0));
    const int ret = next_fclose(f);
    if (bad)
        errno = ENOSPC;
    return bad ? EOF : ret;
}

/* ---- main() ---------------------------------------------------------------------------------- */

typedef int main_fn(int argc, char **argv, char **env);

static main_fn *real_main;

static void set_fault(const char *text)
{
    char copy[256], *state = NULL;
    char *const number = text ? strchr(text, ':') : NULL;

    kinds = 0;
    nth = number ? strtol(number + 1, NULL, 10) : 0;
    onwards = number && strchr(number, '+');
    snprintf(copy, sizeof(copy), "%.*s", number ? (int) (number - text) : 0, text ? text : "");
    for (char *word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) {
        int k = 0;

        while (k < KINDS && strcmp(word, names[k]) != 0)
            k++;
        if (k == KINDS) {
            fprintf(stderr, "fault_preload: no kind of call is named %s\n", word);
            _exit(98);
        }
        kinds |= 1U << k;
    }
}

/* Once; the signal comes again and ends the process. */
static void on_crash(int number)
{
    (void) number;
    atomic_store(&armed, false);
    say_stack("crash");
}

static void watch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int) SA_RESETHAND};

    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        sigaction(signals[i], &action, NULL);
}

static void write_counts(const char *path)
{
    FILE *const f = path ? fopen(path, "we") : NULL;

    for (int k = 0; f && k < KINDS; k++)
        fprintf(f, "%s %ld\n", names[k], atomic_load(&count[k]));
    if (f)
        fclose(f);
}

static int run(int argc, char **argv, char **env, const char *fault, const char *counts_to)
{
    void *frame[2];

    set_fault(fault);
    backtrace(frame, 2); /* loads what it needs */
    watch_crashes();
    atomic_store(&armed, true);
    const int ret = real_main(argc, argv, env);
    atomic_store(&armed, false);
    write_counts(counts_to);
    return ret;
}

static void redirect(const char *path, int flags, int fd)
{
    const int from = open(path, flags | O_CLOEXEC, 0666);

    if (from < 0 || dup2(from, fd) < 0)
        _exit(98);
}

/* In the child: argv[0] and the words of a request. */
static int serve_one(char *name, char **word, int n, char **env)
{
    char *argv[WORDS + 2] = {name}, cache[4096];

    if (n < 2 || chdir(word[1]))
        _exit(98);
    snprintf(cache, sizeof(cache), "%s/cache", word[1]);
    setenv("XDG_CACHE_HOME", cache, 1);
    redirect("/dev/null", O_RDONLY, 0);
    redirect("stdout", O_WRONLY | O_CREAT | O_TRUNC, 1);
    redirect("stderr", O_WRONLY | O_CREAT | O_TRUNC, 2);
    for (int i = 2; i < n; i++)
        argv[i - 1] = word[i];
    return run(n - 1, argv, environ ? environ : env, word[0], "counts");
}

static int serve(char *name, char **env)
{
    char *line = NULL, *word[WORDS], *state = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        int n = 0, status = 0;

        line[strcspn(line, "\n")] = '\0';
        for (char *w = strtok_r(line, "\t", &state); w && n < WORDS;
             w = strtok_r(NULL, "\t", &state))
            word[n++] = w;
        const pid_t pid = fork();
        if (!pid)
            return serve_one(name, word, n, env);
        printf("%d\n", (int) pid);
        fflush(stdout);
        waitpid(pid, &status, 0);
        printf("%d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
        fflush(stdout);
    }
    free(line);
    return 0;
}

static int wrapped_main(int argc, char **argv, char **env)
{
    if (getenv("REPRISE_FAULT_SERVER"))
        return serve(argv[0], env);
    return run(argc, argv, env, getenv("REPRISE_FAULT"), getenv("REPRISE_FAULT_COUNT"));
}

/* The C library's entry: it gets main() from the program's start. */
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                     void *);
PUBLIC start_fn __libc_start_main;

PUBLIC int __libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void),
                             void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    NEXT(__libc_start_main);
    real_main = fn;
    return next___libc_start_main(wrapped_main, argc, argv, init, fini, rtld_fini, stack_end);
}
