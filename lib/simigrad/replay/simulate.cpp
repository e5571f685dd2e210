#include "lib/simigrad/replay/simulate.h"

#include <cmath>
#include <limits>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::simigrad {
namespace {

void append(PolicyRun& run, uint64_t samples, uint64_t batch, double lr_scale) {
  run.samples += samples;
  if (run.stretches.empty() || run.stretches.back().batch != batch) {
    run.stretches.push_back({samples, batch, lr_scale});
    return;
  }
  Stretch& last = run.stretches.back();
  last.samples += samples;
  last.lr_scale +=
      (lr_scale - last.lr_scale) * (static_cast<double>(samples) / static_cast<double>(last.samples));
}

class Noise {
 public:
  explicit Noise(uint64_t seed) : random_(seed, Purpose::gradient_noise) {}

  // Draws a, s and the cosine anew around what was smooth, for a batch in two or more groups.
  void draw(const Signal& signal, uint64_t index, Observation& o) const {
    const double k = static_cast<double>(o.groups);
    const double batch = static_cast<double>(o.batch_samples);
    const double d = std::isfinite(signal.d_eff) ? signal.d_eff : 1;
    const double a = std::max(signal.a, 0.0);
    const auto [p, q] = random_.uniforms(index);
    const double va =
        4 * a * signal.s / d / batch + 2 * k / (k - 1) * signal.s * signal.s / d / (batch * batch);
    o.a = signal.a + std::sqrt(va) * fmath::normal_quantile(p);
    o.s = std::max(0.0, signal.s * (1 + std::sqrt(2 / ((k - 1) * d)) * fmath::normal_quantile(q)));
    const double both = o.a + 2 * o.s / batch;
    o.cos = both > 0 ? o.a / both : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  RandomStream random_;
};

// The recorded steps as they were; what they decided holds for the samples of the next.
PolicyRun as_recorded(const Recording& recording, const ControlOptions& control,
                      const std::function<void(const records::BatchSize&)>& each) {
  Steering steering(control);
  PolicyRun run;
  double steps = 0;
  for (size_t i = 0; i < recording.moments.size(); ++i) {
    const Moment& m = recording.moments[i];
    const uint64_t next =
        i + 1 < recording.moments.size() ? recording.moments[i + 1].samples : recording.samples;
    if (!steering.started()) steering.start(m.observation.batch_samples);
    append(run, next - m.samples, steering.now().batch, steering.now().lr_scale);
    steps += static_cast<double>(next - m.samples) / static_cast<double>(steering.now().batch);
    const records::BatchSize decision = steering.decide(m.observation);
    if (each) each(decision);
  }
  run.steps = static_cast<uint64_t>(std::ceil(steps));
  return run;
}

}  // namespace

PolicyRun simulate(const Recording& recording, const ControlOptions& control,
                   const SimulationOptions& options,
                   const std::function<void(const records::BatchSize&)>& each) {
  if (options.axis == Axis::samples) return as_recorded(recording, control, each);
  Steering steering(control);
  steering.start(recording.moments.front().observation.batch_samples);
  const Noise noise(options.seed);
  PolicyRun run;
  double progress = 0;
  size_t at = 0;
  const auto reached = [&](const Moment& m) {
    return options.axis == Axis::steps
               ? run.steps >= m.observation.step - recording.moments[0].observation.step
               : progress >= m.progress;
  };
  while (options.axis == Axis::steps ? run.steps < recording.steps : progress < recording.progress) {
    if (run.steps == kMostSteps) {
      run.whole = false;
      break;
    }
    while (at + 1 < recording.moments.size() && reached(recording.moments[at + 1])) ++at;
    const Moment& m = recording.moments[at];
    const uint64_t batch = steering.now().batch;
    append(run, batch, batch, steering.now().lr_scale);
    progress += 1 / (1 + m.b_simple / static_cast<double>(batch));
    if (run.steps % recording.cadence == 0) {
      Observation o = m.observation;
      o.step = run.steps;
      o.incarnation = 0;
      o.batch_samples = batch;
      if (o.valid()) {
        o.cos = m.signal.rho(static_cast<double>(batch));
        o.mean_norm_sq = o.a + o.s / static_cast<double>(batch);
        if (options.noise) noise.draw(m.signal, run.steps, o);
      }
      const records::BatchSize decision = steering.decide(o);
      if (each) each(decision);
    }
    ++run.steps;
  }
  return run;
}

}  // namespace mlq::simigrad
