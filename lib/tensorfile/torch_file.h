// A file of torch.save (`.pt`, `.pth`): a zip archive with `data.pkl` and a stored entry `data/N` for each
// storage (PyTorch, torch/serialization.py and caffe2/serialize/inline_container.cc).
#pragma once

#include <vector>

#include "lib/tensorfile/byte_file.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

struct TorchFile {
  std::vector<TensorInfo> tensors;  // in the order of their places; shard 0
  uint64_t stored_bytes = 0;        // of the storages that they show
};

// Nothing of it is executed. Throws an input Error for what read_zip_directory and read_torch_pickle refuse,
// big-endian files, storages that are missing or too short, and tensors of one name.
TorchFile read_torch_file(const ByteFile& file);

}  // namespace mlq::tensorfile
