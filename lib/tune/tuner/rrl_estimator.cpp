#include "lib/tune/tuner/rrl_estimator.h"

#include <algorithm>
#include <limits>

#include "lib/base/fmath.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

class PublishedEstimator : public TableEstimator {
 public:
  PublishedEstimator(const PublishedTraining& training, uint64_t seed, const Space& space)
      : training_(training), random_(seed, Purpose::estimator), space_(space) {}

  void add(const History& history, const Observation& row) override {
    last_ = row.i;
    if (row.outcome == TrialOutcome::failed) return;
    append(history.levels()[row.level], row.point, x_);
    targets_.push_back(fmath::exp(row.y) * 1e-6);
  }

  std::vector<double> estimate(const Level& level, std::span<const PointId> points) override {
    MlpFtrl<double> net(space_.dims() + 1, training_.network, random_, last_);
    train(net);
    std::vector<double> x;
    for (const PointId point : points) append(level, point, x);
    std::vector<double> costs = net.predict(x);
    for (double& c : costs) c *= 1e6;
    return costs;
  }

 private:
  void append(const Level& level, PointId point, std::vector<double>& x) const {
    x.push_back(level.rate_per_s > 0 ? 1 / level.rate_per_s : 0);
    for (size_t a = 0; a < space_.dims(); ++a) x.push_back(space_.step(point, a));
  }

  void train(MlpFtrl<double>& net) const {
    double best = std::numeric_limits<double>::infinity();
    uint32_t failures = 0;
    for (uint32_t step = 1; failures < training_.patience && step <= training_.most_steps; ++step) {
      net.step(x_, targets_);
      if (step % training_.look_every != 0) continue;
      const double loss = net.loss(x_, targets_);
      failures = loss < best ? 0 : failures + 1;
      best = std::min(best, loss);
    }
  }

  PublishedTraining training_;
  RandomStream random_;
  const Space& space_;
  std::vector<double> x_, targets_;
  uint64_t last_ = 0;  // trial, which the random start is keyed by
};

class WarmEstimator : public TableEstimator {
 public:
  WarmEstimator(const MlpFtrlSettings& network, uint64_t seed, const Space& space)
      : seed_(seed),
        space_(space),
        net_(space.dims() + 1, network, RandomStream(seed, Purpose::estimator), 0) {}

  void add(const History& history, const Observation& row) override {
    // What failed has no cost of its own; it counts as no better than the first trial.
    const bool failed = row.outcome == TrialOutcome::failed;
    if (failed && targets_.empty()) return;
    const double y = failed ? std::max(score(row), first_) : score(row);
    if (targets_.empty()) {
      first_ = y;
      first_rate_ = history.levels()[row.level].rate_per_s;
    }
    append(history.levels()[row.level], row.point, x_);
    targets_.push_back(static_cast<float>(y - first_));
    train(row.i);
  }

  std::vector<double> estimate(const Level& level, std::span<const PointId> points) override {
    std::vector<float> x;
    for (const PointId point : points) append(level, point, x);
    std::vector<double> costs = net_.predict(x);
    for (double& c : costs) c = fmath::exp(std::clamp(c, -kMost, kMost) + first_);
    return costs;
  }

 private:
  static constexpr int kSteps = 200;
  static constexpr size_t kRows = Mlp<float>::kBatch;
  static constexpr double kMost = 40;  // of a logarithm: no infinity comes out of a network that went astray

  void append(const Level& level, PointId point, std::vector<float>& x) const {
    const bool known = level.rate_per_s > 0 && first_rate_ > 0;
    x.push_back(known ? static_cast<float>(fmath::log(level.rate_per_s / first_rate_) / fmath::log(2)) : 0);
    std::vector<double> encoded(space_.dims());
    space_.encode(point, encoded);
    x.insert(x.end(), encoded.begin(), encoded.end());
  }

  void train(uint64_t i) {
    Draws draws(seed_, Purpose::estimator, i, 100);  // streams below are those of the layers
    const size_t width = net_.inputs();
    std::vector<float> x(kRows * width), targets(kRows);
    for (int step = 0; step < kSteps; ++step) {
      for (size_t r = 0; r < kRows; ++r) {
        const auto k = draws.below(targets_.size());
        std::copy_n(x_.begin() + static_cast<std::ptrdiff_t>(k * width), width,
                    x.begin() + static_cast<std::ptrdiff_t>(r * width));
        targets[r] = targets_[k];
      }
      net_.step(x, targets);
    }
  }

  uint64_t seed_;
  const Space& space_;
  MlpFtrl<float> net_;
  std::vector<float> x_, targets_;
  double first_ = 0, first_rate_ = 0;
};

}  // namespace

std::unique_ptr<TableEstimator> make_published_estimator(const PublishedTraining& training, uint64_t seed,
                                                         const Space& space) {
  return std::make_unique<PublishedEstimator>(training, seed, space);
}

std::unique_ptr<TableEstimator> make_warm_estimator(const MlpFtrlSettings& network, uint64_t seed,
                                                    const Space& space) {
  return std::make_unique<WarmEstimator>(network, seed, space);
}

double published_episode_mean_ns(std::span<const int64_t> latencies_ns) {
  if (latencies_ns.size() < 2) return 0;
  double sum = 0;
  for (const int64_t latency : latencies_ns.first(latencies_ns.size() - 1))
    sum += static_cast<double>(latency);
  return sum / static_cast<double>(latencies_ns.size() - 1);
}

}  // namespace mlq::tune
