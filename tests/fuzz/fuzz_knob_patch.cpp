// A PATCH of knobs: refused, all of it, with a status that the admin interface knows; or values that pass the
// check, can be written, and are what they were when what was written is patched in again.
#include "lib/jsonl/buffer.h"
#include "lib/serve/gateway/model_knobs.h"
#include "lib/serve/model/serve_knobs.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::serve;

void patch(const KnobRows& rows, std::string_view text) {
  std::vector<KnobValue> values = rows.defaults();
  if (const auto refusal = rows.patch(text, values)) {
    MLQ_FUZZ_CLAIM(refusal->status == 400 || refusal->status == 422);
    MLQ_FUZZ_CLAIM(!refusal->message.empty());
    MLQ_FUZZ_CLAIM(values == rows.defaults());
    return;
  }
  MLQ_FUZZ_CLAIM(!rows.check(values));
  jsonl::Buffer out;
  rows.write_values(values, out);
  std::vector<KnobValue> again = rows.defaults();
  MLQ_FUZZ_CLAIM(!rows.patch(out.view(), again));
  MLQ_FUZZ_CLAIM(again == values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  patch(model_knob_rows(), text);
  static const KnobRows sleep = model::serve_knob_table(model::Backend::sleep, 4).rows();
  patch(sleep, text);
  return 0;
}
