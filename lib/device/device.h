// A CUDA device as the library uses it: whether one is there, its memory, streams, events and copies.
//
// Everything here compiles and links without CUDA (device_stub.cpp): then available() is false, and whatever
// needs a device throws. With CUDA (device_cuda.cpp) the runtime is linked statically and asks for the driver
// only when it is used, so a program starts and runs on a machine without one. A call that fails throws
// environment_error with the call and the reason; destructors stay silent.
//
// CUDA has one current device a thread. Whatever is constructed with a Device makes it the calling thread's;
// a thread that did not construct anything calls use() before it launches kernels. Work on a stream is done
// in order, and asynchronously: a buffer must outlive the work that was given for it. No object here is
// shared between threads without a lock, except that any thread may copy a Device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mlq::device {

struct DeviceInfo {
  int index = 0;  // what open() takes
  std::string name;
  std::string uuid;  // as nvidia-smi has it: GPU-, and groups of hexadecimal digits
  uint64_t memory_bytes = 0;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
};

// Whether a device can be used, and if none can, why: one clause without a full stop, such as "this build has
// no CUDA" or "there is no NVIDIA driver". Neither throws.
bool available();
std::string unavailable_reason();

// The usable devices; none if available() is false.
std::vector<DeviceInfo> devices();

// A device whose context is set up. A value: copies are the same device.
class Device {
 public:
  const DeviceInfo& info() const { return info_; }
  // Makes it the calling thread's device.
  void use() const;
  // What cudaMalloc could give at this moment.
  uint64_t free_bytes() const;

 private:
  friend Device open(int index);
  explicit Device(DeviceInfo info) : info_(std::move(info)) {}
  DeviceInfo info_;
};

// Throws if there is no such device or it cannot be used. Takes a fraction of a second the first time.
Device open(int index = 0);

namespace detail {
using Handle = std::unique_ptr<void, void (*)(void*)>;
}

// Host memory that the device reads and writes by itself, at the full rate of the bus. Not initialised.
// Costly to make (the system pins each page): make few and keep them.
class PinnedBuffer {
 public:
  PinnedBuffer() : data_(nullptr, nullptr) {}
  PinnedBuffer(const Device& device, size_t bytes);
  std::byte* data() const { return static_cast<std::byte*>(data_.get()); }
  size_t size() const { return size_; }

 private:
  detail::Handle data_;
  size_t size_ = 0;
};

// Memory of the device, aligned to 256 bytes. Not initialised.
class DeviceBuffer {
 public:
  DeviceBuffer() : data_(nullptr, nullptr) {}
  DeviceBuffer(const Device& device, size_t bytes);
  std::byte* data() const { return static_cast<std::byte*>(data_.get()); }
  size_t size() const { return size_; }

 private:
  detail::Handle data_;
  size_t size_ = 0;
};

class Event;

// A queue of work, which does not wait for the default stream. The destructor does not wait for the work.
class Stream {
 public:
  explicit Stream(const Device& device);
  // The cudaStream_t, as kernels take it.
  void* handle() const { return handle_.get(); }
  // Waits until all work given so far is done; throws what went wrong in it.
  void sync() const;
  // Work given from now on waits for the event.
  void wait(const Event& event) const;

 private:
  detail::Handle handle_;
};

// A mark in a stream.
class Event {
 public:
  enum class Timing : uint8_t { off, on };
  explicit Event(const Device& device, Timing timing = Timing::off);
  void record(const Stream& stream) const;
  // Whether the work before the mark is done; true before the first record().
  bool done() const;
  void sync() const;
  // From the mark `earlier` to this one; both with Timing::on, and done.
  double seconds_since(const Event& earlier) const;
  void* handle() const { return handle_.get(); }

 private:
  detail::Handle handle_;
};

// Asynchronous, in the order of the stream. From or to host memory that is not pinned they are right but
// slow.
void copy_to_device(void* to, const void* from, size_t bytes, const Stream& stream);
void copy_to_host(void* to, const void* from, size_t bytes, const Stream& stream);
void copy_on_device(void* to, const void* from, size_t bytes, const Stream& stream);
void zero(void* to, size_t bytes, const Stream& stream);

// After a kernel's launch: throws if it could not be launched, naming `what`. Faults while it runs show at
// the next sync().
void check_launch(const char* what);

}  // namespace mlq::device
