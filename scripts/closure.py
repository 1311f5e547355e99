"""The shared libraries that programs need, to carry them to another machine.

What belongs to the machine stays out (HOST): the C and C++ libraries, the GPU driver, CUDA. What our
programs name themselves travels whole. What only those libraries need (FFmpeg's needs a hundred more,
of 200 MB) travels as a stub: a library of the same name and versions whose functions do nothing and
return 0. CARRIED are those that work is done with, or that FFmpeg asks of every file (gme).
"""
import os
import re
import subprocess

HOST = re.compile(r'ld-linux|lib(c|m|dl|rt|pthread|resolv|util|nsl|stdc\+\+|gcc_s)\.so|'
                  r'lib(cuda|cudart|cublas|cublasLt|cudnn\w*|cufft|curand|nv\w+|onnxruntime\w*)\.so')
CARRIED = re.compile(r'lib(z|x264|sharpyuv|lzma|bz2|ssl|crypto|mp3lame|opus|gme|jpeg|jbig|Lerc|deflate|zstd|'
                     r'de265|dav1d)\.so')
SYMBOL = re.compile(r'^ *\d+: [0-9a-f]+ +(\w+) (\w+) +(\w+) +\w+ +(?:\[.*\] +)?(\w+) '
                    r'([^\s@]+)(?:@+(\S+))?', re.M)


class Bad(Exception):
    pass


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, 'LC_ALL': 'C'})
    if done.returncode:
        raise Bad(f'{command[0]} {command[-1]}: {done.stderr.strip() or "failed"}')
    return done.stdout


def needed(path):
    return re.findall(r'\(NEEDED\).*\[(.+)\]', run('readelf', '-dW', path))


def places(path):
    """Where the loader finds what a file needs, directly or not: {name: path}."""
    found = {}
    for name, place in re.findall(r'^\s*(\S+) => (.*?)(?: \(0x[0-9a-f]+\))?$', run('ldd', path), re.M):
        if not HOST.match(name):
            if not place.startswith('/'):
                raise Bad(f'{path} needs {name}, which is not on this machine')
            found[name] = place
    return found


def closure(programs, whole):
    """({name: path} to carry, {name: path} to stub)"""
    carry, stub, queue = {}, {}, []
    for program in programs:
        where = places(program)
        queue += [(name, where, True) for name in needed(program)]
    while queue:
        name, where, direct = queue.pop()
        if HOST.match(name) or name in carry:
            continue
        if direct or whole or CARRIED.match(name):
            carry[name] = where[name]
            stub.pop(name, None)
            queue += [(n, where, False) for n in needed(where[name])]
        else:
            stub[name] = where[name]
    return carry, stub


def symbols(path):
    """[(name, version, type, size)] that it has, {(name, version)} that it wants"""
    has, wants = [], set()
    listing = run('readelf', '--dyn-syms', '-W', path)
    for size, kind, bind, section, name, version in SYMBOL.findall(listing):
        if section == 'UND':
            wants.add((name, version))
        elif bind != 'LOCAL' and name != version:  # versions are listed as symbols too
            has.append((name, version, kind, int(size, 0)))
    return has, wants


def stub_source(has, wanted):
    """Assembly of the wanted symbols, each with its version."""
    source = []
    for i, (name, version, kind, size) in enumerate(has):
        if (name, version) not in wanted and (name, '') not in wanted:
            continue
        label = f'stub_{i}' if version else name
        source.append(f'.globl {label}')
        if kind == 'OBJECT':
            source.append(f'.bss\n.balign 64\n.type {label},@object\n.size {label},{size}\n'
                          f'{label}: .zero {max(size, 8)}\n.text')
        else:
            source.append(f'.type {label},@function\n{label}: xorl %eax,%eax\nret')
        if version:
            source.append(f'.symver {label},{name}@{version},remove')
    return '\n'.join(['.text', *source, '.section .note.GNU-stack,"",@progbits', ''])


def write_stub(name, path, wanted, folder):
    """A library NAME with those symbols of the one in PATH that are wanted. Returns its path."""
    has = symbols(path)[0]
    if any(kind == 'TLS' and (symbol, version) in wanted for symbol, version, kind, _ in has):
        raise Bad(f'{name} cannot be a stub, it has thread-local variables: give --whole')
    base = os.path.join(folder, name)
    with open(base + '.s', 'w') as f:
        f.write(stub_source(has, wanted))
    versions = sorted({version for _, version, _, _ in has if version})
    with open(base + '.map', 'w') as f:
        f.write(''.join(f'{version} {{ }};\n' for version in versions))
    run('cc', '-shared', '-nostdlib', f'-Wl,-soname,{name}', '-o', base, base + '.s',
        *([f'-Wl,--version-script={base}.map'] if versions else []))
    return base
