#include "lib/gather/output.h"

#include "kernels/cast.h"
#include "lib/quant/tensor_meta.h"
#include "lib/tensorfile/sink.h"

namespace mlq::gather {

void write_gathered(Gather& gather, Float state, const std::string& path) {
  constexpr uint64_t kElems = uint64_t{1} << 20;  // at a time
  std::vector<tensorfile::Declaration> declared;
  for (const JointTensor& tensor : gather.tensors())
    declared.push_back({tensor.info.name, tensor.info.dtype, tensor.info.shape, {}});
  tensorfile::SafetensorsSink sink(path, std::move(declared), {});
  std::vector<std::byte> values;
  for (size_t t = 0; t < gather.tensors().size(); ++t) {
    const JointTensor& tensor = gather.tensors()[t];
    const auto held = gather.held(t);
    if (!tensor.quantised) {
      if (!held.empty()) sink.write(t, 0, held);
      continue;
    }
    const Float type = *quant::source_float(tensor.info.dtype);
    for (uint64_t first = 0; first < tensor.info.elems; first += kElems) {
      const uint64_t count = std::min(kElems, tensor.info.elems - first);
      values.resize(count * size_of(type));
      uint64_t saturated = 0;  // the weights were of this type
      kernels::cast_simd(count, state, held.data() + first * size_of(state), type, values.data(), &saturated);
      sink.write(t, first * size_of(type), values);
    }
  }
  sink.finish();
}

}  // namespace mlq::gather
