#!/usr/bin/env python3
"""Cosine of two safetensors files of F32 with numpy: in fp64 chunks of a memory map, or by the fp32 dot of whole arrays.
Prints the seconds that it took, without the start of Python. Or with `errors` reads a gram record from standard input and
prints bench records: its relative errors, the largest, and that of the fp32 dot, against sums in extended precision.
usage: gram_numpy.py chunks|dot|errors FILE FILE"""
import json
import struct
import sys
import time

import numpy

CHUNK = 1 << 20  # elements


def data_of(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        json.loads(file.read(length))
    return numpy.memmap(path, dtype="<f4", mode="r", offset=8 + length)


def in_chunks(a, b):
    aa = ab = bb = 0.0
    for at in range(0, len(a), CHUNK):
        x, y = a[at : at + CHUNK].astype(numpy.float64), b[at : at + CHUNK].astype(numpy.float64)
        aa, ab, bb = aa + x @ x, ab + x @ y, bb + y @ y
    return ab / (aa * bb) ** 0.5


def by_dot(a, b):
    return numpy.dot(a, b) / (numpy.dot(a, a) * numpy.dot(b, b)) ** 0.5


def errors(a, b):
    record = json.loads(sys.stdin.readline())
    wide = numpy.longdouble
    sums = [wide(0)] * 3
    for at in range(0, len(a), CHUNK):
        x, y = a[at : at + CHUNK].astype(wide), b[at : at + CHUNK].astype(wide)
        sums = [s + (u * v).sum() for s, (u, v) in zip(sums, ((x, x), (x, y), (y, y)))]
    got = max(float(abs(wide(g) - s) / abs(s)) for g, s in zip(record["gram"], sums))
    dot = float(abs(wide(numpy.dot(a, b)) - sums[1]) / abs(sums[1]))
    for name, value in (("relative error", got), ("relative error of numpy fp32 dot", dot)):
        print(json.dumps({"type": "bench", "name": name, "value": value, "unit": "", "elements": len(a)}))


if sys.argv[1] == "errors":
    errors(data_of(sys.argv[2]), data_of(sys.argv[3]))
    sys.exit(0)
begin = time.perf_counter()
cosine = {"chunks": in_chunks, "dot": by_dot}[sys.argv[1]](data_of(sys.argv[2]), data_of(sys.argv[3]))
print(time.perf_counter() - begin)
print(f"cosine {cosine:.12f}", file=sys.stderr)
