#!/usr/bin/python3
"""What a person meets: completion, the man page, lists of models, the bar on a terminal, the sheet of
faces, one frame as a picture, and what is said when a thing is not there.

    test_words.py PROGRAM
"""
import os
import re
import shutil
import subprocess
import unittest

import e2e

COMMANDS = ('headless-run', 'analyse', 'models', 'force-download', 'doctor', 'inspect', 'benchmark',
            'plan', 'completion')


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
        for command in COMMANDS:
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

    def test_form(self):
        if not shutil.which('groff'):
            self.skipTest('groff is not installed')
        page = e2e.tool(os.path.join(e2e.ROOT, 'completions', 'man.sh'), e2e.program,
                        os.path.join(e2e.ROOT, 'docs', 'reprise.1.in'))
        said = subprocess.run(['groff', '-man', '-ww', '-Tutf8', '-Kutf8'], input=page,
                              capture_output=True, check=True)
        self.assertEqual(said.stderr, b'')


if __name__ == '__main__':
    e2e.main()
