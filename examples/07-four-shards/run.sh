#!/usr/bin/env bash
# Four processes, which could be on four machines, send one trace between them. Nobody coordinates them, and the figures
# are those that one process would have found.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

mlq-replay serve --service exp,mean=2ms --servers 4 >"$work/seen.jsonl" &
server=$!
until [ -s "$work/seen.jsonl" ]; do sleep 0.05; done
url=$(head -n 1 "$work/seen.jsonl" | jq -r .url)

mlq-loadgen gen poisson --rate 200/s --duration 2s --class-mix chat:3,code:1 --seed 7 -o "$work/trace.jsonl"

# All count from one instant. It is the clock of one machine here; on several, leave --max-clock-error as it is.
start=$(date -u -d '+3 seconds' +%Y-%m-%dT%H:%M:%SZ)
shards=()
for k in 0 1 2 3; do
  mlq-replay run --url "$url" --shard "$k/4" --start-at "$start" --max-clock-error none --tag \
    "$work/trace.jsonl" -o "$work/part.%k.jsonl" &
  shards+=($!)
done
for shard in "${shards[@]}"; do wait "$shard"; done

echo "Each sent its share:"
for k in 0 1 2 3; do
  jq -r 'select(.type=="summary" and .class=="*") | "  shard '$k': \(.sent) requests"' "$work/part.$k.jsonl"
done

mlq-replay merge "$work"/part.?.jsonl -o "$work/run.jsonl"
echo "Together they are the trace:"
jq -r 'select(.type=="summary") | "  class \(.class): \(.ok) of \(.planned) ok"' "$work/run.jsonl"
[ "$(jq -r 'select(.type=="end").trace_xxh3' "$work/run.jsonl")" = \
  "$(jq -r 'select(.type=="end").trace_xxh3' "$work/trace.jsonl")" ]

echo "Without one of them there is no answer:"
mlq-replay merge "$work"/part.[013].jsonl 2>&1 >/dev/null | sed 's/^/  /' || echo "  exit status ${PIPESTATUS[0]}"
