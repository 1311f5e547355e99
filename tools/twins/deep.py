"""Deep swappers and ageing: DeepFaceLab's LIAE autoencoder, and a U-Net as FRAN's."""
import math

# ---- DeepFaceLab's LIAE-UDT at 224: 512 for the codes, 64 for encoder and decoder, 32 for masks ---


def residual(n, x):
    c = n.shape[x][1]
    return n.act(n.add(x, n.conv(n.conv(x, c, act='leaky'), c, gain=0.3)), 'leaky')


def upscale(n, x, out, weights=None):
    """Its convolution makes four pixels of each. weights: of an earlier one, to use them again."""
    b, c, h, w = n.shape[x]
    weights = weights or [n.weight([4 * out, c, 3, 3], math.sqrt(2 / (9 * c))),
                          n.weight([4 * out, 1, 1], 0.02)]
    x = n.act(n.add(n.fixed_conv(x, weights[0], pad=1), weights[1]), 'leaky')
    return n.node('DepthToSpace', [x], [b, out, 2 * h, 2 * w], blocksize=2), weights


def encoder(n, x):
    for i, width in enumerate((64, 128, 256, 512, 512)):
        x = n.conv(x, width, 5, 2, act='leaky')
        if i in (0, 4):
            x = residual(n, x)
    x = n.flatten(x)
    mean = n.reduce('ReduceMean', n.mul(x, x), [1])
    return n.op('Div', x, n.op('Sqrt', n.add(mean, 1e-6)))


def code(n, x):
    return n.reshape(n.linear(n.linear(x, 512), 7 * 7 * 1024), [1, 1024, 7, 7])


class Masks:
    """The decoder's branch for masks, which both codes go through."""

    def __init__(self):
        self.kept, self.last = [], None

    def __call__(self, n, x):
        first = not self.kept
        for i, width in enumerate((256, 256, 128, 64, 32)):
            x, weights = upscale(n, x, width, None if first else self.kept[i])
            if first:
                self.kept.append(weights)
        self.last = self.last or n.weight([1, 32, 1, 1], 0.1)
        x = n.act(n.fixed_conv(x, self.last), 'sigmoid')
        return n.transpose(x, [0, 2, 3, 1])


def dfm(n, _):
    """As exported: one encoder; the code of the target, for its mask, and that of the person, which
    is mixed by the morph value."""
    x = encoder(n, n.transpose(n.input('in_face:0', [1, 224, 224, 3]), [0, 3, 1, 2]))
    morph = n.input('morph_value:0', [1], batch=False)
    both, person = code(n, x), code(n, x)
    mixed = n.add(n.mul(both, morph), n.mul(person, n.op('Sub', 1.0, morph)))
    masks = Masks()
    n.output(masks(n, n.concat([person, both])), 'out_face_mask:0')
    x = wide = n.concat([mixed, both])
    for width in (512, 512, 256, 128):
        x, _ = upscale(n, x, width)
        x = residual(n, x)
    x = n.concat([n.conv(x, 3, k, gain=0.3) for k in (1, 3, 3, 3)])
    x = n.node('DepthToSpace', [x], [1, 3, 224, 224], blocksize=2)
    n.output(n.transpose(n.act(x, 'sigmoid'), [0, 2, 3, 1]), 'out_celeb_face:0')
    n.output(masks(n, wide), 'out_celeb_face_mask:0')


# ---- FRAN: a U-Net over the picture and two planes of ages, which gives a change ------------------

def pair(n, x, out):
    return n.conv(n.conv(x, out, act='leaky'), out, act='leaky')


def fran(n, _):
    picture = n.input('target', [1, 3, 1024, 1024])
    ages = n.reshape(n.input('direction', [2], batch=False), [1, 2, 1, 1], batch=False)
    blank = n.mul(n.slice(picture, 1, 0, 2), 0.0)
    x = pair(n, n.concat([picture, n.add(blank, ages)]), 64)
    kept = []
    for width in (128, 256, 512, 1024):
        kept.append(x)
        x = pair(n, n.pool('AveragePool', x, 2, 2), width)
    for width in (512, 256, 128, 64):
        x = n.conv(n.resize(x, 2, 'linear'), width, act='leaky')
        x = pair(n, n.concat([kept.pop(), x]), width)
    n.output(n.add(picture, n.conv(x, 3, 1, gain=0.02)), 'output')
