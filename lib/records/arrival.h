// The trace: one `arrival` a request.
#pragma once

#include "lib/records/schema.h"

namespace mlq::records {

struct Arrival {
  int64_t t_ns = 0;
  std::optional<uint64_t> i;
  std::optional<std::string> klass;
  std::optional<uint32_t> input_tokens;
  std::optional<uint32_t> output_tokens;
  std::optional<uint64_t> size_bytes;
  std::optional<uint32_t> rows;
  std::optional<uint64_t> key;
  std::optional<std::string> conversation;
  std::optional<uint32_t> turn;
  std::optional<uint64_t> after_i;
  std::optional<int64_t> think_ns;
  std::optional<std::vector<uint64_t>> prefix_ids;
  std::optional<std::string> method;
  std::optional<std::string> path;
  std::optional<std::string> prompt;
  std::optional<std::string> body;
  std::optional<int64_t> deadline_ns;
  std::optional<uint32_t> segment;
  std::optional<uint32_t> episode;
};

template <>
struct Schema<Arrival> {
  static constexpr std::string_view type = "arrival";
  static constexpr std::string_view summary = "One request of a trace. A trace is sorted by t_ns, then i.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &Arrival::t_ns>("ns", "Due time from the start of the trace."),
      field<"i", &Arrival::i>("",
                              "Index in the whole trace. Without it, the place in the stream, from 0; always "
                              "written when the trace is sharded."),
      field<"class", &Arrival::klass>("", "Kind of request."),
      field<"input_tokens", &Arrival::input_tokens>("tokens", "Length of the prompt to send."),
      field<"output_tokens", &Arrival::output_tokens>("tokens", "Length of the answer to ask for."),
      field<"size_bytes", &Arrival::size_bytes>(
          "bytes", "Size of the request's body, or of what a log says was sent."),
      field<"rows", &Arrival::rows>("", "Rows of a batch input."),
      field<"key", &Arrival::key>("", "Item in the popularity law, from 0, the most popular first."),
      field<"conversation", &Arrival::conversation>(
          "",
          "Dialogue that the request belongs to; its turns stay on one "
          "shard."),
      field<"turn", &Arrival::turn>("", "Turn of the dialogue, from 0."),
      field<"after_i", &Arrival::after_i>("", "The request must follow the answer to this one."),
      field<"think_ns", &Arrival::think_ns>("ns", "Time between that answer and this request."),
      field<"prefix_ids", &Arrival::prefix_ids>(
          "",
          "Shared prefix blocks of the prompt, at most 4,096; the size of a "
          "block is prefix_block_tokens in the run record."),
      field<"method", &Arrival::method>("", "HTTP method, from a log."),
      field<"path", &Arrival::path>("", "Request target, from a log, verbatim."),
      field<"prompt", &Arrival::prompt>("", "Prompt text, verbatim."),
      field<"body", &Arrival::body>("", "Request body, verbatim."),
      field<"deadline_ns", &Arrival::deadline_ns>("ns",
                                                  "The request's own latency limit, from its due time."),
      field<"segment", &Arrival::segment>("", "Which segment of a concatenated process, from 0."),
      field<"episode", &Arrival::episode>("", "Which episode, from 0."),
  };
};

}  // namespace mlq::records
