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
    matrix. Equal steps in it look equal, and lightness is apart from colour.
2.  Of each channel L, a, b: weighted mean m and standard deviation d inside the face, with the
    weights FACE below.
3.  lab = (lab_source - m_source) * gain + m_target, gain = d_target / d_source, kept within
    0.6..1.6 so that flat or noisy pictures are not blown up; a deviation under 1e-4 counts as 1e-4.
4.  Back to sRGB, clipped to the gamut.
5.  output = blend * that + (1 - blend) * target, with the weights BLEND: hair, ears, neck and
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
FLAT = 1e-4        # of Oklab's 0..1; an 8-bit step of grey is about 3e-3
GAIN = (0.6, 1.6)

# Ellipses in parts of the crop: centre x, centre y, half width, half height, then where the weight
# begins to fall from 1 and where it reaches 0, in parts of the half axes. In ffhq_512 the eyes are
# at y 0.469, the mouth at 0.725, the chin near 0.93, the cheeks near x 0.23 and 0.77.
FACE = (0.5, 0.62, 0.22, 0.28, 0.80, 1.10)
BLEND = (0.5, 0.60, 0.275, 0.365, 0.70, 1.05)

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

    def to_lab(self, rgb):
        lms = self.matrix(self.linear(rgb), 'rgb_to_lms', RGB_TO_LMS)
        return self.matrix(self.power(self.op('Max', lms, LEAST), 1 / 3), 'lms_to_lab', LMS_TO_LAB)

    def from_lab(self, lab):
        root = self.matrix(lab, 'lab_to_lms', inverse(LMS_TO_LAB))
        lms = self.op('Mul', self.op('Mul', root, root), root)
        rgb = self.op('Clip', self.matrix(lms, 'lms_to_rgb', inverse(RGB_TO_LMS)), 0.0, 1.0)
        return self.op('Clip', self.encoded(rgb), 0.0, 1.0)

    def mean(self, x):
        """Weighted by FACE, which sums to one: [1,3,1,1]."""
        return self.g.node('ReduceSum', [self.op('Mul', x, 'face'), 'axes'], keepdims=1)

    def spread(self, x):
        """(x less its mean, its mean, its standard deviation)"""
        mean = self.mean(x)
        centred = self.op('Sub', x, mean)
        var = self.mean(self.op('Mul', centred, centred))
        return centred, mean, self.op('Max', self.op('Sqrt', var), FLAT)


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

    source = b.op('Clip', 'source', 0.0, 1.0)
    target = b.op('Clip', b.op('Add', b.op('Mul', 'target', 0.5), 0.5), 0.0, 1.0)
    centred, _, source_spread = b.spread(b.to_lab(source))
    _, target_mean, target_spread = b.spread(b.to_lab(target))
    gain = b.op('Clip', b.op('Div', target_spread, source_spread), *GAIN)
    matched = b.from_lab(b.op('Add', b.op('Mul', centred, gain), target_mean))

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
