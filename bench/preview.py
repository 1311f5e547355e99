#!/usr/bin/python3
"""How long a preview of `reprise serve` takes at 640 pixels, from the request to the last byte.

    bench/preview.py [--program build/reprise] [--source PICTURE] [--target CLIP] [--runs 60]
                     [--device cpu|cuda] [--output bench/results/NAME.json]

frame: another frame with the same options, as when the time line is dragged. option: the same frame with
another value of an option. Exit code 1: the median of `frame` is not below the limit. Without --source
and --target the sample that `make run` makes is taken. Nothing is fetched (REPRISE_OFFLINE=1): with
set-up's models that is the lite set.
"""
import argparse
import http.client
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'reprise')
LIMIT = {'cpu': 250, 'cuda': 60}


class Client:
    def __init__(self, address):
        host, port, key = re.match(r'http://([^:]+):(\d+)/#key=(\S+)', address).groups()
        self.http = http.client.HTTPConnection(host, int(port), timeout=120)
        self.key = key

    def ask(self, method, path, body=None, **headers):
        self.http.request(method, path, body, {'Authorization': f'Bearer {self.key}', **headers})
        answer = self.http.getresponse()
        data = answer.read()
        if answer.status >= 300:
            sys.exit(f'{method} {path}: {answer.status} {data[:300].decode(errors="replace")}')
        return data

    def upload(self, path):
        with open(path, 'rb') as file:
            return json.loads(self.ask('POST', f'/v1/media?name={os.path.basename(path)}', file.read()))

    def preview(self, wish):
        begin = time.perf_counter()
        data = self.ask('POST', '/v1/preview', json.dumps(wish), **{'Content-Type': 'application/json'})
        assert data[:2] == b'\xff\xd8', data[:8]
        return 1000 * (time.perf_counter() - begin)


def measure(client, wish, runs, frames):
    times = {'first': [client.preview(wish)], 'frame': [], 'option': []}
    for i in range(runs):
        times['frame'].append(client.preview({**wish, 'frame': (i * 7 + 1) % frames}))
    for i in range(runs):
        options = {**wish['options'], 'face-mask-blur': round(0.05 * (i % 20), 2)}
        times['option'].append(client.preview({**wish, 'options': options}))
    return times


def summary(times):
    ordered = sorted(times)
    return {'runs': len(times), 'median_ms': round(statistics.median(times), 1), 'least_ms': round(ordered[0], 1),
            'p95_ms': round(ordered[int(0.95 * (len(ordered) - 1))], 1), 'most_ms': round(ordered[-1], 1)}


def processor():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        match = re.search(r'^model name\s*: (.*)$', file.read(), re.M)
    return match.group(1) if match else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--program', default='build/reprise')
    parser.add_argument('--source', default=CACHE + '/media/source.png')
    parser.add_argument('--target', default=CACHE + '/media/target.mp4')
    parser.add_argument('--runs', type=int, default=60)
    parser.add_argument('--device', choices=LIMIT, default='cpu')
    parser.add_argument('--output')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='reprise-preview-') as folder:
        server = subprocess.Popen([args.program, 'serve', '--web-port', '0', '--web-path', folder,
                                   '--execution-providers', args.device, '--log-level', 'error'],
                                  env={**os.environ, 'REPRISE_OFFLINE': '1'}, stdout=subprocess.PIPE, text=True)
        try:
            client = Client(server.stdout.readline().strip())
            source, target = client.upload(args.source), client.upload(args.target)
            wish = {'sources': [source['id']], 'target': target['id'], 'frame': 0, 'width': 640,
                    'options': {'processors': 'face_swapper'}}
            times = measure(client, wish, args.runs, max(target['frames'], 1))
        finally:
            server.terminate()
            server.wait()
    report = {'what': 'POST /v1/preview, 640 pixels wide, face_swapper, from the request to the last byte',
              'target': {key: target[key] for key in ('width', 'height', 'frames')}, 'device': args.device,
              'cpu': processor(), 'cores': len(os.sched_getaffinity(0)),
              'date': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
              'first_ms': round(times['first'][0], 1), 'frame': summary(times['frame']),
              'option': summary(times['option']), 'limit_ms': LIMIT[args.device]}
    text = json.dumps(report, indent=2) + '\n'
    print(text, end='')
    if args.output:
        with open(args.output, 'w', encoding='utf-8') as file:
            file.write(text)
    sys.exit(report['frame']['median_ms'] >= LIMIT[args.device])


if __name__ == '__main__':
    main()
