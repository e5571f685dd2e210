// clf: the Common and the combined log format of web servers,
// `host ident user [17/May/2015:10:05:03 +0000] "GET /path HTTP/1.1" 200 1234 ...`.
#include "lib/arrival/import/format.h"
#include "lib/arrival/import/scan.h"
#include "lib/arrival/text/civil_time.h"

namespace mlq::arrival {
namespace {

constexpr size_t kStampLength = 26;  // 17/May/2015:10:05:03 +0000
constexpr size_t kDateLength = 11;
constexpr size_t kZoneAt = 20;
constexpr size_t kZoneLength = 6;

struct Request {
  std::string_view method;
  std::string_view path;
};

// `GET /path HTTP/1.1`; `-` and nothing where no request came. What has no method is all path.
Request split_request(std::string_view text) {
  if (text == "-") return {};
  Request request;
  const size_t space = text.find(' ');
  if (space == text.npos) return {{}, text};
  request.method = text.substr(0, space);
  request.path = text.substr(space + 1);
  const size_t last = request.path.rfind(' ');
  if (last != request.path.npos && request.path.substr(last + 1).starts_with("HTTP/")) {
    request.path = request.path.substr(0, last);
  }
  return request;
}

// The place of the quote that closes what `text` begins with; a quote behind a backslash is part of it.
size_t closing_quote(std::string_view text) {
  for (size_t at = text.find('"'); at != text.npos; at = text.find('"', at + 1)) {
    size_t backslashes = 0;
    while (backslashes < at && text[at - 1 - backslashes] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return at;
  }
  return text.npos;
}

class Clf final : public FormatParser {
 public:
  explicit Clf(ImportSink& sink) : sink_(sink) { sink.absolute = true; }

  const char* line(const jsonl::Line& line) override {
    std::string_view text = line.text;
    if (text.empty()) return nullptr;
    int64_t t_ns = 0;
    if (!take_stamp(text, t_ns)) return "there is no [day/month/year:hour:minute:second zone]";
    if (!text.starts_with(" \"")) return "no request in quotes follows the time";
    text.remove_prefix(2);
    const size_t quote = closing_quote(text);
    if (quote == text.npos) return "the quotes of the request are not closed";
    const Request request = split_request(text.substr(0, quote));
    text.remove_prefix(quote + 1);
    uint64_t bytes = 0;
    bool has_bytes = false;
    if (!take_result(text, bytes, has_bytes)) return "no status and size follow the request";
    jsonl::Buffer& row = sink_.begin();
    if (has_bytes) put_number<&records::Arrival::size_bytes>(row, bytes);
    size_t bad = 0;
    if (!request.method.empty()) bad += put_string<&records::Arrival::method>(row, request.method);
    if (!request.path.empty()) bad += put_string<&records::Arrival::path>(row, request.path);
    sink_.count_bad_bytes(bad);
    sink_.commit(t_ns);
    return nullptr;
  }

 private:
  // Moves `text` behind the closing bracket. Names before it may hold brackets of their own.
  bool take_stamp(std::string_view& text, int64_t& t_ns) {
    for (size_t at = text.find('['); at != text.npos; at = text.find('[', at + 1)) {
      const std::string_view stamp = text.substr(at + 1);
      if (stamp.size() <= kStampLength) return false;
      if (stamp[kStampLength] == ']' && read_stamp(stamp, t_ns)) {
        text = stamp.substr(kStampLength + 1);
        return true;
      }
    }
    return false;
  }

  bool read_stamp(std::string_view stamp, int64_t& t_ns) {
    const char* p = stamp.data();
    const bool known =
        std::memcmp(p, date_, kDateLength) == 0 && std::memcmp(p + kZoneAt, zone_, kZoneLength) == 0;
    if (!known && !set_date(stamp)) return false;
    const int second = scan::time_of_day(p + kDateLength + 1);
    if (second < 0 || p[kDateLength] != ':') return false;
    t_ns = midnight_ns_ + second * kNsPerSecond;
    return true;
  }

  // Rows of one day come together, so a date is looked at once.
  bool set_date(std::string_view stamp) {
    std::string midnight(stamp.substr(0, kStampLength));
    midnight.replace(kDateLength, 9, ":00:00:00");
    const auto ns = format_.parse(midnight, utc_);
    if (!ns || *ns > INT64_MAX - 2 * kSecondsPerDay * kNsPerSecond) return false;
    stamp.copy(date_, kDateLength);
    stamp.substr(kZoneAt).copy(zone_, kZoneLength);
    midnight_ns_ = *ns;
    return true;
  }

  // ` 200 1234` or ` 200 -`, then the end or a space.
  static bool take_result(std::string_view text, uint64_t& bytes, bool& has_bytes) {
    if (!text.starts_with(' ')) return false;
    const size_t space = text.find(' ', 1);
    if (space == text.npos || space == 1 || space > 4) return false;
    text.remove_prefix(space + 1);
    if (text.empty()) return false;
    size_t length = 1;
    has_bytes = text.front() != '-';
    if (has_bytes) {
      const char* end = scan::number(text.data(), 16, bytes);
      if (end == nullptr || end > text.data() + text.size()) return false;
      length = static_cast<size_t>(end - text.data());
    }
    return length == text.size() || text[length] == ' ';
  }

  ImportSink& sink_;
  TimeZone utc_;
  TimeFormat format_{"%d/%b/%Y:%H:%M:%S %z"};
  char date_[kDateLength] = {'\n'};  // which no line holds
  char zone_[kZoneLength] = {};
  int64_t midnight_ns_ = 0;
};

}  // namespace

std::unique_ptr<FormatParser> make_clf(ImportSink& sink, const ImportOptions&) {
  return std::make_unique<Clf>(sink);
}

}  // namespace mlq::arrival
