/* A network over several rows, for frames in lockstep: from a file whose batch is open, or from a
 * file of one row that is changed in memory; a native one itself, whose weights are there once.
 * lockstep.c checks that the rows equal what the network gives one by one. */
#include "onnx/rows.h"

#include "engine/native.h"

static int open_edited(struct rp_model *m, int n)
{
    int ret;
    struct rp_onnx_image file;

    RP_CHECK(rp_onnx_load(&file, m->path));
    ret = rp_onnx_set_rows(&file, m->path, n);
    if (ret >= 0)
        ret = rp_model_open(&m->rows[n], m->engine, m->device,
                            &(struct rp_model_params){.path = m->path,
                                                      .name = m->name,
                                                      .threads = m->threads,
                                                      .cache = m->cache,
                                                      .layout = m->layout,
                                                      .deterministic = m->deterministic,
                                                      .by = m->by,
                                                      .precision = m->precision.taken,
                                                      .edited = &file,
                                                      .rows = n});
    rp_onnx_unmap(&file);
    return ret;
}

/* Is this the first size of every tensor? */
static bool all_begin_with(const struct rp_tensor_info *t, int n, int64_t size)
{
    for (int i = 0; i < n; i++)
        if (t[i].rank < 1 || t[i].dim[0] != size)
            return false;
    return n > 0;
}

void rp_model_rows_bad(struct rp_model *m, const char *why)
{
    rp_log(RP_LOG_DEBUG, "%s: one frame at a time: %s", m->name, why);
    m->one_row = true;
}

static int try_open(struct rp_model *m, int n)
{
    int ret;

    rp_log_hold(true);
    if (all_begin_with(m->in, m->nin, -1) && all_begin_with(m->out, m->nout, -1)) {
        ret = rp_onnx_check_rows(m->path);
        m->rows[n] = m;
    } else if (m->native) {
        ret = all_begin_with(m->in, m->nin, 1) && all_begin_with(m->out, m->nout, 1)
                  ? rp_native_rows(m, n)
                  : rp_fail(RP_ERR_MODEL, "%s: an input or output has not one row", m->path);
        m->rows[n] = m;
    } else {
        ret = open_edited(m, n);
    }
    rp_log_hold(false);
    if (ret < 0)
        rp_model_rows_bad(m, rp_last_error());
    else if (m->recordable && !m->rows[n]->recordable)
        rp_model_rows_bad(m, "over several rows it cannot be recorded");
    return ret == RP_ERR_NOMEM || ret == RP_ERR_DEVICE_MEM ? ret : 0; /* else there just is none */
}

int rp_model_rows(struct rp_model **out, struct rp_model *m, int n)
{
    *out = NULL;
    if (m->one_row || m->tensorrt || m->sum.sha256 || n < 2 || n > RP_MAX_LANES)
        return 0;
    if (!m->rows[n])
        RP_CHECK(try_open(m, n));
    *out = m->one_row ? NULL : m->rows[n];
    return 0;
}
