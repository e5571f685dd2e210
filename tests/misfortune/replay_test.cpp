// Misfortunes of sending: signals in mid-run, servers that are not there or go away.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "tests/misfortune/misfortune.h"

namespace mlq::test {
namespace {

// A run that would go on for 40 s.
Command sending(std::vector<std::string> more = {}) {
  Command c;
  c.argv = {"mlq-replay", "run", "--dry-run", "--max-lag", "1h"};
  c.argv.insert(c.argv.end(), more.begin(), more.end());
  c.input = arrivals(40'000);
  return c;
}

TEST(ReplaySignal, EndsSendingAndEverythingIsWritten) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Command c = sending();
    c.signals = {signal};
    c.after_output = 3'000;
    const Result result = run(c);
    EXPECT_STATUS(result, 128 + signal);
    EXPECT_NE(result.out.find("\n{\"type\":\"summary\""), std::string::npos) << result.summary();
    const std::string end = last_line(result.out);
    EXPECT_TRUE(end.starts_with("{\"type\":\"end\"")) << end;
    EXPECT_NE(end.find("\"interrupted\":true"), std::string::npos) << end;
    EXPECT_NE(end.find("\"unsent\":"), std::string::npos) << end;
    expect_prefixed(result, "mlq-replay");
  }
}

TEST(ReplaySecond, SignalKillsARunThatCannotEnd) {
  Command c = sending({"--speed", "1000"});
  c.out = Command::Out::unread;
  c.after_output = 60'000;  // the pipe holds little more
  c.when_asleep = true;
  c.signals = {SIGINT, SIGINT};
  const Result result = run(c);
  EXPECT_EQ(result.signal, SIGINT) << result.summary();
}

TEST(ReplayReader, ThatGoesAwayInMidRunIsNoError) {
  Command c = sending();
  c.out = Command::Out::dropped;
  c.out_bytes = 3'000;
  c.limit = std::chrono::seconds(20);
  const Result result = run(c);
  EXPECT_STATUS(result, 0);
  EXPECT_EQ(result.err, "");
}

TEST(ReplayServe, EndsCleanlyAtASignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Command c;
    c.argv = {"mlq-replay", "serve", "--duration", "1h"};
    c.signals = {signal};
    c.when_asleep = true;
    const Result result = run(c);
    EXPECT_STATUS(result, 128 + signal);
    EXPECT_TRUE(result.out.starts_with("{\"type\":\"run\"")) << result.summary();
    EXPECT_EQ(last_line(result.out), R"({"type":"end","count":0,"interrupted":true})");
    EXPECT_EQ(result.err, "");
  }
}

TEST(ReplayServe, WithoutALimitIsEndedByASignalAsItShould) {
  TempDir dir;
  Command c;
  c.argv = {"mlq-replay", "serve", "-o", dir / "seen"};
  c.signals = {SIGTERM};
  c.when_asleep = true;
  const Result result = run(c);
  EXPECT_STATUS(result, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(last_line(slurp(dir / "seen")), R"({"type":"end","count":0})");
}

// A port that nobody listens on, and nobody else can take.
class DeadPort {
 public:
  DeadPort() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (fd_ < 0 || ::bind(fd_, any, size) != 0 || ::getsockname(fd_, any, &size) != 0)
      throw std::runtime_error("no port to bind");
    port_ = ntohs(address.sin_port);
  }
  ~DeadPort() { ::close(fd_); }
  DeadPort(const DeadPort&) = delete;
  DeadPort& operator=(const DeadPort&) = delete;
  std::string url() const { return "http://me:secret@127.0.0.1:" + std::to_string(port_) + "/?k=secret"; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST(ReplayServer, ThatIsNotThereIsToldBeforeTheStart) {
  const DeadPort port;
  TempDir dir;
  const std::string path = dir.file("out", "old");
  const Result result =
      run({"mlq-replay", "run", "--url", port.url(), "--header", "X-Key: secret", "-o", path}, arrivals(3));
  EXPECT_STATUS(result, 4);
  EXPECT_NE(result.err.find("no connection in 3 tries: is the server up, and the URL right?"),
            std::string::npos)
      << result.summary();
  EXPECT_EQ(result.err.find("secret"), std::string::npos) << result.err;
  expect_prefixed(result, "mlq-replay");
  EXPECT_EQ(slurp(path), "old");
}

TEST(ReplayServer, ThatGoesAwayInMidRunIsData) {
  TempDir dir;
  Command c;
  c.argv = {
      "sh", "-c",
      "PATH=" MLQ_BIN_DIR
      ":$PATH; mlq-replay serve --listen unix:s --count 5 >seen & while [ ! -S s ]; do sleep 0.05; done; "
      "mlq-replay run --url unix:s --max-lag 1h --results none; status=$?; wait; exit $status"};
  c.folder = dir.path();
  c.input = arrivals(200);
  const Result result = run(c);
  EXPECT_STATUS(result, 0);
  EXPECT_NE(result.out.find("\"planned\":200,\"sent\":"), std::string::npos) << result.summary();
  EXPECT_NE(result.out.find("\"outcome\":\"ok\",\"count\":5}"), std::string::npos) << result.summary();
}

// The three that live account for their parts, and the merge says whose is missing.
TEST(ReplayShard, ThatIsKilledIsReportedMissing) {
  TempDir dir;
  Command c;
  c.argv = {"sh", "-c",
            "PATH=" MLQ_BIN_DIR
            ":$PATH; cat >trace; mlq-replay serve --listen unix:s >seen 2>&1 & server=$!\n"
            "while [ ! -S s ]; do sleep 0.05; done\n"
            "for k in 0 1 2 3; do\n"
            "  mlq-replay run --url unix:s --shard $k/4 --start-at @start --max-clock-error none --max-lag "
            "1h -q \\\n"
            "    -o part$k trace & eval pid$k=$!\n"
            "done\n"
            "while [ ! -s start ]; do sleep 0.05; done; sleep 0.2; kill -9 $pid2\n"
            "wait $pid0 && wait $pid1 && wait $pid3 || exit 10\n"
            "wait $pid2; [ $? = 137 ] && [ ! -e part2 ] || exit 11\n"
            "kill $server; wait $server\n"
            "mlq-replay merge part0 part1 part3 >/dev/null; [ $? = 3 ] || exit 12\n"
            "mlq-replay merge --partial part0 part1 part3"};
  c.folder = dir.path();
  c.input = arrivals(1'500);
  const Result result = run(c);
  EXPECT_STATUS(result, 0);
  EXPECT_NE(result.err.find("shard 2 of 4 is missing"), std::string::npos) << result.err;
  size_t results = 0;
  for (size_t at = 0; (at = result.out.find("{\"type\":\"result\"", at)) != std::string::npos; ++at)
    ++results;
  EXPECT_EQ(results, 1'125u);
  EXPECT_NE(result.out.find("\"planned\":1125,\"sent\":1125,"), std::string::npos) << result.summary();
  EXPECT_NE(result.out.find("\"valid\":false"), std::string::npos) << result.summary();
}

}  // namespace
}  // namespace mlq::test
