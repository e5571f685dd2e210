#include "lib/arrival/import_write.h"

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

// Lines of arrivals on their way to the writer.
class Lines {
 public:
  explicit Lines(records::Writer& writer) : writer_(writer) {}

  void add(int64_t due_ns, std::string_view row) {
    static constexpr std::string_view type = records::Schema<records::Arrival>::type;
    lines_.raw("{\"type\":\"");
    lines_.raw(type);
    lines_.raw('"');
    lines_.raw(arrival_key<&records::Arrival::t_ns>);
    lines_.integer(due_ns);
    lines_.raw(row);
    lines_.raw("}\n");
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
  const Survey found = survey(rows, spread);
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
    lines.add((spread ? spreader.next() : t_ns) - origin, row);
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
