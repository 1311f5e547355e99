#!/usr/bin/python3
"""A drop-in for FaceFusion's command lines: every command, option, choice and key of its config file,
and the lines of its own tests. The facts are in facefusion.py.

    test_dropin.py PROGRAM [--all] [-v] [TEST...]
    test_dropin.py PROGRAM --write      docs/facefusion.md anew

Without --all the table is asked of the library, in this process, and one line of each of FaceFusion's
test files is run; with it also the program is run for each option, and all lines are run.
"""
import contextlib
import ctypes
import functools
import os
import re
import shutil
import sys
import unittest

import e2e
import facefusion as ff
from contracts import common

ALL = '--all' in sys.argv
PAGE = f'{e2e.ROOT}/docs/facefusion.md'


# ---- the library ----------------------------------------------------------------------------------

class Info(ctypes.Structure):
    """rp_option_info of reprise.h"""
    _fields_ = [(name, ctypes.c_char_p) for name in ('group', 'title', 'name')] + [
        ('letter', ctypes.c_char), ('help', ctypes.c_char_p), ('meta', ctypes.c_char_p),
        ('def_text', ctypes.c_char_p), ('choices', ctypes.POINTER(ctypes.c_char_p))] + [
        (name, ctypes.c_double) for name in ('min', 'max', 'step')] + [
        (name, ctypes.c_bool) for name in ('is_number', 'is_flag', 'is_list', 'is_ours', 'no_effect')]


class Library:
    """Options of the library that was built with the program."""
    each_fn = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Info))

    def __init__(self):
        self.lib = ctypes.CDLL(os.path.join(os.path.dirname(e2e.program), 'libreprise.so'))
        self.lib.rp_last_error.restype = ctypes.c_char_p
        self.lib.rp_set_log(-1, None, None)  # what is wrong is asked for
        self.lib.rp_options_text.restype = ctypes.c_void_p
        self.lib.rp_options_text.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.lib.rp_free.argtypes = [ctypes.c_void_p]
        self.lib.rp_options_each.argtypes = [ctypes.c_void_p, self.each_fn, ctypes.c_void_p]
        self.lib.rp_options_read_config.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.lib.rp_options_set_words.argtypes = [
            ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
        self.lib.rp_options_destroy.argtypes = [ctypes.POINTER(ctypes.c_void_p)]

    @contextlib.contextmanager
    def options(self):
        handle = ctypes.c_void_p()
        assert self.lib.rp_options_create_api(ctypes.byref(handle), 5) == 0
        yield handle
        self.lib.rp_options_destroy(ctypes.byref(handle))

    def table(self):
        """All options by name."""
        found = {}

        def take(_, info):
            o = info.contents
            choices = []
            while o.choices and o.choices[len(choices)]:
                choices.append(o.choices[len(choices)].decode())
            found[o.name.decode()] = {
                'group': o.group.decode(), 'letter': o.letter.decode().strip('\0'),
                'help': o.help.decode(), 'default': o.def_text and o.def_text.decode(),
                'choices': choices, 'is_ours': o.is_ours, 'no_effect': o.no_effect,
                'is_flag': o.is_flag, 'is_list': o.is_list}

        with self.options() as options:
            self.lib.rp_options_each(options, self.each_fn(take), None)
        return found

    def set(self, name, words):
        """What is wrong, or ''."""
        array = (ctypes.c_char_p * (len(words) + 1))(*[w.encode() for w in words])
        with self.options() as options:
            ret = self.lib.rp_options_set_words(options, name.encode(), len(words), array)
            return self.lib.rp_last_error().decode() if ret < 0 else ''

    def config(self, text, get=None):
        """Read a config file: what is wrong, or '', or the text of an option."""
        path = e2e.scratch('some.ini')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        with self.options() as options:
            if self.lib.rp_options_read_config(options, path.encode()) < 0:
                return self.lib.rp_last_error().decode()
            if not get:
                return ''
            got = self.lib.rp_options_text(options, get.encode())
            value = ctypes.string_at(got).decode() if got else ''
            self.lib.rp_free(got)
            return value


_library = []


def library():
    if not _library:
        _library.append(Library())
    return _library[0]


@functools.lru_cache
def help_of(command):
    return e2e.run(command, '--help')


def is_there(name, word):
    """Is it a choice on every machine?"""
    return word not in ff.NO_CHOICE.get(name, ()) and word not in ff.OF_FFMPEG


# ---- options ----------------------------------------------------------------------------------------

class Options(unittest.TestCase):
    def test_both_ways(self):
        """FaceFusion's options are those that are not ours, in its sections, with its letters."""
        table = library().table()
        theirs = {name: section for name, section, _, _ in ff.options()}
        former = {name: section for name, (section, _, now) in ff.FORMER.items() if not now}
        self.assertEqual({n for n, o in table.items() if not o['is_ours']}, {*theirs, *former})
        for name, section in {**theirs, **former}.items():
            with self.subTest(name):
                want = 'paths' if name == 'config-path' else section
                group = table[name]['group']
                self.assertIn(want, (group, 'processors' if group in ff.PROCESSORS else group))
                self.assertEqual(table[name]['letter'], ff.LETTERS.get(name, ''))
                ignored = {*ff.NO_EFFECT, *ff.OF_BATCH_RUN, *former}
                self.assertEqual(table[name]['no_effect'], name in ignored)

    def test_defaults(self):
        table = library().table()
        for name, _, kind, default in ff.options():
            with self.subTest(name):
                ours = table[name]['default']
                if isinstance(kind, ff.Number) and default and len(default.split()) == 1:
                    self.assertEqual(float(ours), float(default))
                else:
                    self.assertEqual(ours, default)

    def test_values(self):
        """What FaceFusion takes is taken: every choice, both ends of a range."""
        for name, _, kind, _ in ff.options():
            for words in ff.examples(kind):
                with self.subTest(f'{name} {words}'):
                    words = [w for w in words if is_there(name, w)]
                    if words or kind is ff.FLAG:
                        self.assertEqual(library().set(name, words), '')

    def test_numbers_of_choices(self):
        """157 deep swappers; everywhere else no choice is FaceFusion's but those listed."""
        deep = library().table()['deep-swapper-model']['choices']
        self.assertEqual(len([n for n in deep if '/' in n]), 157)

    def test_wrong_values(self):
        for name, _, kind, _ in ff.options():
            if kind in (ff.PATH, ff.PATHS, ff.FLAG, ff.DEEP):
                continue
            with self.subTest(name):
                self.assertIn(f'--{name}: ', library().set(name, ['~']))

    def test_choices_elsewhere(self):
        """They are called by what they are."""
        for name, words in ff.NO_CHOICE.items():
            for word, what in words.items():
                with self.subTest(f'{name} {word}'):
                    said = library().set(name, [word])
                    self.assertIn(f"'{word}' is ", said)
                    self.assertIn(what, said)
                    self.assertNotIn('not one of', said)
        for word, what in ff.OF_FFMPEG.items():
            said = library().set('output-video-encoder', [word])
            self.assertTrue(said == '' or what in said, said)

    def test_shortened(self):
        """A beginning that is of one option of FaceFusion's headless-run is of the same here."""
        apart = {*ff.OF_BATCH_RUN, *ff.OPTIONS['benchmark'], *ff.OPTIONS['uis'], 'halt-on-error'}
        theirs = {n: k for n, _, k, _ in ff.options() if n not in apart}
        tried = 0
        for name, kind in theirs.items():
            short = next((name[:n] for n in range(1, len(name)) if
                          sum(other.startswith(name[:n]) for other in theirs) == 1), name)
            if kind in (ff.PATH, ff.PATHS, ff.FLAG) or not any(
                    other.startswith(short) for other, o in library().table().items()
                    if o['is_ours']):
                continue
            tried += 1
            with self.subTest(f'{short} is {name}'):
                said = e2e.run('headless-run', f'--{short}', '~').stderr
                self.assertIn(f'--{name}: ', said)
                if not any(n.startswith(short) for n in apart):
                    self.assertIn(f'--{name}: ', library().set(short, ['~']))
        self.assertGreater(tried, 0)

    def test_former_names(self):
        for name, (_, value, now) in ff.FORMER.items():
            with self.subTest(name):
                self.assertEqual(library().set(name, value.split() if value else []), '')
                if now:
                    self.assertIn(f'--{now}', library().set(name, ['~']))
        for name, (_, value, now) in ff.FORMER_REFUSED.items():
            for said in (library().set(name, [value]),
                         e2e.run('headless-run', f'--{name}', value).stderr):
                self.assertIn(f'--{now}', said)
                self.assertIn('earlier versions of FaceFusion', said)


class Config(unittest.TestCase):
    """Every key is known, alone and all together; a misspelt one never."""

    def keys(self):
        for name, section, kind, default in ff.options():
            if section:
                words = [w for w in ff.examples(kind)[0] if is_there(name, w)]
                value = 'yes' if kind is ff.FLAG else default or ' '.join(words)
                yield section, name.replace('-', '_'), value

    def test_each(self):
        for section, key, value in self.keys():
            with self.subTest(key):
                self.assertEqual(library().config(f'[{section}]\n{key} = {value}\n'), '')

    def test_whole_file(self):
        text = ''.join(f'[{section}]\n' + ''.join(f'{k} = {v}\n' for s, k, v in self.keys()
                                                   if s == section) for section in ff.OPTIONS)
        self.assertEqual(library().config(text), '')
        empty = ''.join(f'[{section}]\n' + ''.join(f'{k} =\n' for s, k, _ in self.keys()
                                                    if s == section) for section in ff.OPTIONS)
        self.assertEqual(library().config(empty), '')

    def test_misspelt(self):
        for section, key, value in self.keys():
            with self.subTest(key):
                wrong = key[:-2] + key[-1]
                said = library().config(f'[{section}]\n{wrong} = {value}\n')
                self.assertIn(f'unknown key {wrong} in [{section}]', said)
                if len(key) > 4:
                    self.assertIn('; did you mean ', said)

    def test_former(self):
        for name, (section, value, now) in ff.FORMER.items():
            key = name.replace('-', '_')
            got = library().config(f'[{section}]\n{key} = {value or "yes"}\n', now or name)
            self.assertEqual(got, value or 'yes')
        for name, (section, value, now) in ff.FORMER_REFUSED.items():
            said = library().config(f'[{section}]\n{name.replace("-", "_")} = {value}\n')
            self.assertIn(f'--{now}', said)

    def test_program(self):
        """It goes on to what is missing, and says once what has no effect."""
        path = e2e.scratch('facefusion.ini')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('[paths]\ntemp_path = /tmp\njobs_path = .jobs\n[patterns]\nsource_pattern = *\n'
                       '[uis]\nopen_browser = no\n[memory]\nvideo_memory_strategy = strict\n')
        ran = e2e.run('headless-run', '--config-path', path, '--workflow-strategy', 'disk')
        self.assertIn('--target-path is missing', ran.stderr)
        lines = [line for line in ran.stderr.splitlines() if 'effect' in line]
        self.assertEqual(lines, ['without effect here: --temp-path, --jobs-path, '
                                 '--workflow-strategy, --video-memory-strategy'])


class Program(unittest.TestCase):
    """Command lines, up to the missing target."""

    def classes(self, name, kind):
        command = 'benchmark' if name.startswith('benchmark-') else 'headless-run'
        words = [w for w in ff.examples(kind)[0] if is_there(name, w)]
        if command == 'benchmark':
            words += ['--json', '/nowhere/at/all', '--benchmark-parts', 'jobs']
        if name in ('target-path', 'output-path', 'config-path'):
            return
        ran = e2e.run(command, f'--{name}', *words)
        said = f'--{name} has no effect here: ' in ran.stderr
        if name in ff.OF_BATCH_RUN:
            self.assertEqual(ran.returncode, 2)
            self.assertIn('batch-run', ran.stderr)
        elif command == 'headless-run':
            self.assertIn('--target-path is missing', ran.stderr)
        self.assertEqual(said, name in ff.NO_EFFECT, ran.stderr)
        self.assertNotIn('unknown', ran.stderr)

    def test_classes(self):
        for i, (name, _, kind, _) in enumerate(ff.options()):
            if ALL or i % 10 == 0:
                with self.subTest(name):
                    self.classes(name, kind)

    def test_help(self):
        """Every option of the table is in the help of a command, and none besides."""
        table = library().table()
        shown = set()
        for command in 'headless-run', 'batch-run', 'benchmark', 'force-download':
            text = help_of(command).stdout
            shown |= {line.split('--', 1)[1].split()[0] for line in text.splitlines()
                      if line[:10].strip().startswith('-') and '--' in line[:10]}
        own = {'json', 'html', 'help', 'frame', 'sheet', 'all'}  # of the program, not the library
        self.assertEqual(shown - own, {*table} - own)

    def test_commands(self):
        for command, state in ff.COMMANDS.items():
            with self.subTest(command):
                ran = help_of(command)
                self.assertEqual(ran.returncode, 0 if state == ff.WORKS else 2)
                self.assertNotIn('unknown', ran.stderr)
                if state != ff.WORKS:
                    self.assertIn(f'error: {command}: ', ran.stderr)
                    self.assertIn('headless-run', ran.stderr)

    def test_first_words(self):
        self.assertEqual(e2e.run().returncode, 0)
        for word in '-h', '--help', '-v', '--version':
            self.assertEqual(e2e.run(word).returncode, 0)


# ---- the lines of its tests -----------------------------------------------------------------------

SCENE = common.Scene('dropin', 426, 226, [common.turned([150, 30, 270, 190], 0, 0.9)])
MODELS = ['fran', 'modnet', 'live_portrait_motion_extractor', 'live_portrait_feature_extractor',
          'live_portrait_generator', 'live_portrait_eye_retargeter', 'live_portrait_lip_retargeter',
          'live_portrait_stitcher', 'gfpgan_1.4', 'hyperswap_1a_256', 'ddcolor', 'span_kendata_x4',
          'wav2lip_gan_96', 'kim_vocal_2', 'xseg_1', 'bisenet_resnet_34']


def folders():
    """Its examples in small: the same names, the same size of 240p."""
    found = {name: e2e.scratch(name) for name in ('examples', 'jobs', 'outputs')}
    if not os.path.exists(found['examples']):
        for folder in found.values():
            os.makedirs(folder)
        at = found['examples']
        for name, of in (('source.jpg', SCENE.picture()), ('target-240p.jpg', SCENE.picture()),
                         ('target-240p-0sat.jpg', SCENE.picture()),
                         ('target-240p.mp4', SCENE.clip()), ('target-240p-0sat.mp4', SCENE.clip()),
                         ('target-240p-batch-1.jpg', SCENE.picture()),
                         ('target-240p-batch-2.jpg', SCENE.picture())):
            grey = ['-vf', 'hue=s=0'] if '0sat' in name else []
            e2e.ffmpeg('-i', of, *grey, '-pix_fmt', 'yuvj420p' if name[-1] == 'g' else 'yuv420p',
                       f'{at}/{name}')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'sine=300:duration=1', f'{at}/source.mp3')
    return found


def first_of_each_file(lines):
    """And of those with tests of several lines the whole tests, but for some that run much the same."""
    seen, left = set(), ('batch of 2', 'retry …', 'retry-all …')
    return [line for line in lines if (not line.test.endswith(left) if line.test else
                                       not (line.file in seen or seen.add(line.file)))]


class Lines(unittest.TestCase):
    def start(self, test):
        """What each of its tests begins with."""
        places = folders()
        for name in 'jobs', 'outputs':
            shutil.rmtree(places[name])
            os.makedirs(places[name])

    def move_to_failed(self, jobs):
        for folder in 'drafted', 'queued':
            for name in os.listdir(f'{jobs}/{folder}'):
                os.rename(f'{jobs}/{folder}/{name}', f'{jobs}/failed/{name}')

    def run_line(self, line, size=None, scale=''):
        places = {**folders(), 'scale': scale, 'index': '{index}'}
        words = [word.format(**places) for word in line.words.split()]
        if line.failed:
            self.move_to_failed(places['jobs'])
        if re.match('headless|batch|job-(run|retry)', words[0]):
            words += ['--models-path', SCENE.models(MODELS)]  # the only words added
        for code in line.codes:
            ran = e2e.run(*words)
            self.assertEqual(ran.returncode, code, f'{words}\n{ran.stderr}')
        if line.output:
            output = os.path.join(places['outputs'], line.output.format(scale=scale))
            self.assertEqual(words[words.index('-o') + 1], output)
            self.assertTrue(os.path.getsize(output))
            self.assertIn('--jobs-path has no effect here', ran.stderr)
        if size:
            self.assertEqual(e2e.size_of(output), size)
        there = [os.path.exists(os.path.join(places['outputs'], name)) for name in line.outputs]
        self.assertEqual(there, [True] * (len(there) - 1) + [False] * bool(there))

    def check_outputs(self, test, outputs):
        """Of a test that runs jobs."""
        want = {'run run …': ['output.jpg'], 'retry retry …': ['output.jpg'],
                'run-all …': ['output.jpg', 'output.mp4'],
                'retry-all …': ['output.jpg', 'output.mp4']}.get(test)
        if want:
            self.assertEqual(sorted(os.listdir(outputs)), want)

    def test_lines(self):
        lines = list(ff.lines())
        self.assertEqual(len(lines), 91)
        chosen = lines if ALL else first_of_each_file(lines)
        before = ''
        for line in [*chosen, ff.Line('', '')]:
            if line.test != before:
                self.check_outputs(before, folders()['outputs'])
                self.start(line.test)
            before = line.test
            for scale, size in line.sizes.items() if line.sizes else [('', None)]:
                with self.subTest(line.words, scale=scale):
                    if line.words and (ALL or scale in ('', '0.5')):
                        self.run_line(line, size, scale)
        print(f'\nof {len(lines)} lines of FaceFusion\'s tests {len(lines)} run here; '
              f'tried now: {len(chosen)}')


# ---- the page ---------------------------------------------------------------------------------------

def row(*cells):
    return '| ' + ' | '.join(str(c).replace('|', '\\|') for c in cells) + ' |'


def state_of(name, table):
    if name in ff.OF_BATCH_RUN:
        return 'works, with batch-run'
    if name in ff.OF_JOBS:
        return f'works: {table[name]["help"]}; elsewhere no effect'
    return f'no effect: {table[name]["help"]}' if name in ff.NO_EFFECT else 'works'


def choices_of(name, kind, table):
    """With the choices that are not there struck out, and those of the machine marked."""
    if not isinstance(kind, ff.Choice):
        return str(kind)
    words = [f'~~{w}~~' if w in ff.NO_CHOICE.get(name, ()) else f'{w}*' if w in ff.OF_FFMPEG else w
             for w in kind]
    return ('any of ' if kind.list else '') + ', '.join(words)


def write_options(table):
    for section, of_section in ff.OPTIONS.items():
        yield from ('', f'### [{section}]', '', row('option', 'values', 'default', 'here'),
                    '|---|---|---|---|')
        for name, (kind, default) in of_section.items():
            letter = f'-{ff.LETTERS[name]}, ' if name in ff.LETTERS else ''
            yield row(f'`{letter}--{name}`', choices_of(name, kind, table), default or '',
                      state_of(name, table))


def write_page():
    table = library().table()
    said = {c: help_of(c).stderr.splitlines()[0].split(': ', 2)[2] for c, state
            in ff.COMMANDS.items() if state != ff.WORKS}
    yield from (
        '# FaceFusion\'s command lines', '',
        'Every command, option, choice and key of the config file of FaceFusion 3.8.1, and what it '
        'does here. A', 'script runs when `python facefusion.py` is replaced by `reprise`. '
        f'The {len(list(ff.lines()))} command lines of FaceFusion\'s', 'own tests run as they are, '
        'with its exit codes and files.', '',
        '<!-- written by tests/test_dropin.py PROGRAM --write, and held against the program -->', '',
        '* **works**: taken, with FaceFusion\'s values; [differences.md](differences.md) says where '
        'the result differs.',
        '* **no effect**: taken and its value checked; one line of the log says so.',
        '* **not there**: the run ends with exit code 2 and a sentence that says what to use. '
        '~~Choices~~ that are',
        '  struck out end so, too.', '', '## Commands', '', row('command', 'here'), '|---|---|')
    for command, state in ff.COMMANDS.items():
        yield row(f'`{command}`', state if state == ff.WORKS else f'not there: '
                  f'{said[command]}')
    yield from ('', '`-h`, `-v` and no command at all do as there.', '',
                '## Options and keys of the config file', '',
                'A key is the option\'s name with `_` for `-`, in the section of the heading; '
                '`--config-path` has no', 'key. A key that FaceFusion knows never ends a run; a '
                'misspelt one does, with the name that is meant.',
                'Names may be shortened, and mean what they mean there.', '',
                '\\* where FFmpeg was built with it and the machine has the device.')
    yield from write_options(table)
    yield from ('', '## Names of earlier versions', '', row('name', 'here'), '|---|---|')
    for name, (_, _, now) in ff.FORMER.items():
        yield row(f'`--{name}`', f'is `--{now}`' if now else f'no effect: {table[name]["help"]}')
    for name, (_, _, now) in ff.FORMER_REFUSED.items():
        yield row(f'`--{name}`', f'not there: use `--{now}`')
    yield from ('', '## Options that FaceFusion does not have', '')
    yield from (f'* `--{name}`: {o["help"]}' for name, o in table.items() if o['is_ours'])
    more = {'face-selector-mode': 'all-but-reference', 'processors': 'face_blur',
            'output-video-encoder': 'prores_ks'}
    yield from ('', 'Further choices: ' + '; '.join(f'`{w}` of `--{n}`' for n, w in more.items())
                + ';', 'and the [lite models](models.md).')


class Page(unittest.TestCase):
    def test_page(self):
        with open(PAGE, encoding='utf-8') as file:
            self.assertEqual(file.read().splitlines(), list(write_page()),
                             'write docs/facefusion.md anew: tests/test_dropin.py PROGRAM --write')


if __name__ == '__main__':
    if ALL:
        sys.argv.remove('--all')
    if '--write' in sys.argv:
        e2e.program = os.path.abspath(sys.argv[1])
        with open(PAGE, 'w', encoding='utf-8') as page:
            page.write('\n'.join(write_page()) + '\n')
        sys.exit()
    e2e.main(standins=True)
