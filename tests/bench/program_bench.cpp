// Bars of the program as a whole: start-up time, and memory over a long stream.
// usage: program_bench MLQ-LOADGEN [EVENTS]     default 100000000
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdlib>

#include "tests/bench/bench.h"

extern char** environ;

namespace {

struct Outcome {
  double wall_s;
  double cpu_s;
  double peak_bytes;
};

// Runs the program with its output thrown away.
Outcome run(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  const auto start = std::chrono::steady_clock::now();
  pid_t child = 0;
  if (posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) != 0) std::exit(4);
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) {
    std::fprintf(stderr, "program_bench: %s failed\n", argv[0]);
    std::exit(4);
  }
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return {wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime),
          static_cast<double>(usage.ru_maxrss) * 1024};
}

void result(const char* name, double value, const char* unit) {
  std::printf("{\"type\":\"bench\",\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n", name, value, unit);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: program_bench MLQ-LOADGEN [EVENTS]\n");
    return 2;
  }
  const std::string program = argv[1];
  const std::string events = argc > 2 ? argv[2] : "100000000";
  std::vector<double> walls;
  for (int k = 0; k < 51; ++k)
    walls.push_back(run({program, "gen", "poisson", "--rate", "1/s", "--count", "1"}).wall_s);
  result("startup_wall", mlq::bench::median(walls), "s");
  for (const char* threads : {"1", "2", "8"}) {
    const Outcome outcome =
        run({program, "gen", "poisson", "--rate", "10k/s", "--count", events, "-j", threads});
    result((std::string("stream_peak_j") + threads).c_str(), outcome.peak_bytes, "bytes");
    result((std::string("stream_cpu_j") + threads).c_str(), outcome.cpu_s, "s");
    result((std::string("stream_wall_j") + threads).c_str(), outcome.wall_s, "s");
  }
}
