// Requests to follow: each that asks for a reply gets one line, a record; what is refused changes nothing;
// the same requests get the same replies.
#include <string>
#include <vector>

#include "lib/jsonl/object.h"
#include "lib/simigrad/live/serve.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::simigrad;

std::vector<std::string> replies_to(std::string_view text, Controller controller) {
  ControlOptions options;
  options.controller = controller;
  options.target = Target::of_gamma(0.8);
  options.warmup_steps = 1;
  Advisor advisor(options, {});
  std::vector<std::string> replies;
  serve(Input::from_bytes("fuzz", text), advisor, nullptr,
        [&](std::string_view line) { replies.emplace_back(line); });
  return replies;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const Controller controller = size % 2 == 0 ? Controller::ratio : Controller::simigrad;
  fuzz::accepted([&] {
    const auto replies = replies_to(text, controller);
    for (const std::string& line : replies) {
      MLQ_FUZZ_CLAIM(line.ends_with('\n') && line.find('\n') == line.size() - 1);
      const jsonl::OwnedObject object(std::string_view(line).substr(0, line.size() - 1));
      MLQ_FUZZ_CLAIM(object.ok());
    }
    MLQ_FUZZ_CLAIM(replies == replies_to(text, controller));
  });
  return 0;
}
