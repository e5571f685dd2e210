// Gathers over ranks that are threads: what all hold, how well, and what goes wrong.
#include <cmath>
#include <fstream>
#include <future>

#include "kernels/float_convert.h"
#include "tests/gather/ranks.h"

namespace mlq::gather::test {
namespace {

using quant::test::TestTensor;

// A model whose weights move a little from step to step.
class Training {
 public:
  explicit Training(Dtype dtype) : dtype_(dtype), weights_(values(4)) {}
  static constexpr uint64_t kRows = 40, kCols = 333, kElems = kRows * kCols;

  void move(uint64_t seed, float update) {
    const std::vector<float> moves = values(100 + seed);
    for (uint64_t i = 0; i < kElems; ++i) weights_[i] += update * moves[i];
  }
  // Rows `first` ... `last` of the matrix; the others whole.
  std::vector<TestTensor> rows(uint64_t first, uint64_t last) const {
    const std::vector<float> part(weights_.begin() + static_cast<ptrdiff_t>(first * kCols),
                                  weights_.begin() + static_cast<ptrdiff_t>(last * kCols));
    return {{"matrix", dtype_, {last - first, kCols}, quant::test::bytes_of(dtype_, part)}};
  }
  TestTensor counters() const {
    return {"counters", Dtype::i64, {3}, std::vector<std::byte>(24, std::byte{7})};
  }
  TestTensor bias() const { return normal_tensor("bias", dtype_, {17}, 5); }
  std::vector<TestTensor> whole() const {
    auto out = rows(0, kRows);
    out.push_back(counters());
    out.push_back(bias());
    return out;
  }
  const std::vector<float>& weights() const { return weights_; }

 private:
  static std::vector<float> values(uint64_t seed) {
    const auto bytes = quant::normal_values(Float::f32, kElems, seed);
    std::vector<float> out(kElems);
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
  Dtype dtype_;
  std::vector<float> weights_;
};

std::vector<float> held_values(Gather& gather, const std::string& name, Float state) {
  for (size_t t = 0; t < gather.tensors().size(); ++t) {
    if (gather.tensors()[t].info.name != name) continue;
    std::vector<float> out(gather.tensors()[t].info.elems);
    for (size_t i = 0; i < out.size(); ++i) out[i] = kernels::load(state, gather.held(t).data(), i);
    return out;
  }
  return {};
}

double relative_rmse(const std::vector<float>& held, const std::vector<float>& weights) {
  double error = 0, energy = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const double e = static_cast<double>(held[i]) - weights[i];
    error += e * e;
    energy += static_cast<double>(weights[i]) * weights[i];
  }
  return std::sqrt(error / energy);
}

class GatherTest : public testing::Test {
 protected:
  mlq::test::TempDir folder_;
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  // Hashes of what all hold after so many steps of one training, by --slice over so many ranks.
  std::vector<std::string> sliced_hashes(unsigned size, const GatherOptions& given, uint64_t steps) {
    Training training(Dtype::f32);
    for (uint64_t step = 0; step < steps; ++step) {
      write_model(path(std::to_string(step)), training.whole());
      training.move(step, 1e-3f);
    }
    std::vector<std::string> hashes(size);
    GatherOptions options = given;
    options.joining = Joining::sliced;
    const Outcomes outcomes = on_ranks(size, [&](ranks::Comm& comm) {
      Gather gather(comm, options, kClock);
      for (uint64_t step = 0; step < steps; ++step)
        gather.step(step, opens(path(std::to_string(step))), true);
      hashes[comm.rank()] = gather.state_hash();
    });
    for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "");
    return hashes;
  }
};

TEST_F(GatherTest, OneTwoAndFourRanksHoldTheSame) {
  for (const Cancel cancel : {Cancel::none, Cancel::delta, Cancel::residual, Cancel::dither})
    for (const unsigned bits : {8u, 4u, 3u, 2u}) {
      GatherOptions options = options_of(cancel, bits);
      options.settings.strata = cancel == Cancel::dither ? 4 : 1;
      const std::string expected = sliced_hashes(1, options, 3)[0];
      for (const unsigned size : {2u, 4u})
        for (const std::string& hash : sliced_hashes(size, options, 3))
          EXPECT_EQ(hash, expected) << name_of(cancel) << ' ' << bits << " bits, " << size << " ranks";
    }
}

TEST_F(GatherTest, AnyNumberOfRanksAndThreadsKeepsTheSameResidualOfEightBits) {
  GatherOptions options = options_of(Cancel::residual, 3);
  options.settings.residual_type = ResidualType::int8;
  options.settings.block = 16;
  const std::string expected = sliced_hashes(1, options, 3)[0];
  options.threads = 3;
  for (const std::string& hash : sliced_hashes(4, options, 3)) EXPECT_EQ(hash, expected);
  options.settings.residual_type = ResidualType::f32;
  EXPECT_NE(sliced_hashes(1, options, 3)[0], expected);
}

TEST_F(GatherTest, ThreadsChangeNothing) {
  GatherOptions options = options_of(Cancel::delta, 4);
  const std::string expected = sliced_hashes(2, options, 3)[0];
  options.threads = 3;
  EXPECT_EQ(sliced_hashes(2, options, 3)[1], expected);
}

TEST_F(GatherTest, RowsAreJoinedAndWhatOneHasIsSent) {
  const Training training(Dtype::bf16);
  auto first = training.rows(0, 13), second = training.rows(13, Training::kRows);
  first.push_back(training.counters());
  second.push_back(training.bias());
  write_model(path("0"), first);
  write_model(path("1"), second);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, options_of(Cancel::delta, 4), kClock);
    const StepReport report = gather.step(0, opens(path(std::to_string(comm.rank()))), true);
    EXPECT_TRUE(report.key);
    EXPECT_EQ(report.rekey_reason, "start");
    ASSERT_EQ(gather.tensors().size(), 3u);
    const auto held = held_values(gather, "matrix", Float::bf16);
    EXPECT_NEAR(relative_rmse(held, training.weights()), .0062, .0007);  // int8, bf16 weights and state
    EXPECT_NEAR(report.rel_rmse, .0061, .0007);
    for (size_t t = 0; t < 3; ++t) {
      if (gather.tensors()[t].info.name == "matrix") continue;
      const TestTensor exact =
          gather.tensors()[t].info.name == "bias" ? training.bias() : training.counters();
      EXPECT_TRUE(std::equal(exact.bytes.begin(), exact.bytes.end(), gather.held(t).begin()));
    }
  });
  for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "");
}

TEST_F(GatherTest, FlatPartitionsBecomeTheTensorsOfTheModel) {
  const Training training(Dtype::f32);
  std::vector<float> all = training.weights();
  all.insert(all.end(), 60, 0.0f);  // padding
  const auto half = static_cast<ptrdiff_t>(all.size() / 2);
  const std::vector<float> low(all.begin(), all.begin() + half), high(all.begin() + half, all.end());
  write_model(path("0"), {{"flat", Dtype::f32, {low.size()}, quant::test::bytes_of(Dtype::f32, low)}});
  write_model(path("1"), {{"flat", Dtype::f32, {high.size()}, quant::test::bytes_of(Dtype::f32, high)}});
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    GatherOptions options = options_of(Cancel::delta, 4, Float::f32);
    options.joining = Joining::flat;
    options.like = {{"a", Dtype::bf16, {10, 333}}, {"b", Dtype::bf16, {30, 333}}};
    Gather gather(comm, options, kClock);
    gather.step(0, opens(path(std::to_string(comm.rank()))), true);
    auto held = held_values(gather, "a", Float::f32);
    const auto more = held_values(gather, "b", Float::f32);
    held.insert(held.end(), more.begin(), more.end());
    EXPECT_LT(relative_rmse(held, training.weights()), .0065);
  });
  for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "");
}

TEST_F(GatherTest, DeltaKeepsToItsBoundStepAfterStep) {
  for (const auto& [state, bits, bound] : {std::tuple(Float::f32, 4u, 1.2e-4),
                                           {Float::bf16, 4u, 1.8e-3},
                                           {Float::f32, 2u, 5e-4},
                                           {Float::bf16, 2u, 2.1e-3}}) {
    Training training(Dtype::f32);
    constexpr uint64_t kSteps = 30;
    for (uint64_t step = 0; step < kSteps; ++step) {
      training.move(step, 1e-3f);
      write_model(path(std::to_string(step)), training.whole());
    }
    const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
      GatherOptions options = options_of(Cancel::delta, bits, state);
      options.joining = Joining::sliced;
      Gather gather(comm, options, kClock);
      for (uint64_t step = 0; step < kSteps; ++step) {
        const StepReport report = gather.step(step, opens(path(std::to_string(step))), true);
        EXPECT_EQ(report.key, step == 0);
        const double share = static_cast<double>(report.wire_bytes) / static_cast<double>(report.bf16_bytes);
        if (!report.key) EXPECT_LE(share, bits == 4 ? .30 : .17);
        if (step + 1 == kSteps) EXPECT_LE(report.rel_rmse, bound);
      }
      EXPECT_LE(relative_rmse(held_values(gather, "matrix", state), training.weights()), bound);
    });
    for (const std::string& outcome : outcomes) EXPECT_EQ(outcome, "");
  }
}

TEST_F(GatherTest, KeyFramesComeWhenTheyAreDue) {
  Training training(Dtype::f32);
  std::vector<std::string> reasons(8);
  for (uint64_t step = 0; step < reasons.size(); ++step) {
    training.move(step, step == 5 ? 1.0f : 1e-3f);
    write_model(path(std::to_string(step)), training.whole());
  }
  write_model(path("7"), training.rows(0, 39));
  on_ranks(2, [&](ranks::Comm& comm) {
    GatherOptions options = options_of(Cancel::delta, 4);
    options.joining = Joining::sliced;
    options.key_every = 3;
    Gather gather(comm, options, kClock);
    for (uint64_t step = 0; step < reasons.size(); ++step) {
      const StepReport report = gather.step(step, opens(path(std::to_string(step))), false);
      if (comm.rank() == 1) reasons[step] = report.rekey_reason;
    }
  });
  EXPECT_EQ(reasons, (std::vector<std::string>{"start", "", "", "every", "", "error", "", "shapes"}));
}

TEST_F(GatherTest, TheRivalHasOneScaleOfEightThousandAndCutsItsExtreme) {
  Training training(Dtype::f32);
  write_model(path("m"), training.whole());
  on_ranks(1, [&](ranks::Comm& comm) {
    GatherOptions options = options_of(Cancel::none, 8, Float::f32);
    options.settings.qwz = true;
    options.settings.block = 8192;
    options.settings.scale = Float::f32;
    Gather gather(comm, options, kClock);
    EXPECT_NEAR(gather.step(0, opens(path("m")), false).rel_rmse, .00901, .0006);
  });
}

// ---- Faults

class GatherFault : public GatherTest {
 protected:
  void SetUp() override {
    training_ = std::make_unique<Training>(Dtype::f32);
    for (uint64_t step = 0; step < 4; ++step) {
      write_model(path(std::to_string(step)), training_->whole());
      training_->move(step, 1e-3f);
    }
  }
  static GatherOptions sliced() {
    GatherOptions options = options_of(Cancel::delta, 4);
    options.joining = Joining::sliced;
    return options;
  }
  std::unique_ptr<Training> training_;
};

TEST_F(GatherFault, OfAnUnreadableShardIsEveryRanksError) {
  const Outcomes outcomes = on_ranks(3, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path(comm.rank() == 1 ? "nowhere" : "0")), false);
  });
  for (const std::string& outcome : outcomes) {
    EXPECT_EQ(outcome.substr(0, 11), "4: rank 1: ");  // the kind is that of opening a file
    EXPECT_EQ(outcome, outcomes[0]);
  }
}

// What all find out together is agreed, so that one of them can say it; what one sees alone is not.
TEST_F(GatherFault, ThatAllHaveFoundOutIsAgreed) {
  const auto first_step = [&](ranks::Comm& comm, const std::string& file) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path(file)), false);
  };
  on_ranks(2, [&](ranks::Comm& comm) {
    EXPECT_THROW(first_step(comm, comm.rank() == 1 ? "nowhere" : "0"), AgreedError);
  });
  write_model(path("other"), {normal_tensor("matrix", Dtype::f32, {4, 300})});
  on_ranks(2, [&](ranks::Comm& comm) {
    EXPECT_THROW(first_step(comm, comm.rank() == 1 ? "other" : "0"), AgreedError);
  });
  on_ranks(2, [&](ranks::Comm& comm) {
    if (comm.rank() == 1) return;
    try {
      first_step(comm, "0");
      ADD_FAILURE() << "the other rank is gone";
    } catch (const AgreedError& error) {
      ADD_FAILURE() << error.what();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::environment);
    }
  });
}

TEST_F(GatherFault, OfADamagedShardIsEveryRanksError) {
  std::ofstream(path("damaged")) << "this is no safetensors file, whatever it is";
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path(comm.rank() == 1 ? "damaged" : "0")), false);
  });
  for (const std::string& outcome : outcomes) {
    EXPECT_EQ(outcome.substr(0, 11), "3: rank 1: ");
    EXPECT_EQ(outcome, outcomes[0]);
  }
}

TEST_F(GatherFault, OfAWeightThatIsNotFiniteNamesIt) {
  auto model = training_->whole();
  const float nan = std::nanf("");
  std::memcpy(model[0].bytes.data() + 4 * 9000, &nan, 4);
  write_model(path("nan"), model);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path("nan")), false);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(
        outcome,
        "3: rank 1: tensor \"matrix\": element 9000 is NaN (bits 0x7fc00000); only finite weights can be "
        "quantised: mend them, or --exclude the tensor");
}

TEST_F(GatherFault, OfDifferentOptionsAndStepsIsSaid) {
  const Outcomes options = on_ranks(2, [&](ranks::Comm& comm) {
    GatherOptions own = sliced();
    own.settings.bits = comm.rank() == 0 ? 4 : 2;
    Gather gather(comm, own, kClock);
    gather.step(0, opens(path("0")), false);
  });
  for (const std::string& outcome : options)
    EXPECT_EQ(outcome, "3: rank 1 was given other options than rank 0; start all ranks with the same ones");
  const Outcomes steps = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(comm.rank(), opens(path("0")), false);
  });
  for (const std::string& outcome : steps)
    EXPECT_EQ(outcome, "3: rank 1 is at step 1, rank 0 at step 0; start all ranks with the same steps");
}

TEST_F(GatherFault, OfShapesThatCannotBeJoinedIsSaid) {
  write_model(path("wide"), {normal_tensor("matrix", Dtype::f32, {4, 300})});
  write_model(path("narrow"), {normal_tensor("matrix", Dtype::f32, {4, 301})});
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, options_of(Cancel::delta, 4), kClock);
    gather.step(0, opens(path(comm.rank() == 0 ? "wide" : "narrow")), false);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome,
              "3: tensor \"matrix\" is F32 [4, 300] on rank 0 and F32 [4, 301] on rank 1; rows of one length "
              "and type "
              "can be joined");
}

TEST_F(GatherFault, OfATensorOnSomeRanksIsSaid) {
  write_model(path("a"),
              {normal_tensor("x", Dtype::f32, {4, 300}), normal_tensor("y", Dtype::f32, {4, 300})});
  write_model(path("b"), {normal_tensor("x", Dtype::f32, {4, 300})});
  const Outcomes outcomes = on_ranks(3, [&](ranks::Comm& comm) {
    Gather gather(comm, options_of(Cancel::delta, 4), kClock);
    gather.step(0, opens(path(comm.rank() == 2 ? "b" : "a")), false);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome.substr(0, 33), "3: tensor \"y\" is on 2 of 3 ranks;");
}

// Flips a bit of a payload (nothing else is as long) as rank 1 receives it.
Tampered::All flips_payloads(size_t from, size_t to) {
  return [=, seen = size_t{0}](size_t, size_t each, std::span<std::byte> all) mutable {
    if (each <= 1024) return;
    if (seen >= from && seen < to) all[each / 2] ^= std::byte{4};
    ++seen;
  };
}

TEST_F(GatherFault, OfADamagedPayloadIsMendedByAKeyFrame) {
  std::vector<std::string> hashes(2), notes(2);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Tampered tampered(comm, {}, comm.rank() == 1 ? flips_payloads(1, 2) : Tampered::All{});
    GatherOptions options = sliced();
    options.note = [&](const std::string& note) { notes[comm.rank()] += note; };
    Gather gather(tampered, options, kClock);
    gather.step(0, opens(path("0")), true);
    const StepReport report = gather.step(1, opens(path("1")), true);
    EXPECT_EQ(report.rekey_reason, "payload");
    EXPECT_TRUE(report.key);
    EXPECT_EQ(report.sent, 2u);
    hashes[comm.rank()] = report.state_hash;
  });
  EXPECT_EQ(outcomes, (Outcomes{"", ""}));
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(notes,
            (std::vector<std::string>{"step 1: what rank 0 sent arrived damaged; it is sent again", ""}));
}

TEST_F(GatherFault, OfAPayloadThatIsDamagedTwiceIsTheEnvironments) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Tampered tampered(comm, {}, comm.rank() == 1 ? flips_payloads(1, 3) : Tampered::All{});
    Gather gather(tampered, sliced(), kClock);
    gather.step(0, opens(path("0")), true);
    gather.step(1, opens(path("1")), true);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome, "4: step 1: what rank 0 sent arrived damaged twice running; check memory and network");
}

TEST_F(GatherFault, OfAnyFlippedBitIsNeverSilent) {
  for (const size_t bit : {0, 100, 70 * 8, 3000 * 8 + 5}) {
    const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
      const Tampered::All flips = [&](size_t, size_t each, std::span<std::byte> all) {
        if (each > 1024) all[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
      };
      Tampered tampered(comm, {}, comm.rank() == 1 ? flips : Tampered::All{});
      Gather gather(tampered, sliced(), kClock);
      gather.step(0, opens(path("0")), true);
    });
    for (const std::string& outcome : outcomes) EXPECT_EQ(outcome.substr(0, 2), "4:") << bit;
  }
}

TEST_F(GatherFault, OfADamagedMessageIsTheEnvironments) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    const Tampered::All flips = [&](size_t call, size_t, std::span<std::byte> all) {
      if (call == 0) all[500] ^= std::byte{1};
    };
    Tampered tampered(comm, {}, comm.rank() == 1 ? flips : Tampered::All{});
    Gather gather(tampered, sliced(), kClock);
    gather.step(0, opens(path("0")), true);
  });
  EXPECT_EQ(outcomes[0], "4: a rank is gone; start the ranks again");
  EXPECT_EQ(outcomes[1], "4: a message of rank 0 arrived damaged; check memory and network");
}

TEST_F(GatherFault, OfDriftIsMendedByAKeyFrame) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path("0")), true);
    // A bit of memory flips.
    for (size_t t = 0; t < gather.tensors().size() && comm.rank() == 1; ++t)
      if (gather.tensors()[t].quantised) const_cast<std::byte&>(gather.held(t)[100]) ^= std::byte{1};
    const StepReport unseen = gather.step(1, opens(path("1")), false);
    EXPECT_FALSE(unseen.key);
    const StepReport seen = gather.step(2, opens(path("2")), true);
    EXPECT_TRUE(seen.key);
    EXPECT_EQ(seen.rekey_reason, "hash");
    EXPECT_FALSE(gather.step(3, opens(path("3")), true).key);
  });
  EXPECT_EQ(outcomes, (Outcomes{"", ""}));
}

TEST_F(GatherFault, OfDriftThatAKeyFrameDoesNotMendIsABug) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    // Rank 1 says another hash than it has: the note after payload, headers and verdict.
    size_t since_payload = 100;
    const Tampered::Mine lies = [&](size_t, std::span<std::byte> mine) {
      if (mine.size() > 1024) since_payload = 0;
      if (++since_payload != 4) return;
      mine[512 - kNoteBytes] ^= std::byte{1};
      const quant::Digest digest = quant::digest_of(mine.subspan(sizeof(quant::Digest)));
      std::memcpy(mine.data(), digest.data(), digest.size());
    };
    Tampered tampered(comm, comm.rank() == 1 ? lies : Tampered::Mine{}, {});
    Gather gather(tampered, sliced(), kClock);
    gather.step(0, opens(path("0")), true);
  });
  for (const std::string& outcome : outcomes)
    EXPECT_EQ(outcome,
              "5: step 0: ranks hold different weights after a key frame too: their arithmetic differs");
}

TEST_F(GatherFault, OfALostRankEndsTheOthers) {
  const Outcomes outcomes = on_ranks(3, [&](ranks::Comm& comm) {
    Gather gather(comm, sliced(), kClock);
    gather.step(0, opens(path("0")), true);
    if (comm.rank() == 2) throw environment_error("killed");
    gather.step(1, opens(path("1")), true);
  });
  EXPECT_EQ(outcomes[0], "4: a rank is gone; start the ranks again");
  EXPECT_EQ(outcomes[1], outcomes[0]);
}

TEST_F(GatherFault, OfALateRankEndsTheOthers) {
  std::promise<void> over;
  const Outcomes outcomes = on_ranks(
      2,
      [&](ranks::Comm& comm) {
        Gather gather(comm, sliced(), kClock);
        if (comm.rank() == 1) return over.get_future().wait();
        const auto end = failure_of([&] { gather.step(0, opens(path("0")), true); });
        over.set_value();
        throw end.value();
      },
      50'000'000);
  EXPECT_EQ(outcomes[0].substr(0, 30), "4: a rank did not come within ");
}

// ---- States

class GatherState : public GatherFault {
 protected:
  struct Run {
    Outcomes outcomes;
    std::vector<std::string> hashes, notes;
    std::vector<StepReport> first;  // by rank
  };
  // Steps `from` ... `to` on two ranks; each writes its state after each of them.
  Run run(uint64_t from, uint64_t to, const GatherOptions& options, bool resume) {
    Run out{{}, std::vector<std::string>(2), std::vector<std::string>(2), std::vector<StepReport>(2)};
    out.outcomes = on_ranks(2, [&](ranks::Comm& comm) {
      const std::string state = path("state" + std::to_string(comm.rank()));
      GatherOptions own = options;
      own.note = [&](const std::string& note) { out.notes[comm.rank()] += note; };
      Gather gather(comm, own, kClock);
      uint64_t next = from;
      if (resume) next = gather.resume(state).value_or(from - 1) + 1;
      for (uint64_t step = next; step <= to; ++step) {
        const StepReport report = gather.step(step, opens(path(std::to_string(step))), true);
        if (step == next) out.first[comm.rank()] = report;
        gather.save(state);
      }
      out.hashes[comm.rank()] = gather.state_hash();
    });
    return out;
  }
};

TEST_F(GatherState, ResumedEndsInTheSameBytes) {
  for (const Cancel cancel : {Cancel::delta, Cancel::residual, Cancel::dither}) {
    GatherOptions options = sliced();
    options.settings = default_settings(cancel, 4);
    options.settings.strata = cancel == Cancel::dither ? 3 : 1;
    const Run whole = run(0, 3, options, false);
    run(0, 1, options, false);
    const Run resumed = run(0, 3, options, true);
    EXPECT_EQ(resumed.outcomes, (Outcomes{"", ""}));
    EXPECT_EQ(resumed.hashes, whole.hashes) << name_of(cancel);
    EXPECT_EQ(resumed.first[0].step, 2u);
    EXPECT_FALSE(resumed.first[0].key);
    for (const std::string file : {"state0.0", "state0.1", "state1.0", "state1.1"})
      std::filesystem::remove(path(file));
  }
}

TEST_F(GatherState, HasAResidualOfEightBits) {
  GatherOptions options = sliced();
  options.settings = default_settings(Cancel::residual, 4);
  options.settings.residual_type = ResidualType::int8;
  const Run whole = run(0, 3, options, false);
  run(0, 1, options, false);
  // 40 rows of 333, cut between blocks of 64: of this rank 105 of 209 blocks, with a bf16 scale each.
  const auto state = read_state(path("state0.1"));
  ASSERT_TRUE(state);
  ASSERT_EQ(state->tensors.size(), 2u);
  for (const StateTensor& tensor : state->tensors)
    if (tensor.name == "matrix.mlq.residual") {
      EXPECT_EQ(tensor.dtype, Dtype::u8);
      EXPECT_EQ(tensor.bytes.size() % 66, 0u);
      EXPECT_NEAR(static_cast<double>(tensor.bytes.size()), 66 * 104, 66);
    }
  const Run resumed = run(0, 3, options, true);
  EXPECT_EQ(resumed.first[0].step, 2u);
  EXPECT_EQ(resumed.hashes, whole.hashes);
  // One of 32 bits is of other options.
  run(0, 1, options, false);
  options.settings.residual_type = ResidualType::f32;
  EXPECT_NE(run(0, 2, options, true).notes[0].find("is of other tensors, options or ranks"),
            std::string::npos);
}

TEST_F(GatherState, TheLastThatAllHaveIsTaken) {
  const Run whole = run(0, 3, sliced(), false);
  run(0, 1, sliced(), false);
  // Rank 1 was killed before it wrote that of step 1.
  std::filesystem::remove(path("state1.1"));
  const Run resumed = run(0, 3, sliced(), true);
  EXPECT_EQ(resumed.first[0].step, 1u);
  EXPECT_EQ(resumed.hashes, whole.hashes);
}

TEST_F(GatherState, WithoutOneBeginsWithAKeyFrame) {
  const Run run_ = run(1, 2, sliced(), true);
  EXPECT_EQ(run_.first[0].rekey_reason, "no state");
  EXPECT_NE(run_.notes[0].find("not every rank has a state of one step; begins with a key frame"),
            std::string::npos);
  GatherOptions strict = sliced();
  strict.strict = true;
  std::filesystem::remove(path("state0.0"));
  std::filesystem::remove(path("state0.1"));
  const Run refused = run(1, 2, strict, true);
  EXPECT_EQ(refused.outcomes[0].substr(0, 2), "3:");
}

TEST_F(GatherState, OfAnEarlierGatherIsRemoved) {
  run(0, 1, sliced(), false);
  remove_states(path("state0"));
  remove_states(path("state0"));  // nothing is there
  EXPECT_FALSE(std::filesystem::exists(path("state0.0")) || std::filesystem::exists(path("state0.1")));
  EXPECT_EQ(run(2, 3, sliced(), true).first[0].rekey_reason, "no state");
}

TEST_F(GatherState, OfOtherOptionsIsNotTaken) {
  run(0, 1, sliced(), false);
  GatherOptions other = sliced();
  other.settings.bits = 3;
  const Run resumed = run(0, 2, other, true);
  EXPECT_EQ(resumed.first[1].rekey_reason, "no state");
  EXPECT_NE(resumed.notes[0].find("is of other tensors, options or ranks"), std::string::npos);
  other.settings.bits = 2;
  other.strict = true;
  EXPECT_EQ(run(0, 3, other, true).outcomes[1].substr(0, 2), "3:");
}

TEST_F(GatherState, OfTheLastStepIsHeldAgainWithoutAStep) {
  for (const Cancel cancel : {Cancel::delta, Cancel::residual}) {
    GatherOptions options = sliced();
    options.settings = default_settings(cancel, 4);
    const Run whole = run(0, 3, options, false);
    const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
      Gather gather(comm, options, kClock);
      EXPECT_EQ(gather.resume(path("state" + std::to_string(comm.rank()))), 3u);
      gather.restore(opens(path("3")));
      EXPECT_EQ(gather.state_hash(), whole.hashes[comm.rank()]);  // of all tensors, not only the quantised
    });
    EXPECT_EQ(outcomes, (Outcomes{"", ""}));
    const Outcomes others = on_ranks(2, [&](ranks::Comm& comm) {
      GatherOptions other = options;
      other.settings.bits = 2;
      Gather gather(comm, other, kClock);
      gather.resume(path("state" + std::to_string(comm.rank())));
      EXPECT_THROW(gather.restore(opens(path("3"))), AgreedError);
    });
    EXPECT_EQ(others, (Outcomes{"", ""}));
  }
}

TEST_F(GatherState, ThatIsDamagedIsNotTaken) {
  run(0, 1, sliced(), false);
  {
    std::fstream file(path("state1.1"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-100, std::ios::end);
    file.put('!');
  }
  const Run resumed = run(0, 3, sliced(), true);
  EXPECT_NE(resumed.notes[1].find("the file is damaged"), std::string::npos);
  EXPECT_EQ(resumed.first[1].step, 1u);  // that of step 0 is whole
}

}  // namespace
}  // namespace mlq::gather::test
