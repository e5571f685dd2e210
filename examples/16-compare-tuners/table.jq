# The scores over all seeds; those of single runs have a seed.
def r(x): x * 100 | round / 100;
"| server | tuner | recommended over the best | met on the way over the best |",
"|---|---|---:|---:|",
(inputs | select(.type == "score" and .seed == null and .surface != "*")
  | "| \(.surface) | \(.tuner) | \(r(.rec_ratio)) (\(r(.rec_ratio_lo)) to \(r(.rec_ratio_hi))) | \(r(.online_ratio)) (\(r(.online_ratio_lo)) to \(r(.online_ratio_hi))) |")
