// What hostile and clumsy clients do, with plain sockets.
#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "gtest/gtest.h"
#include "lib/http/server.h"
#include "tests/http/running_server.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::http {
namespace {

using namespace std::chrono_literals;
using test::RunningServer;
using test::SocketClient;

constexpr int64_t kMs = 1'000'000;

void ok(Request& request, const Reply& reply) {
  reply.send({.body = request.body.empty() ? "ok" : request.body});
}

ServerOptions with(void (*set)(ServerOptions&)) {
  ServerOptions options;
  set(options);
  return options;
}

// Waits for what another thread brings about.
template <class Condition>
bool comes_true(Condition condition) {
  for (int k = 0; k < 5000; ++k) {
    if (condition()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

TEST(ServerAttack, SmugglingIsRefusedAndTheConnectionClosed) {
  std::atomic<int> seen{0};
  RunningServer server([&](Request& request, const Reply& reply) {
    ++seen;
    ok(request, reply);
  });
  const std::string next = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::string& text :
       {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
            next,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" +
            next,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n" + next,
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n" + next,
        "GET / HTTP/1.1\nHost: h\n\n" + next, "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n" + next,
        std::string("GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", 33) + next, "GET / HTTP/1.1\r\n\r\n" + next,
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + next,
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n" + next}) {
    SocketClient client(server->port());
    client.send(text);
    const auto answer = client.answer();
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_NE(answer.head.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(answer.body.starts_with("{\"error\":\"")) << answer.body;
    EXPECT_EQ(client.rest(), "") << text;
  }
  EXPECT_EQ(seen, 0);
}

TEST(ServerAttack, HeadsAndTargetsHaveTheirLimits) {
  RunningServer server(ok, with([](ServerOptions& options) {
                         options.max_header_bytes = 16 * 1024;
                         options.max_target_bytes = 8 * 1024;
                       }));
  SocketClient bomb(server->port());
  bomb.send("GET / HTTP/1.1\r\nHost: h\r\n");
  for (int k = 0; k < 2000 && bomb.send("X-" + std::to_string(k) + ": bomb\r\n"); ++k) continue;
  EXPECT_EQ(bomb.answer().status, 431);

  SocketClient target(server->port());
  target.request("/" + std::string(8 * 1024, 't'));
  EXPECT_EQ(target.answer().status, 414);

  SocketClient fits(server->port());
  fits.request("/" + std::string(8 * 1024 - 1, 't'));
  EXPECT_EQ(fits.answer().status, 200);
}

TEST(ServerAttack, ABodyThatIsOnlyAnnouncedTakesNoMemory) {
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  RunningServer server(ok, with([](ServerOptions& options) { options.max_body_bytes = uint64_t{1} << 30; }));
  std::vector<std::unique_ptr<SocketClient>> liars;
  for (int k = 0; k < 50; ++k) {
    liars.push_back(std::make_unique<SocketClient>(server->port()));
    liars.back()->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1073741824\r\n\r\nshort");
  }
  SocketClient honest(server->port());
  honest.request("/", "body");
  EXPECT_EQ(honest.answer().body, "body");
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 * 1024) << "KiB";
}

TEST(ServerAttack, ASlowHeadAndASlowBodyAreGivenUp) {
  std::atomic<int> refused{0};
  ServerOptions options;
  options.header_timeout_ns = 100 * kMs;
  options.min_body_rate = 1'000'000'000;
  options.body_grace_ns = 100 * kMs;
  options.on_refused = [&](int status) { refused += status == 408; };
  RunningServer server(ok, options);
  SocketClient slow_body(server->port());
  slow_body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
  SocketClient slow_head(server->port());
  std::thread drip([&] {
    for (int k = 0; k < 200 && refused == 0; ++k) {
      if (!slow_head.send(k == 0 ? "GET / HTTP/1.1\r\nX: " : "x")) break;
      std::this_thread::sleep_for(5ms);
    }
  });
  EXPECT_TRUE(comes_true([&] { return refused > 0; }));
  drip.join();
  EXPECT_EQ(slow_head.answer().status, 408);
  SocketClient idle(server->port());  // no head has begun: this is not for the head's timeout
  std::this_thread::sleep_for(150ms);
  idle.request("/");
  EXPECT_EQ(idle.answer().status, 200);
  EXPECT_EQ(slow_body.answer().status, 408);
}

TEST(ServerAttack, AnIdleConnectionIsClosedWithoutAWord) {
  RunningServer server(ok, with([](ServerOptions& options) { options.idle_timeout_ns = 50 * kMs; }));
  SocketClient silent(server->port());
  EXPECT_EQ(silent.rest(), "");
  EXPECT_FALSE(silent.was_reset());
  SocketClient client(server->port());
  client.request("/");
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(client.rest(), "");
}

TEST(ServerAttack, AClientThatTakesNothingIsReset) {
  std::atomic<bool> gone{false};
  ServerOptions options;
  options.send_timeout_ns = 50 * kMs;
  RunningServer server(
      [&](Request&, const Reply& reply) {
        reply.on_gone([&] { gone = true; });
        reply.on_sent([](int64_t) { FAIL() << "it was not taken"; });
        reply.send({.body = std::string(64 << 20, 'x')});
      },
      options);
  SocketClient client(server->port());
  client.request("/");
  EXPECT_TRUE(comes_true([&] { return gone.load(); }));
}

TEST(ServerAttack, ConnectionsOverTheLimitAreToldSo) {
  RunningServer server(ok, with([](ServerOptions& options) { options.max_connections = 2; }));
  SocketClient first(server->port());
  auto second = std::make_unique<SocketClient>(server->port());
  for (SocketClient* client : {&first, second.get()}) {
    client->request("/");
    EXPECT_EQ(client->answer().status, 200);
  }
  {
    SocketClient third(server->port());
    const auto answer = third.answer();
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.head.find("x-mlq-reason: connections\r\n"), std::string::npos);
    EXPECT_EQ(third.rest(), "");
  }
  second.reset();
  EXPECT_TRUE(comes_true([&] {
    SocketClient next(server->port());
    next.request("/");
    return next.answer().status == 200;
  }));
}

TEST(ServerAttack, AStormOfConnectionsDoesNotKeepOthersFromBeingServed) {
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  const rlimit wanted{std::min<rlim_t>(8192, descriptors.rlim_max), descriptors.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &wanted);
  RunningServer server(ok, with([](ServerOptions& options) {
                         options.max_connections = 500;
                         options.header_timeout_ns = 200 * kMs;
                       }));
  SocketClient client(server->port());
  client.request("/");
  ASSERT_EQ(client.answer().status, 200);
  std::vector<std::unique_ptr<SocketClient>> storm;
  for (int k = 0; k < 2000; ++k) {
    storm.push_back(std::make_unique<SocketClient>(server->port()));
    if (k % 2 == 0) storm.back()->send("GET / HTTP/1.1\r\nX: ");
    if (k % 20 != 0) continue;
    client.request("/" + std::to_string(k));
    ASSERT_EQ(client.answer().status, 200) << k;
  }
  EXPECT_LE(server.counters().open, 564u);
  storm.clear();
  EXPECT_TRUE(comes_true([&] {  // the others are accepted one after the other, and have gone
    client.request("/");
    const ServerCounters counters = server.counters();
    return client.answer().status == 200 && counters.accepted == 2001 && counters.open == 1;
  }));
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
}

TEST(ServerAttack, AClientThatResetsIsKnownToHaveGone) {
  std::atomic<int> gone{0};
  std::atomic<int> asked{0};
  const test::TempDir folder;
  ServerOptions local;
  local.unix_path = folder / "s.sock";
  for (const ServerOptions& options : {ServerOptions(), local}) {
    asked = gone = 0;
    std::vector<Reply> due;
    RunningServer server(
        [&](Request&, const Reply& reply) {
          reply.on_gone([&] { ++gone; });
          due.push_back(reply);
          ++asked;
        },
        options);
    {
      auto client = options.unix_path.empty() ? std::make_unique<SocketClient>(server->port())
                                              : std::make_unique<SocketClient>(options.unix_path);
      client->request("/");
      ASSERT_TRUE(comes_true([&] { return asked == 1; }));
      EXPECT_EQ(gone, 0);
      client->reset();
    }
    EXPECT_TRUE(comes_true([&] { return gone == 1; }));
    server.stop();
    ASSERT_EQ(due.size(), 1u);
    EXPECT_FALSE(due[0].open());
    due[0].send({.body = "too late"});
    EXPECT_EQ(gone, 1);
    EXPECT_EQ(server.counters().open, 0u);
    EXPECT_EQ(server.counters().buffered_bytes, 0u);
  }
}

TEST(ServerAttack, PipelinedBodiesAreKeptApart) {
  RunningServer server(ok);
  SocketClient client(server->port());
  std::string all;
  for (int k = 0; k < 300; ++k) {
    const std::string body =
        std::string(static_cast<size_t>(k * 37 % 5000 + 1), static_cast<char>('a' + k % 26));
    if (k % 3 == 0)
      all += fmt::format(
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
          body.size(), body);
    else
      all += fmt::format("\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  }
  std::thread sender([&] { client.send(all); });
  for (int k = 0; k < 300; ++k) {
    const std::string body =
        std::string(static_cast<size_t>(k * 37 % 5000 + 1), static_cast<char>('a' + k % 26));
    ASSERT_EQ(client.answer().body, body) << k;
  }
  sender.join();
}

TEST(ServerAttack, ALargeBodyAndALargeAnswerInPiecesAreCompleteAndPadded) {
  const std::string part(700'000, 'p');
  std::atomic<int64_t> sent{0};
  std::atomic<bool> padded{false};
  RunningServer server([&](Request& request, const Reply& reply) {
    const std::string body = std::move(request.body);
    padded = body.capacity() >= body.size() + kBodyPadding && request.first_byte_ns <= request.arrival_ns;
    const std::string_view pieces[] = {"[", part, ",", part, "]", ""};
    reply.on_sent([&](int64_t now_ns) { sent = now_ns; });
    reply.send({.body = body, .more = pieces});
  });
  SocketClient client(server->port());
  const std::string body(3'000'000, 'b');
  for (int k = 0; k < 2; ++k) {
    sent = 0;
    std::thread sender([&] { client.request("/", body); });
    EXPECT_EQ(client.answer().body, body + "[" + part + "," + part + "]");
    sender.join();
    EXPECT_TRUE(padded);
    EXPECT_TRUE(comes_true([&] { return sent > 0; }));
  }
  server.stop();
  EXPECT_EQ(server.counters().buffered_bytes, 0u);
}

// Writes 200 pieces of 50 kB, no more of them at a time than a client takes.
struct Stream : std::enable_shared_from_this<Stream> {
  explicit Stream(const Reply& to) : reply(to) {}
  void go_on() {
    for (; left > 0; --left) {
      if (reply.unsent_bytes() >= 100'000)
        return reply.on_drained([self = shared_from_this()] { self->go_on(); });
      reply.write(std::string(50'000, 's'));
      most = std::max(most.load(), reply.unsent_bytes());
    }
    reply.finish();
  }

  static inline std::atomic<size_t> most = 0;
  Reply reply;
  int left = 200;
};

TEST(ServerAttack, StreamsWaitForASlowClient) {
  RunningServer server([&](Request&, const Reply& reply) {
    reply.start({});
    std::make_shared<Stream>(reply)->go_on();
  });
  SocketClient client(server->port());
  client.request("/");
  const auto answer = client.answer();
  EXPECT_TRUE(answer.whole);
  EXPECT_EQ(answer.body.size(), 200u * 50'000);
  EXPECT_LT(Stream::most, 200'000u);
}

TEST(ServerAttack, DrainingAnswersWhatIsUnderWayAndClosesTheRest) {
  std::atomic<int> asked{0};
  std::vector<Reply> due;
  RunningServer server([&](Request&, const Reply& reply) {
    due.push_back(reply);
    ++asked;
  });
  SocketClient idle(server->port());
  idle.request("/");
  SocketClient busy(server->port());
  busy.request("/");
  ASSERT_TRUE(comes_true([&] { return asked == 2; }));
  server.reactor().post([&] { due[0].send({.body = "before"}); });
  EXPECT_EQ(idle.answer().head.find("Connection: close"), std::string::npos);
  server.reactor().post([&] { server->stop_accepting(); });
  EXPECT_EQ(idle.rest(), "");
  server.reactor().post([&] { due[1].send({.body = "after"}); });
  const auto answer = busy.answer();
  EXPECT_EQ(answer.body, "after");
  EXPECT_NE(answer.head.find("Connection: close"), std::string::npos);
  EXPECT_EQ(busy.rest(), "");
  EXPECT_THROW(SocketClient late(server->port()), std::runtime_error);
}

TEST(Reactor, CarriesSeveralServers) {
  Reactor reactor;
  Server one(reactor, {}, [](Request&, const Reply& reply) { reply.send({.body = "one"}); });
  Server two(reactor, {}, [](Request&, const Reply& reply) { reply.send({.body = "two"}); });
  std::thread thread([&] { reactor.run(); });
  {
    SocketClient a(one.port()), b(two.port());
    a.request("/");
    b.request("/");
    EXPECT_EQ(a.answer().body, "one");
    EXPECT_EQ(b.answer().body, "two");
  }
  reactor.stop();
  thread.join();
}

TEST(Reactor, SharesAPortBetweenServersThatAgreeTo) {
  Reactor reactor;
  ServerOptions options;
  options.reuse_port = true;
  Server one(reactor, options, ok);
  options.port = one.port();
  Server two(reactor, options, ok);
  EXPECT_EQ(one.port(), two.port());
}

TEST(Reactor, RunsWhatOtherThreadsPostInTheirOrder) {
  Reactor reactor;
  Server server(reactor, {}, ok);
  std::thread thread([&] { reactor.run(); });
  std::vector<int> last(4, -1);
  bool in_order = true;
  std::vector<std::thread> posters;
  for (size_t k = 0; k < last.size(); ++k) {
    posters.emplace_back([&, k] {
      for (int n = 0; n < 1000; ++n) {
        reactor.post([&, k, n] {
          in_order = in_order && last[k] == n - 1;
          last[k] = n;
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  reactor.stop(0);
  thread.join();
  EXPECT_TRUE(in_order);
  EXPECT_EQ(last, std::vector<int>(4, 999));
}

}  // namespace
}  // namespace mlq::http
