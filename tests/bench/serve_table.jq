# Medians of the figures of mlq-serve over the rounds, and its bars.
def median: sort | .[(length - 1) / 2 | floor];
# Least and most of what has an interval are its ends.
def values($name): [.[] | select(.name == $name and .value != null) | if .lo then .lo, .value, .hi else .value end];
def text: if . == null then "" elif fabs >= 100 then round | tostring else . * 1000 | round / 1000 | tostring end;
def row($id; $what; $target; $verdict): if length == 0 then "| \($id) | \($what) | \($target) | | | | not measured |"
  else "| \($id) | \($what) | \($target) | \(median | text) | \(min | text) | \(max | text) | \($verdict) |" end;
def most($id; $name; $what; $limit): values($name)
  | row($id; $what; "<= \($limit)"; if length > 0 and median <= $limit then "reached" else "short" end);
def least($id; $name; $what; $limit): values($name)
  | row($id; $what; ">= \($limit)"; if length > 0 and median >= $limit then "reached" else "short" end);
def info($name; $what): values($name) | row(""; $what; ""; "");
# Bytes a second of splicing, the slowest text, and of the binary merge over memcpy, round by round.
def per_s($name; $round): map(select(.name == $name and .round == $round) | .per_s)[0];
def splice: . as $all | [$all[] | select(.name == "splice_flat") | .round] | unique
  | map(. as $round | $all
    | {name: "B8_text", value: ([.[] | select(.round == $round and (.name | test("^splice_(?!binary)"))) | .per_s] | min / 1e9)},
      {name: "B8_binary", value: (per_s("splice_binary"; $round) / per_s("memcpy_binary"; $round))},
      {name: "B8_over_parsing", value: (per_s("splice_flat"; $round) / per_s("parse_print_flat"; $round))});
(. + splice) as $all | $all
| "# Benchmarks of mlq-serve and mlq-model\n\nMedians over the rounds, least and most. `command`, `commit` and `machine` lie beside this file, every figure in `raw.jsonl`;\nREADME.md says what they mean.\n",
  "| bar | measure | target | median | least | most | verdict |\n|---|---|---|---|---|---|---|",
  most("B1"; "B1_cost_over_nginx"; "CPU a request, passed through, over nginx's"; 1.5),
  most("B1"; "B1_cost_over_haproxy"; "the same over HAProxy's"; 1.2),
  most("B1"; "B1_added_p50"; "added median latency at 500/s, us"; 60),
  info("nginx_added_p50"; "that of nginx, us"),
  most("B1"; "B1_p99_over_nginx"; "p99 at 500/s over nginx's"; 2),
  most("B2"; "B2_batched_cost_over_nginx"; "CPU a request, batches of 32 at most, over nginx's pass-through"; 0.8),
  least("B3"; "B3_slow"; "highest rate with 99 % within 20 ms, over the model alone: 2.8 ms + 13 us a row"; 20),
  least("B3"; "B3_onnx"; "the same, ONNX digits"; 1.8),
  least("B3"; "B3_kernel_svm"; "the same, kernel SVM"; 0.97),
  least("B4"; "B4_knee_over_best_fixed"; "knee over the best fixed size or delay"; 0.95),
  least("B4"; "B4_good_of_18500"; "good a second of 18,500 offered to the slow model"; 18000),
  info("knee_client_p99"; "p99 of all replies then, refusals too, as the client (wrk2) has it, ms"),
  least("B5"; "B5_overload_over_peak"; "goodput at 3 times the peak, over the peak"; 0.9),
  most("B5"; "overload_service_p99"; "p99 of what was answered then, objective 50 ms"; 50),
  most("B5"; "B5_none_over_peak"; "goodput then if nothing is shed, over the peak"; 0.1),
  most("B7"; "B7_hit_cost_over_nginx_static"; "CPU of a cache hit over a file from nginx"; 2.2),
  most("B7"; "B7_distinct_cache_on_over_off"; "CPU of requests that differ, cache on over off"; 1.1),
  least("B8"; "B8_text"; "scan and splice of the slowest JSON, GB/s"; 2),
  least("B8"; "B8_binary"; "binary merge over memcpy"; 0.5),
  info("B8_over_parsing"; "splice over parsing and printing"),
  (["killed", "frozen", "slower", "all"][] as $fault
   | most("faults"; "recovery_\($fault)"; "replica \($fault): back within the objective after, s"; 2),
     most("faults"; "lost_\($fault)"; "replica \($fault): requests without an answer"; 0)),
  most("B10"; "soak_wrong"; "soak: answers of somebody else"; 0),
  most("B10"; "soak_lost"; "soak: requests without an answer"; 0),
  "\n| figure | median | least | most | unit |\n|---|---|---|---|---|",
  ($all | group_by(.name)[] | select(.[0].value != null and .[0].unit != null)
   | [.[] | .value | select(. != null)] as $v | select(.[0].name | test("^B[0-9]|^lost|^recovery_[a-z]*$") | not)
   | "| \(.[0].name) | \($v | median | text) | \($v | min | text) | \($v | max | text) | \(.[0].unit) |")
