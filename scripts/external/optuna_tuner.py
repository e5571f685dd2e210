#!/usr/bin/env python3
"""Optuna as a tuner of `mlq-tune compare --external`.

usage: optuna_tuner.py [tpe|tpe-multivariate|cmaes|random|gp]

Ordered lists of numbers are integers (the place in the list), so that Optuna knows their order; lists of strings are
categories. Samplers have their own defaults; the seed is that of the run.
"""
import math
import sys
import warnings

import optuna
import protocol

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "tpe-multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
}


class Tuner:
    def __init__(self, line, knobs, sampler):
        self.knobs = knobs
        self.study = optuna.create_study(sampler=SAMPLERS[sampler](line["seed"]))
        self.worst = -math.inf
        self.trial = None

    def suggest(self, name, values):
        if isinstance(values[0], str):
            return self.trial.suggest_categorical(name, values)
        return values[self.trial.suggest_int(name, 0, len(values) - 1)]

    def ask(self):
        self.trial = self.study.ask()
        return {name: self.suggest(name, values) for name, values in self.knobs.items()}

    def tell(self, config, y):
        if y is not None:
            self.worst = max(self.worst, y)
            self.study.tell(self.trial, y)
        elif math.isfinite(self.worst):
            self.study.tell(self.trial, self.worst + 0.5)
        else:
            self.study.tell(self.trial, state=optuna.trial.TrialState.FAIL)


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    chosen = sys.argv[1] if len(sys.argv) > 1 else "tpe"
    if chosen not in SAMPLERS:
        sys.exit(f"optuna_tuner.py: {chosen} is none of {', '.join(SAMPLERS)}")
    protocol.serve(lambda line, knobs: Tuner(line, knobs, chosen))
