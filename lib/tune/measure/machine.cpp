#include "lib/tune/measure/machine.h"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::tune {
namespace {

namespace fs = std::filesystem;

struct ProcessLine {
  pid_t parent = 0;
  uint64_t ticks = 0;  // utime + stime + cutime + cstime
  int64_t pages = 0;   // resident
};

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// proc_pid_stat(5). The name in parentheses may hold blanks and parentheses itself.
std::optional<ProcessLine> read_process(const std::string& proc, pid_t pid) {
  const std::string line = first_line(proc + "/" + std::to_string(pid) + "/stat");
  const size_t name_end = line.rfind(')');
  if (name_end == line.npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  std::string word;
  ProcessLine out;
  uint64_t utime = 0, stime = 0;
  int64_t cutime = 0, cstime = 0;
  fields >> word >> out.parent;                   // 3, 4
  for (int k = 5; k <= 13; ++k) fields >> word;   // pgrp .. cmajflt
  fields >> utime >> stime >> cutime >> cstime;   // 14 .. 17
  for (int k = 18; k <= 23; ++k) fields >> word;  // priority .. vsize
  fields >> out.pages;                            // 24
  if (!fields) return std::nullopt;
  out.ticks = utime + stime + static_cast<uint64_t>(std::max<int64_t>(cutime + cstime, 0));
  return out;
}

std::optional<pid_t> pid_of(const std::string& name) {
  pid_t pid = 0;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (fault != std::errc{} || end != name.data() + name.size() || pid <= 0) return std::nullopt;
  return pid;
}

std::map<pid_t, ProcessLine> all_processes(const std::string& proc) {
  std::map<pid_t, ProcessLine> out;
  std::error_code ignored;
  for (fs::directory_iterator at(proc, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const auto pid = pid_of(at->path().filename().string());
    if (!pid) continue;
    if (const auto line = read_process(proc, *pid)) out.emplace(*pid, *line);
  }
  return out;
}

}  // namespace

std::optional<ServerUse> process_tree_use(pid_t root, const std::string& proc) {
  const std::map<pid_t, ProcessLine> processes = all_processes(proc);
  if (!processes.contains(root)) return std::nullopt;
  const int64_t tick_ns = 1'000'000'000 / std::max<long>(::sysconf(_SC_CLK_TCK), 1);
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  std::multimap<pid_t, pid_t> children;
  for (const auto& [pid, line] : processes) children.emplace(line.parent, pid);
  ServerUse out;
  int64_t memory = 0;
  std::vector<pid_t> left{root};
  while (!left.empty()) {
    const pid_t pid = left.back();
    left.pop_back();
    const ProcessLine& line = processes.at(pid);
    out.cpu_ns += static_cast<int64_t>(line.ticks) * tick_ns;
    memory += line.pages * page;
    const auto [first, last] = children.equal_range(pid);
    for (auto at = first; at != last; ++at) left.push_back(at->second);
  }
  out.memory_bytes = memory;
  return out;
}

std::optional<double> cpu_pressure(const std::string& proc) {
  const std::string line = first_line(proc + "/pressure/cpu");
  constexpr std::string_view key = "some avg10=";
  if (line.compare(0, key.size(), key) != 0) return std::nullopt;
  try {
    return parse_double(std::string_view(line).substr(key.size(), line.find(' ', key.size()) - key.size())) /
           100;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<double> load_average(const std::string& proc) {
  const std::string line = first_line(proc + "/loadavg");
  try {
    return parse_double(std::string_view(line).substr(0, line.find(' ')));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace mlq::tune
