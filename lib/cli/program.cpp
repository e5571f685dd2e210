#include "lib/cli/program.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "lib/base/clock.h"
#include "lib/base/io.h"
#include "lib/cli/generate.h"
#include "lib/cli/parser.h"
#include "lib/cli/replaced_input.h"
#include "lib/cli/secret.h"
#include "lib/cli/table_rows.h"
#include "lib/cli/text.h"
#include "lib/records/registry.h"

namespace mlq::cli {
namespace {

constexpr std::string_view kStandardOutput = "standard output";

// What asks to stop often asks twice: timeout(1) signals the process and then its group, a terminal the group
// and mpirun its ranks. Signals that come so soon after the first are the same request.
constexpr int64_t kSameRequestNs = 100'000'000;

StopFlag process_stop;
std::atomic<int64_t> process_stop_ns{0};
static_assert(std::atomic<int64_t>::is_always_lock_free);

// The first asks to stop, the second kills.
void on_signal(int signal) {
  const int64_t now = SteadyClock().now_ns();
  if (!process_stop) {
    process_stop_ns = now;
    process_stop.request(signal);
  } else if (now - process_stop_ns >= kSameRequestNs) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
    raise(signal);
  }
}

std::atomic<bool> process_hangup{false};

void on_hangup(int) { process_hangup.store(true, std::memory_order_relaxed); }

// SIGPIPE ignored, SIGINT and SIGTERM to the stop flag, for as long as it lives.
class SignalScope {
 public:
  SignalScope() {
    process_stop.request(0);
    change(SIGPIPE, SIG_IGN, old_pipe_);
    take(SIGINT, old_interrupt_);
    take(SIGTERM, old_terminate_);
    sigaction(SIGHUP, nullptr, &old_hangup_);
  }
  ~SignalScope() {
    sigaction(SIGPIPE, &old_pipe_, nullptr);
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
    sigaction(SIGHUP, &old_hangup_, nullptr);
  }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

 private:
  // No SA_RESTART: a read that waits must return and look at the flag.
  static void change(int signal, void (*handler)(int), struct sigaction& old) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, &old);
  }
  // A program started with the signal ignored (nohup, a shell's background job) keeps it so.
  static void take(int signal, struct sigaction& old) {
    sigaction(signal, nullptr, &old);
    if (old.sa_handler != SIG_IGN) change(signal, on_signal, old);
  }

  struct sigaction old_pipe_ {};
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
  struct sigaction old_hangup_ {};
};

// A file opened later must not become standard error because that was closed. The places are taken so that
// reading and writing them still fails.
void occupy_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    (void)open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
  }
}

Option generate_row() {
  Option option;
  option.name = "generate";
  option.value = "WHAT";
  option.choices = {"man", "records", "bash", "zsh", "fish"};
  option.set = [](std::string_view) {};
  return option;
}

bool has_usual_arguments(const Command& command) {
  return !command.commands.empty() || !command.positionals.empty();
}

// One call of run_main. Its steps return the exit status.
class Invocation {
 public:
  Invocation(const Program& program, int argc, const char* const* argv, const Terminal& terminal)
      : program_(program),
        terminal_(terminal),
        args_(argv + std::min(argc, 1), argv + argc),
        context_(program, {argv, argv + argc}, terminal, process_stop),
        path_{&program.root} {}

  int run();

 private:
  int dispatch();
  int interrupted();
  int run_group();
  int run_command();
  bool answered(const Parsed& parsed);
  void generate(std::string_view what);
  void print(std::string_view text) { write_all(terminal_.out, text, kStandardOutput); }
  int fail(ExitKind kind, const std::string& message);
  int fail_of_ours(std::string_view what);
  std::vector<Option> rows();

  const Program& program_;
  const Terminal terminal_;
  std::vector<std::string> args_;  // what is left of the command line
  Context context_;
  CommandPath path_;
};

int Invocation::run() {
  try {
    const int status = dispatch();
    return process_stop ? interrupted() : status;
  } catch (const Error& error) {
    if (error.kind() == ExitKind::bug) return fail_of_ours(error.what());
    // An input that a signal has cut is no damaged one.
    if (process_stop && error.kind() == ExitKind::input) return interrupted();
    return fail(error.kind(), error.what());
  } catch (const ClosedPipe&) {
    return process_stop ? interrupted() : static_cast<int>(ExitKind::done);
  } catch (const std::bad_alloc&) {
    return fail(ExitKind::environment, "out of memory");
  } catch (const std::exception& error) {
    return fail_of_ours(error.what());
  }
}

int Invocation::interrupted() {
  const std::string& output = context_.shared().output;
  if (output != "-" && !context_.output_kept())
    context_.note(fmt::format("interrupted; {} is left as it was", output));
  return 128 + process_stop.signal();
}

int Invocation::dispatch() {
  if (args_.empty() && terminal_.in_is_terminal && has_usual_arguments(*path_.back())) {
    write_error(terminal_.err,
                brief_help(program_, path_, static_cast<size_t>(std::max(40, terminal_.err_width))));
    return static_cast<int>(ExitKind::usage);
  }
  return path_.back()->commands.empty() ? run_command() : run_group();
}

std::vector<Option> Invocation::rows() {
  std::vector<Option> rows = rows_of(path_, context_.shared());
  if (is_root(path_)) rows.push_back(generate_row());
  return rows;
}

int Invocation::run_group() {
  const Command& group = *path_.back();
  const std::vector<Option> options = rows();
  const Parsed parsed = parse_options(options, args_, OptionsStand::before_words);
  if (answered(parsed)) return static_cast<int>(ExitKind::done);
  std::vector<Choice> names;
  for (const Command& command : group.commands) names.emplace_back(command.name);
  if (parsed.words.empty()) {
    throw usage_error("a command is missing: one of {}; see {} --help", join(choice_names(names), ", "),
                      full_name(path_));
  }
  for (const Command& command : group.commands) {
    if (command.name != parsed.words.front()) continue;
    path_.push_back(&command);
    args_.assign(parsed.words.begin() + 1, parsed.words.end());
    return dispatch();
  }
  throw usage_error("command {}", not_among(parsed.words.front(), names));
}

int Invocation::run_command() {
  const Command& command = *path_.back();
  const std::vector<Option> options = rows();
  const Parsed parsed = parse_options(options, args_, OptionsStand::anywhere);
  if (answered(parsed)) return static_cast<int>(ExitKind::done);
  assign_options(options, parsed, [](const char* name) -> const char* { return std::getenv(name); });
  assign_positionals(command.positionals, parsed.words);
  const bool records = std::ranges::count(command.shared, Shared::no_provenance) > 0;
  refuse_replaced_input(context_.shared().output, records, parsed, command.positionals);
  return static_cast<int>(command.run(context_));
}

// --help, --version and --generate, which leave nothing else to do.
bool Invocation::answered(const Parsed& parsed) {
  for (const auto& [option, value] : parsed.given) {
    if (option->name == "help") {
      print(help_text(program_, path_, static_cast<size_t>(terminal_.out_width)));
      return true;
    }
    if (is_root(path_) && option->name == "version") {
      print(program_.name + ' ' + program_.version + '\n');
      if (!program_.version_note.empty()) print(program_.version_note + '\n');
      return true;
    }
    if (is_root(path_) && option->name == "generate") {
      generate(value);
      return true;
    }
  }
  return false;
}

void Invocation::generate(std::string_view what) {
  if (what == "bash") return print(bash_completion(program_));
  if (what == "zsh") return print(zsh_completion(program_));
  if (what == "fish") return print(fish_completion(program_));
  if (what == "man") return print(man_page(program_, read_file("-")));
  if (what == "records") return print(records_page(program_, records::registry(), read_file("-")));
  throw usage_error("--generate: {}", not_among(what, generate_row().choices));
}

int Invocation::fail(ExitKind kind, const std::string& message) {
  std::string where;
  if (kind == ExitKind::usage) {
    for (size_t i = 1; i < path_.size(); ++i) where += path_[i]->name + ": ";
  }
  context_.error(where + message);
  return static_cast<int>(kind);
}

int Invocation::fail_of_ours(std::string_view what) {
  std::vector<std::string> quoted;
  for (const std::string& arg : redact(context_.argv())) quoted.push_back(shell_quoted(arg));
  context_.error(
      fmt::format("{}\nthis is a fault of {} {}; please report it with the line above and this command:\n{}",
                  what, program_.name, program_.version, join(quoted, " ")));
  return static_cast<int>(ExitKind::bug);
}

}  // namespace

std::atomic<bool>& Context::hangup() {
  struct sigaction action {};
  action.sa_handler = on_hangup;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGHUP, &action, nullptr);
  return process_hangup;
}

int run_main(const Program& program, int argc, const char* const* argv) {
  occupy_standard_streams();
  return run_main(program, argc, argv, Terminal::look());
}

int run_main(const Program& program, int argc, const char* const* argv, const Terminal& terminal) {
  const SignalScope signals;
  return Invocation(program, argc, argv, terminal).run();
}

}  // namespace mlq::cli
