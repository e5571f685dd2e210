// Rate paths: r(t) as a sequence of pieces, with R(t) = integral of r exactly where it can be.
//
// Time rescaling (Brown et al., "The time-rescaling theorem", Neural Computation 14, 2002): if G_k is a sum
// of unit-mean gaps, then t_k = R^-1(G_k) has rate r. Mass (expected arrivals) and time (ns) are 64.64 fixed
// point (lib/base/fixed.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/fixed.h"
#include "lib/base/units.h"

namespace mlq::arrival {

// r(t) = base * (1 + sum of amplitude_j * sin(2 pi t / period_j + phase_j)).
struct Wave {
  struct Term {
    double amplitude;  // of the base, the sum of |amplitude| is at most 1
    double period_s;
    double phase;  // radians
  };
  double base_per_s = 0;
  std::vector<Term> terms;

  double rate(double t_s) const;
};

struct Piece {
  enum class Shape : uint8_t { constant, linear, wave };
  Shape shape = Shape::constant;
  uint32_t segment = 0;           // which segment of the user's, for the arrival's field
  u128 length = kFixedMax;        // ns; kFixedMax: endless
  uint64_t count = 0;             // > 0: ends at its count-th arrival, and `length` says nothing
  u128 ns_per_event = kFixedMax;  // constant: time per unit of mass; kFixedMax: the rate is 0
  double rate0_per_s = 0;         // at its start and end; what rate records say
  double rate1_per_s = 0;
  const Wave* wave = nullptr;  // wave: owned by the path
  double wave_start_s = 0;     // time on the wave's clock where the piece starts

  bool endless() const { return length == kFixedMax; }
};

// A constant piece of an exact rate, or of a rate in doubles. A rate of 0 is allowed for the latter.
Piece constant_piece(const Rate& rate, u128 length = kFixedMax);
Piece constant_piece(double rate_per_s, u128 length);
Piece linear_piece(double rate0_per_s, double rate1_per_s, u128 length);
Piece wave_piece(const Wave& wave, double start_s, u128 length);

// Mass of the whole piece; saturates for an endless one.
u128 piece_mass(const Piece& piece);
// Mass from its start until `time`, which is at most its length.
u128 piece_mass_until(const Piece& piece, u128 time);
// The time from its start at which the mass reaches `mass`, which is below that of the piece.
u128 piece_time(const Piece& piece, u128 mass);

// Whole nanoseconds, or seconds, as 64.64 ns.
constexpr u128 fixed_ns(int64_t ns) { return u128{static_cast<uint64_t>(ns)} << 64; }
inline u128 fixed_ns_of_seconds(double seconds) { return to_fixed(seconds * 1e9); }
inline double seconds_of_fixed_ns(u128 ns) { return fixed_to_double(ns) / 1e9; }

// A source of pieces, one after the other from time 0. Not thread-safe.
class RatePath {
 public:
  virtual ~RatePath() = default;
  // False at the end of a finite path.
  virtual bool next(Piece& piece) = 0;
};

using RatePathPtr = std::unique_ptr<RatePath>;

// Ready-made pieces.
class PieceList final : public RatePath {
 public:
  explicit PieceList(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}
  bool next(Piece& piece) override;

 private:
  std::vector<Piece> pieces_;
  size_t at_ = 0;
};

// Most pieces that are walked in one go: some seconds of work. Paths that have more where nothing arrives are
// input Errors, not endless loops.
constexpr uint64_t kMostPieces = 100'000'000;

// Mass of the path from 0 to `time`, walking a fresh path to its end if need be. Paths with counted pieces
// have none: throws a usage Error; an input Error for more than kMostPieces.
u128 path_mass(RatePath& path, u128 time);

}  // namespace mlq::arrival
