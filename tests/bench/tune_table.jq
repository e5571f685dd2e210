# What mlq-tune's learners find and cost, and its bars.
def text: if . == null then "" elif . >= 1e300 then "never" elif fabs >= 100 then round | tostring else . * 1000 | round / 1000 | tostring end;
def median: sort | .[(length - 1) / 2 | floor];
def interval: if .lo == null and .hi == null then "" else "\(.lo | text) to \(if .hi == null then "never" else .hi | text end)" end;
def row($id; $what; $target; $verdict): "| \($id) | \($what) | \($target) | \(.value | text) | \(interval) | \($verdict) |";
def missing($id; $what; $target): "| \($id) | \($what) | \($target) | | | not measured |";
# A claim that mlq-tune itself judged: the whole interval holds, or it does not.
def claim($id; $prefix; $text): . as $all | ([.[] | select(.name == $prefix + "assert " + $text)] | .[0]) as $r
  | if $r then $r | row($id; "`\($text)`" + (if $prefix == "" then "" else ", \($prefix)trials" end); ""; if .holds then "reached" else "short" end)
    else missing($id; "`\($text)`"; "") end;
# The median of rounds against a limit.
def figure($id; $name; $what; $field; $op; $limit): . as $all | [.[] | select(.name == $name) | .[$field]] as $v
  | if ($v | length) == 0 then missing($id; $what; "\($op) \($limit)")
    else {value: ($v | median), lo: ($v | min), hi: ($v | max)}
      | row($id; $what; "\($op) \($limit)"; if ($op == "<=" and .value <= $limit) or ($op == ">=" and .value >= $limit) then "reached" else "short" end) end;
def rivals: ["random", "grid", "hill", "tpe", "tpe:multivariate", "gp-ei", "forest-ei", "rrl", "rrl-region", "noregion"];
. as $all
| "# Benchmarks of mlq-tune\n\n`command`, `commit` and `machine` lie beside this file, every figure in `raw.jsonl`; README.md says what they mean.\n",
  "| bar | measure | target | value | 95 % interval, or least to most of the rounds | verdict |\n|---|---|---|---:|---|---|",
  claim("T1"; ""; "unreached(rrl-a) <= 2%"), claim("T1"; ""; "trials(rrl-a) <= 20"),
  (rivals[] as $r | $all | claim("T2"; ""; "trials(rrl-a) / trials(\($r)) <= 1.15")),
  (["ratio(rrl-a,random) >= 2.5", "ratio(rrl-a,tpe) >= 2", "ratio(rrl-a,tpe:multivariate) >= 1.3", "ratio(rrl-a,optuna:tpe) >= 2",
    "ratio(rrl-a,optuna:tpe-multivariate) >= 1.3"][] as $c | $all | claim("T3"; ""; $c)),
  (["ratio(rrl-region,noregion) >= 8", "ratio(rrl-a,noregion) >= 8", "ratio(rrl-a,capes-like) >= 8", "ratio(rrl-a,capes-like:paper) >= 8"][] as $c
   | $all | claim("T4"; "2000 "; $c)),
  claim("T5"; ""; "online(rrl-a) <= 1.9"), claim("T5"; ""; "rec(rrl-a) <= 1.05"),
  ([$all[] | select(.name | test("^T6 .*over restart"))] as $r | if ($r | length) == 0 then missing("T6"; "changing load"; "<= 0.8")
   else ([$r[] | .value | log] | add / length | exp) as $v | {value: $v} | row("T6"; "online cost, one memory over starting anew, mean of the surfaces"; "<= 0.8"; if $v <= 0.8 then "reached" else "short" end) end),
  ([$all[] | select(.name | test("^T6 "))][] | row("T6"; .name[3:]; if (.name | test("over level")) then "<= 1" else "" end;
     if (.name | test("over level") | not) then "" elif .hi <= 1 then "reached" elif .value <= 1 then "reached, not surely" else "short" end)),
  ([$all[] | select(.name | test("^T7 "))][] | row("T7"; .name[3:]; "<= 0.5"; if .hi <= 0.5 then "reached" elif .value <= 0.5 then "reached, not surely" else "short" end)),
  figure("T9"; "decision rrl-region"; "rrl-region: a decision, median us"; "p50_us"; "<="; 30),
  figure("T9"; "decision rrl-region"; "the same, p99"; "p99_us"; "<="; 100),
  figure("T9"; "decision rrl-a"; "rrl-a: a decision, median us"; "p50_us"; "<="; 1000),
  figure("T9"; "decision rrl-a"; "the same, p99"; "p99_us"; "<="; 8000),
  (["tpe", "tpe-multivariate"][] as $o | ([$all[] | select(.name == "decide optuna:\($o)") | .value][0]) as $them | ([$all[] | select(.name == "decide rrl-a") | .value][0]) as $us
   | if $them and $us then {value: ($them / $us)} | row("T9"; "ask of Optuna (\($o)) over that of rrl-a, medians"; ">= 50"; if .value >= 50 then "reached" else "short" end)
     else missing("T9"; "ask of Optuna (\($o)) over that of rrl-a"; ">= 50") end),
  figure("T10"; "searches rrl-region"; "rrl-region: searches of 100 trials a core-second, 1,331 points"; "per_s"; ">="; 1000),
  figure("T10"; "searches rrl-a"; "rrl-a: the same"; "per_s"; ">="; 8),
  figure("T11"; "T11 share of a core"; "live --once, reading: share of a core, %"; "value"; "<="; 0.5),
  figure("T11"; "T11 memory"; "the same: memory, MiB"; "value"; "<="; 20),
  figure("T13"; "T13 variance of pairs over that of windows apart"; "duet: variance over that of windows apart"; "value"; "<="; 0.5),
  ([$all[] | select(.server)] as $r | if ($r | length) == 0 then missing("real"; "servers from PyPI, found over their defaults"; "< 1")
   else $r[] | row("real"; "\(.server) \(.version): median latency, found over its defaults, \(.pairs) pairs"; "< 1"; if .hi < 1 then "reached" else "short" end) end),
  "\nAll surfaces, 100 trials (2,000 where it says so). Trials: median to the first configuration within 5 % of the best. Unreached: runs\nthat never came so near. Kept: true cost of what is recommended over the best. Online: the same of all trials, geometric mean.\n",
  "| tuner | trials | unreached % | kept | online |\n|---|---|---|---|---|",
  ([$all[] | select(.figure and .surface == "*")] | group_by([.part, .tuner])
   | map({tuner: .[0].tuner, part: .[0].part, f: (map({(.figure): .}) | add)})
   | sort_by([.part != "table", .f.unreached.value, .f.online.value])[]
   | "| \(.tuner)\(if .part == "horizon" then ", 2,000" else "" end) | \([.f.trials, .f.unreached, .f.kept, .f.online] | map("\(if .value == null then "never" else .value | text end) (\(interval))") | join(" | ")) |"),
  "\nBy surface: unreached %, online.\n",
  ([$all[] | select(.figure and .surface != "*" and .part == "table")] | (map(.surface) | unique) as $s
   | "| tuner | \($s | join(" | ")) |", "|---|\($s | map("---|") | join(""))",
     (group_by(.tuner)[] | . as $t | "| \($t[0].tuner) | \($s | map(. as $x | ($t | map(select(.surface == $x)) | map({(.figure): .value}) | add) as $v | "\($v.unreached | text), \($v.online | text)") | join(" | ")) |")),
  "\n| searches of 100 trials a core-second | |\n|---|---:|",
  ([$all[] | select((.name | test("^searches ")) and .per_s)] | group_by(.name)[] | "| \(.[0].name[9:]) | \(map(.per_s) | median | text) |")
