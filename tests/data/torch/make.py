#!/usr/bin/env python3
"""Writes the .pt files beside it: what torch.save makes of small tensors, without torch.

The bytes of the pickles are CPython's own at protocol 2, of stand-ins that have torch's names; the archives follow
torch/serialization.py and inline_container.cc (PyTorch 2): stored entries, each padded in its local header to 64
bytes, zip64 records on request. usage: make.py"""
import collections
import io
import pickle
import struct
import sys
import types
import zlib
from pathlib import Path

HERE = Path(__file__).parent
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})


def named(module, name, thing):
    thing.__module__, thing.__qualname__, thing.__name__ = module.__name__, name, name
    setattr(module, name, thing)
    return thing


def _rebuild_tensor_v2(*args): ...
def _rebuild_parameter(*args): ...


rebuild_tensor = named(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2)
rebuild_parameter = named(utils, "_rebuild_parameter", _rebuild_parameter)
Size = named(torch, "Size", type("Size", (tuple,), {"__reduce__": lambda self: (torch.Size, (tuple(self),))}))
FORMATS = {"FloatStorage": "<f", "BFloat16Storage": None, "DoubleStorage": "<d", "HalfStorage": "<e", "LongStorage": "<q"}
for storage_type in FORMATS:
    named(torch, storage_type, type(storage_type, (), {}))


class Storage:
    def __init__(self, kind, values):
        self.kind, self.values = kind, values

    def bytes(self):
        if self.kind == "BFloat16Storage":
            return b"".join(struct.pack("<f", v)[2:] for v in self.values)
        return b"".join(struct.pack(FORMATS[self.kind], v) for v in self.values)


class Tensor:
    def __init__(self, storage, offset, size, stride):
        self.args = (storage, offset, size, stride)

    def __reduce__(self):
        return rebuild_tensor, (*self.args, False, collections.OrderedDict())


class Parameter:
    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        return rebuild_parameter, (self.data, True, collections.OrderedDict())


def entries(thing):
    """The archive's entries, by name."""
    storages, out = {}, io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, Storage):
                return None
            key, _ = storages.setdefault(id(value), (str(len(storages)), value))
            return "storage", getattr(torch, value.kind), key, "cpu", len(value.values)

    Pickler(out, protocol=2).dump(thing)
    files = {"data.pkl": out.getvalue(), "byteorder": b"little"}
    files |= {f"data/{key}": storage.bytes() for key, storage in storages.values()}
    return files | {"version": b"3\n", ".data/serialization_id": b"0123456789"}


def archive(files, folder="archive", zip64=False):
    out, directory = bytearray(), bytearray()
    for name, data in files.items():
        path, at, crc = f"{folder}/{name}".encode(), len(out), zlib.crc32(data)
        size = (len(data),) * 2
        head = 30 + len(path) + 4
        padding = b"Z" * (-(at + head) % 64)
        extra = b"FB" + struct.pack("<H", len(padding)) + padding
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 0, 0x808, 0, 0, 0, crc, *size, len(path), len(extra)) + path + extra + data
        wide = struct.pack("<HHQQQ", 1, 24, len(data), len(data), at) if zip64 else b""
        narrow = (0xFFFFFFFF,) * 2 if zip64 else size
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 0, 0, 0x808, 0, 0, 0, crc, *narrow, len(path), len(wide),
                                 0, 0, 0, 0, 0xFFFFFFFF if zip64 else at) + path + wide
    begin = len(out)
    out += directory
    if zip64:
        end = len(out)
        out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, len(files), len(files), len(directory), begin)
        out += struct.pack("<IIQI", 0x07064B50, 0, end, 1)
        return bytes(out + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    return bytes(out + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(files), len(files), len(directory), begin, 0))


def state_dict():
    weight = Storage("FloatStorage", [0.5 * i - 2 for i in range(12)])
    out = collections.OrderedDict(weight=Parameter(Tensor(weight, 0, Size((3, 4)), (4, 1))))
    out["bias"] = Tensor(Storage("BFloat16Storage", [1.0, -2.0, 0.25]), 0, (3,), (1,))
    out["norm"] = {"scale": Tensor(Storage("DoubleStorage", [1e-300, 3.0]), 0, (2,), (1,)), "epoch": 7, "lr": 0.1}
    out._metadata = collections.OrderedDict({"": {"version": 1}})
    return out


def views():
    storage = Storage("FloatStorage", [float(i) for i in range(100)])
    return {"part": Tensor(storage, 10, (5,), (1,)), "transposed": Tensor(storage, 20, (2, 3), (1, 2)),
            "column": Tensor(storage, 3, (4,), (10,)), "list": [Tensor(storage, 99, (), ()), None, True]}


for name, content in {"state_dict.pt": archive(entries(state_dict())),
                      "views.pt": archive(entries(views()), folder="views"),
                      "zip64.pt": archive(entries({"half": Tensor(Storage("HalfStorage", [1.5, -1.0]), 0, (2,), (1,))}),
                                          zip64=True)}.items():
    (HERE / name).write_bytes(content)
