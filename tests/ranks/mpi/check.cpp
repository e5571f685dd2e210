// Run under mpirun by tests/ranks/mpi: collectives over MPI, in parts too.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "lib/base/error.h"
#include "lib/ranks/mpi_ranks.h"

namespace {

using mlq::ranks::Comm;

constexpr uint64_t kPart = 1000;  // bytes; calls with more go in several

std::byte byte_of(unsigned rank, size_t i) { return static_cast<std::byte>((rank + 1) * 37 + i * 11); }

bool gathers(Comm& comm, size_t bytes) {
  std::vector<std::byte> mine(bytes), all(bytes * comm.size());
  for (size_t i = 0; i < bytes; ++i) mine[i] = byte_of(comm.rank(), i);
  comm.all_gather(mine, all);
  for (unsigned rank = 0; rank < comm.size(); ++rank)
    for (size_t i = 0; i < bytes; ++i)
      if (all[rank * bytes + i] != byte_of(rank, i)) return false;
  return true;
}

// Many pieces under way at a time, of buffers that lie further apart than pieces are long.
bool gathers_pieces(Comm& comm) {
  constexpr size_t kPieces = 50, kBytes = 700, kStride = kPieces * kBytes + 13;
  std::vector<std::byte> mine(kPieces * kBytes), all(kStride * comm.size(), std::byte{0xee});
  for (size_t i = 0; i < mine.size(); ++i) mine[i] = byte_of(comm.rank(), i);
  for (size_t piece = kPieces; piece-- > 0;) {
    comm.start(std::span(mine).subspan(piece * kBytes, kBytes), all.data() + piece * kBytes, kStride);
    comm.progress();
  }
  comm.finish();
  for (unsigned rank = 0; rank < comm.size(); ++rank)
    for (size_t i = 0; i < kStride; ++i)
      if (all[rank * kStride + i] != (i < mine.size() ? byte_of(rank, i) : std::byte{0xee})) return false;
  return true;
}

}  // namespace

int main() {
  try {
    const auto late = [](const mlq::Error& error) {
      std::printf("%s\n", error.what());
      std::_Exit(static_cast<int>(error.kind()));
    };
    const auto comm = mlq::ranks::mpi_ranks(60'000'000'000, late, kPart);
    bool right = comm->size() == 3;
    for (const size_t bytes : {0, 1, 999, 1000, 1001, 2000, 4500}) right = right && gathers(*comm, bytes);
    right = right && gathers_pieces(*comm);
    comm->barrier();
    std::printf("rank %u: %s\n", comm->rank(), right ? "right" : "wrong");
    return right ? 0 : 1;
  } catch (const mlq::Error& error) {
    std::printf("%s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
