// Misfortunes of time: signals in mid-run.
#include <csignal>

#include "tests/misfortune/misfortune.h"

namespace mlq::test {
namespace {

class Signal : public testing::TestWithParam<std::tuple<Typical, int>> {
 protected:
  const Typical& typical() const { return std::get<0>(GetParam()); }
  int signal() const { return std::get<1>(GetParam()); }
  // A run that goes on until it is stopped.
  Command endless() const {
    Command c = on(typical(), "");
    c.signals = {signal()};
    if (typical().endless) {
      c.after_written = 3'000'000;
    } else {
      c.input = typical().reads == Reads::trace ? run_line() + arrivals(100) : typical().input;
      c.in = Command::In::held;
      c.when_asleep = true;
    }
    return c;
  }
  TempDir dir_;
};

TEST_P(Signal, TheFirstStopsTheRunCleanly) {
  const Result result = run(endless());
  EXPECT_STATUS(result, 128 + signal());
  // Weights are read in full before anything is said.
  if (typical().has_end && typical().reads != Reads::weights) {
    const std::string end = last_line(result.out);
    EXPECT_TRUE(end.starts_with("{\"type\":\"end\"")) << end;
    EXPECT_NE(end.find("\"interrupted\":true"), std::string::npos) << end;
    EXPECT_TRUE(result.out.ends_with('\n'));
  }
  expect_prefixed(result, typical().argv[0]);
}

TEST_P(Signal, LeavesTheOldFileWholeOrWhatWasMeasuredAndNothingBesideIt) {
  const std::string path = dir_.file("out", "old");
  Command c = endless();
  write_to(c, typical(), path);
  const Result result = run(c);
  EXPECT_STATUS(result, 128 + signal());
  EXPECT_EQ(dir_.listing(), "out");
  if (typical().keeps_output) {
    EXPECT_NE(slurp(path).find("\"interrupted\":true}\n"), std::string::npos);
  } else {
    EXPECT_EQ(slurp(path), "old");
  }
}

// As timeout(1) sends them, to the process and to its group, or a terminal and mpirun.
TEST_P(Signal, SeveralAtOnceAreOneRequest) {
  const std::string path = dir_.file("out", "old");
  Command c = endless();
  c.signals = {signal(), signal() == SIGINT ? SIGTERM : SIGINT};
  c.at_once = true;
  write_to(c, typical(), path);
  const Result result = run(c);
  EXPECT_TRUE(result.status == 128 + SIGINT || result.status == 128 + SIGTERM) << result.summary();
  EXPECT_EQ(dir_.listing(), "out");
}

class Second : public Signal {};

TEST_P(Second, KillsARunThatCannotEnd) {
  Command c = endless();
  c.out = Command::Out::unread;  // so that the clean stop cannot come to its end
  c.after_written = 1;
  c.when_asleep = true;
  c.signals = {signal(), signal()};
  const Result result = run(c);
  EXPECT_EQ(result.signal, signal()) << result.summary();
}

const auto can_be_stopped = [](const Typical& row) { return row.endless || row.reads != Reads::nothing; };
const auto is_endless = [](const Typical& row) { return row.endless; };
const auto both = testing::Values(SIGINT, SIGTERM);
std::string name_of(const testing::TestParamInfo<std::tuple<Typical, int>>& row) {
  return std::get<0>(row.param).name + (std::get<1>(row.param) == SIGINT ? "_INT" : "_TERM");
}
INSTANTIATE_TEST_SUITE_P(Misfortune, Signal,
                         testing::Combine(testing::ValuesIn(commands_where(can_be_stopped)), both), name_of);
INSTANTIATE_TEST_SUITE_P(Misfortune, Second,
                         testing::Combine(testing::ValuesIn(commands_where(is_endless)), both), name_of);

}  // namespace
}  // namespace mlq::test
