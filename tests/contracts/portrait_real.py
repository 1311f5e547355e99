"""LivePortrait with real data: FaceFusion's recordings of its own networks, and the published weights of
four of the six (MIT) with stand-ins for the other two. Both lie beside the checkout; without them these
tests are skipped."""
import gzip
import json
import os
import unittest

import e2e
import numpy as np
import ort
from contracts import common, expression_restorer, face_editor, portrait
from twins import planted
from twins.net import PLANT, Net

KINDS, CONTRACTS = [], []
RECORDED = 'fixtures/processors3/expression_restorer/'
REAL = ['live_portrait_feature_extractor', 'live_portrait_stitcher', *portrait.RETARGETERS]


def recorded(name):
    path = e2e.shared(name)
    if path.endswith('.json'):
        with open(path, encoding='ascii') as file:
            return np.array(json.load(file))
    with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
        return np.load(file)


def recorded_motion():
    """What the motion extractor said of FaceFusion's example picture."""
    angles = recorded(RECORDED + 'temp_motion_scalars.json')
    out = {name: angles[i:i + 1] for i, name in enumerate(('pitch', 'yaw', 'roll'))}
    for name, file in (('scale', 'scale'), ('translation', 'translation'),
                       ('expression', 'expression'), ('motion_points', 'motion_points')):
        out[name] = recorded(f'{RECORDED}temp_{file}.npy').astype(np.float64)
    return {name: out[name].reshape(-1, 3) if out[name].size == 63 else out[name].reshape(-1)
            for name in portrait.tiny.MOTION}


def motion_extractor(path, said, right=None):
    """Says this of any picture; with `right`, the picture it should see, a wrong scale of others."""
    n = Net('stand-in', 1)
    x = n.input('input', [1, 3, 256, 256])
    trace = n.mul(n.reshape(n.reduce('ReduceMean', x, [1, 2, 3]), [1, 1]), PLANT)
    for name, values in said.items():
        y = n.add(n.const(values.reshape(-1).tolist(), [1, values.size]), trace)
        if name == 'scale' and right is not None:
            off = n.op('Abs', n.op('Sub', x, n.const(right.reshape(-1).tolist(), [1, 3, 256, 256])))
            off = n.reshape(n.reduce('ReduceMean', off, [1, 2, 3]), [1, 1])
            y = n.add(y, n.mul(off, 1.0))
        n.output(n.reshape(y, [1, 21, 3]) if values.size == 63 else y, name)
    n.g.save(path)


class Folder:
    """Models of a scene, of which some are others."""

    def __init__(self, name, scene, **others):
        self.path = e2e.scratch(name)
        os.makedirs(self.path)
        made = scene.models(portrait.ALL)
        for file in os.listdir(made):
            if file.rsplit('.', 1)[0] not in others:
                os.symlink(f'{made}/{file}', f'{self.path}/{file}')
        for file, make in others.items():
            if callable(make):
                make(f'{self.path}/{file}.onnx')
            else:
                os.symlink(make, f'{self.path}/{file}.onnx')


def run(folder, scene, landmarker, *words):
    output = e2e.scratch('portrait-real.png')
    points = [] if landmarker else ['--face-landmarker-score', '0']
    e2e.must('headless-run', '--models-path', folder.path, '--face-selector-mode', 'many', *points,
             '-t', scene.picture(), '-o', output, *words, *common.MORE)
    return common.read_frames(output)[0]


# ---- FaceFusion's recordings --------------------------------------------------------------------

class Example(common.Scene):
    """FaceFusion's example picture with the face that it found there."""

    def __init__(self):
        self.five = recorded('fixtures/face_swapper/inswapper_128/target_landmark_5_of_68.npy')
        five = self.five.reshape(5, 2).astype(np.float64) * 640 / 1024
        low, high = five.min(0) - 60, five.max(0) + 60
        super().__init__('example', 1024, 1024, [planted.face([*low, *high], five.tolist())])

    def picture(self):
        path = e2e.scratch('example.png')
        if not os.path.exists(path):
            common.write_png(path, recorded('fixtures/vision/image/source_pixels.npy.gz'))
        return path


class Recorded(unittest.TestCase):
    """The whole processor, with networks that answer what FaceFusion's answered."""

    def test_restorer(self):
        scene, said = Example(), recorded_motion()
        now = portrait.points(said)
        wanted = portrait.points(said, portrait.limited(said['expression']))
        raw = recorded(RECORDED + 'apply_restore_raw_output.npy.gz')

        def generator(path):
            """The recorded picture, if the points are right."""
            n = Net('stand-in', 1)
            x = n.input('feature_volume', [1, 32, 16, 64, 64])
            y = n.mul(n.reshape(n.reduce('ReduceMean', x, [1, 2, 3, 4]), [1, 1, 1, 1]), PLANT)
            for name, right in (('source', wanted), ('target', now)):
                off = n.op('Sub', n.input(name, [1, 21, 3]),
                           n.const(right.reshape(-1).tolist(), [1, 21, 3]))
                off = n.reduce('ReduceMean', n.op('Abs', off), [1, 2])
                y = n.add(y, n.reshape(off, [1, 1, 1, 1]))
            n.output(n.add(n.const(raw.reshape(-1).tolist(), [1, 3, 512, 512]), y), 'output')
            n.g.save(path)

        def motion(path):
            motion_extractor(path, said, recorded(RECORDED + 'prepared_temp_input.npy.gz'))

        folder = Folder('recorded', scene, live_portrait_motion_extractor=motion,
                        live_portrait_generator=generator)
        got = run(folder, scene, False, '--processors', 'expression_restorer')
        frame = common.read_frames(scene.picture())[0]
        matrix = common.similarity(scene.five.reshape(5, 2), 'arcface_128', portrait.SIZE)
        want = common.paste(frame, recorded(RECORDED + 'normalized_crop_frame.npy.gz'),
                            recorded(RECORDED + 'box_mask.npy.gz'), matrix)
        self.assertGreater(np.abs(want.astype(int) - frame).max(), 32)
        # The last bits of points and picture are a thousandth of a level, so a few values are truncated
        # the other way; between such two a sample may be rounded to 2 instead of 0.
        off = np.abs(got.astype(int) - want)
        self.assertLessEqual(off.max(), 2)
        self.assertLess((off > 0).mean(), 0.002)


# ---- real weights -------------------------------------------------------------------------------

GAIN = 2.0  # an open mouth moves a point by a fifth
MIXED = np.array([[((7 * o + 5 * c) % 11 - 5) / 512 for o in range(512)] for c in range(3)])


def generator(path):
    """Shows the features, mixed into three, and the points in 8x8 cells."""
    n = Net('stand-in', 1)
    x = n.reshape(n.input('feature_volume', [1, 32, 16, 64, 64]), [1, 512, 64, 64])
    x = n.resize(n.fixed_conv(x, n.const(MIXED.reshape(-1).tolist(), [3, 512, 1, 1])), 8)
    a, b = (n.flatten(n.input(name, [1, 21, 3])) for name in ('source', 'target'))
    cells = []
    for y in (n.mul(n.op('Sub', a, b), GAIN), n.mul(a, 0.2), n.mul(b, 0.2)):
        y = n.reshape(n.concat([y, n.slice(y, 1, 0, 1)]), [1, 1, 8, 8])
        cells.append(n.resize(y, 64))
    n.output(n.add(n.add(x, 0.5), n.concat(cells)), 'output')
    n.g.save(path)


def generated(features, source, target):
    x = np.einsum('co,oyx->yxc', MIXED, features.reshape(512, 64, 64).astype(np.float64))
    out = 0.5 + x.repeat(8, 0).repeat(8, 1)
    for c, values in enumerate((GAIN * (source - target), 0.2 * source, 0.2 * target)):
        values = values.reshape(63)
        out[..., c] += np.append(values, values[0]).reshape(8, 8).repeat(64, 0).repeat(64, 1)
    return (np.clip(out, 0, 1).astype(np.float32) * np.float32(255)).astype(np.uint8)[..., ::-1]


def exchanged(path):
    """The stitcher with the names of its inputs exchanged. This one keeps LivePortrait's: "source" is
    the face as it is, and the result is near "target". FaceFusion gives its file the points as they
    should be as "source", and takes the result for those."""
    out = e2e.scratch('stitcher.onnx')
    with open(path, 'rb') as file:
        data = file.read()
    data = data.replace(b'source', b'*names').replace(b'target', b'source')
    with open(out, 'wb') as file:
        file.write(data.replace(b'*names', b'target'))
    return out


class Real(unittest.TestCase):
    """Published weights of feature extractor, retargeters and stitcher. The motion extractor says what
    the official one said of an example, so the points are those of a face."""

    SCENE = common.Scene('real', 220, 242, [common.turned([50, 50, 170, 190], 20, 0.9)])
    known, done = {}, {}

    @classmethod
    def setUpClass(cls):
        cls.files = {name: e2e.shared(f'models/{name}.onnx') for name in REAL}
        cls.files['live_portrait_stitcher'] = exchanged(cls.files['live_portrait_stitcher'])
        cls.said = recorded_motion()
        cls.folder = Folder(
            'real', cls.SCENE, live_portrait_generator=generator,
            live_portrait_motion_extractor=lambda path: motion_extractor(path, cls.said),
            **cls.files)

    def net(self, name, **inputs):
        inputs = {key: np.asarray(v, np.float32)[None] for key, v in inputs.items()}
        return ort.run(self.files[f'live_portrait_{name}'], inputs)['output'][0]

    def retargeted(self, name, now, ratios, wish):
        return self.net(f'{name}_retargeter', input=[*now.reshape(63), *ratios, wish]).reshape(21, 3)

    def wanted(self, landmarks, sliders):
        """The points that the generator is given."""
        lm = np.array(landmarks, np.float64)
        eyes, lips = (sliders.get(name, 0) for name in ('eye-open-ratio', 'lip-open-ratio'))
        now = portrait.points(self.said)
        expression = portrait.limited(face_editor.edited(self.said['expression'], sliders))
        angles = [self.said[name][0] for name in ('pitch', 'yaw', 'roll')]
        out = portrait.points(self.said, expression,
                              portrait.rotation(*face_editor.turned(angles, sliders)))
        if eyes:
            ratios = [face_editor.ratio(lm, *p) for p in ((37, 40, 39, 36), (43, 46, 45, 42))]
            out = out + abs(eyes) * self.retargeted('eye', now, ratios, 0.6 * (eyes > 0))
        if lips:
            ratios = [face_editor.ratio(lm, 62, 66, 54, 48)]
            out = out + abs(lips) * self.retargeted('lip', now, ratios, float(lips > 0))
        return self.net('stitcher', source=out, target=now)

    def faces(self):
        return self.SCENE.faces(self.SCENE.picture(), [*common.MORE])[0]

    def frame(self):
        return self.SCENE.frames(self.SCENE.picture())[0]

    def features(self, picture):
        """Computed once for each picture."""
        key = picture.tobytes()
        if key not in self.known:
            self.known[key] = self.net('feature_extractor', input=picture.transpose(2, 0, 1))
        return self.known[key]

    def edit(self, sliders):
        """The picture, and the points of the first face."""
        frame, shown, now = self.frame(), [], portrait.points(self.said)
        for face in self.faces():
            crop, matrix = portrait.cut_scaled(frame, common.five(face, True), 'ffhq_512', 1.5)
            shown.append(self.wanted(face['landmark_68'], sliders))
            new = generated(self.features(portrait.seen(crop)), shown[-1], now)
            frame = common.paste(frame, new, common.box_mask(portrait.SIZE), matrix)
        return frame, shown[0]

    def close(self, got, want):
        """Where one of the crop's pixels is rounded the other way the real features may differ by a few
        levels."""
        off = np.abs(got.astype(int) - want)
        self.assertLessEqual(off.max(), 3)
        self.assertLess((off > 1).mean(), 0.0005)

    def check(self, sliders):
        """The picture, and the points of the first face."""
        key = tuple(sliders.items())
        if key not in self.done:
            self.done[key] = self.run_and_compare(sliders)
        return self.done[key]

    def run_and_compare(self, sliders):
        want, points = self.edit(sliders)
        got = run(self.folder, self.SCENE, True, '--processors', 'face_editor',
                  *face_editor.words(sliders))
        self.assertGreater(np.abs(want.astype(int) - self.frame()).max(), 16)
        self.close(got, want)
        return got, points

    def shown(self, picture, number):
        """What the cell of this number shows of the first face: red, of the pasted picture."""
        crop = np.array([(number % 8 + 0.5) * 64, (number // 8 + 0.5) * 64, 1])
        _, matrix = portrait.cut_scaled(self.frame(), common.five(self.faces()[0], True),
                                        'ffhq_512', 1.5)
        x, y = np.rint(common.inverse(matrix) @ crop).astype(int)
        return int(picture[y, x, 2])

    def test_everything(self):
        self.check(face_editor.SOME)
        self.check(face_editor.OTHERS)

    def test_nothing(self):
        """With all sliders at 0 the points still go through the stitcher, which moves them a little
        (its own habit), and not by more."""
        _, points = self.check({})
        now = portrait.points(self.said)
        self.assertLess(np.abs(points - now).max(), 0.05)
        self.assertGreater(np.abs(points - now).max(), 0)

    def test_lips(self):
        """Open lips: the lower one (19) goes down, the upper one (20) up."""
        x = {v: self.check({'lip-open-ratio': v} if v else {}) for v in (-1, 0, 0.5, 1)}
        for low, high in ((-1, 0), (0, 0.5), (0.5, 1)):
            self.assertGreater(x[high][1][19, 1], x[low][1][19, 1] + 0.005)
            self.assertLess(x[high][1][20, 1], x[low][1][20, 1] - 0.002)
        self.assertGreater(x[1][1][19, 1], x[0][1][19, 1] + 0.1)
        lower = [self.shown(x[v][0], 3 * 19 + 1) for v in (-1, 0, 0.5, 1)]
        self.assertEqual(lower, sorted(lower))
        self.assertGreater(lower[3], lower[1] + 16)

    def test_eyes(self):
        """Open eyes: the lids (11, 15) go up; closed: down."""
        x = {v: self.check({'eye-open-ratio': v} if v else {})[1] for v in (-1, 0, 1)}
        for point in (11, 15):
            self.assertGreater(x[-1][point, 1], x[0][point, 1] + 0.005)
            self.assertLess(x[1][point, 1], x[0][point, 1] - 0.005)

    def test_head(self):
        """A turn changes all points as a turn does: about the translation, the scale stays."""
        _, still = self.check({})
        _, turned = self.check({'head-roll': 0.5})
        angle = np.arctan2(*(still[:, :2] - still.mean(0)[:2]).T[::-1])
        after = np.arctan2(*(turned[:, :2] - turned.mean(0)[:2]).T[::-1])
        by = np.degrees(np.angle(np.exp(1j * (after - angle)))).mean()
        self.assertGreater(abs(by), 5)
        self.assertLess(abs(by), 10)

    def restore(self, factor):
        frame, now = self.frame(), portrait.points(self.said)
        expression = expression_restorer.mixed(self.said['expression'], self.said['expression'],
                                               factor, ('upper-face', 'lower-face'))
        wanted = portrait.points(self.said, expression)
        for face in self.faces():
            crop, matrix = common.cut(frame, common.five(face, True), 'arcface_128', portrait.SIZE)
            new = generated(self.features(portrait.seen(crop)), wanted, now)
            frame = common.paste(frame, new, common.box_mask(portrait.SIZE), matrix)
        return frame, wanted, now

    def test_restorer(self):
        """Factor 0: the points stay where they are, but for what no face can do."""
        for factor in (0, 80):
            want, wanted, now = self.restore(factor)
            got = run(self.folder, self.SCENE, True, '--processors', 'expression_restorer',
                      '--expression-restorer-factor', str(factor))
            self.close(got, want)
            within = self.said['expression'] == portrait.limited(self.said['expression'])
            self.assertGreater(within.sum(), 40)
            np.testing.assert_allclose(wanted[within], now[within], atol=1e-9)
