#!/usr/bin/python3
"""Jobs in pieces: killed and given again, made in segments and joined; always the same bytes.

    test_resume.py PROGRAM [TEST...]
    test_resume.py PROGRAM --all [--parallel N]
                                     also what takes minutes: many kills at random moments, a
                                     full disk, a journal cut at many places; N jobs at the same
                                     time, each in a folder of its own

    KILLS         how often a job is killed (default 30)
    SECONDS_LONG  of the clip (default 16)
    SEED          of the random moments (printed)
"""
import concurrent.futures
import copy
import glob
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import unittest
import zlib

import e2e

ALL = '--all' in sys.argv
PARALLEL = 1
if '--parallel' in sys.argv:
    PARALLEL = int(sys.argv.pop(sys.argv.index('--parallel') + 1))
    sys.argv.remove('--parallel')
KILLS = int(os.environ.get('KILLS', 30))
SEED = int(os.environ.get('SEED', random.randrange(10**6)))
TENTHS = ('--output-video-piece', '0.4')  # seconds of a piece
PATIENCE = 60 * PARALLEL


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def folder_of(output):
    return os.path.join(os.path.dirname(output), f'.{os.path.basename(output)}.job')


def lines(output):
    """Pieces in the journals of the output's folder."""
    journals = glob.glob(folder_of(output) + '/*.journal')
    return sum(read(path).count(b'\npiece ') for path in journals)


def make_clip(path, seconds, size=160, rate='25'):
    """A face that moves, with sound."""
    _, sample = e2e.sample()
    e2e.ffmpeg('-stream_loop', '-1', '-i', sample, '-f', 'lavfi', '-i', 'sine=330', '-map', '0:v',
               '-map', '1:a', '-t', str(seconds), '-vf', f'scale={size}:-2,fps={rate}', '-c:v',
               'libx264', '-preset', 'ultrafast', '-c:a', 'aac', path)


def on_another_machine(path):
    """As if a journal had been written on another kind of machine: its line, and all sums."""
    crc, lines = 0, []
    for line in read(path).decode().splitlines():
        text = line.rsplit(' ', 1)[0]
        if text.startswith('machine '):
            text = 'machine pdp11, ONNX Runtime 0.0.1'
        crc = zlib.crc32(f'{text} '.encode(), crc)
        lines.append(f'{text} {crc:08x}\n')
    with open(path, 'w', encoding='ascii') as file:
        file.writelines(lines)


class Case(unittest.TestCase):
    processors = ('--processors', 'face_debugger', '--face-selector-mode', 'many')
    seconds = 4

    @classmethod
    def setUpClass(cls):
        cls.folder = e2e.scratch(cls.__name__)
        os.makedirs(cls.folder, exist_ok=True)
        cls.clip = os.path.join(cls.folder, 'clip.mp4')
        make_clip(cls.clip, cls.seconds)
        cls.job = ('headless-run', *cls.processors, '-t', cls.clip, *TENTHS)
        cls.base = os.path.join(cls.folder, 'base.mp4')
        cls.report = cls.reported(e2e.must(*cls.job, '-o', cls.base, '--json'))
        cls.expected = read(cls.base)

    @staticmethod
    def reported(result):
        return json.loads(result.stdout.splitlines()[-1])

    def setUp(self):
        self.output = os.path.join(self.folder, 'out.mp4')
        self.clear()

    def clear(self):
        shutil.rmtree(folder_of(self.output), ignore_errors=True)
        if os.path.exists(self.output):
            os.unlink(self.output)

    def start(self, *options, **kwargs):
        return subprocess.Popen([e2e.program, *self.job, '-o', self.output, *options],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, **kwargs)

    def begin(self, pieces=2, kill=signal.SIGKILL, options=()):
        """A run that ends once so many pieces are done."""
        job = self.start(*options)
        deadline = time.time() + PATIENCE
        while lines(self.output) < pieces and time.time() < deadline and job.poll() is None:
            time.sleep(0.005)
        job.send_signal(kill)
        _, said = job.communicate(timeout=PATIENCE)
        self.assertLess(job.returncode if kill == signal.SIGKILL else -job.returncode, 0, said)
        self.assertFalse(os.path.exists(self.output))
        return said

    def again(self, *options, code=0, command=None, **kwargs):
        result = e2e.run(*(command or (*self.job, '-o', self.output)), *options, **kwargs)
        self.assertEqual(result.returncode, code, result.stderr)
        if code:
            self.assertEqual(result.stderr.count('error: '), 1, result.stderr)
        return result

    def assert_done(self, expected=None):
        self.assertTrue(read(self.output) == (expected or self.expected), 'other bytes')
        self.assertFalse(os.path.exists(folder_of(self.output)))
        self.assertEqual(e2e.leftovers(self.folder), [])


class Resume(Case):
    def test_killed(self):
        self.begin()
        result = self.again('--resume', '--json')
        self.assertIn('going on with what an earlier run has done', result.stderr)
        self.assert_done()
        report = self.reported(result)
        for name in ('frames_done', 'faces_found', 'faces_changed', 'content_checked',
                     'content_positive'):
            self.assertEqual(report[name], self.report[name], name)
        result = self.again('--resume', code=2)
        self.assertIn('there is nothing of an earlier run', result.stderr)

    def test_terminated(self):
        said = self.begin(kill=signal.SIGTERM)
        self.assertIn('the same command goes on', said)
        self.assertNotIn('anew', self.again().stderr)
        self.assert_done()

    def test_went_on_elsewhere(self):
        self.begin()
        journal, = glob.glob(folder_of(self.output) + '/*.journal')
        on_another_machine(journal)
        self.assertEqual(self.again().stderr.count('different kinds of machines'), 1)
        self.assert_done()

    def test_changed(self):
        """Another quality: nothing of the pieces is used, and one sentence says so."""
        self.begin()
        result = self.again('--output-video-quality', '30', '--resume', code=2)
        self.assertIn('--resume: the options changed', result.stderr)
        result = self.again('--output-video-quality', '30')
        self.assertIn('the options changed since then: it starts anew', result.stderr)
        self.assertLess(len(read(self.output)), len(self.expected))
        self.assertFalse(os.path.exists(folder_of(self.output)))

    def test_pieces_that_are_not_what_the_journal_says(self):
        self.begin(pieces=3)
        pieces = sorted(glob.glob(folder_of(self.output) + '/[0-9a-f]*.piece'))
        with open(pieces[0], 'r+b') as file:
            file.seek(200)
            file.write(b'\0\1\2\3')
        os.unlink(pieces[1])
        self.again()
        self.assert_done()

    def test_two_at_once(self):
        job = self.start()
        deadline = time.time() + PATIENCE
        while not lines(self.output) and time.time() < deadline:
            time.sleep(0.005)
        job.send_signal(signal.SIGSTOP)
        result = self.again(code=75)
        self.assertIn('another run makes this output', result.stderr)
        seen = self.again(command=('clean', '--remove', '--json', self.folder))
        self.assertIn('"in use"', seen.stdout)
        job.send_signal(signal.SIGCONT)
        _, said = job.communicate(timeout=PATIENCE)
        self.assertEqual(job.returncode, 0, said)
        self.assert_done()


class Clean(Case):
    def test_clean(self):
        """Shown first, removed only with --remove; what is not ours stays."""
        self.begin()
        temporary = os.path.join(self.folder, '.x.mp4.999999999-1.part.mp4')
        other = os.path.join(self.folder, '.other.job')
        os.makedirs(other, exist_ok=True)
        for path in (temporary, other + '/mine.txt'):
            with open(path, 'wb') as file:
                file.write(b'x')
        found = self.again(command=('clean', self.folder))
        self.assertEqual(found.stdout.count(' left '), 3, found.stdout)
        self.assertTrue(os.path.exists(folder_of(self.output)))
        self.again(command=('clean', '--remove', self.folder))
        self.assertEqual(sorted(os.listdir(self.folder)), ['.other.job', 'base.mp4', 'clip.mp4'])
        self.assertIn('nothing was left', self.again(command=('clean', self.folder)).stderr)


class Segments(Case):
    def test_segments(self):
        slurm = dict(os.environ, SLURM_ARRAY_TASK_ID='5', SLURM_ARRAY_TASK_MIN='4',
                     SLURM_ARRAY_TASK_COUNT='2')
        self.again('--segment', 'auto', env=slurm)
        self.assertFalse(os.path.exists(self.output))
        result = self.again(command=('join', self.output), code=75)
        self.assertIn('number 1 is missing', result.stderr)
        self.again('--segment', '1/2')
        self.again('--segment', '1/2')  # once more does no harm
        result = self.again(command=('join', folder_of(self.output), '--json'), cwd='/')
        self.assert_done()
        self.assertEqual(self.reported(result)['content_checked'], self.report['content_checked'])
        self.again(command=('join', self.output), code=2)

    def test_join_needs_no_models_but_is_told_of_machines(self):
        """What joins has none of the models but the content check's, and no device of the job's.
        Pieces that another kind of machine made are joined; one sentence says so."""
        self.again('--segment', '1/2')
        journal, = glob.glob(folder_of(self.output) + '/*.journal')
        on_another_machine(journal)
        self.again('--segment', '2/2')
        models = e2e.scratch('check')
        os.makedirs(models, exist_ok=True)
        os.symlink(f'{e2e.MODELS}/nsfwjs.onnx', f'{models}/nsfwjs.onnx')
        few = dict(os.environ, REPRISE_MODELS=models)
        result = self.again(command=('join', self.output, '--json'), env=few)
        self.assertEqual(result.stderr.count('different kinds of machines'), 1, result.stderr)
        self.assertIn('pdp11, ONNX Runtime 0.0.1', result.stderr)
        self.assert_done()
        self.assertEqual(self.reported(result)['content_checked'], self.report['content_checked'])

    def test_different_options(self):
        self.again('--segment', '1/2')
        other = self.again('--segment', '2/2', '--output-video-quality', '30')
        self.assertIn('the options changed', other.stderr)  # the first is not of this job
        result = self.again(command=('join', self.output), code=75)
        self.assertIn('missing', result.stderr)

    def test_words(self):
        for word, said in (('3/2', 'neither auto nor'), ('auto', 'no array of Slurm')):
            self.assertIn(said, self.again('--segment', word, code=2).stderr)
        gif = self.output.replace('.mp4', '.gif')
        result = self.again(command=(*self.job, '-o', gif, '--segment', '1/2'), code=2)
        self.assertIn('not made in pieces', result.stderr)


# ---- what takes minutes ------------------------------------------------------------------------


@unittest.skipUnless(ALL, 'only with --all')
class Long(Case):
    processors = ('--processors', 'face_swapper', 'face_blur', '--face-selector-mode', 'many')
    seconds = int(os.environ.get('SECONDS_LONG', 16))

    @classmethod
    def setUpClass(cls):
        source, _ = e2e.sample()
        cls.processors = ('--processors', 'face_swapper', 'face_debugger', '-s', source,
                          '--face-tracker-score', '0.2', '--target-frame-amount', '2')
        start = time.time()
        super().setUpClass()
        cls.took = time.time() - start
        cls.random = random.Random(SEED)
        print(f'one run takes {cls.took:.1f} s; SEED={SEED}')

    def each(self, fn, *lists):
        """Call it for all, as many at the same time as are wanted, each with a folder of its own;
        what it returns, in order."""
        def alone(number, *args):
            own = copy.copy(self)
            own.folder = os.path.join(self.folder, f'{fn.__name__}-{number}')
            own.output = os.path.join(own.folder, 'out.mp4')
            os.makedirs(own.folder)
            try:
                return fn(own, *args)
            finally:
                shutil.rmtree(own.folder)

        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(alone, range(len(lists[0])), *lists))

    def kill_at(self, kill, moment):
        job = self.start()
        time.sleep(moment)
        job.send_signal(kill)
        job.communicate(timeout=PATIENCE)
        return job.returncode

    def test_kills(self):
        """One moment of a job each time, and what is left is done by the next."""
        def kill_once(own, kill, moment):
            code = own.kill_at(kill, moment)
            self.assertIn(code, (-9, 4, 0))
            self.assertEqual(os.path.exists(own.output), code == 0)
            pieces = lines(own.output)
            own.again()
            own.assert_done()
            return pieces

        kills = [signal.SIGKILL] * KILLS + [signal.SIGTERM] * max(KILLS // 5, 1)
        done = self.each(kill_once, kills, [self.random.uniform(0, self.took) for _ in kills])
        print(f'{len(done)} of {len(kills)} the same bytes; pieces done when killed:', *done)

    def test_killed_again_and_again(self):
        """The same job until it is done."""
        self.clear()
        for times in range(200):
            code = self.kill_at(signal.SIGKILL, self.took / 4 + 1)
            if code == 0:
                break
        print('killed', times, 'times')
        self.assert_done()

    def test_journal_cut(self):
        self.begin(pieces=6)
        saved = e2e.scratch('saved')
        shutil.copytree(folder_of(self.output), saved)
        journal, = glob.glob(saved + '/*.journal')
        text = read(journal)
        cuts = sorted(self.random.sample(range(len(text)), max(KILLS, 5))) + [len(text)]

        def cut_once(own, cut):
            shutil.copytree(saved, folder_of(own.output))
            with open(journal.replace(saved, folder_of(own.output)), 'wb') as file:
                file.write(text[:cut])
            own.again()
            own.assert_done()
            return cut

        print(len(self.each(cut_once, cuts)), 'cuts of the journal, the same bytes')

    def test_file_limit(self):
        """A disk that takes no more, then does."""
        most = max(os.path.getsize(path) for path in [self.clip]) // 40
        limit = (most, resource.RLIM_INFINITY)
        result = e2e.run(*self.job, '-o', self.output,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
        self.assertEqual(result.returncode, 1, result.stderr)  # no disk that may become free
        self.again()
        self.assert_done()

    def test_full_disk(self):
        disk = os.path.join(self.folder, 'disk')
        os.makedirs(disk, exist_ok=True)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no right to mount a small disk')
        try:
            self.output = os.path.join(disk, 'out.mp4')
            result = e2e.run(*self.job, '-o', self.output)
            self.assertEqual(result.returncode, 75, result.stderr)
            self.assertFalse(os.path.exists(self.output))
            self.assertGreater(lines(self.output), 0)
            subprocess.run(['mount', '-o', 'remount,size=100m', disk], check=True)
            self.assertIn('going on', self.again().stderr)
            self.assertTrue(read(self.output) == self.expected)
            self.assertEqual(os.listdir(disk), ['out.mp4'])
        finally:
            subprocess.run(['umount', disk], check=True)

    def test_uneven(self):
        """Of another rate than the file says: who makes the second half cannot know which frames
        the content check has seen of the first, and the join finds out."""
        clip, output = (os.path.join(self.folder, name) for name in ('uneven.mkv', 'uneven.mp4'))
        e2e.ffmpeg('-i', self.clip, '-vf', "select='not(mod(n,7))+lt(n,60)'", '-vsync', 'vfr',
                   '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'copy', clip)
        job = ('headless-run', *self.processors, '-t', clip, *TENTHS)
        base = self.reported(e2e.must(*job, '-o', self.output, '--json'))
        for i in (1, 2, 3):
            e2e.must(*job, '-o', output, '--segment', f'{i}/3')
        joined = self.reported(e2e.must('join', output, '--json'))
        self.assertTrue(read(self.output) == read(output))
        self.assertEqual(base['content_checked'], joined['content_checked'])


if __name__ == '__main__':
    if ALL:
        sys.argv.remove('--all')
    e2e.main()
