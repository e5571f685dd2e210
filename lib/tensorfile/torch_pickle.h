// The pickle in a file of torch.save: which tensors there are, and where in which storage each lies. A small
// part of Python's pickle protocol 2 (CPython, Lib/pickletools.py), read as data: nothing is looked up,
// called or made but what is listed here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tensorfile/tensor.h"

namespace mlq::tensorfile {

constexpr uint64_t kLargestPickle = 256'000'000;  // bytes
constexpr size_t kDeepestPickle = 64;             // containers in containers
constexpr size_t kMostPickleObjects = 4'000'000;

// A tensor as a view of a storage.
struct TorchTensor {
  TensorInfo info;                // file_offset is from the beginning of its storage
  std::vector<uint64_t> strides;  // in elements
  std::string storage;            // its key, the name of an entry of the archive
  uint64_t storage_elems = 0;     // of the tensor's type
};

// The tensors of a pickle, in its order. Dictionaries, lists and tuples may hold them; a tensor is named by
// its keys and indices, joined by dots (`layer.0.weight`), `tensor` if it is all there is. Other values are
// passed over. Read are the opcodes that torch.save writes at protocol 2, and of Python's names
// torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter, torch.Size, torch.*Storage,
// collections.OrderedDict and collections.defaultdict. Throws an input Error that begins with `file` and has
// the byte for anything else, for damage, for what is too deep or too much, and for a view that reaches
// beyond its storage or has more elements than it.
std::vector<TorchTensor> read_torch_pickle(std::string_view file, std::string_view pickle);

}  // namespace mlq::tensorfile
