// kill -9 at each step of the loop, and in the middle of a change, with endpoints of every type: the next
// start puts back what was good, the journal is whole, and a search goes on with the decisions of an unbroken
// one.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <stdexcept>

#include "tests/http/running_server.h"
#include "tests/tune/drive_support.h"
#include "tests/tune/fake_endpoint.h"
#include "tests/tune/scripts.h"

namespace mlq::tune {
namespace {

using test::script;
using test::text;

constexpr const char* kStart = R"({"a":0,"b":0})";
const test::FastClock kClock;

// Steps of the loop around a real actuator, as those of a fake one.
class SteppedActuator final : public Actuator {
 public:
  SteppedActuator(std::unique_ptr<Actuator> real, const Hook& hook) : real_(std::move(real)), hook_(hook) {}
  std::optional<Config> read(const StopFlag& stop) override {
    hook_("read");
    return real_->read(stop);
  }
  Applied apply(const Config& config, const StopFlag& stop, bool ignore_stop) override {
    hook_("apply");
    const Applied out = real_->apply(config, stop, ignore_stop);
    EXPECT_EQ(out.result, ApplyResult::applied) << out.note;
    hook_("applied");
    return out;
  }
  std::vector<std::string> describe(const Config& config) const override { return real_->describe(config); }
  bool can_verify() const override { return real_->can_verify(); }
  void finish() override { real_->finish(); }

 private:
  std::unique_ptr<Actuator> real_;
  const Hook& hook_;
};

// GET and PUT /config, in a file; whoever has written `kill` is killed before or after the change.
class KillingServer {
 public:
  explicit KillingServer(const mlq::test::TempDir& folder)
      : folder_(folder), server_([this](http::Request& request, const http::Reply& reply) {
          if (request.target == "/up") return reply.send({is_up() ? 200 : 503});
          if (request.method == "PUT") {
            kill_at("before");
            std::ofstream(folder_ / "state") << request.body;
            kill_at("after");
          }
          reply.send({200, "application/json", {}, slurp(folder_ / "state")});
        }) {}
  std::string url(const std::string& target = "/config") { return server_->url() + target; }
  std::atomic<pid_t> client{0};

 private:
  // The process in the pid file has come so far as to say so.
  bool is_up() const {
    const std::string up = folder_ / "up", pid = folder_ / "pid";
    if (::access(up.c_str(), F_OK) != 0 || ::access(pid.c_str(), F_OK) != 0) return false;
    std::string error;
    const auto json = Json::parse(slurp(pid), error);
    return json && json->find("pid")->text() + "\n" == slurp(up);
  }
  void kill_at(const std::string& point) {
    const std::string path = folder_ / "kill";
    if (::access(path.c_str(), F_OK) != 0 || slurp(path) != point) return;
    ::unlink(path.c_str());
    while (client == 0) ::usleep(100);
    ::kill(client, SIGKILL);
  }
  const mlq::test::TempDir& folder_;
  mlq::test::RunningServer server_;
};

// An endpoint of a real type. Its truth is the file `state`, or the arguments of the process that runs.
struct KilledWorld : FakeWorld {
  const std::string type;
  KillingServer http{folder};

  explicit KilledWorld(std::string type_of) : type(std::move(type_of)) {
    options.budget = 3;
    options.baseline = 0;
    options.confirm_pairs = 0;
    live_options.confirm_pairs = 2;
    endpoint.safety.dwell_ns = 0;
    endpoint.start = parse_config(kStart, "start");
    server.file = folder / "state";
    folder.file("state", kStart);
    folder.file("config.json", kStart);
    server.in_force = [this] { return type == "exec" ? running() : without_line_end(slurp(server.file)); };
    live_options.unverified = true;  // env and file have no read-back of their own
    connect();
    // There is a server to be tuned.
    if (type == "exec") endpoint.actuator->apply(*endpoint.start, StopFlag(), false);
  }
  ~KilledWorld() { endpoint.actuator->finish(); }

  // As a new process would.
  void connect() {
    const ActuatorContext context{"killed", nullptr, &kClock, endpoint.space.get(), folder / "pid", {}};
    endpoint.actuator = std::make_unique<SteppedActuator>(make_actuator(json(), context), server.hook);
  }

 private:
  // Kills its parent, the process that tunes, if `kill` says this point.
  static std::string killing(const std::string& change) {
    const std::string point =
        R"sh(p() { [ "$(cat kill 2>/dev/null)" = $1 ] && rm kill && kill -9 $PPID && exit 1; }; )sh";
    return point + "p before; " + change + "; p after";
  }
  std::string json() {
    const std::string cwd = R"(,"cwd":)" + text(folder.path().string());
    if (type == "http")
      return R"({"type":"http","steps":[{"send":{"method":"PUT","url":")" + http.url() +
             R"(","json":{"a":"${a}","b":"${b}"}}}],"verify":{"url":")" + http.url() +
             R"(","equals":{"/a":"${a}","/b":"${b}"}}})";
    if (type == "file")
      return R"({"type":"file","path":)" + text(folder / "config.json") + cwd +
             R"(,"patch":{"/a":"${a}","/b":"${b}"},"reload":{"exec":["sh","-c",)" +
             script(killing("cp config.json new; mv new state") + "; true") + "]}}";
    if (type == "exec")
      return R"({"type":"exec","stop_servers":true,"ready":{"url":")" + http.url("/up") +
             R"(","timeout":"20000s"})" + cwd + R"(,"start":["sh","-c",)" +
             script(killing("true") + "; echo $$ >up.new; mv up.new up; exec sleep $1 $2") +
             R"(,"server","100${a}","100${b}"]})";
    if (type == "env")
      return R"({"type":"env","path":)" + text(folder / "env") + cwd +
             R"(,"env":{"A":"${a}","B":"${b}"},"restart":["sh","-c",)" +
             script(killing(R"(. ./env; echo "{\"a\":$A,\"b\":$B}" >new; mv new state)") + "; true") + "]}";
    return R"({"type":"pipe")" + cwd + R"(,"start":["sh","-c",)" +
           script("while read line; do c=${line#*config\\\":}; c=${c%\\}}; " +
                  killing("echo \"$c\" >new; mv new state") +
                  R"(; echo "{\"type\":\"applied\",\"ok\":true,\"config\":$c}"; done)") +
           "]}";
  }
  static std::string without_line_end(std::string line) {
    if (line.ends_with('\n')) line.pop_back();
    return line;
  }
  // What the server that the pid file names was started with.
  std::string running() const {
    std::string error;
    const auto json = Json::parse(slurp(folder / "pid"), error);
    if (!json) throw std::runtime_error("no server runs");
    const std::string cmdline = "/proc/" + json->find("pid")->text() + "/cmdline";
    std::string args = slurp(cmdline);
    // It has none while the shell makes way for sleep.
    for (int k = 0; k < 2000 && args.empty(); ++k) {
      ::usleep(1000);
      args = slurp(cmdline);
    }
    if (args.empty()) throw std::runtime_error("the server has ended");
    args.pop_back();
    const size_t b = args.rfind('\0'), a = args.rfind('\0', b - 1);
    return "{\"a\":" + args.substr(a + 4, b - a - 4) + ",\"b\":" + args.substr(b + 4) + "}";
  }
};

// Where a run is killed: at the n-th step, or in the n-th change, before or after it is in force.
struct Point {
  int step = 0;
  int change = 0;
  std::string when;
};

std::vector<Point> points_of(int steps, int changes) {
  std::vector<Point> out;
  for (int step = 1; step <= steps; ++step) out.push_back({.step = step});
  for (int change = 1; change <= changes; ++change)
    for (const char* when : {"before", "after"}) out.push_back({.change = change, .when = when});
  return out;
}

// Runs `drive` in a process of its own until it is killed there.
void run_and_kill(KilledWorld& w, const Point& point, const std::function<void(KilledWorld&)>& drive) {
  const pid_t child = ::fork();
  if (child == 0) {
    w.connect();
    int steps = 0, changes = 0;
    w.server.hook = [&](const std::string& step) {
      if (++steps == point.step) ::kill(::getpid(), SIGKILL);
      if (step == "apply" && ++changes == point.change) w.folder.file("kill", point.when);
    };
    drive(w);
    ::_exit(0);
  }
  w.http.client = child;
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
  w.connect();
}

class Killed : public testing::TestWithParam<std::string> {};

TEST_P(Killed, ASearchGoesOnWithTheSameDecisionsFromTheStart) {
  KilledWorld whole(GetParam());
  int steps = 0, changes = 0;
  whole.server.hook = [&](const std::string& step) {
    ++steps;
    if (step == "apply") ++changes;
  };
  whole.search();
  const std::vector<std::string> wanted = whole.tried();
  ASSERT_GE(steps, 12);
  ASSERT_GE(changes, 3);
  for (const Point& point : points_of(steps, changes)) {
    SCOPED_TRACE(testing::Message() << "step " << point.step << ", change " << point.change << point.when);
    KilledWorld w(GetParam());
    run_and_kill(w, point, [](KilledWorld& world) { world.search(); });
    EXPECT_NO_THROW(read_journal(w.state()));
    const auto first = w.after_next_apply();
    w.search();
    EXPECT_EQ(*first, kStart);
    EXPECT_EQ(w.tried(), wanted);
    EXPECT_EQ(w.is_set(), whole.is_set());
    EXPECT_TRUE(read_journal(w.state()).runs.back().finished());
  }
}

TEST_P(Killed, ALiveStepLeavesItToTheNextToPutBackTheLastGood) {
  KilledWorld whole(GetParam());
  int steps = 0, changes = 0;
  whole.server.hook = [&](const std::string& step) {
    ++steps;
    if (step == "apply") ++changes;
  };
  ASSERT_EQ(whole.live().result, LiveResult::promoted);
  for (const Point& point : points_of(steps, changes)) {
    SCOPED_TRACE(testing::Message() << "step " << point.step << ", change " << point.change << point.when);
    KilledWorld w(GetParam());
    run_and_kill(w, point, [](KilledWorld& world) { world.live(); });
    const auto first = w.after_next_apply();
    w.live();
    EXPECT_EQ(*first, kStart);
    EXPECT_TRUE(w.happened("recovered"));
    EXPECT_EQ(config_json(*last_good(read_journal(w.state()))), w.is_set());
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Killed, testing::Values("http", "file", "exec", "env", "pipe"),
                         [](const testing::TestParamInfo<std::string>& type) { return type.param; });

}  // namespace
}  // namespace mlq::tune
