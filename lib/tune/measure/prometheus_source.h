// Windows of the traffic as it is, read from a server's metrics. Nothing is sent to the server but requests
// for them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/tune/measure/exposition.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

struct PrometheusOptions {
  std::string where;  // of the metrics, for messages; without secrets
  MetricQuery query;
  int64_t scrape_ns = 1'000'000'000;                // from one look to the next
  std::function<std::optional<double>()> pressure;  // as cpu_pressure(), if the server is on this machine
};

// A look that fails (no answer, text that cannot be read, a metric that is gone) is skipped; three in a row
// void the window, and so do counters that fell (the server was started anew) and a clock that jumped.
// One thread, the caller's.
class PrometheusSource final : public WindowSource {
 public:
  // The metrics' text; none if they cannot be had.
  using Fetch = std::function<std::optional<std::string>()>;
  // Waits until the clock says so; may come back sooner.
  using WaitUntil = std::function<void(int64_t ns)>;

  // Looks once. Errors: environment if there is no answer; input for what read_metrics() finds, and if the
  // objective is a quantile and the latency has no buckets.
  PrometheusSource(PrometheusOptions options, Objective objective, const Clock& clock, Fetch fetch,
                   WaitUntil wait);

  Window measure(const WindowPlan& plan, const WindowWatch& watch, const StopFlag& stop) override;

 private:
  struct Running;
  std::optional<MetricState> look(std::string_view gen);
  // False after a request to stop, or if the clock was found far behind it.
  bool wait_until(int64_t ns, const StopFlag& stop, bool& jumped);

  PrometheusOptions options_;
  Objective objective_;
  const Clock& clock_;
  Fetch fetch_;
  WaitUntil wait_;
  std::string fault_;  // of the last look that failed
};

}  // namespace mlq::tune
