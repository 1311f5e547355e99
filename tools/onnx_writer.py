"""Write ONNX files with nothing but Python's standard library.

A small encoder for the part of onnx.proto that our generated models need: ModelProto, GraphProto,
NodeProto, AttributeProto, TensorProto and ValueInfoProto. The same calls give the same bytes.

    g = Graph('double')
    g.input('x', FLOAT, [1, 3])
    g.initializer('two', FLOAT, [1], floats([2]))
    g.node('Mul', ['x', 'two'], ['y'])
    g.output('y', FLOAT, [1, 3])
    g.save('double.onnx')

Messages are kept as lists of pieces with their length known, and are joined only when they are
written: a network of gigabytes costs no copy, and its weights may come from a generator (Stream).
"""
import array
import os
import struct
import sys

FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 9, 10, 11
BYTES_OF = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8, BOOL: 1, FLOAT16: 2, DOUBLE: 8}

# AttributeProto.AttributeType
ATTR_FLOAT, ATTR_INT, ATTR_STRING, ATTR_TENSOR, ATTR_GRAPH, ATTR_FLOATS, ATTR_INTS = 1, 2, 3, 4, 5, 6, 7

IR_VERSION = 8
LIMIT = (1 << 31) - 1  # protobuf refuses larger messages


class Stream:
    """Bytes that are made while the file is written: `make` returns an iterable of chunks."""

    def __init__(self, size, make):
        self.size = size
        self.make = make

    def __len__(self):
        return self.size

    def __iter__(self):
        done = 0
        for chunk in self.make():
            done += len(chunk)
            yield chunk
        if done != self.size:
            raise ValueError(f'stream gave {done} bytes, {self.size} were announced')


class Message:
    """Fields of one protobuf message, in the order they were added."""

    def __init__(self):
        self.pieces = []
        self.size = 0

    def raw(self, piece):
        self.pieces.append(piece)
        self.size += len(piece)

    def varint(self, field, value):
        self.raw(_varint(field << 3) + _varint(value))

    def float32(self, field, value):
        self.raw(_varint(field << 3 | 5) + struct.pack('<f', value))

    def blob(self, field, data):
        self.raw(_varint(field << 3 | 2) + _varint(len(data)))
        self.raw(data)

    def string(self, field, text):
        self.blob(field, text.encode())

    def message(self, field, child):
        self.raw(_varint(field << 3 | 2) + _varint(child.size))
        self.pieces.extend(child.pieces)
        self.size += child.size

    def write(self, file):
        for piece in self.pieces:
            if isinstance(piece, Stream):
                for chunk in piece:
                    file.write(chunk)
            else:
                file.write(piece)


def _varint(value):
    if value < 0:
        value += 1 << 64  # int64 fields are two's complement, always ten bytes
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _pack(code, values):
    data = array.array(code, values)
    if sys.byteorder == 'big':
        data.byteswap()
    return data.tobytes()


def floats(values):
    """float32 little-endian bytes; each value is rounded once, to nearest."""
    return _pack('f', values)


def ints(values):
    """int64 little-endian bytes."""
    return _pack('q', values)


def tensor(name, dtype, dims, data):
    """TensorProto. `data`: bytes, a memoryview of bytes, or a Stream."""
    want = BYTES_OF[dtype]
    for d in dims:
        want *= d
    if len(data) != want:
        raise ValueError(f'tensor {name}: {len(data)} bytes for {want}')
    m = Message()
    for d in dims:
        m.varint(1, d)
    m.varint(2, dtype)
    m.string(8, name)
    m.blob(9, data)
    return m


def _attribute(name, value):
    m = Message()
    m.string(1, name)
    if isinstance(value, Message):
        m.message(5, value)
        kind = ATTR_TENSOR
    elif isinstance(value, Graph):
        m.message(6, value.graph())
        kind = ATTR_GRAPH
    elif isinstance(value, str):
        m.string(4, value)
        kind = ATTR_STRING
    elif isinstance(value, float):
        m.float32(2, value)
        kind = ATTR_FLOAT
    elif isinstance(value, int):
        m.varint(3, value)
        kind = ATTR_INT
    elif value and all(isinstance(v, int) for v in value):
        for v in value:
            m.varint(8, v)
        kind = ATTR_INTS
    elif value and all(isinstance(v, float) for v in value):
        for v in value:
            m.float32(7, v)
        kind = ATTR_FLOATS
    else:
        raise TypeError(f'attribute {name}: {value!r}')
    m.varint(20, kind)
    return m


def _value_info(name, dtype, dims):
    shape = Message()
    for d in dims:
        dim = Message()
        if isinstance(d, str):
            dim.string(2, d)
        else:
            dim.varint(1, d)
        shape.message(1, dim)
    tensor_type = Message()
    tensor_type.varint(1, dtype)
    tensor_type.message(2, shape)
    kind = Message()
    kind.message(1, tensor_type)
    info = Message()
    info.string(1, name)
    info.message(2, kind)
    return info


class Graph:
    """A model of one graph. Nodes must be added in an order in which they can run."""

    def __init__(self, name, opset=13, doc=''):
        self.name = name
        self.opset = opset
        self.doc = doc
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.domains = set()
        self.metadata = {}
        self.count = {}

    def input(self, name, dtype, dims):
        """An int in dims is a fixed size, a str the name of a free one."""
        self.inputs.append(_value_info(name, dtype, dims))
        return name

    def output(self, name, dtype, dims):
        self.outputs.append(_value_info(name, dtype, dims))
        return name

    def initializer(self, name, dtype, dims, data):
        self.initializers.append(tensor(name, dtype, dims, data))
        return name

    def node(self, op, inputs, outputs=None, name=None, domain='', **attributes):
        """Add a node and return its first output. Without `outputs` a name is made up.

        An attribute that is a Graph is a body, as If and Loop have."""
        if name is None:
            self.count[op] = self.count.get(op, 0) + 1
            name = f'{op}_{self.count[op]}'
        if outputs is None:
            outputs = [name]
        m = Message()
        for i in inputs:
            m.string(1, i)
        for o in outputs:
            m.string(2, o)
        m.string(3, name)
        m.string(4, op)
        for key in sorted(attributes):
            m.message(5, _attribute(key, attributes[key]))
        if domain:
            m.string(7, domain)
            self.domains.add(domain)
        self.nodes.append(m)
        return outputs[0]

    def graph(self):
        graph = Message()
        for n in self.nodes:
            graph.message(1, n)
        graph.string(2, self.name)
        for t in self.initializers:
            graph.message(5, t)
        for i in self.inputs:
            graph.message(11, i)
        for o in self.outputs:
            graph.message(12, o)
        return graph

    def message(self):
        model = Message()
        model.varint(1, IR_VERSION)
        model.string(2, 'reprise')
        if self.doc:
            model.string(6, self.doc)
        model.message(7, self.graph())
        for domain in [''] + sorted(self.domains):
            opset = Message()
            opset.string(1, domain)
            opset.varint(2, 1 if domain else self.opset)
            model.message(8, opset)
        for key in sorted(self.metadata):
            entry = Message()
            entry.string(1, key)
            entry.string(2, self.metadata[key])
            model.message(14, entry)
        if model.size > LIMIT:
            raise ValueError(f'{self.name}: {model.size} bytes; one ONNX file holds under 2 GiB')
        return model

    def save(self, path):
        """Write the file whole or not at all."""
        part = f'{path}.{os.getpid()}.part'
        try:
            with open(part, 'wb') as file:
                self.message().write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            if os.path.exists(part):
                os.unlink(part)
            raise
