#include "lib/simigrad/control/steering.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lib/base/error.h"
#include "lib/simigrad/control/grid.h"

namespace mlq::simigrad {
namespace {

constexpr uint64_t kLargestBatch = uint64_t{1} << 53;

uint64_t granule_of(const ControlOptions& o) { return o.micro ? *o.micro * *o.workers : o.multiple; }

double or_null(double value) {
  return std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
}

// The widest micro-batch, a multiple of `micro` and at most `most`, that divides a worker's share.
uint64_t widest_micro(uint64_t share, uint64_t micro, uint64_t most) {
  for (uint64_t times = std::min(most, share) / micro; times > 1; --times)
    if (share % (times * micro) == 0) return times * micro;
  return micro;
}

}  // namespace

Realised realised_by(const ControlOptions& options, uint64_t batch) {
  const uint64_t share = std::max<uint64_t>(1, batch / *options.workers);
  const uint64_t micro =
      options.max_micro ? widest_micro(share, *options.micro, *options.max_micro) : *options.micro;
  return {micro, std::max<uint64_t>(1, share / micro)};
}

Steering::Steering(ControlOptions options) : options_(std::move(options)), estimator_(options_.estimating) {
  validate(options_);
  own_granule_ = options_.micro || options_.multiple != 1;
}

void Steering::set_workers(uint64_t workers, uint64_t micro) {
  if (own_granule_) return;
  options_.workers = workers;
  options_.micro = micro;
}

void Steering::start(uint64_t batch, std::optional<uint64_t> workers, std::optional<uint64_t> micro) {
  if (workers && micro) set_workers(*workers, *micro);
  max_ = options_.max.value_or(
      batch > kLargestBatch / kMaxOverFirst ? kLargestBatch : std::max(batch * kMaxOverFirst, options_.min));
  base_ = options_.base_batch.value_or(batch);
  const uint64_t granule = granule_of(options_);
  if (options_.controller != Controller::simigrad &&
      !nearest_batch(static_cast<double>(batch), batch, options_.min, max_, granule, options_.ladder))
    throw usage_error("no batch from {} to {} is a multiple of {}{}; widen --min and --max", options_.min,
                      max_, granule, options_.ladder.kind == Ladder::Kind::none ? "" : " and on the ladder");
  now_ = {};
  now_.started = true;
  now_.batch = batch;
  if (options_.micro) {
    now_.realised.micro = *options_.micro;
    now_.realised.accum = std::max<uint64_t>(1, batch / granule);
  }
  now_.lr_scale = lr_scale(batch);
  first_ = now_;
  past_.clear();
  all_kept_ = true;
}

std::optional<double> Steering::smoothed_cos(const Observation& o) const {
  if (!std::isfinite(o.cos) || o.identical) return std::nullopt;
  if (options_.smooth == 0) return o.cos;
  double sum = 0;
  uint64_t count = 0;
  const auto points = estimator_.points();
  for (size_t i = points.size(); i-- > 0 && count < options_.smooth;) {
    if (!std::isfinite(points[i].cos)) continue;
    sum += points[i].cos;
    ++count;
  }
  return sum / static_cast<double>(count);
}

Steering::Move Steering::published(double wanted, uint64_t present) const {
  const uint64_t next = static_cast<uint64_t>(wanted);
  Move m{next, wanted, "none"};
  if (m.batch > max_) m = {max_, wanted, "max"};
  if (m.batch < options_.min) m = {options_.min, wanted, "min"};
  if (m.batch == present) return m;
  if (options_.micro) {
    const uint64_t whole =
        published_realisation(m.batch, present, *options_.workers, now_.realised.micro, options_.max_micro)
            .batch(*options_.workers);
    if (whole != m.batch) m = {whole, wanted, "multiple"};
  }
  return m;
}

Steering::Move Steering::limited(double wanted, uint64_t present) const {
  Move m{present, wanted, "none"};
  double x = wanted;
  const double now = static_cast<double>(present);
  const auto limit = [&](double to, const char* why) {
    if (to == x) return;
    x = to;
    m.clamped = why;
  };
  if (options_.controller == Controller::ratio || options_.controller == Controller::sqrt_noise)
    limit(std::clamp(x, now / options_.max_step, now * options_.max_step), "step");
  if (options_.monotone) limit(std::max(x, now), "hold");
  limit(std::min(x, static_cast<double>(max_)), "max");
  limit(std::max(x, static_cast<double>(options_.min)), "min");
  const uint64_t low = options_.monotone ? std::clamp(present, options_.min, max_) : options_.min;
  const auto on_grid = nearest_batch(x, present, low, max_, granule_of(options_), options_.ladder);
  if (!on_grid) return {present, wanted, "hold"};
  m.batch = *on_grid;
  if (std::fabs(static_cast<double>(m.batch) - x) >= 1) m.clamped = "multiple";
  if (m.batch == present) return m;
  if (now_.moved_at && now_.step - *now_.moved_at <= options_.cooldown) return {present, wanted, "cooldown"};
  const auto interval = options_.deadband ? wanted_interval(options_, signal_) : std::nullopt;
  if (interval && interval->lo <= now && now <= interval->hi) return {present, wanted, "ci"};
  return m;
}

Steering::Move Steering::move(const Observation& o) const {
  const uint64_t present = o.batch_samples;
  const Move hold{present, static_cast<double>(present), "hold"};
  const bool smooth = options_.controller == Controller::simigrad;
  const bool fixed = options_.controller == Controller::static_batch;
  if (!fixed && (smooth ? o.identical : !o.valid())) return hold;
  if (!fixed && !smooth && signal_.points < options_.warmup_steps)
    return {present, static_cast<double>(present), "warming"};
  if (now_.decided_at && o.step - *now_.decided_at < options_.interval) return hold;
  const double cos = smooth ? smoothed_cos(o).value_or(std::numeric_limits<double>::quiet_NaN()) : 0;
  const auto wanted = wanted_batch(options_, {o, signal_, cos, present});
  if (!wanted) return hold;
  return smooth ? published(*wanted, present) : limited(*wanted, present);
}

Realised Steering::realise(uint64_t batch, uint64_t present) const {
  if (!options_.micro) return {};
  if (batch == present && now_.realised.batch(*options_.workers) == batch) return now_.realised;
  if (options_.controller == Controller::simigrad)
    return batch == present ? now_.realised
                            : published_realisation(batch, present, *options_.workers, now_.realised.micro,
                                                    options_.max_micro);
  return realised_by(options_, batch);
}

double Steering::lr_scale(uint64_t batch) const {
  const double ratio = static_cast<double>(batch) / static_cast<double>(base_);
  double scale = 1;
  switch (options_.lr_rule) {
    case LrRule::sqrt:
      scale = std::sqrt(ratio);
      break;
    case LrRule::linear:
      scale = ratio;
      break;
    case LrRule::gain:
      if (signal_.points >= std::max<uint64_t>(options_.warmup_steps, 1))
        scale = signal_.gain(static_cast<double>(batch), static_cast<double>(base_));
      break;
    case LrRule::none:
      break;
  }
  return 1 + (scale - 1) * options_.lr_damp;
}

records::BatchSize Steering::decide(const Observation& o) {
  if (!now_.started) start(o.batch_samples);
  const bool copies = estimator_.near_copies(o, signal_);
  estimator_.add(o);
  if (o.valid()) signal_ = estimator_.signal();
  now_.step = o.step;
  now_.any_step = true;
  const Move m = move(o);
  const bool decided = m.clamped != std::string_view("hold") && m.clamped != std::string_view("warming");
  now_.realised = realise(m.batch, o.batch_samples);
  if (decided) now_.decided_at = o.step;
  if (m.batch != o.batch_samples) now_.moved_at = o.step;
  now_.batch = m.batch;
  now_.lr_scale = lr_scale(m.batch);
  now_.pushed = estimator_.pushed();
  if (past_.size() == 2 * kKeptSteps) {
    past_.erase(past_.begin(), past_.begin() + static_cast<std::ptrdiff_t>(kKeptSteps));
    all_kept_ = false;
  }
  past_.push_back(now_);

  records::BatchSize r;
  r.step = o.step;
  r.batch_samples = m.batch;
  r.prev_samples = o.batch_samples;
  r.lr_scale = now_.lr_scale;
  r.wanted_samples = or_null(m.wanted);
  r.clamped = m.clamped;
  if (o.incarnation > 0) r.incarnation = o.incarnation;
  if (options_.micro) {
    r.micro_samples = now_.realised.micro;
    r.accum = now_.realised.accum;
  }
  r.controller = name_of(options_.controller);
  if (has_target(options_.controller)) r.gamma = options_.target->gamma();
  const double rho = options_.controller == Controller::simigrad
                         ? smoothed_cos(o).value_or(o.cos)
                         : signal_.rho(static_cast<double>(o.batch_samples));
  if (signal_.points > 0 || std::isfinite(rho)) {
    r.rho = or_null(rho);
    r.b_simple_samples = or_null(signal_.b_simple());
  }
  if (!o.note.empty()) r.note = o.note;
  if (copies) r.note = "near_copies: the groups agree too closely to be independent draws";
  return r;
}

std::optional<Steering::State> Steering::after(uint64_t step) const {
  const auto later = std::upper_bound(past_.begin(), past_.end(), step,
                                      [](uint64_t wanted, const State& s) { return wanted < s.step; });
  if (later == past_.begin()) return std::nullopt;
  return *std::prev(later);
}

bool Steering::go_back_to(const State& state) {
  if (!estimator_.rewind(state.pushed)) return false;
  now_ = state;
  signal_ = state.pushed > 0 ? estimator_.signal() : Signal{};
  while (!past_.empty() && (!state.any_step || past_.back().step > state.step)) past_.pop_back();
  return true;
}

bool Steering::rewind(uint64_t step) {
  if (!now_.any_step || now_.step <= step) return true;
  const std::optional<State> then = after(step);
  if (then) return go_back_to(State(*then));
  return restart();
}

bool Steering::restart() { return all_kept_ && go_back_to(State(first_)); }

}  // namespace mlq::simigrad
