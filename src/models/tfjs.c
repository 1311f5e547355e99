#include "models/tfjs.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>

#include "models/graph_file.h"

enum { MAX_LAYERS = 256, MAX_WEIGHTS = 512, MAX_SIDE = 4096, MAX_SIZE = 16 << 20 };
enum { SIDE = 224, CLASSES = 5, NODES = 1 << 18 };

static int broken(const char *what)
{
    return rp_fail(RP_ERR_MODEL, "the content model of nsfwjs is not the expected one: %s", what);
}

/* ---- JavaScript --------------------------------------------------------------------------------
 */

/* What follows "exports=" and begins with `beginning`; NULL if there is none. */
static const char *exported(const char *text, const char *beginning)
{
    static const char word[] = ".exports=";

    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        if (!strncmp(at + strlen(word), beginning, strlen(beginning)))
            return at + strlen(word);
    }
    return NULL;
}

/* A string with its quotes; its length, 0 if it does not end. */
static size_t string_length(const char *at)
{
    for (size_t n = 1; at[n]; n++) {
        if (at[n] == '"')
            return n + 1;
        if (at[n] == '\\' && at[n + 1])
            n++;
    }
    return 0;
}

static bool is_word(char c)
{
    return isalnum((unsigned char) c) || c == '_' || c == '$';
}

/* One token of JavaScript at `at` to one of JSON at *to, which gets at most two bytes more than are
 * read, or three for "!0". The bytes read, 0 if that is nothing known. */
static size_t token(const char *at, char **to)
{
    size_t n = 1;
    const bool number = isdigit((unsigned char) *at) || *at == '-' || *at == '.';

    if (*at == '"') {
        n = string_length(at);
        *to = (char *) memcpy(*to, at, n) + n;
    } else if (*at == '!' && (at[1] == '0' || at[1] == '1')) {
        n = 2;
        *to = stpcpy(*to, at[1] == '0' ? "true" : "false");
    } else if (number) { /* ".5" and "-.5" have no 0 in front */
        const bool minus = *at == '-';
        while (isalnum((unsigned char) at[n]) || at[n] == '.' ||
               (at[n] == '-' && (at[n - 1] == 'e' || at[n - 1] == 'E')))
            n++;
        if (minus)
            *(*to)++ = '-';
        if (at[minus] == '.')
            *(*to)++ = '0';
        *to = (char *) memcpy(*to, at + minus, n - minus) + (n - minus);
    } else if (is_word(*at)) {
        while (is_word(at[n]))
            n++;
        *to += sprintf(*to, at[n] == ':' ? "\"%.*s\"" : "%.*s", (int) n, at);
    } else if (strchr("{}[]:,", *at) && *at) {
        *(*to)++ = *at;
    } else {
        n = 0;
    }
    return n;
}

/* The object that begins at `at`, NULL if it is none. */
static json_t *parse_object(const char *at)
{
    json_t *object = NULL;
    char *const text = malloc(3 * strlen(at) + 1), *to = text;
    int depth = 0;

    while (text) {
        const char c = *at;
        const size_t n = token(at, &to);
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at += n;
        if (!n || !depth)
            break;
    }
    if (text && !depth)
        object = json_loadb(text, (size_t) (to - text), 0, NULL);
    free(text);
    return object;
}

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const at = c ? strchr(digits, c) : NULL;

    return at ? (int) (at - digits) : -1;
}

/* Base64 up to the first character that is none; the number of bytes. */
static size_t decode(const char *text, uint8_t *to)
{
    size_t n = 0;
    unsigned bits = 0, value = 0;

    for (int d; (d = digit(*text)) >= 0; text++) {
        value = value << 6 | (unsigned) d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            to[n++] = (uint8_t) (value >> bits);
        }
    }
    return n;
}

/* ---- weights -----------------------------------------------------------------------------------
 */

struct weight {
    const char *name; /* "Conv1/kernel" */
    int rank;
    int64_t dim[4];
    size_t n;
    const uint8_t *bytes; /* each is a place in the table */
    float table[256];
};

struct output {
    const char *name; /* in ONNX */
    int64_t channels, height, width;
};

struct layer {
    const char *name, *type;
    json_t *config, *inputs;
    struct output out;
    int64_t pads[4]; /* top, left, bottom, right, for the next convolution */
};

struct importer {
    json_t *root;
    uint8_t *data; /* of all weights */
    struct weight *weights;
    struct layer *layers;
    int n_weights, n_layers;
    struct rp_graph_file file;
};

static int read_weight(struct weight *w, const json_t *json, const uint8_t *bytes, size_t left)
{
    const json_t *const shape = json_object_get(json, "shape");
    const json_t *const q = json_object_get(json, "quantization");
    const double scale = json_number_value(json_object_get(q, "scale"));
    const double least = json_number_value(json_object_get(q, "min"));

    w->name = json_string_value(json_object_get(json, "name"));
    w->rank = (int) RP_MIN(json_array_size(shape), 5);
    w->bytes = bytes;
    w->n = 1;
    if (!w->name || w->rank > 4 || !q)
        return broken("a weight has no name, no scale or more than four dimensions");
    for (int i = 0; i < w->rank; i++) {
        w->dim[i] = json_integer_value(json_array_get(shape, (size_t) i));
        if (w->dim[i] < 1 || w->dim[i] > MAX_SIDE || (w->n *= (size_t) w->dim[i]) > left)
            return broken("the weights end too early");
    }
    for (int v = 0; v < 256; v++)
        w->table[v] = (float) (v * scale + least);
    return w->n > left ? broken("the weights end too early") : 0;
}

static int read_weights(struct importer *im, const char *text)
{
    size_t group, i, at = 0;
    json_t *one, *json;
    const char *const begin = exported(text, "\"");
    const json_t *const manifest = json_object_get(im->root, "weightsManifest");

    im->weights = calloc(MAX_WEIGHTS, sizeof(*im->weights));
    im->data = begin ? malloc(strlen(begin) + 1) : NULL;
    if (!begin)
        return broken("there are no weights");
    if (!im->weights || !im->data)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    const size_t size = decode(begin + 1, im->data);
    json_array_foreach(manifest, group, one)
    {
        json_array_foreach(json_object_get(one, "weights"), i, json)
        {
            struct weight *const w = &im->weights[im->n_weights];
            if (im->n_weights++ == MAX_WEIGHTS - 1)
                return broken("there are too many weights");
            RP_CHECK(read_weight(w, json, im->data + at, size - at));
            at += w->n;
        }
    }
    return 0;
}

/* The weight LAYER/PART, if it has so many dimensions. */
static const struct weight *find_weight(const struct importer *im, const char *layer,
                                        const char *part, int rank)
{
    const size_t n = strlen(layer);

    for (int i = 0; i < im->n_weights; i++) {
        const struct weight *const w = &im->weights[i];
        if (!strncmp(w->name, layer, n) && w->name[n] == '/' && !strcmp(w->name + n + 1, part))
            return w->rank == rank ? w : NULL;
    }
    return NULL;
}

static double value_of(const struct weight *w, size_t i)
{
    return w->table[w->bytes[i]];
}

/* ---- layers ------------------------------------------------------------------------------------
 */

static bool is_type(const struct layer *l, const char *type)
{
    return !strcmp(l->type, type);
}

static int read_layers(struct importer *im)
{
    size_t i;
    json_t *json;
    const json_t *const model =
        json_object_get(json_object_get(im->root, "modelTopology"), "model_config");
    const json_t *const layers = json_object_get(json_object_get(model, "config"), "layers");

    im->layers = calloc(MAX_LAYERS, sizeof(*im->layers));
    if (!im->layers)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    json_array_foreach(layers, i, json)
    {
        struct layer *const l = &im->layers[i];
        if (i == MAX_LAYERS)
            return broken("there are too many layers");
        l->name = json_string_value(json_object_get(json, "name"));
        l->type = json_string_value(json_object_get(json, "class_name"));
        l->config = json_object_get(json, "config");
        l->inputs = json_array_get(json_object_get(json, "inbound_nodes"), 0);
        if (!l->name || !l->type)
            return broken("a layer has no name");
        im->n_layers++;
    }
    return im->n_layers ? 0 : broken("there are no layers");
}

static const char *input_name(const struct layer *l, int i)
{
    return json_string_value(json_array_get(json_array_get(l->inputs, (size_t) i), 0));
}

/* The layer that is input i of another, among those before it; NULL if there is none. */
static const struct layer *input_of(const struct importer *im, const struct layer *l, int i)
{
    const char *const name = input_name(l, i);

    for (const struct layer *other = im->layers; name && other < l; other++) {
        if (!strcmp(other->name, name))
            return other;
    }
    return NULL;
}

/* The only user of a layer, NULL if there are others. */
static const struct layer *only_user(const struct importer *im, const struct layer *l)
{
    const struct layer *user = NULL;

    for (int i = 0; i < im->n_layers; i++) {
        for (int k = 0; input_name(&im->layers[i], k); k++) {
            if (strcmp(input_name(&im->layers[i], k), l->name) != 0)
                continue;
            if (user)
                return NULL;
            user = &im->layers[i];
        }
    }
    return user;
}

/* A list of two numbers: 1 if it is not there. */
static int64_t number_at(const json_t *list, size_t i)
{
    const json_t *const value = json_array_get(list, i);

    return value ? RP_CLAMP(json_integer_value(value), 0, MAX_SIDE) : 1;
}

/* Keras' "same": as little as possible, the odd one at the end. */
static void same_padding(int64_t size, int64_t kernel, int64_t stride, int64_t *begin, int64_t *end)
{
    const int64_t total = RP_MAX(((size + stride - 1) / stride - 1) * stride + kernel - size, 0);

    *begin = total / 2;
    *end = total - total / 2;
}

/* Factor and summand of each channel by the normalisation that follows. */
struct norm {
    double scale[MAX_SIDE];
    float bias[MAX_SIDE];
};

static int read_norm(const struct importer *im, const struct layer *l, int64_t channels,
                     struct norm *norm)
{
    const struct layer *const user = only_user(im, l);
    static const char *const parts[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    const struct weight *w[4];

    for (int64_t i = 0; i < channels; i++) {
        norm->scale[i] = 1;
        norm->bias[i] = 0;
    }
    if (!user || !is_type(user, "BatchNormalization"))
        return 0;
    const double epsilon = json_number_value(json_object_get(user->config, "epsilon"));
    for (int k = 0; k < 4; k++) {
        w[k] = find_weight(im, user->name, parts[k], 1);
        if (!w[k] || w[k]->dim[0] != channels)
            return broken("a normalisation has other channels than its convolution");
    }
    for (size_t i = 0; i < (size_t) channels; i++) {
        norm->scale[i] = value_of(w[0], i) / sqrt(value_of(w[3], i) + epsilon);
        norm->bias[i] = (float) (value_of(w[1], i) - value_of(w[2], i) * norm->scale[i]);
    }
    return 0;
}

/* ---- convolutions ------------------------------------------------------------------------------
 */

struct convolution {
    const struct weight *kernel;    /* [h][w][in][out] */
    bool depthwise, lead;           /* lead: a row and a column of zeros in front */
    int64_t out, in, height, width; /* of the result's kernel [out][in][h][w] */
    int64_t stride[2], pads[4];
};

static void fill_kernel(const struct convolution *c, const struct norm *norm, float *to)
{
    const int64_t *const dim = c->kernel->dim;

    for (int64_t o = 0; o < c->out; o++) {
        for (int64_t i = 0; i < c->in; i++) {
            for (int64_t at = 0; at < c->height * c->width; at++) {
                const int64_t y = at / c->width - c->lead, x = at % c->width - c->lead;
                const int64_t place =
                    (y * dim[1] + x) * dim[2] * dim[3] + (c->depthwise ? o : i * dim[3] + o);
                const double v = y < 0 || x < 0 ? 0 : value_of(c->kernel, (size_t) place);
                *to++ = (float) (v * norm->scale[o]); /* also 0: it may become -0 */
            }
        }
    }
}

static void put_convolution(struct importer *im, const struct layer *l, const struct convolution *c,
                            const struct norm *norm, const char *source, const float *kernel)
{
    char weight[128], bias[128], text[400];
    const struct rp_graph_attribute attributes[] = {
        {"group", NULL, 0, {c->depthwise ? c->out : 1}},
        {"kernel_shape", NULL, 2, {c->height, c->width}},
        {"pads", NULL, 4, {c->pads[0], c->pads[1], c->pads[2], c->pads[3]}},
        {"strides", NULL, 2, {c->stride[0], c->stride[1]}},
    };

    snprintf(weight, sizeof(weight), "%s.weight", l->name);
    snprintf(bias, sizeof(bias), "%s.bias", l->name);
    snprintf(text, sizeof(text), "Conv %s %s %s", source, weight, bias);
    rp_graph_file_floats(&im->file, weight, 4, (int64_t[]){c->out, c->in, c->height, c->width},
                         kernel);
    rp_graph_file_floats(&im->file, bias, 1, &c->out, norm->bias);
    rp_graph_file_node(&im->file, text, l->name, l->name, attributes, 4);
}

/* c->depthwise is given. */
static int plan_convolution(const struct importer *im, const struct layer *l,
                            const struct layer *from, struct convolution *c)
{
    const bool depthwise = c->depthwise;
    const struct output *const in = &from->out;
    const char *const padding = json_string_value(json_object_get(l->config, "padding"));
    const json_t *const strides = json_object_get(l->config, "strides");
    int64_t *const p = c->pads;

    c->kernel = find_weight(im, l->name, depthwise ? "depthwise_kernel" : "kernel", 4);
    if (!c->kernel || c->kernel->dim[2] != in->channels || (depthwise && c->kernel->dim[3] != 1))
        return broken("a convolution has no kernel of its size");
    const int64_t *const dim = c->kernel->dim;
    c->out = depthwise ? dim[2] : dim[3];
    c->in = depthwise ? 1 : dim[2];
    c->stride[0] = RP_MAX(number_at(strides, 0), 1);
    c->stride[1] = RP_MAX(number_at(strides, 1), 1);
    memcpy(p, from->pads, sizeof(from->pads));
    if (padding && !strcmp(padding, "same")) {
        same_padding(in->height, dim[0], c->stride[0], &p[0], &p[2]);
        same_padding(in->width, dim[1], c->stride[1], &p[1], &p[3]);
    }
    c->lead = p[2] == p[0] + 1 && p[3] == p[1] + 1;
    p[0] += c->lead;
    p[1] += c->lead;
    c->height = dim[0] + c->lead;
    c->width = dim[1] + c->lead;
    return 0;
}

static int convolution(struct importer *im, struct layer *l, const struct layer *from,
                       bool depthwise)
{
    struct convolution c = {.depthwise = depthwise};
    int ret;

    RP_CHECK(plan_convolution(im, l, from, &c));
    const size_t n = (size_t) (c.out * c.in * c.height * c.width);
    struct norm *const norm = malloc(sizeof(*norm));
    float *const kernel = malloc(RP_MAX(n, 1) * sizeof(*kernel));
    if (!norm || !kernel)
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    else if ((ret = read_norm(im, l, c.out, norm)) >= 0) {
        fill_kernel(&c, norm, kernel);
        put_convolution(im, l, &c, norm, from->out.name, kernel);
        l->out = (struct output){
            l->name, c.out, (from->out.height + c.pads[0] + c.pads[2] - c.height) / c.stride[0] + 1,
            (from->out.width + c.pads[1] + c.pads[3] - c.width) / c.stride[1] + 1};
    }
    free(norm);
    free(kernel);
    return ret;
}

/* ---- other layers ------------------------------------------------------------------------------
 */

/* The node "OPERATOR SOURCE MORE" of the layer. */
static void put_node(struct importer *im, const struct layer *l, const char *operator,
                     const char * source, const char *more)
{
    char text[400];
    const bool flat = !strcmp(operator, "Flatten");

    snprintf(text, sizeof(text), "%s %s%s", operator, source, more);
    rp_graph_file_node(&im->file, text, l->name, l->name,
                       &(struct rp_graph_attribute){"axis", NULL, 0, {1}}, flat);
}

static void put_table(struct importer *im, const char *name, const struct weight *w, float *room)
{
    for (size_t i = 0; i < w->n; i++)
        room[i] = w->table[w->bytes[i]];
    rp_graph_file_floats(&im->file, name, w->rank, w->dim, room);
}

static int dense(struct importer *im, struct layer *l, const struct layer *from)
{
    char weight[128], bias[128], text[400];
    const struct weight *const kernel = find_weight(im, l->name, "kernel", 2);
    const struct weight *const add = find_weight(im, l->name, "bias", 1);
    const char *const activation = json_string_value(json_object_get(l->config, "activation"));
    const bool relu = activation && !strcmp(activation, "relu");

    if (!kernel || !add || add->n > kernel->n || strlen(l->name) > 64)
        return broken("a dense layer has no weights");
    float *const room = malloc(kernel->n * sizeof(*room));
    char *const out = rp_asprintf("%s.%s", l->name, relu ? "relu" : "softmax");
    if (!room || !out) {
        free(room);
        free(out);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    snprintf(weight, sizeof(weight), "%s.weight", l->name);
    snprintf(bias, sizeof(bias), "%s.bias", l->name);
    put_table(im, weight, kernel, room);
    put_table(im, bias, add, room);
    free(room);
    snprintf(text, sizeof(text), "Gemm %s %s %s", from->out.name, weight, bias);
    rp_graph_file_node(&im->file, text, l->name, l->name, NULL, 0);
    snprintf(text, sizeof(text), "%s %s", relu ? "Relu" : "Softmax", l->name);
    rp_graph_file_node(&im->file, text, out, out,
                       &(struct rp_graph_attribute){"axis", NULL, 0, {1}}, !relu);
    json_object_set_new(l->config, "reprise", json_string(out)); /* lives as long as the layer */
    free(out);
    l->out = (struct output){json_string_value(json_object_get(l->config, "reprise")),
                             kernel->dim[1], 1, 1};
    return l->out.name ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

static void begin(struct importer *im, struct layer *l)
{
    rp_graph_file_floats(&im->file, "zero", 0, NULL, (float[]){0});
    rp_graph_file_floats(&im->file, "six", 0, NULL, (float[]){6});
    l->out = (struct output){"input", 3, SIDE, SIDE};
}

static void read_pads(struct layer *l)
{
    const json_t *const padding = json_object_get(l->config, "padding");

    for (size_t i = 0; i < 4; i++) /* [[top, bottom], [left, right]] */
        l->pads[i] = number_at(json_array_get(padding, i % 2), i / 2);
}

static int import_layer(struct importer *im, struct layer *l)
{
    const struct layer *const from = input_of(im, l, 0), *const other = input_of(im, l, 1);

    if (strlen(l->name) > 64)
        return broken("a layer's name is too long");
    if (is_type(l, "InputLayer")) {
        begin(im, l);
        return 0;
    }
    if (!from || !from->out.name)
        return broken("a layer has no input");
    l->out = from->out;
    if (is_type(l, "Conv2D") || is_type(l, "DepthwiseConv2D"))
        return convolution(im, l, from, is_type(l, "DepthwiseConv2D"));
    if (is_type(l, "Dense"))
        return dense(im, l, from);
    if (is_type(l, "ZeroPadding2D")) {
        read_pads(l);
        return 0;
    }
    if (is_type(l, "BatchNormalization") || is_type(l, "Dropout"))
        return 0;
    l->out.name = l->name;
    if (is_type(l, "ReLU")) {
        put_node(im, l, "Clip", from->out.name, " zero six");
    } else if (is_type(l, "Add") && other && other->out.name) {
        char more[80];
        snprintf(more, sizeof(more), " %s", other->out.name);
        put_node(im, l, "Add", from->out.name, more);
    } else if (is_type(l, "AveragePooling2D")) {
        put_node(im, l, "GlobalAveragePool", from->out.name, "");
        l->out.height = l->out.width = 1;
    } else if (is_type(l, "Flatten")) {
        put_node(im, l, "Flatten", from->out.name, "");
    } else {
        return broken("a layer is of an unknown kind");
    }
    return 0;
}

static int import_all(struct importer *im, const char *weights, uint8_t **data, size_t *size)
{
    static const struct rp_graph_facts facts = {
        .name = "nsfwjs",
        .doc = "nsfwjs 4.4.0 mobilenet_v2 (MIT), imported by reprise",
        .n_inputs = 1,
        .inputs = {{"input", 4, {1, 3, SIDE, SIDE}}},
        .output = {"output", 2, {1, CLASSES}},
        .metadata = {{"classes", "Drawing,Hentai,Neutral,Porn,Sexy"}, {"input", "RGB 0..1"}},
    };
    char text[80];

    RP_CHECK(read_weights(im, weights));
    RP_CHECK(read_layers(im));
    RP_CHECK(rp_graph_file_init(&im->file, NODES, MAX_SIZE));
    for (int i = 0; i < im->n_layers; i++)
        RP_CHECK(import_layer(im, &im->layers[i]));
    snprintf(text, sizeof(text), "Identity %s", im->layers[im->n_layers - 1].out.name);
    rp_graph_file_node(&im->file, text, "output", "output", NULL, 0);
    return rp_graph_file_make(&im->file, &facts, data, size);
}

int rp_tfjs_convert(const char *topology, const char *weights, uint8_t **data, size_t *size)
{
    struct importer im = {0};
    const char *const object = exported(topology, "{modelTopology:");

    im.root = object ? parse_object(object) : NULL;
    const int ret = im.root ? import_all(&im, weights, data, size) : broken("there are no layers");
    rp_graph_file_free(&im.file);
    free(im.layers);
    free(im.weights);
    free(im.data);
    json_decref(im.root);
    return ret;
}
