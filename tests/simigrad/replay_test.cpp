#include <cmath>
#include <limits>

#include "lib/base/fmath.h"
#include "lib/simigrad/replay/compact.h"
#include "lib/simigrad/replay/pareto.h"
#include "lib/simigrad/replay/recording.h"
#include "lib/simigrad/replay/simulate.h"
#include "tests/simigrad/grams.h"
#include "tests/support/temp_dir.h"

namespace mlq::simigrad::test {
namespace {

// A run whose estimates are exact: |G|^2 = 1, tr Sigma = b_simple.
std::vector<records::Gram> exact_run(uint64_t steps, uint64_t batch, double b_simple, uint64_t gap = 1) {
  std::vector<records::Gram> run;
  for (uint64_t t = 0; t < steps; ++t) {
    records::Gram g = gram_of(batch, 2, {1 + b_simple, 1, 1 + b_simple}, t * gap);
    g.between_ss = b_simple;
    run.push_back(g);
  }
  return run;
}

ControlOptions static_of(uint64_t batch) {
  ControlOptions o;
  o.controller = Controller::static_batch;
  o.batch = batch;
  return o;
}

ControlOptions ratio_of(double gamma) {
  ControlOptions o;
  o.target = Target::of_gamma(gamma);
  return o;
}

TEST(Recording, ProgressIsTheShareOfANoiselessStep) {
  const Recording r = make_recording(exact_run(100, 64, 192), {}, "run");
  EXPECT_EQ(r.steps, 100u);
  EXPECT_EQ(r.samples, 6400u);
  EXPECT_NEAR(r.progress, 100 / (1 + 192.0 / 64), 1e-9);
}

TEST(Recording, AMeasurementStandsForTheStepsUntilTheNext) {
  const Recording r = make_recording(exact_run(10, 64, 192, 50), {}, "run");
  EXPECT_EQ(r.steps, 500u);
  EXPECT_EQ(r.cadence, 50u);
  EXPECT_EQ(r.samples, 32'000u);
}

TEST(Recording, WithoutASignalIsRefused) {
  EXPECT_THROW(make_recording({}, {}, "run"), Error);
  EXPECT_THROW(make_recording({gram_of(64, 2, {1, -0.5, 1})}, {}, "run"), Error);
  EXPECT_THROW(make_recording({gram_of(64, 2, {1, 0.5})}, {}, "run"), Error);
}

// McCandlish: (S/S_min - 1)(E/E_min - 1) = 1 for constant batches at a constant noise scale, where S_min
// steps and E_min = S_min B_simple samples are the least.
TEST(Simulation, OfConstantBatchesIsTheHyperbola) {
  const double b_simple = 192;
  const Recording r = make_recording(exact_run(20'000, 64, b_simple), {}, "run");
  for (const uint64_t batch : {64u, 192u, 1000u}) {
    const PolicyRun run = simulate(r, static_of(batch), {});
    // The first step has the recorded batch, as nothing has been decided yet.
    const double s = static_cast<double>(run.steps) / r.progress;
    const double e = static_cast<double>(run.samples) / (r.progress * b_simple);
    EXPECT_NEAR((s - 1) * (e - 1), 1, 0.01) << batch;
  }
}

TEST(Simulation, OfTheRecordedBatchIsTheRecording) {
  const Recording r = make_recording(exact_run(500, 64, 192), {}, "run");
  for (const Axis axis : {Axis::progress, Axis::steps, Axis::samples}) {
    SimulationOptions options;
    options.axis = axis;
    const PolicyRun run = simulate(r, static_of(64), options);
    EXPECT_NEAR(static_cast<double>(run.steps), 500, 1);
    EXPECT_NEAR(static_cast<double>(run.samples), 500 * 64, 64);
    EXPECT_EQ(run.stretches.size(), 1u);
  }
}

TEST(Simulation, OnSamplesCopiesDecisions) {
  const auto grams = exact_run(50, 64, 192);
  const Recording r = make_recording(grams, {}, "run");
  SimulationOptions options;
  options.axis = Axis::samples;
  std::vector<records::BatchSize> decisions;
  simulate(r, ratio_of(0.5), options, [&](const records::BatchSize& d) { decisions.push_back(d); });
  Steering steering(ratio_of(0.5));
  ASSERT_EQ(decisions.size(), 50u);
  for (size_t i = 0; i < grams.size(); ++i) {
    const auto expected = steering.decide(observed(grams[i]));
    EXPECT_EQ(decisions[i].batch_samples, expected.batch_samples);
    EXPECT_EQ(decisions[i].step, expected.step);
  }
}

TEST(Simulation, IsTheSameForTheSameSeed) {
  const Recording r = make_recording(exact_run(300, 64, 192), {}, "run");
  SimulationOptions options;
  options.noise = true;
  const auto run = [&] { return simulate(r, ratio_of(0.5), options).samples; };
  const uint64_t first = run();
  EXPECT_EQ(run(), first);
  options.seed = 2;
  EXPECT_NE(run(), first);
}

// Section "known plant": Gaussian gradients with a constant noise scale of 8192, target cosine 0.8 (a batch
// of 65,536), from 128. Steps until the batch is first at 90 % of that.
uint64_t steps_to_target(Controller controller, uint64_t groups, uint64_t d_eff, uint64_t seed,
                         double& late_mean) {
  ControlOptions options;
  options.controller = controller;
  options.target = Target::of_gamma(0.8);
  options.max = uint64_t{1} << 20;
  Steering steering(options);
  steering.start(128);
  GramLaw law;
  law.groups = groups;
  law.b_simple = 8192;
  law.d_eff = d_eff;
  uint64_t reached = 0, late = 0;
  double sum = 0;
  for (uint64_t step = 0; step < 300; ++step) {
    // The plant takes whole groups; what is left of the batch is not drawn.
    law.samples = std::max<uint64_t>(1, steering.now().batch / groups);
    records::Gram g = draw_gram(law, step, seed);
    g.step = step;
    const auto d = steering.decide(observed(g));
    if (reached == 0 && d.batch_samples >= 58'983) reached = step + 1;
    if (step >= 200) {
      sum += static_cast<double>(d.batch_samples);
      ++late;
    }
  }
  late_mean = sum / static_cast<double>(late) / 65'536;
  return reached;
}

TEST(Plant, RatioIsThereInHalfTheStepsOfThePublishedRule) {
  for (const uint64_t d : {200u, 5000u}) {
    double mean = 0;
    const uint64_t published = steps_to_target(Controller::simigrad, 2, d, 11, mean);
    EXPECT_NEAR(static_cast<double>(published), 65, 3) << d;
    EXPECT_NEAR(mean, 0.985, 0.05) << d;
    for (const uint64_t k : {2u, 8u}) {
      const uint64_t steps = steps_to_target(Controller::ratio, k, d, 11, mean);
      EXPECT_LE(2 * steps, published) << d << ' ' << k;
      EXPECT_GT(steps, 0u);
      EXPECT_NEAR(mean, 1, 0.03) << d << ' ' << k;
    }
  }
}

TEST(Compaction, OfFewStretchesIsThem) {
  const std::vector<Stretch> run = {{1000, 10, 1}, {4000, 40, 2}};
  const Compaction c = compact(run, 8, 0, ratio_of(0.5));
  ASSERT_EQ(c.segments.size(), 2u);
  EXPECT_EQ(c.segments[1].from_step, 100u);
  EXPECT_EQ(c.segments[1].from_samples, 1000u);
  EXPECT_EQ(c.segments[1].batch, 40u);
  EXPECT_EQ(c.segments[1].lr_scale, 2);  // sqrt(40 / 10)
  EXPECT_EQ(c.steps, 200u);
  EXPECT_EQ(c.samples, 5000u);
  EXPECT_EQ(c.error, 0);
}

// Against all ways to cut a short run.
TEST(Compaction, FindsTheLeastError) {
  const std::vector<Stretch> run = {{300, 10, 1}, {100, 14, 1}, {500, 11, 1}, {200, 40, 1},
                                    {100, 60, 1}, {700, 50, 1}, {50, 10, 1},  {400, 45, 1}};
  const auto cost_of = [&](size_t begin, size_t end) {
    double best = std::numeric_limits<double>::infinity();
    for (const Stretch& candidate : run) {
      double cost = 0;
      for (size_t i = begin; i < end; ++i)
        cost +=
            static_cast<double>(run[i].samples) *
            std::fabs(fmath::log(static_cast<double>(run[i].batch) / static_cast<double>(candidate.batch)));
      best = std::min(best, cost);
    }
    return best;
  };
  for (size_t pieces = 1; pieces <= 4; ++pieces) {
    double best = std::numeric_limits<double>::infinity();
    for (unsigned cuts = 0; cuts < 128; ++cuts) {
      if (static_cast<size_t>(__builtin_popcount(cuts)) + 1 > pieces) continue;
      double cost = 0;
      size_t begin = 0;
      for (size_t i = 1; i <= run.size(); ++i) {
        if (i == run.size() || (cuts >> (i - 1) & 1) != 0) {
          cost += cost_of(begin, i);
          begin = i;
        }
      }
      best = std::min(best, cost);
    }
    EXPECT_NEAR(compact(run, pieces, 0, ratio_of(0.5)).error, best / 2350, 1e-12) << pieces;
  }
}

TEST(Compaction, EndsWhereTheTrainingEnds) {
  const std::vector<Stretch> run = {{1000, 10, 1}, {4000, 40, 2}};
  EXPECT_EQ(compact(run, 8, 9000, ratio_of(0.5)).samples, 9000u);
  EXPECT_EQ(compact(run, 8, 9000, ratio_of(0.5)).segments.back().steps, 200u);
  EXPECT_EQ(compact(run, 8, 600, ratio_of(0.5)).segments.size(), 1u);
  EXPECT_EQ(compact(run, 8, 600, ratio_of(0.5)).samples, 600u);
}

TEST(Compaction, JoinsWhatIsTooMuch) {
  std::vector<Stretch> run;
  for (uint64_t i = 0; i < 3 * kMostStretches; ++i)
    run.push_back({100, i < kMostStretches ? 10 + i % 2 : 100 + i % 2, 1});
  const Compaction c = compact(run, 2, 0, ratio_of(0.5));
  ASSERT_EQ(c.segments.size(), 2u);
  EXPECT_NEAR(static_cast<double>(c.segments[0].batch), 10.5, 0.6);
  EXPECT_NEAR(static_cast<double>(c.segments[1].from_samples), 100.0 * kMostStretches, 200);
}

TEST(StepTimes, AreFormulasOrTables) {
  const StepTime formula = StepTime::parse("2ms+3us*samples");
  EXPECT_DOUBLE_EQ(formula.ns(100), 2.3e6);
  EXPECT_DOUBLE_EQ(StepTime::parse("5us*samples").ns(1000), 5e6);
  const mlq::test::TempDir dir;
  const StepTime table = StepTime::parse(dir.file("t", "# batch time\n64 10ms\n128 12ms\n512 40ms\n"));
  EXPECT_DOUBLE_EQ(table.ns(64), 10e6);
  EXPECT_DOUBLE_EQ(table.ns(96), 11e6);
  EXPECT_DOUBLE_EQ(table.ns(320), 26e6);
  EXPECT_NEAR(table.ns(704), 54e6, 1);
  for (const std::string bad : {"64 10ms\n", "64 10ms\n32 5ms\n", "64\n65 1ms\n", "x 1ms\n64 2ms\n"})
    EXPECT_THROW(StepTime::parse(dir.file("bad", bad)), Error) << bad;
  for (const char* bad : {"2ms+", "2ms+3us*steps", "3*samples"})
    EXPECT_THROW(StepTime::parse(bad), Error) << bad;
}

TEST(Budget, HoldsAllItsTerms) {
  records::Pareto p;
  p.steps = 100;
  p.samples = 5000;
  p.wall_ns = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(Budget::parse("steps<=100").holds(p));
  EXPECT_FALSE(Budget::parse("steps<=99").holds(p));
  EXPECT_FALSE(Budget::parse("steps<=100,samples<=4k").holds(p));
  EXPECT_FALSE(Budget::parse("wall<=1h").holds(p));  // not known is not held
  EXPECT_TRUE(Budget::parse("wall<=1h").needs_time());
  p.wall_ns = 1e9;
  EXPECT_TRUE(Budget::parse("wall<=1s").holds(p));
  for (const char* bad : {"", "steps<100", "epochs<=3", "steps<=x"})
    EXPECT_THROW(Budget::parse(bad), Error) << bad;
}

TEST(ParetoFront, IsWhatNothingBeats) {
  std::vector<records::Pareto> points(4);
  const uint64_t steps[] = {10, 20, 20, 30}, samples[] = {300, 200, 250, 200};
  for (size_t i = 0; i < 4; ++i) points[i].steps = steps[i], points[i].samples = samples[i];
  mark_dominated(points);
  EXPECT_FALSE(points[0].dominated);
  EXPECT_FALSE(points[1].dominated);
  EXPECT_TRUE(points[2].dominated);
  EXPECT_TRUE(points[3].dominated);
}

}  // namespace
}  // namespace mlq::simigrad::test
