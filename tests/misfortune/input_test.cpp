// Misfortunes of reading: files that are not there, cut, damaged or too long.
#include <sys/stat.h>

#include <filesystem>

#include "tests/misfortune/misfortune.h"

namespace mlq::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // shadow memory says nothing of the program's own
#else
constexpr bool kSanitized = false;
#endif

class Input : public testing::TestWithParam<Typical> {
 protected:
  Result run_on(std::string input) const { return run(on(GetParam(), std::move(input))); }
  Result run_on_file(const std::string& path, bool unprivileged = false) const {
    Command c = on(GetParam(), "");
    c.unprivileged = unprivileged;
    // The sources may lie where "nobody" cannot go, as in /root.
    for (std::string& word : c.argv)
      if (unprivileged && word.starts_with(MLQ_SOURCE_DIR) && std::filesystem::is_regular_file(word))
        word = dir_.file(std::filesystem::path(word).filename().string(), slurp(word));
    read_file(c, path);
    return run(c);
  }
  // Exit 0, or 1 where a claim was tested and found wrong.
  static void expect_worked(const Result& result) {
    EXPECT_TRUE(result.status == 0 || result.status == 1) << result.summary();
  }
  TempDir dir_;
};

class Text : public Input {};

TEST_P(Input, AMissingFileIsNamed) {
  const std::string path = dir_ / "missing.jsonl";
  const Result result = run_on_file(path);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, path + ": cannot open: No such file or directory");
}

TEST_P(Text, AFolderIsNoFile) {
  const Result result = run_on_file(dir_.path());
  EXPECT_STATUS(result, GetParam().takes_folder ? 3 : 4);
  EXPECT_SAYS(result, GetParam().takes_folder ? "file is in it" : "is a directory");
}

TEST_P(Input, AFileThatMayNotBeReadIsNamed) {
  const std::string path = dir_.file("secret", good_input(GetParam()));
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0200), 0);
  const Result result = run_on_file(path, true);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, path + ": cannot open: Permission denied");
}

TEST_P(Input, AClosedStandardInputIsNoticed) {
  Command c = on(GetParam(), "");
  c.in = Command::In::closed;
  const Result result = run(c);
  EXPECT_STATUS(result, 4);
  EXPECT_SAYS(result, "standard input: cannot read");
}

TEST_P(Input, EmptyInputIsNoFault) {
  const Result result = run_on("");
  EXPECT_STATUS(result, GetParam().of_empty_input);
  if (!GetParam().of_nothing) {
    EXPECT_EQ(result.out, "");
  } else if (GetParam().has_end) {
    EXPECT_TRUE(last_line(result.out).starts_with("{\"type\":\"end\"")) << result.summary();
  }
}

TEST_P(Text, CrLfReadsAsLf) {
  const std::string unix_text = good_input(GetParam());
  std::string text;
  for (const char c : unix_text) {
    if (c == '\n') text += '\r';
    text += c;
  }
  const Result expected = run_on(unix_text);
  expect_worked(expected);
  const Result result = run_on(text);
  EXPECT_EQ(result.status, expected.status) << result.summary();
  EXPECT_EQ(last_line(result.out), last_line(expected.out));
}

TEST_P(Text, AByteOrderMarkIsPassedOver) {
  const Result result = run_on("\xEF\xBB\xBF" + good_input(GetParam()));
  expect_worked(result);
  EXPECT_EQ(last_line(result.out), last_line(run_on(good_input(GetParam())).out));
}

// One line of about `size` bytes.
std::string long_line(Reads reads, size_t size) {
  if (reads == Reads::lines) return "0." + std::string(size, '1') + "\n";
  return R"({"type":"arrival","t_ns":0,"body":")" + std::string(size, 'x') + "\"}\n";
}

TEST_P(Text, ALineBeyondTheLimitIsRefusedInBoundedMemory) {
  const Result result = run_on(long_line(GetParam().reads, (size_t{64} << 20) + 10));
  if (GetParam().reads != Reads::lines) {
    EXPECT_STATUS(result, 3);
    EXPECT_SAYS(result, "standard input:1: the line is longer than 67108864 bytes");
  } else {
    EXPECT_STATUS(result, 0);  // one bad line is within the limit of bad lines
    EXPECT_NE(result.out.find("\"bad_lines\":1"), std::string::npos) << result.summary();
  }
  if (!kSanitized) EXPECT_LT(result.peak_bytes, size_t{300} << 20);
}

TEST_P(Text, ALongLineWithinTheLimitIsAccepted) {
  const std::string rest = GetParam().reads == Reads::trace ? arrivals(100) : GetParam().input;
  expect_worked(run_on(long_line(GetParam().reads, size_t{20} << 20) + rest));
}

const auto reads_something = [](const Typical& row) { return row.reads != Reads::nothing; };
INSTANTIATE_TEST_SUITE_P(Misfortune, Input, testing::ValuesIn(commands_where(reads_something)), test_name);

const auto reads_text = [](const Typical& row) {
  return row.reads != Reads::nothing && row.reads != Reads::weights;
};
INSTANTIATE_TEST_SUITE_P(Misfortune, Text, testing::ValuesIn(commands_where(reads_text)), test_name);

class Records : public Input {
 protected:
  // The work is done, and the fault is told after it.
  void expect_cut(const std::string& input, const std::string& said) const {
    const Result result = run_on(input);
    EXPECT_STATUS(result, 3);
    EXPECT_SAYS(result, said);
    EXPECT_FALSE(result.out.empty());
    if (GetParam().has_end)
      EXPECT_TRUE(last_line(result.out).starts_with("{\"type\":\"end\"")) << result.summary();
    Command allowed = on(GetParam(), input);
    allowed.argv.push_back("--allow-truncated");
    expect_worked(run(allowed));
  }
  void expect_refused(const std::string& input, const std::string& said) const {
    const Result result = run_on(input);
    EXPECT_STATUS(result, 3);
    EXPECT_SAYS(result, said);
  }
};

TEST_P(Records, ACutLastLineIsToldWhenTheWorkIsDone) {
  expect_cut(arrivals(100) + "{\"type\":\"arrival\",\"t_", "standard input:101: the last line is cut");
}

TEST_P(Records, AMissingEndIsToldWhenTheWorkIsDone) {
  expect_cut(run_line() + arrivals(100), "standard input: there is a run record and no end record");
}

TEST_P(Records, MadeByHandNeedNeitherRunNorEnd) { expect_worked(run_on(arrivals(100))); }

TEST_P(Records, UnknownFieldsAndTypesArePassedOver) {
  const std::string odd = R"({"type":"weather","sky":"blue"})"
                          "\n"
                          R"({"type":"arrival","t_ns":0,"mood":"good"})"
                          "\n" +
                          arrivals(100);
  expect_worked(run_on(odd));
  Command strict = on(GetParam(), odd);
  strict.argv.push_back("--strict");
  const Result result = run(strict);
  EXPECT_STATUS(result, 3);
  EXPECT_SAYS(result, "(--strict)");
}

TEST_P(Records, BadUtf8IsRefusedWithItsLine) {
  expect_refused(arrival_line(0) + "{\"type\":\"arrival\",\"t_ns\":1,\"class\":\"\xff\"}\n",
                 "standard input:2: not UTF-8");
}

TEST_P(Records, ADuplicateKeyIsRefusedWithItsLine) {
  expect_refused(arrival_line(0) + "{\"type\":\"arrival\",\"t_ns\":1,\"t_ns\":2}\n",
                 "standard input:2: arrival: duplicate field \"t_ns\"");
}

TEST_P(Records, ALineThatIsNoRecordIsRefusedWithItsLine) {
  expect_refused(arrival_line(0) + "hello\n" + arrival_line(1), "standard input:2: ");
  expect_refused(std::string(50'000, '[') + "\n", "standard input:1: ");
  expect_refused(std::string("\0\0\0\n", 4), "standard input:1: ");
}

TEST_P(Records, ACompressedInputThatIsCutIsRefused) {
  const Result made =
      run({"mlq-loadgen", "gen", "poisson", "--rate", "1k/s", "--count", "20k", "-o", dir_ / "t.zst"});
  ASSERT_EQ(made.status, 0) << made.summary();
  const std::string whole = slurp(dir_ / "t.zst");
  expect_worked(run_on_file(dir_ / "t.zst"));
  const Result result = run_on_file(dir_.file("cut.zst", whole.substr(0, whole.size() / 2)));
  EXPECT_STATUS(result, 3);
  EXPECT_SAYS(result, "cut.zst: the zstd data is cut");
}

const auto reads_records = [](const Typical& row) { return row.reads == Reads::trace; };
INSTANTIATE_TEST_SUITE_P(Misfortune, Records, testing::ValuesIn(commands_where(reads_records)), test_name);

}  // namespace
}  // namespace mlq::test
