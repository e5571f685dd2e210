// Bar B8 of mlq-serve: the tensor text of many requests validated and spliced into one body, beside memcpy
// and beside the way of parsing every number and printing it again (simdjson and our writer); binary data
// beside memcpy.
#include <fmt/format.h>
#include <simdjson.h>

#include <random>

#include "lib/jsonl/buffer.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/split.h"
#include "tests/bench/bench.h"

namespace mlq::bench {
namespace {

using namespace mlq::serve;

constexpr int kRounds = 7;
constexpr int kRepeats = 20;

enum class Kind { flat, nested, blanks, exponents, narrow, integers, bytes, binary };

struct Body {
  std::string text;
  std::optional<uint64_t> json_bytes;
};

std::string element(Kind kind, std::mt19937_64& random) {
  const double value = static_cast<double>(static_cast<int64_t>(random())) * 0x1p-63;
  if (kind == Kind::integers) return fmt::format("{}", random() % 256);
  if (kind == Kind::bytes)
    return fmt::format("\"{}\"", std::string(200, static_cast<char>('a' + random() % 26)));
  if (kind == Kind::exponents) return fmt::format("{:.7e}", value);
  return fmt::format("{}", static_cast<float>(value));
}

// About 256 KiB: 8 rows.
Body body_of(Kind kind, std::mt19937_64& random) {
  constexpr uint64_t rows = 8;
  const uint64_t width = kind == Kind::bytes    ? 160
                         : kind == Kind::narrow ? 4
                         : kind == Kind::binary ? 8192
                                                : 2800;
  const uint64_t in_all = kind == Kind::narrow ? 5600 : rows;
  std::string data = "[";
  for (uint64_t r = 0; r < in_all && kind != Kind::binary; ++r) {
    const bool nested = kind == Kind::nested || kind == Kind::narrow;
    if (r > 0) data += ",";
    if (nested) data += "[";
    for (uint64_t k = 0; k < width; ++k)
      data += (k > 0 ? (kind == Kind::blanks ? ", " : ",") : "") + element(kind, random);
    if (nested) data += "]";
  }
  data += "]";
  Body out;
  const std::string_view type = kind == Kind::bytes ? "BYTES" : kind == Kind::integers ? "INT64" : "FP32";
  out.text = fmt::format(R"({{"id":"a","inputs":[{{"name":"x","shape":[{},{}],"datatype":"{}",)", in_all,
                         width, type);
  if (kind == Kind::binary) {
    out.text += fmt::format(R"("parameters":{{"binary_data_size":{}}}}}]}})", rows * width * 4);
    out.json_bytes = out.text.size();
    out.text += std::string(rows * width * 4, '\x3f');
  } else {
    out.text += "\"data\":" + data + "}]}";
  }
  return out;
}

// Parse, validate and merge, into one contiguous body: so that memcpy does the same work.
size_t splice(const std::vector<Body>& bodies, std::vector<char>& out) {
  const Rules rules{.max_rows = 1 << 20, .max_batch_bytes = uint64_t{1} << 40};
  std::vector<ParsedRequest> requests(bodies.size());
  std::vector<const ParsedRequest*> batch;
  for (size_t k = 0; k < bodies.size(); ++k) {
    if (parse_v2(bodies[k].text, bodies[k].json_bytes, rules, requests[k]) || !requests[k].alone.empty())
      std::abort();
    batch.push_back(&requests[k]);
  }
  const UpstreamBody merged = merge(batch, "mlq-1");
  size_t at = 0;
  for (const std::string_view piece : merged.body.pieces()) {
    std::memcpy(out.data() + at, piece.data(), piece.size());
    at += piece.size();
  }
  return at;
}

size_t copy(const std::vector<Body>& bodies, std::vector<char>& out) {
  size_t at = 0;
  for (const Body& body : bodies) {
    std::memcpy(out.data() + at, body.text.data(), body.text.size());
    at += body.text.size();
    asm volatile("" : : "r"(out.data()) : "memory");
  }
  return at;
}

void print(const simdjson::dom::element& value, jsonl::Buffer& out) {
  if (value.is_array()) {
    bool first = true;
    out.raw('[');
    for (const simdjson::dom::element each : simdjson::dom::array(value)) {
      if (!first) out.raw(',');
      first = false;
      print(each, out);
    }
    out.raw(']');
  } else if (value.is_string()) {
    out.string(std::string_view(value));
  } else if (value.is_int64()) {
    out.integer(int64_t(value));
  } else {
    out.number(double(value));
  }
}

size_t parse_and_print(const std::vector<simdjson::padded_string>& bodies, jsonl::Buffer& out) {
  simdjson::dom::parser parser;
  out.clear();
  for (const simdjson::padded_string& body : bodies) {
    const simdjson::dom::element request = parser.parse(body);
    for (const simdjson::dom::element input : simdjson::dom::array(request["inputs"]))
      print(input["data"], out);
  }
  return out.size();
}

template <class Work>
void measure(const std::string& name, size_t bytes, Work&& work) {
  work();
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round)
    seconds.push_back(cpu_of([&] {
      for (int k = 0; k < kRepeats; ++k) work();
    }));
  report(name, static_cast<double>(bytes) * kRepeats, "bytes", median(seconds));
}

void run(const std::string& name, Kind kind) {
  std::mt19937_64 random(1);
  std::vector<Body> bodies;
  std::vector<simdjson::padded_string> padded;
  size_t bytes = 0;
  for (int k = 0; k < 16; ++k) {
    bodies.push_back(body_of(kind, random));
    bytes += bodies.back().text.size();
    if (kind != Kind::binary) padded.emplace_back(bodies.back().text);
  }
  std::vector<char> out(bytes + 65536);
  jsonl::Buffer printed;
  measure("splice_" + name, bytes, [&] { splice(bodies, out); });
  measure("memcpy_" + name, bytes, [&] { copy(bodies, out); });
  if (kind != Kind::binary) measure("parse_print_" + name, bytes, [&] { parse_and_print(padded, printed); });
}

}  // namespace
}  // namespace mlq::bench

int main() {
  using mlq::bench::Kind;
  mlq::bench::run("flat", Kind::flat);
  mlq::bench::run("nested", Kind::nested);
  mlq::bench::run("blanks", Kind::blanks);
  mlq::bench::run("exponents", Kind::exponents);
  mlq::bench::run("narrow", Kind::narrow);
  mlq::bench::run("integers", Kind::integers);
  mlq::bench::run("bytes", Kind::bytes);
  mlq::bench::run("binary", Kind::binary);
}
