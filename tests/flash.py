"""Flashes and beeps of a clip in the times of a player: FFmpeg applies edit lists and skips what is to
be skipped, and both count from where the clip begins."""
import re
import subprocess

import numpy as np

RATE = 48000


def tool(*args):
    return subprocess.run(args, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def start(path):
    """Seconds at which the earliest stream begins."""
    return float(tool('ffprobe', '-v', 'error', '-of', 'csv=p=0', '-show_entries',
                      'format=start_time', path).stdout)


def decoded(path, *args):
    return tool('ffmpeg', '-v', 'info', '-copyts', '-i', path, *args, '-')


def flashes(path):
    """Seconds of the first frame of each white stretch."""
    text = decoded(path, '-map', '0:v:0', '-vf', 'scale=8:8,format=gray,showinfo', '-fps_mode',
                   'passthrough', '-f', 'null').stderr.decode(errors='replace')
    white, out = False, []
    for t, mean in re.findall(r'pts_time:\s*(-?[\d.]+).*? mean:\[(\d+)', text):
        if int(mean) > 128 and not white:
            out.append(float(t) - start(path))
        white = int(mean) > 128
    return out


def beeps(path):
    """Seconds at which sound begins after a quarter of a second of silence."""
    raw = decoded(path, '-map', '0:a:0', '-af', f'asetpts=PTS-{start(path)}/TB,'
                  f'aresample={RATE}:async=1:first_pts=0', '-ac', '1', '-f', 'f32le').stdout
    loud = np.flatnonzero(np.abs(np.frombuffer(raw, '<f4')) > 0.05)
    begins = np.diff(loud, prepend=-RATE) > RATE / 4
    return list(loud[begins] / RATE)


def apart(path):
    """The largest distance from a flash to the beep nearest to it, in seconds, with its sign; None
    without any."""
    heard = beeps(path)
    found = [min((b - f for b in heard), key=abs) for f in flashes(path)] if heard else []
    return max(found, key=abs) if found else None
