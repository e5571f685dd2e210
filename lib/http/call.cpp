#include "lib/http/call.h"

#include <algorithm>
#include <new>

#include <fmt/format.h>

#include "lib/base/units.h"
#include "lib/http/curl_setup.h"

namespace mlq::http {
namespace {

struct CloseMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using Multi = std::unique_ptr<CURLM, CloseMulti>;

constexpr int kMostWaitMs = 10;

struct Sink {
  CallResult* result;
  size_t most;
  bool too_long = false;
};

size_t take_body(char* data, size_t, size_t size, void* user) {
  auto& sink = *static_cast<Sink*>(user);
  sink.too_long = sink.result->body.size() + size > sink.most;
  if (sink.too_long) return 0;
  sink.result->body.append(data, size);
  return size;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != text.npos) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != text.npos) text.remove_suffix(1);
  return text;
}

size_t take_header(char* data, size_t, size_t size, void* user) {
  auto& headers = static_cast<Sink*>(user)->result->headers;
  const std::string_view line(data, size);
  const size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) {  // of an answer that follows an interim one, or a redirect
    headers.clear();
  } else if (colon != line.npos) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  }
  return size;
}

void finish(CURL* easy, CURLcode code, const ErrorText& text, const Url& url, const Sink& sink,
            CallResult& result) {
  const TransferEnd end = transfer_end(easy, code, true, text, url);
  result.fault = end.fault;
  result.note = sink.too_long ? fmt::format("the answer is longer than {} bytes", sink.most) : end.note;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  result.status = static_cast<int>(status);
}

}  // namespace

std::string_view CallResult::header(std::string_view lower_case_name) const {
  const auto found = std::ranges::find(headers.rbegin(), headers.rend(), lower_case_name,
                                       [](const auto& header) { return std::string_view(header.first); });
  return found == headers.rend() ? std::string_view() : found->second;
}

CallResult http_call(const CallRequest& request, const Clock& clock, const StopFlag* stop) {
  CallResult result;
  const int64_t deadline = clock.now_ns() + request.timeout_ns;
  const Easy easy = make_easy(request.config);
  const HeaderList headers = make_headers(request.config);
  ErrorText text{};
  Sink sink{&result, request.max_body};
  arm(easy.get(), request.config, {request.method, request.config.url.target, request.body});
  set(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  set(easy.get(), CURLOPT_ERRORBUFFER, text.data());
  set(easy.get(), CURLOPT_WRITEFUNCTION, &take_body);
  set(easy.get(), CURLOPT_WRITEDATA, &sink);
  set(easy.get(), CURLOPT_HEADERFUNCTION, &take_header);
  set(easy.get(), CURLOPT_HEADERDATA, &sink);
  const Multi multi(curl_multi_init());
  if (!multi || curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK) throw std::bad_alloc();
  for (int running = 1; true;) {
    curl_multi_perform(multi.get(), &running);
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi.get(), &left);
        message != nullptr && message->msg == CURLMSG_DONE) {
      finish(easy.get(), message->data.result, text, request.config.url, sink, result);
      break;
    }
    result.stopped = stop != nullptr && *stop;
    result.timed_out = clock.now_ns() >= deadline;
    if (result.stopped || result.timed_out) {
      result.note = result.stopped ? "stopped" : "no answer within " + format_duration(request.timeout_ns);
      break;
    }
    curl_multi_poll(multi.get(), nullptr, 0, kMostWaitMs, nullptr);
  }
  curl_multi_remove_handle(multi.get(), easy.get());
  return result;
}

}  // namespace mlq::http
