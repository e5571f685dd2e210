#include "lib/plot/collector.h"

namespace mlq::plot {

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {trace_kind(),    replay_kind(), tune_kind(),
                                        simigrad_kind(), quant_kind(),  serve_kind()};
  return all;
}

const Kind* kind_named(std::string_view name) {
  for (const Kind& kind : kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace mlq::plot
