// The measure object of endpoint files, and lines of streams of records: read or refused, never more.
#include "lib/tune/measure/measure_source.h"
#include "lib/tune/measure/record_source.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const MeasureSpec spec = parse_measure(text, "measure");
    MLQ_FUZZ_CLAIM(spec.source != MeasureSpec::Source::prometheus || !spec.url.empty());
    MLQ_FUZZ_CLAIM(spec.query.unit_ns > 0 && spec.scrape_ns > 0);
  });
  static const Objective objective = Objective::parse("latency", "p95<=10ms");
  jsonl::ObjectParser parser;
  const RecordLine line = read_record_line(text, objective, {}, parser);
  if (line.kind == RecordLine::Kind::request)
    MLQ_FUZZ_CLAIM(line.sample.due_ns >= 0 && line.done_ns >= line.sample.due_ns);
  if (line.kind == RecordLine::Kind::window) {
    MLQ_FUZZ_CLAIM(line.window.window_ns > 0 && line.done_ns > 0);
    MLQ_FUZZ_CLAIM(line.window.ok + line.window.errors <= line.window.requests);
  }
  return 0;
}
