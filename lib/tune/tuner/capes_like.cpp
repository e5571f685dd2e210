// Deep Q-learning of single steps, like CAPES (Li et al., SC'17; mlogic/capes-oss). A trial is a tick; the
// state is the last ten ticks; after each tick the network takes one step on 32 random rows of the replay
// memory. The reward is the fall of ln cost, where the original has differences of throughput.
#include <algorithm>
#include <cmath>

#include "lib/tune/learn/mlp.h"
#include "lib/tune/learn/mlp_kernels.h"
#include "lib/tune/tuner/agent.h"
#include "lib/tune/tuner/moves.h"

namespace mlq::tune {
namespace {

constexpr size_t kTicks = 10;
constexpr size_t kLeastHidden = 200;
constexpr size_t kRows = 32;
constexpr float kDiscount = 0.99F;
constexpr float kTargetShare = 0.01F;
constexpr float kClipNorm = 5;
constexpr double kFirstEpsilon = 1, kLastEpsilon = 0.05;
constexpr double kPaperTicks = 1e6;
constexpr double kDefaultRate = 0.001;

size_t hidden_of(size_t inputs) { return std::max(kLeastHidden, (inputs * 12 + 9) / 10); }

std::vector<DenseLayer> layers_of(size_t inputs, size_t moves) {
  return {{hidden_of(inputs), Activation::tanh},
          {hidden_of(inputs), Activation::tanh},
          {moves, Activation::linear}};
}

class CapesLike : public Tuner {
 public:
  CapesLike(const TunerOptions& options, const Space& space)
      : seed_(options.seed),
        paper_(options.name == "capes-like:paper"),
        rate_(static_cast<float>(options.rate.value_or(kDefaultRate))),
        tick_width_(features_.width(space)),
        moves_(move_count(space)),
        net_(kTicks * tick_width_, layers_of(kTicks * tick_width_, moves_)),
        target_(net_) {
    net_.init_xavier(RandomStream(seed_, Purpose::estimator), 0);
    target_ = net_;
    mean_squares_.resize(net_.parameters().size());
  }

  Choice ask(const History& history, const Question& question) override {
    Choice choice;
    choice.set = "neighbour";
    if (ticks_.empty()) {
      if (auto first = opening(history, question.level)) return *first;
    }
    Draws draws(seed_, Purpose::policy, question.i);
    const PointId here = ticks_.empty() ? history.start() : ticks_.back().point;
    const std::vector<uint8_t> open = open_moves(history, here);
    const bool explores = draws.uniform() < epsilon(question.budget);
    size_t move = explores ? draws.below(moves_) : best_move(open);
    if (open[move] == 0) move = 0;
    choice.why = explores ? "a random move" : "the move with the largest Q";
    choice.point = open[move] != 0 ? *after_move(history, here, move) : draw_allowed(history, draws);
    return choice;
  }

  void tell(const History& history, const Observation& row) override {
    if (row.prior) return;
    Tick tick;
    tick.point = row.point;
    tick.cost = score(row);
    // What failed has no cost of its own: it is no better than what was before.
    if (row.outcome == TrialOutcome::failed && !ticks_.empty())
      tick.cost = std::max(tick.cost, ticks_.back().cost);
    tick.open = open_moves(history, row.point);
    const std::optional<size_t> move =
        ticks_.empty() ? std::nullopt : move_between(history, ticks_.back().point, row.point);
    features_.append(history, row, seen_);
    ticks_.push_back(std::move(tick));
    // A jump, as of a guard that put another configuration in its place, was no move of the agent's.
    if (move) memory_.push_back({ticks_.size() - 1, *move});
    if (!memory_.empty()) learn(row.i);
  }

 private:
  struct Tick {
    PointId point = 0;
    double cost = 0;  // ln
    std::vector<uint8_t> open;
  };
  struct Memory {
    size_t tick;  // that the move led to
    size_t move;
  };

  double epsilon(uint64_t budget) const {
    const double over = paper_ ? kPaperTicks : std::max(1.0, static_cast<double>(budget) / 2);
    const double done = std::min(1.0, static_cast<double>(ticks_.size()) / over);
    return kFirstEpsilon + (kLastEpsilon - kFirstEpsilon) * done;
  }

  // The last ten ticks up to this one; zeros before the first.
  void state_at(size_t tick, float* out) const {
    const size_t have = std::min(kTicks, tick + 1);
    out = std::fill_n(out, (kTicks - have) * tick_width_, 0.0F);
    std::copy_n(seen_.begin() + static_cast<std::ptrdiff_t>((tick + 1 - have) * tick_width_),
                have * tick_width_, out);
  }

  size_t best_move(const std::vector<uint8_t>& open) {
    std::vector<float> state(net_.inputs());
    if (!ticks_.empty()) state_at(ticks_.size() - 1, state.data());
    return argmax(net_.forward(state.data(), 1), open);
  }

  static size_t argmax(std::span<const float> q, const std::vector<uint8_t>& open) {
    size_t best = 0;
    bool any = false;
    for (size_t m = 0; m < q.size(); ++m) {
      if (open[m] == 0 || (any && q[m] <= q[best])) continue;
      best = m;
      any = true;
    }
    return best;
  }

  void learn(uint64_t i) {
    Draws draws(seed_, Purpose::estimator, i, 100);
    std::vector<Memory> rows(kRows);
    for (Memory& row : rows) row = memory_[draws.below(memory_.size())];
    const size_t width = net_.inputs();
    std::vector<float> before(kRows * width), after(kRows * width), d(kRows * moves_);
    for (size_t r = 0; r < kRows; ++r) {
      state_at(rows[r].tick - 1, before.data() + r * width);
      state_at(rows[r].tick, after.data() + r * width);
    }
    const std::span<const float> next = target_.forward(after.data(), kRows);
    const std::span<const float> now = net_.forward(before.data(), kRows);
    for (size_t r = 0; r < kRows; ++r) {
      const Tick& tick = ticks_[rows[r].tick];
      const auto q = next.subspan(r * moves_, moves_);
      const auto reward = static_cast<float>(ticks_[rows[r].tick - 1].cost - tick.cost);
      const float wanted = reward + kDiscount * q[argmax(q, tick.open)];
      d[r * moves_ + rows[r].move] = 2 * (now[r * moves_ + rows[r].move] - wanted) / kRows;
    }
    net_.zero_gradients();
    net_.backward(d.data());
    clip();
    rmsprop_step(net_.parameters().data(), net_.gradients().data(), mean_squares_.data(),
                 mean_squares_.size(), rate_);
    mix(target_.parameters().data(), net_.parameters().data(), mean_squares_.size(), kTargetShare);
  }

  // Each variable's gradient to a norm of at most 5.
  void clip() {
    for (const auto& variable : net_.variables()) {
      const auto g = net_.gradients().subspan(variable.begin, variable.size);
      double sum = 0;
      for (const float x : g) sum += static_cast<double>(x) * static_cast<double>(x);
      const double norm = std::sqrt(sum);
      if (norm <= static_cast<double>(kClipNorm)) continue;
      const auto factor = static_cast<float>(static_cast<double>(kClipNorm) / norm);
      for (float& x : g) x *= factor;
    }
  }

  uint64_t seed_;
  bool paper_;
  float rate_;
  TickFeatures features_;
  size_t tick_width_, moves_;
  Mlp<float> net_, target_;
  std::vector<float> mean_squares_;
  std::vector<Tick> ticks_;
  std::vector<float> seen_;  // features of all ticks
  std::vector<Memory> memory_;
};

}  // namespace

std::unique_ptr<Tuner> make_capes_like(const TunerOptions& options, const Space& space) {
  return std::make_unique<CapesLike>(options, space);
}

}  // namespace mlq::tune
