#!/usr/bin/env python3
"""Swap a face through the library, with nothing but ctypes: swap.py FACE TARGET OUTPUT

Bindings call the functions of reprise.h that end in _api and _sized: the inline ones are not in the
library."""
import ctypes
import ctypes.util
import os
import sys

API = 3  # RP_API_VERSION of the header that this was written for


def library():
    name = os.environ.get('LIBREPRISE') or ctypes.util.find_library('reprise')
    if not name:
        sys.exit('swap.py: no libreprise; set LIBREPRISE to its path')
    lib = ctypes.CDLL(name)
    lib.rp_last_error.restype = ctypes.c_char_p
    return lib


def main():
    if len(sys.argv) != 4:
        sys.exit('usage: swap.py FACE TARGET OUTPUT')
    lib = library()
    runtime, options, job = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()

    def check(code):
        if code < 0:
            print('swap.py:', lib.rp_last_error().decode(), file=sys.stderr)
            sys.exit(lib.rp_exit_code(code))

    check(lib.rp_runtime_create_api(ctypes.byref(runtime), API, None, ctypes.c_size_t(0)))
    check(lib.rp_options_create_api(ctypes.byref(options), API))
    for name, value in zip(('source-paths', 'target-path', 'output-path'), sys.argv[1:]):
        words = (ctypes.c_char_p * 1)(os.fsencode(value))
        check(lib.rp_options_set_words(options, name.encode(), 1, words))
    check(lib.rp_job_create(ctypes.byref(job), runtime, options))
    check(lib.rp_job_run(job, None, None))
    for destroy, thing in ((lib.rp_job_destroy, job), (lib.rp_options_destroy, options),
                           (lib.rp_runtime_destroy, runtime)):
        destroy(ctypes.byref(thing))


if __name__ == '__main__':
    main()
