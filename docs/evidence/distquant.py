#!/usr/bin/env python3
"""Trains two small transformers through gathered weights, with libmlqquant doing what mlq-quant gather does.

Forward and backward see the weights that receivers hold; the optimizer keeps its own in fp32, as the owner of a shard does.
Matrices are gathered in bits, vectors (biases, norms) as bf16. The text is the documentation of Python's statements that comes
with the interpreter; the last tenth is kept for validation. One JSON record a run; runs that are in RECORDS are not done again.

usage: distquant.py LIBMLQQUANT RECORDS [SEEDS [STEPS [MODEL]]]      needs PyTorch; default: 3 seeds of 1000 steps of both, one thread
       distquant.py --table RECORDS
"""
import ctypes
import json
import math
import pydoc_data.topics
import sys
import time

CONTEXT, BATCH, WIDTH, HEADS, LAYERS, RATE = 48, 16, 64, 4, 2, 3e-3
METHODS = {  # cancel, bits, key_bits; the first two gather nothing in bits
    "full precision": None, "bf16": "bf16", "int8 none": ("none", 8), "int4 none": ("none", 4), "int4 residual": ("residual", 4),
    "int4 dither:8": ("dither:8", 4), "int4 delta": ("delta", 4), "int3 delta": ("delta", 3), "int2 none": ("none", 2),
    "int2 delta": ("delta", 2)}


class Options(ctypes.Structure):
    _fields_ = [("elems", ctypes.c_uint64), ("cancel", ctypes.c_char_p), ("grid", ctypes.c_char_p), ("bits", ctypes.c_uint32),
                ("block", ctypes.c_uint32), ("scale", ctypes.c_int), ("state", ctypes.c_int), ("key_bits", ctypes.c_uint32),
                ("threads", ctypes.c_uint32), ("beta", ctypes.c_double), ("residual_reset", ctypes.c_uint64),
                ("seed", ctypes.c_uint64), ("tensor", ctypes.c_uint32), ("first", ctypes.c_uint64)]


F32, BF16 = 0, 2


class Gathered:
    """One matrix: what its receivers hold after each step."""

    def __init__(self, library, torch, weights, method, number):
        self.library, self.torch, self.step, self.bytes = library, torch, 0, 0
        cancel, bits = method
        # A bf16 state costs two bytes a weight where it is kept, and none on the wire.
        options = Options(weights.numel(), cancel.encode(), None, bits, 64, BF16, BF16, 8, 1, 1.0, 0, 1, number, 0)
        self.handle = ctypes.c_void_p()
        self.check(library.mlq_gather_open(ctypes.byref(options), ctypes.byref(self.handle)))
        self.room = library.mlq_gather_bound(self.handle)
        self.packet = (ctypes.c_uint8 * self.room)()
        self.delta = cancel == "delta"

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.mlq_gather_error().decode())

    def __call__(self, weights):
        flat, size, error = weights.detach().contiguous(), ctypes.c_uint64(), ctypes.c_double()
        self.check(self.library.mlq_gather_encode(self.handle, self.step, int(self.delta and self.step == 0),
                                                  ctypes.c_void_p(flat.data_ptr()), F32, self.packet, self.room,
                                                  ctypes.byref(size), ctypes.byref(error)))
        self.check(self.library.mlq_gather_apply(self.handle, self.packet, size))
        self.step, self.bytes, self.error = self.step + 1, self.bytes + size.value, error.value
        held = (ctypes.c_uint16 * flat.numel()).from_address(self.library.mlq_gather_state(self.handle))
        return self.torch.frombuffer(held, dtype=self.torch.bfloat16).float().view_as(weights)

    def close(self):
        self.library.mlq_gather_close(self.handle)


def open_library(path):
    library = ctypes.CDLL(path)
    p, u64 = ctypes.c_void_p, ctypes.c_uint64
    library.mlq_gather_open.argtypes = [p, p]
    library.mlq_gather_close.argtypes, library.mlq_gather_close.restype = [p], None
    library.mlq_gather_bound.argtypes, library.mlq_gather_bound.restype = [p], u64
    library.mlq_gather_encode.argtypes = [p, u64, ctypes.c_int, p, ctypes.c_int, p, u64, p, p]
    library.mlq_gather_apply.argtypes = [p, p, u64]
    library.mlq_gather_state.argtypes, library.mlq_gather_state.restype = [p], p
    library.mlq_gather_error.restype = ctypes.c_char_p
    return library


def make_model(torch, kind, characters):
    nn = torch.nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(characters + 1, WIDTH)  # the last one is the mask
            self.place = nn.Embedding(CONTEXT, WIDTH)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
                for _ in range(LAYERS))
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, characters, bias=False)
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p, std=0.02)

        def forward(self, x):
            h = self.token(x) + self.place.weight
            mask = nn.Transformer.generate_square_subsequent_mask(CONTEXT) if kind == "gpt" else None
            for layer in self.layers:
                h = layer(h, src_mask=mask, is_causal=kind == "gpt")
            return self.head(self.norm(h))

    return Model()


def batch_of(torch, kind, text, generator, characters):
    """Inputs, targets and which of them count."""
    first = torch.randint(len(text) - CONTEXT - 1, (BATCH,), generator=generator)
    window = torch.stack([text[i:i + CONTEXT + 1] for i in first.tolist()])
    if kind == "gpt":
        return window[:, :-1], window[:, 1:], torch.ones(BATCH, CONTEXT, dtype=torch.bool)
    hidden = torch.rand(BATCH, CONTEXT, generator=generator) < 0.15
    return window[:, :-1].masked_fill(hidden, characters), window[:, :-1], hidden


def train(torch, library, kind, method, seed, steps):
    whole = "".join(pydoc_data.topics.topics[key] for key in sorted(pydoc_data.topics.topics))
    alphabet = sorted(set(whole))
    number = {c: i for i, c in enumerate(alphabet)}
    text = torch.tensor([number[c] for c in whole])
    learn, validate = text[:len(text) * 9 // 10], text[len(text) * 9 // 10:]
    torch.manual_seed(seed)
    model = make_model(torch, kind, len(alphabet))
    seen = list(model.parameters())  # what forward and backward use
    master = [p.detach().clone().requires_grad_() for p in seen]
    optimizer = torch.optim.AdamW(master, lr=RATE, betas=(0.9, 0.95), weight_decay=0.1)
    gathers = {i: Gathered(library, torch, p, METHODS[method], i) for i, p in enumerate(master)
               if isinstance(METHODS[method], tuple) and p.dim() > 1}

    def gather():
        for i, (p, own) in enumerate(zip(seen, master)):
            if i in gathers:
                p.data.copy_(gathers[i](own))
            else:
                p.data.copy_(own.detach() if METHODS[method] is None else own.detach().bfloat16().float())

    def loss_of(x, y, counts):
        return torch.nn.functional.cross_entropy(model(x)[counts], y[counts])

    def validation():
        generator = torch.Generator().manual_seed(99)
        with torch.no_grad():
            return sum(loss_of(*batch_of(torch, kind, validate, generator, len(alphabet))).item() for _ in range(100)) / 100

    generator = torch.Generator().manual_seed(seed)
    begin, curve = time.time(), []
    for step in range(steps):
        gather()
        if step % (steps // 10) == 0:
            curve.append([step, round(validation(), 4)])
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.1 + 0.45 * (1 + math.cos(math.pi * step / steps))) * min(1, (step + 1) / 50)
        loss = loss_of(*batch_of(torch, kind, learn, generator, len(alphabet)))
        for own, g in zip(master, torch.autograd.grad(loss, seen)):
            own.grad = g
        torch.nn.utils.clip_grad_norm_(master, 1.0)
        optimizer.step()
    gather()
    gathered = validation()
    elems = sum(master[i].numel() for i in gathers)
    wire = sum(g.bytes for g in gathers.values())
    errors = [g.error for g in gathers.values()]
    for p, own in zip(seen, master):
        p.data.copy_(own.detach())
    record = {"type": "bench", "name": "distquant", "model": kind, "method": method, "seed": seed, "steps": steps,
              "parameters": sum(p.numel() for p in master), "value": gathered, "loss_gathered": gathered,
              "loss_master": validation(), "curve": curve, "seconds": round(time.time() - begin, 1)}
    if elems:
        record |= {"wire_over_bf16": wire / (2.0 * elems * (steps + 1)), "rel_rmse_worst": max(errors)}
    for g in gathers.values():
        g.close()
    return record


def table(records):
    mean = lambda values: sum(values) / len(values)
    for kind in ("gpt", "bert"):
        runs = [r for r in records if r["model"] == kind]
        if not runs:
            continue
        full = {r["seed"]: r["loss_gathered"] for r in runs if r["method"] == "full precision"}
        print(f"\n| {kind}: {runs[0]['parameters']:,} parameters | loss | over full precision | from .. to | loss of the owner's weights "
              "| bytes over bf16 | largest relative error |\n|---|---:|---:|---:|---:|---:|---:|")
        for method in METHODS:
            mine = [r for r in runs if r["method"] == method]
            if not mine:
                continue
            over = [r["loss_gathered"] / full[r["seed"]] - 1 for r in mine if r["seed"] in full]
            wire = mean([r["wire_over_bf16"] for r in mine]) if "wire_over_bf16" in mine[0] else None
            print(f"| {method} | {mean([r['loss_gathered'] for r in mine]):.4f} | {100 * mean(over):+.2f} % | "
                  f"{100 * min(over):+.2f} .. {100 * max(over):+.2f} | {mean([r['loss_master'] for r in mine]):.4f} | "
                  + (f"{wire:.3f} | {max(r['rel_rmse_worst'] for r in mine):.1e} |" if wire else "| |"))


def main():
    if sys.argv[1] == "--table":
        return table([json.loads(line) for line in open(sys.argv[2])])
    import torch
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    library, path = open_library(sys.argv[1]), sys.argv[2]
    seeds, steps = int(sys.argv[3]) if len(sys.argv) > 3 else 3, int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    kinds = sys.argv[5:] or ["gpt", "bert"]
    key = lambda r: (r["model"], r["method"], r["seed"], r["steps"])
    with open(path, "a+") as records:
        records.seek(0)
        known = {key(json.loads(line)) for line in records}
        for seed in range(1, seeds + 1):
            for kind in kinds:
                for method in METHODS:
                    if (kind, method, seed, steps) not in known:
                        records.write(json.dumps(train(torch, library, kind, method, seed, steps)) + "\n")
                        records.flush()


if __name__ == "__main__":
    main()
