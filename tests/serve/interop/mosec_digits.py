#!/usr/bin/env python3
"""mosec with a model of the digits in numpy; a request is an object with rows.

usage: mosec_digits.py --port PORT; MODEL names the linear model's JSON, WORKERS, MAX_BATCH_SIZE and MAX_WAIT_TIME (ms) are
mosec's
"""
import json
import os

import numpy
from mosec import Server, ValidationError, Worker

MAX_BATCH_SIZE = int(os.environ.get("MAX_BATCH_SIZE", 1))


class Digits(Worker):
    def __init__(self):
        super().__init__()
        with open(os.environ["MODEL"]) as file:
            model = json.load(file)
        self.weights = numpy.array(model["weights"]).T
        self.bias = numpy.array(model["bias"])

    def answer(self, data):
        try:
            rows = numpy.array(data["rows"], dtype=float).reshape(-1, 64)
        except (KeyError, ValueError) as error:
            raise ValidationError(str(error)) from error
        return {"answers": (rows @ self.weights + self.bias).argmax(1).tolist()}

    def forward(self, data):  # with batches mosec passes a list
        return self.answer(data) if MAX_BATCH_SIZE == 1 else [self.answer(one) for one in data]


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Digits,
        num=int(os.environ.get("WORKERS", 1)),
        max_batch_size=MAX_BATCH_SIZE,
        max_wait_time=int(os.environ.get("MAX_WAIT_TIME", 0)),
    )
    server.run()
