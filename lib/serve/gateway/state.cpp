#include "lib/serve/gateway/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/jsonl/object.h"

namespace mlq::serve {
namespace {

using jsonl::Kind;
using jsonl::Member;
using jsonl::Value;

std::string system_error() { return std::strerror(errno); }

void write_knobs(const std::map<std::string, KnobValue>& knobs, jsonl::Buffer& out) {
  out.raw('{');
  bool first = true;
  for (const auto& [name, value] : knobs) {
    if (!std::exchange(first, false)) out.raw(',');
    out.string(name);
    out.raw(':');
    write_knob_value(value, out);
  }
  out.raw('}');
}

void write_texts(const std::vector<std::string>& texts, jsonl::Buffer& out) {
  out.raw('[');
  for (size_t k = 0; k < texts.size(); ++k) {
    if (k > 0) out.raw(',');
    out.string(texts[k]);
  }
  out.raw(']');
}

void write_latency(const std::map<std::string, LatencyState>& latency, jsonl::Buffer& out) {
  out.raw('{');
  bool first = true;
  for (const auto& [url, state] : latency) {
    if (!std::exchange(first, false)) out.raw(',');
    out.string(url);
    out.raw(R"(:{"alpha_ns_per_row":)");
    out.number(state.alpha_ns_per_row);
    out.raw(R"(,"beta_ns":)");
    out.number(state.beta_ns);
    out.raw(R"(,"largest_rows":)");
    out.integer(state.largest_rows);
    out.raw(R"(,"means":[)");
    for (size_t k = 0; k < state.means.size(); ++k) {
      out.raw(k == 0 ? "[" : ",[");
      out.integer(state.means[k].first);
      out.raw(',');
      out.number(state.means[k].second);
      out.raw(']');
    }
    out.raw("]}");
  }
  out.raw('}');
}

// A knob that this version no longer knows, or whose range has changed, keeps its default.
std::map<std::string, KnobValue> read_knobs(const Value& value) {
  std::map<std::string, KnobValue> out;
  std::vector<Member> members;
  jsonl::read_members(value, members);
  const auto rows = model_knob_rows().rows();
  for (const Member& member : members) {
    std::vector<KnobValue> values = model_knob_rows().defaults();
    const auto row = std::ranges::find(rows, member.key, &Knob::name);
    if (row == rows.end()) continue;
    std::string text(member.value.text);
    if (member.value.kind != Kind::string) {
      if (member.value.kind == Kind::boolean)
        text = member.value.boolean ? "true" : "false";
      else if (const auto whole = member.value.as_int64())
        text = fmt::format("{}", *whole);
      else if (const auto real = member.value.as_double())
        text = fmt::format("{}", *real);
    }
    if (!model_knob_rows().set(member.key, text, values))
      out.emplace(member.key, values[static_cast<size_t>(row - rows.begin())]);
  }
  return out;
}

std::map<std::string, LatencyState> read_latency(const Value& value) {
  std::map<std::string, LatencyState> out;
  std::vector<Member> members;
  jsonl::read_members(value, members);
  for (const Member& member : members) {
    LatencyState state;
    const auto real = [&](std::string_view key) {
      const auto number = jsonl::member(member.value, key);
      return std::max(number ? number->as_double().value_or(0) : 0, 0.0);
    };
    state.alpha_ns_per_row = real("alpha_ns_per_row");
    state.beta_ns = real("beta_ns");
    state.largest_rows = static_cast<uint32_t>(std::min(real("largest_rows"), 4096.0));
    std::vector<std::vector<double>> means;
    if (const auto list = jsonl::member(member.value, "means")) jsonl::read_matrix(*list, means);
    for (const std::vector<double>& pair : means)
      if (pair.size() == 2 && pair[0] >= 1 && pair[0] <= 4096 && pair[1] > 0)
        state.means.emplace_back(static_cast<uint32_t>(pair[0]), pair[1]);
    out.emplace(member.key, state);
  }
  return out;
}

// What a change and a model of the snapshot have in common.
void read_model(const Value& value, SavedModel& model) {
  if (const auto gen = jsonl::member(value, "gen")) model.gen = gen->as_uint64().value_or(model.gen);
  if (const auto knobs = jsonl::member(value, "knobs")) model.knobs = read_knobs(*knobs);
  if (const auto added = jsonl::member(value, "added")) {
    model.added.clear();
    jsonl::read_string_array(*added, model.added);
  }
  if (const auto latency = jsonl::member(value, "latency")) model.latency = read_latency(*latency);
}

std::string hash_of(std::string_view text) {
  return fmt::format("{:016x}", XXH3_64bits(text.data(), text.size()));
}

// {"model":..,"change":{..},"xxh3":".."}: the hash is of the text before `,"xxh3"`.
constexpr std::string_view kHashKey = R"(,"xxh3":")";
constexpr size_t kHashTail = kHashKey.size() + 16 + 2;

bool intact(std::string_view line) {
  if (line.size() < kHashTail || !line.ends_with("\"}")) return false;
  const std::string_view text = line.substr(0, line.size() - kHashTail);
  return line.substr(text.size(), kHashKey.size()) == kHashKey &&
         line.substr(text.size() + kHashKey.size(), 16) == hash_of(text);
}

// False if the line is no change.
bool apply(std::string_view line, SavedModels& models) {
  jsonl::OwnedObject object(line);
  if (!object.ok()) return false;
  const Value* model = object.parser().find("model");
  const Value* change = object.parser().find("change");
  if (model == nullptr || model->kind != Kind::string || change == nullptr) return false;
  if (change->kind == Kind::null)
    models.erase(std::string(model->text));
  else
    read_model(*change, models[std::string(model->text)]);
  return true;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

void read_snapshot(const std::string& path, SavedModels& models) {
  if (!exists(path)) return;
  const std::string text = read_file(path);
  jsonl::OwnedObject object(text);
  const Value* list = object.ok() ? object.parser().find("models") : nullptr;
  std::vector<Member> members;
  if (list == nullptr || !jsonl::read_members(*list, members))
    throw input_error("{}: line 1: it is damaged; move it away to start with nothing kept", path);
  for (const Member& member : members) read_model(member.value, models[std::string(member.key)]);
}

void read_log(const std::string& path, SavedModels& models,
              const std::function<void(const std::string&)>& notice) {
  if (!exists(path)) return;
  const std::string text = read_file(path);
  uint64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const bool last = end == text.npos || end + 1 == text.size();
    const std::string_view line = std::string_view(text).substr(at, end == text.npos ? text.npos : end - at);
    ++number;
    if (end == text.npos || !intact(line) || !apply(line, models)) {
      if (!last)
        throw input_error("{}: line {}: it is damaged; move the file away to lose its changes", path, number);
      return notice(fmt::format("{}: line {}: it was cut, and is dropped", path, number));
    }
    at = end + 1;
  }
}

}  // namespace

State::State(const std::string& folder, const std::function<void(const std::string&)>& notice)
    : folder_(folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw environment_error("{}: cannot make this folder: {}", folder, system_error());
  const std::string lock = folder + "/lock";
  lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) throw environment_error("{}: {}", lock, system_error());
  try {
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0)
      throw environment_error("{}: another server uses this folder", folder);
    read_snapshot(folder_ + "/snapshot.json", saved_);
    read_log(folder_ + "/wal.jsonl", saved_, notice);
    snapshot();
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

State::~State() {
  if (log_ >= 0) ::close(log_);
  ::close(lock_);
}

void State::open_log() {
  if (log_ >= 0) ::close(log_);
  const std::string path = folder_ + "/wal.jsonl";
  log_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (log_ < 0) throw environment_error("{}: {}", path, system_error());
}

// One write a line, so that a crash cuts the last at most.
void State::append(std::string_view change) {
  const std::string line = fmt::format("{}{}{}\"}}\n", change, kHashKey, hash_of(change));
  const off_t before = ::lseek(log_, 0, SEEK_END);
  const ssize_t n = ::write(log_, line.data(), line.size());
  if (n == static_cast<ssize_t>(line.size()) && ::fdatasync(log_) == 0) return;
  const std::string why =
      n >= 0 && n < static_cast<ssize_t>(line.size()) ? "no space is left" : system_error();
  if (::ftruncate(log_, before) != 0) open_log();
  throw environment_error("{}/wal.jsonl: {}; the change was not made", folder_, why);
}

void State::keep_knobs(std::string_view model, uint64_t gen, const std::map<std::string, KnobValue>& knobs) {
  jsonl::Buffer line;
  line.raw(R"({"model":)");
  line.string(model);
  line.raw(R"(,"change":{"gen":)");
  line.integer(gen);
  line.raw(R"(,"knobs":)");
  write_knobs(knobs, line);
  line.raw('}');
  append(line.view());
  SavedModel& saved = saved_[std::string(model)];
  saved.gen = gen;
  saved.knobs = knobs;
}

void State::keep_replicas(std::string_view model, const std::vector<std::string>& added) {
  jsonl::Buffer line;
  line.raw(R"({"model":)");
  line.string(model);
  line.raw(R"(,"change":{"added":)");
  write_texts(added, line);
  line.raw('}');
  append(line.view());
  saved_[std::string(model)].added = added;
}

void State::forget(std::string_view model) {
  if (!saved_.contains(model)) return;
  jsonl::Buffer line;
  line.raw(R"({"model":)");
  line.string(model);
  line.raw(R"(,"change":null)");
  append(line.view());
  saved_.erase(saved_.find(model));
}

void State::set_latency(std::string_view model, std::map<std::string, LatencyState> latency) {
  saved_[std::string(model)].latency = std::move(latency);
}

void State::snapshot() {
  jsonl::Buffer out;
  out.raw(R"({"version":1,"models":{)");
  bool first = true;
  for (const auto& [name, model] : saved_) {
    if (!std::exchange(first, false)) out.raw(',');
    out.string(name);
    out.raw(R"(:{"gen":)");
    out.integer(model.gen);
    out.raw(R"(,"knobs":)");
    write_knobs(model.knobs, out);
    out.raw(R"(,"added":)");
    write_texts(model.added, out);
    out.raw(R"(,"latency":)");
    write_latency(model.latency, out);
    out.raw('}');
  }
  out.raw("}}\n");
  Output file = Output::open(folder_ + "/snapshot.json");
  file.write(out.view());
  file.close();
  open_log();
}

}  // namespace mlq::serve
