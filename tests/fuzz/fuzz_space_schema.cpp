// A schema of knobs, as an endpoint answers it: refused with a message, or a space on which the present
// configuration stands, but for constraints that it breaks.
#include "lib/tune/space/space_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const SchemaSpace schema = space_from_schema(text, "mlq:u", nullptr);
    MLQ_FUZZ_CLAIM(schema.space->dims() == schema.present.size());
    MLQ_FUZZ_CLAIM(!schema.model.empty() && !schema.patch_path.empty());
    const auto present = schema.space->find(schema.present);
    MLQ_FUZZ_CLAIM(present || !schema.space->constraints().empty());
    MLQ_FUZZ_CLAIM(schema.space->valid(schema.space->nearest(schema.present)));
  });
  return 0;
}
