// Histogram to the fields of a record and back.
#include <algorithm>
#include <charconv>

#include "lib/base/error.h"
#include "lib/stats/histogram.h"

namespace mlq::stats {
namespace {

__extension__ using Wide = unsigned __int128;
constexpr uint64_t kMostValues = INT64_MAX;

std::string decimal(Wide value) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

Wide parse_wide(std::string_view text) {
  Wide value = 0;
  bool good = !text.empty() && text.size() <= 38;  // 10^38 < 2^128
  for (const char c : text) {
    good = good && c >= '0' && c <= '9';
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (!good)
    throw input_error("hist: sum \"{}\" is not a decimal number of at most 38 digits", text.substr(0, 64));
  return value;
}

struct Bin {
  size_t index;
  uint64_t count;
};

// Reads bins from left to right.
class BinReader {
 public:
  explicit BinReader(std::string_view text) : text_(text), left_(text) {}
  bool at_end() const { return left_.empty(); }

  Bin next() {
    if (left_.size() < text_.size()) expect(' ');
    Bin bin{};
    bin.index = number();
    expect(':');
    bin.count = number();
    if (bin.index >= Histogram::kBuckets) fail("the index is over 5247");
    if (bin.count == 0 || bin.count > kMostValues) fail("the count is not between 1 and 2^63 - 1");
    if (any_ && bin.index <= last_) fail("the indexes do not ascend");
    any_ = true;
    last_ = bin.index;
    return bin;
  }

 private:
  uint64_t number() {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (error != std::errc()) fail("a decimal number is expected");
    left_.remove_prefix(static_cast<size_t>(end - left_.data()));
    return value;
  }

  void expect(char c) {
    if (left_.empty() || left_.front() != c) fail(c == ':' ? "':' is expected" : "one space is expected");
    left_.remove_prefix(1);
  }

  [[noreturn]] void fail(const char* what) const {
    throw input_error("hist: bins at byte {}: {}; write `index:count index:count ...`",
                      text_.size() - left_.size(), what);
  }

  std::string_view text_;
  std::string_view left_;
  bool any_ = false;
  size_t last_ = 0;
};

}  // namespace

HistogramFields Histogram::fields() const {
  HistogramFields fields{count_, decimal(sum_), min(), max(), clamped_, {}};
  for (size_t i = 0; i < kBuckets; ++i) {
    if (counters_[i] == 0) continue;
    if (!fields.bins.empty()) fields.bins += ' ';
    fmt::format_to(std::back_inserter(fields.bins), "{}:{}", i, counters_[i]);
  }
  return fields;
}

Histogram Histogram::from_fields(const HistogramFields& fields) {
  Histogram h;
  h.sum_ = parse_wide(fields.sum);
  h.clamped_ = fields.clamped;
  size_t first = kBuckets;
  size_t last = 0;
  Wide least = 0;  // the sum lies between these two
  Wide most = 0;
  for (BinReader reader(fields.bins); !reader.at_end();) {
    const Bin bin = reader.next();
    if (bin.count > kMostValues - h.count_) throw input_error("hist: bins hold more than 2^63 - 1 values");
    h.counters_[bin.index] = bin.count;
    h.count_ += bin.count;
    first = std::min(first, bin.index);
    last = bin.index;
    least += Wide{bin.count} * static_cast<uint64_t>(low_of(bin.index));
    most += Wide{bin.count} * static_cast<uint64_t>(low_of(bin.index) + width_of(bin.index) - 1);
  }
  if (h.count_ != fields.count)
    throw input_error("hist: count is {} but bins hold {}", fields.count, h.count_);
  if (fields.min.has_value() != (h.count_ > 0) || fields.max.has_value() != (h.count_ > 0)) {
    throw input_error("hist: min and max must be there exactly when count > 0");
  }
  if (h.count_ == 0) {
    if (h.sum_ != 0 || h.clamped_ != 0) throw input_error("hist: sum and clamped must be 0 when count is 0");
    return h;
  }
  h.min_ = *fields.min;
  h.max_ = *fields.max;
  if (h.min_ < 0 || h.max_ < h.min_ || index_of(h.min_) != first || index_of(h.max_) != last) {
    throw input_error("hist: min {} and max {} do not lie in the first and the last bin", h.min_, h.max_);
  }
  if ((h.max_ >= kLimit) != (h.clamped_ > 0) || h.clamped_ > h.counters_[kBuckets - 1] ||
      (h.min_ >= kLimit && h.clamped_ != h.count_)) {
    throw input_error("hist: clamped {} does not agree with max {} and the last bin", h.clamped_, h.max_);
  }
  most += Wide{h.clamped_} * static_cast<uint64_t>(h.max_ - std::min(h.max_, kLimit - 1));
  if (h.sum_ < least || h.sum_ > most)
    throw input_error("hist: sum {} is outside what the bins allow", fields.sum);
  return h;
}

}  // namespace mlq::stats
