// Trials that somebody else runs: what is asked, what is taken, and what is refused. Every call is a process
// of its own, which knows what the journal says and nothing else.
#include "lib/tune/drive/ask_tell.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "lib/base/error.h"
#include "tests/tune/spaces.h"

namespace mlq::tune {
namespace {

constexpr const char* kWhere = "results.jsonl:3";

struct Loop {
  Space space = test::cube(2, 5);
  Objective objective = Objective::parse("latency", "p95<=50ms");
  TunerOptions tuner;
  JournalContents journal;

  Loop() { tuner.name = "random"; }
  AskTell process() const { return {tuner, space, objective, 0, journal}; }
  std::optional<records::Ask> ask(uint64_t budget = 100, const std::string& level = "") {
    AskTell search = process();
    if (const auto pending = search.pending()) return pending;
    const auto ask = search.ask(level, budget);
    if (ask) {
      journal.runs.emplace_back().asks.push_back(*ask);
      journal.next_i = ask->i + 1;
    }
    return ask;
  }
  bool tell(records::Tell tell) {
    if (!process().tell(tell, kWhere)) return false;
    journal.runs.emplace_back().tells.push_back(tell);
    return true;
  }
  // What it says when it refuses; empty: it took it.
  std::string refusal(const records::Tell& result) {
    try {
      tell(result);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ExitKind::input);
      EXPECT_TRUE(std::string(e.what()).starts_with(kWhere)) << e.what();
      return e.what();
    }
    return "";
  }
};

records::Tell latency(std::optional<uint64_t> i, int64_t ns) {
  records::Tell tell;
  tell.i = i;
  tell.latency_ns = ns;
  return tell;
}

// A bowl with its bottom at (3, 1).
int64_t bowl(const std::string& config) {
  const Config c = parse_config(config, "ask");
  const double a = static_cast<double>(std::get<int64_t>(c[0].second) - 3);
  const double b = static_cast<double>(std::get<int64_t>(c[1].second) - 1);
  return static_cast<int64_t>(1e7 * (1 + a * a + b * b));
}

TEST(AskTell, WhatIsNotToldIsAskedForAgain) {
  Loop loop;
  const auto first = loop.ask();
  EXPECT_EQ(loop.ask()->config.text, first->config.text);
  EXPECT_EQ(loop.ask()->i, first->i);
  loop.tell(latency(first->i, 1000));
  EXPECT_NE(loop.ask()->i, first->i);
}

TEST(AskTell, EveryPointIsAskedForOnceAndTheBestIsKnown) {
  Loop loop;
  std::set<std::string> seen;
  for (int k = 0; k < 25; ++k) {
    const auto ask = loop.ask(25);
    ASSERT_TRUE(ask);
    seen.insert(ask->config.text);
    EXPECT_TRUE(loop.tell(latency(ask->i, bowl(ask->config.text))));
  }
  EXPECT_EQ(seen.size(), 25u);
  EXPECT_FALSE(loop.ask(25)) << "the budget is spent";
  AskTell search = loop.process();
  EXPECT_EQ(search.told(), 25u);
  EXPECT_EQ(config_json(loop.space.config(*search.best(0))), R"({"a":3,"b":1})");
}

TEST(AskTell, ManyProcessesDecideAsOne) {
  for (const char* tuner : {"random", "rrl-a", "rrl-region", "tpe"}) {
    Loop loop;
    loop.tuner.name = tuner;
    AskTell whole = loop.process();
    for (int k = 0; k < 12; ++k) {
      const auto one = whole.ask("", 12);
      const auto other = loop.ask(12);
      ASSERT_EQ(one.has_value(), other.has_value()) << tuner << " at " << k;
      if (!one) break;  // it has ended
      EXPECT_EQ(one->config.text, other->config.text) << tuner << " at " << k;
      records::Tell result = latency(one->i, bowl(one->config.text));
      whole.tell(result, kWhere);
      loop.tell(latency(other->i, bowl(other->config.text)));
    }
  }
}

TEST(AskTell, AnUnknownTrialIsRefused) {
  Loop loop;
  loop.ask();
  EXPECT_NE(loop.refusal(latency(7, 1000)).find("trial 7 was never asked for"), std::string::npos);
  // Naming a configuration beside it does not make it known.
  records::Tell with_config = latency(7, 1000);
  with_config.config = records::RawJson{R"({"a":1,"b":1})"};
  EXPECT_NE(loop.refusal(with_config).find("trial 7 was never asked for"), std::string::npos);
}

TEST(AskTell, ATrialAndAnotherConfigurationAreRefused) {
  Loop loop;
  const auto ask = loop.ask();
  const std::string other = R"({"a":2,"b":4})";
  ASSERT_NE(ask->config.text, other);
  records::Tell tell = latency(ask->i, 1000);
  tell.config = records::RawJson{other};
  const std::string said = loop.refusal(tell);
  EXPECT_NE(said.find(other), std::string::npos) << said;
  EXPECT_NE(said.find(ask->config.text), std::string::npos) << said;
}

TEST(AskTell, TheSameResultCountsOnceAndAnotherIsRefused) {
  Loop loop;
  const auto ask = loop.ask();
  EXPECT_TRUE(loop.tell(latency(ask->i, 1000)));
  EXPECT_FALSE(loop.tell(latency(ask->i, 1000)));
  records::Tell spelled = latency(ask->i, 1000);  // with the configuration, in another order
  const Config c = parse_config(ask->config.text, "ask");
  spelled.config = records::RawJson{"{ \"b\" : " + serve::knob_text(c[1].second) +
                                    ", \"a\" : " + serve::knob_text(c[0].second) + "}"};
  EXPECT_FALSE(loop.tell(spelled));
  EXPECT_NE(loop.refusal(latency(ask->i, 1001)).find("told before, with another result"), std::string::npos);
  EXPECT_EQ(loop.process().told(), 1u);
  EXPECT_EQ(loop.process().history().rows().size(), 1u);
}

TEST(AskTell, FiguresThatNoWindowHasAreRefused) {
  Loop loop;
  const auto ask = loop.ask();
  EXPECT_NE(loop.refusal(latency(ask->i, -5)).find("latency_ns must be above 0, and is -5"),
            std::string::npos);
  EXPECT_NE(loop.refusal(latency(ask->i, 0)).find("latency_ns"), std::string::npos);
  records::Tell tell;
  tell.i = ask->i;
  EXPECT_NE(loop.refusal(tell).find("no figure"), std::string::npos) << "null";
  tell.latency_p95_ns = -1;
  EXPECT_NE(loop.refusal(tell).find("latency_p95_ns"), std::string::npos);
  tell.latency_p95_ns.reset();
  for (const double cost : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    tell.cost = cost;
    EXPECT_NE(loop.refusal(tell).find("cost"), std::string::npos) << cost;
  }
  records::Tell mean;  // the SLO asks for a p95
  mean.i = ask->i;
  mean.latency_mean_ns = 1000;
  EXPECT_NE(loop.refusal(mean).find("no figure"), std::string::npos);
  EXPECT_EQ(loop.process().pending()->i, ask->i) << "nothing of it was kept";
}

TEST(AskTell, NeitherTrialNorConfigurationIsRefusedSoIsWhatIsOutsideTheSpace) {
  Loop loop;
  EXPECT_NE(loop.refusal(latency({}, 1000)).find("neither i nor config"), std::string::npos);
  records::Tell tell = latency({}, 1000);
  tell.config = records::RawJson{R"({"a":9,"b":1})"};
  EXPECT_NE(loop.refusal(tell).find("no point of the space"), std::string::npos);
}

TEST(AskTell, WhatNobodyAskedForIsKnownAllTheSame) {
  Loop loop;
  records::Tell tell = latency({}, 1000);
  tell.config = records::RawJson{R"({"a":3,"b":1})"};
  EXPECT_TRUE(loop.tell(tell));
  AskTell search = loop.process();
  ASSERT_EQ(search.history().rows().size(), 1u);
  EXPECT_EQ(config_json(loop.space.config(search.history().rows()[0].point)), R"({"a":3,"b":1})");
  EXPECT_FALSE(search.pending());
  EXPECT_EQ(loop.ask()->i, 1u) << "it has a number of its own";
}

TEST(AskTell, AResultByItsConfigurationAnswersTheAsk) {
  Loop loop;
  const auto ask = loop.ask();
  records::Tell tell = latency({}, 1000);
  tell.config = ask->config;
  EXPECT_TRUE(loop.tell(tell));
  EXPECT_FALSE(loop.process().pending());
}

TEST(AskTell, LearnsLnOfTheStatisticAndWhetherItHeld) {
  Loop loop;
  const auto first = loop.ask();
  loop.tell(latency(first->i, 20'000'000));
  const auto second = loop.ask();
  loop.tell(latency(second->i, 80'000'000));
  AskTell search = loop.process();
  const auto& rows = search.history().rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[0].y, std::log(20e6), 1e-9);
  EXPECT_TRUE(rows[0].feasible);
  EXPECT_NEAR(rows[1].y, std::log(80e6), 1e-9);
  EXPECT_FALSE(rows[1].feasible);
  ASSERT_EQ(rows[1].slack.size(), 1u);
  EXPECT_NEAR(rows[1].slack[0], std::log(80.0 / 50.0), 1e-9);
}

TEST(AskTell, WhatFailedTwiceIsNotAskedForAgain) {
  Loop loop;
  std::string failed;
  records::Tell tell;
  tell.failed = true;
  tell.config = records::RawJson{R"({"a":4,"b":4})"};
  loop.tell(tell);
  loop.tell(tell);
  EXPECT_TRUE(loop.process().history().barred(*loop.space.find(parse_config(tell.config->text, "t"))));
  for (int k = 0; k < 30; ++k) {
    const auto ask = loop.ask();
    EXPECT_NE(ask->config.text, tell.config->text);
    loop.tell(latency(ask->i, bowl(ask->config.text)));
  }
}

TEST(AskTell, LevelsAreLearntApart) {
  Loop loop;
  const auto night = loop.ask(100, "night");
  EXPECT_EQ(night->level, "night");
  loop.tell(latency(night->i, 1000));
  const auto day = loop.ask(100, "day");
  loop.tell(latency(day->i, 2000));
  const AskTell search = loop.process();
  ASSERT_EQ(search.history().levels().size(), 2u);
  EXPECT_EQ(search.history().levels()[0].name, "night");
  EXPECT_EQ(search.history().levels()[1].name, "day");
  EXPECT_EQ(loop.journal.runs.back().tells[0].level, "day");
}

TEST(AskTell, ASummaryIsAResult) {
  records::Summary summary;
  summary.planned = 100;
  summary.ok = 90;
  summary.latency.mean = 5e6;
  summary.latency.p95 = 9'000'000;
  const records::Tell tell = tell_of(summary);
  EXPECT_EQ(tell.latency_mean_ns, 5'000'000);
  EXPECT_EQ(tell.latency_p95_ns, 9'000'000);
  EXPECT_EQ(tell.requests, 100u);
  EXPECT_EQ(tell.errors, 10u);
  const Loop loop;
  EXPECT_NEAR(told_row(tell, loop.objective, kWhere).y, std::log(9e6), 1e-9);
}

}  // namespace
}  // namespace mlq::tune
