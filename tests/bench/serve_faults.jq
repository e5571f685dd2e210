# The figures of one run of tests/bench/serve_faults, from its results. A request that is late or was not answered with
# 200 misses.
def ns: capture("^(?<n>[0-9.]+)(?<u>ms|s)$") | (.n | tonumber) * (if .u == "ms" then 1e6 else 1e9 end);
def p99: sort | .[(length * 0.99 | floor)];
250e6 as $window | ($slo | ns) as $slo_ns
| [inputs | select(.type == "run" or .type == "result")] as $records
| ($fault_unix - $records[0].start_unix_ns) as $fault_ns | $records[1:] as $all
| [$all | group_by(.due_ns / $window | floor)[]
   | {end: (((.[0].due_ns / $window | floor) + 1) * $window),
      bad: ((map(select(.outcome != "ok" or .latency_ns > $slo_ns)) | length) > 0.01 * length)}] as $windows
# Until 5 s after the fault, when what was frozen thaws, and from then on.
| def recovery($from; $to): [$windows[] | select(.end > $from and .end <= $to and .bad) | .end] | (max // $from) - $from | . / 1e9;
def count(what): [$all[] | select(what)] | length;
{type: "bench", fault: $fault} + (
  {name: "recovery_\($fault)", value: recovery($fault_ns; $fault_ns + 4.75e9), limit: 2, unit: "s"},
  {name: "recovery_after_5s_\($fault)", value: recovery($fault_ns + 4.75e9; 1e18), limit: 2, unit: "s"},
  {name: "p99_after_\($fault)", value: ([$all[] | select(.due_ns > $fault_ns + 2e9 and .outcome == "ok") | .latency_ns] | if . == [] then null else p99 / 1e6 end), unit: "ms"},
  {name: "requests_\($fault)", value: ($all | length), unit: "requests"},
  {name: "missed_\($fault)", value: count(.outcome != "ok" or .latency_ns > $slo_ns), unit: "requests"},
  {name: "refused_\($fault)", value: count(.outcome != "ok" and .status != null and .status != 0), unit: "requests"},
  {name: "lost_\($fault)", value: count(.status == null or .status == 0), limit: 0, unit: "requests"},
  {name: "bad_windows_\($fault)", value: ([$windows[] | select(.end > $fault_ns and .bad)] | length), unit: "windows of 250 ms"})
