#include "lib/tune/surface/station.h"

#include <algorithm>
#include <utility>

namespace mlq::tune {

Station::Station(const ServerModel& model, Hooks hooks)
    : model_(model), times_(model), hooks_(std::move(hooks)) {}

bool Station::later(const Batch& a, const Batch& b) {
  return a.end_ns != b.end_ns ? a.end_ns > b.end_ns : a.number > b.number;
}

bool Station::arrive(int64_t t_ns, uint64_t id) {
  now_ns_ = std::max(now_ns_, t_ns);
  if (model_.queue_limit != 0 && queue_.size() >= model_.queue_limit) return false;
  queue_.push_back({id, t_ns});
  return true;
}

int64_t Station::ready_ns() const {
  if (queue_.empty()) return INT64_MAX;
  const int64_t waited = queue_.front().arrived_ns + model_.delay_ns;
  if (queue_.size() < model_.batch) return waited;
  return std::min(waited, queue_[model_.batch - 1].arrived_ns);
}

int64_t Station::next_ns() const {
  const int64_t end = running_.empty() ? INT64_MAX : running_.front().end_ns;
  const int64_t ready = has_room() ? ready_ns() : INT64_MAX;
  return std::max(now_ns_, std::min(end, ready));
}

void Station::advance(int64_t t_ns) {
  for (;;) {
    const int64_t next = next_ns();
    if (next > t_ns || next == INT64_MAX) break;
    now_ns_ = next;
    while (!running_.empty() && running_.front().end_ns <= next) end_first();
    start_batches(next);
  }
  if (t_ns != INT64_MAX) now_ns_ = t_ns;
}

void Station::start_batches(int64_t t_ns) {
  while (has_room() && ready_ns() <= t_ns) start(t_ns);
}

void Station::start(int64_t t_ns) {
  const size_t n = std::min<size_t>(queue_.size(), model_.batch);
  const uint64_t busy = running_.size() + 1;
  const int64_t service = times_.service_ns(static_cast<uint32_t>(n), busy, hooks_.noise(batches_));
  Batch batch;
  batch.end_ns = t_ns + service;
  batch.number = batches_++;
  batch.cpu_ns = times_.cpu_ns(service, busy);
  batch.started_ns = t_ns;
  batch.requests.assign(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n));
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(n));
  running_.push_back(std::move(batch));
  std::push_heap(running_.begin(), running_.end(), later);
}

void Station::end_first() {
  std::pop_heap(running_.begin(), running_.end(), later);
  const Batch batch = std::move(running_.back());
  running_.pop_back();
  if (hooks_.batch_ended) hooks_.batch_ended(static_cast<uint32_t>(batch.requests.size()), batch.cpu_ns);
  for (const Waiting& request : batch.requests)
    hooks_.served({request.id, request.arrived_ns, batch.started_ns, batch.end_ns});
}

void Station::set_model(const ServerModel& model) {
  model_ = model;
  times_ = ServiceTimes(model);
}

}  // namespace mlq::tune
