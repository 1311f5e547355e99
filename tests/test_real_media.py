#!/usr/bin/python3
"""Faces of real pictures and clips, with the lite set and with official yunet weights.

    test_real_media.py PROGRAM [--all] [TEST...]

Without --all only the part of the long clip in which its face leaves is looked at.
"""
import gzip
import json
import os
import platform
import struct
import subprocess
import sys
import unittest

import e2e
import numpy as np
import test_masks
from contracts import common
from contracts.common import write_png

PICTURES = {'astronaut.png': 1, 'obama.jpg': 1, 'biden.jpg': 1, 'obama_and_biden.jpg': 3}
ZHLING, TWO, FOREMAN = ('zhling_720p_25fps.mp4', 'cisco_vt_2people_320x192_12fps.mp4',
                        'foreman_cif_25fps_with_jfk_audio.mp4')


def media(name):
    return e2e.shared('media/' + name)


def leaving():
    """The frames of FOREMAN with a face, and others without: options, first and last frame."""
    first, end = (0, 277) if e2e.whole else (140, 247)
    return ('--trim-frame-start', str(first), '--trim-frame-end', str(end)), first, end


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
        part, first, end = leaving()
        n = counts(media(FOREMAN), *part, *self.options)
        self.assertEqual(len(n), end - first)
        self.assertEqual(n[217 - first:], [0] * (end - 217))
        self.assertEqual(n[:150 - first], [1] * (150 - first))


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


class Landmarkers(unittest.TestCase):
    """Networks of 2dfan4's and peppa_wutz's contract, with yunet's five points and without any."""

    @classmethod
    def setUpClass(cls):
        cls.folder = e2e.model_folder('landmarkers')
        for name, file in {'2dfan4': '2dfan4_contract_fr_landmark',
                           'peppa_wutz': 'peppa_wutz_contract_fr_landmark',
                           'yunet_2023_mar': 'yunet_2023mar'}.items():
            os.symlink(e2e.shared(f'models/{file}.onnx'), f'{cls.folder}/{name}.onnx')

    def faces_of(self, names, *options):
        """Of each of some pictures, by one process."""
        found = e2e.analyse('--models-path', self.folder, *options, *map(media, names))
        self.assertEqual(len(found), len(names))
        return {name: sorted(f['faces'], key=lambda face: face['box'][0])
                for name, f in zip(names, found)}

    def faces(self, name, *options):
        return self.faces_of([name], *options)[name]

    def check_points(self, face):
        """In the box or near it, eyes over nose over mouth."""
        p, box = np.array(face['landmark_68']), np.array(face['box'])
        place = (p - box[:2]) / (box[2:] - box[:2])
        self.assertGreater(place.min(), -0.15)
        self.assertLess(place.max(), 1.15)
        eyes, mouth = place[36:48, 1].mean(), place[48:, 1].mean()
        self.assertLess(eyes + 0.1, place[30, 1])
        self.assertLess(place[30, 1] + 0.05, mouth)
        self.assertLess(place[36:42, 0].mean() + 0.15, place[42:48, 0].mean())

    def test_points_and_identity(self):
        for model in ('2dfan4', 'peppa_wutz'):
            for detector in ('ultraface', 'yunet'):
                found = self.faces_of([*PICTURES], '--face-landmarker-model', model,
                                      '--face-detector-model', detector)
                for name, n in PICTURES.items():
                    self.assertEqual(len(found[name]), n, (model, detector, name))
                    for face in found[name]:
                        self.check_points(face)
                obama, biden = (np.array(found[name][0]['embedding'])
                                for name in ('obama.jpg', 'biden.jpg'))
                group = [np.array(f['embedding']) for f in found['obama_and_biden.jpg']]
                self.assertGreater(max(obama @ e for e in group), 0.5)
                self.assertGreater(max(biden @ e for e in group), 0.5)
                self.assertLess(obama @ biden, 0.3)

    def test_default(self):
        """2dfan4 is what runs when nothing is said; a name that is not there is an error."""
        said = ('--face-detector-model', 'yunet')
        self.assertEqual(self.faces('astronaut.png', *said),
                         self.faces('astronaut.png', *said, '--face-landmarker-model', '2dfan4'))
        lite = e2e.analyse(media('astronaut.png'))[0]['faces'][0]['landmark_68']
        self.assertNotEqual(self.faces('astronaut.png')[0]['landmark_68'], lite)
        result = e2e.run('analyse', '--face-landmarker-model', 'peppa_wutz', media('astronaut.png'))
        self.assertEqual(result.returncode, 2)
        self.assertIn('peppa_wutz is not installed', result.stderr)

    def turned(self, quarters, *more):
        """The astronaut's 68 points in a turned picture, turned back; the detector's are planted."""
        plain = self.faces('astronaut.png', '--face-detector-model', 'yunet')[0]
        folder, path = e2e.scratch(f'turned-{quarters}-{len(more)}'), e2e.scratch('turned.bmp')
        picture = e2e.pixels(media('astronaut.png'))[0]
        size = len(picture)
        write_bmp(path, np.rot90(picture, -quarters))

        def turn(points, n):
            points = np.array(points, float).reshape(-1, 2)
            for _ in range(n % 4):
                points = np.stack([size - 1 - points[:, 1], points[:, 0]], -1)
            return points

        corners = turn(plain['box'], quarters)
        plan = [{'box': [*corners.min(0), *corners.max(0)], 'score': 0.9,
                 'landmarks': turn(plain['landmark_5'], quarters).tolist()}]
        os.makedirs(folder)
        with open(folder + '/plan.json', 'w') as file:
            json.dump(plan, file)
        for name in os.listdir(self.folder):
            os.symlink(os.path.realpath(f'{self.folder}/{name}'), f'{folder}/{name}')
        e2e.tool(e2e.ROOT + '/tools/twins.py', '--tiny', '--out', folder, '--faces',
                 folder + '/plan.json', 'yoloface_8n', *more)
        face, = e2e.analyse('--models-path', folder, path)[0]['faces']
        return np.array(plain['landmark_68']), turn(face['landmark_68'], -quarters)

    def test_turned(self):
        """The crop is upright whichever way the head is, by the five points or by fan_68_5."""
        for quarters in range(4):
            for more in ((), ('fan_68_5',)):
                want, got = self.turned(quarters, *more)
                self.assertLess(np.abs(want - got).mean(), 2, (quarters, more))


class Turned(unittest.TestCase):
    """A picture turned by quarters, with the angle given, shows the same face."""

    @classmethod
    def setUpClass(cls):
        cls.folder = e2e.model_folder('turned')
        for name, file in {'2dfan4': '2dfan4_contract_fr_landmark',
                           'yunet_2023_mar': 'yunet_2023mar'}.items():
            os.symlink(e2e.shared(f'models/{file}.onnx'), f'{cls.folder}/{name}.onnx')
        cls.picture = e2e.pixels(media('astronaut.png'))[0]

    def back(self, points, quarters):
        points = np.array(points, float).reshape(-1, 2)
        for _ in range(quarters):
            points = np.stack([points[:, 1], len(self.picture) - 1 - points[:, 0]], -1)
        return points

    def check(self, *options):
        options = ('--models-path', self.folder, *options)
        want, = e2e.analyse(*options, media('astronaut.png'))[0]['faces']
        paths = {n: e2e.scratch(f'quarter{n}.bmp') for n in (1, 2, 3)}
        for quarters, path in paths.items():
            write_bmp(path, np.rot90(self.picture, -quarters))
        with_all = e2e.analyse(*paths.values(), *options, '--face-detector-angles', '0', '90', '180',
                               '270')
        for (quarters, path), second in zip(paths.items(), with_all, strict=True):
            first = e2e.analyse(path, *options, '--face-detector-angles', str(90 * quarters))[0]
            for frame in (first, second):
                face, = frame['faces']
                corners = self.back(face['box'], quarters)
                np.testing.assert_allclose([*corners.min(0), *corners.max(0)], want['box'],
                                           atol=0.1)
                for name in ('landmark_5', 'landmark_68'):
                    np.testing.assert_allclose(self.back(face[name], quarters), want[name],
                                               atol=0.1)
                self.assertEqual(face['angle'], (want['angle'] + 90 * quarters) % 360)
                self.assertGreater(np.dot(face['embedding'], want['embedding']), 0.999)
                self.assertEqual(face['gender'], want['gender'])

    def test_yunet(self):
        self.check('--face-detector-model', 'yunet')
        self.check('--face-detector-model', 'yunet', '--face-landmarker-score', '0')

    def test_lite(self):
        self.check('--face-detector-model', 'ultraface', '--face-landmarker-model', 'fr_landmark')
        self.check('--face-detector-model', 'ultraface')

    def test_not_asked(self):
        """Without the angle the face upside down is not found as well."""
        path = e2e.scratch('quarter.bmp')
        write_bmp(path, np.rot90(self.picture, 2))
        upright, = e2e.analyse('--models-path', self.folder, '--face-detector-model', 'yunet',
                               media('astronaut.png'))[0]['faces']
        found = e2e.analyse('--models-path', self.folder, '--face-detector-model', 'yunet',
                            path)[0]['faces']
        self.assertTrue(all(f['score'] < upright['score'] - 0.05 for f in found))


class SameFrames(unittest.TestCase):
    """Faces of a clip's frames, and of the pictures that FFmpeg makes of them."""

    @unittest.skipIf(platform.machine() != 'x86_64', 'elsewhere FFmpeg rounds in another way')
    def test_faces(self):
        path = e2e.scratch('frame.bmp')
        for name in (ZHLING, TWO, FOREMAN):
            frames = e2e.analyse(media(name), '--trim-frame-end', '3')
            for frame, picture in zip(frames, e2e.pixels(media(name))):
                write_bmp(path, picture)
                alone = e2e.analyse(path)[0]['faces']
                self.assertEqual(len(frame['faces']), len(alone), name)
                for a, b in zip(frame['faces'], alone):
                    np.testing.assert_allclose(a['box'], b['box'], atol=1e-3)
                    np.testing.assert_allclose(a['landmark_68'], b['landmark_68'], atol=1e-3)
                    self.assertAlmostEqual(a['score'], b['score'], 5)


class AtOnce(unittest.TestCase):
    """--cuda-batch: networks whose batch is open see several faces at once, with the same result."""

    def swap(self, folder, batch):
        out = e2e.scratch(f'batch{batch}.png')
        ran = e2e.must('headless-run', '--models-path', folder, '--cuda-batch', str(batch),
                       '-s', media('obama.jpg'), '-t', media('obama_and_biden.jpg'), '-o', out,
                       '--face-landmarker-model', '2dfan4', '--face-selector-mode', 'reference',
                       '--reference-face-distance', '1', '--log-level', 'debug')
        with open(out, 'rb') as file:
            return ran.stderr.count('rows at once'), file.read()

    def test_same_pixels(self):
        folder = e2e.model_folder('open batch')
        subprocess.run([sys.executable, f'{e2e.ROOT}/tools/twins.py', '--tiny', '--batch', 'dynamic',
                        '--out', folder, '2dfan4', 'arcface_w600k_r50'], check=True,
                       stdout=subprocess.DEVNULL)
        alone = self.swap(folder, 1)
        self.assertEqual(alone[0], 0)
        for batch in (2, 8):
            together = self.swap(folder, batch)
            self.assertGreaterEqual(together[0], 2)
            self.assertEqual(together[1], alone[1])


class Steady(unittest.TestCase):
    """--face-landmark-smoothing on a still face in noise: points as the debugger draws them."""

    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(11)
        still = e2e.pixels(media(FOREMAN))[40].astype(float)
        cls.clip = e2e.scratch('noise.mkv')
        common.write_clip(cls.clip, [np.clip(still + rng.normal(0, 20, still.shape), 0, 255)
                                     .astype(np.uint8) for _ in range(14)])

    def drawn(self, name, *options):
        out = e2e.scratch(name + '.mkv')
        e2e.must('headless-run', '--processors', 'face_debugger', '--face-debugger-items',
                 'face-landmark-68', '--face-selector-mode', 'many', '-t', self.clip, '-o', out,
                 '--output-video-encoder', 'libx264rgb', '--output-video-quality', '100', *options)
        return out

    def tremor(self, path):
        """How far the middle of all points moves from one frame to the next."""
        middles = []
        for frame in common.read_frames(path):
            at = np.argwhere((frame == (0, 255, 0)).all(-1) | (frame == (255, 255, 0)).all(-1))
            self.assertGreater(len(at), 200)
            middles.append(at.mean(0))
        return np.square(np.diff(middles, axis=0)).sum(1).mean()

    def test_tremor(self):
        raw = self.tremor(self.drawn('raw'))
        self.assertGreater(raw, 0.02)
        self.assertLess(self.tremor(self.drawn('half', '--face-landmark-smoothing', '0.5')), 0.6 * raw)
        most = ('--face-landmark-smoothing', '1', '--target-frame-amount', '4')
        self.assertLess(self.tremor(self.drawn('most', *most)), 0.25 * raw)
        self.assertLess(self.tremor(self.drawn('both', *most, '--face-tracker-score', '0.3')),
                        0.25 * raw)

    def test_off(self):
        packets = e2e.packets(self.drawn('plain'), 'v:0')
        self.assertEqual(e2e.packets(self.drawn('off', '--face-landmark-smoothing', '0'), 'v:0'),
                         packets)

    def test_threads(self):
        one, more = (e2e.packets(self.drawn('threads', '--face-landmark-smoothing', '0.5',
                                            '--execution-thread-count', n), 'v:0') for n in '14')
        self.assertEqual(one, more)


class Classes(unittest.TestCase):
    """Gender by a network of FairFace's contract, and by the lite one."""

    @classmethod
    def setUpClass(cls):
        cls.folder = e2e.model_folder('classes')
        for name, file in {'2dfan4': '2dfan4_contract_fr_landmark',
                           'fairface': 'fairface_contract_gear',
                           'yunet_2023_mar': 'yunet_2023mar'}.items():
            os.symlink(e2e.shared(f'models/{file}.onnx'), f'{cls.folder}/{name}.onnx')

    def test_fairface(self):
        names = ('obama.jpg', 'biden.jpg', 'obama_and_biden.jpg', 'kodim04.png')
        for detector in ('yunet', 'ultraface'):
            lines = e2e.analyse('--models-path', self.folder, '--face-detector-model', detector,
                                *map(media, names))
            found = {name: f['faces'] for name, f in zip(names, lines, strict=True)}
            men = {}
            for name in ('obama.jpg', 'biden.jpg'):
                men[name], = found[name]
                self.assertEqual(men[name]['gender'], 'male', (detector, name))
            group = found['obama_and_biden.jpg']
            for name, man in men.items():
                likeness = [np.dot(f['embedding'], man['embedding']) for f in group]
                self.assertEqual(group[int(np.argmax(likeness))]['gender'], 'male',
                                 (detector, name))
            woman = max(found['kodim04.png'], key=lambda f: f['score'])
            self.assertEqual(woman['gender'], 'female', detector)
            for face in [*group, *men.values(), woman]:
                self.assertIn(face['race'],
                              ('white', 'black', 'latino', 'asian', 'indian', 'arabic'))
                self.assertLess(face['age'][0], face['age'][1])

    def test_lite(self):
        for name in ('obama.jpg', 'biden.jpg'):
            face, = e2e.analyse(media(name))[0]['faces']
            self.assertEqual(face['gender'], 'male', name)


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
            times = e2e.times(target)
            self.assertEqual(report['frames_done'], len(times))
            self.assertGreaterEqual(report['faces_changed'], len(times) // 2)
            self.assertEqual(e2e.times(output), times)
            if e2e.probe(target, 'stream=codec_name', 'a'):
                self.assertEqual(e2e.packets(output, 'a'), e2e.packets(target, 'a'))

    def test_frames_without_a_face(self):
        """Where no face is, a lossless encoder gives the decoder's pixels."""
        output = e2e.scratch('exact.mkv')
        part, first, end = leaving()
        e2e.swap(media('obama.jpg'), media(FOREMAN), output, '--output-video-quality', '100', *part)
        before, after = e2e.pixels(media(FOREMAN))[first:end], e2e.pixels(output)
        np.testing.assert_array_equal(before[217 - first:], after[217 - first:])
        self.assertFalse(np.array_equal(before[:10], after[:10]))


class Occlusion(unittest.TestCase):
    """Weights of xseg's contract. How much of the swapped face was pasted at a pixel is the mask."""

    @classmethod
    def setUpClass(cls):
        cls.models = e2e.model_folder('occlusion')
        os.symlink(e2e.shared('models/xseg_contract_unet.onnx'), cls.models + '/xseg_1.onnx')

    def swapped(self, path, types):
        output = e2e.scratch(types + '.png')
        e2e.swap(media('biden.jpg'), path, output, '--models-path', self.models,
                 '--face-selector-mode', 'many', '--face-mask-types', types, '--face-mask-blur', '0')
        return e2e.pixels(output)[0].astype(int)

    def mask(self, path):
        """Against all of it pasted; not a number where that makes no difference."""
        before = e2e.pixels(path)[0].astype(int)
        new = self.swapped(path, 'box') - before
        part = self.swapped(path, 'occlusion') - before
        told = np.abs(new).sum(2) > 24
        return np.where(told, (part * new).sum(2) / np.maximum((new ** 2).sum(2), 1), np.nan)

    def hull(self, points, scale, shape):
        points = np.array(points)
        middle = points.mean(0)
        whole = test_masks.hull((points - middle) * scale + middle, max(shape))
        return whole[:shape[0], :shape[1]] > 0

    def test_covers_the_face(self):
        for name, n in (('obama.jpg', 1), ('astronaut.png', 1), ('kodim04.png', 1),
                        ('obama_and_biden.jpg', 2)):
            mask = self.mask(media(name))
            faces = sorted(e2e.analyse(media(name))[0]['faces'], key=lambda face:
                           face['box'][1] - face['box'][3])[:n]
            beside = ~np.isnan(mask)
            for face in faces:
                inner = mask[self.hull(face['landmark_68'], 0.9, mask.shape)]
                self.assertGreater(np.nanmean(inner), 0.95, name)
                self.assertGreater((inner > 0.5).sum() / (~np.isnan(inner)).sum(), 0.98, name)
                beside &= ~self.hull(face['landmark_68'], 2, mask.shape)
            if len(faces) == 1 and beside.any():
                self.assertLess(mask[beside].mean(), 0.02, name)

    def test_leaves_out_what_hides_it(self):
        """A green beam in front of the mouth."""
        frame = e2e.pixels(media('obama.jpg'))[0].copy()
        face = e2e.analyse(media('obama.jpg'))[0]['faces'][0]
        x1, y1, x2, y2 = (int(v) for v in face['box'])
        mouth = int(np.mean([y for _, y in face['landmark_68'][48:]]))
        h = (y2 - y1) // 8
        frame[mouth - h:mouth + h, x1 - 20:x2 + 20] = 40, 160, 60
        path = e2e.scratch('beam.png')
        write_png(path, frame)
        mask = self.mask(path)
        hull = self.hull(face['landmark_68'], 1, mask.shape)
        beam, above = hull.copy(), hull.copy()
        beam[:mouth - h + h // 3] = beam[mouth + h - h // 3:] = False
        above[mouth - h - h // 3:] = False
        self.assertLess(np.nanmean(mask[beam]), 0.05)
        self.assertGreater(np.nanmean(mask[above]), 0.9)


class Enhancer(unittest.TestCase):
    """Real weights (Real-ESRGAN, not a face prior) under the contract of gfpgan: the face changes
    and stays who it is, and nothing else changes."""

    @classmethod
    def setUpClass(cls):
        weights = e2e.shared('models/gfpgan_contract_realesr_general_x4v3.onnx')
        cls.folder = e2e.model_folder('enhancer')
        os.symlink(weights, cls.folder + '/gfpgan_1.4.onnx')

    def enhance(self, target, name, *options):
        output = e2e.scratch(name)
        e2e.must('headless-run', '--processors', 'face_enhancer', '--models-path', self.folder,
                 '-t', target, '-o', output, *options)
        return output

    def reached(self, frame, face, margin):
        """Which pixels the crop covers, with a margin in pixels of the frame."""
        points = common.five_of_68(face['landmark_68'])
        m = common.similarity(points, 'ffhq_512', 512)
        y, x = np.mgrid[0:frame.shape[0], 0:frame.shape[1]]
        u, v = (r[0] * x + r[1] * y + r[2] for r in m)
        low, high = -1 - margin * np.hypot(*m[0, :2]), 512 + margin * np.hypot(*m[0, :2])
        return (u > low) & (v > low) & (u < high) & (v < high)

    def check(self, before, after, faces, margin=0):
        face, = faces
        inside = self.reached(before, face, margin)
        np.testing.assert_array_equal(before[~inside], after[~inside])
        self.assertLess(inside.mean(), 0.6)
        box = e2e.inside(before.shape, face['box'])
        self.assertGreater(np.abs(before[box].astype(int) - after[box]).mean(), 1)
        self.assertGreater(e2e.psnr(before[box], after[box]), 25)

    def test_picture(self):
        target = media('astronaut.png')
        output = self.enhance(target, 'enhanced.png')
        faces, again = (e2e.analyse(path)[0]['faces'] for path in (target, output))
        self.check(e2e.pixels(target)[0], e2e.pixels(output)[0], faces)
        same = np.array(faces[0]['embedding']) @ np.array(again[0]['embedding'])
        self.assertGreater(same, 0.8)

    def test_clip(self):
        target = media(ZHLING)
        output = self.enhance(target, 'enhanced.mkv', '--trim-frame-end', '2',
                              '--output-video-quality', '100')
        before, after = e2e.pixels(target), e2e.pixels(output)
        self.assertEqual(len(after), 2)
        for i, frame in enumerate(e2e.analyse(target)[:2]):
            self.check(before[i], after[i], frame['faces'], margin=2)  # two share their colour


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
