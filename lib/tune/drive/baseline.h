// How much the machine itself wavers, and what is taken off for it: the start configuration is measured again
// now and then, and y <- y - (local baseline - its median).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/records/tune.h"
#include "lib/tune/learn/history.h"

namespace mlq::tune {

// Not thread-safe.
class Baselines {
 public:
  static constexpr size_t kFirst = 3;       // windows from which the need is judged
  static constexpr uint64_t kEvery = 4;     // trials from one to the next, where there is need
  static constexpr double kMostSpread = 2;  // of the variance that the windows themselves say

  // A window of the start configuration; one without y is passed over, but counts as tried.
  void add(const records::Trial& trial);
  bool needs_more() const { return tried_ < kFirst; }
  // `wanted`: every so many trials; none: kEvery if the first windows spread more than kMostSpread times what
  // they say of themselves, else never.
  void decide(std::optional<uint64_t> wanted);
  bool decided() const { return every_.has_value(); }
  uint64_t every() const { return every_.value_or(0); }  // 0: never
  std::string text() const;
  // Takes the machine's state off y of trial and row, if a baseline of the same level is known; sets
  // baseline_ratio.
  void correct(records::Trial& trial, Observation& row) const;

 private:
  std::map<std::string, std::vector<double>> by_level_;
  std::vector<double> variances_;
  size_t tried_ = 0;
  std::optional<uint64_t> every_;
  double spread_ = 0;
};

}  // namespace mlq::tune
