#include "lib/simigrad/gram/block_sums.h"

#include <algorithm>
#include <cstring>

namespace mlq::simigrad {
namespace {

using kernels::gram_blocks;
using kernels::gram_sums;
using kernels::GramGroups;
using kernels::NonFinite;

class CpuSums final : public BlockSums {
 public:
  void add(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) override {
    kernels::gram_blocks_simd(groups, elems, sums, nonfinite);
  }
};

constexpr uint64_t kAlignment = 256;  // bytes; of a group's elements on the device

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class DeviceSums final : public BlockSums {
 public:
  DeviceSums(const device::Device& device, unsigned groups, uint64_t bytes)
      : device_(device),
        stride_(aligned(bytes)),
        result_bytes_(groups * sizeof(NonFinite) +
                      // Elements of one byte make the most blocks of so many bytes.
                      gram_blocks(bytes) * gram_sums(groups) * sizeof(double)),
        stream_(device),
        host_(device, groups * stride_),
        there_(device, groups * stride_),
        host_result_(device, result_bytes_),
        there_result_(device, result_bytes_) {}

  void add(const GramGroups& groups, uint64_t elems, double* sums, NonFinite* nonfinite) override {
    device_.use();
    const uint64_t bytes = elems * size_of(groups.type), head = groups.count * sizeof(NonFinite);
    const uint64_t sum_bytes = gram_blocks(elems) * gram_sums(groups.count) * sizeof(double);
    GramGroups there = groups;
    for (unsigned i = 0; i < groups.count; ++i) {
      std::memcpy(host_.data() + i * stride_, groups.data[i], bytes);
      device::copy_to_device(there_.data() + i * stride_, host_.data() + i * stride_, bytes, stream_);
      there.data[i] = there_.data() + i * stride_;
    }
    std::memcpy(host_result_.data(), nonfinite, head);
    device::copy_to_device(there_result_.data(), host_result_.data(), head, stream_);
    kernels::gram_blocks_cuda(there, elems, reinterpret_cast<double*>(there_result_.data() + head),
                              reinterpret_cast<NonFinite*>(there_result_.data()), stream_.handle());
    device::check_launch("gram_blocks");
    device::copy_to_host(host_result_.data(), there_result_.data(), head + sum_bytes, stream_);
    stream_.sync();
    std::memcpy(nonfinite, host_result_.data(), head);
    std::memcpy(sums, host_result_.data() + head, sum_bytes);
  }

 private:
  device::Device device_;
  uint64_t stride_, result_bytes_;
  device::Stream stream_;
  device::PinnedBuffer host_;
  device::DeviceBuffer there_;
  device::PinnedBuffer host_result_;
  device::DeviceBuffer there_result_;
};

}  // namespace

std::unique_ptr<BlockSums> cpu_block_sums() { return std::make_unique<CpuSums>(); }

std::unique_ptr<BlockSums> device_block_sums(const device::Device& device, unsigned groups, uint64_t bytes) {
  return std::make_unique<DeviceSums>(device, groups, bytes);
}

}  // namespace mlq::simigrad
