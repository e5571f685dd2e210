// Laws: one-dimensional distributions that users name in text, for gaps, batches, lengths and sojourns.
//
//   NAME[:k=v,...]   fixed:512 uniform:lo=,hi= exp gamma:cv= weibull:cv= lognormal:cv= pareto:cv=|alpha=
//   lomax:cv=
//                    erlang:k=|cv= h2:cv= geometric zipf:s=,n= empirical:FILE[#COLUMN] mix:W*LAW+W*LAW
//   any of them also takes mean= min= max= round=nearest|floor|ceil|none
//
// Draws are keyed by event (lib/base/random.h), so every variate can be made alone. A law is immutable and
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/random.h"

namespace mlq::arrival {

// Where a law takes its uniforms: draw numbers from `base` on, of one event in one stream.
struct Draws {
  const RandomStream* random;
  uint64_t index;
  uint32_t stream = 0;
  uint32_t base = 0;
  UniformPair at(uint32_t draw) const { return random->uniforms(index, base + draw, stream); }
  Draws offset(uint32_t by) const { return {random, index, stream, base + by}; }
};

// Most draw numbers that one variate may use; users of several laws on one event stay this far apart.
constexpr uint32_t kDrawsPerVariate = 1u << 16;

class Law {
 public:
  virtual ~Law() = default;

  virtual double sample(const Draws& draws) const = 0;
  // Variates of the events first, first + 1, ...; the same bits as sample() for each.
  virtual void fill(const RandomStream& random, uint64_t first, uint32_t stream, std::span<double> out) const;
  // A variate of the equilibrium residual, density (1 - F) / mean: what is left of a gap at a time that does
  // not know of it (Cox, Renewal Theory, 1962, section 5.2). Continuous non-negative laws only;
  // has_residual() tells.
  virtual double residual(const Draws& draws) const;
  virtual bool has_residual() const { return false; }

  virtual double cdf(double x) const = 0;
  virtual bool continuous() const { return true; }
  virtual double mean() const = 0;  // may be infinite
  virtual double cv()
      const = 0;  // standard deviation over mean; may be infinite, NaN where it has no closed form
};

using LawPtr = std::shared_ptr<const Law>;

// What a law is for; decides what may be said in its text.
enum class LawUse {
  gap,      // unit mean, mean= refused, continuous or fixed or empirical; what --law takes
  sojourn,  // a time, in seconds; lengths in its text are durations, as in `exp:mean=30s`
  count,    // a whole number: rounded to nearest unless round= says else
};

// Throws a usage Error that quotes the text and says what is wrong; an input Error for a bad file of
// `empirical`.
LawPtr parse_law(std::string_view text, LawUse use);

// The unit-mean laws by parameter, for callers that have numbers. All throw usage Errors naming the range.
LawPtr exponential_law();
LawPtr gamma_law(double cv);
LawPtr weibull_law(double cv);
LawPtr lognormal_law(double cv);
LawPtr pareto_law_of_alpha(double alpha);  // type I, alpha > 1
LawPtr pareto_law(double cv);
LawPtr lomax_law(double cv);
LawPtr erlang_law(uint32_t stages);
LawPtr h2_law(double cv);
LawPtr fixed_law();
// Observed gaps, scaled to mean 1; `block` > 1 (at most 10^6): the stationary bootstrap (Politis and Romano
// 1994) of that mean block length, which keeps correlation.
LawPtr empirical_law(std::vector<double> values, uint64_t block);
// `law` times `factor`.
LawPtr scaled_law(LawPtr law, double factor);

// Names that parse_law knows for a use, for help texts.
std::vector<std::string_view> law_names(LawUse use);

}  // namespace mlq::arrival
