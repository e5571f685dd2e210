#include "lib/replay/prepare.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "lib/base/error.h"
#include "lib/http/curl_engine.h"
#include "lib/http/message.h"

namespace mlq::replay {
namespace {

using namespace std::chrono_literals;

constexpr int kTries = 3;
constexpr auto kBetweenTries = 2s;
constexpr int64_t kFetchTimeout = 10'000'000'000;

std::string_view name_of(std::string_view header) { return header.substr(0, header.find(':')); }

bool has_header(const http::ClientConfig& client, std::string_view name) {
  return std::ranges::any_of(client.headers, [&](const std::string& header) {
    return http::equal_ignoring_case(name_of(header), name);
  });
}

}  // namespace

void check_server(const http::ClientConfig& client, const StopFlag& stop) {
  http::TransferEnd end;
  for (int tries = 0; tries < kTries && !stop; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kBetweenTries);
    end = http::probe(client);
    if (end.fault == http::Fault::none) return;
  }
  if (stop) return;
  throw environment_error("{}: {}; no connection in {} tries: is the server up, and the URL right?",
                          client.url.redacted(), end.note, kTries);
}

PreparedRequests prepare_requests(TemplateOptions requests, http::ClientConfig client,
                                  std::span<const records::Run> runs, bool dry,
                                  const std::function<void(const std::string&)>& notice) {
  if (!runs.empty() && runs.back().prefix_block_tokens)
    requests.prefix_block_tokens = *runs.back().prefix_block_tokens;
  PreparedRequests out;
  out.form = make_template(requests);
  out.rules = out.form->answer_rules();
  out.client = std::move(client);
  for (const std::string& header : out.form->headers())
    if (!has_header(out.client, name_of(header)))
      out.client.headers.insert(out.client.headers.begin(), header);
  if (dry) {
    out.rules.check = Check::none;
    return out;
  }
  out.form->prepare([&out](const FetchRequest& asked) -> Fetched {
    http::ClientRequest request;
    request.method = asked.body.empty() ? "GET" : "POST";
    request.target = asked.target;
    request.body = asked.body;
    http::FetchedReply reply = http::fetch(out.client, request, kFetchTimeout);
    if (reply.status == 0) return {0, reply.end.note};
    return {reply.status, std::move(reply.body)};
  });
  for (const std::string& remark : out.form->remarks()) notice(remark);
  return out;
}

}  // namespace mlq::replay
