#include "lib/tune/drive/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

}  // namespace

void Baselines::add(const records::Trial& trial) {
  ++tried_;
  if (!trial.y || trial.outcome != "ok") return;
  by_level_[trial.level].push_back(*trial.y);
  if (trial.y_var) variances_.push_back(*trial.y_var);
}

void Baselines::decide(std::optional<uint64_t> wanted) {
  if (wanted) {
    every_ = *wanted;
    return;
  }
  every_ = 0;
  // Windows of several levels differ for another reason: the level with the most decides.
  const std::vector<double>* most = nullptr;
  for (const auto& [level, values] : by_level_)
    if (most == nullptr || values.size() > most->size()) most = &values;
  if (most == nullptr || most->size() < 2 || variances_.empty()) return;
  const double sd = stats::mean_interval(*most).sd;
  const double own = stats::mean_interval(variances_).mean;
  if (!(own > 0)) return;
  spread_ = sd * sd / own;
  if (spread_ > kMostSpread) every_ = kEvery;
}

std::string Baselines::text() const {
  if (spread_ > 0) {
    return fmt::format(
        "windows of one configuration spread {:.1f} times what each says of itself: the start configuration "
        "is "
        "measured again every {} trials, and the difference taken off (--baseline)",
        spread_, every());
  }
  return fmt::format("the start configuration is measured again every {} trials", every());
}

void Baselines::correct(records::Trial& trial, Observation& row) const {
  if (every() == 0) return;
  const auto known = by_level_.find(trial.level);
  if (known == by_level_.end() || known->second.size() < 2) return;
  const double off = known->second.back() - median(known->second);
  trial.baseline_ratio = fmath::exp(off);
  row.y -= off;
  if (trial.y) *trial.y -= off;
}

}  // namespace mlq::tune
