#include "lib/ranks/mpi_ranks.h"

#include <dlfcn.h>

#include <algorithm>
#include <string>

#include "lib/base/error.h"
#include "lib/base/module_path.h"

namespace mlq::ranks {
namespace {

// How long a rank that ends waits for the others to end too.
constexpr int64_t kFarewell = 2'000'000'000;
// Ten years; what is longer does not fit a clock.
constexpr int64_t kLongest = 315'360'000'000'000'000;

// The module, as lib/mpi/mpi_comm.cpp has it.
struct Module {
  int (*begin)(int* rank, int* size);
  int (*start)(const void* mine, uint64_t bytes, void* all, uint64_t stride, int64_t timeout_ns);
  int (*progress)();
  int (*finish)(int64_t timeout_ns);
  const char* (*error)();
  void (*end)(int64_t timeout_ns);
};

template <class Function>
void find(void* module, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(module, name));
  if (function == nullptr) throw environment_error("mlq_mpi.so is of another version; install mlq anew");
}

Module load() {
  // RTLD_GLOBAL: Open MPI loads parts of its own that look for its symbols.
  void* const handle = ::dlopen(module_path("mlq_mpi.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr)
    throw environment_error(
        "MPI cannot be used: {}; install the package mlq-mpi, or build mlq with libopenmpi-dev installed",
        ::dlerror());
  Module module{};
  find(handle, "mlq_mpi_comm_begin", module.begin);
  find(handle, "mlq_mpi_comm_start", module.start);
  find(handle, "mlq_mpi_comm_progress", module.progress);
  find(handle, "mlq_mpi_comm_finish", module.finish);
  find(handle, "mlq_mpi_comm_error", module.error);
  find(handle, "mlq_mpi_comm_end", module.end);
  return module;
}

class MpiRanks final : public Comm {
 public:
  MpiRanks(const Module& module, int64_t timeout_ns, Late late, uint64_t part)
      : module_(module), timeout_(std::min(timeout_ns, kLongest)), late_(std::move(late)), part_(part) {
    int rank = 0, size = 0;
    {
      const Deadline deadline(
          timeout_, late_,
          environment_error("not all ranks have begun to gather within {} s; see that each runs this "
                            "command, or give them longer",
                            seconds()));
      check(module_.begin(&rank, &size));
    }
    rank_ = static_cast<unsigned>(rank);
    size_ = static_cast<unsigned>(size);
  }
  // The module stays loaded: MPI has handlers of its own until the process ends.
  ~MpiRanks() override {
    const Deadline deadline(timeout_ + kFarewell, late_,
                            environment_error("not all ranks have ended within {} s", seconds()));
    module_.end(failed_ ? 0 : kFarewell);
  }

  unsigned rank() const override { return rank_; }
  unsigned size() const override { return size_; }
  std::string_view transport() const override { return "MPI"; }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    for (uint64_t at = 0; at < mine.size(); at += part_)
      check(module_.start(mine.data() + at, std::min(part_, mine.size() - at), all + at, stride, timeout_));
  }
  void progress() override { check(module_.progress()); }
  void finish() override { check(module_.finish(timeout_)); }
  void barrier() override {
    const std::byte mine{};
    std::string all(size_, '\0');
    all_gather({&mine, 1}, std::as_writable_bytes(std::span(all)));
  }

 private:
  void check(int outcome) {
    if (outcome == 0) return;
    failed_ = true;
    if (outcome == 1)
      throw environment_error("a rank did not come within {} s; start the ranks again, or give them longer",
                              seconds());
    throw environment_error("MPI: {}; start the ranks again", module_.error());
  }
  double seconds() const { return static_cast<double>(timeout_) / 1e9; }

  Module module_;
  int64_t timeout_;
  Late late_;
  uint64_t part_;
  unsigned rank_ = 0, size_ = 1;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Comm> mpi_ranks(int64_t timeout_ns, Late late, uint64_t part) {
  return std::make_unique<MpiRanks>(load(), timeout_ns, std::move(late), part);
}

}  // namespace mlq::ranks
