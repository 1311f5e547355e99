"""FaceFusion 3.8.1's command line as facts: commands, options, choices, ranges, defaults, sections of
its config file; and the command lines of its own end-to-end tests.

Nothing here is taken from the program under test: tests/test_dropin.py holds the program and
docs/facefusion.md against it.
"""
from dataclasses import dataclass, field

# ---- commands -----------------------------------------------------------------------------------

WORKS, ABSENT = 'works', 'not there'

COMMANDS = {
    'run': WORKS, 'headless-run': WORKS, 'batch-run': WORKS, 'force-download': WORKS,
    'benchmark': WORKS, 'job-list': WORKS, 'job-create': WORKS, 'job-submit': WORKS,
    'job-submit-all': WORKS, 'job-delete': WORKS, 'job-delete-all': WORKS, 'job-add-step': WORKS,
    'job-remix-step': WORKS, 'job-insert-step': WORKS, 'job-remove-step': WORKS, 'job-run': WORKS,
    'job-run-all': WORKS, 'job-retry': WORKS, 'job-retry-all': WORKS,
}

# ---- options ------------------------------------------------------------------------------------


@dataclass
class Number:
    """Whole if its step is; `most` of them, if it is a list."""
    low: float
    high: float
    step: float = 1
    most: int = 0

    def __str__(self):
        form = '{:g}' if self.step >= 1 else '{:.2f}'
        text = f'{form.format(self.low)} to {form.format(self.high)}'
        if self.step != 1:
            text += f' by {self.step:g}'
        return text + (f'; up to {self.most}' if self.most else '')


@dataclass
class Choice:
    names: str
    list: bool = False

    def __iter__(self):
        return iter(self.names.split())

    def __str__(self):
        return ('any of ' if self.list else '') + ', '.join(self)


PATH, PATHS, FLAG, ANY_INT, ANY_INTS = 'a path', 'paths', 'a flag', 'a whole number', 'whole numbers'
SHARE, PERCENT, SLIDER = Number(0, 1, 0.05), Number(0, 100), Number(-1, 1, 0.05)
SIDES, COLOUR, SCALE = Number(0, 100, 1, 4), Number(0, 255, 1, 4), Number(0.25, 8, 0.25)
DEEP = '157 names, custom/…'
FPS = '1 to 60'

OPTIONS = {
    'paths': {
        'temp-path': (PATH, None), 'jobs-path': (PATH, None), 'source-paths': (PATHS, None),
        'target-path': (PATH, None), 'output-path': (PATH, None)},
    'patterns': {
        'source-pattern': (PATH, None), 'target-pattern': (PATH, None),
        'output-pattern': (PATH, None)},
    'face_detector': {
        'face-detector-model': (Choice('many retinaface scrfd yolo_face yunet'), 'yolo_face'),
        'face-detector-size': (Choice('160x160 320x320 480x480 512x512 640x640'), None),
        'face-detector-margin': (SIDES, '0'),
        'face-detector-angles': (Choice('0 90 180 270', True), '0'),
        'face-detector-score': (SHARE, '0.5')},
    'face_landmarker': {
        'face-landmarker-model': (Choice('many 2dfan4 peppa_wutz'), '2dfan4'),
        'face-landmarker-score': (SHARE, '0.5')},
    'face_selector': {
        'face-selector-mode': (Choice('many one reference'), 'reference'),
        'face-selector-order': (Choice('left-right right-left top-bottom bottom-top small-large '
                                       'large-small best-worst worst-best'), 'large-small'),
        'face-selector-age-start': (PERCENT, None), 'face-selector-age-end': (PERCENT, None),
        'face-selector-gender': (Choice('auto female male'), None),
        'face-selector-race': (Choice('auto white black latino asian indian arabic'), None),
        'reference-face-position': (ANY_INT, '0'), 'reference-face-distance': (SHARE, '0.3'),
        'reference-frame-number': (ANY_INT, '0')},
    'face_tracker': {'face-tracker-score': (Number(0, 0.5, 0.05), '0.0')},
    'face_masker': {
        'face-occluder-model': (Choice('many xseg_1 xseg_2 xseg_3'), 'xseg_1'),
        'face-parser-model': (Choice('bisenet_resnet_18 bisenet_resnet_34'), 'bisenet_resnet_34'),
        'face-mask-types': (Choice('box occlusion area region', True), 'box'),
        'face-mask-areas': (Choice('upper-face lower-face mouth', True),
                            'upper-face lower-face mouth'),
        'face-mask-regions': (Choice('skin left-eyebrow right-eyebrow left-eye right-eye glasses '
                                     'nose mouth upper-lip lower-lip', True),
                              'skin left-eyebrow right-eyebrow left-eye right-eye glasses nose '
                              'mouth upper-lip lower-lip'),
        'face-mask-blur': (SHARE, '0.3'), 'face-mask-padding': (SIDES, '0')},
    'voice_extractor': {
        'voice-extractor-model': (Choice('kim_vocal_1 kim_vocal_2 uvr_mdxnet'), 'kim_vocal_2')},
    'frame_extraction': {
        'trim-frame-start': (ANY_INT, None), 'trim-frame-end': (ANY_INT, None),
        'temp-frame-format': (Choice('bmp jpeg png tiff'), None),
        'temp-pixel-format': (Choice('bgr24 bgra'), None)},
    'frame_distribution': {'target-frame-amount': (Number(0, 10), '2')},
    'output_creation': {
        'output-image-quality': (PERCENT, '80'), 'output-image-scale': (SCALE, '1.0'),
        'output-audio-encoder': (Choice('flac aac libmp3lame libopus libvorbis pcm_s16le '
                                        'pcm_s32le'), None),
        'output-audio-quality': (PERCENT, '80'), 'output-audio-volume': (PERCENT, '100'),
        'output-video-encoder': (Choice('libx264 libx264rgb libx265 libvpx-vp9 h264_nvenc '
                                        'hevc_nvenc h264_amf hevc_amf h264_qsv hevc_qsv '
                                        'h264_videotoolbox hevc_videotoolbox rawvideo'), None),
        'output-video-preset': (Choice('ultrafast superfast veryfast faster fast medium slow '
                                       'slower veryslow'), 'veryfast'),
        'output-video-quality': (PERCENT, '80'), 'output-video-scale': (SCALE, '1.0'),
        'output-video-fps': (FPS, None)},
    'workflow': {
        'workflow-mode': (Choice('auto image-to-image image-to-video'), None),
        'workflow-strategy': (Choice('disk memory'), None)},
    'processors': {
        'processors': (Choice('age_modifier background_remover deep_swapper expression_restorer '
                              'face_debugger face_editor face_enhancer face_swapper '
                              'frame_colorizer frame_enhancer lip_syncer', True), 'face_swapper'),
        'age-modifier-model': (Choice('fran styleganex_age'), 'fran'),
        'age-modifier-direction': (Number(-100, 100), '0'),
        'background-remover-model': (Choice('ben_2 birefnet_general birefnet_portrait '
                                            'corridor_key_1024 corridor_key_2048 isnet_general '
                                            'modnet ormbg rmbg_1.4 rmbg_2.0 silueta u2net_cloth '
                                            'u2net_general u2net_human u2netp'), 'modnet'),
        'background-remover-fill-color': (COLOUR, '0 0 0 0'),
        'background-remover-despill-color': (COLOUR, '0 0 0 0'),
        'deep-swapper-model': (DEEP, 'iperov/elon_musk_224'),
        'deep-swapper-morph': (PERCENT, '100'),
        'expression-restorer-model': (Choice('live_portrait'), 'live_portrait'),
        'expression-restorer-factor': (PERCENT, '80'),
        'expression-restorer-areas': (Choice('upper-face lower-face', True),
                                      'upper-face lower-face'),
        'face-debugger-items': (Choice('bounding-box face-landmark-5 face-landmark-5/68 '
                                       'face-landmark-68 face-landmark-68/5 face-mask', True),
                                'face-landmark-5/68 face-mask'),
        'face-editor-model': (Choice('live_portrait'), 'live_portrait'),
        **{f'face-editor-{what}': (SLIDER, '0') for what in (
            'eyebrow-direction eye-gaze-horizontal eye-gaze-vertical eye-open-ratio '
            'lip-open-ratio mouth-grim mouth-pout mouth-purse mouth-smile '
            'mouth-position-horizontal mouth-position-vertical head-pitch head-yaw head-roll'
        ).split()},
        'face-enhancer-model': (Choice('codeformer gfpgan_1.2 gfpgan_1.3 gfpgan_1.4 gpen_bfr_256 '
                                       'gpen_bfr_512 gpen_bfr_1024 gpen_bfr_2048 '
                                       'restoreformer_plus_plus'), 'gfpgan_1.4'),
        'face-enhancer-blend': (PERCENT, '80'), 'face-enhancer-weight': (SHARE, '0.5'),
        'face-swapper-model': (Choice('blendswap_256 ghost_1_256 ghost_2_256 ghost_3_256 '
                                      'hififace_unofficial_256 hyperswap_1a_256 hyperswap_1b_256 '
                                      'hyperswap_1c_256 inswapper_128 inswapper_128_fp16 '
                                      'simswap_256 simswap_unofficial_512 uniface_256'),
                               'hyperswap_1a_256'),
        'face-swapper-pixel-boost': (Choice('128x128 256x256 384x384 512x512 768x768 1024x1024'),
                                     None),
        'face-swapper-weight': (SHARE, '0.5'),
        'frame-colorizer-model': (Choice('ddcolor ddcolor_artistic deoldify deoldify_artistic '
                                         'deoldify_stable'), 'ddcolor'),
        'frame-colorizer-size': (Choice('192x192 256x256 384x384 512x512'), '256x256'),
        'frame-colorizer-blend': (PERCENT, '100'),
        'frame-enhancer-model': (Choice('clear_reality_x4 face_dat_x4 nomos8k_sc_x4 '
                                        'real_esrgan_x2 real_esrgan_x2_fp16 real_esrgan_x4 '
                                        'real_esrgan_x4_fp16 real_esrgan_x8 real_esrgan_x8_fp16 '
                                        'real_hatgan_x4 real_web_photo_x4 realistic_rescaler_x4 '
                                        'remacri_x4 siax_x4 span_kendata_x4 swin2_sr_x4 '
                                        'tghq_face_x8 ultra_sharp_x4 ultra_sharp_2_x4'),
                                 'span_kendata_x4'),
        'frame-enhancer-blend': (PERCENT, '80'),
        'lip-syncer-model': (Choice('edtalk_256 wav2lip_96 wav2lip_gan_96'), 'wav2lip_gan_96'),
        'lip-syncer-weight': (SHARE, '0.5')},
    'uis': {
        'open-browser': (FLAG, None),
        'ui-layouts': (Choice('benchmark default jobs webcam', True), None),
        'ui-workflow': (Choice('instant_runner job_runner job_manager'), None)},
    'download': {
        'download-providers': (Choice('github huggingface', True), 'github huggingface'),
        'download-scope': (Choice('lite full'), 'lite')},
    'benchmark': {
        'benchmark-mode': (Choice('warm cold'), 'warm'),
        'benchmark-resolutions': (Choice('240p 360p 540p 720p 1080p 1440p 2160p', True), None),
        'benchmark-cycle-count': (Number(1, 10), '5')},
    'execution': {
        'execution-device-ids': (ANY_INTS, '0'),
        'execution-providers': (Choice('cuda tensorrt rocm migraphx coreml openvino qnn directml '
                                       'cpu', True), 'cpu'),
        'execution-thread-count': (Number(1, 32), '8')},
    'memory': {'video-memory-strategy': (Choice('strict moderate tolerant'), None)},
    'misc': {
        'log-level': (Choice('error warn info debug'), 'info'), 'halt-on-error': (FLAG, None)},
}
# On command lines only.
NO_KEY = {'config-path': (PATH, None)}
LETTERS = {'source-paths': 's', 'target-path': 't', 'output-path': 'o'}

PROCESSORS = OPTIONS['processors']['processors'][0].names.split()

# Each option is of one of these classes; what is not named here works.
NO_EFFECT = {
    'temp-path', 'jobs-path', 'temp-frame-format', 'temp-pixel-format', 'workflow-mode',
    'workflow-strategy', 'open-browser', 'ui-layouts', 'ui-workflow', 'benchmark-resolutions',
    'video-memory-strategy', 'halt-on-error'}
# Of those, and of the patterns, which headless-run does not take: what batch-run uses. The job commands
# use the first two.
OF_JOBS = {'jobs-path', 'halt-on-error'}
OF_BATCH_RUN = {'source-pattern', 'target-pattern', 'output-pattern'}

# Choices that are not there, and what the sentence calls them.
NO_CHOICE = {
    'execution-providers': {
        'rocm': 'AMD', 'migraphx': 'AMD', 'coreml': 'Apple', 'openvino': 'Intel',
        'qnn': 'Qualcomm', 'directml': 'Windows'},
    'output-video-encoder': {
        'h264_amf': 'AMD', 'hevc_amf': 'AMD', 'h264_videotoolbox': 'Apple',
        'hevc_videotoolbox': 'Apple'},
}
# Those that are there where FFmpeg was built with them.
OF_FFMPEG = {'h264_qsv': 'Intel', 'hevc_qsv': 'Intel', 'h264_nvenc': 'NVIDIA',
             'hevc_nvenc': 'NVIDIA'}

# Of earlier versions: section, an example, and the name today; '' is taken without effect, and of
# the last the sentence names what to use.
FORMER = {
    'keep-temp': ('frame_extraction', None, ''),
    'system-memory-limit': ('memory', '4', ''),
    'execution-queue-count': ('execution', '2', ''),
    'background-remover-color': ('processors', '0 255 0 255', 'background-remover-fill-color'),
}
FORMER_REFUSED = {
    'output-image-resolution': ('output_creation', '640x480', 'output-image-scale'),
    'output-video-resolution': ('output_creation', '640x480', 'output-video-scale'),
}


def options():
    """Name, section (None: no key), kind, default."""
    for section, of_section in [*OPTIONS.items(), (None, NO_KEY)]:
        for name, (kind, default) in of_section.items():
            yield name, section, kind, default


def examples(kind):
    """Lists of words, each of which FaceFusion takes as the value."""
    if isinstance(kind, Choice):
        return [list(kind)] if kind.list else [[name] for name in kind]
    if isinstance(kind, Number):
        ends = [f'{v:.2f}' if kind.step < 1 else f'{v:.0f}' for v in (kind.low, kind.high)]
        return [[end] * (kind.most or 1) for end in ends]
    return {PATH: [['x']], PATHS: [['x', 'y']], FLAG: [[]], ANY_INT: [['1']], ANY_INTS: [['0', '1']],
            DEEP: [['iperov/elon_musk_224'], ['custom/mine']], FPS: [['1'], ['29.97'], ['60']]}[kind]


# ---- the lines of its own tests -----------------------------------------------------------------

@dataclass
class Line:
    """Words after the program's name; {examples}, {jobs} and {outputs} are folders, {scale} is each
    of the sizes in turn."""
    file: str
    words: str
    output: str = ''
    sizes: dict = field(default_factory=dict)
    outputs: tuple = ()      # of a batch; one more is not there
    test: str = ''           # lines of one test follow each other, from empty folders on
    codes: tuple = (0,)      # run so often, with these exit codes
    failed: bool = False     # before it all jobs are moved to the failed ones


def _picture_and_video(name, more='', kind='', source=''):
    """What most of its files do: once with a picture, once with the first frame of a video."""
    for suffix, trim in (('jpg', ''), ('mp4', ' --trim-frame-end 1')):
        out = f'test-{name.replace("_", "-")}.{suffix}'
        yield Line(f'test_cli_{name}', f'headless-run --jobs-path {{jobs}} --processors {name}{more}'
                   f'{source} -t {{examples}}/target-240p{kind}.{suffix} -o {{outputs}}/{out}{trim}',
                   out)


def _scales():
    sizes = {'0.5': (212, 112), '1.0': (426, 226), '2.0': (852, 452), '8.0': (3408, 1808)}
    for what, suffix, trim in (('image', 'jpg', ''), ('video', 'mp4', ' --trim-frame-end 1')):
        out = f'test-output-{what}-scale-{{scale}}.{suffix}'
        yield Line('test_cli_output_scale', 'headless-run --jobs-path {jobs} --processors '
                   f'frame_enhancer -t {{examples}}/target-240p.{suffix} -o {{outputs}}/{out} '
                   f'--output-{what}-scale {{scale}}{trim}', out, sizes=sizes)


def _batches():
    debug = ('batch-run --jobs-path {jobs} --processors face_debugger '
             '-t {examples}/target-240p-batch-*.jpg -o {outputs}/test-batch-run-{index}.jpg')
    swap = ('batch-run --jobs-path {jobs} -s {examples}/target-240p-batch-*.jpg '
            '-t {examples}/target-240p-batch-*.jpg -o {outputs}/test-batch-run-{index}.jpg')
    for words, items in ((debug, 2), (swap, 4)):
        yield Line('test_cli_batch_runner', words, test=f'batch of {items}',
                   outputs=tuple(f'test-batch-run-{i}.jpg' for i in range(items + 1)))


# Lines that are more than `job-VERB test-job-NAME`.
_LONG = {
    'add': 'job-add-step {} --jobs-path {{jobs}} -s {{examples}}/source.jpg '
           '-t {{examples}}/target-240p.jpg -o {{outputs}}/output.jpg',
    'add-video': 'job-add-step {} --jobs-path {{jobs}} -s {{examples}}/source.jpg '
                 '-t {{examples}}/target-240p.mp4 -o {{outputs}}/output.mp4 --trim-frame-end 1',
    'remix': 'job-remix-step {} --jobs-path {{jobs}} -s {{examples}}/source.jpg '
             '-o {{outputs}}/output.jpg',
    'insert': 'job-insert-step {} --jobs-path {{jobs}} -s {{examples}}/source.jpg '
              '-t {{examples}}/target-240p.jpg -o {{outputs}}/output.jpg',
}
# Each list is a test; after a colon the exit codes of a line that is not run just once, with 0. With ^
# before it all jobs are moved to the failed ones.
_MANAGER = [
    ['list drafted:1', 'create list', 'list drafted', 'list queued:1'],
    ['create create:01'],
    ['submit submit:1', 'create submit:01', 'add submit', 'submit submit:01'],
    ['submit-all:1', 'create all-1', 'create all-2', 'add all-1', 'add all-2', 'submit-all:01'],
    ['delete delete:1', 'create delete', 'delete delete:01'],
    ['delete-all:1', 'create all-1', 'create all-2', 'delete-all:01'],
    ['add add:1', 'create add', 'add add'],
    ['remix remix 0:1', 'create remix', 'add remix', 'remix remix 0', 'remix remix -1'],
    ['insert insert 0:1', 'create insert', 'add insert', 'insert insert 0', 'insert insert -1'],
    ['remove-step remove 0:1', 'create remove', 'add remove:00', 'remove-step remove 0',
     'remove-step remove -1:01'],
]
_RUNNER = [
    ['run run:1', 'create run', 'add run', 'run run:1', 'submit run', 'run run:01'],
    ['run-all:1', 'create all-1', 'create all-2', 'add all-1', 'add-video all-2', 'add-video all-2',
     'run-all:1', 'submit-all', 'run-all:01'],
    ['retry retry:1', 'create retry', 'add retry', 'submit retry', '^retry retry:01'],
    ['retry-all:1', 'create all-1', 'create all-2', 'add all-1', 'add-video all-2',
     'add-video all-2', '^retry-all:01'],
]


def _jobs(file, tests):
    for test in tests:
        for line in test:
            line, _, codes = line.partition(':')
            verb, *rest = line.lstrip('^').split()
            if rest and verb != 'list':
                rest[0] = f'test-job-{rest[0]}'
            words = _LONG[verb].format(' '.join(rest)) if verb in _LONG else \
                ' '.join([f'job-{verb}', *rest, '--jobs-path', '{jobs}'])
            if verb.endswith('-all'):
                words += ' --halt-on-error'
            yield Line(file, words, test=f'{test[0].split(":")[0]} …', failed=line[0] == '^',
                       codes=tuple(int(c) for c in codes) or (0,))


def lines():
    """Rebuilt from what each test does; two runs of the same line in a row stand once."""
    yield from _picture_and_video('age_modifier', ' --age-modifier-direction 100')
    yield from _picture_and_video('background_remover')
    yield from _batches()
    for name in ('expression_restorer', 'face_debugger', 'face_editor', 'face_enhancer'):
        yield from _picture_and_video(name)
    yield from _picture_and_video('face_swapper', source=' -s {examples}/source.jpg')
    yield from _picture_and_video('frame_colorizer', kind='-0sat')
    yield from _picture_and_video('frame_enhancer')
    yield from _picture_and_video('lip_syncer', source=' -s {examples}/source.mp3')
    yield from _scales()
    yield from _jobs('test_cli_job_manager', _MANAGER)
    yield from _jobs('test_cli_job_runner', _RUNNER)
