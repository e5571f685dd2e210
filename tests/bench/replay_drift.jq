# From the records of a run of $s seconds: whether all was sent, and how the lag of the last tenth differs from
# that of the first.
def median: sort | .[length / 2 | floor];
reduce inputs as $r ({first: [], last: []};
  if $r.type == "result" and $r.send_ns then
    if $r.due_ns < $s * 1e8 then .first += [$r.lag_ns] elif $r.due_ns >= $s * 9e8 then .last += [$r.lag_ns]
    else . end
  elif $r.type == "summary" then .summary = $r else . end)
| .summary as $sum
| {planned: [$sum.planned, "requests"], sent: [$sum.sent, "requests"], lag_p50: [$sum.lag_p50_ns, "ns"],
   lag_p99: [$sum.lag_p99_ns, "ns"],
   # Of the schedule itself: the least lag of blocks of requests, against time.
   whole_run: [$sum.lag_drift_ns_per_min * $s / 60, "ns"],
   median_lag_last_less_first: [(.last | median) - (.first | median), "ns"],
   least_lag_last_less_first: [(.last | min) - (.first | min), "ns"]}
| to_entries[] | {type: "bench", name: "drift_\(.key)", value: .value[0], unit: .value[1]}
