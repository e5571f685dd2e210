// Processes that work on one thing, as ranks 0 ... size - 1, and what they tell each other: bytes. The calls
// are collective: all ranks make the same ones, in the same order, with sizes that agree.
//
// A rank that is gone, or from which nothing comes before the timeout, is an environment Error for all
// others, of this call and of all that follow. A Comm is for one thread at a time.
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

  // Starts to gather a piece: those of all ranks, as long as `mine`, come to all + rank * stride. What has
  // been started goes its way while the caller computes, if he calls progress() now and then. Memory is the
  // caller's and stays as it is until finish().
  virtual void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) = 0;
  virtual void progress() = 0;
  // Until everything that was started is here.
  virtual void finish() = 0;
  // What was started is not waited for any more, since its memory goes; no other call may follow.
  virtual void abandon() {}
  // Until all are here.
  virtual void barrier() = 0;

  // The bytes of all ranks, as many of each, in the order of the ranks: `all` has size() times those of
  // `mine`.
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    start(mine, all.data(), mine.size());
    finish();
  }
};

}  // namespace mlq::ranks
