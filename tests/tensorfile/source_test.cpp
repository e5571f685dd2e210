// Where a source comes from: files, folders, an index, streams; and what happens to it while it is read.
#include "lib/tensorfile/source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "lib/tensorfile/posix_file.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using test::safetensors;

// One tensor of one byte, which is 0.
std::string file_of(std::string_view tensor) {
  return safetensors(fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})", tensor), 1);
}

std::string packed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class SourceTest : public testing::Test {
 protected:
  std::string refusal(std::string_view name) {
    return test::error_of([&] { open_source(name.empty() ? dir_.path().string() : dir_ / name); },
                          dir_.path().string());
  }
  std::string names(const Source& source) {
    std::string text;
    for (const TensorInfo& tensor : source.tensors()) text += tensor.name + " ";
    return text;
  }
  std::string folder() const { return dir_.path().string(); }
  mlq::test::TempDir dir_;
};

TEST_F(SourceTest, AFileIsKnownByItsContentAndNotByItsName) {
  EXPECT_EQ(names(open_source(dir_.file("weights", file_of("w")))), "w ");
  EXPECT_EQ(names(open_source(dir_.file("a.npy", file_of("w")))), "w ");
}

TEST_F(SourceTest, CompressedFilesAreSpooled) {
  const std::string path = dir_.file("model.safetensors.zst", packed(file_of("w")));
  const Source source = open_source(path, {.spool_folder = folder()});
  EXPECT_EQ(test::data_of(source, "w"), std::string(1, '\0'));
  EXPECT_EQ(dir_.listing(), "model.safetensors.zst") << "the copy has no name";
  EXPECT_EQ(source.shard(0).size_bytes, file_of("w").size());
  const std::string npy = test::npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "x");
  EXPECT_EQ(test::data_of(open_source(dir_.file("a.npy.zst", packed(npy))), "a"), "x");
}

TEST_F(SourceTest, DamagedCompressionIsRefused) {
  const std::string whole = packed(file_of("w"));
  dir_.file("m.zst", whole.substr(0, whole.size() - 5));
  EXPECT_EQ(refusal("m.zst"), "3: m.zst: the zstd data is cut");
}

TEST_F(SourceTest, StandardInputIsSpooled) {
  const std::string path = dir_.file("m", file_of("w"));
  const int kept = ::dup(STDIN_FILENO);
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  ::dup2(file.get(), STDIN_FILENO);
  const Source source = open_source("-");
  ::dup2(kept, STDIN_FILENO);
  ::close(kept);
  EXPECT_EQ(source.name(), "standard input");
  EXPECT_EQ(names(source), "w ");
}

TEST_F(SourceTest, AFullSpoolFolderFailsAsTheEnvironmentDoes) {
  const std::string path = dir_.file("m.zst", packed(file_of("w")));
  EXPECT_EQ(test::error_of([&] { open_source(path, {.spool_folder = folder() + "/no"}); }, folder()),
            "4: no: cannot make a temporary file there: No such file or directory");
}

TEST_F(SourceTest, MissingFilesAndFoldersWithoutModelsAreRefused) {
  EXPECT_EQ(refusal("no"), "4: no: cannot open: No such file or directory");
  dir_.file("pytorch_model.bin", "x");
  EXPECT_EQ(
      test::error_of([&] { open_source(folder()); }),
      "3: " + folder() + ": has no .safetensors file; pickled weights (.pt, .bin) must be converted first");
}

TEST_F(SourceTest, AFolderIsItsIndexThenItsModelThenAllFiles) {
  dir_.file("b.safetensors", file_of("b"));
  dir_.file("a.safetensors", file_of("a"));
  dir_.file(".hidden.safetensors", "");
  EXPECT_EQ(names(open_source(folder())), "a b ");
  dir_.file("model.safetensors", file_of("m"));
  EXPECT_EQ(names(open_source(folder())), "m ");
  dir_.file("model.safetensors.index.json", R"({"weight_map":{"b":"b.safetensors"}})");
  EXPECT_EQ(names(open_source(folder())), "b ");
}

TEST_F(SourceTest, TensorsOfAnIndexLieInTheirFiles) {
  dir_.file("2.safetensors", file_of("a"));
  dir_.file("1.safetensors", file_of("b"));
  const Source source = open_source(dir_.file(
      "x.safetensors.index.json",
      R"({"metadata":{"total_size":2,"deep":[[[[1]]]]},"weight_map":{"a":"2.safetensors","b":"1.safetensors"}})"));
  EXPECT_EQ(names(source), "b a ");
  EXPECT_EQ(source.shards(), 2u);
  EXPECT_EQ(source.shard(source.tensors()[*source.find("a")].shard).file, dir_ / "2.safetensors");
}

TEST_F(SourceTest, OneNameInTwoFilesIsRefused) {
  dir_.file("a.safetensors", file_of("w"));
  dir_.file("b.safetensors", file_of("w"));
  EXPECT_EQ(
      test::error_of([&] { open_source(folder()); }, folder()),
      "3: " + folder() +
          ": tensor \"w\" is in a.safetensors and in b.safetensors; name one of the files, or their index");
}

struct BadIndex {
  const char* name;
  std::string text;
  std::string message;  // after "3: i.json: "
};

class IndexRefused : public SourceTest, public testing::WithParamInterface<BadIndex> {};

TEST_P(IndexRefused, WithItsReason) {
  dir_.file("a.safetensors", file_of("a"));
  dir_.file("b.safetensors", file_of("b"));
  std::filesystem::create_directory(dir_ / "sub");
  dir_.file("sub/c.safetensors", file_of("c"));
  dir_.file("i.json", GetParam().text);
  EXPECT_EQ(refusal("i.json"), "3: " + GetParam().message);
}

std::string map(std::string_view members) { return fmt::format("{{\"weight_map\":{{{}}}}}", members); }
std::string no_name(std::string_view file) {
  return fmt::format(
      "i.json: tensor \"a\": {} is not the name of a file in the folder of the index; nothing else is read",
      file);
}

std::vector<BadIndex> bad_indexes() {
  return {
      {"Empty", "", "i.json: empty: it ends too early; the index is damaged"},
      {"DamagedJson", "{\"weight_map\":{]}",
       "i.json: damaged JSON at line 1, character 16; the index is damaged"},
      {"BadUtf8", map("\"\xFF\":\"a\""), "i.json: not UTF-8; the index is damaged"},
      {"NestedTooDeeply", R"({"metadata":[[[[[[[[1]]]]]]]]})",
       "i.json: damaged JSON: nested too deeply; the index is damaged"},
      {"NoMap", "{}", "i.json: has no weight_map; name a safetensors file, its folder or its index"},
      {"MapIsNoObject", R"({"weight_map":[]})",
       "i.json: has no weight_map; name a safetensors file, its folder or its index"},
      {"TwoMaps", R"({"weight_map":{},"weight_map":{}})",
       "i.json: weight_map stands in it twice; the index is damaged"},
      {"EmptyMap", map(""), "i.json: its weight_map is empty; the index is damaged"},
      {"FileIsNoText", map(R"("a":1)"),
       "i.json: tensor \"a\": its file is not a string; the index is damaged"},
      {"TensorTwice", map(R"("a":"a.safetensors","a":"b.safetensors")"),
       "i.json: tensor \"a\" stands in it twice; the index is damaged"},
      {"LongName", map("\"" + std::string(65537, 'n') + R"(":"a.safetensors")"),
       "i.json: tensor \"" + std::string(160, 'n') +
           "\"... (65537 bytes): a name may have 65536 bytes; the index is damaged"},
      {"FolderAbove", map(R"("a":"../x")"), no_name("\"../x\"")},
      {"AbsolutePath", map(R"("a":"/etc/passwd")"), no_name("\"/etc/passwd\"")},
      {"FolderBelow", map(R"("a":"sub/c.safetensors")"), no_name("\"sub/c.safetensors\"")},
      {"ThisFolder", map(R"("a":".")"), no_name("\".\"")},
      {"ParentFolder", map(R"("a":"..")"), no_name("\"..\"")},
      {"NoName", map(R"("a":"")"), no_name("\"\"")},
      {"NameWithNul", map(R"("a":"a.safetensors\u0000")"), no_name("\"a.safetensors\\u0000\"")},
      {"FileIsAFolder", map(R"("a":"sub")"), "sub: is no regular file"},
      {"MissingFile", map(R"("a":"a.safetensors","x":"x.safetensors")"),
       "i.json: names \"x.safetensors\", which is not there"},
      {"MissingTensor", map(R"("a":"a.safetensors","x":"a.safetensors")"),
       "i.json: tensor \"x\" is not in a.safetensors; a file is missing or damaged"},
      {"TensorInAnotherFile", map(R"("a":"b.safetensors","b":"a.safetensors")"),
       "i.json: tensor \"a\" is in a.safetensors, not in b.safetensors; the index is damaged"},
  };
}

INSTANTIATE_TEST_SUITE_P(Each, IndexRefused, testing::ValuesIn(bad_indexes()),
                         [](const auto& each) { return each.param.name; });

TEST_F(SourceTest, TensorsThatTheIndexLeavesOutAreRefused) {
  dir_.file("ab.safetensors", safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                          R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                                          2));
  dir_.file("i.json", map(R"("a":"ab.safetensors")"));
  EXPECT_EQ(refusal("i.json"),
            "3: i.json: tensor \"b\" of ab.safetensors is not in the index; the index is damaged");
}

TEST_F(SourceTest, ShardsAreNeitherPicklesNorFifos) {
  dir_.file("a.safetensors", "PK\x03\x04 and more");
  ::mkfifo((dir_ / "f.safetensors").c_str(), 0600);
  dir_.file("i.json", map(R"("a":"a.safetensors")"));
  dir_.file("f.json", map(R"("a":"f.safetensors")"));
  EXPECT_EQ(refusal("i.json").substr(0, 40), "3: a.safetensors: is a pickle or a zip a");
  EXPECT_EQ(refusal("f.json"), "3: f.safetensors: is no regular file");
}

TEST_F(SourceTest, AChangeWhileItIsReadIsSeen) {
  const std::string path = dir_.file("m", file_of("w"));
  const std::string message = "3: m: was changed while it was read; run again when nobody writes to it";
  const Source source = open_source(path);
  source.check_unchanged();
  const auto check = [&] { source.check_unchanged(); };
  std::ofstream(path, std::ios::app) << "x";
  EXPECT_EQ(test::error_of(check, folder()), message) << "by size";
  std::filesystem::resize_file(path, file_of("w").size());
  std::filesystem::last_write_time(path,
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_EQ(test::error_of(check, folder()), message) << "by time";
}

TEST_F(SourceTest, AFileThatIsCutWhileItIsReadIsRefused) {
  const std::string path = dir_.file("m", file_of("w"));
  const Source source = open_source(path);
  const uint64_t at = source.tensors()[0].file_offset;
  std::filesystem::resize_file(path, at);
  EXPECT_EQ(test::error_of([&] { test::data_of(source, "w"); }, folder()),
            fmt::format("3: m: ends at byte {}, before its time; it was cut while it was read", at));
}

TEST_F(SourceTest, AFailedReadNamesFileAndPlace) {
  const Fd memory(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC));  // its first page is never there
  std::string out(4, '?');
  EXPECT_EQ(
      test::error_of([&] { read_fully(memory.get(), "m", 16, std::as_writable_bytes(std::span(out))); }),
      "4: m: cannot read at byte 16: Input/output error");
}

TEST_F(SourceTest, ThreadsReadAtOnce) {
  std::string data;
  for (int i = 0; i < 1 << 20; ++i) data += static_cast<char>(i * 31 >> 3);
  const std::string path = dir_.file(
      "m", safetensors(R"({"w":{"dtype":"U8","shape":[1048576],"data_offsets":[0,1048576]}})") + data);
  const Source source = open_source(path);
  source.will_need(0, 0, data.size());
  std::vector<std::jthread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::string part(1 << 12, '?');
      for (size_t at = t << 12; at < data.size(); at += 4 << 12) {
        source.read(0, at, std::as_writable_bytes(std::span(part)));
        EXPECT_EQ(part, data.substr(at, part.size()));
      }
    });
  }
}

}  // namespace
}  // namespace mlq::tensorfile
