// A common start under MPI: by the clock of rank 0, to within half a round trip between ranks.
//
// MPI is in a module of its own (mlq_mpi.so), loaded only when a launcher has been seen: a program that is
// run by itself neither links MPI nor starts it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace mlq::replay {

// What the module does; plain C types, since it is found by name.
struct MpiStart {
  int64_t start_ns = 0;   // on this process's CLOCK_MONOTONIC
  int64_t offset_ns = 0;  // this clock minus that of rank 0
  int64_t error_ns = 0;   // bound on the error of the offset
};
extern "C" {
// Starts MPI, measures the offset to rank 0 by 32 exchanges (the shortest counts: Cristian 1989), meets all
// ranks at a barrier and agrees on an instant `ahead_ns` later. 0, or 1 if MPI does not see `size` ranks, or
// 2 if it fails. No call of MPI is made afterwards until mlq_mpi_end.
using MpiStartFunction = int (*)(int64_t ahead_ns, int rank, int size, MpiStart* out);
using MpiEndFunction = void (*)();
}

// The module, while it is in use. Its destructor ends MPI.
class MpiRanks {
 public:
  // Absent if mlq was built without MPI; `why` says what is missing.
  static std::unique_ptr<MpiRanks> load(std::string& why);
  ~MpiRanks();
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;

  // An environment Error if MPI does not see these ranks.
  MpiStart start(uint32_t rank, uint32_t size);

 private:
  MpiRanks(void* module, MpiStartFunction start_function, MpiEndFunction end_function)
      : module_(module), start_(start_function), end_(end_function) {}
  [[maybe_unused]] void* module_;
  MpiStartFunction start_;
  MpiEndFunction end_;
  bool started_ = false;
};

}  // namespace mlq::replay
