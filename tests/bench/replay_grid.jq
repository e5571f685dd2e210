# From the instants (ns) at which a server saw requests that were to come at the constant rate $rate: their
# distances from the best grid (least squares in offset and rate, which forgives the sender both), and the
# coefficient of variation of the gaps.
def quantile($q): sort | .[(length * $q | ceil) - 1];
[inputs] as $all
| ($all | sort) as $all
# Warm-up requests come before the run: the run is what follows the longest pause of the first 500.
| ([range(1; [500, ($all | length) - 1] | min)] | max_by($all[.] - $all[. - 1])) as $first
| (if $all[$first] - $all[$first - 1] > 1e8 then $all[$first:] else $all end) as $run
| $run[(($run | length) * 0.4 | floor):(($run | length) * 0.95 | floor)] as $t
| ($t | length) as $n
| ([$t[] - $t[0]] | add / $n) as $mean
| (($n - 1) / 2) as $middle
| (reduce range($n) as $i (0; . + ($i - $middle) * ($t[$i] - $t[0] - $mean)) / ($n * ($n * $n - 1) / 12)) as $gap
| [range($n) | $t[.] - $t[0] - $mean - $gap * (. - $middle) | fabs] as $off
| [range(1; $n) | $t[.] - $t[. - 1]] as $gaps
| ($gaps | add / length) as $g
| {grid_p50: [($off | quantile(0.5)), "ns"], grid_p99: [($off | quantile(0.99)), "ns"],
   gap_cv: [(($gaps | map((. - $g) * (. - $g)) | add / length | sqrt) / $g), "1"],
   gap_min: [($gaps | min), "ns"], rate: [1e9 / $gap, "1/s"]}
| to_entries[] | {type: "bench", name: "\($name)_\(.key)", value: .value[0], unit: .value[1]}
