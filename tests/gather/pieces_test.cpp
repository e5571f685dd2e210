// What goes over the wire in pieces while it is being encoded is what one all-gather would carry.
#include <map>

#include "tests/gather/ranks.h"

namespace mlq::gather::test {
namespace {

// Puts together what a rank has sent between one finish() and the next.
class Assembling final : public ranks::Comm {
 public:
  explicit Assembling(ranks::Comm& comm) : comm_(comm) {}
  unsigned rank() const override { return comm_.rank(); }
  unsigned size() const override { return comm_.size(); }
  std::string_view transport() const override { return comm_.transport(); }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    pieces_[all].assign(reinterpret_cast<const char*>(mine.data()), mine.size());
    comm_.start(mine, all, stride);
  }
  void progress() override { comm_.progress(); }
  void finish() override {
    comm_.finish();
    sent.emplace_back();
    most_pieces = std::max(most_pieces, pieces_.size());
    for (const auto& [at, bytes] : pieces_) sent.back() += bytes;
    pieces_.clear();
  }
  void barrier() override { comm_.barrier(); }

  std::vector<std::string> sent;
  size_t most_pieces = 0;

 private:
  ranks::Comm& comm_;
  std::map<const std::byte*, std::string> pieces_;
};

class GatherPieces : public testing::Test {
 protected:
  void SetUp() override {
    for (int step = 0; step < 3; ++step)
      write_model(path(step), {normal_tensor("a", Dtype::bf16, {300, 200}, 1 + step),
                               normal_tensor("odd", Dtype::f32, {1, 70'001}, 10 + step),
                               {"ids", Dtype::i64, {5}, std::vector<std::byte>(40, std::byte(step))}});
  }
  std::string path(int step) const { return folder_ / std::to_string(step); }

  struct Sent {
    std::vector<std::vector<std::string>> by_rank;
    std::vector<std::string> hashes;
    size_t most_pieces = 0;
  };
  Sent gathered(unsigned ranks, const GatherOptions& options) {
    Sent out{std::vector<std::vector<std::string>>(ranks), std::vector<std::string>(ranks)};
    std::mutex mutex;
    const Outcomes outcomes = on_ranks(ranks, [&](ranks::Comm& comm) {
      Assembling assembling(comm);
      Gather gather(assembling, options, kClock);
      for (int step = 0; step < 3; ++step) gather.step(static_cast<uint64_t>(step), opens(path(step)), true);
      out.by_rank[comm.rank()] = assembling.sent;
      out.hashes[comm.rank()] = gather.state_hash();
      const std::lock_guard lock(mutex);
      out.most_pieces = std::max(out.most_pieces, assembling.most_pieces);
    });
    EXPECT_EQ(outcomes, Outcomes(ranks));
    return out;
  }

  mlq::test::TempDir folder_;
};

TEST_F(GatherPieces, OfAnySizeCarryTheSameBytes) {
  for (const Cancel cancel : {Cancel::delta, Cancel::dither})
    for (const unsigned ranks : {1u, 3u}) {
      GatherOptions options = options_of(cancel, cancel == Cancel::delta ? 4 : 3);
      options.settings.strata = cancel == Cancel::dither ? 2 : 1;
      options.joining = Joining::sliced;
      options.wire_piece = uint64_t{1} << 30;
      const Sent whole = gathered(ranks, options);
      EXPECT_EQ(whole.most_pieces, 1u);
      for (const uint64_t piece : {1, 100, 4096, 10'000})
        for (const unsigned threads : {1u, 3u}) {
          options.wire_piece = piece;
          options.threads = threads;
          const Sent pieces = gathered(ranks, options);
          EXPECT_GT(pieces.most_pieces, 1u);
          EXPECT_EQ(pieces.hashes, whole.hashes);
          for (unsigned rank = 0; rank < ranks; ++rank) {
            // All but the first note, which says how long pieces are.
            ASSERT_EQ(pieces.by_rank[rank].size(), whole.by_rank[rank].size());
            size_t different = 0;
            for (size_t i = 0; i < pieces.by_rank[rank].size(); ++i)
              different += pieces.by_rank[rank][i] != whole.by_rank[rank][i];
            EXPECT_EQ(different, 3u) << "pieces of " << piece << ", rank " << rank << " of " << ranks;
          }
        }
    }
}

TEST_F(GatherPieces, OfDifferentSizesAreDifferentOptions) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    GatherOptions options = options_of(Cancel::delta, 4);
    options.wire_piece = 1000 + comm.rank();
    Gather(comm, options, kClock).step(0, opens(path(0)), true);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome, "3: rank 1 was given other options than rank 0; start all ranks with the same ones");
}

// Where pieces begin, in the order in which they go.
class Listing final : public ranks::Comm {
 public:
  unsigned rank() const override { return 0; }
  unsigned size() const override { return 1; }
  std::string_view transport() const override { return "none"; }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t) override {
    sizes.push_back(mine.size());
    begins.push_back(all);
  }
  void progress() override { ++progressed; }
  void finish() override { finished = true; }
  void barrier() override {}

  std::vector<size_t> sizes;
  std::vector<const std::byte*> begins;
  unsigned progressed = 0;
  bool finished = false;
};

TEST(PieceSender, SendsWhatIsReadyAndTheBeginningLast) {
  Listing comm;
  std::vector<std::byte> mine(450), all(450);
  PieceSender sender(comm, mine, all, 64, 100);
  const auto offsets = [&] {
    std::vector<ptrdiff_t> out;
    for (const std::byte* begin : comm.begins) out.push_back(begin - all.data());
    return out;
  };
  sender.ready(199);
  EXPECT_TRUE(comm.begins.empty());
  sender.ready(310);
  EXPECT_EQ(offsets(), (std::vector<ptrdiff_t>{100, 200}));
  EXPECT_EQ(comm.progressed, 1u);
  EXPECT_FALSE(comm.finished);
  sender.finish();
  EXPECT_EQ(offsets(), (std::vector<ptrdiff_t>{100, 200, 300, 400, 0}));
  EXPECT_EQ(comm.sizes, (std::vector<size_t>{100, 100, 100, 50, 100}));
  EXPECT_TRUE(comm.finished);
}

TEST(PieceSender, SendsAllAtOnceWherePiecesAreLonger) {
  for (const uint64_t piece : {uint64_t{450}, uint64_t{451}, ~uint64_t{0}}) {
    Listing comm;
    std::vector<std::byte> mine(450), all(450);
    PieceSender(comm, mine, all, 64, piece).finish();
    EXPECT_EQ(comm.sizes, (std::vector<size_t>{450})) << piece;
  }
}

TEST(PieceSender, SendsNothingOfNothing) {
  Listing comm;
  PieceSender(comm, {}, {}, 0).finish();
  EXPECT_TRUE(comm.begins.empty());
  EXPECT_TRUE(comm.finished);
}

}  // namespace
}  // namespace mlq::gather::test
