#!/usr/bin/env python3
"""What people use instead: numpy for times, CPython's json for lines. One JSON line a result, CPU time.

numpy is measured twice: as it is written in scripts (every step makes a new array), and at its best (all arrays are there
before the clock runs and are used again).

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


def as_written(name, draw, events):
    start = cpu_seconds()
    nanoseconds = (np.cumsum(draw(events)) * 1e9).astype(np.int64)
    report(name, events, "events", cpu_seconds() - start)
    return nanoseconds


def at_its_best(name, fill, scale, events):
    gaps = np.ones(events)
    nanoseconds = np.ones(events, dtype=np.int64)
    start = cpu_seconds()
    fill(gaps)
    np.cumsum(gaps, out=gaps)
    np.multiply(gaps, scale * 1e9, out=gaps)
    nanoseconds[:] = gaps
    report(name, events, "events", cpu_seconds() - start)


def main():
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000_000
    random = np.random.default_rng(1)
    times = as_written("numpy_poisson_times", lambda n: random.exponential(1e-4, n), events)
    as_written("numpy_gamma_times", lambda n: random.gamma(0.25, 4e-4, n), events)
    at_its_best("numpy_poisson_times_best", lambda out: random.standard_exponential(out=out), 1e-4, events)
    at_its_best("numpy_gamma_times_best", lambda out: random.standard_gamma(0.25, out=out), 4e-4, events)
    part = times[: max(1, events // 20)].tolist()  # json is slow; a twentieth is enough
    with open(os.devnull, "w") as sink:
        start = cpu_seconds()
        for t in part:
            sink.write(json.dumps({"type": "arrival", "t_ns": t}) + "\n")
        cpu = cpu_seconds() - start
    report("cpython_jsonl", len(part), "events", cpu)


main()
