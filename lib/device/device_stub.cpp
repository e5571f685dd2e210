// lib/device in a build without CUDA.
#include "lib/base/error.h"
#include "lib/device/device.h"

namespace mlq::device {
namespace {

constexpr const char* kReason = "this build has no CUDA";

[[noreturn]] void none() { throw environment_error("no GPU can be used: {}", kReason); }

}  // namespace

bool available() { return false; }
std::string unavailable_reason() { return kReason; }
std::vector<DeviceInfo> devices() { return {}; }
Device open(int) { none(); }

void Device::use() const { none(); }
uint64_t Device::free_bytes() const { none(); }

PinnedBuffer::PinnedBuffer(const Device&, size_t) : PinnedBuffer() { none(); }
DeviceBuffer::DeviceBuffer(const Device&, size_t) : DeviceBuffer() { none(); }

Stream::Stream(const Device&) : handle_(nullptr, nullptr) { none(); }
void Stream::sync() const { none(); }
void Stream::wait(const Event&) const { none(); }

Event::Event(const Device&, Timing) : handle_(nullptr, nullptr) { none(); }
void Event::record(const Stream&) const { none(); }
bool Event::done() const { none(); }
void Event::sync() const { none(); }
double Event::seconds_since(const Event&) const { none(); }

void copy_to_device(void*, const void*, size_t, const Stream&) { none(); }
void copy_to_host(void*, const void*, size_t, const Stream&) { none(); }
void copy_on_device(void*, const void*, size_t, const Stream&) { none(); }
void zero(void*, size_t, const Stream&) { none(); }
void check_launch(const char*) { none(); }

}  // namespace mlq::device
