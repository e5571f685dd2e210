// The published RRL against a trace that tests/tune/oracle/rrl_repo_exact.py computed on its own.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "lib/base/fmath.h"
#include "lib/jsonl/object.h"
#include "lib/tune/tuner/rrl_estimator.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

double number(const jsonl::ObjectParser& line, std::string_view key) { return *line.find(key)->as_double(); }

void follow_trace(const std::string& name, uint64_t seed, PublishedTraining training) {
  training.network.width1 = 6;
  training.network.width2 = 4;
  training.look_every = 20;
  training.patience = 3;
  const Space space = test::cube(3, 5);
  TableRules rules{.alpha = 0.3, .radius_steps = 2.0, .published = true};
  TableTuner tuner(rules, seed, space, make_published_estimator(training, seed, space));
  History history(space, 0);
  history.level({.name = "slow", .rate_per_s = 1 / 0.07});
  history.level({.name = "fast", .rate_per_s = 1 / 0.05});
  std::ifstream in(std::string(MLQ_SOURCE_DIR) + "/tests/tune/oracle/rrl_repo_exact.jsonl");
  std::string text;
  uint64_t i = 0;
  while (std::getline(in, text)) {
    jsonl::OwnedObject line(text);
    ASSERT_TRUE(line.ok());
    const jsonl::ObjectParser& want = line.parser();
    if (want.find("case")->text != name) continue;
    const LevelId level = i < 16 ? 0 : 1;
    const PointId point = tuner.ask(history, {.i = i, .level = level}).point;
    ASSERT_EQ(point, static_cast<PointId>(number(want, "point"))) << "trial " << i;
    Observation row;
    row.i = i++;
    row.point = point;
    row.level = level;
    row.y = fmath::log(number(want, "ms") * 1e6);
    history.add(row);
    tuner.tell(history, history.rows().back());
    const BoltzmannTable& table = *tuner.table_of(history, level);
    double least = table.value(0), sum = 0;
    for (size_t k = 0; k < table.size(); ++k) {
      least = std::min(least, table.value(k));
      sum += table.value(k);
    }
    ASSERT_NEAR(table.value(space.rank(point)) / number(want, "q_us"), 1, 1e-7) << "trial " << row.i;
    ASSERT_NEAR(least / number(want, "least_us"), 1, 1e-7) << "trial " << row.i;
    ASSERT_NEAR(sum / number(want, "sum_us"), 1, 1e-7) << "trial " << row.i;
  }
  EXPECT_EQ(i, 26u);
}

TEST(RrlOracle, ThePublishedMethodGivesTheTraceOfTheScript) {
  PublishedTraining training;
  training.most_steps = 300;
  follow_trace("published", 1, training);
}

TEST(RrlOracle, SoItDoesWithTheCorrectedStart) {
  PublishedTraining training;
  training.network.rate = 0.05;
  training.network.zero_z = false;
  training.most_steps = 200;
  follow_trace("corrected", 2, training);
}

}  // namespace
}  // namespace mlq::tune
