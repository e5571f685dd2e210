#include "lib/serve/schedule/lane.h"

#include <algorithm>
#include <limits>

namespace mlq::serve {
namespace {

constexpr double kOverdueFactor = 4, kOverdueNs = 100e6;
constexpr double kNewsFactor = 1.5;

}  // namespace

uint32_t Lane::slots(const SchedulerKnobs& knobs) const {
  return knobs.concurrency_mode == ConcurrencyMode::gradient ? gradient_.limit() : knobs.concurrency;
}

uint32_t Lane::free_slots(const SchedulerKnobs& knobs) const {
  const uint32_t all = slots(knobs);
  return all - std::min(all, static_cast<uint32_t>(flights_.size()));
}

std::optional<Flight> Lane::land(uint64_t batch) {
  const auto found = std::find_if(flights_.begin(), flights_.end(),
                                  [&](const Flight& flight) { return flight.batch == batch; });
  if (found == flights_.end()) return std::nullopt;
  const Flight flight = *found;
  flights_.erase(found);
  return flight;
}

uint32_t Lane::target(const SchedulerKnobs& knobs, double budget_ns) const {
  return controller_->target(view(knobs, budget_ns));
}

uint32_t Lane::next_size(const SchedulerKnobs& knobs, double budget_ns, uint64_t queued) const {
  return controller_->next(view(knobs, budget_ns), queued);
}

uint32_t Lane::trial_size(const SchedulerKnobs& knobs, double budget_ns) const {
  return controller_->trial(view(knobs, budget_ns));
}

void Lane::observe(const SchedulerKnobs& knobs, double budget_ns, const Flight& flight, double latency_ns) {
  if (flight.predicted_ns > 0) over_.add(latency_ns > flight.predicted_ns);
  const bool drift = model_.observe(flight.rows, latency_ns);
  gradient_.observe(flight.rows, latency_ns, flights_.size() + 1);
  controller_->observe(view(knobs, budget_ns),
                       {.rows = flight.rows, .latency_ns = latency_ns, .full = flight.full, .drift = drift});
}

double Lane::bound_ns(double rows, const SchedulerKnobs& knobs, double budget_ns) const {
  if (!infeasible(view(knobs, budget_ns))) return model_.quantile_ns(rows, knobs.slo_quantile);
  return model_.mean_ns(1) <= budget_ns ? model_.mean_ns(rows) : 0;
}

double Lane::remaining_ns(int64_t now_ns, const SchedulerKnobs& knobs) const {
  double sum = 0;
  for (const Flight& flight : flights_)
    sum += std::max(0.0, model_.mean_ns(flight.rows) - static_cast<double>(now_ns - flight.sent_ns));
  return sum / slots(knobs);
}

double Lane::next_slot_ns(int64_t now_ns, const SchedulerKnobs& knobs) const {
  if (free_slots(knobs) > 0 || flights_.empty()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Flight& flight : flights_)
    least = std::min(least, model_.mean_ns(flight.rows) - static_cast<double>(now_ns - flight.sent_ns));
  return std::max(0.0, least);
}

bool Lane::overdue(int64_t now_ns) const {
  return std::ranges::any_of(flights_, [&](const Flight& flight) {
    const double late_ns = static_cast<double>(now_ns - flight.sent_ns);
    return late_ns > kOverdueNs && late_ns > kOverdueFactor * model_.mean_ns(flight.rows);
  });
}

double Lane::capacity(int64_t now_ns, const SchedulerKnobs& knobs, double budget_ns) const {
  if (model_.empty() || overdue(now_ns)) return 0;
  return slots(knobs) * model_.rows_per_ns(target(knobs, budget_ns));
}

uint32_t Lane::rows_in_flight() const {
  uint32_t rows = 0;
  for (const Flight& flight : flights_) rows += flight.rows;
  return rows;
}

Lane::News Lane::take_news(const SchedulerKnobs& knobs, double budget_ns) {
  News news;
  const bool now_infeasible = infeasible(view(knobs, budget_ns));
  news.infeasible = now_infeasible && !was_infeasible_;
  was_infeasible_ = now_infeasible;
  const uint32_t rows = target(knobs, budget_ns);
  news.grew = rows >= kNewsFactor * told_target_;
  news.shrank = kNewsFactor * rows <= told_target_;
  if (news.grew || news.shrank) told_target_ = rows;
  return news;
}

}  // namespace mlq::serve
