// Gathers on devices: the bytes of the CPU, whatever carries them. Over the emulated CUDA and a library that
// stands in for NCCL; and on the devices that there are, several ranks on one of them if need be, which NCCL
// does not do.
#include <cstdlib>

#include "lib/gather/placement.h"
#include "tests/gather/ranks.h"

namespace mlq::gather::test {
namespace {

#ifndef MLQ_STANDIN_NCCL
#define MLQ_STANDIN_NCCL "libnccl.so.2"
#endif

// What can carry the bytes of so many ranks on devices.
Transport between(size_t ranks) {
  return device::devices().size() >= ranks ? Transport::automatic : Transport::mpi;
}

struct Where {
  std::string name;
  std::vector<bool> cuda;  // by rank
  Transport transport = Transport::automatic;
};

// A way of gathering; fills in what options_of() does not say.
struct Way {
  std::string name;
  Cancel cancel;
  unsigned bits;
  Float state = Float::bf16;
  std::function<void(GatherOptions&)> more = [](GatherOptions&) {};
};

PlacementOptions placement_of(bool cuda, Transport transport = Transport::automatic) {
  return {cuda, transport, 20'000'000'000, {}, MLQ_STANDIN_NCCL};
}

class GatherDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!device::available()) GTEST_SKIP() << "no GPU: " << device::unavailable_reason();
    for (int step = 0; step < 4; ++step)
      write_model(path(step), {moving("matrix", Dtype::bf16, {60, 100}, 1, step),
                               moving("odd", Dtype::f32, {1, 20'003}, 10, step),
                               moving("half", Dtype::f16, {33, 65}, 20, step),
                               moving("bias", Dtype::f32, {77}, 30, step),
                               {"ids", Dtype::i64, {5}, std::vector<std::byte>(40, std::byte(step))}});
  }
  // Normal weights that move by a hundredth from each step to the next.
  static TestTensor moving(const std::string& name, Dtype dtype, const std::vector<uint64_t>& shape,
                           uint64_t seed, int step) {
    TestTensor tensor = normal_tensor(name, dtype, shape, seed);
    const Float type = *quant::source_float(dtype);
    const uint64_t elems = tensor.bytes.size() / size_of(type);
    for (int s = 1; s <= step; ++s) {
      const auto update = quant::normal_values(Float::f32, elems, 1000 * seed + static_cast<uint64_t>(s));
      for (uint64_t i = 0; i < elems; ++i)
        kernels::store(
            type, tensor.bytes.data(), i,
            kernels::load(type, tensor.bytes.data(), i) + .01f * kernels::load(Float::f32, update.data(), i));
    }
    return tensor;
  }
  std::string path(int step) const { return folder_ / std::to_string(step); }
  std::string path(const std::string& name) const { return folder_ / name; }

  static GatherOptions sliced(const Way& way) {
    GatherOptions options = options_of(way.cancel, way.bits, way.state);
    options.joining = Joining::sliced;
    way.more(options);
    return options;
  }

  // What came out of every step: hash, relative error, bytes; and of the last what is held.
  std::vector<std::string> gathered(const Where& where, const Way& way) {
    const auto size = static_cast<unsigned>(where.cuda.size());
    std::vector<std::string> first;
    std::mutex mutex;
    const Outcomes outcomes = on_ranks(size, [&](ranks::Comm& comm) {
      const Placement place = place_ranks(comm, placement_of(where.cuda[comm.rank()], where.transport));
      EXPECT_EQ(place.backend != nullptr, where.cuda[comm.rank()]);
      GatherOptions options = sliced(way);
      options.backend = place.backend.get();
      options.wire = place.wire.get();
      Gather gather(comm, options, kClock);
      std::vector<std::string> seen;
      for (int step = 0; step < 4; ++step) {
        const StepReport report = gather.step(static_cast<uint64_t>(step), opens(path(step)), true);
        seen.push_back(fmt::format("{} {} {} {} {}", report.state_hash, report.rel_rmse, report.wire_bytes,
                                   report.key, report.sent));
      }
      for (size_t t = 0; t < gather.tensors().size(); ++t) {
        const auto held = gather.held(t);
        seen.push_back(std::string(reinterpret_cast<const char*>(held.data()), held.size()));
      }
      const std::lock_guard lock(mutex);
      if (first.empty()) first = seen;
      EXPECT_EQ(seen, first) << "ranks differ";
    });
    EXPECT_EQ(outcomes, Outcomes(size));
    return first;
  }

  mlq::test::TempDir folder_;
};

const std::vector<Way>& ways() {
  static const std::vector<Way> all = {
      {"delta 4", Cancel::delta, 4},
      {"delta 2, state f32", Cancel::delta, 2, Float::f32},
      {"delta 8, raw keys", Cancel::delta, 8, Float::f16, [](GatherOptions& o) { o.settings.key_bits = 0; }},
      {"delta 3, blocks of 16384", Cancel::delta, 3, Float::bf16,
       [](GatherOptions& o) { o.settings.block = 16384; }},
      {"none, mse", Cancel::none, 4, Float::bf16,
       [](GatherOptions& o) { o.settings.grid = kernels::Grid::mse; }},
      {"residual", Cancel::residual, 4},
      {"residual as int8", Cancel::residual, 2, Float::f32,
       [](GatherOptions& o) {
         o.settings.residual_type = ResidualType::int8;
         o.settings.beta = .8;
         o.settings.residual_reset = 3;
       }},
      {"as ZeRO++", Cancel::none, 8, Float::bf16, [](GatherOptions& o) { o.settings.qwz = true; }},
      {"dither:4", Cancel::dither, 4, Float::bf16, [](GatherOptions& o) { o.settings.strata = 4; }},
  };
  return all;
}

TEST_F(GatherDevice, HasTheBytesOfTheCpu) {
  for (const Way& way : ways()) {
    SCOPED_TRACE(way.name);
    const auto one = gathered({"CPU", {false}}, way), two = gathered({"CPUs", {false, false}}, way);
    EXPECT_EQ(gathered({"a device", {true}}, way), one);
    EXPECT_EQ(gathered({"devices, as they can", {true, true}, between(2)}, way), two);
    EXPECT_EQ(gathered({"devices, copies", {true, true}, Transport::mpi}, way), two);
    EXPECT_EQ(gathered({"mixed", {false, true}}, way), two);
  }
}

TEST_F(GatherDevice, SendsPiecesOfAnySize) {
  Way way = ways()[0];
  const auto whole = gathered({"CPUs", {false, false, false}}, way);
  for (const uint64_t piece : {64, 1000, 1 << 30}) {
    way.more = [&](GatherOptions& o) { o.wire_piece = piece; };
    EXPECT_EQ(gathered({"devices", {true, true, true}, between(3)}, way), whole) << piece;
  }
}

TEST_F(GatherDevice, GoesOnFromStatesOfEitherKind) {
  for (const size_t way : {size_t{0}, size_t{6}}) {
    std::vector<std::string> ends;
    for (const bool before : {false, true})
      for (const bool after : {false, true}) {
        const std::string state = path(fmt::format("state-{}-{}-{}-", way, before, after));
        std::string end;
        const auto run = [&](bool cuda, bool resume, int from, int to) {
          const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
            const Placement place = place_ranks(comm, placement_of(cuda, between(2)));
            GatherOptions options = sliced(ways()[way]);
            options.backend = place.backend.get();
            options.wire = place.wire.get();
            Gather gather(comm, options, kClock);
            const std::string own = state + std::to_string(comm.rank());
            if (resume) EXPECT_EQ(gather.resume(own), static_cast<uint64_t>(from - 1));
            for (int step = from; step < to; ++step) {
              const StepReport report = gather.step(static_cast<uint64_t>(step), opens(path(step)), true);
              EXPECT_FALSE(resume && report.key);
              if (comm.rank() == 0) end = report.state_hash;
            }
            gather.save(own);
          });
          EXPECT_EQ(outcomes, Outcomes(2));
        };
        run(before, false, 0, 2);
        run(after, true, 2, 4);
        ends.push_back(end);
      }
    EXPECT_EQ(ends, std::vector<std::string>(4, ends[0]));
  }
}

TEST_F(GatherDevice, NamesAWeightThatIsNotFinite) {
  auto model = normal_tensor("matrix", Dtype::bf16, {60, 100});
  const uint16_t nan = 0x7fc0;
  std::memcpy(model.bytes.data() + 2 * 5000, &nan, 2);
  write_model(path("nan"), {model});
  for (const unsigned key_bits : {8u, 0u}) {
    const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
      const Placement place = place_ranks(comm, placement_of(true, between(2)));
      GatherOptions options = sliced(ways()[0]);
      options.settings.key_bits = key_bits;
      options.backend = place.backend.get();
      options.wire = place.wire.get();
      Gather(comm, options, kClock).step(0, opens(path("nan")), false);
    });
    for (const std::string& outcome : outcomes)
      EXPECT_EQ(outcome,
                "3: rank 1: tensor \"matrix\": element 5000 is NaN (bits 0x7fc0); only finite weights can be "
                "quantised: mend them, or --exclude the tensor");
  }
}

TEST_F(GatherDevice, SendsAgainWhatArrivedDamaged) {
  if (device::devices().size() < 2) GTEST_SKIP() << "one GPU: NCCL wants one for each rank";
  std::vector<std::string> reasons;
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    const Placement place = place_ranks(comm, placement_of(true));
    bool once = comm.rank() == 1;
    const Tampered::All flips = [&](size_t, size_t each, std::span<std::byte> all) {
      if (each < 1024 || !once) return;
      all[200] ^= std::byte{8};
      once = false;
    };
    Tampered tampered(*place.wire, {}, flips);
    GatherOptions options = sliced(ways()[0]);
    options.backend = place.backend.get();
    options.wire = &tampered;
    Gather gather(comm, options, kClock);
    const StepReport first = gather.step(0, opens(path(0)), true);
    const StepReport second = gather.step(1, opens(path(1)), true);
    EXPECT_EQ(first.sent, 2u);
    EXPECT_EQ(second.sent, 1u);
    if (comm.rank() == 0) reasons = {first.rekey_reason, second.rekey_reason};
  });
  EXPECT_EQ(outcomes, Outcomes(2));
  EXPECT_EQ(reasons, (std::vector<std::string>{"payload", ""}));
}

// ---- What goes wrong between the ranks

class GatherDeviceFault : public GatherDevice {
 protected:
  void SetUp() override {
    if (device::devices().size() != 4 || std::string(MLQ_STANDIN_NCCL).find('/') == std::string::npos)
      GTEST_SKIP() << "not the four emulated devices";
    GatherDevice::SetUp();
  }
  static Outcomes placed(std::vector<PlacementOptions> options) {
    return on_ranks(static_cast<unsigned>(options.size()),
                    [&](ranks::Comm& comm) { place_ranks(comm, options[comm.rank()]); });
  }
};

TEST_F(GatherDeviceFault, OfNcclWithoutDevicesIsTheCallers) {
  for (const auto& outcome :
       placed({placement_of(true, Transport::nccl), placement_of(false, Transport::nccl)}))
    EXPECT_EQ(outcome,
              "2: --transport nccl: rank 1 computes on its CPU; give all ranks --device cuda, or --transport "
              "mpi");
  EXPECT_EQ(
      placed({placement_of(false, Transport::nccl)})[0],
      "2: --transport nccl: rank 0 computes on its CPU; give all ranks --device cuda, or --transport mpi");
}

TEST_F(GatherDeviceFault, OfDifferentTransportsIsTheCallers) {
  for (const auto& outcome : placed({placement_of(true), placement_of(true, Transport::mpi)}))
    EXPECT_EQ(outcome, "2: rank 1 was given another --transport than rank 0; start all ranks with the same");
}

TEST_F(GatherDeviceFault, OfTwoRanksOnOneGpuIsTheCallers) {
  const Outcomes outcomes = placed(std::vector(5, placement_of(true)));  // on four devices
  for (const auto& outcome : outcomes)
    EXPECT_EQ(outcome,
              "2: ranks 0 and 4 have one GPU (GPU-0), and NCCL wants one for each: start a rank a GPU, or "
              "give --transport mpi");
  EXPECT_EQ(placed(std::vector(5, placement_of(true, Transport::mpi))), Outcomes(5));
}

TEST_F(GatherDeviceFault, OfAMissingLibraryIsEveryRanksError) {
  PlacementOptions without = placement_of(true);
  without.nccl_library = "libnccl-that-is-not-there.so.2";
  for (const auto& outcome : placed({placement_of(true), without}))
    EXPECT_EQ(
        outcome,
        "4: rank 1: NCCL cannot be used: libnccl-that-is-not-there.so.2: cannot open shared object file: "
        "No such file or directory; install NVIDIA's package libnccl2, or give --transport mpi");
  without.nccl_library = "libm.so.6";
  for (const auto& outcome : placed({without, without}))
    EXPECT_EQ(
        outcome,
        "4: rank 0: libm.so.6 has no ncclGetVersion; install NCCL 2.14 or newer, or give --transport mpi");
}

TEST_F(GatherDeviceFault, OfALostRankEndsTheOthersInTime) {
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    PlacementOptions options = placement_of(true);
    options.timeout_ns = 300'000'000;
    const Placement place = place_ranks(comm, options);
    if (comm.rank() == 1) return;
    const Memory mine = place.backend->allocate(1000), all = place.backend->allocate(2000);
    place.wire->all_gather(mine.span(), all.span());
  });
  EXPECT_EQ(
      outcomes,
      (Outcomes{"4: a rank did not come within 0.3 s; start the ranks again, or give them longer", ""}));
}

TEST_F(GatherDeviceFault, OfNcclItselfIsSaid) {
  ::setenv("MLQ_STANDIN_NCCL_FAILS", "3", 1);
  const Outcomes outcomes = on_ranks(2, [&](ranks::Comm& comm) {
    const Placement place = place_ranks(comm, placement_of(true));
    GatherOptions options = sliced(ways()[0]);
    options.backend = place.backend.get();
    options.wire = place.wire.get();
    Gather gather(comm, options, kClock);
    for (int step = 0; step < 4; ++step) gather.step(static_cast<uint64_t>(step), opens(path(step)), true);
  });
  ::unsetenv("MLQ_STANDIN_NCCL_FAILS");
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.substr(0, 9), "4: NCCL: ") << outcome;
  EXPECT_NE(outcomes[0].find("remote process exited or there was a network error (the stand-in was told to "
                             "fail); start the ranks again"),
            std::string::npos);
}

}  // namespace
}  // namespace mlq::gather::test
