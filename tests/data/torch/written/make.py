#!/usr/bin/env python3
"""Writes the .pt files beside it with torch itself (those here are of 2.15.0): the tensors of ../make.py. usage: make.py"""
from pathlib import Path

import torch

HERE = Path(__file__).parent
state_dict = torch.nn.Linear(4, 3).state_dict()
state_dict["weight"] = torch.nn.Parameter(torch.arange(12, dtype=torch.float32).reshape(3, 4) * 0.5 - 2)
state_dict["bias"] = torch.tensor([1.0, -2.0, 0.25], dtype=torch.bfloat16)
state_dict["norm"] = {"scale": torch.tensor([1e-300, 3.0], dtype=torch.float64), "epoch": 7, "lr": 0.1}
torch.save(state_dict, HERE / "state_dict.pt")
storage = torch.arange(100, dtype=torch.float32)
torch.save({"part": storage[10:15], "transposed": storage[20:26].reshape(3, 2).T, "column": storage[3:43:10],
            "list": [storage[99], None, True]}, HERE / "views.pt")
