// Codes of lossy tensors, compressed: what they cost beside their entropy, that they come back as they were,
// and what a stream may not say.
#include "lib/patch/code_stream.h"

#include <cmath>
#include <map>
#include <semaphore>

#include "lib/quant/bench.h"
#include "lib/tensorfile/sink.h"
#include "tests/patch/models.h"

namespace mlq::patch::test {
namespace {

using kernels::Float;
using kernels::Grid;
using mlq::test::TempDir;

struct Alone {
  Alone() { worker.computing = &slots; }
  std::counting_semaphore<> slots{1};
  quant::Worker worker;
};

LossyPiece encoded(const LossySpec& spec, const std::vector<std::byte>& values) {
  std::vector<std::byte> state(values.size(), std::byte{0});
  return encode_lossy(spec, Float::f32, values, Float::f32, state);
}

// Bits a code.
double entropy(const LossySpec& spec, const LossyPiece& piece, uint64_t elems) {
  std::map<unsigned, uint64_t> counts;
  const unsigned bits = spec.code.bits;
  for (uint64_t i = 0; i < elems; ++i) {
    unsigned code = 0;
    for (unsigned k = 0; k < bits; ++k) {
      const uint64_t at = i * bits + k;
      code |= (std::to_integer<unsigned>(piece.codes[at / 8]) >> (at % 8) & 1U) << k;
    }
    counts[code] += 1;
  }
  double sum = 0;
  for (const auto& [code, count] : counts) {
    const double share = static_cast<double>(count) / static_cast<double>(elems);
    sum -= share * std::log2(share);
  }
  return sum;
}

// Huffman codes of bytes that hold several codes each come near to the entropy of one; at three bits, where
// codes cross bytes, less so.
TEST(PackedCodes, OfNormalUpdatesCostLittleMoreThanTheirEntropy) {
  constexpr uint64_t kElems = kPieceWords;
  const std::vector<std::byte> values = quant::normal_values(Float::f32, kElems, 3);
  Alone alone;
  const auto bits_of = [&](const LossySpec& spec, const LossyPiece& piece) {
    return 8. * static_cast<double>(pack_codes(spec, piece, alone.worker).packed.size()) / kElems;
  };
  for (const auto& [bits, more] :
       {std::pair(2U, .02), std::pair(3U, .06), std::pair(4U, .02), std::pair(8U, .03)}) {
    const LossySpec spec = {{bits, Grid::sign, Float::bf16, false}, 64};
    const LossyPiece piece = encoded(spec, values);
    const double cost = bits_of(spec, {piece.codes, {}});
    EXPECT_LT(cost, entropy(spec, piece, kElems) + more) << bits << " bits";
    EXPECT_LT(cost, bits - .25) << bits << " bits";
    EXPECT_LT(bits_of(spec, {{}, piece.scales}), .6 * 16 / 64) << "of their 16 bits for 64 codes";
  }
}

// As a stored tensor: whole models, since that is what a stream is read from.
class Stored {
 public:
  Stored(const TempDir& tmp, const LossySpec& spec, uint64_t elems, const std::vector<std::byte>& values)
      : spec_(spec), elems_(elems) {
    std::vector<std::byte> bytes;
    std::vector<quant::FrameEntry> frames;
    Alone alone;
    for (uint64_t i = 0; i < quant::pieces_of(elems, kPieceWords); ++i) {
      const quant::Range range = quant::piece_at(elems, kPieceWords, i);
      pieces_.push_back(encoded(spec, {values.begin() + static_cast<long>(4 * range.first),
                                       values.begin() + static_cast<long>(4 * (range.first + range.count))}));
      PackedSections packed = pack_codes(spec, pieces_.back(), alone.worker);
      bytes.insert(bytes.end(), packed.packed.begin(), packed.packed.end());
      frames.insert(frames.end(), packed.frames.begin(), packed.frames.end());
    }
    const std::vector<std::byte> table = quant::seek_table(frames);
    bytes.insert(bytes.end(), table.begin(), table.end());
    write_model(tmp / "stream", {{"w", Dtype::u8, {bytes.size()}, bytes}});
    source_.emplace(tensorfile::open_source(tmp / "stream"));
  }
  CodeStream open(uint64_t elems) const { return CodeStream(*source_, 0, spec_, true, elems, "test"); }
  void expect_back() const {
    const CodeStream stream = open(elems_);
    Alone alone;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      stream.fetch(i, alone.worker);
      const CodeStream::Piece piece = stream.unpack(i, alone.worker);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.scales.data()) % size_of(spec_.code.scale), 0U);
      EXPECT_TRUE(std::ranges::equal(piece.codes, pieces_[i].codes))
          << spec_.code.bits << " bits, " << elems_;
      EXPECT_TRUE(std::ranges::equal(piece.scales, pieces_[i].scales))
          << spec_.code.bits << " bits, " << elems_;
    }
  }

 private:
  LossySpec spec_;
  uint64_t elems_;
  std::vector<LossyPiece> pieces_;
  std::optional<tensorfile::Source> source_;
};

TEST(PackedCodes, ComeBackAsTheyWere) {
  const TempDir tmp(mlq::test::quick_folder());
  const std::vector<std::byte> values = quant::normal_values(Float::f32, kPieceWords + 1001, 4);
  for (const unsigned bits : {2U, 3U, 4U, 8U})
    for (const Float scale : {Float::bf16, Float::f32})
      for (const uint64_t elems : {uint64_t{1}, uint64_t{9}, uint64_t{4099}, kPieceWords + 1001})
        Stored(tmp, {{bits, Grid::sign, scale, false}, 16}, elems, values).expect_back();
}

TEST(PackedCodes, OfAnotherNumberOfElementsAreRefused) {
  const TempDir tmp(mlq::test::quick_folder());
  const Stored stored(tmp, {{4, Grid::sign, Float::bf16, false}, 64}, 5000,
                      quant::normal_values(Float::f32, 5000, 5));
  const std::string other = "3: test: its frames are not those of its pieces; the file is damaged";
  for (const uint64_t elems : {uint64_t{4990}, uint64_t{5010}, kPieceWords + 5000, ~uint64_t{0} / 8})
    EXPECT_EQ(error_of([&] { stored.open(elems); }), other) << elems;
  EXPECT_EQ(error_of([&] { stored.open(0); }), "3: test: has frames of no piece; the file is damaged");
}

TEST(PackedCodes, StandInThePatchOnlyWhereTheyAreSmaller) {
  const TempDir tmp(mlq::test::quick_folder());
  const auto patch_of = [&](uint64_t elems, unsigned bits, bool pack) {
    std::vector<std::byte> next = quant::normal_values(Float::f32, elems, 6);
    write_model(tmp / "a", {{"w", Dtype::f32, {elems}, std::vector<std::byte>(4 * elems)}});
    write_model(tmp / "b", {{"w", Dtype::f32, {elems}, next}});
    DiffOptions options;
    options.lossy.emplace();
    options.lossy->spec.code.bits = bits;
    options.lossy->rekey_above = 10;
    options.lossy->min_elems = 1;
    options.lossy->pack = pack;
    options.lossy->next_base = tmp / "held";
    std::vector<TensorDiff> said;
    diff_files(tmp / "a", tmp / "b", tmp / "d", options, &said);
    apply_files(tmp / "a", {tmp / "d"}, tmp / "out");
    EXPECT_EQ(mlq::test::slurp(tmp / "out"), mlq::test::slurp(tmp / "held"));
    const PatchFile patch = open_patch(tmp / "d");
    return std::pair(patch.entry(0)->change.packed, said.at(0).stored_bytes);
  };
  const uint64_t large = 2 * kPieceWords + 77,
                 plain = stored_bytes({{2, Grid::sign, Float::bf16, false}, 64}, large);
  EXPECT_EQ(patch_of(large, 2, false), std::pair(false, plain));
  EXPECT_TRUE(patch_of(large, 2, true).first);
  EXPECT_LT(patch_of(large, 2, true).second, plain * 9 / 10);
  EXPECT_FALSE(patch_of(40, 4, true).first) << "a seek table is larger than what there is to save";
}

}  // namespace
}  // namespace mlq::patch::test
