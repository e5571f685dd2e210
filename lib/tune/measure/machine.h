// What Linux says of a server's processes and of the machine: CPU time, memory, pressure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace mlq::tune {

// What a server has used so far, and holds now.
struct ServerUse {
  int64_t cpu_ns = 0;  // user and system time, of children that have ended too
  std::optional<int64_t> memory_bytes;
};

// Of a process and all that descend from it, from PROC/PID/stat. A process that ends while it is looked at is
// left out; none if `root` itself cannot be read.
std::optional<ServerUse> process_tree_use(pid_t root, const std::string& proc = "/proc");

// Share of the last 10 s in which some task waited for a CPU (`some avg10` of PROC/pressure/cpu). None where
// the kernel does not say.
std::optional<double> cpu_pressure(const std::string& proc = "/proc");

// Of PROC/loadavg, the last minute's.
std::optional<double> load_average(const std::string& proc = "/proc");

}  // namespace mlq::tune
