#!/usr/bin/python3
"""Faces of real pictures and clips, with the lite set and with official yunet weights.

    test_real_media.py PROGRAM
"""
import gzip
import os
import struct
import unittest

import e2e
import numpy as np

PICTURES = {'astronaut.png': 1, 'obama.jpg': 1, 'biden.jpg': 1, 'obama_and_biden.jpg': 3}
ZHLING, TWO, FOREMAN = ('zhling_720p_25fps.mp4', 'cisco_vt_2people_320x192_12fps.mp4',
                        'foreman_cif_25fps_with_jfk_audio.mp4')


def media(name):
    return e2e.shared('media/' + name)


def counts(path, *options):
    return [len(f['faces']) for f in e2e.analyse(path, *options)]


class Lite(unittest.TestCase):
    """The models that set-up installs."""
    options = ()

    def test_pictures(self):
        for name, n in PICTURES.items():
            self.assertEqual(counts(media(name), *self.options), [n], name)

    def test_one_person(self):
        self.assertEqual(counts(media(ZHLING), *self.options), [1] * 19)

    def test_two_people(self):
        self.assertEqual(counts(media(TWO), *self.options), [2] * 9)

    def test_nobody(self):
        n = counts(media(FOREMAN), *self.options)
        self.assertEqual(len(n), 277)
        self.assertEqual(n[-60:], [0] * 60)
        self.assertEqual(n[:150], [1] * 150)


class Yunet(Lite):
    """Official weights under FaceFusion's file name."""

    @classmethod
    def setUpClass(cls):
        weights = e2e.shared('models/yunet_2023mar.onnx')
        folder = e2e.model_folder('yunet')
        os.symlink(weights, folder + '/yunet_2023_mar.onnx')
        cls.options = ('--models-path', folder, '--face-detector-model', 'yunet')

    def test_recorded(self):
        """The detector's recorded input as a picture: the face is the best of the candidates."""
        record = 'fixtures/face_detector/yunet/source_640x640/'
        with gzip.open(e2e.shared('fixtures/face_detector/model_input/source_640x640/raw.npy.gz')) \
                as file:
            tensor = np.load(file)
        boxes, scores, points = (np.load(e2e.shared(record + name + '.npy')) for name in
                                 ('bounding_boxes', 'face_scores', 'face_landmarks_5'))
        path = e2e.scratch('recorded.bmp')
        write_bmp(path, tensor[0].transpose(1, 2, 0))
        ratio = 1024 / 640  # the recorded picture was shrunk to the input, this one is the input
        best = scores.argmax()
        faces = e2e.analyse(*self.options, '--face-landmarker-score', '0', path)[0]['faces']
        self.assertEqual(len(faces), 1)
        np.testing.assert_allclose(faces[0]['box'], boxes[best] / ratio, atol=0.01)
        np.testing.assert_allclose(faces[0]['score'], scores[best], atol=1e-5)
        np.testing.assert_allclose(faces[0]['landmark_5'], points[best] / ratio, atol=0.01)


class Identity(unittest.TestCase):
    """The lite recogniser."""

    @classmethod
    def setUpClass(cls):
        def embeddings(name):
            faces = e2e.analyse(media(name))[0]['faces']
            faces.sort(key=lambda f: f['box'][0])
            return [np.array(f['embedding']) for f in faces]

        cls.obama, = embeddings('obama.jpg')
        cls.biden, = embeddings('biden.jpg')
        cls.astronaut, = embeddings('astronaut.png')
        cls.group = embeddings('obama_and_biden.jpg')

    def test_length(self):
        for e in [self.obama, self.biden, self.astronaut, *self.group]:
            self.assertAlmostEqual(float(e @ e), 1, 4)

    def test_same(self):
        self.assertGreater(max(self.obama @ e for e in self.group), 0.5)
        self.assertGreater(max(self.biden @ e for e in self.group), 0.5)

    def test_different(self):
        self.assertLess(self.obama @ self.biden, 0.3)
        self.assertLess(self.obama @ self.astronaut, 0.3)
        self.assertLess(self.biden @ self.astronaut, 0.3)
        i = int(np.argmax([self.obama @ e for e in self.group]))
        j = int(np.argmax([self.biden @ e for e in self.group]))
        self.assertNotEqual(i, j)
        for e in self.group[:i] + self.group[i + 1:]:
            self.assertLess(self.obama @ e, 0.3)
        for e in self.group[:j] + self.group[j + 1:]:
            self.assertLess(self.biden @ e, 0.3)


class Jobs(unittest.TestCase):
    """Whole jobs on real clips."""

    def test_swap(self):
        for name in (ZHLING, TWO, FOREMAN):
            target, output = media(name), e2e.scratch('swapped-' + name)
            report = e2e.swap(media('obama.jpg'), target, output, '--face-selector-mode', 'many')
            n = len(e2e.times(target))
            self.assertEqual(report['frames_done'], n)
            self.assertGreaterEqual(report['faces_changed'], n // 2)
            self.assertEqual(e2e.times(output), e2e.times(target))
            if e2e.probe(target, 'stream=codec_name', 'a'):
                self.assertEqual(e2e.packets(output, 'a'), e2e.packets(target, 'a'))

    def test_frames_without_a_face(self):
        """Where no face is, a lossless encoder gives the decoder's pixels."""
        output = e2e.scratch('exact.mkv')
        e2e.swap(media('obama.jpg'), media(FOREMAN), output, '--output-video-quality', '100')
        before, after = e2e.pixels(media(FOREMAN)), e2e.pixels(output)
        np.testing.assert_array_equal(before[-60:], after[-60:])
        self.assertFalse(np.array_equal(before[:60], after[:60]))


def write_bmp(path, bgr):
    """A picture that needs no library: 24 bits, bottom row first."""
    h, w, _ = bgr.shape
    assert w % 4 == 0
    np.testing.assert_array_equal(bgr, bgr.round())
    data = bgr[::-1].astype(np.uint8).tobytes()
    head = struct.pack('<2sIHHI', b'BM', 54 + len(data), 0, 0, 54)
    info = struct.pack('<IiiHHIIiiII', 40, w, h, 1, 24, 0, len(data), 2835, 2835, 0, 0)
    with open(path, 'wb') as file:
        file.write(head + info + data)


if __name__ == '__main__':
    e2e.main()
