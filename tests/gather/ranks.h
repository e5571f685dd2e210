// Ranks as threads, each with a Gather of its own, over models in a folder of the test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <thread>

#include "lib/gather/gather.h"
#include "lib/ranks/in_process.h"
#include "tests/quant/models.h"

namespace mlq::gather::test {

using quant::test::normal_tensor;
using quant::test::TestTensor;
using quant::test::write_model;
using tensorfile::Dtype;

// What happens to a rank's calls on their way: for faults.
class Tampered final : public ranks::Comm {
 public:
  using Mine = std::function<void(size_t call, std::span<std::byte> mine)>;
  using All = std::function<void(size_t call, size_t each, std::span<std::byte> all)>;
  Tampered(ranks::Comm& comm, Mine mine, All all)
      : comm_(comm), mine_(std::move(mine)), all_(std::move(all)) {}
  unsigned rank() const override { return comm_.rank(); }
  unsigned size() const override { return comm_.size(); }
  std::string_view transport() const override { return comm_.transport(); }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t stride) override {
    std::vector<std::byte> sent(mine.begin(), mine.end());
    if (mine_) mine_(calls_, sent);
    comm_.start(sent, all, stride);
    comm_.finish();
    if (all_) all_(calls_, sent.size(), {all, stride * (size() - 1) + sent.size()});
    ++calls_;
  }
  void progress() override {}
  void finish() override {}
  void barrier() override { comm_.barrier(); }

 private:
  ranks::Comm& comm_;
  Mine mine_;
  All all_;
  size_t calls_ = 0;
};

// What each rank threw; empty where it threw nothing.
using Outcomes = std::vector<std::string>;
inline constexpr int64_t kTestTimeout = 60'000'000'000;

template <class Work>
Outcomes on_ranks(unsigned size, const Work& work, int64_t timeout_ns = kTestTimeout) {
  auto comms = ranks::in_process_ranks(size, timeout_ns);
  Outcomes outcomes(size);
  std::vector<std::thread> threads;
  for (unsigned rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      outcomes[rank] = quant::test::error_of([&] { work(*comms[rank]); });
      comms[rank].reset();
    });
  for (auto& thread : threads) thread.join();
  return outcomes;
}

inline const SteadyClock kClock;

inline std::function<tensorfile::Source()> opens(const std::string& path) {
  return [path] { return tensorfile::open_source(path); };
}

inline GatherOptions options_of(Cancel cancel, unsigned bits, Float state = Float::bf16) {
  GatherOptions options;
  options.settings = default_settings(cancel, bits);
  options.settings.state = state;
  options.selection.min_elems = 1;
  return options;
}

}  // namespace mlq::gather::test
