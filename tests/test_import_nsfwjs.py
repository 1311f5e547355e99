#!/usr/bin/python3
"""nsfwjs.onnx against the same network computed from the npm package with NumPy.

Nothing is shared with the importer: the package is parsed in another way, the layers run in double
precision, channels last, one by one as Keras defines them (padding by zeros and normalisation as
steps of their own).
"""
import base64
import glob
import hashlib
import json
import os
import re
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

SOURCE = os.environ.get('NSFWJS') or ort.CACHE + '/npm/nsfwjs-4.4.0'


def load(folder):
    """(layers, name -> array in double precision) from the two JavaScript files."""
    text = ort.read(folder + '/model.min.js').decode()
    text = text[text.index('a.exports=') + len('a.exports='):]
    text = text[:text.index('},{}]},{},[1])(1)')]
    text = re.sub(r'([{,])([A-Za-z_]\w*):', r'\1"\2":', text)
    text = re.sub(r'([:,\[])(-?)\.(\d)', r'\g<1>\g<2>0.\3', text)
    text = text.replace(':!0', ':true').replace(':!1', ':false')
    model = json.loads(text)
    text = ort.read(folder + '/group1-shard1of1.min.js').decode()
    data = np.frombuffer(base64.b64decode(max(text.split('"'), key=len)), np.uint8)
    weights, at = {}, 0
    for w in model['weightsManifest'][0]['weights']:
        n = int(np.prod(w['shape']))
        q = w['quantization']
        values = (data[at:at + n] * np.float64(q['scale']) + q['min']).astype(np.float32)
        weights[w['name']] = values.reshape(w['shape']).astype(np.float64)
        at += n
    assert at == len(data)
    return model['modelTopology']['model_config']['config']['layers'], weights


def pad_same(x, kernel, stride):
    pads = []
    for size in x.shape[:2]:
        out = (size + stride - 1) // stride
        need = max(0, (out - 1) * stride + kernel - size)
        pads.append((need // 2, need - need // 2))
    return np.pad(x, pads + [(0, 0)])


def windows(x, kernel, stride):
    """[out y][out x][channel][kernel y][kernel x]"""
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (0, 1))[::stride, ::stride]


def layer(kind, name, config, x, w):
    if kind == 'ZeroPadding2D':
        return np.pad(x[0], config['padding'] + [(0, 0)])
    if kind in ('Conv2D', 'DepthwiseConv2D'):
        kernel, stride = config['kernel_size'][0], config['strides'][0]
        a = pad_same(x[0], kernel, stride) if config['padding'] == 'same' else x[0]
        if kind == 'Conv2D':
            return np.einsum('yxchw,hwco->yxo', windows(a, kernel, stride), w[name + '/kernel'],
                             optimize=True)
        return np.einsum('yxchw,hwc->yxc', windows(a, kernel, stride),
                         w[name + '/depthwise_kernel'][..., 0], optimize=True)
    if kind == 'BatchNormalization':
        return ((x[0] - w[name + '/moving_mean'])
                / np.sqrt(w[name + '/moving_variance'] + config['epsilon'])
                * w[name + '/gamma'] + w[name + '/beta'])
    if kind == 'ReLU':
        return np.clip(x[0], 0, config['max_value'])
    if kind == 'Add':
        return x[0] + x[1]
    if kind == 'AveragePooling2D':
        assert list(x[0].shape[:2]) == config['pool_size']
        return x[0].mean((0, 1), keepdims=True)
    if kind == 'Flatten':
        return x[0].reshape(-1)
    if kind == 'Dropout':
        return x[0]
    if kind == 'Dense':
        y = x[0] @ w[name + '/kernel'] + w[name + '/bias']
        if config['activation'] == 'relu':
            return np.maximum(y, 0)
        assert config['activation'] == 'softmax'
        e = np.exp(y - y.max())
        return e / e.sum()
    raise AssertionError(kind)


def network(layers, weights, picture):
    values = {}
    for item in layers:
        if item['class_name'] == 'InputLayer':
            values[item['name']] = picture
            continue
        x = [values[node[0]] for node in item['inbound_nodes'][0]]
        values[item['name']] = layer(item['class_name'], item['name'], item['config'], x, weights)
    return values[layers[-1]['name']]


def pictures():
    y, x = np.mgrid[0:224, 0:224] / 223
    yield 'gradient', np.stack([x, y, (x + y) / 2], -1)
    yield 'noise', np.random.default_rng(7).random((224, 224, 3))
    for name, path in (('astronaut', ort.CACHE + '/media/astronaut.png'),):
        photo = ort.picture(path, 224, 224) if os.path.exists(path) else None
        if photo is not None:
            yield name, photo


class ImportNsfwjs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = ort.scratch('nsfwjs.onnx')
        cls.convert(SOURCE, cls.model)

    @staticmethod
    def convert(source, out):
        return subprocess.run([sys.executable, ort.ROOT + '/tools/import_nsfwjs.py', source, out],
                              check=True, stderr=subprocess.PIPE, text=True)

    def test_same_numbers(self):
        layers, weights = load(SOURCE)
        for name, picture in pictures():
            with self.subTest(name):
                picture = picture.astype(np.float32)
                want = network(layers, weights, picture.astype(np.float64))
                got = ort.run(self.model, {'input': picture.transpose(2, 0, 1)[None]})['output']
                self.assertEqual(got.shape, (1, 5))
                # single against double precision through 53 layers; 2e-7 was seen
                np.testing.assert_allclose(got[0], want, rtol=0, atol=5e-6)
                print(name, 'probabilities', np.round(got[0], 4),
                      'largest difference %.1e' % np.abs(got[0] - want).max())

    def test_same_bytes(self):
        again = ort.scratch('again.onnx')
        self.convert(SOURCE, again)
        self.assertEqual(ort.read(again), ort.read(self.model))
        self.assertEqual(glob.glob(ort.scratch('*.part')), [])

    def test_published(self):
        """The content check uses these bytes only, so every Python must make them."""
        with open(f'{ort.ROOT}/src/models/catalogue.c', encoding='utf-8') as file:
            entry = file.read().split('"nsfwjs.onnx"')[1].split(',\n\n')[0]
        data = ort.read(self.model)
        self.assertIn(f' {len(data)}, ', entry)
        self.assertIn(f'"{hashlib.sha256(data).hexdigest()}"', entry)

    def test_broken_source(self):
        for cut in (1000, 60000):
            folder = ort.scratch(f'cut{cut}')
            os.mkdir(folder)
            for name in ('model.min.js', 'group1-shard1of1.min.js'):
                with open(f'{folder}/{name}', 'wb') as file:
                    file.write(ort.read(f'{SOURCE}/{name}')[:cut])
            with self.assertRaises(subprocess.CalledProcessError) as caught:
                self.convert(folder, ort.scratch('broken.onnx'))
            self.assertIn('is not nsfwjs 4.4.0', caught.exception.stderr)
            self.assertEqual(caught.exception.stderr.count('\n'), 1)
            self.assertFalse(os.path.exists(ort.scratch('broken.onnx')))


if __name__ == '__main__':
    if not os.path.exists(SOURCE + '/model.min.js'):
        ort.skip('nsfwjs is not there: run scripts/setup.sh')
    unittest.main()
