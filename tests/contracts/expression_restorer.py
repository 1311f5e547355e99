"""Expression restorer: two crops, motion of both, mixed and limited expressions, features, generator,
box mask without padding. The expression comes from the frame before any processor."""
import os
import unittest

import e2e
import numpy as np
from contracts import common, face_swapper, portrait
from contracts.common import Contract
from twins import tiny
from twins.net import Net

KINDS = []

UPPER, LOWER = [1, 2, 6, 10, 11, 12, 13, 15, 16], [3, 7, 14, 17, 18, 19, 20]
ALWAYS_OWN = [0, 4, 5, 8, 9]


def mixed(before, now, factor, areas):
    """The expression: FaceFusion's percent are 1.2 times as much."""
    wanted = before.copy()
    wanted[ALWAYS_OWN] = now[ALWAYS_OWN]
    for name, numbers in (('upper-face', UPPER), ('lower-face', LOWER)):
        if name not in areas:
            wanted[numbers] = now[numbers]
    share = factor / 100 * 1.2
    return portrait.limited(wanted * share + now * (1 - share))


def restore(original, five_before=None, factor=80, areas=('upper-face', 'lower-face'), blur=0.3,
            landmarker=False, occluders=()):
    """The frame as it is now, its faces -> the frame restored. `original` is the frame before any
    processor, and five_before() gives the points of a face there, if they are others."""
    def reference(frame, faces):
        for face in faces:
            five = common.five(face, landmarker)
            there = five_before(face) if five_before else five
            crop, matrix = common.cut(frame, five, 'arcface_128', portrait.SIZE)
            crop_before, _ = common.cut(original, there, 'arcface_128', portrait.SIZE)
            picture = portrait.seen(crop)
            now = portrait.motion(picture)
            before = portrait.motion(portrait.seen(crop_before))
            expression = mixed(before['expression'], now['expression'], factor, areas)
            new = portrait.generate(picture, portrait.points(now, expression),
                                    portrait.points(now))
            mask = common.box_mask(portrait.SIZE, blur)
            if occluders:
                mask = np.minimum(mask, common.occlusion_mask(crop, *occluders))
            frame = common.paste(frame, new, mask, matrix)
        return frame
    return reference


def alone(**how):
    """The only processor: the original is the frame."""
    return lambda frame, faces: restore(frame, **how)(frame, faces)


def contract(name, *options, scene=common.PAIR, where=('picture', 'clip'), models=(),
             landmarker=False, tolerance=1, changes=True, **how):
    return Contract(name, [*portrait.COMMON, *models],
                    ['--processors', 'expression_restorer', *options],
                    alone(landmarker=landmarker, **how), scene, landmarker, tolerance,
                    where=where, changes=changes)


SWAPPER = 'hyperswap_1a_256'
SWAPPED = face_swapper.PAIR


def source():
    return [SWAPPED.source(11)]


def swapped(frame, faces):
    return face_swapper.swap(SWAPPER, SWAPPED, source)(frame, faces)


def after_swapper(name, *options, where=('picture', 'clip'), **how):
    """The swapped face gets the expression of the one before. Of two truncations the second may be
    of a value that the first left one lower."""
    return Contract(name, [SWAPPER, *portrait.COMMON],
                    ['--processors', 'face_swapper', 'expression_restorer',
                     '--face-swapper-model', SWAPPER, *options],
                    lambda frame, faces: restore(frame, **how)(swapped(frame, faces), faces),
                    SWAPPED, tolerance=2, source=source, where=where)


CONTRACTS = [
    contract('default'),
    contract('factor_0', '--expression-restorer-factor', '0', factor=0),
    contract('factor_100', '--expression-restorer-factor', '100', factor=100, where=('picture',)),
    contract('landmarker', landmarker=True),
    contract('blur', '--face-mask-blur', '0.7', '--face-mask-padding', '20', blur=0.7,
             where=('picture',)),
    contract('area', '--face-mask-types', 'area', where=('picture',)),
    contract('occluder', '--face-mask-types', 'occlusion', models=('xseg_1',), occluders=(1,)),
    contract('touching', scene=common.TOUCHING, tolerance=2),
    contract('nobody', scene=common.NOBODY, tolerance=0, changes=False),
    contract('speck', scene=common.SPECK),
    after_swapper('swapped'),
    after_swapper('swapped_0', '--expression-restorer-factor', '0', factor=0, where=('picture',)),
    after_swapper('swapped_35', '--expression-restorer-factor', '35', factor=35,
                  where=('picture',)),
    after_swapper('swapped_100', '--expression-restorer-factor', '100', factor=100),
    after_swapper('swapped_upper', '--expression-restorer-areas', 'upper-face',
                  areas=('upper-face',)),
    after_swapper('swapped_lower', '--expression-restorer-areas', 'lower-face',
                  areas=('lower-face',), where=('picture',)),
    after_swapper('swapped_both', '--expression-restorer-areas', 'lower-face', 'upper-face',
                  where=('picture',)),
]


class Original(unittest.TestCase):
    """Which frame the expression comes from."""

    def run_on(self, output, *options, processors=('expression_restorer',)):
        scene = SWAPPED
        path = e2e.scratch(output)
        e2e.must('headless-run', '--models-path',
                 scene.models([SWAPPER, 'span_kendata_x4', *portrait.COMMON]),
                 '--face-selector-mode', 'many', '--face-landmarker-score', '0', '-s', *source(),
                 '-t', scene.picture(), '-o', path, '--processors', *processors, *options,
                 *common.MORE)
        return common.read_frames(path)[0]

    def faces(self):
        return SWAPPED.faces(SWAPPED.picture(), ['--face-landmarker-score', '0', *common.MORE])[0]

    def test_not_the_swapped_one(self):
        """One pass restores what the face had before it was swapped; a run on the swapped picture
        does not know that."""
        chain = self.run_on('both.png', processors=('face_swapper', 'expression_restorer'))
        self.run_on('first.png', processors=('face_swapper',))
        first = common.read_frames(e2e.scratch('first.png'))[0]
        alone_after = restore(first)(first, self.faces())
        self.assertGreater(np.abs(chain.astype(int) - alone_after).max(), 16)

    def test_larger_frame(self):
        """After an upscaler the face in the original is where it was there."""
        scale = ('--output-image-scale', '4')
        got = self.run_on('restored.png', *scale,
                          processors=('frame_enhancer', 'expression_restorer'))
        large = self.run_on('large.png', *scale, processors=('frame_enhancer',))
        small = common.read_frames(SWAPPED.picture())[0]
        self.assertEqual(large.shape[0], 4 * small.shape[0])
        faces = [{'landmark_5': 4 * np.array(face['landmark_5'], np.float64)}
                 for face in self.faces()]
        want = restore(small, lambda face: face['landmark_5'] / 4)(large, faces)
        self.assertGreater(np.abs(want.astype(int) - large).max(), 16)
        self.assertLessEqual(np.abs(got.astype(int) - want).max(), 1)


class Refused(unittest.TestCase):
    """What is missing or wrong is said in one sentence, and no output is written."""

    PROCESSOR, NEEDED = 'expression_restorer', portrait.COMMON

    def setUp(self):
        self.models = e2e.scratch(self.id())
        os.makedirs(self.models)
        made = common.ONE.models(portrait.ALL)
        for name in os.listdir(made):
            if name.rsplit('.', 1)[0] in [*common.ANALYSING, *portrait.ALL]:
                os.symlink(f'{made}/{name}', f'{self.models}/{name}')

    def refused(self, code, said, *options):
        output = e2e.scratch('refused.png')
        common.refused(self, code, said, 'headless-run', '--models-path', self.models,
                       '--processors', self.PROCESSOR, '-t', common.ONE.picture(), '-o', output,
                       *options)
        self.assertFalse(os.path.exists(output))

    def put(self, name, make):
        """This file instead of the right one."""
        os.unlink(f'{self.models}/{name}.onnx')
        n = Net(name, 1)
        make(n)
        n.g.save(f'{self.models}/{name}.onnx')

    def replaced(self, name, make, said):
        """And then the right one again."""
        path = f'{self.models}/{name}.onnx'
        right = os.readlink(path)
        self.put(name, make)
        with self.subTest(name=name, said=said):
            self.refused(1, said)
        os.unlink(path)
        os.symlink(right, path)

    def test_missing(self):
        """Each of the files, and a file that nobody needs."""
        for name in portrait.ALL:
            path = f'{self.models}/{name}.onnx'
            right = os.readlink(path)
            os.unlink(path)
            said = 'live_portrait' if name.endswith('motion_extractor') else name
            with self.subTest(name=name):
                if name in self.NEEDED:
                    self.refused(2, f'{said} is not installed')
                else:
                    self.works()
            os.symlink(right, path)

    def works(self):
        e2e.must('headless-run', '--models-path', self.models, '--processors', self.PROCESSOR,
                 '-t', common.ONE.picture(), '-o', e2e.scratch('works.png'), *common.MORE)

    def test_not_a_model(self):
        for name in self.NEEDED:
            path = f'{self.models}/{name}.onnx'
            right = os.readlink(path)
            os.unlink(path)
            with open(path, 'wb') as file:
                file.write(b'no model')
            with self.subTest(name=name):
                self.refused(1, f'{name}.onnx')
            os.unlink(path)
            os.symlink(right, path)

    def test_wrong_inputs(self):
        def points(size, n):
            return n.input('source', [1, size, 3])

        def extractor(n):
            n.output(n.input('input', [1, 3, 128, 128]), 'output')

        def named(n):
            n.output(n.input('picture', [1, 3, 256, 256]), 'output')

        def flat(n):
            n.output(n.add(points(21, n), n.input('target', [1, 21, 3])), 'output')

        def short(n):
            x = n.input('feature_volume', [1, 32, 16, 64, 64])
            n.output(n.reshape(x, [1, 512, 64, 64]), 'features')
            n.output(n.add(points(20, n), n.input('target', [1, 20, 3])), 'output')

        for name in portrait.COMMON[:2]:
            self.replaced(name, extractor, 'expected float32')
            self.replaced(name, named, "no input 'input'")
        self.replaced('live_portrait_generator', flat, "no input 'feature_volume'")
        self.replaced('live_portrait_generator', short, "input 'source' is")

    def test_wrong_outputs(self):
        def motion(n, but=None, size=5):
            """All outputs, of which one has another size."""
            x = n.flatten(n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 128, 128))
            for name, (right, _, _) in tiny.MOTION.items():
                y = n.matmul(x, n.const([0.0] * 12 * (size if name == but else right),
                                        [12, size if name == but else right]))
                n.output(y, name)

        def one(n):
            n.output(n.input('input', [1, 3, 256, 256]), 'pitch')

        def flat_volume(n):
            n.output(n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 4, 4), 'output')

        def small_volume(n):
            x = n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 4, 4)
            n.output(n.reshape(x, [1, 3, 1, 64, 64]), 'output')

        def small_picture(n):
            x = n.reshape(n.input('feature_volume', [1, 32, 16, 64, 64]), [1, 512, 64, 64])
            a = n.op('Sub', n.input('source', [1, 21, 3]), n.input('target', [1, 21, 3]))
            a = n.reshape(n.reduce('ReduceMean', a, [1, 2]), [1, 1, 1, 1])
            n.output(n.add(x, a), 'output')

        self.replaced('live_portrait_motion_extractor', one, 'outputs')
        for i, name in enumerate(tiny.MOTION):
            self.replaced('live_portrait_motion_extractor', lambda n, but=name: motion(n, but),
                          f'its output {i} has 5 numbers')
        self.replaced('live_portrait_feature_extractor', flat_volume, 'five dimensions')
        self.replaced('live_portrait_feature_extractor', small_volume, "input 'feature_volume' is")
        self.replaced('live_portrait_generator', small_picture,
                      'its output is not float32 1x3x512x512')

    def test_options(self):
        self.refused(2, 'live_picture', '--expression-restorer-model', 'live_picture')
        self.refused(2, '101', '--expression-restorer-factor', '101')
        self.refused(2, 'mouth', '--expression-restorer-areas', 'mouth')
