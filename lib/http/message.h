// The form of HTTP/1.1 messages (RFC 9112), read strictly: what two readers could take for two things is
// refused, so that nobody can smuggle a request past one of them (section 11.2). Pure. Internal to lib/http.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/http/server.h"

namespace mlq::http {

bool equal_ignoring_case(std::string_view a, std::string_view b);
// The reason phrase of a status (RFC 9110, section 15); of others "Unknown".
std::string_view reason_of(int status);

// Finds the end of a head that comes in pieces. Every byte is looked at once.
class HeadScanner {
 public:
  enum class Found { more, end, bare_newline };
  // `bytes`: from the beginning of the head, all that there is by now. At `end`, size() is that of the head
  // with its empty line.
  Found scan(std::string_view bytes);
  size_t size() const { return at_; }

 private:
  size_t at_ = 0;    // looked at
  size_t line_ = 0;  // where the line at hand begins
};

enum class BodyForm : uint8_t { none, length, chunked, until_close };

// Views are into the bytes that were read.
struct Head {
  std::string_view method;  // of a request
  std::string_view target;
  int status = 0;  // of a reply
  bool http_1_0 = false;
  bool keep_alive = true;
  bool expects_continue = false;
  BodyForm form = BodyForm::none;
  uint64_t length = 0;  // BodyForm::length
  std::vector<Header> headers;
};

// Reads a whole head, with its empty line. Null if it is good, else what is wrong with it, and `head` is not
// to be used. A request: one Host in HTTP/1.1; no Transfer-Encoding but exactly `chunked`, none in HTTP/1.0
// and none beside Content-Length; at most one of each of these; no folded lines, no control bytes.
const char* read_request_head(std::string_view bytes, Head& head);
// `to_head`: the request's method was HEAD.
const char* read_reply_head(std::string_view bytes, bool to_head, Head& head);

// Takes a chunked body apart as it comes.
//
//   for (std::string_view piece; !(piece = chunks.next(bytes)).empty();) ...
//   if (chunks.failed()) ... else if (chunks.done()) ... bytes is what follows
class ChunkReader {
 public:
  // Bytes of chunk extensions, and of trailers, which are read over.
  static constexpr size_t kMaxExtra = 16 * 1024;

  // The next piece of data, a view into `bytes`, which advances; empty if there is none by now.
  std::string_view next(std::string_view& bytes);
  bool done() const { return state_ == State::done; }
  bool failed() const { return state_ == State::failed; }
  // Of the chunk at hand what has not come yet: a body over a limit can be refused before it comes.
  uint64_t left() const { return left_; }

 private:
  enum class State : uint8_t {
    size,
    extension,
    size_end,
    data,
    data_return,
    data_end,
    trailer,
    trailer_text,
    trailer_end,
    last_end,
    done,
    failed
  };
  State step(char c);
  State size_step(char c);
  State extra(char c, State same, State end);

  State state_ = State::size;
  uint64_t left_ = 0;
  uint32_t digits_ = 0;
  size_t extra_ = 0;
};

}  // namespace mlq::http
