// Pieces of tensors given out to threads, in order, in bounded memory.
//
// A thread takes a piece, reads it, computes and writes, and only then takes the next: what is in memory are
// as many pieces as there are threads. There are more threads than may compute at once, so that some read and
// write meanwhile.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>
#include <vector>

#include "lib/base/stop.h"
#include "lib/device/device.h"
#include "lib/quant/frames.h"

namespace mlq::quant {

class DeviceCoder;

// What a thread has of its own. Buffers keep their size from piece to piece.
struct Worker {
  Worker();
  ~Worker();

  std::counting_semaphore<>* computing = nullptr;
  std::unique_ptr<DeviceCoder> device;  // null: the CPU computes
  std::vector<std::byte> input, values, decoded, other, packed, sections;
  FramePacker packer;
  FrameUnpacker unpacker;

  // Runs `work` in one of the places for computing.
  template <class F>
  void compute(F&& work) {
    computing->acquire();
    struct Release {
      std::counting_semaphore<>* slots;
      ~Release() { slots->release(); }
    } release{computing};
    work();
  }
};

// The work on one tensor: passes one after the other, each over all pieces. run() is called by several
// threads at once for different pieces of a pass; begin(), end_pass() and end() by one.
class Work {
 public:
  virtual ~Work() = default;
  virtual void begin() {}  // before the first piece; what is kept until end() is made here
  virtual unsigned passes() const { return 1; }  // may grow in end_pass() of a pass that is not the last
  virtual size_t pieces() const = 0;             // at least 1
  virtual void run(unsigned pass, size_t piece, Worker& worker) = 0;
  virtual void end_pass(unsigned /*pass*/) {}  // all pieces of it are done
  virtual void end() {}                        // after the last pass; in the order of the works
};

struct ScheduleOptions {
  unsigned compute_threads = 1;
  unsigned workers = 3;                       // threads; at least compute_threads is sensible
  std::optional<device::Device> device = {};  // that workers compute on
  const StopFlag* stop = nullptr;             // seen between pieces
  std::function<void()> on_failure;  // called once, by the thread that fails: to wake those that wait for it
};

// Does them all. The first exception ends the others at their next piece and is thrown. Returns false if a
// stop request ended it.
bool run_schedule(std::span<const std::unique_ptr<Work>> works, const ScheduleOptions& options);

// Lets numbered callers through one after the other: 0, 1, 2 ... After abort() every wait throws Aborted.
class Turnstile {
 public:
  struct Aborted {};
  void wait_for(uint64_t number);
  void pass();  // the next number may go
  void abort();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0;
  bool aborted_ = false;
};

}  // namespace mlq::quant
