// What policies would have cost, held against each other and against a budget.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/records/simigrad.h"

namespace mlq::simigrad {

// The time of a step by its batch.
class StepTime {
 public:
  // `2ms+3us*samples`: fixed time and time a sample, either may be missing; or the path of a file with lines
  // `BATCH TIME`, batches rising, between which it is linear and beyond which it goes on as at the end. Usage
  // and input Errors.
  static StepTime parse(std::string_view text);
  double ns(uint64_t batch) const;

 private:
  std::vector<std::pair<double, double>> points_;  // batch, ns; two or more
};

// `steps<=5000`, `samples<=2M`, `wall<=12h`, several with commas between: all must hold.
class Budget {
 public:
  static Budget parse(std::string_view text);
  bool holds(const records::Pareto& point) const;
  bool needs_time() const { return wall_ns_.has_value(); }

 private:
  std::optional<uint64_t> steps_, samples_;
  std::optional<int64_t> wall_ns_;
};

// Sets `dominated`: another point takes no more steps and no more samples, and fewer of one.
void mark_dominated(std::vector<records::Pareto>& points);

}  // namespace mlq::simigrad
