/* The tables of models: complete, in order, and without contradictions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "models/catalogue.h"

static bool is_lite(const struct rp_model_entry *e)
{
    return e->flags & RP_MODEL_LITE;
}

/* FaceFusion's number of choices and of files for each kind. */
static void test_counts(void **state)
{
    static const struct {
        int choices, files;
    } want[RP_KIND_COUNT] = {
        [RP_KIND_FACE_DETECTOR] = {4, 4},        [RP_KIND_FACE_LANDMARKER] = {2, 2},
        [RP_KIND_FACE_LANDMARKER_5_68] = {1, 1}, [RP_KIND_FACE_RECOGNIZER] = {1, 1},
        [RP_KIND_FACE_CLASSIFIER] = {1, 1},      [RP_KIND_FACE_OCCLUDER] = {3, 3},
        [RP_KIND_FACE_PARSER] = {2, 2},          [RP_KIND_CONTENT_ANALYSER] = {3, 3},
        [RP_KIND_VOICE_EXTRACTOR] = {3, 3},      [RP_KIND_FACE_SWAPPER] = {13, 13},
        [RP_KIND_EMBEDDING_CONVERTER] = {0, 3},  [RP_KIND_DEEP_SWAPPER] = {157, 157},
        [RP_KIND_FACE_ENHANCER] = {9, 9},        [RP_KIND_LIVE_PORTRAIT] = {1, 6},
        [RP_KIND_AGE_MODIFIER] = {2, 2},         [RP_KIND_LIP_SYNCER] = {3, 3},
        [RP_KIND_FRAME_ENHANCER] = {19, 19},     [RP_KIND_FRAME_COLORIZER] = {5, 5},
        [RP_KIND_BACKGROUND_REMOVER] = {15, 15},
    };
    int choices[RP_KIND_COUNT] = {0}, files[RP_KIND_COUNT] = {0}, onnx = 0, dfm = 0, lite = 0;
    int count;
    const struct rp_model_entry *all = rp_catalogue(&count);
    (void) state;

    for (int i = 0; i < count; i++) {
        if (is_lite(&all[i])) {
            lite++;
            continue;
        }
        files[all[i].kind]++;
        choices[all[i].kind] += !(all[i].flags & RP_MODEL_PART);
        onnx += strstr(all[i].file, ".onnx") != NULL;
        dfm += strstr(all[i].file, ".dfm") != NULL;
    }
    for (int kind = 0; kind < RP_KIND_COUNT; kind++) {
        assert_int_equal(choices[kind], want[kind].choices);
        assert_int_equal(files[kind], want[kind].files);
    }
    assert_int_equal(onnx, 95);
    assert_int_equal(dfm, 157);
    assert_int_equal(lite, 7);
    assert_int_equal(count, 252 + 7);
    assert_ptr_equal(rp_catalogue(NULL), all);
}

static void test_entries(void **state)
{
    int count;
    const struct rp_model_entry *all = rp_catalogue(&count);
    (void) state;

    for (int i = 0; i < count; i++) {
        const struct rp_model_entry *e = &all[i];
        assert_true(i == 0 || e->kind >= all[i - 1].kind);
        assert_non_null(e->vendor);
        assert_non_null(e->licence);
        assert_true(e->year == 0 || (e->year >= 2018 && e->year <= 2026));
        assert_ptr_equal(rp_catalogue_find(e->kind, e->name), e);
        assert_true(e->file[0] != '/' && !strstr(e->file, ".."));
        assert_true(is_lite(e) ? !e->base : e->base && !e->origin);
        assert_false((e->flags & RP_MODEL_PART) && (e->flags & RP_MODEL_DEFAULT));
        if (e->sha256) {
            assert_int_equal(strlen(e->sha256), 64);
            assert_int_equal(strspn(e->sha256, "0123456789abcdef"), 64);
            assert_true(e->size > 0);
        }
        for (int k = 0; k < i; k++)
            assert_string_not_equal(e->file, all[k].file);
    }
}

/* Scopes of the deep swappers, and the resolutions in their names. */
static void test_deep_swappers(void **state)
{
    static const struct {
        const char *part;
        int count;
    } want[] = {{"druuzil/", 77},  {"edel/", 5},  {"iperov/", 24}, {"jen/", 7},  {"mats/", 17},
                {"rumateus/", 27}, {"_224.", 75}, {"_256.", 1},    {"_288.", 2}, {"_320.", 49},
                {"_352.", 2},      {"_384.", 27}, {"_448.", 1}};
    int count;
    const struct rp_model_entry *all = rp_catalogue(&count);
    (void) state;

    for (size_t w = 0; w < RP_ARRAY_LEN(want); w++) {
        int n = 0;
        for (int i = 0; i < count; i++)
            n += all[i].kind == RP_KIND_DEEP_SWAPPER && strstr(all[i].file, want[w].part);
        assert_int_equal(n, want[w].count);
    }
    const struct rp_model_entry *e = rp_catalogue_find(RP_KIND_DEEP_SWAPPER, "jen/ella_freya_224");
    assert_non_null(e);
    assert_string_equal(e->file, "jen/ella_freya_224.dfm");
    assert_string_equal(e->base, "deepfacelive-models-jen");
}

static void test_find(void **state)
{
    (void) state;
    const struct rp_model_entry *e = rp_catalogue_find(RP_KIND_FACE_DETECTOR, "yolo_face");
    assert_non_null(e);
    assert_string_equal(e->file, "yoloface_8n.onnx");
    assert_string_equal(e->licence, "GPL-3.0");
    assert_int_equal(e->crc32, 0xf9a0382f);
    assert_null(rp_catalogue_find(RP_KIND_FACE_SWAPPER, "yolo_face"));
    assert_null(rp_catalogue_find(RP_KIND_FACE_DETECTOR, "many"));
    assert_null(rp_catalogue_find(RP_KIND_FACE_DETECTOR, ""));
    assert_null(rp_catalogue_find(RP_KIND_FACE_DETECTOR, NULL));
    e = rp_catalogue_find(RP_KIND_EMBEDDING_CONVERTER, "crossface_simswap");
    assert_non_null(e);
    assert_string_equal(e->base, "models-3.4.0");
    e = rp_catalogue_find(RP_KIND_LIVE_PORTRAIT, "live_portrait");
    assert_non_null(e);
    assert_string_equal(e->file, "live_portrait_motion_extractor.onnx");
}

/* One default for each kind, except converters, and the lite one that replaces it. */
static void test_defaults(void **state)
{
    static const struct {
        const char *kind, *def, *lite;
    } want[RP_KIND_COUNT] = {
        [RP_KIND_FACE_DETECTOR] = {"face_detector", "yolo_face", "ultraface"},
        [RP_KIND_FACE_LANDMARKER] = {"face_landmarker", "2dfan4", "fr_landmark"},
        [RP_KIND_FACE_LANDMARKER_5_68] = {"face_landmarker_5_68", "fan_68_5"},
        [RP_KIND_FACE_RECOGNIZER] = {"face_recognizer", "arcface", "fr_feature"},
        [RP_KIND_FACE_CLASSIFIER] = {"face_classifier", "fairface", "fr_age_gender"},
        [RP_KIND_FACE_OCCLUDER] = {"face_occluder", "xseg_1"},
        [RP_KIND_FACE_PARSER] = {"face_parser", "bisenet_resnet_34"},
        [RP_KIND_CONTENT_ANALYSER] = {"content_analyser", "nsfw_1", "nsfwjs"},
        [RP_KIND_VOICE_EXTRACTOR] = {"voice_extractor", "kim_vocal_2"},
        [RP_KIND_FACE_SWAPPER] = {"face_swapper", "hyperswap_1a_256", "classic_256"},
        [RP_KIND_EMBEDDING_CONVERTER] = {"embedding_converter"},
        [RP_KIND_DEEP_SWAPPER] = {"deep_swapper", "iperov/elon_musk_224"},
        [RP_KIND_FACE_ENHANCER] = {"face_enhancer", "gfpgan_1.4"},
        [RP_KIND_LIVE_PORTRAIT] = {"live_portrait", "live_portrait"},
        [RP_KIND_AGE_MODIFIER] = {"age_modifier", "fran"},
        [RP_KIND_LIP_SYNCER] = {"lip_syncer", "wav2lip_gan_96"},
        [RP_KIND_FRAME_ENHANCER] = {"frame_enhancer", "span_kendata_x4"},
        [RP_KIND_FRAME_COLORIZER] = {"frame_colorizer", "ddcolor"},
        [RP_KIND_BACKGROUND_REMOVER] = {"background_remover", "modnet"},
    };
    int count, defaults = 0;
    const struct rp_model_entry *all = rp_catalogue(&count);
    (void) state;

    for (int kind = 0; kind < RP_KIND_COUNT; kind++) {
        const struct rp_model_entry *def = rp_catalogue_default(kind);
        const struct rp_model_entry *lite = rp_catalogue_lite(kind);
        assert_string_equal(rp_model_kind_name(kind), want[kind].kind);
        assert_int_equal(def != NULL, want[kind].def != NULL);
        assert_int_equal(lite != NULL, want[kind].lite != NULL);
        if (def)
            assert_string_equal(def->name, want[kind].def);
        if (lite)
            assert_string_equal(lite->name, want[kind].lite);
    }
    for (int i = 0; i < count; i++)
        defaults += (all[i].flags & RP_MODEL_DEFAULT) != 0;
    assert_int_equal(defaults, RP_KIND_COUNT - 1);
}

/* Words of a list as one string, separated by blanks. */
static const char *joined(const char *const *list)
{
    static char text[16384];
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; list[i] && n < sizeof(text); i++)
        n += (size_t) snprintf(text + n, sizeof(text) - n, i ? " %s" : "%s", list[i]);
    return text;
}

static void test_choices(void **state)
{
    (void) state;
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_DETECTOR)),
                        "many retinaface scrfd yolo_face yunet ultraface");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_LANDMARKER)),
                        "many 2dfan4 peppa_wutz fr_landmark");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_CLASSIFIER)),
                        "fairface fr_age_gender");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_OCCLUDER)),
                        "many xseg_1 xseg_2 xseg_3");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_PARSER)),
                        "bisenet_resnet_18 bisenet_resnet_34");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_CONTENT_ANALYSER)),
                        "many nsfw_1 nsfw_2 nsfw_3 nsfwjs");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_SWAPPER)),
                        "blendswap_256 ghost_1_256 ghost_2_256 ghost_3_256 hififace_unofficial_256 "
                        "hyperswap_1a_256 hyperswap_1b_256 hyperswap_1c_256 inswapper_128 "
                        "inswapper_128_fp16 simswap_256 simswap_unofficial_512 uniface_256 "
                        "classic_256");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_FACE_ENHANCER)),
                        "codeformer gfpgan_1.2 gfpgan_1.3 gfpgan_1.4 gpen_bfr_256 gpen_bfr_512 "
                        "gpen_bfr_1024 gpen_bfr_2048 restoreformer_plus_plus");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_LIVE_PORTRAIT)), "live_portrait");
    assert_string_equal(joined(rp_catalogue_choices(RP_KIND_EMBEDDING_CONVERTER)), "");

    const char *const *last = rp_catalogue_choices(RP_KIND_BACKGROUND_REMOVER);
    int n = 0;
    while (last[n])
        n++;
    assert_int_equal(n, 15);
    assert_string_equal(last[14], "u2netp");
    const char *const *deep = rp_catalogue_choices(RP_KIND_DEEP_SWAPPER);
    for (n = 0; deep[n]; n++)
        ;
    assert_int_equal(n, 157);
    assert_string_equal(deep[0], "druuzil/adam_levine_320");
}

/* What a user must know before using a model is in the table, not only in the manual. */
static void test_licences(void **state)
{
    (void) state;
    static const char *const faceplugin = "package MIT, origin of weights unstated";
    assert_string_equal(rp_catalogue_lite(RP_KIND_FACE_DETECTOR)->licence, faceplugin);
    assert_string_equal(rp_catalogue_lite(RP_KIND_FACE_RECOGNIZER)->licence, faceplugin);
    assert_string_equal(rp_catalogue_lite(RP_KIND_CONTENT_ANALYSER)->licence, "MIT");
    assert_string_equal(rp_catalogue_lite(RP_KIND_CONTENT_ANALYSER)->origin, "nsfwjs@4.4.0");
    assert_string_equal(rp_catalogue_lite(RP_KIND_FACE_SWAPPER)->vendor, "reprise");
    assert_null(rp_catalogue_lite(RP_KIND_FACE_SWAPPER)->origin);
    assert_string_equal(rp_catalogue_find(RP_KIND_FACE_SWAPPER, "inswapper_128")->licence,
                        "Non-Commercial");
    assert_string_equal(rp_catalogue_default(RP_KIND_DEEP_SWAPPER)->licence, "not stated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_deep_swappers), cmocka_unit_test(test_find),
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_choices),
        cmocka_unit_test(test_licences),
    };
    return cmocka_run_group_tests_name("catalogue", tests, NULL, NULL);
}
