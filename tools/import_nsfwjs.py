#!/usr/bin/python3
"""Turn the content model of the npm package nsfwjs into nsfwjs.onnx.

    import_nsfwjs.py SOURCE OUT

SOURCE is the package's tarball or a folder with its two files model.min.js (a tfjs layers model
written as a JavaScript module) and group1-shard1of1.min.js (its weights, 8 bit with a scale and a
minimum for each tensor, as base64). Standard library only; the same SOURCE gives the same bytes.

The result: input `input` float32 [1,3,224,224], RGB 0..1; output `output` float32 [1,5],
probabilities of Drawing, Hentai, Neutral, Porn, Sexy.

What changes on the way, none of it in meaning:
* Kernels go from HWIO to OIHW.
* Batch normalisation is folded into the convolution before it, in double precision.
* A convolution that needs more padding at the end than at the start (Keras' 'same' with stride 2
  on even sizes, or ZeroPadding2D) gets a row and a column of zeros in front of its kernel, so that
  its padding is the same on all sides: ONNX Runtime's CUDA provider has no other.
* Dropout does nothing at inference and is left out.
"""
import base64
import gzip
import math
import os
import re
import sys
import tarfile
import zlib
from array import array

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from onnx_writer import FLOAT, Graph, floats  # noqa: E402

FOLDER = 'package/dist/models/mobilenet_v2'
TOPOLOGY, WEIGHTS = 'model.min.js', 'group1-shard1of1.min.js'
UNPACKED = 1 << 29  # bytes of the whole package
LIMIT = 1 << 24  # bytes of each, four times what they have
SIDE = 4096      # of a weight: the largest has 1280


class Broken(Exception):
    """The source is not what this importer knows."""


# ---- reading --------------------------------------------------------------------------------------

def read_sources(source):
    """The two JavaScript files as text."""
    if os.path.isdir(source):
        texts = []
        for name in (TOPOLOGY, WEIGHTS):
            with open(os.path.join(source, name), 'rb') as file:
                texts.append(read_text(file, name))
        return texts
    with gzip.open(source) as packed, tarfile.open(fileobj=Bounded(packed), mode='r|') as tar:
        return read_members(tar)


class Bounded:
    """A stream that ends in an error when more comes out of it than a package may have."""

    def __init__(self, stream):
        self.stream, self.left = stream, UNPACKED

    def read(self, size):
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Broken(f'the package unpacks to more than {UNPACKED} bytes')
        return data


def read_members(tar):
    texts = {}
    for member in tar:
        name = member.name.rpartition('/')[2]
        if member.isfile() and member.name == f'{FOLDER}/{name}' and name in (TOPOLOGY, WEIGHTS):
            texts[name] = read_text(tar.extractfile(member), name)
            if len(texts) == 2:
                return [texts[TOPOLOGY], texts[WEIGHTS]]
    raise KeyError('the package has not both files of the model')


def read_text(file, name):
    data = file.read(LIMIT + 1)
    if len(data) > LIMIT:
        raise Broken(f'{name} is larger than {LIMIT} bytes')
    return data.decode('ascii')


TOKEN = re.compile(r'''(?P<string>"(?:[^"\\]|\\.)*")
                      |(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
                      |(?P<truth>![01])
                      |(?P<word>[A-Za-z_$][\w$]*)
                      |(?P<mark>[{}\[\]:,])''', re.X)


def parse_object(text, at):
    """Read the JavaScript object literal that begins at text[at]."""
    def take():
        nonlocal at
        m = TOKEN.match(text, at)
        if not m:
            raise Broken(f'unexpected text at character {at} of {TOPOLOGY}')
        at = m.end()
        return m.lastgroup, m.group()

    def value(kind, token):
        if kind == 'string':
            return token[1:-1]
        if kind == 'number':
            return float(token) if re.search(r'[.eE]', token) else int(token)
        if kind == 'truth':
            return token == '!0'
        if token == 'null':
            return None
        if token == '[':
            return list(items(']', value))
        if token == '{':
            return dict(items('}', pair))
        raise Broken(f'unexpected {token} before character {at} of {TOPOLOGY}')

    def pair(kind, token):
        key = token[1:-1] if kind == 'string' else token
        if take()[1] != ':':
            raise Broken(f'no value for {key} in {TOPOLOGY}')
        return key, value(*take())

    def items(end, read):
        kind, token = take()
        while token != end:
            yield read(kind, token)
            kind, token = take()
            if token == ',':
                kind, token = take()

    return value(*take())


def exported(text, pattern, name):
    m = re.search(r'\.exports=(?=' + pattern + ')', text)
    if not m:
        raise Broken(f'{name} exports nothing of the expected kind')
    return m.end()


def read_weights(manifest, text):
    """name -> (shape, values as an array of float32), as tfjs decodes them."""
    at = exported(text, r'"[A-Za-z0-9+/=]+"', WEIGHTS) + 1
    data = base64.b64decode(text[at:text.index('"', at)], validate=True)
    weights, start = {}, 0
    for group in manifest:
        for w in group['weights']:
            q = w.get('quantization')
            if w['dtype'] != 'float32' or not q or q['dtype'] != 'uint8':
                raise Broken(f"weight {w['name']} is not 8 bit")
            if not all(type(n) is int and 0 < n <= SIDE for n in w['shape']):
                raise Broken(f"weight {w['name']} has the shape {w['shape']}")
            size = math.prod(w['shape'])
            table = [v * q['scale'] + q['min'] for v in range(256)]
            part = data[start:start + size]
            if len(part) != size:
                raise Broken(f"the weights end in the middle of {w['name']}")
            weights[w['name']] = (w['shape'], array('f', [table[b] for b in part]))
            start += size
    if start != len(data):
        raise Broken(f'{len(data) - start} bytes of weights belong to no layer')
    return weights


# ---- kernels --------------------------------------------------------------------------------------

def planes(kernel, shape, depthwise):
    """Kernel as [output channel][input channel] -> list of h*w numbers."""
    h, w, c, n = shape
    step = c * n
    if depthwise:  # [h][w][channel][multiplier]: each channel is a group of its own
        if n != 1:
            raise Broken('depth multiplier is not 1')
        return [[kernel[i::step]] for i in range(c)]
    return [[kernel[i * n + o::step] for i in range(c)] for o in range(n)]


def lead_with_zeros(plane, h, w):
    """h*w -> (h+1)*(w+1) with a first row and a first column of zeros."""
    out = [0.0] * (w + 1)
    for y in range(h):
        out.append(0.0)
        out.extend(plane[y * w:(y + 1) * w])
    return out


def same_padding(size, kernel, stride):
    """Keras' 'same': as little as possible, the odd one at the end."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


# ---- layers ---------------------------------------------------------------------------------------

class Importer:
    """Walks the layers in order. `at[name]` is (ONNX name, channels, height, width) of an output."""

    def __init__(self, topology, weights):
        self.layers = topology['modelTopology']['model_config']['config']['layers']
        self.weights = weights
        self.graph = Graph('nsfwjs', opset=13,
                           doc='nsfwjs 4.4.0 mobilenet_v2 (MIT), imported by reprise')
        self.at = {}
        self.padding = {}  # ZeroPadding2D -> pads that the next convolution takes over
        self.folded = set()  # BatchNormalization layers that went into their convolution
        self.users = {}
        for layer in self.layers:
            for source in self.sources(layer):
                self.users.setdefault(source, []).append(layer)

    @staticmethod
    def sources(layer):
        return [node[0] for node in layer['inbound_nodes'][0]] if layer['inbound_nodes'] else []

    def run(self):
        for layer in self.layers:
            method = getattr(self, 'do_' + layer['class_name'], None)
            if not method:
                raise Broken(f"layer {layer['name']} is of unknown kind {layer['class_name']}")
            self.at[layer['name']] = method(layer, layer['config'],
                                            [self.at[s] for s in self.sources(layer)])
        last = self.at[self.layers[-1]['name']]
        if last[1:] != (5, 1, 1):
            raise Broken(f'the result has {last[1]} classes, not 5')
        self.graph.node('Identity', [last[0]], ['output'], name='output')
        self.graph.output('output', FLOAT, [1, 5])
        self.graph.metadata['classes'] = 'Drawing,Hentai,Neutral,Porn,Sexy'
        self.graph.metadata['input'] = 'RGB 0..1'
        return self.graph

    def do_InputLayer(self, layer, config, inputs):
        if config['batch_input_shape'] != [None, 224, 224, 3]:
            raise Broken('the input is not 224x224 RGB')
        self.graph.initializer('zero', FLOAT, [], floats([0]))
        self.graph.initializer('six', FLOAT, [], floats([6]))
        return self.graph.input('input', FLOAT, [1, 3, 224, 224]), 3, 224, 224

    def do_ZeroPadding2D(self, layer, config, inputs):
        (top, bottom), (left, right) = config['padding']
        for user in self.users[layer['name']]:
            if user['class_name'] not in ('Conv2D', 'DepthwiseConv2D') \
                    or user['config']['padding'] != 'valid':
                raise Broken(f"padding {layer['name']} is not in front of a valid convolution")
        self.padding[layer['name']] = top, left, bottom, right
        return inputs[0]

    def do_Conv2D(self, layer, config, inputs):
        return self.convolution(layer, config, inputs[0], 'kernel', False)

    def do_DepthwiseConv2D(self, layer, config, inputs):
        return self.convolution(layer, config, inputs[0], 'depthwise_kernel', True)

    def convolution(self, layer, config, source, weight, depthwise):
        if config['data_format'] != 'channels_last' or config['dilation_rate'] != [1, 1] \
                or config['activation'] != 'linear' or config['use_bias']:
            raise Broken(f"convolution {layer['name']} has an unknown setting")
        name, channels, height, width = source
        shape, kernel = self.weights[f"{layer['name']}/{weight}"]
        h, w = shape[:2]
        if shape[2] != channels:
            raise Broken(f"convolution {layer['name']} wants {shape[2]} channels")
        stride_y, stride_x = config['strides']
        if config['padding'] == 'same':
            top, bottom = same_padding(height, h, stride_y)
            left, right = same_padding(width, w, stride_x)
        else:
            top, left, bottom, right = self.padding.get(self.sources(layer)[0], (0, 0, 0, 0))

        kernel = planes(kernel, shape, depthwise)
        if bottom == top + 1 and right == left + 1:
            kernel = [[lead_with_zeros(p, h, w) for p in group] for group in kernel]
            h, w, top, left = h + 1, w + 1, bottom, right
        elif (top, left) != (bottom, right):
            raise Broken(f"convolution {layer['name']} is padded {top},{left},{bottom},{right}")

        scale, bias = self.normalisation(layer, len(kernel))
        values = array('f')
        for group, k in zip(kernel, scale):
            for plane in group:
                values.extend([v * k for v in plane])
        dims = [len(kernel), len(kernel[0]), h, w]
        args = [name,
                self.graph.initializer(layer['name'] + '.weight', FLOAT, dims, floats(values)),
                self.graph.initializer(layer['name'] + '.bias', FLOAT, dims[:1], floats(bias))]
        out = self.graph.node('Conv', args, name=layer['name'], kernel_shape=[h, w],
                              strides=[stride_y, stride_x], pads=[top, left, bottom, right],
                              group=channels if depthwise else 1)
        return (out, dims[0], (height + top + bottom - h) // stride_y + 1,
                (width + left + right - w) // stride_x + 1)

    def normalisation(self, layer, channels):
        """Scale and bias of the BatchNormalization that follows, which is then done with."""
        users = self.users.get(layer['name'], [])
        if len(users) != 1 or users[0]['class_name'] != 'BatchNormalization':
            return [1.0] * channels, [0.0] * channels
        norm = users[0]
        gamma, beta, mean, var = (self.weights[f"{norm['name']}/{p}"][1] for p in
                                  ('gamma', 'beta', 'moving_mean', 'moving_variance'))
        eps = norm['config']['epsilon']
        scale = [g / math.sqrt(v + eps) for g, v in zip(gamma, var)]
        bias = [b - m * k for b, m, k in zip(beta, mean, scale)]
        self.folded.add(norm['name'])
        return scale, bias

    def do_BatchNormalization(self, layer, config, inputs):
        if layer['name'] not in self.folded:
            raise Broken(f"normalisation {layer['name']} is not behind a convolution of its own")
        return inputs[0]

    def do_ReLU(self, layer, config, inputs):
        if config['max_value'] != 6 or config['negative_slope'] or config['threshold']:
            raise Broken(f"activation {layer['name']} is not ReLU6")
        name, *shape = inputs[0]
        return (self.graph.node('Clip', [name, 'zero', 'six'], name=layer['name']), *shape)

    def do_Add(self, layer, config, inputs):
        (a, *shape), (b, *other) = inputs
        if shape != other:
            raise Broken(f"layer {layer['name']} adds different shapes")
        return (self.graph.node('Add', [a, b], name=layer['name']), *shape)

    def do_AveragePooling2D(self, layer, config, inputs):
        name, channels, height, width = inputs[0]
        if config['pool_size'] != [height, width] or config['padding'] != 'valid':
            raise Broken(f"pooling {layer['name']} is not over the whole picture")
        return self.graph.node('GlobalAveragePool', [name], name=layer['name']), channels, 1, 1

    def do_Flatten(self, layer, config, inputs):
        name, channels, height, width = inputs[0]
        if height * width != 1:
            raise Broken('flattening would need channels last')
        return self.graph.node('Flatten', [name], name=layer['name'], axis=1), channels, 1, 1

    def do_Dropout(self, layer, config, inputs):
        return inputs[0]

    def do_Dense(self, layer, config, inputs):
        name = layer['name']
        shape, kernel = self.weights[name + '/kernel']
        bias = self.weights[name + '/bias'][1]
        out = self.graph.node('Gemm', [inputs[0][0],
                              self.graph.initializer(name + '.weight', FLOAT, shape, floats(kernel)),
                              self.graph.initializer(name + '.bias', FLOAT, shape[1:],
                                                     floats(bias))], name=name)
        if config['activation'] == 'relu':
            out = self.graph.node('Relu', [out], name=name + '.relu')
        elif config['activation'] == 'softmax':
            out = self.graph.node('Softmax', [out], name=name + '.softmax', axis=1)
        else:
            raise Broken(f"layer {name} has the unknown activation {config['activation']}")
        return out, shape[1], 1, 1


def convert(source, out):
    topology_text, weights_text = read_sources(source)
    topology = parse_object(topology_text, exported(topology_text, r'\{modelTopology:', TOPOLOGY))
    weights = read_weights(topology['weightsManifest'], weights_text)
    Importer(topology, weights).run().save(out)


# What a source that is something else leads to, wherever it differs from what is expected.
NOT_IT = (Broken, ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, TypeError,
          ValueError, tarfile.TarError, zlib.error)


def main():
    if len(sys.argv) != 3:
        sys.exit('usage: import_nsfwjs.py TARBALL-OR-FOLDER OUT.onnx')
    try:
        convert(sys.argv[1], sys.argv[2])
    except NOT_IT as error:
        said = f'{type(error).__name__}: {error}'.encode('unicode_escape').decode()
        sys.exit(f'import_nsfwjs: {sys.argv[1]} is not nsfwjs 4.4.0: {said[:200]}')
    except OSError as error:
        sys.exit(f'import_nsfwjs: {error}')


if __name__ == '__main__':
    main()
