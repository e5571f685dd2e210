// Quantised weights. Bits by layer are exact means over the elements, of layers up to 4,095; tensors beyond
// some thousand are thinned (thinned.h); of measurements 400 rows are kept.
#include <cctype>
#include <cmath>
#include <map>
#include <optional>

#include "lib/plot/collector.h"
#include "lib/plot/quant_layer.h"
#include "lib/plot/thinned.h"
#include "lib/records/quant_schema.h"

namespace mlq::plot {
namespace {

constexpr size_t kMostRows = 400;
constexpr size_t kMostFormats = 16;

struct Bits {
  double bits = 0;
  double elems = 0;
};

class QuantCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void tensor(const records::Tensor& t);
  void draw_layers(const std::string& prefix, Picture& into) const;
  void draw_bench(const std::string& prefix, Picture& into) const;

  std::map<std::string, Thinned> errors_;  // by format
  std::map<uint64_t, Bits> layers_;
  std::vector<std::pair<std::string, double>> ratios_;
};

void QuantCollector::tensor(const records::Tensor& t) {
  if (!t.bits_per_weight || !t.format) return;
  if (t.snr_db && (errors_.contains(*t.format) || errors_.size() < kMostFormats))
    errors_[*t.format].add({*t.bits_per_weight, *t.snr_db});
  const std::optional<uint64_t> layer = layer_of(t.name);
  if (!layer || *layer >= 4'096) return;
  Bits& sum = layers_[*layer];
  sum.bits += *t.bits_per_weight * static_cast<double>(t.elems);
  sum.elems += static_cast<double>(t.elems);
}

bool QuantCollector::take(const records::Reader& at) {
  const std::string_view type = at.type();
  if (type == "tensor") {
    tensor(at.as<records::Tensor>());
  } else if (type == "plan") {
    const auto p = at.as<records::QuantPlan>();
    if (p.bits_per_weight && p.snr_db && (errors_.contains(p.format) || errors_.size() < kMostFormats))
      errors_[p.format].add({*p.bits_per_weight, *p.snr_db});
  } else if (type == "bench") {
    const auto b = at.as<records::QuantBench>();
    const std::string name =
        b.kernel + (b.format ? " " + *b.format : "") + " on " + b.device + " / " + b.baseline;
    if (ratios_.size() < kMostRows) ratios_.emplace_back(name, b.ratio);
  } else {
    return false;
  }
  return true;
}

void QuantCollector::draw_layers(const std::string& prefix, Picture& into) const {
  into.title = "Bits per weight, by layer";
  into.x = {.label = "layer"};
  into.y = {.label = "bits per weight", .from_zero = true};
  Curve curve{prefix + "bits per weight", Shape::steps, {}};
  for (const auto& [layer, sum] : layers_) {
    if (sum.elems > 0) curve.points.push_back({static_cast<double>(layer), sum.bits / sum.elems});
  }
  if (!curve.points.empty()) into.curves.push_back(std::move(curve));
}

void QuantCollector::draw_bench(const std::string& prefix, Picture& into) const {
  into.title = "Speed over the baseline's";
  into.x = {.label = "ratio", .from_zero = true};
  if (ratios_.empty()) return;
  Curve curve{prefix + "ratio", Shape::points, {}};
  for (const auto& [name, ratio] : ratios_)
    curve.points.push_back({ratio, static_cast<double>(into.row(name))});
  into.curves.push_back(std::move(curve));
}

void QuantCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "error") {
    into.title = "Signal to noise of each tensor, against its bits";
    into.x = {.label = "bits per weight"};
    into.y = {.label = "SNR (dB)"};
    for (const auto& [format, tensors] : errors_)
      into.curves.push_back({prefix + format, Shape::points, tensors.points()});
  }
  if (picture == "layers") draw_layers(prefix, into);
  if (picture == "bench") draw_bench(prefix, into);
}

}  // namespace

std::optional<uint64_t> layer_of(std::string_view name) {
  size_t begin = 0;
  while (begin <= name.size()) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (!part.empty() && part.size() <= 9 && part.find_first_not_of("0123456789") == std::string_view::npos) {
      uint64_t number = 0;
      for (const char digit : part) number = 10 * number + static_cast<uint64_t>(digit - '0');
      return number;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

Kind quant_kind() {
  return {"quant",
          "weights encoded or planned by mlq-quant, and its measurements",
          {"tensor", "plan", "bench"},
          {{"error", "signal to noise against bits per weight, a point a tensor"},
           {"layers", "bits per weight by layer"},
           {"bench", "speed of the kernels over their baseline (from bench)"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<QuantCollector>()); }};
}

}  // namespace mlq::plot
