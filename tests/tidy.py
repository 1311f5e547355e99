#!/usr/bin/python3
"""clang-tidy for each C file of a build, as many at once as are wanted.

    tidy.py BUILD PROCESSES NODES

A file is looked at again only when it or what it includes changed since it was found clean: BUILD/lint
holds a hash of these for each, and what clang-tidy said. What a file includes is known from the last
compilation of it. NODES: states of a function at most (tests/lint.sh says more).

One line a file: "ok clang-tidy FILE" or "not ok clang-tidy FILE" and what is wrong.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def flags_of(command):
    """Includes and macros are all that matters here."""
    words, keep = shlex.split(command), ['-xc']
    for i, word in enumerate(words):
        if word.startswith(('-I', '-D', '-isystem', '-std', '-U')) and not word.startswith('-Imedia'):
            keep.append(word)
            if word in ('-I', '-D', '-isystem'):
                keep.append(words[i + 1])
    return keep


def commands(build):
    """file (below ROOT) -> (its object, flags), of the first object made of it."""
    found = {}
    with open(f'{build}/compile_commands.json', encoding='utf-8') as file:
        for entry in json.load(file):
            path = os.path.relpath(os.path.join(entry['directory'], entry['file']), ROOT)
            if path.endswith('.c') and not path.startswith('..'):
                found.setdefault(path, (entry['output'], flags_of(entry['command'])))
    return found


def included(build):
    """object -> files that it was made of, as Ninja keeps them."""
    text = subprocess.run(['ninja', '-C', build, '-t', 'deps'], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    found, names = {}, []
    for line in text.splitlines():
        if line.startswith('    '):
            names.append(line.strip())
        elif ': #deps' in line:
            names = found[line.split(': #deps')[0]] = []
    return found


@functools.lru_cache(maxsize=None)
def hash_of(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).digest()


def state_of(build, path, names, more):
    total = hashlib.sha256(more.encode() + hash_of(f'{ROOT}/.clang-tidy') + hash_of(f'{ROOT}/{path}'))
    for name in names:
        total.update(name.encode() + hash_of(os.path.join(build, name)))
    return total.hexdigest()


def tidy(build, path, flags, nodes, state):
    """What is wrong with a file, '' if it is clean."""
    mark = f'{build}/lint/{path.replace("/", "_")}'
    if state and os.path.exists(mark):
        with open(mark, encoding='utf-8') as file:
            if file.read() == state:
                return ''
    result = subprocess.run(
        ['clang-tidy', '-quiet', f'{ROOT}/{path}', '--', *flags, '-Xclang', '-analyzer-config',
         '-Xclang', f'max-nodes={nodes}'], cwd=build, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
    with open(mark + '.log', 'w', encoding='utf-8') as file:
        file.write(result.stdout)
    if result.returncode == 0:
        with open(mark, 'w', encoding='utf-8') as file:
            file.write(state)
        return ''
    wrong = [line.replace(ROOT + '/', '') for line in result.stdout.splitlines()
             if re.search(r'(error|warning):|^/', line)]
    return '\n'.join(wrong[:10] or [f'exit code {result.returncode}'])


def main():
    build, processes, nodes = os.path.realpath(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.makedirs(f'{build}/lint', exist_ok=True)
    files, made_of = commands(build), included(build)

    def look(path):
        built, flags = files[path]
        # never compiled: what it includes is not known, so it is looked at each time
        state = built in made_of and state_of(build, path, made_of[built], f'{flags} {nodes}')
        return path, tidy(build, path, flags, nodes, state or '')

    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        for path, wrong in pool.map(look, sorted(files)):
            print(f'not ok clang-tidy {path}\n    ' + wrong.replace('\n', '\n    ') if wrong else
                  f'ok clang-tidy {path}', flush=True)


if __name__ == '__main__':
    main()
