#!/usr/bin/env python3
"""What people use instead: numpy for times, CPython's json for lines. One JSON line a result, CPU time.

usage: gen_rivals.py [EVENTS]     default 20000000
"""
import json
import os
import resource
import sys

import numpy as np


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(name, amount, unit, cpu):
    print(json.dumps({"type": "bench", "name": name, "amount": amount, "unit": unit, "cpu_s": round(cpu, 6),
                      "per_s": amount / cpu}), flush=True)


def times(name, draw, events):
    # The arrays are there before the clock runs and are used again: numpy at its best.
    gaps = np.ones(events)
    nanoseconds = np.ones(events, dtype=np.int64)
    start = cpu_seconds()
    gaps = draw(gaps)
    np.cumsum(gaps, out=gaps)
    np.multiply(gaps, 1e9, out=gaps)
    nanoseconds[:] = gaps
    report(name, events, "events", cpu_seconds() - start)
    return nanoseconds


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000
    random = np.random.default_rng(1)

    def exponential(out):
        random.standard_exponential(out=out)
        return np.multiply(out, 1e-4, out=out)

    def gamma(out):
        random.standard_gamma(0.25, out=out)
        return np.multiply(out, 4e-4, out=out)

    nanoseconds = times("numpy_poisson_times", exponential, events)
    times("numpy_gamma_times", gamma, events)
    part = nanoseconds[: max(1, events // 20)].tolist()  # json is slow; a twentieth is enough
    with open(os.devnull, "w") as sink:
        start = cpu_seconds()
        for t in part:
            sink.write(json.dumps({"type": "arrival", "t_ns": t}) + "\n")
        cpu = cpu_seconds() - start
    report("cpython_jsonl", len(part), "events", cpu)


main()
