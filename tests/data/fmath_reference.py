#!/usr/bin/env python3
"""Writes fmath_reference.txt: values of elementary functions to 106 bits, by mpmath.

A line holds a name, the argument or arguments, and the value as the sum of two doubles, all in hexadecimal.
"""
import random
import struct
import sys

from mpmath import mp, mpf

mp.prec = 400
random.seed(1)


def neighbours(x):
    bits = struct.unpack("<q", struct.pack("<d", x))[0]
    return [struct.unpack("<d", struct.pack("<q", bits + d))[0] for d in (-1, 0, 1)]


def uniform(lo, hi, n=32):
    return [random.uniform(lo, hi) for _ in range(n)]


def scales(lo, hi, n=32):
    return [2.0 ** random.uniform(lo, hi) for _ in range(n)]


def quantile(p):
    """Newton's method on the logarithm of the tail, which is nearly a parabola."""
    tail = min(mpf(p), 1 - mpf(p))
    x, step = mpf(0), mpf(1)
    while abs(step) > mpf(2) ** -300:
        above = mp.erfc(x / mp.sqrt(2)) / 2
        density = mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)
        step = mp.log(above / tail) * above / density
        x += step
    return -x if p < 0.5 else x


multiples = [float(k * mp.pi / 2) for k in (1, 2, 3, 4, 5, 1000, 12345678, 683565275)]
both = lambda xs: [s * x for x in xs for s in (1, -1)]
minimum = 5e-324
cases = {
    "log": (mp.log, uniform(0.5, 2) + scales(-1074, 1023) + neighbours(1.0) + neighbours(0.7071067811865476)
            + [minimum, 2.0**-1022, 1.7976931348623157e308]),
    "exp": (mp.exp, uniform(-1, 1) + uniform(-745, 709) + neighbours(709.782712893384)[:2] + [-745.13, -708.5, 700.0,
            -700.0, 1e-300, 1.0]),
    "log1p": (mp.log1p, uniform(-0.999, 3) + both(scales(-60, -1)) + scales(0, 300) + [-1 + 2.0**-53]),
    "expm1": (mp.expm1, uniform(-2, 2) + both(scales(-60, -1)) + uniform(-40, 709)),
    "sin": (mp.sin, uniform(-10, 10) + both(scales(-30, 30)) + multiples + [2.0**30]),
    "cos": (mp.cos, uniform(-10, 10) + both(scales(-30, 30)) + multiples + [2.0**30]),
    "erf": (mp.erf, uniform(-6, 6) + both(scales(-1060, -1)) + neighbours(0.84375)),
    "erfc": (mp.erfc, uniform(-6, 0.25) + uniform(0.25, 27.2, 80) + neighbours(0.25)[1:] + neighbours(2.25)
             + [2.857142, 26.5, 27.2]),
    "lgamma": (mp.loggamma, scales(-80, 0) + uniform(0, 10, 80) + scales(3, 1000) + neighbours(1.4616321449683622)),
    "normal_quantile": (quantile, uniform(0, 1, 80) + scales(-1022, -2) + neighbours(0.075) + neighbours(0.925)
                        + [1 - 2.0**-53, 0.5 + 2.0**-53]),
}


def line(name, arguments, value):
    hi = float(value)
    lo = float(value - mpf(hi))
    return " ".join([name] + [a.hex() for a in arguments] + [hi.hex(), lo.hex()])


lines = []
for name, (function, arguments) in cases.items():
    lines += [line(name, [x], function(mpf(x))) for x in arguments]
for x, exponent in zip(scales(-1074, 1023, 150), uniform(-1070, 1023, 150)):
    y = float(exponent / mp.log(mpf(x), 2))
    lines.append(line("pow", [x, y], mp.power(mpf(x), mpf(y))))
for x, y in [(2.0, 0.5), (1 + 2.0**-52, 2.0**60), (1 - 2.0**-53, -(2.0**62)), (10.0, -300.0), (0.1, 308.0)]:
    lines.append(line("pow", [x, y], mp.power(mpf(x), mpf(y))))
sys.stdout.write("\n".join(lines) + "\n")
