#include "lib/records/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/records/reader.h"
#include "lib/records/trace.h"
#include "tests/support/temp_dir.h"

namespace mlq::records {
namespace {

Run some_run() {
  Run run;
  run.tool = "mlq-test";
  run.version = "1";
  run.argv = {"mlq-test"};
  return run;
}

std::string hash_of(std::string_view lines) {
  TraceHash hash;
  hash.update(lines);
  return hash.hex();
}

class WriterTest : public testing::Test {
 protected:
  Writer open(bool provenance = true) { return Writer(Output::open(path_), provenance); }
  std::string text() const { return test::slurp(path_); }
  End end() {
    Reader reader(path_, {});
    while (reader.next()) {
    }
    return reader.end().value();
  }
  test::TempDir dir_;
  const std::string path_ = dir_ / "out.jsonl";
};

TEST(TraceHash, OfNothingIsTheKnownXxh3) { EXPECT_EQ(hash_of(""), "99aa06d3014798d86001c324468d497f"); }

TEST(TraceHash, DoesNotDependOnHowTheLinesAreCut) {
  TraceHash hash;
  for (const char c : std::string_view("one\ntwo\n")) hash.update({&c, 1});
  EXPECT_EQ(hash.hex(), hash_of("one\ntwo\n"));
  EXPECT_NE(hash.hex(), hash_of("one\ntwo"));
}

TEST_F(WriterTest, RunComesFirstAndEndLast) {
  Writer writer = open();
  writer.run(some_run());
  writer.write(Arrival{.t_ns = 3});
  writer.write(Arrival{.t_ns = 7});
  writer.end({});
  const std::string lines = "{\"type\":\"arrival\",\"t_ns\":3}\n{\"type\":\"arrival\",\"t_ns\":7}\n";
  EXPECT_EQ(
      text(),
      "{\"type\":\"run\",\"tool\":\"mlq-test\",\"version\":\"1\",\"schema\":1,\"argv\":[\"mlq-test\"]}\n" +
          lines + "{\"type\":\"end\",\"count\":2,\"duration_ns\":7,\"trace_xxh3\":\"" + hash_of(lines) +
          "\"}\n");
}

TEST_F(WriterTest, WithoutProvenanceOnlyTheRecordsAreWritten) {
  Writer writer = open(false);
  writer.run(some_run());
  writer.write(Arrival{.t_ns = 3});
  writer.end({});
  EXPECT_EQ(text(), "{\"type\":\"arrival\",\"t_ns\":3}\n");
}

TEST_F(WriterTest, ProvenanceDoesNotChangeTheIdentityOfATrace) {
  Writer writer = open();
  records::Run run = some_run();
  run.host = "elsewhere";
  writer.run(run);
  writer.write(Arrival{.t_ns = 3});
  writer.end({});
  EXPECT_EQ(end().trace_xxh3, hash_of("{\"type\":\"arrival\",\"t_ns\":3}\n"));
}

TEST_F(WriterTest, ReadyMadeLinesAndRecordsMakeTheSameStream) {
  Writer writer = open();
  writer.write(Arrival{.t_ns = 1});
  writer.arrival_lines("{\"type\":\"arrival\",\"t_ns\":2}\n{\"type\":\"arrival\",\"t_ns\":4}\n", 2, 4);
  writer.arrival_lines("", 0, 0);
  EXPECT_EQ(writer.count(), 3u);
  EXPECT_EQ(writer.last_t_ns(), 4);
  writer.end({});
  const std::string mixed = text();
  Writer plain = open();
  for (const int64_t t : {1, 2, 4}) plain.write(Arrival{.t_ns = t});
  plain.end({});
  EXPECT_EQ(text(), mixed);
}

TEST_F(WriterTest, TheDurationIsAtLeastTheLastTime) {
  Writer shorter = open();
  shorter.write(Arrival{.t_ns = 9});
  shorter.end({.duration_ns = 5});
  EXPECT_EQ(end().duration_ns, 9);
  Writer longer = open();
  longer.write(Arrival{.t_ns = 9});
  longer.end({.duration_ns = 50});
  EXPECT_EQ(end().duration_ns, 50);
}

TEST_F(WriterTest, AnEmptyTraceHasTheHashOfNothing) {
  Writer writer = open();
  writer.arrival_lines("", 0, 0);
  writer.end({});
  EXPECT_EQ(end().count, 0u);
  EXPECT_EQ(end().trace_xxh3, hash_of(""));
}

TEST_F(WriterTest, AStreamThatIsNoTraceHasNoHash) {
  Writer writer = open();
  writer.write(Bin{.t_ns = 1, .dt_ns = 1, .count = 2});
  writer.end({});
  EXPECT_EQ(end().count, 1u);
  EXPECT_FALSE(end().trace_xxh3.has_value());
  EXPECT_FALSE(end().duration_ns.has_value());
}

TEST_F(WriterTest, ManyRecordsSurviveTheBuffer) {
  Writer writer = open(false);
  constexpr int kMany = 100'000;
  for (int i = 0; i < kMany; ++i) writer.write(Arrival{.t_ns = i});
  writer.end({});
  Reader reader(path_, {});
  int64_t expected = 0;
  while (reader.next()) ASSERT_EQ(reader.as<Arrival>().t_ns, expected++);
  EXPECT_EQ(expected, kMany);
}

TEST_F(WriterTest, AnInterruptedStreamLeavesTheOldFile) {
  dir_.file("out.jsonl", "old");
  {
    Writer writer = open();
    writer.write(Arrival{.t_ns = 3});
    writer.end({.interrupted = true});
  }
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(dir_.listing(), "out.jsonl");
}

TEST_F(WriterTest, WithoutEndTheOldFileStays) {
  dir_.file("out.jsonl", "old");
  {
    Writer writer = open();
    writer.run(some_run());
  }
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(dir_.listing(), "out.jsonl");
}

TEST_F(WriterTest, OutlivesItsReaderIfItIsToldTo) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string pipe = dir_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const bool told : {false, true}) {
    Fd reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    Writer writer(Output::open(pipe), true);
    int notices = 0;
    if (told) writer.outlive_reader([&] { ++notices; });
    reader.reset();
    writer.run(some_run());
    if (!told) {
      EXPECT_THROW(writer.flush(), ClosedPipe);
      continue;
    }
    for (int k = 0; k < 3; ++k) {
      writer.write(Arrival{.t_ns = k});
      writer.flush();
    }
    writer.end({});
    EXPECT_EQ(notices, 1);
    EXPECT_EQ(writer.count(), 3U);
  }
}

}  // namespace
}  // namespace mlq::records
