#include "lib/serve/gateway/route.h"

namespace mlq::serve {
namespace {

// The text up to the next slash, taken off.
std::string_view next(std::string_view& rest) {
  const size_t end = rest.find('/');
  const std::string_view segment = rest.substr(0, end);
  rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
  return segment;
}

Route with_method(std::string_view method, bool reads, Route route) {
  const bool is_read = method == "GET" || method == "HEAD";
  if (reads ? !is_read : method != "POST") route.kind = RouteKind::wrong_method;
  return route;
}

Route parse_v2(std::string_view method, std::string_view rest) {
  if (rest.empty()) return with_method(method, true, {RouteKind::server, {}, {}});
  if (rest == "health/live") return with_method(method, true, {RouteKind::live, {}, {}});
  if (rest == "health/ready") return with_method(method, true, {RouteKind::ready, {}, {}});
  if (next(rest) != "models") return {};
  Route route;
  route.model = next(rest);
  if (route.model.empty()) return {};
  if (rest.starts_with("versions/")) {
    next(rest);
    route.version = next(rest);
    if (route.version.empty()) return {};
  }
  if (rest.empty()) {
    route.kind = RouteKind::model;
  } else if (rest == "ready") {
    route.kind = RouteKind::model_ready;
  } else if (rest == "infer") {
    route.kind = RouteKind::infer;
    return with_method(method, false, route);
  } else {
    return {};
  }
  return with_method(method, true, route);
}

Route parse_v1(std::string_view method, std::string_view rest) {
  if (next(rest) != "models" || rest.empty()) return {};
  Route route;
  const size_t colon = rest.rfind(':');
  route.model = rest.substr(0, colon);
  if (route.model.empty() || route.model.find('/') != rest.npos) return {};
  if (colon == rest.npos) {
    route.kind = RouteKind::model_v1;
    return with_method(method, true, route);
  }
  if (rest.substr(colon) != ":predict") return {};
  route.kind = RouteKind::predict;
  return with_method(method, false, route);
}

}  // namespace

Route parse_route(std::string_view method, std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  if (path == "/v2" || path == "/v2/") return parse_v2(method, {});
  if (path.starts_with("/v2/")) return parse_v2(method, path.substr(4));
  if (path.starts_with("/v1/")) return parse_v1(method, path.substr(4));
  return {};
}

}  // namespace mlq::serve
