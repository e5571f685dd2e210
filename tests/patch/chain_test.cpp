// Chains: what is put in comes out at every step, and what a list may not say.
#include <algorithm>
#include <filesystem>

#include "lib/patch/chain_work.h"
#include "tests/patch/models.h"

namespace mlq::patch::test {
namespace {

namespace fs = std::filesystem;
using mlq::test::slurp;
using mlq::test::TempDir;

class ChainTest : public testing::Test {
 protected:
  // The model of a step, as a file of its own.
  std::string model(uint64_t step) const {
    std::string path = tmp_ / ("s" + std::to_string(step));
    std::string values(400, 'x');
    for (size_t i = 0; i < values.size(); i += 7) values[i] = static_cast<char>('a' + step + i % 3);
    std::vector<TestTensor> tensors = {raw_tensor("w", Dtype::u8, {400}, values)};
    if (step >= 30) tensors.push_back(raw_tensor("late", Dtype::u8, {2}, "zz"));
    write_model(path, tensors);
    return path;
  }
  AddReport add(uint64_t step, std::optional<uint64_t> anchor_every = {}) const {
    Chain chain = Chain::open_to_add(folder_);
    const tensorfile::Source source = tensorfile::open_source(model(step));
    AddOptions options;
    options.step = step;
    options.anchor_every = anchor_every;
    return add_model(chain, SourceModel(source), options, {});
  }
  std::string made(uint64_t step) const {
    const Chain chain = Chain::open(folder_);
    const ChainFiles files(chain, chain.path_to(step));
    apply(*files.anchor(), std::nullopt, files.patches(), tmp_ / "made", threads(1));
    return slurp(tmp_ / "made");
  }
  // What is wrong, by step.
  std::string verified() const {
    std::string text;
    verify_chain(Chain::open(folder_), threads(1), [&](const VerifiedLink& verified) {
      if (!verified.wrong.empty()) text += std::to_string(verified.link->step) + " ";
    });
    return text;
  }
  std::string list() const { return slurp(folder_ + "/chain.jsonl"); }
  void write_list(const std::string& text) const { tmp_.file("chain/chain.jsonl", text); }

  TempDir tmp_;
  std::string folder_ = tmp_ / "chain";
};

TEST_F(ChainTest, GivesBackTheModelOfEveryStep) {
  for (const uint64_t step : {10, 20, 30, 40, 50}) add(step, 2);
  std::string kinds;
  const Chain chain = Chain::open(folder_);
  for (const Link& link : chain.links())
    kinds += (link.is_anchor ? "a" : "d") + std::to_string(link.step) + " ";
  EXPECT_EQ(kinds, "a10 d20 d30 a30 d40 d50 a50 ");
  for (const uint64_t step : {10, 20, 30, 40, 50}) EXPECT_EQ(made(step), slurp(model(step))) << step;
  EXPECT_EQ(verified(), "");
}

TEST_F(ChainTest, KnowsTheWayFromAnEarlierModel) {
  for (const uint64_t step : {10, 20, 30, 40}) add(step, 2);
  const Chain chain = Chain::open(folder_);
  const auto path = chain.path_from(chain.links()[1].result, 40);  // across the anchor of 30
  ASSERT_TRUE(path);
  EXPECT_FALSE(path->anchor);
  EXPECT_EQ(path->patches, (std::vector<size_t>{2, 4}));
  EXPECT_TRUE(chain.path_from(chain.links().back().result, 40)->patches.empty());
  EXPECT_FALSE(chain.path_from(quant::Digest{}, 40)) << "of another model";
  EXPECT_FALSE(chain.path_from(chain.links()[4].result, 20)) << "of a later one";
}

TEST_F(ChainTest, NamesTheStepsAroundOneThatIsNotThere) {
  for (const uint64_t step : {10, 20}) add(step);
  const Chain chain = Chain::open(folder_);
  EXPECT_EQ(error_of([&] { chain.path_to(15); }),
            "3: " + folder_ + ": has no step 15; before it is 10; after it is 20");
  EXPECT_EQ(error_of([&] { chain.path_to(5); }), "3: " + folder_ + ": has no step 5; after it is 10");
  EXPECT_EQ(error_of([&] { chain.path_to(25); }), "3: " + folder_ + ": has no step 25; before it is 20");
}

TEST_F(ChainTest, TakesPatchesWithLoss) {
  std::vector<float> values(5000);
  const auto model_of = [&](const std::string& name) {
    for (size_t i = 0; i < values.size(); ++i) values[i] += 1e-3F * static_cast<float>((i * 31) % 101);
    write_model(tmp_ / name, {{"w", Dtype::f32, {5000}, quant::test::bytes_of(Dtype::f32, values)}});
    return tmp_ / name;
  };
  Chain chain = Chain::open_to_add(folder_);
  {
    const tensorfile::Source first = tensorfile::open_source(model_of("first"));
    add_model(chain, SourceModel(first), {.step = 1}, {});
  }
  DiffOptions lossy;
  lossy.lossy.emplace();
  lossy.lossy->next_base = tmp_ / "held";
  diff_files(tmp_ / "first", model_of("second"), tmp_ / "d", lossy);
  add_patch(chain, open_patch(tmp_ / "d"), {.step = 2, .anchor = true});
  EXPECT_EQ(slurp(folder_ + "/anchor-00000002.safetensors"), slurp(tmp_ / "held"));
  EXPECT_EQ(error_of([&] { add_patch(chain, open_patch(tmp_ / "d"), {.step = 3}); }).substr(0, 2), "3:");
  chain = Chain::open(folder_);
  EXPECT_EQ(verified(), "");
}

TEST_F(ChainTest, DropsWhatNoLaterModelNeeds) {
  for (const uint64_t step : {10, 20, 30, 40}) add(step, 2);
  Chain chain = Chain::open_to_add(folder_);
  EXPECT_EQ(chain.drop_before(20), 0U) << "20 needs the anchor of 10";
  EXPECT_EQ(chain.drop_before(11), 0U) << "so do all from 11 on";
  EXPECT_EQ(error_of([&] { chain.drop_before(41); }),
            "3: " + folder_ + ": has no step 41 or later; the last is 40");
  EXPECT_EQ(chain.drop_before(25), 3U) << "the first one from there on is 30, which has an anchor";
  EXPECT_EQ(made(30), slurp(model(30)));
  EXPECT_EQ(chain.drop_before(40), 0U) << "which 40 needs";
  EXPECT_EQ(made(40), slurp(model(40)));
  EXPECT_EQ(verified(), "");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder_)) left.push_back(entry.path().filename());
  std::ranges::sort(left);
  EXPECT_EQ(left,
            (std::vector<std::string>{"anchor-00000030.safetensors", "chain.jsonl", "delta-00000040.mlqd"}));
}

TEST_F(ChainTest, EndsWithTheLargestStep) {
  constexpr uint64_t kLast = ~uint64_t{0};
  add(kLast - 1);
  EXPECT_EQ(Chain::open(folder_).next_step(), kLast);
  add(kLast);
  EXPECT_EQ(
      error_of([&] { Chain::open(folder_).next_step(); }),
      "3: " + folder_ + ": its last step is 18446744073709551615, the largest there is; no other can follow");
  EXPECT_EQ(made(kLast), slurp(model(kLast)));
}

TEST_F(ChainTest, IsChangedOnlyWhereItIs) {
  EXPECT_EQ(error_of([&] { Chain::open_to_change(folder_); }), "3: " + folder_ + ": there is no such folder");
  EXPECT_FALSE(fs::exists(folder_));
  fs::create_directories(folder_);
  EXPECT_EQ(error_of([&] { Chain::open_to_change(folder_); }),
            "3: " + folder_ + ": has no chain.jsonl; it is no chain");
}

TEST_F(ChainTest, GoesOnAfterACutLine) {
  for (const uint64_t step : {10, 20}) add(step);
  const std::string whole = list();
  write_list(whole + R"({"type":"link","step":30,"ki)");
  EXPECT_EQ(Chain::open(folder_).links().size(), 2U);
  add(30);
  EXPECT_EQ(made(30), slurp(model(30)));
  EXPECT_EQ(list().substr(0, whole.size()), whole);
}

TEST_F(ChainTest, IsForOneWriterAtATime) {
  add(10);
  const Chain chain = Chain::open_to_add(folder_);
  EXPECT_EQ(error_of([&] { Chain::open_to_add(folder_); }),
            "2: " + folder_ + ": another process is changing it; wait for it");
  Chain::open(folder_);  // readers do not mind
}

TEST_F(ChainTest, FindsWhatIsDamaged) {
  for (const uint64_t step : {10, 20, 30}) add(step, 2);
  EXPECT_EQ(verified(), "");
  const auto flip = [&](const std::string& name, long from_end) {
    std::string bytes = slurp(folder_ + "/" + name);
    bytes[bytes.size() - static_cast<size_t>(from_end)] ^= 1;
    tmp_.file("chain/" + name, bytes);
  };
  flip("delta-00000020.mlqd", 20);
  EXPECT_EQ(verified().substr(0, 3), "20 ");
  flip("delta-00000020.mlqd", 20);
  flip("anchor-00000030.safetensors", 1);
  EXPECT_EQ(verified(), "30 ");
  flip("anchor-00000030.safetensors", 1);
  fs::remove(folder_ + "/delta-00000020.mlqd");
  EXPECT_NE(verified().find("20 "), std::string::npos);
}

TEST_F(ChainTest, RefusesAListThatLeadsNowhere) {
  for (const uint64_t step : {10, 20}) add(step);
  const std::string whole = list();
  const size_t line = whole.find('\n') + 1;
  const std::string anchor = whole.substr(0, line), delta = whole.substr(line);
  const auto error = [&](const std::string& text) {
    write_list(text);
    return error_of([&] { Chain::open(folder_); });
  };
  const std::string at = "3: " + folder_ + "/chain.jsonl:";
  EXPECT_EQ(error(delta), at + "1: step 20: a chain begins with an anchor");
  EXPECT_EQ(error(anchor + delta + delta), at + "3: step 20: the last one in the chain is 20");
  EXPECT_EQ(error(anchor + anchor), at + "2: step 10: the last one in the chain is 10");
  std::string other = delta;
  const size_t hash = other.find("\"parent_hash\":\"xxh3:") + 20;
  other[hash] = other[hash] == '0' ? '1' : '0';
  EXPECT_EQ(error(anchor + other).substr(0, at.size() + 20), at + "2: step 20: is for x");
  EXPECT_EQ(error("{}\n"), at + "1: is no link record");
  EXPECT_EQ(error("nothing\n").substr(0, at.size() + 2), at + "1:");
  std::string outside = anchor;
  outside.replace(outside.find("anchor-"), 7, "../../x");
  EXPECT_NE(error(outside).find("is not the name of a file in the folder"), std::string::npos);
}

}  // namespace
}  // namespace mlq::patch::test
