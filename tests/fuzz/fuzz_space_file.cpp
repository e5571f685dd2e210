// A space file: refused with a message, or a space whose points keep what it promises.
#include "lib/tune/space/space_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const SpaceFile file = parse_space_file(text, "s.json");
    if (file.space == nullptr) return;
    const Space& space = *file.space;
    Draws draws(1, Purpose::design, 0);
    const PointId point = space.listed() ? space.draw(draws) : space.middle();
    MLQ_FUZZ_CLAIM(space.valid(point));
    MLQ_FUZZ_CLAIM(space.canonical(point) == point);
    MLQ_FUZZ_CLAIM(space.find(space.config(point)) == point);
    if (file.start) MLQ_FUZZ_CLAIM(space.valid(space.nearest(*file.start)));
  });
  return 0;
}
