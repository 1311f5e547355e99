#!/usr/bin/python3
"""How near networks by our own operations are to ONNX Runtime's float32, on the processor.

    bench/precision.py NET_RUN FILE...          these files
    bench/precision.py NET_RUN --twins NAME...  these twins, made for it
    bench/precision.py NET_RUN --inputs N ...   with N random inputs each (3)

NET_RUN is tests/net_run of a build. For each network three results are compared with that of ONNX
Runtime in float32: our own in float32, in float32 multiplied as TF32 (what a GPU does with
--precision tf32), and stored as float16 (--precision fp16). "most" is the largest difference over
the largest value of an output, "rms" the root of the mean square of the difference over that of
the output, both of the worst output and input; where an output is smaller than 0.01, over 0.01,
since ONNX Runtime's sigmoid of what is far below zero is an approximation. "near": whether float16 is
as near as TF32, as --precision auto asks of networks that are not small (src/engine/precision.c).
"""
import argparse
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tests'))
import numpy as np  # noqa: E402
import ort  # noqa: E402
import test_nets  # noqa: E402

LEAST = 0.01
FORMS = (('fp32', ()), ('tf32', ('--tf32',)), ('fp16', ('--fp16',)))


def differences(got, want):
    """(most, rms) of one output."""
    got, want = got.astype(np.float64), want.astype(np.float64)
    if not np.isfinite(got).all():
        return np.inf, np.inf
    apart = got - want
    largest, mean = max(np.abs(want).max(), LEAST), max(np.sqrt((want ** 2).mean()), LEAST)
    return np.abs(apart).max() / largest, np.sqrt((apart ** 2).mean()) / mean


def measure(program, path, inputs):
    """name of the form -> [most, rms], or why it is not native."""
    worst = {name: [0.0, 0.0] for name, _ in FORMS}
    for seed in range(inputs):
        x = test_nets.random_inputs(path, seed=seed)
        right = ort.run(path, x)
        for name, options in FORMS:
            own = test_nets.native(program, path, x, *options)
            if isinstance(own, str):
                return own
            for output, want in right.items():
                pair = differences(own[output], want)
                worst[name] = [max(a, b) for a, b in zip(worst[name], pair)]
    return worst


def verdict(result):
    (half_most, half_rms), (most, rms) = result['fp16'], result['tf32']
    near = half_rms <= max(2 * rms, 5e-4) and half_most <= max(2 * most, 1e-3)
    return 'yes' if near else 'no'


def line(name, result):
    if isinstance(result, str):
        return f'{name:44} {result}'
    numbers = '  '.join(f'{most:8.1e} {rms:8.1e}' for most, rms in result.values())
    return f'{name:44} {numbers}  {verdict(result)}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('program')
    parser.add_argument('names', nargs='+')
    parser.add_argument('--twins', action='store_true')
    parser.add_argument('--inputs', type=int, default=3)
    args = parser.parse_args()
    heads = '  '.join(f'{name + " most":>8} {"rms":>8}' for name, _ in FORMS)
    print(f'{"network":44} {heads}  near', flush=True)
    for name in args.names:
        path = test_nets.twin(name) if args.twins else name
        print(line(os.path.basename(path), measure(args.program, path, args.inputs)), flush=True)
        if args.twins:
            os.remove(path)


if __name__ == '__main__':
    main()
