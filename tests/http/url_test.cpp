#include "lib/http/url.h"

#include "gtest/gtest.h"
#include "lib/base/error.h"

namespace mlq::http {
namespace {

TEST(Url, HasSchemeHostPortAndTarget) {
  const Url url = parse_url("http://127.0.0.1:8000/v2/models/m/infer?a=1&b=2#end");
  EXPECT_EQ(url.scheme, "http");
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, 8000);
  EXPECT_EQ(url.target, "/v2/models/m/infer?a=1&b=2");
  EXPECT_EQ(url.origin(), "http://127.0.0.1:8000");
}

TEST(Url, PortIsThatOfTheSchemeWhereNoneIsGiven) {
  EXPECT_EQ(parse_url("https://example.org").port, 443);
  EXPECT_EQ(parse_url("http://example.org").port, 80);
  EXPECT_EQ(parse_url("https://example.org").target, "/");
  EXPECT_EQ(parse_url("https://example.org:443/a").origin(), "https://example.org");
}

TEST(Url, WithoutSchemeIsHttp) { EXPECT_EQ(parse_url("localhost:8000/x").origin(), "http://localhost:8000"); }

TEST(Url, OfIpv6KeepsItsBracketsInTheOrigin) {
  const Url url = parse_url("http://[::1]:8080/");
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.origin(), "http://[::1]:8080");
}

TEST(Url, OfASocketNamesPathAndTarget) {
  const Url url = parse_url("unix:/run/model.sock:/v2/health/live");
  EXPECT_EQ(url.unix_path, "/run/model.sock");
  EXPECT_EQ(url.target, "/v2/health/live");
  EXPECT_EQ(parse_url("unix:/run/model.sock").target, "/");
}

TEST(Url, RedactedShowsNoSecret) {
  const Url url = parse_url("http://me:secret@host/path?key=secret");
  EXPECT_EQ(url.user, "me");
  EXPECT_EQ(url.password, "secret");
  EXPECT_EQ(url.redacted(), "http://host/path?...");
}

TEST(Url, BadTextIsAUsageErrorWithoutItsSecret) {
  for (const char* text : {"", "ftp://host/", "http://", "http://ho st/", "http://me:secret@host:99999/",
                           "unix:", "file:///etc/passwd", "http://a%2541/"}) {
    try {
      parse_url(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ExitKind::usage);
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace mlq::http
