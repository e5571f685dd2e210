#include "lib/http/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "lib/http/body.h"

namespace mlq::http {
namespace {

constexpr size_t kPiece = 64 * 1024;          // of a body that comes from a source
constexpr size_t kReadAhead = 64 * 1024;      // of what a client sends while its answer is due
constexpr size_t kBurst = size_t{1} << 20;    // then other connections have their turn
constexpr size_t kCopied = 2 * 1024;          // a body up to this size is copied behind its head
constexpr size_t kVectors = 64;               // pieces that are handed to the kernel at a time
constexpr int64_t kLingerNs = 1'000'000'000;  // for the client to take the answer and close
constexpr int64_t kSecondNs = 1'000'000'000;

// 204 and 304 have no body, and say nothing of its length.
bool has_no_body(int status) { return status == 204 || status == 304 || status < 200; }

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

// Time that `bytes` take at `rate` bytes a second.
int64_t duration_of(uint64_t bytes, uint64_t rate) {
  return static_cast<int64_t>(static_cast<unsigned __int128>(bytes) * kSecondNs / rate);
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, int fd)
    : server_(std::move(server)), loop_(server_->loop), fd_(fd), since_ns_(Reactor::now_ns()) {}

Connection::~Connection() {
  if (state_ != State::closed) ::close(fd_);
}

void Connection::begin() { loop_.watch(fd_, *this); }

void Connection::turn_away() {
  begin();
  refuse(503, "too many connections", "x-mlq-reason: connections\r\nRetry-After: 1\r\n");
}

void Connection::close_now(bool gone) {
  if (state_ == State::closed) return;
  const bool was_due = state_ == State::answering;
  state_ = State::closed;
  source_ = nullptr;
  on_sent_ = nullptr;
  on_drained_ = nullptr;
  if (!serving_) in_ = std::string();  // else the handler may be looking at it
  out_ = std::string();
  out_at_ = 0;
  note_buffered();
  const std::function<void()> call = std::exchange(on_gone_, nullptr);
  if (server_->on_closed) {  // else the loop may have gone, too
    loop_.unwatch(fd_);
    if (gone && was_due && call) loop_.post(call);
    server_->on_closed(*this);
  }
  ::close(fd_);
}

void Connection::later(int64_t at_ns, void (Connection::*step)()) {
  loop_.call_at(at_ns, [self = shared_from_this(), step] { ((*self).*step)(); });
}

void Connection::soon(void (Connection::*step)()) {
  loop_.post([self = shared_from_this(), step] { ((*self).*step)(); });
}

void Connection::note_buffered() {
  const uint64_t now = in_.size() + (in_body_ ? request_.body.size() : 0) + unsent_bytes();
  server_->counters.buffered_bytes += now - buffered_;
  buffered_ = now;
}

void Connection::look_at_clock(int64_t now_ns) {
  const auto over = [&](int64_t limit) { return limit > 0 && now_ns - since_ns_ > limit; };
  if (state_ == State::answering) {
    if (unsent_bytes() > 0 && over(options().send_timeout_ns)) close_now(true);
  } else if (state_ == State::reading && in_body_) {
    const uint64_t rate = options().min_body_rate;
    const uint64_t bytes = head_.form == BodyForm::length ? head_.length : request_.body.size();
    if (rate > 0 && over(options().body_grace_ns + duration_of(bytes, rate)))
      refuse(408, "the body came too slowly");
  } else if (state_ == State::reading && !in_.empty()) {
    if (over(options().header_timeout_ns)) refuse(408, "the head came too slowly");
  } else if (state_ == State::reading && over(options().idle_timeout_ns)) {
    close_now();
  }
}

// Reading -------------------------------------------------------------------------------------------------

void Connection::on_ready(uint32_t events) {
  const std::shared_ptr<Connection> self = shared_from_this();
  // Both directions have ended; what is there to be read is still read before an answer is due.
  const bool over = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (over && state_ != State::reading) return close_now(true);
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) readable_ = true;
  ending_ = ending_ || over || (events & EPOLLRDHUP) != 0;
  if ((events & EPOLLOUT) != 0 && blocked_ && options().write_rate == 0) {
    blocked_ = false;
    flush();
  }
  if (readable_) read();
}

void Connection::read() {
  size_t burst = kBurst;
  while (readable_ && !peer_ended_ && !read_pending_ && state_ != State::closed) {
    if (state_ == State::answering && in_.size() >= kReadAhead) return;
    if (burst == 0) {
      read_pending_ = true;
      return soon(&Connection::go_on);
    }
    if (next_read_ns_ > read_ns_) {
      read_pending_ = true;
      const int64_t at_ns = std::exchange(next_read_ns_, 0);
      return later(at_ns, &Connection::go_on);
    }
    if (!read_once(burst)) return;
  }
}

// After a pause, or an answer: what has been read already comes first.
void Connection::go_on() {
  read_pending_ = false;
  if (state_ == State::reading && !in_.empty()) take({});
  if (state_ == State::reading && peer_ended_) return close_now();
  read();
}

// False if there is no more to be read now.
bool Connection::read_once(size_t& burst) {
  std::span<char> room = loop_.read_buffer();
  if (const uint64_t rate = options().read_rate; rate > 0)
    room = room.first(std::clamp<uint64_t>(rate / 50, 1, room.size()));
  const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
  if (got < 0) {
    if (errno == EINTR) return true;
    readable_ = false;
    if (!would_block()) close_now(true);
    return false;
  }
  if (got == 0) {
    peer_ended();
    return false;
  }
  const auto n = static_cast<size_t>(got);
  read_ns_ = Reactor::now_ns();
  burst -= std::min(burst, n);
  readable_ = ending_ || n == room.size();
  if (state_ == State::lingering) return true;
  if (const uint64_t rate = options().read_rate; rate > 0) next_read_ns_ = read_ns_ + duration_of(n, rate);
  const std::string_view bytes(room.data(), n);
  if (state_ == State::reading)
    take(bytes);
  else
    in_.append(bytes);
  note_buffered();
  return true;
}

// A client that has said all may still wait for its answer.
void Connection::peer_ended() {
  peer_ended_ = true;
  readable_ = false;
  if (state_ != State::answering) close_now();
}

void Connection::take(std::string_view bytes) {
  const bool fresh = in_.empty();
  if (!fresh) in_.append(bytes);
  serving_ = true;
  const size_t used = serve(fresh ? bytes : in_);
  serving_ = false;
  if (state_ == State::closed || state_ == State::lingering)
    in_ = std::string();
  else if (fresh)
    in_.assign(bytes.substr(used));
  else if (used > 0)
    in_.erase(0, used);
}

// Parses and dispatches until bytes run out or an answer has to be waited for. Returns how many are done
// with.
size_t Connection::serve(std::string_view bytes) {
  const size_t size = bytes.size();
  while (state_ == State::reading && !bytes.empty()) {
    if (in_body_)
      serve_body(bytes);
    else if (!serve_head(bytes))
      break;
  }
  return size - bytes.size();
}

// False if it is not whole.
bool Connection::serve_head(std::string_view& bytes) {
  if (scanner_.size() == 0) {
    while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112, section 2.2
    if (bytes.empty() || bytes == "\r") return false;
    since_ns_ = request_.first_byte_ns = read_ns_;
  }
  const HeadScanner::Found found = scanner_.scan(bytes.substr(0, options().max_header_bytes));
  if (found == HeadScanner::Found::bare_newline) {
    refuse(400, "a line that ends in a bare line feed");
    return false;
  }
  if (found == HeadScanner::Found::more) {
    if (bytes.size() >= options().max_header_bytes) refuse(431, "the head is too long");
    return false;
  }
  const std::string_view text = bytes.substr(0, scanner_.size());
  const char* fault = read_request_head(text, head_);
  bytes.remove_prefix(text.size());
  scanner_ = {};
  if (fault != nullptr)
    refuse(400, fault);
  else if (head_.target.size() > options().max_target_bytes)
    refuse(414, "the target is too long");
  else if (head_.form == BodyForm::length && head_.length > options().max_body_bytes)
    refuse(413, "the body is too long");
  else if (head_.form == BodyForm::none)
    dispatch();
  else
    begin_body(text, bytes);
  return true;
}

// What comes behind a head whose body is not there yet may move in memory: the head is kept, and read again.
void Connection::begin_body(std::string_view text, std::string_view rest) {
  in_body_ = true;
  chunks_ = {};
  body_left_ = head_.length;
  since_ns_ = read_ns_;
  if (head_.form == BodyForm::length && rest.size() >= body_left_) return;
  head_text_ = text;
  read_request_head(head_text_, head_);
  if (!head_.expects_continue || !rest.empty()) return;
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  // If it does not fit, the client sends its body after a while all the same.
  if (::send(fd_, kContinue.data(), kContinue.size(), MSG_NOSIGNAL) < 0) head_.expects_continue = false;
}

void Connection::serve_body(std::string_view& bytes) {
  if (head_.form == BodyForm::length) {
    const std::string_view piece = bytes.substr(0, body_left_);
    bytes.remove_prefix(piece.size());
    body_left_ -= piece.size();
    append_padded(request_.body, piece, head_.form == BodyForm::length ? head_.length : UINT64_MAX);
    if (body_left_ == 0) dispatch();
    return;
  }
  for (std::string_view piece; !(piece = chunks_.next(bytes)).empty();) {
    if (chunks_.left() + request_.body.size() + piece.size() > options().max_body_bytes)
      return refuse(413, "the body is too long");
    append_padded(request_.body, piece, UINT64_MAX);
  }
  if (chunks_.failed()) return refuse(400, "a chunk of the body is malformed");
  if (chunks_.done()) dispatch();
}

void Connection::dispatch() {
  in_body_ = false;
  state_ = State::answering;
  keep_alive_ = head_.keep_alive && !server_->closing;
  head_only_ = head_.method == "HEAD";
  const uint64_t ordinal = requests_++;
  request_.method = head_.method;
  request_.target = head_.target;
  request_.headers = head_.headers;
  request_.arrival_ns = read_ns_;
  request_.ordinal = ordinal;
  server_->handler(request_, Reply(shared_from_this(), ordinal));
  give_back_if_large(request_.body);
}

void Connection::refuse(int status, std::string_view fault, std::string_view headers) {
  in_body_ = false;
  give_back_if_large(request_.body);
  state_ = State::answering;
  keep_alive_ = head_only_ = head_.http_1_0 = false;
  ++requests_;
  if (options().on_refused) options().on_refused(status);
  const std::array<std::string_view, 2> rest{fault, "\"}"};
  send({status, "application/json", headers, R"({"error":")", rest});
}

// Writing -------------------------------------------------------------------------------------------------

bool Connection::answering(uint64_t ordinal) const {
  return state_ == State::answering && !complete_ && !source_ && requests_ == ordinal + 1;
}

void Connection::append_head(const Response& response) {
  if (response.close || server_->closing) keep_alive_ = false;
  out_.append("HTTP/1.1 ");
  append_number(out_, static_cast<uint64_t>(response.status));
  out_.append(" ").append(reason_of(response.status)).append("\r\n");
  out_.append(loop_.date_line());
  if (!response.content_type.empty())
    out_.append("Content-Type: ").append(response.content_type).append("\r\n");
  out_.append(response.headers);
  if (!keep_alive_)
    out_.append("Connection: close\r\n");
  else if (head_.http_1_0)
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

void Connection::send(const Response& response) {
  uint64_t length = response.body.size();
  for (const std::string_view piece : response.more) length += piece.size();
  head(response, length);
  if (!head_only_ && length > kCopied && !blocked_ && options().write_rate == 0) {
    send_pieces(response);
  } else if (!head_only_) {
    out_.append(response.body);
    for (const std::string_view piece : response.more) out_.append(piece);
  }
  complete();
}

// The head in out_ and the body, from where they are; what the kernel does not take is copied.
void Connection::send_pieces(const Response& response) {
  const size_t count = response.more.size() + 2;
  const auto piece = [&](size_t k) -> std::string_view {
    return k == 0 ? std::string_view(out_) : k == 1 ? response.body : response.more[k - 2];
  };
  size_t first = 0;
  size_t at = 0;  // in the first piece that is not sent
  while (first < count) {
    std::array<iovec, kVectors> vectors;
    size_t used = 0;
    for (size_t k = first; k < count && used < kVectors; ++k) {
      const std::string_view rest = piece(k).substr(k == first ? at : 0);
      if (!rest.empty()) vectors[used++] = {const_cast<char*>(rest.data()), rest.size()};
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = used;
    const ssize_t sent = used == 0 ? 0 : ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !would_block()) return close_now(true);
    for (at += static_cast<size_t>(std::max<ssize_t>(sent, 0)); first < count && at >= piece(first).size();
         ++first)
      at -= piece(first).size();
    if (sent < 0) break;
  }
  std::string rest;
  for (; first < count; ++first, at = 0) rest.append(piece(first).substr(at));
  out_ = std::move(rest);
  if (!out_.empty()) cannot_write();
}

void Connection::chunked_head(const Response& response) {
  chunked_ = !head_.http_1_0;
  if (!chunked_) keep_alive_ = false;  // its end is the connection's
  append_head(response);
  if (has_no_body(response.status))
    head_only_ = true;
  else if (chunked_)
    out_.append("Transfer-Encoding: chunked\r\n");
  out_.append("\r\n");
  flush();
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
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
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
  size_t burst = kBurst;
  while (!blocked_ && state_ == State::answering) {
    if (out_at_ == out_.size()) {
      give_back_if_large(out_);
      out_at_ = 0;
    }
    // A short body goes with its head.
    if (source_ && out_at_ == 0 && out_.size() < kPiece / 2) pull();
    if (out_.empty()) {
      dripped_ = 0;
      if (on_drained_) loop_.post(std::exchange(on_drained_, nullptr));
      if (complete_) answer_sent();
      break;
    }
    if (!send_some(burst)) break;
  }
  note_buffered();
}

// False if there is no more to be done now.
bool Connection::send_some(size_t& burst) {
  size_t size = std::min(out_.size() - out_at_, burst);
  if (options().write_rate > 0 && (size = drip_room(size)) == 0) return false;
  if (size == 0) {
    blocked_ = true;
    soon(&Connection::unblock);
    return false;
  }
  const ssize_t sent = ::send(fd_, out_.data() + out_at_, size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) return true;
    if (!would_block()) {
      close_now(true);
    } else if (options().write_rate > 0) {
      blocked_ = true;
      later(Reactor::now_ns() + kSecondNs / 100, &Connection::unblock);
    } else {
      cannot_write();
    }
    return false;
  }
  const auto n = static_cast<size_t>(sent);
  out_at_ += n;
  dripped_ += n;
  burst -= n;
  if (options().send_timeout_ns > 0) since_ns_ = Reactor::now_ns();
  return true;
}

void Connection::cannot_write() {
  blocked_ = true;
  if (options().send_timeout_ns > 0) since_ns_ = Reactor::now_ns();
  if (!std::exchange(watches_writing_, true)) loop_.watch_writing(fd_);
}

void Connection::unblock() {
  blocked_ = false;
  flush();
}

// How much may go by now: a hundredth of a second's bytes at a time, on a schedule that does not drift.
size_t Connection::drip_room(size_t wanted) {
  const uint64_t rate = options().write_rate;
  const uint64_t step = std::max<uint64_t>(1, rate / 100);
  const int64_t now = Reactor::now_ns();
  if (dripped_ == 0) drip_from_ns_ = now;
  const int64_t due = drip_from_ns_ + duration_of(dripped_, rate);
  if (now >= due) return std::min<uint64_t>(wanted, step);
  blocked_ = true;
  later(due, &Connection::unblock);
  return 0;
}

void Connection::on_drained(std::function<void()> call) {
  if (unsent_bytes() == 0)
    loop_.post(std::move(call));
  else
    on_drained_ = std::move(call);
}

void Connection::answer_sent() {
  complete_ = chunked_ = false;
  on_gone_ = nullptr;
  const std::function<void(int64_t)> on_sent = std::exchange(on_sent_, nullptr);
  if (on_sent || options().idle_timeout_ns > 0) since_ns_ = Reactor::now_ns();
  if (!keep_alive_ || server_->closing)
    linger();
  else
    state_ = State::reading;
  if (on_sent) on_sent(since_ns_);
  if (serving_ || read_pending_) return;  // the reader goes on by itself
  if (in_.empty() && !readable_ && !peer_ended_) return;
  read_pending_ = true;
  soon(&Connection::go_on);
}

// Closing while unread bytes are there would reset the connection, and the client might lose the answer: so
// this side ends first, and reads on until the client does.
void Connection::linger() {
  if (peer_ended_) return close_now();
  state_ = State::lingering;
  if (!serving_) in_ = std::string();
  ::shutdown(fd_, SHUT_WR);
  later(Reactor::now_ns() + kLingerNs, &Connection::linger_no_more);
}

void Connection::linger_no_more() { close_now(); }

// What has come but was not read yet is still answered.
void Connection::end_if_idle() {
  const std::shared_ptr<Connection> self = shared_from_this();
  readable_ = true;
  read();
  if (idle()) close_now();
}

// Reply ---------------------------------------------------------------------------------------------------

void Reply::send(const Response& response) const {
  if (open()) connection_->send(response);
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

void Reply::on_gone(std::function<void()> call) const {
  if (open()) connection_->on_gone(std::move(call));
}

void Reply::on_sent(std::function<void(int64_t now_ns)> call) const {
  if (open()) connection_->on_sent(std::move(call));
}

void Reply::on_drained(std::function<void()> call) const {
  if (open()) connection_->on_drained(std::move(call));
}

}  // namespace mlq::http
