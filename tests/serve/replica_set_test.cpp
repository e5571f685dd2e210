#include "lib/serve/schedule/replica_set.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace mlq::serve {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

ReplicaSet of(uint32_t count) {
  ReplicaSet set(1);
  for (uint32_t id = 0; id < count; ++id) set.add(0, id, true);
  return set;
}
std::vector<std::string> said(ReplicaSet& set) {
  std::vector<ReplicaChange> changes;
  set.take_changes(changes);
  std::vector<std::string> lines;
  for (const ReplicaChange& change : changes)
    lines.push_back(std::to_string(change.replica) + " " + std::string(replica_state_name(change.state)) +
                    " " + std::string(change.reason));
  return lines;
}
void fail(ReplicaSet& set, int64_t now_ns, ReplicaId id, int times) {
  for (int i = 0; i < times; ++i) set.batch_ended(now_ns, id, BatchOutcome::failed, 1);
}

TEST(ReplicaSet, ThreeBadChecksTakeItDownAndTwoGoodBringItBack) {
  ReplicaSet set = of(1);
  set.health(1, 0, false);
  set.health(2, 0, false);
  set.health(3, 0, true);
  set.health(4, 0, false);
  set.health(5, 0, false);
  EXPECT_TRUE(set.serving(0)) << "not three in a row";
  set.health(6, 0, false);
  EXPECT_FALSE(set.serving(0));
  set.health(7, 0, true);
  EXPECT_FALSE(set.serving(0));
  set.health(8, 0, true);
  EXPECT_TRUE(set.serving(0));
  EXPECT_EQ(said(set), (std::vector<std::string>{"0 up configured", "0 down health", "0 up health"}));
}

TEST(ReplicaSet, FiveFailuresInARowEjectForLongerEachTime) {
  ReplicaSet set = of(2);
  fail(set, 0, 0, 4);
  set.batch_ended(0, 0, BatchOutcome::clean, 1);
  fail(set, 0, 0, 4);
  EXPECT_TRUE(set.serving(0));
  int64_t now = 0;
  for (const int64_t seconds : {5, 10, 20, 40, 60, 60}) {
    fail(set, now, 0, 5);
    EXPECT_EQ(set.state(0), ReplicaState::ejected);
    EXPECT_EQ(set.next_change_ns(), now + seconds * kSecond);
    set.advance(now + seconds * kSecond - 1);
    EXPECT_FALSE(set.serving(0));
    now += seconds * kSecond;
    set.advance(now);
    EXPECT_TRUE(set.serving(0));
  }
}

TEST(ReplicaSet, AClientsErrorIsNoFailureOfTheReplica) {
  ReplicaSet set = of(2);
  for (int i = 0; i < 20; ++i) set.batch_ended(0, 0, BatchOutcome::rejected, 1);
  for (int i = 0; i < 20; ++i) set.batch_ended(0, 0, BatchOutcome::abandoned, 1);
  EXPECT_TRUE(set.serving(0));
}

TEST(ReplicaSet, NeverMoreThanHalfIsEjectedAndNeverTheLast) {
  ReplicaSet one = of(1), five = of(5);
  fail(one, 0, 0, 50);
  EXPECT_TRUE(one.serving(0));
  for (ReplicaId id = 0; id < 5; ++id) fail(five, 0, id, 50);
  EXPECT_EQ(five.serving_count(), 3u);
}

TEST(ReplicaSet, ThreeTimesTheMedianOfThreePeersIsTooSlow) {
  ReplicaSet four = of(4), three = of(3);
  for (int i = 0; i < 40; ++i)
    for (ReplicaId id = 0; id < 4; ++id) {
      four.batch_ended(0, id, BatchOutcome::clean, id == 3 ? 10 : 1);
      three.batch_ended(0, id, BatchOutcome::clean, id == 2 ? 10 : 1);
    }
  EXPECT_EQ(four.state(3), ReplicaState::ejected);
  EXPECT_EQ(three.state(2), ReplicaState::up) << "two peers are no jury";
}

TEST(ReplicaSet, StartsSlowlyAfterItCameBack) {
  ReplicaSet set = of(2);
  EXPECT_EQ(set.weight(0, 0), 1) << "from the configuration: at once";
  fail(set, 0, 0, 5);
  EXPECT_EQ(set.weight(0, 0), 0);
  set.advance(5 * kSecond);
  EXPECT_DOUBLE_EQ(set.weight(5 * kSecond, 0), 0.1);
  EXPECT_DOUBLE_EQ(set.weight(10 * kSecond, 0), 0.5);
  EXPECT_DOUBLE_EQ(set.weight(20 * kSecond, 0), 1);
}

TEST(ReplicaSet, ASlowStartIsOnlyForThoseWhoHaveOthers) {
  ReplicaSet set = of(1);
  set.add(0, 7, false);
  set.health(0, 7, true);
  for (int k = 0; k < 3; ++k) set.warm_answer(0, 7, true);
  EXPECT_DOUBLE_EQ(set.weight(kSecond, 7), 0.1);
  set.drain(kSecond, 0);
  EXPECT_DOUBLE_EQ(set.weight(kSecond, 7), 1);
}

TEST(ReplicaSet, DrainsAndComesBack) {
  ReplicaSet set = of(2);
  set.drain(0, 0);
  EXPECT_FALSE(set.serving(0));
  EXPECT_EQ(set.state(0), ReplicaState::draining);
  set.undrain(1, 0);
  EXPECT_TRUE(set.serving(0));
  set.remove(2, 0);
  EXPECT_EQ(set.state(0), ReplicaState::removed);
  EXPECT_EQ(said(set).back(), "0 removed removed");
}

TEST(ReplicaSet, AnAddedOneIsWarmedBeforeItServes) {
  ReplicaSet set = of(1);
  set.add(0, 7, false);
  EXPECT_EQ(set.state(7), ReplicaState::added);
  EXPECT_FALSE(set.wants_warm(7)) << "not ready by health";
  set.health(1, 7, true);
  EXPECT_TRUE(set.wants_warm(7));
  set.warm_answer(2, 7, true);
  set.warm_answer(3, 7, true);
  set.warm_answer(4, 7, false);
  set.warm_answer(5, 7, true);
  set.warm_answer(6, 7, true);
  EXPECT_FALSE(set.serving(7));
  set.warm_answer(7, 7, true);
  EXPECT_TRUE(set.serving(7));
  EXPECT_FALSE(set.wants_warm(7));
}

TEST(ReplicaSet, OfTwoTheLowerPredictedFinishAlwaysWins) {
  ReplicaSet set = of(2);
  const std::array<ReplicaCandidate, 2> candidates{{{0, 5e6}, {1, 4e6}}};
  for (int i = 0; i < 100; ++i) EXPECT_EQ(set.choose(0, candidates), 1u);
}

// Two distinct ones of n, uniformly: the best of n wins with probability 2 / n, the worst never.
TEST(ReplicaSet, OfManyTheBestWinsTwiceItsShareAndTheWorstNever) {
  ReplicaSet set = of(10);
  std::vector<ReplicaCandidate> candidates;
  for (ReplicaId id = 0; id < 10; ++id) candidates.push_back({id, 1e6 * (1 + id)});
  std::array<int, 10> wins{};
  for (int i = 0; i < 10'000; ++i) ++wins[set.choose(0, candidates)];
  EXPECT_NEAR(wins[0], 2000, 160);  // 4 standard deviations
  EXPECT_EQ(wins[9], 0);
}

TEST(ReplicaSet, RetriesAreAShareOfTheRequests) {
  ReplicaSet set(1, 0.1);
  int taken = 0;
  for (int i = 0; i < 1000; ++i) {
    set.request_seen();
    taken += set.take_retry() ? 1 : 0;
  }
  EXPECT_EQ(taken, 109) << "10 to begin with and a tenth of 1,000, less what is left of one";
  set.set_retry_share(0);
  EXPECT_FALSE(set.take_retry());
}

}  // namespace
}  // namespace mlq::serve
