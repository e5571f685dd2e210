# usage: talk.py HOOK PROGRAM
import json, os, runpy, sys, warnings

hook, program = runpy.run_path(sys.argv[1]), sys.argv[2]
Advisor = hook["MlqAdvisor"]


def gram(step, products):
    return {"type": "gram", "step": step, "batch_samples": 128, "groups": 2, "gram": products}


# Replies to what was asked; the run record is passed over.
advisor = Advisor([program, "follow", "--target", "0.8", "--controller", "simigrad"])
hello = {"type": "hello", "protocol": 1, "world": 1, "micro_samples": 1, "batch_samples": 128}
assert advisor.ask(hello)["batch_samples"] == 128
assert advisor.ask(gram(0, [1, 0.1, 1]))["batch_samples"] == 140
# What is no number is sent as null and holds the batch.
assert advisor.ask({**gram(1, None), "loss": hook["number"](float("nan"))})["clamped"] == "hold"
# A refusal is a warning, and gives the batch to keep.
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert advisor.ask(gram(2, [1]))["batch_samples"] == 128 and len(said) == 1
# A dead advisor is a warning, once, and no exception.
advisor.child.kill()
advisor.child.wait()
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    assert advisor.ask(gram(3, [1, 0.1, 1])) is None and advisor.ask(gram(4, [1, 0.1, 1])) is None
    assert len(said) == 1, said

# One that says nothing is waited for no longer than the time-out, and a late reply is dropped.
to_us, from_us = os.pipe(), os.pipe()
slow = Advisor.__new__(Advisor)
slow.timeout, slow.rest, slow.child, slow.to, slow.back = 0.05, b"", None, from_us[1], to_us[0]
assert slow.ask(gram(0, [1, 0.1, 1])) is None
for step in (0, 1):
    os.write(to_us[1], (json.dumps({"type": "batch_size", "step": step, "batch_samples": step}) + "\n").encode())
slow.timeout = 60
assert slow.ask(gram(1, [1, 0.1, 1]))["step"] == 1

print(sys.argv[1] + ": as it should")
