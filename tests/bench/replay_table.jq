# Medians of the figures of mlq-replay over the rounds, and its bars, as ratios taken round by round.
def median: sort | .[(length - 1) / 2 | floor];
def figure: .per_s // .value;
def rate($name): map(select(.name == $name)) | map({key: (.round | tostring), value: figure}) | from_entries;
def spread: if length == 0 then null else {median: median, min: min, max: max} end;
def ratio($a; $b): rate($a) as $x | rate($b) as $y | [$x | keys[] | select($y[.]) | $x[.] / $y[.]] | spread;
def plain($a; $scale): [rate($a)[] * $scale] | spread;
def text: if . == null then "" elif fabs >= 100 then round | tostring else . * 1000 | round / 1000 | tostring end;
def row($id; $what; $target; $verdict; $r):
  "| \($id) | \($what) | \($target) | \($r.median | text) | \($r.min | text) | \($r.max | text) | \($verdict) |";
def most($id; $what; $limit; $r): if $r == null then row($id; $what; "<= \($limit)"; "not measured"; {})
  else row($id; $what; "<= \($limit)"; if $r.median <= $limit then "reached" else "short" end; $r) end;
def least($id; $what; $limit; $r): if $r == null then row($id; $what; ">= \($limit)"; "not measured"; {})
  else row($id; $what; ">= \($limit)"; if $r.median >= $limit then "reached" else "short" end; $r) end;
def info($what; $r): if $r == null then empty else row(""; $what; ""; ""; $r) end;
def from_theory($a; $b): ratio($a; $b) | if . then map_values(. - 1 | fabs) | {median, min: ([.min, .max, .median] | min), max: ([.min, .max, .median] | max)} else . end;
. as $all
| "# Benchmarks of mlq-replay\n\nMedians of \($all | map(.round) | max) rounds (queue and drift: one); a ratio is taken within a round. `command`, `commit` and\n`machine` lie beside this file, every figure in `raw.jsonl`; README.md says what they mean.\n",
  "| bar | measure | target | median | least | most | verdict |\n|---|---|---|---|---|---|---|",
  least("R3"; "requests a CPU second: curl engine over a bare libcurl loop, 64 in flight"; 0.95; ($all | ratio("curl_engine_64"; "curl_bare_64"))),
  least("R3"; "curl engine, 512 in flight over 64"; 0.8; ($all | ratio("curl_engine_512"; "curl_engine_64"))),
  info("bare loop, 512 in flight over 64"; ($all | ratio("curl_bare_512"; "curl_bare_64"))),
  most("P1"; "1k/s, p99 distance from the best grid, over wrk2's"; 0.02; ($all | ratio("pace_mlq_1000_grid_p99"; "pace_wrk2_1000_grid_p99"))),
  most("P1"; "1k/s, coefficient of variation of the gaps"; 0.05; ($all | plain("pace_mlq_1000_gap_cv"; 1))),
  most("P2"; "1k/s, busy machine, FIFO: lag p99, us"; 50; ($all | plain("load_fifo_1000_lag_p99"; 1e-3))),
  info("the same over that of a bare wait"; ($all | ratio("load_fifo_1000_lag_p99"; "load_floor_1000_p99"))),
  most("P2"; "5k/s, busy machine, FIFO: lag p99, us"; 50; ($all | plain("load_fifo_5000_lag_p99"; 1e-3))),
  info("the same over that of a bare wait"; ($all | ratio("load_fifo_5000_lag_p99"; "load_floor_5000_p99"))),
  most("P2"; "1k/s, busy machine, no FIFO: p99 distance from the grid over wrk2's"; 1; ($all | ratio("load_off_mlq_1000_grid_p99"; "load_off_wrk2_1000_grid_p99"))),
  most("P2"; "5k/s, the same"; 1; ($all | ratio("load_off_mlq_5000_grid_p99"; "load_off_wrk2_5000_grid_p99"))),
  most("P3"; "drift of the schedule over 10 min, us"; 1; ($all | plain("drift_whole_run"; 1e-3) | if . then map_values(fabs) else . end)),
  least("P3"; "sent over planned"; 1; ($all | ratio("drift_sent"; "drift_planned"))),
  most("T1"; "CPU a chunk, 500 streams at 100 chunks/s, over a raw client"; 1.2; ($all | ratio("stream_raw"; "stream_mlq"))),
  most("T1"; "the same over aiohttp"; 0.45; ($all | ratio("stream_aiohttp"; "stream_mlq"))),
  most("T2"; "200 kB bodies, 64 in flight: p99 of TTFT less the server's 200 ms, ms"; 1; ($all | plain("body_50000_ttft_p99"; 1e-6) | if . then map_values(. - 200) else . end)),
  info("the same, median"; ($all | plain("body_50000_ttft_p50"; 1e-6) | if . then map_values(. - 200) else . end)),
  info("p99 with prompts of 10 tokens"; ($all | plain("body_10_ttft_p99"; 1e-6) | if . then map_values(. - 200) else . end)),
  most("M2"; "p99 after a stall of 1 s in 20 s: distance from theory, as a share"; 0.01; ($all | from_theory("stall_mlq_latency_p99"; "stall_theory_p99"))),
  info("wrk, the same"; ($all | from_theory("stall_wrk_p99"; "stall_theory_p99"))),
  info("wrk2 (over 30 s, so that theory is 0.8 s after its calibration), the same"; ($all | from_theory("stall_wrk2_p99"; "stall_theory_p99"))),
  info("hey, the same"; ($all | from_theory("stall_hey_p99"; "stall_theory_p99"))),
  "\n| queue | figure | theory, ms | measured, ms | 95% interval | verdict |\n|---|---|---|---|---|---|",
  ($all[] | select(.theory) | (.name | split("_")) as $n
   | "| \({exp: "M/M/1", fixed: "M/D/1"}[$n[1]]), load \($n[2]) | \($n[3]) | \(.theory / 1e6 | text) | \(.value / 1e6 | text) | \(.lo / 1e6 | text) to \(.hi / 1e6 | text) | \(if .inside then "inside" else "outside" end) |"),
  "\n| figure | median | least | most | unit |\n|---|---|---|---|---|",
  ($all | group_by(.name)[] | select(.[0].theory | not)
   | (map(if .per_s then 1e6 / .per_s else .value end) | spread) as $r
   | "| \(.[0].name) | \($r.median | text) | \($r.min | text) | \($r.max | text) | \(if .[0].per_s then "us CPU a \(.[0].unit | rtrimstr("s"))" else .[0].unit end) |")
