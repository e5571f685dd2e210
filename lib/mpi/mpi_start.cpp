// The module mlq_mpi.so; see lib/replay/mpi_start.h.
#include <mpi.h>

#include <cstdint>
#include <ctime>

namespace {

struct Agreed {  // as MpiStart
  int64_t start_ns, offset_ns, error_ns;
};

constexpr int kExchanges = 32;

int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Rank 0 answers each other rank in turn with the time.
void tell_time(int size) {
  for (int rank = 1; rank < size; ++rank) {
    for (int n = 0; n < kExchanges; ++n) {
      MPI_Recv(nullptr, 0, MPI_BYTE, rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      const int64_t now = now_ns();
      MPI_Send(&now, 1, MPI_INT64_T, rank, 0, MPI_COMM_WORLD);
    }
  }
}

// Another rank asks; the answer of the shortest exchange is least wrong.
void ask_time(Agreed& out) {
  int64_t shortest = INT64_MAX;
  for (int n = 0; n < kExchanges; ++n) {
    const int64_t asked = now_ns();
    int64_t theirs = 0;
    MPI_Send(nullptr, 0, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
    MPI_Recv(&theirs, 1, MPI_INT64_T, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    const int64_t trip = now_ns() - asked;
    if (trip >= shortest) continue;
    shortest = trip;
    out.offset_ns = asked + trip / 2 - theirs;
    out.error_ns = (trip + 1) / 2;
  }
}

}  // namespace

extern "C" int mlq_mpi_start(int64_t ahead_ns, int rank, int size, Agreed* out) {
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 2;
  int seen_rank = -1;
  int seen_size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &seen_rank);
  MPI_Comm_size(MPI_COMM_WORLD, &seen_size);
  if (seen_rank != rank || seen_size != size) return 1;
  *out = {};
  rank == 0 ? tell_time(size) : ask_time(*out);
  MPI_Barrier(MPI_COMM_WORLD);
  int64_t start = now_ns() + ahead_ns;  // of rank 0
  MPI_Bcast(&start, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
  out->start_ns = start + out->offset_ns;
  return 0;
}

extern "C" void mlq_mpi_end() { MPI_Finalize(); }
