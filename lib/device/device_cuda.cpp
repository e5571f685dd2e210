// lib/device over the CUDA runtime. Compiled by the host compiler: the runtime's C interface needs no nvcc.
#include <cuda_runtime_api.h>

#include "lib/base/error.h"
#include "lib/device/device.h"

namespace mlq::device {
namespace {

// Compute capability * 10 of the oldest device that the kernels were compiled for.
#ifndef MLQ_CUDA_OLDEST
#define MLQ_CUDA_OLDEST 80
#endif

std::string text_of(cudaError_t error) {
  return fmt::format("{} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

std::string text_of(const cudaUUID_t& uuid) {
  std::string text = "GPU";
  for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
    const bool begins_group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    text += fmt::format("{}{:02x}", begins_group ? "-" : "", static_cast<uint8_t>(uuid.bytes[i]));
  }
  return text;
}

// `call` as its reader should see it, with what it was about.
void check(cudaError_t error, const std::string& call) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // an error that was reported must not be reported again by the next launch
  throw environment_error("{} failed: {}", call, text_of(error));
}

// A null pointer is what cudaMalloc gives for no bytes; an owner of a handle holds one that is not null.
size_t at_least_one(size_t bytes) { return bytes == 0 ? 1 : bytes; }

std::string on(const Device& device) {
  return fmt::format(" on device {} ({})", device.info().index, device.info().name);
}

// What cudaGetDeviceCount says, and in words what to make of it.
struct Count {
  int devices = 0;
  std::string reason;
};

Count count_devices() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return {0, "there is no NVIDIA driver"};
  }
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaErrorInsufficientDriver) {
    int runtime = 0;
    cudaRuntimeGetVersion(&runtime);
    return {0, fmt::format("the NVIDIA driver is for CUDA {}.{}, and this build needs {}.{}", driver / 1000,
                           driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10)};
  }
  if (error != cudaSuccess) return {0, text_of(error)};
  if (devices == 0) return {0, "the NVIDIA driver shows no device"};
  return {devices, ""};
}

DeviceInfo info_of(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), fmt::format("cudaGetDeviceProperties of {}", index));
  return {index,
          properties.name,
          text_of(properties.uuid),
          properties.totalGlobalMem,
          properties.major,
          properties.minor,
          properties.multiProcessorCount};
}

bool new_enough(const DeviceInfo& info) { return info.major * 10 + info.minor >= MLQ_CUDA_OLDEST; }

std::string too_old(const DeviceInfo& info) {
  return fmt::format("device {} ({}) has compute capability {}.{}, and the kernels need {}.{}", info.index,
                     info.name, info.major, info.minor, MLQ_CUDA_OLDEST / 10, MLQ_CUDA_OLDEST % 10);
}

struct Found {
  std::vector<DeviceInfo> usable;
  std::string reason;  // of the first that is not usable, or why there is none
};

Found look() {
  Found found;
  try {
    const Count count = count_devices();
    found.reason = count.reason;
    for (int i = 0; i < count.devices; ++i) {
      const DeviceInfo info = info_of(i);
      if (new_enough(info)) {
        found.usable.push_back(info);
      } else if (found.reason.empty()) {
        found.reason = too_old(info);
      }
    }
  } catch (const Error& error) {
    found.usable.clear();
    found.reason = error.what();
  }
  return found;
}

cudaStream_t raw(const Stream& stream) { return static_cast<cudaStream_t>(stream.handle()); }
cudaEvent_t raw(const Event& event) { return static_cast<cudaEvent_t>(event.handle()); }

void copy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, const Stream& stream,
          const char* what) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, bytes, kind, raw(stream)),
        fmt::format("cudaMemcpyAsync of {} bytes {}", bytes, what));
}

}  // namespace

bool available() { return !look().usable.empty(); }

std::string unavailable_reason() {
  const Found found = look();
  return found.usable.empty() ? found.reason : "";
}

std::vector<DeviceInfo> devices() { return look().usable; }

Device open(int index) {
  const Count count = count_devices();
  if (count.devices == 0) throw environment_error("no GPU can be used: {}", count.reason);
  if (index < 0 || index >= count.devices) {
    throw environment_error("there is no device {}: the devices are 0 to {}", index, count.devices - 1);
  }
  const DeviceInfo info = info_of(index);
  if (!new_enough(info)) throw environment_error("no GPU can be used: {}", too_old(info));
  Device device(info);
  device.use();
  check(cudaFree(nullptr), "setting up a context" + on(device));
  return device;
}

void Device::use() const {
  check(cudaSetDevice(info_.index), fmt::format("cudaSetDevice of {}", info_.index));
}

uint64_t Device::free_bytes() const {
  use();
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo" + on(*this));
  return free;
}

PinnedBuffer::PinnedBuffer(const Device& device, size_t bytes) : PinnedBuffer() {
  device.use();
  void* data = nullptr;
  check(cudaHostAlloc(&data, at_least_one(bytes), cudaHostAllocPortable),
        fmt::format("cudaHostAlloc of {} bytes", bytes));
  data_ = detail::Handle(data, [](void* p) { cudaFreeHost(p); });
  size_ = bytes;
}

DeviceBuffer::DeviceBuffer(const Device& device, size_t bytes) : DeviceBuffer() {
  device.use();
  void* data = nullptr;
  check(cudaMalloc(&data, at_least_one(bytes)), fmt::format("cudaMalloc of {} bytes{}", bytes, on(device)));
  data_ = detail::Handle(data, [](void* p) { cudaFree(p); });
  size_ = bytes;
}

Stream::Stream(const Device& device) : handle_(nullptr, nullptr) {
  device.use();
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate" + on(device));
  handle_ = detail::Handle(stream, [](void* p) { cudaStreamDestroy(static_cast<cudaStream_t>(p)); });
}

void Stream::sync() const { check(cudaStreamSynchronize(raw(*this)), "cudaStreamSynchronize"); }

void Stream::wait(const Event& event) const {
  check(cudaStreamWaitEvent(raw(*this), raw(event), 0), "cudaStreamWaitEvent");
}

Event::Event(const Device& device, Timing timing) : handle_(nullptr, nullptr) {
  device.use();
  cudaEvent_t event = nullptr;
  const unsigned flags = timing == Timing::on ? cudaEventDefault : cudaEventDisableTiming;
  check(cudaEventCreateWithFlags(&event, flags), "cudaEventCreate" + on(device));
  handle_ = detail::Handle(event, [](void* p) { cudaEventDestroy(static_cast<cudaEvent_t>(p)); });
}

void Event::record(const Stream& stream) const {
  check(cudaEventRecord(raw(*this), raw(stream)), "cudaEventRecord");
}

bool Event::done() const {
  const cudaError_t error = cudaEventQuery(raw(*this));
  if (error == cudaErrorNotReady) {
    cudaGetLastError();  // or the next launch might report it
    return false;
  }
  check(error, "cudaEventQuery");
  return true;
}

void Event::sync() const { check(cudaEventSynchronize(raw(*this)), "cudaEventSynchronize"); }

double Event::seconds_since(const Event& earlier) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, raw(earlier), raw(*this)), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e-3;
}

void copy_to_device(void* to, const void* from, size_t bytes, const Stream& stream) {
  copy(to, from, bytes, cudaMemcpyHostToDevice, stream, "to the device");
}

void copy_to_host(void* to, const void* from, size_t bytes, const Stream& stream) {
  copy(to, from, bytes, cudaMemcpyDeviceToHost, stream, "to the host");
}

void copy_on_device(void* to, const void* from, size_t bytes, const Stream& stream) {
  copy(to, from, bytes, cudaMemcpyDeviceToDevice, stream, "on the device");
}

void zero(void* to, size_t bytes, const Stream& stream) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(to, 0, bytes, raw(stream)), fmt::format("cudaMemsetAsync of {} bytes", bytes));
}

void check_launch(const char* what) { check(cudaGetLastError(), fmt::format("the launch of {}", what)); }

}  // namespace mlq::device
