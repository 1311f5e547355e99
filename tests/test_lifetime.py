#!/usr/bin/python3
"""What lives as long as the runtime is made once, however many files a command works on.

    test_lifetime.py PROGRAM

Needs strace, to see which files are opened.
"""
import collections
import os
import re
import shutil
import unittest

import e2e

# A model may be looked into once (its checksum) and opened once more to be loaded.
MOST = 2


def opened(*args):
    """How often each model was opened while the program ran, by its name."""
    log = e2e.scratch('strace.log')
    e2e.tool('strace', '-f', '-qq', '-e', 'trace=open,openat', '-o', log, e2e.program, *args)
    with open(log, encoding='utf-8', errors='replace') as file:
        paths = re.findall(r'open(?:at)?\([^"]*"([^"]*\.onnx)".*\) = \d+', file.read())
    return collections.Counter(os.path.basename(path) for path in paths)


@unittest.skipUnless(shutil.which('strace'), 'no strace')
class Models(unittest.TestCase):
    def test_analyse_opens_models_once(self):
        pictures = [e2e.scratch(f'{i}.png') for i in range(3)]
        for i, path in enumerate(pictures):  # of as many sizes
            e2e.ffmpeg('-i', e2e.PICTURE, '-vf', f'crop=256:192:96:24,scale={256 + 64 * i}:-1', path)
        one = opened('analyse', '--json', e2e.PICTURE)
        four = opened('analyse', '--json', e2e.PICTURE, *pictures)
        self.assertGreater(len(one), 3, one)
        self.assertEqual(set(four), set(one))
        often = {name: n for name, n in four.items() if n > MOST}
        self.assertEqual(often, {}, f'opened more than {MOST} times for four pictures')


if __name__ == '__main__':
    e2e.main()
