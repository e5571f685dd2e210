#!/usr/bin/env python3
"""FastAPI and uvicorn before onnxruntime, as people write it: the digits under v2, KServe's v1 and a route of its own; and
settings that can be changed while it runs.

usage: fastapi_onnx.py PORT MLP_ONNX
"""
import sys

import anyio.to_thread
import numpy
import onnxruntime
import uvicorn
from fastapi import FastAPI

app = FastAPI()


def session(threads, spinning):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    return onnxruntime.InferenceSession(sys.argv[2], options)


model = session(0, True)


# What holds now, as the session and the pool say it themselves. `workers`: handlers that run at a time.
@app.get("/settings")
async def settings():
    options = model.get_session_options()
    return {
        "threads": options.intra_op_num_threads,
        "spinning": options.get_session_config_entry("session.intra_op.allow_spinning") == "1",
        "workers": anyio.to_thread.current_default_thread_limiter().total_tokens,
    }


@app.put("/settings")
async def set_settings(wanted: dict):
    global model
    model = session(wanted["threads"], wanted["spinning"])
    anyio.to_thread.current_default_thread_limiter().total_tokens = wanted["workers"]
    return await settings()


def probabilities(rows):
    return model.run(None, {"input": numpy.asarray(rows, dtype=numpy.float32).reshape(-1, 64)})[0]


@app.get("/v2/models/digits")
def metadata():
    return {
        "name": "digits",
        "platform": "onnxruntime",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 64]}],
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
        ],
    }


@app.post("/v2/models/digits/infer")
def infer(request: dict):
    found = probabilities(request["inputs"][0]["data"])
    count = len(found)
    return {
        "model_name": "digits",
        "id": request.get("id"),
        "outputs": [
            {"name": "label", "datatype": "INT64", "shape": [count], "data": found.argmax(1).tolist()},
            {"name": "probabilities", "datatype": "FP32", "shape": [count, 10], "data": found.tolist()},
        ],
    }


@app.post("/v1/models/digits:predict")
def predict(request: dict):
    return {"predictions": probabilities(request["instances"]).argmax(1).tolist()}


@app.post("/digits")
def digits(request: dict):
    found = probabilities(request["pictures"])
    return {"answers": [{"digit": int(row.argmax()), "sure": bool(row.max() > 0.5)} for row in found]}


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
