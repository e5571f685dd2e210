"""The child's side of `mlq-tune compare --external`: lines of JSON on standard input and output."""
import json
import sys

ANSWERS = sys.stdout  # libraries may print elsewhere from here on: sys.stdout = sys.stderr


def knob_values(knob):
    """All values of a knob of the space line."""
    if knob["type"] == "bool":
        return [False, True]
    return knob["values"]


def serve(make_tuner):
    """`make_tuner(space_line, knobs)` gives an object with ask() -> config and tell(config, y).

    `knobs` is a dict from name to list of values, derived knobs left out; y is ln cost, None if the trial failed.
    """
    tuner = None
    for text in sys.stdin:
        line = json.loads(text)
        if line["type"] == "space":
            knobs = {
                name: knob_values(knob)
                for name, knob in line["space"]["knobs"].items()
                if knob["type"] != "derived"
            }
            tuner = make_tuner(line, knobs)
        elif line["type"] == "ask":
            print(json.dumps({"type": "config", "config": tuner.ask()}), file=ANSWERS, flush=True)
        elif line["type"] == "tell":
            tuner.tell(line["config"], None if line.get("failed") else line["y"])
