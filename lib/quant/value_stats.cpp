#include "lib/quant/value_stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <numbers>

#include "kernels/sums.h"
#include "lib/base/fmath.h"
#include "lib/quant/pieces.h"
#include "lib/quant/run_works.h"
#include "lib/quant/values.h"

namespace mlq::quant {
namespace {

constexpr uint64_t kPiece = uint64_t{4} << 20;  // elements; a multiple of kSumGroup

class StatsWork final : public Work {
 public:
  using Report = std::function<void(const tensorfile::TensorInfo&, const ValueStats&)>;
  StatsWork(const tensorfile::Source& source, size_t index, const Resources& resources, const Report& report)
      : source_(source),
        index_(index),
        info_(source.tensors()[index]),
        type_(*source_float(info_.dtype)),
        resources_(resources),
        report_(report) {}

  size_t pieces() const override { return pieces_of(info_.elems, kPiece); }
  void begin() override { sums_.resize(pieces()); }

  void run(unsigned, size_t piece, Worker& worker) override {
    const Range range = piece_at(info_.elems, kPiece, piece);
    const size_t width = tensorfile::bits_per_element(info_.dtype) / 8;
    worker.input.resize(range.count * width);
    source_.read(index_, range.first * width, worker.input);
    worker.compute([&] {
      const void* values = as_values(info_.dtype, worker.input, worker.values);
      sums_[piece].resize(kernels::sum_groups(range.count));
      kernels::value_sums_simd(range.count, type_, values, sums_[piece].data());
      std::array<uint64_t, 256> counts{};
      kernels::exponent_counts(range.count, type_, values, counts.data());
      const std::lock_guard lock(mutex_);
      for (size_t i = 0; i < counts.size(); ++i) exponents_[i] += counts[i];
    });
    if (resources_.progress) resources_.progress(range.count * width);
  }

  void end() override {
    report_(info_, stats());
    sums_ = {};
  }

 private:
  ValueStats stats() const {
    ValueStats s;
    double x1 = 0, x2 = 0, x3 = 0, x4 = 0, absmax = 0;
    bool first = true;
    for (const auto& piece : sums_) {
      for (const kernels::ValueSums& group : piece) {
        x1 += group.x1;
        x2 += group.x2;
        x3 += group.x3;
        x4 += group.x4;
        s.min = first ? group.min : std::min<double>(s.min, group.min);
        s.max = first ? group.max : std::max<double>(s.max, group.max);
        absmax = std::max<double>(absmax, std::fabs(group.extreme));
        s.nan += group.nan;
        s.inf += group.inf;
        s.zero += group.zero;
        s.subnormal += group.subnormal;
        first = false;
      }
    }
    const double n = std::max<double>(static_cast<double>(info_.elems), 1);
    const double m = x1 / n, m2 = x2 / n, m3 = x3 / n, m4 = x4 / n;
    s.mean = m;
    const double variance = std::max(0.0, m2 - m * m);
    s.std = std::sqrt(variance);
    if (variance > 0)
      s.kurtosis = (m4 - 4 * m * m3 + 6 * m * m * m2 - 3 * m * m * m * m) / (variance * variance);
    if (m2 > 0) s.absmax_over_rms = absmax / std::sqrt(m2);
    for (const uint64_t count : exponents_)
      if (count > 0)
        s.exponent_entropy_bits -=
            static_cast<double>(count) / n * fmath::log(static_cast<double>(count) / n) / std::numbers::ln2;
    return s;
  }

  const tensorfile::Source& source_;
  const size_t index_;
  const tensorfile::TensorInfo& info_;
  const Float type_;
  const Resources& resources_;
  const Report& report_;
  std::vector<std::vector<kernels::ValueSums>> sums_;
  std::mutex mutex_;
  std::array<uint64_t, 256> exponents_{};
};

}  // namespace

bool value_stats(const tensorfile::Source& source, const Resources& resources,
                 const std::function<void(const tensorfile::TensorInfo&, const ValueStats&)>& report) {
  std::vector<std::unique_ptr<Work>> works;
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    const auto& info = source.tensors()[i];
    if (tensorfile::is_float_weight(info.dtype) && info.elems > 0)
      works.push_back(std::make_unique<StatsWork>(source, i, resources, report));
  }
  Turnstile none;
  return run_works(works, resources, none);
}

}  // namespace mlq::quant
