#include "lib/arrival/describe/describe.h"

#include <algorithm>

#include "lib/arrival/describe/bin_describer.h"
#include "lib/arrival/describe/trace_describer.h"
#include "lib/base/error.h"
#include "lib/base/units.h"

namespace mlq::arrival {
namespace {

constexpr std::pair<std::string_view, StatKind> kKinds[] = {{"trace_stat", StatKind::trace_stat},
                                                            {"idc", StatKind::idc},
                                                            {"acf", StatKind::acf},
                                                            {"qq", StatKind::qq},
                                                            {"hist", StatKind::hist},
                                                            {"bin", StatKind::bin}};

// Writes bins of a fixed width as they close, so that a trace of any length can be cut into them.
class BinStream {
 public:
  BinStream(int64_t width_ns, const StopFlag* stop, records::Writer& writer)
      : width_ns_(width_ns), stop_(stop), writer_(writer) {}

  void add(int64_t t_ns) {
    close_until(t_ns);
    ++count_;
  }
  // A last bin that the trace's end cuts is shorter.
  void finish(int64_t duration_ns) {
    close_until(duration_ns);
    const int64_t rest = duration_ns - start_ns_;
    if (rest > 0 || count_ > 0)
      writer_.write(records::Bin{start_ns_, rest > 0 ? rest : width_ns_, count_, {}});
  }

 private:
  void close_until(int64_t t_ns) {
    while (t_ns - start_ns_ >= width_ns_ && !(stop_ != nullptr && *stop_)) {
      writer_.write(records::Bin{start_ns_, width_ns_, count_, {}});
      start_ns_ += width_ns_;
      count_ = 0;
    }
  }

  int64_t width_ns_;
  const StopFlag* stop_;
  records::Writer& writer_;
  int64_t start_ns_ = 0;
  double count_ = 0;
};

template <class T>
void write_all(records::Writer& writer, const std::vector<T>& records) {
  for (const T& record : records) writer.write(record);
}

std::vector<double> counts_of(const std::vector<records::Bin>& bins) {
  std::vector<double> counts;
  for (const records::Bin& bin : bins) counts.push_back(bin.count);
  return counts;
}

// Bins of a round width from the counts that the describer has kept.
std::vector<records::Bin> round_bins(const CountSeries& series, int64_t duration_ns) {
  std::vector<records::Bin> bins;
  const std::vector<double> fine = series.counts(duration_ns);
  if (fine.empty()) return bins;
  const int64_t width = std::max(round_bin_width(duration_ns), series.window_ns());
  for (const double count : joined(fine, static_cast<size_t>(width / series.window_ns()))) {
    const int64_t start = width * static_cast<int64_t>(bins.size());
    const int64_t rest = duration_ns - start;
    bins.push_back({start, rest > 0 ? std::min(width, rest) : width, count, std::nullopt});
  }
  return bins;
}

class Stat {
 public:
  Stat(const StatOptions& options, records::Writer& writer) : options_(options), writer_(writer) {}

  StatSummary run(const std::string& file, records::Run base) {
    BinDescriber bins;
    TraceOptions trace = options_.trace;
    trace.other = [&bins](const records::Reader& reader) {
      const bool is_bin = reader.type() == records::Schema<records::Bin>::type;
      if (is_bin) bins.add(reader.as<records::Bin>());
      return is_bin;
    };
    const auto source = open_trace(file, trace);
    complete_run(base, source->about(), source->runs_json());
    writer_.run(base);
    const bool some = describe_arrivals(*source, bins);
    if (!some && !bins.empty()) describe_bins(bins);
    records::End end;
    if (stopped()) end.interrupted = true;
    if (source->inversions() > 0) end.inversions = source->inversions();
    writer_.end(end);
    if (!stopped()) refuse_truncation(*source, options_.trace.reader);
    return std::move(summary_);
  }

 private:
  bool stopped() const {
    const StopFlag* stop = options_.trace.reader.stop;
    return stop != nullptr && *stop;
  }
  bool wants(StatKind kind) const { return options_.emit.contains(kind); }
  template <class T>
  void emit(StatKind kind, const std::vector<T>& records) {
    if (wants(kind)) write_all(writer_, records);
  }

  // False, and nothing is written, for a stream that holds bins and no arrivals.
  bool describe_arrivals(FileSource& source, const BinDescriber& bins) {
    TraceDescriber describer(options_.trace.memory_bytes);
    std::optional<BinStream> stream;
    if (options_.bin_ns && wants(StatKind::bin)) {
      stream.emplace(*options_.bin_ns, options_.trace.reader.stop, writer_);
    }
    records::Arrival arrival;
    int64_t last_ns = -1;
    while (!stopped() && source.next(arrival)) {
      describer.add(arrival);
      if (stream) stream->add(arrival.t_ns);
      last_ns = arrival.t_ns;
    }
    if (last_ns < 0 && !bins.empty()) return false;
    const int64_t duration_ns = stopped() ? std::max<int64_t>(last_ns, 0) : source.duration_ns();
    if (stream) stream->finish(duration_ns);
    report(describer, duration_ns, source.inversions());
    return true;
  }

  void report(const TraceDescriber& describer, int64_t duration_ns, uint64_t inversions) {
    summary_.stats = describer.stats(duration_ns, inversions);
    summary_.idc = describer.idc(duration_ns);
    emit(StatKind::trace_stat, summary_.stats);
    emit(StatKind::idc, summary_.idc);
    emit(StatKind::acf, describer.acf());
    emit(StatKind::qq, describer.qq());
    emit(StatKind::hist, describer.hist());
    const std::vector<records::Bin> bins = round_bins(describer.series(), duration_ns);
    if (!options_.bin_ns) emit(StatKind::bin, bins);
    chart(bins);
  }

  void describe_bins(BinDescriber& describer) {
    describer.finish();
    summary_.stats = describer.stats();
    summary_.idc = describer.idc();
    emit(StatKind::trace_stat, summary_.stats);
    emit(StatKind::idc, summary_.idc);
    emit(StatKind::bin, describer.bins(options_.bin_ns));
    chart(describer.bins(std::nullopt));
  }

  void chart(const std::vector<records::Bin>& bins) {
    summary_.bins = counts_of(bins);
    if (!bins.empty()) summary_.bin_ns = bins.front().dt_ns;
  }

  const StatOptions& options_;
  records::Writer& writer_;
  StatSummary summary_;
};

}  // namespace

std::set<StatKind> parse_stat_kinds(std::string_view text) {
  std::set<StatKind> kinds;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view name = text.substr(at, comma - at);
    at = comma + 1;
    bool known = false;
    for (const auto& [kind_name, kind] : kKinds) {
      if (name != "all" && name != kind_name) continue;
      kinds.insert(kind);
      known = true;
    }
    if (!known) {
      throw usage_error(
          "\"{}\": no kind of record \"{}\"; expected trace_stat, idc, acf, qq, hist, bin or all", text,
          name);
    }
  }
  return kinds;
}

StatSummary run_stat(const std::string& file, const StatOptions& options, records::Run base,
                     records::Writer& writer) {
  if (options.bin_ns && *options.bin_ns <= 0)
    throw usage_error("bins of 0 ns; give a width above 0, as in 1s");
  return Stat(options, writer).run(file, std::move(base));
}

}  // namespace mlq::arrival
