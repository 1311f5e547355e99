#!/usr/bin/python3
"""What a person meets: completion, the man page, lists of models, the bar on a terminal, the sheet of
faces, one frame as a picture, and what is said when a thing is not there.

    test_words.py PROGRAM
"""
import json
import os
import re
import shutil
import subprocess
import time
import unittest

import e2e

COMMANDS = ('headless-run', 'batch-run', 'analyse', 'models', 'force-download', 'doctor', 'inspect', 'clean',
            'join', 'benchmark', 'plan', 'serve', 'run', 'completion')
JOB_COMMANDS = ('job-list', 'job-add-step', 'job-remix-step', 'job-run', 'job-run-all')


def options_of(command):
    """The options of its --help, with what is said of each."""
    text = e2e.must(command, '--help', env={**os.environ, 'COLUMNS': '1000'}).stdout
    return dict(re.findall(r'^ +(?:-\w, )?--([\w-]+)((?:.|\n {10,})*)', text, re.M))


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.file = {}
        for shell in ('bash', 'zsh', 'fish'):
            cls.file[shell] = e2e.scratch(f'complete.{shell}')
            with open(cls.file[shell], 'w', encoding='utf-8') as file:
                file.write(e2e.must('completion', shell).stdout)
        cls.folder = e2e.scratch('complete')
        os.makedirs(cls.folder + '/folder')
        for name in ('one.mp4', 'a b.png'):
            with open(f'{cls.folder}/{name}', 'w', encoding='utf-8'):
                pass

    def bash(self, *words):
        """What bash offers for the last of the words."""
        script = ('. "$1"; shift; COMP_WORDS=(reprise "$@"); COMP_CWORD=$#; _reprise; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        said = subprocess.run(['bash', '-c', script, '-', self.file['bash'], *words], check=True,
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(said.stderr, '')
        return said.stdout.split('\n')[:-1]

    def test_every_option(self):
        for command in COMMANDS + JOB_COMMANDS:
            options = set(options_of(command))
            offered = self.bash(command, '--')
            self.assertEqual(len(offered), len(set(offered)))
            self.assertEqual({word[2:] for word in offered}, options, command)
            for shell in ('zsh', 'fish'):
                with open(self.file[shell], encoding='utf-8') as file:
                    text = file.read()
                for option in options:
                    self.assertRegex(text, rf"'--{option}\b", f'{shell} {command}')

    def test_every_choice(self):
        """Of all options that have some: also the names of models."""
        checked = 0
        for option, said in options_of('benchmark').items():
            found = re.search(r'(?:one|any) of ([^;]*)', said)
            if found and ',' in found[1]:
                self.assertEqual(self.bash('benchmark', '--' + option, ''),
                                 re.sub(r'\s+', ' ', found[1]).strip().split(', '), option)
                checked += 1
        self.assertGreater(checked, 35)

    def test_words(self):
        for words, offered in (
                (['head'], ['headless-run']),
                (['completion', ''], ['bash', 'zsh', 'fish']),
                (['help', 'force'], ['force-download']),
                (['headless-run', '--face-swapper-model', 'insw'],
                 ['inswapper_128', 'inswapper_128_fp16']),
                (['headless-run', '--face-swapper-model', '=', 'inswapper_128_'],
                 ['inswapper_128_fp16']),
                (['headless-run', '--processors', 'face_swapper', 'face_en'], ['face_enhancer']),
                (['headless-run', '--log-level', 'info', 'w'], ['']),
                (['headless-run', '-t', 'one'], ['one.mp4']),
                (['headless-run', '-s', 'a b.png', 'o'], ['one.mp4']),
                (['headless-run', '--models-path', ''], ['folder']),
                (['headless-run', '--face-detector-score', ''], ['']),
                (['analyse', '--json', 'a'], ['a b.png']),
                (['analyse', '--log-level', 'warn', 'o'], ['one.mp4']),
                (['analyse', '--log-level', 'war'], ['warn']),
                (['benchmark', '--json', 'o'], ['one.mp4']),
                (['models', 'hyperswap_1a'], ['hyperswap_1a_256']),
                (['models', '--verify', 'frame_c'], ['frame_colorizer']),
                (['force-download', '--download-scope', 'fu'], ['full']),
                (['inspect', '--', 'o'], ['one.mp4']),
                (['plan', '--deep-swapper-model', 'iperov/keanu'], ['iperov/keanu_reeves_320'])):
            self.assertEqual(self.bash(*words), offered, words)

    def test_zsh(self):
        if not shutil.which('zsh'):
            self.skipTest('zsh is not installed')
        subprocess.run(['zsh', '-n', self.file['zsh']], check=True)

    def test_fish(self):
        if not shutil.which('fish'):
            self.skipTest('fish is not installed')
        subprocess.run(['fish', '-n', self.file['fish']], check=True)
        for words, offered in (
                ('head', ['headless-run']), ('headless-run --face-swapper-model inswapper_128_',
                                             ['inswapper_128_fp16']),
                ('headless-run --processors face_swapper face_en', ['face_enhancer']),
                ('headless-run --output-vid', ['--output-video-encoder', '--output-video-fps',
                                               '--output-video-piece',
                                               '--output-video-preset', '--output-video-quality',
                                               '--output-video-scale']),
                ('analyse --log-level war', ['warn'])):
            said = subprocess.run(
                ['fish', '-N', '-c', f'source {self.file["fish"]}; complete -C "reprise {words}"'],
                check=True, capture_output=True, text=True, env={**os.environ, 'HOME': e2e.scratch()})
            self.assertEqual([line.split('\t')[0] for line in said.stdout.splitlines()], offered)

    def test_no_such_shell(self):
        result = e2e.run('completion', 'tcsh')
        self.assertEqual(result.returncode, 2)
        self.assertIn('bash, zsh, fish', result.stderr)


class ManPage(unittest.TestCase):
    def test_every_option(self):
        """Those of all commands, under the headings of --help, and no other."""
        page = e2e.tool(os.path.join(e2e.ROOT, 'completions', 'man.sh'), e2e.program,
                        os.path.join(e2e.ROOT, 'docs', 'reprise.1.in')).decode()
        self.assertNotIn('\\" OPTIONS', page)
        part = page[page.index('.SH OPTIONS\n'):page.index('.SH SOME OPTIONS')].replace('\\-', '-')
        listed = re.findall(r'^\.TP\n(?:\\fB-\w\\fR, )?\\fB--([\w-]+)\\fR', part, re.M)
        options = set().union(*(options_of(command) for command in COMMANDS))
        self.assertEqual(set(listed), options)
        self.assertEqual(sorted(set(o for o in listed if listed.count(o) > 1)), ['json'])
        headings = re.findall(r'^(\w.*):$', e2e.must('headless-run', '--help').stdout, re.M)
        for heading in headings:
            if heading not in ('Examples', 'Usage'):
                self.assertIn(f'.SS {heading}\n', part)
        for command in (*COMMANDS, 'help'):
            self.assertRegex(page.replace('\\-', '-'), rf'\.B {command}\n', 'its description')
        synopsis = page[page.index('.SH SYNOPSIS'):page.index('.SH DESCRIPTION')].replace('\\-', '-')
        for command in re.findall(r'^  (\w[\w-]*) ', e2e.must('help').stdout.split('Example:')[0], re.M):
            short = r'job-"' if command.startswith('job-') else rf'{command}\n'
            self.assertRegex(synopsis, rf'reprise {short}')
        for command in re.findall(r'^  (job-\S+) ', e2e.must('help').stdout, re.M):
            self.assertIn(command, page.replace('\\-', '-'))

    def test_exit_codes(self):
        """Those of the page are those of help."""
        with open(os.path.join(e2e.ROOT, 'docs', 'reprise.1.in'), encoding='utf-8') as file:
            whole = file.read()
        part = re.search(r'^\.SH EXIT STATUS\n(.*?)^\.SH', whole, re.M | re.S).group(1)
        self.assertEqual(len(re.findall(r'^\.SH "?EXIT STATUS', whole, re.M)), 1)
        codes = re.findall(r'^\.B (\d+)$', part, re.M)
        said = e2e.must('help').stdout.split('Exit codes: ')[1]
        self.assertEqual(re.findall(r'(?:^|, |\n)(\d+) ', said), codes)

    def test_form(self):
        if not shutil.which('groff'):
            self.skipTest('groff is not installed')
        page = e2e.tool(os.path.join(e2e.ROOT, 'completions', 'man.sh'), e2e.program,
                        os.path.join(e2e.ROOT, 'docs', 'reprise.1.in'))
        said = subprocess.run(['groff', '-man', '-ww', '-Tutf8', '-Kutf8'], input=page,
                              capture_output=True, check=True)
        self.assertEqual(said.stderr, b'')


class Still(unittest.TestCase):
    """One frame of a video as a picture."""

    @classmethod
    def setUpClass(cls):
        cls.source, target = e2e.sample()
        cls.target = e2e.scratch('still.mp4')
        e2e.ffmpeg('-i', target, '-t', '0.6', '-vf', 'scale=320:-2', '-c:v', 'libx264', '-bf', '2',
                   '-g', '9', cls.target)

    def still(self, frame, *options, name='still.png', target=None):
        path = e2e.scratch(name)
        result = e2e.must('headless-run', '--json', '-t', target or self.target, '-o', path,
                          '--frame', str(frame), *options)
        report = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual((report['frames_done'], report['content_checked']), (1, 1))
        return e2e.pixels(path)[0]

    def test_same_as_in_the_video(self):
        """Also with what looks at the frames around it."""
        job = e2e.scratch('still.mkv')
        for options in (('--processors', 'face_debugger'),
                        ('--processors', 'face_swapper', 'face_debugger', '-s', self.source,
                         '--face-swapper-model', 'classic_256'),
                        ('--processors', 'face_blur', '--face-blur-hold', '0.2'),
                        ('--processors', 'face_debugger', '--face-landmark-smoothing', '0.5'),
                        ('--processors', 'face_debugger', '--face-selector-mode', 'reference',
                         '--reference-frame-number', '3')):
            e2e.must('headless-run', '-t', self.target, '-o', job, '--output-video-encoder',
                     'libx264rgb', '--output-video-quality', '100', *options)
            frames = e2e.pixels(job)
            plain = e2e.pixels(self.target)
            for frame in (0, 7, len(frames) - 1) if options[-1] == 'face_debugger' else (7,):
                still = self.still(frame, *options)
                self.assertTrue((still == frames[frame]).all(), f'{options} frame {frame}')
                self.assertFalse((still == plain[frame]).all(), f'{options}: nothing was done')

    def test_picture(self):
        """Size, format and mark are those of a picture."""
        w, h = e2e.size_of(self.target)
        small = self.still(2, '--processors', 'face_debugger', '--output-image-scale', '0.5',
                           '--output-video-scale', '2')
        self.assertEqual(small.shape, (h // 2, w // 2, 3))
        mark = json.loads(e2e.must('inspect', '--json', e2e.scratch('still.png')).stdout)
        self.assertEqual(mark['processors'], 'face_debugger')
        for name in ('q90.jpg', 'q10.jpg'):
            self.still(2, '--processors', 'face_debugger', '--output-image-quality', name[1:3],
                       name=name)
        self.assertGreater(os.path.getsize(e2e.scratch('q90.jpg')),
                           2 * os.path.getsize(e2e.scratch('q10.jpg')))

    def test_hdr(self):
        """A picture has 8 bits and no HDR: that is said, and only then."""
        clip, out = e2e.scratch('hdr.mkv'), e2e.scratch('hdr.png')
        e2e.ffmpeg('-i', self.target, '-frames:v', '1', '-pix_fmt', 'yuv420p10le', '-c:v', 'ffv1',
                   '-color_trc', 'smpte2084', '-color_primaries', 'bt2020', '-colorspace',
                   'bt2020nc', clip)
        for target, count in (clip, 1), (self.target, 0):
            said = e2e.must('headless-run', '-t', target, '-o', out, '--frame', '0', '--processors',
                            'face_debugger').stderr
            self.assertEqual(said.count('HDR is taken as if it were not'), count, said)

    def test_sentences(self):
        out, debug = e2e.scratch('never.png'), ('--processors', 'face_debugger')
        for words, said in (
                (('-t', self.target, '--frame', '15'), 'has no frame 15; it has 15, counted from 0'),
                (('-t', self.target, '--frame', '2147483646'), 'has no frame 2147483646; it has 15'),
                (('-t', self.target, '--frame', '-1'), '--frame: -1'),
                (('-t', self.target), 'or give --frame N for a picture of one frame'),
                (('-t', e2e.PICTURE, '--frame', '0'), 'is a picture; leave the option out'),
                (('-t', self.target, '--frame', '0', '--trim-frame-end', '3'), 'leave out --trim'),
                (('-t', self.target, '--frame', '0', '-o', e2e.scratch('none.mp4')),
                 'as --frame makes a picture')):
            result = e2e.run('headless-run', '-o', out, *words, *debug, '--log-level', 'error')
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(said, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), 2)  # a sentence, and where the help is
            self.assertFalse(os.path.exists(out))

    def test_analyse(self):
        frame, = e2e.analyse('--frame', '4', self.target)
        self.assertEqual(frame['frame'], 4)
        self.assertEqual(frame, e2e.analyse(self.target)[4])


class Terminal(unittest.TestCase):
    """The bar, in a terminal that wraps lines anew when it is resized."""

    def socket(self):
        """Each test has a server of its own: one that is told to end takes a moment."""
        return e2e.scratch(self.id().rpartition('.')[2])

    def tmux(self, *words):
        return subprocess.run(['tmux', '-f', '/dev/null', '-S', self.socket(), *words],
                              check=True, capture_output=True, text=True).stdout

    def lines(self):
        """Also of the history above."""
        return [line for line in self.tmux('capture-pane', '-p', '-S', '-', '-t', 'bar').split('\n')
                if line]

    def wait(self, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in self.lines() if re.search(what, line)]
            if found:
                return found
            time.sleep(0.05)
        return self.fail(f'no {what} in {self.lines()}')

    def words(self, width, command, end):
        """What a program says in a terminal of that width, which cuts no word then."""
        if not os.path.exists(self.socket()):
            self.tmux('new-session', '-d', '-s', 'first', 'sleep 1000')
            self.addCleanup(subprocess.run, ['tmux', '-S', self.socket(), 'kill-server'], check=False)
        self.tmux('new-session', '-d', '-s', 'bar', '-x', str(width), '-y', '40', f'{command}; sleep 100')
        self.wait(end)
        time.sleep(0.1)
        return self.lines()

    @unittest.skipUnless(shutil.which('tmux'), 'tmux is not installed')
    def test_words_are_not_cut(self):
        source, _ = e2e.sample()
        os.makedirs(e2e.scratch('narrow'), exist_ok=True)
        shutil.copy(source, e2e.scratch('narrow/a.png'))
        command = f'cd {e2e.scratch("narrow")}; REPRISE_OFFLINE=1 {os.path.abspath(e2e.program)} '
        lines = self.words(38, command + f'headless-run -s a.png -t {"long-" * 12}.png -o b.png', 'long-')
        said = e2e.run('headless-run', '-s', 'a.png', '-t', 'long-' * 12 + '.png', '-o', 'b.png',
                       cwd=e2e.scratch('narrow')).stderr
        self.assertEqual(re.sub(r'\s+', '', ''.join(lines)), re.sub(r'\s+', '', said))
        words = {*said.split()}
        for line in lines:
            for word in line.split():
                self.assertTrue(word in words or 'long-' in word or word.startswith('-') or '.png' in word,
                                (word, lines))

    @unittest.skipUnless(shutil.which('tmux'), 'tmux is not installed')
    def test_narrow_table(self):
        """analyse leaves out columns where there is no room."""
        source, _ = e2e.sample()
        for width, columns in ((100, 7), (60, 5), (38, 4)):
            lines = self.words(width, f'REPRISE_OFFLINE=1 {e2e.program} analyse {source}', '^ +0 +0 ')
            at = [n for n, line in enumerate(lines) if line.startswith('  frame')][0]
            self.assertEqual(len(re.split(r'  +', lines[at].strip())), columns, lines)
            self.assertEqual(len(re.split(r'  +', lines[at + 1].strip())), columns, lines)
            self.tmux('kill-session', '-t', 'bar')

    def is_clean(self, width):
        """One bar, on the last line, that fits; nothing of an older one."""
        *others, last = self.lines()
        return bool(re.match(r' +\d+ % ', last) and len(last) < width and
                    (width < 24 or re.search(r'\d+/\d+', last)) and
                    not re.search(r' % |fps|\||frames|\d left', '\n'.join(others)))

    def test_bar(self):
        if not shutil.which('tmux'):
            self.skipTest('tmux is not installed')
        source, target = e2e.sample()
        clip = e2e.scratch('bar.mp4')
        e2e.ffmpeg('-stream_loop', '-1', '-i', target, '-t', '60', '-c', 'copy', clip)
        job = (f'{e2e.program} headless-run --processors face_swapper -s {source} -t {clip} -o '
               f'{e2e.scratch("bar.mkv")} --face-swapper-model classic_256 --offline; sleep 100')
        self.addCleanup(subprocess.run, ['tmux', '-S', self.socket(), 'kill-server'],
                        check=False)
        self.tmux('new-session', '-d', '-s', 'bar', '-x', '100', '-y', '20',
                  f'seq 30; COLUMNS=100 REPRISE_OFFLINE=1 {job}')  # a screen that is full
        bar = self.wait(r'%.* left$')
        self.assertEqual(len(bar), 1, self.lines())
        self.assertRegex(bar[0], r'^ +\d+ % \|[= ]{5,}\| \d+/\d+ frames  [\d.]+ fps  [\d:]+ left$')
        self.assertLess(len(bar[0]), 100)
        for width in (38, 24, 12, 80):
            self.tmux('resize-window', '-t', 'bar', '-x', str(width))
            # for a moment it does not know the new width
            end = time.monotonic() + 20
            while not self.is_clean(width) and time.monotonic() < end:
                time.sleep(0.05)
            self.assertTrue(self.is_clean(width), (width, self.lines()))
        self.tmux('send-keys', '-t', 'bar', 'C-c')
        self.wait('interrupted')
        end = time.monotonic() + 20
        while any('%' in line for line in self.lines()) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse([line for line in self.lines() if '%' in line], self.lines())


class Models(unittest.TestCase):
    def needed(self, *options):
        """Kinds and names that a job needs, and those that stand in."""
        models = [json.loads(line) for line in e2e.must('models', '--json', *options).stdout.splitlines()]
        return ({(m['kind'], m['name']) for m in models if m['needed']},
                {(m['kind'], m['name']) for m in models if m['stands_in']}, models)

    def test_what_a_job_opens(self):
        """The networks of the plan are those that are needed or stand in, and installed."""
        source, target = e2e.sample()
        for options in (('--processors', 'face_swapper', '-s', source),
                        ('--processors', 'face_debugger', '--face-selector-mode', 'many'),
                        ('--processors', 'face_blur', '--face-selector-gender', 'female'),
                        ('--processors', 'face_swapper', '-s', source, '--face-detector-model',
                         'ultraface', '--face-swapper-model', 'classic_256')):
            plan = json.loads(e2e.must('plan', '--json', '-t', target, *options).stdout)
            opened = set(re.findall(r'"kind": "network", "name": "([^"]+)"', json.dumps(plan)))
            needed, stands_in, models = self.needed(*options)
            listed = {m['name'] for m in models if m['installed'] and
                      (m['kind'], m['name']) in needed | stands_in}
            if 'female' in options:  # FaceFusion's classifier needs the landmarks, and the lite one not
                listed.discard('fr_landmark')
            self.assertEqual(opened, listed, options)

    def test_rules(self):
        """What no lite model can show."""
        for options, names in (
                (('--processors', 'frame_enhancer'), {'span_kendata_x4', 'nsfw_1', 'nsfw_2', 'nsfw_3'}),
                (('--processors', 'face_editor', '--content-analyser-model', 'nsfwjs',
                  '--face-selector-mode', 'many'),
                 {'nsfwjs', 'yolo_face', '2dfan4', 'live_portrait', 'live_portrait_generator',
                  'live_portrait_feature_extractor', 'live_portrait_eye_retargeter',
                  'live_portrait_lip_retargeter', 'live_portrait_stitcher'}),
                (('--processors', 'face_swapper', '--face-swapper-model', 'ghost_2_256',
                  '--content-analyser-model', 'nsfwjs', '--face-mask-types', 'occlusion', 'region',
                  '--face-occluder-model', 'many'),
                 {'nsfwjs', 'yolo_face', '2dfan4', 'arcface', 'ghost_2_256', 'crossface_ghost',
                  'xseg_1', 'xseg_2', 'xseg_3', 'bisenet_resnet_34'}),
                (('--processors', 'lip_syncer', '--content-analyser-model', 'nsfwjs',
                  '--face-selector-mode', 'many', '--voice-extractor-model', 'uvr_mdxnet'),
                 {'nsfwjs', 'yolo_face', '2dfan4', 'uvr_mdxnet', 'wav2lip_gan_96'})):
            self.assertEqual({name for _, name in self.needed(*options)[0]}, names, options)

    def test_short(self):
        said = e2e.must('models')
        rows = [line.split()[:2] for line in said.stdout.splitlines()[1:]]
        needed, stands_in, models = self.needed()
        self.assertEqual({tuple(row) for row in rows}, needed | stands_in |
                         {(m['kind'], m['name']) for m in models if m['installed']})
        self.assertIn('reprise models all', said.stderr)
        self.assertEqual(len(e2e.must('models', 'all').stdout.splitlines()), len(models) + 1)

    def test_did_you_mean(self):
        for words, said in (
                (('models', 'inswaper_128'), 'did you mean inswapper_128?'),
                (('models', 'face_swapper', 'face_detecter'), 'did you mean face_detector?'),
                (('force-download', '2dfan5'), 'did you mean 2dfan4?'),
                (('headless-run', '--face-swapper-model', 'inswapper'), 'did you mean inswapper_128?'),
                (('headless-run', '--deep-swapper-model', 'keanu'), 'mean iperov/keanu_reeves_320?'),
                (('headless-run', '--face-detector-model', 'yoloface'), 'did you mean yolo_face?'),
                (('headless-run', '--processors', 'face_swaper'), 'did you mean face_swapper?'),
                (('headless-run', '--processors', 'face_swapper,face_enhancer'), 'put blanks')):
            result = e2e.run(*words)
            self.assertEqual(result.returncode, 2)
            self.assertIn(said, result.stderr)
            self.assertEqual(result.stdout, '')

    def test_missing_source(self):
        source, target = e2e.sample()
        result = e2e.run('headless-run', '-s', source, e2e.scratch('nobody.jpg'), '-t', target, '-o',
                         e2e.scratch('x.mp4'))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r'--source-paths: .*nobody\.jpg: No such file')


class Hardware(unittest.TestCase):
    """An encoder is offered because FFmpeg was built with it; whether it works is another matter."""

    def test_encoders(self):
        found = [json.loads(line) for line in e2e.must('doctor', '--json').stdout.splitlines()]
        text = options_of('headless-run')['output-video-encoder']
        offered = re.findall(r'\w+_(?:nvenc|qsv|amf)', text)
        if not offered:
            self.skipTest('this FFmpeg was built without such encoders')
        listed = ' '.join(f['detail'] for f in found if f['name'].endswith(' encoders'))
        self.assertNotIn('_nvenc', ' '.join(f['detail'] for f in found if f['name'] == 'video'))
        for encoder in offered:
            self.assertIn(encoder, listed)
        works = {encoder: not subprocess.run(
            ['ffmpeg', '-v', 'quiet', '-f', 'lavfi', '-i', 'color=s=640x480', '-frames:v', '1',
             '-c:v', encoder, '-f', 'null', '-'], check=False).returncode for encoder in offered}
        for finding in found:
            if finding['name'].endswith(' encoders'):
                mine = [e for e in offered if e in finding['detail']]
                self.assertEqual(finding['ok'], all(works[e] for e in mine), finding)
                self.assertFalse(finding['needed'])
                self.assertEqual(bool(finding['advice']), not finding['ok'])
        bad = [encoder for encoder in offered if not works[encoder]]
        for encoder in bad[:1]:
            target = e2e.sample()[1]
            result = e2e.run('headless-run', '--processors', 'face_debugger', '-t', target,
                             '--trim-frame-end', '2', '-o', e2e.scratch('hardware.mp4'),
                             '--output-video-encoder', encoder, '--log-level', 'error')
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, rf'--output-video-encoder: {encoder} cannot be opened '
                                            r'here \(.*\): it needs an \w+ GPU .*; use libx26')


class Faces(unittest.TestCase):
    """Numbers of faces, and the sheet."""

    @classmethod
    def setUpClass(cls):
        cls.group = e2e.scratch('group.png')
        e2e.ffmpeg('-i', e2e.shared('media/obama_and_biden.jpg'), '-vf', 'scale=640:-2', cls.group)

    def test_numbers(self):
        """--reference-face-position means the face of that number, whatever the order."""
        plain = e2e.pixels(self.group)[0]
        for options in ((), ('--face-selector-order', 'left-right'),
                        ('--face-selector-gender', 'male')):
            faces = e2e.analyse(*options, self.group)[0]['faces']
            self.assertEqual(len(faces), 3)
            counted = 2 if options and options[1] == 'male' else 3
            self.assertEqual([f['position'] for f in faces], [0, 1, 2][:counted] + [None] * (3 - counted))
            if options[1:] == ('left-right',):
                self.assertEqual(faces, sorted(faces, key=lambda f: f['box'][0]))
            for position in (0, counted - 1):
                out = e2e.scratch('number.png')
                e2e.must('headless-run', '--processors', 'face_debugger', '-t', self.group, '-o', out,
                         '--face-selector-mode', 'reference', '--face-debugger-items', 'bounding-box',
                         '--reference-face-position', str(position), '--reference-face-distance',
                         '0.05', *options)
                changed = (e2e.pixels(out)[0] != plain).any(2)
                self.assertGreater(changed.sum(), 100)
                self.assertTrue(e2e.inside(changed.shape, faces[position]['box'], 0.2)[changed].all())

    def test_table(self):
        said = e2e.must('analyse', '--face-selector-gender', 'male', self.group).stdout
        self.assertEqual([line.split()[:2] for line in said.splitlines()[1:]],
                         [['frame', 'face'], ['0', '0'], ['0', '1'], ['0', '-']])

    def cells(self, path, top):
        """The faces of a sheet, [n,192,192,3]: the row that begins at `top`."""
        page = e2e.pixels(path)[0]
        return [page[top:top + 192, left:left + 192]
                for left in range(20, page.shape[1] - 192, 212)]

    def test_sheet(self):
        sheet = e2e.scratch('sheet.png')
        said = e2e.must('analyse', '--sheet', sheet, self.group)
        self.assertIn('3 of 3 faces', said.stderr)
        self.assertEqual(e2e.size_of(sheet), (656, 408))
        self.assertFalse(json.loads(e2e.must('inspect', '--json', sheet).stdout)['present'])
        picture = e2e.pixels(self.group)[0]
        for cell, face in zip(self.cells(sheet, 104), e2e.analyse(self.group)[0]['faces']):
            x1, y1, x2, y2 = face['box']
            side = 1.5 * max(x2 - x1, y2 - y1)
            for fx, fy in ((.3, .3), (.5, .5), (.6, .4), (.4, .7)):
                x, y = (x1 + x2 - side) / 2 + fx * side, (y1 + y2 - side) / 2 + fy * side
                there = picture[int(y) - 3:int(y) + 3, int(x) - 3:int(x) + 3].mean((0, 1))
                n = int(192 * 3 / side) + 1
                here = cell[int(fy * 192) - n:int(fy * 192) + n,
                            int(fx * 192) - n:int(fx * 192) + n].mean((0, 1))
                self.assertLess(abs(there - here).max(), 30, (face['box'], fx, fy))
        text = e2e.pixels(sheet)[0][300:360, 20:212]
        self.assertGreater((text < 128).all(2).mean(), 0.01)  # letters are there

    def test_sheet_of_a_video(self):
        """People come first, one picture of each; then further sightings, as many as a page holds."""
        clip, sheet = e2e.scratch('two.mp4'), e2e.scratch('two.png')
        e2e.ffmpeg('-loop', '1', '-t', '1', '-r', '12', '-i', e2e.shared('media/obama.jpg'), '-vf',
                   'scale=320:320', clip)
        said = e2e.must('analyse', '--json', '--sheet', sheet, clip, e2e.shared('media/biden.jpg'),
                        '--log-level', 'info')
        self.assertEqual(len(said.stdout.splitlines()), 13)
        self.assertIn('13 of 13 faces', said.stderr)
        first = self.cells(sheet, 104)
        more = self.cells(sheet, 104 + 192 + 12 + 4 * 20 + 20 + 44)
        near = lambda a, b: abs(a.astype(int) - b).mean() < 12  # noqa: E731
        self.assertFalse(near(first[0], first[1]))
        self.assertTrue(near(first[0], more[0]))
        self.assertTrue(all(near(more[0], cell) for cell in more))

    def test_sheet_sentences(self):
        for sheet, code, said in (('x.gif', 2, 'must end in png'), ('x', 2, 'must end in png'),
                                  ('nowhere/x.png', 1, 'nowhere')):
            result = e2e.run('analyse', '--sheet', e2e.scratch(sheet), self.group)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(said, result.stderr)
        link = e2e.scratch('link.png')
        os.symlink(self.group, link)
        result = e2e.run('analyse', '--sheet', link, self.group)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn('one of the files to look at', result.stderr)
        nobody = e2e.scratch('nobody.png')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=gray:s=64x48', '-frames:v', '1', nobody)
        e2e.must('analyse', '--sheet', e2e.scratch('none.png'), nobody)
        self.assertEqual(e2e.size_of(e2e.scratch('none.png'))[0], 656)


if __name__ == '__main__':
    e2e.main()
