#!/usr/bin/python3
"""The n-th call of the CUDA runtime fails, of a short job with a clip: one sentence and code 75, or the
same bytes as without the fault; nothing under the output's name after a failure, no temporary file, no
crash, no hang.

    test_cuda_faults.py PROGRAM MODELS CLIP SOURCE [--all] [--runs N] [--kind NAME]
                        [--only N] [--error NUMBER]

PROGRAM is reprise, MODELS a folder with the lite models, CLIP a short video of faces, SOURCE a picture
of one. tests/fault_cuda.c makes the calls fail, those of ONNX Runtime's provider and of our module,
which is for that built a second time, against the shared runtime. Both are looked for beside PROGRAM.
Without --all a few n of each kind (--runs) are tried, those of the beginning more densely. It says "skipped"
without a GPU. The last line is N passed, N failed.
"""
import argparse
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import tempfile

KINDS = ('memory', 'copy', 'launch', 'graph', 'capture', 'stream', 'wait')
HANG = 60       # seconds
FRAMES = 6
AT_ONCE = 4     # each holds some hundred MB of the GPU
ERRORS = (2, 719)  # out of memory; a launch that failed


def skip(why):
    print(f'skipped: {why}')
    sys.exit(77)


def find(program, name):
    for folder, _, names in os.walk(os.path.dirname(program)):
        if name in names and not folder.endswith('.p'):
            return os.path.join(folder, name)
    return skip(f'no {name}: it is made by a build with -Dcuda=enabled -Dtests=true')


def has_gpu(program):
    said = subprocess.run([program, 'doctor'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False).stdout
    return re.search(r'^ok  *GPU ', said, re.M)


class Run:
    """One job in a folder of its own."""

    def __init__(self, options, fault):
        with tempfile.TemporaryDirectory() as folder:
            self.run(options, fault, folder)

    def run(self, options, fault, folder):
        env = dict(os.environ, LD_PRELOAD=options.preload, REPRISE_CUDA_MODULE=options.module,
                   REPRISE_OFFLINE='1', REPRISE_CUDA_FAULT_COUNT=f'{folder}/counts',
                   REPRISE_CUDA_FAULT_WHO=f'{folder}/who', NVIDIA_TF32_OVERRIDE='0')
        if fault:
            env['REPRISE_CUDA_FAULT'] = fault
        os.mkdir(f'{folder}/out')
        command = [options.program, 'headless-run', '--execution-providers', 'cuda', '--models-path',
                   options.models, '-s', options.source, '-t', options.clip, '-o',
                   f'{folder}/out/out.mp4', '--trim-frame-end', str(FRAMES), '--processors',
                   'face_swapper', 'face_debugger', '--cuda-graph-slots', '2', '--cuda-graph-cache',
                   'off', '--output-video-preset', 'ultrafast']
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=env, timeout=HANG, check=False)
            self.code, said = done.returncode, done.stderr.decode(errors='replace')
        except subprocess.TimeoutExpired as late:
            self.code, said = 'hang', (late.stderr or b'').decode(errors='replace')
        self.said = said
        self.errors = [line for line in said.splitlines() if 'error: ' in line]
        self.left = os.listdir(f'{folder}/out')
        self.sum = None
        if self.left == ['out.mp4']:
            with open(f'{folder}/out/out.mp4', 'rb') as file:
                self.sum = hashlib.sha256(file.read()).hexdigest()
        self.who = self.text(f'{folder}/who')
        self.counts = {k: int(n) for k, n in (line.split() for line in
                                              self.text(f'{folder}/counts').splitlines())}

    @staticmethod
    def text(path):
        try:
            with open(path, encoding='utf-8', errors='replace') as file:
                return file.read()
        except OSError:
            return ''

    def verdict(self, base):
        """What is wrong with it, or ''."""
        if self.code == 0:
            if self.errors:
                return 'exit 0 and an error: ' + self.errors[0]
            return '' if self.sum == base.sum else f'exit 0 and another output ({self.left})'
        if self.code != 75:
            return f'exit {self.code}: ' + ' | '.join(self.said.splitlines()[-3:])
        if self.left:
            return 'exit 1, left: ' + ' '.join(self.left)
        return '' if len(self.errors) == 1 else f'{len(self.errors)} sentences: ' + ' | '.join(self.errors)


def chosen(options, n):
    """All of them, or few: the first calls are those of different places."""
    if options.only:
        return [options.only]
    if options.all or n <= options.runs:
        return range(1, n + 1)
    return sorted({round(n ** (i / (options.runs - 1))) for i in range(options.runs)})


def try_all(options, base):
    passed, bad = 0, []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for kind in options.kind or KINDS:
            n = base.counts[kind]
            tries = [(i, error) for error in options.error or ERRORS for i in chosen(options, n)]
            runs = pool.map(lambda t, k=kind: Run(options, f'{k}:{t[0]}:{t[1]}'), tries)
            seen = {}
            for (i, error), run in zip(tries, runs):
                wrong = run.verdict(base)
                what = 'bad' if wrong else 'the same' if run.code == 0 else 'a sentence'
                if not wrong and not run.who: # fewer calls in this run than in the first
                    what = 'not reached'
                seen[what] = seen.get(what, 0) + 1
                if wrong:
                    bad.append(f'{kind} {i} of {n}, error {error}: {wrong}\n{run.who}')
            passed += len(tries) - seen.get('bad', 0)
            print(f'{kind:8} {n:6} calls {len(tries):4} tried', *(f'{v} {k}' for k, v in seen.items()),
                  flush=True)
    return passed, bad


def main():
    parser = argparse.ArgumentParser()
    for name in ('program', 'models', 'clip', 'source'):
        parser.add_argument(name, type=os.path.abspath)
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--runs', type=int, default=8)
    parser.add_argument('--kind', choices=KINDS, nargs='+')
    parser.add_argument('--only', type=int)
    parser.add_argument('--error', type=int, nargs='+')
    options = parser.parse_args()
    options.preload = find(options.program, 'fault_cuda.so')
    options.module = find(options.program, 'libreprise-cuda-faults.so')
    if not has_gpu(options.program):
        skip('there is no GPU here')
    base, again = Run(options, None), Run(options, None)
    if base.code or base.sum != again.sum or not all(base.counts.get(k) for k in KINDS):
        print(f'without a fault: exit {base.code}, the same twice: {base.sum == again.sum}, calls '
              f'{base.counts}\n{base.said}')
        print('0 passed, 1 failed')
        return 1
    passed, bad = try_all(options, base)
    print('\n'.join(bad))
    print(f'{passed} passed, {len(bad)} failed')
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
