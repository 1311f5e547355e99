#!/usr/bin/python3
"""Masks of face crops against a NumPy version, on made-up and on real networks.

    test_masks.py MASK_RUN [TEST...]

NumPy's is written from the description of FaceFusion's masks, in double precision; MASK_RUN
(mask_run.c) is what processors use.
"""
import itertools
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tools'))
import onnx_writer as w  # noqa: E402

SHARED = os.environ.get('REPRISE_SHARED') or os.path.join(HERE, '..', '..', 'shared')
REGIONS = {'skin': 1, 'left-eyebrow': 2, 'right-eyebrow': 3, 'left-eye': 4, 'right-eye': 5,
           'glasses': 6, 'nose': 10, 'mouth': 11, 'upper-lip': 12, 'lower-lip': 13}
AREAS = {'upper-face': [0, 1, 2, 31, 32, 33, 34, 35, 14, 15, 16, 26, 25, 24, 23, 22, 21, 20, 19, 18,
                        17],
         'lower-face': [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 35, 34, 33, 32, 31],
         'mouth': list(range(48, 68))}

program = None
_work = tempfile.TemporaryDirectory(prefix='reprise-test-')
_numbers = itertools.count()


def folder():
    path = os.path.join(_work.name, str(next(_numbers)))
    os.mkdir(path)
    return path


def shared(name):
    path = os.path.join(SHARED, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f'no shared {name}')
    return path


# ---- the program -------------------------------------------------------------------------------


def run(models, crop, options, result=None, points=None):
    """(exit status, mask or what was said)"""
    at = folder()
    h, width = crop.shape[:2]
    np.ascontiguousarray(crop, np.uint8).tofile(at + '/crop.raw')
    if result is not None:
        np.ascontiguousarray(result, np.float32).tofile(at + '/result.raw')
    if points is not None:
        np.ascontiguousarray(points, np.float32).tofile(at + '/points.raw')
    words = [str(word) for pair in options.items() for word in pair]
    done = subprocess.run([program, models, at, str(width), str(h), *words],
                          stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    if done.returncode:
        return done.returncode, done.stderr
    return 0, np.fromfile(at + '/mask.raw', np.float32).reshape(h, width)


def mask(models, crop, types, result=None, points=None, **options):
    """The mask; options in Python's spelling, without face_."""
    given = {'face-' + name.replace('_', '-'): value for name, value in options.items()}
    code, out = run(models, crop, {'face-mask-types': types, **given}, result, points)
    if code:
        raise AssertionError(f'mask_run: exit {code}\n{out}')
    return out


# ---- the same in NumPy -------------------------------------------------------------------------


def axis(src, dst):
    """Left sample, right sample and the right one's weight along one axis."""
    at = np.clip((np.arange(dst) + 0.5) * src / dst - 0.5, 0, src - 1)
    left = np.minimum(at.astype(int), max(src - 2, 0))
    return left, np.minimum(left + 1, src - 1), at - left


def bilinear(a, width, h):
    a = np.asarray(a, np.float64)
    if a.ndim == 2:
        return bilinear(a[:, :, None], width, h)[:, :, 0]
    top, bottom, fy = axis(a.shape[0], h)
    left, right, fx = axis(a.shape[1], width)
    fy, fx = fy[:, None, None], fx[None, :, None]
    rows = a[top] * (1 - fy) + a[bottom] * fy
    return rows[:, left] * (1 - fx) + rows[:, right] * fx


def bilinear_bytes(a, size):
    """OpenCV's for bytes: weights of 11 bits, the edge's rows mixed with themselves, and a shrink to a
    half is a mean of four."""
    a = a.astype(int)
    n = a.shape[0]
    if n == size:
        return a
    if n == 2 * size:
        return (a[::2, ::2] + a[::2, 1::2] + a[1::2, ::2] + a[1::2, 1::2] + 2) >> 2
    left, right, f = axis(n, size)
    w0, w1 = (np.rint(v * 2048).astype(int)[None, :, None] for v in (1 - f, f))
    rows = (a[:, left] * w0 + a[:, right] * w1) >> 4
    at = (np.arange(size) + 0.5) * n / size - 0.5
    top, f = np.floor(at).astype(int), at - np.floor(at)
    upper, lower = rows[np.clip(top, 0, n - 1)], rows[np.clip(top + 1, 0, n - 1)]
    w0, w1 = (np.rint(v * 2048).astype(int)[:, None, None] for v in (1 - f, f))
    return ((upper * w0 >> 16) + (lower * w1 >> 16) + 2) >> 2


def blur(a, sigma):
    size = round(8 * sigma + 1) | 1
    reach = size // 2
    k = np.exp(-0.5 * ((np.arange(size) - reach) / sigma) ** 2)
    for turn in range(2):
        padded = np.pad(a, ((0, 0), (reach, reach)), 'reflect')
        a = sum(k[i] / k.sum() * padded[:, i:i + a.shape[1]] for i in range(size)).T
    return a


def soft(a):
    return (np.clip(blur(np.clip(a, 0, 1), 5), 0.5, 1) - 0.5) * 2


def box(size, amount=0.3, padding=(0, 0, 0, 0)):
    reach = int(size * 0.5 * amount)
    edge = [max(max(reach // 2, 1), int(size * p / 100)) for p in padding]
    a = np.ones((size, size))
    a[:edge[0]], a[size - edge[2]:], a[:, :edge[3]], a[:, size - edge[1]:] = 0, 0, 0, 0
    return blur(a, 0.25 * reach) if reach else a


def occlusion(tensors, size):
    return soft(np.min([bilinear(np.clip(t, 0, 1), size, size) for t in tensors], axis=0))


def region(logits, size, names=REGIONS):
    chosen = np.isin(logits.argmax(0), [REGIONS[name] for name in names])
    return soft(bilinear(chosen.astype(float), size, size))


def line(a, b):
    """Bresenham's pixels from left to right; half a pixel is not yet a step."""
    a, b = sorted([a, b])
    dx, dy = b[0] - a[0], abs(b[1] - a[1])
    down = 1 if b[1] > a[1] else -1
    for i in range(max(dx, dy) + 1):
        step = -((max(dx, dy) - 2 * min(dx, dy) * i) // (2 * max(dx, dy, 1)))
        yield (a[0] + i, a[1] + down * step) if dx >= dy else (a[0] + step, a[1] + down * i)


def hull(points, size):
    """The convex hull of whole points as OpenCV fills it: rows between the edges, halves rounded up,
    and lines along them."""
    p = sorted({(int(x), int(y)) for x, y in points})

    def chain(order):
        out = []
        for q in order:
            while len(out) > 1 and (out[-1][0] - out[-2][0]) * (q[1] - out[-2][1]) <= \
                    (out[-1][1] - out[-2][1]) * (q[0] - out[-2][0]):
                out.pop()
            out.append(q)
        return out[:-1]

    corners = chain(p) + chain(p[::-1])
    edges = [sorted(e, key=lambda q: q[1]) for e in zip(corners, corners[1:] + corners[:1])]
    mask = np.zeros((size, size))
    for y in range(size):
        at = [int(np.floor(a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + 0.5))
              for a, b in edges if a[1] <= y < b[1]]
        if at:
            mask[y, max(min(at), 0):max(at) + 1] = 1
    for a, b in edges:
        for x, y in line(a, b):
            if 0 <= x < size and 0 <= y < size:
                mask[y, x] = 1
    return mask


def area(points, size, names=AREAS):
    return soft(hull(points[sorted({i for name in names for i in AREAS[name]})], size))


# ---- what goes in ------------------------------------------------------------------------------


def picture(size, seed=0):
    """Smooth colours with a little noise."""
    rng = np.random.default_rng(seed)
    a = bilinear(rng.uniform(-60, 315, (7, 7, 3)), size, size) + rng.normal(0, 4, (size, size, 3))
    return np.clip(a, 0, 255).astype(np.uint8)


def face_points(size):
    """68 points: jaw, brows, nose, eyes, mouth about where they are."""
    jaw = [(0.5 - 0.38 * np.cos(np.pi * i / 16), 0.35 + 0.55 * np.sin(np.pi * i / 16))
           for i in range(17)]
    brows = [(0.18 + 0.07 * i, 0.25) for i in range(10)]
    nose = [(0.5, 0.35 + 0.06 * i) for i in range(4)] + [(0.42 + 0.04 * i, 0.6) for i in range(5)]
    eyes = [(0.3 + dx + 0.05 * np.cos(i), 0.37 + 0.03 * np.sin(i))
            for dx in (0, 0.4) for i in range(6)]
    mouth = [(0.5 + 0.13 * np.cos(i / 3.2), 0.74 + 0.06 * np.sin(i / 3.2)) for i in range(20)]
    return np.array(jaw + brows + nose + eyes + mouth) * size


def tensors(seed, low, high, shape, block):
    """Random numbers in blocks, with some more on each place: what a mask network might say."""
    rng = np.random.default_rng(seed)
    small = rng.uniform(low, high, shape[:-2] + (shape[-2] // block, shape[-1] // block))
    big = np.kron(small, np.ones((block, block)))
    return (big + rng.normal(0, (high - low) / 20, shape)).astype(np.float32)


# ---- networks ----------------------------------------------------------------------------------


def occluder(path, values=None, gains=None, dims=(1, 256, 256, 3)):
    """Says `values` whatever it sees, or gains * (B, G, R)."""
    g = w.Graph('occluder')
    g.input('input', w.FLOAT, list(dims))
    if gains is None:
        g.initializer('values', w.FLOAT, list(values.shape), values.tobytes())
        g.initializer('none', w.FLOAT, [1], w.floats([0]))
        g.node('ReduceMean', ['input'], ['mean'], keepdims=0)
        g.node('Mul', ['mean', 'none'], ['nothing'])
        g.node('Add', ['values', 'nothing'], ['output'])
        shape = list(values.shape)
    else:
        g.initializer('gains', w.FLOAT, [3, 1], w.floats(gains))
        g.node('MatMul', ['input', 'gains'], ['output'])
        shape = [*dims[:3], 1]
    g.output('output', w.FLOAT, shape)
    g.save(path)


def parser(path, classes=None, gains=None, size=512, free=False):
    """Says `classes` (whole numbers of 0..255) whatever it sees, or gains * (R, G, B, 1). Free: of any
    size, with two outputs more, as bisenet has them."""
    g = w.Graph('parser')
    g.input('input', w.FLOAT, ['n', 3, 'h', 'w'] if free else [1, 3, size, size])
    if gains is None:
        g.initializer('classes', 2, [1, *classes.shape], classes.astype(np.uint8).tobytes())
        g.initializer('none', w.FLOAT, [1], w.floats([0]))
        g.node('Cast', ['classes'], ['values'], to=w.FLOAT)
        g.node('ReduceMean', ['input'], ['mean'], keepdims=0)
        g.node('Mul', ['mean', 'none'], ['nothing'])
        g.node('Add', ['values', 'nothing'], ['output'])
        n = len(classes)
    else:
        n = len(gains)
        g.initializer('gains', w.FLOAT, [n, 3, 1, 1], w.floats(gains[:, :3].ravel().tolist()))
        g.initializer('bias', w.FLOAT, [n], w.floats(gains[:, 3].tolist()))
        g.node('Conv', ['input', 'gains', 'bias'], ['output'])
    g.output('output', w.FLOAT, ['n', n, 'h', 'w'] if free else [1, n, size, size])
    for name in ('more', 'most') if free else ():
        g.node('Neg', ['output'], [name])
        g.output(name, w.FLOAT, ['n', n, 'h', 'w'])
    g.save(path)


# ---- tests -------------------------------------------------------------------------------------


class Masks(unittest.TestCase):
    def close(self, got, want, most=2e-5, mean=None):
        """most: of float32 sums over 41 numbers against double ones."""
        self.assertTrue(np.isfinite(got).all())
        self.assertGreaterEqual(got.min(), 0)
        self.assertLessEqual(got.max(), 1)
        self.assertLessEqual(np.abs(got - want).max(), most)
        self.assertLessEqual(np.abs(got - want).mean(), mean or most)
        self.assertGreater(np.ptp(want), 0.5)  # else the test says nothing


class Box(Masks):
    def test_blur_and_padding(self):
        for size, amount, padding, sides in (
                (256, 0.3, '0', (0, 0, 0, 0)), (128, 0.3, '10', (10, 10, 10, 10)),
                (512, 0.0, '5 20', (5, 20, 5, 20)), (256, 1.0, '3 30 14', (3, 30, 14, 30)),
                (200, 0.55, '1 2 3 44', (1, 2, 3, 44))):
            got = mask(folder(), picture(size), 'box', mask_blur=amount, mask_padding=padding)
            self.close(got, np.clip(box(size, amount, sides), 0, 1))


class Occlusion(Masks):
    def test_any_answer(self):
        """The network's answer becomes a mask of the crop's size."""
        models = folder()
        values = tensors(1, -0.6, 1.6, (256, 256), 32)
        occluder(models + '/xseg_1.onnx', values[None, :, :, None])
        for size in (128, 200, 256, 512):
            self.close(mask(models, picture(size), 'occlusion'), occlusion([values], size))

    def test_many(self):
        """The least of three; each by its name."""
        models = folder()
        values = [tensors(seed, -0.3, 1.9, (256, 256), 64) for seed in (2, 3, 4)]
        for i, each in enumerate(values):
            occluder(f'{models}/xseg_{i + 1}.onnx', each[None, :, :, None])
        crop = picture(256)
        self.close(mask(models, crop, 'occlusion', occluder_model='many'), occlusion(values, 256))
        for i, each in enumerate(values):
            self.close(mask(models, crop, 'occlusion', occluder_model=f'xseg_{i + 1}'),
                       occlusion([each], 256))

    def test_what_it_sees(self):
        """Blue, green, red in 0..1, channels last, 256x256."""
        models, gains = folder(), [1.9, -0.8, 0.3]
        occluder(models + '/xseg_1.onnx', gains=gains)
        for size in (128, 300, 512):
            crop = picture(size, size)
            seen = bilinear_bytes(crop, 256) / 255 @ np.array(gains)
            self.close(mask(models, crop, 'occlusion'), occlusion([seen], size))


class Region(Masks):
    def classes(self, seed, n=19):
        """Few different numbers, so that many are equal: the first counts."""
        return np.clip(np.rint(tensors(seed, 0, 9, (n, 512, 512), 64)), 0, 9)

    def test_any_answer(self):
        models, classes = folder(), self.classes(5)
        parser(models + '/bisenet_resnet_34.onnx', classes)
        ordered = np.sort(classes, axis=0)
        self.assertGreater((ordered[-1] == ordered[-2]).mean(), 0.1)
        for size in (128, 256, 512, 600):
            self.close(mask(models, picture(size), 'region'), region(classes, size))

    def test_each_region(self):
        models, classes = folder(), np.zeros((19, 512, 512))
        for i in range(16):  # squares of 128, a class each
            y, x = divmod(i, 4)
            classes[i, 128 * y:128 * y + 128, 128 * x:128 * x + 128] = 1
        parser(models + '/bisenet_resnet_18.onnx', classes)
        some = [[name] for name in REGIONS] + [['nose', 'skin'], ['glasses', 'mouth', 'left-eye']]
        for names in some:
            got = mask(models, picture(256), 'region', parser_model='bisenet_resnet_18',
                       mask_regions=' '.join(names))
            self.close(got, region(classes, 256, names))

    def test_what_it_sees(self):
        """Red, green, blue, normalised as ImageNet's: of the crop, or of what will be pasted."""
        models = folder()
        gains = np.random.default_rng(6).normal(0, 1, (17, 4)).astype(np.float32)
        parser(models + '/bisenet_resnet_34.onnx', gains=gains)
        for size, pasted in ((512, False), (300, False), (512, True), (256, True), (128, True)):
            crop = picture(size, size)
            result = picture(size, size + 1) * 0.99 + 1 if pasted else None
            seen = bilinear(result, 512, 512) if pasted else bilinear_bytes(crop, 512)
            rgb = (seen[:, :, ::-1] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
            logits = np.moveaxis(rgb @ gains[:, :3].T.astype(float) + gains[:, 3], 2, 0)
            # A place where two classes are almost equal may fall to the other one: one place is
            # 2 / (2 pi 25) after the Gaussian.
            self.close(mask(models, crop, 'region', result=result), region(logits, size), 0.02,
                       0.01 / 255)


class FreeSizes(Masks):
    """Files that leave sizes open, or give more than is used."""

    def test_occluder(self):
        models, gains, crop = folder(), [0.5, 1.1, -0.2], picture(256)
        occluder(models + '/xseg_1.onnx', gains=gains)
        occluder(models + '/xseg_2.onnx', gains=gains, dims=('n', 'h', 'w', 3))
        np.testing.assert_array_equal(mask(models, crop, 'occlusion'),
                                      mask(models, crop, 'occlusion', occluder_model='xseg_2'))

    def test_parser(self):
        models, crop = folder(), picture(256)
        gains = np.random.default_rng(7).normal(0, 1, (19, 4)).astype(np.float32)
        parser(models + '/bisenet_resnet_34.onnx', gains=gains)
        parser(models + '/bisenet_resnet_18.onnx', gains=gains, free=True)
        np.testing.assert_array_equal(
            mask(models, crop, 'region'),
            mask(models, crop, 'region', parser_model='bisenet_resnet_18'))


class Area(Masks):
    def test_each_area(self):
        points = face_points(256)
        for names in (['upper-face'], ['lower-face'], ['mouth'], ['upper-face', 'mouth'],
                      ['upper-face', 'lower-face', 'mouth']):
            got = mask(folder(), picture(256), 'area', points=points, mask_areas=' '.join(names))
            self.close(got, area(points, 256, names))


class Together(Masks):
    def test_least(self):
        models, size = folder(), 256
        crop, points = picture(size), face_points(size)
        values = tensors(7, -0.3, 2.5, (256, 256), 64)
        classes = np.clip(np.rint(tensors(8, 0, 99, (19, 512, 512), 128)), 0, 255)
        occluder(models + '/xseg_1.onnx', values[None, :, :, None])
        parser(models + '/bisenet_resnet_34.onnx', classes)
        each = {'box': np.clip(box(size), 0, 1), 'occlusion': occlusion([values], size),
                'area': area(points, size), 'region': region(classes, size)}
        for n in (2, 3, 4):
            for types in itertools.combinations(each, n):
                got = mask(models, crop, ' '.join(types), points=points)
                want = np.min([each[name] for name in types], axis=0)
                self.close(got, want)

    def test_order_does_not_matter(self):
        models, crop = folder(), picture(128)
        occluder(models + '/xseg_1.onnx', tensors(9, -1, 2, (1, 256, 256), 32)[..., None])
        np.testing.assert_array_equal(mask(models, crop, 'occlusion box'),
                                      mask(models, crop, 'box occlusion'))


class Refused(unittest.TestCase):
    """Each ends before any work with one sentence that says what would be right."""

    def refused(self, models, options, *parts, code=2):
        got, said = run(models, picture(64), options)
        self.assertEqual(got, code, said)
        for part in parts:
            self.assertIn(part, said)
        lines = [line for line in said.splitlines() if 'is not the published file' not in line]
        self.assertEqual(len(lines), 1, said)

    def test_not_installed(self):
        models = folder()
        occlusion_only, region_only = {'face-mask-types': 'occlusion'}, {'face-mask-types': 'region'}
        self.refused(models, occlusion_only, 'xseg_1', 'github.com')
        self.refused(models, {**occlusion_only, 'face-occluder-model': 'xseg_2'}, 'xseg_2.onnx')
        self.refused(models, region_only, 'bisenet_resnet_34.onnx')
        for i in (1, 2):
            occluder(f'{models}/xseg_{i}.onnx', gains=[1, 0, 0])
        self.refused(models, {**occlusion_only, 'face-occluder-model': 'many'}, 'xseg_3.onnx')

    def test_not_needed(self):
        """A model that is named but not used need not be there."""
        code, out = run(folder(), picture(64), {'face-mask-types': 'box',
                                                'face-occluder-model': 'xseg_2',
                                                'face-parser-model': 'bisenet_resnet_18'})
        self.assertEqual(code, 0, out)

    def test_other_contract(self):
        models = folder()
        types = {'face-mask-types': 'occlusion'}
        occluder(models + '/xseg_1.onnx', np.zeros((1, 256, 256, 1), np.float32), None,
                 (1, 3, 256, 256))
        self.refused(models, types, 'xseg_1', '1x3x256x256', '256x256x3', code=1)
        occluder(models + '/xseg_1.onnx', np.zeros((1, 128, 128, 1), np.float32))
        self.refused(models, types, 'xseg_1: its output is not 256x256', code=1)
        types = {'face-mask-types': 'region'}
        parser(models + '/bisenet_resnet_34.onnx', np.zeros((19, 256, 256)), size=256)
        self.refused(models, types, 'bisenet_resnet_34', '3x512x512', code=1)
        for n in (13, 33):
            parser(models + '/bisenet_resnet_34.onnx', np.zeros((n, 512, 512)))
            self.refused(models, types, 'bisenet_resnet_34: its output is not 14 to 32 classes',
                         code=1)
        with open(models + '/bisenet_resnet_34.onnx', 'wb') as file:
            file.write(b'no model')
        self.refused(models, types, 'bisenet_resnet_34.onnx', code=1)


class Recorded(Masks):
    def test_occlusion(self):
        """A network of xseg's contract on the crop that FaceFusion recorded with its own xseg."""
        crop = np.load(shared('fixtures/face_masker/crop.npy'))
        want = np.load(shared('fixtures/face_masker/occlusion_mask.npy'))
        models = folder()
        os.symlink(os.path.abspath(shared('models/xseg_contract_unet.onnx')),
                   models + '/xseg_1.onnx')
        got = mask(models, crop, 'occlusion')
        both, either = np.minimum(got, want).sum(), np.maximum(got, want).sum()
        self.assertGreater(both / either, 0.95)  # other weights, trained for the same
        # No step is sharper than a Gaussian of sigma 5 allows, twice the derivative's peak.
        for a in (got, want):
            self.assertLess(np.abs(np.diff(a, axis=1)).max(), 2 / (5 * np.sqrt(2 * np.pi)))
            self.assertEqual(a.min(), 0)
            self.assertGreater(a.max(), 0.9999)


if __name__ == '__main__':
    if len(sys.argv) < 2:
        print(f'usage: {sys.argv[0]} MASK_RUN [TEST...]')
        sys.exit(2)
    program = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
