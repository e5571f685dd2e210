#include "lib/serve/gateway/route.h"

#include <gtest/gtest.h>

namespace mlq::serve {
namespace {

TEST(Route, ThePathsOfTheProtocolAreKnown) {
  const auto kind = [](std::string_view method, std::string_view target) {
    return parse_route(method, target).kind;
  };
  EXPECT_EQ(kind("GET", "/v2"), RouteKind::server);
  EXPECT_EQ(kind("GET", "/v2/health/live"), RouteKind::live);
  EXPECT_EQ(kind("GET", "/v2/health/ready?x=1"), RouteKind::ready);
  EXPECT_EQ(kind("GET", "/v2/models/m"), RouteKind::model);
  EXPECT_EQ(kind("HEAD", "/v2/models/m/ready"), RouteKind::model_ready);
  EXPECT_EQ(kind("POST", "/v2/models/m/infer"), RouteKind::infer);
  EXPECT_EQ(kind("GET", "/v1/models/m"), RouteKind::model_v1);
  EXPECT_EQ(kind("POST", "/v1/models/m:predict"), RouteKind::predict);
}

TEST(Route, NamesAndVersionsAreTakenAsTheyStand) {
  const Route route = parse_route("POST", "/v2/models/resnet-50.b/versions/3/infer");
  EXPECT_EQ(route.kind, RouteKind::infer);
  EXPECT_EQ(route.model, "resnet-50.b");
  EXPECT_EQ(route.version, "3");
  EXPECT_EQ(parse_route("POST", "/v1/models/a:b:predict").model, "a:b");
}

TEST(Route, TheWrongMethodIsToldFromNoSuchPath) {
  EXPECT_EQ(parse_route("GET", "/v2/models/m/infer").kind, RouteKind::wrong_method);
  EXPECT_EQ(parse_route("POST", "/v2/health/live").kind, RouteKind::wrong_method);
  for (const char* path :
       {"/", "", "/v2/model/m", "/v2/models/", "/v2/models//infer", "/v2/models/m/generate",
        "/v2/models/m/versions//infer", "/v2/repository/index", "/v1/models/", "/v1/models/m:explain",
        "/v1/models/m/x:predict", "/metrics", "/v2/models/m/infer/"})
    EXPECT_EQ(parse_route("POST", path).kind, RouteKind::none) << path;
}

}  // namespace
}  // namespace mlq::serve
