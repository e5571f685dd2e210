// A stream of gram records: refused with a message, or every estimate is a record that reads back.
#include <cmath>

#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/estimate/estimator.h"
#include "lib/simigrad/estimate/source.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::simigrad;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    records::Reader reader(Input::from_bytes("fuzz", text), {});
    RecordSource source(reader);
    Estimator estimator({});
    records::Gram gram;
    while (source.next(gram)) {
      Observation o;
      if (const auto refusal = observe(gram, {}, o)) throw input_error("{}", refusal->message);
      estimator.add(o);
      const Signal signal = estimator.signal();
      jsonl::Buffer line;
      records::write_record(line, estimate_record(o, signal, estimator.options(), 64));
      const jsonl::OwnedObject object(line.view().substr(0, line.size() - 1));
      MLQ_FUZZ_CLAIM(object.ok());
      if (signal.has_interval && signal.a > 0 && std::isfinite(signal.interval.lo))
        MLQ_FUZZ_CLAIM(signal.interval.lo <= signal.b_simple() * (1 + 1e-9));
    }
  });
  return 0;
}
