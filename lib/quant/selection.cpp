#include "lib/quant/selection.h"

#include <algorithm>

#include "lib/base/error.h"

namespace mlq::quant {
namespace {

std::vector<std::regex> compiled(const std::vector<std::string>& texts, std::string_view option) {
  std::vector<std::regex> result;
  for (const std::string& text : texts) {
    try {
      result.emplace_back(text);
    } catch (const std::regex_error& error) {
      throw usage_error("--{}: \"{}\" is no regular expression: {}", option, text, error.what());
    }
  }
  return result;
}

bool any_found(const std::vector<std::regex>& expressions, const std::string& name) {
  return std::any_of(expressions.begin(), expressions.end(),
                     [&](const std::regex& expression) { return std::regex_search(name, expression); });
}

}  // namespace

Selector::Selector(const Selection& selection, Container container, std::string_view config)
    : selection_(selection),
      container_(container),
      transposed_(is_folder_container(container) && has_transposed_weights(config)),
      include_(compiled(selection.include, "include")),
      exclude_(compiled(selection.exclude, "exclude")) {}

std::string Selector::why_not(const tensorfile::TensorInfo& tensor) const {
  if (!tensorfile::is_float_weight(tensor.dtype)) return "not a float";
  if (!include_.empty() && !any_found(include_, tensor.name)) return "not included";
  if (any_found(exclude_, tensor.name)) return "excluded";
  if (tensor.elems < selection_.min_elems || tensor.elems == 0) return "small";
  if (is_folder_container(container_) && tensor.shape.size() != 2) return "not a matrix";
  if (transposed_) return "kept by the container's loaders: the model's weights are transposed";
  if (tensor.shape.size() < 2 && !selection_.quantize_1d) return "one dimension";
  if (include_.empty() && is_kept_name(container_, tensor.name)) return "kept by the container's loaders";
  return {};
}

}  // namespace mlq::quant
