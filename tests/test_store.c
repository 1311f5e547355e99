/* The model folder: what is installed, what replaces missing models, and the messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/path.h"
#include "models/store.h"

struct fixture {
    char dir[128];
    struct rp_store *store;
};

static int lines;
static char last_line[1024];

static void keep_line(void *priv, enum rp_log_level level, const char *line)
{
    (void) priv;
    (void) level;
    lines++;
    snprintf(last_line, sizeof(last_line), "%s", line);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    if (!f)
        return -1;
    *state = f;
    snprintf(f->dir, sizeof(f->dir), "%.100s/rp-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    lines = 0;
    last_line[0] = '\0';
    rp_set_log(RP_LOG_INFO, keep_line, NULL);
    return mkdtemp(f->dir) ? rp_store_create(&f->store, f->dir) : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[256];
    rp_store_destroy(&f->store);
    assert_null(f->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    int ret = system(command); /* NOLINT(cert-env33-c): a folder that this test made */
    free(f);
    return ret;
}

static void put(const struct fixture *f, const char *name, const char *content)
{
    char *path = rp_path_join(f->dir, name);
    assert_non_null(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void put_dir(const struct fixture *f, const char *name)
{
    char *path = rp_path_join(f->dir, name);
    assert_non_null(path);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static const struct rp_model_entry *find(enum rp_model_kind kind, const char *name)
{
    const struct rp_model_entry *e = rp_catalogue_find(kind, name);
    assert_non_null(e);
    return e;
}

static void test_path(void **state)
{
    struct fixture *f = *state;
    struct rp_store *s = NULL;
    assert_string_equal(rp_store_path(f->store), f->dir);

    assert_int_equal(rp_store_create(&s, "some/folder//"), RP_OK);
    assert_string_equal(rp_store_path(s), "some/folder");
    rp_store_destroy(&s);
    assert_int_equal(rp_store_create(&s, "/"), RP_OK);
    assert_string_equal(rp_store_path(s), "/");
    rp_store_destroy(&s);

    setenv("REPRISE_MODELS", "/from/environment", 1);
    assert_int_equal(rp_store_create(&s, NULL), RP_OK);
    assert_string_equal(rp_store_path(s), "/from/environment");
    rp_store_destroy(&s);
    unsetenv("REPRISE_MODELS");
    setenv("XDG_CACHE_HOME", f->dir, 1);
    assert_int_equal(rp_store_create(&s, NULL), RP_OK);
    assert_int_equal(strncmp(rp_store_path(s), f->dir, strlen(f->dir)), 0);
    assert_string_equal(rp_store_path(s) + strlen(f->dir), "/reprise/models");
    char *command = rp_store_fetch_command(s, find(RP_KIND_FACE_DETECTOR, "ultraface"));
    assert_string_equal(command, "reprise force-download lite");
    free(command);
    unsetenv("XDG_CACHE_HOME");
    rp_store_destroy(&s);
    rp_store_destroy(&s);
}

static char *file_of(const struct rp_store *store, const struct rp_model_entry *entry)
{
    char *path;

    assert_int_equal(rp_store_file(store, entry, &path), 0);
    return path;
}

static void test_installed(void **state)
{
    struct fixture *f = *state;
    const struct rp_model_entry *yolo = find(RP_KIND_FACE_DETECTOR, "yolo_face");
    const struct rp_model_entry *deep = rp_catalogue_default(RP_KIND_DEEP_SWAPPER);
    char want[256];

    assert_null(file_of(f->store, yolo));
    put(f, "yoloface_8n.onnx", "");
    assert_null(file_of(f->store, yolo)); /* empty */
    put(f, "yoloface_8n.onnx", "x");
    char *path = file_of(f->store, yolo);
    snprintf(want, sizeof(want), "%s/yoloface_8n.onnx", f->dir);
    assert_string_equal(path, want);
    free(path);

    put_dir(f, "yunet_2023_mar.onnx"); /* a folder is no model */
    assert_null(file_of(f->store, find(RP_KIND_FACE_DETECTOR, "yunet")));

    /* FaceFusion's layout of deep swappers */
    assert_null(file_of(f->store, deep));
    put_dir(f, "iperov");
    put(f, "iperov/elon_musk_224.dfm", "x");
    path = file_of(f->store, deep);
    snprintf(want, sizeof(want), "%s/iperov/elon_musk_224.dfm", f->dir);
    assert_string_equal(path, want);
    free(path);
    assert_int_equal(lines, 0);
}

static void test_no_folder(void **state)
{
    struct rp_store *s = NULL;
    const struct rp_model_entry *e;
    char *path;
    (void) state;
    assert_int_equal(rp_store_create(&s, "/nonexistent/models"), RP_OK);
    assert_null(file_of(s, find(RP_KIND_FACE_DETECTOR, "yolo_face")));
    assert_int_equal(rp_store_resolve(s, RP_KIND_FACE_DETECTOR, "yolo_face", false, &e, &path),
                     RP_ERR_MISSING);
    rp_store_destroy(&s);
}

static void test_commands(void **state)
{
    struct fixture *f = *state;
    char want[1024];
    char *command = rp_store_fetch_command(f->store, find(RP_KIND_FACE_SWAPPER, "inswapper_128"));
    snprintf(want, sizeof(want),
             "curl -fL --create-dirs -o '%s/inswapper_128.onnx' https://github.com/facefusion/"
             "facefusion-assets/releases/download/models-3.0.0/inswapper_128.onnx",
             f->dir);
    assert_string_equal(command, want);
    free(command);

    command = rp_store_fetch_command(f->store, find(RP_KIND_DEEP_SWAPPER, "jen/ella_freya_224"));
    snprintf(want, sizeof(want),
             "curl -fL --create-dirs -o '%s/jen/ella_freya_224.dfm' https://huggingface.co/"
             "facefusion/deepfacelive-models-jen/resolve/main/ella_freya_224.dfm",
             f->dir);
    assert_string_equal(command, want);
    free(command);

    command = rp_store_fetch_command(f->store, find(RP_KIND_FACE_SWAPPER, "classic_256"));
    snprintf(want, sizeof(want), "reprise force-download --models-path '%s' lite", f->dir);
    assert_string_equal(command, want);
    free(command);

    /* Pasted into a shell, the command uses the folder's name as it is. */
    struct rp_store *s = NULL;
    assert_int_equal(rp_store_create(&s, "a'b $(x)"), RP_OK);
    command = rp_store_fetch_command(s, find(RP_KIND_FACE_SWAPPER, "classic_256"));
    assert_string_equal(command, "reprise force-download --models-path 'a'\\''b $(x)' lite");
    free(command);
    rp_store_destroy(&s);
}

static void test_resolve_named(void **state)
{
    struct fixture *f = *state;
    const struct rp_model_entry *e;
    char *path;
    char want[1024];

    put(f, "classic_256.onnx", "x"); /* must not replace a model that was asked for by name */
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_SWAPPER, "inswapper_128", true, &e, &path),
        RP_ERR_MISSING);
    assert_null(e);
    assert_null(path);
    snprintf(want, sizeof(want),
             "face swapper inswapper_128 is not installed in %s; get it with: "
             "curl -fL --create-dirs -o '%s/inswapper_128.onnx' https://github.com/facefusion/"
             "facefusion-assets/releases/download/models-3.0.0/inswapper_128.onnx",
             f->dir, f->dir);
    assert_string_equal(rp_last_error(), want);

    put(f, "inswapper_128.onnx", "x");
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_SWAPPER, "inswapper_128", true, &e, &path), RP_OK);
    assert_string_equal(e->name, "inswapper_128");
    assert_string_equal(rp_path_base(path), "inswapper_128.onnx");
    free(path);

    assert_int_equal(rp_store_resolve(f->store, RP_KIND_FACE_SWAPPER, "no", true, &e, &path),
                     RP_ERR_USAGE);
    assert_int_equal(rp_store_resolve(f->store, RP_KIND_FACE_SWAPPER, NULL, false, &e, &path),
                     RP_ERR_USAGE);
}

/* Replacements are logged once per process, so one test checks all of it. */
static void test_resolve_default(void **state)
{
    struct fixture *f = *state;
    const struct rp_model_entry *e;
    char *path;
    char want[1024];

    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_DETECTOR, "yolo_face", false, &e, &path),
        RP_ERR_MISSING);
    snprintf(want, sizeof(want),
             "neither face detector yolo_face nor ultraface is installed in %s; get ultraface "
             "with: reprise force-download --models-path '%s' lite",
             f->dir, f->dir);
    assert_string_equal(rp_last_error(), want);

    put(f, "fr_detect.onnx", "x");
    put(f, "fr_landmark.onnx", "x");
    lines = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            rp_store_resolve(f->store, RP_KIND_FACE_DETECTOR, "yolo_face", false, &e, &path),
            RP_OK);
        assert_string_equal(e->name, "ultraface");
        assert_string_equal(rp_path_base(path), "fr_detect.onnx");
        free(path);
    }
    assert_int_equal(lines, 1);
    assert_non_null(strstr(last_line, "using the lite models where FaceFusion's"));
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_LANDMARKER, "2dfan4", false, &e, &path), RP_OK);
    free(path);
    assert_int_equal(lines, 1); /* the names are for whoever debugs */

    put(f, "yoloface_8n.onnx", "x");
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_DETECTOR, "yolo_face", false, &e, &path), RP_OK);
    assert_string_equal(e->name, "yolo_face");
    free(path);
    assert_int_equal(lines, 1);

    /* no lite model of the kind; a lite model that is missing; a part */
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_ENHANCER, "gfpgan_1.4", false, &e, &path),
        RP_ERR_MISSING);
    assert_non_null(strstr(rp_last_error(), "face enhancer gfpgan_1.4 is not installed in "));
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_SWAPPER, "classic_256", false, &e, &path),
        RP_ERR_MISSING);
    assert_non_null(strstr(rp_last_error(), "face swapper classic_256 is not installed in "));
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_CLASSIFIER, "fr_age", false, &e, &path),
        RP_ERR_MISSING);
    put(f, "fr_age.onnx", "x");
    assert_int_equal(
        rp_store_resolve(f->store, RP_KIND_FACE_CLASSIFIER, "fr_age", false, &e, &path), RP_OK);
    free(path);
}

static void test_verify(void **state)
{
    struct fixture *f = *state;
    const struct rp_model_entry *yunet = find(RP_KIND_FACE_DETECTOR, "yunet");
    const struct rp_model_entry *ultraface = find(RP_KIND_FACE_DETECTOR, "ultraface");

    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_MISSING);

    /* nothing in the catalogue, no .hash: not an error, and no line */
    put(f, "yunet_2023_mar.onnx", "123456789");
    lines = 0;
    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_UNSUPPORTED);
    assert_int_equal(lines, 0);

    put(f, "yunet_2023_mar.hash", "cbf43926"); /* the check value of CRC-32 */
    assert_int_equal(rp_store_verify(f->store, yunet), RP_OK);
    put(f, "yunet_2023_mar.onnx", "123456780");
    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "yunet_2023_mar.onnx: CRC-32 "));
    assert_non_null(strstr(rp_last_error(), " instead of cbf43926"));
    put(f, "yunet_2023_mar.hash", "cbf43926\n");
    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "yunet_2023_mar.hash: not 8 hex digits"));
    put(f, "yunet_2023_mar.hash", "cbf4392g");
    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_MODEL);
    put(f, "yunet_2023_mar.hash", "");
    assert_int_equal(rp_store_verify(f->store, yunet), RP_ERR_MODEL);

    put(f, "fr_detect.onnx", "x");
    assert_int_equal(rp_store_verify(f->store, ultraface), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "1 bytes instead of 1217758"));

    /* the right size, other content */
    char *path = file_of(f->store, ultraface);
    assert_int_equal(truncate(path, ultraface->size), 0);
    free(path);
    assert_int_equal(rp_store_verify(f->store, ultraface), RP_ERR_MODEL);
    assert_non_null(strstr(rp_last_error(), "wrong SHA-256"));
}

/* An entry made here, as no test has a whole model. */
static void test_verify_sums(void **state)
{
    struct fixture *f = *state;
    struct rp_model_entry e = {.kind = RP_KIND_FACE_DETECTOR,
                               .name = "t",
                               .file = "t.onnx",
                               .base = "b",
                               .size = 9,
                               .crc32 = 0xcbf43926};
    put(f, "t.onnx", "123456789");
    assert_int_equal(rp_store_verify(f->store, &e), RP_OK);
    e.crc32++;
    assert_int_equal(rp_store_verify(f->store, &e), RP_ERR_MODEL);
    e.sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
    assert_int_equal(rp_store_verify(f->store, &e), RP_OK); /* the stronger sum decides */
}

struct seen {
    int all, installed;
    rp_model_info yolo;
    int64_t classic_size;
};

static void see(void *priv, const rp_model_info *info)
{
    struct seen *s = priv;
    s->all++;
    s->installed += info->installed;
    assert_non_null(info->fetch);
    assert_int_equal(info->installed, info->path != NULL);
    if (!strcmp(info->name, "yolo_face"))
        s->yolo = *info;
    if (!strcmp(info->name, "classic_256"))
        s->classic_size = info->size;
}

static void test_each(void **state)
{
    struct fixture *f = *state;
    struct seen s = {0};
    int count;
    rp_catalogue(&count);
    put(f, "classic_256.onnx", "12345");
    assert_int_equal(rp_store_each(f->store, see, &s), RP_OK);
    assert_int_equal(s.all, count);
    assert_int_equal(s.installed, 1);
    assert_int_equal(s.classic_size, 5);
    assert_string_equal(s.yolo.kind, "face_detector");
    assert_string_equal(s.yolo.licence, "GPL-3.0");
    assert_true(s.yolo.is_default);
    assert_false(s.yolo.lite);
    assert_int_equal(s.yolo.size, 12659761); /* as published */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_path),     TEST(test_installed),     TEST(test_no_folder),
        TEST(test_commands), TEST(test_resolve_named), TEST(test_resolve_default),
        TEST(test_verify),   TEST(test_verify_sums),   TEST(test_each),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
