// Heads of HTTP messages: their end is found at the same place however they come; what is accepted has one
// reading, which survives being written out again.
#include <string>

#include "lib/http/message.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

using http::BodyForm;
using http::Head;
using http::HeadScanner;

bool clean(std::string_view text) {
  for (const char c : text)
    if ((static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7F) return false;
  return true;
}

size_t count(const Head& head, std::string_view name) {
  size_t n = 0;
  for (const http::Header& header : head.headers) n += http::equal_ignoring_case(header.name, name);
  return n;
}

void check(const Head& head) {
  for (const http::Header& header : head.headers) {
    MLQ_FUZZ_CLAIM(!header.name.empty() && clean(header.name) && clean(header.value));
    MLQ_FUZZ_CLAIM(header.name.find_first_of(": \t") == header.name.npos);
  }
  const size_t lengths = count(head, "content-length");
  const size_t encodings = count(head, "transfer-encoding");
  MLQ_FUZZ_CLAIM(lengths + encodings <= 1);
  MLQ_FUZZ_CLAIM(encodings == 0 || !head.http_1_0);
}

bool same(const Head& a, const Head& b) {
  if (a.headers.size() != b.headers.size()) return false;
  for (size_t k = 0; k < a.headers.size(); ++k)
    if (a.headers[k].name != b.headers[k].name || a.headers[k].value != b.headers[k].value) return false;
  return a.method == b.method && a.target == b.target && a.status == b.status && a.form == b.form &&
         a.length == b.length && a.keep_alive == b.keep_alive && a.expects_continue == b.expects_continue;
}

std::string with_fields(std::string text, const Head& head) {
  text += "\r\n";
  for (const http::Header& header : head.headers)
    text.append(header.name).append(": ").append(header.value).append("\r\n");
  return text + "\r\n";
}

void request(std::string_view text) {
  Head head;
  if (http::read_request_head(text, head) != nullptr) return;
  check(head);
  MLQ_FUZZ_CLAIM(count(head, "host") == 1 || (head.http_1_0 && count(head, "host") == 0));
  MLQ_FUZZ_CLAIM(clean(head.target) && head.target.find(' ') == head.target.npos);
  MLQ_FUZZ_CLAIM((head.form == BodyForm::chunked) == (count(head, "transfer-encoding") == 1));
  const std::string again = with_fields(
      std::string(head.method) + " " + std::string(head.target) + (head.http_1_0 ? " HTTP/1.0" : " HTTP/1.1"),
      head);
  Head second;
  MLQ_FUZZ_CLAIM(http::read_request_head(again, second) == nullptr);
  MLQ_FUZZ_CLAIM(same(head, second));
}

void reply(std::string_view text, bool to_head) {
  Head head;
  if (http::read_reply_head(text, to_head, head) != nullptr) return;
  check(head);
  MLQ_FUZZ_CLAIM(head.status >= 100 && head.status <= 999);
  MLQ_FUZZ_CLAIM(head.form != BodyForm::until_close || !head.keep_alive);
  const std::string again =
      with_fields((head.http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ") + std::to_string(head.status), head);
  Head second;
  MLQ_FUZZ_CLAIM(http::read_reply_head(again, to_head, second) == nullptr);
  MLQ_FUZZ_CLAIM(same(head, second));
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  const std::string_view text = text_of(data, size);
  HeadScanner whole;
  const HeadScanner::Found found = whole.scan(text);
  for (const size_t step : {1, 3, 17}) {
    HeadScanner parts;
    HeadScanner::Found so_far = HeadScanner::Found::more;
    for (size_t at = 0; at < size && so_far == HeadScanner::Found::more; at += step)
      so_far = parts.scan(text.substr(0, at + step));
    MLQ_FUZZ_CLAIM(so_far == found && (found == HeadScanner::Found::more || parts.size() == whole.size()));
  }
  if (found != HeadScanner::Found::end) return 0;
  const std::string alone(text.substr(0, whole.size()));  // so that a look behind it is noticed
  request(alone);
  reply(alone, false);
  reply(alone, true);
  return 0;
}
