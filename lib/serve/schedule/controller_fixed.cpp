#include "lib/serve/schedule/controller.h"

namespace mlq::serve {
namespace {

class Fixed final : public Controller {
 public:
  uint32_t target(const ControllerView& view) const override { return view.knobs.max_rows; }
  void observe(const ControllerView&, const BatchObservation&) override {}
};

}  // namespace

std::unique_ptr<Controller> make_fixed() { return std::make_unique<Fixed>(); }

}  // namespace mlq::serve
