// Stages that look at one arrival at a time.
#include <algorithm>
#include <limits>

#include "lib/arrival/xform/stage_sources.h"
#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::arrival {
namespace {

constexpr int64_t kMaxTime = std::numeric_limits<int64_t>::max();

class ScaledRate final : public Wrapper {
 public:
  ScaledRate(SourcePtr in, const Ratio& factor) : Wrapper(std::move(in)), factor_(factor) {
    if (factor.num == factor.den) return;
    about_.epoch_unix_ns.reset();
    about_.resolution_ns = scaled_exactly(about_.resolution_ns);
    about_.tick_ns = scaled_exactly(about_.tick_ns);
  }

  bool next(records::Arrival& arrival) override {
    if (!in_->next(arrival)) return false;
    arrival.t_ns = scaled(arrival.t_ns);
    if (arrival.think_ns) *arrival.think_ns = scaled(*arrival.think_ns);
    return true;
  }
  int64_t duration_ns() const override { return scaled(in_->duration_ns()); }

 private:
  int64_t scaled(int64_t t_ns) const {
    const auto product = static_cast<__int128>(t_ns) * factor_.den / factor_.num;
    if (product > kMaxTime) throw input_error("scale-rate: time {} ns passes 2^63 ns", t_ns);
    return static_cast<int64_t>(product);
  }
  // A step in which times move survives only if it stays whole.
  std::optional<int64_t> scaled_exactly(std::optional<int64_t> step_ns) const {
    if (!step_ns) return std::nullopt;
    const auto product = static_cast<__int128>(*step_ns) * factor_.den;
    if (product % factor_.num != 0 || product / factor_.num > kMaxTime) return std::nullopt;
    return static_cast<int64_t>(product / factor_.num);
  }

  Ratio factor_;
};

class Thinned final : public Wrapper {
 public:
  Thinned(SourcePtr in, const Ratio& keep, uint64_t seed, uint32_t place)
      : Wrapper(std::move(in)), keep_(keep.value()), coins_(seed, Purpose::thin), place_(place) {}

  bool next(records::Arrival& arrival) override {
    while (in_->next(arrival)) {
      if (coins_.uniform(*arrival.i, 0, place_) >= keep_) continue;
      links_.renumber(arrival, count_++);
      return true;
    }
    return false;
  }

 private:
  double keep_;
  RandomStream coins_;
  uint32_t place_;
  uint64_t count_ = 0;
  Links links_;
};

class Clipped final : public Wrapper {
 public:
  Clipped(SourcePtr in, const ClipStage& clip)
      : Wrapper(std::move(in)),
        from_(clip.from_ns.value_or(0)),
        to_(clip.to_ns),
        back_(clip.keep_time ? 0 : from_) {
    if (about_.epoch_unix_ns) about_.epoch_unix_ns = add_times(*about_.epoch_unix_ns, back_);
  }

  bool next(records::Arrival& arrival) override {
    while (!past_ && in_->next(arrival)) {
      // Nothing after the clip is of use, so an endless trace may stand before it.
      past_ = to_ && arrival.t_ns >= *to_;
      if (past_ || arrival.t_ns < from_) continue;
      arrival.t_ns -= back_;
      links_.renumber(arrival, count_++);
      return true;
    }
    return false;
  }
  int64_t duration_ns() const override {
    const int64_t end = past_ ? *to_ : std::min(in_->duration_ns(), to_.value_or(kMaxTime));
    return std::max<int64_t>(end - back_, 0);
  }
  std::string truncation() const override { return past_ ? "" : in_->truncation(); }

 private:
  int64_t from_;
  std::optional<int64_t> to_;
  int64_t back_;
  bool past_ = false;
  uint64_t count_ = 0;
  Links links_;
};

class Shifted final : public Wrapper {
 public:
  Shifted(SourcePtr in, int64_t by) : Wrapper(std::move(in)), by_(by) {
    if (about_.epoch_unix_ns) about_.epoch_unix_ns = add_times(*about_.epoch_unix_ns, -by);
  }

  bool next(records::Arrival& arrival) override {
    if (!in_->next(arrival)) return false;
    const int64_t t_ns = add_times(arrival.t_ns, by_);
    if (t_ns < 0) {
      throw input_error("shift {} ns: the arrival at {} ns would come before 0; clip it away first", by_,
                        arrival.t_ns);
    }
    arrival.t_ns = t_ns;
    return true;
  }
  int64_t duration_ns() const override { return std::max<int64_t>(add_times(in_->duration_ns(), by_), 0); }

 private:
  int64_t by_;
};

}  // namespace

int64_t add_times(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw input_error("time {} ns + {} ns passes 2^63 ns", a, b);
  return sum;
}

void Links::renumber(records::Arrival& arrival, uint64_t i) {
  constexpr size_t most = size_t{1} << 25;  // about 1.5 GiB
  if (arrival.after_i) {
    const auto before = new_number_.find(*arrival.after_i);
    if (before == new_number_.end()) {
      arrival.after_i.reset();
      arrival.think_ns.reset();
    } else {
      arrival.after_i = before->second;
    }
  }
  if (arrival.conversation) {
    if (new_number_.size() == most) {
      throw input_error("more than {} requests belong to conversations; split the trace first", most);
    }
    new_number_[*arrival.i] = i;
  }
  arrival.i = i;
}

SourcePtr make_scale_rate(SourcePtr in, const ScaleRateStage& stage) {
  return std::make_unique<ScaledRate>(std::move(in), stage.factor);
}

SourcePtr make_thin(SourcePtr in, const ThinStage& stage, uint64_t seed, uint32_t place) {
  return std::make_unique<Thinned>(std::move(in), stage.keep, seed, place);
}

SourcePtr make_clip(SourcePtr in, const ClipStage& stage) {
  return std::make_unique<Clipped>(std::move(in), stage);
}

SourcePtr make_shift(SourcePtr in, const ShiftStage& stage) {
  return std::make_unique<Shifted>(std::move(in), stage.by_ns);
}

}  // namespace mlq::arrival
