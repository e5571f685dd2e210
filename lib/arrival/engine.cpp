#include "lib/arrival/engine.h"

#include <algorithm>

#include "lib/base/error.h"
#include "lib/base/random.h"

namespace mlq::arrival {
namespace {

class Engine final : public TimeSource {
 public:
  Engine(EngineParts parts, const Limits& limits, uint64_t seed, uint32_t stream)
      : parts_(std::move(parts)),
        limits_(limits),
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
  uint64_t first_instant(const Block& block) const { return block.number * kBlockEvents; }
  void fill_gaps(uint64_t first, std::span<double> out) const;
  void draw_batches(Block& block) const;
  void sum_up(Block& block);
  void walk(Block& block);
  size_t end_of_piece(const Block& block, size_t begin) const;
  void leave_piece(const Block& block, size_t end);
  void advance(u128 mass, u128 time);
  void note_piece(Block& block);
  void count_arrivals(Block& block);
  bool is_inside(const Block::Slice& slice, const Block& block) const;
  void place_constant(const Block::Slice& slice, Block& block) const;

  EngineParts parts_;
  const Limits limits_;
  const uint32_t stream_;
  const RandomStream gaps_;
  const RandomStream start_;
  const RandomStream batches_;
  u128 condition_factor_ = kFixedOne;

  // What sequence() carries from block to block.
  u128 mass_ = 0;         // of all gaps so far
  Block::Slice current_;  // the piece under way; begin and end unused
  u128 piece_mass_ = 0;
  uint64_t piece_first_instant_ = 0;
  bool piece_noted_ = false;
  bool path_ended_ = false;
  uint64_t arrivals_ = 0;
  int64_t path_end_ns_ = 0;
};

// Instants k have index k; instant 0's gap comes from the start law.
void Engine::fill_gaps(uint64_t first, std::span<double> out) const {
  parts_.law->fill(gaps_, first, stream_, out);
  if (first != 0 || out.empty()) return;
  if (parts_.start == Start::stationary) out[0] = parts_.law->residual({&start_, 0, stream_});
  if (parts_.start == Start::zero) out[0] = 0;
}

void Engine::draw_batches(Block& block) const {
  block.batches.resize(kBlockEvents);
  for (size_t k = 0; k < kBlockEvents; ++k) {
    const double size = parts_.batch->sample({&batches_, first_instant(block) + k, stream_});
    block.batches[k] = static_cast<uint32_t>(std::clamp(size, 0.0, 1e6));
  }
}

void Engine::draw(Block& block) const {
  block.gaps.resize(kBlockEvents);
  block.masses.resize(kBlockEvents);
  fill_gaps(first_instant(block), block.gaps);
  u128 sum = 0;
  for (size_t k = 0; k < kBlockEvents; ++k) block.masses[k] = sum += to_fixed(block.gaps[k]);
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
    for (const double gap : part) sum += to_fixed(gap);
  }
  if (sum == 0 || fixed_product_overflows(total_mass, kFixedOne)) {
    throw input_error("the duration holds too many arrivals to condition on a count");
  }
  condition_factor_ = fixed_divide(total_mass, sum);
}

void Engine::sum_up(Block& block) {
  for (u128& mass : block.masses) mass += mass_;
  mass_ = block.masses.back();
  if (condition_factor_ != kFixedOne) {
    for (u128& mass : block.masses) mass = fixed_multiply(mass, condition_factor_);
  }
}

// Starts the next piece at `mass` and `time`, or notes that there is none.
void Engine::advance(u128 mass, u128 time) {
  current_.mass_start = mass;
  current_.time_start = time;
  piece_noted_ = false;
  if (time >> 127 != 0)
    throw input_error("times pass 2^63 ns (292 years); give a shorter --duration or a higher rate");
  if (time < fixed_ns(limits_.end_ns()) && parts_.path->next(current_.piece)) {
    piece_mass_ = current_.piece.count > 0 ? kFixedMax : piece_mass(current_.piece);
    return;
  }
  path_ended_ = true;
  path_end_ns_ = static_cast<int64_t>(time >> 64);
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
    const u128 time = piece_time(piece, mass - current_.mass_start);
    if (time == kFixedMax) throw input_error("times pass 2^63 ns (292 years)");
    advance(mass, current_.time_start + time);
  } else {
    advance(current_.mass_start + piece_mass_, current_.time_start + piece.length);
  }
}

void Engine::walk(Block& block) {
  size_t begin = 0;
  while (!path_ended_) {
    note_piece(block);
    const size_t end = end_of_piece(block, begin);
    if (end > begin) {
      Block::Slice slice = current_;
      slice.begin = begin;
      slice.end = end;
      block.slices.push_back(slice);
      begin = end;
    }
    const bool counted_out =
        current_.piece.count > 0 && piece_first_instant_ + current_.piece.count == first_instant(block) + end;
    if (end == block.masses.size() && !counted_out) return;
    leave_piece(block, end);
  }
  block.last = true;
}

// Arrivals are numbered, and the block that reaches the end of time or the count is the last.
void Engine::count_arrivals(Block& block) {
  block.first_i = arrivals_;
  const size_t instants = block.slices.empty() ? 0 : block.slices.back().end;
  uint64_t n = instants;
  if (parts_.batch) {
    n = 0;
    for (size_t k = 0; k < instants; ++k) n += block.batches[k];
  }
  arrivals_ += n;
  if (arrivals_ >= limits_.count) block.last = true;
  if (instants == 0) return;
  const Block::Slice& slice = block.slices.back();
  const u128 time = piece_time(slice.piece, block.masses[slice.end - 1] - slice.mass_start);
  const bool past = time == kFixedMax || ((slice.time_start >> 1) + (time >> 1)) >> 126 != 0;
  if (!past && slice.time_start + time < fixed_ns(limits_.end_ns())) return;
  if (past && !limits_.duration_ns)
    throw input_error("times pass 2^63 ns (292 years); give a --duration or a higher rate");
  block.last = true;
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
  uint64_t room = limits_.count - std::min(limits_.count, block.first_i);
  for (const Block::Slice& slice : block.slices) {
    if (is_inside(slice, block)) {
      place_constant(slice, block);
      room -= slice.end - slice.begin;
      continue;
    }
    for (size_t k = slice.begin; k < slice.end; ++k) {
      const u128 time = piece_time(slice.piece, block.masses[k] - slice.mass_start);
      if (time == kFixedMax) return;
      const u128 t = (slice.time_start + time) >> 64;
      if (t >= static_cast<u128>(end_ns)) return;
      const uint64_t copies = parts_.batch ? block.batches[k] : 1;
      for (uint64_t c = 0; c < copies; ++c) {
        if (room-- == 0) return;
        block.times.push_back(static_cast<int64_t>(t));
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
