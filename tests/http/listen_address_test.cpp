#include "lib/http/listen_address.h"

#include <gtest/gtest.h>

#include "lib/base/error.h"

namespace mlq::http {
namespace {

TEST(ListenAddress, IsAPortAHostAndAPortOrASocket) {
  EXPECT_EQ(parse_listen_address("8000").host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("8000").port, 8000);
  EXPECT_EQ(parse_listen_address(":9").host, "127.0.0.1");
  EXPECT_EQ(parse_listen_address("0.0.0.0:0").host, "0.0.0.0");
  EXPECT_EQ(parse_listen_address("[::1]:80").host, "::1");
  EXPECT_EQ(parse_listen_address("unix:/run/m.sock").unix_path, "/run/m.sock");
  for (const char* text : {"", "localhost", "h:", "h:65536", "h:-1", "h:8x", "unix:"})
    EXPECT_THROW(parse_listen_address(text), Error) << text;
}

// Where this is wrong the admin interface is open to strangers.
TEST(ListenAddress, LoopbackIsWhatOthersCannotReach) {
  for (const char* text : {"8000", "127.1.2.3:1", "localhost:1", "[::1]:1", "unix:x"})
    EXPECT_TRUE(parse_listen_address(text).loopback()) << text;
  for (const char* text : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"})
    EXPECT_FALSE(parse_listen_address(text).loopback()) << text;
}

}  // namespace
}  // namespace mlq::http
