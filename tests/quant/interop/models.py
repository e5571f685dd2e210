"""Models that the readers of quantized models are tried on, made here."""
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

from tool import check

transformers.utils.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()


def bits(tensor):
    width = {1: torch.int8, 2: torch.int16, 4: torch.int32}[tensor.element_size()]
    return tensor.contiguous().view(width)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(bits(a), bits(b))


def write_odd_weights(folder, dtype):
    """A model of two matrices that no program runs: rows of zeros, blocks of zeros, huge and tiny values, outliers."""
    generator = torch.Generator().manual_seed(5)
    a = torch.randn(64, 512, generator=generator) * 0.03
    a[3] = 0
    a[4] = -0.0
    a[5, :128] = 0
    a[6, 16:32] = 0
    a[7] *= 3e4 / 0.12
    a[8] *= 1e-7
    a[9, 100] = 40
    a[10] = 0.25
    a[11] = -a[11].abs()
    b = torch.randn(40, 256, generator=generator) * 0.5
    Path(folder).mkdir()
    save_file({"a.weight": a.to(dtype), "b.weight": b.to(dtype)}, f"{folder}/model.safetensors")
    Path(f"{folder}/config.json").write_text(json.dumps({"model_type": "none"}))


def write_llama(folder, **other):
    """A small Llama; returns it."""
    torch.manual_seed(6)
    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, dtype="bfloat16", **other)
    model = transformers.LlamaForCausalLM(config).to(torch.bfloat16).eval()
    model.save_pretrained(folder)
    return model


def write_gpt2(folder):
    """A small GPT-2, whose layers are no `Linear` but hold their weights transposed; returns it."""
    torch.manual_seed(7)
    config = transformers.GPT2Config(vocab_size=256, n_embd=128, n_layer=1, n_head=4, n_positions=64, dtype="bfloat16")
    model = transformers.GPT2LMHeadModel(config).to(torch.bfloat16).eval()
    model.save_pretrained(folder)
    return model


@torch.no_grad()
def logits(model):
    ids = (torch.arange(96).reshape(3, 32) * 7 + 5) % 256
    return model(ids).logits.float()


def loaded(folder, what):
    """The model of a folder as transformers loads it; every tensor that it wants is there."""
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, output_loading_info=True)
    left = {k: sorted(v) for k, v in info.items() if v}
    check(not left, f"{what}: transformers finds what it wants: {left}")
    return model.eval()


def distance(model, reference):
    """Of logits, relative."""
    expected = logits(reference)
    return ((logits(model) - expected).norm() / expected.norm()).item()
