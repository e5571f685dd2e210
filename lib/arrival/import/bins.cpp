#include <fmt/format.h>

#include "lib/arrival/import/write.h"
#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

// What is missing between bins of one series.
class Holes {
 public:
  // How many bins of `a`'s length are missing between `a` and `b`, to the nearest.
  static int64_t between(const BinRow& a, const BinRow& b) {
    const int64_t distance = b.t_ns - a.t_ns;
    return distance <= a.dt_ns
               ? 0
               : (distance - a.dt_ns) / a.dt_ns + ((distance % a.dt_ns) * 2 >= a.dt_ns ? 1 : 0);
  }

  void add(const BinRow& a, const BinRow& b, int64_t missing) {
    if (missing == 0) return;
    ++holes_;
    missing_ += missing;
    const int64_t length = b.t_ns - a.t_ns - a.dt_ns;
    if (length / 10 < a.dt_ns) return;
    if (++long_holes_ == 1 || length > longest_) {
      longest_ = length;
      longest_at_ = a.t_ns + a.dt_ns;
    }
  }

  void report(const ImportSink& sink, int64_t origin_ns, Fill fill) const {
    if (holes_ == 0) return;
    const char* done = fill == Fill::gap    ? "left out"
                       : fill == Fill::zero ? "written as 0"
                                            : "filled with the count before";
    sink.notice(fmt::format("{} missing in {}; {} (--fill)",
                            format_count(static_cast<uint64_t>(missing_), "bin"),
                            format_count(static_cast<uint64_t>(holes_), "place"), done));
    if (long_holes_ == 0) return;
    sink.notice(fmt::format("{} longer than 10 bins; the longest, {}, begins at t_ns {}",
                            format_count(static_cast<uint64_t>(long_holes_), "gap"),
                            format_duration(longest_), longest_at_ - origin_ns));
  }

 private:
  int64_t holes_ = 0;
  int64_t missing_ = 0;
  int64_t long_holes_ = 0;
  int64_t longest_ = 0;
  int64_t longest_at_ = 0;
};

// Writes bins with times from the origin.
class BinLines {
 public:
  BinLines(const ImportSink& sink, int64_t origin_ns, records::Writer& writer)
      : sink_(sink), origin_ns_(origin_ns), writer_(writer) {}

  void add(const BinRow& row, int64_t t_ns, double count) {
    bin_.t_ns = t_ns - origin_ns_;
    bin_.dt_ns = row.dt_ns;
    bin_.count = count;
    if (row.klass != kNoClass) bin_.klass = sink_.classes()[row.klass];
    writer_.write(bin_);
  }

 private:
  const ImportSink& sink_;
  int64_t origin_ns_;
  records::Writer& writer_;
  records::Bin bin_;
};

// The end of the last bin, or of the last file where that says when it ends; from the origin.
int64_t checked_end(const BinRow& last, int64_t latest_ns, int64_t origin_ns) {
  int64_t end = 0;
  if (__builtin_add_overflow(last.t_ns, last.dt_ns, &end) ||
      __builtin_sub_overflow(std::max(end, latest_ns), origin_ns, &end)) {
    throw input_error("the series is longer than 2^63 ns");
  }
  return end;
}

}  // namespace

bool write_bins(ImportSink& sink, const ImportOptions& options, records::Run base, const StopFlag* stop,
                records::Writer& writer, int64_t& duration_ns) {
  std::vector<BinRow>& bins = sink.bins();
  std::stable_sort(bins.begin(), bins.end(),
                   [](const BinRow& a, const BinRow& b) { return a.t_ns < b.t_ns; });
  if (bins.empty()) {
    writer.run(base);
    return false;
  }
  const int64_t origin = options.origin_ns.value_or(sink.starts_at_0 ? 0 : bins.front().t_ns);
  if (bins.front().t_ns < origin) {
    throw input_error("the first bin, at {} ns of the source's clock, comes before --origin ({} ns)",
                      bins.front().t_ns, origin);
  }
  duration_ns = checked_end(bins.back(), sink.latest(), origin);
  if (sink.absolute) base.epoch_unix_ns = origin;
  writer.run(base);

  const bool series = !sink.sparse_bins && bins.front().klass == kNoClass;
  BinLines lines(sink, origin, writer);
  Holes holes;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (stop != nullptr && *stop) return true;
    const BinRow& bin = bins[i];
    lines.add(bin, bin.t_ns, bin.count);
    if (!series || i + 1 == bins.size()) continue;
    const int64_t missing = Holes::between(bin, bins[i + 1]);
    holes.add(bin, bins[i + 1], missing);
    if (options.fill == Fill::gap) continue;
    for (int64_t k = 1; k <= missing; ++k) {
      if (stop != nullptr && *stop) return true;
      lines.add(bin, bin.t_ns + k * bin.dt_ns, options.fill == Fill::hold ? bin.count : 0);
    }
  }
  holes.report(sink, origin, options.fill);
  return false;
}

}  // namespace mlq::arrival
