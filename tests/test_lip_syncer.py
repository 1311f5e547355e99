#!/usr/bin/python3
"""Lips and sound stay together: a clip with a tone every second, and a network that paints the mouth
by what it hears. Every model's contract: tests/contracts/lip_syncer.py.

    test_lip_syncer.py PROGRAM [--all] [TEST...]

With --all clips are longer.
"""
import functools
import itertools
import json
import os
import shutil
import sys
import unittest

import e2e
import numpy as np
from contracts import common
from twins import tiny
from twins.net import Net

SCENE = common.ONE
SECONDS, FEW = (12, 6) if '--all' in sys.argv else (6, 4)  # of clips
TONE = 0.4            # seconds of a tone, which begins with the second
RATES = {'24000/1001': 24000 / 1001, '25': 25.0, '30000/1001': 30000 / 1001}
BLUR = 0.03               # seconds: half a window of the spectrogram, and a little
COLUMN = 1 / 80
NUMBERS = itertools.count()


# ---- a network that hears -----------------------------------------------------------------------

def painter(path):
    """B of the tensor: the loudest band of the window's first column; G: of its last; R: of all.
    Silence is black, a tone bright."""
    n = Net('painter', 1)
    sound = n.input('source', [1, 1, 80, 16])
    loud = n.reduce('ReduceMax', sound, [2])  # [1,1,1,16]
    parts = [n.slice(loud, 3, 0, 1), n.slice(loud, 3, 15, 16), n.reduce('ReduceMax', loud, [3])]
    y = n.add(n.mul(n.concat(parts), 0.15), 0.3)
    x = n.mul(n.slice(n.input('target', [1, 6, 96, 96]), 1, 3, 6), 0.0)
    n.output(n.add(x, y), 'output')
    n.g.save(path)


def models(name='lips', faces=SCENE, voice=False):
    """A folder with the painter and what finds the scene's faces."""
    folder = e2e.scratch(f'{name}-painter')
    if not os.path.exists(folder):
        shutil.copytree(faces.models(), folder)
        painter(f'{folder}/wav2lip_gan_96.onnx')
        if voice:
            tiny.build('kim_vocal_2').g.save(f'{folder}/kim_vocal_2.onnx')
    return folder


def tones(seconds, frequency=440):
    """A filter that makes a tone at the begin of each second, and silence between."""
    return (f'aevalsrc=exprs=0.5*sin({frequency}*2*PI*t)*lt(mod(t\\,1)\\,{TONE}):s=48000:'
            f'd={seconds}:c=stereo')


def wav(name, seconds):
    path = e2e.scratch(name)
    if not os.path.exists(path):
        e2e.ffmpeg('-f', 'lavfi', '-i', tones(seconds), '-c:a', 'pcm_s16le', path)
    return path


def clip(name, rate='25', seconds=SECONDS, sound=True, late=0.0, vary=''):
    """The scene's picture for some seconds."""
    path, mute = e2e.scratch(name), e2e.scratch(f'mute-{name}')
    if os.path.exists(path):
        return path
    words = ['-vf', f'settb=1/1000,setpts={vary}', '-fps_mode', 'passthrough',
             '-enc_time_base', '1:1000'] if vary else []
    e2e.ffmpeg('-loop', '1', '-framerate', rate, '-i', SCENE.picture(), '-t', str(seconds), *words,
               '-c:v', 'libx264rgb', '-qp', '0', '-preset', 'ultrafast', mute if sound else path)
    if sound:
        e2e.ffmpeg('-i', mute, '-itsoffset', str(late), '-f', 'lavfi', '-i', tones(seconds - late),
                   '-c:v', 'copy', '-c:a', 'pcm_s16le', path)
    return path


@functools.lru_cache(maxsize=None)
def sync(target, *options, folder=None, kind='mkv'):
    """The output's path, and what was said. What ran before is not run again."""
    output = e2e.scratch(f'synced-{next(NUMBERS)}.{kind}')
    words = ['headless-run', '--models-path', folder or models(), '--processors', 'lip_syncer',
             '--face-landmarker-score', '0', '-t', target, '-o', output]
    if kind == 'mkv':
        words += ['--output-video-encoder', 'libx264rgb', '--output-video-quality', '100',
                  '--output-video-preset', 'ultrafast']
    return output, e2e.must(*words, *options).stderr


def mouths(path, scene=SCENE):
    """B, G, R of each frame's mouths, [frames][faces][3]."""
    faces = scene.faces(scene.picture(), ['--face-landmarker-score', '0'])[0]
    at = [np.mean(face['landmark_68'][48:68], axis=0).round().astype(int) for face in faces]
    frames = e2e.pixels(path)
    return np.array([[frame[y, x] for x, y in at] for frame in frames])


def seconds_of(path):
    return np.array([float(t) for t in e2e.times(path)])


# ---- the sound that belongs to a frame ----------------------------------------------------------

class Hears(unittest.TestCase):
    def follow(self, output, start, fps, end=SECONDS, unsure=0.0):
        """The windows of all frames but those at which the edge of a tone could fall either way.

        start: of the sound, seconds from the output's first frame. end: of the sound. unsure: seconds
        that a window may lie later, where the frame rate is not known."""
        times, seen = seconds_of(output), mouths(output)[:, 0].astype(int)
        self.assertEqual(len(times), len(seen))
        # FaceFusion's advance is rounded up to whole frames.
        ahead = np.ceil(fps / 5) / fps - 0.2
        checked = {False: 0, True: 0}
        slack = BLUR + COLUMN + unsure
        for t, (first, last, _) in zip(times, seen):
            for value, column in ((first, 0), (last, 15)):
                at = t - start + ahead + column * COLUMN
                since = at % 1.0 if 0 <= at < end else 0.5
                if min(since, abs(since - TONE), 1 - since, abs(at - end)) < slack:
                    continue
                heard = since < TONE
                checked[heard] += 1
                self.assertEqual(value > 60, heard, f'frame at {t}, column {column}: {value}')
        # Tones, and silence, were seen as often as they should be.
        rate = len(times) / times[-1]
        self.assertGreater(TONE, 2 * slack)
        self.assertGreater(checked[True], (TONE - 2 * slack) * rate * (min(end, times[-1]) - 1))
        self.assertGreater(checked[False], 0.5 * rate * times[-1])

    def edges(self, output, start, fps, count):
        """The frame at which a tone is first heard in the first column is that at which it begins,
        give or take one."""
        times, first = seconds_of(output), mouths(output)[:, 0, 0].astype(int)
        ahead = np.ceil(fps / 5) / fps - 0.2
        on = np.flatnonzero((first[1:] > 60) & (first[:-1] <= 60)) + 1
        on = on if first[0] <= 60 else [0, *on]
        self.assertIn(len(on), (count - 1, count))
        for frame in on:
            at = times[frame] - start + ahead
            self.assertLess(abs(at - round(at)), 1.001 / fps + COLUMN, f'frame {frame}')

    def test_constant_rates(self):
        for rate, fps in RATES.items():
            with self.subTest(rate):
                path = clip(f'{rate.replace("/", "-")}.mkv', rate)
                output, _ = sync(path)
                self.follow(output, 0, fps)
                self.edges(output, 0, fps, SECONDS)

    def test_source(self):
        """A sound file among the sources, with the same tones, for a target without sound."""
        for rate, fps in RATES.items():
            with self.subTest(rate):
                path = clip(f'{rate.replace("/", "-")}-mute.mkv', rate, 5, sound=False)
                output, _ = sync(path, '-s', wav('tones.wav', SECONDS))
                self.follow(output, 0, fps)
                self.edges(output, 0, fps, 5)

    def test_variable_rate(self):
        """Frames at 15 a second whose times swing by 0.2 s."""
        path = clip('vary.mkv', seconds=FEW, vary='round((N/15+0.2*sin(N/12))/TB)')
        steps = np.diff(seconds_of(path))
        self.assertGreater(steps.max() / steps.min(), 1.5)
        for words in ([], ['-s', wav('few.wav', FEW)]):
            output, _ = sync(path, *words)
            self.assertEqual(e2e.times(output), e2e.times(path))
            self.follow(output, 0, 25, FEW, unsure=0.05)

    def test_trimmed(self):
        """The target's own sound stays in its place; a source's begins with the first frame."""
        path = clip('few.mkv', seconds=FEW)
        output, _ = sync(path, '--trim-frame-start', '37')
        self.assertEqual(len(seconds_of(output)), 25 * FEW - 37)
        self.follow(output, -37 / 25, 25, FEW)
        output, _ = sync(path, '--trim-frame-start', '37', '-s', wav('few.wav', FEW))
        self.follow(output, 0, 25, FEW)
        self.edges(output, 0, 25, FEW - 1)

    def test_late_sound(self):
        path = clip('late.mkv', seconds=FEW, late=0.7)
        output, _ = sync(path)
        self.follow(output, 0.7, 25, FEW - 0.7)

    def test_short_and_long_sound(self):
        path = clip('25-mute.mkv', seconds=5, sound=False)
        output, _ = sync(path, '-s', wav('short.wav', 3))
        self.follow(output, 0, 25, end=3)
        output, _ = sync(path, '-s', wav('long.wav', 40))
        self.follow(output, 0, 25, end=40)

    def test_extracted_voice(self):
        """Through a voice extractor (a tiny one, that weakens high tones)."""
        output, said = sync(clip('three.mkv', seconds=3), folder=models('voice', voice=True))
        self.assertNotIn('the sound is taken as it is', said)
        self.follow(output, 0, 25, end=3)
        _, said = sync(clip('three.mkv', seconds=3))
        self.assertEqual(said.count('the sound is taken as it is'), 1)

    def test_output_rate(self):
        """Frames that are left out or repeated: each hears what belongs to the time it is taken from."""
        for rate in ('12.5', '50'):
            output, _ = sync(clip('three.mkv', seconds=3), '--output-video-fps', rate)
            self.assertEqual(len(seconds_of(output)), round(3 * float(rate)))
            self.follow(output, 0, min(float(rate), 25), 3, unsure=0.04)

    def test_threads(self):
        """Also in two passes, with the tracker."""
        want = None
        for words in (('--execution-thread-count', '1'), ('--execution-thread-count', '2'),
                      ('--face-tracker-score', '0.3')):
            output, _ = sync(clip('three.mkv', seconds=3), *words)
            got = e2e.pixels(output)
            want = got if want is None else want
            self.assertTrue(np.array_equal(got, want))


# ---- what is heard of the output ----------------------------------------------------------------

class Sound(unittest.TestCase):
    def onsets(self, path):
        """Seconds from the first frame at which tones begin."""
        pcm = e2e.ffmpeg('-i', path, '-map', '0:a:0', '-af', 'aresample=48000:async=1:first_pts=0',
                         '-ac', '1', '-f', 's16le', '-')
        loud = np.abs(np.frombuffer(pcm, np.int16)) > 500
        on = np.flatnonzero(loud)
        starts = on[np.concatenate([[True], np.diff(on) > 4800])] / 48000
        return starts - seconds_of(path)[0]

    def near(self, path, want):
        got = self.onsets(path)
        self.assertEqual(len(got), len(want))
        self.assertLess(np.abs(got - want).max(), 0.001)

    def test_step(self):
        """Tones of the output begin when they should, to a thousandth of a second."""
        for target, words, want in (
                (clip('25.mkv'), (), np.arange(SECONDS)),
                (clip('late.mkv', seconds=FEW, late=0.7), (), np.arange(FEW) + 0.7),
                (clip('few.mkv', seconds=FEW), ('-s', wav('few.wav', FEW)), np.arange(FEW))):
            with self.subTest(target, words=words):
                want = want[want < seconds_of(target)[-1]]
                self.near(target, want)
                output, _ = sync(target, *words)
                self.near(output, want)

    def test_trimmed(self):
        cut, path = 37 / 25, clip('few.mkv', seconds=FEW)
        output, _ = sync(path, '--trim-frame-start', '37')
        self.near(output, [k - cut for k in range(2, FEW)])
        output, _ = sync(path, '--trim-frame-start', '37', '-s', wav('few.wav', FEW))
        self.near(output, range(FEW - 1))

    def test_own_sound_is_copied(self):
        path = clip('few.mkv', seconds=FEW)
        output, _ = sync(path)
        self.assertEqual(e2e.packets(output, 'a'), e2e.packets(path, 'a'))


# ---- what may be missing or odd -----------------------------------------------------------------

class Odd(unittest.TestCase):
    def rests(self, output, scene=SCENE):
        self.assertEqual(mouths(output, scene).max(), 0)

    def refused(self, code, said, target, *options):
        output = e2e.scratch('refused.mkv')
        common.refused(self, code, said, 'headless-run', '--models-path', models(), '--processors',
                       'lip_syncer', '-t', target, '-o', output, *options)
        self.assertFalse(os.path.exists(output))

    def test_no_sound(self):
        """Silence, and one line that says so."""
        output, said = sync(clip('mute.mkv', seconds=1, sound=False))
        self.assertEqual(said.count('there is no sound'), 1, said)
        self.rests(output)

    def test_picture(self):
        """It has no time, so the sound is silence; as in FaceFusion."""
        for words in ([], ['-s', wav('short.wav', 3)]):
            output, _ = sync(SCENE.picture(), *words, kind='png')
            self.rests(output)

    def test_several_faces(self):
        target = e2e.scratch('pair.mkv')
        e2e.ffmpeg('-loop', '1', '-framerate', '25', '-i', common.PAIR.picture(), '-f', 'lavfi',
                   '-i', tones(2), '-t', '2', '-c:v', 'libx264rgb', '-qp', '0', '-preset',
                   'ultrafast', '-c:a', 'pcm_s16le', target)
        output, _ = sync(target, '--face-selector-mode', 'many', folder=models('two', common.PAIR))
        seen = mouths(output, common.PAIR).astype(int)
        self.assertEqual(seen.shape[1], 2)
        self.assertGreater(seen.max(), 60)
        # The colours are the same, but for a mask that is a little below 1 in the smaller one.
        self.assertLess(np.abs(seen[:, 0] - seen[:, 1]).max(), 12)

    def test_no_face(self):
        target = clip('short.mkv', seconds=1)
        output, _ = sync(target, folder=models('nobody', common.NOBODY))
        self.assertTrue(np.array_equal(e2e.pixels(output), e2e.pixels(target)))

    def test_tiny_frames(self):
        target = e2e.scratch('tiny.mkv')
        e2e.ffmpeg('-loop', '1', '-framerate', '25', '-i', common.SPECK.picture(), '-f', 'lavfi',
                   '-i', tones(1), '-t', '0.4', '-vf', 'scale=18:10', '-c:v', 'libx264rgb', '-qp',
                   '0', '-c:a', 'pcm_s16le', target)
        output, _ = sync(target, folder=models('speck', common.SPECK))
        self.assertEqual(e2e.pixels(output).shape, (10, 10, 18, 3))

    def test_unreadable_sound(self):
        path = e2e.scratch('noise.wav')
        with open(path, 'wb') as file:
            file.write(np.random.default_rng(1).bytes(20000))
        self.refused(1, 'noise.wav', clip('mute.mkv', seconds=1, sound=False), '-s', path)

    def test_sound_file_without_sound(self):
        """A video among the sources is no sound, whatever its name."""
        path = e2e.scratch('mute.m4a')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=s=64x64:d=1', '-c:v', 'mpeg4', '-f', 'mp4', path)
        self.refused(1, 'mute.m4a', clip('mute.mkv', seconds=1, sound=False), '-s', path)

    def test_broken_numbers(self):
        """A network that gives what is not a number."""
        folder = models('broken')
        n = Net('broken', 1)
        x = n.slice(n.input('target', [1, 6, 96, 96]), 1, 0, 3)
        x = n.add(x, n.mul(n.reduce('ReduceMean', n.input('source', [1, 1, 80, 16]), [2, 3]), 0.0))
        n.output(n.op('Div', x, n.mul(x, 0.0)), 'output')
        n.g.save(f'{folder}/wav2lip_gan_96.onnx')
        sync(clip('short.mkv', seconds=1), folder=folder)

    def test_mark(self):
        output, _ = sync(clip('short.mkv', seconds=1))
        mark = json.loads(e2e.must('inspect', '--json', output).stdout)
        self.assertIn('lip_syncer=wav2lip_gan_96', json.dumps(mark))


if __name__ == '__main__':
    e2e.main(standins=True)
