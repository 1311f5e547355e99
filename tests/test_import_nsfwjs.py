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
import random
import re
import subprocess
import sys
import tarfile
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)
import ort

sys.path.insert(0, os.path.join(ort.ROOT, 'tools'))
import import_nsfwjs  # noqa: E402

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


def tiny_layer(kind, name, source, **config):
    nodes = [[[source, 0, 0, {}]]] if source else []
    return {'class_name': kind, 'name': name, 'config': config, 'inbound_nodes': nodes}


def tiny_package():
    """The two files of a network of a few numbers, with every kind of layer but one."""
    shapes = {'c/kernel': [3, 3, 3, 2], 'd/depthwise_kernel': [1, 1, 2, 1], 'f/kernel': [2, 5],
              'f/bias': [5], **{'b/' + n: [2] for n in ('gamma', 'beta', 'moving_mean',
                                                        'moving_variance')}}
    plain = {'data_format': 'channels_last', 'dilation_rate': [1, 1], 'activation': 'linear',
             'use_bias': False}
    layers = [
        tiny_layer('InputLayer', 'i', None, batch_input_shape=[None, 224, 224, 3]),
        tiny_layer('ZeroPadding2D', 'z', 'i', padding=[[0, 1], [0, 1]]),
        tiny_layer('Conv2D', 'c', 'z', padding='valid', strides=[2, 2], **plain),
        tiny_layer('BatchNormalization', 'b', 'c', epsilon=0.001),
        tiny_layer('ReLU', 'r', 'b', max_value=6, negative_slope=0, threshold=0),
        tiny_layer('DepthwiseConv2D', 'd', 'r', padding='same', strides=[1, 1], **plain),
        tiny_layer('AveragePooling2D', 'p', 'd', padding='valid', pool_size=[112, 112]),
        tiny_layer('Flatten', 'g', 'p'), tiny_layer('Dropout', 'o', 'g'),
        tiny_layer('Dense', 'f', 'o', activation='softmax')]
    weights = [{'name': n, 'shape': s, 'dtype': 'float32',
                'quantization': {'dtype': 'uint8', 'scale': .5, 'min': 0}} for n, s in shapes.items()]
    topology = json.dumps({'modelTopology': {'model_config': {'config': {'layers': layers}}},
                           'weightsManifest': [{'weights': weights}]})
    topology = topology.replace('true', '!0').replace('false', '!1').replace('"modelTopology"',
                                                                             'modelTopology', 1)
    data = base64.b64encode(bytes(sum(int(np.prod(s)) for s in shapes.values()))).decode()
    return [f'x.exports={re.sub("[ ]+", "", topology)}', f'x.exports="{data}"']


class Mutated(unittest.TestCase):
    """A package that is not the right one ends in a sentence, soon and in little memory."""

    def attempt(self, texts):
        import_nsfwjs.read_sources = lambda _: texts
        try:
            import_nsfwjs.convert('', ort.scratch('mutated.onnx'))
        except import_nsfwjs.NOT_IT:
            return False
        return True

    def setUp(self):
        self.read = import_nsfwjs.read_sources

    def tearDown(self):
        import_nsfwjs.read_sources = self.read

    def test_texts(self):
        right = tiny_package()
        self.assertTrue(self.attempt(right))
        luck = random.Random(6)
        pieces = ['0', '-1', '1e9', '99999999', '[', ']', '{', '}', 'null', '""', ',', ':', '!0', '"x"',
                  '4096', '[' * 2000]
        refused = 0
        for _ in range(3000):
            texts = list(right)
            which = luck.random() < .1
            for _ in range(luck.choice((1, 1, 2, 5))):
                text = texts[which]
                at = luck.randrange(12, len(text))
                end = at + luck.choice((0, 1, 1, 2, 8))
                texts[which] = text[:at] + luck.choice(pieces) + text[end:]
            refused += not self.attempt(texts)
        self.assertGreater(refused, 1500)

    def test_sizes(self):
        """A shape without elements, but with many rows; numbers that overflow."""
        for old, new in (('[3,3,3,2]', '[0,99999999,3,99999999]'), ('[3,3,3,2]', '[3,3,3,1e400]'),
                         ('0.001', '1e999'), ('[2,5]', '[-2,-5]')):
            texts = tiny_package()
            self.assertIn(old, texts[0])
            texts[0] = texts[0].replace(old, new)
            self.assertEqual(self.attempt(texts), new == '1e999', new)

    def test_tarballs(self):
        folder, path = import_nsfwjs.FOLDER, ort.scratch('package.tgz')
        names = [import_nsfwjs.TOPOLOGY, import_nsfwjs.WEIGHTS]
        for name, text in zip(names, tiny_package()):
            with open(ort.scratch(name), 'w', encoding='ascii') as file:
                file.write(text)
        with tarfile.open(path, 'w:gz') as tar:
            for name in names:
                tar.add(ort.scratch(name), f'{folder}/{name}')
        with tarfile.open(ort.scratch('folders.tgz'), 'w:gz') as tar:
            for name in names:
                tar.add(ort.ROOT + '/docs', f'{folder}/{name}', recursive=False)
        self.assertEqual(import_nsfwjs.read_sources(path), tiny_package())
        data, luck = ort.read(path), random.Random(7)
        with self.assertRaises(import_nsfwjs.NOT_IT):
            import_nsfwjs.read_sources(ort.scratch('folders.tgz'))
        for _ in range(300):
            bad = bytearray(data[:luck.randrange(len(data))] if luck.random() < .3 else data)
            for _ in range(luck.choice((1, 3))):
                if bad:
                    bad[luck.randrange(len(bad))] = luck.randrange(256)
            with open(path, 'wb') as file:
                file.write(bad)
            try:
                import_nsfwjs.read_sources(path)
            except (*import_nsfwjs.NOT_IT, OSError):
                pass

    def test_bomb(self):
        """A package whose other files unpack to more than any has."""
        path, kept = ort.scratch('bomb.tgz'), import_nsfwjs.UNPACKED
        with open(ort.scratch('zeros'), 'wb') as file:
            file.truncate(1 << 22)
        with tarfile.open(path, 'w:gz') as tar:
            tar.add(ort.scratch('zeros'), 'package/zeros')
        try:
            import_nsfwjs.UNPACKED = 1 << 21
            with self.assertRaises(import_nsfwjs.Broken):
                import_nsfwjs.read_sources(path)
        finally:
            import_nsfwjs.UNPACKED = kept

    def test_too_large(self):
        path = ort.scratch(import_nsfwjs.TOPOLOGY)
        with open(path, 'wb') as file:
            file.truncate(1 << 34)
        with self.assertRaises(import_nsfwjs.Broken):
            import_nsfwjs.read_sources(ort.scratch(''))


if __name__ == '__main__':
    if not os.path.exists(SOURCE + '/model.min.js'):
        ort.skip('nsfwjs is not there: run scripts/setup.sh')
    unittest.main()
