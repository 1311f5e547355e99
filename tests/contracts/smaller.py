"""An output scaled down: faces are found in the target as it is, the processors work on the small frame.
Pictures are shrunk by FFmpeg (bicubic), frames of a video bilinearly."""
import os
import unittest

import e2e
import numpy as np

from contracts import common, face_enhancer, frame_enhancer

KINDS, CONTRACTS = [], []
SCENE = common.PAIR       # 398x242
SIZE = (200, 120)         # of 199x121, even, halves to a multiple of 4
MODELS = ['gfpgan_1.4', 'real_esrgan_x2']


def scaled(path, size):
    """A picture as FFmpeg scales it."""
    output = e2e.scratch('smaller.png')
    e2e.ffmpeg('-i', path, '-s', '%dx%d' % size, '-y', output)
    return common.read_frames(output)[0]


def faces_of(path, size):
    faces = SCENE.faces(path, ['--face-landmarker-score', '0', *common.MORE])[0]
    scale = np.array(size) / (SCENE.width, SCENE.height)
    return [{'landmark_5': np.array(face['landmark_5'], np.float64) * scale} for face in faces]


class Processed(unittest.TestCase):
    def run_on(self, target, kind, *processors, **options):
        output = e2e.scratch(f'smaller-{"-".join(processors)}.{kind}')
        words = ['headless-run', '--models-path', SCENE.models(MODELS), '--face-selector-mode', 'many',
                 '--face-landmarker-score', '0', '-t', target, '-o', output,
                 '--processors', *processors, '--frame-enhancer-model', 'real_esrgan_x2',
                 '--output-image-scale', '0.5', '--output-video-scale', '0.5']
        if kind == 'mkv':
            words += ['--output-video-encoder', 'libx264rgb', '--output-video-quality', '100']
        for name, value in options.items():
            words += ['--' + name.replace('_', '-'), value]
        e2e.must(*words, *common.MORE)
        return common.read_frames(output)

    def near(self, got, want, most=1):
        self.assertEqual(got.shape, want.shape)
        self.assertLessEqual(np.abs(got.astype(int) - want).max(), most)

    def test_faces_of_a_picture(self):
        path = SCENE.picture()
        small = scaled(path, SIZE)
        want = face_enhancer.enhance('gfpgan_1.4')(small, faces_of(path, SIZE))
        self.assertGreater(np.abs(want.astype(int) - small).max(), 8)
        self.near(self.run_on(path, 'png', 'face_enhancer')[0], want)

    def test_faces_of_a_video(self):
        path = SCENE.clip()
        for tracker in ('0', '0.3'):  # in one pass, and in two
            for i, got in enumerate(self.run_on(path, 'mkv', 'face_enhancer',
                                                face_tracker_score=tracker)):
                small = frame_enhancer.bilinear(SCENE.frames(path)[i], *SIZE)
                want = face_enhancer.enhance('gfpgan_1.4')(small, faces_of(path, SIZE))
                self.near(got, want, 2)  # the reference's resize is within 1

    def test_the_whole_frame(self):
        """The small picture is made larger, and scaled to the small size again."""
        path, large = SCENE.picture(), e2e.scratch('smaller-large.png')
        common.write_png(large, frame_enhancer.enhance(scaled(path, SIZE), 'real_esrgan_x2'))
        self.near(self.run_on(path, 'png', 'frame_enhancer')[0], scaled(large, SIZE))

    def test_odd_width(self):
        """21 pixels of three bytes end just before the next row, if nothing lies between."""
        path, large = e2e.scratch('smaller-odd.png'), e2e.scratch('smaller-large.png')
        common.write_png(path, common.drawn(21, 10, 3))
        common.write_png(large, frame_enhancer.enhance(scaled(path, (10, 4)), 'real_esrgan_x2'))
        self.near(self.run_on(path, 'png', 'frame_enhancer')[0], scaled(large, (10, 4)))

    def test_faces_after_an_upscaler(self):
        path, size = SCENE.picture(), (2 * SIZE[0], 2 * SIZE[1])
        larger = frame_enhancer.enhance(scaled(path, SIZE), 'real_esrgan_x2')
        want = face_enhancer.enhance('gfpgan_1.4')(larger, faces_of(path, size))
        large = e2e.scratch('smaller-large.png')
        common.write_png(large, want)
        self.near(self.run_on(path, 'png', 'frame_enhancer', 'face_enhancer')[0],
                  scaled(large, SIZE))

    def test_frames_without_a_face(self):
        """They are of the small size as well."""
        scene = common.NOBODY
        output = e2e.scratch('smaller-nobody.mkv')
        e2e.must('headless-run', '--models-path', scene.models(MODELS), '--processors',
                 'face_enhancer', '--output-video-scale', '0.25', '-t', scene.clip(), '-o', output,
                 *common.MORE)
        self.assertEqual(e2e.size_of(output), (50, 44))  # of 50x45
        self.assertEqual(len(e2e.times(output)), common.FRAMES)

    def tearDown(self):
        for name in os.listdir(e2e.scratch()):
            if name.startswith('smaller'):
                os.unlink(e2e.scratch(name))
