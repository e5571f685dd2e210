// Metrics as text: whatever they are, they are read or refused, and what is read adds up.
#include <cmath>

#include "lib/tune/measure/metrics_window.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  MetricQuery query;
  query.latency = "latency_seconds";
  query.errors = "failed";
  query.gen_label = "gen";
  query.labels["model"] = "m";
  fuzz::accepted([&] {
    const MetricState state = read_metrics(text, "metrics", query, "8");
    double last = 0;
    for (const MetricState::Bucket& bucket : state.buckets) {
      MLQ_FUZZ_CLAIM(bucket.count >= last);
      last = bucket.count;
    }
    MLQ_FUZZ_CLAIM(state.buckets.empty() || std::isinf(state.buckets.back().le_ns));
    MLQ_FUZZ_CLAIM(state.count >= 0 && state.latency_sum_ns >= 0);
    // Nothing is added between a look and itself.
    const auto none = added(state, state);
    MLQ_FUZZ_CLAIM(none && none->count == 0 && none->errors == 0);
    const auto q = bucket_quantile(state, 0.95);
    MLQ_FUZZ_CLAIM(!q || (q->lo_ns <= q->hi_ns && !std::isnan(q->at_ns)));
    Window window;
    describe_metrics(state, {}, 1'000'000'000, Objective::parse("latency", "p95<=10ms"), query, window);
    MLQ_FUZZ_CLAIM(!window.attain || (*window.attain >= 0 && *window.attain <= 1));
  });
  return 0;
}
