#include "lib/gather/gather.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/gather/codec.h"
#include "lib/gather/gather_own.h"

namespace mlq::gather {

using quant::Digest;
using tensorfile::in_quotes;
using tensorfile::Source;

Gather::Gather(ranks::Comm& comm, GatherOptions options, const Clock& clock)
    : comm_(comm),
      options_(std::move(options)),
      clock_(clock),
      selector_(options_.selection, quant::Container::mlq),
      host_(options_.threads),
      backend_(options_.backend == nullptr ? host_ : *options_.backend),
      exchange_(comm, options_.wire, backend_, sizeof(WireHeader), options_.wire_piece),
      own_(std::make_unique<Own>()) {
  validate(options_.settings);
}

Gather::~Gather() = default;

template <class Work>
void Gather::timed(int64_t& total, const Work& work) {
  const int64_t begin = clock_.now_ns();
  work();
  total += clock_.now_ns() - begin;
}

std::byte* Gather::held_at(size_t tensor, const Share& share) {
  const JointTensor& t = tensors_[tensor];
  return held_[tensor].data() +
         (t.quantised ? share.first * size_of(options_.settings.state) : bytes_of(t.info, share.first));
}

std::optional<Error> Gather::read_weights(const Source& source) {
  return failure_of([&] {
    for (auto* kind : {&own_->quantised, &own_->plain})
      for (Own::Owned& owned : *kind) {
        const uint64_t first = bytes_of(tensors_[owned.tensor].info, owned.share.local_first);
        backend_.fill(owned.weights.data(), owned.weights.size(),
                      [&](uint64_t offset, std::span<std::byte> to) {
                        source.read(owned.share.local, first + offset, to);
                      });
      }
    source.check_unchanged();
  });
}

std::vector<OwnPart> Gather::own_parts() {
  std::vector<OwnPart> out;
  const std::vector<Part>& parts = parts_[comm_.rank()];
  for (size_t i = 0; i < parts.size(); ++i) {
    Own::Owned& o = own_->quantised[i];
    out.push_back({parts[i], o.weights.data(), held_at(o.tensor, o.share), o.next.data(), o.residual.data(),
                   o.next_residual.data()});
  }
  return out;
}

Error Gather::nonfinite_error(size_t part) const {
  const Own::Owned& owned = own_->quantised[part];
  const std::string name = in_quotes(tensors_[owned.tensor].info.name);
  const Memory weights = backend_.is_host() ? owned.weights : host_memory(owned.weights.size());
  if (!backend_.is_host()) backend_.download(weights.span(), owned.weights.data());
  const auto unfit = find_nonfinite(parts_[comm_.rank()][part].source, weights.data(), owned.share.count);
  if (!unfit)
    return input_error(
        "tensor {} differs from what is held by more than fp32 can say; begin anew, without its state", name);
  return input_error(
      "tensor {}: element {} is {}; only finite weights can be quantised: mend them, or --exclude the "
      "tensor",
      name, owned.share.first + unfit->element, unfit->text);
}

// Of every rank's buffer for a frame.
uint64_t Gather::stride_of(const Frame& frame) const {
  uint64_t stride = 0;
  for (unsigned rank = 0; rank < comm_.size(); ++rank)
    stride = std::max<uint64_t>(stride, sizeof(WireHeader) + packing_of(rank, frame).payload_bytes);
  return stride;
}

void Gather::open_exchange(const Frame& frame) {
  const uint64_t stride = stride_of(frame);
  exchange_.open(stride);
  const uint64_t mine = sizeof(WireHeader) + packing_of(comm_.rank(), frame).payload_bytes;
  backend_.zero(exchange_.mine() + mine, stride - mine);
}

// The header of a payload that is there.
void Gather::put_header(const Packing& packing) {
  WireHeader& header = own_->header;
  header.payload_bytes = packing.payload_bytes;
  header.digest = backend_.hash(exchange_.mine() + sizeof header, packing.payload_bytes);
  backend_.upload(exchange_.mine(), std::as_bytes(std::span(&header, 1)));
}

// What travels as it is.
void Gather::copy_plain(const Packing& packing) {
  for (size_t i = 0; i < own_->plain.size(); ++i)
    backend_.copy(exchange_.mine() + sizeof(WireHeader) + packing.plain[i], own_->plain[i].weights.data(),
                  own_->plain[i].weights.size());
}

std::optional<Error> Gather::encode(const Frame& frame) {
  const Packing packing = packing_of(comm_.rank(), frame);
  WireHeader& header = own_->header;
  header = make_header(options_.settings, frame, comm_.rank(), comm_.size());
  header.payload_bytes = packing.payload_bytes;
  std::byte* const payload = exchange_.mine() + sizeof header;
  const auto errors =
      backend_.encode_parts(options_.settings, frame, packing, own_parts(), payload, [&](uint64_t bytes) {
        if (bytes < packing.payload_bytes) exchange_.ready(sizeof header + bytes);
      });
  copy_plain(packing);
  own_->weight_energy = own_->error_energy = 0;
  for (size_t i = 0; i < errors.size(); ++i) {
    if (errors[i].nonfinite != 0) {
      header.flags |= WireHeader::nonfinite;
      return nonfinite_error(i);
    }
    header.elems += own_->quantised[i].share.count;
    own_->weight_energy += errors[i].weight_energy;
    own_->error_energy += errors[i].error_energy;
  }
  put_header(packing);
  return std::nullopt;
}

void Gather::exchange_headers(const Frame& frame, const std::optional<Error>& failure, StepReport& report) {
  if (failure) own_->header.flags |= WireHeader::failed;
  NoteData note{};
  put(note, 0, own_->header);
  put(note, 64, own_->weight_energy);
  put(note, 72, own_->error_energy);
  const auto notes = exchange_notes(comm_, note, failure);
  headers_.clear();
  double weights = 0, errors = 0;
  for (unsigned rank = 0; rank < notes.size(); ++rank) {
    headers_.push_back(take<WireHeader>(notes[rank], 0));
    weights += take<double>(notes[rank], 64);
    errors += take<double>(notes[rank], 72);
    const uint64_t expected = packing_of(rank, frame).payload_bytes;
    if (headers_[rank].payload_bytes != expected)
      throw AgreedError(
          input_error("rank {} sends {} bytes where {} are expected; start all ranks with the same program",
                      rank, headers_[rank].payload_bytes, expected));
  }
  report.rel_rmse = weights == 0 ? 0 : std::sqrt(errors / weights);
}

// Whether the buffer of a rank is what its header, which went round before, has said.
bool Gather::arrived_whole(unsigned rank, const Frame& frame) {
  std::array<std::byte, sizeof(WireHeader)> bytes;
  backend_.download(bytes, exchange_.of(rank));
  if (std::memcmp(bytes.data(), &headers_[rank], bytes.size()) != 0) return false;
  const auto unfit = failure_of([&] {
    parse_header(bytes, exchange_.stride() - bytes.size(), options_.settings, frame,
                 fmt::format("rank {}", rank));
  });
  const WireHeader& header = headers_[rank];
  return !unfit && backend_.hash(exchange_.of(rank) + bytes.size(), header.payload_bytes) == header.digest;
}

std::optional<Error> Gather::encode_and_send(const Frame& frame, StepReport& report) {
  std::optional<Error> failure;
  open_exchange(frame);
  exchange_.sent_by([&] {
    timed(report.comm_ns, [&] {
      timed(report.encode_ns, [&] { failure = encode(frame); });
      exchange_.finish();  // what failed, too: the others wait for it
    });
  });
  ++report.sent;
  report.wire_bytes = exchange_.wire_bytes();
  return failure;
}

std::optional<unsigned> Gather::compare_payloads(const Frame& frame) {
  constexpr uint32_t kNone = 0xffffffffu;
  uint32_t damaged = kNone;
  const auto failure = failure_of([&] {
    for (unsigned rank = 0; rank < comm_.size() && damaged == kNone; ++rank)
      if (!arrived_whole(rank, frame)) damaged = rank;
  });
  NoteData note{};
  put(note, 0, damaged);
  for (const NoteData& n : exchange_notes(comm_, note, failure))
    if (take<uint32_t>(n, 0) != kNone) return take<uint32_t>(n, 0);
  return std::nullopt;
}

void Gather::apply(const Frame& frame) {
  std::vector<Packing> packings;
  std::vector<std::vector<HeldPart>> parts(comm_.size());
  std::vector<size_t> plain(comm_.size());
  for (unsigned rank = 0; rank < comm_.size(); ++rank) packings.push_back(packing_of(rank, frame));
  const auto payload_of = [&](unsigned rank) { return exchange_.of(rank) + sizeof(WireHeader); };
  for (size_t t = 0; t < tensors_.size(); ++t)
    for (const Share& share : tensors_[t].shares) {
      if (tensors_[t].quantised) {
        auto& own = parts[share.rank];
        own.push_back({parts_[share.rank][own.size()], held_at(t, share)});
      } else {
        const uint64_t offset = packings[share.rank].plain[plain[share.rank]++];
        backend_.copy(held_at(t, share), payload_of(share.rank) + offset,
                      bytes_of(tensors_[t].info, share.count));
      }
    }
  for (unsigned rank = 0; rank < comm_.size(); ++rank)
    backend_.apply_parts(options_.settings, frame, packings[rank], parts[rank], payload_of(rank));
}

std::span<const std::byte> Gather::held(size_t tensor) {
  if (backend_.is_host()) return held_[tensor].span();
  held_copy_.resize(held_[tensor].size());
  backend_.download(held_copy_, held_[tensor].data());
  return held_copy_;
}

std::string Gather::hash_of_held(bool plain_too) {
  quant::ModelHash hash;
  for (size_t t = 0; t < tensors_.size(); ++t) {
    if (!tensors_[t].quantised && !plain_too) continue;
    hash.add(tensors_[t].info.name,
             tensors_[t].quantised ? quant::name_of(options_.settings.state)
                                   : tensorfile::dtype_name(tensors_[t].info.dtype),
             tensors_[t].info.shape, backend_.hash(held_[t].data(), held_[t].size()));
  }
  return quant::hash_text(hash.digest());
}

std::string Gather::state_hash() { return hash_of_held(true); }

bool Gather::hashes_agree(StepReport& report) {
  report.state_hash = state_hash();
  NoteData note{};
  put(note, 0, quant::parse_hash(report.state_hash));
  const auto notes = exchange_notes(comm_, note);
  return std::all_of(notes.begin(), notes.end(), [&](const NoteData& n) { return n == notes[0]; });
}

void Gather::say(const std::string& message) {
  if (comm_.rank() == 0) options_.note(message);
}

void Gather::swap_residuals() {
  for (Own::Owned& owned : own_->quantised) std::swap(owned.residual, owned.next_residual);
}

// Encodes, sends and applies, as a key frame where that is due or becomes necessary.
void Gather::send(const Frame& first, StepReport& report) {
  const bool has_keys = options_.settings.cancel == Cancel::delta;
  Frame frame = first;
  for (bool damaged_before = false;;) {
    const std::optional<Error> trouble = encode_and_send(frame, report);
    timed(report.comm_ns, [&] { exchange_headers(frame, trouble, report); });
    if (has_keys && !frame.key && report.rel_rmse > options_.rekey_above) {
      frame.key = true;
      report.rekey_reason = "error";
      continue;
    }
    const auto damaged = compare_payloads(frame);
    if (!damaged) break;
    if (damaged_before)
      throw AgreedError(environment_error(
          "step {}: what rank {} sent arrived damaged twice running; check memory and network", frame.step,
          *damaged));
    say(fmt::format("step {}: what rank {} sent arrived damaged; it is sent again", frame.step, *damaged));
    damaged_before = true;
    frame.key = has_keys;
    report.rekey_reason = "payload";
  }
  timed(report.decode_ns, [&] {
    apply(frame);
    backend_.finish();
  });
  swap_residuals();
  report.key = frame.key;
}

StepReport Gather::step(uint64_t step, const std::function<Source()>& open, bool compare) {
  StepReport report;
  report.step = step;
  std::optional<Source> source;
  ShardList own;
  std::optional<Error> failure = failure_of([&] {
    source.emplace(open());
    own = list_of(*source);
  });
  timed(report.comm_ns, [&] {
    agree_on_tensors(step, own, failure);
    if (state_) go_on_with_state();
  });
  failure = read_weights(*source);
  timed(report.comm_ns, [&] { exchange_notes(comm_, {}, failure); });
  if (key_reason_.empty() && options_.key_every != 0 && step - *last_key_ >= options_.key_every)
    key_reason_ = "every";
  Frame frame{step, !key_reason_.empty() && options_.settings.cancel == Cancel::delta, false};
  report.rekey_reason = key_reason_;
  send(frame, report);

  const bool due = !last_hash_ || (options_.hash_every != 0 && step - *last_hash_ >= options_.hash_every);
  if (due || compare) {
    if (!hashes_agree(report)) {
      say(fmt::format("step {}: ranks hold different weights; they are sent as a key frame", step));
      report.rekey_reason = "hash";
      swap_residuals();  // back
      frame.key = options_.settings.cancel == Cancel::delta;
      send(frame, report);
      if (!hashes_agree(report))
        throw AgreedError(
            Error(ExitKind::bug,
                  fmt::format(
                      "step {}: ranks hold different weights after a key frame too: their arithmetic differs",
                      step)));
    }
    last_hash_ = step;
  }
  if (report.key) last_key_ = step;
  if (!last_key_) last_key_ = step;
  last_step_ = step;
  key_reason_.clear();
  if (!report.key) report.rekey_reason.clear();
  for (const JointTensor& tensor : tensors_) {
    report.elems += tensor.info.elems;
    report.bf16_bytes += tensor.quantised ? 2 * tensor.info.elems : tensor.info.size_bytes;
  }
  return report;
}

}  // namespace mlq::gather
