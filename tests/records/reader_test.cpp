#include "lib/records/reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/records/arrival.h"
#include "tests/support/temp_dir.h"

namespace mlq::records {
namespace {

constexpr const char* kRun =
    "{\"type\":\"run\",\"tool\":\"t\",\"version\":\"1\",\"schema\":1,\"argv\":[\"t\"]}\n";
constexpr const char* kEnd = "{\"type\":\"end\",\"count\":1}\n";

std::string arrival(int64_t t) { return "{\"type\":\"arrival\",\"t_ns\":" + std::to_string(t) + "}\n"; }

class ReaderTest : public testing::Test {
 protected:
  Reader open(const std::string& text, ReaderOptions options = {}) {
    return Reader(dir_.file("in.jsonl", text), options);
  }
  // Reads the whole stream as arrivals, passing over all other types, and finishes it.
  std::vector<int64_t> times(const std::string& text, ReaderOptions options = {}) {
    Reader reader = open(text, options);
    std::vector<int64_t> result;
    while (reader.next()) {
      if (reader.type() == "arrival") {
        result.push_back(reader.as<Arrival>().t_ns);
      } else {
        reader.pass_over();
      }
    }
    reader.finish();
    return result;
  }
  std::string error(const std::string& text, ReaderOptions options = {}) {
    try {
      times(text, options);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ExitKind::input);
      const std::string message = e.what();
      const std::string folder = dir_.path().string() + "/";
      EXPECT_TRUE(message.starts_with(folder)) << message;
      return message.substr(folder.size());
    }
    return "";
  }
  test::TempDir dir_;
};

using Times = std::vector<int64_t>;

TEST_F(ReaderTest, ReadsRecordsMadeByHandWithoutRunAndEnd) {
  EXPECT_EQ(times(arrival(1) + arrival(2)), (Times{1, 2}));
}

TEST_F(ReaderTest, AnEmptyStreamHasNoRecordsAndIsWhole) { EXPECT_EQ(times(""), Times{}); }

TEST_F(ReaderTest, SetsRunAndEndAside) {
  Reader reader = open(kRun + arrival(5) + kEnd);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.as<Arrival>().t_ns, 5);
  EXPECT_FALSE(reader.next());
  ASSERT_EQ(reader.runs().size(), 1u);
  EXPECT_EQ(reader.runs()[0].tool, "t");
  EXPECT_EQ(reader.runs_json() + "\n", kRun);
  ASSERT_TRUE(reader.end().has_value());
  EXPECT_EQ(reader.end()->count, 1u);
  EXPECT_EQ(reader.truncation(), "");
}

TEST_F(ReaderTest, StreamsThatWereConcatenatedAreWholeIfEachIs) {
  EXPECT_EQ(times(kRun + arrival(1) + kEnd + kRun + arrival(2) + kEnd), (Times{1, 2}));
  EXPECT_NE(error(kRun + arrival(1) + kEnd + kRun + arrival(2)), "");
}

TEST_F(ReaderTest, AcceptsCrLfEmptyLinesAndAByteOrderMark) {
  EXPECT_EQ(
      times("\xEF\xBB\xBF{\"type\":\"arrival\",\"t_ns\":1}\r\n\r\n{\"type\":\"arrival\",\"t_ns\":2}\r\n"),
      (Times{1, 2}));
}

TEST_F(ReaderTest, AWholeLastLineNeedsNoLineEnd) {
  EXPECT_EQ(times("{\"type\":\"arrival\",\"t_ns\":1}"), (Times{1}));
}

TEST_F(ReaderTest, ACutLastLineIsNoticedAfterTheWorkIsDone) {
  Reader reader = open(arrival(1) + "{\"type\":\"arrival\",\"t_");
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_NE(reader.truncation(), "");
  EXPECT_EQ(error(arrival(1) + "{\"type\":\"arr"),
            "in.jsonl:2: the last line is cut; the stream is not whole (--allow-truncated accepts it)");
}

TEST_F(ReaderTest, ARunWithoutItsEndIsACutStream) {
  EXPECT_EQ(
      error(kRun + arrival(1)),
      "in.jsonl: there is a run record and no end record; the stream was cut (--allow-truncated accepts it)");
}

TEST_F(ReaderTest, CutStreamsCanBeAllowed) {
  EXPECT_EQ(times(kRun + arrival(1), {.allow_truncated = true}), (Times{1}));
  EXPECT_EQ(times(arrival(1) + "{\"ty", {.allow_truncated = true}), (Times{1}));
}

TEST_F(ReaderTest, ADamagedLineInTheMiddleIsAnErrorWithItsNumber) {
  EXPECT_EQ(error(arrival(1) + "{\"type\":\"arr\n" + arrival(2)),
            "in.jsonl:2: damaged JSON: a string is not closed; every line must be one record");
  EXPECT_EQ(error("[1,2]\n"), "in.jsonl:1: not a JSON object; every line must be one record");
  EXPECT_EQ(error("{\"type\":\"arrival\",\"t_ns\":1,\"class\":\"\xff\"}\n"),
            "in.jsonl:1: not UTF-8; every line must be one record");
}

TEST_F(ReaderTest, ARecordNeedsItsType) {
  const std::string wanted = "in.jsonl:1: no \"type\"; a record begins like {\"type\":\"arrival\"";
  EXPECT_EQ(error("{\"t_ns\":1}\n"), wanted);
  EXPECT_EQ(error("{\"type\":5}\n"), wanted);
}

TEST_F(ReaderTest, AFieldThatIsWrongIsNamedWithLineAndType) {
  EXPECT_EQ(error(arrival(1) + "{\"type\":\"arrival\",\"t_ns\":\"x\"}\n"),
            "in.jsonl:2: arrival: field \"t_ns\" is \"x\"; it must be of type int64");
}

TEST_F(ReaderTest, UnknownFieldsAndTypesArePassedOverUnlessStrict) {
  const std::string field = "{\"type\":\"arrival\",\"t_ns\":1,\"zone\":\"eu\"}\n";
  const std::string type = "{\"type\":\"weather\"}\n";
  EXPECT_EQ(times(field + type + arrival(2)), (Times{1, 2}));
  EXPECT_EQ(error(field, {.strict = true}), "in.jsonl:1: arrival: unknown field \"zone\" (--strict)");
  EXPECT_EQ(error(type, {.strict = true}), "in.jsonl:1: unexpected record type \"weather\" (--strict)");
}

TEST_F(ReaderTest, AMissingFileIsTheEnvironmentsFault) {
  try {
    Reader reader(dir_ / "missing.jsonl", {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::environment);
    EXPECT_NE(std::string(e.what()).find("missing.jsonl: cannot open: No such file"), std::string::npos)
        << e.what();
  }
}

TEST_F(ReaderTest, AStopRequestIsNoCutStream) {
  StopFlag stop;
  Reader reader = open(kRun + arrival(1) + kEnd, {.stop = &stop});
  ASSERT_TRUE(reader.next());
  stop.request(15);
  EXPECT_FALSE(reader.next() && reader.next());
  EXPECT_NO_THROW(reader.finish());
}

}  // namespace
}  // namespace mlq::records
