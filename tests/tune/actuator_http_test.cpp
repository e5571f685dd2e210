#include <gtest/gtest.h>

#include <thread>

#include "lib/base/error.h"
#include "lib/tune/actuator/actuator.h"
#include "lib/tune/actuator/check.h"
#include "tests/tune/fake_endpoint.h"

namespace mlq::tune {
namespace {

using test::FakeEndpoint;
using test::FastClock;
using test::Misdeed;

const FastClock kClock;
const StopFlag kGoOn;

ActuatorContext context() {
  return {"s.json: actuator",
          [](const std::string&) { return std::string("hunter2"); },
          &kClock,
          nullptr,
          "",
          {}};
}
Config rows(int64_t n) { return {{"rows", n}}; }

// Reads, patches and sends back; verifies what is read.
std::string http_json(FakeEndpoint& endpoint, const std::string& timeout = "2000s",
                      const std::string& more = "") {
  return R"({"type":"http","vars":{"B":")" + endpoint.url() + R"("},"settle":"2s","warmup_requests":3,)" +
         more +
         R"("steps":[{"read":{"url":"$B/config","as":"cfg"}},{"patch":"cfg","set":{"/rows":"${rows}"}},
            {"send":{"method":"PUT","url":"$B/config","json":"${cfg}","timeout":")" +
         timeout + R"("}}],"verify":{"url":"$B/config","equals":{"/rows":"${rows}"}}})";
}

TEST(ActuatorHttp, WhatIsSetIsReadBackAndTheRestOfTheDocumentStays) {
  FakeEndpoint endpoint(R"({"name":"m","rows":1,"scale":1.0})");
  const auto actuator = make_actuator(http_json(endpoint), context());
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":1})");
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(applied.verified, "readback");
  EXPECT_EQ(endpoint.knobs(), R"({"name":"m","rows":8,"scale":1.0})");
  EXPECT_EQ(actuator->facts().settle_ns, 2'000'000'000);
  EXPECT_EQ(actuator->facts().warmup_requests, 3U);
}

TEST(ActuatorHttp, EachMisdeedHasItsResult) {
  const std::vector<std::pair<Misdeed, ApplyResult>> cases = {
      {Misdeed::error, ApplyResult::broken},   {Misdeed::half, ApplyResult::broken},
      {Misdeed::reset, ApplyResult::broken},   {Misdeed::redirect, ApplyResult::broken},
      {Misdeed::refuse, ApplyResult::refused}, {Misdeed::lie, ApplyResult::not_applied}};
  for (const auto& [misdeed, result] : cases) {
    FakeEndpoint endpoint(R"({"rows":1})");
    const auto actuator = make_actuator(http_json(endpoint), context());
    endpoint.misbehave(misdeed);
    const Applied applied = actuator->apply(rows(8), kGoOn);
    EXPECT_EQ(apply_result_name(applied.result), apply_result_name(result)) << applied.note;
    EXPECT_FALSE(applied.note.empty());
    EXPECT_EQ(endpoint.knobs(), R"({"rows":1})");
    // What cannot be otherwise a moment later is not tried again.
    const bool again = misdeed == Misdeed::error || misdeed == Misdeed::half || misdeed == Misdeed::reset;
    EXPECT_EQ(endpoint.writes(), again ? 3 : 1) << applied.note;
    endpoint.behave();
    EXPECT_EQ(actuator->apply(rows(1), kGoOn, true).result, ApplyResult::applied);
  }
}

TEST(ActuatorHttp, AnAnswerThatNeverComesEndsAtTheDeadline) {
  FakeEndpoint endpoint(R"({"rows":1})");
  endpoint.misbehave(Misdeed::hang);
  const Applied applied = make_actuator(http_json(endpoint, "1s"), context())->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::broken);
  EXPECT_NE(applied.note.find("no answer within"), std::string::npos) << applied.note;
}

TEST(ActuatorHttp, AStatusThatPassesIsTriedAgain) {
  FakeEndpoint endpoint(R"({"rows":1})");
  endpoint.misbehave(Misdeed::error, 2);
  const Applied applied = make_actuator(http_json(endpoint), context())->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(endpoint.writes(), 3);
}

TEST(ActuatorHttp, AStopRequestEndsAnApplyAtOnceButNotARevert) {
  FakeEndpoint endpoint(R"({"rows":1})");
  endpoint.misbehave(Misdeed::hang, 1);
  const auto actuator = make_actuator(http_json(endpoint), context());
  StopFlag stop;
  std::jthread later([&] {
    while (endpoint.writes() == 0) std::this_thread::yield();
    stop.request(15);
  });
  const Applied applied = actuator->apply(rows(8), stop);
  EXPECT_EQ(applied.result, ApplyResult::broken);
  EXPECT_NE(applied.note.find("stopped"), std::string::npos) << applied.note;
  EXPECT_EQ(actuator->apply(rows(2), stop).result, ApplyResult::broken);
  EXPECT_EQ(actuator->apply(rows(2), stop, true).result, ApplyResult::applied);
  EXPECT_EQ(endpoint.knobs(), R"({"rows":2})");
}

TEST(ActuatorHttp, AnEndpointMayBecomeReadyLateButNotNever) {
  FakeEndpoint endpoint(R"({"rows":1})");
  const auto with_ready = [&](const std::string& timeout) {
    return http_json(endpoint, "2000s", R"("ready":{"url":"$B/ready","timeout":")" + timeout + R"("},)");
  };
  endpoint.ready_after(5);
  EXPECT_EQ(make_actuator(with_ready("2000s"), context())->apply(rows(8), kGoOn).result,
            ApplyResult::applied);
  endpoint.ready_after(1'000'000);
  const Applied applied = make_actuator(with_ready("2s"), context())->apply(rows(4), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::refused);
  EXPECT_TRUE(applied.note.starts_with("not ready: GET ")) << applied.note;
}

TEST(ActuatorHttp, ASecretIsSentAndShownNowhere) {
  FakeEndpoint endpoint(R"({"rows":1})");
  const auto actuator = make_actuator(
      R"({"type":"http","vars":{"T":"@env:T"},"headers":{"Authorization":"Bearer $T"},"steps":[
          {"send":{"url":")" +
          endpoint.url("/nothing?t=$T") + R"(","json":{"key":"$T","n":"${rows}"}}}]})",
      context());
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::refused);
  EXPECT_EQ(applied.note.find("hunter2"), std::string::npos) << applied.note;
  EXPECT_EQ(endpoint.seen("Authorization").back(), "Bearer hunter2");
  ASSERT_EQ(actuator->describe(rows(8)).size(), 1U);
  EXPECT_EQ(actuator->describe(rows(8))[0],
            "POST " + endpoint.url("/nothing?t=***") + R"( [Authorization: ***] {"key":"***","n":8})");
}

TEST(ActuatorHttp, AnEndpointOutOfReachIsAnEnvironmentErrorToReadAndBrokenToSet) {
  std::string json;
  {
    FakeEndpoint gone(R"({"rows":1})");
    json = http_json(gone);
  }
  const auto actuator = make_actuator(json, context());
  EXPECT_THROW(actuator->read(kGoOn), Error);
  EXPECT_EQ(actuator->apply(rows(8), kGoOn).result, ApplyResult::broken);
}

std::unique_ptr<Actuator> mlq_actuator(FakeEndpoint& endpoint) {
  return make_mlq_actuator({endpoint.url(), "m"}, context());
}

TEST(ActuatorMlq, TheAnswerOfAPatchIsTheProofAndTheGeneration) {
  FakeEndpoint endpoint(R"({"rows":1,"delay":5})");
  const auto actuator = mlq_actuator(endpoint);
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":1,"delay":5})");
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(applied.gen, "2");
  EXPECT_EQ(applied.verified, "readback");
  EXPECT_EQ(endpoint.knobs(), R"({"rows":8,"delay":5})");
  EXPECT_EQ(actuator->gen_header(), "x-mlq-gen");
}

TEST(ActuatorMlq, WhatSomebodyElseChangedMeanwhileIsNotOverwritten) {
  FakeEndpoint endpoint(R"({"rows":1})");
  const auto actuator = mlq_actuator(endpoint);
  EXPECT_EQ(actuator->apply(rows(8), kGoOn).result, ApplyResult::applied);
  endpoint.set_knobs(R"({"rows":99})");
  EXPECT_EQ(actuator->apply(rows(4), kGoOn).result, ApplyResult::foreign);
  EXPECT_EQ(endpoint.knobs(), R"({"rows":99})");
  EXPECT_EQ(actuator->apply(rows(4), kGoOn).result, ApplyResult::applied) << "having looked again";
}

TEST(ActuatorMlq, EachMisdeedHasItsResult) {
  const std::vector<std::pair<Misdeed, ApplyResult>> cases = {
      {Misdeed::error, ApplyResult::broken}, {Misdeed::refuse, ApplyResult::refused},
      {Misdeed::reset, ApplyResult::broken}, {Misdeed::lie, ApplyResult::not_applied},
      {Misdeed::half, ApplyResult::broken},  {Misdeed::foreign, ApplyResult::foreign}};
  for (const auto& [misdeed, result] : cases) {
    FakeEndpoint endpoint(R"({"rows":1})");
    const auto actuator = mlq_actuator(endpoint);
    endpoint.misbehave(misdeed);
    const Applied applied = actuator->apply(rows(8), kGoOn);
    EXPECT_EQ(apply_result_name(applied.result), apply_result_name(result)) << applied.note;
    endpoint.behave();
    EXPECT_EQ(actuator->apply(rows(1), kGoOn, true).result, ApplyResult::applied);
    EXPECT_EQ(endpoint.knobs(), R"({"rows":1})");
  }
}

TEST(ActuatorMlq, OfSeveralModelsOneMustBeNamed) {
  FakeEndpoint endpoint(R"({"rows":1})");
  const auto fetch = [&](const std::string& model) -> std::string {
    try {
      return fetch_mlq_schema({endpoint.url(), model}, context(), kGoOn).model;
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(fetch(""), endpoint.url("/admin/v1/models") +
                           ": there are several models (m, n); name one, as in mlq:URL#m");
  EXPECT_EQ(fetch("o"), endpoint.url("/admin/v1/models") + ": there is no model \"o\", but m, n");
  const MlqEndpoint parsed = parse_mlq_endpoint("mlq:http://127.0.0.1:8001#m");
  EXPECT_EQ(parsed.admin_url, "http://127.0.0.1:8001");
  EXPECT_EQ(parsed.model, "m");
}

TEST(ActuatorCheck, ItSetsANeighbourAndGoesBack) {
  FakeEndpoint endpoint(R"({"rows":2})");
  const Space space({{.name = "rows", .values = {int64_t{1}, int64_t{2}, int64_t{4}}}}, {}, {});
  const auto actuator = make_actuator(http_json(endpoint), context());
  const ActuatorCheck good = check_actuator(*actuator, space, {}, kClock, kGoOn);
  ASSERT_EQ(good.steps.size(), 4U);
  for (const auto& step : good.steps) EXPECT_TRUE(step.ok) << step.step;
  EXPECT_FALSE(good.failure);
  EXPECT_EQ(endpoint.writes(), 3);
  EXPECT_EQ(endpoint.knobs(), R"({"rows":2})");
  endpoint.misbehave(Misdeed::lie);
  const ActuatorCheck bad = check_actuator(*actuator, space, {}, kClock, kGoOn);
  EXPECT_EQ(bad.failure, ApplyResult::not_applied);
  EXPECT_EQ(bad.steps[2].step, "neighbour");
  EXPECT_FALSE(bad.steps[2].ok);
}

}  // namespace
}  // namespace mlq::tune
