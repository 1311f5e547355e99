#!/usr/bin/python3
"""Input that is broken, missing or strange, and a world that does not help: one line that says what
is wrong, the documented exit code, and nothing left behind.

    test_bad_input.py PROGRAM [--all] [TEST...]

Without --all each kind of file is given in one place and not in three, and fewer are damaged.
"""
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
import unittest

import e2e
import numpy as np

SETPRIV = ['setpriv', '--inh-caps=-all', '--bounding-set=-dac_override,-dac_read_search']


class Case(unittest.TestCase):
    """A folder for each test, which must hold no output and no temporary at its end."""

    @classmethod
    def setUpClass(cls):
        cls.source, cls.clip = e2e.sample()
        cls.short = e2e.scratch('short.mp4')
        if not os.path.exists(cls.short):
            e2e.ffmpeg('-i', cls.clip, '-frames:v', '10', '-c', 'copy', cls.short)

    def setUp(self):
        self.folder = e2e.scratch(self.id())
        os.makedirs(self.folder)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, 'wb') as file:
                file.write(data)
        return path

    def refused(self, code, *args, said='', **kwargs):
        """The program ends with this code and one line on stderr that holds `said`."""
        result = e2e.run(*args, '--log-level', 'error', **kwargs)
        lines = result.stderr.splitlines()
        about = f'{args}: exit {result.returncode}\n{result.stderr}'
        self.assertEqual(result.returncode, code, about)
        if code == 2 and lines[-1].startswith("see 'reprise"):
            lines.pop()
        self.assertEqual(len(lines), 1, about)
        self.assertTrue(lines[0].startswith('error: '), about)
        self.assertIn(said, lines[0])
        self.assertLess(len(lines[0]), 1000)
        self.assertEqual(result.stdout, '')
        return result

    def swap_refused(self, code, target, output='out.mp4', source=None, said='', more=(), **kwargs):
        """A job does that, and neither its output nor a temporary is left."""
        path = self.path(output)
        folder = os.path.dirname(path)
        self.refused(code, 'headless-run', '-s', source or self.source, '-t', target, '-o', path,
                     *more, said=said, **kwargs)
        self.assertFalse(os.path.lexists(path))
        if os.path.isdir(folder):
            self.assertEqual(e2e.leftovers(folder), [])


def head_of(path, size):
    with open(path, 'rb') as file:
        return file.read(size)


class Files(Case):
    """What is given as target, as source and to look at."""

    turns = itertools.count()

    def places(self, path, code=1):
        name = os.path.basename(path)
        output = 'out' + (os.path.splitext(path)[1] or '.mp4')
        return (lambda: self.swap_refused(code, path, output, said=name),
                lambda: self.swap_refused(code, e2e.PICTURE, 'out.png', source=path, said=name),
                lambda: self.refused(code, 'analyse', path, said=name))

    def everywhere(self, path, code=1):
        for place in self.places(path, code):
            place()

    def in_turn(self, path):
        """In one place, the next file in another: all are read by the same functions."""
        if e2e.whole:
            self.everywhere(path)
        else:
            self.places(path)[next(self.turns) % 3]()

    def test_missing(self):
        self.everywhere(self.path('none.mp4'))
        self.everywhere(self.path('no/such/folder.png'))

    def test_directory(self):
        for name in ('folder', 'folder.mp4', 'folder.png'):
            os.mkdir(self.path(name))
            self.everywhere(self.path(name))

    def test_empty(self):
        for ext in ('mp4', 'mkv', 'png', 'jpg', 'webp', 'bmp', 'tiff', 'gif'):
            self.in_turn(self.path('empty.' + ext, b''))

    def test_random(self):
        noise = random.Random(1)
        for ext in ('mp4', 'mkv', 'png', 'jpg', 'webp', 'bmp', 'tiff', 'gif', 'txt'):
            self.in_turn(self.path('random.' + ext, noise.randbytes(20000)))

    def test_text(self):
        self.everywhere(self.path('text.mp4', b'<html>404 Not Found</html>\n' * 50))

    def test_unreadable(self):
        for name, data in (('closed.png', e2e.PICTURE), ('closed.mp4', self.short)):
            shutil.copy(data, self.path(name))
            os.chmod(self.path(name), 0)
        program = e2e.program
        if os.getuid() == 0:
            if not shutil.which('setpriv'):
                self.skipTest('no setpriv to give up the rights of root')
            if subprocess.run([*SETPRIV, 'cat', self.path('closed.png')], check=False,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                self.skipTest('root may read everything here')
            wrapper = self.path('reprise', ('#!/bin/sh\nexec ' + ' '.join(SETPRIV) + f' "{program}"'
                                            ' "$@"\n').encode())
            os.chmod(wrapper, 0o755)
            e2e.program = wrapper
        try:
            self.everywhere(self.path('closed.png'))
            self.everywhere(self.path('closed.mp4'))
        finally:
            e2e.program = program

    def test_only_sound(self):
        sound = self.path('sound.mp4')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', sound)
        self.swap_refused(1, sound, said='sound.mp4')
        self.refused(1, 'analyse', sound, said='sound.mp4')

    def test_only_a_cover(self):
        """A song with a picture in it is no video."""
        song = self.path('song.mp3')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', '-i', e2e.PICTURE, '-map', '0', '-map',
                   '1', '-c:v', 'mjpeg', '-disposition:v', 'attached_pic', song)
        self.swap_refused(1, song, said='song.mp3')

    def test_cut_pictures(self):
        """Half a picture is refused; nobody wants a grey half."""
        for ext in ('png', 'jpg', 'webp', 'bmp', 'tiff'):
            whole, cut = self.path('whole.' + ext), self.path('cut.' + ext)
            e2e.ffmpeg('-i', e2e.PICTURE, whole)
            size = os.path.getsize(whole)
            for part in (0.02, 0.5):
                self.path('cut.' + ext, head_of(whole, int(size * part)))
                self.in_turn(cut)
        # of a source as of a target: what was accepted is in the mark
        source, output = self.path('half.jpg'), self.path('half-out.png')
        e2e.ffmpeg('-i', e2e.PICTURE, source)
        self.path('half.jpg', head_of(source, os.path.getsize(source) * 9 // 10))
        e2e.must('headless-run', '-s', source, '-t', self.source, '-o', output, '--damaged-input',
                 'accept')
        mark = json.loads(e2e.must('inspect', '--json', output).stdout)
        self.assertEqual(mark['damage'], 'source picture: the JPEG is cut short')
        # some cameras leave out the end marker: nothing is missing then
        whole = self.path('whole.jpg')
        self.path('cut.jpg', head_of(whole, os.path.getsize(whole) - 2))
        e2e.must('headless-run', '-s', self.source, '-t', self.path('cut.jpg'), '-o',
                 self.path('out.png'))

    def test_cut_videos(self):
        """A cut MP4 has no index; of a cut MKV the frames that are there are used, if asked to."""
        cut = self.path('cut.mp4', head_of(self.short, os.path.getsize(self.short) // 2))
        self.swap_refused(1, cut, said='cut.mp4')
        whole = self.path('whole.mkv')
        e2e.ffmpeg('-i', self.clip, '-c', 'copy', whole)
        cut = self.path('cut.mkv', head_of(whole, os.path.getsize(whole) // 2))
        output = self.path('out.mkv')
        self.swap_refused(1, cut, 'out.mkv', said='cut short')
        said = e2e.must('headless-run', '-s', self.source, '-t', cut, '-o', output,
                        '--damaged-input', 'accept').stderr
        self.assertEqual(said.count('is damaged'), 1)
        count = len(e2e.times(output))
        self.assertGreater(count, 10)
        mark = json.loads(e2e.must('inspect', '--json', output).stdout)
        self.assertRegex(mark['damage'], f'video: {count} of about 1[0-9]+ frames, cut short')
        self.assertEqual(e2e.leftovers(self.folder), [])
        cut = self.path('stub.mkv', head_of(whole, 300))
        self.swap_refused(1, cut, 'stub-out.mkv', said='stub.mkv')

    def test_damaged(self):
        """Bytes turned here and there: any answer is fine but a crash, a hang or a temporary."""
        noise = random.Random(2)
        files = [self.short]
        for ext in ('jpg', 'png', 'webp', 'bmp', 'tiff', 'gif', 'mkv', 'avi', 'webm'):
            path = self.path('whole.' + ext)
            e2e.ffmpeg('-i', e2e.PICTURE, '-vf', 'scale=96:96', path)
            files.append(path)
        for path in files:
            whole = head_of(path, -1)
            for _ in range(4 if e2e.whole else 2):
                data = bytearray(whole)
                for _ in range(noise.choice((1, 3, 30))):
                    data[noise.randrange(min(len(data), noise.choice((64, 1 << 30))))] = \
                        noise.randrange(256)
                name = 'damaged' + os.path.splitext(path)[1]
                bad = self.path(name, bytes(data))
                result = e2e.run('headless-run', '--processors', 'face_debugger', '-t', bad, '-o',
                                 self.path('out' + os.path.splitext(path)[1]), timeout=120)
                self.assertIn(result.returncode, (0, 1, 2), result.stderr[-3000:])
                self.assertEqual(e2e.leftovers(self.folder), [])

    def test_several_files(self):
        """analyse goes on after a bad file, says so, and fails at the end."""
        result = e2e.run('analyse', '--json', self.path('none.png'), e2e.PICTURE)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stdout.splitlines()), 1)


class Models(Case):
    """Model files."""

    def with_model(self, code, name, path, said=None):
        folder = e2e.model_folder(f'{self.id()}-{name}-{len(os.listdir(e2e.scratch()))}',
                                  **{name: path})
        self.swap_refused(code, e2e.PICTURE, 'out.png', said=name if said is None else said,
                          more=('--models-path', folder))

    def with_another(self, name, path):
        """A file is there, but with the content of another: for the content check as if it were not."""
        standins = name != 'nsfwjs' or e2e.takes_standins()
        self.with_model(1 if standins else 2, name, path)

    def test_cut_in_half(self):
        for name in e2e.LITE:
            whole = f'{e2e.MODELS}/{name}.onnx'
            cut = self.path('cut.onnx', head_of(whole, os.path.getsize(whole) // 2))
            if name not in ('fr_age', 'fr_gender'):  # not loaded by this job
                self.with_another(name, cut)
            else:
                folder = e2e.model_folder(f'{self.id()}-{name}', **{name: cut})
                self.refused(1, 'analyse', '--models-path', folder, e2e.PICTURE, said=name)

    def test_wrong_kind(self):
        for name, other in (('fr_detect', 'fr_feature'), ('fr_landmark', 'fr_gender'),
                            ('fr_feature', 'nsfwjs'), ('nsfwjs', 'fr_detect'),
                            ('classic_256', 'fr_landmark')):
            self.with_another(name, f'{e2e.MODELS}/{other}.onnx')

    def test_random(self):
        self.with_model(1, 'fr_detect', self.path('random.onnx', random.Random(3).randbytes(9999)))

    def test_missing(self):
        """Empty files and folders count as not installed: the sentence has the command."""
        for path in (None, self.path('empty.onnx', b''), self.folder):
            self.with_model(2, 'nsfwjs', path, 'reprise force-download')
            self.with_model(2, 'fr_detect', path, 'reprise force-download')
        self.swap_refused(2, e2e.PICTURE, 'out.png', said='yunet_2023_mar.onnx',
                          more=('--face-detector-model', 'yunet'))
        self.swap_refused(2, e2e.PICTURE, 'out.png', said='nsfwjs',
                          more=('--models-path', self.path('nowhere')))

    def test_default_is_replaced(self):
        result = e2e.must('headless-run', '-s', self.source, '-t', e2e.PICTURE, '-o',
                          self.path('out.png'))
        self.assertEqual(len(result.stderr.splitlines()), 2, result.stderr)  # and what was done
        self.assertIn('using the lite models', result.stderr)
        self.assertNotIn('OFFLINE', result.stderr)
        result = e2e.must('headless-run', '-s', self.source, '-t', e2e.PICTURE, '-o',
                          self.path('out.png'), '--log-level', 'debug')
        lines = [line for line in result.stderr.splitlines() if 'is not installed; using' in line]
        self.assertTrue(any('yolo_face' in s and 'ultraface' in s for s in lines), result.stderr)
        self.assertTrue(any('hyperswap_1a_256' in s and 'classic_256' in s for s in lines))

    def test_blocked(self):
        """A content check that refuses what is bright."""
        if not e2e.takes_standins():
            self.skipTest('no stand-ins')
        tiny = self.path('tiny')
        os.mkdir(tiny)
        e2e.tool('/usr/bin/python3', e2e.HERE + '/tiny_models.py', tiny)
        folder = e2e.model_folder('blocking', nsfwjs=tiny + '/gate.onnx')
        white, video = self.path('white.png'), self.path('white.mp4')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=white:s=64x64', '-frames:v', '1', white)
        e2e.ffmpeg('-f', 'lavfi', '-i', 'color=white:s=64x64:d=3', video)
        for target, output in ((white, 'out.png'), (video, 'out.mp4')):
            self.swap_refused(3, target, output, said='content check',
                              more=('--models-path', folder))


class World(Case):
    """Disks, folders, signals."""

    def fill(self, folder):
        """Jobs whose output does not fit."""
        for target, name in ((e2e.PICTURE, 'out.png'), (e2e.PICTURE, 'out.bmp'),
                             (self.clip, 'out.mp4'), (self.clip, 'out.mkv')):
            output = os.path.join(folder, name)
            yield target, output

    def check_full(self, code, folder, **kwargs):
        for target, output in self.fill(folder):
            self.refused(code, 'headless-run', '-s', self.source, '-t', target, '-o', output,
                         '--output-video-quality', '100', said=folder, **kwargs)
            self.assertEqual(os.listdir(folder), [])

    def test_full_disk(self):
        folder = self.path('full')
        os.mkdir(folder)
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder]
        if not shutil.which('mount') or subprocess.run(mount, check=False,
                                                       stderr=subprocess.DEVNULL).returncode:
            self.skipTest('no right to mount a small disk')
        try:
            self.check_full(75, folder)  # room may be made
        finally:
            subprocess.run(['umount', folder], check=True)

    def test_file_size_limit(self):
        """The same through a limit that everybody may set, and that no other try goes over."""
        folder = self.path('limited')
        os.mkdir(folder)
        self.check_full(1, folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                         (100000, 100000)))

    def test_output_folder(self):
        self.swap_refused(1, e2e.PICTURE, 'none/out.png', said='none')
        os.mkdir(self.path('closed'))
        os.chmod(self.path('closed'), 0o555)
        if not os.access(self.path('closed'), os.W_OK):
            self.swap_refused(1, e2e.PICTURE, 'closed/out.png', said='out.png')
        self.refused(2, 'headless-run', '-s', self.source, '-t', e2e.PICTURE, '-o', self.folder,
                     said=self.folder)
        self.refused(2, 'headless-run', '-s', self.source, '-t', e2e.PICTURE, '-o', e2e.PICTURE,
                     said='target itself')
        self.overwrites_no_input()
        self.refused(1, 'headless-run', '-s', self.source, '-t', self.short, '-o',
                     self.path('x' * 300 + '.mp4'), said='.mp4')

    def overwrites_no_input(self):
        """The output is a source, half of a pair, or a reference, also under another name."""
        shutil.copy(self.source, self.path('mine.png'))
        with open(self.path('mine.png'), 'rb') as file:
            before = file.read()
        os.link(self.path('mine.png'), self.path('link.png'))
        os.symlink('mine.png', self.path('soft.png'))
        mine, other = self.path('mine.png'), self.source
        for words in (['-s', mine], ['-s', other, mine], ['--face-map', f'{mine}={other}'],
                      ['--face-map', f'{other}={mine}'],
                      ['-s', other, '--reference-face-paths', mine]):
            for name in ('mine.png', 'link.png', 'soft.png', '../' + os.path.basename(
                    self.folder.rstrip('/')) + '/mine.png'):
                self.refused(2, 'headless-run', *words, '-t', e2e.PICTURE, '-o', self.path(name),
                             said='would be overwritten')
        with open(mine, 'rb') as file:
            self.assertEqual(file.read(), before)

    def test_wrong_output(self):
        self.swap_refused(2, e2e.PICTURE, 'out.mp4', said='out.mp4')
        self.swap_refused(2, e2e.PICTURE, 'out.xyz', said='out.xyz')
        self.swap_refused(2, e2e.PICTURE, 'out', said='out')
        self.swap_refused(2, self.short, 'out.png', said='out.png')

    def test_old_output_stays(self):
        old = self.path('old.mp4', b'old')
        for number in (signal.SIGTERM,):
            self.interrupt(number, 'old.mp4')
        with open(old, 'rb') as file:
            self.assertEqual(file.read(), b'old')

    def interrupt(self, number, output, times=1):
        """Signal a long job when it writes; its exit code."""
        path = self.path(output)
        with subprocess.Popen([e2e.program, 'headless-run', '-s', self.source, '-t', self.clip,
                               '-o', path, '--output-video-preset', 'veryslow'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True,
                              # under nohup SIGHUP would be ignored, as it should be
                              preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as job:
            end = time.monotonic() + 60
            while not e2e.leftovers(self.folder) and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.3)
            for _ in range(times):
                job.send_signal(number)
            _, said = job.communicate(timeout=60)
        self.assertEqual(e2e.leftovers(self.folder), [], said)
        self.assertEqual(job.returncode, 4, said)
        return said

    def test_interrupted(self):
        for number, times in ((signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGINT, 2),
                              (signal.SIGHUP, 1)):
            self.interrupt(number, 'out.mp4', times)
            self.assertFalse(os.path.exists(self.path('out.mp4')))

    def test_no_onnxruntime(self):
        self.swap_refused(1, e2e.PICTURE, 'out.png', said='/nowhere/libonnxruntime.so',
                          env={**os.environ, 'REPRISE_ONNXRUNTIME': '/nowhere/libonnxruntime.so'})

    def test_native_without_onnxruntime(self):
        """The lite models are all native: the job does not even look for the library."""
        out = self.path('out.png')
        e2e.must('headless-run', '--processors', 'face_swapper', '-s', self.source, '-t', e2e.PICTURE, '-o', out,
                 '--network-engine', 'native',
                 env={**os.environ, 'REPRISE_ONNXRUNTIME': '/nowhere/libonnxruntime.so'})
        self.assertTrue(os.path.getsize(out))


class Sizes(Case):
    """Legal extremes: processed, no face, unchanged."""

    def unchanged(self, w, h, ext='png'):
        target = self.path(f'{w}x{h}.{ext}')
        e2e.ffmpeg('-f', 'lavfi', '-i', f'testsrc2=s={max(w, 2)}x{max(h, 2)}', '-frames:v', '1',
                   '-vf', f'crop={w}:{h}:0:0:exact=1', '-pix_fmt', 'bgr24' if ext == 'bmp' else
                   'rgb24', target)
        self.assertEqual(e2e.size_of(target), (w, h))
        output = self.path(f'out-{w}x{h}.{ext}')
        result = e2e.must('headless-run', '-s', self.source, '-t', target, '-o', output)
        self.assertIn('0 faces changed', result.stderr)
        np.testing.assert_array_equal(e2e.pixels(output), e2e.pixels(target))
        self.assertEqual(e2e.analyse(target)[0]['faces'], [])

    def test_one_pixel(self):
        for ext in ('png', 'bmp', 'tiff'):
            self.unchanged(1, 1, ext)

    def test_lines(self):
        self.unchanged(1, 300)
        self.unchanged(300, 1)

    def test_wide(self):
        self.unchanged(16384, 16)
        self.unchanged(16384, 2000)

    def test_tall(self):
        self.unchanged(16, 16384)

    def test_one_pixel_video(self):
        target, output = self.path('small.mkv'), self.path('out.mkv')
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc2=s=2x2', '-frames:v', '3', '-c:v', 'ffv1', target)
        e2e.must('headless-run', '-s', self.source, '-t', target, '-o', output)
        self.assertEqual(e2e.size_of(output), (2, 2))


if __name__ == '__main__':
    e2e.main()
