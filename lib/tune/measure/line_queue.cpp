#include "lib/tune/measure/line_queue.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "lib/base/error.h"
#include "lib/base/stop.h"
#include "lib/jsonl/line_reader.h"

namespace mlq::tune {
namespace {

constexpr size_t kMostLine = size_t{1} << 20;
constexpr auto kPoll = std::chrono::milliseconds(50);

// As it is asked for.
class PlainLines final : public Lines {
 public:
  PlainLines(const std::string& path, const StopFlag& stop) : reader_(Input::open(path, &stop), kMostLine) {}
  bool take(std::string& line, int64_t) override {
    jsonl::Line next;
    if (ended_ || !reader_.next(next)) {
      ended_ = true;
      return false;
    }
    line = next.text;
    return true;
  }
  bool ended() const override { return ended_; }

 private:
  jsonl::LineReader reader_;
  bool ended_ = false;
};

// A file that goes on.
class FollowedFile {
 public:
  explicit FollowedFile(std::string path) : path_(std::move(path)) { open(); }
  ~FollowedFile() { ::close(fd_); }
  FollowedFile(const FollowedFile&) = delete;
  FollowedFile& operator=(const FollowedFile&) = delete;

  // Blocks for at least one byte; 0 after a request to stop.
  size_t read(char* out, size_t size, const StopFlag& stop) {
    while (!stop) {
      const ssize_t n = ::read(fd_, out, size);
      if (n > 0) {
        at_ += n;
        return static_cast<size_t>(n);
      }
      if (n < 0 && errno != EINTR)
        throw environment_error("{}: cannot be read: {}", path_, std::strerror(errno));
      std::this_thread::sleep_for(kPoll);
      if (was_replaced()) {
        ::close(fd_);
        open();
      }
    }
    return 0;
  }

 private:
  void open() {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw environment_error("{}: cannot be opened: {}", path_, std::strerror(errno));
    at_ = 0;
  }
  bool was_replaced() const {
    struct stat ours, theirs;
    if (::fstat(fd_, &ours) != 0 || ::stat(path_.c_str(), &theirs) != 0) return false;
    return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev || theirs.st_size < at_;
  }

  std::string path_;
  int fd_ = -1;
  off_t at_ = 0;
};

// A thread that reads into a queue.
class ReadAhead final : public Lines {
 public:
  ReadAhead(const std::string& path, bool follow) {
    if (follow && path != "-") file_ = std::make_unique<FollowedFile>(path);
    thread_ = std::thread([this, path] { run(path); });
  }
  ~ReadAhead() override {
    halt_.request(SIGTERM);
    thread_.join();
  }
  bool take(std::string& line, int64_t wait_ns) override { return queue_.take(line, wait_ns); }
  bool ended() const override { return queue_.ended(); }
  uint64_t dropped() const override { return queue_.dropped(); }
  bool skip_old() override { return queue_.skip_old(); }

 private:
  Input input(const std::string& path) {
    if (!file_) return Input::open(path, &halt_);
    return Input::from_source(
        path, [this](char* out, size_t size) { return file_->read(out, size, halt_); }, &halt_);
  }
  void run(const std::string& path) {
    try {
      jsonl::LineReader reader(input(path), kMostLine);
      for (jsonl::Line line; !halt_ && reader.next(line);) queue_.put(std::string(line.text));
      queue_.end();
    } catch (...) {
      queue_.end(std::current_exception());
    }
  }

  StopFlag halt_;
  LineQueue queue_;
  std::unique_ptr<FollowedFile> file_;
  std::thread thread_;
};

bool is_regular_stdin() {
  struct stat info;
  return ::fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

void LineQueue::put(std::string line) {
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= most_) {
      lines_.pop_front();
      ++dropped_;
    }
    lines_.push_back(std::move(line));
  }
  arrived_.notify_one();
}

void LineQueue::end(std::exception_ptr failure) {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    failure_ = std::move(failure);
  }
  arrived_.notify_one();
}

bool LineQueue::take(std::string& line, int64_t wait_ns) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, std::chrono::nanoseconds(wait_ns), [this] { return !lines_.empty() || ended_; });
  if (lines_.empty()) {
    if (failure_) std::rethrow_exception(failure_);
    return false;
  }
  line = std::move(lines_.front());
  lines_.pop_front();
  return true;
}

bool LineQueue::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_ && lines_.empty();
}

uint64_t LineQueue::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

bool LineQueue::skip_old() {
  const std::lock_guard lock(mutex_);
  lines_.clear();
  return true;
}

std::unique_ptr<Lines> open_lines(const std::string& path, bool follow, const StopFlag& stop) {
  if (follow || (path == "-" && !is_regular_stdin())) return std::make_unique<ReadAhead>(path, follow);
  return std::make_unique<PlainLines>(path, stop);
}

}  // namespace mlq::tune
