// What the curl engine adds to libcurl: CPU per request of CurlEngine, and of a bare loop around
// curl_multi_socket_action written as the manual shows it, both keeping 64 and 512 small GETs in flight.
// They take turns on the same server in the same process.
// usage: replay_engine_bench URL [REQUESTS]     default 100000; a server with keep-alive, such as nginx
#include <curl/curl.h>
#include <sys/epoll.h>

#include <cstdlib>
#include <memory>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/http/curl_engine.h"
#include "tests/bench/bench.h"

namespace {

using namespace mlq;

http::ClientConfig config_of(const http::Url& url) {
  http::ClientConfig config;
  config.url = url;
  return config;
}

// Keeps the engine busy until `wanted` requests are done. The address must outlive it.
class Ours final : public http::ClientEvents {
 public:
  Ours(const http::Url& url, uint32_t inflight) : engine_(config_of(url), inflight, clock_, *this) {
    request_.target = url.target;
    http::TransferEnd failure;
    if (engine_.open_connections(inflight, url.target, clock_.now_ns() + 5'000'000'000, failure) != inflight)
      throw environment_error("no connections: {}", failure.note);
    for (uint32_t tag = 0; tag < inflight; ++tag) free_.push_back(tag);
  }

  void run(uint64_t wanted) {
    const uint64_t end = done_ + wanted;
    for (uint64_t sent = done_; done_ < end;) {
      for (; !free_.empty() && sent < end; ++sent) {
        const uint32_t tag = free_.back();
        free_.pop_back();
        engine_.submit(tag, request_);
      }
      engine_.poll(clock_.now_ns() + 100'000'000);
    }
    if (bytes_ == 0) throw environment_error("no answers");
  }

  void on_send(uint32_t, int64_t, const http::SendInfo&) override {}
  void on_sent(uint32_t, int64_t) override {}
  void on_header(uint32_t, std::string_view, int64_t) override {}
  bool on_body(uint32_t, std::string_view piece, int64_t) override {
    bytes_ += piece.size();
    return true;
  }
  void on_done(uint32_t tag, int64_t, const http::TransferEnd& end, bool) override {
    if (end.fault != http::Fault::none) throw environment_error("a request failed: {}", end.note);
    ++done_;
    free_.push_back(tag);
  }

 private:
  http::ClientRequest request_;
  SteadyClock clock_;
  std::vector<uint32_t> free_;
  uint64_t done_ = 0;
  uint64_t bytes_ = 0;
  http::CurlEngine engine_;
};

// One multi handle, one epoll instance, a handle a request in flight.
class Bare {
 public:
  Bare(const char* url, uint32_t inflight) : multi_(curl_multi_init()), epoll_(::epoll_create1(0)) {
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &on_socket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &on_timer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(2 * inflight));
    for (uint32_t k = 0; k < inflight; ++k) {
      CURL* easy = curl_easy_init();
      curl_easy_setopt(easy, CURLOPT_URL, url);
      curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      curl_easy_setopt(easy, CURLOPT_PROXY, "");
      curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
      curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
      free_.push_back(easy);
    }
    run(inflight);  // opens the connections
  }

  void run(uint64_t wanted) {
    const uint64_t end = done_ + wanted;
    for (uint64_t sent = done_; done_ < end;) {
      for (; !free_.empty() && sent < end; ++sent) {
        curl_multi_add_handle(multi_, free_.back());
        free_.pop_back();
        act(CURL_SOCKET_TIMEOUT, 0);
      }
      epoll_event events[256];
      const int ready = ::epoll_wait(epoll_, events, 256, wait_ms());
      for (int k = 0; k < ready; ++k) {
        const uint32_t e = events[k].events;
        act(events[k].data.fd, (e & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                                   (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                   (e & EPOLLERR ? CURL_CSELECT_ERR : 0));
      }
      if (wait_ms() == 0) act(CURL_SOCKET_TIMEOUT, 0);
      int left = 0;
      while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        if (message->data.result != CURLE_OK) throw environment_error("a request failed");
        CURL* easy = message->easy_handle;
        curl_multi_remove_handle(multi_, easy);
        free_.push_back(easy);
        ++done_;
      }
    }
    if (bytes_ == 0) throw environment_error("no answers");
  }

 private:
  static size_t on_body(char*, size_t size, size_t count, void* user) {
    static_cast<Bare*>(user)->bytes_ += size * count;
    return size * count;
  }
  static int on_timer(CURLM*, long ms, void* user) {
    Bare& self = *static_cast<Bare*>(user);
    self.deadline_ns_ = ms < 0 ? -1 : self.clock_.now_ns() + int64_t{ms} * 1'000'000;
    return 0;
  }
  static int on_socket(CURL*, curl_socket_t fd, int what, void* user, void* known) {
    Bare& self = *static_cast<Bare*>(user);
    epoll_event event{};
    event.data.fd = fd;
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    const bool remove = what == CURL_POLL_REMOVE;
    ::epoll_ctl(self.epoll_,
                remove             ? EPOLL_CTL_DEL
                : known != nullptr ? EPOLL_CTL_MOD
                                   : EPOLL_CTL_ADD,
                fd, &event);
    curl_multi_assign(self.multi_, fd, remove ? nullptr : &self);
    return 0;
  }
  void act(curl_socket_t socket, int what) {
    if (socket == CURL_SOCKET_TIMEOUT) deadline_ns_ = -1;
    int running = 0;
    curl_multi_socket_action(multi_, socket, what, &running);
  }
  int wait_ms() const {
    if (deadline_ns_ < 0) return 100;
    const int64_t left = deadline_ns_ - clock_.now_ns();
    return left <= 0 ? 0 : static_cast<int>(left / 1'000'000 + 1);
  }

  SteadyClock clock_;
  CURLM* multi_;
  int epoll_;
  int64_t deadline_ns_ = -1;
  std::vector<CURL*> free_;
  uint64_t done_ = 0;
  uint64_t bytes_ = 0;
};

struct Tally {
  const char* name;
  uint32_t inflight;
  double cpu_s = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: replay_engine_bench URL [REQUESTS]\n");
    return 2;
  }
  constexpr uint64_t slices = 20;  // taken in turn, so that all see the same machine
  const uint64_t slice = (argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100'000) / slices;
  try {
    const http::Url url = http::parse_url(argv[1]);
    Ours ours_64(url, 64);
    Bare bare_64(argv[1], 64);
    Ours ours_512(url, 512);
    Bare bare_512(argv[1], 512);
    Tally tallies[] = {{"curl_engine", 64}, {"curl_bare", 64}, {"curl_engine", 512}, {"curl_bare", 512}};
    const auto turn = [&](size_t which) {
      if (which == 0) ours_64.run(slice);
      if (which == 1) bare_64.run(slice);
      if (which == 2) ours_512.run(slice);
      if (which == 3) bare_512.run(slice);
    };
    for (size_t k = 0; k < std::size(tallies); ++k) turn(k);  // warm
    for (uint64_t s = 0; s < slices; ++s) {
      for (size_t k = 0; k < std::size(tallies); ++k) tallies[k].cpu_s += bench::cpu_of([&] { turn(k); });
    }
    for (const Tally& tally : tallies) {
      bench::report(std::string(tally.name) + "_" + std::to_string(tally.inflight),
                    static_cast<double>(slice * slices), "requests", tally.cpu_s);
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "replay_engine_bench: %s\n", error.what());
    return 4;
  }
}
