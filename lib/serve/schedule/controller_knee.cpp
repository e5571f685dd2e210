#include <algorithm>

#include "lib/serve/schedule/controller.h"

namespace mlq::serve {
namespace {

constexpr double kGain = 1.05;         // a doubling that gains less ends the climb
constexpr uint32_t kTriesOfASize = 3;  // batches before a doubled size is judged
constexpr uint32_t kTrialEvery = 64;   // full batches

class Knee final : public Controller {
 public:
  uint32_t target(const ControllerView& view) const override {
    return std::min(size_ == 0 ? knee(view) : size_, view.knobs.max_rows);
  }

  uint32_t next(const ControllerView& view, uint64_t queued) override {
    const uint32_t size = target(view);
    if (climbing_) {
      const uint32_t top = std::min(std::max(climb_, size), view.knobs.max_rows);
      return queued >= top && in_budget(view, top) ? top : size;
    }
    if (queued < size || ++full_ < kTrialEvery) return size;
    full_ = 0;
    const uint32_t tried = trial(view, size);
    return tried <= proposable_rows(view) && in_budget(view, tried) ? tried : size;
  }

  void observe(const ControllerView& view, const BatchObservation& batch) override {
    if (batch.drift || size_ == 0) {
      climbing_ = true;
      climb_ = std::max(1u, view.model.largest_rows());
      tries_ = 0;
    }
    if (climbing_) climb(view, batch);
    size_ = knee(view);
  }

 private:
  static bool in_budget(const ControllerView& view, uint32_t rows) {
    return view.model.quantile_ns(rows, view.knobs.slo_quantile) <= view.budget_ns;
  }

  // Judges the size on trial once it was tried often enough, and takes the next.
  void climb(const ControllerView& view, const BatchObservation& batch) {
    if (batch.rows < climb_ || ++tries_ < kTriesOfASize) return;
    tries_ = 0;
    const bool gains = climb_ == 1 || view.model.rows_per_ns(climb_) >=
                                          kGain * view.model.rows_per_ns(static_cast<double>(climb_) / 2);
    const uint32_t next = std::min(2 * climb_, view.knobs.max_rows);
    if (!gains || next == climb_ || !in_budget(view, next)) {
      climbing_ = false;
    } else {
      climb_ = next;
    }
  }

  // The neighbours on the grid in turn, and now and then a doubling: the throughput may rise again.
  uint32_t trial(const ControllerView& view, uint32_t size) {
    const size_t k = LatencyModel::nearest(size);
    switch (trials_++ % 4) {
      case 0:
        return LatencyModel::grid_size(std::min(k + 1, LatencyModel::kSizes - 1));
      case 2:
        return std::min(2 * size, view.knobs.max_rows);
      default:
        return LatencyModel::grid_size(k == 0 ? 0 : k - 1);
    }
  }

  uint32_t knee(const ControllerView& view) const {
    const uint32_t limit = std::clamp(view.model.largest_rows(), 1u, view.knobs.max_rows);
    double best = 0;
    const auto each = [&](auto&& visit) {
      for (size_t k = 0; k < LatencyModel::kSizes && LatencyModel::grid_size(k) < limit; ++k)
        if (visit(LatencyModel::grid_size(k))) return;
      visit(limit);
    };
    each([&](uint32_t rows) {
      if (in_budget(view, rows)) best = std::max(best, view.model.rows_per_ns(rows));
      return false;
    });
    uint32_t least = 1;
    each([&](uint32_t rows) {
      if (!in_budget(view, rows) || view.model.rows_per_ns(rows) < view.knobs.knee_share * best) return false;
      least = rows;
      return true;
    });
    return least;
  }

  uint32_t size_ = 0;  // 0: before the first batch; the model may know something already
  bool climbing_ = true;
  uint32_t climb_ = 1;  // the size on trial
  uint32_t tries_ = 0;
  uint32_t full_ = 0, trials_ = 0;
};

}  // namespace

std::unique_ptr<Controller> make_knee() { return std::make_unique<Knee>(); }

}  // namespace mlq::serve
