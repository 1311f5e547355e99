#!/usr/bin/python3
"""tools/onnx_writer.py: its files load in ONNX Runtime and compute what they say."""
import os
import sys
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)
import ort

sys.path.insert(0, ort.ROOT + '/tools')
import onnx_writer as w  # noqa: E402


class OnnxWriter(unittest.TestCase):
    def save(self, graph):
        path = ort.scratch(graph.name + '.onnx')
        graph.save(path)
        return path

    def test_every_kind_of_attribute(self):
        g = w.Graph('attributes', opset=17, doc='a test')
        g.metadata = {'b': '2', 'a': '1'}
        g.input('x', w.FLOAT, ['n', 3])
        g.node('LeakyRelu', ['x'], ['leaky'], alpha=0.25)                    # float
        g.node('Softmax', ['x'], ['soft'], axis=-1)                          # negative int
        value = w.tensor('v', w.FLOAT, [2], w.floats([1.5, -2]))
        g.node('Constant', [], ['tensor'], value=value)                      # tensor
        g.node('Constant', [], ['floats'], value_floats=[0.5, 0.25])         # floats
        g.node('Transpose', ['x'], ['turned'], perm=[1, 0])                  # ints
        g.initializer('pads', w.INT64, [4], w.ints([0, 1, 0, 0]))
        g.node('Pad', ['x', 'pads'], ['padded'], mode='edge')                # string
        g.output('leaky', w.FLOAT, ['n', 3])
        g.output('soft', w.FLOAT, ['n', 3])
        g.output('tensor', w.FLOAT, [2])
        g.output('floats', w.FLOAT, [2])
        g.output('turned', w.FLOAT, [3, 'n'])
        g.output('padded', w.FLOAT, ['n', 4])
        x = np.array([[1, -2, 3], [-4, 5, 0]], np.float32)
        out = ort.run(self.save(g), {'x': x})
        np.testing.assert_array_equal(out['leaky'], np.where(x < 0, x / 4, x))
        e = np.exp(x)
        np.testing.assert_allclose(out['soft'], e / e.sum(1, keepdims=True), rtol=1e-6)
        np.testing.assert_array_equal(out['tensor'], [1.5, -2])
        np.testing.assert_array_equal(out['floats'], [0.5, 0.25])
        np.testing.assert_array_equal(out['turned'], x.T)
        np.testing.assert_array_equal(out['padded'], np.pad(x, ((0, 0), (1, 0)), 'edge'))

    def test_streamed_weights(self):
        rows = 3000

        def make():
            for i in range(rows):
                yield np.full(1000, i, '<f4').tobytes()

        g = w.Graph('streamed')
        g.input('i', w.INT64, [1])
        g.initializer('table', w.FLOAT, [rows, 1000], w.Stream(rows * 4000, make))
        g.node('Gather', ['table', 'i'], ['row'])
        g.output('row', w.FLOAT, [1, 1000])
        path = self.save(g)
        self.assertLess(os.path.getsize(path), rows * 4000 + 300)
        out = ort.run(path, {'i': np.array([2345], np.int64)})
        np.testing.assert_array_equal(out['row'], np.full((1, 1000), 2345))

    def test_wrong_sizes_are_refused(self):
        with self.assertRaises(ValueError):
            w.tensor('t', w.FLOAT, [3], w.floats([1, 2]))
        g = w.Graph('short')
        g.initializer('t', w.UINT8, [10], w.Stream(10, lambda: [b'123']))
        with self.assertRaises(ValueError):
            self.save(g)
        self.assertEqual([f for f in os.listdir(ort.scratch('')) if f.startswith('short')], [])


if __name__ == '__main__':
    unittest.main()
