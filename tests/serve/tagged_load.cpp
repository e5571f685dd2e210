#include "tests/serve/tagged_load.h"

#include <algorithm>

#include <fmt/format.h>

#include "lib/http/client_pool.h"
#include "lib/http/reactor.h"

namespace mlq::test {
namespace {

constexpr uint64_t kMostRows = 3;

// Ends in 1, so that 1e+05 is never a shorter way to write one.
uint64_t value_of(uint64_t tag, uint64_t row) { return 10 * (tag * kMostRows + row) + 1; }
uint64_t rows_of(uint64_t tag) { return 1 + tag % kMostRows; }
std::string data_of(uint64_t tag) {
  std::string data;
  for (uint64_t row = 0; row < rows_of(tag); ++row)
    data += fmt::format("{}{}", row == 0 ? "" : ",", value_of(tag, row));
  return data;
}
std::string shape_of(uint64_t tag) { return fmt::format("[{},1]", rows_of(tag)); }

class Load {
 public:
  explicit Load(const TaggedLoad& load)
      : load_(load), pool_(reactor_, http::parse_url(load.url), options()) {}

  TaggedCount run() {
    if (load_.rate_per_s > 0)
      send_due();
    else
      for (uint32_t k = 0; k < load_.in_flight && count_.asked < load_.requests; ++k) send();
    reactor_.run();
    return std::move(count_);
  }

 private:
  static http::ClientPoolOptions options() {
    http::ClientPoolOptions options;
    options.max_connections = 4096;
    return options;
  }

  void send_due() {
    const int64_t now_ns = http::Reactor::now_ns();
    if (count_.asked == 0) start_ns_ = now_ns;
    const auto due =
        static_cast<uint64_t>(static_cast<double>(now_ns - start_ns_) * 1e-9 * load_.rate_per_s) + 1;
    while (count_.asked < std::min(due, load_.requests)) send();
    if (count_.asked == load_.requests) return;
    reactor_.call_at(now_ns + 1'000'000, [this] { send_due(); });
  }

  void send() {
    const uint64_t tag = load_.first_tag + count_.asked++;
    const auto body = std::make_shared<const std::string>(fmt::format(
        R"({{"id":"t{}","inputs":[{{"name":"input","shape":{},"datatype":"FP64","data":[{}]}}]}})", tag,
        shape_of(tag), data_of(tag)));
    const std::string_view piece = *body;
    http::UpstreamRequest request;
    request.target = load_.target;
    request.headers = "Content-Type: application/json\r\n";
    request.body = {&piece, 1};
    request.owner = body;
    pool_.send(request, http::Reactor::now_ns() + load_.timeout_ns,
               [this, tag](http::UpstreamReply& reply) { ended(tag, reply); });
  }

  void ended(uint64_t tag, const http::UpstreamReply& reply) {
    judge(tag, reply);
    ++ended_;
    if (load_.progress) load_.progress(ended_);
    if (ended_ == load_.requests) return reactor_.stop(0);
    if (load_.rate_per_s == 0 && count_.asked < load_.requests) send();
  }

  void judge(uint64_t tag, const http::UpstreamReply& reply) {
    if (reply.fault != http::UpstreamFault::none) {
      ++count_.lost;
    } else if (reply.status != 200) {
      ++count_.refused[reply.status];
    } else if (reply.body.find(fmt::format(R"("id":"t{}")", tag)) != std::string::npos &&
               reply.body.find(fmt::format(R"({{"name":"tag","shape":{},"datatype":"FP64","data":[{}]}})",
                                           shape_of(tag), data_of(tag))) != std::string::npos) {
      ++count_.right;
    } else if (count_.wrong++ == 0) {
      count_.first_wrong = fmt::format("tag {}: {}", tag, reply.body);
    }
  }

  const TaggedLoad& load_;
  http::Reactor reactor_;
  http::ClientPool pool_;
  TaggedCount count_;
  uint64_t ended_ = 0;
  int64_t start_ns_ = 0;
};

}  // namespace

uint64_t TaggedCount::refused_in_all() const {
  uint64_t sum = 0;
  for (const auto& [status, count] : refused) sum += count;
  return sum;
}

TaggedCount run_tagged(const TaggedLoad& load) { return Load(load).run(); }

}  // namespace mlq::test
