#include "lib/simigrad/live/serve.h"

#include "lib/jsonl/line_reader.h"

namespace mlq::simigrad {

Served serve(Input input, Advisor& advisor, StateFile* state,
             const std::function<void(std::string_view)>& reply) {
  jsonl::LineReader lines(std::move(input), kLongestRequest);
  jsonl::Line line;
  Served served;
  while (!served.ended && lines.next(line)) {
    if (line.text.empty()) continue;
    const Advisor::Reply answer = line.too_long ? advisor.answer_too_long() : advisor.answer(line.text);
    served.refused |= answer.refused;
    served.ended = answer.ends;
    if (answer.line.empty()) continue;
    if (state != nullptr && answer.changed)
      state->append(answer.request.empty() ? line.text : std::string_view(answer.request), answer.line);
    reply(answer.line);
    ++served.replies;
  }
  served.interrupted = lines.input().interrupted();
  return served;
}

}  // namespace mlq::simigrad
