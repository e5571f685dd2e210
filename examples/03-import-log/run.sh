#!/usr/bin/env bash
# Takes a web server's log (150 made-up lines) apart: what the stamps are worth, and how to get more load of its shape.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "The log as records:"
mlq-loadgen import clf access.log -o "$work/log.jsonl"
sed -n '2,4p' "$work/log.jsonl"

echo
echo "How fine its clock is, and how many lines were out of order:"
jq -r 'if .type=="run" then "resolution \(.resolution_ns / 1e9) s"
       elif .type=="end" then "\(.inversions) of \(.count) lines out of order" else empty end' "$work/log.jsonl"

echo
echo "Stamps of a second say nothing of the gaps within it. Spread at random inside their second, is it Poisson?"
mlq-loadgen xform --do 'dequantise uniform' "$work/log.jsonl" -o "$work/spread.jsonl"
status=0
mlq-loadgen check --against poisson -o "$work/check.jsonl" "$work/spread.jsonl" || status=$?
[ "$status" -le 1 ]
jq -r 'select(.type=="verdict") | if .pass then "no test speaks against it" else "no: \(.failed)" end' "$work/check.jsonl"

echo
echo "Ten times as many requests, following the log's rate in steps of 5 s:"
mlq-loadgen stat --emit bin --bin 5s "$work/spread.jsonl" -o "$work/rate.jsonl"
mlq-loadgen gen rate-file "$work/rate.jsonl" --mean-rate 30/s --duration 50s |
  mlq-loadgen stat --emit trace_stat |
  jq -r 'select(.type=="trace_stat") | "\(.count) arrivals in \(.duration_ns / 1e9) s"'
