// Answers: header lines up to a blank one, then the body. No answer breaks the reader; how its body is cut
// changes nothing but the stamps; what is told agrees with itself.
#include <string>
#include <vector>

#include "lib/replay/answer.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

using replay::Answer;
using replay::Outcome;

struct Got {
  Outcome outcome;
  records::Result result;
};

Got read(Answer& answer, std::string_view head, std::string_view body, size_t step) {
  answer.begin();
  answer.header("HTTP/1.1 200 OK\r\n");
  for (size_t at = 0; at < head.size();) {
    const size_t end = std::min(head.find('\n', at), head.size() - 1);
    answer.header(head.substr(at, end + 1 - at));
    at = end + 1;
  }
  int64_t now = 0;
  for (size_t at = 0; at < body.size(); at += step) {
    const std::string_view piece = body.substr(at, step);
    const std::vector<char> chunk(piece.begin(), piece.end());
    answer.body({chunk.data(), chunk.size()}, now += 3);
  }
  Got got{};
  got.result.send_ns = 1;
  got.result.latency_ns = now;
  got.outcome = answer.finish(got.result);
  return got;
}

void check(const Answer& answer, const Got& got, size_t bytes) {
  const records::Result& r = got.result;
  MLQ_FUZZ_CLAIM(replay::is_answered(got.outcome) || got.outcome == Outcome::protocol ||
                 got.outcome == Outcome::truncated);
  MLQ_FUZZ_CLAIM(r.down_bytes == bytes);
  const uint32_t events = r.events.value_or(0);
  MLQ_FUZZ_CLAIM(answer.gaps().size() + 1 == std::max(1u, events));
  MLQ_FUZZ_CLAIM(r.tok1_ns.has_value() == (events > 0));
  MLQ_FUZZ_CLAIM(r.coalesced.value_or(0) <= events);
  MLQ_FUZZ_CLAIM(r.output_tokens.has_value() == r.tokens_from.has_value());
  if (r.itl_p50_ns) MLQ_FUZZ_CLAIM(*r.itl_p50_ns <= *r.itl_p99_ns && *r.itl_p99_ns <= *r.itl_max_ns);
  if (got.outcome == Outcome::json || got.outcome == Outcome::sse_error) MLQ_FUZZ_CLAIM(r.note.has_value());
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::fuzz;
  const std::string_view text = text_of(data, size);
  const size_t blank = text.find("\n\n");
  const std::string_view head = text.substr(0, blank == text.npos ? 0 : blank + 1);
  const std::string_view body = blank == text.npos ? text : text.substr(blank + 2);
  for (const auto check_kind : {replay::Check::json, replay::Check::none}) {
    for (const bool tokens : {true, false}) {
      replay::AnswerRules rules;
      rules.check = check_kind;
      rules.member = tokens ? "choices" : "outputs";
      rules.tokens = tokens;
      rules.keep_gaps = true;
      Answer answer(rules);
      const Got whole = read(answer, head, body, body.size() + 1);
      check(answer, whole, body.size());
      for (const size_t step : {1, 3, 100}) {
        const Got cut = read(answer, head, body, step);
        check(answer, cut, body.size());
        MLQ_FUZZ_CLAIM(cut.outcome == whole.outcome && cut.result.events == whole.result.events);
        MLQ_FUZZ_CLAIM(cut.result.output_tokens == whole.result.output_tokens);
        MLQ_FUZZ_CLAIM(cut.result.input_tokens == whole.result.input_tokens);
        MLQ_FUZZ_CLAIM(cut.result.note == whole.result.note);
      }
    }
  }
  return 0;
}
