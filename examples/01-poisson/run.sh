#!/usr/bin/env bash
# Makes a minute of Poisson arrivals, describes it and checks it.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "A minute of Poisson arrivals at 200 a second begins like this:"
mlq-loadgen gen poisson --rate 200/s --duration 60s --seed 7 -o "$work/trace.jsonl"
sed -n '2,4p' "$work/trace.jsonl"

echo
echo "What it is. A Poisson process has gaps of cv 1 and an index of dispersion of 1 at every scale:"
mlq-loadgen stat "$work/trace.jsonl" |
  jq -r 'select(.type=="trace_stat") | "rate \(.rate_per_s * 100 | round / 100)/s, gap cv \(.gap_cv * 1000 | round / 1000)"'
mlq-loadgen stat --emit idc "$work/trace.jsonl" |
  jq -r 'select(.type=="idc") | "idc in windows of \(.window_ns / 1e9) s: \(.idc * 1000 | round / 1000)"'

echo
echo "Is it what its run record says it is?"
mlq-loadgen check "$work/trace.jsonl" |
  jq -r 'select(.type=="test" or .type=="verdict") |
         if .type=="test" then "\(.verdict)\t\(.name)" else "verdict: \(if .pass then "yes" else "no" end)" end'
