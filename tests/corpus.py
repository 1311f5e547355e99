#!/usr/bin/python3
"""Makes what the fuzzers begin with: tests/corpus/FUZZER/NAME. It is in the tree, so that a test
needs none of the tools; run this only to change it. It needs ffmpeg.
The HEIC file was made with libheif; files named after a fault are what a fuzzer found.

All of it is made here: test patterns, noise, words.
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tools'))
sys.path.insert(0, os.path.join(ROOT, 'tests'))
import onnx_writer as w  # noqa: E402
import tiny_models  # noqa: E402

FOLDER = os.path.join(ROOT, 'tests', 'corpus')
WORK = tempfile.mkdtemp()
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description
Iptc4xmpExt:DigitalSourceType="compositeWithTrainedAlgorithmicMedia" xmp:CreatorTool="a &amp; b"
reprise:Processors="x"><reprise:Models>y</reprise:Models></rdf:Description></rdf:RDF></x:xmpmeta>"""
EXIF = b'II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0'
SUBTITLES = '1\n00:00:00,000 --> 00:00:00,080\n<i>one</i>\n\n2\n00:00:00,080 --> 00:00:01,000\ntwo\n'


def put(fuzzers, name, data):
    for fuzzer in fuzzers.split():
        os.makedirs(f'{FOLDER}/{fuzzer}', exist_ok=True)
        with open(f'{FOLDER}/{fuzzer}/{name}', 'wb') as file:
            file.write(data if isinstance(data, bytes) else data.encode())


def made(name, *args):
    """Bytes of a file that ffmpeg makes."""
    path = f'{WORK}/{name}'
    subprocess.run(['ffmpeg', '-v', 'error', '-y', *args, path], check=True)
    with open(path, 'rb') as file:
        data = file.read()
    return slim(data) if name.endswith('.avi') else data


def slim(avi):
    """Without the room that the muxer keeps in an AVI for indices, most of a small file."""
    body, at = b'', 0
    while at + 8 <= len(avi):
        kind, size = avi[at:at + 4], int.from_bytes(avi[at + 4:at + 8], 'little')
        data = avi[at + 8:at + 8 + size]
        if kind in (b'RIFF', b'LIST') and data[:4] != b'movi':
            body += riff(kind, data[:4] + slim(data[4:]))
        elif kind not in (b'JUNK', b'indx'):
            body += riff(kind, data)
        at += 8 + size + size % 2
    return body


def pattern(size='32x32', frames=2):
    return ['-f', 'lavfi', '-i', f'testsrc=s={size}:r=25:d={frames / 25}']


TONE = ['-f', 'lavfi', '-i', 'sine=f=400:r=16000:d=0.04']
BARE = ['-fflags', '+bitexact', '-flags', '+bitexact']


def texts():
    put('options', 'values', 'look-fast\nlook-score 0.55\nangles 0 90 270\nmargin 1 2 3 4\n'
        'look-size 320x320\nlook-memory 3G\nlook-name own/x\nsources "a b" c\n')
    put('config', 'ini', '[look]\nlook_score = 0.55\nlook_box = 12x13\n; no\n[lists]\nangles = 0 90\n'
        'sources =\n  a\n  b\n[more]\nkeep = 1\n')
    put('args', 'words', '--face-detector-score=0.5\n--face-detector-angles\n0\n90\n-o\nx.png\n'
        '--json\n--\nfile\n')
    put('args', 'help', 'a.png\n--log-level\ndebug\n-h\n')
    put('text', 'evil', b'a\x1b[31m\xc2\x9b\xe2\x80\xae\xf0\x9f\x98\x80\xe2\x82\xff\r\n')
    put('cache', 'entry', '{"key": "fuzz", "value": {"slots": 4, "form": "nhwc"}}')
    crc = zlib.crc32(b'model' * 2)
    put('cache', 'file', f'{{"key": "file fuzz", "value": {{"size": 5, "crc": {crc}}}}}')
    put('sums', 'lines', b'\x01 0123abcd ' + b'ab' * 32 + b' \x02\n7 1.000000001 1 ' + b'0' * 64 + b' /x\n')
    put('hash', 'right', f'{zlib.crc32(b"a model" + bytes(1)):08x}')
    put('hash', 'other', 'ABCDEF01\n')
    put('headers', 'reply', 'HTTP/1.1 206 Partial\r\nETag: "abc"\r\nLast-Modified: Mon\r\n'
        'Content-Range: bytes 5-9/10\r\nContent-Length: 10\r\n\r\nHTTP/2 200\r\ncontent-length: 7\r\n')
    put('names', 'model', 'My face (2).dfm')
    put('names', 'part', '.out.mp4.999999-1.part.mp4')


def models():
    makers = (tiny_models.double, tiny_models.sum_and_types, tiny_models.open_size, network,
              layers)
    for make in makers:
        make().save(f'{WORK}/net.onnx')
        with open(f'{WORK}/net.onnx', 'rb') as file:
            whole = file.read()
        put('onnx rows nets', make.__name__, whole)
        put('kept', make.__name__, bytes([2, 0, 1, 7, 1, 0, 3, 9, 200]) + whole)


def layers():
    """What our own operations do, once each."""
    g = w.Graph('layers')
    g.input('x', w.FLOAT, [1, 8, 4, 4])
    g.initializer('k', w.FLOAT, [8, 1, 3, 3], w.floats([.1] * 72))
    g.initializer('m', w.FLOAT, [4, 4], w.floats([.5] * 16))
    g.initializer('s', w.FLOAT, [8], w.floats([1] * 8))
    g.initializer('two', w.FLOAT, [4], w.floats([1, 1, 2, 2]))
    g.initializer('p', w.INT64, [8], w.ints([0, 0, 1, 0, 0, 0, 0, 1]))
    g.node('Conv', ['x', 'k'], ['c'], group=8, pads=[1, 1, 1, 1])
    g.node('PRelu', ['c', 's'], ['r'])
    g.node('InstanceNormalization', ['r', 's', 's'], ['i'])
    g.node('MaxPool', ['i'], ['q'], kernel_shape=[2, 2], strides=[2, 2])
    g.node('Resize', ['q', '', 'two'], ['u'], mode='linear')
    g.node('Add', ['u', 'x'], ['a'])
    g.node('Pad', ['a', 'p'], ['e'], mode='reflect')
    g.node('MatMul', ['a', 'm'], ['t'])
    g.node('MatMul', ['t', 'a'], ['v'])
    g.node('Softmax', ['v'], ['w'], axis=3)
    g.node('ReduceMean', ['e'], ['d'], axes=[2, 3])
    g.output('w', w.FLOAT, [1, 8, 4, 4])
    g.output('d', w.FLOAT, [1, 8, 1, 1])
    return g


def network():
    """A convolution, shapes that are worked out, a loop."""
    g = w.Graph('network')
    g.input('x', w.FLOAT, [1, 3, 'h', 'w'])
    g.initializer('k', w.FLOAT, [2, 3, 1, 1], w.floats([1] * 6))
    g.initializer('s', w.INT64, [2], w.ints([1, -1]))
    g.node('Conv', ['x', 'k'], ['c'], strides=[2, 2], pads=[0, 0, 0, 0], group=1)
    g.node('Shape', ['c'], ['n'])
    g.node('Gather', ['n', 's'], ['m'], axis=0)
    g.node('Reshape', ['c', 's'], ['r'])
    g.node('Concat', ['r', 'r'], ['y'], axis=0)
    g.output('y', w.FLOAT, ['a', 12800])
    return g


# ---- media ---------------------------------------------------------------------------------------


def segment(marker, data):
    return b'\xff' + bytes([marker]) + (len(data) + 2).to_bytes(2, 'big') + data


def chunk(kind, data):
    return len(data).to_bytes(4, 'big') + kind + data + zlib.crc32(kind + data).to_bytes(4, 'big')


def riff(kind, data):
    return kind + len(data).to_bytes(4, 'little') + data + bytes(len(data) % 2)


def profile():
    """A small profile of RGB with a matrix: tags of the primaries, of the white and of a gamma."""
    def xyz(*values):
        return b'XYZ \0\0\0\0' + b''.join(round(v * 65536).to_bytes(4, 'big') for v in values)
    gamma = b'curv\0\0\0\0\0\0\0\x01\x02\x33\0\0'
    tags = {b'rXYZ': xyz(.436, .222, .014), b'gXYZ': xyz(.385, .717, .097), b'bXYZ': xyz(.143, .061, .714),
            b'wtpt': xyz(.9642, 1, .8249), b'rTRC': gamma, b'gTRC': gamma, b'bTRC': gamma}
    table, body = len(tags).to_bytes(4, 'big'), b''
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + (start + len(body)).to_bytes(4, 'big') + len(data).to_bytes(4, 'big')
        body += data
    size = start + len(body)
    head = size.to_bytes(4, 'big') + bytes(4) + b'\x02\x10\0\0mntrRGB XYZ ' + bytes(12) + b'acsp'
    head += bytes(28) + xyz(.9642, 1, .8249)[8:]
    return head.ljust(128, b'\0') + table + body


def pictures():
    icc = profile()
    for kind in range(7):
        put('profile', f'from-{kind}', bytes([kind]) + icc)
    jpeg = made('a.jpg', *pattern('16x16', 1))
    more = (segment(0xe1, b'Exif\0\0' + EXIF) + segment(0xe1, b'http://ns.adobe.com/xap/1.0/\0' + XMP) +
            segment(0xe2, b'ICC_PROFILE\0\x01\x01' + icc))
    put('picture metadata inspect', 'jpeg', jpeg[:2] + more + jpeg[2:])
    png = made('a.png', *pattern('16x16', 1))
    more = (chunk(b'iCCP', b'x\0\0' + zlib.compress(icc)) + chunk(b'eXIf', EXIF) +
            chunk(b'iTXt', b'XML:com.adobe.xmp\0\0\0\0\0' + XMP))
    put('picture metadata inspect', 'png', png[:33] + more + png[33:])
    put('picture metadata', 'apng', made('a.apng', *pattern('16x16')))
    put('picture', 'png16', made('b.png', *pattern('16x16', 1), '-pix_fmt', 'rgba64be'))
    webp = made('a.webp', *pattern('16x16', 1))
    extended = b'\x2c\0\0\0' + b'\x0f\0\0' * 2
    body = b'WEBP' + riff(b'VP8X', extended) + riff(b'ICCP', icc) + webp[12:] + riff(b'EXIF', EXIF)
    put('picture metadata inspect', 'webp', riff(b'RIFF', body + riff(b'XMP ', XMP)))
    put('picture metadata inspect', 'bmp', made('a.bmp', *pattern('8x8', 1)))
    for name, form in (('rgb', 'rgb24'), ('grey16', 'gray16le'), ('palette', 'pal8')):
        put('picture', 'tiff-' + name, made('a.tiff', *pattern('8x8', 1), '-pix_fmt', form))
    put('metadata inspect', 'tiff', EXIF[:8] + b'\x01\0\xbc\x02\x01\0' + len(XMP).to_bytes(4, 'little') +
        b'\x1a\0\0\0' + bytes(4) + XMP)
    put('picture video inspect', 'gif', made('a.gif', *pattern('16x16'), '-loop', '3'))
    put('picture', 'avif', made('a.avif', *pattern('16x16', 1), '-c:v', 'libaom-av1', '-still-picture', '1'))


def films():
    """Small files, as each byte costs a fuzzer time: few pictures, little sound, and where only one
    kind of track is looked at, no other."""
    with open(f'{WORK}/a.srt', 'w', encoding='utf-8') as file:
        file.write(SUBTITLES)
    more = [*TONE, '-i', f'{WORK}/a.srt']
    tags = ['-metadata', 'comment=synthetic_media=x; software=y; reprise_processors=z; reprise_models=m']
    h264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p']
    kinds = (
        ('mp4', [*h264, *tags], ['-c:a', 'aac', '-b:a', '16k'], 'mov_text'),
        ('mkv', [*h264, *tags], ['-c:a', 'libopus', '-b:a', '16k'], 'srt'),
        ('webm', ['-c:v', 'libvpx-vp9', '-pix_fmt', 'yuva420p'], ['-c:a', 'libopus', '-b:a', '16k'], 'webvtt'),
        ('mov', ['-c:v', 'mpeg4'], ['-c:a', 'pcm_s16le'], 'mov_text'),
        ('avi', ['-c:v', 'mjpeg', '-q:v', '20'], ['-c:a', 'libmp3lame', '-b:a', '16k'], None))
    for name, video, sound, subtitles in kinds:
        text = ['-c:s', subtitles] if subtitles else ['-sn']
        put('tracks inspect', name, made('a.' + name, *pattern('16x16'), *more, *video, *sound, *text,
                                         '-shortest', *BARE))
        put('video', name, made('v.' + name, *pattern('16x16'), *video, *BARE))
        put('sound', name, made('s.' + name, *TONE, *sound, *BARE))
    put('video', 'tracks', made('b.mp4', *pattern('16x16'), *more, *kinds[0][1], *kinds[0][2], *BARE))
    put('video', 'turned', made('t.mp4', '-i', f'{WORK}/v.mp4', '-c', 'copy', '-map', '0:v',
                                '-metadata:s:v', 'rotate=90', *BARE))
    put('video', 'y4m', made('a.y4m', *pattern('8x8'), '-pix_fmt', 'yuv420p'))
    put('video', 'apng', made('v.apng', *pattern('16x16')))
    put('video', 'ts', made('a.ts', *pattern(), '-c:v', 'mpeg2video', *BARE))
    put('video', 'hevc', made('h.mp4', *pattern(), '-c:v', 'libx265', '-x265-params',
                              'log-level=none:info=0:hdr10=1:master-display=G(13250,34500)B(7500,3000)'
                              'R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400',
                              '-pix_fmt', 'yuv420p10le', *BARE))
    put('sound', 'both', made('b.mkv', *pattern('16x16'), *TONE, *kinds[1][1], *kinds[1][2], *BARE))
    put('sound', 'wav', made('a.wav', *TONE, '-ac', '1', '-ar', '8000'))
    put('sound', 'flac', made('a.flac', *TONE, '-ar', '8000', '-metadata_header_padding', '0'))
    put('sound', 'mp3', made('a.mp3', *TONE, '-b:a', '16k'))
    put('sound', 'ogg', made('a.ogg', *TONE, '-c:a', 'libvorbis', '-ar', '16000', *BARE))


def journals():
    sums = hashlib.sha256(b'').hexdigest()
    text = 'reprise-journal 2\nprogram reprise 0.1.0\n'
    text += ''.join(f'{name} {sums}\n' for name in ('options', 'models', 'target', 'sources'))
    text += 'device cpu\nframes 0 1000 250 1\nmachine x86_64 Intel avx2\n'
    for k in range(2):
        text += (f'piece {k} {250 * k} {250 * k + 250} 250 12345 {sums} 7 5 3 1 0 0 {k} deadbeef 13 '
                 f'{250 * k + 250} 200 3ff0000000000000 {3 * k + 3} '
                 + ' '.join(str(13 * i) for i in range(3 * k + 3)) + '\n')
    put('journal', 'two', text)


def web():
    head = 'Host: localhost:7870\r\nAuthorization: Bearer k\r\n'
    part = '--xy\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    wish = {'target': 'ab', 'sources': ['ab'], 'options': {
        'processors': ['face_swapper'], 'face-detector-score': 0.5, 'face-mask-padding': [1, 2]},
        'map': [{'source': 'ab', 'face': 0, 'frame': 1}]}
    for name, path in (('page', '/'), ('can', '/v1/capabilities'), ('media', '/v1/media'),
                       ('frame', '/v1/media/ab/frame?n=1&width=2'), ('events', '/v1/events')):
        put('web', name, f'\0GET {path} HTTP/1.1\r\n{head}\r\n')
    put('web', 'raw', f'\0POST /v1/media?name=a%20b HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\nab')
    put('web', 'chunked', f'\0POST /v1/media HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n'
        '2\r\nab\r\n0\r\n\r\n')
    put('web', 'form', '\x01' + part + 'ab\r\n--xy--\r\n')
    put('web', 'two', '\x01' + part + 'ab\r\n' + part + 'c\r\n--xy--\r\n')
    put('web', 'job', '\x02' + json.dumps(wish))
    put('web', 'preview', '\x03' + json.dumps({**wish, 'frame': 1, 'width': 2}))


def jobs():
    args = {'source_paths': ['a b.jpg'], 'target_path': 't.mp4', 'output_path': 'x/o.mp4',
            'face_detector_angles': [0, 90], 'face_detector_score': 0.5, 'trim_frame_start': None,
            'face_swapper_model': 'inswapper_128', 'face_swapper_pixel_boost': '128x128',
            'reference_frame_number': 0, 'reprise_given': ['face_swapper_model'],
            'processors': ['face_swapper'], 'output_video_fps': 29.97}
    job = {'version': '1', 'date_created': '2026-01-02T03:04:05.678901+01:00', 'date_updated': None,
           'steps': [{'args': args, 'status': 'drafted'}, {'args': {}, 'status': 'started'}]}
    put('job', 'steps', json.dumps(job, indent=4))
    put('job', 'empty', json.dumps({**job, 'steps': []}))
    put('template', 'all', 'o/{index:04d}-{source_name}{{}}{target_name}{target_extension}\na/b.c\nd')
    put('template', 'unknown', '{what}\nt')


def pieces():
    """Three packets, one with side data, decoded two ahead; the fuzzer adds the sum."""
    data = b'RPPIECE1' + struct.pack('<5Iq256sI', 64, 48, 0, 0, 0, 0, b'libx264 veryfast 80', 4)
    data += b'head'
    for pts, dts, side in ((0, -2, b''), (2, -1, b'side'), (1, 0, b'')):
        data += struct.pack('<B3q3I', 1, pts, dts, 1, pts == 0, bool(side), 5)
        if side:
            data += struct.pack('<2I', 15, len(side)) + side
        data += b'frame'
    put('piece', 'three', data + struct.pack('<B4q', 2, 0, 2, 3, 3))


def main():
    for make in (texts, jobs, web, models, pictures, films, journals, pieces):
        make()
    shutil.rmtree(WORK)


if __name__ == '__main__':
    main()
