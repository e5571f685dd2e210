// One connection of the server: reads requests, writes answers. Internal to lib/http.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/loop.h"

namespace mlq::http {

using Socket = boost::asio::generic::stream_protocol::socket;

// Kept alive by what it waits for and by the Replies to its requests. All calls from the loop's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, Socket socket);
  ~Connection();
  void begin();
  void close_now();  // without regard to what is under way
  bool idle() const { return state_ == State::reading; }

  // What a Reply does; `ordinal` is its request.
  bool answering(uint64_t ordinal) const;
  void head(const Response& response, uint64_t length);
  void chunked_head(const Response& head);
  void body(std::string_view bytes);
  void chunk(std::string_view piece);
  void body_from(uint64_t length, Source source);
  void raw_from(Source source);
  void finish_chunks();
  void end_after_this() { keep_alive_ = false; }
  void complete();
  void reset();
  size_t unsent_bytes() const { return out_.size() - out_at_; }

 private:
  enum class State { reading, answering, lingering, closed };
  struct Parser;

  void wait_to_read();
  void on_readable();
  void peer_ended();
  void serve(std::string_view bytes);
  void serve_what_is_left();
  void dispatch();
  void refuse(int status);
  void expect_continue();

  void append_head(const Response& response);
  void flush();
  bool send_some(size_t& burst);
  void wait_to_write();
  void on_writable();
  void pull();
  size_t drip_room(size_t wanted);
  void answer_sent();
  void linger();
  // Calls `step` at that time; the connection is kept alive till then.
  void later(int64_t at_ns, void (Connection::*step)());

  Loop& loop_;
  Socket socket_;
  State state_ = State::reading;

  std::unique_ptr<Parser> parser_;
  std::vector<Header> headers_;
  std::string in_;  // read, but not yet parsed
  int64_t read_ns_ = 0;
  int64_t next_read_ns_ = 0;
  uint64_t requests_ = 0;
  bool waiting_to_read_ = false;
  bool serving_ = false;
  bool peer_ended_ = false;

  // Of the request that is being answered.
  bool keep_alive_ = true;
  bool http_1_0_ = false;
  bool head_only_ = false;
  bool chunked_ = false;
  bool complete_ = false;  // everything has been handed over
  Source source_;
  uint64_t source_left_ = 0;

  std::string out_;
  size_t out_at_ = 0;
  bool waiting_to_write_ = false;
  int64_t drip_from_ns_ = 0;
  uint64_t dripped_ = 0;
};

}  // namespace mlq::http
