"""Tracker, hold and smoothing look at the frames around each one. Those of a trimmed part look outside
it as well, and become what they are in a job of the whole video.

The detector finds two faces, each in the frames in which a square of its own is white; a third one
moves their points.
"""
import json
import os
import unittest

import e2e
import numpy as np
from contracts import common
from twins.net import PLANT, Net

from twins import planted

KINDS, CONTRACTS = [], []

WIDTH, HEIGHT, LENGTH = 320, 200, 16
# Far enough apart that their answers lie in cells of their own; the left one is the larger.
LEFT, RIGHT = common.turned([30, 30, 130, 150], 0, 0.9), common.turned([200, 50, 270, 130], 0, 0.8)
SQUARES, MOVES = (0, 24), 48  # columns of the squares, of 16 pixels
MISSING = {0: (0, 5, 10, 15), 1: ()}  # frames in which the detector does not find the left face


def detector(path):
    """yoloface_8n: the score of each face is there if its square is white; its points lie up to 9 pixels
    further to the right."""
    n = Net('yoloface_8n')
    x = n.input('input', [1, 3, 640, 640])

    def mean(x):
        return n.reshape(n.reduce('ReduceMean', x, [1, 2, 3]), [1, 1, 1])

    def square(column):  # 0: black or grey, 1: white
        return n.clip(mean(n.slice(n.slice(x, 2, 2, 14), 3, column + 2, column + 14)), 0, 1)

    total = n.mul(mean(x), PLANT)
    for face, column in zip((LEFT, RIGHT), SQUARES):
        answer = planted.Plan([face]).yolo()
        score = [v if 4 * 8400 <= i < 5 * 8400 else 0.0 for i, v in enumerate(answer)]
        rest = [a - s for a, s in zip(answer, score)]
        move = [9.0 if v and i // 8400 in range(5, 20, 3) else 0.0 for i, v in enumerate(answer)]
        for factor, rows in ((square(column), score), (square(MOVES), move)):
            total = n.add(total, n.mul(factor, n.const(rows, [1, 20, 8400])))
        total = n.add(total, n.const(rest, [1, 20, 8400]))
    n.output(total, 'output')
    os.unlink(path)
    n.g.save(path)


class Edge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scene = common.Scene('edge', WIDTH, HEIGHT, [LEFT, RIGHT])
        cls.models = scene.models()
        detector(f'{cls.models}/yoloface_8n.onnx')
        frames = []
        for i in range(LENGTH):
            frame = common.drawn(WIDTH, HEIGHT, i) // 2
            frame[:16, :64] = 0
            frame[:16, MOVES:64] = 128 + 127 * (i % 3) // 2
            for k, column in enumerate(SQUARES):
                frame[:16, column:column + 16] = 0 if i in MISSING[k] else 255
            frames.append(frame)
        cls.clip = e2e.scratch('edge.mkv')
        common.write_clip(cls.clip, frames)
        cls.before = common.read_frames(cls.clip)
        found = e2e.analyse('--models-path', cls.models, *common.MORE, cls.clip)
        assert [len(f['faces']) for f in found] == [1 if i in MISSING[0] else 2
                                                    for i in range(LENGTH)]

    def run_on(self, start, end, *options):
        """The frames of a trimmed job and, of each, in which half something was drawn."""
        output = e2e.scratch('edge-out.mkv')
        trim = () if end is None else ('--trim-frame-start', str(start), '--trim-frame-end', str(end))
        e2e.must('headless-run', '--models-path', self.models, '--output-video-encoder', 'libx264rgb',
                 '--output-video-quality', '100', '--output-video-preset', 'ultrafast', *options,
                 *trim, '-t', self.clip, '-o', output, *common.MORE)
        after = common.read_frames(output)
        before = self.before[start:end]
        self.assertEqual(len(after), len(before))
        changed = (after != before).any((1, 3))
        sides = [f'{"L" * bool(c[:165].any())}{"R" * bool(c[165:].any())}' for c in changed]
        return after, sides

    DRAW = ('--processors', 'face_debugger', '--face-debugger-items', 'bounding-box',
            '--face-selector-mode', 'one')

    def test_tracked(self):
        """The larger of two is meant; where it is not found, the frames around fill it in."""
        track = (*self.DRAW, '--face-tracker-score', '0.3')
        whole, sides = self.run_on(0, None, *track)
        self.assertEqual(sides, ['R', *'L' * 14, 'R'])  # as before at both ends of the file
        for start, end in ((5, 8), (8, 11), (1, 11), (10, 16)):
            part, sides = self.run_on(start, end, *track)
            np.testing.assert_array_equal(part, whole[start:end])
        for threads in '1', '4':
            _, sides = self.run_on(5, 11, *track, '--execution-thread-count', threads)
            self.assertEqual(sides, [*'L' * 6])
        _, sides = self.run_on(5, 11, *self.DRAW)
        self.assertEqual(sides, [*'RLLLLR'])

    def test_as_far_as_asked(self):
        """With no frame around, or none outside, it is another person at the edge."""
        track = (*self.DRAW, '--face-tracker-score', '0.3', '--target-frame-amount')
        self.assertEqual(self.run_on(5, 11, *track, '0')[1], [*'RLLLLR'])
        self.assertEqual(self.run_on(5, 11, *track, '1')[1], [*'LLLLLL'])

    def test_held(self):
        """The face blur covers who is not found, for half a second by default."""
        blur = ('--processors', 'face_blur', '--face-blur-mode', 'cover')
        whole, _ = self.run_on(0, None, *blur)
        for start, end in ((5, 6), (10, 11), (0, 1), (15, 16)):
            part, sides = self.run_on(start, end, *blur)
            self.assertEqual(sides, ['LR'])
            np.testing.assert_array_equal(part, whole[start:end])
        self.assertEqual(self.run_on(5, 6, *blur, '--face-blur-hold', '0')[1], ['R'])

    def test_smoothed(self):
        draw = ('--processors', 'face_debugger', '--face-debugger-items', 'face-landmark-5',
                '--face-selector-mode', 'many', '--face-landmark-smoothing', '1')
        whole, _ = self.run_on(0, None, *draw)
        for start, end in ((7, 9), (13, 16)):
            part, _ = self.run_on(start, end, *draw)
            np.testing.assert_array_equal(part, whole[start:end])

    def test_not_checked(self):
        """The content check is about the frames that are put out, as in FaceFusion."""
        clip, red = e2e.scratch('edge-red.mkv'), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        red[..., 2] = 255
        common.write_clip(clip, [red, *self.before[1:6]])
        words = ('headless-run', '--json', '--models-path', self.models, *self.DRAW,
                 '--face-tracker-score', '0.3', '-t', clip, '-o', e2e.scratch('edge-out.mkv'))
        self.assertEqual(e2e.run(*words, *common.MORE).returncode, 3)
        said = e2e.must(*words, '--trim-frame-start', '1', '--trim-frame-end', '4', *common.MORE)
        report = json.loads(said.stdout.splitlines()[-1])
        told = [report[k] for k in ('frames_done', 'content_checked', 'faces_found')]
        self.assertEqual(told, [3, 3, 6])

    def test_beyond_the_end(self):
        common.refused(self, 2, 'the video has no frame 17', 'headless-run', '--models-path',
                       self.models, *self.DRAW, '--face-tracker-score', '0.3', '--trim-frame-start',
                       '17', '-t', self.clip, '-o', e2e.scratch('edge-none.mkv'))
