// Type exec: a server that is started anew for each configuration.
#include <unistd.h>

#include <algorithm>

#include "lib/base/io.h"
#include "lib/tune/actuator/command.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

constexpr int64_t kLivesNs = 1'000'000'000;  // how long it must live to be taken for ready without `ready`

struct ExecOptions {
  CommandTemplate start;
  std::optional<CommandTemplate> stop;
  EnvTemplates env;
  CommandPlace place;
  int64_t grace_ns = 10'000'000'000;
  std::string pid_file;
  bool stop_servers = false;
};

// Which server runs, with what: written before it runs, so that it is found again after a crash.
struct Running {
  ProcessName name;
  Config config;
};

std::string running_text(const Running& running) {
  Json::Object config;
  for (const auto& [name, value] : running.config) config.emplace_back(name, Json(value));
  Json::Object object;
  object.emplace_back("pid", Json(Json::Value(int64_t{running.name.pid})));
  object.emplace_back("start", Json(Json::Value(static_cast<int64_t>(running.name.start))));
  object.emplace_back("boot", Json(Json::Value(boot_id())));
  object.emplace_back("config", Json(Json::Value(std::move(config))));
  return Json(Json::Value(std::move(object))).text() + "\n";
}

// None if the file is not there or not ours, or is of an earlier boot.
std::optional<Running> read_running(const std::string& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) != 0) return std::nullopt;
  std::string error;
  const auto json = Json::parse(read_file(path, size_t{1} << 20), error);
  const auto integer = [&](std::string_view name) {
    const Json* found = json ? json->find(name) : nullptr;
    const auto* value = found == nullptr ? nullptr : found->as<int64_t>();
    return value == nullptr ? int64_t{0} : *value;
  };
  const Json* boot = json ? json->find("boot") : nullptr;
  const Json* config = json ? json->find("config") : nullptr;
  if (integer("pid") <= 1 || boot == nullptr || *boot != Json(Json::Value(boot_id()))) return std::nullopt;
  Running running{{static_cast<pid_t>(integer("pid")), static_cast<uint64_t>(integer("start"))}, {}};
  if (config != nullptr && config->as<Json::Object>() != nullptr)
    for (const auto& [name, value] : *config->as<Json::Object>())
      if (const auto knob = value.knob()) running.config.emplace_back(name, *knob);
  return running;
}

class ExecActuator final : public BasicActuator {
 public:
  ExecActuator(BasicOptions options, ExecOptions exec, const ActuatorContext& context)
      : BasicActuator(std::move(options), context), exec_(std::move(exec)) {
    if (auto running = read_running(exec_.pid_file)) {
      child_ = Child::taken_over(running->name);
      config_ = std::move(running->config);
      if (!child_->alive()) child_.reset();
    }
  }

  int server_pid() const override { return child_ ? child_->name().pid : 0; }
  bool starts_server() const override { return true; }
  std::string death() override { return child_ && !child_->alive() ? dead()->note : ""; }
  bool can_verify() const override { return true; }
  void finish() override {
    if (!exec_.stop_servers || !child_) return;
    const StopFlag none;
    stop_child(Attempt(clock(), &none));
  }

 protected:
  Failed set(const Config& config, const Attempt& attempt, Applied&) override {
    if (Failed failed = stop_child(attempt)) return failed;
    const ChildSpec spec = exec_.start.fill(scope_of(config), exec_.env, exec_.place);
    config_ = config;
    started_ns_ = attempt.now_ns();
    child_ = Child::start(spec, -1, -1, [&](const ProcessName& name) {
      if (!exec_.pid_file.empty()) write_pid_file({name, config});
    });
    return std::nullopt;
  }

  bool may_be_down() override { return !child_ || !child_->alive(); }

  Failed dead() override {
    if (child_ && child_->alive()) return std::nullopt;
    std::string note = "the server died: " + (child_ ? child_->how_it_ended() : "it is not there");
    if (!exec_.place.log.empty()) note += "; its output is in " + exec_.place.log;
    return Failure{ApplyResult::refused, note};
  }

  // The kernel has taken these arguments, or start() would have failed; what is asserted here is that the
  // very process that got them is the one that lives now.
  Failed settled(const Config&, const Attempt& attempt, Applied& applied) override {
    if (!options().ready && !child_->wait(attempt, started_ns_ + kLivesNs) && attempt.stopped())
      return Failure{ApplyResult::broken, "stopped"};
    if (Failed failed = dead()) return failed;
    applied.verified = "argv";
    return std::nullopt;
  }

  Failed read_more(const Attempt&, Config& out) override {
    if (!child_ || !child_->alive()) return std::nullopt;
    for (const auto& [name, value] : config_)
      if (std::ranges::none_of(out, [&](const auto& knob) { return knob.first == name; }))
        out.emplace_back(name, value);
    return std::nullopt;
  }

  std::vector<std::string> describe_set(const Scope& scope) const override {
    std::vector<std::string> lines;
    if (exec_.stop) lines.push_back("run " + exec_.stop->describe(scope, exec_.env));
    lines.push_back("stop the server, if it runs: SIGTERM, then SIGKILL");
    lines.push_back("start " + exec_.start.describe(scope, exec_.env));
    return lines;
  }

 private:
  void write_pid_file(const Running& running) const {
    Output out = Output::open(exec_.pid_file);
    out.write(running_text(running));
    out.close();
  }

  Failed stop_child(const Attempt& attempt) {
    if (!child_ || !child_->alive()) {
      forget();
      return std::nullopt;
    }
    int64_t grace = exec_.grace_ns;
    if (exec_.stop) {
      // What the command could not do, the signals do.
      run_command(exec_.stop->fill(scope_of(config_), exec_.env, exec_.place), attempt, options().timeout_ns);
      const Attempt patient(attempt.clock(), nullptr);
      if (child_->wait(patient, patient.now_ns() + grace)) grace = 0;
    }
    if (!child_->stop(attempt.clock(), grace))
      return Failure{ApplyResult::broken, fmt::format("process {} does not end", child_->name().pid)};
    forget();
    return std::nullopt;
  }

  void forget() {
    if (child_ && !exec_.pid_file.empty()) ::unlink(exec_.pid_file.c_str());
    child_.reset();
  }

  ExecOptions exec_;
  std::optional<Child> child_;
  Config config_;  // that it was started with
  int64_t started_ns_ = 0;
};

}  // namespace

std::unique_ptr<Actuator> make_exec_actuator(Fields& fields, const ActuatorContext& context) {
  BasicOptions options = BasicOptions::parse(fields, context);
  ExecOptions exec;
  exec.start = CommandTemplate::parse(fields, "start", options.names);
  if (fields.find("stop") != nullptr) exec.stop = CommandTemplate::parse(fields, "stop", options.names);
  exec.env = parse_env(fields, options.names);
  exec.place = CommandPlace::parse(fields);
  exec.grace_ns = fields.duration_ns("grace").value_or(exec.grace_ns);
  exec.pid_file = fields.text("pid_file").value_or(context.pid_file);
  exec.stop_servers = fields.flag("stop_servers").value_or(false);
  options.parse_checks(fields);
  fields.end();
  return std::make_unique<ExecActuator>(std::move(options), std::move(exec), context);
}

}  // namespace mlq::tune
