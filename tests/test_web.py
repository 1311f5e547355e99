#!/usr/bin/python3
"""reprise serve: what it serves, whom it refuses, and that nothing is lost when it is killed.

    tests/test_web.py build/reprise [--all]

--all: also what takes minutes, kills at many moments and slow clients.
"""
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

import e2e
import tiny_models

ALL = '--all' in sys.argv
LINES = {}


class Server:
    """A server in a folder of its own; its key is in what it prints."""

    def __init__(self, *args, folder=None):
        self.folder = folder or e2e.scratch(f'web{len(LINES)}')
        LINES[self.folder] = True
        self.args = args
        self.start()

    def start(self):
        self.errors = open(self.folder + '.log', 'ab')
        words = [e2e.program, 'serve', '--web-port', '0', '--web-path', self.folder, *self.args]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)
        late = threading.Timer(60, self.process.kill)
        late.start()
        self.address = self.process.stdout.readline().strip()
        late.cancel()
        if '#key=' not in self.address:
            raise AssertionError(f'no address: {self.log()}')
        self.key = self.address.split('#key=')[1]
        self.port = int(self.address.rsplit(':', 1)[1].split('/')[0])

    def log(self):
        with open(self.folder + '.log', encoding='utf-8', errors='replace') as file:
            return file.read()

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(60)
        self.process.stdout.close()
        self.errors.close()
        return code

    def raw(self, method, path, body=None, headers=None, timeout=120):
        """(status, headers, bytes), with these header lines only."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def ask(self, method, path, body=None, headers=None):
        """With the key; JSON both ways where it is JSON."""
        head = {'Authorization': 'Bearer ' + self.key, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        status, got, data = self.raw(method, path, body, head)
        if got.get('Content-Type') == 'application/json':
            data = json.loads(data)
        return status, got, data

    def must(self, method, path, body=None, want=200):
        status, _, data = self.ask(method, path, body)
        if status != want:
            raise AssertionError(f'{method} {path}: {status} {data}')
        return data

    def upload(self, path, name=None):
        with open(path, 'rb') as file:
            query = urllib.parse.urlencode({'name': name or os.path.basename(path)})
            return self.must('POST', f'/v1/media?{query}', file.read(), 201)

    def wait(self, job, *states, seconds=120):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            got = self.must('GET', f'/v1/jobs/{job}')
            if got['state'] in states:
                return got
            time.sleep(0.05)
        raise AssertionError(f'job stays {got}')


def clip(name, frames=8, size=192, rate=25):
    """A short video of the picture, which has a face."""
    path = e2e.scratch(name)
    if not os.path.exists(path):
        subprocess.run(['ffmpeg', '-v', 'error', '-loop', '1', '-i', e2e.PICTURE, '-vf',
                        f'scale={size}:{size}', '-frames:v', str(frames), '-r', str(rate),
                        '-pix_fmt', 'yuv420p', path], check=True)
    return path


def resident(process):
    with open(f'/proc/{process.pid}/status', encoding='utf-8') as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith('VmRSS'))


class Shared(unittest.TestCase):
    """One server for all tests of a class."""
    args = ()

    @classmethod
    def setUpClass(cls):
        cls.s = Server(*cls.args)

    @classmethod
    def tearDownClass(cls):
        code = cls.s.end()
        if code != 0:
            raise AssertionError(f'the server ended with {code}: {cls.s.log()}')


class Interface(Shared):
    def test_page_needs_no_key(self):
        for path, kind in (('/', 'text/html'), ('/app.js', 'text/javascript'),
                           ('/app.css', 'text/css'), ('/healthz', 'application/json')):
            status, head, _ = self.s.raw('GET', path)
            self.assertEqual((status, head['Content-Type'].split(';')[0]), (200, kind))
            self.assertIn("default-src 'self'", head['Content-Security-Policy'])
            self.assertEqual(head['X-Content-Type-Options'], 'nosniff')
            self.assertNotIn('Access-Control-Allow-Origin', head)

    def test_capabilities_are_the_help(self):
        """Every option of --help, with its help, choices and range; and nothing else."""
        can = self.s.must('GET', '/v1/capabilities')
        options = {o['name']: o for o in can['options']}
        text = ' '.join(e2e.must('headless-run', '--help').stdout.split())
        words = {w for part in text.split('--')[1:] for w in [part.split()[0].rstrip(',;:.)')]}
        self.assertLessEqual(set(options), words)
        self.assertEqual({w for w in words if w in ('json', 'help')} | set(options),
                         {w for w in words if w in options or w in ('json', 'help')})
        listed = {n for g in can['groups'] for n in g['options']}
        self.assertEqual(listed, set(options))
        for name, o in options.items():
            self.assertIn(' '.join(o['help'].split())[:40], text, name)
            if o['choices'] and len(o['choices']) < 8:
                for choice in o['choices']:
                    self.assertIn(choice, text)
        shown = e2e.must('--help').stdout
        for command in can['commands']:
            self.assertIn(command, shown)
        for name in ('models-path', 'source-paths', 'face-map', 'reference-face-paths',
                     'download-mirrors', 'config-path', 'cuda-graph-cache', 'temp-path'):
            self.assertFalse(options.get(name, {}).get('settable'), name)
        for name in ('processors', 'face-swapper-model', 'face-detector-score', 'face-mask-blur',
                     'face-mask-padding', 'output-video-quality', 'trim-frame-end'):
            self.assertTrue(options[name]['settable'], name)
        self.assertIn('face_swapper', [p['name'] for p in can['processors']])

    def test_openapi_lists_the_options_and_paths(self):
        api = self.s.must('GET', '/v1/openapi.json')
        can = self.s.must('GET', '/v1/capabilities')
        wish = api['components']['schemas']['wish']['properties']['options']['properties']
        self.assertEqual(set(wish), {o['name'] for o in can['options'] if o['settable']})
        self.assertIn('post', api['paths']['/v1/jobs'])
        live = api['components']['schemas']['live']['properties']
        self.assertEqual((set(live['options']['properties']), live['repeat']['type']), (set(wish), 'boolean'))
        self.assertEqual(api['paths']['/healthz']['get']['security'], [])

    def test_media(self):
        with open(e2e.PICTURE, 'rb') as file:
            data = file.read()
        m = self.s.upload(e2e.PICTURE, '../../a <b>.png')
        self.assertEqual(m['id'], hashlib.sha256(data).hexdigest())
        self.assertEqual((m['name'], m['kind'], m['width'], m['bytes']),
                         ('a <b>.png', 'image', 512, len(data)))
        self.assertIn(m['id'], [x['id'] for x in self.s.must('GET', '/v1/media')['media']])
        path = f'/v1/media/{m["id"]}'
        status, head, got = self.s.ask('GET', path + '/file')
        self.assertEqual((status, got, head['Content-Type']), (200, data, 'image/png'))
        for text, want in (('bytes=2-5', data[2:6]), ('bytes=-7', data[-7:]),
                           (f'bytes={len(data) - 3}-', data[-3:])):
            status, head, got = self.s.ask('GET', path + '/file', headers={'Range': text})
            self.assertEqual((status, got), (206, want))
            self.assertTrue(head['Content-Range'].endswith(f'/{len(data)}'))
        self.assertEqual(self.s.ask('GET', path + '/file',
                                    headers={'Range': f'bytes={len(data)}-'})[0], 416)
        status, head, got = self.s.ask('GET', path + '/frame?width=100')
        self.assertEqual((status, head['Content-Type'], got[:2]), (200, 'image/jpeg', b'\xff\xd8'))
        found = self.s.must('GET', path + '/faces')
        self.assertEqual((found['width'], len(found['faces'])), (512, 1))
        x1, y1, x2, y2 = found['faces'][0]['box']
        self.assertTrue(0.2 < x1 < x2 < 0.7 and 0 < y1 < y2 < 0.5)
        self.assertEqual(self.s.ask('GET', path + '/faces/0')[2][:2], b'\xff\xd8')
        self.assertEqual(self.s.ask('GET', path + '/faces/1')[0], 404)

    def test_form_and_delete(self):
        video = clip('form.mp4')
        with open(video, 'rb') as file:
            data = file.read()
        body = (b'--xy\r\nContent-Disposition: form-data; name="note"\r\n\r\nhi\r\n'
                b'--xy\r\nContent-Disposition: form-data; name="file"; filename="v.mp4"\r\n\r\n' +
                data + b'\r\n--xy--\r\n')
        status, _, m = self.s.ask('POST', '/v1/media', body,
                                  {'Content-Type': 'multipart/form-data; boundary=xy'})
        self.assertEqual(status, 201, m)
        self.assertEqual((m['kind'], m['name'], m['frames'], m['fps'], m['bytes']),
                         ('video', 'v.mp4', 8, 25, len(data)))
        path = f'/v1/media/{m["id"]}'
        a, b = (self.s.ask('GET', f'{path}/frame?n={n}')[2] for n in (0, 7))
        self.assertEqual((a[:2], b[:2]), (b'\xff\xd8', b'\xff\xd8'))
        self.assertEqual(self.s.ask('DELETE', path)[0], 204)
        self.assertEqual(self.s.ask('GET', path)[0], 404)

    def test_preview(self):
        m = self.s.upload(e2e.PICTURE)
        wish = {'sources': [m['id']], 'target': m['id'], 'width': 256,
                'options': {'processors': ['face_debugger'], 'face-debugger-items': ['bounding-box']}}
        status, head, box = self.s.ask('POST', '/v1/preview', wish)
        self.assertEqual((status, head['Content-Type']), (200, 'image/jpeg'))
        with open(e2e.scratch('p.jpg'), 'wb') as file:
            file.write(box)
        self.assertIn('face_debugger', e2e.must('inspect', e2e.scratch('p.jpg')).stdout)
        plain = self.s.ask('GET', f'/v1/media/{m["id"]}/frame?width=256')[2]
        self.assertNotEqual(box, plain)
        del wish['options']
        swapped = self.s.ask('POST', '/v1/preview', wish)
        self.assertEqual(swapped[0], 200, swapped[2])
        self.assertNotIn(swapped[2], (box, plain))

    def test_newest_preview_wins(self):
        m = self.s.upload(e2e.PICTURE)
        got = []

        def ask(width):
            got.append(self.s.ask('POST', '/v1/preview', {
                'sources': [m['id']], 'target': m['id'], 'width': width,
                'options': {'face-swapper-weight': width / 400}})[0])

        threads = [threading.Thread(target=ask, args=(200 + 20 * i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(got), {200, 409})

    def test_wrong_wishes(self):
        m = self.s.upload(e2e.PICTURE)
        right = {'sources': [m['id']], 'target': m['id']}
        for change, code in (
                ({'options': {'models-path': '/etc'}}, 'wrong_option'),
                ({'options': {'face-map': ['/etc/passwd=/etc/passwd']}}, 'wrong_option'),
                ({'options': {'reference-face-paths': '/etc/passwd'}}, 'wrong_option'),
                ({'options': {'output-path': '/tmp/x'}}, 'wrong_option'),
                ({'options': {'download-mirrors': 'github=http://h'}}, 'wrong_option'),
                ({'options': {'face-detector-score': 7}}, 'wrong_option'),
                ({'options': {'face-detector-score': {}}}, 'wrong_option'),
                ({'options': {'no-such': 1}}, 'wrong_option'),
                ({'options': []}, 'wrong_option'),
                ({'sources': ['/etc/passwd']}, 'no_medium'),
                ({'sources': 7}, 'wrong_value'),
                ({'target': '../../etc'}, 'no_medium'),
                ({'target': None}, 'no_medium'),
                ({'map': [{'source': m['id'], 'face': -1}]}, 'wrong_value'),
                ({'map': [{'source': m['id'], 'face': 9}]}, 'no_face')):
            for path in ('/v1/jobs', '/v1/preview'):
                status, _, got = self.s.ask('POST', path, {**right, **change})
                self.assertEqual((status, got['error']['code']), (422, code), change)
        self.assertEqual(self.s.ask('POST', '/v1/jobs', '{"a":')[0], 400)
        self.assertEqual(self.s.ask('POST', '/v1/jobs', '[' * 100000)[0], 400)
        self.assertEqual(self.s.ask('POST', '/v1/jobs', ' ' * (1 << 21))[0], 413)

    def test_job_is_the_command_line(self):
        video = clip('job.mp4')
        source, target = self.s.upload(e2e.PICTURE), self.s.upload(video, '<i>é.mp4')
        with self.events() as events:
            job = self.s.must('POST', '/v1/jobs', {
                'name': '<script>', 'sources': [source['id']], 'target': target['id'],
                'options': {'face-swapper-weight': 0.7, 'output-video-quality': 60}}, 202)
            done = self.s.wait(job['id'], 'done', 'failed')
            self.assertEqual((done['state'], done['progress'], done['name']),
                             ('done', 1, '<script>'), done)
            self.assertEqual(done['result']['name'], '<i>é-reprise.mp4')
            states = [e['state'] for e in events.until(
                lambda e: e['id'] == job['id'] and e['state'] == 'done') if e['id'] == job['id']]
        self.assertEqual((states[0], states[-1]), ('queued', 'done'))
        self.assertIn('running', states)
        status, head, got = self.s.ask('GET', f'/v1/jobs/{job["id"]}/result')
        self.assertEqual((status, head['Content-Type']), (200, 'video/mp4'))
        ours = e2e.scratch('ours.mp4')
        e2e.must('headless-run', '-s', e2e.PICTURE, '-t', video, '-o', ours,
                 '--face-swapper-weight', '0.7', '--output-video-quality', '60')
        with open(ours, 'rb') as file:
            self.assertEqual(got, file.read())
        part = self.s.ask('GET', f'/v1/jobs/{job["id"]}/result', headers={'Range': 'bytes=10-19'})
        self.assertEqual((part[0], part[2]), (206, got[10:20]))
        engine = self.s.must('GET', '/v1/engine')
        self.assertEqual(engine['last']['frames'], 8)
        self.assertIn('process', [stage['name'] for stage in engine['last']['stages']])
        until = time.monotonic() + 60
        while 'nodes' not in engine['last'] and time.monotonic() < until:
            time.sleep(0.1)
            engine = self.s.must('GET', '/v1/engine')
        plan = json.loads(e2e.must('plan', '--json', '-s', e2e.PICTURE, '-t', video).stdout)
        totals = [one['totals'] for one in plan['lists']]
        self.assertEqual(engine['last']['networks'], sum(t['networks'] for t in totals))
        self.assertEqual(engine['last']['nodes'],
                         sum(t['networks'] + t['operations'] for t in totals))
        text = self.s.ask('GET', '/metrics')[2].decode()
        self.assertIn('reprise_jobs{state="done"}', text)
        self.assertEqual(self.s.ask('DELETE', f'/v1/jobs/{job["id"]}')[0], 204)
        self.assertEqual(self.s.ask('GET', f'/v1/jobs/{job["id"]}')[0], 404)

    def test_map_is_the_command_line(self):
        m = self.s.upload(e2e.PICTURE)
        pair = {'source': m['id'], 'face': 0, 'frame': 0}
        job = self.s.must('POST', '/v1/jobs', {'target': m['id'], 'map': [pair]}, 202)
        crop, ours = e2e.scratch('crop.jpg'), e2e.scratch('ours.png')
        with open(crop, 'wb') as file:
            file.write(self.s.ask('GET', f'/v1/media/{m["id"]}/faces/0')[2])
        e2e.must('headless-run', '-t', e2e.PICTURE, '-o', ours, '--face-map',
                 f'{e2e.PICTURE}={crop}')
        done = self.s.wait(job['id'], 'done', 'failed')
        self.assertEqual(done['state'], 'done', done)
        with open(ours, 'rb') as file:
            self.assertEqual(self.s.ask('GET', f'/v1/jobs/{job["id"]}/result')[2], file.read())

    def test_models(self):
        models = self.s.must('GET', '/v1/models')['models']
        self.assertIn('classic_256', [m['name'] for m in models if m['installed']])
        self.assertEqual(self.s.ask('POST', '/v1/models/none/download')[0], 404)
        with self.events() as events:
            self.assertEqual(self.s.ask('POST', '/v1/models/inswapper_128/download')[0], 202)
            events.until(lambda e: e.get('state') == 'failed' and 'message' in e)  # offline

    @contextlib.contextmanager
    def events(self, last=None):
        stream = Events(self.s, last)
        try:
            yield stream
        finally:
            stream.close()

    def test_events_after_a_gap(self):
        m = self.s.upload(e2e.PICTURE)
        with self.events() as events:
            job = self.s.must('POST', '/v1/jobs', {'target': m['id'], 'options': {
                'processors': ['face_debugger']}}, 202)['id']
            events.until(lambda e: e['id'] == job and e['state'] == 'queued')
            last = events.last
            self.s.wait(job, 'done')
        with self.events(last) as events:
            seen = events.until(lambda e: e['id'] == job and e['state'] == 'done')
        self.assertEqual(seen[0]['state'], 'running')
        with self.events('1') as events:  # of long ago: all jobs as they are
            events.until(lambda e: e['id'] == job and e['state'] == 'done')


class Events:
    """A client of /v1/events."""

    def __init__(self, server, last=None):
        self.connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
        head = {'Authorization': 'Bearer ' + server.key}
        self.connection.request('GET', '/v1/events',
                                headers={**head, 'Last-Event-ID': last} if last else head)
        self.response = self.connection.getresponse()
        assert self.response.headers['Content-Type'] == 'text/event-stream'
        self.last = None
        while self.response.readline().strip():
            pass  # the greeting

    def until(self, wanted):
        """The data of events up to the wanted one."""
        seen = []
        while True:
            line = self.response.readline().decode().rstrip('\n')
            if line.startswith('id: '):
                self.last = line[4:]
            if line.startswith('data: '):
                seen.append(json.loads(line[6:]))
                if wanted(seen[-1]):
                    return seen

    def close(self):
        self.connection.close()


class Security(Shared):
    args = ('--web-quota', '8')

    def test_keys(self):
        bearer = {'Authorization': 'Bearer ' + self.s.key}
        for head in ({}, {'Authorization': 'Bearer ' + 'A' * 43}, {'Authorization': 'Bearer '},
                     {'Authorization': self.s.key}, {'Cookie': f'reprise-{self.s.port}={self.s.key}'},
                     {'Cookie': f'reprise-{self.s.port}='},
                     {'Authorization': 'Bearer ' + self.s.key[:-1]}):
            for method, path in (('GET', '/v1/media'), ('GET', '/metrics'), ('POST', '/v1/session'),
                                 ('GET', '/v1/none'), ('POST', '/v1/media?name=x')):
                self.assertEqual(self.s.raw(method, path, headers=head)[0], 401, (head, path))
        status, head, _ = self.s.raw('POST', '/v1/session', headers=bearer)
        cookie = head['Set-Cookie']
        self.assertEqual(status, 204)
        self.assertIn('HttpOnly', cookie)
        self.assertIn('SameSite=Strict', cookie)
        self.assertNotIn(self.s.key, cookie)
        page = {'Cookie': cookie.split(';')[0]}
        self.assertEqual(self.s.raw('GET', '/v1/media', headers=page)[0], 200)
        self.assertEqual(self.s.raw('DELETE', '/v1/media/0', headers=page)[0], 403)
        own = {**page, 'X-Reprise': '1', 'Origin': f'http://127.0.0.1:{self.s.port}'}
        self.assertEqual(self.s.raw('DELETE', '/v1/media/0', headers=own)[0], 404)
        self.assertEqual(self.s.log().count('401 wrong_key'), 1)

    def test_hosts_and_origins(self):
        bearer = {'Authorization': 'Bearer ' + self.s.key}
        port = self.s.port
        for host in (f'localhost:{port}', f'127.0.0.1:{port}', f'[::1]:{port}'):
            self.assertEqual(self.s.raw('GET', '/v1/media', headers={**bearer, 'Host': host})[0],
                             200, host)
        for host in ('evil.example', f'evil.example:{port}', 'localhost', f'localhost:{port + 1}',
                     f'localhost:{port}.evil.example', ''):
            for path in ('/', '/v1/media'):
                got = self.s.raw('GET', path, headers={**bearer, 'Host': host})[0]
                self.assertEqual(got, 421, host)
        for origin in ('http://evil.example', 'null', f'https://127.0.0.1:{port}',
                       f'http://127.0.0.1:{port + 1}', f'http://127.0.0.1:{port}.evil.example'):
            got = self.s.raw('POST', '/v1/session', headers={**bearer, 'Origin': origin})
            self.assertEqual(got[0], 403, origin)
            self.assertNotIn('Access-Control-Allow-Origin', got[1])

    def test_get_changes_nothing(self):
        for path in ('/v1/session', '/v1/preview', '/v1/jobs/1/cancel', '/v1/jobs/1/move',
                     '/v1/models/x/download'):
            self.assertEqual(self.s.ask('GET', path)[0], 405, path)
        self.assertEqual(self.s.ask('OPTIONS', '/v1/media')[0], 405)

    def test_paths_outside(self):
        for path in ('/../../etc/passwd', '/v1/media/../../etc/passwd', '/v1/media/..%2f..%2fetc',
                     '/v1/media/%2e%2e/file', '/app.js/../../x', '//etc/passwd', '/v1/media//file',
                     '/v1/jobs/..%2f..%2fx/result', '/v1/media/' + 'a' * 5000):
            self.assertIn(self.s.ask('GET', path)[0], (404, 414), path)

    def test_links_in_the_folder(self):
        m = self.s.upload(e2e.PICTURE)
        path = f'{self.s.folder}/media/{m["id"]}.png'
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o777, 0o700)
        os.rename(path, path + '.away')
        os.symlink('/etc/passwd', path)
        for part in ('', '/file', '/frame', '/faces'):
            self.assertEqual(self.s.ask('GET', f'/v1/media/{m["id"]}{part}')[0], 404)
        os.unlink(path)
        os.rename(path + '.away', path)
        self.assertEqual(self.s.ask('DELETE', f'/v1/media/{m["id"]}')[0], 204)

    def test_too_large(self):
        """10 GB that are announced, and as many that just come."""
        with socket.create_connection(('127.0.0.1', self.s.port), timeout=30) as c:
            c.sendall(self.head('POST', '/v1/media?name=x', f'Content-Length: {10 << 30}'))
            self.assertIn(b' 413 ', c.recv(4096))
        before = resident(self.s.process)
        sent = 0
        with socket.create_connection(('127.0.0.1', self.s.port), timeout=30) as c:
            c.sendall(self.head('POST', '/v1/media?name=x', 'Transfer-Encoding: chunked'))
            with contextlib.suppress(OSError):
                while sent < 10 << 30:
                    c.sendall(b'100000\r\n' + bytes(1 << 20) + b'\r\n')
                    sent += 1 << 20
        self.assertLess(sent, 64 << 20)
        self.assertLess(resident(self.s.process) - before, 32 << 20)
        self.assertEqual(os.listdir(self.s.folder + '/part'), [])
        self.assertEqual(self.s.log().count('413 over_quota'), 1)

    def head(self, method, path, *lines):
        text = [f'{method} {path} HTTP/1.1', f'Host: 127.0.0.1:{self.s.port}',
                f'Authorization: Bearer {self.s.key}', *lines, '', '']
        return '\r\n'.join(text).encode()

    def test_malformed(self):
        form = 'multipart/form-data; boundary=xy'
        part = b'--xy\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        for kind, body in ((form, b''), (form, b'--xy--'), (form, part), (form, part + b'ab'),
                           (form, b'\x00' * 3000), (form, b'--xy\r\n' * 1000),
                           (form, b'--xy\r\nContent-Disposition: ' + b'a' * 100000),
                           ('multipart/form-data', part), ('multipart/form-data; boundary=', part),
                           ('multipart/mixed; boundary=xy', part),
                           (form, part + b'a\r\n' + part + b'b\r\n--xy--\r\n')):
            status, _, got = self.s.ask('POST', '/v1/media', body, {'Content-Type': kind})
            self.assertEqual(status, 400, (kind, body[:60], got))
        for body in (b'no medium', b'GIF89a', b'\xff\xd8\xff', b'<html>' * 100):
            status, _, got = self.s.ask('POST', '/v1/media?name=x.png', body)
            self.assertEqual((status, got['error']['code']), (422, 'unknown_media'))
            self.assertNotIn(self.s.folder, got['error']['message'])
        self.assertEqual(os.listdir(self.s.folder + '/part'), [])
        for junk in (b'\x16\x03\x01' * 100, b'GET\r\n\r\n', b'A' * 100000, b'GET / HTTP/9\r\n\r\n',
                     self.head('GET', '/v1/media', 'X: ' + 'a' * 100000)):
            with socket.create_connection(('127.0.0.1', self.s.port), timeout=30) as c:
                with contextlib.suppress(OSError):
                    c.sendall(junk)
                    c.shutdown(socket.SHUT_WR)
                    while c.recv(4096):
                        pass
        self.assertEqual(self.s.raw('GET', '/healthz')[0], 200)

    def test_many_connections(self):
        """1,000 that say nothing: a client is served, from another place, when they end."""
        before = resident(self.s.process)
        held = []
        with contextlib.suppress(OSError):
            for _ in range(900):
                held.append(socket.create_connection(('127.0.0.1', self.s.port), timeout=5))
        self.assertGreater(len(held), 400)
        self.assertEqual(self.s.raw('GET', '/healthz')[0], 200)
        self.assertLess(resident(self.s.process) - before, 64 << 20)
        for c in held:
            c.close()
        self.assertEqual(self.s.raw('GET', '/healthz')[0], 200)


class Check(unittest.TestCase):
    """The content check, with a network that takes a bright picture for a refused one."""

    def test_refused(self):
        if not e2e.takes_standins():
            self.skipTest('the program takes no stand-ins for the content check')
        gate, white = e2e.scratch('gate.onnx'), e2e.scratch('white.png')
        tiny_models.gate().save(gate)
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=white:s=64x64', '-frames:v', '1', white)
        s = Server('--models-path', e2e.model_folder('gate', nsfwjs=gate))
        ids = [s.upload(path)['id'] for path in (white, e2e.PICTURE)]
        wish = {'target': ids[0], 'options': {'processors': ['face_debugger']}}
        status, _, got = s.ask('POST', '/v1/preview', wish)
        self.assertEqual((status, got['error']['code']), (403, 'content_refused'))
        job = s.must('POST', '/v1/jobs', wish, 202)['id']
        ended = s.wait(job, 'done', 'failed')
        self.assertEqual((ended['state'], ended['code']), ('failed', 'content_refused'), ended)
        self.assertEqual(s.ask('GET', f'/v1/jobs/{job}/result')[0], 409)
        self.assertEqual(os.listdir(s.folder + '/results'), [])
        wish['target'] = ids[1]  # the pipeline that refused goes on with another picture
        self.assertEqual(s.ask('POST', '/v1/preview', wish)[0], 200)
        self.assertEqual(s.end(), 0)


class Parts:
    """The pictures of a live view, one after the other."""

    def __init__(self, server, path):
        self.connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
        self.connection.request('GET', path, headers={'Authorization': 'Bearer ' + server.key})
        self.answer = self.connection.getresponse()
        self.kind = self.answer.headers['Content-Type']
        self.boundary = b'--' + self.kind.split('boundary=')[1].encode()

    def next(self):
        """(header lines, bytes), or None at the end."""
        line = self.answer.readline().strip()
        if not line.startswith(self.boundary):
            assert line == b'', line
            return None
        head = {}
        while line := self.answer.readline().strip():
            name, value = line.decode().split(': ')
            head[name] = value
        if not head:
            return None
        data = self.answer.read(int(head['Content-Length']))
        assert self.answer.read(2) == b'\r\n'
        return head, data

    def close(self):
        self.connection.close()


class Camera(threading.Thread):
    """An RTSP server for one client: RTP packets of an ffmpeg that encodes in real time."""

    def __init__(self, picture):
        super().__init__(daemon=True)
        self.listening = socket.create_server(('127.0.0.1', 0))
        self.packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.packets.bind(('127.0.0.1', 0))
        self.packets.settimeout(20)
        self.url = f'rtsp://me:secret@127.0.0.1:{self.listening.getsockname()[1]}/door'
        sdp = e2e.scratch('door.sdp')
        self.ffmpeg = subprocess.Popen(
            ['ffmpeg', '-v', 'error', '-nostdin', '-re', '-loop', '1', '-framerate', '25', '-i', picture, '-vf',
             'scale=192:192,hue=h=t*60', '-pix_fmt', 'yuv420p', '-c:v', 'libx264', '-tune', 'zerolatency', '-g',
             '10', '-threads', '1', '-an', '-sdp_file', sdp, '-f', 'rtp',
             f'rtp://127.0.0.1:{self.packets.getsockname()[1]}?pkt_size=1200'])
        until = time.monotonic() + 20
        while not (os.path.exists(sdp) and os.path.getsize(sdp)) and time.monotonic() < until:
            time.sleep(0.05)
        with open(sdp, encoding='utf-8') as file:
            self.sdp = file.read().replace('SDP:\n', '')
        self.sent = 0
        self.start()

    def run(self):
        client, _ = self.listening.accept()
        lines = client.makefile('rb')
        while request := lines.readline():
            method = request.split()[0].decode()
            head = {}
            while line := lines.readline().strip():
                name, value = line.decode().split(':', 1)
                head[name.lower()] = value.strip()
            extra, body = '', ''
            if method == 'DESCRIBE':
                extra, body = 'Content-Type: application/sdp\r\n', self.sdp
            elif method == 'SETUP':
                extra = 'Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n'
            client.sendall((f'RTSP/1.0 200 OK\r\nCSeq: {head["cseq"]}\r\nSession: 7\r\n{extra}'
                            f'Content-Length: {len(body)}\r\n\r\n{body}').encode())
            if method == 'PLAY':
                break
        with contextlib.suppress(OSError):
            while True:
                data = self.packets.recv(2000)
                client.sendall(b'$\0' + len(data).to_bytes(2, 'big') + data)
                self.sent += 1
        client.close()

    def end(self):
        self.ffmpeg.kill()
        self.ffmpeg.wait()
        self.packets.close()
        self.listening.close()


class Live(unittest.TestCase):
    BOX = {'processors': ['face_debugger'], 'face-debugger-items': ['bounding-box']}

    def server(self, *args):
        s = Server(*args)
        self.addCleanup(s.process.kill)  # when a test fails
        return s

    def settled(self, s, path, *states):
        until = time.monotonic() + 60
        while (got := s.must('GET', path))['state'] not in states and time.monotonic() < until:
            time.sleep(0.05)
        self.assertIn(got['state'], states, got)
        return got

    def test_file(self):
        """A video in real time: marked pictures, the newest of each moment, until its end."""
        s = self.server()
        video = s.upload(clip('live.mp4', 50, 192))
        begin = time.monotonic()
        live = s.must('POST', '/v1/live', {'target': video['id'], 'options': self.BOX}, 201)
        self.assertEqual((live['state'], live['target'], live['boundary']),
                         ('opening', video['id'], 'reprise-frame'))
        path = '/v1/live/' + live['id']
        parts = Parts(s, path + '/stream')
        self.assertEqual((parts.answer.status, parts.kind),
                         (200, 'multipart/x-mixed-replace; boundary=reprise-frame'))
        got = []
        while part := parts.next():
            got.append(part)
        parts.close()
        self.assertGreater(time.monotonic() - begin, 1.8)  # 50 frames of 25 a second
        self.assertTrue(2 <= len(got) <= 50, len(got))
        for head, data in got:
            self.assertEqual((head['Content-Type'], data[:2], data[-2:]),
                             ('image/jpeg', b'\xff\xd8', b'\xff\xd9'))
            self.assertGreater(float(head['X-Latency-Ms']), 0)
        with open(e2e.scratch('live.jpg'), 'wb') as file:
            file.write(got[-1][1])
        said = e2e.must('inspect', e2e.scratch('live.jpg')).stdout
        self.assertIn('face_debugger', said)
        self.assertIn('synthetic', said)
        ended = self.settled(s, path, 'ended')
        self.assertEqual((ended['frames'], ended['width'], ended['code']), (len(got), 192, None))
        self.assertLessEqual(ended['frames'] + ended['lost'], 50)
        self.assertGreater(ended['latency_ms'], 0)
        self.assertEqual(s.ask('DELETE', path)[0], 204)
        self.assertEqual(s.ask('GET', path)[0], 404)
        self.assertEqual(s.end(), 0)

    def test_two_viewers(self):
        """One session, repeated; a viewer that takes nothing does not hold the other up."""
        s = self.server()
        video = s.upload(clip('live.mp4', 50, 192))
        wish = {'target': video['id'], 'options': self.BOX, 'repeat': True, 'width': 128}
        path = '/v1/live/' + s.must('POST', '/v1/live', wish, 201)['id']
        idle, parts = Parts(s, path + '/stream'), Parts(s, path + '/stream')
        until = time.monotonic() + 4  # twice through
        n = 0
        while time.monotonic() < until:
            self.assertIsNotNone(parts.next())
            n += 1
        self.assertGreater(n, 4)
        now = s.must('GET', path)
        self.assertEqual((now['state'], now['viewers'], now['width']), ('running', 2, 128))
        self.assertEqual([x['id'] for x in s.must('GET', '/v1/live')['live']], [now['id']])
        other = s.must('POST', '/v1/live', wish, 201)['id']
        self.assertEqual(s.ask('POST', '/v1/live', json.dumps(wish))[0], 429)
        self.assertEqual(s.ask('DELETE', f'/v1/live/{other}')[0], 204)
        self.assertEqual(s.ask('DELETE', path)[0], 204)
        while parts.next():
            pass
        for p in (idle, parts):
            p.close()
        path = '/v1/live/' + s.must('POST', '/v1/live', wish, 201)['id']
        last = Parts(s, path + '/stream')
        self.assertIsNotNone(last.next())
        self.assertEqual(s.end(), 0)  # also with one that runs and is looked at
        last.close()

    def test_wrong_wishes(self):
        s = self.server()
        video, picture = s.upload(clip('live.mp4', 50, 192)), s.upload(e2e.PICTURE)
        for wish, code in (({}, 'no_medium'), ({'target': picture['id']}, 'no_video'),
                           ({'target': video['id'], 'repeat': 1}, 'wrong_value'),
                           ({'target': video['id'], 'width': -1}, 'wrong_value'),
                           ({'target': video['id'], 'options': {'models-path': '/'}}, 'wrong_option'),
                           ({'input': 'door'}, 'no_input'), ({'input': 'rtsp://127.0.0.1/'}, 'no_input'),
                           ({'input': 7}, 'no_input'), ({'input': ''}, 'no_input'),
                           ({'input': 'door', 'map': []}, 'wrong_value')):
            status, _, got = s.ask('POST', '/v1/live', wish)
            self.assertEqual((status, got['error']['code']), (422, code), wish)
        for path in ('/v1/live/0', '/v1/live/0/stream'):
            self.assertEqual(s.ask('GET', path)[0], 404)
        live = s.must('POST', '/v1/live', {'target': video['id'], 'options': {
            'processors': ['face_swapper']}}, 201)  # without a source
        failed = self.settled(s, '/v1/live/' + live['id'], 'failed')
        self.assertEqual(failed['code'], 'wrong_option', failed)
        parts = Parts(s, f'/v1/live/{live["id"]}/stream')
        self.assertIsNone(parts.next())
        parts.close()
        self.assertEqual(s.end(), 0)
        for word in ('door', '=rtsp://h/', 'a b=rtsp://h/', 'door=http://h/', 'door=/dev/video0'):
            result = e2e.run('serve', '--web-port', '0', '--web-path', e2e.scratch('no'),
                             '--web-live', word, timeout=30)
            self.assertEqual(result.returncode, 2, result.stderr)

    def test_camera(self):
        """RTSP: pictures come at once, the password is told to nobody, and the end is said."""
        camera = Camera(e2e.PICTURE)
        self.addCleanup(camera.end)
        gone = socket.create_server(('127.0.0.1', 0))
        s = self.server('--web-live', 'door=' + camera.url,
                   f'gone=rtsp://me:secret@127.0.0.1:{gone.getsockname()[1]}/')
        gone.close()
        self.assertEqual(s.must('GET', '/v1/live')['inputs'], ['door', 'gone'])
        path = '/v1/live/' + s.must('POST', '/v1/live', {'input': 'door', 'options': self.BOX}, 201)['id']
        parts = Parts(s, path + '/stream')
        got = [parts.next() for _ in range(6)]
        self.assertEqual(len({data for _, data in got}), 6)
        now = s.must('GET', path)
        self.assertEqual((now['state'], now['input'], now['width']), ('running', 'door', 192))
        self.assertLess(statistics.median(float(head['X-Latency-Ms']) for head, _ in got[2:]), 2000)
        camera.end()
        while parts.next():
            pass
        parts.close()
        self.settled(s, path, 'ended', 'failed')
        path = '/v1/live/' + s.must('POST', '/v1/live', {'input': 'gone', 'options': self.BOX}, 201)['id']
        parts = Parts(s, path + '/stream')
        self.assertIsNone(parts.next())
        parts.close()
        failed = self.settled(s, path, 'failed')
        self.assertIn('gone: connecting', failed['message'])
        self.assertEqual(s.end(), 0)
        self.assertNotIn('secret', s.log() + json.dumps(failed))

    def test_refused(self):
        """No picture comes of what the content check is against, and the view ends."""
        if not e2e.takes_standins():
            self.skipTest('the program takes no stand-ins for the content check')
        gate, video = e2e.scratch('gate-live.onnx'), e2e.scratch('white.mp4')
        tiny_models.gate().save(gate)
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=white:s=64x64:r=25:d=2', '-pix_fmt', 'yuv420p', video)
        s = self.server('--models-path', e2e.model_folder('gate-live', nsfwjs=gate))
        live = s.must('POST', '/v1/live', {'target': s.upload(video)['id'], 'options': self.BOX}, 201)
        parts = Parts(s, f'/v1/live/{live["id"]}/stream')
        self.assertIsNone(parts.next())
        parts.close()
        failed = self.settled(s, '/v1/live/' + live['id'], 'failed')
        self.assertEqual((failed['code'], failed['frames']), ('content_refused', 0), failed)
        self.assertEqual(s.end(), 0)


class Documents(Shared):
    def test_examples_run(self):
        """docs/api.md from top to bottom, as one script."""
        if not shutil.which('curl'):
            self.skipTest('no curl program')
        with open(os.path.join(e2e.ROOT, 'docs/api.md'), encoding='utf-8') as file:
            blocks = re.findall(r'^```sh\n(.*?)^```', file.read(), re.S | re.M)
        self.assertGreaterEqual(len(blocks), 8)
        folder = e2e.scratch('curl')
        os.mkdir(folder)
        shutil.copy(e2e.PICTURE, folder + '/me.png')
        shutil.copy(clip('curl.mp4'), folder + '/clip.mp4')
        said = subprocess.run(
            ['bash', '-euxo', 'pipefail', '-c', '\n'.join(blocks)], cwd=folder, check=False,
            env={**os.environ, 'BASE': f'http://127.0.0.1:{self.s.port}', 'KEY': self.s.key},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        self.assertEqual(said.returncode, 0, said.stdout[-3000:])
        self.assertEqual(os.path.getsize(folder + '/beginning'), 100)
        self.assertIn('synthetic media', e2e.must('inspect', folder + '/out.mp4').stdout)

    def test_every_path_is_told(self):
        with open(os.path.join(e2e.ROOT, 'docs/api.md'), encoding='utf-8') as file:
            text = file.read()
        for path in self.s.must('GET', '/v1/openapi.json')['paths']:
            plain = path.replace('{id}', 'ID').replace('{face}', 'NUMBER').replace('{name}', 'NAME')
            self.assertIn(plain, text)


class Life(unittest.TestCase):
    def test_address_needs_a_certificate(self):
        for args in (['--web-host', '0.0.0.0'], ['--web-certificate', 'x'],
                     ['--web-port', '70000'], ['--web-port', 'x'], ['--web-quota', '-1']):
            result = e2e.run('serve', '--web-port', '0', '--web-path', e2e.scratch('no'), *args,
                             timeout=30)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertNotIn('#key=', result.stdout)

    def test_certificate(self):
        key, certificate = e2e.scratch('k.pem'), e2e.scratch('c.pem')
        if not shutil.which('openssl'):
            self.skipTest('no openssl program')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                        'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate,
                        '-days', '2', '-subj', '/CN=localhost'], check=True,
                       stderr=subprocess.DEVNULL)
        import ssl
        s = Server('--web-certificate', certificate, '--web-certificate-key', key)
        self.assertTrue(s.address.startswith('https://'))
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False
        c = http.client.HTTPSConnection('127.0.0.1', s.port, context=context, timeout=30)
        c.request('POST', '/v1/session', headers={'Authorization': 'Bearer ' + s.key})
        got = c.getresponse()
        self.assertEqual(got.status, 204)
        self.assertIn('Secure', got.headers['Set-Cookie'])
        c.close()
        self.assertEqual(s.end(), 0)

    def test_unix_socket(self):
        path = e2e.scratch('s.sock')
        s = Server.__new__(Server)
        folder = e2e.scratch('unix')
        process = subprocess.Popen([e2e.program, 'serve', '--web-socket', path, '--web-path',
                                    folder], stdout=subprocess.PIPE, text=True)
        s.key = process.stdout.readline().split('#key=')[1].strip()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with socket.socket(socket.AF_UNIX) as c:
            c.settimeout(30)
            c.connect(path)
            c.sendall(f'GET /v1/media HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
                      f'Authorization: Bearer {s.key}\r\n\r\n'.encode())
            self.assertIn(b'200 OK', c.recv(4096))
        with socket.socket(socket.AF_UNIX) as c:
            c.settimeout(30)
            c.connect(path)
            c.sendall(f'POST /v1/session HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'
                      f'Authorization: Bearer {s.key}\r\n\r\n'.encode())
            mark = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:12]
            self.assertIn(f'Set-Cookie: reprise-{mark}='.encode(), c.recv(4096))
        process.terminate()
        self.assertEqual(process.wait(30), 0)
        process.stdout.close()
        self.assertFalse(os.path.exists(path))

    def test_two_servers(self):
        """A browser keeps one jar of cookies for a host, whatever the port."""
        servers, jar = [Server(), Server()], {}
        for s in servers:
            status, head, _ = s.raw('POST', '/v1/session',
                                    headers={'Authorization': 'Bearer ' + s.key})
            self.assertEqual(status, 204)
            name, value = head['Set-Cookie'].split(';')[0].split('=', 1)
            jar[name] = value
        page = {'Cookie': '; '.join(f'{name}={value}' for name, value in jar.items())}
        for s in servers:
            self.assertEqual(s.raw('GET', '/v1/media', headers=page)[0], 200)
            other = next(o for o in servers if o is not s)
            wrong = {'Cookie': f'reprise-{s.port}={jar[f"reprise-{other.port}"]}'}
            self.assertEqual(s.raw('GET', '/v1/media', headers=wrong)[0], 401)
        for s in servers:
            self.assertEqual(s.end(), 0)

    def test_one_server_a_folder(self):
        s = Server()
        self.assertEqual(e2e.run('serve', '--web-port', '0', '--web-path', s.folder).returncode, 1)
        self.assertEqual(s.end(), 0)

    def test_expiry(self):
        """What is older than it may be is gone at the next look, and what no record names."""
        s = Server()
        m = s.upload(e2e.PICTURE)
        self.assertEqual(s.end(), 0)
        record = f'{s.folder}/media/{m["id"]}.json'
        with open(record, encoding='utf-8') as file:
            known = json.load(file)
        self.assertAlmostEqual(known['until'], time.time() + 24 * 3600, delta=600)
        known['until'] = int(time.time()) - 1
        with open(record, 'w', encoding='utf-8') as file:
            json.dump(known, file)
        with open(f'{s.folder}/media/{"0" * 64}.png', 'wb') as file:
            file.write(b'left')
        s.start()
        until = time.monotonic() + 30
        while os.listdir(s.folder + '/media') and time.monotonic() < until:
            time.sleep(0.1)
        self.assertEqual(os.listdir(s.folder + '/media'), [])
        self.assertEqual(s.must('GET', '/v1/media')['media'], [])
        self.assertEqual(s.end(), 0)

    def test_queue(self):
        """Move, cancel; and a server that is killed while a job runs goes on with it."""
        s = Server()
        source, video = s.upload(e2e.PICTURE), s.upload(clip('long.mp4', 60, 128))
        wish = {'sources': [source['id']], 'target': video['id'],
                'options': {'output-video-piece': 0.2}}  # so it has something to go on with
        jobs = [s.must('POST', '/v1/jobs', {**wish, 'name': str(i)}, 202)['id'] for i in range(4)]
        s.wait(jobs[0], 'running')
        self.assertEqual([s.must('GET', f'/v1/jobs/{j}')['position'] for j in jobs[1:]], [0, 1, 2])
        s.must('POST', f'/v1/jobs/{jobs[3]}/move', {'position': 0})
        self.assertEqual([s.must('GET', f'/v1/jobs/{j}')['position'] for j in jobs[1:]], [1, 2, 0])
        self.assertEqual(s.ask('POST', f'/v1/jobs/{jobs[0]}/move', {'position': 0})[0], 409)
        self.assertEqual(s.ask('DELETE', f'/v1/media/{video["id"]}')[0], 409)
        self.assertEqual(s.ask('DELETE', f'/v1/jobs/{jobs[0]}')[0], 409)
        self.assertEqual(s.ask('GET', f'/v1/jobs/{jobs[0]}/result')[0], 409)
        s.must('POST', f'/v1/jobs/{jobs[1]}/cancel', {}, 202)
        s.end(signal.SIGKILL)
        s.start()
        states = {j['id']: j['state'] for j in s.must('GET', '/v1/jobs')['jobs']}
        self.assertEqual(set(states), set(jobs))
        self.assertEqual(states[jobs[1]], 'cancelled')
        self.assertIn(states[jobs[0]], ('queued', 'running', 'done'))
        s.must('POST', f'/v1/jobs/{jobs[2]}/cancel', {}, 202)
        s.must('POST', f'/v1/jobs/{jobs[3]}/cancel', {}, 202)
        self.assertEqual(s.wait(jobs[0], 'done', 'failed')['state'], 'done')
        self.assertEqual(s.wait(jobs[3], 'cancelled', 'done')['state'], 'cancelled')
        self.assertEqual(sorted(os.listdir(s.folder + '/results')), [jobs[0]])
        self.assertEqual(s.end(), 0)


@unittest.skipUnless(ALL, 'only with --all')
class Long(unittest.TestCase):
    def test_kills(self):
        """Killed at 20 moments: the queue is there, and the results are those of the command line."""
        s = Server()
        video = clip('kill.mp4', 100, 160)
        source, target = s.upload(e2e.PICTURE), s.upload(video)
        wish = {'sources': [source['id']], 'target': target['id'],
                'options': {'output-video-piece': 0.2}}
        ours = e2e.scratch('kill-ours.mp4')
        begin = time.monotonic()
        e2e.must('headless-run', '-s', e2e.PICTURE, '-t', video, '-o', ours,
                 '--output-video-piece', '0.2')
        took = time.monotonic() - begin
        with open(ours, 'rb') as file:
            want = file.read()
        chance = random.Random(7)
        jobs = []
        for i in range(20):
            if i % 5 == 0:
                jobs.append(s.must('POST', '/v1/jobs', {**wish, 'name': str(i)}, 202)['id'])
            time.sleep(chance.uniform(0, took))
            s.end(signal.SIGKILL)
            s.start()
            there = {j['id']: j['state'] for j in s.must('GET', '/v1/jobs')['jobs']}
            self.assertEqual(set(there), set(jobs))
            self.assertLessEqual(set(there.values()), {'queued', 'running', 'done'})
        until = time.monotonic() + 600  # for all of them
        for job in jobs:
            self.assertEqual(s.wait(job, 'done', 'failed', seconds=until - time.monotonic())['state'], 'done')
            self.assertEqual(s.ask('GET', f'/v1/jobs/{job}/result')[2], want)
        self.assertEqual(os.listdir(s.folder + '/part'), [])
        self.assertEqual(s.end(), 0)

    def test_slow_clients(self):
        """A head and a body that come by drops end; so does a client that takes nothing."""
        s = Server()
        m = s.upload(e2e.PICTURE)
        head = (f'Host: 127.0.0.1:{s.port}\r\nAuthorization: Bearer {s.key}\r\n')
        slow = [(f'GET /healthz HTTP/1.1\r\n{head}X: ', 'x'),
                (f'POST /v1/media HTTP/1.1\r\n{head}Content-Length: 100000\r\n\r\n', 'x'),
                (f'GET /v1/media/{m["id"]}/file HTTP/1.1\r\n{head}\r\n', '')]
        held = []
        for text, _ in slow:
            c = socket.socket()
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.connect(('127.0.0.1', s.port))
            c.sendall(text.encode())
            held.append(c)
        begin = time.monotonic()
        ended = {}
        while len(ended) < 2 and time.monotonic() - begin < 90:
            time.sleep(1)
            for i, (_, drop) in enumerate(slow[:2]):
                if i not in ended:
                    try:
                        held[i].sendall(drop.encode())
                    except OSError:
                        ended[i] = time.monotonic() - begin
            self.assertEqual(s.raw('GET', '/healthz')[0], 200)
        self.assertEqual(set(ended), {0, 1})
        self.assertTrue(all(25 < t < 60 for t in ended.values()), ended)
        self.assertEqual(os.listdir(s.folder + '/part'), [])
        self.assertGreaterEqual(s.log().count('no request came in'), 1)
        for c in held:
            c.close()
        self.assertEqual(s.end(), 0)

    def test_more_connections_than_there_are(self):
        """1,500 at once: those over 1,000 wait, nothing ends, and all is well when they are gone."""
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(
            resource.RLIMIT_NOFILE)[1]))
        s = Server()
        held = []
        for _ in range(1500):
            with contextlib.suppress(OSError):
                held.append(socket.create_connection(('127.0.0.1', s.port), timeout=2))
        self.assertGreater(len(held), 1000)
        self.assertLess(resident(s.process), 512 << 20)
        for c in held:
            c.close()
        self.assertEqual(s.raw('GET', '/healthz')[0], 200)
        self.assertEqual(s.end(), 0)


if __name__ == '__main__':
    if ALL:
        sys.argv.remove('--all')
    e2e.main()
