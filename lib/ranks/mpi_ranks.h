// Ranks that an MPI launcher has started. MPI is in a module of its own (mlq_mpi.so), loaded when a gather
// begins under a launcher: a program that is run by itself neither links MPI nor starts it.
#pragma once

#include <memory>

#include "lib/ranks/comm.h"
#include "lib/ranks/deadline.h"

namespace mlq::ranks {

// Counts in MPI are int: what is longer goes in parts.
inline constexpr uint64_t kMpiPart = uint64_t{256} << 20;

// Starts MPI; once in a process. Its destruction ends it, if all ranks come to that. The timeout is of both,
// and of each call in between; `late` is for where MPI waits within itself. Environment Errors: mlq was built
// without MPI, or MPI fails. `part`: see kMpiPart.
std::unique_ptr<Comm> mpi_ranks(int64_t timeout_ns, Late late, uint64_t part = kMpiPart);

}  // namespace mlq::ranks
