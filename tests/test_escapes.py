#!/usr/bin/python3
"""No text from outside commands the terminal: names of files, words, settings, what files say of
themselves, names in models, replies of servers, the environment; from all commands, into files and
on a terminal, with all messages shown.

    test_escapes.py PROGRAM
"""
import json
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import unittest

import e2e

sys.path.insert(0, os.path.join(e2e.ROOT, 'tools'))
import onnx_writer as w  # noqa: E402

# A title, a colour, C1 as a byte and as a character, an override, an isolate, DEL; in a name also
# what HTML and JSON have to escape.
EVIL = (b'\x1b]0;x\x07\x1b[31m\x9b31m\xc2\x9b32m\xe2\x80\xae\xe2\x81\xa6\x7f\r\n\t\xc3\xa4'
        b'\xed\xa0\x80"\'<b>&amp;')
TEXT = '\x1b[31m\x9b32m\u202e\x7fä'  # the same as far as UTF-8 and XML can say it
XMP = ('<x:xmpmeta><rdf:Description Iptc4xmpExt:DigitalSourceType="{0}" xmp:CreatorTool="{0}" '
       'reprise:Processors="&#x1b;[31m&#155;31m{0}" reprise:Models="{0}"/></x:xmpmeta>')

# The only controls: line ends, and of the bar on a terminal also these.
RAW = re.compile('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')
BAR = re.compile(rb'\x1b\[\?7[lh]|\x1b\[\d*[AJ]|\r\x1b\[K|\r(?=[^\n])|\x1b\[K|\r\n')


class Escapes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = e2e.scratch('escapes').encode() + b'/' + EVIL
        os.mkdir(os.path.dirname(cls.folder))
        os.mkdir(cls.folder)
        shutil.copy(e2e.PICTURE, cls.path('source.png'))
        cls.picture = cls.path('small.png')
        e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'scale=128:128', cls.picture)
        cls.clip = cls.path('clip.mp4')
        e2e.ffmpeg('-loop', '1', '-i', e2e.PICTURE, '-frames:v', '3', '-vf', 'scale=160:160', '-c:v',
                   'mpeg4', '-metadata', 'title=' + TEXT, '-metadata', 'artist=' + TEXT, '-metadata',
                   f'comment=synthetic_media={TEXT}; software={TEXT}; reprise_processors={TEXT}; '
                   f'reprise_models={TEXT}', cls.clip)

    @classmethod
    def path(cls, name):
        return cls.folder + EVIL.replace(b'<b>', b'') + name.encode()

    def write(self, name, data):
        with open(self.path(name), 'wb') as file:
            file.write(data)
        return self.path(name)

    def clean(self, said, about):
        text = said.decode('utf-8')  # fails where it is none
        found = RAW.search(text)
        self.assertIsNone(found, f'{about}: {text[max(0, found.start() - 60):][:120]!r}'
                          if found else '')
        return text

    def run_both(self, *args, **env):
        """What it says into pipes; returns stdout and stderr."""
        result = subprocess.run([e2e.program, *args], stdin=subprocess.DEVNULL, capture_output=True,
                                check=False, timeout=e2e.TIMEOUT, env={**os.environ, **env})
        self.assertIn(result.returncode, (0, 1, 2, 3), result.stderr)
        return [self.clean(said, args) for said in (result.stdout, result.stderr)]

    def evil(self, *args, json_too=False, **env):
        """With all messages; they show the evil text. With --json each line is an object."""
        out, err = self.run_both(*args, '--log-level', 'debug', **env)
        self.assertIn('\\x1b', out + err, args)
        if json_too:
            self.objects(*args, '--log-level', 'debug', **env)
        return out, err

    def objects(self, *args, **env):
        out, _ = self.run_both(*args, '--json', **env)
        return [json.loads(line) for line in out.splitlines()]

    # ---- names and words ----

    def test_names(self):
        missing = self.path('missing.png')
        for command in ('analyse', 'inspect'):
            self.evil(command, self.picture, missing, self.write('text.png', b'no picture'),
                      json_too=True)
        self.evil('analyse', self.clip, self.folder)
        self.objects('plan', '--processors', 'face_debugger', '-t', self.picture)
        self.evil('plan', '-s', missing, '-t', self.picture)
        swap = ('headless-run', '-s', self.path('source.png'), '-t')
        self.evil(*swap, self.picture, '-o', self.path('out.jpg'), json_too=True)
        self.evil(*swap, self.clip, '-o', self.path('out.mp4'), json_too=True)
        self.evil(*swap, self.clip, '-o', self.folder + b'/no/such/folder.mp4')
        self.evil(*swap, self.clip, '-o', self.path('no.' + '\x1b'))
        self.evil(*swap, self.write('broken.mp4', b'\0\0\0\x20ftypmp42' + EVIL * 20), '-o',
                  self.path('out.mp4'))

    def test_words(self):
        for words in ([EVIL], ['help', EVIL], ['models', EVIL], ['force-download', EVIL],
                      ['doctor', EVIL], ['doctor', b'--' + EVIL], ['doctor', b'-' + EVIL[:1]],
                      ['doctor', b'--json=' + EVIL],
                      ['plan', '--processors', EVIL], ['plan', b'--face-detector-score=' + EVIL],
                      ['plan', '--execution-providers', EVIL, '-t', EVIL],
                      ['headless-run', b'--log-level=' + EVIL]):
            _, err = self.run_both(*words)
            self.assertIn('\\x1b', err, words)

    def test_long_words(self):
        """Whole characters stay whole, wherever the pieces end in which a line is printed."""
        for n in range(4):
            word = 'y' * n + '\N{EURO SIGN}' * 400 + '\x9b'
            _, err = self.run_both('inspect', word)
            self.assertIn(word.replace('\x9b', '\\u009b'), err)

    def test_folders(self):
        self.evil('doctor', '--models-path', self.folder, json_too=True)
        custom = os.path.join(self.folder, b'custom')
        os.mkdir(custom)
        for name in (EVIL.replace(b'/', b''), b'fine'):
            with open(os.path.join(custom, name + b'.dfm'), 'wb') as file:
                file.write(EVIL)
        self.run_both('models', '--models-path', self.folder)
        self.objects('models', '--models-path', self.folder, '--verify')

    def test_environment(self):
        for name in ('REPRISE_ONNXRUNTIME', 'REPRISE_MODELS', 'XDG_CACHE_HOME', 'HOME', 'ORT_HOME',
                     'REPRISE_CUDA_MODULE', 'REPRISE_MIRRORS', 'COLUMNS', 'TMPDIR', 'TERM'):
            for words in (['--version'], ['doctor']):
                self.run_both(*words, **{name: EVIL})

    # ---- what is in files ----

    def test_settings(self):
        lines = (b'[execution]\n%s = 1\n', b'[%s]\nx = 1\n', b'[face_detector]\nface_detector_score = %s\n',
                 b'[face_detector]\nface_detector_model = %s\n', b'%s\n', b'[paths]\ntarget_path = %s\n')
        for line in lines:
            evil = EVIL.replace(b'\r\n', b'')
            ini = self.write('settings.ini', line % evil)
            self.evil('plan', '--config-path', ini)

    def test_marks(self):
        png = self.write('mark.jpg', b'')
        e2e.ffmpeg('-i', self.picture, png)
        with open(png, 'rb') as file:
            data = file.read()
        packet = b'http://ns.adobe.com/xap/1.0/\0' + XMP.format(TEXT).encode() + EVIL
        self.write('mark.jpg', data[:2] + b'\xff\xe1' + (len(packet) + 2).to_bytes(2, 'big') +
                   packet + data[2:])
        for path in (png, self.clip):
            out, _ = self.evil('inspect', path, json_too=True)
            self.assertIn('synthetic media\n', out)
            self.assertIn('\\x1b', out[out.index('synthetic'):])
            self.assertIn('\\u009b', out[out.index('synthetic'):])
            self.assertIn('\x9b', self.objects('inspect', path)[0]['software'])

    def test_metadata_of_libraries(self):
        """Messages of libav and libtiff hold bytes of the file."""
        with open(self.clip, 'rb') as file:
            data = file.read()
        self.evil('analyse', self.write('tag.mp4', data.replace(b'mp4v', EVIL[:4])))
        self.evil('analyse', self.write('x.tiff', b'II*\0\x08\0\0\0\x02\0' + EVIL * 4))

    def test_models(self):
        """Names in a model's file and its own, into the table, the report and the page."""
        name = 'E' * len(EVIL)  # the writer takes no such bytes
        g = w.Graph(name)
        g.input(name, w.FLOAT, [1, 3])
        g.node('Add', [name, name], [name + 'y'])
        g.output(name + 'y', w.FLOAT, [1, 3])
        g.save(e2e.scratch('net.onnx'))
        with open(e2e.scratch('net.onnx'), 'rb') as file:
            data = file.read().replace(name.encode(), EVIL)
        model, page, report = self.write('net.onnx', data), self.path('page.html'), self.path('r.json')
        self.evil('benchmark', '--benchmark-parts', 'models', '--benchmark-models', model, '--html',
                  page, '--json', report)
        with open(page, 'rb') as file:
            text = self.clean(file.read(), 'page')
        self.assertIn('\\x1b', text)
        self.assertNotIn('<b>', text)
        self.assertIn('&lt;b&gt;', text)
        with open(report, 'rb') as file:
            self.assertIn('<b>', json.loads(self.clean(file.read(), 'report'))['models'][0]['name'])
        self.evil('benchmark', '--benchmark-parts', 'models', '--benchmark-models',
                  self.write('bad.onnx', data.replace(b'Add', b'\x1bd\x9b')))

    # ---- others ----

    def test_server(self):
        """A mirror whose status, headers and redirects are evil."""
        line = EVIL.replace(b'\r\n', b'')
        answers = [b'HTTP/1.1 500 ' + line + b'\r\nETag: "' + line + b'"\r\n\r\n' + EVIL,
                   b'HTTP/1.1 302 ' + line + b'\r\nLocation: ' + line + b'://' + line + b'/\r\n\r\n',
                   line + b'\r\n\r\n', b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n' + EVIL[:9]]
        for answer in answers:
            server = socket.create_server(('127.0.0.1', 0))
            threading.Thread(target=self.serve, args=(server, answer), daemon=True).start()
            mirror = f'github=http://127.0.0.1:{server.getsockname()[1]}/'
            self.evil('force-download', 'yunet_2023_mar', '--models-path', self.folder,
                      '--download-providers', 'github', '--download-mirrors', mirror.encode() + EVIL,
                      '--download-patience', '1', json_too=answer == answers[0], REPRISE_OFFLINE='0')
            server.close()

    @staticmethod
    def serve(server, answer):
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                client.recv(4096)
                client.sendall(answer)

    def test_terminal(self):
        """On a terminal the same, but for the bar."""
        for words in (['headless-run', '-s', self.path('source.png'), '-t', self.clip, '-o',
                       self.path('tty.mp4'), '--log-level', 'debug'],
                      ['analyse', self.picture, self.path('missing.png')],
                      ['inspect', self.clip], [EVIL]):
            said = self.on_terminal(words)
            self.assertIn(b'\\x1b', said)
            self.clean(BAR.sub(b'\n', said), words)

    @staticmethod
    def on_terminal(words):
        child, fd = pty.fork()
        if child == 0:
            os.execve(e2e.program, [e2e.program, *words], {**os.environ, 'TERM': 'xterm'})
        said = b''
        while select.select([fd], [], [], e2e.TIMEOUT)[0]:
            try:
                more = os.read(fd, 65536)
            except OSError:  # closed on the other side
                break
            if not more:
                break
            said += more
        os.waitpid(child, 0)
        os.close(fd)
        return said


if __name__ == '__main__':
    e2e.main()
