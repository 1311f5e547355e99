#!/usr/bin/python3
"""A sound file among the sources begins with the picture, whatever its encoder put before it, in every
container: a flash and a beep stay together, decoded as a player does.

    test_source_sound.py PROGRAM
"""
import os
import unittest

import e2e
import numpy as np
from contracts import common

FLASH, FRAMES, RATE = 6, 15, 25  # the white frame, of how many, a second
NEAR = 0.005                     # seconds: ticks of a millisecond, and what encoders blur
TONE = 'aevalsrc=0.5*sin(1000*2*PI*t)*gte(t\\,{})*lt(t\\,{}):d=0.8:c=mono'

# How each is made; where what is before the sound is told, or is not.
SOURCES = {
    'plain.wav': '-ar 48000',
    'plain.flac': '-ar 44100',
    'lame.mp3': '-ar 44100 -c:a libmp3lame',
    'bare.mp3': '-ar 48000 -c:a libmp3lame -write_xing 0',
    'edit.m4a': '-ar 44100 -c:a aac',
    'bare.aac': '-ar 44100 -c:a aac',
    'skip.opus': '-c:a libopus',
    'skip.ogg': '-ar 44100 -c:a libvorbis',
    'begin.flac': '-ar 48000',
}


def source(name):
    path = e2e.scratch(name)
    if not os.path.exists(path):
        at = 0 if name == 'begin.flac' else FLASH / RATE
        e2e.ffmpeg('-f', 'lavfi', '-i', TONE.format(at, at + 0.2), *SOURCES[name].split(), path)
    return path


def target():
    path = e2e.scratch('flash.mp4')
    if not os.path.exists(path):
        e2e.ffmpeg('-f', 'lavfi', '-i', f'color=black:s=64x48:r={RATE}:d={FRAMES / RATE}', '-vf',
                   f"drawbox=color=white:t=fill:enable='eq(n,{FLASH})'", '-c:v', 'libx264', '-preset',
                   'ultrafast', '-pix_fmt', 'yuv420p', path)
    return path


def played(path, frame=FLASH):
    """Codec of the sound, and seconds from a frame to the beep: times as they come out of the decoders."""
    codec, time = {}, {'video': [], 'audio': []}
    for line in e2e.tool('ffprobe', '-v', 'error', '-show_entries', 'stream=codec_type,codec_name:'
                         'frame=media_type,best_effort_timestamp_time', '-of', 'compact=nk=1',
                         path).decode().splitlines():
        section, a, b = (line + '||').split('|')[:3]
        if section == 'stream':
            codec[b] = a
        elif section == 'frame' and a in time:
            time[a].append(float(b))
    samples = np.abs(np.frombuffer(e2e.ffmpeg('-i', path, '-map', '0:a:0', '-ac', '1', '-ar', '48000',
                                              '-f', 'f32le', '-'), np.float32))
    loud = np.convolve(samples, np.ones(24) / 24)[:len(samples)] > 0.1
    return codec['audio'], time['audio'][0] + loud.argmax() / 48000 - time['video'][frame]


def job(name, kind, *options):
    output = e2e.scratch(f'out.{kind}')
    e2e.must('headless-run', '--models-path', common.NOBODY.models(), '--processors', 'face_debugger',
             '-t', target(), '-s', source(name), '-o', output, '--output-video-preset', 'ultrafast',
             *options)
    return output


class InStep(unittest.TestCase):
    def check(self, name, kind, want, *options):
        with self.subTest(source=name, container=kind):
            codec, late = played(job(name, kind, *options))
            self.assertEqual(codec, want)
            self.assertLess(abs(late), NEAR)

    def test_told(self):
        """Copied, where the container takes the codec: it hears of what is not meant to be heard."""
        self.check('lame.mp3', 'mp4', 'mp3')
        self.check('lame.mp3', 'mkv', 'mp3')
        self.check('edit.m4a', 'mp4', 'aac')
        self.check('edit.m4a', 'mkv', 'aac')
        self.check('skip.opus', 'webm', 'opus')
        self.check('skip.ogg', 'webm', 'vorbis')

    def test_not_told(self):
        self.check('bare.mp3', 'mp4', 'mp3')
        self.check('bare.aac', 'mov', 'aac')
        self.check('bare.aac', 'mkv', 'aac')

    def test_encoded(self):
        self.check('bare.aac', 'webm', 'opus')
        self.check('skip.opus', 'mov', 'aac')
        self.check('lame.mp3', 'mp4', 'aac', '--output-audio-volume', '90')

    def test_no_times(self):
        """AVI has no word for it: whole packets are left out, else it is encoded."""
        for name, want in (('plain.wav', 'pcm_s16le'), ('lame.mp3', 'mp3'), ('edit.m4a', 'aac'),
                           ('bare.aac', 'aac'), ('skip.opus', 'mp3'), ('plain.flac', 'mp3')):
            self.check(name, 'avi', want)

    def test_begin(self):
        """Where packets are left out the next ones are heard at once."""
        codec, late = played(job('begin.flac', 'avi'), 0)
        self.assertEqual(codec, 'mp3')
        self.assertLess(late, 0.015)

    def test_controls(self):
        self.check('plain.wav', 'mkv', 'pcm_s16le')
        self.check('plain.flac', 'mp4', 'flac')

    def test_trimmed(self):
        """It begins with the first frame that is worked on."""
        self.check('lame.mp3', 'mp4', 'mp3', '--trim-frame-start', '5')


if __name__ == '__main__':
    e2e.main(standins=True)
