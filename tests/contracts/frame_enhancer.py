"""Frame enhancers: tiles with context, network, cores side by side, blend with the enlarged frame."""
import numpy as np

from contracts import common
from contracts.common import Contract

KINDS = ['frame_enhancer']

# Size, padding and overlap of a tile, and the scale: FaceFusion 3.8.1's table, written down again.
MODELS = {}
for triple, scale, names in (
        ((128, 8, 4), 4, 'clear_reality_x4 face_dat_x4 nomos8k_sc_x4 realistic_rescaler_x4 '
                         'remacri_x4 siax_x4 span_kendata_x4 swin2_sr_x4 ultra_sharp_x4'),
        ((128, 8, 4), 8, 'tghq_face_x8'), ((64, 4, 2), 4, 'real_web_photo_x4'),
        ((1024, 64, 32), 4, 'ultra_sharp_2_x4'),
        ((256, 16, 8), 2, 'real_esrgan_x2 real_esrgan_x2_fp16'),
        ((256, 16, 8), 4, 'real_esrgan_x4 real_esrgan_x4_fp16 real_hatgan_x4'),
        ((256, 16, 8), 8, 'real_esrgan_x8 real_esrgan_x8_fp16')):
    for name in names.split():
        MODELS[name] = (*triple, scale)


def bilinear(frame, width, height):
    """Half-pixel centres, edges repeated, weights in 2048ths: within 1 of OpenCV."""
    def axis(n, size):
        at = (np.arange(n) + 0.5) * size / n - 0.5
        low = np.floor(at).astype(int)
        weight = np.round((at - low) * 2048) / 2048
        return np.clip(low, 0, size - 1), np.clip(low + 1, 0, size - 1), weight

    x0, x1, fx = axis(width, frame.shape[1])
    y0, y1, fy = axis(height, frame.shape[0])
    f = frame.astype(np.float64).reshape(*frame.shape[:2], -1)
    rows = f[:, x0] * (1 - fx)[:, None] + f[:, x1] * fx[:, None]
    out = rows[y0] * (1 - fy)[:, None, None] + rows[y1] * fy[:, None, None]
    return np.floor(out + 0.5).astype(np.uint8).reshape(height, width, *frame.shape[2:])


def enlarge(frame, size, pad, overlap, scale, network):
    """The recipe step by step: pad, cut all tiles, run each, merge the cores, crop."""
    core, (height, width) = size - 2 * overlap, frame.shape[:2]
    below = pad + overlap + core - (height + 2 * pad) % core
    right = pad + overlap + core - (width + 2 * pad) % core
    padded = np.pad(frame, ((pad + overlap, below), (pad + overlap, right), (0, 0)))
    down = range(overlap, padded.shape[0] - overlap, core)
    across = range(overlap, padded.shape[1] - overlap, core)
    edge, step = overlap * scale, core * scale
    merged = np.zeros((len(down) * step, len(across) * step, 3), np.uint8)
    for i, y in enumerate(down):
        for j, x in enumerate(across):
            tile = padded[y - overlap:y - overlap + size, x - overlap:x - overlap + size]
            tensor = (tile[..., ::-1].astype(np.float32) / np.float32(255)).transpose(2, 0, 1)
            out = network(tensor).transpose(1, 2, 0) * np.float32(255)
            merged[i * step:(i + 1) * step, j * step:(j + 1) * step] = \
                out[edge:edge + step, edge:edge + step].clip(0, 255).astype(np.uint8)[..., ::-1]
    return merged[pad * scale:(pad + height) * scale, pad * scale:(pad + width) * scale]


def enhance(frame, model, network=None, share=80):
    *triple, scale = MODELS[model]
    new = enlarge(frame, *triple, scale, network or tiny_network(scale))
    return common.blend(bilinear(frame, new.shape[1], new.shape[0]), new, share / 100)


def tiny_network(scale):
    """The tiny model."""
    shift = np.array([0.1, 0.05, 0], np.float32)[:, None, None]
    return lambda x: x.repeat(scale, 1).repeat(scale, 2) * np.float32(0.9) + shift


def contract(name, model, *options, share=80, where=('picture', 'clip')):
    scale = str(MODELS[model][3])
    return Contract(name, [model],
                    ['--processors', 'frame_enhancer', '--frame-enhancer-model', model,
                     '--output-image-scale', scale, '--output-video-scale', scale, *options],
                    lambda frame, faces: enhance(frame, model, share=share), common.NOBODY,
                    # the frame is enlarged with weights of 11 bits, not as here
                    differ=0.03 if share == 80 else 0.2, where=where)


CONTRACTS = [contract(model, model) for model in MODELS]
CONTRACTS += [
    contract('blend_100', 'siax_x4', '--frame-enhancer-blend', '100', share=100),
    contract('blend_35', 'real_esrgan_x2', '--frame-enhancer-blend', '35', share=35,
             where=('picture',)),
    contract('blend_0', 'tghq_face_x8', '--frame-enhancer-blend', '0', share=0,
             where=('picture',)),
]
