#!/usr/bin/python3
"""The benchmark's page: what it says of a report, for people.

    test_report.py REPORT_PAGE [TEST...]            the program of report_page.c
    test_report.py REPORT_PAGE --measure PROGRAM    a report that PROGRAM makes, with the lite models
"""
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ''
RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'bench', 'results')
VOID = {'meta', 'rect'}
IMPLIED = {'html', 'p', 'li', 'tr', 'td', 'th', 'dt', 'dd'}


class Checker(html.parser.HTMLParser):
    """Tags that end what began last; the text, by the tag that it is in."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID and not tag.startswith('!'):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in IMPLIED:
            self.open.pop()
        assert self.open and self.open[-1] == tag, f'</{tag}> ends {self.open[-1:]}'
        self.open.pop()

    def handle_data(self, data):
        if data.strip() and 'style' not in self.open:
            self.texts.append((self.open[-1] if self.open else '', data.strip()))


def page(report):
    with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
        json.dump(report, file)
        file.flush()
        made = subprocess.run([PROGRAM, file.name], stdout=subprocess.PIPE, check=True).stdout.decode()
    checker = Checker()
    checker.feed(made)
    checker.close()
    assert set(checker.open) <= IMPLIED, checker.open
    return made, checker.texts


def h200():
    """A report from a GPU."""
    with open(f'{RESULTS}/h200.json', encoding='utf-8') as file:
        report = json.load(file)
    for part in 'frame_graph', 'analysis':  # its name at that time
        report[part]['lockstep'] = report[part].pop('in_step', report[part].get('lockstep'))
    return report


def of_cpu():
    report = {'gpu': None, 'cpu': 'Some processor', 'cores': 2, 'onnxruntime': '1.29.0',
              'roof': {'tflops': 0.0231, 'copy_bytes_per_second': 4.4e9}, 'models': [
                  {'name': 'nsfwjs', 'plain_ms': 29.9, 'eager_ms': 36.2, 'graph_ms': None,
                   'gflop': 0.62, 'roof_fraction': 0.75, 'speedup': 0.83, 'max_abs_diff': None},
                  {'name': 'tiny', 'plain_ms': 0.031, 'eager_ms': 0.025, 'graph_ms': None,
                   'gflop': 0.01, 'roof_fraction': 0.0004, 'speedup': 1.2}],
              'frame_graph': {'processors': ['face_swapper'], 'processor_models': ['classic_256'],
                              'analyser': 'face_detector=ultraface', 'width': 640, 'height': 360,
                              'faces': 1, 'eager_fps': 6.4, 'graph_fps': None, 'slots_fps': None,
                              'pool_bytes': None, 'empty_frame_us': 18310.6},
              'analysis': None,
              'job': {'target_path': 'a.mp4', 'mode': 'warm', 'cycle_count': 1,
                      'average_run': 0.47, 'fastest_run': 0.47, 'slowest_run': 0.47,
                      'relative_fps': 2.11, 'timeline': [
                          {'seconds': 0.012, 'what': 'tiny is <open>'},
                          {'seconds': 0.31, 'what': 'the first frame is done'}]}}
    return report


class Page(unittest.TestCase):
    def says(self, texts, text):
        self.assertTrue(any(text in t for _, t in texts), f'{text!r} is not in {texts}')

    def test_gpu(self):
        made, texts = page(h200())
        self.assertEqual([t for tag, t in texts if tag == 'h1'],
                         ['A frame takes 4.6 ms recorded, 21 ms without.'])
        self.says(texts, 'That is 4.6 times as fast: 216 frames a second instead of 47.')
        self.says(texts, 'With 8 frames in lockstep it takes 2.8 ms.')
        self.says(texts, 'inswapper_128 (face swapper)')
        self.says(texts, 'yolo_face (face detector)')
        self.says(texts, '250 MB')
        self.says(texts, '353 TFLOP/s')
        self.says(texts, '4.25 TB/s')
        self.says(texts, 'face_swapper: 2.47 ms, 53 %')
        for name in 'not recorded', 'in part', 'recorded', 'several at once', 'in lockstep':
            self.assertIn(('strong', name), texts)  # the key
        self.assertLess(made.index('class=key'), made.index('class=bar'))

    def test_cpu(self):
        made, texts = page(of_cpu())
        self.assertEqual([t for tag, t in texts if tag == 'h1'], ['A frame takes 156 ms.'])
        self.assertNotIn('lockstep', made.split('</style>')[1])
        self.assertNotIn('<ul class=key>', made)  # nothing is recorded: no colours to explain
        heads = [t for tag, t in texts if tag == 'th']
        self.assertEqual(heads, ['network', 'elsewhere', 'not recorded', 'faster', 'GFLOP',
                                 'of the peak'])
        self.assertEqual([t for tag, t in texts if tag == 'dt'], heads[1:])
        self.says(texts, 'classic_256 (face swapper)')
        self.says(texts, '25.0 µs')
        self.assertIn('<td>&lt; 0.1 %</td>', made)
        self.says(texts, '18.3 ms')
        self.says(texts, '23.1 GFLOP/s')
        self.says(texts, '470 ms')
        self.says(texts, 'tiny is <open>')
        self.says(texts, '310 ms')
        report = of_cpu()
        report['frame_graph']['faces'] = 0
        self.says(page(report)[1], 'A frame without a face takes 156 ms.')

    def test_parts(self):
        """With any part missing; no number that is none."""
        for make in h200, of_cpu:
            for part in 'gpu', 'roof', 'models', 'frame_graph', 'analysis', 'job', 'cpu':
                report = make()
                report[part] = [] if part == 'models' else None
                made, texts = page(report)
                self.assertEqual(len([t for tag, t in texts if tag == 'h1']), 1)
                self.assertIsNone(re.search(r'\b(nan|inf|null)\b', made.split('</style>')[1]))
        _, texts = page({})
        self.says(texts, 'Nothing could be measured.')
        report = of_cpu()
        del report['frame_graph'], report['job']
        self.says(page(report)[1], '2 networks, measured one by one.')

    def test_reasons(self):
        report = h200()
        report['frame_graph']['graph_reason'] = 'no <room>'
        report['frame_graph']['reason'] = 'nothing'
        made, texts = page(report)
        self.assertIn('Not measured (graph): no &lt;room&gt;', made)
        self.says(texts, 'Not measured: nothing')

    def test_names(self):
        """Nothing of a name becomes markup or a control character."""
        evil = '<b>"&\'\x1b[31m\u202e'
        report = of_cpu()
        report['cpu'] = report['models'][0]['name'] = report['job']['target_path'] = evil
        report['frame_graph']['processor_models'] = [evil]
        report['frame_graph']['analyser'] = f'face_detector={evil} x ='
        made, _ = page(report)
        self.assertNotIn('<b>', made)
        self.assertNotIn('\x1b', made)

    def test_narrow(self):
        """What may be wide scrolls inside; all else has no fixed width."""
        made, _ = page(h200())
        for table in re.findall(r'(.{0,40})<table(.*?)>', made, re.S):
            self.assertTrue('class=wide' in table[0] or 'facts' in table[1], table)
        self.assertNotRegex(made.split('</style>')[1], r'style=|\dpx|<svg[^>]* width')


def measure(program):
    """The networks of a frame are all counted, the swapper's too; a video's frame is worked on."""
    with tempfile.TemporaryDirectory() as folder:
        picture = os.path.expanduser('~/.cache/reprise/media/astronaut.png')
        subprocess.run(['ffmpeg', '-v', 'error', '-loop', '1', '-i', picture, '-frames:v', '2', '-pix_fmt',
                        'yuv420p', f'{folder}/clip.mp4'], check=True)
        subprocess.run([program, 'benchmark', '--offline', '--benchmark-quick', '--benchmark-parts',
                        'models', 'frame', '--benchmark-frame', '640x480', '-s', picture, '-t',
                        f'{folder}/clip.mp4', '--json', f'{folder}/r.json', '--html', f'{folder}/r.html'],
                       check=True, stdout=subprocess.DEVNULL)
        with open(f'{folder}/r.json', encoding='utf-8') as file:
            report = json.load(file)
        with open(f'{folder}/r.html', encoding='utf-8') as file:
            assert file.read() == page(report)[0]
    frame, took = report['frame_graph'], {m['name']: m['plain_ms'] for m in report['models']}
    names = [word.split('=')[1] for word in frame['analyser'].split()] + frame['processor_models']
    assert 'classic_256' in names and frame['faces'] == frame['selected'] == 1, frame
    want = sum(took[name] for name in names)
    assert abs(frame['plain_networks_ms'] - want) < 1e-6 * want, (frame, took)
    print('ok the networks of a frame are counted')


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    if sys.argv[1:2] == ['--measure']:
        sys.exit(measure(sys.argv[2]))
    unittest.main()
