#include "lib/replay/merge.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"
#include "lib/records/load_schema.h"
#include "lib/records/reader.h"
#include "tests/replay/shard_files.h"

namespace mlq::replay {
namespace {

std::vector<records::Result> results(size_t n = 1200) {
  return synthetic_results({.n = n, .bad_of_1024 = 40});
}

std::string merged(const std::vector<std::string>& files, const test::TempDir& dir,
                   const MergeOptions& options = {}, MergeOutcome* outcome = nullptr) {
  const std::string path = dir / "merged.jsonl";
  records::Writer writer(Output::open(path), true);
  MergeOutcome got = run_merge(files, options, {}, writer);
  if (outcome != nullptr) *outcome = std::move(got);
  return test::slurp(path);
}

std::string failure(const std::vector<std::string>& files, const test::TempDir& dir,
                    const MergeOptions& options = {}) {
  try {
    merged(files, dir, options);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ExitKind::input) << e.what();
    return e.what();
  }
  return "";
}

// `text` must be a part of what is said.
void expect_failure(const std::vector<std::string>& files, const test::TempDir& dir,
                    const std::string& text) {
  const std::string message = failure(files, dir);
  EXPECT_NE(message.find(text), std::string::npos) << message;
}

TEST(MergeShards, OneFourAndSixteenGiveTheSameBytes) {
  const auto all = results();
  const std::vector<std::string> totals = {"load_window", "hist", "outcome", "summary"};
  for (const WindowOptions& windows :
       {WindowOptions{.window_ns = 1'000'000'000}, WindowOptions{.window_n = 100}}) {
    const test::TempDir dir;
    const ShardFileOptions o{.windows = windows};
    const std::string one = lines_of(merged(shard_files(all, 1, dir, o), dir), totals);
    EXPECT_GT(lines_of(one, {"load_window"}).size(), 10'000u);
    EXPECT_GT(lines_of(one, {"hist"}).size(), 1'000u);
    EXPECT_EQ(lines_of(merged(shard_files(all, 4, dir, o), dir), totals), one);
    EXPECT_EQ(lines_of(merged(shard_files(all, 16, dir, o), dir), totals), one);
  }
}

TEST(MergeShards, OfASingleRunChangeNothingButWhatDoesNotAdd) {
  const test::TempDir dir;
  const auto files = shard_files(results(), 1, dir);
  const std::string source = test::slurp(files[0]);
  const std::string out = merged(files, dir);
  EXPECT_EQ(lines_of(out, {"hist", "outcome", "load_window"}),
            lines_of(source, {"hist", "outcome", "load_window"}));
  std::string summaries = lines_of(source, {"summary"});
  const std::string left_out = "\"inflight_max\":17,";
  summaries.erase(summaries.find(left_out), left_out.size());
  EXPECT_EQ(lines_of(out, {"summary"}), summaries);
}

TEST(MergeShards, InAnyOrderOfTheFiles) {
  const test::TempDir dir;
  auto files = shard_files(results(), 4, dir);
  const std::vector<std::string> types = {"result", "load_window", "hist", "outcome", "summary", "end"};
  const std::string straight = lines_of(merged(files, dir), types);
  std::reverse(files.begin(), files.end());
  EXPECT_EQ(lines_of(merged(files, dir), types), straight);
}

TEST(MergeShards, SortResultsByDueTimeAndIndexInAnyMemory) {
  const test::TempDir dir;
  auto all = results(3000);
  for (auto& r : all) r.due_ns -= r.due_ns % 50'000'000;  // many at the same time
  const auto files = shard_files(all, 4, dir);
  const std::string roomy = lines_of(merged(files, dir), {"result"});
  const std::string tight =
      lines_of(merged(files, dir, {.memory_bytes = 1 << 15, .temp_folder = dir.path()}), {"result"});
  EXPECT_EQ(roomy, tight);
  records::Reader reader(dir / "merged.jsonl", {});
  std::pair<int64_t, uint64_t> last{-1, 0};
  size_t n = 0;
  while (reader.next() && reader.type() == "result") {
    const auto r = reader.as<records::Result>();
    EXPECT_LT(last, std::pair(r.due_ns, r.i));
    EXPECT_EQ(r.shard, r.i % 4);
    last = {r.due_ns, r.i};
    ++n;
  }
  EXPECT_EQ(n, all.size());
}

TEST(MergeShards, TellHistoryTotalsAndTheShardsFacts) {
  const test::TempDir dir;
  const auto all = results();
  MergeOutcome outcome;
  const std::string out = merged(shard_files(all, 4, dir), dir, {}, &outcome);
  ASSERT_EQ(outcome.shards.size(), 4u);
  EXPECT_EQ(outcome.shards[2].shard, 2u);
  EXPECT_EQ(outcome.shards[2].start_skew_ns, 14);
  EXPECT_GT(*outcome.shards[2].lag_p99_ns, 10'000);
  EXPECT_EQ(outcome.summaries.front().planned, all.size());
  EXPECT_TRUE(outcome.summaries.front().slo_pass);
  records::Reader reader(dir / "merged.jsonl", {});
  while (reader.next()) {
  }
  EXPECT_EQ(reader.runs().front().start_unix_ns, 1'000'000'000'000);
  EXPECT_NE(reader.runs().front().inputs->text.find("\"shard\":3"), std::string::npos);
  EXPECT_EQ(reader.end()->trace_count, all.size());
  EXPECT_EQ(reader.end()->i_digest, digest_of(all));
}

TEST(MergeShards, AMergeCanBeMergedAgain) {
  const test::TempDir dir;
  merged(shard_files(results(), 4, dir), dir);
  const std::string once = test::slurp(dir / "merged.jsonl");
  const std::string copy = dir.file("once.jsonl", once);
  const std::vector<std::string> types = {"result", "load_window", "hist", "outcome", "summary"};
  EXPECT_EQ(lines_of(merged({copy}, dir), types), lines_of(once, types));
}

TEST(MergeShards, JudgeTheLagOfTheWholeRun) {
  const test::TempDir dir;
  auto all = results(1000);
  for (auto& r : all) {
    if (r.i % 4 == 2 && r.lag_ns && r.i < 20) r.lag_ns = 5'000'000;  // 5 of 1,000, but of 250 in shard 2
  }
  MergeOutcome outcome;
  merged(shard_files(all, 4, dir), dir, {}, &outcome);
  EXPECT_NE(outcome.shards[2].why.find("lag_p99"), std::string::npos);
  EXPECT_EQ(outcome.summaries.front().why.value_or("").find("lag_p99"), std::string::npos);
}

TEST(MergeRefuses, AMissingShardUnlessPartial) {
  const test::TempDir dir;
  auto files = shard_files(results(), 4, dir);
  files.erase(files.begin() + 1);
  expect_failure(files, dir, "shard 1 of 4 is missing (--partial goes on without)");
  MergeOutcome outcome;
  merged(files, dir, {.partial = true}, &outcome);
  EXPECT_FALSE(outcome.summaries.front().valid);
  EXPECT_NE(outcome.summaries.front().why->find("missing_shards"), std::string::npos);
}

TEST(MergeRefuses, ADoubledShard) {
  const test::TempDir dir;
  auto files = shard_files(results(), 4, dir);
  files[1] = files[2];
  expect_failure(files, dir, "both are shard 2 of 4");
}

TEST(MergeRefuses, ShardsOfAnotherRun) {
  const test::TempDir dir;
  const auto all = results();
  auto files = shard_files(all, 4, dir);
  shard_text(all, 2, 4, files[2], {.config = "ffff"});
  expect_failure(files, dir, "config_xxh3 is \"ffff\"");
  shard_text(all, 2, 4, files[2], {.trace = "ffff"});
  expect_failure(files, dir, "trace_xxh3 is \"ffff\"");
  files[2] = shard_text(all, 2, 5, dir / "other.jsonl");
  expect_failure(files, dir, "shards is 5");
  files[2] = shard_text(all, 0, 1, dir / "whole.jsonl");
  expect_failure(files, dir, "names no shard");
}

TEST(MergeRefuses, ShardsThatDoNotAddUpToTheTrace) {
  const test::TempDir dir;
  const auto all = results();
  auto files = shard_files(all, 4, dir);
  shard_text(all, 2, 4, files[2], {.i_digest = "0000000000000001"});
  expect_failure(files, dir, "do not account for the trace");
  shard_text(all, 2, 4, files[2], {.i_digest = "xyz"});
  expect_failure(files, dir, "hexadecimal");
}

TEST(MergeRefuses, AStreamThatWasCut) {
  const test::TempDir dir;
  const auto all = results();
  auto files = shard_files(all, 4, dir);
  shard_text(all, 2, 4, files[2], {.end = false});
  expect_failure(files, dir, "no end record");
  const std::string whole = test::slurp(files[1]);
  files[2] = dir.file("cut.jsonl", test::slurp(files[3]).substr(0, 5000));
  EXPECT_NE(failure(files, dir), "");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(MergeRefuses, RecordsThatLie) {
  const test::TempDir dir;
  const auto all = results();
  auto files = shard_files(all, 2, dir);
  const std::string honest = test::slurp(files[1]);
  const std::string total = lines_of(honest, {"hist"});
  const auto with = [&](const std::string& text) {
    files[1] = dir.file("lie.jsonl", text);
    return failure(files, dir);
  };
  const size_t bins = honest.rfind("\"bins\":\"") + 8;
  EXPECT_NE(with(std::string(honest).replace(bins, 1, "9999")), "");
  EXPECT_NE(
      with(replaced(honest, "\"outcome\":\"ok\",\"count\":", "\"outcome\":\"ok\",\"count\":1")).find("agree"),
      std::string::npos);
  EXPECT_NE(with(replaced(honest, "\"outcome\":\"ok\",\"count\":", "\"outcome\":\"fine\",\"count\":"))
                .find("unknown"),
            std::string::npos);
  const size_t end = honest.rfind("{\"type\":\"end\"");
  const std::string hist = lines_of(honest, {"hist"});
  const std::string last = hist.substr(hist.rfind("{\"type\"", hist.size() - 2));
  EXPECT_NE(with(std::string(honest).insert(end, last)).find("two records"), std::string::npos);
  EXPECT_NE(with(replaced(honest, "\"window\":1", "\"window\":0")), "");
  EXPECT_EQ(with(honest), "");
}

TEST(MergeRefuses, NothingAndUsesNothing) {
  const test::TempDir dir;
  EXPECT_THROW(merged({}, dir), Error);
  EXPECT_NE(failure({dir.file("empty.jsonl", "")}, dir), "");
}

}  // namespace
}  // namespace mlq::replay
