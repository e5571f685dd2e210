# Latencies of ten replications ({r, latency_ns}) of a queue with one server and a mean service of 5 ms, $law exp
# (M/M/1) or fixed (M/D/1), at the load $rho: mean and p99, each with its 95% interval and the value of theory. The
# replications are independent, so the interval of the mean is Student's t over their means; that of p99 is
# Woodruff's (JASA 47, 1952): t over the replications' shares beyond the pooled p99, turned back into quantiles.
# A figure is inside if its interval holds the value of theory with $lone, what the machine adds to a lone request.
def sum(f): reduce f as $x (0; . + $x);
5e6 as $s
# Of M/M/1 the response is exponential. Of M/D/1 the wait is (Erlang, 1909):
# P(W <= x) = (1 - rho) sum over k <= x/s of (-y)^k / k! e^y with y = lambda (x - k s).
| def wait_below($x): (1 - $rho) * sum(range(0; ($x / $s | floor) + 1)
    | . as $k | ($rho * ($x / $s - $k)) as $y
    | reduce range(1; $k + 1) as $j ($y | exp; . * -$y / $j));
  def bisect($lo; $hi): (($lo + $hi) / 2) as $m
    | if $hi - $lo < 1 then $m elif wait_below($m) < 0.99 then bisect($m; $hi) else bisect($lo; $m) end;
  def error: length as $n | (add / $n) as $mean | map((. - $mean) * (. - $mean)) | add / ($n - 1) / $n | sqrt;
  def result($what; $value; $lo; $hi; $theory): {type: "bench", name: "\($name)_\($what)", value: $value, unit: "ns",
    theory: $theory, lo: $lo, hi: $hi, inside: ($lo <= $theory + $lone and $theory + $lone <= $hi)};
  2.262 as $t  # 97.5%, 9 degrees of freedom
| (if $law == "exp" then $s / (1 - $rho) else $s * (1 + $rho / 2 / (1 - $rho)) end) as $mean
| (if $law == "exp" then (100 | log) * $s / (1 - $rho) else bisect(0; 100 * $s) + $s end) as $p99
| [inputs] | (map(.latency_ns) | sort) as $pool
| group_by(.r) | map(map(.latency_ns))
| if length != 10 then error("ten replications are needed") else . end
| map(add / length) as $means | ($means | add / length) as $m | ($means | error * $t) as $half
| def quantile($q): $pool[[[($pool | length) * $q | ceil, ($pool | length)] | min, 1] | max - 1];
  quantile(0.99) as $q
| (map((map(select(. > $q)) | length) / length) | error * $t) as $share
| result("mean"; $m; $m - $half; $m + $half; $mean),
  result("p99"; $q; quantile(0.99 - $share); quantile(0.99 + $share); $p99)
