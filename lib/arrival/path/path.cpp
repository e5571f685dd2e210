#include "lib/arrival/path/path.h"

#include <algorithm>
#include <cmath>

#include "lib/base/error.h"
#include "lib/base/fmath.h"

namespace mlq::arrival {
namespace {

constexpr double kTwoPi = 6.283185307179586;

// Phase of a term at time t, reduced to one turn before it meets the sine.
double phase_at(const Wave::Term& term, double t_s) {
  return term.phase + kTwoPi * (std::fmod(t_s, term.period_s) / term.period_s);
}

// Mass of a wave piece after dt seconds. The difference of two cosines is taken as a product, which keeps its
// digits.
double wave_mass(const Piece& piece, double dt) {
  double sum = dt;
  for (const Wave::Term& term : piece.wave->terms) {
    const double omega = kTwoPi / term.period_s;
    const double half = 0.5 * omega * dt;
    sum += term.amplitude * (2 / omega) * fmath::sin(half) *
           fmath::sin(phase_at(term, piece.wave_start_s) + half);
  }
  return std::max(0.0, piece.wave->base_per_s * sum);
}

// Newton's method inside a bracket, from the chord.
double wave_time(const Piece& piece, double mass) {
  const double length = seconds_of_fixed_ns(piece.length);
  double low = 0;
  double high = length;
  double dt = length * std::min(1.0, mass / wave_mass(piece, length));
  constexpr int kMostSteps = 60;  // by halving alone, where the rate is 0; two or three elsewhere
  for (int step = 0; step < kMostSteps; ++step) {
    const double error = wave_mass(piece, dt) - mass;
    (error > 0 ? high : low) = dt;
    const double newton = dt - error / piece.wave->rate(piece.wave_start_s + dt);
    if (std::fabs(newton - dt) < 0.25e-9) break;
    dt = newton > low && newton < high ? newton : 0.5 * (low + high);
  }
  return dt;
}

double linear_slope(const Piece& piece) {
  return (piece.rate1_per_s - piece.rate0_per_s) / seconds_of_fixed_ns(piece.length);
}

// The root of rate0 t + slope t^2 / 2 = y without cancellation, for a slope of either sign.
double linear_time(const Piece& piece, double y) {
  const double r = piece.rate0_per_s;
  const double root = std::sqrt(std::max(0.0, r * r + 2 * linear_slope(piece) * y));
  return r + root > 0 ? 2 * y / (r + root) : 0;
}

}  // namespace

double Wave::rate(double t_s) const {
  double sum = 1;
  for (const Term& term : terms) sum += term.amplitude * fmath::sin(phase_at(term, t_s));
  return std::max(0.0, base_per_s * sum);
}

Piece constant_piece(const Rate& rate, u128 length) {
  Piece piece;
  piece.length = length;
  piece.ns_per_event = ((u128{rate.ns} << 64) + rate.events / 2) / rate.events;
  piece.rate0_per_s = piece.rate1_per_s = rate.per_s();
  return piece;
}

Piece constant_piece(double rate_per_s, u128 length) {
  Piece piece;
  piece.length = length;
  if (rate_per_s > 0) piece.ns_per_event = std::max(to_fixed(1e9 / rate_per_s), u128{1});
  piece.rate0_per_s = piece.rate1_per_s = rate_per_s;
  return piece;
}

Piece linear_piece(double rate0_per_s, double rate1_per_s, u128 length) {
  if (rate0_per_s == rate1_per_s) return constant_piece(rate0_per_s, length);
  Piece piece;
  piece.shape = Piece::Shape::linear;
  piece.length = length;
  piece.rate0_per_s = rate0_per_s;
  piece.rate1_per_s = rate1_per_s;
  return piece;
}

Piece wave_piece(const Wave& wave, double start_s, u128 length) {
  Piece piece;
  piece.shape = Piece::Shape::wave;
  piece.length = length;
  piece.wave = &wave;
  piece.wave_start_s = start_s;
  piece.rate0_per_s = wave.rate(start_s);
  piece.rate1_per_s = wave.rate(start_s + seconds_of_fixed_ns(length));
  return piece;
}

u128 piece_mass(const Piece& piece) {
  if (piece.shape == Piece::Shape::constant) {
    if (piece.ns_per_event == kFixedMax) return 0;
    return piece.endless() ? kFixedMax : fixed_divide(piece.length, piece.ns_per_event);
  }
  return piece_mass_until(piece, piece.length);
}

u128 piece_mass_until(const Piece& piece, u128 time) {
  const double dt = seconds_of_fixed_ns(time);
  switch (piece.shape) {
    case Piece::Shape::constant:
      return piece.ns_per_event == kFixedMax ? 0 : fixed_divide(time, piece.ns_per_event);
    case Piece::Shape::linear:
      return to_fixed(dt * (piece.rate0_per_s + 0.5 * linear_slope(piece) * dt));
    case Piece::Shape::wave:
      return to_fixed(wave_mass(piece, dt));
  }
  return 0;
}

u128 piece_time(const Piece& piece, u128 mass) {
  u128 time = 0;
  switch (piece.shape) {
    case Piece::Shape::constant:
      if (fixed_product_overflows(mass, piece.ns_per_event)) return kFixedMax;
      return fixed_multiply(mass, piece.ns_per_event);
    case Piece::Shape::linear:
      time = fixed_ns_of_seconds(linear_time(piece, fixed_to_double(mass)));
      break;
    case Piece::Shape::wave:
      time = fixed_ns_of_seconds(wave_time(piece, fixed_to_double(mass)));
      break;
  }
  return std::min(time, piece.length - 1);
}

bool PieceList::next(Piece& piece) {
  if (at_ == pieces_.size()) return false;
  piece = pieces_[at_++];
  return true;
}

u128 path_mass(RatePath& path, u128 time) {
  u128 mass = 0;
  u128 at = 0;
  Piece piece;
  for (uint64_t pieces = 0; at < time && path.next(piece); ++pieces) {
    if (pieces == kMostPieces) throw input_error("the rate path has too many pieces before --duration");
    if (piece.count > 0) {
      throw usage_error(
          "a path with segments of a fixed number of arrivals has no fixed mass; give --duration or "
          "--count, not both");
    }
    if (piece.endless() || piece.length >= time - at) {
      return fixed_add(mass, piece_mass_until(piece, time - at));
    }
    mass = fixed_add(mass, piece_mass(piece));
    at += piece.length;
  }
  return mass;
}

}  // namespace mlq::arrival
