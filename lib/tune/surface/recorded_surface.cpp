// Surfaces from `surface` records.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/records/tune_schema.h"
#include "lib/tune/space/changed_point.h"
#include "lib/tune/surface/surface.h"

namespace mlq::tune {
namespace {

using records::WindowFigures;
using records::WindowStats;

constexpr int64_t kUnknownWindowNs = 3'000'000'000;

struct Row {
  size_t level = 0;
  Config config;
  WindowStats window;
  std::optional<int64_t> apply_ns;
};

struct Recording {
  std::string name;
  std::vector<Level> levels;
  std::vector<Row> rows;
};

WindowStats window_of_row(const records::SurfaceRow& row) {
  WindowStats window;
  static_cast<WindowFigures&>(window) = row;
  window.outcome = row.outcome.value_or("ok");
  window.window_ns = row.window_ns.value_or(kUnknownWindowNs);
  window.requests = row.requests.value_or(0);
  window.ok = window.requests;
  return window;
}

size_t level_index(Recording& recording, const records::SurfaceRow& row) {
  for (size_t k = 0; k < recording.levels.size(); ++k)
    if (recording.levels[k].name == row.level) return k;
  Level level;
  level.name = row.level;
  level.rate_per_s = row.rate_per_s.value_or(0);
  level.bursty = row.level.ends_with("c1");
  recording.levels.push_back(std::move(level));
  return recording.levels.size() - 1;
}

void take(const records::SurfaceRow& row, const std::string& where, std::vector<Recording>& recordings) {
  if (row.outcome == "void") return;
  auto it = std::find_if(recordings.begin(), recordings.end(),
                         [&](const Recording& r) { return r.name == row.surface; });
  if (it == recordings.end()) it = recordings.insert(it, Recording{row.surface, {}, {}});
  Row taken{level_index(*it, row), parse_config(row.config.text, where), window_of_row(row), row.apply_ns};
  if (taken.window.outcome == "ok" && !taken.window.latency_mean_ns && !taken.window.cpu_ns_per_request &&
      !taken.window.latency_p50_ns && !taken.window.latency_p95_ns && !taken.window.latency_p99_ns)
    throw input_error("{}: the row has neither a latency nor CPU time", where);
  if (!it->rows.empty()) {
    const Config& first = it->rows.front().config;
    const bool same = first.size() == taken.config.size() &&
                      std::equal(first.begin(), first.end(), taken.config.begin(),
                                 [](const auto& a, const auto& b) { return a.first == b.first; });
    if (!same)
      throw input_error("{}: the knobs are not those of the surface's first row, {}, in that order", where,
                        config_json(first));
  }
  it->rows.push_back(std::move(taken));
}

double number(const KnobValue& value) {
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  return std::get<double>(value);
}

bool is_number(const KnobValue& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

// An axis of the values that occur.
Axis occurring_axis(const Recording& recording, size_t knob) {
  Axis axis;
  axis.name = recording.rows.front().config[knob].first;
  axis.type = KnobType::list;
  for (const Row& row : recording.rows) {
    const KnobValue& value = row.config[knob].second;
    const bool known = std::any_of(axis.values.begin(), axis.values.end(),
                                   [&](const KnobValue& v) { return same_value(v, value); });
    if (!known) axis.values.push_back(value);
  }
  const auto all = [&](auto test) { return std::all_of(axis.values.begin(), axis.values.end(), test); };
  if (all(is_number)) {
    std::sort(axis.values.begin(), axis.values.end(),
              [](const KnobValue& a, const KnobValue& b) { return number(a) < number(b); });
  } else if (all([](const KnobValue& v) { return std::holds_alternative<bool>(v); })) {
    axis.type = KnobType::boolean;
    std::sort(axis.values.begin(), axis.values.end());
  } else if (all([](const KnobValue& v) { return std::holds_alternative<std::string>(v); })) {
    axis.ordered = false;
  } else {
    throw input_error("surface {}: the values of knob \"{}\" are of several types", recording.name,
                      axis.name);
  }
  return axis;
}

std::shared_ptr<const Space> occurring_space(const Recording& recording) {
  std::vector<Axis> axes;
  for (size_t k = 0; k < recording.rows.front().config.size(); ++k)
    axes.push_back(occurring_axis(recording, k));
  return std::make_shared<const Space>(std::move(axes), std::vector<DerivedKnob>(),
                                       std::vector<Expression>());
}

constexpr std::optional<int64_t> WindowFigures::*kTimes[] = {
    &WindowFigures::latency_mean_ns, &WindowFigures::latency_p50_ns, &WindowFigures::latency_p95_ns,
    &WindowFigures::latency_p99_ns, &WindowFigures::cpu_ns_per_request};

// Geometric means of times, means of shares and rates; what a repeat lacks, the truth lacks.
WindowStats mean_of(const std::vector<WindowStats>& repeats) {
  WindowStats mean;
  std::vector<const WindowStats*> good;
  for (const WindowStats& window : repeats)
    if (window.outcome == "ok") good.push_back(&window);
  if (good.empty()) return repeats.front();
  mean = *good.front();
  const double count = static_cast<double>(good.size());
  for (const auto field : kTimes) {
    double sum = 0;
    bool known = true;
    for (const WindowStats* window : good) {
      const std::optional<int64_t>& value = window->*field;
      known = known && value && *value > 0;
      if (known) sum += fmath::log(static_cast<double>(*value));
    }
    mean.*field = std::nullopt;
    if (known) mean.*field = static_cast<int64_t>(fmath::exp(sum / count) + 0.5);
  }
  for (const auto field : {&WindowFigures::attain, &WindowFigures::done_per_s, &WindowFigures::good_per_s}) {
    double sum = 0;
    bool known = true;
    for (const WindowStats* window : good) {
      known = known && (window->*field).has_value();
      sum += (window->*field).value_or(0);
    }
    mean.*field = std::nullopt;
    if (known) mean.*field = sum / count;
  }
  return mean;
}

struct Cell {
  std::vector<WindowStats> repeats;
  WindowStats mean;
};

// Standard deviation of ln latency within points.
double spread(const std::vector<std::map<PointId, Cell>>& cells) {
  double squares = 0;
  size_t freedom = 0;
  for (const auto& level : cells) {
    for (const auto& [point, cell] : level) {
      std::vector<double> ys;
      for (const WindowStats& window : cell.repeats)
        if (window.outcome == "ok" && window.latency_mean_ns.value_or(0) > 0)
          ys.push_back(fmath::log(static_cast<double>(*window.latency_mean_ns)));
      if (ys.size() < 2) continue;
      double mean = 0;
      for (const double y : ys) mean += y / static_cast<double>(ys.size());
      for (const double y : ys) squares += (y - mean) * (y - mean);
      freedom += ys.size() - 1;
    }
  }
  return freedom == 0 ? 0 : std::sqrt(squares / static_cast<double>(freedom));
}

class RecordedSurface : public Surface {
 public:
  RecordedSurface(Recording recording, const SurfaceOptions& options)
      : name_(std::move(recording.name)),
        space_(options.space ? options.space : occurring_space(recording)),
        levels_(std::move(recording.levels)),
        missing_(options.missing),
        cells_(levels_.size()) {
    double apply = 0;
    size_t applies = 0;
    for (Row& row : recording.rows) {
      const auto point = space_->find(row.config);
      if (!point) continue;
      cells_[row.level][*point].repeats.push_back(std::move(row.window));
      if (row.apply_ns) apply += static_cast<double>(*row.apply_ns), ++applies;
    }
    if (applies != 0) apply_ns_ = static_cast<int64_t>(apply / static_cast<double>(applies) + 0.5);
    for (size_t k = 0; k < levels_.size(); ++k) {
      if (cells_[k].empty())
        throw input_error("surface {}: no row of level {} is a point of the space", name_, levels_[k].name);
      for (auto& [point, cell] : cells_[k]) cell.mean = mean_of(cell.repeats);
    }
    if (options.sigma || options.recorded_sigma || options.spikes)
      noise_ = SurfaceNoise{options.recorded_sigma ? spread(cells_) : options.sigma.value_or(0),
                            options.spikes.value_or(0)};
    start_ = options.start ? changed_point(*space_, space_->middle(), *options.start, "--start")
                           : space_->middle();
  }

  const std::string& name() const override { return name_; }
  const Space& space() const override { return *space_; }
  std::span<const Level> levels() const override { return levels_; }
  PointId start() const override { return start_; }
  void prepare(unsigned, const StopFlag&) const override {}
  int64_t apply_ns(PointId from, PointId to) const override {
    if (from == to) return 0;
    return apply_ns_ ? *apply_ns_ : static_cast<int64_t>(apply_seconds(space_->apply_class(from, to)) * 1e9);
  }

  WindowStats truth(LevelId level, PointId point) const override {
    const Cell* cell = find(level, point);
    return cell == nullptr ? refused() : cell->mean;
  }

  WindowStats sample(LevelId level, PointId point, Draws draws) const override {
    const Cell* cell = find(level, point);
    if (cell == nullptr) return refused();
    if (!noise_) return cell->repeats[draws.below(cell->repeats.size())];
    WindowStats window = cell->mean;
    if (window.outcome == "ok") add_noise(window, *noise_, draws);
    return window;
  }

 private:
  static WindowStats refused() {
    WindowStats window;
    window.outcome = "failed";
    window.note = "the surface has no such point";
    return window;
  }

  const Cell* find(LevelId level, PointId point) const {
    const auto& cells = cells_[level];
    const auto it = cells.find(point);
    if (it != cells.end()) return &it->second;
    return missing_ == MissingPoint::refuse ? nullptr : nearest(cells, point);
  }

  const Cell* nearest(const std::map<PointId, Cell>& cells, PointId point) const {
    std::vector<double> wanted(space_->dims()), x(space_->dims());
    space_->encode(point, wanted);
    const Cell* best = nullptr;
    double least = 0;
    for (const auto& [other, cell] : cells) {
      space_->encode(other, x);
      double distance = 0;
      for (size_t k = 0; k < x.size(); ++k) distance += (x[k] - wanted[k]) * (x[k] - wanted[k]);
      if (best != nullptr && distance >= least) continue;
      best = &cell;
      least = distance;
    }
    return best;
  }

  std::string name_;
  std::shared_ptr<const Space> space_;
  std::vector<Level> levels_;
  MissingPoint missing_;
  std::vector<std::map<PointId, Cell>> cells_;  // by level
  std::optional<SurfaceNoise> noise_;
  std::optional<int64_t> apply_ns_;
  PointId start_ = 0;
};

}  // namespace

std::vector<std::shared_ptr<const Surface>> read_surfaces(records::Reader& reader,
                                                          const SurfaceOptions& options) {
  std::vector<Recording> recordings;
  while (reader.next()) {
    if (reader.type() == "surface")
      take(reader.as<records::SurfaceRow>(), reader.where(), recordings);
    else
      reader.pass_over();
  }
  if (recordings.empty())
    throw input_error("{}: holds no surface record; mlq-tune sweep and mlq-tune simulate --rows write them",
                      reader.name());
  std::vector<std::shared_ptr<const Surface>> surfaces;
  for (Recording& recording : recordings)
    surfaces.push_back(std::make_shared<RecordedSurface>(std::move(recording), options));
  return surfaces;
}

}  // namespace mlq::tune
