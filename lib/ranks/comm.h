// Processes that work on one thing, as ranks 0 ... size - 1, and what they tell each other: bytes. The calls
// are collective: all ranks make the same ones, in the same order, with sizes that agree.
//
// A rank that is gone, or that does not come before the timeout, is an environment Error for all others, of
// this call and of all that follow. A Comm is for one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mlq::ranks {

class Comm {
 public:
  virtual ~Comm() = default;
  virtual unsigned rank() const = 0;
  virtual unsigned size() const = 0;
  // How they talk, for records: "in process", "MPI".
  virtual std::string_view transport() const = 0;
  // The bytes of all ranks, as many of each, in the order of the ranks: `all` has size() times those of
  // `mine`.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) = 0;
  // Until all are here.
  virtual void barrier() = 0;
};

}  // namespace mlq::ranks
