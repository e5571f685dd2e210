#include "lib/simigrad/estimate/observation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace mlq::simigrad {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kMostGroups = 32;
// Counts beyond this are no exact doubles.
constexpr uint64_t kMostSamples = uint64_t{1} << 53;

std::optional<Refusal> refuse(Fault fault, std::string message) { return Refusal{fault, std::move(message)}; }

// The Gram matrix of a record with the samples behind its groups.
struct Groups {
  size_t count = 0;
  std::vector<double> samples;
  std::span<const double> lower;
  double product(size_t i, size_t j) const {
    return i >= j ? lower[i * (i + 1) / 2 + j] : lower[j * (j + 1) / 2 + i];
  }
};

bool unequal(const records::Gram& gram) {
  if (!gram.group_samples) return false;
  const auto& n = *gram.group_samples;
  return std::any_of(n.begin(), n.end(), [&](uint64_t x) { return x != n.front(); });
}

std::optional<Refusal> check_counts(const records::Gram& gram) {
  if (gram.groups == 0) return refuse(Fault::bad_field, "groups is 0; it must be at least 1");
  if (gram.batch_samples == 0 || gram.batch_samples > kMostSamples)
    return refuse(Fault::bad_field,
                  fmt::format("batch_samples is {}; it must be from 1 to 2^53", gram.batch_samples));
  if (gram.group_samples) {
    uint64_t sum = 0;
    for (const uint64_t n : *gram.group_samples) {
      if (n == 0 || n > gram.batch_samples)
        return refuse(Fault::bad_field,
                      fmt::format("group_samples has {}; each is from 1 to batch_samples", n));
      sum += n;
    }
    if (gram.group_samples->size() != gram.groups)
      return refuse(Fault::group_mismatch, fmt::format("group_samples has {} numbers for {} groups",
                                                       gram.group_samples->size(), gram.groups));
    if (sum != gram.batch_samples)
      return refuse(Fault::group_mismatch,
                    fmt::format("group_samples sum to {}, but batch_samples is {}", sum, gram.batch_samples));
  } else if (gram.batch_samples % gram.groups != 0) {
    return refuse(Fault::group_mismatch,
                  fmt::format("batch_samples {} is no multiple of groups {}; groups of unequal size need "
                              "group_samples",
                              gram.batch_samples, gram.groups));
  }
  return std::nullopt;
}

std::optional<Refusal> check_numbers(const records::Gram& gram) {
  if (gram.loss_scale && !(*gram.loss_scale > 0 && std::isfinite(*gram.loss_scale)))
    return refuse(Fault::bad_field, fmt::format("loss_scale is {}; it must be above 0", *gram.loss_scale));
  for (const auto& [name, value] :
       {std::pair("norm_sq_sum", gram.norm_sq_sum), std::pair("mean_norm_sq", gram.mean_norm_sq),
        std::pair("between_ss", gram.between_ss)})
    if (value && !(*value >= 0))
      return refuse(Fault::bad_field, fmt::format("{} is {}; a sum of squares is at least 0", name, *value));
  return std::nullopt;
}

std::optional<Refusal> check_matrix(const records::Gram& gram) {
  if (gram.groups > kMostGroups)
    return refuse(Fault::bad_field,
                  fmt::format("groups is {}; with gram at most {}, beyond that norm_sq_sum and "
                              "mean_norm_sq",
                              gram.groups, kMostGroups));
  const size_t wanted = gram.groups * (gram.groups + 1) / 2;
  if (gram.gram->size() != wanted)
    return refuse(Fault::group_mismatch, fmt::format("gram has {} numbers; of {} groups there are {}",
                                                     gram.gram->size(), gram.groups, wanted));
  for (size_t i = 0; i < gram.groups; ++i)
    if (const double square = (*gram.gram)[i * (i + 1) / 2 + i]; !(square >= 0))
      return refuse(Fault::bad_field,
                    fmt::format("gram has {} on its diagonal; a squared norm is at least 0", square));
  return std::nullopt;
}

Groups groups_of(const records::Gram& gram) {
  Groups groups;
  groups.count = gram.groups;
  groups.samples.assign(groups.count,
                        static_cast<double>(gram.batch_samples) / static_cast<double>(gram.groups));
  if (gram.group_samples)
    std::transform(gram.group_samples->begin(), gram.group_samples->end(), groups.samples.begin(),
                   [](uint64_t n) { return static_cast<double>(n); });
  groups.lower = *gram.gram;
  return groups;
}

// The squared norms of the halves' summed gradients and their product.
double cosine_of_halves(const Groups& g, Halves halves) {
  if (g.count % 2 != 0) return kNone;
  const auto in_first = [&](size_t i) { return halves == Halves::parity ? i % 2 == 0 : i < g.count / 2; };
  double first = 0, second = 0, between = 0;
  for (size_t i = 0; i < g.count; ++i) {
    for (size_t j = 0; j < g.count; ++j) {
      const double term = g.samples[i] * g.samples[j] * g.product(i, j);
      if (in_first(i) != in_first(j)) {
        between += term / 2;
      } else {
        (in_first(i) ? first : second) += term;
      }
    }
  }
  const double cos = between / (std::sqrt(first) * std::sqrt(second));
  return first > 0 && second > 0 && std::isfinite(cos) ? cos : kNone;
}

bool two_are_identical(const Groups& g) {
  for (size_t i = 1; i < g.count; ++i)
    for (size_t j = 0; j < i; ++j)
      if (g.product(i, i) > 0 && g.product(i, i) == g.product(i, j) && g.product(i, j) == g.product(j, j))
        return true;
  return false;
}

void observe_matrix(const records::Gram& gram, Halves halves, Observation& out) {
  const Groups g = groups_of(gram);
  const double batch = static_cast<double>(gram.batch_samples);
  double pairs = 0, weight = 0, mean = 0, within = 0;
  for (size_t i = 0; i < g.count; ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double both = g.samples[i] * g.samples[j];
      pairs += both * g.product(i, j);
      weight += both;
      within += both * (g.product(i, i) + g.product(j, j) - 2 * g.product(i, j));
    }
    mean += g.samples[i] * g.samples[i] * g.product(i, i);
  }
  out.mean_norm_sq = (mean + 2 * pairs) / (batch * batch);
  out.cos = cosine_of_halves(g, halves);
  out.identical = two_are_identical(g);
  if (g.count < 2) return;
  out.a = pairs / weight;
  // A sum of squares: what is below 0 is rounding alone.
  const double between = gram.between_ss.value_or(std::max(0.0, within / batch));
  out.s = between / static_cast<double>(g.count - 1);
}

void observe_norms(const records::Gram& gram, Observation& out) {
  const double k = static_cast<double>(gram.groups);
  const double n = static_cast<double>(gram.batch_samples) / k;
  out.mean_norm_sq = *gram.mean_norm_sq;
  if (gram.groups < 2) return;
  const double d = *gram.norm_sq_sum;
  const double t = k * k * *gram.mean_norm_sq;
  out.a = (t - d) / (k * (k - 1));
  out.s = gram.between_ss ? *gram.between_ss / (k - 1) : std::max(0.0, n * (d / k - out.a));
}

void unscale(double loss_scale, uint64_t population, Observation& out) {
  const double square = loss_scale * loss_scale;
  out.a /= square;
  out.s /= square;
  out.mean_norm_sq /= square;
  if (population > 0) out.a += out.s / static_cast<double>(population);
}

}  // namespace

bool Observation::valid() const { return std::isfinite(a) && std::isfinite(s) && !identical; }

std::string_view name_of(Fault fault) {
  switch (fault) {
    case Fault::missing_field:
      return "missing_field";
    case Fault::group_mismatch:
      return "group_mismatch";
    default:
      return "bad_field";
  }
}

void take_null_sums(std::span<const jsonl::Member> members, records::Gram& gram) {
  const auto null_sum = [](const jsonl::Member& m) {
    return m.value.kind == jsonl::Kind::null &&
           (m.key == "gram" || m.key == "norm_sq_sum" || m.key == "mean_norm_sq");
  };
  if (std::none_of(members.begin(), members.end(), null_sum)) return;
  gram.gram.reset();
  gram.norm_sq_sum.reset();
  gram.mean_norm_sq.reset();
  gram.nonfinite = std::max<uint64_t>(gram.nonfinite.value_or(0), 1);
}

std::optional<Refusal> observe(const records::Gram& gram, const ObservationOptions& options,
                               Observation& out) {
  out = {};
  out.a = out.s = out.cos = out.mean_norm_sq = kNone;
  out.incarnation = gram.incarnation.value_or(0);
  out.step = gram.step;
  out.batch_samples = gram.batch_samples;
  out.groups = gram.groups;
  if (auto wrong = check_counts(gram)) return wrong;
  if (auto wrong = check_numbers(gram)) return wrong;
  if (gram.gram) {
    if (auto wrong = check_matrix(gram)) return wrong;
    observe_matrix(gram, options.halves, out);
  } else if (gram.norm_sq_sum && gram.mean_norm_sq) {
    if (unequal(gram))
      return refuse(Fault::group_mismatch, "norms say nothing of groups of unequal size; send gram");
    observe_norms(gram, out);
  } else if (gram.nonfinite.value_or(0) > 0) {
    out.note = "nonfinite";
    return std::nullopt;
  } else {
    return refuse(Fault::missing_field, "there is neither gram nor norm_sq_sum with mean_norm_sq");
  }
  if (gram.groups >= 2 && !(std::isfinite(out.a) && std::isfinite(out.s)))
    return refuse(Fault::bad_field, "the sums are so large that their combination overflows");
  unscale(gram.loss_scale.value_or(1), options.population, out);
  if (gram.groups < 2) {
    out.note = "one_group";
  } else if (out.identical) {
    out.note = "identical_groups";
  } else if (gram.gram && gram.groups % 2 == 0 && std::isnan(out.cos)) {
    out.note = "zero_norm";
  } else if (gram.groups % 2 != 0 && gram.gram) {
    out.note = "odd_groups";
  }
  return std::nullopt;
}

}  // namespace mlq::simigrad
