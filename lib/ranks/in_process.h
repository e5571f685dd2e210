// Ranks that are threads of one process.
#pragma once

#include <memory>
#include <vector>

#include "lib/ranks/comm.h"

namespace mlq::ranks {

// One for each thread; they may outlive each other. A destroyed one is a lost rank to the others.
std::vector<std::unique_ptr<Comm>> in_process_ranks(unsigned size, int64_t timeout_ns);

}  // namespace mlq::ranks
