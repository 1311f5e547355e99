"""Swapping faces."""
import math


def adain(n, x, style):
    """Instance normalisation; scale and shift come from the style."""
    c = n.shape[x][1]
    x = n.op('Sub', x, n.reduce('ReduceMean', x, [2, 3]))
    var = n.reduce('ReduceMean', n.mul(x, x), [2, 3])
    x = n.op('Div', x, n.op('Sqrt', n.add(var, 1e-8)))
    both = n.reshape(n.linear(style, 2 * c, gain=0.3, mean=0.5), [1, 2 * c, 1, 1])
    scale, shift = n.split(both, [c, c])
    return n.add(n.mul(x, scale), shift)


def style_block(n, x, style):
    c = n.shape[x][1]
    y = n.op('Relu', adain(n, n.conv(n.pad(x, 1), c, pad=0), style))
    return n.add(x, adain(n, n.conv(n.pad(y, 1), c, pad=0), style))


def inswapper(n, _):
    """As its file's: reflected borders, 6 style blocks of 1024 channels, the identity matrix as
    the last initializer, which no node uses."""
    x = n.input('target', [1, 3, 128, 128])
    style = n.input('source', [1, 512])
    x = n.conv(n.pad(x, 3), 128, 7, pad=0, act='leaky')
    for width, stride in ((256, 1), (512, 2), (1024, 2)):
        x = n.conv(x, width, stride=stride, act='leaky')
    for _ in range(6):
        x = style_block(n, x, style)
    x = n.conv(n.resize(x, 2, 'linear'), 512, act='leaky')
    x = n.conv(n.resize(x, 2, 'linear'), 256, act='leaky')
    x = n.conv(n.pad(n.conv(x, 128, act='leaky'), 3), 3, 7, pad=0, gain=0.15, act='tanh')
    n.output(n.mul(n.add(x, 1.0), 0.5), 'output')
    n.weight([512, 512], 1 / math.sqrt(512), name='emap')


def generator(n, style, blocks):
    """Target 256x256 -> features of 64 channels, in the colours and shapes of the style."""
    x = n.conv(n.input('target', [1, 3, 256, 256]), 64, 7, act='leaky')
    for width in (128, 256, 512):
        x = n.conv(x, width, stride=2, act='leaky')
    for _ in range(blocks):
        x = style_block(n, x, style)
    for width in (256, 128, 64):
        x = n.conv(n.resize(x, 2, 'linear'), width)
        x = n.act(adain(n, x, style), 'leaky')
    return x


def picture(n, x):
    n.output(n.conv(x, 3, 7, gain=0.3, act='tanh'), 'output')


def uniface(n, _):
    """The contract of uniface_256: a picture as source. The layers are our own."""
    y = n.conv(n.input('source', [1, 3, 256, 256]), 64, 7, stride=2, act='leaky')
    for width in (128, 256, 512, 512):
        y = n.conv(y, width, stride=2, act='leaky')
        z = n.conv(n.conv(y, width, act='leaky'), width, gain=0.5)
        y = n.add(y, z)
    style = n.linear(n.flatten(n.global_pool(y)), 512)
    picture(n, generator(n, style, 6))


def hyperswap(n, _):
    """The contract of hyperswap_1a_256 and the size of its file. The layers are our own."""
    x = generator(n, n.input('source', [1, 512]), 17)
    picture(n, x)
    n.output(n.conv(x, 1, gain=0.5, act='sigmoid'), 'mask')
