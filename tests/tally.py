#!/usr/bin/python3
"""How many checks a test program made, from what it printed.

    tally.py CODE LOG       its exit code and output; or, for Meson, the folder's testlog.json
    -> "PASSED FAILED SKIPPED", then a line for each reason to skip and each failed test

Understood are cmocka, unittest, "NAME: N passed, N failed[, N skipped]" at the end, and exit code 77.
A program that says nothing of that is one check.
"""
import collections
import json
import re
import sys


def count(text, code):
    """passed, failed, skipped of one program."""
    passed = failed = skipped = 0
    for kind, n in re.findall(r'^\[ +(PASSED|FAILED|SKIPPED) +\] (\d+) test\(s\)', text, re.M):
        passed += int(n) * (kind == 'PASSED')
        failed += int(n) * (kind == 'FAILED')
        skipped += int(n) * (kind == 'SKIPPED')
    for n, how, rest in re.findall(r'^Ran (\d+) tests? in .*\n\n(OK|FAILED)(.*)$', text, re.M):
        bad = sum(int(b) for b in re.findall(r'(?:failures|errors)=(\d+)', rest))
        left = sum(int(b) for b in re.findall(r'skipped=(\d+)', rest))
        passed += max(int(n) - bad - left, 0)
        failed += bad
        skipped += left
    ends = re.findall(r'^[\w -]+: (\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', text, re.M)
    for p, f, s in ends[-1:]:
        passed, failed, skipped = passed + int(p), failed + int(f), skipped + int(s or 0)
    if code == 77:
        skipped = skipped or 1
    elif code and not failed:
        failed = 1  # it broke off, or a sanitizer found something at its end
    elif not code and not passed + failed + skipped:
        passed = 1
    return passed, failed, skipped


def reasons(text):
    """Why tests were skipped."""
    return (re.findall(r'^skipped: (.*)$', text, re.M) + re.findall(r'# SKIP (.*)$', text, re.M) +
            re.findall(r'\.\.\. skipped [\'"](.*)[\'"]$', text, re.M))


def failures(text):
    """Names of failed tests."""
    return (re.findall(r'^\[  FAILED  \] (\w+)$', text, re.M) +
            re.findall(r'^(?:FAIL|ERROR|not ok):? (.*)$', text, re.M))


def of_meson(path):
    """Sum over the programs of a Meson run, and their texts."""
    total, texts = [0, 0, 0], []
    with open(path, encoding='utf-8', errors='replace') as file:
        for line in file:
            test = json.loads(line)
            text = test.get('stdout', '') + '\n' + test.get('stderr', '')
            code = {'OK': 0, 'EXPECTEDFAIL': 0, 'SKIP': 77}.get(test['result'], 1)
            if test['result'] == 'EXPECTEDFAIL':
                text = ''
            now = count(text, code)
            total = [a + b for a, b in zip(total, now)]
            if now[1]:
                text += f'\nnot ok {test["name"]}: {test["result"]}\n'
            texts.append(text)
    return total, '\n'.join(texts)


def main():
    code, path = int(sys.argv[1]), sys.argv[2]
    if path.endswith('.json'):
        total, text = of_meson(path)
        if code and not total[1]:
            total[1] = 1
    else:
        with open(path, encoding='utf-8', errors='replace') as file:
            text = file.read()
        total = count(text, code)
    print(*total)
    for why, n in collections.Counter(reasons(text)).items():
        print(f'  skipped: {why}' + (f' ({n} times)' if n > 1 else ''))
    for name in dict.fromkeys(failures(text)):
        print(f'  FAILED: {name}')


if __name__ == '__main__':
    main()
