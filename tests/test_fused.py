#!/usr/bin/python3
"""What networks of our own join in one step (src/nets/fuse.c, lower.c), against ONNX Runtime.

    test_fused.py NET_RUN

Each network has a pattern of real ones; the result must be right, in float32 and in float16, and the
steps must be those of the joined form (net_run --count).
"""
import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
import test_nets
from test_nets import compare, half_error, inputs_of, np, onnx_writer, ort
from twins import net as twins, restore

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else ''
FLOAT = onnx_writer.FLOAT


class Net:
    """A network being written: each function returns the name of a result."""

    def __init__(self, channels, size=(12, 10), opset=16):
        self.g = onnx_writer.Graph('fused', opset=opset)
        self.g.input('x', FLOAT, [1, channels, *size])
        self.rng = np.random.default_rng(3)
        self.number = 0

    def weights(self, *shape, low=-0.5):
        self.number += 1
        name = f'w{self.number}'
        v = (self.rng.random(shape, np.float32) + low).astype(np.float32)
        self.g.initializer(name, FLOAT, list(shape), v.tobytes())
        return name

    def node(self, op, *inputs, **attributes):
        self.number += 1
        name = f'v{self.number}'
        self.g.node(op, list(inputs), [name], **attributes)
        return name

    def conv(self, x, c, out, k=3, **more):
        return self.node('Conv', x, self.weights(out, c, k, k), self.weights(out),
                         kernel_shape=[k, k], pads=[k // 2] * 4, **more)

    def norm(self, x, c):
        return self.node('BatchNormalization', x, self.weights(c, low=0.5), self.weights(c),
                         self.weights(c), self.weights(c, low=0.5))

    def shape(self, *numbers):
        self.number += 1
        self.g.initializer(f's{self.number}', onnx_writer.INT64, [len(numbers)], onnx_writer.ints(numbers))
        return f's{self.number}'

    def save(self, y, shape):
        self.g.output(y, FLOAT, shape)
        path = ort.scratch('fused.onnx')
        self.g.save(path)
        return path


def steps(path, *options):
    shapes = [f"{n}:{'x'.join(map(str, d))}=" for n, d in inputs_of(path).items()]
    said = subprocess.run([PROGRAM, '--count', *options, path, *shapes], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    found = {name: int(n) for name, n in re.findall(r'([a-z]+) (\d+)', said)}
    return found


class Fused(unittest.TestCase):

    def check(self, path, **want):
        result = compare(PROGRAM, path)
        self.assertIsInstance(result, float, result)
        self.assertLess(result, test_nets.LIMIT)
        half, tf32 = half_error(PROGRAM, path)
        self.assertLess(half, max(4 * tf32, 2e-3))
        found = steps(path)
        self.assertEqual({k: found.get(k, 0) for k in want}, want)

    def test_also(self):
        """A residual block that begins with a batch norm, as in arcface; and what is behind it."""
        n = Net(16)
        x = n.conv('x', 16, 24)
        for _ in range(2):
            y = n.node('PRelu', n.conv(n.norm(x, 24), 24, 24), n.weights(24, 1, 1))
            x = n.node('Add', n.conv(y, 24, 24), x)
        x = n.node('Relu', n.norm(x, 24))
        self.check(n.save(x, [1, 24, 12, 10]), conv=6, also=2, affine=1, eltwise=0)

    def test_also_concat(self):
        """A batch norm and its function beside a result that a Concat needs, as in 2dfan4."""
        n = Net(16)
        a = n.conv('x', 16, 32)
        b = n.conv(n.node('Relu', n.norm(a, 32)), 32, 16)
        c = n.conv(n.node('Relu', n.norm(b, 16)), 16, 16)
        self.check(n.save(n.node('Concat', a, b, c, axis=1), [1, 64, 12, 10]), conv=3, also=2, copy=2)

    def test_second(self):
        """The batch norm and its function behind a pool and a sum, as in 2dfan4: beside them."""
        n = Net(16, size=(24, 20))
        a = n.node('MaxPool', n.conv('x', 16, 32), kernel_shape=[2, 2], strides=[2, 2])
        b = n.node('Add', n.conv(n.node('Relu', n.norm(a, 32)), 32, 16), n.conv(a, 32, 16))
        c = n.node('Concat', b, n.conv(b, 16, 16), axis=1)
        d = n.node('Add', c, a)
        e = n.conv(n.node('PRelu', n.norm(d, 32), n.weights(32, 1, 1)), 32, 32)
        self.check(n.save(n.node('Mul', e, d), [1, 32, 12, 10]), affine=0)

    def test_scale_first(self):
        """A style that scales what was enlarged scales it before; not if somebody else reads that."""
        for shared in (False, True):
            n = Net(16)
            n.g.initializer('scales', FLOAT, [4], onnx_writer.floats([1, 1, 2, 2]))
            a = n.node('Resize', n.conv('x', 16, 24), '', 'scales', mode='linear',
                       coordinate_transformation_mode='pytorch_half_pixel')
            style = n.conv(n.node('GlobalAveragePool', 'x'), 16, 24, k=1)
            y = n.conv(n.node('Mul', a, style), 24, 8)
            if shared:
                y = n.node('Concat', y, n.node('Sigmoid', a), axis=1)
            path = n.save(y, [1, 32 if shared else 8, 24, 20])
            self.check(path, resize=1)
            said = subprocess.run([PROGRAM, '--plan', path, os.path.dirname(path), 'x:1x16x12x10='], text=True,
                                  stdout=subprocess.PIPE, check=True).stdout
            order = re.findall(r'(eltwise|resize)', said)
            self.assertEqual(order[:2], ['resize', 'eltwise'] if shared else ['eltwise', 'resize'])

    def test_sums(self):
        """A sum of a sum and of what was enlarged, as hourglasses have it; not if that is read elsewhere."""
        for shared in (False, True):
            n = Net(16, size=(16, 24))
            n.g.initializer('scales', FLOAT, [4], onnx_writer.floats([1, 1, 2, 2]))
            base = n.node('MaxPool', n.conv('x', 16, 32), kernel_shape=[2, 2], strides=[2, 2])
            both = n.node('Add', n.node('Concat', n.conv(base, 32, 16), n.conv(base, 32, 16), axis=1), base)
            low = n.node('MaxPool', base, kernel_shape=[2, 2], strides=[2, 2])
            y = n.node('Add', both, n.node('Resize', low, '', 'scales', mode='nearest', nearest_mode='floor',
                                           coordinate_transformation_mode='asymmetric'))
            y = n.conv(n.node('Relu', n.norm(y, 32)), 32, 8)
            if shared:
                y = n.node('Concat', y, both, axis=1)
            self.check(n.save(y, [1, 40 if shared else 8, 8, 12]), resize=0, eltwise=2 if shared else 1)

    def test_scale_last(self):
        """Styles scale what a convolution stores, once or twice, with a part beside it that is a copy."""
        n = twins.Net('styles')
        x, style = n.input('x', [1, 16, 32, 24]), n.input('style', [1, 512])
        x = restore.style_conv(n, x, style, 32)
        same, steered = n.split(x, [16, 16])
        x = n.concat([same, n.add(n.mul(steered, n.conv(same, 16)), n.conv(same, 16))])
        x = restore.style_conv(n, x, style, 24)
        rgb = restore.to_rgb(n, x, style, None)
        x = restore.style_conv(n, x, style, 8)
        n.output(n.concat([x, rgb]), 'y')
        path = ort.scratch('styles.onnx')
        with open(path, 'wb') as f:
            n.g.message().write(f)
        self.check(path, conv=6, also=1, eltwise=3, copy=3)

    def test_also_output(self):
        """Both results are outputs."""
        n = Net(8)
        a = n.conv('x', 8, 12)
        b = n.node('Sigmoid', a)
        n.g.output(a, FLOAT, [1, 12, 12, 10])
        self.check(n.save(b, [1, 12, 12, 10]), conv=1, also=1)

    def test_up(self):
        """An enlargement and a convolution, with a pad between, in each way to say 'twice'."""
        for how in ({}, {'coordinate_transformation_mode': 'asymmetric', 'nearest_mode': 'floor'}):
            for pad in (False, True):
                with self.subTest(how=how, pad=pad):
                    n = Net(16)
                    n.g.initializer('scales', FLOAT, [4], onnx_writer.floats([1, 1, 2, 2]))
                    x = n.node('Resize', 'x', '', 'scales', mode='nearest', **how)
                    if pad:
                        x = n.node('Pad', x, n.shape(0, 0, 1, 1, 0, 0, 1, 1), mode='reflect')
                    y = n.node('Conv', x, n.weights(8, 16, 3, 3), kernel_shape=[3, 3],
                               pads=[0] * 4 if pad else [1] * 4)
                    self.check(n.save(n.node('Relu', y), [1, 8, 24, 20]), conv=1, up=1, resize=0, pad=0)

    def test_not_up(self):
        """Three times, or from another corner, is no reason."""
        for scale, how in ((3, {}), (2, {'coordinate_transformation_mode': 'asymmetric', 'nearest_mode': 'ceil'})):
            n = Net(16)
            n.g.initializer('scales', FLOAT, [4], onnx_writer.floats([1, 1, scale, scale]))
            x = n.node('Resize', 'x', '', 'scales', mode='nearest', **how)
            self.check(n.save(n.conv(x, 16, 8), [1, 8, 12 * scale, 10 * scale]), conv=1, up=0, resize=1)

    def test_columns(self):
        """Few channels of a large picture: a step for the window's columns, one that adds them."""
        for mode in ('reflect', 'edge', 'constant'):
            with self.subTest(mode=mode):
                n = Net(64, (80, 84))
                x = n.node('Pad', 'x', n.shape(0, 0, 3, 3, 0, 0, 3, 3), mode=mode)
                y = n.node('Conv', x, n.weights(3, 64, 7, 7), n.weights(3), kernel_shape=[7, 7])
                self.check(n.save(n.node('Tanh', n.norm(y, 3)), [1, 3, 80, 84]), conv=1, columns=1, pad=0)

    def test_shuffle(self):
        """Channels that become pixels, by an operator or by three, and a sum behind them."""
        for how in ('DCR', 'CRD', 'three'):
            with self.subTest(how):
                n = Net(16)
                y = n.conv('x', 16, 12)
                if how == 'three':
                    y = n.node('Reshape', y, n.shape(1, 3, 2, 2, 12, 10))
                    y = n.node('Transpose', y, perm=[0, 1, 4, 2, 5, 3])
                    y = n.node('Reshape', y, n.shape(1, 3, 24, 20))
                else:
                    y = n.node('DepthToSpace', y, blocksize=2, mode=how)
                n.g.initializer('scales', FLOAT, [4], onnx_writer.floats([1, 1, 2, 2]))
                base = n.node('Resize', n.conv('x', 16, 3, 1), '', 'scales', mode='nearest')
                y = n.node('Tanh', n.node('Add', y, base))
                self.check(n.save(y, [1, 3, 24, 20]), conv=2, shuffle=1, add=1, copy=2)

    def test_dense(self):
        """Ever longer Concats of the same, as in ESRGAN: nothing is copied."""
        n = Net(8)
        start = n.conv('x', 8, 16)
        x = n.node('Add', n.conv(start, 16, 16), start)
        parts = [n.node('Add', n.node('Mul', x, n.weights(1)), start)]
        for _ in range(3):
            x = parts[0] if len(parts) == 1 else n.node('Concat', *parts, axis=1)
            parts.append(n.node('LeakyRelu', n.conv(x, 16 + 8 * (len(parts) - 1), 8), alpha=0.2))
        y = n.conv(n.node('Concat', *parts, axis=1), 40, 16)
        self.check(n.save(n.node('Add', y, parts[0]), [1, 16, 12, 10]), conv=7, add=3, copy=2)

    def test_noise(self):
        """A number for each pixel between a convolution and its bias, as in StyleGAN."""
        for constant in (True, False):
            with self.subTest(constant=constant):
                n = Net(8)
                y = n.node('Mul', n.conv('x', 8, 12), n.weights(1))
                noise = n.weights(1, 1, 12, 10) if constant else n.node('ReduceMax', 'x', axes=[1])
                y = n.node('Add', n.node('Add', y, noise), n.weights(1, 12, 1, 1))
                self.check(n.save(n.node('LeakyRelu', y, alpha=0.2), [1, 12, 12, 10]),
                           conv=1, add=1, affine=0, eltwise=0)

    def test_split(self):
        """Halves of a result and what is made of one, joined, as in YOLOv8."""
        n = Net(8)
        x = n.conv('x', 8, 32)
        n.g.node('Split', [x, n.shape(16, 16)], ['a', 'b'], axis=1)
        c = n.node('Add', n.conv('b', 16, 16), 'b')
        self.check(n.save(n.conv(n.node('Concat', 'a', 'b', c, axis=1), 48, 8), [1, 8, 12, 10]),
                   conv=3, copy=2)

    def test_volume(self):
        """Convolutions of volumes, as in LivePortrait: steps, pads, strides, batch norm, a sum behind it."""
        n = Net(8, (5, 12, 10))
        def conv(x, c, out, **more):
            return n.node('Conv', x, n.weights(out, c, 3, 3, 3), n.weights(out), kernel_shape=[3, 3, 3], **more)
        y = n.node('Relu', n.norm(conv('x', 8, 12, pads=[1] * 6), 12))
        y = n.node('Add', conv(y, 12, 8, pads=[1] * 6), 'x')
        y = conv(y, 8, 6, pads=[2, 1, 0, 1, 1, 1], strides=[2, 2, 1], dilations=[2, 1, 1])
        self.check(n.save(n.node('Tanh', y), [1, 6, 3, 6, 8]))

    def test_gather(self):
        """Indices that are computed, along each axis."""
        for axis, shape in ((1, [1, 12, 10, 4, 6]), (2, [1, 8, 12, 10, 6]), (3, [1, 8, 4, 12, 10])):
            n = Net(8, (4, 6))
            n.g.input('i', FLOAT, [1, 1, 12, 10])
            at = n.node('Cast', n.node('Mul', 'i', n.weights(1, low=-1.9)), to=onnx_writer.INT64)
            at = n.node('Squeeze', at, n.shape(0, 1))
            y = n.node('Gather', n.node('Exp', 'x'), at, axis=axis)
            self.check(n.save(y, shape), gather=1)

    def test_grid_sample(self):
        """Pictures and volumes, at positions that are computed."""
        for size, grid in (((7, 9), [1, 12, 10, 2]), ((4, 7, 9), [1, 3, 12, 10, 3])):
            for mode in ('linear', 'nearest', 'cubic')[:None if len(size) == 2 else 2]:
                for outside in ('zeros', 'border', 'reflection'):
                    for corners in (0, 1):
                        with self.subTest(size=size, mode=mode, outside=outside, corners=corners):
                            n = Net(11, size, opset=20)
                            n.g.input('at', FLOAT, grid)
                            at = n.node('Mul', 'at', n.weights(1, low=1.1))
                            y = n.node('GridSample', n.node('Exp', 'x'), at, mode=mode, padding_mode=outside,
                                       align_corners=corners)
                            self.check(n.save(y, [1, 11] + grid[1:-1]), sample=1)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=1)
