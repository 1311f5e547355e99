#include "face/parts.h"

const double rp_imagenet_mean[3] = {0.485, 0.456, 0.406},
             rp_imagenet_std[3] = {0.229, 0.224, 0.225};

void rp_model_list_add(struct rp_model_list *list, enum rp_model_kind kind, const char *name)
{
    const size_t n = strlen(list->text);

    snprintf(list->text + n, sizeof(list->text) - n, "%s%s=%s", n ? " " : "",
             rp_model_kind_name(kind), name);
}

int rp_part_lut(struct rp_slot *slot, double div, const double mean[3], const double std[3],
                float **out)
{
    float lut[3][256];

    rp_tensor_lut(lut, div, mean, std);
    return rp_slot_constant(slot, lut, sizeof(lut), (void **) out);
}

int rp_part_batch(struct rp_batch **out, struct rp_net *net)
{
    int ret;
    const struct rp_slot *const slot = net->slot;

    *out = NULL;
    rp_log_hold(true);
    ret = rp_batch_open(out, net, slot->batch);
    rp_log_hold(false);
    if (ret < 0)
        rp_log(RP_LOG_WARN, "%s claims an open batch but fails with it; faces go one by one: %s",
               rp_model_name(net->model), rp_last_error());
    return 0;
}

int rp_part_expect(const struct rp_net *net, int output, enum rp_type type, size_t n,
                   const char *what)
{
    const struct rp_tensor *const t = &net->out[output];

    if (t->count != n)
        return rp_fail(RP_ERR_MODEL, "%s: gives %zu numbers as output %d, %s gives %zu",
                       rp_model_name(net->model), t->count, output + 1, what, n);
    if (t->type != type)
        return rp_fail(RP_ERR_MODEL, "%s: output %d is not of the type that %s has there, %s",
                       rp_model_name(net->model), output + 1, what,
                       type == RP_TYPE_I64 ? "int64" : "float32");
    return 0;
}
