# Medians of each benchmark over the rounds, and the bars as ratios taken round by round.
def median: sort | .[length / 2 | floor];
def rate($name): map(select(.name == $name)) | map({key: (.round | tostring), value: .per_s}) | from_entries;
def ratio($a; $b): rate($a) as $x | rate($b) as $y
  | [$x | keys[] | select($y[.] != null) | $x[.] / $y[.]] | if length == 0 then null else {median: median, min: min, max: max} end;
def round3: if . == null then "-" else (. * 1000 | round / 1000 | tostring) end;
def bar($id; $text; $want; $r): if $r == null then "| \($id) | \($text) | \($want) | not measured | | |"
  else "| \($id) | \($text) | \($want) | \($r.median | round3) | \($r.min | round3) | \($r.max | round3) |" end;
. as $all
| "# Benchmarks of mlq-loadgen\n\nCPU time, one thread, \($all | map(.round) | max) rounds; each ratio is taken within a round.\n",
  "| bar | measure | target | median | least | most |\n|---|---|---|---|---|---|",
  bar("G1"; "Poisson times in memory against numpy"; "1.5"; ($all | ratio("poisson_times"; "numpy_poisson_times"))),
  bar("G2"; "Poisson to JSON Lines against CPython json.dumps"; "20"; ($all | ratio("poisson_jsonl"; "cpython_jsonl"))),
  bar("G2"; "the same, bytes a second against memcpy"; "0.10"; ($all | ratio("poisson_jsonl_bytes"; "memcpy"))),
  bar("G3"; "gamma (cv 2) times in memory against numpy"; "1.0"; ($all | ratio("gamma_times"; "numpy_gamma_times"))),
  "\n| benchmark | unit a second (median) |\n|---|---|",
  ($all | group_by(.name)[] | "| \(.[0].name) | \(map(.per_s) | median | . / 1e6 | round3) M \(.[0].unit) |")
