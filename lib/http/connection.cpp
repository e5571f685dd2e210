#include "lib/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <optional>

namespace mlq::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;

constexpr size_t kPiece = 64 * 1024;          // of a body that comes from a source
constexpr size_t kReadAhead = 64 * 1024;      // of what a client sends while its answer is due
constexpr size_t kKeptBytes = 64 * 1024;      // buffers larger than this are given back
constexpr size_t kBurst = size_t{1} << 20;    // then other connections have their turn
constexpr int64_t kLingerNs = 1'000'000'000;  // for the client to take the answer and close
constexpr int64_t kSecondNs = 1'000'000'000;

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

void append_number(std::string& out, uint64_t value, int base = 10) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, base).ptr);
}

// 204 and 304 have no body, and say nothing of its length.
bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

void give_back_if_large(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBytes) buffer = std::string();
}

// Time that `bytes` take at `rate` bytes a second.
int64_t duration_of(uint64_t bytes, uint64_t rate) {
  return static_cast<int64_t>(static_cast<unsigned __int128>(bytes) * kSecondNs / rate);
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers)
    if (equal_ignoring_case(header.name, name)) return header.value;
  return {};
}

struct Connection::Parser {
  beast_http::request_parser<beast_http::string_body> parser;
  bool continued = false;
};

Connection::Connection(Loop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);  // a unix socket has none
  loop_.opened(*this);
}

Connection::~Connection() = default;

void Connection::begin() { wait_to_read(); }

void Connection::close_now() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  error_code ignored;
  socket_.close(ignored);
  source_ = nullptr;
  in_ = std::string();
  out_ = std::string();
  out_at_ = 0;
  loop_.closed(*this);
}

void Connection::later(int64_t at_ns, void (Connection::*step)()) {
  loop_.call_at(at_ns, [self = shared_from_this(), step] { ((*self).*step)(); });
}

// Reading -------------------------------------------------------------------------------------------------

void Connection::wait_to_read() {
  if (waiting_to_read_ || peer_ended_ || state_ == State::closed) return;
  if (state_ == State::answering && in_.size() >= kReadAhead) return;
  waiting_to_read_ = true;
  if (next_read_ns_ > read_ns_) {
    later(next_read_ns_, &Connection::on_readable);
    return;
  }
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& error) {
    if (!error) self->on_readable();
  });
}

void Connection::on_readable() {
  waiting_to_read_ = false;
  if (state_ == State::closed) return;
  std::span<char> room = loop_.read_buffer();
  if (const uint64_t rate = loop_.options().read_rate; rate > 0)
    room = room.first(std::clamp<uint64_t>(rate / 50, 1, room.size()));
  error_code error;
  const size_t n = socket_.read_some(asio::buffer(room.data(), room.size()), error);
  read_ns_ = Server::now_ns();
  next_read_ns_ = 0;
  if (error == asio::error::eof) return peer_ended();
  if (error && error != asio::error::would_block && error != asio::error::interrupted) return close_now();
  if (n > 0 && state_ != State::lingering) {
    if (const uint64_t rate = loop_.options().read_rate; rate > 0)
      next_read_ns_ = read_ns_ + duration_of(n, rate);
    const std::string_view bytes(room.data(), n);
    if (state_ == State::answering) {
      in_.append(bytes);
    } else if (in_.empty()) {
      serve(bytes);
    } else {
      in_.append(bytes);
      serve_what_is_left();
    }
  }
  wait_to_read();
}

// A client that has said all may still wait for its answer.
void Connection::peer_ended() {
  peer_ended_ = true;
  if (state_ != State::answering) close_now();
}

void Connection::serve_what_is_left() {
  const std::string bytes = std::move(in_);
  in_.clear();
  serve(bytes);
}

// Parses and dispatches until bytes run out or an answer has to be waited for; keeps what is left.
void Connection::serve(std::string_view bytes) {
  serving_ = true;
  while (state_ == State::reading && !bytes.empty()) {
    if (!parser_) {
      parser_ = std::make_unique<Parser>();
      parser_->parser.eager(true);
      parser_->parser.header_limit(kMaxHeaderBytes);
      parser_->parser.body_limit(loop_.options().max_body_bytes);
    }
    error_code error;
    const size_t used = parser_->parser.put(asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(used);
    if (error && error != beast_http::error::need_more) {
      refuse(error == beast_http::error::body_limit     ? 413
             : error == beast_http::error::header_limit ? 431
                                                        : 400);
    } else if (parser_->parser.is_done()) {
      dispatch();
    } else {
      expect_continue();
      if (used == 0) break;
    }
  }
  serving_ = false;
  if (state_ == State::reading || state_ == State::answering) in_.assign(bytes);
}

void Connection::expect_continue() {
  auto& parser = parser_->parser;
  if (parser_->continued || !parser.is_header_done()) return;
  parser_->continued = true;
  if (!equal_ignoring_case(view(parser.get()[beast_http::field::expect]), "100-continue")) return;
  error_code ignored;  // if it does not fit, the client sends its body after a while all the same
  socket_.write_some(asio::buffer(std::string_view("HTTP/1.1 100 Continue\r\n\r\n")), ignored);
}

void Connection::dispatch() {
  const std::unique_ptr<Parser> holder = std::move(parser_);
  const auto& message = holder->parser.get();
  headers_.clear();
  for (const auto& field : message) headers_.push_back({view(field.name_string()), view(field.value())});
  state_ = State::answering;
  keep_alive_ = message.keep_alive() && !loop_.stopping();
  http_1_0_ = message.version() < 11;
  head_only_ = message.method() == beast_http::verb::head;
  const uint64_t ordinal = requests_++;
  const Request request{
      view(message.method_string()), view(message.target()), headers_, message.body(), read_ns_, ordinal};
  loop_.handler()(request, Reply(shared_from_this(), ordinal));
}

void Connection::refuse(int status) {
  parser_.reset();
  state_ = State::answering;
  keep_alive_ = head_only_ = http_1_0_ = false;
  ++requests_;
  head({status}, 0);
  complete();
}

// Writing -------------------------------------------------------------------------------------------------

bool Connection::answering(uint64_t ordinal) const {
  return state_ == State::answering && !complete_ && !source_ && requests_ == ordinal + 1;
}

void Connection::append_head(const Response& response) {
  if (response.close || loop_.stopping()) keep_alive_ = false;
  out_.append("HTTP/1.1 ");
  append_number(out_, static_cast<uint64_t>(response.status));
  out_.push_back(' ');
  out_.append(
      view(beast_http::obsolete_reason(beast_http::int_to_status(static_cast<unsigned>(response.status)))));
  out_.append("\r\n");
  out_.append(loop_.date_line());
  if (!response.content_type.empty())
    out_.append("Content-Type: ").append(response.content_type).append("\r\n");
  out_.append(response.headers);
  if (!keep_alive_)
    out_.append("Connection: close\r\n");
  else if (http_1_0_)
    out_.append("Connection: keep-alive\r\n");
}

void Connection::head(const Response& response, uint64_t length) {
  append_head(response);
  if (has_no_body(response.status)) {
    head_only_ = true;
  } else {
    out_.append("Content-Length: ");
    append_number(out_, length);
    out_.append("\r\n");
  }
  out_.append("\r\n");
}

void Connection::chunked_head(const Response& response) {
  chunked_ = !http_1_0_;
  if (!chunked_) keep_alive_ = false;  // its end is the connection's
  append_head(response);
  if (has_no_body(response.status))
    head_only_ = true;
  else if (chunked_)
    out_.append("Transfer-Encoding: chunked\r\n");
  out_.append("\r\n");
  flush();
}

void Connection::body(std::string_view bytes) {
  if (!head_only_) out_.append(bytes);
}

void Connection::chunk(std::string_view piece) {
  if (head_only_ || piece.empty()) return;
  if (chunked_) {
    append_number(out_, piece.size(), 16);
    out_.append("\r\n").append(piece).append("\r\n");
  } else {
    out_.append(piece);
  }
  flush();
}

void Connection::finish_chunks() {
  if (chunked_ && !head_only_) out_.append("0\r\n\r\n");
  complete();
}

void Connection::body_from(uint64_t length, Source source) {
  if (head_only_ || length == 0) return complete();
  source_ = std::move(source);
  source_left_ = length;
  flush();
}

void Connection::raw_from(Source source) {
  keep_alive_ = false;
  source_ = std::move(source);
  source_left_ = UINT64_MAX;
  flush();
}

void Connection::complete() {
  complete_ = true;
  flush();
}

void Connection::reset() {
  const struct ::linger now { 1, 0 };
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close_now();
}

// The next piece of the source, behind what is already there.
void Connection::pull() {
  const size_t before = out_.size();
  const size_t room = std::min<uint64_t>(kPiece - before, source_left_);
  out_.resize(before + room);
  const size_t n = source_(out_.data() + before, room);
  out_.resize(before + n);
  if (source_left_ != UINT64_MAX) source_left_ -= n;
  if (n > 0 && source_left_ > 0) return;
  if (source_left_ > 0) keep_alive_ = false;  // it ended early: only the connection's end can tell
  source_ = nullptr;
  complete_ = true;
}

void Connection::flush() {
  if (waiting_to_write_) return;
  size_t burst = kBurst;
  while (state_ == State::answering) {
    if (out_at_ == out_.size()) {
      give_back_if_large(out_);
      out_at_ = 0;
    }
    // A short body goes with its head.
    if (source_ && out_at_ == 0 && out_.size() < kPiece / 2) pull();
    if (out_.empty()) {
      dripped_ = 0;
      if (complete_) answer_sent();
      return;
    }
    if (!send_some(burst)) return;
  }
}

// False if there is no more to be done now.
bool Connection::send_some(size_t& burst) {
  size_t size = std::min(out_.size() - out_at_, burst);
  if (loop_.options().write_rate > 0 && (size = drip_room(size)) == 0) return false;
  if (size == 0) {
    wait_to_write();
    return false;
  }
  error_code error;
  const size_t n = socket_.write_some(asio::buffer(out_.data() + out_at_, size), error);
  out_at_ += n;
  dripped_ += n;
  burst -= n;
  if (!error) return true;
  if (error == asio::error::would_block || error == asio::error::interrupted) {
    wait_to_write();
  } else {
    close_now();
  }
  return false;
}

void Connection::wait_to_write() {
  waiting_to_write_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& error) {
    if (!error) self->on_writable();
  });
}

void Connection::on_writable() {
  waiting_to_write_ = false;
  flush();
}

// How much may go by now: a hundredth of a second's bytes at a time, on a schedule that does not drift.
size_t Connection::drip_room(size_t wanted) {
  const uint64_t rate = loop_.options().write_rate;
  const uint64_t step = std::max<uint64_t>(1, rate / 100);
  const int64_t now = Server::now_ns();
  if (dripped_ == 0) drip_from_ns_ = now;
  const int64_t due = drip_from_ns_ + duration_of(dripped_, rate);
  if (now >= due) return std::min<uint64_t>(wanted, step);
  waiting_to_write_ = true;
  later(due, &Connection::on_writable);
  return 0;
}

void Connection::answer_sent() {
  complete_ = chunked_ = false;
  if (!keep_alive_ || loop_.stopping()) return linger();
  state_ = State::reading;
  if (serving_) return;  // serve() goes on with what is left
  if (!in_.empty()) serve_what_is_left();
  if (state_ == State::reading && peer_ended_) return close_now();
  wait_to_read();
}

// Closing while unread bytes are there would reset the connection, and the client might lose the answer: so
// this side ends first, and reads on until the client does.
void Connection::linger() {
  if (peer_ended_) return close_now();
  state_ = State::lingering;
  give_back_if_large(in_);
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  later(Server::now_ns() + kLingerNs, &Connection::close_now);
  if (!serving_) wait_to_read();
}

// Reply ---------------------------------------------------------------------------------------------------

void Reply::send(const Response& response) const {
  if (!open()) return;
  connection_->head(response, response.body.size());
  connection_->body(response.body);
  connection_->complete();
}

void Reply::send_from(const Response& head, uint64_t length, Source body) const {
  if (!open()) return;
  connection_->head(head, length);
  connection_->body_from(length, std::move(body));
}

void Reply::send_raw(Source bytes) const {
  if (open()) connection_->raw_from(std::move(bytes));
}

void Reply::start(const Response& head) const {
  if (open()) connection_->chunked_head(head);
}

void Reply::write(std::string_view piece) const {
  if (open()) connection_->chunk(piece);
}

void Reply::finish() const {
  if (open()) connection_->finish_chunks();
}

void Reply::close() const {
  if (!open()) return;
  connection_->end_after_this();
  connection_->complete();
}

void Reply::reset() const {
  if (open()) connection_->reset();
}

bool Reply::open() const { return connection_->answering(ordinal_); }
size_t Reply::unsent_bytes() const { return open() ? connection_->unsent_bytes() : 0; }

}  // namespace mlq::http
