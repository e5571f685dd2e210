// What is done to each tensor for a patch. Internal to lib/patch.
#pragma once

#include <functional>
#include <memory>

#include "lib/patch/diff.h"
#include "lib/patch/model_files.h"
#include "lib/patch/patch_writer.h"
#include "lib/quant/schedule.h"

namespace mlq::patch {

// What the works of all tensors share. The members that are not const change in end(), one work after the
// other.
struct Diffing {
  const Model& base;
  const Model& next;
  const DiffOptions& options;
  const std::function<void(const TensorDiff&)>& report;
  PatchWriter& writer;
  PatchReport result = {};
  quant::ModelHash parent = {}, hash = {};
  quant::FramePacker packer = {};
  const Layout* state_layout = nullptr;  // with loss: of the state, and where it goes
  ModelFiles* state_files = nullptr;
  std::vector<size_t> to_rekey = {};  // tensors of `next` whose loss is too large

  void finished(const TensorDiff& tensor) {
    result.elems += tensor.elems;
    result.words += tensor.words;
    result.changed += tensor.changed;
    if (tensor.codec != name_of(PieceCodec::unchanged)) result.changed_tensors += 1;
    if (report) report(tensor);
  }
  // Bytes of the state of a tensor of `next`, if there is one.
  void write_state(size_t tensor, uint64_t offset, std::span<const std::byte> bytes) const {
    if (state_files != nullptr)
      state_files->write(*state_layout->find(next.layout().tensors[tensor].name), offset, bytes);
  }
  void progress(uint64_t bytes) const {
    if (options.resources.progress) options.resources.progress(bytes);
  }
};

// A tensor that both have, of one type and shape.
std::unique_ptr<quant::Work> comparing_work(Diffing& diffing, size_t base, size_t next);
// A tensor of the new model that goes into the patch as it is.
std::unique_ptr<quant::Work> new_work(Diffing& diffing, size_t next);
// A tensor of the old model whose hash alone is wanted. `removed`: the new model has none of its name.
std::unique_ptr<quant::Work> old_work(Diffing& diffing, size_t base, bool removed);
// A tensor that goes with loss: from that of the base, of the same shape and any type of float, or as a key
// frame. Where the first makes too large an error, it goes onto the list of those to be done again.
std::unique_ptr<quant::Work> lossy_work(Diffing& diffing, size_t base, size_t next);
std::unique_ptr<quant::Work> key_work(Diffing& diffing, size_t next);

}  // namespace mlq::patch
