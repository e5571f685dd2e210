// Where the ranks of a gather compute, and what carries the payloads between them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/gather/device_backend.h"
#include "lib/ranks/comm.h"
#include "lib/ranks/deadline.h"

namespace mlq::gather {

// automatic: NCCL where every rank computes on a device, else what carries all else, in copies.
enum class Transport : uint8_t { automatic, nccl, mpi };

// Bytes that a rank sends at a time over NCCL, where kWirePiece would be far too few for the links between
// GPUs. Not measured yet.
inline constexpr uint64_t kDevicePiece = uint64_t{16} << 20;

struct PlacementOptions {
  bool cuda = false;  // this rank computes on a device
  Transport transport = Transport::automatic;
  int64_t timeout_ns = 60'000'000'000;
  ranks::Late late;  // where NCCL does not end
  std::string nccl_library = "libnccl.so.2";
};

// What GatherOptions and GatherBench take.
struct Placement {
  std::unique_ptr<DeviceBackend> backend;  // none: the host
  std::unique_ptr<ranks::Comm> wire;       // none: `comm` carries payloads
};

// Collective. Of several devices that a rank sees it takes the one of its number among the ranks of its
// machine, counted round. AgreedErrors: usage for transports that differ, NCCL without devices, and two ranks
// on one GPU, which NCCL refuses; environment where a rank has no device, or cannot load or start NCCL.
// Keeps a reference to `comm`.
Placement place_ranks(ranks::Comm& comm, const PlacementOptions& options);

}  // namespace mlq::gather
