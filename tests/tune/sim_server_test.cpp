// The simulated server on the real clock: its routes, its knobs, its faults.
#include <gtest/gtest.h>

#include <thread>

#include "lib/base/error.h"
#include "lib/tune/space/space_file.h"
#include "lib/tune/surface/serve_sim.h"
#include "tests/support/socket_client.h"

namespace mlq::tune {
namespace {

class Running {
 public:
  explicit Running(const SimFaults& faults = {}, const std::string& preset = "pool-batch@700",
                   uint32_t queue_limit = 4096) {
    SimServerOptions options;
    options.preset = find_preset(preset);
    options.version = "1.2.3";
    options.faults = faults;
    options.queue_limit = queue_limit;
    sim_.emplace(reactor_, options);
    server_.emplace(
        reactor_, http::ServerOptions{},
        [this](http::Request& request, const http::Reply& reply) { sim_->handle(request, reply); });
    thread_ = std::thread([this] { reactor_.run(); });
  }
  ~Running() {
    reactor_.stop(0);
    thread_.join();
  }

  test::SocketClient::Answer get(std::string_view target) { return ask("GET", target, {}, {}); }
  test::SocketClient::Answer infer() { return ask("POST", "/v2/models/sim/infer", "{}", {}); }
  test::SocketClient::Answer patch(std::string_view body, std::string_view headers = {}) {
    return ask("PATCH", "/admin/v1/models/sim/knobs", body,
               "Content-Type: application/merge-patch+json\r\n" + std::string(headers));
  }
  uint16_t port() const { return server_->port(); }
  const SimServer& sim() const { return *sim_; }

 private:
  test::SocketClient::Answer ask(std::string_view method, std::string_view target, std::string_view body,
                                 std::string_view headers) {
    test::SocketClient client(port());
    std::string text;
    text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n");
    text.append(headers).append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
    text.append(body);
    client.send(text);
    return client.answer();
  }

  http::Reactor reactor_;
  std::optional<SimServer> sim_;
  std::optional<http::Server> server_;
  std::thread thread_;
};

bool has(std::string_view text, std::string_view what) { return text.find(what) != text.npos; }

TEST(SimServer, AnswersAnyBodyAndNamesItsGeneration) {
  Running server;
  EXPECT_EQ(server.get("/v2/health/ready").status, 200);
  EXPECT_EQ(server.get("/v2/models/sim/ready").status, 200);
  EXPECT_EQ(server.get("/v2/models/other").status, 404);
  EXPECT_EQ(server.get("/v2/models/sim/infer").status, 405);
  const auto answer = server.infer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(has(answer.body, R"("model_name":"sim")"));
  EXPECT_TRUE(has(answer.head, "x-mlq-gen: 1\r\n")) << answer.head;
}

TEST(SimServer, TakesAsLongAsItsModelSays) {
  Running server;
  const auto before = http::Reactor::now_ns();
  EXPECT_EQ(server.infer().status, 200);
  // 6 threads, a batch of 1: (4 + 10) ms (0.15 + 0.85 / 6 + 0.075), less at most 5 sigma.
  EXPECT_GE(http::Reactor::now_ns() - before, static_cast<int64_t>(14e6 * (0.15 + 0.85 / 6 + 0.075) * 0.6));
}

TEST(SimServer, ItsSchemaIsASpaceAndAPatchMovesIt) {
  Running server;
  const auto schema = server.get("/admin/v1/models/sim/knobs/schema");
  ASSERT_EQ(schema.status, 200);
  const SchemaSpace space = space_from_schema(schema.body, "schema", nullptr);
  EXPECT_EQ(space.model, "sim");
  EXPECT_EQ(space.space->points().size(), 1331u);
  EXPECT_EQ(config_json(space.present), R"({"instances":6,"threads":6,"batch":8})");
  const auto changed = server.patch(R"({"batch":32,"instances":2})", "If-Match: \"1\"\r\n");
  ASSERT_EQ(changed.status, 200) << changed.body;
  EXPECT_TRUE(has(changed.body, R"("batch":32)")) << changed.body;
  EXPECT_TRUE(has(server.infer().head, "x-mlq-gen: 2\r\n"));
  EXPECT_EQ(server.patch(R"({"batch":33})").status, 422);
  EXPECT_EQ(server.patch(R"({"batch":1})", "If-Match: \"1\"\r\n").status, 412);
}

TEST(SimServer, MetricsHaveAHistogramOfEachGeneration) {
  Running server;
  server.infer();
  server.patch(R"({"batch":1})");
  server.infer();
  server.infer();
  const auto metrics = server.get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_TRUE(has(metrics.body, R"(mlq_sim_request_seconds_count{model="sim",gen="1"} 1)")) << metrics.body;
  EXPECT_TRUE(has(metrics.body, R"(mlq_sim_request_seconds_count{model="sim",gen="2"} 2)"));
  EXPECT_TRUE(has(metrics.body, "process_cpu_seconds_total "));
  EXPECT_TRUE(has(metrics.body, R"(mlq_sim_knob_generation{model="sim"} 2)"));
}

TEST(SimServer, RefusesWhatItsSchemaAllows) {
  SimFaults faults;
  faults.refuse = Expression::parse("batch > 16", machine_value);
  Running server(faults);
  const auto refused = server.patch(R"({"batch":32})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(has(server.get("/admin/v1/models/sim/knobs").body, R"("batch":8)"));
  EXPECT_EQ(server.patch(R"({"batch":16})").status, 200);
}

TEST(SimServer, LiesBySaying200AndChangingNothing) {
  SimFaults faults;
  faults.lie = 1;
  Running server(faults);
  const auto answer = server.patch(R"({"batch":32})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(has(answer.body, R"("batch":8)")) << answer.body;
  EXPECT_TRUE(has(server.get("/admin/v1/models/sim/knobs").body, R"("batch":8)"));
}

TEST(SimServer, CrashesOnTheFirstInferenceWithTheseKnobs) {
  SimFaults faults;
  faults.crash_on = Expression::parse("instances == 11 && batch >= 32", machine_value);
  Running server(faults);
  EXPECT_EQ(server.infer().status, 200);
  EXPECT_EQ(server.patch(R"({"instances":11,"batch":64})").status, 200);
  EXPECT_EQ(server.infer().status, 0);
}

TEST(SimServer, DriftMakesEverythingTakeLonger) {
  SimFaults faults;
  parse_drift("20@0s", faults);
  Running server(faults);
  const auto before = http::Reactor::now_ns();
  EXPECT_EQ(server.infer().status, 200);
  EXPECT_GE(http::Reactor::now_ns() - before,
            static_cast<int64_t>(20 * 14e6 * (0.15 + 0.85 / 6 + 0.075) * 0.6));
  EXPECT_THROW(parse_drift("2", faults), Error);
  EXPECT_THROW(parse_drift("-1@2s", faults), Error);
}

TEST(SimServer, AFullQueueTurnsRequestsAway) {
  SimFaults faults;
  parse_drift("1000@0s", faults);
  Running server(faults, "rrl-cpu@70ms", 1);
  server.patch(R"({"batch_threads":1})");
  test::SocketClient first(server.port()), second(server.port());
  first.request("/v2/models/sim/infer", "{}");
  // The first is being served, the second waits; of which of them comes first nothing is asked.
  second.request("/v2/models/sim/infer", "{}");
  while (!has(server.get("/metrics").body, R"(mlq_sim_waiting{model="sim"} 1)")) std::this_thread::yield();
  const auto third = server.infer();
  EXPECT_EQ(third.status, 503);
  EXPECT_TRUE(has(third.head, "x-mlq-reason: queue_full"));
}

}  // namespace
}  // namespace mlq::tune
