#include "lib/replay/mpi_start.h"

#include <dlfcn.h>

#include "lib/base/error.h"
#include "lib/base/module_path.h"

namespace mlq::replay {
namespace {

constexpr int64_t kAhead = 1'000'000'000;

}  // namespace

std::unique_ptr<MpiRanks> MpiRanks::load(std::string& why) {
  // RTLD_GLOBAL: Open MPI loads parts of its own that look for its symbols.
  void* const module = ::dlopen(module_path("mlq_mpi.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (module == nullptr) {
    why = ::dlerror();
    return nullptr;
  }
  const auto start = reinterpret_cast<MpiStartFunction>(::dlsym(module, "mlq_mpi_start"));
  const auto end = reinterpret_cast<MpiEndFunction>(::dlsym(module, "mlq_mpi_end"));
  if (start == nullptr || end == nullptr) {
    why = "mlq_mpi.so is of another version";
    return nullptr;
  }
  return std::unique_ptr<MpiRanks>(new MpiRanks(module, start, end));
}

MpiRanks::~MpiRanks() {
  if (started_) end_();  // the module stays loaded: MPI has handlers of its own until the process ends
}

MpiStart MpiRanks::start(uint32_t rank, uint32_t size) {
  MpiStart agreed;
  started_ = true;
  const int code = start_(kAhead, static_cast<int>(rank), static_cast<int>(size), &agreed);
  if (code == 1) {
    throw environment_error(
        "the launcher started {} processes, but MPI does not see them as ranks; say --start-at", size);
  }
  if (code != 0) throw environment_error("MPI does not start; say --start-at, as in --start-at @FILE");
  return agreed;
}

}  // namespace mlq::replay
