// Patches lead from one model to the next, byte for byte, and say so; what is damaged or does not belong
// together is refused.
#include <filesystem>

#include "lib/quant/tree_hash.h"
#include "tests/patch/models.h"

namespace mlq::patch::test {
namespace {

namespace fs = std::filesystem;
using mlq::test::slurp;
using mlq::test::TempDir;

// Bytes that are no pattern.
std::vector<std::byte> any_bytes(size_t size, uint64_t seed) {
  std::vector<std::byte> bytes = quant::normal_values(kernels::Float::f32, size / 4 + 1, seed);
  bytes.resize(size);
  return bytes;
}

// One value in `one_in` becomes another.
std::vector<std::byte> with_changes(std::vector<std::byte> bytes, size_t width, size_t one_in) {
  for (size_t i = 0; i < bytes.size() / width; i += one_in) bytes[i * width] ^= std::byte{0x15};
  return bytes;
}

TEST(Patch, OfEveryTypeLeadsToTheSameBytes) {
  const TempDir tmp;
  std::vector<TestTensor> base, next;
  for (size_t i = 0; i < tensorfile::kDtypes; ++i) {
    const auto dtype = static_cast<Dtype>(i);
    const size_t bytes = 1600 * tensorfile::bits_per_element(dtype) / 8;
    const std::string name(tensorfile::dtype_name(dtype));
    base.push_back({name, dtype, {40, 40}, any_bytes(bytes, i + 1)});
    next.push_back({name, dtype, {40, 40}, with_changes(base.back().bytes, 1, 7 + i)});
    base.push_back({name + ".unchanged", dtype, {40, 40}, any_bytes(bytes, i + 1)});
    next.push_back(base.back());
  }
  write_model(tmp / "a", base);
  write_model(tmp / "b", next);
  for (const auto codec : {std::optional<PieceCodec>(), std::optional(PieceCodec::gap),
                           std::optional(PieceCodec::bitmap), std::optional(PieceCodec::bit_xor)}) {
    DiffOptions options;
    options.codec = codec;
    std::vector<TensorDiff> said;
    const PatchReport report = diff_files(tmp / "a", tmp / "b", tmp / "d", options, &said);
    EXPECT_EQ(report.changed_tensors, tensorfile::kDtypes);
    for (const TensorDiff& tensor : said)
      EXPECT_EQ(tensor.codec == "unchanged", tensor.name.ends_with(".unchanged")) << tensor.name;
    apply_files(tmp / "a", {tmp / "d"}, tmp / "c");
    EXPECT_EQ(slurp(tmp / "c"), slurp(tmp / "b"));
  }
}

TEST(Patch, KeepsWhatFloatsWouldHide) {
  const TempDir tmp;
  // +0 to -0, NaN to another NaN, infinity to a number, subnormal to zero; and the other way round.
  const std::string special("\0\0\0\x80\x01\x7f\xc1\xff\x80\x7f\x00\x3f\x01\x00\x00\x00", 16);
  std::string other = special;
  for (size_t i = 0; i < other.size(); i += 4)
    std::swap(other[i], other[i + 2]), std::swap(other[i + 1], other[i + 3]);
  std::string many, others;
  for (int i = 0; i < 200; ++i) many += special, others += other;
  for (const Dtype dtype : {Dtype::bf16, Dtype::f16, Dtype::f32, Dtype::f64}) {
    const uint64_t elems = many.size() * 8 / tensorfile::bits_per_element(dtype);
    write_model(tmp / "a", {raw_tensor("w", dtype, {elems}, many)});
    write_model(tmp / "b", {raw_tensor("w", dtype, {elems}, others)});
    for (const auto codec : {PieceCodec::gap, PieceCodec::bitmap, PieceCodec::bit_xor}) {
      DiffOptions options;
      options.codec = codec;
      diff_files(tmp / "a", tmp / "b", tmp / "d", options);
      apply_files(tmp / "a", {tmp / "d"}, tmp / "c");
      EXPECT_EQ(slurp(tmp / "c"), slurp(tmp / "b")) << tensorfile::dtype_name(dtype);
    }
  }
}

TEST(Patch, OfTensorsAddedRemovedRenamedAndReshaped) {
  const TempDir tmp;
  const auto data = [](char c) { return std::string(64, c); };
  write_model(
      tmp / "a",
      {raw_tensor("stays", Dtype::f32, {16}, data('a')), raw_tensor("goes", Dtype::u8, {64}, data('b')),
       raw_tensor("old name", Dtype::i8, {64}, data('c')), raw_tensor("shape", Dtype::f16, {32}, data('d')),
       raw_tensor("type", Dtype::f16, {32}, data('e')), raw_tensor("empty", Dtype::bf16, {0, 3}, ""),
       raw_tensor("scalar", Dtype::f64, {}, "12345678"), raw_tensor("emptied", Dtype::u8, {4}, "abcd")});
  write_model(
      tmp / "b",
      {raw_tensor("stays", Dtype::f32, {16}, data('a')), raw_tensor("new name", Dtype::i8, {64}, data('c')),
       raw_tensor("shape", Dtype::f16, {8, 4}, data('d')), raw_tensor("type", Dtype::bf16, {32}, data('e')),
       raw_tensor("empty", Dtype::bf16, {0, 3}, ""), raw_tensor("scalar", Dtype::f64, {}, "12345679"),
       raw_tensor("comes", Dtype::u16, {0}, ""), raw_tensor("emptied", Dtype::u8, {0}, "")},
      {{"format", "pt"}});
  std::vector<TensorDiff> said;
  const PatchReport report = diff_files(tmp / "a", tmp / "b", tmp / "d", {}, &said);
  apply_files(tmp / "a", {tmp / "d"}, tmp / "c");
  EXPECT_EQ(slurp(tmp / "c"), slurp(tmp / "b"));
  std::map<std::string, std::string> codecs;
  for (const TensorDiff& tensor : said) codecs[tensor.name] = tensor.codec;
  const std::map<std::string, std::string> expected = {
      {"stays", "unchanged"}, {"empty", "unchanged"}, {"scalar", "raw"}, {"shape", "raw"},
      {"type", "raw"},        {"new name", "raw"},    {"comes", "raw"},  {"emptied", "raw"},
      {"goes", "removed"},    {"old name", "removed"}};
  EXPECT_EQ(codecs, expected);
  EXPECT_EQ(report.changed_tensors, 8U);
}

// Safetensors may have it; the others of it are its own kind each.
TEST(Patch, OfATensorWithoutANameIsLikeAnyOther) {
  const TempDir tmp;
  write_model(tmp / "a", {raw_tensor("x", Dtype::u8, {2}, "ab")});
  write_model(tmp / "b", {raw_tensor("", Dtype::u8, {2}, "cd"), raw_tensor("x", Dtype::u8, {2}, "ab")});
  std::vector<std::byte> bytes = any_bytes(8000, 9);
  write_model(tmp / "c", {{"", Dtype::bf16, {4000}, bytes}});
  write_model(tmp / "d", {{"", Dtype::bf16, {4000}, with_changes(bytes, 2, 50)}});
  std::vector<std::string> patches;
  for (const auto& [from, to] : {std::pair("a", "b"), std::pair("b", "c"), std::pair("c", "d")}) {
    patches.push_back(tmp / (std::string(from) + to));
    diff_files(tmp / from, tmp / to, patches.back());
    apply_files(tmp / from, {patches.back()}, tmp / "out");
    EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / to));
    squash_files(tmp / "a", patches, tmp / "squashed");
    apply_files(tmp / "a", {tmp / "squashed"}, tmp / "out");
    EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / to));
  }
}

TEST(Patch, OfNothingIsNothing) {
  const TempDir tmp;
  write_model(tmp / "a", {});
  diff_files(tmp / "a", tmp / "a", tmp / "d");
  apply_files(tmp / "a", {tmp / "d"}, tmp / "c");
  EXPECT_EQ(slurp(tmp / "c"), slurp(tmp / "a"));
  write_model(tmp / "b", {}, {{"only", "metadata"}});
  diff_files(tmp / "a", tmp / "b", tmp / "d");
  apply_files(tmp / "a", {tmp / "d"}, tmp / "c");
  EXPECT_EQ(slurp(tmp / "c"), slurp(tmp / "b"));
}

// Several pieces, so that they come in any order.
struct Large {
  explicit Large(const TempDir& tmp) {
    const uint64_t elems = kPieceWords * 5 / 2;
    std::vector<std::byte> bytes = any_bytes(2 * elems, 3);
    write_model(tmp / "a", {{"w", Dtype::bf16, {elems}, bytes}, raw_tensor("x", Dtype::u8, {3}, "abc")});
    bytes = with_changes(std::move(bytes), 2, 100);
    write_model(tmp / "b", {{"w", Dtype::bf16, {elems}, bytes}, raw_tensor("x", Dtype::u8, {3}, "abd")});
    for (size_t i = 0; i < 4 * kPieceWords; i += 5) bytes[i] ^= std::byte{3};  // the last piece stays
    write_model(tmp / "c", {{"w", Dtype::bf16, {elems}, bytes}});
  }
};

TEST(Patch, HasTheSameBytesOnAnyNumberOfThreads) {
  const TempDir tmp;
  const Large models(tmp);
  DiffOptions options;
  options.step = 7;
  diff_files(tmp / "a", tmp / "b", tmp / "one", options);
  options.resources.threads = 4;
  diff_files(tmp / "a", tmp / "b", tmp / "four", options);
  EXPECT_EQ(slurp(tmp / "one"), slurp(tmp / "four"));
  apply_files(tmp / "a", {tmp / "one"}, tmp / "out", 4);
  EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / "b"));
}

TEST(Patch, SquashedIsTheOneBetweenBothEnds) {
  const TempDir tmp;
  const Large models(tmp);
  diff_files(tmp / "a", tmp / "b", tmp / "d1");
  diff_files(tmp / "b", tmp / "c", tmp / "d2");
  diff_files(tmp / "a", tmp / "c", tmp / "direct");
  squash_files(tmp / "a", {tmp / "d1", tmp / "d2"}, tmp / "squashed");
  EXPECT_EQ(slurp(tmp / "squashed"), slurp(tmp / "direct"));
  apply_files(tmp / "a", {tmp / "d1", tmp / "d2"}, tmp / "out");
  EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / "c"));
}

TEST(Patch, ThatLeadsBackSquashesToNothing) {
  const TempDir tmp;
  const Large models(tmp);
  diff_files(tmp / "a", tmp / "b", tmp / "there");
  diff_files(tmp / "b", tmp / "a", tmp / "back");
  const PatchReport report = squash_files(tmp / "a", {tmp / "there", tmp / "back"}, tmp / "both");
  EXPECT_EQ(report.changed, 0U);
  EXPECT_EQ(report.changed_tensors, 0U);
  EXPECT_LT(report.out_bytes, 1000U);
}

TEST(Patch, OfShardsMakesShardsAndTheirIndex) {
  const TempDir tmp;
  fs::create_directories(tmp / "old");
  fs::create_directories(tmp / "new");
  const auto shard = [](int i) { return "model-0000" + std::to_string(i) + "-of-00002.safetensors"; };
  write_model((tmp / "old/") + shard(1), {raw_tensor("p", Dtype::u8, {4}, "abcd")});
  write_model((tmp / "old/") + shard(2), {raw_tensor("q", Dtype::u8, {4}, "efgh")});
  write_model((tmp / "new/") + shard(1), {raw_tensor("p", Dtype::u8, {4}, "abcx")});
  write_model((tmp / "new/") + shard(2),
              {raw_tensor("q", Dtype::u8, {4}, "efgh"), raw_tensor("r", Dtype::u8, {1}, "i")});
  const std::string index = R"({ "weight_map": {"p": "model-00001-of-00002.safetensors",
      "q": "model-00002-of-00002.safetensors", "r":"model-00002-of-00002.safetensors"}, "metadata": {"total_size":9} })";
  tmp.file("new/model.safetensors.index.json", index);
  tmp.file("old/tokenizer.json", "mine");
  diff_files(tmp / "old", tmp / "new", tmp / "d");
  const AppliedReport report = apply_files(tmp / "old", {tmp / "d"}, tmp / "out/");
  EXPECT_EQ(report.files.size(), 2U);
  for (const std::string& name : {shard(1), shard(2)})
    EXPECT_EQ(slurp((tmp / "out/") + name), slurp((tmp / "new/") + name));
  EXPECT_EQ(slurp(tmp / "out/model.safetensors.index.json"), index);

  // In place: what is of no model stays.
  apply_files(tmp / "old", {tmp / "d"}, tmp / "old");
  EXPECT_EQ(slurp((tmp / "old/") + shard(1)), slurp((tmp / "new/") + shard(1)));
  EXPECT_EQ(slurp(tmp / "old/tokenizer.json"), "mine");
  EXPECT_FALSE(fs::exists(tmp / "old.part"));
  EXPECT_EQ(error_of([&] { apply_files(tmp / "new", {tmp / "d"}, tmp / "file"); }).substr(0, 1), "3");
  fs::create_directories(tmp / "again");
  write_model((tmp / "again/") + shard(1), {raw_tensor("p", Dtype::u8, {4}, "abcd")});
  write_model((tmp / "again/") + shard(2), {raw_tensor("q", Dtype::u8, {4}, "efgh")});
  EXPECT_EQ(error_of([&] { apply_files(tmp / "again", {tmp / "d"}, tmp / "file"); }),
            "2: -o: the model is 2 files and an index; name a folder, with / at its end");
}

TEST(Patch, IntoAFolderLeavesOtherModelsThere) {
  const TempDir tmp;
  write_model(tmp / "one", {raw_tensor("p", Dtype::u8, {4}, "abcd")});
  fs::create_directories(tmp / "two");
  write_model(tmp / "two/a.safetensors", {raw_tensor("p", Dtype::u8, {4}, "abcx")});
  write_model(tmp / "two/b.safetensors", {raw_tensor("q", Dtype::u8, {4}, "efgh")});
  tmp.file("two/model.safetensors.index.json", R"({"weight_map":{"p":"a.safetensors","q":"b.safetensors"}})");
  diff_files(tmp / "one", tmp / "two", tmp / "to two");
  diff_files(tmp / "two", tmp / "one", tmp / "to one");
  fs::create_directories(tmp / "out");
  tmp.file("out/step1.safetensors", "other");
  tmp.file("out/notes", "mine");
  // One file goes beside what is there.
  EXPECT_EQ(apply_files(tmp / "two", {tmp / "to one"}, tmp / "out/").files.at(0).path, tmp / "out/one");
  EXPECT_EQ(slurp(tmp / "out/one"), slurp(tmp / "one"));
  // So do several.
  apply_files(tmp / "one", {tmp / "to two"}, tmp / "out");
  EXPECT_EQ(slurp(tmp / "out/step1.safetensors"), "other");
  EXPECT_EQ(slurp(tmp / "out/notes"), "mine");
  EXPECT_EQ(slurp(tmp / "out/a.safetensors"), slurp(tmp / "two/a.safetensors"));
  // What loaders would take first is no neighbour for an index.
  tmp.file("out/model.safetensors", "another");
  const std::string error = error_of([&] { apply_files(tmp / "one", {tmp / "to two"}, tmp / "out"); });
  EXPECT_EQ(error.substr(0, 2), "2:");
  EXPECT_NE(error.find("model.safetensors is there, of another model"), std::string::npos) << error;
  EXPECT_EQ(slurp(tmp / "out/model.safetensors"), "another");
  EXPECT_FALSE(fs::exists(tmp / "out.part"));
}

TEST(Patch, LeavesAFolderAloneThatIsInItsWay) {
  const TempDir tmp;
  write_model(tmp / "one", {raw_tensor("p", Dtype::u8, {4}, "abcd")});
  fs::create_directories(tmp / "two");
  write_model(tmp / "two/a.safetensors", {raw_tensor("p", Dtype::u8, {4}, "abcx")});
  write_model(tmp / "two/b.safetensors", {raw_tensor("q", Dtype::u8, {4}, "efgh")});
  diff_files(tmp / "one", tmp / "two", tmp / "d");
  fs::create_directories(tmp / "out.part");
  tmp.file("out.part/thesis", "mine");
  EXPECT_EQ(error_of([&] { apply_files(tmp / "one", {tmp / "d"}, tmp / "out/"); }),
            "2: " + (tmp / "out.part/thesis") + ": is in the way; move it or name another folder");
  EXPECT_EQ(slurp(tmp / "out.part/thesis"), "mine");
  // What a killed run left is not.
  fs::remove(tmp / "out.part/thesis");
  tmp.file("out.part/a.safetensors.part", "half");
  apply_files(tmp / "one", {tmp / "d"}, tmp / "out/");
  EXPECT_EQ(slurp(tmp / "out/b.safetensors"), slurp(tmp / "two/b.safetensors"));
  EXPECT_FALSE(fs::exists(tmp / "out.part"));
}

TEST(Patch, ForAnotherModelIsRefused) {
  const TempDir tmp;
  write_model(tmp / "a", {raw_tensor("w", Dtype::u8, {4}, "abcd")});
  write_model(tmp / "b", {raw_tensor("w", Dtype::u8, {4}, "abce")});
  write_model(tmp / "c", {raw_tensor("w", Dtype::u8, {4}, "abcf")});
  diff_files(tmp / "a", tmp / "b", tmp / "ab");
  diff_files(tmp / "b", tmp / "c", tmp / "bc");
  tmp.file("out", "old");
  const auto refused = [&](const std::string& base, const std::vector<std::string>& patches,
                           std::string_view why) {
    const std::string error = error_of([&] { apply_files(base, patches, tmp / "out"); });
    EXPECT_EQ(error.substr(0, 3), "3: ") << error;
    EXPECT_NE(error.find(why), std::string::npos) << error;
    EXPECT_EQ(slurp(tmp / "out"), "old");
    EXPECT_FALSE(fs::exists(tmp / "out.part"));
  };
  refused(tmp / "b", {tmp / "ab"}, "name the patches in their order");
  refused(tmp / "a", {tmp / "bc"}, "name the patches in their order");
  refused(tmp / "a", {tmp / "bc", tmp / "ab"}, "name the patches in their order");
  refused(tmp / "a", {tmp / "ab", tmp / "ab"}, "name the patches in their order");
  refused(tmp / "a", {tmp / "b"}, "is no patch");
  apply_files(tmp / "a", {tmp / "ab", tmp / "bc"}, tmp / "out");
  EXPECT_EQ(slurp(tmp / "out"), slurp(tmp / "c"));
}

TEST(Patch, InTheModelsOwnPlaceReplacesIt) {
  const TempDir tmp;
  write_model(tmp / "a", {raw_tensor("w", Dtype::u8, {4}, "abcd")});
  write_model(tmp / "b", {raw_tensor("w", Dtype::u8, {4}, "abce")});
  diff_files(tmp / "a", tmp / "b", tmp / "d");
  apply_files(tmp / "a", {tmp / "d"}, tmp / "a");
  EXPECT_EQ(slurp(tmp / "a"), slurp(tmp / "b"));
}

TEST(Patch, WithAnyBitFlippedIsRefused) {
  const TempDir tmp(mlq::test::quick_folder());
  const std::vector<std::byte> bytes = any_bytes(6000, 5);
  write_model(tmp / "a",
              {{"w", Dtype::bf16, {3000}, bytes}, raw_tensor("v", Dtype::u8, {40}, std::string(40, 'v'))});
  write_model(tmp / "b", {{"w", Dtype::bf16, {3000}, with_changes(bytes, 2, 9)},
                          raw_tensor("v", Dtype::u8, {40}, std::string(40, 'w')),
                          raw_tensor("n", Dtype::i16, {1}, "ab")});
  DiffOptions options;
  options.step = 12;
  diff_files(tmp / "a", tmp / "b", tmp / "d", options);
  const std::string patch = slurp(tmp / "d");
  for (size_t i = 0; i < patch.size(); ++i) {
    std::string damaged = patch;
    damaged[i] = static_cast<char>(damaged[i] ^ 1 << (i % 8));
    tmp.file("damaged", damaged);
    const std::string error = error_of([&] { apply_files(tmp / "a", {tmp / "damaged"}, tmp / "out", 1); });
    ASSERT_EQ(error.substr(0, 3), "3: ") << "byte " << i << ": " << error;
    ASSERT_FALSE(fs::exists(tmp / "out")) << "byte " << i;
  }
  for (size_t size = 0; size < patch.size(); size += 37) {
    tmp.file("damaged", patch.substr(0, size));
    const std::string error = error_of([&] { apply_files(tmp / "a", {tmp / "damaged"}, tmp / "out", 1); });
    ASSERT_EQ(error.substr(0, 3), "3: ") << size << " bytes: " << error;
  }
}

TEST(Patch, ThatIsInterruptedLeavesTheOldFile) {
  const TempDir tmp;
  const Large models(tmp);
  diff_files(tmp / "a", tmp / "b", tmp / "d");
  StopFlag stop;
  stop.request(2);
  DiffOptions options;
  options.resources.stop = &stop;
  tmp.file("out", "old");
  EXPECT_TRUE(diff_files(tmp / "a", tmp / "b", tmp / "out", options).interrupted);
  EXPECT_EQ(slurp(tmp / "out"), "old");
}

}  // namespace
}  // namespace mlq::patch::test
