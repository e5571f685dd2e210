// Surface records: refused with a message, or surfaces whose every point has a truth and a window.
#include "lib/tune/surface/surface.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq;
  using namespace mlq::tune;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    records::Reader reader(Input::from_bytes("fuzz", text), {});
    SurfaceOptions options;
    options.recorded_sigma = size % 2 == 0;
    for (const auto& surface : read_surfaces(reader, options)) {
      MLQ_FUZZ_CLAIM(!surface->levels().empty());
      const PointId point = surface->start();
      MLQ_FUZZ_CLAIM(surface->space().valid(point));
      for (LevelId level = 0; level < surface->levels().size(); ++level) {
        const auto truth = surface->truth(level, point);
        const auto window = surface->sample(level, point, Draws(1, Purpose::surface_noise, size));
        MLQ_FUZZ_CLAIM(!truth.outcome.empty() && !window.outcome.empty());
      }
    }
  });
  return 0;
}
