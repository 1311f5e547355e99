#!/usr/bin/python3
"""The background remover: each of its models, alpha in pictures and video, what is refused, what stays.

    tests/test_background.py PROGRAM [TEST...]

The models are those of tools/twins.py --tiny, so that a few lines of NumPy can tell the right result:
the mask is the mean of red, green and blue; for u2net_cloth the class is 1 where that is over one
half; corridor_key takes half of it and half of the coarse matte, and gives half the picture's colours.
"""
import hashlib
import json
import os
import shutil
import unittest

import e2e
from e2e import np

ZERO, HALF, ONE = [0.0] * 3, [0.5] * 3, [1.0] * 3
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
MODELS = {  # size, mean, deviation: FaceFusion's
    'ben_2': (1024, ZERO, ONE),
    'birefnet_general': (1024, ZERO, ONE),
    'birefnet_portrait': (1024, ZERO, ONE),
    'corridor_key_1024': (1024, *IMAGENET),
    'corridor_key_2048': (2048, *IMAGENET),
    'isnet_general': (1024, HALF, ONE),
    'modnet': (512, HALF, HALF),
    'ormbg': (1024, ZERO, ONE),
    'rmbg_1.4': (1024, HALF, ONE),
    'rmbg_2.0': (1024, *IMAGENET),
    'silueta': (320, *IMAGENET),
    'u2net_cloth': (768, *IMAGENET),
    'u2net_general': (320, *IMAGENET),
    'u2net_human': (320, *IMAGENET),
    'u2netp': (320, *IMAGENET),
}
FILL = '--background-remover-fill-color'
ISNET_SHA = 'b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb'

# The astronaut and the helmet in her hands, as seen in astronaut.png: corners read off the picture
# enlarged three times by the maker of this test, who had seen the network's mask by then.
ASTRONAUT = (
    (230, 16), (253, 20), (277, 32), (293, 50), (301, 77), (298, 100), (290, 117), (279, 128),
    (276, 134), (268, 137), (265, 150), (257, 173), (267, 180), (287, 200), (300, 223), (305, 235),
    (320, 245), (334, 256), (343, 271), (352, 293), (362, 328), (363, 349), (370, 348), (400, 343),
    (430, 348), (457, 363), (480, 389), (493, 423), (497, 454), (503, 456), (505, 464), (510, 486),
    (512, 512), (37, 512), (28, 483), (23, 443), (20, 403), (25, 356), (30, 329), (40, 293),
    (47, 269), (55, 256), (62, 253), (77, 233), (100, 217), (113, 206), (115, 187), (124, 185),
    (124, 173), (133, 160), (150, 151), (167, 149), (184, 149), (183, 132), (173, 125), (168, 115),
    (157, 97), (153, 73), (160, 57), (177, 40), (197, 28), (213, 19))


# ---- the reference -----------------------------------------------------------------------------


def axis(src, dst):
    """Left sample, right sample and 11-bit weight of the right one, for each place."""
    at = ((np.arange(dst) + 0.5) * (src / dst) - 0.5).astype(np.float32)
    left = np.floor(at).astype(int)
    return np.clip(left, 0, src - 1), np.clip(left + 1, 0, src - 1), at - left


def resize(a, w, h):
    """Bytes [h,w,c] as OpenCV's bilinear resize gives them: in fixed point."""
    sh, sw = a.shape[:2]
    if (sw, sh) == (2 * w, 2 * h):
        b = a.astype(int)
        return ((b[::2, ::2] + b[::2, 1::2] + b[1::2, ::2] + b[1::2, 1::2] + 2) >> 2).astype(np.uint8)
    x0, x1, fx = axis(sw, w)
    y0, y1, fy = axis(sh, h)
    fx = np.where(x0 == x1, 0, fx)
    wx1, wy1 = (np.rint(f * 2048).astype(int) for f in (fx, fy))
    wx0, wy0 = (np.rint((1 - f) * 2048).astype(int) for f in (fx, fy))
    b = a.astype(int)
    rows = (b[:, x0] * wx0[:, None] + b[:, x1] * wx1[:, None]) >> 4
    up, down = rows[y0] * wy0[:, None, None] >> 16, rows[y1] * wy1[:, None, None] >> 16
    return ((up + down + 2) >> 2).astype(np.uint8)


def resize_plain(a, w, h):
    """Floats [h,w], bilinear."""
    x0, x1, fx = axis(a.shape[1], w)
    y0, y1, fy = axis(a.shape[0], h)
    rows = a[:, x0] * (1 - fx) + a[:, x1] * fx
    return rows[y0] * (1 - fy[:, None]) + rows[y1] * fy[:, None]


def cut(a):
    """0..1 in 32 bits, as networks give it, to bytes: truncated."""
    return (np.clip(a, 0, 1) * np.float32(255)).astype(np.uint8)


def network(model, frame):
    """What the tiny network says of a frame (RGB): the mask, and corridor_key's picture. Truncation
    shows the last bit, so the network's own steps are done in 32 bits as it does them."""
    size, mean, std = MODELS[model]
    h, w = frame.shape[:2]
    x = ((resize(frame, size, size) / 255 - mean) / std).astype(np.float32)
    x = x * np.float32(std) + np.float32(mean)
    mean, front = (x[..., 0] + x[..., 1] + x[..., 2]) / np.float32(3), None
    if model.startswith('corridor_key'):
        rgb = frame / 255
        key = 1 - np.clip(2 * (rgb[..., 1] - np.maximum(rgb[..., 0], rgb[..., 2])), 0, 1)
        mean = (mean + resize_plain(key, size, size).astype(np.float32)) / np.float32(2)
        front = resize(cut(np.float32(0.5) * x), w, h)
    elif model == 'u2net_cloth':
        mean = mean > 0.5
    return resize(cut(mean)[..., None], w, h)[..., 0], front


def colour(c):
    """FaceFusion's rule for fewer than four numbers."""
    if len(c) == 4:
        return c
    return [*(c * 3 if len(c) == 1 else [*c, c[0]])[:3], 255]


def reference(model, frame, fill=(0, 0, 0, 0), despill=(0, 0, 0, 0)):
    """The frame (RGB) and its alpha."""
    mask, front = network(model, frame)
    v = (frame if front is None else front).astype(np.float64)
    fill, despill = colour(list(fill)), colour(list(despill))
    out = v.copy()
    for c in range(3):
        limit = np.minimum(v[..., c], 0.5 * (v[..., c - 1] + v[..., c - 2]))
        strength = despill[3] / 255 * despill[c] / max(*despill[:3], 1)
        out[..., c] += (limit - v[..., c]) * strength
    v = np.floor(out + 1e-4)
    share = ((1 - mask / 255) * fill[3] / 255)[..., None]
    return np.floor(v * (1 - share) + np.array(fill[:3]) * share + 1e-4).astype(np.uint8), mask


# ---- pictures and clips ------------------------------------------------------------------------


def drawing(w, h, seed):
    """Soft colours with a green wall and some noise, RGB."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([60 + 150 * x / w, 40 + 170 * y / h, 200 - 120 * x / w], axis=2)
    a[:, : w // 3] = [30, 190, 60]
    a += rng.integers(-20, 21, a.shape)
    a[h // 3: h // 2, w // 2:] = 245
    return np.clip(a, 0, 255).astype(np.uint8)


def write(path, frames, pix_fmt='rgb24', *encode):
    """Frames [n,h,w,c] into a file of ffmpeg's."""
    n, h, w = frames.shape[:3]
    raw = e2e.scratch('raw')
    frames.tofile(raw)
    e2e.ffmpeg('-f', 'rawvideo', '-pix_fmt', pix_fmt, '-s', f'{w}x{h}', '-r', '10', '-i', raw,
               *encode, '-frames:v', str(n), path)
    return path


def read(path, pix_fmt='rgba', *decode):
    """Frames of a file as [n,h,w,c]."""
    if decode or pix_fmt == 'gray':
        return e2e.frames_as(path, pix_fmt, *decode)
    alpha = pix_fmt == 'rgba'
    return e2e.read_frames(path, alpha)[..., [2, 1, 0, 3] if alpha else [2, 1, 0]]


def planes(path, w, h, sub_x=1, sub_y=1, *decode):
    """Y, U and V of all frames, as they are in the file."""
    raw = np.frombuffer(e2e.ffmpeg(*decode, '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough',
                                   '-f', 'rawvideo', '-'), np.uint8)
    cw, ch = (w + sub_x) >> sub_x, (h + sub_y) >> sub_y
    raw = raw.reshape(-1, w * h + 2 * cw * ch)
    y, u, v = np.split(raw, [w * h, w * h + cw * ch], axis=1)
    return y.reshape(-1, h, w), u.reshape(-1, ch, cw), v.reshape(-1, ch, cw)


def models():
    """A folder of the tiny models and the content check."""
    folder = e2e.scratch('tiny')
    if not os.path.exists(folder):
        os.makedirs(folder)
        e2e.tool('/usr/bin/python3', f'{e2e.ROOT}/tools/twins.py', '--tiny', '--out', folder,
                 'nsfwjs', 'span_kendata_x4', *MODELS)
        for name in e2e.LITE:
            if name != 'nsfwjs': # which might see something in these drawings
                os.symlink(f'{e2e.MODELS}/{name}.onnx', f'{folder}/{name}.onnx')
    return folder


def arguments(target, output, *options, model='modnet'):
    return ('headless-run', '--models-path', models(), '--processors', 'background_remover',
            '--background-remover-model', model, '-t', target, '-o', output, *options)


def remove(target, output, *options, model='modnet'):
    e2e.must(*arguments(target, output, *options, model=model))
    return output


def lossless(*options):
    return ('--output-video-encoder', *options, '--output-video-quality', '100')


def colours(fill, despill):
    return ('--background-remover-fill-color', *map(str, fill),
            '--background-remover-despill-color', *map(str, despill))


class Contracts(unittest.TestCase):
    """Each model through the whole program, against NumPy."""

    def near(self, got, want, what):
        off = np.abs(got.astype(int) - want.astype(int))
        self.assertLessEqual(off.max(), 1, f'{what}: at {np.argwhere(off > 1)[:3].tolist()}')
        self.assertGreater(np.mean(off == 0), 0.99, what)

    def test_pictures(self):
        frame = drawing(151, 102, 1)
        picture = write(e2e.scratch('picture.png'), frame[None])
        for i, model in enumerate(MODELS):
            with self.subTest(model=model):
                fill, despill = (0,) * 4, (0,) * 4
                if i % 3 == 2 or model == 'corridor_key_2048':
                    fill, despill = (90, 140, 120, 100), (0, 255, 0, 128)
                out = read(remove(picture, e2e.scratch(f'{model}.png'), *colours(fill, despill),
                                  model=model))[0]
                want, alpha = reference(model, frame, fill, despill)
                self.near(out[..., 3], alpha, 'alpha')
                self.near(out[..., :3], want, 'colours')

    def test_clips(self):
        frames = np.stack([drawing(98, 66, seed) for seed in range(3)])
        clip = write(e2e.scratch('clip.mkv'), frames, 'rgb24', '-c:v', 'libx264rgb', '-crf', '0')
        for i, model in enumerate(MODELS):
            with self.subTest(model=model):
                fill = ((90, 140, 120, 255), (110,), (100, 130), (80, 120, 140))[i % 4]
                despill = ((0, 0, 0, 0), (0, 255, 0), (0, 200, 100, 77))[i % 3]
                out = read(remove(clip, e2e.scratch(f'{model}.mkv'), *colours(fill, despill),
                                  *lossless('libx264rgb'), model=model), 'rgb24')
                self.assertEqual(len(out), 3)
                for got, frame in zip(out, frames):
                    self.near(got, reference(model, frame, fill, despill)[0], 'colours')


class Alpha(unittest.TestCase):
    """Where it goes, and where it cannot go."""

    def setUp(self):
        self.frame = drawing(96, 64, 5)
        self.picture = write(e2e.scratch('alpha.png'), self.frame[None])
        self.clip = write(e2e.scratch('alpha.mkv'), np.repeat(self.frame[None], 3, axis=0), 'rgb24',
                          '-c:v', 'libx264', '-crf', '0', '-pix_fmt', 'yuv420p')

    def test_pictures(self):
        want = reference('modnet', self.frame)[1]
        for ext in 'png', 'webp', 'tiff', 'bmp':
            with self.subTest(ext=ext):
                out = read(remove(self.picture, e2e.scratch(f'o.{ext}')))[0]
                self.assertLessEqual(np.abs(out[..., 3].astype(int) - want).max(), 1)

    def test_incoming_alpha_is_kept(self):
        had = np.zeros((64, 96), np.uint8)
        had[:, 20:] = 90
        had[:, 50:] = 255
        path = write(e2e.scratch('had.png'), np.dstack([self.frame, had])[None], 'rgba')
        out = read(remove(path, e2e.scratch('less.png')))[0]
        want = np.minimum(had, reference('modnet', self.frame)[1])
        self.assertLessEqual(np.abs(out[..., 3].astype(int) - want).max(), 1)

    def test_all_subject_is_no_alpha(self):
        white = write(e2e.scratch('white.png'), np.full((1, 32, 32, 3), 255, np.uint8))
        out = remove(white, e2e.scratch('opaque.png'), model='u2net_cloth')
        self.assertEqual(e2e.probe(out, 'stream=pix_fmt')[0].split(',')[0], 'rgb24')

    def test_opaque_fill(self):
        for ext in 'jpg', 'png':
            out = remove(self.picture, e2e.scratch(f'filled.{ext}'), '--output-image-quality', '100',
                         *colours((90, 140, 120), (0,) * 4))
            got, want = read(out)[0], reference('modnet', self.frame, (90, 140, 120))[0]
            self.assertTrue((got[..., 3] == 255).all())
            self.assertGreater(e2e.psnr(got[..., :3], want), 30 if ext == 'jpg' else 60)
        remove(self.clip, e2e.scratch('filled.mp4'), *colours((90, 140, 120), (0,) * 4))

    def test_video(self):
        """VP9 in Matroska and WebM, ProRes in MOV; chosen without being asked for."""
        seen = read(self.clip, 'rgb24')[0]  # with the chroma of its blocks
        want = reference('modnet', seen)[1]
        for name, codec, decode in (('o.webm', 'vp9', ('-c:v', 'libvpx-vp9')),
                                    ('o.mkv', 'vp9', ('-c:v', 'libvpx-vp9')),
                                    ('o.mov', 'prores', ())):
            with self.subTest(name=name):
                out = remove(self.clip, e2e.scratch(name), '--output-video-quality', '100')
                self.assertEqual(e2e.probe(out, 'stream=codec_name')[0].strip(','), codec)
                frames = read(out, 'rgba', *decode)
                self.assertEqual(len(frames), 3)
                for frame in frames:
                    self.assertGreater(e2e.psnr(frame[..., 3], want), 60)
                    self.assertGreater(e2e.psnr(frame[..., :3], seen), 34)  # ProRes: 35.4

    def test_video_that_has_alpha(self):
        """Its own alpha stays where it is less."""
        had = np.full((64, 96), 255, np.uint8)
        had[:30] = 40
        clip = write(e2e.scratch('in.mov'), np.dstack([self.frame, had])[None], 'rgba', '-c:v',
                     'prores_ks', '-profile:v', '4444', '-q:v', '1')
        want = np.minimum(had, reference('modnet', self.frame)[1])
        for name, decode in ('two.mov', ()), ('two.webm', ('-c:v', 'libvpx-vp9')):
            out = remove(clip, e2e.scratch(name), '--output-video-quality', '100')
            self.assertGreater(e2e.psnr(read(out, 'rgba', *decode)[0][..., 3], want), 36)

    def test_filled(self):
        """In a format that would lose it the colour is opaque, and a warning says so."""
        for target, name, options in (
                (self.picture, 'no.jpg', ()),
                (self.clip, 'no.mp4', ()),
                (self.clip, 'no.avi', ()),
                (self.clip, 'no.gif', ()),
                (self.clip, 'no.mkv', ('--output-video-encoder', 'libx264')),
                (self.clip, 'no.mov', ('--output-video-encoder', 'libx264')),
                (self.clip, 'no.mp4', ('--output-video-encoder', 'libvpx-vp9'))):
            with self.subTest(name=name, options=options):
                said, seen = [], []
                for more in ('200', '40', '90', '0'), ('200', '40', '90'):
                    out = e2e.scratch(name)
                    said.append(e2e.must(*arguments(target, out, *options, FILL, *more)).stderr)
                    seen.append(read(out))
                self.assertEqual(said[0].count(f'{name}: it keeps no transparency'), 1)
                self.assertNotIn('transparency', said[1])
                self.assertTrue(np.array_equal(*seen))
        self.assertEqual(e2e.leftovers(e2e.scratch()), [])


class BadInput(unittest.TestCase):
    def setUp(self):
        self.picture = write(e2e.scratch('bad.png'), drawing(40, 30, 2)[None])

    def refused(self, code, *args):
        result = e2e.run(*args)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertFalse(os.path.exists(e2e.scratch('never.png')))
        return result.stderr

    def test_models(self):
        """Missing, of another shape, with another output, and none at all."""
        folder = e2e.scratch('wrong')
        os.makedirs(folder)
        os.symlink(f'{models()}/nsfwjs.onnx', f'{folder}/nsfwjs.onnx')
        shutil.copy(f'{models()}/silueta.onnx', f'{folder}/modnet.onnx')
        shutil.copy(f'{models()}/u2net_cloth.onnx', f'{folder}/u2net_cloth.onnx')
        shutil.copy(f'{models()}/rmbg_2.0.onnx', f'{folder}/corridor_key_1024.onnx')
        with open(f'{folder}/u2netp.onnx', 'wb') as f:
            f.write(b'no model')

        def say(code, model):
            return self.refused(code, 'headless-run', '--models-path', folder, '--processors',
                                'background_remover', '--background-remover-model', model, '-t',
                                self.picture, '-o', e2e.scratch('never.png'))

        said = say(1, 'modnet')
        self.assertIn('512', said)
        self.assertIn('320', said)
        self.assertIn('corridor_key_1024', say(1, 'corridor_key_1024'))
        self.assertIn('u2netp', say(1, 'u2netp'))
        said = say(2, 'ben_2')
        self.assertIn('ben_2.onnx', said)

    def test_colours(self):
        for value, said in (('0 0 0 0 0', 'at most 4'), ('256', '0 to 255'), ('red', 'red')):
            self.assertIn(said, self.refused(2, *arguments(
                self.picture, e2e.scratch('never.png'), '--background-remover-fill-color',
                *value.split())))

    def test_small_pictures(self):
        for w, h in (1, 1), (3, 2), (1, 40):
            frame = drawing(max(w, 3), max(h, 3), 3)[:h, :w]
            path = write(e2e.scratch(f'{w}x{h}.png'), frame[None])
            for model in 'modnet', 'corridor_key_1024':
                out = read(remove(path, e2e.scratch('small.png'), model=model))[0]
                want, alpha = reference(model, frame)
                self.assertLessEqual(np.abs(out[..., 3].astype(int) - alpha).max(), 1)
                self.assertLessEqual(np.abs(out[..., :3].astype(int) - want).max(), 1)


class Chains(unittest.TestCase):
    """With processors of faces, and what the output says of itself."""

    def test_marks(self):
        """Every format tells which processors and models made it, and that it is synthetic."""
        source, target = e2e.sample()
        opaque = colours((90, 140, 120), (0,) * 4)
        for output in ('m.png', 'm.jpg', 'm.webp', 'm.tiff', 'm.bmp', 'm.mp4', 'm.mkv', 'm.mov',
                       'm.webm', 'm.avi', 'm.gif'):
            with self.subTest(output=output):
                picture = output.split('.')[1] in ('png', 'jpg', 'webp', 'tiff', 'bmp')
                out = e2e.scratch(output)
                more = () if picture else ('--trim-frame-end', '3')
                e2e.must('headless-run', '--models-path', models(), '--processors',
                         'face_debugger', 'background_remover', '--face-selector-mode', 'many', '-t',
                         source if picture else target, '-o', out, *opaque, *more)
                mark = json.loads(e2e.must('inspect', '--json', out).stdout)
                self.assertTrue(mark['present'])
                self.assertTrue(mark['source_type'].endswith('/compositeWithTrainedAlgorithmicMedia'))
                self.assertTrue(mark['software'].startswith('reprise '))
                self.assertEqual(mark['processors'], 'face_debugger background_remover')
                self.assertEqual(mark['models'], 'background_remover=modnet')
                with open(out, 'rb') as f: # others find it as well
                    self.assertIn(b'cv.iptc.org/newscodes/digitalsourcetype/', f.read())

    def test_order(self):
        """Lines drawn before are cut out with the rest; those drawn after are opaque colour only."""
        source, _ = e2e.sample()
        w, h = e2e.size_of(source)
        result = {}
        for chain in (('face_debugger', 'background_remover'), ('background_remover', 'face_debugger')):
            out = e2e.scratch('order.png')
            e2e.must('headless-run', '--models-path', models(), '--processors', *chain,
                     '--face-selector-mode', 'many', '--face-debugger-items', 'bounding-box', '-t',
                     source, '-o', out)
            result[chain[0]] = read(out)[0]
        first, last = result['face_debugger'], result['background_remover']
        self.assertEqual(first.shape, (h, w, 4))
        drawn = (first[..., :3] != read(source, 'rgb24')[0]).any(axis=2)
        self.assertTrue(drawn.any())
        np.testing.assert_array_equal(first[..., :3], last[..., :3])
        np.testing.assert_array_equal(first[~drawn][:, 3].shape, last[~drawn][:, 3].shape)
        self.assertTrue((first[drawn][:, 3] != last[drawn][:, 3]).any()) # red is no bright subject

    def test_enlarged(self):
        """Alpha grows with the frame, whichever comes first, in pictures and in video."""
        frame = drawing(50, 34, 7)
        picture = write(e2e.scratch('grow.png'), frame[None])
        clip = write(e2e.scratch('grow.mkv'), np.repeat(frame[None], 2, axis=0), 'rgb24', '-c:v',
                     'libx264', '-crf', '0', '-pix_fmt', 'yuv420p')
        mask = reference('modnet', frame)[1]
        for chain in ('background_remover', 'frame_enhancer'), ('frame_enhancer', 'background_remover'):
            for target, out, decode in ((picture, 'grown.png', ()),
                                        (clip, 'grown.webm', ('-c:v', 'libvpx-vp9'))):
                with self.subTest(chain=chain, out=out):
                    out = e2e.scratch(out)
                    e2e.must('headless-run', '--models-path', models(), '--processors', *chain,
                             '--output-image-scale', '4', '--output-video-scale', '4',
                             '--output-video-quality', '100', '-t', target, '-o', out)
                    got = read(out, 'rgba', *decode)[0]
                    self.assertEqual(got.shape, (136, 200, 4))
                    if chain[0] == 'background_remover':
                        want = resize(mask[..., None], 200, 136)[..., 0]
                        self.assertGreater(e2e.psnr(got[..., 3], want), 36)
                    self.assertGreater(got[..., 3].std(), 10)

    def test_no_face_is_needed(self):
        """Neither a detector nor a face: the models of the analysing stage are not even opened."""
        folder = e2e.scratch('alone')
        os.makedirs(folder)
        for name in 'modnet', 'nsfwjs':
            os.symlink(f'{models()}/{name}.onnx', f'{folder}/{name}.onnx')
        path = write(e2e.scratch('none.png'), drawing(40, 30, 2)[None])
        e2e.must('headless-run', '--models-path', folder, '--processors', 'background_remover', '-t',
                 path, '-o', e2e.scratch('alone.png'))


class Untouched(unittest.TestCase):
    """What no processor changed leaves with the decoder's own samples, seen through a lossless encoder."""

    def check_remover(self, pix_fmt, sub_x, sub_y):
        w, h = 97, 67 if not sub_y else 66
        w -= w % 2 if sub_x else 0
        frames = np.stack([drawing(w, h, seed) for seed in range(2)])
        frames[:, : h // 2, w // 2:] = 250 # subject for u2net_cloth
        frames[:, h // 2:] //= 3
        clip = write(e2e.scratch(f'{pix_fmt}.mkv'), frames, 'rgb24', '-c:v', 'libx264', '-crf', '12',
                     '-pix_fmt', pix_fmt)
        out = remove(clip, e2e.scratch(f'{pix_fmt}-out.mkv'), *colours((0, 0, 255), (0,) * 4),
                     *lossless('libx264'), model='u2net_cloth')
        had, got = planes(clip, w, h, sub_x, sub_y), planes(out, w, h, sub_x, sub_y)
        for number in range(2):
            mask = reference('u2net_cloth', read(clip, 'rgb24')[number])[1]
            keep, far = mask == 255, mask == 0
            # two pixels from any other: the test's own YUV to RGB may round another way
            for _ in range(2):
                keep, far = (m & np.roll(m, 1, 0) & np.roll(m, -1, 0) & np.roll(m, 1, 1) &
                             np.roll(m, -1, 1) for m in (keep, far))
            keep[[0, 1, -2, -1]] = keep[:, [0, 1, -2, -1]] = False
            self.assertGreater(keep.mean(), 0.1)
            self.assertGreater(far.mean(), 0.1)
            for p in range(3):
                sx, sy = (sub_x, sub_y) if p else (0, 0)
                same = had[p][number] == got[p][number]
                inner = keep[::1 << sy, ::1 << sx][:same.shape[0], :same.shape[1]]
                self.assertTrue(same[inner].all(), f'{pix_fmt} plane {p}')
            self.assertFalse((had[1][number] == got[1][number])[far[::1 << sub_y, ::1 << sub_x]].any())

    def test_remover(self):
        for pix_fmt, sub_x, sub_y in ('yuv420p', 1, 1), ('yuv422p', 1, 0), ('yuv444p', 0, 0):
            with self.subTest(pix_fmt=pix_fmt):
                self.check_remover(pix_fmt, sub_x, sub_y)

    def test_debugger(self):
        """Only under the lines of the box anything differs; frames without a face are all the same."""
        _, target = e2e.sample()
        out = e2e.scratch('boxes.mp4')
        e2e.must('headless-run', '--processors', 'face_debugger', '--face-debugger-items',
                 'bounding-box', '--face-selector-mode', 'many', '--trim-frame-end', '12', '-t', target,
                 '-o', out, *lossless('libx264'))
        w, h = e2e.size_of(target)
        had, got = planes(target, w, h), planes(out, w, h)
        thick, changed = max(1, round(h / 270)) + 3, 0
        for found in e2e.analyse('--trim-frame-end', '12', target):
            number = found['frame']
            line = np.zeros((h, w), bool)
            for face in found['faces']:
                x1, y1, x2, y2 = (int(v) for v in face['box'])
                line |= (e2e.inside((h, w), (x1 - thick, y1 - thick, x2 + thick, y2 + thick)) &
                         ~e2e.inside((h, w), (x1 + thick, y1 + thick, x2 - thick, y2 - thick)))
            for p in range(3):
                at = line if p == 0 else line[::2, ::2] | line[1::2, ::2] | line[::2, 1::2] | line[1::2, 1::2]
                differs = had[p][number] != got[p][number]
                changed += differs.sum()
                self.assertFalse(differs[~at].any(), f'frame {number} plane {p}')
        self.assertGreater(changed, 1000)


class Isnet(unittest.TestCase):
    """A real network: scripts/isnet.sh installs it, nothing else does."""

    def test_astronaut(self):
        path = f'{e2e.MODELS}/isnet_general.onnx'
        if not os.path.exists(path):
            self.skipTest('no isnet_general.onnx: make isnet')
        with open(path, 'rb') as f:
            if hashlib.sha256(f.read()).hexdigest() != ISNET_SHA:
                self.skipTest('isnet_general.onnx is not the one of scripts/isnet.sh')
        out = e2e.scratch('astronaut-out.png')
        e2e.must('headless-run', '--processors', 'background_remover', '--background-remover-model',
                 'isnet_general', '-t', e2e.PICTURE, '-o', out)
        found = read(out)[0][..., 3] > 127
        y, x = np.mgrid[0:512, 0:512] + 0.5
        drawn = np.zeros((512, 512), bool)
        for (x1, y1), (x2, y2) in zip(ASTRONAUT, ASTRONAUT[1:] + ASTRONAUT[:1]):
            if y1 != y2:
                drawn ^= ((y >= min(y1, y2)) & (y < max(y1, y2)) &
                          (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)))
        iou = (found & drawn).sum() / (found | drawn).sum()
        print(f'ISNet on the astronaut: IoU {iou:.4f}')
        self.assertGreaterEqual(iou, 0.95)


if __name__ == '__main__':
    e2e.main(standins=True)
