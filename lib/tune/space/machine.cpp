#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <fmt/format.h>

#include "lib/tune/space/expression.h"

namespace mlq::tune {
namespace {

int64_t cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return sysconf(_SC_NPROCESSORS_ONLN);  // more processors than cpu_set_t has places for
}

int64_t memory_bytes() {
  struct sysinfo info {};
  if (sysinfo(&info) != 0) return 0;
  return static_cast<int64_t>(uint64_t{info.totalram} * info.mem_unit);
}

int64_t gpus() {
  int64_t n = 0;
  while (n < 1024 && access(fmt::format("/dev/nvidia{}", n).c_str(), F_OK) == 0) ++n;
  return n;
}

}  // namespace

std::optional<KnobValue> machine_value(std::string_view name) {
  if (name == "cores") return cores();
  if (name == "memory_bytes") return memory_bytes();
  if (name == "gpus") return gpus();
  return std::nullopt;
}

}  // namespace mlq::tune
