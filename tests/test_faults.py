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
import struct
import subprocess
import sys
import threading
import time
import types
import unittest

try:
    import numpy  # noqa: F401
except ImportError:  # e2e asks for it, and nothing here needs it
    sys.modules['numpy'] = types.ModuleType('numpy')
import e2e
import test_download

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
    ('libavcodec', 'signal 11',
     'FFmpeg 5.1 ends an AAC decoder that it could not begin by a null call'),
    ('av_expr_parse', 'signal 6', 'an assertion of FFmpeg about the default of an option'),
    ('av_buffer', 'signal 6', 'an assertion of its decoder about a reference that was not made'),
    ('avformat_open_input', 'signal 11',
     'FFmpeg 5.1 goes on with the name of a file that it has not got'),
    ('avio_open2', 'signal 11', 'the same'),
    ('av_write_trailer', 'signal 11',
     'the same, where it reads the file back to put the index first'),
    ('liblcms2', 'signal 11', 'Little CMS frees a transform that it could not make'),
    ('libcrypto', 'signal 11', 'OpenSSL 3.0 goes on with what it could not make when it began'),
    ('libheif', 'signal 6', 'libheif lets an exception of C++ out'),
    ('libdav1d', 'exit 1', 'libheif does not say why its decoder could not be made'),
    ('libtiff', 'signal 11', 'libtiff 4.5 goes on with a field that it has not got'),
]
# Another try would succeed, exit code 75; but not all libraries say why they failed.
UNSAID = 'Generic error in an external library'


def find_preload():
    folder = os.path.dirname(e2e.program)
    for path in (f'{folder}/tests/fault_preload.so', f'{folder}-test/tests/fault_preload.so'):
        if os.path.exists(path):
            return path
    raise unittest.SkipTest('no fault_preload.so: it is made by a build with -Dtests=true')


class Server:
    """The program, loaded and linked once; each run is a child of it."""

    def __init__(self, preload, **env):
        env = {'REPRISE_OFFLINE': '1', 'REPRISE_MODELS': e2e.MODELS, **env}
        env = dict(os.environ, LD_PRELOAD=preload, REPRISE_FAULT_SERVER='1',
                   REPRISE_FAULT_WHO='who', no_proxy='*', **env)
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


def files_below(folder):
    """{name: content} of what is no file of the test's own."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(at, name), folder)
            if path.split('/')[0] not in OWN:
                found[path] = content(os.path.join(at, name))
    return found


class Result:
    def __init__(self, server, job, fault, folder):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder + '/cache/reprise')
        if job.sums:
            shutil.copy2(job.sums, folder + '/cache/reprise/model-sums.txt')
        self.status = server.run(fault, folder, job.args)
        self.files = files_below(folder)
        self.stays = job.stays
        self.cache = [name for _, _, names in os.walk(folder + '/cache') for name in names]
        self.stdout = re.sub(r'\d+\.\d+', '#', text(folder + '/stdout'))
        self.errors = [line for line in text(folder + '/stderr').splitlines() if 'error: ' in line]
        self.who = text(folder + '/who')
        self.counts = dict(line.split() for line in text(folder + '/counts').splitlines())

    def calls(self, kind):
        return sum(int(self.counts[k]) for k in KINDS[kind].split(','))

    def learn(self, other):
        """Bytes that differ from run to run, such as random numbers, are no difference."""
        self.loose = getattr(self, 'loose', {})
        for name, data in self.files.items():
            found = self.loose.setdefault(name, set())
            found.update(i for i, (a, b) in enumerate(zip(data, other.files[name])) if a != b)

    def same_files(self, base):
        if self.files.keys() != base.files.keys():
            return False
        for name, data in self.files.items():
            want, loose = base.files[name], base.loose[name]
            if data != want and (len(data) != len(want) or any(
                    a != b and i not in loose for i, (a, b) in enumerate(zip(data, want)))):
                return False
        return True

    def may_stay(self, name, base):
        """Of a download: parts, and what is whole."""
        return self.stays and (re.fullmatch(self.stays, name) or
                               self.files[name] == base.files.get(name))

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
            if not self.same_files(base):
                return 'exit 0 and another output'
            return 'exit 0 and other words' if self.stdout != base.stdout else ''
        left = [name for name in self.files if not self.may_stay(name, base)]
        if left:
            return f'exit {self.status}, left: ' + ' '.join(left)
        if self.status != 75 and not (self.status == 1 and UNSAID in ' '.join(self.errors)):
            return f'exit {self.status}: ' + ' '.join(self.errors)
        if len(self.errors) != 1:
            return f'{len(self.errors)} sentences: ' + ' | '.join(self.errors)
        if kind == 'memory' and not re.search('memory', self.errors[0]):
            return 'wrong words: ' + self.errors[0]
        return ''


class Job:
    """`slow`: not without --all or its name, for time. `stays`: names of files that a failure may
    leave. `env`: of the program."""

    def __init__(self, name, *args, sums=None, slow=False, stays='', **env):
        self.name, self.args, self.sums, self.slow = name, args, sums, slow
        self.stays, self.env = stays, env


def profile():
    """Of a monitor whose colours are wider than sRGB's."""
    def xyz(*values):
        return b'XYZ \0\0\0\0' + struct.pack('>3i', *(round(v * 65536) for v in values))
    curve = b'curv\0\0\0\0' + struct.pack('>IH', 1, round(2.2 * 256)) + bytes(2)
    tags = {b'wtpt': xyz(.9505, 1, 1.0891), b'rXYZ': xyz(.60974, .31111, .01947),
            b'gXYZ': xyz(.20528, .62567, .06087), b'bXYZ': xyz(.14919, .06322, .74457),
            b'rTRC': curve, b'gTRC': curve, b'bTRC': curve}
    at, table, data = 128 + 4 + 12 * len(tags), struct.pack('>I', len(tags)), b''
    for name, tag in tags.items():
        table += name + struct.pack('>2I', at + len(data), len(tag))
        data += tag
    head = struct.pack('>2I', 0, 0x02400000) + b'mntrRGB XYZ ' + bytes(12) + b'acsp' + bytes(28)
    head += xyz(.9642, 1, .8249)[8:]
    return struct.pack('>I', at + len(data)) + head.ljust(124, b'\0') + table + data


def write_tiff(path, picture, icc):
    """RGB of 16 bits, in two strips, with a profile."""
    w, h = e2e.size_of(picture)
    data = e2e.ffmpeg('-i', picture, '-f', 'rawvideo', '-pix_fmt', 'rgb48le', '-')
    entries, extra = [], b''
    first = 8 + 2 + 12 * 11 + 4

    def add(tag, kind, values):
        nonlocal extra
        size = {2: 'B', 3: 'H', 4: 'I', 7: 'B'}[kind]
        packed = struct.pack(f'<{len(values)}{size}', *values)
        if len(packed) > 4:
            extra += bytes(len(extra) % 2)
            at, extra = first + len(extra), extra + packed
            packed = struct.pack('<I', at)
        entries.append(struct.pack('<HHI', tag, kind, len(values)) + packed.ljust(4, b'\0'))
    rows = h // 2
    strip = rows * w * 6
    add(256, 4, [w])
    add(257, 4, [h])
    add(258, 3, [16] * 3)
    add(259, 3, [1])
    add(262, 3, [2])
    start = first + 6 + 8 + 8 + len(icc) + 4  # of the pixels: after all that is extra
    add(273, 4, [start, start + strip])
    add(277, 3, [3])
    add(278, 4, [rows])
    add(279, 4, [strip, len(data) - strip])
    add(284, 3, [1])
    add(34675, 7, icc)
    with open(path, 'wb') as file:
        file.write(b'II*\0' + struct.pack('<IH', 8, len(entries)) + b''.join(entries) + bytes(4))
        file.write(extra.ljust(start - first, b'\0') + data)


def picture_jobs(picture, draw, sums):
    """Formats in and out that the others have not."""
    jobs = []
    write_tiff(e2e.scratch('wide.tiff'), picture, profile())
    jobs.append(Job('tiff', *draw, '-t', e2e.scratch('wide.tiff'), '-o', 'out.webp', sums=sums,
                    slow=True))
    for name, output, *how in (('webp', 'out.tiff', '-c:v', 'libwebp', '-q:v', '80'),
                               ('avif', 'out.bmp', '-c:v', 'libaom-av1', '-cpu-used', '8')):
        path = e2e.scratch('small.' + name)
        try:
            e2e.ffmpeg('-i', picture, '-frames:v', '1', *how, path)
        except subprocess.CalledProcessError:
            print(f'this ffmpeg makes no {name}')
            continue
        jobs.append(Job(name, *draw, '-t', path, '-o', output, sums=sums, slow=True))
    return jobs


def tracks_job(clip, draw, sums):
    """Sound and subtitles that are both encoded anew."""
    path, text = e2e.scratch('tracks.mp4'), e2e.scratch('text.srt')
    with open(text, 'w', encoding='utf-8') as file:
        file.write('1\n00:00:00,000 --> 00:00:00,080\nfirst\n\n'
                   '2\n00:00:00,100 --> 00:00:00,150\nsecond\n')
    e2e.ffmpeg('-i', clip, '-i', text, '-map', '0', '-map', '1', '-c', 'copy', '-c:s', 'mov_text',
               path)
    return Job('tracks', *draw, '-t', path, '-o', 'out.mkv', '--output-audio-volume', '50',
               sums=sums, slow=True)


def download_job(server):
    """From a server of ours. What has come may stay, to be continued, but only what is whole has
    the name."""
    data = bytes(range(256)) * 1500
    path = test_download.GITHUB + 'models-3.4.0/' + test_download.YUNET
    server.files[path + '.hash'] = test_download.File(test_download.crc_of(data))
    server.files[path + '.onnx'] = test_download.File(data)
    return Job('download', 'force-download', '--models-path', 'models', '--download-mirrors',
               f'github={server.url}/gh', '--download-providers', 'github', '--', 'yunet',
               slow=True, stays=r'models/.*\.(hash|part|lock|from)', REPRISE_OFFLINE='')


def make_jobs(server):
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
            sums=sums, slow=True),
        Job('video', *draw, '-t', clip, '-o', 'out.mp4', sums=sums),
        Job('analyse', 'analyse', '--json', picture, sums=sums, slow=True),
        Job('inspect', 'inspect', marked),
        Job('doctor', 'doctor'),
        Job('models', 'models', '--verify', slow=True),
        *picture_jobs(picture, draw, sums),
        tracks_job(clip, draw, sums),
        download_job(server),
    ]


class Faults(unittest.TestCase):
    options = None

    @classmethod
    def setUpClass(cls):
        cls.preload = find_preload()
        cls.server = test_download.Server()
        cls.addClassCleanup(cls.server.stop)
        cls.jobs = make_jobs(cls.server)
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
                          f'{seen["0"]:6} the same {seen["75"] + seen["1"]:6} a sentence '
                          f'{seen["library"]:3} library {seen["bad"]:3} bad {time.time() - started:6.1f} s')

    def test_every_kind(self):
        type(self).stop = time.time() + self.options.limit
        for job in self.jobs:
            if job.name not in (self.options.job or [job.name]):
                continue
            if job.slow and not ALL and not self.options.job:
                continue
            servers = [Server(self.preload, **job.env) for _ in range(self.options.threads)]
            base = Result(servers[0], job, 'malloc:0', e2e.scratch('run0'))
            self.assertEqual(base.status, 0, base.errors)
            for _ in range(4):
                base.learn(Result(servers[0], job, 'malloc:0', e2e.scratch('run0')))
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
