"""What the contract tests share: scenes with planted faces, the geometry of FaceFusion's face
processors in NumPy, and the test itself.

A contract test writes tiny models (tools/twins/tiny.py: tensor names and shapes of the real files,
something simple inside), runs the whole program with them on a picture and on a clip, and compares
every pixel with a reference. Everything here is written from the description of the methods and
calculates in double precision; nothing of the product is used but the places of the faces, which
`reprise analyse` tells.

A file of contracts has KINDS, the kinds of the catalogue whose models it covers, and CONTRACTS, a
list of Contract, of which tests/test_contracts.py makes tests; and, if it wants, TestCases of its own,
with COVERS, the models that these cover.
"""
import functools
import json
import math
import os
import re
import struct
import sys
import unittest
import zlib
from dataclasses import dataclass, field

import e2e
import numpy as np
from e2e import read_frames

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
from twins import planted, tiny  # noqa: E402

# What the analysing stage and the content check open, whichever of them they choose.
ANALYSING = ['yoloface_8n', '2dfan4', 'fan_68_5', 'arcface_w600k_r50', 'fairface', 'nsfwjs',
             'nsfw_1', 'nsfw_2', 'nsfw_3']
# More words for the program, for example --execution-providers cuda.
MORE = os.environ.get('REPRISE_CONTRACT_OPTIONS', '').split()
FRAMES = 2  # of a clip
# Are jobs of one test case run by one process? Not where one test is asked for by name.
TOGETHER = not MORE and not [word for word in sys.argv[2:] if word[:1].isalpha()]


# ---- pictures -----------------------------------------------------------------------------------

def drawn(width, height, seed):
    """Soft colours with a little noise, BGR [height,width,3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    out = np.empty((height, width, 3))
    for c in range(3):
        fx, fy, phase = rng.uniform(4, 16), rng.uniform(4, 16), rng.uniform(0, 6)
        out[..., c] = 128 + 70 * np.sin(fx * x + phase) * np.cos(fy * y + 2 * phase)
    return np.clip(out + rng.uniform(-24, 24, out.shape), 0, 255).astype(np.uint8)


def write_png(path, picture):
    """BGR or BGRA."""
    height, width, channels = picture.shape
    rgb = picture[..., [2, 1, 0, 3][:channels]]
    rows = b''.join(b'\0' + row.tobytes() for row in rgb)

    def chunk(name, data):
        return (struct.pack('>I', len(data)) + name + data +
                struct.pack('>I', zlib.crc32(name + data)))

    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n')
        file.write(chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8,
                                              {3: 2, 4: 6}[channels], 0, 0, 0)))
        file.write(chunk(b'IDAT', zlib.compress(rows, 1)) + chunk(b'IEND', b''))


def write_clip(path, frames):
    """A clip of RGB video without loss, and without conversion of colours."""
    height, width, _ = frames[0].shape
    raw = e2e.scratch('frames.raw')
    np.stack(frames).tofile(raw)
    e2e.ffmpeg('-f', 'rawvideo', '-pix_fmt', 'bgr24', '-s', f'{width}x{height}', '-r', '25', '-i',
               raw, '-c:v', 'libx264rgb', '-qp', '0', '-preset', 'ultrafast', path)


# ---- scenes -------------------------------------------------------------------------------------

def turned(box, degrees, score):
    """A face whose five points are turned about the middle of its box."""
    face = planted.face(box, score=score)
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    face['landmarks'] = ((np.array(face['landmarks']) - middle) @ turn.T + middle).tolist()
    return face


class Scene:
    """A picture, a clip, and a folder of tiny models, whose detector finds the given faces in any
    frame. Of at most 640x640 pixels, so that a frame's pixels are the detector's."""

    def __init__(self, name, width, height, faces):
        self.name, self.width, self.height, self.plan = name, width, height, planted.Plan(faces)
        self.faces_of, self.frames_of = {}, {}

    def models(self, names=()):
        folder = e2e.scratch(f'{self.name}-models')
        os.makedirs(folder, exist_ok=True)
        for name in [*ANALYSING, *names]:
            path = os.path.join(folder, tiny.file_of(name))
            if not os.path.exists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                tiny.build(name, self.plan).g.save(path)
        return folder

    def picture(self):
        path = e2e.scratch(f'{self.name}.png')
        if not os.path.exists(path):
            write_png(path, drawn(self.width, self.height, 1))
        return path

    def clip(self):
        path = e2e.scratch(f'{self.name}.mkv')
        if not os.path.exists(path):
            write_clip(path, [drawn(self.width, self.height, 2 + i) for i in range(FRAMES)])
        return path

    def frames(self, path):
        if path not in self.frames_of:
            self.frames_of[path] = read_frames(path)
        return self.frames_of[path]

    def faces(self, path, options):
        """Of each frame, as the program finds them."""
        key = (path, *options)
        if key not in self.faces_of:
            found = e2e.analyse('--models-path', self.models(), *options, path)
            self.faces_of[key] = [sorted(f['faces'], key=lambda face: -area(face['box']))
                                  for f in found]
        return self.faces_of[key]


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


# One large and turned, one small, half outside; their crops do not meet.
PAIR = Scene('pair', 398, 242, [turned([50, 50, 170, 190], 20, 0.9),
                                turned([350, 140, 420, 230], -10, 0.8)])
# The crop of the second is cut from where the first was pasted.
TOUCHING = Scene('touching', 318, 242, [turned([40, 30, 210, 220], 20, 0.9),
                                        turned([190, 120, 330, 290], -10, 0.8)])
ONE = Scene('one', 200, 180, [turned([40, 30, 160, 170], -8, 0.9)])
NOBODY = Scene('nobody', 200, 180, [])
SPECK = Scene('speck', 19, 11, [turned([4, -2, 18, 13], 5, 0.9)])  # less than a tile of anything


# ---- places of faces ----------------------------------------------------------------------------

# Eyes, nose, corners of the mouth, in parts of the crop's size.
TEMPLATES = {
    'arcface_112_v1': [(0.35473214, 0.45658929), (0.64526786, 0.45658929),
                       (0.50000000, 0.61154464), (0.37913393, 0.77687500),
                       (0.62086607, 0.77687500)],
    'arcface_112_v2': [(0.34191607, 0.46157411), (0.65653393, 0.45983393),
                       (0.50022500, 0.64050536), (0.37097589, 0.82469196),
                       (0.63151696, 0.82325089)],
    'arcface_128': [(0.36167656, 0.40387734), (0.63696719, 0.40235469),
                    (0.50019687, 0.56044219), (0.38710391, 0.72160547),
                    (0.61507734, 0.72034453)],
    'dfl_whole_face': [(0.35342266, 0.39285716), (0.62797622, 0.39285716),
                       (0.48660713, 0.54017860), (0.38839287, 0.68750011),
                       (0.59821427, 0.68750011)],
    'ffhq_512': [(0.37691676, 0.46864664), (0.62285697, 0.46912813),
                 (0.50123859, 0.61331904), (0.39308822, 0.72541100),
                 (0.61150205, 0.72490465)],
    'mtcnn_512': [(0.36562865, 0.46733799), (0.63305391, 0.46585885),
                  (0.50019127, 0.61942959), (0.39032951, 0.77598822),
                  (0.61178945, 0.77476328)],
    'styleganex_384': [(0.42353745, 0.52289879), (0.57725008, 0.52319972),
                       (0.50123859, 0.61331904), (0.43364461, 0.68337652),
                       (0.57015325, 0.68306005)],
}


def five_of_68(points):
    points = np.asarray(points, np.float64)
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48],
                     points[54]])


def five(face, landmarker):
    """The points that crops use: of the landmarker (the tiny ones are sure of theirs), else of the
    detector."""
    return five_of_68(face['landmark_68']) if landmarker else np.array(face['landmark_5'])


def two_point(p, q):
    """The similarity (a, b, tx, ty) that takes both points p to q."""
    d, e = p[1] - p[0], q[1] - q[0]
    n = d @ d
    a, b = (d @ e) / n, (d[0] * e[1] - d[1] * e[0]) / n
    return a, b, q[0][0] - a * p[0][0] + b * p[0][1], q[0][1] - b * p[0][0] - a * p[0][1]


def least_squares(p, q):
    pm, qm = p.mean(0), q.mean(0)
    p, q = p - pm, q - qm
    n = (p * p).sum()
    a = (p * q).sum() / n
    b = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / n
    return a, b, qm[0] - a * pm[0] + b * pm[1], qm[1] - b * pm[0] - a * pm[1]


def draws():
    """OpenCV's random numbers, modulo five."""
    state = (1 << 64) - 1
    while True:
        state = (state & 0xffffffff) * 4164903690 + (state >> 32) & (1 << 64) - 1
        yield (state & 0xffffffff) % 5


def consensus(p, q, reach=100.0):
    """OpenCV's RANSAC: which of the five points lie within `reach` pixels of the crop."""
    numbers, best, rounds, done = draws(), np.zeros(5, bool), 2000, 0
    while done < rounds:
        i = next(numbers)
        j = next(n for n in numbers if n != i)
        a, b, tx, ty = two_point(p[[i, j]], q[[i, j]])
        miss = ((a * p[:, 0] - b * p[:, 1] + tx - q[:, 0]) ** 2 +
                (b * p[:, 0] + a * p[:, 1] + ty - q[:, 1]) ** 2)
        inside = miss <= reach ** 2
        if inside.sum() > max(best.sum(), 1):
            best = inside
            bad = 1 - inside.mean() ** 2  # of the pairs
            rounds = min(rounds, round(math.log(0.01) / math.log(bad))) if bad > 0 else 0
        done += 1
    return best


def similarity(points, template, size):
    """The 2x3 matrix that takes the five points to the template in a crop of this size."""
    p = np.asarray(points, np.float32).astype(np.float64)
    q = (np.array(TEMPLATES[template]) * size).astype(np.float32).astype(np.float64)
    inside = consensus(p, q)
    a, b, tx, ty = least_squares(p[inside], q[inside])
    return np.array([[a, -b, tx], [b, a, ty]])


def inverse(m):
    turn = np.linalg.inv(m[:, :2])
    return np.column_stack([turn, -turn @ m[:, 2]])


# ---- warps --------------------------------------------------------------------------------------

def fused(a, b, c):
    """a * b + c, rounded once to single precision."""
    return (np.float64(a) * b.astype(np.float64) + c.astype(np.float64)).astype(np.float32)


def sample(picture, x, y, border):
    """Bilinear. border: 'replicate', or the value outside."""
    height, width = picture.shape[:2]
    x, y = np.clip(x, -2, width + 1), np.clip(y, -2, height + 1)
    ix, iy = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = x - ix, y - iy
    gx, gy = 1 - fx, 1 - fy
    first = (iy + 3).astype(np.intp) * (width + 6) + (ix + 3)

    def plane(values):
        # With three more pixels at each side no place is outside.
        values = values.astype(np.float64)
        values = (np.pad(values, 3, 'edge') if border == 'replicate' else
                  np.pad(values, 3, constant_values=border)).ravel()
        a, b, c, d = (values.take(first + step) for step in (0, 1, width + 6, width + 7))
        return (a * gx + b * fx) * gy + (c * gx + d * fx) * fy

    if picture.ndim == 2:
        return plane(picture)
    # One channel after the other, which NumPy does faster than three beside each other.
    return np.stack([plane(picture[..., c]) for c in range(picture.shape[2])], -1)


def look(picture, m, width, height, border):
    """Pixels at m * (x, y, 1), not rounded; some rows at a time, to stay small. The places are
    OpenCV's, in single precision, the rest is in double."""
    parts, m = [], m.astype(np.float32)
    x = np.arange(width, dtype=np.float32)[None, :]
    for top in range(0, height, 128):
        y = np.arange(top, min(top + 128, height), dtype=np.float32)[:, None]
        at = [fused(a, x, b * y + c).astype(np.float64) for a, b, c in m]
        parts.append(sample(picture, *at, border))
    return np.concatenate(parts)


@functools.lru_cache(maxsize=32)
def cut_again(shape, pixels, points, template, size):
    """Many jobs work on the same few frames."""
    frame = np.frombuffer(pixels, np.uint8).reshape(shape)
    m = similarity(np.array(points), template, size)
    crop = np.rint(look(frame, inverse(m), size, size, 'replicate')).astype(np.uint8)
    crop.setflags(write=False)
    m.setflags(write=False)
    return crop, m


def cut(frame, points, template, size):
    """A face's crop, 8 bits, and the matrix that leads to it."""
    if frame.dtype == np.uint8:
        return cut_again(frame.shape, frame.tobytes(), tuple(map(tuple, points)), template, size)
    m = similarity(points, template, size)
    return np.rint(look(frame, inverse(m), size, size, 'replicate')).astype(np.uint8), m


def paste(frame, crop, mask, matrix):
    """The crop (BGR 0..255) back into the frame through the mask. One of bytes is sampled as bytes."""
    height, width = frame.shape[:2]
    h, w = mask.shape
    # The corners are whole numbers, and for OpenCV so are the places where they go.
    corners = np.array([(0, 0, 1), (w, 0, 1), (w, h, 1), (0, h, 1)]) @ inverse(matrix).T
    x1, y1 = np.clip(np.rint(corners.min(0)).astype(int), 0, (width, height))
    x2, y2 = np.clip(np.rint(corners.max(0)).astype(int), 0, (width, height))
    out = frame.copy()
    if x1 < x2 and y1 < y2:
        m = matrix.copy()
        m[:, 2] += matrix[:, :2] @ (x1, y1)
        a = np.clip(look(mask, m, x2 - x1, y2 - y1, 0.0), 0, 1)[..., None]
        new = look(crop, m, x2 - x1, y2 - y1, 'replicate')
        if crop.dtype == np.uint8:
            new = np.rint(new)
        a, new = a.astype(np.float32), new.astype(np.float32)
        out[y1:y2, x1:x2] = (frame[y1:y2, x1:x2] * (1 - a) + new * a).astype(np.uint8)
    return out


def blend(a, b, f):
    """In single precision and with one rounding less, which decide about the many exact halves."""
    second = (b.astype(np.float32) * np.float32(f)).astype(np.float64)
    total = a.astype(np.float64) * np.float64(np.float32(1 - f)) + second
    return np.rint(total.astype(np.float32)).astype(np.uint8)


def shrink(picture, size):
    """Bilinear resize to size x size, half-pixel centres, edges clamped."""
    scale = np.array(picture.shape[1::-1]) / size
    m = np.array([[scale[0], 0, scale[0] / 2 - 0.5], [0, scale[1], scale[1] / 2 - 0.5]])
    return look(picture, m, size, size, 'replicate')


# ---- masks --------------------------------------------------------------------------------------

def gaussian_kernel(sigma):
    n = round(8 * sigma + 1) | 1
    k = np.exp(-0.5 * ((np.arange(n) - n // 2) / sigma) ** 2)
    return (k / k.sum()).astype(np.float32)


def distinct(rows):
    """Each row once, and which of those each row is."""
    first = {}
    for i, row in enumerate(rows):
        first.setdefault(row.tobytes(), i)
    number = {row: n for n, row in enumerate(first)}
    return rows[list(first.values())], [number[row.tobytes()] for row in rows]


def gaussian(x, sigma):
    """Every sum in the order of OpenCV, whose masks are about 1 where one would think that they are 1:
    a row from left to right, a column from its middle outwards. The border is mirrored without its
    last value. Rows and columns that are alike, of which a box is full, are done once."""
    k = gaussian_kernel(sigma)
    half = len(k) // 2
    (height, width), x = x.shape, np.pad(x.astype(np.float32), half, 'reflect')
    x, like = distinct(x)
    rows = x[:, :width] * k[0]
    for i in range(1, len(k)):
        rows = fused(k[i], x[:, i:i + width], rows)
    columns, alike = distinct(rows[like].T)
    columns = columns.T
    out = columns[half:half + height] * k[half]
    for i in range(1, half + 1):
        pair = columns[half + i:half + i + height] + columns[half - i:half - i + height]
        out = fused(k[half + i], pair, out)
    return out[:, alike]


@functools.lru_cache
def box_mask(size, blur=0.3, padding=(0, 0, 0, 0)):
    """padding: percent, top, right, bottom, left."""
    soft = int(size * 0.5 * blur)
    top, right, bottom, left = (max(soft // 2, 1, int(size * p / 100)) for p in padding)
    mask = np.zeros((size, size), np.float32)
    mask[top:size - bottom, left:size - right] = 1
    return np.clip(gaussian(mask, 0.25 * soft), 0, 1) if soft > 0 else mask


def soft_threshold(mask):
    return (np.clip(gaussian(np.clip(mask, 0, 1), 5), np.float32(0.5), 1) - np.float32(0.5)) * 2


def occlusion_mask(crop, *numbers):
    """Of the tiny xseg_N: clip(4 * mean of B, G, R - N / 2, 0, 1)."""
    small = np.floor(shrink(crop, 256) + 0.5).mean(2) / 255
    masks = [shrink(np.clip(4 * small - n / 2, 0, 1), len(crop)) for n in numbers]
    return soft_threshold(np.minimum.reduce(masks))


# ---- the test -----------------------------------------------------------------------------------

@dataclass
class Contract:
    """One model, or one use of it. reference(frame, faces) gives the expected frame, BGR or, with
    alpha, BGRA; faces as `reprise analyse` tells them, the largest first."""
    name: str
    models: list
    options: list
    reference: callable
    scene: Scene = field(default_factory=lambda: PAIR)
    landmarker: bool = False  # crops follow its points, not the detector's
    # Of 255: the program calculates in single precision, and values are truncated. Where one face
    # lies on another an error of the first becomes one of the second and may be truncated again.
    tolerance: int = 1
    # Of the values that change so many may differ at all: more would be another way of rounding.
    differ: float = 0.03
    alpha: bool = False
    source: object = None     # a function that gives the paths of source pictures
    changes: bool = True      # the reference differs from the frame, else the test would say nothing
    where: tuple = ('picture', 'clip')

    def target(self, where):
        return self.scene.picture() if where == 'picture' else self.scene.clip()


def command(contract, target, output):
    words = ['headless-run', '--models-path', contract.scene.models(contract.models),
             '--face-selector-mode', 'many', '-t', target, '-o', output]
    if contract.source:
        words += ['-s', *contract.source()]
    if not contract.landmarker:
        words += ['--face-landmarker-score', '0']
    if output.endswith('.mov'):
        words += ['--output-video-encoder', 'rawvideo']
    if output.endswith('.mkv'):
        words += ['--output-video-encoder', 'libx264rgb', '--output-video-quality', '100',
                  '--output-video-preset', 'ultrafast']
    return words + list(contract.options) + MORE


def look_at(test, contract, got, want, before):
    """Within the tolerance everywhere."""
    tolerance = contract.tolerance
    test.assertEqual(got.shape, want.shape)
    if want.shape == before.shape and contract.changes:
        test.assertGreater(np.abs(want.astype(int) - before).max(), 8)
    wrong = np.abs(got.astype(int) - want)
    at = np.unravel_index(wrong.argmax(), wrong.shape)
    test.assertLessEqual(wrong.max(), tolerance,
                         f'{(wrong > tolerance).sum()} values; at {at} {got[at]}, not {want[at]}')
    changed = (want != before).any(-1) if want.shape == before.shape else slice(None)
    test.assertLessEqual((wrong[changed] > 0).sum(), contract.differ * wrong[changed].size)


def output_of(test, contract, where):
    """Where it writes: a form that is read fast, where there is one without loss."""
    kind = 'mov' if where == 'clip' else 'png' if contract.alpha else 'bmp'
    return e2e.scratch(f'{test.__name__}-{contract.name}.{kind}')


def args_of(words):
    """The words of a command as the args of a job's step."""
    names, args = {'-s': '--source-paths', '-t': '--target-path', '-o': '--output-path'}, {}
    for word in words:
        if re.match('--?[a-z]', word):
            key = names.get(word, word)[2:].replace('-', '_')
            args[key] = []
        else:
            args[key].append(word)
    return {key: values[0] if len(values) == 1 else values for key, values in args.items()}


def run_together(test, cases):
    """The outputs of [(contract, where)], by one process for each folder of models: most of the time
    of a short job is the start of its process. A job that fails has no output."""
    folders = {}
    for contract, where in cases:
        words = command(contract, contract.target(where), output_of(test, contract, where))[1:]
        at = words.index('--models-path')
        folders.setdefault(words[at + 1], []).append(args_of(words[:at] + words[at + 2:]))
    for number, (models, jobs) in enumerate(folders.items()):
        folder = e2e.scratch(f'{test.__name__}-jobs-{number}')
        os.makedirs(f'{folder}/queued')
        for i, args in enumerate(jobs):
            with open(f'{folder}/queued/{i}.json', 'w', encoding='utf-8') as file:
                json.dump({'version': '1', 'date_created': '2026-01-02T03:04:05+01:00',
                           'date_updated': None,
                           'steps': [{'args': args, 'status': 'queued'}]}, file)
        e2e.run('job-run-all', '--jobs-path', folder, '--models-path', models)


def check(test, contract, where):
    scene, target = contract.scene, contract.target(where)
    output = output_of(type(test), contract, where)
    points = [] if contract.landmarker else ['--face-landmarker-score', '0']
    faces = scene.faces(target, [*points, *MORE])
    if not os.path.exists(output):
        e2e.must(*command(contract, target, output))
    before, got = scene.frames(target), read_frames(output, contract.alpha)
    os.unlink(output)
    test.assertEqual(len(got), len(before))
    for i, frame in enumerate(before):
        with test.subTest(frame=i):
            look_at(test, contract, got[i], contract.reference(frame, faces[i]), frame)


def refused(test, code, said, *words):
    """The program ends with this code and one sentence on stderr that holds `said`."""
    result = e2e.run(*words, *MORE, '--log-level', 'error')
    lines = result.stderr.splitlines()
    about = f'{words}: exit {result.returncode}\n{result.stderr}'
    test.assertEqual(result.returncode, code, about)
    if len(lines) > 1 and lines[-1].startswith("see 'reprise"):
        lines.pop()
    test.assertEqual(len(lines), 1, about)
    test.assertTrue(lines[0].startswith('error: '), about)
    test.assertIn(said, lines[0])


class Refused(unittest.TestCase):
    """What is missing or wrong is said in one sentence, and no output is written. PROCESSOR's model
    is not in the folder of models."""

    def setUp(self):
        self.models = e2e.scratch(self.id())
        os.makedirs(self.models)
        for name in os.listdir(ONE.models()):
            if name.rsplit('.', 1)[0] in ANALYSING:
                os.symlink(f'{ONE.models()}/{name}', f'{self.models}/{name}')
        self.output = e2e.scratch('refused.png')

    def refused(self, code, said, *options):
        refused(self, code, said, 'headless-run', '--models-path', self.models, '--processors',
                self.PROCESSOR, '-t', ONE.picture(), '-o', self.output, *options)
        self.assertFalse(os.path.exists(self.output))


def tests_of(name, contracts):
    """A TestCase with one test for each contract and place."""
    def method(contract, where):
        return lambda self: check(self, contract, where)

    def set_up(cls):
        if TOGETHER:
            run_together(cls, [(c, where) for c in contracts for where in c.where])

    return type(name, (unittest.TestCase,), {'setUpClass': classmethod(set_up), **{
        f'test_{c.name}_{where}': method(c, where) for c in contracts for where in c.where}})
