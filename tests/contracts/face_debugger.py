"""What the debugger draws: boxes, points, contours of masks. Frames are small, where all brushes are
diamonds; tests/test_ops_pixels.c has the wide ones."""
import os
import tempfile
import unittest

import e2e
import numpy as np
import test_masks
from contracts import common, face_masks
from contracts.common import Contract

KINDS, CONTRACTS = [], []

RED, UP, GREEN, CYAN = (0, 0, 255), (100, 100, 255), (0, 255, 0), (255, 255, 0)  # BGR
PAIR = common.PAIR
TALL = common.Scene('tall', 330, 500, [common.turned([40, 40, 240, 280], 20, 0.9),
                                       common.turned([200, 380, 330, 520], -100, 0.8)])
# Four faces, a quarter of a turn from one to the next, all of them past the middle between two.
TURNED = common.Scene('turned', 560, 200, [
    common.turned([20 + 140 * i, 40, 120 + 140 * i, 150], 50 + 90 * i, 0.9) for i in range(4)])


def dab(frame, x, y, radius, colour):
    """A diamond: OpenCV's circle of a radius up to 2."""
    for dy in range(-radius, radius + 1):
        for dx in range(abs(dy) - radius, radius - abs(dy) + 1):
            if 0 <= x + dx < frame.shape[1] and 0 <= y + dy < frame.shape[0]:
                frame[y + dy, x + dx] = colour


def draw_box(frame, face, k):
    """All edges as lines of width k, and one of them wider in another colour."""
    x1, y1, x2, y2 = (int(v) for v in face['box'])
    edges = {0: (x1, y1, x2, y1), 90: (x2, y1, x2, y2), 180: (x1, y2, x2, y2),
             270: (x1, y1, x1, y2)}
    for edge, width, colour in [(e, k, RED) for e in edges.values()] + [
            (edges[face['angle']], k + 1, UP)]:
        for x in range(edge[0], edge[2] + 1):
            for y in range(edge[1], edge[3] + 1):
                dab(frame, x, y, (width + 1) // 2 if width > 1 else 0, colour)


def draw_points(frame, points, k, colour):
    for x, y in points:
        dab(frame, int(x), int(y), k, colour)


def draw_mask(frame, mask, matrix, colour):
    """Pixels inside with a neighbour outside."""
    height, width = frame.shape[:2]
    levels = (mask * np.float32(255)).astype(np.uint8)
    inside = np.rint(common.look(levels, matrix, width, height, 0.0)) > 100
    padded = np.pad(inside, 1)
    kernel = (padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])
    frame[inside & ~kernel] = colour


def debug(items, lifted, landmarker=False, types='box', padding=(0, 0, 0, 0), occluders=(),
          regions=face_masks.REGIONS, areas=test_masks.AREAS):
    """lifted: gives the points that fan_68_5 makes of the five of each face."""
    def reference(frame, faces):
        frame = frame.copy()
        k = 1 if frame.shape[0] < 405 else 2
        for face, of_five in zip(faces, lifted()):
            own = CYAN if not landmarker else GREEN
            if 'bounding-box' in items:
                draw_box(frame, face, k)
            if 'face-mask' in items:  # what was drawn before is seen by its networks
                crop, matrix = common.cut(frame, common.five(face, landmarker), 'arcface_128', 512)
                masks = {'box': lambda: common.box_mask(512, 0.0, padding),
                         'occlusion': lambda: common.occlusion_mask(crop, *occluders),
                         'area': lambda: face_masks.area_mask(face, matrix, 512, areas),
                         'region': lambda: face_masks.region_mask(512, regions)}
                mask = np.minimum.reduce([masks[name]() for name in types.split()])
                draw_mask(frame, np.float32(mask), matrix, own)
            for item, points, colour in (
                    ('face-landmark-5', face['landmark_5'], RED),
                    ('face-landmark-5/68', common.five(face, landmarker), own),
                    ('face-landmark-68', face.get('landmark_68', ()), own),
                    ('face-landmark-68/5', of_five, CYAN)):
                if item in items:
                    draw_points(frame, points, k, colour)
        return frame
    return reference


def contract(name, items, *options, scene=PAIR, landmarker=False, models=(), differ=0.01,
             where=('picture',), **how):
    def lifted():
        return [face['landmark_68'] for face in scene.faces(
            scene.picture(), ['--face-landmarker-score', '0', *common.MORE])[0]]

    return Contract(name, list(models),
                    ['--processors', 'face_debugger', '--face-debugger-items', *items.split(),
                     *options],
                    debug(items.split(), lifted, landmarker=landmarker, **how), scene, landmarker,
                    tolerance=255, differ=differ, where=where)


ALL = 'bounding-box face-mask face-landmark-5 face-landmark-5/68 face-landmark-68 face-landmark-68/5'
EVERY = 'box occlusion area region'
CONTRACTS += [
    contract('box', 'bounding-box', where=('picture', 'clip')),
    contract('box_tall', 'bounding-box', scene=TALL),
    contract('box_turned', 'bounding-box', scene=TURNED),
    contract('points_5', 'face-landmark-5'),
    contract('points_5_68', 'face-landmark-5/68', landmarker=True),
    contract('points_68', 'face-landmark-68', landmarker=True),
    contract('points_68_5', 'face-landmark-68/5', landmarker=True),
    contract('points_tall', 'face-landmark-68/5 face-landmark-5 face-landmark-68', scene=TALL,
             landmarker=True),
    contract('unsure', 'face-landmark-5/68 face-landmark-68 face-landmark-5'),
    contract('mask', 'face-mask'),
    contract('mask_padding', 'face-mask', '--face-mask-padding', '5', '25', '10', '--face-mask-blur',
             '1', padding=(5, 25, 10, 25)),
    contract('mask_occlusion', 'face-mask', '--face-mask-types', 'occlusion', models=('xseg_1',),
             types='occlusion', occluders=(1,), differ=0.03),
    contract('mask_area', 'face-mask', '--face-mask-types', 'area', '--face-mask-areas',
             'lower-face', types='area', areas=['lower-face'], landmarker=True),
    contract('mask_region', 'face-mask', '--face-mask-types', 'region', '--face-mask-regions',
             'nose', 'mouth', models=('bisenet_resnet_34',), types='region',
             regions=['nose', 'mouth']),
    contract('all', ALL, '--face-mask-types', *EVERY.split(), landmarker=True, types=EVERY,
             occluders=(1,), models=('xseg_1', 'bisenet_resnet_34'), differ=0.03),
]


class Needs(unittest.TestCase):
    """Networks whose files are rubbish: a job that opened one would fail."""

    def code(self, items, broken, *options):
        folder = tempfile.mkdtemp(dir=e2e.scratch())
        for name in os.listdir(PAIR.models()):
            if name.rsplit('.', 1)[0] in broken:
                with open(f'{folder}/{name}', 'wb') as file:
                    file.write(b'rubbish' * 9)
            else:
                os.symlink(f'{PAIR.models()}/{name}', f'{folder}/{name}')
        return e2e.run('headless-run', '--models-path', folder, '--face-selector-mode', 'many', '-t',
                       PAIR.picture(), '-o', e2e.scratch('needs.png'), '--processors',
                       'face_debugger', '--face-debugger-items', *items.split(), *options,
                       *common.MORE).returncode

    def check(self, items, used, *options):
        networks = ['2dfan4', 'fan_68_5', 'arcface_w600k_r50', 'fairface']
        unused = [name for name in networks if name not in used]
        self.assertEqual(self.code(items, unused, *options), 0, items)
        for name in used:
            self.assertEqual(self.code(items, [name], *options), 1, (items, name))

    def test_box(self):
        """Its upper edge is told by fan_68_5."""
        self.check('bounding-box', ['fan_68_5'])
        self.check('bounding-box', ['fan_68_5'], '--face-mask-types', 'area')

    def test_points(self):
        self.check('face-landmark-5', [])
        self.check('face-landmark-5', [], '--face-mask-types', 'area')
        self.check('face-landmark-68/5', ['fan_68_5'])
        self.check('face-landmark-5/68', ['2dfan4', 'fan_68_5'])
        self.check('face-landmark-68', ['2dfan4', 'fan_68_5'])
        self.check('face-landmark-68', ['fan_68_5'], '--face-landmarker-score', '0')

    def test_mask(self):
        self.check('face-mask', ['2dfan4', 'fan_68_5'])
        self.check('face-mask', [], '--face-landmarker-score', '0')
        self.check('face-mask', ['fan_68_5'], '--face-landmarker-score', '0', '--face-mask-types',
                   'area')
