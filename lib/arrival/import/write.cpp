#include "lib/arrival/import/write.h"

#include <array>
#include <bit>

#include "lib/arrival/import/scan.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/stats/resolution.h"

namespace mlq::arrival {
namespace {

constexpr size_t kFlushAt = size_t{256} << 10;

// t - origin; an input Error if that is negative or past the range.
int64_t from_origin(int64_t t_ns, int64_t origin_ns) {
  int64_t due = 0;
  if (t_ns < origin_ns) {
    throw input_error("the first event, at {} ns of the source's clock, comes before --origin ({} ns)", t_ns,
                      origin_ns);
  }
  if (__builtin_sub_overflow(t_ns, origin_ns, &due)) throw input_error("the trace is longer than 2^63 ns");
  return due;
}

// What there is to know before the first row can be written.
struct Survey {
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  stats::Resolution resolution;
  // For dequantisation: every distinct time, and how many rows have it.
  std::vector<int64_t> stamps;
  std::vector<uint64_t> ties;
};

Survey survey(const RowStore& rows, bool with_stamps) {
  Survey s;
  stats::ResolutionDetector detector;
  bool any = false;
  rows.for_each([&](int64_t t_ns, std::string_view) {
    if (!any) s.first_ns = t_ns;
    if (with_stamps) {
      if (!any || t_ns != s.stamps.back()) {
        s.stamps.push_back(t_ns);
        s.ties.push_back(0);
      }
      ++s.ties.back();
    }
    any = true;
    s.last_ns = t_ns;
    detector.add(from_origin(t_ns, s.first_ns));
    return true;
  });
  s.resolution = detector.result();
  return s;
}

// The same without a look at the rows: they lie in order, and share too few times to be batches.
Survey survey_in_order(const OrderedTimes& times, uint64_t rows) {
  Survey s;
  s.first_ns = times.first();
  s.last_ns = times.last();
  s.resolution.arrivals = rows;
  s.resolution.distinct_times = times.distinct();
  s.resolution.tick_ns = s.resolution.resolution_ns = static_cast<int64_t>(times.tick());
  return s;
}

// The times of the rows, in order, with ties spread.
class Spreader {
 public:
  Spreader(const Survey& survey, const ImportOptions& options)
      : survey_(survey), mode_(options.dequantise), random_(options.seed, Purpose::dequantise) {}

  int64_t next() {
    if (at_ == times_.size()) spread();
    return times_[at_++];
  }

 private:
  void spread() {
    const int64_t stamp = survey_.stamps[stamp_];
    int64_t width = survey_.resolution.resolution_ns;
    if (stamp_ + 1 < survey_.stamps.size()) width = std::min(width, survey_.stamps[stamp_ + 1] - stamp);
    width = std::min(width, INT64_MAX - std::max<int64_t>(stamp, 0));
    times_.resize(survey_.ties[stamp_]);
    spread_ties(mode_, stamp, width, index_, random_, times_, scratch_);
    index_ += times_.size();
    at_ = 0;
    ++stamp_;
  }

  const Survey& survey_;
  Dequantise mode_;
  RandomStream random_;
  size_t stamp_ = 0;
  uint64_t index_ = 0;
  std::vector<int64_t> times_;
  std::vector<double> scratch_;
  size_t at_ = 0;
};

// {"type":"arrival","t_ns":
constexpr auto kLineBegin = [] {
  constexpr std::string_view parts[] = {"{\"type\":\"", records::Schema<records::Arrival>::type, "\"",
                                        arrival_key<&records::Arrival::t_ns>};
  constexpr size_t size = parts[0].size() + parts[1].size() + parts[2].size() + parts[3].size();
  std::array<char, size> text{};
  auto at = text.begin();
  for (const std::string_view part : parts) at = std::copy(part.begin(), part.end(), at);
  return text;
}();

constexpr std::string_view kLineEnd = "}\n";

// What the one-byte keys of rows stand for, with room to be copied as one block.
constexpr size_t kKeyRoom = 32;
struct Key {
  std::array<char, kKeyRoom> text{};
  size_t size = 0;
};
constexpr auto kKeys = std::apply(
    []<class... F>(const F&...) {
      static_assert(((F::key.size() <= kKeyRoom) && ...));
      std::array<Key, 1 + sizeof...(F)> keys{};
      size_t code = 1;
      const auto add = [&](std::string_view key) {
        std::copy(key.begin(), key.end(), keys[code].text.begin());
        keys[code++].size = key.size();
      };
      (add(F::key), ...);
      return keys;
    },
    records::Schema<records::Arrival>::fields);

// Copies a row to `to` with its keys in full; returns where the copy ends. Reads RowStore::kReadBehind bytes
// behind the row and writes as many behind the copy.
char* expand(std::string_view row, char* to) {
  const char* from = row.data();
  const char* const end = from + row.size();
  while (from < end) {
    if (const auto code = static_cast<unsigned char>(*from); code < 0x20) {
      std::memcpy(to, kKeys[code].text.data(), kKeyRoom);
      to += kKeys[code].size;
      ++from;
    }
    const uint64_t word = scan::load8(from);
    std::memcpy(to, from, 8);
    // The high bit of the first byte below 0x20 is set, and none before it.
    const uint64_t codes = (word - scan::each_byte(0x20)) & ~word & scan::each_byte(0x80);
    const int plain = std::countr_zero(codes) / 8;
    from += plain;
    to += plain;
  }
  return to - (from - end);
}

// Lines of arrivals on their way to the writer.
class Lines {
 public:
  explicit Lines(records::Writer& writer) : writer_(writer) {}

  void add(int64_t due_ns, std::string_view row) {
    const size_t most =
        kLineBegin.size() + scan::kNumberRoom + row.size() + kArrivalFields * kKeyRoom + kLineEnd.size();
    char* const start = lines_.reserve(most + 8);
    char* at = std::copy(kLineBegin.begin(), kLineBegin.end(), start);
    at = scan::write_number(at, static_cast<uint64_t>(due_ns));
    at = expand(row, at);
    at = std::copy(kLineEnd.begin(), kLineEnd.end(), at);
    lines_.advance(static_cast<size_t>(at - start));
    ++count_;
    last_ns_ = due_ns;
  }
  bool full() const { return lines_.size() >= kFlushAt; }
  void flush() {
    writer_.arrival_lines(lines_.view(), count_, last_ns_);
    lines_.clear();
    count_ = 0;
  }

 private:
  records::Writer& writer_;
  jsonl::Buffer lines_;
  uint64_t count_ = 0;
  int64_t last_ns_ = 0;
};

}  // namespace

bool write_arrivals(const ImportSink& sink, RowStore& rows, const ImportOptions& options, records::Run base,
                    const StopFlag* stop, records::Writer& writer) {
  const bool spread = options.dequantise != Dequantise::none;
  const Survey found = !spread && rows.inversions() == 0 && rows.size() < 2 * sink.times().distinct()
                           ? survey_in_order(sink.times(), rows.size())
                           : survey(rows, spread);
  const int64_t origin = options.origin_ns.value_or(sink.starts_at_0 ? 0 : found.first_ns);
  if (rows.size() > 0) {
    from_origin(found.first_ns, origin);
    from_origin(found.last_ns, origin);
    if (sink.absolute) base.epoch_unix_ns = origin;
  }
  if (found.resolution.distinct_times > 1) {
    base.tick_ns = found.resolution.tick_ns;
    base.resolution_ns = found.resolution.resolution_ns;
  }
  writer.run(base);

  Lines lines(writer);
  Spreader spreader(found, options);
  bool stopped = false;
  rows.for_each([&](int64_t t_ns, std::string_view row) {
    lines.add(from_origin(spread ? spreader.next() : t_ns, origin), row);
    if (lines.full()) {
      lines.flush();
      stopped = stop != nullptr && *stop;
    }
    return !stopped;
  });
  lines.flush();
  return stopped;
}

}  // namespace mlq::arrival
