// The pipe of external tuners from the side of ask --stdio: refused with a message, or answered.
#include "lib/tune/drive/stdio_server.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    TunerOptions options;
    options.name = size % 2 == 0 ? "random" : "rrl-region";
    serve_stdio(options, Input::from_bytes("fuzz", text), [](std::string_view answer) {
      MLQ_FUZZ_CLAIM(answer.starts_with(R"({"type":"config","config":{)"));
    });
  });
  return 0;
}
