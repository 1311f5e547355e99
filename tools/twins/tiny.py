"""A few nodes for each of FaceFusion's contracts: tensor names, shapes and value ranges of the real
file, and something simple inside that a test can compute by itself.

detectors        the planted faces, plus a millionth of the input's mean
landmarkers      2dfan4, peppa_wutz: the planted points, likewise; fan_68_5: the template's 68
                 points laid around the five (planted.lift)
arcface          512 means of 7x7 pixels less the mean of all: planes R, G, first half of B's … in
                 order, cut after 512
crossface_*      embedding * (1 + k / 512) for number k
fairface         arg-max of mean colours: see FAIRFACE
xseg_N           clip(4 * mean of B, G, R - N / 2, 0, 1)
bisenet_*        PARSED, an 8x8 map of classes made large, whatever the picture
content checks   "unsafe" where the picture's mean R exceeds its mean B by more than half
swappers         half the target, half the tag. The tag is a colour: the mean colour of a source
                 picture; of an embedding e, clip(sum of +-e[k], -1, 1) for -1..1, where channel c
                 has + if bit c of k is set
enhancers        0.8 * input + (0.1, 0, -0.1), in -1..1; codeformer + 0.2 * (weight - 0.5)
frame enhancers  0.9 * the nearest pixel + (0.1, 0.05, 0), in 0..1
colorizers       ddcolor: a = 40 * grey, b = 20 - 40 * grey; deoldify: R, 0.8 G, 0.6 B
background       the mean of R, G, B in 0..1 is the mask; corridor_key: (mean + alpha) / 2, and
                 half the picture; u2net_cloth: class 1 where the mean is over one half
fran             target + (second direction - first)
styleganex_age   target, 4 times as large, + 0.1 * direction
lip syncers      half the face (edtalk_256) or 0.4 of it and 0.1 of that without its lower half
                 (wav2lip), + three sums of the sound (times edtalk's weight), one for each channel:
                 sound_gains
deep swappers    0.5 * face + (0.3, 0.2, 0.1) in B, G, R (+ 0.2 * morph); the target's mask is
                 clip(4 * B - 0.5, 0, 1), the source's clip(4 * R - 0.5, 0, 1). Any SCOPE/NAME_SIZE
                 is one, with a morph input unless SIZE is 224
live_portrait_*  the features are the picture at a quarter of its size, again and again; motion is
                 linear in the mean colours of the picture's quarters (MOTION); the generator gives
                 0.375 + 0.25 * the picture, plus in R 12 * (source - target), in G 0.2 * source, in
                 B 0.2 * target, in 8x8 cells, one for each number; the stitcher 0.75 * source +
                 0.25 * target; the retargeters 0.01 * points + 0.03 * the first ratio + 0.02 * the
                 wish, and for the eyes - 0.02 * the second ratio
voice            the spectrum, less of its high bins; of the right one half (voice_gain)
"""
from onnx_writer import DOUBLE, FLOAT, INT64

from twins import planted
from twins.net import PLANT, Net

HALF, ONE, NONE = [0.5] * 3, [1.0] * 3, [0.0] * 3
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CLIP = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

# Rows: background and hair, brows, eyes, nose, nose, mouth, lower lip, neck.
PARSED = [[17, 17, 17, 17, 17, 17, 17, 17],
          [17, 1, 2, 2, 3, 3, 1, 17],
          [0, 1, 4, 4, 5, 5, 1, 0],
          [0, 1, 1, 10, 10, 1, 1, 0],
          [0, 1, 1, 10, 10, 1, 1, 0],
          [0, 1, 12, 11, 11, 12, 1, 0],
          [0, 0, 1, 13, 13, 1, 0, 0],
          [0, 0, 14, 14, 14, 14, 0, 0]]

# Factors of the mean R, G, B (normalised as the model wants them) for each class.
FAIRFACE = ([[0.5, 0.1 * i, -0.1 * i] for i in range(7)],
            [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
            [[0.1 * i, 0.5, -0.1 * i] for i in range(9)])


# Off the whole levels of 8 bits, at which truncation would show every rounding.
SOUND_BASE = 0.4002


# What a lip syncer makes of number `column` of `band` of the sound: a mean; earlier less later ones;
# lower less higher bands.
def sound_gains(band, column):
    return [0.1 / 1280, (7.5 - column) / 1280 / 40, (39.5 - band) / 1280 / 60]


# What a voice extractor makes of bin k of left real, left imaginary, right real, right imaginary.
def voice_gain(channel, k):
    return (1, 1, 0.5, 0.5)[channel] / (1 + k / 100)


# ---- small parts --------------------------------------------------------------------------------

def colour(n, values):
    return n.const([float(v) for v in values], [1, 3, 1, 1])


def whole_mean(n, x, rank):
    """Of everything in a picture, as a tensor of this rank with one number."""
    return n.reshape(n.reduce('ReduceMean', x, [1, 2, 3]), [1] * rank)


def natural(n, x, norm):
    """Undo a normalisation."""
    return n.add(n.mul(x, colour(n, norm[1])), colour(n, norm[0]))


def plant(n, mean, answer, dims, name):
    n.output(n.add(n.mul(mean, PLANT), n.const(answer, dims)), name,
             batch=len(dims) > 2)


# ---- analysing ----------------------------------------------------------------------------------

def detector_yolo(n, plan):
    x = n.input('input', [1, 3, 640, 640])
    plant(n, whole_mean(n, x, 3), plan.yolo(), [1, 20, 8400], 'output')


def detector_distances(n, plan):
    n.dynamic = False
    mean = whole_mean(n, n.input('input', [1, 3, 640, 640]), 2)
    for kind, (name, size) in enumerate((('score', 1), ('bbox', 4), ('kps', 10))):
        for level, answer in enumerate(plan.distances()):
            plant(n, mean, answer[kind], [2 * (80 >> level) ** 2, size], f'{name}_{8 << level}')


def detector_yunet(n, plan):
    mean = whole_mean(n, n.input('input', [1, 3, 640, 640]), 3)
    for kind, (name, size) in enumerate((('cls', 1), ('obj', 1), ('bbox', 4), ('kps', 10))):
        for level, answer in enumerate(plan.yunet()):
            plant(n, mean, answer[kind], [1, (80 >> level) ** 2, size], f'{name}_{8 << level}')


def landmarker_maps(n, plan):
    x = n.input('input', [1, 3, 256, 256])
    plant(n, whole_mean(n, x, 3), plan.points(), [1, 68, 3], 'landmarks_xyscore')
    plant(n, whole_mean(n, x, 4), plan.heat_maps(), [1, 68, 64, 64], 'heatmaps')


def landmarker_points(n, plan):
    mean = n.reshape(whole_mean(n, n.input('input', [1, 3, 256, 256]), 3), [1, 1])
    n.output(n.add(n.mul(mean, PLANT), n.const(plan.points(), [1, 204])), 'output')


def landmarker_lift(n, plan):
    x = n.flatten(n.input('input', [1, 5, 2]))
    lift = planted.lift(planted.five_of(plan.landmarks), plan.landmarks)
    y = n.matmul(x, n.const([lift[r][c] for c in range(10) for r in range(136)], [10, 136]))
    n.output(n.reshape(y, [1, 68, 2]), 'output')


def recogniser(n, _):
    x = n.input('input', [1, 3, 112, 112])
    x = n.flatten(n.pool('AveragePool', x, 7, 7))
    x = n.op('Sub', x, n.reduce('ReduceMean', x, [1]))
    n.output(n.slice(x, 1, 0, 512), 'output')


def classifier(n, _):
    x = n.flatten(n.global_pool(n.input('input', [1, 3, 224, 224])))
    for name, rows in zip(('race_id', 'gender_id', 'age_id'), FAIRFACE):
        y = n.matmul(x, n.const([r[c] for c in range(3) for r in rows], [3, len(rows)]))
        n.output(n.argmax(y), name, dtype=INT64)


def occluder(number):
    def make(n, _):
        x = n.input('input', [1, 256, 256, 3])
        x = n.reduce('ReduceMean', x, [3])
        n.output(n.clip(n.add(n.mul(x, 4.0), -number / 2), 0, 1), 'output')
    return make


def parser(n, _):
    x = n.input('input', [1, 3, 512, 512])
    maps = [4.0 * (PARSED[y][x] == c) for c in range(19) for y in range(8) for x in range(8)]
    trace = n.mul(n.reduce('ReduceMean', x, [1]), PLANT)
    n.output(n.add(n.resize(n.const(maps, [1, 19, 8, 8]), 64), trace), 'output')


def warmth(n, x, norm):
    """Mean red less mean blue, [1,1]."""
    x = n.flatten(n.global_pool(natural(n, x, norm)))
    return n.op('Sub', n.slice(x, 1, 0, 1), n.slice(x, 1, 2, 3))


def content(kind, size, norm):
    def make(n, _):
        w = warmth(n, n.input('input', [1, 3, size, size]), norm)
        if kind == 'nsfw_1':
            w = n.clip(n.add(w, -0.3), 0, 1)
            row = n.reshape(w, [1, 1, 1])
            y = n.mul(row, n.const([0.0] * 4 + [0.1, 1.0, 0.2, 0.1, 0.1], [1, 9, 1]))
            y = n.add(y, n.const([0.0] * 8400, [1, 1, 8400]))
        elif kind == 'nsfw_2':
            y = n.concat([n.add(w, -0.25), n.mul(w, 0.0)])
        elif kind == 'nsfw_3':
            y = n.mul(w, n.const([0.0, 0.0, 10.0, 11.0], [1, 4]))
        else:
            bad = n.clip(w, 0, 1)
            good = n.op('Sub', 1.0, bad)
            y = n.add(n.mul(good, n.const([0.0, 0.0, 1.0, 0.0, 0.0], [1, 5])),
                      n.mul(bad, n.const([0.0, 0.0, 0.0, 1.0, 0.0], [1, 5])))
        n.output(y, 'output')
    return make


# ---- swapping -----------------------------------------------------------------------------------

def converter(n, _):
    x = n.input('input', [1, 512])
    n.output(n.mul(x, n.const([1 + k / 512 for k in range(512)], [1, 512])), 'output')


def swapper(size, norm=(NONE, ONE), signed=False, source=None):
    """`norm` is the target's; the output is -1..1 if `signed`, else 0..1; `source` is the size of
    a source picture, None for an embedding."""
    def make(n, _):
        if source:
            tag = n.global_pool(n.input('source', [1, 3, source, source]))
            tag = n.add(n.mul(tag, 2.0), -1.0) if signed else tag
        else:
            signs = [1.0 if k >> c & 1 else -1.0 for k in range(512) for c in range(3)]
            tag = n.matmul(n.input('source', [1, 512]), n.const(signs, [512, 3]))
            tag = n.reshape(n.clip(tag, -1, 1), [1, 3, 1, 1])
            tag = tag if signed else n.add(n.mul(tag, 0.5), 0.5)
        x = n.input('target', [1, 3, size, size])
        x = x if signed else natural(n, x, norm)
        n.output(n.add(n.mul(x, 0.5), n.mul(tag, 0.5)), 'output')
        if n.name.startswith('hyperswap'):
            n.output(n.reduce('ReduceMax', n.op('Abs', x), [1]), 'mask')
        if n.name.startswith('inswapper'):
            # Turns the embedding by one place: a transposed matrix turns it the other way.
            turn = [float(c == (r + 1) % 512) for r in range(512) for c in range(512)]
            n.const(turn, [512, 512])
    return make


def deep_swapper(size, morph):
    def make(n, _):
        x = n.input('in_face:0', [1, size, size, 3])
        y = n.add(n.mul(x, 0.5), n.const([0.3, 0.2, 0.1], [1, 1, 1, 3]))
        if morph:
            y = n.add(y, n.mul(n.input('morph_value:0', [1], batch=False), 0.2))
        target, source = (n.clip(n.add(n.mul(n.slice(x, 3, c, c + 1), 4.0), -0.5), 0, 1)
                          for c in (0, 2))
        n.output(target, 'out_face_mask:0')
        n.output(y, 'out_celeb_face:0')
        n.output(source, 'out_celeb_face_mask:0')
    return make


# ---- restoring, upscaling, colouring, cutting out -----------------------------------------------

def enhancer(size):
    def make(n, _):
        x = n.input('input', [1, 3, size, size])
        y = n.add(n.mul(x, 0.8), colour(n, [0.1, 0.0, -0.1]))
        if n.name == 'codeformer':
            weight = n.cast(n.input('weight', [1], dtype=DOUBLE, batch=False), FLOAT)
            y = n.add(y, n.mul(n.add(weight, -0.5), 0.2))
        n.output(y, 'output')
    return make


def upscaler(size, scale):
    def make(n, _):
        x = n.resize(n.input('input', [1, 3, size, size]), scale)
        n.output(n.add(n.mul(x, 0.9), colour(n, [0.1, 0.05, 0.0])), 'output')
    return make


def colorizer(n, _):
    free = {2: 'height', 3: 'width'}
    x = n.input('input', [1, 3, 256, 256], free=free)
    if n.name.startswith('ddcolor'):
        grey = n.reduce('ReduceMean', x, [1])
        y = n.concat([n.mul(grey, 40.0), n.add(n.mul(grey, -40.0), 20.0)])
    else:
        y = n.mul(x, colour(n, [1.0, 0.8, 0.6]))
    n.output(y, 'output', free=free)


def remover(size, norm):
    def make(n, _):
        key = n.name.startswith('corridor_key')
        x = n.input('input', [1, 4 if key else 3, size, size])
        if key:
            x, alpha = n.split(x, [3, 1])
        x = natural(n, x, norm)
        mask = n.reduce('ReduceMean', x, [1])
        if key:
            n.output(n.mul(n.add(mask, alpha), 0.5), 'mask')
            n.output(n.mul(x, 0.5), 'foreground')
        elif n.name == 'u2net_cloth':
            rest = n.mul(mask, 0.25)
            n.output(n.concat([n.op('Sub', 1.0, mask), mask, rest, rest]), 'output')
        else:
            n.output(mask, 'output')
    return make


# ---- the other processors -----------------------------------------------------------------------

def fran(n, _):
    x = n.input('target', [1, 3, 1024, 1024])
    now, then = n.split(n.input('direction', [2], batch=False), [1, 1], 0)
    n.output(n.add(x, n.op('Sub', then, now)), 'output')


def styleganex(n, _):
    x = n.resize(n.input('target', [1, 3, 256, 256]), 4)
    wide = n.input('target_with_background', [1, 3, 384, 384])
    x = n.add(x, n.mul(whole_mean(n, wide, 4), PLANT))
    n.output(n.add(x, n.mul(n.input('direction', [], batch=False), 0.1)), 'output')


def lip_syncer(n, _):
    gains = [g for band in range(80) for column in range(16) for g in sound_gains(band, column)]
    sound = n.matmul(n.flatten(n.input('source', [1, 1, 80, 16])), n.const(gains, [1280, 3]))
    sound = n.add(n.reshape(sound, [1, 3, 1, 1]), SOUND_BASE)
    if n.name == 'edtalk_256':
        x = n.mul(n.input('target', [1, 3, 256, 256]), 0.5)
        sound = n.mul(sound, n.input('weight', [1], batch=False))
    else:
        upper, whole = n.split(n.input('target', [1, 6, 96, 96]), [3, 3])
        x = n.add(n.mul(whole, 0.4), n.mul(upper, 0.1))
    n.output(n.add(x, sound), 'output')


# Outputs of the motion extractor: numbers in each, factor, what is added.
MOTION = {'pitch': (1, 10, 0), 'yaw': (1, 12, 0), 'roll': (1, 8, 0), 'scale': (1, 0.1, 1),
          'translation': (3, 0.1, 0), 'expression': (63, 0.02, 0), 'motion_points': (63, 0.3, 0)}


def motion_gains(name):
    """[12][size]: of the mean R, G, B of each quarter of the picture."""
    number, (size, factor, _) = list(MOTION).index(name), MOTION[name]
    return [[((7 * c + 5 * k + 3 * number) % 11 - 5) * factor / 5 for k in range(size)]
            for c in range(12)]


def live_portrait(part):
    def points(n, name):
        return n.flatten(n.input(name, [1, 21, 3]))

    def cells(n, x):
        """A picture of 8x8 cells, one for each of the 63 numbers; the last shows the first again."""
        x = n.reshape(n.concat([x, n.slice(x, 1, 0, 1)]), [1, 1, 8, 8])
        return n.resize(x, 64)

    def make(n, _):
        if part == 'feature':
            x = n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 4, 4)
            gains = [float(o % 3 == c) for o in range(512) for c in range(3)]
            x = n.fixed_conv(x, n.const(gains, [512, 3, 1, 1]))
            n.output(n.reshape(x, [1, 32, 16, 64, 64]), 'output')
        elif part == 'motion':
            x = n.flatten(n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 128, 128))
            for name, (size, _, plus) in MOTION.items():
                gains = [v for row in motion_gains(name) for v in row]
                y = n.add(n.matmul(x, n.const(gains, [12, size])), float(plus))
                n.output(n.reshape(y, [1, 21, 3]) if size == 63 else y, name)
        elif part == 'generator':
            x = n.input('feature_volume', [1, 32, 16, 64, 64])
            x = n.reshape(x, [1, 512, 64, 64])
            gains = [0.25 * (o == c) for c in range(3) for o in range(512)]
            x = n.resize(n.fixed_conv(x, n.const(gains, [3, 512, 1, 1])), 8)
            a, b = points(n, 'source'), points(n, 'target')
            shown = [n.mul(n.op('Sub', a, b), 12.0), n.mul(a, 0.2), n.mul(b, 0.2)]
            shown = n.concat([cells(n, y) for y in shown])
            n.output(n.add(n.add(x, 0.375), shown), 'output')
        elif part == 'stitcher':
            a, b = n.input('source', [1, 21, 3]), n.input('target', [1, 21, 3])
            n.output(n.add(n.mul(a, 0.75), n.mul(b, 0.25)), 'output')
        else:
            size = 66 if part == 'eye' else 65
            x = n.input('input', [1, size])
            y = n.mul(n.slice(x, 1, 0, 63), 0.01)
            for i, share in enumerate((0.03, -0.02, 0.02) if part == 'eye' else (0.03, 0.02)):
                y = n.add(y, n.mul(n.slice(x, 1, 63 + i, 64 + i), share))
            n.output(y, 'output')
    return make


def voice(n, _):
    gains = [voice_gain(channel, k) for channel in range(4) for k in range(3072)]
    n.output(n.mul(n.input('input', [1, 4, 3072, 256]), n.const(gains, [1, 4, 3072, 1])), 'output')


# ---- the table ----------------------------------------------------------------------------------

def contracts():
    t = {
        'yoloface_8n': detector_yolo, 'retinaface_10g': detector_distances,
        'scrfd_2.5g': detector_distances, 'yunet_2023_mar': detector_yunet,
        '2dfan4': landmarker_maps, 'peppa_wutz': landmarker_points, 'fan_68_5': landmarker_lift,
        'arcface_w600k_r50': recogniser, 'fairface': classifier,
        'xseg_1': occluder(1), 'xseg_2': occluder(2), 'xseg_3': occluder(3),
        'bisenet_resnet_18': parser, 'bisenet_resnet_34': parser,
        'nsfw_1': content('nsfw_1', 640, (NONE, ONE)),
        'nsfw_2': content('nsfw_2', 384, (HALF, HALF)),
        'nsfw_3': content('nsfw_3', 448, CLIP), 'nsfwjs': content('nsfwjs', 224, (NONE, ONE)),
        'crossface_ghost': converter, 'crossface_hififace': converter,
        'crossface_simswap': converter,
        'blendswap_256': swapper(256, source=112),
        'simswap_256': swapper(256, IMAGENET), 'simswap_unofficial_512': swapper(512),
        'uniface_256': swapper(256, signed=True, source=256),
        'classic_256': swapper(256, signed=True, source=256),
        'inswapper_128': swapper(128), 'inswapper_128_fp16': swapper(128),
        'deep_swapper_224': deep_swapper(224, False), 'deep_swapper_320': deep_swapper(320, True),
        'fran': fran, 'styleganex_age': styleganex,
        'wav2lip_96': lip_syncer, 'wav2lip_gan_96': lip_syncer, 'edtalk_256': lip_syncer,
    }
    for name in ('ghost_1_256', 'ghost_2_256', 'ghost_3_256', 'hififace_unofficial_256',
                 'hyperswap_1a_256', 'hyperswap_1b_256', 'hyperswap_1c_256'):
        t[name] = swapper(256, signed=True)
    for name in ('codeformer', 'gfpgan_1.2', 'gfpgan_1.3', 'gfpgan_1.4', 'gpen_bfr_512',
                 'restoreformer_plus_plus'):
        t[name] = enhancer(512)
    for size in (256, 1024, 2048):
        t[f'gpen_bfr_{size}'] = enhancer(size)
    for size, scale, names in (
            (128, 4, 'clear_reality_x4 face_dat_x4 nomos8k_sc_x4 realistic_rescaler_x4 remacri_x4 '
                     'siax_x4 span_kendata_x4 swin2_sr_x4 ultra_sharp_x4'),
            (128, 8, 'tghq_face_x8'), (64, 4, 'real_web_photo_x4'), (1024, 4, 'ultra_sharp_2_x4'),
            (256, 2, 'real_esrgan_x2 real_esrgan_x2_fp16'),
            (256, 4, 'real_esrgan_x4 real_esrgan_x4_fp16 real_hatgan_x4'),
            (256, 8, 'real_esrgan_x8 real_esrgan_x8_fp16')):
        for name in names.split():
            t[name] = upscaler(size, scale)
    for name in ('ddcolor', 'ddcolor_artistic', 'deoldify', 'deoldify_artistic',
                 'deoldify_stable'):
        t[name] = colorizer
    for size, norm, names in (
            (1024, (NONE, ONE), 'ben_2 birefnet_general birefnet_portrait ormbg'),
            (1024, IMAGENET, 'corridor_key_1024 rmbg_2.0'), (2048, IMAGENET, 'corridor_key_2048'),
            (1024, (HALF, ONE), 'isnet_general rmbg_1.4'), (512, (HALF, HALF), 'modnet'),
            (320, IMAGENET, 'silueta u2net_general u2net_human u2netp'),
            (768, IMAGENET, 'u2net_cloth')):
        for name in names.split():
            t[name] = remover(size, norm)
    for part, name in (('feature', 'feature_extractor'), ('motion', 'motion_extractor'),
                       ('generator', 'generator'), ('eye', 'eye_retargeter'),
                       ('lip', 'lip_retargeter'), ('stitcher', 'stitcher')):
        t[f'live_portrait_{name}'] = live_portrait(part)
    for name in ('kim_vocal_1', 'kim_vocal_2', 'uvr_mdxnet'):
        t[name] = voice
    return t


TINY = contracts()


def file_of(name):
    deep = {'deep_swapper_224': 'iperov/elon_musk_224.dfm',
            'deep_swapper_320': 'iperov/jason_statham_320.dfm'}
    return deep.get(name, f'{name}.dfm' if '/' in name else f'{name}.onnx')


def maker_of(name):
    if '/' not in name:
        return TINY[name]
    size = int(name.rsplit('_', 1)[1])
    return deep_swapper(size, size != 224)


def build(name, plan=None, seed=1, dynamic=False):
    n = Net(name, seed, dynamic)
    n.g.doc = f'{name}: contract of reprise, for tests'
    maker_of(name)(n, plan or planted.Plan())
    return n
