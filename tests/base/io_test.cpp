#include "lib/base/io.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "lib/base/error.h"
#include "tests/support/piped_input.h"
#include "tests/support/temp_dir.h"

namespace mlq {
namespace {

std::string read_all(Input input, size_t step = 1 << 16) {
  std::string text;
  std::string buffer(step, '\0');
  for (size_t n = 0; (n = input.read(buffer.data(), step)) > 0;) text.append(buffer, 0, n);
  EXPECT_EQ(input.read(buffer.data(), step), 0u) << "the end stays the end";
  return text;
}

std::string packed(const std::string& text, int level = 3) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), level));
  return out;
}

std::string noise(size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random() % 64 + 32);
  return text;
}

bool has_program(const char* name) {
  return std::system((std::string("command -v ") + name + " >/dev/null 2>&1").c_str()) == 0;
}

template <class Work>
Error error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return {ExitKind::done, "no error"};
}

class Io : public testing::Test {
 protected:
  test::TempDir dir_;
};

TEST_F(Io, InputGivesTheBytesOfAFile) {
  for (const size_t size : {0, 1, 5, 6, 7, 100'000}) {
    const std::string text = noise(size);
    const std::string path = dir_.file("in", text);
    EXPECT_EQ(read_all(Input::open(path)), text);
    EXPECT_EQ(read_all(Input::open(path), 3), text);
    EXPECT_EQ(read_file(path), text);
  }
}

TEST_F(Io, InputReadsZstdWhateverItsName) {
  const std::string text = noise(500'000);
  EXPECT_EQ(read_all(Input::open(dir_.file("in", packed(text)))), text);
  EXPECT_EQ(read_all(Input::open(dir_.file("in", packed(""))), 1), "");
}

TEST_F(Io, InputReadsZstdFramesOneAfterTheOther) {
  EXPECT_EQ(read_all(Input::open(dir_.file("in", packed("one ") + packed("two")))), "one two");
}

TEST_F(Io, InputReadsZstdFromAPipeInSmallPieces) {
  const std::string text = noise(5000);
  const test::PipedInput pipe(packed(text), 1);
  EXPECT_EQ(read_all(pipe.open(), 100), text);
}

TEST_F(Io, InputRefusesCutAndDamagedZstd) {
  const std::string good = packed(noise(200'000));
  for (const size_t size : {size_t{5}, size_t{20}, good.size() / 2, good.size() - 1}) {
    const std::string path = dir_.file("in", good.substr(0, size));
    const Error error = error_of([&] { read_all(Input::open(path)); });
    EXPECT_EQ(error.kind(), ExitKind::input) << size;
    EXPECT_EQ(error.what(), path + ": the zstd data is cut");
  }
  std::string bad = good;
  bad.replace(10, 50, std::string(50, '\xff'));
  const std::string path = dir_.file("in", bad);
  EXPECT_EQ(error_of([&] { read_all(Input::open(path)); }).kind(), ExitKind::input);
}

TEST_F(Io, InputReadsGzipAndXzThroughTheirPrograms) {
  const std::string text = noise(300'000);
  for (const std::string program : {"gzip", "xz"}) {
    if (!has_program(program.c_str())) GTEST_SKIP() << program << " is not installed";
    const std::string plain = dir_.file("in", text);
    const std::string path = dir_ / program;
    ASSERT_EQ(std::system((program + " -c " + plain + " > " + path).c_str()), 0);
    EXPECT_EQ(read_all(Input::open(path)), text) << program;
    const test::PipedInput pipe(test::slurp(path), 1000);
    EXPECT_EQ(read_all(pipe.open()), text) << program;
  }
}

TEST_F(Io, InputRefusesCutGzip) {
  if (!has_program("gzip")) GTEST_SKIP() << "gzip is not installed";
  const std::string plain = dir_.file("in", noise(300'000));
  ASSERT_EQ(std::system(("gzip " + plain).c_str()), 0);
  dir_.file("cut", test::slurp(dir_ / "in.gz").substr(0, 1000));
  const Error error = error_of([&] { read_all(Input::open(dir_ / "cut")); });
  EXPECT_EQ(error.kind(), ExitKind::input);
  EXPECT_NE(std::string(error.what()).find("damaged or cut"), std::string::npos) << error.what();
}

TEST_F(Io, ACompressedInputMayBeLeftUnread) {
  if (!has_program("gzip")) GTEST_SKIP() << "gzip is not installed";
  const std::string plain = dir_.file("in", noise(4'000'000));
  ASSERT_EQ(std::system(("gzip " + plain).c_str()), 0);
  Input input = Input::open(dir_ / "in.gz");
  char byte = 0;
  EXPECT_EQ(input.read(&byte, 1), 1u);
}  // neither hangs nor complains

TEST_F(Io, AGzippedPipeThatStaysOpenMayBeLeftToo) {
  if (!has_program("gzip")) GTEST_SKIP() << "gzip is not installed";
  const std::string plain = dir_.file("in", noise(100'000));
  ASSERT_EQ(std::system(("gzip " + plain).c_str()), 0);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const std::string bytes = test::slurp(dir_ / "in.gz").substr(0, 2000);
  ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  { const Input input = Input::open("/proc/self/fd/" + std::to_string(ends[0])); }
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(Io, InputNamesWhatItCannotOpen) {
  const Error missing = error_of([&] { Input::open(dir_ / "missing"); });
  EXPECT_EQ(missing.kind(), ExitKind::environment);
  EXPECT_EQ(missing.what(), dir_ / "missing: cannot open: No such file or directory");
  const Error folder = error_of([&] { Input::open(dir_.path()); });
  EXPECT_EQ(folder.kind(), ExitKind::environment);
  EXPECT_NE(std::string(folder.what()).find("is a directory"), std::string::npos) << folder.what();
}

TEST_F(Io, InputEndsWhereAStopWasRequested) {
  StopFlag stop;
  const std::string path = dir_.file("in", noise(100'000));
  Input input = Input::open(path, &stop);
  std::string buffer(1000, '\0');
  EXPECT_GT(input.read(buffer.data(), 1000), 0u);
  EXPECT_FALSE(input.interrupted());
  stop.request(SIGINT);
  while (input.read(buffer.data(), 1000) > 0) {
  }
  EXPECT_TRUE(input.interrupted());
}

TEST_F(Io, ReadFileRefusesMoreThanItsLimit) {
  const std::string path = dir_.file("in", noise(1000));
  EXPECT_EQ(read_file(path, 1000).size(), 1000u);
  EXPECT_EQ(error_of([&] { read_file(path, 999); }).kind(), ExitKind::input);
}

TEST_F(Io, OutputAppearsOnlyWhenClosed) {
  const std::string path = dir_ / "out";
  {
    Output output = Output::open(path);
    output.write("new");
    EXPECT_FALSE(std::filesystem::exists(path));
    output.close();
  }
  EXPECT_EQ(test::slurp(path), "new");
  EXPECT_EQ(dir_.listing(), "out");
}

TEST_F(Io, AnOutputThatIsNotClosedLeavesTheOldFileAndNoTrace) {
  const std::string path = dir_.file("out", "old");
  {
    Output output = Output::open(path);
    output.write(noise(1'000'000));
  }
  EXPECT_EQ(test::slurp(path), "old");
  EXPECT_EQ(dir_.listing(), "out");
}

TEST_F(Io, OutputReplacesAFileAndKeepsItsMode) {
  const std::string path = dir_.file("out", "a longer old text");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  Output output = Output::open(path);
  output.write("new");
  output.close();
  EXPECT_EQ(test::slurp(path), "new");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(Io, ANewFileHasTheModeThatTheMaskAllows) {
  const mode_t old = ::umask(0027);
  Output output = Output::open(dir_ / "out");
  output.close();
  ::umask(old);
  struct stat info {};
  ASSERT_EQ(::stat((dir_ / "out").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(Io, OutputThroughALinkReplacesTheFileBehindIt) {
  const std::string path = dir_.file("file", "old");
  std::filesystem::create_symlink("file", dir_ / "link");
  Output output = Output::open(dir_ / "link");
  output.write("new");
  output.close();
  EXPECT_EQ(test::slurp(path), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(dir_ / "link"));
}

TEST_F(Io, AFileMayBeReadWhileItIsReplaced) {
  const std::string path = dir_.file("both", "old");
  Input input = Input::open(path);
  Output output = Output::open(path);
  output.write("new");
  output.close();
  EXPECT_EQ(read_all(std::move(input)), "old");
  EXPECT_EQ(test::slurp(path), "new");
}

TEST_F(Io, OutputNamedZstIsCompressedAndReadsBack) {
  const std::string text = noise(3'000'000);
  const std::string path = dir_ / "out.jsonl.zst";
  Output output = Output::open(path);
  for (size_t at = 0; at < text.size(); at += 10'000) output.write(std::string_view(text).substr(at, 10'000));
  output.close();
  EXPECT_EQ(test::slurp(path).substr(0, 4), "\x28\xB5\x2F\xFD");
  EXPECT_LT(std::filesystem::file_size(path), text.size());
  EXPECT_EQ(read_all(Input::open(path)), text);
}

TEST_F(Io, AnEmptyZstIsAFrame) {
  Output output = Output::open(dir_ / "out.zst");
  output.close();
  EXPECT_EQ(read_all(Input::open(dir_ / "out.zst")), "");
  EXPECT_GT(std::filesystem::file_size(dir_ / "out.zst"), 0u);
}

TEST_F(Io, AFullDiskIsTheEnvironmentsFault) {
  const Error error = error_of([&] {
    Output output = Output::open("/dev/full");
    output.write("x");
    output.close();
  });
  EXPECT_EQ(error.kind(), ExitKind::environment);
  EXPECT_STREQ(error.what(), "/dev/full: cannot write: No space left on device");
}

TEST_F(Io, OutputNamesWhatItCannotCreate) {
  const Error missing = error_of([&] { Output::open(dir_ / "no/such/folder"); });
  EXPECT_EQ(missing.kind(), ExitKind::environment);
  EXPECT_EQ(missing.what(), dir_ / "no/such/folder: cannot create: No such file or directory");
  const Error folder = error_of([&] { Output::open(dir_.path()); });
  EXPECT_EQ(folder.what(), dir_.path().string() + ": is a directory; name a file");
}

TEST_F(Io, OutputIntoAFifoWhoseReaderHasGoneSaysSo) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string path = dir_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  Output output = Output::open(path);
  ::close(reader);
  EXPECT_THROW(output.write("x"), ClosedPipe);
}

TEST_F(Io, AMovedOutputIsStillOne) {
  Output first = Output::open(dir_ / "out");
  first.write("a");
  Output second = std::move(first);
  second.write("b");
  second.close();
  EXPECT_EQ(test::slurp(dir_ / "out"), "ab");
}

}  // namespace
}  // namespace mlq
