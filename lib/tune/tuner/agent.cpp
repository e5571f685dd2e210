#include "lib/tune/tuner/agent.h"

#include <algorithm>

#include "lib/base/fmath.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {

void TickFeatures::append(const History& history, const Observation& row, std::vector<float>& out) {
  std::vector<double> knobs(history.space().dims());
  history.space().encode(row.point, knobs);
  out.insert(out.end(), knobs.begin(), knobs.end());
  const double seen[] = {history.levels()[row.level].rate_per_s,
                         row.mean_ns > 0 ? row.mean_ns : fmath::exp(row.y),
                         row.p95_ns,
                         row.done_per_s,
                         row.inflight,
                         row.cpu_ns_per_request};
  for (size_t k = 0; k < std::size(seen); ++k) {
    if (first_[k] <= 0) first_[k] = seen[k];
    const bool known = seen[k] > 0 && first_[k] > 0;
    out.push_back(known ? static_cast<float>(std::clamp(fmath::log(seen[k] / first_[k]), -10.0, 10.0)) : 0);
  }
}

std::vector<uint8_t> open_moves(const History& history, PointId point) {
  std::vector<uint8_t> open(move_count(history.space()));
  open[0] = history.barred(point) ? 0 : 1;
  for (size_t move = 1; move < open.size(); ++move) open[move] = after_move(history, point, move) ? 1 : 0;
  return open;
}

}  // namespace mlq::tune
