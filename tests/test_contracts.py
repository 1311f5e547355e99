#!/usr/bin/python3
"""Each model's contract, through the whole program, against references in NumPy: tests/contracts/.

    test_contracts.py PROGRAM [--part K/N] [-v] [TEST...]

--part: only every N-th class of tests, beginning with the K-th.

With REPRISE_CONTRACT_OPTIONS="--execution-providers cuda" on a GPU. The machine needs no models: those
here are tiny ones, made as they are needed.
"""
import glob
import importlib
import json
import os
import shutil
import sys
import unittest

import e2e
from contracts import common

# Kinds of the catalogue whose models must all have a contract here.
COVERED = []
PART = None


def modules():
    for path in sorted(glob.glob(f'{e2e.HERE}/contracts/*.py')):
        name = os.path.basename(path)[:-3]
        if name not in ('__init__', 'common'):
            yield importlib.import_module(f'contracts.{name}')


class Catalogue(unittest.TestCase):
    """No model without a contract."""

    def test_every_model(self):
        tested = {name for module in modules() for c in module.CONTRACTS for name in c.models}
        for module in modules():
            tested.update(getattr(module, 'COVERS', []))
        for line in e2e.must('models', '--json').stdout.splitlines():
            model = json.loads(line)
            if model['kind'] in COVERED:
                name = os.path.splitext(model['file'])[0]
                self.assertIn(name, tested, f'{model["kind"]} {name} has no contract test')


def tests_in(module):
    """Those of its contracts, and those that it has besides."""
    title = module.__name__.rsplit('.', 1)[-1].title().replace('_', '')
    tests = {title: common.tests_of(title, module.CONTRACTS)} if module.CONTRACTS else {}
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, unittest.TestCase) \
                and value.__module__ == module.__name__:
            tests[title + name] = value
    return tests


for found in modules():
    COVERED.extend(found.KINDS)
    globals().update(tests_in(found))


def load_tests(loader, suite, _):
    """All, or a part."""
    if PART is None:
        return suite
    number, parts = (int(word) for word in PART.split('/'))
    classes = [value for value in globals().values()
               if isinstance(value, type) and issubclass(value, unittest.TestCase)]
    return unittest.TestSuite(loader.loadTestsFromTestCase(c) for c in classes[number - 1::parts])


if __name__ == '__main__':
    if '--part' in sys.argv:
        at = sys.argv.index('--part')
        PART = sys.argv[at + 1]
        del sys.argv[at:at + 2]
    if len(sys.argv) < 2:
        print(f'usage: {sys.argv[0]} PROGRAM [--part K/N] [TEST...]')
        sys.exit(2)
    e2e.program = os.path.abspath(sys.argv.pop(1))
    if not shutil.which('ffmpeg'):
        e2e.skip_all('no ffmpeg program')
    e2e.needs_standins()
    os.environ['REPRISE_OFFLINE'] = '1'
    unittest.main(verbosity=1)
