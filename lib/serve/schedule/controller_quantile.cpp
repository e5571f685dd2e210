#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/serve/schedule/controller.h"
#include "lib/serve/schedule/quantile_line.h"

namespace mlq::serve {
namespace {

constexpr size_t kWindow = 512, kEvery = 16, kKeptAfterDrift = 8;
constexpr double kDecay = 0.99729605609854202;  // 2^(-1/256)
constexpr double kShareTolerance = 0.02;

class Quantile final : public Controller {
 public:
  uint32_t target(const ControllerView& view) const override {
    if (!fitted_ || !trusted(view)) return std::max(1u, largest_in_budget(view));
    const uint32_t limit = proposable_rows(view);
    if (line_.alpha * limit + line_.beta <= view.budget_ns) return limit;
    if (line_.beta >= view.budget_ns) return 1;
    const double rows = std::floor((view.budget_ns - line_.beta) / line_.alpha);
    return static_cast<uint32_t>(std::clamp(rows, 1.0, static_cast<double>(limit)));
  }

  void observe(const ControllerView& view, const BatchObservation& batch) override {
    if (batch.drift) points_.erase(points_.begin(), points_.end() - std::min(kept(), size()));
    if (points_.size() == kWindow) points_.erase(points_.begin(), points_.begin() + kEvery);
    points_.push_back({.rows = static_cast<double>(batch.rows), .latency_ns = batch.latency_ns, .weight = 1});
    if (++since_fit_ < kEvery && !batch.drift) return;
    since_fit_ = 0;
    double weight = 1;
    for (auto point = points_.rbegin(); point != points_.rend(); ++point, weight *= kDecay)
      point->weight = weight;
    line_ = fit_quantile_line(points_, view.knobs.slo_quantile);
    fitted_ = true;
  }

 private:
  std::ptrdiff_t size() const { return static_cast<std::ptrdiff_t>(points_.size()); }
  static std::ptrdiff_t kept() { return kKeptAfterDrift; }
  bool trusted(const ControllerView& view) const {
    return std::abs(line_.share_above - (1 - view.knobs.slo_quantile)) <= kShareTolerance;
  }

  std::vector<LinePoint> points_;  // the oldest first
  size_t since_fit_ = 0;
  bool fitted_ = false;
  QuantileLine line_;
};

}  // namespace

std::unique_ptr<Controller> make_quantile() { return std::make_unique<Quantile>(); }

}  // namespace mlq::serve
