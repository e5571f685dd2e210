#!/usr/bin/env bash
# Three processes, which could be on three machines, each make their third of one trace. Nobody coordinates them:
# arrival i belongs to shard i mod 3, and every arrival can be made alone.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gen() { mlq-loadgen gen gamma --rate 100/s --cv 2 --count 9k --class-mix chat:3,code:1 --seed demo "$@"; }

for k in 0 1 2; do
  gen --shard "$k/3" -o "$work/shard$k.jsonl" &
done
wait

for k in 0 1 2; do
  jq -r 'select(.type=="end") | "shard '"$k"': \(.count) arrivals"' "$work/shard$k.jsonl"
done

echo "Merged by time, without the index that shards carry, the three are the whole trace, byte for byte:"
LC_ALL=C sort -m -n -t: -k3 <(grep '"arrival"' "$work/shard0.jsonl") <(grep '"arrival"' "$work/shard1.jsonl") \
  <(grep '"arrival"' "$work/shard2.jsonl") | sed 's/"i":[0-9]*,//' >"$work/merged.jsonl"
gen --no-provenance >"$work/whole.jsonl"
cmp "$work/merged.jsonl" "$work/whole.jsonl" && wc -l <"$work/merged.jsonl"
