"""StyleGANEX (Yang et al.): faces in large pictures, made older or younger.

An encoder (pSp's, on an IR-SE ResNet-50) turns the face into 18 codes, to which the direction is
added; a second pass over the larger picture gives the features from which StyleGAN2 starts, at an
eighth of its size instead of at 4x4. FaceFusion's file has 335 M parameters, of which encoder and
StyleGAN2 as published are 295 M; how the rest is spent is not known to us: here it is a body of its
own for the second pass and four convolutions."""
import math

from twins.restore import style_conv, to_rgb

UNITS = ((64, 3), (128, 4), (256, 14), (512, 3))
KEPT = (1, 2, 3)      # of these stages the last features are used
CODES, CODE = 18, 512
COARSE, MIDDLE = 3, 7  # codes below these come from the smallest and the middle features
SHALLOW = 7            # convolutions before the first that doubles the size
WIDTHS = (512, 256, 128, 64, 32)


# ---- the encoder ----------------------------------------------------------------------------------

def unit(n, x, out, stride):
    """With squeeze and excitation, and normalised first."""
    c = n.shape[x][1]
    y = n.conv(n.bn(x), out, act='prelu', bias=False)
    y = n.conv(y, out, stride=stride, gain=0.7)
    share = n.conv(n.global_pool(y), out // 16, 1, bias=False, act='relu')
    y = n.mul(y, n.conv(share, out, 1, bias=False, act='sigmoid'))
    if c != out:
        x = n.conv(x, out, 1, stride, gain=0.7)
    elif stride > 1:
        x = n.pool('MaxPool', x, 1, stride)
    return n.add(n.mul(x, 0.7), y)


def body(n, x):
    """Features of 128, 256 and 512 channels, at a quarter, an eighth and a sixteenth."""
    kept = []
    x = n.conv(x, 64, act='prelu')
    for stage, (width, count) in enumerate(UNITS):
        for i in range(count):
            x = unit(n, x, width, 2 if i == 0 else 1)
        if stage in KEPT:
            kept.append(x)
    return kept


def pyramid(n, features):
    """All with 512 channels, the smallest first."""
    fine, middle, coarse = features
    middle = n.add(n.resize(coarse, 2, 'linear'), n.conv(middle, CODE, 1, gain=0.7))
    return coarse, middle, n.add(n.resize(middle, 2, 'linear'), n.conv(fine, CODE, 1, gain=0.7))


def code(n, x):
    while n.shape[x][2] > 1:
        x = n.conv(x, CODE, stride=2, act='leaky')
    return n.linear(n.flatten(x), CODE)


def codes(n, face, direction):
    levels = pyramid(n, body(n, face))
    out = []
    for i in range(CODES):
        x = code(n, levels[0 if i < COARSE else 1 if i < MIDDLE else 2])
        out.append(n.add(x, n.mul(n.weight([1, CODE], 0.05), direction)))
    return out


# ---- StyleGAN2, from the features on ---------------------------------------------------------------

def decoded(n, x, styles):
    """`x`: at an eighth of the picture. What StyleGAN2 does at 4 to 32 is done at that size."""
    for i in range(SHALLOW):
        x = style_conv(n, x, styles[i], CODE)
    rgb = to_rgb(n, x, styles[SHALLOW], None)
    for i, width in enumerate(WIDTHS):
        x = style_conv(n, x, styles[SHALLOW + 2 * i], width, up=True)
        x = style_conv(n, x, styles[SHALLOW + 2 * i + 1], width)
        rgb = to_rgb(n, x, styles[SHALLOW + 2 * i + 2], rgb)
    return rgb


def styleganex(n, _):
    face = n.input('target', [1, 3, 256, 256])
    wide = n.input('target_with_background', [1, 3, 384, 384])
    styles = codes(n, face, n.input('direction', [], batch=False))
    x = pyramid(n, body(n, wide))[1]
    for _ in range(4):
        x = n.conv(x, CODE, act='leaky')
    # each pixel's length is made one: the codes steer, not the brightness
    length = n.reduce('ReduceMean', n.mul(x, x), [1])
    x = n.op('Div', x, n.op('Sqrt', n.add(length, 1e-6)))
    n.output(n.mul(decoded(n, x, styles), 1 / math.sqrt(CODES)), 'output')
