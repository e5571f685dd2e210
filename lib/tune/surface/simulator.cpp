#include "lib/tune/surface/simulator.h"

#include <algorithm>
#include <functional>

#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/stats/quantile.h"
#include "lib/tune/surface/station.h"

namespace mlq::tune {
namespace {

constexpr double kLongest = 1e18;

// The instances at work, the first to be free at the front.
void push(std::vector<int64_t>& ends, int64_t end) {
  ends.push_back(end);
  std::push_heap(ends.begin(), ends.end(), std::greater<>());
}

void pop(std::vector<int64_t>& ends) {
  std::pop_heap(ends.begin(), ends.end(), std::greater<>());
  ends.pop_back();
}

void simulate_with_limit(const ServerModel& model, std::span<const int64_t> arrivals,
                         std::span<const double> noise, SimulatedRun& run) {
  run.latencies.assign(arrivals.size(), -1);
  Station::Hooks hooks;
  hooks.noise = [&](uint64_t batch) { return noise[batch]; };
  hooks.served = [&](const Station::Served& served) {
    run.latencies[served.id] = served.ended_ns - served.arrived_ns;
    run.last_end_ns = std::max(run.last_end_ns, served.ended_ns);
  };
  hooks.batch_ended = [&](uint32_t, double cpu_ns) { run.cpu_ns += cpu_ns; };
  Station station(model, hooks);
  for (size_t k = 0; k < arrivals.size(); ++k) {
    if (k == 0 || arrivals[k] != arrivals[k - 1]) station.advance(arrivals[k] - 1);
    if (!station.arrive(arrivals[k], k)) ++run.dropped;
  }
  station.advance(INT64_MAX);
  run.batches = station.batches();
  std::erase(run.latencies, -1);
}

}  // namespace

ServiceTimes::ServiceTimes(const ServerModel& model)
    : threads_(model.threads), cores_(model.cores), oversubscribe_(model.oversubscribe) {
  const double p = threads_;
  const double speed = (1 - model.parallel) + model.parallel / p + model.sync * (p - 1);
  for (uint32_t n = 1; n <= model.batch; ++n)
    alone_ns_.push_back((model.base_ns + model.request_ns * fmath::pow(n, model.batch_power)) * speed);
}

double ServiceTimes::crowding(uint64_t busy) const {
  const double load = static_cast<double>(busy) * threads_ / cores_;
  return load <= 1 ? 1 : load * (1 + oversubscribe_ * (load - 1));
}

int64_t ServiceTimes::service_ns(uint32_t n, uint64_t busy, double eps) const {
  return static_cast<int64_t>(std::clamp(alone_ns_[n - 1] * crowding(busy) * eps, 1.0, kLongest) + 0.5);
}

double ServiceTimes::cpu_ns(int64_t service_ns, uint64_t busy) const {
  return static_cast<double>(service_ns) * threads_ / crowding(busy);
}

double service_noise(uint64_t seed, uint64_t batch, double sigma) {
  const double z = fmath::normal_quantile(RandomStream(seed, Purpose::service).uniform(batch));
  return fmath::exp(sigma * z - 0.5 * sigma * sigma);
}

ServiceNoise::ServiceNoise(uint64_t seed, double sigma, size_t batches) {
  factors_.reserve(batches);
  for (size_t k = 0; k < batches; ++k) factors_.push_back(service_noise(seed, k, sigma));
}

// Between two starts the queue only grows, so the times of the starts follow from the arrivals alone: no
// queue of events is needed.
void simulate(const ServerModel& model, std::span<const int64_t> arrivals, std::span<const double> noise,
              SimulatedRun& run) {
  run.latencies.clear();
  run.ends.clear();
  run.dropped = 0;
  run.cpu_ns = 0;
  run.last_end_ns = 0;
  if (model.queue_limit != 0) return simulate_with_limit(model, arrivals, noise, run);

  const ServiceTimes times(model);
  std::vector<int64_t>& ends = run.ends;
  const size_t count = arrivals.size();
  run.latencies.resize(count);
  int64_t start = 0;
  uint64_t batch = 0;
  for (size_t head = 0; head < count; ++batch) {
    int64_t ready = arrivals[head] + model.delay_ns;
    if (const size_t full = head + model.batch - 1; full < count) ready = std::min(ready, arrivals[full]);
    start = std::max(start, ready);
    while (!ends.empty() && ends.front() <= start) pop(ends);
    if (model.instances != 0 && ends.size() >= model.instances) {
      start = ends.front();
      while (!ends.empty() && ends.front() <= start) pop(ends);
    }
    size_t tail = head + 1;
    while (tail < count && tail - head < model.batch && arrivals[tail] <= start) ++tail;
    const uint64_t busy = ends.size() + 1;
    const int64_t service = times.service_ns(static_cast<uint32_t>(tail - head), busy, noise[batch]);
    const int64_t end = start + service;
    for (; head < tail; ++head) run.latencies[head] = end - arrivals[head];
    run.cpu_ns += times.cpu_ns(service, busy);
    run.last_end_ns = std::max(run.last_end_ns, end);
    push(ends, end);
  }
  run.batches = batch;
}

records::WindowStats window_of(SimulatedRun& run, int64_t window_ns) {
  records::WindowStats window;
  const uint64_t ok = run.latencies.size();
  window.window_ns = window_ns;
  window.requests = ok + run.dropped;
  window.ok = ok;
  window.errors = run.dropped;
  if (ok == 0) return window;
  double sum = 0;
  for (const int64_t latency : run.latencies) sum += static_cast<double>(latency);
  const double count = static_cast<double>(ok);
  window.latency_mean_ns = static_cast<int64_t>(sum / count + 0.5);
  window.cpu_ns_per_request = static_cast<int64_t>(run.cpu_ns / count + 0.5);
  window.done_per_s = count / (static_cast<double>(window_ns) * 1e-9);
  // From the largest rank down, so that each search has less to look at.
  auto upper = run.latencies.end();
  const auto at = [&](const Ratio& q) {
    const auto place = run.latencies.begin() + static_cast<ptrdiff_t>(stats::nearest_rank(q, ok) - 1);
    std::nth_element(run.latencies.begin(), place, upper);
    upper = place + 1;
    return *place;
  };
  window.latency_p99_ns = at({99, 100});
  window.latency_p95_ns = at({95, 100});
  window.latency_p50_ns = at({1, 2});
  return window;
}

}  // namespace mlq::tune
