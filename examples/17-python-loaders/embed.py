"""Embeds sentences with a model and with compressed ones, loaded by transformers as any user would, and prints how far apart
they are. usage: embed.py ORIGINAL (COMPRESSED LEAST_COSINE)..."""
import sys

import torch
import transformers

SENTENCES = ["A man is playing a guitar on stage.", "Somebody performs music for an audience.",
             "The stock market fell sharply on Friday.", "Share prices dropped at the end of the week.",
             "Mix flour, eggs and milk to a smooth batter.", "The cat sleeps in the warm sun."]
original, others = sys.argv[1], list(zip(sys.argv[2::2], map(float, sys.argv[3::2])))
transformers.utils.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
tokens = transformers.AutoTokenizer.from_pretrained(original)(SENTENCES, padding=True, return_tensors="pt")


@torch.no_grad()
def embeddings(folder):
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][:, :, None]
    return torch.nn.functional.normalize((hidden * mask).sum(dim=1) / mask.sum(dim=1), dim=1)


reference = embeddings(original)
failed = False
for folder, least in others:
    cosine = (embeddings(folder) * reference).sum(dim=1)
    print(f"{folder}: cosine {cosine.mean():.4f}, lowest {cosine.min():.4f}; at least {least} is asked for")
    failed |= bool(cosine.min() < least)
sys.exit(failed)
