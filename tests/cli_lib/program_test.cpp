// Exit statuses, and what a command may say.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>
#include <chrono>
#include <csignal>
#include <new>
#include <stdexcept>
#include <thread>

#include "tests/cli_lib/toy.h"

namespace mlq::cli::test {
namespace {

Outcome run_with(std::function<ExitKind(Context&)> then, const std::vector<std::string>& more = {}) {
  ToyOptions options;
  options.then = std::move(then);
  std::vector<std::string> args{"make", "gamma"};
  args.insert(args.end(), more.begin(), more.end());
  return run_toy(options, args);
}

TEST(ExitStatus, IsWhatTheCommandReturns) {
  EXPECT_EQ(run_with([](Context&) { return ExitKind::done; }).status, 0);
  EXPECT_EQ(run_with([](Context&) { return ExitKind::answer_no; }).status, 1);
}

TEST(ExitStatus, IsTheKindOfTheError) {
  const Outcome input = run_with([](Context&) -> ExitKind { throw input_error("a.jsonl:3: damaged"); });
  EXPECT_EQ(input.status, 3);
  EXPECT_EQ(input.err, "toy: a.jsonl:3: damaged\n");
  EXPECT_EQ(run_with([](Context&) -> ExitKind { throw environment_error("disk"); }).status, 4);
  const Outcome usage =
      run_with([](Context&) -> ExitKind { throw usage_error("--a and --b exclude each other"); });
  EXPECT_EQ(usage.status, 2);
  EXPECT_EQ(usage.err, "toy: make: --a and --b exclude each other\n");
}

TEST(ExitStatus, OfAClosedPipeIsZeroAndNothingIsSaid) {
  const Outcome outcome = run_with([](Context&) -> ExitKind { throw ClosedPipe(); });
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.err, "");
}

TEST(ExitStatus, OfMemoryThatRanOutIsFour) {
  const Outcome outcome = run_with([](Context&) -> ExitKind { throw std::bad_alloc(); });
  EXPECT_EQ(outcome.status, 4);
  EXPECT_EQ(outcome.err, "toy: out of memory\n");
}

TEST(ExitStatus, OfAnotherExceptionIsFiveWithWhatToReport) {
  const Outcome outcome =
      run_with([](Context&) -> ExitKind { throw std::logic_error("no such state"); }, {"--law", "a b"});
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.err,
            "toy: no such state\n"
            "toy: this is a fault of toy 1.2.3; please report it with the line above and this command:\n"
            "toy: toy make gamma --law 'a b'\n");
  EXPECT_EQ(run_with([](Context&) -> ExitKind { throw Error(ExitKind::bug, "x"); }).status, 5);
}

// Where a shell has started this in the background, SIGINT is ignored.
void heed_interrupts() { std::signal(SIGINT, SIG_DFL); }

TEST(ExitStatus, AfterASignalIs128AndTheSignal) {
  heed_interrupts();
  for (const int signal : {SIGINT, SIGTERM}) {
    const Outcome outcome = run_with([&](Context& context) {
      EXPECT_FALSE(context.stop());
      raise(signal);
      EXPECT_EQ(context.stop().signal(), signal);
      return ExitKind::done;
    });
    EXPECT_EQ(outcome.status, 128 + signal);
  }
}

TEST(Signals, SecondOneKills) {
  heed_interrupts();
  const auto twice = [](std::chrono::milliseconds apart) {
    return run_with([&](Context&) {
             raise(SIGINT);
             std::this_thread::sleep_for(apart);
             raise(SIGTERM);
             return ExitKind::done;
           })
        .status;
  };
  EXPECT_EXIT(twice(std::chrono::milliseconds(150)), testing::KilledBySignal(SIGTERM), "");
}

TEST(Signals, OnesThatWereIgnoredStayIgnored) {
  const auto before = std::signal(SIGINT, SIG_IGN);
  const Outcome outcome = run_with([](Context& context) {
    raise(SIGINT);
    EXPECT_FALSE(context.stop());
    return ExitKind::done;
  });
  std::signal(SIGINT, before);
  EXPECT_EQ(outcome.status, 0);
}

TEST(Signals, HandlersArePutBack) {
  heed_interrupts();
  run_with([](Context&) { return ExitKind::done; });
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL);
  }
}

TEST(Version, IsNameAndNumber) {
  const Outcome outcome = run_toy({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, "toy 1.2.3\n");
}

int status_of_help_to(int fd) {
  ToyOptions options;
  const Program program = toy_program(options);
  Terminal terminal;
  terminal.out = fd;
  terminal.err = open("/dev/null", O_WRONLY);
  const char* argv[] = {"toy", "make", "--help"};
  const int status = run_main(program, 3, argv, terminal);
  close(terminal.err);
  return status;
}

TEST(Help, ToAFullDiskIsFour) {
  const int full = open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  EXPECT_EQ(status_of_help_to(full), 4);
  close(full);
}

TEST(Help, ToAClosedPipeIsZero) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(status_of_help_to(ends[1]), 0);
  close(ends[1]);
}

TEST(StandardStreams, ClosedOnesAreNotTakenByFilesOpenedLater) {
  const auto open_a_file = [] {
    close(1);
    close(2);
    ToyOptions options;
    options.then = [](Context&) {
      const int fd = open("/dev/null", O_WRONLY);
      const bool writes_fail = write(1, "x", 1) < 0 && write(2, "x", 1) < 0;
      return fd > 2 && writes_fail ? ExitKind::answer_no : ExitKind::done;
    };
    const Program program = toy_program(options);
    const char* argv[] = {"toy", "make", "gamma"};
    _exit(run_main(program, 3, argv));
  };
  EXPECT_EXIT(open_a_file(), testing::ExitedWithCode(1), "");
}

TEST(Context, MessagesBeginWithTheProgramAndGoByVerbosity) {
  const auto speak = [](Context& context) {
    context.note("note");
    context.detail("detail");
    context.warn("warning");
    return ExitKind::done;
  };
  EXPECT_EQ(run_with(speak).err, "toy: note\ntoy: warning: warning\n");
  EXPECT_EQ(run_with(speak, {"-q"}).err, "toy: warning: warning\n");
  EXPECT_EQ(run_with(speak, {"-v"}).err, "toy: note\ntoy: detail\ntoy: warning: warning\n");
}

TEST(Context, EachLineOfASummaryBeginsWithTheProgram) {
  const auto summarise = [](Context& context) {
    if (context.wants_summary()) context.print("a  1\nb  2\n");
    return ExitKind::done;
  };
  EXPECT_EQ(run_with(summarise).err, "");
  EXPECT_EQ(run_with(summarise, {"--summary"}).err, "toy: a  1\ntoy: b  2\n");
}

TEST(Context, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_EQ(run_with([](Context& context) {
              context.note("a\033[31mb\r\tc");
              return ExitKind::done;
            }).err,
            "toy: a\\x1b[31mb\\x0d c\n");
}

TEST(Context, ProgressIsSilentWithoutATerminalUnlessAsked) {
  const auto work = [](Context& context) {
    for (int i = 0; i < 1000; ++i) context.progress([i] { return std::to_string(i); });
    return ExitKind::done;
  };
  EXPECT_EQ(run_with(work).err, "");
  EXPECT_TRUE(run_with(work, {"--progress"}).err.starts_with("toy: 0\n"));
}

TEST(Context, ProgressOnATerminalIsOneLineAtMostSixASecondAndWiped) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ToyOptions options;
  const Program program = toy_program(options);
  StopFlag stop;
  Terminal terminal;
  terminal.err = ends[1];
  terminal.err_is_terminal = true;
  terminal.err_width = 20;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::duration<double> took{};
  {
    Context context(program, {"toy"}, terminal, stop);
    while (took < std::chrono::milliseconds(400)) {
      context.progress([] { return std::string("a line that is too long for it"); });
      took = std::chrono::steady_clock::now() - start;
    }
  }
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(read(ends[0], text.data(), text.size())));
  close(ends[0]);
  close(ends[1]);
  const std::string line = "\rtoy: a line that is\033[K";
  size_t lines = 0;
  while (text.starts_with(line)) {
    text.erase(0, line.size());
    ++lines;
  }
  EXPECT_GE(lines, 2u);
  EXPECT_LE(static_cast<double>(lines), 1 + 6 * took.count());
  EXPECT_EQ(text, "\r\033[K");
}

TEST(Context, ColourIsOnlyWhereTheTerminalHasIt) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ToyOptions options;
  const Program program = toy_program(options);
  StopFlag stop;
  Terminal terminal;
  terminal.err = ends[1];
  terminal.colour = true;
  Context(program, {"toy"}, terminal, stop).warn("x");
  std::string text(4096, '\0');
  text.resize(static_cast<size_t>(read(ends[0], text.data(), text.size())));
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(text, "\033[33mtoy: \033[0mwarning: x\n");
}

TEST(Context, ThreadsAreThoseAskedOrTheCores) {
  run_with(
      [](Context& context) {
        EXPECT_EQ(context.threads(), 3u);
        return ExitKind::done;
      },
      {"-j3"});
  run_with([](Context& context) {
    EXPECT_GE(context.threads(), 1u);
    return ExitKind::done;
  });
}

}  // namespace
}  // namespace mlq::cli::test
