#!/usr/bin/env python3
"""A model server in plain Python: the Open Inference Protocol v2 in JSON, and the linear model of the digits.

usage: plain.py PORT LINEAR_JSON
"""
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

with open(sys.argv[2]) as file:
    model = json.load(file)
METADATA = {
    "name": "digits",
    "platform": "python",
    "inputs": [{"name": "input", "datatype": "FP64", "shape": [-1, 64]}],
    "outputs": [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "scores", "datatype": "FP64", "shape": [-1, 10]},
    ],
}


def infer(request):
    tensor = request["inputs"][0]
    count, width = tensor["shape"]
    if width != 64 or len(tensor["data"]) != count * width:
        raise ValueError(f"shape {tensor['shape']}, {len(tensor['data'])} values")
    if max(tensor["data"]) > 1:
        raise ValueError("pictures are of 0 to 1")
    labels, scores = [], []
    for k in range(count):
        row = tensor["data"][k * width : (k + 1) * width]
        mine = [sum(w * x for w, x in zip(ws, row)) + b for ws, b in zip(model["weights"], model["bias"])]
        labels.append(max(range(10), key=mine.__getitem__))
        scores += mine
    time.sleep(0.005)  # what a call costs whatever its size: the reason to batch
    reply = {"model_name": "digits"}
    if "id" in request:
        reply["id"] = request["id"]
    reply["outputs"] = [
        {"name": "label", "shape": [count], "datatype": "INT64", "data": labels},
        {"name": "scores", "shape": [count, 10], "datatype": "FP64", "data": scores},
    ]
    return reply


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, reply):
        body = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v2/health/ready":
            self.answer(200, {"ready": True})
        elif self.path == "/v2/models/digits":
            self.answer(200, METADATA)
        else:
            self.answer(404, {"error": f"nothing at {self.path}"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v2/models/digits/infer":
            return self.answer(404, {"error": f"nothing at {self.path}"})
        try:
            self.answer(200, infer(json.loads(body)))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            self.answer(400, {"error": str(error)})

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
