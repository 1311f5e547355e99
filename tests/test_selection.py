#!/usr/bin/python3
"""The selector on real people: who is changed, by reference, order, gender and age.

    test_selection.py PROGRAM
"""
import os
import unittest

import e2e
import numpy as np

CLOSE = 0.5  # cosine of one person's embeddings in the media here: 0.6 and more, of two under 0.3


def media(name):
    return e2e.shared('media/' + name)


def faces_of(path):
    """From left to right."""
    return sorted(e2e.analyse(path)[0]['faces'], key=lambda f: f['box'][0])


def same_as(face, faces):
    """Index of the one face that is this person's."""
    near = [i for i, f in enumerate(faces)
            if np.dot(face['embedding'], f['embedding']) > CLOSE]
    assert len(near) == 1, near
    return near[0]


class Group(unittest.TestCase):
    """Three men, two of whom have a picture of their own."""

    @classmethod
    def setUpClass(cls):
        cls.path = media('obama_and_biden.jpg')
        cls.faces = faces_of(cls.path)
        assert len(cls.faces) == 3
        cls.before = cls.output_of('--reference-face-distance', '0')  # decoded, not changed
        cls.obama = same_as(faces_of(media('obama.jpg'))[0], cls.faces)
        cls.biden = same_as(faces_of(media('biden.jpg'))[0], cls.faces)
        assert cls.obama != cls.biden

    def changed_in(self, before, after, scale=1.0):
        """Faces that were drawn on; nothing else may have changed."""
        changed = (before != after).any(axis=2)
        rest = changed.copy()
        found = []
        for i, face in enumerate(self.faces):
            here = e2e.inside(changed.shape, np.multiply(face['box'], scale), 0.5)
            if changed[here].any():
                found.append(i)
            rest &= ~here
        self.assertFalse(rest.any())
        return found

    @classmethod
    def output_of(cls, *options):
        output = e2e.scratch('group.png')
        e2e.must('headless-run', '--processors', 'face_debugger', '-t', cls.path, '-o', output,
                 *options)
        return e2e.pixels(output)[0]

    def selected(self, *options):
        return self.changed_in(self.before, self.output_of(*options))

    def by_area(self):
        return sorted(range(3), key=lambda i: -np.prod(np.subtract(self.faces[i]['box'][2:],
                                                                   self.faces[i]['box'][:2])))

    def test_reference(self):
        """Each of the three by his place; behind the last it is the last."""
        for i in range(4):
            self.assertEqual(self.selected('--face-selector-order', 'left-right',
                                           '--reference-face-position', str(i)), [min(i, 2)])
        self.assertEqual(self.selected(), [self.by_area()[0]])
        self.assertEqual(self.selected('--reference-face-position', '1'), [self.by_area()[1]])

    def test_distance(self):
        self.assertEqual(self.selected('--reference-face-distance', '0'), [])
        self.assertEqual(self.selected('--reference-face-distance', '1'), [0, 1, 2])

    def test_many_and_one(self):
        self.assertEqual(self.selected('--face-selector-mode', 'many'), [0, 1, 2])
        for order, first in (('left-right', 0), ('right-left', 2), ('large-small', self.by_area()[0]),
                             ('small-large', self.by_area()[2])):
            self.assertEqual(self.selected('--face-selector-mode', 'one', '--face-selector-order',
                                           order), [first], order)

    def test_filters(self):
        many = ('--face-selector-mode', 'many')
        men = [i for i, f in enumerate(self.faces) if f['gender'] == 'male']
        self.assertIn(self.obama, men)
        self.assertEqual(self.selected(*many, '--face-selector-gender', 'male'), men)
        self.assertEqual(self.selected(*many, '--face-selector-gender', 'female'),
                         [i for i in range(3) if i not in men])
        self.assertEqual(self.selected(*many, '--face-selector-gender', 'auto', '-s',
                                       media('obama.jpg')), men)
        for low, high in ((0, 30), (30, 50), (50, 100)):
            want = [i for i, f in enumerate(self.faces)
                    if max(low, f['age'][0]) < min(high, f['age'][1])]
            self.assertEqual(self.selected(*many, '--face-selector-age-start', str(low),
                                           '--face-selector-age-end', str(high)), want, (low, high))

    def clip(self):
        """Obama, then Biden, then the group: three frames of one size, half of the picture's."""
        path = e2e.scratch('people.mkv')
        if not os.path.exists(path):
            fit = 'scale=1000:714:force_original_aspect_ratio=decrease,pad=1000:714,setsar=1'
            args = []
            for name in ('obama.jpg', 'biden.jpg', 'obama_and_biden.jpg'):
                args += ['-framerate', '5', '-i', media(name)]
            e2e.ffmpeg(*args, '-filter_complex',
                       f'[0]{fit}[a];[1]{fit}[b];[2]{fit}[c];[a][b][c]concat=n=3,format=yuv444p',
                       '-c:v', 'ffv1', '-fps_mode', 'passthrough', path)
        return path

    def test_reference_frame(self):
        """The person of another frame is found in the group; with two frames both are."""
        output = e2e.scratch('people-out.mkv')
        before = e2e.pixels(self.clip())
        for frames, want in (('0',), [self.obama]), (('1',), [self.biden]), \
                (('0', '1'), [self.obama, self.biden]):
            e2e.must('headless-run', '--processors', 'face_debugger', '-t', self.clip(), '-o', output,
                     '--output-video-quality', '100', '--reference-frame-number', *frames)
            # where nothing was drawn the encoder is lossless, so the decoder's pixels come back
            after = e2e.pixels(output)
            self.assertEqual(self.changed_in(before[2], after[2], 0.5), sorted(want), frames)


if __name__ == '__main__':
    e2e.main()
