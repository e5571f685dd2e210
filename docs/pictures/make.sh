#!/usr/bin/env bash
# Makes the pictures of the README anew, from runs of the programs; about half a minute, on a machine with nothing else to do.
# usage: docs/pictures/make.sh [BUILD_FOLDER]     default: build/release
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$(cd "${1:-build/release}" && pwd)/bin:$PATH
pictures=$PWD/docs/pictures
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

# batching.svg: a model that takes 2.8 ms a call, one call at a time, is asked 800 times a second: as it is, and behind
# mlq-serve. The same arrivals, one run after the other.
mlq-model run --backend sleep --set base_ns=2.8ms --set max_rows=1 --listen unix:model --admin off >model.jsonl &
servers+=($!)
mlq-serve run --model sleep=unix:model --slo 'p99<=20ms' --listen unix:serve --admin off >serve.jsonl &
servers+=($!)
until [ -S model ] && [ -S serve ]; do sleep 0.1; done
mlq-loadgen gen poisson --rate 800/s --duration 4s -o calls.jsonl
run() {  # socket, name
  mlq-replay run --url "unix:$1:/v2/models/sleep/infer" --dim input=4 --slo 'latency<=20ms' -q calls.jsonl -o "$2.jsonl"
}
run serve 'behind mlq-serve'
run model 'model alone'
mlq-plot -q 'model alone.jsonl' 'behind mlq-serve.jsonl' --picture ccdf --size 800x360 \
  --title '800 requests a second to a model that takes 2.8 ms a call' -o "$pictures/batching.svg"

# tuning.svg: two tuners on the simulated server with three knobs, on a virtual clock.
for tuner in random rrl-a; do
  mlq-tune replay --surface pool-batch@400 --tuner "$tuner" --trials 60 -o "$tuner.jsonl"
done
mlq-plot -q rrl-a.jsonl random.jsonl --picture cost --size 800x360 \
  --title 'Latency of each trial of a search, and of the best so far' -o "$pictures/tuning.svg"
ls -l "$pictures"/*.svg
