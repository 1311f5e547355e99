"""The face blur: where it covers a face, what it shows there, and that nothing finer is left."""
import unittest

import e2e
import numpy as np
from contracts import common, face_masks
from contracts.common import Contract

KINDS, CONTRACTS = [], []
F = np.float32

# Six faces: over each edge and over a corner, larger than the frame's height, and one of few pixels.
BORDER = common.Scene('border', 320, 200, [
    common.turned([-40, 20, 60, 130], 10, 0.9), common.turned([260, -50, 350, 60], 200, 0.9),
    common.turned([100, -20, 240, 230], -30, 0.8), common.turned([280, 150, 330, 215], 90, 0.85),
    common.turned([20, 165, 70, 216], 0, 0.8), common.turned([80, 150, 86, 158], 0, 0.7)])


def axis(low, high, margin, feather, cells, pixels):
    """Centre, radius, edge and size, cells, and the pixels of the frame."""
    centre, radius = (low + high) / 2, max((high - low) / 2 + margin, 0.5)
    start, size = centre - radius * (1 + feather), 2 * radius * (1 + feather)
    cells = max(1, int(size / 2)) if size < 2 * cells else cells
    x = np.arange(max(0, int(np.ceil(start))), min(pixels - 1, int(np.floor(start + size))) + 1)
    return centre, radius, start, size, cells, x


def cell_of(a, x):
    _, _, start, size, cells, _ = a
    return np.clip(np.floor((x - start) * cells / size).astype(int), 0, cells - 1)


def means(frame, across, down):
    cx, cy = cell_of(across, across[5]), cell_of(down, down[5])
    out = np.zeros((down[4], across[4], 3), int)
    for j in np.unique(cy):
        for i in np.unique(cx):
            part = frame[down[5][cy == j]][:, across[5][cx == i]].astype(np.int64)
            n = part.shape[0] * part.shape[1]
            out[j, i] = (part.sum((0, 1)) + n // 2) // n
    return out


def spline(a):
    """Of each pixel: its three cells, and their weights."""
    _, _, start, size, cells, x = a
    c = cell_of(a, x)
    t = np.clip(F((x - start) * cells / size - c), 0, 1)
    r = F(1) - t
    weights = F(0.5) * r * r, F(0.75) - (t - F(0.5)) * (t - F(0.5)), F(0.5) * t * t
    return (np.maximum(c - 1, c[0]), c, np.minimum(c + 1, c[-1])), weights


def smooth(cells, across, down):
    at, w = spline(down)
    rows = sum((F(cells[at[i]]) * w[i][:, None, None] for i in (1, 2)),
               F(cells[at[0]]) * w[0][:, None, None])
    at, w = spline(across)
    return sum((rows[:, at[i]] * w[i][:, None] for i in (1, 2)), rows[:, at[0]] * w[0][:, None])


def cover(frame, box, mode, cells, margin, feather, colour, mask=None):
    box = np.float64(F(box))
    grown = np.float64(F(margin)) * max(box[2] - box[0], box[3] - box[1])
    feather = np.float64(F(feather))
    across = axis(box[0], box[2], grown, feather, cells, frame.shape[1])
    down = axis(box[1], box[3], grown, feather, cells, frame.shape[0])
    x, y = across[5], down[5]
    if not (len(x) and len(y)):
        return
    u, v = (F((a[5] - a[0]) / a[1]) ** 2 for a in (across, down))
    s = (u * u)[None] + (v * v)[:, None]
    outer = F((1 + feather) ** 4)
    fading = (outer - s) / np.maximum(outer - F(1), F(1e-9))
    share = np.where(s <= 1, F(1), np.where(s < outer, fading, F(0)))
    if mask is not None:
        share = np.minimum(share, mask[y[0]:y[-1] + 1, x[0]:x[-1] + 1])
    grid = means(frame, across, down)
    shown = (F(colour[::-1]) * np.ones((len(y), len(x), 1), F) if mode == 'cover' else
             F(grid[cell_of(down, y)][:, cell_of(across, x)]) if mode == 'pixelate' else
             smooth(grid, across, down))
    part = frame[y[0]:y[-1] + 1, x[0]:x[-1] + 1]
    share = F(share)[..., None]
    part[...] = np.where(share > 0, np.rint(F(part) * (F(1) - share) + shown * share), part)


def blur(mode='pixelate', amount=50, margin=30, soft=0.3, colour=(0, 0, 0), mask_of=None):
    cells = round(32 * 2 ** (-amount / 25))
    feather = soft / 2 if mode == 'blur' else 0

    def reference(frame, faces):
        frame = frame.copy()
        for face in faces:
            mask = mask_of(frame, face) if mask_of else None
            cover(frame, face['box'], mode, cells, margin / 100, feather, colour, mask)
        return frame
    return reference


def area_of(frame, face):
    """The area mask of the aligned crop, seen from the frame."""
    _, matrix = common.cut(frame, common.five(face, True), 'ffhq_512', 256)
    mask = face_masks.area_mask(face, matrix, 256, ['lower-face'])
    return np.clip(common.look(F(mask), matrix, frame.shape[1], frame.shape[0], 0.0), 0, 1)


def contract(name, *options, scene=common.PAIR, where=('picture',), tolerance=0, differ=0.0,
             landmarker=False, changes=True, **how):
    words = ['--processors', 'face_blur']
    for option in ('mode', 'amount', 'margin', 'colour'):
        if option in how:
            value = how[option] if isinstance(how[option], tuple) else [how[option]]
            words += ['--face-blur-' + option.replace('colour', 'color'), *map(str, value)]
    return Contract('blur_' + name, [], [*words, *options], blur(**how), scene, landmarker,
                    tolerance=tolerance, differ=differ, where=where, changes=changes)


BOTH = ('picture', 'clip')
NEAR = {'tolerance': 1, 'differ': 0.01}  # NumPy rounds some halves in another way
CONTRACTS += [
    contract('plain', where=BOTH),
    contract('smooth', mode='blur', where=BOTH, **NEAR),
    contract('colour', mode='cover', colour=(10, 200, 90), where=BOTH),
    *(contract(f'border_{mode}', mode=mode, scene=BORDER, **NEAR)
      for mode in ('blur', 'pixelate', 'cover')),
    *(contract(f'amount_{n}_{mode}', mode=mode, amount=n, **NEAR)
      for n in (0, 33, 75, 100) for mode in ('blur', 'pixelate')),
    *(contract(f'margin_{n}', mode='blur', margin=n, **NEAR) for n in (0, 100)),
    contract('sharp', '--face-mask-blur', '0', mode='blur', soft=0, **NEAR),
    contract('soft', '--face-mask-blur', '1', mode='blur', soft=1, **NEAR),
    contract('touching', mode='blur', scene=common.TOUCHING, **NEAR),
    *(contract(f'speck_{mode}', mode=mode, scene=common.SPECK, **NEAR)
      for mode in ('blur', 'pixelate', 'cover')),
    contract('nobody', scene=common.NOBODY, where=BOTH, changes=False),
    contract('area', '--face-mask-types', 'area', '--face-mask-areas', 'lower-face', mode='cover',
             colour=(255, 0, 0), landmarker=True, mask_of=area_of, tolerance=2, differ=0.2),
]


class Left(unittest.TestCase):
    """What a frame still tells of a face."""

    def test_cells(self):
        """Two frames that differ in everything but the means of the cells give one output."""
        scene = common.ONE
        box = scene.faces(scene.picture(), ['--face-landmarker-score', '0', *common.MORE])[0][0]['box']
        frame = scene.frames(scene.picture())[0]
        for mode in ('pixelate', 'blur'):
            want = blur(mode, soft=0)(frame, [{'box': box}])
            box = np.float64(F(box))
            grown = np.float64(F(0.3)) * max(box[2] - box[0], box[3] - box[1])
            across, down = (axis(box[i], box[i + 2], grown, 0, 8, frame.shape[1 - i]) for i in (0, 1))
            other = frame.copy()
            rng = np.random.default_rng(5)
            cx, cy = cell_of(across, across[5]), cell_of(down, down[5])
            for j in np.unique(cy):  # the pixels of each cell in another order
                for i in np.unique(cx):
                    at = np.ix_(down[5][cy == j], across[5][cx == i])
                    block = other[at].reshape(-1, 3)
                    other[at] = rng.permutation(block).reshape(other[at].shape)
            self.assertGreater(np.abs(frame.astype(int) - other).mean(), 5)
            path, out = e2e.scratch('shuffled.png'), e2e.scratch('shuffled-out.png')
            common.write_png(path, other)
            e2e.must('headless-run', '--processors', 'face_blur', '--face-blur-mode', mode,
                     '--face-mask-blur', '0', '--models-path', scene.models(), '-t', path, '-o', out,
                     *common.MORE)
            got = common.read_frames(out)[0]
            inside = e2e.inside(frame.shape, box)
            self.assertLessEqual(np.abs(got[inside].astype(int) - want[inside]).max(), 1)


class Refused(unittest.TestCase):
    def test_options(self):
        scene = common.ONE
        for said, *words in (
                ('give three', '--face-blur-color', '1', '2'),
                ('0 to 255', '--face-blur-color', '1', '2', '256'),
                ('0 to 100', '--face-blur-amount', '101'),
                ('0 to 100', '--face-blur-margin', '-1'),
                ('0.00 to 2.00', '--face-blur-hold', '2.05'),
                ('smear', '--face-blur-mode', 'smear')):
            common.refused(self, 2, said, 'headless-run', '--processors', 'face_blur', '--models-path',
                           scene.models(), '-t', scene.picture(), '-o', e2e.scratch('refused.png'), *words)
