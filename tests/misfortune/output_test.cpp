// Misfortunes of writing: full disks, readers that go away, folders that are not there.
#include <sys/stat.h>

#include "tests/misfortune/misfortune.h"

namespace mlq::test {
namespace {

class Output : public testing::TestWithParam<Typical> {
 protected:
  Command command() const { return on(GetParam(), good_input(GetParam())); }
  Command to_file(const std::string& path) const {
    Command c = command();
    write_to(c, GetParam(), path);
    return c;
  }
  TempDir dir_;
};

TEST_P(Output, AFullDeviceIsNoticed) {
  Command c = command();
  c.out = Command::Out::file;
  c.out_file = "/dev/full";
  const Result result = run(c);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "No space left on device");
}

TEST_P(Output, AFullDeviceNamedWithDashOIsNoticed) {
  const Result result = run(to_file("/dev/full"));
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "/dev/full: cannot write: No space left on device");
}

TEST_P(Output, AReaderThatGoesAwayIsNoError) {
  for (const size_t bytes : {0, 1, 100'000}) {
    Command c = command();
    c.out = Command::Out::dropped;
    c.out_bytes = bytes;
    if (GetParam().endless || bytes == 0) {
      const Result result = run(c);
      EXPECT_STATUS(result, 0);
      EXPECT_EQ(result.err, GetParam().is_server
                                ? "mlq-serve: warning: nobody reads the records any more; those "
                                  "to come are lost, and the server goes on\n"
                                : "");
    }
  }
}

TEST_P(Output, AClosedStandardOutputIsNoticed) {
  Command c = command();
  c.out = Command::Out::closed;
  const Result result = run(c);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "standard output");
}

TEST_P(Output, AMissingFolderIsNamed) {
  const std::string path = dir_ / "missing/out";
  const Result result = run(to_file(path));
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, path);
  EXPECT_SAYS(result, "cannot create: No such file or directory");
}

TEST_P(Output, AFolderIsNoFile) {
  const Result result = run(to_file(dir_.path()));
  if (GetParam().fills_folder) {
    EXPECT_STATUS(result, 0);
    return;
  }
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "is a directory");
}

TEST_P(Output, AReadOnlyFolderIsTheEnvironmentsFault) {
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0555), 0);
  Command c = to_file(dir_ / "out");
  c.unprivileged = true;
  const Result result = run(c);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "Permission denied");
}

INSTANTIATE_TEST_SUITE_P(Misfortune, Output, testing::ValuesIn(typical_commands()), test_name);

class WholeFile : public Output {};

TEST_P(WholeFile, ReplacesTheOldOneAndLeavesNothingElse) {
  const Result piped = run(command());
  const std::string path = dir_.file("out", "old");
  const Result result = run(to_file(path));
  EXPECT_STATUS(result, piped.status);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(dir_.listing(), "out");
  if (!GetParam().has_end) EXPECT_EQ(slurp(path), piped.out);
  EXPECT_EQ(last_line(slurp(path)), last_line(piped.out));
}

TEST_P(WholeFile, DashIsStandardOutput) {
  const Result piped = run(command());
  const Result dash = run(to_file("-"));
  EXPECT_EQ(dash.status, piped.status);
  EXPECT_EQ(last_line(dash.out), last_line(piped.out));
}

TEST_P(WholeFile, DoesNotDependOnWhatStandardStreamsAreOpen) {
  for (const bool in_closed : {false, true}) {
    if (in_closed && GetParam().reads != Reads::nothing) continue;
    Command c = to_file(dir_ / "out");
    if (in_closed) c.in = Command::In::closed;
    c.out = Command::Out::closed;
    const Result result = run(c);
    EXPECT_EQ(result.err.find("cannot"), std::string::npos) << result.summary();
    EXPECT_EQ(last_line(slurp(dir_ / "out")), last_line(run(command()).out));
  }
}

INSTANTIATE_TEST_SUITE_P(Misfortune, WholeFile, testing::ValuesIn(commands_where([](const Typical& row) {
                           return !row.endless && !row.needs_output;
                         })),
                         test_name);

class FailedRun : public Output {};

TEST_P(FailedRun, LeavesTheOldFileWhole) {
  const std::string path = dir_.file("out", "old");
  Command c = to_file(path);
  c.input = "{\"type\":\"arrival\",\"t_ns\":1}\nno record\n{\"type\":\"arrival\",\"t_ns\":2}\n";
  const Result result = run(c);
  EXPECT_STATUS(result, 3);
  EXPECT_EQ(slurp(path), "old");
  EXPECT_EQ(dir_.listing(), "out");
}

INSTANTIATE_TEST_SUITE_P(Misfortune, FailedRun, testing::ValuesIn(commands_where([](const Typical& row) {
                           return row.reads == Reads::trace;
                         })),
                         test_name);

class IntoItself : public Output {};

TEST_P(IntoItself, TheInputMayBeTheOutput) {
  const std::string path = dir_.file("both", good_input(GetParam()));
  const Result piped = run(command());
  Command c = to_file(path);
  c.input = "";
  read_file(c, path);
  const Result result = run(c);
  EXPECT_EQ(dir_.listing(), "both");
  // Of weights, gradients and logs nobody means to make records, nor of what an option names; nor of records
  // what is none.
  const std::vector<std::string> argv = command().argv;
  const auto dash = std::find(argv.begin(), argv.end(), "-");
  const bool of_option = dash != argv.end() && dash != argv.begin() && dash[-1].starts_with("--");
  if (GetParam().output == "--records" || of_option || !GetParam().has_end ||
      !good_input(GetParam()).starts_with('{')) {
    EXPECT_STATUS(result, 2);
    EXPECT_EQ(slurp(path), good_input(GetParam()));
    return;
  }
  EXPECT_STATUS(result, piped.status);
  EXPECT_EQ(last_line(slurp(path)), last_line(piped.out));
}

TEST_P(IntoItself, AppendingToTheInputIsRefused) {
  const std::string before = good_input(GetParam());
  const std::string path = dir_.file("both", before);
  Command c = command();
  c.input = "";
  read_file(c, path);
  c.out = Command::Out::file;
  c.out_file = path;
  const Result result = run(c);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "is the input and the output");
  EXPECT_EQ(slurp(path), before);
}

INSTANTIATE_TEST_SUITE_P(Misfortune, IntoItself, testing::ValuesIn(commands_where([](const Typical& row) {
                           return row.reads != Reads::nothing && !row.needs_output;
                         })),
                         test_name);

}  // namespace
}  // namespace mlq::test
