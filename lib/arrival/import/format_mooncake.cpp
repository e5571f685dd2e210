// mooncake: JSON Lines of `timestamp` (ms), `input_length`, `output_length` and `hash_ids`.
#include <charconv>

#include "lib/arrival/import/format.h"
#include "lib/arrival/import/scan.h"
#include "lib/arrival/text/decimal.h"
#include "lib/jsonl/object.h"

namespace mlq::arrival {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr size_t kMostIds = 4096;  // what prefix_ids holds
constexpr uint32_t kBlockTokens = 512;

// Walks over a line in the layout that Python's json.dumps and its compact variant give: these members in
// this order.
class Scan {
 public:
  explicit Scan(std::string_view text) : p_(text.data()), end_(text.data() + text.size()) {}

  template <size_t N>
  bool literal(const char (&text)[N]) {
    if (std::memcmp(p_, text, N - 1) != 0) return false;  // the padding makes this safe
    p_ += N - 1;
    return true;
  }
  void space() { p_ += *p_ == ' ' ? 1 : 0; }
  bool number32(uint32_t& value) {
    if (*p_ == '0' && p_[1] >= '0' && p_[1] <= '9') return false;  // JSON has no leading zeros
    const char* next = scan::number32(p_, value);
    if (next == nullptr) return false;
    p_ = next;
    return true;
  }
  bool milliseconds(int64_t& ns) {
    if (*p_ == '0' && p_[1] >= '0' && p_[1] <= '9') return false;
    uint64_t ms = 0;
    const char* next = scan::number(p_, 12, ms);
    if (next == nullptr) return false;
    p_ = next;
    ns = static_cast<int64_t>(ms) * kNsPerMs;
    return true;
  }
  // Copies `1, 2, 3]` without its spaces.
  bool ids(jsonl::Buffer& out) {
    constexpr uint64_t comma_space = ',' | ' ' << 8;
    if (p_ >= end_) return false;  // behind the line stands what the reader's buffer held before
    char* const start = out.reserve(static_cast<size_t>(end_ - p_) + 16);
    char* to = start;
    size_t count = 0;
    while (p_ < end_) {
      const uint64_t word = scan::load8(p_);
      int n = scan::count_digits(word);
      if (n == 0 || (n > 1 && *p_ == '0') || ++count > kMostIds) return false;
      std::memcpy(to, p_, 8);
      if (n < 7 && (word >> (8 * n) & 0xFFFF) == comma_space) {  // nearly always
        to += n + 1;
        p_ += n + 2;
        continue;
      }
      if (n == 8) {
        const uint64_t more = scan::load8(p_ + 8);
        const int m = scan::count_digits(more);
        if (m == 8) return false;  // 16 digits and more are left to the parser of JSON
        std::memcpy(to + 8, p_ + 8, 8);
        n += m;
      }
      p_ += n;
      to += n;
      *to++ = *p_;
      if (*p_ == ']') break;
      if (*p_ != ',') return false;
      ++p_;
      space();
    }
    if (p_ >= end_) return false;
    ++p_;
    out.advance(static_cast<size_t>(to - start));
    return true;
  }
  bool at_end() const { return p_ == end_; }

 private:
  const char* p_;
  const char* end_;
};

class Mooncake final : public FormatParser {
 public:
  explicit Mooncake(ImportSink& sink) : sink_(sink) { sink.prefix_block_tokens = kBlockTokens; }

  const char* line(const jsonl::Line& line) override {
    if (line.text.empty()) return nullptr;
    int64_t t_ns = 0;
    if (!scan(line.text, t_ns)) {
      sink_.drop();
      if (const char* bad = parse(line.text, t_ns)) {
        sink_.drop();
        return bad;
      }
    }
    const auto placed = sink_.placed(t_ns);
    if (!placed) {
      sink_.drop();
      return "the time is past the range";
    }
    sink_.commit(*placed);
    return nullptr;
  }

 private:
  bool scan(std::string_view text, int64_t& t_ns) {
    jsonl::Buffer& row = sink_.begin();
    Scan in(text);
    uint32_t input = 0;
    uint32_t output = 0;
    if (!in.literal("{\"timestamp\":")) return false;
    in.space();
    if (!in.milliseconds(t_ns) || !in.literal(",")) return false;
    in.space();
    if (!in.literal("\"input_length\":")) return false;
    in.space();
    if (!in.number32(input) || !in.literal(",")) return false;
    in.space();
    if (!in.literal("\"output_length\":")) return false;
    in.space();
    if (!in.number32(output) || !in.literal(",")) return false;
    in.space();
    if (!in.literal("\"hash_ids\":")) return false;
    in.space();
    if (!in.literal("[")) return false;
    put_number<&records::Arrival::input_tokens>(row, input);
    put_number<&records::Arrival::output_tokens>(row, output);
    put_key<&records::Arrival::prefix_ids>(row);
    row.raw('[');
    return in.ids(row) && in.literal("}") && in.at_end();
  }

  // Any JSON.
  const char* parse(std::string_view text, int64_t& t_ns) {
    jsonl::Buffer& row = sink_.begin();
    if (!parser_.parse(text)) return "not a JSON object";
    if (!take_time(parser_.find("timestamp"), t_ns)) return "timestamp is not a number of milliseconds";
    const auto input = length(parser_.find("input_length"));
    const auto output = length(parser_.find("output_length"));
    if (!input || !output) return "input_length or output_length is no whole number";
    put_number<&records::Arrival::input_tokens>(row, *input);
    put_number<&records::Arrival::output_tokens>(row, *output);
    const jsonl::Value* ids = parser_.find("hash_ids");
    if (ids == nullptr) return nullptr;
    ids_.clear();
    if (!jsonl::read_uint64_array(*ids, ids_)) return "hash_ids is not an array of whole numbers";
    if (ids_.size() > kMostIds) return "more than 4,096 hash_ids";
    put_key<&records::Arrival::prefix_ids>(row);
    for (size_t i = 0; i < ids_.size(); ++i) {
      row.raw(i == 0 ? '[' : ',');
      row.integer(ids_[i]);
    }
    row.raw(ids_.empty() ? std::string_view("[]") : std::string_view("]"));
    return nullptr;
  }

  // Some writers give parts of a millisecond: the decimal text is taken, not the double.
  static bool take_time(const jsonl::Value* value, int64_t& t_ns) {
    if (value == nullptr) return false;
    const auto number = value->as_double();
    if (!number) return false;
    char text[32];
    const auto whole = value->as_int64();
    const auto end = whole ? std::to_chars(text, text + sizeof text, *whole)
                           : std::to_chars(text, text + sizeof text, *number);
    const auto ns = parse_decimal64({text, static_cast<size_t>(end.ptr - text)}, 6);
    if (!ns || *ns < 0) return false;
    t_ns = *ns;
    return true;
  }

  static std::optional<uint32_t> length(const jsonl::Value* value) {
    const auto number = value == nullptr ? std::nullopt : value->as_uint64();
    if (!number || *number > UINT32_MAX) return std::nullopt;
    return static_cast<uint32_t>(*number);
  }

  ImportSink& sink_;
  jsonl::ObjectParser parser_;
  std::vector<uint64_t> ids_;
};

}  // namespace

std::unique_ptr<FormatParser> make_mooncake(ImportSink& sink, const ImportOptions&) {
  return std::make_unique<Mooncake>(sink);
}

}  // namespace mlq::arrival
