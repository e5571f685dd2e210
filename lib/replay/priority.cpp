#include "lib/replay/priority.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "lib/base/error.h"

namespace mlq::replay {
namespace {

bool set_fifo() {
  sched_param parameters{};
  parameters.sched_priority = 10;
  return ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0;
}

bool set_nice() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  return ::setpriority(PRIO_PROCESS, thread, -10) == 0;
}

}  // namespace

unsigned allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

Priority raise_priority(Priority wanted) {
  ::prctl(PR_SET_TIMERSLACK, 1);
  if (wanted == Priority::off) return Priority::off;
  const bool fifo_starves = allowed_cores() < 2;
  if (wanted == Priority::fifo && fifo_starves) {
    throw environment_error("--rt fifo: only one core is allowed, and the server may need it; say --rt nice");
  }
  if (wanted != Priority::nice && !fifo_starves && set_fifo()) return Priority::fifo;
  if (wanted == Priority::fifo) {
    throw environment_error("--rt fifo: {}; raise RLIMIT_RTPRIO (ulimit -r 10), or say --rt auto",
                            std::strerror(errno));
  }
  if (set_nice()) return Priority::nice;
  if (wanted == Priority::nice) throw environment_error("--rt nice: {}; say --rt auto", std::strerror(errno));
  return Priority::off;
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  rlimit wanted = limit;
  wanted.rlim_cur = std::min<rlim_t>(limit.rlim_max, 1u << 20);
  if (wanted.rlim_cur > limit.rlim_cur && ::setrlimit(RLIMIT_NOFILE, &wanted) == 0) limit = wanted;
  return limit.rlim_cur;
}

int64_t thread_cpu_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

std::string_view priority_name(Priority priority) {
  switch (priority) {
    case Priority::automatic:
      return "auto";
    case Priority::fifo:
      return "fifo";
    case Priority::nice:
      return "nice";
    case Priority::off:
      return "off";
  }
  return "off";
}

}  // namespace mlq::replay
