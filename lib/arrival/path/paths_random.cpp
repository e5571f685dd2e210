// Paths that are random themselves: the processes built on them are doubly stochastic.
// Draws: purpose `modulator`; jump or step j is event j, a component is a stream.
#include <algorithm>
#include <cmath>
#include <queue>

#include "lib/arrival/path/paths.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/stats/fgn.h"

namespace mlq::arrival {
namespace {

size_t choose(const std::vector<double>& weights, double total, double u) {
  double rest = u * total;
  size_t last = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    if (!(weights[k] > 0)) continue;
    last = k;
    if (rest < weights[k]) return k;
    rest -= weights[k];
  }
  return last;
}

class MarkovPath final : public RatePath {
 public:
  MarkovPath(std::vector<double> rates, std::vector<std::vector<double>> generator, RandomStream random,
             uint32_t stream)
      : rates_(std::move(rates)), generator_(std::move(generator)), random_(random), stream_(stream) {
    const std::vector<double> pi = stationary_law(generator_);
    state_ = choose(pi, 1, random_.uniform(0, 0, stream_));
    for (size_t s = 0; s < generator_.size(); ++s) generator_[s][s] = 0;
  }
  bool next(Piece& piece) override {
    const std::vector<double>& row = generator_[state_];
    double leave = 0;
    for (const double q : row) leave += q;
    const UniformPair u = random_.uniforms(++jump_, 0, stream_);
    const double sojourn_s = -fmath::log(u.a) / leave;
    piece = constant_piece(rates_[state_], fixed_ns_of_seconds(sojourn_s));
    state_ = choose(row, leave, u.b);
    return true;
  }

 private:
  std::vector<double> rates_;
  std::vector<std::vector<double>> generator_;
  RandomStream random_;
  uint32_t stream_;
  size_t state_ = 0;
  uint64_t jump_ = 0;
};

// A piece of a rate that is constant between the events of a heap.
class CountPath : public RatePath {
 public:
  bool next(Piece& piece) override {
    const double rate = rate_now();
    const u128 until = next_event();
    piece = constant_piece(rate, until - at_);
    at_ = until;
    handle_event();
    return true;
  }

 protected:
  virtual double rate_now() const = 0;
  virtual u128 next_event() const = 0;
  virtual void handle_event() = 0;
  u128 at_ = 0;
};

double first_stay(const Law& law, Stays stays, const Draws& draws) {
  return stays == Stays::residual ? law.residual(draws) : law.sample(draws);
}

template <class Event>
using SoonestFirst = std::priority_queue<Event, std::vector<Event>, std::greater<>>;

class OnOffPath final : public CountPath {
 public:
  OnOffPath(double on_rate, LawPtr on, LawPtr off, uint32_t sources, Stays stays, RandomStream random,
            uint32_t stream)
      : on_rate_(on_rate),
        on_(std::move(on)),
        off_(std::move(off)),
        random_(random),
        stream_(stream),
        jumps_(sources, 0) {
    const double share_on = on_->mean() / (on_->mean() + off_->mean());
    is_on_.resize(sources);
    for (uint32_t s = 0; s < sources; ++s) {
      is_on_[s] = random_.uniform(0, kChoiceDraw, stream_ + s) < share_on;
      alive_ += is_on_[s] ? 1 : 0;
      const Draws draws{&random_, 0, stream_ + s};
      events_.push({fixed_ns_of_seconds(first_stay(is_on_[s] ? *on_ : *off_, stays, draws)), s});
    }
  }

 protected:
  double rate_now() const override { return on_rate_ * alive_; }
  u128 next_event() const override { return std::max(events_.top().first, at_); }
  void handle_event() override {
    const uint32_t s = events_.top().second;
    events_.pop();
    is_on_[s] = !is_on_[s];
    alive_ += is_on_[s] ? 1 : -1;
    const Law& law = is_on_[s] ? *on_ : *off_;
    const double sojourn_s = law.sample({&random_, ++jumps_[s], stream_ + s});
    events_.push({fixed_add(at_, std::max(fixed_ns_of_seconds(sojourn_s), u128{1})), s});
  }

 private:
  static constexpr uint32_t kChoiceDraw = kDrawsPerVariate;  // beyond those of the residual
  double on_rate_;
  LawPtr on_;
  LawPtr off_;
  RandomStream random_;
  uint32_t stream_;
  std::vector<uint64_t> jumps_;
  std::vector<bool> is_on_;
  int64_t alive_ = 0;
  SoonestFirst<std::pair<u128, uint32_t>> events_;
};

class SessionPath final : public CountPath {
 public:
  SessionPath(double rate, double mean_alive, LawPtr life, Stays stays, RandomStream random, uint32_t stream)
      : rate_each_(rate / mean_alive),
        start_rate_(mean_alive / life->mean()),
        life_(std::move(life)),
        random_(random),
        stream_(stream) {
    // Those alive at 0: a Poisson number.
    double sum = 0;
    for (uint64_t k = 0;; ++k) {
      sum -= fmath::log(random_.uniform(k, kStartDraw, stream_));
      if (sum > mean_alive) break;
      deaths_.push(fixed_ns_of_seconds(first_stay(*life_, stays, {&random_, k, stream_ + 1})));
    }
    plan_start();
  }

 protected:
  double rate_now() const override { return rate_each_ * static_cast<double>(deaths_.size()); }
  u128 next_event() const override {
    return deaths_.empty() ? start_ : std::min(start_, std::max(deaths_.top(), at_));
  }
  void handle_event() override {
    if (at_ != start_) return deaths_.pop();
    const double life_s = life_->sample({&random_, session_, stream_});
    deaths_.push(fixed_add(at_, std::max(fixed_ns_of_seconds(life_s), u128{1})));
    plan_start();
  }

 private:
  static constexpr uint32_t kStartDraw = kDrawsPerVariate;
  void plan_start() {
    const double u = random_.uniform(++session_, kStartDraw, stream_ + 1);
    start_ = fixed_add(at_, std::max(fixed_ns_of_seconds(-fmath::log(u) / start_rate_), u128{1}));
  }
  double rate_each_;
  double start_rate_;
  LawPtr life_;
  RandomStream random_;
  uint32_t stream_;
  uint64_t session_ = 0;
  u128 start_ = 0;
  SoonestFirst<u128> deaths_;
};

class LognormalPath final : public RatePath {
 public:
  LognormalPath(double rate, double cv, double step_s, double phi, RandomStream random, uint32_t stream)
      : sigma_(std::sqrt(fmath::log1p(cv * cv))),
        mu_(fmath::log(rate) - 0.5 * sigma_ * sigma_),
        phi_(phi),
        step_s_(step_s),
        random_(random),
        stream_(stream) {}
  bool next(Piece& piece) override {
    const double z = fmath::normal_quantile(random_.uniform(step_, 0, stream_));
    x_ = step_ == 0 ? z : phi_ * x_ + std::sqrt(1 - phi_ * phi_) * z;
    ++step_;
    const u128 end = fixed_ns_of_seconds(static_cast<double>(step_) * step_s_);
    piece = constant_piece(fmath::exp(mu_ + sigma_ * x_), end - at_);
    at_ = end;
    return true;
  }

 private:
  double sigma_;
  double mu_;
  double phi_;
  double step_s_;
  RandomStream random_;
  uint32_t stream_;
  double x_ = 0;
  uint64_t step_ = 0;
  u128 at_ = 0;
};

class FgnPath final : public RatePath {
 public:
  FgnPath(double rate, double sigma2, double step_s, std::vector<double> noise)
      : mu_(fmath::log(rate) - 0.5 * sigma2),
        sigma_(std::sqrt(sigma2)),
        step_s_(step_s),
        noise_(std::move(noise)) {}
  bool next(Piece& piece) override {
    if (step_ == noise_.size()) return false;
    const double rate = fmath::exp(mu_ + sigma_ * noise_[step_++]);
    const u128 end = fixed_ns_of_seconds(static_cast<double>(step_) * step_s_);
    piece = constant_piece(rate, end - at_);
    at_ = end;
    return true;
  }

 private:
  double mu_;
  double sigma_;
  double step_s_;
  std::vector<double> noise_;
  size_t step_ = 0;
  u128 at_ = 0;
};

}  // namespace

// Grassmann, Taksar and Heyman, "Regenerative analysis and steady state distributions for Markov chains"
// (Operations Research 33, 1985): elimination without subtractions.
std::vector<double> stationary_law(const std::vector<std::vector<double>>& generator) {
  const size_t n = generator.size();
  std::vector<std::vector<double>> q = generator;
  for (size_t r = 0; r < n; ++r) {
    if (q[r].size() != n)
      throw input_error("generator: row {} has {} entries; it must have {}", r + 1, q[r].size(), n);
    double sum = 0;
    double scale = 0;
    for (size_t c = 0; c < n; ++c) {
      if (!std::isfinite(q[r][c]))
        throw input_error("generator: row {} holds a value that is no finite number", r + 1);
      if (c != r && q[r][c] < 0) throw input_error("generator: row {} has a negative rate", r + 1);
      sum += q[r][c];
      scale = std::max(scale, std::fabs(q[r][c]));
    }
    if (std::fabs(sum) > 1e-9 * scale * static_cast<double>(n)) {
      throw input_error("generator: row {} sums to {}; it must sum to 0", r + 1, sum);
    }
  }
  for (size_t k = n; k-- > 1;) {
    double down = 0;
    for (size_t c = 0; c < k; ++c) down += q[k][c];
    if (!(down > 0))
      throw input_error("generator: the chain is reducible; row {}: the state cannot reach those before it",
                        k + 1);
    for (size_t r = 0; r < k; ++r) {
      q[r][k] /= down;
      for (size_t c = 0; c < k; ++c) {
        if (c != r) q[r][c] += q[r][k] * q[k][c];
      }
    }
  }
  std::vector<double> pi(n, 0);
  pi[0] = 1;
  double total = 1;
  for (size_t k = 1; k < n; ++k) {
    for (size_t r = 0; r < k; ++r) pi[k] += pi[r] * q[r][k];
    total += pi[k];
  }
  for (size_t k = 0; k < n; ++k) {
    pi[k] /= total;
    if (!(pi[k] > 0))
      throw input_error("generator: the chain is reducible; row {}: the state is never reached again", k + 1);
  }
  return pi;
}

RatePathPtr mmpp_path(std::vector<double> rates, std::vector<std::vector<double>> generator,
                      RandomStream random, uint32_t stream) {
  if (rates.size() < 2) throw usage_error("an MMPP needs at least two rates");
  if (rates.size() != generator.size()) {
    throw usage_error("there are {} rates and {} states; there must be one rate a state", rates.size(),
                      generator.size());
  }
  if (std::all_of(rates.begin(), rates.end(), [](double r) { return r == 0; })) {
    throw usage_error("all rates are 0; nothing would ever arrive");
  }
  for (size_t k = 0; k < generator.size(); ++k) {
    if (!(generator[k].size() > k && -generator[k][k] <= kMostJumpsPerSecond)) {
      throw input_error("generator: row {}: state {} is left more than 10^9 times a second", k + 1, k + 1);
    }
  }
  return std::make_unique<MarkovPath>(std::move(rates), std::move(generator), random, stream);
}

namespace {

void require_stay(const Law& law) {
  if (!(law.mean() >= 1e-6))
    throw usage_error("a mean stay of {} s is too short; it must be at least 1us", law.mean());
}

}  // namespace

RatePathPtr onoff_path(double on_rate, LawPtr on, LawPtr off, uint32_t sources, Stays stays,
                       RandomStream random, uint32_t stream) {
  require_stay(*on);
  require_stay(*off);
  if (sources < 1 || sources > 65535)
    throw usage_error("--sources {} is out of range; it must be from 1 to 65535", sources);
  return std::make_unique<OnOffPath>(on_rate, std::move(on), std::move(off), sources, stays, random, stream);
}

RatePathPtr session_path(double rate, double mean_alive, LawPtr life, Stays stays, RandomStream random,
                         uint32_t stream) {
  require_stay(*life);
  if (!(mean_alive > 0 && mean_alive <= 1e6)) {
    throw usage_error("{} sessions alive on average is out of range; it must be above 0 and at most 1e6",
                      mean_alive);
  }
  return std::make_unique<SessionPath>(rate, mean_alive, std::move(life), stays, random, stream);
}

RatePathPtr lognormal_path(double rate, double cv, double step_s, double phi, RandomStream random,
                           uint32_t stream) {
  if (!(cv >= 0 && cv <= 100))
    throw usage_error("--rate-cv {} is out of range; it must be from 0 to 100", cv);
  if (!(phi >= 0 && phi < 1))
    throw usage_error("--rate-ar {} is out of range; it must be at least 0 and below 1", phi);
  if (!(step_s > 0)) throw usage_error("--rate-step must be positive");
  return std::make_unique<LognormalPath>(rate, cv, step_s, phi, random, stream);
}

RatePathPtr fgn_path(double rate, double hurst, double idc, double step_s, size_t steps, RandomStream random,
                     uint32_t stream) {
  if (!(idc > 1))
    throw usage_error("--idc {} is out of range; a random rate has an index of dispersion above 1", idc);
  if (!(step_s > 0)) throw usage_error("--step must be positive");
  const double sigma2 = fmath::log1p((idc - 1) / (rate * step_s));
  return std::make_unique<FgnPath>(rate, sigma2, step_s, stats::fgn(steps, hurst, random, stream));
}

}  // namespace mlq::arrival
