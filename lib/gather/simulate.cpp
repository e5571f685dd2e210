#include "lib/gather/simulate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/block_math.h"
#include "kernels/cast.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/gather/dither.h"
#include "lib/gather/part.h"

namespace mlq::gather {
namespace {

using kernels::Grid;

// Sums of a - b and of its square, in fp64.
struct Distance {
  double sum = 0, square = 0;
};
Distance distance(std::span<const float> a, std::span<const float> b) {
  Distance out;
  for (size_t i = 0; i < a.size(); ++i) {
    const double e = static_cast<double>(a[i]) - b[i];
    out.sum += e;
    out.square += e * e;
  }
  return out;
}
double energy(std::span<const float> a) {
  double sum = 0;
  for (const float x : a) sum += static_cast<double>(x) * x;
  return sum;
}

class RandomWalk final : public WeightWalk {
 public:
  RandomWalk(std::vector<float> start, uint64_t steps, const Moves& moves, uint64_t seed)
      : weights_(std::move(start)),
        velocity_(weights_.size()),
        steps_(steps),
        rho_(moves.rho),
        random_(seed, Purpose::weight_update) {
    const double rms =
        weights_.empty() ? 0 : std::sqrt(energy(weights_) / static_cast<double>(weights_.size()));
    spread_ = moves.update * rms;
    drift_ = moves.drift * rms;
  }
  uint64_t elems() const override { return weights_.size(); }
  uint64_t steps() const override { return steps_; }
  std::span<const float> next() override {
    if (step_++ > 0 && (spread_ > 0 || drift_ != 0)) move();
    return weights_;
  }

 private:
  void move() {
    const auto draw = static_cast<uint32_t>(step_);
    const double fresh = step_ == 2 ? 1 : std::sqrt(1 - rho_ * rho_);
    for (size_t i = 0; i < weights_.size(); i += 2) {
      const UniformPair u = random_.uniforms(i / 2, draw);
      const double radius = std::sqrt(-2 * fmath::log(u.a)), angle = 2 * std::numbers::pi * u.b;
      push(i, fresh * radius * fmath::cos(angle));
      if (i + 1 < weights_.size()) push(i + 1, fresh * radius * fmath::sin(angle));
    }
  }
  void push(size_t i, double noise) {
    velocity_[i] = static_cast<float>(rho_ * velocity_[i] + noise);
    weights_[i] = static_cast<float>(weights_[i] + spread_ * velocity_[i] + drift_);
  }

  std::vector<float> weights_, velocity_;
  uint64_t steps_, step_ = 0;
  double rho_, spread_ = 0, drift_ = 0;
  RandomStream random_;
};

class GivenWalk final : public WeightWalk {
 public:
  explicit GivenWalk(std::vector<std::vector<float>> weights) : weights_(std::move(weights)) {}
  uint64_t elems() const override { return weights_.front().size(); }
  uint64_t steps() const override { return weights_.size(); }
  std::span<const float> next() override { return weights_[step_++]; }

 private:
  std::vector<std::vector<float>> weights_;
  size_t step_ = 0;
};

Settings settings_of(Rule rule, unsigned bits, uint64_t block, const SimulateOptions& options) {
  constexpr Cancel kCancels[] = {Cancel::none, Cancel::dither, Cancel::dither, Cancel::residual,
                                 Cancel::delta};
  Settings settings = default_settings(kCancels[static_cast<int>(rule)], bits);
  if (options.grid) settings.grid = *options.grid;
  settings.block = block;
  settings.scale = options.scale;
  settings.state = options.state;
  settings.seed = options.seed;
  if (rule == Rule::dither) settings.strata = options.strata;
  if (rule == Rule::residual) settings.residual_type = options.residual_type;
  validate(settings);
  return settings;
}

// One sender and what its receivers hold, over a sequence of weights.
class Line {
 public:
  Line(Rule rule, const Settings& settings, uint64_t elems)
      : rule_(rule), settings_(settings), part_{elems, Float::f32, 0, 0}, held_f32_(elems), sum_(elems) {
    const size_t bytes = elems * size_of(settings.state);
    held_.resize(bytes);
    next_.resize(bytes);
    const Frame widest{0, true, true};
    codes_.resize(std::max({code_bytes(settings, {}, elems), code_bytes(settings, {0, true}, elems),
                            code_bytes(settings, widest, elems)}));
    scales_.resize(scale_bytes(settings, {}, elems));
    if (settings.cancel == Cancel::residual) {
      residual_.resize(residual_bytes(settings, elems));
      next_residual_.resize(residual_.size());
    }
  }

  // The errors of this gather.
  Distance gather(uint64_t step, std::span<const float> w) {
    const Frame frame{step, step == 0 && settings_.cancel == Cancel::delta, false};
    PartCounts counts;
    for (uint64_t i = 0; i < pieces_of(part_.elems); ++i) {
      const PieceRange piece = piece_at(part_.elems, i);
      if (rule_ == Rule::stochastic) {
        round_stochastically(step, piece, w);
      } else {
        encode_piece(settings_, part_, frame, piece, w.data(), held_.data(), next_.data(), residual_.data(),
                     next_residual_.data(), codes_.data(), scales_.data(), counts);
      }
    }
    if (rule_ != Rule::stochastic) {
      held_.swap(next_);
      residual_.swap(next_residual_);
    }
    uint64_t saturated = 0;
    kernels::cast_simd(part_.elems, settings_.state, held_.data(), Float::f32, held_f32_.data(), &saturated);
    for (uint64_t i = 0; i < part_.elems; ++i) sum_[i] += held_f32_[i];
    return distance(held_f32_, w);
  }

  // Of the mean so far over `steps` gathers, against the sum of the weights.
  double mean_error(uint64_t steps, std::span<const double> weights) const {
    double total = 0;
    for (size_t i = 0; i < sum_.size(); ++i) {
      const double e = (sum_[i] - weights[i]) / static_cast<double>(steps);
      total += e * e;
    }
    return total;
  }

  // The mean square of the distance of neighbouring values, from the scales of the last gather.
  double mean_square_step() const {
    double total = 0;
    const uint64_t blocks = (part_.elems + settings_.block - 1) / settings_.block;
    for (uint64_t b = 0; b < blocks; ++b) {
      const double s = kernels::load(settings_.scale, scales_.data(), b);
      const uint64_t size = std::min(settings_.block, part_.elems - b * settings_.block);
      total += s * s * static_cast<double>(size);
    }
    return total / static_cast<double>(part_.elems);
  }

  const Settings& settings() const { return settings_; }
  Rule rule() const { return rule_; }

 private:
  // Offsets that are added and not taken away.
  void round_stochastically(uint64_t step, const PieceRange& piece, std::span<const float> w) {
    const kernels::BlockIntSpec spec = spec_of(settings_, {});
    const kernels::BlockLayout layout{1, piece.count, settings_.block};
    const kernels::DitherKey key = dither_key(settings_.seed, 0, step, 1);
    kernels::EncodeCounts counts;
    uint64_t saturated = 0;
    uint8_t* const codes = codes_.data() + piece.first * spec.bits / 8;
    uint8_t* const scales = scales_.data() + piece.first / settings_.block * size_of(spec.scale);
    kernels::dither_encode_simd(spec, layout, key, piece.first, Float::f32, w.data() + piece.first, codes,
                                scales, &counts);
    kernels::block_int_decode_simd(spec, layout, codes, scales, settings_.state,
                                   held_.data() + piece.first * size_of(settings_.state), &saturated);
  }

  Rule rule_;
  Settings settings_;
  Part part_;
  std::vector<uint8_t> held_, next_, codes_, scales_, residual_, next_residual_;
  std::vector<float> held_f32_;
  std::vector<double> sum_;
};

// Relative error of rounding to the state's type.
double rounding_error(Float type, std::span<const float> w, double weight_energy) {
  if (type == Float::f32 || weight_energy == 0) return 0;
  std::vector<float> rounded(w.size());
  for (size_t i = 0; i < w.size(); ++i) rounded[i] = kernels::rounded_to(type, w[i]);
  return std::sqrt(distance(rounded, w).square / weight_energy);
}

// Relative error of the block quantiser on normal values: what an update is like.
double quantiser_error(const Settings& settings) {
  constexpr uint64_t kElems = uint64_t{1} << 17;
  const auto walk = random_walk(std::vector<float>(kElems, 1.0f), 2, {.update = 1}, 7);
  walk->next();
  std::vector<float> x(walk->next().begin(), walk->next().end());
  for (float& v : x) v -= 1;
  Settings direct = settings;
  direct.cancel = Cancel::none;
  direct.state = Float::f32;
  Line line(Rule::none, direct, kElems);
  return std::sqrt(line.gather(0, x).square / energy(x));
}

double predicted(const Line& line, std::span<const float> w, double weight_energy, double update_ratio) {
  const double rounding = rounding_error(line.settings().state, w, weight_energy);
  const double mean_square = weight_energy / static_cast<double>(w.size());
  const double uniform = line.mean_square_step() / 12 / mean_square;
  double square = 0;
  switch (line.rule()) {
    case Rule::none:
    case Rule::dither:
      square = uniform;
      break;
    case Rule::stochastic:
    case Rule::residual:
      square = 2 * uniform;
      break;
    case Rule::delta: {
      const double c = std::min(quantiser_error(line.settings()), 0.999), c2 = c * c;
      square = c2 * update_ratio * update_ratio / (1 - c2);
      break;
    }
  }
  return std::sqrt(square + rounding * rounding);
}

// Errors of the steps by quarters.
class Quarters {
 public:
  explicit Quarters(uint64_t steps) : steps_(steps) {}
  void add(uint64_t step, const Distance& errors) {
    const uint64_t quarter = step * 4 / steps_;
    if (quarter < 2) return;
    sums_[quarter - 2] += errors.square;
    ++counts_[quarter - 2];
    if (quarter == 3) bias_ += errors.sum;
  }
  double last_bias() const { return counts_[1] == 0 ? 0 : bias_ / static_cast<double>(counts_[1]); }
  double last() const { return mean(1); }
  bool grow() const { return counts_[0] > 0 && mean(1) > 1.21 * mean(0); }  // squares

 private:
  double mean(int i) const { return counts_[i] == 0 ? 0 : sums_[i] / static_cast<double>(counts_[i]); }
  uint64_t steps_, counts_[2] = {};
  double sums_[2] = {}, bias_ = 0;
};

}  // namespace

std::string_view name_of(Rule rule) {
  constexpr std::string_view kNames[] = {"none", "stochastic", "dither", "residual", "delta"};
  return kNames[static_cast<int>(rule)];
}

Rule parse_rule(std::string_view text) {
  for (const Rule rule : {Rule::none, Rule::stochastic, Rule::dither, Rule::residual, Rule::delta})
    if (text == name_of(rule)) return rule;
  throw usage_error("\"{}\" must be none, stochastic, dither, residual or delta", text);
}

std::unique_ptr<WeightWalk> random_walk(std::vector<float> start, uint64_t steps, const Moves& moves,
                                        uint64_t seed) {
  return std::make_unique<RandomWalk>(std::move(start), steps, moves, seed);
}

std::unique_ptr<WeightWalk> given_walk(std::vector<std::vector<float>> weights) {
  return std::make_unique<GivenWalk>(std::move(weights));
}

std::vector<Simulated> simulate(WeightWalk& walk, const SimulateOptions& options) {
  std::vector<Line> lines;
  for (const Rule rule : options.rules)
    for (const unsigned bits : options.bits)
      for (const uint64_t block : options.blocks)
        lines.emplace_back(rule, settings_of(rule, bits, block, options), walk.elems());
  std::vector<Quarters> errors(lines.size(), Quarters(walk.steps()));
  std::vector<double> weights(walk.elems());
  std::vector<float> last, w;
  double updates = 0;
  for (uint64_t step = 0; step < walk.steps(); ++step) {
    if (options.stop != nullptr && *options.stop) return {};
    const auto now = walk.next();
    last.swap(w);
    w.assign(now.begin(), now.end());
    if (step > 0) updates += distance(w, last).square;
    for (size_t i = 0; i < w.size(); ++i) weights[i] += w[i];
    for (size_t k = 0; k < lines.size(); ++k) errors[k].add(step, lines[k].gather(step, w));
  }
  const double weight_energy = energy(w), steps = static_cast<double>(walk.steps());
  const double update_ratio =
      walk.steps() < 2 || weight_energy == 0 ? 0 : std::sqrt(updates / (steps - 1) / weight_energy);
  std::vector<Simulated> out;
  for (size_t k = 0; k < lines.size(); ++k) {
    Simulated result{lines[k].rule(), lines[k].settings(), walk.elems(), walk.steps()};
    const auto relative = [&](double square) {
      return weight_energy == 0 ? 0 : std::sqrt(square / weight_energy);
    };
    result.update_ratio = update_ratio;
    result.inst_rel_rmse = relative(errors[k].last());
    result.mean_rel_rmse = relative(lines[k].mean_error(walk.steps(), weights));
    result.predicted_rel_rmse = weight_energy == 0 ? 0 : predicted(lines[k], w, weight_energy, update_ratio);
    const double rms = std::sqrt(weight_energy / static_cast<double>(walk.elems()));
    result.rel_bias = rms == 0 ? 0 : errors[k].last_bias() / static_cast<double>(walk.elems()) / rms;
    result.grows = errors[k].grow();
    result.safe = result.inst_rel_rmse <= options.tolerance && !result.grows;
    out.push_back(result);
  }
  return out;
}

}  // namespace mlq::gather
