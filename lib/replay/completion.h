// What one JSON of an API says of itself: a chunk of a token stream, a whole completion, an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/jsonl/object.h"

namespace mlq::replay {

// An OpenAI-style completion or chunk of one.
struct Completion {
  bool token = false;                     // choices[0] brings text, reasoning or a part of a tool call
  bool finished = false;                  // choices[0] has a finish_reason
  bool failed = false;                    // an error came in its place
  std::optional<uint32_t> prompt_tokens;  // of usage, where it has one
  std::optional<uint32_t> completion_tokens;
};
Completion read_completion(const jsonl::ObjectParser& json);

// The server's own words, at most 200 bytes: `error`, its `message`, or a `message` or `detail` on the top
// level; empty where there are none.
std::string error_words(const jsonl::ObjectParser& json);

}  // namespace mlq::replay
