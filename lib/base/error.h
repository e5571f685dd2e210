// Errors. The library throws one type, mlq::Error; lib/cli is the one place that catches it, prints it and
// turns its kind into the exit status.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace mlq {

// The exit status of every program (conventions: "command line").
enum class ExitKind : int {
  done = 0,
  answer_no = 1,    // it ran, and the answer is no
  usage = 2,        // the command line is wrong
  input = 3,        // the input is wrong
  environment = 4,  // disk, network or device failed
  bug = 5,          // a fault of ours
};

// A failure with its exit status and a message that names what, where and what to do.
// The program's name is put in front by whoever prints it.
class Error : public std::runtime_error {
 public:
  Error(ExitKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ExitKind kind() const noexcept { return kind_; }

 private:
  ExitKind kind_;
};

template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ExitKind::usage, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ExitKind::input, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
Error environment_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ExitKind::environment, fmt::format(format, std::forward<Args>(args)...));
}

// The reader of our output has gone (`... | head`). Not an error: the program ends quietly with status 0.
class ClosedPipe : public std::runtime_error {
 public:
  ClosedPipe() : std::runtime_error("the reader closed the pipe") {}
};

}  // namespace mlq
