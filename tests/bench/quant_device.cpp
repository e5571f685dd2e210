// Rates of the kernels on a CUDA device, beside those of a copy in the device's memory in the same run: one
// JSON record a line. Before a kernel is timed, what it made of the first elements is compared with its CPU
// twin; exit status 1 if one differs, 4 without a device. Needs CUDA's driver and the C++ library alone.
// usage: quant_device [MEBIELEMENTS]   (1024: 2 GiB of bf16)
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kernels/block_int.h"
#include "kernels/cast.h"
#include "kernels/delta.h"
#include "kernels/dither.h"
#include "kernels/ec.h"
#include "kernels/feedback.h"
#include "kernels/float8.h"
#include "kernels/lut4.h"
#include "kernels/mx.h"
#include "kernels/nvfp4.h"
#include "kernels/ordered_diff.h"
#include "kernels/sums.h"
#include "kernels/xxh3_leaves.h"
#include "tests/kernels/inputs.h"

namespace {

using namespace mlq::kernels;
using mlq::kernels::test::make_normal;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "quant_device: %s: %s\n", what, cudaGetErrorString(error));
  std::exit(4);
}

class DeviceArray {
 public:
  explicit DeviceArray(size_t bytes) : bytes_(bytes) {
    check(cudaMalloc(&data_, bytes), "cudaMalloc");
    check(cudaMemset(data_, 0xa5, bytes), "cudaMemset");
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  void* data() const { return data_; }
  uint8_t* bytes() const { return static_cast<uint8_t*>(data_); }
  size_t size() const { return bytes_; }
  std::vector<uint8_t> first(size_t bytes) const {
    std::vector<uint8_t> out(std::min(bytes, bytes_));
    check(cudaMemcpy(out.data(), data_, out.size(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return out;
  }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

constexpr int kWarmUp = 3, kReps = 15;
constexpr uint64_t kCompared = 1 << 20;  // elements; whole blocks, tiles and groups
constexpr uint64_t kPeriod = 1 << 24;    // elements of the data, repeated

struct Durations {
  double median_s, least_s;
};
Durations timed(const std::function<void()>& work) {
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "cudaEventCreate");
  check(cudaEventCreate(&stop), "cudaEventCreate");
  std::vector<double> seconds;
  for (int i = 0; i < kWarmUp + kReps; ++i) {
    check(cudaEventRecord(start, nullptr), "cudaEventRecord");
    work();
    check(cudaGetLastError(), "launch");
    check(cudaEventRecord(stop, nullptr), "cudaEventRecord");
    check(cudaEventSynchronize(stop), "kernel");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, start, stop), "cudaEventElapsedTime");
    if (i >= kWarmUp) seconds.push_back(static_cast<double>(ms) * 1e-3);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2], seconds.front()};
}

struct Bench {
  uint64_t elems = 0;
  std::string device;
  double copy_rate = 0;  // bytes a second, read and written
  bool same = true;

  void report(const char* kernel, const std::string& format, uint64_t block, uint64_t moved, Durations d) {
    const double rate = static_cast<double>(moved) / d.median_s;
    std::printf(
        "{\"type\":\"bench\",\"what\":\"kernel\",\"kernel\":\"%s\",\"format\":\"%s\",\"block\":%llu,"
        "\"device\":\"%s\",\"elems\":%llu,\"moved_bytes\":%llu,\"working_set_bytes\":%llu,\"reps\":%d,"
        "\"duration_ns\":%.0f,\"duration_min_ns\":%.0f,\"rate_bytes_per_s\":%.6g,"
        "\"baseline\":\"device_copy\",\"baseline_bytes_per_s\":%.6g,\"ratio\":%.4f}\n",
        kernel, format.c_str(), static_cast<unsigned long long>(block), device.c_str(),
        static_cast<unsigned long long>(elems), static_cast<unsigned long long>(moved),
        static_cast<unsigned long long>(moved), kReps, d.median_s * 1e9, d.least_s * 1e9, rate, copy_rate,
        rate / copy_rate);
    std::fflush(stdout);
  }
  void compare(const std::string& what, const std::vector<uint8_t>& device_bytes, const void* twin) {
    if (std::memcmp(device_bytes.data(), twin, device_bytes.size()) == 0) return;
    std::fprintf(stderr, "quant_device: %s: the device's bytes are not the twin's\n", what.c_str());
    same = false;
  }
};

// Encodes and decodes one block format of `bits` with scales of `scale_width` bytes.
struct Format {
  std::string name;
  uint64_t block;
  unsigned bits;
  size_t scale_width;
  std::function<void(bool cuda, const BlockLayout&, Float, const void*, uint8_t*, uint8_t*, EncodeCounts*)>
      encode;
  std::function<void(bool cuda, const BlockLayout&, const uint8_t*, const uint8_t*, Float, void*, uint64_t*)>
      decode;
};

struct Arrays {
  DeviceArray x, codes, scales, out, counts;
};

void run(Bench& bench, const Format& format, Float type, const test::Array& host, const Arrays& on) {
  const BlockLayout layout{1, bench.elems, format.block}, few{1, kCompared, format.block};
  const uint64_t code_bytes = layout.code_bytes(format.bits);
  const uint64_t moved = bench.elems * size_of(type) + code_bytes + layout.blocks() * format.scale_width;
  const std::string name = format.name + "_" + test::name_of(type);
  auto* counts = static_cast<EncodeCounts*>(on.counts.data());
  auto* saturated = static_cast<uint64_t*>(on.counts.data());

  const Durations encode = timed(
      [&] { format.encode(true, layout, type, on.x.data(), on.codes.bytes(), on.scales.bytes(), counts); });
  const Durations decode = timed([&] {
    format.decode(true, layout, on.codes.bytes(), on.scales.bytes(), type, on.out.data(), saturated);
  });

  std::vector<uint8_t> codes(few.code_bytes(format.bits)), scales(few.blocks() * format.scale_width),
      out(kCompared * size_of(type));
  EncodeCounts met;
  uint64_t cut = 0;
  format.encode(false, few, type, host.data(), codes.data(), scales.data(), &met);
  format.decode(false, few, codes.data(), scales.data(), type, out.data(), &cut);
  bench.compare(name + " codes", on.codes.first(codes.size()), codes.data());
  bench.compare(name + " scales", on.scales.first(scales.size()), scales.data());
  bench.compare(name + " values", on.out.first(out.size()), out.data());
  bench.report("encode", name, format.block, moved, encode);
  bench.report("decode", name, format.block, moved, decode);
}

Format block_int(const char* name, unsigned bits, Grid grid, uint64_t block) {
  const BlockIntSpec spec{bits, grid, Float::bf16, false};
  return {
      name,
      block,
      bits,
      2,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? block_int_encode_cuda(spec, l, f, x, c, s, n, nullptr)
             : block_int_encode_cpu(spec, l, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? block_int_decode_cuda(spec, l, c, s, f, o, n, nullptr)
             : block_int_decode_cpu(spec, l, c, s, f, o, n);
      }};
}

// From an element on that begins with a draw of four offsets, or not.
Format dither(const char* name, unsigned bits, Grid grid, uint64_t first) {
  const BlockIntSpec spec{bits, grid, Float::bf16, false};
  const DitherKey key{{0x243f6a88u, 0x85a308d3u}, 1, 2, 0.25f};
  return {
      name,
      64,
      bits,
      2,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? dither_encode_cuda(spec, l, key, first, f, x, c, s, n, nullptr)
             : dither_encode_cpu(spec, l, key, first, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? dither_decode_cuda(spec, l, key, first, c, s, f, o, n, nullptr)
             : dither_decode_cpu(spec, l, key, first, c, s, f, o, n);
      }};
}

Format lut4(const char* name, Table4 table) {
  const Lut4Spec spec{table, Float::bf16, NibbleOrder::low_first};
  return {
      name,
      64,
      4,
      2,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? lut4_encode_cuda(spec, l, f, x, c, s, n, nullptr) : lut4_encode_cpu(spec, l, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? lut4_decode_cuda(spec, l, c, s, f, o, n, nullptr) : lut4_decode_cpu(spec, l, c, s, f, o, n);
      }};
}

Format e4m3() {
  const Float8Spec spec{Float8::e4m3, Float::bf16};
  return {
      "e4m3",
      128,
      8,
      2,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? float8_encode_cuda(spec, l, f, x, c, s, n, nullptr)
             : float8_encode_cpu(spec, l, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? float8_decode_cuda(spec, l, c, s, f, o, n, nullptr)
             : float8_decode_cpu(spec, l, c, s, f, o, n);
      }};
}

Format mx(const char* name, MxElement element, MxScale rule) {
  const MxSpec spec{element, rule};
  return {
      name,
      kMxBlock,
      element == MxElement::e4m3 ? 8u : 4u,
      1,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? mx_encode_cuda(spec, l, f, x, c, s, n, nullptr) : mx_encode_cpu(spec, l, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? mx_decode_cuda(spec, l, c, s, f, o, n, nullptr) : mx_decode_cpu(spec, l, c, s, f, o, n);
      }};
}

Format nvfp4(const char* name, bool four_or_six) {
  const Nvfp4Spec spec{nvfp4_factor(four_or_six, 5.5f), four_or_six, false};
  return {
      name,
      kNvfp4Block,
      4,
      1,
      [=](bool cuda, const BlockLayout& l, Float f, const void* x, uint8_t* c, uint8_t* s, EncodeCounts* n) {
        cuda ? nvfp4_encode_cuda(spec, l, f, x, c, s, n, nullptr) : nvfp4_encode_cpu(spec, l, f, x, c, s, n);
      },
      [=](bool cuda, const BlockLayout& l, const uint8_t* c, const uint8_t* s, Float f, void* o,
          uint64_t* n) {
        cuda ? nvfp4_decode_cuda(spec, l, c, s, f, o, n, nullptr) : nvfp4_decode_cpu(spec, l, c, s, f, o, n);
      }};
}

// What has no blocks: ec, sums, hashes, casts, error feedback; compared by the tests alone.
void run_arrays(Bench& bench, const Arrays& on) {
  const uint64_t n = bench.elems;
  const DeviceArray scratch(ec_scratch_bytes(n)), escapes(n * 2);
  auto* counts = static_cast<EncodeCounts*>(on.counts.data());
  auto* number = static_cast<uint64_t*>(on.counts.data()) + 3;
  bench.report("encode", "ec_bf16", 0, n * 3, timed([&] {
                 ec_encode_cuda(0.1f, n, Float::bf16, on.x.data(), on.codes.bytes(), nullptr, escapes.data(),
                                number, scratch.data(), counts, nullptr);
               }));
  bench.report("decode", "ec_bf16", 0, n * 3, timed([&] {
                 ec_decode_cuda(0.1f, n, on.codes.bytes(), nullptr, Float::bf16, escapes.data(), Float::bf16,
                                on.out.data(), scratch.data(), number, nullptr);
               }));
  bench.report("value_sums", "bf16", 0, n * 2, timed([&] {
                 value_sums_cuda(n, Float::bf16, on.x.data(), static_cast<ValueSums*>(escapes.data()),
                                 nullptr);
               }));
  bench.report("error_sums", "bf16", 0, n * 4, timed([&] {
                 error_sums_cuda(n, Float::bf16, on.x.data(), Float::bf16, on.out.data(),
                                 static_cast<ErrorSums*>(escapes.data()), nullptr);
               }));
  bench.report("xxh3_leaves", "bytes", 0, n * 2,
               timed([&] { xxh3_leaves_cuda(on.x.data(), n * 2, escapes.bytes(), nullptr); }));
  bench.report("cast", "bf16_f32", 0, n * 6, timed([&] {
                 cast_cuda(n, Float::bf16, on.x.data(), Float::f32, on.out.data(), number, nullptr);
               }));
  bench.report("count_nonfinite", "bf16", 0, n * 2,
               timed([&] { count_nonfinite_cuda(n, Float::bf16, on.x.data(), number, nullptr); }));
  // With what the cast has left as the residual.
  auto* const residual = static_cast<float*>(on.out.data());
  bench.report("feedback_compensate", "bf16", 0, n * 10, timed([&] {
                 feedback_compensate_cuda(n, Float::bf16, on.x.data(), 1, residual, residual, nullptr);
               }));
  bench.report("feedback_residual", "bf16", 0, n * 10, timed([&] {
                 feedback_residual_cuda(n, residual, Float::bf16, on.x.data(), residual, nullptr);
               }));
}

// Deltas of bf16 weights to a bf16 state; compared by the tests alone.
void run_deltas(Bench& bench, const Arrays& on) {
  constexpr BlockIntSpec kSpec{4, Grid::sign, Float::bf16, false};
  const BlockLayout layout{1, bench.elems, 64};
  const uint64_t coded = layout.code_bytes(kSpec.bits) + layout.blocks() * size_of(kSpec.scale);
  auto* counts = static_cast<EncodeCounts*>(on.counts.data());
  auto* cut = static_cast<uint64_t*>(on.counts.data()) + 3;
  check(cudaMemset(on.out.data(), 0, bench.elems * 2), "cudaMemset");
  bench.report("delta_encode", "int4_bf16", layout.block, bench.elems * 6 + coded, timed([&] {
                 delta_encode_cuda(kSpec, layout, Float::bf16, on.x.data(), Float::bf16, on.out.data(),
                                   on.codes.bytes(), on.scales.data(), counts, cut, nullptr);
               }));
  bench.report("delta_apply", "int4_bf16", layout.block, bench.elems * 4 + coded, timed([&] {
                 delta_apply_cuda(kSpec, layout, on.codes.bytes(), on.scales.data(), Float::bf16,
                                  on.out.data(), cut, nullptr);
               }));
}

// Differences of words of which one in 116 changes, as after small updates, and back; moved are the bytes of
// base and new words, or of what is changed in place. Compared by the tests alone.
void run_differences(Bench& bench, const Arrays& on) {
  constexpr WordKind kBf16 = {2, WordOrder::sign_magnitude};
  constexpr uint64_t kOneIn = 116;
  const uint64_t n = bench.elems;
  const DeviceArray scratch(ordered_diff_scratch_bytes(n)), planes(n * 2);
  auto* changed = static_cast<uint64_t*>(on.counts.data());
  check(cudaMemcpy(on.out.data(), on.x.data(), n * 2, cudaMemcpyDeviceToDevice), "cudaMemcpy");
  check(cudaMemset2D(on.out.data(), 2 * kOneIn, 0x55, 1, n / kOneIn), "cudaMemset2D");
  bench.report("ordered_diff", "bf16", 0, n * 4, timed([&] {
                 ordered_diff_cuda(kBf16, n, on.x.data(), on.out.data(), on.codes.bytes(), planes.bytes(), n,
                                   changed, scratch.data(), nullptr);
               }));
  bench.report("ordered_patch", "bf16", 0, n * 2, timed([&] {
                 ordered_patch_cuda(kBf16, n, on.codes.bytes(), planes.bytes(), n, on.x.data(),
                                    scratch.data(), nullptr);
               }));
  bench.report("xor_planes", "bf16", 0, n * 6,
               timed([&] { xor_planes_cuda(2, n, on.x.data(), on.out.data(), planes.bytes(), nullptr); }));
}

// The same numbers over and over.
void fill(const DeviceArray& to, const test::Array& period) {
  for (size_t at = 0; at < to.size(); at += period.bytes())
    check(cudaMemcpy(to.bytes() + at, period.data(), std::min<size_t>(period.bytes(), to.size() - at),
                     cudaMemcpyHostToDevice),
          "cudaMemcpy");
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  bench.elems = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024) << 20;
  if (bench.elems < kCompared) {
    std::fprintf(stderr, "usage: quant_device [MEBIELEMENTS]\n");
    return 2;
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "no CUDA device");
  bench.device = properties.name;

  const Arrays on{DeviceArray(bench.elems * 4), DeviceArray(bench.elems), DeviceArray(bench.elems / 8),
                  DeviceArray(bench.elems * 4), DeviceArray(64)};
  const auto copy = timed([&] {
    check(cudaMemcpyAsync(on.out.data(), on.x.data(), bench.elems * 4, cudaMemcpyDeviceToDevice, nullptr),
          "cudaMemcpyAsync");
  });
  bench.copy_rate = static_cast<double>(bench.elems) * 8 / copy.median_s;
  bench.report("copy", "bytes", 0, bench.elems * 8, copy);

  const std::vector<Format> formats = {block_int("int8_absmax", 8, Grid::absmax, 64),
                                       block_int("int8_sign", 8, Grid::sign, 64),
                                       block_int("int4_absmax", 4, Grid::absmax, 64),
                                       block_int("int4_sign", 4, Grid::sign, 64),
                                       block_int("int4_sign", 4, Grid::sign, 32),
                                       block_int("int4_sign", 4, Grid::sign, 256),
                                       block_int("int3_sign", 3, Grid::sign, 64),
                                       block_int("int2_sign", 2, Grid::sign, 64),
                                       block_int("int8_absmax", 8, Grid::absmax, 2048),
                                       block_int("int4_mse", 4, Grid::mse, 64),
                                       dither("int8_dither", 8, Grid::absmax, 0),
                                       dither("int4_dither", 4, Grid::absmax, 0),
                                       dither("int4_dither_odd", 4, Grid::absmax, 1),
                                       lut4("nf4", Table4::nf4),
                                       lut4("fp4", Table4::fp4),
                                       e4m3(),
                                       mx("mxfp8_floor", MxElement::e4m3, MxScale::floor),
                                       mx("mxfp4_best", MxElement::e2m1, MxScale::best),
                                       nvfp4("nvfp4", false),
                                       nvfp4("nvfp4_four_or_six", true)};
  for (const Float type : {Float::f32, Float::bf16}) {
    const test::Array period = make_normal(type, std::min(kPeriod, bench.elems));
    fill(on.x, period);
    for (const Format& format : formats) run(bench, format, type, period, on);
  }
  run_arrays(bench, on);  // the source is bf16 now
  run_deltas(bench, on);
  run_differences(bench, on);
  return bench.same ? 0 : 1;
}
