#include "lib/replay/answer.h"

#include <algorithm>
#include <charconv>

#include "lib/http/sse.h"
#include "lib/jsonl/object.h"
#include "lib/replay/completion.h"
#include "lib/replay/token_times.h"

namespace mlq::replay {
namespace {

constexpr size_t kKeptBody = size_t{1} << 20;
// A larger buffer is given back after its answer: there is one a request in flight.
constexpr size_t kKeptCapacity = size_t{64} << 10;
constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

bool equal_fold(std::string_view a, std::string_view lower) {
  const auto fold = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [&](char x, char y) { return fold(x) == y; });
}

template <class T>
std::optional<T> whole_number(std::string_view digits) {
  T number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// The three digits of "HTTP/1.1 200 OK"; 0 if there are none.
uint32_t status_of(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == line.npos) return 0;
  const auto number = whole_number<uint16_t>(line.substr(space + 1, 3));
  return number && *number >= 100 && *number <= 999 ? *number : 0;
}

// What is parsed is read at once, so the answers of a thread share the memory, which stays in its caches.
jsonl::ObjectParser& shared_parser() {
  thread_local jsonl::ObjectParser parser;
  return parser;
}

bool may_be_object(std::string_view text) { return trimmed(text.substr(0, 256)).starts_with('{'); }

}  // namespace

struct Answer::State {
  explicit State(const AnswerRules& r) : rules(r) {}

  AnswerRules rules;

  uint32_t status = 0;
  bool is_event_stream = false;
  std::optional<int64_t> retry_after_ns;
  std::optional<std::string> gen;
  std::optional<std::string> cache;

  uint64_t down_bytes = 0;
  uint64_t reads = 0;
  std::string kept;

  http::SseParser sse;
  TokenTimes times;
  std::optional<uint32_t> prompt_tokens;
  std::optional<uint32_t> completion_tokens;
  bool complete = false;  // [DONE] or a finish_reason came
  std::optional<std::string> stream_error;

  bool good_status() const { return status >= 200 && status < 300; }
  bool streams() const { return is_event_stream && rules.tokens && good_status(); }

  void begin();
  void field(std::string_view name, std::string_view value);
  bool stream(std::string_view piece, int64_t now_ns);
  void event(const http::SseEvent& event, int64_t now_ns);
  void usage(const Completion& completion);
  void describe(records::Result& result);
  Outcome refused(records::Result& result);
  Outcome check(records::Result& result);
  Outcome check_stream(records::Result& result);
  Outcome check_json(records::Result& result);
};

void Answer::State::begin() {
  status = 0;
  is_event_stream = complete = false;
  retry_after_ns.reset();
  gen.reset();
  cache.reset();
  down_bytes = reads = 0;
  kept.clear();
  if (kept.capacity() > kKeptCapacity) kept.shrink_to_fit();
  sse.begin();
  times.begin();
  prompt_tokens.reset();
  completion_tokens.reset();
  stream_error.reset();
}

void Answer::State::field(std::string_view name, std::string_view value) {
  if (equal_fold(name, "content-type")) {
    is_event_stream = equal_fold(trimmed(value.substr(0, value.find(';'))), "text/event-stream");
  } else if (equal_fold(name, "retry-after")) {
    const auto seconds = whole_number<uint32_t>(value);
    if (seconds) retry_after_ns = int64_t{*seconds} * 1'000'000'000;
  } else if (equal_fold(name, rules.gen_header)) {
    gen = value;
  } else if (equal_fold(name, "x-mlq-cache")) {
    cache = value;
  }
}

bool Answer::State::stream(std::string_view piece, int64_t now_ns) {
  sse.feed(piece);
  for (http::SseEvent each; sse.next(each);) event(each, now_ns);
  return !sse.failed();
}

void Answer::State::event(const http::SseEvent& event, int64_t now_ns) {
  const std::string_view data = event.data;
  if (data == "[DONE]") {
    complete = true;
    return;
  }
  if (trimmed(data.substr(0, 1)).empty() && trimmed(data).empty()) return;
  jsonl::ObjectParser& parser = shared_parser();
  if (!parser.parse_copy(data)) {
    if (!stream_error) stream_error = "an event is no JSON object: " + parser.error();
    return;
  }
  const Completion completion = read_completion(parser);
  usage(completion);
  complete = complete || completion.finished;
  if (completion.token) times.add(now_ns, reads);
  if ((completion.failed || event.type == "error") && !stream_error) stream_error = error_words(parser);
}

void Answer::State::usage(const Completion& completion) {
  if (completion.prompt_tokens) prompt_tokens = completion.prompt_tokens;
  if (completion.completion_tokens) completion_tokens = completion.completion_tokens;
}

void Answer::State::describe(records::Result& result) {
  if (status > 0) result.status = status;
  result.down_bytes = down_bytes;
  result.gen = gen;
  result.cache = cache;
  if (status == 429) result.retry_after_ns = retry_after_ns;
  result.input_tokens = prompt_tokens;
  if (streams()) times.describe(rules.stall_factor, rules.keep_gaps, result);
  if (completion_tokens) {
    result.output_tokens = completion_tokens;
    result.tokens_from = "usage";
  } else if (times.events() > 0) {
    result.output_tokens = times.events();
    result.tokens_from = "events";
  }
  const int64_t tokens = result.output_tokens.value_or(0);
  if (tokens > 1 && times.events() > 1)
    result.tpot_ns = (*result.tok_last_ns - *result.tok1_ns) / (tokens - 1);
  if (tokens > 0 && result.latency_ns) result.norm_latency_ns = *result.latency_ns / tokens;
}

Outcome Answer::State::check(records::Result& result) {
  if (status == 0) {
    result.note = "the answer has no status line";
    return Outcome::protocol;
  }
  if (sse.failed()) {
    result.note = "an event of the stream is over 1 MiB";
    return Outcome::protocol;
  }
  if (rules.check != Check::none && !good_status()) return refused(result);
  if (rules.check == Check::json && !rules.member.empty())
    return streams() ? check_stream(result) : check_json(result);
  if (rules.tokens && !streams() && shared_parser().parse_copy(kept)) usage(read_completion(shared_parser()));
  return Outcome::ok;
}

// The server's words are worth a note where there are any.
Outcome Answer::State::refused(records::Result& result) {
  if (may_be_object(kept) && shared_parser().parse_copy(kept)) {
    if (std::string words = error_words(shared_parser()); !words.empty()) result.note = std::move(words);
  }
  if (status == 429) return Outcome::http_429;
  if (status >= 400 && status < 500) return Outcome::http_4xx;
  if (status >= 500 && status < 600) return Outcome::http_5xx;
  if (!result.note) result.note = "a status that is no answer";
  return Outcome::protocol;
}

// A stream that only stops was cut, whether or not the transport could see it.
Outcome Answer::State::check_stream(records::Result& result) {
  if (stream_error) {
    result.note = stream_error->empty() ? "the stream brought an error" : *stream_error;
    return Outcome::sse_error;
  }
  if (complete) return Outcome::ok;
  result.note = "the stream ended without [DONE] or a finish_reason";
  return Outcome::truncated;
}

Outcome Answer::State::check_json(records::Result& result) {
  if (down_bytes > kKeptBody && may_be_object(kept)) {
    result.note = "an answer over 1 MiB; its members were not looked at";
    return Outcome::ok;
  }
  jsonl::ObjectParser& parser = shared_parser();
  if (!parser.parse_copy(kept)) {
    result.note = "the answer is no JSON object: " + parser.error();
    return Outcome::json;
  }
  if (rules.tokens) usage(read_completion(parser));
  if (parser.find(rules.member) != nullptr) return Outcome::ok;
  const std::string words = error_words(parser);
  result.note = "the answer has no \"" + rules.member + "\"" + (words.empty() ? "" : ": " + words);
  return Outcome::json;
}

Answer::Answer(const AnswerRules& rules) : state_(std::make_unique<State>(rules)) {}
Answer::Answer(Answer&&) noexcept = default;
Answer& Answer::operator=(Answer&&) noexcept = default;
Answer::~Answer() = default;

void Answer::begin() { state_->begin(); }

void Answer::header(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with("HTTP/")) {
    state_->begin();
    state_->status = status_of(line);
    return;
  }
  const size_t colon = line.find(':');
  if (colon == line.npos || state_->down_bytes > 0) return;  // fields behind the body say nothing here
  state_->field(line.substr(0, colon), trimmed(line.substr(colon + 1)));
}

bool Answer::body(std::string_view piece, int64_t now_ns) {
  State& s = *state_;
  s.down_bytes += piece.size();
  ++s.reads;
  if (s.streams()) return s.stream(piece, now_ns);
  if (s.rules.check != Check::none || s.rules.tokens)
    s.kept.append(piece.substr(0, kKeptBody - std::min(kKeptBody, s.kept.size())));
  return true;
}

Outcome Answer::finish(records::Result& result) {
  const Outcome outcome = state_->check(result);
  state_->describe(result);
  return outcome;
}

void Answer::partial(records::Result& result) { state_->describe(result); }

std::span<const uint64_t> Answer::gaps() const { return state_->times.gaps(); }

}  // namespace mlq::replay
