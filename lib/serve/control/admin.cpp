#include "lib/serve/control/admin.h"

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/serve/control/metrics.h"

namespace mlq::serve {
namespace {

constexpr std::string_view kModels = "/admin/v1/models";

// Takes as long for a wrong token as for a right one, whatever they have in common.
bool same_secret(std::string_view a, std::string_view b) {
  unsigned differ = a.size() == b.size() ? 0 : 1;
  for (size_t k = 0; k < a.size(); ++k)
    differ |= static_cast<unsigned char>(a[k]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[k % b.size()]);
  return differ == 0;
}

bool is_write(std::string_view method) { return method != "GET" && method != "HEAD"; }

bool is_json_type(std::string_view type) {
  const std::string_view media = type.substr(0, type.find_first_of("; "));
  return media == "application/json" || media == "application/merge-patch+json";
}

AdminAnswer json(const jsonl::Buffer& out) { return {200, std::string(out.view()), {}}; }

}  // namespace

AdminAnswer admin_error(int status, std::string_view message) {
  jsonl::Buffer out;
  out.raw(R"({"error":)");
  out.string(message);
  out.raw('}');
  return {status, std::string(out.view()), {}};
}

bool is_loopback_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']')) == "[::1";
  const std::string_view name = host.substr(0, host.find(':'));
  if (name == "localhost") return true;
  if (!name.starts_with("127.") || name.size() > 15) return false;
  return std::count(name.begin(), name.end(), '.') == 3 && name.find_first_not_of("0123456789.") == name.npos;
}

std::string read_token_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    throw input_error("{}: others may read this token; take their rights away with chmod 600", path);
  std::string text = read_file(path);
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  if (text.empty()) throw input_error("{}: there is no token on its first line", path);
  return text;
}

Admin::Admin(AdminOptions options, Hooks hooks) : options_(std::move(options)), hooks_(std::move(hooks)) {}

void Admin::send(const http::Reply& reply, const AdminAnswer& answer) {
  reply.send({answer.status, "application/json", answer.headers, answer.body});
}

AdminModel* Admin::find(std::string_view name) const {
  for (AdminModel* model : hooks_.models())
    if (model->name() == name) return model;
  return nullptr;
}

bool Admin::refused(const http::Request& request, const http::Reply& reply) const {
  AdminAnswer answer;
  if (!options_.token.empty()) {
    const std::string_view given = request.header("authorization");
    if (!given.starts_with("Bearer ") || !same_secret(given.substr(7), options_.token)) {
      answer = admin_error(401, "this needs the header Authorization: Bearer TOKEN");
      answer.headers = "WWW-Authenticate: Bearer\r\n";
    }
  } else if (!options_.unix_socket && !is_loopback_host(request.header("host"))) {
    answer = admin_error(421, "the Host must be a loopback name or address, as in 127.0.0.1");
  }
  if (answer.body.empty() && is_write(request.method) && !is_json_type(request.header("content-type")))
    answer =
        admin_error(415, "a write needs the Content-Type application/json or application/merge-patch+json");
  if (answer.body.empty()) return false;
  send(reply, answer);
  return true;
}

void Admin::handle(const http::Request& request, const http::Reply& reply) const {
  if (refused(request, reply)) return;
  const size_t mark = request.target.find('?');
  const std::string path(request.target.substr(0, mark));
  const std::string_view query =
      mark == request.target.npos ? std::string_view() : request.target.substr(mark + 1);
  const bool reads = !is_write(request.method);
  if (reads && path == "/metrics") return reply.send({200, kMetricsContentType, {}, hooks_.metrics()});
  if (reads && path == "/admin/v1/version") {
    jsonl::Buffer out;
    out.raw(R"({"name":)");
    out.string(options_.program);
    out.raw(R"(,"version":)");
    out.string(options_.version);
    out.raw('}');
    return send(reply, json(out));
  }
  if (hooks_.more && hooks_.more(request, path, reply)) return;
  if (path == kModels || path.starts_with(std::string(kModels) + "/"))
    return send(reply, model_route(request, std::string_view(path).substr(kModels.size()), query));
  send(reply, admin_error(404, fmt::format("there is no {} {} here", request.method, path)));
}

AdminAnswer Admin::model_route(const http::Request& request, std::string_view rest,
                               std::string_view query) const {
  const bool reads = !is_write(request.method);
  const auto facts = [](const AdminModel& model, jsonl::Buffer& out) {
    out.raw(R"({"model":)");
    out.string(model.name());
    out.raw(R"(,"gen":)");
    out.integer(model.gen());
    model.describe(out);
    out.raw('}');
  };
  jsonl::Buffer out;
  if (rest.empty() || rest == "/") {
    if (!reads) return admin_error(405, "the list of models can only be read");
    out.raw(R"({"models":[)");
    bool first = true;
    for (const AdminModel* model : hooks_.models()) {
      if (!first) out.raw(',');
      first = false;
      facts(*model, out);
    }
    out.raw("]}");
    return json(out);
  }
  rest.remove_prefix(1);
  const std::string_view name = rest.substr(0, rest.find('/'));
  const std::string_view what = rest.substr(std::min(rest.size(), name.size()));
  AdminModel* model = find(name);
  if (model == nullptr) return admin_error(404, fmt::format("there is no model \"{}\"", name));
  if (what == "/knobs") return knobs_route(request, *model, query);
  if (!reads) return admin_error(405, fmt::format("{} is not for {}", request.method, what));
  if (what == "/knobs/schema") {
    const std::string path = fmt::format("{}/{}/knobs", kModels, name);
    model->knobs().write_schema(model->knob_values(), {model->name(), model->gen(), path, model->settle_ns()},
                                out);
    return json(out);
  }
  if (!what.empty()) return admin_error(404, fmt::format("a model has no {}", what));
  facts(*model, out);
  return json(out);
}

AdminAnswer Admin::knobs_route(const http::Request& request, AdminModel& model,
                               std::string_view query) const {
  const auto answer = [&](const std::vector<KnobValue>& values, uint64_t gen) {
    jsonl::Buffer out;
    out.raw(R"({"model":)");
    out.string(model.name());
    out.raw(R"(,"gen":)");
    out.integer(gen);
    out.raw(R"(,"knobs":)");
    model.knobs().write_values(values, out);
    out.raw('}');
    AdminAnswer a = json(out);
    a.headers = fmt::format("ETag: \"{}\"\r\n", gen);
    return a;
  };
  if (!is_write(request.method)) return answer(model.knob_values(), model.gen());
  if (request.method != "PATCH") return admin_error(405, "knobs are changed by PATCH");
  const std::string_view match = request.header("if-match");
  if (!match.empty() && match != "*" && match != fmt::format("\"{}\"", model.gen()))
    return admin_error(412, fmt::format("If-Match is {}, but the knobs are at \"{}\"", match, model.gen()));
  const std::vector<KnobValue> before = model.knob_values();
  std::vector<KnobValue> values = before;
  if (const auto refusal = model.knobs().patch(request.body, values))
    return admin_error(refusal->status, refusal->message);
  const bool dry = query == "dry=1";
  if (dry || values == before) return answer(values, model.gen());
  try {
    model.apply(values, "admin");
  } catch (const Error& error) {
    return admin_error(507, error.what());
  }
  return answer(model.knob_values(), model.gen());
}

}  // namespace mlq::serve
