"""The answers that twins of detectors, landmarkers and the content check give whatever they see.

A face is a dict: box [x1, y1, x2, y2] and landmarks (five points) in pixels of the detector's
640x640 canvas, and a score.
"""
import json
import math

CANVAS = (640, 360)   # what of the 640x640 canvas a 16:9 frame covers
CROP, BOX = 256, 195  # landmarkers see the box with its longer side at 195 of 256 pixels
POINT_SCORE = 0.95    # FaceFusion maps 0.9 (2dfan4) and 0.95 (peppa_wutz) to 1


def landmarks_68():
    """A face seen from the front, in pixels of the landmarker's crop, in the usual order."""
    def ring(cx, cy, rx, ry, n):
        """Clockwise from the left."""
        return [(cx - rx * math.cos(2 * math.pi * i / n), cy - ry * math.sin(2 * math.pi * i / n))
                for i in range(n)]

    points = [(128 - 72 * math.cos(math.pi * i / 16), 112 + 102 * math.sin(math.pi * i / 16))
              for i in range(17)]
    for left in (74, 140):
        points += [(left + 10.5 * i, 92 - 6 * math.sin(math.pi * i / 4)) for i in range(5)]
    points += [(128, 112 + 12 * i) for i in range(4)]
    points += [(112 + 8 * i, 158 + (2 - abs(i - 2))) for i in range(5)]
    for centre in (98, 158):
        points += ring(centre, 112, 12, 5, 6)
    points += ring(128, 180, 26, 11, 12) + ring(128, 180, 20, 4, 8)
    return [(round(x, 3), round(y, 3)) for x, y in points]


def five_of(points):
    """Eyes, nose, mouth corners."""
    def middle(part):
        return tuple(sum(p[i] for p in part) / len(part) for i in (0, 1))

    return [middle(points[36:42]), middle(points[42:48]), points[30], points[48], points[54]]


def face(box, landmarks=None, score=0.9):
    x1, y1, x2, y2 = box
    if not (x1 < x2 and y1 < y2):
        raise ValueError(f'a face needs x1 < x2 and y1 < y2: {box}')
    if landmarks is None:
        scale = max(x2 - x1, y2 - y1) / BOX
        landmarks = [((x - CROP / 2) * scale + (x1 + x2) / 2,
                      (y - CROP / 2) * scale + (y1 + y2) / 2)
                     for x, y in five_of(landmarks_68())]
    if len(landmarks) != 5:
        raise ValueError('a face has five landmarks')
    return {'box': list(box), 'landmarks': [list(p) for p in landmarks], 'score': score}


def grid(count, canvas=CANVAS):
    """`count` faces side by side, the first with the highest score."""
    width, height = canvas
    columns = max(1, math.ceil(math.sqrt(count * width / height)))
    if count <= columns:
        columns = max(count, 1)
    rows = max(1, math.ceil(count / columns))
    columns = max(1, math.ceil(count / rows))
    side = round(0.55 * min(width / columns, height / rows))
    faces = []
    for i in range(count):
        x = width * (i % columns + 0.5) / columns
        y = height * (i // columns + 0.5) / rows
        faces.append(face([x - side / 2, y - side / 2, x + side / 2, y + side / 2],
                          score=0.9 - 0.2 * i / count))
    return faces


def read_faces(path):
    """A JSON list of boxes, or of objects with box and, if wanted, landmarks and score."""
    with open(path, encoding='utf-8') as file:
        data = json.load(file)
    return [face(**f) if isinstance(f, dict) else face(f) for f in data]


def read_landmarks(path):
    with open(path, encoding='utf-8') as file:
        points = [(float(x), float(y)) for x, y in json.load(file)]
    if len(points) != 68:
        raise ValueError(f'{path}: {len(points)} points, 68 are needed')
    return points


class Plan:
    """What to plant."""

    def __init__(self, faces=None, landmarks=None, safe=True):
        self.faces = grid(1) if faces is None else faces
        self.landmarks = landmarks or landmarks_68()
        self.safe = safe

    def cells(self, strides=(8, 16, 32), size=640):
        """For each face a cell of its own near its centre, in the coarsest grid that has one left:
        (face, which stride, column, row)."""
        taken = set()
        for f in self.faces:
            x, y = ((f['box'][i] + f['box'][i + 2]) / 2 for i in (0, 1))
            for level in reversed(range(len(strides))):
                n = size // strides[level]
                cell = (level, *(min(max(int(v // strides[level]), 0), n - 1) for v in (x, y)))
                if cell not in taken and cell[1:] != (0, 0):
                    break
            else:
                raise ValueError(f'no free cell for the face at {x:g},{y:g}')
            taken.add(cell)
            yield (f, *cell)

    def yolo(self):
        """[1,20,8400]"""
        n, out, start = 8400, [0.0] * (20 * 8400), (0, 6400, 8000)
        for f, level, column, row in self.cells():
            at = start[level] + row * (80 >> level) + column
            x1, y1, x2, y2 = f['box']
            values = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, f['score']]
            for x, y in f['landmarks']:
                values += [x, y, 0.9]
            for k, v in enumerate(values):
                out[k * n + at] = v
        return out

    def distances(self):
        """SCRFD: for each stride scores [N,1], boxes [N,4], landmarks [N,10]; two anchors a cell,
        the first is used."""
        out = []
        for level in range(3):
            n = 2 * (80 >> level) ** 2
            out.append(([0.0] * n, [0.0] * (4 * n), [0.0] * (10 * n)))
        for f, level, column, row in self.cells():
            stride = 8 << level
            at = 2 * (row * (80 >> level) + column)
            ax, ay = column * stride, row * stride
            x1, y1, x2, y2 = f['box']
            scores, boxes, points = out[level]
            scores[at] = f['score']
            boxes[4 * at:4 * at + 4] = [v / stride for v in (ax - x1, ay - y1, x2 - ax, y2 - ay)]
            points[10 * at:10 * at + 10] = [(p[i] - (ax, ay)[i]) / stride
                                            for p in f['landmarks'] for i in (0, 1)]
        return out

    def yunet(self):
        """For each stride class, objectness, boxes [N,4], landmarks [N,10]; one anchor a cell."""
        out = []
        for level in range(3):
            n = (80 >> level) ** 2
            out.append(([0.0] * n, [1.0] * n, [0.0] * (4 * n), [0.0] * (10 * n)))
        for f, level, column, row in self.cells():
            stride = 8 << level
            at = row * (80 >> level) + column
            a = (column * stride, row * stride)
            x1, y1, x2, y2 = f['box']
            scores, _, boxes, points = out[level]
            scores[at] = f['score']
            boxes[4 * at:4 * at + 4] = [((x1 + x2) / 2 - a[0]) / stride,
                                        ((y1 + y2) / 2 - a[1]) / stride,
                                        math.log((x2 - x1) / stride), math.log((y2 - y1) / stride)]
            points[10 * at:10 * at + 10] = [(p[i] - a[i]) / stride
                                            for p in f['landmarks'] for i in (0, 1)]
        return out

    def points(self):
        """[1,68,3]: x and y in a 64x64 map, score."""
        return [v for x, y in self.landmarks for v in (x / 4, y / 4, POINT_SCORE)]

    def heat_maps(self):
        """[1,68,64,64], a bump each."""
        out = [0.0] * (68 * 4096)
        for i, (x, y) in enumerate(self.landmarks):
            cx, cy = (min(max(round(v / 4), 0), 63) for v in (x, y))
            for row in range(max(cy - 4, 0), min(cy + 5, 64)):
                for column in range(max(cx - 4, 0), min(cx + 5, 64)):
                    d2 = (row - cy) ** 2 + (column - cx) ** 2
                    out[i * 4096 + row * 64 + column] = POINT_SCORE * math.exp(-d2 / 3)
        return out

    def nsfwjs(self):
        """Probabilities of Drawing, Hentai, Neutral, Porn, Sexy."""
        return [0.02, 0.01, 0.94, 0.01, 0.02] if self.safe else [0.01, 0.01, 0.02, 0.94, 0.02]


def lift(template, target):
    """The 136 x 10 matrix that lays 68 points around any five: each is the same affine mixture of
    the five as in the template, with the smallest weights. Moves, turns and scales along."""
    p = [[x / CROP, y / CROP, 1.0] for x, y in template]
    gram = [[sum(r[i] * r[j] for r in p) for j in range(3)] for i in range(3)]
    inverse = invert(gram)
    rows = []
    for x, y in target:
        q = [x / CROP, y / CROP, 1.0]
        t = [sum(inverse[i][j] * q[j] for j in range(3)) for i in range(3)]
        mix = [sum(r[i] * t[i] for i in range(3)) for r in p]
        rows.append([v for m in mix for v in (m, 0.0)])
        rows.append([v for m in mix for v in (0.0, m)])
    return rows


def invert(m):
    """Gauss-Jordan."""
    n = len(m)
    rows = [list(r) + [float(i == j) for j in range(n)] for i, r in enumerate(m)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for k in range(n):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i])]
    return [r[n:] for r in rows]
