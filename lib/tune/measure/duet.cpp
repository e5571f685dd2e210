#include "lib/tune/measure/duet.h"

#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/student.h"

namespace mlq::tune {

DuetVerdict judge_duet(std::span<const DuetPair> pairs, double margin) {
  std::vector<double> differences;
  for (const DuetPair& pair : pairs) differences.push_back(pair.b - pair.a);
  DuetVerdict out;
  out.pairs = pairs.size();
  if (differences.empty()) {
    out.lo = -INFINITY;
    out.hi = INFINITY;
    return out;
  }
  const stats::MeanInterval mean = stats::mean_interval(differences);
  out.log_ratio = mean.mean;
  out.lo = mean.lo;
  out.hi = mean.hi;
  const double most = fmath::log1p(margin);
  if (out.lo >= -most && out.hi <= most) {
    out.verdict = "same";
  } else if (out.hi < 0) {
    out.verdict = "better";
  } else if (out.lo > 0) {
    out.verdict = "worse";
  }
  return out;
}

std::vector<DuetPair> run_duet(uint64_t pairs, const std::function<std::optional<double>()>& measure_a,
                               const std::function<std::optional<double>()>& measure_b,
                               const std::function<bool()>& done) {
  std::vector<DuetPair> out;
  for (uint64_t tries = 0; tries < 2 * pairs && out.size() < pairs && !done(); ++tries) {
    const bool a_first = tries % 2 == 0;
    const std::optional<double> first = a_first ? measure_a() : measure_b();
    if (done()) break;
    const std::optional<double> second = a_first ? measure_b() : measure_a();
    if (!first || !second) continue;
    out.push_back(a_first ? DuetPair{*first, *second} : DuetPair{*second, *first});
  }
  return out;
}

records::Duet duet_record(const std::string& a, const std::string& b, const DuetVerdict& verdict) {
  records::Duet out;
  out.a = a;
  out.b = b;
  out.pairs = verdict.pairs;
  out.log_ratio = verdict.log_ratio;
  const bool bounded = std::isfinite(verdict.lo) && std::isfinite(verdict.hi);
  out.log_ratio_lo = bounded ? verdict.lo : verdict.log_ratio;
  out.log_ratio_hi = bounded ? verdict.hi : verdict.log_ratio;
  out.verdict = verdict.verdict;
  if (!bounded) out.note = "fewer than two pairs: there is no interval";
  return out;
}

}  // namespace mlq::tune
