// Philox on the device gives the bits that it gives on the host.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/philox.h"

namespace {

using mlq::PhiloxCounter;
using mlq::PhiloxKey;

// The doubles of lib/base/random.h, from the same bits: (x >> 12 + 1/2) 2^-52.
__host__ __device__ double uniform_from_words(uint32_t low, uint32_t high) {
  const uint64_t x = (uint64_t{high} << 32) | low;
  return (static_cast<double>(x >> 12) + 0.5) * 0x1p-52;
}

__host__ __device__ PhiloxCounter counter_of(uint64_t i) {
  return {static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), static_cast<uint32_t>(i * 7), 3};
}

__global__ void fill(PhiloxKey key, uint64_t first, size_t n, PhiloxCounter* words, double* uniforms) {
  const size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  words[i] = mlq::philox4x32_10(counter_of(first + i), key);
  uniforms[i] = uniform_from_words(words[i].c0, words[i].c1);
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t n) : size_(n) {
    if (cudaMalloc(&data_, n * sizeof(T)) != cudaSuccess) throw std::bad_alloc();
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  T* get() const { return data_; }
  std::vector<T> to_host() const {
    std::vector<T> out(size_);
    if (cudaMemcpy(out.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost) != cudaSuccess)
      throw std::bad_alloc();
    return out;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

TEST(PhiloxDevice, GivesTheBitsOfTheHost) {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess || devices == 0) {
    GTEST_SKIP() << "no CUDA device: " << cudaGetErrorString(error);
  }
  constexpr size_t kMany = 100'003;
  constexpr uint64_t kFirst = (uint64_t{1} << 32) - 5;  // so that the counter carries into its second word
  constexpr PhiloxKey kKey{0xa4093822, 0x299f31d0};
  const DeviceArray<PhiloxCounter> words(kMany);
  const DeviceArray<double> uniforms(kMany);
  fill<<<(kMany + 255) / 256, 256>>>(kKey, kFirst, kMany, words.get(), uniforms.get());
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess) << cudaGetErrorString(cudaGetLastError());
  const auto device_words = words.to_host();
  const auto device_uniforms = uniforms.to_host();
  for (size_t i = 0; i < kMany; ++i) {
    const PhiloxCounter expected = mlq::philox4x32_10(counter_of(kFirst + i), kKey);
    ASSERT_EQ(std::memcmp(&device_words[i], &expected, sizeof expected), 0) << i;
    const double uniform = uniform_from_words(expected.c0, expected.c1);
    ASSERT_EQ(std::memcmp(&device_uniforms[i], &uniform, sizeof uniform), 0) << i;
  }
}

TEST(Philox, GivesTheKnownAnswersWhenCompiledByNvcc) {
  const PhiloxCounter got =
      mlq::philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  EXPECT_EQ(got.c0, 0xd16cfe09u);
  EXPECT_EQ(got.c1, 0x94fdccebu);
  EXPECT_EQ(got.c2, 0x5001e420u);
  EXPECT_EQ(got.c3, 0x24126ea1u);
}

}  // namespace
