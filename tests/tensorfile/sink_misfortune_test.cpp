// A writer that is killed, that finds the disk full, or that is one of two.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "lib/tensorfile/sink.h"
#include "tests/support/temp_dir.h"
#include "tests/tensorfile/files.h"

namespace mlq::tensorfile {
namespace {

using mlq::test::slurp;
using test::bytes_of;

class SinkMisfortune : public testing::Test {
 protected:
  std::string folder() const { return dir_.path().string(); }
  std::string out() const { return dir_ / "out.safetensors"; }
  mlq::test::TempDir dir_;
};

// Runs `work` in a process of its own; its exit status, or minus the signal that ended it.
int in_process(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
      ::_exit(0);
    } catch (const Error& error) {
      ::_exit(static_cast<int>(error.kind()));
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

const std::vector<Declaration> kDeclared = {
    {"w", Dtype::u8, {4}}, {.name = "x", .largest_bytes = 8}, {.name = "y", .largest_bytes = 8}};

// Writes the file in steps, and is killed before step `deadline`.
void write_until(const std::string& path, int deadline, bool keep_part = false) {
  int step = 0;
  const auto next = [&] {
    if (step++ == deadline) ::raise(SIGKILL);
  };
  next();
  SafetensorsSink sink(path, kDeclared, {}, {.keep_part = keep_part});
  next();
  sink.write(0, 0, bytes_of("ww"));
  next();
  sink.write(0, 2, bytes_of("ww"));
  next();
  sink.append(1, bytes_of("xx"));
  next();
  sink.append(2, bytes_of("yyy"));
  next();
  sink.seal({});
  next();
  sink.publish();
  next();
}

TEST_F(SinkMisfortune, KilledAnywhereItLeavesTheOldFileOrTheNew) {
  write_until(dir_ / "good", 99);
  const std::string good = slurp(dir_ / "good");
  for (int deadline = 0; deadline < 8; ++deadline) {
    dir_.file("out.safetensors", "old");
    ASSERT_EQ(in_process([&] { write_until(out(), deadline); }), -SIGKILL);
    EXPECT_EQ(slurp(out()), deadline == 7 ? good : "old") << deadline;
    // What it left does not disturb the next.
    write_until(out(), 99);
    EXPECT_EQ(slurp(out()), good) << deadline;
    EXPECT_EQ(dir_.listing(), "good out.safetensors");
  }
}

TEST_F(SinkMisfortune, APartThatIsKeptIsContinued) {
  write_until(dir_ / "good", 99);
  ASSERT_EQ(in_process([&] { write_until(out(), 5, true); }), -SIGKILL);
  {
    SafetensorsSink again(out(), kDeclared, {}, {.keep_part = true});
    EXPECT_TRUE(again.resumed());
    again.adopt(0, 4);
    std::string found(4, '?');
    again.read_back(0, 0, std::as_writable_bytes(std::span(found)));
    EXPECT_EQ(found, "wwww");
    again.adopt(1, 2);
    found.resize(2);
    again.read_back(1, 0, std::as_writable_bytes(std::span(found)));
    EXPECT_EQ(found, "xx");
    again.sync();
  }
  EXPECT_EQ(dir_.listing(), "good out.safetensors.part") << "kept, for there was no publish()";
  SafetensorsSink again(out(), kDeclared, {}, {.keep_part = true});
  again.adopt(0, 4);
  again.adopt(1, 2);
  again.append(2, bytes_of("yyy"));
  again.finish();
  EXPECT_EQ(slurp(out()), slurp(dir_ / "good"));
}

TEST_F(SinkMisfortune, APartOfAnotherLayoutIsBegunAnew) {
  ASSERT_EQ(in_process([&] { write_until(out(), 5, true); }), -SIGKILL);
  auto other = kDeclared;
  other[0].shape = {2, 2};
  SafetensorsSink sink(out(), other, {}, {.keep_part = true});
  EXPECT_FALSE(sink.resumed());
  EXPECT_EQ(test::error_of([&] { sink.adopt(1, 1); }), "5: tensor \"x\" is not in the part file");
  sink.write(0, 0, bytes_of("abcd"));
  sink.finish();
  EXPECT_EQ(test::data_of(open_source(out()), "w"), "abcd");
}

TEST_F(SinkMisfortune, TwoWritersOfOneFileDoNotMix) {
  SafetensorsSink first(out(), {}, {});
  EXPECT_EQ(test::error_of([&] { SafetensorsSink(out(), {}, {}); }, folder()),
            "2: out.safetensors.part: is being written by another process; wait for it or name another file");
  first.finish();
  SafetensorsSink(out(), {}, {}).finish();
  EXPECT_EQ(dir_.listing(), "out.safetensors");
}

TEST_F(SinkMisfortune, APartThatIsALinkIsNotFollowed) {
  const std::string victim = dir_.file("victim", "precious");
  std::filesystem::create_symlink("victim", out() + ".part");
  EXPECT_EQ(test::error_of([&] { SafetensorsSink(out(), {}, {}); }, folder()),
            "4: out.safetensors.part: cannot create: Too many levels of symbolic links");
  EXPECT_EQ(slurp(victim), "precious");
}

// A file that may grow to 4096 bytes behaves as a full disk does.
int with_full_disk(const std::function<void()>& work) {
  return in_process([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    work();
  });
}

TEST_F(SinkMisfortune, AFullDiskIsNoticedBeforeAnythingIsWritten) {
  dir_.file("out.safetensors", "old");
  EXPECT_EQ(with_full_disk([&] { SafetensorsSink(out(), {{"w", Dtype::u8, {8192}}}, {}); }), 4);
  EXPECT_EQ(slurp(out()), "old");
  EXPECT_EQ(dir_.listing(), "out.safetensors");
}

TEST_F(SinkMisfortune, ADiskThatFillsUpIsNoticed) {
  dir_.file("out.safetensors", "old");
  const int status = with_full_disk([&] {
    SafetensorsSink sink(out(), {{.name = "w", .largest_bytes = 8192}}, {});
    for (int i = 0; i < 8; ++i) sink.append(0, bytes_of(std::string(1024, 'w')));
    ::_exit(99);
  });
  EXPECT_EQ(status, 4);
  EXPECT_EQ(slurp(out()), "old");
  EXPECT_EQ(dir_.listing(), "out.safetensors");
}

// Works in a file system of 64 KiB, if this user may make one; 77 if not.
int on_small_disk(const std::string& folder, const std::function<void()>& work) {
  return in_process([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.c_str(), "tmpfs", 0, "size=64k") != 0)
      ::_exit(77);
    work();
  });
}

TEST_F(SinkMisfortune, AFullDiskNamesTheFile) {
  const int status = on_small_disk(folder(), [&] {
    const std::string at_once = test::error_of(
        [&] {
          SafetensorsSink(out(), {{"w", Dtype::u8, {1 << 17}}}, {});
        },
        folder());
    if (at_once != "4: out.safetensors.part: there is no room for its 131144 bytes: No space left on device")
      ::_exit(98);
    const std::string later = test::error_of(
        [&] {
          SafetensorsSink sink(out(), {{.name = "w", .largest_bytes = 1 << 17}}, {});
          sink.append(0, bytes_of(std::string(1 << 17, 'w')));
        },
        folder());
    if (later != "4: out.safetensors.part: cannot write at byte 65536: No space left on device") ::_exit(99);
    if (dir_.listing() != "") ::_exit(97);
  });
  if (status == 77) GTEST_SKIP() << "this user may not mount";
  EXPECT_EQ(status, 0);
}

TEST_F(SinkMisfortune, FoldersAndMissingFoldersAreRefused) {
  EXPECT_EQ(test::error_of([&] { SafetensorsSink(folder(), {}, {}); }),
            "4: " + folder() + ": is a directory; name a file");
  EXPECT_EQ(test::error_of([&] { SafetensorsSink(dir_ / "no/out", {}, {}); }, folder()),
            "4: no/out.part: cannot create: No such file or directory");
}

}  // namespace
}  // namespace mlq::tensorfile
