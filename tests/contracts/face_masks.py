"""Masks of occluders and parsers, and all masks together, on what the swapper pastes."""
import os

import e2e
import numpy as np
import test_masks
from contracts import common, face_enhancer
from contracts.common import Contract
from twins import tiny

KINDS = ['face_occluder', 'face_parser']

COLOUR = (210, 40, 95)  # BGR, of all of the source picture
REGIONS = list(test_masks.REGIONS)


def source():
    path = e2e.scratch('one_colour.png')
    if not os.path.exists(path):
        common.write_png(path, np.full((242, 398, 3), COLOUR, np.uint8))
    return [path]


def region_mask(size, names):
    """Of the tiny parser, which says the same of any picture."""
    classes = np.kron(tiny.PARSED, np.ones((64, 64), int))
    chosen = np.isin(classes, [test_masks.REGIONS[name] for name in names])
    return common.soft_threshold(common.shrink(chosen.astype(float), size))


def area_mask(face, matrix, size, names):
    points = np.array(face['landmark_68']) @ matrix[:, :2].T + matrix[:, 2]
    return test_masks.area(points, size, names)


def swap(size, types, occluders, regions, areas, padding, landmarker):
    """uniface: half the target, half the source's colour."""
    def reference(frame, faces):
        for face in faces:
            crop, matrix = common.cut(frame, common.five(face, landmarker), 'ffhq_512', size)
            masks = {'box': lambda: common.box_mask(size, 0.3, padding),
                     'occlusion': lambda: common.occlusion_mask(crop, *occluders),
                     'area': lambda: area_mask(face, matrix, size, areas),
                     'region': lambda: region_mask(size, regions)}
            mask = np.minimum.reduce([masks[name]() for name in types.split()])
            frame = common.paste(frame, 0.5 * crop + 0.5 * np.array(COLOUR), mask, matrix)
        return frame
    return reference


def contract(name, models, types, *options, size=256, occluders=(), regions=REGIONS,
             areas=test_masks.AREAS, padding=(0, 0, 0, 0), landmarker=False, where=('picture',)):
    return Contract(name, ['uniface_256', *models],
                    ['--processors', 'face_swapper', '--face-swapper-model', 'uniface_256',
                     '--face-mask-types', *types.split(), *options],
                    swap(size, types, occluders, regions, areas, padding, landmarker),
                    landmarker=landmarker, source=source, where=where)


def both():
    """One occluder in two processors: the second sees what the first has pasted."""
    first = swap(256, 'occlusion', (1,), (), (), (), False)
    second = face_enhancer.enhance('gfpgan_1.4', occluders=(1,))
    return Contract('two_processors', ['uniface_256', 'gfpgan_1.4', 'xseg_1'],
                    ['--processors', 'face_swapper', 'face_enhancer', '--face-swapper-model',
                     'uniface_256', '--face-enhancer-model', 'gfpgan_1.4', '--face-mask-types',
                     'occlusion'],
                    lambda frame, faces: second(first(frame, faces), faces), source=source,
                    tolerance=2)


CONTRACTS = [
    contract(f'xseg_{n}', [f'xseg_{n}'], 'occlusion', '--face-occluder-model', f'xseg_{n}',
             occluders=(n,)) for n in (1, 2, 3)]
CONTRACTS += [
    contract('occluders', ['xseg_1', 'xseg_2', 'xseg_3'], 'box occlusion',
             '--face-occluder-model', 'many', occluders=(1, 2, 3), where=('picture', 'clip')),
    contract('bisenet_34', ['bisenet_resnet_34'], 'region', where=('picture', 'clip')),
    contract('bisenet_18', ['bisenet_resnet_18'], 'region box', '--face-parser-model',
             'bisenet_resnet_18', '--face-mask-regions', 'nose', 'left-eye', 'mouth',
             regions=['nose', 'left-eye', 'mouth']),
    contract('area', [], 'area', landmarker=True),
    contract('lower_face', [], 'box area', '--face-mask-areas', 'lower-face', 'mouth',
             areas=['lower-face', 'mouth']),
    contract('all', ['xseg_1', 'bisenet_resnet_34'], 'box occlusion area region',
             '--face-mask-padding', '5', '25', '10', occluders=(1,), padding=(5, 25, 10, 25),
             where=('picture', 'clip')),
    # Masks of what is pasted are as large as that.
    contract('boost', ['xseg_2', 'bisenet_resnet_34'], 'occlusion area region',
             '--face-swapper-pixel-boost', '512x512', '--face-occluder-model', 'xseg_2',
             occluders=(2,), size=512),
    both(),
]
