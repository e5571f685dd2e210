#include "lib/quant/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numbers>

#include "kernels/float_convert.h"
#include "lib/base/error.h"
#include "lib/base/fmath.h"
#include "lib/base/random.h"
#include "lib/quant/preparation.h"
#include "lib/tensorfile/posix_file.h"

namespace mlq::quant {
namespace {

using Clock = std::chrono::steady_clock;

int64_t time_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::nanoseconds(Clock::now() - begin).count();
}

struct Times {
  std::vector<int64_t> own, baseline;
};

int64_t median(std::vector<int64_t> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// Both in turn, so that what disturbs the machine disturbs both.
Times in_turn(const std::function<void()>& own, const std::function<void()>& baseline,
              const KernelBench& bench) {
  Times times;
  own();
  baseline();
  for (int64_t spent = 0; spent < bench.time_ns || times.own.size() < 5;) {
    if (bench.stop != nullptr && *bench.stop) break;
    times.own.push_back(time_of(own));
    times.baseline.push_back(time_of(baseline));
    spent += times.own.back() + times.baseline.back();
  }
  return times;
}

// A tensor of normal values, coded once.
struct Workload {
  Coding coding;
  Range all;
  std::vector<std::byte> values, decoded, copy;
  Piece piece;

  Workload(const Spec& spec, const KernelBench& bench) : values(normal_values(bench.source, bench.elems, 1)) {
    Preparation preparation(spec, bench.source, {1, bench.elems}, {}, 1);
    all = {0, bench.elems};
    for (unsigned pass = 0; pass < preparation.passes(); ++pass) {
      preparation.collect(pass, 0, all, values.data());
      preparation.end_pass(pass);
    }
    coding = preparation.coding();
    decoded.resize(values.size());
    copy.resize(values.size());
    encode();
  }
  void encode() {
    kernels::EncodeCounts counts;
    encode_piece(coding, all, values.data(), piece, counts);
  }
  void decode() {
    uint64_t saturated = 0;
    decode_piece(coding, all, view_of(piece), coding.source, decoded.data(), &saturated);
  }
  uint64_t coded_bytes() const {
    return piece.codes.size() + piece.high.size() + piece.scales.size() + piece.escapes.size();
  }
};

BenchResult result_of(const std::string& operation, const Workload& load, const Times& times) {
  BenchResult result;
  result.operation = operation;
  result.spec = load.coding.spec;
  result.elems = load.all.count;
  result.moved_bytes = load.values.size() + load.coded_bytes();
  result.working_set_bytes = result.moved_bytes;
  result.reps = times.own.size();
  result.duration_ns = median(times.own);
  result.duration_min_ns = *std::min_element(times.own.begin(), times.own.end());
  const auto bytes = static_cast<double>(load.values.size());
  result.rate_bytes_per_s = bytes / (static_cast<double>(result.duration_ns) * 1e-9);
  result.baseline_bytes_per_s = bytes / (static_cast<double>(median(times.baseline)) * 1e-9);
  return result;
}

}  // namespace

std::vector<std::byte> normal_values(Float type, uint64_t elems, uint64_t seed) {
  std::vector<std::byte> values(elems * size_of(type));
  const PhiloxKey key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  for (uint64_t i = 0; i < elems; i += 2) {
    const UniformPair u = uniforms_at(key, i / 2, 0, 0);
    const double radius = std::sqrt(-2 * fmath::log(u.a)), angle = 2 * std::numbers::pi * u.b;
    kernels::store(type, values.data(), i, static_cast<float>(radius * fmath::cos(angle)));
    if (i + 1 < elems)
      kernels::store(type, values.data(), i + 1, static_cast<float>(radius * fmath::sin(angle)));
  }
  return values;
}

KernelCheck check_kernels(const KernelBench& bench) {
  KernelBench small = bench;
  small.elems = std::min<uint64_t>(bench.elems, 1 << 18);
  for (const Spec& spec : bench.specs) {
    Workload load(spec, small);
    const Piece simd = load.piece;
    load.coding.plain = true;
    load.encode();
    if (simd.codes != load.piece.codes || simd.high != load.piece.high || simd.scales != load.piece.scales ||
        simd.escapes != load.piece.escapes)
      return {false, std::string(format_info(spec.format).name)};
  }
  return {};
}

void bench_kernels(const KernelBench& bench, const std::function<void(const BenchResult&)>& report) {
  for (const Spec& spec : bench.specs) {
    if (bench.stop != nullptr && *bench.stop) return;
    Workload load(spec, bench);
    const auto copy = [&] { std::memcpy(load.copy.data(), load.values.data(), load.values.size()); };
    report(result_of("encode", load, in_turn([&] { load.encode(); }, copy, bench)));
    report(result_of("decode", load, in_turn([&] { load.decode(); }, copy, bench)));
  }
}

DiskRates measure_disk(const std::string& folder, uint64_t bytes) {
  const std::vector<std::byte> block = normal_values(Float::bf16, uint64_t{8} << 20, 2);
  const Fd file = tensorfile::open_scratch(folder);
  const std::string name = "a temporary file in " + folder;
  const auto each_block = [&](const auto& call) {
    for (uint64_t at = 0; at < bytes; at += block.size())
      call(at, std::min<uint64_t>(block.size(), bytes - at));
  };
  const int64_t write_ns = time_of([&] {
    each_block([&](uint64_t at, uint64_t size) {
      tensorfile::write_fully(file.get(), name, at, std::span(block).first(size));
    });
    tensorfile::sync_file(file.get(), name);
  });
  std::vector<std::byte> buffer(block.size());
  const int64_t read_ns = time_of([&] {
    each_block([&](uint64_t at, uint64_t size) {
      tensorfile::read_fully(file.get(), name, at, std::span(buffer).first(size));
    });
  });
  const auto rate = [&](int64_t ns) { return static_cast<double>(bytes) / (static_cast<double>(ns) * 1e-9); };
  return {rate(write_ns), rate(read_ns)};
}

}  // namespace mlq::quant
