// Surfaces: what a file holds comes back, and presets are the simulator with noise.
#include "lib/tune/surface/surface.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/measure/level.h"
#include "lib/tune/surface/preset.h"
#include "lib/tune/surface/write_surface.h"
#include "tests/support/temp_dir.h"

namespace mlq::tune {
namespace {

using Surfaces = std::vector<std::shared_ptr<const Surface>>;

Surfaces read(std::string_view text, const SurfaceOptions& options = {}) {
  records::Reader reader(Input::from_bytes("rows", text), {});
  return read_surfaces(reader, options);
}

std::string why(std::string_view text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

constexpr std::string_view kRows =
    R"({"type":"surface","surface":"s","level":"r10c0","rate_per_s":40,"config":{"n":1,"mode":"a"},"repeat":0,"latency_mean_ns":100,"window_ns":5000}
{"type":"surface","surface":"s","level":"r10c0","config":{"n":1,"mode":"a"},"repeat":1,"latency_mean_ns":400,"window_ns":7000}
{"type":"surface","surface":"s","level":"r10c0","config":{"n":4,"mode":"a"},"repeat":0,"latency_mean_ns":900}
{"type":"surface","surface":"s","level":"r10c0","config":{"n":2,"mode":"a"},"repeat":0,"latency_mean_ns":300}
{"type":"surface","surface":"s","level":"r10c0","config":{"n":4,"mode":"b"},"repeat":0,"outcome":"failed"}
{"type":"surface","surface":"s","level":"r10c0","config":{"n":2,"mode":"b"},"repeat":0,"outcome":"void"}
)";

PointId at(const Surface& surface, int64_t n, const std::string& mode) {
  return surface.space().find({{"n", n}, {"mode", mode}}).value();
}

TEST(RecordedSurface, HasTheValuesThatOccurForItsSpace) {
  const auto surfaces = read(kRows);
  ASSERT_EQ(surfaces.size(), 1u);
  const Space& space = surfaces[0]->space();
  ASSERT_EQ(space.dims(), 2u);
  EXPECT_EQ(space.axes()[0].values, (std::vector<KnobValue>{int64_t{1}, int64_t{2}, int64_t{4}}));
  EXPECT_FALSE(space.axes()[1].ordered);
  EXPECT_EQ(surfaces[0]->levels()[0].rate_per_s, 40);
}

TEST(RecordedSurface, TruthIsTheGeometricMeanOfTheRepeats) {
  const auto surface = read(kRows)[0];
  EXPECT_EQ(surface->truth(0, at(*surface, 1, "a")).latency_mean_ns, 200);
  EXPECT_EQ(surface->truth(0, at(*surface, 4, "a")).latency_mean_ns, 900);
  EXPECT_EQ(surface->truth(0, at(*surface, 4, "b")).outcome, "failed");
}

TEST(RecordedSurface, AWindowIsOneOfTheRepeats) {
  const auto surface = read(kRows)[0];
  std::set<int64_t> means, lengths;
  for (uint64_t k = 0; k < 50; ++k) {
    const auto window = surface->sample(0, at(*surface, 1, "a"), Draws(1, Purpose::surface_noise, k));
    means.insert(*window.latency_mean_ns);
    lengths.insert(window.window_ns);
  }
  EXPECT_EQ(means, (std::set<int64_t>{100, 400}));
  EXPECT_EQ(lengths, (std::set<int64_t>{5000, 7000}));
}

TEST(RecordedSurface, NoiseThatIsAskedForStandsOnTheMean) {
  SurfaceOptions options;
  options.sigma = 0;
  const auto still = read(kRows, options)[0];
  EXPECT_EQ(still->sample(0, at(*still, 1, "a"), Draws(1, Purpose::surface_noise, 0)).latency_mean_ns, 200);
  options.sigma.reset();
  options.recorded_sigma = true;  // one point has two repeats: sd of ln = ln 4 / sqrt 2
  const auto noisy = read(kRows, options)[0];
  double squares = 0;
  for (uint64_t k = 0; k < 4000; ++k) {
    const auto window = noisy->sample(0, at(*noisy, 4, "a"), Draws(1, Purpose::surface_noise, k));
    const double y = fmath::log(static_cast<double>(*window.latency_mean_ns) / 900);
    squares += y * y / 4000;
  }
  EXPECT_NEAR(std::sqrt(squares), fmath::log(4) / std::sqrt(2.0), 0.04);
}

TEST(RecordedSurface, AMissingPointIsItsNearestOrRefused) {
  const auto nearest = read(kRows)[0];
  EXPECT_EQ(nearest->truth(0, at(*nearest, 2, "b")).outcome, "failed");  // 4 b is one step away, 2 a as far
  SurfaceOptions options;
  options.missing = MissingPoint::refuse;
  const auto strict = read(kRows, options)[0];
  const auto window = strict->sample(0, at(*strict, 2, "b"), Draws(1, Purpose::surface_noise, 0));
  EXPECT_EQ(window.outcome, "failed");
  EXPECT_TRUE(window.note);
}

TEST(RecordedSurface, KnowsSeveralSurfacesAndLevels) {
  const auto surfaces =
      read(R"({"type":"surface","surface":"a","level":"x","config":{"n":1},"repeat":0,"latency_mean_ns":1}
{"type":"surface","surface":"b","level":"x","config":{"m":1},"repeat":0,"latency_mean_ns":2}
{"type":"surface","surface":"b","level":"y","config":{"m":1},"repeat":0,"latency_mean_ns":3}
)");
  ASSERT_EQ(surfaces.size(), 2u);
  EXPECT_EQ(surfaces[0]->name(), "a");
  ASSERT_EQ(surfaces[1]->levels().size(), 2u);
  EXPECT_EQ(surfaces[1]->truth(1, 0).latency_mean_ns, 3);
}

TEST(RecordedSurface, SaysWhatIsWrong) {
  EXPECT_NE(why("").find("no surface record"), std::string::npos);
  EXPECT_NE(why(R"({"type":"surface","surface":"s","level":"x","config":{"n":1},"repeat":0}
)")
                .find("neither a latency nor CPU time"),
            std::string::npos);
  const std::string other =
      why(R"({"type":"surface","surface":"s","level":"x","config":{"n":1},"repeat":0,"latency_mean_ns":1}
{"type":"surface","surface":"s","level":"x","config":{"m":1},"repeat":0,"latency_mean_ns":1}
)");
  EXPECT_NE(other.find("rows:2: the knobs are not those"), std::string::npos) << other;
  EXPECT_NE(
      why(R"({"type":"surface","surface":"s","level":"x","config":{"n":1},"repeat":0,"latency_mean_ns":1}
{"type":"surface","surface":"s","level":"x","config":{"n":"a"},"repeat":0,"latency_mean_ns":1}
)")
          .find("several types"),
      std::string::npos);
}

SurfaceOptions fast() {
  SurfaceOptions options;
  options.truth_requests = 500;
  return options;
}

TEST(PresetSurface, WindowsAreTheTruthWithItsNoise) {
  SurfaceOptions options = fast();
  const auto surface = make_preset_surface("pool-batch@400", options);
  const PointId point = surface->start();
  const double truth = static_cast<double>(*surface->truth(0, point).latency_mean_ns);
  constexpr int kCount = 20'000;
  int spikes = 0, calm = 0;
  double squares = 0, sum = 0;
  for (int k = 0; k < kCount; ++k) {
    const auto window = surface->sample(0, point, Draws(3, Purpose::surface_noise, static_cast<uint64_t>(k)));
    const double y = fmath::log(static_cast<double>(*window.latency_mean_ns) / truth);
    if (y > 0.45) {
      ++spikes;
    } else {
      ++calm;
      sum += y;
      squares += y * y;
    }
  }
  EXPECT_NEAR(spikes / double{kCount}, 0.02, 0.004);
  EXPECT_NEAR(sum / calm, 0, 0.003);
  EXPECT_NEAR(std::sqrt(squares / calm), 0.08, 0.003);
}

TEST(PresetSurface, IsTheSameHoweverManyThreadsComputedIt) {
  const StopFlag stop;
  const auto lazy = make_preset_surface("pool-delay", fast());
  const auto ready = make_preset_surface("pool-delay", fast());
  ready->prepare(4, stop);
  ASSERT_EQ(lazy->levels().size(), 3u);
  for (LevelId level = 0; level < 3; ++level)
    for (size_t k = 0; k < lazy->space().points().size(); k += 37) {
      const PointId point = lazy->space().points()[k];
      EXPECT_EQ(lazy->truth(level, point).latency_mean_ns, ready->truth(level, point).latency_mean_ns);
    }
}

TEST(PresetSurface, WrittenAndReadIsTheSameSurface) {
  const test::TempDir folder;
  const std::string path = folder / "surface.jsonl.zst";
  const PresetChoice choice = find_preset("rrl-cpu@12ms");
  for (const unsigned threads : {1u, 3u}) {
    records::Writer writer(Output::open(path), true);
    writer.run({});
    WriteSurfaceOptions options;
    options.requests = 500;
    options.threads = threads;
    write_surface(choice, options, writer, StopFlag(), {});
    writer.end({});
    std::string runs;
    const auto surfaces = open_surfaces(path, {}, &runs);
    ASSERT_EQ(surfaces.size(), 1u);
    EXPECT_NE(runs.find("\"type\":\"run\""), std::string::npos);
    const auto preset = make_preset_surface("rrl-cpu@12ms", fast());
    ASSERT_EQ(surfaces[0]->space().points().size(), 1331u);
    EXPECT_EQ(surfaces[0]->levels()[0].name, preset->levels()[0].name);
    for (size_t k = 0; k < 1331; k += 11) {
      const PointId point = preset->space().points()[k];
      const auto found = surfaces[0]->space().find(preset->space().config(point));
      ASSERT_TRUE(found);
      EXPECT_EQ(surfaces[0]->truth(0, *found).latency_p95_ns, preset->truth(0, point).latency_p95_ns);
    }
  }
}

TEST(PresetSurface, ANameThatIsNeitherPresetNorFileSaysWhatThereIs) {
  try {
    open_surfaces("pool-batsch", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_NE(std::string(error.what()).find("pool-batch, pool-delay, rrl-cpu"), std::string::npos);
  }
}

}  // namespace
}  // namespace mlq::tune
