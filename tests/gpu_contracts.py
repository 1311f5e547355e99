#!/usr/bin/python3
"""Each processor's models, recorded on a GPU, against the same job on the CPU.

    gpu_contracts.py PROGRAM LITE CLIP SOURCE [NAME...]

PROGRAM is reprise, LITE a folder with the lite models, CLIP a short video of faces, SOURCE a picture of
one. Every model is a tiny one with the real one's tensors (tools/twins.py --tiny). The CPU's result is
checked against NumPy elsewhere (test_contracts.py, test_background.py); here the GPU must give the same
pixels within rounding, as a picture (PNG) and, recorded, as a clip (lossless H.264): TF32 is switched off,
the rest is the order of sums. Needs NumPy and OpenCV to read what was written. The last line is N passed,
N failed.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
OPTIONS = {'face_swapper': 'face-swapper-model', 'face_enhancer': 'face-enhancer-model',
           'frame_enhancer': 'frame-enhancer-model', 'background_remover': 'background-remover-model',
           'frame_colorizer': 'frame-colorizer-model', 'lip_syncer': 'lip-syncer-model',
           'expression_restorer': 'expression-restorer-model', 'face_editor': 'face-editor-model',
           'age_modifier': 'age-modifier-model', 'deep_swapper': 'deep-swapper-model',
           'face_blur': 'face-blur-mode'}
# One package of files, of which the catalogue calls the others its parts.
PACKAGE = {'live_portrait': ['expression_restorer', 'face_editor']}
BLURS = ['pixelate', 'blur', 'cover']  # face_blur has no models
MORE = {'background_remover': ['--background-remover-fill-color', '0', '255', '0', '255'],
        'face_editor': ['--face-editor-eye-open-ratio', '0.4', '--face-editor-lip-open-ratio', '-0.6',
                        '--face-editor-mouth-smile', '0.45', '--face-editor-head-yaw', '-0.1'],
        'face_swapper': ['--face-swapper-color-match', '50'],
        'age_modifier': ['--age-modifier-direction', '40'],
        'deep_swapper': ['--deep-swapper-morph', '70']}
PICTURE = 1    # levels that a picture may be off
CLIP = 3       # and a clip, of BGR: one level of Y, U and V each
SHARE = 0.002  # of values that may be further off: a threshold in a network may fall the other way


def models(program, folder):
    """Those to check; others are removed, so that the lite ones stand in for them."""
    yield from (('face_blur', mode) for mode in BLURS)
    out = subprocess.run([program, 'models', '--json', '--models-path', folder], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    for line in out.splitlines():
        model = json.loads(line)
        if not model['installed']:
            continue
        if model['kind'] in OPTIONS:
            yield model['kind'], model['name']
        elif model['kind'] in PACKAGE:
            if model['name'] in PACKAGE:
                yield from ((processor, model['name']) for processor in PACKAGE[model['kind']])
        elif model['kind'] != 'embedding_converter':
            os.remove(model['path'])


def job(args, kind, name, provider, folder, target, out):
    program, _, _, source = args
    command = [program, 'headless-run', '--execution-providers', provider, '--models-path', folder,
               '-s', source, '-t', target, '-o', out, '--processors', kind, '--' + OPTIONS[kind], name,
               '--face-selector-mode', 'many', '--cuda-graph-slots', '1', '--cuda-graph-cache', 'off',
               '--cuda-layout', 'nchw', '--output-video-encoder', 'libx264', '--output-video-quality',
               '100', '--log-level', 'debug']
    command += MORE.get(kind, [])
    environment = dict(os.environ, NVIDIA_TF32_OVERRIDE='0', REPRISE_OFFLINE='1')
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, check=False)


def frames(path):
    if path.endswith('.png'):
        return [cv2.imread(path).astype(np.int16)]
    video, out = cv2.VideoCapture(path), []
    while True:
        ok, frame = video.read()
        if not ok:
            return out
        out.append(frame.astype(np.int16))


def compare(args, kind, name, folder, target, work, levels):
    """What is wrong, or None; the most levels off; the share of values off by more than it may."""
    out = {}
    for provider in ('cpu', 'cuda'):
        file = f'{kind}-{name}-{provider}'.replace('/', '-') + os.path.splitext(target)[1]
        path = os.path.join(work, file)
        ran = job(args, kind, name, provider, folder, target, path)
        if ran.returncode:
            return f'{provider}: exit {ran.returncode}: {ran.stdout.strip().splitlines()[-1]}', 0, 0
        out[provider] = frames(path)
    a, b = out['cpu'], out['cuda']
    if not a or len(a) != len(b):
        return f'{len(a)} frames against {len(b)}', 0, 0
    most = max(int(np.abs(x - y).max()) for x, y in zip(a, b))
    off = max(float((np.abs(x - y) > levels).mean()) for x, y in zip(a, b))
    if target.endswith('.mp4') and ('CUDA graph of ' not in ran.stdout or 'not recorded' in ran.stdout):
        return 'nothing was recorded', most, off
    wrong = f'{100 * off:.3f} % of a frame are more than {levels} levels off'
    return wrong if off > SHARE else None, most, off


def check(args, kind, name, folder, work):
    said, failed = [], False
    for target, what, levels in ((os.path.join(work, 'picture.png'), 'picture', PICTURE),
                                 (args[2], 'clip', CLIP)):
        wrong, most, off = compare(args, kind, name, folder, target, work, levels)
        said.append(f'{what} ' + (wrong or f'at most {most} off, {100 * off:.3f} % above {levels}'))
        failed |= wrong is not None
    return failed, '; '.join(said)


def main():
    args, names = sys.argv[1:5], sys.argv[5:]
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, f'{HERE}/../tools/twins.py', '--tiny', '--out', f'{work}/models'],
                       check=True, stdout=subprocess.DEVNULL)
        todo = [m for m in models(args[0], f'{work}/models') if not names or m[1] in names]
        for name in os.listdir(args[1]):
            if not os.path.exists(f'{work}/models/{name}'):
                os.symlink(os.path.abspath(os.path.join(args[1], name)), f'{work}/models/{name}')
        cv2.imwrite(f"{work}/picture.png", frames(args[2])[0].astype(np.uint8))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = pool.map(lambda m: check(args, *m, f'{work}/models', work), todo)
            for (kind, name), (wrong, said) in zip(todo, results):
                print(f'{"FAILED" if wrong else "ok    "} {kind} {name}: {said}', flush=True)
                failed += wrong
    print(f'{len(todo) - failed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
