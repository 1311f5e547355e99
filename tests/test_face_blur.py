#!/usr/bin/python3
"""The face blur on real people: that no detector sees them any more, who is kept, gaps and scenes.

    test_face_blur.py PROGRAM [--all] [TEST...]

Without --all only the part of the long clip in which its face leaves is looked at.
"""
import os
import unittest

import e2e
import numpy as np
from contracts import common

TWO, FOREMAN = 'cisco_vt_2people_320x192_12fps.mp4', 'foreman_cif_25fps_with_jfk_audio.mp4'
LOSSLESS = ('--output-video-encoder', 'libx264rgb', '--output-video-quality', '100',
            '--output-video-preset', 'ultrafast')
LAST = 185  # of FOREMAN: the last frame in which a detector is sure of the face


def media(name):
    return e2e.shared('media/' + name)


def blur(target, name, *options):
    """The output's path."""
    out = e2e.scratch(name)
    e2e.must('headless-run', '--processors', 'face_blur', '-t', target, '-o', out,
             *(LOSSLESS if name.endswith('.mkv') else ()), *options)
    return out


def yunet():
    folder = e2e.scratch('yunet')
    if not os.path.exists(folder):
        e2e.model_folder('yunet')
        os.symlink(e2e.shared('models/yunet_2023mar.onnx'), folder + '/yunet_2023_mar.onnx')
    return ('--models-path', folder, '--face-detector-model', 'yunet')


def faces(path, *options):
    """Boxes and scores of each frame."""
    return [f['faces'] for f in e2e.analyse(*options, '--face-landmarker-score', '0', path)]


def sure(path, *options):
    """Frames and scores where a detector finds a face."""
    return [(i, f['score']) for i, found in enumerate(faces(path, *options)) for f in found]


def changed(before, after, box, grow=0.0):
    """Share of the pixels of a box that differ."""
    inside = e2e.inside(before.shape, box, grow)
    return (before != after).any(-1)[inside].mean()


class Nobody(unittest.TestCase):
    """A detector that did not do the work finds no face in the result, and neither does the one that
    did: in no frame, above 0.5."""

    def check(self, name, mode, *how, part=()):
        target = media(name)
        out = blur(target, f'{mode}.mkv', '--face-blur-mode', mode, *how, *part)
        for options in ((), yunet()):
            self.assertGreater(len(sure(target, *options, *part)), 8)
            self.assertEqual(sure(out, *options), [], (name, mode, options))
        os.unlink(out)

    def test_two_people(self):
        for mode in ('pixelate', 'cover'):
            self.check(TWO, mode)
            self.check(TWO, mode, *yunet())

    def test_smooth(self):
        """A smooth surface may look like a head, but not like this head."""
        for name in ('obama.jpg', 'astronaut.png'):
            out = blur(media(name), 'smooth.png', '--face-blur-mode', 'blur')
            face, = e2e.analyse(media(name))[0]['faces']
            for other in e2e.analyse('--face-detector-score', '0.1', out)[0]['faces']:
                if e2e.overlap(face['box'], other['box']) > 0.3:
                    self.assertLess(np.dot(face['embedding'], other['embedding']), 0.35, name)

    def test_one_who_leaves(self):
        part = () if e2e.whole else ('--trim-frame-start', '130', '--trim-frame-end', '230')
        self.check(FOREMAN, 'pixelate', part=part)

    def test_held_on(self):
        """After the last frame in which he was found he stays covered for half a second, then not."""
        target = media(FOREMAN)
        part = ('--trim-frame-start', '160', '--trim-frame-end', '230')
        before = e2e.pixels(target)[160:230]
        after = e2e.pixels(blur(target, 'held.mkv', '--face-detector-score', '0.5', *part))
        found = [len(f) for f in faces(target, *part)]
        last = max(i for i, n in enumerate(found) if n)
        self.assertLess(last + 30, 70)
        drawn = [i for i in range(70) if (np.abs(before[i].astype(int) - after[i]) > 8).any()]
        self.assertEqual(drawn, list(range(last + 14)))  # 0.5 seconds are 13 frames

    def test_pictures(self):
        for name in ('obama.jpg', 'obama_and_biden.jpg', 'astronaut.png'):
            for mode in ('pixelate', 'cover'):
                out = blur(media(name), 'picture.png', '--face-blur-mode', mode)
                for options in ((), yunet()):
                    self.assertEqual(sure(out, *options), [], (name, mode))

    def test_turned(self):
        """Upside down and on its side, found with the angles; the whole head is covered."""
        picture = e2e.pixels(media('astronaut.png'))[0]
        for quarters in (1, 2, 3):
            path = e2e.scratch('turned.png')
            common.write_png(path, np.rot90(picture, quarters))
            out = blur(path, 'turned-out.png', '--face-detector-angles', '0', '90', '180', '270',
                       *yunet())
            back = e2e.scratch('back.png')
            common.write_png(back, np.rot90(e2e.pixels(out)[0], -quarters))
            self.assertEqual(sure(back), [])
            self.assertEqual(sure(back, *yunet()), [])


class Kept(unittest.TestCase):
    """All but one of two people."""

    @classmethod
    def setUpClass(cls):
        cls.target = media(TWO)
        cls.before = e2e.pixels(cls.target)
        cls.faces = [sorted(f, key=lambda face: face['box'][0]) for f in faces(cls.target)]
        cls.left, cls.right = ([f[i]['box'] for f in cls.faces] for i in (0, 1))

    def portrait(self, side):
        """A picture of one of them."""
        path = e2e.scratch(f'portrait{side}.png')
        half = self.before[0][:, 160:] if side else self.before[0][:, :160]
        common.write_png(path, half)
        return path

    def check(self, kept, hidden, *options):
        out = blur(self.target, 'kept.mkv', '--face-selector-mode', 'all-but-reference', *options)
        after = e2e.pixels(out)
        for i, (a, b) in enumerate(zip(self.before, after)):
            self.assertEqual(changed(a, b, kept[i]), 0, i)
            self.assertGreater(changed(a, b, hidden[i]), 0.9, i)
        for detector in ((), yunet()):
            found = faces(out, *detector)
            for i, f in enumerate(found):
                self.assertEqual([round(e2e.overlap(face['box'], kept[i])) for face in f], [1], i)

    def test_by_position(self):
        order = ('--face-selector-order', 'left-right')
        self.check(self.right, self.left, *order, '--reference-face-position', '1')
        self.check(self.left, self.right, *order)

    def test_by_picture(self):
        self.check(self.right, self.left, '--reference-face-paths', self.portrait(1))
        self.check(self.left, self.right, '--reference-face-paths', self.portrait(0))

    def test_both(self):
        """Two pictures: nobody is left to be covered; a frame that is asked for counts as well."""
        for more in (('--reference-face-paths', self.portrait(0), self.portrait(1)),
                     ('--reference-face-paths', self.portrait(0), '--reference-frame-number', '0',
                      '--face-selector-order', 'right-left')):
            after = e2e.pixels(blur(self.target, 'both.mkv', '--face-selector-mode',
                                    'all-but-reference', *more))
            np.testing.assert_array_equal(self.before, after)

    def test_only(self):
        """Mode reference with a picture, for another processor as well."""
        words = ('--reference-face-paths', self.portrait(1))
        after = e2e.pixels(blur(self.target, 'only.mkv', *words))
        for i, (a, b) in enumerate(zip(self.before, after)):
            self.assertEqual(changed(a, b, self.left[i]), 0)
            self.assertGreater(changed(a, b, self.right[i]), 0.9)
        out = e2e.scratch('drawn.mkv')
        e2e.must('headless-run', '--processors', 'face_debugger', '-t', self.target, '-o', out,
                 *LOSSLESS, *words)
        for i, (a, b) in enumerate(zip(self.before, e2e.pixels(out))):
            self.assertEqual(changed(a, b, self.left[i]), 0)
            self.assertGreater(changed(a, b, self.right[i]), 0)

    def test_another_distance(self):
        """At distance 0 nobody is like anybody: all are covered."""
        after = e2e.pixels(blur(self.target, 'nobody.mkv', '--face-selector-mode',
                                'all-but-reference', '--reference-face-distance', '0'))
        for i, (a, b) in enumerate(zip(self.before, after)):
            self.assertGreater(changed(a, b, self.left[i]), 0.9)
            self.assertGreater(changed(a, b, self.right[i]), 0.9)


class Gaps(unittest.TestCase):
    """A clip in which the face is hidden from the detector in some frames: noise lies there."""
    GAPS = (*range(6, 9), *range(14, 20), *range(27, 30))  # inside, longer, and at the end

    @classmethod
    def setUpClass(cls):
        frames = e2e.pixels(media(FOREMAN))[:30].copy()
        found = faces(media(FOREMAN), '--trim-frame-end', '30')
        cls.boxes = [f[0]['box'] for f in found]
        rng = np.random.default_rng(3)
        for i in cls.GAPS:
            inside = e2e.inside(frames[i].shape, cls.boxes[i], 0.3)
            frames[i][inside] = rng.integers(0, 255, (inside.sum(), 3))
        cls.clip = e2e.scratch('gaps.mkv')
        common.write_clip(cls.clip, list(frames))
        cls.before = common.read_frames(cls.clip)
        assert [len(f) for f in faces(cls.clip, '--face-detector-score', '0.3')] == [
            0 if i in cls.GAPS else 1 for i in range(30)]

    def covered(self, *options):
        """Of each frame: the share of the face that is covered."""
        after = common.read_frames(blur(self.clip, 'gaps-out.mkv', *options))
        self.assertEqual(len(after), len(self.before))
        return [changed(a, b, box) for a, b, box in zip(self.before, after, self.boxes)]

    def test_held(self):
        self.assertGreater(min(self.covered()), 0.99)

    def test_not_held(self):
        """Nothing is covered in the gaps without, or only near their ends."""
        got = self.covered('--face-blur-hold', '0')
        self.assertEqual([i for i in range(30) if not got[i]], list(self.GAPS))
        got = self.covered('--face-blur-hold', '0.05')  # two frames
        self.assertEqual([i for i in range(30) if not got[i]], [16, 17, 29])
        self.assertGreater(min(g for g in got if g), 0.99)

    def test_tracker(self):
        """The tracker as well fills gaps; they are covered once more."""
        self.assertGreater(min(self.covered('--face-tracker-score', '0.3')), 0.99)

    def test_other_processors(self):
        """What is held is for those who ask for it."""
        out = e2e.scratch('drawn.mkv')
        words = ('headless-run', '--processors', 'face_debugger', '--face-debugger-items',
                 'bounding-box', '--face-selector-mode', 'many', '-t', self.clip, '-o', out, *LOSSLESS)
        e2e.must(*words)
        alone = common.read_frames(out)
        e2e.must(*words, '--processors', 'face_blur', 'face_debugger', '--face-blur-margin', '0')
        for i in self.GAPS:
            np.testing.assert_array_equal(alone[i], self.before[i])
        red = (0, 0, 255)
        for i, frame in enumerate(common.read_frames(out)):
            self.assertEqual((frame == red).all(-1).sum() > 100, i not in self.GAPS, i)

    def test_same_bytes(self):
        """Whatever the number of threads."""
        files = []
        for threads in ('1', '2', '4'):
            path = blur(self.clip, 'threads.mkv', '--execution-thread-count', threads)
            files.append(e2e.packets(path, 'v:0'))
        self.assertEqual(len(files[0]), 30)
        self.assertEqual(files[0], files[1])
        self.assertEqual(files[0], files[2])

    def test_lockstep(self):
        """Frames in one launch, where none is held."""
        got = [common.read_frames(blur(self.clip, 'step.mkv', '--face-blur-hold', '0',
                                       '--cuda-graph-frames', n)) for n in ('1', '4')]
        np.testing.assert_array_equal(*got)

    def test_smaller(self):
        """Found in the large frame, covered in the small one."""
        after = common.read_frames(blur(self.clip, 'small.mkv', '--output-video-scale', '0.5'))
        plain = common.read_frames(blur(self.clip, 'plain.mkv', '--output-video-scale', '0.5',
                                        '--face-selector-mode', 'all-but-reference',
                                        '--reference-face-distance', '1'))
        for a, b, box in zip(plain, after, self.boxes):
            self.assertGreater(changed(a, b, np.multiply(box, 0.5)), 0.97)


class Scenes(unittest.TestCase):
    """A face is not held long over a change of scene."""

    def test_cut(self):
        frames = list(e2e.pixels(media(FOREMAN))[:8])
        other = e2e.pixels(media('kodim15.png'))[0][:288, :352]
        dark = (other // 6).astype(np.uint8)
        clip = e2e.scratch('cut.mkv')
        common.write_clip(clip, frames + [dark] * 12)
        before, after = (common.read_frames(path) for path in (clip, blur(clip, 'cut-out.mkv')))
        drawn = [i for i in range(20) if (before[i] != after[i]).any()]
        self.assertEqual(drawn, list(range(10)))


class BadInput(unittest.TestCase):
    def refused(self, code, said, *words, target=None):
        target = target or media('obama.jpg')
        common.refused(self, code, said, 'headless-run', '--processors', 'face_blur', '-t', target,
                       '-o', e2e.scratch('refused' + os.path.splitext(target)[1]), *words)

    def test_references(self):
        mode = ('--face-selector-mode', 'all-but-reference')
        rubbish, empty = e2e.scratch('rubbish.png'), e2e.scratch('empty.png')
        with open(rubbish, 'wb') as file:
            file.write(b'\x89PNG\r\n\x1a\n' + bytes(range(200)))
        common.write_png(empty, np.full((64, 64, 3), 90, np.uint8))
        for how in (mode, ('--face-selector-mode', 'reference')):
            option = (*how, '--reference-face-paths')
            self.refused(1, 'missing.png', *option, e2e.scratch('missing.png'))
            self.refused(1, 'rubbish.png', *option, rubbish)
            self.refused(1, 'no face found in', *option, empty)
            self.refused(1, 'no face found in', *option, media('obama.jpg'), empty)
            self.refused(1, 'is not a picture', *option, media(TWO))
        self.refused(2, 'nobody', '--face-selector-mode', 'nobody')

    def test_nobody_to_keep(self):
        """All but the reference, and there is none."""
        mode = ('--face-selector-mode', 'all-but-reference')
        empty = e2e.scratch('empty2.png')
        common.write_png(empty, np.full((64, 64, 3), 90, np.uint8))
        self.refused(1, 'no reference face', *mode, target=empty)
        self.refused(1, 'no reference face', *mode, '--reference-frame-number', '250',
                     target=media(FOREMAN))
        self.refused(1, 'no reference face', *mode, '--reference-frame-number', '300',
                     target=media(FOREMAN))

    def test_not_used(self):
        """Pictures of references are not opened where nobody asks for them."""
        out = blur(media('obama.jpg'), 'unused.png', '--face-selector-mode', 'many',
                   '--reference-face-paths', e2e.scratch('missing.png'))
        self.assertEqual(sure(out), [])

    def test_tiny(self):
        for size in ((1, 1), (2, 1), (3, 7)):
            path = e2e.scratch('tiny.png')
            common.write_png(path, np.zeros((*size, 3), np.uint8))
            self.assertEqual(e2e.size_of(blur(path, 'tiny-out.png'))[::-1], size)


if __name__ == '__main__':
    e2e.main()
