#include "lib/serve/control/metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mlq::serve {
namespace {

TEST(Metrics, FamiliesAndSamplesAreAsPrometheusReadsThem) {
  MetricsText text("mlq_");
  text.family("requests_total", "counter", "Requests.");
  text.sample({{"model", "a\"b\\c\nd"}, {"code", "200"}}, uint64_t{7});
  text.family("up", "gauge", "Whether.");
  text.sample({}, 0.5);
  text.sample({}, std::nan(""));
  EXPECT_EQ(text.text(),
            "# HELP mlq_requests_total Requests.\n# TYPE mlq_requests_total counter\n"
            "mlq_requests_total{model=\"a\\\"b\\\\c\\nd\",code=\"200\"} 7\n"
            "# HELP mlq_up Whether.\n# TYPE mlq_up gauge\nmlq_up 0.5\nmlq_up NaN\n");
}

TEST(Metrics, BoundsGoFrom100MicrosecondsToTenSecondsByTheRootOfTwo) {
  EXPECT_DOUBLE_EQ(DurationBuckets::bound_s(0), 1e-4);
  for (size_t k = 1; k < DurationBuckets::kBounds; ++k)
    EXPECT_NEAR(DurationBuckets::bound_s(k) / DurationBuckets::bound_s(k - 1), std::sqrt(2.0), 1e-12);
  EXPECT_GT(DurationBuckets::bound_s(DurationBuckets::kBounds - 1), 10);
}

TEST(Metrics, AHistogramIsCumulative) {
  DurationBuckets b;
  b.add(100'000);         // the bound belongs to its bucket
  b.add(100'001);         // the next
  b.add(60'000'000'000);  // above all
  MetricsText text("");
  text.family("x_seconds", "histogram", "X.");
  text.sample({{"m", "d"}}, b);
  const std::string& out = text.text();
  EXPECT_NE(out.find("x_seconds_bucket{m=\"d\",le=\"0.0001\"} 1\n"), out.npos) << out;
  EXPECT_NE(out.find("x_seconds_bucket{m=\"d\",le=\"0.000141421\"} 2\n"), out.npos) << out;
  EXPECT_NE(out.find("x_seconds_bucket{m=\"d\",le=\"13.1072\"} 2\n"), out.npos) << out;
  EXPECT_NE(out.find("x_seconds_bucket{m=\"d\",le=\"+Inf\"} 3\n"), out.npos) << out;
  EXPECT_NE(out.find("x_seconds_count{m=\"d\"} 3\n"), out.npos) << out;
}

TEST(Metrics, RowsFallIntoPowersOfTwo) {
  RowBuckets b;
  for (const uint64_t rows : {1, 2, 3, 4, 5000}) b.add(rows);
  MetricsText text("");
  text.family("rows", "histogram", "Rows.");
  text.sample({}, b);
  const std::string& out = text.text();
  EXPECT_NE(out.find("rows_bucket{le=\"1\"} 1\nrows_bucket{le=\"2\"} 2\nrows_bucket{le=\"4\"} 4\n"), out.npos)
      << out;
  EXPECT_NE(out.find("rows_bucket{le=\"4096\"} 4\nrows_bucket{le=\"+Inf\"} 5\nrows_sum 5010\n"), out.npos)
      << out;
}

}  // namespace
}  // namespace mlq::serve
