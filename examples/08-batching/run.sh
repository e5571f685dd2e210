#!/usr/bin/env bash
# A model server that takes one call at a time, and what batching before it does to the answers that come in time. Then a
# knob is turned while it serves, and every reply says under which setting it was made.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

# 2.8 ms a call and 13 us a row; max_rows=1: calls do not share a batch.
mlq-model run --backend sleep --set base_ns=2.8ms --set per_row_ns=13us --set max_rows=1 --listen unix:model \
  --admin off >model.jsonl &
servers+=($!)
mlq-serve run --model sleep=unix:model --slo 'p99<=20ms' --listen unix:serve --admin unix:admin >serve.jsonl &
servers+=($!)
until [ -S model ] && [ -S serve ] && [ -S admin ]; do sleep 0.05; done

mlq-loadgen gen poisson --rate 150/s --duration 2s --seed 3 -o light.jsonl
mlq-loadgen gen poisson --rate 800/s --duration 2s --seed 3 -o heavy.jsonl
good() {  # server, trace
  mlq-replay run --url "unix:$1:/v2/models/sleep/infer" --api kserve-v2 --dim input=4 --slo 'latency<=20ms' --timeout 1s \
    --results none -q "$2" | jq -r 'select(.type=="summary") | "\(.good) of \(.planned)"'
}
echo "within 20 ms, at 150/s: through mlq-serve $(good serve light.jsonl), alone $(good model light.jsonl)"
echo "within 20 ms, at 800/s: through mlq-serve $(good serve heavy.jsonl), alone $(good model heavy.jsonl)"

ask() {
  curl -sS --unix-socket serve -o answer -D head -H 'content-type: application/json' \
    -d '{"inputs":[{"name":"input","shape":[1,1],"datatype":"FP64","data":[1]}]}' http://mlq/v2/models/sleep/infer
  tr -d '\r' <head | grep -i '^x-mlq-gen'
}
echo "Under which setting is a reply made?"
ask
curl -sS --unix-socket admin -X PATCH -H 'content-type: application/json' -d '{"max_rows":8}' \
  http://mlq/admin/v1/models/sleep/knobs | jq -c '{gen, max_rows: .knobs.max_rows}'
ask
