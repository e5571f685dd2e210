// Collectives of the module mlq_mpi.so; see lib/ranks/mpi_ranks.h.
#include <mpi.h>

#include <cstdint>
#include <ctime>
#include <deque>

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

// Gathers of pieces that were started and not waited for, in this order. Their number bounds what a rank that
// is behind has to keep for each of the others.
std::deque<MPI_Request> under_way;
constexpr size_t kMostUnderWay = 16;

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

int wait_until_at_most(size_t left, int64_t timeout_ns) {
  for (; under_way.size() > left; under_way.pop_front())
    if (const int outcome = wait_for(&under_way.front(), timeout_ns); outcome != kDone) return outcome;
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

// `bytes` fit an int.
extern "C" int mlq_mpi_comm_start(const void* mine, uint64_t bytes, void* all, uint64_t stride,
                                  int64_t timeout_ns) {
  if (const int outcome = wait_until_at_most(kMostUnderWay - 1, timeout_ns); outcome != kDone) return outcome;
  const int count = static_cast<int>(bytes);
  // In `all` the pieces lie a stride from each other.
  MPI_Datatype bytes_of_piece, piece;
  MPI_Type_contiguous(count, MPI_BYTE, &bytes_of_piece);
  MPI_Type_create_resized(bytes_of_piece, 0, static_cast<MPI_Aint>(stride), &piece);
  MPI_Type_commit(&piece);
  MPI_Request request;
  const int code = MPI_Iallgather(mine, count, MPI_BYTE, all, 1, piece, MPI_COMM_WORLD, &request);
  MPI_Type_free(&piece);  // when the gather has no more use for it
  MPI_Type_free(&bytes_of_piece);
  if (code != MPI_SUCCESS) return failed(code);
  under_way.push_back(request);
  return kDone;
}

extern "C" int mlq_mpi_comm_progress() {
  if (under_way.empty()) return kDone;
  int done = 0;
  const int code = MPI_Test(&under_way.front(), &done, MPI_STATUS_IGNORE);
  if (code != MPI_SUCCESS) return failed(code);
  if (done) under_way.pop_front();
  return kDone;
}

extern "C" int mlq_mpi_comm_finish(int64_t timeout_ns) { return wait_until_at_most(0, timeout_ns); }

extern "C" const char* mlq_mpi_comm_error() { return last_error; }

// Ends MPI if all ranks come to that within the time. A rank that fails alone leaves without it, which tells
// its launcher to end the others.
extern "C" void mlq_mpi_comm_end(int64_t timeout_ns) {
  MPI_Request request;
  if (MPI_Ibarrier(farewell, &request) != MPI_SUCCESS || wait_for(&request, timeout_ns) != kDone) return;
  MPI_Comm_free(&farewell);
  MPI_Finalize();
}
