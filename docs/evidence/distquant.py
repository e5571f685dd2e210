#!/usr/bin/env python3
"""Trains two small transformers through gathered weights, with libmlqquant doing what mlq-quant gather does.

Forward and backward see the weights that receivers hold; the optimizer keeps its own in fp32, as the owner of a shard does.
Matrices are gathered in bits, vectors (biases, norms) as bf16. The text is the documentation of Python's statements that comes
with the interpreter; the last tenth is kept for validation, and all of it is asked for: of the BERT-shaped model every character
once, in rounds of fixed masks. One JSON record a run; runs that are in RECORDS are not done again.

usage: distquant.py LIBMLQQUANT RECORDS [SEEDS [MODEL [METHOD ...]]]   default: seeds 1 to 3, both models, all methods
       distquant.py --table RECORDS
It needs PyTorch, and takes a minute a run on a core.
"""
import collections
import ctypes
import json
import math
import pydoc_data.topics
import sys
import time

WIDTH, HEADS, LAYERS, VALIDATE = 64, 4, 2, 64  # windows of validation in one forward pass
# `spread`: standard deviation of the matrices at the start, `token` that of the embeddings. `waves`: amplitude of sinusoidal
# positions at the start, 0: drawn like the others. `hidden`: share of the characters that the model has to guess.
Setup = collections.namedtuple("Setup", "steps context batch rate spread token waves hidden")
MODELS = {"gpt": Setup(1500, 48, 16, 3e-3, 0.08, 0.08, 0.0, 0.0), "bert": Setup(3000, 24, 32, 3e-3, 0.12, 0.08, 0.2, 0.25)}
WARMUP = 100
METHODS = {  # cancel, bits, elements with one scale; the first two gather nothing in bits
    "full precision": None, "bf16": "bf16", "int8 none": ("none", 8, 64), "int4 none": ("none", 4, 64),
    "int4 residual": ("residual", 4, 64), "int4 dither:8": ("dither:8", 4, 64), "int4 delta": ("delta", 4, 64),
    "int3 delta": ("delta", 3, 64), "int2 none": ("none", 2, 64), "int2 delta": ("delta", 2, 64),
    "int2 delta, blocks of 32": ("delta", 2, 32)}


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
        cancel, bits, block = method
        # A bf16 state costs two bytes a weight where it is kept, and none on the wire.
        options = Options(weights.numel(), cancel.encode(), None, bits, block, BF16, BF16, 8, 1, 1.0, 0, 1, number, 0)
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
    nn, setup = torch.nn, MODELS[kind]

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Embedding(characters + 1, WIDTH)  # the last one is the mask
            self.place = nn.Embedding(setup.context, WIDTH)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True)
                for _ in range(LAYERS))
            self.norm = nn.LayerNorm(WIDTH)
            self.head = nn.Linear(WIDTH, characters, bias=False)
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.normal_(p, std=setup.token if p is self.token.weight else setup.spread)
            if setup.waves:
                angle = torch.arange(setup.context)[:, None] * 0.01 ** (torch.arange(WIDTH // 2) / (WIDTH // 2))
                self.place.weight.data.copy_(setup.waves * torch.cat([angle.sin(), angle.cos()], 1))

        def forward(self, x):
            h = self.token(x) + self.place.weight
            mask = nn.Transformer.generate_square_subsequent_mask(setup.context) if kind == "gpt" else None
            for layer in self.layers:
                h = layer(h, src_mask=mask, is_causal=kind == "gpt")
            return self.head(self.norm(h))

    return Model()


def train(torch, library, kind, method, seed):
    setup, entropy = MODELS[kind], torch.nn.functional.cross_entropy
    whole = "".join(pydoc_data.topics.topics[key] for key in sorted(pydoc_data.topics.topics))
    alphabet = sorted(set(whole))
    number = {c: i for i, c in enumerate(alphabet)}
    text = torch.tensor([number[c] for c in whole])
    learn, kept = text[:len(text) * 9 // 10], text[len(text) * 9 // 10:]
    windows = (len(kept) - 1) // setup.context
    shown = kept[:windows * setup.context].view(windows, setup.context)
    after = kept[1:windows * setup.context + 1].view(windows, setup.context)
    rounds = 1 if kind == "gpt" else round(1 / setup.hidden)
    turn = torch.randint(rounds, shown.shape, generator=torch.Generator().manual_seed(99))
    torch.manual_seed(seed)
    model = make_model(torch, kind, len(alphabet))
    seen = list(model.parameters())  # what forward and backward use
    master = [p.detach().clone().requires_grad_() for p in seen]
    optimizer = torch.optim.AdamW(master, lr=1.0, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    gathers = {i: Gathered(library, torch, p, METHODS[method], i) for i, p in enumerate(master)
               if isinstance(METHODS[method], tuple) and p.dim() > 1}

    def gather():
        for i, (p, own) in enumerate(zip(seen, master)):
            if i in gathers:
                p.data.copy_(gathers[i](own))
            else:
                p.data.copy_(own.detach() if METHODS[method] is None else own.detach().bfloat16().float())

    def guess(x, hidden, reduction="mean"):
        return entropy(model(x.masked_fill(hidden, len(alphabet)))[hidden], x[hidden], reduction=reduction)

    def validation(count):
        total = 0.0
        with torch.no_grad():
            for x, y, turns in zip(*(t[:count].split(VALIDATE) for t in (shown, after, turn))):
                if kind == "gpt":
                    total += entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
                else:
                    total += sum(guess(x, turns == r, "sum").item() for r in range(rounds))
        return total / (count * setup.context)

    generator = torch.Generator().manual_seed(seed)
    begin, curve = time.time(), []
    for step in range(setup.steps):
        gather()
        if step % (setup.steps // 10) == 0:
            curve.append([step, round(validation(VALIDATE), 4)])
        for group in optimizer.param_groups:
            group["lr"] = setup.rate * 0.5 * (1 + math.cos(math.pi * step / setup.steps)) * min(1, (step + 1) / WARMUP)
        first = torch.randint(len(learn) - setup.context - 1, (setup.batch,), generator=generator)
        window = torch.stack([learn[i:i + setup.context + 1] for i in first.tolist()])
        x = window[:, :-1]
        if kind == "gpt":
            loss = entropy(model(x).flatten(0, 1), window[:, 1:].flatten())
        else:
            loss = guess(x, torch.rand(x.shape, generator=generator) < setup.hidden)
        for own, g in zip(master, torch.autograd.grad(loss, seen)):
            own.grad = g
        torch.nn.utils.clip_grad_norm_(master, 1.0)
        optimizer.step()
    gather()
    gathered = validation(windows)
    elems = sum(master[i].numel() for i in gathers)
    wire = sum(g.bytes for g in gathers.values())
    errors = [g.error for g in gathers.values()]
    for p, own in zip(seen, master):
        p.data.copy_(own.detach())
    record = {"type": "bench", "name": "distquant", "model": kind, "method": method, "seed": seed, "setup": setup._asdict(),
              "parameters": sum(p.numel() for p in master), "value": gathered, "loss_gathered": gathered,
              "loss_master": validation(windows), "curve": curve, "seconds": round(time.time() - begin, 1)}
    if elems:
        record |= {"wire_over_bf16": wire / (2.0 * elems * (setup.steps + 1)), "rel_rmse_worst": max(errors)}
    for g in gathers.values():
        g.close()
    return record


# 0.975 quantiles of Student's t with 1, 2, ... degrees of freedom.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def table(records):
    mean = lambda values: sum(values) / len(values)
    for kind in MODELS:
        runs = [r for r in records if r["model"] == kind]
        if not runs:
            continue
        full = {r["seed"]: r["loss_gathered"] for r in runs if r["method"] == "full precision"}
        print(f"\n| {kind}: {runs[0]['parameters']:,} parameters | seeds | loss | over full precision | 95 % interval | from .. to "
              "| loss of the owner's weights | bytes over bf16 | largest relative error |\n|---" + "|---:" * 8 + "|")
        for method in METHODS:
            mine = [r for r in runs if r["method"] == method and r["seed"] in full]
            if not mine:
                continue
            over = [100 * (r["loss_gathered"] / full[r["seed"]] - 1) for r in mine]
            n, middle = len(over), mean(over)
            half = STUDENT[n - 2] * math.sqrt(sum((x - middle) ** 2 for x in over) / (n - 1) / n) if n > 1 else None
            wire = mean([r["wire_over_bf16"] for r in mine]) if "wire_over_bf16" in mine[0] else None
            print(f"| {method} | {n} | {mean([r['loss_gathered'] for r in mine]):.4f} | "
                  + ("| | | " if method == "full precision" else f"{middle:+.2f} % | | | " if half is None else
                     f"{middle:+.2f} % | {middle - half:+.2f} .. {middle + half:+.2f} | {min(over):+.2f} .. {max(over):+.2f} | ")
                  + f"{mean([r['loss_master'] for r in mine]):.4f} | "
                  + (f"{wire:.3f} | {max(r['rel_rmse_worst'] for r in mine):.1e} |" if wire else "| |"))


def main():
    if sys.argv[1] == "--table":
        return table([json.loads(line) for line in open(sys.argv[2])])
    import torch
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    library, path = open_library(sys.argv[1]), sys.argv[2]
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    kinds = sys.argv[4:5] or list(MODELS)
    methods = sys.argv[5:] or list(METHODS)
    key = lambda r: (r["model"], r["method"], r["seed"], r["setup"])
    with open(path, "a+") as records:
        records.seek(0)
        known = [key(json.loads(line)) for line in records]
        for seed in range(1, seeds + 1):
            for kind in kinds:
                for method in methods:
                    if (kind, method, seed, MODELS[kind]._asdict()) not in known:
                        records.write(json.dumps(train(torch, library, kind, method, seed)) + "\n")
                        records.flush()


if __name__ == "__main__":
    main()
