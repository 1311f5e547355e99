#include <pthread.h>

#include "models/catalogue.h"

/* The columns of the table below. A file's name is the model's name plus ".onnx" unless given.
 * "..." stands for the flags and, where known, size, CRC-32 and SHA-256. */
#define FF(kind, name, vendor, licence, year, release, ...)                                        \
    FF_FILE(kind, name, name ".onnx", vendor, licence, year, release, __VA_ARGS__)
#define FF_FILE(kind, name, file, vendor, licence, year, release, ...)                             \
    {RP_KIND_##kind, name, file, vendor, licence, year, "models-" release, NULL, __VA_ARGS__}
#define DEEP(scope, name) DEEP_FLAGS(scope, name, 0)
#define DEEP_DEFAULT(scope, name) DEEP_FLAGS(scope, name, DEFAULT)
#define DEEP_FLAGS(scope, name, flags)                                                             \
    {RP_KIND_DEEP_SWAPPER, #scope "/" #name, #scope "/" #name ".dfm", #scope, "not stated", 0,     \
     "deepfacelive-models-" #scope, NULL, flags}
#define LITE(kind, name, file, vendor, licence, year, package, flags, ...)                         \
    {RP_KIND_##kind, name, file, vendor, licence, year, NULL, package, RP_MODEL_LITE | (flags),    \
     ##__VA_ARGS__}

#define FR_PACKAGE "faceplugin-face-recognition-js@0.0.1"
#define FR_LICENCE "package MIT, origin of weights unstated"

enum { DEFAULT = RP_MODEL_DEFAULT, PART = RP_MODEL_PART };

/* clang-format off */
static const struct rp_model_entry entries[] = {
    FF_FILE(FACE_DETECTOR, "retinaface", "retinaface_10g.onnx", "InsightFace", "Non-Commercial", 2020, "3.0.0", 0,
            16926877, 0x75b598f8, "808399c3d0b40ed340634ed590ae564a7caa09e5659916923a95d4470b54ff5a"),
    FF_FILE(FACE_DETECTOR, "scrfd", "scrfd_2.5g.onnx", "InsightFace", "Non-Commercial", 2021, "3.0.0", 0,
            3295067, 0xd0266d7d, "2c07342347cef21a619c49dd5664fb8c09570ae9eda5bff3e385c11eafc45ada"),
    FF_FILE(FACE_DETECTOR, "yolo_face", "yoloface_8n.onnx", "derronqi", "GPL-3.0", 2022, "3.0.0", DEFAULT,
            12659761, 0xf9a0382f, "821cdbb1e65fbbabdde7dd0933f754797a343e56fd962729c61ffcefcd135929"),
    FF_FILE(FACE_DETECTOR, "yunet", "yunet_2023_mar.onnx", "OpenCV", "MIT", 2023, "3.4.0", RP_MODEL_BYTES),
    LITE(FACE_DETECTOR, "ultraface", "fr_detect.onnx", "Faceplugin", FR_LICENCE, 0, FR_PACKAGE, 0,
         1217758, 0xa1a62d27, "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854"),

    FF(FACE_LANDMARKER, "2dfan4", "breadbread1984", "MIT", 2018, "3.0.0", DEFAULT,
       97904803, 0xa948738e, "678c6fa539d52335a31c980feefdf4a6e02d781d83dce00af8a894f114557285"),
    FF(FACE_LANDMARKER, "peppa_wutz", "Unknown", "Apache-2.0", 2023, "3.0.0", 0,
       13753559, 0xeb82cb4f, "ff2de0fa5ceb8aad8c8d037ba2fab8afe90ace34626f3268aae5a56965015776"),
    LITE(FACE_LANDMARKER, "fr_landmark", "fr_landmark.onnx", "Faceplugin", FR_LICENCE, 0, FR_PACKAGE, 0,
         1163742, 0xa16650df, "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258"),

    FF(FACE_LANDMARKER_5_68, "fan_68_5", "FaceFusion", "OpenRAIL-M", 2024, "3.0.0", DEFAULT,
       944321, 0x95c4a198, "ea05f7d9d014ae1d9cdc6e9c72643d8f00d198b5db3fdd384148ddff499a613e"),

    FF_FILE(FACE_RECOGNIZER, "arcface", "arcface_w600k_r50.onnx", "InsightFace", "Non-Commercial", 2018, "3.0.0", DEFAULT,
            174388474, 0x1f5fefb8, "f1f79dc3b0b79a69f94799af1fffebff09fbd78fd96a275fd8f0cbbea23270d1"),
    LITE(FACE_RECOGNIZER, "fr_feature", "fr_feature.onnx", "Faceplugin", FR_LICENCE, 0, FR_PACKAGE, 0,
         4884269, 0x2aa5259c, "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581"),

    FF(FACE_CLASSIFIER, "fairface", "dchen236", "CC-BY-4.0", 2021, "3.0.0", DEFAULT,
       85170772, 0x10d79769, "b176b1e4b0739496e7943af7ba4ff306271fecf837bca5ec5d9a48201959db37"),
    LITE(FACE_CLASSIFIER, "fr_age_gender", "fr_gender.onnx", "Faceplugin", FR_LICENCE, 0, FR_PACKAGE, 0,
         343725, 0xc37189fb, "a003e8392a617ca834c7ca2c01e0895f5c354217fb56cd0373935e6e9b9c396e"),
    LITE(FACE_CLASSIFIER, "fr_age", "fr_age.onnx", "Faceplugin", FR_LICENCE, 0, FR_PACKAGE, PART,
         201280, 0xd4c23b03, "74c9b01700cb9ef96f7190a2230218414ff99d231415c4b091a755780cad5e8a"),

    FF(FACE_OCCLUDER, "xseg_1", "DeepFaceLab", "GPL-3.0", 2021, "3.1.0", DEFAULT,
       70324286, 0xf207afe3, "c4d1498b8a03b5fe2a3a5d2ef2a0402ab03bd51edaf5b2d8d5fb764702a97dd3"),
    FF(FACE_OCCLUDER, "xseg_2", "DeepFaceLab", "GPL-3.0", 2021, "3.1.0", 0,
       70324286, 0x1cae7137, "cd9a0879eaf43841d765472cf1f8c330dbf9dcb03da0eace93e95f3bcc399042"),
    FF(FACE_OCCLUDER, "xseg_3", "DeepFaceLab", "GPL-3.0", 2021, "3.2.0", 0,
       70327709, 0xe99b694c, "48ccd7e8541e159a5a754ec9e62df2f12065f7df8f9af842c1750342c6533559"),

    FF(FACE_PARSER, "bisenet_resnet_18", "yakhyo", "MIT", 2024, "3.1.0", 0,
       53205356, 0x6cafc877, "2218b6183c26ca5c83303232d682a536c670c13ea9695f716c777d1f244eefe9"),
    FF(FACE_PARSER, "bisenet_resnet_34", "yakhyo", "MIT", 2024, "3.0.0", DEFAULT,
       93632546, 0x35d17a50, "4a0b8c958a3c938913bd06a8365dbb3c8761afba6ecbf0d14b3b1f77eb230c96"),

    FF(CONTENT_ANALYSER, "nsfw_1", "EraX", "Apache-2.0", 2024, "3.3.0", DEFAULT,
       80414194, 0xf602d1c5, "3debfd72763bc931dd308f57d1e9299ae13bb309d14ddbdc17ce8f1fd42f96af"),
    FF(CONTENT_ANALYSER, "nsfw_2", "Marqo", "Apache-2.0", 2024, "3.3.0", 0,
       22489928, 0xc7fa5fe2, "5aae1806ce44e3c27fab0a7d44eed581dd25ca71a4387ff809a191c98239c1be"),
    FF(CONTENT_ANALYSER, "nsfw_3", "Freepik", "MIT", 2025, "3.3.0", 0,
       358188033, 0x633a3b02, "778139fb930240ac39812a1480295bfc5dc2cec8a8e46ee6b453481d600c0fa2"),
    /* Converted from the package's tfjs weights: models/tfjs.h. */
    LITE(CONTENT_ANALYSER, "nsfwjs", "nsfwjs.onnx", "Infinite Red", "MIT", 0, "nsfwjs@4.4.0", 0,
         10322177, 0, "8184a20845bfb57c7eac1102ac577462e5aaf5d551a3190f3ce0ddf176ed0bd5"),

    FF(VOICE_EXTRACTOR, "kim_vocal_1", "KimberleyJensen", "Non-Commercial", 2023, "3.4.0", 0),
    FF(VOICE_EXTRACTOR, "kim_vocal_2", "KimberleyJensen", "Non-Commercial", 2023, "3.0.0", DEFAULT,
       66766794, 0xc965a055, "fbde1fd7d35a6b1785add2225ce03255a01ccef6c8a5fb7b2ccd4e0c1e9097f7"),
    FF(VOICE_EXTRACTOR, "uvr_mdxnet", "Anjok07", "MIT", 2023, "3.4.0", 0),

    FF(FACE_SWAPPER, "blendswap_256", "mapooon", "Non-Commercial", 2023, "3.0.0", 0),
    FF(FACE_SWAPPER, "ghost_1_256", "ai-forever", "Apache-2.0", 2022, "3.0.0", 0),
    FF(FACE_SWAPPER, "ghost_2_256", "ai-forever", "Apache-2.0", 2022, "3.0.0", 0),
    FF(FACE_SWAPPER, "ghost_3_256", "ai-forever", "Apache-2.0", 2022, "3.0.0", 0),
    FF(FACE_SWAPPER, "hififace_unofficial_256", "GuijiAI", "Unknown", 2021, "3.1.0", 0),
    FF(FACE_SWAPPER, "hyperswap_1a_256", "FaceFusion", "ResearchRAIL", 2025, "3.3.0", DEFAULT,
       402742682, 0, "c0e98a8a03a238f461ed3d2570e426b49f46745ee400854a60dceeb70c246add"),
    FF(FACE_SWAPPER, "hyperswap_1b_256", "FaceFusion", "ResearchRAIL", 2025, "3.3.0", 0),
    FF(FACE_SWAPPER, "hyperswap_1c_256", "FaceFusion", "ResearchRAIL", 2025, "3.3.0", 0),
    FF(FACE_SWAPPER, "inswapper_128", "InsightFace", "Non-Commercial", 2023, "3.0.0", 0,
       555303150, 0x7057c6ea, "a290273ed497312095dac48cdef20feec9d5208298223dd01288ab202b54bea7"),
    FF(FACE_SWAPPER, "inswapper_128_fp16", "InsightFace", "Non-Commercial", 2023, "3.0.0", 0,
       277680829, 0x32500ff1, "c4eccca86ad177586c85c28bf1a64a9d9ed237e283a15818d831f7facfd3f420"),
    FF(FACE_SWAPPER, "simswap_256", "neuralchen", "Non-Commercial", 2020, "3.0.0", 0),
    FF(FACE_SWAPPER, "simswap_unofficial_512", "neuralchen", "Non-Commercial", 2020, "3.0.0", 0),
    FF(FACE_SWAPPER, "uniface_256", "xc-csc101", "Unknown", 2022, "3.0.0", 0),
    /* Made here: arithmetic in a graph, without trained weights (models/classic.h). */
    LITE(FACE_SWAPPER, "classic_256", "classic_256.onnx", "reprise", "MIT", 2026, NULL, 0,
         800952, 0, "57f3c86ce9e882b8b34f64d6dc799b526786602bfe7259c14e1bcbf32ba5ed7e"),

    /* FaceFusion gives no vendor, licence or year for the converters and the deep swappers. */
    FF(EMBEDDING_CONVERTER, "crossface_ghost", "FaceFusion", "not stated", 0, "3.4.0", PART),
    FF(EMBEDDING_CONVERTER, "crossface_hififace", "FaceFusion", "not stated", 0, "3.4.0", PART),
    FF(EMBEDDING_CONVERTER, "crossface_simswap", "FaceFusion", "not stated", 0, "3.4.0", PART),

    DEEP(druuzil, adam_levine_320), DEEP(druuzil, adrianne_palicki_384),
    DEEP(druuzil, agnetha_falskog_224), DEEP(druuzil, alan_ritchson_320),
    DEEP(druuzil, alicia_vikander_320), DEEP(druuzil, amber_midthunder_320),
    DEEP(druuzil, andras_arato_384), DEEP(druuzil, andrew_tate_320),
    DEEP(druuzil, angelina_jolie_384), DEEP(druuzil, anne_hathaway_320),
    DEEP(druuzil, anya_chalotra_320), DEEP(druuzil, arnold_schwarzenegger_320),
    DEEP(druuzil, benjamin_affleck_320), DEEP(druuzil, benjamin_stiller_384),
    DEEP(druuzil, bradley_pitt_224), DEEP(druuzil, brie_larson_384),
    DEEP(druuzil, bruce_campbell_384), DEEP(druuzil, bryan_cranston_320),
    DEEP(druuzil, catherine_blanchett_352), DEEP(druuzil, christian_bale_320),
    DEEP(druuzil, christopher_hemsworth_320), DEEP(druuzil, christoph_waltz_384),
    DEEP(druuzil, cillian_murphy_320), DEEP(druuzil, cobie_smulders_256),
    DEEP(druuzil, dwayne_johnson_384), DEEP(druuzil, edward_norton_320),
    DEEP(druuzil, elisabeth_shue_320), DEEP(druuzil, elizabeth_olsen_384),
    DEEP(druuzil, elon_musk_320), DEEP(druuzil, emily_blunt_320), DEEP(druuzil, emma_stone_384),
    DEEP(druuzil, emma_watson_320), DEEP(druuzil, erin_moriarty_384), DEEP(druuzil, eva_green_320),
    DEEP(druuzil, ewan_mcgregor_320), DEEP(druuzil, florence_pugh_320),
    DEEP(druuzil, freya_allan_320), DEEP(druuzil, gary_cole_224), DEEP(druuzil, gigi_hadid_224),
    DEEP(druuzil, harrison_ford_384), DEEP(druuzil, hayden_christensen_320),
    DEEP(druuzil, heath_ledger_320), DEEP(druuzil, henry_cavill_448),
    DEEP(druuzil, hugh_jackman_384), DEEP(druuzil, idris_elba_320),
    DEEP(druuzil, jack_nicholson_320), DEEP(druuzil, james_carrey_384),
    DEEP(druuzil, james_mcavoy_320), DEEP(druuzil, james_varney_320),
    DEEP(druuzil, jason_momoa_320), DEEP(druuzil, jason_statham_320),
    DEEP(druuzil, jennifer_connelly_384), DEEP(druuzil, jimmy_donaldson_320),
    DEEP(druuzil, jordan_peterson_384), DEEP(druuzil, karl_urban_224),
    DEEP(druuzil, kate_beckinsale_384), DEEP(druuzil, laurence_fishburne_384),
    DEEP(druuzil, lili_reinhart_320), DEEP(druuzil, luke_evans_384),
    DEEP(druuzil, mads_mikkelsen_384), DEEP(druuzil, mary_winstead_320),
    DEEP(druuzil, margaret_qualley_384), DEEP(druuzil, melina_juergens_320),
    DEEP(druuzil, michael_fassbender_320), DEEP(druuzil, michael_fox_320),
    DEEP(druuzil, millie_bobby_brown_320), DEEP(druuzil, morgan_freeman_320),
    DEEP(druuzil, patrick_stewart_224), DEEP(druuzil, rachel_weisz_384),
    DEEP(druuzil, rebecca_ferguson_320), DEEP(druuzil, scarlett_johansson_320),
    DEEP(druuzil, shannen_doherty_384), DEEP(druuzil, seth_macfarlane_384),
    DEEP(druuzil, thomas_cruise_320), DEEP(druuzil, thomas_hanks_384),
    DEEP(druuzil, william_murray_384), DEEP(druuzil, zoe_saldana_384),
    DEEP(edel, emma_roberts_224), DEEP(edel, ivanka_trump_224), DEEP(edel, lize_dzjabrailova_224),
    DEEP(edel, sidney_sweeney_224), DEEP(edel, winona_ryder_224),
    DEEP(iperov, alexandra_daddario_224), DEEP(iperov, alexei_navalny_224),
    DEEP(iperov, amber_heard_224), DEEP(iperov, dilraba_dilmurat_224),
    DEEP_DEFAULT(iperov, elon_musk_224), DEEP(iperov, emilia_clarke_224),
    DEEP(iperov, emma_watson_224), DEEP(iperov, erin_moriarty_224), DEEP(iperov, jackie_chan_224),
    DEEP(iperov, james_carrey_224), DEEP(iperov, jason_statham_320), DEEP(iperov, keanu_reeves_320),
    DEEP(iperov, margot_robbie_224), DEEP(iperov, natalie_dormer_224),
    DEEP(iperov, nicolas_coppola_224), DEEP(iperov, robert_downey_224),
    DEEP(iperov, rowan_atkinson_224), DEEP(iperov, ryan_reynolds_224),
    DEEP(iperov, scarlett_johansson_224), DEEP(iperov, sylvester_stallone_224),
    DEEP(iperov, thomas_cruise_224), DEEP(iperov, thomas_holland_224), DEEP(iperov, vin_diesel_224),
    DEEP(iperov, vladimir_putin_224),
    DEEP(jen, angelica_trae_288), DEEP(jen, ella_freya_224), DEEP(jen, emma_myers_320),
    DEEP(jen, evie_pickerill_224), DEEP(jen, kang_hyewon_320), DEEP(jen, maddie_mead_224),
    DEEP(jen, nicole_turnbull_288),
    DEEP(mats, alica_schmidt_320), DEEP(mats, ashley_alexiss_224), DEEP(mats, billie_eilish_224),
    DEEP(mats, brie_larson_224), DEEP(mats, cara_delevingne_224), DEEP(mats, carolin_kebekus_224),
    DEEP(mats, chelsea_clinton_224), DEEP(mats, claire_boucher_224), DEEP(mats, corinna_kopf_224),
    DEEP(mats, florence_pugh_224), DEEP(mats, hillary_clinton_224), DEEP(mats, jenna_fischer_224),
    DEEP(mats, kim_jisoo_320), DEEP(mats, mica_suarez_320), DEEP(mats, shailene_woodley_224),
    DEEP(mats, shraddha_kapoor_320), DEEP(mats, yu_jimin_352),
    DEEP(rumateus, alison_brie_224), DEEP(rumateus, amber_heard_224),
    DEEP(rumateus, angelina_jolie_224), DEEP(rumateus, aubrey_plaza_224),
    DEEP(rumateus, bridget_regan_224), DEEP(rumateus, cobie_smulders_224),
    DEEP(rumateus, deborah_woll_224), DEEP(rumateus, dua_lipa_224), DEEP(rumateus, emma_stone_224),
    DEEP(rumateus, hailee_steinfeld_224), DEEP(rumateus, hilary_duff_224),
    DEEP(rumateus, jessica_alba_224), DEEP(rumateus, jessica_biel_224),
    DEEP(rumateus, john_cena_224), DEEP(rumateus, kim_kardashian_224),
    DEEP(rumateus, kristen_bell_224), DEEP(rumateus, lucy_liu_224),
    DEEP(rumateus, margot_robbie_224), DEEP(rumateus, megan_fox_224),
    DEEP(rumateus, meghan_markle_224), DEEP(rumateus, millie_bobby_brown_224),
    DEEP(rumateus, natalie_portman_224), DEEP(rumateus, nicki_minaj_224),
    DEEP(rumateus, olivia_wilde_224), DEEP(rumateus, shay_mitchell_224),
    DEEP(rumateus, sophie_turner_224), DEEP(rumateus, taylor_swift_224),

    FF(FACE_ENHANCER, "codeformer", "sczhou", "S-Lab-1.0", 2022, "3.0.0", 0),
    FF(FACE_ENHANCER, "gfpgan_1.2", "TencentARC", "Apache-2.0", 2022, "3.0.0", 0),
    FF(FACE_ENHANCER, "gfpgan_1.3", "TencentARC", "Apache-2.0", 2022, "3.0.0", 0),
    FF(FACE_ENHANCER, "gfpgan_1.4", "TencentARC", "Apache-2.0", 2022, "3.0.0", DEFAULT,
       340299087, 0, "accc4757b26bdb89b32b4d3500d4f79c9dff97c1dd7c7104bf9dcb95e3311385"),
    FF(FACE_ENHANCER, "gpen_bfr_256", "yangxy", "Non-Commercial", 2021, "3.0.0", 0),
    FF(FACE_ENHANCER, "gpen_bfr_512", "yangxy", "Non-Commercial", 2021, "3.0.0", 0),
    FF(FACE_ENHANCER, "gpen_bfr_1024", "yangxy", "Non-Commercial", 2021, "3.0.0", 0),
    FF(FACE_ENHANCER, "gpen_bfr_2048", "yangxy", "Non-Commercial", 2021, "3.0.0", 0),
    FF(FACE_ENHANCER, "restoreformer_plus_plus", "wzhouxiff", "Apache-2.0", 2022, "3.0.0", 0),

    /* FaceFusion has one choice, live_portrait, made of six files. The motion extractor, which all
     * uses of it need, has that name; the others are parts named by their files. */
    FF(LIVE_PORTRAIT, "live_portrait_feature_extractor", "KwaiVGI", "MIT", 2024, "3.0.0", PART),
    FF_FILE(LIVE_PORTRAIT, "live_portrait", "live_portrait_motion_extractor.onnx", "KwaiVGI", "MIT", 2024, "3.0.0", DEFAULT),
    FF(LIVE_PORTRAIT, "live_portrait_generator", "KwaiVGI", "MIT", 2024, "3.0.0", PART),
    FF(LIVE_PORTRAIT, "live_portrait_eye_retargeter", "KwaiVGI", "MIT", 2024, "3.0.0", PART),
    FF(LIVE_PORTRAIT, "live_portrait_lip_retargeter", "KwaiVGI", "MIT", 2024, "3.0.0", PART),
    FF(LIVE_PORTRAIT, "live_portrait_stitcher", "KwaiVGI", "MIT", 2024, "3.0.0", PART),

    FF(AGE_MODIFIER, "fran", "ry-lu", "MIT", 2024, "3.6.0", DEFAULT),
    FF(AGE_MODIFIER, "styleganex_age", "williamyang1991", "S-Lab-1.0", 2023, "3.1.0", 0,
       1340360455, 0xd9cbebb8, "212cdf55a9b66c382016119f7d642a227ca16c833348dd78d1e129ae5cf9ec7c"),

    FF(LIP_SYNCER, "edtalk_256", "tanshuai0219", "Apache-2.0", 2024, "3.3.0", 0),
    FF(LIP_SYNCER, "wav2lip_96", "Rudrabha", "Non-Commercial", 2020, "3.0.0", 0),
    FF(LIP_SYNCER, "wav2lip_gan_96", "Rudrabha", "Non-Commercial", 2020, "3.0.0", DEFAULT),

    FF(FRAME_ENHANCER, "clear_reality_x4", "Kim2091", "Non-Commercial", 2023, "3.0.0", 0),
    FF(FRAME_ENHANCER, "face_dat_x4", "Helaman", "CC-BY-4.0", 2023, "3.5.0", 0),
    FF(FRAME_ENHANCER, "nomos8k_sc_x4", "Phhofm", "CC-BY-4.0", 2023, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x2", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x2_fp16", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x4", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x4_fp16", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x8", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_esrgan_x8_fp16", "xinntao", "BSD-3-Clause", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_hatgan_x4", "XPixelGroup", "Apache-2.0", 2023, "3.0.0", 0),
    FF(FRAME_ENHANCER, "real_web_photo_x4", "Helaman", "CC-BY-4.0", 2024, "3.1.0", 0),
    FF(FRAME_ENHANCER, "realistic_rescaler_x4", "Mutin Choler", "WTFPL", 2023, "3.1.0", 0),
    FF(FRAME_ENHANCER, "remacri_x4", "FoolhardyVEVO", "Non-Commercial", 2021, "3.1.0", 0),
    FF(FRAME_ENHANCER, "siax_x4", "NMKD", "WTFPL", 2021, "3.1.0", 0),
    FF(FRAME_ENHANCER, "span_kendata_x4", "terrainer", "Non-Commercial", 2024, "3.0.0", DEFAULT),
    FF(FRAME_ENHANCER, "swin2_sr_x4", "mv-lab", "Apache-2.0", 2022, "3.1.0", 0),
    FF(FRAME_ENHANCER, "tghq_face_x8", "TorrentGuy", "GPL-3.0", 2019, "3.5.0", 0),
    FF(FRAME_ENHANCER, "ultra_sharp_x4", "Kim2091", "Non-Commercial", 2021, "3.0.0", 0),
    FF(FRAME_ENHANCER, "ultra_sharp_2_x4", "Kim2091", "Non-Commercial", 2025, "3.3.0", 0),

    FF(FRAME_COLORIZER, "ddcolor", "piddnad", "Apache-2.0", 2023, "3.0.0", DEFAULT),
    FF(FRAME_COLORIZER, "ddcolor_artistic", "piddnad", "Apache-2.0", 2023, "3.0.0", 0),
    FF(FRAME_COLORIZER, "deoldify", "jantic", "MIT", 2022, "3.0.0", RP_MODEL_BYTES),
    FF(FRAME_COLORIZER, "deoldify_artistic", "jantic", "MIT", 2022, "3.0.0", RP_MODEL_BYTES),
    FF(FRAME_COLORIZER, "deoldify_stable", "jantic", "MIT", 2022, "3.0.0", RP_MODEL_BYTES),

    FF(BACKGROUND_REMOVER, "ben_2", "PramaLLC", "MIT", 2025, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "birefnet_general", "ZhengPeng7", "MIT", 2024, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "birefnet_portrait", "ZhengPeng7", "MIT", 2024, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "corridor_key_1024", "nikopueringer", "Non-Commercial", 2025, "3.6.0", 0),
    FF(BACKGROUND_REMOVER, "corridor_key_2048", "nikopueringer", "Non-Commercial", 2025, "3.6.0", 0),
    FF(BACKGROUND_REMOVER, "isnet_general", "xuebinqin", "Apache-2.0", 2022, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "modnet", "ZHKKKe", "Apache-2.0", 2020, "3.5.0", DEFAULT),
    FF(BACKGROUND_REMOVER, "ormbg", "schirrmacher", "Apache-2.0", 2024, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "rmbg_1.4", "Bria", "Non-Commercial", 2023, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "rmbg_2.0", "Bria", "Non-Commercial", 2024, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "silueta", "Kikedao", "Apache-2.0", 2022, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "u2net_cloth", "levindabhi", "MIT", 2021, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "u2net_general", "xuebinqin", "Apache-2.0", 2020, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "u2net_human", "xuebinqin", "Apache-2.0", 2021, "3.5.0", 0),
    FF(BACKGROUND_REMOVER, "u2netp", "xuebinqin", "Apache-2.0", 2021, "3.5.0", 0),
};
/* clang-format on */

static const char *const kind_names[RP_KIND_COUNT] = {
    [RP_KIND_FACE_DETECTOR] = "face_detector",
    [RP_KIND_FACE_LANDMARKER] = "face_landmarker",
    [RP_KIND_FACE_LANDMARKER_5_68] = "face_landmarker_5_68",
    [RP_KIND_FACE_RECOGNIZER] = "face_recognizer",
    [RP_KIND_FACE_CLASSIFIER] = "face_classifier",
    [RP_KIND_FACE_OCCLUDER] = "face_occluder",
    [RP_KIND_FACE_PARSER] = "face_parser",
    [RP_KIND_CONTENT_ANALYSER] = "content_analyser",
    [RP_KIND_VOICE_EXTRACTOR] = "voice_extractor",
    [RP_KIND_FACE_SWAPPER] = "face_swapper",
    [RP_KIND_EMBEDDING_CONVERTER] = "embedding_converter",
    [RP_KIND_DEEP_SWAPPER] = "deep_swapper",
    [RP_KIND_FACE_ENHANCER] = "face_enhancer",
    [RP_KIND_LIVE_PORTRAIT] = "live_portrait",
    [RP_KIND_AGE_MODIFIER] = "age_modifier",
    [RP_KIND_LIP_SYNCER] = "lip_syncer",
    [RP_KIND_FRAME_ENHANCER] = "frame_enhancer",
    [RP_KIND_FRAME_COLORIZER] = "frame_colorizer",
    [RP_KIND_BACKGROUND_REMOVER] = "background_remover",
};

const struct rp_model_entry *rp_catalogue(int *count)
{
    if (count)
        *count = RP_ARRAY_LEN(entries);
    return entries;
}

int64_t rp_model_most(const struct rp_model_entry *entry)
{
    switch (entry->kind) {
    case RP_KIND_FACE_DETECTOR:
    case RP_KIND_FACE_LANDMARKER_5_68:
        return entry->size > 0 ? entry->size : INT64_C(128) << 20;
    case RP_KIND_FACE_LANDMARKER:
    case RP_KIND_FACE_RECOGNIZER:
    case RP_KIND_FACE_CLASSIFIER:
    case RP_KIND_FACE_OCCLUDER:
    case RP_KIND_FACE_PARSER:
    case RP_KIND_VOICE_EXTRACTOR:
        return entry->size > 0 ? entry->size : INT64_C(512) << 20;
    default: /* the largest that is known has 1.34 GB, and no ONNX file has more than 2 GB */
        return entry->size > 0 ? entry->size : INT64_C(2) << 30;
    }
}

const struct rp_model_entry *rp_catalogue_find(enum rp_model_kind kind, const char *name)
{
    for (size_t i = 0; name && i < RP_ARRAY_LEN(entries); i++) {
        if (entries[i].kind == kind && !strcmp(entries[i].name, name))
            return &entries[i];
    }
    return NULL;
}

/* The first choice of a kind that has the flag. */
static const struct rp_model_entry *first_with(enum rp_model_kind kind, unsigned flag)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(entries); i++) {
        const struct rp_model_entry *e = &entries[i];
        if (e->kind == kind && (e->flags & flag) && !(e->flags & RP_MODEL_PART))
            return e;
    }
    return NULL;
}

const struct rp_model_entry *rp_catalogue_default(enum rp_model_kind kind)
{
    return first_with(kind, RP_MODEL_DEFAULT);
}

const struct rp_model_entry *rp_catalogue_lite(enum rp_model_kind kind)
{
    return first_with(kind, RP_MODEL_LITE);
}

const char *rp_model_kind_name(enum rp_model_kind kind)
{
    return kind_names[kind];
}

static bool has_many(enum rp_model_kind kind)
{
    return kind == RP_KIND_FACE_DETECTOR || kind == RP_KIND_FACE_LANDMARKER ||
           kind == RP_KIND_FACE_OCCLUDER || kind == RP_KIND_CONTENT_ANALYSER;
}

/* The lists of all kinds, one after the other, with room for every name and a "many" and a NULL per
 * kind. */
static const char *choice_names[RP_ARRAY_LEN(entries) + RP_KIND_COUNT + RP_KIND_COUNT];
static const char *const *choices[RP_KIND_COUNT];

static void make_choices(void)
{
    const char **next = choice_names;
    for (int kind = 0; kind < RP_KIND_COUNT; kind++) {
        choices[kind] = next;
        if (has_many(kind))
            *next++ = "many";
        for (size_t i = 0; i < RP_ARRAY_LEN(entries); i++) {
            if ((int) entries[i].kind == kind && !(entries[i].flags & RP_MODEL_PART))
                *next++ = entries[i].name;
        }
        *next++ = NULL;
    }
}

const char *const *rp_catalogue_choices(enum rp_model_kind kind)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_choices);
    return choices[kind];
}

const void *rp_facts_find(const void *table, size_t n, size_t size, const char *name)
{
    const char *row = table, *of;

    for (size_t i = 0; i < n; i++, row += size) {
        memcpy(&of, row, sizeof(of));
        if (!strcmp(of, name))
            return row;
    }
    return NULL;
}
