// Who chooses the size of a batch, for one replica. Pure and not thread-safe.
//
//   fixed     max_rows.
//   aimd      l >= B: c = max(1, floor(mul c)); l < band B and the batch was full: c += add; between: stay
//             (Crankshaw et al., Clipper, NSDI'17, 4.3.1).
//   quantile  the line alpha n + beta, alpha, beta >= 0, that minimises sum w rho_q(l - alpha n - beta),
//             rho_q(r) = max(q r, (q - 1) r) (Koenker and Bassett, Econometrica 46, 1978), over the last 512
//             batches with half-life 256, anew every 16 batches; the size is floor((B - beta) / alpha). If
//             the share of batches above the line misses 1 - q by more than 0.02, the largest size with
//             l_q(n) <= B.
//   knee      of the sizes with l_q(n) <= B the least with T(n) >= share x the best T of them. It doubles its
//             size as long as the queue can fill it, it fits the budget and T gains 5 %; then one full batch
//             in 64 tries another size.
//
// B is the budget: SLO less own overhead, infinite without an SLO. No size above twice the largest that was
// measured is proposed (by all but `fixed`, which is told, and `aimd`, which climbs in small steps), and
// none above max_rows.
#pragma once

#include <cstdint>
#include <memory>

#include "lib/serve/schedule/knobs.h"
#include "lib/serve/schedule/latency_model.h"

namespace mlq::serve {

// What a controller looks at beside its own state.
struct ControllerView {
  const LatencyModel& model;
  const SchedulerKnobs& knobs;
  double budget_ns = 0;
};

struct BatchObservation {
  uint32_t rows = 0;
  double latency_ns = 0;
  bool full = false;   // the queue had enough for the size aimed at
  bool drift = false;  // the model noticed a drift with this batch
};

class Controller {
 public:
  virtual ~Controller() = default;
  // The size to aim at, 1 to max_rows.
  virtual uint32_t target(const ControllerView& view) const = 0;
  // The size of the next batch when `queued` rows wait for it.
  virtual uint32_t next(const ControllerView& view, uint64_t queued) const;
  // A size it would like to see instead, so as to learn; 0: none. A larger one is worth having even in part.
  virtual uint32_t trial(const ControllerView& view) const;
  // A clean batch ended; the model has learnt from it already.
  virtual void observe(const ControllerView& view, const BatchObservation& batch) = 0;
};

std::unique_ptr<Controller> make_controller(ControllerKind kind);
std::unique_ptr<Controller> make_fixed();
std::unique_ptr<Controller> make_aimd();
std::unique_ptr<Controller> make_quantile();
std::unique_ptr<Controller> make_knee();

// The largest size that may be proposed: min(max_rows, twice the largest measured), at least 1.
uint32_t proposable_rows(const ControllerView& view);
// The largest grid size (or the proposable limit) with l_q(n) <= B; 0 if even one row does not fit, 1 before
// anything was measured.
uint32_t largest_in_budget(const ControllerView& view);
// Even a single row takes longer than the budget, as far as is known.
bool infeasible(const ControllerView& view);

}  // namespace mlq::serve
