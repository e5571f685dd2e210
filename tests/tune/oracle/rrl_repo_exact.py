#!/usr/bin/env python3
"""Writes rrl_repo_exact.jsonl: 20 steps of the published RRL on a small grid, computed without any code of mlq.

Everything stands here a second time, from the description in mlq-tune(1) and in the published script: Philox and
the numbers made of it, table, policy, network, FTRL and its stopping rule. Plain Python; it takes a minute:

    tests/tune/oracle/rrl_repo_exact.py > tests/tune/oracle/rrl_repo_exact.jsonl
"""
import json
import math

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1
POLICY, ESTIMATOR = 17, 16
N = 5  # values of each of three knobs


def mix64(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
    return z ^ (z >> 31)


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32, (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


def uniforms(seed, purpose, index, draw, stream):
    key = mix64((seed + purpose * 0x9E3779B97F4A7C15) & M64)
    w = philox((index & M32, index >> 32, draw, stream), (key & M32, key >> 32))
    return tuple(((x >> 12) + 0.5) * 2.0**-52 for x in ((w[1] << 32) | w[0], (w[3] << 32) | w[2]))


def cost_ms(i, j, k):
    return 30 + 6 * abs(i - 1) + 2 * (j - 3) ** 2 + 25 / (k + 1)


class Net:
    """inputs -> ReLU -> ReLU -> 1, under FTRL."""

    def __init__(self, inputs, widths, rate, zero_z, seed, index):
        self.rate = rate
        self.w = []  # by layer: rows of weights, and biases
        for layer, (fan_in, units) in enumerate(zip((inputs, *widths), (*widths, 1))):
            bound = math.sqrt(6 / (fan_in + units))
            draw = iter(range(fan_in * units))
            rows = []
            for _ in range(units):
                row = []
                for _ in range(fan_in):
                    d = next(draw)
                    row.append(bound * (2 * uniforms(seed, ESTIMATOR, index, d // 2, layer)[d % 2] - 1))
                rows.append(row + [0.0])  # the bias comes last
            self.w.append(rows)
        factor = 0 if zero_z else -math.sqrt(0.1) / rate
        self.z = [[[factor * w for w in row] for row in rows] for rows in self.w]
        self.n = [[[0.1 for _ in row] for row in rows] for rows in self.w]

    def forward(self, x):
        layers = [list(x)]
        for depth, rows in enumerate(self.w):
            before = layers[-1]
            out = [row[-1] + sum(w * v for w, v in zip(row, before)) for row in rows]
            layers.append(out if depth + 1 == len(self.w) else [max(v, 0.0) for v in out])
        return layers

    def predict(self, x):
        return self.forward(x)[-1][0]

    def loss(self, xs, ys):
        total = 0
        for x, y in zip(xs, ys):
            e = abs(self.predict(x) - y)
            total += 0.5 * e * e if e <= 100 else 100 * e - 5000
        return total / len(ys)

    def step(self, xs, ys):
        grad = [[[0.0 for _ in row] for row in rows] for rows in self.w]
        for x, y in zip(xs, ys):
            layers = self.forward(x)
            delta = [min(max(layers[-1][0] - y, -100), 100) / len(ys)]
            for depth in range(len(self.w) - 1, -1, -1):
                before = layers[depth]
                for u, d in enumerate(delta):
                    row = grad[depth][u]
                    for i, v in enumerate(before):
                        row[i] += d * v
                    row[-1] += d
                if depth > 0:
                    delta = [
                        sum(d * self.w[depth][u][i] for u, d in enumerate(delta)) if v > 0 else 0.0
                        for i, v in enumerate(before)
                    ]
        for w, z, n, g in zip(self.w, self.z, self.n, grad):
            for wr, zr, nr, gr in zip(w, z, n, g):
                for i, gi in enumerate(gr):
                    after = math.sqrt(nr[i] + gi * gi)
                    zr[i] += gi - (after - math.sqrt(nr[i])) * wr[i] / self.rate
                    nr[i] += gi * gi
                    wr[i] = -self.rate * zr[i] / after


def train(net, xs, ys, look_every, patience, most_steps):
    best, failures, step = math.inf, 0, 0
    while failures < patience and step < most_steps:
        step += 1
        net.step(xs, ys)
        if step % look_every == 0:
            loss = net.loss(xs, ys)
            if best > loss:
                best, failures = loss, 0
            else:
                failures += 1
    return step


def choose(table, u):
    e = [2e7 / q for q in table]
    while max(e) > 500:
        e = [x / 2 for x in e]
    weights = [math.exp(x) for x in e]
    left = u * sum(weights)
    for k, w in enumerate(weights):
        left -= w
        if left <= 0:
            return k
    return len(table) - 1


def trace(name, seed, rate, zero_z, widths=(6, 4), radius=2, look_every=20, patience=3, most_steps=300):
    points = [(i, j, k) for i in range(N) for j in range(N) for k in range(N)]
    table, xs, ys = [], [], []
    for trial in range(26):
        gap = 0.07 if trial < 16 else 0.05
        if trial == 0:
            at = points.index((2, 2, 2))
        elif trial <= 5:
            at = 0
        else:
            at = choose(table, uniforms(seed, POLICY, trial, 0, 0)[0])
        ms = cost_ms(*points[at]) * (1 if gap == 0.07 else 1.3)
        xs.append((gap, *points[at]))
        ys.append(ms)
        steps = 0
        if trial == 0:
            table = [ms * 1000] * len(points)
        elif trial > 5:
            net = Net(4, widths, rate, zero_z, seed, trial)
            steps = train(net, xs, ys, look_every, patience, most_steps)
            for x, point in enumerate(points):
                if math.dist(point, points[at]) <= radius:
                    table[x] = 0.7 * table[x] + 0.3 * net.predict((gap, *point)) * 1000
        print(
            json.dumps(
                {
                    "case": name,
                    "trial": trial,
                    "point": at,
                    "ms": ms,
                    "q_us": table[at],
                    "least_us": min(table),
                    "sum_us": sum(table),
                    "steps": steps,
                }
            )
        )


trace("published", seed=1, rate=0.7, zero_z=True)
trace("corrected", seed=2, rate=0.05, zero_z=False, most_steps=200)
