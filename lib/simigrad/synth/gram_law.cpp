#include "lib/simigrad/synth/gram_law.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/stats/special.h"

namespace mlq::simigrad {
namespace {

// What a draw is for, in the counter's third word.
enum Part : uint32_t { along = 0, beside = 1, chi = 2 };

double normal(const RandomStream& random, uint64_t step, size_t i, size_t j, Part part) {
  return fmath::normal_quantile(random.uniform(step, static_cast<uint32_t>(i * 64 + j), part));
}

// Rows of length `width` whose inner products are those of K vectors in `dimensions` normal coordinates.
std::vector<std::vector<double>> rows_beside(const RandomStream& random, uint64_t step, size_t k,
                                             uint64_t dimensions) {
  std::vector<std::vector<double>> rows(k);
  const bool bartlett = dimensions >= k;
  for (size_t i = 0; i < k; ++i) {
    const size_t normals = bartlett ? i : static_cast<size_t>(dimensions);
    for (size_t j = 0; j < normals; ++j) rows[i].push_back(normal(random, step, i, j, beside));
    if (!bartlett) continue;
    const double p = random.uniform(step, static_cast<uint32_t>(i), chi);
    rows[i].push_back(std::sqrt(stats::chi_square_quantile(p, static_cast<double>(dimensions - i))));
  }
  return rows;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

double b_simple_at(const GramLaw& law, uint64_t step) {
  const double share = law.steps > 1 ? static_cast<double>(step) / static_cast<double>(law.steps - 1) : 0;
  return law.b_simple * fmath::pow(law.growth, share);
}

records::Gram draw_gram(const GramLaw& law, uint64_t step, uint64_t seed) {
  const RandomStream random(seed, Purpose::gradient_noise);
  const size_t k = law.groups;
  const double n = static_cast<double>(law.samples);
  const double variance = b_simple_at(law, step) / (static_cast<double>(law.d_eff) * n);
  const double sigma = std::sqrt(variance);
  std::vector<double> z;
  for (size_t i = 0; i < k; ++i) z.push_back(normal(random, step, i, 0, along));
  const auto rows = rows_beside(random, step, k, law.d_eff - 1);

  records::Gram gram;
  gram.step = step;
  gram.groups = law.groups;
  gram.batch_samples = law.groups * law.samples;
  gram.consumed_samples = step * gram.batch_samples;
  gram.gram.emplace();
  double apart = 0;  // sum over pairs of squared distances, in units of the variance
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      const double beside_both = dot(rows[i], rows[j]);
      gram.gram->push_back(1 + law.alignment * sigma * (z[i] + z[j]) +
                           variance * (z[i] * z[j] + beside_both));
      const double along_both = z[i] - z[j];
      apart += along_both * along_both + dot(rows[i], rows[i]) + dot(rows[j], rows[j]) - 2 * beside_both;
    }
  }
  gram.between_ss = n * variance * apart / static_cast<double>(k);
  gram.source = "gen";
  return gram;
}

}  // namespace mlq::simigrad
