#!/usr/bin/python3
"""How much of a job's speed many clients of `reprise serve` take.

    bench/load.py [--program build/reprise] [--source PICTURE] [--target CLIP] [--rounds 5]
                  [--pollers 50] [--listeners 2] [--downloads 2] [--device cpu|cuda]
                  [--output bench/results/NAME.json]

The same job runs again and again, in turn without and with clients. As a page or a program does it, each
poller asks for the job once a second, each listener takes the events, and each download takes a part of
1 MiB a second of a video, with Range. They are a process of their own with its own processors: half of
those that there are, while the server has the other half (a job and one server thread then share them,
as they would anywhere). So the time of the clients is not taken for the server's.

Printed are medians: the job's wall time; the processor time of the job's threads and of the server's own,
from /proc; that of the clients, for what it is worth; and the server's share: what its own threads take
of its processors because of the clients, which a job that keeps them busy loses. Exit code 1: by its share
or by the wall the job loses more than 3 %. Other work on the same machine shows in the wall time: with
--only-processors it is not judged by.
"""
import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import preview  # beside this file

LIMIT = 0.03
TICK = os.sysconf('SC_CLK_TCK')
PART = 1 << 20  # bytes a second of each download: a video of 8 Mbit/s


# ---- clients, in a process of their own ----------------------------------------------------------------


class Counter:
    def __init__(self):
        self.polls = self.events = self.parts = self.errors = 0
        self.slowest = 0.0


async def take_head(reader):
    """(status, bytes of the body or None)."""
    head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
    lengths = [int(line.split(':')[1]) for line in head if line.lower().startswith('content-length:')]
    return int(head[0].split()[1]), lengths[0] if lengths else None


async def ask_each_second(at, request, want, note):
    """One connection; a request a second, begun at a time of its own within it."""
    reader, writer = await asyncio.open_connection(*at['address'], limit=2 * PART)
    due = time.monotonic() + at['phase']
    while True:
        await asyncio.sleep(max(0, due - time.monotonic()))
        begin = time.monotonic()
        writer.write(request)
        status, size = await take_head(reader)
        await reader.readexactly(size)
        note(status == want, time.monotonic() - begin)
        due = max(due + 1, time.monotonic())


async def listen(at, request, counter):
    reader, writer = await asyncio.open_connection(*at['address'])
    writer.write(request)
    status, _ = await take_head(reader)
    counter.errors += status != 200
    while data := await reader.read(65536):
        counter.events += data.count(b'\nevent: ')


def requests_of(args):
    head = f'Host: {args.host}:{args.port}\r\nAuthorization: Bearer {args.key}\r\n'
    return {'poll': f'GET /v1/jobs/{args.job} HTTP/1.1\r\n{head}\r\n'.encode(),
            'listen': f'GET /v1/events HTTP/1.1\r\n{head}\r\n'.encode(),
            'download': (f'GET /v1/media/{args.medium}/file HTTP/1.1\r\n{head}'
                         f'Range: bytes=0-{min(PART, args.bytes) - 1}\r\n\r\n').encode()}


async def all_clients(args):
    counter, requests = Counter(), requests_of(args)

    def polled(right, seconds):
        counter.polls += 1
        counter.errors += not right
        counter.slowest = max(counter.slowest, seconds)

    def loaded(right, _seconds):
        counter.parts += 1
        counter.errors += not right

    def place(i, n):
        return {'address': (args.host, args.port), 'phase': i / max(n, 1)}

    tasks = [ask_each_second(place(i, args.pollers), requests['poll'], 200, polled) for i in range(args.pollers)]
    tasks += [listen(place(0, 1), requests['listen'], counter) for _ in range(args.listeners)]
    tasks += [ask_each_second(place(i, args.downloads), requests['download'], 206, loaded)
              for i in range(args.downloads)]
    tasks = [asyncio.create_task(task) for task in tasks]
    ends = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)  # until we are told to
    await asyncio.wait([ends, *tasks], return_when=asyncio.FIRST_COMPLETED)
    failed = [str(task.exception()) for task in tasks if task.done() and task.exception()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    used = os.times()
    print(json.dumps({**vars(counter), 'failed': failed, 'processor_seconds': used.user + used.system}))


# ---- the server, from outside --------------------------------------------------------------------------


def ticks(path):
    """(name, processor time in ticks) of a process or thread."""
    with open(path, encoding='utf-8', errors='replace') as file:
        name, rest = file.read().split('(', 1)[1].rsplit(')', 1)
    fields = rest.split()
    return name, int(fields[11]) + int(fields[12])


def is_own(tid, pid, name):
    """A thread of the server's, not of a job: its main one, libmicrohttpd's, and those it has named."""
    return tid == pid or name.startswith('MHD') or name in ('web-desk', 'web-preview', 'web-fetcher')


def used_by(pid):
    """(the server's own threads, all threads ever), in seconds of a processor."""
    own = 0
    for tid in os.listdir(f'/proc/{pid}/task'):
        try:
            name, used = ticks(f'/proc/{pid}/task/{tid}/stat')
        except (FileNotFoundError, ProcessLookupError):  # it has ended: one of a job
            continue
        own += used if is_own(int(tid), pid, name) else 0
    return own / TICK, ticks(f'/proc/{pid}/stat')[1] / TICK


def wait_for(client, job):
    """Asks seldom enough to cost nothing."""
    while True:
        got = json.loads(client.ask('GET', f'/v1/jobs/{job}'))
        if got['state'] in ('done', 'failed', 'cancelled'):
            return got
        time.sleep(0.5)


def wait_for_rest(client):
    """After a job the server looks at its plan."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        last = json.loads(client.ask('GET', '/v1/engine'))['last']
        if last and 'nodes' in last:
            return last
        time.sleep(0.2)
    sys.exit('the server tells no plan of the job')


def start_clients(args, client, job, medium, processors):
    words = [sys.executable, os.path.abspath(__file__), '--clients', '--host', client.http.host, '--port',
             str(client.http.port), f'--key={client.key}', '--job', job, '--medium', medium['id'], '--bytes',
             str(medium['bytes']), '--pollers', str(args.pollers), '--listeners', str(args.listeners),
             '--downloads', str(args.downloads)]
    return subprocess.Popen(['taskset', '-c', processors, *words], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)


def one_round(args, client, pid, wish, medium, processors):
    """Seconds of one job; processors: those of the clients, or None without any."""
    before = used_by(pid)
    job = json.loads(client.ask('POST', '/v1/jobs', json.dumps(wish), **{'Content-Type': 'application/json'}))['id']
    load = start_clients(args, client, job, medium, processors) if processors else None
    ended = wait_for(client, job)
    after = used_by(pid)
    if ended['state'] != 'done':
        sys.exit(f'the job {ended["state"]}: {ended["message"]}')
    said = json.loads(load.communicate('\n', timeout=60)[0]) if load else None
    if said and (said['errors'] or said['failed']):
        sys.exit(f'clients were not served: {said}')
    seconds = wait_for_rest(client)['seconds']
    client.ask('DELETE', f'/v1/jobs/{job}')
    own = after[0] - before[0]
    return {'wall': seconds, 'job': after[1] - before[1] - own, 'own': own, 'clients': said}


# ---- the report ----------------------------------------------------------------------------------------


def median(rounds, key):
    return statistics.median(r[key] for r in rounds)


def summary(rounds):
    return {'wall_s': round(median(rounds, 'wall'), 2), 'job_processor_s': round(median(rounds, 'job'), 2),
            'server_processor_s': round(median(rounds, 'own'), 3),
            'each_wall_s': [round(r['wall'], 2) for r in rounds],
            'each_job_processor_s': [round(r['job'], 2) for r in rounds],
            'each_server_processor_s': [round(r['own'], 2) for r in rounds]}


def report_of(args, rounds, target, halves):
    alone, crowd = rounds['alone'], rounds['crowd']
    said = [r['clients'] for r in crowd]
    has = len(halves[0].split(','))
    share = [statistics.median(r['own'] / r['wall'] / has for r in some) for some in (crowd, alone)]
    return {
        'what': f'a job without and with {args.pollers} clients that ask for it once a second, {args.listeners} that '
                f'take its events and {args.downloads} that take 1 MiB of a video a second; medians of '
                f'{args.rounds} rounds each, in turn',
        'target': {key: target[key] for key in ('width', 'height', 'frames', 'bytes')}, 'device': args.device,
        'cpu': preview.processor(), 'processors': {'server': halves[0], 'clients': halves[1]},
        'date': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        'without': summary(alone), 'with': summary(crowd),
        'clients': {'polls': sum(c['polls'] for c in said), 'events': sum(c['events'] for c in said),
                    'parts': sum(c['parts'] for c in said),
                    'slowest_poll_ms': round(1000 * max(c['slowest'] for c in said), 1),
                    'processor_s': round(statistics.median(c['processor_seconds'] for c in said), 2)},
        'lost_by_wall': round(median(crowd, 'wall') / median(alone, 'wall') - 1, 4),
        'lost_by_job_processor': round(median(crowd, 'job') / median(alone, 'job') - 1, 4),
        'server_share': round(share[0] - share[1], 4), 'limit': LIMIT}


def measure(args, client, pid, halves):
    source, target = client.upload(args.source), client.upload(args.target)
    wish = {'sources': [source['id']], 'target': target['id'], 'options': {'processors': ['face_swapper']}}
    one_round(args, client, pid, wish, target, None)  # opens the models
    rounds = {'alone': [], 'crowd': []}
    for i in range(args.rounds):
        for crowd in (i % 2 == 1, i % 2 == 0):  # whatever drifts goes both ways
            rounds['crowd' if crowd else 'alone'].append(
                one_round(args, client, pid, wish, target, halves[1] if crowd else None))
    return report_of(args, rounds, target, halves)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--program', default='build/reprise')
    parser.add_argument('--source', default=preview.CACHE + '/media/source.png')
    parser.add_argument('--target', default=preview.CACHE + '/media/target.mp4')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--pollers', type=int, default=50)
    parser.add_argument('--listeners', type=int, default=2)
    parser.add_argument('--downloads', type=int, default=2)
    parser.add_argument('--device', choices=preview.LIMIT, default='cpu')
    parser.add_argument('--only-processors', action='store_true')
    parser.add_argument('--output')
    parser.add_argument('--clients', action='store_true', help=argparse.SUPPRESS)
    for name in ('host', 'key', 'job', 'medium'):
        parser.add_argument('--' + name, help=argparse.SUPPRESS)
    for name in ('port', 'bytes'):
        parser.add_argument('--' + name, type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    args = parse()
    if args.clients:
        asyncio.run(all_clients(args))
        return
    there = sorted(os.sched_getaffinity(0))
    if len(there) < 2:
        sys.exit('clients need a processor that the server does not have')
    middle = (len(there) + 1) // 2
    halves = [','.join(map(str, half)) for half in (there[:middle], there[middle:])]
    with tempfile.TemporaryDirectory(prefix='reprise-load-') as folder:
        server = subprocess.Popen(['taskset', '-c', halves[0], args.program, 'serve', '--web-port', '0', '--web-path',
                                   folder, '--execution-providers', args.device, '--log-level', 'error'],
                                  env={**os.environ, 'REPRISE_OFFLINE': '1'}, stdout=subprocess.PIPE, text=True)
        try:
            client = preview.Client(server.stdout.readline().strip())
            report = measure(args, client, server.pid, halves)
        finally:
            server.terminate()
            server.wait()
    text = json.dumps(report, indent=2) + '\n'
    print(text, end='')
    if args.output:
        with open(args.output, 'w', encoding='utf-8') as file:
            file.write(text)
    lost = [report['server_share']] + ([] if args.only_processors else [report['lost_by_wall']])
    sys.exit(max(lost) > LIMIT)


if __name__ == '__main__':
    main()
