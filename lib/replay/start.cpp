#include "lib/replay/start.h"

#include <fcntl.h>
#include <sys/timex.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <thread>

#include "lib/arrival/import/import.h"
#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/base/units.h"

namespace mlq::replay {
namespace {

constexpr int64_t kSoon = 20'000'000;           // threads get ready meanwhile
constexpr int64_t kFileAhead = 10'000'000'000;  // the others have so long to come

// The system's own bound on the error of the wall clock; absent if nothing keeps it.
std::optional<int64_t> wall_clock_error_ns() {
  timex state{};
  if (::adjtimex(&state) < 0 || (state.status & STA_UNSYNC) != 0) return std::nullopt;
  return int64_t{state.esterror} * 1000;
}

int64_t read_start_file(const std::string& path) {
  for (int tries = 0; tries < 100; ++tries) {  // it may have been made but not yet written
    const std::string text = read_file(path, 64);
    int64_t ns = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ns);
    if (error == std::errc{} && end != text.data() + text.size() && *end == '\n') return ns;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw environment_error("--start-at @{}: holds no start time; remove it and start all processes again",
                          path);
}

int64_t start_by_file(const std::string& path, int64_t unix_now) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (fd < 0 && errno == EEXIST) return read_start_file(path);
  if (fd < 0) throw environment_error("--start-at @{}: {}", path, std::strerror(errno));
  const std::string text = std::to_string(unix_now + kFileAhead) + "\n";
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (!written) throw environment_error("--start-at @{}: cannot write: {}", path, std::strerror(errno));
  return unix_now + kFileAhead;
}

void check_clock(const StartOptions& options, const std::optional<int64_t>& error) {
  if (!options.common || error.value_or(StartOptions::kAnyClockError) <= options.max_clock_error_ns) return;
  throw environment_error(
      "the wall clock's error is {}, above --max-clock-error {}; shards on other machines would not start "
      "together (--max-clock-error none if they are all on this one)",
      error ? format_duration(*error) : "unknown (nothing synchronises it)",
      format_duration(options.max_clock_error_ns));
}

}  // namespace

StartOptions parse_start(std::string_view text) {
  StartOptions start;
  if (text == "now") return start;
  if (text.starts_with('+')) {
    start.kind = StartOptions::Kind::after;
    start.ns = parse_duration(text.substr(1));
  } else if (text.starts_with('@') && text.size() > 1) {
    start.kind = StartOptions::Kind::file;
    start.path = text.substr(1);
  } else if (text.find('T') != text.npos) {
    start.kind = StartOptions::Kind::at;
    start.ns = arrival::parse_origin(text);
  } else {
    throw usage_error("\"{}\" is no start; write 2026-01-02T03:04:05Z, +30s, @FILE or now", text);
  }
  return start;
}

Start resolve_start(const StartOptions& options, uint32_t shard, uint32_t shards, MpiRanks* ranks,
                    const Clock& clock) {
  if (options.kind == StartOptions::Kind::mpi && ranks != nullptr) {
    const MpiStart agreed = ranks->start(shard, shards);
    return {agreed.start_ns, unix_now_ns() + agreed.start_ns - clock.now_ns(), agreed.offset_ns,
            agreed.error_ns};
  }
  const int64_t unix_now = unix_now_ns();
  const int64_t steady_now = clock.now_ns();
  Start start;
  start.unix_ns = unix_now + kSoon;
  if (options.kind == StartOptions::Kind::after) start.unix_ns = unix_now + std::max(options.ns, kSoon);
  if (options.kind == StartOptions::Kind::at || options.kind == StartOptions::Kind::file) {
    start.clock_error_ns = wall_clock_error_ns();
    check_clock(options, start.clock_error_ns);
    start.unix_ns =
        options.kind == StartOptions::Kind::at ? options.ns : start_by_file(options.path, unix_now);
    if (start.unix_ns < unix_now) {
      throw environment_error("the start was {} ago; choose a later one{}",
                              format_duration(unix_now - start.unix_ns),
                              options.path.empty() ? "" : ", and remove the file of the last run");
    }
  }
  start.steady_ns = steady_now + (start.unix_ns - unix_now);
  return start;
}

}  // namespace mlq::replay
