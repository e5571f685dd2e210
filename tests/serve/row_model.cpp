#include "tests/serve/row_model.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>
#include <stdexcept>
#include <vector>

#include "lib/jsonl/buffer.h"

namespace mlq::serve::test {
namespace {

namespace dom = simdjson::dom;

uint64_t mixed(uint64_t h, std::string_view bytes) {
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return h;
}

// The bits of a scalar, whatever way it was written.
uint64_t mixed(uint64_t h, dom::element value) {
  if (value.is_string()) return mixed(mixed(h, "s"), std::string_view(value));
  if (value.is_bool()) return mixed(h, bool(value) ? "t" : "f");
  const double number = double(value);
  return mixed(h, {reinterpret_cast<const char*>(&number), 8});
}

void leaves(dom::element value, std::vector<dom::element>& out) {
  if (!value.is_array()) return out.push_back(value);
  for (const dom::element each : dom::array(value)) leaves(each, out);
}

size_t bytes_of(std::string_view type) {
  if (type == "BOOL") return 1;
  return static_cast<size_t>(std::stoi(std::string(type.substr(type.find_first_of("123468"))))) / 8;
}

struct Row {
  uint64_t hash = 14695981039346656037u;
};

void require(bool claim, const char* what) {
  if (!claim) throw std::logic_error(what);
}

void hash_json(dom::element data, std::vector<Row>& rows, uint64_t in_a_row) {
  std::vector<dom::element> all;
  leaves(data, all);
  require(all.size() == rows.size() * in_a_row, "elements");
  for (size_t k = 0; k < all.size(); ++k) rows[k / in_a_row].hash = mixed(rows[k / in_a_row].hash, all[k]);
}

void hash_blob(std::string_view blob, std::string_view type, std::vector<Row>& rows, uint64_t in_a_row) {
  for (Row& row : rows)
    for (uint64_t k = 0; k < in_a_row; ++k) {
      uint32_t size = 0;
      if (type == "BYTES") std::memcpy(&size, blob.data(), 4), size += 4;
      if (type != "BYTES") size = static_cast<uint32_t>(bytes_of(type));
      require(size <= blob.size(), "blob");
      row.hash = mixed(row.hash, blob.substr(0, size));
      blob.remove_prefix(size);
    }
  require(blob.empty(), "rest of the blob");
}

// Appends elements as JSON, one array a row if nested (rows of one dimension only).
struct Printer {
  const Looks& looks;
  std::string comma() const { return looks.blanks ? ", " : ","; }
  std::string colon() const { return looks.blanks ? ": " : ":"; }
  std::string joined(const std::vector<std::string>& parts) const {
    std::string out;
    for (size_t k = 0; k < parts.size(); ++k) out += (k > 0 ? comma() : "") + parts[k];
    return out;
  }
  std::string array(const std::vector<std::string>& parts) const {
    return (looks.blanks ? "[ " : "[") + joined(parts) + (looks.blanks ? "\n]" : "]");
  }
  std::string member(std::string_view key, const std::string& value) const {
    return fmt::format("\"{}\"{}{}", key, colon(), value);
  }
  std::string object(const std::vector<std::string>& members) const { return "{" + joined(members) + "}"; }
};

std::string json_string(std::string_view text) {
  jsonl::Buffer out;
  out.string(text);
  return std::string(out.view());
}

// What the outputs hold for a row: texts for JSON, bytes for binary.
struct Elements {
  std::vector<std::string> json;
  std::string blob;
};

template <class T>
void put_bytes(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Elements elements(std::string_view output, uint64_t h) {
  Elements out;
  if (output == "f") {
    out.json = {h % 7 == 0 ? "NaN" : fmt::format("{}", static_cast<float>(h % 1000) / 7), "-Infinity"};
    put_bytes(out.blob, static_cast<float>(h % 1000) / 7), put_bytes(out.blob, 1.0f);
  } else if (output == "i") {
    out.json = {fmt::format("{}", static_cast<int64_t>(h))};
    put_bytes(out.blob, h);
  } else if (output == "s") {
    const std::string text = fmt::format("[{}\",\\\n]é{}", h % 10, std::string(h % 13, ','));
    out.json = {json_string(text)};
    put_bytes(out.blob, static_cast<uint32_t>(text.size()));
    out.blob += text;
  } else if (output == "b") {
    for (int bit = 0; bit < 3; ++bit) {
      out.json.push_back((h >> bit) & 1 ? "true" : "false");
      out.blob += static_cast<char>((h >> bit) & 1);
    }
  }
  return out;
}

struct Output {
  std::string name, datatype;
  std::vector<uint64_t> row_shape;
};

const std::vector<Output> kOutputs = {
    {"f", "FP32", {2}}, {"i", "INT64", {}}, {"s", "BYTES", {1}}, {"b", "BOOL", {3, 1}}, {"e", "FP64", {0}}};

std::string data_text(const Output& output, const std::vector<Row>& rows, const Printer& print) {
  std::vector<std::string> parts;
  for (const Row& row : rows) {
    std::vector<std::string> own = elements(output.name, row.hash).json;
    if (print.looks.nested && output.row_shape.size() == 2)
      for (std::string& text : own) text = "[" + text + "]";
    if (print.looks.nested && !output.row_shape.empty()) own = {print.array(own)};
    parts.insert(parts.end(), own.begin(), own.end());
  }
  return print.array(parts);
}

std::string output_text(const Output& output, const std::vector<Row>& rows, bool binary, std::string& blobs,
                        const Printer& print) {
  std::vector<std::string> dims = {fmt::to_string(rows.size())};
  for (const uint64_t n : output.row_shape) dims.push_back(fmt::to_string(n));
  std::vector<std::string> members = {print.member("name", json_string(output.name)),
                                      print.member("shape", print.array(dims)),
                                      print.member("datatype", json_string(output.datatype))};
  if (binary) {
    const size_t before = blobs.size();
    for (const Row& row : rows) blobs += elements(output.name, row.hash).blob;
    members.push_back(print.member(
        "parameters",
        print.object({print.member("binary_data_size", fmt::to_string(blobs.size() - before))})));
  } else {
    members.push_back(print.member("data", data_text(output, rows, print)));
    if (print.looks.data_first) std::swap(members[1], members.back());
  }
  return print.object(members);
}

}  // namespace

ModelReply answer_v2(std::string_view body, std::optional<uint64_t> json_bytes, const Looks& looks) {
  static dom::parser parser;  // keeps its memory from call to call
  const dom::element request =
      parser.parse(simdjson::padded_string(body.substr(0, json_bytes.value_or(body.size()))));
  std::string_view blobs = json_bytes ? body.substr(*json_bytes) : std::string_view();

  std::vector<Row> rows;
  for (const dom::element input : dom::array(request["inputs"])) {
    uint64_t in_a_row = 1, n = 0, dim = 0;
    for (const dom::element each : dom::array(input["shape"]))
      dim++ == 0 ? n = uint64_t(each) : in_a_row *= uint64_t(each);
    if (rows.empty()) rows.resize(n);
    require(rows.size() == n, "rows");
    for (Row& row : rows) row.hash = mixed(row.hash, std::string_view(input["name"]));
    uint64_t size = 0;
    if (input["parameters"]["binary_data_size"].get(size) == simdjson::SUCCESS) {
      require(size <= blobs.size(), "blobs");
      hash_blob(blobs.substr(0, size), std::string_view(input["datatype"]), rows, in_a_row);
      blobs.remove_prefix(size);
    } else {
      hash_json(input["data"], rows, in_a_row);
    }
  }
  require(blobs.empty(), "rest of the body");

  const Printer print{looks};
  ModelReply reply;
  std::string blobs_out;
  std::vector<std::string> outputs;
  bool binary_default = false, any_binary = false;
  if (request["parameters"]["binary_data_output"].get(binary_default) != simdjson::SUCCESS)
    binary_default = false;
  for (size_t k = 0; k < kOutputs.size(); ++k) {
    const Output& output = kOutputs[(k + looks.order) % kOutputs.size()];
    bool asked = true, binary = binary_default;
    dom::array wanted;
    if (request["outputs"].get(wanted) == simdjson::SUCCESS) {
      asked = false;
      for (const dom::element each : wanted) {
        if (std::string_view(each["name"]) != output.name) continue;
        asked = true;
        bool own = false;
        if (each["parameters"]["binary_data"].get(own) == simdjson::SUCCESS) binary = own;
      }
    }
    if (!asked) continue;
    any_binary |= binary;
    outputs.push_back(output_text(output, rows, binary, blobs_out, print));
  }
  std::vector<std::string> members = {print.member("model_name", "\"m\"")};
  std::string_view id;
  const bool has_id = request["id"].get(id) == simdjson::SUCCESS;
  if (has_id && !looks.outputs_first) members.push_back(print.member("id", json_string(id)));
  members.push_back(print.member("parameters", "{\"gen\": [1, {\"a\":null}]}"));
  members.push_back(print.member("outputs", print.array(outputs)));
  if (has_id && looks.outputs_first) members.push_back(print.member("id", json_string(id)));
  reply.body = print.object(members);
  if (any_binary) reply.json_bytes = reply.body.size();
  reply.body += blobs_out;
  return reply;
}

std::string answer_rows(std::string_view body, std::string_view rows_key, const Looks& looks) {
  static dom::parser parser;  // keeps its memory from call to call
  const dom::element request = parser.parse(simdjson::padded_string(body));
  const Printer print{looks};
  std::vector<std::string> answers;
  for (const dom::element row : dom::array(request[rows_key])) {
    const std::string text = simdjson::minify(row);
    const uint64_t h = mixed(14695981039346656037u, text);
    answers.push_back(h % 3 == 0 ? "NaN"
                      : h % 3 == 1
                          ? print.array({fmt::to_string(h), json_string("],\"" + text)})
                          : print.object({print.member("p", fmt::to_string(h)), print.member("q", "[]")}));
  }
  const std::string array = print.array(answers);
  if (rows_key == "instances")
    return print.object({print.member("predictions", array), print.member("by", "\"[1]\"")});
  return print.object(
      {print.member("took", "\"]\""), print.member("answers", print.object({print.member("of", array)}))});
}

}  // namespace mlq::serve::test
