"""Python `safetensors`, numpy, ml-dtypes, xxhash and `zstd -d` read every container, and what is in it."""
import json
import struct
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
import xxhash

from tool import check, decoded, end, metadata, mlq, raw_tensors

FLOATS = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "I8": np.int8,
          "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2, "U8": np.uint8}


def array(tensor):
    dtype, shape, data = tensor
    return np.frombuffer(data, FLOATS[dtype]).reshape(shape)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def write_model(path, dtype, seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(0, 0.02, (96, 256)).astype(np.float32)
    a[3] = 0
    a[5, :64] = 0
    a[7] *= 1e4
    a[9] *= 1e-3
    b = (rng.standard_t(3, (40, 192)) * 0.1).astype(np.float32)
    model = {"a.weight": a.astype(dtype), "b.weight": b.astype(dtype), "b.bias": b[0].astype(dtype),
             "steps": np.arange(5, dtype=np.int64)}
    safetensors.numpy.save_file(model, path)
    return model


# Every container is a safetensors file, says what it is, and has no tensor that is not in the metadata or raw.
def opens():
    model = write_model("model.safetensors", ml_dtypes.bfloat16, 1)
    kinds = [f"--format {f}" for f in "int8 int4 int3 int2 nf4 fp4 fp8e4m3 fp8e5m2 mxfp4 mxfp8 nvfp4 bf16 raw".split()]
    kinds += ["--snr 25", "--snr 60", "--format nf4 --double-quant", "--format raw --zstd auto"]
    for kind in [f"{k} --container mlq" for k in kinds] + [
            f"--format {f} --container safetensors" for f in "int8 fp8e4m3 fp8e5m2 bf16".split()]:
        mlq("encode", "model.safetensors", out="x.safetensors", options=kind)
        about = metadata("x.safetensors")
        check(about["mlq.version"] == "1" and about["mlq.kind"] == "weights", f"{kind}: it says what it is")
        stored = raw_tensors("x.safetensors")
        for name in model:
            entry = json.loads(about[f"mlq.t.{name}"])
            for plane in entry["planes"].values():
                check(plane["tensor"] in stored, f"{kind}: {plane['tensor']} is there")
        if "zstd" not in kind:
            check(stored["steps"][2] == model["steps"].tobytes(), f"{kind}: integers are as they were")
    mlq("encode", "model.safetensors", out="shards/", options="--format int8 --max-shard-size 30k")
    index = json.loads(Path("shards/model.safetensors.index.json").read_text())
    for name, file in index["weight_map"].items():
        with safetensors.safe_open(f"shards/{file}", "np") as shard:
            check(name in shard.keys(), f"shards: {name} is in {file}")
    check(sorted(index["weight_map"]) == sorted(raw_tensors("shards")), "shards: the index has every tensor")
    check(len(set(index["weight_map"].values())) > 1, "shards: there are several")
    print(f"opened: {len(kinds) + 4} kinds of file, and shards")


# X times X_scale, over the columns that have one scale, rounded to the source's type: that is decoding.
def plain():
    count = 0
    for dtype in (np.float32, np.float16, ml_dtypes.bfloat16):
        model = write_model("model.safetensors", dtype, 2)
        for kind in [f"int8 --block {b} --scale {s}" for b in ("64", "16", "row", "tensor") for s in ("bf16", "f32")] + [
                f"fp8e4m3 --block {b}" for b in ("64", "row", "tensor")] + [
                f"int8 --grid {g}" for g in ("signed", "mse")] + ["fp8e5m2", "bf16"]:
            mlq("encode", "model.safetensors", out="x.safetensors", options=f"--container safetensors --format {kind}")
            stored, back = raw_tensors("x.safetensors"), decoded("x.safetensors", "back.safetensors")
            for name in ("a.weight", "b.weight"):
                value = array(stored[name]).astype(np.float32)
                if f"{name}_scale" in stored:
                    scale = array(stored[f"{name}_scale"]).astype(np.float32)
                    scale = scale.reshape(-1, 1) if scale.ndim == 1 else scale
                    value = value * np.repeat(scale, value.shape[1] // scale.shape[1], axis=1)
                else:
                    check(kind in ("fp8e5m2", "bf16"), f"{kind}: {name} has a scale")
                check(same_bits(value.astype(dtype), array(back[name])), f"{np.dtype(dtype)}, {kind}: {name} is decoded")
                count += 1
            check(same_bits(model["b.bias"], array(back["b.bias"])), f"{kind}: the bias is as it was")
    print(f"decoded by numpy, bit for bit: {count} tensors")


def around(codes):
    """The values, what lies halfway between two of them, and the float next to it on either side."""
    values = np.unique(codes[np.isfinite(codes)])
    halves = ((values[1:].astype(np.float64) + values[:-1]) / 2).astype(np.float32)
    return np.concatenate([values, halves, np.nextafter(halves, np.float32(np.inf)),
                           np.nextafter(halves, np.float32(-np.inf))])


def all_codes(dtype, bits):
    return np.arange(2**bits, dtype=np.uint16 if bits == 16 else np.uint8).view(dtype).astype(np.float32)


def rows_of(x, columns, last):
    """The values as rows whose last column is `last`."""
    x = np.concatenate([x, np.zeros(-len(x) % (columns - 1), np.float32)]).reshape(-1, columns - 1)
    return np.concatenate([x, np.full((len(x), 1), last, np.float32)], axis=1)


# Every code of a type, what lies between two of them, and back.
def conversions():
    def encode(x, kind, container="safetensors"):
        safetensors.numpy.save_file({"x": x}, "codes.safetensors")
        mlq("encode", "codes.safetensors", out="x.safetensors",
            options=f"--container {container} --min-elems 1 --format {kind}")
        return raw_tensors("x.safetensors")

    checked = {}
    x = rows_of(around(all_codes(ml_dtypes.bfloat16, 16)), 256, 1)
    got = array(encode(x, "bf16")["x"])
    check(same_bits(got, x.astype(ml_dtypes.bfloat16)), "bf16: every code and what lies between")
    checked["bf16"] = x.size
    for target in ("f32", "f16"):
        back = array(decoded("x.safetensors", "back.safetensors", f"--dtype {target}")["x"])
        largest = np.float32(65504 if target == "f16" else np.inf)
        wanted = np.clip(got.astype(np.float32), -largest, largest).astype(FLOATS[target.upper()])
        check(same_bits(back, wanted), f"bf16: every code to {target}")
    x = rows_of(around(all_codes(ml_dtypes.float8_e5m2, 8)), 64, 1)
    got = array(encode(x, "fp8e5m2")["x"])
    check(same_bits(got, x.astype(ml_dtypes.float8_e5m2)), "fp8e5m2: every code and what lies between")
    checked["fp8e5m2"] = x.size
    # A row whose largest is 448 has scale 1.
    x = rows_of(around(all_codes(ml_dtypes.float8_e4m3fn, 8)), 64, 448)
    stored = encode(x, "fp8e4m3 --block row")
    check((array(stored["x_scale"]) == 1).all(), "fp8e4m3: a row up to 448 has scale 1")
    check(same_bits(array(stored["x"]), x.astype(ml_dtypes.float8_e4m3fn)), "fp8e4m3: every code and what lies between")
    checked["fp8e4m3"] = x.size
    # Of 32 values up to 6 the power of two is 1; two codes a byte, the low half first.
    x = rows_of(around(all_codes(ml_dtypes.float4_e2m1fn, 4)), 32, 6)
    stored = encode(x, "mxfp4 --mx-scale floor", "mlq")
    wanted = x.astype(ml_dtypes.float4_e2m1fn).view(np.uint8).reshape(-1, 2) & 15
    check(array(stored["x.mlq.codes"]).tolist() == (wanted[:, 0] | wanted[:, 1] << 4).tolist(),
          "mxfp4: every code and what lies between")
    checked["mxfp4"] = x.size
    # A block of one power of two each.
    powers = np.ldexp(np.float32(1), np.arange(-118, 128)).astype(np.float32)
    x = np.repeat(powers[:, None], 32, axis=1)
    stored = encode(x, "mxfp8", "mlq")
    scale = array(stored["x.mlq.scales"]).view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    codes = array(stored["x.mlq.codes"]).view(ml_dtypes.float8_e4m3fn).astype(np.float32).reshape(x.shape)
    back = array(decoded("x.safetensors", "back.safetensors")["x"])
    check(same_bits(codes * scale[:, None], back) and same_bits(back, x), "mxfp8: every power of two")
    checked["powers of two"] = len(powers)
    print("conversions as ml-dtypes has them:", ", ".join(f"{n} of {k}" for k, n in checked.items()))


# The ten lines of the manual: what a file says of itself, computed by other programs.
def tree_hash(data):
    leaves = b"".join(xxhash.xxh3_128_digest(data[i:i + 65536]) for i in range(0, len(data), 65536))
    return xxhash.xxh3_128_digest(leaves)


def model_hash(tensors):
    state = xxhash.xxh3_128()
    for name, (dtype, shape, data) in sorted(tensors.items(), key=lambda item: item[0].encode()):
        for text in (name.encode(), dtype.encode()):
            state.update(struct.pack("<Q", len(text)) + text)
        state.update(struct.pack(f"<{1 + len(shape)}Q", len(shape), *shape) + tree_hash(data))
    return "xxh3:" + state.hexdigest()


def hashes():
    rng = np.random.default_rng(3)
    model = {"big": rng.normal(0, 1, (300, 1000)).astype(np.float32), "small": rng.normal(0, 1, 7).astype(np.float32),
             "leaf": rng.normal(0, 1, (128, 128)).astype(np.float32), "none": np.zeros((0, 3), np.float32),
             "one": np.array(1.5, np.float32), "é": np.arange(9000, dtype=np.int16)}
    safetensors.numpy.save_file(model, "model.safetensors")
    for kind in ("int4", "int8 --container safetensors", "ec --snr 30", "raw"):
        mlq("encode", "model.safetensors", out="x.mlq.safetensors", options=f"--format {kind}")
        about, back = metadata("x.mlq.safetensors"), decoded("x.mlq.safetensors", "back.safetensors")
        source = raw_tensors("model.safetensors")
        for which, tensors in (("source", source), ("decoded", back)):
            check(about[f"mlq.{which}_hash"] == model_hash(tensors), f"{kind}: hash of the {which} model")
            for name, (_, _, data) in tensors.items():
                check(json.loads(about[f"mlq.t.{name}"])[f"hash_{which}"] == "xxh3:" + tree_hash(data).hex(),
                      f"{kind}: hash of the {which} tensor {name}")
    print(f"hashes recomputed: those of {len(model)} tensors and of the model")


def zstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, check=True, stdout=subprocess.PIPE).stdout


# A seek table behind the frames: each entry is true.
def check_seek_table(data, plain_bytes, what):
    frames, flags, magic = struct.unpack("<IBI", data[-9:])
    check(magic == 0x8F92EAB1 and flags == 0x80, f"{what}: a seek table is at the end")
    size = 12 * frames
    check(struct.unpack("<II", data[-9 - size - 8:-9 - size]) == (0x184D2A5E, size + 9), f"{what}: it is a skippable frame")
    at = 0
    done = b""
    for packed, size, checksum in struct.iter_unpack("<III", data[-9 - size:-9]):
        part = zstd(data[at:at + packed])
        check(len(part) == size and xxhash.xxh64_intdigest(part) & 0xFFFFFFFF == checksum, f"{what}: frame at {at}")
        at += packed
        done += part
    check(done == plain_bytes and at + 8 + 12 * frames + 9 == len(data), f"{what}: the frames are the plane")


def planes():
    rng = np.random.default_rng(4)
    x = (rng.standard_t(4, (1100, 2048)) * 0.02).astype(ml_dtypes.bfloat16)
    safetensors.numpy.save_file({"x": x, "y": x[:3].copy()}, "model.safetensors")
    for options in ("--snr 20", "--snr 25 --zstd literal", "--snr 25 --zstd match", "--snr 62"):
        mlq("encode", "model.safetensors", out="x.mlq.safetensors", options=options)
        stored, entry = raw_tensors("x.mlq.safetensors"), json.loads(metadata("x.mlq.safetensors")["mlq.t.x"])
        plane = {k: stored[p["tensor"]][2] for k, p in entry["planes"].items()}
        codes = zstd(plane["codes"])
        check_seek_table(plane["codes"], codes, f"{options}: codes")
        q = np.frombuffer(codes, np.uint8).astype(np.int32)
        if entry["wide"]:
            high = zstd(plane["high"])
            check_seek_table(plane["high"], high, f"{options}: high")
            q += np.frombuffer(high, np.uint8).astype(np.int32) << 8
        value = (q - (32768 if entry["wide"] else 128)).astype(np.float32) * np.float32(entry["step"])
        value = value.astype(ml_dtypes.bfloat16)
        value[q == 0] = np.frombuffer(plane.get("escapes", b"")[:2 * entry["escapes"]], ml_dtypes.bfloat16)
        back = array(decoded("x.mlq.safetensors", "back.safetensors")["x"])
        check(same_bits(value.reshape(x.shape), back), f"{options}: zstd -d and a step decode it")
        print(f"{options}: {'wide' if entry['wide'] else 'narrow'}, {entry['escapes']} escapes, decoded by `zstd -d`")
    mlq("encode", "model.safetensors", out="x.mlq.safetensors", options="--format raw --zstd auto")
    stored, entry = raw_tensors("x.mlq.safetensors"), json.loads(metadata("x.mlq.safetensors")["mlq.t.x"])
    halves = [zstd(stored[entry["planes"][k]["tensor"]][2]) for k in ("codes", "high")]
    whole = np.stack([np.frombuffer(h, np.uint8) for h in halves], axis=1).tobytes()
    check(whole == x.tobytes(), "bf16: two planes of bytes are the tensor")
    packed = sum(len(stored[entry["planes"][k]["tensor"]][2]) for k in ("codes", "high"))
    print(f"bf16, lossless: two planes, {packed / x.nbytes:.3f} of its size")


opens()
plain()
conversions()
hashes()
planes()
end()
