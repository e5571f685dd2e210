// Replies of a container to a merged body of two clients (1 and 2 rows): a reply is either split in two, and
// each part is again a reply with that client's rows and id, or there is a failure that says why.
#include <vector>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/reply.h"
#include "lib/serve/protocol/row_array.h"
#include "lib/serve/protocol/split.h"
#include "tests/fuzz/body_line.h"
#include "tests/fuzz/fuzz.h"

namespace mlq::fuzz {
namespace {

using namespace mlq::serve;

void claim_pair(const Split& split_up) {
  MLQ_FUZZ_CLAIM(split_up.failure.empty() ? split_up.replies.size() == 2 : split_up.replies.empty());
}

void check_v2(const UpstreamReply& reply, const std::vector<std::string>& broadcast) {
  static const std::string bodies[] = {
      R"({"id":"one","inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]})",
      R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[2,3]}]})"};
  ParsedRequest requests[2];
  for (int k = 0; k < 2; ++k) MLQ_FUZZ_CLAIM(!parse_v2(bodies[k], std::nullopt, Rules{}, requests[k]));
  const ParsedRequest* batch[] = {&requests[0], &requests[1]};
  const Split split_up = split(reply, batch, "u1", {broadcast, {}});
  claim_pair(split_up);
  for (size_t k = 0; k < split_up.replies.size(); ++k) {
    const std::string text = split_up.replies[k].body.text();
    MLQ_FUZZ_CLAIM(split_up.replies[k].json_bytes.has_value() == reply.json_bytes.has_value());
    Reply again;
    const auto failure =
        read_reply({text, split_up.replies[k].json_bytes}, requests[k].rows, {}, "one", broadcast, again);
    MLQ_FUZZ_CLAIM(!failure);
    if (k == 1) MLQ_FUZZ_CLAIM(!again.id);
  }
}

void check_rows(const UpstreamReply& reply, bool v1) {
  static const std::string bodies[] = {R"({"instances":[1]})", R"({"instances":[2,3]})"};
  ParsedRequest requests[2];
  for (int k = 0; k < 2; ++k)
    MLQ_FUZZ_CLAIM(!(v1 ? parse_v1(bodies[k], Rules{}, requests[k])
                        : parse_plain(bodies[k], {"/instances", ""}, Rules{}, requests[k])));
  const ParsedRequest* batch[] = {&requests[0], &requests[1]};
  const Split split_up = split(reply, batch, "", {});
  claim_pair(split_up);
  for (const ClientReply& own : split_up.replies) {
    const std::string text = own.body.text();
    JsonCursor cursor(text, JsonRules::liberal);
    MLQ_FUZZ_CLAIM(cursor.skip() && cursor.at_end());
  }
}

}  // namespace
}  // namespace mlq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mlq::fuzz;
  std::optional<uint64_t> json_bytes;
  const std::string_view body = body_of(text_of(data, size), json_bytes);
  const std::vector<char> exact(body.begin(), body.end());
  const UpstreamReply reply{{exact.data(), exact.size()}, json_bytes};
  check_v2(reply, {});
  check_v2(reply, {"b"});
  check_rows(reply, true);
  check_rows(reply, false);
  return 0;
}
