#include "lib/arrival/process/engine.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::arrival {
namespace {

// A gap as mass. Heavy tails are cut here, far beyond the end of any trace, so that a block's sum cannot
// overflow.
u128 gap_mass(double gap) { return to_fixed(std::min(gap, 0x1p48)); }

// Most arrivals at one instant.
constexpr double kMostBatch = 1e6;

constexpr u128 kTimeLimit = u128{1} << 127;  // 2^63 ns

Error times_pass() {
  return input_error("times pass 2^63 ns (292 years); give a --duration, a smaller --count or a higher rate");
}

class Engine final : public TimeSource {
 public:
  Engine(EngineParts parts, const Limits& limits, uint64_t seed, uint32_t stream)
      : parts_(std::move(parts)),
        limits_(limits),
        batch_mean_(parts_.batch ? static_cast<size_t>(std::clamp(parts_.batch->mean(), 1.0, kMostBatch))
                                 : 1),
        stream_(stream),
        gaps_(seed, Purpose::gaps),
        start_(seed, Purpose::start),
        batches_(seed, Purpose::batch) {
    advance(0, 0);
  }

  void condition(u128 total_mass, uint64_t count);

  void draw(Block& block) const override;
  void sequence(Block& block) override;
  void place(Block& block) const override;
  int64_t duration_ns() const override { return limits_.duration_ns.value_or(path_end_ns_); }

 private:
  // Instants of a block; fewer where each stands for many arrivals, to bound the block.
  size_t instants(const Block& block) const { return std::max<size_t>(block.instants / batch_mean_, 1); }
  uint64_t first_instant(const Block& block) const { return block.number * instants(block); }
  void fill_gaps(uint64_t first, std::span<double> out) const;
  void draw_batches(Block& block) const;
  void sum_up(Block& block);
  void walk(Block& block);
  u128 time_of(const Block& block, const Block::Slice& slice, size_t k) const;
  size_t end_of_piece(const Block& block, size_t begin) const;
  void leave_piece(const Block& block, size_t end);
  void advance(u128 mass, u128 time);
  void note_piece(Block& block);
  void count_arrivals(Block& block);
  void bound_times(Block& block);
  size_t last_wanted(const Block& block, size_t instants) const;
  bool is_inside(const Block::Slice& slice, const Block& block) const;
  void place_constant(const Block::Slice& slice, Block& block) const;

  EngineParts parts_;
  const Limits limits_;
  const size_t batch_mean_;
  const uint32_t stream_;
  const RandomStream gaps_;
  const RandomStream start_;
  const RandomStream batches_;
  u128 condition_factor_ = kFixedOne;
  u128 condition_mass_ = 0;  // R(T); 0: no condition

  // What sequence() carries from block to block.
  u128 mass_ = 0;         // of all gaps so far
  Block::Slice current_;  // the piece under way; begin and end unused
  u128 piece_mass_ = 0;
  uint64_t piece_first_instant_ = 0;
  bool piece_noted_ = false;
  bool path_ended_ = false;
  uint64_t arrivals_ = 0;
  int64_t path_end_ns_ = 0;
  int64_t latest_ns_ = 0;
};

// Instants k have index k; instant 0's gap comes from the start law.
void Engine::fill_gaps(uint64_t first, std::span<double> out) const {
  parts_.law->fill(gaps_, first, stream_, out);
  if (first != 0 || out.empty()) return;
  if (parts_.start == Start::stationary) out[0] = parts_.law->residual({&start_, 0, stream_});
  if (parts_.start == Start::zero) out[0] = 0;
}

void Engine::draw_batches(Block& block) const {
  block.batches.resize(instants(block));
  for (size_t k = 0; k < block.batches.size(); ++k) {
    const double size = parts_.batch->sample({&batches_, first_instant(block) + k, stream_});
    block.batches[k] = static_cast<uint32_t>(std::clamp(size, 0.0, kMostBatch));
  }
}

void Engine::draw(Block& block) const {
  const size_t n = instants(block);
  block.gaps.resize(n);
  block.masses.resize(n);
  fill_gaps(first_instant(block), block.gaps);
  u128 sum = 0;
  for (size_t k = 0; k < n; ++k) block.masses[k] = sum += gap_mass(block.gaps[k]);
  if (parts_.batch) draw_batches(block);
}

// The sums are made twice; the counter generator allows it, in O(1) memory.
void Engine::condition(u128 total_mass, uint64_t count) {
  std::vector<double> gaps(kBlockEvents);
  u128 sum = 0;
  for (uint64_t first = 0; first <= count; first += kBlockEvents) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(kBlockEvents, count + 1 - first));
    const std::span<double> part(gaps.data(), n);
    fill_gaps(first, part);
    for (const double gap : part) sum = fixed_add(sum, gap_mass(gap));
  }
  if (count == 0) return;
  if (total_mass == 0) throw input_error("the rate is 0 before --duration; nothing can arrive");
  if (sum == 0 || fixed_product_overflows(total_mass, kFixedOne)) {
    throw input_error("the duration holds too many arrivals to condition on a count");
  }
  condition_factor_ = fixed_divide(total_mass, sum);
  condition_mass_ = total_mass;
}

void Engine::sum_up(Block& block) {
  for (u128& mass : block.masses) mass += mass_;
  mass_ = block.masses.back();
  if (mass_ >> 127 != 0) throw times_pass();
  if (condition_mass_ == 0) return;
  // What lies behind the N-th arrival is cut by the count; it need only stay in order.
  const u128 most = condition_mass_ - 1;
  for (u128& mass : block.masses) {
    const bool behind = fixed_product_overflows(mass, condition_factor_);
    mass = behind ? most : std::min(fixed_multiply(mass, condition_factor_), most);
  }
}

// Starts the next piece at `mass` and `time`, or notes that there is none.
void Engine::advance(u128 mass, u128 time) {
  current_.mass_start = mass;
  current_.time_start = time;
  piece_noted_ = false;
  if (time >= kTimeLimit && !limits_.duration_ns) throw times_pass();
  if (time < fixed_ns(limits_.end_ns()) && parts_.path->next(current_.piece)) {
    piece_mass_ = current_.piece.count > 0 ? kFixedMax : piece_mass(current_.piece);
    return;
  }
  path_ended_ = true;
  path_end_ns_ = static_cast<int64_t>(std::min(time, fixed_ns(limits_.end_ns())) >> 64);
}

void Engine::note_piece(Block& block) {
  if (!parts_.emit_path || piece_noted_) return;
  piece_noted_ = true;
  records::RatePoint point;
  point.t_ns = static_cast<int64_t>(current_.time_start >> 64);
  point.rate_per_s = current_.piece.rate0_per_s;
  if (current_.piece.rate1_per_s != point.rate_per_s) point.rate_end_per_s = current_.piece.rate1_per_s;
  block.path.push_back(point);
}

// The first instant from `begin` on that lies behind the current piece; the block's size if none does.
size_t Engine::end_of_piece(const Block& block, size_t begin) const {
  if (current_.piece.count > 0) {
    const uint64_t end = piece_first_instant_ + current_.piece.count - first_instant(block);
    return static_cast<size_t>(std::min<uint64_t>(end, block.masses.size()));
  }
  if (piece_mass_ >= kFixedMax - current_.mass_start) return block.masses.size();
  const u128 border = current_.mass_start + piece_mass_;
  const auto from = block.masses.begin() + static_cast<ptrdiff_t>(begin);
  return static_cast<size_t>(std::lower_bound(from, block.masses.end(), border) - block.masses.begin());
}

// A counted piece ends at its last arrival; any other at its length, with the rest of the gap carried over.
void Engine::leave_piece(const Block& block, size_t end) {
  piece_first_instant_ = first_instant(block) + end;
  const Piece& piece = current_.piece;
  if (piece.count > 0) {
    const u128 mass = block.masses[end - 1];
    advance(mass, fixed_add(current_.time_start, piece_time(piece, mass - current_.mass_start)));
  } else {
    advance(current_.mass_start + piece_mass_, fixed_add(current_.time_start, piece.length));
  }
}

// Cuts the block into slices at the ends of pieces, as far as the count wants it.
void Engine::walk(Block& block) {
  size_t begin = 0;
  for (uint64_t idle = 0; !path_ended_; ++idle) {
    if (idle == kMostPieces) throw input_error("nothing arrives in {} pieces of the rate path", kMostPieces);
    note_piece(block);
    const size_t end = end_of_piece(block, begin);
    if (end > begin) {
      Block::Slice slice = current_;
      slice.begin = begin;
      slice.end = end;
      block.slices.push_back(slice);
      begin = end;
      idle = 0;
    }
    if (!parts_.batch && begin >= limits_.count - std::min(limits_.count, arrivals_)) return;
    const bool counted_out =
        current_.piece.count > 0 && piece_first_instant_ + current_.piece.count == first_instant(block) + end;
    if (end == block.masses.size() && !counted_out) return;
    leave_piece(block, end);
  }
  block.last = true;
}

// Saturates.
u128 Engine::time_of(const Block& block, const Block::Slice& slice, size_t k) const {
  return fixed_add(slice.time_start, piece_time(slice.piece, block.masses[k] - slice.mass_start));
}

// The instant in which the count is reached, or the last of the block.
size_t Engine::last_wanted(const Block& block, size_t instants) const {
  const uint64_t room = limits_.count - std::min(limits_.count, block.first_i);
  if (!parts_.batch) return static_cast<size_t>(std::min<uint64_t>(room, instants)) - 1;
  uint64_t n = 0;
  for (size_t k = 0; k < instants; ++k) {
    n += block.batches[k];
    if (n >= room) return k;
  }
  return instants - 1;
}

// Arrivals are numbered, and the block that reaches the end of time or the count is the last.
void Engine::count_arrivals(Block& block) {
  block.first_i = arrivals_;
  const size_t n = block.slices.empty() ? 0 : block.slices.back().end;
  if (parts_.batch) {
    for (size_t k = 0; k < n; ++k) arrivals_ += block.batches[k];
  } else {
    arrivals_ += n;
  }
  if (arrivals_ >= limits_.count) block.last = true;
  if (n > 0 && block.first_i < limits_.count) bound_times(block);
}

void Engine::bound_times(Block& block) {
  const size_t last = last_wanted(block, block.slices.back().end);
  const auto slice = std::find_if(block.slices.begin(), block.slices.end(),
                                  [last](const Block::Slice& s) { return last < s.end; });
  const u128 time = time_of(block, *slice, last);
  if (time >= kTimeLimit && !limits_.duration_ns) throw times_pass();
  if (time >= fixed_ns(limits_.end_ns())) block.last = true;
  block.earliest_ns = latest_ns_;
  latest_ns_ = std::max(latest_ns_, static_cast<int64_t>(std::min(time, kTimeLimit - 1) >> 64));
  block.latest_ns = latest_ns_;
}

void Engine::sequence(Block& block) {
  block.slices.clear();
  block.path.clear();
  sum_up(block);
  walk(block);
  count_arrivals(block);
}

// The commonest case, without a branch an arrival.
void Engine::place_constant(const Block::Slice& slice, Block& block) const {
  const u128 factor = slice.piece.ns_per_event;
  const size_t had = block.times.size();
  block.times.resize(had + slice.end - slice.begin);
  int64_t* out = block.times.data() + had;
  for (size_t k = slice.begin; k < slice.end; ++k) {
    *out++ = static_cast<int64_t>(
        (slice.time_start + fixed_multiply(block.masses[k] - slice.mass_start, factor)) >> 64);
  }
}

// True if no product in the slice overflows and no arrival lies at the end of time or past the count.
bool Engine::is_inside(const Block::Slice& slice, const Block& block) const {
  if (slice.piece.shape != Piece::Shape::constant || parts_.batch || parts_.has_segments) return false;
  if (limits_.count - std::min(limits_.count, block.first_i) < slice.end) return false;
  const u128 time = piece_time(slice.piece, block.masses[slice.end - 1] - slice.mass_start);
  return time >> 126 == 0 && slice.time_start + time < fixed_ns(limits_.end_ns());
}

void Engine::place(Block& block) const {
  block.times.clear();
  block.segments.clear();
  const int64_t end_ns = limits_.end_ns();
  int64_t least = block.earliest_ns;
  uint64_t room = limits_.count - std::min(limits_.count, block.first_i);
  for (const Block::Slice& slice : block.slices) {
    if (is_inside(slice, block)) {
      place_constant(slice, block);
      room -= slice.end - slice.begin;
      continue;
    }
    for (size_t k = slice.begin; k < slice.end; ++k) {
      const u128 time = time_of(block, slice, k);
      if (time >= kTimeLimit) return;
      const int64_t t = std::clamp(static_cast<int64_t>(time >> 64), least, std::max(least, block.latest_ns));
      if (t >= end_ns) return;
      least = t;
      const uint64_t copies = parts_.batch ? block.batches[k] : 1;
      for (uint64_t c = 0; c < copies; ++c) {
        if (room-- == 0) return;
        block.times.push_back(t);
        if (parts_.has_segments) block.segments.push_back(slice.piece.segment);
      }
    }
  }
}

}  // namespace

std::unique_ptr<TimeSource> make_engine(EngineParts parts, const Limits& limits, uint64_t seed,
                                        uint32_t stream, RatePathPtr mass_path) {
  if (limits.conditioned() && parts.batch) {
    throw usage_error("--batch with both --duration and --count: give only one of the two");
  }
  auto engine = std::make_unique<Engine>(std::move(parts), limits, seed, stream);
  if (limits.conditioned())
    engine->condition(path_mass(*mass_path, fixed_ns(*limits.duration_ns)), limits.count);
  return engine;
}

}  // namespace mlq::arrival
