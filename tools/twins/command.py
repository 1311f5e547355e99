"""The command line, the list of twins and the published numbers."""
import argparse
import json
import os
import sys
import time

from twins import age, colour, deep, detect, face, lips, net, planted, portrait, restore, swap, tiny
from twins.planted import Plan

# Of the real files: bytes (a quarter of them is taken as the number of parameters), or parameters
# where the file's size is not known to us; billions of floating point operations, two for each
# multiply-add, where published.
#   yoloface_8n       Ultralytics' YOLOv8n with one class; the landmarks come on top
#   arcface, fairface InsightFace's 6.33 G multiply-adds; ResNet-34 at 224: 3.67 G
#   2dfan4, inswapper_128, gfpgan_1.4   counted in the published architecture
#   real_esrgan_x4    RRDBNet: 16.7 M parameters, 1176.6 G multiply-adds at 256x256
#   retinaface, scrfd 9.98 and 2.53 G multiply-adds at 640x480
#   ddcolor, deoldify_artistic   not known; of ddcolor the encoder is (tests/test_twins.py)
#   deep_swapper, fran   not known
#   live_portrait     LivePortrait's table of its networks: warping 45.53 M and decoder 55.37 M
#   nsfwjs            MobileNetV2: 0.30 G multiply-adds, with five classes
TWINS = {
    # name: builder, file, bytes, parameters, GFLOP
    'yoloface_8n': (detect.yoloface, None, 12659761, None, 8.1),
    'retinaface_10g': (detect.retinaface, None, 16926877, None, 26.6),
    'scrfd_2.5g': (detect.scrfd_2_5g, None, 3295067, None, 6.7),
    '2dfan4': (face.fan4, None, 97904803, None, 51),
    'fan_68_5': (face.fan_68_5, None, 944321, None, None),
    'arcface_w600k_r50': (face.arcface, None, 174388474, None, 12.66),
    'fairface': (face.fairface, None, 85170772, None, 7.34),
    'xseg': (face.xseg, 'xseg_1.onnx', 70324286, None, None),
    'bisenet_resnet_34': (face.bisenet, None, 93632546, None, None),
    'nsfwjs': (face.nsfwjs, None, None, 2.23e6, 0.60),
    'inswapper_128': (swap.inswapper, None, 555303150, None, 350),
    'uniface_256': (swap.uniface, None, None, None, None),
    'hyperswap_1a_256': (swap.hyperswap, None, 402742682, None, None),
    'gfpgan_1.4': (restore.gfpgan, None, 340299087, None, 395),
    'wav2lip_gan_96': (lips.wav2lip, None, None, None, None),
    'edtalk_256': (lips.edtalk, None, None, None, None),
    'real_esrgan_x4': (restore.real_esrgan, None, None, 16.698e6, 2353),
    'deep_swapper_224': (deep.dfm, 'iperov/elon_musk_224.dfm', None, None, None),
    'fran': (deep.fran, None, None, None, None),
    'styleganex_age': (age.styleganex, None, 1340360455, None, None),
    'ddcolor': (colour.ddcolor, None, None, None, None),
    'deoldify_artistic': (colour.deoldify, None, None, None, None),
    'live_portrait_motion_extractor': (portrait.motion_extractor, None, None, 28.12e6, None),
    'live_portrait_feature_extractor': (portrait.feature_extractor, None, 3355900, None, None),
    'live_portrait_generator': (portrait.generator, None, None, 100.9e6, None),
    'live_portrait_eye_retargeter': (portrait.eye_retargeter, None, 580926, None, None),
    'live_portrait_lip_retargeter': (portrait.lip_retargeter, None, 150609, None, None),
    'live_portrait_stitcher': (portrait.stitcher, None, 182881, None, None),
}
# The outputs of the first two have no batch axis; the third moves one face.
FIXED = ('retinaface_10g', 'scrfd_2.5g', 'live_portrait_generator')


def file_of(name):
    return TWINS[name][1] or f'{name}.onnx'


def build(name, plan=None, seed=1, dynamic=False):
    n = net.Net(name, seed, dynamic and name not in FIXED)
    TWINS[name][0](n, plan or Plan())
    return n


def numbers(name, seed=1, dynamic=False):
    """Of the twin and, None where unknown, of the real file."""
    n = build(name, seed=seed, dynamic=dynamic)
    _, _, size, params, gflop = TWINS[name]
    return {'name': name, 'params': n.params, 'gflop': n.gflop(), 'bytes': n.g.message().size,
            'real_params': params or (size // 4 if size else None), 'real_gflop': gflop,
            'real_bytes': size}


def table(rows):
    def cells(own, real, digits):
        if real is None:
            return f'{own:10.{digits}f} {"-":>9} {"":>7}'
        return f'{own:10.{digits}f} {real:9.{digits}f} {100 * (own / real - 1):+6.1f}%'

    print(f'{"":18} {"M params":>10} {"real":>9} {"":>7} {"GFLOP":>10} {"real":>9} {"":>7}'
          f' {"MB":>10} {"real":>9}')
    for r in rows:
        params = cells(r['params'] / 1e6, r['real_params'] and r['real_params'] / 1e6, 2)
        gflop = cells(r['gflop'], r['real_gflop'], 1)
        size = cells(r['bytes'] / 1e6, r['real_bytes'] and r['real_bytes'] / 1e6, 1)
        print(f'{r["name"]:18} {params} {gflop} {size[:20]}')


def arguments():
    p = argparse.ArgumentParser(
        prog='twins.py', description='Write ONNX networks with the published architectures and '
        'tensor contracts, and random weights. Without names: all of them.')
    p.add_argument('names', nargs='*', metavar='NAME', help='; '.join(TWINS))
    p.add_argument('--out', default='.', metavar='DIR', help='folder to write into (.)')
    p.add_argument('--seed', type=int, default=1, metavar='N', help='of the weights (1)')
    p.add_argument('--batch', choices=('1', 'dynamic'), default='1', help='batch size (1)')
    p.add_argument('--count', type=int, metavar='N', help='plant N faces in a 16:9 frame (1)')
    p.add_argument('--faces', metavar='FILE', help='plant these: a JSON list of boxes '
                   '[x1,y1,x2,y2] or of {"box":…, "landmarks":[[x,y] x 5], "score":…}, in pixels '
                   'of the 640x640 canvas')
    p.add_argument('--landmarks', metavar='FILE', help='plant these: a JSON list of 68 [x,y] in '
                   'pixels of the 256x256 crop')
    p.add_argument('--content', choices=('safe', 'unsafe'), default='safe',
                   help="the content check's answer (safe)")
    p.add_argument('--tiny', action='store_true', help='a few nodes for each contract instead')
    p.add_argument('--table', action='store_true', help='write nothing; print parameters, GFLOP '
                   'and size beside those of the real files')
    p.add_argument('--list', action='store_true', help='write nothing; print the names')
    return p.parse_args()


def plan_of(args):
    if args.faces and args.count is not None:
        raise ValueError('--faces and --count exclude each other')
    if args.count is not None and args.count < 0:
        raise ValueError('--count: how many faces?')
    if args.faces:
        faces = planted.read_faces(args.faces)
    else:
        faces = planted.grid(1 if args.count is None else args.count)
    points = planted.read_landmarks(args.landmarks) if args.landmarks else None
    return Plan(faces, points, args.content == 'safe')


def run(args):
    known = tiny.TINY if args.tiny else TWINS
    names = args.names or list(known)
    for name in names:
        if name not in known:
            raise ValueError(f'there is no {"tiny " if args.tiny else ""}{name}; --list shows all')
    if args.list:
        print('\n'.join(names))
        return
    if args.table:
        if args.tiny:
            raise ValueError('--table is about the full networks')
        table([numbers(name, args.seed, args.batch == 'dynamic') for name in names])
        return
    if not net.numpy and not args.tiny:
        print('twins: without NumPy this takes minutes', file=sys.stderr)
    plan, dynamic = plan_of(args), args.batch == 'dynamic'
    for name in names:
        start = time.monotonic()
        n = (tiny.build if args.tiny else build)(name, plan, args.seed, dynamic)
        path = os.path.join(args.out, tiny.file_of(name) if args.tiny else file_of(name))
        os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
        n.g.save(path)
        if dynamic and not n.dynamic:
            print(f'twins: {name} has a fixed batch of one', file=sys.stderr)
        if not args.tiny:
            print(f'{path}: {n.params / 1e6:.2f} M parameters, {n.gflop():.1f} GFLOP, '
                  f'{os.path.getsize(path) / 1e6:.1f} MB, {time.monotonic() - start:.1f} s')


def main():
    try:
        run(arguments())
    except (OSError, TypeError, ValueError, json.JSONDecodeError) as error:
        sys.exit(f'twins: {error}')
