"""FastAPI before onnxruntime with the digits, to be run by uvicorn: `uvicorn fastapi_digits:app`, with --workers for more
processes. MODEL names the ONNX file; what else is set by the environment has the libraries' own defaults:

THREADS, SPINNING  of onnxruntime's session (0: a thread a core, 1)
HANDLERS           requests that a process handles at a time (40)
"""
import contextlib
import os

import anyio.to_thread
import numpy
import onnxruntime
from fastapi import FastAPI

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ.get("THREADS", 0))
options.add_session_config_entry("session.intra_op.allow_spinning", os.environ.get("SPINNING", "1"))
model = onnxruntime.InferenceSession(os.environ["MODEL"], options)


@contextlib.asynccontextmanager
async def lifespan(_app):
    anyio.to_thread.current_default_thread_limiter().total_tokens = int(os.environ.get("HANDLERS", 40))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/ready")
def ready():
    return {}


@app.post("/digits")
def digits(request: dict):
    rows = numpy.asarray(request["rows"], dtype=numpy.float32).reshape(-1, 64)
    return {"answers": model.run(None, {"input": rows})[0].argmax(1).tolist()}
