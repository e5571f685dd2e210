// Server-sent events, read as they come (WHATWG HTML standard, section 9.2.6, "Interpreting an event
// stream").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mlq::http {

// One event. Views are valid until the next call of the parser.
struct SseEvent {
  std::string_view data;  // its data lines, joined by LF; may be empty
  std::string_view type;  // of its event field; "message" if it has none
  std::string_view id;    // of the last id field of the stream
};

// Takes a stream in chunks of any size and hands out its events, the same ones however it is cut. Lines end
// in LF, CR or CRLF; a byte order mark at the start, comments and unknown fields are passed over; an event
// without a data field is none; nor is one that the stream ends in. Bytes are passed on as they are: that
// they are UTF-8 is for the consumer to check. The data of an event of one line that lies in one chunk is not
// copied.
//
//   parser.feed(chunk);
//   for (SseEvent event; parser.next(event);) ...
//   if (parser.failed()) ...
//
// Not thread-safe. Memory: twice the limit at most.
class SseParser {
 public:
  static constexpr size_t kMaxEvent = size_t{1} << 20;

  // `limit`: bytes of a line, and of the data of an event.
  explicit SseParser(size_t limit = kMaxEvent) : limit_(limit) {}

  // A new stream; keeps the memory.
  void begin();
  // The chunk must stay where it is until next() has returned false, and may not be fed before that.
  void feed(std::string_view chunk);
  // False when the chunk is used up, or the stream has failed.
  bool next(SseEvent& event);
  // A line or an event was over the limit: nothing more comes.
  bool failed() const { return failed_; }
  // The reconnection time in ms that the stream last set.
  std::optional<uint64_t> retry_ms() const { return retry_ms_; }

 private:
  bool take_line(std::string_view& line);
  size_t line_end();
  void skip_mark();
  void field(std::string_view line);
  void add_data(std::string_view value);
  void keep_data();
  bool over(size_t size);

  size_t limit_;
  std::string_view rest_;          // of the chunk
  const char* newline_ = nullptr;  // the next LF in rest_, or its end; null or behind it: not looked for yet
  size_t mark_ = 0;                // bytes of a byte order mark that the stream began with
  bool mark_done_ = false;
  bool after_return_ = false;  // a line has just ended in CR: an LF next belongs to it
  bool failed_ = false;
  std::string line_;           // the beginning of a line, from earlier chunks
  bool line_is_kept_ = false;  // the line at hand is in line_, not in the chunk
  bool dispatched_ = false;    // the event below has been handed out
  bool has_data_ = false;
  bool data_is_kept_ = false;  // the data is data_, else data_view_
  std::string_view data_view_;
  std::string data_;
  std::string type_;
  std::string id_;
  std::optional<uint64_t> retry_ms_;
};

}  // namespace mlq::http
