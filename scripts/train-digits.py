#!/usr/bin/env python3
"""Trains the models of data/digits, and writes what scikit-learn says of small ones for the tests of mlq-model.

usage: $(scripts/python-env scikit-learn onnx) scripts/train-digits.py

Digits: the 1,797 pictures of 8 x 8 points of scikit-learn (from E. Alpaydin, C. Kaynak, Optical Recognition of
Handwritten Digits, UCI 1998, CC BY 4.0), points / 16; 360 rows, stratified (seed 7), are kept for testing. Numbers are
rounded to what the accuracy needs. The small models keep every digit, so that an implementation can be held against
scikit-learn to the last places. The same versions write the same files.
"""
import json
import pathlib

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = ROOT / "data" / "digits"
SMALL = ROOT / "tests" / "serve" / "models"


def rounded(values, places):
    """Nested lists with so many significant digits; all of them if None. Whole numbers lose their point."""
    if np.ndim(values) > 0:
        return [rounded(value, places) for value in values]
    number = float(values) if places is None else float(f"{values:.{places}g}")
    return int(number) if number == int(number) else number


def write(path, model):
    path.write_text(json.dumps(model, separators=(",", ":")) + "\n")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def linear(model, places=None):
    return {"format": "mlq-linear", "version": 1, "output": "softmax", "classes": model.classes_.tolist(),
            "weights": rounded(model.coef_, places), "bias": rounded(model.intercept_, places)}


def kernel_svm(model, scale=1, places=None):
    # _dual_coef_ and _intercept_ are libsvm's own, also of two classes: a sum above 0 is a vote for the first of a pair.
    return {"format": "mlq-kernel-svm", "version": 1, "gamma": float(model._gamma), "classes": model.classes_.tolist(),
            "per_class": model.n_support_.tolist(), "vector_scale": scale,
            "vectors": rounded(model.support_vectors_ / scale, None),
            "coefficients": rounded(model._dual_coef_, places), "intercepts": rounded(model._intercept_, places)}


def tree(estimator, places):
    nodes = estimator.tree_
    leaf = nodes.children_left < 0
    leaves = nodes.value[leaf, 0, :]
    # Of a leaf, left is its row of value.
    left = np.where(leaf, np.cumsum(leaf) - 1, nodes.children_left)
    return {"feature": np.where(leaf, -1, nodes.feature).tolist(),
            "threshold": rounded(np.where(leaf, 0, nodes.threshold), None),
            "left": left.tolist(), "right": np.where(leaf, -1, nodes.children_right).tolist(),
            "value": rounded(leaves / leaves.sum(axis=1, keepdims=True), places)}


def forest(model, places=None):
    return {"format": "mlq-forest", "version": 1, "features": model.n_features_in_, "combine": "mean",
            "classes": model.classes_.tolist(), "trees": [tree(each, places) for each in model.estimators_]}


def mlp_onnx(model, path):
    """Gemm with transB=1, as OpenCV 4.6 wants it."""
    nodes, weights, last = [], [], "input"
    for k, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_)):
        weights += [numpy_helper.from_array(weight.T.astype(np.float32).copy(), f"w{k}"),
                    numpy_helper.from_array(bias.astype(np.float32), f"b{k}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"z{k}"], transB=1))
        end = k == len(model.coefs_) - 1
        last = "probabilities" if end else f"a{k}"
        nodes.append(helper.make_node("Softmax", [f"z{k}"], [last], axis=1) if end
                     else helper.make_node("Relu", [f"z{k}"], [last]))
    graph = helper.make_graph(
        nodes, "mlp",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", model.n_features_in_])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(model.classes_)])], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="train-digits")
    made.ir_version = 7
    path.write_bytes(made.SerializeToString())
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


def digits():
    DIGITS.mkdir(parents=True, exist_ok=True)
    points, labels = load_digits(return_X_y=True)
    np.save(DIGITS / "digits.npy", np.column_stack([points, labels]).astype(np.uint8))
    x, x_test, y, y_test, _, ids = train_test_split(points / 16, labels, np.arange(len(labels)), test_size=360,
                                                    stratify=labels, random_state=7)
    with open(DIGITS / "rows.jsonl", "w") as rows:
        for row, label, number in zip(x_test, y_test, ids):
            sample = {"type": "sample", "id": f"digits-{number}", "label": int(label), "row": rounded(row, None)}
            rows.write(json.dumps(sample, separators=(",", ":")) + "\n")
    models = {"linear": LogisticRegression(C=1, max_iter=1000), "kernel-svm": SVC(C=5),
              "forest": RandomForestClassifier(n_estimators=20, max_depth=8, random_state=7),
              "mlp": MLPClassifier(hidden_layer_sizes=(64,), max_iter=1000, random_state=7)}
    for name, model in models.items():
        model.fit(x, y)
        print(f"{name}: {int((model.predict(x_test) == y_test).sum())} of {len(y_test)}")
    write(DIGITS / "linear.json", linear(models["linear"], 4))
    write(DIGITS / "kernel-svm.json", kernel_svm(models["kernel-svm"], 1 / 16, 5))
    write(DIGITS / "forest.json", forest(models["forest"], 3))
    mlp_onnx(models["mlp"], DIGITS / "mlp.onnx")


def small():
    """Models of the iris data, some rows, and scikit-learn's answers to these."""
    SMALL.mkdir(parents=True, exist_ok=True)
    x, y = load_iris(return_X_y=True)
    x, y = x[::5], y[::5]
    rows = np.concatenate([x[::3], x[:4] + [0.7, -0.3, 2.1, 0.4], x[9:11] * 1.5])
    machine = SVC(C=2, gamma=0.5, decision_function_shape="ovo").fit(x, y)
    pair = SVC(C=2, gamma=0.5).fit(x[y < 2], y[y < 2])
    trees = RandomForestClassifier(n_estimators=3, max_depth=3, random_state=7).fit(x, y)
    straight = LogisticRegression(max_iter=1000).fit(x, y)
    network = MLPClassifier(hidden_layer_sizes=(5,), max_iter=3000, random_state=7).fit(x, y)
    write(SMALL / "linear.json", linear(straight))
    write(SMALL / "kernel-svm.json", kernel_svm(machine))
    write(SMALL / "kernel-svm-pair.json", kernel_svm(pair))
    write(SMALL / "forest.json", forest(trees))
    mlp_onnx(network, SMALL / "mlp.onnx")
    write(SMALL / "answers.json", {
        "rows": rows.tolist(), "linear": straight.predict_proba(rows).tolist(),
        "svm_decisions": machine.decision_function(rows).tolist(), "svm_labels": machine.predict(rows).tolist(),
        "pair_labels": pair.predict(rows).tolist(), "forest": trees.predict_proba(rows).tolist(),
        "mlp": network.predict_proba(rows).tolist()})


if __name__ == "__main__":
    digits()
    small()
