#!/usr/bin/env python3
"""The same training in PyTorch, with the hook that `mlq-simigrad hook torch` prints.

usage: mlq-simigrad hook torch >mlq_simigrad_hook.py && PYTHONPATH=. digits_torch.py DIGITS.npy [OPTION OF follow ...]
Without options the batch stays at 16.
"""
import sys

import torch

with open(sys.argv[1], "rb") as file:  # 1797 rows of 65 bytes behind a header: 64 points of 0 to 16 and the digit
    rows = torch.frombuffer(bytearray(file.read())[-1797 * 65:], dtype=torch.uint8).view(1797, 65)
x, y = rows[:, :64] / 16.0, rows[:, 64].long()

torch.manual_seed(1)
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
loss_of = torch.nn.functional.cross_entropy
batch, rate, mlq = 16, 0.65, None
if sys.argv[2:]:
    from mlq_simigrad_hook import MlqAdvisor, MlqSimigrad
    mlq = MlqSimigrad(model, MlqAdvisor(["mlq-simigrad", "follow", *sys.argv[2:]]), batch, micro=2)
    rate = 0.8

steps = samples = looked_at = 0
order, loss = torch.randperm(1797), torch.tensor(9.0)
while loss > 0.02 and samples < 150 * 1797:
    batch = mlq.batch if mlq else batch
    if len(order) < batch:
        order = torch.cat([order, torch.randperm(1797)])
    drawn, order = order[:batch], order[batch:]
    model.zero_grad()
    for number, half in enumerate(drawn.chunk(2)):
        (loss_of(model(x[half]), y[half], reduction="sum") / batch).backward()
        if mlq and number == 0:
            mlq.mid()
    scale = mlq.end() if mlq else 1.0
    with torch.no_grad():
        for p in model.parameters():
            p -= rate * scale * p.grad
    steps, samples = steps + 1, samples + batch
    if samples >= looked_at + 64:
        with torch.no_grad():
            looked_at, loss = samples, loss_of(model(x), y)
print(f"loss {loss:.4f} after {steps} steps, {samples} samples, {samples / steps:.1f} a step")
sys.exit(int(loss > 0.02))
