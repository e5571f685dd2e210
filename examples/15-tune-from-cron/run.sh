#!/usr/bin/env bash
# A crontab that tunes a server under its own traffic: what it does when all is well, when somebody else turns the knobs,
# and how everything is put back. Cron's clock is the loop here, and steps are short; see the crontab beside this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:$(cd "$here/../.." && pwd)/build/release/bin
work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cp "$here/endpoint.json" "$here/retune" "$work"
cd "$work"
export WINDOW=700ms

# The server: 2.8 ms a call, and nobody has turned batching on. Its traffic is that of its users, 320 requests a second;
# nothing here sends any of its own to measure.
mlq-model run --backend sleep --set base_ns=2.8ms --set per_row_ns=13us --set max_rows=1 --listen unix:model --admin off >model.jsonl &
started+=($!)
mlq-serve run --model sleep=unix:model --set controller=fixed --set delay_mode=fixed --set max_rows=1 --set admit=false \
  --listen unix:serve --admin unix:admin >serve.jsonl &
started+=($!)
until [ -S model ] && [ -S serve ] && [ -S admin ]; do sleep 0.05; done
mlq-loadgen gen poisson --rate 320/s --duration 120s --seed 3 -o traffic.jsonl
mlq-replay run --url unix:serve:/v2/models/sleep/infer --dim input=4 -q traffic.jsonl -o sent.jsonl &
started+=($!)

knob() { curl -s --unix-socket admin http://serve/admin/v1/models/sleep/knobs | jq .knobs.max_rows; }

exec 2>&1
echo "max_rows is $(knob). Cron begins:"
for _ in {1..6}; do
  ./retune .
  [ "$(knob)" -eq 1 ] || break
done
good=$(mlq-tune status tune.state | jq -sr 'map(select(.type=="policy" and .confirmed))[-1].config_id')
[ "$good" != null ] || { echo "nothing was confirmed"; exit 1; }
echo "max_rows is $(knob), which is configuration $good."

echo
echo "Somebody sets it back to 1 by hand. At the next step:"
curl -s --unix-socket admin -X PATCH -H 'content-type: application/json' -d '{"max_rows":1}' http://serve/admin/v1/models/sleep/knobs >patched
status=0
./retune . || status=$?
echo "exit status $status: cron does not fight with people; max_rows is $(knob)."
[ $status -eq 1 ] && [ "$(knob)" -eq 1 ]

echo
echo "It was a mistake. The configuration that had been confirmed is put back:"
mlq-tune rollback --space endpoint.json --state tune.state --to "$good" | jq -r 'select(.type=="event") | "\(.event): \(.reason)"'
[ "$(knob)" -ge 2 ]

echo
echo "A release is under way; cron has to wait:"
touch tune.state.freeze
./retune .
jq -r 'select(.type=="end").note' last.jsonl
rm tune.state.freeze

echo
echo "And all as it was before the first step:"
mlq-tune rollback --space endpoint.json --state tune.state --to start >back.jsonl
echo "max_rows is $(knob)."
[ "$(knob)" -eq 1 ]
