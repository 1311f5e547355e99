"""Lip syncers: crop, its part for the network, 8 bits after each step, masks, and the sound."""
import os
import unittest

import e2e
import numpy as np
from twins import tiny
from twins.net import Net

from contracts import common, face_masks
from contracts.common import Contract

KINDS = ['lip_syncer']

SIZE = 512  # of the crop
SILENCE = np.full((80, 16), -4.0)
GAINS = np.array([[tiny.sound_gains(band, column) for column in range(16)] for band in range(80)])


def levels(mel):
    """What networks get of a window of magnitudes."""
    return np.clip(np.log10(np.maximum(1e-5, mel)) * 1.6 + 3.2, -4, 4)


# ---- the networks -------------------------------------------------------------------------------

def tag(sound):
    """A colour, in the order of the tensor."""
    return np.einsum('bc,bcn->n', sound, GAINS) + tiny.SOUND_BASE


def bytes_of(y):
    """[3,h,w] in 0..1 to pixels [h,w,3] in the same order."""
    return (np.clip(y.astype(np.float32), 0, 1) * np.float32(255)).transpose(1, 2, 0).astype(np.uint8)


def wav2lip(crop, points, sound, weight):
    """points: the 68 in the crop."""
    low, high = points.min(0).astype(np.float32), points.max(0).astype(np.float32)
    scale = 96 / (high.astype(np.float64) - low)
    m = np.array([[scale[0], 0, -low[0] * scale[0]], [0, scale[1], -low[1] * scale[1]]])
    face = np.rint(common.look(crop, common.inverse(m), 96, 96, 0.0))
    x = face.transpose(2, 0, 1) / 255
    upper = x.copy()
    upper[:, 48:] = 0
    y = bytes_of(0.4 * x + 0.1 * upper + tag(sound * weight * 2)[:, None, None])
    return np.rint(common.look(y, m, SIZE, SIZE, 'replicate')).astype(np.uint8)


def cubic(x, out):
    """The first axis enlarged; weights of 11 bits."""
    at = (np.arange(out) + 0.5) * len(x) / out - 0.5
    first, t = np.floor(at).astype(int), at - np.floor(at)
    far, near = (lambda t: -0.75 * (t ** 3 - 5 * t ** 2 + 8 * t - 4),
                 lambda t: 1.25 * t ** 3 - 2.25 * t ** 2 + 1)
    return sum((np.rint(w * 2048) / 2048)[:, None, None] *
               x[np.clip(first - 1 + i, 0, len(x) - 1)]
               for i, w in enumerate((far(1 + t), near(t), near(1 - t), far(2 - t))))


def edtalk(crop, sound, weight):
    mean = crop.reshape(256, 2, 256, 2, 3).astype(int).sum((1, 3))
    x = ((mean + 2) // 4)[..., ::-1].transpose(2, 0, 1) / 255
    y = bytes_of(0.5 * x + tag(sound)[:, None, None] * weight)[..., ::-1]
    tall = cubic(y.astype(np.float64), SIZE)
    large = cubic(tall.transpose(1, 0, 2), SIZE).transpose(1, 0, 2)
    return np.clip(np.rint(large), 0, 255).astype(np.uint8)


# ---- the processor ------------------------------------------------------------------------------

def sync(model, weight=0.5, blur=0.3, padding=(0, 0, 0, 0), landmarker=False, occluders=(),
         sound=SILENCE):
    def reference(frame, faces):
        for face in faces:
            crop, matrix = common.cut(frame, common.five(face, landmarker), 'ffhq_512', SIZE)
            if model == 'edtalk_256':
                new = edtalk(crop, sound, weight)
                mask = common.box_mask(SIZE, blur, padding)
            else:
                points = np.array(face['landmark_68']) @ matrix[:, :2].T + matrix[:, 2]
                new = wav2lip(crop, points, sound, weight)
                mask = face_masks.area_mask(face, matrix, SIZE, ['lower-face'])
            if occluders:
                mask = np.minimum(mask, common.occlusion_mask(crop, *occluders))
            frame = common.paste(frame, new, mask, matrix)
        return frame
    return reference


def contract(name, model, *options, scene=common.PAIR, where=('picture', 'clip'), models=(),
             landmarker=False, tolerance=1, changes=True, **how):
    return Contract(name, [model, *models],
                    ['--processors', 'lip_syncer', '--lip-syncer-model', model, *options],
                    sync(model, landmarker=landmarker, **how), scene, landmarker, tolerance,
                    where=where, changes=changes)


def both(name, *options, **how):
    """With each kind of network."""
    return [contract(f'{name}_{model}', model, *options, **how)
            for model in ('wav2lip_gan_96', 'edtalk_256')]


CONTRACTS = [contract(model, model) for model in ('wav2lip_96', 'wav2lip_gan_96', 'edtalk_256')]
CONTRACTS += [
    *both('weight_0', '--lip-syncer-weight', '0', weight=0, where=('picture',)),
    *both('weight_1', '--lip-syncer-weight', '1', weight=1, where=('picture',)),
    *both('landmarker', landmarker=True),
    *both('touching', scene=common.TOUCHING, tolerance=2),
    # Blur and padding are of the box, which only edtalk has; types but occlusion are not asked for.
    *both('masks', '--face-mask-types', 'region', 'area', '--face-mask-areas', 'upper-face',
          '--face-mask-padding', '10', '20', '5', '15', '--face-mask-blur', '0.6', blur=0.6,
          padding=(10, 20, 5, 15), where=('picture',)),
    *both('occluder', '--face-mask-types', 'occlusion', models=('xseg_1',), occluders=(1,)),
    *both('occluders', '--face-mask-types', 'occlusion', 'box', '--face-occluder-model', 'many',
          models=('xseg_1', 'xseg_2', 'xseg_3'), occluders=(1, 2, 3), where=('picture',)),
    *both('nobody', scene=common.NOBODY, tolerance=0, changes=False),
    *both('speck', scene=common.SPECK, changes=False),
]


# ---- the sound ----------------------------------------------------------------------------------

RATE = 48000
FRAMES, FPS = 8, 25


def speech_like():
    """A second that is different all the time and on both sides, int16 [n,2]."""
    t = np.arange(RATE) / RATE
    rng = np.random.default_rng(5)
    noise = np.convolve(rng.standard_normal(RATE), np.ones(9) / 9, 'same')
    left = np.sin(2 * np.pi * (150 * t + 900 * t * t)) * (0.3 + 0.3 * np.sin(23 * t)) + 0.1 * noise
    right = 0.4 * np.sin(2 * np.pi * 2300 * t) * np.cos(31 * t) + 0.2 * noise * (t % 0.1 < 0.05)
    pause = np.where(t % 0.35 < 0.2, 1, 0.001)[:, None]
    return np.rint(np.stack([left, right], 1) * pause * 20000).clip(-32768, 32767).astype(np.int16)


def resampled(x, n):
    """Along the first axis, by the Fourier transform of the whole."""
    spectrum = np.fft.rfft(x, axis=0)[:n // 2 + 1]
    if n % 2 == 0:
        spectrum[-1] = 2 * spectrum[-1].real
    return np.fft.irfft(spectrum, n, axis=0) * n / len(x)


def mel_bank():
    mel = np.linspace(2595 * np.log10(1 + 55 / 700), 2595 * np.log10(1 + 7600 / 700), 82)
    index = np.floor(801 * (700 * (10 ** (mel / 2595) - 1)) / 16000).astype(int)
    bank = np.zeros((80, 401))
    for i in range(80):
        length = index[i + 1] - index[i]
        k = np.minimum(np.arange(length), np.arange(length)[::-1])
        odd = length % 2
        bank[i, index[i]:index[i + 1]] = 2 * (k + 1) / (length + 1) if odd else (2 * k + 1) / length
    return bank


def mel_of(samples):
    """[80, columns] of sound as it is, no voice taken out of it."""
    x = resampled(samples / 32767, round(len(samples) / 3)).mean(1)
    x = x / np.abs(x).max()
    x = x - 0.97 * np.concatenate([[0], x[:-1]])
    x = np.pad(x, 400)
    x = np.pad(x, (0, -(len(x) - 800) % 200))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)
    columns = np.stack([x[i:i + 800] for i in range(0, len(x) - 799, 200)])
    return mel_bank() @ np.abs(np.fft.rfft(columns * hann, axis=1) / hann.sum()).T


def window(mel, n):
    """FaceFusion's, of frame n: 5 frames are left out at 25 a second."""
    first = int((n + 5) * 80 / FPS) - 16
    out = np.zeros((80, 16))
    part = mel[:, first:first + 16]
    out[:, :part.shape[1]] = part
    return levels(out)


class Heard(unittest.TestCase):
    """Each frame gets its window, number by number: the networks add three sums of it."""

    def clip(self):
        path = e2e.scratch('heard.mkv')
        if not os.path.exists(path):
            common.write_clip(path, [common.drawn(common.ONE.width, common.ONE.height, 20 + i)
                                     for i in range(FRAMES)])
        return path

    def sound(self, samples):
        path = e2e.scratch('heard.wav')
        raw = e2e.scratch('heard.raw')
        samples.tofile(raw)
        e2e.ffmpeg('-f', 's16le', '-ar', str(RATE), '-ac', '2', '-i', raw, '-c:a', 'pcm_s16le', path)
        return path

    def check(self, model, weight, samples):
        path, output, scene = self.clip(), e2e.scratch('heard-out.mkv'), common.ONE
        faces = scene.faces(path, ['--face-landmarker-score', '0', *common.MORE])
        one = contract('heard', model, '--lip-syncer-weight', str(weight), scene=scene)
        e2e.must(*common.command(one, path, output), '-s', self.sound(samples))
        mel, got = mel_of(samples), common.read_frames(output)
        tags = []
        for i, frame in enumerate(scene.frames(path)):
            sound = window(mel, i)
            tags.append(tag(sound))
            with self.subTest(model, frame=i):
                want = sync(model, weight, sound=sound)(frame, faces[i])
                common.look_at(self, one, got[i], want, frame)
        self.assertGreater(np.ptp(tags, axis=0).min() * 255, 3)  # in each channel they differ

    def test_models(self):
        for model in ('wav2lip_96', 'wav2lip_gan_96', 'edtalk_256'):
            self.check(model, 0.5, speech_like())

    def test_weights(self):
        for weight in (0.3, 1):
            self.check('wav2lip_gan_96', weight, speech_like())
            self.check('edtalk_256', weight, speech_like())

    def test_end(self):
        """The sound ends in the windows of the last frames."""
        self.check('wav2lip_gan_96', 0.5, speech_like()[:RATE // 5])


class Refused(common.Refused):
    PROCESSOR = 'lip_syncer'

    def network(self, sound=(1, 1, 80, 16), face=(1, 6, 96, 96), weight=None, output=3,
                source='source', model='wav2lip_gan_96'):
        """A lip syncer that is not quite one, under a model's name."""
        n = Net('not quite', 1)
        x = n.input('target', list(face))
        mean = n.reduce('ReduceMean', n.input(source, list(sound)), list(range(1, len(sound))))
        x = n.add(n.slice(x, 1, 0, output), n.reshape(mean, [1, 1, 1, 1]))
        if weight:
            x = n.mul(x, n.input('weight', weight, batch=False))
        n.output(x, 'output')
        n.g.save(f'{self.models}/{model}.onnx')

    def test_missing(self):
        self.refused(2, 'wav2lip_gan_96 is not installed')
        self.refused(2, 'edtalk_256 is not installed', '--lip-syncer-model', 'edtalk_256')

    def test_not_a_model(self):
        with open(f'{self.models}/wav2lip_gan_96.onnx', 'wb') as file:
            file.write(b'no model')
        self.refused(1, 'wav2lip_gan_96.onnx')

    def test_wrong_sound(self):
        self.network(sound=(1, 1, 80, 27))
        self.refused(1, "input 'source' is float32")

    def test_wrong_face(self):
        self.network(face=(1, 3, 96, 96))
        self.refused(1, "input 'target' is float32")

    def test_wrong_name(self):
        self.network(source='voice')
        self.refused(1, "no input 'source'")

    def test_wrong_output(self):
        self.network(output=1)
        self.refused(1, 'its output is not float32 1x3x96x96')

    def test_no_weight(self):
        self.network(face=(1, 3, 256, 256), model='edtalk_256')
        self.refused(1, "no input 'weight'", '--lip-syncer-model', 'edtalk_256')

    def test_wrong_weight(self):
        self.network(face=(1, 3, 256, 256), weight=[3, 1, 1], model='edtalk_256')
        self.refused(1, "input 'weight' is float32", '--lip-syncer-model', 'edtalk_256')

    def test_options(self):
        self.refused(2, 'wav2lip_288', '--lip-syncer-model', 'wav2lip_288')
        self.refused(2, '0.33', '--lip-syncer-weight', '0.33')
        self.refused(2, '1.05', '--lip-syncer-weight', '1.05')
        self.refused(2, '-0.05', '--lip-syncer-weight', '-0.05')
