#!/usr/bin/python3
"""Fetching models, from a server of our own that breaks, stalls, lies and redirects.

    test_download.py PROGRAM
"""
import hashlib
import http.server
import io
import json
import os
import random
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import unittest
import zlib

import e2e

# A model of which the catalogue knows neither size nor sums, one of which it knows all, and one that
# is at Hugging Face only.
YUNET = 'yunet_2023_mar'
FAN, FAN_SIZE = 'fan_68_5', 944321
DEEP = 'ella_freya_224'
GITHUB = '/gh/facefusion/facefusion-assets/releases/download/'
HUGGINGFACE = '/hf/facefusion/'


def crc_of(data):
    return f'{zlib.crc32(data):08x}'.encode()


class File:
    """What the server has under a path, and how it behaves."""

    def __init__(self, data, **how):
        self.data = data
        self.etag = '"' + hashlib.md5(data).hexdigest() + '"'
        self.ranges = True       # obeys Range
        self.sized = True        # says Content-Length
        self.break_at = []       # offsets at which the connection ends, one an answer
        self.stall_at = None     # offset at which nothing more comes
        self.statuses = []       # of the first answers instead of the file
        self.shift = 0           # lies about where its answer begins
        self.pause = 0           # seconds before each piece of 64 kB
        self.location = None     # redirect
        self.says = None         # Content-Length, whatever comes
        self.endless = False     # sends and sends; `sent` counts it
        self.sent = 0
        self.headers = 0         # so many more
        self.__dict__.update(how)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.0'

    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        file = server.files.get(self.path)
        asked = self.headers.get('Range')
        with server.lock:
            server.requests.append((self.path, asked, self.headers.get('If-Range')))
            status = file.statuses.pop(0) if file and file.statuses else 200 if file else 404
        if status != 200 or file.location:
            self.send_response(302 if status == 200 else status)
            if file and file.location:
                self.send_header('Location', file.location)
            self.end_headers()
            self.wfile.write(b'<html>an error page</html>')
            return
        self.send_file(file, self.first_byte(file, asked))

    def first_byte(self, file, asked):
        same = self.headers.get('If-Range') in (None, file.etag)
        return int(asked[6:-1]) if asked and file.ranges and same else None

    def send_file(self, file, first):
        size = len(file.data)
        if first is not None and first >= size:
            self.send_error(416)
            return
        begin = max((first or 0) + file.shift, 0)
        self.send_response(200 if first is None else 206)
        if first is not None:
            self.send_header('Content-Range', f'bytes {begin}-{size - 1}/{size}')
        if file.sized:
            self.send_header('Content-Length', str(file.says or size - begin))
        for i in range(file.headers):
            self.send_header(f'X-{i}', 'x' * 1000)
        if file.etag:
            self.send_header('ETag', file.etag)
        self.end_headers()
        try:
            self.send_body(file, begin)
        except OSError:
            pass  # the program has gone

    def send_body(self, file, begin):
        while file.endless:
            file.sent += self.wfile.write(b'x' * (1 << 20))
        end = file.break_at.pop(0) if file.break_at else len(file.data)
        for at in range(begin, end, 65536):
            if file.pause:
                time.sleep(file.pause)
            stop = min(at + 65536, end)
            if file.stall_at is not None and stop > file.stall_at:
                self.wfile.write(file.data[at:file.stall_at])
                self.wfile.flush()
                self.server.stopping.wait(30)
                return
            self.wfile.write(file.data[at:stop])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(('127.0.0.1', 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.files, self.requests, self.lock = {}, [], threading.Lock()
        self.stopping = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.server_address[1]}'

    def stop(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Case(unittest.TestCase):
    """A server, an empty model folder and a cache of its own for each test."""

    def setUp(self):
        self.folder = e2e.scratch(self.id())
        self.models = os.path.join(self.folder, 'models')
        os.makedirs(self.folder)
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.data = random.Random(self.id()).randbytes(400000)
        self.env = {name: value for name, value in os.environ.items()
                    if name not in ('REPRISE_OFFLINE', 'REPRISE_MIRRORS', 'REPRISE_MODELS')}
        self.env.update(XDG_CACHE_HOME=os.path.join(self.folder, 'cache'), no_proxy='*')

    def put(self, name=YUNET, data=None, provider=GITHUB, base='models-3.4.0/', ext='onnx', crc=None,
            **how):
        """Let the server have a model and its .hash; HUGGINGFACE has a folder more."""
        data = self.data if data is None else data
        stem = provider + base + ('resolve/main/' if provider == HUGGINGFACE else '') + name
        self.server.files[stem + '.hash'] = File(crc or crc_of(data))
        file = self.server.files[f'{stem}.{ext}'] = File(data, **how)
        return file

    def arguments(self, *words, command='force-download', mirrors=None):
        if mirrors is None:
            mirrors = f'github={self.server.url}/gh', f'huggingface={self.server.url}/hf'
        return (command, '--models-path', self.models, '--download-mirrors', *mirrors, '--', *words)

    def run_it(self, *words, code=0, said='', options=(), seconds=60, **kwargs):
        command, *rest = self.arguments(*(words or ('yunet',)), **kwargs)
        start = time.monotonic()
        result = e2e.run(command, *options, *rest, env=self.env)
        self.took = time.monotonic() - start
        about = f'exit {result.returncode} after {self.took:.1f} s\n{result.stdout}{result.stderr}'
        self.assertEqual(result.returncode, code, about)
        self.assertIn(said, result.stderr)
        self.assertLess(self.took, seconds, about)
        if code:
            self.assertEqual(result.stderr.count('error: '), 1, about)
        return result

    def asked(self, ending='.onnx'):
        """[(path, Range, If-Range)] since the last time, without the .hash files."""
        with self.server.lock:
            found = [r for r in self.server.requests if r[0].endswith(ending)]
            self.server.requests.clear()
        return found

    def here(self):
        """Names in the model folder."""
        found = []
        for folder, _, names in os.walk(self.models):
            found += [os.path.relpath(os.path.join(folder, name), self.models) for name in names]
        return sorted(found)

    def content(self, name=YUNET + '.onnx'):
        with open(os.path.join(self.models, name), 'rb') as file:
            return file.read()

    def assert_whole(self, data=None):
        data = self.data if data is None else data
        self.assertEqual(self.here(), [YUNET + '.hash', YUNET + '.onnx'])
        self.assertEqual(self.content(), data)
        self.assertEqual(self.content(YUNET + '.hash'), crc_of(data))

    def write(self, name, data):
        os.makedirs(self.models, exist_ok=True)
        with open(os.path.join(self.models, name), 'wb') as file:
            file.write(data)


class Whole(Case):
    """Downloads that come to a good end."""

    def test_once(self):
        self.put()
        self.run_it(said=f'fetching yunet (0.4 MB) from {self.server.url[7:]}/gh')
        self.assert_whole()
        self.assertEqual(len(self.asked()), 1)
        result = self.run_it(said='0 fetched, 1 already there')
        self.assertEqual(self.server.requests, [])
        result = self.run_it(options=['--json'])
        self.assertEqual(json.loads(result.stdout),
                         {'kind': 'face_detector', 'name': 'yunet', 'file': YUNET + '.onnx',
                          'status': 'there'})

    def test_second_provider(self):
        self.put(provider=HUGGINGFACE)
        self.run_it()
        self.assert_whole()

    def test_order_of_providers(self):
        self.put()
        self.put(provider=HUGGINGFACE)
        self.run_it(options=['--download-providers', 'huggingface', 'github'])
        self.assertIn('/hf/', self.asked()[0][0])

    def test_mirrors_from_the_environment(self):
        self.put()
        self.env['REPRISE_MIRRORS'] = f'huggingface=http://127.0.0.1:1 github={self.server.url}/gh/'
        result = e2e.run('force-download', '--models-path', self.models, 'yunet', env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_whole()

    def test_mirror_that_is_none(self):
        for mirror in ('github', 'github=', 'github=ftp://x', 'github=http://', 'gitlab=http://x',
                       'github=http://a b'):
            self.run_it(code=2, said='--download-mirrors', mirrors=[mirror])

    def test_redirect(self):
        file = self.put()
        self.server.files['/elsewhere'] = File(self.data)
        file.location = self.server.url + '/elsewhere'
        self.run_it()
        self.assert_whole()

    def test_no_length(self):
        self.put(sized=False)
        self.run_it()
        self.assert_whole()

    def test_deep_swapper(self):
        self.put(DEEP, provider=HUGGINGFACE, base='deepfacelive-models-jen/', ext='dfm')
        self.run_it('jen/' + DEEP)
        self.assertEqual(self.here(), [f'jen/{DEEP}.dfm', f'jen/{DEEP}.hash'])
        self.run_it('jen/emma_myers_320', code=1, said='Hugging Face only',
                    options=['--download-providers', 'github'])

    def test_scopes(self):
        """FaceFusion's 119 files, or all 252. The server has one of them."""
        self.put()
        for scope, count in (('lite', 119), ('full', 252)):
            result = self.run_scope(scope)
            lines = [json.loads(line) for line in result.stdout.splitlines()]
            self.assertEqual(len(lines), count)
            self.assertEqual([line['name'] for line in lines if line['status'] != 'failed'], ['yunet'])
            self.assertEqual(result.returncode, 1)

    def run_scope(self, scope):
        _, *rest = self.arguments()
        return e2e.run('force-download', '--json', '--download-scope', scope, '--log-level', 'error',
                       *rest, env=self.env)

    def test_two_at_once(self):
        """The second waits, and finds the file there."""
        self.put(pause=0.1)
        processes = []
        for _ in range(2):
            processes.append(subprocess.Popen([e2e.program, *self.arguments('yunet')], env=self.env,
                                              stderr=subprocess.PIPE, stdout=subprocess.DEVNULL))
            time.sleep(0.2)
        words = [process.communicate(timeout=60)[1].decode() for process in processes]
        self.assertEqual([process.returncode for process in processes], [0, 0], words)
        self.assertIn('another process is fetching yunet', words[1])
        self.assertEqual(len(self.asked()), 1)
        self.assert_whole()


class Resume(Case):
    """A download that broke off is continued, and never sewn together wrongly."""

    def test_in_one_run(self):
        self.put(break_at=[150000, 300000])
        self.run_it()
        self.assert_whole()
        self.assertEqual([r[1] for r in self.asked()], [None, 'bytes=150000-', 'bytes=300000-'])

    def broken_off(self, **how):
        """Leave the first 150000 bytes; the server is left well."""
        file = self.put(break_at=[150000], **how)
        file.statuses = [200, 404]
        self.run_it(code=75, said='404')
        self.assertEqual(self.asked()[0][1:], (None, None))
        self.assertNotIn(YUNET + '.onnx', self.here())
        return file

    def test_in_the_next_run(self):
        file = self.broken_off()
        self.run_it(said='fetching the rest of yunet')
        self.assertEqual([r[1:] for r in self.asked()], [('bytes=150000-', file.etag)])
        self.assert_whole()

    def test_file_has_changed(self):
        self.broken_off()
        other = bytes(reversed(self.data))
        self.put(data=other)
        self.run_it()
        self.assertEqual(len(self.asked()), 1)
        self.assert_whole(other)

    def test_server_without_ranges(self):
        self.broken_off().ranges = False
        self.run_it()
        self.assertEqual(len(self.asked()), 1)
        self.assert_whole()

    def test_server_without_etag(self):
        self.broken_off(etag=None)
        self.run_it()
        self.assertEqual([r[1:] for r in self.asked()], [('bytes=150000-', None)])
        self.assert_whole()

    def test_answer_begins_elsewhere(self):
        self.broken_off().shift = -1000
        self.run_it(seconds=20)
        self.assertEqual(self.content(), self.data)

    def test_rubbish(self):
        """Of a run that died in a strange way: seen by the sums, fetched anew."""
        self.put()
        for size in (1000, len(self.data), len(self.data) + 1000):
            shutil.rmtree(self.models, ignore_errors=True)
            self.write(f'.{YUNET}.onnx.part', b'x' * size)
            self.run_it()
            self.assert_whole()

    def test_complete_but_not_named(self):
        """Killed between the last byte and the name."""
        self.put()
        self.write(f'.{YUNET}.onnx.part', self.data)
        self.run_it()
        self.assert_whole()

    def test_other_provider(self):
        """One provider stalls, the other one gives the rest."""
        self.put(stall_at=1500)  # little: curl looks at the mean of five seconds
        self.put(provider=HUGGINGFACE)
        self.run_it(options=['--download-patience', '1'], seconds=15)
        self.assertEqual([r[1:] for r in self.asked()], [(None, None), ('bytes=1500-', None)])
        self.assert_whole()

    def stopped(self, number):
        self.put(stall_at=150000)
        with subprocess.Popen([e2e.program, *self.arguments('yunet')], env=self.env,
                              stderr=subprocess.DEVNULL) as process:
            part = os.path.join(self.models, f'.{YUNET}.onnx.part')
            for _ in range(200):
                time.sleep(0.05)
                if os.path.exists(part) and os.path.getsize(part) == 150000:
                    break
            process.send_signal(number)
            code = process.wait(timeout=20)
        self.assertNotIn(YUNET + '.onnx', self.here())
        self.put()
        self.run_it(said='fetching the rest of yunet')
        self.assertEqual(self.asked()[-1][1], 'bytes=150000-')
        self.assert_whole()
        return code

    def test_interrupted(self):
        self.assertEqual(self.stopped(signal.SIGINT), 4)

    def test_killed(self):
        self.assertEqual(self.stopped(signal.SIGKILL), -signal.SIGKILL)


class Wrong(Case):
    """Servers that fail or lie: one sentence, exit code 1, or 75 where it may pass by itself, and
    nothing under the final name."""

    def wrong(self, *words, said='', here=(), code=1, **kwargs):
        result = self.run_it(*words, code=code, said=said, **kwargs)
        self.assertEqual(self.here(), list(here), result.stderr)
        return result

    def test_wrong_hash(self):
        self.put(crc=b'01234567')
        self.wrong(said=f'CRC-32 {crc_of(self.data).decode()} instead of 01234567')

    def test_wrong_hash_at_one(self):
        self.put(crc=b'01234567')
        self.put(provider=HUGGINGFACE)
        self.run_it()
        self.assert_whole()

    def test_hash_that_is_none(self):
        for crc in (b'0123456', crc_of(self.data) + b'\n', b'<html>moved</html>', b'x' * 100000):
            self.put(crc=crc)
            self.wrong(said='not 8 hex digits')
        self.assertEqual(self.asked(), [])

    def test_no_hash(self):
        self.put()
        del self.server.files[f'{GITHUB}models-3.4.0/{YUNET}.hash']
        self.wrong(said='404')

    def test_wrong_length(self):
        """Seen from the header: not a byte is stored."""
        for size in (FAN_SIZE - 1, FAN_SIZE + 1):
            self.put(FAN, b'x' * size, base='models-3.0.0/')
            self.wrong(FAN, said=f'{size} bytes there instead of {FAN_SIZE}')

    def test_wrong_length_without_header(self):
        for size in (FAN_SIZE - 1, FAN_SIZE + 1, 3 * FAN_SIZE):
            self.put(FAN, b'x' * size, base='models-3.0.0/', sized=False)
            self.wrong(FAN, said='bytes')

    def test_promises_too_much(self):
        """No model of which nothing is known may be of any size: not a byte is stored."""
        for says in (10**9, 10**18, 10**30):
            file = self.put(says=says)
            self.wrong(said='such a model has at most 134217728')
            self.assertEqual(file.sent, 0)

    def test_endless(self):
        """It stops at the bound, and what came is not kept."""
        file = self.put(sized=False, endless=True)
        self.wrong(said='sends more than 134217728 bytes')
        self.assertGreater(file.sent, 100 << 20)
        self.assertLess(file.sent, 160 << 20)
        file = self.put(FAN, b'', base='models-3.0.0/', sized=False, endless=True)
        self.wrong(FAN, said='bytes')
        self.assertLess(file.sent, 32 << 20)

    def test_headers_without_end(self):
        self.put(headers=300)
        self.wrong(said='bytes of headers')
        self.put(headers=20)
        self.run_it()
        self.assert_whole()

    def test_wrong_sha256(self):
        """What the catalogue knows counts, whatever the server's .hash says."""
        self.put(FAN, b'x' * FAN_SIZE, base='models-3.0.0/')
        self.wrong(FAN, said='SHA-256')
        self.assertEqual(self.asked('.hash'), [])

    def test_cut_short(self):
        """The connection always ends at the same byte: given up, kept for another day."""
        self.put(break_at=[1000] * 20)
        self.wrong(here=[f'.{YUNET}.onnx.from', f'.{YUNET}.onnx.part'], seconds=20, code=75)

    def test_404(self):
        result = self.wrong(said='HTTP status 404')
        self.assertEqual(result.stderr.count('404'), 2)  # both providers
        self.assertIn('/gh', result.stderr)
        self.assertIn('/hf', result.stderr)

    def test_500(self):
        self.put(statuses=[500] * 10)
        self.wrong(said='HTTP status 500', seconds=20, code=75)
        self.assertEqual(len(self.asked()), 3)

    def test_500_for_a_while(self):
        self.put(statuses=[503])
        self.run_it(seconds=20)
        self.assert_whole()

    def test_redirect_in_a_circle(self):
        file = self.put()
        file.location = f'{self.server.url}{GITHUB}models-3.4.0/{YUNET}.onnx'
        self.wrong(said='redirect')

    def test_redirect_out_of_the_web(self):
        file = self.put()
        path = os.path.join(self.folder, 'local')
        with open(path, 'wb') as local:
            local.write(self.data)
        for location in ('file://' + path, 'ftp://127.0.0.1/x', '/none'):
            file.location = location
            self.wrong()

    def test_slow(self):
        """Something comes, but too little."""
        self.put(stall_at=10)
        self.wrong(said='less than 1 kB a second', options=['--download-patience', '1'], seconds=15, code=75,
                   here=[f'.{YUNET}.onnx.from', f'.{YUNET}.onnx.part'])

    def test_no_network(self):
        port = free_port()
        for mirrors in ([f'github=http://127.0.0.1:{port}', f'huggingface=http://127.0.0.1:{port}/hf'],
                        ['github=http://nowhere.invalid', 'huggingface=https://192.0.2.1']):
            result = self.wrong(said='no host of models can be reached', mirrors=mirrors, seconds=8,
                                code=75)
            self.assertEqual(len(result.stderr.splitlines()), 2)

    def test_no_network_says_it_once(self):
        """Not for each of 119 files."""
        _, *rest = self.arguments(mirrors=[f'github=http://127.0.0.1:{free_port()}',
                                           'huggingface=http://nowhere.invalid'])
        result = e2e.run('force-download', *rest, env=self.env)
        self.assertEqual(result.returncode, 75)
        self.assertEqual(len(result.stderr.splitlines()), 2, result.stderr)

    def test_one_host_away(self):
        self.put(provider=HUGGINGFACE)
        self.run_it(mirrors=[f'github=http://127.0.0.1:{free_port()}',
                             f'huggingface={self.server.url}/hf'], seconds=10)
        self.assert_whole()

    def test_offline(self):
        self.put()
        self.wrong(said='--offline was given', options=['--offline'])
        self.env['REPRISE_OFFLINE'] = '1'
        self.wrong(said='REPRISE_OFFLINE is set')
        self.env['REPRISE_OFFLINE'] = '0'
        self.assertEqual(self.server.requests, [])
        self.run_it()

    def test_folder_cannot_be_written(self):
        self.put()
        with open(self.models, 'wb'):
            pass
        result = self.run_it(code=1, said=self.models)
        self.assertEqual(os.path.getsize(self.models), 0, result.stderr)

    def test_installed_one_is_kept(self):
        """A wrong file is replaced, but only by a right one."""
        self.write(YUNET + '.onnx', b'mine')
        self.write(YUNET + '.hash', crc_of(self.data))
        self.put(data=b'no better', crc=crc_of(self.data))
        self.wrong(said='CRC-32', here=[YUNET + '.hash', YUNET + '.onnx'])
        self.assertEqual(self.content(), b'mine')
        self.put()
        self.run_it(said='1 fetched')
        self.assert_whole()


class Secure(Case):
    """HTTPS with a certificate of our own."""

    def setUp(self):
        super().setUp()
        if not shutil.which('openssl'):
            self.skipTest('no openssl program')
        self.certificate = os.path.join(self.folder, 'both.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                        '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1',
                        '-keyout', self.certificate + '.key', '-out', self.certificate],
                       check=True, stderr=subprocess.DEVNULL)
        with open(self.certificate, 'a', encoding='utf-8') as both:
            with open(self.certificate + '.key', encoding='utf-8') as key:
                both.write(key.read())
        self.plain = self.server
        self.server = Server(self.certificate)
        self.addCleanup(self.server.stop)
        port = self.server.server_address[1]
        self.mirrors = [f'github=https://127.0.0.1:{port}/gh', f'huggingface=https://127.0.0.1:{port}/hf']

    def test_trusted(self):
        self.env['CURL_CA_BUNDLE'] = self.certificate
        self.put()
        self.run_it(mirrors=self.mirrors)
        self.assert_whole()

    def test_not_trusted(self):
        self.put()
        self.run_it(mirrors=self.mirrors, code=75, said='certificate')
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.here(), [])

    def test_redirect_to_plain(self):
        self.env['CURL_CA_BUNDLE'] = self.certificate
        file = self.put()
        self.plain.files['/elsewhere'] = File(self.data)
        file.location = self.plain.url + '/elsewhere'
        self.run_it(mirrors=self.mirrors, code=1)
        self.assertEqual(self.plain.requests, [])
        self.assertEqual(self.here(), [])


class Room(Case):
    """Disks without room."""

    def limited(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    def test_file_size_limit(self):
        self.put()
        _, *rest = self.arguments('yunet')
        result = e2e.run('force-download', *rest, env=self.env, preexec_fn=self.limited)
        self.assertEqual(result.returncode, 1)
        self.assertIn('writing: File too large', result.stderr)
        self.assertEqual(self.here(), [])

    def test_full_disk(self):
        os.mkdir(self.models)
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', self.models]
        if not shutil.which('mount') or subprocess.run(mount, check=False,
                                                       stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no right to mount a small disk')
        try:
            self.put()
            self.run_it(code=75, said='the disk has 0.1 MB free')
            self.assertEqual(self.here(), [])
            self.put(sized=False)
            self.run_it(code=75, said='No space left')
            self.assertEqual(self.here(), [])
        finally:
            subprocess.run(['umount', self.models], check=True)


class Job(Case):
    """A run that needs a model."""

    def setUp(self):
        super().setUp()
        shutil.copytree(e2e.MODELS, self.models, ignore=lambda _, names: [
            name for name in names if name.removesuffix('.onnx') not in e2e.LITE])
        self.env['COLUMNS'] = '80'

    def faces(self, *options, code=0, said='', seconds=60, mirrors=None):
        result = self.run_it(e2e.PICTURE, command='analyse', code=code, said=said, seconds=seconds,
                             options=['--json', *options], mirrors=mirrors)
        return result

    def twin(self):
        """A network with yunet's tensors that finds a face."""
        path = e2e.scratch(YUNET + '.onnx')
        if not os.path.exists(path):
            subprocess.run([sys.executable, '-B', os.path.join(e2e.ROOT, 'tools', 'twins.py'), '--tiny',
                            '--out', e2e.scratch(), YUNET], check=True, stdout=subprocess.DEVNULL)
        with open(path, 'rb') as file:
            return file.read()

    def test_named(self):
        self.data = self.twin()
        self.put()
        result = self.faces('--face-detector-model', 'yunet', said='fetching yunet')
        self.assertTrue(json.loads(result.stdout)['faces'])
        self.assertEqual(self.content(), self.data)
        self.asked()
        self.faces('--face-detector-model', 'yunet')
        self.assertNotIn(YUNET, str(self.server.requests))

    def test_interrupted(self):
        """Also while nothing comes."""
        self.put(stall_at=0)
        command, *rest = self.arguments(e2e.PICTURE, command='analyse')
        with subprocess.Popen([e2e.program, command, '--face-detector-model', 'yunet', *rest],
                              env=self.env, stderr=subprocess.PIPE) as process:
            for _ in range(200):
                time.sleep(0.05)
                if self.asked():
                    break
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            words = process.communicate(timeout=20)[1].decode()
            self.assertEqual(process.returncode, 4, words)
            self.assertLess(time.monotonic() - start, 8)
        self.assertNotIn(YUNET + '.onnx', self.here())

    def test_named_and_not_there(self):
        self.faces('--face-detector-model', 'yunet', code=2,
                   said='face detector yunet is not installed in')
        self.faces('--face-detector-model', 'yunet', '--offline', code=2,
                   said='cannot be fetched: --offline was given; get it with: curl')
        self.assertEqual([name for name in self.here() if 'yunet' in name], [])

    def test_named_and_no_network(self):
        self.faces('--face-detector-model', 'yunet', code=75, seconds=8,
                   mirrors=[f'github=http://127.0.0.1:{free_port()}',
                            f'huggingface=http://127.0.0.1:{free_port()}'],
                   said='cannot be fetched: no host of models can be reached')

    def test_default(self):
        """The lite model of the kind where the default cannot be had, with the reason."""
        result = self.faces(said='face detector yolo_face cannot be fetched: ')
        self.assertIn('using ultraface', result.stderr)
        self.assertTrue(json.loads(result.stdout)['faces'])
        before = self.here()
        self.asked()
        result = self.faces('--offline', '--log-level', 'debug',
                            said='face detector yolo_face is not installed; using ultraface')
        self.assertTrue(json.loads(result.stdout)['faces'])
        self.assertEqual(self.server.requests, [])
        self.assertEqual(self.here(), before)

    def test_default_and_no_network(self):
        result = self.faces(mirrors=[f'github=http://127.0.0.1:{free_port()}',
                                     'huggingface=http://nowhere.invalid'], seconds=20)
        self.assertEqual(result.stderr.count('can be reached'), 1, result.stderr)
        self.assertEqual(result.stderr.count('using the lite models'), 1, result.stderr)
        self.assertTrue(json.loads(result.stdout)['faces'])


FR = 'faceplugin-face-recognition-js'
FR_FILES = ['fr_detect', 'fr_landmark', 'fr_feature', 'fr_age', 'fr_gender']
NSFWJS = ['model.min.js', 'group1-shard1of1.min.js']


def contents(*path):
    with open(os.path.join(*path), 'rb') as file:
        return file.read()


def packed(files, padding=0):
    """A package: name -> bytes. padding: bytes of a first file that nobody wants."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w:gz', compresslevel=1) as tar:
        for name, data in {'README': b'x' * padding, **files}.items():
            info = tarfile.TarInfo(f'package/{name}')
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Lite(Case):
    """The lite set out of packages of a registry, the same bytes as set-up's scripts make."""

    def setUp(self):
        super().setUp()
        kept = os.path.join(e2e.CACHE, 'npm', 'nsfwjs-4.4.0')
        if not all(os.path.exists(f'{kept}/{name}') for name in NSFWJS):
            self.skipTest(f'no sources of nsfwjs in {kept}: run scripts/setup.sh')
        self.fr = {f'model/{name}.onnx': contents(e2e.MODELS, f'{name}.onnx') for name in FR_FILES}
        self.nsfwjs = {f'dist/models/mobilenet_v2/{name}': contents(kept, name) for name in NSFWJS}

    def arguments(self, *words, command='force-download', mirrors=None):
        mirrors = mirrors or [f'npm={self.server.url}/npm']
        return super().arguments(*(words or ['lite']), command=command, mirrors=mirrors)

    def publish(self, fr=None, nsfwjs=None, registry='/npm', **how):
        for name, version, data in ((FR, '0.0.1', packed(fr or self.fr)),
                                    ('nsfwjs', '4.4.0', packed(nsfwjs or self.nsfwjs, 700))):
            self.server.files[f'{registry}/{name}/-/{name}-{version}.tgz'] = File(data, **how)

    def fetch(self, said, *words, **how):
        return self.run_it(*(words or ['lite']), said=said, **how)

    def assert_all_there(self):
        self.assertEqual(self.here(), sorted(f'{name}.onnx' for name in e2e.LITE))
        for name in e2e.LITE:
            self.assertEqual(contents(self.models, f'{name}.onnx'),
                             contents(e2e.MODELS, f'{name}.onnx'), name)

    def test_all(self):
        """Each package once, also where its files are asked for one by one; no package is left."""
        self.publish()
        self.fetch('7 fetched, 0 already there')
        self.assert_all_there()
        self.assertEqual(len(self.server.requests), 2)
        self.fetch('0 fetched, 7 already there', options=['--offline'])
        self.assertEqual(len(self.server.requests), 2)

    def test_some(self):
        """What is right stays; what is wrong or missing comes from its package alone."""
        self.publish()
        shutil.copytree(e2e.MODELS, self.models, ignore=lambda _, names: [
            name for name in names if name.removesuffix('.onnx') not in e2e.LITE])
        os.unlink(os.path.join(self.models, 'fr_age.onnx'))
        self.write('fr_feature.onnx', b'wrong')
        self.write('classic_256.onnx', b'wrong')
        before = os.stat(os.path.join(self.models, 'fr_detect.onnx')).st_mtime_ns
        self.fetch('3 fetched, 4 already there')
        self.assert_all_there()
        self.assertEqual(os.stat(os.path.join(self.models, 'fr_detect.onnx')).st_mtime_ns, before)
        self.assertEqual([path for path, *_ in self.server.requests], [f'/npm/{FR}/-/{FR}-0.0.1.tgz'])

    def test_nothing_to_fetch(self):
        """One of them is made here, without any host."""
        self.fetch('1 fetched', 'classic_256', options=['--offline'])
        self.assertEqual(self.here(), ['classic_256.onnx'])
        self.fetch('--offline was given', 'ultraface', options=['--offline'], code=1)

    def test_broken_connection(self):
        self.publish(break_at=[100000])
        self.fetch('7 fetched')
        self.assert_all_there()
        self.assertIn('bytes=100000-', [asked for _, asked, _ in self.server.requests])

    def test_wrong(self):
        """Of a package that is another one nothing wrong is taken; the next host is asked."""
        name = 'model/fr_landmark.onnx'
        changed = self.fr[name][:-1] + bytes([self.fr[name][-1] ^ 1])
        less = {key: data for key, data in self.fr.items() if key != name}
        bad = {'does not have the expected SHA-256': packed({**self.fr, name: changed}),
               'has no package/model/fr_landmark.onnx': packed(less),
               'may have 1163742': packed({**self.fr, name: changed + b'x'}),
               'cannot be unpacked to its end': packed(self.fr)[:-100000],
               'not the expected archive': b'<html>' + b'x' * 3000}
        path = f'/npm/{FR}/-/{FR}-0.0.1.tgz'
        for said, data in bad.items():
            with self.subTest(said):
                self.server.files[path] = File(data)
                self.fetch(said, 'fr_landmark', code=1)
                self.assertEqual([n for n in self.here() if 'landmark' in n or n[0] == '.'], [])
        self.publish(registry='/second')
        self.fetch('fetching', 'fr_landmark', mirrors=[f'npm={self.server.url}/npm',
                                                      f'npm={self.server.url}/second'])
        self.assertEqual(contents(self.models, 'fr_landmark.onnx'), self.fr[name])

    def test_wrong_sources(self):
        """What a network is made of."""
        name = f'dist/models/mobilenet_v2/{NSFWJS[0]}'
        self.publish(nsfwjs={**self.nsfwjs, name: self.nsfwjs[name].replace(b'224', b'225')})
        self.fetch('does not have the expected SHA-256', 'nsfwjs', code=1)
        self.assertEqual(self.here(), [])

    def test_too_large(self):
        self.publish(says=70 << 20)
        self.fetch('at most 67108864', 'ultraface', code=1)
        self.assertEqual(self.here(), [])

    def test_no_registry(self):
        self.fetch('no host of models can be reached (127.0.0.1', 'ultraface', code=75, seconds=8,
                   mirrors=[f'npm=http://127.0.0.1:{free_port()}'])


class Content(Case):
    """Whether installed files are right, and what is remembered of them."""

    def test_pins(self):
        """The catalogue has the sums that set-up installs by."""
        pinned = {}
        with open(os.path.join(e2e.ROOT, 'scripts', 'pins.txt'), encoding='utf-8') as pins:
            for words in map(str.split, pins):
                if words[:1] == ['file'] and words[3].startswith('models/'):
                    pinned[words[3][7:]] = words[2]
                if words[:1] == ['made'] and words[2].startswith('models/'):
                    pinned[words[2][7:]] = words[1]
        lines = [json.loads(line) for line in e2e.must('models', '--json').stdout.splitlines()]
        self.assertEqual({line['file']: line['sha256'] for line in lines if line['lite']}, pinned)

    def test_lite_set(self):
        self.models = e2e.MODELS
        self.assertLessEqual({'ultraface': 'right', 'nsfwjs': 'right', 'classic_256': 'right'}.items(),
                             self.verify('ultraface', 'nsfwjs', 'classic_256').items())

    def verify(self, *words, code=0, said=''):
        result = e2e.run('models', '--verify', '--models-path', self.models, *words, env=self.env)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn(said, result.stderr)
        return {line.split()[1]: line.split()[2] for line in result.stdout.splitlines()[1:]}

    def test_facefusion_folder(self):
        """Read in place: files with .hash files, one wrong, one without, one of the catalogue."""
        self.write(YUNET + '.onnx', b'123456789')
        self.write(YUNET + '.hash', b'cbf43926')
        self.write('kim_vocal_1.onnx', b'123456780')
        self.write('kim_vocal_1.hash', b'cbf43926')
        self.write('uvr_mdxnet.onnx', b'123456789')
        self.write(FAN + '.onnx', b'x' * FAN_SIZE)
        want = {'yunet': 'right', 'kim_vocal_1': 'wrong', 'uvr_mdxnet': 'unknown', FAN: 'wrong'}
        before = self.here()
        self.assertEqual(self.verify(code=1, said='4 of 259 installed: 1 right, 2 wrong, 1 unknown'), want)
        self.assertEqual(self.verify('yunet', 'uvr'), {'yunet': 'right', 'uvr_mdxnet': 'unknown'})
        self.assertEqual(self.verify('kim_vocal_1', code=1, said='CRC-32'), {'kim_vocal_1': 'wrong'})
        result = e2e.run('models', '--verify', '--json', '--models-path', self.models, 'yunet', FAN,
                         env=self.env)
        self.assertEqual([json.loads(line)['content'] for line in result.stdout.splitlines()],
                         ['right', 'wrong'])
        self.assertEqual(self.here(), before)

    def look(self):
        """What a run says of a detector that is not the published one."""
        result = e2e.run('analyse', '--offline', '--models-path', self.models, '--log-level', 'warn',
                         e2e.PICTURE, env=self.env)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr

    def test_hashed_once(self):
        """A model is read the first time only: size and time say whether it is still the same."""
        shutil.copytree(e2e.MODELS, self.models, ignore=lambda _, names: [
            name for name in names if name.removesuffix('.onnx') not in e2e.LITE])
        path = os.path.join(self.models, 'fr_detect.onnx')
        with open(path, 'rb') as file:
            data = file.read()
        os.utime(path, (1e9, 1e9))
        self.assertEqual(self.look(), '')
        at = data.rindex(b'pytorch') if b'pytorch' in data else None
        changed = data[:at] + b'PYTORCH' + data[at + 7:] if at else data[:-1] + bytes([data[-1] ^ 1])
        with open(path, 'wb') as file:  # the network stays as it was
            file.write(changed)
        os.utime(path, (1e9, 1e9))
        self.assertEqual(self.look(), '')
        os.utime(path, (1e9, 1e9 + 1))
        self.assertIn('fr_detect.onnx is not the published file: wrong SHA-256', self.look())
        self.assertEqual(self.look().count('warning: '), 1)

    def test_memory_that_is_broken(self):
        cache = os.path.join(self.env['XDG_CACHE_HOME'], 'reprise')
        os.makedirs(cache)
        self.write(YUNET + '.onnx', b'123456789')
        self.write(YUNET + '.hash', b'cbf43926')
        os.utime(os.path.join(self.models, YUNET + '.onnx'), (1e9, 1e9))
        path = os.path.realpath(os.path.join(self.models, YUNET + '.onnx'))
        for text in ('rubbish\n', '\0' * 100, 'a b c d\n' * 3, f'9 1000000000.000000000 {path}\n',
                     f'9 1000000000.000000000 cbf43926 {"g" * 64} {path}', ' ' * 5000 + '\n\n'):
            with open(os.path.join(cache, 'model-sums.txt'), 'w', encoding='utf-8') as file:
                file.write(text)
            self.run_it('yunet', said='0 fetched, 1 already there', options=['--offline'])
            with open(os.path.join(cache, 'model-sums.txt'), encoding='utf-8') as file:
                self.assertIn('9 1000000000.000000000 cbf43926 15e2b0d3', file.read())


if __name__ == '__main__':
    e2e.main()
