#include "lib/stats/anytime.h"

#include <cmath>

#include "gtest/gtest.h"
#include "lib/base/random.h"

namespace mlq::stats {
namespace {

// The least number of trials after which `misses` misses say surely that the share is below `p`.
int least_trials(int misses, double p) {
  int n = misses + 1;
  while (!surely_below(misses, n, p, 0.01)) ++n;
  return n;
}

// Computed apart, with 50 digits, from e(p) = B(1/2+x, 1/2+n-x) / (B(1/2,1/2) p^x (1-p)^(n-x)) >= 100.
TEST(Anytime, TheLeastTrialsOfTheEarlyStoppingTable) {
  EXPECT_EQ(least_trials(0, 0.1), 70);
  EXPECT_EQ(least_trials(1, 0.1), 101);
  EXPECT_EQ(least_trials(2, 0.1), 125);
  EXPECT_EQ(least_trials(5, 0.1), 185);
  EXPECT_EQ(least_trials(0, 0.01), 851);
  EXPECT_EQ(least_trials(5, 0.01), 2071);
}

TEST(Anytime, TheIntervalEndsWhereTheEvidenceReachesOneOverAlpha) {
  for (const auto& [x, n] : {std::pair{1.0, 20.0}, {7.0, 50.0}, {30.5, 61.25}}) {
    const Interval i = anytime_interval(x, n, 0.01);
    EXPECT_NEAR(std::exp(ln_evidence(x, n, i.lo)), 100, 1e-6);
    EXPECT_NEAR(std::exp(ln_evidence(x, n, i.hi)), 100, 1e-6);
    EXPECT_LT(i.lo, x / n);
    EXPECT_GT(i.hi, x / n);
  }
}

TEST(Anytime, ShareOfNothingOrOfAllIsBoundedOnOneSide) {
  EXPECT_EQ(anytime_interval(0, 10, 0.01).lo, 0);
  EXPECT_EQ(anytime_interval(10, 10, 0.01).hi, 1);
  EXPECT_EQ(anytime_interval(0, 0, 0.01).lo, 0);
  EXPECT_EQ(anytime_interval(0, 0, 0.01).hi, 1);
}

TEST(Anytime, TheSureAnswersAgreeWithTheInterval) {
  for (double n = 5; n < 200; n += 13) {
    for (double x = 0; x <= n; x += 4) {
      const Interval i = anytime_interval(x, n, 0.05);
      for (const double p : {0.02, 0.1, 0.5, 0.9}) {
        if (std::fabs(i.lo - p) < 1e-9 || std::fabs(i.hi - p) < 1e-9) continue;
        EXPECT_EQ(surely_above(x, n, p, 0.05), p < i.lo) << x << ' ' << n << ' ' << p;
        EXPECT_EQ(surely_below(x, n, p, 0.05), p > i.hi) << x << ' ' << n << ' ' << p;
      }
    }
  }
}

// 400 runs that look after each of 1,000 trials: by Ville's inequality a run is ever wrong with probability
// 5 % at most. 20 are expected at the bound; over 33 have a chance below 0.3 % then.
TEST(Anytime, LookingAfterEveryTrialDoesNotRaiseTheErrorBeyondAlpha) {
  const RandomStream random(7, Purpose::bootstrap);
  int wrong = 0;
  for (uint64_t run = 0; run < 400; ++run) {
    double x = 0;
    for (uint32_t n = 1; n <= 1000; ++n) {
      x += random.uniform(run, n) < 0.1 ? 1 : 0;
      if (n % 5 == 0 && (surely_above(x, n, 0.1, 0.05) || surely_below(x, n, 0.1, 0.05))) {
        ++wrong;
        break;
      }
    }
  }
  EXPECT_LE(wrong, 33);
  EXPECT_GE(wrong, 1);  // it does decide
}

}  // namespace
}  // namespace mlq::stats
