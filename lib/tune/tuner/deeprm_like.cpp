// Policy gradient over single steps, like DeepRM (Mao et al., HotNets'16; hongzimao/deeprm): a hidden layer
// of 20 units, episodes of 20 trials, REINFORCE with the mean return at each time of an episode as baseline.
// `deeprm-like:warm` begins with two episodes of `hill`, whose way it then imitates, as the original can be
// trained on heuristics before it learns by itself.
#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/tune/learn/mlp.h"
#include "lib/tune/learn/mlp_kernels.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

constexpr size_t kHidden = 20;
constexpr size_t kEpisode = 20;
constexpr size_t kWarmTrials = 2 * kEpisode;
constexpr int kImitationSteps = 500;
constexpr float kImitationRate = 0.01F;
constexpr double kDefaultRate = 0.001;

class DeepRmLike : public Tuner {
 public:
  DeepRmLike(const TunerOptions& options, const Space& space)
      : seed_(options.seed),
        rate_(static_cast<float>(options.rate.value_or(kDefaultRate))),
        moves_(move_count(space)),
        net_(space.dims() + 2, {{kHidden, Activation::relu}, {moves_, Activation::linear}}),
        baseline_(kEpisode) {
    net_.init_xavier(RandomStream(seed_, Purpose::estimator), 0);
    mean_squares_.resize(net_.parameters().size());
    if (options.name == "deeprm-like:warm") teacher_ = make_hill(options, space);
  }

  Choice ask(const History& history, const Question& question) override {
    if (teacher_) return teacher_->ask(history, question);
    if (!last_)
      if (auto first = opening(history, question.level)) return *first;
    Draws draws(seed_, Purpose::policy, question.i);
    const PointId here = last_ ? last_->point : history.start();
    std::vector<uint8_t> open(moves_);
    for (size_t m = 0; m < moves_; ++m) open[m] = after_move(history, here, m) ? 1 : 0;
    open[0] = history.barred(here) ? 0 : 1;
    Choice choice;
    choice.set = "neighbour";
    choice.why = "a move drawn from the policy";
    const std::vector<double> p = policy(state(history, question.level), open);
    double left = draws.uniform();
    std::optional<size_t> move;
    for (size_t m = 0; m < moves_; ++m) {
      if (open[m] == 0) continue;
      move = m;
      left -= p[m];
      if (left <= 0) break;
    }
    choice.point = move ? *after_move(history, here, *move) : draw_allowed(history, draws);
    return choice;
  }

  void tell(const History& history, const Observation& row) override {
    if (row.prior) return;
    if (!first_cost_) {
      first_cost_ = score(row);
      first_rate_ = history.levels()[row.level].rate_per_s;
    }
    if (last_) take_step(history, row);
    last_ = row;
    if (teacher_) {
      teacher_->tell(history, row);
      if (++taught_ == kWarmTrials) imitate(history);
    }
  }

 private:
  struct Step {
    std::vector<float> state;
    std::vector<uint8_t> open;
    std::optional<size_t> move;  // none if the trial was not where a move leads
    double reward = 0;
  };

  // Knobs, ln of the rate over the first one, ln of the last cost over the first one.
  std::vector<float> state(const History& history, LevelId level) const {
    std::vector<double> knobs(history.space().dims());
    history.space().encode(last_ ? last_->point : history.start(), knobs);
    std::vector<float> x(knobs.begin(), knobs.end());
    const double rate = history.levels()[level].rate_per_s;
    x.push_back(rate > 0 && first_rate_ > 0 ? static_cast<float>(fmath::log(rate / first_rate_)) : 0);
    x.push_back(last_ ? static_cast<float>(std::clamp(score(*last_) - *first_cost_, -10.0, 10.0)) : 0);
    return x;
  }

  std::vector<double> policy(const std::vector<float>& x, const std::vector<uint8_t>& open) {
    const std::span<const float> logits = net_.forward(x.data(), 1);
    double most = -1e300, sum = 0;
    for (size_t m = 0; m < moves_; ++m)
      if (open[m] != 0) most = std::max(most, static_cast<double>(logits[m]));
    std::vector<double> p(moves_);
    for (size_t m = 0; m < moves_; ++m) {
      if (open[m] != 0) p[m] = fmath::exp(static_cast<double>(logits[m]) - most);
      sum += p[m];
    }
    for (double& x_m : p) x_m /= sum > 0 ? sum : 1;
    return p;
  }

  void take_step(const History& history, const Observation& row) {
    if (teacher_) return;
    Step step;
    step.state = state(history, row.level);
    step.move = move_between(history, last_->point, row.point);
    step.open.resize(moves_);
    for (size_t m = 0; m < moves_; ++m) step.open[m] = after_move(history, last_->point, m) ? 1 : 0;
    if (step.move) step.open[*step.move] = 1;
    step.reward = *first_cost_ - score(row);
    episode_.push_back(std::move(step));
    if (episode_.size() == kEpisode) reinforce();
  }

  void reinforce() {
    std::vector<double> returns(kEpisode);
    double to_go = 0;
    for (size_t t = kEpisode; t-- > 0;) returns[t] = to_go += episode_[t].reward;
    ++episodes_;
    net_.zero_gradients();
    for (size_t t = 0; t < kEpisode; ++t) {
      baseline_[t] += (returns[t] - baseline_[t]) / static_cast<double>(episodes_);
      if (episode_[t].move) push(episode_[t], *episode_[t].move, returns[t] - baseline_[t]);
    }
    rmsprop_step(net_.parameters().data(), net_.gradients().data(), mean_squares_.data(),
                 mean_squares_.size(), rate_);
    episode_.clear();
  }

  // Adds the gradient that makes `move` likelier if `weight` is positive.
  void push(const Step& step, size_t move, double weight) {
    const std::vector<double> p = policy(step.state, step.open);
    std::vector<float> d(moves_);
    for (size_t m = 0; m < moves_; ++m)
      if (step.open[m] != 0) d[m] = static_cast<float>(weight * (p[m] - (m == move ? 1 : 0)));
    net_.backward(d.data());
  }

  // From everywhere the teacher went, one step along the axis that is farthest from its best point.
  void imitate(const History& history) {
    teacher_.reset();
    std::vector<std::pair<Step, size_t>> lessons;
    for (const Observation& row : history.rows()) {
      const auto best = history.best_mean(row.level);
      if (row.prior || !best) continue;
      Step step;
      const std::optional<Observation> keep = last_;
      last_ = row;
      step.state = state(history, row.level);
      last_ = keep;
      step.open.assign(moves_, 1);
      lessons.emplace_back(std::move(step), towards(history.space(), row.point, *best));
    }
    for (int k = 0; k < kImitationSteps; ++k) {
      net_.zero_gradients();
      for (const auto& [step, move] : lessons) push(step, move, 1.0 / static_cast<double>(lessons.size()));
      rmsprop_step(net_.parameters().data(), net_.gradients().data(), mean_squares_.data(),
                   mean_squares_.size(), kImitationRate);
    }
    std::fill(mean_squares_.begin(), mean_squares_.end(), 0.0F);
  }

  static size_t towards(const Space& space, PointId from, PointId to) {
    size_t move = 0;
    double farthest = 0;
    for (size_t a = 0; a < space.dims(); ++a) {
      const auto last = static_cast<double>(space.axes()[a].values.size()) - 1;
      const double d = static_cast<double>(space.step(to, a)) - static_cast<double>(space.step(from, a));
      if (last == 0 || std::fabs(d) / last <= farthest) continue;
      farthest = std::fabs(d) / last;
      move = 2 * a + (d < 0 ? 1 : 2);
    }
    return move;
  }

  uint64_t seed_;
  float rate_;
  size_t moves_;
  Mlp<float> net_;
  std::vector<float> mean_squares_;
  std::unique_ptr<Tuner> teacher_;  // while it teaches
  size_t taught_ = 0;
  std::optional<Observation> last_;
  std::optional<double> first_cost_;
  double first_rate_ = 0;
  std::vector<Step> episode_;
  std::vector<double> baseline_;  // mean return at each time of an episode
  uint64_t episodes_ = 0;
};

}  // namespace

std::unique_ptr<Tuner> make_deeprm_like(const TunerOptions& options, const Space& space) {
  return std::make_unique<DeepRmLike>(options, space);
}

}  // namespace mlq::tune
