// Patches between bfloat16 checkpoints on one core, beside memcpy of the same bytes in the same rounds: the
// codecs of pieces in memory, and diff, apply and squash from file to file with hashes and checks; with loss
// between those of f32, too, where every value changes. Weights are normal; updates of 1e-5 of their spread
// change 0.9 % of them, 1e-3 31 %. Rates are of the new model's bytes and CPU time; size_share is the
// patch's size over theirs. usage: patch_bench [MIB [FOLDER]] default:
// 256 /dev/shm
#include <filesystem>
#include <semaphore>

#include "kernels/float_convert.h"
#include "lib/patch/apply.h"
#include "lib/patch/diff.h"
#include "lib/quant/bench.h"
#include "lib/quant/format.h"
#include "lib/tensorfile/sink.h"
#include "tests/bench/bench.h"

namespace mlq::bench {
namespace {

using kernels::Float;
using patch::kPieceWords;
using Bytes = std::vector<std::byte>;

constexpr int kRounds = 7;
constexpr kernels::WordKind kBf16 = {2, kernels::WordOrder::sign_magnitude};

// One piece of weights after so many updates of that size; with none as they were.
Bytes weights(Float type, float update, unsigned steps = 1) {
  Bytes w = quant::normal_values(Float::f32, kPieceWords, 1);
  for (unsigned step = 1; step <= steps; ++step) {
    const Bytes u = quant::normal_values(Float::f32, kPieceWords, 1 + step);
    for (uint64_t i = 0; i < kPieceWords; ++i)
      kernels::store(
          Float::f32, w.data(), i,
          kernels::load(Float::f32, w.data(), i) + update * kernels::load(Float::f32, u.data(), i));
  }
  Bytes out(size_of(type) * kPieceWords);
  for (uint64_t i = 0; i < kPieceWords; ++i)
    kernels::store(type, out.data(), i, kernels::load(Float::f32, w.data(), i));
  return out;
}

Bytes repeated(const Bytes& piece, size_t times) {
  Bytes all;
  all.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

// `work` on `bytes`, in turn with a copy of them.
void measure(const std::string& name, size_t bytes, double size_share, const std::function<void()>& work) {
  const Bytes from(bytes, std::byte{1});
  Bytes to(bytes, std::byte{2});
  work();
  std::vector<double> copies, works, ratios;
  for (int round = 0; round < kRounds; ++round) {
    copies.push_back(cpu_of([&] {
      std::memcpy(to.data(), from.data(), bytes);
      asm volatile("" : : "r"(to.data()) : "memory");
    }));
    works.push_back(cpu_of(work));
    ratios.push_back(copies.back() / works.back());
  }
  const auto amount = static_cast<double>(bytes);
  std::printf(
      "{\"type\":\"bench\",\"name\":\"%s\",\"amount\":%.0f,\"unit\":\"bytes\",\"cpu_s\":%.6f,\"per_s\":%.6g,"
      "\"memcpy_per_s\":%.6g,\"ratio\":%.4g,\"size_share\":%.6g}\n",
      name.c_str(), amount, median(works), amount / median(works), amount / median(copies), median(ratios),
      size_share);
  std::fflush(stdout);
}

void pieces(const std::string& update, const Bytes& base, const Bytes& next) {
  std::counting_semaphore<> slots(1);
  quant::Worker worker;
  worker.computing = &slots;
  const size_t piece = 2 * kPieceWords, count = base.size() / piece;
  for (const auto codec :
       {std::optional<patch::PieceCodec>(), std::optional(patch::PieceCodec::gap),
        std::optional(patch::PieceCodec::bitmap), std::optional(patch::PieceCodec::bit_xor)}) {
    const std::string name =
        "pieces " + update + " " + (codec ? std::string(patch::name_of(*codec)) : "auto");
    size_t packed = 0;
    const auto encode = [&](size_t i) {
      return patch::encode_piece(kBf16, std::span(base).subspan(i * piece, piece),
                                 std::span(next).subspan(i * piece, piece), codec, worker);
    };
    for (size_t i = 0; i < count; ++i) packed += encode(i).sections.packed.size();
    const double share = static_cast<double>(packed) / static_cast<double>(base.size());
    measure(name + " made", base.size(), share, [&] {
      for (size_t i = 0; i < count; ++i) encode(i);
    });
    const patch::EncodedPiece made = encode(0);
    Bytes words(base.begin(), base.begin() + static_cast<long>(piece)), sections;
    measure(name + " applied", base.size(), share, [&] {
      for (size_t i = 0; i < count; ++i) {
        size_t at = 0, to = 0;
        for (const quant::FrameEntry& frame : made.sections.frames) {
          sections.resize(std::max<size_t>(sections.size(), to + frame.bytes));
          worker.unpacker.unpack(std::span(made.sections.packed).subspan(at, frame.packed_bytes), frame,
                                 std::span(sections).subspan(to, frame.bytes), name);
          at += frame.packed_bytes;
          to += frame.bytes;
        }
        patch::decode_piece(kBf16, made.entry, std::span(sections).first(to), words, worker, name);
      }
    });
  }
}

void write_model(const std::string& path, Float type, const Bytes& values) {
  tensorfile::SafetensorsSink sink(path, {{"w", patch::dtype_of(type), {values.size() / size_of(type)}, {}}},
                                   {});
  sink.write(0, 0, values);
  sink.finish();
}

void files(const std::string& update, const std::string& folder, const Bytes& base, const Bytes& next) {
  const std::string a = folder + "/a", b = folder + "/b", d = folder + "/d", out = folder + "/out";
  write_model(a, Float::bf16, base);
  write_model(b, Float::bf16, next);
  const tensorfile::Source from = tensorfile::open_source(a), to = tensorfile::open_source(b);
  const patch::SourceModel before(from), after(to);
  const auto diff = [&] { patch::diff(before, after, d, {}, {}); };
  diff();
  const double share = static_cast<double>(std::filesystem::file_size(d)) / static_cast<double>(next.size());
  measure("files " + update + " diff", next.size(), share, diff);
  const patch::PatchFile patch = patch::open_patch(d);
  const auto apply = [&] { patch::apply(before, std::nullopt, {&patch}, out, {}); };
  measure("files " + update + " apply", next.size(), share, apply);
  measure("files " + update + " squash", next.size(), share, [&] {
    const auto model = patch::checked_model(before, std::nullopt, {&patch}, {});
    patch::diff(before, *model, out, {}, {});
  });
}

// A step of a closed loop that has settled, codes as they are and compressed.
void lossy(Float type, unsigned bits, const std::string& folder, size_t times) {
  constexpr unsigned kSettled = 4;
  const std::string held = folder + "/held", next = folder + "/b", d = folder + "/d";
  write_model(held, type, repeated(weights(type, 0), times));
  patch::DiffOptions options;
  options.lossy.emplace();
  options.lossy->spec.code.bits = bits;
  options.lossy->next_base = held;
  for (unsigned step = 1; step <= kSettled; ++step) {
    write_model(next, type, repeated(weights(type, 1e-3F, step), times));
    const tensorfile::Source from = tensorfile::open_source(held), to = tensorfile::open_source(next);
    patch::diff(patch::SourceModel(from), patch::SourceModel(to), d + std::to_string(step), options, {});
  }
  write_model(next, type, repeated(weights(type, 1e-3F, kSettled + 1), times));
  const tensorfile::Source from = tensorfile::open_source(held), to = tensorfile::open_source(next);
  const patch::SourceModel before(from), after(to);
  const auto bytes = after.layout().tensor_bytes();
  options.lossy->next_base = folder + "/held next";
  for (const bool pack : {false, true}) {
    options.lossy->pack = pack;
    const std::string what = std::string(quant::name_of(type)) + " in " + std::to_string(bits) + " bits" +
                             (pack ? ", packed" : "");
    const auto diff = [&] { patch::diff(before, after, d, options, {}); };
    diff();
    const double share = static_cast<double>(std::filesystem::file_size(d)) / static_cast<double>(bytes);
    measure("files 1e-3 diff " + what, bytes, share, diff);
    const patch::PatchFile patch = patch::open_patch(d);
    measure("files 1e-3 apply " + what, bytes, share,
            [&] { patch::apply(before, std::nullopt, {&patch}, folder + "/out", {}); });
  }
}

}  // namespace
}  // namespace mlq::bench

int main(int argc, char** argv) {
  using namespace mlq::bench;
  const size_t bytes = static_cast<size_t>(argc > 1 ? std::atoi(argv[1]) : 256) << 20;
  const size_t times = std::max<size_t>(1, bytes / (2 * kPieceWords));
  std::string folder = std::string(argc > 2 ? argv[2] : "/dev/shm") + "/patch_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 4;
  const Bytes base = repeated(weights(Float::bf16, 0), times);
  for (const auto& [update, size] :
       {std::pair(std::string("1e-5"), 1e-5F), std::pair(std::string("1e-3"), 1e-3F)}) {
    const Bytes next = repeated(weights(Float::bf16, size), times);
    pieces(update, base, next);
    files(update, folder, base, next);
  }
  for (const Float type : {Float::bf16, Float::f32})
    for (const unsigned bits : {2U, 3U, 4U, 8U})
      lossy(type, bits, folder, std::max<size_t>(1, 2 * times / size_of(type)));
  std::filesystem::remove_all(folder);
}
