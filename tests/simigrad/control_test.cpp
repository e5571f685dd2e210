#include <cmath>
#include <limits>

#include "lib/simigrad/control/grid.h"
#include "lib/simigrad/control/published.h"
#include "lib/simigrad/control/steering.h"
#include "tests/simigrad/grams.h"

namespace mlq::simigrad::test {
namespace {

ControlOptions options_of(Controller controller, double gamma = 0.8) {
  ControlOptions o;
  o.controller = controller;
  if (has_target(controller)) o.target = Target::of_gamma(gamma);
  return o;
}

// A noise-free step at this noise scale.
Observation plant(double b_simple, uint64_t batch, uint64_t step) {
  Observation o;
  o.step = step;
  o.batch_samples = batch;
  o.groups = 2;
  o.a = 1;
  o.s = b_simple;
  o.cos = 1 / (1 + 2 * b_simple / static_cast<double>(batch));
  o.mean_norm_sq = 1 + b_simple / static_cast<double>(batch);
  return o;
}

std::vector<uint64_t> walk(double cos, uint64_t from, size_t moves) {
  ControlOptions options = options_of(Controller::simigrad, 0.5);
  options.max = uint64_t{1} << 40;
  Steering steering(options);
  steering.start(from);
  std::vector<uint64_t> batches;
  for (size_t i = 0; i < moves; ++i)
    batches.push_back(steering.decide(with_cos(cos, steering.now().batch, i)).batch_samples);
  return batches;
}

TEST(Published, WalksAsItsAuthorsEngineDoes) {
  EXPECT_EQ(walk(0.1, 128, 7), (std::vector<uint64_t>{140, 154, 169, 185, 203, 223, 245}));
  EXPECT_EQ(walk(0.9, 1000, 6), (std::vector<uint64_t>{900, 810, 729, 656, 590, 531}));
  const auto grown = walk(0.1, 128, 65);
  EXPECT_LE(static_cast<double>(grown[63]), 0.9 * 65536);
  EXPECT_GT(static_cast<double>(grown[64]), 0.9 * 65536);
  EXPECT_EQ(walk(0.5, 128, 3), (std::vector<uint64_t>{128, 128, 128}));
}

TEST(Published, MovesByOneAtLeastAndNeverBelowOne) {
  EXPECT_EQ(published_step(1, 0.1, 0.5, 0.1), 2u);
  EXPECT_EQ(published_step(9, 0.1, 0.5, 0.1), 10u);
  EXPECT_EQ(published_step(2, 0.9, 0.5, 0.1), 1u);
  EXPECT_EQ(published_step(1, 0.9, 0.5, 0.1), 1u);
  EXPECT_EQ(published_step(9, 0.9, 0.5, 0.1), 8u);
  EXPECT_EQ(published_step(100, std::nan(""), 0.5, 0.1), 100u);
}

// int(B * 1.1) and int(B * 0.9) of the engine, in doubles.
TEST(Published, IntegersAreTheEnginesDoublesBelowFiveMillion) {
  for (uint64_t b = 10; b < 5'000'000; ++b) {
    ASSERT_EQ(11 * b / 10, static_cast<uint64_t>(static_cast<double>(b) * 1.1)) << b;
    ASSERT_EQ(9 * b / 10, static_cast<uint64_t>(static_cast<double>(b) * 0.9)) << b;
  }
}

TEST(Published, IsRealisedAsTheSecondGenerationDoes) {
  const auto grown = [](uint64_t wanted, uint64_t present, std::optional<uint64_t> most) {
    const Realised r = published_realisation(wanted, present, 4, 8, most);
    return std::tuple(r.micro, r.accum, r.batch(4));
  };
  // 4 workers, micro-batch 8: 64 is 2 times accumulated; 70 would floor to it, so one more.
  EXPECT_EQ(grown(70, 64, {}), std::tuple(8u, 3u, 96u));
  EXPECT_EQ(grown(140, 128, {}), std::tuple(8u, 5u, 160u));
  // The micro-batch first: 70 / 4 = 17, once.
  EXPECT_EQ(grown(70, 64, 32), std::tuple(17u, 1u, 68u));
  EXPECT_EQ(grown(700, 640, 32), std::tuple(32u, 6u, 768u));
  // Shrinking keeps the micro-batch, and never goes below workers x micro-batch.
  EXPECT_EQ(grown(115, 128, 32), std::tuple(8u, 3u, 96u));
  EXPECT_EQ(grown(20, 32, {}), std::tuple(8u, 1u, 32u));
}

TEST(Published, HoldsWhereThereIsNoCosine) {
  Steering steering(options_of(Controller::simigrad, 0.5));
  steering.start(128);
  EXPECT_EQ(steering.decide(observed(gram_of(128, 2, {1, 0, 0}, 0))).clamped, "hold");
  EXPECT_EQ(steering.decide(observed(gram_of(128, 2, {1, 1, 1}, 1))).batch_samples, 128u);  // identical
  records::Gram bad = gram_of(128, 2, {}, 2);
  bad.gram.reset();
  bad.nonfinite = 1;
  EXPECT_EQ(steering.decide(observed(bad)).batch_samples, 128u);
  EXPECT_EQ(steering.decide(with_cos(0.1, 128, 3)).batch_samples, 140u);  // and goes on at once
}

TEST(Published, KeepsItsBounds) {
  ControlOptions options = options_of(Controller::simigrad, 0.5);
  options.min = 100;
  options.max = 130;
  Steering steering(options);
  steering.start(128);
  const auto up = steering.decide(with_cos(0.1, 128, 0));
  EXPECT_EQ(up.batch_samples, 130u);
  EXPECT_EQ(up.clamped, "max");
  EXPECT_EQ(up.wanted_samples, 140);
  EXPECT_EQ(steering.decide(with_cos(0.9, 105, 1)).batch_samples, 100u);
}

TEST(Published, SmoothsTheLastFiniteCosines) {
  ControlOptions options = options_of(Controller::simigrad, 0.5);
  options.smooth = 2;
  Steering steering(options);
  steering.start(128);
  EXPECT_EQ(steering.decide(with_cos(0.1, 128, 0)).batch_samples, 140u);
  EXPECT_EQ(steering.decide(with_cos(0.8, 140, 1)).batch_samples, 154u);  // (0.1 + 0.8) / 2
  EXPECT_EQ(steering.decide(with_cos(0.4, 154, 2)).batch_samples, 138u);  // (0.8 + 0.4) / 2
}

TEST(Ratio, GoesStraightToTheTargetWithinItsStep) {
  Steering steering(options_of(Controller::ratio));  // kappa 8
  steering.start(128);
  uint64_t step = 0;
  for (; step < 4; ++step) {
    const auto d = steering.decide(plant(8192, steering.now().batch, step));
    EXPECT_EQ(d.clamped, "warming");
    EXPECT_EQ(d.batch_samples, 128u);
  }
  std::vector<uint64_t> batches;
  for (; step < 10; ++step)
    batches.push_back(steering.decide(plant(8192, steering.now().batch, step)).batch_samples);
  EXPECT_EQ(batches, (std::vector<uint64_t>{512, 2048, 8192, 8192, 8192, 8192}));  // max: 64 x 128
  ControlOptions wide = options_of(Controller::ratio);
  wide.max = 1'000'000;
  wide.max_step = 1000;
  wide.warmup_steps = 0;
  Steering free(wide);
  const auto d = free.decide(plant(8192, 128, 0));
  EXPECT_EQ(d.batch_samples, 65536u);
  EXPECT_EQ(d.clamped, "none");
  EXPECT_EQ(d.lr_scale, std::sqrt(512.0));
  EXPECT_EQ(*d.rho, 1 / (1 + 2 * 8192.0 / 128));
}

TEST(Ratio, WithoutASignalGoesByTheLowerLimit) {
  ControlOptions options = options_of(Controller::ratio);
  options.warmup_steps = 2;
  Steering steering(options);
  steering.start(128);
  for (uint64_t step = 0; step < 2; ++step) {
    Observation o = plant(8192, 128, step);
    o.a = step == 0 ? -0.5 : -0.4;
    o.s += static_cast<double>(step);
    const auto d = steering.decide(o);
    EXPECT_TRUE(d.batch_samples == 128 || std::isfinite(d.wanted_samples));
    if (step == 1) {
      const double lower = steering.signal().interval.lo;
      const bool moves = std::isfinite(lower) && 8 * lower > 128;
      EXPECT_EQ(d.batch_samples > 128, moves);
    }
  }
}

TEST(SqrtNoise, MinimisesSamplesPlusStepCost) {
  ControlOptions options = options_of(Controller::sqrt_noise);
  options.step_cost = 32;
  options.warmup_steps = 0;
  options.max_step = 1000;
  Steering steering(options);
  const uint64_t best = steering.decide(plant(800, 100, 0)).batch_samples;
  EXPECT_EQ(best, 160u);
  // To a fixed progress: steps ~ 1 + R/B, samples ~ B + R.
  const auto cost = [](double b) { return (b + 800) + 32 * (1 + 800 / b); };
  EXPECT_LT(cost(160), cost(161));
  EXPECT_LT(cost(160), cost(159));
}

TEST(NormTest, GrowsToTheLeastBatchThatPasses) {
  ControlOptions options = options_of(Controller::normtest);  // theta^2 = 1/8
  options.warmup_steps = 0;
  Steering steering(options);
  const Observation o = plant(1000, 128, 0);
  const auto d = steering.decide(o);
  EXPECT_EQ(d.wanted_samples, std::ceil(8 * 1000 / o.mean_norm_sq));
  const double b = static_cast<double>(d.batch_samples);
  EXPECT_LE(o.s / b, o.mean_norm_sq / 8);
  EXPECT_GT(o.s / (b - 1), o.mean_norm_sq / 8);
  EXPECT_EQ(steering.decide(plant(10, 4096, 1)).batch_samples, 4096u);  // passes: no move
  options.unbiased = true;
  Steering unbiased(options);
  EXPECT_NEAR(static_cast<double>(unbiased.decide(plant(1000, 128, 0)).batch_samples), 8000, 1);
}

TEST(Static, KeepsItsBatch) {
  ControlOptions options = options_of(Controller::static_batch);
  options.batch = 96;
  Steering steering(options);
  EXPECT_EQ(steering.decide(plant(1000, 64, 0)).batch_samples, 96u);
  EXPECT_EQ(steering.decide(plant(1000, 96, 1)).clamped, "none");
}

TEST(Limits, ComeInTheirOrder) {
  ControlOptions options = options_of(Controller::ratio);
  options.warmup_steps = 0;
  options.min = 100;
  options.max = 1000;
  options.multiple = 96;
  Steering steering(options);
  // 65536 is wanted: the step allows 512, on the grid that is 480.
  auto d = steering.decide(plant(8192, 128, 0));
  EXPECT_EQ(d.batch_samples, 480u);
  EXPECT_EQ(d.clamped, "multiple");
  // 1920 by the step, 1000 by the bound, 960 on the grid.
  d = steering.decide(plant(8192, 480, 1));
  EXPECT_EQ(d.batch_samples, 960u);
  // Down: the bound is 100, the grid's first batch above it 192.
  for (uint64_t step = 2; step < 200; ++step) d = steering.decide(plant(1, d.batch_samples, step));
  EXPECT_EQ(d.batch_samples, 192u);
}

TEST(Limits, MonotoneNeverShrinks) {
  ControlOptions options = options_of(Controller::ratio);
  options.warmup_steps = 0;
  options.monotone = true;
  Steering steering(options);
  EXPECT_EQ(steering.decide(plant(1, 1000, 0)).batch_samples, 1000u);
  EXPECT_EQ(steering.decide(plant(1e6, 1000, 1)).batch_samples, 4000u);
}

TEST(Limits, CooldownAndIntervalWait) {
  ControlOptions options = options_of(Controller::ratio);
  options.warmup_steps = 0;
  options.cooldown = 2;
  Steering steering(options);
  std::vector<std::string> clamped;
  uint64_t batch = 128;
  for (uint64_t step = 0; step < 6; ++step) {
    const auto d = steering.decide(plant(1e9, batch, step));
    clamped.push_back(d.clamped);
    batch = d.batch_samples;
  }
  EXPECT_EQ(clamped,
            (std::vector<std::string>{"step", "cooldown", "cooldown", "step", "cooldown", "cooldown"}));
  options.cooldown = 0;
  options.interval = 3;
  Steering slow(options);
  batch = 128;
  clamped.clear();
  for (uint64_t step = 0; step < 6; ++step) {
    const auto d = slow.decide(plant(1e9, batch, step));
    clamped.push_back(d.clamped);
    batch = d.batch_samples;
  }
  EXPECT_EQ(clamped, (std::vector<std::string>{"step", "hold", "hold", "step", "hold", "hold"}));
}

TEST(Limits, TheDeadBandIsTheInterval) {
  ControlOptions options = options_of(Controller::ratio);
  options.deadband = true;
  options.max = 1'000'000;
  Steering steering(options);
  uint64_t moves = 0, held = 0, batch = 60'000;
  GramLaw law;
  law.b_simple = 8192;
  for (uint64_t step = 0; step < 60; ++step) {
    law.samples = batch / 2;
    records::Gram g = draw_gram(law, step % law.steps, 3);
    g.step = step;
    const auto d = steering.decide(observed(g));
    held += d.clamped == "ci";
    moves += d.batch_samples != batch;
    batch = d.batch_samples - d.batch_samples % 2;
  }
  EXPECT_GT(held, 40u);
  EXPECT_LT(moves, 10u);
}

TEST(Grid, TakesTheNearestInTheLogarithm) {
  const Ladder none, pow2{Ladder::Kind::pow2, {}};
  EXPECT_EQ(nearest_batch(100, 1, 1, 1000, 1, none), 100u);
  EXPECT_EQ(nearest_batch(90, 1, 1, 1000, 1, pow2), 64u);  // 90.5 is in the middle
  EXPECT_EQ(nearest_batch(91, 1, 1, 1000, 1, pow2), 128u);
  EXPECT_EQ(nearest_batch(91, 1, 1, 100, 1, pow2), 64u);
  EXPECT_EQ(nearest_batch(1e300, 1, 1, 1000, 96, none), 960u);
  EXPECT_EQ(nearest_batch(1, 1, 50, 1000, 96, none), 96u);
  EXPECT_EQ(nearest_batch(500, 1, 97, 191, 96, none), std::nullopt);
  EXPECT_EQ(nearest_batch(250, 60, 1, 1000, 1, Ladder{Ladder::Kind::integer_factor, {}}), 240u);
  EXPECT_EQ(nearest_batch(19, 60, 1, 1000, 1, Ladder{Ladder::Kind::integer_factor, {}}), 20u);
  EXPECT_EQ(nearest_batch(19, 60, 40, 1000, 1, Ladder{Ladder::Kind::integer_factor, {}}), 60u);
  EXPECT_EQ(nearest_batch(250, 1, 1, 1000, 100, Ladder{Ladder::Kind::list, {150, 200, 300, 450}}), 300u);
}

// Against all batches one by one.
TEST(Grid, FindsWhatSearchingAllFinds) {
  for (const auto kind : {Ladder::Kind::none, Ladder::Kind::pow2, Ladder::Kind::integer_factor}) {
    for (const uint64_t present : {12u, 60u, 7u}) {
      for (double wanted = 0.5; wanted < 400; wanted *= 1.13) {
        std::optional<uint64_t> best;
        for (uint64_t b = 5; b <= 300; ++b) {
          if (b % 3 != 0) continue;
          bool there = true;
          if (kind == Ladder::Kind::pow2) there = ((b / 3) & (b / 3 - 1)) == 0;
          if (kind == Ladder::Kind::integer_factor) there = b % present == 0 || present % b == 0;
          if (!there) continue;
          const auto far = [&](uint64_t x) {
            return std::max(wanted / static_cast<double>(x), static_cast<double>(x) / wanted);
          };
          if (!best || far(b) <= far(*best)) best = b;
        }
        EXPECT_EQ(nearest_batch(wanted, present, 5, 300, 3, Ladder{kind, {}}), best)
            << present << ' ' << wanted;
      }
    }
  }
}

TEST(Realisation, IsAsWideAsMicroBatchesMayBe) {
  ControlOptions options = options_of(Controller::ratio);
  options.micro = 8;
  options.workers = 4;
  options.max_micro = 40;
  const Realised r = realised_by(options, 4 * 96);
  EXPECT_EQ(r.micro, 32u);  // 40 does not divide 96
  EXPECT_EQ(r.accum, 3u);
  options.max_micro.reset();
  EXPECT_EQ(realised_by(options, 4 * 96).accum, 12u);
}

TEST(LearningRate, FollowsItsRule) {
  ControlOptions options = options_of(Controller::static_batch);
  options.batch = 400;
  const auto scale = [&] {
    Steering steering(options);
    double last = 0;
    for (uint64_t step = 0; step < 6; ++step) last = steering.decide(plant(300, 100, step)).lr_scale;
    return last;
  };
  EXPECT_EQ(scale(), 2);
  options.lr_damp = 0.5;
  EXPECT_EQ(scale(), 1.5);
  options.lr_damp = 1;
  options.lr_rule = LrRule::linear;
  EXPECT_EQ(scale(), 4);
  options.lr_rule = LrRule::none;
  EXPECT_EQ(scale(), 1);
  options.lr_rule = LrRule::gain;
  EXPECT_DOUBLE_EQ(scale(), (1 + 3.0) / (1 + 0.75));
  options.base_batch = 400;
  EXPECT_DOUBLE_EQ(scale(), 1);
}

TEST(Steering, GoesBackToWhereItWas) {
  Steering steering(options_of(Controller::ratio));
  std::vector<Steering> copies;
  GramLaw law;
  const auto at = [&](uint64_t step) {
    records::Gram g = draw_gram(law, step, 9);
    return observed(g);
  };
  for (uint64_t step = 0; step < 30; ++step) {
    copies.push_back(steering);
    steering.decide(at(step));
  }
  ASSERT_TRUE(steering.rewind(9));
  for (uint64_t step = 10; step < 30; ++step) {
    const auto again = steering.decide(at(step));
    const auto before = copies[step].decide(at(step));
    EXPECT_EQ(again.batch_samples, before.batch_samples);
    EXPECT_EQ(again.wanted_samples, before.wanted_samples);
  }
  ASSERT_TRUE(steering.restart());
  EXPECT_EQ(steering.now().batch, 128u);
  EXPECT_FALSE(steering.now().any_step);
}

TEST(Options, ThatContradictThemselvesAreRefused) {
  const auto refused = [](const std::function<void(ControlOptions&)>& change) {
    ControlOptions options = options_of(Controller::ratio);
    change(options);
    try {
      Steering steering(options);
      steering.start(128);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::usage);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refused([](ControlOptions&) {}), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.target.reset(); }), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.controller = Controller::sqrt_noise; }), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.controller = Controller::static_batch; }), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.micro = 8; }), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.max_micro = 8; }), "");
  EXPECT_NE(refused([](ControlOptions& o) { o.min = 200, o.max = 100; }), "");
  EXPECT_EQ(refused([](ControlOptions& o) { o.min = 100, o.max = 110, o.multiple = 64; }),
            "no batch from 100 to 110 is a multiple of 64; widen --min and --max");
}

TEST(Options, AreComparedByName) {
  ControlOptions a = options_of(Controller::ratio), b = a;
  EXPECT_EQ(first_difference(canonical(a), canonical(b)), "");
  b.max = 100;
  EXPECT_EQ(first_difference(canonical(a), canonical(b)), "max: unset here, 100 there");
  b = a;
  b.estimating.smoothing.ema = 0.95;
  EXPECT_EQ(first_difference(canonical(a), canonical(b)), "smoothing: ema:0.9 here, ema:0.95 there");
}

}  // namespace
}  // namespace mlq::simigrad::test
