#include "lib/serve/protocol/split.h"

#include <fmt/format.h>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/parameters.h"
#include "lib/serve/protocol/pointer.h"
#include "lib/serve/protocol/reply.h"
#include "lib/serve/protocol/row_find.h"

namespace mlq::serve {
namespace {

using Requests = std::span<const ParsedRequest* const>;

// The rows at which a new client begins, but for the first; `total` gets all rows.
std::vector<uint64_t> cuts_of(Requests requests, uint64_t& total) {
  std::vector<uint64_t> cuts;
  total = 0;
  for (const ParsedRequest* request : requests) {
    total += request->rows;
    cuts.push_back(total);
  }
  cuts.pop_back();
  return cuts;
}

// Part `k` of the text in `whole`, which is cut at `commas`; without the blanks at the cuts.
std::string_view part_of(std::string_view text, TextSpan whole, std::span<const size_t> commas, size_t k) {
  const size_t begin = k == 0 ? whole.begin : commas[k - 1] + 1;
  const size_t end = k == commas.size() ? whole.end : commas[k];
  return trim_blanks(text.substr(begin, end - begin));
}

// The bytes of each client's rows.
std::vector<std::string_view> blob_parts(const ReplyOutput& output, Requests requests) {
  std::vector<std::string_view> parts;
  std::string_view rest = output.blob;
  const uint64_t in_a_row = element_count(output.shape->of_a_row()).value_or(0);
  const uint64_t each = element_bytes(*output.datatype);
  for (const ParsedRequest* request : requests) {
    const std::string_view before = rest;
    if (each > 0) {
      rest.remove_prefix(request->rows * in_a_row * each);
    } else {
      for (uint64_t k = 0; k < request->rows * in_a_row; ++k) take_bytes_element(rest);
    }
    parts.push_back(before.substr(0, before.size() - rest.size()));
  }
  return parts;
}

class V2Writer {
 public:
  V2Writer(const Reply& reply, Requests requests) : reply_(reply), requests_(requests) {
    if (reply.id) edits_.push_back({reply.id_member.begin, kId, nullptr});
    for (const ReplyOutput& output : reply.outputs) {
      blobs_.emplace_back();
      if (output.broadcast) continue;
      edits_.push_back({output.first_dim.begin, kRows, &output});
      if (output.data) edits_.push_back({output.data->begin, kData, &output});
      if (output.binary_size) {
        edits_.push_back({output.binary_size->begin, kSize, &output});
        blobs_.back() = blob_parts(output, requests);
      }
    }
    std::ranges::sort(edits_, {}, &Edit::at);
  }

  ClientReply write(size_t k) const {
    ClientReply out;
    size_t at = 0;
    const auto keep_up_to = [&](size_t end) { out.body.add(reply_.json.substr(at, end - at)), at = end; };
    for (const Edit& edit : edits_) {
      keep_up_to(edit.at);
      at = apply(edit, k, out.body);
    }
    keep_up_to(reply_.json.size());
    if (reply_.json_bytes) out.json_bytes = out.body.bytes();
    for (size_t i = 0; i < reply_.outputs.size(); ++i)
      if (reply_.outputs[i].binary_size) out.body.add(blob(i, k));
    return out;
  }

 private:
  enum Kind { kId, kRows, kData, kSize };
  struct Edit {
    size_t at;
    Kind kind;
    const ReplyOutput* output;
  };

  std::string_view blob(size_t output, size_t k) const {
    return reply_.outputs[output].broadcast ? reply_.outputs[output].blob : blobs_[output][k];
  }

  // Writes what client `k` gets there; returns where the text that everybody gets goes on.
  size_t apply(const Edit& edit, size_t k, Rope& out) const {
    const ParsedRequest& request = *requests_[k];
    switch (edit.kind) {
      case kId:
        if (!request.id) return reply_.id_member.end;
        out.copy(reply_.json.substr(edit.at, reply_.id->begin - edit.at));
        out.add(*request.id);
        return reply_.id->end;
      case kRows:
        out.copy(fmt::to_string(request.rows));
        return edit.output->first_dim.end;
      case kData:
        // Rows without elements have no commas to cut at: everybody's part is empty.
        if (edit.output->commas.size() + 1 == requests_.size())
          out.add(part_of(reply_.json, *edit.output->data, edit.output->commas, k));
        return edit.output->data->end;
      case kSize:
        out.copy(fmt::to_string(blob(static_cast<size_t>(edit.output - reply_.outputs.data()), k).size()));
        return edit.output->binary_size->end;
    }
    return edit.at;
  }

  const Reply& reply_;
  Requests requests_;
  std::vector<Edit> edits_;
  std::vector<std::vector<std::string_view>> blobs_;  // an output, a client
};

// Why the outputs are not those asked for; empty if they are.
std::string wrong_outputs(const Reply& reply, const ParsedRequest& request, const SplitRules& rules) {
  const auto& got = reply.outputs;
  for (size_t i = 0; i < got.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (same_string(got[i].name, got[j].name))
        return fmt::format("output \"{}\" is there twice", got[i].name);
  const auto has = [&](auto&& is_it) { return std::ranges::any_of(got, is_it); };
  for (const RequestedOutput& asked : request.outputs)
    if (!has([&](const ReplyOutput& o) { return same_string(o.name, asked.name); }))
      return fmt::format("output \"{}\" is missing", asked.name);
  for (const ReplyOutput& output : got) {
    const auto asked = [&](const RequestedOutput& a) { return same_string(a.name, output.name); };
    if (!request.outputs.empty() && std::ranges::none_of(request.outputs, asked))
      return fmt::format("output \"{}\" was not asked for", output.name);
  }
  if (rules.declared.empty()) return {};
  if (request.outputs.empty())
    for (const DeclaredOutput& declared : rules.declared)
      if (!has([&](const ReplyOutput& o) { return string_is(o.name, declared.name); }))
        return fmt::format("output \"{}\" is missing", declared.name);
  for (const ReplyOutput& output : got) {
    const auto declared = std::ranges::find_if(
        rules.declared, [&](const DeclaredOutput& d) { return string_is(output.name, d.name); });
    if (declared == rules.declared.end())
      return fmt::format("output \"{}\" is not in the metadata", output.name);
    if (declared->datatype != *output.datatype)
      return fmt::format("output \"{}\" {} is {}, the metadata say {}", output.name,
                         shape_text(*output.shape), datatype_name(*output.datatype),
                         datatype_name(declared->datatype));
  }
  return {};
}

Split split_v2(const UpstreamReply& upstream, Requests requests, std::string_view upstream_id,
               const SplitRules& rules) {
  Split out;
  uint64_t rows = 0;
  const std::vector<uint64_t> cuts = cuts_of(requests, rows);
  Reply reply;
  if (auto failure = read_reply(upstream, rows, cuts, upstream_id, rules.broadcast_outputs, reply))
    out.failure = std::move(*failure);
  else
    out.failure = wrong_outputs(reply, *requests[0], rules);
  if (!out.failure.empty()) return out;
  const V2Writer writer(reply, requests);
  for (size_t k = 0; k < requests.size(); ++k) out.replies.push_back(writer.write(k));
  return out;
}

// Takes the answer array before the cursor (which stands behind the comma of each further element); notes the
// comma before each cut and counts the elements.
bool read_answers(JsonCursor& cursor, std::span<const uint64_t> cuts, std::vector<size_t>& commas,
                  TextSpan& whole, uint64_t& count) {
  cursor.peek();
  whole.begin = cursor.offset() + 1;
  const bool read = cursor.array([&] {
    if (commas.size() < cuts.size() && cuts[commas.size()] == count) commas.push_back(cursor.offset() - 1);
    ++count;
    return cursor.skip();
  });
  whole.end = cursor.offset() - 1;
  return read;
}

// Why there are no answers to so many rows; empty if there are.
std::string find_answers(std::string_view body, std::string_view pointer, uint64_t rows,
                         std::span<const uint64_t> cuts, std::vector<size_t>& commas, TextSpan& whole) {
  const auto tokens = pointer_tokens(pointer).value_or(std::vector<std::string>{});
  JsonCursor cursor(body, JsonRules::liberal);
  bool found = false;
  uint64_t count = 0;
  const auto take = [&] { return read_answers(cursor, cuts, commas, whole, count); };
  if (!find_array(cursor, tokens, found, take) || !cursor.at_end())
    return fmt::format("reply: byte {}: {}", cursor.error()->offset, cursor.error()->message);
  if (!found) return fmt::format("reply: there is no array at \"{}\"", pointer);
  if (count != rows)
    return fmt::format("output \"{}\": its shape is [{}], {} rows went up", pointer, count, rows);
  return {};
}

Split split_rows(const UpstreamReply& upstream, Requests requests) {
  Split out;
  uint64_t rows = 0;
  const std::vector<uint64_t> cuts = cuts_of(requests, rows);
  std::vector<size_t> commas;
  TextSpan whole;
  out.failure = find_answers(upstream.body, requests[0]->answers_pointer, rows, cuts, commas, whole);
  if (!out.failure.empty()) return out;
  // Blanks inside the brackets stay, so that pretty-printed text keeps its looks.
  while (whole.begin < whole.end && is_blank(upstream.body[whole.begin])) ++whole.begin;
  while (whole.end > whole.begin && is_blank(upstream.body[whole.end - 1])) --whole.end;
  for (size_t k = 0; k < requests.size(); ++k) {
    Rope& body = out.replies.emplace_back().body;
    body.add(upstream.body.substr(0, whole.begin));
    body.add(part_of(upstream.body, whole, commas, k));
    body.add(upstream.body.substr(whole.end));
  }
  return out;
}

}  // namespace

bool answers_rows(std::string_view body, const ParsedRequest& request) {
  std::vector<size_t> commas;
  TextSpan whole;
  return find_answers(body, request.answers_pointer, request.rows, {}, commas, whole).empty();
}

Split split(const UpstreamReply& reply, Requests requests, std::string_view upstream_id,
            const SplitRules& rules) {
  if (requests.size() > 1)
    return requests[0]->dialect == Dialect::v2 ? split_v2(reply, requests, upstream_id, rules)
                                               : split_rows(reply, requests);
  Split out;
  ClientReply& only = out.replies.emplace_back();
  only.body.add(reply.body);
  only.json_bytes = reply.json_bytes;
  return out;
}

}  // namespace mlq::serve
