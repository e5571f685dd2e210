// Quantised weights. Bits by layer and sizes are exact (tensors.h); tensors beyond some thousand are thinned
// (thinned.h); of measurements 400 rows are kept.
#include <map>
#include <optional>

#include "lib/plot/collector.h"
#include "lib/plot/rows.h"
#include "lib/plot/tensors.h"
#include "lib/plot/thinned.h"
#include "lib/records/quant_schema.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostFormats = 16;

class QuantCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  bool tensor(const records::Tensor& t);
  void error(const std::string& format, double bits, double snr_db);
  bool bench(const records::Reader& at);

  std::map<std::string, Thinned> errors_;  // by format
  LayerMeans layers_;
  FamilySums sizes_, stored_;
  Thinned tails_, importance_, models_;
  Rows ratios_;
};

void QuantCollector::error(const std::string& format, double bits, double snr_db) {
  if (errors_.contains(format) || errors_.size() < kMostFormats) errors_[format].add({bits, snr_db});
}

bool QuantCollector::tensor(const records::Tensor& t) {
  sizes_.add(t.name, static_cast<double>(t.size_bytes));
  if (t.out_bytes) stored_.add(t.name, static_cast<double>(*t.out_bytes));
  if (!t.bits_per_weight || !t.format) return true;
  if (t.snr_db) error(*t.format + (t.ok.value_or(true) ? "" : " not ok"), *t.bits_per_weight, *t.snr_db);
  layers_.add(t.name, *t.bits_per_weight, static_cast<double>(t.elems));
  return true;
}

// Those of other programs, with a name in place of a kernel, are another kind's (bench.cpp).
bool QuantCollector::bench(const records::Reader& at) {
  const auto members = at.members();
  if (std::none_of(members.begin(), members.end(), [](const auto& m) { return m.key == "kernel"; }))
    return false;
  const auto b = at.as<records::QuantBench>();
  ratios_.add(b.kernel + (b.format ? " " + *b.format : "") + " on " + b.device + " / " + b.baseline,
              {b.ratio, 0});
  return true;
}

bool QuantCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "tensor") return tensor(at.as<records::Tensor>());
  if (type == "bench") return bench(at);
  if (type == "plan") {
    const auto p = at.as<records::QuantPlan>();
    if (p.bits_per_weight && p.snr_db) error(p.format, *p.bits_per_weight, *p.snr_db);
  } else if (type == "stats") {
    const auto s = at.as<records::TensorStat>();
    tails_.add({s.kurtosis, s.absmax_over_rms});
  } else if (type == "importance") {
    importance_.add({static_cast<double>(importance_.count()), at.as<records::Importance>().weight});
  } else if (type == "quant_summary") {
    const auto s = at.as<records::QuantSummary>();
    models_.add({s.bits_per_weight, s.snr_db.value_or(kNone)});
  } else {
    return false;
  }
  return true;
}

void QuantCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "error" || picture == "model") {
    into.title = picture == "model" ? "Signal to noise of the model, against its bits"
                                    : "Signal to noise of each tensor, against its bits";
    into.x = {.label = "bits per weight"};
    into.y = {.label = "SNR (dB)"};
  }
  if (picture == "model") add_series(models_, Shape::points, prefix + "model", into);
  if (picture == "error") {
    for (const auto& [format, tensors] : errors_) add_series(tensors, Shape::points, prefix + format, into);
  }
  if (picture == "layers") {
    into.title = "Bits per weight, by layer";
    into.x = {.label = "layer"};
    into.y = {.label = "bits per weight", .from_zero = true};
    layers_.draw(prefix + "bits per weight", into);
  }
  if (picture == "sizes") {
    into.title = "Size of the tensors, all layers together";
    into.x = {.label = "size", .quantity = Quantity::bytes, .logarithmic = true};
    sizes_.draw(prefix + "as they are", 1, into);
    stored_.draw(prefix + "as stored", 1, into);
  }
  if (picture == "tails") {
    into.title = "Tails of each tensor: largest magnitude over RMS, against kurtosis";
    into.x = {.label = "kurtosis, 3 if normal", .logarithmic = true};
    into.y = {.label = "absmax / RMS", .logarithmic = true};
    add_series(tails_, Shape::points, prefix + "tensors", into);
  }
  if (picture == "importance") {
    into.title = "What errors of a tensor count";
    into.x = {.label = "tensor, as they come"};
    into.y = {.label = "weight", .logarithmic = true};
    add_series(importance_, Shape::points, prefix + "tensors", into);
  }
  if (picture == "bench") {
    into.title = "Speed over the baseline's";
    into.x = {.label = "ratio", .from_zero = true};
    ratios_.draw(prefix + "ratio", into);
  }
}

}  // namespace

Kind quant_kind() {
  return {"quant",
          "weights described, encoded, verified or planned by mlq-quant, and its measurements",
          {"tensor", "plan", "bench", "stats", "importance", "quant_summary"},
          {{"error", "signal to noise against bits per weight, a point a tensor"},
           {"layers", "bits per weight by layer"},
           {"model", "signal to noise against bits per weight of whole models"},
           {"sizes", "size of the tensors, as they are and as stored"},
           {"tails", "largest magnitude over RMS against kurtosis, a point a tensor (from inspect --stats)"},
           {"importance", "what errors of each tensor count, for a plan"},
           {"bench", "speed of the kernels over their baseline (from bench)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<QuantCollector>()); }};
}

}  // namespace mlq::plot
