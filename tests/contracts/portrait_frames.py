"""Expression restorer and face editor, whatever the networks give, and however many frames are worked
on at once."""
import os
import unittest

import e2e
import numpy as np
from contracts import common, face_editor, portrait
from twins import tiny
from twins.net import Net

KINDS, CONTRACTS = [], []
WORDS = {'expression_restorer': [], 'face_editor': face_editor.words(face_editor.SOME)}


class Ugly(unittest.TestCase):
    """Networks that give numbers which are none: the job ends well, and what is outside the face's crop
    stays."""

    SCENE, OUTSIDE = common.PAIR, np.s_[:, 330:]  # of the largest face's crop
    folders = 0

    def folder(self, name, make):
        """The models with this one instead of the right one."""
        Ugly.folders += 1
        path = e2e.scratch(f'ugly-{self.folders}')
        os.makedirs(path)
        made = self.SCENE.models(portrait.ALL)
        for file in os.listdir(made):
            os.symlink(f'{made}/{file}', f'{path}/{file}')
        os.unlink(f'{path}/{name}.onnx')
        n = Net(name, 1)
        make(n)
        n.g.save(f'{path}/{name}.onnx')
        return path

    def check(self, name, make, processors=('expression_restorer', 'face_editor')):
        folder = self.folder(name, make)
        frame = self.SCENE.frames(self.SCENE.picture())[0]
        for processor in processors:
            output = e2e.scratch(f'ugly-{name}-{processor}.png')
            with self.subTest(processor=processor):
                e2e.must('headless-run', '--models-path', folder, '--processors', processor,
                         *WORDS[processor], '-t', self.SCENE.picture(), '-o', output,
                         '--face-selector-mode', 'one', '--face-selector-order', 'large-small',
                         *common.MORE)
                got = common.read_frames(output)[0]
                self.assertTrue((got[self.OUTSIDE] == frame[self.OUTSIDE]).all())
                self.assertFalse((got == frame).all())

    @staticmethod
    def bad(n, x, kind):
        """x with all of its numbers made +-infinite or NaN."""
        huge = n.mul(n.mul(n.add(n.mul(x, 0.0), 1.0), 3e38), 3e38)
        return n.op('Sub', huge, huge) if kind == 'nan' else n.mul(huge, kind)

    def test_motion(self):
        def make(n, kind):
            x = n.flatten(n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 128, 128))
            for name, (size, _, _) in tiny.MOTION.items():
                y = n.matmul(x, n.const([0.0] * 12 * size, [12, size]))
                n.output(self.bad(n, y, kind), name)

        for kind in ('nan', 1.0, -1.0):
            with self.subTest(kind=kind):
                self.check('live_portrait_motion_extractor', lambda n, k=kind: make(n, k))

    def test_features(self):
        def make(n):
            x = n.pool('AveragePool', n.input('input', [1, 3, 256, 256]), 4, 4)
            x = n.fixed_conv(x, n.const([1.0] * 512 * 3, [512, 3, 1, 1]))
            n.output(n.reshape(self.bad(n, x, 'nan'), [1, 32, 16, 64, 64]), 'output')

        self.check('live_portrait_feature_extractor', make)

    def test_stitcher(self):
        def make(n):
            a = n.add(n.input('source', [1, 21, 3]), n.input('target', [1, 21, 3]))
            n.output(self.bad(n, a, 'nan'), 'output')

        self.check('live_portrait_stitcher', make, ['face_editor'])

    def test_retargeters(self):
        for name, size in zip(portrait.RETARGETERS, (66, 65)):
            def make(n, count=size):
                n.output(self.bad(n, n.slice(n.input('input', [1, count]), 1, 0, 63), 1.0), 'output')

            self.check(name, make, ['face_editor'])


class Several(unittest.TestCase):
    """Frames in lockstep, and several workers: the same pixels as one after the other."""

    SCENE, COUNT = common.PAIR, 3

    def clip(self):
        path = e2e.scratch('portrait-frames.mkv')
        if not os.path.exists(path):
            common.write_clip(path, [common.drawn(self.SCENE.width, self.SCENE.height, 30 + i)
                                     for i in range(self.COUNT)])
        return path

    def open_models(self):
        """With files that leave the batch open."""
        path = e2e.scratch('portrait-open')
        if not os.path.exists(path):
            os.makedirs(path)
            made = self.SCENE.models(portrait.ALL)
            for file in os.listdir(made):
                name = file.rsplit('.', 1)[0]
                if name in portrait.ALL:
                    tiny.build(name, self.SCENE.plan, dynamic=True).g.save(f'{path}/{file}')
                else:
                    os.symlink(f'{made}/{file}', f'{path}/{file}')
        return path

    def frames(self, folder, processor, *words):
        output = e2e.scratch('portrait-several.mkv')
        e2e.must('headless-run', '--models-path', folder, '--processors', processor,
                 *WORDS[processor], '--face-selector-mode', 'many', '-t', self.clip(), '-o', output,
                 '--output-video-encoder', 'libx264rgb', '--output-video-quality', '100',
                 '--output-video-preset', 'ultrafast', *words, *common.MORE)
        return common.read_frames(output)

    def test_lockstep(self):
        for processor in WORDS:
            want = self.frames(self.SCENE.models(portrait.ALL), processor)
            self.assertEqual(len(want), self.COUNT)
            self.assertGreater(np.abs(want[0].astype(int) - want[1]).max(), 8)
            for folder in (self.SCENE.models(portrait.ALL), self.open_models()):
                with self.subTest(processor=processor, folder=folder):
                    got = self.frames(folder, processor, '--cuda-graph-frames', '2')
                    np.testing.assert_array_equal(got, want)

    def test_workers(self):
        for processor in WORDS:
            one, two = (self.frames(self.SCENE.models(portrait.ALL), processor,
                                    '--execution-thread-count', str(n)) for n in (1, 2))
            np.testing.assert_array_equal(one, two)
