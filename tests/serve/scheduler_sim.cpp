#include "tests/serve/scheduler_sim.h"

#include <algorithm>
#include <queue>
#include <unordered_map>

#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::serve::sim {
namespace {

constexpr uint32_t kBurst = 16;

struct Landing {
  int64_t at_ns;
  uint64_t batch;
  int64_t latency_ns;
  bool operator>(const Landing& other) const { return at_ns > other.at_ns; }
};

class Simulation {
 public:
  explicit Simulation(const Options& options)
      : options_(options),
        scheduler_(options.knobs, options.seed),
        gaps_(options.seed, Purpose::gaps),
        noise_(options.seed, Purpose::service) {
    for (uint32_t r = 0; r < options.replicas; ++r) scheduler_.add_replica(0, r, true);
    next_arrival_ns_ = gap();
  }

  Result run() {
    while (!over()) {
      const int64_t landing = landings_.empty() ? INT64_MAX : landings_.top().at_ns;
      const int64_t wake = scheduler_.next_wake().value_or(INT64_MAX);
      now_ns_ = std::max(now_ns_, std::min({next_arrival_ns_, landing, wake}));
      if (landing <= now_ns_) land();
      if (next_arrival_ns_ <= now_ns_) arrive();
      step();
    }
    return finish();
  }

 private:
  bool counting() const { return batches_ >= options_.warm_batches; }
  bool over() const { return result_.offered >= options_.requests && outstanding_ == 0; }

  int64_t gap() {
    const double u = gaps_.uniform(draws_++);
    double mean_ns = 1e9 / options_.rate_per_s;
    if (options_.arrivals == Arrivals::bursty) {
      if (burst_left_ > 0) {
        --burst_left_;
        return 0;
      }
      const double v = gaps_.uniform(draws_++);
      burst_left_ = static_cast<uint32_t>(fmath::log(v) / fmath::log(1 - 1.0 / kBurst));
      mean_ns *= kBurst;
    }
    return static_cast<int64_t>(-fmath::log(u) * mean_ns) + 1;
  }

  void arrive() {
    const uint64_t token = born_ns_.size();
    const bool counts = counting() && result_.offered < options_.requests;
    born_ns_.push_back(counts ? now_ns_ : -now_ns_ - 1);
    if (counts) {
      if (result_.offered++ == 0) first_ns_ = now_ns_;
      last_ns_ = now_ns_;
      ++outstanding_;
    }
    const Verdict verdict = scheduler_.arrive(
        now_ns_, {.token = token,
                  .arrived_ns = now_ns_,
                  .deadline_ns = options_.deadlines ? now_ns_ + options_.knobs.slo_ns : kNoDeadline});
    if (verdict.rejection != Rejection::none) {
      result_.refused += counts ? 1 : 0;
      gone(token);
    }
    next_arrival_ns_ = now_ns_ + gap();
  }

  void gone(uint64_t token) { outstanding_ -= born_ns_[token] >= 0 ? 1 : 0; }

  void land() {
    const Landing landing = landings_.top();
    landings_.pop();
    for (const uint64_t token : flying_[landing.batch]) {
      gone(token);
      if (born_ns_[token] < 0) continue;
      const int64_t latency_ns = now_ns_ - born_ns_[token];
      latencies_.push_back(latency_ns);
      const bool good = latency_ns <= options_.knobs.slo_ns || options_.knobs.slo_ns == 0;
      (good ? result_.good : result_.late) += 1;
    }
    flying_.erase(landing.batch);
    scheduler_.batch_done(now_ns_, landing.batch, BatchOutcome::clean, landing.latency_ns);
    if (options_.watch) options_.watch(scheduler_, batches_);
    ++batches_;
  }

  void step() {
    actions_.clear();
    scheduler_.step(now_ns_, actions_);
    for (const Dispatch& batch : actions_.dispatches) {
      const double z = fmath::normal_quantile(noise_.uniform(batch.batch));
      const double sigma = options_.noise;
      double ns = options_.curve(batch.rows) * fmath::exp(sigma * z - sigma * sigma / 2);
      if (noise_.uniform(batch.batch, 1) < options_.stall_share) ns += options_.stall_ns;
      if (options_.slowdown) ns *= options_.slowdown(batches_);
      const auto latency_ns = static_cast<int64_t>(ns);
      landings_.push({now_ns_ + latency_ns, batch.batch, latency_ns});
      const auto tokens = actions_.tokens_of(batch);
      flying_[batch.batch].assign(tokens.begin(), tokens.end());
      if (counting()) {
        ++result_.batches;
        rows_ += batch.rows;
      }
    }
    for (const Shed& shed : actions_.sheds) {
      result_.shed += born_ns_[shed.token] >= 0 ? 1 : 0;
      gone(shed.token);
    }
  }

  Result finish() {
    const double seconds = static_cast<double>(last_ns_ - first_ns_) / 1e9;
    result_.offered_per_s = static_cast<double>(result_.offered) / seconds;
    result_.good_per_s = static_cast<double>(result_.good) / seconds;
    result_.accepted = result_.good + result_.late;
    result_.mean_rows =
        result_.batches == 0 ? 0 : static_cast<double>(rows_) / static_cast<double>(result_.batches);
    std::sort(latencies_.begin(), latencies_.end());
    if (!latencies_.empty()) {
      result_.p50_ns = latencies_[latencies_.size() / 2];
      result_.p99_ns = latencies_[latencies_.size() * 99 / 100];
    }
    return result_;
  }

  const Options& options_;
  Scheduler scheduler_;
  RandomStream gaps_, noise_;
  uint64_t draws_ = 0;
  uint32_t burst_left_ = 0;
  int64_t now_ns_ = 0, next_arrival_ns_ = 0, first_ns_ = 0, last_ns_ = 0;
  std::vector<int64_t> born_ns_;  // by token; negative: does not count
  uint64_t outstanding_ = 0;      // counted and not yet ended
  std::priority_queue<Landing, std::vector<Landing>, std::greater<>> landings_;
  std::unordered_map<uint64_t, std::vector<uint64_t>> flying_;
  Actions actions_;
  uint64_t batches_ = 0, rows_ = 0;
  std::vector<int64_t> latencies_;
  Result result_;
};

}  // namespace

Result simulate(const Options& options) { return Simulation(options).run(); }

}  // namespace mlq::serve::sim
