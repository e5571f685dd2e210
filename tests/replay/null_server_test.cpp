#include "lib/replay/null_server.h"

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/jsonl/object.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::replay {
namespace {

using test::SocketClient;

constexpr const char* kChat = "/v1/chat/completions";
constexpr int64_t kMs = 1'000'000;

std::string index_header(uint64_t i) { return "x-mlq-index: " + std::to_string(i) + "\r\n"; }

// A server with these options for one request, and what it says.
SocketClient::Answer ask(const NullServerOptions& options, const std::string& target,
                         const std::string& body = {}, const std::string& headers = {}) {
  NullServer server(options);
  server.start();
  SocketClient client(server.port());
  client.request(target, body, headers);
  return client.answer();
}

size_t count_of(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

bool is_json(const std::string& text) { return jsonl::OwnedObject(text).ok(); }

TEST(NullServerRun, AnswersEachApiByItsPath) {
  NullServer server({});
  server.start();
  SocketClient client(server.port());
  const auto get = [&](const std::string& target, const std::string& body = {}) {
    client.request(target, body);
    return client.answer();
  };
  for (const char* target :
       {"/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/m/ready", "/v2/models/m",
        "/v2/models/m/versions/1", "/v1/models", "/v1/models/m", "/v1/models/m/metadata"}) {
    const auto answer = get(target);
    EXPECT_EQ(answer.status, 200) << target;
    EXPECT_TRUE(is_json(answer.body)) << target << ' ' << answer.body;
  }
  const auto infer = get("/v2/models/m/infer", R"({"id":"a\"b","inputs":[]})");
  EXPECT_TRUE(is_json(infer.body));
  EXPECT_NE(infer.body.find(R"("id":"a\"b")"), std::string::npos) << infer.body;
  EXPECT_NE(infer.body.find(R"("outputs":[)"), std::string::npos);
  EXPECT_NE(get("/v1/models/m:predict", R"({"instances":[1]})").body.find("predictions"), std::string::npos);
  const auto chat = get(kChat, R"({"messages":[{"role":"user","content":"a b c"}],"max_tokens":4})");
  EXPECT_TRUE(is_json(chat.body));
  EXPECT_EQ(count_of(chat.body, " word"), 4u);
  EXPECT_NE(chat.body.find(R"("prompt_tokens":3,"completion_tokens":4)"), std::string::npos) << chat.body;
  EXPECT_EQ(count_of(get("/v1/completions", R"({"prompt":"a"})").body, " word"), 16u);
  EXPECT_EQ(get("/anything?x").body.size(), 16u);
  EXPECT_EQ(get(kChat, "no JSON").status, 400);
}

TEST(NullServerRun, OfOneApiKnowsNoOther) {
  NullServerOptions options;
  options.api = NullApi::kserve_v2;
  EXPECT_EQ(ask(options, "/v1/models").status, 404);
  options.api = NullApi::raw;
  EXPECT_EQ(ask(options, "/v1/models").head.find("json"), std::string::npos);
}

TEST(NullServerRun, StreamsTokensInEventsThatEndWithDone) {
  NullServerOptions options;
  options.sse = SseRule{kMs, kMs, 2};
  const auto answer = ask(options, kChat,
                          R"({"messages":[],"max_tokens":5,"stream":true,)"
                          R"("stream_options":{"include_usage":true},"model":"q"})");
  EXPECT_TRUE(answer.whole);
  EXPECT_NE(answer.head.find("text/event-stream"), std::string::npos);
  EXPECT_EQ(count_of(answer.body, " word"), 5u);
  EXPECT_EQ(count_of(answer.body, "data: {"), 5u);  // 2, 2 and 1 tokens, finish_reason, usage
  EXPECT_NE(answer.body.find(R"("completion_tokens":5)"), std::string::npos);
  EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
  for (size_t at = 0, end; (end = answer.body.find("\n\n", at)) != std::string::npos; at = end + 2) {
    const std::string event = answer.body.substr(at + 6, end - at - 6);
    EXPECT_TRUE(event == "[DONE]" || is_json(event)) << event;
  }
}

TEST(NullServerRun, BreaksAStreamOnRequest) {
  NullServerOptions options;
  options.invalid_sse = true;
  const auto answer = ask(options, "/v1/completions", R"({"prompt":"a","max_tokens":3,"stream":true})");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(count_of(answer.body, " word"), 3u);
  EXPECT_EQ(count_of(answer.body, "[DONE]"), 0u);
  EXPECT_TRUE(answer.body.ends_with(" word\n\n"));
}

TEST(NullServerRun, NeverAnswersBeforeTheServiceIsDone) {
  NullServerOptions options;
  options.service = parse_service("fixed,mean=20ms");
  NullServer server(options);
  server.start();
  SocketClient a(server.port()), b(server.port());
  const int64_t before = http::Reactor::now_ns();
  a.request("/");
  b.request("/");
  EXPECT_EQ(a.answer().status, 200);
  EXPECT_EQ(b.answer().status, 200);
  EXPECT_GE(http::Reactor::now_ns() - before, 40 * kMs) << "one server serves one after the other";
}

TEST(NullServerRun, AnswersEveryoneWhoQueues) {
  NullServerOptions options;
  options.service = parse_service("exp,mean=1ms");
  NullServer server(options);
  server.start();
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int k = 0; k < 20; ++k) clients.push_back(std::make_unique<SocketClient>(server.port()));
  for (auto& client : clients) client->request("/");
  for (auto& client : clients) EXPECT_EQ(client->answer().status, 200);
}

TEST(NullServerRun, ServesBatches) {
  NullServerOptions options;
  options.batch = BatchRule{.max = 4, .delay_ns = 5 * kMs, .base_ns = kMs, .per_ns = kMs};
  NullServer server(options);
  server.start();
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int k = 0; k < 10; ++k) clients.push_back(std::make_unique<SocketClient>(server.port()));
  for (auto& client : clients) client->request("/");
  for (auto& client : clients) EXPECT_EQ(client->answer().status, 200);
  options.service = parse_service("exp,mean=1ms");
  EXPECT_THROW(NullServer{options}, Error);
}

TEST(NullServerRun, HoldsEveryAnswerWhileItStalls) {
  NullServerOptions options;
  options.stall = StallRule{0, 50 * kMs};
  NullServer server(options);
  server.start();
  SocketClient a(server.port()), b(server.port());
  const int64_t before = http::Reactor::now_ns();
  a.request("/");
  EXPECT_EQ(a.answer().status, 200);
  EXPECT_GE(http::Reactor::now_ns() - before, 50 * kMs);
}

TEST(NullDraws, DependOnSeedAndIndexAlone) {
  NullServerOptions options;
  options.service = parse_service("exp,mean=5ms");
  options.error.p = 0.1;
  options.reset = 0.2;
  uint64_t errors = 0, resets = 0, both = 0;
  double sum = 0;
  constexpr uint64_t kDraws = 100'000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    const NullDraws draws = null_draws(options, i);
    errors += draws.error ? 1 : 0;
    resets += draws.reset ? 1 : 0;
    both += draws.error && draws.reset ? 1 : 0;
    sum += static_cast<double>(draws.service_ns);
  }
  // Four standard errors.
  EXPECT_NEAR(static_cast<double>(errors), 10'000, 4 * 95);
  EXPECT_NEAR(static_cast<double>(resets), 20'000, 4 * 127);
  EXPECT_NEAR(static_cast<double>(both), 2'000, 4 * 45);
  EXPECT_NEAR(sum / kDraws, 5e6, 4 * 5e6 / 316);
  const NullDraws once = null_draws(options, 7);
  options.error.p = 0;
  EXPECT_EQ(null_draws(options, 7).service_ns, once.service_ns);
  options.seed = 2;
  EXPECT_NE(null_draws(options, 7).service_ns, once.service_ns);
}

TEST(NullServerRun, TurnsAwayTheSameIndicesEveryTime) {
  NullServerOptions options;
  options.error = {.p = 0.3, .status = 429};
  for (const bool backwards : {false, true}) {
    NullServer server(options);
    server.start();
    SocketClient client(server.port());
    for (uint64_t k = 0; k < 50; ++k) {
      const uint64_t i = backwards ? 49 - k : k;
      client.request("/", "", index_header(i));
      const auto answer = client.answer();
      EXPECT_EQ(answer.status, null_draws(options, i).error ? 429 : 200);
      EXPECT_EQ(answer.head.find("Retry-After: 1\r\n") != std::string::npos, answer.status == 429);
    }
  }
}

TEST(NullServerRun, ResetsTheSameIndicesEveryTime) {
  NullServerOptions options;
  options.reset = 0.5;
  NullServer server(options);
  server.start();
  for (uint64_t i = 0; i < 20; ++i) {
    SocketClient client(server.port());
    client.request("/", "", index_header(i));
    EXPECT_EQ(client.answer().status, null_draws(options, i).reset ? 0 : 200);
    EXPECT_EQ(client.was_reset(), null_draws(options, i).reset);
  }
}

TEST(NullServerRun, ClosesAfterSoManyRequests) {
  NullServerOptions options;
  options.close_after = 2;
  NullServer server(options);
  server.start();
  SocketClient client(server.port());
  for (int k = 0; k < 2; ++k) {
    client.request("/");
    EXPECT_EQ(client.answer().head.find("Connection: close") != std::string::npos, k == 1);
  }
  EXPECT_EQ(client.rest(), "");
}

TEST(NullServerRun, SendsBodiesThatItDoesNotHold) {
  NullServerOptions options;
  options.body_bytes = 20'000'000;
  const auto answer = ask(options, "/");
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body.size(), options.body_bytes);
  options.body_bytes = 0;
  EXPECT_TRUE(ask(options, "/").whole);
}

TEST(NullServerRun, NeverGetsToTheBodyOfEndlessHeaders) {
  NullServerOptions options;
  options.endless_headers = true;
  NullServer server(options);
  server.start();
  SocketClient client(server.port());
  client.request("/");
  const std::string head = client.take(1'000'000);
  EXPECT_EQ(head.size(), 1'000'000u);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nx-endless-1: "));
  EXPECT_EQ(head.find("\r\n\r\n"), std::string::npos);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
    lines.push_back(text.substr(at, end - at));
  return lines;
}

TEST(NullServerRun, RecordsWhatTakesServiceAndEndsByCount) {
  const test::TempDir folder;
  const std::string path = folder / "seen.jsonl";
  NullServerOptions options;
  options.count = 3;
  {
    NullServer server(options);
    records::Writer writer(Output::open(path), false);
    std::thread thread([&] { server.run(&writer, nullptr); });
    {
      SocketClient client(server.port());
      client.request("/v2/health/live");
      EXPECT_EQ(client.answer().status, 200);
      client.request("/a");
      EXPECT_EQ(client.answer().status, 200);
      client.request("/b", "12345", index_header(77));
      EXPECT_EQ(client.answer().status, 200);
      client.request(kChat, R"({"max_tokens":9})");
      EXPECT_EQ(client.answer().status, 200);
    }
    thread.join();
    EXPECT_EQ(server.taken(), 3u);
    writer.end({});
  }
  const auto lines = lines_of(test::slurp(path));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[0].ends_with(R"("i":0})")) << lines[0];
  EXPECT_TRUE(lines[1].ends_with(R"("i":77,"size_bytes":5})")) << lines[1];
  EXPECT_TRUE(lines[2].ends_with(R"("i":2,"output_tokens":9,"size_bytes":16})")) << lines[2];
}

TEST(NullServerRun, WritesRunAndEndAroundIt) {
  const test::TempDir folder;
  const std::string path = folder / "seen.jsonl";
  NullServerOptions options;
  options.duration_ns = 20 * kMs;
  records::Writer writer(Output::open(path), true);
  EXPECT_EQ(run_null_server(options, {}, writer, nullptr), 0u);
  const auto lines = lines_of(test::slurp(path));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find(R"("url":"http://127.0.0.1:)"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find(R"("start_unix_ns":)"), std::string::npos);
  EXPECT_EQ(lines[1], R"({"type":"end","count":0})");
}

TEST(NullServerRun, IsInterruptedOnlyIfItWasToEndOtherwise) {
  for (const bool planned : {false, true}) {
    const test::TempDir folder;
    NullServerOptions options;
    if (planned) options.duration_ns = 3600'000 * kMs;
    StopFlag stop;
    stop.request(SIGTERM);
    const std::string path = folder / "seen.jsonl";
    records::Writer writer(Output::open(path), true);
    run_null_server(options, {}, writer, &stop);
    EXPECT_EQ(folder.listing(), planned ? "" : "seen.jsonl") << "what was cut does not replace a file";
  }
}

}  // namespace
}  // namespace mlq::replay
