#!/usr/bin/python3
"""Small ONNX files for checkrecord: networks that can be recorded, and each kind that cannot.

    fault_models.py FOLDER
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import onnx_writer as w  # noqa: E402


def numbers(n, scale):
    """The same on every machine."""
    state, out = 12345, []
    for _ in range(n):
        state = (state * 1103515245 + 12345) & 0x7fffffff
        out.append((state / 0x40000000 - 1) * scale)
    return w.floats(out)


def conv(g, x, cin, cout, name):
    g.initializer(name, w.FLOAT, [cout, cin, 3, 3], numbers(cout * cin * 9, (1 / (cin * 9)) ** 0.5))
    return g.node('Conv', [x, name], pads=[1, 1, 1, 1])


def start(name, dims=(1, 3, 32, 32)):
    g = w.Graph(name)
    g.input('x', w.FLOAT, list(dims))
    return g


def end(g, y, dims=(1, 8, 32, 32)):
    g.node('Identity', [y], ['y'])
    g.output('y', w.FLOAT, list(dims))
    return g


def fine():
    """Convolutions, copies inside the device (Split, Concat), a matrix product (cuBLAS)."""
    g = start('fine')
    a = g.node('Relu', [conv(g, 'x', 3, 8, 'w1')])
    g.node('Split', [a], ['left', 'right'], axis=1)
    b = conv(g, g.node('Concat', ['right', 'left'], axis=1), 8, 8, 'w2')
    g.initializer('w3', w.FLOAT, [32, 32], numbers(1024, 0.2))
    return end(g, g.node('MatMul', [b, 'w3']))


def open_sizes():
    """Batch, height and width are free."""
    g = start('open_sizes', ('n', 3, 'h', 'w'))
    return end(g, conv(g, g.node('Relu', [conv(g, 'x', 3, 8, 'w1')]), 8, 8, 'w2'), ('n', 8, 'h', 'w'))


def body(name, weight, inputs=()):
    g = w.Graph(name)
    for i, dtype in inputs:
        g.input(i, dtype, [])
    g.node('Conv', ['x', weight], ['out_' + name], pads=[1, 1, 1, 1])
    g.output('out_' + name, w.FLOAT, [1, 8, 32, 32])
    return g


def branch():
    """If: which body runs depends on the input."""
    g = start('branch')
    for name in ('w1', 'w2'):
        g.initializer(name, w.FLOAT, [8, 3, 3, 3], numbers(216, 0.3 if name == 'w1' else 0.1))
    g.initializer('zero', w.FLOAT, [], w.floats([0]))
    mean = g.node('ReduceMean', ['x'], keepdims=0)
    return end(g, g.node('If', [g.node('Greater', [mean, 'zero'])],
                         then_branch=body('then', 'w1'), else_branch=body('else', 'w2')))


def loop():
    """Loop: three times y = y * 0.5 + y0."""
    g = start('loop')
    first = conv(g, 'x', 3, 8, 'w1')
    g.initializer('trips', w.INT64, [], w.ints([3]))
    g.initializer('yes', w.BOOL, [], b'\1')
    g.initializer('half', w.FLOAT, [], w.floats([0.5]))
    b = w.Graph('round')
    b.input('i', w.INT64, [])
    b.input('go', w.BOOL, [])
    b.input('v', w.FLOAT, [1, 8, 32, 32])
    b.node('Identity', ['go'], ['go_on'])
    b.node('Add', [b.node('Mul', ['v', 'half'], ['halved']), first], ['v_out'])
    b.output('go_on', w.BOOL, [])
    b.output('v_out', w.FLOAT, [1, 8, 32, 32])
    return end(g, g.node('Loop', ['trips', 'yes', first], body=b))


def on_cpu():
    """Operators that the CUDA provider lacks stand in the middle: their work is done on the CPU."""
    g = start('on_cpu')
    a = conv(g, 'x', 3, 8, 'w1')
    b = g.node('Atan', [g.node('Sinh', [a])])
    return end(g, conv(g, b, 8, 8, 'w2'))


def by_values():
    """The size of the result depends on the values of the input."""
    g = start('by_values', (1, 64))
    g.node('NonZero', [g.node('Relu', ['x'])], ['y'])
    g.output('y', w.INT64, [2, 'n'])
    return g


def unknown():
    """An operator that nobody has."""
    g = start('unknown')
    return end(g, g.node('Frobnicate', [conv(g, 'x', 3, 8, 'w1')], domain='org.example.nowhere'))


def reshapes():
    """The batch size stands in constant shapes as well, of both kinds that files have."""
    g = start('reshapes')
    g.initializer('flat', w.INT64, [2], w.ints([1, -1]))
    a = g.node('Reshape', [conv(g, 'x', 3, 8, 'w1'), 'flat'])
    g.initializer('square', w.INT64, [4], w.ints([1, 8, 32, 32]))
    return end(g, conv(g, g.node('Reshape', [a, 'square']), 8, 8, 'w2'))


def mixes_rows():
    """Over several rows it would run, and give something else."""
    g = start('mixes_rows')
    a = conv(g, 'x', 3, 8, 'w1')
    return end(g, g.node('Add', [a, g.node('ReduceMax', [a], axes=[0], keepdims=1)]))


MODELS = [fine, open_sizes, branch, loop, on_cpu, by_values, unknown, reshapes, mixes_rows]


def main():
    os.makedirs(sys.argv[1], exist_ok=True)
    for make in MODELS:
        make().save(os.path.join(sys.argv[1], make.__name__ + '.onnx'))


if __name__ == '__main__':
    main()
