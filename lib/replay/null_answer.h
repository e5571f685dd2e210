// What a null server says: for each API the answers that its clients take for good ones, with nothing behind
// them. Pure functions of the request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http/server.h"
#include "lib/jsonl/object.h"
#include "lib/replay/null_options.h"

namespace mlq::replay {

// An answer of tokens, in the form of OpenAI's chat/completions and completions.
struct TokenAnswer {
  bool chat = true;
  bool stream = false;
  bool usage = false;  // the stream ends with an event of usage
  uint64_t tokens = 0;
  uint64_t prompt_tokens = 0;  // words of the prompt, or ids
  std::string id;
  std::string model;  // JSON text, quoted
};

// The whole answer as JSON.
std::string whole_answer(const TokenAnswer& answer);
// One event with `count` tokens; `first` also names the role. `cut` breaks its JSON off.
void append_token_event(const TokenAnswer& answer, uint64_t count, bool first, bool cut, std::string& out);
// The events after the last token: finish_reason, usage if it was asked for, [DONE].
void append_last_events(const TokenAnswer& answer, std::string& out);

struct NullAnswer {
  bool work = false;  // an inference: it takes service, and is recorded
  int status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::optional<uint64_t> fill_bytes;  // in place of body: so many bytes of filler
  std::optional<TokenAnswer> tokens;   // in place of body
};

// Most tokens of an answer; a request for more gets these.
constexpr uint64_t kMaxTokens = uint64_t{1} << 20;

// Not thread-safe: it reuses its parser's memory.
class NullApiAnswers {
 public:
  explicit NullApiAnswers(const NullServerOptions& options);
  // `index` goes into the answer's id where the request brings none.
  NullAnswer answer(const http::Request& request, uint64_t index);

 private:
  std::optional<NullAnswer> kserve(const http::Request& request, std::string_view path);
  std::optional<NullAnswer> tf_serving(const http::Request& request, std::string_view path);
  std::optional<NullAnswer> openai(const http::Request& request, std::string_view path, uint64_t index);
  NullAnswer infer(const http::Request& request, std::string_view model);
  NullAnswer complete(const http::Request& request, bool chat, uint64_t index);
  bool parse(std::string_view json);
  bool serves(NullApi api) const { return api_ == NullApi::automatic || api_ == api; }

  NullApi api_;
  uint64_t tokens_;
  uint64_t body_bytes_;
  jsonl::ObjectParser parser_;
  std::string padded_;
};

}  // namespace mlq::replay
