// The parts of one owner, packed and unpacked: several threads, the same bytes for any number of them.
#pragma once

#include <functional>
#include <optional>

#include "lib/gather/wire.h"

namespace mlq::gather {

// A part that this rank owns; memory is the caller's.
struct OwnPart {
  Part part;
  const void* weights = nullptr;  // of the part's source type
  const void* held = nullptr;     // of the state's type: what receivers hold
  void* next = nullptr;           // what they will hold
  const void* residual = nullptr;
  void* next_residual = nullptr;
};

struct PartError {
  double weight_energy = 0, error_energy = 0;  // sums of squares of w, and of next - w
  uint64_t nonfinite = 0, saturated = 0;
};

// Encodes the parts into `payload` (packing.payload_bytes; what lies between the parts becomes 0). A result
// for each. `ready` is called by the calling thread, between pieces of its own, with how many of the first
// bytes are final: codes as they come, scales when all is done.
using Ready = std::function<void(uint64_t payload_bytes)>;
std::vector<PartError> encode_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                                    std::span<const OwnPart> parts, std::span<std::byte> payload,
                                    unsigned threads, const Ready& ready = {});

// The other end: `held` of each part becomes what the owner's `next` was.
struct HeldPart {
  Part part;
  void* held = nullptr;
};
void apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                 std::span<const HeldPart> parts, std::span<const std::byte> payload, unsigned threads);

// The first element that is not finite, with its bits as text, of so many values.
struct Unfit {
  uint64_t element = 0;
  std::string text;
};
std::optional<Unfit> find_nonfinite(Float type, const void* values, uint64_t elems);

}  // namespace mlq::gather
