#!/usr/bin/env bash
# A load test with an objective, against a server whose answers are known: an M/M/1 queue, which then stalls. The exit
# status says whether the objective was met.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# A server on any free port. Its first record says which.
serve() {
  rm -f "$work/seen.jsonl"
  mlq-replay serve --service exp,mean=5ms "$@" >"$work/seen.jsonl" &
  server=$!
  until [ -s "$work/seen.jsonl" ]; do sleep 0.05; done
  url=$(head -n 1 "$work/seen.jsonl" | jq -r .url)
}
# What came of the run, in a few words.
show() {
  jq -r 'select(.type=="summary") | "  \(.ok) of \(.planned) ok, p50 \(.latency_p50_ns / 1e5 | round / 10) ms, " +
         "p99 \(.latency_p99_ns / 1e5 | round / 10) ms; sender: \(if .valid then "kept its plan" else .why end)"' "$1"
}
test_load() {
  # 0: met, 1: missed; anything else: it could not be tested.
  local status=0
  mlq-replay run --url "$url" --slo 'p99<=300ms && error_rate<=1%' -o "$work/run.jsonl" "$work/trace.jsonl" || status=$?
  [ "$status" -le 1 ] || exit "$status"
  show "$work/run.jsonl"
  echo "  exit status $status: the objective was $([ "$status" -eq 0 ] && echo met || echo missed)"
}

mlq-loadgen gen poisson --rate 100/s --count 300 --seed 7 -o "$work/trace.jsonl"

serve --count 300
echo "100 requests a second to a server that needs 5 ms for each (theory: mean 10 ms, p99 46 ms):"
test_load
wait "$server"

echo
echo "What the server saw is a trace as well. Gaps, as sent and as received:"
for name in trace seen; do
  mlq-loadgen stat --emit trace_stat "$work/$name.jsonl" |
    jq -r 'select(.type=="trace_stat") | "  '$name': \(.count) arrivals, cv of the gaps \(.gap_cv * 100 | round / 100)"'
done

echo
echo "The same load, and the server stops for a second. Nobody waits for it to come back: the queue is measured."
serve --count 300 --stall at=1s,for=1s
test_load
wait "$server"
server=
