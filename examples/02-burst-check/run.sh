#!/usr/bin/env bash
# Asks of two generators whether their output is Poisson: mlq-loadgen's own, and one of ten lines of awk.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mlq-loadgen gen poisson --rate 50/s --duration 120s -o "$work/mlq-loadgen.jsonl"
awk -v RATE=50 -v SECONDS=120 -f per_second.awk >"$work/per_second.awk.jsonl"

for name in mlq-loadgen per_second.awk; do
  echo "$name:"
  mlq-loadgen stat --emit trace_stat "$work/$name.jsonl" |
    jq -r 'select(.type=="trace_stat") | "  rate \(.rate_per_s * 100 | round / 100)/s, gap cv \(.gap_cv * 1000 | round / 1000)"'
  # The exit status is the answer: 0 yes, 1 no, anything else: it could not be asked.
  status=0
  mlq-loadgen check --against poisson -o "$work/check.jsonl" "$work/$name.jsonl" || status=$?
  case $status in
    0) echo "  Poisson: yes" ;;
    1) jq -r 'select(.type=="verdict") | "  Poisson: no; failed: \(.failed)"' "$work/check.jsonl" ;;
    *) exit "$status" ;;
  esac
done
