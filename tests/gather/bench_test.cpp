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

// How long the calls between two barriers were.
class Measuring final : public ranks::Comm {
 public:
  explicit Measuring(ranks::Comm& comm) : comm_(comm) {}
  unsigned rank() const override { return comm_.rank(); }
  unsigned size() const override { return comm_.size(); }
  std::string_view transport() const override { return comm_.transport(); }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    sent.back() += mine.size();
    comm_.start(mine, all, stride);
  }
  void progress() override { comm_.progress(); }
  void finish() override { comm_.finish(); }
  void barrier() override {
    sent.push_back(0);
    comm_.barrier();
  }
  std::vector<uint64_t> sent{0};

 private:
  ranks::Comm& comm_;
};

TEST(GatherBench, SendsAllWeightsBothWaysAsBf16) {
  on_ranks(1, [&](ranks::Comm& comm) {
    Measuring measuring(comm);
    GatherBench bench;
    bench.elems = 64'000;
    bench.bits = {4};
    bench.piece = 5000;
    bench.time_ns = 1;
    bench_gather(measuring, bench, kClock, [](const GatherBenchResult&) {});
    ASSERT_GE(measuring.sent.size(), 4u);
    EXPECT_EQ(measuring.sent[1], 64'000u / 2 + 64'000u / 32);
    EXPECT_EQ(measuring.sent[2], 128'000u);
    // The times of the ranks go round after the last.
    EXPECT_GE(measuring.sent[3], 128'000u);
    EXPECT_LT(measuring.sent[3], 129'000u);
  });
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
