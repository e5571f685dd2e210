#!/usr/bin/env python3
"""Writes what `mlserver start FOLDER` wants: a support vector machine of scikit-learn, fitted to its digits.

usage: mlserver_digits.py FOLDER
"""
import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.svm import SVC

folder = Path(sys.argv[1])
pictures, labels = load_digits(return_X_y=True)
joblib.dump(SVC(C=5).fit(pictures / 16, labels), folder / "model.joblib")
settings = {
    "name": "digits",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib"},
}
(folder / "model-settings.json").write_text(json.dumps(settings))
(folder / "settings.json").write_text(json.dumps({"parallel_workers": 0, "debug": False}))
