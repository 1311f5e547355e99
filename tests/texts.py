#!/usr/bin/python3
"""What holds for every text of the project, and that each file of Python can be parsed.

    texts.py FILE...     the project's files; pictures and the like among them are left out

One line a rule: "ok RULE" or "not ok RULE" and where it is broken.
"""
import re
import sys

# Files of others, and what fuzzers begin with.
FOREIGN = re.compile(r'^(tests/corpus|third_party)/')
# A name that only one machine has.
OWN_PATH = re.compile(r'(^|[^\w.$}"*-])/(root|work|tmp/[a-z0-9]+)/', re.A)


def lines_with(pattern, text):
    return [n for n, line in enumerate(text.split('\n'), 1) if re.search(pattern, line)]


def tabs(path, data, text):
    return [] if path.endswith('Makefile') else lines_with('\t', text)


def blanks_at_the_end(path, data, text):
    return lines_with(r'[ \t]\r?$', text)


def carriage_returns(path, data, text):
    return lines_with('\r', text)


def not_utf8(path, data, text):
    try:
        data.decode('utf-8')
    except UnicodeDecodeError as error:
        return [data.count(b'\n', 0, error.start) + 1]
    return []


def no_newline_at_the_end(path, data, text):
    return [text.count('\n') + 1] if data and not data.endswith(b'\n') else []


def own_paths(path, data, text):
    return [] if path == 'tests/texts.py' else lines_with(OWN_PATH, text)


def cannot_be_parsed(path, data, text):
    if not path.endswith('.py'):
        return []
    try:
        compile(data, path, 'exec')
    except (SyntaxError, ValueError) as error:
        return [getattr(error, 'lineno', None) or 1]
    return []


RULES = {
    'Python can be parsed': cannot_be_parsed,
    'no tabs': tabs,
    'no blanks at the end of a line': blanks_at_the_end,
    'no carriage returns': carriage_returns,
    'UTF-8': not_utf8,
    'newline at the end of a file': no_newline_at_the_end,
    'no path of one machine': own_paths,
}


def main():
    broken = {rule: [] for rule in RULES}
    for path in sys.argv[1:]:
        with open(path, 'rb') as file:
            data = file.read()
        if FOREIGN.match(path) or b'\0' in data or not data:
            continue
        text = data.decode('utf-8', 'replace')
        for rule, look in RULES.items():
            broken[rule] += [f'{path}:{line}' for line in look(path, data, text)]
    for rule, places in broken.items():
        print(f'not ok {rule}\n    ' + '\n    '.join(places[:40]) if places else f'ok {rule}')


if __name__ == '__main__':
    main()
