// Collectives of the module mlq_mpi.so; see lib/ranks/mpi_ranks.h.
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <vector>

namespace {

enum Outcome : int { kDone = 0, kLate = 1, kFailed = 2 };

char last_error[MPI_MAX_ERROR_STRING + 1];
MPI_Comm farewell = MPI_COMM_NULL;

int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

int failed(int code) {
  int length = 0;
  MPI_Error_string(code, last_error, &length);
  last_error[length] = '\0';
  return kFailed;
}

// Until the request is done. Ranks may share cores: from a millisecond on it sleeps between looks.
int wait_for(MPI_Request* request, int64_t timeout_ns) {
  const int64_t begin = now_ns();
  for (;;) {
    int done = 0;
    if (const int code = MPI_Test(request, &done, MPI_STATUS_IGNORE); code != MPI_SUCCESS)
      return failed(code);
    if (done) return kDone;
    const int64_t waited = now_ns() - begin;
    if (waited > timeout_ns) return kLate;
    if (waited > 1'000'000) {
      const timespec pause{0, 50'000};
      ::nanosleep(&pause, nullptr);
    }
  }
}

// Counts of MPI are int: what is longer goes in parts of `part` bytes through a buffer.
int all_gather_parts(const char* mine, uint64_t bytes, char* all, int size, uint64_t part,
                     int64_t timeout_ns) {
  std::vector<char> parts(part * static_cast<unsigned>(size));
  for (uint64_t at = 0; at < bytes; at += part) {
    const uint64_t n = std::min(part, bytes - at);
    MPI_Request request;
    const int code = MPI_Iallgather(mine + at, static_cast<int>(n), MPI_BYTE, parts.data(),
                                    static_cast<int>(n), MPI_BYTE, MPI_COMM_WORLD, &request);
    if (code != MPI_SUCCESS) return failed(code);
    if (const int outcome = wait_for(&request, timeout_ns); outcome != kDone) return outcome;
    for (int rank = 0; rank < size; ++rank)
      std::memcpy(all + static_cast<unsigned>(rank) * bytes + at,
                  parts.data() + static_cast<unsigned>(rank) * n, n);
  }
  return kDone;
}

}  // namespace

extern "C" int mlq_mpi_comm_begin(int* rank, int* size) {
  int provided = 0;
  int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  if (code != MPI_SUCCESS) return failed(code);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  code = MPI_Comm_dup(MPI_COMM_WORLD, &farewell);
  return code == MPI_SUCCESS ? kDone : failed(code);
}

extern "C" int mlq_mpi_comm_all_gather(const void* mine, uint64_t bytes, void* all, uint64_t part,
                                       int64_t timeout_ns) {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (bytes > part)
    return all_gather_parts(static_cast<const char*>(mine), bytes, static_cast<char*>(all), size, part,
                            timeout_ns);
  MPI_Request request;
  const int code = MPI_Iallgather(mine, static_cast<int>(bytes), MPI_BYTE, all, static_cast<int>(bytes),
                                  MPI_BYTE, MPI_COMM_WORLD, &request);
  return code == MPI_SUCCESS ? wait_for(&request, timeout_ns) : failed(code);
}

extern "C" const char* mlq_mpi_comm_error() { return last_error; }

// Ends MPI if all ranks come to that within the time. A rank that fails alone leaves without it, which tells
// its launcher to end the others.
extern "C" void mlq_mpi_comm_end(int64_t timeout_ns) {
  MPI_Request request;
  if (MPI_Ibarrier(farewell, &request) != MPI_SUCCESS || wait_for(&request, timeout_ns) != kDone) return;
  MPI_Comm_free(&farewell);
  MPI_Finalize();
}
