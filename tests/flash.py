"""Flashes and beeps of a clip, at the times of a player: ffmpeg decodes picture and sound in one run,
with edit lists and start times applied."""
import functools
import re

import e2e
import numpy as np


def edges(on, rest):
    """Where True begins after at least `rest` of False."""
    at = np.flatnonzero(on)
    return at[np.diff(at, prepend=-rest - 1) > rest]


@functools.cache
def play(path, with_sound=True):
    """When flashes and beeps are seen and heard, seconds from the beginning of the file."""
    picture, sound = e2e.scratch('played.log'), e2e.scratch('played.raw')
    heard = ['-map', '0:a:0', '-af', 'aresample=48000:async=1:min_hard_comp=0.002:first_pts=0',
             '-ac', '1', '-f', 'f32le', sound] if with_sound else []
    e2e.ffmpeg('-i', path, '-map', '0:v:0', '-vf', 'scale=16:16,format=gray,signalstats,'
               f'metadata=print:key=lavfi.signalstats.YAVG:file={picture}', '-fps_mode',
               'passthrough', '-f', 'null', '-', *heard)
    with open(picture, encoding='ascii') as file:
        seen = re.findall(r'pts_time:(\S+)\s+lavfi.signalstats.YAVG=(\S+)', file.read())
    seen = [(float(t), float(y)) for t, y in seen]
    loud = np.abs(np.fromfile(sound, np.float32)) if with_sound else []
    flashes = [t for (t, y), (_, before) in zip(seen[1:], seen) if y > 128 > before]
    beeps = edges(loud > 0.3 * loud.max(), 4800) / 48000 if len(loud) else []
    return [t for t, _ in seen], flashes, [float(t) for t in beeps]


def apart(path, skip=0.2):
    """How much later each flash's beep comes. Flashes and beeps at the very beginning may be cut."""
    _, flashes, beeps = play(path)
    flashes = [t for t in flashes if t > skip]
    return [min((b - t for b in beeps), key=abs, default=9) for t in flashes]


def start(path):
    return float(e2e.tool('ffprobe', '-v', 'error', '-show_entries', 'format=start_time', '-of',
                          'csv=p=0', path))
