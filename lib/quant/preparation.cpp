#include "lib/quant/preparation.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/nvfp4.h"
#include "lib/quant/nested_scale.h"

namespace mlq::quant {
namespace {

using kernels::ErrorSums;
using kernels::ValueSums;

constexpr double kWideAbove = 0.02;  // share of escapes from which two-byte codes are smaller
constexpr int kMostTrials = 40;
constexpr unsigned kMostMeasuredPasses = 6;
// A step whose reciprocal is a normal number, as the kernel asks.
constexpr double kSmallestStep = 0x1p-126, kLargestStep = 0x1p125;

bool one_scale(const Spec& spec) {
  return spec.block_kind == BlockKind::tensor &&
         (is_block_int(spec.format) || spec.format == Format::fp8e4m3);
}

float clamped_step(double step) { return static_cast<float>(std::clamp(step, kSmallestStep, kLargestStep)); }

struct Energy {
  double signal = 0, noise = 0;
};

void add(Energy& energy, const std::vector<ErrorSums>& groups) {
  for (const ErrorSums& g : groups) {
    energy.signal += g.x2;
    energy.noise += g.e2;
  }
}

// What a step gives: signal-to-noise in dB, and the share of elements beyond a one-byte code.
struct StepTrial {
  double snr_db = 0;
  double escape_share = 0;
};

// Codes, decodes and compares, a tile at a time so that all of it stays in the cache.
class StepTester {
 public:
  // Error sums of every group of `x`, and how many elements escape.
  std::vector<ErrorSums> errors(float step, bool wide, Float source, const void* x, uint64_t elems) {
    escapes_ = 0;
    std::vector<ErrorSums> sums(kernels::sum_groups(elems));
    const auto* values = static_cast<const std::byte*>(x);
    for (uint64_t at = 0; at < elems; at += kTile) {
      const uint64_t count = std::min(kTile, elems - at);
      const std::byte* tile = values + at * size_of(source);
      uint8_t* high = wide ? high_.data() : nullptr;
      kernels::EncodeCounts counts;
      escapes_ +=
          kernels::ec_encode_simd(step, count, source, tile, low_.data(), high, escaped_.data(), &counts);
      uint64_t saturated = 0;
      kernels::ec_decode_simd(step, count, low_.data(), high, source, escaped_.data(), source,
                              decoded_.data(), &saturated);
      kernels::error_sums_simd(count, source, tile, source, decoded_.data(),
                               sums.data() + at / kernels::kSumGroup);
    }
    return sums;
  }
  StepTrial trial(float step, bool wide, Float source, const void* x, uint64_t elems) {
    Energy energy;
    add(energy, errors(step, wide, source, x, elems));
    const double share = elems == 0 ? 0 : static_cast<double>(escapes_) / static_cast<double>(elems);
    return {snr_db_of(energy.signal, energy.noise), share};
  }

 private:
  static constexpr uint64_t kTile = 16 * kernels::kSumGroup;
  uint64_t escapes_ = 0;
  std::vector<uint8_t> low_ = std::vector<uint8_t>(kTile), high_ = low_;
  std::vector<uint8_t> escaped_ = std::vector<uint8_t>(kTile * sizeof(float)), decoded_ = escaped_;
};

// Steps that have been tried, and between which the one that is wanted lies.
struct Bracket {
  double good = 0;  // the largest step that meets the ratio; 0: none so far
  double bad = std::numeric_limits<double>::infinity();  // the smallest that does not

  // `next` if it lies between them, else what halves the distance.
  double within(double next) const {
    if (good == 0 && std::isinf(bad)) return next;
    if (good == 0) return next < bad ? next : bad / 2;
    if (std::isinf(bad)) return next > good ? next : good * 2;
    return next > good && next < bad ? next : std::sqrt(good * bad);
  }
  bool narrow() const { return good > 0 && bad / good < 1.0001; }
};

// A step that gives `snr_db` to kSnrSlackDb above it; where there is none (values that the type rounds back
// to themselves from some step on), the largest found that gives more. Starts from the law of uniform noise.
float step_for_snr(Float source, const void* x, uint64_t elems, double snr_db, double rms) {
  StepTester tester;
  const double wanted = snr_db + kSnrSlackDb / 2;
  Bracket bracket;
  bool wide = false;
  double step = rms * std::sqrt(12.0) * amplitude_of_db(-snr_db);
  for (int i = 0; i < kMostTrials && !bracket.narrow(); ++i) {
    const StepTrial trial = tester.trial(clamped_step(step), wide, source, x, elems);
    if (!wide && trial.escape_share > kWideAbove) {
      wide = true;
      continue;
    }
    if (trial.snr_db >= snr_db)
      bracket.good = std::max(bracket.good, step);
    else
      bracket.bad = std::min(bracket.bad, step);
    if (trial.snr_db >= snr_db + kSnrSlackDb / 10 && trial.snr_db <= snr_db + kSnrSlackDb * 0.9) break;
    // By the law, 20 dB a factor of ten; not too far where it does not hold.
    const double factor = amplitude_of_db(std::clamp(trial.snr_db - wanted, -10.0, 10.0));
    step = bracket.within(step * factor);
  }
  return clamped_step(bracket.good > 0 ? bracket.good : step);
}

}  // namespace

struct Preparation::State {
  Coding coding;
  ErrorBudget budget;
  unsigned passes = 0;
  kernels::EncodeCounts counts;
  std::vector<std::vector<ValueSums>> values;   // by piece
  std::vector<std::vector<float>> absmax;       // by piece
  std::vector<std::vector<std::byte>> samples;  // by piece
  std::vector<std::vector<ErrorSums>> errors;   // by piece
  std::vector<std::byte> sample;
  double rms = 0;
  Bracket bracket;  // of the steps that were tried on all of the tensor

  bool ec() const { return coding.spec.format == Format::ec; }
  uint64_t elems() const { return coding.shape.elems(); }
  uint64_t stride() const { return sample_stride(elems()); }
  uint64_t sample_elems() const { return sample.size() / size_of(coding.source); }

  void take_sample(size_t piece, const Range& range, const void* x) {
    const size_t width = size_of(coding.source);
    const uint64_t step = stride();
    auto& out = samples[piece];
    out.clear();
    for (uint64_t i = (range.first + step - 1) / step * step; i < range.first + range.count; i += step) {
      const auto* from = static_cast<const std::byte*>(x) + (i - range.first) * width;
      out.insert(out.end(), from, from + width);
    }
  }

  void settle_values() {
    float extreme = 0;
    double energy = 0;
    for (const auto& piece : values) {
      for (const ValueSums& sums : piece) {
        if (std::fabs(sums.extreme) > std::fabs(extreme)) extreme = sums.extreme;
        energy += sums.x2;
      }
    }
    rms = elems() == 0 ? 0 : std::sqrt(energy / static_cast<double>(elems()));
    const Spec& spec = coding.spec;
    if (spec.format == Format::nvfp4) {
      coding.scale = kernels::nvfp4_factor(spec.four_or_six, std::fabs(extreme));
    } else if (spec.format == Format::fp8e4m3) {
      coding.scale = kernels::float8_scale({kernels::Float8::e4m3, spec.scale}, std::fabs(extreme), &counts);
    } else if (is_block_int(spec.format)) {
      coding.scale = kernels::block_int_scale(
          {format_info(spec.format).code_bits, spec.grid, spec.scale, spec.positive_scales}, extreme,
          &counts);
    }
  }

  void settle_nested() {
    std::vector<float> all;
    for (const auto& piece : absmax) all.insert(all.end(), piece.begin(), piece.end());
    NestedScales nested = nested_encode(all);
    coding.nested_offset = nested.offset;
    coding.nested_codes = std::move(nested.codes);
    coding.nested_absmax = std::move(nested.absmax);
    coding.absmax = nested_decode(coding.nested_codes, coding.nested_absmax, coding.nested_offset);
  }

  void settle_step() {
    for (const auto& piece : samples) sample.insert(sample.end(), piece.begin(), piece.end());
    samples.clear();
    if (rms == 0) {
      coding.step = 1;  // zeros need none; every code is that of 0
      return;
    }
    if (coding.spec.step > 0) {
      coding.step = clamped_step(coding.spec.step);
    } else {
      coding.step = step_for_snr(coding.source, sample.data(), sample_elems(), wanted_snr_db(), rms);
      if (stride() > 1) passes = 2;
    }
    choose_width();
  }

  // What the budget asks of this tensor. An error as large as the values themselves is met by zeros.
  double wanted_snr_db() const {
    if (budget.snr_db) return *budget.snr_db;
    return std::max(0.0, 2 * snr_db_of(rms, budget.rmse.value_or(rms)));
  }

  void choose_width() {
    coding.wide =
        StepTester().trial(coding.step, false, coding.source, sample.data(), sample_elems()).escape_share >
        kWideAbove;
  }

  // The step on all of the tensor: another, and another pass, if it misses.
  void settle_error() {
    Energy energy;
    for (const auto& piece : errors) add(energy, piece);
    const double snr = snr_db_of(energy.signal, energy.noise), wanted = wanted_snr_db();
    if (snr >= wanted && snr <= wanted + kSnrSlackDb) return;
    if (snr >= wanted)
      bracket.good = std::max<double>(bracket.good, coding.step);
    else
      bracket.bad = std::min<double>(bracket.bad, coding.step);
    const double factor = amplitude_of_db(std::clamp(snr - wanted - kSnrSlackDb / 2, -10.0, 10.0));
    if (passes <= kMostMeasuredPasses) {
      ++passes;
      coding.step = clamped_step(bracket.within(coding.step * factor));
    } else if (bracket.good > 0) {
      coding.step = clamped_step(bracket.good);
    }
    choose_width();
  }
};

Preparation::Preparation(const Spec& spec, Float source, const Shape2d& shape, const ErrorBudget& budget,
                         size_t pieces)
    : state_(std::make_unique<State>()) {
  state_->coding.spec = spec;
  state_->coding.source = source;
  state_->coding.shape = shape;
  state_->budget = budget;
  const bool needed =
      one_scale(spec) || spec.format == Format::nvfp4 || spec.format == Format::ec || spec.double_quant;
  state_->passes = needed ? 1 : 0;
  state_->values.resize(pieces);
  state_->absmax.resize(pieces);
  state_->samples.resize(pieces);
  state_->errors.resize(pieces);
}
Preparation::~Preparation() = default;
Preparation::Preparation(Preparation&&) noexcept = default;

unsigned Preparation::passes() const { return state_->passes; }
const Coding& Preparation::coding() const { return state_->coding; }
const kernels::EncodeCounts& Preparation::counts() const { return state_->counts; }

void Preparation::collect(unsigned pass, size_t piece, const Range& range, const void* x) {
  State& s = *state_;
  if (pass >= 1) {
    s.errors[piece] = StepTester().errors(s.coding.step, s.coding.wide, s.coding.source, x, range.count);
    return;
  }
  if (s.coding.spec.double_quant) {
    Piece out;
    kernels::EncodeCounts counts;
    encode_piece(s.coding, range, x, out, counts);
    s.absmax[piece].resize(out.scales.size() / sizeof(float));
    std::memcpy(s.absmax[piece].data(), out.scales.data(), out.scales.size());
    return;
  }
  s.values[piece].resize(kernels::sum_groups(range.count));
  kernels::value_sums_simd(range.count, s.coding.source, x, s.values[piece].data());
  if (s.ec()) s.take_sample(piece, range, x);
}

void Preparation::end_pass(unsigned pass) {
  State& s = *state_;
  if (pass >= 1) return s.settle_error();
  if (s.coding.spec.double_quant) return s.settle_nested();
  s.settle_values();
  s.values.clear();
  if (s.ec()) s.settle_step();
}

}  // namespace mlq::quant
