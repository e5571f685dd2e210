#!/usr/bin/env bash
# How large should a batch be? Clipper (Crankshaw et al., NSDI 2017) lets the latency objective say it: two rows more after
# every full batch in time, a tenth fewer after a late one (AIMD). Here a container of 5 ms a call and 0.1 ms a row gets 1,500
# rows a second, to be answered within 50 ms: without batches, in batches of at most 4, and in those that AIMD finds.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
servers=()
stop() {
  kill "${servers[@]}" 2>/dev/null || true
  wait
  servers=()
}
trap 'stop; rm -rf "$work"' EXIT
cd "$work"

mlq-loadgen gen poisson --rate 1500/s --duration 4s --seed 5 -o load.jsonl

try() {  # name, knobs
  local name=$1 knob knobs=()
  for knob in "${@:2}"; do knobs+=(--set "$knob"); done
  # max_rows=1: the container itself takes one call at a time, as most do.
  mlq-model run --backend sleep --set base_ns=5ms --set per_row_ns=100us --set max_rows=1 --listen unix:model \
    --admin off >model.jsonl &
  servers+=($!)
  mlq-serve run --model sleep=unix:model --slo 'p99<=50ms' "${knobs[@]}" --listen unix:serve --admin off >"$name.serve" &
  servers+=($!)
  until [ -S model ] && [ -S serve ]; do sleep 0.05; done
  # The first second is left out: AIMD begins with one row.
  mlq-replay run --url unix:serve:/v2/models/sleep/infer --api kserve-v2 --dim input=1 --slo 'latency<=50ms' --timeout 1s \
    --warmup 1s --results none -q load.jsonl >"$name.run"
  stop
  rm -f model serve
  jq -s --arg name "$name" --slurpfile serve "$name.serve" '
    (.[] | select(.type == "summary")) as $sent | [$serve[] | select(.type == "serve_window" and .batches > 0)] as $windows
    | {$name, good: $sent.good, planned: $sent.planned, p99_ns: $sent.service_p99_ns, aimed: $windows[-1].target_rows,
       rows: ($windows[1:] | (map(.batches * .batch_rows_mean) | add) / (map(.batches) | add))}' "$name.run" >"$name.result"
  jq -r '[.name, "\(.good) of \(.planned)", (.p99_ns / 1e6 | round), (.rows * 10 | round / 10), .aimed] | join("|")' "$name.result" |
    awk -F'|' '{ printf "  %-10s %16s %8s ms %8s %8s\n", $1, $2, $3, $4, $5 }'
}
printf '  %-10s %16s %11s %8s %8s\n' size 'good answers' p99 'a batch' 'aimed at'
try none controller=fixed max_rows=1
try fixed-4 controller=fixed max_rows=4
try aimd controller=aimd max_rows=1024

# By the container's times one row a call is at most 196 answers a second, and batches of 11 are enough for all 1,500. Less
# than half of what AIMD gains is asked for, so that a busy machine does not change the answer.
jq -es '(map({(.name): .}) | add) as $by | $by.aimd.good >= 3 * $by.none.good and $by.aimd.aimed > 4' ./*.result >/dev/null || {
  echo "AIMD's batches did not pay."
  exit 1
}
echo "AIMD aims at more rows than 4, and answers at least three times as many in time as single rows do."
