/* The mask of one crop, as a processor gets it: a helper of test_masks.py.
 *
 *     mask_run MODELS FOLDER W H [OPTION VALUE]...
 *
 * FOLDER holds crop.raw (8-bit BGR, W x H) and, if wanted, result.raw (floats of the same shape,
 * 0..255, that are to be pasted) and points.raw (68 points in the crop). The mask goes to mask.raw
 * as floats. An OPTION is named without dashes; the words of a list are one VALUE, with blanks.
 * Exit code: 0, or that of the command line, with the sentence on stderr. */
#include <math.h>

#include "engine/play.h"
#include "face/mask.h"

static const struct rp_opt_group *const groups[] = {&rp_mask_group, NULL};

struct work {
    struct rp_settings *settings;
    struct rp_engine *engine;
    struct rp_device *device;
    struct rp_store *store;
    struct rp_pool *pool;
    struct rp_slot *slot;
    struct rp_masks *masks;
    struct rp_masker *masker;
};

/* All of FOLDER/NAME into size bytes; false if there is no such file. */
static bool load(const char *folder, const char *name, void *data, size_t size)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *const file = fopen(path, "rb");
    if (!file)
        return false;
    if (fread(data, 1, size, file) != size || fgetc(file) != EOF) {
        fprintf(stderr, "%s: not %zu bytes\n", path, size);
        exit(1);
    }
    fclose(file);
    return true;
}

static int save(const char *folder, const char *name, const void *data, size_t size)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *const file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        return rp_fail(RP_ERR_IO, "%s: cannot be written", path);
    return 0;
}

static int open_all(struct work *k, const char *models, int w, int h, char **options)
{
    int ret;
    static const struct rp_mask_use use = {.chosen = RP_MASK_ALL};

    RP_TRY(rp_settings_create(&k->settings, groups));
    for (; *options; options += 2)
        RP_TRY(rp_settings_set_text(k->settings, options[0], options[1]));
    RP_TRY(rp_engine_create(&k->engine, NULL));
    RP_TRY(rp_device_cpu(&k->device));
    RP_TRY(rp_store_create(&k->store, models));
    RP_TRY(rp_pool_create(&k->pool, k->engine, k->device, k->store,
                          &(struct rp_pool_params){.threads = 1}));
    RP_TRY(rp_slot_create(&k->slot, k->device));
    RP_TRY(rp_masks_create(&k->masks, k->pool, k->settings, &use));
    RP_TRY(rp_masker_create(&k->masker, k->masks, k->slot, w, h));
    return 0;

fail:
    return ret;
}

static void close_all(struct work *k)
{
    rp_masker_destroy(&k->masker);
    rp_masks_destroy(&k->masks);
    rp_slot_destroy(&k->slot);
    rp_pool_destroy(&k->pool);
    rp_store_destroy(&k->store);
    rp_device_destroy(&k->device);
    rp_engine_destroy(&k->engine);
    rp_settings_destroy(&k->settings);
}

/* Twice: what the first run leaves must not matter. */
static int make_mask(struct work *k, const char *folder, int w, int h)
{
    int ret;
    const size_t n = (size_t) w * (size_t) h;
    struct rp_img crop;
    struct rp_dface *face;
    struct rp_affine *unmoved;
    float *result, *first = malloc(n * sizeof(*first));
    struct rp_list list = {0};

    RP_TRY(rp_slot_image(k->slot, w, h, 3, &crop));
    RP_TRY(rp_slot_alloc(k->slot, sizeof(*face), (void **) &face));
    RP_TRY(rp_slot_alloc(k->slot, 3 * n * sizeof(*result), (void **) &result));
    RP_TRY(rp_slot_constant(k->slot, &(struct rp_affine){{1, 0, 0, 0, 1, 0}, {1, 0, 0, 0, 1, 0}},
                            sizeof(*unmoved), (void **) &unmoved));
    uint8_t *const packed = calloc(n, 3);
    load(folder, "crop.raw", packed, 3 * n);
    for (int y = 0; y < h; y++)
        memcpy(crop.data + (ptrdiff_t) y * crop.stride, packed + (size_t) y * (size_t) w * 3,
               (size_t) w * 3);
    free(packed);
    load(folder, "points.raw", face->lm68, sizeof(face->lm68));
    const bool has_result = load(folder, "result.raw", result, 3 * n * sizeof(*result));

    rp_list_begin(&list, k->slot);
    rp_masker_record(k->masker, &(const struct rp_mask_of){
        .face = face, .affine = unmoved, .crop = &crop, .result = has_result ? result : NULL});
    RP_TRY(rp_list_end(k->slot));
    for (int i = 0; i < 2; i++) {
        RP_TRY(rp_play(&list, k->slot));
        RP_TRY(rp_slot_sync(k->slot));
        if (i == 0)
            memcpy(first, rp_masker_mask(k->masker), n * sizeof(*first));
    }
    ret = memcmp(first, rp_masker_mask(k->masker), n * sizeof(*first))
              ? rp_fail(RP_ERR_INVALID, "the second mask differs from the first")
              : save(folder, "mask.raw", first, n * sizeof(*first));

fail:
    rp_list_clear(&list);
    free(first);
    return ret;
}

int main(int argc, char **argv)
{
    struct work k = {0};
    int ret;

    if (argc < 5 || argc % 2 == 0) {
        fprintf(stderr, "usage: mask_run MODELS FOLDER W H [OPTION VALUE]...\n");
        return 2;
    }
    const int w = atoi(argv[3]), h = atoi(argv[4]);
    ret = open_all(&k, argv[1], w, h, argv + 5);
    if (ret >= 0)
        ret = make_mask(&k, argv[2], w, h);
    close_all(&k);
    return ret < 0 ? rp_exit_code(ret) : 0;
}
