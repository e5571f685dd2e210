# Medians of each benchmark over the rounds, and the bars as ratios taken round by round.
def median: sort | .[length / 2 | floor];
def figure: .per_s // .value;
def rate($name): map(select(.name == $name)) | map({key: (.round | tostring), value: figure}) | from_entries;
def spread: if length == 0 then null else {median: median, min: min, max: max} end;
def ratio($a; $b): rate($a) as $x | rate($b) as $y | [$x | keys[] | select($y[.] != null) | $x[.] / $y[.]] | spread;
def plain($a; $scale): [rate($a)[] * $scale] | spread;
def round3: . * 1000 | round / 1000 | tostring;
def bar($id; $text; $want; $r): if $r == null then "| \($id) | \($text) | \($want) | not measured | | |"
  else "| \($id) | \($text) | \($want) | \($r.median | round3) | \($r.min | round3) | \($r.max | round3) |" end;
. as $all
| "# Benchmarks of mlq-loadgen\n\nCPU time, one thread, \($all | map(.round) | max) rounds; each ratio is taken within a round. `command`, `commit` and `machine` lie\nbeside this file, every figure in `raw.jsonl`.\n",
  "| bar | measure | target | median | least | most |\n|---|---|---|---|---|---|",
  bar("G1"; "Poisson times in memory against numpy as it is written"; ">= 1.5"; ($all | ratio("poisson_times"; "numpy_poisson_times"))),
  bar(""; "the same against numpy at its best (arrays reused)"; ""; ($all | ratio("poisson_times"; "numpy_poisson_times_best"))),
  bar("G2"; "Poisson to JSON Lines against CPython json.dumps"; ">= 20"; ($all | ratio("poisson_jsonl"; "cpython_jsonl"))),
  bar("G2"; "the same, bytes a second against memcpy"; ">= 0.10"; ($all | ratio("poisson_jsonl_bytes"; "memcpy"))),
  bar("G3"; "gamma (cv 2) times in memory against numpy as it is written"; ">= 1.0"; ($all | ratio("gamma_times"; "numpy_gamma_times"))),
  bar(""; "the same against numpy at its best"; ""; ($all | ratio("gamma_times"; "numpy_gamma_times_best"))),
  bar("G6"; "import azure-llm, MB/s"; ">= 500"; ($all | plain("import_azure-llm"; 1e-6))),
  bar("G6"; "import mooncake, MB/s"; ">= 500"; ($all | plain("import_mooncake"; 1e-6))),
  bar("G6"; "import clf, MB/s"; ">= 500"; ($all | plain("import_clf"; 1e-6))),
  bar(""; "start-up, ms wall"; "<= 10"; ($all | plain("startup_wall"; 1e3))),
  bar(""; "peak memory of 100 M events, -j 1, MB"; "<= 64"; ($all | plain("stream_peak_j1"; 1e-6))),
  bar(""; "the same, -j 8, MB"; "<= 64"; ($all | plain("stream_peak_j8"; 1e-6))),
  "\n| benchmark | median |\n|---|---|",
  ($all | group_by(.name)[] | map(figure) as $f | .[0] as $one
   | if $one.per_s then "| \($one.name) | \($f | median | . / 1e6 | round3) M \($one.unit)/s |"
     else "| \($one.name) | \($f | median) \($one.unit) |" end)
