#include "lib/tune/drive/stdio_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lib/base/error.h"
#include "lib/jsonl/line_reader.h"
#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/drive/ask_tell.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/space/space_file.h"

namespace mlq::tune {
namespace {

std::string text_or(const jsonl::ObjectParser& line, std::string_view key, std::string fallback) {
  const jsonl::Value* value = line.find(key);
  return value != nullptr && value->kind == jsonl::Kind::string ? std::string(value->text) : fallback;
}

std::optional<double> number(const jsonl::ObjectParser& line, std::string_view key) {
  const jsonl::Value* value = line.find(key);
  return value == nullptr ? std::nullopt : value->as_double();
}

// One search over a space that a client has named.
class Session {
 public:
  Session(const TunerOptions& options, const jsonl::ObjectParser& line, const std::string& where)
      : space_(read_space(line, where)),
        objective_(Objective::parse(text_or(line, "objective", "latency"), text_or(line, "slo", ""))),
        history_(*space_, start(line, where)) {
    TunerOptions tuner = options;
    if (const jsonl::Value* seed = line.find("seed")) tuner.seed = seed->as_uint64().value_or(tuner.seed);
    if (const jsonl::Value* trials = line.find("trials")) trials_ = trials->as_uint64().value_or(trials_);
    tuner.latency = objective_.is_latency();
    tuner.limit_ns = objective_.limit_ns();
    tuner_ = make_tuner(tuner, *space_);
  }

  std::string ask(const jsonl::ObjectParser& line) {
    Question question;
    if (const jsonl::Value* i = line.find("i")) next_i_ = i->as_uint64().value_or(next_i_);
    question.i = next_i_++;
    question.level = level(line);
    question.budget = trials_;
    if (const jsonl::Value* budget = line.find("budget"))
      question.budget = budget->as_uint64().value_or(trials_);
    question.budget = std::max<uint64_t>(question.budget, 1);
    question.window_s = std::max(0.0, number(line, "window_s").value_or(0));
    last_ = tuner_->ask(history_, question);
    return config_line(last_.point,
                       fmt::format(R"({},"recommends":true)", last_.finished ? R"(,"finished":true)" : ""));
  }

  std::string recommend(const jsonl::ObjectParser& line) {
    return config_line(tuner_->recommend(history_, level(line)).value_or(history_.start()), {});
  }

  void tell(const jsonl::ObjectParser& line, const std::string& where) {
    records::Tell tell;
    if (const auto read = records::read_record(line.members(), tell); !read.ok)
      throw input_error("{}: {}", where, read.error);
    if (!tell.config) throw input_error("{}: tell names no config", where);
    const std::optional<PointId> point = space_->find(parse_config(tell.config->text, where));
    if (!point) throw input_error("{}: {} is no point of the space", where, tell.config->text);
    Observation row = told_row(tell, objective_, where);
    row.i = tell.i.value_or(next_i_);
    row.point = *point;
    row.level = level(line);
    row.confirm = last_.confirm && last_.point == *point;
    if (tell.y) row.y = *tell.y;
    if (tell.feasible) row.feasible = *tell.feasible;
    if (tell.slack) row.slack = *tell.slack;
    history_.add(std::move(row));
    tuner_->tell(history_, history_.rows().back());
  }

 private:
  static std::shared_ptr<const Space> read_space(const jsonl::ObjectParser& line, const std::string& where) {
    const jsonl::Value* space = line.find("space");
    if (space == nullptr || space->kind != jsonl::Kind::object)
      throw input_error("{}: the line has no space object", where);
    SpaceFile file = parse_space_file(jsonl::json_text(*space), where);
    if (!file.space) throw input_error("{}: the space has no knobs", where);
    return file.space;
  }

  std::string config_line(PointId point, std::string_view more) const {
    return fmt::format(R"({{"type":"config","config":{}{}}})", config_json(space_->config(point)), more);
  }

  PointId start(const jsonl::ObjectParser& line, const std::string& where) const {
    const jsonl::Value* start = line.find("start");
    if (start == nullptr || start->kind != jsonl::Kind::object) return space_->middle();
    return space_->nearest(parse_config(jsonl::json_text(*start), where));
  }

  LevelId level(const jsonl::ObjectParser& line) {
    Level level;
    level.name = text_or(line, "level", level.name);
    level.rate_per_s = number(line, "rate_per_s").value_or(0);
    level.bursty = level.name.ends_with("c1");
    return history_.level(level);
  }

  std::shared_ptr<const Space> space_;
  Objective objective_;
  History history_;
  std::unique_ptr<Tuner> tuner_;
  uint64_t trials_ = 100;
  uint64_t next_i_ = 0;
  Choice last_;
};

}  // namespace

void serve_stdio(const TunerOptions& tuner, Input input,
                 const std::function<void(std::string_view)>& answer) {
  const std::string name = input.name();
  jsonl::LineReader lines(std::move(input));
  jsonl::ObjectParser parser;
  jsonl::Line line;
  std::unique_ptr<Session> session;
  while (lines.next(line)) {
    if (line.text.empty()) continue;
    const std::string where = fmt::format("{}:{}", name, line.number);
    if (line.too_long || !parser.parse(line.text))
      throw input_error("{}: {}", where, line.too_long ? "the line is too long" : parser.error());
    const std::string type = text_or(parser, "type", "");
    if (type == "space") {
      session = std::make_unique<Session>(tuner, parser, where);
    } else if (type != "ask" && type != "tell" && type != "recommend") {
      throw input_error("{}: \"{}\" is none of space, ask, tell, recommend", where, type);
    } else if (!session) {
      throw input_error("{}: {} before a space", where, type);
    } else if (type == "ask") {
      answer(session->ask(parser));
    } else if (type == "recommend") {
      answer(session->recommend(parser));
    } else {
      session->tell(parser, where);
    }
  }
}

}  // namespace mlq::tune
