#!/usr/bin/python3
"""Two halves of a test file at once, for two cores; one's output comes after the other's.

    beside.py FILE PROGRAM TEST... -- TEST...
"""
import concurrent.futures
import subprocess
import sys


def run(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors='replace', check=False)


def main():
    if '--' not in sys.argv[3:]:
        sys.exit('usage: beside.py FILE PROGRAM TEST... -- TEST...')
    at = sys.argv.index('--')
    begin = [sys.executable, '-B', *sys.argv[1:3], '-v']
    codes = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for half in pool.map(run, [begin + sys.argv[3:at], begin + sys.argv[at + 1:]]):
            print(half.stdout)
            codes.append(abs(half.returncode))
    sys.exit(max(codes))


if __name__ == '__main__':
    main()
