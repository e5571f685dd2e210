// Gathers where the weights lie on a CUDA device: they are encoded and applied there, and come to the host
// only where a file is written or copies travel.
#pragma once

#include "lib/device/device.h"
#include "lib/gather/backend.h"

namespace mlq::gather {

// A stream of the device. Needs there: of what a rank owns the weights, as many values of the state's type,
// what is sent, 32 bytes for 4096 elements, and of Cancel::residual two residuals and 4 bytes an element of
// the largest part; of the whole, what is held, and what arrives of all ranks, as long as the longest's.
// Errors: environment Errors of the device.
class DeviceBackend final : public Backend {
 public:
  explicit DeviceBackend(const device::Device& device);
  const device::Device& device() const { return device_; }
  // Where work is given.
  const device::Stream& stream() const { return stream_; }

  bool is_host() const override { return false; }
  Memory allocate(uint64_t bytes) override;
  Memory allocate_staging(uint64_t bytes) override;
  void upload(std::byte* to, std::span<const std::byte> from) override;
  void download(std::span<std::byte> to, const std::byte* from) override;
  void copy(std::byte* to, const std::byte* from, uint64_t bytes) override;
  void zero(std::byte* to, uint64_t bytes) override;
  void fill(std::byte* to, uint64_t bytes, const Read& read) override;
  std::vector<PartError> encode_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                                      std::span<const OwnPart> parts, std::byte* payload,
                                      const Ready& ready) override;
  void apply_parts(const Settings& settings, const Frame& frame, const Packing& packing,
                   std::span<const HeldPart> parts, const std::byte* payload) override;
  quant::Digest hash(const std::byte* at, uint64_t bytes) override;
  void finish() override { stream_.sync(); }

 private:
  // What the device counts of a part.
  struct Tally {
    kernels::EncodeCounts counts;
    uint64_t saturated = 0;
    struct {
      kernels::EncodeCounts counts;
      uint64_t saturated = 0;
    } of_residual;
  };
  // Memory that only grows; what was in it is lost then.
  template <class T>
  T* room(device::DeviceBuffer& buffer, uint64_t count);
  void encode_part(const Settings& settings, const Frame& frame, const OwnPart& own, uint8_t* codes,
                   void* scales, Tally* tally);
  void encode_residual(const Settings& settings, const Frame& frame, const OwnPart& own, uint8_t* codes,
                       void* scales, Tally* tally);

  device::Device device_;
  device::Stream stream_;
  device::PinnedBuffer staging_[2];  // for fill()
  device::Event staged_[2];
  device::DeviceBuffer tallies_, sums_, digests_, compensated_;
};

}  // namespace mlq::gather
