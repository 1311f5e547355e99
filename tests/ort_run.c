/* Runs an ONNX file in ONNX Runtime on raw tensors: a helper of the tests in Python.
 *
 *     ort_run LIBRARY MODEL OUTDIR [--repeat N] NAME[:2x3x4]=FILE...
 *
 * Each FILE holds the raw little-endian numbers of the input NAME, in the type that the model
 * declares; the shape is needed only where the model leaves one free. Every output is written to
 * OUTDIR/NAME.raw ('/' and ':' in names become '_') and described on stdout, a line each:
 *
 *     NAME TYPE 1x5 BYTES
 *
 * --repeat runs it N more times and prints the median in milliseconds to stderr. Runs on one
 * thread, so that the numbers do not depend on the machine's cores. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <onnxruntime_c_api.h>

enum { MAX_IO = 64, MAX_RANK = 8 };

static const OrtApi *ort;

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "ort_run: %s: %s\n", what, detail);
    exit(1);
}

static void check(OrtStatus *status, const char *what)
{
    if (status)
        die(what, ort->GetErrorMessage(status));
}

struct io {
    char *name;
    ONNXTensorElementDataType type;
    int64_t dim[MAX_RANK];
    size_t rank;
    OrtValue *value;
};

static const struct {
    ONNXTensorElementDataType type;
    const char *name;
    size_t bytes;
} types[] = {
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, "float32", 4},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, "uint8", 1},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, "int8", 1},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, "int32", 4},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, "int64", 8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, "bool", 1},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, "float16", 2},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, "float64", 8},
};

static int type_index(ONNXTensorElementDataType type)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].type == type)
            return (int) i;
    die("tensor type", "not one this helper knows");
    return -1;
}

static void read_shape(OrtTypeInfo *info, struct io *io)
{
    const OrtTensorTypeAndShapeInfo *shape = NULL;

    check(ort->CastTypeInfoToTensorInfo(info, &shape), io->name);
    if (!shape)
        die(io->name, "is not a tensor");
    check(ort->GetTensorElementType(shape, &io->type), io->name);
    check(ort->GetDimensionsCount(shape, &io->rank), io->name);
    if (io->rank > MAX_RANK)
        die(io->name, "has too many dimensions");
    check(ort->GetDimensions(shape, io->dim, io->rank), io->name);
    ort->ReleaseTypeInfo(info);
}

static size_t elements(const struct io *io)
{
    size_t n = 1;

    for (size_t i = 0; i < io->rank; i++) {
        if (io->dim[i] < 0)
            die(io->name, "has a free size: give it as NAME:1x2x3=FILE");
        n *= (size_t) io->dim[i];
    }
    return n;
}

/* "NAME:1x3=FILE" -> the tensor of that input */
static void load_input(struct io *io, const char *arg)
{
    const char *const file = strchr(arg, '=') + 1;
    const char *const colon = memchr(arg, ':', (size_t) (file - arg));
    FILE *f;
    size_t bytes;
    void *data;

    if (colon) {
        char *end = (char *) colon;
        io->rank = 0;
        while (*end != '=' && io->rank < MAX_RANK)
            io->dim[io->rank++] = strtoll(end + 1, &end, 10);
    }
    bytes = elements(io) * types[type_index(io->type)].bytes;
    OrtAllocator *allocator = NULL;
    check(ort->GetAllocatorWithDefaultOptions(&allocator), "allocator");
    check(ort->CreateTensorAsOrtValue(allocator, io->dim, io->rank, io->type, &io->value),
          io->name);
    check(ort->GetTensorMutableData(io->value, &data), io->name);
    f = fopen(file, "rb");
    if (!f || fread(data, 1, bytes, f) != bytes || fgetc(f) != EOF)
        die(file, "is missing or has not the size of the input");
    fclose(f);
}

static const char *argument_of(const char *name, int argc, char **argv)
{
    const size_t n = strlen(name);

    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], name, n) && (argv[i][n] == '=' || argv[i][n] == ':') &&
            strchr(argv[i] + n, '='))
            return argv[i];
    die(name, "this input was not given");
    return NULL;
}

static void save_output(struct io *io, const char *dir)
{
    OrtTypeInfo *info = NULL;
    char path[4096], *base;
    void *data = NULL;
    FILE *f;

    check(ort->GetTypeInfo(io->value, &info), io->name);
    read_shape(info, io);
    const int t = type_index(io->type);
    const size_t n = elements(io);
    check(ort->GetTensorMutableData(io->value, &data), io->name);
    base = path + snprintf(path, sizeof(path), "%s/", dir);
    snprintf(base, sizeof(path) - (size_t) (base - path), "%s.raw", io->name);
    for (; *base; base++)
        if (*base == '/' || *base == ':')
            *base = '_';
    f = fopen(path, "wb");
    if (!f || fwrite(data, types[t].bytes, n, f) != n || fclose(f))
        die(path, "cannot be written");
    printf("%s %s ", io->name, types[t].name);
    for (size_t i = 0; i < io->rank; i++)
        printf("%s%lld", i ? "x" : "", (long long) io->dim[i]);
    printf("%s %zu\n", io->rank ? "" : "scalar", n * types[t].bytes);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec * 1e-6;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static void load_library(const char *path)
{
    void *const lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*base)(void) = NULL;

    if (!lib)
        die("ONNX Runtime", dlerror());
    *(void **) &base = dlsym(lib, "OrtGetApiBase");
    ort = base ? base()->GetApi(ORT_API_VERSION) : NULL;
    if (!ort)
        die(path, "is older than its header");
}

int main(int argc, char **argv)
{
    struct io in[MAX_IO] = {0}, out[MAX_IO] = {0};
    const char *in_name[MAX_IO], *out_name[MAX_IO];
    const OrtValue *in_value[MAX_IO];
    OrtValue *out_value[MAX_IO] = {0};
    OrtEnv *env = NULL;
    OrtSessionOptions *options = NULL;
    OrtSession *session = NULL;
    OrtAllocator *allocator = NULL;
    size_t n_in = 0, n_out = 0;
    int repeat = 0, first = 4;

    if (argc < 4) {
        fprintf(stderr, "usage: ort_run LIBRARY MODEL OUTDIR [--repeat N] NAME[:2x3]=FILE...\n");
        return 2;
    }
    if (argc > 5 && !strcmp(argv[4], "--repeat")) {
        repeat = atoi(argv[5]);
        first = 6;
    }
    setenv("ORT_DISABLE_TELEMETRY", "1", 0); /* as the product has it */
    load_library(argv[1]);
    check(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "ort_run", &env), "environment");
    check(ort->CreateSessionOptions(&options), "options");
    check(ort->SetIntraOpNumThreads(options, 1), "options");
    check(ort->CreateSession(env, argv[2], options, &session), argv[2]);
    check(ort->GetAllocatorWithDefaultOptions(&allocator), "allocator");

    check(ort->SessionGetInputCount(session, &n_in), "inputs");
    check(ort->SessionGetOutputCount(session, &n_out), "outputs");
    if (n_in > MAX_IO || n_out > MAX_IO)
        die(argv[2], "has too many inputs or outputs");
    for (size_t i = 0; i < n_in; i++) {
        OrtTypeInfo *info = NULL;
        check(ort->SessionGetInputName(session, i, allocator, &in[i].name), "inputs");
        check(ort->SessionGetInputTypeInfo(session, i, &info), in[i].name);
        read_shape(info, &in[i]);
        load_input(&in[i], argument_of(in[i].name, argc - first, argv + first));
        in_name[i] = in[i].name;
        in_value[i] = in[i].value;
    }
    for (size_t i = 0; i < n_out; i++) {
        check(ort->SessionGetOutputName(session, i, allocator, &out[i].name), "outputs");
        out_name[i] = out[i].name;
    }

    double *const took = calloc((size_t) repeat + 1, sizeof(*took));
    for (int r = 0; r <= repeat; r++) {
        for (size_t i = 0; i < n_out; i++) {
            ort->ReleaseValue(out_value[i]);
            out_value[i] = NULL;
        }
        const double start = now_ms();
        check(ort->Run(session, NULL, in_name, in_value, n_in, out_name, n_out, out_value), "run");
        took[r] = now_ms() - start;
    }
    if (repeat) {
        qsort(took + 1, (size_t) repeat, sizeof(*took), by_size);
        fprintf(stderr, "%.3f ms\n", took[1 + repeat / 2]);
    }
    free(took);

    for (size_t i = 0; i < n_out; i++) {
        out[i].value = out_value[i];
        save_output(&out[i], argv[3]);
        ort->ReleaseValue(out[i].value);
        check(ort->AllocatorFree(allocator, out[i].name), "names");
    }
    for (size_t i = 0; i < n_in; i++) {
        ort->ReleaseValue(in[i].value);
        check(ort->AllocatorFree(allocator, in[i].name), "names");
    }
    ort->ReleaseSession(session);
    ort->ReleaseSessionOptions(options);
    ort->ReleaseEnv(env);
    return 0;
}
