"""Finding faces: YOLOv8n-face and SCRFD."""

# ---- YOLOv8n with five landmarks (Ultralytics, derronqi) ----------------------------------------

def c2f(n, x, out, repeats, shortcut):
    parts = n.split(n.conv(x, out, 1, act='silu'), [out // 2] * 2)
    for _ in range(repeats):
        y = n.conv(n.conv(parts[-1], out // 2, act='silu'), out // 2, act='silu')
        parts.append(n.add(parts[-1], y) if shortcut else y)
    return n.conv(n.concat(parts), out, 1, act='silu')


def sppf(n, x, out):
    parts = [n.conv(x, out // 2, 1, act='silu')]
    for _ in range(3):
        parts.append(n.pool('MaxPool', parts[-1], 5, 1, 2))
    return n.conv(n.concat(parts), out, 1, act='silu')


def yoloface(n, plan):
    x = n.input('input', [1, 3, 640, 640])
    x = n.conv(n.conv(x, 16, stride=2, act='silu'), 32, stride=2, act='silu')
    p3 = c2f(n, n.conv(c2f(n, x, 32, 1, True), 64, stride=2, act='silu'), 64, 2, True)
    p4 = c2f(n, n.conv(p3, 128, stride=2, act='silu'), 128, 2, True)
    p5 = sppf(n, c2f(n, n.conv(p4, 256, stride=2, act='silu'), 256, 1, True), 256)

    t4 = c2f(n, n.concat([n.resize(p5, 2), p4]), 128, 1, False)
    t3 = c2f(n, n.concat([n.resize(t4, 2), p3]), 64, 1, False)
    t4 = c2f(n, n.concat([n.conv(t3, 64, stride=2, act='silu'), t4]), 128, 1, False)
    t5 = c2f(n, n.concat([n.conv(t4, 128, stride=2, act='silu'), p5]), 256, 1, False)

    boxes, scores, points = [], [], []
    for t in (t3, t4, t5):
        cells = n.shape[t][2] ** 2
        for width, out, to in ((64, 64, boxes), (64, 1, scores), (16, 15, points)):
            y = n.conv(n.conv(t, width, act='silu'), width, act='silu')
            to.append(n.reshape(n.conv(y, out, 1), [1, out, cells]))

    cells = [(x, y, 640 // side) for side in (80, 40, 20) for y in range(side) for x in range(side)]
    count = len(cells)
    stride = n.const([s for _, _, s in cells], [1, 1, count])
    corner = n.const([c[i] for i in (0, 1) for c in cells], [1, 2, count])
    centre = n.add(corner, 0.5)

    # A side's distance is the mean of a distribution over 0..15.
    y = n.transpose(n.reshape(n.concat(boxes, 2), [1, 4, 16, count]), [0, 2, 1, 3])
    y = n.node('Softmax', [y], n.shape[y], axis=1)
    y = n.fixed_conv(y, n.const([float(i) for i in range(16)], [1, 16, 1, 1]))
    low, high = n.split(n.reshape(y, [1, 4, count]), [2, 2])
    middle = n.add(n.mul(n.op('Sub', high, low), 0.5), centre)
    box = n.mul(n.concat([middle, n.add(high, low)]), stride)

    score = n.op('Sigmoid', n.concat(scores, 2))
    at, sure = n.split(n.reshape(n.concat(points, 2), [1, 5, 3, count]), [2, 1], 2)
    at = n.mul(n.add(n.mul(at, 2.0), corner), stride)
    point = n.reshape(n.concat([at, n.op('Sigmoid', sure)], 2), [1, 15, count])

    out = n.plant(n.concat([box, score, point]), n.const(plan.yolo(), [1, 20, count]))
    n.output(out, 'output')


# ---- SCRFD (InsightFace): a ResNet found by search, PAFPN, heads of their own -------------------

def basic_block(n, x, out, stride):
    y = n.conv(n.conv(x, out, stride=stride, act='relu'), out, gain=0.5)
    if stride > 1:
        x = n.pool('AveragePool', x, 2, 2)
    if n.shape[x][1] != out:
        x = n.conv(x, out, 1, gain=0.7)
    return n.op('Relu', n.add(x, y))


def scrfd(n, plan, blocks, planes, base, neck, feat, stacked):
    x = n.input('input', [1, 3, 640, 640], batch=False)
    x = n.conv(x, base // 2, stride=2, act='relu')
    x = n.conv(n.conv(x, base // 2, act='relu'), base, act='relu')
    x = n.pool('MaxPool', x, 3, 2, 1)
    levels = []
    for stage, (count, out) in enumerate(zip(blocks, planes)):
        for i in range(count):
            x = basic_block(n, x, out, 2 if stage and not i else 1)
        levels.append(x)

    lateral = [n.conv(x, neck, 1, gain=0.7) for x in levels[1:]]
    for i in (1, 0):
        lateral[i] = n.add(lateral[i], n.resize(lateral[i + 1], 2))
    levels = [n.conv(x, neck, gain=0.7) for x in lateral]
    for i in (0, 1):
        levels[i + 1] = n.add(levels[i + 1], n.conv(levels[i], neck, stride=2, gain=0.7))
    levels = levels[:1] + [n.conv(x, neck, gain=0.7) for x in levels[1:]]

    outputs = [[], [], []]
    for x, planted in zip(levels, plan.distances()):
        for _ in range(stacked):
            x = n.conv(x, feat, act='relu')
        cells = n.shape[x][2] ** 2
        for kind, size in enumerate((1, 4, 10)):
            y = n.transpose(n.conv(x, 2 * size, gain=0.5), [0, 2, 3, 1])
            y = n.reshape(y, [2 * cells, size], batch=False)
            y = y if kind else n.op('Sigmoid', y)
            outputs[kind].append(n.plant(y, n.const(planted[kind], [2 * cells, size])))
    for kind, name in enumerate(('score', 'bbox', 'kps')):
        for level, y in enumerate(outputs[kind]):
            n.output(y, f'{name}_{8 << level}', batch=False)


def retinaface(n, plan):
    scrfd(n, plan, (3, 4, 2, 3), (56, 88, 88, 224), 56, 56, 80, 3)


def scrfd_2_5g(n, plan):
    scrfd(n, plan, (3, 5, 3, 2), (24, 48, 48, 80), 24, 24, 64, 2)
