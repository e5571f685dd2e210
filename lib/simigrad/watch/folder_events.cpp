#include "lib/simigrad/watch/folder_events.h"

#include <poll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

namespace mlq::simigrad {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// How soon a stop request is seen.
constexpr auto kGlance = std::chrono::milliseconds(100);

}  // namespace

FolderEvents::FolderEvents(std::string folder)
    : folder_(std::move(folder)), events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

void FolderEvents::add(const std::string& folder) {
  if (watches_.contains(folder)) return;
  const int watch = ::inotify_add_watch(events_.get(), folder.c_str(),
                                        IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR);
  if (watch >= 0) watches_.emplace(folder, watch);
}

void FolderEvents::cover() {
  if (!events_) return;
  add(folder_);
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (at->is_directory(ignored)) add(at->path().string());
  }
}

// Empties the queue. True if there was more than the making of empty files.
bool FolderEvents::take_events() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  bool any = false;
  for (ssize_t size; (size = ::read(events_.get(), buffer.data(), buffer.size())) > 0;) {
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      any |= (event.mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_ISDIR | IN_Q_OVERFLOW)) != 0;
      // Its folder has gone; a new one of the same name is to be taken in.
      if ((event.mask & IN_IGNORED) != 0)
        std::erase_if(watches_, [&](const auto& known) { return known.second == event.wd; });
    }
  }
  return any;
}

bool FolderEvents::wait(int64_t ns, const StopFlag& stop) {
  const auto until = Clock::now() + std::chrono::nanoseconds(ns);
  while (!stop) {
    const auto left = until - Clock::now();
    if (left <= Clock::duration::zero()) break;
    const auto glance = std::min<Clock::duration>(left, kGlance);
    if (!events_) {
      std::this_thread::sleep_for(glance);
      continue;
    }
    pollfd ready = {events_.get(), POLLIN, 0};
    const int milliseconds = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(glance).count());
    if (::poll(&ready, 1, milliseconds) > 0 && take_events()) return true;
  }
  return false;
}

}  // namespace mlq::simigrad
