// The texts that mlq-model answers with. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/serve/model/model.h"
#include "lib/serve/model/reply_faults.h"
#include "lib/serve/protocol/values.h"

namespace mlq::serve::model {

// {"error":"..."}
std::string error_body(std::string_view message);
// x-mlq-reason, if there is one, and what a 503 says of when to come again.
std::string reason_headers(std::string_view reason, int64_t retry_after_ns);

std::string server_metadata(std::string_view version);
std::string model_metadata(std::string_view name, const ModelInfo& info);
std::string v1_status(std::string_view name, bool ready);

// The answer to one request out of a batch: the rows [first_row, first_row + rows).
class InferenceReply {
 public:
  InferenceReply(const ModelInfo& info, const Answer& answer, size_t first_row, size_t rows);

  // Makes the text, with the faults that were drawn. Refuses a request for an output that is not there.
  std::optional<Refusal> write(ParsedRequest& request, const FaultDraws& faults, std::string_view model,
                               std::string_view version);
  const std::string& body() const { return text_.body; }
  std::string_view content_type() const;
  std::string headers() const;

 private:
  std::vector<std::variant<std::vector<float>, std::vector<int64_t>>> narrow_;  // what is not sent as doubles
  std::vector<OutputValues> outputs_;
  std::vector<double> spoilt_;
  ReplyText text_;
};

}  // namespace mlq::serve::model
