"""Run ONNX files through ONNX Runtime from Python tests (Debian has no Python package of it).

    outputs = ort.run('model.onnx', {'input': numpy_array})

Builds tests/ort_run.c on first use. ONNX Runtime is that of $ORT_HOME, else set-up's. A test that
cannot run calls ort.skip(): exit status 77.
"""
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'reprise')
TYPES = {'float32': np.float32, 'uint8': np.uint8, 'int8': np.int8, 'int32': np.int32,
         'int64': np.int64, 'bool': np.bool_, 'float16': np.float16, 'float64': np.float64}

_work = tempfile.TemporaryDirectory(prefix='reprise-test-')
_program = None


def skip(why):
    print(f'skipped: {why}')
    sys.exit(77)


def scratch(name):
    """A path in a folder that goes away with the test."""
    return os.path.join(_work.name, name)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def home():
    for folder in [os.environ.get('ORT_HOME')] + sorted(glob.glob(CACHE + '/onnxruntime-node-[0-9]*')):
        if folder and glob.glob(folder + '/lib/libonnxruntime.so*'):
            return folder
    return skip('no ONNX Runtime: run scripts/setup.sh or set ORT_HOME')


def program():
    global _program
    if not _program:
        out = scratch('ort_run')
        subprocess.run([*os.environ.get('CC', 'cc').split(), '-std=gnu17', '-O1', '-g', '-Wall', '-Wextra',
                        '-Werror', '-isystem', HERE + '/../third_party/onnxruntime', HERE + '/ort_run.c',
                        '-o', out, '-ldl'], check=True)
        _program = out
    return _program


def run(model, inputs, repeat=0):
    """Name -> array of every output. With `repeat`, print the median time."""
    library = sorted(glob.glob(home() + '/lib/libonnxruntime.so*'))[0]
    with tempfile.TemporaryDirectory(dir=_work.name) as folder:
        command = [program(), library, model, folder]
        if repeat:
            command += ['--repeat', str(repeat)]
        for i, (name, value) in enumerate(inputs.items()):
            path = f'{folder}/in{i}'
            np.ascontiguousarray(value).tofile(path)
            command.append(f"{name}:{'x'.join(map(str, value.shape))}={path}")
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        outputs = {}
        for line in text.splitlines():
            name, kind, shape, _ = line.rsplit(' ', 3)
            dims = [] if shape == 'scalar' else [int(d) for d in shape.split('x')]
            file = name.replace('/', '_').replace(':', '_')
            outputs[name] = np.fromfile(f'{folder}/{file}.raw', TYPES[kind]).reshape(dims)
        return outputs


def picture(path, width, height):
    """A picture as RGB 0..1 [height,width,3], through the ffmpeg program; None if that fails."""
    try:
        data = subprocess.run(['ffmpeg', '-v', 'error', '-i', path, '-vf',
                               f'scale={width}:{height}:flags=bilinear', '-f', 'rawvideo',
                               '-pix_fmt', 'rgb24', '-'], stdout=subprocess.PIPE,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return np.frombuffer(data, np.uint8).reshape(height, width, 3).astype(np.float32) / 255
