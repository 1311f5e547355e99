#!/usr/bin/python3
"""Our operations against the vectors of the ONNX project (Debian's libonnx-testdata).

    test_onnx_vectors.py NET_RUN [NAME...]     all of them, or these: a table by operator

A vector counts when all operators of its model are ours (net_run --operators) and what it works on
is float32. Whole numbers that say how (sizes, axes, indices) are inputs in these models and become
constants of the file, as in a network; then, if our operations need that, so do all inputs but the
first (weights). Where it has several outputs, the first alone will do. Each such vector must give the expected output, but for those in REFUSED, which must
be refused for the reason given there; and so many must be there (COUNT).
"""
import collections
import os
import subprocess
import sys

sys.dont_write_bytecode = True
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)
import ort
from test_nets import fields, part

DATA = '/usr/lib/python3/dist-packages/onnx/backend/test/data'
KINDS = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_,
         10: np.float16, 11: np.float64}
RESULTS = (np.float32, np.int64, np.int32, np.bool_)
# Of ONNX's own tests: 1e-3 of the value. Ours are nearer, but for what cancels.
RELATIVE, ABSOLUTE = 1e-4, 1e-5
FOUR_DIGITS = 'gridsample_bicubic'  # what is expected was written down with four digits after the point

REFUSED = {
    'AveragePool: other than one or two spatial axes':
        'averagepool_3d_default AvgPool3d AvgPool3d_stride '
        'AvgPool3d_stride1_pad0_gpu_input',
    'BatchNormalization: a form of it that is not known':
        'batchnorm_epsilon_training_mode batchnorm_example_training_mode',
    'ConvTranspose: a tensor of rank 5 where 2 to 4 are known':
        'convtranspose_3d',
    'ConvTranspose: a result of unexpected size':
        'convtranspose_autopad_same convtranspose_output_shape',
    'ConvTranspose: strides that differ, or above 8':
        'convtranspose_kernel_shape convtranspose_pad convtranspose_pads '
        'convtranspose_with_kernel ConvTranspose2d ConvTranspose2d_no_bias',
    'MaxPool: other than one or two spatial axes':
        'maxpool_3d_default MaxPool3d MaxPool3d_stride MaxPool3d_stride_padding',
    'Resize: a mode that is not known':
        'resize_downsample_scales_cubic_A_n0p5_exclude_outside resize_tf_crop_and_resize '
        'resize_upsample_scales_cubic_A_n0p5_exclude_outside',
}
COUNT = 461
# The vector takes a size that is no whole number for that of the result; ONNX Runtime does not, and it
# is what files are made for.
LIKE_ORT = 'resize_downsample_scales_cubic_align_corners resize_downsample_scales_linear_align_corners'.split()


# ---- files ---------------------------------------------------------------------------------------

def varint(v):
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    out.append(v)
    return bytes(out)


def blob(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + bytes(data)


def packed(b, signed=False):
    out, i = [], 0
    while i < len(b):
        v = shift = 0
        while True:
            v |= (b[i] & 127) << shift
            shift += 7
            i += 1
            if b[i - 1] < 128:
                break
        out.append(v - (1 << 64) if v >> 63 else v)
    return out


def tensor(path):
    """The array of a TensorProto; None if its elements are none of KINDS."""
    dims, kind, raw, numbers = [], 0, b'', []
    for n, v in fields(memoryview(ort.read(path))):
        if n == 1:
            dims += [v] if isinstance(v, int) else packed(v)
        elif n == 2:
            kind = v
        elif n == 9:
            raw = bytes(v)
        elif n == 4:
            numbers += list(np.frombuffer(bytes(v), np.float32))
        elif n in (5, 7):
            numbers += [v] if isinstance(v, int) else packed(v)
    if kind not in KINDS:
        return None
    values = np.frombuffer(raw, KINDS[kind]) if raw or not numbers else np.array(numbers, KINDS[kind])
    return values.reshape(dims)


class Vector:

    def __init__(self, folder):
        self.name = os.path.basename(folder).removeprefix('test_')
        self.model = memoryview(ort.read(folder + '/model.onnx'))
        graph = part(self.model, 7)
        nodes = [v for n, v in fields(graph) if n == 1]
        self.operators = sorted({bytes(part(v, 4)).decode() for v in nodes})
        self.strange = any(bytes(part(v, 7)) not in (b'', b'ai.onnx') for v in nodes)
        weights = {bytes(part(v, 8)).decode() for n, v in fields(graph) if n == 5}
        names = [bytes(part(v, 1)).decode() for n, v in fields(graph) if n == 11]
        self.names = [n for n in names if n not in weights]
        self.out_names = [bytes(part(v, 1)).decode() for n, v in fields(graph) if n == 12]
        self.plain = all(bytes(part(part(v, 2), 1)) for n, v in fields(graph) if n in (11, 12))
        self.folder = folder

    def load(self):
        data = self.folder + '/test_data_set_0'
        self.inputs = {n: tensor(f'{data}/input_{i}.pb') for i, n in enumerate(self.names)}
        self.outputs = {n: tensor(f'{data}/output_{i}.pb') for i, n in enumerate(self.out_names)}

    def counts(self):
        """Is it about what our nets work on?"""
        first = next(iter(self.inputs.values()), None)
        known = [v for v in [*self.inputs.values(), *self.outputs.values()] if v is not None]
        return (len(known) == len(self.inputs) + len(self.outputs) and first is not None and
                first.dtype == np.float32 and
                all(v.dtype.type in RESULTS for v in self.outputs.values()) and
                all(v.dtype.type in (np.float32, np.int64, np.int32) for v in self.inputs.values()))

    def file(self, constants, first=False):
        """The model with these inputs as constants, and with `first` its first output alone."""
        data, extra = self.folder + '/test_data_set_0', b''
        for i, n in enumerate(self.names):
            if n in constants:
                extra += blob(5, ort.read(f'{data}/input_{i}.pb') + blob(8, n.encode()))
        out = b''
        for n, v in fields(self.model):
            if n == 7:
                v = self.one_output(v) if first else bytes(v)
                v += extra
            out += varint(n << 3) + varint(v) if isinstance(v, int) else blob(n, v)
        path = ort.scratch('vector.onnx')
        with open(path, 'wb') as file:
            file.write(out)
        return path


    @staticmethod
    def one_output(graph):
        out, seen = b'', False
        for n, v in fields(graph):
            if n != 12 or not seen:
                out += varint(n << 3) + varint(v) if isinstance(v, int) else blob(n, v)
            seen |= n == 12
        return out


# ---- one vector ----------------------------------------------------------------------------------

def run(program, path, inputs):
    """Outputs by name, or why not."""
    folder = ort.scratch('vector')
    os.makedirs(folder, exist_ok=True)
    command = [program, path, folder]
    for i, (name, v) in enumerate(inputs.items()):
        v.tofile(f'{folder}/in{i}')
        command.append(f"{name}:{'x'.join(map(str, v.shape))}={folder}/in{i}")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 3:
        return done.stdout.strip().removeprefix('not native: ')
    if done.returncode:
        return f'FAILED: exit {done.returncode}: {done.stdout.strip()}'
    out = {}
    for line in done.stdout.splitlines():
        if not line.startswith('#'):
            name, kind, shape, file = line.rsplit(' ', 3)
            dims = [] if shape == 'scalar' else [int(d) for d in shape.split('x')]
            out[name] = np.fromfile(file, ort.TYPES[kind]).reshape(dims)
    return out


def difference(name, right, own, absolute=ABSOLUTE):
    if own.shape != right.shape or own.dtype != right.dtype:
        return f'FAILED: {name} is {own.dtype}{list(own.shape)}, not {right.dtype}{list(right.shape)}'
    if not np.allclose(own, right, RELATIVE, absolute, equal_nan=True):
        worst = np.abs(own.astype(np.float64) - right.astype(np.float64)).max()
        return f'FAILED: {name} differs by {worst:.3g}'
    return None


def check(program, vector):
    """'passed', why it was refused, or 'FAILED: ...'. Each way of running it that is not refused must
    be right."""
    whole = {n for n, v in vector.inputs.items() if v.dtype != np.float32}
    every = set(list(vector.inputs)[1:])
    ways = [(set(), False)] if whole else []  # what is computed, too
    ways += [(whole, False)] + ([(every, False)] if every != whole else [])
    ways += [(every, True)] if len(vector.outputs) > 1 else []
    reason = None
    passed = False
    for constants, first in ways:
        if first and passed:
            break
        inputs = {n: v for n, v in vector.inputs.items() if n not in constants}
        own = run(program, vector.file(constants, first), inputs)
        if isinstance(own, str):
            if own.startswith('FAILED'):
                return own
            reason = own
            continue
        passed = True
        wanted = vector.outputs
        if vector.name in LIKE_ORT:
            wanted = ort.run(ort.scratch('vector.onnx'), inputs)
        for name, right in list(wanted.items())[:1 if first else None]:
            wrong = difference(name, right, own[name], 1e-4 if vector.name == FOUR_DIGITS else ABSOLUTE)
            if wrong:
                return wrong
    return 'passed' if passed else reason


# ---- all -----------------------------------------------------------------------------------------

def vectors(program, only):
    lines = subprocess.run([program, '--operators'], stdout=subprocess.PIPE, text=True, check=True)
    ours = set(lines.stdout.split())
    for kind in ('node', 'simple', 'pytorch-converted', 'pytorch-operator'):
        for name in sorted(os.listdir(f'{DATA}/{kind}')):
            folder = f'{DATA}/{kind}/{name}'
            if not os.path.exists(folder + '/model.onnx') or (only and name.removeprefix('test_') not in only):
                continue
            v = Vector(folder)
            if v.operators and set(v.operators) <= ours and not v.strange and v.plain:
                v.load()
                yield v


def table(results):
    print(f"{'operator':32} {'passed':>6} {'refused':>8} {'failed':>7} {'other types':>12}")
    for name, c in sorted(results.items()):
        print(f"{name:32} {c['passed']:6} {c['refused']:8} {c['failed']:7} {c['other']:12}")
    total = sum(results.values(), collections.Counter())
    print(f"{'all':32} {total['passed']:6} {total['refused']:8} {total['failed']:7} {total['other']:12}")
    return total


def main():
    program, only = sys.argv[1], set(sys.argv[2:])
    if not os.path.isdir(DATA):
        ort.skip('no libonnx-testdata: scripts/setup.sh --tests installs it')
    known = {name: why for why, names in REFUSED.items() for name in names.split()}
    results, wrong = collections.defaultdict(collections.Counter), []
    for v in vectors(program, only):
        operator = v.operators[0] if len(v.operators) == 1 else 'several'
        if not v.counts():
            results[operator]['other'] += 1
            continue
        result = check(program, v)
        kind = 'passed' if result == 'passed' else 'failed' if result.startswith('FAILED') else 'refused'
        results[operator][kind] += 1
        want = known.get(v.name, 'passed')
        if result != want:
            wrong.append(f'{v.name}: {result}' + (f' (expected: {want})' if want != 'passed' else ''))
    total = table(results)
    for line in wrong:
        print(line)
    if not only and total['passed'] != COUNT:
        wrong.append('')
        print(f"{total['passed']} passed, {COUNT} are expected to")
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
