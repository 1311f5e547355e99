#!/usr/bin/python3
"""A machine that gives little, and several processes at once: one sentence and the documented exit
code, or the right output; no crash, no hang, no mixed file.

    test_load.py PROGRAM [--all]

--all takes more limits, and 10^5 frames.
"""
import json
import os
import resource
import signal
import subprocess
import sys
import time
import unittest

import e2e

ALL = '--all' in sys.argv
if ALL:
    sys.argv.remove('--all')
HANG = 60
MB = 1 << 20


def limit(kind, value):
    return lambda: resource.setrlimit(kind, (value, value))


def read(path):
    with open(path, 'rb') as file:
        return file.read()


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.picture, cls.base = e2e.scratch('load.png'), e2e.scratch('base.png')
        e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'crop=iw/2:ih/2:iw/4:0,scale=96:96', cls.picture)
        e2e.must(*cls.job(cls.base))
        cls.expected = read(cls.base)

    def setUp(self):
        self.folder = e2e.scratch(self.id())
        os.makedirs(self.folder)
        self.output = os.path.join(self.folder, 'out.png')

    @classmethod
    def job(cls, output):
        return ('headless-run', '--processors', 'face_debugger', '-t', cls.picture, '-o', output)

    def env(self, **changed):
        env = dict(os.environ, REPRISE_MODELS=e2e.MODELS)
        env.update({k: v for k, v in changed.items() if v is not None})
        for k, v in changed.items():
            if v is None:
                env.pop(k, None)
        return env

    def ends_well(self, about, must_work=False, **kwargs):
        """The job succeeds with the right bytes, or fails with one sentence and leaves nothing."""
        if os.path.exists(self.output):
            os.unlink(self.output)
        result = e2e.run(*self.job(self.output), timeout=HANG, **kwargs)
        said = f'{about}: exit {result.returncode}\n{result.stderr}'
        self.assertIn(result.returncode, (0,) if must_work else (0, 1, 75, 127), said)
        if result.returncode == 0:
            self.assertEqual(read(self.output), self.expected, said)
        else:
            self.assertFalse(os.path.exists(self.output), said)
            if result.returncode in (1, 75):
                self.assertEqual(result.stderr.count('error: '), 1, said)
        self.assertEqual(e2e.leftovers(self.folder), [], said)
        return result.returncode

    def start(self, output, **kwargs):
        return subprocess.Popen([e2e.program, *self.job(output)], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **kwargs)

    def test_three_on_one_cache(self):
        env = self.env(XDG_CACHE_HOME=os.path.join(self.folder, 'cache'))
        outputs = [os.path.join(self.folder, f'{i}.png') for i in range(3)]
        jobs = [self.start(output, env=env) for output in outputs]
        for job, output in zip(jobs, outputs):
            _, said = job.communicate(timeout=HANG)
            self.assertEqual(job.returncode, 0, said)
            self.assertEqual(read(output), self.expected)

    def test_two_onto_one_output(self):
        jobs = [self.start(self.output) for _ in range(2)]
        for job in jobs:
            _, said = job.communicate(timeout=HANG)
            self.assertIn(job.returncode, (0, 1, 75), said)
        self.assertTrue(any(job.returncode == 0 for job in jobs))
        self.assertEqual(read(self.output), self.expected)
        self.assertEqual(os.listdir(self.folder), ['out.png'])

    def test_memory(self):
        """--version needs some; the more there is the farther it gets."""
        values = range(100, 2400, 50) if ALL else (300, 700, 1000, 1500)
        codes = [self.ends_well(f'ulimit -v {v} MB', preexec_fn=limit(resource.RLIMIT_AS, v * MB))
                 for v in values]
        print('\n-v:', dict(zip(values, codes)))

    def test_descriptors(self):
        values = range(8, 40) if ALL else (8, 12, 20)
        codes = [self.ends_well(f'ulimit -n {v}', preexec_fn=limit(resource.RLIMIT_NOFILE, v))
                 for v in values]
        print('\n-n:', dict(zip(values, codes)))

    def test_size_of_files(self):
        """As a full disk: the output and the cache."""
        def small():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        self.assertEqual(self.ends_well('ulimit -f', preexec_fn=small), 1)

    def test_cache_that_cannot_be_written(self):
        for path in ('/proc/none', '/dev/null/cache'):
            self.ends_well(path, must_work=True, env=self.env(XDG_CACHE_HOME=path))

    def test_no_home_no_tmp(self):
        none = os.path.join(self.folder, 'none')
        for changed in ({'HOME': None, 'XDG_CACHE_HOME': None}, {'HOME': none},
                        {'HOME': none, 'XDG_CACHE_HOME': none}, {'TMPDIR': none}):
            self.ends_well(str(changed), must_work=True, env=self.env(**changed))

    def shell(self, words, then):
        """Exit code of `reprise WORDS THEN`, a redirection."""
        command = f'exec "$0" {words} {then}'
        return subprocess.run(['bash', '-c', command, e2e.program], timeout=HANG, check=False,
                              stderr=subprocess.PIPE, text=True)

    def test_standard_files(self):
        job = ' '.join(self.job(self.output))
        for then in ('<&-', '>&-', '2>&-', '<&- >&- 2>&-'):
            result = self.shell(job, then)
            self.assertIn(result.returncode, (0, 1, 75), f'{then}\n{result.stderr}')
            self.assertEqual(read(self.output), self.expected, then)
            os.unlink(self.output)

    def test_stdout_is_full_or_closed(self):
        for words in ('--version', 'help', 'doctor', 'models', f'inspect {self.base}',
                      f'analyse --json {self.picture}', 'headless-run --help'):
            result = self.shell(words, '>/dev/full')
            self.assertEqual(result.returncode, 75, f'{words}\n{result.stderr}')
            self.assertEqual(result.stderr.count('error: stdout: '), 1, result.stderr)
            result = self.shell(words, '| true; exit ${PIPESTATUS[0]}').returncode
            self.assertIn(result, (0, 1), words)

    def test_threads(self):
        if os.getuid() == 0:
            self.skipTest('root may start as many as it likes; test_faults.py lets them fail')
        for v in (1, 4, 16):
            self.ends_well(f'ulimit -u {v}', preexec_fn=limit(resource.RLIMIT_NPROC, v))


def state(pid):
    """Resident MiB, threads, descriptors."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        words = dict(line.split(':', 1) for line in file)
    return (int(words['VmRSS'].split()[0]) / 1024, int(words['Threads']),
            len(os.listdir(f'/proc/{pid}/fd')))


@unittest.skipUnless(ALL, 'long')
class Frames(unittest.TestCase):
    """What a frame costs besides the work on it: tiny ones, a tiny network on each, one frame of 60
    for the content check, and the fastest encoder. About 1 ms of a core each. The output is a
    Matroska file, as a table in MP4 has some 90 bytes for each frame, in memory up to the end."""
    FRAMES = 100000

    def test_one_encoder(self):
        self.flat('0')

    def test_pieces(self):
        """833 of them, each with an encoder and a line of the journal."""
        self.flat('2')

    def flat(self, piece):
        clip, output = e2e.scratch('many.mp4'), e2e.scratch('many-out.mkv')
        part, models = e2e.scratch('some.mp4'), e2e.scratch('many-models')
        if not os.path.exists(clip):
            e2e.tool(f'{e2e.ROOT}/tools/twins.py', '--tiny', '--out', models, 'deoldify')
            for name in e2e.LITE:
                os.symlink(f'{e2e.MODELS}/{name}.onnx', f'{models}/{name}.onnx')
            e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=16x16:r=60', '-frames:v', '1000', '-c:v',
                       'libx264', '-preset', 'ultrafast', '-bf', '0', part)
            e2e.ffmpeg('-stream_loop', str(self.FRAMES // 1000 - 1), '-i', part, '-c', 'copy', clip)
        folder = os.path.join(os.path.dirname(output), '.many-out.mkv.job')
        seen, pieces = {}, 0
        started = time.time()
        with subprocess.Popen([e2e.program, 'headless-run', '--json', '--models-path', models,
                               '--processors', 'frame_colorizer', '--frame-colorizer-model',
                               'deoldify', '--frame-colorizer-size', '192x192',
                               '--output-video-preset', 'ultrafast', '--output-video-piece', piece,
                               '-t', clip, '-o', output],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
            for line in job.stdout:
                last = json.loads(line)
                if last['event'] == 'progress' and last['frames_done'] < last['frames_total']:
                    seen[last['frames_done'] / last['frames_total']] = state(job.pid)
                    if os.path.isdir(folder):
                        pieces = max(pieces, sum(name.endswith('.piece')
                                                 for name in os.listdir(folder)))
            said = job.stderr.read()
        self.assertEqual(job.returncode, 0, said)
        self.assertEqual(last['frames_done'], self.FRAMES)
        begin, end = seen[min(p for p in seen if p >= 0.1)], seen[max(seen)]
        print(f'\n{self.FRAMES} frames in {time.time() - started:.0f} s; MiB, threads, '
              f'descriptors: {begin} at 10 %, {end} at the end; {pieces} pieces')
        if piece == '0':
            self.assertEqual(pieces, 0)
        else:
            self.assertGreater(pieces, self.FRAMES / 120 * 0.9)
        self.assertLess(end[0], begin[0] + 4)
        self.assertLessEqual(end[1], begin[1])  # the reader may be done by then
        self.assertLessEqual(end[2], begin[2])


if __name__ == '__main__':
    e2e.main()
