// The clock is an argument.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "lib/base/error.h"
#include "lib/simigrad/watch/folder_events.h"
#include "lib/simigrad/watch/folder_watch.h"
#include "tests/simigrad/dump_files.h"

namespace mlq::simigrad::test {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
using mlq::test::TempDir;

std::string a_dump(const Metadata& metadata) { return dump_of(metadata, {{"w", {1, 2, 3}}}); }

std::vector<uint64_t> steps_of(const std::vector<WatchedStep>& ready) {
  std::vector<uint64_t> steps;
  for (const WatchedStep& step : ready) steps.push_back(step.files.step);
  return steps;
}

TEST(FolderWatch, AStepIsReadyWhenAllItsGroupsAre) {
  const TempDir dir;
  FolderWatch watch(dir.path(), {}, {});
  EXPECT_TRUE(watch.look(0).empty());
  dir.file("a", a_dump(place(5, 0)));
  EXPECT_TRUE(watch.look(kSecond).empty());
  dir.file("b", a_dump(place(5, 1)));
  const auto ready = watch.look(2 * kSecond);
  ASSERT_EQ(steps_of(ready), std::vector<uint64_t>{5});
  EXPECT_EQ(ready[0].groups, 2u);
  EXPECT_TRUE(ready[0].missing.empty());
  EXPECT_EQ(ready[0].files.groups.at(1)[0].path, dir / "b");
  EXPECT_TRUE(watch.look(3 * kSecond).empty());  // once
}

TEST(FolderWatch, AFileThatIsStillWrittenIsWaitedFor) {
  const TempDir dir;
  FolderWatch watch(dir.path(), {}, {});
  dir.file("a", a_dump(place(5, 0)));
  const std::string whole = a_dump(place(5, 1));
  for (size_t size = 0; size < whole.size(); size += 7) {
    dir.file("b", whole.substr(0, size));
    ASSERT_TRUE(watch.look(kSecond).empty()) << size;
  }
  dir.file("b", whole);
  EXPECT_EQ(steps_of(watch.look(2 * kSecond)), std::vector<uint64_t>{5});
  EXPECT_TRUE(watch.take_refused().empty());
}

TEST(FolderWatch, AnEarlierStepComesFirstOrIsMissed) {
  const TempDir dir;
  FolderWatch watch(dir.path(), {}, {});
  dir.file("a", a_dump(place(1, 0)));
  dir.file("c", a_dump(place(2, 0)));
  dir.file("d", a_dump(place(2, 1)));
  EXPECT_TRUE(watch.look(0).empty());
  const auto ready = watch.look(60 * kSecond);
  ASSERT_EQ(steps_of(ready), (std::vector<uint64_t>{1, 2}));
  ASSERT_EQ(ready[0].missing.size(), 1u);
  EXPECT_EQ(ready[0].missing[0].group, 1u);
  EXPECT_EQ(ready[0].missing[0].waited_ns, 60 * kSecond);
  EXPECT_TRUE(ready[1].missing.empty());
  dir.file("b", a_dump(place(1, 1)));  // too late
  EXPECT_TRUE(watch.look(61 * kSecond).empty());
}

TEST(FolderWatch, WithoutANumberOfGroupsNothingMustHaveHappenedForAWhile) {
  const TempDir dir;
  WatchOptions options;
  options.dumps.pattern.emplace("s{step}g{group}.safetensors");
  FolderWatch watch(dir.path(), options, {});
  dir.file("s3g0.safetensors", a_dump({}));
  dir.file("s3g1.safetensors", a_dump({}));
  dir.file("else.txt", "no dump");
  EXPECT_TRUE(watch.look(0).empty());
  EXPECT_EQ(steps_of(watch.look(2 * kSecond)), std::vector<uint64_t>{3});
  // Then two groups are expected.
  dir.file("s4g0.safetensors", a_dump({}));
  EXPECT_TRUE(watch.look(10 * kSecond).empty());
  EXPECT_TRUE(watch.look(20 * kSecond).empty());
  EXPECT_EQ(watch.look(70 * kSecond)[0].missing.size(), 1u);
}

TEST(FolderWatch, WhatNeverBecomesADumpIsToldOnce) {
  const TempDir dir;
  FolderWatch watch(dir.path(), {}, {});
  dir.file("damaged", a_dump(place(1, 0)).substr(0, 50));
  dir.file("no-address", a_dump({}));
  dir.file(".part", "not looked at");
  watch.look(0);
  EXPECT_TRUE(watch.take_refused().empty());
  watch.look(60 * kSecond);
  EXPECT_EQ(watch.take_refused().size(), 2u);
  watch.look(120 * kSecond);
  EXPECT_TRUE(watch.take_refused().empty());
}

TEST(FolderWatch, PassesOverWhatWasDone) {
  const TempDir dir;
  for (const uint64_t step : {1, 2, 3})
    for (const uint64_t group : {0, 1})
      dir.file(fmt::format("{}-{}", step, group), a_dump(place(step, group)));
  FolderWatch watch(dir.path(), {}, StepKey{0, 2});
  EXPECT_EQ(steps_of(watch.look(0)), std::vector<uint64_t>{3});
}

TEST(FolderWatch, AFolderThatIsNotThereIsNamed) {
  FolderWatch watch("/nowhere/at/all", {}, {});
  EXPECT_THROW(watch.look(0), Error);
}

constexpr int64_t kLong = 100 * kSecond;

TEST(FolderEvents, AFileIsTold) {
  const TempDir dir;
  const StopFlag stop;
  FolderEvents events(dir.path());
  events.cover();
  dir.file("a", "whole");
  EXPECT_TRUE(events.wait(kLong, stop));
  EXPECT_FALSE(events.wait(1, stop));  // once
  std::filesystem::create_directory(dir / "below");
  EXPECT_TRUE(events.wait(kLong, stop));
  events.cover();
  dir.file("below/.b", "whole");
  EXPECT_TRUE(events.wait(kLong, stop));
  std::filesystem::rename(dir / "below/.b", dir / "below/b");
  EXPECT_TRUE(events.wait(kLong, stop));
}

TEST(FolderEvents, AFolderThatIsMadeAgainIsCoveredAgain) {
  const TempDir dir;
  const StopFlag stop;
  FolderEvents events(dir.path());
  for (int time = 0; time < 3; ++time) {
    std::filesystem::create_directory(dir / "below");
    EXPECT_TRUE(events.wait(time == 0 ? 1 : kLong, stop) || time == 0);  // not covered yet
    events.cover();
    dir.file("below/a", "whole");
    EXPECT_TRUE(events.wait(kLong, stop));
    std::filesystem::remove_all(dir / "below");
    events.wait(1, stop);
  }
}

TEST(FolderEvents, AStopRequestEndsTheWait) {
  const TempDir dir;
  StopFlag stop;
  FolderEvents events(dir.path());
  events.cover();
  std::thread asking([&] { stop.request(15); });
  EXPECT_FALSE(events.wait(kLong, stop));
  asking.join();
}

TEST(FolderEvents, WhereNothingIsToldTheTimeStillEnds) {
  const StopFlag stop;
  FolderEvents events("/nowhere/at/all");
  events.cover();
  EXPECT_FALSE(events.wait(1, stop));
}

}  // namespace
}  // namespace mlq::simigrad::test
