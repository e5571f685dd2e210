// Type pipe: a child that is told what to set, a line each time, and answers with a line:
//   {"type":"apply","config":{..}}
//   {"type":"applied","ok":true,"gen":..,"config":{..},"cpu_ns":..}
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "lib/base/units.h"
#include "lib/tune/actuator/command.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

constexpr size_t kMostLine = size_t{1} << 20;
constexpr int kPollMs = 10;

struct PipeOptions {
  CommandTemplate start;
  EnvTemplates env;
  CommandPlace place;
  int64_t grace_ns = 10'000'000'000;
};

// A running child and our end of its standard input and output: a socket pair, so that a write to a dead
// child is an error and no signal.
class Conversation {
 public:
  explicit Conversation(const ChildSpec& spec) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw environment_error("no socket pair: {}", std::strerror(errno));
    fd_ = ends[0];
    try {
      child_ = Child::start(spec, ends[1], ends[1]);
    } catch (...) {
      ::close(ends[1]);
      ::close(fd_);
      throw;
    }
    ::close(ends[1]);
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() { ::close(fd_); }

  Child& child() { return child_; }
  void end_input() const { ::shutdown(fd_, SHUT_WR); }

  Failed say(std::string_view line, const Attempt& attempt, int64_t deadline) {
    while (!line.empty()) {
      const ssize_t n = ::send(fd_, line.data(), line.size(), MSG_NOSIGNAL);
      if (n > 0)
        line.remove_prefix(static_cast<size_t>(n));
      else if (errno != EAGAIN && errno != EINTR)
        return died();
      else if (Failed failed = wait(POLLOUT, attempt, deadline))
        return failed;
    }
    return std::nullopt;
  }

  Failed hear(std::string& line, const Attempt& attempt, int64_t deadline) {
    while (true) {
      if (const size_t end = heard_.find('\n'); end != heard_.npos) {
        line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return std::nullopt;
      }
      if (heard_.size() > kMostLine) return Failure{ApplyResult::broken, "its line is too long"};
      std::array<char, 4096> piece;
      const ssize_t n = ::recv(fd_, piece.data(), piece.size(), 0);
      if (n > 0)
        heard_.append(piece.data(), static_cast<size_t>(n));
      else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        return died();
      else if (Failed failed = wait(POLLIN, attempt, deadline))
        return failed;
    }
  }

 private:
  Failed wait(short events, const Attempt& attempt, int64_t deadline) const {
    if (attempt.stopped()) return Failure{ApplyResult::broken, "stopped"};
    if (attempt.now_ns() >= deadline) return Failure{ApplyResult::broken, "it does not answer"};
    pollfd end{fd_, events, 0};
    ::poll(&end, 1, kPollMs);
    return std::nullopt;
  }
  static Failed died() { return Failure{ApplyResult::broken, "it has ended"}; }

  Child child_;
  int fd_ = -1;
  std::string heard_;
};

std::string text_member(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  if (found == nullptr || found->is_null()) return {};
  const auto* text = found->as<std::string>();
  return text == nullptr ? found->text() : *text;
}

class PipeActuator final : public BasicActuator {
 public:
  PipeActuator(BasicOptions options, PipeOptions pipe, const ActuatorContext& context)
      : BasicActuator(std::move(options), context), pipe_(std::move(pipe)) {}
  ~PipeActuator() override { end(); }

  bool can_verify() const override { return true; }
  bool starts_server() const override { return true; }
  void finish() override { end(); }

 protected:
  Failed set(const Config& config, const Attempt& attempt, Applied& applied) override {
    const int64_t deadline = attempt.now_ns() + options().timeout_ns;
    Failed failed = converse(config, attempt, deadline, applied);
    if (!failed || failed->result != ApplyResult::broken) return failed;
    // Whatever it says later would be taken for the answer to another question.
    const std::string how =
        talk_ && !talk_->child().alive() ? " (" + talk_->child().how_it_ended() + ")" : "";
    failed->note = pipe_.start.describe(shown_scope_of(config), {}) + ": " + failed->note + how;
    end();
    return failed;
  }

  Failed read_more(const Attempt&, Config& out) override {
    for (const auto& [name, value] : reported_)
      if (std::ranges::none_of(out, [&](const auto& knob) { return knob.first == name; }))
        out.emplace_back(name, value);
    return std::nullopt;
  }

  std::vector<std::string> describe_set(const Scope& scope) const override {
    return {"tell " + pipe_.start.describe(scope, pipe_.env) + ": " + question(*scope.config)};
  }

 private:
  static std::string question(const Config& config) {
    Json::Object knobs;
    for (const auto& [name, value] : config) knobs.emplace_back(name, Json(value));
    return R"({"type":"apply","config":)" + Json(Json::Value(std::move(knobs))).text() + "}";
  }

  Failed converse(const Config& config, const Attempt& attempt, int64_t deadline, Applied& applied) {
    reported_.clear();
    if (!talk_)
      talk_ = std::make_unique<Conversation>(pipe_.start.fill(scope_of(config), pipe_.env, pipe_.place));
    if (Failed failed = talk_->say(question(config) + "\n", attempt, deadline)) return failed;
    while (true) {
      std::string line;
      if (Failed failed = talk_->hear(line, attempt, deadline)) return failed;
      std::string error;
      const auto answer = Json::parse(line, error);
      if (!answer || answer->as<Json::Object>() == nullptr)
        return Failure{ApplyResult::broken, "its answer is no JSON object: " + line.substr(0, 200)};
      if (text_member(*answer, "type") == "applied") return understand(*answer, config, applied);
    }
  }

  Failed understand(const Json& answer, const Config& config, Applied& applied) {
    const Json* ok = answer.find("ok");
    const auto* good = ok == nullptr ? nullptr : ok->as<bool>();
    if (good == nullptr) return Failure{ApplyResult::broken, "its answer has no \"ok\""};
    applied.gen = text_member(answer, "gen");
    if (const Json* cpu = answer.find("cpu_ns"); cpu != nullptr && cpu->as<int64_t>() != nullptr)
      applied.cpu_ns = *cpu->as<int64_t>();
    if (!*good) {
      const std::string note = text_member(answer, "note");
      return Failure{ApplyResult::refused, note.empty() ? "it says no" : note};
    }
    const Json* has = answer.find("config");
    if (has == nullptr || has->as<Json::Object>() == nullptr) return std::nullopt;
    for (const auto& [name, value] : *has->as<Json::Object>())
      if (const auto knob = value.knob()) reported_.emplace_back(name, *knob);
    for (const auto& [name, value] : config) {
      const Json* is = has->find(name);
      if (is == nullptr || !same_json(Json(value), *is))
        return Failure{ApplyResult::not_applied,
                       fmt::format("{} is {}, not {}", name, is == nullptr ? "not said" : is->text(),
                                   serve::knob_text(value))};
    }
    applied.verified = "readback";
    return std::nullopt;
  }

  // Its input ends, which is its sign to go.
  void end() {
    if (!talk_) return;
    talk_->end_input();
    const Attempt patient(clock(), nullptr);
    if (!talk_->child().wait(patient, patient.now_ns() + pipe_.grace_ns / 2))
      talk_->child().stop(clock(), pipe_.grace_ns / 2);
    talk_.reset();
  }

  PipeOptions pipe_;
  std::unique_ptr<Conversation> talk_;
  Config reported_;  // by its last answer
};

}  // namespace

std::unique_ptr<Actuator> make_pipe_actuator(Fields& fields, const ActuatorContext& context) {
  BasicOptions options = BasicOptions::parse(fields, context);
  PipeOptions pipe;
  Names names = options.names;
  names.places = false;  // the child outlives a configuration
  pipe.start = CommandTemplate::parse(fields, "start", names);
  pipe.env = parse_env(fields, names);
  pipe.place = CommandPlace::parse(fields);
  pipe.grace_ns = fields.duration_ns("grace").value_or(pipe.grace_ns);
  options.parse_checks(fields);
  fields.end();
  return std::make_unique<PipeActuator>(std::move(options), std::move(pipe), context);
}

}  // namespace mlq::tune
