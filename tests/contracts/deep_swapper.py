"""Deep swappers: files of any size with and without a morph input; sharpening, colour match, the
network's own masks."""
import json
import math
import os
import shutil
import unittest

import e2e
import numpy as np
from contracts import common, face_masks
from contracts.common import Contract
from twins.net import Net

KINDS = []  # Named checks that every name of the catalogue has a size that is tested here.

# Size: one of that size. Those of 224 have no morph input here, the others have one.
SIZES = {
    224: 'iperov/elon_musk_224',
    256: 'druuzil/cobie_smulders_256',
    288: 'jen/angelica_trae_288',
    320: 'iperov/jason_statham_320',
    352: 'mats/yu_jimin_352',
    384: 'druuzil/andras_arato_384',
    448: 'druuzil/henry_cavill_448',
}
F = np.float32


# ---- the reference, in single precision: what is truncated at once depends on it ------------------

def cut(frame, points, size, template='dfl_whole_face'):
    """common.cut() in single precision: where a value is almost a half, sharpening and colour match
    would make two or three levels of one."""
    m = common.similarity(points, template, size)
    height, width = frame.shape[:2]
    y, x = np.mgrid[0:size, 0:size].astype(F)
    x, y = (np.clip(common.fused(a, x, b * y + c), -2, n + 1) for (a, b, c), n in
            zip(common.inverse(m).astype(F), (width, height)))
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    tx, ty = (x - ix.astype(F))[..., None], (y - iy.astype(F))[..., None]

    def row(iy):
        a, b = (frame[np.clip(iy, 0, height - 1), np.clip(ix + k, 0, width - 1)].astype(F)
                for k in (0, 1))
        return a + tx * (b - a)

    upper, lower = row(iy), row(iy + 1)
    return np.rint(upper + ty * (lower - upper)).astype(np.uint8), m


def sharpened(crop):
    """8-bit Gaussian of sigma 2, whose weights are 256ths, then the unsharp mask."""
    weights = np.array([1, 2, 7, 16, 31, 45, 52, 45, 31, 16, 7, 2, 1])
    size = len(crop)
    x = np.pad(crop.astype(int), ((6, 6), (6, 6), (0, 0)), 'reflect')
    x = sum(w * x[:, i:i + size] for i, w in enumerate(weights))
    x = sum(w * x[i:i + size] for i, w in enumerate(weights))
    return np.clip(np.rint(1.75 * crop - 0.75 * ((x + 32768) >> 16)), 0, 255).astype(np.uint8)


def spans(n, size):
    """For each of `size` positions the first of n that it covers, and by how much it covers each."""
    step = 1 / (size / n)
    for i in range(size):
        begin, end = i * step, i * step + step
        first, last = math.ceil(begin), min(math.floor(end), n - 1)
        width = min(step, n - begin)
        parts = [first - begin] if first - begin > 1e-3 else []
        first -= len(parts)
        parts += [1.0] * (last - first - len(parts))
        parts += [min(end - last, 1, width)] if end - last > 1e-3 else []
        yield first, [F(p / width) for p in parts]


def across(x, size):
    """Each sum from its first to its last, along the second axis."""
    out = []
    for first, weights in spans(x.shape[1], size):
        total = np.zeros_like(x[:, 0])
        for k, w in enumerate(weights):
            total = total + x[:, first + k] * w
        out.append(total)
    return np.stack(out, 1)


def shrunken(picture, size):
    """OpenCV's INTER_AREA. Many of the sums are halves but for an error of single precision, so its
    order of adding counts."""
    n = len(picture)
    if n % size == 0 and 1 / (size / n) == n // size:
        k = n // size
        total = picture.astype(int).reshape(size, k, size, k, 3).sum((1, 3))
        return (total + 2) // 4 if k == 2 else np.rint(total.astype(F) * F(1 / (k * k)))
    rows = across(picture.astype(F), size).transpose(1, 0, 2)
    return np.rint(across(rows, size).transpose(1, 0, 2))


def cubic(n, size):
    """For each of `size` positions its four samples of n and their weights."""
    x = ((np.arange(size) + 0.5) * (n / size) - 0.5).astype(F)
    left = np.floor(x)
    t, a = (x - left).astype(F), F(-0.75)

    def near(d):
        return ((a + F(2)) * d - (a + F(3))) * d * d + F(1)

    v = t + F(1)
    w = [((a * v - F(5) * a) * v + F(8) * a) * v - F(4) * a, near(t), near(F(1) - t)]
    w.append(F(1) - w[0] - w[1] - w[2])
    at = [np.clip(left.astype(int) - 1 + k, 0, n - 1) for k in range(4)]
    return at, w


def enlarged(gap, height, width):
    at, w = cubic(gap.shape[1], width)
    p = [gap[:, at[k]] * w[k][:, None] for k in range(4)]
    rows = p[0] + p[1] + p[2] + p[3]
    at, w = cubic(gap.shape[0], height)
    p = [rows[at[k]] * w[k][:, None, None] for k in range(4)]
    return p[0] + (p[1] + (p[2] + p[3]))


def equalised(source, target, size):
    gap = (shrunken(source, size) - shrunken(target, size)).astype(F)
    return np.clip(target + enlarged(gap, *target.shape[:2]), 0, 255).astype(np.uint8)


def matched(source, target):
    for size in np.linspace(16, len(target), 3, endpoint=False):
        source = equalised(source, target, int(np.rint(size / 2)) * 2)
    return source


def histogram(picture):
    """Of OpenCV's 8-bit hue and saturation, in 50 x 60 bins."""
    b, g, r = (picture[..., c].astype(int) for c in range(3))
    v, low = np.maximum(np.maximum(b, g), r), np.minimum(np.minimum(b, g), r)
    d = v - low
    turn = np.where(v == r, g - b, np.where(v == g, b - r + 2 * d, r - g + 4 * d))
    per = np.where(d > 0, np.rint((180 << 12) / (6.0 * np.maximum(d, 1))), 0).astype(int)
    hue = (turn * per + 2048) >> 12
    hue = np.where(hue < 0, hue + 180, hue)
    per = np.where(v > 0, np.rint((255 << 12) / np.maximum(v, 1)), 0).astype(int)
    saturation = (d * per + 2048) >> 12
    return np.bincount((hue * 50 // 180 * 60 + saturation * 60 // 256).ravel(), minlength=3000)


def likeness(a, b):
    return (np.corrcoef(histogram(a), histogram(b))[0, 1] + 1) / 2


def eroded(mask):
    """By a cross, twice; what is outside does not count."""
    for _ in range(2):
        x = np.pad(mask, 1, constant_values=np.inf)
        mask = np.minimum.reduce([x[1:-1, 1:-1], x[:-2, 1:-1], x[2:, 1:-1], x[1:-1, :-2],
                                  x[1:-1, 2:]])
    return mask


def network(crop, morph):
    """The tiny model: the face in 8 bits, the target's mask and the source's."""
    x = (crop / 255.0).astype(F)
    y = x * F(0.5) + np.array([0.3, 0.2, 0.1], F)
    if len(crop) != 224:
        y = y + F(morph / 100) * F(0.2)
    masks = (np.clip(x[..., c] * F(4) + F(-0.5), 0, 1) for c in (0, 2))
    return np.clip(y * F(255), 0, 255).astype(np.uint8), *masks


def changed(crop, morph):
    """What is pasted, and the network's mask."""
    new, target, source = network(sharpened(crop), morph)
    mask = common.gaussian(eroded(np.clip(np.minimum(source, target), 0, 1)), 6.25)
    return common.blend(new, matched(crop, new), likeness(crop, new)), mask


def swap(size, morph=100, blur=0.3, padding=(0, 0, 0, 0), occluders=(), regions=(), areas=(),
         landmarker=False):
    def reference(frame, faces):
        for face in faces:
            crop, matrix = cut(frame, common.five(face, landmarker), size)
            new, mask = changed(crop, morph)
            masks = [mask, common.box_mask(size, blur, padding)]
            if occluders:
                masks.append(common.occlusion_mask(crop, *occluders))
            if regions:
                masks.append(face_masks.region_mask(size, regions))
            if areas:
                masks.append(face_masks.area_mask(face, matrix, size, areas))
            frame = common.paste(frame, new, np.minimum.reduce(masks), matrix)
        return frame
    return reference


def contract(name, size, *options, scene=common.PAIR, where=('picture', 'clip'), models=(),
             landmarker=False, tolerance=1, differ=0.03, changes=True, **how):
    return Contract(name, [SIZES[size], *models],
                    ['--processors', 'deep_swapper', '--deep-swapper-model', SIZES[size], *options],
                    swap(size, landmarker=landmarker, **how), scene, landmarker, tolerance, differ,
                    where=where, changes=changes)


CONTRACTS = [contract(f'size_{size}', size) for size in SIZES]
CONTRACTS += [
    contract('morph_0', 320, '--deep-swapper-morph', '0', morph=0, where=('picture',)),
    contract('morph_37', 256, '--deep-swapper-morph', '37', morph=37, where=('picture',)),
    # A model without that input is not disturbed by the option.
    contract('morph_without', 224, '--deep-swapper-morph', '0', where=('picture',)),
    contract('touching', 224, scene=common.TOUCHING, tolerance=2),
    contract('landmarker', 224, landmarker=True, where=('picture',)),
    # The box is always there.
    contract('padding', 224, '--face-mask-types', 'occlusion', '--face-mask-padding', '30', '10',
             '--face-mask-blur', '0.6', blur=0.6, padding=(30, 10, 30, 10), models=('xseg_1',),
             occluders=(1,), where=('picture',)),
    contract('regions', 224, '--face-mask-types', 'region', '--face-mask-regions', 'nose', 'mouth',
             'skin', models=('bisenet_resnet_34',), regions=('nose', 'mouth', 'skin')),
    contract('areas', 320, '--face-mask-types', 'area', '--face-mask-areas', 'lower-face',
             areas=('lower-face',), landmarker=True, where=('picture',)),
    # Occlusion masks are in double precision here, and what is pasted is truncated.
    contract('all', 224, '--face-mask-types', 'box', 'occlusion', 'region', '--face-occluder-model',
             'many', models=('bisenet_resnet_34', 'xseg_1', 'xseg_2', 'xseg_3'),
             occluders=(1, 2, 3), regions=face_masks.REGIONS, differ=0.05, where=('picture',)),
    contract('nobody', 224, scene=common.NOBODY, tolerance=0, changes=False),
    contract('speck', 224, scene=common.SPECK),
]


class Named(unittest.TestCase):
    def test_every_name(self):
        """157, each of a size that is tested."""
        names = [m['name'] for m in map(json.loads, e2e.must('models', '--json').stdout.splitlines())
                 if m['kind'] == 'deep_swapper']
        self.assertEqual(len(names), 157)
        for name in names:
            self.assertIn(int(name.rsplit('_', 1)[1]), SIZES)
        for name in SIZES.values():
            self.assertIn(name, names)

    def test_size_of_the_file(self):
        """Not the name's."""
        folder = e2e.scratch('other-size')
        shutil.copytree(common.ONE.models([SIZES[224], SIZES[320]]), folder, symlinks=True)
        shutil.copy(f'{folder}/{SIZES[320]}.dfm', f'{folder}/{SIZES[224]}.dfm')
        picture, output = common.ONE.picture(), e2e.scratch('other-size.png')
        e2e.must('headless-run', '--models-path', folder, '--processors', 'deep_swapper', '-t',
                 picture, '-o', output, '--face-landmarker-score', '0', *common.MORE)
        faces = common.ONE.faces(picture, ['--face-landmarker-score', '0', *common.MORE])[0]
        want = swap(320)(common.ONE.frames(picture)[0], faces)
        wrong = np.abs(common.read_frames(output)[0].astype(int) - want)
        self.assertLessEqual(wrong.max(), 1)
        self.assertIn('deep_swapper=iperov/elon_musk_224', e2e.must('inspect', output).stdout)


def models_with(test, *names):
    """A folder of its own with the models that analyse, and these."""
    folder = e2e.scratch(test.id())
    os.makedirs(folder)
    there = common.ONE.models(names)
    for name in os.listdir(there):
        if name.rsplit('.', 1)[0] in common.ANALYSING:
            os.symlink(f'{there}/{name}', f'{folder}/{name}')
    for name in names:
        os.makedirs(os.path.dirname(f'{folder}/{name}'), exist_ok=True)
        os.symlink(f'{there}/{name}.dfm', f'{folder}/{name}.dfm')
    return folder


class Custom(unittest.TestCase):
    """A user's own model."""

    def setUp(self):
        self.models = models_with(self, SIZES[224])
        self.folder = f'{self.models}/custom'
        os.makedirs(self.folder)
        self.output = e2e.scratch('custom.png')

    def words(self, model):
        return ['headless-run', '--models-path', self.models, '--processors', 'deep_swapper', '-t',
                common.ONE.picture(), '-o', self.output, '--face-landmarker-score', '0',
                '--deep-swapper-model', model]

    def run_with(self, model):
        e2e.must(*self.words(model), *common.MORE)
        return common.read_frames(self.output)[0]

    def listed(self):
        out = e2e.must('models', '--models-path', self.models, '--json').stdout.splitlines()
        return [m for m in map(json.loads, out) if m['name'].startswith('custom/')]

    def test_same_as_by_name(self):
        for name in ('mine', 'My own (2).v1+b'):
            shutil.copy(f'{self.models}/{SIZES[224]}.dfm', f'{self.folder}/{name}.dfm')
            np.testing.assert_array_equal(self.run_with(f'custom/{name}'),
                                          self.run_with(SIZES[224]))
        self.assertIn('deep_swapper=custom/mine',
                      e2e.must('inspect', '--json', self.output).stdout
                      if self.run_with('custom/mine') is not None else '')

    def test_onnx(self):
        """Both extensions; .dfm is the one that counts."""
        common.tiny.build(SIZES[256]).g.save(f'{self.folder}/two.onnx')
        large = self.run_with('custom/two')
        shutil.copy(f'{self.models}/{SIZES[224]}.dfm', f'{self.folder}/two.dfm')
        small = self.run_with('custom/two')
        np.testing.assert_array_equal(small, self.run_with(SIZES[224]))
        self.assertGreater(np.abs(large.astype(int) - small).max(), 0)
        self.assertEqual([m['file'] for m in self.listed()], ['custom/two.dfm'])

    def test_listed(self):
        self.assertEqual(self.listed(), [])
        for name in ('b.dfm', 'a.onnx', 'a.hash', '.hidden.dfm', 'x.txt', '-x.dfm', 'q\n.dfm',
                     'é.dfm', '.dfm', 'n' * 101 + '.dfm'):
            with open(f'{self.folder}/{name}', 'wb') as file:
                file.write(b'12345')
        os.mkdir(f'{self.folder}/folder.dfm')
        found = self.listed()
        self.assertEqual([m['name'] for m in found], ['custom/a', 'custom/b'])
        for m in found:
            self.assertTrue(m['installed'])
            self.assertEqual((m['kind'], m['size'], m['fetch']), ('deep_swapper', 5, None))
        self.assertEqual(found[1]['path'], f'{self.folder}/b.dfm')

    def test_never_verified(self):
        shutil.copy(f'{self.models}/{SIZES[224]}.dfm', f'{self.folder}/mine.dfm')
        with open(f'{self.folder}/mine.hash', 'w', encoding='ascii') as file:
            file.write('00000000')
        text = e2e.must('models', '--models-path', self.models, '--verify', 'custom/mine').stdout
        self.assertIn('unknown', text)
        for line in e2e.must(*self.words('custom/mine'), *common.MORE).stderr.splitlines():
            self.assertFalse('mine' in line and 'published' in line, line)
        e2e.must('force-download', '--models-path', self.models, '--offline', 'custom/mine')

    def test_names(self):
        """None leads out of the folder."""
        common.tiny.build(SIZES[224]).g.save(f'{self.models}/outside.dfm')
        for name in ('../outside', '', '.', '..', 'a/b', '/etc/passwd', '.x', 'x\\y', 'x\ny', '-x',
                     'n' * 101, 'é', '*'):
            common.refused(self, 2, 'after custom/', *self.words(f'custom/{name}'))
        common.refused(self, 2, 'there is no file none.dfm or none.onnx', *self.words('custom/none'))
        common.refused(self, 2, 'custom_mine', *self.words('custom_mine'))

    def test_no_folder(self):
        os.rmdir(self.folder)
        common.refused(self, 2, 'there is no file', *self.words('custom/mine'))
        self.assertEqual(self.listed(), [])

    def test_broken(self):
        os.mkdir(f'{self.folder}/mine.dfm')
        common.refused(self, 2, 'there is no file', *self.words('custom/mine'))
        os.rmdir(f'{self.folder}/mine.dfm')
        with open(f'{self.folder}/mine.dfm', 'wb'):
            pass
        common.refused(self, 2, 'empty file', *self.words('custom/mine'))


class Refused(unittest.TestCase):
    """What is missing or wrong is said in one sentence, and no output is written."""

    def setUp(self):
        self.models = models_with(self)
        os.makedirs(f'{self.models}/iperov')
        self.output = e2e.scratch('refused.png')

    def refused(self, code, said, *options):
        common.refused(self, code, said, 'headless-run', '--models-path', self.models,
                       '--processors', 'deep_swapper', '-t', common.ONE.picture(), '-o',
                       self.output, *options)
        self.assertFalse(os.path.exists(self.output))

    def network(self, height=224, width=None, name='in_face:0', morph=None, outputs=(1, 3, 1),
                channels=3, free=None, small=False):
        """A deep swapper that is not quite one, under the default's name."""
        n = Net('not quite', 1)
        x = n.input(name, [1, height, width or height, channels], free=free)
        if morph:
            x = n.mul(x, n.slice(n.input('morph_value:0', morph, batch=False), 0, 0, 1))
        for i, c in enumerate(outputs):
            y = n.mul(n.slice(x, 3, 0, c), 0.5)
            n.output(n.slice(y, 1, 0, 100) if small else y, f'out_{i}')
        n.g.save(f'{self.models}/iperov/elon_musk_224.dfm')

    def content(self, data):
        with open(f'{self.models}/iperov/elon_musk_224.dfm', 'wb') as file:
            file.write(data)

    def test_missing(self):
        self.refused(2, 'iperov/elon_musk_224 is not installed')
        self.refused(2, 'mats/billie_eilish_224 is not installed', '--deep-swapper-model',
                     'mats/billie_eilish_224')

    def test_not_a_model(self):
        self.content(b'no model')
        self.refused(1, 'elon_musk_224.dfm')
        self.content(os.urandom(5000))
        self.refused(1, 'elon_musk_224.dfm')
        self.content(b'')
        self.refused(2, 'is not installed')

    def test_truncated(self):
        with open(f'{common.ONE.models([SIZES[320]])}/{SIZES[320]}.dfm', 'rb') as file:
            data = file.read()
        for n in (1, 20, len(data) // 2, len(data) - 1):
            self.content(data[:n])
            self.refused(1, 'elon_musk_224.dfm')

    def test_folder(self):
        os.mkdir(f'{self.models}/iperov/elon_musk_224.dfm')
        self.refused(2, 'is not installed')

    def test_wrong_inputs(self):
        self.network(name='face')
        self.refused(1, "no input 'in_face:0'")
        self.network(channels=4)
        self.refused(1, 'expected float32')
        self.network(morph=[2])
        self.refused(1, "input 'morph_value:0' is float32 2")

    def test_wrong_sizes(self):
        for height, width in ((224, 256), (16, 16), (1056, 1056)):
            self.network(height, width)
            self.refused(1, 'not a square of 32 to 1024')
        self.network(free={1: 'height', 2: 'width'})
        self.refused(1, 'not a square of 32 to 1024')

    def test_wrong_outputs(self):
        self.network(outputs=(1, 3))
        self.refused(1, 'has 2 outputs, expected 3')
        self.network(outputs=(1, 1, 1))
        self.refused(1, 'output 2 is not a face')
        self.network(outputs=(3, 3, 1))
        self.refused(1, 'output 1 is not a mask')
        self.network(outputs=(1, 3, 3))
        self.refused(1, 'output 3 is not a mask')
        self.network(small=True)
        self.refused(1, 'output 1 is not a mask')

    def test_not_a_number(self):
        """Where the network says nothing, nothing is pasted."""
        n = Net('nothing', 1)
        x = n.input('in_face:0', [1, 64, 64, 3])
        nothing = n.op('Div', n.mul(x, 0.0), n.mul(x, 0.0))
        mask = n.slice(nothing, 3, 0, 1)
        n.output(mask, 'a')
        n.output(nothing, 'b')
        n.output(mask, 'c')
        n.g.save(f'{self.models}/iperov/elon_musk_224.dfm')
        e2e.must('headless-run', '--models-path', self.models, '--processors', 'deep_swapper', '-t',
                 common.ONE.picture(), '-o', self.output, *common.MORE)
        np.testing.assert_array_equal(common.read_frames(self.output),
                                      common.read_frames(common.ONE.picture()))
        os.unlink(self.output)

    def test_options(self):
        self.refused(2, 'did you mean iperov/elon_musk_224?', '--deep-swapper-model',
                     'iperov/elon_musk_225')
        for value in ('-1', '101', '0.5', 'much'):
            self.refused(2, '--deep-swapper-morph', '--deep-swapper-morph', value)
