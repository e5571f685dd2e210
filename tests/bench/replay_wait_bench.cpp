// The least lag that any sender can have on this machine at this moment: a loop that does nothing but wait
// for absolute instants with epoll_pwait2 under SCHED_FIFO and read the clock when it wakes. WORK_US makes it
// busy for so long at each instant: what a kernel does to real-time threads depends on how much they run.
// usage: replay_wait_bench RATE SECONDS [WORK_US]     default 0
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <cstdlib>

#include "lib/base/clock.h"
#include "tests/bench/bench.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: replay_wait_bench RATE SECONDS [WORK_US]\n");
    return 2;
  }
  const double rate = std::atof(argv[1]);
  const auto count = static_cast<size_t>(rate * std::atof(argv[2]));
  const auto work_ns = static_cast<int64_t>(argc > 3 ? std::atof(argv[3]) * 1e3 : 0);
  sched_param priority{};
  priority.sched_priority = 10;
  ::prctl(PR_SET_TIMERSLACK, 1);
  if (::sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
    std::fprintf(stderr, "replay_wait_bench: SCHED_FIFO is not allowed\n");
    return 4;
  }
  const int epoll = ::epoll_create1(0);
  const mlq::SteadyClock clock;
  const int64_t start = clock.now_ns() + 10'000'000;
  std::vector<double> lags;
  lags.reserve(count);
  while (lags.size() < count) {
    const int64_t due = start + static_cast<int64_t>(static_cast<double>(lags.size()) * 1e9 / rate);
    const int64_t now = clock.now_ns();
    if (now >= due) {
      lags.push_back(static_cast<double>(now - due));
      while (clock.now_ns() < now + work_ns) {
      }
      continue;
    }
    const timespec left{.tv_sec = (due - now) / 1'000'000'000, .tv_nsec = (due - now) % 1'000'000'000};
    epoll_event event;
    ::epoll_pwait2(epoll, &event, 1, &left, nullptr);
  }
  const auto tenth = static_cast<std::ptrdiff_t>(count / 10);
  const double change = mlq::bench::median({lags.end() - tenth, lags.end()}) -
                        mlq::bench::median({lags.begin(), lags.begin() + tenth});
  std::printf(
      "{\"type\":\"bench\",\"name\":\"wait_floor_median_last_less_first\",\"value\":%.0f,\"unit\":\"ns\"}\n",
      change);
  std::sort(lags.begin(), lags.end());
  for (const auto& [name, permille] : {std::pair{"p50", 500}, {"p99", 990}, {"p999", 999}}) {
    std::printf("{\"type\":\"bench\",\"name\":\"wait_floor_%s\",\"value\":%.0f,\"unit\":\"ns\"}\n", name,
                lags[lags.size() * static_cast<size_t>(permille) / 1000]);
  }
}
