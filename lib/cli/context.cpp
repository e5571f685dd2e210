#include "lib/cli/context.h"

#include <sched.h>

#include <thread>

#include "lib/cli/text.h"

namespace mlq::cli {
namespace {

constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kYellow = "\033[33m";
constexpr std::string_view kPlain = "\033[0m";
constexpr auto kProgressEvery = std::chrono::milliseconds(170);  // at most six a second
constexpr auto kProgressEveryInLog = std::chrono::seconds(1);

// Cores this process may run on: containers and taskset leave less than the machine has.
unsigned usable_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<unsigned>(CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

// A file name may hold anything; a terminal must not act on it.
void append_harmless(std::string& out, std::string_view line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else if (c == '\t') {
      out += ' ';
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
}

}  // namespace

Context::Context(const Program& program, std::vector<std::string> argv, Terminal terminal, StopFlag& stop)
    : program_(program), argv_(std::move(argv)), terminal_(terminal), stop_(stop) {}

Context::~Context() { wipe(); }

unsigned Context::threads() const { return shared_.threads > 0 ? shared_.threads : usable_cores(); }

void Context::note(std::string_view message) {
  if (!shared_.quiet) say(message, "");
}

void Context::detail(std::string_view message) {
  if (shared_.verbose > 0) say(message, "");
}

void Context::warn(std::string_view message) { say("warning: " + std::string(message), kYellow); }

void Context::error(std::string_view message) { say(message, kRed); }

void Context::print(std::string_view lines) { say(lines, ""); }

void Context::say(std::string_view lines, std::string_view colour) {
  if (lines.ends_with('\n')) lines.remove_suffix(1);
  const bool coloured = terminal_.colour && !colour.empty();
  std::string out;
  for (size_t at = 0; at <= lines.size();) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    if (coloured) out += colour;
    out += program_.name + ": ";
    if (coloured) out += kPlain;
    append_harmless(out, lines.substr(at, end - at));
    out += '\n';
    at = end + 1;
  }
  const std::lock_guard lock(speaking_);
  wipe();
  write_error(terminal_.err, out);
}

void Context::wipe() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  write_error(terminal_.err, "\r\033[K");
}

void Context::progress(const std::function<std::string()>& text) {
  const bool on_terminal = terminal_.err_is_terminal;
  if (!shared_.progress.value_or(on_terminal && !shared_.quiet)) return;
  const std::lock_guard lock(speaking_);
  const auto now = Clock::now();
  if (now < next_progress_) return;
  next_progress_ =
      now + (on_terminal ? Clock::duration(kProgressEvery) : Clock::duration(kProgressEveryInLog));
  const std::string line = fmt::format("{}: {}", program_.name, text());
  if (on_terminal) {
    const auto width = static_cast<size_t>(std::max(1, terminal_.err_width - 1));
    write_error(terminal_.err, fmt::format("\r{}\033[K", first_columns(line, width)));
    progress_shown_ = true;
  } else {
    write_error(terminal_.err, line + '\n');
  }
}

}  // namespace mlq::cli
