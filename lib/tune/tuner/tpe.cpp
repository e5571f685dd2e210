// Tree-structured Parzen estimators, like Optuna's TPESampler: ten random trials, then the point that is most
// likely among the good trials as compared with the others. `tpe` takes each knob by itself,
// `tpe:multivariate` all together.
#include <algorithm>
#include <numeric>

#include "lib/tune/tuner/moves.h"
#include "lib/tune/tuner/parzen.h"

namespace mlq::tune {
namespace {

constexpr size_t kStartTrials = 10;
constexpr int kCandidates = 24;
constexpr int kAttempts = 50;

size_t roulette(std::span<const double> weights, double u) {
  double left = u * std::accumulate(weights.begin(), weights.end(), 0.0);
  size_t drawn = 0;
  for (size_t k = 0; k < weights.size(); ++k) {
    if (weights[k] <= 0) continue;
    drawn = k;
    left -= weights[k];
    if (left <= 0) break;
  }
  return drawn;
}

// The density over a set of trials: kernels of each axis, with common weights.
struct Parzen {
  std::vector<double> weights;
  std::vector<std::vector<double>> kernels;  // by axis: as parzen_kernels gives them

  // Probability of each step of an axis.
  std::vector<double> marginal(size_t axis, size_t values) const {
    std::vector<double> p(values);
    for (size_t k = 0; k < weights.size(); ++k)
      for (size_t s = 0; s < values; ++s) p[s] += weights[k] * kernels[axis][k * values + s];
    return p;
  }
  double density(const Space& space, PointId point) const {
    double sum = 0;
    for (size_t k = 0; k < weights.size(); ++k) {
      double product = weights[k];
      for (size_t a = 0; a < kernels.size(); ++a)
        product *= kernels[a][k * space.axes()[a].values.size() + space.step(point, a)];
      sum += product;
    }
    return sum;
  }
};

class Tpe : public Tuner {
 public:
  Tpe(uint64_t seed, bool multivariate) : seed_(seed), multivariate_(multivariate) {}

  Choice ask(const History& history, const Question& question) override {
    if (auto first = opening(history, question.level)) return *first;
    std::vector<const Observation*> rows;
    for (const Observation& row : history.rows())
      if (row.level == question.level && !row.prior) rows.push_back(&row);
    Draws draws(seed_, Purpose::policy, question.i);
    Choice choice;
    if (rows.size() < kStartTrials) {
      choice.set = "init";
      choice.why = "one of the random points that come first";
      choice.point = draw_allowed(history, draws);
      return choice;
    }
    choice.set = "wide";
    choice.why = "more likely among the best trials than among the others";
    choice.point = multivariate_ ? joint(history, rows, draws) : separate(history, rows, draws);
    return choice;
  }
  void tell(const History& /*history*/, const Observation& /*row*/) override {}

 private:
  using Rows = std::vector<const Observation*>;

  // Good and bad trials, each in the order of their times. Those that broke the SLO come after all that held
  // it.
  static std::pair<Rows, Rows> split(const Rows& rows) {
    Rows order = rows;
    std::stable_sort(order.begin(), order.end(), [](const Observation* a, const Observation* b) {
      if (a->feasible != b->feasible) return a->feasible;
      return score(*a) < score(*b);
    });
    const size_t good = parzen_good(rows.size());
    std::pair<Rows, Rows> out;
    for (const Observation* row : rows) {
      const bool is_good =
          std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(good), row) - order.begin() <
          static_cast<std::ptrdiff_t>(good);
      (is_good ? out.first : out.second).push_back(row);
    }
    return out;
  }

  static bool ordered(const Axis& axis) { return axis.ordered && axis.type != KnobType::boolean; }

  // Of one axis: trials in which it has no influence say nothing about it.
  static std::vector<double> marginal(const Space& space, const Rows& rows, size_t axis) {
    const Axis& a = space.axes()[axis];
    std::vector<uint32_t> steps;
    for (const Observation* row : rows)
      if (space.active(row->point, axis)) steps.push_back(space.step(row->point, axis));
    const Parzen parzen{parzen_weights(steps.size()),
                        {parzen_kernels(steps, a.values.size(), ordered(a), 0)}};
    return parzen.marginal(0, a.values.size());
  }

  // Each axis by itself: of 24 steps drawn from the good ones' density that with the largest ratio.
  static PointId separate(const History& history, const Rows& rows, Draws& draws) {
    const Space& space = history.space();
    const auto [good, bad] = split(rows);
    std::vector<std::vector<double>> l, g;
    for (size_t a = 0; a < space.dims(); ++a) {
      l.push_back(marginal(space, good, a));
      g.push_back(marginal(space, bad, a));
    }
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      PointId point = 0;
      for (size_t a = 0; a < space.dims(); ++a) {
        if (l[a].size() == 1) continue;
        size_t best = 0;
        for (int k = 0; k < kCandidates; ++k) {
          const size_t s = roulette(l[a], draws.uniform());
          if (k == 0 || l[a][s] * g[a][best] > l[a][best] * g[a][s]) best = s;
        }
        point = space.with_step(point, a, static_cast<uint32_t>(best));
      }
      point = space.canonical(point);
      if (space.valid(point) && !history.barred(point)) return point;
    }
    return draw_allowed(history, draws);
  }

  static Parzen parzen(const Space& space, const Rows& rows) {
    Parzen out{parzen_weights(rows.size()), {}};
    for (size_t a = 0; a < space.dims(); ++a) {
      std::vector<uint32_t> steps;
      for (const Observation* row : rows) steps.push_back(space.step(row->point, a));
      const Axis& axis = space.axes()[a];
      out.kernels.push_back(parzen_kernels(steps, axis.values.size(), ordered(axis), space.dims()));
    }
    return out;
  }

  // All axes together: 24 valid points drawn from the good ones' density.
  static PointId joint(const History& history, const Rows& rows, Draws& draws) {
    const Space& space = history.space();
    const auto [good, bad] = split(rows);
    const Parzen l = parzen(space, good), g = parzen(space, bad);
    std::optional<PointId> best;
    double best_ratio = 0;
    int candidates = 0;
    for (int attempt = 0; attempt < kAttempts * kCandidates && candidates < kCandidates; ++attempt) {
      const size_t kernel = roulette(l.weights, draws.uniform());
      PointId point = 0;
      for (size_t a = 0; a < space.dims(); ++a) {
        const size_t n = space.axes()[a].values.size();
        const auto row = std::span(l.kernels[a]).subspan(kernel * n, n);
        point = space.with_step(point, a, static_cast<uint32_t>(roulette(row, draws.uniform())));
      }
      point = space.canonical(point);
      if (!space.valid(point) || history.barred(point)) continue;
      ++candidates;
      const double ratio = l.density(space, point) / g.density(space, point);
      if (best && ratio <= best_ratio) continue;
      best = point;
      best_ratio = ratio;
    }
    return best ? *best : draw_allowed(history, draws);
  }

  uint64_t seed_;
  bool multivariate_;
};

}  // namespace

std::unique_ptr<Tuner> make_tpe(const TunerOptions& options, const Space& /*space*/) {
  return std::make_unique<Tpe>(options.seed, options.name == "tpe:multivariate");
}

}  // namespace mlq::tune
