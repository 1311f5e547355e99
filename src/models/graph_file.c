#include "models/graph_file.h"

/* Fields of onnx.proto. */
enum { MODEL_IR = 1, MODEL_PRODUCER, MODEL_DOC = 6, MODEL_GRAPH, MODEL_OPSET, MODEL_METADATA = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OPERATOR, NODE_ATTRIBUTE };
enum { ATTRIBUTE_INT = 3, ATTRIBUTE_TEXT, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_INT = 2, TYPE_TEXT = 3, TYPE_INTS = 7 };
enum { IR_VERSION = 8, OPSET = 13, MORE = 4096 };

int rp_graph_file_init(struct rp_graph_file *g, size_t nodes, size_t weights)
{
    *g = (struct rp_graph_file){.nodes = {.data = malloc(nodes), .size = nodes},
                                .weights = {.data = malloc(weights), .size = weights}};
    return g->nodes.data && g->weights.data ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

void rp_graph_file_free(struct rp_graph_file *g)
{
    free(g->nodes.data);
    free(g->weights.data);
    *g = (struct rp_graph_file){0};
}

static void put_attribute(struct rp_onnx_out *out, const struct rp_graph_attribute *a)
{
    const size_t at = rp_onnx_begin(out, NODE_ATTRIBUTE);

    rp_onnx_put_text(out, 1, a->name);
    if (a->text)
        rp_onnx_put_text(out, ATTRIBUTE_TEXT, a->text);
    else if (!a->n)
        rp_onnx_put_number(out, ATTRIBUTE_INT, (uint64_t) a->v[0]);
    for (int i = 0; i < a->n; i++)
        rp_onnx_put_number(out, ATTRIBUTE_INTS, (uint64_t) a->v[i]);
    rp_onnx_put_number(out, ATTRIBUTE_TYPE, a->text ? TYPE_TEXT : a->n ? TYPE_INTS : TYPE_INT);
    rp_onnx_end(out, at);
}

void rp_graph_file_node(struct rp_graph_file *g, const char *text, const char *name,
                        const char *output, const struct rp_graph_attribute *attributes, int n)
{
    const size_t operator_length = strcspn(text, " ");
    const size_t node = rp_onnx_begin(&g->nodes, GRAPH_NODE);
    const char *word = text + operator_length;

    while (*word++ == ' ') {
        const size_t length = strcspn(word, " ");
        rp_onnx_put_bytes(&g->nodes, NODE_INPUT, word, length == 1 && *word == '-' ? 0 : length);
        word += length;
    }
    rp_onnx_put_text(&g->nodes, NODE_OUTPUT, output);
    rp_onnx_put_text(&g->nodes, NODE_NAME, name);
    rp_onnx_put_bytes(&g->nodes, NODE_OPERATOR, text, operator_length);
    for (int i = 0; i < n; i++)
        put_attribute(&g->nodes, &attributes[i]);
    rp_onnx_end(&g->nodes, node);
}

void rp_graph_file_floats(struct rp_graph_file *g, const char *name, int rank, const int64_t *dim,
                          const float *values)
{
    size_t n = sizeof(float);

    for (int i = 0; i < rank; i++)
        n *= (size_t) dim[i];
    rp_onnx_put_weight(&g->weights, name, RP_ONNX_FLOAT, rank, dim, values, n);
}

void rp_graph_file_ints(struct rp_graph_file *g, const char *name, int64_t n, const int64_t *values)
{
    rp_onnx_put_weight(&g->weights, name, RP_ONNX_INT64, 1, &n, values,
                       (size_t) n * sizeof(*values));
}

static void put_end(struct rp_onnx_out *out, const struct rp_graph_facts *facts)
{
    const size_t opset = rp_onnx_begin(out, MODEL_OPSET);

    rp_onnx_put_text(out, 1, "");
    rp_onnx_put_number(out, 2, OPSET);
    rp_onnx_end(out, opset);
    for (size_t i = 0; i < RP_ARRAY_LEN(facts->metadata) && facts->metadata[i].key; i++) {
        const size_t entry = rp_onnx_begin(out, MODEL_METADATA);
        rp_onnx_put_text(out, 1, facts->metadata[i].key);
        rp_onnx_put_text(out, 2, facts->metadata[i].value);
        rp_onnx_end(out, entry);
    }
}

static void put_bytes(struct rp_onnx_out *out, const struct rp_onnx_out *what)
{
    out->full |= what->full || what->n > out->size - out->n;
    if (out->full)
        return;
    memcpy(out->data + out->n, what->data, what->n);
    out->n += what->n;
}

static void put_value(struct rp_onnx_out *out, enum rp_onnx_list list,
                      const struct rp_graph_value *v)
{
    rp_onnx_put_value(out, list, v->name, v->rank, v->dim);
}

int rp_graph_file_make(const struct rp_graph_file *g, const struct rp_graph_facts *facts,
                       uint8_t **data, size_t *size)
{
    struct rp_onnx_out out = {.size = g->nodes.n + g->weights.n + MORE};

    out.data = malloc(out.size);
    if (!out.data)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_onnx_put_number(&out, MODEL_IR, IR_VERSION);
    rp_onnx_put_text(&out, MODEL_PRODUCER, "reprise");
    rp_onnx_put_text(&out, MODEL_DOC, facts->doc);
    const size_t graph = rp_onnx_begin(&out, MODEL_GRAPH);
    put_bytes(&out, &g->nodes);
    rp_onnx_put_text(&out, GRAPH_NAME, facts->name);
    put_bytes(&out, &g->weights);
    for (int i = 0; i < facts->n_inputs; i++)
        put_value(&out, RP_ONNX_INPUT, &facts->inputs[i]);
    put_value(&out, RP_ONNX_OUTPUT, &facts->output);
    rp_onnx_end(&out, graph);
    put_end(&out, facts);
    if (out.full) {
        free(out.data);
        return rp_fail(RP_ERR_LIMIT, "%s: the network is larger than expected", facts->name);
    }
    *data = out.data;
    *size = out.n;
    return 0;
}
