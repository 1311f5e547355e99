#!/usr/bin/python3
"""The face swapper: recorded official data through the whole program, a source for each face of a real
picture, and what it says when something is wrong.

    test_face_swapper.py PROGRAM
"""
import os
import unittest

import e2e
import numpy as np
from contracts import common
from contracts.common import planted
from twins import tiny
from twins.net import Net


# ---- official data ------------------------------------------------------------------------------

OFFICIAL = ['source_embedding', 'source_input', 'target_input', 'crop_vision_frame',
            'raw_model_output', 'normalized_crop_frame', 'box_mask']


class Official(unittest.TestCase):
    """inswapper_128 as FaceFusion ran it: our source and target input must be its own, else the
    network answers black; its raw answer must become its crop, through its mask."""

    AT = (40, 30)  # where the crop lies in the frame

    def load(self, name):
        return np.load(e2e.shared(f'fixtures/face_swapper/inswapper_128/{name}.npy'))

    def matrix(self):
        import gzip  # pylint: disable=import-outside-toplevel
        path = e2e.shared('fixtures/face_swapper/inswapper_128/model_initializer.npy.gz')
        with gzip.open(path) as file:
            return np.load(file)

    def network(self, data):
        n = Net('inswapper_128')
        source, target = n.input('source', [1, 512]), n.input('target', [1, 3, 128, 128])

        def off(x, want, axes, allowed):
            """1 where it is further away than that, anywhere; else 0."""
            want = n.const(want.reshape(-1).tolist(), n.shape[x])
            far = n.reduce('ReduceMax', n.op('Abs', n.op('Sub', x, want)), axes)
            far = n.clip(n.mul(n.add(far, -allowed), 1e9), 0, 1)
            return n.reshape(far, [1, 1, 1, 1])

        # 2e-7: the matrix product is summed in another order; numbers are up to 0.14.
        wrong = n.add(off(source, data['source_input'], [1], 2e-7),
                      off(target, data['target_input'], [1, 2, 3], 0.0))
        raw = n.const(data['raw_model_output'].reshape(-1).tolist(), [1, 3, 128, 128])
        n.output(n.mul(raw, n.clip(n.op('Sub', 1.0, wrong), 0, 1)), 'output')
        n.const(self.matrix().reshape(-1).tolist(), [512, 512])
        return n

    def test_inswapper(self):
        data = {name: self.load(name) for name in OFFICIAL}
        x, y = self.AT
        five = np.array(common.TEMPLATES['arcface_128']) * 128 + self.AT
        face = planted.face([x + 20, y + 20, x + 108, y + 108], five.tolist())
        scene = common.Scene('official', 256, 200, [face])
        folder = scene.models()
        self.network(data).g.save(f'{folder}/inswapper_128.onnx')
        arcface = Net('arcface_w600k_r50')
        seen = arcface.reduce('ReduceMean', arcface.input('input', [1, 3, 112, 112]), [1, 2, 3])
        seen = arcface.reshape(arcface.mul(seen, 0.0), [1, 1])
        own = arcface.const(data['source_embedding'].reshape(-1).tolist(), [1, 512])
        arcface.output(arcface.add(seen, own), 'output')
        arcface.g.save(f'{folder}/arcface_w600k_r50.onnx')

        frame = common.drawn(256, 200, 1)
        frame[y:y + 128, x:x + 128] = data['crop_vision_frame']
        target, output = e2e.scratch('official.png'), e2e.scratch('official-out.png')
        common.write_png(target, frame)
        e2e.must('headless-run', '--models-path', folder, '--face-landmarker-score', '0',
                 '--face-selector-mode', 'many', '--face-swapper-model', 'inswapper_128', '-s',
                 target, '-t', target, '-o', output)
        want = common.paste(frame, data['normalized_crop_frame'].astype(np.float64),
                            data['box_mask'].astype(np.float64),
                            common.similarity(five, 'arcface_128', 128))
        self.assertGreater(abs(want.astype(int) - frame).max(), 8)
        wrong = abs(common.read_frames(output)[0].astype(int) - want)
        self.assertLessEqual(wrong.max(), 1, f'{(wrong > 1).sum()} values')


# ---- a source for each face ---------------------------------------------------------------------

def models(name, *more):
    """The lite set and tiny swappers."""
    folder = e2e.model_folder(name)
    for model in more:
        tiny.build(model).g.save(f'{folder}/{model}.onnx')
    return folder


def tinted(name, red, blue):
    path = e2e.scratch(name)
    e2e.ffmpeg('-i', e2e.PICTURE, '-vf', f'colorchannelmixer=rr={red}:bb={blue}', path)
    return path


class FaceMap(unittest.TestCase):
    """On a picture with two known people and a third face."""

    @classmethod
    def setUpClass(cls):
        cls.group, cls.obama, cls.biden = (
            e2e.shared(f'media/{name}.jpg') for name in ('obama_and_biden', 'obama', 'biden'))
        # decoders of JPEG differ by a little
        e2e.ffmpeg('-i', cls.group, e2e.scratch('group.png'))
        cls.group = e2e.scratch('group.png')
        cls.before = e2e.pixels(cls.group)[0].astype(int)
        cls.faces = sorted(e2e.analyse(cls.group)[0]['faces'], key=lambda f: f['box'][0])
        assert len(cls.faces) == 3

    def swap(self, *options, model='uniface_256'):
        output = e2e.scratch(f'{self.id()}.png')
        folder = e2e.scratch('map-models')
        if not os.path.exists(folder):
            models('map-models', 'uniface_256')
        e2e.must('headless-run', '--models-path', folder, '-t', self.group, '-o', output,
                 '--face-swapper-model', model, *options)
        return output

    def change(self, output, face):
        """Mean change of blue, green, red inside a face."""
        x1, y1, x2, y2 = (int(v) for v in face['box'])
        after = e2e.pixels(output)[0].astype(int)
        return (after - self.before)[y1:y2, x1:x2].mean((0, 1))

    def test_tagged(self):
        """Biden, on the left, gets the blue source, Obama the red one, the third face none."""
        red, blue = tinted('red.png', 1, 0.2), tinted('blue.png', 0.2, 1)
        output = self.swap('--face-map', f'{red}={self.obama}', f'{blue}={self.biden}')
        biden, obama, other = (self.change(output, face) for face in self.faces)
        self.assertGreater(obama[2] - obama[0], 30)
        self.assertGreater(biden[0] - biden[2], 30)
        self.assertFalse(other.any())

    def test_mapped_other_way(self):
        red, blue = tinted('red.png', 1, 0.2), tinted('blue.png', 0.2, 1)
        output = self.swap('--face-map', f'{blue}={self.obama}', f'{red}={self.biden}')
        biden, obama, other = (self.change(output, face) for face in self.faces)
        self.assertGreater(obama[0] - obama[2], 30)
        self.assertGreater(biden[2] - biden[0], 30)
        self.assertFalse(other.any())

    def test_rest(self):
        """Who is not on the map gets the ordinary source."""
        red, blue = tinted('red.png', 1, 0.2), tinted('blue.png', 0.2, 1)
        output = self.swap('--face-map', f'{red}={self.obama}', '-s', blue)
        biden, obama, other = (self.change(output, face) for face in self.faces)
        self.assertGreater(obama[2] - obama[0], 30)
        self.assertGreater(biden[0] - biden[2], 30)
        self.assertGreater(other[0] - other[2], 30)

    def test_distance(self):
        """Nobody is near enough: the picture passes unchanged."""
        output = self.swap('--face-map', f'{e2e.PICTURE}={self.obama}',
                           '--reference-face-distance', '0.05')
        np.testing.assert_array_equal(e2e.pixels(output)[0], self.before)

    def test_identity(self):
        """With the swapper that needs no trained weights each face looks more like its source."""
        output = self.swap('--face-map', f'{e2e.PICTURE}={self.obama}', f'{self.obama}={self.biden}',
                           model='classic_256')
        sources = [e2e.analyse(path)[0]['faces'][0]['embedding'] for path in (self.obama, e2e.PICTURE)]
        after = sorted(e2e.analyse(output)[0]['faces'], key=lambda f: f['box'][0])
        for old, new, wanted in zip(self.faces[:2], after[:2], sources):
            self.assertGreater(np.dot(new['embedding'], wanted),
                               np.dot(old['embedding'], wanted) + 0.1)


# ---- what is wrong ------------------------------------------------------------------------------

class Input(unittest.TestCase):
    """Sources, models and options that will not do."""

    @classmethod
    def setUpClass(cls):
        cls.folder = models('input-models', 'inswapper_128', 'ghost_1_256', 'simswap_256',
                            'blendswap_256')
        cls.nobody = e2e.scratch('nobody.png')
        common.write_png(cls.nobody, common.drawn(320, 240, 1))
        cls.sound = e2e.scratch('sound.wav')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', cls.sound)

    def run_job(self, *options, source=(e2e.PICTURE,), target=e2e.PICTURE):
        self.output = e2e.scratch(f'{self.id()}.png')
        if os.path.exists(self.output):
            os.unlink(self.output)
        sources = ['-s', *source] if source else []
        return e2e.run('headless-run', '--models-path', self.folder, *sources, '-t', target, '-o',
                       self.output, *options)

    def refused(self, code, said, *options, **how):
        result = self.run_job(*options, **how)
        self.assertEqual(result.returncode, code, result.stderr)
        errors = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
        self.assertEqual(len(errors), 1, result.stderr)
        self.assertRegex(errors[0], said)
        self.assertFalse(os.path.exists(self.output))

    def save(self, name, network):
        """There until the end of the test."""
        path = f'{self.folder}/{name}.onnx'
        if not os.path.exists(path):
            self.addCleanup(os.unlink, path)
        network.g.save(path)

    def test_no_face_in_source(self):
        self.refused(1, 'nobody.png: no source face', source=[self.nobody])

    def test_one_of_two_sources(self):
        """A picture without a face is left out, with a warning."""
        result = self.run_job(source=[self.nobody, e2e.PICTURE])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('nobody.png: no face found', result.stderr)

    def test_several_faces_in_source(self):
        path = e2e.scratch('twice.png')
        e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'split[a][b];[b]scale=256:-1,pad=256:512[c];[a][c]hstack',
                   path)
        result = self.run_job(source=[path])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('twice.png: 2 faces found, the largest is the source', result.stderr)

    def test_no_picture(self):
        self.refused(2, '--source-paths: face_swapper needs a picture', source=[self.sound])
        self.refused(2, '--source-paths: face_swapper needs a picture', source=[])

    def test_no_face_in_target(self):
        result = self.run_job(target=self.nobody)
        self.assertEqual(result.returncode, 0, result.stderr)
        np.testing.assert_array_equal(e2e.pixels(self.output), e2e.pixels(self.nobody))

    def test_missing_model(self):
        self.refused(2, 'face swapper hyperswap_1b_256 is not installed .* curl .*hyperswap_1b_256',
                     '--face-swapper-model', 'hyperswap_1b_256')
        self.refused(2, 'embedding converter crossface_ghost is not installed .* curl',
                     '--face-swapper-model', 'ghost_1_256')

    def test_wrong_model(self):
        for wrong, said in (('hyperswap_1a_256', "input 'target' is float32 1x3x256x256, expected"),
                            ('uniface_256', "input 'target' is float32 1x3x256x256, expected"),
                            ('gfpgan_1.4', "has no input 'target'")):
            network = tiny.build(wrong)
            self.save('inswapper_128_fp16', network)
            self.refused(1, said, '--face-swapper-model', 'inswapper_128_fp16')

    def test_wrong_output(self):
        n = Net('simswap')
        n.output(n.reduce('ReduceMean', n.input('target', [1, 3, 256, 256]), [1]), 'output')
        n.output(n.input('source', [1, 512]), 'other')
        self.save('ghost_2_256', n)
        self.save('crossface_ghost', tiny.build('crossface_ghost'))
        self.refused(1, r'ghost_2_256\.onnx: its output is not float32 1x3x256x256', '--face-swapper-model',
                     'ghost_2_256')

    def test_no_matrix(self):
        n = Net('inswapper_128')
        source = n.reduce('ReduceMean', n.input('source', [1, 512]), [1])
        x = n.mul(n.input('target', [1, 3, 128, 128]), n.reshape(source, [1, 1, 1, 1]))
        n.output(n.mul(x, 0.5), 'output')
        self.save('inswapper_128_fp16', n)
        self.refused(1, 'its last weight is not a 512x512 matrix', '--face-swapper-model',
                     'inswapper_128_fp16')

    def test_wrong_converter(self):
        n = Net('crossface_simswap')
        n.output(n.slice(n.input('input', [1, 512]), 1, 0, 100), 'output')
        self.save('crossface_simswap', n)
        self.refused(1, 'is not a network from 512 numbers to 512', '--face-swapper-model',
                     'simswap_256')

    def test_batch_in_name_only(self):
        """A file that says it takes any number of pictures, and then answers for the first: one by one."""
        n = Net('inswapper_128', dynamic=True)
        source = n.reduce('ReduceMean', n.input('source', [1, 512]), [1])
        x = n.input('target', [1, 3, 128, 128])
        x = n.add(n.mul(x, 0.5), n.reshape(n.mul(source, 0.0), [1, 1, 1, 1]))
        n.output(n.slice(x, 0, 0, 1), 'output')
        n.const(np.eye(512).reshape(-1).tolist(), [512, 512])
        self.save('inswapper_128_fp16', n)
        result = self.run_job('--face-swapper-model', 'inswapper_128_fp16',
                              '--face-swapper-pixel-boost', '256x256')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('does not run 4 tiles at once', result.stderr)
        darker = e2e.pixels(e2e.PICTURE)[0].mean() - e2e.pixels(self.output)[0].mean()
        self.assertGreater(darker, 1)

    def test_pixel_boost(self):
        self.refused(2, 'blendswap_256 works at 256x256, 384x384, 512x512, 768x768 or 1024x1024, not '
                     'at 128x128', '--face-swapper-model', 'blendswap_256',
                     '--face-swapper-pixel-boost', '128x128')
        self.refused(2, "'100x100' is not one of", '--face-swapper-pixel-boost', '100x100')
        self.refused(2, '--face-swapper-weight', '--face-swapper-weight', '1.05')

    def test_map(self):
        self.refused(2, 'is not SOURCE=REFERENCE', '--face-map', e2e.PICTURE)
        self.refused(2, 'is not SOURCE=REFERENCE', '--face-map', e2e.PICTURE + '=')
        self.refused(1, 'none.png', '--face-map', e2e.scratch('none.png') + '=' + e2e.PICTURE)
        self.refused(1, 'none.png', '--face-map', e2e.PICTURE + '=' + e2e.scratch('none.png'))
        self.refused(1, 'no face found in the source .*nobody.png', '--face-map',
                     f'{self.nobody}={e2e.PICTURE}')
        self.refused(1, 'no face found in the reference .*nobody.png', '--face-map',
                     f'{e2e.PICTURE}={self.nobody}')

    def test_equals_in_names(self):
        """The '=' that parts two files that are there counts."""
        path = e2e.scratch('a=b.png')
        e2e.ffmpeg('-i', e2e.PICTURE, path)
        result = self.run_job('--face-map', f'{path}={path}', source=[])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(abs(e2e.pixels(self.output)[0].astype(int) -
                               e2e.pixels(e2e.PICTURE)[0]).max(), 8)


if __name__ == '__main__':
    e2e.main(standins=True)
