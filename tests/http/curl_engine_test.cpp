// What an engine promises (lib/http/client.h), against servers that say exactly what is in the test.
#include "lib/http/curl_engine.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <string>

#include "gtest/gtest.h"
#include "lib/http/url.h"
#include "tests/support/scripted_server.h"
#include "tests/support/temp_dir.h"

namespace mlq::http {
namespace {

using test::Peer;
using test::ScriptedServer;

constexpr int64_t kPatience = 20'000'000'000;

// What became of one tag.
struct Seen {
  int sends = 0;
  uint32_t attempt = 0;
  bool sent = false;
  std::string head;
  std::string body;
  bool done = false;
  TransferEnd end;
  bool reused = false;
  int64_t send_ns = 0, first_ns = 0, last_ns = 0;
};

class Recorder : public ClientEvents {
 public:
  void on_send(uint32_t tag, int64_t now, const SendInfo& info) override {
    ++seen[tag].sends;
    seen[tag].attempt = info.attempt;
    seen[tag].send_ns = now;
  }
  void on_sent(uint32_t tag, int64_t) override { seen[tag].sent = true; }
  void on_header(uint32_t tag, std::string_view line, int64_t now) override {
    if (seen[tag].head.empty()) seen[tag].first_ns = now;
    seen[tag].head += line;
  }
  bool on_body(uint32_t tag, std::string_view piece, int64_t now) override {
    seen[tag].body += piece;
    seen[tag].last_ns = now;
    return seen[tag].body.size() <= body_limit;
  }
  void on_done(uint32_t tag, int64_t, const TransferEnd& end, bool reused) override {
    EXPECT_FALSE(seen[tag].done);
    seen[tag].done = true;
    seen[tag].end = end;
    seen[tag].reused = reused;
  }

  std::map<uint32_t, Seen> seen;
  size_t body_limit = size_t{1} << 30;
};

class Engine : public ::testing::Test {
 protected:
  void connect(const std::string& url) { config.url = parse_url(url); }
  CurlEngine& engine() {
    if (!engine_) engine_.emplace(config, 64, clock, events);
    return *engine_;
  }
  const Seen& go(uint32_t tag, const ClientRequest& request) {
    engine().submit(tag, request);
    return wait(tag);
  }
  const Seen& get(uint32_t tag, std::string_view target = "/") {
    ClientRequest request;
    request.target = target;
    request.may_resend = true;
    return go(tag, request);
  }
  const Seen& wait(uint32_t tag) {
    const int64_t until = clock.now_ns() + kPatience;
    while (!events.seen[tag].done && clock.now_ns() < until) engine().poll(until);
    EXPECT_TRUE(events.seen[tag].done) << "tag " << tag;
    return events.seen[tag];
  }
  // The fault of one GET to a server that answers a first request with `answer` and hangs up.
  const Seen& answered(const std::string& answer) {
    server.emplace([answer](Peer& peer, int) {
      if (!peer.request().empty()) peer.send(answer);
    });
    connect(server->url());
    return get(1);
  }

  SteadyClock clock;
  Recorder events;
  ClientConfig config;
  std::optional<ScriptedServer> server;

 private:
  std::optional<CurlEngine> engine_;
};

// Answers every request of a connection with `answer`.
ScriptedServer::Script always(std::string answer) {
  return [answer = std::move(answer)](Peer& peer, int) {
    while (!peer.request().empty()) {
      if (!peer.send(answer)) return;
    }
  };
}

const char* const kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_F(Engine, TellsTheStagesInTheirOrder) {
  server.emplace(always(kOk));
  connect(server->url());
  const Seen& seen = get(7);
  EXPECT_EQ(seen.sends, 1);
  EXPECT_EQ(seen.attempt, 1u);
  EXPECT_EQ(seen.body, "ok");
  EXPECT_EQ(seen.end.fault, Fault::none);
  EXPECT_FALSE(seen.reused);
  EXPECT_LE(seen.send_ns, seen.first_ns);
  EXPECT_LE(seen.first_ns, seen.last_ns);
  EXPECT_EQ(seen.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
}

TEST_F(Engine, KeepsConnections) {
  server.emplace(always(kOk));
  connect(server->url());
  for (uint32_t tag = 0; tag < 20; ++tag) {
    EXPECT_EQ(get(tag).reused, tag > 0);
    EXPECT_EQ(events.seen[tag].sends, 1);
  }
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(Engine, SendsMethodTargetHeadersAndBody) {
  std::string got;
  server.emplace([&got](Peer& peer, int) {
    got = peer.request();
    peer.send(kOk);
  });
  connect(server->url());
  config.headers = {"Content-Type: application/json"};
  ClientRequest request;
  request.method = "POST";
  request.target = "/v1/x?y=%20z";
  request.body = "{\"a\":1}";
  request.headers = {"x-mlq-index: 12"};
  go(1, request);
  EXPECT_EQ(got.substr(0, 31), "POST /v1/x?y=%20z HTTP/1.1\r\nHos");
  EXPECT_NE(got.find("\r\nContent-Type: application/json\r\n"), got.npos) << got;
  EXPECT_NE(got.find("\r\nx-mlq-index: 12\r\n"), got.npos);
  EXPECT_NE(got.find("\r\nContent-Length: 7\r\n"), got.npos);
  EXPECT_EQ(got.find("Expect"), got.npos);
  EXPECT_TRUE(got.ends_with("\r\n\r\n{\"a\":1}"));
}

TEST_F(Engine, TheNextRequestOfAHandleHasNothingOfTheOneBefore) {
  std::vector<std::string> got;
  server.emplace([&got](Peer& peer, int) {
    for (std::string r = peer.request(); !r.empty(); r = peer.request()) {
      got.push_back(r);
      peer.send(r.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" : kOk);
    }
  });
  connect(server->url());
  for (const char* method : {"POST", "GET", "PUT", "HEAD", "GET", "DELETE", "POST"}) {
    ClientRequest request;
    request.method = method;
    request.body = std::string_view(method) == "POST" || std::string_view(method) == "PUT" ? "body" : "";
    go(1, request);
    events.seen.clear();
    EXPECT_TRUE(got.back().starts_with(std::string(method) + " / HTTP/1.1\r\n")) << got.back();
    EXPECT_EQ(got.back().ends_with("\r\n\r\nbody"), !request.body.empty()) << got.back();
  }
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(Engine, TellsWhenALargeBodyHasGone) {
  size_t size = 0;
  server.emplace([&size](Peer& peer, int) {
    size = peer.request().size();
    peer.send(kOk);
  });
  connect(server->url());
  const std::string body(200'000, 'x');
  ClientRequest request;
  request.method = "POST";
  request.body = body;
  EXPECT_TRUE(go(1, request).sent);
  EXPECT_GT(size, body.size());
  EXPECT_EQ(events.seen[1].end.fault, Fault::none);
}

TEST_F(Engine, ReadsChunksHoweverTheyAreCut) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send_byte_by_byte(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n "
        "\r\n5\r\nworld\r\n0\r\nT: "
        "v\r\n\r\n");
  });
  connect(server->url());
  EXPECT_EQ(get(1).body, "hello world");
  EXPECT_EQ(events.seen[1].end.fault, Fault::none);
}

TEST_F(Engine, ReadsUntilTheEndWhereThereIsNoLength) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\n\r\nall of it").body, "all of it");
  EXPECT_EQ(events.seen[1].end.fault, Fault::none);
}

TEST_F(Engine, PassesInterimAnswersOn) {
  const Seen& seen = answered(
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(seen.body, "ok");
  EXPECT_NE(seen.head.find("HTTP/1.1 200 OK"), seen.head.npos);
}

TEST_F(Engine, HasNoBodyFor204And304) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 204 No Content\r\n\r\n");
    peer.request();
    peer.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n");
  });
  connect(server->url());
  EXPECT_EQ(get(1).end.fault, Fault::none);
  EXPECT_EQ(get(2).end.fault, Fault::none);
  EXPECT_EQ(events.seen[1].body + events.seen[2].body, "");
}

TEST_F(Engine, NoBytesAtAllIsAReset) {
  server.emplace([](Peer& peer, int) { peer.request(); });
  connect(server->url());
  EXPECT_EQ(get(1).end.fault, Fault::reset);
}

TEST_F(Engine, ResetBeforeInAndAfterTheHeaders) {
  for (const char* begun : {"", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}) {
    ScriptedServer resetting([begun](Peer& peer, int) {
      peer.request();
      peer.send(begun);
      peer.reset();
    });
    Recorder recorder;
    ClientConfig other;
    other.url = parse_url(resetting.url());
    CurlEngine one(other, 4, clock, recorder);
    one.submit(0, {});
    const int64_t until = clock.now_ns() + kPatience;
    while (!recorder.seen[0].done && clock.now_ns() < until) one.poll(until);
    EXPECT_EQ(recorder.seen[0].end.fault, Fault::reset) << begun;
  }
}

TEST_F(Engine, AnAnswerThatEndsEarlyIsTruncated) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").end.fault, Fault::truncated);
}

TEST_F(Engine, ChunksThatEndEarlyAreTruncated) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel").end.fault,
            Fault::truncated);
}

TEST_F(Engine, WhatIsNoHttpIsAProtocolFault) {
  EXPECT_EQ(answered("SSH-2.0-OpenSSH_9.2\r\n").end.fault, Fault::protocol);
}

TEST_F(Engine, ABadChunkIsAProtocolFault) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").end.fault,
            Fault::protocol);
}

TEST_F(Engine, EndlessHeadersAreAProtocolFault) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\n");
    const std::string line = "X: " + std::string(1000, 'y') + "\r\n";
    while (peer.send(line)) {
    }
  });
  connect(server->url());
  EXPECT_EQ(get(1).end.fault, Fault::protocol);
  EXPECT_LT(events.seen[1].head.size(), 70'000u);
}

TEST_F(Engine, ALineOfHeadersWithoutEndIsAProtocolFault) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nX: ");
    const std::string text(1000, 'y');
    while (peer.send(text)) {
    }
  });
  connect(server->url());
  EXPECT_EQ(get(1).end.fault, Fault::protocol);
}

TEST_F(Engine, TheUserMayEndATransfer) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\n\r\n");
    const std::string text(1000, 'y');
    while (peer.send(text)) {
    }
  });
  connect(server->url());
  events.body_limit = 10'000;
  EXPECT_EQ(get(1).end.fault, Fault::aborted);
}

// The server closes a kept connection just when the next request comes.
ScriptedServer::Script dead_after_first() {
  return [](Peer& peer, int n) {
    peer.request();
    peer.send(kOk);
    peer.request();
    if (n == 0) return;  // without an answer
    peer.send(kOk);
  };
}

TEST_F(Engine, ADeadKeptConnectionIsTriedOnceMoreOnAFreshOne) {
  server.emplace(dead_after_first());
  connect(server->url());
  get(1);
  const Seen& seen = get(2);
  EXPECT_EQ(seen.end.fault, Fault::none) << seen.end.note;
  EXPECT_EQ(seen.attempt, 2u);
  EXPECT_EQ(seen.sends, 2);
}

TEST_F(Engine, ButNotIfTheRequestMustNotBeSentTwice) {
  server.emplace(dead_after_first());
  connect(server->url());
  get(1);
  ClientRequest request;
  request.method = "POST";
  request.body = "once";
  const Seen& seen = go(2, request);
  EXPECT_EQ(seen.end.fault, Fault::reset);
  EXPECT_EQ(seen.sends, 1);
  EXPECT_EQ(seen.attempt, 1u);
}

TEST_F(Engine, AConnectionThatWasClosedWhileIdleIsReplaced) {
  std::atomic<bool> closed{false};
  server.emplace([&closed](Peer& peer, int n) {
    peer.request();
    peer.send(kOk);
    if (n == 0) {
      peer.reset();
      closed = true;
      return;
    }
    peer.request();
  });
  connect(server->url());
  get(1);
  while (!closed) engine().poll(clock.now_ns() + 1'000'000);
  engine().poll(clock.now_ns() + 10'000'000);
  const Seen& seen = get(2);
  EXPECT_EQ(seen.end.fault, Fault::none) << seen.end.note;
  EXPECT_FALSE(seen.reused);
}

TEST_F(Engine, ServesAServerThatClosesEachConnection) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  });
  connect(server->url());
  for (uint32_t tag = 0; tag < 10; ++tag) {
    EXPECT_EQ(get(tag).end.fault, Fault::none);
    EXPECT_FALSE(events.seen[tag].reused);
  }
  EXPECT_EQ(server->connections(), 10);
}

TEST_F(Engine, AnEarlyAnswerToALargeBodyIsAnAnswer) {
  server.emplace([](Peer& peer, int) {
    peer.some();
    peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    while (!peer.some().empty()) {
    }
  });
  connect(server->url());
  const std::string body(20'000'000, 'x');
  ClientRequest request;
  request.method = "POST";
  request.body = body;
  const Seen& seen = go(1, request);
  EXPECT_EQ(seen.head.substr(0, 12), "HTTP/1.1 413");
}

TEST_F(Engine, CancelledIsNotHeardOfAgain) {
  server.emplace([](Peer& peer, int) {
    peer.request();
    peer.request();
  });
  connect(server->url());
  engine().submit(3, {});
  engine().poll(clock.now_ns() + 20'000'000);
  engine().cancel(3);
  engine().poll(clock.now_ns() + 20'000'000);
  EXPECT_FALSE(events.seen[3].done);
}

TEST_F(Engine, RefusedAndUnknownHost) {
  connect("http://127.0.0.1:1/");
  EXPECT_EQ(get(1).end.fault, Fault::refused);
  Recorder recorder;
  ClientConfig other;
  other.url = parse_url("http://no-such-host.invalid/");
  CurlEngine one(other, 4, clock, recorder);
  one.submit(0, {});
  const int64_t until = clock.now_ns() + kPatience;
  while (!recorder.seen[0].done && clock.now_ns() < until) one.poll(until);
  EXPECT_EQ(recorder.seen[0].end.fault, Fault::dns);
}

TEST_F(Engine, PlainTextIsNoTls) {
  server.emplace([](Peer& peer, int) {
    peer.some();
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  connect("https://127.0.0.1:" + std::to_string(server->port()) + "/");
  EXPECT_EQ(get(1).end.fault, Fault::tls);
}

TEST_F(Engine, SpeaksThroughAUnixSocket) {
  const test::TempDir folder;
  const std::string path = (folder.path() / "s").string();
  server.emplace(always(kOk), path);
  connect("unix:" + path + ":/x");
  EXPECT_EQ(get(1, "/x").body, "ok");
}

TEST(Probe, NamesTheSocketThatItCouldNotConnectTo) {
  const test::TempDir folder;
  const auto note = [&](const std::string& name) {
    ClientConfig config;
    config.url = parse_url("unix:" + (folder / name) + ":/x");
    const TransferEnd end = probe(config);
    EXPECT_EQ(end.fault, Fault::refused);
    return end.note;
  };
  EXPECT_EQ(note("s"), "cannot connect to the socket " + (folder / "s") + ": No such file or directory");
  folder.file("file", "");
  EXPECT_EQ(note("file"), (folder / "file") + " is a file and no socket");
}

TEST_F(Engine, OpensConnectionsAheadAndUsesThem) {
  server.emplace(always(kOk));
  connect(server->url());
  TransferEnd failure;
  EXPECT_EQ(engine().open_connections(8, "/health", clock.now_ns() + kPatience, failure), 8u);
  EXPECT_EQ(failure.fault, Fault::none);
  EXPECT_EQ(server->connections(), 8);
  for (uint32_t tag = 0; tag < 8; ++tag) engine().submit(tag, {});
  for (uint32_t tag = 0; tag < 8; ++tag) EXPECT_TRUE(wait(tag).reused) << tag;
  EXPECT_EQ(server->connections(), 8);
}

TEST_F(Engine, SaysWhyNoConnectionCouldBeOpened) {
  connect("http://127.0.0.1:1/");
  TransferEnd failure;
  EXPECT_EQ(engine().open_connections(3, "/", clock.now_ns() + kPatience, failure), 0u);
  EXPECT_EQ(failure.fault, Fault::refused);
  EXPECT_EQ(probe(config).fault, Fault::refused);
}

TEST_F(Engine, ManyAtOnceAreAllAnsweredOnce) {
  server.emplace(always(kOk));
  connect(server->url());
  for (uint32_t round = 0; round < 5; ++round) {
    events.seen.clear();
    for (uint32_t tag = 0; tag < 64; ++tag) engine().submit(tag, {});
    for (uint32_t tag = 0; tag < 64; ++tag) EXPECT_EQ(wait(tag).body, "ok");
  }
  EXPECT_LE(server->connections(), 64);
}

TEST_F(Engine, FetchGivesStatusAndBody) {
  server.emplace(always("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"));
  connect(server->url());
  const FetchedReply reply = fetch(config, {}, kPatience);
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.body, "nope");
}

TEST_F(Engine, PollReturnsAtItsDeadline) {
  connect("http://127.0.0.1:1/");
  const int64_t until = clock.now_ns() + 5'000'000;
  while (clock.now_ns() < until) engine().poll(until);
  engine().poll(0);  // long past: does not wait
}

}  // namespace
}  // namespace mlq::http
