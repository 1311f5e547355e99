"""What the end-to-end tests share: the program, media as arrays, and what may be missing.

Each of them is called with the program to test:

    tests/test_main_job.py build/reprise

Real media lie beside the checkout ($REPRISE_SHARED, else ../shared); tests that need them are
skipped without.
"""
import ctypes
import functools
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')  # other tests have the other cores
try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'reprise')
MODELS = os.environ.get('REPRISE_MODELS') or os.path.join(CACHE, 'models')
PICTURE = os.path.join(CACHE, 'media', 'astronaut.png')
SHARED = os.environ.get('REPRISE_SHARED') or os.path.join(os.path.dirname(ROOT), 'shared')
LITE = ['fr_detect', 'fr_landmark', 'fr_feature', 'fr_age', 'fr_gender', 'nsfwjs', 'classic_256']
TIMEOUT = 600

program = None
whole = False  # --all: long clips from end to end
_work = tempfile.TemporaryDirectory(prefix='reprise-test-')


def main(standins=False):
    """Take the program from the command line, look at what is there, run the tests.

    standins: their networks are stand-ins, also for those of the content check, which only a build
    with -Dcheck_standins=true takes."""
    global program, whole
    if '--all' in sys.argv:
        whole = True
        sys.argv.remove('--all')
    if len(sys.argv) < 2:
        print(f'usage: {sys.argv[0]} PROGRAM [TEST...]')
        sys.exit(2)
    program = os.path.abspath(sys.argv.pop(1))
    for name in LITE:
        if not os.path.exists(f'{MODELS}/{name}.onnx'):
            skip_all(f'no {name}.onnx in {MODELS}: run scripts/setup.sh --tests')
    if not os.path.exists(PICTURE):
        skip_all(f'no {PICTURE}: run scripts/setup.sh --tests')
    for tool in ('ffmpeg', 'ffprobe'):
        if not shutil.which(tool):
            skip_all(f'no {tool} program')
    if standins:
        needs_standins()
    os.environ['REPRISE_OFFLINE'] = '1'  # a test fetches nothing, whatever the machine could
    os.environ.setdefault('LSAN_OPTIONS', f'suppressions={HERE}/lsan.supp:print_suppressions=0')
    # 99: no exit code of the program, so that a finding of a sanitizer is none either
    os.environ.setdefault('ASAN_OPTIONS', 'exitcode=99')
    os.environ.setdefault('UBSAN_OPTIONS', 'halt_on_error=1:print_stacktrace=1:exitcode=99')
    unittest.main(verbosity=1)


def skip_all(why):
    print(f'skipped: {why}')
    sys.exit(77)


@functools.lru_cache
def takes_standins():
    """Does the program take stand-ins for the networks of the content check?"""
    return 'stand-ins' in run('--version').stdout


def needs_standins():
    if not takes_standins():
        skip_all('the program takes no stand-ins for the content check (-Dcheck_standins=true)')


def scratch(name=''):
    """A path in a folder that goes away with the tests."""
    return os.path.join(_work.name, name)


def shared(name):
    """A file beside the checkout; the test is skipped when it is not there."""
    path = os.path.join(SHARED, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f'no shared {name}')
    return path


# ---- the program -------------------------------------------------------------------------------


def run(*args, **kwargs):
    """Run the program. The result has returncode, stdout and stderr (text)."""
    kwargs.setdefault('timeout', TIMEOUT)
    return subprocess.run([program, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors='replace', check=False,
                          **kwargs)


def must(*args, **kwargs):
    """Run the program, which must succeed."""
    result = run(*args, **kwargs)
    if result.returncode:
        raise AssertionError(f'reprise {" ".join(args)}: exit {result.returncode}\n{result.stderr}')
    return result


def analyse(*args):
    """One dict a frame."""
    return [json.loads(line) for line in must('analyse', '--json', *args).stdout.splitlines()]


def swap(source, target, output, *options):
    """Swap a face; the report as a dict."""
    result = must('headless-run', '--json', '--processors', 'face_swapper', '-s', source, '-t',
                  target, '-o', output, *options)
    report = json.loads(result.stdout.splitlines()[-1])
    assert report['event'] == 'report', report
    return report


def model_folder(name, **replaced):
    """A folder of links to the lite models; of those replaced, None leaves one out."""
    folder = scratch(name)
    os.makedirs(folder)
    for lite in LITE:
        path = replaced.get(lite, f'{MODELS}/{lite}.onnx')
        if path:
            os.symlink(path, f'{folder}/{lite}.onnx')
    return folder


# ---- media -------------------------------------------------------------------------------------


def tool(*command):
    """Output of a command that must succeed, bytes."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=TIMEOUT).stdout


def ffmpeg(*args):
    return tool('ffmpeg', '-v', 'error', '-nostdin', '-y', *args)


def probe(path, entries, stream='v:0', *more):
    """Lines of ffprobe."""
    return tool('ffprobe', '-v', 'error', '-select_streams', stream, *more, '-show_entries',
                entries, '-of', 'csv=p=0', path).decode().split()


def size_of(path):
    if path.endswith('.png'):
        with open(path, 'rb') as file:
            return struct.unpack('>8s8xII', file.read(24))[1:]
    return tuple(int(n) for n in probe(path, 'stream=width,height')[0].split(',')[:2])


def read_bmp(path):
    """A picture of 24 bits, [1,h,w,3]; None: it is another."""
    with open(path, 'rb') as file:
        data = file.read()
    at, _, width, height, _, bits, packed = struct.unpack_from('<IIiiHHI', data, 10)
    if data[:2] != b'BM' or height < 0 or (bits, packed) != (24, 0):
        return None
    rows = np.frombuffer(data, np.uint8, height * (-(-width * 3 // 4) * 4), at).reshape(height, -1)
    return rows[None, ::-1, :width * 3].reshape(1, height, width, 3)


def boxes(data, path):
    """What lies in a box of QuickTime: 'moov trak' is the first trak of the first moov."""
    for name in path.encode().split():
        at = 0
        while data[at + 4:at + 8] != name:
            at += int.from_bytes(data[at:at + 4], 'big')
        data = data[at + 8:at + int.from_bytes(data[at:at + 4], 'big')]
    return data


def read_mov(path):
    """Frames of a video of RGB that is not compressed and has nothing beside, [n,h,w,3]; None: it is
    another."""
    with open(path, 'rb') as file:
        data = file.read()
    kind = boxes(data, 'moov trak mdia minf stbl stsd')[8:]
    width, height = struct.unpack_from('>HH', kind, 32)
    if kind[4:8] != b'raw ' or data.count(b'trak') != 1:
        return None
    stride = width * 3 + width % 2
    rgb = np.frombuffer(boxes(data, 'mdat'), np.uint8).reshape(-1, height, stride)
    return rgb[..., :width * 3].reshape(-1, height, width, 3)[..., ::-1]


class PngImage(ctypes.Structure):
    """png_image of png.h"""
    _fields_ = [('opaque', ctypes.c_void_p), *((name, ctypes.c_uint32) for name in (
        'version', 'width', 'height', 'format', 'flags', 'colormap_entries', 'warning_or_error')),
                ('message', ctypes.c_char * 64)]


@functools.lru_cache
def libpng():
    """What most programs read PNG with, the one to test not; None: there is none."""
    try:
        return ctypes.CDLL('libpng16.so.16')
    except OSError:
        return None


def read_png(path):
    """A picture of 8 bits, BGRA [1,h,w,4]; None: it is another."""
    with open(path, 'rb') as file:
        head = file.read(26)
    if head[24:25] != b'\x08' or head[25:26] not in (b'\x02', b'\x06') or not libpng():
        return None
    image = PngImage(version=1)
    good = libpng().png_image_begin_read_from_file(ctypes.byref(image), path.encode())
    image.format = 0x13  # with alpha, in the order BGR
    out = np.empty((1, image.height, image.width, 4), np.uint8)
    if not good or not libpng().png_image_finish_read(ctypes.byref(image), None,
                                                      ctypes.c_void_p(out.ctypes.data), 0, None):
        raise AssertionError(f'{path}: {image.message.decode()}')
    return out


def frames_as(path, pix_fmt, *decode):
    """All frames of a picture or video in a format of FFmpeg's of bytes, [n,h,w,c]."""
    data = ffmpeg(*decode, '-i', path, '-map', '0:v:0', '-fps_mode', 'passthrough', '-f',
                  'image2pipe', '-c:v', 'pam', '-pix_fmt', pix_fmt, '-')
    frames, at = [], 0
    while at < len(data):
        body = data.index(b'ENDHDR\n', at) + 7
        facts = dict(line.split(b' ') for line in data[at:body - 7].splitlines()[1:])
        shape = [int(facts[name]) for name in (b'HEIGHT', b'WIDTH', b'DEPTH')]
        at = body + shape[0] * shape[1] * shape[2]
        frames.append(np.frombuffer(data, np.uint8, at - body, body).reshape(shape))
    return np.stack(frames)


def read_frames(path, alpha=False):
    """All frames of a picture or video, BGR or BGRA [n,h,w,c]. Plain ones are read here: the ffmpeg
    program takes longer to start than they take."""
    plain = {'.bmp': read_bmp, '.mov': read_mov, '.png': read_png}.get(path[-4:], lambda _: None)
    found = plain(path)
    if found is not None:
        return found[..., :4 if alpha else 3]
    return frames_as(path, 'rgba' if alpha else 'rgb24')[..., [2, 1, 0, 3] if alpha else [2, 1, 0]]


def pixels(path):
    """All frames as BGR [n,h,w,3]."""
    return read_frames(path)


def times(path):
    """Timestamps of the frames in seconds, as text."""
    return [line.split(',')[0] for line in probe(path, 'frame=pts_time')]


def packets(path, stream):
    """Time, duration, size and MD5 of each packet of a stream."""
    text = ffmpeg('-i', path, '-map', f'0:{stream}', '-c', 'copy', '-f', 'framemd5', '-').decode()
    return [line.split(',', 1)[1].replace(' ', '') for line in text.splitlines()
            if line and line[0] != '#']


def sample():
    """Target clip and source picture, as `make run` makes them. Of all suites of a run ($REPRISE_SAMPLE, a
    folder) the first makes them."""
    target, source = scratch('target.mp4'), scratch('source.png')
    made = os.environ.get('REPRISE_SAMPLE')
    if not os.path.exists(target) and made and os.path.exists(made):
        shutil.copy(f'{made}/source.png', source)
        shutil.copy(f'{made}/target.mp4', target)
    elif not os.path.exists(target):
        maker = os.path.join(os.path.dirname(program), 'tools', 'make-sample')
        tool(maker, scratch(), PICTURE)
        if made:
            keep_sample(made, source, target)
    return source, target


def keep_sample(folder, *paths):
    """Complete or not at all; another suite may do the same."""
    part = tempfile.mkdtemp(dir=os.path.dirname(folder))
    for path in paths:
        shutil.copy(path, part)
    try:
        os.rename(part, folder)
    except OSError:
        shutil.rmtree(part)


def inside(shape, box, grow=0.0):
    """A map of the pixels in a box, which may be grown by a part of its size."""
    x1, y1, x2, y2 = box
    gx, gy = grow * (x2 - x1), grow * (y2 - y1)
    y, x = np.mgrid[0:shape[0], 0:shape[1]]
    return (x >= x1 - gx) & (x <= x2 + gx) & (y >= y1 - gy) & (y <= y2 + gy)


def overlap(a, b):
    """Intersection over union of two boxes."""
    w = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return w * h / (area - w * h)


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return 99.0 if error == 0 else 10 * np.log10(255 ** 2 / error)


def leftovers(folder):
    """Hidden temporaries of outputs."""
    return [name for name in os.listdir(folder) if '.part' in name]
