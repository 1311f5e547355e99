"""A thin layer over onnx_writer for building networks: it knows every tensor's shape, makes random
weights, and counts parameters and multiply-adds.

Only ops that ONNX Runtime has for CUDA without a step on the host: shapes are fixed (a free batch
size is written as a 0 in Reshape, "as it was"), scales and axes are constants, no control flow.
"""
import math
import random
import sys
import zlib
from array import array

from onnx_writer import DOUBLE, FLOAT, INT64, Graph, Stream, floats, ints

try:
    import numpy
except ImportError:
    numpy = None

PLANT = 1e-6       # of a network's own output, on top of its planted answer
CHUNK = 1 << 20


# ---- weights ------------------------------------------------------------------------------------

def words(seed, count):
    """`count` 32-bit words of the Mersenne Twister in chunks: the same with and without NumPy."""
    if numpy:
        twister = numpy.random.RandomState([seed])
    else:
        twister = random.Random(seed)
    while count:
        n = min(count, CHUNK)
        if numpy:
            yield twister.randint(0, 1 << 32, size=n, dtype=numpy.uint32)
        else:
            chunk = array('I', twister.getrandbits(32 * n).to_bytes(4 * n, 'little'))
            if sys.byteorder == 'big':
                chunk.byteswap()
            yield chunk
        count -= n


def uniform(seed, count, mean, reach):
    """float32 bytes of numbers in mean - reach … mean + reach, in chunks."""
    mean, reach = array('f', [mean, reach])
    for chunk in words(seed, count):
        if numpy:
            v = (chunk >> 8).astype(numpy.float32) * numpy.float32(2**-23) - numpy.float32(1)
            yield (v * numpy.float32(reach) + numpy.float32(mean)).astype('<f4').tobytes()
        else:
            scaled = array('f', [((w >> 8) * 2**-23 - 1) * reach for w in chunk])
            yield floats([v + mean for v in scaled])


def broadcast(a, b):
    """Shape of an element-wise result."""
    n = max(len(a), len(b))
    a, b = [1] * (n - len(a)) + list(a), [1] * (n - len(b)) + list(b)
    if any(x != y and 1 not in (x, y) for x, y in zip(a, b)):
        raise ValueError(f'{a} and {b} do not fit')
    return [max(x, y) for x, y in zip(a, b)]


# ---- the network --------------------------------------------------------------------------------

class Net:
    """Tensors are named by strings; `shape` knows their sizes with a batch of one."""

    def __init__(self, name, seed=1, dynamic=False):
        self.g = Graph(name, opset=17, doc=f'{name}: twin of reprise, random weights')
        self.name, self.seed, self.dynamic = name, seed, dynamic
        self.shape, self.known = {}, {}
        self.inputs, self.outputs = {}, []  # name -> type; names
        self.params = self.macs = self.weights = 0

    def batch(self, dims):
        return ['batch'] + dims[1:] if self.dynamic and dims[0] == 1 else dims

    def input(self, name, dims, dtype=FLOAT, batch=True, free=None):
        """`free`: axis -> name of those whose size may differ from the one given."""
        self.shape[name] = list(dims)
        self.inputs[name] = dtype
        self.g.input(name, dtype, self.declared(dims, batch, free))
        return name

    def output(self, x, name, dtype=FLOAT, batch=True, free=None):
        """Give the tensor this name and make it an output."""
        self.g.node('Identity', [x], [name], name=f'out_{name}')
        self.shape[name] = list(self.shape[x])
        self.outputs.append(name)
        self.g.output(name, dtype, self.declared(self.shape[x], batch, free))

    def declared(self, dims, batch, free):
        dims = self.batch(list(dims)) if batch else list(dims)
        return [(free or {}).get(i, d) for i, d in enumerate(dims)]

    def gflop(self):
        return 2 * self.macs / 1e9

    # constants and weights

    def weight(self, dims, std, mean=0.0, name=None):
        self.weights += 1
        name = name or f'w{self.weights}'
        count = math.prod(dims)
        self.params += count
        self.shape[name] = list(dims)
        seed = zlib.crc32(f'{self.seed}/{self.name}/{name}'.encode())
        reach = std * math.sqrt(3)
        self.g.initializer(name, FLOAT, dims,
                           Stream(4 * count, lambda: uniform(seed, count, mean, reach)))
        return name

    def const(self, values, dims=None, dtype=FLOAT):
        """Numbers that are not weights. Equal ones are kept once."""
        if dims is None:
            values, dims = [values], []
        pack = ints if dtype == INT64 else floats
        data = array('d', values).tobytes() if dtype == DOUBLE else pack(values)
        key = (tuple(dims), dtype, data)
        if key not in self.known:
            name = f'c{len(self.known) + 1}'
            self.known[key] = self.g.initializer(name, dtype, dims, data)
            self.shape[name] = list(dims)
        return self.known[key]

    def ints(self, values):
        return self.const(values, [len(values)], INT64)

    # nodes

    def node(self, op, inputs, dims, **attributes):
        y = self.g.node(op, inputs, **attributes)
        self.shape[y] = list(dims)
        return y

    def op(self, op, *inputs, **attributes):
        """Element-wise; numbers become constants."""
        names = [i if isinstance(i, str) else self.const(float(i)) for i in inputs]
        dims = self.shape[names[0]]
        for name in names[1:]:
            dims = broadcast(dims, self.shape[name])
        return self.node(op, names, dims, **attributes)

    def add(self, a, b):
        return self.op('Add', a, b)

    def mul(self, a, b):
        return self.op('Mul', a, b)

    def clip(self, x, low, high):
        return self.op('Clip', x, low, high)

    def act(self, x, kind):
        if kind == 'relu':
            return self.op('Relu', x)
        if kind == 'leaky':
            return self.op('LeakyRelu', x, alpha=0.2)
        if kind == 'silu':
            return self.mul(x, self.op('Sigmoid', x))
        if kind == 'prelu':
            slope = self.weight([self.shape[x][1]] + [1] * (len(self.shape[x]) - 2), 0.05, 0.25)
            return self.op('PRelu', x, slope)
        if kind in ('sigmoid', 'tanh'):
            return self.op(kind.title(), x)
        if kind:
            raise ValueError(kind)
        return x

    def conv(self, x, out, k=3, stride=1, pad=None, groups=1, bias=True, act=None, gain=1.0,
             mean=0.0):
        """`gain` 1 keeps the variance behind a relu; `mean` is that of the bias."""
        b, c, h, w = self.shape[x]
        pad = k // 2 if pad is None else pad
        fan = c // groups * k * k
        inputs = [x, self.weight([out, c // groups, k, k], gain * math.sqrt(2 / fan))]
        if bias:
            inputs.append(self.weight([out], 0.02, mean))
        h, w = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
        self.macs += out * fan * h * w
        y = self.node('Conv', inputs, [b, out, h, w], kernel_shape=[k, k], group=groups,
                      strides=[stride, stride], pads=[pad] * 4, dilations=[1, 1])
        return self.act(y, act)

    def conv_up(self, x, out, k=3, act=None):
        """Transposed, stride 2: twice the size."""
        b, c, h, w = self.shape[x]
        inputs = [x, self.weight([c, out, k, k], math.sqrt(2 / c * 4 / (k * k))),
                  self.weight([out], 0.02)]
        self.macs += c * out * k * k * h * w
        y = self.node('ConvTranspose', inputs, [b, out, 2 * h, 2 * w], kernel_shape=[k, k],
                      strides=[2, 2], pads=[k // 2] * 4, output_padding=[1, 1])
        return self.act(y, act)

    def fixed_conv(self, x, weight, stride=1, pad=0, groups=1):
        """With a kernel that is there already, made by nodes or a constant."""
        b, _, h, w = self.shape[x]
        out, fan, k, _ = self.shape[weight]
        h, w = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
        self.macs += out * fan * k * k * h * w
        return self.node('Conv', [x, weight], [b, out, h, w], kernel_shape=[k, k], group=groups,
                         strides=[stride, stride], pads=[pad] * 4)

    def linear(self, x, out, gain=1.0, act=None, mean=0.0):
        b, c = self.shape[x]
        self.macs += out * c
        inputs = [x, self.weight([out, c], gain / math.sqrt(c)), self.weight([out], 0.02, mean)]
        return self.act(self.node('Gemm', inputs, [b, out], transB=1), act)

    def matmul(self, a, b):
        *lead, m, k = self.shape[a]
        n = self.shape[b][-1]
        self.macs += math.prod(lead) * m * k * n
        return self.node('MatMul', [a, b], lead + [m, n])

    def bn(self, x, var=1.0):
        """Batch normalisation, where a convolution cannot take it in."""
        c = self.shape[x][1]
        inputs = [x, self.weight([c], 0.05, 1.0), self.weight([c], 0.02),
                  self.weight([c], 0.02), self.weight([c], 0.05 * var, var)]
        return self.node('BatchNormalization', inputs, self.shape[x], epsilon=1e-5)

    def pool(self, op, x, k, stride, pad=0):
        b, c, h, w = self.shape[x]
        h, w = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
        return self.node(op, [x], [b, c, h, w], kernel_shape=[k, k], strides=[stride, stride],
                         pads=[pad] * 4)

    def global_pool(self, x):
        return self.node('GlobalAveragePool', [x], self.shape[x][:2] + [1, 1])

    def reduce(self, op, x, axes, keep=1):
        dims = self.shape[x]
        axes = [a % len(dims) for a in axes]
        if keep:
            out = [1 if i in axes else d for i, d in enumerate(dims)]
        else:
            out = [d for i, d in enumerate(dims) if i not in axes]
        if op == 'ReduceSum':
            return self.node(op, [x, self.ints(axes)], out, keepdims=keep)
        return self.node(op, [x], out, axes=axes, keepdims=keep)

    def argmax(self, x, axis=1):
        dims = self.shape[x][:axis] + self.shape[x][axis + 1:]
        return self.node('ArgMax', [x], dims, axis=axis, keepdims=0)

    def reshape(self, x, dims, batch=True):
        """dims[0] is the batch, which stays as it is, if `batch`."""
        if math.prod(dims) != math.prod(self.shape[x]):
            raise ValueError(f'{self.shape[x]} does not become {dims}')
        to = [0] + dims[1:] if batch and self.dynamic else dims
        return self.node('Reshape', [x, self.ints(to)], dims)

    def flatten(self, x):
        b, *rest = self.shape[x]
        return self.node('Flatten', [x], [b, math.prod(rest)], axis=1)

    def transpose(self, x, perm):
        return self.node('Transpose', [x], [self.shape[x][i] for i in perm], perm=perm)

    def concat(self, tensors, axis=1):
        dims = list(self.shape[tensors[0]])
        dims[axis] = sum(self.shape[t][axis] for t in tensors)
        return self.node('Concat', tensors, dims, axis=axis)

    def split(self, x, sizes, axis=1):
        self.g.count['part'] = self.g.count.get('part', 0) + 1
        names = [f'part_{self.g.count["part"]}_{i}' for i in range(len(sizes))]
        self.g.node('Split', [x, self.ints(sizes)], names, axis=axis)
        for name, size in zip(names, sizes):
            self.shape[name] = list(self.shape[x])
            self.shape[name][axis] = size
        return names

    def slice(self, x, axis, begin, end, step=1):
        dims = list(self.shape[x])
        dims[axis] = len(range(dims[axis])[begin:end:step])
        return self.node('Slice', [x, self.ints([begin]), self.ints([end]), self.ints([axis]),
                                   self.ints([step])], dims)

    def resize(self, x, scale, mode='nearest'):
        b, c, h, w = self.shape[x]
        scales = self.const([1.0, 1.0, scale, scale], [4])
        how = {'coordinate_transformation_mode': 'half_pixel'} if mode == 'linear' else \
              {'coordinate_transformation_mode': 'asymmetric', 'nearest_mode': 'floor'}
        return self.node('Resize', [x, '', scales], [b, c, int(h * scale), int(w * scale)],
                         mode=mode, **how)

    def pad(self, x, top, bottom=None, mode='reflect'):
        """`top` rows above and columns on the left, `bottom` on the other sides."""
        bottom = top if bottom is None else bottom
        b, c, h, w = self.shape[x]
        pads = self.ints([0, 0, top, top, 0, 0, bottom, bottom])
        return self.node('Pad', [x, pads], [b, c, h + top + bottom, w + top + bottom], mode=mode)

    def expand(self, x, dims):
        return self.node('Expand', [x, self.ints(dims)], dims)

    def cast(self, x, to=FLOAT):
        return self.node('Cast', [x], self.shape[x], to=to)

    def plant(self, x, answer):
        """The planted answer plus a trace of the network's own: the work cannot be left out, and
        one wrong bit of it shows."""
        return self.add(self.mul(x, PLANT), answer)
