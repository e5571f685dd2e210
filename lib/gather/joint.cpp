#include "lib/gather/joint.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "lib/base/error.h"

namespace mlq::gather {

using tensorfile::Dtype;
using tensorfile::in_quotes;
using tensorfile::make_tensor;

ShardList list_of(const tensorfile::Source& source) {
  ShardList list;
  for (const auto& info : source.tensors()) list.push_back({info.name, info.dtype, info.shape});
  return list;
}

namespace {

template <class T>
void put(std::vector<std::byte>& out, T value) {
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), first, first + sizeof value);
}

class ListReader {
 public:
  ListReader(std::span<const std::byte> bytes, std::string_view where) : left_(bytes), where_(where) {}
  bool at_end() const { return left_.empty(); }
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, bytes(sizeof value).data(), sizeof value);
    return value;
  }
  std::span<const std::byte> bytes(uint64_t size) {
    if (size > left_.size()) throw input_error("{}: its list of tensors is cut", where_);
    const auto out = left_.first(size);
    left_ = left_.subspan(size);
    return out;
  }

 private:
  std::span<const std::byte> left_;
  std::string_view where_;
};

}  // namespace

std::vector<std::byte> list_bytes(const ShardList& list) {
  std::vector<std::byte> out;
  for (const ShardTensor& tensor : list) {
    put(out, static_cast<uint32_t>(tensor.name.size()));
    const auto* name = reinterpret_cast<const std::byte*>(tensor.name.data());
    out.insert(out.end(), name, name + tensor.name.size());
    put(out, static_cast<uint8_t>(tensor.dtype));
    put(out, static_cast<uint32_t>(tensor.shape.size()));
    for (const uint64_t extent : tensor.shape) put(out, extent);
  }
  return out;
}

ShardList parse_list(std::span<const std::byte> bytes, std::string_view where) {
  ShardList list;
  ListReader reader(bytes, where);
  while (!reader.at_end()) {
    ShardTensor tensor;
    const auto name = reader.bytes(reader.take<uint32_t>());
    tensor.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
    const auto dtype = reader.take<uint8_t>();
    if (dtype >= tensorfile::kDtypes)
      throw input_error("{}: tensor {} has no type", where, in_quotes(tensor.name));
    tensor.dtype = static_cast<Dtype>(dtype);
    const auto dims = reader.bytes(uint64_t{reader.take<uint32_t>()} * sizeof(uint64_t));
    tensor.shape.resize(dims.size() / sizeof(uint64_t));
    if (!dims.empty()) std::memcpy(tensor.shape.data(), dims.data(), dims.size());
    list.push_back(std::move(tensor));
  }
  return list;
}

namespace {

// Who has a tensor: the index in each rank's list.
using Holders = std::vector<std::pair<unsigned, size_t>>;

struct Named {
  std::string name;
  Holders holders;
};
std::vector<Named> by_name(const std::vector<ShardList>& ranks) {
  std::vector<Named> out;
  std::map<std::string_view, size_t> places;
  for (unsigned rank = 0; rank < ranks.size(); ++rank)
    for (size_t i = 0; i < ranks[rank].size(); ++i) {
      const auto [at, fresh] = places.emplace(ranks[rank][i].name, out.size());
      if (fresh) out.push_back({ranks[rank][i].name, {}});
      out[at->second].holders.emplace_back(rank, i);
    }
  return out;
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

JointTensor own_tensor(const ShardTensor& tensor, unsigned rank, size_t local) {
  JointTensor out;
  out.info = make_tensor(fmt::format("rank {}", rank), tensor.name, tensor.dtype, tensor.shape);
  out.shares = {{rank, 0, out.info.elems, local, 0}};
  return out;
}

JointTensor joined_rows(const Named& named, const std::vector<ShardList>& ranks) {
  const ShardTensor& first = ranks[0][named.holders[0].second];
  std::vector<uint64_t> shape = first.shape;
  if (shape.empty())
    throw input_error("tensor {} is a scalar on every rank; only one of them may have it",
                      in_quotes(named.name));
  shape[0] = 0;
  for (const auto& [rank, local] : named.holders) {
    const ShardTensor& tensor = ranks[rank][local];
    if (tensor.dtype != first.dtype || tensor.shape.size() != shape.size() ||
        !std::equal(shape.begin() + 1, shape.end(), tensor.shape.begin() + 1))
      throw input_error(
          "tensor {} is {} {} on rank 0 and {} {} on rank {}; rows of one length and type can be joined",
          in_quotes(named.name), tensorfile::dtype_name(first.dtype), shape_text(first.shape),
          tensorfile::dtype_name(tensor.dtype), shape_text(tensor.shape), rank);
    if (__builtin_add_overflow(shape[0], tensor.shape[0], &shape[0]))
      throw input_error("tensor {}: its rows together do not fit 64 bits", in_quotes(named.name));
  }
  JointTensor out;
  out.info = make_tensor("joined", named.name, first.dtype, shape);
  const uint64_t row = shape[0] == 0 ? 0 : out.info.elems / shape[0];
  uint64_t begin = 0;
  for (const auto& [rank, local] : named.holders) {
    const uint64_t count = ranks[rank][local].shape[0] * row;
    out.shares.push_back({rank, begin, count, local, 0});
    begin += count;
  }
  return out;
}

std::vector<JointTensor> joined(const std::vector<ShardList>& ranks) {
  std::vector<JointTensor> out;
  for (const Named& named : by_name(ranks)) {
    const auto& [rank, local] = named.holders[0];
    if (named.holders.size() == 1) {
      out.push_back(own_tensor(ranks[rank][local], rank, local));
    } else if (named.holders.size() == ranks.size()) {
      out.push_back(joined_rows(named, ranks));
    } else {
      throw input_error(
          "tensor {} is on {} of {} ranks; it must be on one of them (and is sent from there) or on all "
          "(and is joined along its first dimension)",
          in_quotes(named.name), named.holders.size(), ranks.size());
    }
  }
  return out;
}

// What `cut` elements at a time is divided into as evenly as that goes.
void slice(JointTensor& tensor, size_t local, unsigned ranks, uint64_t cut) {
  tensor.shares.clear();
  const uint64_t units = tensor.info.elems / cut + (tensor.info.elems % cut != 0);
  for (unsigned rank = 0; rank < ranks; ++rank) {
    const auto border = [&](uint64_t r) {  // the last: units * cut may not fit 64 bits
      return r == ranks ? tensor.info.elems
                        : std::min(tensor.info.elems, (units / ranks * r + units % ranks * r / ranks) * cut);
    };
    if (border(rank + 1) > border(rank))
      tensor.shares.push_back({rank, border(rank), border(rank + 1) - border(rank), local, border(rank)});
  }
}

std::vector<JointTensor> sliced(const std::vector<ShardList>& ranks) {
  std::vector<JointTensor> out;
  for (unsigned rank = 1; rank < ranks.size(); ++rank)
    if (ranks[rank] != ranks[0])
      throw input_error("rank 0 and rank {} have other tensors; --slice cuts one model that all ranks read",
                        rank);
  for (size_t i = 0; i < ranks[0].size(); ++i)
    out.push_back(own_tensor(ranks[0][i], static_cast<unsigned>(i % ranks.size()), i));
  return out;
}

std::vector<JointTensor> flat(const std::vector<ShardList>& ranks, const ShardList& like) {
  std::vector<uint64_t> begins{0};
  for (unsigned rank = 0; rank < ranks.size(); ++rank) {
    if (ranks[rank].size() != 1)
      throw input_error("rank {} has {} tensors; a flat partition is one", rank, ranks[rank].size());
    const ShardTensor& own = ranks[rank][0];
    if (own.dtype != ranks[0][0].dtype)
      throw input_error("rank {} has {}, rank 0 has {}; a flat partition is of one type", rank,
                        tensorfile::dtype_name(own.dtype), tensorfile::dtype_name(ranks[0][0].dtype));
    const uint64_t elems = make_tensor(fmt::format("rank {}", rank), own.name, own.dtype, own.shape).elems;
    begins.push_back(begins.back() + elems);
    if (begins.back() < elems) throw input_error("the partitions together do not fit 64 bits");
  }
  std::vector<JointTensor> out;
  uint64_t at = 0;
  for (const ShardTensor& tensor : like) {
    JointTensor whole;
    whole.info = make_tensor("--like", tensor.name, ranks[0][0].dtype, tensor.shape);
    if (whole.info.elems > begins.back() - at)
      throw input_error("the partitions have {} elements together; tensor {} of --like needs {} from {} on",
                        begins.back(), in_quotes(tensor.name), whole.info.elems, at);
    for (unsigned rank = 0; rank < ranks.size(); ++rank) {
      const uint64_t from = std::max(at, begins[rank]),
                     to = std::min(at + whole.info.elems, begins[rank + 1]);
      if (from < to) whole.shares.push_back({rank, from - at, to - from, 0, from - begins[rank]});
    }
    at += whole.info.elems;
    out.push_back(std::move(whole));
  }
  return out;
}

void check_bytes(const JointTensor& tensor) {
  const unsigned bits = tensorfile::bits_per_element(tensor.info.dtype);
  for (const Share& share : tensor.shares)
    if (share.count * bits % 8 != 0 || share.first * bits % 8 != 0)
      throw input_error("tensor {} is cut within a byte; only one rank may have it",
                        in_quotes(tensor.info.name));
}

}  // namespace

std::vector<JointTensor> join_shards(Joining joining, const std::vector<ShardList>& ranks,
                                     const ShardList& like, uint64_t block,
                                     const std::function<bool(const tensorfile::TensorInfo&)>& quantises) {
  std::vector<JointTensor> out = joining == Joining::joined   ? joined(ranks)
                                 : joining == Joining::sliced ? sliced(ranks)
                                                              : flat(ranks, like);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].quantised = quantises(out[i].info);
    if (joining == Joining::sliced && out[i].quantised)
      slice(out[i], i, static_cast<unsigned>(ranks.size()), block);
    check_bytes(out[i]);
  }
  return out;
}

}  // namespace mlq::gather
