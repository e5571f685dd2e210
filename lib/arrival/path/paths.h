// The rate paths of the processes. All factories throw usage Errors for bad parameters and input Errors for
// bad files.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/law/law.h"
#include "lib/arrival/path/path.h"
#include "lib/base/random.h"

namespace mlq::arrival {

// One rate for ever.
RatePathPtr constant_path(const Rate& rate);

// `60s@14.3/s` (a time at a rate) or `n=100@gap=70ms` (a number of arrivals); segments in order, then the
// end.
RatePathPtr concat_path(const std::vector<std::string>& segments);

// A point of a piecewise-linear rate.
struct RateKnot {
  double t_s;
  double rate_per_s;
};
// Linear between knots (times ascending, the first is the start); equal times make a step. Ends at the last
// knot.
RatePathPtr knots_path(const std::vector<RateKnot>& knots);

// Sum of sines; endless.
RatePathPtr wave_path(Wave wave);

// A formula in t (seconds), sampled to straight pieces of `step_s`, split where the chord is off by more than
// 0.1 % of the mean rate. Endless unless `duration_s` is given, which also defines the mean; without it, the
// first 1,000 steps do.
RatePathPtr expression_path(const std::string& formula, double step_s, std::optional<double> duration_s);

// A deterministic change of a base path's rate.
struct Shape {
  enum class Kind { step, ramp, spike, square, sawtooth, flash_crowd };
  Kind kind = Kind::step;
  double onset_s = 0;
  double level = 5;  // what the base is multiplied by (or, additive, what is added, per second) at the height
  bool additive = false;
  double ramp_s = 0;
  double sustain_s = 0;
  double decay_s = 0;
  double period_s = 60;
  double duty = 0.5;
};
RatePathPtr shaped_path(RatePathPtr base, const Shape& shape);

// Most jumps a second out of one state of a Markov chain.
constexpr double kMostJumpsPerSecond = 1e9;

// Rates of a continuous-time Markov chain started in its stationary law (piQ = 0, by the GTH elimination).
RatePathPtr mmpp_path(std::vector<double> rates_per_s, std::vector<std::vector<double>> generator,
                      RandomStream random, uint32_t stream);
// The stationary law; throws an input Error naming the row if rows do not sum to 0 or the chain is reducible.
std::vector<double> stationary_law(const std::vector<std::vector<double>>& generator);

// What the stays under way at time 0 are.
enum class Stays {
  residual,  // what is left of them in equilibrium: stationary, but under heavy tails often longer than any
             // trace
  fresh,     // they begin at 0
};

// `sources` independent on-off switches, each `on_rate` while on; sojourns in seconds, means of at least 1
// us. The share of those on at 0 is that of equilibrium.
RatePathPtr onoff_path(double on_rate_per_s, LawPtr on, LawPtr off, uint32_t sources, Stays stays,
                       RandomStream random, uint32_t stream);

// M/G/infinity: sessions start as a Poisson process and live for `life` (seconds, a mean of at least 1 us);
// the rate follows the number alive, `mean_alive` on average, which is also the mean number at 0.
RatePathPtr session_path(double rate_per_s, double mean_alive, LawPtr life, Stays stays, RandomStream random,
                         uint32_t stream);

// ln rate is an AR(1) series of step `step_s`, correlation `phi`, so that the rate has the given mean and cv.
RatePathPtr lognormal_path(double rate_per_s, double rate_cv, double step_s, double phi, RandomStream random,
                           uint32_t stream);

// ln rate is fractional Gaussian noise (Hurst exponent `hurst`) over `steps` steps; s^2 from the index of
// dispersion at one step: IDC = 1 + rate * step * (exp(s^2) - 1).
RatePathPtr fgn_path(double rate_per_s, double hurst, double idc, double step_s, size_t steps,
                     RandomStream random, uint32_t stream);

// Rate of a piece at `time` after its start.
double piece_rate(const Piece& piece, u128 time);

}  // namespace mlq::arrival
