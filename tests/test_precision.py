#!/usr/bin/python3
"""--precision end to end: pictures, boxes, landmarks and embeddings by native networks that are stored
as float16, against the same networks in float32.

    test_precision.py PROGRAM                       the tests
    test_precision.py PROGRAM --table FACE PICTURE...   a table of these pictures, with FACE swapped in
    test_precision.py PROGRAM --gpu FACE PICTURE...     the same of a GPU against the processor in float32
"""
import json
import os
import sys
import unittest

import e2e
import numpy as np

NATIVE = ('--network-engine', 'native')
FULL = (*NATIVE, '--precision', 'fp32')
HALF = (*NATIVE, '--precision', 'fp16')
GPU = {'auto': ('--execution-providers', 'cuda', '--precision', 'auto'),
       'fp16': ('--execution-providers', 'cuda', '--precision', 'fp16'),
       'ONNX Runtime': ('--execution-providers', 'cuda', '--network-engine', 'onnxruntime')}


def swapped(source, target, name, options):
    path = e2e.scratch(name)
    e2e.swap(source, target, path, *options)
    return e2e.pixels(path)[0]


def picture_error(source, target, options=HALF):
    """PSNR over the pixels that the swap changed, and the largest difference of one."""
    before = e2e.pixels(target)[0]
    full = swapped(source, target, 'full.png', FULL)
    half = swapped(source, target, 'half.png', options)
    changed = (full != before).any(2)
    assert changed.any(), f'{target}: nothing was swapped'
    apart = np.abs(full[changed].astype(int) - half[changed])
    return e2e.psnr(full[changed], half[changed]), int(apart.max())


def face_errors(target, options=HALF):
    """The largest difference of boxes and landmarks in pixels, and the least cosine."""
    both = [e2e.analyse(*o, target)[0]['faces'] for o in (FULL, options)]
    assert len(both[0]) == len(both[1]) > 0, f'{target}: {[len(faces) for faces in both]} faces'
    box = points = 0.0
    cosine = 1.0
    for full, half in zip(*both):
        box = max(box, np.abs(np.subtract(full['box'], half['box'])).max())
        points = max(points, np.abs(np.subtract(full['landmark_68'], half['landmark_68'])).max())
        a, b = np.array(full['embedding']), np.array(half['embedding'])
        cosine = min(cosine, a @ b / np.sqrt((a @ a) * (b @ b)))
    return box, points, cosine


class Precision(unittest.TestCase):

    def test_picture(self):
        source, _ = e2e.sample()
        psnr, most = picture_error(source, e2e.PICTURE)
        self.assertGreater(psnr, 50)  # what a GPU must reach
        self.assertGreater(most, 0)   # it was float16 indeed

    def test_faces(self):
        box, points, cosine = face_errors(e2e.PICTURE)
        self.assertLess(box, 0.3)
        self.assertLess(points, 0.5)
        self.assertGreater(cosine, 0.9999)

    def test_unknown(self):
        result = e2e.run('analyse', '--precision', 'fp8', e2e.PICTURE)
        self.assertEqual(result.returncode, 2)
        self.assertIn('auto, tf32, fp16, fp32', result.stderr)

    def test_full(self):
        """The processor multiplies float32 as it is, whatever it is called."""
        faces = [json.dumps(e2e.analyse(*NATIVE, '--precision', precision, e2e.PICTURE))
                 for precision in ('tf32', 'fp32')]
        self.assertEqual(*faces)

    def test_elsewhere(self):
        """ONNX Runtime's networks do not heed it."""
        faces = [json.dumps(e2e.analyse('--network-engine', 'onnxruntime', '--precision', precision,
                                        e2e.PICTURE)) for precision in ('tf32', 'fp16')]
        self.assertEqual(*faces)


def table(source, pictures, ways):
    print(f'{"picture":20} {"":12} {"PSNR dB":>8} {"most":>5} {"box px":>8} {"points px":>10} {"cosine":>9}')
    for path in pictures:
        for name, options in ways.items():
            psnr, most = picture_error(source, path, options)
            box, points, cosine = face_errors(path, options)
            print(f'{os.path.basename(path):20} {name:12} {psnr:8.1f} {most:5} {box:8.3f} {points:10.3f} '
                  f'{cosine:9.6f}', flush=True)


if __name__ == '__main__':
    if len(sys.argv) > 4 and sys.argv[2] in ('--table', '--gpu'):
        e2e.program = os.path.abspath(sys.argv[1])
        table(sys.argv[3], sys.argv[4:], GPU if sys.argv[2] == '--gpu' else {'fp16': HALF})
    else:
        e2e.main()
