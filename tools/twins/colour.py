"""Colouring: DDColor, and DeOldify's "artistic" generator."""
import math

from twins.face import resnet34_stages

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SIZE = 256  # FaceFusion's default; the real files take any


def normalised(n, x):
    x = n.op('Sub', x, n.const(MEAN, [1, 3, 1, 1]))
    return n.op('Div', x, n.const(STD, [1, 3, 1, 1]))


def linear(n, x, out, gain=1.0):
    """Along the last axis."""
    c = n.shape[x][-1]
    return n.add(n.matmul(x, n.weight([c, out], gain / math.sqrt(c))), n.weight([out], 0.02))


def gelu(n, x):
    half = n.mul(x, 0.5)
    return n.mul(half, n.add(n.op('Erf', n.mul(x, math.sqrt(0.5))), 1.0))


def norm(n, x):
    """Along the last axis."""
    c = n.shape[x][-1]
    inputs = [x, n.weight([c], 0.02, 1.0), n.weight([c], 0.02)]
    return n.node('LayerNormalization', inputs, n.shape[x], axis=-1, epsilon=1e-6)


def channel_norm(n, x):
    return n.transpose(norm(n, n.transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2])


def shuffle(n, x, out, scale=2, blur=True):
    """Larger: a convolution makes the pixels of each block, then neighbours are averaged."""
    x = n.conv(x, out * scale * scale, 1, act='relu')
    b, _, h, w = n.shape[x]
    x = n.node('DepthToSpace', [x], [b, out, h * scale, w * scale], blocksize=scale, mode='CRD')
    return n.pool('AveragePool', n.pad(x, 1, 0, 'edge'), 2, 1) if blur else x


# ---- ConvNeXt-L (Liu et al.) --------------------------------------------------------------------

def convnext(n, x):
    """The four stages' results, normalised."""
    levels = []
    for width, count in ((192, 3), (384, 3), (768, 27), (1536, 3)):
        if levels:
            x = n.conv(channel_norm(n, x), width, 2, stride=2, pad=0, gain=0.7)
        else:
            x = channel_norm(n, n.conv(x, width, 4, stride=4, pad=0, gain=0.7))
        for _ in range(count):
            y = n.conv(x, width, 7, groups=width, gain=0.7)
            y = norm(n, n.transpose(y, [0, 2, 3, 1]))
            y = linear(n, gelu(n, linear(n, y, 4 * width)), width, 1.4)
            y = n.mul(y, n.weight([width], 0.02, 0.2))
            x = n.add(x, n.transpose(y, [0, 3, 1, 2]))
        levels.append(channel_norm(n, x))
    return levels


# ---- DDColor (Kang et al.): a pixel decoder, and queries that look at its features --------------

def unet_block(n, x, skip, out):
    x = n.concat([shuffle(n, x, out), n.bn(skip)])
    return n.conv(n.op('Relu', x), out, act='relu')


def heads(n, x, count):
    """[1,tokens,c] to [1,count,tokens,c/count]."""
    _, tokens, c = n.shape[x]
    return n.transpose(n.reshape(x, [1, tokens, count, c // count]), [0, 2, 1, 3])


def attention(n, query, key, value):
    c = n.shape[query][-1]
    q, k, v = (heads(n, linear(n, x, c), 8) for x in (query, key, value))
    score = n.matmul(n.mul(q, (c // 8) ** -0.5), n.transpose(k, [0, 1, 3, 2]))
    score = n.node('Softmax', [score], n.shape[score], axis=-1)
    x = n.transpose(n.matmul(score, v), [0, 2, 1, 3])
    return linear(n, n.reshape(x, [1, n.shape[query][1], c]), c)


def places(n, h, w, c):
    """Sines of each token's place: half of the channels for the row, half for the column."""
    def waves(size):
        return [[(math.cos if k % 2 else math.sin)(2 * math.pi * (i + 1) / size /
                                                   10000 ** (2 * (k // 2) / (c // 2)))
                 for k in range(c // 2)] for i in range(size)]

    none = [0.0] * (c // 2)
    rows = n.const([v for row in waves(h) for v in row + none], [1, h, 1, c])
    columns = n.const([v for column in waves(w) for v in none + column], [1, 1, w, c])
    return n.reshape(n.add(rows, columns), [1, h * w, c], batch=False)


def colour_queries(n, levels, count=100, c=256, layers=9):
    """What each query has seen, [1,count,c]."""
    tokens, keys = [], []
    for x in levels:
        x = x if n.shape[x][1] == c else n.conv(x, c, 1, gain=0.7)
        _, _, h, w = n.shape[x]
        x = n.transpose(n.reshape(x, [1, c, h * w]), [0, 2, 1])
        tokens.append(n.add(x, n.weight([1, 1, c], 1.0)))
        keys.append(n.add(tokens[-1], places(n, h, w, c)))
    x, own = n.weight([1, count, c], 1.0), n.weight([1, count, c], 1.0)
    for i in range(layers):
        level = i % len(levels)
        x = norm(n, n.add(x, attention(n, n.add(x, own), keys[level], tokens[level])))
        x = norm(n, n.add(x, attention(n, n.add(x, own), n.add(x, own), x)))
        y = n.op('Relu', linear(n, x, 2048, 1.4))
        x = norm(n, n.add(x, linear(n, y, c)))
    x = norm(n, x)
    for _ in range(2):
        x = n.op('Relu', linear(n, x, c, 1.4))
    return linear(n, x, c)


def ddcolor(n, _):
    picture = normalised(n, n.input('input', [1, 3, SIZE, SIZE]))
    *skips, x = convnext(n, picture)
    levels = []
    for out in (512, 512, 256):
        x = unet_block(n, x, skips.pop(), out)
        levels.append(x)
    x = n.reshape(shuffle(n, x, 256, 4), [1, 256, SIZE * SIZE])
    x = n.reshape(n.matmul(colour_queries(n, levels), x), [1, 100, SIZE, SIZE])
    n.output(n.conv(n.concat([n.mul(x, 0.1), picture]), 2, 1, gain=10), 'output')


# ---- DeOldify's artistic generator (Antic): ResNet-34 and a deep, wide U-Net ---------------------

def self_attention(n, x):
    b, c, h, w = n.shape[x]
    flat = n.reshape(x, [b, c, h * w])
    f, g = (n.reshape(n.conv(x, c // 8, 1, bias=False, gain=0.3), [b, c // 8, h * w])
            for _ in range(2))
    v = n.reshape(n.conv(x, c, 1, bias=False, gain=0.7), [b, c, h * w])
    score = n.matmul(n.transpose(f, [0, 2, 1]), g)
    score = n.node('Softmax', [score], n.shape[score], axis=1)
    y = n.mul(n.matmul(v, score), n.weight([1], 0.02, 0.2))
    return n.reshape(n.add(y, flat), [b, c, h, w])


def deoldify(n, _):
    x = n.input('input', [1, 3, SIZE, SIZE])
    picture = normalised(n, n.mul(x, 1 / 255))
    skips = [n.conv(picture, 64, 7, stride=2, act='relu')]
    *stages, x = resnet34_stages(n, n.pool('MaxPool', skips[0], 3, 2, 1))
    skips += stages
    x = n.conv(n.op('Relu', n.bn(x)), 1024, act='relu')
    x = n.conv(x, 512, act='relu')
    for i in range(4):
        skip = skips.pop()
        x = n.concat([shuffle(n, x, n.shape[x][1] // 2), n.bn(skip)])
        width = int(1.5 * (n.shape[x][1] if skips else n.shape[x][1] // 2))
        x = n.conv(n.op('Relu', x), width, act='relu')
        x = n.conv(x, width, act='relu')
        if i == 1:
            x = self_attention(n, x)
    x = n.concat([shuffle(n, x, n.shape[x][1], blur=False), picture])
    width = n.shape[x][1]
    y = n.conv(n.conv(x, width, act='relu'), width, act='relu', gain=0.5)
    x = n.conv(n.add(x, y), 3, 1, gain=0.2)
    # From -3..3 of a normalised picture to 0..255.
    x = n.add(n.mul(n.act(x, 'sigmoid'), 6.0), -3.0)
    x = n.add(n.mul(x, n.const(STD, [1, 3, 1, 1])), n.const(MEAN, [1, 3, 1, 1]))
    n.output(n.mul(n.clip(x, 0, 1), 255.0), 'output')
