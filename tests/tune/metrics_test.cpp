// Windows from Prometheus metrics: the text, what was added between two looks, and the source on a virtual
// clock.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/serve/control/metrics.h"
#include "lib/tune/measure/metrics_window.h"
#include "lib/tune/measure/prometheus_source.h"
#include "tests/replay/virtual_world.h"

namespace mlq::tune {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000 * kMs;

MetricQuery query(std::string latency = "latency_seconds") {
  MetricQuery q;
  q.latency = std::move(latency);
  return q;
}

std::string histogram_text(std::initializer_list<std::pair<const char*, int>> buckets, double sum,
                           const std::string& labels = "") {
  std::string text = "# HELP latency_seconds Time.\n# TYPE latency_seconds histogram\n";
  int count = 0;
  for (const auto& [le, n] : buckets) {
    text +=
        fmt::format("latency_seconds_bucket{{{}{}le=\"{}\"}} {}\n", labels, labels.empty() ? "" : ",", le, n);
    count = n;
  }
  const std::string braces = labels.empty() ? "" : "{" + labels + "}";
  text += fmt::format("latency_seconds_sum{} {}\nlatency_seconds_count{} {}\n", braces, sum, braces, count);
  return text;
}

MetricState state(const std::string& text, const MetricQuery& q = query(), std::string_view gen = {}) {
  return read_metrics(text, "metrics", q, gen);
}

std::string message_of(const std::string& text, const MetricQuery& q = query()) {
  try {
    state(text, q);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    return error.what();
  }
  return "accepted";
}

TEST(Exposition, SamplesAreReadAsTheFormatWritesThem) {
  std::vector<std::string> seen;
  read_exposition(
      "# HELP a b\n\na 1\r\n  b{x=\"1\\\"2\\\\3\\n\" , y=\"z\",} 1.5e3 1395066363000\n"
      "c{} +Inf\nd NaN # {trace=\"1\"} 0.5\n# EOF\n",
      "text", [&](const MetricSample& s) {
        std::string line(s.name);
        for (const auto& [name, value] : s.labels) line += fmt::format(" {}={}", name, value);
        seen.push_back(fmt::format("{} {}", line, s.value));
      });
  EXPECT_EQ(seen, (std::vector<std::string>{"a 1", "b x=1\"2\\3\n y=z 1500", "c inf", "d nan"}));
}

TEST(Exposition, WhatIsNoSampleIsRefusedByItsLine) {
  for (const char* text : {"a\n", "1a 2\n", "a{x=1} 2\n", "a{x=\"1} 2\n", "a{x=\"1\"} two\n", "a 1 2 3\n",
                           "a{x=\"1\",x=\"2\"} 1\n", "a{x=\"1\"y=\"2\"} 1\n", "a 1", "a ++1\n"}) {
    try {
      read_exposition(std::string("ok 1\n") + text, "m", [](const MetricSample&) {});
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("m: line 2"), std::string::npos) << error.what();
    }
  }
}

TEST(Exposition, OurOwnServersMetricsAreRead) {
  serve::MetricsText text("mlq_serve_");
  serve::DurationBuckets buckets;
  for (int k = 0; k < 100; ++k) buckets.add(3 * kMs);
  text.family("latency_seconds", "histogram", "Time.");
  text.sample({{"model", "digits"}}, buckets);
  MetricQuery q = query("mlq_serve_latency_seconds");
  q.labels["model"] = "digits";
  const MetricState s = state(text.text(), q);
  EXPECT_EQ(s.count, 100);
  EXPECT_NEAR(s.latency_sum_ns, 100.0 * 3 * kMs, 1);
  const auto p50 = bucket_quantile(s, 0.5);
  EXPECT_LE(p50->lo_ns, 3.0 * kMs);
  EXPECT_GE(p50->hi_ns, 3.0 * kMs);
}

TEST(Metrics, SeriesThatMatchAreAddedUp) {
  MetricQuery q = query();
  q.labels["model"] = "a";
  const MetricState s = state(histogram_text({{"0.1", 3}, {"+Inf", 4}}, 1, "model=\"a\",v=\"1\"") +
                                  histogram_text({{"0.1", 1}, {"+Inf", 1}}, 0.5, "model=\"a\",v=\"2\"") +
                                  histogram_text({{"0.1", 9}, {"+Inf", 9}}, 9, "model=\"b\",v=\"1\""),
                              q);
  EXPECT_EQ(s.count, 5);
  EXPECT_EQ(s.buckets[0].count, 4);
  EXPECT_EQ(s.latency_sum_ns, 1.5e9);
}

TEST(Metrics, OtherGenerationsAreKeptApart) {
  MetricQuery q = query();
  q.gen_label = "gen";
  const MetricState s = state(
      histogram_text({{"+Inf", 3}}, 1, "gen=\"7\"") + histogram_text({{"+Inf", 5}}, 1, "gen=\"8\""), q, "8");
  EXPECT_EQ(s.count, 5);
  EXPECT_EQ(s.other_count, 3);
}

// A server that was just started, and the first requests that it serves.
TEST(Metrics, AHistogramThatIsDeclaredAndHasNoSeriesYetIsEmpty) {
  const std::string declared = "# HELP latency_seconds of all\n# TYPE latency_seconds histogram\n";
  const MetricState before = state(declared);
  EXPECT_TRUE(before.is_histogram());
  EXPECT_EQ(before.count, 0);
  const MetricState after = state(declared + histogram_text({{"0.1", 3}, {"+Inf", 4}}, 1));
  const auto between = added(before, after);
  ASSERT_TRUE(between);
  EXPECT_EQ(between->count, 4);
  EXPECT_EQ(between->buckets.size(), 2u);
  EXPECT_FALSE(added(after, before)) << "a server that was started anew";
  // Series that the labels do not match are a mistake in the file.
  MetricQuery q = query();
  q.labels["model"] = "x";
  EXPECT_NE(message_of(declared + histogram_text({{"+Inf", 3}}, 1, "model=\"y\""), q).find("labels"),
            std::string::npos);
  EXPECT_NE(message_of("# TYPE latency_seconds counter\n").find("is not there"), std::string::npos);
}

TEST(Metrics, FaultsNameTheMetric) {
  MetricQuery q = query();
  EXPECT_NE(message_of("a 1\n").find("metric latency_seconds is not there"), std::string::npos);
  q.count = "served";
  EXPECT_NE(message_of(histogram_text({{"+Inf", 3}}, 1), q).find("metric served is not there"),
            std::string::npos);
  q.count.clear();
  q.labels["model"] = "x";
  EXPECT_NE(message_of(histogram_text({{"+Inf", 3}}, 1), q).find("labels"), std::string::npos);
  EXPECT_NE(
      message_of("latency_seconds_sum NaN\nlatency_seconds_count 1\n").find("latency_seconds_sum is nan"),
      std::string::npos);
  const std::string once = histogram_text({{"0.1", 1}, {"+Inf", 3}}, 1);
  EXPECT_NE(message_of(once + once).find("there twice"), std::string::npos);
  EXPECT_NE(message_of(histogram_text({{"0.1", 5}, {"+Inf", 3}}, 1)).find("fewer than the one before"),
            std::string::npos);
  EXPECT_NE(message_of(histogram_text({{"0.1", 1}}, 1)).find("+Inf"), std::string::npos);
  EXPECT_NE(message_of(once.substr(0, once.size() - 1)).find("cut"), std::string::npos);
}

TEST(Metrics, ACounterThatFellMeansANewServer) {
  const MetricState a = state(histogram_text({{"0.1", 5}, {"+Inf", 9}}, 2));
  const MetricState b = state(histogram_text({{"0.1", 6}, {"+Inf", 12}}, 3));
  EXPECT_EQ(added(a, b)->count, 3);
  EXPECT_EQ(added(a, b)->buckets[0].count, 1);
  EXPECT_FALSE(added(b, a));
}

// Exponential times, buckets by factors of sqrt 2: the quantile lies in the named bucket, and interpolation
// is off by less than the bucket.
TEST(Metrics, AQuantileIsTheBucketThatHoldsIt) {
  const RandomStream random(2, Purpose::service);
  serve::DurationBuckets buckets;
  std::vector<double> all;
  for (uint64_t k = 0; k < 20'000; ++k) {
    all.push_back(-20.0 * kMs * fmath::log(random.uniform(k)));
    buckets.add(static_cast<int64_t>(all.back()));
  }
  std::sort(all.begin(), all.end());
  serve::MetricsText text("");
  text.family("latency_seconds", "histogram", "Time.");
  text.sample({}, buckets);
  const MetricState s = state(text.text());
  for (const double q : {0.1, 0.5, 0.9, 0.95, 0.99}) {
    const double truth = all[static_cast<size_t>(q * 20'000)];
    const auto found = bucket_quantile(s, q);
    EXPECT_LE(found->lo_ns, truth) << q;
    EXPECT_GE(found->hi_ns, truth) << q;
    EXPECT_NEAR(found->at_ns, truth, 0.05 * truth) << q;
    EXPECT_NEAR(count_within(s, truth), q * 20'000, 0.03 * 20'000) << q;
  }
}

TEST(Metrics, WhatLiesInTheLastBucketIsABound) {
  const MetricState s = state(histogram_text({{"0.1", 50}, {"+Inf", 100}}, 100));
  Window w;
  describe_metrics(s, {}, kS, Objective::parse("latency", "p95<=200ms"), query(), w);
  EXPECT_FALSE(w.latency_p95_ns);
  EXPECT_TRUE(w.stat_is_bound);
  EXPECT_EQ(w.stat_ns, 100.0 * kMs);
  EXPECT_TRUE(w.note);
}

TEST(Metrics, TheBucketsWidthIsInTheVariance) {
  const MetricState s = state(histogram_text({{"0.1", 50}, {"0.2", 100}, {"+Inf", 100}}, 10));
  const std::vector<MetricState> parts(10, s);
  Window mean, p90;
  describe_metrics(s, parts, kS, Objective::parse("latency", ""), query(), mean);
  describe_metrics(s, parts, kS, Objective::parse("latency", "p90<=1s"), query(), p90);
  EXPECT_NEAR(*mean.y_var, 0, 1e-12);
  EXPECT_NEAR(*p90.y_var, std::log(2) * std::log(2) / 12, 1e-12);
  EXPECT_NEAR(static_cast<double>(*p90.stat_lo_ns), 100.0 * kMs, 2);
  EXPECT_NEAR(static_cast<double>(*p90.stat_hi_ns), 200.0 * kMs, 2);
}

// A server whose metrics grow with the clock: 100 requests a second of 15 ms, 1 error a second.
class Prometheus : public ::testing::Test {
 protected:
  std::string text() const {
    const int64_t since = clock.now_ns() - started;
    const auto n = static_cast<int>(since / (10 * kMs));
    const double s = 0.015 * n;
    return histogram_text({{"0.01", 0}, {"0.02", n}, {"+Inf", n}}, s) +
           fmt::format("failures_total {}\nprocess_cpu_seconds_total {}\ninflight 2\n", n / 100, 0.002 * n);
  }
  PrometheusSource source(const char* slo = "") {
    PrometheusOptions options;
    options.where = "metrics";
    options.query = query();
    options.query.errors = "failures_total";
    options.query.cpu = "process_cpu_seconds_total";
    options.query.inflight = "inflight";
    return PrometheusSource(
        options, Objective::parse("latency", slo), clock, [this] { return fetch(); },
        [this](int64_t ns) { clock.advance_to(ns); });
  }

  replay::test::VirtualClock clock;
  int64_t started = -1'000 * kS;
  StopFlag stop;
  std::function<std::optional<std::string>()> fetch = [this] { return std::optional(text()); };
};

TEST_F(Prometheus, AWindowIsWhatWasAddedInIt) {
  PrometheusSource s = source("p95<=20ms");
  const Window w = s.measure({.settle_ns = 2 * kS, .length_ns = 5 * kS}, {}, stop);
  EXPECT_EQ(w.outcome, "ok");
  EXPECT_EQ(clock.now_ns(), 7 * kS);
  EXPECT_EQ(w.window_ns, 5 * kS);
  EXPECT_EQ(w.ok, 500u);
  EXPECT_EQ(w.errors, 5u);
  EXPECT_EQ(w.latency_mean_ns, 15 * kMs);
  EXPECT_EQ(w.cpu_ns_per_request, static_cast<int64_t>(1e9 / 505 + 0.5));
  EXPECT_GT(*w.latency_p95_ns, 19 * kMs);
  EXPECT_NEAR(*w.attain, 500.0 / 505, 1e-9);
  EXPECT_EQ(w.inflight_mean, 2);
}

TEST_F(Prometheus, WithoutALengthAWindowLastsUntilEnoughWasServed) {
  PrometheusSource s = source();
  EXPECT_EQ(s.measure({}, {}, stop).window_ns, 3 * kS);
  EXPECT_EQ(s.measure({.enough = 1000}, {}, stop).window_ns, 10 * kS);
}

TEST_F(Prometheus, TheWatchEndsAWindow) {
  PrometheusSource s = source();
  const Window w =
      s.measure({.length_ns = 60 * kS}, {[](const Window& so_far) -> std::optional<std::string> {
                  return so_far.requests > 300 ? std::optional<std::string>("guard") : std::nullopt;
                }},
                stop);
  EXPECT_EQ(w.aborted, "guard");
  EXPECT_EQ(w.window_ns, 3 * kS);
}

TEST_F(Prometheus, OneOrTwoLooksThatFailAreSkippedAndThreeVoidTheWindow) {
  PrometheusSource s = source();
  int k = 0;
  const auto good = fetch;
  fetch = [&]() -> std::optional<std::string> {
    ++k;
    return k == 2 || k == 3 ? std::nullopt : good();
  };
  EXPECT_EQ(s.measure({.length_ns = 6 * kS}, {}, stop).ok, 600u);
  k = 0;
  fetch = [&] { return ++k < 3 ? good() : std::optional<std::string>("latency_seconds_sum NaN\n"); };
  const Window w = s.measure({.length_ns = 60 * kS}, {}, stop);
  EXPECT_EQ(w.outcome, "void");
  EXPECT_NE(w.note->find("latency_seconds_sum"), std::string::npos);
}

TEST_F(Prometheus, ARestartVoidsTheWindow) {
  PrometheusSource s = source();
  const auto good = fetch;
  fetch = [&] {
    if (clock.now_ns() >= 2 * kS) started = 2 * kS;
    return good();
  };
  const Window w = s.measure({.length_ns = 60 * kS}, {}, stop);
  EXPECT_EQ(w.outcome, "void");
  EXPECT_FALSE(w.valid);
  EXPECT_NE(w.note->find("restarted"), std::string::npos);
}

TEST_F(Prometheus, AQuantileOfACounterIsRefusedAtTheStart) {
  fetch = [] { return std::optional<std::string>("latency_seconds 5\nserved 100\n"); };
  PrometheusOptions options;
  options.where = "metrics";
  options.query = query();
  options.query.count = "served";
  const auto make = [&](const char* slo) {
    return PrometheusSource(options, Objective::parse("latency", slo), clock, fetch, [](int64_t) {});
  };
  EXPECT_NO_THROW(make(""));
  try {
    make("p95<=1s");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_NE(std::string(error.what()).find("latency_seconds_bucket"), std::string::npos);
  }
  fetch = [] { return std::optional<std::string>(); };
  EXPECT_THROW(make(""), Error);
}

}  // namespace
}  // namespace mlq::tune
