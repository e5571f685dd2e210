// Patches between checkpoints, and chains of them. Links and patches beyond some thousand are thinned
// (thinned.h); sizes and shares are exact (tensors.h).
#include "lib/plot/collector.h"
#include "lib/plot/tensors.h"
#include "lib/plot/thinned.h"
#include "lib/records/quant_schema.h"

namespace mlq::plot {
namespace {

class PatchCollector final : public Collector {
 public:
  bool take(const records::Reader& at) override;
  void draw(std::string_view picture, const std::string& prefix, Picture& into) const override;

 private:
  void patch(const records::Patch& p);
  void link(const records::ChainLink& l);

  Thinned whole_, patches_, damaged_;
  FamilySums tensors_;
  LayerMeans changed_;
  uint64_t count_ = 0;  // of patches
};

// By its step, or else its place in the stream.
void PatchCollector::patch(const records::Patch& p) {
  const double step = static_cast<double>(p.step.value_or(++count_));
  patches_.add({step, static_cast<double>(p.out_bytes)});
  whole_.add({step, static_cast<double>(p.in_bytes)});
}

void PatchCollector::link(const records::ChainLink& l) {
  const Point point{static_cast<double>(l.step), static_cast<double>(l.size_bytes)};
  (l.kind == "anchor" ? whole_ : patches_).add(point);
  if (!l.ok.value_or(true)) damaged_.add(point);
}

bool PatchCollector::take(const records::Reader& at) {
  if (at.type() == "patch") {
    patch(at.as<records::Patch>());
  } else if (at.type() == "link") {
    link(at.as<records::ChainLink>());
  } else {
    const auto d = at.as<records::TensorDelta>();
    tensors_.add(d.name, static_cast<double>(d.size_bytes));
    if (d.changed_share) changed_.add(d.name, *d.changed_share, static_cast<double>(d.elems));
  }
  return true;
}

void PatchCollector::draw(std::string_view picture, const std::string& prefix, Picture& into) const {
  if (picture == "size") {
    into.title = "Size of patches, and of whole models";
    into.x = {.label = "step"};
    into.y = {.label = "size", .quantity = Quantity::bytes, .logarithmic = true};
    add_series(whole_, Shape::points, prefix + "whole model", into);
    add_series(patches_, Shape::points, prefix + "patch", into);
    add_series(damaged_, Shape::points, prefix + "not as stated", into);
  }
  if (picture == "tensors") {
    into.title = "What the patch stores of each tensor, all layers together";
    into.x = {.label = "size", .quantity = Quantity::bytes, .logarithmic = true};
    tensors_.draw(prefix + "patch", 1, into);
  }
  if (picture == "changed") {
    into.title = "Share of the values that changed, by layer";
    into.x = {.label = "layer"};
    into.y = {.label = "changed", .quantity = Quantity::share, .from_zero = true};
    changed_.draw(prefix + "changed", into);
  }
}

}  // namespace

Kind patch_kind() {
  return {"patch",
          "patches of mlq-quant diff, and chains of them",
          {"delta", "patch", "link"},
          {{"size", "size of each patch, and of the whole model, over steps"},
           {"changed", "share of the values that changed, by layer"},
           {"tensors", "what a patch stores of each tensor"}},
          [] { return std::unique_ptr<Collector>(std::make_unique<PatchCollector>()); }};
}

}  // namespace mlq::plot
