"""compressed-tensors decompresses our folders to the bits that `decode` gives, and transformers runs them."""
import json
import shutil
from pathlib import Path

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file

import models
from tool import check, end, mlq

FORMATS = [f"int4 --block {block}" for block in (32, 64, 128)] + ["int4 --block 64 --grid mse", "int4 --grid absmax"] + [
    "int8 --block row", "int8 --block row --dynamic-activations", "int8 --block row --grid signed",
    "fp8e4m3 --block row", "fp8e4m3 --block row --dynamic-activations",
    "nvfp4", "nvfp4 --nvfp4-scale six", "mxfp4", "mxfp4 --mx-scale even", "mxfp4 --mx-scale floor"]


def encode(source, form, out):
    shutil.rmtree(out, ignore_errors=True)
    mlq("encode", source, out=f"{out}/", options=f"--container compressed-tensors --format {form}")


def load_folder(folder):
    tensors = {}
    for file in sorted(Path(folder).glob("*.safetensors")):
        tensors |= load_file(file)
    return tensors


# By the decompressor itself, in the type that it gives.
def decompressed():
    count = 0
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        source = f"odd-{dtype}"
        models.write_odd_weights(source, dtype)
        for form in FORMATS:
            encode(source, form, "out")
            config = json.loads(Path("out/config.json").read_text())["quantization_config"]
            parsed = QuantizationConfig.model_validate(config)
            scheme = parsed.config_groups["group_0"]
            compressor = BaseCompressor.get_value_from_registry(config["format"])
            stored = load_folder("out")
            for module in ("a", "b"):
                state = {k.removeprefix(f"{module}."): v for k, v in stored.items() if k.startswith(f"{module}.")}
                theirs = compressor.decompress(state, scheme)["weight"]
                kind = {torch.bfloat16: "bf16", torch.float16: "f16", torch.float32: "f32"}[theirs.dtype]
                mlq("decode", "out/", out="back.safetensors", options=f"--dtype {kind}")
                ours = load_file("back.safetensors")[f"{module}.weight"]
                check(models.same_bits(theirs, ours), f"{dtype}, {form}: {module} is decompressed to what decode gives; "
                      f"{(models.bits(theirs) != models.bits(ours)).sum()} of {ours.numel()} differ")
                count += 1
    print(f"decompressed, bit for bit: {count} tensors")


# By transformers, which decompresses before the first run.
def run():
    plain, tied = models.write_llama("plain"), models.write_llama("tied", tie_word_embeddings=True, attention_bias=True)
    for name, reference in (("plain", plain), ("tied", tied)):
        for form, near in (("int4 --block 32", 0.25), ("int8 --block row", 0.02),
                           ("int8 --block row --dynamic-activations", 0.03),
                           ("fp8e4m3 --block row --dynamic-activations", 0.1), ("nvfp4", 0.25), ("mxfp4", 0.25)):
            encode(name, f"{form} --max-shard-size 200k", "out")
            model = models.loaded("out", f"{name}, {form}")
            far = models.distance(model, reference)
            check(far < near, f"{name}, {form}: logits are {far} away, not {near}")
            mlq("decode", "out/", out="back.safetensors")
            state = model.state_dict()
            wrong = [k for k, v in load_file("back.safetensors").items() if not models.same_bits(state[k], v)]
            check(not wrong, f"{name}, {form}: weights in the model that has run are what decode gives: {wrong}")
            print(f"{name} Llama, {form}: logits {far:.4f} away")
    gpt2 = models.write_gpt2("gpt2")
    encode("gpt2", "int4", "out")
    check(models.distance(models.loaded("out", "GPT-2"), gpt2) == 0, "GPT-2 is left as it was")


decompressed()
run()
end()
