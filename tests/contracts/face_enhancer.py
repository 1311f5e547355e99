"""Face enhancers: crop, network, two roundings, box mask without padding, blend."""
import numpy as np
from onnx_writer import FLOAT
from twins.net import Net

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
    """The tiny model. In single precision, as what follows: many of its values end at a half."""
    f = np.float32
    y = x * f(0.8) + np.array([0.1, 0, -0.1], f)[:, None, None]
    return y + f(0.2 * (weight - 0.5)) if model == 'codeformer' else y


def restored(model, crop, weight):
    """8 bits."""
    x = ((crop[..., ::-1].transpose(2, 0, 1) / 255 - 0.5) / 0.5).astype(np.float32)
    y = (np.clip(network(model, x, weight), -1, 1) + 1) / 2
    return np.rint(y * 255).transpose(1, 2, 0)[..., ::-1].astype(np.uint8)


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
             landmarker=False, tolerance=1, changes=True, **how):
    return Contract(name, [model, *models],
                    ['--processors', 'face_enhancer', '--face-enhancer-model', model, *options],
                    enhance(model, landmarker=landmarker, **how), scene, landmarker, tolerance,
                    where=where, changes=changes)


# The largest takes NumPy half a minute for a clip.
CONTRACTS = [contract(model, model, scene=common.ONE if size > 1024 else common.PAIR,
                      where=('picture',) if size > 1024 else ('picture', 'clip'))
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
    contract('nobody', 'gfpgan_1.4', scene=common.NOBODY, tolerance=0, changes=False),
    contract('speck', 'gfpgan_1.4', scene=common.SPECK),
]


class Refused(common.Refused):
    PROCESSOR = 'face_enhancer'

    def network(self, size=512, name='input', weight=None, output=True):
        """An enhancer that is not quite one, under the default's name."""
        n = Net('not quite', 1)
        x = n.input(name, [1, 3, size, size])
        if weight:
            x = n.mul(x, n.input('weight', weight, dtype=FLOAT, batch=False))
        n.output(n.mul(x, 0.5) if output else n.reduce('ReduceMean', x, [1]), 'output')
        n.g.save(f'{self.models}/gfpgan_1.4.onnx')

    def test_missing(self):
        self.refused(2, 'gfpgan_1.4 is not installed')
        self.refused(2, 'codeformer is not installed', '--face-enhancer-model', 'codeformer')

    def test_not_a_model(self):
        with open(f'{self.models}/gfpgan_1.4.onnx', 'wb') as file:
            file.write(b'no model')
        self.refused(1, 'gfpgan_1.4.onnx')

    def test_wrong_input(self):
        self.network(size=256)
        self.refused(1, 'expected float32')

    def test_wrong_name(self):
        self.network(name='picture')
        self.refused(1, "no input 'input'")

    def test_wrong_weight(self):
        self.network(weight=[1])
        self.refused(1, "input 'weight' is float32")

    def test_wrong_output(self):
        self.network(output=False)
        self.refused(1, 'its output is not float32 1x3x512x512')

    def test_options(self):
        self.refused(2, 'gfpgan_1.5', '--face-enhancer-model', 'gfpgan_1.5')
        self.refused(2, '101', '--face-enhancer-blend', '101')
        self.refused(2, '0.33', '--face-enhancer-weight', '0.33')
        self.refused(2, '1.05', '--face-enhancer-weight', '1.05')
