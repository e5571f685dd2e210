// Type file: a file is written whole, and the server told to read it. Pollers see the old or the new one.
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "lib/base/io.h"
#include "lib/tune/actuator/command.h"
#include "lib/tune/actuator/types.h"

namespace mlq::tune {
namespace {

constexpr size_t kMostBytes = size_t{16} << 20;
constexpr std::array<std::pair<std::string_view, int>, 6> kSignals = {{{"HUP", SIGHUP},
                                                                       {"USR1", SIGUSR1},
                                                                       {"USR2", SIGUSR2},
                                                                       {"INT", SIGINT},
                                                                       {"TERM", SIGTERM},
                                                                       {"WINCH", SIGWINCH}}};

struct SignalReload {
  int number;
  std::string name;
  std::string pid_file;
};
using Reload = std::variant<std::monostate, SignalReload, RequestTemplate, CommandTemplate>;

int signal_of(const std::string& text, const std::string& where) {
  const std::string_view name = text.starts_with("SIG") ? std::string_view(text).substr(3) : text;
  for (const auto& [known, number] : kSignals)
    if (known == name) return number;
  throw input_error("{}: one of HUP USR1 USR2 INT TERM WINCH is wanted", where);
}

Reload parse_reload(const Json& json, const std::string& where, const BasicOptions& options) {
  Fields fields(json, where);
  const auto signal = fields.text("signal");
  const auto pid_file = fields.text("pid_file");
  const Json* send = fields.find("send");
  const Json* exec = fields.find("exec");
  fields.end();
  if (signal.has_value() + (send != nullptr) + (exec != nullptr) != 1)
    throw input_error("{}: one of \"signal\", \"send\" and \"exec\" is wanted", where);
  if (signal.has_value() != pid_file.has_value())
    throw input_error("{}: \"signal\" and \"pid_file\" go together", where);
  if (signal) return SignalReload{signal_of(*signal, fields.where("signal")), *signal, *pid_file};
  if (exec != nullptr) return CommandTemplate::parse(fields, "exec", options.names);
  Fields request(*send, fields.where("send"));
  auto out = RequestTemplate::parse(request, options.names, options.common, "POST", options.timeout_ns);
  request.end();
  return out;
}

Failed send_signal(const SignalReload& reload) {
  const std::string text = read_file(reload.pid_file, 256);
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), pid);
  if (error != std::errc() || pid <= 1)
    return Failure{ApplyResult::broken, reload.pid_file + ": there is no process number in it"};
  if (::kill(pid, reload.number) == 0) return std::nullopt;
  return Failure{ApplyResult::broken,
                 fmt::format("{}: process {}: {}", reload.pid_file, pid, std::strerror(errno))};
}

// The file's content: a text, or changes of the JSON that is there.
using Content = std::variant<Template, PatchTemplate>;

class FileActuator final : public BasicActuator {
 public:
  FileActuator(BasicOptions options, std::string path, Content content, Reload reload, CommandPlace place,
               const ActuatorContext& context)
      : BasicActuator(std::move(options), context),
        path_(std::move(path)),
        content_(std::move(content)),
        reload_(std::move(reload)),
        place_(std::move(place)) {}

 protected:
  Failed set(const Config& config, const Attempt& attempt, Applied&) override {
    const Scope scope = scope_of(config);
    std::string text;
    if (Failed failed = content(scope, text)) return failed;
    Output out = Output::open(path_);
    out.write(text);
    out.close();
    if (const auto* signal = std::get_if<SignalReload>(&reload_)) return send_signal(*signal);
    http::CallResult answer;
    if (const auto* request = std::get_if<RequestTemplate>(&reload_))
      return request->send(scope, attempt, answer);
    if (const auto* command = std::get_if<CommandTemplate>(&reload_)) {
      ChildSpec spec = command->fill(scope, {}, place_);
      spec.leaves_others = true;
      return run_command(spec, attempt, options().timeout_ns);
    }
    return std::nullopt;
  }

  Failed read_more(const Attempt&, Config& out) override {
    const auto* patch = std::get_if<PatchTemplate>(&content_);
    if (patch == nullptr) return std::nullopt;
    Json document;
    if (Failed failed = load(document)) return failed;
    patch->read(document, space(), out);
    return std::nullopt;
  }

  std::vector<std::string> describe_set(const Scope& scope) const override {
    std::vector<std::string> lines;
    if (const auto* text = std::get_if<Template>(&content_))
      lines.push_back("write " + path_ + ": " + text->fill(scope));
    else
      lines.push_back("write " + std::get<PatchTemplate>(content_).describe(scope));
    if (const auto* signal = std::get_if<SignalReload>(&reload_))
      lines.push_back(fmt::format("send signal {} to the process in {}", signal->name, signal->pid_file));
    else if (const auto* request = std::get_if<RequestTemplate>(&reload_))
      lines.push_back(request->describe(scope));
    else if (const auto* command = std::get_if<CommandTemplate>(&reload_))
      lines.push_back("run " + command->describe(scope, {}));
    return lines;
  }

 private:
  Failed load(Json& document) const {
    std::string error;
    auto read = Json::parse(read_file(path_, kMostBytes), error);
    if (!read) return Failure{ApplyResult::broken, fmt::format("{}: no JSON: {}", path_, error)};
    document = std::move(*read);
    return std::nullopt;
  }

  Failed content(const Scope& scope, std::string& out) const {
    if (const auto* text = std::get_if<Template>(&content_)) {
      out = text->fill(scope);
      return std::nullopt;
    }
    Json document;
    if (Failed failed = load(document)) return failed;
    if (Failed failed = std::get<PatchTemplate>(content_).apply(scope, document)) return failed;
    out = document.text() + "\n";
    return std::nullopt;
  }

  std::string path_;
  Content content_;
  Reload reload_;
  CommandPlace place_;
};

Content parse_content(Fields& fields, const std::string& path, const Names& names) {
  const auto text = fields.text("template");
  const auto file = fields.text("template_file");
  const Json* patch = fields.find("patch");
  if (text.has_value() + file.has_value() + (patch != nullptr) != 1)
    throw input_error("{}: one of \"template\", \"template_file\" and \"patch\" is wanted", fields.where());
  if (text) return Template::parse(*text, names, fields.where("template"));
  if (file) return Template::parse(read_file(*file, kMostBytes), names, *file);
  return PatchTemplate::parse(path, *patch, fields.where("patch"), names);
}

}  // namespace

std::unique_ptr<Actuator> make_file_actuator(Fields& fields, const ActuatorContext& context) {
  BasicOptions options = BasicOptions::parse(fields, context);
  const std::string path = fields.need_text("path");
  Content content = parse_content(fields, path, options.names);
  Reload reload;
  if (const Json* json = fields.find("reload")) reload = parse_reload(*json, fields.where("reload"), options);
  CommandPlace place = CommandPlace::parse(fields);
  options.parse_checks(fields);
  fields.end();
  return std::make_unique<FileActuator>(std::move(options), path, std::move(content), std::move(reload),
                                        std::move(place), context);
}

}  // namespace mlq::tune
