#!/usr/bin/python3
"""Ten minutes of 720p: memory does not grow, no frame and no timestamp is lost.

    test_long.py PROGRAM
"""
import json
import os
import subprocess
import unittest

import e2e

MINUTES = float(os.environ.get('REPRISE_MINUTES', 10))
AT = 1500      # frame at which memory is first looked at
PART = 20      # seconds that are repeated


def make_clip():
    """The portrait slides through the picture in 5 of 20 seconds; with a tone. Repeated by copying."""
    part, clip = e2e.scratch('part.mp4'), e2e.scratch('long.mp4')
    e2e.ffmpeg('-f', 'lavfi', '-i', f'testsrc2=s=1280x720:r=25:d={PART}', '-loop', '1', '-r', '25',
               '-i', e2e.PICTURE, '-f', 'lavfi', '-i', f'sine=330:d={PART}:r=48000',
               '-filter_complex', "[0][1]overlay=x=60+6*n:y=90:enable='lt(t,5)':shortest=1",
               '-map', '2:a', '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-g', '50',
               '-bf', '0', '-pix_fmt', 'yuv420p', '-c:a', 'aac', part)
    e2e.ffmpeg('-stream_loop', str(round(MINUTES * 60 / PART) - 1), '-i', part, '-c', 'copy', clip)
    return clip


def make_variable():
    """Frames of different length: of 7, one is left out, and of 50, ten."""
    clip = e2e.scratch('variable.mkv')
    e2e.ffmpeg('-i', e2e.scratch('part.mp4'), '-vf', "select='mod(n,7)*gt(mod(n,50),9)'",
               '-fps_mode', 'vfr', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'copy', clip)
    return clip


def stamps(path):
    """Sorted timestamps of the video packets: as those of the frames, without decoding."""
    return sorted(float(t.split(',')[0]) for t in e2e.probe(path, 'packet=pts_time'))


def memory(pid):
    """Resident set in KiB."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        for line in file:
            if line.startswith('VmRSS:'):
                return int(line.split()[1])
    return 0


def run(target, output):
    """Frames done -> KiB, at each word of progress; and the report."""
    source, _ = e2e.sample()
    seen, last = [], None
    with subprocess.Popen([e2e.program, 'headless-run', '--json', '-s', source, '-t', target, '-o',
                           output], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as job:
        for line in job.stdout:
            last = json.loads(line)
            if last['event'] == 'progress' and last['frames_done'] < last['frames_total']:
                seen.append((last['frames_done'], memory(job.pid)))
        said = job.stderr.read()
    assert job.returncode == 0, said
    return seen, last


class Long(unittest.TestCase):
    def same_times(self, target, output):
        a, b = stamps(target), stamps(output)
        self.assertEqual(len(b), len(a))
        worst = max(abs(x - y) for x, y in zip(a, b))
        self.assertLess(worst, 0.0015)  # Matroska counts in milliseconds
        return a

    def test_memory_and_times(self):
        target, output = make_clip(), e2e.scratch('out.mp4')
        seen, report = run(target, output)
        times = self.same_times(target, output)
        self.assertEqual(report['frames_done'], len(times))
        self.assertGreaterEqual(len(times), round(MINUTES * 60 * 25))
        self.assertEqual(e2e.packets(output, 'a'), e2e.packets(target, 'a'))
        first = next(kib for frame, kib in seen if frame >= AT)
        frame, last = seen[-1]
        print(f'\n{len(times)} frames at {report["fps"]:.1f} fps, {report["faces_changed"]} faces; '
              f'{first} KiB at frame {AT}, {last} KiB at frame {frame}, at most '
              f'{max(kib for _, kib in seen)} KiB')
        self.assertLess(abs(last - first), 0.05 * first)

    def test_variable_rate(self):
        if not os.path.exists(e2e.scratch('part.mp4')):
            make_clip()
        target = make_variable()
        times = stamps(target)
        steps = {round(b - a, 3) for a, b in zip(times, times[1:])}
        self.assertGreater(len(steps), 2)
        for name in ('out.mkv', 'variable.mp4'):
            output = e2e.scratch(name)
            _, report = run(target, output)
            self.assertEqual(report['frames_done'], len(times))
            self.same_times(target, output)


if __name__ == '__main__':
    e2e.main()
