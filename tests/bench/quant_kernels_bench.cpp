// The kernels of mlq-quant on one core, beside memcpy of the same bytes in the same rounds: each round
// copies, then works, and the ratio is the median over rounds of time to copy by time to work. Bytes are
// those of the floats, read by an encoder or written by a decoder. usage: quant_kernels_bench [NAME_PART]
#include <functional>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/ec.h"
#include "kernels/float8.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/sums.h"
#include "tests/bench/bench.h"
#include "tests/kernels/inputs.h"

namespace mlq::bench {
namespace {

using namespace mlq::kernels;
using kernels::test::Array;
using kernels::test::name_of;
using Bytes = std::vector<uint8_t>;

constexpr int kRounds = 11;
constexpr size_t kBytesARound = size_t{64} << 20;

std::string only;

// In cache: with its output well inside the last level. In memory: far beyond it.
struct Place {
  const char* name;
  uint64_t elems;
};
constexpr Place kPlaces[] = {{"cache", uint64_t{1} << 20}, {"memory", uint64_t{1} << 26}};

struct Case {
  Place place;
  const Array& x;

  std::string name(const std::string& kernel) const {
    return kernel + " " + name_of(x.type()) + " " + place.name;
  }
};

void measure(const std::string& name, size_t bytes, const std::function<void()>& work) {
  if (name.find(only) == std::string::npos) return;
  const size_t repeats = std::max<size_t>(1, kBytesARound / bytes);
  const Bytes from(bytes, 1);
  Bytes to(bytes, 2);
  work();
  std::vector<double> copies, works, ratios;
  for (int round = 0; round < kRounds; ++round) {
    copies.push_back(cpu_of([&] {
      for (size_t i = 0; i < repeats; ++i) {
        std::memcpy(to.data(), from.data(), bytes);
        asm volatile("" : : "r"(to.data()) : "memory");
      }
    }));
    works.push_back(cpu_of([&] {
      for (size_t i = 0; i < repeats; ++i) work();
    }));
    ratios.push_back(copies.back() / works.back());
  }
  const double amount = static_cast<double>(bytes * repeats);
  std::printf(
      "{\"type\":\"bench\",\"name\":\"%s\",\"amount\":%.0f,\"unit\":\"bytes\",\"cpu_s\":%.6f,\"per_s\":%.6g,"
      "\"memcpy_per_s\":%.6g,\"ratio\":%.4g}\n",
      name.c_str(), amount, median(works), amount / median(works), amount / median(copies), median(ratios));
  std::fflush(stdout);
}

void block_ints(const Case& c) {
  const uint64_t n = c.x.elems();
  Bytes codes(n);
  Array scales(Float::bf16, n / 32 + 1), out(c.x.type(), n);
  EncodeCounts counts;
  uint64_t saturated = 0;
  constexpr const char* kGrids[] = {"absmax", "sign", "mse"};
  for (const unsigned bits : {8u, 4u, 3u, 2u})
    for (const Grid grid : {Grid::absmax, Grid::sign, Grid::mse}) {
      if (grid == Grid::mse && (bits != 4 || c.place.elems > kPlaces[0].elems)) continue;
      const BlockIntSpec spec{bits, grid, Float::bf16, false};
      const std::string name = "int" + std::to_string(bits) + "_" + kGrids[static_cast<int>(grid)];
      for (const uint64_t block : {64, 2048}) {
        const BlockLayout layout{1, n, block};
        measure(c.name("encode_" + name + "_b" + std::to_string(block)), c.x.bytes(), [&] {
          block_int_encode_simd(spec, layout, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts);
        });
      }
      if (grid != Grid::sign) continue;
      const BlockLayout layout{1, n, 64};
      block_int_encode_simd(spec, layout, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts);
      measure(c.name("decode_" + name + "_b64"), c.x.bytes(), [&] {
        block_int_decode_simd(spec, layout, codes.data(), scales.data(), c.x.type(), out.data(), &saturated);
      });
    }
}

void tables_and_floats(const Case& c) {
  const uint64_t n = c.x.elems();
  Bytes codes(n), scales(n / 4);
  Array out(c.x.type(), n);
  EncodeCounts counts;
  uint64_t saturated = 0;
  const BlockLayout b64{1, n, 64}, b128{1, n, 128}, b32{1, n, kMxBlock}, b16{1, n, kNvfp4Block};
  measure(c.name("encode_nf4_b64"), c.x.bytes(),
          [&] { lut4_encode_simd({}, b64, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts); });
  measure(c.name("decode_nf4_b64"), c.x.bytes(), [&] {
    lut4_decode_simd({}, b64, codes.data(), scales.data(), c.x.type(), out.data(), &saturated);
  });
  measure(c.name("encode_e4m3_b128"), c.x.bytes(), [&] {
    float8_encode_simd({}, b128, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts);
  });
  measure(c.name("decode_e4m3_b128"), c.x.bytes(), [&] {
    float8_decode_simd({}, b128, codes.data(), scales.data(), c.x.type(), out.data(), &saturated);
  });
  measure(c.name("encode_mxfp4"), c.x.bytes(),
          [&] { mx_encode_simd({}, b32, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts); });
  measure(c.name("decode_mxfp4"), c.x.bytes(),
          [&] { mx_decode_simd({}, b32, codes.data(), scales.data(), c.x.type(), out.data(), &saturated); });
  const Nvfp4Spec spec{nvfp4_factor(false, 0.12f), false, false};
  measure(c.name("encode_nvfp4"), c.x.bytes(), [&] {
    nvfp4_encode_simd(spec, b16, c.x.type(), c.x.data(), codes.data(), scales.data(), &counts);
  });
  measure(c.name("decode_nvfp4"), c.x.bytes(), [&] {
    nvfp4_decode_simd(spec, b16, codes.data(), scales.data(), c.x.type(), out.data(), &saturated);
  });
}

// Of a spread of 0.02: few escapes at a step of a tenth of it, some at a fiftieth.
void ecs(const Case& c) {
  const uint64_t n = c.x.elems();
  Bytes low(n), high(n);
  Array escapes(c.x.type(), n), out(c.x.type(), n);
  EncodeCounts counts;
  uint64_t saturated = 0;
  for (const bool wide : {false, true})
    for (const float step : {0.002f, 0.0004f}) {
      const std::string name =
          std::string(wide ? "ec_wide" : "ec") + (step > 0.001f ? "_tenth" : "_fiftieth");
      uint8_t* upper = wide ? high.data() : nullptr;
      measure(c.name("encode_" + name), c.x.bytes(), [&] {
        ec_encode_simd(step, n, c.x.type(), c.x.data(), low.data(), upper, escapes.data(), &counts);
      });
      measure(c.name("decode_" + name), c.x.bytes(), [&] {
        ec_decode_simd(step, n, low.data(), upper, c.x.type(), escapes.data(), c.x.type(), out.data(),
                       &saturated);
      });
    }
}

void sums(const Case& c) {
  const uint64_t n = c.x.elems();
  std::vector<ValueSums> values(sum_groups(n));
  std::vector<ErrorSums> errors(sum_groups(n));
  uint64_t exponents[256] = {};
  measure(c.name("value_sums"), c.x.bytes(),
          [&] { value_sums_simd(n, c.x.type(), c.x.data(), values.data()); });
  measure(c.name("error_sums"), c.x.bytes(),
          [&] { error_sums_simd(n, c.x.type(), c.x.data(), c.x.type(), c.x.data(), errors.data()); });
  measure(c.name("exponent_counts"), c.x.bytes(),
          [&] { exponent_counts(n, c.x.type(), c.x.data(), exponents); });
}

void casts(const Case& c) {
  Array out(Float::f32, c.x.elems());
  uint64_t saturated = 0;
  for (const Float target : kernels::test::kFloats)
    measure(c.name(std::string("cast_to_") + name_of(target)), c.x.bytes(),
            [&] { cast_simd(c.x.elems(), c.x.type(), c.x.data(), target, out.data(), &saturated); });
}

// A million normal numbers, over and over.
Array data(Float type, uint64_t elems) {
  constexpr uint64_t kSome = uint64_t{1} << 20;
  const Array some = kernels::test::make_normal(type, kSome, 0.02f);
  Array out(type, elems);
  for (uint64_t i = 0; i < elems; i += kSome)
    std::memcpy(static_cast<char*>(out.data()) + i * size_of(type), some.data(), some.bytes());
  return out;
}

void run() {
  for (const Place& place : kPlaces)
    for (const Float type : {Float::bf16, Float::f32, Float::f16}) {
      const Array x = data(type, place.elems);
      const Case c{place, x};
      block_ints(c);
      tables_and_floats(c);
      ecs(c);
      sums(c);
      casts(c);
    }
}

}  // namespace
}  // namespace mlq::bench

int main(int argc, char** argv) {
  if (argc > 1) mlq::bench::only = argv[1];
  mlq::bench::run();
}
