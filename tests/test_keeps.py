#!/usr/bin/python3
"""What a video keeps beside its pixels: HDR, interlacing, transparency, how often a GIF is played.

    test_keeps.py MEDIA_RUN [TEST...]

Clips are made by the ffmpeg program and read back by it, which shares no code with ours but libav.
Each thing is either in the output or named in one warning.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print('skipped: no NumPy (python3-numpy)')
    sys.exit(77)

W, H = 64, 64
LISTED = ['libx264', 'libx264rgb', 'libx265', 'libvpx-vp9', 'rawvideo', 'prores_ks']
MORE = ['libvpx', 'libaom-av1', 'libsvtav1', 'mpeg4', 'mpeg2video']
os.environ['SVT_LOG'] = '0'
# Of the library, not ours: see test_media.h
os.environ.setdefault('LSAN_OPTIONS', 'suppressions=' + os.path.join(
    os.path.dirname(os.path.abspath(__file__)), 'lsan.supp') + ':print_suppressions=0')

program = None
work = tempfile.TemporaryDirectory(prefix='reprise-test-')


def path(name):
    return os.path.join(work.name, name)


def tool(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          timeout=120).stdout


def ffmpeg(*args):
    return tool('ffmpeg', '-v', 'error', '-nostdin', '-y', *args)


def make(name, *args):
    """A clip that is made once."""
    if not os.path.exists(path(name)):
        ffmpeg(*args, path(name))
    return path(name)


def convert(*jobs):
    """(IN, OUT, ENCODER[, OPTION]) each; the lines that were said about each output."""
    words = []
    for job in jobs:
        words += [job[0], path(job[1]), job[2] or '-', job[3] if len(job) > 3 else '-']
    done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, text=True, timeout=300)
    if done.returncode not in (0, 1):
        raise AssertionError(f'exit {done.returncode}: {done.stderr}')
    said = {job[1]: [] for job in jobs}
    for line in done.stdout.splitlines():
        name, text = line.split('|', 1)
        said[os.path.basename(name)].append(text)
    return said


def probe(name):
    """Stream and first frame; what both say of light, as {name: value}."""
    out = json.loads(tool('ffprobe', '-v', 'quiet', '-select_streams', 'v:0', '-show_streams',
                          '-show_frames', '-read_intervals', '%+#1', '-of', 'json', path(name)))
    stream, frame = out['streams'][0], (out.get('frames') or [{}])[0]
    light = {}
    for part in stream, frame:
        for side in part.get('side_data_list', []):
            light.update({k: v for k, v in side.items() if k != 'side_data_type'})
    return stream, frame, light


def has_encoder(name):
    return f' {name} ' in ENCODERS


def rgba(name, w=W, h=H):
    """All frames with their alpha; of WebM also of the layer that FFmpeg's own decoder leaves out."""
    decoder = []
    if name.endswith('.webm') or 'vp9' in name:
        decoder = ['-c:v', 'libvpx' if 'libvpx.' in name else 'libvpx-vp9']
    raw = ffmpeg(*decoder, '-i', path(name), '-fps_mode', 'passthrough', '-f', 'rawvideo',
                 '-pix_fmt', 'rgba', '-')
    return np.frombuffer(raw, np.uint8).reshape(-1, h, w, 4)


# ---- HDR ----------------------------------------------------------------------------------------

DISPLAY = {'red_x': 0.68, 'red_y': 0.32, 'green_x': 0.265, 'green_y': 0.69, 'blue_x': 0.15,
           'blue_y': 0.06, 'white_point_x': 0.3127, 'white_point_y': 0.329,
           'min_luminance': 0.005, 'max_luminance': 1000}
BT2020 = ['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc', '-color_range', 'tv']


def hdr_clip():
    return make('hdr.mp4', '-f', 'lavfi', '-i', f'testsrc2=s={W}x{H}:r=25:d=0.08', '-c:v', 'libx265',
                '-pix_fmt', 'yuv420p10le', '-color_trc', 'smpte2084', *BT2020, '-x265-params',
                'log-level=none:chromaloc=2:max-cll=1000,400:master-display=G(13250,34500)B(7500,3000)'
                'R(34000,16000)WP(15635,16450)L(10000000,50)')


def messages(name):
    """The SEI messages of an H.264 stream, {type: bytes}."""
    data, found = ffmpeg('-i', path(name), '-map', '0:v:0', '-c', 'copy', '-f', 'h264', '-'), {}
    for unit in data.split(b'\0\0\1')[1:]:
        if unit[0] & 31 != 6:
            continue
        body, at = unit[1:].replace(b'\0\0\3', b'\0\0'), 0
        while at + 2 < len(body) and body[at] != 0x80:
            kind = size = 0
            while body[at] == 255:
                kind, at = kind + 255, at + 1
            kind, at = kind + body[at], at + 1
            while body[at] == 255:
                size, at = size + 255, at + 1
            size, at = size + body[at], at + 1
            found[kind], at = body[at:at + size], at + size
    return found


class Hdr(unittest.TestCase):
    def check_light(self, name, light):
        for key, value in DISPLAY.items():
            self.assertIn(key, light, name)
            num, den = light[key].split('/')
            self.assertAlmostEqual(int(num) / int(den), value, delta=max(2e-5, 0.001 * value),
                                   msg=f'{name} {key}')
        self.assertEqual((light['max_content'], light['max_average']), (1000, 400), name)

    def test_every_encoder_and_container(self):
        """Kept, or named in the only warning."""
        if not has_encoder('libx265'):
            self.skipTest('no libx265 to make HDR with')
        clip, jobs = hdr_clip(), []
        for encoder in LISTED + MORE:
            for kind in ('mp4', 'mkv', 'mov', 'webm', 'avi'):
                if has_encoder(encoder) and (encoder in LISTED or kind in ('mkv', 'avi')):
                    jobs.append((clip, f'{encoder}.{kind}', encoder,
                                 'rgb' if encoder == 'libx264rgb' else '-'))
        seen = 0
        for name, lines in convert(*jobs).items():
            if any('is used' in line for line in lines):
                continue  # the container does not take it
            with self.subTest(name):
                self.assertLessEqual(len(lines), 1, lines)
                said = lines[0] if lines else ''
                self.assertNotIn('failed', said)
                stream, frame, light = probe(name)
                in_sei = name.startswith('libx264') and messages(name)
                if 'mastering display' in said:
                    self.assertNotIn('red_x', light)
                elif not in_sei or 'red_x' in light:
                    self.check_light(name, light)
                if in_sei:
                    self.assertEqual(struct.unpack('>8H2I', in_sei[137]),
                                     (13250, 34500, 7500, 3000, 34000, 16000, 15635, 16450,
                                      10000000, 50))
                    self.assertEqual(struct.unpack('>2H', in_sei[144]), (1000, 400))
                if 'transfer (smpte2084) and primaries (bt2020)' in said:
                    self.assertNotIn('color_transfer', stream)
                else:
                    self.assertEqual(stream['color_transfer'], 'smpte2084')
                    self.assertEqual(stream['color_primaries'], 'bt2020')
                depth = 12 if '12' in stream['pix_fmt'] else 10 if '10' in stream['pix_fmt'] else 8
                self.assertEqual(depth < 10, '2 of its 10 bits' in said, said)
                self.assertTrue(frame)
                seen += 1
        self.assertGreaterEqual(seen, 15)

    def test_of_the_container_only(self):
        """VP9 and FFmpeg's H.264 tell nothing in the picture: a second generation keeps it too."""
        said = convert((hdr_clip(), 'one.webm', 'libvpx-vp9'), (path('one.webm'), 'two.mp4', 'libx264'),
                       (path('two.mp4'), 'three.mkv', 'libx265'), (path('three.mkv'), 'four.mov', ''),
                       (path('four.mov'), 'rgb.mp4', 'libx264rgb', 'rgb'),
                       (path('rgb.mp4'), 'five.mp4', 'libx264'))
        for name, lines in said.items():
            stream, _, light = probe(name)
            self.check_light(name, light)
            self.assertEqual(stream['color_transfer'], 'smpte2084', name)
            self.assertEqual(stream['color_primaries'], 'bt2020', name)
            self.assertEqual(len(lines), name == 'rgb.mp4', lines)
        self.assertEqual(probe('rgb.mp4')[0]['color_space'], 'gbr')
        self.assertEqual(probe('five.mp4')[0]['color_space'], 'bt2020nc')  # not bt709: it was RGB

    def test_hlg(self):
        clip = make('hlg.mkv', '-f', 'lavfi', '-i', f'testsrc2=s={W}x{H}:r=25:d=0.04', '-c:v', 'libx264',
                    '-pix_fmt', 'yuv422p10le', '-color_trc', 'arib-std-b67', *BT2020)
        jobs = [(clip, f'hlg-{e}.{k}', e) for e, k in (('libx264', 'mp4'), ('libx264rgb', 'mkv'),
                                                       ('libx265', 'mov'), ('libvpx-vp9', 'webm'),
                                                       ('prores_ks', 'mov')) if has_encoder(e)]
        for name, lines in convert(*jobs, (clip, 'hlg.gif', '')).items():
            with self.subTest(name):
                if name == 'hlg.gif':
                    self.assertEqual(len(lines), 1)
                    self.assertIn('transfer (arib-std-b67)', lines[0])
                    self.assertNotIn('bits', lines[0])
                    continue
                self.assertEqual(probe(name)[0]['color_transfer'], 'arib-std-b67')
                self.assertEqual(len(lines), 'rgb' in name, lines)

    def test_full_range(self):
        clip = make('full.avi', '-f', 'lavfi', '-i', f'testsrc2=s={W}x{H}:r=25:d=0.04', '-c:v', 'mjpeg',
                    '-pix_fmt', 'yuvj422p')
        said = convert((clip, 'full.mp4', ''), (clip, 'full.mkv', 'prores_ks'),
                       (clip, 'full.mov', 'prores_ks'), (clip, 'full2.avi', 'rawvideo'))
        self.assertEqual(said['full.mp4'], [])
        self.assertEqual(probe('full.mp4')[0]['color_range'], 'pc')
        for name in ('full.mkv', 'full.mov', 'full2.avi'):
            self.assertIn('loses full range', said[name][0])

    def test_chroma_location(self):
        convert((hdr_clip(), 'place.mp4', 'libx265'), (hdr_clip(), 'place.mkv', ''))
        for name in ('hdr.mp4', 'place.mp4', 'place.mkv'):
            self.assertEqual(probe(name)[0]['chroma_location'], 'topleft', name)

    def test_dynamic(self):
        """HDR10+ is named, as nothing here writes it. The message is one without any curve."""
        bits = '01' + f'{400:027b}' + '0' + 4 * f'{5000:017b}' + '0000' + f'{0:010b}' + '000'
        body = bytes.fromhex('b5003c00010401') + int(bits.ljust(120, '0'), 2).to_bytes(15, 'big')
        unit = b'\0\0\0\1\x4e\1\4' + bytes([len(body)]) + body + b'\x80'
        data = ffmpeg('-i', hdr_clip(), '-c', 'copy', '-f', 'hevc', '-')
        at = data.index(b'\0\0\1\x28\1') if b'\0\0\1\x28\1' in data else data.index(b'\0\0\1\x26\1')
        with open(path('plus.hevc'), 'wb') as file:
            file.write(data[:at] + unit + data[at:])
        said = convert((path('plus.hevc'), 'plus.mkv', 'libx265'))['plus.mkv']
        self.assertEqual(len(said), 1, said)
        self.assertIn('loses dynamic metadata of HDR10+', said[0])
        self.check_light('plus.mkv', probe('plus.mkv')[2])

    def test_absurd_numbers(self):
        """A container's numbers that no encoder takes: dropped, and the encoder opens."""
        convert((hdr_clip(), 'h264.mp4', 'libx264'))
        with open(path('h264.mp4'), 'rb') as file:
            data = file.read()
        at = data.index(b'mdcv') + 4
        with open(path('absurd.mp4'), 'wb') as file:
            file.write(data[:at] + b'\xff' * 24 + data[at + 24:])
        for encoder in ('libx264', 'libx265'):
            said = convert((path('absurd.mp4'), f'absurd-{encoder}.mkv', encoder))
            self.assertEqual(said, {f'absurd-{encoder}.mkv': []})
            self.assertNotIn('red_x', probe(f'absurd-{encoder}.mkv')[2])


# ---- transparency -------------------------------------------------------------------------------

# A gradient of alpha over red, in the second half of the picture opaque blue.
GRADIENT = (f"color=red:s={W}x{H}:r=25:d=0.08,format=rgba,geq=r='if(lt(Y,32),255,0)':g=0:"
            "b='if(lt(Y,32),0,255)':a='if(lt(Y,32),X*4,255)'")
RGBA = ['argb', 'abgr', 'rgba64be', 'gbrap', 'gbrap12le', 'gbrap16be']
YUVA = ['yuva422p', 'yuva444p10le', 'yuva420p16le']
GREY = ['ya8', 'ya16be']


class Alpha(unittest.TestCase):
    def clip(self, fmt, source=GRADIENT):
        if fmt == 'argb':
            return make('argb.mov', '-f', 'lavfi', '-i', source, '-c:v', 'qtrle', '-pix_fmt', fmt)
        if fmt in GREY:
            return make(f'{fmt}.mkv', '-f', 'lavfi', '-i', source, '-c:v', 'png', '-pix_fmt', fmt)
        return make(f'{fmt}.nut', '-f', 'lavfi', '-i', source, '-c:v', 'rawvideo', '-pix_fmt', fmt)

    def test_every_format(self):
        """ProRes keeps it; MP4 says that it does not."""
        formats = RGBA + YUVA + GREY
        said = convert(*[(self.clip(fmt), f'out-{fmt}.{kind}', encoder) for fmt in formats
                         for kind, encoder in (('mov', 'prores_ks'), ('mp4', 'libx264'))])
        want = np.minimum(np.arange(W) * 4, 255)
        for fmt in formats:
            with self.subTest(fmt):
                out = rgba(f'out-{fmt}.mov')
                self.assertEqual(len(out), 2)
                self.assertLessEqual(np.abs(out[0, 8, :, 3].astype(int) - want).max(), 3)
                self.assertGreaterEqual(out[0, 40:, :, 3].min(), 253)
                if fmt not in GREY:
                    self.assertGreater(out[0, 8, 60, 0], 200)  # red
                    self.assertGreater(out[0, 56, 8, 2], 200)  # blue
                self.assertFalse([x for x in said[f'out-{fmt}.mov'] if 'transparency' in x])
                lost = [x for x in said[f'out-{fmt}.mp4'] if 'libx264 keeps no transparency' in x]
                self.assertEqual(len(lost), 1, said[f'out-{fmt}.mp4'])

    def test_encoders(self):
        clip = self.clip('argb')
        keep = [('prores_ks', 'mov'), ('libvpx', 'webm'), ('libvpx-vp9', 'mkv'), ('qtrle', 'mov')]
        lose = [('libx264', 'mov'), ('libx264rgb', 'mkv'), ('libx265', 'mp4'), ('rawvideo', 'avi'),
                ('rawvideo', 'mov'), ('libsvtav1', 'mp4')]
        keep, lose = ([x for x in y if has_encoder(x[0])] for y in (keep, lose))
        said = convert(*[(clip, f'a-{e}.{kind}', e) for e, kind in keep + lose])
        for encoder, kind in keep:
            out = rgba(f'a-{encoder}.{kind}')
            self.assertLessEqual(abs(int(out[0, 8, 32, 3]) - 128), 2, encoder)
            self.assertEqual(said[f'a-{encoder}.{kind}'], [])
        for encoder, kind in lose:
            self.assertEqual(len(said[f'a-{encoder}.{kind}']), 1)
            self.assertIn('keeps no transparency', said[f'a-{encoder}.{kind}'][0])
            self.assertEqual(len(rgba(f'a-{encoder}.{kind}')), 2)  # it can be read

    def test_turned(self):
        make('turned.mov', '-i', self.clip('argb'), '-c', 'copy', '-metadata:s:v', 'rotate=90')
        convert((path('turned.mov'), 'turned.webm', ''))
        want, out = rgba('turned.mov')[0], rgba('turned.webm')[0]
        self.assertLess(want[:, 8, 3].min(), 5)  # FFmpeg turned it: the top row is a column
        self.assertLessEqual(np.abs(out[..., 3].astype(int) - want[..., 3]).max(), 3)

    def test_scaled(self):
        convert((self.clip('argb'), 'scaled.webm', '', '32'))
        out = rgba('scaled.webm', W, 32)[0]
        self.assertLessEqual(abs(int(out[4, 32, 3]) - 128), 4)

    def test_opaque(self):
        """RGBA in which nothing is transparent becomes what RGB becomes, without a word."""
        source = f'testsrc2=s={W}x{H}:r=25:d=0.2'
        a = make('opaque.mkv', '-f', 'lavfi', '-i', source, '-c:v', 'png', '-pix_fmt', 'rgba')
        b = make('rgb.mkv', '-f', 'lavfi', '-i', source, '-c:v', 'png', '-pix_fmt', 'rgb24')
        said = convert(*[(clip, f'{name}.{kind}', '') for kind in ('webm', 'mp4', 'gif', 'mov')
                         for clip, name in ((a, 'oa'), (b, 'ob'))])
        self.assertEqual([x for lines in said.values() for x in lines], [])
        self.assertNotIn('ALPHA_MODE', str(probe('oa.webm')[0]).upper())
        for kind in ('webm', 'mp4', 'gif', 'mov'):
            one, two = (ffmpeg('-i', path(f'{n}.{kind}'), '-map', '0:v', '-c', 'copy', '-f', 'md5', '-')
                        for n in ('oa', 'ob'))
            self.assertEqual(one, two, kind)

    def test_transparent_later(self):
        """The first frame is opaque, and the output must be ready for what comes."""
        clip = make('later.mkv', '-f', 'lavfi', '-i', f'color=lime:s={W}x{H}:r=25:d=0.12,format=rgba,'
                    "geq=r=0:g=255:b=0:a='if(lt(N,2),255,if(lt(X,32),0,255))'", '-c:v', 'png')
        said = convert((clip, 'later.webm', ''), (clip, 'later.gif', ''), (clip, 'later.mp4', ''))
        for name in ('later.webm', 'later.gif'):
            out = rgba(name)
            self.assertEqual(out[:, 32, 8, 3].tolist(), [255, 255, 0], name)
            self.assertEqual(out[:, 32, 56, 3].tolist(), [255, 255, 255], name)
        self.assertEqual([len(said[f'later.{x}']) for x in ('webm', 'gif', 'mp4')], [0, 0, 1])

    def test_palette(self):
        """An image of a palette with one transparent colour, as PNG video."""
        rgb = np.zeros((H, W), np.uint8)
        rgb[:, W // 2:] = 1
        colours = np.zeros(256, '<u4')
        colours[0], colours[1] = 0x00ff0000, 0xff0000ff
        with open(path('pal.raw'), 'wb') as file:
            file.write(rgb.tobytes() + colours.tobytes())
        clip = make('pal.nut', '-f', 'rawvideo', '-pix_fmt', 'pal8', '-s', f'{W}x{H}', '-i',
                    path('pal.raw'), '-c:v', 'png')
        self.assertEqual(probe('pal.nut')[0]['pix_fmt'], 'pal8')
        convert((clip, 'pal.webm', ''))
        out = rgba('pal.webm')[0]
        self.assertLess(out[32, 8, 3], 3)
        self.assertGreater(out[32, 56, 3], 252)

    def test_idle_byte(self):
        """Raw AVI of 32 bits has a byte that means nothing, often 0."""
        make('idle.avi', '-f', 'lavfi', '-i', f'color=red@0:s={W}x{H}:r=25:d=0.04,format=bgra', '-c:v',
             'rawvideo')
        self.assertEqual(convert((path('idle.avi'), 'idle.mp4', ''), (path('idle.avi'), 'idle.webm', '')),
                         {'idle.mp4': [], 'idle.webm': []})
        self.assertNotIn('ALPHA_MODE', str(probe('idle.webm')[0]).upper())


# ---- GIF ----------------------------------------------------------------------------------------


def gif(frames, loop=None, label=b'NETSCAPE2.0'):
    """16x16, two colours; (pixels, transparent colour or None, disposal) a frame."""
    out = b'GIF89a' + struct.pack('<HHBBB', 16, 16, 0x80, 0, 0) + bytes([255, 0, 0, 0, 0, 255])
    if loop is not None:
        out += b'\x21\xff\x0b' + label + b'\3\1' + struct.pack('<H', loop) + b'\0'
    for pixels, transparent, disposal in frames:
        flags = disposal << 2 | (transparent is not None)
        out += b'\x21\xf9\4' + struct.pack('<BHB', flags, 10, transparent or 0) + b'\0'
        out += b'\x2c' + struct.pack('<4HB', 0, 0, 16, 16, 0) + b'\2'
        bits, codes = '', []
        for i, p in enumerate(pixels):  # codes of 3 bits, so a clear code after each two
            codes += ([4] if i % 2 == 0 else []) + [p]
        for code in codes + [5]:
            bits = format(code, '03b') + bits
        data = int(bits, 2).to_bytes((len(bits) + 7) // 8, 'little')
        for at in range(0, len(data), 255):
            out += bytes([len(data[at:at + 255])]) + data[at:at + 255]
        out += b'\0'
    return out + b'\x3b'


def write(name, data):
    with open(path(name), 'wb') as file:
        file.write(data)
    return path(name)


def loop_of(name):
    with open(path(name), 'rb') as file:
        data = file.read()
    at = data.find(b'NETSCAPE2.0')
    return struct.unpack('<H', data[at + 13:at + 15])[0] if at >= 0 else None


HALF = [x // 8 for y in range(16) for x in range(16)]
REST = [1 - x // 8 for y in range(16) for x in range(16)]
FULL = [y // 8 for y in range(16) for x in range(16)]


class Gif(unittest.TestCase):
    def test_loop(self):
        """The number in the file is kept as it is, and so is that there is none (played once)."""
        loops = [(None, b''), (0, b'NETSCAPE2.0'), (3, b'NETSCAPE2.0'), (65535, b'NETSCAPE2.0'),
                 (7, b'ANIMEXTS1.0')]
        said = convert(*[(write(f'loop{n}.gif', gif([(HALF, None, 1), (REST, None, 1)], n, label)),
                          f'looped{n}.gif', '') for n, label in loops])
        for n, _ in loops:
            self.assertEqual(said[f'looped{n}.gif'], [])
            self.assertEqual(loop_of(f'looped{n}.gif'), n)

    def test_loop_after_the_first_picture(self):
        data = gif([(HALF, None, 1), (REST, None, 1)])
        at = data.index(b'\x21\xf9', 30)
        late = data[:at] + b'\x21\xff\x0bNETSCAPE2.0\3\1\5\0\0' + data[at:]
        convert((write('late.gif', late), 'late2.gif', ''))
        self.assertEqual(loop_of('late2.gif'), 5)

    def test_loop_of_video(self):
        clip = make('ten.mkv', '-f', 'lavfi', '-i', f'testsrc2=s={W}x{H}:r=10:d=0.2', '-c:v', 'ffv1')
        convert((clip, 'endless.gif', ''))
        self.assertEqual(loop_of('endless.gif'), 0)

    def test_damaged(self):
        """Cut anywhere: no crash; the part that can be read is."""
        whole = gif([(HALF, 0, 2), (REST, 1, 2)], 3)
        jobs = [(write(f'cut{n}.gif', whole[:n]), f'cut{n}-out.gif', '')
                for n in range(14, len(whole), 17)]
        self.assertEqual(len(convert(*jobs)), len(jobs))

    def test_transparency(self):
        """Frames that vanish, that stay, and opaque ones between: as FFmpeg shows them."""
        sequences = {'vanish': [(HALF, 0, 2), (REST, 0, 2), (HALF, 1, 2)],
                     'stay': [(HALF, 0, 1), (HALF, 1, 1), (FULL, None, 1)],
                     'mixed': [(FULL, None, 2), (HALF, 0, 2), (FULL, None, 1), (REST, 1, 3)],
                     'opaque': [(FULL, None, 1), (HALF, 0, 1), (REST, 0, 1)]}
        for name, frames in sequences.items():
            with self.subTest(name):
                write(f'{name}.gif', gif(frames, 3))
                said = convert((path(f'{name}.gif'), f'{name}-out.gif', ''),
                               (path(f'{name}.gif'), f'{name}.webm', ''),
                               (path(f'{name}.gif'), f'{name}.mp4', ''))
                want, got = rgba(f'{name}.gif', 16, 16), rgba(f'{name}-out.gif', 16, 16)
                np.testing.assert_array_equal(got[..., 3], want[..., 3])
                seen = want[..., 3] > 0
                np.testing.assert_array_equal(got[seen], want[seen])
                if want[..., 3].min() == 255:  # transparent pixels that only spare bytes
                    self.assertIn(name, ('opaque', 'mixed'))
                    self.assertEqual([x for y in said.values() for x in y], [])
                    self.assertNotIn('ALPHA_MODE', str(probe(f'{name}.webm')[0]).upper())
                else:
                    self.assertLessEqual(np.abs(rgba(f'{name}.webm', 16, 16)[..., 3].astype(int) -
                                                want[..., 3]).max(), 2)
                    self.assertEqual(len(said[f'{name}.mp4']), 1)
                    self.assertIn('keeps no transparency', said[f'{name}.mp4'][0])

    def test_half_transparent(self):
        """What a GIF cannot say is said."""
        clip = make('argb.mov', '-f', 'lavfi', '-i', GRADIENT, '-c:v', 'qtrle', '-pix_fmt', 'argb')
        said = convert((clip, 'half.gif', ''))['half.gif']
        self.assertEqual(len(said), 1)
        self.assertIn('half transparent', said[0])
        alpha = rgba('half.gif')[0, ..., 3]
        self.assertEqual((alpha[8, 20], alpha[8, 44], alpha[40, 20]), (0, 255, 255))


# ---- interlaced video ---------------------------------------------------------------------------


def fields(name):
    stream, frame, _ = probe(name)
    return stream.get('field_order', 'unknown'), frame.get('interlaced_frame'), frame.get('top_field_first')


class Interlaced(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        weave = f'testsrc2=s={W}x{H}:r=50:d=0.24,interlace=scan='
        cls.top = make('tff.mkv', '-f', 'lavfi', '-i', weave + 'tff', '-c:v', 'mpeg2video', '-q:v', '2',
                       '-flags', '+ildct+ilme', '-top', '1', '-field_order', 'tt')
        cls.bottom = make('bff.mkv', '-f', 'lavfi', '-i', weave + 'bff', '-c:v', 'mpeg2video', '-q:v',
                          '2', '-flags', '+ildct+ilme', '-top', '0', '-field_order', 'bb')

    def test_every_encoder(self):
        """Coded as fields, or told by the header, with a warning when only the header tells."""
        coded = ['libx264', 'libx264rgb', 'prores_ks', 'mpeg4', 'mpeg2video']
        weak = ['libvpx-vp9', 'libsvtav1']
        jobs, want = [], {}
        for clip, order, top in ((self.top, 'tt', 1), (self.bottom, 'bb', 0)):
            for encoder in coded + weak + ['libx265']:
                kinds = ('mkv', 'avi') if encoder in weak else ('mkv', 'mov', 'mp4', 'avi')
                for kind in kinds[:4 if top else 1] if encoder != 'libx264' else kinds:
                    name = f'{order}-{encoder}.{kind}'
                    if has_encoder(encoder):
                        jobs.append((clip, name, encoder))
                        want[name] = order, top, encoder, kind
        seen = 0
        for name, lines in convert(*jobs).items():
            if any('is used' in line for line in lines):
                continue
            order, top, encoder, kind = want[name]
            with self.subTest(name):
                got = fields(name)
                if encoder in coded:
                    self.assertEqual(got[1:], (1, top))
                    self.assertEqual(lines, [])
                else:
                    self.assertEqual(got[0], 'unknown' if kind == 'avi' else order)
                    self.assertEqual(len(lines), encoder != 'libx265', lines)
                    self.assertTrue(encoder == 'libx265' or 'loses interlacing' in lines[0])
                if kind == 'mkv' or encoder == 'libx264':
                    self.assertEqual(got[0], order)
                seen += 1
        self.assertGreaterEqual(seen, 15)

    def test_what_mixes_the_fields(self):
        make('side.mov', '-i', self.top, '-c', 'copy', '-metadata:s:v', 'rotate=90')
        make('over.mov', '-i', self.top, '-c', 'copy', '-metadata:s:v', 'rotate=180')
        said = convert((path('side.mov'), 'side.mp4', ''), (self.top, 'small.mp4', '', '32'),
                       (path('over.mov'), 'over.mp4', ''))
        for name, why in (('side.mp4', 'turned'), ('small.mp4', 'height changes')):
            self.assertEqual(fields(name)[1], 0)
            self.assertEqual(len(said[name]), 1)
            self.assertIn(why, said[name][0])
        self.assertEqual(fields('over.mp4')[1:], (1, 0))  # upside down, the last line is the first
        self.assertEqual(said['over.mp4'], [])

    def test_size_that_the_encoder_refuses(self):
        clip = make('486.mkv', '-f', 'lavfi', '-i', 'testsrc2=s=64x54:r=50:d=0.08,interlace', '-c:v',
                    'mpeg2video', '-flags', '+ildct+ilme', '-top', '1', '-field_order', 'tt')
        self.assertEqual(fields('486.mkv'), ('tt', 1, 1))
        said = convert((clip, '486.mp4', 'libx264'))['486.mp4']
        self.assertEqual(len(said), 1)
        self.assertIn('only the header of the file tells', said[0])

    def test_chroma_is_not_mixed(self):
        """Of 4:2:0 to ProRes' 4:2:2, each field has chroma of its own."""
        clip = make('rb.mkv', '-f', 'lavfi', '-i', f'color=red:s={W}x{H}:r=25:d=0.04,format=yuv420p,'
                    "geq=lum=100:cb='if(mod(Y,2),40,200)':cr=128", '-c:v', 'ffv1', '-field_order', 'tt')
        make('rb.mov', '-i', clip, '-c:v', 'mpeg2video', '-q:v', '1', '-flags', '+ildct+ilme', '-top',
             '1', '-field_order', 'tt')
        convert((path('rb.mov'), 'rb2.mov', 'prores_ks'))
        raw = ffmpeg('-i', path('rb2.mov'), '-f', 'rawvideo', '-pix_fmt', 'yuv422p', '-')
        cb = np.frombuffer(raw, np.uint8)[W * H:W * H + W * H // 2].reshape(H, W // 2).astype(int)
        self.assertGreater(cb[::2, 8].min() - cb[1::2, 8].max(), 100)

    def test_progressive(self):
        clip = make('prog.mp4', '-f', 'lavfi', '-i', f'testsrc2=s={W}x{H}:r=25:d=0.08', '-c:v', 'libx264')
        self.assertEqual(convert((clip, 'prog2.mp4', ''), (clip, 'prog2.mkv', 'libx265')),
                         {'prog2.mp4': [], 'prog2.mkv': []})
        self.assertEqual(fields('prog2.mp4'), ('progressive', 0, 0))


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = os.path.abspath(sys.argv.pop(1))
    if not shutil.which('ffmpeg') or not shutil.which('ffprobe'):
        print('skipped: no ffmpeg program')
        sys.exit(77)
    ENCODERS = tool('ffmpeg', '-v', 'quiet', '-encoders').decode()
    unittest.main(verbosity=1)
