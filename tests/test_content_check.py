#!/usr/bin/python3
"""The content check through whole jobs: input, verdict and vote of each network, which frames are
looked at, what is missing or another file.

    test_content_check.py PROGRAM

The networks are made up: their answer is a vector that is written down here, or how far their input
is from what it should be. Real weights pass real media where those are there.
"""
import hashlib
import itertools
import json
import os
import re
import struct
import sys
import unittest

import e2e
import numpy as np

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
import onnx_writer as w  # noqa: E402

SIDE = {'nsfw_1': 640, 'nsfw_2': 384, 'nsfw_3': 448, 'nsfwjs': 224}
HALF, CLIP = ((.5,) * 3, (.5,) * 3), ((0.48145466, 0.4578275, 0.40821073),
                                      (0.26862954, 0.26130258, 0.27577711))
NORM = {'nsfw_1': ((0,) * 3, (1,) * 3), 'nsfw_2': HALF, 'nsfw_3': CLIP}
THREE = ('nsfw_1', 'nsfw_2', 'nsfw_3')

# What each network says of a safe and of an unsafe picture. nsfw_1: four rows of boxes, which are
# large numbers and no scores, then a row a class.
BOXES = [320, 640, 100, 200, 500, 600, 700, 800]
SAFE = {'nsfw_1': [*BOXES, .1, .2], 'nsfw_2': [1.25, 1], 'nsfw_3': [1, 2, 6.5, 7],
        'nsfwjs': [0, .25, .5, .25, 0]}
UNSAFE = {'nsfw_1': [*BOXES, .1, .21], 'nsfw_2': [1.5, 1], 'nsfw_3': [1, 2, 7, 7],
          'nsfwjs': [0, .25, .4, .35, 0]}
SHAPE = {'nsfw_1': [1, 5, 2], 'nsfw_2': [1, 2], 'nsfw_3': [1, 4], 'nsfwjs': [1, 5]}


def network(name, path, vector):
    """The same answer whatever it sees."""
    side = SIDE[name]
    g = w.Graph(name)
    g.input('input', w.FLOAT, [1, 3, side, side])
    g.initializer('zero', w.FLOAT, [], w.floats([0]))
    g.initializer('vector', w.FLOAT, SHAPE[name], w.floats(vector))
    g.node('ReduceMean', ['input'], ['mean'], keepdims=0)
    g.node('Mul', ['mean', 'zero'], ['nothing'])
    g.node('Add', ['vector', 'nothing'], ['output'])
    g.output('output', w.FLOAT, SHAPE[name])
    g.save(path)


def comparer(name, path, expected, tolerance):
    """Unsafe where the input differs from `expected` by more than the tolerance."""
    weight = {'nsfw_1': [0] * 8 + [0, .2], 'nsfw_2': [.25, 0], 'nsfw_3': [0, 0, 0, 10.5]}[name]
    g = w.Graph(name)
    g.input('input', w.FLOAT, list(expected.shape))
    g.initializer('expected', w.FLOAT, list(expected.shape),
                  np.ascontiguousarray(expected, '<f4').tobytes())
    g.initializer('steep', w.FLOAT, [], w.floats([1 / tolerance]))
    g.initializer('weight', w.FLOAT, SHAPE[name], w.floats(weight))
    g.node('Sub', ['input', 'expected'], ['difference'])
    g.node('Abs', ['difference'], ['size'])
    g.node('ReduceMax', ['size'], ['most'], keepdims=0)
    g.node('Mul', ['most', 'steep'], ['parts'])
    g.node('Mul', ['weight', 'parts'], ['output'])
    g.output('output', w.FLOAT, SHAPE[name])
    g.save(path)


class Job(unittest.TestCase):
    def job(self, folder, target, *more, **kwargs):
        """Exit code, report of a job that ran, and what it said. folder None: no --models-path."""
        output = e2e.scratch('out' + os.path.splitext(target)[1])
        if os.path.exists(output):
            os.unlink(output)
        where = ('--models-path', folder) if folder else ()
        result = e2e.run('headless-run', '--json', '--processors', 'face_debugger', '-t', target,
                         '-o', output, *where, *more, **kwargs)
        self.assertEqual(os.path.exists(output), result.returncode == 0, result.stderr)
        report = json.loads(result.stdout.splitlines()[-1]) if result.returncode == 0 else None
        return result.returncode, report, result.stderr


class Case(Job):
    """Networks whose answers are known."""
    number = itertools.count()

    @classmethod
    def setUpClass(cls):
        if not e2e.takes_standins():
            raise unittest.SkipTest('the program takes no stand-ins (-Dcheck_standins=true)')

    def models(self, nsfwjs=None, **vectors):
        """A model folder with networks that give these vectors; a str is a file."""
        folder = e2e.model_folder(f'models{next(self.number)}', nsfwjs=None)
        for name, vector in {'nsfwjs': nsfwjs, **vectors}.items():
            path = f'{folder}/{name}.onnx'
            if isinstance(vector, str):
                os.symlink(vector, path)
            elif vector:
                network(name, path, vector)
        return folder

    def passes(self, folder, target, *more):
        code, report, said = self.job(folder, target, *more)
        self.assertEqual(code, 0, said)
        self.assertEqual(report['content_positive'], 0)
        return report

    def blocked(self, folder, target, *more):
        code, _, said = self.job(folder, target, *more)
        self.assertEqual(code, 3, said)
        self.assertIn('content check', said)

    def missing(self, folder, name, command, *more):
        code, _, said = self.job(folder, grey(), *more)
        self.assertEqual(code, 2, said)
        self.assertIn(name, said)
        self.assertIn(command, said)


def grey():
    path = e2e.scratch('grey.png')
    if not os.path.exists(path):
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=gray:s=64x48', '-frames:v', '1', path)
    return path


def clip(rate, frames, name='clip.mkv', draw='null'):
    path = e2e.scratch(name)
    e2e.ffmpeg('-f', 'lavfi', '-i', f'color=black:s=64x48:r={rate}', '-frames:v', str(frames),
               '-vf', draw, '-c:v', 'libx264', '-crf', '0', path)
    return path


class Verdict(Case):
    def test_alone(self):
        """Each network by itself, just under and just over its limit."""
        for name in SIDE:
            self.passes(self.models(**{name: SAFE[name]}), grey(), '--content-analyser-model', name)
            self.blocked(self.models(**{name: UNSAFE[name]}), grey(),
                         '--content-analyser-model', name)

    def test_recorded(self):
        """What the official nsfw_2 gave for a safe picture, and the same vector the other way."""
        vector = [float(v) for v in
                  np.load(e2e.shared('fixtures/content_analyser/nsfw_2/raw_output.npy')).ravel()]
        with open(e2e.shared('fixtures/content_analyser/nsfw_2/is_nsfw.json'), 'rb') as file:
            self.assertIs(json.load(file), False)
        self.passes(self.models(nsfw_2=vector), grey(), '--content-analyser-model', 'nsfw_2')
        self.blocked(self.models(nsfw_2=vector[::-1]), grey(), '--content-analyser-model', 'nsfw_2')

    def test_vote(self):
        """Two of three are against the frame, in every way."""
        for bad in itertools.product((False, True), repeat=3):
            folder = self.models(**{name: (UNSAFE if b else SAFE)[name]
                                    for name, b in zip(THREE, bad)})
            (self.blocked if sum(bad) >= 2 else self.passes)(folder, grey())

    def test_advice(self):
        """Where the lite network refuses, one sentence says what can be done; else there is nothing to
        be done."""
        get, then = 'reprise force-download nsfw_1 nsfw_2 nsfw_3', '--content-analyser-model many'
        named = ('--content-analyser-model', 'nsfwjs', '--log-level', 'error')
        lite = self.models(nsfwjs=UNSAFE['nsfwjs'])
        for target in (grey(), clip(5, 6, 'advice.mkv')):
            for more, told in ((named[2:], False), (named, True)):
                code, _, said = self.job(lite, target, *more)
                self.assertEqual((code, said.count('\n')), (3, 1), said)
                self.assertIn(get, said)
                self.assertEqual(then in said, told, said)
            folder = self.models(**{name: UNSAFE[name] for name in THREE})
            code, _, said = self.job(folder, target)
            self.assertEqual(code, 3)
            self.assertNotIn('force-download nsfw', said)

    def test_video(self):
        folder = self.models(**{name: UNSAFE[name] for name in THREE})
        target = clip(5, 12)
        self.blocked(folder, target)
        self.blocked(folder, target, '--face-tracker-score', '0.3')


class Input(Case):
    """The tensor that a network gets: RGB, in the middle, black around it, then normalised."""

    def picture(self, width, height):
        """Noise; its pixels as the file holds them."""
        path = e2e.scratch(f'noise{width}x{height}.png')
        e2e.ffmpeg('-f', 'lavfi', '-i', f'nullsrc=s={width}x{height},format=rgb24,geq='
                   "r='random(1)*255':g='128+random(2)*127':b='random(3)*90'", '-frames:v', '1',
                   path)
        return path, e2e.pixels(path)[0][:, :, ::-1]

    def tensor(self, name, rgb):
        side = SIDE[name]
        full = np.zeros((side, side, 3))
        y, x = (side - rgb.shape[0]) // 2, (side - rgb.shape[1]) // 2
        full[y:y + rgb.shape[0], x:x + rgb.shape[1]] = rgb
        mean, dev = NORM[name]
        return ((full / 255 - mean) / dev).transpose(2, 0, 1)[None].astype(np.float32)

    def check(self, name, path, rgb):
        folder = self.models()
        choice = ('--content-analyser-model', name)
        # 2e-6: float32 of numbers up to 2.7, computed in another order
        comparer(name, f'{folder}/{name}.onnx', self.tensor(name, rgb), 2e-6)
        self.passes(folder, path, *choice)
        comparer(name, f'{folder}/{name}.onnx', self.tensor(name, np.roll(rgb, 1, 0)), 2e-6)
        self.blocked(folder, path, *choice)  # the comparison can fail

    def test_wide(self):
        for name in THREE:
            path, rgb = self.picture(SIDE[name], SIDE[name] // 2 - 1)
            self.check(name, path, rgb)

    def test_tall(self):
        """Twice the size: each pixel is the mean of four."""
        path, rgb = self.picture(302, 768)
        p = rgb.astype(int)
        half = (p[0::2, 0::2] + p[0::2, 1::2] + p[1::2, 0::2] + p[1::2, 1::2] + 2) >> 2
        self.check('nsfw_2', path, half)


class Build(Case):
    def test_says_so(self):
        """A build that takes stand-ins: in the version, the doctor and the mark."""
        self.passes(self.models(nsfwjs=SAFE['nsfwjs']), grey())
        for command in (('--version',), ('doctor',), ('inspect', e2e.scratch('out.png'))):
            self.assertIn('stand-ins', e2e.run(*command).stdout, command)


class Choice(Case):
    def test_default_falls_back(self):
        """Not all three: the lite one decides alone, and the log says so."""
        folder = self.models(nsfw_1=UNSAFE['nsfw_1'], nsfw_3=UNSAFE['nsfw_3'],
                             nsfwjs=SAFE['nsfwjs'])
        self.passes(folder, grey())
        self.assertIn('nsfw_2 is not installed; using nsfwjs',
                      self.job(folder, grey(), '--log-level', 'debug')[2])
        folder = self.models(nsfw_1=SAFE['nsfw_1'], nsfw_3=SAFE['nsfw_3'], nsfwjs=UNSAFE['nsfwjs'])
        self.blocked(folder, grey())
        folder = self.models(nsfwjs=UNSAFE['nsfwjs'], **SAFE_THREE)
        self.passes(folder, grey())  # with the three there it is not asked

    def test_missing(self):
        """The run ends with the command that fetches what is missing."""
        self.missing(self.models(), 'nsfwjs', 'reprise force-download')
        self.missing(self.models(nsfwjs=SAFE['nsfwjs']), 'nsfw_1', 'nsfw_1.onnx',
                     '--content-analyser-model', 'many')
        self.missing(self.models(nsfwjs=SAFE['nsfwjs']), 'nsfw_3', 'nsfw_3.onnx',
                     '--content-analyser-model', 'nsfw_3')

    def test_no_way_around(self):
        folder = self.models(nsfwjs=UNSAFE['nsfwjs'])
        for value in ('none', 'off', '', '0'):
            self.assertEqual(self.job(folder, grey(), '--content-analyser-model', value)[0], 2)

    def test_wrong(self):
        """A file of another shape is refused, not used."""
        folder = self.models()
        network('nsfwjs', f'{folder}/nsfw_2.onnx', SAFE['nsfwjs'])
        code, _, said = self.job(folder, grey(), '--content-analyser-model', 'nsfw_2')
        self.assertEqual(code, 1, said)
        self.assertIn('nsfw_2', said)


class Published(Job):
    """What every build for users does: another file under the name of a network of the content check is
    as if it were not there. (fake: always neutral.)"""

    @classmethod
    def setUpClass(cls):
        if e2e.takes_standins():
            raise unittest.SkipTest('the program takes stand-ins (-Dcheck_standins=true)')
        cls.fake = e2e.scratch('fake.onnx')
        network('nsfwjs', cls.fake, SAFE['nsfwjs'])

    def folder(self, **files):
        path = e2e.model_folder(self.id(), nsfwjs=files.pop('nsfwjs', f'{e2e.MODELS}/nsfwjs.onnx'))
        for name, file in files.items():
            os.symlink(file, f'{path}/{name}.onnx')
        return path

    def refused(self, said, folder, *more, **kwargs):
        code, _, stderr = self.job(folder, grey(), '--log-level', 'warn', *more, **kwargs)
        self.assertEqual(code, 2, stderr)
        errors = [line for line in stderr.splitlines() if line.startswith('error: ')]
        self.assertEqual(len(errors), 1, stderr)
        self.assertIn(said, errors[0])
        return stderr

    def changed(self):
        """The published file but for one bit."""
        path = e2e.scratch('changed.onnx')
        with open(f'{e2e.MODELS}/nsfwjs.onnx', 'rb') as file:
            data = bytearray(file.read())
        data[-100000] ^= 1
        with open(path, 'wb') as file:
            file.write(data)
        return path, hashlib.sha256(data).hexdigest()

    def test_wherever(self):
        """By option, by the environment, by an ini: the sentence says file, size and right size."""
        folder = self.folder(nsfwjs=self.fake)
        said = (f'{folder}/nsfwjs.onnx: not the published nsfwjs: its size in bytes is '
                f'{os.path.getsize(self.fake)}, right would be 10322177, so it is not used')
        self.refused(said, folder)
        self.refused(said, folder, '--content-analyser-model', 'nsfwjs')
        self.refused(said, None, env={**os.environ, 'REPRISE_MODELS': folder})
        for name in ('reprise.ini', 'facefusion.ini'):
            here = e2e.scratch(name + '.d')
            os.mkdir(here)
            with open(f'{here}/{name}', 'w', encoding='utf-8') as file:
                file.write(f'[paths]\nmodels_path = {folder}\n')
            self.refused(said, None, cwd=here)

    def test_bytes(self):
        """Size alone is not enough, and a remembered sum of a file is not believed."""
        path, digest = self.changed()
        os.utime(path, (1e9, 1e9))
        cache = e2e.scratch('cache')
        os.makedirs(f'{cache}/reprise')
        right = next(line['sha256'] for line in map(json.loads, e2e.must(
            'models', '--json').stdout.splitlines()) if line['name'] == 'nsfwjs')
        with open(f'{cache}/reprise/model-sums.txt', 'w', encoding='ascii') as file:
            file.write(f'{os.path.getsize(path)} 1000000000.000000000 12345678 {right} '
                       f'{os.path.realpath(path)}\n')
        self.refused(f'its SHA-256 is {digest}, right would be {right}', self.folder(nsfwjs=path),
                     env={**os.environ, 'XDG_CACHE_HOME': cache})

    def test_no_file(self):
        """A pipe that nobody writes to, and a device, are neither waited for nor read."""
        pipe = e2e.scratch('pipe')
        os.mkfifo(pipe)
        for path in (pipe, '/dev/zero', os.path.dirname(self.fake)):
            with self.subTest(path):
                folder = e2e.model_folder(f'none{path.replace("/", "-")}', nsfwjs=path)
                self.refused('nsfwjs', folder, timeout=20)

    def test_three(self):
        """One of the three is another: as a default it is replaced, with a warning; named it is missing."""
        folder = self.folder(nsfw_1=self.fake, nsfw_2=self.fake, nsfw_3=self.fake)
        code, _, said = self.job(folder, grey())
        self.assertEqual(code, 0, said)
        self.assertIn(f'warning: {folder}/nsfw_1.onnx: not the published nsfw_1', said)
        for name in (*THREE, 'many'):
            self.refused('not the published nsfw_', folder, '--content-analyser-model', name)
        os.unlink(f'{folder}/nsfwjs.onnx')
        self.refused('nsfwjs', folder)

    def test_not_said(self):
        """Such a build has nothing to say, and so has its mark."""
        self.assertEqual(self.job(None, grey())[0], 0)
        mark, = (json.loads(line) for line in
                 e2e.must('inspect', '--json', e2e.scratch('out.png')).stdout.splitlines())
        self.assertRegex(mark['software'], r'^reprise [0-9.]+$')
        self.assertNotIn('stand-in', e2e.run('doctor').stdout)


class Ini(Job):
    """What an ini that lies in the current folder may not decide without a word."""

    def lines(self, text, *more):
        here = e2e.scratch(self.id())
        os.makedirs(here, exist_ok=True)
        with open(f'{here}/reprise.ini', 'w', encoding='utf-8') as file:
            file.write(text)
        said = e2e.run('models', *more, cwd=here).stderr.splitlines()
        return [line for line in said if 'says where models come from' in line]

    def test_one_line(self):
        trusting = ('[paths]\nmodels_path = x\n[download]\ndownload_mirrors = github=http://[::1]:1\n'
                    'download_providers = huggingface\n[cuda_graph]\ncuda_graph_cache = x\n')
        line, = self.lines(trusting + '[misc]\nlog_level = error\n')
        self.assertTrue(line.startswith('warning: reprise.ini'), line)
        for name in ('models-path', 'download-mirrors', 'download-providers', 'cuda-graph-cache'):
            self.assertIn(name, line)
        # the command line has the last word, and a file that it names is its own
        line, = self.lines(trusting, '--models-path', 'y')
        self.assertNotIn('models-path', line)
        self.assertEqual(self.lines(trusting, '--config-path', 'reprise.ini'), [])
        self.assertEqual(self.lines('[output_creation]\noutput_video_quality = 70\n'), [])


SAFE_THREE = {name: SAFE[name] for name in THREE}


class Sampling(Case):
    """Which frames are examined: the rule is in face/content.h, and test_content.c has it in numbers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tiny = e2e.scratch('tiny')
        os.mkdir(tiny)
        e2e.tool('/usr/bin/python3', e2e.HERE + '/tiny_models.py', tiny)
        cls.folder = e2e.model_folder('gate', nsfwjs=tiny + '/gate.onnx')

    def white(self, rate, frames, which, name, *more):
        """A clip that is white where `which` is true, else black."""
        path = e2e.scratch(name)
        e2e.ffmpeg('-f', 'lavfi', '-i', f'color=black:s=64x48:r={rate}', '-frames:v', str(frames),
                   '-vf', f"drawbox=color=white:t=fill:enable='{which}'", '-c:v', 'libx264', '-crf',
                   '0', '-preset', 'ultrafast', *more, path)
        return path

    def told(self, target, *more):
        """Exit code, examined, against it."""
        code, report, said = self.job(self.folder, target, '--log-level', 'error', *more)
        if code == 3:
            positive, checked = re.search(r'\((\d+) of (\d+) checked frames', said).groups()
            return code, int(checked), int(positive)
        self.assertEqual(code, 0, said)
        return code, report['content_checked'], report['content_positive']

    def test_rates(self):
        for rate, frames, looked in (('1/2', 6, 6), ('25', 76, 26), ('25', 700, 29), ('480', 361, 21),
                                     ('60', 19, 19)):
            self.assertEqual(self.told(self.white(rate, frames, '0', 'rate.mkv')), (0, looked, 0), rate)

    def test_which(self):
        """White frames count where they are looked at, and only there, whatever the options are."""
        target = self.white('10', 60, 'eq(mod(n,3),1)', 'unseen.mkv')
        self.assertEqual(self.told(target), (0, 21, 0))
        # of a part, its own first and last frames, and all if it is short
        self.assertEqual(self.told(target, '--trim-frame-start', '40', '--trim-frame-end', '44')[0], 3)
        self.assertEqual(self.told(target, '--trim-frame-start', '9', '--trim-frame-end', '50'),
                         (3, 9, 3))
        target = self.white('10', 100, 'between(n,50,55)', 'tenth.mkv')
        for more in ((), ('--face-tracker-score', '0.3'), ('--execution-thread-count', '1'),
                     ('--output-video-fps', '60'), ('--output-video-fps', '1'),
                     ('--cuda-graph-frames', '4')):
            self.assertEqual(self.told(target, *more), (0, 21, 2), more)
        target = self.white('10', 100, 'between(n,45,55)', 'over.mkv')
        for more in ((), ('--face-tracker-score', '0.3'), ('--cuda-graph-frames', '4')):
            self.assertEqual(self.told(target, *more), (3, 21, 3), more)

    def test_still(self):
        """--frame: that very frame is examined, and no other."""
        target = self.white('10', 30, 'eq(n,17)', 'still.mkv')
        for frame, code in ((16, 0), (17, 3), (18, 0), (0, 0), (29, 0)):
            path = e2e.scratch('still.png')
            result = e2e.run('headless-run', '--json', '--processors', 'face_debugger', '-t', target,
                             '-o', path, '--models-path', self.folder, '--frame', str(frame))
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertEqual(os.path.exists(path), code == 0)
            if code:
                self.assertIn(f'refuses frame {frame}', result.stderr)
            else:
                self.assertEqual(json.loads(result.stdout.splitlines()[-1])['content_checked'], 1)
                os.unlink(path)

    def claims(self, path, frames, rate=None):
        """An AVI that claims to have so many frames, and so many a second."""
        with open(path, 'rb') as file:
            data = bytearray(file.read())
        main, stream = data.index(b'avih'), data.index(b'strh')
        struct.pack_into('<I', data, main + 24, frames)
        struct.pack_into('<I', data, stream + 40, frames)
        if rate:
            struct.pack_into('<II', data, stream + 28, 1, rate)
        path = e2e.scratch('claims.avi')
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def test_claims(self):
        """What a file says of itself does not decide the verdict. (A file with fewer frames than it
        claims is damaged: that is accepted here.)"""
        accept = '--damaged-input', 'accept'
        bad = self.white('25', 90, 'mod(n,25)*lt(n,89)', 'bad.avi')  # not where each second is
        for frames, rate in ((1, None), (1 << 30, None), (1 << 30, 90000), (90, 1)):
            with self.subTest(frames=frames, rate=rate):
                self.assertEqual(self.told(self.claims(bad, frames, rate), *accept)[0], 3)
        good = self.white('25', 200, 'lt(n,12)', 'good.avi')  # 6 %
        for frames in (200, 20, 1 << 30):
            with self.subTest(frames=frames):
                self.assertEqual(self.told(self.claims(good, frames), *accept)[0], 0)

    def test_times(self):
        """Frames that are shown for a moment, and some for long, in several containers."""
        for name, pts in (('fast.mkv', 'N/480/TB'), ('uneven.mkv', '(N/1000+floor(N/30)*5)/TB'),
                          ('slow.mp4', 'N*3/TB'), ('growing.mp4', 'N*N/500/TB')):
            target = self.white('25', 90, 'gt(n,0)', name, '-vf',
                                "drawbox=color=white:t=fill:enable='gt(n,0)',setpts=" + pts,
                                '-fps_mode', 'passthrough', '-enc_time_base', '1/90000')
            self.assertEqual(self.told(target)[0], 3, name)


class Clips(Job):
    """A picture that the lite network refuses, as 99 of 100 frames, at several rates; any build."""

    def test_same_verdict(self):
        rates = [e2e.shared(f'cases/hostile/v{rate}.mp4') for rate in (25, 100, 480)]
        self.assertEqual([self.job(None, rate)[0] for rate in rates], [3, 3, 3])
        for more in (('--face-tracker-score', '0.3', '--trim-frame-start', '3', '--trim-frame-end', '97'),
                     ('--execution-thread-count', '1', '--trim-frame-start', '99'),
                     ('--output-video-fps', '1')):
            code, _, said = self.job(None, rates[2], *more)
            self.assertEqual(code, 3, f'{more}: {said}')
        code, _, _ = self.job(None, e2e.shared('cases/hostile/refused-harmless.png'))
        self.assertEqual(code, 3)


class Real(Case):
    """Real weights with the contracts of nsfw_2 and nsfw_3."""

    def test_safe_media(self):
        two = e2e.shared('models/nsfw_2_contract_nsfwjs_mobilenet_v2.onnx')
        three = e2e.shared('models/nsfw_3_contract_nsfwjs_mobilenet_v2.onnx')
        folder = self.models(nsfw_1=UNSAFE['nsfw_1'], nsfw_2=two, nsfw_3=three)
        for name in ('astronaut.png', 'obama.jpg', 'biden.jpg', 'obama_and_biden.jpg',
                     'kodim04.png', 'kodim15.png', 'cisco_vt_2people_320x192_12fps.mp4'):
            target = e2e.shared('media/' + name)
            for choice in ('nsfw_2', 'nsfw_3', 'many'):
                self.passes(folder, target, '--content-analyser-model', choice)


if __name__ == '__main__':
    e2e.main()
