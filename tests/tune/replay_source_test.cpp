// Windows under our own load, exact on a virtual clock; and one against a real server.
#include "lib/tune/measure/replay_source.h"

#include <fmt/format.h>

#include <cmath>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/replay/null_server.h"
#include "lib/tune/measure/replay_setup.h"
#include "tests/replay/virtual_world.h"

namespace mlq::tune {
namespace {

using replay::test::Reaction;
using replay::test::SimulatedEngine;
using replay::test::VirtualClock;

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000 * kMs;

std::string trace_text(uint64_t count, int64_t gap_ns,
                       const std::function<std::string(uint64_t)>& more = {}) {
  std::string text;
  for (uint64_t i = 0; i < count; ++i) {
    text += fmt::format("{{\"type\":\"arrival\",\"t_ns\":{}{}}}\n", static_cast<int64_t>(i) * gap_ns,
                        more ? more(i) : "");
  }
  return text;
}

LoadTrace load(const std::string& text, Ratio speed = {1, 1}) {
  records::Reader reader(Input::from_bytes("trace", text), {});
  return LoadTrace(reader, speed);
}

replay::TemplateOptions raw() {
  replay::TemplateOptions options;
  options.api = "raw";
  return options;
}

class ReplayOnAVirtualClock : public ::testing::Test {
 protected:
  // A request every 10 ms, for 10 s.
  void make(const std::string& trace = trace_text(1000, 10 * kMs), const char* slo = "") {
    form_options.api = "raw";
    auto form = replay::make_template(form_options);
    const auto rules = form->answer_rules();
    source.emplace(options, Objective::parse("latency", slo), load(trace), std::move(form), rules, clock,
                   [this](http::ClientEvents& events) {
                     auto made = std::make_unique<SimulatedEngine>(
                         clock, [this](std::string_view target, int64_t send) {
                           sends.push_back(send);
                           return react(target, send);
                         });
                     made->attach(events);
                     engine = made.get();
                     return made;
                   });
  }
  Window measure(const WindowPlan& plan, WindowWatch watch = {}) {
    if (!source) make();
    return source->measure(plan, watch, stop);
  }

  VirtualClock clock;
  StopFlag stop;
  ReplayLoad options;
  replay::TemplateOptions form_options;
  std::function<Reaction(std::string_view, int64_t)> react = [](auto, int64_t) {
    return Reaction{.after_ns = 5 * kMs};
  };
  std::vector<int64_t> sends;
  SimulatedEngine* engine = nullptr;
  std::optional<ReplaySource> source;
};

TEST_F(ReplayOnAVirtualClock, CountsFromTheEndOfSettlingOn) {
  const Window w = measure({.settle_ns = kS, .length_ns = 2 * kS});
  EXPECT_EQ(w.outcome, "ok");
  EXPECT_TRUE(w.valid);
  EXPECT_EQ(w.requests, 200u);
  EXPECT_EQ(w.ok, 200u);
  EXPECT_EQ(w.window_ns, 2 * kS);
  EXPECT_EQ(w.latency_mean_ns, 5 * kMs);
  EXPECT_DOUBLE_EQ(*w.rate_per_s, 100);
  EXPECT_EQ(sends.size(), 300u);
  EXPECT_NEAR(*w.inflight_slope_per_s, 0, 1e-9);
}

TEST_F(ReplayOnAVirtualClock, LatencyIsFromTheDueTime) {
  // A stall of 100 ms: what is due in it waits for its end, 100, 90, .. 10 ms, and is served then.
  react = [](auto, int64_t send) {
    const bool stalled = send >= kS && send < kS + 100 * kMs;
    return Reaction{.after_ns = (stalled ? kS + 100 * kMs - send : 0) + kMs};
  };
  const Window w = measure({.length_ns = 2 * kS});
  EXPECT_EQ(w.latency_mean_ns, kMs + (100 + 90 + 80 + 70 + 60 + 50 + 40 + 30 + 20 + 10) * kMs / 200);
}

TEST_F(ReplayOnAVirtualClock, WindowsWalkThroughTheTraceAndItsTimeStandsStillBetweenThem) {
  make(trace_text(1000, 10 * kMs, [](uint64_t i) { return fmt::format(R"(,"segment":{})", i / 100); }));
  for (int k = 0; k < 12; ++k) {
    const auto upcoming = source->upcoming({.length_ns = kS});
    ASSERT_TRUE(upcoming);
    EXPECT_EQ(upcoming->segment, std::to_string(k % 10));
    EXPECT_DOUBLE_EQ(upcoming->rate_per_s, 100);
    const Window w = measure({.length_ns = kS});
    EXPECT_EQ(w.segment, std::to_string(k % 10));
    EXPECT_EQ(w.requests, 100u);
    clock.advance_to(clock.now_ns() + 77 * kS);
  }
}

TEST_F(ReplayOnAVirtualClock, SameWindowsGetTheSamePart) {
  options.same = true;
  make(trace_text(1000, 10 * kMs, [](uint64_t i) { return fmt::format(R"(,"path":"/{}")", i); }));
  measure({.length_ns = kS});
  const auto first = engine->targets;
  engine->targets.clear();
  measure({.length_ns = kS});
  EXPECT_EQ(engine->targets, first);
}

TEST_F(ReplayOnAVirtualClock, AWindowOfNRequestsHasN) {
  const Window w = measure({.settle_ns = kS, .requests = 150});
  EXPECT_EQ(w.requests, 150u);
  EXPECT_EQ(w.window_ns, 1500 * kMs);
  EXPECT_EQ(measure({.requests = 1500}).requests, 1500u);  // longer than the trace
}

TEST_F(ReplayOnAVirtualClock, ATraceThatEndsInAWindowBeginsAnewWithANote) {
  const Window w = measure({.length_ns = 15 * kS});
  EXPECT_EQ(w.requests, 1500u);
  ASSERT_TRUE(w.note);
  EXPECT_NE(w.note->find("began anew"), std::string::npos);
}

TEST_F(ReplayOnAVirtualClock, EpisodesAreMeasuredWholeAndLedInByTheirBeginning) {
  make(trace_text(600, 10 * kMs,
                  [](uint64_t i) { return fmt::format(R"(,"path":"/{}","episode":{})", i, i / 100); }));
  const Window w = measure({.settle_ns = 300 * kMs});
  EXPECT_EQ(w.requests, 100u);
  ASSERT_EQ(engine->targets.size(), 130u);
  EXPECT_EQ(engine->targets[29], "/29");
  EXPECT_EQ(engine->targets[30], "/0");
  EXPECT_EQ(engine->targets.back(), "/99");
  engine->targets.clear();
  measure({.settle_ns = 300 * kMs});
  EXPECT_EQ(engine->targets.front(), "/100");
}

TEST_F(ReplayOnAVirtualClock, WithoutALengthAWindowLastsUntilEnoughIsAnswered) {
  // 100 a second: 200 are there after 2 s, but 3 s is the least.
  EXPECT_EQ(measure({}).window_ns, 3 * kS);
  EXPECT_EQ(measure({.enough = 1000}).window_ns, 10 * kS);
  EXPECT_EQ(measure({.enough = 100'000, .most_ns = 20 * kS}).window_ns, 20 * kS);
}

TEST_F(ReplayOnAVirtualClock, AWordOfTheWatchEndsTheWindowAtOnce) {
  react = [](auto, int64_t) { return Reaction{.after_ns = 30 * kS}; };
  int looks = 0;
  const Window w = measure({.length_ns = 60 * kS}, {[&](const Window& so_far) -> std::optional<std::string> {
                             EXPECT_EQ(so_far.inflight, so_far.requests);
                             return ++looks == 4 ? std::optional<std::string>("hopeless") : std::nullopt;
                           }});
  EXPECT_EQ(w.outcome, "aborted");
  EXPECT_EQ(w.aborted, "hopeless");
  EXPECT_EQ(w.window_ns, 2 * kS);
  EXPECT_EQ(w.requests, 200u);
  EXPECT_EQ(w.censored, 200u);
  EXPECT_TRUE(w.stat_is_bound);
  EXPECT_NEAR(*w.stat_ns, 1.03e9, 0.03e9);  // they had waited 2 s to 10 ms, and a little until they were told
  EXPECT_EQ(engine->cancelled.size(), 200u);
  EXPECT_LT(clock.now_ns(), 2100 * kMs);
}

TEST_F(ReplayOnAVirtualClock, AfterACutOneRequestTellsThatTheServerIsDone) {
  int64_t served_until = 0;  // one at a time, 100 ms each: ten times too slow
  react = [&](auto, int64_t send) {
    served_until = std::max(served_until, send) + 100 * kMs;
    return Reaction{.after_ns = served_until - send};
  };
  measure({.length_ns = 60 * kS}, {[](const Window& w) -> std::optional<std::string> {
            return w.requests >= 100 ? std::optional<std::string>("unstable") : std::nullopt;
          }});
  const int64_t done = served_until;
  source->quiesce(60 * kS);
  EXPECT_EQ(clock.now_ns(), done + 100 * kMs);
  const size_t sent = sends.size();
  source->quiesce(60 * kS);  // nothing is left
  EXPECT_EQ(sends.size(), sent);
}

TEST_F(ReplayOnAVirtualClock, ASignalEndsTheWindow) {
  const Window w = measure({.length_ns = 60 * kS}, {[this](const Window&) -> std::optional<std::string> {
                             stop.request(2);
                             return std::nullopt;
                           }});
  EXPECT_EQ(w.aborted, "signal");
  EXPECT_EQ(w.window_ns, kS);
}

TEST_F(ReplayOnAVirtualClock, SamplesOfAnotherGenerationAreDropped) {
  react = [](auto, int64_t send) {
    const char* gen = send < 1500 * kMs ? "7" : send < 1600 * kMs ? "7-8" : "8";
    return Reaction{.after_ns = kMs, .head = fmt::format("HTTP/1.1 200 OK\r\nx-mlq-gen: {}\r\n\r\n", gen)};
  };
  const Window w = measure({.length_ns = 2 * kS, .gen = "8"});
  EXPECT_EQ(w.requests, 40u);
  EXPECT_EQ(w.discarded, 160u);
  EXPECT_EQ(w.gen, "8");
  const Window none = measure({.length_ns = 2 * kS, .gen = "9"});
  EXPECT_EQ(none.outcome, "void");
}

TEST_F(ReplayOnAVirtualClock, TimeoutsAreBoundsAndErrorsAreCounted) {
  options.sending.timeout_ns = kS;
  uint64_t n = 0;
  react = [&](auto, int64_t) {
    ++n;
    if (n % 10 == 0) return Reaction{.after_ns = -1};
    if (n % 10 == 5) return Reaction{.after_ns = kMs, .head = "HTTP/1.1 503 Busy\r\n\r\n"};
    return Reaction{.after_ns = 2 * kMs};
  };
  make(trace_text(1000, 10 * kMs), "p50<=10ms");
  const Window w = measure({.length_ns = 2 * kS});
  EXPECT_EQ(w.outcome, "ok");
  EXPECT_EQ(w.ok, 160u);
  EXPECT_EQ(w.errors, 20u);
  EXPECT_EQ(w.censored, 20u);
  EXPECT_FALSE(w.latency_mean_ns);
  EXPECT_EQ(w.latency_p50_ns.value_or(0) / 100'000, 20);
  EXPECT_DOUBLE_EQ(*w.attain, 0.8);
}

TEST_F(ReplayOnAVirtualClock, AnOverloadedServerIsSeenAsOneNotAsABadClient) {
  options.sending.max_inflight = 16;
  int64_t served_until = 0;
  react = [&](auto, int64_t send) {
    served_until = std::max(served_until, send) + 40 * kMs;
    return Reaction{.after_ns = served_until - send};
  };
  std::vector<double> seen;
  const Window w = measure({.length_ns = 4 * kS}, {[&](const Window& so_far) -> std::optional<std::string> {
                             seen.push_back(static_cast<double>(*so_far.inflight));
                             return std::nullopt;
                           }});
  EXPECT_TRUE(w.valid) << w.note.value_or("");
  EXPECT_NEAR(*w.inflight_slope_per_s, 75, 3);  // 100 come a second, 25 go: the cap hides none of them
  EXPECT_GT(*w.latency_mean_ns, 2 * kS);
}

TEST_F(ReplayOnAVirtualClock, WhatTheCapHeldBackToTheEndHasWaitedAsLong) {
  options.sending.max_inflight = 2;
  options.sending.timeout_ns = kS;
  react = [](auto, int64_t) { return Reaction{.after_ns = -1}; };
  make();
  const Window w = measure({.length_ns = kS});
  EXPECT_EQ(w.requests, 100u);
  EXPECT_EQ(w.censored, 100u);
  EXPECT_EQ(w.dropped, 0u);
  EXPECT_GT(w.stat_ns.value_or(0), kS);  // the last was due at 990 ms, and waited for a second
}

TEST_F(ReplayOnAVirtualClock, WhatTheCapHeldBackWhenAWindowWasCutIsCounted) {
  options.sending.max_inflight = 2;
  react = [](auto, int64_t) { return Reaction{.after_ns = -1}; };
  make();
  const Window w = measure({.length_ns = 4 * kS}, {[](const Window&) { return "hopeless"; }});
  EXPECT_EQ(w.aborted, "hopeless");
  EXPECT_EQ(w.censored, w.requests);
  EXPECT_GE(w.requests, 50u);
}

TEST_F(ReplayOnAVirtualClock, AClientThatIsBehindMakesNoTrial) {
  clock.let_looks_take(2 * kMs);
  react = [](auto, int64_t) { return Reaction{.after_ns = 0}; };
  make(trace_text(1000, kMs));
  const Window w = measure({.length_ns = kS});
  EXPECT_FALSE(w.valid);
  EXPECT_EQ(w.outcome, "void");
  EXPECT_NE(w.note->find("lag_p99"), std::string::npos);
}

TEST_F(ReplayOnAVirtualClock, AClientThatIsBusyIsInDoubtOnlyWhereItIsLate) {
  // A core and more of CPU time, as a thread with thousands of open requests has.
  options.own_cpu_ns = [this] { return clock.now_ns() * 2; };
  react = [](auto, int64_t) { return Reaction{.after_ns = 500 * kMs}; };
  make();
  const Window slow_server = measure({.length_ns = 2 * kS});
  EXPECT_TRUE(slow_server.valid) << slow_server.note.value_or("");
  EXPECT_NEAR(slow_server.stat_ns.value_or(0), 500 * kMs, kMs);

  clock.let_looks_take(2 * kMs);
  react = [](auto, int64_t) { return Reaction{.after_ns = kMs}; };
  options.max_lag_ns = kS;  // that it is late is no reason of its own
  make(trace_text(1000, kMs));
  const Window late = measure({.length_ns = kS});
  EXPECT_FALSE(late.valid);
  EXPECT_NE(late.note.value_or("").find("shard_cpu"), std::string::npos) << late.note.value_or("");
}

TEST_F(ReplayOnAVirtualClock, CpuTimeIsThatOfTheCountedPart) {
  options.server_use = [this] { return ServerUse{clock.now_ns() / 2, int64_t{1} << 20}; };
  const Window w = measure({.settle_ns = kS, .length_ns = 2 * kS});
  EXPECT_NEAR(static_cast<double>(*w.cpu_ns_per_request), 1e9 / 200, 0.01e9 / 200);
  EXPECT_EQ(w.memory_bytes, int64_t{1} << 20);
}

TEST_F(ReplayOnAVirtualClock, AServerThatIsGoneFailsTheWindow) {
  react = [](auto, int64_t) { return Reaction{.after_ns = 0, .fault = http::Fault::refused}; };
  const Window w = measure({.length_ns = kS});
  EXPECT_EQ(w.errors, 100u);
  EXPECT_FALSE(w.stat_ns);
}

TEST(LoadTrace, IsSortedAndGoesRound) {
  const LoadTrace trace = load(
      "{\"type\":\"arrival\",\"t_ns\":30}\n{\"type\":\"arrival\",\"t_ns\":10}\n"
      "{\"type\":\"arrival\",\"t_ns\":20,\"i\":9}\n");
  EXPECT_EQ(trace.round_ns(), 45);  // the mean gap of 15 behind the last
  EXPECT_EQ(trace.due_ns(0), 10);
  EXPECT_EQ(trace.due_ns(4), 45 + 20);
  EXPECT_EQ(trace.arrival(4).i, 9u);
  EXPECT_EQ(trace.first_from(0), 0u);
  EXPECT_EQ(trace.first_from(11), 1u);
  EXPECT_EQ(trace.first_from(31), 3u);
  EXPECT_EQ(trace.first_from(45 + 31), 6u);
  EXPECT_FALSE(trace.has_episodes());
}

TEST(LoadTrace, SpeedIsThatOfTheWall) { EXPECT_EQ(load(trace_text(3, 10), {2, 1}).due_ns(2), 10); }

TEST(LoadTrace, ATraceWithoutArrivalsIsNone) {
  EXPECT_THROW(load(""), Error);
  EXPECT_THROW(load("{\"type\":\"arrival\",\"t_ns\":-1}\n"), Error);
  EXPECT_THROW(load("{\"type\":\"run\",\"tool\":\"x\",\"version\":\"1\",\"schema\":1,\"argv\":[]}\n"
                    "{\"type\":\"arrival\",\"t_ns\":1}\n"),
               Error);  // cut
}

// What burstiness is said to be is that of the gaps.
TEST(LoadTrace, DescribesWhatWillBeOffered) {
  std::string text;  // pairs: gaps 0 and 20 ms in turn
  for (int k = 0; k < 500; ++k) {
    for (int j = 0; j < 2; ++j) text += fmt::format("{{\"type\":\"arrival\",\"t_ns\":{}}}\n", k * 20 * kMs);
  }
  const auto seen = load(text).describe(0, 9 * kS);
  EXPECT_NEAR(seen.rate_per_s, 100, 1e-9);
  EXPECT_NEAR(seen.cv2, 1, 0.01);
}

TEST(ReplaySourceThreads, MeasuresARealServerOverKeptConnections) {
  replay::NullServerOptions served;
  served.service = replay::parse_service("fixed,mean=20ms");
  served.servers = 0;
  replay::NullServer server(served);
  server.start();
  ReplaySetup setup;
  setup.client.url = http::parse_url(server.url());
  setup.requests = raw();
  setup.load.max_lag_ns = 3'600 * kS;  // the machine may be busy
  const std::string text = trace_text(100, 5 * kMs);
  records::Reader reader(Input::from_bytes("trace", text), {});
  const SteadyClock clock;
  const StopFlag stop;
  const auto source = make_replay_source(setup, Objective::parse("latency", ""), reader, clock, stop,
                                         [](const std::string&) {});
  for (int k = 0; k < 2; ++k) {
    const Window w = source->measure({.requests = 100}, {}, stop);
    EXPECT_EQ(w.ok, 100u);
    EXPECT_GE(*w.latency_mean_ns, 20 * kMs);
  }
  server.stop();
}

TEST(ReplaySourceThreads, NoServerIsAnEnvironmentError) {
  ReplaySetup setup;
  setup.client.url = http::parse_url("http://127.0.0.1:1/");
  setup.requests = raw();
  const std::string text = trace_text(1, 1);
  records::Reader reader(Input::from_bytes("trace", text), {});
  const SteadyClock clock;
  StopFlag stop;
  try {
    make_replay_source(setup, Objective::parse("latency", ""), reader, clock, stop,
                       [](const std::string&) {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
  }
}

}  // namespace
}  // namespace mlq::tune
