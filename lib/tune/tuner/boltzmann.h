// RRL's policy over a table of values (Qin et al., SC'19, as in HeyangQin/RRL): e(a) = 2 * 10^7 / Q(a), Q in
// microseconds; all e are halved until none is over 500; a is drawn with weight exp(e(a)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mlq::tune {

// Weights are computed anew only for what was set, or for all if the number of halvings changed. They lie
// hundreds of decades apart, so sums are never corrected by differences (as in a Fenwick tree), which would
// leave the rounding error of the largest behind: those of the blocks that changed are added up anew.
// Not thread-safe.
class BoltzmannTable {
 public:
  BoltzmannTable(size_t n, double value);

  size_t size() const { return values_.size(); }
  double value(size_t k) const { return values_[k]; }
  // Takes effect with settle(). Values from 0 to 1 count as 1; negative ones, which an estimator may come to,
  // have a weight of nearly 0.
  void set(size_t k, double value);
  // Is not drawn any more.
  void bar(size_t k);
  void settle();

  int halvings() const { return halvings_; }
  double weight(size_t k) const { return weights_[k]; }
  double total() const { return total_; }
  // The first k at which the sum of the weights reaches u of the total, 0 < u < 1; none if all are barred.
  std::optional<size_t> draw(double u) const;

 private:
  static constexpr size_t kBlock = 64;

  void weigh(const std::vector<uint32_t>& which);
  void sum_block(size_t block);

  std::vector<double> values_, exponents_, weights_;
  std::vector<double> block_sums_, block_most_;  // of weights and exponents
  std::vector<uint8_t> barred_, block_changed_;
  std::vector<uint32_t> changed_;
  std::vector<double> x_;  // exponents on their way to weights
  int halvings_ = 0;
  double total_ = 0;
};

}  // namespace mlq::tune
