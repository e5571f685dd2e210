// Spreading of ties as a stage: the arrivals of one stamp at a time.
#include <algorithm>

#include "lib/arrival/xform/stage_sources.h"
#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::arrival {
namespace {

class Spread final : public Wrapper {
 public:
  Spread(SourcePtr in, Dequantise mode, int64_t resolution_ns, uint64_t seed)
      : Wrapper(std::move(in)),
        mode_(mode),
        resolution_ns_(resolution_ns),
        random_(seed, Purpose::dequantise) {
    about_.resolution_ns.reset();
    about_.tick_ns.reset();
  }

  bool next(records::Arrival& arrival) override {
    if (at_ == tied_.size() && !load()) return false;
    arrival = std::move(tied_[at_]);
    arrival.t_ns = times_[at_];
    last_ns_ = times_[at_];
    ++at_;
    return true;
  }
  // The last arrivals may have moved beyond the time at which the trace ended.
  int64_t duration_ns() const override { return std::max(in_->duration_ns(), last_ns_); }

 private:
  // Reads the arrivals of the next stamp, and the first one after them.
  bool load() {
    constexpr size_t most = size_t{1} << 20;
    count_ += tied_.size();
    tied_.clear();
    at_ = 0;
    if (!started_) more_ = in_->next(ahead_);
    started_ = true;
    if (!more_) return false;
    const int64_t stamp = ahead_.t_ns;
    while (more_ && ahead_.t_ns == stamp) {
      if (tied_.size() == most) throw input_error("more than {} arrivals at {} ns", most, stamp);
      tied_.push_back(std::move(ahead_));
      more_ = in_->next(ahead_);
    }
    int64_t width = resolution_ns_;
    if (more_) width = std::min(width, ahead_.t_ns - stamp);
    add_times(stamp, width);  // refuses times that would pass the range
    times_.resize(tied_.size());
    spread_ties(mode_, stamp, width, count_, random_, times_, scratch_);
    return true;
  }

  Dequantise mode_;
  int64_t resolution_ns_;
  RandomStream random_;
  bool started_ = false;
  bool more_ = false;
  records::Arrival ahead_;
  std::vector<records::Arrival> tied_;
  std::vector<int64_t> times_;
  std::vector<double> scratch_;
  size_t at_ = 0;
  uint64_t count_ = 0;  // arrivals before tied_
  int64_t last_ns_ = 0;
};

}  // namespace

SourcePtr make_dequantise(SourcePtr in, Dequantise mode, int64_t resolution_ns, uint64_t seed) {
  return std::make_unique<Spread>(std::move(in), mode, resolution_ns, seed);
}

}  // namespace mlq::arrival
