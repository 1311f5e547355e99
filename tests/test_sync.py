#!/usr/bin/python3
"""Sound stays in step with the picture: flashes and beeps, from every container into every other,
on clocks that begin anywhere, wrap, jump or pause.

    test_sync.py PROGRAM [--all] [TEST...]

A flash (a white frame) and a beep come together at each second. What is measured is what a player
shows: ffmpeg decodes picture and sound in one run, with edit lists and start times applied.
"""
import functools
import struct
import sys
import unittest

import e2e
import numpy as np
from flash import apart, play, start

ALL = '--all' in sys.argv
if ALL:
    sys.argv.remove('--all')

NEAR = 0.020  # seconds
OUTPUTS = ['mp4', 'mov', 'mkv', 'webm', 'avi', 'wmv']
AAC, X264 = '-c:a aac -b:a 96k', '-c:v libx264 -preset veryfast -bf 2 -g 100 -pix_fmt yuv420p'
VP8 = '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 200k'

# name: how it is made of base.mp4, or of others made before
INPUTS = {
    'base.mp4': None,
    'pcm.mov': '-i base.mp4 -c:v copy -c:a pcm_s16le',
    'copy.mkv': '-i base.mp4 -c copy',
    'opus.webm': f'-i base.mp4 {VP8} -c:a libopus',
    'mp3.avi': '-i base.mp4 -c:v mpeg4 -q:v 3 -c:a libmp3lame',
    'far.ts': '-i base.mp4 -c copy -output_ts_offset 36000 -muxdelay 0',
    'edit.mp4': '-ss 0.5 -i base.mp4 -c copy',
    'old.flv': '-i base.mp4 -c:v flv -q:v 3 -c:a libmp3lame -ar 44100 -output_ts_offset 60',
}
MORE = {
    'start.ts': '-i base.mp4 -c copy',
    'wrap.ts': '-i base.mp4 -c copy -copyts -output_ts_offset 95441.9 -muxdelay 0',
    'later.ts': '-i base.mp4 -c copy -output_ts_offset 50',
    'late.mp4': '-i base.mp4 -itsoffset 0.31 -i base.mp4 -map 0:v -map 1:a -c copy',
    'early.mkv': '-itsoffset 0.31 -i base.mp4 -i base.mp4 -map 0:v -map 1:a -c copy',
    'system.mpg': '-i base.mp4 -c:v mpeg2video -q:v 4 -c:a mp2 -b:a 128k',
    'pause.mkv': "-i base.mp4 -vf setpts=PTS+gte(N\\,20)*30/TB -af asetpts=PTS+gte(T\\,2)*30/TB "
                 f"-fps_mode vfr {X264} {AAC}",
    'fast.ts': '-i base.mp4 -c:v copy -c:a aac -ar 44100 -ac 2',
    'programmes.ts': '-i base.mp4 -itsoffset 9.5 -i base.mp4 -map 0 -map 1 -c copy -program st=0:st=1 '
                     '-program st=2:st=3',
    'low.mp4': '-i base.mp4 -c:v copy -c:a aac -ar 8000',
    'silent.ts': '-i base.mp4 -an -c copy',
    'hole.mkv': f"-i base.mp4 -c:v copy -af aselect=lt(t\\,1.3)+gt(t\\,1.7) {AAC}",
}
JOINED = {
    'joined.ts': ['start.ts', 'start.ts'],         # back
    'ahead.ts': ['start.ts', 'far.ts'],            # ten hours ahead
    'thrice.ts': ['later.ts', 'start.ts', 'wrap.ts'],
    'rates.ts': ['start.ts', 'fast.ts'],
    'silent2.ts': ['silent.ts', 'silent.ts'],
    'joined.mpg': ['system.mpg', 'system.mpg'],
}
ROWS = list(INPUTS)
# Each input and each output once or more; --all takes every pair.
FEW = {'base.mp4': ['mp4', 'mkv', 'avi'], 'pcm.mov': ['mov', 'avi'], 'copy.mkv': ['webm'],
       'opus.webm': ['mkv'], 'mp3.avi': ['mp4'], 'far.ts': ['mp4', 'avi', 'wmv'],
       'edit.mp4': ['mkv', 'avi'], 'old.flv': ['mov']}


def make(name):
    """The path of an input, which is made at its first use."""
    path = e2e.scratch(name)
    if name in made:
        return path
    made.add(name)
    if name in JOINED:
        with open(path, 'wb') as out:
            for part in JOINED[name]:
                with open(make(part), 'rb') as file:
                    out.write(file.read())
        return path
    how = INPUTS.get(name) or MORE.get(name)
    if not how:
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=black:s=160x120:r=10:d=3', '-f', 'lavfi', '-i',
                   "aevalsrc='0.8*sin(2*PI*1000*t)*lt(mod(t,1),0.05)':s=48000:d=3", '-vf',
                   "drawbox=color=white:t=fill:enable='not(mod(n,10))'", *X264.split(), *AAC.split(),
                   path)
        return path
    words = [make(w) if w in INPUTS or w in MORE else w for w in how.split()]
    e2e.ffmpeg(*words, path)
    return path


def two_edits(data, bases):
    """The boxes of an MP4 whose edit lists now show the first second and the third."""
    out = b''
    while data:
        size, kind = struct.unpack('>I4s', data[:8])
        body, data = data[8:size], data[size:]
        if kind in (b'moov', b'trak', b'edts'):
            body = two_edits(body, bases)
        elif kind == b'elst':
            begin, base = struct.unpack('>i', body[12:16])[0], bases.pop(0)
            body = body[:4] + struct.pack('>IIiIIiI', 2, 1000, begin, 65536, 1000,
                                          begin + 2 * base, 65536)
        out += struct.pack('>I4s', len(body) + 8, kind) + body
    return out


made = set()


@functools.cache
def convert(name, output, *options):
    """What the program makes of an input."""
    path = e2e.scratch(output)
    e2e.must('headless-run', '--processors', 'face_debugger', '--face-detector-score', '1',
             '--face-selector-mode', 'many', '-t', make(name), '-o', path, *options)
    return path


class Sync(unittest.TestCase):
    def in_step(self, name, output, flashes, frames=None, options=()):
        """The output begins at 0 and its sound is where it was; returns the times of its frames."""
        with self.subTest(f'{name} to {output}'):
            path = convert(name, output, *options)
            times, seen, _ = play(path)
            before, after = apart(make(name)), apart(path)
            self.assertEqual(len([t for t in seen if t > 0.2]), flashes)
            if len(before) != len(after):  # some were cut off
                before = len(after) * [np.median(before)]
            self.assertLess(np.abs(np.subtract(before, after)).max(), NEAR, (before, after))
            # sound before 0 is what its codec begins with: a packet
            self.assertLess(abs(start(path)), 0.05 if output.endswith('wmv') else 0.025)
            if frames:
                self.assertEqual(len(times), frames)
            return times
        return []

    def test_pairs(self):
        for name in ROWS:
            for ext in OUTPUTS if ALL else FEW[name]:
                self.in_step(name, f'{name}.{ext}', 2)

    def test_the_usual_stays(self):
        """Times of the picture, packets of the sound."""
        path = convert('base.mp4', 'base.mp4.mp4')
        self.assertEqual(e2e.times(path), e2e.times(make('base.mp4')))
        self.assertEqual(e2e.packets(path, 'a'), e2e.packets(make('base.mp4'), 'a'))
        path = convert('base.mp4', 'base.mp4.avi')  # all but what is not heard
        self.assertEqual([p.split(',')[-1] for p in e2e.packets(path, 'a')],
                         [p.split(',')[-1] for p in e2e.packets(make('base.mp4'), 'a')[1:]])

    def test_cut_off(self):
        """What an edit list hides is not in the output."""
        cut = len(e2e.packets(make('edit.mp4'), 'a'))
        for ext in OUTPUTS if ALL else ['mkv']:
            path = convert('edit.mp4', f'edit.mp4.{ext}')
            if ext in ('mkv', 'wmv'):  # MP4 hides it, the others have other packets
                self.assertLess(len(e2e.packets(path, 'a')), cut - 15)
            self.assertLess(abs(start(path)), 0.025)

    def test_two_edits(self):
        """What lies between two parts is not heard, and not kept."""
        path = e2e.scratch('edits.mp4')
        bases = [int(base.split('/')[1]) for base in
                 e2e.probe(make('base.mp4'), 'stream=time_base', 'v') +
                 e2e.probe(make('base.mp4'), 'stream=time_base', 'a')]
        with open(make('base.mp4'), 'rb') as file, open(path, 'wb') as out:
            out.write(two_edits(file.read(), bases))
        made.add('edits.mp4')
        for ext in OUTPUTS if ALL else ['mp4']:
            times = self.in_step('edits.mp4', f'edits.mp4.{ext}', 1, 20)
            self.assertAlmostEqual(times[-1] - times[0], 1.9, delta=NEAR)
            if ext in ('mp4', 'mkv', 'avi'):
                self.assertIn(len(e2e.packets(e2e.scratch(f'edits.mp4.{ext}'), 'a')), range(93, 98))

    def test_late_and_early(self):
        for name in ('late.mp4', 'early.mkv'):
            for ext in OUTPUTS if ALL else ['avi']:
                path = convert(name, f'{name}.{ext}')
                self.assertAlmostEqual(apart(path)[0], apart(make(name))[0], delta=NEAR)

    def test_trimmed(self):
        """From frame 5 to 24: the flashes are at 0.5 and 1.5."""
        options = ('--trim-frame-start', '5', '--trim-frame-end', '24')
        few = {'far.ts': ['avi'], 'edit.mp4': ['mp4']}
        for name in ROWS if ALL else few:
            for ext in OUTPUTS if ALL else few[name]:
                times = self.in_step(name, f'trim.{name}.{ext}', 2 if name != 'edit.mp4' else 1, 19,
                                     options)
                self.assertLess(abs(times[-1] - times[0] - 1.8), 0.03)

    def test_wraps_and_jumps(self):
        """All frames, and no time is lost or won."""
        rows = [('wrap.ts', 3), ('joined.ts', 6), ('ahead.ts', 6), ('thrice.ts', 9),
                ('joined.mpg', 6)]
        for name, seconds in rows if ALL else rows[:3]:
            for ext in OUTPUTS if ALL else ['mp4', 'avi'] if name == 'joined.ts' else ['mp4']:
                times = self.in_step(name, f'{name}.{ext}', seconds - 1)
                self.assertEqual(len(times), 10 * seconds)
                self.assertLess(max(np.diff(times)), 0.2)
                self.assertLess(abs(times[-1] - times[0] - seconds), 0.2)

    def test_sound_changes(self):
        """Its rate and channels, where two files were joined."""
        for ext in ['avi', 'webm'] if ALL else ['avi']:
            path = convert('rates.ts', f'rates.{ext}')
            self.assertEqual(len(play(path)[0]), 60)
            self.assertEqual(len(apart(path)), 5)
            self.assertLess(max(map(abs, apart(path))), 0.03)

    def test_programmes(self):
        """Sound of another programme, on another clock, is left out."""
        path = convert('programmes.ts', 'programmes.mkv')
        self.assertEqual(e2e.probe(path, 'stream=codec_name', 'a'), ['aac'])
        self.assertLess(abs(start(path)), 0.025)

    def test_long_packets(self):
        """AVI counts a packet of many bytes for two."""
        self.in_step('low.mp4', 'low.avi', 2)

    def test_without_sound(self):
        times, _, _ = play(convert('silent2.ts', 'silent2.mp4'), with_sound=False)
        self.assertEqual(len(times), 60)
        self.assertLess(max(abs(np.diff(times) - 0.1)), 0.001)
        self.assertEqual(times[0], 0)

    def test_pauses_stay(self):
        """A gap of half a minute in a file whose clock does not jump."""
        for ext in ['mp4', 'mkv'] if ALL else ['mp4']:
            times, _, _ = play(convert('pause.mkv', f'paused.{ext}'))
            self.assertEqual(len(times), 30)
            self.assertAlmostEqual(max(np.diff(times)), 30.1, delta=0.002)

    def test_holes(self):
        """Sound that pauses: AVI gets silence."""
        self.in_step('hole.mkv', 'hole.avi', 2)


if __name__ == '__main__':
    e2e.main()
