#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/tune/actuator/actuator.h"
#include "lib/tune/actuator/child.h"
#include "tests/support/temp_dir.h"
#include "tests/tune/fake_endpoint.h"
#include "tests/tune/scripts.h"

namespace mlq::tune {
namespace {

using mlq::test::slurp;
using mlq::test::TempDir;
using test::FakeEndpoint;
using test::FastClock;
using test::Misdeed;
using test::script;
using test::text;

const FastClock kClock;
const StopFlag kGoOn;

ActuatorContext context(const std::string& pid_file = "") {
  return {"s.json: actuator",
          [](const std::string&) { return std::string("hunter2"); },
          &kClock,
          nullptr,
          pid_file,
          {}};
}
Config rows(int64_t n) { return {{"rows", n}}; }
std::unique_ptr<Actuator> make(const std::string& json, const std::string& pid_file = "") {
  return make_actuator(json, context(pid_file));
}
bool runs(int pid) { return pid > 0 && process_start(pid).has_value(); }

// A server that writes down what it was started with, and then sleeps.
std::string server(const TempDir& dir, const std::string& before_sleep = "", const std::string& more = "") {
  return R"({"type":"exec","stop_servers":true,"log":)" + text(dir / "log") + more +
         R"(,"start":["sh","-c",)" +
         script("echo $1 >" + (dir / "state") + "; " + before_sleep + " exec sleep 1000") +
         R"(,"server","${rows}"]})";
}
// What was written last, once it is what is waited for: a server has started before it has written.
std::string state(const TempDir& dir, const std::string& wanted) {
  std::string seen = "nothing";
  for (int k = 0; k < 2000 && seen != wanted; ++k) {
    if (::access((dir / "state").c_str(), F_OK) == 0) seen = slurp(dir / "state");
    if (seen != wanted) ::usleep(5000);
  }
  return seen;
}

TEST(ActuatorExec, AServerIsReplacedByOneWithOtherArguments) {
  const TempDir dir;
  const auto actuator = make(server(dir));
  EXPECT_EQ(actuator->read(kGoOn), std::nullopt);
  const Applied first = actuator->apply(rows(1), kGoOn);
  EXPECT_EQ(first.result, ApplyResult::applied) << first.note;
  EXPECT_EQ(first.verified, "argv");
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":1})");
  const int pid = actuator->server_pid();
  EXPECT_TRUE(runs(pid));
  EXPECT_EQ(actuator->apply(rows(2), kGoOn).result, ApplyResult::applied);
  EXPECT_FALSE(runs(pid));
  EXPECT_EQ(state(dir, "2\n"), "2\n");
  const int second = actuator->server_pid();
  actuator->finish();
  EXPECT_FALSE(runs(second));
}

TEST(ActuatorExec, TheDeathOfAServerIsKnownAndNoErrorOfARead) {
  const TempDir dir;
  auto endpoint = std::make_unique<FakeEndpoint>(R"({"rows":1})");
  const auto actuator = make(server(
      dir, "", R"(,"verify":{"url":")" + endpoint->url("/config") + R"(","equals":{"/rows":"${rows}"}})"));
  EXPECT_TRUE(actuator->starts_server());
  EXPECT_EQ(actuator->death(), "");
  ASSERT_EQ(actuator->apply(rows(1), kGoOn).result, ApplyResult::applied);
  EXPECT_EQ(actuator->death(), "");
  ::kill(actuator->server_pid(), SIGKILL);
  for (int k = 0; k < 2000 && actuator->death().empty(); ++k) ::usleep(5000);
  EXPECT_EQ(actuator->death(),
            "the server died: it was ended by signal 9; its output is in " + (dir / "log"));
  endpoint.reset();  // nothing answers a read any more
  EXPECT_EQ(actuator->read(kGoOn), std::nullopt);
}

TEST(ActuatorExec, AServerThatDiesAtOnceIsAConfigurationThatIsRefused) {
  const TempDir dir;
  FakeEndpoint endpoint("{}");
  endpoint.ready_after(1'000'000'000);
  const auto actuator = make(
      server(dir, "exit 7;", R"(,"ready":{"url":")" + endpoint.url("/ready") + R"(","timeout":"20000s"})"));
  const Applied applied = actuator->apply(rows(1), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::refused);
  EXPECT_EQ(applied.note, "the server died: it ended with exit status 7; its output is in " + (dir / "log"));
  EXPECT_EQ(actuator->read(kGoOn), std::nullopt);
  const Applied missing = make(R"({"type":"exec","start":["/nowhere/server"]})")->apply(rows(1), kGoOn);
  EXPECT_EQ(missing.result, ApplyResult::broken);
  EXPECT_EQ(missing.note, "/nowhere/server: cannot be started: No such file or directory");
}

TEST(ActuatorExec, AServerThatIgnoresSigtermIsKilledAfterTheGrace) {
  const TempDir dir;
  const auto actuator = make(server(dir, "trap '' TERM;", R"(,"grace":"2s")"));
  EXPECT_EQ(actuator->apply(rows(1), kGoOn).result, ApplyResult::applied);
  EXPECT_EQ(state(dir, "1\n"), "1\n");
  const int pid = actuator->server_pid();
  actuator->finish();
  EXPECT_FALSE(runs(pid));
}

TEST(ActuatorExec, WhatTheServerHasStartedGoesWithIt) {
  const TempDir dir;
  const auto actuator = make(server(dir, "sleep 1000 & echo $! >" + (dir / "worker") + ";"));
  EXPECT_EQ(actuator->apply(rows(1), kGoOn).result, ApplyResult::applied);
  EXPECT_EQ(state(dir, "1\n"), "1\n");
  while (::access((dir / "worker").c_str(), F_OK) != 0 || slurp(dir / "worker").empty()) ::usleep(1000);
  const int worker = std::stoi(slurp(dir / "worker"));
  EXPECT_TRUE(runs(worker));
  actuator->finish();
  for (int k = 0; k < 2000 && runs(worker); ++k) ::usleep(5000);
  EXPECT_FALSE(runs(worker));
}

TEST(ActuatorExec, TheServerOfARunThatWasKilledIsTakenOver) {
  const TempDir dir;
  const std::string pid_file = dir / "pid";
  int pid = 0;
  {
    const auto killed = make(server(dir), pid_file);  // it is left as by kill -9: without finish()
    EXPECT_EQ(killed->apply(rows(1), kGoOn).result, ApplyResult::applied);
    pid = killed->server_pid();
  }
  EXPECT_TRUE(runs(pid));
  const auto next = make(server(dir), pid_file);
  EXPECT_EQ(next->server_pid(), pid);
  EXPECT_EQ(config_json(*next->read(kGoOn)), R"({"rows":1})");
  EXPECT_EQ(next->apply(rows(2), kGoOn).result, ApplyResult::applied);
  EXPECT_FALSE(runs(pid));
  EXPECT_TRUE(runs(next->server_pid()));
  next->finish();
  EXPECT_NE(::access(pid_file.c_str(), F_OK), 0);
}

TEST(ActuatorExec, AnotherProcessWithTheSameNumberIsLeftAlone) {
  const TempDir dir;
  const std::string pid_file = dir / "pid";
  Child stranger = Child::start({{"sleep", "1000"}, {}, "", ""});
  const std::string stale = R"({"pid":)" + std::to_string(stranger.name().pid) + R"(,"start":)" +
                            std::to_string(stranger.name().start - 1) + R"(,"boot":)" + text(boot_id()) +
                            R"(,"config":{"rows":9}})";
  dir.file("pid", stale);
  const auto actuator = make(server(dir), pid_file);
  EXPECT_EQ(actuator->read(kGoOn), std::nullopt);
  EXPECT_EQ(actuator->apply(rows(1), kGoOn).result, ApplyResult::applied);
  actuator->finish();
  EXPECT_TRUE(stranger.alive());
  stranger.stop(kClock, 1'000'000'000);
}

TEST(ActuatorExec, AServerIsKnownBeforeItRuns) {
  const TempDir dir;
  bool ran_before = true;
  Child child = Child::start({{"touch", dir / "ran"}, {}, "", ""}, -1, -1, [&](const ProcessName& name) {
    ::usleep(20'000);
    ran_before = ::access((dir / "ran").c_str(), F_OK) == 0;
    EXPECT_EQ(process_start(name.pid), name.start);
  });
  EXPECT_FALSE(ran_before);
  const Attempt attempt(kClock, nullptr);
  EXPECT_TRUE(child.wait(attempt, attempt.now_ns() + 3'000'000'000'000));
  EXPECT_EQ(child.exit_status(), 0);
}

TEST(ActuatorExec, EnvironmentIsSetAndSecretsAreNotShown) {
  const TempDir dir;
  const auto actuator = make(
      R"({"type":"exec","stop_servers":true,"env":{"ROWS":"${rows}","KEY":"@env:KEY"},"start":["sh","-c",)" +
      script("echo $ROWS $KEY >" + (dir / "state") + "; exec sleep 1000") + "]}");
  EXPECT_EQ(actuator->apply(rows(3), kGoOn).result, ApplyResult::applied);
  EXPECT_EQ(state(dir, "3 hunter2\n"), "3 hunter2\n");
  for (const std::string& line : actuator->describe(rows(3)))
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
  EXPECT_NE(actuator->describe(rows(3)).back().find("ROWS=3 KEY=***"), std::string::npos);
  actuator->finish();
}

// A file that an endpoint reads when it is told to.
std::string file_json(const std::string& path, FakeEndpoint& endpoint, const std::string& timeout = "2000s") {
  return R"({"type":"file","path":)" + text(path) +
         R"(,"patch":{"/rows":"${rows}"},"reload":{"send":{"url":")" + endpoint.url("/reload") +
         R"(","timeout":")" + timeout + R"("}},"verify":{"url":")" + endpoint.url("/config") +
         R"(","equals":{"/rows":"${rows}"}}})";
}

TEST(ActuatorFile, TheFileIsPatchedWholeAndTheServerToldToReadIt) {
  const TempDir dir;
  const std::string path = dir.file("config.json", R"({"keep":"me","rows":1})");
  FakeEndpoint endpoint(R"({"rows":1})");
  endpoint.read_from(path);
  const auto actuator = make(file_json(path, endpoint));
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(slurp(path), "{\"keep\":\"me\",\"rows\":8}\n");
  EXPECT_EQ(dir.listing(), "config.json");
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":8})");
}

TEST(ActuatorFile, KilledBetweenWriteAndReloadTheNewFileIsWhole) {
  const TempDir dir;
  const std::string path = dir.file("config.json", R"({"rows":1})");
  FakeEndpoint endpoint(R"({"rows":1})");
  endpoint.read_from(path);
  endpoint.misbehave(Misdeed::hang);
  const std::string json = file_json(path, endpoint, "1000000s");
  const pid_t tuner = ::fork();
  if (tuner == 0) {
    make(json)->apply(rows(8), kGoOn);
    ::_exit(0);
  }
  while (endpoint.writes() == 0) ::usleep(1000);
  ::kill(tuner, SIGKILL);
  ::waitpid(tuner, nullptr, 0);
  EXPECT_EQ(slurp(path), "{\"rows\":8}\n");
  EXPECT_EQ(dir.listing(), "config.json");
  endpoint.behave();
  EXPECT_EQ(make(json)->apply(rows(1), kGoOn).result, ApplyResult::applied);
  EXPECT_EQ(endpoint.knobs(), "{\"rows\":1}\n");
}

TEST(ActuatorFile, AProcessIsToldBySignal) {
  const TempDir dir;
  Child daemon = Child::start({{"sh", "-c",
                                "trap 'cp " + (dir / "conf") + " " + (dir / "state") + "' HUP; echo x >" +
                                    (dir / "up") + "; while :; do sleep 0.01; done"},
                               {},
                               "",
                               ""});
  while (::access((dir / "up").c_str(), F_OK) != 0) ::usleep(1000);
  dir.file("pid", std::to_string(daemon.name().pid) + "\n");
  const auto actuator = make(R"({"type":"file","path":)" + text(dir / "conf") +
                             R"(,"template":"rows = ${rows}\n","reload":{"signal":"HUP","pid_file":)" +
                             text(dir / "pid") + "}}");
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(applied.verified, "none");
  EXPECT_EQ(state(dir, "rows = 8\n"), "rows = 8\n");
  daemon.stop(kClock, 1'000'000'000);
  daemon.alive();
  EXPECT_EQ(actuator->apply(rows(8), kGoOn).result, ApplyResult::broken) << "nobody is there to be told";
}

TEST(ActuatorEnv, LinesOfOthersStayAndTheServerIsRestarted) {
  const TempDir dir;
  const std::string path = dir.file("env", "# mine\nROWS=1\nOTHER=a b\n");
  const auto actuator = make(R"({"type":"env","path":)" + text(path) +
                             R"(,"env":{"ROWS":"${rows}","NOTE":"n $$x ${rows}"},"restart":["cp",)" +
                             text(path) + "," + text(dir / "state") + "]}");
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(slurp(dir / "state"), "# mine\nROWS=8\nOTHER=a b\nNOTE=\"n \\$x 8\"\n");
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":8})");
  const Applied refused =
      make(R"({"type":"env","path":)" + text(path) + R"(,"env":{"ROWS":"${rows}"},"restart":["false"]})")
          ->apply(rows(9), kGoOn);
  EXPECT_EQ(refused.result, ApplyResult::refused);
  EXPECT_EQ(refused.note, "false: it ended with exit status 1");
}

std::string pipe_json(const std::string& lines, const std::string& timeout = "2000s") {
  return R"({"type":"pipe","timeout":")" + timeout + R"(","grace":"5s","start":["sh","-c",)" + script(lines) +
         "]}";
}
constexpr const char* kHonest =
    R"(while read line; do c=${line#*config\":}; echo "{\"type\":\"applied\",\"ok\":true,\"gen\":7,\"cpu_ns\":5,\"config\":$c"; done)";

TEST(ActuatorPipe, AnHonestChildIsBelieved) {
  const auto actuator = make(pipe_json(kHonest));
  const Applied applied = actuator->apply(rows(8), kGoOn);
  EXPECT_EQ(applied.result, ApplyResult::applied) << applied.note;
  EXPECT_EQ(applied.verified, "readback");
  EXPECT_EQ(applied.gen, "7");
  EXPECT_EQ(applied.cpu_ns, 5);
  EXPECT_EQ(config_json(*actuator->read(kGoOn)), R"({"rows":8})");
  EXPECT_EQ(actuator->apply(rows(9), kGoOn).result, ApplyResult::applied);
}

TEST(ActuatorPipe, AChildMayLieSayNoBabbleOrDie) {
  const auto result = [](const std::string& lines, const std::string& timeout = "2000s") {
    const Applied applied = make(pipe_json(lines, timeout))->apply(rows(8), kGoOn);
    return std::string(apply_result_name(applied.result)) + ": " + applied.note;
  };
  EXPECT_EQ(result(R"(read l; echo '{"type":"applied","ok":true,"config":{"rows":1}}'; read l)"),
            "not_applied: rows is 1, not 8");
  EXPECT_EQ(result(R"(read l; echo '{"type":"applied","ok":false,"note":"too many"}'; read l)"),
            "refused: too many");
  EXPECT_TRUE(result("read l; echo yes; read l").starts_with("broken: "))
      << result("read l; echo yes; read l");
  // Whether it dies before or after it was written to, is not known.
  EXPECT_TRUE(result("exit 3").starts_with("broken: ")) << result("exit 3");
  EXPECT_NE(result("read l; read l", "1s").find("it does not answer"), std::string::npos);
}

TEST(ActuatorPipe, AChildThatDiedIsStartedAnew) {
  const TempDir dir;
  const std::string once = "if mkdir " + (dir / "once") + " 2>/dev/null; then exit 1; fi; ";
  const auto actuator = make(pipe_json(once + kHonest));
  EXPECT_EQ(actuator->apply(rows(8), kGoOn).result, ApplyResult::broken);
  EXPECT_EQ(actuator->apply(rows(8), kGoOn, true).result, ApplyResult::applied);
}

}  // namespace
}  // namespace mlq::tune
