// jsonl: any JSON Lines with a member that holds a time.
#include <charconv>

#include "lib/arrival/import/columns.h"
#include "lib/arrival/import/format.h"
#include "lib/arrival/import/time.h"

namespace mlq::arrival {
namespace {

class JsonLines final : public FormatParser {
 public:
  JsonLines(ImportSink& sink, const ImportOptions& options)
      : sink_(sink),
        time_(options.columns),
        time_key_(options.columns.time_col),
        named_(named_columns(options.columns)) {}

  const char* line(const jsonl::Line& line) override {
    if (line.text.empty()) return nullptr;
    if (!parser_.parse(line.text)) return "not a JSON object";
    if (time_key_.empty()) find_time_key();
    if (is_t_ns(time_key_) && !sink_.starts_at_0) {
      time_.reads_t_ns();
      sink_.starts_at_0 = true;
    }
    const jsonl::Value* value = time_key_.empty() ? nullptr : parser_.find(time_key_);
    if (value == nullptr) return "there is no time";
    const auto time = time_of(*value);
    if (!time) return "the time is not in the form that was asked for";
    marks_ = {};
    for (const jsonl::Member& member : parser_.members()) {
      if (const char* bad = take(member)) return bad;
    }
    sink_.arrival(*time, marks_);
    return nullptr;
  }

  void end() override { sink_.absolute = time_.absolute(); }

 private:
  // The first line decides.
  void find_time_key() {
    int best = 0;
    for (const jsonl::Member& member : parser_.members()) {
      const int likeness = time_likeness(member.key);
      if (likeness > best) time_key_ = member.key;
      best = std::max(best, likeness);
    }
  }

  // Numbers are read from their shortest decimal form, which is what stood in the file unless that had more
  // digits than a double holds.
  std::optional<int64_t> time_of(const jsonl::Value& value) {
    if (value.kind == jsonl::Kind::string) return time_.parse(value.text);
    char text[32];
    std::to_chars_result end{text, {}};
    if (const auto whole = value.as_int64()) {
      end = std::to_chars(text, text + sizeof text, *whole);
    } else if (const auto number = value.as_double()) {
      end = std::to_chars(text, text + sizeof text, *number);
    }
    return time_.parse({text, static_cast<size_t>(end.ptr - text)});
  }

  const char* take(const jsonl::Member& member) {
    const ArrivalField* field = nullptr;
    bool named_elsewhere = false;
    for (const NamedColumn& named : named_) {
      if (named.column == member.key) field = named.field;
    }
    if (field == nullptr && member.key != time_key_) {
      field = find_arrival_field(member.key);
      for (const NamedColumn& named : named_) named_elsewhere |= named.field == field;
    }
    if (field == nullptr || named_elsewhere) return nullptr;
    return field->from_json(member.value, marks_) ? nullptr : "a member is not of the kind that it should be";
  }

  ImportSink& sink_;
  TimeReader time_;
  std::string time_key_;
  std::vector<NamedColumn> named_;
  jsonl::ObjectParser parser_;
  records::Arrival marks_;
};

}  // namespace

std::unique_ptr<FormatParser> make_jsonl(ImportSink& sink, const ImportOptions& options) {
  return std::make_unique<JsonLines>(sink, options);
}

}  // namespace mlq::arrival
