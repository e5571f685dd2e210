#!/usr/bin/env bash
# A service with settings that nobody has looked at: is it what its admin interface says, what would be better, why, and how
# does it stay so? The Makefile beside this has the commands.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
here=$PWD
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cp knobs.json "$work"
cd "$work"
tune() { make --no-print-directory -f "$here/Makefile" "$@"; }

# The model takes 2.8 ms a call and 13 us a row, and nobody has turned batching on before it.
mlq-model run --backend sleep --set base_ns=2.8ms --set per_row_ns=13us --set max_rows=1 --listen unix:model \
  --admin off >model.jsonl &
servers+=($!)
mlq-serve run --model sleep=unix:model --set controller=fixed --set delay_mode=fixed --set max_rows=1 --set admit=false \
  --listen unix:serve --admin unix:admin >serve.jsonl &
servers+=($!)
until [ -S model ] && [ -S serve ] && [ -S admin ]; do sleep 0.05; done
mlq-loadgen gen poisson --rate 320/s --duration 60s --seed 3 -o load.jsonl

exec 2>&1  # what is for people, in its place
echo "Does it take what it is told?"
tune check
echo
echo "What would be better?"
tune tuned.json
echo
echo "These settings: $(jq -c . tuned.json). Why?"
tune explain
echo
echo "Somebody proposes to go back. Does it pass?"
echo '{"max_rows":1}' >proposed.json
if tune gate PROPOSED=proposed.json; then
  echo "it passes" && exit 1
fi
echo "It does not."
