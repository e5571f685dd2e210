// Ranks whose bytes lie on GPUs, a GPU each, and go from one to the other by NCCL. The library is loaded when
// a gather wants it: mlq needs none to be built, and links none.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "lib/device/device.h"
#include "lib/ranks/comm.h"
#include "lib/ranks/deadline.h"

namespace mlq::ranks {

// libnccl.so.2, version 2.14 or newer, which is what can be asked without waiting. Copies are the same
// library, which stays loaded.
class Nccl {
 public:
  struct Functions;
  // An environment Error, with what to do about it, if there is none or it is too old.
  static Nccl load(const std::string& library = "libnccl.so.2");
  const Functions& functions() const { return *functions_; }

 private:
  explicit Nccl(std::shared_ptr<const Functions> functions) : functions_(std::move(functions)) {}
  std::shared_ptr<const Functions> functions_;
};

// What ranks meet by. One of them makes it and gives it to the others.
using NcclId = std::array<char, 128>;
NcclId new_nccl_id(const Nccl& nccl);

// Collective. Memory that goes into calls is the device's. What a piece has is what the work given to `work`
// before start() leaves there; so the caller need not wait for it. `host` is of the same ranks and outlives
// this; NCCL refuses two of them on one GPU. Calls are looked after: a piece that does not come within the
// timeout, or what NCCL finds broken, is given up (ncclCommAbort) and an environment Error; `late` is for an
// end that does not end.
std::unique_ptr<Comm> nccl_ranks(const Nccl& nccl, const NcclId& id, Comm& host, const device::Device& device,
                                 const device::Stream& work, int64_t timeout_ns, const Late& late = {});

}  // namespace mlq::ranks
