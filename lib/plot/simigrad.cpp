// Gradient noise and batch sizes. Steps beyond some thousand are thinned (thinned.h); norms by tensor are
// exact (tensors.h).

#include "lib/plot/collector.h"
#include "lib/plot/tensors.h"
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

  void dump(const records::Dump& d);

  Thinned cos_, rho_, noise_, batch_, decided_, loss_, pareto_, dominated_, segments_;
  FamilySums norms_;
  Thinned dumps_;  // without those of the last step
  Point dumped_{kNone, 0};
};

void SimigradCollector::estimate(const records::Estimate& e) {
  const double step = static_cast<double>(e.step);
  const auto value = [](const std::optional<double>& v) { return v.value_or(kNone); };
  cos_.add({step, value(e.cos)});
  rho_.add({step, value(e.rho), value(e.rho_lo), value(e.rho_hi)});
  noise_.add({step, value(e.b_simple_samples), value(e.b_simple_lo_samples), value(e.b_simple_hi_samples)});
}

// Squared norm of the mean of the groups' gradients: as it is given, or the mean of the whole matrix of inner
// products, of which there is the lower triangle by rows.
std::optional<double> mean_norm_sq(const records::GramSums& g) {
  if (g.mean_norm_sq || !g.gram) return g.mean_norm_sq;
  double sum = 0;
  size_t row = 0, column = 0;
  for (const double product : *g.gram) {
    sum += column == row ? product : 2 * product;
    if (column++ == row) {
      ++row;
      column = 0;
    }
  }
  if (row == 0 || column != 0) return std::nullopt;
  return sum / static_cast<double>(row * row);
}

// Files of a step follow each other.
void SimigradCollector::dump(const records::Dump& d) {
  const double step = static_cast<double>(d.step);
  if (step != dumped_.x) {
    dumps_.add(dumped_);
    dumped_ = {step, 0};
  }
  dumped_.y += static_cast<double>(d.size_bytes.value_or(0));
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
    (p.dominated ? dominated_ : pareto_).add({static_cast<double>(p.steps), static_cast<double>(p.samples)});
  } else if (type == "gram_tensor") {
    const auto g = at.as<records::GramTensor>();
    if (const std::optional<double> norm_sq = mean_norm_sq(g)) norms_.add(g.tensor, *norm_sq);
  } else if (type == "dump") {
    dump(at.as<records::Dump>());
  } else {
    return false;
  }
  return true;
}

void SimigradCollector::draw_similarity(const std::string& prefix, Picture& into) const {
  into.title = "Similarity of the gradients of two halves";
  into.x = {.label = "step"};
  into.y = {.label = "cosine"};
  add_series(cos_, Shape::points, prefix + "this step", into);
  add_series(rho_, Shape::line, prefix + "smoothed", into);
}

void SimigradCollector::draw_noise(const std::string& prefix, Picture& into) const {
  into.title = "Gradient noise scale";
  into.x = {.label = "step"};
  into.y = {.label = "samples", .logarithmic = true};
  if (noise_.count() == 0) return;
  add_series(noise_, Shape::line, prefix + "noise scale", into);
  draw_batch(prefix, into);
  into.title = "Gradient noise scale";
}

void SimigradCollector::draw_batch(const std::string& prefix, Picture& into) const {
  into.title = "Batch size";
  into.x = {.label = "step"};
  into.y = {.label = "samples", .logarithmic = true};
  add_series(batch_, Shape::steps, prefix + "batch", into);
  add_series(decided_, Shape::steps, prefix + "decided", into);
  add_series(segments_, Shape::steps, prefix + "schedule", into);
}

void SimigradCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "similarity") draw_similarity(prefix, into);
  if (picture == "noise") draw_noise(prefix, into);
  if (picture == "batch") draw_batch(prefix, into);
  if (picture == "loss") {
    into.title = "Training loss";
    into.x = {.label = "step"};
    into.y = {.label = "loss"};
    add_series(loss_, Shape::line, prefix + "loss", into);
  }
  if (picture == "pareto") {
    into.title = "Steps and samples to the same progress";
    into.x = {.label = "steps"};
    into.y = {.label = "samples"};
    add_series(pareto_, Shape::points, prefix + "policies", into);
    add_series(dominated_, Shape::points, prefix + "dominated", into);
  }
  if (picture == "tensors") {
    into.title = "Share of the squared norm of the gradient, all layers together";
    into.x = {.label = "share", .quantity = Quantity::share, .from_zero = true};
    if (norms_.total() > 0) norms_.draw(prefix + "share", 1 / norms_.total(), into);
  }
  if (picture == "dumps") {
    into.title = "Size of the gradients of each step";
    into.x = {.label = "step"};
    into.y = {.label = "size", .quantity = Quantity::bytes, .from_zero = true};
    Thinned all = dumps_;
    all.add(dumped_);
    add_series(all, Shape::points, prefix + "gradients", into);
  }
}

}  // namespace

Kind simigrad_kind() {
  return {"simigrad",
          "gradient noise and batch sizes of mlq-simigrad",
          {"estimate", "gram", "batch_size", "schedule_segment", "pareto", "gram_tensor", "dump"},
          {{"noise", "noise scale with its interval, and the batch size"},
           {"similarity", "cosine of two halves, with its interval"},
           {"batch", "batch size: recorded, decided, scheduled"},
           {"loss", "training loss"},
           {"pareto", "steps against samples, a point a policy (from replay)"},
           {"tensors", "share of the gradient's squared norm, by tensor (from --per tensor)"},
           {"dumps", "size of the gradients of each step (from inspect)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<SimigradCollector>()); }};
}

}  // namespace mlq::plot
