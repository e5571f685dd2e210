"""Gradients written by numpy, safetensors and torch, measured by mlq-simigrad: inner products and between_ss against
exact sums (math.fsum), to 1e-12. usage: measure.py MLQ-SIMIGRAD"""
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from numpy.lib import format as npy_format
from safetensors.numpy import save_file

PROGRAM = sys.argv[1]
SAMPLES = (48, 80, 64)
ELEMENTS = 70001
random = numpy.random.default_rng(7)


def gram_of(*arguments):
    run = subprocess.run([PROGRAM, "estimate", "--no-provenance", *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return json.loads(run.stdout.splitlines()[0])


def close(got, expected, scale):
    assert abs(got - expected) <= 1e-12 * scale, (got, expected)


def check(what, record, groups, samples):
    """groups: a list of flat fp64 arrays."""
    at = 0
    for i, x in enumerate(groups):
        for y in groups[: i + 1]:
            close(record["gram"][at], math.fsum(x * y), math.fsum(abs(x * y)))
            at += 1
    mean = sum(n * x for n, x in zip(samples, groups)) / sum(samples)
    expected = math.fsum(n * math.fsum((x - mean) ** 2) for n, x in zip(samples, groups))
    close(record["between_ss"], expected, expected)
    print(f"{what}: as numpy has it")


def gradients(dtype):
    signal = random.normal(size=ELEMENTS)
    return [(signal + random.normal(size=ELEMENTS)).astype(dtype) for _ in SAMPLES]


def wide(arrays):
    return [a.astype(numpy.float64).ravel() for a in arrays]


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    given = ("--group-samples", ",".join(map(str, SAMPLES)))
    for dtype in (numpy.float32, numpy.float16, numpy.float64):
        arrays = gradients(dtype)
        for group, array in enumerate(arrays):
            save_file({"b": array[:1000], "a": array[1000:]}, folder / f"{group}.safetensors",
                      {"mlq.step": "3", "mlq.group": str(group), "mlq.samples": str(SAMPLES[group])})
        record = gram_of(*sorted(folder.glob("*.safetensors")))
        assert record["step"] == 3 and record["tensors"] == 2 and record["group_samples"] == list(SAMPLES)
        check(f"safetensors, {numpy.dtype(dtype)}", record, wide(arrays), SAMPLES)
        for version in ((1, 0), (2, 0), (3, 0)):
            for group, array in enumerate(arrays):
                with open(folder / f"{group}.npy", "wb") as file:
                    npy_format.write_array(file, array, version=version)
            check(f"npy {version[0]}, {numpy.dtype(dtype)}", gram_of(*sorted(folder.glob("*.npy")), *given), wide(arrays), SAMPLES)
    arrays = [a[:70000].reshape(700, 100) for a in gradients(numpy.float32)]
    for group, array in enumerate(arrays):
        numpy.save(folder / f"{group}.npy", numpy.asfortranarray(array))
    check("npy in Fortran order", gram_of(*sorted(folder.glob("*.npy")), *given), wide(arrays), SAMPLES)

    try:
        import torch
    except ImportError as reason:
        print(f"without torch: {reason}")
        sys.exit(0)
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float64):
        dumps = []
        for group in range(2):
            big = torch.randn(300, 200).to(dtype)
            tensors = {"view": big[10:20, ::2], "transposed": big.T, "parameter": torch.nn.Parameter(torch.randn(1000).to(dtype)),
                       "nested": {"list": [torch.randn(5).to(dtype)]}}
            torch.save(tensors, folder / f"{group}.pt")
            flat = {"view": tensors["view"], "transposed": big.T, "parameter": tensors["parameter"],
                    "nested.list.0": tensors["nested"]["list"][0]}
            dumps.append(numpy.concatenate([flat[k].detach().double().contiguous().numpy().ravel() for k in sorted(flat)]))
        record = gram_of(folder / "0.pt", folder / "1.pt", "--group-samples", "8")
        check(f"torch {torch.__version__}, {dtype}", record, dumps, (8, 8))
