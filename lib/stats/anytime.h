// What is known of a share after x misses in n trials, however often one has looked before: a confidence
// sequence, good at all times at once, so that a test may stop as soon as it is sure.
//
// The e-value of p is e(p) = B(1/2 + x, 1/2 + n - x) / (B(1/2, 1/2) p^x (1-p)^(n-x)): the likelihood averaged
// over Jeffreys' prior, over that of p. Under p it is a martingale that starts at 1, so it ever reaches
// 1/alpha with probability alpha at most (Ville 1939; Robbins, Ann. Math. Stat. 41, 1970). Trials are taken
// as independent: of correlated ones x and n are first divided by the autocorrelation time (batch_means.h),
// which is why they are real numbers here.
//
// Pure functions, thread-safe, some microseconds.
#pragma once

#include "lib/stats/quantile.h"

namespace mlq::stats {

// ln e(p); 0 <= misses <= n, 0 < p < 1.
double ln_evidence(double misses, double n, double p);

// The ends of {p : e(p) < 1/alpha}, 0 and 1 where there is none. 0 < alpha < 1.
Interval anytime_interval(double misses, double n, double alpha);

// The interval lies above p, or below it.
bool surely_above(double misses, double n, double p, double alpha);
bool surely_below(double misses, double n, double p, double alpha);

}  // namespace mlq::stats
