#!/usr/bin/python3
"""Jobs and batches: the files of FaceFusion's jobs, what becomes of outputs, several processes at once,
processes that are killed, files that nobody should trust. FaceFusion's own tests of jobs are lines of
test_dropin.py.

    test_jobs.py PROGRAM [-v] [TEST...]
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import e2e
import numpy as np
from contracts import common

SCENE = common.Scene('jobs', 160, 120, [common.turned([50, 20, 110, 100], 0, 0.9)])
FOLDERS = 'drafted', 'queued', 'completed', 'failed'
# What FaceFusion 3.8.1 writes for a step that is given nothing, from the facts about it.
THEIRS = {
    'source_paths': None, 'target_path': None, 'output_path': None,
    'face_detector_model': 'yolo_face', 'face_detector_size': '640x640',
    'face_detector_margin': [0, 0, 0, 0], 'face_detector_angles': [0], 'face_detector_score': 0.5,
    'face_landmarker_model': '2dfan4', 'face_landmarker_score': 0.5,
    'face_selector_mode': 'reference', 'face_selector_order': 'large-small',
    'face_selector_age_start': None, 'face_selector_age_end': None, 'face_selector_gender': None,
    'face_selector_race': None, 'reference_face_position': 0, 'reference_face_distance': 0.3,
    'reference_frame_number': 0, 'face_tracker_score': 0.0, 'face_occluder_model': 'xseg_1',
    'face_parser_model': 'bisenet_resnet_34', 'face_mask_types': ['box'],
    'face_mask_areas': ['upper-face', 'lower-face', 'mouth'],
    'face_mask_regions': ['skin', 'left-eyebrow', 'right-eyebrow', 'left-eye', 'right-eye',
                          'glasses', 'nose', 'mouth', 'upper-lip', 'lower-lip'],
    'face_mask_blur': 0.3, 'face_mask_padding': [0, 0, 0, 0],
    'voice_extractor_model': 'kim_vocal_2', 'trim_frame_start': None, 'trim_frame_end': None,
    'temp_frame_format': 'png', 'temp_pixel_format': 'bgr24', 'target_frame_amount': 2,
    'output_image_quality': 80, 'output_image_scale': 1.0, 'output_audio_encoder': 'flac',
    'output_audio_quality': 80, 'output_audio_volume': 100, 'output_video_encoder': 'libx264',
    'output_video_preset': 'veryfast', 'output_video_quality': 80, 'output_video_scale': 1.0,
    'output_video_fps': None, 'workflow_mode': 'auto', 'workflow_strategy': 'memory',
    'processors': ['face_swapper'], 'age_modifier_model': 'fran', 'age_modifier_direction': 0,
    'background_remover_model': 'modnet', 'background_remover_fill_color': [0, 0, 0, 0],
    'background_remover_despill_color': [0, 0, 0, 0],
    'deep_swapper_model': 'iperov/elon_musk_224', 'deep_swapper_morph': 100,
    'expression_restorer_model': 'live_portrait', 'expression_restorer_factor': 80,
    'expression_restorer_areas': ['upper-face', 'lower-face'],
    'face_debugger_items': ['face-landmark-5/68', 'face-mask'], 'face_editor_model': 'live_portrait',
    **{f'face_editor_{name}': 0.0 for name in (
        'eyebrow_direction', 'eye_gaze_horizontal', 'eye_gaze_vertical', 'eye_open_ratio',
        'lip_open_ratio', 'mouth_grim', 'mouth_pout', 'mouth_purse', 'mouth_smile',
        'mouth_position_horizontal', 'mouth_position_vertical', 'head_pitch', 'head_yaw',
        'head_roll')},
    'face_enhancer_model': 'gfpgan_1.4', 'face_enhancer_blend': 80, 'face_enhancer_weight': 0.5,
    'face_swapper_model': 'hyperswap_1a_256', 'face_swapper_pixel_boost': '256x256',
    'face_swapper_weight': 0.5, 'frame_colorizer_model': 'ddcolor',
    'frame_colorizer_size': '256x256', 'frame_colorizer_blend': 100,
    'frame_enhancer_model': 'span_kendata_x4', 'frame_enhancer_blend': 80,
    'lip_syncer_model': 'wav2lip_gan_96', 'lip_syncer_weight': 0.5,
}
DEBUGGER = {'processors': ['face_debugger'], 'face_debugger_items': ['bounding-box']}
ON_LINE = ['--processors', 'face_debugger', '--face-debugger-items', 'bounding-box']


def job_text(*steps, status='queued', **changes):
    """A job as FaceFusion writes it, from what is special in the args of its steps."""
    steps = [{'args': {**THEIRS, **DEBUGGER, **args}, 'status': status} for args in steps]
    return json.dumps({'version': '1', 'date_created': '2026-01-02T03:04:05.678901+01:00',
                       'date_updated': None, 'steps': steps, **changes}, indent=4)


class Jobs(unittest.TestCase):
    def setUp(self):
        self.at = e2e.scratch('work')
        shutil.rmtree(self.at, ignore_errors=True)
        os.makedirs(self.at)
        self.picture = f'{self.at}/target.png'
        shutil.copy(SCENE.picture(), self.picture)

    def run_(self, *words, code=0, **kwargs):
        if re.match('batch|headless|job-re?t?ry|job-run', words[0]):
            words = [*words, '--models-path', SCENE.models()]
        ran = e2e.run(*words, '--jobs-path', f'{self.at}/jobs', cwd=self.at, **kwargs)
        self.assertEqual(ran.returncode, code, ran.stderr)
        return ran

    def put(self, name, text, folder='queued'):
        for each in FOLDERS:
            os.makedirs(f'{self.at}/jobs/{each}', exist_ok=True)
        with open(f'{self.at}/jobs/{folder}/{name}.json', 'w', encoding='utf-8') as file:
            file.write(text)

    def job(self, name, folder):
        with open(f'{self.at}/jobs/{folder}/{name}.json', encoding='utf-8') as file:
            return json.load(file)

    def where(self):
        """Each file of a job with its folder; nothing else lies about."""
        return sorted(f'{folder}/{name}' for folder in FOLDERS
                      for name in os.listdir(f'{self.at}/jobs/{folder}'))

    def outputs(self):
        return sorted(set(os.listdir(self.at)) - {'target.png', 'jobs'})


class Files(Jobs):
    """What is in the file of a job."""

    def test_structure(self):
        self.run_('job-create', 'one')
        made = self.job('one', 'drafted')
        self.assertEqual([*made], ['version', 'date_created', 'date_updated', 'steps'])
        self.assertEqual((made['version'], made['date_updated'], made['steps']), ('1', None, []))
        self.run_('job-add-step', 'one')
        self.run_('job-add-step', 'one', '-s', 'a b.jpg', 'ü.jpg', '-t', 't.mp4', '-o', 'o.mp4',
                  '--face-mask-padding', '5', '10', '--face-swapper-model', 'inswapper_128_fp16',
                  '--output-video-fps', '29.97', '--face-blur-amount', '3', '--processors',
                  'face_swapper', 'face_blur', '--face-selector-age-start', '30',
                  '--face-detector-angles', '0', '90')
        got = self.job('one', 'drafted')
        date = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$')
        for key in 'date_created', 'date_updated':
            self.assertRegex(got[key], date)
        first, second = got['steps']
        self.assertEqual(first, {'args': THEIRS, 'status': 'drafted'})
        self.assertEqual([*first['args']], [*THEIRS])
        self.assertEqual([type(v) for v in first['args'].values()], [type(v) for v in THEIRS.values()])
        self.assertEqual(second['args'], {
            **THEIRS, 'source_paths': ['a b.jpg', 'ü.jpg'], 'target_path': 't.mp4',
            'output_path': 'o.mp4', 'face_mask_padding': [5, 10], 'output_video_fps': 29.97,
            'face_swapper_model': 'inswapper_128_fp16', 'face_swapper_pixel_boost': '128x128',
            'face_blur_amount': 3, 'processors': ['face_swapper', 'face_blur'],
            'face_selector_age_start': 30, 'face_detector_angles': [0, 90]})
        with open(f'{self.at}/jobs/drafted/one.json', encoding='utf-8') as file:
            # as Python writes it, but for the case of digits
            self.assertEqual(file.read().lower(), json.dumps(got, indent=4).lower())

    def test_names(self):
        for name in '../my_job', '', '-':
            e2e.must('job-create', '--jobs-path', f'{self.at}/jobs', '--', name)
            self.assertIn(f'drafted/{hashlib.sha1(name.encode()).hexdigest()}.json', self.where())
        for name in 'größe-1', '目标':
            self.run_('job-create', name)
            self.assertIn(f'drafted/{name}.json', self.where())
        self.run_('job-create', 'x' * 201, code=1)
        self.run_('job-list', 'sometimes', code=2)
        table = self.run_('job-list', 'drafted').stdout.splitlines()
        self.assertEqual([c.strip() for c in table[1].split('|')[1:-1]],
                         ['job id', 'steps', 'date created', 'date updated', 'job status'])
        self.assertEqual([c.strip() for c in table[-2].split('|')[1:-1]],
                         ['目标', '0', 'just now', '-', 'drafted'])

    def test_steps(self):
        self.run_('job-create', 'one')
        for output in 'a.jpg', 'b.jpg', 'c.jpg':
            self.run_('job-add-step', 'one', '-t', 't.jpg', '-o', f'x/{output}')
        self.run_('job-insert-step', 'one', '-7', '-o', 'before-the-last.jpg')
        self.run_('job-remix-step', 'one', '1', '-o', 'mixed.jpg', '--output-image-quality', '7')
        self.run_('job-remove-step', 'one', '0')
        self.run_('job-insert-step', 'one', '99', code=1)
        self.run_('job-remix-step', 'one', 'first', code=2)
        self.run_('job-remove-step', 'one', code=2)
        args = [step['args'] for step in self.job('one', 'drafted')['steps']]
        self.assertEqual([a['output_path'] for a in args],
                         ['x/b.jpg', 'before-the-last.jpg', 'x/c.jpg', 'mixed.jpg'])
        self.assertEqual(args[3]['target_path'], 'x/b-one-1.jpg')
        self.assertEqual(args[3]['output_image_quality'], 7)
        said = self.run_('job-add-step', 'one', '--face-detector-score', '0.33', code=2).stderr
        self.assertIn('--face-detector-score', said)

    def test_config(self):
        """The folder may come from a config file."""
        with open(f'{self.at}/facefusion.ini', 'w', encoding='utf-8') as file:
            file.write('[paths]\njobs_path = mine\n')
        e2e.must('job-create', 'one', cwd=self.at)
        self.assertEqual(os.listdir(f'{self.at}/mine/drafted'), ['one.json'])

    def test_hostile(self):
        """Each is refused with one sentence, and left where it is."""
        step = {'target_path': self.picture, 'output_path': f'{self.at}/o.png'}
        queued = {'args': {}, 'status': 'queued'}
        texts = ['', '[', '{}', '[]', 'null', '"x"', '{"version": "1"}', '[' * 100000, '{"a":' * 5000,
                 job_text(version='2'), job_text(steps={}), job_text(steps=[1]),
                 job_text(steps=[{'args': {}}]), job_text(steps=[{**queued, 'status': 'x'}]),
                 job_text(steps=[{**queued, 'args': {'processors': [['x']]}}]),
                 job_text(steps=[{**queued, 'args': {'x': {}}}]),
                 job_text({**step, 'output_path': '/tmp/\0'}), job_text(date_created=3),
                 job_text(step)[:-3], job_text(steps=[queued] * 10001),
                 job_text({'source_paths': ['x'] * 65}), '{"a": 1, "a": 2}', '[1' + ',1' * 4000000]
        for i, text in enumerate(texts):
            self.put(f'bad-{i}', text)
        left = self.where()
        said = self.run_('job-run-all', code=1).stderr.splitlines()
        for i, text in enumerate(texts):
            with self.subTest(text[:60]):
                about = [line for line in said if f'/bad-{i}.json' in line]
                self.assertEqual(len(about), 1, about)
                self.assertIn('not the file of a job', about[0])
        self.assertEqual(len(said), len(texts) + 1)
        self.run_('job-list', 'queued', code=1)
        self.assertEqual(self.where(), left)
        self.run_('job-delete-all')
        self.assertEqual(self.where(), [])

    def test_hostile_steps(self):
        """A step gets no further than a command line; nothing of it commands the terminal."""
        step = {'target_path': self.picture, 'output_path': f'{self.at}/o.png'}
        os.mkfifo(f'{self.at}/pipe.png')
        escape = '\x1b]0;owned\x07\u202e'
        cases = [({'face_detector_score': 0.33}, '--face-detector-score'),
                 ({'processors': 'nothing'}, '--processors'), ({'such_a_key': 1}, 'such_a_key'),
                 ({f'x{escape}': 1}, 'is no option'), ({'output_path': None}, '--output-path'),
                 ({'output_path': self.at}, '--output-path'),
                 ({'output_path': f'{self.at}/pipe.png'}, 'not a plain file'),
                 ({'output_path': self.picture}, 'would be overwritten'),
                 ({'source_paths': [f'{self.at}/{escape}.png']}, 'source-paths'),
                 ({'target_path': f'/nowhere/{escape}'}, 'target-path')]
        for i, (args, _) in enumerate(cases):
            self.put(f'bad-{i}', job_text({**step, **args}))
            os.utime(f'{self.at}/jobs/queued/bad-{i}.json', (i, i))  # the order in which they run
        ran = self.run_('job-run-all', code=1)
        parts = ran.stderr.split('processing step 1 of 1\n')[1:]
        for i, ((_, said), part) in enumerate(zip(cases, parts, strict=True)):
            with self.subTest(said):
                self.assertIn(said, part)
                self.assertIn(f'processing of job bad-{i} failed', part)
                self.assertEqual(self.job(f'bad-{i}', 'failed')['steps'][0]['status'], 'failed')
        for character in '\x1b\x07\u202e':
            self.assertNotIn(character, ran.stderr + ran.stdout)
        self.assertEqual(len(self.where()), len(cases))
        self.assertEqual(self.outputs(), ['pipe.png'])
        with open(self.picture, 'rb') as now, open(SCENE.picture(), 'rb') as before:
            self.assertEqual(now.read(), before.read())

    def test_links(self):
        """A link in the place of a job's file is not followed, nor read."""
        self.run_('job-create', 'one')
        os.rename(f'{self.at}/jobs/drafted/one.json', f'{self.at}/elsewhere.json')
        os.symlink(f'{self.at}/elsewhere.json', f'{self.at}/jobs/drafted/one.json')
        os.mkfifo(f'{self.at}/jobs/drafted/two.json')
        for name in 'one', 'two':
            self.run_('job-add-step', name, code=1, timeout=20)
        self.run_('job-list', 'drafted', code=1)


class Running(Jobs):
    def test_theirs(self):
        """A file of FaceFusion's: keys of the command that runs it, and of earlier versions, do not
        matter; the result is that of the same words on a command line."""
        self.put('theirs', job_text({
            'target_path': self.picture, 'output_path': f'{self.at}/o.png', 'keep_temp': True,
            'execution_providers': ['coreml'], 'models_path': '/nowhere', 'log_level': 'error',
            'config_path': '/nowhere', 'output_image_scale': 0.5}))
        ran = self.run_('job-run', 'theirs')
        self.assertIn('processing of job theirs succeeded', ran.stderr)
        self.assertEqual(self.where(), ['completed/theirs.json'])
        self.assertEqual(self.outputs(), ['o.png'])
        done = self.job('theirs', 'completed')
        self.assertEqual(done['steps'][0]['status'], 'completed')
        self.assertEqual(done['date_created'], '2026-01-02T03:04:05.678901+01:00')
        self.assertTrue(done['date_updated'])
        self.run_('headless-run', *ON_LINE, '-t', self.picture, '-o', 'same.png',
                  '--output-image-scale', '0.5')
        with open(f'{self.at}/o.png', 'rb') as a, open(f'{self.at}/same.png', 'rb') as b:
            self.assertEqual(a.read(), b.read())
        self.run_('job-run', 'theirs', code=1)
        self.run_('job-retry', 'theirs', code=1)

    def test_mixed(self):
        """A step goes on from what another made; the last one to write a picture wins."""
        middle, last = f'{self.at}/m.png', f'{self.at}/o.png'
        self.put('mix', job_text(
            {'target_path': self.picture, 'output_path': middle, 'output_image_scale': 2.0},
            {'target_path': f'{self.at}/m-mix-0.png', 'output_path': last},
            {'target_path': f'{self.at}/m-mix-0.png', 'output_path': last,
             'output_image_scale': 0.25}))
        self.run_('job-run', 'mix')
        self.assertEqual(self.outputs(), ['m.png', 'o.png'])
        self.assertEqual((e2e.size_of(middle), e2e.size_of(last)), ((320, 240), (80, 60)))

    def test_joined(self):
        """Steps that write the same video are joined in their order: every frame, every time, the
        sound, the mark."""
        clip, steps = f'{self.at}/clip.mp4', []
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=160x120:r=25:d=1.2', '-f', 'lavfi', '-i',
                   'sine=300:duration=1.2', '-pix_fmt', 'yuv420p', '-c:a', 'aac', clip)
        for start, end, items in (0, 7, 'bounding-box'), (7, 20, 'face-mask'), (20, 30, 'bounding-box'):
            steps.append({'target_path': clip, 'output_path': f'{self.at}/o.mp4',
                          'trim_frame_start': start, 'trim_frame_end': end,
                          'output_audio_encoder': 'aac', 'face_debugger_items': [items]})
        self.put('parts', job_text(*steps))
        self.run_('job-run', 'parts')
        self.assertEqual(self.outputs(), ['clip.mp4', 'o.mp4'])
        times = [float(t) for t in e2e.times(f'{self.at}/o.mp4')]
        np.testing.assert_allclose(times, np.arange(30) / 25, atol=1e-4)
        sound = e2e.packets(f'{self.at}/o.mp4', 'a:0')
        self.assertGreater(len(sound), 1.1 * 44100 / 1024)
        mark = json.loads(e2e.must('inspect', '--json', f'{self.at}/o.mp4').stdout)
        self.assertIn('face_debugger', json.dumps(mark))
        whole = common.read_frames(f'{self.at}/o.mp4')
        for start, end, items in (0, 7, 'bounding-box'), (7, 20, 'face-mask'):
            self.run_('headless-run', *ON_LINE[:3], items, '-t', clip, '-o', 'part.mp4',
                      '--output-audio-encoder', 'aac', '--trim-frame-start', str(start),
                      '--trim-frame-end', str(end))
            np.testing.assert_array_equal(whole[start:end],
                                          common.read_frames(f'{self.at}/part.mp4'))

    def test_not_joined(self):
        """Parts that do not fit: the job fails with a sentence, and they are left."""
        clip = f'{self.at}/clip.mp4'
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=160x120:r=25:d=0.1', '-pix_fmt', 'yuv420p', clip)
        self.put('parts', job_text(*({'target_path': clip, 'output_path': f'{self.at}/o.mp4',
                                      'output_video_scale': scale} for scale in (1.0, 0.5))))
        self.assertIn('cannot be joined', self.run_('job-run', 'parts', code=1).stderr)
        self.assertEqual(self.where(), ['failed/parts.json'])
        self.assertEqual(self.outputs(), ['clip.mp4', 'o-parts-0.mp4', 'o-parts-1.mp4'])

    def test_failure(self):
        """A failed step ends its job and leaves nothing; then the job can be tried again."""
        args = {'target_path': self.picture, 'output_path': f'{self.at}/a.png'}
        later = {'target_path': f'{self.at}/later.png', 'output_path': f'{self.at}/b.png'}
        self.put('one', job_text(args, later, args))
        self.put('two', job_text({**args, 'output_path': f'{self.at}/c.png'}))
        os.utime(f'{self.at}/jobs/queued/one.json', (1, 1))
        self.run_('job-run-all', '--halt-on-error', code=1)
        self.assertEqual(self.where(), ['failed/one.json', 'queued/two.json'])
        self.assertEqual(self.outputs(), [])
        self.assertEqual([s['status'] for s in self.job('one', 'failed')['steps']],
                         ['completed', 'failed', 'queued'])
        self.run_('job-retry', 'one', code=1)
        self.run_('job-run-all')
        shutil.copy(self.picture, f'{self.at}/later.png')
        self.run_('job-retry-all')
        self.assertEqual(self.where(), ['completed/one.json', 'completed/two.json'])
        self.assertEqual(self.outputs(), ['a.png', 'b.png', 'c.png', 'later.png'])


class Several(Jobs):
    """Processes at once, and processes that end."""

    def start(self, *words):
        return subprocess.Popen([e2e.program, *words, '--jobs-path', f'{self.at}/jobs'], cwd=self.at,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def test_race(self):
        """Steps added by many at once are all there; of many that run the queue each job is run by
        one."""
        self.run_('job-create', 'one')
        adding = [self.start('job-add-step', 'one', '-t', self.picture, '-o', f'{self.at}/{i}.png',
                             *ON_LINE) for i in range(6)]
        creating = [self.start('job-create', 'two') for _ in range(4)]
        self.assertEqual([p.wait() for p in adding], [0] * 6)
        self.assertEqual(sorted(p.wait() for p in creating), [0, 1, 1, 1])
        for process in adding + creating:
            process.stderr.close()
        made = {step['args']['output_path'] for step in self.job('one', 'drafted')['steps']}
        self.assertEqual(made, {f'{self.at}/{i}.png' for i in range(6)})
        self.run_('job-submit', 'one')
        self.run_('job-delete', 'two')
        for i in range(3):
            self.put(f'more-{i}', job_text({'target_path': self.picture,
                                            'output_path': f'{self.at}/more{i}.png'}))
        running = [self.start('job-run-all', '--models-path', SCENE.models()) for _ in range(3)]
        said = ''.join(p.communicate()[1] for p in running)
        for name in 'one', 'more-0', 'more-1', 'more-2':
            self.assertEqual(said.count(f'processing of job {name} succeeded'), 1, said)
        self.assertEqual(len(self.where()), 4)
        self.assertTrue(all(name.startswith('completed/') for name in self.where()))

    def begin_long(self):
        """A job whose second step takes long, when that step runs."""
        clip = f'{self.at}/clip.mp4'
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=160x120:r=25:d=40', '-pix_fmt', 'yuv420p',
                   '-preset', 'ultrafast', clip)
        self.put('long', job_text(
            {'target_path': self.picture, 'output_path': f'{self.at}/a.png'},
            {'target_path': clip, 'output_path': f'{self.at}/b.mp4'}))
        process = self.start('job-run', 'long', '--models-path', SCENE.models())
        self.addCleanup(process.stderr.close)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if any('.part.' in name for name in os.listdir(self.at)):
                    states = [s['status'] for s in self.job('long', 'queued')['steps']]
                    if states == ['completed', 'started']:
                        return process
            self.assertIsNone(process.poll(), 'it ended too soon')
            time.sleep(0.005)
        self.fail('it did not begin')

    def shorten(self):
        """So that the rest of the test is fast."""
        e2e.ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=160x120:r=25:d=0.1', '-pix_fmt', 'yuv420p', '-y',
                   f'{self.at}/clip.mp4')

    def finish_long(self):
        self.shorten()
        said = self.run_('job-run', 'long').stderr
        self.assertIn('step 1 of 2 was done before', said)
        self.assertEqual(self.where(), ['completed/long.json'])
        self.assertEqual(self.outputs(), ['a.png', 'b.mp4', 'clip.mp4'])

    def test_killed(self):
        """While it runs no one else may have the job; killed, it is still in the queue, and goes on
        with the step that was running."""
        process = self.begin_long()
        for words in (['job-run', 'long'], ['job-delete', 'long'], ['job-add-step', 'long'],
                      ['job-delete-all']):
            self.assertIn('another process', self.run_(*words, code=1).stderr)
        self.assertIn('another process', self.run_('job-run-all').stderr)
        self.run_('job-list', 'queued')
        process.kill()
        process.wait()
        self.assertEqual(self.where(), ['queued/long.json'])
        self.finish_long()

    def test_interrupted(self):
        process = self.begin_long()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(), 4)
        self.assertIn("'reprise job-run long' goes on", process.stderr.read())
        self.assertEqual([s['status'] for s in self.job('long', 'queued')['steps']],
                         ['completed', 'queued'])
        self.finish_long()

    def test_left(self):
        """What a process that was killed while writing has left is no job."""
        self.run_('job-create', 'one')
        with open(f'{self.at}/jobs/drafted/.one.json.new', 'w', encoding='utf-8') as file:
            file.write('{"half')
        self.assertEqual(len(self.run_('job-list', 'drafted').stdout.splitlines()), 5)
        self.run_('job-add-step', 'one')
        self.assertEqual(self.where(), ['drafted/one.json'])


class Batches(Jobs):
    def setUp(self):
        super().setUp()
        for name in 'in', 'out':
            os.makedirs(f'{self.at}/{name}')
        for name in 'b.png', 'a.png', 'c d.png':
            shutil.copy(self.picture, f'{self.at}/in/{name}')

    def batch(self, *words, **kwargs):
        return self.run_('batch-run', *ON_LINE, *words, **kwargs)

    def made(self):
        return sorted(os.listdir(f'{self.at}/out'))

    def test_names(self):
        ran = self.batch('-t', 'in/*.png', '-o', 'out/{index:03d}-{target_name}{{}}{target_extension}')
        self.assertEqual(self.made(), ['000-a{}.png', '001-b{}.png', '002-c d{}.png'])
        self.assertIn('3 items done, 0 failed', ran.stderr)
        self.assertEqual(len(self.where()), 1)
        self.assertRegex(self.where()[0], r'completed/batch-\d{4}(-\d\d){5}\.json$')
        for pattern in 'out/{what}.png', 'out/{source_name}.png', 'out/{index:x}.png', 'out/{.png', 'out/}':
            said = self.batch('-t', 'in/*.png', '-o', pattern, code=1).stderr
            self.assertIn('--output-pattern', said)

    def test_folder(self):
        """A folder means its files; each source with each target, in order."""
        self.batch('-s', 'in/[ab].png', '--target-pattern', 'in', '-o',
                   'out/{index}-{source_name}-{target_name}.png')
        self.assertEqual(self.made(), ['0-a-a.png', '1-a-b.png', '2-a-c d.png', '3-b-a.png',
                                       '4-b-b.png', '5-b-c d.png'])

    def test_nothing(self):
        self.batch('-o', 'out/x.png', code=1)
        self.batch('-t', 'in/*.png', code=1)
        self.assertIn('no file', self.batch('-t', 'in/*.jpg', '-o', 'out/{index}.png', code=1).stderr)
        said = self.batch('-s', 'no/*', '-t', 'in/*.png', '-o', 'out/{index}.png', code=1).stderr
        self.assertIn('--source-pattern', said)
        said = self.batch('-t', 'in/a.png', 'in/b.png', '-o', 'out/{index}.png', code=2).stderr
        self.assertIn('in quotes', said)
        self.assertEqual((self.made(), self.where()), ([], []))

    def test_failed_items(self):
        """They do not end the others; what failed can be tried again, and only that."""
        with open(f'{self.at}/in/b.png', 'wb') as file:
            file.write(b'no picture')
        ran = self.batch('-t', 'in', '-o', 'out/{target_name}.png', code=1)
        self.assertIn('2 items done, 1 failed', ran.stderr)
        self.assertEqual(self.made(), ['a.png', 'c d.png'])
        name, = self.where()
        name = name.removeprefix('failed/').removesuffix('.json')
        steps = self.job(name, 'failed')['steps']
        self.assertEqual([s['args']['target_path'] for s in steps], ['in/b.png'])
        shutil.copy(self.picture, f'{self.at}/in/b.png')
        self.run_('job-retry', name)
        self.assertEqual(self.made(), ['a.png', 'b.png', 'c d.png'])

    def test_halt(self):
        with open(f'{self.at}/in/a.png', 'wb') as file:
            file.write(b'no picture')
        ran = self.batch('-t', 'in', '-o', 'out/{target_name}.png', '--halt-on-error', code=1)
        self.assertIn('0 items done, 1 failed', ran.stderr)
        self.assertEqual(self.made(), [])


if __name__ == '__main__':
    e2e.main(standins=True)
