#include <algorithm>

#include "lib/serve/schedule/controller.h"

namespace mlq::serve {
namespace {

class Aimd final : public Controller {
 public:
  uint32_t target(const ControllerView& view) const override {
    return std::clamp(static_cast<uint32_t>(size_), 1u, view.knobs.max_rows);
  }
  void observe(const ControllerView& view, const BatchObservation& batch) override {
    const SchedulerKnobs& knobs = view.knobs;
    if (batch.latency_ns >= view.budget_ns) {
      size_ = static_cast<double>(static_cast<uint32_t>(knobs.aimd_mul * size_));
    } else if (batch.full && batch.latency_ns < knobs.aimd_band * view.budget_ns) {
      size_ += knobs.aimd_add;
    }
    size_ = std::clamp(size_, 1.0, static_cast<double>(knobs.max_rows));
  }

 private:
  double size_ = 1;
};

}  // namespace

std::unique_ptr<Controller> make_aimd() { return std::make_unique<Aimd>(); }

}  // namespace mlq::serve
