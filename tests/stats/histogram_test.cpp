#include "lib/stats/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/stats/quantile.h"

namespace mlq::stats {
namespace {

// Values over all octaves, some of them above the limit when `clamping`.
std::vector<int64_t> values(size_t n, uint64_t seed, bool clamping = false) {
  const RandomStream stream(seed, Purpose::service);
  std::vector<int64_t> v(n);
  for (size_t i = 0; i < n; ++i) {
    const PhiloxCounter bits = stream.bits(i);
    const uint64_t wide = (uint64_t{bits.c0} << 32) | bits.c1;
    v[i] = static_cast<int64_t>(wide >> (64 - (clamping ? 50 : 46)) >> (bits.c2 % 46));
  }
  return v;
}

Histogram histogram_of(const std::vector<int64_t>& v) {
  Histogram h;
  for (const int64_t x : v) h.record(x);
  return h;
}

std::string error_of(const HistogramFields& fields) {
  try {
    Histogram::from_fields(fields);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::input);
    return e.what();
  }
  return "";
}

TEST(HistogramBuckets, TileTheRangeWithoutGapOrOverlap) {
  int64_t next = 0;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    ASSERT_EQ(Histogram::low_of(i), next) << i;
    next += Histogram::width_of(i);
    ASSERT_EQ(Histogram::index_of(Histogram::low_of(i)), i);
    ASSERT_EQ(Histogram::index_of(next - 1), i);
  }
  EXPECT_EQ(next, Histogram::kLimit);
  EXPECT_EQ(Histogram::index_of(INT64_MAX), Histogram::kBuckets - 1);
}

TEST(HistogramBuckets, EveryValueComesBackWithin0391Percent) {
  double worst = 0;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    const double low = static_cast<double>(Histogram::low_of(i));
    const double high = low + static_cast<double>(Histogram::width_of(i) - 1);
    const double middle = static_cast<double>(Histogram::middle_of(i));
    if (low > 0) worst = std::max({worst, (middle - low) / low, (high - middle) / high});
  }
  EXPECT_LE(worst, 0.00391);
  EXPECT_GT(worst, 0.0038);
}

TEST(Histogram, OfNothing) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_FALSE(h.min());
  EXPECT_FALSE(h.mean());
  EXPECT_FALSE(h.quantile({1, 2}));
  EXPECT_EQ(h.fields().bins, "");
  EXPECT_EQ(Histogram::from_fields(h.fields()), h);
}

TEST(Histogram, OfOneValueIsThatValueAtEveryQuantile) {
  Histogram h;
  h.record(123456789);
  for (uint64_t q : {0u, 1u, 50u, 99u, 100u}) EXPECT_EQ(h.quantile({q, 100}), 123456789);
}

TEST(Histogram, RefusesNegativeValues) {
  Histogram h;
  EXPECT_THROW(h.record(-1), Error);
  EXPECT_EQ(h.count(), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (int64_t v = 0; v < 256; ++v) h.record(v);
  for (uint64_t rank = 1; rank <= 256; ++rank)
    EXPECT_EQ(h.value_at_rank(rank), static_cast<int64_t>(rank - 1));
}

TEST(Histogram, QuantilesAreTheNearestRanksWithin0391Percent) {
  std::vector<int64_t> v = values(20000, 1);
  const Histogram h = histogram_of(v);
  std::sort(v.begin(), v.end());
  for (uint64_t q = 0; q <= 1000; ++q) {
    const int64_t exact = *quantile<int64_t>(v, {q, 1000});
    const double error = std::fabs(static_cast<double>(*h.quantile({q, 1000}) - exact));
    ASSERT_LE(error, 0.00391 * static_cast<double>(exact)) << q;
  }
}

TEST(Histogram, SumAndExtremesAreExact) {
  Histogram h;
  h.record(INT64_MAX, 1000);
  h.record(7, 2);
  const HistogramFields f = h.fields();
  EXPECT_EQ(f.sum, "9223372036854775807014");
  EXPECT_EQ(f.min, 7);
  EXPECT_EQ(f.max, INT64_MAX);
  EXPECT_EQ(f.clamped, 1000u);
  EXPECT_EQ(f.bins, "7:2 5247:1000");
  EXPECT_EQ(h.mean(), 9223372036854775807014.0 / 1002);
}

TEST(Histogram, MergeOfPartsIsTheWholeInAnyOrder) {
  const std::vector<int64_t> v = values(5000, 2, true);
  Histogram parts[3];
  for (size_t i = 0; i < v.size(); ++i) parts[i * i % 3].record(v[i]);
  const Histogram whole = histogram_of(v);
  Histogram forward;
  Histogram backward;
  for (int k = 0; k < 3; ++k) forward.merge(parts[k]);
  for (int k = 2; k >= 0; --k) backward.merge(parts[k]);
  EXPECT_EQ(forward, whole);
  EXPECT_EQ(backward, whole);
  forward.merge(Histogram());
  EXPECT_EQ(forward, whole);
}

TEST(Histogram, MergeRefusesToOverflow) {
  Histogram a;
  Histogram b;
  a.record(1, uint64_t{1} << 62);
  b.record(2, uint64_t{1} << 62);
  const Histogram before = a;
  EXPECT_THROW(a.merge(b), Error);
  EXPECT_EQ(a, before);
}

TEST(HistogramText, RoundTrips) {
  for (bool clamping : {false, true}) {
    const Histogram h = histogram_of(values(3000, 3, clamping));
    EXPECT_EQ(h.clamped() > 0, clamping);
    EXPECT_EQ(Histogram::from_fields(h.fields()), h);
  }
}

TEST(HistogramText, SaysWhatIsWrong) {
  Histogram h;
  for (int64_t v : {3, 3, 1000}) h.record(v);
  const HistogramFields good = h.fields();
  EXPECT_EQ(good.bins, "3:2 506:1");
  const auto with_bins = [&](const char* bins) {
    HistogramFields f = good;
    f.bins = bins;
    return error_of(f);
  };
  const std::string how = "; write `index:count index:count ...`";
  EXPECT_EQ(with_bins("3:2  506:1"), "hist: bins at byte 4: a decimal number is expected" + how);
  EXPECT_EQ(with_bins("3:2,506:1"), "hist: bins at byte 3: one space is expected" + how);
  EXPECT_EQ(with_bins("3:2 506"), "hist: bins at byte 7: ':' is expected" + how);
  EXPECT_EQ(with_bins("3:2 5248:1"), "hist: bins at byte 10: the index is over 5247" + how);
  EXPECT_EQ(with_bins("3:2 506:0"), "hist: bins at byte 9: the count is not between 1 and 2^63 - 1" + how);
  EXPECT_EQ(with_bins("506:1 3:2"), "hist: bins at byte 9: the indexes do not ascend" + how);
  EXPECT_EQ(with_bins("3:2 506:2"), "hist: count is 3 but bins hold 4");
  EXPECT_EQ(with_bins("3:2 507:1"), "hist: min 3 and max 1000 do not lie in the first and the last bin");
  EXPECT_EQ(with_bins("3:1 4:1 506:1"), "hist: sum 1006 is outside what the bins allow");
  EXPECT_EQ(with_bins("3:9223372036854775807 4:1 506:1"), "hist: bins hold more than 2^63 - 1 values");

  HistogramFields f = good;
  f.sum = "-1";
  EXPECT_EQ(error_of(f), "hist: sum \"-1\" is not a decimal number of at most 38 digits");
  f = good;
  f.clamped = 1;
  EXPECT_EQ(error_of(f), "hist: clamped 1 does not agree with max 1000 and the last bin");
  f = good;
  f.max.reset();
  EXPECT_EQ(error_of(f), "hist: min and max must be there exactly when count > 0");
  f = {};
  f.sum = "1";
  EXPECT_EQ(error_of(f), "hist: sum and clamped must be 0 when count is 0");
}

// Damaged texts are refused or describe a histogram that writes itself the same way again.
TEST(HistogramText, DamageIsRefusedOrHarmless) {
  const HistogramFields good = histogram_of(values(40, 4, true)).fields();
  const RandomStream stream(1, Purpose::thin);
  const std::string alphabet = "0123456789: -x";
  for (uint64_t i = 0; i < 4000; ++i) {
    HistogramFields f = good;
    std::string& text = i % 4 == 0 ? f.sum : f.bins;
    const PhiloxCounter bits = stream.bits(i);
    const size_t at = bits.c0 % text.size();
    if (bits.c1 % 3 == 0) {
      text.erase(at, 1 + bits.c2 % 4);
    } else if (bits.c1 % 3 == 1) {
      text.insert(at, 1, alphabet[bits.c2 % alphabet.size()]);
    } else {
      text[at] = alphabet[bits.c2 % alphabet.size()];
    }
    try {
      const Histogram h = Histogram::from_fields(f);
      ASSERT_EQ(Histogram::from_fields(h.fields()), h);
    } catch (const Error& e) {
      ASSERT_EQ(e.kind(), ExitKind::input);
    }
  }
}

}  // namespace
}  // namespace mlq::stats
