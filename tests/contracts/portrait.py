"""LivePortrait in NumPy, for the tests of the expression restorer and the face editor: the tiny
networks of tools/twins/tiny.py, and what is done with the points between them."""
import numpy as np
from contracts import common
from twins import tiny

KINDS, CONTRACTS = [], []

COMMON = ['live_portrait_feature_extractor', 'live_portrait_motion_extractor',
          'live_portrait_generator']
RETARGETERS = ['live_portrait_eye_retargeter', 'live_portrait_lip_retargeter']
ALL = COMMON + RETARGETERS + ['live_portrait_stitcher']
SIZE = 512

# What a face can do: for each of the 21 points the least x, y, z and the greatest.
LIMITS = np.array('''
    -2.88067125e-02 -8.12731311e-02 -1.70541159e-03
        4.46682945e-02 7.08772913e-02 4.08344204e-04
    -4.88598682e-02 -3.32196616e-02 -1.67431499e-04
        2.14308221e-02 6.15894832e-02 4.85319615e-05
    -6.75425082e-02 -4.28681746e-02 -1.98950816e-04
        3.02363783e-02 4.45043296e-02 1.28298725e-05
    -7.23103955e-02 -3.28503326e-02 -7.31324719e-04
        3.05869691e-02 3.79812494e-02 6.57040102e-04
    -3.87073644e-02 -6.01546466e-02 -5.50269964e-04
        4.45670523e-02 3.97259220e-02 7.10966764e-04
    -6.38048723e-02 -2.23840728e-01 -7.13261834e-04
        9.43699256e-02 9.85926315e-02 2.02551950e-04
    -3.02710701e-02 -3.93195450e-02 -8.24086510e-06
        1.61131397e-02 2.92906128e-02 3.44733417e-06
    -2.95799859e-02 -5.39318882e-02 -1.74219604e-04
        5.23825921e-02 1.07065082e-01 6.61510974e-04
    -2.92359516e-02 -1.53050944e-02 -6.30460854e-05
        2.85718683e-03 8.32320191e-03 2.39314613e-04
    -5.56493877e-03 -2.34344602e-02 -1.26858242e-04
        2.57947259e-02 1.60935968e-02 2.41853559e-05
    -4.37593013e-02 -2.77768299e-02 -2.70503685e-02
        4.90833223e-02 3.43903080e-02 3.22353356e-02
    -1.76926646e-02 -1.91676542e-02 -1.15090821e-04
        1.44766076e-02 3.39248963e-02 1.42291479e-04
    -8.34268332e-03 -3.99775570e-03 -3.27481248e-05
        8.75749043e-04 6.82212645e-03 2.76097053e-05
    -3.40162888e-02 -2.81868968e-02 -1.96679524e-04
        1.86958015e-02 3.84016186e-02 7.33085908e-05
    -2.91855410e-02 -3.97511162e-02 -2.81230678e-05
        2.01714113e-02 4.90544215e-02 2.34028921e-05
    -1.50395725e-02 -2.49494594e-02 -9.42573533e-05
        2.46518422e-02 3.29151377e-02 3.48571630e-05
    -1.67938769e-02 -2.00953931e-02 -4.00750607e-04
        2.22457591e-02 1.21796541e-02 1.56396593e-04
    -1.86435618e-02 -2.48535164e-02 -2.74416432e-02
        1.72109623e-02 3.01626958e-02 1.36556877e-02
    -4.61211195e-03 -1.21660791e-02 -2.93173041e-04
        1.83460284e-02 1.61141958e-02 2.87440169e-04
    -4.10017073e-02 -7.43824020e-02 -4.42762971e-02
        3.57594155e-02 1.80554688e-01 2.75554154e-02
    -1.90370996e-02 -3.74363363e-02 -1.34740388e-02
        2.17450950e-02 8.66811201e-02 3.34241726e-02
'''.split(), np.float64).reshape(21, 2, 3)


def limited(expression):
    return np.clip(expression, LIMITS[:, 0], LIMITS[:, 1])


# ---- the tiny networks --------------------------------------------------------------------------

def seen(crop):
    """What the networks see of a crop, RGB 0..1 [256,256,3]: the mean of 2x2 pixels, 8 bits."""
    total = crop.reshape(256, 2, 256, 2, 3).sum((1, 3), dtype=int)
    return (total + 2 >> 2)[..., ::-1] / 255


def motion(picture):
    x = picture.reshape(2, 128, 2, 128, 3).mean((1, 3)).transpose(2, 0, 1).reshape(12)
    out = {name: x @ np.array(tiny.motion_gains(name)) + plus
           for name, (_, _, plus) in tiny.MOTION.items()}
    for name in ('expression', 'motion_points'):
        out[name] = out[name].reshape(21, 3)
    return out


def generate(picture, source, target):
    """The new crop, BGR 8 bits."""
    small = picture.reshape(64, 4, 64, 4, 3).mean((1, 3))
    out = 0.375 + 0.25 * small.repeat(8, 0).repeat(8, 1)
    for c, values in enumerate((12 * (source - target), 0.2 * source, 0.2 * target)):
        values = values.reshape(63)
        cells = np.append(values, values[0]).reshape(8, 8)
        out[..., c] += cells.repeat(64, 0).repeat(64, 1)
    return (np.clip(out, 0, 1).astype(np.float32) * np.float32(255)).astype(np.uint8)[..., ::-1]


def stitch(source, target):
    return 0.75 * source + 0.25 * target


def retarget(points, ratios, wish):
    shares = {2: (0.03, -0.02), 1: (0.03,)}[len(ratios)]
    return 0.01 * points + np.dot(shares, ratios) + 0.02 * wish


# ---- points -------------------------------------------------------------------------------------

def rotation(pitch, yaw, roll):
    """About x, then y, then z; degrees."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([float(a) for a in (pitch, yaw, roll)]))
                                  for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def points(face, expression=None, turn=None):
    """Of a face's motion, with another expression or rotation if given."""
    turn = rotation(face['pitch'][0], face['yaw'][0], face['roll'][0]) if turn is None else turn
    expression = face['expression'] if expression is None else expression
    return face['scale'] * (face['motion_points'] @ turn.T + expression) + face['translation']


def cut_scaled(frame, five, template, scale):
    """A crop of a face whose points were scaled about the nose."""
    five = np.asarray(five, np.float64)
    return common.cut(frame, five[2] + scale * (five - five[2]), template, SIZE)
