# Tables of the records of tests/bench/simigrad_digits: jq -rs -f simigrad_digits.jq RECORDS
def mean: add / length;
def sd: mean as $m | (map((. - $m) * (. - $m)) | add / ([length - 1, 1] | max)) | sqrt;
def round0: round | tostring;
# Of runs that differ in seed and rate: those of the rate with the fewest steps, where all seeds came to the goal.
def tuned: group_by(.lr) | map(select(all(.reached))) | map({lr: .[0].lr, steps: (map(.steps) | mean),
  sd: (map(.steps) | sd), samples: (map(.samples) | mean)}) | sort_by(.steps) | .[0];
(map(select(.name == "static")) | group_by(.batch) | map({batch: .[0].batch} + (tuned // {steps: null}))
  | map(select(.steps))) as $static
| (map(select(.name == "adaptive" and .policy != "recorded")) | group_by(.policy)
  | map({policy: .[0].policy, all: ., best: tuned})) as $adaptive
| (map(select(.name == "predicted"))) as $predicted
| "| fixed batch | rate | steps | samples |", "|---|---|---|---|",
  ($static[] | "| \(.batch) | \(.lr) | \(.steps | round0) ± \(.sd | round0) | \(.samples | round0) |"),
  "",
  "| policy | rate | steps | samples | best fixed batch of 1.05 x the samples | steps over its | steps, predicted over run |",
  "|---|---|---|---|---|---|---|",
  ($adaptive[] | . as $a | .best
   | if . == null then "| \($a.policy) | | not all runs arrived | | | | |" else
     . as $b | ($static | map(select(.samples <= 1.05 * $b.samples)) | min_by(.steps)) as $rival
     | ($predicted | map(select(.policy == $a.policy) | . as $p
         | ($a.all[] | select(.seed == $p.seed and .lr == $b.lr) | $p.steps / .steps)) | sort) as $error
     | "| \($a.policy) | \(.lr) | \(.steps | round0) ± \(.sd | round0) | \(.samples | round0) | "
       + (if $rival == null then "none | |" else "\($rival.batch): \($rival.steps | round0) steps, \($rival.samples | round0) samples | \(.steps / $rival.steps * 100 | round / 100) |" end)
       + (if ($error | length) == 0 then " |" else " \($error[($error | length) / 2 | floor] * 100 | round / 100) |" end) end)
