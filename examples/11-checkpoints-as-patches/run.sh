#!/usr/bin/env bash
# A training run that leaves a checkpoint every few steps, kept and shipped as patches: a chain that gives back every one of
# them and a receiver that follows it; then a run with larger steps, in 4 and 2 bits in a closed loop. The runs are small
# ones of bfloat16 weights, in perl: late in a training most updates are below half a step of a bfloat16 and change nothing.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp train "$work"
cd "$work"

echo "Ten checkpoints of 200,000 weights:"
./train 10 200000 1e-5
ls -l step*.safetensors | awk '{ bytes += $5 } END { printf "  %d files, %.1f MB\n", NR, bytes / 1e6 }'

echo
echo "As a chain of patches, with a whole model every fifth:"
for step in {1..10}; do mlq-quant chain run --add step$step.safetensors --step $step --anchor-every 5 >added.jsonl; done
mlq-quant chain run | jq -r 'select(.type=="link") | ["  step \(.step)", .kind, "\(.size_bytes / 1000 | round) kB"] | @tsv'
mlq-quant chain run --verify >verified.jsonl
for step in {1..10}; do
  mlq-quant apply run --to $step -o back.safetensors >applied.jsonl
  cmp back.safetensors step$step.safetensors
done
echo "  every step comes back byte for byte"

echo
echo "A receiver that has step 3 follows, in its own place, by the patches alone:"
cp step3.safetensors mine.safetensors
mlq-quant apply mine.safetensors run --to 7 -o mine.safetensors | jq -r 'select(.type=="shard") | "  \(.hash)"'
cmp mine.safetensors step7.safetensors
mlq-quant apply mine.safetensors run -o mine.safetensors >applied.jsonl
cmp mine.safetensors step10.safetensors

echo
echo "One that sleeps from step 1 to 10 gets one patch for nine, of what changed in between:"
for step in {2..10}; do mlq-quant diff step$((step - 1)).safetensors step$step.safetensors -o d$step.mlqd >diffed.jsonl; done
mlq-quant squash --base step1.safetensors d{2..10}.mlqd -o d1-10.mlqd |
  jq -r 'select(.type=="patch") | "  \(.changed_share * 1000 | round / 10) % of all weights, \(.out_bytes / 1000 | round) kB"'
ls -l d{2..10}.mlqd | awk '{ bytes += $5 } END { printf "  the nine have %d kB\n", bytes / 1000 }'

echo
echo "Updates a hundred times as large change a third of all weights. With loss, what receivers have follows in a closed loop:"
./train 10 200000 1e-3
mlq-quant diff step1.safetensors step2.safetensors -o d.mlqd |
  jq -r 'select(.type=="patch") | "  without loss: \(.out_bytes / 1000 | round) kB a step, \(.ratio * 1000 | round / 1000) of bf16"'
printf '  bits\tkB a step\tof bf16\trelative error, step by step\n' >table
for bits in 4 2; do
  cp step1.safetensors held.safetensors
  for step in {2..10}; do
    mlq-quant diff held.safetensors step$step.safetensors --bits $bits --next-base held.safetensors -o l$step.mlqd >l$step.jsonl
  done
  mlq-quant apply step1.safetensors l{2..10}.mlqd -o mine.safetensors >applied.jsonl
  cmp mine.safetensors held.safetensors
  jq -rs --arg bits $bits '[.[] | select(.type=="patch")] | "  \($bits)\t\(.[0].out_bytes / 1000 | round)\t\(.[0].ratio * 1000 | round / 1000)\t" +
    (map(.rel_rmse * 100000 | round / 100000 | tostring) | join(" "))' l{2..10}.jsonl >>table
done
column -t -s $'\t' table

echo
echo "What does not belong is refused before a byte is written:"
status=0
mlq-quant apply step4.safetensors d.mlqd -o mine.safetensors 2>said || status=$?
sed 's/^/  /' said
echo "  exit status $status"
[ $status -eq 3 ]
