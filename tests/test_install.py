#!/usr/bin/python3
"""What `make install` puts somewhere works there for another user who has nothing, applications are
built with it, and `make uninstall` leaves the folder as it was. The examples are those applications.

    tests/test_install.py BUILD/reprise [-v] [Install] [Subproject]
"""
import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

import e2e
import ort

PREFIX = '/usr/local'  # make's own, so that no build folder is configured anew
EXAMPLES = os.path.join(e2e.ROOT, 'examples')


def tree(folder):
    """Every path with its kind and size."""
    found = {}
    for here, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(here, name)
            st = os.lstat(path)
            found[os.path.relpath(path, folder)] = (oct(st.st_mode),
                                                    0 if os.path.isdir(path) else st.st_size)
    return found


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Not below the folder of the tests, which other users may not enter.
        cls.work = tempfile.mkdtemp(prefix='reprise-install-')
        cls.addClassCleanup(shutil.rmtree, cls.work, True)
        os.chmod(cls.work, 0o755)
        cls.dest = os.path.join(cls.work, 'dest')
        cls.user = os.path.join(cls.work, 'user')
        # Somebody else's files are there before, in folders that we use, too.
        os.makedirs(cls.dest + PREFIX + '/share/man/man1')
        os.makedirs(cls.dest + PREFIX + '/lib/pkgconfig', 0o700)
        with open(cls.dest + PREFIX + '/share/man/man1/other.1', 'w', encoding='utf-8') as file:
            file.write('other')
        cls.before = tree(cls.dest)
        cls.said = cls.script(os.path.dirname(e2e.program))
        cls.after = tree(cls.dest)
        os.chmod(cls.dest + PREFIX + '/lib/pkgconfig', 0o755)
        cls.make_user()

    @classmethod
    def script(cls, what):
        done = subprocess.run([e2e.ROOT + '/scripts/install.sh', what, cls.dest, PREFIX],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise AssertionError(f'install.sh {what}: {done.stdout}')
        return done.stdout

    @classmethod
    def make_user(cls):
        """A home of its own with two pictures and a clip; what we are not allowed to read is not."""
        os.makedirs(cls.user + '/in')
        for name in ('batch.sh', 'swap.py'):  # another user may not enter this checkout
            shutil.copy(f'{EXAMPLES}/{name}', cls.user)
        for args in (['-i', e2e.PICTURE, '-vf', 'scale=256:256', 'in/target.png'],
                     ['-i', e2e.PICTURE, '-vf', 'scale=256:256,hflip,eq=saturation=0.5', 'face.png'],
                     ['-loop', '1', '-i', e2e.PICTURE, '-vf', 'scale=128:128', '-frames:v', '3',
                      '-pix_fmt', 'yuv420p', 'clip.mp4'],
                     ['-i', 'clip.mp4', '-f', 'rawvideo', '-pix_fmt', 'bgr24', 'clip.bgr']):
            subprocess.run(['ffmpeg', '-v', 'error', *args], cwd=cls.user, check=True)
        if os.getuid() == 0:
            nobody = pwd.getpwnam('nobody')
            for here, _, files in os.walk(cls.user):
                for path in [here, *(os.path.join(here, f) for f in files)]:
                    os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def libdir(self):
        for path in self.after:
            if path.endswith('libreprise.so'):
                return os.path.join(self.dest, os.path.dirname(path))
        return self.fail('no libreprise.so was installed')

    def run_user(self, *command, code=0, **kwargs):
        """As a user who has nothing but the installed things and this home."""
        env = {'HOME': self.user, 'PATH': self.dest + PREFIX + '/bin:/usr/bin:/bin',
               'LD_LIBRARY_PATH': self.libdir(), 'REPRISE_OFFLINE': '1', 'LC_ALL': 'C.UTF-8',
               'LIBREPRISE': self.libdir() + '/libreprise.so'}
        if os.getuid() == 0:
            kwargs['user'] = 'nobody'
        done = subprocess.run(command, cwd=self.user, env=env, capture_output=True, **kwargs)
        self.assertEqual(done.returncode, code, (command, done.stdout[-500:], done.stderr[-2000:]))
        return done

    def assert_marked(self, path):
        said = self.run_user('reprise', 'inspect', path).stdout.decode()
        self.assertIn('face_swapper', said)
        self.assertIn('TrainedAlgorithmicMedia', said)

    @classmethod
    def built(cls):
        """The examples, built against what was installed."""
        out = os.path.join(cls.work, 'built')
        if not os.path.isdir(out):
            os.mkdir(out)
            folders = [os.path.join(cls.dest, p) for p in cls.after if p.endswith('pkgconfig')]
            env = {**os.environ, 'PKG_CONFIG_PATH': ':'.join(folders), 'OUT': out,
                   'PKG_CONFIG_SYSROOT_DIR': cls.dest,
                   'CFLAGS': '-O1 -std=c11 -Wall -Wextra -pedantic -Werror'}
            subprocess.run(['make', '-s', '-C', EXAMPLES], env=env, check=True)
        return out

    def test_program(self):
        self.run_user('reprise', 'headless-run', '-s', 'face.png', '-t', 'in/target.png', '-o', 'a.png')
        self.assert_marked('a.png')
        self.assertIn(b'7 already there', self.run_user('reprise', 'force-download', 'lite').stderr)
        self.assertIn(self.dest, self.run_user('reprise', 'doctor').stdout.decode())

    def test_picture(self):
        with open(EXAMPLES + '/picture.c', encoding='utf-8') as file:
            self.assertLess(len(file.readlines()), 31)
        self.run_user(self.built() + '/picture', 'face.png', 'in/target.png', 'b.jpg')
        self.assert_marked('b.jpg')
        self.run_user(self.built() + '/picture', 'face.png', 'nowhere.png', 'b2.jpg', code=1)

    def test_job(self):
        done = self.run_user(self.built() + '/job', '--source-paths=face.png',
                             '--target-path=clip.mp4', '--output-path=c.mp4')
        self.assertIn(b'3 faces changed', done.stdout)
        self.assert_marked('c.mp4')
        self.run_user(self.built() + '/job', '--no-such=1', code=2)

    def test_frames(self):
        with open(self.user + '/clip.bgr', 'rb') as file:
            pixels = file.read()
        done = self.run_user(self.built() + '/frames', 'face.png', '128', '128', 'mark.xmp',
                             input=pixels)
        self.assertEqual(len(done.stdout), len(pixels))
        self.assertNotEqual(done.stdout, pixels)
        with open(self.user + '/mark.xmp', encoding='utf-8') as file:
            self.assertIn('TrainedAlgorithmicMedia', file.read())

    def test_cuda_module(self):
        """One that tells a wrong number is found where it is installed, and named."""
        module = self.libdir() + '/reprise/libreprise-cuda.so'
        self.addCleanup(os.remove, module)
        subprocess.run(['cc', '-shared', '-fPIC', '-xc', '-', '-o', module], check=True, text=True,
                       input='void rp_module_abi(void *abi) { (void) abi; }')
        options = {'source-paths': 'face.png', 'target-path': 'in/target.png',
                   'output-path': 'no.png', 'execution-providers': 'cuda'}
        for command in (['reprise', 'headless-run'], [self.built() + '/job']):
            done = self.run_user(*command, *(f'--{k}={v}' for k, v in options.items()), code=1)
            self.assertIn(f'the CUDA module {module} is of another build', done.stderr.decode())

    def test_batch(self):
        done = self.run_user('./batch.sh', 'face.png', 'in', 'out')
        self.assertIn(b'1 done, 0 refused, 0 failed', done.stdout)
        self.assert_marked('out/target.png')

    def test_python(self):
        self.run_user('/usr/bin/python3', 'swap.py', 'face.png', 'in/target.png', 'd.png')
        self.assert_marked('d.png')
        self.run_user('/usr/bin/python3', 'swap.py', 'face.png', 'no.png', 'd2.png', code=1)

    def test_zz_again_and_away(self):
        """After the others: a second time gives the same, and nothing is left."""
        again = self.script(os.path.dirname(e2e.program))
        self.assertEqual(again, self.said)
        now = tree(self.dest)
        now['usr/local/lib/pkgconfig'] = self.after['usr/local/lib/pkgconfig']
        self.assertEqual(now, self.after)
        os.chmod(self.dest + PREFIX + '/lib/pkgconfig', 0o700)
        self.script('--remove')
        self.assertEqual(tree(self.dest), self.before)


class Subproject(unittest.TestCase):
    """reprise built as part of another Meson project, which asks for it by dependency(). Takes minutes."""

    def test_picture(self):
        work = tempfile.mkdtemp(prefix='reprise-subproject-')
        self.addCleanup(shutil.rmtree, work, True)
        os.mkdir(work + '/subprojects')
        os.symlink(e2e.ROOT, work + '/subprojects/reprise')
        shutil.copy(EXAMPLES + '/picture.c', work)
        with open(work + '/meson.build', 'w', encoding='utf-8') as file:
            file.write("project('outer', 'c')\n"
                       "executable('picture', 'picture.c', dependencies: dependency('reprise', "
                       "fallback: 'reprise'))\n")
        subprocess.run(['meson', 'setup', '--force-fallback-for=reprise', 'build'], cwd=work, check=True)
        subprocess.run(['ninja', '-C', 'build', 'picture'], cwd=work, check=True)
        env = {**os.environ, 'ORT_HOME': ort.home()}
        subprocess.run(['build/picture', e2e.PICTURE, e2e.PICTURE, 'out.png'], cwd=work, env=env,
                       check=True)
        self.assertIn('face_swapper', e2e.run('inspect', work + '/out.png').stdout)


if __name__ == '__main__':
    e2e.main()
