# The bars of tests/bench/serve_cost: ratios and differences of figures of one round, their median over the rounds, and
# its 95% interval by the bootstrap, drawn by a fixed generator.
def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def of($name): [$figures[] | select(.name == $name) | {key: (.round | tostring), value}] | from_entries;
def draw: (. * 1103515245 + 12345) % 2147483648;
def interval: . as $all | length as $n
  | reduce range(1000) as $k ({seed: 7, medians: []};
      reduce range($n) as $i (. + {sample: []}; .seed |= draw | .sample += [$all[.seed / 65536 | floor | . % $n]])
      | .medians += [.sample | median])
  | .medians | sort | {lo: .[25], hi: .[974]};
def bar($name; $values; $limit): $values | select(length > 0)
  | {type: "bench", name: $name, value: median, rounds: length, limit: $limit, unit: "ratio"} + interval;
def ratio($a; $b): of($a) as $x | of($b) as $y | [$x | keys[] | select($y[.]) | $x[.] / $y[.]];
def added($a; $b): of($a) as $x | of($b) as $y | [$x | keys[] | select($y[.]) | $x[.] - $y[.]];
bar("B1_cost_over_nginx"; ratio("cost_serve"; "cost_nginx"); 1.5),
bar("B1_cost_over_haproxy"; ratio("cost_serve"; "cost_haproxy"); 1.2),
(bar("B1_added_p50"; added("p50_serve"; "p50_model"); 60) | .unit = "us"),
(bar("nginx_added_p50"; added("p50_nginx"; "p50_model"); null) | .unit = "us"),
bar("B1_p99_over_nginx"; ratio("p99_serve"; "p99_nginx"); 2),
bar("B2_batched_cost_over_nginx"; ratio("cost_serve_batched"; "cost_nginx"); 0.8),
bar("haproxy_cost_over_nginx"; ratio("cost_haproxy"; "cost_nginx"); null),
bar("B7_hit_cost_over_nginx_static"; ratio("cost_serve_hit"; "cost_static"); 2.2),
bar("B7_distinct_cache_on_over_off"; ratio("cost_serve_distinct_cached"; "cost_serve_distinct"); 1.1)
