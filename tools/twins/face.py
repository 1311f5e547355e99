"""Looking at a face: landmarks, identity, attributes, masks; and the content check."""
import math

from onnx_writer import INT64

from twins import planted


# ---- 2DFAN-4 (Bulat and Tzimiropoulos) ----------------------------------------------------------

def fan_block(n, x, out):
    """Three convolutions, each seen in the result."""
    parts, y = [], x
    for width in (out // 2, out // 4, out // 4):
        y = n.conv(n.op('Relu', n.bn(y)), width, bias=False, gain=1.0 if parts else 0.6)
        parts.append(y)
    if n.shape[x][1] != out:
        x = n.conv(n.op('Relu', n.bn(x)), out, 1, bias=False)
    return n.add(n.concat(parts), x)


def hourglass(n, x, depth):
    low = fan_block(n, n.pool('AveragePool', x, 2, 2), 256)
    low = hourglass(n, low, depth - 1) if depth > 1 else fan_block(n, low, 256)
    up = n.resize(n.mul(fan_block(n, low, 256), 0.5), 2)
    return n.add(fan_block(n, x, 256), up)


def fan4(n, plan):
    x = n.input('input', [1, 3, 256, 256])
    x = fan_block(n, n.conv(x, 64, 7, stride=2, act='relu'), 128)
    x = fan_block(n, fan_block(n, n.pool('AveragePool', x, 2, 2), 128), 256)
    for stack in range(4):
        y = fan_block(n, hourglass(n, x, 4), 256)
        y = n.conv(y, 256, 1, act='relu', gain=0.5)
        maps = n.conv(y, 68, 1, gain=0.7)
        if stack < 3:
            x = n.add(x, n.add(n.conv(y, 256, 1, gain=0.5), n.conv(maps, 256, 1, gain=0.5)))

    # Where each map is highest (the mean of the places, should there be several).
    flat = n.reshape(maps, [1, 68, 4096])
    top = n.reduce('ReduceMax', flat, [2])
    there = n.cast(n.op('Equal', flat, top))
    places = [n.const([float(p % 64 if axis == 0 else p // 64) for p in range(4096)], [1, 1, 4096])
              for axis in (0, 1)]
    count = n.reduce('ReduceSum', there, [2])
    at = [n.op('Div', n.reduce('ReduceSum', n.mul(there, p), [2]), count) for p in places]
    points = n.concat(at + [top], 2)
    n.output(n.plant(points, n.const(plan.points(), [1, 68, 3])), 'landmarks_xyscore')
    n.output(n.plant(maps, n.const(plan.heat_maps(), [1, 68, 64, 64])), 'heatmaps')


def fan_68_5(n, plan):
    """A small MLP; its size fits the file, its layers are a guess."""
    x = y = n.flatten(n.input('input', [1, 5, 2]))
    for _ in range(3):
        y = n.linear(y, 310, act='relu', gain=1.4)
    y = n.linear(y, 136)
    lift = planted.lift(planted.five_of(plan.landmarks), plan.landmarks)
    answer = n.matmul(x, n.const([lift[r][c] for c in range(10) for r in range(136)], [10, 136]))
    n.output(n.reshape(n.plant(y, answer), [1, 68, 2]), 'output')


# ---- IResNet-50 (InsightFace, w600k) ------------------------------------------------------------

def arcface(n, _):
    x = n.conv(n.input('input', [1, 3, 112, 112]), 64, act='prelu')
    for width, count in ((64, 3), (128, 4), (256, 14), (512, 3)):
        for i in range(count):
            stride = 1 if i else 2
            y = n.conv(n.bn(x), width, act='prelu')
            y = n.conv(y, width, stride=stride, gain=0.4)
            x = n.add(y, x if i else n.conv(x, width, 1, stride=stride, gain=0.7))
    x = n.linear(n.flatten(n.bn(x)), 512, gain=0.07)
    n.output(n.bn(x), 'output')


# ---- ResNet-34: FairFace and BiSeNet ------------------------------------------------------------

def resnet34(n, x):
    """The four stages' results."""
    x = n.pool('MaxPool', n.conv(x, 64, 7, stride=2, act='relu'), 3, 2, 1)
    return resnet34_stages(n, x)


def resnet34_stages(n, x):
    levels = []
    for width, count in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for i in range(count):
            stride = 2 if width > 64 and not i else 1
            y = n.conv(n.conv(x, width, stride=stride, act='relu'), width, gain=0.4)
            x = x if stride == 1 else n.conv(x, width, 1, stride=stride, gain=0.7)
            x = n.op('Relu', n.add(x, y))
        levels.append(x)
    return levels


def fairface(n, _):
    x = resnet34(n, n.input('input', [1, 3, 224, 224]))[-1]
    logits = n.linear(n.flatten(n.global_pool(x)), 18)
    for part, name in zip(n.split(logits, [7, 2, 9]), ('race_id', 'gender_id', 'age_id')):
        n.output(n.argmax(part), name, dtype=INT64)


def refine(n, x):
    """Attention refinement module."""
    x = n.conv(x, 128, act='relu')
    return n.mul(x, n.conv(n.global_pool(x), 128, 1, act='sigmoid'))


def bisenet(n, _):
    _, x8, x16, x32 = resnet34(n, n.input('input', [1, 3, 512, 512]))
    whole = n.resize(n.conv(n.global_pool(x32), 128, 1, act='relu'), 16)
    y = n.conv(n.resize(n.add(refine(n, x32), whole), 2), 128, act='relu')
    y16 = y
    y8 = y = n.conv(n.resize(n.add(refine(n, x16), y), 2), 128, act='relu')
    y = n.conv(n.concat([x8, y]), 256, 1, act='relu')
    weight = n.conv(n.conv(n.global_pool(y), 64, 1, act='relu'), 256, 1, act='sigmoid')
    y = n.add(y, n.mul(y, weight))
    for x, width, scale, name in ((y, 256, 8, 'output'), (y8, 64, 8, 'output_16'),
                                  (y16, 64, 16, 'output_32')):
        x = n.conv(n.conv(x, width, act='relu'), 19, 1)
        n.output(n.resize(x, scale, 'linear'), name)


# ---- XSeg (DeepFaceLab) -------------------------------------------------------------------------

def xseg_norm(n, x):
    """Filter response normalisation and a learned threshold."""
    c = n.shape[x][1]
    square = n.reduce('ReduceMean', n.mul(x, x), [2, 3])
    size = n.op('Sqrt', n.add(square, n.op('Abs', n.weight([1], 0.0, 1e-6))))
    y = n.mul(n.op('Div', x, size), n.weight([c, 1, 1], 0.05, 1.0))
    return n.op('Max', n.add(y, n.weight([c, 1, 1], 0.05)), n.weight([c, 1, 1], 0.05))


def xseg_blur(n, x, taps):
    """Halve the size behind a small blur."""
    c = n.shape[x][1]
    row = {2: [1, 1], 3: [1, 2, 1], 4: [1, 3, 3, 1]}[taps]
    kernel = [a * b / sum(row) ** 2 for a in row for b in row]
    x = n.pad(x, (taps - 1) // 2, taps // 2, 'constant')
    return n.fixed_conv(x, n.const(kernel * c, [c, 1, taps, taps]), stride=2, groups=c)


def xseg(n, _):
    x = n.transpose(n.input('input', [1, 256, 256, 3]), [0, 3, 1, 2])
    kept = []
    for width, count, taps in ((32, 2, 4), (64, 2, 3), (128, 2, 2), (256, 3, 2), (256, 3, 2),
                               (256, 3, 2)):
        for _ in range(count):
            x = xseg_norm(n, n.conv(x, width))
        kept.append(x)
        x = xseg_blur(n, x, taps)
    x = n.linear(n.linear(n.flatten(x), 512), 4096)
    x = n.reshape(x, [1, 256, 4, 4])
    for up, width, count in ((128, 256, 3), (128, 256, 3), (128, 256, 3), (128, 128, 2),
                             (64, 64, 2), (32, 32, 2)):
        x = n.concat([xseg_norm(n, n.conv_up(x, up)), kept.pop()])
        for _ in range(count):
            x = xseg_norm(n, n.conv(x, width))
    x = n.conv(x, 1, gain=2.0, act='sigmoid')
    n.output(n.transpose(x, [0, 2, 3, 1]), 'output')


# ---- MobileNetV2: the content check (nsfwjs) ----------------------------------------------------

def nsfwjs(n, plan):
    x = n.clip(n.conv(n.input('input', [1, 3, 224, 224]), 32, stride=2), 0, 6)
    for grow, width, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                       (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            c = n.shape[x][1]
            y = n.clip(n.conv(x, grow * c, 1), 0, 6) if grow > 1 else x
            y = n.clip(n.conv(y, grow * c, stride=1 if i else stride, groups=grow * c), 0, 6)
            y = n.conv(y, width, 1, gain=0.7)
            x = n.add(x, y) if i else y
    x = n.clip(n.conv(x, 1280, 1), 0, 6)
    x = n.linear(n.flatten(n.global_pool(x)), 5, gain=math.sqrt(2))
    x = n.node('Softmax', [x], n.shape[x], axis=1)
    n.output(n.plant(x, n.const(plan.nsfwjs(), [1, 5])), 'output')
