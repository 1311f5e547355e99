"""Moving lips: Wav2Lip, and EDTalk's generator, which warps features of the picture."""
import math

# Widths: of Wav2Lip's encoder of faces, its decoder; (vertical, horizontal) steps of the sound.
FACE = [(32, 2, 1), (64, 2, 3), (128, 2, 2), (256, 2, 2), (512, 2, 1)]
DECODER = [(512, 2), (384, 2), (256, 2), (128, 2), (64, 2)]
SOUND = [(32, (1, 1), 2), (64, (3, 1), 2), (128, (3, 3), 2), (256, (3, 2), 1)]
STYLE = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}


def conv(n, x, out, k=3, steps=(1, 1), pad=1, act=True, gain=1.0):
    """With different steps down and across; batch normalisation is taken in."""
    b, c, h, w = n.shape[x]
    fan = c * k * k
    inputs = [x, n.weight([out, c, k, k], gain * math.sqrt(2 / fan)), n.weight([out], 0.02)]
    h, w = ((s + 2 * pad - k) // step + 1 for s, step in zip((h, w), steps))
    n.macs += out * fan * h * w
    y = n.node('Conv', inputs, [b, out, h, w], kernel_shape=[k, k], strides=list(steps),
               pads=[pad] * 4)
    return n.op('Relu', y) if act else y


def residual(n, x, times):
    for _ in range(times):
        x = n.op('Relu', n.add(conv(n, x, n.shape[x][1], act=False, gain=0.4), x))
    return x


def conv_up(n, x, weight, pad, more):
    """Transposed, stride 2; `more` rows and columns at the end."""
    b, c, h, w = n.shape[x]
    _, out, k, _ = n.shape[weight]
    n.macs += c * out * k * k * h * w
    h, w = (2 * (s - 1) + k - 2 * pad + more for s in (h, w))
    return n.node('ConvTranspose', [x, weight], [b, out, h, w], kernel_shape=[k, k],
                  strides=[2, 2], pads=[pad] * 4, output_padding=[more, more])


def sound_of(n):
    """512 numbers of the sound, [1,512,1,1]."""
    x = n.input('source', [1, 1, 80, 16])
    for width, steps, times in SOUND:
        x = residual(n, conv(n, x, width, steps=steps), times)
    return conv(n, conv(n, x, 512, pad=0), 512, 1, pad=0)


# ---- Wav2Lip (Prajwal et al.): an encoder and a decoder with all its features -------------------

def wav2lip(n, _):
    x = conv(n, n.input('target', [1, 6, 96, 96]), 16, 7, pad=3)
    kept = [x]
    for width, step, times in FACE:
        x = residual(n, conv(n, x, width, steps=(step, step)), times)
        kept.append(x)
    x = conv(n, conv(n, x, 512, pad=0), 512, 1, pad=0)

    x = n.concat([conv(n, sound_of(n), 512, 1, pad=0), x])
    weight = n.weight([n.shape[x][1], 512, 3, 3], math.sqrt(2 / 1024))
    x = n.op('Relu', n.add(n.node('ConvTranspose', [x, weight], [1, 512, 3, 3], kernel_shape=[3, 3],
                                  strides=[1, 1], pads=[0] * 4), n.weight([1, 512, 1, 1], 0.02)))
    n.macs += 1024 * 512 * 9
    x = n.concat([residual(n, x, 1), kept.pop()])
    for width, times in DECODER:
        x = residual(n, n.conv_up(x, width, act='relu'), times)
        x = n.concat([x, kept.pop()])
    x = conv(n, conv(n, x, 32), 3, 1, pad=0, act=False, gain=0.3)
    n.output(n.op('Sigmoid', x), 'output')


# ---- EDTalk (Tan et al.), after LIA: a StyleGAN2 decoder that warps the picture's features ------

def blurred(n, x, gain=1.0, pad=2):
    c = n.shape[x][1]
    row = [1, 3, 3, 1]
    kernel = n.const([gain * a * b / 64 for _ in range(c) for a in row for b in row], [c, 1, 4, 4])
    return n.fixed_conv(x, kernel, pad=pad, groups=c)


def encoder_block(n, x, out):
    y = n.conv(x, n.shape[x][1], act='leaky')
    y = n.conv(blurred(n, y), out, stride=2, pad=0, act='leaky')
    skip = n.conv(blurred(n, x, pad=1), out, 1, stride=2, pad=0, bias=False)
    return n.mul(n.add(y, skip), 1 / math.sqrt(2))


def modulated(n, x, style, out, k=3, demodulate=True, up=False):
    """On the pixels: before it by the style, behind it by the kernel's length."""
    c = n.shape[x][1]
    scale = n.linear(style, c, gain=0.2, mean=1.0)
    x = n.mul(x, n.reshape(scale, [1, c, 1, 1]))
    weight = n.weight([c, out, k, k] if up else [out, c, k, k], 1 / math.sqrt(c * k * k))
    if up:
        y = blurred(n, conv_up(n, x, weight, 0, 0), 4.0, 1)
    else:
        y = n.fixed_conv(x, weight, pad=k // 2)
    if not demodulate:
        return y
    square = n.reduce('ReduceSum', n.mul(weight, weight), [2, 3], keep=0)
    square = square if up else n.transpose(square, [1, 0])
    length = n.op('Sqrt', n.add(n.matmul(n.mul(scale, scale), square), 1e-8))
    return n.op('Div', y, n.reshape(length, [1, out, 1, 1]))


def style_conv(n, x, style, out, up=False):
    y = n.add(modulated(n, x, style, out, up=up), n.weight([1, out, 1, 1], 0.02))
    return n.mul(n.op('LeakyRelu', y, alpha=0.2), math.sqrt(2))


def enlarged(n, x):
    return n.resize(x, 2, 'linear')


def warped(n, x, style, features, flow):
    """Features moved to where the flow says, where it says that they count; else what was made."""
    size = n.shape[x][2]
    own = n.add(modulated(n, x, style, 3, 1, demodulate=False), n.weight([1, 3, 1, 1], 0.02))
    flow = n.add(own, enlarged(n, flow)) if flow else own
    move, mask = n.split(flow, [2, 1])
    line = [2 * i / (size - 1) - 1 for i in range(size)]
    at = n.const([v for y in line for x in line for v in (x, y)], [1, size, size, 2])
    grid = n.add(n.transpose(n.op('Tanh', move), [0, 2, 3, 1]), at)
    mask = n.op('Sigmoid', mask)
    moved = n.node('GridSample', [features, grid], n.shape[features], mode='bilinear',
                   padding_mode='zeros', align_corners=0)
    moved = n.mul(moved, mask)
    return moved, n.add(moved, n.mul(x, n.op('Sub', 1.0, mask))), flow


def linears(n, x, *widths):
    for width in widths:
        x = n.linear(x, width)
    return x


def edtalk(n, _):
    """Motion is 20 numbers of the lips, of the sound and by the weight of the picture, and 6 of the
    pose, each along a direction of its own."""
    x = n.conv(n.input('target', [1, 3, 256, 256]), STYLE[256], 1, act='leaky')
    kept, size = [x], 256
    while size > 4:
        size //= 2
        x = encoder_block(n, x, STYLE[size])
        kept.append(x)
    kept.pop()  # of 4x4
    code = n.flatten(n.conv(x, 512, 4, pad=0))

    shared = linears(n, code, 512, 512, 512, 512)
    lips, pose = linears(n, shared, 512, 512, 20), linears(n, shared, 512, 512, 6)
    heard = n.linear(n.flatten(sound_of(n)), 20)
    weight = n.input('weight', [1], batch=False)
    lips = n.add(n.mul(heard, weight), n.mul(lips, n.op('Sub', 1.0, weight)))
    style = n.add(code, n.matmul(n.concat([lips, pose]), n.weight([26, 512], 0.05)))

    x = style_conv(n, n.weight([1, 512, 4, 4], 1.0), style, 512)
    flow = rgb = None
    while size < 256:
        size *= 2
        x = style_conv(n, x, style, STYLE[size], up=True)
        x = style_conv(n, x, style, STYLE[size])
        moved, x, flow = warped(n, x, style, kept.pop(), flow)
        own = n.conv(moved, 3, 1, gain=0.15, mean=0.07, act='leaky')
        rgb = n.add(own, enlarged(n, rgb)) if rgb else own
    n.output(rgb, 'output')
