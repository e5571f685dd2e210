// What goes over the socket between mlq-model and its child processes; see isolated.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/stop.h"
#include "lib/serve/model/load.h"
#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// The descriptor that a child finds its socket at.
constexpr int kInstanceSocket = 3;

struct SourceHeader {
  Backend backend = Backend::noop;
  uint32_t echo = 0;
  uint64_t name_bytes = 0;
  uint64_t file_bytes = 0;
};

struct BatchHeader {
  Conditions conditions;
  uint64_t rows = 0;
  uint64_t values = 0;  // doubles that follow
};

// Answers a source (values 0) or a batch.
struct AnswerHeader {
  int32_t exit_kind = 0;     // of a source that was refused: the kind of the Error
  uint32_t error_bytes = 0;  // that follow; 0: it went well
  uint64_t values = 0;       // doubles that follow, the outputs one behind the other
};

// The whole of it, or false: the other end has gone, or `give_up` was set. Signals do not disturb.
bool send_all(int socket, const void* bytes, size_t size);
bool receive_all(int socket, void* bytes, size_t size, const StopFlag* give_up = nullptr);

template <class T>
bool send_value(int socket, const T& value) {
  return send_all(socket, &value, sizeof value);
}
template <class T>
bool receive_value(int socket, T& value, const StopFlag* give_up = nullptr) {
  return receive_all(socket, &value, sizeof value, give_up);
}

}  // namespace mlq::serve::model
