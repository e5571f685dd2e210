// mlq-serve whole, in this process: clients over sockets, containers that misbehave on purpose.
#include "lib/serve/gateway/gateway.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <map>
#include <random>

#include <fmt/format.h>

#include "lib/base/io.h"
#include "lib/http/client_pool.h"
#include "lib/jsonl/object.h"
#include "tests/serve/container.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::serve {
namespace {

using test::Container;

struct Got {
  int status = 0;
  std::string body;
  std::map<std::string, std::string> headers;
};

struct Ask {
  std::string body;
  std::string headers = {};
  std::string target = "/v2/models/m/infer";
  std::string method = "POST";
};

std::string rows_of(std::initializer_list<int> values, const std::string& more = "") {
  return fmt::format(R"({{{}"inputs":[{{"name":"x","datatype":"INT64","shape":[{}],"data":[{}]}}]}})", more,
                     values.size(), fmt::join(values, ","));
}
std::string answer_of(std::initializer_list<int> values, const std::string& id = "") {
  return fmt::format(
      R"({{"model_name":"m",{}"outputs":[{{"name":"y","datatype":"INT64","shape":[{}],"data":[{}]}}]}})", id,
      values.size(), fmt::join(values, ","));
}

class ServeGateway : public testing::Test {
 protected:
  ~ServeGateway() override { stop(); }

  void start(std::vector<std::string> replicas, std::map<std::string, KnobValue> knobs = {},
             const std::function<void(GatewayOptions&)>& more = {}) {
    GatewayOptions options;
    ModelConfig model;
    model.name = model.upstream_name = "m";
    model.replicas = std::move(replicas);
    model.knobs = std::move(knobs);
    options.config.models.push_back(model);
    options.listen.port = 0;
    options.admin = http::ListenAddress{"127.0.0.1", 0, {}};
    options.emit = parse_emit("state,window,request,batch");
    options.seed = 1;
    options.id_keys = {1, 2};
    if (more) more(options);
    gateway_ = std::make_unique<Gateway>(std::move(options), [](const std::string&) {});
    writer_ = std::make_unique<records::Writer>(Output::open(folder_ / "out.jsonl"), true);
    writer_->keep_interrupted();
    thread_ = std::thread([this] {
      records::Run run;
      run.tool = "mlq-serve";
      run.version = "0";
      outcome_ = gateway_->run(run, *writer_, stop_, &reload_);
    });
    // Metadata come with the first health check.
    if (gateway_->admin_url().empty()) return;
    for (int k = 0; k < 500 && !batchable(); ++k) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  bool batchable() {
    return admin("GET", "/admin/v1/models/m").body.find("\"batchable\":true") != std::string::npos;
  }
  void stop() {
    if (!thread_.joinable()) return;
    stop_.request(15);
    thread_.join();
  }

  // All at once, each on its own connection; in the order asked.
  std::vector<Got> ask_url(const std::string& url, const std::vector<Ask>& asks) {
    http::Reactor reactor;
    http::ClientPoolOptions options;
    options.max_connections = 4096;
    http::ClientPool pool(reactor, http::parse_url(url), options);
    std::vector<Got> out(asks.size());
    size_t left = asks.size();
    for (size_t k = 0; k < asks.size(); ++k) {
      const std::string_view piece = asks[k].body;
      http::UpstreamRequest request;
      request.method = asks[k].method;
      request.target = asks[k].target;
      request.headers = asks[k].headers;
      if (!piece.empty()) request.body = {&piece, 1};
      pool.send(request, http::Reactor::now_ns() + 20'000'000'000, [&, k](http::UpstreamReply& reply) {
        out[k].status = reply.status;
        out[k].body = reply.body;
        for (const http::Header& header : reply.headers) out[k].headers.emplace(header.name, header.value);
        if (--left == 0) reactor.stop(0);
      });
    }
    reactor.run();
    return out;
  }
  std::vector<Got> ask(const std::vector<Ask>& asks) { return ask_url(gateway_->url(), asks); }
  Got ask(const std::string& body, const std::string& headers = "") {
    return ask({Ask{body, headers}}).front();
  }
  Got admin(const std::string& method, const std::string& target, const std::string& body = "") {
    const std::string headers = body.empty() ? "" : "Content-Type: application/json\r\n";
    return ask_url(gateway_->admin_url(), {{body, headers, target, method}}).front();
  }
  std::vector<std::string> records(const std::string& type) {
    stop();
    std::vector<std::string> out;
    const std::string text = read_file(folder_ / "out.jsonl");
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      if (line.starts_with("{\"type\":\"" + type + "\"")) out.push_back(line);
      at = end + 1;
    }
    return out;
  }

  test::TempDir folder_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<records::Writer> writer_;
  StopFlag stop_;
  std::atomic<bool> reload_{false};
  GatewayOutcome outcome_;
  std::thread thread_;
};

TEST_F(ServeGateway, ManyClientsShareBatchesAndEachGetsItsOwnRows) {
  Container container({.base_ns = 20'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::vector<Ask> asks;
  for (int k = 0; k < 300; ++k)
    asks.push_back({rows_of({k, 1000 + k}, k % 3 == 0 ? fmt::format("\"id\":\"i{}\",", k) : "")});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 300; ++k) {
    EXPECT_EQ(got[static_cast<size_t>(k)].status, 200);
    EXPECT_EQ(got[static_cast<size_t>(k)].body,
              answer_of({k, 1000 + k}, k % 3 == 0 ? fmt::format("\"id\":\"i{}\",", k) : ""));
  }
  EXPECT_GT(container.largest(), 50u);
  EXPECT_LE(container.largest(), 256u);
  EXPECT_LT(container.seen().size(), 20u);
}

TEST_F(ServeGateway, SeveralReactorsServeTheSameModel) {
  Container container({.base_ns = 5'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}}, [](GatewayOptions& o) { o.threads = 3; });
  std::vector<Ask> asks;
  for (int k = 0; k < 200; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 200; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({k}));
  EXPECT_GT(container.largest(), 5u);
  stop();
  EXPECT_EQ(outcome_.requests, 200u);
  EXPECT_EQ(outcome_.good, 200u);
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

TEST_F(ServeGateway, APoisonedRowFailsAlone) {
  Container container({.base_ns = 10'000'000, .status = [](const std::vector<std::string>& rows) {
                         return std::ranges::find(rows, "13") == rows.end() ? 200 : 422;
                       }});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::vector<Ask> asks;
  for (int k = 0; k < 32; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 32; ++k) {
    const Got& g = got[static_cast<size_t>(k)];
    EXPECT_EQ(g.status, k == 13 ? 422 : 200) << k;
    if (k == 13) EXPECT_EQ(g.headers.at("x-mlq-upstream-status"), "422");
  }
}

TEST_F(ServeGateway, AContainerThatFailsEverythingIsNotFlooded) {
  Container container({.base_ns = 10'000'000, .status = [](const auto&) { return 500; }});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::vector<Ask> asks;
  for (int k = 0; k < 64; ++k) asks.push_back({rows_of({k})});
  for (const Got& g : ask(asks)) EXPECT_TRUE(g.status == 500 || g.status == 503) << g.status;
  EXPECT_LE(container.seen().size(), 2 * (2 * 6 + 2) + 4u);  // the first may have gone alone
}

TEST_F(ServeGateway, AReplyWithOtherRowsIsNeverGuessedAt) {
  Container container({.base_ns = 10'000'000, .change = [](std::vector<std::string>& rows) {
                         if (rows.size() > 1) rows.pop_back();
                       }});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::vector<Ask> asks;
  for (int k = 0; k < 20; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 20; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({k}));  // singly
  EXPECT_FALSE(batchable());
  const std::string metrics = admin("GET", "/metrics").body;
  // What came while the first batch was away waits as one more.
  const size_t faults = records("fault").size();
  EXPECT_TRUE(faults == 1 || faults == 2) << faults;
  EXPECT_NE(metrics.find(fmt::format("mlq_serve_split_fail_total{{model=\"m\"}} {}\n", faults)),
            std::string::npos);
}

TEST_F(ServeGateway, AResetIsTriedOnTheOtherReplicaOnce) {
  Container bad({.reset = [](size_t) { return true; }});
  Container good;
  start({bad.url(), good.url()});
  for (int k = 0; k < 6; ++k) {
    const Got got = ask(rows_of({k}));
    EXPECT_EQ(got.status, 200) << got.body;
    EXPECT_EQ(got.body, answer_of({k}));
  }
}

TEST_F(ServeGateway, AReplicaThatDiesLosesNothing) {
  auto first = std::make_unique<Container>(Container::Behaviour{.base_ns = 2'000'000});
  Container second({.base_ns = 2'000'000});
  // A deadline far away: without one, a queue that stands for long is shed.
  start(
      {first->url(), second.url()},
      {{"controller", std::string("fixed")}, {"max_rows", int64_t{4}}, {"slo_ns", int64_t{20'000'000'000}}});
  std::thread killer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    first->die();
  });
  std::vector<Ask> asks;
  for (int k = 0; k < 100; ++k) asks.push_back({rows_of({k})});
  for (int round = 0; round < 4; ++round) {
    const std::vector<Got> got = ask(asks);
    for (int k = 0; k < 100; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({k}));
  }
  killer.join();
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

TEST_F(ServeGateway, HeadersThatGoUpNeverMeetInABatch) {
  Container container({.base_ns = 10'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}},
        [](GatewayOptions& o) { o.config.models[0].forward_headers = {"authorization"}; });
  std::vector<Ask> asks;
  for (int k = 0; k < 60; ++k)
    asks.push_back({rows_of({k % 2}), fmt::format("Authorization: tenant{}\r\nX-Other: {}\r\n", k % 2, k)});
  ask(asks);
  for (const Container::Seen& seen : container.seen()) {
    std::string tenant;
    for (const auto& [name, value] : seen.headers) {
      EXPECT_NE(name, "X-Other");
      if (name == "authorization") tenant = value;
    }
    ASSERT_FALSE(tenant.empty());
    const std::string own(1, tenant.back());
    const size_t at = seen.body.find("\"data\":[") + 8;
    const std::string data = seen.body.substr(at, seen.body.find(']', at) - at);
    for (const char c : data) EXPECT_TRUE(c == own[0] || c == ',' || c == ' ') << seen.body;
  }
  EXPECT_GT(container.largest(), 10u);
}

TEST_F(ServeGateway, AModelWhoseMetadataHaveNoOpenRowsIsServedOneByOne) {
  Container container({.base_ns = 1'000'000, .open_rows = false});
  start({container.url()}, {{"controller", std::string("fixed")}},
        [](GatewayOptions& o) { o.admin.reset(); });
  std::vector<Ask> asks;
  for (int k = 0; k < 20; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 20; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({k}));
  EXPECT_EQ(container.largest(), 1u);
}

TEST_F(ServeGateway, KnobsChangeBetweenTwoBatchesAndRepliesSaySo) {
  Container container({.base_ns = 100'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::thread patch([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    const Got got = admin("PATCH", "/admin/v1/models/m/knobs", R"({"max_rows":7})");
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.headers.at("ETag"), "\"2\"");
    EXPECT_NE(got.body.find("\"max_rows\":7"), std::string::npos);
  });
  EXPECT_EQ(ask(rows_of({1})).headers.at("x-mlq-gen"), "1-2");
  patch.join();
  std::vector<Ask> asks;
  for (int k = 0; k < 14; ++k) asks.push_back({rows_of({k})});
  for (const Got& got : ask(asks)) EXPECT_EQ(got.headers.at("x-mlq-gen"), "2");
  EXPECT_EQ(container.largest(), 7u);
  EXPECT_EQ(admin("PATCH", "/admin/v1/models/m/knobs", R"({"max_rows":0})").status, 422);
  EXPECT_EQ(admin("PATCH", "/admin/v1/models/m/knobs", R"({"max_row":1})").status, 400);
  const std::string metrics = admin("GET", "/metrics").body;
  EXPECT_NE(metrics.find("requests_total{model=\"m\",code=\"200\",reason=\"\",gen=\"mixed\"} 1\n"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("requests_total{model=\"m\",code=\"200\",reason=\"\",gen=\"2\"} 14\n"),
            std::string::npos)
      << metrics;
}

TEST_F(ServeGateway, WhatCannotBeAnsweredInTimeIsRefusedWithTheReason) {
  Container container({.base_ns = 50'000'000});
  start({container.url()},
        {{"controller", std::string("fixed")}, {"max_rows", int64_t{1}}, {"slo_ns", int64_t{120'000'000}}});
  std::vector<Ask> asks;
  for (int k = 0; k < 20; ++k) asks.push_back({rows_of({k})});
  size_t ok = 0;
  for (const Got& got : ask(asks)) {
    if (got.status == 200) {
      ++ok;
      continue;
    }
    EXPECT_TRUE(got.status == 503 || got.status == 429) << got.status;
    EXPECT_EQ(got.headers.count("x-mlq-reason"), 1u);
    EXPECT_EQ(got.headers.count("Retry-After"), 1u);
  }
  EXPECT_GE(ok, 1u);
  EXPECT_LE(ok, 5u);
}

TEST_F(ServeGateway, ADefaultOutputIsMarkedAndNeverGood) {
  Container container({.base_ns = 200'000'000});
  start({container.url()},
        {{"controller", std::string("fixed")}, {"max_rows", int64_t{1}}, {"slo_ns", int64_t{50'000'000}}},
        [](GatewayOptions& o) {
          o.config.models[0].default_output = R"([{"name":"y","datatype":"INT64","shape":[1],"data":[-1]}])";
        });
  const std::vector<Got> got = ask({{rows_of({1})}, {rows_of({2, 3})}});
  size_t defaults = 0;
  for (const Got& g : got) {
    EXPECT_EQ(g.status, 200);
    if (!g.headers.contains("x-mlq-default")) continue;
    ++defaults;
    EXPECT_NE(g.body.find("\"mlq_default\":\"deadline\""), std::string::npos) << g.body;
    EXPECT_TRUE(g.body.find("\"data\":[-1]") != std::string::npos ||
                g.body.find("\"data\":[-1,-1]") != std::string::npos);
  }
  EXPECT_GE(defaults, 1u);
  stop();
  EXPECT_EQ(outcome_.good, 0u);
}

TEST_F(ServeGateway, ASignalDrainsWithoutLosingWhatWasTakenIn) {
  Container container({.base_ns = 100'000'000});
  start({container.url()});
  std::thread signal([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    stop_.request(15);
  });
  const Got got = ask(rows_of({1}));
  signal.join();
  EXPECT_EQ(got.body, answer_of({1}));
  stop();
  EXPECT_TRUE(outcome_.interrupted);
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

TEST_F(ServeGateway, InTheGraceRequestsAreServedAndReadinessSaysNo) {
  Container container;
  start({container.url()}, {}, [](GatewayOptions& o) { o.grace_ns = 500'000'000; });
  stop_.request(15);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(ask({Ask{"", "", "/v2/health/ready", "GET"}}).front().status, 503);
  EXPECT_EQ(ask(rows_of({1})).body, answer_of({1}));
  stop();
  EXPECT_EQ(outcome_.good, 1u);
}

TEST_F(ServeGateway, RelayedPathsStayBelowTheirPrefix) {
  Container container;
  start({container.url()}, {}, [](GatewayOptions& o) {
    o.config.models[0].relay = {"/v2/models/m/more", "/up/"};
  });
  const auto status = [&](const std::string& target) {
    return ask({Ask{"", "", target, "GET"}}).front().status;
  };
  for (const char* below : {"/v2/models/m/more", "/v2/models/m/more/x?y=..", "/up/a.b/..c", "/up/%2e%2ea"})
    EXPECT_EQ(status(below), 200) << below;
  for (const char* outside : {"/v2/models/m/morer", "/up", "/up/../health", "/up/%2e%2E/health", "/up/.%2e",
                              "/up/..%2fhealth", "/up/..%5Chealth", "/up/x/./y", "/up/..?x"})
    EXPECT_EQ(status(outside), 404) << outside;
}

TEST_F(ServeGateway, WithoutRetriesNothingIsSentTwice) {
  Container container({.reset = [](size_t n) { return n > 0; }});
  start({container.url()}, {{"retry_max", int64_t{0}}});
  EXPECT_EQ(ask(rows_of({1})).status, 200);  // leaves a connection that is used again
  EXPECT_EQ(ask(rows_of({2})).status, 502);
  EXPECT_EQ(container.seen().size(), 2u);
}

TEST_F(ServeGateway, AModelThatIsPutAnewTakesTheKnobsToo) {
  Container container;
  start({container.url()});
  const std::string config =
      fmt::format(R"({{"replicas":["{}"],"knobs":{{"max_rows":4}}}})", container.url());
  EXPECT_EQ(admin("PUT", "/admin/v1/models/m", config).status, 200);
  EXPECT_NE(admin("GET", "/admin/v1/models/m/knobs").body.find("\"max_rows\":4"), std::string::npos);
  EXPECT_EQ(records("knob").size(), 1u);
}

TEST_F(ServeGateway, AReloadThatCannotBeChangesNothing) {
  Container container;
  start({container.url()}, {}, [&](GatewayOptions& o) {
    o.reread = [&] {
      return parse_config(fmt::format(R"({{"version":1,"models":{{"a":{{"replicas":["{0}"]}},)"
                                      R"("m":{{"dialect":"v1","replicas":["{0}"]}}}}}})",
                                      container.url()),
                          "c.json");
    };
  });
  const Got refused = admin("POST", "/admin/v1/reload", "{}");
  EXPECT_EQ(refused.status, 422);
  EXPECT_NE(refused.body.find("m: the dialect of a model cannot change"), std::string::npos) << refused.body;
  EXPECT_EQ(admin("GET", "/admin/v1/models/a").status, 404);
  EXPECT_EQ(ask(rows_of({1})).body, answer_of({1}));
}

TEST_F(ServeGateway, BadRequestsAreToldWhatIsWrong) {
  Container container;
  start({container.url()});
  EXPECT_EQ(ask("not json").status, 400);
  EXPECT_EQ(ask(R"({"inputs":[{"name":"x","datatype":"INT64","shape":[3],"data":[1,2]}]})").status, 400);
  EXPECT_EQ(ask(rows_of({1}), "Content-Encoding: gzip\r\n").status, 415);
  for (const char* wrong : {"soon", "20"})
    EXPECT_EQ(ask(rows_of({1}), fmt::format("x-mlq-timeout: {}\r\n", wrong)).status, 400);
  EXPECT_EQ(ask({{rows_of({1}), "", "/v2/models/other/infer"}}).front().status, 404);
  EXPECT_EQ(ask({{rows_of({1}), "", "/v2/repository/index"}}).front().status, 404);
  EXPECT_EQ(ask({{"", "", "/v2/models/m/infer", "GET"}}).front().status, 405);
  EXPECT_TRUE(container.seen().empty());
}

TEST_F(ServeGateway, ABatchOfOneIsTheClientsOwnBytes) {
  Container container;
  start({container.url()});
  const std::string body =
      "{ \"inputs\" : [ {\"name\":\"x\", \"datatype\":\"INT64\",\"shape\":[ 1 ],\"data\":[ 7 ]} ] }\n";
  EXPECT_EQ(ask(body).body, answer_of({7}));
  ASSERT_EQ(container.seen().size(), 1u);
  EXPECT_EQ(container.seen()[0].body, body);
}

TEST_F(ServeGateway, AClientThatGoesLeavesTheOthersUnhurt) {
  Container container({.base_ns = 50'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}});
  {
    http::Reactor reactor;
    http::ClientPool pool(reactor, http::parse_url(gateway_->url()));
    const std::string body = rows_of({5});
    const std::string_view piece = body;
    http::UpstreamRequest request;
    request.target = "/v2/models/m/infer";
    request.body = {&piece, 1};
    std::vector<uint64_t> ids;
    for (int k = 0; k < 20; ++k)
      ids.push_back(pool.send(request, http::Reactor::now_ns() + 5'000'000'000, [](http::UpstreamReply&) {}));
    reactor.call_at(http::Reactor::now_ns() + 20'000'000, [&] {
      for (const uint64_t id : ids) pool.cancel(id);
      reactor.stop(0);
    });
    reactor.run();
  }
  EXPECT_EQ(ask(rows_of({6})).body, answer_of({6}));
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
  EXPECT_EQ(outcome_.requests, 21u);
}

TEST_F(ServeGateway, EqualRequestsInFlightShareOneUpstreamCall) {
  Container container({.base_ns = 3'000'000'000});  // until all have been read
  start({container.url()}, {{"coalesce", true}});
  std::vector<Ask> asks;
  for (int k = 0; k < 1000; ++k) asks.push_back({rows_of({7}, fmt::format("\"id\":\"i{}\",", k))});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 1000; ++k) {
    const std::string& body = got[static_cast<size_t>(k)].body;
    EXPECT_NE(body.find(fmt::format("\"id\":\"i{}\",", k)), std::string::npos) << body;
    EXPECT_NE(body.find("\"data\":[7]"), std::string::npos) << body;
  }
  EXPECT_EQ(container.seen().size(), 1u);
}

TEST_F(ServeGateway, TheCacheAnswersWhatItHasSeenAndOnlyThat) {
  Container container;
  start({container.url()}, {{"cache_bytes", int64_t{1 << 20}}});
  EXPECT_EQ(ask(rows_of({7})).headers.at("x-mlq-cache"), "miss");
  const Got hit = ask(rows_of({7}, "\"id\":\"x\","));
  EXPECT_EQ(hit.headers.at("x-mlq-cache"), "hit");
  EXPECT_NE(hit.body.find("\"id\":\"x\""), std::string::npos);
  EXPECT_EQ(ask(rows_of({8})).headers.at("x-mlq-cache"), "miss");
  EXPECT_EQ(ask(rows_of({7}), "x-mlq-cache: bypass\r\n").headers.count("x-mlq-cache"), 0u);
  EXPECT_EQ(ask(rows_of({7}), "x-mlq-cache: refresh\r\n").headers.at("x-mlq-cache"), "miss");
  EXPECT_EQ(container.seen().size(), 4u);
  EXPECT_EQ(admin("DELETE", "/admin/v1/models/m/cache", "{}").status, 200);
  EXPECT_EQ(ask(rows_of({7})).headers.at("x-mlq-cache"), "miss");
}

TEST_F(ServeGateway, WhenTheLeaderFailsEachFollowerMakesItsOwnCall) {
  auto calls = std::make_shared<std::atomic<int>>(0);
  Container container({.base_ns = 50'000'000,
                       .status = [calls](const auto&) { return calls->fetch_add(1) == 0 ? 500 : 200; }});
  start({container.url()}, {{"coalesce", true}});
  const std::vector<Got> got = ask({{rows_of({7})}, {rows_of({7})}, {rows_of({7})}});
  EXPECT_EQ(std::ranges::count(got, 500, &Got::status), 1);
  EXPECT_EQ(std::ranges::count(got, 200, &Got::status), 2);
}

TEST_F(ServeGateway, RemembersOverARestart) {
  Container container;
  const auto keep = [this](GatewayOptions& o) { o.state_dir = folder_ / "state"; };
  start({container.url()}, {}, keep);
  EXPECT_EQ(admin("PATCH", "/admin/v1/models/m/knobs", R"({"max_rows":9})").status, 200);
  stop();
  gateway_.reset();
  stop_.request(0);
  start({container.url()}, {}, keep);
  const Got got = admin("GET", "/admin/v1/models/m/knobs");
  EXPECT_NE(got.body.find("\"max_rows\":9"), std::string::npos);
  EXPECT_EQ(got.headers.at("ETag"), "\"3\"");
}

TEST_F(ServeGateway, ReplicasComeAndGoWhileItServes) {
  Container first, second;
  start({first.url()});
  const Got added =
      admin("PUT", "/admin/v1/models/m/replicas/new", fmt::format(R"({{"url":"{}"}})", second.url()));
  EXPECT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(
      admin("PUT", "/admin/v1/models/m/replicas/new", fmt::format(R"({{"url":"{}"}})", second.url())).status,
      409);
  const auto state = [&] { return admin("GET", "/admin/v1/models/m").body; };
  for (int k = 0; k < 500 && state().find("\"added\"") != std::string::npos; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(admin("POST", "/admin/v1/models/m/replicas/0/drain", "{}").status, 200);
  const size_t before = first.seen().size();
  for (int k = 0; k < 5; ++k) EXPECT_EQ(ask(rows_of({k})).status, 200);
  EXPECT_EQ(first.seen().size(), before);
  EXPECT_GE(second.seen().size(), 5u);
  EXPECT_EQ(admin("DELETE", "/admin/v1/models/m/replicas/0", "{}").status, 200);
  EXPECT_EQ(ask(rows_of({1})).status, 200);
}

// A reload while requests are under way: their replica is taken away, then their model.
TEST_F(ServeGateway, AReloadLosesNothingThatIsUnderWay) {
  Container first({.base_ns = 200'000'000}), second;
  const std::string file = folder_ / "config.json";
  const auto write = [&](const std::string& models) {
    std::ofstream(file) << R"({"version":1,"models":{)" << models << "}}";
  };
  const auto m_at = [](const Container& at) { return fmt::format(R"("m":{{"replicas":["{}"]}})", at.url()); };
  const auto reload_to = [&](const std::string& models) {
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    write(models);
    reload_ = true;
  };
  start({first.url()}, {},
        [&](GatewayOptions& o) { o.reread = [file] { return parse_config(read_file(file), file); }; });
  std::thread moves(reload_to, m_at(second));
  const std::vector<Got> moved = ask({{rows_of({1})}, {rows_of({2})}, {rows_of({3})}});
  moves.join();
  for (int k = 0; k < 3; ++k)
    EXPECT_TRUE(moved[static_cast<size_t>(k)].body == answer_of({k + 1}) ||
                moved[static_cast<size_t>(k)].headers.count("x-mlq-reason") == 1)
        << moved[static_cast<size_t>(k)].body;
  EXPECT_EQ(moved[0].body, answer_of({1}));  // flew when its replica was taken away
  for (int k = 0; k < 500 && ask(rows_of({4})).status != 200; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  second.set({.base_ns = 3'000'000'000});
  std::thread removes(reload_to, R"("other":{"replicas":["http://127.0.0.1:9"]})");
  const std::vector<Got> removed = ask({{rows_of({5})}, {rows_of({6})}});
  removes.join();
  for (const Got& got : removed) {
    EXPECT_EQ(got.status, 503) << got.body;
    EXPECT_NE(got.body.find("taken away"), std::string::npos) << got.body;
  }
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

// The old replica serves until the new one does: nobody gets a default, nobody is refused.
TEST_F(ServeGateway, NoDefaultAndNoRefusalWhileAReloadMovesAModel) {
  Container first, second({.ready = false});
  const std::string file = folder_ / "config.json";
  const auto write = [&](const std::string& url) {
    std::ofstream(file) << fmt::format(
        R"({{"version":1,"models":{{"m":{{"replicas":["{}"],"default":[{{"name":"y","datatype":"INT64",)"
        R"("shape":[1],"data":[-1]}}]}}}}}})",
        url);
  };
  write(first.url());
  start({first.url()}, {}, [&](GatewayOptions& o) {
    o.reread = [file] { return parse_config(read_file(file), file); };
    o.config.models[0].default_output = R"([{"name":"y","datatype":"INT64","shape":[1],"data":[-1]}])";
  });
  write(second.url());
  reload_ = true;
  const auto ask_for = [&](std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    for (int k = 0; std::chrono::steady_clock::now() < end && second.seen().empty(); ++k) {
      const Got got = ask(rows_of({k}));
      EXPECT_EQ(got.body, answer_of({k}));
      EXPECT_FALSE(got.headers.contains("x-mlq-default"));
    }
  };
  ask_for(std::chrono::milliseconds(300));
  EXPECT_TRUE(second.seen().empty());
  second.set({});
  ask_for(std::chrono::seconds(20));
  EXPECT_FALSE(second.seen().empty());
  bool gone = false;
  for (int k = 0; k < 500 && !gone; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    gone = admin("GET", "/admin/v1/models/m").body.find(first.url()) == std::string::npos;
  }
  EXPECT_TRUE(gone);
  EXPECT_EQ(ask(rows_of({7})).body, answer_of({7}));
  // Alone, it need not start slowly: it learns at once.
  second.set({.base_ns = 5'000'000});
  for (int round = 0; round < 20; ++round) ask(std::vector<Ask>(50, {rows_of({1})}));
  EXPECT_GT(second.largest(), 4u);
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

// Replies that are no replies, of every kind, stop nothing and answer nobody with another's rows.
TEST_F(ServeGateway, SpoiltRepliesNeverStopTheBatches) {
  Container container;
  std::mt19937_64 random(7);
  std::atomic<bool> spoils{true};
  container.set({.base_ns = 1'000'000, .spoil = [&](std::string& body) {
                   if (!spoils) return;
                   const auto draw = [&](size_t below) { return random() % below; };
                   for (uint64_t k = draw(3); k > 0; --k) {
                     const size_t at = draw(body.size() + 1);
                     if (draw(2) == 0)
                       body.resize(at);
                     else
                       body.insert(at, std::string(1 + draw(3), "[]{}\",:0-\\\xff"[draw(11)]));
                     if (body.empty()) break;
                   }
                 }});
  start({container.url()},
        {{"controller", std::string("fixed")}, {"max_rows", int64_t{8}}, {"admit", false}});
  for (int round = 0; round < 20; ++round) {
    std::vector<Ask> asks;
    for (int k = 0; k < 50; ++k) asks.push_back({rows_of({1000 + k})});
    for (const Got& got : ask(asks)) EXPECT_NE(got.status, 0);
  }
  spoils = false;
  const auto asked = container.seen().size();
  for (int k = 0; k < 2000 && ask(rows_of({1})).status != 200; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::vector<Ask> asks;
  for (int k = 0; k < 50; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  for (int k = 0; k < 50; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({k}));
  EXPECT_GT(container.seen().size(), asked);
  for (int k = 0; k < 3000 && !batchable(); ++k) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(batchable());  // after ten seconds it is tried again
  const size_t calls = container.seen().size();
  ask(asks);
  EXPECT_LT(container.seen().size(), calls + 50);
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

// What comes after the time for it is nobody's answer, and costs no replica its place for good.
TEST_F(ServeGateway, AThousandLateRepliesReachNobody) {
  Container container({.base_ns = 0});
  start({container.url()}, {{"controller", std::string("fixed")},
                            {"max_rows", int64_t{50}},
                            {"upstream_timeout_ns", int64_t{20'000'000}},
                            {"admit", false}});
  EXPECT_EQ(ask(rows_of({1})).status, 200);
  container.set({.base_ns = 60'000'000});
  int late = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<Ask> asks;
    for (int k = 0; k < 50; ++k) asks.push_back({rows_of({1000 * round + k})});
    for (const Got& got : ask(asks)) late += got.status != 200 ? 1 : 0;
  }
  EXPECT_EQ(late, 1000);
  container.set({});
  for (int k = 0; k < 2000 && ask(rows_of({1})).status != 200; ++k)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  for (int round = 0; round < 20; ++round) {
    std::vector<Ask> asks;
    for (int k = 0; k < 50; ++k) asks.push_back({rows_of({-1000 * round - k})});
    const std::vector<Got> got = ask(asks);
    for (int k = 0; k < 50; ++k) EXPECT_EQ(got[static_cast<size_t>(k)].body, answer_of({-1000 * round - k}));
  }
  stop();
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

// Waiting, flying, and while its answer is on its way.
TEST_F(ServeGateway, ClientsThatGoInAnyPhaseHurtNobodyAndNothingStays) {
  Container container({.base_ns = 30'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}, {"max_rows", int64_t{1}}});
  const uint16_t port = http::parse_url(gateway_->url()).port;
  for (int k = 0; k < 30; ++k) {
    test::SocketClient client(port);
    client.request("/v2/models/m/infer", rows_of({1000 + k}));
    if (k % 3 == 1) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (k % 3 == 2) client.take(1);  // its answer has begun
    client.reset();
  }
  for (int k = 0; k < 5; ++k) EXPECT_EQ(ask(rows_of({k})).body, answer_of({k}));
  std::string facts;
  for (int k = 0; k < 500; ++k) {
    facts = admin("GET", "/metrics").body;
    if (facts.find("mlq_serve_memory_bytes 0\n") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_NE(facts.find("mlq_serve_memory_bytes 0\n"), std::string::npos);
  stop();
  EXPECT_EQ(outcome_.requests, 35u);
  EXPECT_EQ(outcome_.lost_requests, 0u);
}

TEST_F(ServeGateway, TheQueueIsBoundedAndEachRowGoesUpOnce) {
  Container container({.base_ns = 100'000'000});
  start({container.url()}, {{"controller", std::string("fixed")},
                            {"max_rows", int64_t{8}},
                            {"max_queue_rows", int64_t{16}},
                            {"slo_ns", int64_t{20'000'000'000}},
                            {"admit", false}});
  std::vector<Ask> asks;
  for (int k = 0; k < 200; ++k) asks.push_back({rows_of({k})});
  const std::vector<Got> got = ask(asks);
  std::map<std::string, int> sent_up;
  for (const Container::Seen& seen : container.seen()) {
    const size_t at = seen.body.find("\"data\":[") + 8;
    std::string row;
    for (const char c : seen.body.substr(at, seen.body.find(']', at) - at + 1)) {
      if (c >= '0' && c <= '9')
        row += c;
      else if (!row.empty())
        ++sent_up[std::exchange(row, "")];
    }
  }
  size_t answered = 0;
  for (int k = 0; k < 200; ++k) {
    const Got& one = got[static_cast<size_t>(k)];
    const bool ok = one.status == 200;
    answered += ok ? 1 : 0;
    if (ok) EXPECT_EQ(one.body, answer_of({k}));
    if (!ok) EXPECT_EQ(one.headers.at("x-mlq-reason"), "queue_full");
    EXPECT_EQ(sent_up[std::to_string(k)], ok ? 1 : 0) << k;
  }
  EXPECT_GE(answered, 16u);
  EXPECT_LT(answered, 100u);
  EXPECT_LE(container.largest(), 8u);
}

// Two requests for different outputs never share a batch.
TEST_F(ServeGateway, TheOutputsAskedForArePartOfTheKey) {
  Container container({.base_ns = 20'000'000});
  start({container.url()}, {{"controller", std::string("fixed")}});
  std::vector<Ask> asks;
  for (int k = 0; k < 60; ++k)
    asks.push_back({rows_of({k % 2}, k % 2 == 0 ? "" : R"("outputs":[{"name":"y"}],)")});
  for (const Got& got : ask(asks)) EXPECT_EQ(got.status, 200);
  for (const Container::Seen& seen : container.seen()) {
    const size_t at = seen.body.find("\"data\":[") + 8;
    const std::string data = seen.body.substr(at, seen.body.find(']', at) - at);
    const bool asked = seen.body.find("\"outputs\"") != std::string::npos;
    EXPECT_EQ(data.find(asked ? '0' : '1'), std::string::npos) << seen.body;
  }
  EXPECT_GT(container.largest(), 5u);
}

TEST_F(ServeGateway, StrangersCannotReachTheAdminInterface) {
  Container container;
  start({container.url()}, {}, [](GatewayOptions& o) { o.admin_token = "secret"; });
  EXPECT_EQ(admin("GET", "/metrics").status, 401);
  EXPECT_EQ(ask_url(gateway_->admin_url(), {{"", "Authorization: Bearer secret\r\n", "/metrics", "GET"}})
                .front()
                .status,
            200);
  EXPECT_EQ(ask_url(gateway_->admin_url(), {{"", "Authorization: Bearer secre\r\n", "/metrics", "GET"}})
                .front()
                .status,
            401);
}

}  // namespace
}  // namespace mlq::serve
