// What is shown on a terminal, and what only there.
#include <algorithm>
#include <csignal>

#include "tests/misfortune/misfortune.h"

namespace mlq::test {
namespace {

std::vector<std::string> programs() { return {"mlq-loadgen", "mlq-replay"}; }

class Program : public testing::TestWithParam<std::string> {};

TEST_P(Program, WithoutArgumentsOnATerminalGivesAShortHelp) {
  Command c;
  c.argv = {GetParam()};
  c.in = Command::In::terminal;
  c.limit = std::chrono::seconds(20);
  const Result result = run(c);
  EXPECT_FALSE(result.timed_out);
  EXPECT_STATUS(result, 2);
  EXPECT_EQ(result.out, "");
  const auto lines = std::count(result.err.begin(), result.err.end(), '\n');
  EXPECT_GE(lines, 3) << result.err;
  EXPECT_LE(lines, 20) << result.err;
}

TEST_P(Program, WithoutArgumentsInAPipeIsAUsageError) {
  const Result result = run({GetParam()});
  EXPECT_STATUS(result, 2);
  EXPECT_EQ(result.out, "");
  expect_prefixed(result, GetParam());
}

TEST_P(Program, HelpAndVersionGoToStandardOutput) {
  for (const char* option : {"-h", "--help", "--version"}) {
    const Result result = run({GetParam(), option});
    EXPECT_STATUS(result, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_FALSE(result.out.empty());
  }
}

TEST_P(Program, HelpIntoAClosedPipeIsQuietAndIntoAFullDeviceIsNot) {
  Command c;
  c.argv = {GetParam(), "--help"};
  c.out = Command::Out::dropped;
  const Result closed = run(c);
  EXPECT_STATUS(closed, 0);
  EXPECT_EQ(closed.err, "");
  c.out = Command::Out::file;
  c.out_file = "/dev/full";
  EXPECT_STATUS(run(c), 4);
}

TEST_P(Program, AnUnknownCommandOrOptionIsAUsageError) {
  for (const char* word : {"nonsense", "--nonsense", "-Z"}) {
    const Result result = run({GetParam(), word});
    EXPECT_STATUS(result, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err, "");
    expect_prefixed(result, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Misfortune, Program, testing::ValuesIn(programs()), [](const auto& row) {
  std::string name = row.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

class Terminal : public testing::TestWithParam<Typical> {
 protected:
  // An endless run that is stopped once it has worked for a while.
  Command command() const {
    Command c = on(GetParam(), "");
    c.signals = {SIGINT};
    c.after_written = 20'000'000;
    return c;
  }
};

TEST_P(Terminal, ProgressIsShownOnATerminal) {
  Command c = command();
  c.err_terminal = true;
  const Result result = run(c);
  EXPECT_NE(result.err.find(" arrivals\033[K"), std::string::npos) << result.summary();
}

TEST_P(Terminal, ProgressIsNotShownElsewhere) {
  const Result result = run(command());
  EXPECT_EQ(result.err.find("arrivals"), std::string::npos) << result.summary();
  EXPECT_EQ(result.err.find('\r'), std::string::npos) << result.summary();
}

TEST_P(Terminal, NoProgressAndQuietAreObeyed) {
  for (const char* option : {"--no-progress", "--quiet"}) {
    Command c = command();
    c.err_terminal = true;
    c.argv.push_back(option);
    const Result result = run(c);
    EXPECT_EQ(result.err.find("\033[K"), std::string::npos) << option << ": " << result.summary();
  }
}

const auto reads_something = [](const Typical& row) { return row.reads != Reads::nothing; };

// A command that would read what nobody types.
class Waiting : public testing::TestWithParam<Typical> {};

TEST_P(Waiting, ACommandWithoutArgumentsOnATerminalGivesHelpToo) {
  Command c;
  c.argv = {GetParam().argv[0], GetParam().argv[1]};
  c.in = Command::In::terminal;
  c.limit = std::chrono::seconds(20);
  const Result result = run(c);
  EXPECT_STATUS(result, 2);
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(Misfortune, Waiting, testing::ValuesIn(commands_where(reads_something)), test_name);

const auto endless = [](const Typical& row) { return row.endless; };
INSTANTIATE_TEST_SUITE_P(Misfortune, Terminal, testing::ValuesIn(commands_where(endless)), test_name);

TEST(Colour, IsForTerminalsAndHonoursNoColor) {
  Command c;
  c.argv = {"mlq-loadgen", "nonsense"};
  c.err_terminal = true;
  c.environment = {"NO_COLOR=", "TERM=xterm"};
  EXPECT_NE(run(c).err.find("\033["), std::string::npos);
  c.environment = {"NO_COLOR=1", "TERM=xterm"};
  EXPECT_EQ(run(c).err.find("\033["), std::string::npos);
  c.err_terminal = false;
  c.environment = {"NO_COLOR=", "TERM=xterm"};
  EXPECT_EQ(run(c).err.find("\033["), std::string::npos);
}

// script(1) is the terminal.
TEST(Colour, OfAPictureToo) {
  if (run({"sh", "-c", "gnuplot --version && script --version"}).status != 0)
    GTEST_SKIP() << "no gnuplot or no script";
  TempDir dir;
  const std::string trace = dir.file("t.jsonl", arrivals(50));
  const auto drawn = [&](const std::string& how) {
    Command c;
    c.argv = {"sh", "-c", "PATH=" MLQ_BIN_DIR ":$PATH; " + how};
    c.environment = {"NO_COLOR=", "TERM=xterm"};
    return run(c).out;
  };
  const std::string plot = "mlq-plot -q " + trace;
  EXPECT_NE(drawn("script -qec '" + plot + "' /dev/null </dev/null").find("\033["), std::string::npos);
  EXPECT_EQ(drawn("NO_COLOR=1 script -qec '" + plot + "' /dev/null </dev/null").find("\033["),
            std::string::npos);
  const std::string piped = drawn(plot);
  EXPECT_EQ(piped.find("\033["), std::string::npos);
  EXPECT_NE(piped.find("Arrival rate"), std::string::npos);
}

}  // namespace
}  // namespace mlq::test
