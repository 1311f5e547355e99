#!/usr/bin/python3
"""tools/twins.py: sizes and work as published, planted answers there, contracts kept.

Of the full networks three are run; the others are built, which is enough to count. `--all` as the
first argument runs every one of them (minutes, 3 GB of disk).
"""
import glob
import itertools
import json
import math
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

TOOL = ort.ROOT + '/tools/twins.py'
sys.path.insert(0, ort.ROOT + '/tools')
from twins import colour, command, net, planted, portrait, tiny  # noqa: E402

ALL = '--all' in sys.argv[1:2]

# What ONNX Runtime's CUDA provider computes without a step on the host.
ON_THE_GPU = set('''Abs Add ArgMax AveragePool BatchNormalization Cast Clip Concat Conv
    ConvTranspose DepthToSpace Div Equal Erf Exp Flatten Floor Gather Gemm GlobalAveragePool
    GridSample Identity InstanceNormalization LayerNormalization LeakyRelu MatMul Max MaxPool Mul
    Pad PRelu ReduceMax ReduceMean ReduceSum Relu Reshape Resize Sigmoid Slice Softmax Split Sqrt
    Sub Tanh Transpose'''.split())


def ops(n):
    return {op for op in n.g.count if op != 'part'}


def noise(shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def inputs_of(n, batch=1, seed=0):
    """Random ones, embeddings of length 1."""
    out = {}
    for i, (name, dtype) in enumerate(n.inputs.items()):
        shape = list(n.shape[name])
        if len(shape) > 1:
            shape[0] = batch
        x = noise(shape, seed + i).astype(np.float64 if dtype == net.DOUBLE else np.float32)
        if shape == [batch, 512]:
            x = (x - 0.5) / np.linalg.norm(x - 0.5)
        out[name] = x
    return out


def write(n, path):
    """Like save(), which also waits for the disk."""
    with open(path, 'wb') as file:
        n.g.message().write(file)


def run_file(path, n, inputs):
    """The helper takes no ':' in names, and no scalars."""
    if any(n.shape[name] == [] for name in n.inputs):
        return {'output': run_scalar(path, inputs, n.shape['output'])}
    names = list(n.inputs) + n.outputs
    if not any(':' in name for name in names):
        return ort.run(path, inputs)
    data = ort.read(path)
    for name in names:
        data = data.replace(name.encode(), name.replace(':', '_').encode())
    with open(path, 'wb') as file:
        file.write(data)
    out = ort.run(path, {k.replace(':', '_'): v for k, v in inputs.items()})
    return {name: out[name.replace(':', '_')] for name in n.outputs}


def run_twin(name, batch=1, **options):
    path = ort.scratch('twin.onnx')
    n = command.build(name, dynamic=batch > 1, **options)
    write(n, path)
    try:
        return run_file(path, n, inputs_of(n, batch))
    finally:
        os.unlink(path)


def run_tiny(name, inputs=None, plan=None, dynamic=False):
    path = ort.scratch('tiny.onnx')
    n = tiny.build(name, plan, dynamic=dynamic)
    write(n, path)
    inputs = inputs or inputs_of(n)
    return inputs, run_file(path, n, inputs)


def run_scalar(path, inputs, shape):
    folder = ort.scratch('scalar')
    os.makedirs(folder, exist_ok=True)
    arguments = []
    for key, value in inputs.items():
        np.asarray(value).tofile(f'{folder}/{key}.in')
        arguments.append(f'{key}={folder}/{key}.in')
    library = sorted(glob.glob(ort.home() + '/lib/libonnxruntime.so*'))[0]
    subprocess.run([ort.program(), library, path, folder] + arguments, check=True,
                   stdout=subprocess.DEVNULL)
    return np.fromfile(f'{folder}/output.raw', np.float32).reshape(shape)


def faces_of_yolo(out):
    """(score, box, landmarks) by falling score, as FaceFusion reads [1,20,8400]."""
    found = []
    for c in out[0].T:
        if c[4] > 0.5:
            x, y, w, h = c[:4]
            found.append((c[4], [x - w / 2, y - h / 2, x + w / 2, y + h / 2],
                          np.stack([c[5::3], c[6::3]], 1)))
    return sorted(found, key=lambda f: -f[0])


def faces_of_distances(out):
    found = []
    scores, boxes, points = (list(out.values())[i:i + 3] for i in (0, 3, 6))
    for level in range(3):
        stride, side = 8 << level, 80 >> level
        for i in np.nonzero(scores[level][:, 0] >= 0.5)[0]:
            a = np.array([i // 2 % side, i // 2 // side]) * stride
            d = boxes[level][i] * stride
            found.append((scores[level][i, 0], [*(a - d[:2]), *(a + d[2:])],
                          a + points[level][i].reshape(5, 2) * stride))
    return sorted(found, key=lambda f: -f[0])


def faces_of_yunet(out):
    found = []
    values = list(out.values())
    for level in range(3):
        classes, objects, boxes, points = (values[i + level][0] for i in (0, 3, 6, 9))
        stride, side = 8 << level, 80 >> level
        score = (classes * objects)[:, 0]
        for i in np.nonzero(score >= 0.5)[0]:
            a = np.array([i % side, i // side]) * stride
            centre, size = boxes[i, :2] * stride + a, np.exp(boxes[i, 2:]) * stride
            found.append((score[i], [*(centre - size / 2), *(centre + size / 2)],
                          a + points[i].reshape(5, 2) * stride))
    return sorted(found, key=lambda f: -f[0])


class Faces(unittest.TestCase):
    def compare(self, found, want):
        self.assertEqual(len(found), len(want))
        for (score, box, points), face in zip(found, want):
            self.assertAlmostEqual(score, face['score'], places=4)
            np.testing.assert_allclose(box, face['box'], atol=0.01)
            np.testing.assert_allclose(points, face['landmarks'], atol=0.01)


class Published(unittest.TestCase):
    def test_parameters_and_work(self):
        for name in command.TWINS:
            with self.subTest(name):
                r = command.numbers(name)
                if r['real_params']:
                    self.assertLess(abs(r['params'] / r['real_params'] - 1), 0.05)
                if r['real_gflop']:
                    self.assertLess(abs(r['gflop'] / r['real_gflop'] - 1), 0.05)

    def test_convnext(self):
        """ddcolor's encoder is ConvNeXt-L: 196.2 M parameters without its head, 34.4 G multiply-adds
        at 224x224. The whole is not published."""
        n = net.Net('convnext')
        colour.convnext(n, n.input('input', [1, 3, 224, 224]))
        self.assertLess(abs(n.params / 196.2e6 - 1), 0.01)
        self.assertLess(abs(n.macs / 34.4e9 - 1), 0.01)
        self.assertGreater(command.numbers('ddcolor')['params'], n.params)

    def test_spade_and_warping(self):
        """LivePortrait's table tells the generator's two halves apart: 45.53 M and 55.37 M."""
        halves = []
        for half in ('warped', 'decoded'):
            n = net.Net(half)
            if half == 'warped':
                portrait.warped(n, n.input('features', [1, 32, 16, 64, 64]),
                                n.input('wanted', [1, 21, 3]), n.input('now', [1, 21, 3]))
            else:
                portrait.decoded(n, n.input('seen', [1, 256, 64, 64]))
            halves.append(n.params)
        self.assertLess(abs(halves[0] / 45.53e6 - 1), 0.02)
        self.assertLess(abs(halves[1] / 55.37e6 - 1), 0.02)

    def test_work_is_the_same_with_a_free_batch(self):
        for name in command.TWINS:
            own, free = (command.numbers(name, dynamic=d) for d in (False, True))
            self.assertLess(abs(free['gflop'] / own['gflop'] - 1), 0.001, name)
            self.assertEqual(free['params'], own['params'], name)

    def test_the_last_initializer_is_the_identity_matrix(self):
        for n in (command.build('inswapper_128'), tiny.build('inswapper_128')):
            m = n.g.initializers[-1]
            head = b''.join(p for p in m.pieces if isinstance(p, bytes) and len(p) < 20)
            self.assertTrue(head.startswith(b'\x08\x80\x04\x08\x80\x04\x10\x01'))  # 512, 512, float

    def test_only_what_cuda_has(self):
        for name in command.TWINS:
            for dynamic in (False, True):
                self.assertLessEqual(ops(command.build(name, dynamic=dynamic)), ON_THE_GPU, name)
        for name in tiny.TINY:
            self.assertLessEqual(ops(tiny.build(name)), ON_THE_GPU, name)


class Weights(unittest.TestCase):
    def test_the_same_without_numpy(self):
        for count in (0, 1, 1000, net.CHUNK + 5):
            with_numpy = b''.join(net.uniform(7, count, 0.25, 0.1))
            held, net.numpy = net.numpy, None
            try:
                without = b''.join(net.uniform(7, count, 0.25, 0.1))
            finally:
                net.numpy = held
            self.assertEqual(with_numpy, without)

    def test_spread(self):
        v = np.frombuffer(b''.join(net.uniform(1, 100000, 0.5, 2.0)), np.float32)
        self.assertAlmostEqual(v.mean(), 0.5, delta=0.02)
        self.assertAlmostEqual(v.std(), 2 / math.sqrt(3), delta=0.02)
        self.assertLess(abs(v - 0.5).max(), 2.0001)

    def test_seed(self):
        def made(seed):
            path = ort.scratch('seed.onnx')
            write(command.build('fan_68_5', seed=seed), path)
            return ort.read(path)

        self.assertEqual(made(1), made(1))
        self.assertNotEqual(made(1), made(2))

    def test_modulation_both_ways(self):
        """Scaling the kernel, and scaling the pixels before and behind it."""
        from twins import restore
        outs = []
        for dynamic in (False, True):
            n = net.Net('modulated', dynamic=dynamic)
            x = n.input('x', [1, 8, 6, 6])
            x = restore.modulated(n, x, n.input('style', [1, 512]), 5, 3, up=True)
            x = restore.modulated(n, x, 'style', 3, 1, demodulate=False)
            n.output(x, 'y')
            path = ort.scratch('modulated.onnx')
            write(n, path)
            given = {'x': noise((1, 8, 6, 6)), 'style': noise((1, 512), 1)}
            if dynamic:
                given = {k: np.concatenate([noise(v.shape, 5), v]) for k, v in given.items()}
            outs.append(ort.run(path, given)['y'][-1:])
        np.testing.assert_allclose(outs[0], outs[1], rtol=1e-4, atol=1e-5)


    def test_sampled_volume(self):
        """Against a loop, also outside the volume."""
        depth, side = portrait.DEPTH, portrait.SIDE
        n = net.Net('sampled')
        n.output(portrait.sampled(n, n.input('table', [depth * side * side, 2], batch=False),
                                  n.input('at', [1, depth, side, side, 3])), 'y')
        path = ort.scratch('sampled.onnx')
        write(n, path)
        at = 2.4 * noise((1, depth, side, side, 3)) - 1.2
        at[0, 0, 0, :4] = [[-1, -1, -1], [1, 1, 1], [0, 0, 0], [5, 0, 0]]
        volume = noise((depth, side, side, 2), 1)
        got = ort.run(path, {'table': volume.reshape(-1, 2), 'at': at})['y'][0]
        sizes = np.array([side, side, depth])
        for where in [(0, 0, i) for i in range(8)] + [(3, 5, i) for i in range(64)]:
            place = (at[0][where].astype(np.float64) + 1) / 2 * (sizes - 1)
            low, want = np.floor(place).astype(int), np.zeros(2)
            for corner in itertools.product((0, 1), repeat=3):
                cell = low + corner
                share = np.prod(np.where(corner, place - low, 1 - (place - low)))
                if (cell >= 0).all() and (cell < sizes).all():
                    want += share * volume[cell[2], cell[1], cell[0]]
            np.testing.assert_allclose(got[where], want, atol=2e-5)


class Twins(Faces):
    def test_live_portrait(self):
        """The small ones: angles in degrees, points near those that were given."""
        out = run_twin('live_portrait_motion_extractor')
        self.assertEqual([v.size for v in out.values()], [1, 1, 1, 1, 3, 63, 63])
        self.assertEqual(list(out), list(tiny.MOTION))
        self.assertTrue(all(abs(out[name][0, 0]) < 60 for name in ('pitch', 'yaw', 'roll')))
        self.assertTrue(0.5 < out['scale'][0, 0] < 2)
        path = ort.scratch('stitcher.onnx')
        write(command.build('live_portrait_stitcher'), path)
        wanted, now = (noise((1, 21, 3), i) for i in (1, 2))
        stitched = ort.run(path, {'source': wanted, 'target': now})['output']
        self.assertTrue(0 < abs(stitched - wanted).max() < 0.3)

    def test_yoloface(self):
        out = run_twin('yoloface_8n', plan=planted.Plan(planted.grid(3)))['output']
        self.assertEqual(out.shape, (1, 20, 8400))
        self.assertTrue(np.isfinite(out).all())
        self.compare(faces_of_yolo(out), planted.grid(3))
        rest = out[0][:, out[0, 4] < 0.5]
        self.assertLess(abs(rest).max(), 0.01)
        self.assertGreater((rest != 0).mean(), 0.99)  # the network's own
        self.assertGreater(rest[4].std(), 1e-9)

    def test_yoloface_free_batch(self):
        out = run_twin('yoloface_8n', batch=2, plan=planted.Plan(faces=[]))['output']
        self.assertEqual(out.shape, (2, 20, 8400))
        self.assertEqual(faces_of_yolo(out), [])
        self.assertGreater(abs(out[0] - out[1]).max(), 0)

    def test_arcface(self):
        out = run_twin('arcface_w600k_r50')['output']
        self.assertEqual(out.shape, (1, 512))
        self.assertTrue(np.isfinite(out).all())
        self.assertTrue(3 < np.linalg.norm(out) < 300)

    def test_fairface(self):
        out = run_twin('fairface')
        for name, classes in (('race_id', 7), ('gender_id', 2), ('age_id', 9)):
            self.assertEqual((out[name].shape, out[name].dtype), ((1,), np.int64))
            self.assertTrue(0 <= out[name][0] < classes)

    @unittest.skipUnless(ALL, 'only with --all')
    def test_all(self):
        for name in command.TWINS:
            with self.subTest(name):
                for value in run_twin(name).values():
                    self.assertTrue(np.isfinite(value).all())
                    self.assertLess(abs(value).max(), 1000)


class Options(Faces):
    def test_given_faces(self):
        faces = [[10, 20, 110, 140], {'box': [300, 300, 340, 350], 'score': 0.6,
                 'landmarks': [[310, 310], [330, 310], [320, 320], [312, 335], [328, 335]]}]
        points = [[i, 255 - i] for i in range(68)]
        for name, value in (('faces', faces), ('points', points), ('bad', [[5, 5, 5, 9]])):
            with open(ort.scratch(f'{name}.json'), 'w', encoding='utf-8') as file:
                json.dump(value, file)
        folder = ort.scratch('given')
        subprocess.run([sys.executable, TOOL, '--tiny', '--out', folder, '--faces',
                        ort.scratch('faces.json'), '--landmarks', ort.scratch('points.json'),
                        'yoloface_8n', 'yunet_2023_mar', '2dfan4'], check=True)
        want = planted.read_faces(ort.scratch('faces.json'))
        self.assertEqual(want[1]['landmarks'], faces[1]['landmarks'])
        x = {'input': noise((1, 3, 640, 640))}
        self.compare(faces_of_yolo(ort.run(folder + '/yoloface_8n.onnx', x)['output']), want)
        self.compare(faces_of_yunet(ort.run(folder + '/yunet_2023_mar.onnx', x)), want)
        out = ort.run(folder + '/2dfan4.onnx', {'input': noise((1, 3, 256, 256))})
        np.testing.assert_allclose(out['landmarks_xyscore'][0, :, :2] * 4, points, atol=1e-3)

        self.refused('--faces', ort.scratch('bad.json'), '--tiny')
        self.refused('--faces', ort.scratch('points.json'), '--tiny')
        self.refused('--landmarks', ort.scratch('faces.json'), '--tiny')
        self.refused('--faces', ort.scratch('faces.json'), '--count', '1')
        self.refused('--faces', ort.scratch('none.json'))

    def test_full_and_free_batch(self):
        folder = ort.scratch('full')
        done = subprocess.run([sys.executable, TOOL, '--out', folder, '--batch', 'dynamic', '--count',
                               '2', 'yoloface_8n', 'scrfd_2.5g'], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.stdout.count('GFLOP'), 2)
        self.assertIn('scrfd_2.5g has a fixed batch', done.stderr)
        self.assertEqual(sorted(os.listdir(folder)), ['scrfd_2.5g.onnx', 'yoloface_8n.onnx'])
        x = {'input': noise((1, 3, 640, 640))}
        out = ort.run(folder + '/yoloface_8n.onnx', x)['output']
        self.compare(faces_of_yolo(out), planted.grid(2))
        self.compare(faces_of_distances(ort.run(folder + '/scrfd_2.5g.onnx', x)), planted.grid(2))

    def test_mistakes(self):
        self.refused('nonsense')
        self.refused('--tiny', '--table')
        self.refused('--count', '-1', '--tiny')

    def refused(self, *options):
        done = subprocess.run([sys.executable, TOOL, '--out', ort.scratch('refused'), *options],
                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.assertEqual(done.returncode, 1, options)
        self.assertRegex(done.stderr, '^twins: .*\n$')
        self.assertFalse(os.path.exists(ort.scratch('refused')))

    def test_table(self):
        text = subprocess.run([sys.executable, TOOL, '--table', 'gfpgan_1.4', 'xseg'], check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual(len(text.splitlines()), 3)
        self.assertIn('395', text)

    def test_content(self):
        n = command.build('nsfwjs', planted.Plan(safe=False))
        write(n, ort.scratch('content.onnx'))
        out = ort.run(ort.scratch('content.onnx'), inputs_of(n))['output']
        np.testing.assert_allclose(out, [[0.01, 0.01, 0.02, 0.94, 0.02]], atol=1e-5)


class Tiny(Faces):
    def test_all(self):
        """Names and shapes are as declared, numbers finite."""
        for name in tiny.TINY:
            with self.subTest(name):
                n = tiny.build(name)
                _, out = run_tiny(name)
                self.assertEqual(list(out), n.outputs)
                for key, value in out.items():
                    self.assertEqual(list(value.shape), n.shape[key])
                    self.assertTrue(np.isfinite(value).all())

    def test_free_batch(self):
        for name in ('inswapper_128', 'gfpgan_1.4', 'real_esrgan_x4', 'xseg_1', 'fairface',
                     'arcface_w600k_r50', 'yoloface_8n', '2dfan4', 'peppa_wutz', 'fan_68_5'):
            with self.subTest(name):
                x = inputs_of(tiny.build(name), batch=3)
                _, out = run_tiny(name, x, dynamic=True)
                _, first = run_tiny(name, {k: v[1:2] for k, v in x.items()})
                for key, value in out.items():
                    np.testing.assert_allclose(value[1:2], first[key], rtol=1e-6, atol=1e-6)

    def test_detectors(self):
        for name, read in (('yoloface_8n', faces_of_yolo), ('retinaface_10g', faces_of_distances),
                           ('scrfd_2.5g', faces_of_distances), ('yunet_2023_mar', faces_of_yunet)):
            for count in (0, 1, 2, 3, 8, 40):
                with self.subTest(name, count=count):
                    _, out = run_tiny(name, plan=planted.Plan(planted.grid(count)))
                    out = out['output'] if read is faces_of_yolo else out
                    self.compare(read(out), planted.grid(count))

    def test_landmarks(self):
        x, out = run_tiny('2dfan4')
        points, maps = out['landmarks_xyscore'][0], out['heatmaps'][0]
        np.testing.assert_allclose(points[:, :2] * 4, planted.landmarks_68(), atol=1e-3)
        top = maps.reshape(68, -1).argmax(1)
        np.testing.assert_allclose(np.stack([top % 64, top // 64], 1), points[:, :2], atol=0.51)
        self.assertGreater(maps.max((1, 2)).min(), 0.9)
        _, flat = run_tiny('peppa_wutz', x)
        np.testing.assert_array_equal(flat['output'].reshape(68, 3), points)

        # fan_68_5 follows the five points wherever they go.
        five, turn = np.array(planted.five_of(planted.landmarks_68())), np.array([[0, -3], [3, 0]])
        _, out = run_tiny('fan_68_5', {'input': (five @ turn.T + 5)[None].astype(np.float32)})
        want = np.array(planted.landmarks_68()) @ turn.T + 5
        np.testing.assert_allclose(out['output'][0], want, atol=0.01)

    def test_faces(self):
        x, out = run_tiny('arcface_w600k_r50')
        mean = x['input'].reshape(3, 16, 7, 16, 7).mean((2, 4)).reshape(-1)
        np.testing.assert_allclose(out['output'][0], (mean - mean.mean())[:512], atol=1e-6)
        for number in (1, 2, 3):
            x, out = run_tiny(f'xseg_{number}')
            want = np.clip(4 * x['input'].mean(3, keepdims=True) - number / 2, 0, 1)
            np.testing.assert_allclose(out['output'], want, atol=1e-5)
        _, out = run_tiny('bisenet_resnet_34')
        want = np.kron(tiny.PARSED, np.ones((64, 64), int))
        np.testing.assert_array_equal(out['output'][0].argmax(0), want)
        for mean in ((0.9, -0.5, -0.5), (-0.5, 0.9, 0.1)):
            x = np.ones((1, 3, 224, 224), np.float32) * np.reshape(mean, (1, 3, 1, 1))
            _, out = run_tiny('fairface', {'input': x.astype(np.float32)})
            for value, rows in zip(out.values(), tiny.FAIRFACE):
                self.assertEqual(value[0], (np.array(rows) @ mean).argmax())

    def test_content(self):
        verdicts = {'nsfw_1': (640, (0, 1), lambda y: y[0, 4:].max() > 0.2),
                    'nsfw_2': (384, (0.5, 0.5), lambda y: y[0, 0] - y[0, 1] > 0.25),
                    'nsfw_3': (448, tiny.CLIP, lambda y: y[0, 2:].sum() - y[0, :2].sum() > 10.5),
                    'nsfwjs': (224, (0, 1), lambda y: y[0, 1] + y[0, 3] > 0.5)}
        for name, (size, (mean, std), bad) in verdicts.items():
            for colour, want in (((0.9, 0.5, 0.3), True), ((0.8, 0.9, 0.4), False),
                                 ((0.1, 0.1, 0.9), False)):
                x = np.ones((size, size, 3)) * colour
                x = ((x - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
                _, out = run_tiny(name, {'input': x})
                self.assertEqual(bad(out['output']), want, (name, colour))

    def test_swappers(self):
        k = np.arange(512)[:, None]
        signs = np.where(k >> np.arange(3) & 1, 1.0, -1.0)
        signed = ('ghost', 'hififace', 'hyperswap', 'uniface', 'classic')
        for name in tiny.TINY:
            n = tiny.build(name)
            if 'target' not in n.inputs or 'source' not in n.inputs or n.shape['target'][1] != 3 \
                    or name == 'edtalk_256':
                continue
            with self.subTest(name):
                x, out = run_tiny(name)
                pm = name.startswith(signed)
                target = x['target'].astype(float)
                if name == 'simswap_256':
                    mean, std = (np.reshape(v, (3, 1, 1)) for v in tiny.IMAGENET)
                    target = target * std + mean
                if x['source'].ndim == 2:
                    tag = np.clip(x['source'] @ signs, -1, 1)
                    tag = tag if pm else tag / 2 + 0.5
                else:
                    tag = x['source'].mean((2, 3))
                    tag = tag * 2 - 1 if pm else tag
                want = target / 2 + tag[:, :, None, None] / 2
                np.testing.assert_allclose(out['output'], want, atol=1e-5)
        x, out = run_tiny('crossface_ghost')
        np.testing.assert_allclose(out['output'], x['input'] * (1 + k[:, 0] / 512), rtol=1e-6)
        x, out = run_tiny('deep_swapper_320')
        want = x['in_face:0'] / 2 + [0.3, 0.2, 0.1] + 0.2 * x['morph_value:0']
        np.testing.assert_allclose(out['out_celeb_face:0'], want, atol=1e-6)

    def test_pictures(self):
        tint = np.array([0.1, 0, -0.1]).reshape(1, 3, 1, 1)
        for name in ('gfpgan_1.4', 'codeformer', 'gpen_bfr_256'):
            x, out = run_tiny(name)
            want = x['input'] * 0.8 + tint
            if name == 'codeformer':
                want += 0.2 * (x['weight'] - 0.5)
            np.testing.assert_allclose(out['output'], want, atol=1e-6)
        for name, scale in (('real_esrgan_x2', 2), ('span_kendata_x4', 4), ('tghq_face_x8', 8)):
            x, out = run_tiny(name)
            large = x['input'].repeat(scale, 2).repeat(scale, 3)
            want = large * 0.9 + np.array([0.1, 0.05, 0]).reshape(1, 3, 1, 1)
            np.testing.assert_allclose(out['output'], want, atol=1e-6)
        for name, (mean, std) in (('modnet', (0.5, 0.5)), ('u2netp', tiny.IMAGENET),
                                  ('isnet_general', (0.5, 1.0)), ('ormbg', (0.0, 1.0)),
                                  ('corridor_key_1024', tiny.IMAGENET)):
            x, out = run_tiny(name)
            mean, std = (np.reshape(v * np.ones(3), (3, 1, 1)) for v in (mean, std))
            natural = x['input'][:, :3] * std + mean
            want = natural.mean(1, keepdims=True)
            if name.startswith('corridor'):
                want = (want + x['input'][:, 3:]) / 2
                np.testing.assert_allclose(out['foreground'], natural / 2, atol=1e-6)
            np.testing.assert_allclose(next(iter(out.values())), want, atol=1e-6)
        x, out = run_tiny('styleganex_age')
        want = x['target'].repeat(4, 2).repeat(4, 3) + 0.1 * x['direction']
        np.testing.assert_allclose(out['output'], want, atol=1e-5)
        for size in (192, 512):
            x = {'input': noise((1, 3, size, size))}
            self.assertEqual(run_tiny('ddcolor', x)[1]['output'].shape, (1, 2, size, size))
            want = x['input'] * np.reshape([1.0, 0.8, 0.6], (1, 3, 1, 1))
            np.testing.assert_allclose(run_tiny('deoldify', x)[1]['output'], want, atol=1e-6)


if __name__ == '__main__':
    if ALL:
        del sys.argv[1]
    unittest.main()
