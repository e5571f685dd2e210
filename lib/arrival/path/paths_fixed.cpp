// Paths that are a function of time alone.
#include <algorithm>
#include <cmath>

#include "lib/arrival/path/expression.h"
#include "lib/arrival/path/paths.h"
#include "lib/base/error.h"

namespace mlq::arrival {
namespace {

Piece parse_segment(const std::string& text, uint32_t index) {
  const size_t at = text.find('@');
  if (at == text.npos) {
    throw usage_error(
        "\"{}\" is no segment; write TIME@RATE, as in 60s@14.3/s, or n=COUNT@RATE, as in n=100@gap=70ms",
        text);
  }
  const std::string_view extent = std::string_view(text).substr(0, at);
  Piece piece = constant_piece(parse_rate(std::string_view(text).substr(at + 1)));
  constexpr uint64_t kMostCount = uint64_t{1} << 62;
  piece.segment = index;
  if (extent.starts_with("n=")) {
    piece.count = parse_count(extent.substr(2));
    if (piece.count == 0 || piece.count > kMostCount) {
      throw usage_error("segment \"{}\": the count must be from 1 to 2^62", text);
    }
  } else {
    piece.length = fixed_ns(parse_duration(extent));
  }
  return piece;
}

class WavePath final : public RatePath {
 public:
  explicit WavePath(Wave wave) : wave_(std::move(wave)) {
    double shortest = wave_.terms.front().period_s;
    for (const Wave::Term& term : wave_.terms) shortest = std::min(shortest, term.period_s);
    step_ = std::max(fixed_ns_of_seconds(shortest / 64), kFixedOne);
  }
  bool next(Piece& piece) override {
    piece = wave_piece(wave_, seconds_of_fixed_ns(at_), step_);
    at_ += step_;
    return true;
  }

 private:
  const Wave wave_;
  u128 step_;
  u128 at_ = 0;
};

class ExpressionPath final : public RatePath {
 public:
  ExpressionPath(const std::string& formula, double step_s, std::optional<double> duration_s)
      : formula_(formula), step_s_(step_s), duration_s_(duration_s) {
    constexpr int kProbes = 1000;
    const double span = duration_s.value_or(step_s * kProbes);
    double sum = 0;
    for (int k = 0; k < kProbes; ++k) sum += rate((k + 0.5) / kProbes * span);
    tolerance_ = 1e-3 * sum / kProbes;
    if (!(sum > 0)) throw input_error("the rate \"{}\" is 0 everywhere", formula);
  }
  // The widest aligned part of the step whose chord keeps to the curve.
  bool next(Piece& piece) override {
    const double from = time_of(part_);
    if (duration_s_ && from >= *duration_s_) return false;
    uint32_t size = part_ == 0 ? kParts : part_ & (~part_ + 1);
    while (size > 1 && chord_error(size) > tolerance_) size /= 2;
    const double to = time_of(part_ + size);
    const u128 end = std::max(fixed_ns_of_seconds(to), at_);
    piece = linear_piece(rate(from), rate(to), end - at_);
    at_ = end;
    part_ += size;
    if (part_ == kParts) {
      part_ = 0;
      ++step_;
    }
    return true;
  }

 private:
  static constexpr uint32_t kParts = 1024;  // a step is halved ten times at most

  double time_of(uint32_t part) const {
    return (static_cast<double>(step_) + static_cast<double>(part) / kParts) * step_s_;
  }
  double rate(double t_s) const {
    const double value = formula_(t_s);
    if (!(value >= 0 && std::isfinite(value))) {
      throw input_error("the rate \"{}\" is {} at t = {} s; it must be a number that is not negative",
                        formula_.text(), value, t_s);
    }
    return value;
  }
  double chord_error(uint32_t size) const {
    const double from = time_of(part_);
    const double to = time_of(part_ + size);
    return std::fabs(rate(0.5 * (from + to)) - 0.5 * (rate(from) + rate(to)));
  }

  const Expression formula_;
  const double step_s_;
  const std::optional<double> duration_s_;
  double tolerance_ = 0;
  uint64_t step_ = 0;
  uint32_t part_ = 0;  // done of this step
  u128 at_ = 0;
};

// The knots of one cycle (or of the whole) of a shape: height 0 is the base alone, 1 the full level.
std::vector<RateKnot> heights(const Shape& s) {
  const double on = s.onset_s;
  const double top = on + s.ramp_s;
  const double down = top + s.sustain_s;
  switch (s.kind) {
    case Shape::Kind::step:
      return {{0, 0}, {on, 0}, {on, 1}};
    case Shape::Kind::ramp:
      return {{0, 0}, {on, 0}, {top, 1}};
    case Shape::Kind::spike:
    case Shape::Kind::flash_crowd:
      return {{0, 0}, {on, 0}, {top, 1}, {down, 1}, {down + s.decay_s, 0}};
    case Shape::Kind::square:
      return {{0, 1}, {s.duty * s.period_s, 1}, {s.duty * s.period_s, 0}, {s.period_s, 0}};
    case Shape::Kind::sawtooth:
      return {{0, 0}, {s.period_s, 1}};
  }
  return {};
}

bool periodic(Shape::Kind kind) { return kind == Shape::Kind::square || kind == Shape::Kind::sawtooth; }

// The height as pieces whose "rate" is the height; endless: the last height lasts, or the cycle repeats after
// the onset.
class HeightPath final : public RatePath {
 public:
  explicit HeightPath(const Shape& shape)
      : knots_(heights(shape)), repeats_(periodic(shape.kind)), lead_s_(repeats_ ? shape.onset_s : 0) {}
  bool next(Piece& piece) override {
    if (lead_s_ > 0) {
      piece = constant_piece(0.0, fixed_ns_of_seconds(std::exchange(lead_s_, 0.0)));
      return true;
    }
    if (at_ + 1 >= knots_.size() && repeats_) at_ = 0;
    if (at_ + 1 >= knots_.size()) {
      piece = constant_piece(knots_.back().rate_per_s, kFixedMax);
      return true;
    }
    const RateKnot from = knots_[at_];
    const RateKnot to = knots_[++at_];
    piece = linear_piece(from.rate_per_s, to.rate_per_s,
                         fixed_ns_of_seconds(to.t_s) - fixed_ns_of_seconds(from.t_s));
    return true;
  }

 private:
  std::vector<RateKnot> knots_;
  size_t at_ = 0;
  bool repeats_;
  double lead_s_;
};

// A base path times (1 + (level - 1) height), or plus level * height. Where both sides change, the product is
// sampled to 64 chords a piece.
class ShapedPath final : public RatePath {
 public:
  ShapedPath(RatePathPtr base, const Shape& shape) : base_(std::move(base)), heights_(shape), shape_(shape) {}

  bool next(Piece& piece) override {
    if (!refill(*base_, base_piece_, base_done_)) return false;
    if (base_piece_.count > 0) {
      throw usage_error(
          "a base with segments of a fixed number of arrivals cannot be shaped; give them a duration");
    }
    refill(heights_, height_piece_, height_done_);
    const u128 base_left = left(base_piece_, base_done_);
    u128 length = std::min(base_left, left(height_piece_, height_done_));
    const bool chords =
        !is_flat(base_piece_) && (base_piece_.shape == Piece::Shape::wave || !is_flat(height_piece_));
    if (chords) length = std::min(length, std::max(base_piece_.length / 64, kFixedOne));
    if (length == kFixedMax) {
      piece = constant_piece(rate_at(0), kFixedMax);
      piece.segment = base_piece_.segment;
      return true;
    }
    piece = linear_piece(rate_at(0), rate_at(length), length);
    piece.segment = base_piece_.segment;
    base_done_ += length;
    height_done_ += length;
    return true;
  }

 private:
  static bool is_flat(const Piece& piece) { return piece.shape == Piece::Shape::constant; }
  static u128 left(const Piece& piece, u128 done) {
    return piece.endless() ? kFixedMax : piece.length - done;
  }
  static bool refill(RatePath& path, Piece& piece, u128& done) {
    while (!piece.endless() && done >= piece.length) {
      if (!path.next(piece)) return false;
      done = 0;
    }
    return true;
  }
  double rate_at(u128 later) const {
    const double base = piece_rate(base_piece_, base_done_ + later);
    const double height = piece_rate(height_piece_, height_done_ + later);
    return shape_.additive ? base + shape_.level * height : base * (1 + (shape_.level - 1) * height);
  }

  static Piece spent() {
    Piece piece;
    piece.length = 0;
    return piece;
  }

  RatePathPtr base_;
  HeightPath heights_;
  const Shape shape_;
  Piece base_piece_ = spent();
  Piece height_piece_ = spent();
  u128 base_done_ = 0;
  u128 height_done_ = 0;
};

}  // namespace

double piece_rate(const Piece& piece, u128 time) {
  switch (piece.shape) {
    case Piece::Shape::constant:
      return piece.rate0_per_s;
    case Piece::Shape::linear: {
      const double share = fixed_to_double(time) / fixed_to_double(piece.length);
      return piece.rate0_per_s + (piece.rate1_per_s - piece.rate0_per_s) * share;
    }
    case Piece::Shape::wave:
      return piece.wave->rate(piece.wave_start_s + seconds_of_fixed_ns(time));
  }
  return 0;
}

RatePathPtr constant_path(const Rate& rate) {
  return std::make_unique<PieceList>(std::vector<Piece>{constant_piece(rate)});
}

RatePathPtr concat_path(const std::vector<std::string>& segments) {
  if (segments.empty()) throw usage_error("concat needs at least one --segment, as in --segment 60s@14.3/s");
  std::vector<Piece> pieces;
  for (const std::string& text : segments)
    pieces.push_back(parse_segment(text, static_cast<uint32_t>(pieces.size())));
  return std::make_unique<PieceList>(std::move(pieces));
}

RatePathPtr knots_path(const std::vector<RateKnot>& knots) {
  std::vector<Piece> pieces;
  const double origin = knots.empty() ? 0 : knots.front().t_s;
  bool positive = false;
  for (size_t k = 0; k < knots.size(); ++k) {
    if (!(knots[k].rate_per_s >= 0 && std::isfinite(knots[k].rate_per_s) && std::isfinite(knots[k].t_s))) {
      throw input_error("point {}: the rate {} at {} s is not a number that is at least 0", k + 1,
                        knots[k].rate_per_s, knots[k].t_s);
    }
    positive = positive || knots[k].rate_per_s > 0;
    if (k == 0 || knots[k].t_s == knots[k - 1].t_s) continue;
    if (knots[k].t_s < knots[k - 1].t_s) {
      throw input_error("point {}: its time {} s is before that of the point before", k + 1, knots[k].t_s);
    }
    const u128 length =
        fixed_ns_of_seconds(knots[k].t_s - origin) - fixed_ns_of_seconds(knots[k - 1].t_s - origin);
    pieces.push_back(linear_piece(knots[k - 1].rate_per_s, knots[k].rate_per_s, length));
  }
  if (pieces.empty()) throw input_error("a rate path needs at least two points at different times");
  if (!positive) throw input_error("the rate is 0 everywhere; nothing would ever arrive");
  return std::make_unique<PieceList>(std::move(pieces));
}

static void require_period(double period_s) {
  if (!(period_s >= 1e-3)) throw usage_error("the period must be at least 1ms");
}

RatePathPtr wave_path(Wave wave) {
  double sum = 0;
  for (const Wave::Term& term : wave.terms) {
    require_period(term.period_s);
    sum += std::fabs(term.amplitude);
  }
  if (wave.terms.empty()) throw usage_error("a sinusoid needs --amplitude or --harmonic");
  if (!(sum <= 1)) throw usage_error("the amplitudes sum to {}; above 1 the rate would be negative", sum);
  return std::make_unique<WavePath>(std::move(wave));
}

RatePathPtr expression_path(const std::string& formula, double step_s, std::optional<double> duration_s) {
  return std::make_unique<ExpressionPath>(formula, step_s, duration_s);
}

RatePathPtr shaped_path(RatePathPtr base, const Shape& shape) {
  if (!(shape.level >= 0))
    throw usage_error("--level {} is out of range; it must not be negative", shape.level);
  if (periodic(shape.kind)) require_period(shape.period_s);
  if (!(shape.duty > 0 && shape.duty < 1)) {
    throw usage_error("--duty {} is out of range; it must be above 0 and below 1", shape.duty);
  }
  return std::make_unique<ShapedPath>(std::move(base), shape);
}

}  // namespace mlq::arrival
