#include "lib/serve/model/synthetic.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "lib/base/clock.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::serve::model {
namespace {

constexpr double kLongestNs = 86'400e9;
constexpr int64_t kSliceNs = 20'000'000;  // of a wait, between two looks at the flag
// Streams of the draws of one batch.
constexpr uint32_t kNoise = 0;
constexpr uint32_t kStall = 1;

ModelInfo synthetic_info(const char* platform, bool echo) {
  ModelInfo info{.platform = platform};
  if (echo) info.outputs.push_back({"tag", Datatype::fp64, 1, false});
  info.outputs.push_back({"output", Datatype::fp64, 1, false});
  return info;
}

Answer zeros(const ModelInfo& info, const Rows& rows) {
  Answer answer;
  for (size_t k = 0; k < info.outputs.size(); ++k) answer.outputs.emplace_back(rows.count, 0.0);
  if (info.outputs.size() == 2 && rows.width() > 0) {
    for (size_t i = 0; i < rows.count; ++i) answer.outputs[0][i] = *rows.row(i);
  }
  return answer;
}

void wait_until(int64_t end_ns, bool burn, const StopFlag* give_up) {
  const SteadyClock clock;
  for (int64_t now = clock.now_ns(); now < end_ns; now = clock.now_ns()) {
    if (give_up != nullptr && *give_up) return;
    if (burn) continue;
    const int64_t until = std::min(end_ns, now + kSliceNs);
    const timespec at{until / 1'000'000'000, until % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
}

class Noop final : public Model {
 public:
  explicit Noop(bool echo) : Model(synthetic_info("mlq_noop", echo)) {}
  Answer predict(const Rows& rows, const Conditions&, RowPool&, const StopFlag*) override {
    return zeros(info(), rows);
  }
};

class Sleep final : public Model {
 public:
  explicit Sleep(bool echo) : Model(synthetic_info("mlq_sleep", echo)) {}
  Answer predict(const Rows& rows, const Conditions& conditions, RowPool&, const StopFlag* give_up) override {
    const SleepOptions& sleep = conditions.sleep;
    const int64_t start_ns = SteadyClock().now_ns();
    // As a process that the kernel ends, not as one that can still clean up.
    if (sleep.crash_after > 0 && conditions.batch + 1 >= sleep.crash_after) ::kill(::getpid(), SIGKILL);
    wait_until(start_ns + sleep_time(conditions, rows.count), sleep.burn, give_up);
    return zeros(info(), rows);
  }
};

}  // namespace

std::unique_ptr<Model> make_noop(bool echo) { return std::make_unique<Noop>(echo); }
std::unique_ptr<Model> make_sleep(bool echo) { return std::make_unique<Sleep>(echo); }

int64_t sleep_time(const Conditions& conditions, size_t rows) {
  const SleepOptions& sleep = conditions.sleep;
  const RandomStream random(conditions.seed, Purpose::service);
  double ns =
      static_cast<double>(sleep.base_ns) + static_cast<double>(sleep.per_row_ns) * static_cast<double>(rows);
  if (sleep.noise > 0) {
    const double z = fmath::normal_quantile(random.uniform(conditions.batch, 0, kNoise));
    ns *= fmath::exp(sleep.noise * z - sleep.noise * sleep.noise / 2);
  }
  if (random.uniform(conditions.batch, 0, kStall) < sleep.stall_share)
    ns += static_cast<double>(sleep.stall_ns);
  return static_cast<int64_t>(std::min(std::floor(ns + 0.5), kLongestNs));
}

}  // namespace mlq::serve::model
