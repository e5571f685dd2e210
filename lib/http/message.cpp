#include "lib/http/message.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace mlq::http {
namespace {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

enum : uint8_t { kToken = 1, kTarget = 2, kText = 4 };

// RFC 9110, section 5.6.2 (token) and 5.5 (field content); a target is made of visible ASCII.
constexpr std::array<uint8_t, 256> kClasses = [] {
  std::array<uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    uint8_t& of = classes[static_cast<size_t>(c)];
    if (c > 0x20 && c < 0x7F) of |= kTarget;
    if ((c >= 0x20 && c != 0x7F) || c == '\t') of |= kText;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) of |= kToken;
  }
  for (const char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'})
    classes[static_cast<size_t>(c)] |= kToken;
  return classes;
}();

bool is(char c, uint8_t what) { return (kClasses[static_cast<uint8_t>(c)] & what) != 0; }

bool all(std::string_view text, uint8_t what) {
  return std::all_of(text.begin(), text.end(), [what](char c) { return is(c, what); });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Whether a list as of `Connection: a, b` holds the word.
bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (equal_ignoring_case(trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// The line that `bytes` begins with, without its end.
std::string_view take_line(std::string_view& bytes) {
  const size_t end = bytes.find('\n');
  const std::string_view line = bytes.substr(0, end - 1);
  bytes.remove_prefix(end + 1);
  return line;
}

// What the header fields say of the message.
struct Fields {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  bool close = false;
  bool keep = false;
};

const char* note_field(const Header& field, Head& head, Fields& seen) {
  const auto named = [&](std::string_view name) { return equal_ignoring_case(field.name, name); };
  switch (field.name.size()) {
    case 4:
      if (named("host")) ++seen.hosts;
      break;
    case 6:
      if (named("expect") && equal_ignoring_case(field.value, "100-continue")) head.expects_continue = true;
      break;
    case 10:
      if (!named("connection")) break;
      seen.close = seen.close || lists(field.value, "close");
      seen.keep = seen.keep || lists(field.value, "keep-alive");
      break;
    case 14: {
      if (!named("content-length")) break;
      if (++seen.lengths > 1) return "two Content-Length fields";
      const char* end = field.value.data() + field.value.size();
      const auto [at, error] = std::from_chars(field.value.data(), end, head.length);
      if (error != std::errc() || at != end) return "Content-Length is no number";
      break;
    }
    case 17:
      if (!named("transfer-encoding")) break;
      if (++seen.encodings > 1) return "two Transfer-Encoding fields";
      if (!equal_ignoring_case(field.value, "chunked")) return "a Transfer-Encoding other than chunked";
      break;
    default:
      break;
  }
  return nullptr;
}

const char* read_fields(std::string_view bytes, Head& head, Fields& seen) {
  head.headers.clear();
  head.expects_continue = false;
  head.length = 0;
  while (true) {
    const std::string_view line = take_line(bytes);
    if (line.empty()) break;
    size_t colon = 0;
    while (colon < line.size() && is(line[colon], kToken)) ++colon;
    if (colon == 0 && (line[0] == ' ' || line[0] == '\t')) return "a folded header line";
    if (colon == 0 || colon == line.size() || line[colon] != ':')
      return "a header line without a proper name";
    const Header field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
    if (!all(field.value, kText)) return "a control byte in a header field";
    if (const char* fault = note_field(field, head, seen)) return fault;
    head.headers.push_back(field);
  }
  if (seen.encodings > 0 && seen.lengths > 0) return "both Transfer-Encoding and Content-Length";
  if (seen.encodings > 0 && head.http_1_0) return "Transfer-Encoding in HTTP/1.0";
  head.keep_alive = !seen.close && (!head.http_1_0 || seen.keep);
  head.form = seen.encodings > 0                    ? BodyForm::chunked
              : seen.lengths > 0 && head.length > 0 ? BodyForm::length
                                                    : BodyForm::none;
  return nullptr;
}

// `HTTP/1.0` or `HTTP/1.1`; later minor versions are read as 1.1.
bool read_version(std::string_view text, Head& head) {
  if (text.size() != 8 || !text.starts_with("HTTP/1.") || text[7] < '0' || text[7] > '9') return false;
  head.http_1_0 = text[7] == '0';
  return true;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view reason_of(int status) {
  static constexpr std::pair<int, std::string_view> kReasons[] = {{200, "OK"},
                                                                  {201, "Created"},
                                                                  {202, "Accepted"},
                                                                  {203, "Non-Authoritative Information"},
                                                                  {204, "No Content"},
                                                                  {205, "Reset Content"},
                                                                  {206, "Partial Content"},
                                                                  {301, "Moved Permanently"},
                                                                  {302, "Found"},
                                                                  {303, "See Other"},
                                                                  {304, "Not Modified"},
                                                                  {307, "Temporary Redirect"},
                                                                  {308, "Permanent Redirect"},
                                                                  {400, "Bad Request"},
                                                                  {401, "Unauthorized"},
                                                                  {403, "Forbidden"},
                                                                  {404, "Not Found"},
                                                                  {405, "Method Not Allowed"},
                                                                  {406, "Not Acceptable"},
                                                                  {408, "Request Timeout"},
                                                                  {409, "Conflict"},
                                                                  {410, "Gone"},
                                                                  {411, "Length Required"},
                                                                  {412, "Precondition Failed"},
                                                                  {413, "Content Too Large"},
                                                                  {414, "URI Too Long"},
                                                                  {415, "Unsupported Media Type"},
                                                                  {416, "Range Not Satisfiable"},
                                                                  {417, "Expectation Failed"},
                                                                  {421, "Misdirected Request"},
                                                                  {422, "Unprocessable Content"},
                                                                  {424, "Failed Dependency"},
                                                                  {426, "Upgrade Required"},
                                                                  {428, "Precondition Required"},
                                                                  {429, "Too Many Requests"},
                                                                  {431, "Request Header Fields Too Large"},
                                                                  {500, "Internal Server Error"},
                                                                  {501, "Not Implemented"},
                                                                  {502, "Bad Gateway"},
                                                                  {503, "Service Unavailable"},
                                                                  {504, "Gateway Timeout"},
                                                                  {505, "HTTP Version Not Supported"},
                                                                  {507, "Insufficient Storage"}};
  const auto* found = std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                                       [](const auto& each, int wanted) { return each.first < wanted; });
  return found != std::end(kReasons) && found->first == status ? found->second : "Unknown";
}

std::string_view header_of(std::span<const Header> headers, std::string_view name) {
  for (const Header& header : headers)
    if (header.name.size() == name.size() && equal_ignoring_case(header.name, name)) return header.value;
  return {};
}

HeadScanner::Found HeadScanner::scan(std::string_view bytes) {
  while (at_ < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at_, '\n', bytes.size() - at_);
    if (found == nullptr) {
      at_ = bytes.size();
      break;
    }
    at_ = static_cast<size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    if (at_ - line_ < 2 || bytes[at_ - 2] != '\r') return Found::bare_newline;
    const bool empty = at_ - line_ == 2;
    line_ = at_;
    if (empty) return Found::end;
  }
  return Found::more;
}

const char* read_request_head(std::string_view bytes, Head& head) {
  const std::string_view line = take_line(bytes);
  const size_t first = line.find(' ');
  const size_t second = line.find(' ', first + 1);
  if (first == line.npos || second == line.npos) return "this is not HTTP/1.1";
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, second - first - 1);
  if (head.method.empty() || !all(head.method, kToken) || head.target.empty() || !all(head.target, kTarget) ||
      !read_version(line.substr(second + 1), head))
    return "this is not HTTP/1.1";
  Fields seen;
  if (const char* fault = read_fields(bytes, head, seen)) return fault;
  if (seen.hosts > 1) return "two Host fields";
  if (seen.hosts == 0 && !head.http_1_0) return "no Host field";
  return nullptr;
}

const char* read_reply_head(std::string_view bytes, bool to_head, Head& head) {
  const std::string_view line = take_line(bytes);
  const auto digit = [&](size_t at) { return line[at] >= '0' && line[at] <= '9'; };
  if (line.size() < 12 || !read_version(line.substr(0, 8), head) || line[8] != ' ' || line[9] < '1' ||
      !digit(9) || !digit(10) || !digit(11) || (line.size() > 12 && line[12] != ' ') || !all(line, kText))
    return "the reply is not HTTP/1.1";
  head.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  Fields seen;
  if (const char* fault = read_fields(bytes, head, seen)) return fault;
  if (to_head || head.status < 200 || head.status == 204 || head.status == 304)
    head.form = BodyForm::none;
  else if (seen.lengths == 0 && seen.encodings == 0)
    head.form = BodyForm::until_close;
  if (head.form == BodyForm::until_close) head.keep_alive = false;
  return nullptr;
}

// Chunks --------------------------------------------------------------------------------------------------

std::string_view ChunkReader::next(std::string_view& bytes) {
  while (!bytes.empty() && state_ != State::done && state_ != State::failed) {
    if (state_ == State::data) {
      const std::string_view piece = bytes.substr(0, left_);
      bytes.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) state_ = State::data_return;
      return piece;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    state_ = step(c);
  }
  return {};
}

ChunkReader::State ChunkReader::step(char c) {
  switch (state_) {
    case State::size:
      return size_step(c);
    case State::extension:
      return extra(c, State::extension, State::size_end);
    case State::size_end:
      digits_ = 0;
      return c != '\n' ? State::failed : left_ > 0 ? State::data : State::trailer;
    case State::data_return:
      return c == '\r' ? State::data_end : State::failed;
    case State::data_end:
      return c == '\n' ? State::size : State::failed;
    case State::trailer:
      return c == '\r' ? State::last_end : extra(c, State::trailer_text, State::failed);
    case State::trailer_text:
      return extra(c, State::trailer_text, State::trailer_end);
    case State::trailer_end:
      return c == '\n' ? State::trailer : State::failed;
    case State::last_end:
      return c == '\n' ? State::done : State::failed;
    default:
      return State::failed;
  }
}

ChunkReader::State ChunkReader::size_step(char c) {
  const char l = lower(c);
  const int digit = c >= '0' && c <= '9' ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
  if (digit >= 0) {
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    return ++digits_ <= 15 ? State::size : State::failed;
  }
  if (digits_ == 0) return State::failed;
  return c == '\r' ? State::size_end : c == ';' ? State::extension : State::failed;
}

ChunkReader::State ChunkReader::extra(char c, State same, State end) {
  if (c == '\r') return end;
  return is(c, kText) && ++extra_ <= kMaxExtra ? same : State::failed;
}

}  // namespace mlq::http
