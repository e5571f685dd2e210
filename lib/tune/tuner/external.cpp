#include "lib/tune/tuner/external.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/units.h"
#include "lib/jsonl/buffer.h"
#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/tuner/line_child.h"

namespace mlq::tune {
namespace {

constexpr int kMostInvalid = 100;

void member(jsonl::Buffer& out, std::string_view key) {
  out.raw(',');
  out.string(key);
  out.raw(':');
}

void text_member(jsonl::Buffer& out, std::string_view key, std::string_view value) {
  member(out, key);
  out.string(value);
}

void write_axis(const Axis& axis, jsonl::Buffer& out) {
  out.string(axis.name);
  if (axis.type == KnobType::boolean && axis.values.size() == 2) {
    out.raw(R"(:{"type":"bool")");
  } else {
    out.raw(R"(:{"type":"list","values":[)");
    for (size_t k = 0; k < axis.values.size(); ++k) {
      if (k != 0) out.raw(',');
      serve::write_knob_value(axis.values[k], out);
    }
    out.raw(']');
    if (axis.ordered && std::holds_alternative<std::string>(axis.values.front()))
      out.raw(R"(,"ordered":true)");
  }
  text_member(out, "apply", apply_class_name(axis.apply));
  if (!axis.role.empty()) text_member(out, "role", axis.role);
  if (axis.when) text_member(out, "when", axis.when->text());
  out.raw('}');
}

class External : public Tuner {
 public:
  External(const ExternalOptions& options, const Space& space, PointId start)
      : options_(options), space_(space), child_(options.command) {
    line_.raw(R"({"type":"space","name":)");
    line_.string(options.surface);
    line_.raw(fmt::format(R"(,"seed":{},"trials":{})", options.seed, options.trials));
    text_member(line_, "objective", options.objective);
    text_member(line_, "slo", options.slo);
    member(line_, "start");
    line_.raw(config_json(space.config(start)));
    member(line_, "space");
    line_.raw(space_json(space));
    line_.raw('}');
    send();
  }

  Choice ask(const History& history, const Question& question) override {
    for (int k = 0; k < kMostInvalid; ++k) {
      const Level& level = history.levels()[question.level];
      line_.clear();
      line_.raw(fmt::format(R"({{"type":"ask","i":{})", question.i));
      text_member(line_, "level", level.name);
      member(line_, "rate_per_s");
      line_.number(level.rate_per_s);
      line_.raw(fmt::format(R"(,"budget":{})", question.budget));
      member(line_, "window_s");
      line_.number(question.window_s);
      line_.raw('}');
      send();
      receive();
      Choice choice;
      if (take_answer(history, choice)) return choice;
      tell_failed(question, level);
    }
    throw ExternalFailure(
        fmt::format("{}: {} configurations in a row were not valid", options_.name, kMostInvalid));
  }

  std::optional<PointId> recommend(const History& history, LevelId level) override {
    if (!recommends_ || history.count(level) == 0) return Tuner::recommend(history, level);
    line_.clear();
    line_.raw(R"({"type":"recommend")");
    text_member(line_, "level", history.levels()[level].name);
    line_.raw('}');
    send();
    receive();
    const std::optional<PointId> point = read_point(nullptr);
    if (!point) fail("it recommends what is no valid configuration: " + proposed_);
    return point;
  }

  void tell(const History& history, const Observation& row) override {
    records::Tell tell;
    tell.i = row.i;
    tell.config = records::RawJson{config_json(space_.config(row.point))};
    tell.level = history.levels()[row.level].name;
    if (row.outcome == TrialOutcome::ok) {
      tell.cost = fmath::exp(row.y);
      tell.y = row.y;
      tell.feasible = row.feasible;
      if (!row.slack.empty()) tell.slack = row.slack;
      if (row.mean_ns > 0) tell.latency_mean_ns = static_cast<int64_t>(row.mean_ns);
      if (row.p95_ns > 0) tell.latency_p95_ns = static_cast<int64_t>(row.p95_ns);
      if (row.done_per_s > 0) tell.done_per_s = row.done_per_s;
      if (row.cpu_ns_per_request > 0) tell.cpu_ns_per_request = static_cast<int64_t>(row.cpu_ns_per_request);
    } else {
      tell.failed = true;
    }
    send(tell);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ExternalFailure(options_.name + ": " + what);
  }

  void check(LineChild::Outcome outcome) {
    switch (outcome) {
      case LineChild::Outcome::ok:
        return;
      case LineChild::Outcome::ended:
        fail("it ended: " + child_.how_it_ended());
      case LineChild::Outcome::late:
        fail("no answer within " + format_duration(options_.line_deadline_ns));
      case LineChild::Outcome::stopped:
        fail("interrupted");
      case LineChild::Outcome::too_long:
        fail("it wrote a line of more than 1 MiB");
    }
  }

  void send() { check(child_.send(line_.view(), options_.line_deadline_ns, options_.stop)); }

  void send(const records::Tell& tell) {
    line_.clear();
    records::write_record(line_, tell);
    line_.truncate(line_.size() - 1);  // its line feed
    send();
  }

  void receive() { check(child_.receive(answer_, options_.line_deadline_ns, options_.stop)); }

  // False if the configuration is not one that may be tried.
  bool take_answer(const History& history, Choice& choice) {
    const std::optional<PointId> point = read_point(&choice);
    if (!point || history.barred(*point)) return false;
    choice.point = *point;
    return true;
  }

  // The configuration in the answer, if it is a valid one.
  std::optional<PointId> read_point(Choice* choice) {
    if (!parser_.parse_copy(answer_)) fail("its answer is no JSON object: " + parser_.error());
    const jsonl::Value* type = parser_.find("type");
    const jsonl::Value* config = parser_.find("config");
    if (type == nullptr || type->text != "config" || config == nullptr || config->kind != jsonl::Kind::object)
      fail(R"(it did not answer with {"type":"config","config":{..}})");
    if (choice != nullptr) choice->finished = flag("finished");
    recommends_ = recommends_ || flag("recommends");
    proposed_ = jsonl::json_text(*config);
    try {
      return space_.find(parse_config(proposed_, options_.name));
    } catch (const Error& error) {
      fail(error.what());
    }
  }

  bool flag(std::string_view key) const {
    const jsonl::Value* value = parser_.find(key);
    return value != nullptr && value->kind == jsonl::Kind::boolean && value->boolean;
  }

  void tell_failed(const Question& question, const Level& level) {
    records::Tell tell;
    tell.i = question.i;
    tell.config = records::RawJson{proposed_};
    tell.level = level.name;
    tell.failed = true;
    send(tell);
  }

  ExternalOptions options_;
  const Space& space_;
  LineChild child_;
  jsonl::Buffer line_;
  jsonl::ObjectParser parser_;
  std::string answer_, proposed_;
  bool recommends_ = false;
};

}  // namespace

std::string space_json(const Space& space) {
  jsonl::Buffer out;
  out.raw(R"({"version":1,"knobs":{)");
  bool first = true;
  for (const Axis& axis : space.axes()) {
    if (!std::exchange(first, false)) out.raw(',');
    write_axis(axis, out);
  }
  for (const DerivedKnob& knob : space.derived()) {
    if (!std::exchange(first, false)) out.raw(',');
    out.string(knob.name);
    out.raw(R"(:{"type":"derived")");
    text_member(out, "expr", knob.formula.text());
    out.raw('}');
  }
  out.raw('}');
  if (!space.constraints().empty()) {
    out.raw(R"(,"constraints":[)");
    for (size_t k = 0; k < space.constraints().size(); ++k) {
      if (k != 0) out.raw(',');
      out.string(space.constraints()[k].text());
    }
    out.raw(']');
  }
  out.raw('}');
  return std::string(out.view());
}

std::unique_ptr<Tuner> make_external(const ExternalOptions& options, const Space& space, PointId start) {
  return std::make_unique<External>(options, space, start);
}

}  // namespace mlq::tune
