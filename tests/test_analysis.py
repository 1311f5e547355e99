#!/usr/bin/python3
"""The analysing stage against a second implementation in NumPy: networks whose outputs are known
numbers, so that everything around them can be worked out here.

    test_analysis.py PROGRAM
"""
import os
import sys
import tempfile
import unittest

import e2e
import numpy as np

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
import onnx_writer as w  # noqa: E402
from test_real_media import write_bmp  # noqa: E402

FILES = {'retinaface': 'retinaface_10g', 'scrfd': 'scrfd_2.5g', 'yolo_face': 'yoloface_8n',
         'yunet': 'yunet_2023_mar'}
MAX_FACES = 128
THRESHOLD = 0.5


# ---- networks -----------------------------------------------------------------------------------

def constant(path, size, outputs):
    """A network of one input that gives these arrays whatever it sees."""
    g = w.Graph('constant')
    g.input('input', w.FLOAT, list(size))
    for i, a in enumerate(outputs):
        a = np.ascontiguousarray(a, np.float32)
        g.initializer(f'value_{i}', w.FLOAT, a.shape, a.tobytes())
        g.node('Identity', [f'value_{i}'], [f'output_{i}'])
        g.output(f'output_{i}', w.FLOAT, a.shape)
    g.save(path)


def folder(*more):
    """A new model folder where all that comes after the detector is tiny."""
    tiny = e2e.scratch('tiny')
    if not os.path.exists(tiny):
        e2e.tool(e2e.ROOT + '/tools/twins.py', '--tiny', '--out', tiny, '2dfan4', 'fan_68_5',
                 'arcface_w600k_r50', 'fairface')
    path = tempfile.mkdtemp(dir=e2e.scratch())
    for name in ('arcface_w600k_r50', 'fairface', *more):
        os.symlink(f'{tiny}/{name}.onnx', f'{path}/{name}.onnx')
    return path


def picture(width, height, seed=1):
    rng = np.random.default_rng(seed)
    path = e2e.scratch(f'picture-{width}x{height}-{seed}.bmp')
    pixels = rng.integers(0, 256, (height, width, 3))
    write_bmp(path, pixels)
    return path, pixels


# ---- detectors: random outputs ------------------------------------------------------------------

def random_outputs(rng, name, size):
    """Some rows pass the threshold, one in each stride is the very first."""
    def scores(n):
        s = rng.uniform(0, 0.49, n)
        s[rng.choice(n, 2 + n // 200, False)] = rng.uniform(0.51, 1, 2 + n // 200)
        s[0] = rng.uniform(0.8, 1)
        return s

    if name == 'yolo_face':
        t = rng.uniform(0, size, (20, 8400))
        t[2:4] = rng.uniform(10, 80, (2, 8400))
        t[4] = scores(8400)
        return [t[None]]
    cells = [(size // s) ** 2 for s in (8, 16, 32)]
    if name == 'yunet':
        cls = [scores(n) for n in cells]
        return ([a.reshape(1, -1, 1) for a in cls] +
                [rng.uniform(0.9, 1, (1, n, 1)) for n in cells] +
                [rng.uniform(1, 3, (1, n, 4)) for n in cells] +
                [rng.uniform(-2, 2, (1, n, 10)) for n in cells])
    return ([scores(2 * n).reshape(-1, 1) for n in cells] +
            [rng.uniform(1, 12, (2 * n, 4)) for n in cells] +
            [rng.uniform(-2, 2, (2 * n, 10)) for n in cells])


def decode(name, outputs, size):
    """Boxes, points and scores of the candidates, in pixels of the input."""
    outputs = [np.asarray(o, np.float32) for o in outputs]
    if name == 'yolo_face':
        t = outputs[0][0].T
        t = t[t[:, 4] > THRESHOLD].astype(float)
        boxes = np.concatenate([t[:, :2] - t[:, 2:4] / 2, t[:, :2] + t[:, 2:4] / 2], 1)
        return boxes, t[:, 5:].reshape(-1, 5, 3)[:, :, :2], t[:, 4]
    boxes, points, scores = [], [], []
    for k, stride in enumerate((8, 16, 32)):
        n = size // stride
        y, x = np.mgrid[:n, :n] * stride
        anchors = np.stack([x, y], -1).reshape(-1, 2).astype(float)
        if name == 'yunet':
            score = (outputs[k] * outputs[3 + k]).reshape(-1)
            b, p = outputs[6 + k][0].astype(float), outputs[9 + k][0]
            centre, half = b[:, :2] * stride + anchors, np.exp(b[:, 2:]) * stride / 2
            box = np.concatenate([centre - half, centre + half], 1)
        else:
            anchors = anchors.repeat(2, 0)
            score = outputs[k].reshape(-1)
            b, p = outputs[3 + k].astype(float) * stride, outputs[6 + k]
            box = np.concatenate([anchors - b[:, :2], anchors + b[:, 2:]], 1)
        keep = score >= THRESHOLD
        boxes.append(box[keep])
        points.append((p.reshape(-1, 5, 2).astype(float) * stride + anchors[:, None])[keep])
        scores.append(score[keep])
    return np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)


def overlap(a, b):
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = size.prod() if (size > 0).all() else 0
    return both / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both)


def suppress(boxes, scores, limit):
    """Indices of those that stay, best first."""
    kept = []
    for i in np.argsort(-scores, kind='stable'):
        if scores[i] > THRESHOLD and all(overlap(boxes[i], boxes[k]) <= limit for k in kept):
            kept.append(i)
    return kept[:MAX_FACES]


def see(width, height, size, angle, margin):
    """How the frame is seen at an angle: the way back for points of the input."""
    vw, vh = (height, width) if angle % 180 else (width, height)
    top, right, bottom, left = (int(n * 0.5 * m / 100) for n, m in zip((vh, vw, vh, vw), margin))
    pw, ph = vw + left + right, vh + top + bottom
    scale = min(1, size / ph, size / pw)
    ratio = np.array([pw / int(pw * scale), ph / int(ph * scale)])

    def back(points):
        x, y = np.moveaxis(points * ratio - [left, top], -1, 0)
        for quarter in range(angle // 90, 0, -1):  # undo one quarter after the other
            x, y = (width if quarter % 2 else height) - 1 - y, x
        return np.stack([x, y], -1)

    return back


class Detectors(unittest.TestCase):
    """Random numbers in, the faces that NumPy makes of them out."""

    def check(self, names, size=640, frame=(800, 600), margin=(0, 0, 0, 0), angles=(0,),
              limit=0.4, seed=1):
        rng = np.random.default_rng(seed)
        where = folder('fan_68_5')
        given = {n: random_outputs(rng, n, size) for n in names}
        for name, outputs in given.items():
            constant(f'{where}/{FILES[name]}.onnx', (1, 3, size, size), outputs)
        boxes, points, scores = [], [], []
        for angle in angles:
            back = see(*frame, size, angle, margin)
            for name, outputs in given.items():
                b, p, s = decode(name, outputs, size)
                corners = back(b.reshape(-1, 2, 2))
                boxes += [np.concatenate([corners.min(1), corners.max(1)], 1)]
                points += [back(p)]
                scores += [s]
        boxes, points, scores = (np.concatenate(a) for a in (boxes, points, scores))
        kept = suppress(boxes, scores, limit)
        self.assertGreater(len(kept), 5)
        self.assertLess(len(kept), len(scores))

        model = names[0] if len(names) == 1 else 'many'
        options = ['--models-path', where, '--face-detector-model', model, '--face-landmarker-score',
                   '0', '--face-detector-size', f'{size}x{size}', '--face-detector-angles',
                   *map(str, angles)]
        if any(margin):
            options += ['--face-detector-margin', *map(str, margin)]
        faces = e2e.analyse(picture(*frame)[0], '--face-selector-order', 'best-worst',
                            *options)[0]['faces']
        self.assertEqual(len(faces), len(kept))
        for face, i in zip(faces, kept):  # floats at some hundreds of pixels
            np.testing.assert_allclose(face['score'], scores[i], atol=1e-6)
            np.testing.assert_allclose(face['box'], boxes[i], atol=2e-3)
            np.testing.assert_allclose(face['landmark_5'], points[i], atol=2e-3)

    def test_each(self):
        for name in FILES:
            self.check([name])

    def test_sizes(self):
        for size in (160, 320, 480, 512):
            self.check(['scrfd' if size % 320 else 'retinaface'], size)

    def test_margin(self):
        self.check(['retinaface'], margin=(10, 20, 30, 45))
        self.check(['yunet'], frame=(300, 200), margin=(100, 0, 7, 100))

    def test_angles(self):
        self.check(['scrfd'], angles=(90,))
        self.check(['yolo_face'], angles=(0, 180), limit=0.3)
        self.check(['yunet'], angles=(270, 90, 0), limit=0.2)
        self.check(['retinaface'], 320, angles=(0, 90, 180, 270), limit=0.1,
                   margin=(5, 10, 15, 20))

    def test_many(self):
        self.check(['retinaface', 'scrfd', 'yolo_face'], limit=0.1)
        self.check(['retinaface', 'scrfd', 'yolo_face'], limit=0.1, angles=(0, 270))

    def test_refused(self):
        where = folder('fan_68_5')
        constant(where + '/yoloface_8n.onnx', (1, 3, 640, 640), [np.zeros((1, 20, 8400))])
        for options, words in (
                (('--face-detector-size', '320x320'), 'not a size of yolo_face'),
                (('--face-detector-model', 'many'), 'retinaface is not installed'),
                (('--face-detector-model', 'many', '--face-detector-size', '512x512'),
                 'not a size of many'),
                (('--face-detector-angles', '45'), 'not one of 0, 90, 180, 270'),
                (('--face-detector-margin', '101'), 'outside 0 to 100')):
            result = e2e.run('analyse', '--models-path', where, picture(64, 64)[0], *options)
            self.assertEqual(result.returncode, 2, options)
            self.assertIn(words, result.stderr)


class WrongOutputs(unittest.TestCase):
    """Networks of the right input whose outputs are not what decoders read."""

    def refused(self, where, words, *options):
        result = e2e.run('analyse', '--models-path', where, picture(64, 64)[0], *options)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(words, result.stderr)

    def test_detectors(self):
        for name, shape, count in (('retinaface', (12800, 1), 9), ('yunet', (1, 6400, 1), 12),
                                   ('yolo_face', (1, 8400, 20), 1), ('yolo_face', (20, 8400), 1)):
            where = folder('fan_68_5')
            constant(f'{where}/{FILES[name]}.onnx', (1, 3, 640, 640), [np.zeros(shape)] * count)
            self.refused(where, 'as output', '--face-detector-model', name,
                         '--face-landmarker-score', '0')

    def test_classifier(self):
        where = folder('fan_68_5')
        constant(where + '/yoloface_8n.onnx', (1, 3, 640, 640), [np.zeros((1, 20, 8400))])
        os.remove(where + '/fairface.onnx')
        constant(where + '/fairface.onnx', (1, 3, 224, 224), [np.zeros(1)] * 3)
        self.refused(where, 'not of the type', '--face-landmarker-score', '0')


class AnySize(unittest.TestCase):
    """InsightFace's files take any size, but state the rows that 640x640 has."""

    def write(self, path, stated):
        """Scores, boxes and points are blue, green and red means of the cells."""
        rng = np.random.default_rng(3)
        g = w.Graph('any size')
        g.input('input', w.FLOAT, [1, 3, 'h', 'w'])

        def put(a, kind=w.FLOAT):
            a = np.ascontiguousarray(a, np.float32 if kind == w.FLOAT else np.int64)
            name = f'value_{len(g.initializers)}'
            return g.initializer(name, kind, a.shape, a.tobytes())

        outputs = []
        for channel, (each, low) in enumerate(((1, 0.5), (4, 2), (10, 0))):
            for stride in (8, 16, 32):
                mean = g.node('AveragePool', ['input'], kernel_shape=[stride] * 2,
                              strides=[stride] * 2)
                weights = np.zeros((2 * each, 3, 1, 1))
                weights[:, channel, 0, 0] = rng.uniform(0.4, 1, 2 * each) / (1 + (each == 1))
                x = g.node('Conv', [mean, put(weights), put(np.full(2 * each, low))])
                x = g.node('Transpose', [x], perm=[0, 2, 3, 1])
                name = f'output_{len(outputs)}'
                g.node('Reshape', [x, put([-1, each], w.INT64)], [name])
                rows = 2 * (640 // stride) ** 2
                outputs.append((name, [rows if stated else f'rows_{stride}', each]))
        for name, shape in outputs:
            g.output(name, w.FLOAT, shape)
        g.save(path)

    def test_stated_sizes(self):
        found = {}
        for stated in (False, True):
            where = folder('fan_68_5')
            self.write(where + '/retinaface_10g.onnx', stated)
            for size in (160, 320, 640):
                found[stated, size] = e2e.analyse(
                    picture(300, 200)[0], '--models-path', where, '--face-detector-model',
                    'retinaface', '--face-detector-size', f'{size}x{size}',
                    '--face-landmarker-score', '0', '--face-detector-score', '0.5')
        for size in (160, 320, 640):
            self.assertGreater(len(found[True, size][0]['faces']), 2)
            self.assertEqual(found[True, size], found[False, size])
        self.assertNotEqual(found[True, 160], found[True, 320])


class Views(unittest.TestCase):
    """What the detector gets to see: a network whose scores are the mean blue of 32x32 blocks of its
    input, and whose boxes are those blocks."""

    @classmethod
    def setUpClass(cls):
        cls.folder = folder('fan_68_5')
        row, column = np.mgrid[:20, :20] * 32.0
        fixed = np.zeros((20, 8400))
        fixed[0, :400], fixed[1, :400] = column.ravel() + 15.5, row.ravel() + 15.5
        fixed[2:4, :400] = 31
        for k, (x, y) in enumerate(((3, 5), (20, 4), (11, 12), (6, 25), (19, 28))):
            fixed[5 + 3 * k, :400], fixed[6 + 3 * k, :400] = column.ravel() + x, row.ravel() + y
        cls.fixed = fixed
        g = w.Graph('blocks')
        g.input('input', w.FLOAT, [1, 3, 640, 640])

        def put(name, a, kind=w.FLOAT):
            a = np.ascontiguousarray(a, np.float32 if kind == w.FLOAT else np.int64)
            return g.initializer(name, kind, a.shape, a.tobytes())

        mean = g.node('AveragePool', ['input'], kernel_shape=[32, 32], strides=[32, 32])
        blue = g.node('Slice', [mean, put('zero', [0], w.INT64), put('one', [1], w.INT64),
                                put('axis', [1], w.INT64)])
        blue = g.node('Reshape', [blue, put('shape', [1, 1, 400], w.INT64)])
        scores = g.node('Concat', [blue, put('rest', np.zeros((1, 1, 8000)))], axis=2)
        g.node('Concat', [put('boxes', fixed[None, :4]), scores, put('points', fixed[None, 5:])],
               ['output'], axis=1)
        g.output('output', w.FLOAT, [1, 20, 8400])
        g.save(cls.folder + '/yoloface_8n.onnx')

    def check(self, angle, margin):
        width, height = 448, 320
        path, pixels = picture(width, height, 7)
        rng = np.random.default_rng(8)
        blocks = rng.choice([0, 255], (height // 32, width // 32), p=[0.5, 0.5])
        pixels[:, :, 0] = blocks.repeat(32, 0).repeat(32, 1)
        write_bmp(path, pixels)
        view = np.rot90(pixels[:, :, 0], angle // 90)
        h, ww = view.shape
        top, right, bottom, left = (int(n * 0.5 * m / 100)
                                    for n, m in zip((h, ww, h, ww), margin))
        placed = np.zeros((640, 640))
        placed[top:top + h, left:left + ww] = view
        scores = placed.reshape(20, 32, 20, 32).mean((1, 3)).ravel() / 255
        order = [i for i in np.argsort(-scores, kind='stable') if scores[i] > THRESHOLD]
        self.assertGreater(len(order), 8)

        where = np.stack(np.mgrid[:640, :640][::-1], -1) * np.nan  # pixel of the frame for each
        index = np.stack(np.mgrid[:height, :width][::-1], -1)      # pixel of the input
        where[top:top + h, left:left + ww] = np.rot90(index, angle // 90)
        faces = e2e.analyse(path, '--models-path', self.folder, '--face-landmarker-score', '0',
                            '--face-detector-angles', str(angle), '--face-detector-margin',
                            *map(str, margin))[0]['faces']
        self.assertEqual(len(faces), len(order))
        found = {}
        for face in faces:
            found[tuple(np.round(face['landmark_5'], 2).ravel())] = face
        for i in order:
            x, y = self.fixed[5::3, i].astype(int), self.fixed[6::3, i].astype(int)
            points = where[y, x]
            if np.isnan(points).any():  # a point in the margin has no pixel
                continue
            face = found[tuple(np.round(points, 2).ravel())]
            np.testing.assert_allclose(face['score'], scores[i], atol=1e-5)
            box = self.fixed[:4, i]
            corners = [where[int(box[1] + sy * 15.5), int(box[0] + sx * 15.5)]
                       for sx, sy in ((-1, -1), (1, 1))]
            if not np.isnan(corners).any():
                np.testing.assert_allclose(face['box'], [*np.min(corners, 0), *np.max(corners, 0)],
                                           atol=1e-3)

    def test_turns(self):
        for angle in (0, 90, 180, 270):
            self.check(angle, (0, 0, 0, 0))

    def test_margins(self):
        for angle in (0, 90, 180, 270):
            self.check(angle, (10, 20, 0, 15))


# ---- landmarkers --------------------------------------------------------------------------------

TEMPLATE = np.array([[0.37691676, 0.46864664], [0.62285697, 0.46912813], [0.50123859, 0.61331904],
                     [0.39308822, 0.72541100], [0.61150205, 0.72490465]])  # ffhq_512
BOX = np.array([120.0, 90.0, 300.0, 350.0])


def turned_face(angle):
    """A box about BOX's centre and five points in it, turned clockwise."""
    centre = (BOX[:2] + BOX[2:]) / 2
    turn = {0: np.eye(2), 90: np.array([[0, -1], [1, 0]]), 180: -np.eye(2),
            270: np.array([[0, 1], [-1, 0]])}[angle]
    five = (TEMPLATE - 0.5) * 200 @ turn.T + centre
    corners = (np.stack([BOX[:2], BOX[2:]]) - centre) @ turn.T + centre
    return np.concatenate([corners.min(0), corners.max(0)]), five


def to_crop(box, angle):
    """3x3 matrix from the frame to the landmarker's crop: OpenCV's rotation after the fit."""
    s = 195 / max(1, *(box[2:] - box[:2]))
    fit = np.array([[s, 0, (256 - (box[0] + box[2]) * s) / 2],
                    [0, s, (256 - (box[1] + box[3]) * s) / 2], [0, 0, 1]])
    c, n = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, n, (1 - c) * 128 - n * 128], [-n, c, n * 128 + (1 - c) * 128], [0, 0, 1]])
    return turn @ fit


class Landmarkers(unittest.TestCase):
    """Random points and made-up scores."""

    @classmethod
    def setUpClass(cls):
        cls.folder = folder()
        cls.picture = picture(420, 440)[0]
        rng = np.random.default_rng(3)
        cls.fan, cls.peppa = rng.uniform(4, 60, (2, 68, 2))

    def plant(self, angle=0, fan=0.8, peppa=0.8):
        """One face; the landmarkers' means are as given, spread over the points."""
        rng = np.random.default_rng(4)
        box, five = turned_face(angle)
        yolo = np.zeros((1, 20, 8400))
        yolo[0, :4, 0] = *(box[:2] + box[2:]) / 2, *(box[2:] - box[:2])
        yolo[0, 4, 0] = 0.9
        yolo[0, 5::3, 0], yolo[0, 6::3, 0] = five.T
        spread = rng.uniform(-0.1, 0.1, 68)
        spread -= spread.mean()
        maps = rng.uniform(-0.6, -0.3, (68, 64 * 64))
        maps[np.arange(68), rng.integers(0, 4096, 68)] = fan + spread
        third = np.full((68, 1), 0.123)
        constant(f'{self.folder}/yoloface_8n.onnx', (1, 3, 640, 640), [yolo])
        constant(f'{self.folder}/2dfan4.onnx', (1, 3, 256, 256),
                [np.concatenate([self.fan, third], 1)[None], maps.reshape(1, 68, 64, 64)])
        constant(f'{self.folder}/peppa_wutz.onnx', (1, 3, 256, 256),
                [np.concatenate([self.peppa, (peppa + spread)[:, None]], 1).reshape(1, 204)])
        return box

    def face(self, *options):
        face, = e2e.analyse('--models-path', self.folder, *options, self.picture)[0]['faces']
        return face

    def expected(self, points, box, angle):
        inverse = np.linalg.inv(to_crop(box, angle))
        return np.c_[points * 4, np.ones(68)] @ inverse[:2].T

    def test_points(self):
        """Points and scores of both, whichever way the head is turned."""
        for angle in (0, 90, 180, 270):
            box = self.plant(angle, 0.45, 0.6)
            for model, points, score in (('2dfan4', self.fan, 0.45 / 0.9),
                                         ('peppa_wutz', self.peppa, 0.6 / 0.95)):
                face = self.face('--face-landmarker-model', model)
                self.assertEqual(face['angle'], angle)
                np.testing.assert_allclose(face['landmark_68'], self.expected(points, box, angle),
                                           atol=1e-3)
                self.assertAlmostEqual(face['landmark_score'], score, 5)

    def edges_as_score(self):
        """A peppa_wutz whose score is a sum of the means of its input's four edges."""
        g = w.Graph('edges')
        g.input('input', w.FLOAT, [1, 3, 256, 256])

        def put(name, a, kind=w.INT64):
            a = np.ascontiguousarray(a, np.float32 if kind == w.FLOAT else np.int64)
            return g.initializer(name, kind, a.shape, a.tobytes())

        means = []
        for i, (at, axis) in enumerate(((0, 2), (255, 2), (0, 3), (255, 3))):
            edge = g.node('Slice', ['input', put(f'from{i}', [at]), put(f'to{i}', [at + 1]),
                                    put(f'axis{i}', [axis])])
            means.append(g.node('ReduceMean', [edge], keepdims=0))
            means[-1] = g.node('Reshape', [means[-1], put(f'shape{i}', [1])])
        four = g.node('Concat', means, axis=0)
        score = g.node('ReduceSum', [g.node('Mul', [four, put('weights', self.edges, w.FLOAT)])],
                       keepdims=0)
        third = g.node('Expand', [score, put('column', [68, 1])])
        g.node('Reshape', [g.node('Concat', [put('points', self.peppa, w.FLOAT), third], axis=1),
                           put('flat', [1, 204])], ['output'])
        g.output('output', w.FLOAT, [1, 204])
        g.save(self.folder + '/peppa_wutz.onnx')

    def test_turned_crop(self):
        """It is cut out upright and then turned about (128, 128), which leaves an edge black."""
        self.edges = np.array([0.1, 0.2, 0.15, 0.4]) * 0.95  # top, bottom, left, right
        path = e2e.scratch('white.bmp')
        write_bmp(path, np.full((440, 420, 3), 255))
        for angle in (0, 90, 180, 270):
            self.plant(angle)
            self.edges_as_score()
            crop = np.ones((256, 256))
            if angle in (90, 180):
                crop[0] = 0
            if angle in (180, 270):
                crop[:, 0] = 0
            want = [crop[0].mean(), crop[255].mean(), crop[:, 0].mean(), crop[:, 255].mean()]
            face, = e2e.analyse('--models-path', self.folder, '--face-landmarker-model',
                                'peppa_wutz', path)[0]['faces']
            self.assertEqual(face['angle'], angle)
            self.assertAlmostEqual(face['landmark_score'], np.dot(want, self.edges) / 0.95, 5)

    def test_scores(self):
        """Below 0 is 0, above the top is 1."""
        for raw, want in ((1.2, 1), (-0.05, 0), (0.09, 0.1)):
            self.plant(0, raw, raw)
            self.assertAlmostEqual(self.face()['landmark_score'], want, 5)
        for raw, want in ((1.2, 1), (-0.05, 0), (0.095, 0.1)):
            self.plant(0, raw, raw)
            face = self.face('--face-landmarker-model', 'peppa_wutz')
            self.assertAlmostEqual(face['landmark_score'], want, 5)

    def test_many(self):
        """2dfan4 wins unless peppa_wutz is better by 0.2."""
        for fan, peppa in ((0.8, 0.8), (0.8, 0.99), (0.5, 0.69), (0.5, 0.71), (0.1, 0.9),
                           (0.0, 0.19), (0.0, 0.21), (1.0, 0.0)):
            box = self.plant(0, 0.9 * fan, 0.95 * peppa)
            face = self.face('--face-landmarker-model', 'many')
            first = fan > peppa - 0.2
            np.testing.assert_allclose(face['landmark_68'],
                                       self.expected(self.fan if first else self.peppa, box, 0),
                                       atol=1e-3, err_msg=f'{fan} {peppa}')
            self.assertAlmostEqual(face['landmark_score'], fan if first else peppa, 5)

    def test_fall_back(self):
        """Crops follow the landmarker only above the limit: the embedding tells."""
        self.plant(0, 0.9 * 0.55, 0.95 * 0.55)
        by_detector = np.array(self.face('--face-landmarker-score', '0')['embedding'])
        for model in ('2dfan4', 'peppa_wutz', 'many'):
            for limit, better in ((0.05, True), (0.5, True), (0.6, False), (1, False)):
                e = self.face('--face-landmarker-model', model, '--face-landmarker-score',
                              str(limit))['embedding']
                self.assertEqual(np.abs(e - by_detector).max() > 1e-4, better, (model, limit))

    def test_both_or_none(self):
        """`many` wants both files."""
        self.plant()
        os.rename(self.folder + '/peppa_wutz.onnx', self.folder + '/away')
        try:
            result = e2e.run('analyse', '--models-path', self.folder, '--face-landmarker-model',
                             'many', self.picture)
        finally:
            os.rename(self.folder + '/away', self.folder + '/peppa_wutz.onnx')
        self.assertEqual(result.returncode, 2)
        self.assertIn('peppa_wutz is not installed', result.stderr)


# ---- only what is used --------------------------------------------------------------------------

LANDMARKERS, RECOGNISER, CLASSIFIERS = ['fr_landmark'], ['fr_feature'], ['fr_age', 'fr_gender']
FACES = ['fr_detect', *LANDMARKERS, *RECOGNISER, *CLASSIFIERS]


class Turn(unittest.TestCase):
    """The edge of a drawn box that is up: fan_68_5 knows better than the five points."""

    def test_box(self):
        where = e2e.model_folder('turn')
        yolo = np.zeros((1, 20, 8400))
        yolo[0, :5, 0] = 100, 100, 80, 80, 0.9
        yolo[0, 5::3, 0], yolo[0, 6::3, 0] = (TEMPLATE * 80 + 60).T
        constant(where + '/yoloface_8n.onnx', (1, 3, 640, 640), [yolo])
        path, out = e2e.scratch('black.bmp'), e2e.scratch('turn.bmp')
        write_bmp(path, np.zeros((200, 200, 3)))
        for angle, (x, y) in {0: (100, 60), 90: (140, 100), 180: (100, 140),
                              270: (60, 100)}.items():
            points = np.zeros((1, 68, 2))  # the jaw's ends
            points[0, 16] = [np.cos(np.radians(angle)), np.sin(np.radians(angle))]
            constant(where + '/fan_68_5.onnx', (1, 5, 2), [points])
            for more in ((), ('--face-landmarker-score', '0')):
                e2e.must('headless-run', '--models-path', where, '-t', path, '-o', out,
                         '--processors', 'face_debugger', '--face-debugger-items', 'bounding-box',
                         '--face-selector-mode', 'many', *more)
                self.assertEqual(e2e.pixels(out)[0, y, x].tolist(), [100, 100, 255], (angle, more))


class Needs(unittest.TestCase):
    """Files that a job does not need are rubbish: a job that opened one would fail."""

    def status(self, broken, *options):
        where = tempfile.mkdtemp(dir=e2e.scratch())
        for name in e2e.LITE:
            if name in broken:
                with open(f'{where}/{name}.onnx', 'wb') as file:
                    file.write(b'rubbish' * 9)
            else:
                os.symlink(f'{e2e.MODELS}/{name}.onnx', f'{where}/{name}.onnx')
        return e2e.run('headless-run', '--models-path', where, '-t', e2e.PICTURE, '-o',
                       e2e.scratch('needs.png'), *options).returncode

    def check(self, unused, used, *options):
        self.assertEqual(self.status(unused, *options), 0, options)
        for name in used:
            self.assertEqual(self.status([*unused, name], *options), 1, (name, options))

    def debug(self, items, *options):
        return ('--processors', 'face_debugger', '--face-debugger-items', *items, *options)

    def test_box(self):
        self.check(LANDMARKERS + RECOGNISER + CLASSIFIERS, ['fr_detect'],
                   *self.debug(['bounding-box'], '--face-selector-mode', 'many'))

    def test_points(self):
        self.check(RECOGNISER + CLASSIFIERS, LANDMARKERS,
                   *self.debug(['face-landmark-5/68'], '--face-selector-mode', 'many'))
        self.check(RECOGNISER + CLASSIFIERS, LANDMARKERS,
                   *self.debug(['face-landmark-68'], '--face-selector-mode', 'one'))

    def test_reference(self):
        self.check(CLASSIFIERS, LANDMARKERS + RECOGNISER, *self.debug(['bounding-box']))

    def test_classes(self):
        """The lite classifiers look at the box: no points."""
        self.check(LANDMARKERS + RECOGNISER, CLASSIFIERS,
                   *self.debug(['bounding-box'], '--face-selector-mode', 'many',
                               '--face-selector-gender', 'male'))

    def test_no_faces(self):
        """A processor of whole frames: not even a detector."""
        where = e2e.model_folder('whole', **{name: None for name in FACES})
        e2e.tool(e2e.ROOT + '/tools/twins.py', '--tiny', '--out', where, 'modnet')
        e2e.must('headless-run', '--models-path', where, '-t', e2e.PICTURE, '-o',
                 e2e.scratch('whole.png'), '--processors', 'background_remover',
                 '--background-remover-model', 'modnet')

    def test_swap(self):
        swap = ('--processors', 'face_swapper', '-s', e2e.PICTURE, '--face-selector-mode', 'many')
        self.check(CLASSIFIERS, LANDMARKERS + RECOGNISER, *swap)
        # one that is given a picture of the source
        self.check(CLASSIFIERS + RECOGNISER, LANDMARKERS, *swap, '--face-swapper-model',
                   'classic_256')

    def test_source(self):
        """A source that nothing looks at is not analysed; one that tells which faces are meant is."""
        box = self.debug(['bounding-box'], '--face-selector-mode', 'many', '-s', e2e.PICTURE)
        self.check(LANDMARKERS + RECOGNISER + CLASSIFIERS, ['fr_detect'], *box)
        self.check(LANDMARKERS + RECOGNISER, CLASSIFIERS, *box, '--face-selector-gender', 'auto')


if __name__ == '__main__':
    e2e.main()
