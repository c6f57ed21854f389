"""Asks fitted models about one row at a time, as their own libraries do: scikit-learn, and onnxruntime.

Fits the same models on the same rows as `bench/scoring.py`. Reads "contestant family" from standard input, a line each,
and prints the rows a second that it came to.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import onnxruntime
from models import FEATURES, families, rows
from skl2onnx import to_onnx

MEASURED_S = 0.4


def rate(ask: object, asked: np.ndarray) -> float:
    """Rows a second, each asked alone."""
    ask(asked[:1])
    count, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < MEASURED_S:
        ask(asked[count % len(asked)][None, :])
        count += 1
    return count / took


def main() -> None:
    x, y = rows()
    asked = {"sklearn": x, "onnxruntime": x.astype(np.float32)}
    contestants = {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for name, classifier in families().items():
        classifier.fit(x, y)
        contestants["sklearn", name] = classifier.predict_proba
        converted = to_onnx(classifier, x[:1].astype(np.float32), options={id(classifier): {"zipmap": False}})
        session = onnxruntime.InferenceSession(
            converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        feed, answer = session.get_inputs()[0].name, [session.get_outputs()[1].name]
        contestants["onnxruntime", name] = lambda row, s=session, f=feed, a=answer: s.run(a, {f: row})
    assert FEATURES == x.shape[1]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        who, family = line.split()
        print(json.dumps({"rate": rate(contestants[who, family], asked[who])}), flush=True)


main()
