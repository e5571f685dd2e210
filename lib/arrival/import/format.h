// What a format of import is made of: a parser that is fed lines, and the sink that it fills.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "lib/arrival/import/import.h"
#include "lib/arrival/import/rows.h"
#include "lib/jsonl/line_reader.h"
#include "lib/records/arrival.h"
#include "lib/records/trace.h"

namespace mlq::arrival {

namespace detail {

template <auto Member, class F>
constexpr bool is_field_of() {
  if constexpr (std::is_same_v<std::remove_const_t<decltype(F::member)>, decltype(Member)>) {
    return F::member == Member;
  } else {
    return false;
  }
}

template <auto Member>
consteval size_t find_place() {
  size_t place = 0;
  bool found = false;
  std::apply([&]<class... F>(
                 const F&...) { ((found = found || is_field_of<Member, F>(), place += found ? 0 : 1), ...); },
             records::Schema<records::Arrival>::fields);
  return place;
}

}  // namespace detail

constexpr size_t kArrivalFields = std::tuple_size_v<decltype(records::Schema<records::Arrival>::fields)>;

// `,"input_tokens":` for &Arrival::input_tokens.
template <auto Member>
constexpr std::string_view arrival_key =
    std::tuple_element_t<detail::find_place<Member>(),
                         decltype(records::Schema<records::Arrival>::fields)>::key;

// In a row that waits, one byte that JSON text does not hold stands for a key: rows are a third as long, and
// memory that is not touched costs nothing. write.cpp puts the keys back; a row may also hold keys in
// full.
template <auto Member>
constexpr char arrival_code = static_cast<char>(1 + detail::find_place<Member>());
static_assert(kArrivalFields < 0x20);

// Append a member to a row. Members go in the order of the field list.
template <auto Member>
void put_key(jsonl::Buffer& row) {
  row.raw(arrival_code<Member>);
}
template <auto Member, std::integral T>
void put_number(jsonl::Buffer& row, T value) {
  put_key<Member>(row);
  row.integer(value);
}
// Returns how many bytes were no UTF-8.
template <auto Member>
size_t put_string(jsonl::Buffer& row, std::string_view text) {
  put_key<Member>(row);
  return row.string(text);
}

struct BinRow {
  int64_t t_ns;
  int64_t dt_ns;
  double count;
  uint32_t klass;  // index into classes(), or kNoClass
};
constexpr uint32_t kNoClass = UINT32_MAX;

// Tick and distinct times of a sequence while it is in order, so that most traces need no second look. What
// samples of gaps tell is left to stats::ResolutionDetector.
class OrderedTimes {
 public:
  void add(int64_t t_ns) {
    if (distinct_ == 0) {
      first_ = t_ns;
      distinct_ = 1;
    } else if (t_ns != last_) {
      const uint64_t gap = static_cast<uint64_t>(t_ns) - static_cast<uint64_t>(last_);
      if (!is_multiple(gap)) set_tick(std::gcd(tick_, gap));
      ++distinct_;
    }
    last_ = t_ns;
  }
  int64_t first() const { return first_; }
  int64_t last() const { return last_; }
  uint64_t tick() const { return tick_; }
  uint64_t distinct() const { return distinct_; }

 private:
  // A division takes longer than the rest of a row. x is a multiple of 2^k d, d odd, if x times the inverse
  // of d modulo 2^64, rotated by k, is no more than 2^64 / (2^k d) (Granlund and Montgomery, PLDI'94, section
  // 9).
  bool is_multiple(uint64_t x) const { return std::rotr(x * inverse_, shift_) <= most_; }
  void set_tick(uint64_t tick) {
    tick_ = tick;
    shift_ = std::countr_zero(tick);
    const uint64_t odd = tick >> shift_;
    inverse_ = odd;  // right to 3 bits; each step doubles them
    for (int step = 0; step < 5; ++step) inverse_ *= 2 - odd * inverse_;
    most_ = UINT64_MAX / tick;
  }

  int64_t first_ = 0;
  int64_t last_ = 0;
  uint64_t tick_ = 0;
  uint64_t inverse_ = 1;  // as it is here, no gap is a multiple
  int shift_ = 0;
  uint64_t most_ = 0;
  uint64_t distinct_ = 0;
};

// Takes what parsers read. Times are those of the source: Unix nanoseconds, or nanoseconds from its own zero.
class ImportSink {
 public:
  explicit ImportSink(const ImportOptions& options)
      : options_(options), rows_(options.memory_bytes, options.temp_folder) {}

  // A row of an arrival: append members to the buffer (put_...), then commit or drop.
  jsonl::Buffer& begin() { return rows_.begin(); }
  void drop() { rows_.drop(); }
  // Input Error if rows must be in order and this one is not.
  void commit(int64_t t_ns) {
    if (t_ns < rows_.last_time() && options_.sort == ImportSort::assume) refuse_inversion();
    latest_ = std::max(latest_, t_ns);
    times_.add(t_ns);
    rows_.commit(t_ns);
  }
  // The same for formats that are not worth hand-made rows; t_ns of `marks` is 0.
  void arrival(int64_t t_ns, const records::Arrival& marks);
  // Those without class are one series, whose order is looked at.
  void bin(int64_t t_ns, int64_t dt_ns, double count, uint32_t klass = kNoClass);

  uint32_t class_index(std::string_view name);
  void count_bad_bytes(size_t n) { bad_bytes_ += n; }
  // For texts that the sink does not escape itself.
  void count_bad_bytes_of(std::string_view text);
  void notice(const std::string& text) const {
    if (options_.notice) options_.notice(text);
  }

  // Where the current line stands.
  std::string where() const;
  void begin_file(std::string name);
  void at_line(uint64_t number) { line_ = number; }
  const std::string& file() const { return file_; }

  // A time that counts from the start of the current file, as one that counts from the start of the first;
  // empty if it is past the range.
  std::optional<int64_t> placed(int64_t t_ns) const {
    int64_t sum = 0;
    if (__builtin_add_overflow(t_ns, file_start_, &sum)) return std::nullopt;
    return sum;
  }
  // The file has ended, at `t_ns` (as placed() gives it) at least: where the next one starts.
  void end_file_at(int64_t t_ns) { latest_ = std::max(latest_, t_ns); }

  // What the source is like, for the run record.
  bool absolute = false;     // times are Unix times
  bool starts_at_0 = false;  // the zero of the source's clock is the origin, whenever the first event is
  bool sparse_bins = false;  // bins that are not there had no events
  std::optional<uint32_t> prefix_block_tokens;

  RowStore& rows() { return rows_; }
  // Means something while rows().inversions() is 0.
  const OrderedTimes& times() const { return times_; }
  std::vector<BinRow>& bins() { return bins_; }
  const std::vector<std::string>& classes() const { return classes_; }
  uint64_t bad_bytes() const { return bad_bytes_; }
  uint64_t bin_inversions() const { return bin_inversions_; }
  int64_t latest() const { return latest_; }

 private:
  [[noreturn]] void refuse_inversion() const;

  const ImportOptions& options_;
  RowStore rows_;
  OrderedTimes times_;
  std::vector<BinRow> bins_;
  std::vector<std::string> classes_;
  std::unordered_map<std::string, uint32_t> class_index_;
  uint64_t bad_bytes_ = 0;
  uint64_t bin_inversions_ = 0;
  std::string file_;
  uint64_t line_ = 0;
  int64_t file_start_ = 0;
  int64_t latest_ = INT64_MIN;
  jsonl::Buffer scratch_;
};

// Parses one format. A line is good (null) or bad: then the reason, a text that lives for ever. Empty lines
// are good. May throw an input Error where the whole file is not what it should be.
class FormatParser {
 public:
  virtual ~FormatParser() = default;
  virtual void begin_file() {}
  virtual const char* line(const jsonl::Line& line) = 0;
  // After the last line of a file; a reason if something was left open.
  virtual const char* end_file() { return nullptr; }
  // After the last file.
  virtual void end() {}
};

using MakeParser = std::unique_ptr<FormatParser> (*)(ImportSink& sink, const ImportOptions& options);

std::unique_ptr<FormatParser> make_azure_llm(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_mooncake(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_clf(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_limbo(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_counts(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_gaps(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_azure_func_2021(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_azure_func_2019(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_servegen(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_burstgpt(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_csv(ImportSink& sink, const ImportOptions& options);
std::unique_ptr<FormatParser> make_jsonl(ImportSink& sink, const ImportOptions& options);

// One row of the table of formats.
struct FormatEntry {
  ImportFormat info;
  std::string_view data_set;  // where the format tells which one it is, else empty
  std::string_view license;   // SPDX
  MakeParser make;
};

std::span<const FormatEntry> format_entries();
// Null if there is none.
const FormatEntry* find_format(std::string_view name);

}  // namespace mlq::arrival
