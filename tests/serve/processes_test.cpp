// mlq-serve before several mlq-model, all of them processes: replicas that die, freeze, slow down and answer
// wrongly, and a load whose answers show whose they are.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "lib/base/io.h"
#include "lib/http/client_pool.h"
#include "tests/serve/server_process.h"
#include "tests/serve/tagged_load.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::test {
namespace {

class ServeProcesses : public testing::Test {
 protected:
  using Settings = std::vector<std::string>;

  void add_replica(const Settings& settings) {
    const std::string name = fmt::format("r{}", replicas_.size());
    Settings arguments{"run",     "--backend",        "sleep", "--echo",   "--name",
                       "m",       "--seed",           name,    "--listen", socket(name),
                       "--admin", socket(name + "a"), "-q",    "-o",       "/dev/null"};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    replicas_.push_back(std::make_unique<ServerProcess>("mlq-model", arguments, folder_ / name));
  }
  void start(const Settings& settings, const Settings& more = {}) {
    std::string urls;
    for (size_t k = 0; k < replicas_.size(); ++k)
      urls += fmt::format("{}\"{}\"", k == 0 ? "" : ",", socket(fmt::format("r{}", k)));
    std::ofstream(folder_ / "config.json")
        << fmt::format(R"({{"version":1,"models":{{"m":{{"replicas":[{}]}}}}}})", urls);
    Settings arguments{
        "run", "--config", folder_ / "config.json", "--listen", socket("s"), "--admin", "off", "-q",
        "-o",  records_};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", "m." + setting});
    arguments.insert(arguments.end(), more.begin(), more.end());
    serve_ = std::make_unique<ServerProcess>("mlq-serve", arguments, folder_ / "s");
  }
  std::string socket(const std::string& name) { return "unix:" + (folder_ / name); }

  int patch(size_t replica, const std::string& body) {
    http::Reactor reactor;
    http::ClientPool pool(reactor, http::parse_url(socket(fmt::format("r{}a", replica))));
    const std::string_view piece = body;
    http::UpstreamRequest request;
    request.method = "PATCH";
    request.target = "/admin/v1/models/m/knobs";
    request.headers = "Content-Type: application/json\r\n";
    request.body = {&piece, 1};
    int status = 0;
    pool.send(request, http::Reactor::now_ns() + 10'000'000'000, [&](http::UpstreamReply& reply) {
      status = reply.status;
      reactor.stop(0);
    });
    reactor.run();
    return status;
  }
  TaggedLoad load(uint64_t requests) {
    TaggedLoad load;
    load.url = socket("s");
    load.requests = requests;
    return load;
  }

  TempDir folder_;
  std::string records_ = folder_ / "serve.jsonl";
  std::vector<std::unique_ptr<ServerProcess>> replicas_;
  std::unique_ptr<ServerProcess> serve_;
};

void expect_all_answered(const TaggedCount& count) {
  EXPECT_EQ(count.wrong, 0u) << count.first_wrong;
  EXPECT_EQ(count.lost, 0u);
  EXPECT_EQ(count.right + count.refused_in_all(), count.asked);
}

TEST_F(ServeProcesses, OneKilledOneFrozenOneTenTimesSlowerAndNoReplyIsLostOrWrong) {
  for (int k = 0; k < 4; ++k) add_replica({"base_ns=2ms", "per_row_ns=10us"});
  start({"slo_ns=30s"});  // so that none is refused for being late
  TaggedLoad open = load(8000);
  open.rate_per_s = 1000;
  bool faulty = false;
  std::thread thaw;
  open.progress = [&](uint64_t answered) {
    if (answered < 1000 || std::exchange(faulty, true)) return;
    replicas_[1]->signal(SIGKILL);
    replicas_[2]->signal(SIGSTOP);
    thaw = std::thread([&] {
      EXPECT_EQ(patch(3, R"({"base_ns":"20ms","per_row_ns":"100us"})"), 200);
      std::this_thread::sleep_for(std::chrono::seconds(5));
      replicas_[2]->signal(SIGCONT);
    });
  };
  const TaggedCount count = run_tagged(open);
  thaw.join();
  expect_all_answered(count);
  EXPECT_EQ(count.refused_in_all(), 0u) << "first status " << count.refused.begin()->first;
  EXPECT_EQ(serve_->stop(), 128 + SIGTERM);
  EXPECT_NE(read_file(records_).find(R"("lost_requests":0,"interrupted":true)"), std::string::npos);
}

TEST_F(ServeProcesses, AKilledReplicaThatComesBackIsUsedAgain) {
  add_replica({"base_ns=1ms"});
  add_replica({"base_ns=1ms"});
  start({});
  expect_all_answered(run_tagged(load(500)));
  replicas_[0].reset();
  const TaggedCount alone = run_tagged(load(500));
  expect_all_answered(alone);
  EXPECT_EQ(alone.right, 500u);
  std::remove((folder_ / "r0").c_str());
  std::remove((folder_ / "r0a").c_str());
  auto second = std::move(replicas_[1]);
  replicas_.clear();
  add_replica({"base_ns=1ms"});
  second->signal(SIGKILL);  // now everything is up to the one that came back
  TaggedCount back;
  for (int k = 0; k < 60 && back.right == 0; ++k) {
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
    back = run_tagged(load(20));
    expect_all_answered(back);
  }
  EXPECT_GT(back.right, 0u);
}

TEST_F(ServeProcesses, IdleCostsNothing) {
  add_replica({});
  start({"controller=fixed"}, {"-j", "2"});
  expect_all_answered(run_tagged(load(200)));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const int64_t before = serve_->cpu_ns();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_LT(serve_->cpu_ns() - before, 100'000'000);  // a busy loop takes 2 s of each thread
}

int status_of(const std::string& path, const std::string& body, const std::string& headers = "") {
  SocketClient client(path);
  client.request("/v2/models/m/infer", body, headers);
  return client.answer().status;
}

// Slow heads, lying lengths, bombs, malformed tensors and a storm of connections, while one client behaves.
TEST_F(ServeProcesses, HostileClientsHurtNeitherTheOthersNorTheServer) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const uint64_t connections = std::min<uint64_t>(2000, files.rlim_cur / 2);
  add_replica({});
  start({"slo_ns=30s"}, {"--header-timeout", "2s"});
  expect_all_answered(run_tagged(load(2000)));
  const uint64_t before = serve_->resident_bytes();
  TaggedCount good;
  std::thread behaved([&] {
    TaggedLoad open = load(1500);
    open.rate_per_s = 300;
    good = run_tagged(open);
  });
  const std::string path = folder_ / "s";
  {
    std::vector<std::unique_ptr<SocketClient>> storm;
    for (uint64_t k = 0; k < connections; ++k) {
      storm.push_back(std::make_unique<SocketClient>(path));
      storm.back()->send(k % 2 == 0 ? "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nX-Slow: " : "P");
    }
    const auto input = [](const std::string& rest) {
      return R"({"inputs":[{"name":"input","datatype":"FP64",)" + rest + "}]}";
    };
    for (const char* rest :
         {R"("shape":[9223372036854775807,4],"data":[1])", R"("shape":[-1,1],"data":[1])",
          R"("shape":[2,1],"data":[1])", R"("shape":[1,1],"data":[1,,2])", R"("shape":[1,1],"data":[NaN])",
          R"("shape":[1,1],"data":[{"a":1}])", R"("shape":[1,1],"data":[1],"data":[2])",
          R"("shape":[1,1],"parameters":{"binary_data_size":99})"})
      EXPECT_EQ(status_of(path, input(rest)), 400) << rest;
    EXPECT_EQ(status_of(path, std::string(100'000, '[')), 400);
    EXPECT_EQ(
        status_of(path, input(R"("shape":[1,1],"data":[1])"), "Inference-Header-Content-Length: 9999\r\n"),
        400);
    SocketClient bomb(path);
    bomb.send("POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Length: 10000000000\r\n\r\n");
    EXPECT_EQ(bomb.answer().status, 413);
    SocketClient pipelined(path);
    const std::string body = input(R"("shape":[1,1],"data":[7])");
    std::string all;
    for (int k = 0; k < 50; ++k)
      all += fmt::format("POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Length: {}\r\n\r\n{}",
                         body.size(), body);
    pipelined.send(all);
    for (int k = 0; k < 50; ++k) EXPECT_EQ(pipelined.answer().status, 200);
    EXPECT_EQ(storm.front()->answer().status, 408);  // its head never came
    behaved.join();
  }
  expect_all_answered(good);
  EXPECT_EQ(good.right, 1500u);
  EXPECT_LT(serve_->resident_bytes(), before + (64u << 20));
  expect_all_answered(run_tagged(load(200)));
  EXPECT_EQ(serve_->stop(), 128 + SIGTERM);
}

// With everything that can go wrong at a replica going wrong now and then. MLQ_SOAK_REQUESTS makes it longer,
// and has figures written as JSON lines (tests/bench/serve_soak).
TEST_F(ServeProcesses, FaultsOfAllKindsMixNoAnswersUpAndLoseNone) {
  const char* wanted = std::getenv("MLQ_SOAK_REQUESTS");
  const uint64_t requests = wanted == nullptr ? 100'000 : std::strtoull(wanted, nullptr, 10);
  const Settings faults{
      "error_share=0.002", "swap_outputs_share=0.05", "reset_share=0.001", "trickle_share=0.002",
      "trickle_ns=20ms",   "stall_share=0.001",       "stall_ns=30ms",     "max_rows=256"};
  add_replica(faults);
  add_replica(faults);
  add_replica({"error_share=0.01", "reset_share=0.01", "nan_share=0.01", "max_rows=256"});
  start({"upstream_timeout_ns=2s", "concurrency=2"}, {"--emit", "state"});
  TaggedLoad closed = load(requests);
  closed.in_flight = 64;
  uint64_t at_half = 0;
  const auto began = std::chrono::steady_clock::now();
  closed.progress = [&](uint64_t answered) {
    if (answered == requests / 2) at_half = serve_->resident_bytes();
  };
  const TaggedCount count = run_tagged(closed);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const uint64_t at_end = serve_->resident_bytes();
  expect_all_answered(count);
  EXPECT_GT(count.right, requests * 9 / 10);
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  EXPECT_LT(at_end, at_half + (8u << 20));
#endif
  if (wanted != nullptr) {
    const auto say = [](const char* name, double value, const char* unit) {
      fmt::print("{{\"type\":\"bench\",\"name\":\"soak_{}\",\"value\":{},\"unit\":\"{}\"}}\n", name, value,
                 unit);
    };
    say("requests", static_cast<double>(requests), "requests");
    say("wrong", static_cast<double>(count.wrong), "requests");
    say("lost", static_cast<double>(count.lost), "requests");
    say("right", static_cast<double>(count.right), "requests");
    for (const auto& [status, number] : count.refused)
      say(fmt::format("status_{}", status).c_str(), static_cast<double>(number), "requests");
    say("rate", static_cast<double>(requests) / seconds, "requests a second");
    say("rss_half", static_cast<double>(at_half), "bytes");
    say("rss_end", static_cast<double>(at_end), "bytes");
  }
  EXPECT_EQ(serve_->stop(), 128 + SIGTERM);
}

}  // namespace
}  // namespace mlq::test
