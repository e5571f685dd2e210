// Which of two configurations is better, by windows of both in alternation: what the machine does in the
// meantime hits both, and leaves their difference alone (Bulej et al., "Duet benchmarking", ICPE'20).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/records/tune.h"

namespace mlq::tune {

// What two windows next to each other gave: ln cost of each.
struct DuetPair {
  double a = 0, b = 0;
};

struct DuetVerdict {
  uint64_t pairs = 0;
  double log_ratio = 0, lo = 0, hi = 0;  // of b over a, with its 95 % Student interval
  // b against a: same (the interval lies inside +-margin), else better (below 0), worse (above 0), undecided.
  // Whether b is worse by more than the margin, which a gate asks, is lo > ln(1 + margin).
  std::string verdict = "undecided";
};

// `margin` as a share: 0.02 is 2 %. Of fewer than two pairs: undecided, with an unbounded interval. Pure.
DuetVerdict judge_duet(std::span<const DuetPair> pairs, double margin);

// Measures A and B in the order A B B A A B B A ..: a trend of the machine is the same for both. Each
// callback returns ln cost, or none for a window that says nothing, after which the pair is left out. Ends
// after `pairs` pairs that count, after twice as many tries, or when `done` says so (a signal).
std::vector<DuetPair> run_duet(uint64_t pairs, const std::function<std::optional<double>()>& measure_a,
                               const std::function<std::optional<double>()>& measure_b,
                               const std::function<bool()>& done);

// The record; an interval without bounds is written as the plain figure, and `note` says so.
records::Duet duet_record(const std::string& a, const std::string& b, const DuetVerdict& verdict);

}  // namespace mlq::tune
