#include "lib/tensorfile/shards.h"

#include <gtest/gtest.h>

#include "lib/tensorfile/sink.h"
#include "lib/tensorfile/source.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using Sizes = std::vector<uint64_t>;
using Shards = std::vector<size_t>;

TEST(CutIntoShards, ClosesAShardWhenTheNextTensorDoesNotFit) {
  EXPECT_EQ(cut_into_shards(Sizes{}, 10), Shards{});
  EXPECT_EQ(cut_into_shards(Sizes{5, 5}, 10), (Shards{0, 0}));
  EXPECT_EQ(cut_into_shards(Sizes{5, 6, 4, 1}, 10), (Shards{0, 1, 1, 2}));
  EXPECT_EQ(cut_into_shards(Sizes{~0ull, ~0ull, 1}, ~0ull), (Shards{0, 1, 2}));
  EXPECT_EQ(cut_into_shards(Sizes{0, 0}, 0), (Shards{0, 0}));
}

TEST(CutIntoShards, GivesATensorThatIsTooLargeAShardOfItsOwn) {
  // The large one is closed first; the shard being filled goes on behind it.
  EXPECT_EQ(cut_into_shards(Sizes{4, 11, 4}, 10), (Shards{1, 0, 1}));
  EXPECT_EQ(cut_into_shards(Sizes{11}, 10), (Shards{0}));
  EXPECT_EQ(cut_into_shards(Sizes{11, 4, 8, 12}, 10), (Shards{0, 1, 3, 2}));
}

TEST(ShardNames, AreThoseOfTheToolsAroundSafetensors) {
  EXPECT_EQ(shard_file_name("model.safetensors", 0, 1), "model.safetensors");
  EXPECT_EQ(shard_file_name("model.safetensors", 1, 12), "model-00002-of-00012.safetensors");
  EXPECT_EQ(shard_file_name("model.mlq.safetensors", 0, 2), "model-00001-of-00002.mlq.safetensors");
  EXPECT_EQ(shard_file_name("out/weights", 99999, 100000), "out/weights-100000-of-100000");
  EXPECT_EQ(index_file_name("model.safetensors"), "model.safetensors.index.json");
}

TEST(ModelInFolder, IsTheIndexElseTheFileElseAllFiles) {
  using Names = std::vector<std::string>;
  const std::string index = "model.safetensors.index.json", file = "model.safetensors";
  EXPECT_EQ(model_in_folder(Names{"a.safetensors", file, index}), Names{index});
  EXPECT_EQ(model_in_folder(Names{"a.safetensors", file, "other.safetensors.index.json"}), Names{file});
  EXPECT_EQ(model_in_folder(Names{"b.safetensors", "notes", ".c.safetensors", "a.safetensors"}),
            (Names{"a.safetensors", "b.safetensors"}));
  EXPECT_EQ(model_in_folder(Names{"pytorch_model.bin"}), Names{});
}

TEST(ShardIndex, IsReadBackAsAModel) {
  const mlq::test::TempDir dir;
  std::vector<std::pair<std::string, std::string>> map;
  for (const size_t shard : {0, 1}) {
    const std::string file = shard_file_name("model.safetensors", shard, 2);
    const std::string name = shard == 0 ? "z \"quoted\"" : "a";
    SafetensorsSink sink(dir / file, {{name, Dtype::u8, {1}}}, {});
    sink.write(0, 0, test::bytes_of(std::string(1, static_cast<char>('0' + shard))));
    sink.finish();
    map.emplace_back(name, file);
  }
  write_shard_index(dir / index_file_name("model.safetensors"), 2, map);
  EXPECT_EQ(mlq::test::slurp(dir / "model.safetensors.index.json"),
            "{\n  \"metadata\": {\n    \"total_size\": 2\n  },\n  \"weight_map\": {\n"
            "    \"a\": \"model-00002-of-00002.safetensors\",\n"
            "    \"z \\\"quoted\\\"\": \"model-00001-of-00002.safetensors\"\n  }\n}\n");
  const Source source = open_source(dir.path().string());
  EXPECT_EQ(test::data_of(source, "z \"quoted\""), "0");
  EXPECT_EQ(test::data_of(source, "a"), "1");
}

}  // namespace
}  // namespace mlq::tensorfile
