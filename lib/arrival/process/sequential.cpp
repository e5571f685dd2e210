#include "lib/arrival/process/sequential.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"

namespace mlq::arrival {
namespace {

constexpr u128 kTimeLimit = u128{1} << 127;  // 2^63 ns

Error times_pass() {
  return input_error("times pass 2^63 ns (292 years); give a --duration, a smaller --count or a higher rate");
}

class DeterministicTimes final : public TimeSource {
 public:
  DeterministicTimes(const Rate& rate, double jitter, Start start, const Limits& limits, uint64_t seed,
                     uint32_t stream)
      : rate_(rate), limits_(limits), random_(seed, Purpose::jitter), stream_(stream) {
    const u128 gap = (u128{rate.ns} << 64) / rate.events;
    jitter_ns_ = jitter * fixed_to_double(gap);
    if (start == Start::event) unseen_ = 1;
    if (start == Start::stationary) {
      const double u = RandomStream(seed, Purpose::start).uniform(0, 0, stream);
      offset_ = fixed_multiply(gap, to_fixed(u));
    }
  }
  void sequence(Block& block) override {
    block.first_i = block.number * block.instants;
    if (block.first_i >= limits_.count) {
      block.last = true;
      return;
    }
    const uint64_t last = end_of(block) - 1;
    const u128 time = time_of(last);
    if (time >= kTimeLimit && !limits_.duration_ns) throw times_pass();
    block.last = last + 1 == limits_.count || time >= fixed_ns(limits_.end_ns());
  }
  void place(Block& block) const override {
    block.times.clear();
    for (uint64_t i = block.first_i; i < end_of(block); ++i) {
      const u128 time = time_of(i);
      if (time >= fixed_ns(limits_.end_ns())) return;
      block.times.push_back(static_cast<int64_t>(time >> 64));
    }
  }
  int64_t duration_ns() const override { return limits_.duration_ns.value_or(0); }

 private:
  uint64_t end_of(const Block& block) const {
    return block.first_i + std::min<uint64_t>(block.instants, limits_.count - block.first_i);
  }
  // Saturates. The sum of all its parts is made before the floor to whole nanoseconds.
  u128 time_of(uint64_t i) const {
    const u128 gaps = (u128{i} + unseen_) * rate_.ns;
    const u128 whole = gaps / rate_.events;
    if (whole >> 64 != 0) return kFixedMax;
    const u128 part = ((gaps % rate_.events) << 64) / rate_.events;
    const u128 time = fixed_add((whole << 64) + part, offset_);
    if (jitter_ns_ == 0) return time;
    const double shift = (2 * random_.uniform(i, 0, stream_) - 1) * jitter_ns_;
    if (shift >= 0) return fixed_add(time, to_fixed(shift));
    return time - std::min(time, to_fixed(-shift));
  }

  Rate rate_;
  double jitter_ns_ = 0;
  uint64_t unseen_ = 0;
  u128 offset_ = 0;
  Limits limits_;
  RandomStream random_;
  uint32_t stream_;
};

// Fills blocks one arrival at a time.
class OneByOne : public TimeSource {
 public:
  explicit OneByOne(const Limits& limits) : limits_(limits) {}
  void sequence(Block& block) override {
    block.first_i = emitted_;
    block.times.clear();
    block.sources.clear();
    block.source_indexes.clear();
    while (block.times.size() < block.instants) {
      if (emitted_ >= limits_.count || !next(block) || block.times.back() >= limits_.end_ns()) {
        if (!block.times.empty() && block.times.back() >= limits_.end_ns()) drop_back(block);
        block.last = true;
        return;
      }
      ++emitted_;
    }
  }
  int64_t duration_ns() const override { return limits_.duration_ns.value_or(0); }

 protected:
  // Appends one arrival; false at the end.
  virtual bool next(Block& block) = 0;
  const Limits limits_;

 private:
  static void drop_back(Block& block) {
    block.times.pop_back();
    if (!block.sources.empty()) block.sources.pop_back();
    if (!block.source_indexes.empty()) block.source_indexes.pop_back();
  }
  uint64_t emitted_ = 0;
};

class CountedTimes final : public OneByOne {
 public:
  CountedTimes(std::vector<CountedBin> bins, const Limits& limits, uint64_t seed, uint32_t stream)
      : OneByOne(limits), bins_(std::move(bins)), random_(seed, Purpose::gaps), stream_(stream) {}
  int64_t duration_ns() const override {
    const u128 end = bins_.empty() ? 0 : bins_.back().start + bins_.back().length;
    return limits_.duration_ns.value_or(static_cast<int64_t>(end >> 64));
  }

 protected:
  bool next(Block& block) override {
    while (at_ < bins_.size() && done_ == bins_[at_].count) {
      draw_ += bins_[at_].count > 0 ? 1 : 0;  // the spacing behind the last arrival
      ++at_;
      done_ = 0;
    }
    if (at_ == bins_.size()) return false;
    const CountedBin& bin = bins_[at_];
    if (done_ == 0) open(bin);
    sum_ += to_fixed(spacing(draw_++));
    ++done_;
    block.times.push_back(static_cast<int64_t>((bin.start + fixed_multiply(sum_, factor_)) >> 64));
    return true;
  }

 private:
  double spacing(uint64_t index) const { return -fmath::log(random_.uniform(index, 0, stream_)); }
  // count + 1 exponential spacings, scaled to the bin; they are drawn again when they are used.
  void open(const CountedBin& bin) {
    u128 total = 0;
    for (uint64_t k = 0; k <= bin.count; ++k) total += to_fixed(spacing(draw_ + k));
    factor_ = fixed_divide(bin.length, total);
    sum_ = 0;
  }
  std::vector<CountedBin> bins_;
  RandomStream random_;
  uint32_t stream_;
  size_t at_ = 0;
  uint64_t done_ = 0;
  uint64_t draw_ = 0;
  u128 sum_ = 0;
  u128 factor_ = 0;
};

class MapTimes final : public OneByOne {
 public:
  MapTimes(const std::vector<std::vector<std::vector<double>>>& matrices, const Limits& limits, uint64_t seed,
           uint32_t stream)
      : OneByOne(limits), random_(seed, Purpose::modulator), stream_(stream) {
    const size_t n = matrices.front().size();
    std::vector<std::vector<double>> all(n, std::vector<double>(n, 0));
    moves_.resize(n);
    leave_.resize(n);
    for (size_t k = 0; k < matrices.size(); ++k) {
      check_shape(matrices[k], n, k);
      for (size_t r = 0; r < n; ++r) {
        for (size_t c = 0; c < n; ++c) add(k, r, c, matrices[k][r][c]);
      }
    }
    // What leaves a state must be what goes somewhere; the diagonal then follows.
    for (size_t r = 0; r < n; ++r) {
      const double moved = moves_[r].empty() ? 0 : moves_[r].back().upto;
      if (std::fabs(moved - leave_[r]) > 1e-9 * leave_[r]) {
        throw input_error("D0 + D1 + ...: row {} sums to {}; it must sum to 0", r + 1, moved - leave_[r]);
      }
      for (const Move& move : moves_[r]) {
        arrives_ = arrives_ || move.arrivals > 0;
        if (move.target == r) continue;
        all[r][move.target] += move.rate;
        all[r][r] -= move.rate;
      }
    }
    if (!arrives_) throw input_error("D1: all rates are 0; nothing would ever arrive");
    const std::vector<double> pi = stationary_law(all);
    double u = random_.uniform(0, 0, stream_);
    for (state_ = 0; state_ + 1 < n && u >= pi[state_]; ++state_) u -= pi[state_];
  }

 protected:
  bool next(Block& block) override {
    while (waiting_ == 0) {
      const UniformPair u = random_.uniforms(++move_, 0, stream_);
      time_ = fixed_add(time_, fixed_ns_of_seconds(-fmath::log(u.a) / leave_[state_]));
      if (time_ >= kTimeLimit && !limits_.duration_ns) throw times_pass();
      if (time_ >= fixed_ns(limits_.end_ns())) return false;
      step(u.b);
    }
    --waiting_;
    block.times.push_back(static_cast<int64_t>(time_ >> 64));
    return true;
  }

 private:
  struct Move {
    double rate;
    double upto;  // cumulated rate
    uint32_t target;
    uint32_t arrivals;
  };
  static void check_shape(const std::vector<std::vector<double>>& matrix, size_t n, size_t k) {
    if (matrix.size() != n) throw input_error("D{} has {} rows; D0 has {}", k, matrix.size(), n);
    for (size_t r = 0; r < n; ++r) {
      if (matrix[r].size() != n)
        throw input_error("D{}: row {} has {} entries; it must have {}", k, r + 1, matrix[r].size(), n);
    }
  }
  void add(size_t k, size_t r, size_t c, double rate) {
    if (!std::isfinite(rate))
      throw input_error("D{}: row {} holds a value that is no finite number", k, r + 1);
    if (k == 0 && r == c) {
      if (!(rate < 0 && rate >= -kMostJumpsPerSecond)) {
        throw input_error("D0: row {}: the diagonal must be negative and at least -10^9", r + 1);
      }
      leave_[r] = -rate;
      return;
    }
    if (rate < 0) throw input_error("D{}: row {} has a negative rate", k, r + 1);
    if (rate == 0) return;
    const double before = moves_[r].empty() ? 0 : moves_[r].back().upto;
    moves_[r].push_back({rate, before + rate, static_cast<uint32_t>(c), static_cast<uint32_t>(k)});
  }
  void step(double u) {
    const std::vector<Move>& moves = moves_[state_];
    const double target = u * moves.back().upto;
    const auto move =
        std::find_if(moves.begin(), moves.end() - 1, [target](const Move& m) { return target < m.upto; });
    state_ = move->target;
    waiting_ = move->arrivals;
  }
  RandomStream random_;
  uint32_t stream_;
  std::vector<std::vector<Move>> moves_;
  std::vector<double> leave_;
  bool arrives_ = false;
  size_t state_ = 0;
  uint64_t move_ = 0;
  uint32_t waiting_ = 0;
  u128 time_ = 0;
};

// One source, read arrival by arrival.
class Reader {
 public:
  explicit Reader(std::unique_ptr<TimeSource> source) : source_(std::move(source)) {
    block_.instants = 1024;  // there may be thousands of sources
    refill();
  }
  bool ended() const { return at_ == block_.times.size(); }
  int64_t time() const { return block_.times[at_]; }
  uint64_t index() const { return block_.first_i + at_; }
  void advance() {
    if (++at_ == block_.times.size()) refill();
  }

 private:
  void refill() {
    while (at_ == block_.times.size() && !block_.last) {
      block_.number = number_++;
      source_->draw(block_);
      source_->sequence(block_);
      source_->place(block_);
      at_ = 0;
    }
  }
  std::unique_ptr<TimeSource> source_;
  Block block_;
  uint64_t number_ = 0;
  size_t at_ = 0;
};

class SuperposedTimes final : public OneByOne {
 public:
  SuperposedTimes(std::vector<std::unique_ptr<TimeSource>> sources, const Limits& limits) : OneByOne(limits) {
    for (auto& source : sources) readers_.emplace_back(std::move(source));
    for (uint32_t s = 0; s < readers_.size(); ++s) push(s);
  }

 protected:
  bool next(Block& block) override {
    if (heads_.empty()) return false;
    const auto [time, s] = heads_.top();
    heads_.pop();
    block.times.push_back(time);
    block.sources.push_back(s);
    block.source_indexes.push_back(readers_[s].index());
    readers_[s].advance();
    push(s);
    return true;
  }

 private:
  using Head = std::pair<int64_t, uint32_t>;
  void push(uint32_t s) {
    if (!readers_[s].ended()) heads_.emplace(readers_[s].time(), s);
  }
  std::vector<Reader> readers_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
};

}  // namespace

std::unique_ptr<TimeSource> deterministic_times(const Rate& rate, double jitter, Start start,
                                                const Limits& limits, uint64_t seed, uint32_t stream) {
  if (!(jitter >= 0 && jitter <= 0.5)) {
    throw usage_error("--jitter {} is out of range; the share must be from 0 to 50%", jitter);
  }
  return std::make_unique<DeterministicTimes>(rate, jitter, start, limits, seed, stream);
}

std::unique_ptr<TimeSource> counted_times(std::vector<CountedBin> bins, const Limits& limits, uint64_t seed,
                                          uint32_t stream) {
  if (!bins.empty() && fixed_add(bins.back().start, bins.back().length) >= kTimeLimit) throw times_pass();
  return std::make_unique<CountedTimes>(std::move(bins), limits, seed, stream);
}

std::unique_ptr<TimeSource> map_times(const std::vector<std::vector<std::vector<double>>>& matrices,
                                      const Limits& limits, uint64_t seed, uint32_t stream) {
  return std::make_unique<MapTimes>(matrices, limits, seed, stream);
}

std::unique_ptr<TimeSource> superposed_times(std::vector<std::unique_ptr<TimeSource>> sources,
                                             const Limits& limits) {
  return std::make_unique<SuperposedTimes>(std::move(sources), limits);
}

}  // namespace mlq::arrival
