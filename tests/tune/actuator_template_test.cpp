#include <gtest/gtest.h>

#include "lib/base/error.h"
#include "lib/serve/protocol/pointer.h"
#include "lib/tune/actuator/actuator.h"
#include "lib/tune/actuator/template.h"
#include "lib/tune/actuator/verify.h"

namespace mlq::tune {
namespace {

const Config kConfig = {{"rows", int64_t{64}}, {"rate", 0.5}, {"mode", std::string("a b")}, {"on", true}};

Names names() {
  Names names;
  names.vars = {{"BASE", "http://h:1"}, {"TOKEN", "@env:TOKEN"}};
  return names;
}
Secrets secrets() {
  return Secrets([](const std::string& reference) { return "secret of " + reference; });
}
std::string filled(std::string_view text) {
  Secrets s = secrets();
  return Template::parse(text, names(), "t").fill({&kConfig, nullptr, &s, false});
}
std::string json_filled(const std::string& text, const std::map<std::string, Json>& documents = {}) {
  std::string error;
  Secrets s = secrets();
  return JsonTemplate::parse(*Json::parse(text, error), names(), "t")
      .fill({&kConfig, &documents, &s, false})
      .text();
}
std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::input) << error.what();
    return error.what();
  }
  return "accepted";
}
Json json(const std::string& text) {
  std::string error;
  return *Json::parse(text, error);
}

TEST(ActuatorTemplate, AKnobThatIsTheWholeTextKeepsItsType) {
  EXPECT_EQ(json_filled(R"({"a":"${rows}","b":"${rate}","c":"${on}","d":"${mode}","e":[1,null,"x"]})"),
            R"({"a":64,"b":0.5,"c":true,"d":"a b","e":[1,null,"x"]})");
  EXPECT_EQ(json_filled(R"({"a":"n=${rows}"})"), R"({"a":"n=64"})");
}

TEST(ActuatorTemplate, FiltersSayWhatBecomesOfAValue) {
  EXPECT_EQ(json_filled(R"(["${rows|str}","${rate|int}","${on|int}","${mode|json}","${rows|json_string}"])"),
            R"(["64",0,1,"a b","64"])");
  EXPECT_EQ(filled("${mode|url}/${mode|json}/${rows|str}"), "a%20b/\"a b\"/64");
  const std::map<std::string, Json> documents = {{"cfg", json(R"({"x":"q\"","n":1.0})")}};
  EXPECT_EQ(json_filled(R"({"config":"${cfg|json_string}"})", documents),
            R"({"config":"{\"x\":\"q\\\"\",\"n\":1.0}"})");
}

TEST(ActuatorTemplate, VariablesDollarsAndSecretsAreFilledIn) {
  EXPECT_EQ(filled("$BASE/a$$b"), "http://h:1/a$b");
  EXPECT_EQ(filled("Bearer $TOKEN."), "Bearer secret of @env:TOKEN.");
  EXPECT_EQ(filled("k=@file:/run/key of mine"), "k=secret of @file:/run/key of mine");
}

TEST(ActuatorTemplate, WhatCannotBeFilledInIsRefusedWithTheLikelyMeaning) {
  const Space space({{.name = "max_rows", .values = {int64_t{1}, int64_t{2}}}}, {}, {});
  Names known = names();
  known.space = &space;
  const auto parse = [&](const char* text) {
    return refusal([&] { Template::parse(text, known, "s.json: actuator.url"); });
  };
  EXPECT_EQ(parse("${max_row}"),
            "s.json: actuator.url: ${max_row} is neither a knob nor read by an earlier step; did you mean "
            "\"max_rows\"?");
  EXPECT_EQ(parse("$BASSE/"), "s.json: actuator.url: $BASSE is not in \"vars\"; did you mean \"BASE\"?");
  EXPECT_EQ(parse("${max_rows|strr}"),
            "s.json: actuator.url: there is no filter \"strr\" (str int json json_string url); did you mean "
            "\"str\"?");
  for (const char* text : {"${max_rows", "$", "5$ off", "${}", "@env:"})
    EXPECT_NE(parse(text), "accepted") << text;
  EXPECT_EQ(parse("${max_rows}"), "accepted");
}

TEST(ActuatorTemplate, ASecretIsNeitherShownNorLeftInAMessage) {
  Secrets s([](const std::string&) { return std::string("p w\"1"); });
  const Template t = Template::parse("Bearer @env:T", {}, "t");
  EXPECT_EQ(t.fill({&kConfig, nullptr, nullptr, true}), "Bearer ***");
  EXPECT_EQ(t.fill({&kConfig, nullptr, &s, false}), "Bearer p w\"1");
  EXPECT_EQ(s.hide(R"(said p w"1, {"t":"p w\"1"}, ?t=p%20w%221)"), R"(said ***, {"t":"***"}, ?t=***)");
}

TEST(ActuatorTemplate, ATextReadBackIsTheKnobsValueAgain) {
  const Space space({{.name = "n", .values = {int64_t{1}, int64_t{4}}},
                     {.name = "s",
                      .type = KnobType::list,
                      .values = {std::string("1"), std::string("x")},
                      .ordered = false}},
                    {}, {});
  EXPECT_EQ(unfilled({"n", Filter::str}, json(R"("4")"), &space), KnobValue(int64_t{4}));
  EXPECT_EQ(unfilled({"s", Filter::none}, json(R"("1")"), &space), KnobValue(std::string("1")));
  EXPECT_EQ(unfilled({"n", Filter::url}, json(R"("4")"), &space), std::nullopt);
}

TEST(ActuatorJson, PointersSetWhatIsThereAndMakeWhatIsMissing) {
  const auto set = [](const std::string& document, const std::string& pointer) {
    Json value = json(document);
    return value.set(*serve::pointer_tokens(pointer), json("7")) ? value.text() : "refused";
  };
  EXPECT_EQ(set(R"({"a":{"b":1,"c":2}})", "/a/b"), R"({"a":{"b":7,"c":2}})");
  EXPECT_EQ(set(R"({"a":[{"n":1}]})", "/a/0/n"), R"({"a":[{"n":7}]})");
  EXPECT_EQ(set(R"({})", "/a/0/n"), R"({"a":[{"n":7}]})");
  EXPECT_EQ(set(R"({"a":null})", "/a/x"), R"({"a":{"x":7}})");
  EXPECT_EQ(set(R"({"a":[1]})", "/a/-"), R"({"a":[1,7]})");
  EXPECT_EQ(set(R"({"a/b":{"~":1}})", "/a~1b/~0"), R"({"a/b":{"~":7}})");
  EXPECT_EQ(set(R"({"a":[1]})", "/a/2"), "refused");
  EXPECT_EQ(set(R"({"a":[1]})", "/a/01"), "refused");
  EXPECT_EQ(set(R"({"a":1})", "/a/b"), "refused");
  EXPECT_EQ(set(R"({"a":1})", ""), "7");
}

TEST(ActuatorJson, WhatIsReadIsWrittenWithItsTypes) {
  const std::string text =
      R"({"i":-1,"u":18446744073709551615,"d":1.0,"e":1e+300,"s":"\u0001é","a":[],"o":{},"n":null})";
  EXPECT_EQ(json(text).text(),
            R"({"i":-1,"u":18446744073709551615,"d":1.0,"e":1e+300,"s":"\u0001é","a":[],"o":{},"n":null})");
  std::string error;
  for (const char* bad : {"", "{", "1,\"w\":2", "1}", "nul", "{} {}"})
    EXPECT_FALSE(Json::parse(bad, error)) << bad;
}

TEST(ActuatorVerify, NumbersAreEqualByValueAndTextsExactly) {
  EXPECT_TRUE(same_json(json("1"), json("1.0")));
  EXPECT_FALSE(same_json(json("1"), json("\"1\"")));
  EXPECT_FALSE(same_json(json("\"a\""), json("\"A\"")));
  EXPECT_FALSE(same_json(json("true"), json("1")));
}

TEST(ActuatorVerify, AMetricIsTheOneSampleWithTheseLabels) {
  const char* text =
      "# HELP streams Streams.\nstreams{name=\"m\",version=\"1\"} 4\nstreams{name=\"n\\\"\",version=\"1\"} 5 "
      "123\n"
      "streams_total 9\nlone 2.5\r\n";
  EXPECT_EQ(metric_value(text, "streams", {{"name", "m"}}), 4);
  EXPECT_EQ(metric_value(text, "streams", {{"name", "n\""}}), 5);
  EXPECT_EQ(metric_value(text, "lone", {}), 2.5);
  EXPECT_EQ(metric_value(text, "streams", {}), std::nullopt) << "two samples";
  EXPECT_EQ(metric_value(text, "stream", {}), std::nullopt);
}

TEST(ActuatorFile, EveryUnknownKeyIsRefusedWithItsPlace) {
  const SteadyClock clock;
  const auto make = [&](const std::string& text) {
    return refusal([&] { make_actuator(text, {"s.json: actuator", nullptr, &clock, nullptr, "", {}}); });
  };
  EXPECT_EQ(
      make(R"({"type":"htp"})"),
      "s.json: actuator.type: there is no type \"htp\" (http file exec env pipe); did you mean \"http\"?");
  EXPECT_EQ(make(R"({"type":"exec","start":["x"],"grase":"1s"})"),
            "s.json: actuator: there is no \"grase\" here; did you mean \"grace\"?");
  EXPECT_EQ(make(R"({"type":"http","steps":[{"send":{"url":"http://h/","timout":"1s"}}]})"),
            "s.json: actuator.steps[0].send: there is no \"timout\" here; did you mean \"timeout\"?");
  EXPECT_EQ(make(R"({"type":"http","steps":[{"patch":"cfg","set":{"/a":1}}]})"),
            "s.json: actuator.steps[0].patch: no earlier step reads \"cfg\"");
  EXPECT_EQ(make(R"({"type":"exec","start":["x"],"ready":{"url":"http://h/","expect":[20]}})"),
            "s.json: actuator.ready.expect: statuses such as [200, 204] are wanted");
  EXPECT_EQ(make(R"({"type":"exec","start":["x"],"verify":{"url":"http://h/","equals":{"a":1}}})"),
            "s.json: actuator.verify.equals: \"a\" is no JSON pointer; write it as in /a/0/b");
  EXPECT_EQ(make(R"({"type":"file","path":"x","template":"a","patch":{"/a":1}})"),
            "s.json: actuator: one of \"template\", \"template_file\" and \"patch\" is wanted");
  EXPECT_EQ(make(R"({"type":"pipe","start":["x","${n}"]})"),
            "s.json: actuator.start[1]: ${n}: what stands here does not change");
  EXPECT_EQ(make(R"({"type":"exec"})"), "s.json: actuator: \"start\" is missing");
  EXPECT_NE(make(R"({"type":"exec","start":["x"],"settle":2})").find("a duration"), std::string::npos);
  EXPECT_EQ(
      make(R"({"type":"exec","start":["x","${n}"],"settle":"2s","warmup_requests":20,"on_fail":"revert"})"),
      "accepted");
}

}  // namespace
}  // namespace mlq::tune
