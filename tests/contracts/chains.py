"""Several processors in one pass, in any order: the same pixels as one run for each of them with a
lossless file in between. The faces are planted, so each run finds them in the same places."""
import itertools
import os
import unittest

import e2e
import numpy as np

from contracts import common, face_enhancer, lip_syncer, portrait

KINDS, CONTRACTS = [], []
# Small, since it is enlarged; two faces.
SCENE = common.Scene('orders', 199, 121, [common.turned([25, 25, 85, 95], 20, 0.9),
                                          common.turned([175, 70, 210, 115], -10, 0.8)])
MODELS = ['hyperswap_1a_256', 'gfpgan_1.4', 'modnet', 'span_kendata_x4', 'ddcolor',
          'wav2lip_gan_96']
MODELS += portrait.ALL
PROCESSORS = ['face_swapper', 'face_enhancer', 'background_remover', 'face_debugger']
FACES = PROCESSORS[:2]


def source():
    path = e2e.scratch('chain-source.png')
    if not os.path.exists(path):
        common.write_png(path, common.drawn(SCENE.width, SCENE.height, 9))
    return path


def run(processors, target, output):
    words = ['headless-run', '--models-path', SCENE.models(MODELS), '--face-selector-mode', 'many',
             '--face-landmarker-score', '0', '-s', source(), '-t', target, '-o', output,
             '--processors', *processors]
    if 'frame_enhancer' in processors:
        words += ['--output-image-scale', '4']  # else the result is shrunk to the target's size
    if output.endswith('.mkv'):
        words += ['--output-video-encoder', 'libx264rgb', '--output-video-quality', '100']
    e2e.must(*words, *common.MORE)


class Orders(unittest.TestCase):
    done = {}

    def one_pass(self, processors, kind='png'):
        output = e2e.scratch(f'pass-{"-".join(processors)}.{kind}')
        run(processors, SCENE.picture() if kind == 'png' else SCENE.clip(), output)
        return common.read_frames(output, alpha=kind == 'png')

    def one_by_one(self, processors, kind='png'):
        """The path of the last of the runs; beginnings are not run again."""
        key = (*processors, kind)
        if not processors:
            return SCENE.picture() if kind == 'png' else SCENE.clip()
        if key not in self.done:
            self.done[key] = e2e.scratch(f'chain-{"-".join(processors)}.{kind}')
            run(processors[-1:], self.one_by_one(processors[:-1], kind), self.done[key])
        return self.done[key]

    def check(self, processors, kind='png'):
        want = common.read_frames(self.one_by_one(processors, kind), alpha=kind == 'png')
        got = self.one_pass(processors, kind)
        np.testing.assert_array_equal(got, want, ' '.join(processors))
        return got

    def test_two(self):
        for two in itertools.permutations(PROCESSORS[:3], 2):
            self.check(two)

    def test_all(self):
        self.check(PROCESSORS)
        self.check(PROCESSORS[::-1])

    def test_upscaled(self):
        """What makes the frame larger comes last, or before what looks at no face."""
        self.check((*FACES, 'frame_enhancer'))
        self.check(('frame_enhancer', 'background_remover'))
        self.check(('background_remover', 'frame_enhancer'))

    def test_coloured(self):
        """Before and after what works on faces, makes alpha, or makes the frame larger."""
        for other in ('face_swapper', 'background_remover'):
            there = self.check(('frame_colorizer', other))
            back = self.check((other, 'frame_colorizer'))
            self.assertGreater(np.abs(there.astype(int) - back).max(), 8)
        self.check(('frame_colorizer', 'frame_enhancer'))
        self.check(('frame_enhancer', 'frame_colorizer'))
        self.check(('face_swapper', 'frame_colorizer', 'face_enhancer'), 'mkv')

    def test_faces_of_the_larger_frame(self):
        """Faces are found before the frame is made larger; then their places are scaled."""
        got = self.one_pass(('frame_enhancer', 'face_enhancer'))[0, ..., :3]
        large = common.read_frames(self.one_by_one(('frame_enhancer',)))[0]
        faces = SCENE.faces(SCENE.picture(), ['--face-landmarker-score', '0', *common.MORE])[0]
        scale = large.shape[0] / SCENE.height
        for face in faces:
            points = np.array(face['landmark_5'], np.float64) * scale
            large = face_enhancer.enhance('gfpgan_1.4')(large, [{'landmark_5': points}])
        self.assertEqual(got.shape, large.shape)
        self.assertLessEqual(np.abs(got.astype(int) - large).max(), 1)

    def test_restored(self):
        """The restorer looks at the frame before all others, so only in the first place is it the same
        as a run of its own; the editor looks at what it is given."""
        self.check(('expression_restorer', 'face_enhancer'))
        self.check(('expression_restorer', 'face_editor', 'face_enhancer'))
        self.check(('face_swapper', 'face_editor'))
        got = self.one_pass(('face_swapper', 'expression_restorer'))
        apart = common.read_frames(self.one_by_one(('face_swapper', 'expression_restorer')), alpha=True)
        self.assertGreater(np.abs(got.astype(int) - apart).max(), 8)

    def test_lips(self):
        """The lips of the face that was swapped, in frames of the target's size and of a larger one."""
        there = self.check(('face_swapper', 'lip_syncer'))
        back = self.check(('lip_syncer', 'face_swapper'))
        self.assertGreater(np.abs(there.astype(int) - back).max(), 8)
        self.check(('face_swapper', 'lip_syncer', 'face_enhancer'), 'mkv')

        got = self.one_pass(('frame_enhancer', 'lip_syncer'))[0, ..., :3]
        large = common.read_frames(self.one_by_one(('frame_enhancer',)))[0]
        faces = SCENE.faces(SCENE.picture(), ['--face-landmarker-score', '0', *common.MORE])[0]
        scale = large.shape[0] / SCENE.height
        faces = [{name: np.array(face[name], np.float64) * scale
                  for name in ('landmark_5', 'landmark_68')} for face in faces]
        want = lip_syncer.sync('wav2lip_gan_96')(large, faces)
        self.assertLessEqual(np.abs(got.astype(int) - want).max(), 1)
        self.assertGreater(np.abs(got.astype(int) - large).max(), 8)

    def test_order_counts(self):
        for kind in ('png', 'mkv'):
            there, back = self.check(FACES, kind), self.check(FACES[::-1], kind)
            change = np.abs(there.astype(int) - back)
            self.assertGreater(change.max(), 8)
            self.assertGreater((change.max(-1) > 1).mean(), 0.01)

    def test_both_are_there(self):
        """A chain is neither of its parts, and the mark names both."""
        both = self.check(FACES)
        for name in FACES:
            alone = common.read_frames(self.one_by_one((name,)), alpha=True)
            self.assertGreater(np.abs(both.astype(int) - alone).max(), 8)
        path = e2e.scratch('pass-face_swapper-face_enhancer.png')
        mark = e2e.must('inspect', '--json', path).stdout
        self.assertIn('face_swapper face_enhancer', mark)
        self.assertIn('face_swapper=hyperswap_1a_256 face_enhancer=gfpgan_1.4', mark)
