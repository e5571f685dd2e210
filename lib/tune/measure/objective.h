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
  // SLO that a window cannot be judged by.
  static Objective parse(std::string_view name, std::string_view slo);

  ObjectiveKind kind() const { return kind_; }
  std::string name() const;
  std::string slo() const;
  const std::vector<stats::SloTerm>& terms() const { return terms_; }  // all of the SLO
  bool is_latency() const { return kind_ == ObjectiveKind::latency; }
  // The statistic that `latency` minimises: that named first in the SLO among mean and pQ of latency; else
  // the mean. Quantile in (0, 1), or none for the mean.
  std::optional<double> quantile() const { return quantile_; }
  // Its limit, if the SLO has one.
  std::optional<double> limit_ns() const { return limit_ns_; }
  void set_reference(const Reference& reference) { reference_ = reference; }
  const std::optional<Reference>& reference() const { return reference_; }

  struct Value {
    std::optional<double> cost;  // none: the window does not say (a note says why)
    double y = 0;                // ln cost
    bool feasible = true;
    std::vector<double> slack;  // ln(statistic / limit) of each aggregate term, in order; <= 0: held
    std::string note;
  };
  // Uses latency_*_ns, attain, errors, good_per_s, cpu_ns_per_request of the window. For a quantile that the
  // window has no field for (p90), `stat_ns` gives it (Window::stat_ns).
  // `apply_s` and `window_s` are for weighted's cost of change.
  Value value(const records::WindowStats& window, std::optional<double> stat_ns = {}, double apply_s = 0,
              double window_s = 0) const;

 private:
  ObjectiveKind kind_ = ObjectiveKind::latency;
  Weights weights_;
  std::string name_, slo_;
  std::vector<stats::SloTerm> terms_;
  std::optional<double> quantile_;
  std::optional<double> limit_ns_;
  std::optional<Reference> reference_;
};

}  // namespace mlq::tune
