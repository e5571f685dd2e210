#include <algorithm>

#include "lib/serve/schedule/controller.h"

namespace mlq::serve {
namespace {

constexpr double kGain = 1.05;         // a doubling that gains less ends the climb
constexpr uint32_t kTriesOfASize = 3;  // batches before a doubled size is judged
constexpr double kBestShare = 0.97;    // as good as the best
constexpr uint32_t kBarrenDoublings = 2;
constexpr uint32_t kTrialEvery = 64, kTrialPatience = 8;  // full batches

class Knee final : public Controller {
 public:
  uint32_t target(const ControllerView& view) const override {
    return std::min(size_ == 0 ? knee(view, view.knobs.knee_share) : size_, view.knobs.max_rows);
  }

  // With a backlog of two batches there is no latency left to gain by small ones, and the best throughput
  // counts.
  uint32_t next(const ControllerView& view, uint64_t queued) const override {
    const uint32_t size = target(view);
    return queued >= 2 * uint64_t{size} ? std::min(std::max(size, best_), view.knobs.max_rows) : size;
  }

  uint32_t trial(const ControllerView& view) const override {
    const uint32_t wanted = std::min(climbing_ ? climb_ : trial_, proposable_rows(view));
    return in_budget(view, wanted) ? wanted : 0;
  }

  void observe(const ControllerView& view, const BatchObservation& batch) override {
    if (batch.drift || size_ == 0) {
      climbing_ = true;
      climb_ = std::max(1u, view.model.largest_rows());
      tries_ = barren_ = trial_ = full_ = 0;
    }
    if (climbing_) climb(view, batch);
    size_ = knee(view, view.knobs.knee_share);
    best_ = knee(view, kBestShare);
    if (climbing_ || !batch.full) return;
    ++full_;
    // A trial that does not find the rows it needs gives way.
    if (batch.rows == trial_ || full_ > kTrialPatience) trial_ = 0;
    if (full_ < kTrialEvery) return;
    full_ = 0;
    trial_ = next_trial(view, size_);
  }

 private:
  // Where even one row's quantile misses, the means are what is left to go by: single rows would keep no more
  // deadlines, and answer a fraction of the requests.
  static bool in_budget(const ControllerView& view, uint32_t rows) {
    if (infeasible(view)) return view.model.mean_ns(rows) <= view.budget_ns;
    return view.model.quantile_ns(rows, view.knobs.slo_quantile) <= view.budget_ns;
  }

  // Judges the size on trial once it was tried often enough, and takes the next. Two doublings in a row that
  // do not gain end the climb: one alone may be noise. A size beyond the budget waits: the budget's quantile
  // is a guess as long as batches are few.
  void climb(const ControllerView& view, const BatchObservation& batch) {
    const uint32_t before = climb_ / 2;
    if (batch.rows <= before || ++tries_ < kTriesOfASize) return;
    tries_ = 0;
    const uint32_t reached = std::min(climb_, view.model.largest_rows());
    const bool gains =
        climb_ == 1 || view.model.rows_per_ns(reached) >= kGain * view.model.rows_per_ns(before);
    barren_ = gains ? 0 : barren_ + 1;
    const uint32_t next = std::min(2 * climb_, view.knobs.max_rows);
    if (barren_ == kBarrenDoublings || next == climb_) {
      climbing_ = false;
    } else {
      climb_ = next;
    }
  }

  // The neighbours on the grid in turn, and now and then a doubling: the throughput may rise again.
  uint32_t next_trial(const ControllerView& view, uint32_t size) {
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

  // The least size in the budget with that share of the best throughput in it.
  uint32_t knee(const ControllerView& view, double share) const {
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
      if (!in_budget(view, rows) || view.model.rows_per_ns(rows) < share * best) return false;
      least = rows;
      return true;
    });
    return least;
  }

  uint32_t size_ = 0;  // 0: before the first batch; the model may know something already
  uint32_t best_ = 1;  // the size of the best throughput
  bool climbing_ = true;
  uint32_t climb_ = 1;  // the size on trial
  uint32_t tries_ = 0, barren_ = 0;
  uint32_t full_ = 0;   // full batches since the last trial
  uint32_t trial_ = 0;  // a size to be tried once; 0: none
  uint32_t trials_ = 0;
};

}  // namespace

std::unique_ptr<Controller> make_knee() { return std::make_unique<Knee>(); }

}  // namespace mlq::serve
