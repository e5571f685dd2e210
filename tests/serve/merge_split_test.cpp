// The claim of the batching layer: what a client gets from split(model(merge(R))) is byte for byte what the
// model would have answered it alone.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>

#include "lib/jsonl/buffer.h"
#include "lib/serve/protocol/batch_key.h"
#include "lib/serve/protocol/cache_key.h"
#include "lib/serve/protocol/merge.h"
#include "lib/serve/protocol/oip.h"
#include "lib/serve/protocol/row_array.h"
#include "lib/serve/protocol/split.h"
#include "tests/serve/row_model.h"

namespace mlq::serve {
namespace {

const std::vector<std::string> kBatchParams = {"temperature", "mode"};

struct Body {
  std::string text;
  std::optional<uint64_t> json_bytes;
};

// What all requests of a mix share.
struct InputPlan {
  std::string name;
  Datatype datatype;
  std::vector<uint64_t> row_shape;
  Form form;
  std::string parameter;  // empty: none
};

class Mix {
 public:
  explicit Mix(uint64_t seed) : random_(seed) {
    for (uint64_t k = 0, n = 1 + pick(3); k < n; ++k) {
      InputPlan input;
      input.name = pick(4) == 0 ? fmt::format("é\\u0041\\n{}", k) : fmt::format("x{}", k);
      input.datatype = static_cast<Datatype>(pick(14));
      for (uint64_t d = 0, rank = pick(3); d < rank; ++d) input.row_shape.push_back(1 + pick(4));
      input.form = !has_json_form(input.datatype) || pick(3) == 0 ? Form::binary
                   : !input.row_shape.empty() && pick(2) == 0     ? Form::nested
                                                                  : Form::flat;
      if (pick(3) == 0) input.parameter = R"("content_type":"np")";
      inputs_.push_back(input);
    }
    if (pick(2) == 0) outputs_ = choose_outputs();
    binary_output_ = pick(3) == 0;
    temperature_ = pick(3) == 0;
  }

  uint64_t pick(uint64_t n) { return random_() % n; }

  Body request() {
    Body body;
    std::string blobs;
    const uint64_t rows = 1 + pick(pick(40) == 0 ? 300 : 4);
    std::vector<std::string> inputs;
    bool binary = false;
    for (const InputPlan& input : inputs_) {
      inputs.push_back(input_text(input, rows, blobs));
      binary |= input.form == Form::binary;
    }
    std::vector<std::string> members = {fmt::format("\"inputs\":{}", array(inputs))};
    if (pick(2) == 0) {
      jsonl::Buffer id;
      id.string(pick(2) == 0 ? fmt::format("id-{}", pick(100)) : fmt::format("\"{}\\é\n", pick(10)));
      members.push_back(fmt::format("\"id\":{}", id.view()));
    }
    if (!outputs_.empty()) members.push_back(outputs_);
    std::vector<std::string> parameters;
    if (binary_output_) parameters.push_back(R"("binary_data_output":true)");
    if (temperature_) parameters.push_back(R"("temperature":0.50)");
    if (temperature_) parameters.push_back(R"("mode":"a\u0062")");
    if (pick(3) == 0) parameters.push_back(fmt::format("\"priority\":{}", pick(9)));
    if (pick(3) == 0) parameters.push_back(fmt::format("\"timeout\":{}", pick(1000000)));
    std::ranges::shuffle(parameters, random_);
    if (!parameters.empty() || pick(4) == 0)
      members.push_back(fmt::format("\"parameters\":{}", object(parameters)));
    std::ranges::shuffle(members, random_);
    body.text = object(members);
    if (binary) body.json_bytes = body.text.size();
    body.text += blobs;
    return body;
  }

  test::Looks looks() {
    return {pick(2) == 0, pick(2) == 0, pick(2) == 0, pick(2) == 0, static_cast<unsigned>(pick(5))};
  }

 private:
  std::string blank() { return std::string(pick(3), " \n\t\r"[pick(4)]); }
  std::string joined(const std::vector<std::string>& parts) {
    std::string out = blank();
    for (size_t k = 0; k < parts.size(); ++k) out += (k > 0 ? blank() + "," + blank() : "") + parts[k];
    return out + blank();
  }
  std::string array(const std::vector<std::string>& parts) { return "[" + joined(parts) + "]"; }
  std::string object(const std::vector<std::string>& parts) { return "{" + joined(parts) + "}"; }

  std::string choose_outputs() {
    std::vector<std::string> chosen;
    for (const std::string_view name : {"f", "i", "s", "b", "e"}) {
      if (pick(2) == 0) continue;
      chosen.push_back(fmt::format(R"({{"name":"{}"{}}})", name,
                                   pick(2) == 0 ? R"(,"parameters":{"binary_data":true})" : ""));
    }
    return chosen.empty() ? "" : "\"outputs\":[" + fmt::format("{}", fmt::join(chosen, ",")) + "]";
  }

  std::string bytes() {
    static const std::vector<std::string> parts = {"a",  "],[", "\"", "\\", "é",
                                                   "\n", "漢",  "😀",  ",",  std::string(40, 'x')};
    std::string out;
    for (uint64_t k = pick(5); k > 0; --k) out += parts[pick(parts.size())];
    return out;
  }

  std::string json_element(Datatype type) {
    if (type == Datatype::boolean) return pick(2) == 0 ? "true" : "false";
    if (type == Datatype::bytes) {
      jsonl::Buffer out;
      out.string(bytes());
      return pick(5) == 0 ? R"("\ud83d\ude00\/\u00e9")" : std::string(out.view());
    }
    if (type == Datatype::fp32 || type == Datatype::fp64) {
      const char* forms[] = {"{}", "-{}.5", "{}e-3", "0.0{}", "{}E+2", "-0"};
      return fmt::format(fmt::runtime(forms[pick(6)]), 1 + pick(100000));
    }
    return fmt::format("{}{}", pick(2) == 0 ? "" : "-", pick(1000));
  }

  std::string nested(Datatype type, std::span<const uint64_t> shape) {
    if (shape.empty()) return json_element(type);
    std::vector<std::string> parts;
    for (uint64_t k = 0; k < shape[0]; ++k) parts.push_back(nested(type, shape.subspan(1)));
    return array(parts);
  }

  std::string input_text(const InputPlan& input, uint64_t rows, std::string& blobs) {
    std::vector<uint64_t> shape = {rows};
    shape.insert(shape.end(), input.row_shape.begin(), input.row_shape.end());
    const uint64_t count = *element_count(shape);
    std::vector<std::string> members = {fmt::format("\"name\":\"{}\"", input.name),
                                        fmt::format("\"datatype\":\"{}\"", datatype_name(input.datatype)),
                                        fmt::format("\"shape\":[{}]", fmt::join(shape, " , "))};
    std::vector<std::string> parameters;
    if (!input.parameter.empty()) parameters.push_back(input.parameter);
    if (input.form == Form::binary) {
      const size_t before = blobs.size();
      for (uint64_t k = 0; k < count; ++k) {
        std::string element(element_bytes(input.datatype), '\0');
        for (char& c : element) c = static_cast<char>(random_());
        if (input.datatype == Datatype::bytes) {
          const std::string text = bytes();
          const auto size = static_cast<uint32_t>(text.size());
          element.assign(reinterpret_cast<const char*>(&size), 4);
          element += text;
        }
        blobs += element;
      }
      parameters.push_back(fmt::format("\"binary_data_size\":{}", blobs.size() - before));
    } else if (input.form == Form::nested) {
      members.push_back("\"data\":" + nested(input.datatype, shape));
    } else {
      const std::vector<uint64_t> flat = {count};
      members.push_back("\"data\":" + nested(input.datatype, flat));
    }
    std::ranges::shuffle(parameters, random_);
    if (!parameters.empty()) members.push_back("\"parameters\":" + object(parameters));
    std::ranges::shuffle(members, random_);
    return object(members);
  }

  std::mt19937_64 random_;
  std::vector<InputPlan> inputs_;
  std::string outputs_;
  bool binary_output_ = false, temperature_ = false;
};

TEST(MergeSplit, EachClientGetsTheBytesItWouldHaveGotAlone) {
  Rules rules;
  rules.batch_params = kBatchParams;
  rules.max_rows = 1000;
  uint64_t replies = 0;
  for (uint64_t trial = 0; trial < 10'000; ++trial) {
    SCOPED_TRACE(trial);
    Mix mix(trial);
    const size_t clients = 2 + mix.pick(5);
    std::vector<Body> bodies;
    std::vector<ParsedRequest> requests(clients);
    std::vector<const ParsedRequest*> batch;
    for (size_t k = 0; k < clients; ++k) bodies.push_back(mix.request());
    for (size_t k = 0; k < clients; ++k) {
      const auto refused = parse_v2(bodies[k].text, bodies[k].json_bytes, rules, requests[k]);
      ASSERT_FALSE(refused) << refused->message << "\n" << bodies[k].text;
      ASSERT_EQ(requests[k].alone, "") << bodies[k].text;
      ASSERT_EQ(batch_key(requests[k], "m", "", ""), batch_key(requests[0], "m", "", ""));
      batch.push_back(&requests[k]);
    }
    const UpstreamBody merged = merge(batch, "mlq-1");
    const test::Looks looks = mix.looks();
    const test::ModelReply reply = test::answer_v2(merged.body.text(), merged.json_bytes, looks);
    const Split split_up = split({reply.body, reply.json_bytes}, batch, "mlq-1", {});
    ASSERT_EQ(split_up.failure, "") << reply.body;
    ASSERT_EQ(split_up.replies.size(), clients);
    for (size_t k = 0; k < clients; ++k, ++replies) {
      const test::ModelReply alone = test::answer_v2(bodies[k].text, bodies[k].json_bytes, looks);
      ASSERT_EQ(split_up.replies[k].body.text(), alone.body) << merged.body.text() << "\n" << reply.body;
      ASSERT_EQ(split_up.replies[k].json_bytes, alone.json_bytes);
    }
  }
  EXPECT_GT(replies, 30'000u);
}

TEST(MergeSplit, RowsOfV1AndThePlainRouteToo) {
  const std::vector<std::string> rows = {R"([1, 2.5])", R"([ -3e1,0 ])", R"([0.1,7])"};
  const std::vector<std::string> objects = {R"({"a":"],[","b":1})", R"({"a":"\"é","b" : -2})"};
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 2'000; ++trial) {
    SCOPED_TRACE(trial);
    const bool v1 = trial % 2 == 0;
    const std::vector<std::string>& kinds = random() % 2 == 0 ? rows : objects;
    std::vector<std::string> bodies;
    for (size_t k = 0, n = 2 + random() % 4; k < n; ++k) {
      std::vector<std::string> own;
      for (size_t r = 0, m = 1 + random() % 4; r < m; ++r) own.push_back(kinds[random() % kinds.size()]);
      bodies.push_back(fmt::format("{{\"signature_name\" :\"s\", \"{}\":[{} ], \"more\":[1,[]]}}",
                                   v1 ? "instances" : "rows",
                                   fmt::join(own, random() % 2 == 0 ? "," : " , ")));
    }
    std::vector<ParsedRequest> requests(bodies.size());
    std::vector<const ParsedRequest*> batch;
    for (size_t k = 0; k < bodies.size(); ++k) {
      const auto refused = v1 ? parse_v1(bodies[k], Rules{}, requests[k])
                              : parse_plain(bodies[k], {"/rows", "/answers/of"}, Rules{}, requests[k]);
      ASSERT_FALSE(refused) << refused->message;
      ASSERT_EQ(requests[k].alone, "");
      ASSERT_EQ(batch_key(requests[k], "m", "", ""), batch_key(requests[0], "m", "", ""));
      batch.push_back(&requests[k]);
    }
    const test::Looks looks{random() % 2 == 0};
    const std::string_view key = v1 ? "instances" : "rows";
    const std::string reply = test::answer_rows(merge(batch, "").body.text(), key, looks);
    const Split split_up = split({reply, std::nullopt}, batch, "", {});
    ASSERT_EQ(split_up.failure, "") << reply;
    for (size_t k = 0; k < bodies.size(); ++k)
      ASSERT_EQ(split_up.replies[k].body.text(), test::answer_rows(bodies[k], key, looks));
  }
}

TEST(MergeSplit, BatchOfOneIsBitIdentical) {  // MLServer #1541
  const std::string body = " {\"inputs\" : [],\"x\":1}\n";
  ParsedRequest request;
  ASSERT_FALSE(parse_v2(body, std::nullopt, Rules{}, request));
  const ParsedRequest* batch[] = {&request};
  const UpstreamBody merged = merge(batch, "mlq-1");
  EXPECT_EQ(merged.body.text(), body);
  EXPECT_TRUE(merged.untouched);
  EXPECT_FALSE(merged.json_bytes);
  const Split split_up = split({"anything, even this", 3}, batch, "mlq-1", {});
  EXPECT_EQ(split_up.failure, "");
  EXPECT_EQ(split_up.replies.at(0).body.text(), "anything, even this");
  EXPECT_EQ(split_up.replies[0].json_bytes, 3u);
}

TEST(Merge, LongTextIsReferencedAndShortTextCopied) {
  const auto body_of = [](size_t n) {
    std::string data = "1";
    for (size_t k = 1; k < n; ++k) data += ",1";
    return fmt::format(R"({{"inputs":[{{"name":"x","shape":[{}],"datatype":"INT8","data":[{}]}}]}})", n,
                       data);
  };
  const std::string bodies[] = {body_of(10), body_of(100'000)};
  ParsedRequest requests[2];
  const ParsedRequest* batch[] = {&requests[0], &requests[1]};
  const Rules rules{.max_rows = 1'000'000};
  for (int k = 0; k < 2; ++k) ASSERT_FALSE(parse_v2(bodies[k], std::nullopt, rules, requests[k]));
  const UpstreamBody merged = merge(batch, "u");
  EXPECT_EQ(merged.rows, 100'010u);
  const auto pieces = merged.body.pieces();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1].data(), requests[1].inputs[0].data.data());
  EXPECT_EQ(pieces[2], "]}]}");
}

}  // namespace
}  // namespace mlq::serve
