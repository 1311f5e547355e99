#!/usr/bin/python3
"""Networks by our own operations (src/nets), on the processor, against ONNX Runtime.

    test_nets.py NET_RUN                 the small ones of the lite models
    test_nets.py NET_RUN --long          all of them, and twins: minutes
    test_nets.py NET_RUN FILE...         these files: a table
    test_nets.py NET_RUN --twins NAME... these twins, made for it

Each output must differ by less than 1e-4 of its largest value (or of 0.01, if that is
more: ONNX Runtime's sigmoid of what is far below zero is an approximation), with random inputs.
Stored as float16, a network must stay about as near to its float32 as with products of TF32.
"""
import glob
import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)
import ort

sys.path.insert(0, ort.ROOT + '/tools')
import onnx_writer  # noqa: E402

SHARED = os.environ.get('REPRISE_SHARED', '')
LONG = '--long' in sys.argv[2:]
LIMIT = 1e-4


# ---- the inputs of a file ------------------------------------------------------------------------

def varint(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 127) << shift
        shift += 7
        i += 1
        if b[i - 1] < 128:
            return v, i


def fields(b):
    i = 0
    while i < len(b):
        key, i = varint(b, i)
        if key & 7 == 0:
            v, i = varint(b, i)
        else:
            n = {1: 8, 5: 4}.get(key & 7)
            if n is None:
                n, i = varint(b, i)
            v, i = b[i:i + n], i + n
        yield key >> 3, v


def part(b, number):
    return next((v for n, v in fields(b) if n == number), b'')


def inputs_of(path):
    """name -> shape, with 1 for an open batch and None for other open sizes."""
    graph = part(memoryview(ort.read(path)), 7)
    weights = {bytes(part(v, 8)) for n, v in fields(graph) if n == 5}
    found = {}
    for n, v in fields(graph):
        if n != 11 or bytes(part(v, 1)) in weights:
            continue
        dims = []
        for m, dim in fields(part(part(part(v, 2), 1), 2)):
            size = next((w for k, w in fields(dim) if k == 1), None)
            dims.append(size if size else None if dims else 1)
        found[bytes(part(v, 1)).decode()] = dims
    return found


def random_inputs(path, size=64, seed=7):
    rng = np.random.default_rng(seed)
    return {name: (rng.random([d or size for d in dims], np.float32) - 0.25) * 2
            for name, dims in inputs_of(path).items()}


# ---- one file ------------------------------------------------------------------------------------

def native(program, path, inputs, *options):
    """Outputs by name, or the sentence that says why not."""
    folder = ort.scratch('native')
    os.makedirs(folder, exist_ok=True)
    command = [program, *options, path, folder]
    for i, (name, v) in enumerate(inputs.items()):
        v.tofile(f'{folder}/in{i}')
        command.append(f"{name}:{'x'.join(map(str, v.shape))}={folder}/in{i}")
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode == 3:
        return run.stdout.strip()
    assert run.returncode == 0, f'{command}: exit {run.returncode}'
    out = {}
    for line in run.stdout.splitlines():
        if line.startswith('#'):
            if '--plan' in options or os.environ.get('V'):
                print(line)
            continue
        name, kind, shape, file = line.rsplit(' ', 3)
        dims = [] if shape == 'scalar' else [int(d) for d in shape.split('x')]
        out[name] = np.fromfile(file, ort.TYPES[kind]).reshape(dims)
    return out


def compare(program, path, *options):
    """The largest difference over the largest value of each output, or why it is not native."""
    inputs = random_inputs(path)
    own = native(program, path, inputs, *options)
    if isinstance(own, str):
        return own
    worst = 0
    for name, right in ort.run(path, inputs).items():
        if right.shape != own[name].shape:
            return f'{name} is {own[name].shape}, not {right.shape}'
        largest = np.abs(right).max()
        worst = max(worst, np.abs(own[name] - right).max() / max(largest, 0.01))
        if not np.isfinite(own[name]).all():
            return f'{name} is not finite'
    return float(worst)


def half_error(program, path):
    """How far a native network moves as float16, and as TF32: root mean squares over that of the
    output, the worst output's. Infinite where float16 is not finite."""
    inputs = random_inputs(path)
    exact, tf32, half = (native(program, path, inputs, *options)
                         for options in ((), ('--tf32',), ('--fp16',)))

    def error(got):
        if not all(np.isfinite(v).all() for v in got.values()):
            return np.inf
        return max(np.sqrt(((got[name] - v) ** 2).mean()) / max(np.sqrt((v ** 2).mean()), 0.01)
                   for name, v in exact.items())
    return error(half), error(tf32)


# ---- the test ------------------------------------------------------------------------------------

def twin(name):
    from twins import command, net
    net.Net.plant = lambda self, y, answer: y  # what it computes, not what was planted over it
    n = command.build(name)
    path = ort.scratch(name + '.onnx')
    with open(path, 'wb') as file:
        n.g.message().write(file)
    return path


def table(program, args):
    options = [a for a in args if a == '--plan']
    names = [a for a in args if not a.startswith('--')]
    for name in names:
        path = twin(name) if '--twins' in args else name
        result = compare(program, path, *options)
        text = result if isinstance(result, str) else f'native, {result:.1e}'
        print(f'{os.path.basename(name):50} {text}', flush=True)
        if '--twins' in args:
            os.remove(path)


# Files of the lite set that are not native, and why.
KNOWN = {
}
# Numbers beyond 65504: float16 has none.
OVERFLOW = ('sinet_320', 'prisma_portrait_256')
# Minutes, in C: tests/long.sh.
TWINS = ('yoloface_8n', 'scrfd_2.5g', '2dfan4', 'arcface_w600k_r50', 'xseg', 'bisenet_resnet_34',
         'inswapper_128', 'hyperswap_1a_256', 'gfpgan_1.4', 'wav2lip_gan_96')


class Native(unittest.TestCase):

    def check(self, path):
        result = compare(sys.argv[1], path)
        known = KNOWN.get(os.path.basename(path).removesuffix('.onnx'))
        if known:
            self.assertEqual(result, 'not native: ' + known)
        else:
            self.assertIsInstance(result, float, result)
            self.assertLess(result, LIMIT)
            self.check_half(path)

    def check_half(self, path):
        half, tf32 = half_error(sys.argv[1], path)
        if os.path.basename(path).removesuffix('.onnx') in OVERFLOW:
            self.assertEqual(half, np.inf)
        else:
            self.assertLess(half, max(3 * tf32, 1e-3))

    def test_lite(self):
        files = glob.glob(SHARED + '/models/*.onnx') + glob.glob(ort.CACHE + '/models/*.onnx')
        if not files:
            self.skipTest('no lite models')
        for path in sorted(files):
            if LONG or os.path.getsize(path) < 3 << 20:
                with self.subTest(os.path.basename(path)):
                    self.check(path)

    @unittest.skipUnless(LONG, 'minutes')
    def test_twins(self):
        for name in TWINS:
            with self.subTest(name):
                path = twin(name)
                self.check(path)
                os.remove(path)

    def test_unknown(self):
        """A file with an operator that is not ours says which."""
        path = ort.scratch('hardmax.onnx')
        g = onnx_writer.Graph('hardmax')
        g.input('x', onnx_writer.FLOAT, [1, 4])
        g.node('Hardmax', ['x'], ['y'])
        g.output('y', onnx_writer.FLOAT, [1, 4])
        g.save(path)
        self.assertEqual(compare(sys.argv[1], path), 'not native: Hardmax: no such operation')


def main():
    if len(sys.argv) > 2 and not LONG:
        table(sys.argv[1], sys.argv[2:])
        return
    unittest.main(argv=sys.argv[:1], verbosity=1)


if __name__ == '__main__':
    main()
