// What the shards of all ranks are together: tensors, and who owns which part of each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/tensorfile/source.h"

namespace mlq::gather {

// A tensor as a rank's own file has it.
struct ShardTensor {
  std::string name;
  tensorfile::Dtype dtype = tensorfile::Dtype::f32;
  std::vector<uint64_t> shape;
  bool operator==(const ShardTensor&) const = default;
};
using ShardList = std::vector<ShardTensor>;

ShardList list_of(const tensorfile::Source& source);
// As bytes for the other ranks, and back; an input Error, beginning with `where`, for what is no list.
// Nothing is allocated by a size that the bytes state.
std::vector<std::byte> list_bytes(const ShardList& list);
ShardList parse_list(std::span<const std::byte> bytes, std::string_view where);

// Elements of a tensor that a rank owns, and where its own file has them.
struct Share {
  unsigned rank = 0;
  uint64_t first = 0, count = 0;  // elements of the tensor
  size_t local = 0;               // which tensor of the rank's list
  uint64_t local_first = 0;       // element of it
  bool operator==(const Share&) const = default;
};

struct JointTensor {
  tensorfile::TensorInfo info;  // name, dtype, shape, elems, size_bytes of the whole
  bool quantised = false;       // else it travels as it is
  std::vector<Share> shares;    // in the order of their elements; together all of them
};

// joined: a tensor of one rank is its own, one of all ranks is joined along its first dimension. sliced: all
// ranks have the same files, and each takes its part. flat: each rank has one tensor; end to end (the rest of
// the last may be padding) they are the elements of the tensors of `like`.
enum class Joining : uint8_t { joined, sliced, flat };

// In the order of rank 0's list, then of the others'; of `like` for flat. Quantised tensors of sliced are cut
// between blocks. `quantises` says which tensors are. An input Error for what cannot be joined.
std::vector<JointTensor> join_shards(Joining joining, const std::vector<ShardList>& ranks,
                                     const ShardList& like, uint64_t block,
                                     const std::function<bool(const tensorfile::TensorInfo&)>& quantises);

}  // namespace mlq::gather
