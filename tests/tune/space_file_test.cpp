// Space files and schemas: what they say, and what is said of those that are wrong.
#include "lib/tune/space/space_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/serve/gateway/model_knobs.h"
#include "tests/tune/spaces.h"

namespace mlq::tune::test {
namespace {

KnobValue whole(int64_t value) { return value; }

template <class Work>
std::string refusal(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input);
    return error.what();
  }
  return "accepted";
}
std::string file_refusal(std::string_view text) {
  return refusal([&] { parse_space_file(text, "s.json"); });
}
std::string knob_refusal(std::string_view knob) {
  return file_refusal("{\"knobs\":{\"x\":" + std::string(knob) + "}}");
}
std::vector<KnobValue> values(std::string_view knob) {
  return parse_space_file("{\"knobs\":{\"x\":" + std::string(knob) + "}}", "s.json").space->axes()[0].values;
}
std::vector<KnobValue> wholes(std::initializer_list<int64_t> list) { return {list.begin(), list.end()}; }

constexpr std::string_view kDigits = R"json({"version":1,"name":"digits","start":"live",
 "load":{"url":"$BASE/v2/models/digits/infer"},
 "knobs":{"instances":{"type":"int","min":1,"max":8,"apply":"reload"},
  "intra_threads":{"type":"int","min":1,"max":"max(4, 1)","apply":"reload"},
  "max_rows":{"type":"log_int","min":1,"max":128,"apply":"reload","role":"batch"},
  "delay_us":{"type":"list","values":[0,100,200,500,1000,2000,5000],"apply":"reload","when":"max_rows > 1"},
  "preferred":{"type":"derived","expr":"max(1, floor(max_rows / 2))"}},
 "constraints":["instances * intra_threads <= 16"],
 "actuator":{"type":"pipe","start":["./set"]},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:8002/metrics"},
 "safety":{"max_changes":7,"max_step":3,"error_rate":"1%","restarts_per_day":5,"hours":"22:00-06:00",
  "dwell":"30s","rest":"1h","gain":0.05,"max_changes_per_hour":9,"max_rate_per_s":100.5}})json";

TEST(SpaceFile, SaysWhatItSays) {
  const SpaceFile file = parse_space_file(kDigits, "digits.json");
  EXPECT_EQ(file.name, "digits");
  EXPECT_EQ(file.start, std::nullopt);
  EXPECT_EQ(file.levels, "rate");
  EXPECT_EQ(file.load, R"({"url":"$BASE/v2/models/digits/infer"})");
  EXPECT_EQ(file.actuator, R"({"type":"pipe","start":["./set"]})");
  EXPECT_EQ(file.measure, R"({"source":"prometheus","url":"http://127.0.0.1:8002/metrics"})");
  const SafetyRules& safety = file.safety;
  EXPECT_EQ(safety.max_changes, 7u);
  EXPECT_EQ(safety.max_step, 3u);
  EXPECT_EQ(safety.error_rate, 0.01);
  EXPECT_EQ(safety.restarts_per_day, 5u);
  EXPECT_EQ(safety.hours, "22:00-06:00");
  EXPECT_EQ(safety.dwell_ns, 30'000'000'000);
  EXPECT_EQ(safety.rest_ns, 3'600'000'000'000);
  EXPECT_EQ(safety.gain, 0.05);
  EXPECT_EQ(safety.max_changes_per_hour, 9u);
  EXPECT_EQ(safety.max_rate_per_s, 100.5);
  const Space& space = *file.space;
  ASSERT_EQ(space.dims(), 4u);
  EXPECT_EQ(space.axes()[2].values, wholes({1, 2, 4, 8, 16, 32, 64, 128}));
  EXPECT_EQ(space.axes()[2].role, "batch");
  EXPECT_EQ(space.axes()[3].when->text(), "max_rows > 1");
  EXPECT_EQ(space.axes()[0].apply, ApplyClass::reload);
  EXPECT_EQ(space.grid_size(), 8u * 4 * 8 * 7);
  const PointId p = *space.find({{"instances", whole(2)}, {"max_rows", whole(8)}});
  EXPECT_EQ(config_json(space.config(p)),
            R"({"instances":2,"intra_threads":1,"max_rows":8,"delay_us":0,"preferred":4})");
}

TEST(SpaceFile, TypesListTheirValues) {
  EXPECT_EQ(values(R"({"type":"int","min":2,"max":10,"step":3})"), wholes({2, 5, 8}));
  EXPECT_EQ(values(R"({"type":"int","min":"2 * 3","max":7})"), wholes({6, 7}));
  EXPECT_EQ(values(R"({"type":"log_int","min":3,"max":24})"), wholes({3, 6, 12, 24}));
  EXPECT_EQ(values(R"({"type":"log_int","min":1,"max":10,"step_factor":1.5})"), wholes({1, 2, 3, 5, 8}));
  EXPECT_EQ(values(R"({"type":"int","min":9223372036854775806,"max":9223372036854775807})").size(), 2u);
  EXPECT_EQ(values(R"({"type":"float","min":0,"max":1})"),
            (std::vector<KnobValue>{0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0}));
  EXPECT_EQ(values(R"({"type":"log_float","min":0.001,"max":1,"steps":4})"),
            (std::vector<KnobValue>{0.001, 0.01, 0.1, 1.0}));
  EXPECT_EQ(values(R"({"type":"float","min":2,"max":2})"), (std::vector<KnobValue>{2.0}));
  EXPECT_EQ(values(R"({"type":"bool"})"), (std::vector<KnobValue>{false, true}));
  EXPECT_EQ(values(R"({"type":"list","values":[5,1,2.5]})"),
            (std::vector<KnobValue>{whole(1), 2.5, whole(5)}));
}

TEST(SpaceFile, NumbersAreOrderedAndStringsAreNot) {
  const auto ordered = [](std::string_view knob) {
    return parse_space_file("{\"knobs\":{\"x\":" + std::string(knob) + "}}", "s").space->axes()[0].ordered;
  };
  EXPECT_TRUE(ordered(R"({"type":"list","values":[1,2]})"));
  EXPECT_FALSE(ordered(R"({"type":"list","values":["b","a"]})"));
  EXPECT_TRUE(ordered(R"({"type":"list","values":["low","mid","high"],"ordered":true})"));
  EXPECT_FALSE(ordered(R"({"type":"list","values":[1,2],"ordered":false})"));
}

TEST(SpaceFile, AnEndpointFileHasNoKnobs) {
  const SpaceFile file = parse_space_file(R"({"actuator":{"type":"env"},"start":{"a":1}})", "e.json");
  EXPECT_EQ(file.space, nullptr);
  EXPECT_EQ(file.start, (Config{{"a", whole(1)}}));
}

TEST(SpaceFile, NamesTheKeyOfWhatIsWrong) {
  EXPECT_EQ(file_refusal(R"({"version":2})"), "s.json: version: only version 1 is known");
  EXPECT_EQ(file_refusal(R"({"knob":{}})"), "s.json: there is no \"knob\" here; did you mean \"knobs\"?");
  EXPECT_EQ(file_refusal(R"({"knobs":{}})"), "s.json: knobs: there is no knob to search");
  EXPECT_EQ(file_refusal(R"({"constraints":[]})"),
            "s.json: constraints: without \"knobs\" there is nothing to constrain");
  EXPECT_TRUE(file_refusal("[1]").starts_with("s.json: "));
  EXPECT_EQ(knob_refusal(R"({"type":"int","min":5,"max":3})"),
            "s.json: knobs.x: the range is empty: min 5 is greater than max 3");
  EXPECT_EQ(knob_refusal(R"({"type":"int","max":3})"), "s.json: knobs.x: \"min\" is missing");
  EXPECT_EQ(knob_refusal(R"({"type":"int","min":0,"max":3,"stp":1})"),
            "s.json: knobs.x: there is no \"stp\" here; did you mean \"step\"?");
  EXPECT_EQ(knob_refusal(R"({"type":"int","min":0,"max":1000000})"),
            "s.json: knobs.x: it has over 10000 values; give a larger \"step\", or the type log_int");
  EXPECT_EQ(
      knob_refusal(R"({"type":"int","min":0,"max":"$core"})"),
      "s.json: knobs.x.max: \"$core\": at character 1: there is no $core; there are $cores, $memory_bytes "
      "and $gpus");
  EXPECT_EQ(knob_refusal(R"({"type":"int","min":0,"max":"y + 1"})"),
            "s.json: knobs.x.max: \"y + 1\": it can only name $cores, $memory_bytes and $gpus, not y");
  EXPECT_EQ(knob_refusal(R"({"type":"int","min":0,"max":2.5})"),
            "s.json: knobs.x.max: a whole number is wanted, not 2.5");
  EXPECT_EQ(knob_refusal(R"({"type":"log_int","min":0,"max":8})"),
            "s.json: knobs.x.min: of a log_int it must be at least 1, not 0");
  EXPECT_EQ(knob_refusal(R"({"type":"integer"})"),
            "s.json: knobs.x.type: \"integer\" is none of int log_int float log_float list bool derived");
  EXPECT_EQ(knob_refusal(R"({"type":"list","values":[1,2,1.0]})"),
            "s.json: knobs.x.values: 1 is there twice");
  EXPECT_EQ(knob_refusal(R"({"type":"list","values":["a","b","a"]})"),
            "s.json: knobs.x.values: a is there twice");
  EXPECT_EQ(knob_refusal(R"({"type":"list","values":["a",1]})"),
            "s.json: knobs.x.values[1]: numbers and strings do not mix");
  EXPECT_EQ(knob_refusal(R"({"type":"list","values":[]})"),
            "s.json: knobs.x.values: an array of numbers or strings is wanted, with at least one");
  EXPECT_EQ(
      knob_refusal(R"json({"type":"bool","when":"flor(1)"})json"),
      "s.json: knobs.x.when: \"flor(1)\": at character 1: there is no function flor; did you mean floor?");
  EXPECT_EQ(knob_refusal(R"({"type":"bool","apply":"relod"})"),
            "s.json: knobs.x.apply: \"relod\" is none of hot reload restart; did you mean \"reload\"?");
  EXPECT_EQ(file_refusal(R"({"knobs":{"a-b":{"type":"bool"}}})"),
            "s.json: knobs: \"a-b\" cannot name a knob; use letters, digits, _ and ., a letter first");
}

TEST(SpaceFile, NamesConstraintsAndFormulasThatCannotBe) {
  const auto with = [](std::string_view rest) {
    return file_refusal(R"({"knobs":{"rows":{"type":"int","min":1,"max":4},)" + std::string(rest) + "}");
  };
  EXPECT_EQ(with(R"("a":{"type":"derived","expr":"b + 1"},"b":{"type":"derived","expr":"a + 1"}})"),
            "s.json: knobs: conditions and formulas depend on one another in a circle: a, b");
  EXPECT_EQ(with(R"("b":{"type":"bool","when":"row > 1"}})"),
            "s.json: knobs.b.when: \"row > 1\": there is no knob row; did you mean rows?");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"constraints":["rows < 9","rows > 4"])"),
            "s.json: constraints[1]: \"rows > 4\" leaves none of 8 configurations");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"constraints":["rows <"])"),
            "s.json: constraints[0]: \"rows <\": at the end: a number, a knob or a parenthesis is wanted");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"start":{"row":1})"),
            "s.json: start: there is no knob \"row\" to search; did you mean \"rows\"?");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"safety":{"hours":"22-6"})"),
            "s.json: safety.hours: \"22-6\" is no time of day; one is \"22:00-06:00\"");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"safety":{"error_rate":2})"),
            "s.json: safety.error_rate: a share is wanted, as in \"1%\" or 0.01");
  EXPECT_EQ(with(R"("b":{"type":"bool"}},"safety":{"dwell":"60"})"),
            "s.json: safety.dwell: \"60\" is no duration; one is \"30s\" or \"10min\"");
}

constexpr std::string_view kSchema = R"({"version":1,"model":"m","gen":7,
 "apply":{"method":"PATCH","path":"/admin/v1/models/m/knobs"},"knobs":{
 "rows":{"type":"log_int","min":1,"max":4096,"default":32,"value":100,"apply":"hot","settle_ns":5,"tunable":true,"doc":"Rows."},
 "delay":{"type":"int","min":0,"max":1000000,"default":0,"value":77,"apply":"reload","settle_ns":9,"tunable":true,"when":"mode == 'fixed'","doc":"D."},
 "threads":{"type":"int","min":1,"max":4,"default":1,"value":2,"apply":"hot","settle_ns":1,"tunable":true,"doc":"T."},
 "mode":{"type":"list","values":["auto","fixed"],"default":"auto","value":"fixed","tunable":true,"doc":"M."},
 "policy":{"type":"list","values":["clock","fifo"],"default":"clock","value":"clock","tunable":true,"when":"bytes > 0","doc":"P."},
 "share":{"type":"float","min":0,"max":1,"default":0.25,"value":0.5,"tunable":true,"when":"bytes == 0","doc":"S."},
 "bytes":{"type":"int","min":0,"max":1000,"default":0,"value":0,"tunable":false,"doc":"B."}},
 "constraints":["threads * 2 <= 6","rows > bytes"]})";

TEST(SchemaSpace, TakesWhatMayBeTuned) {
  const SchemaSpace schema = space_from_schema(kSchema, "mlq:http://h", nullptr);
  EXPECT_EQ(schema.model, "m");
  EXPECT_EQ(schema.gen, "7");
  EXPECT_EQ(schema.patch_path, "/admin/v1/models/m/knobs");
  EXPECT_EQ(schema.settle_ns, 9);
  const Space& space = *schema.space;
  std::vector<std::string> names;
  for (const Axis& axis : space.axes()) names.push_back(axis.name);
  // bytes is not tunable, and so policy never matters.
  EXPECT_EQ(names, (std::vector<std::string>{"rows", "delay", "threads", "mode", "share"}));
  EXPECT_EQ(config_json(schema.present), R"({"rows":100,"delay":77,"threads":2,"mode":"fixed","share":0.5})");
  // The present value is a point.
  EXPECT_EQ(space.config(*space.find(schema.present)), schema.present);
  EXPECT_EQ(space.axes()[0].values, wholes({1, 2, 4, 8, 16, 32, 64, 100, 128, 256, 512, 1024, 2048, 4096}));
  const auto& delay = space.axes()[1].values;
  EXPECT_LE(delay.size(), 33u);
  EXPECT_TRUE(std::ranges::count(delay, whole(77)) && std::ranges::count(delay, whole(0)) &&
              std::ranges::count(delay, whole(1'000'000)));
  EXPECT_EQ(space.axes()[1].apply, ApplyClass::reload);
  EXPECT_FALSE(space.axes()[4].when);
  EXPECT_EQ(space.find({{"threads", whole(4)}, {"rows", whole(1)}}), std::nullopt);
}

TEST(SchemaSpace, AFileNarrowsIt) {
  const auto narrowed = [](std::string_view knobs) {
    const SpaceFile file = parse_space_file("{\"knobs\":{" + std::string(knobs) + "}}", "s.json");
    return space_from_schema(kSchema, "mlq:http://h", file.space.get());
  };
  const SchemaSpace two = narrowed(
      R"("delay":{"type":"list","values":[0,5]},"rows":{"type":"log_int","min":16,"max":64,"role":"batch"})");
  ASSERT_EQ(two.space->dims(), 2u);
  EXPECT_EQ(two.space->axes()[0].values, wholes({16, 32, 64}));
  EXPECT_EQ(two.space->axes()[0].role, "batch");
  // mode is left as it is, "fixed", so that delay always matters.
  EXPECT_FALSE(two.space->axes()[1].when);
  EXPECT_EQ(config_json(two.present), R"({"rows":100,"delay":77})");
  EXPECT_EQ(refusal([&] { narrowed(R"("row":{"type":"int","min":1,"max":2})"); }),
            "mlq:http://h: the endpoint has no knob \"row\"; did you mean \"rows\"?");
  EXPECT_EQ(refusal([&] { narrowed(R"("threads":{"type":"int","min":1,"max":5})"); }),
            "mlq:http://h: the endpoint does not take 5 for knob \"threads\", which is 1 to 4");
  EXPECT_EQ(refusal([&] { narrowed(R"("mode":{"type":"list","values":["auto","manual"]})"); }),
            "mlq:http://h: the endpoint does not take manual for knob \"mode\", which is one of auto, fixed");
  EXPECT_EQ(refusal([&] { narrowed(R"("bytes":{"type":"int","min":0,"max":5})"); }),
            "mlq:http://h: the endpoint does not let a tuner move knob \"bytes\"");
}

TEST(SchemaSpace, WhatOurServersSayCanBeSearched) {
  const serve::KnobRows& rows = serve::model_knob_rows();
  jsonl::Buffer json;
  rows.write_schema(rows.defaults(), {"m", 3, "/admin/v1/models/m/knobs", 1'000'000}, json);
  const SchemaSpace schema = space_from_schema(json.view(), "mlq:http://h", nullptr);
  EXPECT_GE(schema.space->dims(), 3u);
  EXPECT_TRUE(schema.space->find(schema.present));
  for (const auto& [name, value] : schema.present) {
    const auto row = std::ranges::find(rows.rows(), name, &serve::Knob::name);
    ASSERT_NE(row, rows.rows().end());
    EXPECT_TRUE(row->tunable) << name;
  }
}

TEST(SchemaSpace, NamesTheKeyOfWhatIsWrong) {
  const auto told = [](std::string_view text) {
    return refusal([&] { space_from_schema(text, "mlq:u", nullptr); });
  };
  EXPECT_TRUE(told("no").starts_with("mlq:u: no schema of knobs: "));
  EXPECT_EQ(told("{}"), "mlq:u: \"model\" is missing");
  const auto knob = [&](std::string_view body) {
    return told(R"({"model":"m","gen":1,"apply":{"path":"/p"},"knobs":{"x":)" + std::string(body) + "}}");
  };
  EXPECT_EQ(knob(R"({"type":"int","min":3,"max":1,"value":1})"),
            "mlq:u: knobs.x: the range is empty: min 3 is greater than max 1");
  EXPECT_EQ(knob(R"({"type":"int","min":1,"max":3,"value":9})"), "mlq:u: knobs.x.value: 9 is not 1 to 3");
  EXPECT_EQ(knob(R"({"type":"bool","value":true,"tunable":false})"),
            "mlq:u: knobs: there is no knob to search");
}

}  // namespace
}  // namespace mlq::tune::test
