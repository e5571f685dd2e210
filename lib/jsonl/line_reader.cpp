#include "lib/jsonl/line_reader.h"

#include <algorithm>
#include <cstring>

namespace mlq::jsonl {

LineReader::LineReader(Input input, size_t max_line, size_t block)
    : input_(std::move(input)),
      max_line_(max_line),
      buffer_(std::make_unique_for_overwrite<char[]>(block + kLinePadding)),
      capacity_(block) {
  std::memset(buffer_.get() + capacity_, 0, kLinePadding);
}

// Reads more bytes behind the unread part; false at the end of the stream or when a line of `max_line_` fills
// the buffer.
bool LineReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_) {
    const size_t capacity = std::min(capacity_ * 2, max_line_ + 2);
    if (capacity <= capacity_) return false;
    auto bigger = std::make_unique_for_overwrite<char[]>(capacity + kLinePadding);
    std::memcpy(bigger.get(), buffer_.get(), end_);
    std::memset(bigger.get() + capacity, 0, kLinePadding);
    buffer_ = std::move(bigger);
    capacity_ = capacity;
  }
  const size_t n = input_.read(buffer_.get() + end_, capacity_ - end_);
  if (n == 0) ended_ = true;
  end_ += n;
  return n > 0;
}

void LineReader::cut_line(Line& line, const char* newline) {
  const char* start = buffer_.get() + begin_;
  const char* stop = newline != nullptr ? newline : buffer_.get() + end_;
  begin_ = static_cast<size_t>(stop - buffer_.get()) + (newline != nullptr ? 1 : 0);
  size_t length = static_cast<size_t>(stop - start);
  line.carriage_return = length > 0 && start[length - 1] == '\r';
  if (line.carriage_return) --length;
  line.text = {start, length};
  line.terminated = newline != nullptr;
  line.too_long = length > max_line_;
  finish(line);
}

// Drops the rest of a line that is over the limit, keeping a beginning to quote.
void LineReader::skip_long_line(Line& line) {
  const size_t kept =
      std::min(kLongLineKept, max_line_);  // less than the buffer holds, so that there is room to read on
  line.terminated = false;
  line.carriage_return = false;
  line.too_long = true;
  for (;;) {
    const size_t from = begin_ + kept;
    const void* newline = std::memchr(buffer_.get() + from, '\n', end_ - from);
    if (newline != nullptr) {
      // The kept beginning moves up to the line end, so that the buffer stays one piece.
      const size_t at = static_cast<size_t>(static_cast<const char*>(newline) - buffer_.get());
      std::memmove(buffer_.get() + at - kept, buffer_.get() + begin_, kept);
      line.text = {buffer_.get() + at - kept, kept};
      line.terminated = true;
      begin_ = at + 1;
      break;
    }
    end_ = from;
    scanned_ = begin_;
    if (!fill()) {
      line.text = {buffer_.get() + begin_, kept};
      begin_ = end_;
      break;
    }
  }
  finish(line);
}

// What all lines have in common, whole or not.
void LineReader::finish(Line& line) {
  scanned_ = begin_;
  line.number = ++number_;
  if (line.too_long) line.text = line.text.substr(0, std::min(kLongLineKept, max_line_));
  if (number_ == 1 && line.text.starts_with("\xEF\xBB\xBF")) line.text.remove_prefix(3);
}

bool LineReader::next(Line& line) {
  for (;;) {
    const char* from = buffer_.get() + scanned_;
    if (const void* newline = end_ > scanned_ ? std::memchr(from, '\n', end_ - scanned_) : nullptr) {
      cut_line(line, static_cast<const char*>(newline));
      return true;
    }
    scanned_ = end_;
    if (!ended_ && fill()) continue;
    if (!ended_) {
      skip_long_line(line);
      return true;
    }
    if (begin_ == end_ || input_.interrupted()) return false;
    cut_line(line, nullptr);
    return true;
  }
}

}  // namespace mlq::jsonl
