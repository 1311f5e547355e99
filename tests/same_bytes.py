#!/usr/bin/python3
"""Two builds of the program, for changes that must not change a byte of any result.

    same_bytes.py OLD NEW [-v] [CASE...]

OLD and NEW are paths of `reprise`; CASE is a word that the names of cases contain. Each command line
is run with both, in folders of their own, and these are compared: exit code, words on stderr where it
failed, lines on stdout of `analyse`, and the file that was written, byte by byte. Where the versions
of the two differ, and so the mark in their files, pixels and packets stand for bytes; the random
numbers of Matroska do not count. A command that fails must be one that is meant to.

Pictures, clips and the models of processors that are not installed are made here; the lite models and
the sample picture come from set-up. One line a case; the last line is N passed, N failed, N skipped.
"""
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest
from multiprocessing.pool import ThreadPool

import e2e
from contracts import common, portrait
from contracts.common import tiny

JOBS = 2  # cases at once: each keeps a core or two busy
ITEMS = ['bounding-box', 'face-landmark-5', 'face-landmark-5/68', 'face-landmark-68',
         'face-landmark-68/5', 'face-mask']
REGIONS = ['skin', 'left-eyebrow', 'right-eyebrow', 'left-eye', 'right-eye', 'mouth', 'upper-lip']
MANY = ['--face-selector-mode', 'many']

# ---- models -------------------------------------------------------------------------------------

# Beside the lite models, which find real faces.
TINY = ['hyperswap_1a_256', 'inswapper_128', 'simswap_256', 'crossface_simswap', 'uniface_256',
        'gfpgan_1.4', 'codeformer', 'gpen_bfr_256', 'modnet', 'u2net_cloth', 'corridor_key_1024',
        'ddcolor', 'deoldify', 'span_kendata_x4', 'real_esrgan_x2', 'xseg_1', 'xseg_2', 'xseg_3',
        'bisenet_resnet_18', 'bisenet_resnet_34']
TINY += portrait.ALL
# All of them made, with planted faces: what of the analysing stage is not installed.
DETECTORS = ['retinaface_10g', 'scrfd_2.5g', 'yunet_2023_mar', 'peppa_wutz']

_lock = threading.Lock()


def lite():
    """The lite models, and tiny ones of the processors."""
    folder = e2e.scratch('lite')
    if not os.path.exists(folder):
        e2e.model_folder('lite')
        for name in TINY:
            tiny.build(name).g.save(f'{folder}/{tiny.file_of(name)}')
    return folder


def planted():
    return common.PAIR.models([*TINY, *DETECTORS, 'classic_256'])


def speck():
    return common.SPECK.models([*TINY, *DETECTORS, 'classic_256'])


def real(model, name):
    """The lite models and one more, weights that lie beside the checkout."""
    folder = e2e.scratch(name)
    if not os.path.exists(folder):
        path = e2e.shared('models/' + model)
        e2e.model_folder(name)
        os.symlink(path, f'{folder}/{name}.onnx')
    return folder


# ---- pictures and clips ---------------------------------------------------------------------------

ALPHA = "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='min(255,X+Y)'"
FACE = 'crop=256:192:96:24'  # of the sample picture, 512x512: the head
MOVES = 'crop=240:180:8+4*n:6'
SOUND = ['-f', 'lavfi', '-i', 'sine=440:d=0.4']


def moving(*encode, size='240:180', frames=7):
    """ffmpeg's words for a short clip of the moving face."""
    w, h = size.split(':')
    return ['-loop', '1', '-framerate', '12', '-i', e2e.PICTURE, *SOUND, '-vf',
            f'{FACE},{MOVES},scale={w}:{h}', '-frames:v', str(frames), '-shortest', *encode]


def transparent(*encode):
    return ['-loop', '1', '-framerate', '12', '-i', e2e.PICTURE, '-vf',
            f'{FACE},{MOVES},{ALPHA}', '-frames:v', '5', *encode]


def h264(pix_fmt):
    return moving('-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', pix_fmt, '-c:a', 'aac')


def still(*filters, alpha=False):
    chain = [FACE, *filters] + [ALPHA] * alpha
    return ['-i', e2e.PICTURE, '-vf', ','.join(chain), '-frames:v', '1']


def gaps(path):
    """A face, three frames of nobody, a face."""
    return ['-i', media('clip.mp4'), '-vf', "drawbox=color=gray:t=fill:enable='between(n,2,4)'", '-an',
            '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', path]


MEDIA = {
    'face.png': lambda: still(),
    'face.jpg': lambda: still(),
    'face.webp': lambda: still(),
    'face.bmp': lambda: still(),
    'face.tiff': lambda: still(),
    'odd.png': lambda: still('scale=233:175'),
    'large.png': lambda: still('scale=1024:768'),
    'turned.png': lambda: still('transpose=1'),
    'nobody.png': lambda: still('drawbox=color=gray:t=fill'),
    'alpha.png': lambda: still(alpha=True),
    'alpha.webp': lambda: still(alpha=True),
    'clip.mp4': lambda: h264('yuv420p'),
    'odd.mkv': lambda: moving('-c:v', 'ffv1', '-pix_fmt', 'yuv420p', size='233:175'),
    'large.mp4': lambda: moving('-c:v', 'libx264', '-pix_fmt', 'yuv420p', size='960:720', frames=4),
    'clip.gif': lambda: moving('-an', frames=4),
    'rgb.mkv': lambda: moving('-c:v', 'libx264rgb', '-qp', '0', '-preset', 'ultrafast'),
    'yuva420p.webm': lambda: transparent('-c:v', 'libvpx-vp9', '-pix_fmt', 'yuva420p', '-deadline',
                                         'realtime'),
    'yuva444p10.mov': lambda: transparent('-c:v', 'prores_ks', '-profile:v', '4444', '-pix_fmt',
                                          'yuva444p10le'),
    'argb.mov': lambda: transparent('-c:v', 'qtrle', '-pix_fmt', 'argb'),
    **{f'{fmt}.mkv': lambda fmt=fmt: h264(fmt)
       for fmt in ('yuv422p', 'yuv444p', 'yuv420p10le', 'yuv422p10le', 'yuv444p10le')},
    **{f'{fmt}.mkv': lambda fmt=fmt: transparent('-c:v', 'ffv1', '-pix_fmt', fmt)
       for fmt in ('yuva422p', 'yuva444p', 'yuva420p10le', 'yuva422p10le')},
}


def media(name):
    """A made file; one of the lists above, or beside the checkout."""
    if name == 'planted.png':
        return common.PAIR.picture()
    if name == 'speck.png':
        return common.SPECK.picture()
    if name == 'planted.mkv':
        return common.PAIR.clip()
    path = e2e.scratch('media-' + name)
    if not os.path.exists(path):
        if name == 'gaps.mp4':
            e2e.ffmpeg(*gaps(path))
        elif name in MEDIA:
            e2e.ffmpeg(*MEDIA[name](), path)
        else:
            path = e2e.shared('media/' + name)
    return path


# ---- cases ----------------------------------------------------------------------------------------


class Case:
    """A command line: "@name" is a file of media(), output a name in the folder of the run. One with
    "refused" in its name must fail."""

    def __init__(self, name, words, output=None, models=lite):
        self.name, self.words, self.output, self.models = name, words, output, models

    def command(self):
        with _lock:
            words = [re.sub('@([^=]+)', lambda m: media(m[1]), w) for w in self.words]
            return [*words, '--models-path', self.models()]


def job(name, target, output, *words, models=lite):
    return Case(name, ['headless-run', '-s', '@face.png', '-t', '@' + target, '-o', output, *words],
                output, models)


def classic(name, target, output, *words, models=lite):
    """The lite swapper, in the mode that needs no reference."""
    return job(name, target, output, '--face-swapper-model', 'classic_256', *MANY, *words,
               models=models)


def analyse(name, *words, models=lite):
    return Case(name, ['analyse', '--json', *words], None, models)


def processors():
    def chain(title, *names, kinds='pv', words=()):
        for kind, target, output in (('p', 'face.png', 'out.png'), ('v', 'clip.mp4', 'out.mp4')):
            if kind in kinds:
                yield job(f'{title} {output[4:]}', target, output, '--processors', *names, *MANY, *words)

    yield from chain('swapper', 'face_swapper')
    for model in ('inswapper_128', 'simswap_256', 'uniface_256', 'classic_256'):
        yield from chain(f'swapper {model}', 'face_swapper', kinds='p',
                         words=['--face-swapper-model', model])
    yield from chain('swapper boost', 'face_swapper', words=['--face-swapper-pixel-boost', '512x512'])
    yield from chain('swapper weight', 'face_swapper', kinds='p',
                     words=['--face-swapper-model', 'inswapper_128', '--face-swapper-weight', '0.2'])
    yield from chain('enhancer', 'face_enhancer')
    yield from chain('enhancer codeformer', 'face_enhancer', kinds='p', words=[
        '--face-enhancer-model', 'codeformer', '--face-enhancer-weight', '0.9'])
    yield from chain('enhancer blend', 'face_enhancer', kinds='p', words=[
        '--face-enhancer-model', 'gpen_bfr_256', '--face-enhancer-blend', '33'])
    yield from chain('expression restorer', 'face_swapper', 'expression_restorer')
    yield from chain('expression restorer lower face', 'face_swapper', 'expression_restorer', kinds='p',
                     words=['--expression-restorer-areas', 'lower-face', '--expression-restorer-factor',
                            '50'])
    yield from chain('face editor', 'face_editor', words=[
        '--face-editor-eye-open-ratio', '0.4', '--face-editor-lip-open-ratio', '-0.6',
        '--face-editor-mouth-smile', '0.45', '--face-editor-head-yaw', '-0.1'])
    yield from chain('lip syncer', 'lip_syncer')
    yield from chain('lip syncer edtalk', 'lip_syncer', kinds='p',
                     words=['--lip-syncer-model', 'edtalk_256', '--lip-syncer-weight', '0.9'])
    yield from chain('colorizer', 'frame_colorizer')
    yield from chain('colorizer deoldify', 'frame_colorizer', words=[
        '--frame-colorizer-model', 'deoldify', '--frame-colorizer-size', '192x192',
        '--frame-colorizer-blend', '70'])
    yield from chain('frame enhancer', 'frame_enhancer',
                     words=['--frame-enhancer-model', 'real_esrgan_x2'])
    yield from chain('remover', 'background_remover', kinds='p')
    yield from chain('remover fill', 'background_remover',
                     words=['--background-remover-fill-color', '0', '200', '50', '255'])
    yield from chain('remover cloth', 'background_remover', kinds='p',
                     words=['--background-remover-model', 'u2net_cloth'])
    yield from chain('remover despill', 'background_remover', kinds='p', words=[
        '--background-remover-model', 'corridor_key_1024', '--background-remover-despill-color', '0',
        '255', '0', '128'])
    for item in ITEMS:
        yield from chain(f'debugger {item}', 'face_debugger', kinds='p',
                         words=['--face-debugger-items', item])
    yield from chain('debugger', 'face_debugger', kinds='v', words=['--face-debugger-items', *ITEMS])
    yield from chain('chain of faces', 'face_swapper', 'face_enhancer', 'face_debugger')
    yield from chain('chain with a larger frame', 'face_swapper', 'frame_enhancer', 'face_enhancer',
                     words=['--output-image-scale', '2', '--output-video-scale', '2',
                            '--frame-enhancer-model', 'real_esrgan_x2'])
    yield from chain('chain of all', 'face_swapper', 'background_remover', 'frame_enhancer',
                     'face_enhancer', 'face_debugger', kinds='p')


def masks():
    for types in (['box'], ['occlusion'], ['area'], ['region'],
                  ['box', 'occlusion', 'area', 'region']):
        words = ['--face-mask-types', *types]
        yield classic(f'mask {" ".join(types)}', 'face.png', 'out.png', *words)
    yield classic('masks of a video', 'clip.mp4', 'out.mp4', '--face-mask-types', 'box', 'occlusion',
                  'region', '--face-mask-regions', *REGIONS)
    yield classic('mask of three occluders', 'face.png', 'out.png', '--face-mask-types', 'occlusion',
                  '--face-occluder-model', 'many')
    yield classic('mask of another parser', 'face.png', 'out.png', '--face-mask-types', 'region',
                  '--face-parser-model', 'bisenet_resnet_18')
    yield classic('mask of an area', 'face.png', 'out.png', '--face-mask-types', 'area',
                  '--face-mask-areas', 'mouth', 'upper-face')
    yield classic('mask padding and blur', 'face.png', 'out.png', '--face-mask-padding', '10', '0',
                  '20', '5', '--face-mask-blur', '0.7')


def faces():
    for model in ('retinaface', 'scrfd', 'yolo_face', 'yunet', 'many'):
        for target in ('planted.png', 'planted.mkv'):
            yield analyse(f'detector {model} {target[8:]}', '--face-detector-model', model, '@' + target,
                          models=planted)
    for model in ('2dfan4', 'peppa_wutz', 'many'):
        yield analyse(f'landmarker {model}', '--face-landmarker-model', model, '@planted.png',
                      models=planted)
    yield job('planted faces', 'planted.mkv', 'out.mkv', *MANY, '--processors', 'face_swapper',
              'face_enhancer', models=planted)
    yield analyse('analyse a picture', '@face.png')
    yield analyse('analyse a video', '@clip.mp4')
    yield analyse('analyse several', '@face.png', '@odd.png', '@nobody.png')
    yield analyse('analyse people', '@obama_and_biden.jpg')
    yield analyse('analyse with yunet', '--face-detector-model', 'yunet', '@obama_and_biden.jpg',
                  models=lambda: real('yunet_2023mar.onnx', 'yunet_2023_mar'))
    yield analyse('angles', '@turned.png', '--face-detector-angles', '0', '90', '180', '270')
    yield analyse('margin', '@face.png', '--face-detector-margin', '20', '10')
    yield classic('angles of a job', 'turned.png', 'out.png', '--face-detector-angles', '0', '270')
    for order in ('left-right', 'small-large', 'best-worst'):
        yield classic(f'selector {order}', 'obama_and_biden.jpg', 'out.png', '--face-selector-mode', 'one',
                      '--face-selector-order', order)
    yield classic('selector age and gender', 'obama_and_biden.jpg', 'out.png', '--face-selector-gender',
                  'male', '--face-selector-age-start', '20', '--face-selector-age-end', '90')
    reference = ['--face-selector-mode', 'reference', '--reference-face-distance', '0.6',
                 '--reference-frame-number', '0', '3', '5']
    yield classic('reference of several frames', 'clip.mp4', 'out.mp4', *reference)
    yield classic('reference with a gap', 'gaps.mp4', 'out.mp4', *reference)
    yield classic('reference among people', 'obama_and_biden.jpg', 'out.png', '--face-selector-mode',
                  'reference', '--reference-face-position', '1')
    yield classic('face map', 'obama_and_biden.jpg', 'out.png', '--face-map',
                  '@face.png=@obama.jpg', '@obama.jpg=@biden.jpg')
    yield classic('no landmarker', 'face.png', 'out.png', '--face-landmarker-score', '0')
    yield classic('nobody', 'nobody.png', 'out.png')
    yield classic('frames of nobody', 'gaps.mp4', 'out.mp4')
    for threads in ('1', '2'):
        yield classic(f'tracker {threads}', 'gaps.mp4', 'out.mp4', '--face-tracker-score', '0.3',
                      '--execution-thread-count', threads)
    yield classic('tracker at two frames', 'gaps.mp4', 'out.mp4', '--face-tracker-score', '0.1',
                  '--target-frame-amount', '4')


def outputs():
    for name in MEDIA:
        kind = name.rsplit('.', 1)[1]
        if name.startswith('face.'):
            yield classic(f'picture {kind}', name, f'out.{kind}')
        elif 'yuv' in name or 'rgb' in name:
            alpha = 'yuva' in name or 'argb' in name
            yield classic(f'format {name}', name, 'out.' + ('webm' if alpha and kind == 'mkv' else kind))
    for kind in ('mp4', 'm4v', 'mkv', 'mov', 'avi', 'webm', 'gif'):
        yield classic(f'container {kind}', 'clip.mp4', f'out.{kind}')
    yield classic('container of a GIF', 'clip.gif', 'out.gif')
    for threads in ('1', '2'):
        yield classic(f'threads {threads}', 'clip.mp4', 'out.mkv', '--execution-thread-count', threads)
    for scale in ('0.5', '0.75', '2'):
        for target, output in (('large.png', 'out.png'), ('large.mp4', 'out.mp4')):
            yield classic(f'scale {scale} {output[4:]}', target, output, '--output-image-scale', scale,
                          '--output-video-scale', scale)
    yield classic('odd picture', 'odd.png', 'out.png')
    yield classic('odd video', 'odd.mkv', 'out.mkv')
    yield classic('odd video smaller', 'odd.mkv', 'out.mkv', '--output-video-scale', '0.5')
    yield classic('speck', 'speck.png', 'out.png', models=speck)
    for name in ('alpha.png', 'alpha.webp'):
        yield classic(f'alpha in {name}', name, 'out.' + name.split('.')[1])
    remover = ['--processors', 'face_swapper', 'background_remover']
    yield classic('alpha made on alpha', 'alpha.png', 'out.png', *remover)
    for output in ('out.webm', 'out.mov'):
        yield classic(f'alpha made {output[4:]}', 'clip.mp4', output, *remover)
    yield classic('alpha made in RGB', 'rgb.mkv', 'out.webm', *remover)
    yield classic('alpha refused', 'clip.mp4', 'out.mp4', *remover)
    yield classic('alpha enlarged', 'yuva420p.webm', 'out.webm', '--processors', 'frame_enhancer',
                  '--frame-enhancer-model', 'real_esrgan_x2', '--output-video-scale', '2')
    yield classic('trim', 'clip.mp4', 'out.mp4', '--trim-frame-start', '2', '--trim-frame-end', '5')
    yield classic('rate', 'clip.mp4', 'out.mp4', '--output-video-fps', '20')
    yield classic('sound encoded', 'clip.mp4', 'out.mp4', '--output-audio-volume', '50')
    yield classic('quality', 'face.png', 'out.jpg', '--output-image-quality', '50')
    yield classic('real clip', 'cisco_vt_2people_320x192_12fps.mp4', 'out.mp4')
    yield classic('real clip trimmed', 'zhling_720p_25fps.mp4', 'out.mp4', '--trim-frame-end', '4')


class CheckStep(Case):
    """The test program of frames in lockstep, of both builds."""

    def __init__(self):
        super().__init__('checkstep', [])


def cases():
    for group in (processors, masks, faces, outputs):
        yield from group()
    yield CheckStep()


# ---- running --------------------------------------------------------------------------------------


class Build:
    def __init__(self, title, program):
        self.title, self.program = title, os.path.abspath(program)
        self.version = subprocess.run([self.program, '--version'], stdout=subprocess.PIPE, check=True,
                                      text=True).stdout

    def run(self, case):
        """Exit code, stdout where it counts, words of a failure, path of the result."""
        folder = e2e.scratch(f'{self.title}-{case.name}'.replace(' ', '_').replace('/', '-'))
        os.makedirs(folder)
        done = subprocess.run([self.program, *case.command()], cwd=folder, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors='replace',
                              timeout=e2e.TIMEOUT)
        path = os.path.join(folder, case.output) if case.output else None
        return (done.returncode, done.stdout if not path else '',
                done.stderr if done.returncode else '', path)

    def checkstep(self):
        tests = os.path.join(os.path.dirname(self.program), 'tests')
        for name in ('checkstep', 'faults'):
            if not os.path.exists(f'{tests}/{name}'):
                raise unittest.SkipTest(f'no {name} in {self.title}\'s build')
        done = subprocess.run([f'{tests}/checkstep', f'{tests}/faults'], stdout=subprocess.PIPE,
                              check=False, text=True)
        return done.returncode, done.stdout, '', None


def hashes(path):
    """Of the decoded frames and of the packets."""
    return [e2e.ffmpeg('-i', path, '-map', '0:v', '-f', 'framemd5', '-'),
            e2e.ffmpeg('-i', path, '-map', '0', '-c', 'copy', '-f', 'framemd5', '-')]


# Matroska: numbers of the segment and of the tracks are drawn, checksums follow from them.
DRAWN = re.compile(rb'(?:\x73\xa4\x90.{8}|\x73\xc5\x88|\x63\xc5\x88).{8}|\xbf\x84.{4}', re.DOTALL)


def contents(path):
    with open(path, 'rb') as file:
        data = file.read()
    return DRAWN.sub(b'', data) if path.endswith(('.mkv', '.webm')) else data


def difference(old, new, versions):
    """What of two results differs, or nothing."""
    for i, what in enumerate(('exit code', 'stdout', 'stderr')):
        if old[i] != new[i]:
            return f'{what}: {str(old[i])[:300]!r} and {str(new[i])[:300]!r}'
    if not old[3] or old[0]:
        return None
    data = [contents(path) for path in (old[3], new[3])]
    if data[0] == data[1] or (versions and hashes(old[3]) == hashes(new[3])):
        return None
    at = next((i for i, (a, b) in enumerate(zip(*data)) if a != b), min(map(len, data)))
    return f'{os.path.basename(old[3])}: {len(data[0])} and {len(data[1])} bytes, first unlike at {at}'


def check(builds, case):
    try:
        if isinstance(case, CheckStep):
            results = [b.checkstep() for b in builds]
        else:
            results = [b.run(case) for b in builds]
    except unittest.SkipTest as why:
        return f'skipped: {why}'
    except (subprocess.SubprocessError, OSError) as error:
        return f'DIFFERS: {error}'
    wrong = difference(*results, builds[0].version != builds[1].version)
    if not wrong and bool(results[0][0]) != ('refused' in case.name):
        wrong = f'exit code of both is {results[0][0]}: {results[0][2].strip()[-300:]}'
    for path in {r[3] for r in results if r[3]}:
        shutil.rmtree(os.path.dirname(path))
    return f'DIFFERS: {wrong}' if wrong else 'same'


def wanted(words):
    return [c for c in cases() if not words or any(w in c.name for w in words)]


def main():
    words = [a for a in sys.argv[1:] if a != '-v']
    if len(words) < 2:
        print(f'usage: {sys.argv[0]} OLD NEW [-v] [CASE...]')
        return 2
    for path in (*(f'{e2e.MODELS}/{name}.onnx' for name in e2e.LITE), e2e.PICTURE):
        if not os.path.exists(path):
            e2e.skip_all(f'no {path}: run scripts/setup.sh --tests')
    if not shutil.which('ffmpeg'):
        e2e.skip_all('no ffmpeg program')
    os.environ['REPRISE_OFFLINE'] = '1'
    builds = Build('old', words[0]), Build('new', words[1])
    count = {'same': 0, 'DIFFERS': 0, 'skipped': 0}
    chosen = wanted(words[2:])

    def timed(case):
        begin = time.monotonic()
        return check(builds, case), time.monotonic() - begin

    with ThreadPool(JOBS) as pool:
        for case, (said, seconds) in zip(chosen, pool.imap(timed, chosen)):
            count[said.split(':')[0]] += 1
            more = f'  {seconds:.1f} s' if '-v' in sys.argv else ''
            print(f'{case.name:36} {said}{more}', flush=True)
    print(f'{count["same"]} passed, {count["DIFFERS"]} failed, {count["skipped"]} skipped')
    return 1 if count['DIFFERS'] or not count['same'] else 0


if __name__ == '__main__':
    sys.exit(main())
