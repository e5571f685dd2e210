#include "lib/serve/schedule/edf_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "lib/base/random.h"

namespace mlq::serve {
namespace {

Request request(uint64_t token, int64_t deadline_ns, uint8_t level = 4, uint64_t key = 1, uint32_t rows = 1) {
  return {.token = token,
          .key = key,
          .rows = rows,
          .bytes = 10 * rows,
          .arrived_ns = static_cast<int64_t>(token),
          .deadline_ns = deadline_ns,
          .level = level};
}

std::vector<uint64_t> drain(EdfQueue& queue) {
  std::vector<uint64_t> tokens;
  while (!queue.keys().empty()) tokens.push_back(queue.pop(0).request.token);
  return tokens;
}

TEST(EdfQueue, LevelThenDeadlineThenArrivalIsTheOrder) {
  EdfQueue queue;
  queue.push(request(1, 500));
  queue.push(request(2, 100));
  queue.push(request(3, 900, 1));
  queue.push(request(4, 100));
  queue.push(request(5, kNoDeadline, 2));
  EXPECT_EQ(drain(queue), (std::vector<uint64_t>{3, 5, 2, 4, 1}));
}

TEST(EdfQueue, CountsRowsAndBytesBackToZero) {
  EdfQueue queue;
  for (uint64_t t = 1; t <= 10; ++t) queue.push(request(t, 100, 4, t % 3, static_cast<uint32_t>(t)));
  EXPECT_EQ(queue.rows(), 55u);
  EXPECT_EQ(queue.bytes(), 550u);
  EXPECT_EQ(queue.cancel(4)->rows, 4u);
  EXPECT_FALSE(queue.cancel(4).has_value());
  EXPECT_EQ(queue.rows(), 51u);
  drain(queue);
  EXPECT_EQ(queue.rows(), 0u);
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(EdfQueue, TheSixtyFifthKeyGoesAlone) {
  EdfQueue queue;
  for (uint64_t key = 0; key < kMaxLiveKeys; ++key) EXPECT_FALSE(queue.push(request(key, 100, 4, key)));
  EXPECT_TRUE(queue.push(request(100, 100, 4, 100)));
  EXPECT_FALSE(queue.push(request(101, 100, 4, 5)));
  queue.cancel(7);
  EXPECT_FALSE(queue.push(request(102, 100, 4, 100))) << "a key that emptied makes room for another";
}

TEST(EdfQueue, ExpiresWhatIsLateWhereverItStands) {
  EdfQueue queue;
  queue.push(request(1, 900, 1));
  queue.push(request(2, 100, 8));
  queue.push(request(3, 300, 4, 2));
  EXPECT_EQ(queue.earliest_deadline(), 100);
  EXPECT_FALSE(queue.pop_expired(100).has_value()) << "at its deadline it is not late yet";
  EXPECT_EQ(queue.pop_expired(101)->token, 2u);
  EXPECT_FALSE(queue.pop_expired(101).has_value());
  EXPECT_EQ(queue.earliest_deadline(), 300);
}

// Against a sorted vector, through pushes, pops, cancels and expiries.
TEST(EdfQueue, AgreesWithASortedListOverRandomOperations) {
  const RandomStream random(7, Purpose::service);
  EdfQueue queue;
  std::vector<Request> list;
  const auto order = [](const Request& a, const Request& b) {
    return goes_before(a, b) || (!goes_before(b, a) && a.token < b.token);
  };
  for (uint64_t i = 1; i <= 20'000; ++i) {
    const PhiloxCounter bits = random.bits(i);
    if (bits.c0 % 8 < 5) {
      Request next =
          request(i, 1000 + bits.c1 % 500, static_cast<uint8_t>(1 + bits.c2 % 3), 1, 1 + bits.c3 % 5);
      next.arrived_ns = bits.c2 % 4;
      queue.push(next);
      list.insert(std::upper_bound(list.begin(), list.end(), next, order), next);
    } else if (!list.empty() && bits.c0 % 8 == 5) {
      const size_t k = bits.c1 % list.size();
      ASSERT_EQ(queue.cancel(list[k].token)->token, list[k].token);
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(k));
    } else if (!list.empty() && bits.c0 % 8 == 6) {
      ASSERT_EQ(queue.pop(0).request.token, list.front().token);
      list.erase(list.begin());
    } else if (!list.empty()) {
      const Request probe = request(0, 1000 + bits.c1 % 500, static_cast<uint8_t>(1 + bits.c2 % 3));
      uint64_t before = 0;
      int64_t earliest = kNoDeadline;
      for (const Request& waiting : list) {
        before += goes_before(probe, waiting) ? 0 : waiting.rows;
        earliest = std::min(earliest, waiting.deadline_ns);
      }
      ASSERT_EQ(queue.rows_before(probe), before);
      ASSERT_EQ(queue.earliest_deadline(), earliest);
    }
  }
  EXPECT_GT(list.size(), 1000u);
}

TEST(EdfQueue, AHundredThousandWaitAndLeaveInOrder) {
  const RandomStream random(8, Purpose::service);
  EdfQueue queue;
  for (uint64_t i = 1; i <= 100'000; ++i) queue.push(request(i, random.bits(i).c0));
  int64_t last = -1;
  while (!queue.keys().empty()) {
    const int64_t deadline_ns = queue.pop(0).request.deadline_ns;
    ASSERT_GE(deadline_ns, last);
    last = deadline_ns;
  }
}

}  // namespace
}  // namespace mlq::serve
