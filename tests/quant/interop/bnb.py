"""bitsandbytes dequantizes our folders to the bits that `decode` gives, quantizes to our codes, and transformers runs them."""
import shutil

import bitsandbytes.functional as bnb
import torch
from safetensors.torch import load_file

import models
from tool import check, end, mlq

FORMATS = [f"{form} --block {block}{nested}" for form in ("nf4", "fp4") for block in (64, 128, 4096)
           for nested in ("", " --double-quant")]


def encode(source, form, out):
    shutil.rmtree(out, ignore_errors=True)
    mlq("encode", source, out=f"{out}/", options=f"--container bnb --format {form}")


def state_of(stored, name):
    return bnb.QuantState.from_dict({k: v for k, v in stored.items() if k.startswith(f"{name}.")}, device="cpu")


def halves(codes):
    return torch.stack([codes >> 4, codes & 15], dim=-1).reshape(-1).int()


# Blocks of nothing but zeros have no codes that mean anything.
def of_zeros(x, block):
    padded = torch.nn.functional.pad(x.reshape(-1).float(), (0, -x.numel() % block)).reshape(-1, block)
    return (padded == 0).all(dim=1).repeat_interleave(block)[:x.numel()]


# fp4 has a second zero, code 8. On the CPU it takes the sign of a zero by other rules than on a GPU.
def one_zero(codes, kind):
    return codes.where(codes != 8, 0) if kind == "fp4" else codes


# Between the midpoints, which are its thresholds for fp4 on the CPU, and the decimals near them that it has on a GPU.
def between_thresholds(x, block):
    padded = torch.nn.functional.pad(x.reshape(-1).float(), (0, -x.numel() % block)).reshape(-1, block)
    share = (padded * (1 / padded.abs().amax(dim=1, keepdim=True))).reshape(-1)[:x.numel()].abs()
    thresholds = torch.tensor([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333])
    return (share[:, None] - thresholds).abs().amin(dim=1) < 1e-6


def quantized_alike(x, theirs, state, ours, our_state, what):
    kind = state.quant_type
    a, b = (one_zero(halves(codes)[:x.numel()], kind) for codes in (theirs, ours))
    differ = (a != b) & ~of_zeros(x, state.blocksize)
    if kind == "fp4":
        differ &= ~between_thresholds(x, state.blocksize)
    check(not differ.any(), f"{what}: {differ.sum()} of {a.numel()} codes are not its own")
    check(torch.equal(state.code, our_state.code), f"{what}: the table is its own")
    if not state.nested:
        check(models.same_bits(state.absmax, our_state.absmax), f"{what}: absmax are its own")
        return
    check(torch.equal(state.state2.code, our_state.state2.code), f"{what}: the table of absmax is its own")
    # The mean is summed in another order, which can move a code by one.
    far = ((state.offset - our_state.offset).abs() / state.offset.abs()).item()
    check(far <= 4 * torch.finfo(torch.float32).eps, f"{what}: the mean of absmax is {far} away from its own")
    moved = (state.absmax.int() - our_state.absmax.int()).abs()
    check(moved.max() <= 1 and moved.sum() <= 1 + moved.numel() / 100,
          f"{what}: {moved.sum()} of {moved.numel()} codes of absmax are not its own")


def dequantized():
    count = 0
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        source = f"odd-{dtype}"
        models.write_odd_weights(source, dtype)
        x = load_file(f"{source}/model.safetensors")
        for form in FORMATS:
            encode(source, form, "out")
            stored = load_file("out/model.safetensors")
            mlq("decode", "out/", out="back.safetensors")
            back = load_file("back.safetensors")
            for name in ("a.weight", "b.weight"):
                what = f"{dtype}, {form}: {name}"
                state = state_of(stored, name)
                theirs = bnb.dequantize_4bit(stored[name], state)
                differ = models.bits(theirs) != models.bits(back[name])
                if state.quant_type == "fp4":
                    differ &= (theirs != 0) | (back[name] != 0)
                check(theirs.dtype == dtype and not differ.any(), f"{what} is dequantized to what decode gives; "
                      f"{differ.sum()} of {theirs.numel()} differ")
                codes, own = bnb.quantize_4bit(x[name], blocksize=state.blocksize, quant_type=state.quant_type,
                                               compress_statistics=state.nested, quant_storage=torch.uint8)
                quantized_alike(x[name], codes, own, stored[name], state, what)
                count += 1
    print(f"dequantized, bit for bit but for the signs of the zeros of fp4, and quantized to the same codes: {count} tensors")


# By transformers, with the layers of bitsandbytes.
def run():
    for name, other in (("plain", {}), ("tied", {"tie_word_embeddings": True})):
        reference = models.write_llama(name, **other)
        for form in ("nf4", "nf4 --double-quant", "fp4"):
            encode(name, form, "out")
            model = models.loaded("out", f"{name}, {form}")
            kind = type(model.model.layers[0].mlp.down_proj).__name__
            check(kind == "Linear4bit", f"{name}, {form}: its layers are {kind}")
            far = models.distance(model, reference)
            check(far < 0.25, f"{name}, {form}: logits are {far} away")
            mlq("decode", "out/", out="back/")
            shutil.copy(f"{name}/config.json", "back/")
            near = models.distance(model, models.loaded("back", f"{name}, {form}, decoded"))
            check(near < 0.01, f"{name}, {form}: logits are {near} away from those of what decode gives")
            print(f"{name} Llama, {form}: logits {far:.4f} away, {near:.4f} from what decode gives")
    gpt2 = models.write_gpt2("gpt2")
    encode("gpt2", "nf4", "out")
    check(models.distance(models.loaded("out", "GPT-2"), gpt2) == 0, "GPT-2 is left as it was")


dequantized()
run()
end()
