// Memory of the device for tests, with what is around an array kept in sight. Takes nothing but CUDA's
// runtime, the real one or the emulated.
#pragma once

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace mlq::kernels::test {

// Why there is nothing to run on; empty if there is.
inline std::string why_no_device() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess) return cudaGetErrorString(error);
  return devices == 0 ? "no CUDA device" : "";
}

inline void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// After a kernel: what its launch and its run said.
inline void finish() {
  check(cudaGetLastError(), "launch");
  check(cudaDeviceSynchronize(), "kernel");
}

class DeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_device(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

// `bytes` on the device, beginning `shift` bytes after an aligned address, between two guards.
class DeviceBytes {
 public:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kUntouched = 0xa5;

  explicit DeviceBytes(size_t bytes, size_t shift = 0) : bytes_(bytes), shift_(shift) {
    check(cudaMalloc(&base_, bytes + shift + 2 * kGuard), "cudaMalloc");
    check(cudaMemset(base_, kUntouched, bytes + shift + 2 * kGuard), "cudaMemset");
  }
  DeviceBytes(const void* from, size_t bytes, size_t shift = 0) : DeviceBytes(bytes, shift) {
    if (bytes > 0) check(cudaMemcpy(data(), from, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  ~DeviceBytes() { cudaFree(base_); }
  DeviceBytes(const DeviceBytes&) = delete;
  DeviceBytes& operator=(const DeviceBytes&) = delete;

  void* data() const { return static_cast<uint8_t*>(base_) + kGuard + shift_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data());
  }
  size_t size() const { return bytes_; }

  // The bytes; throws if one before or after them was written.
  std::vector<uint8_t> to_host() const {
    std::vector<uint8_t> all(bytes_ + shift_ + 2 * kGuard);
    check(cudaMemcpy(all.data(), base_, all.size(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    const size_t first = kGuard + shift_;
    for (size_t i = 0; i < all.size(); ++i) {
      if ((i < first || i >= first + bytes_) && all[i] != kUntouched)
        throw std::runtime_error("byte " + std::to_string(static_cast<long>(i) - static_cast<long>(first)) +
                                 " of " + std::to_string(bytes_) + " was written");
    }
    return {all.begin() + static_cast<long>(first), all.begin() + static_cast<long>(first + bytes_)};
  }
  template <class T>
  T value() const {
    T out;
    check(cudaMemcpy(&out, data(), sizeof out, cudaMemcpyDeviceToHost), "cudaMemcpy");
    return out;
  }

 private:
  void* base_ = nullptr;
  size_t bytes_, shift_;
};

// Empty if they are equal.
inline std::string difference(const char* what, const std::vector<uint8_t>& a,
                              const std::vector<uint8_t>& b) {
  if (a.size() != b.size()) return std::string(what) + " differ in size";
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i])
      return std::string(what) + " differ first at byte " + std::to_string(i) + " of " +
             std::to_string(a.size()) + ": " + std::to_string(a[i]) + ", not " + std::to_string(b[i]);
  }
  return {};
}

template <class T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
  const auto* first = reinterpret_cast<const uint8_t*>(values.data());
  return {first, first + values.size() * sizeof(T)};
}

}  // namespace mlq::kernels::test
