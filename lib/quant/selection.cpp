#include "lib/quant/selection.h"

namespace mlq::quant {

Selector::Selector(const Selection& selection, Container container, std::string_view config)
    : selection_(selection),
      container_(container),
      transposed_(is_folder_container(container) && has_transposed_weights(config)),
      include_("include", selection.include),
      exclude_("exclude", selection.exclude) {}

std::string Selector::why_not(const tensorfile::TensorInfo& tensor) const {
  if (!tensorfile::is_float_weight(tensor.dtype)) return "not a float";
  if (!include_.empty() && !include_.has(tensor.name)) return "not included";
  if (exclude_.has(tensor.name)) return "excluded";
  if (tensor.elems < selection_.min_elems || tensor.elems == 0) return "small";
  if (is_folder_container(container_) && tensor.shape.size() != 2) return "not a matrix";
  if (transposed_) return "kept by the container's loaders: the model's weights are transposed";
  if (tensor.shape.size() < 2 && !selection_.quantize_1d) return "one dimension";
  if (include_.empty() && is_kept_name(container_, tensor.name)) return "kept by the container's loaders";
  return {};
}

}  // namespace mlq::quant
