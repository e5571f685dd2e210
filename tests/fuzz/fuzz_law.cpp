// Laws as text, for each use: refused, or samples that keep their promises.
#include <array>
#include <bit>
#include <cmath>

#include "lib/arrival/law/law.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace mlq;
using namespace mlq::arrival;

constexpr size_t kSamples = 20;

void try_use(std::string_view text, LawUse use) {
  const LawPtr law = parse_law(text, use);
  const RandomStream random(1, Purpose::gaps);
  const uint64_t first = text.size();
  std::array<double, kSamples> block{};
  law->fill(random, first, 0, block);
  for (size_t k = 0; k < kSamples; ++k) {
    const double x = law->sample({&random, first + k});
    MLQ_FUZZ_CLAIM(x >= 0);
    MLQ_FUZZ_CLAIM(std::bit_cast<uint64_t>(x) == std::bit_cast<uint64_t>(block[k]));
    const double p = law->cdf(x);
    MLQ_FUZZ_CLAIM(p >= 0 && p <= 1 + 1e-9);
    if (law->has_residual()) MLQ_FUZZ_CLAIM(law->residual({&random, first + k}) >= 0);
  }
  MLQ_FUZZ_CLAIM(law->mean() >= 0);
  if (use == LawUse::gap) MLQ_FUZZ_CLAIM(law->mean() == 1 && law->has_residual());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = mlq::fuzz::text_of(data, size);
  // The names of files that tell on their readers are not for this target.
  if (text.find("empirical") != text.npos) return 0;
  for (const LawUse use : {LawUse::gap, LawUse::sojourn, LawUse::count}) {
    mlq::fuzz::accepted([&] { try_use(text, use); });
  }
  return 0;
}
