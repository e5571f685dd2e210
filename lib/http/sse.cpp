#include "lib/http/sse.h"

#include <charconv>
#include <cstring>

namespace mlq::http {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";

const char* find(const char* begin, const char* end, char c) {
  const void* at = std::memchr(begin, c, static_cast<size_t>(end - begin));
  return at ? static_cast<const char*>(at) : end;
}

}  // namespace

void SseParser::begin() {
  rest_ = {};
  newline_ = nullptr;
  mark_ = 0;
  mark_done_ = after_return_ = failed_ = dispatched_ = has_data_ = false;
  line_.clear();
  type_.clear();
  id_.clear();
  retry_ms_.reset();
}

void SseParser::feed(std::string_view chunk) {
  rest_ = chunk;
  newline_ = nullptr;
}

bool SseParser::next(SseEvent& event) {
  if (dispatched_) {
    dispatched_ = has_data_ = false;
    type_.clear();
  }
  for (std::string_view line; !failed_ && take_line(line);) {
    if (!line.empty()) {
      field(line);
      if (line_is_kept_) line_.clear();
    } else if (has_data_ && !failed_) {
      event.data = data_is_kept_ ? std::string_view(data_) : data_view_;
      event.type = type_.empty() ? std::string_view("message") : type_;
      event.id = id_;
      dispatched_ = true;
      return true;
    } else {
      type_.clear();
    }
  }
  keep_data();
  return false;
}

// The next line that is whole. What is left of a chunk without a line end is kept for the next one.
bool SseParser::take_line(std::string_view& line) {
  if (after_return_ && !rest_.empty()) {
    after_return_ = false;
    if (rest_.front() == '\n') rest_.remove_prefix(1);
  }
  if (!mark_done_) skip_mark();
  if (rest_.empty()) return false;
  const size_t end = line_end();
  if (over(line_.size() + end)) return false;
  line_is_kept_ = !line_.empty();
  if (end == rest_.size()) {
    line_.append(rest_);
    rest_ = {};
    return false;
  }
  line = rest_.substr(0, end);
  after_return_ = rest_[end] == '\r';
  rest_.remove_prefix(end + 1);
  if (line_is_kept_) line = line_.append(line);
  return true;
}

// Each byte is looked at twice at most, whatever the mix of line ends.
size_t SseParser::line_end() {
  const char* begin = rest_.data();
  if (newline_ == nullptr || newline_ < begin) newline_ = find(begin, begin + rest_.size(), '\n');
  return static_cast<size_t>(find(begin, newline_, '\r') - begin);
}

void SseParser::skip_mark() {
  while (!rest_.empty() && mark_ < kMark.size() && rest_.front() == kMark[mark_]) {
    rest_.remove_prefix(1);
    ++mark_;
  }
  if (mark_ == kMark.size()) {
    mark_done_ = true;
  } else if (!rest_.empty()) {  // it was none: these bytes begin the first line
    mark_done_ = true;
    line_ = kMark.substr(0, mark_);
  }
}

void SseParser::field(std::string_view line) {
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    add_data(value);
  } else if (name == "event") {
    type_ = value;
  } else if (name == "id") {
    if (value.find('\0') == value.npos) id_ = value;
  } else if (name == "retry") {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size()) retry_ms_ = number;
  }
}

void SseParser::add_data(std::string_view value) {
  if (!has_data_) {
    has_data_ = true;
    data_is_kept_ = false;
    data_view_ = value;
    if (line_is_kept_) keep_data();
    return;
  }
  keep_data();
  if (over(data_.size() + 1 + value.size())) return;
  data_ += '\n';
  data_ += value;
}

// The chunk, or line_, goes; the data stays.
void SseParser::keep_data() {
  if (!has_data_ || data_is_kept_) return;
  data_ = data_view_;
  data_is_kept_ = true;
}

bool SseParser::over(size_t size) {
  failed_ = failed_ || size > limit_;
  return failed_;
}

}  // namespace mlq::http
