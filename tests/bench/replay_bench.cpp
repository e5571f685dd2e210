// What a request costs beside the transport: reading the token events of a stream (bar: 0.5 us an event),
// rendering a prompt of 50,000 tokens (bar: well under 1 ms). One thread, CPU time.
// usage: replay_bench [EVENTS]     default 2000000
#include <cstdlib>

#include "lib/replay/answer.h"
#include "lib/replay/template.h"
#include "tests/bench/bench.h"

namespace {

using namespace mlq;

// As vLLM and OpenAI write them.
constexpr std::string_view kEvent =
    "data: "
    "{\"id\":\"chatcmpl-6b2f8f5c1e9a4c0d8a7b\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,"
    "\"model\":\"meta-llama/Llama-3.1-8B-Instruct\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" "
    "hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

// Streams of 500 events, `per_read` of them a read; a line of the report says events, so 1e9 / per_s is ns an
// event.
void token_events(const char* name, uint64_t events, int per_read) {
  replay::Answer answer({.member = "choices", .tokens = true});
  std::string read;
  for (int i = 0; i < per_read; ++i) read += kEvent;
  uint64_t seen = 0;
  const double cpu = bench::cpu_of([&] {
    while (seen < events) {
      answer.begin();
      answer.header("HTTP/1.1 200 OK\r\n");
      answer.header("content-type: text/event-stream; charset=utf-8\r\n");
      int64_t now = 0;
      for (int i = 0; i < 500; i += per_read) answer.body(read, now += 20'000'000);
      answer.body("data: [DONE]\n\n", now);
      records::Result result;
      if (answer.finish(result) != replay::Outcome::ok) std::abort();
      seen += *result.events;
    }
  });
  bench::report(name, static_cast<double>(seen), "events", cpu);
}

// Prompts of 50,000 tokens, a quarter of them in shared blocks: about 250 kB each.
void prompts(const char* name, const replay::TemplateOptions& options, int count) {
  const auto form = replay::make_template(options);
  records::Arrival arrival;
  arrival.input_tokens = 50'000;
  arrival.output_tokens = 100;
  arrival.prefix_ids.emplace();
  for (uint64_t block = 0; block < 24; ++block) arrival.prefix_ids->push_back(block);
  jsonl::Buffer body;
  uint64_t bytes = 0;
  const double cpu = bench::cpu_of([&] {
    for (int i = 0; i < count; ++i) {
      body.clear();
      form->render(arrival, static_cast<uint64_t>(i), body);
      bytes += body.size();
    }
  });
  bench::report(name, count, "requests", cpu);
  bench::report(std::string(name) + "_bytes", static_cast<double>(bytes), "bytes", cpu);
}

// One image of 3 x 224 x 224 a request.
void tensors(int count) {
  replay::TemplateOptions options;
  options.target = "/v2/models/m/infer";
  const auto form = replay::make_template(options);
  form->prepare([](const replay::FetchRequest&) {
    return replay::Fetched{200, R"({"inputs":[{"name":"x","datatype":"FP32","shape":[-1,3,224,224]}]})"};
  });
  jsonl::Buffer body;
  const double cpu = bench::cpu_of([&] {
    for (int i = 0; i < count; ++i) {
      body.clear();
      form->render({}, static_cast<uint64_t>(i), body);
    }
  });
  bench::report("image_tensor", 150'528.0 * count, "elements", cpu);
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t events = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 2'000'000;
  token_events("token_events", events, 1);
  token_events("token_events_by_10", events, 10);
  replay::TemplateOptions chat;
  chat.api = "openai-chat";
  chat.model = "m";
  chat.tokens_per_word = 1;
  replay::TemplateOptions ids;
  ids.api = "openai-completions";
  ids.model = "m";
  ids.prompt_ids = true;
  prompts("prompt_50k_words", chat, 1'000);
  prompts("prompt_50k_ids", ids, 1'000);
  tensors(50);
}
