// Metrics as text: Prometheus' exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats),
// and what OpenMetrics adds to its lines (exemplars, `# EOF`), as far as numbers go.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mlq::tune {

// One line of it.
struct MetricSample {
  std::string_view name;                                    // into the text
  std::vector<std::pair<std::string, std::string>> labels;  // as they stand, unescaped
  double value = 0;                                         // may be NaN or infinite
};

// Calls `take` for each sample, and `declare`, if there is one, for each "# TYPE name type". Other comments
// and time stamps are passed over. Input Errors name `where` and the line: a line that is no sample, a label
// twice, a last line without its line end (the text was cut). Memory: one line's.
void read_exposition(std::string_view text, std::string_view where,
                     const std::function<void(const MetricSample&)>& take,
                     const std::function<void(std::string_view name, std::string_view type)>& declare = {});

using MetricLabels = std::map<std::string, std::string>;

// What is looked for.
struct MetricQuery {
  std::string latency;    // a histogram's name, or that of a counter of time
  std::string count;      // counter of requests that were served; empty: the histogram's own count
  std::string errors;     // counter of requests that failed; empty: none are known
  std::string cpu;        // counter of CPU seconds; without labels
  std::string inflight;   // gauge; empty: none
  MetricLabels labels;    // that series must have
  std::string gen_label;  // which label names the generation; empty: none
  double unit_ns = 1e9;   // of the latency's values
};

// One look at the metrics. Sums over all series that match.
struct MetricState {
  struct Bucket {
    double le_ns;  // the last is infinite
    double count;  // cumulative
  };
  std::vector<Bucket> buckets;  // rising; empty: the latency is no histogram
  double latency_sum_ns = 0;
  double count = 0;
  double errors = 0;
  double other_count = 0;  // of series of other generations
  double cpu_s = 0;
  double inflight = 0;

  bool empty_histogram = false;  // it is declared as one, and nothing was counted yet

  bool is_histogram() const { return !buckets.empty() || empty_histogram; }
};

// Input Errors that name `where` and the metric: one that is missing, that no series matches, a series twice,
// NaN or a negative value of a counter, buckets that fall or lack +Inf. `gen`: series of other generations
// are kept apart (a series without the label counts); empty: all count.
MetricState read_metrics(std::string_view text, std::string_view where, const MetricQuery& query,
                         std::string_view gen);

}  // namespace mlq::tune
