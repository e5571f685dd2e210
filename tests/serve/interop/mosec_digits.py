#!/usr/bin/env python3
"""mosec with a model of the digits in numpy; a request is an object with rows.

usage: mosec_digits.py --port PORT; MODEL names the linear model's JSON
"""
import json
import os

import numpy
from mosec import Server, ValidationError, Worker


class Digits(Worker):
    def __init__(self):
        super().__init__()
        with open(os.environ["MODEL"]) as file:
            model = json.load(file)
        self.weights = numpy.array(model["weights"]).T
        self.bias = numpy.array(model["bias"])

    def forward(self, data):
        try:
            rows = numpy.array(data["rows"], dtype=float).reshape(-1, 64)
        except (KeyError, ValueError) as error:
            raise ValidationError(str(error)) from error
        return {"answers": (rows @ self.weights + self.bias).argmax(1).tolist()}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Digits)
    server.run()
