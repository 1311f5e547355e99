#!/usr/bin/python3
"""Write classic_256.onnx: a face swapper without trained weights, our offline default.

    make_classic.py OUT

It is not a neural swapper. It lays the source's face over the target's, in the target's colours.
Both crops are aligned to the same five points (template ffhq_512), so eyes and mouth lie on each
other already; what is left to do is light and skin.

Tensors, as FaceFusion's uniface_256 has them:

    source   float32 [1,3,256,256]   RGB, 0..1
    target   float32 [1,3,256,256]   RGB, -1..1
    output   float32 [1,3,256,256]   RGB, -1..1

The steps:
1.  Both crops go to Oklab (Björn Ottosson, 2020): sRGB is made linear, a matrix, cube root, a
    matrix. Equal steps in it look equal, and lightness is apart from colour. a and b are divided
    by L: what lies in the shade then has the colour of what lies in the light.
2.  Of each channel L, a/L, b/L: weighted mean m and standard deviation d inside the face, with
    the weights FACE below.
3.  lab = (lab_source - m_source) * gain + m_target, gain = d_target / d_source, kept within
    0.6..1.6 so that flat or noisy pictures are not blown up; a deviation under 1e-4 counts as 1e-4.
4.  Light that falls on the face is the target's: what varies slowly over the face, low(lab), is
    taken from the target, and what varies fast from the source: lab + low(lab_target) - low(lab).
    low() is a Gaussian of an eighth of the crop, weighted by SKIN so that hair does not darken
    the forehead.
5.  Back to sRGB, clipped to the gamut.
6.  output = blend * that + (1 - blend) * target, with the weights BLEND: hair, ears, neck and
    background stay the target's.

Where logarithms are taken the argument is kept above LEAST. Only ops that ONNX Runtime has for
CUDA as well, no control flow. Standard library only; the same bytes on every machine: the weights
below are made with + - * / alone, which IEEE 754 defines exactly.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from onnx_writer import FLOAT, INT64, Graph, floats, ints  # noqa: E402

SIZE = 256
LEAST = 1e-6
DARK = 0.05        # of Oklab's 0..1: below it colour is noise
FLAT = 1e-4        # of Oklab's 0..1; an 8-bit step of grey is about 3e-3
GAIN = (0.6, 1.6)

# Ellipses in parts of the crop: centre x, centre y, half width, half height, then where the weight
# begins to fall from 1 and where it reaches 0, in parts of the half axes. In ffhq_512 the eyes are
# at y 0.469, the mouth at 0.725, the chin near 0.93, the cheeks near x 0.23 and 0.77.
FACE = (0.5, 0.62, 0.22, 0.28, 0.80, 1.10)
BLEND = (0.5, 0.635, 0.275, 0.325, 0.70, 1.05)
SKIN = (0.5, 0.63, 0.25, 0.32, 0.75, 1.10)

COARSE = 32                    # side of the picture that low() works on
SIGMA, REACH = 4.0, 10         # its Gaussian, in pixels of that, and how far it is summed

# Linear sRGB -> cone responses, and their cube roots -> L a b.
RGB_TO_LMS = ((0.4122214708, 0.5363325363, 0.0514459929),
              (0.2119034982, 0.6806995451, 0.1073969566),
              (0.0883024619, 0.2817188376, 0.6299787005))
LMS_TO_LAB = ((0.2104542553, 0.7936177850, -0.0040720468),
              (1.9779984951, -2.4285922050, 0.4505937099),
              (0.0259040371, 0.7827717662, -0.8086757660))


def inverse(m):
    """Of a 3x3 matrix, by cofactors."""
    def minor(r, c):
        (a, b), (d, e) = [[v for j, v in enumerate(row) if j != c]
                          for i, row in enumerate(m) if i != r]
        return (a * e - b * d) * (1 if (r + c) % 2 == 0 else -1)

    det = sum(m[0][c] * minor(0, c) for c in range(3))
    return [[minor(c, r) / det for c in range(3)] for r in range(3)]


def ellipse(shape):
    """Weights of one ellipse, row by row. The fall is a smooth step in the squared radius."""
    cx, cy, rx, ry, begin, end = shape
    values = []
    for y in range(SIZE):
        v = ((y + 0.5) / SIZE - cy) / ry
        for x in range(SIZE):
            u = ((x + 0.5) / SIZE - cx) / rx
            t = (end * end - (u * u + v * v)) / (end * end - begin * begin)
            t = min(max(t, 0.0), 1.0)
            values.append(t * t * (3 - 2 * t))
    return values


class Builder:
    """The graph, with the few steps that are used on both pictures."""

    def __init__(self):
        self.g = Graph('classic_256', opset=13,
                       doc='classic_256 of reprise: colour-matched overlay, no trained weights')
        self.known = {}

    def const(self, value):
        name = f'c{value:g}'
        if name not in self.known:
            self.known[name] = self.g.initializer(name, FLOAT, [], floats([value]))
        return name

    def op(self, op, *inputs, **attributes):
        """Add a node; numbers among the inputs become constants."""
        names = [i if isinstance(i, str) else self.const(i) for i in inputs]
        return self.g.node(op, names, **attributes)

    def matrix(self, x, name, m):
        """A 3x3 matrix on the channels."""
        if name not in self.known:
            self.known[name] = self.g.initializer(name, FLOAT, [3, 3, 1, 1],
                                                  floats([v for row in m for v in row]))
        return self.op('Conv', x, name, kernel_shape=[1, 1])

    def power(self, x, exponent):
        """x ** exponent for x > 0. Faster than Pow on the CPU by several times."""
        return self.op('Exp', self.op('Mul', self.op('Log', x), exponent))

    def linear(self, x):
        """sRGB to linear light. The curve above its knee plus, below it, the straight piece."""
        knee = 0.04045
        above = self.op('Mul', self.op('Add', self.op('Max', x, knee), 0.055), 1 / 1.055)
        below = self.op('Mul', self.op('Min', self.op('Sub', x, knee), 0.0), 1 / 12.92)
        return self.op('Add', self.power(above, 2.4), below)

    def encoded(self, x):
        """Linear light to sRGB, the inverse of linear()."""
        knee = 0.0031308
        above = self.op('Sub', self.op('Mul', self.power(self.op('Max', x, knee), 1 / 2.4), 1.055),
                        0.055)
        below = self.op('Mul', self.op('Min', self.op('Sub', x, knee), 0.0), 12.92)
        return self.op('Add', above, below)

    def shade(self, lab):
        """[1, L, L] of each pixel, L kept above DARK."""
        spread = self.matrix(lab, 'shade', ((0, 0, 0), (1, 0, 0), (1, 0, 0)))
        return self.op('Max', self.op('Add', spread, 'white'), DARK)

    def to_lab(self, rgb):
        lms = self.matrix(self.linear(rgb), 'rgb_to_lms', RGB_TO_LMS)
        lab = self.matrix(self.power(self.op('Max', lms, LEAST), 1 / 3), 'lms_to_lab', LMS_TO_LAB)
        return self.op('Div', lab, self.shade(lab))

    def from_lab(self, lab):
        lab = self.op('Mul', lab, self.shade(lab))
        root = self.matrix(lab, 'lab_to_lms', inverse(LMS_TO_LAB))
        lms = self.op('Mul', self.op('Mul', root, root), root)
        rgb = self.op('Clip', self.matrix(lms, 'lms_to_rgb', inverse(RGB_TO_LMS)), 0.0, 1.0)
        return self.op('Clip', self.encoded(rgb), 0.0, 1.0)

    def mean(self, x):
        """Weighted by FACE, which sums to one: [1,3,1,1]."""
        return self.g.node('ReduceSum', [self.op('Mul', x, 'face'), 'axes'], keepdims=1)

    def low(self, x):
        """What varies slowly: the mean under a Gaussian, weighted by SKIN."""
        step, side = SIZE // COARSE, 2 * REACH + 1
        small = self.op('AveragePool', self.op('Mul', x, 'skin'), kernel_shape=[step, step],
                        strides=[step, step])
        smooth = self.op('Conv', small, 'gaussian', kernel_shape=[side, side], group=3,
                         pads=[REACH] * 4)
        return self.g.node('Resize', [self.op('Mul', smooth, 'per_skin'), '', 'up'], mode='linear')

    def spread(self, x):
        """(x less its mean, its mean, its standard deviation)"""
        mean = self.mean(x)
        centred = self.op('Sub', x, mean)
        var = self.mean(self.op('Mul', centred, centred))
        return centred, mean, self.op('Max', self.op('Sqrt', var), FLAT)


def gaussian():
    """A square of (2 REACH + 1)^2 that sums to one. exp() by its series, so that no machine's
    library makes other bytes."""
    def exp(x):
        term = total = 1.0
        for n in range(1, 60):
            term *= x / n
            total += term
        return total

    line = [1 / exp(k * k / (2 * SIGMA * SIGMA)) for k in range(-REACH, REACH + 1)]
    return [a * b / (sum(line) * sum(line)) for a in line for b in line]


def coarse_weight(weights):
    """What the gaussian of low() makes of a map of SIZE x SIZE, on COARSE x COARSE."""
    step, side, kernel = SIZE // COARSE, 2 * REACH + 1, gaussian()
    small = [[sum(weights[(y * step + j) * SIZE + x * step + i]
                  for j in range(step) for i in range(step)) / (step * step)
              for x in range(COARSE)] for y in range(COARSE)]
    return [sum(kernel[j * side + i] * small[y + j - REACH][x + i - REACH]
                for j in range(side) for i in range(side)
                if 0 <= y + j - REACH < COARSE and 0 <= x + i - REACH < COARSE)
            for y in range(COARSE) for x in range(COARSE)]


def build():
    b = Builder()
    g = b.g
    shape = [1, 3, SIZE, SIZE]
    g.input('source', FLOAT, shape)
    g.input('target', FLOAT, shape)
    face = ellipse(FACE)
    total = sum(face)
    g.initializer('face', FLOAT, [1, 1, SIZE, SIZE], floats([v / total for v in face]))
    g.initializer('blend', FLOAT, [1, 1, SIZE, SIZE], floats(ellipse(BLEND)))
    g.initializer('axes', INT64, [2], ints([2, 3]))
    g.initializer('white', FLOAT, [1, 3, 1, 1], floats([1, 0, 0]))
    skin = ellipse(SKIN)
    g.initializer('skin', FLOAT, [1, 1, SIZE, SIZE], floats(skin))
    g.initializer('per_skin', FLOAT, [1, 1, COARSE, COARSE],
                  floats([1 / max(v, 1e-3) for v in coarse_weight(skin)]))
    g.initializer('gaussian', FLOAT, [3, 1, 2 * REACH + 1, 2 * REACH + 1], floats(gaussian() * 3))
    g.initializer('up', FLOAT, [4], floats([1, 1, SIZE / COARSE, SIZE / COARSE]))

    source = b.op('Clip', 'source', 0.0, 1.0)
    target = b.op('Clip', b.op('Add', b.op('Mul', 'target', 0.5), 0.5), 0.0, 1.0)
    centred, _, source_spread = b.spread(b.to_lab(source))
    target_lab = b.to_lab(target)
    _, target_mean, target_spread = b.spread(target_lab)
    gain = b.op('Clip', b.op('Div', target_spread, source_spread), *GAIN)
    lab = b.op('Add', b.op('Mul', centred, gain), target_mean)
    light = b.low(b.op('Sub', target_lab, lab))
    matched = b.from_lab(b.op('Add', lab, light))

    change = b.op('Mul', b.op('Sub', matched, target), 'blend')
    mixed = b.op('Add', target, change)
    g.node('Sub', [b.op('Mul', mixed, 2.0), b.const(1.0)], ['output'], name='output')
    g.output('output', FLOAT, shape)
    g.metadata['template'] = 'ffhq_512'
    return g


def main():
    if len(sys.argv) != 2:
        sys.exit('usage: make_classic.py OUT.onnx')
    try:
        build().save(sys.argv[1])
    except OSError as error:
        sys.exit(f'make_classic: {error}')


if __name__ == '__main__':
    main()
