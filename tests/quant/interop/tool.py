"""mlq-quant as the tests of its readers run it. A file is looked at as other programs see it: by `safetensors`."""
import json
import subprocess
import sys
from pathlib import Path

import safetensors

failures = 0


def check(ok, claim):
    global failures
    if not ok:
        failures += 1
        print(f"not so: {claim}")
    return ok


def end():
    sys.exit(1 if failures else 0)


def mlq(command, *arguments, out, options=""):
    """Runs a command on the input(s), writes `out` and returns the records."""
    records = subprocess.run(
        ["mlq-quant", command, *map(str, arguments), *options.split(), "-o", str(out), "--records", "-", "-q"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in records.splitlines()]


def raw_tensors(path):
    """Name to (dtype, shape, bytes), of a file or of a folder."""
    path = Path(path)
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    found = {}
    for file in files:
        for name, tensor in safetensors.deserialize(file.read_bytes()):
            found[name] = (tensor["dtype"], tensor["shape"], bytes(tensor["data"]))
    return found


def metadata(path):
    with safetensors.safe_open(path, "np") as file:
        return file.metadata()


def decoded(path, out, options=""):
    """What `decode` gives, as raw_tensors()."""
    mlq("decode", path, out=out, options=options)
    return raw_tensors(out)
