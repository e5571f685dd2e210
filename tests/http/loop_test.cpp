#include "lib/http/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

namespace mlq::http {
namespace {

// Ready once it is poked; tells its name.
class Poked final : public Watcher {
 public:
  Poked(std::string name, std::function<void(const std::string&)> told)
      : fd_(::eventfd(0, EFD_NONBLOCK)), name_(std::move(name)), told_(std::move(told)) {}
  ~Poked() { ::close(fd_); }
  Poked(const Poked&) = delete;
  Poked& operator=(const Poked&) = delete;
  int fd() const { return fd_; }
  void poke() const { ASSERT_EQ(::eventfd_write(fd_, 1), 0); }
  void on_ready(uint32_t) override { told_(name_); }

 private:
  int fd_;
  std::string name_;
  std::function<void(const std::string&)> told_;
};

TEST(Loop, SocketsWatchedFirstDoNotStandInLine) {
  Loop loop;
  std::string order;
  std::unique_ptr<Poked> late;
  std::vector<std::unique_ptr<Poked>> others;
  for (int k = 0; k < 40; ++k) {
    others.push_back(std::make_unique<Poked>("o", [&](const std::string& name) {
      order += name;
      if (order.size() == 3) late->poke();  // a reply comes while requests are read
      if (order.size() == 42) loop.begin_stop(0);
    }));
    loop.watch(others.back()->fd(), *others.back());
    others.back()->poke();
  }
  const auto note = [&](const std::string& name) { order += name; };
  Poked early("E", note);
  late = std::make_unique<Poked>("L", note);
  loop.watch(early.fd(), early, false, true);
  loop.watch(late->fd(), *late, false, true);
  early.poke();
  loop.run(nullptr);
  ASSERT_EQ(order.size(), 42u) << order;
  EXPECT_EQ(order.find('E'), 0u) << order;
  EXPECT_LE(order.find('L'), 12u) << order;
}

}  // namespace
}  // namespace mlq::http
