"""Face editor: motion, fourteen sliders, retargeters, stitcher, features, generator, box mask without
padding, in a crop in which the face is smaller."""
import itertools
import unittest

import e2e
import numpy as np
from contracts import common, expression_restorer, face_swapper, portrait
from contracts.common import Contract

KINDS = ['live_portrait']

X, Y, Z = range(3)
SLIDERS = ['eyebrow-direction', 'eye-gaze-horizontal', 'eye-gaze-vertical', 'eye-open-ratio',
           'lip-open-ratio', 'mouth-grim', 'mouth-pout', 'mouth-purse', 'mouth-smile',
           'mouth-position-horizontal', 'mouth-position-vertical', 'head-pitch', 'head-yaw',
           'head-roll']


def edited(e, sliders):
    """An expression with the sliders' effects, not yet limited."""
    e = e.copy()
    h, v, g, p, q, u, r, s, b = (
        sliders.get(name, 0) for name in (
            'eye-gaze-horizontal', 'eye-gaze-vertical', 'mouth-grim', 'mouth-position-horizontal',
            'mouth-position-vertical', 'mouth-pout', 'mouth-purse', 'mouth-smile',
            'eyebrow-direction'))
    e[11, X] += (0.015 if h > 0 else 0.020) * h
    e[15, X] += (0.020 if h > 0 else 0.015) * h
    e[[1, 2, 11, 13, 15, 16], Y] += np.array([0.0025, -0.0025, -0.01, -0.005, -0.01, -0.005]) * v
    if g > 0:
        e[17, Z] -= 0.005 * g
        e[19, Z] += 0.01 * g
        e[20, Y] -= 0.06 * g
    else:
        e[19, Y] -= 0.05 * g
        e[19, Z] -= 0.02 * g
    e[20, Z] -= 0.03 * g
    e[19, X] += 0.05 * p
    e[20, X] += 0.04 * p
    e[19, Y] -= (0.04 if q > 0 else 0.05) * q
    e[20, Y] -= (0.02 if q > 0 else 0.04) * q
    e[19, Y] -= 0.022 * abs(u)
    e[19, Z] += 0.025 * u
    e[20, Z] -= 0.002 * u
    if r > 0:
        e[19, Y] -= 0.04 * r
        e[19, Z] -= 0.02 * r
    else:
        e[14, Y] -= 0.02 * r
        e[17, Z] += 0.01 * r
        e[19, Z] -= 0.015 * r
        e[20, Z] -= 0.002 * r
    e[[3, 7], Y] -= 0.0045 * abs(s)
    if s > 0:
        e[20, Y] -= 0.015 * s
        e[14, Y] -= 0.025 * s
        e[17, Y] += 0.01 * s
        e[17, Z] += 0.004 * s
    else:
        e[14, Y] -= 0.02 * s
        e[17, Y] += 0.003 * s
        e[19, Y] += 0.02 * s
        e[19, Z] -= 0.005 * s
        e[20, Z] += 0.01 * s
    if b > 0:
        e[1, Y] += 0.015 * b
        e[2, Y] -= 0.020 * b
    else:
        e[1, X] -= 0.015 * b
        e[2, X] += 0.020 * b
        e[1, Y] += 0.005 * b
        e[2, Y] -= 0.005 * b
    return e


def turned(angles, sliders):
    """Pitch, yaw and roll after the edit, at most as far as the range or as the head was turned."""
    out = []
    for angle, name, degrees, reach in zip(angles, ('head-pitch', 'head-yaw', 'head-roll'),
                                           (-20, -60, 15), (30, 60, 20)):
        low, high = (min(angle, -reach), reach) if angle < 0 else (-reach, max(angle, reach))
        out.append(np.clip(angle + degrees * sliders.get(name, 0), low, high))
    return out


def ratio(lm, a, b, c, d):
    return np.linalg.norm(lm[a] - lm[b]) / (np.linalg.norm(lm[c] - lm[d]) + 1e-6)


def wanted(face, now, landmarks, sliders):
    """The points as they should be. `now`: as they are."""
    angles = turned([face[name][0] for name in ('pitch', 'yaw', 'roll')], sliders)
    out = portrait.points(face, portrait.limited(edited(face['expression'], sliders)),
                          portrait.rotation(*angles))
    lm = np.array(landmarks, np.float64)
    eyes, lips = sliders.get('eye-open-ratio', 0), sliders.get('lip-open-ratio', 0)
    open_eyes = ratio(lm, 37, 40, 39, 36), ratio(lm, 43, 46, 45, 42)
    out = out + abs(eyes) * portrait.retarget(now, open_eyes, 0 if eyes < 0 else 0.6)
    out = out + abs(lips) * portrait.retarget(now, (ratio(lm, 62, 66, 54, 48),),
                                              0 if lips < 0 else 1)
    return portrait.stitch(out, now)


def edit(sliders=(), blur=0.3, landmarker=False):
    def reference(frame, faces):
        for face in faces:
            crop, matrix = portrait.cut_scaled(frame, common.five(face, landmarker), 'ffhq_512', 1.5)
            picture = portrait.seen(crop)
            found = portrait.motion(picture)
            now = portrait.points(found)
            new = portrait.generate(
                picture, wanted(found, now, face['landmark_68'], dict(sliders)), now)
            frame = common.paste(frame, new, common.box_mask(portrait.SIZE, blur), matrix)
        return frame
    return reference


def words(sliders):
    return [w for name, v in dict(sliders).items() for w in (f'--face-editor-{name}', str(v))]


def contract(name, sliders=(), *options, scene=common.PAIR, where=('picture', 'clip'),
             landmarker=False, tolerance=1, changes=True, models=(), **how):
    return Contract(name, [*portrait.ALL, *models],
                    ['--processors', 'face_editor', *words(sliders), *options],
                    edit(sliders, landmarker=landmarker, **how), scene, landmarker, tolerance,
                    where=where, changes=changes)


SOME = {'eyebrow-direction': 0.3, 'eye-gaze-horizontal': -0.5, 'eye-gaze-vertical': 0.25,
        'eye-open-ratio': 0.4, 'lip-open-ratio': -0.6, 'mouth-grim': 0.15, 'mouth-pout': -0.35,
        'mouth-purse': 0.1, 'mouth-smile': 0.45, 'mouth-position-horizontal': 0.2,
        'mouth-position-vertical': -0.15, 'head-pitch': 0.05, 'head-yaw': -0.1, 'head-roll': 0.15}
OTHERS = {name: -value for name, value in SOME.items()}

CONTRACTS = [contract('none'), contract('none_landmarker', landmarker=True, where=('picture',))]
for slider, value in itertools.product(SLIDERS, (-0.35, 0.35)):
    CONTRACTS.append(contract(f'{slider.replace("-", "_")}_{value}', {slider: value},
                              scene=common.ONE, where=('picture',)))
CONTRACTS += [
    contract('some', SOME), contract('others', OTHERS),
    contract('some_landmarker', SOME, landmarker=True),
    contract('others_landmarker', OTHERS, landmarker=True, where=('picture',)),
    # Beyond what a face can do.
    contract('all_1', dict.fromkeys(SLIDERS, 1), where=('picture',)),
    contract('all_-1', dict.fromkeys(SLIDERS, -1), where=('picture',)),
    contract('all_turned', {'head-pitch': -1, 'head-yaw': 1, 'head-roll': -1}, where=('picture',)),
    contract('blur', SOME, '--face-mask-blur', '0.7', '--face-mask-padding', '20', blur=0.7,
             where=('picture',)),
    # The box is its only mask.
    contract('masks', SOME, '--face-mask-types', 'occlusion', 'area', where=('picture',)),
    contract('touching', SOME, scene=common.TOUCHING, tolerance=2),
    contract('nobody', SOME, scene=common.NOBODY, tolerance=0, changes=False),
    contract('speck', SOME, scene=common.SPECK),
]


SWAPPED = face_swapper.PAIR


def chain(frame, faces):
    """Swapped, restored, edited."""
    now = expression_restorer.swapped(frame, faces)
    now = expression_restorer.restore(frame)(now, faces)
    return edit(SOME)(now, faces)


# An error of one level becomes one of the next.
CONTRACTS.append(Contract(
    'chain', [expression_restorer.SWAPPER, *portrait.ALL],
    ['--processors', 'face_swapper', 'expression_restorer', 'face_editor', '--face-swapper-model',
     expression_restorer.SWAPPER, *words(SOME)], chain, SWAPPED, tolerance=3,
    source=expression_restorer.source))


class Refused(expression_restorer.Refused):
    """The same with all six files."""

    PROCESSOR, NEEDED = 'face_editor', portrait.ALL

    def test_wrong_retargeters(self):
        def vector(size, out=63):
            def make(n):
                x = n.input('input', [1, size])
                n.output(n.slice(x, 1, 0, out), 'output')
            return make

        for name, size in zip(portrait.RETARGETERS, (66, 65)):
            self.replaced(name, vector(size - 1), "input 'input' is")

    def test_wrong_retargeted(self):
        """What they give is looked at when they are used."""
        def vector(n):
            n.output(n.slice(n.input('input', [1, 66]), 1, 0, 62), 'output')

        path = 'live_portrait_eye_retargeter'
        self.put(path, vector)
        self.refused(1, 'its output 0 has 62 numbers', '--face-editor-eye-open-ratio', '0.5')

    def test_wrong_stitcher(self):
        def named(n):
            n.output(n.add(n.input('source', [1, 21, 3]), n.input('driving', [1, 21, 3])), 'output')

        def short(n):
            a = n.add(n.input('source', [1, 21, 3]), n.input('target', [1, 21, 3]))
            n.output(n.slice(a, 1, 0, 20), 'output')

        self.replaced('live_portrait_stitcher', named, "no input 'target'")
        self.replaced('live_portrait_stitcher', short, 'its output 0 has 60 numbers')

    def test_options(self):
        self.refused(2, 'live_picture', '--face-editor-model', 'live_picture')
        # Of each slider the library is asked: options.py.
        self.refused(2, '1.05', '--face-editor-head-yaw', '1.05')
        self.refused(2, '0.33', '--face-editor-lip-open-ratio', '0.33')


class Needs(unittest.TestCase):
    """The 68 points are looked for where they are used."""

    def networks(self, *options):
        plan = e2e.must('plan', '--models-path', common.ONE.models(portrait.ALL), '--processors',
                        'face_editor', '--face-landmarker-score', '0', '-t', common.ONE.picture(),
                        *options, *common.MORE).stdout
        return plan

    def test_retargeters(self):
        without = self.networks('--face-editor-head-yaw', '0.5')
        self.assertIn('live_portrait_stitcher', without)
        self.assertNotIn('retargeter', without)
        eyes = self.networks('--face-editor-eye-open-ratio', '0.05')
        self.assertIn('live_portrait_eye_retargeter', eyes)
        self.assertNotIn('lip_retargeter', eyes)
        lips = self.networks('--face-editor-lip-open-ratio', '-1')
        self.assertIn('live_portrait_lip_retargeter', lips)
        self.assertNotIn('eye_retargeter', lips)
        self.assertIn('fan_68_5', lips)
