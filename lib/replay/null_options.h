// What a null server is to do, and the texts in which users say it. All parsers throw a usage Error that
// quotes the text and says what is expected; they read no files but those of a law.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/law/law.h"
#include "lib/http/listen_address.h"
#include "lib/replay/null_queue.h"

namespace mlq::replay {

// A stream of tokens: the first event `ttft` after the request's service, then one every `itl`.
struct SseRule {
  int64_t ttft_ns = 200'000'000;
  int64_t itl_ns = 20'000'000;
  uint32_t chunk = 1;  // tokens in an event
};

// One stop of everything, counted from the first request that takes service.
struct StallRule {
  int64_t at_ns = 0;
  int64_t for_ns = 0;
};

struct ErrorRule {
  double p = 0;
  uint32_t status = 503;
};

enum class NullApi { automatic, kserve_v2, openai_chat, tf_serving, raw };

struct NullServerOptions {
  http::ListenAddress listen;
  NullApi api = NullApi::automatic;
  uint64_t seed = 1;

  arrival::LawPtr service;         // service times in seconds; null: none
  uint32_t servers = 1;            // requests (of --batch: batches) served at a time; 0: all that come
  std::optional<BatchRule> batch;  // in place of `service`
  std::optional<SseRule> sse;      // null: all tokens at once
  uint64_t tokens = 16;            // of an answer whose request does not say max_tokens
  uint64_t body_bytes = 16;        // of an answer of the raw api

  std::optional<StallRule> stall;
  ErrorRule error;               // turned away at the door, without service
  double reset = 0;              // chance that a connection is reset where the answer would begin
  uint64_t close_after = 0;      // requests on a connection, the last answer says close; 0: any number
  uint64_t read_rate = 0;        // bytes a second read of a connection; 0: as they come
  uint64_t write_rate = 0;       // bytes a second of an answer; 0: as they go
  bool endless_headers = false;  // answers never get to their body
  bool invalid_sse = false;      // a stream's last token event is cut, and there is no [DONE]

  uint64_t count = 0;       // end after this many requests; 0: do not
  int64_t duration_ns = 0;  // end after this time; 0: do not
};

// `exp,mean=5ms` or `exp:mean=5ms`; a law of times (lib/arrival/law.h).
arrival::LawPtr parse_service(std::string_view text);
// `max=32,delay=2ms,base=3ms,per=0.2ms`; what is left out: max 32, times 0.
BatchRule parse_batch(std::string_view text);
// `ttft=200ms,itl=20ms,chunk=1`; what is left out has these values.
SseRule parse_sse(std::string_view text);
// `at=5s,for=1s`; for is needed, at is 0.
StallRule parse_stall(std::string_view text);
// `p=0.01,status=503`; p is needed.
ErrorRule parse_error_rule(std::string_view text);
// `p=0.01` or `0.01`.
double parse_reset(std::string_view text);
// `10kB/s` or `10kB`: bytes a second, at least 1.
uint64_t parse_byte_rate(std::string_view text);

struct NullApiInfo {
  std::string_view name;
  NullApi api;
  std::string_view summary;
};
// For help texts and --api, auto first.
const std::vector<NullApiInfo>& null_api_infos();
NullApi parse_null_api(std::string_view text);

}  // namespace mlq::replay
