// Which tensors there are, and who owns what.
#include <algorithm>
#include <cstring>

#include "lib/gather/gather_own.h"

namespace mlq::gather {

using quant::Digest;

namespace {

// A number of a tensor that does not depend on what else there is.
uint32_t number_of(const std::string& name) {
  const Digest digest = quant::digest_of(bytes_of_text(name));
  uint32_t number = 0;
  std::memcpy(&number, digest.data(), sizeof number);
  return number;
}

// That all are to do the same.
void compare(const std::vector<NoteData>& notes) {
  for (size_t rank = 0; rank < notes.size(); ++rank) {
    if (take<uint64_t>(notes[rank], 0) != take<uint64_t>(notes[0], 0))
      throw input_error("rank {} is at step {}, rank 0 at step {}; start all ranks with the same steps", rank,
                        take<uint64_t>(notes[rank], 0), take<uint64_t>(notes[0], 0));
    if (!std::equal(notes[0].begin() + 48, notes[0].end(), notes[rank].begin() + 48) ||
        take<Digest>(notes[rank], 16) != take<Digest>(notes[0], 16))
      throw input_error("rank {} was given other options than rank 0; start all ranks with the same ones",
                        rank);
  }
}

}  // namespace

void Gather::agree_on_tensors(uint64_t step, const ShardList& own, const std::optional<Error>& failure) {
  const std::vector<std::byte> list = list_bytes(own);
  NoteData note{};
  put(note, 0, step);
  put(note, 8, uint64_t{list.size()});
  put(note, 16, quant::digest_of(bytes_of_text(fingerprint(options_.settings))));
  put(note, 32, quant::digest_of(list));
  put(note, 48, options_.key_every);
  put(note, 56, options_.rekey_above);
  put(note, 64, options_.hash_every);
  put(note, 72, options_.joining);
  put(note, 80, options_.wire_piece);
  const std::vector<NoteData> notes = exchange_notes(comm_, note, failure);
  agreed([&] { compare(notes); });
  uint64_t longest = 0;
  for (const NoteData& n : notes) longest = std::max(longest, take<uint64_t>(n, 8));
  std::vector<std::byte> digests;
  for (const NoteData& n : notes) digests.insert(digests.end(), n.begin() + 32, n.begin() + 48);
  if (digests == lists_) return;

  std::vector<std::byte> mine = list;
  mine.resize(longest);
  std::vector<std::byte> all(longest * comm_.size());
  comm_.all_gather(mine, all);
  std::vector<ShardList> lists;
  for (unsigned rank = 0; rank < comm_.size(); ++rank) {
    const auto bytes = std::span(all).subspan(rank * longest, take<uint64_t>(notes[rank], 8));
    if (quant::digest_of(bytes) != take<Digest>(notes[rank], 32))
      throw environment_error("the list of tensors of rank {} arrived damaged; check memory and network",
                              rank);
    lists.push_back(parse_list(bytes, fmt::format("rank {}", rank)));
  }
  const auto quantises = [&](const tensorfile::TensorInfo& info) {
    return info.dtype != tensorfile::Dtype::f64 && selector_.why_not(info).empty();
  };
  auto tensors = agreed([&] {
    return join_shards(options_.joining, lists, options_.like, options_.settings.block, quantises);
  });
  // There may be no room for them.
  exchange_notes(comm_, {}, failure_of([&] { adopt_tensors(std::move(tensors), std::move(digests)); }));
}

void Gather::adopt_tensors(std::vector<JointTensor> tensors, std::vector<std::byte> lists) {
  if (!lists_.empty()) key_reason_ = "shapes";
  lists_ = std::move(lists);
  tensors_ = std::move(tensors);
  held_.assign(tensors_.size(), {});
  parts_.assign(comm_.size(), {});
  plain_.assign(comm_.size(), {});
  *own_ = {};
  for (size_t t = 0; t < tensors_.size(); ++t) {
    const JointTensor& tensor = tensors_[t];
    const uint64_t width = size_of(options_.settings.state);
    held_[t] = backend_.allocate(tensor.quantised ? tensor.info.elems * width : tensor.info.size_bytes);
    for (const Share& share : tensor.shares) {
      const bool mine = share.rank == comm_.rank();
      if (!tensor.quantised) {
        plain_[share.rank].push_back(bytes_of(tensor.info, share.count));
        if (mine)
          own_->plain.push_back(
              {t, share, backend_.allocate(bytes_of(tensor.info, share.count)), {}, {}, {}});
        continue;
      }
      parts_[share.rank].push_back(
          {share.count, *quant::source_float(tensor.info.dtype), number_of(tensor.info.name), share.first});
      if (!mine) continue;
      const bool feeds_back = options_.settings.cancel == Cancel::residual;
      const uint64_t residual = feeds_back ? residual_bytes(options_.settings, share.count) : 0;
      own_->quantised.push_back({t, share, backend_.allocate(bytes_of(tensor.info, share.count)),
                                 backend_.allocate(share.count * width), backend_.allocate(residual),
                                 backend_.allocate(residual)});
    }
  }
  exchange_.reserve(std::max(stride_of({0, true, false}), stride_of({0, false, false})));
  if (std::none_of(tensors_.begin(), tensors_.end(), [](const JointTensor& t) { return t.quantised; }))
    say("no tensor is quantised, all travel as they are; see --include, --min-elems and --quantize-1d");
}

Packing Gather::packing_of(unsigned rank, const Frame& frame) const {
  return pack_parts(options_.settings, frame, parts_[rank], plain_[rank]);
}

}  // namespace mlq::gather
