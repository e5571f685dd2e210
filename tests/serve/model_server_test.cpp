// The server of mlq-model over real sockets.
#include "lib/serve/model/model_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "lib/serve/model/serve.h"
#include "tests/serve/model_support.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::serve::model {
namespace {

using test::SocketClient;

ModelMaker maker_of(Backend backend, const std::string& path = "") {
  const bool echo = backend == Backend::noop || backend == Backend::sleep;
  return {read_source(backend, path, echo), false, test::kProgram};
}

// A server on a thread of its own. What touches it runs there, by on().
class Running {
 public:
  explicit Running(Backend backend, ServeKnobs knobs = {}, const std::string& path = "")
      : model_(reactor_, options(backend, knobs), maker_of(backend, path)),
        server_(reactor_, {},
                [this](http::Request& request, const http::Reply& reply) { model_.handle(request, reply); }),
        thread_([this] { reactor_.run(); }) {}
  ~Running() {
    reactor_.stop(0);
    thread_.join();
  }

  uint16_t port() const { return server_.port(); }
  template <class Call>
  auto on(Call call) {
    std::promise<decltype(call(std::declval<ModelServer&>()))> promise;
    reactor_.post([&] { promise.set_value(call(model_)); });
    return promise.get_future().get();
  }
  // Sets knobs as the admin interface does.
  void set(ServeKnobs knobs) {
    on([&](ModelServer& model) {
      model.apply(serve_knob_table(backend_, 64).values(knobs), "admin");
      return true;
    });
  }
  // Waits until the state is so.
  template <class Holds>
  void await(Holds holds) {
    while (!on(holds)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  ModelServerOptions options(Backend backend, ServeKnobs knobs) {
    backend_ = backend;
    ModelServerOptions options;
    options.name = "m";
    options.program_version = "1";
    options.backend = backend;
    options.knobs = knobs;
    options.cores = 64;
    return options;
  }
  Backend backend_ = Backend::noop;
  http::Reactor reactor_;
  ModelServer model_;
  http::Server server_;
  std::thread thread_;
};

SocketClient::Answer ask(const Running& server, std::string_view target, std::string_view body = {},
                         std::string_view headers = {}) {
  SocketClient client(server.port());
  client.request(target, body, headers);
  return client.answer();
}

std::string infer(std::string_view data, std::string_view shape, std::string_view more = "") {
  return fmt::format(R"({{"inputs":[{{"name":"input","datatype":"FP64","shape":{},"data":{}}}]{}}})", shape,
                     data, more);
}
constexpr std::string_view kInfer = "/v2/models/m/infer";

ServeKnobs sleeping(int64_t ns) {
  ServeKnobs knobs;
  knobs.base_ns = ns;
  return knobs;
}

TEST(ModelServer, TellsOfItselfAndItsModel) {
  Running server(Backend::linear, {}, test::kSmallModels + "linear.json");
  EXPECT_EQ(ask(server, "/v2/health/live").status, 200);
  EXPECT_EQ(ask(server, "/v2/health/ready").status, 200);
  EXPECT_EQ(ask(server, "/v2").body,
            R"({"name":"mlq-model","version":"1","extensions":["binary_tensor_data","schedule_policy"]})");
  EXPECT_EQ(
      ask(server, "/v2/models/m").body,
      R"({"name":"m","versions":["1"],"platform":"mlq_linear","inputs":[{"name":"input","datatype":"FP64",)"
      R"("shape":[-1,4]}],"outputs":[{"name":"label","datatype":"INT64","shape":[-1]},)"
      R"({"name":"scores","datatype":"FP64","shape":[-1,3]}]})");
  EXPECT_EQ(ask(server, "/v2/models/m/versions/1/ready").status, 200);
  EXPECT_EQ(ask(server, "/v1/models/m").body, R"({"name":"m","ready":true})");
  for (const char* path : {"/v2/models/other", "/v2/models/m/versions/2", "/v1/models/other", "/", "/v2/x"})
    EXPECT_EQ(ask(server, path).status, 404) << path;
  EXPECT_EQ(ask(server, kInfer).status, 405);
  EXPECT_EQ(ask(server, "/predict").status, 405);
}

TEST(ModelServer, AnswersEveryDialect) {
  Running server(Backend::noop);
  const auto v2 = ask(server, kInfer, infer("[[7,1],[8,2]]", "[2,2]", R"(,"id":"x")"));
  EXPECT_EQ(v2.status, 200);
  EXPECT_NE(v2.head.find("x-mlq-gen: 1\r\n"), v2.head.npos) << v2.head;
  EXPECT_EQ(v2.body, R"({"model_name":"m","model_version":"1","id":"x","outputs":[)"
                     R"({"name":"tag","shape":[2,1],"datatype":"FP64","data":[7,8]},)"
                     R"({"name":"output","shape":[2,1],"datatype":"FP64","data":[0,0]}]})");
  EXPECT_EQ(ask(server, "/v1/models/m:predict", R"({"instances":[[7,1],[8,2],[9,3]]})").body,
            R"({"predictions":[[7],[8],[9]]})");
  EXPECT_EQ(ask(server, "/predict", R"({"rows":[[5]]})").body, R"({"answers":[[5]]})");
}

TEST(ModelServer, TakesAndGivesBinaryTensors) {
  Running server(Backend::noop);
  const std::string json =
      R"({"inputs":[{"name":"input","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}],)"
      R"("outputs":[{"name":"tag","parameters":{"binary_data":true}}]})";
  const std::string floats("\0\0\x80\x3f\0\0\0\0", 8);  // 1, 0
  const auto answer =
      ask(server, kInfer, json + floats, fmt::format("Inference-Header-Content-Length: {}\r\n", json.size()));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.head.find("Inference-Header-Content-Length: "), answer.head.npos);
  ASSERT_GE(answer.body.size(), 8u);
  EXPECT_EQ(answer.body.substr(answer.body.size() - 8), std::string("\0\0\0\0\0\0\xf0\x3f", 8));  // 1 as FP64
}

TEST(ModelServer, RefusesWhatItCannotAnswer) {
  Running server(Backend::linear, {}, test::kSmallModels + "linear.json");
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3]", "[1,3]")).body,
            R"({"error":"a row has 3 values; the model takes 4"})");
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3]", "[3]")).status, 400);
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3]", "[1,4]")).status, 400);
  EXPECT_EQ(ask(server, kInfer, infer("[]", "[0,4]")).status, 400);
  EXPECT_EQ(ask(server, kInfer, "{").status, 400);
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3,4]", "[1,4]", R"(,"outputs":[{"name":"no"}])")).status, 400);
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3,4]", "[1,4]"), "Content-Encoding: gzip\r\n").status, 415);
  EXPECT_EQ(ask(server, kInfer, "x", "Inference-Header-Content-Length: 0\r\n").status, 400);
  EXPECT_EQ(ask(server, "/v1/models/m:predict", R"({"instances":[]})").status, 400);
  EXPECT_EQ(ask(server, "/predict", R"({"rows":[[1,2,3,"x"]]})").status, 400);
  EXPECT_EQ(ask(server, kInfer, infer("[1,2,3,4]", "[1,4]"), "x-mlq-timeout: soon\r\n").status, 400);
}

TEST(ModelServer, PutsWaitingRequestsIntoOneBatchAndEachGetsItsOwnRows) {
  Running server(Backend::sleep, sleeping(100'000'000));
  std::vector<std::unique_ptr<SocketClient>> clients;
  const auto send = [&](int tag) {
    clients.push_back(std::make_unique<SocketClient>(server.port()));
    clients.back()->request("/predict", fmt::format(R"({{"rows":[[{}],[{}]]}})", tag, tag + 1000));
  };
  send(0);
  server.await([](ModelServer& model) { return model.gauges().busy == 1; });
  for (int tag = 1; tag <= 8; ++tag) send(tag);
  for (int tag = 0; tag <= 8; ++tag)
    EXPECT_EQ(clients[static_cast<size_t>(tag)]->answer().body,
              fmt::format(R"({{"answers":[[{}],[{}]]}})", tag, tag + 1000));
  const std::string metrics = server.on([](ModelServer& model) { return model.metrics(); });
  EXPECT_NE(metrics.find("mlq_model_batch_rows_count{model=\"m\"} 2\n"), metrics.npos) << metrics;
  EXPECT_NE(metrics.find("mlq_model_batch_rows_sum{model=\"m\"} 18\n"), metrics.npos) << metrics;
}

TEST(ModelServer, NeverMergesRowsOfDifferentWidth) {
  Running server(Backend::sleep, sleeping(30'000'000));
  SocketClient first(server.port()), narrow(server.port()), wide(server.port());
  first.request("/predict", R"({"rows":[[0]]})");
  narrow.request("/predict", R"({"rows":[[1]]})");
  wide.request("/predict", R"({"rows":[[2,9]]})");
  EXPECT_EQ(first.answer().body, R"({"answers":[[0]]})");
  EXPECT_EQ(narrow.answer().body, R"({"answers":[[1]]})");
  EXPECT_EQ(wide.answer().body, R"({"answers":[[2]]})");
}

TEST(ModelServer, TurnsAwayWhatTheQueueDoesNotTake) {
  ServeKnobs knobs = sleeping(200'000'000);
  knobs.queue_rows = 2;
  Running server(Backend::sleep, knobs);
  SocketClient working(server.port()), waiting(server.port());
  working.request("/predict", R"({"rows":[[1]]})");
  server.await([](ModelServer& model) { return model.gauges().busy == 1; });
  waiting.request("/predict", R"({"rows":[[2],[2]]})");
  server.await([](ModelServer& model) { return model.gauges().queued_rows == 2; });
  const auto refused = ask(server, "/predict", R"({"rows":[[3]]})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.head.find("x-mlq-reason: queue_full\r\n"), refused.head.npos) << refused.head;
  EXPECT_NE(refused.head.find("Retry-After: "), refused.head.npos);
  EXPECT_EQ(working.answer().status, 200);
  EXPECT_EQ(waiting.answer().status, 200);
}

TEST(ModelServer, GivesUpWhatWaitedLongerThanItsClientAllows) {
  Running server(Backend::sleep, sleeping(200'000'000));
  SocketClient working(server.port()), waiting(server.port());
  working.request("/predict", R"({"rows":[[1]]})");
  server.await([](ModelServer& model) { return model.gauges().busy == 1; });
  waiting.request("/predict", R"({"rows":[[2]]})", "x-mlq-timeout: 20ms\r\n");
  const auto late = waiting.answer();
  EXPECT_EQ(late.status, 503);
  EXPECT_NE(late.head.find("x-mlq-reason: deadline\r\n"), late.head.npos) << late.head;
  EXPECT_EQ(working.answer().status, 200);
}

TEST(ModelServer, DropsTheRowsOfAClientThatHasGone) {
  Running server(Backend::sleep, sleeping(100'000'000));
  SocketClient working(server.port());
  working.request("/predict", R"({"rows":[[1]]})");
  server.await([](ModelServer& model) { return model.gauges().busy == 1; });
  {
    SocketClient impatient(server.port());
    impatient.request("/predict", R"({"rows":[[2],[2],[2]]})");
    server.await([](ModelServer& model) { return model.gauges().queued_rows == 3; });
  }
  server.await([](ModelServer& model) { return model.gauges().queued_rows == 0; });
  EXPECT_EQ(working.answer().status, 200);
  server.await([](ModelServer& model) { return model.unanswered() == 0; });
}

TEST(ModelServer, WorksOnAsManyBatchesAsThereAreInstances) {
  ServeKnobs knobs = sleeping(100'000'000);
  Running server(Backend::sleep, knobs);
  knobs.instances = 3;
  server.set(knobs);
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int k = 0; k < 3; ++k) {
    clients.push_back(std::make_unique<SocketClient>(server.port()));
    clients.back()->request("/predict", R"({"rows":[[1]]})");
    server.await([&](ModelServer& model) { return model.gauges().busy == static_cast<uint32_t>(k) + 1; });
  }
  knobs.instances = 1;  // two end with their batches
  server.set(knobs);
  EXPECT_EQ(server.on([](ModelServer& model) { return model.gauges().instances; }), 1u);
  for (const auto& client : clients) {
    const auto answer = client->answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.head.find("x-mlq-gen: 2-3\r\n"), answer.head.npos) << answer.head;
  }
  EXPECT_NE(ask(server, "/predict", R"({"rows":[[1]]})").head.find("x-mlq-gen: 3\r\n"), std::string::npos);
}

class Faults : public testing::Test {
 protected:
  static SocketClient::Answer with(ServeKnobs knobs, std::string_view shape = "[2,1]") {
    Running server(Backend::sleep, knobs);
    return ask(server, kInfer, infer("[7,8]", shape));
  }
};

TEST_F(Faults, Error) {
  ServeKnobs knobs;
  knobs.error_share = 1;
  EXPECT_EQ(with(knobs).status, 500);
}

TEST_F(Faults, WrongRows) {
  ServeKnobs knobs;
  knobs.wrong_rows_share = 1;
  EXPECT_NE(with(knobs).body.find(R"("tag","shape":[1,1],"datatype":"FP64","data":[7])"), std::string::npos);
}

TEST_F(Faults, DropOutput) {
  ServeKnobs knobs;
  knobs.drop_output_share = 1;
  const std::string body = with(knobs).body;
  EXPECT_NE(body.find("\"tag\""), body.npos);
  EXPECT_EQ(body.find("\"output\""), body.npos) << body;
}

TEST_F(Faults, SwapOutputs) {
  ServeKnobs knobs;
  knobs.swap_outputs_share = 1;
  const std::string body = with(knobs).body;
  EXPECT_LT(body.find("\"output\""), body.find("\"tag\"")) << body;
  EXPECT_NE(body.find(R"("tag","shape":[2,1],"datatype":"FP64","data":[7,8])"), body.npos) << body;
}

TEST_F(Faults, NaN) {
  ServeKnobs knobs;
  knobs.nan_share = 1;
  const std::string body = with(knobs).body;
  EXPECT_NE(body.find(R"("output","shape":[2,1],"datatype":"FP64","data":[NaN,0])"), body.npos) << body;
}

TEST_F(Faults, Reset) {
  ServeKnobs knobs;
  knobs.reset_share = 1;
  Running server(Backend::sleep, knobs);
  SocketClient client(server.port());
  client.request(kInfer, infer("[7,8]", "[2,1]"));
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.was_reset());
}

TEST_F(Faults, Trickle) {
  ServeKnobs knobs;
  knobs.trickle_share = 1;
  knobs.trickle_ns = 60'000'000;
  Running server(Backend::sleep, knobs);
  SocketClient client(server.port());
  client.request(kInfer, infer("[7,8]", "[2,1]"));
  const int64_t start = http::Reactor::now_ns();
  const auto answer = client.answer();
  EXPECT_TRUE(answer.whole);
  EXPECT_NE(answer.body.find(R"("data":[7,8])"), answer.body.npos) << answer.body;
  EXPECT_GE(http::Reactor::now_ns() - start, 40'000'000);
}

TEST(ModelServer, AnswersWhatItTookWhenItIsToldToEnd) {
  const test::TempDir folder;
  ServeOptions options;
  options.model.name = "m";
  options.model.backend = Backend::sleep;
  options.model.knobs = sleeping(200'000'000);
  options.listen.unix_path = folder / "socket";
  StopFlag stop;
  records::Writer writer(Output::open(folder / "out"), true);
  ServeOutcome outcome;
  std::thread serving([&] { outcome = serve_model(options, maker_of(Backend::sleep), {}, writer, stop); });
  while (!std::filesystem::exists(folder / "socket"))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  SocketClient client(folder / "socket");
  client.request("/predict", R"({"rows":[[5]]})");
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  stop.request(15);
  EXPECT_EQ(client.answer().body, R"({"answers":[[5]]})");
  serving.join();
  EXPECT_EQ(outcome.requests, 1u);
  EXPECT_EQ(outcome.lost, 0u);
}

}  // namespace
}  // namespace mlq::serve::model
