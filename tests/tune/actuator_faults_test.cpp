// 200 faults, drawn with a seed, over all types of actuators: whatever happens to a candidate, the last good
// configuration is in force again after a revert, and the fault has the result that the search acts on.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>

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
constexpr const char* kPatient = "20000s";
constexpr const char* kHasty = "2s";  // for faults that only a deadline ends

Config rows(int64_t n) { return {{"rows", n}}; }

// A fault at an endpoint of some type, and what an apply must make of it.
struct Fault {
  std::string name;
  ApplyResult result;
  Misdeed misdeed = Misdeed::none;  // of its HTTP side
  bool hangs = false;
};

// An endpoint of one type: `json(timeout)` is its actuator, `now()` what is in force.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::vector<Fault> faults() const = 0;
  virtual std::unique_ptr<Actuator> make(const std::string& timeout) = 0;
  virtual void begin(const Fault& fault) = 0;
  virtual void end() = 0;
  virtual std::string now() = 0;

 protected:
  static std::unique_ptr<Actuator> from(const std::string& json, const std::string& pid_file = "") {
    return make_actuator(json, {"faults", nullptr, &kClock, nullptr, pid_file, {}});
  }
};

std::vector<Fault> http_faults() {
  return {{"500", ApplyResult::broken, Misdeed::error},
          {"timeout", ApplyResult::broken, Misdeed::hang, true},
          {"lie", ApplyResult::not_applied, Misdeed::lie},
          {"crash", ApplyResult::broken, Misdeed::reset},
          {"half answer", ApplyResult::broken, Misdeed::half},
          {"422", ApplyResult::refused, Misdeed::refuse},
          {"redirect", ApplyResult::broken, Misdeed::redirect}};
}

class HttpSubject : public Subject {
 public:
  std::vector<Fault> faults() const override { return http_faults(); }
  std::unique_ptr<Actuator> make(const std::string& timeout) override {
    return from(
        R"({"type":"http","vars":{"B":")" + endpoint_.url() +
        R"("},"steps":[{"read":{"url":"$B/config","as":"cfg"}},{"patch":"cfg","set":{"/rows":"${rows}"}},
          {"send":{"method":"PUT","url":"$B/config","json":"${cfg}","timeout":")" +
        timeout + R"("}}],"verify":{"url":"$B/config","equals":{"/rows":"${rows}"}}})");
  }
  void begin(const Fault& fault) override { endpoint_.misbehave(fault.misdeed); }
  void end() override { endpoint_.behave(); }
  std::string now() override {
    std::string error;
    return Json::parse(endpoint_.knobs(), error)->find("rows")->text();
  }

 protected:
  FakeEndpoint endpoint_{R"({"rows":0})"};
};

class MlqSubject final : public HttpSubject {
 public:
  std::vector<Fault> faults() const override {
    auto faults = http_faults();
    std::erase_if(faults, [](const Fault& f) { return f.hangs; });  // its deadline is fixed, and long
    faults.push_back({"foreign change", ApplyResult::foreign, Misdeed::foreign});
    return faults;
  }
  std::unique_ptr<Actuator> make(const std::string&) override {
    return make_mlq_actuator({endpoint_.url(), "m"}, {"faults", nullptr, &kClock, nullptr, "", {}});
  }
};

class FileSubject final : public HttpSubject {
 public:
  FileSubject() {
    dir_.file("conf", R"({"rows":0})");
    endpoint_.read_from(dir_ / "conf");
  }
  std::unique_ptr<Actuator> make(const std::string& timeout) override {
    return from(R"({"type":"file","path":)" + text(dir_ / "conf") +
                R"(,"patch":{"/rows":"${rows}"},"reload":{"send":{"url":")" + endpoint_.url("/reload") +
                R"(","timeout":")" + timeout + R"("}},"verify":{"url":")" + endpoint_.url("/config") +
                R"(","equals":{"/rows":"${rows}"}}})");
  }
  std::string now() override {
    EXPECT_EQ(dir_.listing(), "conf") << "something was left behind";
    EXPECT_EQ(slurp(dir_ / "conf"), endpoint_.knobs());
    return HttpSubject::now();
  }

 private:
  TempDir dir_;
};

class ExecSubject final : public Subject {
 public:
  std::vector<Fault> faults() const override {
    return {{"crash at start", ApplyResult::refused},
            {"never ready", ApplyResult::refused, Misdeed::none, true},
            {"no such folder", ApplyResult::broken},
            {"deaf to SIGTERM", ApplyResult::applied}};
  }
  std::unique_ptr<Actuator> make(const std::string& timeout) override {
    return from(R"({"type":"exec","grace":"20s","stop_servers":true,"cwd":)" + text(dir_ / "cwd") +
                    R"(,"ready":{"url":")" + endpoint_.url("/ready") + R"(","timeout":")" + timeout +
                    R"("},"start":["sh","-c",)" +
                    script("[ -e ../crash ] && exit 3; [ -e ../deaf ] && trap '' TERM; echo $1 >../state; "
                           "touch ../up.$$; "
                           "exec sleep 1000") +
                    R"(,"server","${rows}"]})",
                dir_ / "pid");
  }
  void begin(const Fault& fault) override {
    if (fault.name == "crash at start") {
      dir_.file("crash", "");
      endpoint_.ready_after(1'000'000'000);  // who waits for it sees its end
    }
    if (fault.name == "never ready") endpoint_.ready_after(1'000'000'000);
    if (fault.name == "deaf to SIGTERM") dir_.file("deaf", "");
    if (fault.name == "no such folder") ::rename((dir_ / "cwd").c_str(), (dir_ / "gone").c_str());
  }
  void end() override {
    for (const char* file : {"crash", "deaf"}) ::unlink((dir_ / file).c_str());
    ::rename((dir_ / "gone").c_str(), (dir_ / "cwd").c_str());
    endpoint_.ready_after(0);
  }
  // Once the server that the file names has come so far.
  std::string now() override {
    std::string error;
    const std::string pid = Json::parse(slurp(dir_ / "pid"), error)->find("pid")->text();
    while (::access((dir_ / ("up." + pid)).c_str(), F_OK) != 0) ::usleep(1000);
    const std::string state = slurp(dir_ / "state");
    return state.substr(0, state.find('\n'));
  }
  ExecSubject() { std::filesystem::create_directory(dir_ / "cwd"); }

 private:
  TempDir dir_;
  FakeEndpoint endpoint_{"{}"};
};

// A command that copies the file, or does what it should not.
class EnvSubject final : public Subject {
 public:
  std::vector<Fault> faults() const override {
    return {{"fail", ApplyResult::refused},
            {"hang", ApplyResult::broken, Misdeed::none, true},
            {"lie", ApplyResult::not_applied},
            {"crash", ApplyResult::refused}};
  }
  std::unique_ptr<Actuator> make(const std::string& timeout) override {
    return from(R"({"type":"env","timeout":")" + timeout + R"(","path":)" + text(dir_ / "env") +
                R"(,"env":{"ROWS":"${rows}"},"cwd":)" + text(dir_.path().string()) +
                R"(,"restart":["sh","-c",)" +
                script("[ -e fail ] && exit 1; [ -e hang ] && sleep 1000; [ -e crash ] && kill -9 $$; "
                       "[ -e lie ] || sed 's/ROWS=\\(.*\\)/{\"rows\":\\1}/' env >state; true") +
                R"(],"verify":{"url":")" + endpoint_.url("/config") +
                R"(","equals":{"/rows":"${rows}"}},"ready":{"url":")" + endpoint_.url("/reload") +
                R"(","method":"POST"}})");
  }
  void begin(const Fault& fault) override { dir_.file(fault.name, ""); }
  void end() override {
    for (const Fault& fault : faults()) ::unlink((dir_ / fault.name).c_str());
  }
  std::string now() override {
    EXPECT_EQ(dir_.listing(), "env state");
    std::string error;
    return Json::parse(endpoint_.knobs(), error)->find("rows")->text();
  }
  EnvSubject() { endpoint_.read_from(dir_ / "state"); }

 private:
  TempDir dir_;
  FakeEndpoint endpoint_{R"({"rows":0})"};
};

class PipeSubject final : public Subject {
 public:
  std::vector<Fault> faults() const override {
    return {{"lie", ApplyResult::not_applied},
            {"silent", ApplyResult::broken, Misdeed::none, true},
            {"die", ApplyResult::broken},
            {"no", ApplyResult::refused},
            {"half", ApplyResult::broken}};
  }
  std::unique_ptr<Actuator> make(const std::string& timeout) override {
    return from(R"({"type":"pipe","grace":"1s","timeout":")" + timeout + R"(","cwd":)" +
                text(dir_.path().string()) + R"(,"start":["sh","-c",)" +
                script(R"(while read line; do c=${line#*config\":}; c=${c%\}};
                  [ -e die ] && exit 1;
                  [ -e silent ] && continue;
                  [ -e no ] && { echo '{"type":"applied","ok":false}'; continue; };
                  [ -e half ] && { printf '{"type":"appl'; exit 1; };
                  [ -e lie ] && c='{"rows":0}' || { echo "$c" >new; mv new state; };
                  echo "{\"type\":\"applied\",\"ok\":true,\"config\":$c}"; done)") +
                "]}");
  }
  void begin(const Fault& fault) override { dir_.file(fault.name, ""); }
  void end() override {
    for (const Fault& fault : faults()) ::unlink((dir_ / fault.name).c_str());
  }
  std::string now() override {
    std::string error;
    return Json::parse(slurp(dir_ / "state"), error)->find("rows")->text();
  }

 private:
  TempDir dir_;
};

std::unique_ptr<Subject> make_subject(uint64_t kind) {
  switch (kind) {
    case 0:
      return std::make_unique<HttpSubject>();
    case 1:
      return std::make_unique<FileSubject>();
    case 2:
      return std::make_unique<ExecSubject>();
    case 3:
      return std::make_unique<EnvSubject>();
    case 4:
      return std::make_unique<PipeSubject>();
    default:
      return std::make_unique<MlqSubject>();
  }
}

class ActuatorFaults : public testing::TestWithParam<uint64_t> {};

TEST_P(ActuatorFaults, TheLastGoodConfigurationIsInForceAfterARevert) {
  constexpr uint64_t kFaults = 34;
  const auto subject = make_subject(GetParam());
  for (uint64_t n = 0; n < kFaults; ++n) {
    // By a multiplicative hash: which fault is of no weight, only that it is the same every time.
    const uint64_t draw = (GetParam() * kFaults + n + 1) * 0x9E3779B97F4A7C15;
    const auto faults = subject->faults();
    const Fault& fault = faults[(draw >> 32) % faults.size()];
    const auto good = static_cast<int64_t>(1 + (draw >> 8) % 100), candidate = good + 1;
    SCOPED_TRACE(fault.name);

    const Applied first = subject->make(kPatient)->apply(rows(good), kGoOn);
    ASSERT_EQ(first.result, ApplyResult::applied) << first.note;
    subject->begin(fault);
    const Applied tried = subject->make(fault.hangs ? kHasty : kPatient)->apply(rows(candidate), kGoOn);
    subject->end();
    EXPECT_EQ(apply_result_name(tried.result), apply_result_name(fault.result)) << tried.note;
    const auto actuator = subject->make(kPatient);
    const Applied reverted = actuator->apply(rows(good), kGoOn, true);
    ASSERT_EQ(reverted.result, ApplyResult::applied) << reverted.note;
    EXPECT_EQ(subject->now(), std::to_string(good));
    if (n + 1 == kFaults) actuator->finish();
  }
}

std::string subject_name(const testing::TestParamInfo<uint64_t>& kind) {
  constexpr std::array<const char*, 6> names = {"http", "file", "exec", "env", "pipe", "mlq"};
  return names[kind.param];
}

INSTANTIATE_TEST_SUITE_P(Types, ActuatorFaults, testing::Range<uint64_t>(0, 6), subject_name);

}  // namespace
}  // namespace mlq::tune
