#include "lib/http/upstream.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "lib/http/body.h"

namespace mlq::http {
namespace {

constexpr size_t kVectors = 64;             // pieces that are handed to the kernel at a time
constexpr size_t kBurst = size_t{1} << 20;  // then other connections have their turn

}  // namespace

// Connecting and writing ----------------------------------------------------------------------------------

void Upstream::begin() {
  resent_ = false;
  clear();
  if (state_ == State::idle) {
    reused_ = true;
    state_ = State::active;
    return write();
  }
  connect(0);
}

void Upstream::connect(size_t attempt) {
  close();
  reused_ = false;
  attempt_ = attempt;
  state_ = State::connecting;
  bool done = false;
  while (attempt_ < owner_.addresses() && (fd_ = owner_.connect(attempt_, done)) < 0) ++attempt_;
  if (fd_ < 0) return owner_.soon(exchange_.id, &Upstream::no_connection);
  connect_by_ns_ = Reactor::now_ns() + owner_.options().connect_timeout_ns;
  watches_writing_ = !done;
  loop_.watch(fd_, *this, watches_writing_, true);
  if (done) connect_ended();
}

void Upstream::connect_ended() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return connect(attempt_ + 1);
  owner_.connected(attempt_);
  state_ = State::active;
  write();
}

void Upstream::no_connection() {
  owner_.connect_failed();
  if (owner_.addresses() == 0) return fail(UpstreamFault::resolve, "the name has no address");
  fail(UpstreamFault::refused, "cannot connect");
}

// The first part from `from` on that is not empty.
size_t Upstream::next_part(size_t from) const {
  while (from <= exchange_.body.size() && part(from).empty()) ++from;
  return from;
}

void Upstream::write() {
  if (exchange_.first_write_ns == 0) exchange_.first_write_ns = Reactor::now_ns();
  while (!sent_) {
    std::array<iovec, kVectors> vectors;
    size_t used = 0;
    for (size_t k = part_, at = part_at_; k <= exchange_.body.size() && used < kVectors;
         k = next_part(k + 1), at = 0)
      vectors[used++] = {const_cast<char*>(part(k).data() + at), part(k).size() - at};
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = used;
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (!std::exchange(watches_writing_, true)) loop_.watch_writing(fd_);
      return;
    }
    if (sent < 0) return owner_.soon(exchange_.id, &Upstream::write_failed);
    part_at_ += static_cast<size_t>(sent);
    while (part_ <= exchange_.body.size() && part_at_ >= part(part_).size()) {
      part_at_ -= part(part_).size();
      part_ = next_part(part_ + 1);
    }
    sent_ = part_ > exchange_.body.size();
  }
}

// A server may answer before it has read all, and close.
void Upstream::write_failed() {
  readable_ = true;
  const uint64_t id = exchange_.id;
  read();
  if (exchange_.id == id && state_ == State::active && !readable_ && !paused_) ended();
}

void Upstream::cancel() {
  close();
  exchange_.id = 0;
  exchange_.callback = nullptr;
  exchange_.stream = nullptr;
  exchange_.owner = nullptr;
  owner_.released(*this);
}

void Upstream::close() {
  if (fd_ >= 0) {
    loop_.unwatch(fd_);
    ::close(std::exchange(fd_, -1));
  }
  state_ = State::closed;
  watches_writing_ = readable_ = ending_ = false;
}

// For a new reply, or a new attempt.
void Upstream::clear() {
  part_ = part_at_ = 0;
  sent_ = has_head_ = paused_ = false;
  exchange_.first_write_ns = exchange_.last_read_ns = 0;
  in_.clear();
  scanner_ = {};
  give_back_if_large(body_);
}

int64_t Upstream::look_at_clock(int64_t now_ns) {
  if (exchange_.deadline_ns <= now_ns) {
    fail(UpstreamFault::timeout, "no whole reply in time");
    return INT64_MAX;
  }
  if (state_ != State::connecting) return exchange_.deadline_ns;
  if (connect_by_ns_ > now_ns) return std::min(connect_by_ns_, exchange_.deadline_ns);
  connect(attempt_ + 1);
  return state_ == State::closed ? INT64_MAX : std::min(connect_by_ns_, exchange_.deadline_ns);
}

// Reading -------------------------------------------------------------------------------------------------

void Upstream::on_ready(uint32_t events) {
  const std::shared_ptr<void> pool = owner_.keep();
  if (state_ == State::connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) connect_ended();
    return;
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) readable_ = true;
  ending_ = ending_ || (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0;
  if ((events & EPOLLOUT) != 0 && state_ == State::active && !sent_) write();
  if (readable_) read();
}

void Upstream::read() {
  size_t burst = kBurst;
  while (readable_ && !paused_ && fd_ >= 0) {
    if (burst == 0 && state_ == State::active) return owner_.soon(exchange_.id, &Upstream::read);
    const std::span<char> room = loop_.read_buffer();
    const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      readable_ = false;
      return;
    }
    if (state_ != State::active) return close_idle();  // an idle connection has ended, or speaks out of turn
    if (got <= 0) return ended();
    const auto n = static_cast<size_t>(got);
    burst -= std::min(burst, n);
    readable_ = ending_ || n == room.size();
    exchange_.last_read_ns = Reactor::now_ns();
    take({room.data(), n});
  }
}

void Upstream::close_idle() {
  close();
  owner_.dropped(*this);
}

void Upstream::ended() {
  if (has_head_ && head_.form == BodyForm::until_close) return finish(false);
  if (exchange_.last_read_ns > 0)
    return fail(UpstreamFault::reset_mid_reply, "the connection ended within the reply");
  if (!reused_ || resent_ || !exchange_.may_resend)
    return fail(UpstreamFault::reset_before_reply, "the connection ended before the reply");
  resent_ = true;
  owner_.resent();
  clear();
  connect(0);
}

void Upstream::take(std::string_view bytes) {
  std::string kept;
  if (!in_.empty()) {
    kept.swap(in_);
    bytes = kept.append(bytes);
  }
  const uint64_t id = exchange_.id;
  bool more = true;
  while (more && !paused_) {
    more = has_head_ ? (take_body(bytes), false) : take_head(bytes);
    if (exchange_.id != id) return;  // it is over
  }
  in_.assign(bytes);
}

// False if it is not whole, or the exchange is over.
bool Upstream::take_head(std::string_view& bytes) {
  const size_t limit = owner_.options().max_head_bytes;
  const HeadScanner::Found found = scanner_.scan(bytes.substr(0, limit));
  if (found == HeadScanner::Found::bare_newline)
    return fail(UpstreamFault::malformed, "a line of the head ends in a bare line feed"), false;
  if (found == HeadScanner::Found::more) {
    if (bytes.size() >= limit) fail(UpstreamFault::too_large, "the head of the reply is too long");
    return false;
  }
  std::string_view text = bytes.substr(0, scanner_.size());
  bytes.remove_prefix(text.size());
  scanner_ = {};
  const char* fault = read_reply_head(text, exchange_.to_head, head_);
  if (fault == nullptr && head_.status == 101) fault = "the reply changes the protocol";
  if (fault != nullptr) return fail(UpstreamFault::malformed, fault), false;
  if (head_.status < 200) return true;
  return begin_body(text, bytes);
}

bool Upstream::begin_body(std::string_view text, std::string_view rest) {
  has_head_ = true;
  chunks_ = {};
  body_left_ = head_.length;
  if (exchange_.callback && head_.form == BodyForm::length && head_.length > owner_.options().max_reply_bytes)
    return fail(UpstreamFault::too_large, "the body of the reply is too long"), false;
  const bool whole =
      head_.form == BodyForm::none || (head_.form == BodyForm::length && rest.size() >= body_left_);
  if (!whole || exchange_.stream) {  // these bytes will not stay
    head_text_ = text;
    read_reply_head(head_text_, exchange_.to_head, head_);
  }
  if (!exchange_.stream) return true;
  UpstreamReply reply;
  reply.status = head_.status;
  reply.headers = head_.headers;
  reply.reused = reused_;
  const uint64_t id = exchange_.id;
  const auto stream = exchange_.stream;  // on_head may cancel
  stream->on_head(reply);
  return exchange_.id == id;
}

void Upstream::take_body(std::string_view& bytes) {
  switch (head_.form) {
    case BodyForm::none:
      return finish(!bytes.empty());
    case BodyForm::until_close: {
      const std::string_view piece = std::exchange(bytes, {});
      take_piece(piece);
      return;
    }
    case BodyForm::length: {
      const std::string_view piece = bytes.substr(0, body_left_);
      bytes.remove_prefix(piece.size());
      body_left_ -= piece.size();
      if (take_piece(piece) && body_left_ == 0) finish(!bytes.empty());
      return;
    }
    case BodyForm::chunked:
      break;
  }
  for (std::string_view piece; !paused_ && !(piece = chunks_.next(bytes)).empty();)
    if (!take_piece(piece)) return;
  if (chunks_.failed()) return fail(UpstreamFault::malformed, "a chunk of the reply is malformed");
  if (chunks_.done()) finish(!bytes.empty());
}

// False if the exchange is over.
bool Upstream::take_piece(std::string_view piece) {
  if (piece.empty()) return true;
  if (exchange_.stream) {
    const uint64_t id = exchange_.id;
    const auto stream = exchange_.stream;  // on_piece may cancel
    const bool more = stream->on_piece(piece);
    if (exchange_.id != id) return false;
    paused_ = !more;
    return true;
  }
  if (body_.size() + piece.size() > owner_.options().max_reply_bytes)
    return fail(UpstreamFault::too_large, "the body of the reply is too long"), false;
  append_padded(body_, piece, head_.form == BodyForm::length ? head_.length : UINT64_MAX);
  return true;
}

void Upstream::resume() {
  if (!paused_) return;
  paused_ = false;
  owner_.soon(exchange_.id, &Upstream::read_rest);
}

void Upstream::read_rest() {
  const uint64_t id = exchange_.id;
  take({});
  if (exchange_.id == id) read();
}

// The reply is whole. `surplus`: more has come than that, so that nobody knows what comes next.
void Upstream::finish(bool surplus) {
  if (surplus || !sent_ || !head_.keep_alive) {
    close();
  } else {
    state_ = State::idle;
  }
  deliver(UpstreamFault::none, {});
}

void Upstream::fail(UpstreamFault fault, std::string text) {
  close();
  deliver(fault, std::move(text));
}

// The connection is free for the next request before this one's callback comes.
void Upstream::deliver(UpstreamFault fault, std::string text) {
  const std::shared_ptr<void> pool = owner_.keep();
  const auto stream = std::exchange(exchange_.stream, nullptr);
  const ClientPool::Callback callback = std::exchange(exchange_.callback, nullptr);
  const std::shared_ptr<const void> owner = std::move(exchange_.owner);
  UpstreamReply reply;
  reply.fault = fault;
  reply.error = std::move(text);
  reply.status = has_head_ ? head_.status : 0;
  reply.reused = reused_;
  reply.first_write_ns = exchange_.first_write_ns;
  reply.last_read_ns = exchange_.last_read_ns;
  if (has_head_ && fault == UpstreamFault::none && !stream) {
    reply.headers = head_.headers;
    reply.body.swap(body_);
  }
  exchange_.id = 0;
  owner_.released(*this);
  if (stream)
    stream->on_end(reply);
  else
    callback(reply);
  give_back_if_large(reply.body);
  if (body_.capacity() < reply.body.capacity()) body_.swap(reply.body);
}

}  // namespace mlq::http
