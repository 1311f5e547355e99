"""The processors' options: FaceFusion's names, choices, defaults and ranges."""
import re
import unittest

import e2e
from contracts import face_editor
from test_dropin import library

KINDS, CONTRACTS = [], []

SWAPPERS = '''blendswap_256 ghost_1_256 ghost_2_256 ghost_3_256 hififace_unofficial_256 hyperswap_1a_256
    hyperswap_1b_256 hyperswap_1c_256 inswapper_128 inswapper_128_fp16 simswap_256
    simswap_unofficial_512 uniface_256'''
ENHANCERS = '''codeformer gfpgan_1.2 gfpgan_1.3 gfpgan_1.4 gpen_bfr_256 gpen_bfr_512 gpen_bfr_1024
    gpen_bfr_2048 restoreformer_plus_plus'''
UPSCALERS = '''clear_reality_x4 face_dat_x4 nomos8k_sc_x4 real_esrgan_x2 real_esrgan_x2_fp16
    real_esrgan_x4 real_esrgan_x4_fp16 real_esrgan_x8 real_esrgan_x8_fp16 real_hatgan_x4
    real_web_photo_x4 realistic_rescaler_x4 remacri_x4 siax_x4 span_kendata_x4 swin2_sr_x4
    tghq_face_x8 ultra_sharp_x4 ultra_sharp_2_x4'''
REMOVERS = '''ben_2 birefnet_general birefnet_portrait corridor_key_1024 corridor_key_2048
    isnet_general modnet ormbg rmbg_1.4 rmbg_2.0 silueta u2net_cloth u2net_general u2net_human
    u2netp'''
ITEMS = '''bounding-box face-landmark-5 face-landmark-5/68 face-landmark-68 face-landmark-68/5
    face-mask'''

# option: choices, default, values that are taken, values that are refused
TABLE = {
    'age-modifier-model': ('fran styleganex_age', 'fran', ['styleganex_age'], ['sam']),
    'age-modifier-direction': (None, '0', ['-100', '0', '7', '100'], ['-101', '101', '0.5']),
    'background-remover-model': (REMOVERS, 'modnet', ['u2netp'], ['none']),
    'background-remover-fill-color': (None, '0 0 0 0', ['255', '1 2', '1 2 3', '0 255 0 255'],
                                      ['256', '-1', 'red']),
    'background-remover-despill-color': (None, '0 0 0 0', ['0 255 0 255'], ['256', 'green']),
    'deep-swapper-model': (None, 'iperov/elon_musk_224', ['rumateus/taylor_swift_224', 'custom/x'],
                           ['elon_musk_224', 'iperov/elon_musk_225', 'customs/x', 'custom']),
    'deep-swapper-morph': (None, '100', ['0', '1', '100'], ['-1', '101', '0.5']),
    'expression-restorer-model': ('live_portrait', 'live_portrait', ['live_portrait'], ['live']),
    'expression-restorer-factor': (None, '80', ['0', '33', '100'], ['-1', '101', '0.5']),
    'expression-restorer-areas': ('upper-face lower-face', 'upper-face lower-face',
                                  ['upper-face', 'lower-face upper-face'], ['mouth']),
    'face-debugger-items': (ITEMS, 'face-landmark-5/68 face-mask', [ITEMS], ['nose']),
    'face-editor-model': ('live_portrait', 'live_portrait', ['live_portrait'], ['live']),
    'face-enhancer-model': (ENHANCERS, 'gfpgan_1.4', ['codeformer'], ['gfpgan']),
    'face-enhancer-blend': (None, '80', ['0', '33', '100'], ['-1', '101', '0.5', 'much']),
    'face-enhancer-weight': (None, '0.5', ['0', '0.05', '1.0'], ['0.33', '1.05', '-0.05']),
    'face-swapper-model': (SWAPPERS + ' classic_256', 'hyperswap_1a_256', ['uniface_256'],
                           ['deepswap']),
    'face-swapper-weight': (None, '0.5', ['0', '0.35', '1'], ['0.33', '1.05', '-1']),
    'face-swapper-color-match': (None, '0', ['0', '33', '100'], ['-1', '101', '0.5']),
    'frame-colorizer-model': ('ddcolor ddcolor_artistic deoldify deoldify_artistic deoldify_stable',
                              'ddcolor', ['deoldify_stable'], ['colour']),
    'frame-colorizer-size': ('192x192 256x256 384x384 512x512', '256x256', ['192x192', '512x512'],
                             ['256', '320x320', '256x192']),
    'frame-colorizer-blend': (None, '100', ['0', '33', '100'], ['-1', '101', 'all']),
    'frame-enhancer-model': (UPSCALERS, 'span_kendata_x4', ['remacri_x4'], ['lsdir_x4']),
    'frame-enhancer-blend': (None, '80', ['0', '33', '100'], ['-1', '101', 'all']),
    'lip-syncer-model': ('edtalk_256 wav2lip_96 wav2lip_gan_96', 'wav2lip_gan_96', ['edtalk_256'],
                         ['wav2lip']),
    'lip-syncer-weight': (None, '0.5', ['0', '0.35', '1'], ['0.33', '1.05', '-0.05']),
}

for slider in face_editor.SLIDERS:
    TABLE[f'face-editor-{slider}'] = (None, '0', ['-1', '-0.05', '0.35', '1'],
                                      ['-1.05', '0.33', '1.05', 'much'])


class Table(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """What --help says of each option, in one line."""
        text = re.sub(r'\n {20,}', ' ', e2e.must('headless-run', '--help').stdout)
        cls.help = {line.split()[0][2:]: ' '.join(line.split()) for line in text.splitlines()
                    if line.strip().startswith('--')}

    def test_choices(self):
        for name, (choices, _, _, _) in TABLE.items():
            if choices:
                found = re.search(r'(?:one|any) of ([^;]+)', self.help[name])[1].split(', ')
                self.assertEqual(sorted(found), sorted(choices.split()), name)

    def test_defaults(self):
        for name, (_, default, _, _) in TABLE.items():
            self.assertTrue(self.help[name].endswith(f'default {default}'), self.help[name])

    def test_values(self):
        """Of the library, which is what reads them; and that the program gives them to it."""
        for name, (_, _, taken, refused) in TABLE.items():
            for value in taken:
                self.assertEqual(library().set(name, value.split()), '', (name, value))
            for value in refused:
                self.assertIn(f'--{name}', library().set(name, value.split()), (name, value))
        job = ['headless-run', '-t', 'none.png', '-o', e2e.scratch('none.png')]
        words = [word for name, (_, _, taken, _) in TABLE.items()
                 for word in (f'--{name}', *taken[-1].split())]
        for more, code, said in (words, 1, 'none.png'), \
                (['--face-enhancer-model', 'gfpgan'], 2, '--face-enhancer-model'), \
                (['--face-swapper-weight', '0.33'], 2, '--face-swapper-weight'), \
                (['--face-debugger-items', 'nose'], 2, '--face-debugger-items'):
            result = e2e.run(*job, *more)
            self.assertEqual(result.returncode, code, (more, result.stderr))
            self.assertIn(said, result.stderr)

    def test_config_file(self):
        """FaceFusion keeps the options of all processors in one section."""
        text = '[processors]\n'
        for name, (_, default, _, _) in TABLE.items():
            line = f'{name.replace("-", "_")} = {default}\n'
            self.assertEqual(library().config('[processors]\n' + line), '', name)
            text += line
        path = e2e.scratch('processors.ini')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        result = e2e.run('headless-run', '--config-path', path, '-t', 'none.png', '-o',
                         e2e.scratch('none.png'))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn('none.png', result.stderr)

    def test_processors(self):
        found = re.search(r'any of ([^;]+); default (.*)', self.help['processors'])
        self.assertEqual(found[2], 'face_swapper')
        self.assertLessEqual({'age_modifier', 'background_remover', 'deep_swapper',
                          'expression_restorer', 'face_debugger', 'face_editor', 'face_enhancer',
                          'face_swapper', 'frame_colorizer', 'frame_enhancer', 'lip_syncer'},
                         set(found[1].split(', ')))
