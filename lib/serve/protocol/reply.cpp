#include "lib/serve/protocol/reply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/serve/protocol/json_cursor.h"
#include "lib/serve/protocol/parameters.h"
#include "lib/serve/protocol/tensor_text.h"

namespace mlq::serve {
namespace {

class ReplyReader {
 public:
  ReplyReader(const UpstreamReply& upstream, uint64_t rows, std::span<const uint64_t> cuts,
              std::string_view id, std::span<const std::string> broadcast_outputs, Reply& out)
      : blobs_(upstream.body.substr(out.json.size())),
        cursor_(out.json, JsonRules::liberal),
        rows_(rows),
        cuts_(cuts),
        upstream_id_(id),
        broadcast_outputs_(broadcast_outputs),
        out_(out) {}

  std::optional<std::string> read() {
    const bool good = cursor_.object([this](std::string_view key, size_t at) { return member(key, at); }) &&
                      cursor_.at_end() && finish();
    if (good) return std::nullopt;
    const JsonError& error = *cursor_.error();
    return fmt::format("{}: byte {}: {}", field_.empty() ? "reply" : field_, error.offset, error.message);
  }

 private:
  enum Known : unsigned {
    kId = 1,
    kOutputs = 2,
    kName = 4,
    kShape = 8,
    kDatatype = 16,
    kParameters = 32,
    kData = 64
  };

  bool once(unsigned& seen, unsigned which, std::string_view key, size_t at) {
    if (seen & which) return cursor_.fail(at, fmt::format("\"{}\" stands there twice", key));
    seen |= which;
    return true;
  }

  bool member(std::string_view key, size_t at) {
    field_.clear();
    const bool taken = string_is(key, "id")        ? once(seen_, kId, key, at) && read_id(at)
                       : string_is(key, "outputs") ? once(seen_, kOutputs, key, at) && read_outputs()
                                                   : cursor_.skip();
    previous_end_ = cursor_.offset();
    return taken;
  }

  bool read_id(size_t key_at) {
    if (cursor_.peek() == 'n') return cursor_.skip();  // null: the container does not know ids
    std::string_view raw;
    if (!cursor_.string(raw)) return false;
    if (!string_is(raw, upstream_id_))
      return cursor_.fail(key_at,
                          fmt::format("the id is \"{}\", not \"{}\"", raw.substr(0, 80), upstream_id_));
    const size_t begin = offset_of(raw), end = cursor_.offset();
    out_.id = TextSpan{begin, begin + raw.size()};
    if (cursor_.peek() == ',') {  // with the comma and the blanks up to the next key
      cursor_.go_to(cursor_.offset() + 1);
      cursor_.peek();
      out_.id_member = {key_at, cursor_.offset()};
    } else {
      out_.id_member = {previous_end_ > 0 ? previous_end_ : key_at, end};
    }
    cursor_.go_to(end);
    return true;
  }

  size_t offset_of(std::string_view part) const {
    return static_cast<size_t>(part.data() - out_.json.data());
  }

  bool read_outputs() {
    return cursor_.array([this] {
      if (out_.outputs.size() == kMaxTensors)
        return cursor_.fail(cursor_.offset(), fmt::format("more than {} outputs", kMaxTensors));
      field_ = fmt::format("outputs[{}]", out_.outputs.size());
      ReplyOutput& output = out_.outputs.emplace_back();
      cursor_.peek();
      const size_t at = cursor_.offset();
      unsigned seen = 0;
      std::optional<size_t> data_at;
      const bool read = cursor_.object([&](std::string_view key, size_t key_at) {
        if (string_is(key, "name")) return once(seen, kName, key, key_at) && read_name(output);
        if (string_is(key, "shape")) return once(seen, kShape, key, key_at) && read_shape(output);
        if (string_is(key, "datatype")) return once(seen, kDatatype, key, key_at) && read_datatype(output);
        if (string_is(key, "parameters"))
          return once(seen, kParameters, key, key_at) && read_parameters(output);
        if (!string_is(key, "data")) return cursor_.skip();
        if (!once(seen, kData, key, key_at)) return false;
        cursor_.peek();
        data_at = cursor_.offset();
        if ((seen & (kName | kShape | kDatatype)) != (kName | kShape | kDatatype)) return cursor_.skip();
        return check_shape(output, at) && scan(output, *data_at);
      });
      if (!read) return false;
      if ((seen & kName) == 0 || !output.shape || !output.datatype)
        return cursor_.fail(at, "name, shape or datatype is missing");
      if (!check_shape(output, at)) return false;
      if (data_at && output.binary_size) return cursor_.fail(at, "data beside binary_data_size");
      if (data_at) return output.data || rescan(output, *data_at);
      if (output.binary_size) return take_blob(output, at);
      return cursor_.fail(at, "there are no data");
    });
  }

  bool read_name(ReplyOutput& output) {
    if (!cursor_.string(output.name)) return false;
    field_ = fmt::format("output \"{}\"", output.name.substr(0, 80));
    return true;
  }

  bool read_datatype(ReplyOutput& output) {
    std::string_view raw;
    if (!cursor_.string(raw)) return false;
    output.datatype = datatype_named(raw);
    return output.datatype ||
           cursor_.fail(offset_of(raw), fmt::format("there is no datatype \"{}\"", raw.substr(0, 40)));
  }

  bool read_shape(ReplyOutput& output) {
    output.shape.emplace();
    const bool read = cursor_.array([&] {
      Shape& shape = *output.shape;
      if (shape.rank == kMaxRank)
        return cursor_.fail(cursor_.offset(), fmt::format("the shape has more than {} dimensions", kMaxRank));
      cursor_.peek();
      const size_t begin = cursor_.offset();
      uint64_t n = 0;
      if (!cursor_.unsigned_integer(n)) return false;
      if (shape.rank == 0) output.first_dim = {begin, cursor_.offset()};
      shape.dims[shape.rank++] = n;
      return true;
    });
    return read && (element_count(output.shape->all()) ||
                    cursor_.fail(cursor_.offset() - 1, "the shape has 2^63 elements or more"));
  }

  bool read_parameters(ReplyOutput& output) {
    if (cursor_.peek() != '{') return cursor_.skip();  // null, where there are none
    return cursor_.object([&](std::string_view key, size_t at) {
      if (!string_is(key, "binary_data_size")) return cursor_.skip();
      if (output.binary_size) return cursor_.fail(at, "\"binary_data_size\" stands there twice");
      cursor_.peek();
      const size_t begin = cursor_.offset();
      if (!cursor_.unsigned_integer(output.binary_bytes)) return false;
      output.binary_size = TextSpan{begin, cursor_.offset()};
      return true;
    });
  }

  // Before the data are looked at: are these our rows?
  bool check_shape(ReplyOutput& output, size_t at) {
    output.broadcast = std::ranges::any_of(
        broadcast_outputs_, [&](const std::string& plain) { return string_is(output.name, plain); });
    if (output.broadcast || (output.shape->rank > 0 && output.shape->dims[0] == rows_)) return true;
    return cursor_.fail(at,
                        fmt::format("its shape is {}, {} rows went up", shape_text(*output.shape), rows_));
  }

  bool scan(ReplyOutput& output, size_t data_at) {
    const std::span<const uint64_t> cuts = output.broadcast ? std::span<const uint64_t>() : cuts_;
    TensorText found;
    const auto error =
        scan_tensor_text(out_.json.substr(data_at), *output.shape, element_kind(*output.datatype),
                         JsonRules::liberal, cuts, found, output.commas);
    if (error)
      return cursor_.fail(data_at + error->offset,
                          fmt::format("shape {}: {}", shape_text(*output.shape), error->message));
    if (found.ragged)
      return cursor_.fail(data_at,
                          fmt::format("the data are not nested as its shape {}", shape_text(*output.shape)));
    output.data = TextSpan{data_at + found.begin, data_at + found.end};
    for (size_t& comma : output.commas) comma += data_at;
    cursor_.go_to(data_at + found.past);
    return true;
  }

  bool rescan(ReplyOutput& output, size_t data_at) {
    const size_t here = cursor_.offset();
    const bool good = scan(output, data_at);
    cursor_.go_to(here);
    return good;
  }

  bool take_blob(ReplyOutput& output, size_t at) {
    if (!out_.json_bytes) return cursor_.fail(at, "binary_data_size without Inference-Header-Content-Length");
    const auto lie = [&](std::string_view what) {
      return cursor_.fail(at, fmt::format("shape {}, binary_data_size {}: {}", shape_text(*output.shape),
                                          output.binary_bytes, what));
    };
    if (output.binary_bytes > blobs_.size())
      return lie(fmt::format("{} bytes are left in the body", blobs_.size()));
    output.blob = blobs_.substr(0, output.binary_bytes);
    blobs_.remove_prefix(output.binary_bytes);
    const uint64_t elements = *element_count(output.shape->all());
    const uint64_t each = element_bytes(*output.datatype);
    const bool fits = each > 0 ? output.binary_bytes % each == 0 && output.binary_bytes / each == elements
                               : bytes_elements(output.blob) == elements;
    return fits || lie("they do not agree");
  }

  bool finish() {
    field_.clear();
    if ((seen_ & kOutputs) == 0) return cursor_.fail(0, "there are no outputs");
    return blobs_.empty() ||
           cursor_.fail(out_.json.size(), fmt::format("{} bytes behind the last output", blobs_.size()));
  }

  std::string_view blobs_;
  JsonCursor cursor_;
  uint64_t rows_;
  std::span<const uint64_t> cuts_;
  std::string_view upstream_id_;
  std::span<const std::string> broadcast_outputs_;
  Reply& out_;
  std::string field_;
  unsigned seen_ = 0;
  size_t previous_end_ = 0;  // of the member before; 0: there is none
};

}  // namespace

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape.all(), ",")); }

std::optional<std::string> read_reply(const UpstreamReply& upstream, uint64_t rows,
                                      std::span<const uint64_t> cuts, std::string_view upstream_id,
                                      std::span<const std::string> broadcast_outputs, Reply& out) {
  if (upstream.json_bytes > upstream.body.size())
    return fmt::format("Inference-Header-Content-Length is {}, the body has {} bytes", *upstream.json_bytes,
                       upstream.body.size());
  out = Reply{};
  out.json_bytes = upstream.json_bytes;
  out.json = upstream.body.substr(0, upstream.json_bytes.value_or(upstream.body.size()));
  return ReplyReader(upstream, rows, cuts, upstream_id, broadcast_outputs, out).read();
}

}  // namespace mlq::serve
