# A server that does 10,000 tokens a second, one request at a time, in order (Lindley's recursion).
# Reads a trace as CSV, prints mean and 99th percentile of the time from arrival to answer.
BEGIN { FS = "," }
NR == 1 {
  for (k = 1; k <= NF; ++k) column[$k] = k
  next
}
{
  t = $column["t_ns"] / 1e6
  if (free < t) free = t
  free += $column["output_tokens"] / 10
  sum += free - t
  # Counted in bins of 1 ms, so that no sorting is needed.
  ++bins[int(free - t)]
  if (free - t > longest) longest = free - t
  ++n
}
END {
  for (p99 = 0; p99 <= longest; ++p99) {
    seen += bins[p99]
    if (seen >= 0.99 * n) break
  }
  printf "%.0fms %dms\n", sum / n, p99
}
