#!/usr/bin/python3
"""Small ONNX files for tests, right and wrong ones.

    tiny_models.py FOLDER
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import onnx_writer as w  # noqa: E402


def double():
    g = w.Graph('double')
    g.input('x', w.FLOAT, [1, 3])
    g.initializer('two', w.FLOAT, [1], w.floats([2]))
    g.node('Mul', ['x', 'two'], ['y'])
    g.output('y', w.FLOAT, [1, 3])
    return g


def sum_and_types():
    """Two inputs, outputs of two types."""
    g = w.Graph('sum')
    g.input('a', w.FLOAT, [2, 2])
    g.input('b', w.FLOAT, [2, 2])
    g.node('Add', ['a', 'b'], ['sum'])
    g.node('Cast', ['sum'], ['whole'], to=w.INT64)
    g.output('sum', w.FLOAT, [2, 2])
    g.output('whole', w.INT64, [2, 2])
    return g


def open_size():
    """The output's size follows the input's, and the file says neither."""
    g = w.Graph('open')
    g.input('x', w.FLOAT, ['n', 2])
    g.node('Concat', ['x', 'x'], ['y'], axis=0)
    g.output('y', w.FLOAT, ['m', 2])
    return g


def open_unnamed():
    """Fixed input, but the file does not say how large the output is."""
    g = w.Graph('unnamed')
    g.input('x', w.FLOAT, [1, 3])
    g.node('Flatten', ['x'], ['y'])
    g.output('y', w.FLOAT, ['a', 'b'])
    return g


def conv():
    """Two convolutions whose weights are more than what a stamp looks at."""
    g = w.Graph('conv')
    g.input('x', w.FLOAT, [1, 3, 8, 8])
    g.initializer('w', w.FLOAT, [1024, 3, 3, 3], w.floats([(i * 37 % 101 - 50) / 500 for i in range(1024 * 27)]))
    g.initializer('v', w.FLOAT, [8, 1024, 1, 1], w.floats([(i * 53 % 103 - 51) / 500 for i in range(8 * 1024)]))
    g.node('Conv', ['x', 'w'], ['h'], pads=[1, 1, 1, 1])
    g.node('Relu', ['h'], ['r'])
    g.node('Conv', ['r', 'v'], ['y'])
    g.output('y', w.FLOAT, [1, 8, 8, 8])
    return g


def by_values():
    """The output's size depends on what the input says."""
    g = w.Graph('values')
    g.input('x', w.FLOAT, [4])
    g.node('NonZero', ['x'], ['y'])
    g.output('y', w.INT64, [1, 'n'])
    return g


def text_input():
    """A type that no tensor of ours has."""
    g = w.Graph('text')
    g.input('x', w.BOOL, [2])
    g.node('Not', ['x'], ['y'])
    g.output('y', w.BOOL, [2])
    return g


def long_name():
    g = w.Graph('long')
    name = 'x' * 96
    g.input(name, w.FLOAT, [1])
    g.node('Neg', [name], ['y'])
    g.output('y', w.FLOAT, [1])
    return g


def many_inputs():
    g = w.Graph('many')
    names = [f'x{i}' for i in range(17)]
    for name in names:
        g.input(name, w.FLOAT, [1])
    g.node('Sum', names, ['y'])
    g.output('y', w.FLOAT, [1])
    return g


def gate():
    """Contract of nsfwjs: a bright picture is porn, a dark one is neutral."""
    g = w.Graph('gate')
    g.input('input', w.FLOAT, [1, 3, 224, 224])
    g.node('ReduceMean', ['input'], ['mean'], axes=[1, 2, 3], keepdims=0)
    g.initializer('half', w.FLOAT, [1], w.floats([0.5]))
    g.initializer('steep', w.FLOAT, [1], w.floats([1000]))
    g.initializer('zero', w.FLOAT, [], w.floats([0]))
    g.initializer('one', w.FLOAT, [], w.floats([1]))
    g.node('Sub', ['mean', 'half'], ['above'])
    g.node('Mul', ['above', 'steep'], ['more'])
    g.node('Clip', ['more', 'zero', 'one'], ['bright'])
    g.initializer('shape', w.INT64, [2], w.ints([1, 1]))
    g.node('Reshape', ['bright', 'shape'], ['porn'])
    g.node('Sub', ['one', 'porn'], ['neutral'])
    g.initializer('none', w.FLOAT, [1, 1], w.floats([0]))
    # Drawing, Hentai, Neutral, Porn, Sexy
    g.node('Concat', ['none', 'none', 'neutral', 'porn', 'none'], ['output'], axis=1)
    g.output('output', w.FLOAT, [1, 5])
    return g


def gate_of_four():
    """A gate that gives four numbers, not five."""
    g = w.Graph('four')
    g.input('input', w.FLOAT, [1, 3, 224, 224])
    g.initializer('four', w.FLOAT, [1, 4], w.floats([0, 0, 0, 1]))
    g.node('ReduceMean', ['input'], ['mean'], axes=[1, 2, 3], keepdims=0)
    g.node('Mul', ['four', 'mean'], ['output'])
    g.output('output', w.FLOAT, [1, 4])
    return g


MODELS = {
    'double': double, 'sum': sum_and_types, 'open': open_size, 'unnamed': open_unnamed,
    'values': by_values, 'conv': conv, 'text': text_input, 'long': long_name, 'many': many_inputs,
    'gate': gate, 'four': gate_of_four,
}


def main():
    folder = sys.argv[1]
    for name, make in MODELS.items():
        make().save(os.path.join(folder, name + '.onnx'))
    path = os.path.join(folder, 'double.onnx')
    with open(path, 'rb') as file:
        whole = file.read()
    for name, data in (('half', whole[:len(whole) // 2]), ('empty', b''),
                       ('random', bytes((i * 7919 + 13) * 31 >> 3 & 255 for i in range(5000))),
                       ('words', b'<html>404 Not Found</html>\n')):
        with open(os.path.join(folder, name + '.onnx'), 'wb') as file:
            file.write(data)


if __name__ == '__main__':
    main()
