# A load generator as one often finds it: each second gets RATE exponential gaps, scaled so that they fill the
# second exactly. The rate is right and the gaps look exponential, and yet this is no Poisson process: every
# second has the same number of requests, and the last of them is on the full second.
BEGIN {
  srand(1)
  for (second = 0; second < SECONDS; ++second) {
    sum = 0
    for (k = 1; k <= RATE; ++k) {
      sum += -log(1 - rand())
      upto[k] = sum
    }
    for (k = 1; k <= RATE; ++k)
      printf "{\"type\":\"arrival\",\"t_ns\":%.0f}\n", 1e9 * (second + upto[k] / sum)
  }
}
