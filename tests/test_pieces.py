#!/usr/bin/python3
"""A video that is encoded in pieces: nothing differs from one encoder but the picture's packets, and
with an encoder that loses nothing not even the pixels.

    test_pieces.py PROGRAM [--all] [TEST...]    --all: also twelve pairs of container and codecs, and
                                                memory
"""
import json
import os
import re
import resource
import signal
import subprocess
import sys
import unittest

import e2e

ALL = '--all' in sys.argv
if ALL:
    sys.argv.remove('--all')

SECONDS = 2.4
SRT = '1\n00:00:00,100 --> 00:00:00,500\nHello\n\n2\n00:00:01,700 --> 00:00:02,100\nWorld\n'
CHAPTERS = (';FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n'
            '[CHAPTER]\nTIMEBASE=1/1000\nSTART=900\nEND=2400\ntitle=Two\n')

# what the target has (sound, subtitles), its container, and what encodes the picture
PAIRS = (
    ('mp4', 'aac', 'mov_text', 'libx264'), ('mp4', 'libmp3lame', '', 'libx265'),
    ('mp4', 'ac3', 'mov_text', 'libvpx-vp9'), ('mp4', 'flac', '', 'libx264'),
    ('mkv', 'libopus', 'srt', 'libx264'), ('mkv', 'flac', 'ass', 'libx265'),
    ('mkv', 'libvorbis', 'srt', 'libvpx-vp9'), ('mkv', 'pcm_s16le', '', 'libx264rgb'),
    ('webm', 'libopus', 'webvtt', 'libvpx-vp9'), ('mov', 'pcm_s24le', 'mov_text', 'libx264'),
    ('mov', 'alac', '', 'libx265'), ('avi', 'libmp3lame', '', 'libx264'),
)


def make(name, sound, subtitles, *picture, seconds=SECONDS, size='96x64'):
    """A test picture with a tone, subtitles and chapters."""
    target = e2e.scratch(name)
    for text, path in ((SRT, 's.srt'), (CHAPTERS, 'chapters.txt')):
        with open(e2e.scratch(path), 'w', encoding='ascii') as file:
            file.write(text)
    words = ['-f', 'lavfi', '-i', f'testsrc2=s={size}:r=25:d={seconds}', '-f', 'lavfi', '-i',
             f'sine=440:d={seconds}:r=48000', '-i', e2e.scratch('s.srt'), '-i',
             e2e.scratch('chapters.txt'), '-map', '0', '-map', '1']
    if subtitles:
        words += ['-map', '2', '-c:s', subtitles]
    e2e.ffmpeg(*words, '-map_chapters', '3', *(picture or ('-c:v', 'mpeg4', '-q:v', '3')), '-strict',
               '-2', '-c:a', sound, target)
    return target


def words_of(target, output, piece, *options):
    return ['headless-run', '--json', '--processors', 'face_debugger', '-t', target, '-o', output,
            '--output-video-piece', str(piece), *options]


def run(target, output, piece, *options):
    output = e2e.scratch(output)
    result = e2e.must(*words_of(target, output, piece, *options))
    return output, json.loads(result.stdout.splitlines()[-1])


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def decoded(path):
    return e2e.ffmpeg('-i', path, '-map', '0:v', '-f', 'framemd5', '-').splitlines()


def chapters(path):
    return re.findall(r'start_time=([\d.]+)|end_time=([\d.]+)|title=(\w+)', e2e.tool(
        'ffprobe', '-v', 'error', '-show_chapters', path).decode())


class Pieces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = make('t.mp4', 'aac', 'mov_text', '-c:v', 'libx264', '-preset', 'ultrafast')
        cls.one, cls.one_report = run(cls.target, 'one.mp4', 0, '--output-video-quality', '100')

    def test_pieces_or_not(self):
        """Every frame is there, once, at its time, with its pixels; five pieces, the last a frame."""
        many, report = run(self.target, 'many.mp4', 0.5, '--output-video-quality', '100')
        self.assertEqual(decoded(many), decoded(self.one))
        self.assertEqual(len(decoded(many)), len(decoded(self.target)))
        self.assertNotEqual(os.path.getsize(many), os.path.getsize(self.one))
        for stream in 'as':
            self.assertEqual(e2e.packets(many, stream), e2e.packets(self.target, stream))
            self.assertGreater(len(e2e.packets(many, stream)), 1)
        self.assertEqual(chapters(many), chapters(self.target))
        for key in ('frames_done', 'content_checked', 'content_positive', 'faces_found'):
            self.assertEqual(report[key], self.one_report[key])
        keys = e2e.probe(many, 'packet=flags')
        self.assertEqual([i for i, flags in enumerate(keys) if 'K' in flags], [0, 12, 24, 36, 48])

    def test_one_piece_is_as_ever(self):
        same, _ = run(self.target, 'same.mp4', SECONDS, '--output-video-quality', '100')
        with open(same, 'rb') as a, open(self.one, 'rb') as b:
            self.assertEqual(a.read(), b.read())

    def test_part_of_a_video(self):
        """Cuts are where they are in the whole: the part's first piece is of two frames."""
        options = ('--output-video-quality', '100', '--trim-frame-start', '10', '--trim-frame-end',
                   '50')
        many, _ = run(self.target, 'part.mp4', 0.48, *options)
        one, _ = run(self.target, 'part1.mp4', 0, *options)
        self.assertEqual(decoded(many), decoded(one))
        self.assertEqual(e2e.packets(many, 'a'), e2e.packets(one, 'a'))
        keys = e2e.probe(many, 'packet=flags')
        self.assertEqual([i for i, flags in enumerate(keys) if 'K' in flags], [0, 2, 14, 26, 38])

    def test_nothing_is_left_of_what_fails(self):
        folder = e2e.scratch('empty')
        os.makedirs(folder, exist_ok=True)
        output = f'{folder}/out.mp4'
        full = e2e.run(*words_of(self.target, output, 0.5), preexec_fn=small_files)
        self.assertNotEqual(full.returncode, 0)
        self.assertIn('out.mp4', full.stderr)
        self.assertEqual(os.listdir(folder), [])


@unittest.skipUnless(ALL, 'takes long: --all')
class Pairs(unittest.TestCase):
    """Sound and subtitles are those of a job with one encoder, and where they are copied the
    target's; chapters are kept."""

    def test_pairs(self):
        for container, sound, subtitles, encoder in PAIRS:
            with self.subTest(container=container, sound=sound, encoder=encoder):
                picture = ('-c:v', 'libvpx-vp9', '-speed', '8') if container == 'webm' else ()
                target = make(f'pair.{container}', sound, subtitles, *picture)
                options = ('--output-video-encoder', encoder)
                many, _ = run(target, f'many.{container}', 0.6, *options)
                one, _ = run(target, f'one.{container}', 0, *options)
                for stream in 'as' if subtitles else 'a':
                    self.assertEqual(e2e.packets(many, stream), e2e.packets(one, stream))
                    self.assertEqual(e2e.packets(many, stream), e2e.packets(target, stream))
                    self.assertGreater(len(e2e.packets(many, stream)), 1)
                self.assertEqual(chapters(many), chapters(one))
                self.assertEqual(e2e.times(many), e2e.times(one))
                self.assertEqual(len(e2e.times(many)), 60)
                if container != 'avi':
                    self.assertEqual(len(chapters(many)), 6)
                keys = [flags for flags in e2e.probe(many, 'packet=flags') if 'K' in flags]
                self.assertEqual(len(keys), 4)


@unittest.skipUnless(ALL, 'takes long: --all')
class Memory(unittest.TestCase):
    """Frames that wait for a slow encoder are bounded: a minute takes no more than ten seconds do."""

    def peak(self, seconds):
        target = make(f'{seconds}.mp4', 'aac', '', '-c:v', 'libx264', '-preset', 'ultrafast',
                      seconds=seconds, size='640x360')
        words = words_of(target, e2e.scratch('m.mp4'), 1, '--output-video-preset', 'medium')
        with subprocess.Popen([e2e.program, *words], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as job:
            _, status, usage = os.wait4(job.pid, 0)
            job.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(job.returncode, 0)
        return usage.ru_maxrss / 1024

    def test_memory(self):
        short, long = self.peak(10), self.peak(60)
        print(f'{short:.0f} MiB for 10 seconds, {long:.0f} for 60')
        self.assertLess(long, short + 60)


if __name__ == '__main__':
    e2e.main()
