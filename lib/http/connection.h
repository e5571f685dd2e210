// One connection of a server: reads requests, writes answers. Internal to lib/http.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/http/loop.h"
#include "lib/http/message.h"
#include "lib/http/server.h"

namespace mlq::http {

// What the connections of a server share: its options and its counts. Shared with them, since a Reply may
// hold a connection for longer than the server is there.
struct ServerState {
  ServerState(Loop& on, const ServerOptions& with, Handler handle)
      : loop(on), options(with), handler(std::move(handle)) {}

  Loop& loop;
  ServerOptions options;
  Handler handler;
  bool closing = false;  // no more connections: the present ones end with their next answer
  ServerCounters counters;
  std::function<void(Connection&)> on_closed;  // empty once the server has gone
};

// Held by the server while it is open, and by the Replies to its requests. All calls from the loop's thread.
class Connection final : public Watcher, public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<ServerState> server, int fd);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void begin();
  // To one connection too many: says so, and closes.
  void turn_away();
  void on_ready(uint32_t events) override;
  // Without regard to what is under way. `gone`: the client did it.
  void close_now(bool gone = false);
  bool idle() const { return state_ == State::reading && in_.empty() && !in_body_; }
  void end_if_idle();
  // Ends it if it has taken too long for what it is at.
  void look_at_clock(int64_t now_ns);

  // What a Reply does; `ordinal` is its request.
  bool answering(uint64_t ordinal) const;
  void send(const Response& response);
  void head(const Response& response, uint64_t length);
  void chunked_head(const Response& head);
  void chunk(std::string_view piece);
  void body_from(uint64_t length, Source source);
  void raw_from(Source source);
  void finish_chunks();
  void end_after_this() { keep_alive_ = false; }
  void complete();
  void reset();
  size_t unsent_bytes() const { return out_.size() - out_at_; }
  void on_gone(std::function<void()> call) { on_gone_ = std::move(call); }
  void on_sent(std::function<void(int64_t)> call) { on_sent_ = std::move(call); }
  void on_drained(std::function<void()> call);

 private:
  enum class State { reading, answering, lingering, closed };

  void read();
  bool read_once(size_t& burst);
  void peer_ended();
  void take(std::string_view bytes);
  size_t serve(std::string_view bytes);
  bool serve_head(std::string_view& bytes);
  void serve_body(std::string_view& bytes);
  void begin_body(std::string_view text, std::string_view rest);
  void dispatch();
  void refuse(int status, std::string_view fault, std::string_view headers = {});
  void go_on();

  void append_head(const Response& response);
  void send_pieces(const Response& response);
  void flush();
  bool send_some(size_t& burst);
  void cannot_write();
  void unblock();
  void pull();
  size_t drip_room(size_t wanted);
  void answer_sent();
  void linger();
  void linger_no_more();
  void note_buffered();
  // Calls `step` at that time, or soon; the connection is kept alive till then.
  void later(int64_t at_ns, void (Connection::*step)());
  void soon(void (Connection::*step)());
  const ServerOptions& options() const { return server_->options; }

  const std::shared_ptr<ServerState> server_;
  Loop& loop_;
  const int fd_;
  State state_ = State::reading;

  // Of the request that is being read.
  HeadScanner scanner_;
  Head head_;
  std::string head_text_;  // that head_ shows while its body comes
  ChunkReader chunks_;
  Request request_;
  bool in_body_ = false;
  uint64_t body_left_ = 0;  // BodyForm::length

  std::string in_;  // read, but not yet parsed
  int64_t read_ns_ = 0;
  int64_t since_ns_ = 0;  // of the part of the request, the pause or the answer that is under way
  int64_t next_read_ns_ = 0;
  uint64_t requests_ = 0;
  bool readable_ = false;  // the socket may have more
  bool ending_ = false;    // and then its end
  bool read_pending_ = false;
  bool serving_ = false;
  bool peer_ended_ = false;

  // Of the request that is being answered.
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool chunked_ = false;
  bool complete_ = false;  // everything has been handed over
  Source source_;
  uint64_t source_left_ = 0;
  std::function<void()> on_gone_;
  std::function<void(int64_t)> on_sent_;
  std::function<void()> on_drained_;

  std::string out_;
  size_t out_at_ = 0;
  bool blocked_ = false;  // until the socket can be written, or a timer
  bool watches_writing_ = false;
  int64_t drip_from_ns_ = 0;
  uint64_t dripped_ = 0;
  uint64_t buffered_ = 0;  // as counted in the server's counters
};

}  // namespace mlq::http
