#include "lib/simigrad/replay/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "lib/base/error.h"

namespace mlq::simigrad {
namespace {

// Each measurement stands for the steps until the next; the last for as many as the one before it.
void set_steps(Recording& r) {
  std::map<uint64_t, uint64_t> gaps;
  for (size_t i = 0; i + 1 < r.moments.size(); ++i) {
    r.moments[i].steps = r.moments[i + 1].observation.step - r.moments[i].observation.step;
    ++gaps[r.moments[i].steps];
  }
  if (r.moments.size() > 1) r.moments.back().steps = r.moments[r.moments.size() - 2].steps;
  const auto often = std::max_element(gaps.begin(), gaps.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  if (often != gaps.end()) r.cadence = often->first;
}

// Where nothing positive is known the nearest earlier value holds, or else the first later one.
bool set_noise(Recording& r) {
  double last = std::numeric_limits<double>::quiet_NaN();
  for (const Moment& m : r.moments)
    if (std::isnan(last)) last = m.signal.b_simple();
  for (Moment& m : r.moments) {
    const double here = m.signal.points > 0 ? m.signal.b_simple() : std::numeric_limits<double>::quiet_NaN();
    if (std::isfinite(here)) last = here;
    m.b_simple = last;
  }
  return std::isfinite(last);
}

}  // namespace

Recording make_recording(const std::vector<records::Gram>& run, const EstimatorOptions& options,
                         const std::string& name) {
  Recording r;
  Estimator estimator(options);
  for (const records::Gram& gram : run) {
    Moment m;
    if (const auto wrong = observe(gram, options.observation, m.observation))
      throw input_error("{}: step {}: {}", name, gram.step, wrong->message);
    estimator.add(m.observation);
    m.signal = estimator.signal();
    r.moments.push_back(std::move(m));
  }
  if (r.moments.empty()) throw input_error("{}: there is no gram record in it", name);
  set_steps(r);
  if (!set_noise(r))
    throw input_error(
        "{}: no step has a positive estimate of the squared gradient; larger groups or more steps "
        "are needed",
        name);
  for (size_t i = 0; i < r.moments.size(); ++i) {
    Moment& m = r.moments[i];
    const double batch = static_cast<double>(m.observation.batch_samples);
    m.progress = r.progress;
    m.samples = r.samples;
    r.progress += static_cast<double>(m.steps) / (1 + m.b_simple / batch);
    r.steps += m.steps;
    r.samples += m.steps * m.observation.batch_samples;
    if (i + 1 < r.moments.size() && run[i].consumed_samples && run[i + 1].consumed_samples &&
        *run[i + 1].consumed_samples > *run[i].consumed_samples)
      r.samples = m.samples + (*run[i + 1].consumed_samples - *run[i].consumed_samples);
  }
  return r;
}

}  // namespace mlq::simigrad
