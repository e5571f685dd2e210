#include "lib/http/server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "gtest/gtest.h"
#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/http/address.h"
#include "tests/support/socket_client.h"
#include "tests/support/temp_dir.h"

namespace mlq::http {
namespace {

using test::SocketClient;

// A server on a thread of its own, which ends with it. A handler may take the reactor, too.
class Running {
 public:
  template <class Handle>
  explicit Running(Handle handle, const ServerOptions& options = {})
      : server_(reactor_, options,
                [this, handle](Request& request, const Reply& reply) {
                  if constexpr (std::is_invocable_v<Handle, Reactor&, Request&, const Reply&>)
                    handle(reactor_, request, reply);
                  else
                    handle(request, reply);
                }),
        thread_([this] { reactor_.run(); }) {}
  ~Running() {
    reactor_.stop(0);
    thread_.join();
  }
  Server* operator->() { return &server_; }

 private:
  Reactor reactor_;
  Server server_;
  std::thread thread_;
};

void echo(const Request& request, const Reply& reply) {
  const std::string body = std::string(request.method) + ' ' + std::string(request.target) + ' ' +
                           std::string(request.header("x-MARK")) + ' ' + std::string(request.body);
  reply.send({.content_type = "text/plain", .headers = "X-Own: 1\r\n", .body = body});
}

int lowest_free_descriptor() {
  const int fd = ::dup(0);
  ::close(fd);
  return fd;
}

TEST(Server, AnswersOneRequestAfterTheOtherOnOneConnection) {
  Running server(echo);
  SocketClient client(server->port());
  for (int k = 0; k < 3; ++k) {
    ASSERT_TRUE(client.request("/a?b=" + std::to_string(k), k == 1 ? "hello" : "", "X-Mark: m\r\n"));
    const auto answer = client.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, k == 1 ? "POST /a?b=1 m hello" : "GET /a?b=" + std::to_string(k) + " m ");
    EXPECT_NE(answer.head.find("X-Own: 1\r\n"), std::string::npos);
    EXPECT_EQ(answer.head.find("Connection:"), std::string::npos);
  }
}

TEST(Server, AnswersInOrderWhatWasSentAhead) {
  Running server(echo);
  SocketClient client(server->port());
  std::string all;
  for (int k = 0; k < 500; ++k) all += "GET /" + std::to_string(k) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_TRUE(client.send(all));
  client.end_sending();
  for (int k = 0; k < 500; ++k) ASSERT_EQ(client.answer().body, "GET /" + std::to_string(k) + "  ");
  EXPECT_EQ(client.rest(), "");
}

TEST(Server, ReadsARequestThatComesByteByByte) {
  Running server(echo);
  SocketClient client(server->port());
  for (const char c : std::string_view("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "3\r\nabc\r\n2;note=1\r\nde\r\n0\r\n\r\n"))
    ASSERT_TRUE(client.send({&c, 1}));
  EXPECT_EQ(client.answer().body, "POST /x  abcde");
}

TEST(Server, UrlNamesThePortThatWasFree) {
  Running server(echo);
  EXPECT_NE(server->port(), 0);
  EXPECT_EQ(server->url(), "http://127.0.0.1:" + std::to_string(server->port()));
  ServerOptions same;
  same.port = server->port();
  try {
    Reactor reactor;
    Server second(reactor, same, echo);
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ExitKind::environment);
    EXPECT_EQ(error.what(),
              fmt::format("127.0.0.1:{}: cannot listen: another program listens there; stop it, or "
                          "give another port",
                          same.port));
  }
}

TEST(Server, ListensOnAUnixSocketAndTakesItsNameAway) {
  const test::TempDir folder;
  ServerOptions options;
  options.unix_path = folder / "server.sock";
  for (int round = 0; round < 2; ++round) {
    Running server(echo, options);
    EXPECT_EQ(server->url(), "unix:" + options.unix_path);
    SocketClient client(options.unix_path);
    ASSERT_TRUE(client.request("/u"));
    EXPECT_EQ(client.answer().body, "GET /u  ");
    Reactor reactor;
    EXPECT_THROW(Server(reactor, options, echo), Error) << "the socket is in use";
  }
  struct stat info {};
  EXPECT_NE(::stat(options.unix_path.c_str(), &info), 0);
}

TEST(Server, SaysWhatIsWhereItsSocketWasToBe) {
  const test::TempDir folder;
  ServerOptions options;
  const auto refusal = [&](const std::string& name) -> std::string {
    options.unix_path = folder / name;
    Reactor reactor;
    try {
      const Server server(reactor, options, echo);
    } catch (const Error& error) {
      return std::string(error.what()).substr(options.unix_path.size());
    }
    return "";
  };
  folder.file("file", "precious");
  std::filesystem::create_symlink("nowhere", folder / "link");
  std::filesystem::create_directory(folder / "folder");
  const std::string rest = ", which is not replaced; remove it, or give another path";
  EXPECT_EQ(refusal("file"), ": cannot listen: it is a file" + rest);
  EXPECT_EQ(refusal("link"), ": cannot listen: it is a link to nothing" + rest);
  EXPECT_EQ(refusal("folder"), ": cannot listen: it is a folder" + rest);
  EXPECT_EQ(test::slurp(folder / "file"), "precious");
  options.unix_path = folder / "socket";
  Running server(echo, options);
  EXPECT_EQ(refusal("socket"),
            ": cannot listen: another server listens on it; stop it, or give another path");
}

TEST(Server, ReplacesASocketThatNobodyListensOn) {
  const test::TempDir folder;
  ServerOptions options;
  options.unix_path = folder / "s.sock";
  const Address address = unix_address(options.unix_path);
  const Fd left(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(left.get(), address.get(), address.size), 0);
  Running server(echo, options);
  SocketClient client(options.unix_path);
  EXPECT_TRUE(client.request("/"));
}

TEST(Server, AnswersLaterFromATimer) {
  std::atomic<bool> early{false};
  Running server([&early](Reactor& self, const Request&, const Reply& reply) {
    const int64_t due = Reactor::now_ns() + 2'000'000;
    self.call_at(due, [&early, reply, due] {
      if (Reactor::now_ns() < due) early = true;
      reply.send({.body = "late"});
    });
  });
  SocketClient client(server->port());
  for (int k = 0; k < 5; ++k) {
    client.request("/");
    EXPECT_EQ(client.answer().body, "late");
  }
  EXPECT_FALSE(early);
}

TEST(Server, CallsTimersInTheOrderOfTheirTimes) {
  std::vector<int> order;
  Reactor reactor;
  Server server(reactor, {}, echo);
  const int64_t now = Reactor::now_ns();
  reactor.call_at(now + 2'000'000, [&] { order.push_back(3); });
  reactor.call_at(now + 1'000'000, [&] { order.push_back(1); });
  reactor.call_at(now + 1'000'000, [&] { order.push_back(2); });
  reactor.call_at(now + 3'000'000, [&] { reactor.stop(0); });
  reactor.call_at(now - 1, [&] { order.push_back(0); });
  reactor.run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(Server, StreamsInChunks) {
  Running server([](const Request&, const Reply& reply) {
    reply.start({.content_type = "text/event-stream"});
    reply.write("data: 1\n\n");
    reply.write("");
    reply.write("data: 2\n\n");
    EXPECT_TRUE(reply.open());
    reply.finish();
    reply.write("too late");
    EXPECT_FALSE(reply.open());
  });
  SocketClient client(server->port());
  for (int k = 0; k < 2; ++k) {
    client.request("/");
    const auto answer = client.answer();
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body, "data: 1\n\ndata: 2\n\n");
  }
}

TEST(Server, StreamsToHttp10UntilTheConnectionEnds) {
  Running server([](const Request&, const Reply& reply) {
    reply.start({});
    reply.write("abc");
    reply.finish();
  });
  SocketClient client(server->port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const std::string all = client.rest();
  EXPECT_EQ(all.find("chunked"), std::string::npos);
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("\r\n\r\nabc"));
}

TEST(Server, SendsALargeBodyFromItsSource) {
  constexpr uint64_t kLength = 50'000'000;
  Running server([](const Request&, const Reply& reply) {
    reply.send_from({}, kLength, [](char* out, size_t room) {
      std::memset(out, 'x', room);
      return room;
    });
  });
  SocketClient client(server->port());
  for (int k = 0; k < 2; ++k) {
    client.request("/");
    const auto answer = client.answer();
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body.size(), kLength);
  }
}

TEST(Server, EndsTheConnectionWhereASourceEndsEarly) {
  Running server([](const Request&, const Reply& reply) {
    reply.send_from({}, 100, [left = 3](char* out, size_t) mutable -> size_t {
      *out = 'y';
      return left-- > 0 ? 1 : 0;
    });
  });
  SocketClient client(server->port());
  client.request("/");
  const auto answer = client.answer();
  EXPECT_FALSE(answer.whole);
  EXPECT_EQ(answer.body, "yyy");
  EXPECT_FALSE(client.was_reset());
}

TEST(Server, HasNoBodyForHeadAnd204) {
  Running server([](const Request& request, const Reply& reply) {
    if (request.target == "/none") return reply.send({.status = 204});
    reply.send({.body = "12345"});
  });
  SocketClient client(server->port());
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.rest();
  EXPECT_NE(all.find("Content-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n"), std::string::npos) << all;
  EXPECT_TRUE(all.ends_with("Connection: close\r\n\r\n")) << all;
}

TEST(Server, RefusesABodyOverTheLimitBeforeItHasBeenSent) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  Running server(echo, options);
  SocketClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.answer().status, 413);
  EXPECT_EQ(client.rest(), "");

  SocketClient chunks(server->port());
  chunks.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int k = 0; k < 20; ++k) chunks.send("64\r\n" + std::string(100, 'z') + "\r\n");
  EXPECT_EQ(chunks.answer().status, 413);

  SocketClient fits(server->port());
  fits.request("/", std::string(1000, 'z'));
  EXPECT_EQ(fits.answer().status, 200);
}

TEST(Server, RefusesAnEndlessHeadAndWhatIsNoHttp) {
  Running server(echo);
  SocketClient client(server->port());
  client.send("GET / HTTP/1.1\r\nX: " + std::string(70'000, 'h'));
  EXPECT_EQ(client.answer().status, 431);
  SocketClient other(server->port());
  other.send("what is this\r\n\r\n");
  EXPECT_EQ(other.answer().status, 400);
  EXPECT_EQ(other.rest(), "");
}

TEST(Server, AsksForABodyThatWaitsToBeAskedFor) {
  Running server(echo);
  SocketClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.take(25), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ab");
  EXPECT_EQ(client.answer().body, "POST /  ab");
}

TEST(Server, ResetsOnRequest) {
  Running server([](const Request&, const Reply& reply) {
    reply.reset();
    EXPECT_FALSE(reply.open());
    reply.send({});
  });
  SocketClient client(server->port());
  client.request("/");
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.was_reset());
}

TEST(Server, ClosesAfterAnAnswerThatSaysSo) {
  Running server([](const Request& request, const Reply& reply) {
    reply.send({.body = "x", .close = request.ordinal == 1});
  });
  SocketClient client(server->port());
  client.request("/");
  EXPECT_EQ(client.answer().head.find("Connection:"), std::string::npos);
  client.request("/");
  EXPECT_NE(client.answer().head.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(client.rest(), "");
  EXPECT_FALSE(client.was_reset());
}

TEST(Server, AnswersAClientThatHasSaidAll) {
  Running server([](Reactor& self, const Request&, const Reply& reply) {
    self.call_at(Reactor::now_ns() + 5'000'000, [reply] { reply.send({.body = "still here"}); });
  });
  SocketClient client(server->port());
  client.request("/");
  client.end_sending();
  EXPECT_EQ(client.answer().body, "still here");
  EXPECT_EQ(client.rest(), "");
}

TEST(Server, DripsAndReadsSlowlyButCompletely) {
  ServerOptions options;
  options.write_rate = 100'000;
  options.read_rate = 100'000;
  Running server(echo, options);
  SocketClient client(server->port());
  const std::string body(5'000, 'b');
  client.request("/", body);
  EXPECT_EQ(client.answer().body, "POST /  " + body);
}

TEST(Server, EndsWhenTheAnswersUnderWayHaveBeenSent) {
  Reactor reactor;
  Server server(reactor, {}, [&](const Request&, const Reply& reply) {
    reactor.stop(60'000'000'000);
    reactor.call_at(Reactor::now_ns() + 20'000'000, [reply] { reply.send({.body = "the last"}); });
  });
  std::thread thread([&] { reactor.run(); });
  {
    SocketClient idle(server.port());
    SocketClient client(server.port());
    client.request("/");
    EXPECT_EQ(client.answer().body, "the last");
    EXPECT_EQ(client.rest(), "");
    EXPECT_EQ(idle.rest(), "");
  }
  thread.join();
  EXPECT_THROW(SocketClient late(server.port()), std::runtime_error);
}

TEST(Server, EndsByTheStopFlag) {
  StopFlag stop;
  Reactor reactor;
  Server server(reactor, {}, echo);
  std::thread thread([&] { reactor.run(&stop); });
  SocketClient client(server.port());
  client.request("/");
  EXPECT_EQ(client.answer().status, 200);
  stop.request(SIGTERM);
  thread.join();
}

TEST(Server, PassesOnWhatAHandlerThrows) {
  Reactor reactor;
  Server server(reactor, {}, [](const Request&, const Reply&) { throw environment_error("disk full"); });
  std::thread thread([&] { EXPECT_THROW(reactor.run(), Error); });
  SocketClient client(server.port());
  client.request("/");
  thread.join();
}

TEST(Server, OutlivesTheLackOfDescriptors) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Running server(echo);
  SocketClient first(server->port());  // so that the server is at work, with all descriptors that it needs
  first.request("/");
  ASSERT_EQ(first.answer().status, 200);
  // Room for the next client's socket, none for the server's end of it.
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free_descriptor() + 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  SocketClient starved(server->port());
  starved.request("/");
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(starved.answer().status, 200);
}

}  // namespace
}  // namespace mlq::http
