#!/usr/bin/env bash
# Two ranks under mpirun give each other their halves of a model, step after step, in 4 bits a weight: how few bits are
# safe, what goes over the wire, what both hold, and how it goes on after a kill. Skipped, with the reason, without MPI.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:$(cd ../.. && pwd)/build/release/bin
command -v mpirun >/dev/null || { echo "skipped: there is no mpirun; install openmpi-bin"; exit 77; }
[ -e "$(dirname "$(command -v mlq-quant)")/mlq_mpi.so" ] || [ -e "$(dirname "$(command -v mlq-quant)")/../lib/mlq/mlq_mpi.so" ] ||
  { echo "skipped: mlq was built without MPI; install libopenmpi-dev and build it again"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./make_steps "$work" 8
cd "$work"

echo "How few bits are safe for updates of a thousandth? One gather's error, relative to the weights:"
mlq-quant simulate rank-0-step-0.safetensors --update 1e-3 --modes none,residual,delta --bits 8,4,2 |
  jq -r 'select(.type=="simulate") | "  \(.mode), \(.bits) bits: \(.inst_rel_rmse * 10000 | round / 10000)\(if .safe then ", safe" else "" end)"'

echo
echo "Eight steps on two ranks:"
launch() {  # OPTION...
  exec mpirun --oversubscribe -n 2 mlq-quant gather 'rank-{rank}-step-{step}.safetensors' --state 'state-{rank}' --state-every 1 \
    --no-provenance "$@"
}
gather() { (launch "$@"); }
gather --steps 0..7 -o 'whole-{rank}.safetensors' >whole.jsonl
jq -r 'select(.rank==0) | "  step \(.step): \(.wire_bytes) bytes, \(.wire_bytes / .bf16_bytes * 1000 | round / 1000) of bf16, error \(.rel_rmse * 100000 | round / 100000)\(if .key_frame then ", key frame" else "" end)"' whole.jsonl
cmp whole-0.safetensors whole-1.safetensors && echo "  both ranks hold the same bytes"
mlq-quant inspect whole-0.safetensors --no-provenance | jq -r '"  \(.name): \(.shape | join(" x "))"'

echo
echo "A rank is killed; the gather goes on from the last step that both have:"
rm state-*
launch --steps 0..7 -o 'resumed-{rank}.safetensors' --timeout 10s >killed.jsonl 2>/dev/null &
launcher=$!
for ((n = 0; n < 200; ++n)); do
  [ ! -e state-1.0 ] || break
  sleep 0.01
done
victim=$(pgrep -P $launcher -x mlq-quant | tail -n 1) && kill -9 "$victim" 2>/dev/null || true
wait $launcher 2>/dev/null || true
gather --steps 0..7 -o 'resumed-{rank}.safetensors' --resume >/dev/null
cmp whole-0.safetensors resumed-0.safetensors && cmp whole-1.safetensors resumed-1.safetensors && echo "  the same bytes as without the kill"
