#include "lib/serve/model/frames.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <type_traits>

namespace mlq::serve::model {
namespace {

static_assert(std::is_trivially_copyable_v<SourceHeader> && std::is_trivially_copyable_v<BatchHeader> &&
              std::is_trivially_copyable_v<AnswerHeader>);

constexpr int kLookMs = 20;  // between two looks at the flag

// False if the wait is to be given up.
bool wait_readable(int socket, const StopFlag* give_up) {
  pollfd readable{socket, POLLIN, 0};
  while (true) {
    if (give_up != nullptr && *give_up) return false;
    if (::poll(&readable, 1, kLookMs) > 0) return true;
  }
}

}  // namespace

bool send_all(int socket, const void* bytes, size_t size) {
  const char* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t sent = ::send(socket, at, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool receive_all(int socket, void* bytes, size_t size, const StopFlag* give_up) {
  char* at = static_cast<char*>(bytes);
  while (size > 0) {
    if (give_up != nullptr && !wait_readable(socket, give_up)) return false;
    const ssize_t got = ::recv(socket, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace mlq::serve::model
