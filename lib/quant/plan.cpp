#include "lib/quant/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/quant/run_works.h"
#include "lib/quant/sample.h"

namespace mlq::quant {
namespace {

using tensorfile::Source;
using tensorfile::TensorInfo;

constexpr double kFirstDb = 6, kSpacingDb = 3;
constexpr int kSteps = 12;
constexpr int kBetween = 12;  // candidates of ec between two that were measured
constexpr int kBisections = 200;

// Indices of the points on the lower convex hull, from the fewest bits on; error falls along it.
std::vector<size_t> lower_hull(const std::vector<Point>& points) {
  std::vector<size_t> order(points.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(points[a].bits, points[a].error) < std::pair(points[b].bits, points[b].error);
  });
  std::vector<size_t> hull;
  for (const size_t i : order) {
    if (!hull.empty() && points[i].error >= points[hull.back()].error) continue;
    while (hull.size() >= 2) {
      const Point& a = points[hull[hull.size() - 2]];
      const Point& b = points[hull.back()];
      const Point& c = points[i];
      if ((b.error - a.error) * (c.bits - a.bits) < (c.error - a.error) * (b.bits - a.bits)) break;
      hull.pop_back();
    }
    hull.push_back(i);
  }
  return hull;
}

// Of each tensor its hull, and where on it the choice stands.
class Allocation {
 public:
  explicit Allocation(std::span<const std::vector<Point>> tensors) : tensors_(tensors) {
    for (const auto& points : tensors) hulls_.push_back(lower_hull(points));
    at_.resize(tensors.size(), 0);
  }

  // The best of each for that price of a bit.
  void choose(double slope) {
    for (size_t t = 0; t < hulls_.size(); ++t) {
      at_[t] = 0;
      while (at_[t] + 1 < hulls_[t].size() && gain(t) > slope) ++at_[t];
    }
  }
  double bits() const { return sum(&Point::bits); }
  double error() const { return sum(&Point::error); }

  // Steps that still fit into `limit` bits, those that gain most a bit first.
  void fill(double limit) {
    for (;;) {
      size_t best = hulls_.size();
      for (size_t t = 0; t < hulls_.size(); ++t) {
        if (at_[t] + 1 >= hulls_[t].size() || bits() + step_bits(t) > limit) continue;
        if (best == hulls_.size() || gain(t) > gain(best)) best = t;
      }
      if (best == hulls_.size()) return;
      ++at_[best];
    }
  }
  // Steps back that still keep the error below `limit`, those that save most bits an error first.
  void shrink(double limit) {
    for (;;) {
      size_t best = hulls_.size();
      for (size_t t = 0; t < hulls_.size(); ++t) {
        if (at_[t] == 0 || error() + step_back_error(t) > limit) continue;
        if (best == hulls_.size() || gain_back(t) < gain_back(best)) best = t;
      }
      if (best == hulls_.size()) return;
      --at_[best];
    }
  }

  std::vector<size_t> chosen() const {
    std::vector<size_t> result;
    for (size_t t = 0; t < hulls_.size(); ++t) result.push_back(hulls_[t][at_[t]]);
    return result;
  }

 private:
  const Point& point(size_t t, size_t at) const { return tensors_[t][hulls_[t][at]]; }
  double step_bits(size_t t) const { return point(t, at_[t] + 1).bits - point(t, at_[t]).bits; }
  // Error that the next step saves, a bit.
  double gain(size_t t) const { return (point(t, at_[t]).error - point(t, at_[t] + 1).error) / step_bits(t); }
  double step_back_error(size_t t) const { return point(t, at_[t] - 1).error - point(t, at_[t]).error; }
  double gain_back(size_t t) const {
    return step_back_error(t) / (point(t, at_[t]).bits - point(t, at_[t] - 1).bits);
  }
  double sum(double Point::*member) const {
    double total = 0;
    for (size_t t = 0; t < hulls_.size(); ++t) total += point(t, at_[t]).*member;
    return total;
  }

  std::span<const std::vector<Point>> tensors_;
  std::vector<std::vector<size_t>> hulls_;
  std::vector<size_t> at_;
};

// Between measured steps bits change evenly with the logarithms of step and error.
std::vector<Candidate> interpolated(const std::vector<Candidate>& measured) {
  std::vector<Candidate> all;
  for (size_t i = 0; i < measured.size(); ++i) {
    all.push_back(measured[i]);
    if (i + 1 == measured.size() || measured[i].noise <= 0 || measured[i + 1].noise <= 0) continue;
    for (int k = 1; k < kBetween; ++k) {
      const double share = static_cast<double>(k) / kBetween;
      const auto power = [&](double a, double b) { return a * fmath::pow(b / a, share); };
      Candidate between = measured[i];
      between.spec.step = power(measured[i].spec.step, measured[i + 1].spec.step);
      between.noise = power(measured[i].noise, measured[i + 1].noise);
      between.bits_per_weight += share * (measured[i + 1].bits_per_weight - measured[i].bits_per_weight);
      all.push_back(between);
    }
  }
  return all;
}

std::vector<Spec> candidate_specs(const std::vector<Format>& formats) {
  std::vector<Spec> specs;
  for (const Format format : formats) {
    if (format == Format::ec) continue;
    if (!is_block_int(format)) {
      specs.push_back(default_spec(format));
      continue;
    }
    for (const uint64_t block : {32, 64, 128}) {
      for (const kernels::Grid grid : {kernels::Grid::absmax, kernels::Grid::sign, kernels::Grid::mse}) {
        Spec spec = default_spec(format);
        spec.block = block;
        spec.grid = grid;
        specs.push_back(spec);
      }
    }
  }
  return specs;
}

// What was measured of a tensor.
struct Measured {
  std::vector<Candidate> candidates;
  double energy = 0;
  uint64_t sample_elems = 0;
};

class MeasuringWork final : public Work {
 public:
  MeasuringWork(const Source& source, size_t index, const std::vector<Format>& formats, Measured& out,
                const Resources& resources)
      : source_(source), index_(index), formats_(formats), out_(out), resources_(resources) {}

  size_t pieces() const override { return 1; }
  void run(unsigned, size_t, Worker& worker) override {
    const Sample sample = take_sample(source_, index_, worker);
    worker.compute([&] { measure(sample, worker); });
    if (resources_.progress) resources_.progress(source_.tensors()[index_].size_bytes);
  }

 private:
  void measure(const Sample& sample, Worker& worker) {
    out_.sample_elems = sample.elems;
    out_.energy = sample.energy;
    const bool ec = std::find(formats_.begin(), formats_.end(), Format::ec) != formats_.end();
    if (ec) out_.candidates = interpolated(try_steps(sample, kFirstDb, kSpacingDb, kSteps, worker));
    for (const Spec& spec : candidate_specs(formats_))
      out_.candidates.push_back(try_format(sample, spec, worker));
    // As shares of the sample, so far; of the whole tensor they are what is counted.
    const double scale =
        static_cast<double>(source_.tensors()[index_].elems) / static_cast<double>(sample.elems);
    out_.energy *= scale;
    for (Candidate& candidate : out_.candidates) candidate.noise *= scale;
  }

  const Source& source_;
  const size_t index_;
  const std::vector<Format>& formats_;
  Measured& out_;
  const Resources& resources_;
};

// False if it was interrupted.
bool measure_all(const Source& source, const std::vector<size_t>& indices, const std::vector<Format>& formats,
                 const Resources& resources, std::vector<Measured>& out) {
  out.resize(indices.size());
  std::vector<std::unique_ptr<Work>> works;
  for (size_t i = 0; i < indices.size(); ++i)
    works.push_back(std::make_unique<MeasuringWork>(source, indices[i], formats, out[i], resources));
  Turnstile none;
  return run_works(works, resources, none);
}

double weight_of(const PlanOptions& options, const TensorInfo& info, double energy) {
  if (!options.importance.empty()) {
    const auto it = options.importance.find(info.name);
    return it == options.importance.end() ? 1 : it->second;
  }
  if (options.objective == Objective::absolute || options.budget.rmse) return 1;
  return energy > 0 ? static_cast<double>(info.elems) / energy : 0;
}

std::string nearest_text(std::span<const std::vector<Point>> tensors, bool by_bits, double elems) {
  Allocation extreme(tensors);
  extreme.choose(by_bits ? std::numeric_limits<double>::infinity() : -1);
  return by_bits ? fmt::format("the candidates need at least {:.3f} bits a weight", extreme.bits() / elems)
                 : "no candidate is that near";
}

}  // namespace

std::optional<std::vector<size_t>> allocate(std::span<const std::vector<Point>> tensors, double limit,
                                            bool by_bits) {
  Allocation allocation(tensors);
  const auto meets = [&](double slope) {
    allocation.choose(slope);
    return (by_bits ? allocation.bits() : allocation.error()) <= limit;
  };
  const double infinite = std::numeric_limits<double>::infinity();
  if (!meets(by_bits ? infinite : -1)) return std::nullopt;
  // Slopes in logarithms: by_bits the lowest that meets the limit, else the highest.
  double low = -745, high = 709;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = (low + high) / 2;
    const bool met = meets(fmath::exp(middle));
    (met == by_bits ? high : low) = middle;
  }
  if (by_bits) {
    if (!meets(fmath::exp(high))) meets(infinite);
    allocation.fill(limit);
  } else {
    if (!meets(fmath::exp(low))) meets(-1);
    allocation.shrink(limit);
  }
  return allocation.chosen();
}

Plan make_plan(const Source& source, const PlanOptions& options) {
  const Selector selector(options.selection, Container::mlq);
  std::vector<Format> formats = options.formats;
  if (formats.empty())
    formats = {Format::ec, Format::int8, Format::int4, Format::int3, Format::int2, Format::raw};
  Plan plan;
  std::vector<size_t> selected;
  for (size_t i = 0; i < source.tensors().size(); ++i) {
    PlannedTensor tensor;
    tensor.info = source.tensors()[i];
    tensor.why_raw = selector.why_not(tensor.info);
    tensor.chosen.spec = default_spec(Format::raw);
    tensor.chosen.bits_per_weight = tensorfile::bits_per_element(tensor.info.dtype);
    if (tensor.why_raw.empty()) selected.push_back(i);
    plan.tensors.push_back(std::move(tensor));
  }
  std::vector<Measured> measured;
  if (!measure_all(source, selected, formats, options.resources, measured)) {
    plan.interrupted = true;
    return plan;
  }
  std::vector<std::vector<Point>> points(selected.size());
  double elems = 0, weighted_energy = 0;
  for (size_t i = 0; i < selected.size(); ++i) {
    PlannedTensor& tensor = plan.tensors[selected[i]];
    const auto n = static_cast<double>(tensor.info.elems);
    tensor.energy = measured[i].energy;
    tensor.weight = weight_of(options, tensor.info, tensor.energy);
    elems += n;
    weighted_energy += tensor.weight * tensor.energy;
    for (const Candidate& candidate : measured[i].candidates)
      points[i].push_back({candidate.bits_per_weight * n, candidate.noise * tensor.weight});
    // A tensor of zeros has but what is left when steps cannot be chosen by its energy.
    if (points[i].empty()) {
      measured[i].candidates.push_back(tensor.chosen);
      points[i].push_back({tensor.chosen.bits_per_weight * n, 0});
    }
  }
  const bool by_bits = options.budget.bits.has_value();
  double limit = by_bits ? *options.budget.bits * elems : 0;
  if (options.budget.snr_db) limit = weighted_energy * energy_of_db(-*options.budget.snr_db);
  if (options.budget.rmse) limit = *options.budget.rmse * *options.budget.rmse * elems;
  const auto chosen = allocate(points, limit, by_bits);
  if (!chosen)
    throw Error(ExitKind::answer_no,
                fmt::format("no plan meets the budget: {}", nearest_text(points, by_bits, elems)));
  double bits = 0, noise = 0, energy = 0;
  for (size_t i = 0; i < selected.size(); ++i) {
    PlannedTensor& tensor = plan.tensors[selected[i]];
    tensor.chosen = measured[i].candidates[(*chosen)[i]];
    bits += points[i][(*chosen)[i]].bits;
    noise += tensor.chosen.noise;
    energy += tensor.energy;
    for (const Point& point : points[i]) {
      const Point& at = points[i][(*chosen)[i]];
      if (point.bits > at.bits)
        tensor.slope = std::max(tensor.slope, (at.error - point.error) / (point.bits - at.bits));
    }
  }
  plan.bits_per_weight = elems > 0 ? bits / elems : 0;
  plan.snr_db = snr_db_of(energy, noise);
  return plan;
}

double snr_for_bits(const Source& source, const EncodeOptions& options, double bits_per_weight) {
  const Selector selector(options.selection, options.container);
  std::vector<size_t> selected;
  for (size_t i = 0; i < source.tensors().size(); ++i)
    if (selector.why_not(source.tensors()[i]).empty()) selected.push_back(i);
  if (selected.empty()) return kFirstDb;
  std::vector<Measured> measured;
  const std::vector<Format> ec = {Format::ec};
  if (!measure_all(source, selected, ec, options.resources, measured)) return kFirstDb;
  // Bits of all tensors at each of the measured ratios; tensors of zeros take none.
  std::vector<double> bits(kSteps, 0.0);
  double elems = 0;
  for (size_t i = 0; i < selected.size(); ++i) {
    const auto n = static_cast<double>(source.tensors()[selected[i]].elems);
    elems += n;
    for (size_t step = 0; step * kBetween < measured[i].candidates.size(); ++step)
      bits[step] += measured[i].candidates[step * kBetween].bits_per_weight * n;
  }
  const double wanted = bits_per_weight * elems;
  for (int step = 0; step + 1 < kSteps; ++step) {
    if (wanted < bits[step] || wanted > bits[step + 1]) continue;
    return kFirstDb + kSpacingDb * (step + (wanted - bits[step]) / (bits[step + 1] - bits[step]));
  }
  throw Error(ExitKind::answer_no,
              fmt::format("--bits: {:g} is outside what ec gives here, {:.2f} to {:.2f} bits a weight",
                          bits_per_weight, bits.front() / elems, bits.back() / elems));
}

}  // namespace mlq::quant
