/* A whole ONNX file of many nodes and weights, field by field as tools/onnx_writer.py writes it, so
 * that the same network has the same bytes. Nodes and weights may be added in any order of the two.
 */
#ifndef RP_GRAPH_FILE_H
#define RP_GRAPH_FILE_H

#include "onnx/write.h"

struct rp_graph_file {
    struct rp_onnx_out nodes, weights;
};

/* @param nodes, weights  bytes that there is room for
 * Then also after a failure rp_graph_file_free(). */
int rp_graph_file_init(struct rp_graph_file *g, size_t nodes, size_t weights);
void rp_graph_file_free(struct rp_graph_file *g);

/* An attribute of a node; lists are of at most four. Those of a node are in the order of their
 * names. */
struct rp_graph_attribute {
    const char *name, *text; /* text: NULL for numbers */
    int n;                   /* of a list; 0: one number */
    int64_t v[4];
};

/* A node "Clip x zero six", whose one output has its name. "-" is an input left out. */
void rp_graph_file_node(struct rp_graph_file *g, const char *text, const char *name,
                        const char *output, const struct rp_graph_attribute *attributes, int n);

/* A weight of float32, or of int64. */
void rp_graph_file_floats(struct rp_graph_file *g, const char *name, int rank, const int64_t *dim,
                          const float *values);
void rp_graph_file_ints(struct rp_graph_file *g, const char *name, int64_t n,
                        const int64_t *values);

struct rp_graph_value {
    const char *name;
    int rank;
    int64_t dim[4];
};

struct rp_graph_facts {
    const char *name, *doc;
    int n_inputs;
    struct rp_graph_value inputs[2], output;
    struct {
        const char *key, *value;
    } metadata[2]; /* in the order of their keys; a NULL ends them */
};

/* The file of all that was added, of operator set 13, on the heap. RP_ERR_LIMIT when it did not
 * fit. */
int rp_graph_file_make(const struct rp_graph_file *g, const struct rp_graph_facts *facts,
                       uint8_t **data, size_t *size);

#endif /* RP_GRAPH_FILE_H */
