#!/usr/bin/env bash
# A training job that asks for its batch size: each step it leaves the gradients of the two halves of its batch in a
# folder, and mlq-simigrad says how many samples the next one shall have, and how the learning rate moves with it.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin:$(cd ../.. && pwd)/build/release/examples
digits=$here/../../data/digits/digits.npy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec 2>&1  # what is for people, in its place

echo "Fixed batches, each with a rate that suits it:"
while read -r batch rate; do
  printf '  %3d  ' "$batch"
  digits_trainer --data "$digits" --batch "$batch" --lr "$rate" --log "fixed-$batch"
done <<'END'
8 0.4
16 0.65
64 1.2
END

# The trainer's requests go into follow, its replies come back through a pipe with a name.
mkdir gradients
mkfifo replies
ask() {
  digits_trainer --data "$digits" --batch 16 --lr 0.8 --gradients gradients --log adaptive <replies |
    mlq-simigrad follow --min 2 "$@" >replies
}
echo "The published rule, to a cosine of 0.15, from a batch of 16:"
printf '       '
ask --controller simigrad --target 0.15 --state run.state
echo "its batch from tenth to tenth of the run:"
jq -rs '[.[] | select(.type=="batch_size").prev_samples] | [range(10) as $i | .[length * $i / 10 | floor]] | map(tostring) | "       " + join(" ")' run.state

# Runs have the same bits on every machine: these are facts, not chances.
jq -es '.[0].steps > 1.4 * .[1].steps and .[1].samples < 1.06 * .[0].samples' \
  <(tail -n 1 fixed-8) <(tail -n 1 adaptive) >/dev/null

echo "What that run says of other targets, without training again:"
mlq-simigrad replay run.state --controllers simigrad --targets 0.1,0.15,0.2,0.3 --min 2 |
  jq -r 'select(.type=="pareto") | "  \(.gamma)  \(.steps) steps, \(.samples) samples, predicted"'
echo "And as a schedule for the next run:"
mlq-simigrad schedule run.state --controller simigrad --target 0.15 --min 2 --segments 4 --emit csv=-

# The same in PyTorch, where there is one: MLQ_PYTHON says which python.
python=${MLQ_PYTHON:-python3}
if "$python" -c 'import torch' 2>/dev/null; then
  mlq-simigrad hook torch >mlq_simigrad_hook.py
  echo "The training in PyTorch, with a fixed batch of 16 and with the hook:"
  PYTHONPATH=. "$python" "$here/digits_torch.py" "$digits"
  PYTHONPATH=. "$python" "$here/digits_torch.py" "$digits" --controller simigrad --target 0.15 --min 2
else
  echo "PyTorch's twin of it, digits_torch.py, is passed over: $python has no torch."
fi
