"""Face enhancers: crop, network, two roundings, box mask without padding, blend."""
import numpy as np

from contracts import common
from contracts.common import Contract

KINDS = ['face_enhancer']

# model: template, size of the crop
MODELS = {
    'codeformer': ('ffhq_512', 512),
    'gfpgan_1.2': ('ffhq_512', 512),
    'gfpgan_1.3': ('ffhq_512', 512),
    'gfpgan_1.4': ('ffhq_512', 512),
    'gpen_bfr_256': ('arcface_128', 256),
    'gpen_bfr_512': ('ffhq_512', 512),
    'gpen_bfr_1024': ('ffhq_512', 1024),
    'gpen_bfr_2048': ('ffhq_512', 2048),
    'restoreformer_plus_plus': ('ffhq_512', 512),
}


def network(model, x, weight):
    """The tiny model."""
    y = 0.8 * x + np.array([0.1, 0, -0.1])[:, None, None]
    return y + 0.2 * (weight - 0.5) if model == 'codeformer' else y


def restored(model, crop, weight):
    x = (crop[..., ::-1].transpose(2, 0, 1) / 255 - 0.5) / 0.5
    y = (np.clip(network(model, x, weight), -1, 1) + 1) / 2
    return np.rint(y * 255).transpose(1, 2, 0)[..., ::-1]


def enhance(model, share=80, weight=0.5, blur=0.3, landmarker=False, occluders=()):
    template, size = MODELS[model]

    def reference(frame, faces):
        for face in faces:
            crop, matrix = common.cut(frame, common.five(face, landmarker), template, size)
            mask = common.box_mask(size, blur)
            if occluders:
                mask = np.minimum(mask, common.occlusion_mask(crop, *occluders))
            pasted = common.paste(frame, restored(model, crop, weight), mask, matrix)
            frame = common.blend(frame, pasted, share / 100)
        return frame
    return reference


def contract(name, model, *options, scene=common.PAIR, where=('picture', 'clip'), models=(),
             landmarker=False, tolerance=1, **how):
    return Contract(name, [model, *models],
                    ['--processors', 'face_enhancer', '--face-enhancer-model', model, *options],
                    enhance(model, landmarker=landmarker, **how), scene, landmarker, tolerance,
                    where=where)


CONTRACTS = [contract(model, model, scene=common.ONE if size > 1024 else common.PAIR)
             for model, (_, size) in MODELS.items()]
CONTRACTS += [
    contract('weight_0', 'codeformer', '--face-enhancer-weight', '0', weight=0,
             where=('picture',)),
    contract('weight_1', 'codeformer', '--face-enhancer-weight', '1', weight=1,
             where=('picture',)),
    # A model without that input is not disturbed by the option.
    contract('weight_without', 'gfpgan_1.4', '--face-enhancer-weight', '1', where=('picture',)),
    contract('blend_100', 'gfpgan_1.4', '--face-enhancer-blend', '100', share=100),
    contract('blend_35', 'gfpgan_1.4', '--face-enhancer-blend', '35', share=35,
             where=('picture',)),
    contract('touching', 'gfpgan_1.4', scene=common.TOUCHING, tolerance=2),
    contract('landmarker', 'gfpgan_1.4', landmarker=True),
    # Padding and area are the swapper's, blur is everybody's.
    contract('masks', 'gpen_bfr_256', '--face-mask-types', 'area', '--face-mask-padding', '30',
             '--face-mask-blur', '0.6', blur=0.6, where=('picture',)),
    contract('occluder', 'gfpgan_1.4', '--face-mask-types', 'occlusion', models=('xseg_1',),
             occluders=(1,)),
    contract('occluders', 'gpen_bfr_1024', '--face-mask-types', 'occlusion', '--face-occluder-model',
             'many', models=('xseg_1', 'xseg_2', 'xseg_3'), occluders=(1, 2, 3),
             where=('picture',)),
]
