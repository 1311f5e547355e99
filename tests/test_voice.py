#!/usr/bin/python3
"""Voices of sounds against a NumPy version (hearing.py), on made-up networks.

    test_voice.py SPEECH_RUN [TEST...]
"""
import glob
import os
import subprocess
import sys
import unittest
import zlib

import e2e
import hearing
import numpy as np

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
from twins import tiny  # noqa: E402
from twins.net import Net  # noqa: E402

# Single precision against double: of the largest number.
CLOSE = 5e-6
GAINS = np.array([[tiny.voice_gain(c, k) for k in range(3072)] for c in range(4)])[:, :, None]


def folder():
    path = e2e.scratch(f'voice-{len(os.listdir(e2e.scratch()))}')
    os.mkdir(path)
    return path


def tiny_model(models, name='kim_vocal_2'):
    tiny.build(name).g.save(f'{models}/{name}.onnx')
    return models


def network(models, make, columns=256, free=None, name='kim_vocal_2', dims=None, called='input'):
    """A voice extractor of which make(net, input) gives the output."""
    n = Net('voice', 1)
    x = n.input(called, dims or [1, 4, 3072, columns], free=free)
    n.output(make(n, x), 'output', free=free)
    n.g.save(f'{models}/{name}.onnx')
    return models


def write(samples, rate=48000, channels=2, how=()):
    path = e2e.scratch(f'sound-{len(os.listdir(e2e.scratch()))}.wav')
    raw = path + '.raw'
    np.asarray(samples, '<i2').tofile(raw)
    e2e.ffmpeg('-f', 's16le', '-ar', str(rate), '-ac', str(channels), '-i', raw, *how, path)
    return path


def drawn(n, seed=1):
    """[n,2] of 16 bits: gliding tones and noise, louder and quieter, both sides different."""
    rng, t = np.random.default_rng(seed), np.arange(n) / 48000
    out = np.empty((n, 2))
    for c in range(2):
        out[:, c] = (6000 * np.sin(2 * np.pi * (200 + 100 * c + 40 * t) * t) +
                     3000 * np.sin(2 * np.pi * (3000 - 500 * c) * t) + rng.normal(0, 800, n))
    return np.clip(out * (0.6 + 0.4 * np.sin(3 * t))[:, None], -32768, 32767).astype(np.int16)


def run(models, path, *options, cache='off', **environment):
    """(exit code, columns or None, start, what was said)"""
    out = e2e.scratch('speech.raw')
    done = subprocess.run([program, models, path, out, *options, 'cuda-graph-cache', cache],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          timeout=600, env={**os.environ, **environment})
    if done.returncode or done.stdout == 'none\n':
        return done.returncode, None, None, done.stderr
    count, start = done.stdout.split()
    columns = np.fromfile(out, np.float32).reshape(int(count), 80)
    return 0, columns, float(start), done.stderr


class Voice(unittest.TestCase):
    def check(self, models, path, samples, net, columns=256, close=CLOSE, *options):
        code, got, start, said = run(models, path, *options)
        self.assertEqual(code, 0, said)
        want = hearing.columns_of(samples if net is None else
                                  hearing.voice(samples, net, columns))
        self.assertEqual(got.shape, want.shape)
        self.assertEqual(start, 0)
        self.assertGreater(want.max(), 0.001)
        self.assertLessEqual(np.abs(got - want).max(), close * want.max())
        return said

    def test_models(self):
        """Each by its name, under FaceFusion's contract."""
        samples = drawn(100000)
        path = write(samples)
        for name in ('kim_vocal_1', 'kim_vocal_2', 'uvr_mdxnet'):
            models = tiny_model(folder(), name)
            with self.subTest(model=name):
                said = self.check(models, path, samples, lambda x: x * GAINS, 256, CLOSE,
                                  'voice-extractor-model', name)
                self.assertNotIn('the sound is taken', said)

    def test_same(self):
        """A network that gives back what it gets: the sound itself, but where a part begins or ends:
        such an edge reaches into the highest bins, which are not kept. Lengths around those of pieces
        and parts, and where they overlap."""
        models = network(folder(), lambda n, x: n.mul(x, 1.0))
        for n in (1, 2, 4800, 184321, 245760, 245761, 430080):
            with self.subTest(samples=n):
                samples = drawn(n, n)
                code, got, _, said = run(models, write(samples))
                self.assertEqual(code, 0, said)
                want = hearing.columns_of(samples) if n > 1 else np.zeros((1, 80))
                self.assertEqual(got.shape, want.shape)
                if n > 100000:
                    off = np.abs(got - want) / want.max()
                    self.assertLess(np.quantile(off, 0.9), 1e-4)
                    self.assertLess(off.max(), 0.01)

    def test_edges(self):
        """What a network makes of a piece depends on all of it: a reversal in time shows where pieces
        begin, how they overlap, and what is cut."""
        models = network(folder(), lambda n, x: n.slice(x, 3, -1, -2**31, -1))
        samples = drawn(400000)
        self.check(models, write(samples), samples, lambda x: x[:, :, ::-1])

    def test_planes(self):
        """Left and right, real and imaginary, in their order."""
        models = network(folder(), lambda n, x: n.add(n.mul(x, n.const([1.0, 1.0, 0.25, 0.25],
                                                                       [1, 4, 1, 1])),
                                                      n.concat(n.split(x, [1, 1, 1, 1])[::-1])))
        samples = drawn(260000)

        def net(x):
            return x * np.array([1, 1, .25, .25])[:, None, None] + x[::-1]
        self.check(models, write(samples), samples, net)

    def test_columns(self):
        """Other numbers of columns, also where the file leaves it open."""
        samples = drawn(230000)
        path = write(samples)
        for columns, free in ((9, None), (64, None), (300, None), (256, {3: 'time'})):
            models = network(folder(), lambda n, x: n.mul(x, n.const(list(GAINS.reshape(-1)),
                                                                     [1, 4, 3072, 1])),
                             columns, free)
            with self.subTest(columns=columns, free=free):
                self.check(models, path, samples, lambda x: x * GAINS, columns)

    def test_numbers(self):
        """A network whose output is not all numbers: where they are none is silence."""
        samples = drawn(100000)
        path = write(samples)
        for bad in (float('nan'), float('inf'), 3e38):
            models = network(folder(), lambda n, x: n.add(x, n.const([bad], [1])))
            code, got, _, said = run(models, path)
            self.assertEqual(code, 0, said)
            self.assertTrue(np.isfinite(got).all() and (got >= 0).all())

    def test_refused(self):
        path = write(drawn(5000))
        cases = [
            (network(folder(), lambda n, x: x, dims=[1, 2, 3072, 256]), "input 'input' is float32"),
            (network(folder(), lambda n, x: x, dims=[1, 4, 2048, 256]), "input 'input' is float32"),
            (network(folder(), lambda n, x: x, 8), 'it takes 8 columns'),
            (network(folder(), lambda n, x: x, 5000), 'it takes 5000 columns'),
            (network(folder(), lambda n, x: n.slice(x, 1, 0, 2)), 'its output is not like its input'),
            (network(folder(), lambda n, x: x, called='sound'), "no input 'input'"),
        ]
        for models, said in cases:
            code, _, _, stderr = run(models, path)
            with self.subTest(said=said):
                self.assertEqual(code, 1, stderr)
                self.assertIn(said, stderr)
        models = folder()
        with open(f'{models}/kim_vocal_2.onnx', 'wb') as file:
            file.write(b'no model')
        code, _, _, stderr = run(models, path)
        self.assertEqual(code, 1, stderr)


class Sound(unittest.TestCase):
    """Without a voice extractor."""

    def test_as_it_is(self):
        samples = drawn(150000)
        code, got, _, said = run(folder(), write(samples))
        self.assertEqual(code, 0)
        self.assertEqual(said.count('\n'), 1)
        self.assertIn('voice extractor kim_vocal_2 is not installed; the sound is taken as it is', said)
        want = hearing.columns_of(samples)
        self.assertLessEqual(np.abs(got - want).max(), CLOSE * want.max())

    def test_named(self):
        """One that was asked for and is missing ends the run."""
        code, _, _, said = run(folder(), write(drawn(5000)), 'voice-extractor-model', 'uvr_mdxnet')
        self.assertEqual(code, 2)
        self.assertIn('uvr_mdxnet is not installed', said)

    def test_kinds(self):
        """As the ffmpeg program hears it."""
        samples = drawn(120000)
        for name, how in (('a.wav', ['-ar', '8000', '-ac', '1']), ('b.wav', ['-c:a', 'pcm_s24le',
                          '-ar', '96000']), ('c.flac', ['-ac', '6']), ('d.mp3', []), ('e.opus', []),
                          ('f.m4a', ['-ar', '44100'])):
            path = e2e.scratch(name)
            e2e.ffmpeg('-i', write(samples), *how, path)
            heard = np.frombuffer(e2e.ffmpeg('-i', path, '-ac', '2', '-ar', '48000', '-f', 's16le', '-'),
                                  '<i2').reshape(-1, 2)
            code, got, _, said = run(folder(), path)
            want = hearing.columns_of(heard)
            with self.subTest(file=name):
                self.assertEqual(code, 0, said)
                self.assertEqual(got.shape, want.shape)
                self.assertLessEqual(np.abs(got - want).max(), CLOSE * want.max())

    def test_silence(self):
        models = tiny_model(folder())
        code, got, _, said = run(models, write(np.zeros((60000, 2))))
        self.assertEqual(code, 0, said)
        self.assertEqual(len(got), 101)
        self.assertFalse(got.any())

    def test_nothing(self):
        models = tiny_model(folder())
        video = e2e.scratch('mute.mkv')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=32x32:d=1', video)
        self.assertEqual(run(models, video)[:2], (0, None))
        code, _, _, said = run(models, write(np.zeros((0, 2))))
        self.assertEqual(code, 1)
        self.assertIn('sound', said)
        code, _, _, said = run(models, '/nowhere.wav')
        self.assertEqual(code, 1)

    def test_place(self):
        """A video's own sound that cannot be decoded is no failure."""
        video, broken = e2e.scratch('v.mkv'), e2e.scratch('broken.mkv')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=32x32:d=2', '-itsoffset', '0.5', '-i',
                   write(drawn(50000)), '-c:a', 'flac', video)
        code, got, start, _ = run(folder(), video, 'place', '0')
        self.assertEqual(code, 0)
        self.assertAlmostEqual(start, 0.5, delta=0.002)
        self.assertEqual(len(got), 50000 // 3 // 200 + 2)
        self.assertEqual(run(folder(), video, 'place', '0.25')[2], start - 0.25)
        with open(video, 'rb') as file:
            data = file.read()
        with open(broken, 'wb') as file:
            file.write(data.replace(b'A_FLAC', b'A_XLAC'))
        code, got, _, said = run(folder(), broken, 'place', '0')
        self.assertEqual((code, got), (0, None))
        self.assertIn('broken.mkv', said)
        self.assertEqual(run(folder(), broken)[0], 1)


class Cache(unittest.TestCase):
    def setUp(self):
        self.models, self.cache = folder(), folder()
        tiny_model(self.models)
        self.samples = drawn(90000)
        self.path = write(self.samples)

    def hear(self, path=None, models=None, *options):
        code, got, _, said = run(models or self.models, path or self.path, *options,
                                 'log-level', 'debug', cache=self.cache)
        self.assertEqual(code, 0, said)
        return got

    def kept(self):
        return sorted(glob.glob(f'{self.cache}/speech/*'))

    def test_again(self):
        first = self.hear()
        self.assertEqual(len(self.kept()), 1)
        before = os.stat(self.kept()[0])
        # The same sound under another name, and in another form.
        flac = e2e.scratch('again.flac')
        e2e.ffmpeg('-i', self.path, flac)
        for path in (self.path, flac):
            self.assertTrue((self.hear(path) == first).all())
        self.assertEqual(len(self.kept()), 1)
        self.assertEqual(os.stat(self.kept()[0]).st_ino, before.st_ino)

    def test_used(self):
        """What is kept is used: other columns, rightly kept, are taken. But not for another model."""
        first = self.hear()
        path = self.kept()[0]
        with open(path, 'rb') as file:
            head = bytearray(file.read()[:96])
        twice = (first * 2).tobytes()
        head[88:92] = zlib.crc32(twice).to_bytes(4, 'little')
        with open(path, 'wb') as file:
            file.write(head + twice)
        self.assertTrue((self.hear() == first * 2).all())
        os.unlink(f'{self.models}/kim_vocal_2.onnx')
        network(self.models, lambda n, x: n.mul(x, 0.0))
        self.assertFalse(self.hear().any())
        self.assertEqual(len(self.kept()), 2)

    def test_other_sound(self):
        self.hear()
        changed = self.samples.copy()
        changed[45000, 1] ^= 1
        self.hear(write(changed))
        self.hear(write(self.samples[:-1]))
        self.assertEqual(len(self.kept()), 3)

    def test_broken(self):
        first = self.hear()
        path = self.kept()[0]
        for size in (0, 50, 4000):
            os.truncate(path, size)
            self.assertTrue((self.hear() == first).all())
            self.assertGreater(os.stat(path).st_size, first.nbytes)

    def test_off(self):
        run(self.models, self.path, XDG_CACHE_HOME=self.cache)
        self.assertEqual(self.kept(), [])
        self.assertFalse(os.path.exists(f'{self.cache}/reprise/cache/speech'))


if __name__ == '__main__':
    if len(sys.argv) < 2:
        print(f'usage: {sys.argv[0]} SPEECH_RUN [TEST...]')
        sys.exit(2)
    program = os.path.abspath(sys.argv.pop(1))
    os.environ['REPRISE_OFFLINE'] = '1'
    unittest.main(verbosity=1)
