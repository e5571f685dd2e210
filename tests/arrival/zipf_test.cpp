#include "lib/arrival/law/zipf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "lib/stats/gof.h"
#include "tests/arrival/harness.h"

namespace mlq::arrival {
namespace {

using test::failure_of;

const RandomStream kRandom(5, Purpose::keys);

struct Parameters {
  double s;
  uint64_t n;
};
class ZipfLaw : public testing::TestWithParam<Parameters> {};

TEST_P(ZipfLaw, SamplesFollowTheProbabilities) {
  const auto [s, n] = GetParam();
  const LawPtr law = zipf_law(s, n);
  constexpr size_t kSamples = 50000;
  // Ranks up to 50 each for itself, then powers of two.
  std::vector<uint64_t> upto;
  for (uint64_t k = 1; k < n && k <= 50; ++k) upto.push_back(k);
  for (uint64_t k = 64; k < n; k *= 2) upto.push_back(k);
  upto.push_back(n);
  std::vector<uint64_t> observed(upto.size(), 0);
  std::vector<double> expected;
  double before = 0;
  for (const uint64_t k : upto) {
    const double now = law->cdf(static_cast<double>(k));
    expected.push_back((now - before) * kSamples);
    before = now;
  }
  for (uint64_t i = 0; i < kSamples; ++i) {
    const double k = law->sample({&kRandom, i});
    ASSERT_TRUE(k >= 1 && k <= static_cast<double>(n) && k == std::floor(k));
    ++observed[static_cast<size_t>(std::lower_bound(upto.begin(), upto.end(), static_cast<uint64_t>(k)) -
                                   upto.begin())];
  }
  if (upto.size() > 1) {
    EXPECT_GT(stats::chi_square_test(observed, expected).p_value, 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Parameters, ZipfLaw,
                         testing::Values(Parameters{1.1, 1000000}, Parameters{1, 1000}, Parameters{0.5, 100},
                                         Parameters{2, 10}, Parameters{0.01, 1000000000},
                                         Parameters{1.5, uint64_t{1} << 53}, Parameters{3, 2},
                                         Parameters{6, 100}, Parameters{1, 1}));

TEST(Zipf, HarmonicNumbersAreThoseOfDirectSums) {
  for (const double s : {-1.5, 0.0, 0.5, 1.0, 1.1, 2.0, 7.0}) {
    for (const uint64_t n : {1ull, 5ull, 64ull, 65ull, 1000ull, 200000ull}) {
      long double sum = 0;
      for (uint64_t k = n; k >= 1; --k)
        sum += std::pow(static_cast<long double>(k), static_cast<long double>(-s));
      EXPECT_NEAR(generalised_harmonic(n, s), static_cast<double>(sum), 1e-12 * static_cast<double>(sum))
          << s << " " << n;
    }
  }
}

TEST(Zipf, HarmonicNumberOfManyTermsApproachesTheZetaFunction) {
  EXPECT_NEAR(generalised_harmonic(uint64_t{1} << 53, 2), 1.6449340668482264, 1e-12);
}

TEST(Zipf, MeanAndCvAreThoseOfTheProbabilities) {
  const LawPtr law = zipf_law(1.2, 500);
  double total = 0, first = 0, second = 0;
  for (int k = 1; k <= 500; ++k) {
    const double p = std::pow(k, -1.2);
    total += p;
    first += k * p;
    second += static_cast<double>(k) * k * p;
  }
  const double mean = first / total;
  EXPECT_NEAR(law->mean(), mean, 1e-10);
  EXPECT_NEAR(law->cv(), std::sqrt(second / total - mean * mean) / mean, 1e-10);
}

TEST(Zipf, RangesAreNamed) {
  EXPECT_EQ(failure_of([] { zipf_law(0, 5); }),
            "2: s 0 is out of range for zipf; it must be above 0 and at most 20");
  EXPECT_EQ(failure_of([] { zipf_law(21, 5); }),
            "2: s 21 is out of range for zipf; it must be above 0 and at most 20");
  EXPECT_EQ(failure_of([] { zipf_law(1, 0); }), "2: n 0 is out of range for zipf; it must be from 1 to 2^53");
}

}  // namespace
}  // namespace mlq::arrival
