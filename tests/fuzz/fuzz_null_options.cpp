// What a null server is told as text: refused, or values that a server can work with.
#include "lib/replay/null_options.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::replay;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const BatchRule rule = parse_batch(text);
    MLQ_FUZZ_CLAIM(rule.max >= 1 && rule.delay_ns >= 0 && rule.base_ns >= 0 && rule.per_ns >= 0);
    BatchQueue queue(rule, 2);
    for (int64_t t = 0; t < 5; ++t) queue.arrive(t);
    while (queue.next_start()) {
      const BatchQueue::Batch batch = queue.start();
      MLQ_FUZZ_CLAIM(batch.size >= 1 && batch.finish_ns >= batch.start_ns);
    }
  });
  fuzz::accepted([&] {
    const SseRule rule = parse_sse(text);
    MLQ_FUZZ_CLAIM(rule.ttft_ns >= 0 && rule.itl_ns >= 0 && rule.chunk >= 1);
  });
  fuzz::accepted([&] {
    const StallRule rule = parse_stall(text);
    const StallClock clock(rule.at_ns, rule.for_ns);
    for (const int64_t t : {int64_t{0}, rule.at_ns, rule.at_ns + rule.for_ns})
      MLQ_FUZZ_CLAIM(clock.world(clock.served(t)) >= t);
  });
  fuzz::accepted([&] {
    const ErrorRule rule = parse_error_rule(text);
    MLQ_FUZZ_CLAIM(rule.p >= 0 && rule.p <= 1 && rule.status >= 400 && rule.status < 600);
  });
  fuzz::accepted([&] { MLQ_FUZZ_CLAIM(parse_reset(text) <= 1); });
  fuzz::accepted([&] { MLQ_FUZZ_CLAIM(parse_byte_rate(text) > 0); });
  // The names of files that tell on their readers are not for this target.
  if (text.find("empirical") == text.npos) fuzz::accepted([&] { MLQ_FUZZ_CLAIM(parse_service(text)); });
  return 0;
}
