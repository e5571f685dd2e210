// One connection of a client pool, and the request that is under way on it. Internal to lib/http.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/client_pool.h"
#include "lib/http/loop.h"
#include "lib/http/message.h"

namespace mlq::http {

// A request on its way, and who waits for its reply.
struct Exchange {
  uint64_t id = 0;  // 0: none
  std::string head;
  std::vector<std::string_view> body;
  std::shared_ptr<const void> owner;
  int64_t deadline_ns = 0;
  bool may_resend = false;
  bool to_head = false;  // its method is HEAD
  ClientPool::Callback callback;
  std::shared_ptr<ClientPool::Stream> stream;  // instead; a call may outlive the exchange
  int64_t first_write_ns = 0;
  int64_t last_read_ns = 0;
};

class Upstream;

// The pool, as its connections see it.
class UpstreamOwner {
 public:
  virtual const ClientPoolOptions& options() const = 0;
  // A socket that connects, or has connected (`done`); below 0: the next address, if there is one, has to be
  // tried.
  virtual int connect(size_t attempt, bool& done) = 0;
  virtual size_t addresses() const = 0;
  virtual void connected(size_t attempt) = 0;
  virtual void connect_failed() = 0;
  // The connection's request is over: it waits for the next one, or is closed.
  virtual void released(Upstream& upstream) = 0;
  // It waited for the next one, and was closed.
  virtual void dropped(Upstream& upstream) = 0;
  virtual void resent() = 0;
  // Calls it from the loop, if the exchange is still under way then.
  virtual void soon(uint64_t id, void (Upstream::*step)()) = 0;
  virtual std::shared_ptr<void> keep() = 0;

 protected:
  ~UpstreamOwner() = default;
};

class Upstream final : public Watcher {
 public:
  Upstream(Loop& loop, UpstreamOwner& owner, size_t place) : loop_(loop), owner_(owner), place_(place) {}
  size_t place() const { return place_; }  // among the pool's
  ~Upstream() { close(); }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // The exchange to be filled in before begin().
  Exchange& exchange() { return exchange_; }
  // Sends the exchange. Calls nobody back before the loop's next turn.
  void begin();
  void cancel();
  void resume();
  // Ends what is under way if it has taken too long; else returns when it will have.
  int64_t look_at_clock(int64_t now_ns);

  bool connected() const { return state_ == State::idle; }
  void on_ready(uint32_t events) override;
  void close();

 private:
  enum class State : uint8_t { closed, connecting, idle, active };

  void connect(size_t attempt);
  void connect_ended();
  void no_connection();
  void write();
  void write_failed();
  size_t next_part(size_t from) const;
  std::string_view part(size_t k) const {
    return k == 0 ? std::string_view(exchange_.head) : exchange_.body[k - 1];
  }

  void read();
  void read_rest();
  void close_idle();
  void ended();
  void take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  bool begin_body(std::string_view text, std::string_view rest);
  void take_body(std::string_view& bytes);
  bool take_piece(std::string_view piece);
  void finish(bool surplus);
  void fail(UpstreamFault fault, std::string text);
  void deliver(UpstreamFault fault, std::string text);
  void clear();

  Loop& loop_;
  UpstreamOwner& owner_;
  const size_t place_;
  int fd_ = -1;
  State state_ = State::closed;
  Exchange exchange_;

  size_t attempt_ = 0;
  int64_t connect_by_ns_ = 0;
  size_t part_ = 0;  // that is being written, and
  size_t part_at_ = 0;
  bool sent_ = false;
  bool watches_writing_ = false;

  bool reused_ = false;
  bool resent_ = false;
  bool readable_ = false;
  bool ending_ = false;
  bool paused_ = false;

  // Of the reply.
  std::string in_;  // read, but not yet parsed
  HeadScanner scanner_;
  Head head_;
  std::string head_text_;  // that head_ shows while the body comes
  ChunkReader chunks_;
  bool has_head_ = false;
  uint64_t body_left_ = 0;
  std::string body_;
};

}  // namespace mlq::http
