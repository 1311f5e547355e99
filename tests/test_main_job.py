#!/usr/bin/python3
"""The main job on the sample clip: the face changes, all else stays.

    test_main_job.py PROGRAM
"""
import json
import os
import subprocess
import unittest

import e2e
import numpy as np


class MainJob(unittest.TestCase):
    """One run with the defaults, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        cls.source, cls.target = e2e.sample()
        cls.output = e2e.scratch('output.mp4')
        cls.report = e2e.swap(cls.source, cls.target, cls.output)
        cls.before = e2e.pixels(cls.target)
        cls.after = e2e.pixels(cls.output)
        cls.faces = e2e.analyse(cls.target)

    def test_report(self):
        n = len(self.before)
        self.assertEqual(self.report['status'], 'done')
        self.assertEqual(self.report['frames_done'], n)
        self.assertEqual(self.report['faces_changed'], n)
        self.assertGreater(self.report['content_checked'], 0)
        self.assertEqual(self.report['content_positive'], 0)

    def test_one_face_in_each_frame(self):
        self.assertEqual([len(f['faces']) for f in self.faces], [1] * len(self.before))

    def test_playable(self):
        self.assertEqual(e2e.tool('ffmpeg', '-v', 'warning', '-i', self.output, '-f', 'null', '-'),
                         b'')
        self.assertEqual(self.after.shape, self.before.shape)
        for entries in ('stream=codec_name,width,height,pix_fmt,r_frame_rate,time_base',
                        'stream=color_range,color_space,color_transfer,color_primaries'):
            self.assertEqual(e2e.probe(self.output, entries), e2e.probe(self.target, entries))

    def test_timestamps(self):
        self.assertEqual(e2e.times(self.output), e2e.times(self.target))

    def test_sound_is_copied(self):
        self.assertEqual(e2e.packets(self.output, 'a'), e2e.packets(self.target, 'a'))
        self.assertGreater(len(e2e.packets(self.output, 'a')), 100)

    def test_outside_the_face(self):
        """Over the clip at the detector's box; in each frame where the soft edge has ended."""
        error = count = 0
        for i, frame in enumerate(self.faces):
            outside = ~e2e.inside(self.before.shape[1:3], frame['faces'][0]['box'])
            error += ((self.before[i][outside].astype(float) - self.after[i][outside]) ** 2).sum()
            count += 3 * outside.sum()
            far = ~e2e.inside(self.before.shape[1:3], frame['faces'][0]['box'], 0.3)
            self.assertGreaterEqual(e2e.psnr(self.before[i][far], self.after[i][far]), 40, i)
        self.assertGreaterEqual(10 * np.log10(255 ** 2 / (error / count)), 40)

    def test_inside_the_face(self):
        seen = 0
        for i, frame in enumerate(self.faces):
            face = e2e.inside(self.before.shape[1:3], frame['faces'][0]['box'])
            change = np.abs(self.before[i][face].astype(int) - self.after[i][face]).mean()
            seen += change >= 3
        self.assertGreaterEqual(seen, 0.9 * len(self.faces))

    def test_the_face_stays_a_face(self):
        again = e2e.analyse(self.output)
        for frame, old in zip(again, self.faces):
            faces = [face for face in frame['faces'] if face['score'] > 0.6]  # not a curl of hair
            self.assertEqual(len(faces), 1)
            self.assertGreater(e2e.overlap(faces[0]['box'], old['faces'][0]['box']), 0.7)

    def test_mark(self):
        mark = json.loads(e2e.must('inspect', '--json', self.output).stdout)
        self.assertTrue(mark['present'])
        self.assertIn('face_swapper', json.dumps(mark))
        self.assertIn('digitalsourcetype/compositeWithTrainedAlgorithmicMedia', json.dumps(mark))
        self.assertFalse(json.loads(e2e.must('inspect', '--json', self.target).stdout)['present'])

    def test_nothing_else_is_left(self):
        self.assertEqual(e2e.leftovers(e2e.scratch()), [])


class Others(unittest.TestCase):
    """Other containers, a picture, the debugger, and what `make run` calls."""

    @classmethod
    def setUpClass(cls):
        cls.source, cls.target = e2e.sample()

    def test_containers(self):
        for name in ('short.mkv', 'short.mov'):
            output = e2e.scratch(name)
            report = e2e.swap(self.source, self.target, output, '--trim-frame-start', '20',
                              '--trim-frame-end', '32')
            self.assertEqual(report['frames_done'], 12)
            self.assertEqual(len(e2e.pixels(output)), 12)
            self.assertEqual(e2e.probe(output, 'stream=codec_name', 'a'), ['aac'])

    def test_picture(self):
        output = e2e.scratch('picture.png')
        self.assertEqual(e2e.swap(self.source, e2e.PICTURE, output)['faces_changed'], 1)
        before, after = e2e.pixels(e2e.PICTURE)[0], e2e.pixels(output)[0]
        box = e2e.analyse(e2e.PICTURE)[0]['faces'][0]['box']
        face = e2e.inside(before.shape, box)
        self.assertGreaterEqual(np.abs(before[face].astype(int) - after[face]).mean(), 3)
        far = ~e2e.inside(before.shape, box, grow=1)
        np.testing.assert_array_equal(before[far], after[far])

    def test_no_reports(self):
        """ONNX Runtime makes no store of what was run, to be sent, and no log beside it."""
        folder = e2e.scratch('own-folders')
        env = {'XDG_CACHE_HOME': f'{folder}/cache', 'TMPDIR': f'{folder}/tmp',
               'HOME': f'{folder}/home'}
        for path in env.values():
            os.makedirs(path, exist_ok=True)
        env = {k: v for k, v in os.environ.items() if 'TELEMETRY' not in k} | env
        e2e.must('analyse', '--models-path', e2e.MODELS, self.source, env=env)
        left = [name for _, _, files in os.walk(folder) for name in files]
        self.assertLessEqual(set(left), {'model-sums.txt'})  # ours

    def test_debugger(self):
        output = e2e.scratch('debug.png')
        e2e.must('headless-run', '--processors', 'face_debugger', '--face-debugger-items',
                 'bounding-box', 'face-landmark-68', '-t', e2e.PICTURE, '-o', output)
        self.assertFalse(np.array_equal(e2e.pixels(e2e.PICTURE), e2e.pixels(output)))

    def test_both_processors(self):
        output = e2e.scratch('both.png')
        e2e.must('headless-run', '--processors', 'face_swapper', 'face_debugger', '-s', self.source,
                 '-t', e2e.PICTURE, '-o', output)
        mark = json.loads(e2e.must('inspect', '--json', output).stdout)
        self.assertIn('face_swapper face_debugger', json.dumps(mark))

    def test_script_of_make_run(self):
        build = os.path.dirname(e2e.program)
        output = e2e.scratch('of script.mp4')
        done = subprocess.run([e2e.ROOT + '/scripts/run.sh'], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=e2e.TIMEOUT,
                              env={**os.environ, 'BUILD': build, 'OUTPUT': output, 'SOURCE': '',
                                   'TARGET': ''})
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(e2e.pixels(output)), len(e2e.pixels(self.target)))
        self.assertIn(output, done.stdout)
        both = e2e.pixels(e2e.ROOT + '/out/before-after.png')
        self.assertGreater(both.shape[2], both.shape[1])


if __name__ == '__main__':
    e2e.main()
