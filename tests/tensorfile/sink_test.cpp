// A file that is written: its bytes, their order, and what breaks the contract.
#include "lib/tensorfile/sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "lib/base/io.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using mlq::test::slurp;
using test::bytes_of;

class Sink : public testing::Test {
 protected:
  std::string folder() const { return dir_.path().string(); }
  std::string out() const { return dir_ / "out.safetensors"; }
  mlq::test::TempDir dir_;
};

// The header of a file, without its length.
std::string header_of(const std::string& file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  return file.substr(8, length);
}

TEST_F(Sink, TensorsLieAsTheReferenceHasThem) {
  SafetensorsSink sink(
      out(), {{"b", Dtype::u8, {3}}, {"z", Dtype::f32, {1}}, {"a", Dtype::u8, {}}, {"i", Dtype::i64, {1, 1}}},
      {{"k", "v"}});
  sink.write(1, 0, bytes_of("zzzz"));
  sink.write(0, 1, bytes_of("bc"));
  sink.write(3, 0, bytes_of("iiiiiiii"));
  sink.write(2, 0, bytes_of("a"));
  sink.write(0, 0, bytes_of("a"));
  sink.finish();
  const std::string file = slurp(out());
  EXPECT_EQ(
      header_of(file),
      R"({"__metadata__":{"k":"v"},"i":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)"
      R"("z":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"a":{"dtype":"U8","shape":[],"data_offsets":[12,13]},)"
      R"("b":{"dtype":"U8","shape":[3],"data_offsets":[13,16]}})"
      "      ");
  EXPECT_EQ(file.substr(8 + header_of(file).size()), "iiiiiiiizzzzaabc");
  EXPECT_EQ(header_of(file).size() % 8, 0u);
  EXPECT_EQ(sink.file_bytes(), file.size());
  EXPECT_EQ(sink.tensors().back().name, "b");
  EXPECT_EQ(sink.tensors().back().file_offset, file.size() - 3);
  EXPECT_EQ(dir_.listing(), "out.safetensors");
}

TEST_F(Sink, WhatIsWrittenIsReadBack) {
  const Metadata metadata = {{"\"quotes\"", "line\nbreak\x01"}, {"\xC3\xA4", "\xF0\x9F\x98\x80 \\"}};
  const std::string name = "h.0.\"w\"\t\xC3\xA4";
  SafetensorsSink sink(out(),
                       {{name, Dtype::bf16, {2, 2}}, {"empty", Dtype::f64, {0, 3}}, {"half", Dtype::f4, {4}}},
                       metadata);
  sink.write(0, 0, bytes_of("01234567"));
  sink.write(2, 0, bytes_of("89"));
  sink.finish();
  const Source source = open_source(out());
  EXPECT_EQ(source.shard(0).metadata, metadata);
  EXPECT_EQ(test::data_of(source, name), "01234567");
  EXPECT_EQ(test::data_of(source, "half"), "89");
  EXPECT_EQ(test::data_of(source, "empty"), "");
  EXPECT_EQ(source.tensors()[*source.find("empty")].shape, (std::vector<uint64_t>{0, 3}));
}

TEST_F(Sink, AFileMayHaveNoTensor) {
  SafetensorsSink(out(), {}, {}).finish();
  EXPECT_EQ(header_of(slurp(out())), "{}      ");
  EXPECT_TRUE(open_source(out()).tensors().empty());
}

TEST_F(Sink, TensorsOfUnknownSizeComeLastAsTheyWereDeclaredIfTheyHaveBytes) {
  SafetensorsSink sink(out(),
                       {{.name = "y", .largest_bytes = 1000},
                        {.name = "fixed", .dtype = Dtype::u8, .shape = {2}},
                        {.name = "x", .largest_bytes = 1ull << 40},
                        {.name = "none", .largest_bytes = 5},
                        {.name = "w", .largest_bytes = 5}},
                       {});
  sink.append(0, bytes_of("y1"));
  sink.append(0, bytes_of("y2"));
  sink.write(1, 0, bytes_of("ff"));
  sink.append(2, bytes_of("xxx"));
  sink.append(4, bytes_of("wwwww"));
  sink.finish();
  const std::string file = slurp(out());
  EXPECT_EQ(file.substr(8 + header_of(file).size()), "ffy1y2xxxwwwww");
  EXPECT_TRUE(header_of(file).ends_with("}}" + std::string(138, ' '))) << header_of(file);
  const Source source = open_source(out());
  EXPECT_EQ(test::data_of(source, "y"), "y1y2");
  EXPECT_FALSE(source.find("none"));
  EXPECT_EQ(test::data_of(source, "w"), "wwwww");
  for (size_t id = 0; id < sink.tensors().size(); ++id) {
    const TensorInfo& read = source.tensors()[*source.find(sink.tensors()[id].name)];
    EXPECT_EQ(sink.tensors()[id].size_bytes, read.size_bytes);
    EXPECT_EQ(sink.tensors()[id].file_offset, read.file_offset);
  }
}

TEST_F(Sink, LastTensorsMayBeLeftOut) {
  SafetensorsSink sink(out(), {{.name = "a", .largest_bytes = 9}, {.name = "b", .largest_bytes = 9}}, {});
  sink.finish();
  EXPECT_EQ(open_source(out()).tensors().size(), 0u);
}

TEST_F(Sink, MetadataMayComeAtTheEndIfThereIsRoom) {
  const Metadata last = {{"hash", std::string(40, 'h')}};
  for (const uint64_t room : {metadata_bytes(last), metadata_bytes(last) + 1000}) {
    SafetensorsSink sink(out(), {{"w", Dtype::u8, {1}}}, {{"hash", ""}}, {.metadata_room = room});
    sink.write(0, 0, bytes_of("w"));
    sink.finish(last);
    EXPECT_EQ(open_source(out()).shard(0).metadata, last);
    EXPECT_EQ(header_of(slurp(out())).size() % 8, 0u);
  }
  SafetensorsSink sink(out(), {}, {});
  EXPECT_EQ(test::error_of([&] { sink.finish(last); }, folder()),
            "5: out.safetensors: the header takes 80 bytes, but there is room for 16");
}

TEST_F(Sink, ThreadsWriteAtOnce) {
  constexpr uint64_t kBytes = 1 << 20;
  SafetensorsSink sink(out(), {{"w", Dtype::u8, {kBytes}}, {.name = "v", .largest_bytes = kBytes}}, {});
  {
    std::vector<std::jthread> threads;
    for (uint64_t t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        for (uint64_t at = t << 10; at < kBytes; at += 3 << 10)
          sink.write(
              0, at,
              bytes_of(std::string(std::min<uint64_t>(1 << 10, kBytes - at), static_cast<char>(at >> 10))));
      });
    }
    for (int i = 0; i < 64; ++i) sink.append(1, bytes_of(std::string(1 << 10, 'v')));
  }
  sink.finish();
  const Source source = open_source(out());
  const std::string data = test::data_of(source, "w");
  for (uint64_t at = 0; at < kBytes; ++at) ASSERT_EQ(data[at], static_cast<char>(at >> 10)) << at;
  EXPECT_EQ(test::data_of(source, "v"), std::string(1 << 16, 'v'));
}

TEST_F(Sink, StreamsGetTheWholeFileAtTheEnd) {
  const auto write = [&](const std::string& path) {
    SafetensorsSink sink(path, {{"w", Dtype::u8, {1}}}, {}, {.spool_folder = folder()});
    sink.write(0, 0, bytes_of("w"));
    sink.finish();
  };
  write(dir_ / "plain");
  write(dir_ / "m.safetensors.zst");
  EXPECT_EQ(read_file(dir_ / "m.safetensors.zst"), slurp(dir_ / "plain"));
  write("/dev/null");
  const int kept = ::dup(STDOUT_FILENO);
  const int file = ::open((dir_ / "stdout").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ::dup2(file, STDOUT_FILENO);
  write("-");
  ::dup2(kept, STDOUT_FILENO);
  ::close(kept);
  ::close(file);
  EXPECT_EQ(slurp(dir_ / "stdout"), slurp(dir_ / "plain"));
  EXPECT_EQ(dir_.listing(), "m.safetensors.zst plain stdout");
  EXPECT_EQ(test::error_of([&] { write("/dev/full"); }),
            "4: /dev/full: cannot write: No space left on device");
}

TEST_F(Sink, LinksAndPermissionsOfTheOldFileStay) {
  dir_.file("real", "old");
  ::chmod((dir_ / "real").c_str(), 0640);
  std::filesystem::create_symlink("real", out());
  SafetensorsSink(out(), {}, {}).finish();
  EXPECT_TRUE(std::filesystem::is_symlink(out()));
  EXPECT_EQ(std::filesystem::status(dir_ / "real").permissions(), std::filesystem::perms(0640));
  EXPECT_NE(slurp(dir_ / "real"), "old");
}

TEST_F(Sink, WithoutFinishNothingIsLeft) {
  dir_.file("out.safetensors", "old");
  {
    SafetensorsSink sink(out(), {{"w", Dtype::u8, {1}}}, {});
    EXPECT_EQ(dir_.listing(), "out.safetensors out.safetensors.part");
    sink.write(0, 0, bytes_of("w"));
    sink.seal({});
  }
  EXPECT_EQ(dir_.listing(), "out.safetensors");
  EXPECT_EQ(slurp(out()), "old");
}

TEST_F(Sink, WhatIsNotWrittenInFullIsNotPublished) {
  SafetensorsSink sink(out(), {{"w", Dtype::u8, {3}}}, {});
  sink.write(0, 0, bytes_of("ww"));
  EXPECT_EQ(test::error_of([&] { sink.publish(); }, folder()),
            "5: out.safetensors: is published before it is sealed");
  EXPECT_EQ(test::error_of([&] { sink.finish(); }), "5: tensor \"w\": 2 bytes were written, of 3");
}

TEST_F(Sink, ContractsThatAreBrokenAreFaultsOfOurs) {
  const auto refusal = [&](std::vector<Declaration> declared) {
    return test::error_of([&] { SafetensorsSink(out(), declared, {}); }, folder());
  };
  EXPECT_EQ(refusal({{"w", Dtype::u8, {3}}, {"w", Dtype::u8, {3}}}), "5: tensor \"w\" is declared twice");
  EXPECT_EQ(refusal({{"__metadata__", Dtype::u8, {3}}}),
            "3: out.safetensors: a tensor cannot be named \"__metadata__\"; readers would refuse it");
  EXPECT_EQ(refusal({{"\xFF", Dtype::u8, {3}}}).substr(0, 47),
            "3: out.safetensors: a tensor cannot be named \"\xEF");
  EXPECT_EQ(refusal({{"w", Dtype::f4, {3}}}),
            "3: out.safetensors: tensor \"w\": 3 elements of F4 are no whole number of bytes in 64 bits");
  EXPECT_EQ(dir_.listing(), "");
  SafetensorsSink sink(
      out(), {{"w", Dtype::u8, {3}}, {.name = "x", .largest_bytes = 2}, {.name = "y", .largest_bytes = 2}},
      {});
  EXPECT_EQ(test::error_of([&] { sink.write(0, 2, bytes_of("ab")); }),
            "5: tensor \"w\": bytes 2 to 4 are written or read, of 3");
  EXPECT_EQ(test::error_of([&] { sink.append(0, bytes_of("ab")); }),
            "5: tensor \"w\" has a known size: write, not append");
  EXPECT_EQ(test::error_of([&] { sink.write(1, 0, bytes_of("a")); }),
            "5: tensor \"x\" has no known size: append, not write");
  EXPECT_EQ(test::error_of([&] { sink.append(1, bytes_of("abc")); }),
            "5: tensor \"x\" is larger than the 2 bytes declared");
  sink.append(2, bytes_of("a"));
  EXPECT_EQ(test::error_of([&] { sink.append(1, bytes_of("a")); }),
            "5: tensor \"x\" is complete: another was appended to");
}

}  // namespace
}  // namespace mlq::tensorfile
