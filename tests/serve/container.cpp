#include "tests/serve/container.h"

#include <algorithm>

#include <fmt/format.h>

#include "lib/serve/protocol/oip.h"

namespace mlq::test {
namespace {

std::vector<std::string> split_rows(std::string_view text) {
  std::vector<std::string> rows;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    std::string row(text.substr(0, end));
    std::erase(row, ' ');
    rows.push_back(std::move(row));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rows;
}

}  // namespace

Container::Container() : Container(Behaviour()) {}

Container::Container(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
  server_ = std::make_unique<http::Server>(
      reactor_, http::ServerOptions{},
      [this](http::Request& request, const http::Reply& reply) { handle(request, reply); });
  thread_ = std::thread([this] { reactor_.run(); });
}

Container::~Container() { die(); }

void Container::die() {
  if (!thread_.joinable()) return;
  reactor_.stop(0);
  thread_.join();
  server_->stop_accepting();
}

void Container::set(Behaviour behaviour) {
  const std::lock_guard lock(mutex_);
  behaviour_ = std::move(behaviour);
}

std::vector<Container::Seen> Container::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

size_t Container::largest() const {
  size_t most = 0;
  for (const Seen& s : seen()) most = std::max(most, s.rows);
  return most;
}

void Container::handle(http::Request& request, const http::Reply& reply) {
  const std::lock_guard lock(mutex_);
  if (request.target == "/v2/health/ready") return reply.send({behaviour_.ready ? 200 : 503});
  if (!request.target.ends_with("/infer")) {
    const std::string shape = behaviour_.open_rows ? "[-1]" : "[1]";
    return reply.send(
        {200,
         "application/json",
         {},
         fmt::format(
             R"({{"name":"m","platform":"test","inputs":[{{"name":"x","datatype":"INT64","shape":{0}}}],)"
             R"("outputs":[{{"name":"y","datatype":"INT64","shape":{0}}}]}})",
             shape)});
  }
  serve::ParsedRequest parsed;
  if (serve::parse_v2(request.body, std::nullopt, {}, parsed)) return reply.send({400});
  std::vector<std::string> rows = split_rows(parsed.inputs.front().data);
  Seen seen{rows.size(), request.body, {}};
  for (const http::Header& header : request.headers) seen.headers.emplace_back(header.name, header.value);
  seen_.push_back(std::move(seen));
  if (behaviour_.reset && behaviour_.reset(asked_++)) return reply.reset();
  const int status = behaviour_.status ? behaviour_.status(rows) : 200;
  const int64_t now = http::Reactor::now_ns();
  free_ns_ = std::max(free_ns_, now) + behaviour_.base_ns +
             behaviour_.per_row_ns * static_cast<int64_t>(rows.size());
  std::string body = R"({"error":"no"})";
  if (status == 200) {
    if (behaviour_.change) behaviour_.change(rows);
    std::string id;
    if (parsed.id) id = fmt::format(R"("id":"{}",)", *parsed.id);
    body = fmt::format(
        R"({{"model_name":"m",{}"outputs":[{{"name":"y","datatype":"INT64","shape":[{}],"data":[{}]}}]}})",
        id, rows.size(), fmt::join(rows, ","));
    if (behaviour_.spoil) behaviour_.spoil(body);
  }
  const auto send = [reply, status, body] { reply.send({status, "application/json", {}, body}); };
  if (free_ns_ <= now) return send();
  reactor_.call_at(free_ns_, send);
}

}  // namespace mlq::test
