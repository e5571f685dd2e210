#include "lib/base/spawn.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "lib/base/fd.h"

namespace mlq {
namespace {

int status_of(const Spawned& child) {
  int status = 0;
  EXPECT_EQ(child.error, 0);
  EXPECT_EQ(waitpid(child.pid, &status, 0), child.pid);
  return status;
}

TEST(Spawn, TheChildHasTheStreamsItWasGiven) {
  const Fd file(memfd_create("out", MFD_CLOEXEC));
  ASSERT_TRUE(file);
  const int status = status_of(
      spawn({"sh", "-c", "printf '%s' \"$0\"; printf e >&2; exit 3", "a b"}, {-1, file.get(), file.get()}));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  char text[8] = {};
  EXPECT_EQ(pread(file.get(), text, sizeof text, 0), 4);
  EXPECT_STREQ(text, "a be");
}

TEST(Spawn, WhatIsIgnoredHereEndsTheChild) {
  const auto before = signal(SIGPIPE, SIG_IGN);
  const int status = status_of(spawn({"sh", "-c", "kill -PIPE $$; exit 0"}, {}));
  signal(SIGPIPE, before);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGPIPE);
}

TEST(Spawn, AGroupOfItsOwnIsTheChilds) {
  const Spawned child = spawn({"sleep", "60"}, {}, true);
  ASSERT_EQ(child.error, 0);
  EXPECT_EQ(getpgid(child.pid), child.pid);
  kill(-child.pid, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(status_of(child)));
}

TEST(Spawn, AProgramThatIsNotThereIsAnError) { EXPECT_EQ(spawn({"/nowhere/program"}, {}).error, ENOENT); }

}  // namespace
}  // namespace mlq
