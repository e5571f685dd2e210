#include "lib/replay/windows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lib/base/error.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/load_schema.h"
#include "tests/replay/synthetic.h"

namespace mlq::replay {
namespace {

constexpr int64_t kNever = INT64_MAX;

std::vector<uint32_t> indexes(const std::vector<Window>& windows) {
  std::vector<uint32_t> out;
  for (const Window& w : windows) out.push_back(w.index);
  return out;
}

using Indexes = std::vector<uint32_t>;

TEST(Windows, WantOneLength) {
  EXPECT_THROW(Windows({}), Error);
  EXPECT_THROW(Windows({.window_ns = 5, .window_n = 5}), Error);
}

TEST(Windows, AreGivenOnceThePlanHasPassedAndAllHaveAnOutcome) {
  Windows windows({.window_ns = 100});
  windows.due(0, 10, "");
  windows.due(1, 90, "");
  windows.add(ok_result(0, 10, 0, 5), {});
  windows.add(ok_result(1, 90, 0, 5), {});
  EXPECT_TRUE(windows.take(95).windows.empty()) << "another request may be due at 99";
  windows.advance(120, 2);
  const auto [taken, closed_below, frontier_ns] = windows.take(95);
  ASSERT_EQ(indexes(taken), (Indexes{0}));
  EXPECT_EQ(taken[0].from_ns, 0);
  EXPECT_EQ(taken[0].to_ns, 100);
  EXPECT_TRUE(taken[0].unfinished.empty());
  EXPECT_EQ(closed_below, 1u);
  EXPECT_EQ(frontier_ns, 120);
}

TEST(Windows, WaitForAnswersAsLongAsAWindowThenGoUnfinished) {
  Windows windows({.window_ns = 100});
  windows.due(0, 10, "a");
  windows.due(1, 20, "");
  windows.due(2, 150, "");
  windows.add(ok_result(1, 20, 0, 5), {});
  windows.add(ok_result(2, 150, 0, 5), {});
  windows.advance(300, 3);
  EXPECT_TRUE(windows.take(199).windows.empty()) << "the second is complete, but not in front";
  const auto taken = windows.take(200).windows;
  ASSERT_EQ(indexes(taken), (Indexes{0, 1}));
  EXPECT_EQ(taken[0].unfinished.at("*"), 1u);
  EXPECT_EQ(taken[0].unfinished.at("a"), 1u);
  const auto records = window_records(taken[0], {});
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].planned, 2u);
  EXPECT_EQ(records[0].done, 1u);
  EXPECT_EQ(records[1].klass, "a");
  EXPECT_EQ(records[1].planned, 1u);
  EXPECT_EQ(records[1].unfinished, 1u);

  windows.add(ok_result(0, 10, 0, 500), {});
  windows.end(300);
  EXPECT_TRUE(windows.take(kNever).windows.empty()) << "a later finish is not a window of its own";
}

TEST(Windows, KeepAtMost64OpenAndCloseTheOldest) {
  Windows windows({.window_ns = 100});
  for (uint64_t i = 0; i < 70; ++i) {
    windows.due(i, static_cast<int64_t>(i) * 100, "");
    windows.advance(static_cast<int64_t>(i + 1) * 100, i + 1);
  }
  const auto [taken, closed_below, frontier_ns] = windows.take(0);
  EXPECT_EQ(indexes(taken), (Indexes{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(taken[0].unfinished.at("*"), 1u);
  EXPECT_EQ(closed_below, 6u);
  EXPECT_EQ(frontier_ns, 600);
  windows.due(3, 300, "");  // of a window that is closed
  EXPECT_EQ(windows.take(0).closed_below, 6u);
}

TEST(Windows, ByIndexLastFromTheirFirstDueTimeToTheNextWindows) {
  Windows windows({.window_n = 2});
  const int64_t dues[] = {5, 30, 70, 90, 110};
  for (uint64_t i = 0; i < 5; ++i) {
    windows.due(i, dues[i], "");
    windows.add(ok_result(i, dues[i], 0, 1), {});
  }
  windows.end(150);
  const auto [taken, closed_below, frontier_ns] = windows.take(0);
  ASSERT_EQ(indexes(taken), (Indexes{0, 1, 2}));
  EXPECT_EQ(taken[0].from_ns, 5);
  EXPECT_EQ(taken[0].to_ns, 70);
  EXPECT_EQ(taken[1].to_ns, 110);
  EXPECT_EQ(taken[2].from_ns, 110);
  EXPECT_EQ(taken[2].to_ns, 150);
  EXPECT_EQ(closed_below, kNoMore);
  EXPECT_FALSE(frontier_ns);
}

TEST(Windows, TheLastEndsWithTheRun) {
  Windows windows({.window_ns = 100});
  windows.due(0, 210, "");
  windows.add(ok_result(0, 210, 0, 1), {});
  windows.end(250);
  const auto taken = windows.take(0).windows;
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].index, 2u);
  EXPECT_EQ(taken[0].to_ns, 250);
}

std::string text(const std::vector<Window>& windows) {
  jsonl::Buffer out;
  for (const Window& w : windows) {
    for (const auto& record : window_records(w, {})) records::write_record(out, record);
  }
  return std::string(out.view());
}

// What `shards` threads give that plan and answer in steps, each at its own pace.
std::string merged_windows(const std::vector<records::Result>& results, size_t shards,
                           const WindowOptions& options) {
  std::vector<Windows> threads(shards, Windows(options));
  std::vector<std::vector<records::Result>> plans(shards);
  for (const auto& r : results) plans[r.i % shards].push_back(r);
  const int64_t end_ns = results.back().due_ns + 1;
  std::vector<size_t> at(shards, 0);
  WindowMerger merger(shards);
  std::vector<Window> out;
  const auto collect = [&](size_t k) {
    merger.add(k, threads[k].take(0));
    for (Window& w : merger.take()) out.push_back(std::move(w));
  };
  for (bool busy = true; busy;) {
    busy = false;
    for (size_t k = 0; k < shards; ++k) {
      for (size_t step = 0; step < 3 + k && at[k] < plans[k].size(); ++step) {
        const records::Result& r = plans[k][at[k]++];
        threads[k].due(r.i, r.due_ns, r.klass.value_or(""));
        threads[k].add(r, synthetic_gaps(r));
      }
      if (at[k] < plans[k].size()) {
        busy = true;
        threads[k].advance(plans[k][at[k]].due_ns, plans[k][at[k]].i);
      } else {
        threads[k].end(end_ns);
      }
      collect(k);
    }
  }
  return text(out);
}

TEST(WindowMerger, GivesWhatOneThreadWouldHaveGiven) {
  const auto results = synthetic_results({.n = 1500, .bad_of_1024 = 50});
  for (const WindowOptions& options : {WindowOptions{.window_ns = 500'000'000},
                                       WindowOptions{.window_n = 100}, WindowOptions{.window_n = 3}}) {
    const std::string one = merged_windows(results, 1, options);
    EXPECT_GT(std::count(one.begin(), one.end(), '\n'), 20);
    EXPECT_EQ(merged_windows(results, 4, options), one);
    EXPECT_EQ(merged_windows(results, 16, options), one);
  }
}

TEST(WindowMerger, HoldsAWindowBackUntilEveryThreadHasClosedIt) {
  Windows a({.window_ns = 100});
  a.due(0, 10, "");
  a.add(ok_result(0, 10, 0, 1), {});
  a.end(1000);
  WindowMerger merger(2);
  merger.add(0, a.take(0));
  EXPECT_TRUE(merger.take().empty());
  merger.add(1, {.closed_below = 0, .frontier_ns = 50});
  EXPECT_TRUE(merger.take().empty());
  merger.add(1, {.closed_below = 1, .frontier_ns = 150});
  EXPECT_EQ(merger.take().size(), 1u);
}

}  // namespace
}  // namespace mlq::replay
