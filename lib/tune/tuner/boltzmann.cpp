#include "lib/tune/tuner/boltzmann.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "lib/base/fmath_block.h"

namespace mlq::tune {
namespace {

constexpr double kScale = 2e7;
constexpr double kMostExponent = 500;

double exponent_of(double value) { return kScale / (value >= 0 && value < 1 ? 1 : value); }

}  // namespace

BoltzmannTable::BoltzmannTable(size_t n, double value)
    : values_(n, value), exponents_(n, exponent_of(value)), weights_(n), barred_(n) {
  const size_t blocks = (n + kBlock - 1) / kBlock;
  block_sums_.resize(blocks);
  block_changed_.assign(blocks, 1);
  block_most_.assign(blocks, -std::numeric_limits<double>::infinity());
  halvings_ = -1;  // none of the weights is there yet
  settle();
}

void BoltzmannTable::set(size_t k, double value) {
  values_[k] = value;
  exponents_[k] = exponent_of(value);
  changed_.push_back(static_cast<uint32_t>(k));
  block_changed_[k / kBlock] = 1;
}

void BoltzmannTable::bar(size_t k) {
  barred_[k] = 1;
  changed_.push_back(static_cast<uint32_t>(k));
  block_changed_[k / kBlock] = 1;
}

void BoltzmannTable::settle() {
  for (size_t b = 0; b < block_changed_.size(); ++b) {
    if (block_changed_[b] == 0) continue;
    double most = -std::numeric_limits<double>::infinity();
    for (size_t k = b * kBlock; k < std::min(size(), (b + 1) * kBlock); ++k)
      if (barred_[k] == 0) most = std::max(most, exponents_[k]);
    block_most_[b] = most;
  }
  double most = *std::max_element(block_most_.begin(), block_most_.end());
  int halvings = 0;
  for (; most > kMostExponent; most /= 2) ++halvings;
  if (halvings != halvings_) {
    halvings_ = halvings;
    changed_.resize(size());
    std::iota(changed_.begin(), changed_.end(), 0u);
    std::fill(block_changed_.begin(), block_changed_.end(), uint8_t{1});
  }
  weigh(changed_);
  changed_.clear();
  for (size_t b = 0; b < block_changed_.size(); ++b)
    if (block_changed_[b] != 0) sum_block(b);
  std::fill(block_changed_.begin(), block_changed_.end(), uint8_t{0});
  total_ = std::accumulate(block_sums_.begin(), block_sums_.end(), 0.0);
}

void BoltzmannTable::weigh(const std::vector<uint32_t>& which) {
  const double scale = std::ldexp(1.0, -halvings_);
  x_.resize(which.size());
  for (size_t j = 0; j < which.size(); ++j) x_[j] = std::max(exponents_[which[j]] * scale, -700.0);
  fmath::exp_block(x_.data(), x_.data(), x_.size());
  for (size_t j = 0; j < which.size(); ++j) weights_[which[j]] = barred_[which[j]] != 0 ? 0 : x_[j];
}

void BoltzmannTable::sum_block(size_t block) {
  double sum = 0;
  for (size_t k = block * kBlock; k < std::min(size(), (block + 1) * kBlock); ++k) sum += weights_[k];
  block_sums_[block] = sum;
}

std::optional<size_t> BoltzmannTable::draw(double u) const {
  double left = u * total_;
  std::optional<size_t> block;
  for (size_t b = 0; b < block_sums_.size(); ++b) {
    if (block_sums_[b] == 0) continue;
    if (block) left -= block_sums_[*block];
    block = b;
    if (left <= block_sums_[b]) break;
  }
  if (!block) return std::nullopt;
  // Rounding may take us past the end of the block; then it is the last that can be drawn.
  std::optional<size_t> drawn;
  for (size_t k = *block * kBlock; k < std::min(size(), (*block + 1) * kBlock); ++k) {
    if (weights_[k] == 0) continue;
    drawn = k;
    left -= weights_[k];
    if (left <= 0) break;
  }
  return drawn;
}

}  // namespace mlq::tune
