#include "lib/arrival/check/check.h"

#include <algorithm>

#include "lib/arrival/check/battery.h"
#include "lib/arrival/check/marks_check.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

// The rate path that a trace brings along, as pieces.
class RealisedPath {
 public:
  void add(const records::RatePoint& point) {
    if (!(point.rate_per_s >= 0 && point.rate_end_per_s.value_or(0) >= 0) || point.t_ns < 0) {
      throw input_error("rate record at {} ns: times and rates must not be negative", point.t_ns);
    }
    if (!points_.empty() && point.t_ns < points_.back().t_ns) {
      throw input_error("rate record at {} ns comes after one at {} ns", point.t_ns, points_.back().t_ns);
    }
    if (points_.size() == kMost) throw input_error("more than {} rate records", kMost);
    points_.push_back(point);
  }
  bool empty() const { return points_.empty(); }
  RatePathPtr path(int64_t duration_ns) const {
    std::vector<Piece> pieces;
    if (points_.front().t_ns > 0) pieces.push_back(constant_piece(0.0, fixed_ns(points_.front().t_ns)));
    for (size_t k = 0; k < points_.size(); ++k) {
      const records::RatePoint& point = points_[k];
      const bool last = k + 1 == points_.size();
      const int64_t end_ns = last ? std::max(duration_ns, point.t_ns) + 1 : points_[k + 1].t_ns;
      if (end_ns == point.t_ns) continue;
      pieces.push_back(linear_piece(point.rate_per_s, point.rate_end_per_s.value_or(point.rate_per_s),
                                    fixed_ns(end_ns - point.t_ns)));
    }
    return std::make_unique<PieceList>(std::move(pieces));
  }

 private:
  static constexpr size_t kMost = size_t{1} << 24;
  std::vector<records::RatePoint> points_;
};

class Check {
 public:
  Check(const CheckOptions& options, records::Writer& writer) : options_(options), writer_(writer) {}

  records::Verdict run(const std::string& file, records::Run base) {
    if (!(options_.alpha > 0 && options_.alpha < 1)) {
      throw usage_error("alpha {} is out of range; it must be between 0 and 1", options_.alpha);
    }
    TraceOptions trace = options_.trace;
    trace.other = [this](const records::Reader& reader) {
      const bool is_rate = reader.type() == records::Schema<records::RatePoint>::type;
      if (is_rate && wants_rates_) realised_.add(reader.as<records::RatePoint>());
      return is_rate;
    };
    const auto source = open_trace(file, trace);
    claim_ = make_claim(options_.against, source->about(), options_.data_dir);
    wants_rates_ = claim_.random_path;
    if (!base.seed) base.seed = options_.seed;
    complete_run(base, source->about(), source->runs_json());
    writer_.run(base);
    read(*source);
    return finish(*source);
  }

 private:
  bool stopped() const {
    const StopFlag* stop = options_.trace.reader.stop;
    return stop != nullptr && *stop;
  }
  BatteryLimits limits() const { return {options_.trace.memory_bytes, options_.seed}; }

  void read(FileSource& source) {
    if (!claim_.random_path) battery_ = make_battery(claim_, limits());
    if (claim_.spec) marks_.emplace(*claim_.spec, options_.seed, options_.trace.memory_bytes);
    records::Arrival arrival;
    while (!stopped() && source.next(arrival)) {
      ++count_;
      if (battery_) {
        battery_->add(arrival.t_ns);
      } else {
        keep(arrival.t_ns);
      }
      if (marks_) marks_->add(arrival);
    }
  }

  // Times that wait for the rate records behind them.
  void keep(int64_t t_ns) {
    if (times_.size() >= options_.trace.memory_bytes / sizeof(int64_t)) {
      throw input_error("more than {} arrivals of a process with a random rate; --memory raises the limit",
                        times_.size());
    }
    times_.push_back(t_ns);
  }

  records::Verdict finish(const FileSource& source) {
    records::End end;
    if (stopped()) {
      end.interrupted = true;
      writer_.end(end);
      return {};
    }
    if (!battery_) {
      if (!realised_.empty()) claim_.path = realised_.path(source.duration_ns());
      battery_ = make_battery(claim_, limits());
      for (const int64_t t_ns : times_) battery_->add(t_ns);
    }
    Findings findings;
    battery_->finish(source.duration_ns(), findings);
    if (marks_) marks_->finish(findings);
    const records::Verdict verdict = findings.judge(options_.alpha, claim_.text);
    for (const records::Test& test : findings.tests()) writer_.write(test);
    writer_.write(verdict);
    if (source.inversions() > 0) end.inversions = source.inversions();
    writer_.end(end);
    refuse_truncation(source, options_.trace.reader);
    if (count_ == 0) throw input_error("the trace has no arrivals; nothing could be checked");
    return verdict;
  }

  const CheckOptions& options_;
  records::Writer& writer_;
  Claim claim_;
  bool wants_rates_ = true;  // until the claim is known
  RealisedPath realised_;
  std::vector<int64_t> times_;
  std::unique_ptr<Battery> battery_;
  std::optional<MarksCheck> marks_;
  uint64_t count_ = 0;
};

}  // namespace

records::Verdict run_check(const std::string& file, const CheckOptions& options, records::Run base,
                           records::Writer& writer) {
  return Check(options, writer).run(file, std::move(base));
}

}  // namespace mlq::arrival
