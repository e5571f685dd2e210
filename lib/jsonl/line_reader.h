// Lines of a byte stream, with their numbers, in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "lib/base/io.h"

namespace mlq::jsonl {

// Bytes that may be read (not written) past the end of every line handed out; what simdjson needs.
constexpr size_t kLinePadding = 64;
constexpr size_t kDefaultMaxLine = size_t{64} << 20;
constexpr size_t kDefaultBlock = size_t{1} << 18;
// What is kept of a line that is over the limit.
constexpr size_t kLongLineKept = 80;

struct Line {
  std::string_view text;         // without its line end ("\n" or "\r\n"); valid until the next call
  uint64_t number = 0;           // from 1
  bool terminated = true;        // false: the stream ended without a line end
  bool carriage_return = false;  // a "\r" before the line end was taken off
  bool too_long = false;         // longer than the limit: `text` holds only its first kLongLineKept bytes
};

// Reads lines of up to `max_line` bytes. A UTF-8 byte order mark at the start is dropped. Empty lines are
// handed out; so is a last line without line end, unless a stop request cut it. `block` (at least 1) is the
// size of the buffer to begin with; it grows with the lines, to max_line + 2. Not thread-safe.
class LineReader {
 public:
  explicit LineReader(Input input, size_t max_line = kDefaultMaxLine, size_t block = kDefaultBlock);
  // False at the end of the stream.
  bool next(Line& line);
  const Input& input() const { return input_; }

 private:
  bool fill();
  void cut_line(Line& line, const char* newline);
  void skip_long_line(Line& line);
  void finish(Line& line);

  Input input_;
  size_t max_line_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;  // the unread part of the buffer
  size_t end_ = 0;
  size_t scanned_ = 0;  // no line end in [begin_, scanned_)
  uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace mlq::jsonl
