#include "lib/http/loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <ctime>
#include <limits>

#include <fmt/format.h>

#include "lib/http/connection.h"

namespace mlq::http {
namespace {

using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr int64_t kWatchNs = 20'000'000;  // how often the stop flag is looked at

}  // namespace

int64_t Server::now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

Loop::Loop(const ServerOptions& options, Handler handler) : options_(options), handler_(std::move(handler)) {}

void Loop::run(const StopFlag* stop) {
  if (stop != nullptr) watch(*stop);
  io_.run();
}

void Loop::watch(const StopFlag& stop) {
  if (stop) return post_stop(5'000'000'000);
  call_at(Server::now_ns() + kWatchNs, [this, &stop] { watch(stop); });
}

void Loop::post_stop(int64_t grace_ns) {
  boost::asio::post(io_, [this, grace_ns] { begin_stop(grace_ns); });
}

void Loop::begin_stop(int64_t grace_ns) {
  if (!stopping_) {
    stopping_ = true;
    if (on_stop) on_stop();
  }
  const auto all = open_;
  for (Connection* connection : all)
    if (connection->idle()) connection->close_now();
  const int64_t now = Server::now_ns();
  const int64_t limit = std::numeric_limits<int64_t>::max() - now;
  call_at(now + std::clamp<int64_t>(grace_ns, 0, limit), [this] {
    const auto left = open_;
    for (Connection* connection : left) connection->close_now();
  });
  end_if_done();
}

void Loop::closed(Connection& connection) {
  open_.erase(&connection);
  end_if_done();
}

void Loop::end_if_done() {
  if (stopping_ && open_.empty()) io_.stop();
}

void Loop::call_at(int64_t at_ns, std::function<void()> run) {
  timers_.push_back({at_ns, timers_set_++, std::move(run)});
  std::push_heap(timers_.begin(), timers_.end());
  if (!running_due_) arm();
}

void Loop::arm() {
  if (timers_.empty() || (armed_ && armed_ns_ <= timers_.front().at_ns)) return;
  armed_ = true;
  armed_ns_ = timers_.front().at_ns;
  timer_.expires_at(Clock::time_point(std::chrono::nanoseconds(armed_ns_)));
  timer_.async_wait([this](const error_code& error) {
    if (error) return;
    armed_ = false;
    run_due();
  });
}

// Timers that are set on the way and due wait for the next turn, so that sockets have theirs.
void Loop::run_due() {
  const int64_t now = Server::now_ns();
  running_due_ = true;
  while (!timers_.empty() && timers_.front().at_ns <= now) {
    std::pop_heap(timers_.begin(), timers_.end());
    const std::function<void()> run = std::move(timers_.back().run);
    timers_.pop_back();
    run();
  }
  running_due_ = false;
  arm();
}

const std::string& Loop::date_line() {
  const int64_t now = Server::now_ns();
  if (now < date_until_ns_) return date_line_;
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  tm utc{};
  gmtime_r(&wall.tv_sec, &utc);
  date_line_ = fmt::format("Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", kDays[utc.tm_wday], utc.tm_mday,
                           kMonths[utc.tm_mon], 1900 + utc.tm_year, utc.tm_hour, utc.tm_min, utc.tm_sec);
  date_until_ns_ = now + 1'000'000'000 - wall.tv_nsec;
  return date_line_;
}

}  // namespace mlq::http
