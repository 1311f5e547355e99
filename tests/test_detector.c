/* A detector with official weights on an input recorded from FaceFusion: the same boxes, scores and
 * points. Weights and recorded data are not in the checkout; without them the test is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "npy.h"

#define RATIO 1.6f /* of the recorded picture (1024x1024) to the detector's input */

static char shared[1024];

static int find_shared(void **state)
{
    const char *const env = getenv("REPRISE_SHARED"), *const source = getenv("REPRISE_SOURCE");

    (void) state;
    if (env)
        snprintf(shared, sizeof(shared), "%s", env);
    else
        snprintf(shared, sizeof(shared), "%s/../shared", source ? source : ".");
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[2048];

    snprintf(path, sizeof(path), "%s/%s", shared, name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s\n", name);
        skip();
    }
    return path;
}

static struct npy recorded(const char *name)
{
    struct npy a = {0};
    char path[512];

    snprintf(path, sizeof(path), "fixtures/face_detector/%s", name);
    assert_int_equal(npy_read(path_of(path), &a), 0);
    return a;
}

/* Candidate i is entry i of the record. */
static bool equals(const struct rp_candidate *c, const struct npy *boxes, const struct npy *points,
                   const struct npy *scores, size_t i)
{
    bool same = fabs((double) c->score - npy_at(scores, i)) < 1e-5;

    for (size_t k = 0; k < 4; k++)
        same = same && fabs((double) c->box[k] - npy_at(boxes, 4 * i + k)) < 0.01;
    for (size_t k = 0; k < 10; k++)
        same = same && fabs((double) c->lm5[k] - npy_at(points, 10 * i + k)) < 0.01;
    return same;
}

static void test_yunet(void **state)
{
    struct rp_engine *engine;
    struct rp_device *device;
    struct rp_model *model;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_op_decode decode = {.decoder = RP_DECODE_YUNET, .w = 640, .h = 640, .threshold = 0.5f,
                                  .ratio_x = RATIO, .ratio_y = RATIO, .first = 1};
    struct npy input = recorded("model_input/source_640x640/raw.npy.gz");
    struct npy boxes = recorded("yunet/source_640x640/bounding_boxes.npy");
    struct npy points = recorded("yunet/source_640x640/face_landmarks_5.npy");
    struct npy scores = recorded("yunet/source_640x640/face_scores.npy");

    (void) state;
    assert_int_equal(rp_engine_create(&engine, NULL), 0);
    assert_int_equal(rp_device_cpu(&device), 0);
    assert_int_equal(rp_slot_create(&slot, device), 0);
    assert_int_equal(rp_model_open(&model, engine, device, &(struct rp_model_params){
        .path = path_of("models/yunet_2023mar.onnx"), .threads = 1}), 0);
    assert_int_equal(rp_net_open(&net, slot, model, NULL), 0);
    assert_int_equal(net->nout, 12);
    assert_int_equal(net->in[0].bytes, input.n * 4);
    if (input.data)
        memcpy(net->in[0].data, input.data, input.n * 4);
    assert_int_equal(rp_net_run(net), 0);

    assert_int_equal(rp_slot_alloc(slot, sizeof(*decode.dst), (void **) &decode.dst), 0);
    for (int i = 0; i < 12; i++)
        decode.t[i] = net->out[i].data;
    assert_int_equal(slot->device->ops->decode(slot->stream, &decode), 0);
    assert_int_equal(decode.dst->count, scores.n);
    assert_int_equal(decode.dst->has_landmarks, 1);
    for (size_t i = 0; i < scores.n; i++)
        assert_true(equals(&decode.dst->c[i], &boxes, &points, &scores, i));

    rp_net_close(&net);
    rp_model_close(&model);
    rp_slot_destroy(&slot);
    rp_device_destroy(&device);
    rp_engine_destroy(&engine);
    free(input.data);
    free(boxes.data);
    free(points.data);
    free(scores.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yunet),
    };

    return cmocka_run_group_tests(tests, find_shared, NULL);
}
