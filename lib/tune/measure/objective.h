// What is minimised, and what must hold: from an SLO and the name of an objective to y = ln cost of a window.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/records/tune.h"
#include "lib/stats/slo.h"

namespace mlq::tune {

struct Weights {  // weighted:w_l=,w_v=,w_r=,w_c=
  double latency = 1, violation = 1, resource = 0, change = 0;
};

// What `weighted` divides by: the start configuration's figures.
struct Reference {
  double latency_ns = 0;
  double cpu_ns_per_request = 0;
};

enum class ObjectiveKind { latency, min_resource, weighted };

// A value type; any thread.
class Objective {
 public:
  // `name`: latency, min-resource, weighted[:w_l=,..]. A usage Error for anything else, and for terms of the
  // SLO that a window cannot be judged by: of its statistics a window has mean, p50, p95, p99 of the latency,
  // and the one that is minimised.
  static Objective parse(std::string_view name, std::string_view slo);

  ObjectiveKind kind() const { return kind_; }
  std::string name() const;
  std::string slo() const;
  const std::vector<stats::SloTerm>& terms() const { return terms_; }  // all of the SLO
  bool is_latency() const { return kind_ == ObjectiveKind::latency; }
  // The statistic that `latency` minimises: that named first in the SLO among mean and pQ of latency; else
  // the mean. Quantile in (0, 1), or none for the mean.
  std::optional<double> quantile() const { return quantile_; }
  std::optional<Ratio> quantile_ratio() const { return ratio_; }  // the same, exactly
  // Its limit, if the SLO has one.
  std::optional<double> limit_ns() const { return limit_ns_; }
  // What makes a request of a window good (replay::is_good): the SLO's terms of each request; if it has none,
  // what its terms pQ <= X say of one request, latency <= X.
  const std::vector<stats::SloTerm>& request_terms() const { return request_terms_; }
  // The share of requests that may be not good: of `attain >= S` 1 - S, else of the first pQ <= X 1 - Q.
  std::optional<double> allowed() const { return allowed_; }
  // Without a reference, a window is its own: it is the start configuration's.
  void set_reference(const Reference& reference) { reference_ = reference; }
  const std::optional<Reference>& reference() const { return reference_; }

  // A share of failed requests that no configuration may exceed, whatever the SLO says: one constraint more,
  // unless the SLO has an error_rate of its own. Requests that fail fast make a fine latency of the rest.
  void set_most_errors(double share) { most_errors_ = share; }

  struct Value {
    std::optional<double> cost;  // none: the window does not say (a note says why)
    double y = 0;                // ln cost
    bool feasible = true;
    std::vector<double> slack;  // ln(statistic / limit) of each aggregate term, in order; <= 0: held
    std::string note;
  };
  // Uses latency_*_ns, attain, requests, ok, good_per_s, cpu_ns_per_request of the window. Where the window
  // lacks the statistic that is minimised (p90 has no field; of unanswered requests only bounds are known),
  // `stat_ns` gives it, or a bound of it (Window::stat_ns).
  // feasible: all aggregate terms hold, as figures; under min-resource, in place of those about a share
  // (pQ <= X, attain), P(share not good <= allowed) >= 0.95 for a share seen in that many requests
  // (Jeffreys' prior). `apply_s` and `window_s` are for weighted's cost of change.
  Value value(const records::WindowStats& window, std::optional<double> stat_ns = {}, double apply_s = 0,
              double window_s = 0) const;

 private:
  void read_terms();
  std::optional<double> statistic(const records::WindowStats& window, std::optional<double> stat_ns) const;
  double slack_of(const stats::SloTerm& term, const records::WindowStats& window,
                  std::optional<double> stat_ns) const;
  std::optional<double> weighted_cost(const records::WindowStats& window, double stat, double apply_s,
                                      double window_s, std::string& note) const;

  ObjectiveKind kind_ = ObjectiveKind::latency;
  Weights weights_;
  std::string name_, slo_;
  std::vector<stats::SloTerm> terms_;
  std::optional<double> quantile_;
  std::optional<Ratio> ratio_;
  std::optional<double> limit_ns_;
  std::vector<stats::SloTerm> request_terms_;
  std::optional<double> allowed_;
  std::optional<Reference> reference_;
  std::optional<double> most_errors_;
};

}  // namespace mlq::tune
