#include "lib/records/reader.h"

namespace mlq::records {

Reader::Reader(const std::string& path, ReaderOptions options)
    : Reader(Input::open(path, options.stop), options) {}
Reader::Reader(Input input, ReaderOptions options) : options_(options), lines_(std::move(input)) {}

std::string Reader::where() const { return fmt::format("{}:{}", name(), line_.number); }

// False if the line was the cut last one.
bool Reader::parse_line() {
  if (line_.too_long)
    throw input_error("{}: the line is longer than {} bytes", where(), jsonl::kDefaultMaxLine);
  if (!parser_.parse(line_.text)) {
    if (!line_.terminated) {
      cut_line_ = true;
      return false;
    }
    throw input_error("{}: {}; every line must be one record", where(), parser_.error());
  }
  const jsonl::Value* type = parser_.find("type");
  if (type == nullptr || type->kind != jsonl::Kind::string) {
    throw input_error("{}: no \"type\"; a record begins like {{\"type\":\"arrival\"", where());
  }
  type_ = type->text;
  return true;
}

// True if the current record was a run or an end.
bool Reader::set_aside() {
  if (type_ == Schema<Run>::type) {
    runs_.push_back(as<Run>());
    jsonl::Buffer text;
    write_record(text, runs_.back());
    runs_json_ += runs_json_.empty() ? "" : ",";
    runs_json_ += text.view().substr(0, text.size() - 1);
    return true;
  }
  if (type_ == Schema<End>::type) {
    end_ = as<End>();
    ++ends_;
    return true;
  }
  return false;
}

bool Reader::next() {
  while (lines_.next(line_)) {
    if (line_.text.empty()) continue;
    if (!parse_line()) return false;
    if (!set_aside()) return true;
  }
  return false;
}

void Reader::check(const ReadResult& result) const {
  if (!result.ok) throw input_error("{}: {}: {}", where(), type_, result.error);
  if (options_.strict && !result.unknown.empty()) {
    throw input_error("{}: {}: unknown field \"{}\" (--strict)", where(), type_, result.unknown);
  }
}

void Reader::pass_over() const {
  if (options_.strict) throw input_error("{}: unexpected record type \"{}\" (--strict)", where(), type_);
}

std::string Reader::truncation() const {
  if (interrupted()) return "";
  if (cut_line_) return fmt::format("{}: the last line is cut; the stream is not whole", where());
  if (runs_.size() > ends_)
    return fmt::format("{}: there is a run record and no end record; the stream was cut", name());
  return "";
}

void Reader::finish() const {
  const std::string wrong = truncation();
  if (!wrong.empty() && !options_.allow_truncated) {
    throw input_error("{} (--allow-truncated accepts it)", wrong);
  }
}

}  // namespace mlq::records
