#include "lib/serve/gateway/state.h"

#include <gtest/gtest.h>

#include <fstream>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "tests/support/temp_dir.h"

namespace mlq::serve {
namespace {

class ServeState : public testing::Test {
 protected:
  State open() {
    notices.clear();
    return State(dir, [this](const std::string& text) { notices.push_back(text); });
  }
  void write(const char* name, const std::string& text) { std::ofstream(dir + "/" + name) << text; }
  std::string read(const char* name) { return read_file(dir + "/" + name); }

  test::TempDir folder;
  std::string dir = folder / "state";
  std::vector<std::string> notices;
};

const std::map<std::string, KnobValue> kKnobs{
    {"max_rows", int64_t{64}}, {"controller", std::string("aimd")}, {"knee_share", 0.9}, {"admit", false}};

TEST_F(ServeState, WhatIsKeptIsThereAtTheNextStart) {
  {
    State state = open();
    state.keep_knobs("digits", 7, kKnobs);
    state.keep_replicas("digits", {"http://a:1", "unix:/b"});
  }  // no snapshot: as if it had been killed
  State state = open();
  const SavedModel& model = state.saved().at("digits");
  EXPECT_EQ(model.gen, 7u);
  EXPECT_EQ(model.knobs, kKnobs);
  EXPECT_EQ(model.added, (std::vector<std::string>{"http://a:1", "unix:/b"}));
  EXPECT_TRUE(notices.empty());
}

TEST_F(ServeState, LatenciesAreInTheSnapshot) {
  LatencyState learnt;
  learnt.alpha_ns_per_row = 12'500.25;
  learnt.beta_ns = 2.8e6;
  learnt.largest_rows = 40;
  learnt.means = {{1, 2.9e6}, {40, 3.3e6}};
  {
    State state = open();
    state.set_latency("digits", {{"http://a:1", learnt}});
    state.snapshot();
  }
  const State state = open();
  const LatencyState& back = state.saved().at("digits").latency.at("http://a:1");
  EXPECT_EQ(back.alpha_ns_per_row, learnt.alpha_ns_per_row);
  EXPECT_EQ(back.beta_ns, learnt.beta_ns);
  EXPECT_EQ(back.largest_rows, learnt.largest_rows);
  EXPECT_EQ(back.means, learnt.means);
}

TEST_F(ServeState, ALineThatWasCutIsDroppedWithAMessage) {
  {
    State state = open();
    state.keep_knobs("digits", 7, kKnobs);
    state.keep_knobs("digits", 8, {});
  }
  const std::string whole = read("wal.jsonl");
  write("wal.jsonl", whole.substr(0, whole.size() - 5));
  const State state = open();
  EXPECT_EQ(state.saved().at("digits").gen, 7u);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("wal.jsonl: line 2: it was cut"), std::string::npos) << notices[0];
}

TEST_F(ServeState, DamageBeforeTheLastLineIsAnInputErrorThatNamesIt) {
  {
    State state = open();
    state.keep_knobs("digits", 7, kKnobs);
    state.keep_knobs("digits", 8, {});
  }
  std::string text = read("wal.jsonl");
  text[text.find("64")] = '9';  // still JSON, but not what was written
  write("wal.jsonl", text);
  try {
    open();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    EXPECT_NE(std::string(error.what()).find("wal.jsonl: line 1: it is damaged"), std::string::npos)
        << error.what();
  }
}

TEST_F(ServeState, TwoServersCannotShareAFolder) {
  const State first = open();
  try {
    open();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
  }
}

TEST_F(ServeState, AModelThatWasTakenAwayIsForgotten) {
  {
    State state = open();
    state.keep_knobs("digits", 7, kKnobs);
    state.forget("digits");
  }
  EXPECT_TRUE(open().saved().empty());
}

TEST_F(ServeState, AKnobThatIsNoLongerThereKeepsNothing) {
  open();
  write("snapshot.json",
        R"({"version":1,"models":{"m":{"gen":3,"knobs":{"max_rows":99999,"warp":9,"admit":false}}}})");
  const State state = open();
  EXPECT_EQ(state.saved().at("m").knobs, (std::map<std::string, KnobValue>{{"admit", false}}));
}

}  // namespace
}  // namespace mlq::serve
