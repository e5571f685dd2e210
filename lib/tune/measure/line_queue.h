// Lines of a stream, as a window takes them: from a thread that reads ahead, or as they are asked for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "lib/base/io.h"
#include "lib/base/stop.h"

namespace mlq::tune {

class Lines {
 public:
  virtual ~Lines() = default;
  // The next line without its end. Waits at most `wait_ns`; false if there is none then.
  virtual bool take(std::string& line, int64_t wait_ns) = 0;
  // Nothing is left and nothing will come.
  virtual bool ended() const = 0;
  // Lines that were lost so far because they were not taken in time.
  virtual uint64_t dropped() const { return 0; }
  // Of a live stream, what is there was written before now: it is passed over, so that what is taken next is
  // new, and true returned. A file that is not followed has no now.
  virtual bool skip_old() { return false; }
};

// From one thread to another. When it is full the oldest line is dropped and counted, so that what is
// measured is the present.
class LineQueue final : public Lines {
 public:
  static constexpr size_t kMost = 65'536;
  explicit LineQueue(size_t most = kMost) : most_(most) {}

  // Of the reader.
  void put(std::string line);
  void end(std::exception_ptr failure = nullptr);  // why the stream could not be read to its end

  // Of the one who measures. take() throws the failure once nothing is left.
  bool take(std::string& line, int64_t wait_ns) override;
  bool ended() const override;
  uint64_t dropped() const override;
  bool skip_old() override;

 private:
  const size_t most_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::string> lines_;
  uint64_t dropped_ = 0;
  bool ended_ = false;
  std::exception_ptr failure_;
};

// `path` (- is standard input) read from beginning to end as it is asked for; with `follow`, by a thread that
// goes on at the end of the file, and begins anew when the file was cut or another has taken its place.
// Standard input that is no regular file is always read by a thread. A request to stop ends the lines.
// Errors: environment if the file cannot be opened; others come from take(), as Input's.
std::unique_ptr<Lines> open_lines(const std::string& path, bool follow, const StopFlag& stop);

}  // namespace mlq::tune
