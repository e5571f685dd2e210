#include "lib/serve/gateway/cache.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/base/random.h"
#include "lib/serve/gateway/single_flight.h"

namespace mlq::serve {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

CachedReply reply(const std::string& body) { return {.content_type = "t", .json_bytes = {}, .body = body}; }
std::string key(uint64_t k) { return "key " + std::to_string(k); }

TEST(ReplyCache, GivesBackWhatWasStoredUntilItsTimeIsOver) {
  ReplyCache cache(1 << 20);
  EXPECT_EQ(cache.find(0, "a"), nullptr);
  cache.store(0, "a", reply("1"));
  EXPECT_EQ(cache.find(59 * kSecond, "a")->body, "1");
  EXPECT_EQ(cache.find(60 * kSecond, "a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u) << "what is too old leaves when it is asked for";
}

TEST(ReplyCache, OfNoBytesStoresNothing) {
  ReplyCache cache;
  cache.store(0, "a", reply("1"));
  EXPECT_EQ(cache.find(0, "a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ReplyCache, AForcedCollisionAnswersRight) {
  ReplyCache cache(1 << 20);
  const CacheHash hash{1, 2};
  cache.store(0, "a", hash, reply("of a"));
  EXPECT_EQ(cache.find(0, "b", hash), nullptr);
  cache.store(0, "b", hash, reply("of b"));
  EXPECT_EQ(cache.find(0, "b", hash)->body, "of b");
  EXPECT_EQ(cache.find(0, "a", hash), nullptr);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(ReplyCache, AnAnswerInUseOutlivesItsEntry) {
  ReplyCache cache(1 << 20);
  cache.store(0, "a", reply("1"));
  const auto held = cache.find(0, "a");
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(held->body, "1");
}

class CachePolicies : public ::testing::TestWithParam<CachePolicy> {};

TEST_P(CachePolicies, StayWithinTheBudgetAndReturnToZero) {
  constexpr uint64_t kBudget = 100'000;
  ReplyCache cache(kBudget, GetParam());
  const RandomStream random(3, Purpose::keys);
  for (uint64_t i = 0; i < 20'000; ++i) {
    const std::string k = key(random.bits(i).c0 % 2000);
    const auto found = cache.find(0, k);
    if (found) {
      ASSERT_EQ(found->body.substr(0, k.size()), k) << "another key's answer";
    } else {
      cache.store(0, k, reply(k + std::string(random.bits(i).c1 % 500, 'x')));
    }
    ASSERT_LE(cache.bytes(), kBudget);
  }
  EXPECT_GT(cache.size(), 100u);
  cache.configure(1000, GetParam(), kSecond);
  EXPECT_LE(cache.bytes(), 1000u);
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.size(), 0u);
}

TEST_P(CachePolicies, KeepWhatIsAskedForOften) {
  ReplyCache cache(50 * 300, GetParam());
  int hits = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    for (const std::string& k : {key(i % 5), key(1000 + i)}) {
      if (cache.find(0, k)) {
        ++hits;
      } else {
        cache.store(0, k, reply(k));
      }
    }
  }
  EXPECT_GE(hits, 4990) << "the five come back every fifth time; the others never";
}

INSTANTIATE_TEST_SUITE_P(Both, CachePolicies, ::testing::Values(CachePolicy::clock, CachePolicy::s3fifo));

// The reason for the second policy: a scan as long as the cache between two uses.
TEST(ReplyCache, S3FifoKeepsItsOwnThroughAScanThatEmptiesAClock) {
  const auto hits = [](CachePolicy policy) {
    ReplyCache cache(100 * 300, policy);
    int count = 0;
    uint64_t scanned = 0;
    for (int round = 0; round < 50; ++round) {
      for (int twice = 0; twice < 2; ++twice)
        for (uint64_t k = 0; k < 40; ++k) {
          if (cache.find(0, key(k))) {
            ++count;
          } else {
            cache.store(0, key(k), reply("x"));
          }
        }
      for (int k = 0; k < 300; ++k) cache.store(0, key(10'000 + scanned++), reply("x"));
    }
    return count;
  };
  EXPECT_GT(hits(CachePolicy::s3fifo), hits(CachePolicy::clock) * 5 / 4);
}

TEST(ReplyCache, APolicyChangeKeepsTheEntries) {
  ReplyCache cache(1 << 20, CachePolicy::s3fifo);
  for (uint64_t k = 0; k < 100; ++k) cache.store(0, key(k), reply("x"));
  cache.configure(1 << 20, CachePolicy::clock, kSecond);
  for (uint64_t k = 0; k < 100; ++k) EXPECT_NE(cache.find(0, key(k)), nullptr);
  cache.configure(0, CachePolicy::clock, kSecond);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(SingleFlight, AThousandEqualRequestsMakeOneCall) {
  SingleFlight flights;
  int calls = 0;
  for (uint64_t token = 0; token < 1000; ++token)
    calls += flights.join("a", token) == SingleFlight::Role::follower ? 0 : 1;
  EXPECT_EQ(calls, 1);
  std::vector<uint64_t> followers;
  flights.end("a", followers);
  ASSERT_EQ(followers.size(), 999u);
  EXPECT_EQ(followers.front(), 1u);
  EXPECT_EQ(flights.bytes(), 0u);
  EXPECT_EQ(flights.join("a", 2000), SingleFlight::Role::leader) << "the next one asks again";
}

TEST(SingleFlight, ALeaderThatLeavesHandsOverUntilNobodyIsLeft) {
  SingleFlight flights;
  for (uint64_t token = 1; token <= 3; ++token) flights.join("a", token);
  EXPECT_TRUE(flights.leave("a", 2));
  EXPECT_FALSE(flights.leave("a", 2));
  EXPECT_EQ(flights.hand_over("a"), 3u);
  EXPECT_EQ(flights.hand_over("a"), std::nullopt);
  EXPECT_EQ(flights.flights(), 0u);
  EXPECT_EQ(flights.bytes(), 0u);
}

TEST(SingleFlight, KeysWithOneHashDoNotShareACall) {
  SingleFlight flights;
  const CacheHash hash{1, 2};
  EXPECT_EQ(flights.join("a", hash, 1), SingleFlight::Role::leader);
  EXPECT_EQ(flights.join("b", hash, 2), SingleFlight::Role::alone);
  std::vector<uint64_t> followers;
  flights.end("b", hash, followers);
  EXPECT_TRUE(followers.empty());
  EXPECT_EQ(flights.flights(), 1u) << "the flight of the other key goes on";
}

TEST(SingleFlight, FollowersAreBounded) {
  SingleFlight flights;
  flights.join("a", 0);
  for (uint64_t token = 1; token <= SingleFlight::kMostFollowers; ++token) flights.join("a", token);
  EXPECT_EQ(flights.join("a", 1'000'000), SingleFlight::Role::alone);
  EXPECT_EQ(flights.followers(), SingleFlight::kMostFollowers);
}

}  // namespace
}  // namespace mlq::serve
