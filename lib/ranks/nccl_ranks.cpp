#include "lib/ranks/nccl_ranks.h"

#include <dlfcn.h>

#include <chrono>
#include <thread>
#include <vector>

#include "lib/base/error.h"

namespace mlq::ranks {
namespace {

// Of nccl.h, as every version from 2.14 on has it. A library takes an older version's settings.
using Result = int;
constexpr Result kSuccess = 0, kInProgress = 7;
constexpr int kUint8 = 1;
constexpr int kOldest = 21400;
struct Config {
  size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = kOldest;
  int blocking = 0;
};
using NcclComm = void*;

using Clock = std::chrono::steady_clock;
constexpr auto kAwake = std::chrono::milliseconds(1);
constexpr auto kNap = std::chrono::microseconds(50);

}  // namespace

struct Nccl::Functions {
  Result (*version)(int*);
  Result (*unique_id)(NcclId*);
  Result (*init)(NcclComm*, int ranks, NcclId, int rank, Config*);
  Result (*async_error)(NcclComm, Result*);
  Result (*all_gather)(const void*, void*, size_t, int type, NcclComm, void* stream);
  Result (*broadcast)(const void*, void*, size_t, int type, int root, NcclComm, void* stream);
  Result (*group_start)();
  Result (*group_end)();
  Result (*abort)(NcclComm);
  const char* (*error_text)(Result);
  const char* (*last_error)(NcclComm);
};

Nccl Nccl::load(const std::string& library) {
  void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    throw environment_error(
        "NCCL cannot be used: {}; install NVIDIA's package libnccl2, or give --transport mpi", ::dlerror());
  const auto functions = std::make_shared<Functions>();
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    if (function == nullptr)
      throw environment_error("{} has no {}; install NCCL 2.14 or newer, or give --transport mpi", library,
                              name);
  };
  find("ncclGetVersion", functions->version);
  find("ncclGetUniqueId", functions->unique_id);
  find("ncclCommInitRankConfig", functions->init);
  find("ncclCommGetAsyncError", functions->async_error);
  find("ncclAllGather", functions->all_gather);
  find("ncclBroadcast", functions->broadcast);
  find("ncclGroupStart", functions->group_start);
  find("ncclGroupEnd", functions->group_end);
  find("ncclCommAbort", functions->abort);
  find("ncclGetErrorString", functions->error_text);
  find("ncclGetLastError", functions->last_error);
  int version = 0;
  functions->version(&version);
  if (version < kOldest)
    throw environment_error("{} is NCCL {}.{}; install 2.14 or newer, or give --transport mpi", library,
                            version / 10000, version % 10000 / 100);
  return Nccl(functions);
}

NcclId new_nccl_id(const Nccl& nccl) {
  NcclId id{};
  if (const Result result = nccl.functions().unique_id(&id); result != kSuccess)
    throw environment_error("NCCL: ncclGetUniqueId: {}", nccl.functions().error_text(result));
  return id;
}

namespace {

class NcclRanks final : public Comm {
 public:
  NcclRanks(const Nccl& nccl, const NcclId& id, Comm& host, const device::Device& device,
            const device::Stream& work, int64_t timeout_ns, const Late& late)
      : nccl_(nccl),
        call_(nccl.functions()),
        host_(host),
        device_(device),
        work_(work),
        stream_(device),
        ready_(device),
        timeout_(timeout_ns),
        late_(late) {
    Config config;
    const Result result =
        call_.init(&comm_, static_cast<int>(host.size()), id, static_cast<int>(host.rank()), &config);
    check("ncclCommInitRankConfig", result);
  }
  // All that was started has arrived, here and elsewhere, as notes by another way have said, or was
  // abandoned.
  ~NcclRanks() override { give_up(); }
  NcclRanks(const NcclRanks&) = delete;
  NcclRanks& operator=(const NcclRanks&) = delete;

  unsigned rank() const override { return host_.rank(); }
  unsigned size() const override { return host_.size(); }
  std::string_view transport() const override { return "NCCL"; }

  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    if (mine.empty()) return;
    device_.use();
    need_comm();
    ready_.record(work_);
    stream_.wait(ready_);
    if (stride == mine.size()) {
      check("ncclAllGather",
            call_.all_gather(mine.data(), all, mine.size(), kUint8, comm_, stream_.handle()));
    } else {
      // Pieces of buffers that lie further apart: each rank's to all.
      Result result = call_.group_start();
      for (unsigned root = 0; root < size() && result == kSuccess; ++root)
        result = accepted(call_.broadcast(mine.data(), all + root * stride, mine.size(), kUint8,
                                          static_cast<int>(root), comm_, stream_.handle()));
      const Result end = call_.group_end();
      check("ncclBroadcast", result == kSuccess ? end : result);
    }
    if (started_ == done_.size()) done_.emplace_back(device_);
    done_[started_++].record(stream_);
  }
  void progress() override {}  // the device goes on by itself
  void finish() override {
    device_.use();
    for (size_t i = 0; i < started_; ++i) wait("waiting for the ranks", [&] { return done_[i].done(); });
    started_ = 0;
  }
  // Memory that a call under way still wants cannot be freed: the device would wait for the call.
  void abandon() override { give_up(); }
  void barrier() override { host_.barrier(); }

 private:
  void need_comm() const {
    if (comm_ == nullptr) throw environment_error("NCCL: the ranks were given up; start them again");
  }
  static Result accepted(Result result) { return result == kInProgress ? kSuccess : result; }

  void give_up() {
    if (comm_ == nullptr) return;
    const Deadline deadline(
        timeout_, late_, environment_error("NCCL did not end within {} s; start the ranks again", seconds()));
    call_.abort(comm_);
    comm_ = nullptr;
  }
  [[noreturn]] void fail(const char* what, Result result) {
    const char* const text = comm_ == nullptr ? nullptr : call_.last_error(comm_);
    const std::string detail = text == nullptr || *text == '\0' ? "" : fmt::format(" ({})", text);
    const Error error =
        environment_error("NCCL: {}: {}{}; start the ranks again", what, call_.error_text(result), detail);
    give_up();
    throw error;
  }
  // Until the call that gave `result` is on its way: NCCL may still be setting up what it needs.
  void check(const char* what, Result result) {
    if (accepted(result) != kSuccess) fail(what, result);
    wait(what, [] { return true; });
  }
  // Until NCCL is not busy and done() holds.
  template <class Done>
  void wait(const char* what, const Done& done) {
    const auto begin = Clock::now();
    for (;;) {
      need_comm();
      Result state = kSuccess;
      const Result result = call_.async_error(comm_, &state);
      if (result != kSuccess) fail(what, result);
      if (accepted(state) != kSuccess) fail(what, state);
      if (state == kSuccess && done()) return;
      const auto waited = Clock::now() - begin;
      if (waited > std::chrono::nanoseconds(timeout_)) {
        give_up();
        throw environment_error("a rank did not come within {} s; start the ranks again, or give them longer",
                                seconds());
      }
      if (waited > kAwake) std::this_thread::sleep_for(kNap);
    }
  }

  double seconds() const { return static_cast<double>(timeout_) / 1e9; }

  Nccl nccl_;
  const Nccl::Functions& call_;
  Comm& host_;
  device::Device device_;
  const device::Stream& work_;
  device::Stream stream_;
  device::Event ready_;
  std::vector<device::Event> done_;  // of what was started since the last finish(), and spare ones
  size_t started_ = 0;
  int64_t timeout_;
  Late late_;
  NcclComm comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Comm> nccl_ranks(const Nccl& nccl, const NcclId& id, Comm& host, const device::Device& device,
                                 const device::Stream& work, int64_t timeout_ns, const Late& late) {
  return std::make_unique<NcclRanks>(nccl, id, host, device, work, timeout_ns, late);
}

}  // namespace mlq::ranks
