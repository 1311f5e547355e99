"""Age modifiers: fran, which is told ages, and styleganex_age, with two crops and a colour match."""
import os
import shutil
import unittest

import e2e
import numpy as np
from contracts import common, deep_swapper, face_swapper
from contracts.common import Contract
from twins import tiny
from twins.net import PLANT, Net

KINDS = ['age_modifier']

F = np.float32
# By the classes of fairface: ages from and to, both included.
AGES = [(0, 1), (3, 8), (10, 18), (20, 28), (30, 38), (40, 48), (50, 58), (60, 68), (70, 99)]


class TwoAges(common.Scene):
    """PAIR, but its left half is warm, for which the tiny fairface says the greatest age, and its right
    half cold, for which it says the least."""

    @staticmethod
    def coloured(frame):
        low, high = frame[..., [0, 2]].min(-1), frame[..., [0, 2]].max(-1)
        warm = np.arange(frame.shape[1]) < 200
        return np.stack([np.where(warm, low, high), frame[..., 1], np.where(warm, high, low)], -1)

    def picture(self):
        path = e2e.scratch(f'{self.name}.png')
        if not os.path.exists(path):
            common.write_png(path, self.coloured(common.drawn(self.width, self.height, 1)))
        return path

    def clip(self):
        path = e2e.scratch(f'{self.name}.mkv')
        if not os.path.exists(path):
            common.write_clip(path, [self.coloured(common.drawn(self.width, self.height, 2 + i))
                                     for i in range(common.FRAMES)])
        return path


AGED = TwoAges('two-ages', 398, 242, [common.turned([50, 50, 170, 190], 20, 0.9),
                                      common.turned([350, 140, 420, 230], -10, 0.8)])


def age_of(frame, points):
    """By the tiny fairface, of the frame as it came."""
    crop, _ = common.cut(frame, points, 'arcface_112_v2', 224)
    mean = crop[..., ::-1].reshape(-1, 3).mean(0) / 255
    x = (mean - tiny.IMAGENET[0]) / tiny.IMAGENET[1]
    return np.mean(AGES[int(np.argmax(np.array(tiny.FAIRFACE[2]) @ x))])


def fran(direction=0, landmarker=False, blur=0.3, occluders=(), ages=None):
    """ages: where they are collected."""
    def reference(frame, faces):
        before = frame
        for face in faces:
            points = common.five(face, landmarker)
            age = age_of(before, points)
            if ages is not None:
                ages.append(age)
            crop, matrix = common.cut(frame, points, 'ffhq_512', 1024)
            now, then = np.clip(np.array([age, age + direction]) / 100, 0, 1).astype(F)
            new = np.clip((crop / 255).astype(F) + (then - now), 0, 1) * 255
            mask = common.box_mask(1024, blur)
            if occluders:
                mask = np.minimum(mask, common.occlusion_mask(crop, *occluders))
            frame = common.paste(frame, new, mask, matrix)
        return frame
    return reference


def nose_scaled(points, scale):
    points = np.asarray(points, np.float64)
    return points[2] + scale * (points - points[2])


def small(picture, size):
    """A picture of bytes, shrunk as by OpenCV's INTER_AREA."""
    return deep_swapper.shrunken(picture, size).astype(np.uint8)


def drawn(crop, wide, direction, scale):
    """The tiny model's result in 8 bits, as large as it is pasted."""
    x, around = (((c / 255 - 0.5) / 0.5).astype(F) for c in (crop, wide))
    y = x.repeat(scale, 0).repeat(scale, 1) + F(PLANT) * around.mean(dtype=F)
    y = y + F(0.1) * F(-direction / 40)
    out = np.clip((np.clip(y, -1, 1) + F(1)) / F(2) * F(255), 0, 255).astype(np.uint8)
    return out if len(out) == 1024 else small(out, 1024)


def warped(mask, there, here, size):
    """A mask of one crop in another one."""
    there, back = (np.vstack([m, [0, 0, 1]]) for m in (there, common.inverse(here)))
    return common.look(mask, (there @ back)[:2], size, size, 0.0)


def styleganex(direction=0, landmarker=False, blur=0.3, occluders=(), scale=4):
    def reference(frame, faces):
        for face in faces:
            points = common.five(face, landmarker)
            crop, near = deep_swapper.cut(frame, points, 256, 'ffhq_512')
            wide, matrix = deep_swapper.cut(frame, nose_scaled(points, 0.875), 384,
                                            'styleganex_384')
            new = drawn(crop, wide, direction, scale)
            new = deep_swapper.matched(wide, new)
            mask = common.box_mask(384, blur)
            if occluders:
                hidden = common.occlusion_mask(crop, *occluders)
                mask = np.minimum(mask, warped(hidden, near, matrix, 384))
            mask = common.shrink(np.clip(mask, 0, 1), 1024)
            frame = common.paste(frame, new, mask.astype(F), matrix * (1024 / 384))
        return frame
    return reference


def contract(name, model, *options, scene=common.PAIR, where=('picture', 'clip'), models=(),
             landmarker=False, tolerance=1, differ=0.03, changes=True, **how):
    return Contract(name, [model, *models],
                    ['--processors', 'age_modifier', '--age-modifier-model', model, *options],
                    (fran if model == 'fran' else styleganex)(landmarker=landmarker, **how), scene,
                    landmarker, tolerance, differ, where=where, changes=changes)


def turned(direction):
    return ['--age-modifier-direction', str(direction)]


CONTRACTS = [
    contract('fran', 'fran', *turned(40), direction=40),
    contract('fran_ages', 'fran', *turned(-30), direction=-30, scene=AGED),
    contract('fran_oldest', 'fran', *turned(20), direction=20, scene=AGED, where=('picture',)),
    contract('styleganex_age', 'styleganex_age', *turned(-40), direction=-40),
]
for model in ('fran', 'styleganex_age'):
    one = {'scene': common.ONE, 'where': ('picture',)}
    CONTRACTS += [
        # With no direction fran's tiny model changes nothing but by truncation.
        contract(f'{model}_0', model, changes=model != 'fran', **one),
        contract(f'{model}_100', model, *turned(100), direction=100, **one),
        contract(f'{model}_-100', model, *turned(-100), direction=-100,
                 scene=AGED, where=('picture',)),
        contract(f'{model}_touching', model, *turned(30), direction=30, scene=common.TOUCHING,
                 tolerance=3, where=('picture',)),
        contract(f'{model}_landmarker', model, *turned(30), direction=30, landmarker=True, **one),
        # Padding, areas and regions are the swappers', blur is everybody's.
        contract(f'{model}_masks', model, *turned(30), '--face-mask-types', 'area', 'region',
                 '--face-mask-padding', '30', '--face-mask-blur', '0.6', direction=30, blur=0.6,
                 **one),
        contract(f'{model}_occluder', model, *turned(30), '--face-mask-types', 'occlusion',
                 direction=30, models=('xseg_1',), occluders=(1,)),
        contract(f'{model}_occluders', model, *turned(30), '--face-mask-types', 'occlusion',
                 '--face-occluder-model', 'many', direction=30,
                 models=('xseg_1', 'xseg_2', 'xseg_3'), occluders=(1, 2, 3), **one),
        contract(f'{model}_nobody', model, scene=common.NOBODY, tolerance=0, changes=False),
        contract(f'{model}_speck', model, *turned(30), direction=30, scene=common.SPECK),
    ]


class Ages(unittest.TestCase):
    def test_two(self):
        """Or the references of fran would say little."""
        ages = []
        for path in (AGED.picture(), AGED.clip()):
            faces = AGED.faces(path, ['--face-landmarker-score', '0', *common.MORE])
            fran(ages=ages)(AGED.frames(path)[0], faces[0])
        self.assertEqual(ages, [84.5, 0.5, 84.5, 0.5])


class After(unittest.TestCase):
    """In a chain: each sees what the one before it left."""

    def check(self, processors, references, models, options):
        scene = face_swapper.PAIR
        picture, output = scene.picture(), e2e.scratch('chain.png')
        e2e.must('headless-run', '--models-path', scene.models(models), '--face-selector-mode',
                 'many', '--face-landmarker-score', '0', '-s', scene.source(11), '-t', picture,
                 '-o', output, '--processors', *processors, *options, *common.MORE)
        faces = scene.faces(picture, ['--face-landmarker-score', '0', *common.MORE])[0]
        want = scene.frames(picture)[0]
        for reference in references:
            want = reference(want, faces)
        wrong = np.abs(common.read_frames(output)[0].astype(int) - want)
        # What the first is wrong by the second may sharpen, or truncate once more.
        self.assertLessEqual(wrong.max(), 3)
        self.assertLessEqual((wrong > 1).mean(), 0.001)

    def test_deep_swapper_after_face_swapper(self):
        scene = face_swapper.PAIR
        first = face_swapper.swap('uniface_256', scene, lambda: [scene.source(11)])
        self.check(['face_swapper', 'deep_swapper'], [first, deep_swapper.swap(224)],
                   ['uniface_256', 'iperov/elon_musk_224'], ['--face-swapper-model', 'uniface_256'])

    def test_styleganex_after_deep_swapper(self):
        self.check(['deep_swapper', 'age_modifier'],
                   [deep_swapper.swap(224), styleganex(-60)],
                   ['iperov/elon_musk_224', 'styleganex_age'],
                   ['--age-modifier-model', 'styleganex_age', *turned(-60)])

    def test_fran_after_face_swapper(self):
        """The age is that of the face before the swap."""
        scene = face_swapper.PAIR
        before = scene.frames(scene.picture())[0]
        first = face_swapper.swap('uniface_256', scene, lambda: [scene.source(11)])

        def second(frame, faces):
            for face in faces:
                points = common.five(face, False)
                age = age_of(before, points)
                crop, matrix = common.cut(frame, points, 'ffhq_512', 1024)
                now, then = np.clip(np.array([age, age + 30]) / 100, 0, 1)
                new = np.clip(crop / 255 + (then - now), 0, 1) * 255
                frame = common.paste(frame, new, common.box_mask(1024), matrix)
            return frame
        self.check(['face_swapper', 'age_modifier'], [first, second], ['uniface_256', 'fran'],
                   ['--face-swapper-model', 'uniface_256', *turned(30)])


class Files(unittest.TestCase):
    """Networks that differ from the tiny ones, right and wrong; no output is written for the wrong."""

    def setUp(self):
        self.models = deep_swapper.models_with(self)
        self.output = e2e.scratch('refused.png')

    def words(self, *options):
        return ['headless-run', '--models-path', self.models, '--processors', 'age_modifier', '-t',
                common.ONE.picture(), '-o', self.output, '--face-landmarker-score', '0', *options]

    def refused(self, code, said, *options):
        common.refused(self, code, said, *self.words(*options))
        self.assertFalse(os.path.exists(self.output))

    def look_at(self, reference, *options):
        e2e.must(*self.words(*options), *common.MORE)
        picture = common.ONE.picture()
        faces = common.ONE.faces(picture, ['--face-landmarker-score', '0', *common.MORE])[0]
        want = reference(common.ONE.frames(picture)[0], faces)
        wrong = np.abs(common.read_frames(self.output)[0].astype(int) - want)
        os.unlink(self.output)
        self.assertLessEqual(wrong.max(), 1)

    def fran(self, size=1024, direction=(2,), wide=0, output=True, name='target', out=1):
        n = Net('fran', 1)
        x = n.input(name, [1, 3, size, size])
        now, then = n.split(n.input('direction', list(direction), batch=False), [1] * 2, 0) \
            if list(direction) == [2] else [n.slice(n.input('direction', list(direction),
                                                            batch=False), 0, 0, 1)] * 2
        x = n.add(x, n.op('Sub', then, now))
        if wide:
            x = n.mul(n.add(x, n.input('target_with_background', [1, 3, wide, wide])), 0.5)
        n.output(x if output else n.reduce('ReduceMean', x, [1]), 'output')
        n.g.save(f'{self.models}/fran.onnx')

    def styleganex(self, scale=4, face=256, wide=384, direction=(), planes=3):
        n = Net('styleganex_age', 1)
        x = n.resize(n.input('target', [1, 3, face, face]), scale)
        around = n.input('target_with_background', [1, 3, wide, wide])
        x = n.add(x, n.mul(tiny.whole_mean(n, around, 4), PLANT))
        d = n.input('direction', list(direction), batch=False)
        x = n.add(x, n.mul(n.slice(d, 0, 0, 1) if direction else d, 0.1))
        n.output(n.slice(x, 1, 0, planes), 'output')
        n.g.save(f'{self.models}/styleganex_age.onnx')

    def test_two_crops_for_fran(self):
        """FaceFusion offers it the same crop a second time."""
        self.fran(wide=1024)

        def reference(frame, faces):
            for face in faces:
                points = common.five(face, False)
                age = age_of(frame, points)
                crop, matrix = common.cut(frame, points, 'ffhq_512', 1024)
                now, then = np.clip(np.array([age, age + 50]) / 100, 0, 1)
                new = np.clip(crop / 255 + (then - now) / 2, 0, 1) * 255
                frame = common.paste(frame, new, common.box_mask(1024), matrix)
            return frame
        self.look_at(reference, *turned(50))

    def test_larger_drawing(self):
        for scale in (6, 8):
            self.styleganex(scale)
            self.look_at(styleganex(70, scale=scale), '--age-modifier-model', 'styleganex_age',
                         *turned(70))

    def test_missing(self):
        self.refused(2, 'age modifier fran is not installed')
        self.refused(2, 'styleganex_age is not installed', '--age-modifier-model', 'styleganex_age')

    def test_no_classifier(self):
        """fran needs an age; styleganex_age does not."""
        os.unlink(f'{self.models}/fairface.onnx')
        shutil.copy(f'{common.ONE.models(["fran"])}/fran.onnx', self.models)
        self.refused(2, 'neither face classifier fairface nor fr_age_gender is installed')
        self.styleganex()
        self.look_at(styleganex(), '--age-modifier-model', 'styleganex_age')

    def test_not_a_model(self):
        for data in (b'no model', os.urandom(3000)):
            with open(f'{self.models}/fran.onnx', 'wb') as file:
                file.write(data)
            self.refused(1, 'fran.onnx')
        os.truncate(f'{self.models}/fran.onnx', 0)
        self.refused(2, 'is not installed')

    def test_wrong_fran(self):
        self.fran(size=512)
        self.refused(1, 'expected float32 ?x3x1024x1024')
        self.fran(name='input')
        self.refused(1, "no input 'target'")
        self.fran(direction=[3])
        self.refused(1, "input 'direction' is float32 3")
        self.fran(output=False)
        self.refused(1, 'its output is not float32 1x3x1024x1024')

    def test_wrong_styleganex(self):
        model = ['--age-modifier-model', 'styleganex_age']
        self.styleganex(wide=256)
        self.refused(1, "input 'target_with_background' is float32", *model)
        self.styleganex(face=128)
        self.refused(1, "input 'target' is float32", *model)
        self.styleganex(direction=[1])
        self.refused(1, "input 'direction' is float32 1", *model)
        for scale, planes in ((2, 3), (9, 3), (4, 2)):
            self.styleganex(scale, planes=planes)
            self.refused(1, '1x3xNxN with N from 1024 to 2048', *model)

    def test_not_a_number(self):
        """What is pasted is black then, and nothing worse happens."""
        for name, size, around in (('fran', 1024, 0), ('styleganex_age', 256, 384)):
            n = Net(name, 1)
            x = n.input('target', [1, 3, size, size])
            x = n.mul(x, 0.0) if name == 'fran' else n.resize(n.mul(x, 0.0), 4)
            if around:
                wide = n.input('target_with_background', [1, 3, around, around])
                x = n.add(x, n.mul(tiny.whole_mean(n, wide, 4), 0.0))
                x = n.add(x, n.mul(n.input('direction', [], batch=False), 0.0))
            else:
                d = n.slice(n.input('direction', [2], batch=False), 0, 0, 1)
                x = n.add(x, n.mul(d, 0.0))
            n.output(n.op('Div', x, x), 'output')
            n.g.save(f'{self.models}/{name}.onnx')
            e2e.must(*self.words('--age-modifier-model', name), *common.MORE)
            os.unlink(self.output)

    def test_options(self):
        self.refused(2, 'fran, styleganex_age', '--age-modifier-model', 'sam')
        for value in ('-101', '101', '0.5', 'older'):
            self.refused(2, '--age-modifier-direction', '--age-modifier-direction', value)
