#!/usr/bin/python3
"""The n-th call that takes memory, a thread or a file fails, of short jobs: one sentence and the
documented exit code, or the same as without the fault; nothing under the output's name after a
failure, no temporary file, no crash, no hang.

    test_faults.py PROGRAM [--all] [--job NAME]... [--kind NAME]... [--only N]
                   [--threads N] [--part I/N] [--limit SECONDS]

tests/fault_preload.c makes the calls fail. Without --all some n of each kind are tried, evenly
spread, of some jobs. A table at the end says how many of how many calls were. With --all they come
in a shuffled order, always the same, so that a --limit of time leaves out some of everything, and
--part 1/4 to 4/4 on four machines are all of them. What is bad is also said as soon as it is found.
"""
import argparse
import collections
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

import e2e

ALL = '--all' in sys.argv
KINDS = {
    'memory': 'malloc,calloc,realloc,memalign',
    'thread': 'thread',
    'mmap': 'mmap',
    'open': 'open',
    'read': 'read',
    'write': 'write',
    'fsync': 'fsync',
    'rename': 'rename',
}
HANG = 30    # seconds
RUNS = 8     # of a job's memory without --all; a third of it of the other kinds
OWN = {'cache', 'stdout', 'stderr', 'who', 'counts'}  # files of a run's folder that are no output

# What a library does with its own failed call and the program cannot change: (a word of the stack
# of that call, what is seen, why). A run that ends so counts as "library", not as a failure.
LIBRARY = [
    ('libavcodec', 'signal 11', 'FFmpeg 5.1 ends an AAC decoder that it could not begin by a null call'),
    ('av_expr_parse', 'signal 6', 'an assertion of FFmpeg about the default of an option'),
    ('av_buffer', 'signal 6', 'an assertion of its decoder about a reference that was not made'),
    ('libcrypto', 'wrong words', 'OpenSSL says no more than that it refuses a digest'),
    ('libx264', 'wrong words', 'the encoder says no more than that it failed'),
    ('libavcodec', 'wrong words', 'the decoder says no more than that it failed'),
]


def find_preload():
    folder = os.path.dirname(e2e.program)
    for path in (f'{folder}/tests/fault_preload.so', f'{folder}-test/tests/fault_preload.so'):
        if os.path.exists(path):
            return path
    raise unittest.SkipTest('no fault_preload.so: it is made by a build with -Dtests=true')


class Server:
    """The program, loaded and linked once; each run is a child of it."""

    def __init__(self, preload):
        env = dict(os.environ, LD_PRELOAD=preload, REPRISE_FAULT_SERVER='1', REPRISE_OFFLINE='1',
                   REPRISE_FAULT_WHO='who', REPRISE_MODELS=e2e.MODELS)
        self.process = subprocess.Popen([e2e.program], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=env)

    def run(self, fault, folder, args):
        """Exit code, 'signal N' or 'hang'."""
        self.process.stdin.write('\t'.join([fault, folder, *args]) + '\n')
        self.process.stdin.flush()
        pid, hung = int(self.process.stdout.readline()), []

        def stop():
            hung.append(True)
            os.kill(pid, 9)
        timer = threading.Timer(HANG, stop)
        timer.start()
        status = int(self.process.stdout.readline())
        timer.cancel()
        return 'hang' if hung else status if status >= 0 else f'signal {-status}'

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def content(path):
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError:
        return None


def text(path):
    return (content(path) or b'').decode(errors='replace')


class Result:
    def __init__(self, server, job, fault, folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder + '/cache/reprise')
        if job.sums:
            shutil.copy2(job.sums, folder + '/cache/reprise/model-sums.txt')
        self.status = server.run(fault, folder, job.args)
        self.files = {name: content(f'{folder}/{name}') for name in os.listdir(folder)
                      if name not in OWN}
        self.cache = [name for _, _, names in os.walk(folder + '/cache') for name in names]
        self.stdout = re.sub(r'\d+\.\d+', '#', text(folder + '/stdout'))
        self.errors = [line for line in text(folder + '/stderr').splitlines() if 'error: ' in line]
        self.who = text(folder + '/who')
        self.counts = dict(line.split() for line in text(folder + '/counts').splitlines())

    def calls(self, kind):
        return sum(int(self.counts[k]) for k in KINDS[kind].split(','))

    def verdict(self, base, kind):
        """What is wrong with it, or ''."""
        if isinstance(self.status, str):
            return self.status
        parts = [name for name in self.cache if '.part' in name]
        if parts:
            return 'left in the cache: ' + ' '.join(parts)
        if self.status == 0:
            if self.errors:
                return 'exit 0 and an error: ' + self.errors[0]
            if self.files != base.files:
                return 'exit 0 and another output'
            return 'exit 0 and other words' if self.stdout != base.stdout else ''
        if self.files:
            return f'exit {self.status}, left: ' + ' '.join(self.files)
        if self.status != 1:
            return f'exit {self.status}: ' + ' '.join(self.errors)
        if len(self.errors) != 1:
            return f'{len(self.errors)} sentences: ' + ' | '.join(self.errors)
        if kind == 'memory' and not re.search('memory', self.errors[0]):
            return 'wrong words: ' + self.errors[0]
        return ''


class Job:
    def __init__(self, name, *args, sums=None):
        self.name, self.args, self.sums = name, args, sums


def make_jobs():
    """Small files, so that a run is short."""
    picture, clip = e2e.scratch('small.png'), e2e.scratch('tiny.mp4')
    marked, sums = e2e.scratch('marked.png'), e2e.scratch('sums.txt')
    _, sample = e2e.sample()
    e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'crop=iw/2:ih/2:iw/4:0,scale=96:96', picture)
    e2e.ffmpeg('-i', picture, '-q:v', '2', e2e.scratch('small.jpg'))
    e2e.ffmpeg('-i', sample, '-f', 'lavfi', '-i', 'sine=330:d=0.2', '-frames:v', '4', '-vf',
               'scale=160:-2', '-map', '0:v', '-map', '1:a', '-c:v', 'libx264', '-preset',
               'ultrafast', '-c:a', 'aac', clip)
    draw = ('headless-run', '--processors', 'face_debugger')
    env = dict(os.environ, XDG_CACHE_HOME=e2e.scratch('first'), REPRISE_MODELS=e2e.MODELS)
    e2e.must(*draw, '-t', picture, '-o', marked, env=env)
    shutil.copy2(e2e.scratch('first/reprise/model-sums.txt'), sums)
    return [
        Job('picture', *draw, '-t', picture, '-o', 'out.png', sums=sums),
        Job('swap', 'headless-run', '-s', picture, '-t', e2e.scratch('small.jpg'), '-o', 'out.jpg',
            sums=sums),
        Job('video', *draw, '-t', clip, '-o', 'out.mp4', sums=sums),
        Job('analyse', 'analyse', '--json', picture, sums=sums),
        Job('inspect', 'inspect', marked),
        Job('doctor', 'doctor'),
        Job('models', 'models', '--verify'),
    ]


class Faults(unittest.TestCase):
    options = None

    @classmethod
    def setUpClass(cls):
        cls.preload = find_preload()
        cls.jobs = make_jobs()
        cls.table, cls.bad = [], []

    def chosen(self, n, kind):
        if self.options.only:
            return [self.options.only]
        if not ALL:
            runs = RUNS if kind == 'memory' else RUNS // 3
            return range(1, n + 1, max(1, n // runs))
        part, parts = self.options.part
        all_of_them = list(range(1, n + 1))
        random.Random(n).shuffle(all_of_them)
        return [i for i in all_of_them if i % parts == part - 1]

    def try_one(self, number, server, job, kind, i, base):
        """A word for the table."""
        result = Result(server, job, f'{KINDS[kind]}:{i}', e2e.scratch(f'run{number}'))
        verdict = result.verdict(base, kind)
        if any(verdict.startswith(what) and stack in result.who for stack, what, _ in LIBRARY):
            return 'library'
        if not verdict:
            return str(result.status)
        self.bad.append(f'{job.name}, {kind} {i} of {base.calls(kind)}: {verdict}\n{result.who}')
        if ALL:
            print(self.bad[-1], flush=True)
        return 'bad'

    def try_kind(self, servers, job, kind, base):
        n, todo, seen = base.calls(kind), queue.Queue(), collections.Counter()
        for i in self.chosen(n, kind):
            todo.put(i)
        started = time.time()

        def work(number, server):
            while time.time() < self.stop:
                try:
                    i = todo.get_nowait()
                except queue.Empty:
                    return
                seen[self.try_one(number, server, job, kind, i, base)] += 1
        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(servers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.table.append(f'{job.name:8} {kind:7} {n:6} calls {sum(seen.values()):6} tried '
                          f'{seen["0"]:6} the same {seen["1"]:6} a sentence {seen["library"]:3} '
                          f'library {seen["bad"]:3} bad {time.time() - started:6.1f} s')

    def test_every_kind(self):
        servers = [Server(self.preload) for _ in range(self.options.threads)]
        type(self).stop = time.time() + self.options.limit
        for job in self.jobs:
            if job.name not in (self.options.job or [job.name]):
                continue
            if not ALL and not self.options.job and job.name in ('swap', 'analyse', 'models'):
                continue  # for time
            base = Result(servers[0], job, 'malloc:0', e2e.scratch('run0'))
            self.assertEqual(base.status, 0, base.errors)
            for kind in KINDS:
                if kind in (self.options.kind or [kind]) and base.calls(kind):
                    self.try_kind(servers, job, kind, base)
        for server in servers:
            server.close()
        print('\n' + '\n'.join(self.table))
        self.assertFalse(self.bad, f'{len(self.bad)} bad\n' + '\n'.join(self.bad[:200]))


def part(word):
    i, n = (int(number) for number in word.split('/'))
    if not 1 <= i <= n:
        raise ValueError(word)
    return i, n


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--job', action='append')
    parser.add_argument('--kind', choices=list(KINDS), action='append')
    parser.add_argument('--only', type=int)
    parser.add_argument('--threads', type=int, default=max(2, os.cpu_count()))
    parser.add_argument('--part', type=part, default=(1, 1), metavar='I/N')
    parser.add_argument('--limit', type=float, default=1e9, metavar='SECONDS')
    Faults.options, rest = parser.parse_known_args()
    sys.argv[1:] = [Faults.options.program, *rest]
    e2e.main()
