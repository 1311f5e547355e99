#!/usr/bin/python3
"""classic_256.onnx against its description, computed with NumPy in double precision."""
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)
import ort

# Published with Oklab; the tool's numbers must be these.
M1 = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
               [0.2119034982, 0.6806995451, 0.1073969566],
               [0.0883024619, 0.2817188376, 0.6299787005]])
M2 = np.array([[0.2104542553, 0.7936177850, -0.0040720468],
               [1.9779984951, -2.4285922050, 0.4505937099],
               [0.0259040371, 0.7827717662, -0.8086757660]])


def to_lab(rgb):
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(np.maximum(linear @ M1.T, 1e-6)) @ M2.T
    return lab / shade(lab)


def shade(lab):
    """1, L, L: the two of colour are parts of the lightness."""
    bright = np.maximum(lab[..., :1], 0.05)
    return np.concatenate([np.ones_like(bright), bright, bright], axis=2)


def from_lab(lab):
    lab = lab * shade(lab)
    rgb = np.clip((lab @ np.linalg.inv(M2).T) ** 3 @ np.linalg.inv(M1).T, 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


def ellipse(cx, cy, rx, ry, begin, end):
    y, x = (np.mgrid[0:256, 0:256] + 0.5) / 256
    r2 = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
    t = np.clip((end ** 2 - r2) / (end ** 2 - begin ** 2), 0, 1)
    return (t * t * (3 - 2 * t))[..., None]


def statistics(lab):
    face = ellipse(0.5, 0.62, 0.22, 0.28, 0.80, 1.10)
    mean = (lab * face).sum((0, 1)) / face.sum()
    var = ((lab - mean) ** 2 * face).sum((0, 1)) / face.sum()
    return mean, np.maximum(np.sqrt(var), 1e-4)


def up(x, size):
    """The middle of each pixel lies on a line between the middles of two of x."""
    at = np.clip((np.arange(size) + 0.5) * len(x) / size - 0.5, 0, len(x) - 1)
    i = np.minimum(at.astype(int), len(x) - 2)
    f = (at - i)[:, None, None]
    return x[i] * (1 - f) + x[i + 1] * f


def low(lab):
    """What varies slowly: a Gaussian mean of sigma 4 on an eighth of the size."""
    k = np.arange(-10, 11)
    line = np.exp(-k * k / 32)
    line /= line.sum()

    def smooth(x):
        x = np.apply_along_axis(np.convolve, 0, x, line, 'same')
        return np.apply_along_axis(np.convolve, 1, x, line, 'same')

    def small(x):
        return x.reshape(32, 8, 32, 8, -1).mean((1, 3))

    skin = ellipse(0.5, 0.63, 0.25, 0.32, 0.75, 1.10)
    mean = smooth(small(lab * skin)) / np.maximum(smooth(small(skin)), 1e-3)
    return up(up(mean, 256).transpose(1, 0, 2), 256).transpose(1, 0, 2)


def classic(source, target):
    """Both RGB 0..1, [256,256,3]; so is the result."""
    lab, target_lab = to_lab(source), to_lab(target)
    mean, spread = statistics(lab)
    target_mean, target_spread = statistics(target_lab)
    gain = np.clip(target_spread / spread, 0.6, 1.6)
    lab = (lab - mean) * gain + target_mean
    swapped = from_lab(lab + low(target_lab - lab))
    blend = ellipse(0.5, 0.635, 0.275, 0.325, 0.70, 1.05)
    return swapped * blend + target * (1 - blend)


def smooth(seed, low, high):
    """A soft random picture between two colours."""
    grid = np.random.default_rng(seed).random((9, 9, 3))
    at = np.arange(256) / 32
    i, f = at.astype(int), (at % 1)[:, None, None]
    rows = grid[i] * (1 - f) + grid[i + 1] * f
    f = (at % 1)[None, :, None]
    rows = rows[:, i] * (1 - f) + rows[:, i + 1] * f
    return np.array(low) + rows * (np.array(high) - low)


class Classic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = ort.scratch('classic_256.onnx')
        cls.make(cls.model)

    @staticmethod
    def make(out):
        subprocess.run([sys.executable, ort.ROOT + '/tools/make_classic.py', out], check=True)

    def swap(self, source, target):
        def tensor(x):
            return x.transpose(2, 0, 1)[None].astype(np.float32)

        out = ort.run(self.model, {'source': tensor(source), 'target': tensor(target * 2 - 1)})
        self.assertEqual(out['output'].shape, (1, 3, 256, 256))
        out = out['output'][0].transpose(1, 2, 0) * 0.5 + 0.5
        self.assertTrue(np.isfinite(out).all())
        self.assertGreaterEqual(out.min(), -1e-6)
        self.assertLessEqual(out.max(), 1 + 1e-6)
        return out

    def pairs(self):
        rng = np.random.default_rng(1)
        skin = smooth(1, (0.45, 0.30, 0.25), (0.95, 0.75, 0.65))
        dark = smooth(2, (0.10, 0.06, 0.04), (0.45, 0.32, 0.26))
        yield 'skins', skin, dark
        yield 'other way', dark, skin
        yield 'noise', rng.random((256, 256, 3)), rng.random((256, 256, 3))
        yield 'flat on skin', np.full((256, 256, 3), 0.5), skin
        yield 'skin on flat', skin, np.full((256, 256, 3), 0.25)
        yield 'black and white', np.zeros((256, 256, 3)), np.ones((256, 256, 3))

    def test_same_numbers(self):
        for name, source, target in self.pairs():
            with self.subTest(name):
                # 0.1 of an 8-bit step; single precision near black, where the curve is steep
                np.testing.assert_allclose(self.swap(source, target), classic(source, target),
                                           rtol=0, atol=4e-4)

    def test_colours_are_the_targets(self):
        _, source, target = next(iter(self.pairs()))
        mean, spread = statistics(to_lab(self.swap(source, target)))
        want_mean, want_spread = statistics(to_lab(target))
        np.testing.assert_allclose(mean, want_mean, atol=0.02)
        self.assertAlmostEqual(spread[0], want_spread[0], delta=0.02)

    def test_light_is_the_targets(self):
        """Light from one side falls on the swapped face too."""
        _, source, target = next(iter(self.pairs()))
        lit = target * np.linspace(0.4, 1, 256)[None, :, None]

        def sides(x):
            return [to_lab(x)[110:210, part, 0].mean() for part in (slice(85, 120), slice(136, 171))]
        for want, is_now in zip(sides(lit), sides(self.swap(source, lit))):
            self.assertAlmostEqual(is_now, want, delta=0.02)

    def test_swap_is_seen_inside_only(self):
        _, source, target = next(iter(self.pairs()))
        change = np.abs(self.swap(source, target) - target) * 255
        self.assertGreater(change[90:220, 80:176].mean(), 3)
        self.assertLess(change[:40].max(), 0.01)
        self.assertLess(change[:, :40].max(), 0.01)

    def test_own_face_stays(self):
        _, face, _ = next(iter(self.pairs()))
        np.testing.assert_allclose(self.swap(face, face), face, rtol=0, atol=4e-4)

    def test_same_bytes(self):
        again = ort.scratch('again.onnx')
        self.make(again)
        self.assertEqual(ort.read(again), ort.read(self.model))
        self.assertEqual([f for f in os.listdir(os.path.dirname(again)) if 'part' in f], [])


if __name__ == '__main__':
    unittest.main()
