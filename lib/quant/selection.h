// Which tensors of a model are quantized; the others stay as they are.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/quant/container.h"
#include "lib/tensorfile/names.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::quant {

struct Selection {
  std::vector<std::string>
      include;  // regular expressions (ECMAScript), found anywhere in the name; none: all
  std::vector<std::string> exclude;
  uint64_t min_elems = 4096;
  bool quantize_1d = false;
};

// Compiled once; thread-safe. A usage Error for what is no regular expression.
class Selector {
 public:
  // `config` is the model's config.json, for folder containers.
  Selector(const Selection& selection, Container container, std::string_view config = {});
  // Empty if the tensor is to be quantized, else the reason why not: "not a float", "1-d", "small",
  // "excluded". An input Error for a name too long for regular expressions.
  std::string why_not(const tensorfile::TensorInfo& tensor) const;

 private:
  Selection selection_;
  Container container_;
  bool transposed_;  // all matrices
  tensorfile::Names include_, exclude_;
};

}  // namespace mlq::quant
