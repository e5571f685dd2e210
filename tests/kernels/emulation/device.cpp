// lib/device over the emulation: four devices, whose memory is the heap and whose work is done when it is
// given. Memory begins with bytes that no number of a test has, so that what was not written shows.
#include "lib/device/device.h"

#include <cstdlib>
#include <cstring>

namespace mlq::device {
namespace {

constexpr int kNotWritten = 0xa5;

detail::Handle allocate(size_t bytes) {
  const size_t size = (bytes + 256) / 256 * 256;
  void* data = std::aligned_alloc(256, size);
  std::memset(data, kNotWritten, size);
  return {data, [](void* p) { std::free(p); }};
}

void copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace

bool available() { return true; }
std::string unavailable_reason() { return ""; }
std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> out;
  for (int i = 0; i < 4; ++i)
    out.push_back({i, "emulation", "GPU-" + std::to_string(i), uint64_t{1} << 30, 9, 0, 1});
  return out;
}
Device open(int index) { return Device(devices().at(static_cast<size_t>(index))); }
void Device::use() const {}
uint64_t Device::free_bytes() const { return info_.memory_bytes; }

PinnedBuffer::PinnedBuffer(const Device&, size_t bytes) : data_(allocate(bytes)), size_(bytes) {}
DeviceBuffer::DeviceBuffer(const Device&, size_t bytes) : data_(allocate(bytes)), size_(bytes) {}

Stream::Stream(const Device&) : handle_(nullptr, [](void*) {}) {}
void Stream::sync() const {}
void Stream::wait(const Event&) const {}
Event::Event(const Device&, Timing) : handle_(nullptr, [](void*) {}) {}
void Event::record(const Stream&) const {}
bool Event::done() const { return true; }
void Event::sync() const {}
double Event::seconds_since(const Event&) const { return 0; }

void copy_to_device(void* to, const void* from, size_t bytes, const Stream&) { copy(to, from, bytes); }
void copy_to_host(void* to, const void* from, size_t bytes, const Stream&) { copy(to, from, bytes); }
void copy_on_device(void* to, const void* from, size_t bytes, const Stream&) { copy(to, from, bytes); }
void zero(void* to, size_t bytes, const Stream&) {
  if (bytes > 0) std::memset(to, 0, bytes);
}
void check_launch(const char*) {}

}  // namespace mlq::device
