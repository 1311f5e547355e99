/* Path helpers, reading whole files, outputs that appear only when complete. */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/rp_paths_XXXXXX";

static char *in_root(const char *name)
{
    return rp_path_join(root, name);
}

#define CHECK_OWNED(call, text)                                                                    \
    do {                                                                                           \
        char *const got = (call);                                                                  \
        assert_string_equal(got, text);                                                            \
        free(got);                                                                                 \
    } while (0)

static void test_parts(void **state)
{
    (void) state;
    CHECK_OWNED(rp_path_join("a", "b"), "a/b");
    CHECK_OWNED(rp_path_join("a/", "b"), "a/b");
    CHECK_OWNED(rp_path_join("/", "b"), "/b");
    CHECK_OWNED(rp_path_join("", "b"), "b");
    CHECK_OWNED(rp_path_join(NULL, "b"), "b");

    assert_string_equal(rp_path_ext("a/b.tar.gz"), "gz");
    assert_string_equal(rp_path_ext("a.d/b"), "");
    assert_string_equal(rp_path_ext(".profile"), "");
    assert_string_equal(rp_path_ext(".profile.png"), "png");
    assert_string_equal(rp_path_ext(".."), "");
    assert_string_equal(rp_path_ext("a."), "");
    assert_string_equal(rp_path_ext(""), "");

    assert_string_equal(rp_path_base("a/b.c"), "b.c");
    assert_string_equal(rp_path_base("b"), "b");
    assert_string_equal(rp_path_base("a/"), "");

    CHECK_OWNED(rp_path_dir("a/b"), "a");
    CHECK_OWNED(rp_path_dir("a//b"), "a");
    CHECK_OWNED(rp_path_dir("b"), ".");
    CHECK_OWNED(rp_path_dir(""), ".");
    CHECK_OWNED(rp_path_dir("/b"), "/");
    CHECK_OWNED(rp_path_dir("//b"), "/");
    CHECK_OWNED(rp_path_dir("/"), "/");
    CHECK_OWNED(rp_path_dir("a/b/"), "a/b");
}

static void test_kinds(void **state)
{
    char *const file = in_root("kind"), *const link = in_root("kind_link");
    char *const round = in_root("../kind"), *const dangling = in_root("dangling");

    (void) state;
    assert_int_equal(rp_file_write(file, "x", 1), 0);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(symlink("nothing", dangling), 0);
    assert_true(rp_path_is_file(file) && !rp_path_is_dir(file));
    assert_true(rp_path_is_dir(root) && !rp_path_is_file(root));
    assert_false(rp_path_is_file(round) || rp_path_is_dir(round));
    assert_false(rp_path_is_file(dangling));
    assert_true(rp_path_same(file, link));
    assert_true(rp_path_same("/tmp/.", "/tmp"));
    assert_false(rp_path_same(file, root));
    assert_false(rp_path_same(round, round)); /* it does not exist */
    free(file);
    free(link);
    free(round);
    free(dangling);
}

static void test_mkdirs(void **state)
{
    char *const deep = in_root("d1/d2//d3/"), *const file = in_root("d1/file");
    char *const below = in_root("d1/file/d");

    (void) state;
    assert_int_equal(rp_path_mkdirs(deep), 0);
    assert_true(rp_path_is_dir(deep));
    assert_int_equal(rp_path_mkdirs(deep), 0);
    assert_int_equal(rp_file_write(file, "", 0), 0);
    assert_int_equal(rp_path_mkdirs(below), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "Not a directory"));
    assert_int_equal(rp_path_mkdirs("/proc/none/x"), RP_ERR_IO);
    assert_int_equal(rp_path_mkdirs(""), RP_ERR_IO);
    free(deep);
    free(file);
    free(below);
}

static void test_user_cache(void **state)
{
    (void) state;
    setenv("XDG_CACHE_HOME", "/x/y", 1);
    CHECK_OWNED(rp_path_user_cache(NULL), "/x/y/reprise");
    CHECK_OWNED(rp_path_user_cache("models"), "/x/y/reprise/models");
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/h", 1);
    CHECK_OWNED(rp_path_user_cache("models"), "/h/.cache/reprise/models");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    char *const path = rp_path_user_cache(NULL);
    assert_non_null(strstr(path, ".cache/reprise"));
    free(path);
}

static void test_read(void **state)
{
    char *const file = in_root("read"), *const none = in_root("none");
    char text[10000];
    uint8_t *data;
    size_t size;

    (void) state;
    memset(text, 'r', sizeof(text));
    assert_int_equal(rp_file_write(file, text, sizeof(text)), 0);
    assert_int_equal(rp_file_read(file, sizeof(text), &data, &size), 0);
    assert_int_equal(size, sizeof(text));
    assert_memory_equal(data, text, size);
    assert_int_equal(data[size], 0);
    free(data);
    assert_int_equal(rp_file_read(file, sizeof(text) - 1, &data, &size), RP_ERR_LIMIT);
    assert_null(data);
    assert_int_equal(rp_file_write(file, "", 0), 0);
    assert_int_equal(rp_file_read(file, 0, &data, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(data[0], 0);
    free(data);
    assert_int_equal(rp_file_read(none, 1, &data, &size), RP_ERR_IO);
    assert_int_equal(rp_file_read(root, 1000, &data, &size), RP_ERR_IO);
    free(file);
    free(none);
}

/* Files whose size is not known. */
static void test_read_unsized(void **state)
{
    uint8_t *data;
    size_t size;

    (void) state;
    assert_int_equal(rp_file_read("/proc/self/status", 1 << 20, &data, &size), 0);
    assert_true(size > 100 && data[size] == 0);
    free(data);
    assert_int_equal(rp_file_read("/proc/self/status", 10, &data, &size), RP_ERR_LIMIT);
    assert_int_equal(rp_file_read("/dev/zero", 100000, &data, &size), RP_ERR_LIMIT);
}

static int count_hidden(void)
{
    DIR *const dir = opendir(root);
    const struct dirent *entry;
    int n = 0;

    while ((entry = readdir(dir)))
        n += strstr(entry->d_name, ".part") != NULL;
    closedir(dir);
    return n;
}

static void check_content(const char *path, const char *text)
{
    uint8_t *data;
    size_t size;

    assert_int_equal(rp_file_read(path, 1000, &data, &size), 0);
    assert_string_equal((char *) data, text);
    free(data);
}

static void write_temp(const struct rp_partial *p, const char *text)
{
    FILE *const f = fopen(p->temp, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_commit(void **state)
{
    struct rp_partial p;
    char *const path = in_root("clip.new.mp4");

    (void) state;
    assert_int_equal(rp_file_write(path, "old", 3), 0);
    assert_int_equal(rp_partial_begin(&p, path), 0);
    assert_string_equal(rp_path_ext(p.temp), "mp4");
    assert_int_equal(strncmp(rp_path_base(p.temp), ".clip.new.", 10), 0);
    write_temp(&p, "new");
    check_content(path, "old");
    assert_int_equal(rp_partial_commit(&p), 0);
    check_content(path, "new");
    rp_partial_abort(&p);
    rp_partial_abort(&p);
    check_content(path, "new");
    assert_int_equal(count_hidden(), 0);
    free(path);
}

static void test_abort(void **state)
{
    struct rp_partial p, q;
    char *const path = in_root("aborted");

    (void) state;
    assert_int_equal(rp_partial_begin(&p, path), 0);
    assert_int_equal(rp_partial_begin(&q, path), 0); /* two at once do not meet */
    assert_string_not_equal(p.temp, q.temp);
    write_temp(&p, "half");
    assert_int_equal(count_hidden(), 2);
    rp_partial_abort(&p);
    rp_partial_abort(&q);
    assert_int_equal(count_hidden(), 0);
    assert_false(rp_path_is_file(path));
    free(path);
}

static void test_commit_fails(void **state)
{
    struct rp_partial p;
    char *const path = in_root("lost");

    (void) state;
    assert_int_equal(rp_partial_begin(&p, path), 0);
    unlink(p.temp);
    assert_int_equal(rp_partial_commit(&p), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), path));
    assert_int_equal(rp_partial_commit(&p), RP_ERR_INVALID);
    rp_partial_abort(&p);

    assert_int_equal(rp_partial_begin(&p, path), 0); /* a folder takes the name meanwhile */
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(rp_partial_commit(&p), RP_ERR_IO);
    rp_partial_abort(&p);
    assert_int_equal(count_hidden(), 0);
    free(path);
}

static void test_link_stays(void **state)
{
    char *const path = in_root("target"), *const link = in_root("link");
    struct stat st;

    (void) state;
    assert_int_equal(rp_file_write(path, "old", 3), 0);
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(rp_file_write(link, "new", 3), 0);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    check_content(path, "new");
    free(path);
    free(link);
}

static void test_bad_places(void **state)
{
    struct rp_partial p;
    char *const missing = in_root("missing/x.png"), *const slash = in_root("name/");
    char *const file = in_root("plain"), *const below = in_root("plain/x");

    (void) state;
    assert_int_equal(rp_partial_begin(&p, missing), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "there is no folder"));
    assert_null(p.temp);
    assert_null(p.path);
    assert_int_equal(rp_partial_begin(&p, root), RP_ERR_IO);
    assert_int_equal(rp_partial_begin(&p, "/dev/null"), RP_ERR_IO);
    assert_int_equal(rp_partial_begin(&p, slash), RP_ERR_IO);
    assert_int_equal(rp_partial_begin(&p, ""), RP_ERR_IO);
    assert_int_equal(rp_file_write(file, "", 0), 0);
    assert_int_equal(rp_partial_begin(&p, below), RP_ERR_IO);
    rp_partial_abort(&p);
    free(missing);
    free(slash);
    free(file);
    free(below);
}

static int mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) ? -1 : (int) (st.st_mode & 07777);
}

/* A file that is replaced keeps its permissions, and nobody else may read the new one before. */
static void test_rights(void **state)
{
    static const int modes[] = {0600, 0640, 0444, 0755, 0666};
    struct rp_partial p;
    struct stat st;
    char *const path = in_root("mine.mp4");
    const mode_t mask = umask(022);

    (void) state;
    assert_int_equal(rp_file_write(path, "1", 1), 0);
    assert_int_equal(mode_of(path), 0644);
    for (size_t i = 0; i < RP_ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(path, (mode_t) modes[i]), 0);
        assert_int_equal(rp_partial_begin(&p, path), 0);
        assert_int_equal(mode_of(p.temp), modes[i] | 0600);
        write_temp(&p, "new");
        assert_int_equal(rp_partial_commit(&p), 0);
        rp_partial_abort(&p);
        assert_int_equal(mode_of(path), modes[i]);
    }
    assert_int_equal(chmod(path, 04755), 0); /* permissions, and nothing more than these */
    assert_int_equal(rp_file_write(path, "1", 1), 0);
    assert_int_equal(mode_of(path), 0755);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1234, 4321), 0);
        assert_int_equal(rp_file_write(path, "2", 1), 0);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_uid, 1234);
        assert_int_equal(st.st_gid, 4321);
    }
    umask(mask);
    free(path);
}

/* A file in a folder of its own, named as process `pid` would. */
static char *make_left(const char *folder, const char *form, int pid)
{
    char name[200], path[300];

    snprintf(name, sizeof(name), form, pid);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    char *const whole = in_root(path), *const dir = in_root(folder);
    mkdir(dir, 0755);
    free(dir);
    FILE *const f = fopen(whole, "w");
    assert_non_null(f);
    fclose(f);
    return whole;
}

static int dead_process(void)
{
    const pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return (int) child;
}

static bool is_there(char *path)
{
    const bool there = !access(path, F_OK);

    free(path);
    return there;
}

static void write_to(const char *folder)
{
    char name[300];

    snprintf(name, sizeof(name), "%s/out.mp4", folder);
    char *const path = in_root(name);
    assert_int_equal(rp_file_write(path, "x", 1), 0);
    free(path);
}

/* What a killed process left goes with the next output, and nothing else. */
static void test_sweep(void **state)
{
    static const char *const others[] = {
        "clip.%d-1.part.mp4",   ".clip.%d-1.part.mp4.bak", ".clip.%d-1.party", ".clip.%d.part.mp4",
        ".clip.%d-.part",       ".clip.x%d-1.part",        ".clip.-%d-1.part", ".clip.%d-1.part.",
    };
    const int dead = dead_process();
    char *const left = make_left("left", ".clip.%d-1.part.mp4", dead);
    char *const dots = make_left("left", ".a.b.c.%d-77.part", dead);
    char *const alive = make_left("left", ".clip.%d-9.part.mp4", (int) getpid());
    char *other[RP_ARRAY_LEN(others)];

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(others); i++)
        other[i] = make_left("left", others[i], dead);
    write_to("left");
    assert_false(is_there(left));
    assert_false(is_there(dots));
    assert_true(is_there(alive));
    for (size_t i = 0; i < RP_ARRAY_LEN(others); i++)
        if (!is_there(other[i]))
            fail_msg("%s is gone", others[i]);
}

/* Somebody whose number says nothing here, in another container, is still writing. */
static void test_sweep_locked(void **state)
{
    char *const held = make_left("held", ".clip.%d-1.part.mp4", dead_process());
    const int fd = open(held, O_RDONLY);

    (void) state;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    write_to("held");
    assert_int_equal(access(held, F_OK), 0);
    close(fd);
    write_to("held"); /* the same folder is not looked at twice in a row */
    assert_int_equal(access(held, F_OK), 0);
    write_to("left");
    write_to("held");
    assert_false(is_there(held));
}

/* The superuser may write anywhere, so this runs as another user. */
static void test_read_only_folder(void **state)
{
    struct rp_partial p;
    const bool super = geteuid() == 0;

    (void) state;
    if (super && (seteuid(65534) < 0 || seteuid(0) < 0))
        skip();
    char *const dir = in_root("closed"), *const path = in_root("closed/x.png");
    assert_int_equal(mkdir(dir, 0555), 0);
    assert_int_equal(chmod(root, 0755), 0);
    if (super)
        assert_int_equal(seteuid(65534), 0);
    const int ret = rp_partial_begin(&p, path);
    if (super)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(ret, RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "Permission denied"));
    free(dir);
    free(path);
}

static void test_full_disk(void **state)
{
    (void) state;
    if (access("/dev/full", W_OK) < 0)
        skip();
    struct rp_partial p;
    char *const path = in_root("full");
    assert_int_equal(rp_partial_begin(&p, path), 0);
    assert_int_equal(unlink(p.temp), 0);
    assert_int_equal(symlink("/dev/full", p.temp), 0);
    FILE *const f = fopen(p.temp, "w");
    assert_int_equal(fputc('x', f), 'x');
    assert_int_not_equal(fclose(f), 0);
    rp_partial_abort(&p);
    assert_int_equal(count_hidden(), 0);
    free(path);
}

static void test_long_names(void **state)
{
    char name[NAME_MAX + 2], *path;
    struct rp_partial p;

    (void) state;
    memset(name, 'n', sizeof(name));
    memcpy(name + NAME_MAX - 4, ".png", 5);
    path = in_root(name);
    assert_int_equal(rp_partial_begin(&p, path), 0);
    assert_true(strlen(rp_path_base(p.temp)) <= NAME_MAX);
    assert_string_equal(rp_path_ext(p.temp), "png");
    assert_int_equal(rp_partial_commit(&p), 0);
    rp_partial_abort(&p);
    free(path);

    memset(name, 'n', sizeof(name)); /* one long extension only: nothing to cut */
    name[1] = '.';
    name[NAME_MAX] = '\0';
    path = in_root(name);
    assert_int_equal(rp_file_write(path, "x", 1), 0);
    free(path);

    memset(name, 'n', sizeof(name));
    name[NAME_MAX + 1] = '\0';
    path = in_root(name);
    assert_int_equal(rp_partial_begin(&p, path), RP_ERR_IO);
    assert_non_null(strstr(rp_last_error(), "File name too long"));
    free(path);
}

static void test_cleanup(void **state)
{
    struct rp_partial p[3];
    char *const path = in_root("cleaned.png");
    int status;

    (void) state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rp_partial_begin(&p[i], path), 0);
    const pid_t child = fork();
    if (child == 0) {
        rp_partial_cleanup(); /* not ours: must stay */
        _exit(0);
    }
    waitpid(child, &status, 0);
    assert_int_equal(count_hidden(), 3);
    rp_partial_abort(&p[1]);
    rp_partial_cleanup();
    rp_partial_cleanup();
    assert_int_equal(count_hidden(), 0);
    assert_int_equal(rp_partial_commit(&p[0]), RP_ERR_IO);
    rp_partial_abort(&p[0]);
    rp_partial_abort(&p[2]);
    free(path);
}

static void test_many(void **state)
{
    static struct rp_partial p[257];
    char *const path = in_root("many");
    int n = 0;

    (void) state;
    while (n < 257 && rp_partial_begin(&p[n], path) == 0)
        n++;
    assert_int_equal(n, 256);
    assert_non_null(strstr(rp_last_error(), "at once"));
    while (n--)
        rp_partial_abort(&p[n]);
    assert_int_equal(count_hidden(), 0);
    free(path);
}

static void *write_often(void *priv)
{
    const char *const path = priv;

    for (int i = 0; i < 100; i++) {
        if (rp_file_write(path, "whole", 5) < 0)
            return priv;
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t thread[4];
    char *const path = in_root("shared");

    (void) state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_often, path), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    check_content(path, "whole");
    assert_int_equal(count_hidden(), 0);
    free(path);
}

static int make_root(void **state)
{
    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char *const command = rp_asprintf("rm -rf '%s'", root);
    const int ret = system(command);

    (void) state;
    free(command);
    return ret;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),       cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_mkdirs),      cmocka_unit_test(test_user_cache),
        cmocka_unit_test(test_read),        cmocka_unit_test(test_read_unsized),
        cmocka_unit_test(test_commit),      cmocka_unit_test(test_abort),
        cmocka_unit_test(test_commit_fails), cmocka_unit_test(test_link_stays),
        cmocka_unit_test(test_bad_places),  cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_full_disk),   cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_cleanup),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_threads),     cmocka_unit_test(test_rights),
        cmocka_unit_test(test_sweep),       cmocka_unit_test(test_sweep_locked),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
