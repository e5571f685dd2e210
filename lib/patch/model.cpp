#include "lib/patch/model.h"

namespace mlq::patch {

void SourceModel::read(size_t tensor, uint64_t piece, quant::Worker&, std::vector<std::byte>& out) const {
  const quant::Range range = piece_range(layout_.tensors[tensor], piece);
  out.resize(range.count);
  source_.read(tensor, range.first, out);
}

}  // namespace mlq::patch
