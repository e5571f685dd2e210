// Comparisons: scores against hand-made cases, intervals against theory, the same on every number of threads.
#include "lib/tune/compare/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/tune/compare/contestant.h"
#include "lib/tune/compare/trial_record.h"

namespace mlq::tune {
namespace {

// A surface of one knob; point k costs costs[k] at every level, times level + 1.
std::shared_ptr<const Surface> line(const std::vector<int64_t>& costs, size_t levels = 1) {
  std::string rows;
  for (size_t level = 0; level < levels; ++level)
    for (size_t k = 0; k < costs.size(); ++k)
      rows +=
          R"({"type":"surface","surface":"line","level":"l)" + std::to_string(level) +
          R"(","rate_per_s":10,"config":{"n":)" + std::to_string(k) + R"(},"repeat":0,"latency_mean_ns":)" +
          std::to_string(costs[k] * static_cast<int64_t>(level + 1)) + R"(,"window_ns":1000000000})" + "\n";
  records::Reader reader(Input::from_bytes("rows", rows), {});
  return read_surfaces(reader, {})[0];
}

// Proposes what it was told to, then the last for ever, saying that it has finished.
class Scripted : public Tuner {
 public:
  explicit Scripted(std::vector<PointId> points) : points_(std::move(points)) {}
  Choice ask(const History&, const Question& question) override {
    Choice choice;
    choice.point = points_[std::min<size_t>(asked_, points_.size() - 1)];
    choice.finished = ++asked_ >= points_.size();
    questions.push_back(question);
    return choice;
  }
  void tell(const History&, const Observation&) override {}
  std::vector<Question> questions;

 private:
  std::vector<PointId> points_;
  size_t asked_ = 0;
};

VirtualHooks scripted(std::vector<PointId> points) {
  VirtualHooks hooks;
  hooks.make = [points](const Space&) { return std::make_unique<Scripted>(points); };
  return hooks;
}

TEST(VirtualRun, ScoresWhatWasTriedAgainstTheTruth) {
  const auto surface = line({1000, 1040, 2000, 4000});
  VirtualOptions options;
  options.trials = 4;
  const VirtualRun run = run_virtual(*surface, options, scripted({3, 2, 1, 1}), StopFlag());
  const Cell cell = score_run(run, Truth(*surface, options.objective));
  EXPECT_EQ(cell.reached, 3u);
  EXPECT_NEAR(cell.ln_rec, fmath::log(1.04), 1e-12);
  EXPECT_NEAR(cell.ln_online, (fmath::log(4) + fmath::log(2) + 2 * fmath::log(1.04)) / 4, 1e-12);
}

TEST(VirtualRun, ChargesWindowsAndChangesToItsClock) {
  const auto surface = line({1000, 2000});
  VirtualOptions options;
  options.trials = 3;
  std::vector<int64_t> starts;
  VirtualHooks hooks = scripted({0, 1, 1});
  hooks.trial = [&](const VirtualTrial& trial) { starts.push_back(trial.t_ns); };
  const VirtualRun run = run_virtual(*surface, options, hooks, StopFlag());
  constexpr int64_t kSecond = 1'000'000'000, kApply = 10'000'000;
  const int64_t first = surface->start() == 0 ? 0 : kApply;
  EXPECT_EQ(starts, (std::vector<int64_t>{0, first + kSecond, first + 2 * kSecond + kApply}));
  EXPECT_EQ(run.virtual_ns, first + 3 * kSecond + kApply);
}

TEST(VirtualRun, ATunerThatHasFinishedHoldsItsChoice) {
  const auto surface = line({1000, 2000});
  VirtualOptions options;
  options.trials = 5;
  const VirtualRun run = run_virtual(*surface, options, scripted({1, 0}), StopFlag());
  EXPECT_EQ(run.points, (std::vector<PointId>{1, 0, 0, 0, 0}));
}

TEST(VirtualRun, TakesTheLevelsInTurn) {
  const auto surface = line({1000, 2000}, 2);
  VirtualOptions options;
  options.trials = 7;
  options.phase = 2;
  std::vector<LevelId> levels;
  for (const Memory memory : {Memory::all, Memory::level, Memory::restart}) {
    options.memory = memory;
    size_t made = 0;
    VirtualHooks hooks;
    hooks.make = [&](const Space&) {
      ++made;
      return std::make_unique<Scripted>(std::vector<PointId>(100, 0));
    };
    levels = run_virtual(*surface, options, hooks, StopFlag()).levels;
    EXPECT_EQ(levels, (std::vector<LevelId>{0, 0, 1, 1, 0, 0, 1}));
    EXPECT_EQ(made, memory == Memory::all ? 1u : memory == Memory::level ? 2u : 4u);
  }
}

// Whoever is told the end of a phase beforehand can stop exploring in time.
TEST(VirtualRun, ATunerCountsItsOwnTrialsAndDoesNotKnowWhenTheLoadChanges) {
  const auto surface = line({1000, 2000}, 2);
  VirtualOptions options;
  options.trials = 7;
  options.phase = 2;
  for (const Memory memory : {Memory::all, Memory::level, Memory::restart}) {
    options.memory = memory;
    std::vector<uint64_t> numbers;
    VirtualHooks hooks;
    struct Asked final : Scripted {
      explicit Asked(std::vector<uint64_t>& n) : Scripted(std::vector<PointId>(100, 0)), numbers(n) {}
      Choice ask(const History& history, const Question& question) override {
        EXPECT_EQ(question.budget, 7u);
        numbers.push_back(question.i);
        return Scripted::ask(history, question);
      }
      std::vector<uint64_t>& numbers;
    };
    hooks.make = [&](const Space&) { return std::make_unique<Asked>(numbers); };
    run_virtual(*surface, options, hooks, StopFlag());
    EXPECT_EQ(numbers, memory == Memory::all     ? (std::vector<uint64_t>{0, 1, 2, 3, 4, 5, 6})
                       : memory == Memory::level ? (std::vector<uint64_t>{0, 1, 0, 1, 2, 3, 2})
                                                 : (std::vector<uint64_t>{0, 1, 0, 1, 0, 1, 0}));
  }
}

TEST(VirtualRun, ARefusedPointIsAFailedTrial) {
  records::Reader reader(
      Input::from_bytes(
          "rows",
          R"({"type":"surface","surface":"s","level":"x","config":{"n":0},"repeat":0,"latency_mean_ns":5}
{"type":"surface","surface":"s","level":"x","config":{"n":1},"repeat":0,"outcome":"failed"}
)"),
      {});
  const auto surface = read_surfaces(reader, {})[0];
  VirtualOptions options;
  options.trials = 2;
  const VirtualRun run = run_virtual(*surface, options, scripted({1, 0}), StopFlag());
  EXPECT_EQ(run.failed, 1u);
  EXPECT_EQ(run.recommended[0], 0u);
}

CompareOptions random_on(std::shared_ptr<const Surface> surface, uint64_t seeds) {
  CompareOptions options;
  options.tuners = {parse_contestant("random")};
  options.surfaces = {std::move(surface)};
  options.seeds = seeds;
  options.run.trials = 100;
  return options;
}

// Points without replacement: the first of G good ones among N comes at (N+1)/(G+1) on average.
TEST(Compare, RandomSearchTakesTheTrialsOfTheHypergeometricLaw) {
  std::vector<int64_t> costs(100, 5000);
  for (const size_t good : {3u, 40u, 41u, 77u}) costs[good] = 1000;
  constexpr uint64_t kSeeds = 2000;
  const Comparison comparison = compare(random_on(line(costs), kSeeds), StopFlag(), {});
  ASSERT_EQ(comparison.cells.size(), kSeeds);
  double sum = 0;
  for (const Cell& cell : comparison.cells) sum += static_cast<double>(cell.reached.value());
  EXPECT_NEAR(sum / kSeeds, 101.0 / 5, 4 * 16.5 / std::sqrt(double{kSeeds}));
}

TEST(Compare, GivesTheSameOnEveryNumberOfThreadsAndTellsInOrder) {
  CompareOptions options;
  options.tuners = parse_contestants("random,tpe,hill");
  options.surfaces = {line({9, 8, 7, 6, 5, 4, 3, 2, 1}), line({5, 1, 5, 2, 9})};
  options.seeds = 4;
  options.run.trials = 12;
  std::vector<std::vector<double>> seen;
  for (const unsigned threads : {1u, 4u}) {
    options.threads = threads;
    auto& out = seen.emplace_back();
    compare(options, StopFlag(), [&](const Comparison&, const Cell& cell) {
      out.push_back(static_cast<double>(cell.tuner * 100 + cell.surface * 10 + cell.seed));
      out.push_back(cell.ln_online);
    });
  }
  EXPECT_EQ(seen[0].size(), 2u * 3 * 2 * 4);
  EXPECT_EQ(seen[0], seen[1]);
}

TEST(Compare, AnUnknownTunerIsAUsageError) {
  CompareOptions options = random_on(line({1, 2}), 1);
  options.tuners = {parse_contestant("tpee")};
  EXPECT_THROW(compare(options, StopFlag(), {}), Error);
}

TEST(Contestants, HaveSettings) {
  const Contestant c = parse_contestant("rrl-a/estimators=gp/repeats=3/safe");
  EXPECT_EQ(c.name, "rrl-a/estimators=gp/repeats=3/safe");
  EXPECT_EQ(c.options.name, "rrl-a");
  EXPECT_EQ(c.options.estimators, "gp");
  EXPECT_EQ(c.options.repeats, 3u);
  EXPECT_TRUE(c.options.safe);
  EXPECT_EQ(parse_contestants("a,b/rate=0.1").size(), 2u);
  EXPECT_THROW(parse_contestant("a/estimator=gp"), Error);
  EXPECT_THROW(parse_contestant("/safe"), Error);
  EXPECT_EQ(parse_external("optuna=python3 x.py --a=b").name, "optuna");
  EXPECT_EQ(parse_external("python3 x.py --a=b").name, "python3 x.py --a=b");
}

// Cells of two tuners on two surfaces: `online` of the first has the given values.
Comparison cells(const std::vector<std::optional<uint64_t>>& a,
                 const std::vector<std::optional<uint64_t>>& b) {
  Comparison comparison;
  comparison.tuners = {"a", "b"};
  comparison.surfaces = {"s"};
  comparison.seeds = a.size();
  comparison.trials = 100;
  for (size_t tuner = 0; tuner < 2; ++tuner)
    for (size_t k = 0; k < a.size(); ++k) {
      Cell cell;
      cell.tuner = tuner;
      cell.seed = k;
      cell.reached = tuner == 0 ? a[k] : b[k];
      cell.ln_online = static_cast<double>(k % 10) / 10;
      comparison.cells.push_back(cell);
    }
  return comparison;
}

TEST(Bootstrap, MediansCountRunsWithoutEndAsLonger) {
  const std::optional<uint64_t> never;
  const Comparison comparison = cells({10, 20, 30, never, never}, {10, never, never, never, 40});
  const Bootstrap bootstrap(comparison, 1);
  const records::Score a = bootstrap.summary(0, 0), b = bootstrap.summary(1, 0);
  EXPECT_EQ(a.trials_to_5pct, 30);
  EXPECT_EQ(a.unreached_share, 0.4);
  EXPECT_FALSE(b.trials_to_5pct);
  EXPECT_EQ(b.unreached_share, 0.6);
  EXPECT_EQ(a.seeds, 5u);
  EXPECT_FALSE(a.seed);
}

TEST(Bootstrap, IntervalsOfMeansAreThoseOfTheNormalLaw) {
  std::vector<std::optional<uint64_t>> same(400, 5);
  const Comparison comparison = cells(same, same);
  const records::Score score = Bootstrap(comparison, 1).summary(0, Bootstrap::kAll);
  const double half = 1.96 * std::sqrt(0.0825 / 400);  // variance of 0, 0.1 .. 0.9
  EXPECT_NEAR(fmath::log(score.online_ratio), 0.45, 1e-12);
  EXPECT_NEAR(fmath::log(*score.online_ratio_lo), 0.45 - half, 0.1 * half);
  EXPECT_NEAR(fmath::log(*score.online_ratio_hi), 0.45 + half, 0.1 * half);
  EXPECT_EQ(score.trials_to_5pct_lo, 5);
  EXPECT_EQ(score.trials_to_5pct_hi, 5);
}

TEST(Bootstrap, ARunThatFailedHasNoScore) {
  Comparison comparison = cells({10, 20}, {10, 20});
  comparison.cells[1].failure = "it died";
  const Bootstrap bootstrap(comparison, 1);
  EXPECT_EQ(bootstrap.cells(0, 0), 1u);
  EXPECT_EQ(bootstrap.figures(0, 0)[0].trials, 10);
  const records::Score record = cell_record(comparison, comparison.cells[1]);
  EXPECT_EQ(record.note, "it died");
  EXPECT_TRUE(std::isnan(record.rec_ratio));
}

Assertion::Verdict judged(const std::string& text, const Comparison& comparison) {
  return Assertion::parse(text, comparison.tuners).judge(Bootstrap(comparison, 1), comparison.trials);
}

TEST(Assertion, HoldsIfItsWholeIntervalDoes) {
  const Comparison comparison = cells({10, 10, 10, 10}, {30, 30, 30, 60});
  EXPECT_TRUE(judged("ratio(a,b) >= 3", comparison).holds);
  EXPECT_EQ(judged("ratio(a,b) >= 3", comparison).value, 3);
  EXPECT_FALSE(judged("ratio(a,b) >= 3.1", comparison).holds);
  EXPECT_FALSE(judged("ratio(a,b) <= 3.1", comparison).holds);  // some resamples have 6
  EXPECT_TRUE(judged("trials(b)/trials(a)>=3", comparison).holds);
  EXPECT_TRUE(judged("unreached(a) <= 2%", comparison).holds);
  EXPECT_TRUE(judged("online(a) / online(b) <= 1", comparison).holds);
  EXPECT_FALSE(judged("rec(a) <= 0.9", comparison).holds);
}

TEST(Assertion, AMedianThatWasNotReachedCountsFromTheBudgetUp) {
  const std::optional<uint64_t> never;
  const Comparison comparison = cells({10, 10, 10}, {never, never, never});
  EXPECT_TRUE(judged("ratio(a,b) >= 10", comparison).holds);
  EXPECT_FALSE(judged("ratio(a,b) >= 11", comparison).holds);
  EXPECT_FALSE(judged("ratio(a,b) <= 1000000", comparison).holds);
  EXPECT_FALSE(judged("ratio(b,a) >= 0.01", comparison).holds);
  EXPECT_TRUE(judged("ratio(b,a) <= 0.1", comparison).holds);
}

TEST(Assertion, SaysWhereItCannotBeRead) {
  const std::vector<std::string> tuners = {"a", "b"};
  for (const std::string text : {"", "ratio(a,b)", "ratio(a) >= 2", "best(a) >= 2", "ratio(a,c) >= 2",
                                 "trials(a) > 2", "trials(a) >= x", "trials(a) / >= 2"})
    EXPECT_THROW(Assertion::parse(text, tuners), Error) << text;
}

TEST(TrialRecord, SaysWhatWasTriedAndFound) {
  const auto surface = line({1000, 2000});
  VirtualOptions options;
  options.trials = 2;
  std::vector<records::Trial> trials;
  VirtualHooks hooks = scripted({1, 0});
  hooks.trial = [&](const VirtualTrial& trial) { trials.push_back(trial_record(trial, *surface, "mine")); };
  run_virtual(*surface, options, hooks, StopFlag());
  ASSERT_EQ(trials.size(), 2u);
  EXPECT_EQ(trials[0].phase, "replay");
  EXPECT_EQ(trials[0].tuner, "mine");
  EXPECT_EQ(trials[0].config.text, R"({"n":1})");
  EXPECT_EQ(trials[0].cost, 2000);
  EXPECT_EQ(trials[1].incumbent, trials[1].config_id);
  EXPECT_FALSE(trials[1].decide_ns);
}

}  // namespace
}  // namespace mlq::tune
