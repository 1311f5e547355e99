"""Restoring and upscaling: GFPGAN and RRDBNet (Real-ESRGAN)."""
import math

UNET = {4: 256, 8: 256, 16: 256, 32: 256, 64: 256, 128: 128, 256: 64, 512: 32}
STYLE = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64}


# ---- GFPGANv1Clean: a U-Net whose features steer a StyleGAN2 decoder ----------------------------

def unet_block(n, x, out, scale):
    y = n.conv(x, n.shape[x][1], act='leaky')
    y = n.conv(n.resize(y, scale, 'linear'), out, act='leaky', gain=0.5)
    return n.add(y, n.conv(n.resize(x, scale, 'linear'), out, 1, bias=False, gain=0.6))


def modulated(n, x, style, out, k, demodulate=True, up=False):
    """A convolution whose kernel is scaled by the style.

    As the real file does it the kernel is made anew for each picture, so the batch is one. With a
    free batch the same is done on the pixels: before it by the style, behind it by the kernel's
    length, and the kernel stays as it is."""
    c = n.shape[x][1]
    scale = n.linear(style, c, gain=0.2, mean=1.0)
    if up:
        x = n.resize(x, 2, 'linear')
    if n.dynamic:
        weight = n.weight([out, c, k, k], 1 / math.sqrt(c * k * k))
        y = n.fixed_conv(n.mul(x, n.reshape(scale, [1, c, 1, 1])), weight, pad=k // 2)
        if not demodulate:
            return y
        square = n.reduce('ReduceSum', n.mul(weight, weight), [2, 3], keep=0)
        length = n.matmul(n.mul(scale, scale), n.transpose(square, [1, 0]))
        length = n.op('Sqrt', n.add(length, 1e-8))
        return n.op('Div', y, n.reshape(length, [1, out, 1, 1]))
    weight = n.weight([1, out, c, k, k], 1 / math.sqrt(c * k * k))
    weight = n.mul(weight, n.reshape(scale, [1, 1, c, 1, 1]))
    if demodulate:
        length = n.reduce('ReduceSum', n.mul(weight, weight), [2, 3, 4])
        weight = n.op('Div', weight, n.op('Sqrt', n.add(length, 1e-8)))
    return n.fixed_conv(x, n.reshape(weight, [out, c, k, k], batch=False), pad=k // 2)


def style_conv(n, x, style, out, up=False):
    x = n.mul(modulated(n, x, style, out, 3, up=up), math.sqrt(2))
    noise = n.weight([1, 1] + n.shape[x][2:], 1.0)
    x = n.add(x, n.mul(noise, n.weight([1], 0.05)))
    return n.op('LeakyRelu', n.add(x, n.weight([1, out, 1, 1], 0.02)), alpha=0.2)


def to_rgb(n, x, style, below):
    x = n.mul(modulated(n, x, style, 3, 1, demodulate=False), 0.2)
    x = n.add(x, n.weight([1, 3, 1, 1], 0.02))
    return n.add(x, n.resize(below, 2, 'linear')) if below else x


def gfpgan(n, _):
    x = n.conv(n.input('input', [1, 3, 512, 512]), UNET[512], 1, act='leaky')
    kept, size = [], 512
    while size > 4:
        size //= 2
        x = unet_block(n, x, UNET[size], 0.5)
        kept.append(x)
    x = n.conv(x, UNET[4], act='leaky')
    styles = n.split(n.linear(n.flatten(x), 16 * 512), [512] * 16)

    conditions = {}
    while size < 512:
        size *= 2
        x = unet_block(n, n.add(x, kept.pop()), UNET[size], 2)
        c = UNET[size]
        scale, shift = (n.conv(n.conv(x, c, act='leaky'), c, gain=0.3, mean=m) for m in (1.0, 0.0))
        conditions[size] = scale, shift

    x = n.weight([1, 512, 4, 4], 1.0)
    x = style_conv(n, x, styles[0], 512)
    rgb = to_rgb(n, x, styles[1], None)
    for i, size in enumerate((8, 16, 32, 64, 128, 256, 512)):
        c = STYLE[size]
        x = style_conv(n, x, styles[2 * i + 1], c, up=True)
        same, steered = n.split(x, [c // 2] * 2)
        scale, shift = conditions[size]
        x = n.concat([same, n.add(n.mul(steered, scale), shift)])
        x = style_conv(n, x, styles[2 * i + 2], c)
        rgb = to_rgb(n, x, styles[2 * i + 3], rgb)
    n.output(rgb, 'output')


# ---- RRDBNet, 23 blocks (Wang et al.) -----------------------------------------------------------

def dense_block(n, x):
    parts = [x]
    for _ in range(4):
        parts.append(n.conv(n.concat(parts) if len(parts) > 1 else x, 32, act='leaky'))
    return n.add(x, n.mul(n.conv(n.concat(parts), 64, gain=0.7), 0.2))


def real_esrgan(n, _):
    x = first = n.conv(n.input('input', [1, 3, 256, 256]), 64)
    for _ in range(23):
        y = x
        for _ in range(3):
            y = dense_block(n, y)
        x = n.add(x, n.mul(y, 0.2))
    x = n.add(first, n.mul(n.conv(x, 64, gain=0.7), 0.05))
    for _ in range(2):
        x = n.conv(n.resize(x, 2), 64, act='leaky')
    n.output(n.conv(n.conv(x, 64, act='leaky'), 3, gain=0.07, mean=0.5), 'output')
