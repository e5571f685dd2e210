#include "lib/http/client_pool.h"

#include <atomic>
#include <future>
#include <latch>
#include <optional>
#include <thread>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "tests/http/running_server.h"
#include "tests/support/scripted_server.h"
#include "tests/support/temp_dir.h"

namespace mlq::http {
namespace {

using test::Peer;
using test::RunningServer;
using test::ScriptedServer;

constexpr int64_t kMs = 1'000'000;

// What a test keeps of a reply.
struct Got {
  UpstreamFault fault = UpstreamFault::none;
  std::string error;
  int status = 0;
  std::string mark;  // its x-mark
  std::string body;
  bool reused = false;
  bool padded = false;
  bool stamped = false;
};

// A pool on a reactor with a thread of its own.
class Pool {
 public:
  explicit Pool(const std::string& url, const ClientPoolOptions& options = {})
      : reactor_(std::make_unique<Reactor>()),
        idle_(std::make_unique<Server>(*reactor_, ServerOptions(), never)),
        pool_(std::make_unique<ClientPool>(*reactor_, parse_url(url), options)),
        thread_([this] { reactor_->run(); }) {}
  ~Pool() {
    on_loop([this] { pool_.reset(); });
    reactor_->stop(0);
    thread_.join();
  }

  template <class Call>
  std::invoke_result_t<Call> on_loop(Call call) {
    std::packaged_task<std::invoke_result_t<Call>()> task(call);
    auto result = task.get_future();
    reactor_->post([&] { task(); });
    return result.get();
  }

  // Sends, and gives what comes of it. The request's pieces may go when this returns.
  std::future<Got> send(UpstreamRequest request, int64_t timeout_ns = 10'000 * kMs) {
    auto promise = std::make_shared<std::promise<Got>>();
    on_loop([&] {
      pool_->send(request, Reactor::now_ns() + timeout_ns, [promise](UpstreamReply& reply) {
        Got got{reply.fault, reply.error, reply.status, std::string(reply.header("X-Mark"))};
        got.reused = reply.reused;
        got.padded = reply.body.empty() || reply.body.capacity() >= reply.body.size() + kBodyPadding;
        got.stamped = reply.first_write_ns > 0 && reply.last_read_ns >= reply.first_write_ns;
        got.body = std::move(reply.body);
        promise->set_value(std::move(got));
      });
    });
    return promise->get_future();
  }
  Got get(std::string_view target = "/", int64_t timeout_ns = 10'000 * kMs) {
    return send({.method = "GET", .target = target}, timeout_ns).get();
  }
  ClientPoolCounters counters() {
    return on_loop([this] { return pool_->counters(); });
  }
  // Until the pool has that many idle connections.
  bool idle(uint32_t connections) {
    for (int k = 0; k < 5000; ++k) {
      if (counters().idle == connections) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  ClientPool& pool() { return *pool_; }

 private:
  static void never(Request&, const Reply&) { FAIL() << "nobody asks this server"; }

  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<Server> idle_;
  std::unique_ptr<ClientPool> pool_;
  std::thread thread_;
};

std::string text(std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 200 OK\r\nX-Mark: m\r\n" + std::string(headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// Echoes bodies, or the target and some fields of requests without one.
void echo(Request& request, const Reply& reply) {
  if (!request.body.empty()) return reply.send({.headers = "X-Mark: m\r\n", .body = request.body});
  const std::string body = std::string(request.method) + " " + std::string(request.target) + " " +
                           std::string(request.header("host")) + " " + std::string(request.header("x-own"));
  reply.send({.body = body});
}

TEST(ClientPool, SendsPiecesAndKeepsTheConnection) {
  RunningServer server(echo);
  Pool pool(server->url());
  for (const size_t size : {1u, 100u, 5'000u, 3'000'000u}) {
    const std::string part(size, 'p');
    const std::string_view pieces[] = {"[", part, "", ",", part, "]"};
    const Got got = pool.send({.body = pieces}).get();
    EXPECT_EQ(got.fault, UpstreamFault::none) << got.error;
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.mark, "m");
    EXPECT_EQ(got.body, "[" + part + "," + part + "]");
    EXPECT_EQ(got.reused, size != 1);
    EXPECT_TRUE(got.padded);
    EXPECT_TRUE(got.stamped);
  }
  EXPECT_EQ(pool.counters().opened, 1u);
}

TEST(ClientPool, PutsThePathOfItsUrlInFront) {
  RunningServer server(echo);
  Pool pool(server->url() + "/base/");
  const Got got = pool.send({.method = "GET", .target = "/v2?a=b", .headers = "X-Own: o\r\n"}).get();
  EXPECT_EQ(got.body, "GET /base/v2?a=b 127.0.0.1:" + std::to_string(server->port()) + " o");
}

TEST(ClientPool, SpeaksThroughAUnixSocket) {
  const test::TempDir folder;
  ServerOptions options;
  options.unix_path = folder / "s.sock";
  RunningServer server(echo, options);
  Pool pool("unix:" + options.unix_path);
  EXPECT_EQ(pool.get("/u").body, "GET /u localhost ");
  server.stop();
  EXPECT_TRUE(pool.idle(0));
}

TEST(ClientPool, UsesTheConnectionLastUsedFirstAndNoMoreThanItMay) {
  std::vector<Reply> due;
  std::atomic<int> asked{0};
  RunningServer server([&](Request&, const Reply& reply) {
    due.push_back(reply);
    ++asked;
  });
  Pool pool(server->url(), {.max_connections = 3});
  std::vector<std::future<Got>> sent;
  for (int k = 0; k < 3; ++k) sent.push_back(pool.send({.method = "GET"}));
  EXPECT_EQ(pool.get().fault, UpstreamFault::busy);
  EXPECT_EQ(pool.counters().active, 3u);
  while (asked < 3) std::this_thread::yield();
  server.reactor().post([&] {
    for (const Reply& reply : due) reply.send({});
  });
  for (auto& each : sent) EXPECT_EQ(each.get().status, 200);
  EXPECT_TRUE(pool.idle(3));
  EXPECT_EQ(pool.counters().opened, 3u);
}

TEST(ClientPool, ReadsEveryKindOfBodyByteByByte) {
  ScriptedServer server([](Peer& peer, int) {
    while (!peer.request().empty()) {
      peer.send_byte_by_byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Mark: no\r\n\r\n" +
                             text("", "Content-Type: x\r\n"));
      if (peer.request().empty()) return;
      peer.send_byte_by_byte(
          "HTTP/1.1 200 OK\r\nX-Mark: m\r\nTransfer-Encoding: "
          "chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
      if (peer.request().empty()) return;
      peer.send_byte_by_byte(text("12345"));
      if (peer.request().empty()) return;
      peer.send_byte_by_byte("HTTP/1.1 204 No Content\r\nX-Mark: m\r\n\r\n");
      if (peer.request().empty()) return;
      peer.send_byte_by_byte("HTTP/1.0 200 OK\r\nX-Mark: m\r\n\r\nuntil the end");
      return;
    }
  });
  Pool pool(server.url());
  for (const char* body : {"", "abcde", "12345", "", "until the end"}) {
    const Got got = pool.get();
    EXPECT_EQ(got.fault, UpstreamFault::none) << got.error;
    EXPECT_EQ(got.body, body);
    EXPECT_EQ(got.mark, "m");
  }
  EXPECT_TRUE(pool.idle(0));
  EXPECT_EQ(server.connections(), 1);
}

TEST(ClientPool, AReplyToHeadHasNoBody) {
  ScriptedServer server([](Peer& peer, int) {
    while (!peer.request().empty()) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
  });
  Pool pool(server.url());
  for (int k = 0; k < 2; ++k) EXPECT_EQ(pool.send({.method = "HEAD"}).get().body, "");
  EXPECT_EQ(server.connections(), 1);
}

TEST(ClientPool, AStaleConnectionIsNoFailure) {
  ScriptedServer server([](Peer& peer, int connection) {
    peer.request();
    peer.send(text(std::to_string(connection)));
    peer.request();  // the second one meets a connection that ends instead of a reply
    if (connection == 0) return;
    peer.send(text("again"));
  });
  Pool pool(server.url());
  EXPECT_EQ(pool.get().body, "0");
  const Got got = pool.send({.method = "GET", .target = "/second"}).get();
  EXPECT_EQ(got.fault, UpstreamFault::none) << got.error;
  EXPECT_EQ(got.body, "1");
  EXPECT_FALSE(got.reused);
  EXPECT_EQ(pool.counters().resent, 1u);
}

TEST(ClientPool, WhatMustNotBeSeenTwiceIsNotSentAgain) {
  ScriptedServer server([](Peer& peer, int) {
    peer.request();
    peer.send(text(""));
    peer.request();
    peer.reset();
  });
  Pool pool(server.url());
  EXPECT_EQ(pool.get().status, 200);
  EXPECT_EQ(pool.send({.may_resend = false}).get().fault, UpstreamFault::reset_before_reply);
  EXPECT_EQ(server.connections(), 1);
}

TEST(ClientPool, ANewConnectionThatEndsBeforeOrWithinTheReplyIsAFailure) {
  ScriptedServer server([](Peer& peer, int connection) {
    peer.request();
    if (connection == 1) peer.send("HTTP/1.1 200 OK\r\nContent-Le");
    if (connection == 2) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    if (connection == 3) peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    if (connection == 4) peer.reset();
  });
  Pool pool(server.url());
  EXPECT_EQ(pool.get().fault, UpstreamFault::reset_before_reply);
  for (int k = 1; k <= 3; ++k) {
    const Got got = pool.get();
    EXPECT_EQ(got.fault, UpstreamFault::reset_mid_reply) << k;
    EXPECT_EQ(got.body, "");
  }
  EXPECT_EQ(pool.get().fault, UpstreamFault::reset_before_reply);
  EXPECT_EQ(server.connections(), 5);
}

TEST(ClientPool, AnIdleConnectionThatEndsOrSpeaksIsDropped) {
  std::promise<void> idle;
  auto was_idle = idle.get_future().share();
  std::latch both(2);
  ScriptedServer server([was_idle, &both](Peer& peer, int connection) {
    peer.request();
    both.arrive_and_wait();  // neither is idle while the other is sent
    peer.send(text("x"));
    was_idle.wait();
    if (connection == 1) peer.send("out of turn");
    if (connection == 1) peer.request();
  });
  Pool pool(server.url());
  auto first = pool.send({.method = "GET"});
  auto second = pool.send({.method = "GET"});
  EXPECT_EQ(first.get().body, "x");
  EXPECT_EQ(second.get().body, "x");
  EXPECT_TRUE(pool.idle(2));
  idle.set_value();
  EXPECT_TRUE(pool.idle(0));
}

TEST(ClientPool, AServerThatHangsOrTricklesRunsIntoTheDeadline) {
  std::atomic<bool> end{false};
  ScriptedServer server([&](Peer& peer, int connection) {
    peer.request();
    if (connection == 1) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (!end && (connection == 0 || peer.send("x")))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  Pool pool(server.url());
  EXPECT_EQ(pool.get("/", 30 * kMs).fault, UpstreamFault::timeout);
  const Got got = pool.get("/", 30 * kMs);
  EXPECT_EQ(got.fault, UpstreamFault::timeout);
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(pool.counters().idle, 0u);
  EXPECT_EQ(pool.counters().active, 0u);
  end = true;
}

TEST(ClientPool, RepliesOverTheLimitsAreRefused) {
  ScriptedServer server([](Peer& peer, int connection) {
    peer.request();
    if (connection == 0) peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n");
    if (connection == 1) peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection == 1 && peer.send("64\r\n" + std::string(100, 'c') + "\r\n")) continue;
    if (connection == 2) peer.send("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'u'));
    if (connection == 3) peer.send("HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'h'));
    peer.request();
  });
  Pool pool(server.url(), {.max_reply_bytes = 1000, .max_head_bytes = 2000});
  for (int k = 0; k < 4; ++k) EXPECT_EQ(pool.get().fault, UpstreamFault::too_large) << k;
}

TEST(ClientPool, WhatIsNoHttpIsMalformed) {
  static const std::vector<std::string> kReplies = {
      "what is this\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "HTTP/1.1 101 Switching Protocols\r\n\r\n"};
  ScriptedServer server([](Peer& peer, int connection) {
    peer.request();
    peer.send(kReplies[static_cast<size_t>(connection)]);
    peer.request();
  });
  Pool pool(server.url());
  for (const std::string& reply : kReplies) EXPECT_EQ(pool.get().fault, UpstreamFault::malformed) << reply;
}

TEST(ClientPool, AConnectionOnWhichTooMuchCameIsNotUsedAgain) {
  ScriptedServer server([](Peer& peer, int) {
    peer.request();
    peer.send(text("x") + text("nobody asked"));
    peer.request();
  });
  Pool pool(server.url());
  for (int k = 0; k < 2; ++k) EXPECT_EQ(pool.get().body, "x");
  EXPECT_EQ(server.connections(), 2);
}

TEST(ClientPool, AnEarlyReplyCountsThoughTheRequestWasNotTaken) {
  ScriptedServer server([](Peer& peer, int) {
    peer.some();
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  });
  Pool pool(server.url());
  const std::string body(20'000'000, 'b');
  const std::string_view piece = body;
  EXPECT_EQ(pool.send({.body = {&piece, 1}}).get().status, 413);
  EXPECT_EQ(pool.counters().idle, 0u);
}

TEST(ClientPool, SaysWhyThereIsNoConnection) {
  uint16_t port = 0;
  {
    RunningServer server(echo);
    port = server->port();
  }
  Pool refused("http://127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(refused.get().fault, UpstreamFault::refused);
  Pool unknown("http://no-such-host.invalid");
  EXPECT_EQ(unknown.get().fault, UpstreamFault::resolve);
  EXPECT_EQ(unknown.get().fault, UpstreamFault::resolve);
  Pool no_socket("unix:/nonexistent/s.sock");
  EXPECT_EQ(no_socket.get().fault, UpstreamFault::refused);
  Reactor reactor;
  EXPECT_THROW(ClientPool(reactor, parse_url("https://127.0.0.1")), Error);
}

TEST(ClientPool, CancelledIsNotHeardOfAgain) {
  std::promise<void> asked;
  ScriptedServer server([&](Peer& peer, int connection) {
    peer.request();
    if (connection > 0) return void(peer.send(text("next")));
    asked.set_value();
    EXPECT_EQ(peer.request(), "");  // the connection was closed
  });
  Pool pool(server.url());
  const auto owner = std::make_shared<int>(0);
  const uint64_t id = pool.on_loop([&] {
    return pool.pool().send({.method = "GET", .owner = owner}, INT64_MAX, [](UpstreamReply&) { FAIL(); });
  });
  asked.get_future().wait();
  EXPECT_EQ(owner.use_count(), 2);
  pool.on_loop([&] {
    pool.pool().cancel(id);
    pool.pool().cancel(id);
    return 0;
  });
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_EQ(pool.get().body, "next");
}

TEST(ClientPool, MayGoInItsOwnCallback) {
  RunningServer server(echo);
  Reactor reactor;
  auto pool = std::make_unique<ClientPool>(reactor, parse_url(server->url()));
  bool called = false;
  pool->send({.method = "GET"}, INT64_MAX, [&](UpstreamReply& reply) {
    called = reply.status == 200;
    pool.reset();
    reactor.stop(0);
  });
  pool->send({.method = "GET"}, INT64_MAX, [](UpstreamReply&) {});
  Server keeps_running(reactor, {}, echo);
  reactor.run();
  EXPECT_TRUE(called);
}

TEST(ClientPool, StreamsWithPauses) {
  std::string body;
  for (int k = 0; k < 400'000; ++k) body += std::to_string(k);
  RunningServer server([&](Request&, const Reply& reply) {
    reply.start({.headers = "X-Mark: m\r\n"});
    for (size_t at = 0; at < body.size(); at += 70'000)
      reply.write(std::string_view(body).substr(at, 70'000));
    reply.finish();
  });
  Pool pool(server->url());
  std::string got;
  std::string mark;
  std::promise<UpstreamReply> end;
  uint64_t id = 0;
  bool paused = false;
  pool.on_loop([&] {
    id = pool.pool().send_streaming(
        {.method = "GET"}, INT64_MAX,
        {.on_head = [&](const UpstreamReply& head) { mark = head.header("x-mark"); },
         .on_piece =
             [&](std::string_view piece) {
               EXPECT_FALSE(paused);
               got += piece;
               paused = true;
               std::thread([&] {
                 pool.on_loop([&] {
                   paused = false;
                   pool.pool().resume(id);
                   return 0;
                 });
               }).detach();
               return false;
             },
         .on_end =
             [&](const UpstreamReply& reply) {
               UpstreamReply copy;
               copy.fault = reply.fault;
               copy.status = reply.status;
               end.set_value(std::move(copy));
             }});
    return 0;
  });
  const UpstreamReply reply = end.get_future().get();
  EXPECT_EQ(reply.fault, UpstreamFault::none);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(mark, "m");
  EXPECT_EQ(got, body);
}

TEST(ClientPool, TriesWhetherThereIsAServer) {
  const auto tried = [](Pool& pool) {
    std::promise<std::string> error;
    pool.on_loop([&] {
      pool.pool().connect_only(Reactor::now_ns() + 10'000 * kMs,
                               [&](std::string_view text) { error.set_value(std::string(text)); });
      return 0;
    });
    return error.get_future().get();
  };
  uint16_t port = 0;
  {
    RunningServer server(echo);
    port = server->port();
    Pool pool(server->url());
    EXPECT_EQ(tried(pool), "");
    EXPECT_EQ(pool.counters().opened, 0u);
  }
  Pool pool("http://127.0.0.1:" + std::to_string(port));
  EXPECT_NE(tried(pool), "");
}

TEST(ClientPool, ManyAtOnceEachGetTheirOwn) {
  RunningServer server(echo);
  Pool pool(server->url(), {.max_connections = 40});
  std::vector<std::pair<std::string, std::future<Got>>> sent;
  for (int round = 0; round < 25; ++round) {
    for (int k = 0; k < 40; ++k) {
      const std::string target = "/" + std::to_string(round) + "/" + std::to_string(k);
      sent.emplace_back(target, pool.send({.method = "GET", .target = target}));
    }
    for (auto& [target, got] : sent) EXPECT_TRUE(got.get().body.starts_with("GET " + target + " "));
    sent.clear();
  }
  EXPECT_LE(pool.counters().opened, 40u);
}

}  // namespace
}  // namespace mlq::http
