#!/usr/bin/python3
"""Who needs whom in src, and how long its functions are.

    layers.py BUILD [FOLDER...]   but for what the files of these FOLDERs of src need
    layers.py --self-test         that each of the findings below can be found

Of the object files of a build: a folder needs nothing of a folder below it in ORDER, and the files of
one folder make no circle. Of the sources: no include of a folder below, and no function of more than
60 lines. One line a finding, with the symbols that make it; nothing is said when all is well.
"""
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import defaultdict

# As in docs/overview.md: each folder needs only itself and those before it.
ORDER = ['base', 'ops', 'device', 'onnx', 'nets', 'engine', 'models', 'face', 'audio', 'processors', 'media',
         'pipeline', 'benchmark', 'web', 'app']
ONLY = {'media': {'base', 'media'}}  # stands beside those before it
LINES = 60
SYMBOLS = 4  # of one arrow are named

SOURCE = re.compile(r'\.(c|h|cu|cuh)$')
INCLUDE = re.compile(r'^ *# *include *"([^"]+)"')
NO_FOLDER = {'rp_config.h', 'rp_commit.h', 'web_page.h'}  # made by the build


def folder(path):
    """src/device/cpu/cpu.c: device."""
    parts = path.split('/')
    return parts[parts.index('src') + 1]


def may(from_folder, to_folder):
    if from_folder not in ORDER or to_folder not in ORDER:
        return from_folder == to_folder
    if from_folder in ONLY:
        return to_folder in ONLY[from_folder]
    return ORDER.index(to_folder) <= ORDER.index(from_folder)


# ---- object files --------------------------------------------------------------------------------


def objects(build):
    """{source: object file} of the static library and the program."""
    found = {}
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as file:
        for entry in json.load(file):
            words = shlex.split(entry['command'])
            path = os.path.join(entry['directory'], words[words.index('-o') + 1])
            if re.match(r'(libreprise-core\.a|reprise)\.p/', os.path.relpath(path, build)):
                source = os.path.normpath(os.path.join(entry['directory'], entry['file']))
                found[source[source.index('/src/') + 1:]] = path
    return found


def symbols(path):
    """What an object file defines and what it wants, both sets."""
    defined, wanted = set(), set()
    text = subprocess.run(['nm', '-g', '--format=posix', path], stdout=subprocess.PIPE, check=True,
                          text=True).stdout
    for line in text.splitlines():
        name, kind = line.split()[:2]
        (wanted if kind in 'Uwv' else defined).add(name)
    return defined, wanted


def arrows(files):
    """{(from, to): symbols} among object files, {source: object file}."""
    tables = {source: symbols(path) for source, path in files.items()}
    home = {name: source for source, (defined, _) in tables.items() for name in defined}
    found = defaultdict(list)
    for source, (_, wanted) in tables.items():
        for name in sorted(wanted):
            if home.get(name, source) != source:
                found[source, home[name]].append(name)
    return found


def named(names):
    more = len(names) - SYMBOLS
    return ', '.join(names[:SYMBOLS]) + (f' and {more} more' if more > 0 else '')


def wrong_arrows(found, allowed):
    for (source, target), names in sorted(found.items()):
        if not may(folder(source), folder(target)) and folder(source) not in allowed:
            yield f'{source} may not need {target}: {named(names)}'


def reach(start, edges):
    seen, todo = set(), [start]
    while todo:
        for other in edges[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def circles(found, allowed):
    """Files of one folder that need each other, with all arrows among them."""
    edges = defaultdict(set)
    for source, target in found:
        if folder(source) == folder(target) and folder(source) not in allowed:
            edges[source].add(target)
    reached = {source: reach(source, edges) for source in list(edges)}
    told = set()
    for source in sorted(reached):
        circle = {s for s in reached[source] if source in reached.get(s, ())}
        if source in told or not circle:
            continue
        told |= circle
        yield f'a circle of {len(circle)} files in src/{folder(source)}:'
        for (a, b), names in sorted(found.items()):
            if a in circle and b in circle:
                yield f'    {os.path.basename(a)} -> {os.path.basename(b)}: {named(names)}'


# ---- sources -------------------------------------------------------------------------------------


def sources(root):
    for path, _, names in sorted(os.walk(os.path.join(root, 'src'))):
        for name in sorted(names):
            if SOURCE.search(name):
                full = os.path.join(path, name)
                with open(full, encoding='utf-8') as file:
                    yield os.path.relpath(full, root), file.read().splitlines()


def wrong_includes(path, lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match or match[1] in NO_FOLDER or match[1].startswith('reprise/'):
            continue
        if '/' not in match[1]:
            yield f'{path}:{number}: {match[1]} is named without its folder'
        elif not may(folder(path), match[1].split('/')[0]):
            yield f'{path}:{number}: {folder(path)} may not include {match[1]}'


def long_functions(path, lines):
    """A body stands between braces in the first column; what is in front of it counts as well."""
    begin = None
    for number, line in enumerate(lines):
        if line == '{':
            begin = number
            while begin and re.match(r'[^#}/ ]| +[^ *]', lines[begin - 1]) \
                    and not lines[begin - 1].endswith((';', '*/')):
                begin -= 1
        elif line == '}' and begin is not None:
            if number - begin + 1 > LINES:
                name = re.search(r'(?!__)\b(\w+)\(', ' '.join(lines[begin:number]))
                yield (f'{path}:{begin + 1}: {name[1] if name else "a function"}() has '
                       f'{number - begin + 1} lines, at most {LINES} are wanted')
            begin = None


def findings(root, files, allowed=()):
    found = arrows(files)
    yield from wrong_arrows(found, allowed)
    yield from circles(found, allowed)
    for path, lines in sources(root):
        if folder(path) not in allowed:
            yield from wrong_includes(path, lines)
            yield from long_functions(path, lines)


# ---- that it notices -----------------------------------------------------------------------------

MADE = {
    'src/base/a.c': 'int b(void); int a(void) { return b(); }',
    'src/base/b.c': 'int c(void); int b(void) { return c(); }',
    'src/base/c.c': 'int a(void); int c(void) { return a(); }',
    'src/base/d.c': 'int a(void); int up(void); int d(void) { return a() + up(); }',
    'src/ops/up.c': '#include "face/no.h"\n#include "base/yes.h"\n#include "no.h"\n'
                    'int up(void) { return 0; }',
    'src/media/m.c': 'int up(void); int d(void); int m(void) { return up() + d(); }',
    'src/app/long.c': 'static\nint sixty_one(int a,\n              int b)\n{\n' + '    ;\n' * 56 +
                      '}\n\nint sixty(void)\n{\n' + '    ;\n' * 57 + '}',
}
SAID = """\
src/base/d.c may not need src/ops/up.c: up
src/media/m.c may not need src/ops/up.c: up
a circle of 3 files in src/base:
    a.c -> b.c: b
    b.c -> c.c: c
    c.c -> a.c: a
src/app/long.c:1: sixty_one() has 61 lines, at most 60 are wanted
src/ops/up.c:1: ops may not include face/no.h
src/ops/up.c:3: no.h is named without its folder
"""


def self_test():
    with tempfile.TemporaryDirectory(prefix='reprise-test-') as root:
        files = {}
        for path, text in MADE.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, 'w', encoding='utf-8') as file:
                file.write(text + '\n')
            files[path] = full[:-2] + '.o'
            command = ['cc', '-w', '-c', '-x', 'c', '-', '-o', files[path]]
            code = '\n'.join(line for line in text.splitlines() if 'include' not in line)
            subprocess.run(command, input=code, text=True, check=True)
        said = ''.join(line + '\n' for line in findings(root, files))
    if said != SAID:
        print(f'expected:\n{SAID}found:\n{said}', end='')
    return said == SAID


def main():
    if len(sys.argv) < 2:
        print(f'usage: {sys.argv[0]} BUILD [FOLDER...] | --self-test')
        return 2
    if sys.argv[1] == '--self-test':
        return 0 if self_test() else 1
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    said = list(findings(root, objects(os.path.abspath(sys.argv[1])), sys.argv[2:]))
    print('\n'.join(said), end='\n' if said else '')
    return 1 if said else 0


if __name__ == '__main__':
    sys.exit(main())
