#include "lib/tune/drive/explain.h"

#include <algorithm>
#include <cmath>

#include "lib/base/fmath.h"
#include "lib/stats/student.h"

namespace mlq::tune {
namespace {

constexpr double kTwoSided = 1.959963984540054;

records::RawJson json_of(const KnobValue& value) {
  jsonl::Buffer out;
  serve::write_knob_value(value, out);
  return {std::string(out.view())};
}

struct Expected {
  double y = 0;
  std::optional<double> lo, hi;
};

// Without a model only what was measured is known.
std::optional<Expected> expected(const History& history, Tuner& tuner, LevelId level, PointId point) {
  if (const auto prediction = tuner.predict(history, level, point)) {
    const double half = kTwoSided * prediction->sd;
    return Expected{prediction->y, prediction->y - half, prediction->y + half};
  }
  std::vector<double> values;
  for (const Observation& row : history.rows())
    if (row.level == level && row.point == point && row.outcome == TrialOutcome::ok) values.push_back(row.y);
  if (values.empty()) return std::nullopt;
  const stats::MeanInterval i = stats::mean_interval(values);
  Expected out{i.mean, {}, {}};
  if (std::isfinite(i.lo)) {
    out.lo = i.lo;
    out.hi = i.hi;
  }
  return out;
}

std::optional<PointId> choice(const History& history, Tuner& tuner, LevelId level, const Chosen& chosen) {
  const auto known = chosen ? chosen(level) : std::nullopt;
  return known ? known : tuner.recommend(history, level);
}

}  // namespace

Chosen chosen_in(const JournalContents& journal, const History& history) {
  std::vector<std::optional<PointId>> points(history.levels().size());
  for (const JournalRun& run : journal.runs)
    for (const records::Policy& policy : run.policies)
      for (LevelId level = 0; level < points.size(); ++level)
        if (history.levels()[level].name == policy.level)
          points[level] = history.space().find(parse_config(policy.config.text, "journal"));
  return [points](LevelId level) { return level < points.size() ? points[level] : std::nullopt; };
}

std::vector<records::Effect> effects(const History& history, Tuner& tuner, LevelId level,
                                     const Chosen& chosen) {
  std::vector<records::Effect> out;
  const auto best = choice(history, tuner, level, chosen);
  if (!best) return out;
  const Space& space = history.space();
  for (size_t axis = 0; axis < space.dims(); ++axis) {
    const Axis& knob = space.axes()[axis];
    if (knob.values.size() < 2 || !space.active(*best, axis)) continue;
    for (uint32_t step = 0; step < knob.values.size(); ++step) {
      const PointId point = space.canonical(space.with_step(*best, axis, step));
      if (!space.valid(point)) continue;
      const auto value = expected(history, tuner, level, point);
      if (!value) continue;
      records::Effect effect;
      effect.level = history.levels()[level].name;
      effect.knob = knob.name;
      effect.value = json_of(knob.values[step]);
      effect.y = value->y;
      effect.y_lo = value->lo;
      effect.y_hi = value->hi;
      out.push_back(std::move(effect));
    }
  }
  return out;
}

std::vector<Neighbour> nearest_rivals(const History& history, Tuner& tuner, LevelId level,
                                      const Chosen& chosen, size_t most) {
  std::vector<Neighbour> out;
  const auto best = choice(history, tuner, level, chosen);
  if (!best) return out;
  const auto base = expected(history, tuner, level, *best);
  if (!base) return out;
  for (const PointId point : history.space().neighbours(*best)) {
    const auto value = expected(history, tuner, level, point);
    if (value) out.push_back({history.space().config(point), fmath::expm1(value->y - base->y)});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Neighbour& a, const Neighbour& b) { return a.loss < b.loss; });
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<records::Flip> flips(const History& history, Tuner& tuner, const Chosen& chosen) {
  std::vector<std::pair<double, PointId>> choices;
  for (LevelId level = 0; level < history.levels().size(); ++level) {
    const double rate = history.levels()[level].rate_per_s;
    const auto best = choice(history, tuner, level, chosen);
    if (rate > 0 && best) choices.emplace_back(rate, *best);
  }
  std::sort(choices.begin(), choices.end());
  std::vector<records::Flip> out;
  const Space& space = history.space();
  for (size_t k = 1; k < choices.size(); ++k) {
    for (size_t axis = 0; axis < space.dims(); ++axis) {
      const KnobValue& from = space.value(choices[k - 1].second, axis);
      const KnobValue& to = space.value(choices[k].second, axis);
      if (same_value(from, to)) continue;
      records::Flip flip;
      flip.knob = space.axes()[axis].name;
      flip.from = json_of(from);
      flip.to = json_of(to);
      flip.rate_per_s = std::sqrt(choices[k - 1].first * choices[k].first);
      out.push_back(std::move(flip));
    }
  }
  return out;
}

}  // namespace mlq::tune
