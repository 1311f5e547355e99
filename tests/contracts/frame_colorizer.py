"""Frame colorizers: a small grey copy of the frame, network, its colours enlarged and joined with the
frame's lightness in Lab. OpenCV's two kinds of Lab are written down again here: for ddcolor the floating
point one, whose L comes from a coarse table; for deoldify the one of bytes, which is all in integers."""
import functools
import gzip
import os
import unittest

import e2e
import numpy as np
from onnx_writer import FLOAT, Graph
from twins import tiny

from contracts import common
from contracts.common import Contract

KINDS = ['frame_colorizer']

MODELS = ['ddcolor', 'ddcolor_artistic', 'deoldify', 'deoldify_artistic', 'deoldify_stable']
# sRGB to XYZ of white 1, and back
TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169],
                   [0.019334, 0.119193, 0.950227]])
TO_XYZ /= TO_XYZ.sum(1, keepdims=True)
FROM_XYZ = np.linalg.inv(TO_XYZ)


# ---- bilinear -----------------------------------------------------------------------------------

def axis(size, n):
    """Lower place, upper place and weight of the upper one."""
    at = ((np.arange(n) + 0.5) * (1 / (n / size)) - 0.5).astype(np.float32)
    low = np.floor(at).astype(int)
    return np.clip(low, 0, size - 1), np.clip(low + 1, 0, size - 1), at - low.astype(np.float32)


def between(picture, width, height):
    """Floats [h,w,c]. In single precision if the picture is."""
    x0, x1, fx = axis(picture.shape[1], width)
    y0, y1, fy = axis(picture.shape[0], height)
    fx = np.where(x0 == x1, np.float32(0), fx)
    rows = picture[:, x0] * (1 - fx)[:, None] + picture[:, x1] * fx[:, None]
    return rows[y0] * (1 - fy)[:, None, None] + rows[y1] * fy[:, None, None]


def between_bytes(grey, width, height):
    """Whole numbers [h,w], in OpenCV's fixed point; a half is the mean of four."""
    if grey.shape == (2 * height, 2 * width):
        return (grey[::2, ::2] + grey[1::2, ::2] + grey[::2, 1::2] + grey[1::2, 1::2] + 2) >> 2
    x0, x1, fx = axis(grey.shape[1], width)
    y0, y1, fy = axis(grey.shape[0], height)
    fx = np.where(x0 == x1, np.float32(0), fx)
    wx0, wx1, wy0, wy1 = (np.rint(2048 * f).astype(int) for f in (1 - fx, fx, 1 - fy, fy))
    rows = (grey[:, x0] * wx0 + grey[:, x1] * wx1) >> 4
    return ((rows[y0] * wy0[:, None] >> 16) + (rows[y1] * wy1[:, None] >> 16) + 2) >> 2


# ---- Lab ----------------------------------------------------------------------------------------

def to_linear(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def from_linear(v):
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, np.maximum(v, 1e-9) ** (1 / 2.4) * 1.055 - 0.055)


def root(v):
    return np.where(v > 216 / 24389, np.cbrt(v), v * 841 / 108 + 16 / 116)


def light(bgr):
    """L, 0..100: between the corners of 32 x 32 x 32 cells, in steps of a sixteenth."""
    linear = to_linear(np.arange(33) / 32)
    y = (TO_XYZ[1, 2] * linear[:, None, None] + TO_XYZ[1, 1] * linear[:, None] +
         TO_XYZ[1, 0] * linear)  # by blue, green, red
    corner = 116 * root(y) - 16
    at = np.rint(bgr / 255 * 16384).astype(int) // 32 / 16
    low = np.minimum(at.astype(int), 31)
    out = 0
    for i in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(i, at - low, 1 - (at - low)), -1)
        out += weight * corner[tuple(np.moveaxis(low + i, -1, 0))]
    return out


def from_lab(l, a, b):
    """Red, green, blue of 0..1."""
    y = (l + 16) / 116
    roots = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(roots > 6 / 29, roots ** 3, (roots - 16 / 116) * 108 / 841)
    return from_linear(xyz @ FROM_XYZ.T)


@functools.lru_cache
def byte_tables():
    """Linear light of 2040, roots of 32768, Y and its root of 16384 for each L, bytes of 4096."""
    steps = np.arange(256)
    l = steps * 100 / 255
    high = (l + 16) / 116
    y = np.where(steps <= 20, l * 27 / 24389, high ** 3)
    return [np.rint(t).astype(np.int64) for t in (
        2040 * to_linear(steps / 255), 32768 * root(np.arange(2041) / 2040).astype(np.float32),
        16384 * y, 16384 * high, 255 * from_linear(np.arange(4096) / 4096))]


def shifted(v, n):
    return (v + (1 << (n - 1))) >> n


def byte_colours(rgb):
    """a and b of bytes."""
    linear, roots, _, _, _ = byte_tables()
    x, y, z = (roots[shifted(linear[rgb] @ np.array(row), 12)] for row in
               ((1777, 1541, 778), (871, 2929, 296), (73, 448, 3575)))
    a, b = 500 * (x - y) + (128 << 15), 200 * (y - z) + (128 << 15)
    return np.clip(shifted(a, 15), 0, 255), np.clip(shifted(b, 15), 0, 255)


def from_byte_lab(l, a, b):
    _, _, light_of, root_of, gamma = byte_tables()

    def cut(v, n):  # towards 0
        return np.sign(v) * (np.abs(v) // n)

    def cube(v):
        return np.where(v <= 3390, cut(v * 108, 841) - 290, cut(cut(v * v, 16384) * v, 16384))

    x = cube(root_of[l] + ((a * 5 * 53687 + 128) >> 13) - 4194)
    z = cube(root_of[l] - (((b * 41943 + 16) >> 9) - 10484))
    rgb = [shifted(p * x + q * light_of[l] + r * z, 14) for p, q, r in
           ((12615, -6296, -2223), (-3773, 7684, 185), (217, -836, 4715))]
    return gamma[np.clip(np.stack(rgb, -1), 0, 4095)].astype(np.uint8)


# ---- the processor ------------------------------------------------------------------------------

def grey_of(bgr):
    return (bgr.astype(int) @ np.array([3735, 19235, 9798]) + (1 << 14)) >> 15


def ddcolor_input(frame, size):
    grey = np.repeat(grey_of(frame)[..., None], 3, 2).astype(np.uint8)
    return between(from_lab(light(grey), 0, 0), size, size)


def ddcolor(frame, size, network=None):
    x = ddcolor_input(frame, size)
    ab = network(x) if network else np.stack([40 * x.mean(2), 20 - 40 * x.mean(2)], -1)
    ab = between(ab, frame.shape[1], frame.shape[0])
    rgb = from_lab(light(frame), ab[..., 0], ab[..., 1])
    return np.rint(rgb * 255).astype(np.uint8)[..., ::-1]


def deoldify(frame, size):
    grey = between_bytes(grey_of(frame), size, size)[..., None]
    # the tiny network; all in single precision, as the result is truncated
    rgb = grey.astype(np.float32) * np.array([1, 0.8, 0.6], np.float32)
    rgb = np.clip(between(rgb, frame.shape[1], frame.shape[0]), 0, 255).astype(np.uint8)
    return from_byte_lab(frame[..., 0], *byte_colours(rgb))[..., ::-1]


def colour(frame, model, size=256, share=100):
    new = (ddcolor if model.startswith('ddcolor') else deoldify)(frame, size)
    return common.blend(frame, new, share / 100)


def contract(name, model, *options, size=256, share=100, scene=common.NOBODY,
             where=('picture', 'clip'), **more):
    return Contract(name, [model],
                    ['--processors', 'frame_colorizer', '--frame-colorizer-model', model, *options],
                    lambda frame, faces: colour(frame, model, size, share), scene, where=where,
                    **more)


CONTRACTS = [contract(model, model, scene=common.PAIR) for model in MODELS]
for kind in ('ddcolor', 'deoldify'):
    CONTRACTS += [contract(f'{kind}_{size}', kind, '--frame-colorizer-size', f'{size}x{size}',
                           size=size, where=('picture',)) for size in (192, 384, 512)]
    CONTRACTS += [contract(f'{kind}_blend_{share}', kind, '--frame-colorizer-blend', str(share),
                           share=share, where=('picture',)) for share in (50, 100)]
    CONTRACTS += [contract(f'{kind}_blend_0', kind, '--frame-colorizer-blend', '0', share=0,
                           changes=False, tolerance=0)]


class Case(unittest.TestCase):
    def run_on(self, frame, model='ddcolor', *options):
        """BGR or, of a picture with alpha, BGRA."""
        target, output = e2e.scratch('colorizer-in.png'), e2e.scratch('colorizer-out.png')
        common.write_png(target, frame)
        e2e.must(*self.words(target, output, model), *options)
        return common.read_frames(output, frame.shape[2] == 4)[0]

    def words(self, target, output, model, models=None):
        return ['headless-run', '--models-path', models or common.NOBODY.models(MODELS),
                '--processors', 'frame_colorizer', '--frame-colorizer-model', model, '-t', target,
                '-o', output, *common.MORE]

    def near(self, got, want, most=1):
        self.assertEqual(got.shape, want.shape)
        self.assertLessEqual(np.abs(got.astype(int) - want).max(), most)

    def tearDown(self):
        for name in os.listdir(e2e.scratch()):
            if name.startswith('colorizer-') and name.endswith('.png'):
                os.unlink(e2e.scratch(name))


class Pictures(Case):
    def test_sizes(self):
        """From one pixel on; the size of the network's input and twice that, which is halved."""
        for width, height in ((1, 1), (9, 1), (1, 7), (3, 5), (255, 257), (256, 256), (512, 512),
                              (1025, 3)):
            frame = common.drawn(width, height, 3)
            for model in ('ddcolor', 'deoldify'):
                with self.subTest(size=(width, height), model=model):
                    self.near(self.run_on(frame, model), colour(frame, model))

    def test_halved(self):
        """Twice the size of the network's input: the means of four pixels."""
        frame = common.drawn(384, 384, 4)
        for model in ('ddcolor', 'deoldify'):
            got = self.run_on(frame, model, '--frame-colorizer-size', '192x192')
            self.near(got, colour(frame, model, 192))

    def test_colours(self):
        """Black, white, pure colours, all greys."""
        frame = np.zeros((24, 256, 3), np.uint8)
        frame[:8] = np.arange(256)[:, None]
        for i in range(8):
            frame[8:, 32 * i:32 * i + 32] = [255 * (i >> c & 1) for c in range(3)]
        for model in ('ddcolor', 'deoldify'):
            self.near(self.run_on(frame, model), colour(frame, model))

    def test_alpha_is_kept(self):
        frame = common.drawn(61, 47, 5)
        alpha = (np.add.outer(np.arange(47) * 3, np.arange(61) * 5) % 256).astype(np.uint8)
        for model in ('ddcolor', 'deoldify'):
            got = self.run_on(np.dstack([frame, alpha]), model)
            np.testing.assert_array_equal(got[..., 3], alpha)
            self.near(got[..., :3], colour(frame, model))

    def test_default(self):
        """ddcolor, whole, at 256x256."""
        frame = common.drawn(50, 40, 6)
        target, output = e2e.scratch('colorizer-in.png'), e2e.scratch('colorizer-out.png')
        common.write_png(target, frame)
        words = self.words(target, output, 'ddcolor')
        at = words.index('--frame-colorizer-model')
        e2e.must(*words[:at], *words[at + 2:])
        self.near(common.read_frames(output)[0], colour(frame, 'ddcolor'))
        self.assertIn('frame_colorizer=ddcolor', e2e.must('inspect', '--json', output).stdout)


class Grey(Case):
    """What it is for: pictures and video without any colour get some."""

    def test_picture(self):
        """Of 8 and of 16 bits."""
        target, output = e2e.scratch('colorizer-grey.png'), e2e.scratch('colorizer-out.png')
        wide = e2e.scratch('colorizer-wide.png')
        e2e.ffmpeg('-i', common.NOBODY.picture(), '-pix_fmt', 'gray', target)
        e2e.ffmpeg('-i', target, '-pix_fmt', 'gray16be', wide)
        grey = common.read_frames(target)[0]
        for model in ('ddcolor', 'deoldify'):
            for path in (target, wide):
                e2e.must(*self.words(path, output, model))
                got = common.read_frames(output)[0]
                self.near(got, colour(grey, model))
                self.assertGreater((got.max(2) - got.min(2)).mean(), 20)

    def test_video(self):
        target, output = e2e.scratch('colorizer-grey.mkv'), e2e.scratch('colorizer-out.mkv')
        e2e.ffmpeg('-i', common.NOBODY.clip(), '-c:v', 'ffv1', '-pix_fmt', 'gray', target)
        e2e.must(*self.words(target, output, 'ddcolor'), '--output-video-encoder', 'libx264rgb',
                 '--output-video-quality', '100')
        frames = common.read_frames(target)
        self.assertEqual(len(frames), common.FRAMES)
        for grey, got in zip(frames, common.read_frames(output)):
            self.near(got, colour(grey, 'ddcolor'))


# ---- the official frame -------------------------------------------------------------------------

class Official(Case):
    """What FaceFusion made of a frame with the official ddcolor. Its input is recorded, the network's
    output is not: it is found from the result, whose a and b are those of 256 x 256 pixels enlarged to
    384 x 384, so that they are overdetermined. Where a colour was clipped they cannot be known."""

    def load(self, name):
        path = e2e.shared('fixtures/processors2/' + name)
        return np.load(gzip.open(path) if path.endswith('.gz') else path)

    def colours_of(self, frame):
        xyz = root(to_linear(frame[..., ::-1] / 255) @ TO_XYZ.T)
        enlarged = between(np.eye(256)[..., None], 256, 384)[..., 0]
        back = np.linalg.pinv(enlarged)
        ab = 500 * (xyz[..., 0] - xyz[..., 1]), 200 * (xyz[..., 1] - xyz[..., 2])
        return np.stack([back @ plane @ back.T for plane in ab])

    def stand_in(self, path, takes, gives):
        """Nothing for any other input."""
        g = Graph('recorded')
        g.input('input', FLOAT, [1, 3, 256, 256])
        for name, v in (('takes', takes), ('gives', gives), ('near', np.array(1e-4))):
            dims = v.shape if v.ndim else []
            g.initializer(name, FLOAT, dims, v.astype('<f4').tobytes())
        off = g.node('ReduceMax', [g.node('Abs', [g.node('Sub', ['input', 'takes'])])], keepdims=0)
        same = g.node('Cast', [g.node('Less', [off, 'near'])], to=FLOAT)
        g.node('Mul', ['gives', same], ['output'])
        g.output('output', FLOAT, [1, 2, 256, 256])
        g.save(path)

    def test_frame(self):
        frame = self.load('face_debugger/source_frame.npy')
        want = self.load('frame_colorizer/ddcolor/final_frame.npy')
        ab = self.colours_of(want)
        path = f'{common.NOBODY.models(MODELS)}/ddcolor.onnx'
        self.stand_in(path, self.load('frame_colorizer/ddcolor/model_input.npy.gz'), ab[None])
        try:
            got = self.run_on(frame)
        finally:
            tiny.build('ddcolor').g.save(path)
        clipped = ((want == 0) | (want == 255)).any(2).astype(int)
        reach = np.ones(9, int)
        for i in (0, 1):
            clipped = np.apply_along_axis(np.convolve, i, clipped, reach, 'same')
        wrong = np.abs(got.astype(int) - want)[clipped == 0]
        self.assertGreater(len(wrong), 0.7 * want.shape[0] * want.shape[1])
        self.assertLessEqual(wrong.max(), 1)
        self.assertLess((wrong > 0).mean(), 0.05)
        self.assertGreater(np.abs(ab).max(), 40)


# ---- bad input ----------------------------------------------------------------------------------

class Refused(Case):
    def setUp(self):
        self.models = common.NOBODY.models(MODELS)
        self.path = f'{self.models}/ddcolor.onnx'
        self.target, self.output = e2e.scratch('colorizer-in.png'), e2e.scratch('colorizer-out.png')
        common.write_png(self.target, common.drawn(20, 20, 1))

    def network(self, dims, out_dims, name='input', value=0.0):
        """Constant, with a trace of its input."""
        g = Graph('constant')
        g.input(name, FLOAT, dims)
        count = int(np.prod(out_dims))
        g.initializer('gives', FLOAT, out_dims, np.full(count, value, '<f4').tobytes())
        mean = g.node('ReduceMean', [name], keepdims=0)
        g.node('Add', ['gives', mean], ['output'])
        g.output('output', FLOAT, out_dims)
        g.save(self.path)

    def refused(self, code, said, *options):
        words = self.words(self.target, self.output, 'ddcolor', self.models)
        common.refused(self, code, said, *words, *options)
        self.assertFalse(os.path.exists(self.output))

    def tearDown(self):
        tiny.build('ddcolor').g.save(self.path)
        super().tearDown()

    def test_wrong_shapes(self):
        square = [1, 3, 256, 256]
        for dims, out_dims, said in (
                ([1, 1, 256, 256], [1, 2, 256, 256], "input 'input' is float32 1x1x256x256"),
                ([1, 3, 512, 512], [1, 2, 512, 512], "input 'input' is float32 1x3x512x512"),
                (square, [1, 3, 256, 256], 'its output is not float32 2x256x256'),
                (square, [1, 2, 128, 128], 'its output is not float32 2x256x256'),
                (square, [1, 256, 256, 2], 'its output is not float32 2x256x256'),
                (square, [2, 256], 'its output is not float32 2x256x256')):
            with self.subTest(dims=dims, out_dims=out_dims):
                self.network(dims, out_dims)
                self.refused(1, 'ddcolor.onnx: ' + said)

    def test_wrong_name(self):
        self.network([1, 3, 256, 256], [1, 2, 256, 256], name='frame')
        self.refused(1, "has no input 'input'")

    def test_fixed_size(self):
        """A file for one size is not run at another."""
        self.network([1, 3, 512, 512], [1, 2, 512, 512])
        e2e.must(*self.words(self.target, self.output, 'ddcolor'), '--frame-colorizer-size', '512x512')
        os.unlink(self.output)
        self.refused(1, 'expected float32 1x3x384x384', '--frame-colorizer-size', '384x384')

    def test_missing(self):
        os.unlink(self.path)
        self.refused(2, 'frame colorizer ddcolor is not installed')

    def test_options(self):
        self.refused(2, '--frame-colorizer-size', '--frame-colorizer-size', '200x200')
        self.refused(2, '--frame-colorizer-blend', '--frame-colorizer-blend', '101')
        self.refused(2, '--frame-colorizer-model', '--frame-colorizer-model', 'colour')

    def test_not_a_number(self):
        """Some colour, but no crash, and the same one each time."""
        for value in (np.nan, np.inf, -np.inf, 1e30, -1e30):
            self.network([1, 3, 256, 256], [1, 2, 256, 256], value=value)
            frames = [self.run_on(common.drawn(20, 20, 1)) for _ in range(2)]
            np.testing.assert_array_equal(*frames)
