#!/usr/bin/python3
"""Pictures of what the program shows, to be looked at: the terminal at 100 and 38 columns, the report
page of `benchmark` at 1000 and 420 pixels. For developers; needs Debian's tmux, chromium, ffmpeg,
python3-numpy and fonts-dejavu-core.

    scripts/screens.py [--program build/reprise] [--to out/screens] [--report PAGE.html] [NAME...]

NAME: of a screen, such as job, models, doctor, analyse, report; all without one. Those for the README
are copied from there to docs/pictures by hand.
"""
import argparse
import html
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAPER, INK = '#14181f', '#d7dce2'
COLOURS = ['#5b6470', '#e06c75', '#8ec07c', '#e5c07b', '#6ea8fe', '#c678dd', '#56b6c2', '#d7dce2']


# ---- a terminal -----------------------------------------------------------------------------------

class Terminal:
    """A shell in tmux, which draws like any terminal and wraps anew when it is resized."""

    def __init__(self, folder, program, columns, rows=40):
        self.socket = os.path.join(folder, 'tmux')
        # a prompt, and the program by its name alone
        bin_ = os.path.join(folder, 'bin')
        os.makedirs(bin_, exist_ok=True)
        if not os.path.exists(bin_ + '/reprise'):
            os.symlink(program, bin_ + '/reprise')
        shell = (f'cd {shlex.quote(folder)}/media && env -u COLUMNS PS1="$ " PATH={bin_}:$PATH '
                 'REPRISE_OFFLINE=1 sh')
        self.tmux('new-session', '-d', '-s', 's', '-x', str(columns), '-y', str(rows), shell)
        self.wait(r'^\$ ?$')

    def tmux(self, *words):
        return subprocess.run(['tmux', '-f', '/dev/null', '-S', self.socket, *words], check=True,
                              capture_output=True, text=True).stdout

    def text(self, *more):
        return self.tmux('capture-pane', '-p', '-t', 's', *more).rstrip('\n')

    def wait(self, what, seconds=120):
        end = time.monotonic() + seconds
        while not re.search(what, self.text(), re.M):
            if time.monotonic() > end:
                sys.exit(f'screens: {what} did not come:\n{self.text()}')
            time.sleep(0.05)

    def type(self, command):
        self.tmux('send-keys', '-t', 's', '-l', command)
        self.tmux('send-keys', '-t', 's', 'Enter')

    def run(self, command):
        """Type it and wait for the next prompt."""
        self.type(command)
        time.sleep(0.5)
        self.wait(r'\n\$ ?$')

    def close(self):
        self.tmux('kill-server')


def coloured(text):
    """Text with escapes for colours as HTML."""
    out, style = [], ''
    for part in re.split(r'(\x1b\[[\d;]*m)', text):
        if not part.startswith('\x1b'):
            out.append(f'<span style="{style}">{html.escape(part)}</span>' if style
                       else html.escape(part))
            continue
        for code in part[2:-1].split(';'):
            number = int(code or 0)
            style = ('' if number == 0 else style + ';font-weight:bold' if number == 1
                     else style + f';color:{COLOURS[number % 10]}' if 30 <= number <= 37
                     or 90 <= number <= 97 else style)
    return ''.join(out)


def terminal_page(text, columns):
    return (f'<meta charset="utf-8"><body style="margin:0;background:{PAPER}"><pre style="margin:0;'
            f'padding:14px 16px;width:{columns}ch;color:{INK};background:{PAPER};'
            f'font:13px/1.35 \'DejaVu Sans Mono\',monospace">{coloured(text)}</pre>')


# ---- pictures -------------------------------------------------------------------------------------

def crop(path, width):
    """Without the empty part below, which has the colour of the last row, and to the right."""
    raw = subprocess.run(['ffmpeg', '-v', 'error', '-i', path, '-f', 'rawvideo', '-pix_fmt', 'rgb24',
                          '-'], check=True, capture_output=True).stdout
    size = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=width,height', '-of',
                           'csv=p=0', path], check=True, capture_output=True, text=True).stdout
    w, h = (int(n) for n in size.strip().split(','))
    picture = np.frombuffer(raw, np.uint8).reshape(h, w, 3)[:, :width]
    used = np.nonzero((picture != picture[-1, -1]).any((1, 2)))[0]
    bottom = min(h, (used[-1] if len(used) else 0) + 15)
    picture = np.ascontiguousarray(picture[:bottom])
    subprocess.run(['ffmpeg', '-v', 'error', '-y', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s',
                    f'{picture.shape[1]}x{bottom}', '-i', '-', '-vf',
                    'split[a][b];[a]palettegen=max_colors=64[p];[b][p]paletteuse=dither=none',
                    '-frames:v', '1', path], input=picture.tobytes(), check=True)
    print(f'{path}: {picture.shape[1]}x{bottom}, {os.path.getsize(path) / 1000:.0f} kB')


def photograph(page, width, path, folder, height=1600):
    """A page (HTML) as a picture of this width. An iframe, since windows have a least width."""
    inside, outside = f'{folder}/inside.html', f'{folder}/outside.html'
    with open(inside, 'w', encoding='utf-8') as file:
        file.write(page)
    with open(outside, 'w', encoding='utf-8') as file:
        file.write('<body style="margin:0"><iframe src="inside.html" style="border:0;display:block;'
                   f'width:{width}px;height:{height}px" scrolling="no"></iframe>')
    subprocess.run(['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
                    '--allow-file-access-from-files', f'--user-data-dir={folder}/chromium',
                    f'--window-size={max(width, 600)},{height}', f'--screenshot={path}',
                    'file://' + outside], check=True, capture_output=True, timeout=120)
    crop(path, width)


# ---- the screens ----------------------------------------------------------------------------------

def media(folder, program):
    """me.jpg, clip.mp4 and group.jpg, as a reader of the README would have."""
    where = folder + '/media'
    os.makedirs(where)
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    subprocess.run([os.path.join(os.path.dirname(program), 'tools', 'make-sample'), where,
                    f'{cache}/reprise/media/astronaut.png'], check=True, capture_output=True)
    ffmpeg = ['ffmpeg', '-v', 'error', '-y']
    subprocess.run([*ffmpeg, '-i', where + '/source.png', where + '/me.jpg'], check=True)
    subprocess.run([*ffmpeg, '-stream_loop', '7', '-i', where + '/target.mp4', '-c', 'copy',
                    where + '/clip.mp4'], check=True)
    subprocess.run([*ffmpeg, '-i', where + '/source.png', '-i', f'{cache}/reprise/media/astronaut.png',
                    '-filter_complex', '[0]scale=512:512[a];[1]scale=512:512[b];[a][b]hstack',
                    where + '/group.jpg'], check=True)


def job(terminal):
    """While it works."""
    terminal.type('reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4')
    terminal.wait(r'^ +[4-9]\d % ')


def done(terminal):
    terminal.run('reprise headless-run -s me.jpg -t target.mp4 -o out.mp4')


def resized(terminal):
    """The bar after the terminal became narrower; the picture is of 38 columns then. The screen is
    full, since tmux loses the cursor's line when it resizes one that is not."""
    terminal.run('seq 60')
    terminal.type('reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4')
    terminal.wait(r'^ +[3-9]\d % ')
    terminal.tmux('resize-window', '-t', 's', '-x', '38')
    time.sleep(3)


def models(terminal):
    terminal.run('reprise models')


def doctor(terminal):
    terminal.run('reprise doctor')


def analyse(terminal):
    terminal.run('reprise analyse group.jpg --sheet faces.png')


SCREENS = {f.__name__: f for f in (job, done, resized, models, doctor, analyse)}


def terminal_screen(name, columns, options, folder):
    # what a job that was cut off has left would be spoken of
    subprocess.run([options.program, 'clean', '--remove', folder + '/media'], check=True,
                   capture_output=True)
    terminal = Terminal(folder, options.program, columns)
    try:
        SCREENS[name](terminal)
        text = terminal.text('-e', '-S', '-')
        text = text[text.index('$ reprise'):]
    finally:
        terminal.close()
    if name == 'resized':
        columns = 38
    width = int(columns * 7.83) + 34
    photograph(terminal_page(text, columns), width, f'{options.to}/{name}-{columns}.png', folder)


def report(options, folder):
    path = options.report
    if not path:
        path = folder + '/report.html'
        where = folder + '/media'
        subprocess.run([options.program, 'benchmark', '--benchmark-quick', '--benchmark-parts',
                        'models', 'frame', 'jobs', '--benchmark-cycle-count', '1', '--benchmark-frame',
                        '640x360', '-s', where + '/me.jpg', '-t', where + '/target.mp4', '--html', path],
                       check=True, capture_output=True, env={**os.environ, 'REPRISE_OFFLINE': '1'})
    with open(path, encoding='utf-8') as file:
        page = file.read()
    for width in (1000, 420):
        photograph(page, width, f'{options.to}/report-{width}.png', folder, 6000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--program', default=ROOT + '/build/reprise')
    parser.add_argument('--to', default=ROOT + '/out/screens')
    parser.add_argument('--report')
    parser.add_argument('names', nargs='*', choices=[*SCREENS, 'report', []])
    options = parser.parse_args()
    options.program, options.to = os.path.abspath(options.program), os.path.abspath(options.to)
    for tool in ('tmux', 'chromium', 'ffmpeg'):
        if not shutil.which(tool):
            sys.exit(f'screens: {tool} is not installed: sudo apt-get install {tool}')
    os.makedirs(options.to, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='reprise-screens-') as folder:
        media(folder, options.program)
        for name in options.names or [*SCREENS, 'report']:
            if name == 'report':
                report(options, folder)
                continue
            for columns in (100,) if name == 'resized' else (100, 38):
                terminal_screen(name, columns, options, folder)


if __name__ == '__main__':
    main()
