#!/usr/bin/env python3
"""SMAC3 as a tuner of `mlq-tune compare --external`: its facade for hyperparameter optimisation (a random forest).

usage: smac_tuner.py

Ordered lists of numbers are integers (the place in the list); lists of strings are categories. The start configuration is
not told beforehand: SMAC begins with its own design, as large as its facade makes it.
"""
import logging
import sys
import tempfile

import protocol
from ConfigSpace import Categorical, ConfigurationSpace, Integer
from smac import HyperparameterOptimizationFacade as Facade
from smac import Scenario
from smac.runhistory.dataclasses import TrialValue


class Tuner:
    def __init__(self, line, knobs):
        self.knobs = knobs
        space = ConfigurationSpace(seed=line["seed"])
        for name, values in knobs.items():
            if len(values) == 1:
                continue
            if isinstance(values[0], str):
                space.add(Categorical(name, values))
            else:
                space.add(Integer(name, (0, len(values) - 1)))
        scenario = Scenario(
            space,
            deterministic=True,
            n_trials=line["trials"],
            seed=line["seed"],
            output_directory=tempfile.mkdtemp(prefix="mlq-smac-"),
        )
        self.smac = Facade(scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=logging.ERROR)
        self.worst = 0.0
        self.info = None

    def value(self, config, name, values):
        if len(values) == 1:
            return values[0]
        return config[name] if isinstance(values[0], str) else values[int(config[name])]

    def ask(self):
        self.info = self.smac.ask()
        return {name: self.value(self.info.config, name, values) for name, values in self.knobs.items()}

    def tell(self, config, y):
        if y is not None:
            self.worst = max(self.worst, y)
        self.smac.tell(self.info, TrialValue(cost=y if y is not None else self.worst + 0.5))


if __name__ == "__main__":
    sys.stdout = sys.stderr  # what SMAC prints would be taken for an answer
    protocol.serve(Tuner)
