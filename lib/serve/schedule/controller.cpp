#include "lib/serve/schedule/controller.h"

#include <algorithm>

namespace mlq::serve {

uint32_t Controller::next(const ControllerView& view, uint64_t) const { return target(view); }
uint32_t Controller::trial(const ControllerView&) const { return 0; }

std::unique_ptr<Controller> make_controller(ControllerKind kind) {
  switch (kind) {
    case ControllerKind::fixed:
      return make_fixed();
    case ControllerKind::aimd:
      return make_aimd();
    case ControllerKind::quantile:
      return make_quantile();
    case ControllerKind::knee:
      break;
  }
  return make_knee();
}

uint32_t proposable_rows(const ControllerView& view) {
  return std::clamp(2 * view.model.largest_rows(), 1u, std::max(1u, view.knobs.max_rows));
}

uint32_t largest_in_budget(const ControllerView& view) {
  if (view.model.empty()) return 1;
  const auto fits = [&](uint32_t rows) {
    return view.model.quantile_ns(rows, view.knobs.slo_quantile) <= view.budget_ns;
  };
  const uint32_t limit = proposable_rows(view);
  if (fits(limit)) return limit;
  uint32_t largest = 0;
  for (size_t k = 0; k < LatencyModel::kSizes && LatencyModel::grid_size(k) < limit; ++k)
    if (fits(LatencyModel::grid_size(k))) largest = LatencyModel::grid_size(k);
  return largest;
}

bool infeasible(const ControllerView& view) {
  return view.model.quantile_ns(1, view.knobs.slo_quantile) > view.budget_ns;
}

}  // namespace mlq::serve
