"""Face swappers: source crop or embedding, converters, weight, pixel boost, several sources, a source
for each face."""
import os

import e2e
import numpy as np
from contracts import common
from contracts.common import Contract
from contracts.deep_swapper import equalised
from twins.net import Net

KINDS = ['face_swapper', 'embedding_converter']

HALF, PLAIN = (0.5, 0.5), (0.0, 1.0)
# model: kind of source, its converter, template, size, is the tiny model's range -1..1?
MODELS = {
    'blendswap_256': ('arcface_112_v2 112', None, 'ffhq_512', 256, False),
    'ghost_1_256': ('raw', 'crossface_ghost', 'arcface_112_v1', 256, True),
    'ghost_2_256': ('raw', 'crossface_ghost', 'arcface_112_v1', 256, True),
    'ghost_3_256': ('raw', 'crossface_ghost', 'arcface_112_v1', 256, True),
    'hififace_unofficial_256': ('unit', 'crossface_hififace', 'mtcnn_512', 256, True),
    'hyperswap_1a_256': ('norm', None, 'arcface_128', 256, True),
    'hyperswap_1b_256': ('norm', None, 'arcface_128', 256, True),
    'hyperswap_1c_256': ('norm', None, 'arcface_128', 256, True),
    'inswapper_128': ('matrix', None, 'arcface_128', 128, False),
    'inswapper_128_fp16': ('matrix', None, 'arcface_128', 128, False),
    'simswap_256': ('unit', 'crossface_simswap', 'arcface_112_v1', 256, False),
    'simswap_unofficial_512': ('unit', 'crossface_simswap', 'arcface_112_v1', 512, False),
    'uniface_256': ('ffhq_512 256', None, 'ffhq_512', 256, True),
    'classic_256': ('ffhq_512 256', None, 'ffhq_512', 256, True),
}


# ---- scenes -------------------------------------------------------------------------------------

def blocks(width, height, seed, contrast):
    """Random colours, ten pixels a side: the sums that the tiny models make of embeddings then lie
    about zero, where they are not clipped."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(-contrast, contrast, (height // 10 + 1, width // 10 + 1, 3)) + 128
    return small.repeat(10, 0).repeat(10, 1)[:height, :width].astype(np.uint8)


class Blocks(common.Scene):
    """A still one shows its picture in the clip as well."""

    def __init__(self, name, width, height, faces, contrast=110, still=False):
        super().__init__(name, width, height, faces)
        self.contrast, self.still = contrast, still

    def drawn(self, seed):
        return blocks(self.width, self.height, seed, self.contrast)

    def picture(self):
        path = e2e.scratch(f'{self.name}.png')
        if not os.path.exists(path):
            common.write_png(path, self.drawn(1))
        return path

    def clip(self):
        path = e2e.scratch(f'{self.name}.mkv')
        if not os.path.exists(path):
            common.write_clip(path, [self.drawn(1 if self.still else 2 + i)
                                     for i in range(common.FRAMES)])
        return path

    def source(self, seed):
        """A picture in which the detector finds the scene's faces."""
        path = e2e.scratch(f'{self.name}-source-{seed}.png')
        if not os.path.exists(path):
            common.write_png(path, self.drawn(seed))
        return path


class Ramped(Blocks):
    """Its swappers lay a pattern of their own over what they see, so that it matters which pixels were
    in one tile."""

    def __init__(self, name, dynamic):
        super().__init__(name, 200, 180, [common.turned([40, 30, 160, 170], -8, 0.9)])
        self.dynamic = dynamic

    def models(self, names=()):
        own = [name for name in names if name in MODELS]
        folder = super().models([name for name in names if name not in own])
        for name in own:
            path = os.path.join(folder, f'{name}.onnx')
            if not os.path.exists(path):
                ramped(name, self.dynamic).g.save(path)
        return folder


def pattern(size):
    y, x = np.mgrid[0:size, 0:size]
    return (3 * x + 5 * y) % size / size


def ramped(name, dynamic):
    """Half the target, a quarter of the tag, a quarter of the pattern; for ranges of 0..1."""
    n = Net(name, dynamic=dynamic)
    kind, _, _, size, _ = MODELS[name]
    if ' ' in kind:
        side = int(kind.split()[1])
        tag = n.global_pool(n.input('source', [1, 3, side, side]))
    else:
        tag = n.matmul(n.input('source', [1, 512]), n.const(SIGNS.reshape(-1).tolist(), [512, 3]))
        tag = n.reshape(n.add(n.mul(n.clip(tag, -1, 1), 0.5), 0.5), [1, 3, 1, 1])
    ramp = n.const((pattern(size) / 4).reshape(-1).tolist(), [1, 1, size, size])
    x = n.add(n.mul(n.input('target', [1, 3, size, size]), 0.5), n.mul(tag, 0.25))
    n.output(n.add(x, ramp), 'output')
    if kind == 'matrix':
        n.const(np.roll(np.eye(512), 1, 1).reshape(-1).tolist(), [512, 512])
    return n


APART = [common.turned([50, 50, 170, 190], 20, 0.9), common.turned([270, 60, 370, 180], -10, 0.8)]
PAIR = Blocks('blocks', 398, 242, [APART[0], common.turned([350, 140, 420, 230], -10, 0.8)])
# What is made of embeddings that are not of length 1 stays in range when there is little contrast.
FAINT = Blocks('faint', 398, 242, PAIR.plan.faces, contrast=10)
STILL = Blocks('still', 398, 242, APART, still=True)
FIXED, FREE = Ramped('fixed', False), Ramped('free', True)


# ---- sources ------------------------------------------------------------------------------------

def largest(scene, path):
    """The picture and its largest face."""
    faces = scene.faces(path, ['--face-landmarker-score', '0', *common.MORE])[0]
    return scene.frames(path)[0], faces[0]


def embedding(frame, face):
    """The tiny arcface: means of 7x7 pixels, R, G, half of B, less the mean of all."""
    crop, _ = common.cut(frame, common.five(face, False), 'arcface_112_v2', 112)
    x = (crop[..., ::-1] / 127.5 - 1).transpose(2, 0, 1)
    means = x.reshape(3, 16, 7, 16, 7).mean((2, 4)).reshape(-1)
    return (means - means.mean())[:512]


def unit(v):
    return v / np.linalg.norm(v)


def identity(kind, scene, paths):
    """What the model is given of these source pictures."""
    if ' ' in kind:
        template, size = kind.split()
        frame, face = largest(scene, paths[0])
        crop, _ = common.cut(frame, common.five(face, False), template, int(size))
        return crop[..., ::-1].transpose(2, 0, 1) / 255
    each = [embedding(*largest(scene, path)) for path in paths]
    mean = np.mean(each, 0)
    if kind == 'norm':
        return np.mean([unit(e) for e in each], 0)
    if kind == 'matrix':
        return np.roll(mean, 1) / np.linalg.norm(mean)
    converted = mean * (1 + np.arange(512) / 512)
    return unit(converted) if kind == 'unit' else converted


SIGNS = np.where(np.arange(512)[:, None] >> np.arange(3) & 1, 1.0, -1.0)


def tag_of(given, signed):
    """The tiny swapper's, RGB."""
    if given.ndim == 3:
        mean = given.mean((1, 2))
        return mean * 2 - 1 if signed else mean
    total = given @ SIGNS
    assert (abs(total) < 1).any(), f'{total}: whatever the source, it would look like this'
    tag = np.clip(total, -1, 1)
    return tag if signed else tag / 2 + 0.5


# ---- the reference ------------------------------------------------------------------------------

def swapped(model, crop, tag, ramp, side):
    """The crop, BGR 0..255. The tiles are those of the ramp: every n-th pixel."""
    _, _, _, size, signed = MODELS[model]
    n = side // size
    x = crop[..., ::-1] / 255.0
    x = x * 2 - 1 if signed else x
    out = 0.5 * x + (0.25 if ramp else 0.5) * tag
    if ramp:
        out = out + pattern(size).repeat(n, 0).repeat(n, 1)[..., None] / 4
    out = (out + 1) / 2 if signed else out
    return np.clip(out, 0, 1)[..., ::-1] * 255


def recoloured(new, crop, share):
    """With the light and the colours of the crop, as far as 16 x 16 pixels show them."""
    target = new.astype(np.uint8)
    whole = equalised(crop.astype(np.uint8), target, 16)
    return np.rint(target * (1 - share) + whole * share)


def swap(model, scene, paths, weight=0.5, side=None, ramp=False, mapped=None, match=0.0):
    """mapped: gives the source pictures of a face, None to leave it alone."""
    kind, _, template, size, signed = MODELS[model]
    side = side or size
    mix = np.interp(weight, [0, 1], [0.35, -0.35])

    def reference(frame, faces):
        before = frame
        for face in faces:
            chosen = mapped(before, face) if mapped else paths()
            if not chosen:
                continue
            given = identity(kind, scene, chosen)
            if given.ndim == 1:
                own = embedding(before, face)
                given = given * (1 - mix) + (own if kind == 'raw' else unit(own)) * mix
            crop, matrix = common.cut(frame, common.five(face, False), template, side)
            new = swapped(model, crop, tag_of(given, signed), ramp, side)
            if match:
                new = recoloured(new, crop, match)
            frame = common.paste(frame, new, common.box_mask(side), matrix)
        return frame
    return reference


def contract(name, model, *options, scene=None, seeds=(11,), where=('picture', 'clip'), mapped=None,
             changes=True, **how):
    kind, converter = MODELS[model][:2]
    scene = scene or (FAINT if kind == 'raw' else PAIR)

    def paths():
        return [scene.source(seed) for seed in seeds]

    words = ['--processors', 'face_swapper', '--face-swapper-model', model]
    return Contract(name, [model] + ([converter] if converter else []),
                    mapped.words(words, options) if mapped else [*words, *options],
                    swap(model, scene, paths, mapped=mapped, **how), scene,
                    source=paths if seeds else None, changes=changes, where=where)


# ---- a source for each face ---------------------------------------------------------------------

class Map:
    """Words of --face-map and what they mean, in NumPy: `pairs` of the seed of a source picture and
    the number of the face of the still scene that gets it."""

    def __init__(self, pairs, rest=None, distance=0.3):
        self.pairs, self.rest, self.distance = pairs, rest, distance

    @staticmethod
    def reference(number):
        """A picture whose largest face looks like that one: moved to where the largest is."""
        picture = STILL.picture()
        if number == 0:
            return picture
        path = e2e.scratch(f'still-face-{number}.png')
        frame, faces = STILL.frames(picture)[0], STILL.faces(
            picture, ['--face-landmarker-score', '0', *common.MORE])[0]
        there, here = (common.similarity(common.five(faces[i], False), 'arcface_112_v2', 112)
                       for i in (0, number))
        back = np.vstack([common.inverse(here), [0, 0, 1]]) @ np.vstack([there, [0, 0, 1]])
        moved = common.look(frame, back[:2], STILL.width, STILL.height, 'replicate')
        common.write_png(path, np.rint(moved).astype(np.uint8))
        return path

    def words(self, before, after):
        class Words:
            """The pictures are made when the words are asked for."""

            def __iter__(words):  # pylint: disable=no-self-argument
                pairs = [f'{STILL.source(seed)}={self.reference(n)}' for seed, n in self.pairs]
                return iter([*before, '--face-map', *pairs, *after])
        return Words()

    def __call__(self, frame, face):
        own = unit(embedding(frame, face))
        near = [(own @ unit(embedding(*largest(STILL, self.reference(n)))), seed)
                for seed, n in self.pairs]
        near = [(dot, seed) for dot, seed in near if max(1 - dot, 0) / 2 < self.distance]
        seed = max(near)[1] if near else self.rest
        return [STILL.source(seed)] if seed else None


# ---- all of them --------------------------------------------------------------------------------

CONTRACTS = [contract(model, model) for model in MODELS]
for name in ('ghost_1_256', 'hyperswap_1a_256', 'inswapper_128', 'simswap_256'):
    for weight in (0, 0.25, 1) if name == 'hyperswap_1a_256' else (1,):
        CONTRACTS.append(contract(f'{name}_weight_{weight}', name, '--face-swapper-weight',
                                  str(weight), seeds=(14,), weight=weight, where=('picture',)))
CONTRACTS += [
    # A picture of its own as source has no use for the weight.
    contract('image_weight', 'uniface_256', '--face-swapper-weight', '0', where=('picture',)),
    contract('sources_norm', 'hyperswap_1a_256', seeds=(11, 12, 13), where=('picture',)),
    contract('sources_raw', 'ghost_1_256', seeds=(11, 12), where=('picture',)),
    contract('sources_image', 'blendswap_256', seeds=(12, 11), where=('picture',)),
]
for percent in (1, 60, 100):
    CONTRACTS.append(contract(
        f'color_match_{percent}', 'uniface_256', '--face-swapper-color-match', str(percent),
        match=percent / 100, where=('picture', 'clip') if percent == 60 else ('picture',)))
# Pixel boost: one tile after the other, and as batches of at most 16.
for name, side, scenes in (('inswapper_128', 256, (FREE,)), ('inswapper_128', 384, (FIXED, FREE)),
                           ('inswapper_128', 512, (FIXED, FREE)), ('inswapper_128', 768, (FREE,)),
                           ('inswapper_128', 1024, (FREE,)), ('blendswap_256', 512, (FIXED, FREE)),
                           ('blendswap_256', 768, (FREE,)), ('simswap_unofficial_512', 1024, (FREE,))):
    for scene in scenes:
        CONTRACTS.append(contract(
            f'boost_{name}_{side}_{scene.name}', name, '--face-swapper-pixel-boost',
            f'{side}x{side}', scene=scene, side=side, ramp=True,
            where=('picture', 'clip') if side == 512 else ('picture',)))
# Sizes that FaceFusion offers and fails at: the next that goes.
for name, said, side in (('blendswap_256', 384, 512), ('simswap_unofficial_512', 768, 1024)):
    CONTRACTS.append(contract(f'boost_{name}_{said}', name, '--face-swapper-pixel-boost',
                              f'{said}x{said}', scene=FIXED, side=side, ramp=True,
                              where=('picture',)))
CONTRACTS += [
    contract('boost_weight', 'inswapper_128', '--face-swapper-pixel-boost', '384x384',
             '--face-swapper-weight', '0.8', scene=FREE, side=384, ramp=True, weight=0.8,
             where=('picture',)),
    contract('boost_color_match', 'inswapper_128', '--face-swapper-pixel-boost', '256x256',
             '--face-swapper-color-match', '80', scene=FREE, side=256, ramp=True, match=0.8,
             where=('picture',)),
    contract('map_both', 'hyperswap_1a_256', scene=STILL, seeds=(),
             mapped=Map([(21, 0), (22, 1)])),
    contract('map_images', 'uniface_256', scene=STILL, seeds=(), mapped=Map([(22, 1), (21, 0)])),
    contract('map_one', 'inswapper_128', scene=STILL, seeds=(), mapped=Map([(22, 1)]),
             where=('picture',)),
    contract('map_rest', 'uniface_256', scene=STILL, mapped=Map([(22, 1)], rest=11),
             where=('picture',)),
    contract('map_all_weight', 'inswapper_128', '--face-swapper-weight', '0.9', scene=STILL,
             weight=0.9, mapped=Map([(21, 0), (22, 1)], rest=11), where=('picture',)),
    contract('map_nobody', 'uniface_256', '--reference-face-distance', '0', scene=STILL, seeds=(),
             mapped=Map([(21, 0), (22, 1)], distance=0.0), changes=False),
    # Of several references that are near enough the nearest.
    contract('map_nearest', 'uniface_256', '--reference-face-distance', '1', scene=STILL, seeds=(),
             mapped=Map([(21, 0), (22, 1)], distance=1.0), where=('picture',)),
]
