"""LivePortrait (Guo et al.): motion and feature extractors, generator, retargeters, stitcher.

FaceFusion's generator is two of LivePortrait's networks in one file: the warping module, which moves
the features as the points moved, and the decoder. Its input "source" takes the points as they
should be, "target" those as they are, and so does the stitcher's."""
import math

from twins.colour import channel_norm, gelu, linear, norm

POINTS = 21
CHANNELS, DEPTH, SIDE = 32, 16, 64  # of the features


# ---- ConvNeXt V2-T (Woo et al.) and its heads ---------------------------------------------------

def response_norm(n, x):
    """Each channel by its length over the picture, next to the mean of all. Channels last."""
    c = n.shape[x][-1]
    length = n.op('Sqrt', n.reduce('ReduceSum', n.mul(x, x), [1, 2]))
    share = n.op('Div', length, n.add(n.reduce('ReduceMean', length, [3]), 1e-6))
    y = n.add(n.mul(n.mul(x, share), n.weight([c], 0.02, 0.2)), n.weight([c], 0.02))
    return n.add(y, x)


def convnext(n, x):
    first = True
    for width, count in ((96, 3), (192, 3), (384, 9), (768, 3)):
        if first:
            x = channel_norm(n, n.conv(x, width, 4, stride=4, pad=0, gain=0.7))
        else:
            x = n.conv(channel_norm(n, x), width, 2, stride=2, pad=0, gain=0.7)
        first = False
        for _ in range(count):
            y = n.conv(x, width, 7, groups=width, gain=0.7)
            y = norm(n, n.transpose(y, [0, 2, 3, 1]))
            y = response_norm(n, gelu(n, linear(n, y, 4 * width)))
            x = n.add(x, n.transpose(linear(n, y, width, 0.3), [0, 3, 1, 2]))
    return norm(n, n.flatten(n.global_pool(x)))


def degrees(n, x):
    """66 classes of 3 degrees each."""
    share = n.node('Softmax', [n.linear(x, 66, gain=0.3)], [1, 66], axis=1)
    return n.matmul(share, n.const([3.0 * i - 97.5 for i in range(66)], [66, 1]))


def motion_extractor(n, _):
    x = convnext(n, n.input('input', [1, 3, 256, 256]))
    for name in ('pitch', 'yaw', 'roll'):
        n.output(degrees(n, x), name)
    n.output(n.linear(x, 1, gain=0.05, mean=1.2), 'scale')
    n.output(n.linear(x, 3, gain=0.05), 'translation')
    for name, gain in (('expression', 0.01), ('motion_points', 0.3)):
        y = n.linear(x, 3 * POINTS, gain=gain)
        n.output(n.reshape(y, [1, POINTS, 3]), name)


# ---- volumes ------------------------------------------------------------------------------------

def conv3(n, x, out, k=3, act=None, gain=1.0, bias=True):
    b, c, d, h, w = n.shape[x]
    fan = c * k ** 3
    inputs = [x, n.weight([out, c, k, k, k], gain * math.sqrt(2 / fan))]
    if bias:
        inputs.append(n.weight([out], 0.02))
    n.macs += out * fan * d * h * w
    y = n.node('Conv', inputs, [b, out, d, h, w], kernel_shape=[k] * 3, strides=[1] * 3,
               pads=[k // 2] * 6, dilations=[1] * 3)
    return n.act(y, act)


def flat(n, x):
    """The depth among the channels."""
    b, c, d, h, w = n.shape[x]
    return n.reshape(x, [b, c * d, h, w])


def deep(n, x, depth=DEPTH):
    b, c, h, w = n.shape[x]
    return n.reshape(x, [b, c // depth, depth, h, w])


def feature_extractor(n, _):
    x = n.conv(n.input('input', [1, 3, 256, 256]), 64, act='relu')
    for width in (128, 256):
        x = n.pool('AveragePool', n.conv(x, width, act='relu'), 2, 2)
    x = deep(n, n.conv(x, CHANNELS * DEPTH, 1, gain=0.7))
    for _ in range(6):
        y = conv3(n, n.op('Relu', n.bn(x)), CHANNELS)
        x = n.add(x, conv3(n, n.op('Relu', n.bn(y)), CHANNELS, gain=0.3))
    n.output(x, 'output')


# ---- the warping module -------------------------------------------------------------------------

def grid(n):
    """The place of each cell, x, y, z in -1..1: [1,D,H,W,3]."""
    def along(size):
        return [2 * i / (size - 1) - 1 for i in range(size)]

    values = [v for z in along(DEPTH) for y in along(SIDE) for x in along(SIDE) for v in (x, y, z)]
    return n.const(values, [1, DEPTH, SIDE, SIDE, 3])


def sampled(n, table, at):
    """Trilinear, zeros outside. table: [D*H*W,c], at: [k,D,H,W,3] in -1..1; gives [k,D,H,W,c]. ONNX
    Runtime's CUDA provider samples no volumes, so it is done by Gather."""
    k, (_, c) = n.shape[at][0], n.shape[table]
    dims = [k, DEPTH, SIDE, SIDE, 1]
    sizes = (SIDE, SIDE, DEPTH)
    corners = []
    for i, size in enumerate(sizes):
        place = n.mul(n.add(n.slice(at, 4, i, i + 1), 1.0), (size - 1) / 2)
        low = n.op('Floor', n.clip(place, -2.0, size + 1.0))
        part = n.op('Sub', place, low)
        both = []
        for step, share in ((0, n.op('Sub', 1.0, part)), (1, part)):
            cell = n.add(low, float(step))
            inside = n.clip(cell, 0.0, size - 1.0)
            # 1 inside, 0 outside: whole numbers apart
            there = n.op('Sub', 1.0, n.clip(n.op('Abs', n.op('Sub', cell, inside)), 0.0, 1.0))
            both.append((inside, n.mul(n.clip(share, 0.0, 1.0), there)))
        corners.append(both)
    total = None
    for x, x_share in corners[0]:
        for y, y_share in corners[1]:
            for z, z_share in corners[2]:
                index = n.add(n.mul(n.add(n.mul(z, float(SIDE)), y), float(SIDE)), x)
                index = n.reshape(n.cast(index, 7), dims[:4], batch=False)  # INT64
                value = n.node('Gather', [table, index], dims[:4] + [c], axis=0)
                value = n.mul(value, n.mul(n.mul(x_share, y_share), z_share))
                total = n.add(total, value) if total else value
    return total


def as_table(n, x):
    """[1,c,D,H,W] to [D*H*W,c]."""
    c = n.shape[x][1]
    x = n.transpose(n.reshape(x, [c, DEPTH * SIDE * SIDE], batch=False), [1, 0])
    return x


def heat(n, points, cells):
    """A Gaussian about each point: [21,D,H,W,1]."""
    away = n.op('Sub', cells, n.reshape(points, [POINTS, 1, 1, 1, 3], batch=False))
    return n.op('Exp', n.mul(n.reduce('ReduceSum', n.mul(away, away), [4]), -0.5 / 0.01))


def hourglass(n, x):
    """Five levels; only height and width shrink."""
    kept = [x]
    for width in (64, 128, 256, 512, 1024):
        x = deep(n, n.pool('AveragePool', flat(n, conv3(n, x, width, act='relu')), 2, 2))
        kept.append(x)
    x = kept.pop()
    for width in (512, 256, 128, 64, 32):
        x = conv3(n, deep(n, n.resize(flat(n, x), 2)), width, act='relu')
        x = n.concat([x, kept.pop()])
    return x


def warped(n, features, wanted, now):
    """The features where the points went, and how much of them is hidden."""
    cells = grid(n)
    squeezed = as_table(n, conv3(n, features, 4, 1, act='relu'))
    moves = n.op('Sub', now, wanted)
    moves = n.reshape(moves, [POINTS, 1, 1, 1, 3], batch=False)
    still = n.const([0.0] * 3, [1, 1, 1, 1, 3])
    places = n.add(n.concat([still, moves], 0), cells)  # [22,D,H,W,3]
    moved = sampled(n, squeezed, places)
    heats = n.op('Sub', heat(n, wanted, cells), heat(n, now, cells))
    none = n.const([0.0] * (DEPTH * SIDE * SIDE), [1, DEPTH, SIDE, SIDE, 1])
    x = n.concat([n.concat([none, heats], 0), moved], 4)  # [22,D,H,W,5]
    x = n.transpose(x, [0, 4, 1, 2, 3])
    x = hourglass(n, n.reshape(x, [1, 5 * (POINTS + 1), DEPTH, SIDE, SIDE], batch=False))
    share = conv3(n, x, POINTS + 1, 7, gain=0.5)
    share = n.node('Softmax', [share], n.shape[share], axis=1)
    share = n.reshape(share, [POINTS + 1, DEPTH, SIDE, SIDE, 1], batch=False)
    where = n.reduce('ReduceSum', n.mul(places, share), [0])
    hidden = n.conv(flat(n, x), 1, 7, act='sigmoid', gain=0.3)
    x = sampled(n, as_table(n, features), where)
    x = n.transpose(x, [0, 4, 1, 2, 3])
    x = n.conv(flat(n, x), 256, act='leaky')
    return n.mul(n.conv(x, 256, 1, gain=0.7), hidden)


# ---- the decoder: SPADE (Park et al.) -----------------------------------------------------------

def steered(n, x, seen):
    """Each channel normalised, then scaled and shifted by what is seen at each place."""
    c = n.shape[x][1]
    ones, zeros = n.const([1.0] * c, [c]), n.const([0.0] * c, [c])
    y = n.node('InstanceNormalization', [x, ones, zeros], n.shape[x], epsilon=1e-5)
    if n.shape[seen][2] != n.shape[x][2]:
        seen = n.resize(seen, n.shape[x][2] / n.shape[seen][2])
    seen = n.conv(seen, 128, act='relu')
    scale, shift = n.conv(seen, c, gain=0.3, mean=1.0), n.conv(seen, c, gain=0.3)
    return n.add(n.mul(y, scale), shift)


def spade_block(n, x, seen, out):
    c = n.shape[x][1]
    y = n.conv(n.op('LeakyRelu', steered(n, x, seen), alpha=0.2), min(c, out))
    y = n.conv(n.op('LeakyRelu', steered(n, y, seen), alpha=0.2), out, gain=0.5)
    if c != out:
        x = n.conv(steered(n, x, seen), out, 1, bias=False, gain=0.7)
    return n.add(x, y)


def decoded(n, seen):
    x = n.conv(seen, 512)
    for _ in range(6):
        x = spade_block(n, x, seen, 512)
    x = spade_block(n, n.resize(x, 2), seen, 256)
    x = spade_block(n, n.resize(x, 2), seen, 64)
    x = n.conv(n.op('LeakyRelu', x, alpha=0.2), 12, gain=0.2)
    b, _, h, w = n.shape[x]
    x = n.node('DepthToSpace', [x], [b, 3, 2 * h, 2 * w], blocksize=2, mode='CRD')
    return n.op('Sigmoid', x)


def generator(n, _):
    features = n.input('feature_volume', [1, CHANNELS, DEPTH, SIDE, SIDE])
    wanted, now = n.input('source', [1, POINTS, 3]), n.input('target', [1, POINTS, 3])
    n.output(decoded(n, warped(n, features, wanted, now)), 'output')


# ---- what works on points -----------------------------------------------------------------------

def layers(n, x, widths, out):
    for width in widths:
        x = n.linear(x, width, gain=1.4, act='relu')
    return n.linear(x, out, gain=0.02)


def eye_retargeter(n, _):
    x = n.input('input', [1, 3 * POINTS + 3])
    n.output(layers(n, x, (256, 256, 128, 128, 64), 3 * POINTS), 'output')


def lip_retargeter(n, _):
    x = n.input('input', [1, 3 * POINTS + 2])
    n.output(layers(n, x, (128, 128, 64), 3 * POINTS), 'output')


def stitcher(n, _):
    """Moves each point, and all of them across and along."""
    wanted, now = n.input('source', [1, POINTS, 3]), n.input('target', [1, POINTS, 3])
    x = layers(n, n.concat([n.flatten(now), n.flatten(wanted)]), (128, 128, 64), 3 * POINTS + 2)
    each, all_of_them = n.split(x, [3 * POINTS, 2])
    across = n.concat([all_of_them, n.mul(n.slice(all_of_them, 1, 0, 1), 0.0)])
    x = n.add(wanted, n.reshape(each, [1, POINTS, 3]))
    n.output(n.add(x, n.reshape(across, [1, 1, 3])), 'output')
