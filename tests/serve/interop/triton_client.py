#!/usr/bin/env python3
"""Triton's HTTP client, unchanged: what it gets through mlq-serve is, bit for bit, what it gets without it.

usage: triton_client.py DIRECT THROUGH ROWS (each HOST:PORT; ROWS a file of `sample` records)
"""
import concurrent.futures
import json
import sys

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

direct, through, file_name = sys.argv[1:]
CLIENTS = 32
with open(file_name) as file:
    samples = [r for r in map(json.loads, file) if r["type"] == "sample"][:200]


def check(good, what):
    if not good:
        sys.exit(f"failed: {what}")


def ask(client, k, binary_in, binary_out):
    """Sample k and, in every third request, the one after it."""
    rows = [samples[i % len(samples)]["row"] for i in range(k, k + (2 if k % 3 == 0 else 1))]
    tensor = triton.InferInput("input", [len(rows), 64], "FP64")
    tensor.set_data_from_numpy(numpy.array(rows, dtype=numpy.float64), binary_data=binary_in)
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "scores")]
    result = client.infer("digits", [tensor], request_id=samples[k]["id"], outputs=outputs)
    check(result.get_response()["id"] == samples[k]["id"], f"request {k}: the id is another's")
    return result.as_numpy("label"), result.as_numpy("scores")


def ask_all(url, binary_in, binary_out, clients):
    def some(first):
        with triton.InferenceServerClient(url) as client:
            return {k: ask(client, k, binary_in, binary_out) for k in range(first, len(samples), clients)}

    found = {}
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        for part in pool.map(some, range(clients)):
            found.update(part)
    return found


def compare(binary_in, binary_out):
    expected = ask_all(direct, binary_in, binary_out, 1)
    found = ask_all(through, binary_in, binary_out, CLIENTS)
    for k in range(len(samples)):
        for want, got in zip(expected[k], found[k]):
            same = want.dtype == got.dtype and want.shape == got.shape and want.tobytes() == got.tobytes()
            check(same, f"request {k}, binary in {binary_in}, out {binary_out}: {got} instead of {want}")


def questions():
    """What the client asks besides, and how it is told of a mistake."""
    with triton.InferenceServerClient(through) as client:
        check(client.is_server_live() and client.is_server_ready(), "the server is not ready")
        check(client.is_model_ready("digits"), "the model is not ready")
        check("binary_tensor_data" in client.get_server_metadata()["extensions"], "no binary extension")
        check(client.get_model_metadata("digits")["inputs"][0]["shape"] == [-1, 64], "the metadata differ")
        try:
            client.get_model_metadata("letters")
            check(False, "there is a model that is not there")
        except InferenceServerException as error:
            check("letters" in error.message(), f"the error is {error}")


questions()
for binary_in in (True, False):
    for binary_out in (True, False):
        compare(binary_in, binary_out)
