"""Voice extractors, and what lips are told: which sound, from when on, in whole jobs. The extractors'
arithmetic is tested in tests/test_voice.py."""
import functools
import os
import unittest

import e2e
import hearing
import numpy as np
from twins import tiny

from contracts import common, lip_syncer

KINDS = ['voice_extractor']
CONTRACTS = []
COVERS = ['kim_vocal_1', 'kim_vocal_2', 'uvr_mdxnet']

FPS = 25
COUNT = 8  # frames
GAINS = np.array([[tiny.voice_gain(c, k) for k in range(3072)] for c in range(4)])[:, :, None]
LIPS = 'edtalk_256'
SILENT = np.zeros((0, 80))


def spoken(seed):
    """A second of tones that come and go, [n,2] of 16 bits."""
    rng, t = np.random.default_rng(seed), np.arange(48000) / 48000
    tones = [np.sin(2 * np.pi * f * t) * (np.sin(2 * np.pi * r * t + p) > 0)
             for f, r, p in zip((220, 900, 2500, 5000), rng.uniform(2, 7, 4), rng.uniform(0, 6, 4))]
    left = 4000 * np.sum(tones, 0) + rng.normal(0, 40, 48000)
    return np.rint(np.stack([left, 0.3 * left + rng.normal(0, 400, 48000)], 1)).astype('<i2')


def sound(name, seed):
    """The path of a sound, and what it is."""
    path, samples = e2e.scratch(name), spoken(seed)
    if not os.path.exists(path):
        samples.tofile(path + '.raw')
        e2e.ffmpeg('-f', 's16le', '-ar', '48000', '-ac', '2', '-i', path + '.raw', path)
    return path, samples


def clip(name='heard', seed=None, late=0.0):
    """A clip, with sound that begins late if there is a seed for it."""
    path = e2e.scratch(f'{name}.mkv')
    if not os.path.exists(path):
        silent = e2e.scratch(f'{name}-silent.mkv')
        common.write_clip(silent, [common.drawn(common.ONE.width, common.ONE.height, 40 + i)
                                   for i in range(COUNT)])
        more = ['-itsoffset', str(late), '-i', sound(f'own-{seed}.wav', seed)[0]] if seed else []
        e2e.ffmpeg('-i', silent, *more, '-c', 'copy', path)
    return path


@functools.lru_cache
def voice_of(seed):
    samples = spoken(seed)
    return hearing.columns_of(hearing.voice(samples, lambda x: x * GAINS))


class Voice(unittest.TestCase):
    def job(self, target, *options, models=('kim_vocal_2', LIPS), cache='off'):
        """Frames of the result, and what was said."""
        output = e2e.scratch('voice.mkv')
        done = e2e.must('headless-run', '--models-path', self.models(models), '--processors',
                        'lip_syncer', '--lip-syncer-model', LIPS, '--face-selector-mode', 'many',
                        '--face-landmarker-score', '0', '-t', target, '-o', output,
                        '--output-video-encoder', 'libx264rgb', '--output-video-quality', '100',
                        '--output-video-preset', 'ultrafast', '--cuda-graph-cache', cache,
                        *options, *common.MORE)
        frames = common.read_frames(output)
        os.unlink(output)
        return frames, done.stderr

    @staticmethod
    def models(names):
        """A folder with these and no others of their kinds."""
        folder = e2e.scratch('heard-' + '-'.join(names))
        if not os.path.exists(folder):
            all_of = common.ONE.models([*COVERS, LIPS])
            os.makedirs(folder)
            for name in [*common.ANALYSING, *names]:
                os.symlink(f'{all_of}/{name}.onnx', f'{folder}/{name}.onnx')
        return folder

    def check(self, got, target, columns, number, first=0, fps=FPS, numbers=None):
        """number(i): of frame i, counted from the sound's beginning."""
        numbers = numbers or range(first, COUNT)
        faces = common.ONE.faces(target, ['--face-landmarker-score', '0', *common.MORE])
        before = common.ONE.frames(target)
        self.assertEqual(len(got), len(numbers))
        tags = set()
        for k, i in enumerate(numbers):
            levels = lip_syncer.levels(hearing.window(columns, number(i), fps))
            want = lip_syncer.sync(LIPS, sound=levels)(before[i], faces[i])
            wrong = np.abs(got[k].astype(int) - want)
            with self.subTest(frame=i):
                self.assertLessEqual(wrong.max(), 2)
                self.assertLess((wrong > 0).mean(), 0.01)
            tags.add(levels.tobytes())
        if len(columns):
            self.assertGreater(len(tags), len(numbers) // 2)  # else all times would do

    def test_source(self):
        """An audio file among the sources, with each model."""
        path, _ = sound('source.wav', 1)
        target, columns = clip(), voice_of(1)
        for name in COVERS:
            with self.subTest(model=name):
                got, said = self.job(target, '-s', path, '--voice-extractor-model', name,
                                     models=(name, LIPS))
                self.check(got, target, columns, lambda i: i)
                self.assertNotIn('the sound is taken', said)

    def test_source_first(self):
        """It takes precedence over the target's own sound."""
        path, samples = sound('source.wav', 1)
        target = clip('both', 2, 0.2)
        self.check(self.job(target, '-s', path)[0], target, voice_of(1), lambda i: i)

    def test_source_trimmed(self):
        """It begins with the first frame that is worked on."""
        path, samples = sound('source.wav', 1)
        target = clip()
        for first in (1, 5):
            got, _ = self.job(target, '-s', path, '--trim-frame-start', str(first))
            self.check(got, target, voice_of(1), lambda i, at=first: i - at, first)

    def test_own(self):
        """The target's own sound, 0.2 s after the picture."""
        target = clip('both', 2, 0.2)
        self.check(self.job(target)[0], target, voice_of(2), lambda i: i - 5)

    def test_own_trimmed(self):
        """Its own sound keeps its place."""
        target = clip('both', 2, 0.2)
        got, _ = self.job(target, '--trim-frame-start', '4', '--trim-frame-end', '7')
        self.check(got, target, voice_of(2), lambda i: i - 5, numbers=range(4, 7))

    def test_rate(self):
        """At a lower rate of the output, the alignment is of that rate; frames keep their times."""
        path, samples = sound('source.wav', 1)
        target = clip()
        got, _ = self.job(target, '-s', path, '--output-video-fps', '12.5')
        self.check(got, target, voice_of(1), lambda i: i / 2, fps=12.5,
                   numbers=range(0, COUNT, 2))

    def test_none(self):
        """No sound at all."""
        target = clip()
        got, said = self.job(target)
        self.check(got, target, SILENT, lambda i: i)
        self.assertIn('there is no sound in it', said)

    def test_not_installed(self):
        """The default extractor is not there."""
        path, samples = sound('source.wav', 1)
        target = clip()
        got, said = self.job(target, '-s', path, models=(LIPS,))
        self.check(got, target, hearing.columns_of(samples), lambda i: i)
        self.assertEqual(said.count('the sound is taken as it is'), 1)

    def test_missing(self):
        path, _ = sound('source.wav', 1)
        output = e2e.scratch('missing.mkv')
        common.refused(self, 2, 'uvr_mdxnet is not installed', 'headless-run', '--models-path',
                       self.models((LIPS,)), '--processors', 'lip_syncer', '--lip-syncer-model',
                       LIPS, '-s', path, '-t', clip(), '-o', output, '--voice-extractor-model',
                       'uvr_mdxnet')
        self.assertFalse(os.path.exists(output))

    def test_damaged(self):
        """A sound that is none ends the run, in one sentence."""
        path = e2e.scratch('damaged.wav')
        with open(sound('source.wav', 1)[0], 'rb') as file, open(path, 'wb') as to:
            to.write(file.read(44))
        common.refused(self, 1, 'damaged.wav', 'headless-run', '--models-path',
                       self.models(('kim_vocal_2', LIPS)), '--processors', 'lip_syncer',
                       '--lip-syncer-model', LIPS, '-s', path, '-t', clip(), '-o',
                       e2e.scratch('damaged.mkv'))

    def test_picture(self):
        """A picture is silent, and no voice extractor is asked for."""
        output = e2e.scratch('voice.png')
        result = e2e.must('headless-run', '--models-path', self.models((LIPS,)), '--processors',
                          'lip_syncer', '--lip-syncer-model', LIPS, '-s', sound('source.wav', 1)[0],
                          '-t', common.ONE.picture(), '-o', output, '--voice-extractor-model',
                          'uvr_mdxnet', '--face-landmarker-score', '0', *common.MORE)
        self.assertNotIn('extractor', result.stderr)
        self.assertNotIn('sound', result.stderr)
        target = common.ONE.picture()
        faces = common.ONE.faces(target, ['--face-landmarker-score', '0', *common.MORE])[0]
        want = lip_syncer.sync(LIPS)(common.ONE.frames(target)[0], faces)
        self.assertLessEqual(np.abs(common.read_frames(output)[0].astype(int) - want).max(), 1)

    def test_second_job(self):
        """The voice of the same sound is not extracted again: nothing of the model is needed but its
        file's stamp."""
        path, samples = sound('source.wav', 1)
        target, cache = clip(), e2e.scratch('voices')
        for level in ('info', 'debug'):
            got, said = self.job(target, '-s', path, '--log-level', level, cache=cache)
            self.check(got, target, voice_of(1), lambda i: i)
        self.assertIn('its voice was extracted before', said)
