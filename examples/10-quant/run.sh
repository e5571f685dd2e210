#!/usr/bin/env bash
# Weights in fewer bits: what is lost in decibels, and what that means for answers. The model tells digits; its weights
# are put back after each encoding, and it is asked again.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=../../data/digits/kernel-svm.json rows=../../data/digits/rows.jsonl
./json_to_safetensors "$model" >"$work/model.safetensors"

# right WEIGHTS: of the 360 rows that the model was not trained on.
right() {
  ./safetensors_to_json "$model" "$1" >"$work/model.json"
  mlq-model check --backend kernel-svm --model "$work/model.json" --rows "$rows" --no-speed |
    jq -r 'select(.type=="accuracy").correct'
}
# row WHAT OPTION...: encodes, verifies, decodes and asks.
row() {
  local what=$1
  shift
  mlq-quant encode "$work/model.safetensors" "$@" -o "$work/model.mlq.safetensors" >"$work/encoded.jsonl"
  mlq-quant verify "$work/model.mlq.safetensors" --against "$work/model.safetensors" -q >"$work/verified.jsonl"
  mlq-quant decode "$work/model.mlq.safetensors" -o "$work/back.safetensors" >"$work/decoded.jsonl"
  jq -r --arg what "$what" --arg right "$(right "$work/back.safetensors")" '
    select(.type=="quant_summary") | def two: . * 100 | round / 100;
    [$what, (.bits_per_weight | two), (.snr_db | two), (.worst_snr_db | two), $right] | @tsv' "$work/verified.jsonl"
}

echo "What is in the file:"
mlq-quant inspect --stats "$work/model.safetensors" |
  jq -r 'if .type=="tensor" then "  \(.name): \(.shape | join(" x ")) of \(.dtype)"
         elif .type=="stats" then "  \(.name): kurtosis \(.kurtosis * 10 | round / 10), \(.zero) zeros" else empty end'

echo
echo "Bits a weight, decibels of all weights and of the worst tensor (as verify finds them on disk), right of 360:"
{
  printf 'format\tbits\tdB\tworst\tright\n'
  printf 'as it is\t32\t-\t-\t%s\n' "$(right "$work/model.safetensors")"
  for format in bf16 int8 int4 int3 int2 nf4 mxfp4; do
    row $format --format $format
  done
  row "int4, 32, mse" --format int4 --block 32 --grid mse
  for snr in 30 20 15 10; do
    row "ec, $snr dB" --snr $snr
  done
} | column -t -s $'\t'

echo
echo "Three bits a weight, spent where they save the most error:"
mlq-quant plan "$work/model.safetensors" --bits 3 -o "$work/plan.jsonl"
jq -r 'select(.type=="plan" and .format!="raw") | "  \(.name): \(.format), \(.bits_per_weight * 100 | round / 100) bits"' \
  "$work/plan.jsonl"
mlq-quant encode "$work/model.safetensors" --plan "$work/plan.jsonl" -o "$work/model.mlq.safetensors" >"$work/encoded.jsonl"
mlq-quant verify "$work/model.mlq.safetensors" --against "$work/model.safetensors" --snr 15 |
  jq -r 'select(.type=="certificate") | "  worst: \(.worst_tensor), \(.worst_snr_db * 100 | round / 100) dB; \(.budget): \(.ok)"'

echo
echo "A bit of the file is turned round:"
perl -0777 -pi -e 'substr($_, -100, 1) ^= "\x01"' "$work/model.mlq.safetensors"
status=0
mlq-quant verify "$work/model.mlq.safetensors" >"$work/verified.jsonl" 2>"$work/said" || status=$?
sed "s#^mlq-quant: $work/#  #" "$work/said"
echo "  exit status $status"
[ $status -ne 0 ]
