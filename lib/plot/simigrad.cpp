// Gradient noise and batch sizes. Steps beyond some thousand are thinned (thinned.h).
#include <cmath>

#include "lib/plot/collector.h"
#include "lib/plot/thinned.h"
#include "lib/records/simigrad_schema.h"

namespace mlq::plot {
namespace {

class SimigradCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void estimate(const records::Estimate& e);
  void draw_similarity(const std::string& prefix, Picture& into) const;
  void draw_noise(const std::string& prefix, Picture& into) const;
  void draw_batch(const std::string& prefix, Picture& into) const;

  Thinned cos_, rho_, noise_, batch_, decided_, loss_, pareto_, segments_;
};

void SimigradCollector::estimate(const records::Estimate& e) {
  const double step = static_cast<double>(e.step);
  const auto value = [](const std::optional<double>& v) { return v.value_or(kNone); };
  cos_.add({step, value(e.cos)});
  rho_.add({step, value(e.rho), value(e.rho_lo), value(e.rho_hi)});
  noise_.add({step, value(e.b_simple_samples), value(e.b_simple_lo_samples), value(e.b_simple_hi_samples)});
}

bool SimigradCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "estimate") {
    estimate(at.as<records::Estimate>());
  } else if (type == "gram") {
    const auto g = at.as<records::Gram>();
    batch_.add({static_cast<double>(g.step), static_cast<double>(g.batch_samples)});
    loss_.add({static_cast<double>(g.step), g.loss.value_or(kNone)});
  } else if (type == "batch_size") {
    const auto b = at.as<records::BatchSize>();
    decided_.add({static_cast<double>(b.step + 1), static_cast<double>(b.batch_samples)});
  } else if (type == "schedule_segment") {
    const auto s = at.as<records::ScheduleSegment>();
    segments_.add({static_cast<double>(s.from_step), static_cast<double>(s.batch_samples)});
  } else if (type == "pareto") {
    const auto p = at.as<records::Pareto>();
    pareto_.add({static_cast<double>(p.steps), static_cast<double>(p.samples)});
  } else {
    return false;
  }
  return true;
}

void add(const Thinned& series, Shape shape, const std::string& label, Picture& into) {
  if (series.count() > 0) into.curves.push_back({label, shape, series.points()});
}

void SimigradCollector::draw_similarity(const std::string& prefix, Picture& into) const {
  into.title = "Similarity of the gradients of two halves";
  into.x = {.label = "step"};
  into.y = {.label = "cosine"};
  add(cos_, Shape::points, prefix + "this step", into);
  add(rho_, Shape::line, prefix + "smoothed", into);
}

void SimigradCollector::draw_noise(const std::string& prefix, Picture& into) const {
  into.title = "Gradient noise scale";
  into.x = {.label = "step"};
  into.y = {.label = "samples", .logarithmic = true};
  if (noise_.count() == 0) return;
  add(noise_, Shape::line, prefix + "noise scale", into);
  draw_batch(prefix, into);
  into.title = "Gradient noise scale";
}

void SimigradCollector::draw_batch(const std::string& prefix, Picture& into) const {
  into.title = "Batch size";
  into.x = {.label = "step"};
  into.y = {.label = "samples", .logarithmic = true};
  add(batch_, Shape::steps, prefix + "batch", into);
  add(decided_, Shape::steps, prefix + "decided", into);
  add(segments_, Shape::steps, prefix + "schedule", into);
}

void SimigradCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "similarity") draw_similarity(prefix, into);
  if (picture == "noise") draw_noise(prefix, into);
  if (picture == "batch") draw_batch(prefix, into);
  if (picture == "loss") {
    into.title = "Training loss";
    into.x = {.label = "step"};
    into.y = {.label = "loss"};
    add(loss_, Shape::line, prefix + "loss", into);
  }
  if (picture == "pareto") {
    into.title = "Steps and samples to the same progress";
    into.x = {.label = "steps"};
    into.y = {.label = "samples"};
    add(pareto_, Shape::points, prefix + "policies", into);
  }
}

}  // namespace

Kind simigrad_kind() {
  return {"simigrad",
          "gradient noise and batch sizes of mlq-simigrad",
          {"estimate", "gram", "batch_size", "schedule_segment", "pareto"},
          {{"noise", "noise scale with its interval, and the batch size"},
           {"similarity", "cosine of two halves, with its interval"},
           {"batch", "batch size: recorded, decided, scheduled"},
           {"loss", "training loss"},
           {"pareto", "steps against samples, a point a policy (from replay)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<SimigradCollector>()); }};
}

}  // namespace mlq::plot
