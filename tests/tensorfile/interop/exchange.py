"""Files of tensors there and back: usage: exchange.py TENSORFILE_COPY, in an empty folder."""
import json
import os
import subprocess
import sys

import numpy
import safetensors
import safetensors.numpy

copy = sys.argv[1]
random = numpy.random.default_rng(1)


def run(*arguments):
    subprocess.run([copy, *arguments], check=True)


def refused(path, text):
    ended = subprocess.run([copy, path, "never"], capture_output=True, text=True)
    assert ended.returncode == 3 and text in ended.stderr, (path, ended)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def draw(dtype, shape):
    size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(dtype)
    return numpy.frombuffer(random.bytes(size), dtype).reshape(shape).copy()


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a)


# Every dtype that numpy has, scalars and empty tensors, names that must be escaped.
dtypes = ["bool", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "c8", "f8", "i8", "u8"]
tensors = {f"h.{i}.{d}": draw(d, shape) for d in dtypes for i, shape in enumerate([(7, 3), (1,), (), (0, 5), (2, 3, 4)])}
tensors |= {'"quoted"\t\u00e4\\': draw("f4", (3,)), "large": draw("f2", (300, 1000))}
safetensors.numpy.save_file(tensors, "theirs.safetensors", {"format": "np"})
run("theirs.safetensors", "ours.safetensors")
assert contents("theirs.safetensors") == contents("ours.safetensors"), "not the reference's bytes"
assert same(safetensors.numpy.load_file("ours.safetensors"), tensors)
print(f"{len(tensors)} tensors of numpy: the same bytes")

# Through standard streams, compressed and not.
with open("theirs.safetensors", "rb") as here, open("streamed", "wb") as there:
    subprocess.run([copy, "-", "-"], check=True, stdin=here, stdout=there)
assert contents("streamed") == contents("theirs.safetensors")
run("theirs.safetensors", "packed.safetensors.zst")
run("packed.safetensors.zst", "unpacked.safetensors")
assert contents("unpacked.safetensors") == contents("theirs.safetensors")

# The dtypes that numpy does not have, by their bits.
raw, kept = {}, []
for name in ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz",
             "float4_e2m1fn_x2"]:
    size = 24 * (2 if name == "bfloat16" else 1)
    kept.append(numpy.frombuffer(random.bytes(size), "u1").copy())
    try:
        if hasattr(safetensors, "TensorSpec"):
            spec = safetensors.TensorSpec(dtype=name, shape=[6, 4], data_ptr=kept[-1].ctypes.data, data_len=size)
        else:
            spec = {"dtype": name, "shape": [6, 4], "data": kept[-1].tobytes()}
        safetensors.serialize({name: spec}, None)
        raw[f"w.{name}"] = spec
    except Exception as error:
        print(f"not in this safetensors: {name}: {error}")
with open("raw.safetensors", "wb") as file:
    file.write(safetensors.serialize(raw, None))
run("raw.safetensors", "raw2.safetensors")
assert contents("raw.safetensors") == contents("raw2.safetensors")
print("by their bits: the same bytes:", *raw)

# Sizes that are known late: what is read is the same, as bytes; what got no bytes is left out.
run("--append", "theirs.safetensors", "late.safetensors")
late = safetensors.numpy.load_file("late.safetensors")
assert late.keys() == {k for k in tensors if tensors[k].nbytes}
assert all(late[k].tobytes() == tensors[k].tobytes() for k in late)
print("of unknown size: read by the reference")

# npy in all versions, with its types.
for version in [(1, 0), (2, 0), (3, 0)]:
    for dtype in dtypes:
        for shape in [(3, 5), (4,), (), (0, 2)]:
            array = draw(dtype, shape)
            with open("array.npy", "wb") as file:
                numpy.lib.format.write_array(file, array, version)
            run("array.npy", "array.safetensors")
            assert same(safetensors.numpy.load_file("array.safetensors"), {"array": array}), (version, dtype, shape)
for dtype, text in [(">f4", "big-endian"), ("U3", "are not read"), ("M8[s]", "are not read")]:
    numpy.save("array.npy", numpy.zeros(3, dtype))
    refused("array.npy", text)
numpy.save("array.npy", numpy.asfortranarray(numpy.zeros((2, 3))))
refused("array.npy", "Fortran")
numpy.save("array.npy", numpy.array([{}], dtype=object), allow_pickle=True)
refused("array.npy", "pickled")
numpy.savez("arrays.npz", a=numpy.zeros(3))
refused("arrays.npz", "zip")
print("npy: read, or refused with its reason")

# Shards as huggingface_hub cuts them, read through its index.
from huggingface_hub import split_state_dict_into_shards_factory  # noqa: E402

split = split_state_dict_into_shards_factory(
    tensors, get_storage_size=lambda t: t.nbytes, filename_pattern="model{suffix}.safetensors", max_shard_size=600)
assert split.is_sharded
os.mkdir("model")
for file, names in split.filename_to_tensors.items():
    safetensors.numpy.save_file({name: tensors[name] for name in names}, f"model/{file}")
with open("model/model.safetensors.index.json", "w") as file:
    json.dump({"metadata": split.metadata, "weight_map": split.tensor_to_filename}, file)
run("model", "joined.safetensors")
assert same(safetensors.numpy.load_file("joined.safetensors"), tensors)
print(f"{len(split.filename_to_tensors)} shards: joined")
