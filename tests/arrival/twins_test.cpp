// Two ways to the same law: the engine's inversion, and thinning.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/arrival/harness.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thinning.h"

namespace mlq::arrival {
namespace {

// Times and counts of many short runs by both, compared by two-sample KS.
void expect_same_law(const std::string& spec, const std::function<double(double)>& rate, double most,
                     double end) {
  std::vector<double> inverted, thinned, counts, thinned_counts, gaps, thinned_gaps;
  for (uint64_t seed = 1; seed <= 80; ++seed) {
    const std::vector<int64_t> times = test::times_of(spec, seed);
    const std::vector<double> others = mlq::test::thinned(rate, most, end, seed);
    for (const int64_t t : times) inverted.push_back(static_cast<double>(t) * 1e-9);
    thinned.insert(thinned.end(), others.begin(), others.end());
    for (const double gap : test::gaps_s(times)) gaps.push_back(gap);
    for (size_t k = 1; k < others.size(); ++k) thinned_gaps.push_back(others[k] - others[k - 1]);
    counts.push_back(static_cast<double>(times.size()));
    thinned_counts.push_back(static_cast<double>(others.size()));
  }
  EXPECT_GT(test::ks_p_two(inverted, thinned), 1e-3) << spec;
  EXPECT_GT(test::ks_p_two(gaps, thinned_gaps), 1e-3) << spec;
  const double error = std::sqrt((test::variance_of(counts) + test::variance_of(thinned_counts)) / 80);
  EXPECT_NEAR(test::mean_of(counts), test::mean_of(thinned_counts), 4 * error) << spec;
  EXPECT_NEAR(test::variance_of(counts) / test::mean_of(counts), 1, 0.5) << spec;
}

TEST(Twins, SinusoidByInversionAndByThinning) {
  const double w = 6.283185307179586 / 20;
  expect_same_law(
      "sinusoid --rate 3/s --amplitude 1 --period 20s --duration 60s",
      [w](double t) { return 3 * (1 + std::sin(w * t)); }, 6, 60);
}

TEST(Twins, PointsByInversionAndByThinning) {
  const mlq::test::TempDir dir;
  const std::string points = dir.file("points.csv", "t,rate\n0,0\n10,8\n30,8\n30,1\n60,5\n");
  const auto rate = [](double t) {
    if (t < 10) return 0.8 * t;
    if (t < 30) return 8.0;
    return 1 + 4 * (t - 30) / 30;
  };
  expect_same_law("nhpp --points " + points, rate, 8, 60);
}

TEST(Twins, FormulaByInversionAndByThinning) {
  expect_same_law(
      "expr '5*exp(-t/20) + max(0, sin(t))' --duration 60s",
      [](double t) { return 5 * std::exp(-t / 20) + std::max(0.0, std::sin(t)); }, 6, 60);
}

}  // namespace
}  // namespace mlq::arrival
