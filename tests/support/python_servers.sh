# For scripts that try mlq against other people's servers; to be sourced with `bin` and `source_folder` set. Puts one into an
# empty folder; the processes of `started` end with it, and the folder goes.
#
# Packages of PyPI come from an environment in ~/.cache/mlq/interop that only MLQ_INTEROP=1 makes.
skip() { echo "skipped: $1"; exit 77; }
fail() { echo "failed: $1"; exit 1; }
for program in python3 curl jq; do
  command -v $program >/dev/null || skip "there is no $program"
done

folder=$(mktemp -d)
started=()
finish() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$folder"
}
trap finish EXIT
cd "$folder"
digits=$source_folder/data/digits

# Sets `python` to an interpreter that has the packages.
use_packages() { use_environment interop "in a minute or two and 600 MB" "$source_folder/scripts/python-env" "$@"; }

use_environment() {  # name, what it takes, script that makes it, packages...
  local environment=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mlq/$1 takes=$2 make=$3
  shift 3
  if [ "${MLQ_INTEROP:-}" = 1 ]; then
    python=$("$make" --in "$environment" "$@" 2>env.txt) || {
      cat env.txt
      skip "no environment"
    }
  else
    python=$environment/bin/python
    [ -x "$python" ] || skip "there is no $environment; MLQ_INTEROP=1 makes it, $takes"
  fi
  "$python" - "$@" <<'PYTHON' || skip "not all of $* are in $environment; MLQ_INTEROP=1 installs them"
import importlib.metadata
import sys

print("python", sys.version.split()[0], *(f"{p} {importlib.metadata.version(p)}" for p in
      (argument.split("[")[0] for argument in sys.argv[1:])))
PYTHON
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

wait_for() {  # what, command...: until it succeeds, or for a minute
  local what=$1 k
  shift
  for ((k = 0; k < 600; ++k)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  cat ./*.txt 2>/dev/null || true
  fail "$what is not there"
}

start_server() {  # path, command...: at $direct
  local path=$1
  shift
  "$@" >log.txt 2>&1 &
  started+=($!)
  wait_for "$1" curl -sf -o /dev/null "$direct$path"
}
