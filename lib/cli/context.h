// What a running command is given: the shared options, the stop flag, and everything that may be said on
// standard error. Each line there begins with the program's name; standard output belongs to the records.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/stop.h"
#include "lib/cli/option.h"
#include "lib/cli/terminal.h"

namespace mlq::cli {

// The values of the shared options; see Shared.
struct SharedOptions {
  std::string output = "-";      // -o, --output: path, or - for standard output
  unsigned threads = 0;          // -j, --threads: 0 is one for each core that this process may use
  uint64_t seed = 1;             // --seed
  bool seed_given = false;       // it stood on the command line
  bool strict = false;           // --strict: unknown fields and types are errors
  bool provenance = true;        // --no-provenance: no `run` and no `end` record
  bool allow_truncated = false;  // --allow-truncated: a cut input is no error
  bool quiet = false;            // -q, --quiet: warnings and errors only
  int verbose = 0;               // -v, --verbose: how often it was given
  bool summary = false;          // --summary: also where standard error is no terminal
  std::optional<bool> progress;  // --progress, --no-progress
};

// Lives while the command runs. note, detail, warn, progress and print may be called from any thread.
class Context {
 public:
  Context(const Program& program, std::vector<std::string> argv, Terminal terminal, StopFlag& stop);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Program& program() const { return program_; }
  const std::vector<std::string>& argv() const { return argv_; }  // as given, with the program's name first
  const SharedOptions& shared() const { return shared_; }
  SharedOptions& shared() { return shared_; }
  unsigned threads() const;           // at least 1
  StopFlag& stop() { return stop_; }  // set by the first SIGINT or SIGTERM
  // From the first call on SIGHUP no longer kills but sets this flag; who acts on it takes it back.
  std::atomic<bool>& hangup();
  const Terminal& terminal() const { return terminal_; }
  bool wants_summary() const { return shared_.summary || (terminal_.err_is_terminal && !shared_.quiet); }

  void note(std::string_view message);    // not with -q
  void detail(std::string_view message);  // only with -v
  void warn(std::string_view message);    // always, with `warning: `
  void error(std::string_view message);   // always; commands throw mlq::Error instead
  // The summary: text of several lines. Call it if wants_summary().
  void print(std::string_view lines);

  // The output is written also when the command is interrupted; see Writer::keep_interrupted.
  void keep_output() { output_kept_ = true; }
  bool output_kept() const { return output_kept_; }

  // The progress line. Cheap to call often: `text` is asked only when a line is due, at most six times a
  // second and only on a terminal (or with --progress, where the lines follow one another). It is wiped
  // before anything else is said.
  void progress(const std::function<std::string()>& text);

 private:
  using Clock = std::chrono::steady_clock;
  void say(std::string_view lines, std::string_view colour);
  void wipe();

  const Program& program_;
  const std::vector<std::string> argv_;
  const Terminal terminal_;
  StopFlag& stop_;
  SharedOptions shared_;
  std::mutex speaking_;
  Clock::time_point next_progress_{};
  bool progress_shown_ = false;
  bool output_kept_ = false;
};

}  // namespace mlq::cli
