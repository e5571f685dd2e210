#include <gtest/gtest.h>

#include <thread>

#include "lib/base/error.h"
#include "lib/ranks/in_process.h"

namespace mlq::ranks::test {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// Runs `work` on each rank, a thread each.
template <class Work>
void on_ranks(unsigned size, int64_t timeout_ns, const Work& work) {
  auto comms = in_process_ranks(size, timeout_ns);
  std::vector<std::thread> threads;
  for (auto& comm : comms) threads.emplace_back([&work, own = std::move(comm)] { work(*own); });
  for (auto& thread : threads) thread.join();
}

TEST(InProcessRanks, GatherInTheOrderOfTheRanks) {
  on_ranks(4, 60 * kSecond, [](Comm& comm) {
    for (unsigned round = 0; round < 200; ++round) {
      const std::byte mine[] = {static_cast<std::byte>(comm.rank()), static_cast<std::byte>(round)};
      std::byte all[8];
      comm.all_gather(mine, all);
      for (unsigned r = 0; r < 4; ++r) {
        ASSERT_EQ(all[2 * r], static_cast<std::byte>(r));
        ASSERT_EQ(all[2 * r + 1], static_cast<std::byte>(round));
      }
    }
  });
}

TEST(InProcessRanks, ALostOneEndsTheOthers) {
  on_ranks(3, 60 * kSecond, [](Comm& comm) {
    if (comm.rank() == 1) return;  // destroyed
    EXPECT_THROW(comm.barrier(), Error);
    EXPECT_THROW(comm.barrier(), Error);
  });
}

TEST(InProcessRanks, ALateOneEndsTheOthers) {
  auto comms = in_process_ranks(2, kSecond / 20);
  try {
    comms[0]->barrier();
    FAIL() << "nobody else came";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_NE(std::string(error.what()).find("did not come within 0.05 s"), std::string::npos);
  }
}

}  // namespace
}  // namespace mlq::ranks::test
