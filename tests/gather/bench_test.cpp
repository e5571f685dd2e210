#include "lib/gather/bench.h"

#include "tests/gather/ranks.h"

namespace mlq::gather::test {
namespace {

TEST(GatherBench, GivesAllRanksTheSameTimesOfWhatWasSent) {
  std::vector<std::vector<GatherBenchResult>> results(2);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    GatherBench bench;
    bench.elems = 100'000;
    bench.bits = {4, 2};
    bench.piece = 5000;
    bench.time_ns = 1;
    bench_gather(comm, bench, kClock, [&](const GatherBenchResult& r) { results[comm.rank()].push_back(r); });
  });
  EXPECT_EQ(outcomes, (Outcomes{"", ""}));
  ASSERT_EQ(results[0].size(), 2u);
  ASSERT_EQ(results[1].size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(results[0][i].duration_ns, results[1][i].duration_ns);
    EXPECT_EQ(results[0][i].bf16_ns, results[1][i].bf16_ns);
    EXPECT_LE(results[0][i].comm_ns, results[0][i].duration_ns);
    EXPECT_GE(results[0][i].reps, 3u);
  }
  // Blocks of 64: codes and a bf16 scale, twice 49,984 weights.
  EXPECT_EQ(results[0][0].wire_bytes, 2u * (49'984 / 2 + 49'984 / 32 + 6));
}

TEST(GatherBench, AStopOfOneRankIsAStopOfAll) {
  std::vector<StopFlag> stops(2);
  stops[1].request(15);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    GatherBench bench;
    bench.elems = 1000;
    bench.stop = &stops[comm.rank()];
    bench_gather(comm, bench, kClock, [](const GatherBenchResult&) { ADD_FAILURE() << "was stopped"; });
  });
  EXPECT_EQ(outcomes, (Outcomes{"", ""}));
  EXPECT_EQ(stops[0].signal(), 15);
}

}  // namespace
}  // namespace mlq::gather::test
