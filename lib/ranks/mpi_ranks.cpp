#include "lib/ranks/mpi_ranks.h"

#include <dlfcn.h>

#include <string>

#include "lib/base/error.h"
#include "lib/base/module_path.h"

namespace mlq::ranks {
namespace {

// How long a rank that ends waits for the others to end too.
constexpr int64_t kFarewell = 2'000'000'000;

// The module, as lib/mpi/mpi_comm.cpp has it.
struct Module {
  int (*begin)(int* rank, int* size);
  int (*all_gather)(const void* mine, uint64_t bytes, void* all, uint64_t part, int64_t timeout_ns);
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
  find(handle, "mlq_mpi_comm_all_gather", module.all_gather);
  find(handle, "mlq_mpi_comm_error", module.error);
  find(handle, "mlq_mpi_comm_end", module.end);
  return module;
}

class MpiRanks final : public Comm {
 public:
  MpiRanks(const Module& module, int64_t timeout_ns, uint64_t part)
      : module_(module), timeout_(timeout_ns), part_(part) {
    int rank = 0, size = 0;
    check(module_.begin(&rank, &size));
    rank_ = static_cast<unsigned>(rank);
    size_ = static_cast<unsigned>(size);
  }
  // The module stays loaded: MPI has handlers of its own until the process ends.
  ~MpiRanks() override { module_.end(failed_ ? 0 : kFarewell); }

  unsigned rank() const override { return rank_; }
  unsigned size() const override { return size_; }
  std::string_view transport() const override { return "MPI"; }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) override {
    check(module_.all_gather(mine.data(), mine.size(), all.data(), part_, timeout_));
  }
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
                              static_cast<double>(timeout_) * 1e-9);
    throw environment_error("MPI: {}; start the ranks again", module_.error());
  }

  Module module_;
  int64_t timeout_;
  uint64_t part_;
  unsigned rank_ = 0, size_ = 1;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Comm> mpi_ranks(int64_t timeout_ns, uint64_t part) {
  return std::make_unique<MpiRanks>(load(), timeout_ns, part);
}

}  // namespace mlq::ranks
